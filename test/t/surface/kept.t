#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# kept.t - does what one provider keeps stay with that provider?

use strict;
use warnings;

use Form ();
use Gate ();
use Test::More;

my $caller = Gate::caller_of('h1', 'surface');

sub id_of    { return $_[0]{headers}{'x-request-id'} }
sub log_of   { return Gate::logged(id => id_of($_[0])) }
sub json_of  { return eval { Gate::from_json($_[0]{body}) } // {} }

sub ask
{
    my ($method, $path, $body, %headers) = @_;
    return $caller->request(method => $method, path => $path, body => $body, headers => \%headers);
}

# ------------------------------------------------------------------------------ a file's life

my $lines = join('', map { qq({"custom_id":"r-$_"}\r\n) } 1 .. 500) . "\0\xff";
my $form  = Form::body(purpose => 'batch', file => ['in.jsonl', $lines]);
my $answer = ask('POST', '/kept/v1/files', $form, Form::type());
my $file   = json_of($answer)->{id} // 'none';
is_deeply([$answer->{status}, @{ json_of($answer) }{qw(object bytes filename purpose)}],
          [200, 'file', length $lines, 'in.jsonl', 'batch'], 'uploaded');
is_deeply([@{ log_of($answer) }{qw(target attempts route)}], ['surface-sim', 1, '*'],
          'to the first target that speaks the API');
is(json_of(ask('GET', "/kept/v1/files/$file"))->{id}, $file, 'told');
$answer = ask('GET', "/kept/v1/files/$file/content");
is($answer->{body}, $lines, 'given, every byte');
is($answer->{headers}{'content-type'}, 'application/octet-stream', 'as what it is');
$answer = ask('GET', '/kept/v1/files?purpose=batch&limit=2');
ok((grep { $_->{id} eq $file } @{ json_of($answer)->{data} }), 'listed');
is((Gate::truths(id_of($answer)))[0]{query}, 'purpose=batch&limit=2', 'the query goes with it');
is(log_of($answer)->{finish}, 'stop', 'a list is an answer');

my $batch = json_of(ask('POST', '/kept/v1/batches', Gate::to_json(
    { input_file_id => $file, endpoint => '/v1/chat/completions', completion_window => '24h' })));
is_deeply([@$batch{qw(object status input_file_id)}], ['batch', 'validating', $file],
          'a batch is made of it');
is(json_of(ask('GET', "/kept/v1/batches/$batch->{id}"))->{id}, $batch->{id}, 'told');
is(json_of(ask('POST', "/kept/v1/batches/$batch->{id}/cancel", ''))->{status}, 'cancelling',
   'cancelled');
is(json_of(ask('GET', '/kept/v1/batches'))->{data}[0]{id}, $batch->{id}, 'listed');

# Ranges and conditions are not the provider's here; the answer is right all the same.
for my $header (['Range', 'bytes=10-19'], ['Range', 'bytes=-5'], ['If-None-Match', '*'],
                ['If-Modified-Since', 'Thu, 01 Jan 2037 00:00:00 GMT']) {
    $answer = ask('GET', "/kept/v1/files/$file/content", undef, @$header);
    my $want = $answer->{status} == 206 ? ("@$header" =~ /10-19/ ? substr($lines, 10, 10)
                                                                 : substr($lines, -5))
                                        : $lines;
    ok($answer->{status} =~ /^20[06]$/ && $answer->{body} eq $want, "@$header does no harm")
        or diag(Gate::brief($answer));
}
$answer = ask('GET', "/kept/v1/files/$file", undef, 'X-Sim' => 'status=304');
is_deeply([@$answer{qw(status body)}], [304, ''], 'a 304 of the provider\'s passes');

is(json_of(ask('DELETE', "/kept/v1/files/$file"))->{deleted}, $JSON::PP::true, 'deleted');
is(ask('GET', "/kept/v1/files/$file")->{status}, 404, 'and gone');

# ------------------------------------------------------------------------------ whose it is

$answer = ask('GET', '/kept/v1/files', undef, 'anthropic-version' => '2023-06-01');
is_deeply([@{ log_of($answer) }{qw(target attempts)}], ['surface-claude', 1],
          'files of Anthropic\'s go to the first target that speaks its API');
for my $path ('/fine_tuning/jobs', '/assistants', '/vector_stores', '/conversations', '/evals') {
    $answer = ask('POST', "/kept/v1$path", '{"model":"other-1","training_file":"file-1"}');
    is_deeply([@{ log_of($answer) }{qw(target route model attempts)}],
              ['surface-sim', '*', 'other-1', 1], "$path: whatever model is named");
}
$answer = ask('POST', '/kept/v1/things', '{"model":"other-1"}');
is(log_of($answer)->{target}, 'surface-second', 'other paths go by the model');
is(ask('GET', '/named/v1/files')->{status}, 404, 'there must be a route for "*"');

# ------------------------------------------------------------------------------ tried again

for my $case (['GET', '/files', 3], ['GET', '/batches/b', 3], ['GET', '/responses/resp_1', 3],
              ['GET', '/things', 3], ['HEAD', '/files', 3], ['POST', '/files', 1],
              ['DELETE', '/files/f', 1], ['POST', '/batches', 1], ['POST', '/responses/r/cancel', 1],
              ['POST', '/things', 1]) {
    my ($method, $path, $tries) = @$case;
    my $where = $path eq '/things' ? '/kept-sim' : '/kept';
    $answer = ask($method, "$where/v1$path", $method eq 'POST' ? '{}' : undef,
                  'X-Sim' => 'status=503');
    is_deeply([$answer->{status}, @{ log_of($answer) }{qw(target attempts)}],
              [503, 'surface-sim', $tries], "$method $path: $tries at one target");
}
my $key = Gate::mark();
$answer = ask('GET', '/kept/v1/files', undef, 'X-Sim' => "status=503;fail=2;key=$key");
is_deeply([$answer->{status}, log_of($answer)->{attempts}], [200, 3], 'the third is good');

# ------------------------------------------------------------------------------ what it speaks of

my @speaks = (
    ['/responses', { model => 'm', input => 'x', previous_response_id => 'resp_1' }],
    ['/responses', { model => 'm', input => 'x', conversation => 'conv_1' }],
    ['/responses', { prompt => { id => 'pmpt_1' } }],
    ['/responses', { model => 'm', input => [{ type => 'item_reference', id => 'msg_1' }] }],
    ['/responses', { model => 'm', stream => JSON::PP::true(), input => [{ role => 'user', content =>
        [{ type => 'input_file', file_id => 'file-1' }] }] }],
    ['/chat/completions', { model => 'm', messages => [{ role => 'user', content =>
        [{ type => 'file', file => { file_id => 'file-1' } }] }] }],
);
for my $case (@speaks) {
    my ($path, $ask) = @$case;
    my $body = Gate::to_json($ask);
    $answer = ask('POST', "/two/v1$path", $body, 'X-Sim' => 'status=503');
    is_deeply([$answer->{status}, @{ log_of($answer) }{qw(target attempts)}],
              [503, 'surface-sim', 1], "$body: no other target is asked");
    $key = Gate::mark();
    $answer = ask('POST', "/kept/v1$path", $body, 'X-Sim' => "status=503;fail=1;key=$key");
    is_deeply([@{ log_of($answer) }{qw(target attempts)}], ['surface-sim', 2],
              'the same one is, again');
}
for my $case (['/responses', { model => 'm', input => 'previous_response_id "file_id" x',
                               previous_response_id => undef }],
              ['/chat/completions', { model => 'm', messages => [{ role => 'user', content =>
                  'what is {"file_id":1}?' }] }]) {
    my ($path, $ask) = @$case;
    $answer = ask('POST', "/two/v1$path", Gate::to_json($ask), 'X-Sim' => 'status=503');
    is_deeply([$answer->{status}, log_of($answer)->{target}], [200, 'surface-second'],
              "$path: nothing that is kept: another target answers");
}

done_testing();
