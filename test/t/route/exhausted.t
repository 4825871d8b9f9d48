# SPDX-License-Identifier: Apache-2.0
#
# What does a caller get when every target fails, and how long does the gateway go on trying?

use strict;
use warnings;

use Gate ();
use Test::More;

our $caller = Gate::caller_of('h1');

# Asks below that location; the first target is told by $first, "scripted" by the model's name.
sub ask
{
    my ($place, $model, $first, %o) = @_;
    my $answer = $caller->request(path => "/$place/v1/chat/completions",
                                  headers => { 'X-Sim' => $first // 'id=first' },
                                  body => Gate::chat(model => $model, %o));
    my $id = $answer->{headers}{'x-request-id'} // die "no x-request-id\n";
    return ($answer, Gate::logged(id => $id), $id);
}

# The error object of an answer, or of the one error event of a stream.
sub error_of
{
    my ($answer) = @_;
    return (Gate::read_chat($answer)->{errors}[0]) // {};
}

sub is_error
{
    my ($answer, $log, $status, $code, $type, $name) = @_;
    my $error = error_of($answer);
    is_deeply({ status => $answer->{status}, code => $error->{code}, type => $error->{type},
                keys => [sort keys %$error], text => length($error->{message} // '') > 9 ? 1 : 0,
                content => $answer->{headers}{'content-type'}, whole => $answer->{whole},
                deny => $log->{deny}, finish => $log->{finish} },
              { status => $status, code => $code, type => $type,
                keys => [qw(code message param type)], text => 1,
                content => 'application/json', whole => 1, deny => $code, finish => 'error' },
              $name)
        or diag(Gate::brief($answer), Gate::to_json($log));
    return;
}

# -------------------------------------------------------- the last upstream answer is handed over

for my $streamed (1, 0) {
    my $how = $streamed ? 'streamed' : 'plain';
    for my $status (408, 429, 500, 502, 503, 504, 529) {
        my $direct = Gate::caller_to_sim()->request(
            path => '/v1/chat/completions', body => Gate::chat(script => "status=$status"));
        my ($answer, $log) = ask('exhausted', "m?status=$status;retry_after=7", 'status=500',
                                 stream => $streamed);
        is_deeply([@$answer{qw(status body whole)}, $answer->{headers}{'content-type'},
                   $answer->{headers}{'retry-after'}, @$log{qw(attempts target status)}],
                  [$status, $direct->{body}, 1, 'application/json', 7, 2, 'scripted', $status],
                  "$how: the last answer $status comes through whole, with Retry-After")
            or diag(Gate::brief($answer), Gate::to_json($log));
    }
    my ($answer, $log) = ask('exhausted', 'm?status=503;body=html', 'status=500',
                             stream => $streamed);
    is($answer->{status}, 503, "$how: an HTML page as last answer keeps its status");
    unlike($answer->{body}, qr/Traceback|stack/i, "$how: and is no leak");

    ($answer, $log) = ask('exhausted', 'dead-end', 'status=429;retry_after=3',
                          stream => $streamed);
    is_deeply([@$answer{qw(status whole)}, $answer->{headers}{'retry-after'}, $log->{attempts}],
              [429, 1, 3, 2], "$how: an answer that says something is better than a later refusal")
        or diag(Gate::brief($answer), Gate::to_json($log));

    # ------------------------------------------------------------------------ nobody answered

    ($answer, $log) = ask('exhausted', 'refused', undef, stream => $streamed);
    is_error($answer, $log, 503, 'upstream_unreachable', 'server_error', "$how: all refuse: 503");
    ($answer, $log) = ask('exhausted', 'm?delay=60000', 'delay=60000', stream => $streamed);
    is_error($answer, $log, 504, 'upstream_timeout', 'timeout', "$how: all hang: 504");
    is($log->{attempts}, 2, "$how: each was tried once");
    ($answer, $log) = ask('exhausted', 'm?first=60000', 'first=60000', stream => $streamed);
    is_error($answer, $log, 504, 'upstream_timeout', 'timeout', "$how: all hang in the body: 504");
    ($answer, $log) = ask('exhausted', 'm?reset=headers', 'reset=headers', stream => $streamed);
    is_error($answer, $log, 502, 'upstream_error', 'server_error', "$how: all reset: 502");
    ($answer, $log) = ask('exhausted', 'm?wrongtype=1', 'wrongtype=1', stream => $streamed);
    is_error($answer, $log, 502, 'upstream_error', 'server_error', "$how: all send HTML: 502");
    unlike($answer->{body}, qr/<html/i, "$how: none of the page is shown");

    # ---------------------------------------------------------- our key is nobody else's business

    ($answer, $log) = ask('exhausted', 'm?status=401', 'status=401', stream => $streamed);
    is_error($answer, $log, 502, 'upstream_auth_error', 'server_error',
             "$how: a target that refuses our key: 502");
    unlike($answer->{body}, qr/sk-sim|Incorrect API key/, "$how: and not its words");
    is($answer->{headers}{'www-authenticate'}, undef, "$how: and no challenge");
}

# An error event as the last there is: the provider's own words, as a plain error.
{
    my ($answer, $log) = ask('exhausted', 'm?error=2', 'error=2', stream => 1);
    my $error = error_of($answer);
    is_deeply([$answer->{status}, $answer->{headers}{'content-type'}, $error->{type},
               $log->{attempts}], [502, 'application/json', 'server_error', 2],
              'all end with an error as second event: an error status, for nothing was sent')
        or diag(Gate::brief($answer), Gate::to_json($log));
}

# --------------------------------------------------------------------------------- the rounds

# Tries one target: how often, and what came out.
sub rounds
{
    my ($place, $script, $expect, $name, $model) = @_;
    my $streamed = 0;
    for my $how ('plain', 'streamed') {
        my ($answer, $log) = ask($place, $model // 'm', "$script;key=" . Gate::mark(),
                                 stream => $streamed++);
        is_deeply([$answer->{status}, $log->{attempts}], $expect, "$how: $name")
            or diag(Gate::brief($answer), Gate::to_json($log));
    }
    return;
}

rounds('rounds', 'status=503;fail=1', [200, 2], 'one failure is made good by the second round');
rounds('rounds', 'status=503;fail=2', [200, 3], 'two failures by the third');
rounds('rounds', 'status=503;fail=3', [503, 3], 'AIRouteRetries 2 is three rounds, no more');

# A reset over a pooled connection is also made good at once, within the same try (stale.t): how
# many rounds two resets take depends on what the child that serves had in its pool.
for my $streamed (0, 1) {
    my ($answer, $log) = ask('rounds', 'm', 'reset=headers;fail=2;key=' . Gate::mark(),
                             stream => $streamed);
    ok($answer->{status} == 200 && $log->{attempts} =~ /^[23]$/,
       "streamed $streamed: resets are tried again")
        or diag(Gate::brief($answer), Gate::to_json($log));
}

rounds('rounds', 'status=503;fail=2', [200, 5], 'two targets, rounds of two',
       'two?status=500');
rounds('rounds', 'status=429;fail=1;should_retry=false', [429, 1],
       'x-should-retry: false is believed');
rounds('rounds', 'status=429;fail=1;should_retry=true', [200, 2],
       'x-should-retry: true is no obstacle');
rounds('rounds', 'status=429;fail=1;retry_after=1', [429, 1],
       'a Retry-After above AIRouteBackoff is not waited for');
rounds('rounds', 'status=429;fail=1;retry_after=9;retry_after_ms=10', [200, 2],
       'retry-after-ms counts before Retry-After');
rounds('rounds', 'delay=60000;fail=1', [504, 1], 'what let a deadline pass is not tried again');
rounds('rounds', 'status=400;fail=1', [400, 1], 'what is the caller\'s fault is not tried again');

# What a target asked for is waited for, and nobody waits less.
{
    my $mark = Gate::mark();
    my ($answer, $log, $id) = ask('patient', 'm',
                                  "status=429;fail=1;retry_after_ms=700;key=$mark");
    my @calls = Gate::truths($id, 2);
    is($answer->{status}, 200, 'after the wait that the target asked for it answers');
    # Without its word the wait would be 500 ms at most.
    cmp_ok($calls[1]{time} - $calls[0]{time}, '>=', 0.699, 'retry-after-ms was waited for');
}

# A provider's way to say that the account is empty. Its code is in the body, which the simulator
# cannot say; the canned upstream can.
{
    my $body = '{"error":{"message":"You exceeded your current quota.","type":"insufficient_quota",'
             . '"param":null,"code":"insufficient_quota"}}';
    my $canned = Gate::Canned->new(sub {
        return "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n"
             . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    });
    my ($answer, $log) = ask('quota', 'm');
    is_deeply([@$answer{qw(status body)}, @$log{qw(attempts deny)}, $canned->stop],
              [429, $body, 1, 'insufficient_quota', 1],
              'insufficient_quota is handed over at once, and not tried again')
        or diag(Gate::brief($answer), Gate::to_json($log));
}

# ----------------------------------------------------------------------------- AIRouteFallback

for my $case ([404, 200], [418, 200], [500, 200], [503, 200], [429, 429], [408, 408]) {
    my ($status, $expect) = @$case;
    my ($answer, $log) = ask('chosen', 'm', "status=$status");
    is_deeply([$answer->{status}, $log->{attempts}], [$expect, $expect == 200 ? 2 : 1],
              "AIRouteFallback 404 418 5xx: after $status the caller has $expect")
        or diag(Gate::brief($answer));
}

# ------------------------------------------------------------ once a heartbeat has been sent

for my $case (['m?delay=150;status=503', 'delay=150;status=500', 'a status'],
              ['m?delay=60000', 'delay=60000', 'a time-out'],
              ['m?delay=150;reset=headers', 'delay=150;reset=headers', 'a reset'],
              ['m?delay=150;status=401', 'delay=150;status=401', 'a refused key'],
              ['m?delay=150;wrongtype=1', 'delay=150;wrongtype=1', 'an HTML page'],
              ['m?first=150;error=2', 'first=150;error=2', 'an error event']) {
    my ($model, $first, $name) = @$case;
    for my $front (qw(h1 tls h2)) {
        local $caller = Gate::caller_of($front);
        my ($answer, $log) = ask('exhausted-beat', $model, $first, stream => 1);
        my $seen = Gate::read_chat($answer);
        my $error = $seen->{errors}[0] // {};
        is_deeply([$answer->{status}, $answer->{whole}, $seen->{comments} > 0, $seen->{chunks},
                   $seen->{done}, $seen->{broken}, scalar @{ $seen->{errors} },
                   join(' ', sort keys %$error), @$log{qw(attempts finish status)}],
                  [200, 1, 1, 0, 0, 0, 1, 'code message param type', 2, 'error', 200],
                  "$front: after a heartbeat $name ends as one error event")
            or diag(Gate::brief($answer), Gate::to_json($log));
        unlike($answer->{body}, qr/sk-sim|Incorrect API key|<html/i, "$front: $name leaks nothing");
    }
}

done_testing;
