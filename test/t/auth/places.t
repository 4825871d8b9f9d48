#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# places.t - who gets in, wherever the key stands, over HTTP/1.1 and HTTP/2?
#
# The matrix of callers and of the places where SDKs put a key. What the caller is told is in his
# own dialect; what he is, is in the log; and the provider gets the target's key, never the caller's.

use strict;
use warnings;

use AuthServer ();
use Gate ();
use H2 ();
use JSON::PP ();
use Keys ();
use MIME::Base64 qw(encode_base64);
use Test::More;

my %key = (
    good     => Keys::make(name => 'ada', user => 'ada', tenant => 'acme/red/ada', tier => 'gold'),
    bare     => Keys::make(),
    disabled => Keys::make(disabled => JSON::PP::true()),
    expired  => Keys::make(expires => '2020-01-01T00:00:00Z'),
    early    => Keys::make(not_before => '2100-01-01'),
    away     => Keys::make(sources => ['192.0.2.0/24']),
    near     => Keys::make(sources => ['192.0.2.0/24', '127.0.0.0/8']),
    small    => Keys::make(models => ['small-*'], models_denied => ['small-secret*']),
    chats    => Keys::make(endpoints => ['chat', 'models']),
    passes   => Keys::make(models => ['small-*'], endpoints => ['chat', 'files']),
);
my $unknown = Keys::make();

my $server = AuthServer->new([values %key], <<'END');
Protocols h2c http/1.1
<Location /v1>
    AIEngine On
    Require ai-key
    AIRoute small-1 sim
    AIRoute small-secret-2 sim
    AIRoute large sim
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
END

# Who (text of the key), status, code.
my @callers = (
    ['no key',              undef,                         401, 'invalid_api_key'],
    ['a key',               $key{good}{text},              200],
    ['a key, said no more', $key{bare}{text},              200],
    ['a wrong secret',      Keys::forged($key{good}),      401, 'invalid_api_key'],
    ['a slip of the pen',   Keys::broken($key{good}),      401, 'malformed_api_key'],
    ['half a key',          substr($key{good}{text}, 0, 40), 401, 'malformed_api_key'],
    ['a prefix alone',      'sk-ai-',                      401, 'malformed_api_key'],
    ['a key and more',      "$key{good}{text}x",           401, 'malformed_api_key'],
    ['a very long key',     "$key{good}{text}" . 'x' x 5000, 401, 'malformed_api_key'],
    ['no UTF-8',            "sk-ai-\xff\xfe\xc3",          401, 'malformed_api_key'],
    ['an unknown key',      $unknown->{text},              401, 'invalid_api_key'],
    ['a disabled key',      $key{disabled}{text},          401, 'key_disabled'],
    ['an expired key',      $key{expired}{text},           401, 'key_expired'],
    ['a key too early',     $key{early}{text},             401, 'key_not_yet_valid'],
    ['a wrong source',      $key{away}{text},              401, 'key_source_denied'],
    ['a right source',      $key{near}{text},              200],
    ['a forbidden model',   $key{small}{text},             403, 'model_not_allowed'],
    ['an allowed endpoint', $key{chats}{text},             200],
    ['a foreign key',       'sk-proj-somebody-elses',      401, 'invalid_api_key'],
);
# Each way of sending it: headers, query; what path and dialect.
my $openai    = ['/chat/completions', sub { Gate::chat(model => $_[0]) }];
my $anthropic = ['/messages', sub { Gate::to_json({ model => $_[0], max_tokens => 16,
                                     messages => [{ role => 'user', content => 'Hello' }] }) }];
my %place = (
    'Authorization'        => [$openai,    sub { +{ Authorization => "Bearer $_[0]" } }],
    'bearer, oddly'        => [$openai,    sub { +{ authorization => "bEARER \t $_[0] " } }],
    'x-api-key'            => [$anthropic, sub { +{ 'x-api-key' => $_[0] } }],
    'api-key'              => [$openai,    sub { +{ 'api-key' => $_[0] } }],
    'x-goog-api-key'       => [$openai,    sub { +{ 'x-goog-api-key' => $_[0] } }],
    'cf-aig-authorization' => [$openai,    sub { +{ 'cf-aig-authorization' => "Bearer $_[0]" } }],
    'sub-protocol'         => [$openai,    sub { +{ 'Sec-WebSocket-Protocol' =>
                                                    "realtime, openai-insecure-api-key.$_[0], other" } }],
    'query'                => [$openai,    undef],
);

# The error of an answer in whatever dialect: its type and code.
sub error_of
{
    my ($answer, $anthropic) = @_;
    my $body = eval { Gate::from_json($answer->{body}) } // {};
    return ($body->{type} // '') eq 'error' ? 'anthropic' : '', ref $body->{error} ? $body->{error} : {};
}

sub escaped { return $_[0] =~ s/([^\w.-])/sprintf('%%%02X', ord $1)/ger }

for my $proto ('h1', 'h2') {
    my $caller = $proto eq 'h1' ? $server->caller : $server->h2;
    for my $name (sort keys %place) {
        my ($dialect, $headers) = @{ $place{$name} };
        my ($path, $body) = @$dialect;
        my @bad;
        for my $row (@callers) {
            my ($who, $text, $status, $code) = @$row;
            next if $who eq 'no UTF-8' && $proto eq 'h2' && $name eq 'query';
            my %headers = (defined $text && $headers ? %{ $headers->($text) } : (),
                           $path eq '/messages' ? ('anthropic-version' => '2023-06-01') : ());
            my $query = defined $text && !$headers ? '?a=1&key=' . escaped($text) . '&b=2' : '';
            my $answer = $caller->request(path => "/v1$path$query", headers => \%headers, body => $body->('large'));
            my ($shape, $error) = error_of($answer);
            my $is = join(' ', $answer->{status}, $answer->{status} == 200 ? () :
                          $shape eq 'anthropic' ? $error->{type} : $error->{code} // 'none');
            my $want = join(' ', $status, $status == 200 ? () : $path eq '/messages'
                          ? { 401 => 'authentication_error', 403 => 'permission_error' }->{$status} : $code);
            push @bad, "$who: $is, not $want" if $is ne $want;
        }
        is_deeply(\@bad, [], "$proto, $name: each of " . @callers . ' callers gets what is right');
    }
}

# ------------------------------------------------------------------------- what is said and noted

my $caller = $server->caller;

sub post
{
    my ($text, %o) = @_;
    return $caller->request(path => ($o{place} // '') . ($o{path} // '/v1/chat/completions'), method => $o{method},
                            headers => { ($text ? (Authorization => "Bearer $text") : ()), %{ $o{headers} // {} } },
                            body => exists $o{body} ? $o{body} : Gate::chat(model => $o{model} // 'large'));
}

sub code_of { return (eval { Gate::from_json($_[0]{body})->{error}{code} }) // '' }

my $answer = post($key{good}{text});
my $line = $server->logged($answer);
is_deeply([@$line{qw(u key user tenant tier)}], ['ada', $key{good}{id}, 'ada', 'acme/red/ada', 'gold'],
          'the log has user, key id, tenant and tier');
is_deeply([@{ $server->logged(post($key{bare}{text})) }{qw(u key user tenant tier)}],
          [$key{bare}{id}, $key{bare}{id}, '-', '-', '-'], 'a key that says no more is its id');
is((Gate::truths($answer->{headers}{'x-request-id'}))[0]{key_tail}, 'Kx7Q', 'the provider gets the key of the target');

$answer = post(undef);
is($answer->{headers}{'www-authenticate'}, 'Bearer realm="ai"', 'who has no key is asked for one');
$answer = post(Keys::forged($key{good}));
is($answer->{headers}{'www-authenticate'}, 'Bearer realm="ai", error="invalid_token"', 'who has a bad one is told');
is($server->logged($answer)->{deny}, 'invalid_api_key', 'and the log says why');
is($server->logged($answer)->{key}, '-', 'but names nobody');
like($server->said, qr/AI0205: key $key{good}{id}: invalid_api_key/, 'which the error log does');

# ------------------------------------------------------------------------------ two keys, two logins

my $other = $key{bare}{text};
is(code_of(post($key{good}{text}, headers => { 'x-api-key' => $other })), 'ambiguous_key', 'two keys: refused');
is(post($key{good}{text}, headers => { 'x-api-key' => $key{good}{text} })->{status}, 200, 'the same key twice: served');
is(code_of(post("$key{good}{text}, Bearer $other")), 'ambiguous_key', 'two keys in one header: refused');
is(code_of(post($key{good}{text}, path => "/v1/chat/completions?key=$other")), 'ambiguous_key', 'one in the query: refused');
is(code_of(post($key{good}{text}, headers => { 'x-api-key' => 'sk-ai-x' })), 'ambiguous_key', 'a good and a damaged one: refused');
is(post($key{good}{text}, headers => { 'x-api-key' => 'sk-ant-theirs' })->{status}, 200, 'a foreign one beside it: served');
is(post($key{good}{text}, place => '/open')->{status}, 200, 'where anybody may call, a key is good');
is(post(undef, place => '/open')->{status}, 200, 'and so is none');
is(code_of(post(Keys::forged($key{good}), place => '/open')), 'invalid_api_key', 'but not a bad one');
is(code_of(post($key{small}{text}, place => '/open')), 'model_not_allowed', 'and what a key may not do it may not there');

my %basic = (Authorization => 'Basic ' . encode_base64('alice:river', ''));
is(post(undef, place => '/basic', headers => \%basic)->{status}, 200, 'Basic: served');
is(post(undef, place => '/basic', headers => { Authorization => 'Basic ' . encode_base64('alice:x', '') })->{status}, 401,
   'Basic, wrong: refused');
is(post($key{good}{text}, place => '/basic')->{status}, 200, 'a key where Basic is said: served');
is(post(undef, place => '/basic')->{headers}{'www-authenticate'}, 'Basic realm="auth"', 'nobody: Basic asks');
is($server->logged(post(undef, place => '/basic', headers => { %basic, 'x-api-key' => $key{good}{text} }))->{u}, 'ada',
   'both: the key is who it is');
is(post(undef, place => '/basic', headers => { %basic, 'x-api-key' => Keys::forged($key{good}) })->{status}, 401,
   'both, and the key is bad: refused');

# ---------------------------------------------------------------------------- what a key may do

is(post($key{small}{text}, model => 'small-1')->{status}, 200, 'a model it may use');
$answer = post($key{small}{text}, model => 'SMALL-SECRET-2');
is_deeply([$answer->{status}, code_of($answer)], [403, 'model_not_allowed'], 'a denied one, in whatever case');
is(Gate::from_json($answer->{body})->{error}{param}, 'model', 'the refusal names the field');
$answer = post($key{small}{text}, path => '/v1/files', body => undef);
is_deeply([$answer->{status}, code_of($answer)], [403, 'model_not_allowed'], 'a request without a model may reach any: refused');
is_deeply([map { code_of(post($key{small}{text}, path => $_, model => 'small-1')) } '/v1/batches', '/v1/unknown/path'],
          [('model_not_allowed') x 2], 'also when its body names one that nobody has to obey');
is(post($key{passes}{text}, path => '/v1/files', body => undef)->{status}, 200, 'unless the key names the endpoint');
$answer = post($key{chats}{text}, path => '/v1/embeddings', body => Gate::to_json({ model => 'm', input => 'x' }));
is_deeply([$answer->{status}, code_of($answer)], [403, 'endpoint_not_allowed'], 'an endpoint it may not use');

# The request would be run again in HTTP/2, and its key is gone from its headers by then.
$answer = $server->caller->request(path => '/v1/models', headers => {
    'x-api-key' => $key{good}{text}, Connection => 'Upgrade, HTTP2-Settings', Upgrade => 'h2c',
    'HTTP2-Settings' => 'AAMAAABkAAQCAAAAAAIAAAAA' });
is($answer->{status}, 200, 'who offers to go on in HTTP/2 (h2c) is answered as he came');

sub models { return join(' ', map { $_->{id} } @{ Gate::from_json(post($_[0], path => '/v1/models', body => undef)->{body})->{data} }) }
is(models($key{good}{text}), 'small-1 small-secret-2 large', 'the list of models');
is(models($key{small}{text}), 'small-1', 'is of those that the key may use');
is(post($key{small}{text}, path => '/v1/models/small-1', body => undef)->{status}, 200, 'one of them');
is(code_of(post($key{small}{text}, path => '/v1/models/large', body => undef)), 'model_not_allowed', 'one that is not');
is(code_of(post($key{small}{text}, path => '/v1/models/large', body => undef, method => 'DELETE')), 'model_not_allowed',
   'nor may it be deleted');

done_testing();
