#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# ship.t - is every call in the database once, whatever became of the database and of the children?
#
# What the simulator says it answered is compared with ai_audit_calls: ids, status, tokens. SQLite,
# PostgreSQL, MariaDB; four children. The database is away, hangs, is killed in the middle; children are
# killed, and replaced by a new generation.

use strict;
use warnings;

use AuditBase ();
use AuthServer ();
use File::Temp qw(tempdir);
use Gate ();
use POSIX ();
use Spool ();
use Test::More;
use Time::HiRes qw(time);

my $CALLERS = 4;    # times 26 questions: the simulator remembers 200

sub conf
{
    my ($base, $folder, $more) = @_;
    return $base->conf . <<"END";
AIAuditSpool $folder
AIAuditSync 5ms
$more
<Location "/v1">
    AIEngine On
    AIAudit On
    AIRoute * sim
    AIAnonymous On
    Require all granted
</Location>
END
}

# Each of several callers asks so often, each time on a new connection; the ids of the answers.
sub ask_all
{
    my ($server, $each, %o) = @_;
    my @callers;
    for my $n (1 .. $CALLERS) {
        my $pid = open(my $from, '-|') // die "fork: $!\n";
        if (!$pid) {
            for my $i (1 .. $each) {
                my $tokens = 1 + ($n * 7 + $i) % 13;
                my $answer = eval {
                    $server->caller->request(path => '/v1/chat/completions',
                                             body => Gate::chat(script => "tokens=$tokens", %o));
                };
                syswrite(STDOUT, join(' ', $answer->{status} // 'none', $answer->{headers}{'x-request-id'} // 'none') . "\n");
            }
            POSIX::_exit(0);
        }
        push @callers, $from;
    }
    return map { [split] } map { my $from = $_; my @said = <$from>; close($from); @said } @callers;
}

# All calls are there, each as the simulator answered it.
sub compare
{
    my ($base, $what, @answers) = @_;
    my %truth = map { ($_->{id} // '') => $_ } @{ Gate::calls()->{last} };    # 200 at most
    my $calls = $base->await_calls(map { $_->[1] } @answers);
    my @wrong;
    for my $answer (@answers) {
        my ($status, $id) = @$answer;
        my ($t, $row) = ($truth{$id}, $calls->{$id});
        my $want = join(' ', $status, $t->{prompt_tokens} // '?', $t->{completion_tokens} // '?', 0);
        push @wrong, "$id: @$row, but $want" if "@$row" ne $want;
    }
    is(join("\n", @wrong), '', "$what: each as the provider answered it");
    is(scalar(grep { $_->[0] != 200 } @answers), 0, "$what: no caller noticed anything");
    return;
}

for my $driver (qw(sqlite3 pgsql mysql)) {
    my $base = AuditBase->new($driver);
    my $folder = tempdir('ai-spool-XXXXXX', TMPDIR => 1, CLEANUP => 1) . '/spool';
    my $server = AuthServer->new([], conf($base, $folder, 'AIAuditSegmentAge 1s'), children => 4);
    my @answers;

    Gate::reset_sim();
    push @answers, ask_all($server, 5);
    compare($base, "$driver: calls", @answers);

    $base->away;
    push @answers, ask_all($server, 3);
    Gate::await('the log', sub { $server->said =~ /AI0631/ });
    cmp_ok(scalar(my @left = Spool::records($folder)), '>=', 6 * $CALLERS, "$driver: away: records wait in the spool");
    $base->back;
    compare($base, "$driver: back", @answers);
    Gate::await('the log', sub { $server->said =~ /AI0632/ });

    if ($base->server) {
        $base->server->pause;
        push @answers, ask_all($server, 3);
        $base->server->resume;
        compare($base, "$driver: hung", @answers);
        $base->server->pause;
        push @answers, ask_all($server, 2);
        $base->away;
        $base->back;
        compare($base, "$driver: killed while it hung", @answers);
        $base->server->pause;
        # Records for longer than it takes until the next round; the simulator does not hear of these.
        my $until = time + 1.5;
        $server->caller->request(path => '/v1/models', method => 'GET') while time < $until;
        $server->stop;
        unlike($server->said, qr/SIGKILL/, "$driver: hung: no child has to be killed at the end");
        $base->server->resume;
        $server->start;
        compare($base, "$driver: after that", @answers);
    }

    my $asking = fork() // die "fork: $!\n";
    if (!$asking) {
        ask_all($server, 10);
        POSIX::_exit(0);
    }
    kill('KILL', $server->children);
    $server->graceful;
    waitpid($asking, 0);
    push @answers, ask_all($server, 3);
    compare($base, "$driver: children are killed, then a new generation", @answers);

    $server->stop;
    my %seen = map { $_->{id} => 1 } @{ Gate::calls()->{last} };
    $server->start;
    my $calls;
    Gate::await("$driver: each call that the provider saw", sub {
        $calls = $base->calls;
        return !grep { !$calls->{$_} } keys %seen;
    });
    pass("$driver: each call that the provider saw is there");
    is_deeply([grep { $calls->{$_}[1] ne '' && !$calls->{$_}[3] && !$seen{$_} } keys %$calls], [],
              "$driver: and none that it did not see, but what was cut off");
    my ($twice) = $base->rows('SELECT COUNT(*), COUNT(DISTINCT call_id) FROM ai_audit_frames WHERE type = 2');
    is($twice->[0], $twice->[1], "$driver: no end is there twice");
    ok(!-e "$folder/refused" && !glob("$folder/*.refused"), "$driver: no record was refused");
    $server->stop;
}

done_testing();
