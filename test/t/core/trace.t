#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# trace.t - is a request a part of the caller's trace, and does the provider hear of it?
#
# The cases are those of the W3C's own test suite for services (github.com/w3c/trace-context,
# test/test.py), with the gateway as the service and the simulator as what it calls.

use strict;
use warnings;

use Gate ();
use Test::More;

my $caller = Gate::caller_of('h1', 'core');
my ($TRACE, $SPAN) = ('12345678901234567890123456789012', '1234567890123456');
my $RANDOM = qr/[0-9a-f]{32}/;

# The headers that the provider got, for a request with these lines in its head.
sub told
{
    my ($place, @lines) = @_;
    my $body = Gate::chat();
    $caller->connect;
    @$caller{qw(method answer began)} = ('POST', undef, time);
    $caller->send_raw(join("\r\n", "POST $place/v1/chat/completions HTTP/1.1", 'Host: localhost',
        'Content-Type: application/json', 'X-Sim: echo=1', 'Content-Length: ' . length($body), @lines)
        . "\r\n\r\n$body");
    my $answer = $caller->finish;
    my $echo = Gate::from_json($answer->{body})->{choices}[0]{message}{content};
    utf8::encode($echo);
    return Gate::from_json($echo)->{headers};
}

# The parts of the one traceparent that goes up.
sub parts
{
    my ($head) = @_;
    return ($head->{traceparent} // 'none') =~ /^00-($RANDOM)-([0-9a-f]{16})-([0-9a-f]{2})$/;
}

sub parent { return "traceparent: $_[0]" }

# What is gone on with.
for my $case (
    ['a traceparent', [parent("00-$TRACE-$SPAN-01")], '01'],
    ['not sampled', [parent("00-$TRACE-$SPAN-00")], '00'],
    ['flags that nobody has defined', [parent("00-$TRACE-$SPAN-ff")], '03'],
    ['a later version', [parent("cc-$TRACE-$SPAN-01-what-the-future-will-be-like")], '01'],
    ['a name in other letters', ["TrAcEpArEnT: 00-$TRACE-$SPAN-01"], '01'],
    ['white space', ["traceparent: \t 00-$TRACE-$SPAN-01 \t"], '01'],
    ['Cloudflare\'s headers', ["cf-aig-otel-trace-id: $TRACE", "cf-aig-otel-parent-span-id: $SPAN"], '01'],
    ['Cloudflare\'s trace alone', ["cf-aig-otel-trace-id: $TRACE"], '00'],
    ['both', [parent("00-$TRACE-$SPAN-00"), 'cf-aig-otel-trace-id: ' . 'a' x 32], '00'],
) {
    my ($what, $lines, $flags) = @$case;
    my ($trace, $span, $got) = parts(told('', @$lines));
    is($trace, $TRACE, "$what: the trace goes on");
    isnt($span, $SPAN, "$what: with a span of our own");
    is($got, $flags, "$what: flags");
}

# What is not.
my %seen;
for my $case (
    ['nothing'],
    ['two', parent("00-$TRACE-$SPAN-01"), parent("00-$TRACE-$SPAN-01")],
    ['another name', "trace-parent: 00-$TRACE-$SPAN-01"],
    ['version ff', parent("ff-$TRACE-$SPAN-01")],
    ['more than version 00 has', parent("00-$TRACE-$SPAN-01.")],
    ['a trace of noughts', parent('00-' . '0' x 32 . "-$SPAN-01")],
    ['a span of noughts', parent("00-$TRACE-" . '0' x 16 . '-01')],
    ['upper case', parent('00-' . 'ABCD' x 8 . "-$SPAN-01")],
    ['too short', parent("00-$TRACE-$SPAN-1")],
    ['one that is wrong beside Cloudflare\'s', parent('x'), "cf-aig-otel-trace-id: $TRACE"],
    ['Cloudflare\'s trace, too short', 'cf-aig-otel-trace-id: 1234'],
    ['Cloudflare\'s span, too long', "cf-aig-otel-trace-id: $TRACE", "cf-aig-otel-parent-span-id: ${SPAN}0"],
) {
    my ($what, @lines) = @$case;
    my $head = told('', @lines, 'tracestate: foo=1');
    my ($trace, $span, $flags) = parts($head);
    ok($trace && $trace ne $TRACE && $trace !~ /abcd/ && $trace ne '0' x 32 && !$seen{$trace}++
       && $span ne $SPAN && !$seen{$span}++, "$what: a trace of its own") or diag($head->{traceparent});
    is($flags, '02', "$what: random, not sampled");
    is($head->{tracestate}, undef, "$what: a state that belongs to nothing does not pass");
}

# The state.
for my $case (
    ['as it is', 'foo=1,bar=2', 'foo=1,bar=2'],
    ['a key twice', 'foo=1,foo=2', undef],
    ['a bad key', 'FOO=1', undef],
    ['a long one', join(',', map { "k$_=" . 'v' x 100 } 1 .. 6), join(',', map { "k$_=" . 'v' x 100 } 1 .. 4)],
) {
    my ($what, $state, $want) = @$case;
    my $head = told('', parent("00-$TRACE-$SPAN-01"), "tracestate: $state");
    is($head->{tracestate}, $want, "tracestate, $what");
    is((parts($head))[0], $TRACE, "tracestate, $what: the trace goes on");
}
is(told('', parent("00-$TRACE-$SPAN-01"), 'tracestate: foo=1', 'tracestate: bar=2')->{tracestate},
   'foo=1, bar=2', 'tracestate twice is one');

# What is noted, on every road: an answer, a refusal, and with AITraceContext Off.
sub noted
{
    my ($path, $body, %headers) = @_;
    my $mark = Gate::mark();
    my $answer = $caller->request(path => $path, body => $body, headers => { %headers, 'X-Mark' => $mark });
    my $line = Gate::await("the notes of $mark", sub {
        open(my $log, '<', 't/logs/core_notes') or return;
        my ($found) = grep { /mark="\Q$mark\E".*\n\z/ } <$log>;
        return $found;
    });
    return { $line =~ /([\w-]+)="([^"]*)"/g, status => $answer->{status} };
}

for my $case (['/v1/chat/completions', Gate::chat(), 200], ['/v1/chat/completions', '{', 400],
              ['/closed/v1/chat/completions', Gate::chat(), 401],
              ['/untraced/v1/chat/completions', Gate::chat(), 200]) {
    my ($path, $body, $status) = @$case;
    my $note = noted($path, $body, traceparent => "00-$TRACE-$SPAN-01");
    is_deeply([@$note{qw(status trace parent)}], [$status, $TRACE, $SPAN], "$path, $status: the trace is noted");
    like($note->{span}, qr/^[0-9a-f]{16}$/, "$path, $status: and the span");
    $note = noted($path, $body);
    like($note->{trace}, qr/^$RANDOM$/, "$path, $status: a trace that begins here");
    is($note->{parent}, '-', "$path, $status: and has no parent");
}
my $off = told('/untraced', parent("00-$TRACE-$SPAN-01"), 'tracestate: foo=1');
is_deeply([@$off{qw(traceparent tracestate)}], [undef, undef], 'AITraceContext Off: no provider hears of it');

# The span that is noted is the one that the provider was told.
my $mark = Gate::mark();
my (undef, $span) = parts(told('', parent("00-$TRACE-$SPAN-01"), "X-Mark: $mark"));
my $line = Gate::await("the notes of $mark", sub {
    open(my $log, '<', 't/logs/core_notes') or return;
    return (grep { /mark="\Q$mark\E".*\n\z/ } <$log>)[0];
});
like($line, qr/ span="$span"/, 'what the provider was told is what is noted');

done_testing();
