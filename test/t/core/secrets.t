#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# secrets.t - does a key, a prompt or an answer ever get into the error log?
#
# The host core_secrets logs all that our modules can say (trace8) and info of httpd's.  Requests
# that carry marked texts go through every ending we know; none of the texts may be found in the
# log, and no key in an answer.

use strict;
use warnings;

use Gate ();
use Test::More;

# What to look for. Each is a word that nothing else says.
my %secret = (
    'the caller\'s key'   => 'sk-callercanary-1QzV',
    'the provider\'s key' => 'sk-provider-canary-Kx7Q',
    'the prompt'          => 'promptcanary-7Hs2',
    'the answer'          => 'answercanary-9Lm4',
    'a cookie'            => 'cookiecanary-3Rt8',
    'a header'            => 'headercanary-5Wp6',
    'the query'           => 'querycanary-8Yb1',
    'the upload'          => 'uploadcanary-2Nd9',
);
my $log_file = 't/logs/core_secrets_log';

sub read_log
{
    open(my $log, '<', $log_file) or die "$log_file: $!\n";
    local $/;
    return <$log>;
}

my %headers = (Authorization => "Bearer $secret{'the caller\'s key'}",
               'x-api-key' => $secret{'the caller\'s key'}, Cookie => $secret{'a cookie'},
               'X-Own' => $secret{'a header'}, 'User-Agent' => $secret{'a header'});
my @answers;

sub ask
{
    my ($what, %o) = @_;
    my $path = ($o{place} // '/v1') . ($o{path} // '/chat/completions');
    my $model = $o{model} // 'two';
    my $caller = Gate::caller_of('h1', 'core_secrets');
    my $body = $o{body} // Gate::chat(model => $model, stream => $o{stream},
                                      text => "say $secret{'the prompt'}");
    $caller->ask(path => "$path?key=$secret{'the query'}", body => $body, chunked => $o{chunked},
                 headers => { %headers, 'X-Sim' => ($o{sim} ? "$o{sim};" : '') . "id=$secret{'the answer'}" });
    if ($o{leave}) {
        $caller->read_until(qr/"content":"[^"]/);
        my $id = $caller->head->{headers}{'x-request-id'};
        $caller->close;
        Gate::logged(id => $id);
        return;
    }
    my $answer = $caller->finish;
    push @answers, [$what, $answer];
    Gate::logged(id => $answer->{headers}{'x-request-id'}) if $answer->{headers}{'x-request-id'};
    return $answer;
}

sub status_of { my $answer = ask(@_); return $answer->{status} }

# --------------------------------------------------------------------------- through every ending

for my $stream (0, 1) {
    my $how = $stream ? 'streamed' : 'plain';
    my @how = (stream => $stream);
    is(status_of("$how: well", @how), 200, "$how: well");
    is(status_of("$how: echo", @how, sim => 'echo=1'), 200, "$how: the prompt comes back");
    is(status_of("$how: fallback", @how, sim => 'status=503'), 200, "$how: fallback after a status");
    is(status_of("$how: fallback by html", @how, sim => 'status=500;body=html'), 200, "$how: fallback after HTML");
    is(status_of("$how: fallback by reset", @how, sim => 'reset=headers'), 200, "$how: fallback after a reset");
    is(status_of("$how: fallback by refusal", @how, model => 'fallback'), 200, "$how: fallback after a refusal");
    for my $status (400, 401, 403, 404, 409, 422, 429, 500, 503, 529) {
        my $got = status_of("$how: $status", @how, model => 'known', sim => "status=$status");
        is($got, $status == 401 ? 502 : $status, "$how: the provider says $status");
    }
    is(status_of("$how: refused", @how, model => 'refused'), 503, "$how: nobody there");
    is(status_of("$how: no such model", @how, model => 'unknown'), 404, "$how: no such model");
    is(status_of("$how: wrong type", @how, model => 'known', sim => 'wrongtype=1'), 502, "$how: a page of HTML");
    is(status_of("$how: garbage", @how, model => 'known', sim => 'garbage=body'), 502, "$how: garbage");
    is(status_of("$how: no HTTP", @how, model => 'known', sim => 'garbage=headers'), 502, "$how: no HTTP");
    ok(status_of("$how: cut", @how, model => 'known', sim => 'tokens=9;bytes=700'), "$how: cut");
    is(status_of("$how: nobody known", @how, place => '/closed/v1'), 401, "$how: nobody known");
    is(status_of("$how: too long", @how, place => '/limit/v1'), 413, "$how: too long");
    is(status_of("$how: too long in chunks", @how, place => '/limit/v1', chunked => 50), 413, "$how: too long, in chunks");
}
is(status_of('error event', stream => 1, sim => 'error=2'), 200, 'an error event, then fallback');
ok(status_of('error event, last', stream => 1, model => 'known', sim => 'error=2') >= 500, 'an error event, and no other target');
is(status_of('error event behind content', stream => 1, model => 'known', sim => 'error=4'), 200, 'an error event behind content');
is(status_of('broken event', stream => 1, model => 'known', sim => 'garbage=4'), 200, 'a broken event');
is(status_of('cut stream', stream => 1, model => 'known', sim => 'cut=4'), 200, 'a stream that breaks off');
is(status_of('bad JSON', body => qq({"model":"two","$secret{'the prompt'}":NaN})), 400, 'bad JSON');
is(status_of('no model', body => qq({"messages":"$secret{'the prompt'}"})), 400, 'no model');
is(status_of('a list', body => qq(["$secret{'the prompt'}"])), 400, 'a list');
is(status_of('upload', model => 'x', path => '/files', body => "\x01$secret{'the upload'}\x02"), 400, 'an upload that is no JSON');
ask('left', stream => 1, model => 'known', sim => 'tokens=300;gap=20', leave => 1);

# --------------------------------------------------------------------------------- what was written

my $log = read_log();
like($log, qr/\[ai:trace\d\]/, 'mod_ai logs all it can');
like($log, qr/AI0107: target \w+ failed/, 'failures are logged');
like($log, qr/AI0105: the caller left/, 'and the caller who left');
for my $what (sort keys %secret) {
    my @lines = grep { index($_, $secret{$what}) >= 0 } split /\n/, $log;
    is_deeply(\@lines, [], "$what is not in the error log");
}
ok($log !~ /canary/i, 'nor any part of them');

# ------------------------------------------------------------------------------ what was answered

my @leaks;
for my $pair (@answers) {
    my ($what, $answer) = @$pair;
    my $all = join("\n", $answer->{body}, @{ $answer->{lines} // [] });
    push @leaks, "$what: the provider's key"
        if $what !~ /echo/ && index($all, $secret{'the provider\'s key'}) >= 0;
    push @leaks, "$what: the caller's key" if index($all, $secret{'the caller\'s key'}) >= 0;
    push @leaks, "$what: a cookie"         if index($all, $secret{'a cookie'}) >= 0;
    push @leaks, "$what: what the provider says of our key" if $all =~ /sk-sim/;
    push @leaks, "$what: the prompt in an error"
        if $answer->{status} >= 400 && index($all, $secret{'the prompt'}) >= 0;
}
is_deeply(\@leaks, [], 'no answer holds a key, no error the prompt');

done_testing();
