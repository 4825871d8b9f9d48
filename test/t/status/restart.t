#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# restart.t - are the counts exact, whatever happens to the children that count?
#
# Six callers at once ask four children for a mix of things, while the server is told to restart
# gracefully, again and again, once with another target in its configuration.  Then streams are
# under way in old and new children, and one child is killed.

use strict;
use warnings;

use Gate ();
use OwnServer ();
use StatusPage ();
use Test::More;

my ($CALLERS, $ROUNDS, $RESTARTS, $STREAMS) = (6, 40, 3, 24);

my $server = OwnServer->new(children => 4, conf => <<"END");
<AITarget sim>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
    AITargetForward X-Sim
</AITarget>
<AITarget refusing>
    AITargetURL http://127.0.0.1:1/v1
</AITarget>
<Location /v1>
    AIEngine On
    AIAnonymous On
    AIRouteRetries 0
    AIRoute good sim
    AIRoute fallback refusing sim
    AIRoute broken refusing
</Location>
<Location /server-status>
    SetHandler server-status
</Location>
END

# One round of a caller: what it asks for, and the status that must come. Each on a connection of
# its own: one that is kept may be closed by a restart just when it is used.
my @mix = (
    [good => 200, 0], [good => 200, 1], [fallback => 200, 0], [broken => 503, 0],
    [nobody => 404, 0],
);

# A process that goes through the mix, and writes a letter for each answer: right or wrong.
sub call_on
{
    my ($to) = @_;
    for (1 .. $ROUNDS) {
        for my $what (@mix) {
            my ($model, $status, $stream) = @$what;
            my $answer = $server->caller->request(path => '/v1/chat/completions',
                                                  body => Gate::chat(model => $model, stream => $stream));
            my $right = $answer->{status} == $status && $answer->{whole};
            syswrite($to, $right ? '.' : '!');
        }
    }
    return;
}

pipe(my $from, my $to) or die "pipe: $!\n";
my @pids = map {
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        eval { call_on($to); 1 } or syswrite($to, '!');
        POSIX::_exit(0);
    }
    $pid;
} 1 .. $CALLERS;
close($to);

# Reads until so many letters have come.
my $letters = '';
sub read_letters
{
    my ($n) = @_;
    while (length $letters < $n) {
        sysread($from, $letters, 65536, length $letters) or last;
    }
    return;
}

my $all = $CALLERS * $ROUNDS * @mix;
for my $restart (1 .. $RESTARTS) {
    read_letters($restart * $all / ($RESTARTS + 1));
    if ($restart == 2) {
        open(my $conf, '>>', "$server->{dir}/httpd.conf") or die "httpd.conf: $!\n";
        print $conf "<AITarget late>\nAITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1\n</AITarget>\n",
            "<Location /v1>\nAIRoute late late\nAIRoute good sim\nAIRoute fallback refusing sim\n",
            "AIRoute broken refusing\n</Location>\n";
        close($conf);
    }
    $server->graceful;
    cmp_ok(length $letters, '<', $all, "restart $restart came while callers were at work");
}
read_letters($all);
waitpid($_, 0) for @pids;
is($letters, '.' x $all, "all $all requests were answered as they should be");

my $n = $CALLERS * $ROUNDS;    # of each of the mix
my $seen = StatusPage::await($server, 'the end of all requests', sub {
    return $_[0]{AIRequests} >= $all && $_[0]{AIInFlight} == 0;
});
my %right = (
    AIRequests => 5 * $n, AIAnswers => 3 * $n, AIFailures => $n, AIRefusals => $n,
    'AIRefusals[model_not_found]' => $n, AIStreams => $n, AIAttempts => 5 * $n,
    AIAttemptsFailed => 2 * $n, AITokensPrompt => 3 * 7 * $n, AITokensCompletion => 3 * 12 * $n,
    AIInFlight => 0, AIClientAborts => 0,
    'AITarget[sim]Requests' => 3 * $n, 'AITarget[sim]Answers' => 3 * $n,
    'AITarget[sim]Attempts' => 3 * $n, 'AITarget[sim]AttemptsFailed' => 0,
    'AITarget[sim]TokensCompletion' => 3 * 12 * $n, 'AITarget[sim]Streams' => $n,
    'AITarget[sim]InFlight' => 0,
    'AITarget[refusing]Requests' => $n, 'AITarget[refusing]Failures' => $n,
    'AITarget[refusing]Attempts' => 2 * $n, 'AITarget[refusing]AttemptsFailed' => 2 * $n,
    'AITarget[refusing]InFlight' => 0,
);
is_deeply({ map { $_ => $seen->{$_} } keys %right }, \%right,
          'not one is lost or counted twice, over four generations of children');
ok(!exists $seen->{'AITarget[late]Requests'}, 'nobody has asked the new target');
$server->caller->request(path => '/v1/chat/completions', body => Gate::chat(model => 'late'));
$seen = StatusPage::await($server, 'the new target', sub { $_[0]{'AITarget[late]Requests'} });
is($seen->{AIRequests}, $all + 1, 'then it stands beside the others');

# ------------------------------------------------- streams in old and in new children, one killed

# Streams that fall silent after a few words, each seen to have begun.
sub begin_streams
{
    my ($n) = @_;
    return map {
        my $caller = $server->caller;
        $caller->ask(path => '/v1/chat/completions', body => Gate::chat(model => 'good', stream => 1),
                     headers => { 'X-Sim' => 'stall=3' });
        $caller->read_until(qr/"content":"[^"]/) or die "no stream\n";
        $caller;
    } 1 .. $n;
}

# How many requests each child has in hand, by its pid. The page does not say it of old children.
sub busy
{
    my %busy;
    for my $row (StatusPage::rows_of(StatusPage::text_of($server))) {
        my ($slot, $pid) = @$row;
        $busy{$pid}++ if ($slot // '') =~ /^\d+-\d+$/ && "@$row" =~ m{POST /v1/} && $row->[3] =~ /W/;
    }
    return \%busy;
}

my @streams = begin_streams($STREAMS);
$server->graceful;
push @streams, begin_streams($STREAMS);
$seen = StatusPage::await($server, 'all streams', sub { $_[0]{AIInFlight} == 2 * $STREAMS });
is($seen->{'AITarget[sim]InFlight'}, 2 * $STREAMS, 'streams of two generations are under way');

my $busy = busy();
my ($victim) = sort { $busy->{$b} <=> $busy->{$a} } keys %$busy;
cmp_ok($victim ? $busy->{$victim} : 0, '>', 0, 'a child with streams was found');
my $left = 2 * $STREAMS - $busy->{$victim};
kill('KILL', $victim) or die "no child $victim\n";
$seen = StatusPage::await($server, 'the end of the killed child', sub { $_[0]{AIInFlight} == $left });
is($seen->{'AITarget[sim]InFlight'}, $left, 'what it had under way is so no more');
is($seen->{AIRequests}, $all + 1, 'what was counted before is not lost');

$_->close for @streams;
$seen = StatusPage::await($server, 'the end of the streams', sub { $_[0]{AIInFlight} == 0 });
is_deeply([@$seen{'AIRequests', 'AIClientAborts', 'AITarget[sim]ClientAborts', 'AITarget[sim]InFlight'}],
          [$all + 1 + $left, $left, $left, 0], 'and the streams that lived on are');

# ------------------------------------------------------------------- a restart that is not graceful

my $were = $server->generations;
kill('HUP', $server->{pid});
Gate::await('the restart', sub { return $server->generations > $were });
$server->caller->request(path => '/v1/chat/completions', body => Gate::chat(model => 'good'));
$seen = StatusPage::await($server, 'one more', sub { $_[0]{AIRequests} == $all + 2 + $left });
is($seen->{AIAnswers}, 3 * $n + 2, 'a restart that is not graceful keeps the counts, too');

my $said = $server->said;
unlike($said, qr/AI100\d|Segmentation fault|scoreboard is full/, 'nothing was complained of');
$server->stop;
done_testing();
