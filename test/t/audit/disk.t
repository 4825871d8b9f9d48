#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# disk.t - what do callers feel when the disk of the spool is full, broken or slow, and what is lost?
#
# With AIAuditFull refuse no call goes upstream that has no begin on the disk; with drop all do. An
# end that cannot be written is not forgotten. With AIAuditSync 0 an answer's end comes after its
# record is on the disk. The disk is played by BadDisk.pm. Four children.

use strict;
use warnings;

use BadDisk ();
use File::Temp qw(tempdir);
use Gate ();
use IO::Select ();
use OwnServer ();
use Spool ();
use Test::More;

my $CALLS = 8;
my ($STREAMS, $REFUSED) = (3, 200);
my ($folder, $disk, $server);

# A server whose spool is on a disk of its own.
sub begin
{
    my ($conf, %o) = @_;
    $folder = tempdir('ai-spool-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    $disk = BadDisk->new($folder);
    $disk->fail(%{ $o{fail} }) if $o{fail};
    $server = $disk->with(sub { OwnServer->new(children => $o{children} // 4, conf => <<"END") });
AIAuditSpool $folder
$conf
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
    return;
}

sub ask
{
    my (%o) = @_;
    my $caller = $server->caller;
    my $answer = $caller->request(path => '/v1/chat/completions', body => Gate::chat(stream => $o{stream}), %o);
    $caller->close;
    return $answer;
}

sub id_of { return $_[0]{headers}{'x-request-id'} }
sub total { return Gate::calls()->{total} }

# How often there is a begin and an end of each.
sub pairs
{
    my (@ids) = @_;
    my %n;
    $n{ $_->{json}{id} }{ $_->{type} }++ for grep { $_->{json} } Spool::records($folder);
    return map { join('', map { $_ // 0 } @{ $n{$_} // {} }{qw(begin end)}) } @ids;
}

sub await_pairs
{
    my ($want, @ids) = @_;
    return eval { Gate::await('their ends', sub { !grep { $_ !~ $want } pairs(@ids) }) };
}

# ------------------------------------------------------------------------------- full: refuse

begin('AIAuditFull refuse');
is(ask()->{status}, 200, 'a call on a disk that is well');
$disk->fail(write => 'ENOSPC', reserve => 'ENOSPC');
my $before = total();
my @answers = map { ask() } 1 .. $CALLS;
is_deeply([grep { $_->{status} != 503 } @answers], [], 'refuse: all are refused on a full disk');
is(Gate::from_json($answers[0]{body})->{error}{code}, 'audit_unavailable', 'they say why')
    or diag(Gate::brief($answers[0]));
my $claude = ask(path => '/v1/messages', headers => { 'anthropic-version' => '2023-06-01' }, body => Gate::to_json(
    { model => 'm', max_tokens => 5, messages => [{ role => 'user', content => 'hi' }] }));
is($claude->{status}, 503, 'so is a caller of another dialect');
is(Gate::from_json($claude->{body})->{type}, 'error', 'in his own words');
is(total(), $before, 'and no provider was asked');
$disk->well;
# A child that began meanwhile has no spool yet, and tries again each second.
my $good = Gate::await('service', sub { my $again = ask(); return $again->{status} == 200 && $again });
ok($good, 'when there is room again it goes on');
ok(await_pairs(qr/^11$/, id_of($good)), 'with its records');
like($server->said, qr/AI0605: AIAuditSpool \S+ takes no more.*calls refused/, 'the log says so');
ok(Gate::await('that it is over', sub { ask(); $server->said =~ /AI0611: AIAuditSpool \S+ takes records again/ }),
   'and that it is over');
ok(await_pairs(qr/^01$/, map { id_of($_) } @answers), 'what was refused has its end, and no begin');

# ---------------------------------------------------------------- each call fails, in each way

for my $how ({ write => 'EIO' }, { write => 'ENOSPC' }, { reserve => 'ENOSPC' }, { sync => 'EIO' },
             { write => 'EIO', open => 'EMFILE' }, { write => 'EIO', rename => 'EACCES' },
             { sync => 'EIO', open => 'EACCES' }, { sync => 'ENOSPC', write => 'ENOSPC' }) {
    my $what = join(' and ', map { "$_ $how->{$_}" } sort keys %$how);
    $before = total();
    # One that began when all was well; a child may still be about to find out that it is.
    my $early = Gate::await('a stream', sub {
        my $caller = $server->caller;
        $caller->ask(path => '/v1/chat/completions', body => Gate::chat(stream => 1),
                     headers => { 'X-Sim' => 'tokens=3;gap=100' });
        return $caller->read_until(qr/data:/) && $caller;
    });
    $disk->fail(%$how);
    @answers = map { ask() } 1 .. $CALLS;
    my @served = grep { $_->{status} == 200 } @answers;
    is(scalar(grep { $_->{status} != 200 && $_->{status} != 503 } @answers), 0,
       "$what: all are answered or refused");
    my $first = $early->finish;
    ok($first->{whole}, "$what: who was there before has his answer");
    Gate::truths(id_of($_)) for $first, @served;
    is(total() - $before, 1 + @served, "$what: no provider was asked for who was refused");
    $disk->well;
    # After a sync that failed one may stand there twice.
    ok(await_pairs(qr/^[1-9][1-9]$/, id_of($first), map { id_of($_) } @served),
       "$what: each answer has its begin and its end, when all is well again")
        or diag(join(' ', pairs(id_of($first), map { id_of($_) } @served)));
    if (($how->{sync} // '') eq 'EIO' && keys %$how == 1) {
        ok(await_pairs(qr/[2-9]$/, id_of($served[-1])), "$what: what the disk may have lost is written again");
    }
    ok(eval { Gate::await('service', sub { ask()->{status} == 200 }) }, "$what: and it goes on");
}
is(scalar(() = $server->said =~ /exit signal|AH00052/g), 0, 'no child died of it');
$server->stop;
unlike($server->said, qr/AI0607/, 'nothing was lost at the end');

# --------------------------------------------------------------------------------- full: drop

begin('AIAuditFull drop');
$disk->fail(write => 'ENOSPC', reserve => 'ENOSPC');
$before = total();
@answers = map { ask() } 1 .. $CALLS;
is_deeply([grep { $_->{status} != 200 } @answers], [], 'drop: calls go on while the disk is full');
is(total() - $before, $CALLS, 'the provider has them all');
like($server->said, qr/AI0605: AIAuditSpool \S+ takes no more.*calls not recorded/, 'the log says so');
$disk->well;
ok(await_pairs(qr/^01$/, map { id_of($_) } @answers), 'their ends come when there is room again');
$server->stop;

# ------------------------------------------------------------------------- room that was promised

begin('AIAuditFull refuse', children => 1);
$disk->room(120_000);
my @streams = map { $server->caller } 1 .. $STREAMS;
for my $stream (@streams) {
    $stream->ask(path => '/v1/chat/completions', body => Gate::chat(stream => 1),
                 headers => { 'X-Sim' => 'tokens=60;gap=50' });
    $stream->read_until(qr/data:/);
}
my $caller = $server->caller;
my @refused = map { id_of($caller->request(path => '/v1/chat/completions', body => '{')) } 1 .. $REFUSED;
my $kept = grep { /^01$/ } pairs(@refused);
cmp_ok($kept, '<', $REFUSED, "$kept refusals fill the disk");
is(ask()->{status}, 503, 'no call is begun any more');
my @ends = map { $_->finish } @streams;
is(scalar(grep { $_->{whole} && $_->{status} == 200 } @ends), $STREAMS, 'who was there before has his answer');
is_deeply([pairs(map { id_of($_) } @ends)], [('11') x $STREAMS], 'and his end is on the disk, for which room was kept');
$disk->well;
ok(await_pairs(qr/^01$/, @refused), 'the others come when there is room again');
$server->stop;

# -------------------------------------------------------------------- it cannot be opened at all

begin('', fail => { open => 'EACCES' });
is(ask()->{status}, 503, 'a spool that cannot be opened is as one that is full');
like($server->said, qr/AI0604: AIAuditSpool \S+: it cannot be opened; this child tries again/, 'the log says so');
$disk->well;
ok(eval { Gate::await('the spool', sub { ask()->{status} == 200 }) }, 'it is tried again');
$server->stop;

# ------------------------------------------------------------------------------- sync first

# What the caller has got by the time that his end is written, and the disk is still at it.
sub got_before_sync
{
    my ($stream) = @_;
    $disk->hold('sync');
    my $caller = $server->caller;
    my $mark = Gate::mark();
    $caller->ask(path => '/v1/chat/completions', body => Gate::chat(stream => $stream, script => "mark=$mark"));
    Gate::await('an end in the spool', sub {
        return grep { $_->{type} eq 'end' && $_->{json}{model} =~ /\Q$mark\E/ } Spool::records($folder);
    });
    # It must not come; a moment is enough for who does not wait.
    my $came = '';
    while (IO::Select->new($caller->connect)->can_read(0.3)) {
        sysread($caller->connect, $came, 65536, length $came) or last;
    }
    $caller->{in} = $came;
    $disk->well;
    return ($came, $caller->finish);
}

begin('AIAuditSync 0');
my ($came, $answer) = got_before_sync(1);
unlike($came, qr/\r\n0\r\n/, 'AIAuditSync 0: a stream has no end before its record is on the disk');
like($came, qr/data:/, 'what comes before is not held');
ok($answer->{whole} && $answer->{status} == 200, 'then it ends');
($came, $answer) = got_before_sync(0);
ok($came !~ /\}\s*$/, 'nor does an answer in one piece');
ok($answer->{whole} && $answer->{status} == 200, 'then it comes');

$disk->fail(sync => 'EIO');
@answers = map { ask() } 1 .. $CALLS;
$disk->well;
my @served = map { id_of($_) } grep { $_->{status} == 200 } @answers;
ok(@served > 0, 'a sync that fails stops no answer');
ok(await_pairs(qr/^[1-9][1-9]$/, @served), 'and their ends are written once more');
$server->stop;

begin('AIAuditSync 10ms');
($came, $answer) = got_before_sync(1);
like($came, qr/\r\n0\r\n/, 'AIAuditSync 10ms: an answer waits for no disk');
done_testing();
