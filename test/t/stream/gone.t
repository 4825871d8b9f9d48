# SPDX-License-Identifier: Apache-2.0
#
# When the caller leaves, how soon does its target learn of it, and is anybody else bothered?
#
# The simulator writes down when its peer closed, on the same clock as ours. A second target stands
# ready and must never be asked. The bound here is loose for slow machines; how fast it really is
# the bench measures.

use strict;
use warnings;

use Gate ();
use Test::More;
use Time::HiRes qw(time);

my $loosely = 1.0;    # seconds

# Sends a request and returns caller, mark and a function that tells how the call went.
sub begin
{
    my ($front, $place, $script, %chat) = @_;
    my $mark   = Gate::mark();
    my $caller = Gate::caller_of($front);
    $caller->ask(path => "/$place/v1/chat/completions",
                 headers => { 'X-Sim' => "mark=$mark;$script", 'X-Mark' => $mark },
                 body => Gate::chat(%chat));
    return ($caller, $mark);
}

sub leave
{
    my ($caller, $mark, $name) = @_;
    my $left_at = time;
    $caller->close;
    my $call = Gate::truth_of_mark($mark);
    my $log  = Gate::logged(mark => $mark);
    my $ended_at = $call->{time} + $call->{duration_ms} / 1000;
    is_deeply([$log->{finish}, $log->{attempts}, $log->{target}, scalar Gate::truths($log->{id})],
              ['client-abort', 1, 'patient', 1],
              "$name: logged as the caller's doing, nobody else asked")
        or diag(Gate::to_json($log), Gate::to_json($call));
    isnt($call->{ended}, 'complete', "$name: the target was cut off");
    cmp_ok($ended_at - $left_at, '<=', $loosely, "$name: soon");
    return ($log, $call);
}

for my $front (qw(h1 tls h2)) {
    for my $streamed (1, 0) {
        my $how = "$front, " . ($streamed ? 'streamed' : 'plain');

        my ($caller, $mark) = begin($front, 'gone', 'delay=60000', stream => $streamed);
        Gate::await_active(1);
        leave($caller, $mark, "$how: before the headers");

        ($caller, $mark) = begin($front, 'gone', 'first=60000', stream => $streamed);
        Gate::await_active(1);
        leave($caller, $mark, "$how: between headers and body");
    }

    my ($caller, $mark) = begin($front, 'gone', 'stall=5', stream => 1);
    ok($caller->read_until(qr{ its}), "$front: the stream has begun");
    leave($caller, $mark, "$front: while it is silent");

    ($caller, $mark) = begin($front, 'gone', 'gap=20;tokens=5000', stream => 1);
    ok($caller->read_until(qr/ keeps/), "$front: the stream flows");
    my ($log, $call) = leave($caller, $mark, "$front: in the middle of it");
    cmp_ok($call->{events_sent}, '<', 1000, "$front: not a thousand words more");

    # In a flood: the caller does not read, the gateway is writing.
    ($caller, $mark) = begin($front, 'gone', 'tokens=100000;size=500', stream => 1);
    ok($caller->read_until(qr/ keeps/), "$front: a flood");
    leave($caller, $mark, "$front: in a flood");

    ($caller, $mark) = begin($front, 'gone', 'chunk=50;pace=60000');
    $caller->read_until(qr/"id"/);
    leave($caller, $mark, "$front, plain: in the middle of the body");

    # Between two rounds no target is there to be cut off; but nothing more may be sent either.
    ($caller, $mark) = begin($front, 'gone-between', "status=429;retry_after=9");
    Gate::truth_of_mark($mark);
    my $left_at = time;
    $caller->close;
    $log = Gate::logged(mark => $mark);
    cmp_ok(time - $left_at, '<=', $loosely, "$front: in a pause between rounds: soon");
    is_deeply([$log->{finish}, $log->{attempts}, scalar Gate::truths($log->{id})],
              ['client-abort', 1, 1], "$front: in a pause between rounds: and no further round")
        or diag(Gate::to_json($log));
}

# ------------------------------------------------------------------------- who only stops sending

# Half closed counts as gone ...
{
    my ($caller, $mark) = begin('h1', 'gone', 'delay=60000', stream => 1);
    Gate::await_active(1);
    my $left_at = time;
    $caller->half_close;
    my $call = Gate::truth_of_mark($mark);
    cmp_ok($call->{time} + $call->{duration_ms} / 1000 - $left_at, '<=', $loosely,
           'a caller that closed its sending side counts as gone');
    is(Gate::logged(mark => $mark)->{finish}, 'client-abort', 'and is logged so');
}

# ... unless AIHalfClosed says otherwise.
for my $streamed (1, 0) {
    my $mark   = Gate::mark();
    my $caller = Gate::caller_of('h1');
    $caller->ask(path => '/half/v1/chat/completions',
                 headers => { 'X-Sim' => "mark=$mark;delay=150;gap=30;tokens=3",
                              'X-Mark' => $mark },
                 body => Gate::chat(stream => $streamed));
    Gate::await_active(1);
    $caller->half_close;
    my $answer = $caller->finish;
    is_deeply([$answer->{status}, $answer->{whole}, Gate::read_chat($answer)->{text},
               Gate::logged(mark => $mark)->{finish}],
              [200, 1, Gate::words_of_sim(3), 'stop'],
              'AIHalfClosed serve: ' . ($streamed ? 'the stream' : 'the answer') . ' comes whole')
        or diag(Gate::brief($answer));

    # But who is gone is gone: a reset closes both directions.
    my ($other, $other_mark) = begin('h1', 'half', 'delay=60000', stream => $streamed);
    Gate::await_active(1);
    my $left_at = time;
    $other->reset;
    my $call = Gate::truth_of_mark($other_mark);
    cmp_ok($call->{time} + $call->{duration_ms} / 1000 - $left_at, '<=', $loosely,
           'AIHalfClosed serve: a reset still counts');
    is(Gate::logged(mark => $other_mark)->{finish}, 'client-abort', 'and is logged so');
}

done_testing;
