#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# proof.t - does what a server signs prove what it recorded, and does retention leave it proved?
#
# SQLite, PostgreSQL, MariaDB; four children that ship, sign, and are replaced. Each change of each
# column is tried in unit/test_ai_verify; here the way from a call to a finding.

use strict;
use warnings;

use AuditBase ();
use AuthServer ();
use File::Temp qw(tempdir);
use Gate ();
use POSIX ();
use Test::More;

my $keys = tempdir('ai-sign-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my ($base, $folder, $server);

# aictl WORD...: its status, stdout and stderr.
sub aictl
{
    my (@words) = @_;
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        open(STDOUT, '>', "$keys/out");
        open(STDERR, '>', "$keys/err");
        { exec($ENV{AI_AICTL}, @words) };
        POSIX::_exit(127);
    }
    waitpid($pid, 0);
    my $status = $? >> 8;
    return ($status, map { local (@ARGV, $/) = "$keys/$_"; scalar(<>) // '' } qw(out err));
}

sub audit { my ($what, @words) = @_; return aictl('audit', $what, '--database', $base->words, @words) }
sub verify { return audit('verify', '--public-key', "$keys/$_[0].pem", @_[1 .. $#_]) }

sub make_key
{
    my ($name) = @_;
    my ($status, $out, $err) = aictl('audit', 'keygen', '--key', "$keys/$name");
    is($status, 0, "a key: $name") or diag($err);
    open(my $fh, '>', "$keys/$name.pem") or die "$keys/$name.pem: $!\n";
    print $fh $out;
    close($fh);
    return;
}

# Changes a database, as whoever may write it.
sub change
{
    my ($sql) = @_;
    return $base->{server}->sql('gateway', $sql) if $base->{server};
    system('python3', '-c', <<'END', $base->{file}, $sql) == 0 or die "$sql: $?\n";
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=10) as base:
    base.execute(sys.argv[2])
END
    return;
}

sub ask
{
    my ($n) = @_;
    return map {
        my $caller = $server->caller;
        my $answer = $caller->request(path => '/v1/chat/completions', body => Gate::chat());
        $caller->close;
        $answer->{headers}{'x-request-id'};
    } 1 .. $n;
}

# All that came is in a checkpoint: status and the sum of what is found.
sub await_proved
{
    my ($name, $what) = @_;
    my ($status, $out, $err) = (-1);
    eval {
        Gate::await('a checkpoint of it', sub {
            ($status, $out, $err) = verify($name);
            return $status == 0 && $out !~ /not proved yet/;
        });
    };
    is($status, 0, "$what: all is as it was written") or diag($out . $err);
    unlike($out, qr/not proved yet/, "$what: and signed for");
    return $out;
}

make_key($_) for qw(one other);
is((stat("$keys/one"))[2] & 07777, 0600, 'nobody else may read it');
my ($status, $out, $err) = aictl('audit', 'keygen', '--key', "$keys/one");
is($status, 1, 'a file that is there is not written over');
like($err, qr/one: cannot be made/, 'and it is named');

for my $driver (qw(sqlite3 pgsql mysql)) {
    $base   = AuditBase->new($driver);
    $folder = tempdir('ai-spool-XXXXXX', TMPDIR => 1, CLEANUP => 1) . '/spool';
    $server = AuthServer->new([], $base->conf . <<"END", children => 4);
AIAuditSpool $folder
AIAuditSync 5ms
AIAuditSigningKey $keys/one
AIAuditCheckpoint 1s
AIAuditRetain 365d records
AIAuditRetain 30d tenant=acme
<Location "/v1">
    AIEngine On
    AIAudit On
    AIAuditBody full
    AIRoute * sim
    AIAnonymous On
    Require all granted
</Location>
END
    my @ids = ask(12);
    $base->await_calls(@ids);
    $out = await_proved('one', "$driver: calls");
    like($out, qr/^\d+ checkpoints, 0 of them not signed$/m, "$driver: each checkpoint is signed");
    $server->graceful;
    push @ids, ask(5);
    $base->await_calls(@ids);
    $out = await_proved('one', "$driver: a new generation");
    my ($digest) = $out =~ /^the last checkpoint: ([0-9a-f]{64})/m;
    is((verify('one', '--expect', $digest))[0], 0, "$driver: the checkpoint that was the last is there");
    ($status, $out) = verify('other');
    is($status, 1, "$driver: with another public key nothing is proved");
    like($out, qr/whose public key was not given/, "$driver: which is said");
    is((audit('verify', '--public-key', "$keys/other.pem,$keys/one.pem"))[0], 0, "$driver: with both all is");

    # A hold, and what is over.
    ($status, $out, $err) = audit('hold', 'add', '--reason', 'case 6', '--tenant', 'nobody/here');
    is($status, 0, "$driver: a hold for whom nobody knows yet");
    like($err, qr/^aictl: warning: no call that is here is held by this/, "$driver: which is told");
    ($status, my $hold, $err) = audit('hold', 'add', '--reason', 'case 7');
    unlike($err, qr/no call/, "$driver: but not where there are calls");
    chomp $hold;
    is($status, 0, "$driver: a hold");
    my @retain = ('--older', '1ms', '--bodies');
    ($status, $out, $err) = audit('retain', @retain, '--signing-key', "$keys/one");
    is($status, 0, "$driver: retention") or diag($err);
    like($out, qr/^0 bodies, 0 bytes: taken out/, "$driver: takes out nothing that is held");
    is((audit('hold', 'release', $hold))[0], 0, "$driver: the hold is released");
    like((audit('hold', 'list'))[1], qr/^\Q$hold\E  - +- +- +\S+Z  \S+Z  case 7$/m, "$driver: and listed");
    is((audit('hold', 'release', $hold))[0], 1, "$driver: once only");
    ($status, $out, $err) = audit('retain', @retain);
    is($status, 2, "$driver: what is taken out must be signed for");
    ($status, $out) = audit('retain', @retain, '--dry-run');
    my ($n) = $out =~ /^(\d+) bodies, \d+ bytes: would be taken out/;
    cmp_ok($n, '>', 0, "$driver: there is something to take out");
    ($status, $out) = audit('retain', @retain, '--signing-key', "$keys/one");
    like($out, qr/^$n bodies, \d+ bytes: taken out/, "$driver: as much is taken out");
    $out = await_proved('one', "$driver: after retention");
    like($out, qr/^taken out, as checkpoints tell: $n bodies$/m, "$driver: verify says how much");
    is($base->rows("SELECT id FROM ai_audit_frames WHERE removed = 0 AND type IN (16, 17) AND body IS NOT NULL") + 0,
       0, "$driver: no prompt and no answer is left");

    # Whoever can write the database, and has no key.
    change("UPDATE ai_audit_calls SET tokens_prompt = 1 WHERE id = '$ids[0]'");
    ($status, $out) = verify('one');
    is($status, 1, "$driver: a call with other tokens");
    like($out, qr/column tokens_prompt of ai_audit_calls is '1', the record says '\d+'/, "$driver: is found");
    change("DELETE FROM ai_audit_calls WHERE id = '$ids[1]'");
    like((verify('one'))[1], qr/call \Q$ids[1]\E has no row/, "$driver: a call without its row is found");
    $server->stop;
    ($status, $out) = verify('one');
    ($digest) = $out =~ /^the last checkpoint: ([0-9a-f]{64})/m;
    change('DELETE FROM ai_audit_checkpoints WHERE id > (SELECT m FROM (SELECT MIN(id) AS m FROM '
           . 'ai_audit_checkpoints) AS t)');
    ($status, $out) = verify('one', '--expect', $digest);
    like($out, qr/none has the digest \Q$digest\E/, "$driver: checkpoints that were cut off are missed");
}

# ------------------------------------------------------------------------------- by itself

# A spool that httpd has left, and a service of its own that ships and signs.
$base   = AuditBase->new('sqlite3');
$folder = tempdir('ai-spool-XXXXXX', TMPDIR => 1, CLEANUP => 1) . '/spool';
$server = AuthServer->new([], $base->conf . <<"END");
AIAuditSpool $folder
AIAuditShip Off
<Location "/v1">
    AIEngine On
    AIAudit On
    AIRoute * sim
    AIAnonymous On
    Require all granted
</Location>
END
my @ids = ask(3);
$server->stop;
($status, $out) = aictl('audit', 'verify', '--spool', $folder);
is($status, 0, 'the spool is as it was written') or diag($out);
like($out, qr/^\d+ records in \d+ segments: 0 findings\n.*who can write its files/s, 'and nobody has signed for it');
($status, $out, $err) = audit('ship', '--spool', $folder, '--once', '--signing-key', "$keys/one");
is($status, 0, 'aictl ships') or diag($err);
($status, $out) = verify('one');
is($status, 0, 'and signs') or diag($out);
unlike($out, qr/not proved yet/, 'for all of it');
chmod(0644, "$keys/one");
($status, $out, $err) = audit('ship', '--spool', $folder, '--once', '--signing-key', "$keys/one");
is($status, 1, 'a key that others may read signs nothing');
like($err, qr/others may read/, 'and why');
ok(!eval { AuthServer->new([], $base->conf . "AIAuditSpool $folder\nAIAuditSigningKey $keys/one\n"); 1 },
   'nor does a server begin with it');
done_testing();
