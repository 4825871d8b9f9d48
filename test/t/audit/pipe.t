#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# pipe.t - does a program get each record as a line, and can a service do the shipping?
#
# AIAuditPipe with a program that is killed in between; AIAuditShip Off with aictl audit ship.

use strict;
use warnings;

use AuditBase ();
use AuthServer ();
use File::Temp qw(tempdir);
use Gate ();
use POSIX ();
use Test::More;

my $dir = tempdir('ai-pipe-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $service;
my $owner = $$;
END { kill('KILL', $service) if $service && $$ == ($owner // 0) }

sub start
{
    my ($base, $folder, $more) = @_;
    return AuthServer->new([], $base->conf . <<"END", children => 3);
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

sub ask_some
{
    my ($server, $n) = @_;
    return map {
        $server->caller->request(path => '/v1/chat/completions', body => Gate::chat(script => 'tokens=3'))
            ->{headers}{'x-request-id'}
    } 1 .. $n;
}

# The ids of whole lines in a file, and how often each came.
sub ids_in
{
    my ($file) = @_;
    open(my $fh, '<', $file) or return {};
    my %seen;
    for my $line (<$fh>) {
        next if $line eq "\n" || $line !~ /\n\z/;
        my $record = eval { Gate::from_json($line) } or do { fail("a line that is no JSON: $line"); next };
        $seen{$record->{id}}++;
    }
    return \%seen;
}

sub await_ids
{
    my ($file, @ids) = @_;
    return Gate::await("lines in $file", sub {
        my $seen = ids_in($file);
        return !grep { !$seen->{$_} } @ids;
    });
}

# Writes what it gets to a file, and its own process id to another.
open(my $fh, '>', "$dir/program") or die "$dir/program: $!\n";
print $fh <<'END';
use strict;
my $dir = shift;
open(my $pid, '>', "$dir/pid.new") or die; print $pid $$; close($pid); rename("$dir/pid.new", "$dir/pid");
open(my $out, '>>', "$dir/lines") or die; $out->autoflush(1);
print $out $_ while <STDIN>;
END
close($fh);

sub program_pid { open(my $in, '<', "$dir/pid") or return 0; return <$in> // 0 }

# ------------------------------------------------------------------------------- AIAuditPipe

my $base = AuditBase->new('sqlite3');
my $server = start($base, "$dir/spool", qq(AIAuditPipe "|$^X -MIO::Handle $dir/program $dir"));
my @ids = ask_some($server, 12);
ok(await_ids("$dir/lines", @ids), 'each call is a line');
$base->await_calls(@ids);
is_deeply([grep { $_ != 1 } values %{ ids_in("$dir/lines") }], [], 'once, as long as nothing breaks');

my $first = program_pid();
kill('KILL', $first) or die "the program is gone\n";
Gate::await('another program', sub { my $now = program_pid(); return $now && $now != $first });
push @ids, ask_some($server, 12);
ok(await_ids("$dir/lines", @ids), 'a program that dies is started again');
$server->graceful;
push @ids, ask_some($server, 6);
ok(await_ids("$dir/lines", @ids), 'and with another generation');

kill('STOP', my $deaf = program_pid());
my @more = ask_some($server, 6);
$base->await_calls(@more);
pass('one that does not read keeps nothing from the database');
kill('CONT', $deaf);
ok(await_ids("$dir/lines", @ids, @more), 'and gets all when it goes on');
$server->stop;

# --------------------------------------------------------------------------- aictl audit ship

$base = AuditBase->new('sqlite3');
$server = start($base, "$dir/off", 'AIAuditShip Off');
@ids = ask_some($server, 8);
unlike($server->said, qr/AI063/, 'AIAuditShip Off: httpd has nothing to say');

my ($lines, $said) = ("$dir/service", "$dir/service.said");
$service = fork() // die "fork: $!\n";
if (!$service) {
    open(STDIN, '<', '/dev/null');
    open(STDOUT, '>', $lines);
    open(STDERR, '>', $said);
    { exec($ENV{AI_AICTL}, qw(audit ship --lines --spool), "$dir/off", '--database', $base->words) };
    POSIX::_exit(127);
}
$base->await_calls(@ids);
ok(await_ids($lines, @ids), 'a service ships, and prints lines');
push @ids, ask_some($server, 8);
$base->await_calls(@ids);
ok(await_ids($lines, @ids), 'also what comes later');

$base->away;
push @ids, ask_some($server, 4);
Gate::await('what it says', sub { open(my $in, '<', $said) or return 0; local $/; return <$in> =~ /stay in the spool/ });
$base->back;
$base->await_calls(@ids);
pass('a database that is away is waited for');

my $other = `$ENV{AI_AICTL} audit ship --once --spool $dir/off --database '@{[ $base->words ]}' 2>&1`;
like($other, qr/somebody else ships/, 'a second one does not');
is($? >> 8, 1, 'and says so with its status');

kill('TERM', $service);
waitpid($service, 0);
is($?, 0, 'SIGTERM ends it well');
$service = 0;
push @ids, ask_some($server, 4);
$server->stop;
my $once = `$ENV{AI_AICTL} audit ship --once --spool $dir/off --database '@{[ $base->words ]}' 2>&1`;
is($?, 0, '--once ends by itself') or diag($once);
is(scalar(keys %{ $base->calls }), scalar(@ids), 'each call is there once');
ok(!glob("$dir/off/*.spool"), 'and no segment is left');

for my $wrong ([], ['--spool'], ['--spool', "$dir/off", 'more'], ['--spool', "$dir/off", '--whence', 'x']) {
    my $text = `$ENV{AI_AICTL} audit ship @$wrong --database '@{[ $base->words ]}' 2>&1`;
    is($? >> 8, 2, "'@$wrong' is not understood");
}
done_testing();
