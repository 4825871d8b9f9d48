#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# token_conf.t - what of <AIAuthIssuer> is an error of httpd -t, and which host has which issuers?

use strict;
use warnings;

use AuthServer ();
use File::Temp qw(tempdir);
use Gate ();
use Keys ();
use Test::More;
use Tokens ();

my $dir    = tempdir('ai-sets-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $key    = Tokens::key('ES256', 'k');
my $secret = Tokens::key('HS256', 'k');
Keys::put("$dir/good", Tokens::set($key));
Keys::put("$dir/secret", Tokens::set($secret));
Keys::put("$dir/both", Tokens::set($key, { jwk => { %{ $secret->{jwk} }, kid => 'other' } }));
Keys::put("$dir/broken", '{"keys":[{"kty":"RSA"}]}');
Keys::put("$dir/empty", '{"keys":[]}');
Keys::put("$dir/long", Tokens::set($key) . ' ' x 1048576);
Keys::put("$dir/$_", Tokens::set(/secret/ ? $secret : $key)) for qw(shown-secret shown-good written);
chmod(0644, "$dir/shown-secret", "$dir/shown-good");
chmod(0602, "$dir/written");

# What a start with that says: "" when it says nothing of ours.
sub start_with
{
    my ($conf) = @_;
    my $own = eval { OwnServer->new(conf => "$conf\n") } or return $@;
    $own->stop;
    return join('', $own->said =~ /(AI02\d\d: [^\n]*\n)/g);
}

sub section
{
    my (@lines) = @_;
    return join("\n", '<AIAuthIssuer https://idp.example.com>', @lines, '</AIAuthIssuer>');
}

my ($set, $aud) = ("AIAuthJWKS $dir/good", 'AIAuthAudience me');
my @wrong = (
    ['no set',                section($aud),                                    qr/<AIAuthIssuer https:\S+>: has no AIAuthJWKS/],
    ['no audience',           section($set),                                    qr/has no AIAuthAudience: a token for another service would do; if it shall, say 'any'/],
    ['an empty audience',     section($set, 'AIAuthAudience ""'),               qr/AIAuthAudience takes one argument/],
    ['two audiences',         section($set, $aud, $aud),                        qr/AIAuthAudience: there is one already/],
    ['two sets',              section($set, $set, $aud),                        qr/AIAuthJWKS: there is one already/],
    ['no such file',          section("AIAuthJWKS $dir/none", $aud),            qr/AIAuthJWKS: \S+: cannot be opened: No such file/],
    ['a broken file',         section("AIAuthJWKS $dir/broken", $aud),          qr/AIAuthJWKS: \S+: keys\[0\]\.n: must be a string/],
    ['a file without keys',   section("AIAuthJWKS $dir/empty", $aud),           qr/AIAuthJWKS: \S+: holds no key that this gateway can use/],
    ['secrets and public keys', section("AIAuthJWKS $dir/both", $aud),          qr/secrets and public keys must be in sets of their own/],
    ['a file that is too long', section("AIAuthJWKS $dir/long", $aud),          qr/AIAuthJWKS: \S+: is longer than 1048576 bytes/],
    ['a file for everybody to write', section("AIAuthJWKS $dir/written", $aud), qr/AIAuthJWKS: \S+: can be written by everybody/],
    ['a folder',              section("AIAuthJWKS $dir", $aud),                 qr/AIAuthJWKS: \S+: cannot be read: it is no file/],
    ['http from elsewhere',   section('AIAuthJWKS http://idp.example.com/k', $aud), qr/AIAuthJWKS: 'http:\S+' would let anybody on the way put in keys of his own: use https, or say 'insecure'/],
    ['http that looks near',  section('AIAuthJWKS http://127.0.0.1.example.com/k', $aud), qr/would let anybody on the way/],
    ['http that looks near, too', section('AIAuthJWKS http://localhost.example.com/k', $aud), qr/would let anybody on the way/],
    ['another word',          section('AIAuthJWKS http://idp.example.com/k secure', $aud), qr/AIAuthJWKS: 'secure' is unknown; allowed is 'insecure'/],
    ['insecure, of a file',   section("AIAuthJWKS $dir/good insecure", $aud),   qr/'insecure' is for http URLs/],
    ['another scheme',        section('AIAuthJWKS ftp://idp.example.com/k', $aud), qr/has another scheme/],
    ['a file by URL',         section("AIAuthJWKS file://$dir/good", $aud),     qr/AIAuthJWKS: 'file:\S+' is no URL with a host/],
    ['a password',            section('AIAuthJWKS https://me:topsecret@idp.example.com/k', $aud), qr/AIAuthJWKS: the URL holds a user or a fragment/],
    ['no host',               section('AIAuthJWKS https:///k', $aud),           qr/is no URL with a host/],
    ['a URL that is too long', section('AIAuthJWKS https://idp.example.com/' . 'x' x 1100, $aud), qr/longer than 1023 bytes/],
    ['authorities of a file', section($set, $aud, "AIAuthCAFile $ENV{AI_CERTS}/ca.pem"), qr/AIAuthCAFile is for an https URL/],
    ['no authorities',        section('AIAuthJWKS https://idp.example.com/k', $aud, "AIAuthCAFile $dir/none"), qr/AIAuthCAFile is no file that can be read/],
    ['a fact of nobody',      section($set, $aud, 'AIAuthClaim group groups'),  qr/AIAuthClaim: 'group' is neither user nor tenant nor tier/],
    ['a fact twice',          section($set, $aud, 'AIAuthClaim user sub', 'AIAuthClaim user email'), qr/AIAuthClaim: there is one already for user/],
    ['an empty claim',        section($set, $aud, 'AIAuthClaim user ""'),       qr/AIAuthClaim takes two or three arguments/],
    ['a prefix of no path',   section($set, $aud, 'AIAuthClaim tenant org acme'), qr/AIAuthClaim: 'acme' is no prefix of a tenant; that is a path, and ends in '\/'/],
    ['a leeway without unit', section($set, $aud, 'AIAuthLeeway 60'),           qr/AIAuthLeeway: '60' has no unit/],
    ['a long leeway',         section($set, $aud, 'AIAuthLeeway 11min'),        qr/AIAuthLeeway: .* from 0 to 10min/],
    ['a flag that is none',   section($set, $aud, 'AIAuthNeedExpiry maybe'),    qr/AIAuthNeedExpiry: 'maybe'/],
    ['a stranger inside',     section($set, $aud, 'AIAuthIdentity user x'),     qr/AIAuthIdentity: cannot stand in <AIAuthIssuer>/],
    ['another stranger',      section($set, $aud, 'Options None'),              qr/Options: cannot stand in <AIAuthIssuer>/],
    ['the same issuer twice', section($set, $aud) . "\n" . section($set, $aud), qr/there is one already for this host/],
    ['no name',               "<AIAuthIssuer>\n$set\n$aud\n</AIAuthIssuer>",    qr/<AIAuthIssuer issuer>: needs one text/],
    ['two names',             "<AIAuthIssuer a b>\n$set\n$aud\n</AIAuthIssuer>", qr/<AIAuthIssuer issuer>: needs one text/],
    ['outside',               $set,                                             qr/AIAuthJWKS: stands only in <AIAuthIssuer issuer>/],
    ['a section in a location', "<Location /v1>\n@{[ section($set, $aud) ]}\n</Location>", qr/<AIAuthIssuer/],
    ['one URL, two authorities', section('AIAuthJWKS https://idp.example.com/k', $aud) . "\n<AIAuthIssuer b>\nAIAuthJWKS https://idp.example.com/k\n$aud\nAIAuthCAFile $ENV{AI_CERTS}/ca.pem\n</AIAuthIssuer>",
                              qr/another <AIAuthIssuer> has this URL with another AIAuthCAFile/],
);
for my $row (@wrong) {
    my ($what, $conf, $why) = @$row;
    my $said = start_with($conf);
    like($said, $why, "$what: no start");
    unlike($said, qr/topsecret/, "$what: and no password shown") if $what eq 'a password';
}
is(start_with(section($set, $aud)), '', 'a set that is for nobody else needs no word');
like(start_with(section("AIAuthJWKS $dir/shown-secret", $aud)), qr/AI0201: AIAuthJWKS \S+ can be read by everybody/, 'secrets for everybody to read: a warning');
is(start_with(section("AIAuthJWKS $dir/shown-good", $aud)), '', 'public keys may be read by everybody');
# An address that nobody has (RFC 5737): httpd starts, whether it is there or not.
unlike(start_with(section('AIAuthJWKS http://192.0.2.1/k insecure', $aud)), qr/AIAuthJWKS:/, 'http from elsewhere, where that is said');

# ------------------------------------------------------------------------- hosts

my $server = AuthServer->new([Keys::make()], <<"END", children => 1, tls => "<AIAuthIssuer own>\n$set\n$aud\n</AIAuthIssuer>");
<AIAuthIssuer shared>
    $set
    $aud
</AIAuthIssuer>
<Location /v1>
    AIEngine On
    Require ai-token
    AIRoute * sim
</Location>
END
sub code_of
{
    my ($caller, $issuer) = @_;
    my $answer = $caller->request(path => '/v1/chat/completions', body => Gate::chat(),
                                  headers => { Authorization => 'Bearer ' . Tokens::token($key, Tokens::good(iss => $issuer, aud => 'me')) });
    return $answer->{status} == 200 ? 200 : Gate::from_json($answer->{body})->{error}{code};
}
is_deeply([map { code_of($server->caller, $_) } qw(shared own)], [200, 'issuer_unknown'], 'the server has its own issuers');
is_deeply([map { code_of($server->tls, $_) } qw(shared own)], ['issuer_unknown', 200], 'a host that has some has those alone');

done_testing();
