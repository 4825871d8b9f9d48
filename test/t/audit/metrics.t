#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# metrics.t - do the metrics say how the spool is, and what became of records?

use strict;
use warnings;

use AuditBase ();
use AuthServer ();
use File::Temp qw(tempdir);
use Gate ();
use Metrics ();
use OwnServer ();
use Spool ();
use Test::More;

my $folder = tempdir('ai-spool-XXXXXX', TMPDIR => 1, CLEANUP => 1) . '/spool';
my $server = OwnServer->new(children => 4, conf => <<"END");
AIAuditSpool $folder
<AITarget sim>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
</AITarget>
<Location /v1>
    AIEngine On
    AIAnonymous On
    AIAudit On
    AIRoute m sim
</Location>
<Location /metrics>
    SetHandler ai-metrics
</Location>
END

my $seen = Metrics::read_from($server);
is_deeply([map { $seen->sum($_) } qw(ai_audit_records_total ai_audit_ship_lag_seconds ai_audit_sync_failures_total)],
          [0, 0, 0], 'before there is a record nothing waits');
is($seen->sum('ai_audit_spool_readable'), 1, 'the spool can be read');

my $calls = 12;
my $id;
for (1 .. $calls) {
    my $answer = $server->caller->request(path => '/v1/chat/completions', body => Gate::chat());
    $id = $answer->{headers}{'x-request-id'};
}
$server->caller->request(path => '/v1/chat/completions', body => '{');
Spool::await_end($folder, $id);
$seen = Metrics::await($server, 'all records', sub { $_[0]->sum('ai_audit_records_total', type => 'end') == $calls + 1 });
my %types;
$types{ $_->{type} }++ for Spool::records($folder);
for my $type (qw(begin end)) {
    is($seen->sum('ai_audit_records_total', type => $type, result => 'written'), $types{$type},
       "as many a $type as there are on the disk");
}
my @files = Spool::segments($folder);
my $bytes = 0;
$bytes += -s $_ for @files;
is($seen->sum('ai_audit_spool_segments'), scalar(@files), 'segments are files');
is($seen->sum('ai_audit_spool_bytes'), $bytes, 'and bytes are theirs');
my ($empty) = (192 * grep { -s $_ == 192 } @files);    # children that had no call yet
is($seen->sum('ai_audit_unshipped_bytes'), $bytes - $empty, 'nothing was shipped');
my $lag = $seen->sum('ai_audit_ship_lag_seconds');
cmp_ok($lag, '>', 0, 'so the oldest record waits');
cmp_ok(Metrics::read_from($server)->sum('ai_audit_ship_lag_seconds'), '>', $lag, 'and grows older');

# A folder that is away cannot be read; who asks learns of it and gets the rest.
rename($folder, "$folder.away") or die "$folder: $!\n";
$seen = Metrics::read_from($server);
is($seen->sum('ai_audit_spool_readable'), 0, 'a folder that is away cannot be read');
is(scalar($seen->samples('ai_audit_spool_bytes')), 0, 'and no number is made up');
is($seen->sum('ai_audit_records_total', type => 'end'), $calls + 1, 'what was counted is there');
rename("$folder.away", $folder) or die "$folder: $!\n";

# Children that cannot write there take no calls.
chmod(0500, $folder) or die "$folder: $!\n";
$server->graceful;
my $answer = Gate::await('a refusal', sub {
    my $seen = $server->caller->request(path => '/v1/chat/completions', body => Gate::chat());
    return $seen->{status} == 503 ? $seen : undef;
});
$seen = Metrics::await($server, 'its end', sub { $_[0]->sum('ai_refusals_total', reason => 'audit_unavailable') > 0 });
is($seen->sum('ai_audit_records_total', type => 'begin', result => 'refused'),
   $seen->sum('ai_refusals_total', reason => 'audit_unavailable'), 'a begin that is refused is counted as such');
is($seen->sum('ai_audit_records_total', type => 'end', result => 'refused'),
   $seen->sum('ai_refusals_total', reason => 'audit_unavailable'), 'and so is its end');
is($seen->sum('ai_audit_records_total', type => 'end', result => 'saved'), 0, 'which is held');
chmod(0700, $folder) or die "$folder: $!\n";
$seen = Metrics::await($server, 'the ends that are held', sub {
    return $_[0]->sum('ai_audit_records_total', type => 'end', result => 'saved')
        == $_[0]->sum('ai_audit_records_total', type => 'end', result => 'refused');
});
is($seen->sum('ai_audit_records_total', result => 'lost'), 0, 'and saved, once there is room: none is lost');

# Children that end with ends in hand lose them, and say so.
chmod(0500, $folder) or die "$folder: $!\n";
$server->graceful;
my $refused = $seen->sum('ai_refusals_total');
Gate::await('a refusal', sub {
    return $server->caller->request(path => '/v1/chat/completions', body => Gate::chat())->{status} == 503;
});
$server->graceful;
$seen = Metrics::await($server, 'the loss', sub { $_[0]->sum('ai_audit_records_total', type => 'end', result => 'lost') > 0 });
is($seen->sum('ai_audit_records_total', type => 'end', result => 'lost'),
   $seen->sum('ai_refusals_total', reason => 'audit_unavailable') - $refused + 1, 'what a child takes along is counted as lost');
chmod(0700, $folder) or die "$folder: $!\n";
$server->stop;

# -------------------------------------------------------------------------- records are shipped

my $base = AuditBase->new('sqlite3');
$folder = tempdir('ai-spool-XXXXXX', TMPDIR => 1, CLEANUP => 1) . '/spool';
$server = AuthServer->new([], $base->conf . <<"END", children => 4);
AIAuditSpool $folder
AIAuditSync 5ms
<Location "/v1">
    AIEngine On
    AIAudit On
    AIRoute * sim
    AIAnonymous On
    Require all granted
</Location>
<Location "/metrics">
    SetHandler ai-metrics
    Require all granted
</Location>
END
$server->caller->request(path => '/v1/chat/completions', body => Gate::chat()) for 1 .. $calls;
$seen = Metrics::await($server, 'all records in the database', sub {
    return $_[0]->sum('ai_audit_shipped_records_total', result => 'shipped') == 2 * $calls;
});
my ($rows) = $base->rows('SELECT COUNT(*) FROM ai_audit_frames');
is($rows->[0], 2 * $calls, 'as many as there are');
$seen = Metrics::await($server, 'the checkpoint', sub { $_[0]->sum('ai_audit_ship_lag_seconds') == 0 });
is($seen->sum('ai_audit_unshipped_bytes'), 0, 'and nothing waits');
$base->away;
$server->caller->request(path => '/v1/chat/completions', body => Gate::chat());
$seen = Metrics::await($server, 'trouble', sub { $_[0]->sum('ai_audit_ship_events_total', event => 'trouble') == 1 });
cmp_ok($seen->sum('ai_audit_ship_lag_seconds'), '>', 0, 'a database that is away lets them wait');
$base->back;
Metrics::await($server, 'the rest', sub {
    return $_[0]->sum('ai_audit_ship_events_total', event => 'resumed') == 1
        && $_[0]->sum('ai_audit_shipped_records_total', result => 'shipped') == 2 * $calls + 2
        && $_[0]->sum('ai_audit_ship_lag_seconds') == 0;
});
pass('until it is back');
$server->stop;
done_testing();
