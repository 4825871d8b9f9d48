#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Does aictl price say which entry holds, and what tokens cost, in exact decimals?
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use JSON::PP qw(decode_json);
use lib dirname(__FILE__);
use Aictl;

sub price { return Aictl::program_with('price', @_) }

my $file = folder() . '/prices.json';
write_file($file, <<'END');
{"house": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "source": "a page"},
 "near/house": {"input_cost_per_token": 3e-6, "output_cost_per_token": 4e-6},
 "groq/house": {"input_cost_per_token": 5e-6, "output_cost_per_token": 6e-6, "litellm_provider": "groq"},
 "gpt-4o": {"input_cost_per_token": "cheap"},
 "spoken": {"mode": "audio_transcription", "input_cost_per_second": 0.0001},
 "half": {"input_cost_per_token": 1e-6}}
END

my ($status, $out, $err) = price('gpt-4o', '--prompt', 1000, '--completion=500', '--cached', 400);
is($status, 0, 'what is built in: status 0');
like($out, qr{^price     built-in:gpt-4o\@2026-11-21\nsource    pypi litellm \S+: https://\S+\n}, 'where it is from');
like($out, qr/^standard  input 2\.5 cached 1\.25 written 2\.5 written-1h 2\.5 output 10 reasoning 10$/m, 'rates');
like($out, qr/^cost      0\.007 USD$/m, 'the cost, exactly');
like($out, qr/^at most   0\.0075 USD$/m, 'and the most that it could be');
is($err, '', 'and nothing else');
($status, $out) = price('gpt-4o', qw(--service priority --prompt 1 --completion 0));
like($out, qr/^cost      0\.00000425 USD$/m, 'of another class');

for my $case ([[], 'prices.json:house', 9], [['--target', 'near'], 'prices.json:near/house', 19],
              [['--host', 'api.groq.com'], 'prices.json:groq/house', 29], [['--provider', 'groq'], 'prices.json:groq/house', 29],
              [['--own', 'house* input=7 output=8'], 'AITargetPrice:house*', 39],
              [['--own', 'house* input=7 output=8 not-before=2027-01-01', '--at', '2026-12-31T23:59:59Z'], 'prices.json:house', 9],
              [['--own', 'house* input=7 output=8 not-before=2027-01-01', '--at', '2027-01-01'],
               'AITargetPrice:house*@2027-01-01T00:00:00Z', 39]) {
    my ($words, $price, $micro) = @$case;
    ($status, $out, $err) = price('--file', $file, '--json', @$words, qw(--prompt 1 --completion 4), 'house');
    my $said = decode_json($out || '{}');
    is_deeply([$status, @$said{qw(price cost_nanousd most_nanousd)}], [0, $price, $micro * 1000, $micro * 1000],
              "@$words: $price");
}
($status, $out, $err) = price('--file', $file, '--json', 'house');
is_deeply([$status, decode_json($out)],
          [0, { price => 'prices.json:house', source => 'a page',
                rates => [{ service => 'standard', above => 0,
                            (map { $_ => '1' } qw(input cached written written-1h written-12h input-audio input-image)),
                            (map { $_ => '2' } qw(output reasoning output-audio output-image)) }] }],
          '--json: all of it, without a cost where no tokens are said');
is($err, qq(aictl: $file: "gpt-4o": input_cost_per_token: must be a number from 0 to 1000; the entry is left out\n),
   'an entry that cannot be used is told of');
($status, $out) = price('--file', $file, 'spoken', '--seconds', 61);
is($out, "price     prices.json:spoken\neach      second 0.0001\ncost      0.0061 USD\nat most   0.0061 USD\n", 'by the second');

for my $case (['an entry that cannot be used', ['gpt-4o'], 'no price of gpt-4o is known'],
              ['no entry', ['nobody-knows'], 'no price of nobody-knows is known'],
              ['tokens that are missing', ['house', '--prompt', 3], 'the cost is not known'],
              ['a rate that is missing', ['half', '--prompt', 3, '--completion', 1], 'the cost is not known'],
              ['more than there is', ['house', '--prompt', '9223372036854775807', '--completion', 1], 'above 9.2 million']) {
    my ($what, $words, $why) = @$case;
    ($status, $out, $err) = price('--file', $file, @$words);
    is($status, 1, "$what: status 1");
    like($err, qr/aictl: .*\Q$why\E/, $why);
}
for my $case ([[], 'usage: aictl key'], [['--json'], 'usage: aictl price'], [['a', 'b'], 'usage: aictl price'],
              [['a', '--what'], 'no such option'],
              [['a', '--prompt'], 'no such option'], [['a', '--prompt', '-1'], '--prompt: must be a whole number'],
              [['a', '--cached', '1.5'], '--cached: must be a whole number'], [['a', '--at', 'soon'], '--at: must be a time'],
              [['a', '--service', 'best'], '--service: must be one of standard, batch'],
              [['a', '--own', 'x'], '--own: needs a model'], [['a', '--own', 'x input=y'], '--own: input=y: must be USD']) {
    ($status, $out, $err) = price(@{ $case->[0] });
    is("$status $out", '2 ', "@{ $case->[0] }: status 2");
    like($err, qr/\Q$case->[1]\E/, $case->[1]);
}
write_file("$file.bad", "{\n");
($status, $out, $err) = price('--file', "$file.bad", 'a');
is_deeply([$status, $out, $err], [1, '', "aictl: $file.bad: line 2, byte 1: the text ends early\n"], 'a file that is none')
    or diag($err);
($status, $out, $err) = price('--file', "$file.none", 'a');
like($err, qr/\Q$file.none\E: cannot be opened: No such file/, 'a file that is not there');
done_testing();
