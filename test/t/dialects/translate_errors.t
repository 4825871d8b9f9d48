# SPDX-License-Identifier: Apache-2.0
#
# translate_errors.t - when a target of the other dialect fails, what does the caller see?
#
# Errors come in the caller's form, with the provider's own words; a failure before the answer is
# made good by the next target, whatever it speaks; one in its middle ends the stream with an error
# and without an end.

use strict;
use warnings;

use Gate ();
use Talk ();
use Test::More;

my $words = Gate::words_of_sim(12);
my @dialects = qw(openai anthropic);

sub explain_it
{
    my ($answer) = @_;
    my $id = Talk::id_of($answer);
    return diag(Gate::brief($answer), $id ? Gate::to_json(Talk::logged($answer)) : ());
}

# type, code, message, param of an error, whoever it is for.
sub parts_of
{
    my ($dialect, $error) = @_;
    return $dialect eq 'openai' ? @$error{qw(type code message)}
                                : ($error->{type}, $error->{details}{error_code}, $error->{message});
}

# --------------------------------------------------------------------------- every status

# status: what it becomes; OpenAI's type and code; Anthropic's type
my %told = (
    400 => [400, 'invalid_request_error', undef, 'invalid_request_error'],
    402 => [402, 'insufficient_quota', 'insufficient_quota', 'billing_error'],
    403 => [403, 'permission_error', 'permission_denied', 'permission_error'],
    404 => [404, 'invalid_request_error', 'model_not_found', 'not_found_error'],
    408 => [408, 'timeout', 'upstream_timeout', 'timeout_error'],
    409 => [409, 'invalid_request_error', undef, 'conflict_error'],
    413 => [413, 'invalid_request_error', 'request_too_large', 'request_too_large'],
    422 => [422, 'invalid_request_error', undef, 'invalid_request_error'],
    429 => [429, 'rate_limit_error', 'rate_limit_exceeded', 'rate_limit_error'],
    500 => [500, 'server_error', 'upstream_error', 'api_error'],
    502 => [502, 'server_error', 'upstream_error', 'api_error'],
    503 => [503, 'server_error', 'overloaded', 'overloaded_error'],
    504 => [504, 'timeout', 'upstream_timeout', 'timeout_error'],
    529 => [503, 'server_error', 'overloaded', 'overloaded_error'],
);
for my $dialect (@dialects) {
    for my $stream (0, 1) {
        for my $status (sort keys %told) {
            my $how = "$dialect, " . ($stream ? 'streamed' : 'plain') . ", $status";
            my ($becomes, $type, $code, $claude) = @{ $told{$status} };
            my $answer = Talk::post($dialect, Talk::ask($dialect, stream => $stream),
                sim => "status=$status;retry_after=7;retry_after_ms=7100;should_retry=true;message=As \xe2\x80\x9cI\xe2\x80\x9d say.");
            my $seen = Talk::read_answer($dialect, $answer);
            my ($is_type, $is_code, $message) = parts_of($dialect, $seen->{errors}[0] // {});
            my ($truth) = Gate::truths(Talk::id_of($answer));
            is_deeply([@$answer{qw(status whole)}, $answer->{headers}{'content-type'}, $is_type, $message],
                      [$becomes, 1, 'application/json', $dialect eq 'openai' ? $type : $claude,
                       "As \x{201c}I\x{201d} say."], "$how: status, type, the provider's words")
                or explain_it($answer);
            is($is_code, $code, "$how: the code") if $dialect eq 'openai';
            is_deeply([@{ $answer->{headers} }{qw(retry-after retry-after-ms x-should-retry)},
                       $answer->{headers}{'ai-provider-request-id'}],
                      [7, 7100, 'true', sprintf('req_sim%06d', $truth->{seq})],
                      "$how: when to come again, and the provider's id") or explain_it($answer);
            is_deeply([grep { $dialect eq 'openai' ? /^anthropic-|^request-id$/ : /^x-ratelimit|^openai-/ }
                            keys %{ $answer->{headers} }], [], "$how: no header of the other's");
        }
        my $how = "$dialect, " . ($stream ? 'streamed' : 'plain');

        # Our own key was refused: that is not the caller's fault.
        my $answer = Talk::post($dialect, Talk::ask($dialect, stream => $stream),
                                sim => 'status=401;message=the key sk-provider-canary-Kx7Q is wrong');
        my ($type, $code) = parts_of($dialect, Talk::read_answer($dialect, $answer)->{errors}[0] // {});
        is_deeply([$answer->{status}, $code], [502, 'upstream_auth_error'], "$how, 401: our fault")
            or explain_it($answer);
        unlike($answer->{body}, qr/Kx7Q/, "$how, 401: not a word of the key");

        # A prompt that is too long has one name.
        for my $message ('prompt is too long: 250000 tokens > 200000 maximum',
                         "This model's maximum context length is 8192 tokens.") {
            $answer = Talk::post($dialect, Talk::ask($dialect, stream => $stream),
                                 sim => "status=400;message=$message");
            my ($is_type, $is_code, $is) = parts_of($dialect, Talk::read_answer($dialect, $answer)->{errors}[0] // {});
            is_deeply([$answer->{status}, $is_type, $is_code, $is, Talk::logged($answer)->{deny}],
                      [400, 'invalid_request_error', 'context_length_exceeded', $message,
                       'context_length_exceeded'], "$how: too long, by its one name")
                or explain_it($answer);
        }

        # Errors that are no errors of the dialect's.
        for my $kind ('html', 'text', 'empty') {
            $answer = Talk::post($dialect, Talk::ask($dialect, stream => $stream),
                                 sim => "status=500;body=$kind");
            my $seen = Talk::read_answer($dialect, $answer);
            my ($is_type, $is_code, $message) = parts_of($dialect, $seen->{errors}[0] // {});
            is_deeply([@$answer{qw(status whole)}, $answer->{headers}{'content-type'}, $is_type,
                       length($message // '') ? 1 : 0],
                      [500, 1, 'application/json', $dialect eq 'openai' ? 'server_error' : 'api_error', 1],
                      "$how: an error in $kind") or explain_it($answer);
            unlike($answer->{body}, qr/<html|upstream trouble/, "$how: $kind is not handed on");
        }
    }
}

# --------------------------------------------------------------------------------- fallback

# What the answer was: by whom, in whole, in the caller's dialect.
sub answered
{
    my ($dialect, $answer) = @_;
    my $seen = Talk::read_answer($dialect, $answer);
    my $log  = Talk::logged($answer);
    return [$answer->{status}, $answer->{whole}, $seen->{text}, $seen->{ends}, $seen->{broken},
            scalar @{ $seen->{errors} }, @$log{qw(target attempts)}];
}

# name, script, only streamed (1) or plain (0), only where the first target is of the other dialect
my @failures = (
    ['503', 'status=503;retry_after=9'], ['429', 'status=429'], ['529', 'status=529'],
    ['our key', 'status=401'], ['500 in HTML', 'status=500;body=html'],
    ['an HTML page with 200', 'wrongtype=1'], ['garbage', 'garbage=body'],
    ['no HTTP', 'garbage=headers'], ['reset', 'reset=headers'], ['silence', 'delay=60000'],
    ['an error with 200', 'error=1', 0, 1], ['an error as first event', 'error=1', 1],
    ['cut before any content', 'cut=1', 1], ['cut within the first event', 'bytes=30', 1],
    ['silence after the start', 'stall=1', 1], ['an error as second event', 'error=2', 1],
    ['garbage as first event', 'garbage=1', 1], ['reset after the first event', 'reset=1', 1],
    ['half of the body', 'bytes=200', 0, 1],
);
# The caller's dialect, the model: "first" begins with a target of that dialect, "last" ends so.
for my $dialect (@dialects) {
    my $other = $Talk::OTHER{$dialect};
    for my $stream (0, 1) {
        for my $row (@failures) {
            my ($name, $script, $only, $held) = @$row;
            next if defined $only && $only != $stream;
            # Same dialect fails, the other answers; and the reverse.
            for my $way (["$dialect-first", "second-$other"], ["$other-first", "second-$dialect"]) {
                my ($model, $target) = @$way;
                next if $held && $target eq "second-$other"; # it would pass as it came
                my $answer = Talk::post($dialect, Talk::ask($dialect, model => $model, stream => $stream),
                                        sim => $script);
                is_deeply(answered($dialect, $answer), [200, 1, $words, 1, 0, 0, $target, 2],
                          "$dialect, " . ($stream ? 'streamed' : 'plain') . ", $name: $target answers")
                    or explain_it($answer);
            }
        }
        # What the first could not carry is not the second's loss, and the other way round.
        my %lost = (openai => { seed => 1 }, anthropic => { top_k => 1 });
        my $answer = Talk::post($dialect, Talk::ask($dialect, model => "$other-first", stream => $stream,
                                more => $lost{$dialect}), sim => 'status=503');
        is_deeply([$answer->{status}, $answer->{headers}{'ai-dropped'}, Talk::logged($answer)->{dropped}],
                  [200, undef, '-'], "$dialect: what is told of is what the answering target lost")
            or explain_it($answer);
        $answer = Talk::post($dialect, Talk::ask($dialect, model => "$dialect-first", stream => $stream,
                             more => $lost{$dialect}), sim => 'status=503');
        my ($name) = keys %{ $lost{$dialect} };
        is_deeply([$answer->{status}, $answer->{headers}{'ai-dropped'}, Talk::logged($answer)->{dropped}],
                  [200, $name, $name], "$dialect: also where it was the second") or explain_it($answer);

        # A target that cannot be asked is passed over.
        my %only_own = (openai => { n => 2 }, anthropic => { messages => [{ role => 'user', content => [
            { type => 'document', source => { type => 'url', url => 'https://example.com/a.pdf' } }] }] });
        my $before = Talk::calls_so_far();
        $answer = Talk::post($dialect, Talk::ask($dialect, model => "$other-first", stream => $stream,
                             more => $only_own{$dialect}));
        is_deeply([$answer->{status}, Talk::logged($answer)->{target}, Talk::calls_so_far() - $before],
                  [200, "second-$dialect", 1], "$dialect: who cannot be asked is passed over")
            or explain_it($answer);
        $answer = Talk::post($dialect, Talk::ask($dialect, model => "$other-first", stream => $stream,
                             more => $lost{$dialect}), place => 'refuse');
        is_deeply([$answer->{status}, Talk::logged($answer)->{target}], [200, "second-$dialect"],
                  "$dialect: so is who would lose something, with AILossy refuse")
            or explain_it($answer);
    }
}

# Nobody answers: the last word is in the caller's form, whoever said it. An error event has the
# status of its type where that tells one; 529 is Anthropic's own.
my %status = ('a status' => 503, 'slow down' => 429, 'an error event' => {
    openai => { openai => 502, anthropic => 502 }, anthropic => { openai => 503, anthropic => 529 } });
for my $dialect (@dialects) {
    for my $last (@dialects) {
        for my $stream (0, 1) {
            my @scripts = (['a status', 'status=503'], ['slow down', 'status=429'],
                           $stream ? ['an error event', 'error=2'] : ());
            for my $row (@scripts) {
                my ($name, $script) = @$row;
                my $how = "$dialect, " . ($stream ? 'streamed' : 'plain') . ", $name, $last is last";
                my $answer = Talk::post($dialect, Talk::ask($dialect, model => "exhausted-$last",
                    stream => $stream), sim => "$script;retry_after=3;message=No room.");
                my $seen = Talk::read_answer($dialect, $answer);
                my ($type, undef, $message) = parts_of($dialect, $seen->{errors}[0] // {});
                my $remaining = $dialect eq 'openai' ? 'x-ratelimit-remaining-requests'
                                                     : 'anthropic-ratelimit-requests-remaining';
                is_deeply([$answer->{headers}{'content-type'}, $message, scalar @{ $seen->{errors} },
                           $answer->{headers}{'retry-after'}, Talk::logged($answer)->{attempts}],
                          ['application/json', 'No room.', 1, 3, 2], "$how: its words")
                    or explain_it($answer);
                is($answer->{status}, ref $status{$name} ? $status{$name}{$last}{$dialect} : $status{$name},
                   "$how: a status of its kind");
                like($answer->{headers}{$remaining} // '', qr/^(?:3999|9999)\z/, "$how: its limits")
                    or explain_it($answer);
                ok(defined $type, "$how: a type");
            }
        }
    }
}

# ------------------------------------------------------------------------ a stream that breaks

my @breaks = (
    ['cut between events', 'cut=7', 'stream_broken'], ['reset', 'reset=7', 'stream_broken'],
    ['cut within an event', 'bytes=1400', 'stream_broken'],
    ['silence', 'stall=7', 'stream_broken'], ['garbage', 'garbage=7', 'invalid_stream'],
    ['an error event', 'error=7;message=not now', undef],
    ['a chunked body that ends early, with CRLF', 'cut=7;eol=crlf', 'stream_broken'],
);
for my $dialect (@dialects) {
    my $other = $Talk::OTHER{$dialect};
    for my $row (@breaks) {
        my ($name, $script, $code) = @$row;
        my $answer = Talk::post($dialect, Talk::ask($dialect, model => "$other-first", stream => 1),
                                sim => $script);
        my $seen = Talk::read_answer($dialect, $answer);
        my ($type, $is_code, $message) = parts_of($dialect, $seen->{errors}[0] // {});
        my $log = Talk::logged($answer);
        is_deeply([@$answer{qw(status whole)}, scalar @{ $seen->{errors} }, @$seen{qw(ends broken)},
                   $log->{finish}, $log->{attempts}, defined $seen->{events}[-1]{error} ? 1 : 0,
                   $seen->{text} ne '' && index($words, $seen->{text}) == 0 ? 1 : 0],
                  [200, 1, 1, 0, 0, 'error', 1, 1, 1],
                  "$dialect, $name: one error in the caller's form, last, and no end") or explain_it($answer);
        is($is_code, $code, "$dialect, $name: $code") if defined $code;
        is($message, 'not now', "$dialect: the provider's own words") unless defined $code;
        ok(!defined $seen->{finish}, "$dialect, $name: no reason to have ended");
    }

    # The lost end is no end; what ended and only lost the last mark is one.
    my $answer = Talk::post($dialect, Talk::ask($dialect, stream => 1), sim => 'done=0');
    my $seen = Talk::read_answer($dialect, $answer);
    is_deeply([$seen->{text}, $seen->{ends}, scalar @{ $seen->{errors} }], [$words, 1, 0],
              "$dialect: an answer that only lacks the provider's mark is whole") or explain_it($answer);
}

# A target that goes on behind its end, or behind its own error.
my %said = (
    anthropic => {
        start => qq(event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","role":"assistant","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}\n\n)
               . qq(event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n),
        text  => qq(event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"word"}}\n\n),
        end   => qq(event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}\n\n)
               . qq(event: message_stop\ndata: {"type":"message_stop"}\n\n),
        error => qq(event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"m"}}\n\n) },
    openai => {
        start => qq(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n),
        text  => qq(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"word"}}]}\n\n),
        end   => qq(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n)
               . qq(data: [DONE]\n\n),
        error => qq(data: {"error":{"message":"m","type":"server_error"}}\n\n) },
);
for my $dialect (@dialects) {
    my $other = $Talk::OTHER{$dialect};
    my %part = %{ $said{$other} };
    for my $row (['its end', 'start text end text end', 0, 1], ['its error', 'start text error text end', 1, 0],
                 ['its second error', 'start text error error', 1, 0]) {
        my ($name, $parts, $errors, $ends) = @$row;
        my $body = join('', map { $part{$_} } split / /, $parts);
        my $canned = Gate::Canned->new(sub {
            return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: "
                . length($body) . "\r\n\r\n$body";
        });
        my $answer = Talk::post($dialect, Talk::ask($dialect, model => "canned-$other", stream => 1));
        my $seen = Talk::read_answer($dialect, $answer);
        is_deeply([@$answer{qw(status whole)}, @$seen{qw(text ends)}, scalar @{ $seen->{errors} }],
                  [200, 1, 'word', $ends, $errors], "$dialect: what comes behind $name is left out")
            or explain_it($answer);
        $canned->stop;
    }
}

# ------------------------------------------------------------------- the wrong kind of answer

for my $dialect (@dialects) {
    my $other = $Talk::OTHER{$dialect};
    # A stream where none was asked.
    my $body = join('', map { $said{$other}{$_} } qw(start text end));
    my $canned = Gate::Canned->new(sub {
        return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: "
            . length($body) . "\r\n\r\n$body";
    });
    my $answer = Talk::post($dialect, Talk::ask($dialect, model => "canned-$other"));
    is($answer->{status}, 502, "$dialect: a stream that nobody asked for is no answer")
        or explain_it($answer);
    $canned->stop;

    # JSON, but of no use.
    for my $json ('[]', '{}', '"x"', '{"choices":7}', '{"type":"message","content":"x"}', '{"a":1,"a":2}') {
        $canned = Gate::Canned->new(sub {
            return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                . length($json) . "\r\n\r\n$json";
        });
        $answer = Talk::post($dialect, Talk::ask($dialect, model => "canned-$other"));
        is_deeply([$answer->{status}, scalar @{ Talk::read_answer($dialect, $answer)->{errors} }], [502, 1],
                  "$dialect: $json is no answer") or explain_it($answer);
        $canned->stop;
    }

    # An answer that is longer than we hold.
    $answer = Talk::post($dialect, Talk::ask($dialect), place => 'small', sim => 'tokens=4;size=1000');
    is_deeply([$answer->{status}, scalar @{ Talk::read_answer($dialect, $answer)->{errors} },
               Talk::logged($answer)->{finish}], [502, 1, 'error'],
              "$dialect: an answer beyond AIBodyLimit is a failure") or explain_it($answer);
    $answer = Talk::post($dialect, Talk::ask($dialect, model => "$other-first"), place => 'small',
                         sim => 'tokens=4;size=1000');
    is_deeply([$answer->{status}, Talk::logged($answer)->{target}], [200, "second-$dialect"],
              "$dialect: which another target makes good") or explain_it($answer);
    $answer = Talk::post($dialect, Talk::ask($dialect, stream => 1), place => 'small',
                         sim => 'tokens=4;size=1000');
    is_deeply([$answer->{status}, length(Talk::read_answer($dialect, $answer)->{text}) > 3900 ? 1 : 0],
              [200, 1], "$dialect: a stream is not held, so it has no such limit") or explain_it($answer);
}

# ------------------------------------------------------------------------------- count_tokens

{
    my $answer = Talk::post('anthropic', Talk::ask('anthropic', text => 'y' x 400), path => '/messages/count_tokens');
    my $value  = eval { Gate::from_json($answer->{body}) } // {};
    is_deeply([$answer->{status}, [sort keys %$value], $answer->{headers}{'ai-tokens-source'}],
              [200, ['input_tokens'], 'estimated'], 'count_tokens: estimated where the target cannot')
        or explain_it($answer);
    cmp_ok($value->{input_tokens} // 0, '>=', 60, 'count_tokens: not too few');
    cmp_ok($value->{input_tokens} // 9999, '<=', 250, 'count_tokens: not too many');
    is_deeply([@{ Talk::logged($answer) }{qw(endpoint target source)}], ['count-tokens', '-', 'estimated'],
              'count_tokens: nobody was asked');
    my %body = %{ Talk::ask('anthropic', text => 'y' x 400, model => 'anthropic') };
    delete $body{max_tokens};
    $answer = Talk::post('anthropic', \%body, path => '/messages/count_tokens');
    is_deeply([$answer->{status}, $answer->{body}, $answer->{headers}{'ai-tokens-source'}],
              [200, '{"input_tokens":100}', undef], 'count_tokens: counted by a target that can')
        or explain_it($answer);
    $answer = Talk::post('anthropic', { %body, model => 'openai', messages => 7 }, path => '/messages/count_tokens');
    is($answer->{status}, 400, 'count_tokens: what is no conversation is not estimated') or explain_it($answer);
}

done_testing();
