#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# methods.t - which methods does which path take, and what is served from the configuration?
#
# What is known (chat, embeddings, the list of models) takes its one method; every other path goes
# to the provider with the method, query and body that it came with.

use strict;
use warnings;

use Gate ();
use Test::More;

my $caller = Gate::caller_of('h1', 'core');

sub error_of { return eval { Gate::from_json($_[0]{body})->{error} } // {} }

sub truth_of { return (Gate::truths($_[0]{headers}{'x-request-id'}))[0] }

# What Allow says, sorted. httpd adds TRACE where the server has not said TraceEnable Off.
sub allowed
{
    return join(',', sort grep { $_ ne 'TRACE' } split /,\s*/, $_[0]{headers}{allow} // 'none');
}

# ------------------------------------------------------------------------------- methods, Allow

my $before = Gate::calls()->{total};
my %takes = (
    '/v1/chat/completions' => 'POST',
    '/v1/embeddings'       => 'POST',
    '/v1/models'           => 'GET,HEAD',
);
for my $path (sort keys %takes) {
    for my $method (qw(GET POST PUT PATCH DELETE HEAD OPTIONS TRACE PROPFIND BREW)) {
        next if grep { $method eq $_ } split /,/, $takes{$path};
        my $answer = $caller->request(method => $method, path => $path);
        my @bad;
        push @bad, "status $answer->{status}" unless $answer->{status} == 405;
        push @bad, 'Allow: ' . ($answer->{headers}{allow} // 'none')
            unless allowed($answer) eq $takes{$path};
        push @bad, 'code ' . (error_of($answer)->{code} // 'none')
            unless $method eq 'HEAD' || (error_of($answer)->{code} // '') eq 'method_not_allowed';
        ok(!@bad, "$method $path is refused") or diag("@bad");
    }
}
for my $method (qw(TRACE CONNECT)) {
    my $answer = $caller->request(method => $method, path => '/v1/files');
    cmp_ok($answer->{status}, '>=', 400, "$method is passed on to nobody");
}
is(Gate::calls()->{total}, $before, 'the provider heard of none of them');

# ------------------------------------------------------------------------------------- /v1/models

my $answer = $caller->request(path => '/v1/models');
is($answer->{status}, 200, 'the list of models');
is($answer->{headers}{'content-type'}, 'application/json', 'is JSON');
my $list = Gate::from_json($answer->{body});
is($list->{object}, 'list', 'and a list');
is_deeply([map { $_->{id} } @{ $list->{data} }],
          ['gpt-known', 'broken', 'o1', 'meta-llama/Llama-3'],
          'of the plain names that can be reached, in their order');
is_deeply([map { $_->{owned_by} } @{ $list->{data} }], [qw(sim refusing refusing sim)],
          'owned by their first targets');
for my $model (@{ $list->{data} }) {
    is_deeply([sort keys %$model], [qw(created id object owned_by)], "$model->{id}: its members");
    is($model->{object}, 'model', "$model->{id}: is a model");
    cmp_ok(abs($model->{created} - time), '<', 3600, "$model->{id}: since the start");
}
is($caller->request(path => '/v1/models?limit=1')->{body}, $answer->{body}, 'with a query, too');
my $head = $caller->request(method => 'HEAD', path => '/v1/models');
is_deeply([@$head{qw(status body)}], [200, ''], 'HEAD brings its head');
is($head->{headers}{'content-length'}, length $answer->{body}, 'with its length');

$answer = $caller->request(path => '/v1/models/gpt-known');
is_deeply([@{ Gate::from_json($answer->{body}) }{qw(id object owned_by)}],
          [qw(gpt-known model sim)], 'one model');
is(Gate::from_json($caller->request(path => '/v1/models/meta-llama/Llama-3')->{body})->{id},
   'meta-llama/Llama-3', 'one model with a slash');
is(Gate::from_json($caller->request(path => '/some/v1/models/o1-mini')->{body})->{id}, 'o1-mini',
   'one model that a pattern fits');
$answer = $caller->request(path => '/some/v1/models/claude%22x');
is($answer->{status}, 404, 'one that is not served');
is_deeply([@{ error_of($answer) }{qw(type code param)}],
          [qw(invalid_request_error model_not_found model)], 'is not found');
like(error_of($answer)->{message}, qr/'claude"x'/, 'by its name, in clean JSON');
is_deeply([map { $_->{id} } @{ Gate::from_json($caller->request(path => '/some/v1/models')->{body})->{data} }],
          ['gpt-known'], 'each location has its own list');
is_deeply(Gate::from_json($caller->request(path => '/none/v1/models')->{body}),
          { object => 'list', data => [] }, 'or an empty one');
is(Gate::calls()->{total}, $before, 'no provider was asked for any of it');

# ------------------------------------------------------------------------------- model_not_found

for my $case (['a model without a route', '/some/v1/chat/completions', 'gpt-unknown'],
              ['another case',            '/some/v1/chat/completions', 'GPT-known'],
              ['a part of a name',        '/some/v1/chat/completions', 'gpt-know'],
              ['a name and more',         '/some/v1/chat/completions', 'gpt-known2'],
              ['no routes at all',        '/none/v1/chat/completions', 'gpt-known'],
              ['quotes in the name',      '/some/v1/chat/completions', "a\"b\\c\xc3\xa4"],
              ['an unknown model elsewhere', '/some/v1/responses',     'gpt-unknown']) {
    my ($what, $path, $model) = @$case;
    utf8::decode($model);
    $answer = $caller->request(path => $path, body => Gate::chat(model => $model));
    is_deeply([$answer->{status}, @{ error_of($answer) }{qw(type code param)}],
              [404, qw(invalid_request_error model_not_found model)], "404: $what");
    like(error_of($answer)->{message}, qr/\Q'$model'\E/, "404: $what: by its name");
}
$answer = $caller->request(path => '/some/v1/files');
is_deeply([$answer->{status}, error_of($answer)->{code}], [404, 'not_found'],
          'a path without a model needs a route for "*"');
is(Gate::calls()->{total}, $before, 'the provider heard of none of them');
$answer = $caller->request(path => '/some/v1/chat/completions', body => Gate::chat(model => 'o1-x'));
is($answer->{status}, 200, 'a pattern serves what fits');
is(Gate::logged(id => $answer->{headers}{'x-request-id'})->{route}, 'o1-*', 'and is noted');

# -------------------------------------------------------------------------- every other path

my $blob = join('', map { chr } 0 .. 255) . "\r\n--sim\r\n" . 'x' x 70_000;
my @through = (
    # method, path, query, headers, body
    ['GET',    '/files',                  'limit=2&after=f%2D1&x'],
    ['GET',    '/files/file-abc/content', ''],
    ['HEAD',   '/files/file-abc',         ''],
    ['DELETE', '/files/file-abc',         ''],
    ['DELETE', '/models/ft-my-model',     ''],
    ['PUT',    '/things/1',               'a=b', '{"a":1}'],
    ['PATCH',  '/things/1',               '',    '{"a":1}'],
    ['POST',   '/threads',                '',    '{}'],
    ['POST',   '/batches/b-1/cancel',     '',    ''],
    ['OPTIONS', '/files',                 ''],
    ['PROPFIND', '/files',                ''],
    ['GET',    '/responses/resp_1',       'include[]=a&stream=true'],
    ['GET',    '/',                       ''],
    ['GET',    '/vector_stores/a+b~c:d@e!$&\'()*,;=', 'q=%20+%22'],
);
for my $case (@through) {
    my ($method, $path, $query, $body) = @$case;
    my $answer = $caller->request(method => $method, path => "/v1$path" . ($query && "?$query"),
                                  body => $body);
    my $truth = truth_of($answer);
    # The provider knows none of these ids.
    is($answer->{status}, $path =~ m{^/(?:files|batches)/} ? 404 : 200, "$method $path: answered");
    is_deeply([@$truth{qw(method path query body_bytes)}],
              [$method, "/v1$path", $query, length($body // '')], "$method $path: as it came");
}

$answer = $caller->request(method => 'POST', path => '/v1/files?purpose=x', body => $blob,
    headers => { 'Content-Type' => 'multipart/form-data; boundary=sim', 'X-Sim' => 'echo=1' });
my $truth = truth_of($answer);
is($truth->{body_bytes}, length $blob, 'an upload: every byte');
is(Gate::from_json($answer->{body})->{request}{headers}{'content-type'},
   'multipart/form-data; boundary=sim', 'an upload: its type');
is(Gate::logged(id => $truth->{id})->{attempts}, 1, 'an upload: one attempt');
my $chunked = $caller->request(method => 'POST', path => '/v1/files', body => $blob, chunked => 5000,
                               headers => { 'Content-Type' => 'application/octet-stream' });
is(truth_of($chunked)->{body_hash}, $truth->{body_hash}, 'an upload in chunks: the same bytes');

# An upload is never sent twice, whatever the routes say.
$answer = $caller->request(method => 'POST', path => '/twice/v1/files', body => $blob,
    headers => { 'Content-Type' => 'application/octet-stream', 'X-Sim' => 'status=503' });
is($answer->{status}, 503, 'an upload that fails, fails');
is(scalar(Gate::truths($answer->{headers}{'x-request-id'})), 1, 'and was sent once');

# Queries mean nothing to what is known, and may hold keys.
$answer = $caller->request(path => '/v1/chat/completions?api_key=sk-x&model=y', body => Gate::chat());
is(truth_of($answer)->{query}, '', 'a chat\'s query stays here');

# ------------------------------------------------------------------------------------- Responses

my $ask = Gate::to_json({ model => 'gpt-known', input => 'hello' });
$answer = $caller->request(path => '/v1/responses', body => $ask);
is($answer->{status}, 200, 'Responses: answered');
my $log = Gate::logged(id => $answer->{headers}{'x-request-id'});
$truth = truth_of($answer);
is_deeply([@$log{qw(model prompt completion source finish)}],
          ['gpt-known', @{ $truth->{told} }{qw(prompt completion)}, 'reported', 'stop'],
          'Responses: metered');
$answer = $caller->request(path => '/v1/responses',
    body => Gate::to_json({ model => 'gpt-known', input => 'hello', stream => JSON::PP::true() }));
like($answer->{headers}{'content-type'}, qr{^text/event-stream}, 'Responses: streamed');
$log = Gate::logged(id => $answer->{headers}{'x-request-id'});
$truth = truth_of($answer);
is_deeply([@$log{qw(model stream prompt completion source finish)}],
          ['gpt-known', 1, @{ $truth->{told} }{qw(prompt completion)}, 'reported', 'stop'],
          'Responses: metered in a stream');
$answer = $caller->request(path => '/v1/completions',
                           body => Gate::to_json({ model => 'gpt-known', prompt => 'hello' }));
$log = Gate::logged(id => $answer->{headers}{'x-request-id'});
is_deeply([@$log{qw(prompt completion source)}],
          [@{ truth_of($answer)->{told} }{qw(prompt completion)}, 'reported'],
          'old completions: metered');
$answer = $caller->request(path => '/v1/embeddings',
                           body => Gate::to_json({ model => 'gpt-known', input => 'hello' }));
$log = Gate::logged(id => $answer->{headers}{'x-request-id'});
is_deeply([@$log{qw(prompt completion source)}],
          [truth_of($answer)->{told}{prompt}, 0, 'reported'], 'embeddings: metered');

# ------------------------------------------------------------------------------- /v1 written twice

for my $path ('/v1/v1/chat/completions', '/v1/v1/v1/chat/completions') {
    $answer = $caller->request(path => $path, body => Gate::chat(model => 'gpt-known'));
    is($answer->{status}, 200, "$path: served");
    is(truth_of($answer)->{path}, '/v1/chat/completions', "$path: as if written once");
}
is($caller->request(path => '/v1/v1/models')->{status}, 200, '/v1/v1/models: served');
$answer = $caller->request(path => '/v1/v1files');
is(truth_of($answer)->{path}, '/v1/v1files', 'but only the whole word');

done_testing();
