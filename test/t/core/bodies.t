#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# bodies.t - how much may a caller send, and in which form?

use strict;
use warnings;

use Compress::Zlib qw(memGzip);
use Gate ();
use OwnServer ();
use Test::More;

my $caller = Gate::caller_of('h1', 'core');
my $chat   = '/chat/completions';

# A chat request of so many bytes.
sub sized
{
    my ($n) = @_;
    my $bare = length Gate::chat(text => '');
    return Gate::chat(text => 'x' x ($n - $bare));
}

sub error_of { return eval { Gate::from_json($_[0]{body})->{error} } // {} }

sub is_too_large
{
    my ($answer, $what) = @_;
    is($answer->{status}, 413, "$what: 413");
    is($answer->{headers}{'content-type'}, 'application/json', "$what: JSON");
    is(error_of($answer)->{code}, 'request_too_large', "$what: code");
    is(error_of($answer)->{type}, 'invalid_request_error', "$what: type");
    return;
}

# ------------------------------------------------------------------------------- AIBodyLimit 2k

is(length sized(2048), 2048, 'the request is of the size that is meant');
is($caller->request(path => "/limit/v1$chat", body => sized(2048))->{status}, 200,
   'as long as the limit');
is($caller->request(path => "/limit/v1$chat", body => sized(2048), chunked => 100)->{status}, 200,
   'as long as the limit, in chunks');

my $before = Gate::calls()->{total};
my $answer = $caller->request(path => "/limit/v1$chat", body => sized(2049));
is_too_large($answer, 'one byte more');
like(error_of($answer)->{message}, qr/\b2048 bytes/, 'it says how long it may be');
is(Gate::logged(id => $answer->{headers}{'x-request-id'})->{deny}, 'request_too_large', 'noted');
is_too_large($caller->request(path => "/limit/v1$chat", body => sized(2049), chunked => 100),
             'one byte more, in chunks');
is_too_large($caller->request(path => '/limit/v1/files', body => 'x' x 2049,
                              headers => { 'Content-Type' => 'application/octet-stream' }),
             'passed through, too');
is($caller->request(path => "/limit/v1$chat", body => sized(2048))->{status}, 200,
   'and then a right one');

# Before the first byte of the upload, which nobody asked for.
my $eager = Gate::caller_of('h1', 'core');
$eager->ask(path => "/limit/v1$chat", body => sized(2049), expect => 1,
            headers => { Expect => '100-continue' });
is_too_large($eager->finish, 'announced by Content-Length and not sent');
$eager->close;

# An upload without end is cut off at the limit: the answer comes while we could still be sending.
my $endless = Gate::caller_of('h1', 'core');
$endless->ask(path => "/limit/v1$chat", body => '', chunked => 1, expect => 1);
for (1 .. 5) {
    $endless->send_raw("400\r\n" . 'x' x 1024 . "\r\n");
}
is_too_large($endless->finish, 'an upload that does not end');
is($endless->{answer}{headers}{connection}, 'close', 'and its connection is closed');
$endless->close;

# With a right size 100 Continue does come, and the answer after it.
my $polite = Gate::caller_of('h1', 'core');
$polite->ask(path => "/limit/v1$chat", body => sized(500), expect => 1,
             headers => { Expect => '100-continue' });
is($polite->head->{status}, 100, 'a right size is asked for');
$polite->{answer} = undef;
$polite->send_raw(sized(500));
is($polite->finish->{status}, 200, 'and served');
is(Gate::calls()->{total}, $before + 2, 'the provider heard only of what was right');

# --------------------------------------------------------------------------------- broken uploads

my $mark = Gate::mark();
my $broken = Gate::caller_of('h1', 'core');
$broken->ask(path => "/v1$chat", body => sized(500), expect => 1, headers => { 'X-Mark' => $mark });
$broken->send_raw(substr(sized(500), 0, 250));
$broken->close;
isnt(Gate::logged(mark => $mark)->{status}, 200, 'half an upload is no request');
$broken = Gate::caller_of('h1', 'core');
$broken->ask(path => "/v1$chat", body => '', chunked => 1, expect => 1);
$broken->send_raw("zz\r\n{}\r\n0\r\n\r\n");
$answer = $broken->finish;
is($answer->{status}, 400, 'a chunk whose length is no number');
is($answer->{headers}{'content-type'}, 'application/json', 'is answered in JSON');
$broken->close;
is(Gate::calls()->{total}, $before + 2, 'the provider heard of neither');

# ------------------------------------------------------------------------------------ compression

my $zipped = memGzip(Gate::chat(text => 'zipped ' x 20));
$answer = $caller->request(path => "/v1$chat", body => $zipped,
                           headers => { 'Content-Encoding' => 'gzip' });
is($answer->{status}, 415, 'compressed: 415');
is(error_of($answer)->{code}, 'unsupported_encoding', 'compressed: code');
is($caller->request(path => "/v1$chat", body => Gate::chat(),
                    headers => { 'Content-Encoding' => 'identity' })->{status}, 200,
   'identity is no compression');
$answer = $caller->request(path => "/inflate/v1$chat", body => $zipped,
                           headers => { 'Content-Encoding' => 'gzip', 'X-Sim' => 'echo=1' });
is($answer->{status}, 200, 'inflated by the site: served');
my $seen = Gate::from_json(Gate::from_json($answer->{body})->{choices}[0]{message}{content});
is($seen->{body}, Gate::chat(text => 'zipped ' x 20), 'the provider gets it inflated');
is($seen->{headers}{'content-encoding'}, undef, 'and is not told otherwise');
is($seen->{headers}{'content-length'}, length $seen->{body}, 'with the right length');
my $bomb = memGzip(Gate::chat(text => 'x' x 8_000));
cmp_ok(length $bomb, '<', 4096, 'small on the wire');
is_too_large($caller->request(path => "/inflate/v1$chat", body => $bomb,
                              headers => { 'Content-Encoding' => 'gzip' }),
             'too long once it is inflated');

# ---------------------------------------------------------------------------------- AIBodyMemory

my $server = OwnServer->new(conf => <<"END");
AIBodyMemory 64k
<AITarget sim>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
</AITarget>
<Location /v1>
    AIEngine On
    AIAnonymous On
    AIBodyLimit 48k
    AIRoute * sim
</Location>
END

# Two uploads of 40000 bytes do not fit into 64k together.
my ($first, $second, $third) = map { $server->caller } 1 .. 3;
$first->ask(path => "/v1$chat", body => sized(40_000), expect => 1,
            headers => { Expect => '100-continue' });
is($first->head->{status}, 100, 'the first upload has room');
$second->ask(path => "/v1$chat", body => sized(40_000), expect => 1,
             headers => { Expect => '100-continue' });
$answer = $second->finish;
is($answer->{status}, 503, 'the second has none');
is(error_of($answer)->{code}, 'overloaded', 'the second: code');
is($answer->{headers}{'retry-after'}, 1, 'the second: come again');
is($answer->{headers}{'content-type'}, 'application/json', 'the second: JSON');
$answer = $third->request(path => "/v1$chat", body => sized(40_000), chunked => 4000);
is($answer->{status}, 503, 'nor one in chunks, of which nobody knew how long it is');
is($server->caller->request(path => "/v1$chat", body => sized(10_000))->{status}, 200,
   'a small one still fits');
$first->{answer} = undef;
$first->send_raw(sized(40_000));
is($first->finish->{status}, 200, 'the first is served');
is($server->caller->request(path => "/v1$chat", body => sized(40_000))->{status}, 200,
   'and then there is room again');
my $long = $server->caller;
$long->ask(path => "/v1$chat", body => Gate::chat(stream => 1, script => 'tokens=300;gap=20',
                                                  text => 'x' x 40_000));
ok($long->read_until(qr/data:/), 'a long stream has begun');
is($server->caller->request(path => "/v1$chat", body => sized(40_000))->{status}, 200,
   'whose request takes up no room any more');
$long->close;
for my $round (1 .. 20) {
    my $gone = $server->caller;
    $gone->ask(path => "/v1$chat", body => sized(40_000), expect => 1,
               headers => { Expect => '100-continue' });
    $gone->head;
    $gone->close;
}
Gate::await('the room of those who left', sub {
    return $server->caller->request(path => "/v1$chat", body => sized(40_000))->{status} == 200;
});
pass('what was never uploaded takes up no room');
$server->stop;

done_testing();
