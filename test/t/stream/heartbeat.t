# SPDX-License-Identifier: Apache-2.0
#
# Does a silent stream stay alive, and does a heartbeat ever stand where it does harm?
#
# Heartbeats are taken out of what came, and the rest must be what the simulator says without any
# silence. Nothing here asks how fast, only whether and where.

use strict;
use warnings;

use Gate ();
use Test::More;

my $beat = ": keep-alive\n\n";

sub ask
{
    my ($front, $place, $script, %chat) = @_;
    return Gate::caller_of($front)->request(
        path => "/$place/v1/chat/completions", headers => { 'X-Sim' => "id=b;$script" },
        body => Gate::chat(%chat));
}

sub level { return $_[0] =~ s/sim\d{6}/sim000000/gr =~ s/"created":\d{10}/"created":0/gr }

# The same answer without waits, from the simulator itself.
sub calm
{
    my ($script, %chat) = @_;
    $script =~ s/(?:delay|first|gap|pace|stall)=\d+;?//g;
    return Gate::caller_to_sim()->request(path => '/v1/chat/completions',
        headers => { 'X-Sim' => "id=b;$script" }, body => Gate::chat(%chat))->{body};
}

# The heartbeats in a body: how many in all, before the first event, and within one.
sub beats
{
    my ($body, $eol) = @_;
    my ($all, $before, $within, $rest) = (0, 0, 0, '');
    while ($body =~ /\G(.*?)(\Q$beat\E|\z)/gs) {
        my ($text, $is) = ($1, $2);
        $rest .= $text;
        last if $is eq '';
        $all++;
        $before++ if $rest eq '';
        $within++ if $rest ne '' && $rest !~ /(?:\r\n\r\n|\n\n|\r\r)\z/;
    }
    return ($all, $before, $within, $rest);
}

for my $front (qw(h1 tls h2)) {
    # Before the first byte of the answer: the head is not even there.
    for my $script ('delay=300;tokens=3', 'first=300;tokens=3') {
        my $answer = ask($front, 'beat', $script, stream => 1);
        my ($all, $before, $within, $rest) = beats($answer->{body});
        cmp_ok($before, '>=', 2, "$front, $script: heartbeats while nothing came");
        cmp_ok($before, '<=', 6, "$front, $script: and no more than the time allows");
        is($within, 0, "$front, $script: none within an event");
        is(level($rest), level(calm($script, stream => 1)), "$front, $script: else the same answer")
            or diag(Gate::brief($answer));
        is_deeply([@$answer{qw(status whole)},
                   $answer->{headers}{'content-type'} =~ m{^text/event-stream} ? 1 : 0],
                  [200, 1, 1], "$front, $script: a whole stream");
    }

    # Between events.
    my $script = 'gap=130;tokens=2';
    my $answer = ask($front, 'beat', $script, stream => 1);
    my ($all, $before, $within, $rest) = beats($answer->{body});
    cmp_ok($all, '>=', 4, "$front, $script: heartbeats between events");
    is_deeply([$within, level($rest)], [0, level(calm($script, stream => 1))],
              "$front, $script: each at an event's end, else the same answer")
        or diag(Gate::brief($answer));

    # None of all this for who did not ask for a stream.
    for my $quiet ('delay=200', 'first=200', 'chunk=200;pace=120') {
        $answer = ask($front, 'beat', $quiet);
        is($answer->{body} =~ /keep-alive/ ? 1 : 0, 0, "$front, plain, $quiet: no heartbeat");
        is_deeply([$answer->{status}, $answer->{whole}, level($answer->{body})],
                  [200, 1, level(calm($quiet))], "$front, plain, $quiet: the same answer");
    }

    # Off is off.
    for my $silent ('delay=200;tokens=2', 'gap=100;tokens=2') {
        $answer = ask($front, 'beat-off', $silent, stream => 1);
        is(level($answer->{body}), level(calm($silent, stream => 1)),
           "$front, AIHeartbeat Off, $silent: not a byte more");
    }
}

# Silence within an event: the half that has come must not be torn in two.
for my $script ('chunk=60;pace=80;tokens=0', 'chunk=60;pace=80;tokens=0;eol=crlf',
                'chunk=60;pace=80;tokens=0;eol=cr', 'chunk=90;pace=80;tokens=0;comment=1') {
    my $answer = ask('h1', 'beat', $script, stream => 1, usage => 1);
    my ($all, $before, $within, $rest) = beats($answer->{body});
    # The simulator's own comments look the same; with CRLF or CR only ours end in LF LF.
    my $calm = calm($script, stream => 1, usage => 1);
    $calm =~ s/\Q$beat\E//g;
    cmp_ok($all, '>=', 2, "$script: heartbeats while an event trickles in");
    is($within, 0, "$script: none within an event") or diag($answer->{body});
    is(level($rest), level($calm), "$script: else the same answer") or diag($answer->{body});
}

# An error after heartbeats is an answer of its own kind, which exhausted.t looks at; here: a
# failure that another target makes good after them.
for my $front (qw(h1 tls h2)) {
    my $answer = ask($front, 'beat-fallback', 'delay=150;status=503', stream => 1);
    my ($all, $before, $within, $rest) = beats($answer->{body});
    my $log = Gate::logged(id => $answer->{headers}{'x-request-id'});
    cmp_ok($before, '>=', 1, "$front: a heartbeat, then a failure");
    is_deeply([$answer->{status}, $answer->{whole}, $log->{attempts}, $log->{target},
               level($rest) =~ s/second/b/gr],
              [200, 1, 2, 'second', level(calm('', stream => 1))],
              "$front: and then the whole answer of the second target")
        or diag(Gate::brief($answer));
}

done_testing;
