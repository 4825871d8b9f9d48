#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# matrix.t - each caller, by each way in which an SDK shows who calls: what is he told?
#
# One location that takes keys, tokens, passwords and certificates. Status, code, dialect and challenge; what
# the log knows; that nothing of a refused request reaches the provider, and of an accepted one no
# credential. Rows and ways are data: a new login is a row, a new SDK a way.

use strict;
use warnings;

use AuthServer ();
use Clients ();
use File::Temp qw(tempdir);
use Gate ();
use JSON::PP ();
use Keys ();
use MIME::Base64 qw(encode_base64);
use Test::More;
use Tokens ();

my $signer = Tokens::key('RS256', 'k1');
sub token { return Tokens::token($signer, Tokens::good(iss => 'https://idp.example.com', sub => 'eve', team => 'red', @_)) }
my $set = tempdir('ai-set-XXXXXX', TMPDIR => 1, CLEANUP => 1);
Keys::put("$set/public", Tokens::set($signer));

my $clients = Clients->new(carol => 'acme');
my %key = (
    good     => Keys::make(user => 'ada', tenant => 'acme/ada', tier => 'gold'),
    other    => Keys::make(),
    disabled => Keys::make(disabled => JSON::PP::true()),
    expired  => Keys::make(expires => '2020-01-01T00:00:00Z'),
    early    => Keys::make(not_before => '2100-01-01'),
    away     => Keys::make(sources => ['192.0.2.0/24']),
    small    => Keys::make(models => ['small-*']),
);
my $server = AuthServer->new([values %key], <<"END" . <<'END', tls => $clients->tls);
<AIAuthIssuer https://idp.example.com>
    AIAuthJWKS $set/public
    AIAuthAudience ai-gateway
    AIAuthClaim tenant team idp/
</AIAuthIssuer>
END
<Location /v1>
    AIEngine On
    AIRoute * sim
    AIAuthModels !secret
    Use Basic
    AIAuthIdentity tenant "people/%{REMOTE_USER}"
    Require valid-user
</Location>
END

# --------------------------------------------------------------------------------------- the rows

my ($bearer, $basic) = ('Bearer realm="ai", error="invalid_token"', 'Basic realm="auth"');
sub text  { return { key => $key{ $_[0] }{text} } }
sub login { return { basic => $_[0] } }
# Who; what he shows; status; code (of OpenAI's dialect), or for who is served: user, key and tenant
# in the log; the challenge. model: what is asked for, if not "large".
my @rows = (
    ['no key',                 {},                                             401, 'invalid_api_key', $basic],
    ['a good key',             text('good'),                                   200, "ada $key{good}{id} acme/ada"],
    ['a wrong key',            { key => Keys::forged($key{good}) },            401, 'invalid_api_key', $bearer],
    ['an unknown key',         { key => Keys::make()->{text} },                401, 'invalid_api_key', $bearer],
    ['a damaged key',          { key => Keys::broken($key{good}) },            401, 'malformed_api_key', $bearer],
    ['somebody else\'s key',   { key => 'sk-proj-not-of-this-gateway' },       401, 'invalid_api_key', $basic],
    ['a revoked key',          text('disabled'),                               401, 'key_disabled', $bearer],
    ['an expired key',         text('expired'),                                401, 'key_expired', $bearer],
    ['a key of tomorrow',      text('early'),                                  401, 'key_not_yet_valid', $bearer],
    ['a key from elsewhere',   text('away'),                                   401, 'key_source_denied', $bearer],
    ['a key, its model',       { %{ text('small') }, model => 'small-1' },     200, "$key{small}{id} $key{small}{id} -"],
    ['a key, another model',   text('small'),                                  403, 'model_not_allowed'],
    ['a key, AIAuthModels',    { %{ text('good') }, model => 'secret' },       403, 'model_not_allowed'],
    ['two different keys',     { %{ text('good') }, beside => $key{other}{text} }, 401, 'ambiguous_key', $bearer],
    ['one key in two places',  { %{ text('good') }, beside => $key{good}{text} },  200, "ada $key{good}{id} acme/ada"],
    ['a header twice',         { %{ text('good') }, twice => $key{good}{text} },   200, "ada $key{good}{id} acme/ada"],
    ['a header, two keys',     { %{ text('good') }, twice => $key{other}{text} },  401, 'ambiguous_key', $bearer],
    ['a token',                { key => token() },                             200, 'eve - idp/red'],
    ['an expired token',       { key => token(exp => time - 100) },            401, 'token_expired', $bearer],
    ['a token of tomorrow',    { key => token(nbf => time + 86400) },          401, 'token_not_yet_valid', $bearer],
    ['a token for others',     { key => token(aud => 'theirs') },              401, 'token_audience', $bearer],
    ['a forged token',         { key => Tokens::tampered(token()) },           401, 'token_signature', $bearer],
    ['a token of nobody here', { key => token(iss => 'https://nobody') },      401, 'invalid_api_key', $basic],
    ['a token, AIAuthModels',  { key => token(), model => 'secret' },          403, 'model_not_allowed'],
    ['a token and a key',      { key => token(), beside => $key{good}{text} }, 401, 'ambiguous_key', $bearer],
    ['a token and a password', { key => token(), %{ login('alice:river') } },  200, 'eve - idp/red'],
    ['a certificate, a token', { cert => 'carol', key => token() },            200, 'eve - idp/red'],
    ['a password',             login('alice:river'),                           200, 'alice - people/alice'],
    ['a wrong password',       login('alice:sea'),                             401, 'invalid_api_key', $basic],
    ['a password, AIAuthModels', { %{ login('alice:river') }, model => 'secret' }, 403, 'model_not_allowed'],
    ['a key and a password',   { %{ text('good') }, %{ login('alice:river') } },   200, "ada $key{good}{id} acme/ada"],
    ['a bad key and a password', { key => Keys::forged($key{good}), %{ login('alice:river') } }, 401, 'invalid_api_key', $bearer],
    ['a certificate',          { cert => 'carol' },                            200, 'carol - people/carol'],
    ['a certificate and a key', { cert => 'carol', %{ text('good') } },        200, "ada $key{good}{id} acme/ada"],
    ['a certificate, a bad key', { cert => 'carol', key => Keys::broken($key{good}) }, 401, 'malformed_api_key', $bearer],
);

# --------------------------------------------------------------------------------------- the ways

sub openai    { return ('/chat/completions', Gate::chat(model => $_[0]), {}) }
sub anthropic
{
    my ($model) = @_;
    return ('/messages', Gate::to_json({ model => $model, max_tokens => 16, messages => [{ role => 'user', content => 'x' }] }),
            { 'anthropic-version' => '2023-06-01' });
}
sub header { my ($name, $before) = @_; return sub { +{ $name => ($before // '') . $_[0] } } }
# Name; dialect; the header that a key stands in, or none where it is in the query.
my @ways = (
    ['OpenAI',            \&openai,    header('Authorization', 'Bearer ')],
    ['Anthropic',         \&anthropic, header('x-api-key')],
    ['Anthropic, bearer', \&anthropic, header('Authorization', 'Bearer ')],
    ['Gemini',            \&openai,    header('x-goog-api-key')],
    ['Gemini, ?key=',     \&openai,    undef],
    ['Azure',             \&openai,    header('api-key')],
    ['Cloudflare',        \&openai,    header('cf-aig-authorization', 'Bearer ')],
    ['WebSocket',         \&openai,    header('Sec-WebSocket-Protocol', 'realtime, openai-insecure-api-key.')],
);

# One request: the row's credentials, put where the way has them.
sub request_of
{
    my ($shows, $way) = @_;
    my (undef, $dialect, $place) = @$way;
    my ($path, $body, $headers) = $dialect->($shows->{model} // 'large');
    my @query;
    if (defined $shows->{key}) {
        $place ? %$headers = (%$headers, %{ $place->($shows->{key}) }) : push @query, "key=$shows->{key}";
    }
    if (defined $shows->{twice}) { # a header of the same name once more: names do not differ by case
        my %again = $place ? %{ $place->($shows->{twice}) } : ();
        $headers->{ uc $_ } = $again{$_} for keys %again;
        push @query, "key=$shows->{twice}" unless $place;
    }
    if (defined $shows->{beside}) {
        $headers->{ exists $headers->{'x-api-key'} ? 'api-key' : 'x-api-key' } = $shows->{beside};
    }
    if (defined $shows->{basic}) {
        $headers->{ exists $headers->{Authorization} ? 'authorization' : 'Authorization' } =
            'Basic ' . encode_base64($shows->{basic}, '');
    }
    return (path => "/v1$path" . (@query ? '?' . join('&', @query) : ''), body => $body,
            headers => { 'X-Sim' => 'echo=1', %$headers });
}

# ------------------------------------------------------------------------------------ what is right

my %type = (401 => 'authentication_error', 403 => 'permission_error');

# What is wrong with an answer; nothing when it is what the row says.
sub faults
{
    my ($answer, $row, $way) = @_;
    my (undef, $shows, $status, $said, $challenge) = @$row;
    my $line = $server->logged($answer);
    my $body = eval { Gate::from_json($answer->{body}) } // {};
    my %is = (status => $answer->{status}, challenge => $answer->{headers}{'www-authenticate'} // '');
    my %should = (status => $status, challenge => $challenge // '');
    if ($status == 200) {
        $is{who} = join(' ', @$line{qw(u key tenant)});
        $should{who} = $said;
        $is{echo} = $answer->{body} =~ /content-length/i ? 'there' : 'not there';
        $should{echo} = 'there';
        my @secrets = (map({ substr($_, -20) } grep { defined && /^(?:sk-ai|ey)/ } @$shows{qw(key twice beside)}),
                       $shows->{basic} ? encode_base64($shows->{basic}, '') : (), $shows->{cert} // ());
        $is{leak} = join(' ', grep { index($answer->{body}, $_) >= 0 } @secrets);
        $should{leak} = '';
    }
    else {
        my $error = $body->{error} // {};
        my $told = ($answer->{headers}{'content-type'} // '') eq 'application/json' ? 'JSON' : 'no JSON';
        $is{error} = "$told " . ($way->[1] == \&anthropic ? "$body->{type} $error->{type}" : $error->{code} // '');
        $should{error} = 'JSON ' . ($way->[1] == \&anthropic ? "error $type{$status}" : $said);
        $is{deny} = $line->{deny};
        $should{deny} = $said;
    }
    return map { $is{$_} eq $should{$_} ? () : "$_: $is{$_}, not $should{$_}" } sort keys %should;
}

sub calls { return Gate::calls()->{total} }

my %caller = ('' => $server->tls, map { $_ => $server->tls($clients->ssl($_)) } 'carol');
for my $way (@ways) {
    my @bad;
    for my $row (@rows) {
        my ($who, $shows, $status) = @$row;
        my $before = calls();
        my $answer = $caller{ $shows->{cert} // '' }->request(request_of($shows, $way));
        push @bad, map { "$who: $_" } faults($answer, $row, $way);
        my $went = calls() - $before;
        push @bad, "$who: $went calls of the provider" if $went != ($status == 200 ? 1 : 0);
    }
    is_deeply(\@bad, [], "$way->[0]: each of " . @rows . ' callers is told what is right');
}

# -------------------------------------------------------------------------- how it may be written

my $good = $key{good}{text};
my $plain = $server->caller;
# The header Authorization; status, code.
for my $case (['Bearer', 401, 'invalid_api_key'], ['Bearer ', 401, 'invalid_api_key'], ['', 401, 'invalid_api_key'],
              ["   \t ", 401, 'invalid_api_key'], ["bearer $good", 200], ["BEARER\t$good", 200], ["Bearer  \t $good \t", 200],
              [$good, 200], ["Bearer $good,", 200], ["Bearer $good $good", 401, 'malformed_api_key'],
              ["Bearer\xa0$good", 401, 'invalid_api_key'], ["Bearer \xff\xfe", 401, 'invalid_api_key'],
              ["Bearer $good\xc3", 401, 'malformed_api_key'], ["Bearer sk-ai-\xff\xfe\xc3\xbf", 401, 'malformed_api_key'],
              ["Token $good", 401, 'invalid_api_key'], ['Basic', 401, 'invalid_api_key'], ['Basic %%%', 401, 'invalid_api_key'],
              ['Basic ' . encode_base64("\xff\xfe:\x00\x01", ''), 401, 'invalid_api_key'],
              ["Bearer sk-ai-" . 'x' x 7000, 401, 'malformed_api_key'], ['Bearer sk-ai-' . 'x' x 9000, 400, 'bad_request']) {
    my ($value, $status, $code) = @$case;
    my $before = calls();
    my $answer = $plain->request(path => '/v1/chat/completions', body => Gate::chat(), headers => { Authorization => $value });
    my $name = substr($value =~ s/\Q$good\E/KEY/gr =~ s/([^ -~])/sprintf('\\x%02x', ord $1)/ger, 0, 40);
    is_deeply([$answer->{status}, (eval { Gate::from_json($answer->{body})->{error}{code} })], [$status, $code], "'$name': $status")
        or diag(Gate::brief($answer));
    is(calls() - $before, $status == 200 ? 1 : 0, "'$name': " . ($status == 200 ? 'one call' : 'no call') . ' of the provider');
}

$server->stop;
my $said = join('', map { $server->read_file($_) } qw(error_log access_log));
is_deeply([grep { index($said, substr($key{$_}{text}, 19, 11)) >= 0 } sort keys %key], [], 'no log has a key');
is(index($said, encode_base64('alice:river', '')), -1, 'nor a password');
done_testing();
