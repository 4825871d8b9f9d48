#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# metrics.t - is what the handler ai-metrics says what has happened, and no more than it may say?
#
# A row is a request and which series must have grown by how much; no other counter may have.

use strict;
use warnings;

use Gate ();
use Metrics ();
use OwnServer ();
use Test::More;

my $server = OwnServer->new(conf => <<"END");
<AITarget sim>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
    AITargetKeyFile $ENV{AI_STAGE}/t/conf/core.key
    AITargetKeyAside Off
    AITargetForward X-Sim
    AITargetModel alias served-name
    AITargetPrice priced input=1 output=2.5
</AITarget>
<AITarget refusing>
    AITargetURL http://127.0.0.1:1/v1
</AITarget>
<Location /v1>
    AIEngine On
    AIAnonymous On
    AIRouteRetries 0
    AIRoute fallback refusing sim
    AIRoute broken refusing
    AIRoute m sim
    AIRoute alias sim
    AIRoute priced sim
    AIRoute wild-* sim
    AIRoute m?* sim
</Location>
<Location /metrics>
    SetHandler ai-metrics
    Require expr "! -n %{req:X-Stranger}"
</Location>
END

my $chat = '/v1/chat/completions';

# Counters of ours and counts of histograms; times and sums grow as they like.
sub counts_of
{
    my ($seen) = @_;
    return { map { my $l = $_->{labels}; (join(' ', $_->{name}, map { "$_=$l->{$_}" } sort keys %$l) => $_->{value}) }
             grep { $_->{name} =~ /_(?:total|count)$/ && $_->{name} !~ /^ai_target_key|^ai_metrics/ } @{ $seen->{samples} } };
}

my %openai = ('gen_ai_provider_name' => 'openai', 'gen_ai_operation_name' => 'chat');

sub series
{
    my ($name, %label) = @_;
    return join(' ', $name, map { "$_=$label{$_}" } sort keys %label);
}

# What an attempt adds; error is '' for none.
sub attempt
{
    my ($target, $asked, $sent, $status, $error) = @_;
    my %error = $error ? (error_type => $error) : ();
    my %model = (gen_ai_request_model => $asked, gen_ai_response_model => $sent, target => $target);
    return (series('ai_attempts_total', %model, ($status ? (status => $status) : ()), %error) => 1,
            series('gen_ai_client_operation_duration_seconds_count', %openai, %model, %error) => 1);
}

# What an answered call adds beside its attempts.
sub answered
{
    my ($asked, $sent, %o) = @_;
    my %model = (gen_ai_request_model => $asked, gen_ai_response_model => $sent, target => 'sim');
    return (
        series('ai_requests_total', endpoint => 'chat', dialect => 'openai', gen_ai_request_model => $asked,
               target => 'sim', status => '2xx', outcome => 'answer') => 1,
        series('ai_overhead_seconds_count', endpoint => 'chat') => 1,
        (map { series("gen_ai_server_${_}_seconds_count", %openai, %model) => 1 }
         qw(request_duration time_to_first_token), $o{stream} ? 'time_per_output_token' : ()),
        (map { series('gen_ai_client_token_usage_count', %openai, %model, gen_ai_token_type => $_) => 1 } qw(input output)),
        (map { series('ai_estimate_ratio_count', gen_ai_request_model => $asked, gen_ai_token_type => $_) => 1 } @{ $o{most} // ['input'] }),
        series('ai_tokens_total', %model, source => 'reported', gen_ai_token_type => 'input') => 7,
        series('ai_tokens_total', %model, source => 'reported', gen_ai_token_type => 'output') => 12,
    );
}

sub failed
{
    my ($asked, $target, $status, $outcome, $error) = @_;
    my %model = (gen_ai_request_model => $asked, target => $target);
    return (series('ai_requests_total', endpoint => 'chat', dialect => 'openai', %model, status => $status, outcome => $outcome) => 1,
            series('ai_overhead_seconds_count', endpoint => 'chat') => 1,
            series('gen_ai_server_request_duration_seconds_count', %openai, %model, gen_ai_response_model => $asked,
                   error_type => $error) => 1);
}

sub refused
{
    my ($reason, %o) = @_;
    return (series('ai_requests_total', endpoint => 'chat', dialect => 'openai', %o, status => '4xx', outcome => 'refusal') => 1,
            series('ai_refusals_total', endpoint => 'chat', reason => $reason) => 1,
            series('ai_overhead_seconds_count', endpoint => 'chat') => 1);
}

my @rows = (
    ['a chat', { body => Gate::chat() }, { answered('m', 'm'), attempt('sim', 'm', 'm', '2xx', '') }],
    ['a stream', { body => Gate::chat(stream => 1) },
        { answered('m', 'm', stream => 1), attempt('sim', 'm', 'm', '2xx', '') }],
    ['a model with another name at its target', { body => Gate::chat(model => 'alias') },
        { answered('alias', 'served-name'), attempt('sim', 'alias', 'served-name', '2xx', '') }],
    ['a fallback', { body => Gate::chat(model => 'fallback') },
        { answered('fallback', 'fallback'), attempt('sim', 'fallback', 'fallback', '2xx', ''),
          attempt('refusing', 'fallback', 'fallback', '', 'connect') }],
    ['no target answers', { body => Gate::chat(model => 'broken') },
        { failed('broken', 'refusing', '5xx', 'failure', 'upstream_unreachable'),
          attempt('refusing', 'broken', 'broken', '', 'connect') }],
    ['the provider is at its limit', { body => Gate::chat(), sim => 'status=429' },
        { failed('m', 'sim', '4xx', 'provider-error', '429'),
          attempt('sim', 'm', 'm', '4xx', '429') }],
    ['no JSON', { body => '{' }, { refused('invalid_json') }],
    ['a model that no route has', { body => Gate::chat(model => 'sk-secret-as-model') },
        { refused('model_not_found', gen_ai_request_model => 'other') }],
    ['a model of a wild route that no target knows', { body => Gate::chat(model => 'wild-guess'), sim => 'status=404' },
        { failed('other', 'sim', '4xx', 'provider-error', '404'),
          attempt('sim', 'other', 'other', '4xx', '404') }],
    ['a model of a wild route that a target knows', { body => Gate::chat(model => 'wild-one') },
        { answered('wild-one', 'wild-one'), attempt('sim', 'wild-one', 'wild-one', '2xx', '') }],
    ['what was known once is known', { body => Gate::chat(model => 'wild-one'), sim => 'status=404' },
        { failed('wild-one', 'sim', '4xx', 'provider-error', '404'),
          attempt('sim', 'wild-one', 'wild-one', '4xx', '404') }],
);

my $before = counts_of(Metrics::read_from($server));
is_deeply({ map { $_ => $before->{$_} } grep { $before->{$_} } keys %$before }, {}, 'at first all is 0');

for my $row (@rows) {
    my ($name, $request, $want) = @$row;
    my $sim = delete $request->{sim};
    my $n = Metrics::read_from($server)->sum('ai_requests_total');
    $server->caller->request(path => $chat, ($sim ? (headers => { 'X-Sim' => $sim }) : ()), %$request);
    my $now = counts_of(Metrics::await($server, $name, sub { $_[0]->sum('ai_requests_total') == $n + 1 }));
    my %grown = map { $_ => $now->{$_} - ($before->{$_} // 0) }
                grep { $now->{$_} != ($before->{$_} // 0) } keys %$now;
    is_deeply(\%grown, $want, $name) or diag(explain(\%grown));
    $before = $now;
}

# ---------------------------------------------------------------------- cost, and what was thought

$server->caller->request(path => $chat, body => Gate::chat(model => 'priced', more => { max_tokens => 48 })) for 1 .. 3;
my $priced = Metrics::await($server, 'what costs', sub { $_[0]->sum('ai_requests_total', gen_ai_request_model => 'priced') == 3 });
is($priced->sum('ai_cost_usd_total', gen_ai_request_model => 'priced', target => 'sim') . '', '0.000111',
   'three times 7 tokens for 1 and 12 for 2.50 a million: dollars to the last digit');
is($priced->sum('ai_estimate_ratio_sum', gen_ai_request_model => 'priced', gen_ai_token_type => 'output'), 12,
   'three times it was thought to take 48 tokens at the most, and took 12');
is($priced->sum('ai_estimate_ratio_bucket', gen_ai_request_model => 'priced', gen_ai_token_type => 'output', le => '5.0'), 3,
   'so four times too many');

# ------------------------------------------------------------------- what callers may write

$server->caller->request(path => $chat, body => Gate::to_json({ model => "wild-\"} \\x{}=,", messages => [{ role => 'user', content => 'x' }] }));
my $seen = Metrics::await($server, 'a strange name', sub {
    return $_[0]->samples('ai_requests_total', gen_ai_request_model => 'wild-\\"} \\\\x{}=,') == 1;
});
is($seen->sum('ai_requests_total', gen_ai_request_model => 'wild-\\"} \\\\x{}=,'), 1,
   'a strange name of a model stays in its quotes');
is_deeply([grep { /secret|guess/ } map { $seen->values_of($_) } qw(gen_ai_request_model gen_ai_response_model)], [],
          'what no target answered to is nowhere');

my $caller = $server->caller;
my $many = 300;
$caller->request(path => $chat, body => Gate::chat(model => "wild-$_")) for 1 .. $many;
$seen = Metrics::await($server, 'many models', sub { $_[0]->sum('ai_requests_total') == @rows + 4 + $many });
cmp_ok(scalar(my @names = $seen->values_of('gen_ai_request_model')), '<=', 200 + 10, 'many names do not become many labels');
cmp_ok($seen->sum('ai_requests_total', gen_ai_request_model => 'other', outcome => 'answer'), '>=', $many - 200,
       'but are counted as other');
is($seen->sum('ai_metrics_lost_total'), 0, 'and nothing is lost');
$caller->request(path => $chat, body => Gate::chat());
Metrics::await($server, 'one that was known', sub {
    return $_[0]->sum('ai_requests_total', gen_ai_request_model => 'm', outcome => 'answer') == 3;
});
pass('a model that the site names is itself, however many came before');

# Who asks and does not read keeps nobody but himself: another asks meanwhile, and calls are counted.
my $slow = $server->caller;
$slow->ask(path => '/metrics');
$server->caller->request(path => $chat, body => Gate::chat());
Metrics::await($server, 'a call beside a slow reader', sub {
    return $_[0]->sum('ai_requests_total', gen_ai_request_model => 'm', outcome => 'answer') == 4;
});
my $late = $slow->finish;
ok($late->{status} == 200 && $late->{whole} && eval { Metrics->parse($late->{body}) }, 'and gets it all in the end') or diag($@);

# -------------------------------------------------------------------------------- gauges, keys

$caller = $server->caller;
$caller->ask(path => $chat, body => Gate::chat(stream => 1), headers => { 'X-Sim' => 'stall=3' });
$caller->read_until(qr/"content":"[^"]/);
$seen = Metrics::read_from($server);
is_deeply([map { $seen->sum(@$_) } ['ai_requests_in_flight'], ['ai_attempts_in_flight', target => 'sim']], [1, 1],
          'a stream is under way');
$caller->close;
$seen = Metrics::await($server, 'its end', sub { $_[0]->sum('ai_requests_in_flight') == 0 });
is($seen->sum('ai_requests_total', outcome => 'client-abort', gen_ai_request_model => 'm'), 1, 'its caller left');
is($seen->sum('ai_attempts_total', error_type => 'client-abort', target => 'sim'), 1, 'which is no fault of the target');
my ($key) = $seen->samples('ai_target_key_attempts_total', target => 'sim');
is($key ? $key->{value} : 0, $seen->sum('ai_attempts_total', target => 'sim'), 'each attempt was made with the key');
is($seen->sum('ai_target_key_good', target => 'sim'), 1, 'which is good');

# A histogram's buckets hold what its sum and count say.
$server->caller->request(path => $chat, body => Gate::chat(model => 'alias'), headers => { 'X-Sim' => 'delay=300' });
$seen = Metrics::await($server, 'a slow one', sub { $_[0]->sum('ai_requests_total', gen_ai_request_model => 'alias') == 2 });
for my $name (qw(gen_ai_server_time_to_first_token gen_ai_server_request_duration gen_ai_client_operation_duration)) {
    my @of = ("${name}_seconds", gen_ai_request_model => 'alias');
    my ($sum, $n, $all) = map { $seen->sum("$of[0]_$_->[0]", @of[1, 2], @$_[1 .. $#$_]) } ['sum'], ['count'], ['bucket', le => '+Inf'];
    cmp_ok($sum, '>=', 0.3, "$name: the slow one is in the sum");
    cmp_ok($sum, '<', 5, "$name: in seconds");
    is($all, $n, "$name: all are in the last bucket");
    my @buckets = map { $_->{value} } sort { ($a->{labels}{le} =~ s/\+Inf/1e9/r) <=> ($b->{labels}{le} =~ s/\+Inf/1e9/r) } $seen->samples("$of[0]_bucket", @of[1, 2]);
    is_deeply(\@buckets, [sort { $a <=> $b } @buckets], "$name: each bucket has those below");
    is($seen->sum("$of[0]_bucket", @of[1, 2], le => { gen_ai_server_time_to_first_token => '0.25' }->{$name} // '0.16'), 1,
       "$name: the fast one is in a low one, the slow one is not");
}

# ------------------------------------------------------------------------------- who may ask how

my $answer = Metrics::answer_of($server);
is($answer->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'the type of the text');
is($answer->{headers}{'cache-control'}, 'no-store', 'nobody keeps it');
unlike($answer->{body}, qr/river|sk-provider-canary|# EOF/, 'no prompt, and no key');
$answer = Metrics::answer_of($server, headers => { Accept => 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3' });
is($answer->{headers}{'content-type'}, 'application/openmetrics-text; version=1.0.0; charset=utf-8', 'OpenMetrics where it is asked for');
like($answer->{body}, qr/^# TYPE ai_requests counter\n.*^ai_requests_total\{.*\n# EOF\n\z/ms, 'has its own form');
$answer = Metrics::answer_of($server, headers => { Accept => 'application/openmetrics-text; q=0, */*' });
like($answer->{headers}{'content-type'}, qr/^text\/plain/, 'but not where it is refused');
$answer = Metrics::answer_of($server, method => 'HEAD');
is_deeply([@$answer{qw(status body)}], [200, ''], 'HEAD has no body');
$answer = Metrics::answer_of($server, method => 'POST', body => 'x=1');
is($answer->{status}, 405, 'it is read only');
like($answer->{headers}{allow} // '', qr/\bGET\b/, 'and says so');
is(Metrics::answer_of($server, headers => { 'X-Stranger' => '1' })->{status}, 403, 'the site says who may ask');

unlike($server->said, qr/AI10\d\d|Segmentation fault/, 'nothing was complained of');
$server->stop;

# ---------------------------------------------------------------------------- nobody who keeps it

$server = OwnServer->new(without => ['ai_status_module'], conf => <<"END");
<AITarget sim>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
</AITarget>
<Location /v1>
    AIEngine On
    AIAnonymous On
    AIRoute m sim
</Location>
END
is($server->caller->request(path => $chat, body => Gate::chat())->{status}, 200, 'without mod_ai_status the server serves');
$server->stop;
done_testing();
