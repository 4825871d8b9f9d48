# SPDX-License-Identifier: Apache-2.0
#
# Does every failure of the first target stay invisible, and does the second one's answer arrive?
#
# One test for each cell of: kind of failure x streamed or not x front end. And the other way
# round: what is the caller's own fault reaches the caller as the first target said it.

use strict;
use warnings;

use Gate ();
use Test::More;

my $path = '/fallback/v1/chat/completions';

# name, script of the first target, and where it cannot be the usual: path, calls, only (plain or
# streamed).
my @failures = (
    ['refused', '', path => '/fallback-refused/v1/chat/completions', calls => 1],
    ['reset before the headers', 'reset=headers'],
    ['hang before the headers', 'delay=60000'],
    ['hang after the headers', 'first=60000'],
    ['reset after the headers', 'reset=0'],
    ['end after the headers', 'cut=0'],
    ['no HTTP', 'garbage=headers'],
    ['an HTML page with 200', 'wrongtype=1'],
    ['a body that was compressed unasked', '', path => '/fallback-gzip/v1/chat/completions'],
    ['a body that is garbage', 'garbage=body'],
    ['length 0, and bytes all the same', 'length=-1000000'],
    ['cut after a lifecycle event', 'cut=1', only => 'streamed'],
    ['reset after a lifecycle event', 'reset=1', only => 'streamed'],
    ['hang after a lifecycle event', 'stall=1', only => 'streamed'],
    ['cut within the first event', 'bytes=20', only => 'streamed'],
    ['comments and then the end', 'comment=1;cut=1', only => 'streamed'],
    ['an error as first event', 'error=1', only => 'streamed'],
    ['an error as second event', 'error=2', only => 'streamed'],
    ['garbage as first event', 'garbage=1', only => 'streamed'],
    ['garbage as second event', 'garbage=2', only => 'streamed'],
    (map { ["status $_", "status=$_;retry_after=7"] } 408, 429, 500, 502, 503, 504, 529, 599),
    ['status 401: our key, not the caller', 'status=401'],
    ['status 503 with an HTML page', 'status=503;body=html'],
    ['status 500 with no body', 'status=500;body=empty'],
    ['status 503 that closes', 'status=503;close=1'],
);

# What the simulator cannot say, word for word; the connection stays open unless 'close' follows.
my $head   = "HTTP/1.1 200 OK\r\nContent-Type:";
my $sse    = "$head text/event-stream\r\n";
my $object = "$head application/json\r\n";
my $chunked = "Transfer-Encoding: chunked\r\n\r\n";
sub body { return 'Content-Length: ' . length($_[0]) . "\r\n\r\n$_[0]" }
my %canned = (
    'half a status line, then silence'        => ['HTTP/1.1 20'],
    'half a head, then silence'               => ["$sse" . 'X-Half: a he'],
    'a line that is no status, then silence'  => ["data: hello\n\n"],
    'half a status line'                      => ['HTTP/1.1 20', 'close'],
    'half a head'                             => ["${object}X-Half: a he", 'close'],
    'only an interim answer'                  => ["HTTP/1.1 100 Continue\r\n\r\n", 'close'],
    'a head without end'                      => ["${sse}X-Long: " . 'x' x 70_000, 'close'],
    'half a chunk line, then silence'         => ["${sse}${chunked}1"],
    'a chunk of no length'                    => ["${sse}${chunked}zz\r\n", 'close'],
    'an empty stream with a clean end'        => ["${sse}${chunked}0\r\n\r\n"],
    'an empty stream of length 0'             => [$sse . body('')],
    'a comment and a clean end'               => [$sse . body(": beat\n\n")],
    'an empty object of length 0'             => [$object . body('')],
    'white space and a clean end'             => [$object . body(" \n ")],
    'a JSON array'                            => [$object . body('[{"a":1}]')],
    'a redirect'       => ["HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n" . body('')],
    'a 204'                                   => ["HTTP/1.1 204 No Content\r\n\r\n"],
    'compressed, and said so'                 =>
        ["${object}Content-Encoding: gzip\r\n" . body("\x1f\x8b\x08\x00")],
);
my $canned = Gate::Canned->new(sub {
    my ($name) = $_[0] =~ /^X-Sim: (.*?)\r\n/mi;
    return @{ $canned{$name} };
});
my @to_canned = (path => '/fallback-canned/v1/chat/completions', calls => 1, canned => 1);
push @failures, map { [$_, $_, @to_canned] } sort keys %canned;

my @own_faults = (
    (map { [$_, "status=$_"] } 400, 403, 404, 409, 413, 422),
    [400, 'status=400;body=html'],
    [404, 'status=404;body=text'],
);

my $words = Gate::words_of_sim(12);
my %callers = map { $_ => Gate::caller_of($_) } qw(h1 tls h2);

# A cell that hangs must not take the others with it.
sub cell
{
    my ($check, $front, @more) = @_;
    return if eval { $check->($front, @more); 1 };
    fail("$front, @more: $@");
    $callers{$front} = Gate::caller_of($front);
    return;
}

sub check_failure
{
    my ($front, $streamed, $name, $script, %o) = @_;
    my $answer = $callers{$front}->request(
        path    => $o{path} // $path,
        headers => { 'X-Sim' => $o{canned} ? $script : join(';', 'id=first', $script || ()) },
        body    => Gate::chat(stream => $streamed));
    my $id    = $answer->{headers}{'x-request-id'} // '';
    my $seen  = Gate::read_chat($answer);
    my @calls = $id ? Gate::truths($id, $o{calls} // 2) : ();
    my $log   = $id ? Gate::logged(id => $id) : {};
    # Where a pooled connection breaks, the first target is asked once more, and rightly.
    my $to_second = grep { $_->{script} eq 'id=second' } @calls;
    my $good  = {
        status => 200, whole => 1, text => $words, of => 'second', finish => 'stop',
        done => $streamed, errors => 0, attempts => 2, target => 'second', to_second => 1,
        ended => 'complete', retry_after => undef, broken => 0, in_time => 1,
    };
    is_deeply({
        status => $answer->{status}, whole => $answer->{whole}, text => $seen->{text},
        of => join(' ', sort keys %{ $seen->{fingerprints} }), finish => $seen->{finish},
        done => $seen->{done}, errors => scalar @{ $seen->{errors} },
        attempts => $log->{attempts}, target => $log->{target}, to_second => $to_second,
        ended => @calls ? $calls[-1]{ended} : undef, broken => $seen->{broken},
        retry_after => $answer->{headers}{'retry-after'},
        # A deadline of 200 ms that is missed is seconds late: mod_proxy's own is the next one.
        in_time => $answer->{seconds} < 1.8 ? 1 : 0,
    }, $good, "$front, " . ($streamed ? 'streamed' : 'plain') . ": $name")
        or diag(Gate::brief($answer), map { Gate::to_json($_) } $log, @calls);
    return;
}

sub check_own_fault
{
    my ($front, $streamed, $status, $script) = @_;
    my $body   = Gate::chat(stream => $streamed);
    my $direct = Gate::caller_to_sim()->request(
        path => '/v1/chat/completions', headers => { 'X-Sim' => $script }, body => $body);
    my $answer = $callers{$front}->request(
        path => $path, headers => { 'X-Sim' => $script }, body => $body);
    my $log = Gate::logged(id => $answer->{headers}{'x-request-id'} // '');
    my @of_answer = qw(status body whole);
    is_deeply(
        { (map { $_ => $answer->{$_} } @of_answer), type => $answer->{headers}{'content-type'},
          target => $log->{target}, attempts => $log->{attempts} },
        { (map { $_ => $direct->{$_} } @of_answer), type => $direct->{headers}{'content-type'},
          target => 'first', attempts => 1 },
        "$front, " . ($streamed ? 'streamed' : 'plain') . ": $script is the caller's to see")
        or diag(Gate::brief($answer));
    return;
}

for my $front (qw(h1 tls h2)) {
    for my $streamed (1, 0) {
        for my $failure (@failures) {
            my ($name, $script, %o) = @$failure;
            next if $o{only} && $o{only} ne ($streamed ? 'streamed' : 'plain');
            cell(\&check_failure, $front, $streamed, $name, $script, %o);
        }
        cell(\&check_own_fault, $front, $streamed, @$_) for @own_faults;
    }
}

done_testing;
