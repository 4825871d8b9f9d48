#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# kill.t - what is on the disk of calls whose process is killed, and of those that a restart meets?
#
# A child is killed in the middle of a stream: its begin is there, no end, and all that was answered
# before. Callers go on over graceful restarts: each answer has its pair. Four children.

use strict;
use warnings;

use File::Temp qw(tempdir);
use Gate ();
use IO::Handle ();
use OwnServer ();
use POSIX ();
use Spool ();
use Test::More;

my ($CALLERS, $RESTARTS, $KILLS) = (4, 3, 3);
my $folder = tempdir('ai-spool-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $server = OwnServer->new(children => 4, conf => <<"END");
AIAuditSpool $folder
<AITarget sim>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
    AITargetForward X-Sim
</AITarget>
<Location "/v1">
    AIEngine On
    AIAudit On
    AIAnonymous On
    AIRoute * sim
    Require all granted
</Location>
END

my %chat = (path => '/v1/chat/completions', body => Gate::chat());

# The ids of begins, and of ends, with how often they are there; and who wrote them.
sub found
{
    my (%n, %pid);
    for my $record (grep { $_->{json} } Spool::records($folder)) {
        $n{ $record->{type} }{ $record->{json}{id} }++;
        $pid{ $record->{json}{id} } = $record->{pid};
    }
    return (\%n, \%pid);
}

sub lacking
{
    my (@ids) = @_;
    my ($n) = found();
    return grep { ($n->{begin}{$_} // 0) != 1 || ($n->{end}{$_} // 0) != 1 } @ids;
}

# --------------------------------------------------------------------------------- kill -9

for my $round (1 .. $KILLS) {
    my @answered = map { $server->caller->request(%chat) } 1 .. 8;
    my @ids = map { $_->{headers}{'x-request-id'} } grep { $_->{whole} } @answered;
    my $stream = $server->caller;
    $stream->ask(%chat, body => Gate::chat(stream => 1), headers => { 'X-Sim' => 'tokens=1000;gap=50' });
    $stream->read_until(qr/data:.*data:/s);
    my $id = $stream->head->{headers}{'x-request-id'};
    my ($n, $pid) = found();
    is($n->{begin}{$id}, 1, "round $round: a stream under way has its begin");
    ok($pid->{$id} && kill('KILL', $pid->{$id}), "round $round: its child is killed");
    is($stream->finish->{whole}, 0, "round $round: the stream breaks off");
    Gate::await('the end of the child', sub { !kill(0, $pid->{$id}) });
    ($n) = found();
    ok($n->{begin}{$id} && !$n->{end}{$id}, "round $round: there is a begin of it and no end");
    is_deeply([lacking(@ids)], [], "round $round: all that was answered has its pair");
}
is(eval { Gate::await('service', sub { $server->caller->request(%chat)->{status} == 200 }) }, 1, 'it serves on');

# ---------------------------------------------------------------------------- graceful restarts

my @pids;
my $dir = tempdir('ai-ids-XXXXXX', TMPDIR => 1, CLEANUP => 1);
for my $i (1 .. $CALLERS) {
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        open(my $fh, '>', "$dir/$i") or POSIX::_exit(2);
        $fh->autoflush(1);
        my $caller = $server->caller;
        until (-e "$dir/stop") {
            my $answer = eval { $caller->request(%chat, body => Gate::chat(stream => $i % 2)) };
            print $fh "$answer->{status} $answer->{whole} $answer->{headers}{'x-request-id'}\n" if $answer && $answer->{status};
            $caller = $server->caller if !$answer || !$answer->{whole};
        }
        POSIX::_exit(0);
    }
    push @pids, $pid;
}
sub lines { return map { my $file = $_; open(my $fh, '<', $file) or (); grep { /\n\z/ } <$fh> } glob("$dir/[0-9]*") }
for (1 .. $RESTARTS) {
    my $n = lines();
    $server->graceful;
    Gate::await('more answers', sub { return lines() > $n + 4 * $CALLERS });
}
open(my $stop, '>', "$dir/stop") or die "$dir/stop: $!\n";
waitpid($_, 0) for @pids;
my @all = map { [split] } lines();
my @ids = map { $_->[2] } grep { $_->[0] == 200 && $_->[1] } @all;
cmp_ok(scalar(@ids), '>', $CALLERS * $RESTARTS, scalar(@ids) . ' calls were answered over restarts');
is_deeply([grep { $_->[0] != 200 } @all], [], 'and none with an error');
is_deeply([lacking(@ids)], [], 'each has a begin and an end');
is($server->generations, 1 + $RESTARTS, 'there were so many restarts');
$server->stop;
my ($n) = found();
is_deeply([grep { $n->{end}{$_} > 1 } keys %{ $n->{end} }], [], 'nothing has two ends');
done_testing();
