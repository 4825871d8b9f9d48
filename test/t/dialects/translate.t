# SPDX-License-Identifier: Apache-2.0
#
# translate.t - does an answer say the same in the caller's dialect, plain and streamed, as it comes?
#
# Callers of each dialect ask a target of the other. Both providers are the simulator in its strict
# manner; what it says is known beforehand.

use strict;
use warnings;

use Gate ();
use Talk ();
use Test::More;

my $words   = Gate::words_of_sim(12);
my $thought = 'The river comes first.';
my %signed  = (signature => 'c2ltdWxhdGVkLXNpZ25hdHVyZQ==', redacted => 'b25seS10aGUtc2ltdWxhdG9y');
my @dialects = qw(openai anthropic);

# What the caller of a dialect sees of a script's answer, and the answer.
sub see
{
    my ($dialect, $stream, $script, %o) = @_;
    my $answer = Talk::post($dialect, Talk::ask($dialect, stream => $stream, usage => 1, %o),
                            sim => $script, %o);
    return (Talk::read_answer($dialect, $answer), $answer);
}

sub explain_it
{
    my ($answer) = @_;
    return diag(Gate::brief($answer));
}

# ------------------------------------------------------------------------- text, ids, head

my %id = (openai => qr/^msg_sim\d+\z/, anthropic => qr/^chatcmpl-sim\d+\z/);
for my $dialect (@dialects) {
    for my $stream (0, 1) {
        my $how = "$dialect, " . ($stream ? 'streamed' : 'plain');
        for my $script ('tokens=12', 'chunk=1', 'chunk=7;eol=crlf', 'eol=cr', 'comment=1',
                        'whole=1') {
            my ($seen, $answer) = see($dialect, $stream, $script);
            is_deeply([@$answer{qw(status whole)}, @$seen{qw(text finish ends broken refusal)},
                       scalar @{ $seen->{errors} }, scalar @{ $seen->{calls} },
                       Talk::is_stream($answer)],
                      [200, 1, $words, $dialect eq 'openai' ? 'stop' : 'end_turn', 1, 0, '', 0, 0,
                       $stream], "$how, $script: the words and the end") or explain_it($answer);
            like($seen->{id} // '', $id{$dialect}, "$how, $script: the provider's id");
        }
        my ($seen, $answer) = see($dialect, $stream, 'id=x', model => "$Talk::OTHER{$dialect}-alias");
        is_deeply([$seen->{model}, Talk::logged($answer)->{served}],
                  ['served-name', 'served-name'], "$how: the model that answered") or explain_it($answer);
        my ($truth) = Gate::truths(Talk::id_of($answer));
        is($answer->{headers}{'ai-provider-request-id'}, sprintf('req_sim%06d', $truth->{seq}),
           "$how: the provider's id of the request");
        is_deeply([grep { /^(?:anthropic-organization|openai-|server-timing|x-ratelimit-.*-x)/ }
                        keys %{ $answer->{headers} }], [], "$how: nothing of its account");
        ok(!exists $answer->{headers}{'ai-dropped'}, "$how: nothing was dropped")
            or explain_it($answer);
        is_deeply([@{ Talk::logged($answer) }{qw(dialect endpoint dropped finish)}],
                  [$dialect, 'chat', '-', 'stop'], "$how: the notes");
        # In OpenAI's dialect each chunk is alike; in Anthropic's the order of events is a rule.
        next unless $stream;
        if ($dialect eq 'openai') {
            my @chunks = @{ $seen->{events} };
            is_deeply([scalar(grep { ($_->{object} // '') ne 'chat.completion.chunk' || !$_->{created}
                                     || $_->{id} ne $seen->{id} } @chunks),
                       scalar(grep { defined $_->{choices}[0]{delta}{role} } @chunks),
                       scalar(grep { defined $_->{choices}[0]{finish_reason} } @chunks)],
                      [0, 1, 1], "$how: chunks of one answer");
        }
        else {
            is(join(' ', map { $_->{type} } @{ $seen->{events} }),
               join(' ', 'message_start', 'content_block_start', ('content_block_delta') x 12,
                    'content_block_stop', 'message_delta', 'message_stop'), "$how: the order");
        }
    }
}

# ----------------------------------------------------------------------------------- limits

{
    my (undef, $answer) = see('openai', 0, 'id=x');
    is_deeply([@{ $answer->{headers} }{map { "x-ratelimit-$_" } qw(limit-requests
               remaining-requests limit-tokens remaining-tokens)}], [4000, 3999, 400000, 399000],
              'openai: limits in OpenAI\'s words') or explain_it($answer);
    like($answer->{headers}{'x-ratelimit-reset-requests'} // '', qr/^\d+h\d+m\d+s\z|^\d+h\d+m[\d.]+s\z/,
         'openai: the reset is a span');
    is_deeply([grep { /^anthropic-/ } keys %{ $answer->{headers} }], [],
              'openai: none in Anthropic\'s');
    (undef, $answer) = see('anthropic', 0, 'id=x');
    is_deeply([@{ $answer->{headers} }{map { "anthropic-ratelimit-$_" } qw(requests-limit
               requests-remaining tokens-limit tokens-remaining)}], [10000, 9999, 2000000, 1999000],
              'anthropic: limits in Anthropic\'s words') or explain_it($answer);
    my ($y, $mo, $d, $h, $mi, $s) = ($answer->{headers}{'anthropic-ratelimit-tokens-reset'} // '')
        =~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z\z/;
    require Time::Local;
    my $left = defined $s ? Time::Local::timegm($s, $mi, $h, $d, $mo - 1, $y - 1900) - time : -1;
    cmp_ok(abs($left - 90), '<=', 15, 'anthropic: the reset is a point in time, 90 seconds away');
    is_deeply([grep { /^x-ratelimit/ } keys %{ $answer->{headers} }], [],
              'anthropic: none in OpenAI\'s');
}

# ------------------------------------------------------------------------------------ usage

my $long = 'x' x 400;    # 100 tokens to the simulator
for my $stream (0, 1) {
    my $how = $stream ? 'streamed' : 'plain';
    my @notes = qw(prompt completion cached reasoning source);

    # Anthropic's input_tokens does not hold what the cache had or got; OpenAI's prompt does.
    my ($seen, $answer) = see('openai', $stream, 'tokens=20;cached=40;written=30;reasoning=9',
                              text => $long);
    my $usage = $seen->{usage} // {};
    is_deeply([@$usage{qw(prompt_tokens completion_tokens total_tokens)},
               @{ $usage->{prompt_tokens_details} // {} }{qw(cached_tokens cache_write_tokens)},
               $usage->{completion_tokens_details}{reasoning_tokens}],
              [170, 29, 199, 40, 30, 9], "openai, $how: usage, the cache in the prompt")
        or explain_it($answer);
    is_deeply([@{ Talk::logged($answer) }{@notes}], [170, 29, 40, 9, 'reported'],
              "openai, $how: the notes say the same");

    ($seen, $answer) = see('anthropic', $stream, 'tokens=20;cached=40;written=30;reasoning=9',
                           text => $long);
    $usage = $seen->{usage} // {};
    is_deeply([@$usage{qw(input_tokens cache_read_input_tokens cache_creation_input_tokens
                          output_tokens)}], [30, 40, 30, 29],
              "anthropic, $how: usage, the cache beside the input") or explain_it($answer);
    is_deeply([@{ Talk::logged($answer) }{@notes}], [100, 29, 40, 9, 'reported'],
              "anthropic, $how: the notes hold the cache in the prompt");

    # What the target does not tell is not made up for the log.
    for my $dialect (@dialects) {
        (undef, $answer) = see($dialect, $stream, 'usage=none');
        is_deeply([@{ Talk::logged($answer) }{qw(prompt completion source)}], ['-', '-', '-'],
                  "$dialect, $how: no usage, no notes") or explain_it($answer);
    }
}

# OpenAI's callers get usage in a stream when they ask for it; the gateway knows it anyway.
{
    my $answer = Talk::post('openai', Talk::ask('openai', stream => 1), sim => 'tokens=12');
    my $seen = Talk::read_answer('openai', $answer);
    is_deeply([$seen->{usage}, scalar(grep { exists $_->{usage} } @{ $seen->{events} }),
               @{ Talk::logged($answer) }{qw(prompt completion)}], [undef, 0, 7, 12],
              'openai, streamed: no usage unasked') or explain_it($answer);
    my ($truth) = Gate::truths(Talk::id_of(Talk::post('anthropic',
        Talk::ask('anthropic', stream => 1), sim => 'tokens=2')));
    ok($truth->{told}, 'anthropic, streamed: an OpenAI target is asked for usage');
}

# ---------------------------------------------------------------------------------- tools

my %tool = (
    openai => sub { my ($name, %p) = @_; return { type => 'function', function => {
        name => $name, description => "What $name says.", parameters => {
            type => 'object', properties => \%p, required => [sort keys %p] } } } },
    anthropic => sub { my ($name, %p) = @_; return {
        name => $name, description => "What $name says.", input_schema => {
            type => 'object', properties => \%p, required => [sort keys %p] } } },
);
my %call_id = (openai => qr/^toolu_sim/, anthropic => qr/^call_sim/);
for my $dialect (@dialects) {
    my @tools = ($tool{$dialect}->('get_weather', city => { type => 'string' }),
                 $tool{$dialect}->('get_time', zone => { type => 'string' }));
    for my $stream (0, 1) {
        my $how = "$dialect, " . ($stream ? 'streamed' : 'plain');
        for my $n (1, 2) {
            my ($seen, $answer) = see($dialect, $stream, "tool=1;calls=$n", more => { tools => \@tools });
            my @calls = @{ $seen->{calls} };
            is_deeply([map { [$_->{name}, ref $_->{arguments} ? sort keys %{ $_->{arguments} } : 'none'] } @calls],
                      [(['get_weather', 'city'], ['get_time', 'zone'])[0 .. $n - 1]],
                      "$how: $n call(s), with their arguments") or explain_it($answer);
            is(scalar(grep { $_->{id} =~ $call_id{$dialect} } @calls), $n,
               "$how, $n: the ids are the provider's");
            is_deeply([@$seen{qw(finish text ends broken)}, Talk::logged($answer)->{finish}],
                      [$dialect eq 'openai' ? 'tool_calls' : 'tool_use', '', 1, 0, 'tool'],
                      "$how, $n: it ends with calls");
        }
        # Without tools of the caller's the simulator has its own, with long arguments.
        my ($seen, $answer) = see($dialect, $stream, 'tool=1');
        is_deeply([map { $_->{arguments} } @{ $seen->{calls} }],
                  [{ city => "Z\x{fc}rich", unit => 'celsius' }, { timezone => 'Europe/Zurich' }],
                  "$how: arguments as they are") or explain_it($answer);
        next unless $stream;
        my $pieces = grep { ($_->{delta}{partial_json} // '') ne ''
                            || ($_->{choices}[0]{delta}{tool_calls}[0]{function}{arguments} // '') ne '' }
                     @{ $seen->{events} };
        cmp_ok($pieces, '>=', 5, "$how: arguments come in pieces");
    }
}

# --------------------------------------------------------------------------------- thinking

for my $stream (0, 1) {
    my $how = $stream ? 'streamed' : 'plain';
    my ($seen, $answer) = see('openai', $stream, 'reasoning=9;redacted=1;tokens=12');
    is_deeply([@$seen{qw(thought text)}], [$thought, $words],
              "openai, $how: what it thinks, apart from what it says") or explain_it($answer);
    is_deeply($seen->{thoughts}, [
        { type => 'thinking', thinking => $thought, signature => $signed{signature} },
        { type => 'redacted_thinking', data => $signed{redacted} }],
        "openai, $how: blocks that can be sent back") or explain_it($answer);

    ($seen, $answer) = see('anthropic', $stream, 'thought=1;tokens=12');
    is_deeply([@$seen{qw(thought text)}], [$thought, $words],
              "anthropic, $how: what it thinks, apart from what it says") or explain_it($answer);
    is_deeply($seen->{thoughts}, [{ type => 'thinking', thinking => $thought, signature => '' }],
              "anthropic, $how: a block that nobody signed") or explain_it($answer);
}

# ----------------------------------------------------------------------- refusals and reasons

my $refusal = "I'm sorry, I cannot assist with that request.";
for my $stream (0, 1) {
    my $how = $stream ? 'streamed' : 'plain';
    my ($seen, $answer) = see('openai', $stream, 'refuse=1');
    is_deeply([$seen->{text} . $seen->{refusal}, $seen->{finish}, Talk::logged($answer)->{finish}],
              [$refusal, 'content_filter', 'filter'], "openai, $how: a refusal") or explain_it($answer);
    ($seen, $answer) = see('anthropic', $stream, 'refuse=1');
    is_deeply([@$seen{qw(text finish)}], [$refusal, 'refusal'], "anthropic, $how: a refusal")
        or explain_it($answer);

    my @reasons = (
        # the caller, the target's word, the caller's word, the note
        ['openai', 'end_turn', 'stop', 'stop'], ['openai', 'stop_sequence', 'stop', 'stop'],
        ['openai', 'max_tokens', 'length', 'length'], ['openai', 'pause_turn', 'stop', 'stop'],
        ['openai', 'model_context_window_exceeded', 'length', 'length'],
        ['openai', 'refusal', 'content_filter', 'filter'], ['openai', 'new_word', 'stop', 'stop'],
        ['anthropic', 'stop', 'end_turn', 'stop'], ['anthropic', 'length', 'max_tokens', 'length'],
        ['anthropic', 'content_filter', 'refusal', 'filter'],
        ['anthropic', 'new_word', 'end_turn', 'stop'],
    );
    for my $row (@reasons) {
        my ($dialect, $there, $here, $note) = @$row;
        ($seen, $answer) = see($dialect, $stream, "finish=$there");
        is_deeply([$seen->{finish}, Talk::logged($answer)->{finish}], [$here, $note],
                  "$dialect, $how: $there is $here") or explain_it($answer);
    }
    # max_tokens is kept by the target, and said so.
    for my $dialect (@dialects) {
        ($seen, $answer) = see($dialect, $stream, 'tokens=12', more => { max_tokens => 3 });
        is_deeply([$seen->{finish}, $seen->{text}],
                  [$dialect eq 'openai' ? 'length' : 'max_tokens', 'the river keeps'],
                  "$dialect, $how: max_tokens goes up") or explain_it($answer);
        ($seen, $answer) = see($dialect, $stream, 'tokens=0');
        is_deeply([@$answer{qw(status whole)}, @$seen{qw(text ends broken)}], [200, 1, '', 1, 0],
                  "$dialect, $how: an answer of no words") or explain_it($answer);
    }
}

# ------------------------------------------------------------ event by event; the caller leaves

for my $dialect (@dialects) {
    # The target falls silent in the middle: what it said is there all the same.
    my $mark   = Gate::mark();
    my $caller = Gate::caller_of('h1', 'translate');
    $caller->ask(Talk::request_of($dialect, Talk::ask($dialect, stream => 1,
        model => "patient-$Talk::OTHER{$dialect}"), sim => "stall=7;mark=$mark;tokens=100",
        headers => { 'X-Mark' => $mark }));
    ok($caller->read_until(qr/ keeps/), "$dialect: words arrive as they are said");
    unlike($caller->{answer}{body}, qr/message_stop|\[DONE\]/, "$dialect: and nothing ends");
    is(scalar(grep { $_->{mark} eq $mark } @{ Gate::calls()->{last} }), 0,
       "$dialect: the target is still at it");
    $caller->close;
    my $call = Gate::truth_of_mark($mark);
    isnt($call->{ended}, 'complete', "$dialect: when the caller leaves, the target is let go");
    is(Gate::logged(mark => $mark)->{finish}, 'client-abort', "$dialect: and it is noted");

    # The same where all of it is waited for.
    $mark = Gate::mark();
    $caller->ask(Talk::request_of($dialect, Talk::ask($dialect,
        model => "patient-$Talk::OTHER{$dialect}"), sim => "chunk=40;pace=60000;mark=$mark",
        headers => { 'X-Mark' => $mark }));
    Gate::await_active(1);
    $caller->close;
    isnt(Gate::truth_of_mark($mark)->{ended}, 'complete',
         "$dialect, plain: when the caller leaves, the target is let go");
}

# -------------------------------------------------------------------------------- heartbeats

for my $dialect (@dialects) {
    my $beat = qr/^: keep-alive\n\n/m;
    for my $script ('delay=350;tokens=3', 'first=350;tokens=3', 'gap=230;tokens=3') {
        my $answer = Talk::post($dialect, Talk::ask($dialect, stream => 1,
            model => "patient-$Talk::OTHER{$dialect}"), sim => $script, place => 'beat');
        my $beats = () = $answer->{body} =~ /$beat/g;
        cmp_ok($beats, '>=', 2, "$dialect, $script: heartbeats") or explain_it($answer);
        my $seen = Talk::read_answer($dialect, $answer);
        is_deeply([@$answer{qw(status whole)}, @$seen{qw(text ends broken)}],
                  [200, 1, 'the river keeps', 1, 0], "$dialect, $script: and the whole answer")
            or explain_it($answer);
    }
    my $answer = Talk::post($dialect, Talk::ask($dialect, stream => 1,
        model => "patient-$Talk::OTHER{$dialect}"), sim => 'gap=150;tokens=2', place => 'calm');
    unlike($answer->{body}, qr/keep-alive/, "$dialect: off is off");
}

done_testing();
