#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Are metrics as Prometheus wants them, are docs, dashboard and alerts of those that there are, and do
# the alerts go off?
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP ();
use lib dirname(__FILE__);
use Guard;

my ($promtool) = grep { -x } build() . '/prometheus/usr/bin/promtool', map { "$_/promtool" } split /:/, $ENV{PATH};
die "there is no promtool; run build/setup --tests\n" if !$promtool;
my $dir = tempdir(CLEANUP => 1);

# What promtool says of some input, and whether it is well.
sub promtool
{
    my ($input, @command) = @_;
    my $file = "$dir/input";
    open(my $fh, '>', $file) or die "$file: $!\n";
    print $fh $input;
    close($fh) or die "$file: $!\n";
    my $said = `cd $dir && $promtool @command <$file 2>&1`;
    return ($? == 0, $said);
}

# ------------------------------------------------------------------------------ what the code has

my (%row, @twice);
for my $file (files(qr/\.c$/, 'modules')) {
    my $text = slurp($file);
    my %macro = $text =~ /^#define (\w+_LABELS)\s+((?:.*\\\n)*.*)$/mg;
    while ($text =~ /\{\s*\.name = "(\w+)",(.*?)\},?\n(?=\s*\[|\};)/sg) {
        my ($name, $rest) = ($1, $2);
        $rest =~ s/\b(\w+_LABELS)\b/$macro{$1} \/\/ ''/ge;
        $rest =~ s/\\\n/\n/g;
        my ($kind)   = $rest =~ /\.kind\s*=\s*AI_METRIC_(\w+)/;
        my ($labels) = $rest =~ /\.labels\s*=\s*\{(.*?)(?:\}|$)/s;
        my ($unit)   = $rest =~ /\.unit\s*=\s*AI_METRIC_(\w+)/;
        push @twice, $name if $row{$name};
        $row{$name} = { kind => lc($kind // ''), unit => lc($unit // ''), labels => [($labels // '') =~ /"(\w+)"/g], file => $file };
    }
}
my $names = () = join('', map { slurp($_) } files(qr/\.c$/, 'modules')) =~ /\.kind = AI_METRIC_\w+/g;
cmp_ok(scalar(keys %row), '>', 20, 'metrics were found');
is(scalar(keys %row), $names, 'and none was overlooked');
rule('no metric is there twice', @twice);
rule('names are ai_... or gen_ai_...', grep { !/^(?:gen_)?ai_[a-z_]+$/ } sort keys %row);
rule('a counter ends in _total, and nothing else does', grep { (/_total$/ ? 1 : 0) != ($row{$_}{kind} eq 'counter') } sort keys %row);
rule('a name ends as its unit says',
     grep { my $unit = $row{$_}{unit}; $unit && $unit ne 'plain' && !/_$unit(?:_total)?$/ } sort keys %row);

# ------------------------------------------------------------------------------- what the docs say

my $docs = slurp('docs/metrics.md');
my (%doc, @doc_twice);
while ($docs =~ /^\| `(\w+)` \| (\w+) \| ([^|]*?) ?\| /mg) {
    my ($name, $kind, $labels) = ($1, $2, $3);
    push @doc_twice, $name if $doc{$name};
    $doc{$name} = { kind => $kind, labels => [$labels =~ /`(\w+)`/g] };
}
is_deeply([sort keys %doc], [sort keys %row], 'docs/metrics.md has the metrics of the code');
rule('each once', @doc_twice);
for my $what (qw(kind labels)) {
    is_deeply({ map { $_ => $doc{$_}{$what} } keys %doc }, { map { $_ => $row{$_}{$what} } keys %row }, "with their $what");
}

# ------------------------------------------------------------------------------ what is shown

sub free_port
{
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die "no free port: $!\n";
    return $socket->sockport;
}

delete $ENV{OPENAI_API_KEY};
my $conf   = top() . '/conf-examples/metrics.conf';
my $rundir = tempdir(CLEANUP => 1);
my $port   = free_port();
my $tools  = top() . '/build';
my $said   = `$tools/serve start $rundir $port $conf 2>&1`;
is($?, 0, 'metrics.conf starts') or diag($said);
$said = `$tools/chat $rundir $port $conf 2>&1`;
is($?, 0, 'and answers') or diag($said);
my $http = HTTP::Tiny->new(timeout => 20, no_proxy => ['127.0.0.1']);
my ($text, $end) = ('', time + 20);
while (time < $end && $text !~ /^ai_requests_total\{/m) {    # it is counted behind its answer
    $text = $http->get("http://127.0.0.1:$port/metrics")->{content} // '';
    select(undef, undef, undef, 0.01);
}
my $open = $http->get("http://127.0.0.1:$port/metrics",
                      { headers => { Accept => 'application/openmetrics-text; version=1.0.0' } })->{content} // '';
`$tools/serve stop $rundir 2>&1`;

my ($well, $words) = promtool($text, qw(check metrics));
ok($well && $words eq '', 'promtool check metrics finds nothing') or diag($words);
like($open, qr/\n# EOF\n\z/, 'OpenMetrics has its end');
my %shown = $text =~ /^# TYPE (\w+) (\w+)$/mg;
is_deeply(\%shown, { map { $_ => $row{$_}{kind} } keys %row }, 'every metric is shown, and no other');
my (%label, @strange);
for my $line (grep { !/^#/ } split /\n/, $text) {
    my ($name) = $line =~ /^(\w+)/;
    my $metric = $row{$name} ? $name : $name =~ s/_(?:bucket|sum|count)$//r;
    for my $label ($line =~ /[{,](\w+)="/g) {
        push @strange, "$metric: $label" if $label ne 'le' && !grep { $_ eq $label } @{ $row{$metric}{labels} // [] };
    }
}
rule('no label is there that the row does not have', @strange);

# -------------------------------------------------------------------------- dashboard and alerts

my %sample = (job => {}, map {
    my $name = $_;
    my %labels = map { $_ => 1 } @{ $row{$name}{labels} }, qw(job instance);
    $row{$name}{kind} eq 'histogram'
        ? ("${name}_bucket" => { %labels, le => 1 }, "${name}_sum" => \%labels, "${name}_count" => \%labels)
        : ($name => \%labels);
} keys %row);

# What is wrong with a PromQL text: names and labels that there are not.
sub wrong_with
{
    my ($where, $expr) = @_;
    my @wrong;
    my @names = $expr =~ /\b((?:gen_)?ai_\w+)\b(?!(?:=~|!~|!=|="))/g;
    my %labels = map { %{ $sample{$_} // {} } } @names;
    my @metrics;
    for my $name (@names) {
        push @metrics, $name if $sample{$name};
        push @wrong, "$where: $name" if !$sample{$name} && !$labels{$name};
    }
    while ($expr =~ /\b(\w+)\{([^}]*)\}/g) {
        my ($metric, $matchers) = ($1, $2);
        push @wrong, map { "$where: $metric\{$_\}" } grep { !$sample{$metric}{$_} } $matchers =~ /(\w+)\s*(?:=~|!~|!=|=)/g if $metric ne 'up';
    }
    while ($expr =~ /\bby \(([^)]*)\)/g) {
        push @wrong, map { "$where: by $_" } grep { !$labels{$_} } $1 =~ /(\w+)/g;
    }
    push @wrong, "$where: no metric of ours" if !@metrics && $expr !~ /\bup\{/;
    return @wrong;
}

my $dashboard = eval { JSON::PP->new->utf8->decode(slurp('conf-examples/grafana-dashboard.json')) };
ok($dashboard, 'the dashboard is JSON') or diag($@);
my @exprs = map { my $panel = $_; map { [$panel->{title}, $_->{expr}] } @{ $panel->{targets} // [] } } @{ $dashboard->{panels} // [] };
cmp_ok(scalar(@exprs), '>', 20, 'with panels');
rule('its panels ask for metrics and labels that there are', map { wrong_with(@$_) } @exprs);
my (%id, @overlap);
$id{ $_->{id} }++ for @{ $dashboard->{panels} };
rule('each panel has an id of its own', grep { $id{$_} > 1 } keys %id);
my $rules = join('', map { my ($title, $expr) = @$_; $expr =~ s/\$__rate_interval/5m/g; $expr =~ s/\$job/mod_ai/g;
                           "      - record: panel\n        expr: '$expr'\n        labels: { panel: \"$title\" }\n" } @exprs);
($well, $words) = promtool("groups:\n  - name: panels\n    rules:\n$rules", qw(check rules input));
ok($well, 'and are PromQL') or diag($words);

my $alerts = slurp('conf-examples/alerts.yml');
($well, $words) = promtool($alerts, qw(check rules input));
ok($well && $words =~ /SUCCESS: (\d+) rules/ && $1 > 10, 'promtool check rules takes the alerts') or diag($words);
my %alert;
while ($alerts =~ /- alert: (\w+)\n\s+expr: (?:>-\n((?:\s{10,}.*\n)+)|(.*)\n)/g) {
    $alert{$1} = $2 // $3;
}
is(scalar(keys %alert), scalar(() = $alerts =~ /- alert:/g), 'each alert has its expression');
rule('they ask for metrics and labels that there are', map { wrong_with($_, $alert{$_}) } sort keys %alert);

# ----------------------------------------------------------------------------- do they go off?

# Series of an hour, one value a minute; the alerts that must be on at its end, and no others.
my %quiet = (
    'up{job="mod_ai",instance="a"}' => '1x70',
    'ai_requests_total{job="mod_ai",outcome="answer"}' => '0+600x70',
    'ai_requests_total{job="mod_ai",outcome="failure"}' => '0+6x70',
    'ai_attempts_total{job="mod_ai",target="t"}' => '0+600x70',
    'ai_attempts_total{job="mod_ai",target="t",error_type="400"}' => '0+300x70',
    'ai_attempts_total{job="mod_ai",target="t",error_type="client-abort"}' => '0+300x70',
    'ai_attempts_total{job="mod_ai",target="t",error_type="503"}' => '0+60x70',
    'ai_target_key_good{job="mod_ai",target="t",key="k"}' => '1x70',
    'gen_ai_server_time_to_first_token_seconds_bucket{job="mod_ai",gen_ai_request_model="m",le="1.0"}' => '0+600x70',
    'gen_ai_server_time_to_first_token_seconds_bucket{job="mod_ai",gen_ai_request_model="m",le="+Inf"}' => '0+600x70',
    'ai_overhead_seconds_bucket{job="mod_ai",endpoint="chat",le="0.001"}' => '0+600x70',
    'ai_overhead_seconds_bucket{job="mod_ai",endpoint="chat",le="+Inf"}' => '0+600x70',
    'ai_refusals_total{job="mod_ai",reason="invalid_api_key"}' => '0+1x70',
    'ai_audit_records_total{job="mod_ai",type="end",result="written"}' => '0+600x70',
    'ai_audit_records_total{job="mod_ai",type="end",result="lost"}' => '0x70',
    'ai_audit_sync_failures_total{job="mod_ai"}' => '0x70',
    'ai_audit_spool_readable{job="mod_ai"}' => '1x70',
    'ai_audit_ship_events_total{job="mod_ai",event="trouble"}' => '0+1x70',
    'ai_audit_ship_lag_seconds{job="mod_ai"}' => '5x70',
    'ai_estimate_ratio_bucket{job="mod_ai",gen_ai_token_type="input",gen_ai_request_model="m",le="0.9"}' => '0+6x140',
    'ai_estimate_ratio_count{job="mod_ai",gen_ai_token_type="input",gen_ai_request_model="m"}' => '0+600x140',
    'ai_metrics_other_total{job="mod_ai"}' => '0x70',
    'ai_target_key_source_failures_total{job="mod_ai",target="t",key="k"}' => '0x70',
);
my @cases = (
    ['AIGatewayAway', 'up{job="mod_ai",instance="a"}', '0x70'],
    ['AICallersFail', 'ai_requests_total{job="mod_ai",outcome="failure"}', '0+60x70'],
    ['AITargetFails', 'ai_attempts_total{job="mod_ai",target="t",error_type="503"}', '0+600x70'],
    ['AITargetWithoutKey AITargetKeyRefused', 'ai_target_key_good{job="mod_ai",target="t",key="k"}', '0x70'],
    ['AIFirstTokenSlow', 'gen_ai_server_time_to_first_token_seconds_bucket{job="mod_ai",gen_ai_request_model="m",le="10.0"}', '0+900x70',
     'gen_ai_server_time_to_first_token_seconds_bucket{job="mod_ai",gen_ai_request_model="m",le="+Inf"}' => '0+900x70'],
    ['AIGatewaySlow', 'ai_overhead_seconds_bucket{job="mod_ai",endpoint="chat",le="0.05"}', '0+900x70',
     'ai_overhead_seconds_bucket{job="mod_ai",endpoint="chat",le="+Inf"}' => '0+900x70'],
    ['AIKeysAreTried', 'ai_refusals_total{job="mod_ai",reason="invalid_api_key"}', '0+60x70'],
    ['AIAuditNotWritten', 'ai_audit_records_total{job="mod_ai",type="end",result="lost"}', '0+1x70'],
    ['AIAuditDiskFails', 'ai_audit_sync_failures_total{job="mod_ai"}', '0+1x70'],
    ['AIAuditDiskFails', 'ai_audit_spool_readable{job="mod_ai"}', '0x70'],
    ['AIAuditLate', 'ai_audit_ship_lag_seconds{job="mod_ai"}', '900x70'],
    ['AIAuditAltered', 'ai_audit_ship_events_total{job="mod_ai",event="altered"}', '0+1x70'],
    ['AIEstimatesLow', 'ai_estimate_ratio_bucket{job="mod_ai",gen_ai_token_type="input",gen_ai_request_model="m",le="0.9"}', '0+60x140', at => '130m'],
    ['AIMetricsFull', 'ai_metrics_other_total{job="mod_ai"}', '0+1x70'],
    ['AITargetKeySourceFails', 'ai_target_key_source_failures_total{job="mod_ai",target="t",key="k"}', '0+1x70'],
    [''],
);
my %tried;
for my $case (@cases) {
    my ($want, @series) = @$case;
    my %series = (%quiet, @series);
    my $at = delete $series{at} // '60m';
    my %on = map { $_ => 1 } split / /, $want;
    $tried{$_} = 1 for keys %on;
    my $input = join('', map { "      - series: '$_'\n        values: '$series{$_}'\n" } sort keys %series);
    # An alert that is on has labels of its own, which are not of interest: so it is asked by number.
    my $test = join('', map { "      - expr: count(ALERTS{alertname=\"$_\",alertstate=\"firing\"}) or vector(0)\n        eval_time: $at\n"
                              . "        exp_samples: [ { labels: '{}', value: " . ($on{$_} ? 1 : 0) . " } ]\n" } sort keys %alert);
    open(my $fh, '>', "$dir/alerts.yml") or die "alerts: $!\n";
    print $fh $alerts;
    close($fh);
    open($fh, '>', "$dir/test.yml") or die "test: $!\n";
    print $fh "rule_files: [ alerts.yml ]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n$input    promql_expr_test:\n$test";
    close($fh);
    ($well, $words) = promtool('', qw(test rules test.yml));
    ok($well, $want ? "$want goes off, and nothing else (" . ($series[0] =~ s/\{.*//r) . ')' : 'on a quiet site no alert goes off') or diag(substr($words, 0, 1500));
}
rule('every alert was tried', grep { !$tried{$_} } sort keys %alert);
done_testing();
