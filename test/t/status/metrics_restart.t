#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# metrics_restart.t - are the metrics what the provider saw, whatever happens to who counts?
#
# Six callers at once ask four children for a mix of things and somebody reads the metrics all the
# while, as the server restarts gracefully, again and again; then a child is killed. At the end the
# sums are compared with the simulator's truth log.

use strict;
use warnings;

use Gate ();
use Metrics ();
use OwnServer ();
use Test::More;

my ($CALLERS, $ROUNDS, $RESTARTS) = (6, 30, 3);

my $server = OwnServer->new(children => 4, conf => <<"END");
<AITarget sim>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
    AITargetForward X-Sim
    AITargetModel renamed served
</AITarget>
<AITarget refusing>
    AITargetURL http://127.0.0.1:1/v1
</AITarget>
<Location /v1>
    AIEngine On
    AIAnonymous On
    AIRouteRetries 0
    AIRoute metrics-a sim
    AIRoute metrics-b refusing sim
    AIRoute renamed sim
</Location>
<Location /metrics>
    SetHandler ai-metrics
</Location>
END

# One round: model, whether as a stream, what the provider does; the status that must come.
my @mix = (
    ['metrics-a', 0, '', 200], ['metrics-a', 1, '', 200], ['metrics-b', 0, 'reasoning=3', 200],
    ['renamed', 1, '', 200], ['metrics-a', 0, 'status=400', 400], ['nobody', 0, '', 404],
    ['metrics-a', 0, 'status=503', 503],
);

sub call_on
{
    my ($to) = @_;
    for (1 .. $ROUNDS) {
        for my $what (@mix) {
            my ($model, $stream, $script, $status) = @$what;
            my $answer = $server->caller->request(path => '/v1/chat/completions',
                body => Gate::chat(model => $model, stream => $stream),
                headers => { 'X-Sim' => "mark=metrics-restart" . ($script ? ";$script" : '') });
            syswrite($to, $answer->{status} == $status && $answer->{whole} ? '.' : '!');
        }
    }
    return;
}

my $truth_began = -s $ENV{AI_SIM_TRUTH} // 0;
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

my $letters = '';
my ($all, $readings, $fell, $last) = ($CALLERS * $ROUNDS * @mix, 0, 0, 0);
sub read_letters
{
    my ($n) = @_;
    while (length $letters < $n) {
        sysread($from, $letters, 65536, length $letters) or last;
        my $now = Metrics::read_from($server)->sum('ai_requests_total');
        $readings++;
        $fell++ if $now < $last;
        $last = $now;
    }
    return;
}

for my $restart (1 .. $RESTARTS) {
    read_letters($restart * $all / ($RESTARTS + 1));
    $server->graceful;
    cmp_ok(length $letters, '<', $all, "restart $restart came while callers were at work");
}
read_letters($all);
waitpid($_, 0) for @pids;
is($letters, '.' x $all, "all $all requests were answered as they should be");
cmp_ok($readings, '>', 3, 'the metrics were read meanwhile');
is($fell, 0, 'and no counter ever fell');

my $seen = Metrics::await($server, 'the end of all requests', sub {
    return $_[0]->sum('ai_requests_total') >= $all && $_[0]->sum('ai_requests_in_flight') == 0;
});

# ------------------------------------------------------------------ what the provider says of it

# The provider's lines of this test's calls, once there are as many as there must be.
my $calls = $CALLERS * $ROUNDS * (@mix - 1);
sub truths
{
    open(my $fh, '<', $ENV{AI_SIM_TRUTH}) or die "$ENV{AI_SIM_TRUTH}: $!\n";
    seek($fh, $truth_began, 0);
    my @lines = map { Gate::from_json($_) } grep { /metrics-restart/ && /\n\z/ } <$fh>;
    return @lines >= $calls ? \@lines : undef;
}
my $truth = Gate::await('the truth', \&truths);
is(scalar(@$truth), $calls, 'the provider was asked as often as it should be');

# Its sums by model, and by status.
my (%tokens, %calls);
for my $line (@$truth) {
    $tokens{ $line->{model} }{input}  += $line->{prompt_tokens};
    $tokens{ $line->{model} }{output} += $line->{completion_tokens};
    $calls{ $line->{model} }{ substr($line->{status}, 0, 1) . 'xx' }++;
}
my (%seen_tokens, %seen_calls);
for my $model (keys %tokens) {
    for my $type (qw(input output)) {
        my @labels = (gen_ai_response_model => $model, target => 'sim', gen_ai_token_type => $type);
        $seen_tokens{$model}{$type} = $seen->sum('ai_tokens_total', @labels);
        is($seen->sum('gen_ai_client_token_usage_sum', @labels), $tokens{$model}{$type},
           "$model: the histogram of $type tokens has the same sum");
    }
    for my $status (keys %{ $calls{$model} }) {
        $seen_calls{$model}{$status} =
            $seen->sum('ai_attempts_total', gen_ai_response_model => $model, target => 'sim', status => $status);
    }
}
is_deeply(\%seen_tokens, \%tokens, "tokens by model are the provider's truth");
is_deeply(\%seen_calls, \%calls, 'and so are attempts by status');

my $n = $CALLERS * $ROUNDS;
my %right = (
    ai_requests_total => [[[outcome => 'answer'], 4 * $n], [[outcome => 'provider-error'], $n],
                          [[outcome => 'refusal'], $n], [[outcome => 'failure'], $n],
                          [[gen_ai_request_model => 'renamed'], $n], [[gen_ai_request_model => 'nobody'], 0]],
    ai_refusals_total => [[[reason => 'model_not_found'], $n], [[], $n]],
    ai_attempts_total => [[[target => 'refusing', error_type => 'connect'], $n], [[error_type => '503'], $n],
                          [[error_type => ''], 4 * $n], [[], 7 * $n]],
    gen_ai_server_request_duration_seconds_count => [[[error_type => ''], 4 * $n], [[], 6 * $n]],
    gen_ai_server_time_to_first_token_seconds_count => [[[], 4 * $n]],
    gen_ai_server_time_per_output_token_seconds_count => [[[], 2 * $n]],
    gen_ai_client_operation_duration_seconds_count => [[[], 7 * $n]],
    ai_overhead_seconds_count => [[[], 7 * $n]],
);
for my $name (sort keys %right) {
    is($seen->sum($name, @{ $_->[0] }), $_->[1], "$name @{$_->[0]}") for @{ $right{$name} };
}

# ------------------------------------------------------------------------------ a child is killed

my @streams = map {
    my $caller = $server->caller;
    $caller->ask(path => '/v1/chat/completions', body => Gate::chat(model => 'metrics-a', stream => 1),
                 headers => { 'X-Sim' => 'stall=3' });
    $caller->read_until(qr/"content":"[^"]/) or die "no stream\n";
    $caller;
} 1 .. 8;
Metrics::await($server, 'all streams', sub { $_[0]->sum('ai_requests_in_flight') == 8 });
kill('KILL', $server->children) or die "no children\n";
my $after = Gate::await('other children', sub {
    my $now = eval { Metrics::read_from($server) };
    return $now && $now->sum('ai_requests_in_flight') == 0 ? $now : undef;
});
is($after->sum('ai_requests_total'), $all, 'what was counted before is not lost with them');
$_->close for @streams;
$server->caller->request(path => '/v1/chat/completions', body => Gate::chat(model => 'metrics-a'));
Metrics::await($server, 'one more', sub { $_[0]->sum('ai_requests_total') == $all + 1 });
pass('and who comes after counts on');
unlike($server->said, qr/AI10\d\d|Segmentation fault/, 'nothing was complained of');
$server->stop;
done_testing();
