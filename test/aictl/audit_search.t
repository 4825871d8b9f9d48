#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# audit_search.t - does aictl find in the audit what was asked for? In SQLite, in a spool, among very many
# calls; and what does it say where it was not understood?
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use POSIX ();
use lib dirname(__FILE__), dirname(__FILE__) . '/../t/lib';
use Aictl;
use AuditRows;
use AuditSearch;

mkdir("$dir/lite");
$ENV{AI_DATABASE} = "sqlite3 $dir/lite/audit.db";
test_engine('sqlite3', sub { fill_sqlite("$dir/lite/audit.db", @_) });

# ------------------------------------------------------------------------------ the spool

{
    local $ENV{AI_DATABASE};
    my $spool = "$dir/spool";
    mkdir($spool, 0700);
    my ($first, $second) = (AuditRows->new('node-3', 7), AuditRows->new('node-3', 8));
    my @ids = map { AuditRows::call_id(700_000 + $_, 3) } 1 .. 3;
    my %call = (method => 'POST', path => '/v1/chat/completions', endpoint => 'chat', model => 'm', time => $start,
                deny => 'no_target', status => 503, attempts => [map { { target => "t$_", status => 0, reason => 'connect', us => 5 } } 1, 2],
                road => [{ stage => 'route', decision => 'targets', reason => 't1,t2', us => 1500 }]);
    $first->call({ %call, id => $ids[0] });
    $first->call({ %call, id => $ids[1] }, end => 0);
    $first->frame('prompt', $ids[1], $start, 'part one, ');
    $second->frame('prompt', $ids[1], $start, 'part two');
    $second->frame('note', $ids[0], $start + 1, '{"v":1,"feedback":1}');
    $_->write_spool($spool) for $first, $second;
    my $words = output('explain', '--spool', $spool, $ids[0]);
    like($words, qr/1\.50 ms  route      targets: t1,t2\n/, 'explain --spool: the road');
    like($words, qr/1\. t1: no answer came after 0\.01 ms; it failed: connect\n/, 'the attempts');
    like($words, qr/^It failed: no_target, after 2 attempts\.$/m, 'and what came of it');
    for my $ended ([3, 'error', 'It broke off'], [4, 'client-abort', 'The caller left']) {
        my ($n, $finish, $said) = @$ended;
        my $rows = AuditRows->new('node-3', 7 + $n);
        $rows->call({ %call, id => AuditRows::call_id(700_001 + $n, 3), deny => undef, status => 200, finish => $finish, target => 't1',
                      attempts => [{ target => 't1', status => 200, us => 5 }] });
        $rows->write_spool($spool);
        like(output('explain', '--spool', $spool, AuditRows::call_id(700_001 + $n, 3)),
             qr/^$said before the answer of t1 was over\.$/m, "explain: $finish");
    }
    my $shown = $json->decode(output('audit', 'show', '--spool', $spool, '--json', $ids[0]));
    is_deeply($shown->{record}, $json->decode($first->text($ids[0])), 'show --spool: the record');
    is($shown->{notes}[0]{feedback}, 1, 'and a note of another segment');
    like(output('explain', '--spool', $spool, $ids[1]), qr/^It is not over/m, 'a call without an end');
    is(output('audit', 'show', '--spool', $spool, '--prompt', $ids[1]), 'part one, part two', 'a prompt in two segments');
    said_no(1, qr/several calls have ids that begin/, 'a beginning of several', run('explain', '--spool', $spool, substr($ids[0], 0, 20)));
    said_no(1, qr{^aictl: $spool: has no call}, 'none of that id', run('explain', '--spool', $spool, $ids[2]));

    # What was shipped from there is found as it was.
    my $long = join ' ', map { "word $_" } 1 .. 1500;
    my $third = AuditRows->new('node-3', 9);
    $third->call({ %call, id => $ids[2], metadata => { long => $long } });
    $third->frame('answer', $ids[2], $start, $long);
    $third->write_spool($spool);
    mkdir("$dir/shipped");
    my @database = ('--database', "sqlite3 $dir/shipped/audit.db");
    is((run('db', 'init', @database))[0], 0, 'a database for them');
    is((run('audit', 'ship', '--once', '--spool', $spool, @database))[0], 0, 'they are shipped');
    is(output('audit', 'export', 'metadata.long!=', @database), $third->text($ids[2]) . "\n", 'a long record is found by what is in it');
    is(output('audit', 'show', '--answer', $ids[2], @database), $long, 'and a long answer');
    like(output('explain', $ids[0], @database), qr/^It failed: no_target, after 2 attempts\.$/m, 'explain');
    like(output('audit', 'show', $ids[1], @database), qr/^estimated: /m, 'what has no end is estimated');
    is_deeply([map { $_->{id} } @{ objects(output('audit', 'search', 'feedback=1', '--format', 'json', @database)) }], [$ids[0]],
              'what was said of a call is searched by');

    # What somebody wrote into the database is no line of aictl's own, and steers no terminal.
    is(system('python3', '-c', 'import sqlite3, sys
base = sqlite3.connect(sys.argv[1], isolation_level=None)
base.execute("UPDATE ai_audit_calls SET model = ?", ("x" + chr(27) + "[2J" + chr(10) + "0 findings",))',
              "$dir/shipped/audit.db"), 0, 'a model is changed');
    my ($status, $found) = run('audit', 'verify', @database);
    is($status, 1, 'verify finds it');
    like($found, qr/^record \S+: column model of ai_audit_calls is 'x\\x1b\[2J\\x0a0 findings', /m, 'and quotes it so that it is visible');
    unlike($found, qr/^0 findings|\e/m, 'and harmless');
    said_no(1, qr{/nowhere: cannot be read}, 'no spool', run('explain', '--spool', "$dir/nowhere", $ids[2]));
}

# ----------------------------------------------------------------- what is not understood

for my $case (
    [['audit', 'search', 'nothing'], qr/^aictl: nothing: a filter is FIELD=VALUE/],
    [['audit', 'search', 'color=red'], qr/^aictl: color=red: there is no field 'color', but id, time, .*metadata\.NAME/],
    [["audit", 'search', "c\e[31m=1"], qr/^aictl: c\\x1b\[31m=1: there is no field 'c\\x1b/],
    [['audit', 'search', 'status=many'], qr/^aictl: status=many: 'many' is no whole number/],
    [['audit', 'search', 'status>1,2'], qr/takes one number/],
    [['audit', 'search', 'status>99999999999999999999'], qr/is no whole number/],
    [['audit', 'search', 'model>5'], qr/model>5: is a text: = != ~ !~ can be asked of it/],
    [['audit', 'search', 'status~5'], qr/is a number: = != < <= > >=/],
    [['audit', 'search', 'stream=maybe'], qr/'maybe' is not 0 or 1/],
    [['audit', 'search', 'model~'], qr/what is to be in it is missing/],
    [['audit', 'search', 'time>5'], qr/say --since and --until/],
    [['audit', 'search', 'model=' . 'x' x 1000], qr/1000 bytes at most/],
    [['audit', 'search', 'model=' . join(',', 1 .. 102)], qr/100 alternatives at most/],
    [['audit', 'search', map { 'status=200' } 1 .. 51], qr/50 filters at most/],
    [['audit', 'search', '--since', 'yesterday'], qr/^aictl: --since: 'yesterday' is no time: .*2026-12-31T23:59:59Z/],
    [['audit', 'search', '--until', '2026-02-30'], qr/^aictl: --until: /],
    [['audit', 'search', '--limit', '-1'], qr/^aictl: --limit: /],
    [['audit', 'search', '--order', 'model'], qr/^aictl: --order: must be one of newest, oldest/],
    [['audit', 'search', '--format', 'xml'], qr/^aictl: --format: must be one of table, json, csv/],
    [['audit', 'search', '--columns', 'id,nothing'], qr/^aictl: --columns: there is no field 'nothing'/],
    [['audit', 'search', '--columns', 'feedback'], qr/^aictl: --columns: feedback is told by "aictl audit show"/],
    [['audit', 'search', '--by', 'model'], qr/--by is no option of "audit search"/],
    [['audit', 'tail', '--limit', '10001'], qr/^aictl: --limit: may be 10000 at most/],
    [['audit', 'tail', '--interval', '0'], qr/^aictl: --interval: /],
    [['audit', 'export', '--columns', 'id'], qr/^aictl: --columns: is for --format csv/],
    [['audit', 'show'], qr/^aictl: usage: aictl audit show/],
    [['audit', 'show', '--json', '--prompt', 'x'], qr/^aictl: usage: aictl audit show/],
    [['explain'], qr/^aictl: usage: aictl explain ID/],
    [['usage'], qr/^aictl: usage: aictl usage --by/],
    [['usage', '--by', 'cost'], qr/^aictl: --by: calls are not put together by cost/],
    [['usage', '--by', 'a,b'], qr/^aictl: --by: there is no field 'a'.*; or day/],
    [['usage', '--by', 'model,model,model,model,model,model,model'], qr/^aictl: --by: takes 6 names at most/],
    [['usage', '--by', 'day', '--zone', '+25:00'], qr/^aictl: --zone: must be Z, or hours and minutes/],
) {
    my @words = @{ $case->[0] };
    said_no(2, $case->[1], substr(search_visible("@words"), 0, 60), run(@words));
}
sub search_visible { return $_[0] =~ s/[^\x20-\x7e]/./gr }
{
    my ($status, $out, $err) = Aictl::program_with('audit', 'search', "model=\xff");
    said_no(2, qr/^aictl: model=\\xff: a filter must be UTF-8/, 'what is no UTF-8', $status, $out, $err);
    local $ENV{AI_DATABASE};
    said_no(1, qr/which database\?/, 'no database', run('audit', 'search'));
    said_no(1, qr/say --database or --spool/, 'two places', run('explain', '--database', 'sqlite3 x', '--spool', 'y', 'abcd'));
}

# --------------------------------------------------------------------------- very many calls

{
    mkdir("$dir/many");
    local $ENV{AI_DATABASE} = "sqlite3 $dir/many/audit.db";
    is((run('db', 'init'))[0], 0, 'many: db init');
    fill_sqlite("$dir/many/audit.db", "INSERT INTO ai_audit_calls (id, time, model, status, tokens_prompt, cost_nanousd, estimated, frame)
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
        SELECT printf('019abcde-1234-7000-8000-%012x', i), $start + i / 1000, 'gpt-' || (i % 7), 200, i, 9000000000000, 0, 'none' FROM n;\n");
    my $pid = open(my $out, '-|') // die "fork: $!\n";
    if (!$pid) {
        open(STDERR, '>', '/dev/null');
        { exec(program(), qw(audit search --limit 0 --format csv status=200 --columns), 'id,model') }
        POSIX::_exit(127);
    }
    my $resident = sub {
        open(my $fh, '<', "/proc/$pid/status") or die "/proc/$pid/status: $!\n";
        return (map { /^VmRSS:\s+(\d+)/ } <$fh>)[0];
    };
    my ($n, $early, $late, $last, $twice) = (0, 0, 0, 'z', 0);
    while (defined(my $line = <$out>)) {
        next if $n++ == 0;
        my $id = substr($line, 0, 36);
        $twice++ if $id ge $last;
        $last  = $id;
        $early = $resident->() if $n == 20_000;
        $late  = $resident->() if $n == 980_000;
    }
    close($out);
    is($n, 1_000_001, 'a million calls are printed');
    is($twice, 0, 'each once, in order');
    cmp_ok($late - $early, '<', 4096, "with the memory of a few ($early KB, then $late KB)");
    my $sum = objects(output('usage', '--by', 'status', '--format', 'json'))->[0];
    is_deeply([@$sum{qw(calls tokens.prompt cost)}], [1_000_000, 500_000_500_000, '9000000000.00'], 'sums are exact');
    fill_sqlite("$dir/many/audit.db", "UPDATE ai_audit_calls SET cost_nanousd = 9000000000000000000 WHERE id < '019abcde-1234-7000-8000-000000000005';\n");
    said_no(1, qr/aictl: .*(?:overflow|no number of 64 bits)/, 'a sum that is too large is no wrong one', run('usage', '--by', 'status'));
}
done_testing();
