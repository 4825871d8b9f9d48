# SPDX-License-Identifier: Apache-2.0
#
# A pooled connection that the target closes just when it is used again: is that a failure?
#
# No: the target never saw the request, so it is asked once more, on a new connection, and neither
# the caller nor the count of attempts knows of it. Once only; and not where the connection was new
# or the target had begun to answer. One caller's connection stays with one child of the server,
# and so with one pool of connections.

use strict;
use warnings;

use Gate ();
use Test::More;

my $path = '/stale/v1/chat/completions';

sub ask
{
    my ($caller, $script, %chat) = @_;
    my $answer = $caller->request(path => $path, headers => { 'X-Sim' => $script },
                                  body => Gate::chat(%chat));
    return ($answer, Gate::logged(id => $answer->{headers}{'x-request-id'}));
}

for my $front (qw(h1 tls)) {
    for my $streamed (1, 0) {
        my $how    = "$front, " . ($streamed ? 'streamed' : 'plain');
        my $caller = Gate::caller_of($front);
        my ($answer, $log) = ask($caller, 'tokens=1');
        is($answer->{status}, 200, "$how: a first call leaves a connection in the pool");

        # Closed at the moment of reuse.
        my $key = Gate::mark();
        ($answer, $log) = ask($caller, "reset=headers;fail=1;key=$key", stream => $streamed);
        my @calls = Gate::truths($answer->{headers}{'x-request-id'});
        is_deeply([@$answer{qw(status whole)}, Gate::read_chat($answer)->{text},
                   @$log{qw(attempts target finish)}, map { $_->{ended} } @calls],
                  [200, 1, Gate::words_of_sim(12), 1, 'first', 'stop', 'reset', 'complete'],
                  "$how: a reset of a pooled connection is made good on the same target")
            or diag(Gate::brief($answer), Gate::to_json($log), map { Gate::to_json($_) } @calls);

        # Twice is a failure.
        ask($caller, 'tokens=1');
        $key = Gate::mark();
        ($answer, $log) = ask($caller, "reset=headers;fail=2;key=$key", stream => $streamed);
        @calls = Gate::truths($answer->{headers}{'x-request-id'}, 2);
        is_deeply([$answer->{status}, $log->{attempts}, scalar @calls], [502, 1, 2],
                  "$how: once more, and no more than that")
            or diag(Gate::brief($answer), Gate::to_json($log));

        # Now the pool is empty, so this one is new.
        $key = Gate::mark();
        ($answer, $log) = ask($caller, "reset=headers;fail=1;key=$key", stream => $streamed);
        @calls = Gate::truths($answer->{headers}{'x-request-id'});
        is_deeply([$answer->{status}, scalar @calls], [502, 1],
                  "$how: a new connection that breaks is a failure at once")
            or diag(Gate::brief($answer), map { Gate::to_json($_) } @calls);

        # It has begun to answer: to ask again might do twice what costs money.
        ask($caller, 'tokens=1');
        $key = Gate::mark();
        ($answer, $log) = ask($caller, "cut=0;fail=1;key=$key", stream => $streamed);
        @calls = Gate::truths($answer->{headers}{'x-request-id'});
        is_deeply([$answer->{status}, scalar @calls], [502, 1],
                  "$how: a pooled connection that breaks after the head is a failure")
            or diag(Gate::brief($answer), map { Gate::to_json($_) } @calls);

        # And a time-out on it is one, too.
        ask($caller, 'tokens=1');
        ($answer, $log) = ask($caller, 'delay=60000', stream => $streamed);
        @calls = Gate::truths($answer->{headers}{'x-request-id'});
        is_deeply([$answer->{status}, scalar @calls], [504, 1],
                  "$how: a pooled connection that stays silent is a time-out")
            or diag(Gate::brief($answer), map { Gate::to_json($_) } @calls);
    }
}

# Connections that answer with close=1 are never pooled, and never in the way.
{
    my $caller = Gate::caller_of('h1');
    for my $n (1 .. 5) {
        my ($answer, $log) = ask($caller, 'close=1', stream => $n % 2);
        is_deeply([@$answer{qw(status whole)}, $log->{attempts}], [200, 1, 1], "close=1, call $n");
    }
}

done_testing;
