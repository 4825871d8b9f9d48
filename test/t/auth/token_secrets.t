#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# token_secrets.t - does a token get into a log, or up to a provider?
#
# In each place where SDKs put a key; good, refused and damaged; on locations of ours and on others;
# over HTTP/1.1 and HTTP/2. The server logs all that its modules can say (trace8), and the access log
# all that a caller sends. (mod_http2 logs what it reads at trace2, before there is a request:
# docs/mod_ai_auth.md.) Claims that were not verified are a secret, too.

use strict;
use warnings;

use AuthServer ();
use File::Temp qw(tempdir);
use Gate ();
use Issuer ();
use Keys ();
use MIME::Base64 qw(encode_base64url);
use Test::More;
use Tokens ();

my $NAME   = 'https://idp.example.com';
my $key    = Tokens::key('ES256', 'kid-that-is-known');
my $other  = Tokens::key('ES256', 'kid-that-is-unknown');
my $issuer = Issuer->new;
$issuer->serves(Tokens::set($key));

my $server = AuthServer->new([Keys::make()], <<"END");
LogLevel trace8 http2:info
LogFormat "%r|%U|%q|%f|%{Authorization}i|%{x-api-key}i|%{api-key}i|%{x-goog-api-key}i|%{cf-aig-authorization}i|%{Sec-WebSocket-Protocol}i|%{SEEN}e|%{QUERY}e" everything
CustomLog everything_log everything
SetEnvIf Authorization "(.*)" SEEN=\$1
SetEnvIf Request_URI "(.*)" QUERY=\$1
AINote ai-own "%{THE_REQUEST} %{REQUEST_URI} %{QUERY_STRING} %{HTTP:Authorization}"
<AIAuthIssuer $NAME>
    AIAuthJWKS @{[ $issuer->url ]}
    AIAuthAudience ai-gateway
    AIAuthClaim user email
</AIAuthIssuer>
<Location /v1>
    AIEngine On
    Require ai-token
    AIRoute * sim
</Location>
<Location /open/v1>
    AIEngine On
    AIAnonymous On
    AIRoute * sim
</Location>
RewriteEngine On
RewriteRule ^/pretty/(.*)\$ /v1/\$1 [PT]
ErrorDocument 404 "no"
END

# Each has a marker in a claim, and one in what is signed but never shown as text.
my %claims = map { $_ => Tokens::good(iss => $NAME, email => "visible-$_", sub => "marker-$_", nonce => "nonce-$_") }
             qw(good tampered unknown expired twice);
$claims{expired}{exp} = 1;
my %text = (
    good     => Tokens::token($key, $claims{good}),
    tampered => Tokens::tampered(Tokens::token($key, $claims{tampered})),
    unknown  => Tokens::token($other, $claims{unknown}),
    expired  => Tokens::token($key, $claims{expired}),
    twice    => Tokens::token_of($key, '{"alg":"ES256"}', qq({"iss":"$NAME","email":"visible-twice","iss":"$NAME","sub":"marker-twice"})),
);
# What stands in no other text: pieces of each part, and the claims, decoded.
my %secret = map { my ($header, $claims, $signature) = split /\./, $text{$_};
                   $_ => [substr($claims, 20, 16), substr($claims, -16), substr($signature, 8, 16), "marker-$_", "nonce-$_",
                          $_ eq 'good' ? () : "visible-$_"] } keys %text;

my %place = (
    'Authorization'        => sub { headers => { Authorization => "Bearer $_[0]" } },
    'without a scheme'     => sub { headers => { Authorization => $_[0] } },
    'twice'                => sub { headers => { Authorization => "Bearer $_[0], Bearer $_[0]" } },
    'x-api-key'            => sub { headers => { 'x-api-key' => $_[0] } },
    'api-key'              => sub { headers => { 'api-key' => $_[0] } },
    'x-goog-api-key'       => sub { headers => { 'x-goog-api-key' => $_[0] } },
    'cf-aig-authorization' => sub { headers => { 'cf-aig-authorization' => "Bearer $_[0]" } },
    'sub-protocol'         => sub { headers => { 'Sec-WebSocket-Protocol' => "a, openai-insecure-api-key.$_[0], b" } },
    'key='                 => sub { query => "?key=$_[0]" },
    'key=, among others'   => sub { query => "?a=1&key=$_[0]&b=2" },
    'key= twice'           => sub { query => "?key=$_[0]&key=$_[0]" },
    'key=, encoded'        => sub { query => '?k%65y=' . ($_[0] =~ s/\./%2e/gr) },
);

my (@up, %status);
for my $proto ('h1', 'h2') {
    for my $name (sort keys %place) {
        for my $kind (sort keys %text) {
            my $caller = $proto eq 'h1' ? $server->caller : $server->h2;
            my %o = $place{$name}->($text{$kind});
            for my $root ('/v1', '/open/v1', '/pretty', '/elsewhere') {
                my $answer = $caller->request(path => "$root/chat/completions" . ($o{query} // ''), body => Gate::chat(),
                                              headers => { 'X-Sim' => 'echo=1', %{ $o{headers} // {} } });
                $status{ $kind eq 'good' ? 'good' : 'bad' }{ $answer->{status} }++;
                push @up, "$proto $name $kind $root" if grep { $answer->{body} =~ /\Q$_\E/ } @{ $secret{$kind} };
            }
        }
    }
}
# The rewriting is the main server's, so HTTP/2 has one location less.
is_deeply($status{good}, { 200 => 60, 404 => 36 }, 'good tokens were served');
is_deeply($status{bad}, { 401 => 240, 404 => 144 }, 'bad ones were refused');
is_deeply(\@up, [], 'no token came to the provider, who tells what it got; nor back');

$server->stop;
for my $log (qw(error_log access_log everything_log out)) {
    my $said = $server->read_file($log);
    isnt($said, '', "$log has something to say") if $log ne 'out';
    is_deeply([grep { my $kind = $_; grep { $said =~ /\Q$_\E/ } @{ $secret{$kind} } } sort keys %secret], [],
              "$log holds none of the tokens, and of claims none that was not verified")
        or diag(grep { my $line = $_; grep { $line =~ /\Q$_\E/ } map { @$_ } values %secret } $said =~ /^.*\n/mg);
}
like($server->read_file('access_log'), qr/u="visible-good"/, 'what is meant to be there is');
open(my $fh, '<', $ENV{AI_SIM_TRUTH}) or die "$ENV{AI_SIM_TRUTH}: $!\n";
my $truth = do { local $/; <$fh> };
is_deeply([grep { my $kind = $_; grep { $truth =~ /\Q$_\E/ } @{ $secret{$kind} } } sort keys %secret], [], 'nor does the record of the provider');
done_testing();
