#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# token.t - who gets in with a token of an issuer, and who does not, wherever it stands?
#
# Keys are in files here (token_fetch.t has URLs). The tokens are made by openssl (Tokens.pm).

use strict;
use warnings;

use AuthServer ();
use File::Temp qw(tempdir);
use Gate ();
use JSON::PP ();
use Keys ();
use MIME::Base64 qw(encode_base64 encode_base64url);
use Test::More;
use Tokens ();

my ($ISSUER, $SECRETIVE, $LAX) = ('https://idp.example.com/', 'https://hmac.example.com', 'lax');

my @algorithms = qw(RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 Ed25519 Ed448);
my %key = map { $_ => Tokens::key($_, "kid-$_") } @algorithms, qw(HS256 HS384 HS512);
my $gateway = Keys::make(user => 'keyholder');
my $bare    = Tokens::key('ES256', undef);
my $dir     = tempdir('ai-sets-XXXXXX', TMPDIR => 1, CLEANUP => 1);
# One key of RSA may be used by all six algorithms; ours say no alg.
Keys::put("$dir/public", Tokens::set(@key{@algorithms}));
Keys::put("$dir/secret", Tokens::set(@key{qw(HS256 HS384 HS512)}));
Keys::put("$dir/bare", Tokens::set($bare));

my $limited = OwnServer::free_port();
my $server = AuthServer->new([$gateway], <<"END", children => 4);
LimitRequestFieldSize 2097152
Listen 127.0.0.1:$limited
<AIAuthIssuer "$ISSUER">
    AIAuthJWKS $dir/public
    AIAuthAudience ai-gateway
    AIAuthClaim user email
    AIAuthClaim tenant org.team idp/
    AIAuthClaim tier https://idp.example.com/plan
</AIAuthIssuer>
<AIAuthIssuer $SECRETIVE>
    AIAuthJWKS $dir/secret
    AIAuthAudience ai-gateway
    AIAuthLeeway 0
</AIAuthIssuer>
<AIAuthIssuer $LAX>
    AIAuthJWKS $dir/bare
    AIAuthAudience any
    AIAuthNeedExpiry Off
    AIAuthClaim user sub lax:
</AIAuthIssuer>
<VirtualHost *:$limited>
    AIAuthFailures 4/1h
</VirtualHost>
<Location /v1>
    AIEngine On
    AIAuthIdentity tier "of-another-login"
    Require valid-user
    AIRoute small-1 sim
    AIRoute * sim
</Location>
<Location /open/v1>
    AIEngine On
    AIAnonymous On
    AIRoute * sim
</Location>
<Location /basic/v1>
    AIEngine On
    Use Basic
    Require valid-user
    AIRoute * sim
</Location>
<Location /key/v1>
    AIEngine On
    Require ai-key
    AIRoute * sim
</Location>
<Location /token/v1>
    AIEngine On
    Require ai-token
    AIExplain On
    AIRoute * sim
</Location>
<Location /lax/v1>
    AIEngine On
    Require ai-token "$LAX" other
    AIRoute * sim
</Location>
<Location /team/v1>
    AIEngine On
    <RequireAll>
        Require ai-tenant idp/red
        Require ai-tier gold
        Require ai-model small-*
        Require user ada\@example.com
    </RequireAll>
    AIRoute * sim
</Location>
END

my $caller = $server->caller;

sub post
{
    my ($token, %o) = @_;
    return $caller->request(path => ($o{place} // '') . ($o{path} // '/v1/chat/completions'), method => $o{method},
                            headers => { (defined $token ? (Authorization => "Bearer $token") : ()), %{ $o{headers} // {} } },
                            body => exists $o{body} ? $o{body} : Gate::chat(model => $o{model} // 'small-1'));
}

sub code_of { return (eval { Gate::from_json($_[0]{body})->{error}{code} }) // '' }

# "200", or "401 code".
sub verdict
{
    my $answer = post(@_);
    return $answer->{status} . ($answer->{status} == 200 ? '' : ' ' . code_of($answer));
}

my %claims = (iss => $ISSUER, email => 'ada@example.com', org => { team => 'red/ada' },
              'https://idp.example.com/plan' => 'gold');
my $good = Tokens::token($key{RS256}, Tokens::good(%claims));

like(post($good, place => '/token', headers => { 'ai-explain' => 1 })->{headers}{'ai-explain'}, qr/^identify=ok;r=token;/,
     'a caller with a token is told by what he is known');

# ------------------------------------------------------------------------------- algorithms

for my $alg (@algorithms) {
    my $token = Tokens::token($key{$alg}, Tokens::good(%claims));
    is(verdict($token), 200, "$alg: served");
    is(verdict(Tokens::tampered($token)), '401 token_signature', "$alg, wrong signature: refused");
}
for my $alg (qw(HS256 HS384 HS512)) {
    my $token = Tokens::token($key{$alg}, Tokens::good(iss => $SECRETIVE));
    is(verdict($token), 200, "$alg: served");
    is(verdict(Tokens::tampered($token)), '401 token_signature', "$alg, wrong signature: refused");
}
is(verdict(Tokens::token($bare, Tokens::good(iss => $LAX))), 200, 'no kid, and one key that fits: served');
is(verdict(Tokens::token($bare, { iss => $LAX, sub => 'x' })), 200, 'neither aud nor exp, where that is allowed: served');

# ----------------------------------------------------------------------------------- refused

sub of
{
    my ($claims, %header) = @_;
    return Tokens::token($key{RS256}, Tokens::good(%claims, %$claims), %header);
}
my $now = time;
my $public = Tokens::run('openssl', 'pkey', '-in', $key{RS256}{pem}, '-pubout');
my $unsigned = encode_base64url('{"alg":"none"}') . '.' . encode_base64url(Gate::to_json(Tokens::good(%claims))) . '.';
my @refused = (
    ['alg none',                  $unsigned,                                            'token_algorithm'],
    ['alg none, with a kid',      (of({}, alg => 'none') =~ s/[^.]*\z//r),                 'token_algorithm'],
    ['HMAC under a public key',   Tokens::token({ alg => 'HS256', kid => 'kid-RS256', secret => $public }, Tokens::good(%claims)), 'token_algorithm'],
    ['HMAC, its modulus as secret', Tokens::token({ alg => 'HS256', kid => 'kid-RS256', secret => $key{RS256}{jwk}{n} }, Tokens::good(%claims)), 'token_algorithm'],
    ['RS256 with a key of a curve', of({}, kid => 'kid-ES256'),                            'token_algorithm'],
    ['an algorithm that is none', of({}, alg => 'RS1'),                                    'token_algorithm'],
    ['an unknown kid',            of({}, kid => 'other'),                                  'token_key_unknown'],
    ['no kid, signed by nobody of the set', Tokens::token(Tokens::key('ES256', undef), Tokens::good(%claims)), 'token_signature'],
    ['another key of the set',    of({}, kid => 'kid-PS512'),                              'token_signature'],
    ['a critical extension',      of({}, crit => ['b64'], b64 => JSON::PP::false()),    'token_malformed'],
    ['expired',                   of({ exp => $now - 61 }),                                'token_expired'],
    ['too early',                 of({ nbf => $now + 3600 }),                              'token_not_yet_valid'],
    ['issued in the future',      of({ iat => $now + 3600 }),                              'token_not_yet_valid'],
    ['a time in milliseconds',    of({ exp => ($now + 3600) * 1000 }),                     'token_malformed'],
    ['no expiry',                 Tokens::token($key{RS256}, { %claims, aud => 'ai-gateway' }), 'token_without_expiry'],
    ['another audience',          of({ aud => 'ai-gateway-2' }),                           'token_audience'],
    ['no audience',               of({ aud => [] }),                                       'token_audience'],
    ['no user',                   of({ email => '' }),                                     'token_without_user'],
    ['a user that is no text',    of({ email => { a => 1 } }),                             'token_without_user'],
    ['a user with a line end',    of({ email => "a\nb" }),                                 'token_without_user'],
    ['a user that is too long',   of({ email => 'a' x 201 }),                              'token_claim_unusable'],
    ['a tenant with an empty part', of({ org => { team => 'red//ada' } }),                 'token_claim_unusable'],
    ['a tenant that ends early',  of({ org => { team => 'red/' } }),                       'token_claim_unusable'],
    ['a tier that is too long',   of({ 'https://idp.example.com/plan' => 'g' x 65 }),      'token_claim_unusable'],
    ['a claim twice',             Tokens::token_of($key{RS256}, '{"alg":"RS256","kid":"kid-RS256"}', qq({"iss":"$ISSUER","iss":"x"})), 'token_malformed'],
    ['claims that are no UTF-8',  Tokens::token_of($key{RS256}, '{"alg":"RS256","kid":"kid-RS256"}', qq({"iss":"$ISSUER","sub":"\xff"})), 'token_malformed'],
    ['its header alone',          $good =~ /^([^.]+)/,                                  'invalid_api_key'],
    ['without its signature',     $good =~ /^(.+)\./,                                   'invalid_api_key'],
    ['half its signature',        substr($good, 0, -100) . 'A',                         'token_signature'],
    ['without its last character', substr($good, 0, -1),                                'token_malformed'],
    ['with a padding',            "$good=",                                             'token_malformed'],
    ['more than 16 KB',           of({ more => 'x' x 16384 }),                             'token_malformed'],
    ['1 MB',                      of({ more => 'x' x 786432 }),                            'token_malformed'],
    ['an issuer of nobody here',  of({ iss => 'https://idp.example.com' }),                'issuer_unknown'],
    ['no issuer',                 of({ iss => undef }),                                    'issuer_unknown'],
    ['the key of another issuer', Tokens::token($key{RS256}, Tokens::good(iss => $SECRETIVE)), 'token_key_unknown'],
);
for my $row (@refused) {
    my ($what, $token, $code) = @$row;
    is(verdict($token), "401 $code", "$what: refused");
    is(verdict($token, place => '/open'), "401 $code", "$what: and also where anybody may call") if $code ne 'invalid_api_key';
}
is(verdict($good), 200, 'after all of that a good one is served');
is(verdict(of({ exp => $now - 30 })), 200, 'just expired, within the leeway: served');
my $late = Tokens::token($key{HS256}, Tokens::good(iss => $SECRETIVE, exp => time + 2));
is(verdict($late), 200, 'a token with two seconds left is served');
Gate::await('its end', sub { return verdict($late) eq '401 token_expired' });
pass('and refused when they are over, though it was remembered');
my $answer = post(Tokens::tampered($good));
is($answer->{headers}{'www-authenticate'}, 'Bearer realm="ai", error="invalid_token"', 'who has a bad one is told');
is($server->logged($answer)->{deny}, 'token_signature', 'and the log says why');
is_deeply([@{ $server->logged($answer) }{qw(u user tenant tier)}], [('-') x 4], 'but names nobody');
like($server->said, qr/AI0225: token of issuer \Q$ISSUER\E: token_signature/, 'nor does the error log');

# -------------------------------------------------------------------------- wherever it stands

my $foreign = of({ iss => 'https://else.example.com' });
my $anthropic = Gate::to_json({ model => 'small-1', max_tokens => 16, messages => [{ role => 'user', content => 'Hello' }] });
my %place = (
    'Authorization'        => sub { (headers => { Authorization => "Bearer $_[0]" }) },
    'x-api-key'            => sub { (headers => { 'x-api-key' => $_[0], 'anthropic-version' => '2023-06-01' },
                                     path => '/v1/messages', body => $anthropic) },
    'api-key'              => sub { (headers => { 'api-key' => $_[0] }) },
    'x-goog-api-key'       => sub { (headers => { 'x-goog-api-key' => $_[0] }) },
    'cf-aig-authorization' => sub { (headers => { 'cf-aig-authorization' => "Bearer $_[0]" }) },
    'sub-protocol'         => sub { (headers => { 'Sec-WebSocket-Protocol' => "realtime, openai-insecure-api-key.$_[0], other" }) },
    'query'                => sub { (path => "/v1/chat/completions?a=1&key=$_[0]&b=2") },
    'query, encoded'       => sub { (path => '/v1/chat/completions?k%65y=' . ($_[0] =~ s/\./%2E/gr)) },
);
for my $name (sort keys %place) {
    $answer = post(undef, $place{$name}->($good));
    is($answer->{status}, 200, "$name: served");
    is($server->logged($answer)->{u}, 'ada@example.com', "$name: the caller is the token's");
    $answer = post(undef, $place{$name}->(Tokens::tampered($good)));
    is($answer->{status}, 401, "$name: a bad one is refused");
    is(eval { Gate::from_json($answer->{body})->{error}{type} }, 'authentication_error', "$name: in the caller's dialect")
        if $name eq 'x-api-key';
    is(post(undef, $place{$name}->($foreign))->{status}, 401, "$name: a foreign one is refused");
}

my $key = $gateway->{text};
my $other = of({ email => 'bob@example.com' });
is(verdict($good, headers => { 'x-api-key' => $other }), '401 ambiguous_key', 'two tokens: refused');
is(verdict("$good, Bearer $other"), '401 ambiguous_key', 'two in one header: refused');
is(verdict($good, headers => { 'x-api-key' => $key }), '401 ambiguous_key', 'a token and a key: refused');
is(verdict($key, path => "/v1/chat/completions?key=$good"), '401 ambiguous_key', 'a key and a token in the query: refused');
is(verdict($good, headers => { 'x-api-key' => $good }), 200, 'the same twice: served');
is(verdict($good, headers => { 'x-api-key' => 'sk-ant-theirs' }), 200, 'a foreign key beside it: served');
is(verdict($good, headers => { 'x-api-key' => $foreign }), 200, 'a foreign token beside it: served');
is(verdict($key, headers => { 'x-api-key' => $foreign }), 200, 'a foreign token beside a key: served');

# ---------------------------------------------------------------------------- who he is then

$answer = post($good);
is_deeply([@{ $server->logged($answer) }{qw(u key user tenant tier)}],
          ['ada@example.com', '-', 'ada@example.com', 'idp/red/ada', 'gold'], 'claims are notes; AIAuthIdentity says nothing of tokens');
is((Gate::truths($answer->{headers}{'x-request-id'}))[0]{key_tail}, 'Kx7Q', 'the provider gets the key of the target');
my %seen;
$seen{ join(' ', @{ $server->logged($server->caller->request(path => '/v1/chat/completions', body => Gate::chat(),
       headers => { Authorization => "Bearer $good" })) }{qw(u tenant tier)}) }++ for 1 .. 40;
is_deeply(\%seen, { 'ada@example.com idp/red/ada gold' => 40 }, 'the same from all children, verified or remembered');
is_deeply([@{ $server->logged(post(of({ org => { team => ['a', 'b'] }, 'https://idp.example.com/plan' => undef }))) }{qw(tenant tier)}],
          ['idp/a,b', '-'], 'a list is joined; what is not said is not known');
is_deeply([@{ $server->logged(post(of({ org => 'red' }))) }{qw(u tenant)}], ['ada@example.com', '-'], 'a claim of another shape is not known');
is($server->logged(post(Tokens::token($bare, { iss => $LAX, sub => 'ada@example.com' })))->{u}, 'lax:ada@example.com',
   'a prefix keeps the names of two issuers apart');
is($server->logged(post(Tokens::token($key{HS256}, Tokens::good(iss => $SECRETIVE))))->{u}, 'ada', 'the claim sub, where nothing is said');

my %fits = (
    'a token'              => [$good, { '/token' => 200, '/lax' => 403, '/key' => 403, '/team' => 200, '/basic' => 200 }],
    'one of the named issuer' => [Tokens::token($bare, { iss => $LAX, sub => 'ada@example.com' }),
                               { '/token' => 200, '/lax' => 200, '/key' => 403, '/team' => 403 }],
    'a key'                => [$key, { '/token' => 403, '/lax' => 403, '/key' => 200, '/team' => 403 }],
    'of another tier'      => [of({ 'https://idp.example.com/plan' => 'tin' }), { '/team' => 403 }],
    'of another tenant'    => [of({ org => { team => 'redder' } }), { '/team' => 403 }],
    'of another user'      => [$other, { '/team' => 403 }],
    'nothing'              => [undef, { '/token' => 401, '/lax' => 401, '/team' => 401 }],
);
for my $who (sort keys %fits) {
    my ($token, $want) = @{ $fits{$who} };
    is_deeply({ map { $_ => post($token, place => $_)->{status} } keys %$want }, $want, "$who: who Require lets in");
}
is(verdict($good, place => '/team', model => 'large'), '403 permission_denied', 'and what for');

# ------------------------------------------------------------------------- beside other logins

my %basic = (Authorization => 'Basic ' . encode_base64('alice:river', ''));
is($server->logged(post(undef, place => '/basic', headers => { %basic, 'x-api-key' => $good }))->{u}, 'ada@example.com',
   'a token wins over Basic');
is($server->logged(post(undef, place => '/basic', headers => { %basic, 'x-api-key' => $foreign }))->{u}, 'alice',
   'a foreign token says nothing where another login does');
is(verdict(undef, place => '/basic', headers => { %basic, 'x-api-key' => Tokens::tampered($good) }), '401 token_signature',
   'but a bad one is refused');
$answer = post($foreign, place => '/basic');
is($answer->{headers}{'www-authenticate'}, 'Basic realm="auth"', 'where an AuthType is set, its module has the word on a foreign one');

# ---------------------------------------------------------------------- too many that may be guesses

$caller = Gate::Socket->new(port => $limited, tls => 0);
is(verdict(of({ exp => 1 })), '401 token_expired', 'what the issuer has signed is no guess') for 1 .. 5;
is(verdict($foreign), '401 issuer_unknown', 'nor is what is for somebody else') for 1 .. 5;
is_deeply([map { verdict($_) } Tokens::tampered($good), of({}, kid => 'nobody'), $unsigned, of({}, crit => ['b64'])],
          ['401 token_signature', '401 token_key_unknown', '401 token_algorithm', '401 token_malformed'],
          'four that may be');
is(verdict(Tokens::tampered($good)), '429 too_many_failed_attempts', 'the fifth is one too many');
is(verdict($good), 200, 'a good token is let in all the same');
is(verdict(of({ exp => 1 })), '401 token_expired', 'and an old one is told what it is');
$caller = $server->caller;

# ----------------------------------------------------------------------------- a changed file

is(verdict(Tokens::token(my $new = Tokens::key('ES256', 'new'), Tokens::good(%claims))), '401 token_key_unknown', 'a key that is not there yet');
Keys::put("$dir/public", Tokens::set($new));
my ($fresh, $n) = (Tokens::token($new, Tokens::good(%claims)), 0);
Gate::await('the children to read the file', sub {
    my $status = $server->caller->request(path => '/v1/chat/completions', body => Gate::chat(),
                                          headers => { Authorization => "Bearer $fresh" })->{status};
    $n = $status == 200 ? $n + 1 : 0;
    return $n == 20;
});
is_deeply([grep { $_ ne '401 token_key_unknown' } map { $caller = $server->caller; verdict($good) } 1 .. 20], [],
          'a token that was remembered is refused by all children, once its key is gone from the file');
Keys::put("$dir/public", '{"keys":[');
Gate::await('a word on the broken file', sub { return $server->said =~ m{AI0204: AIAuthJWKS $dir/public: no JSON} });
is(verdict($fresh), 200, 'a broken file changes nothing');

$server->stop;
unlike($server->said, qr/AddressSanitizer|LeakSanitizer|runtime error:|Segmentation|Assertion|exit signal/, 'no child died');
done_testing();
