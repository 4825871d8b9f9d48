# SPDX-License-Identifier: Apache-2.0
#
# Are the bytes the same on both sides of the gateway?
#
# Down: what the caller gets is compared with what the simulator sends to a caller of its own. Two
# calls differ only in the number of the call and the second it was made; those are made equal.
# Up: the simulator writes down length and hash of every body it gets; a body is sent through the
# gateway, and what it should have become is sent directly.

use strict;
use warnings;

use Gate ();
use Test::More;

my %callers = (sim => Gate::caller_to_sim(), map { $_ => Gate::caller_of($_) } qw(h1 tls h2));
my $path = '/bytes/v1/chat/completions';

# The same text whoever asked and when.
sub level
{
    my ($body) = @_;
    $body =~ s/sim\d{6}/sim000000/g;
    $body =~ s/"created":\d{10}/"created":1000000000/g;
    return $body;
}

# Where two texts part, for a reader.
sub same_bytes
{
    my ($got, $expected, $name) = @_;
    my ($one, $other) = (level($got), level($expected));
    return pass($name) if $one eq $other && length $got == length $expected;
    my $at = 0;
    $at++ while $at < length $one && $at < length $other
        && substr($one, $at, 1) eq substr($other, $at, 1);
    fail($name);
    return diag("lengths ", length $got, ' and ', length $expected, ", they part at $at:\n",
                'got      ', Gate::to_json(substr($one, $at > 60 ? $at - 60 : 0, 200)), "\n",
                'expected ', Gate::to_json(substr($other, $at > 60 ? $at - 60 : 0, 200)));
}

# --------------------------------------------------------------------------------------- down

my @scripts = ('id=x', 'eol=crlf', 'eol=cr', 'comment=1', 'comment=1;eol=crlf', 'chunk=1',
               'chunk=7', 'chunk=1;eol=crlf', 'chunk=7;eol=cr', 'chunk=3;comment=1', 'tool=1',
               'refuse=1', 'json=1', 'cached=3;reasoning=5', 'close=1', 'tokens=0', 'tokens=1',
               'tokens=2000', 'size=70000;tokens=3', 'usage=every', 'usage=early', 'usage=null',
               'usage=none', 'usage=on', 'usage=late', 'done=0');

sub compare
{
    my ($front, $script, $name, %chat) = @_;
    my %request = (headers => { 'X-Sim' => $script }, body => Gate::chat(%chat));
    my $direct  = $callers{sim}->request(path => '/v1/chat/completions', %request);
    my $through = $callers{$front}->request(path => $path, %request);
    my $expected = $direct->{body};
    # The comment before the hidden usage chunk is no part of it.
    $expected =~ s/(: keep-alive(?:\r\n|\n|\r){2})(?=data: \[DONE\])/$1$1/
        if $name =~ /without usage/;
    same_bytes($through->{body}, $expected, "$front, $name: $script");
    if (!$through->{whole} || $through->{status} != 200) {
        fail("$front, $name: $script is a whole 200");
        diag(Gate::brief($through));
    }
    return ($direct, $through);
}

for my $script (@scripts) {
    compare('h1', $script, 'plain');
    compare('h1', $script, 'stream with usage', stream => 1, usage => 1);
    # Not asked for: neither the chunk nor the member, and else the same. What a provider sends
    # unasked is its own and stays.
    compare('h1', $script, 'stream without usage', stream => 1)
        unless $script =~ /^usage=(?:every|early|on|null|late)$/;
}
for my $front (qw(tls h2)) {
    for my $script ('id=x', 'eol=crlf', 'chunk=7', 'comment=1', 'tokens=2000') {
        compare($front, $script, 'plain');
        compare($front, $script, 'stream with usage', stream => 1, usage => 1);
        compare($front, $script, 'stream without usage', stream => 1);
    }
}

# What was not asked for is gone altogether.
{
    my ($direct, $through) = compare('h1', 'id=u', 'stream without usage', stream => 1);
    unlike($through->{body}, qr/usage/, 'a caller that did not ask for usage hears nothing of it');
    my $log = Gate::logged(id => $through->{headers}{'x-request-id'});
    is_deeply([@$log{qw(prompt completion source)}], [7, 12, 'reported'],
              'and it is counted all the same');
}

# A target that is to be left alone gets and gives every byte.
{
    my %request = (headers => { 'X-Sim' => 'id=u' }, body => Gate::chat(stream => 1));
    my $direct  = $callers{sim}->request(path => '/v1/chat/completions', %request);
    my $through = $callers{h1}->request(path => '/bytes-plain/v1/chat/completions', %request);
    same_bytes($through->{body}, $direct->{body}, 'AITargetStreamUsage Off: the same stream');
    my ($call) = Gate::truths($through->{headers}{'x-request-id'});
    is($call->{body_bytes}, length $request{body}, 'AITargetStreamUsage Off: the same request');
}

# Events of a megabyte, also when they come in small pieces.
for my $script ('size=1000000;tokens=3', 'size=1000000;tokens=1;chunk=4099',
                'size=1000000;tokens=2;eol=crlf;chunk=65537') {
    compare('h1', $script, 'a megabyte an event, plain');
    compare('h1', $script, 'a megabyte an event', stream => 1, usage => 1);
    compare('h1', $script, 'a megabyte an event, without usage', stream => 1);
}

# -------------------------------------------------------------------------------------- heads

for my $front (qw(h1 tls h2)) {
    my %request = (headers => { 'X-Sim' => 'id=x' }, body => Gate::chat(stream => 1));
    my $through = $callers{$front}->request(path => $path, %request);
    my $headers = $through->{headers};
    is($headers->{'content-type'}, 'text/event-stream; charset=utf-8', "$front: an event stream");
    is($headers->{'content-length'}, undef, "$front: without a length");
    like($headers->{'ai-provider-request-id'}, qr/^req_sim\d{6}$/,
         "$front: the provider's id has a name of its own");
    my $plain = $callers{$front}->request(path => $path, body => Gate::chat());
    is($plain->{headers}{'content-length'}, length $plain->{body}, "$front: a plain body's length");
    is($plain->{headers}{'content-type'}, 'application/json', "$front: and type");
}

# ----------------------------------------------------------------------------------------- up

# Sends $body through the gateway and $expected directly; both must have arrived alike.
sub arrives
{
    my ($front, $name, $body, $expected, %o) = @_;
    my %headers = ('X-Sim' => 'tokens=1', %{ $o{headers} // {} });
    my $through = $callers{$front}->request(path => $path, headers => \%headers, body => $body,
                                            chunked => $o{chunked});
    my $mark    = Gate::mark();
    $callers{sim}->request(path => '/v1/chat/completions', body => $expected,
                           headers => { 'X-Sim' => 'tokens=1', 'X-Request-Id' => $mark });
    my ($call)   = Gate::truths($through->{headers}{'x-request-id'} // 'none');
    my ($direct) = Gate::truths($mark);
    is_deeply([$through->{status}, @$call{qw(body_bytes body_hash)}],
              [$direct->{status}, length $expected, $direct->{body_hash}],
              "$front, up: $name")
        or diag(Gate::brief($through));
    return;
}

my $odd = '{ "model" : "m" ,' . "\n\t" . '"messages":[{"role":"user",'
        . '"content":"caf\u00e9 \ud83d\ude42 ' . "na\xc3\xafve" . ' \/ \\\\ \u0000"}],'
        . '"seed":123456789012345678901234567890,"temperature":0.10000000000000000001,'
        . '"top_p":1E-400,"x_unknown":{"a":[1,2.50,-0,1e5,null,true],"":{}},'
        . '"max_tokens":9007199254740993 }' . " \r\n";
my $long = Gate::chat(text => 'x' x 2_000_000);
my $odd_stream = $odd =~ s/^\{/{"stream" : true,/r;

for my $front (qw(h1 tls h2)) {
    arrives($front, 'odd numbers, escapes, white space and unknown fields stay', $odd, $odd);
    arrives($front, 'only the model changes where it is renamed',
            $odd =~ s/"m"/"renamed-7"/r, $odd =~ s/"m"/"other"/r);
    arrives($front, '2 MB', ($long) x 2);
}
arrives('h1', 'a stream that asks for usage is not touched',
        $odd_stream =~ s/"seed"/"stream_options":{"include_usage":true},"seed"/r,
        $odd_stream =~ s/"seed"/"stream_options":{"include_usage":true},"seed"/r);
arrives('h1', 'chunked, a byte each', $odd, $odd, chunked => 1);
arrives('h1', 'chunked, seven bytes each', $odd, $odd, chunked => 7);
arrives('h1', 'chunked, 2 MB', ($long) x 2, chunked => 8191);

# include_usage goes in, wherever the options are, and nothing else changes but their place.
sub grows
{
    my ($name, $body) = @_;
    my $through = $callers{h1}->request(path => $path, body => $body,
                                        headers => { 'X-Sim' => 'echo=1' });
    my $up   = Gate::from_json(Gate::read_chat($through)->{text})->{body};
    my $rest = Gate::from_json($up);
    my $sent = Gate::from_json($body);
    is($rest->{stream_options}{include_usage} ? 1 : 0, 1, "$name: usage is asked for upstream");
    # Every member but stream_options, as it was written.
    my $text_of = sub {
        my ($text) = @_;
        $text =~ s/"stream_options"\s*:\s*(?:\{[^}]*\}|null)//;
        $text =~ s/,\s*(?=[,}])|(?<=\{)\s*,//g;
        return $text;
    };
    is($text_of->($up), $text_of->($body), "$name: and the rest stays");
    is_deeply([sort grep { $_ ne 'include_usage' } keys %{ $rest->{stream_options} }],
              [sort grep { $_ ne 'include_usage' } keys %{ $sent->{stream_options} // {} }],
              "$name: with the other options");
    return;
}

my $tail = '"stream":true,"messages":[{"role":"user","content":"hi"}],"big":12345678901234567890';
grows('no options', "{\"model\":\"m\",$tail}");
grows('options null', "{\"model\":\"m\",\"stream_options\":null,$tail}");
grows('options empty', "{\"model\":\"m\",\"stream_options\":{},$tail}");
grows('options without usage',
      "{\"model\":\"m\",\"stream_options\":{\"include_obfuscation\":false},$tail}");
grows('usage false', "{\"model\":\"m\",\"stream_options\":{\"include_usage\":false},$tail}");

# Expect: 100-continue: the gateway asks for the body, and only then it is sent.
{
    my $caller = Gate::caller_of('h1');
    my $body   = Gate::chat(text => 'z' x 100_000);
    $caller->ask(path => $path, body => $body, expect => 1,
                 headers => { Expect => '100-continue', 'X-Sim' => 'tokens=1' });
    my $interim = $caller->head;
    is($interim->{status}, 100, 'Expect: 100-continue is answered');
    $caller->{answer} = undef;
    $caller->send_raw($body);
    my $answer = $caller->finish;
    my ($call) = Gate::truths($answer->{headers}{'x-request-id'});
    is_deeply([$answer->{status}, $answer->{whole}, $call->{body_bytes}], [200, 1, length $body],
              'and then the body arrives');
    ok(!(grep { $_ eq 'expect' } @{ $call->{header_names} }), 'the target is not made to wait');
}

done_testing;
