#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# price.t - is what a call cost in the access log, by the price that holds, and nothing where either the
# price or the usage is not known?
#
# What it must be is reckoned here, from what the simulator says that it told, and from rates that are
# written down here: those of the built-in file are of 2026-11-21.

use strict;
use warnings;

use File::Temp qw(tempdir);
use Gate ();
use OwnServer ();
use Test::More;

my $dir = tempdir('ai-price-XXXXXX', TMPDIR => 1, CLEANUP => 1);
open(my $fh, '>', "$dir/prices.json") or die "$dir/prices.json: $!\n";
print $fh <<'END';
{
  "sample_spec": {"input_cost_per_token": "a text"},
  "of-file": {"input_cost_per_token": 1.5e-07, "output_cost_per_token": 0.0000006,
              "cache_read_input_token_cost": 7.5e-08, "mode": "chat", "unknown": [1]},
  "gpt-4.1": {"input_cost_per_token": "2e-06", "output_cost_per_token": 8e-06},
  "named/of-file": {"input_cost_per_token": 1, "output_cost_per_token": 2},
  "free": {"input_cost_per_token": 0, "output_cost_per_token": 0},
  "half": {"input_cost_per_token": 1e-06}
}
END
close($fh) or die "$dir/prices.json: $!\n";

my $sim = "http://127.0.0.1:$ENV{AI_SIM_PORT}/v1";
my $server = OwnServer->new(conf => <<"END");
AIPriceFile $dir/prices.json
LogFormat "id=%{x-request-id}o cost=%{ai-cost-nanousd}n price=%{ai-price}n" cost
CustomLog cost_log cost
<AITarget open>
    AITargetURL $sim
    AITargetForward X-Sim
</AITarget>
<AITarget named>
    AITargetURL $sim
    AITargetForward X-Sim
</AITarget>
<AITarget claude>
    AITargetURL $sim
    AITargetForward X-Sim
    AITargetDialect anthropic
    AITargetModel translated claude-sonnet-4-5-20250929
</AITarget>
<AITarget own>
    AITargetURL $sim
    AITargetForward X-Sim
    AITargetPrice GPT-4o* input=1 output=2
    AITargetPrice gpt-4o* input=3 output=4 cached=0.5 request=0.001 not-before=2020-01-01
    AITargetPrice gpt-4o* input=1000 output=1000 not-before=2999-01-01
    AITargetPrice later  input=1 output=1 not-before=2999-01-01
</AITarget>
<AITarget broken>
    AITargetURL http://127.0.0.1:1/v1
    AITargetPrice * input=999 output=999
</AITarget>
<Location /open/v1>
    AIEngine On
    AIAnonymous On
    AIRoute * open
</Location>
<Location /named/v1>
    AIEngine On
    AIAnonymous On
    AIRoute * named
</Location>
<Location /claude/v1>
    AIEngine On
    AIAnonymous On
    AIRoute * claude
</Location>
<Location /own/v1>
    AIEngine On
    AIAnonymous On
    AIRoute * own
</Location>
<Location /next/v1>
    AIEngine On
    AIAnonymous On
    AIRoute * broken open
</Location>
END
my $caller = $server->caller;

# What the log says of a call: the cost and the price; and what the provider told.
sub seen
{
    my ($place, $model, $script, $stream, $messages) = @_;
    my $body = Gate::chat(model => $model, stream => $stream,
                          more => $messages ? { max_tokens => 200 } : {});
    my $answer = $caller->request(
        path => "/$place/v1/" . ($messages ? 'messages' : 'chat/completions'), body => $body,
        headers => { 'X-Sim' => $script,
                     $messages ? ('anthropic-version' => '2023-06-01') : () });
    my $id = $answer->{headers}{'x-request-id'};
    my ($cost, $price) = @{ Gate::await("the log of $id", sub {
        return $server->read_file('cost_log') =~ /^id=\Q$id\E cost=(\S+) price=(\S+)$/m && [$1, $2];
    }) };
    my ($call) = Gate::truths($id);
    return ($cost, $price, $call->{told}, $answer);
}

# Nano-dollars, rounded up once, of counts and pico-dollars.
sub sum
{
    my $pico = 0;
    while (my ($count, $rate) = splice(@_, 0, 2)) {
        $pico += $count * $rate;
    }
    return int(($pico + 999) / 1000);
}

my $script = 'cached=4;reasoning=9;tokens=20';
for my $stream (0, 1) {
    my $how = $stream ? 'streamed' : 'plain';
    my ($cost, $price, $told, $answer) = seen('open', 'gpt-4o', $script, $stream);
    cmp_ok($told->{prompt}, '>', 4, "$how: there are tokens");
    is_deeply([$cost, $price], [sum($told->{prompt} - 4, 2_500_000, 4, 1_250_000,
                                    $told->{completion}, 10_000_000),
                                'built-in:gpt-4o@2026-11-21'],
              "$how: cached tokens at their own rate, each token once")
        or diag(Gate::to_json($told), Gate::brief($answer));

    ($cost, $price, $told) = seen('claude', 'claude-sonnet-4-5', 'tokens=20;cached=40;written=30;reasoning=9',
                                  $stream, 1);
    is_deeply([$cost, $price], [sum($told->{prompt} - 70, 3_000_000, 40, 300_000, 30, 3_750_000,
                                    $told->{completion}, 15_000_000),
                                'built-in:claude-sonnet-4-5@2026-11-21'],
              "$how: Anthropic's, from the cache and into it") or diag(Gate::to_json($told));

    ($cost, $price, $told) = seen('claude', 'translated', 'tokens=20;cached=40;written=30', $stream);
    is_deeply([$cost, $price], [sum($told->{prompt} - 70, 3_000_000, 40, 300_000, 30, 3_750_000,
                                    $told->{completion}, 15_000_000),
                                'built-in:claude-sonnet-4-5-20250929@2026-11-21'],
              "$how: translated: the model that served is what is charged")
        or diag(Gate::to_json($told));

    ($cost, $price, $told) = seen('open', 'of-file', 'cached=3;tokens=11', $stream);
    is_deeply([$cost, $price], [sum($told->{prompt} - 3, 150_000, 3, 75_000, $told->{completion}, 600_000),
                                'prices.json:of-file'], "$how: the file's");

    ($cost, $price, $told) = seen('named', 'of-file', 'tokens=11', $stream);
    is_deeply([$cost, $price], [sum($told->{prompt}, 10**12, $told->{completion}, 2 * 10**12),
                                'prices.json:named/of-file'], "$how: the file's of that target");

    ($cost, $price, $told) = seen('own', 'gpt-4o-mini', 'cached=3;tokens=11', $stream);
    is_deeply([$cost, $price], [sum($told->{prompt} - 3, 3_000_000, 3, 500_000,
                                    $told->{completion}, 4_000_000, 1, 10**9),
                                'AITargetPrice:gpt-4o*@2020-01-01T00:00:00Z'],
              "$how: the target's own, of the last day that has come");

    ($cost, $price, $told) = seen('next', 'of-file', 'tokens=11', $stream);
    is_deeply([$cost, $price], [sum($told->{prompt}, 150_000, $told->{completion}, 600_000),
                                'prices.json:of-file'], "$how: after a target that failed: the other's");

    is_deeply([(seen('open', 'free', 'tokens=3', $stream))[0, 1]], [0, 'prices.json:free'],
              "$how: free is what says so");
    for my $case (['open', 'nobody-knows', 'tokens=3', 'no price'],
                  ['open', 'gpt-4.1',      'tokens=3', 'an entry that is left out hides the built-in one'],
                  ['open', 'half',         'tokens=3', 'no rate for the answer'],
                  ['own',  'later',        'tokens=3', 'a price of later days'],
                  ['claude', 'claude-sonnet-4-5', $stream ? 'cut=5' : 'bytes=90', 'an answer that breaks off', 1],
                  ['open', 'gpt-4o',       'usage=none', 'no usage'],
                  ['open', 'gpt-4o',       'usage=huge', 'a usage that cannot be'],
                  ['open', 'gpt-4o',       'status=400', 'an error']) {
        my ($place, $model, $with, $what, $messages) = @$case;
        is_deeply([(seen($place, $model, $with, $stream, $messages))[0, 1]], ['-', '-'], "$how: $what, no cost");
    }
}

like($server->said, qr/AI0122: AIPriceFile '\S+': "gpt-4\.1": input_cost_per_token: must be a number from 0 to 1000/,
     'the entry that is left out is told of');
unlike($server->said, qr/AI0122:.*sample_spec/, 'the sample is no entry');

done_testing();
