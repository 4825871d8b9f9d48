#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# headers.t - which headers pass the gateway, in either direction?
#
# Up: what the allow-list names, the target's key, our own id, and nothing else, whatever the site
# or the caller says.  Down: nothing that speaks of the provider's connection to us or our account.

use strict;
use warnings;

use Gate ();
use Test::More;

my $caller = Gate::caller_of('h1', 'core');
my $sim    = '127.0.0.1:' . Gate::sim_port();

# What the provider got: names and values of the headers.
sub seen
{
    my ($answer) = @_;
    my $body = Gate::from_json($answer->{body});
    return $body->{request}{headers} if $body->{request};
    my $echo = $body->{choices}[0]{message}{content};
    utf8::encode($echo);
    return Gate::from_json($echo)->{headers};
}

# What no provider may ever see, with a value to look for.
my %never = (
    'Authorization'       => 'Bearer sk-caller-canary',
    'Proxy-Authorization' => 'Basic caller-canary',
    'Cookie'              => 'session=caller-canary',
    'x-api-key'           => 'caller-canary-1',
    'api-key'             => 'caller-canary-2',
    'x-goog-api-key'      => 'caller-canary-3',
    'X-Auth-Token'        => 'caller-canary-4',
    'x-amz-security-token' => 'caller-canary-5',
    'OpenAI-Organization' => 'org-caller-canary',
    'OpenAI-Project'      => 'proj-caller-canary',
    'X-Forwarded-For'     => '10.1.1.1, caller-canary',
    'X-Forwarded-Host'    => 'caller-canary.invalid',
    'X-Forwarded-Proto'   => 'caller-canary',
    'X-Forwarded-Server'  => 'caller-canary',
    'X-Real-IP'           => '10.1.1.1',
    'Forwarded'           => 'for=caller-canary',
    'Via'                 => '1.1 caller-canary',
    'Referer'             => 'http://caller-canary.invalid/',
    'Origin'              => 'http://caller-canary.invalid',
    'X-Internal-User'     => 'caller-canary',
    'ai-key-id'           => 'caller-canary',
    'ai-request-id'       => 'caller-canary',
    'x-request-id'        => 'caller-canary',
    'x-portkey-custom-host' => 'http://caller-canary.invalid',
    'x-portkey-api-key'   => 'caller-canary',
    'cf-aig-authorization' => 'caller-canary',
    'helicone-auth'       => 'caller-canary',
    'If-None-Match'       => '"caller-canary"',
    'Cache-Control'       => 'no-cache',
    'Accept-Encoding'     => 'gzip, br',
    'X-Sim-Not'           => 'caller-canary',
    'traceparent'         => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', # as it is
);
my %always = (
    'Accept'          => 'application/json',
    'User-Agent'      => 'OpenAI/Python 1.2.3',
    'Idempotency-Key' => 'idem-1',
    'tracestate'      => 'a=b',
    'OpenAI-Beta'     => 'assistants=v2',
    'anthropic-version' => '2023-06-01',
    'x-stainless-lang' => 'python',
    'X-Sim'           => 'echo=1',
);
my %ours = map { $_ => 1 } qw(host content-type content-length accept-encoding authorization
                              x-request-id traceparent connection);

for my $place ('/v1', '/preserve/v1') {
    for my $path ('/chat/completions', '/things') {
        my $answer = $caller->request(path => "$place$path", body => Gate::chat(),
                                      headers => { %never, %always });
        is($answer->{status}, 200, "$place$path: answered");
        my $seen  = seen($answer);
        my %right = (%ours, map { lc $_ => 1 } keys %always);
        is_deeply([grep { !$right{$_} } sort keys %$seen], [], "$place$path: nothing else goes up");
        is_deeply([grep { !exists $seen->{$_} } sort grep { $_ ne 'connection' } keys %right], [],
                  "$place$path: all that may go up does");
        is_deeply([grep { $seen->{lc $_} ne $always{$_} } sort keys %always], [],
                  "$place$path: as it was");
        unlike(join("\n", %$seen), qr/caller-canary|site-secret|10\.1\.1\.1|9\.9\.9\.9/,
               "$place$path: no value in disguise");
        is($seen->{authorization}, 'Bearer sk-provider-canary-Kx7Q', "$place$path: the target's key");
        is($seen->{host}, $sim, "$place$path: the target's name");
        is($seen->{'accept-encoding'}, 'identity', "$place$path: we read along");
        is($seen->{'x-request-id'}, $answer->{headers}{'x-request-id'}, "$place$path: our id");
    }
}

# A target without a key gets none, least of all the caller's.
my $bare = $caller->request(path => '/keyless/v1/chat/completions', body => Gate::chat(),
                            headers => { %never, %always });
is_deeply([grep { !$ours{$_} && !exists { map { lc $_ => 1 } keys %always }->{$_} || $_ eq 'authorization' }
           sort keys %{ seen($bare) }], [], 'no key of its own: none goes up');

# What the truth log says is by names alone, for a stream as well.
my $answer = $caller->request(path => '/v1/chat/completions', body => Gate::chat(stream => 1),
                              headers => { %never });
my ($truth) = Gate::truths($answer->{headers}{'x-request-id'});
is_deeply([grep { !$ours{$_} } @{ $truth->{header_names} }], [], 'streamed: nothing else goes up');
is($truth->{key_tail}, 'Kx7Q', 'streamed: the target\'s key');

# Names that a reader might take for one that passes, and headers that a connection names.
my @odd = ('Accept ', 'User_Agent', 'x-stainles', 'xx-stainless-a', 'Content-Typ', 'Traceparent2');
$answer = $caller->request(path => '/v1/chat/completions', body => Gate::chat(),
    headers => { 'X-Sim' => 'echo=1', 'Connection' => 'keep-alive, Accept, X-Internal-User',
                 (map { $_ => 'caller-canary' } grep { !/ $/ } @odd) });
is($answer->{status}, 200, 'near misses: answered');
unlike(join("\n", %{ seen($answer) }), qr/caller-canary/, 'near misses do not pass');

# Two of a kind.
$caller->connect;
@$caller{qw(method answer began)} = ('POST', undef, time);
my $body = Gate::chat();
$caller->send_raw("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
    . "Content-Type: application/json\r\nAuthorization: Bearer caller-canary\r\n"
    . "authorization: Bearer caller-canary\r\nAUTHORIZATION : x\r\nX-Sim: echo=1\r\n"
    . 'Content-Length: ' . length($body) . "\r\n\r\n$body");
my $double = $caller->finish;
if ($double->{status} == 200) {
    is(seen($double)->{authorization}, 'Bearer sk-provider-canary-Kx7Q', 'a header twice: the key alone');
}
else {
    is($double->{status}, 400, 'a header with a space before the colon is no request');
}
$caller->close;

# Range means something for GET alone (RFC 9110, 14.2): half a JSON answer serves nobody.
my $part = $caller->request(path => '/v1/chat/completions', body => Gate::chat(),
                            headers => { Range => 'bytes=0-3', 'X-Sim' => 'echo=1' });
is($part->{status}, 200, 'Range is no matter for a POST');
ok(!exists seen($part)->{range}, 'and does not go up') if $part->{status} == 200;

# --------------------------------------------------------------------------------------- down

my %kept = ('x-provider-fact' => 12, 'x-provider-limit' => 99,
            'ai-provider-request-id' => 'req_provider');
my @gone = qw(set-cookie alt-svc strict-transport-security openai-organization nel report-to);
for my $case (['plain', {}, Gate::chat()], ['streamed', {}, Gate::chat(stream => 1)],
              ['an error', { 'X-Sim' => 'status=400' }, Gate::chat()],
              ['an error of a stream', { 'X-Sim' => 'status=404' }, Gate::chat(stream => 1)],
              ['passed through', {}, '{}', '/chatty/v1/things'],
              ['the last failure', { 'X-Sim' => 'status=429' }, Gate::chat()]) {
    my ($what, $headers, $ask, $path) = @$case;
    my $got = $caller->request(path => $path // '/chatty/v1/chat/completions', body => $ask,
                               headers => $headers);
    my $head = $got->{headers};
    is_deeply([grep { defined $head->{$_} } @gone], [], "$what: no cookie, no word of our account");
    like($head->{'x-request-id'} // '', qr/^[0-9a-f-]{36}$/, "$what: our id");
    is($head->{'ai-provider-request-id'}, 'req_provider', "$what: the provider's id has another name");
    is_deeply([grep { ($head->{$_} // '') !~ /\b$kept{$_}\b/ } sort keys %kept], [],
              "$what: what helps a caller stays") unless $what eq 'the last failure';
    is(scalar(grep { /^x-request-id:/i } @{ $got->{lines} }), 1, "$what: the id once");
}

# What is no id is nobody's.
for my $script ('', 'status=400', 'status=429') {
    my $got = $caller->request(path => '/nameless/v1/chat/completions', body => Gate::chat(),
                               headers => { 'X-Sim' => $script });
    ok(!exists $got->{headers}{'ai-provider-request-id'}, "an id with a space, $script: not passed on");
}

# A site that overrides its proxies' errors (ProxyErrorOverride) does not change the provider's.
$answer = $caller->request(path => '/preserve/v1/chat/completions', body => Gate::chat(),
                           headers => { 'X-Sim' => 'status=404' });
is($answer->{status}, 404, 'an error of the provider\'s: its status');
is(Gate::from_json($answer->{body})->{error}{code}, 'model_not_found', 'and its own words');

done_testing();
