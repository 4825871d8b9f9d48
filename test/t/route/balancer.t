# SPDX-License-Identifier: Apache-2.0
#
# Can a target be a balancer of mod_proxy, with a member that is dead?

use strict;
use warnings;

use Gate ();
use Test::More;

my $words = Gate::words_of_sim(12);

for my $front (qw(h1 tls h2)) {
    my $caller = Gate::caller_of($front);
    for my $n (1 .. 6) {
        my $streamed = $n % 2;
        my $answer = $caller->request(path => '/balancer/v1/chat/completions',
                                      headers => { 'X-Sim' => 'id=pooled' },
                                      body => Gate::chat(stream => $streamed));
        my $seen = Gate::read_chat($answer);
        my $log  = Gate::logged(id => $answer->{headers}{'x-request-id'});
        my ($call) = Gate::truths($answer->{headers}{'x-request-id'});
        is_deeply([@$answer{qw(status whole)}, $seen->{text}, keys %{ $seen->{fingerprints} },
                   @$log{qw(target attempts)}, $call->{path}],
                  [200, 1, $words, 'pooled', 'pooled', 1, '/v1/chat/completions'],
                  "$front, call $n: the living member answers, and it is one attempt")
            or diag(Gate::brief($answer), Gate::to_json($log));
    }

    # What its live member fails at moves on like any failure.
    my $answer = $caller->request(path => '/balancer/v1/chat/completions',
                                  headers => { 'X-Sim' => 'id=pooled;status=500' },
                                  body => Gate::chat(stream => 1));
    my $log = Gate::logged(id => $answer->{headers}{'x-request-id'});
    is_deeply([$answer->{status}, @$log{qw(target attempts)},
               keys %{ Gate::read_chat($answer)->{fingerprints} }],
              [200, 'second', 2, 'second'], "$front: a failing member: the next target")
        or diag(Gate::brief($answer), Gate::to_json($log));

    for my $streamed (1, 0) {
        my $how = "$front, " . ($streamed ? 'streamed' : 'plain');
        $answer = $caller->request(path => '/balancer/v1/chat/completions',
                                   body => Gate::chat(model => 'dead', stream => $streamed));
        $log = Gate::logged(id => $answer->{headers}{'x-request-id'});
        is_deeply([$answer->{status}, @$log{qw(target attempts)}, Gate::read_chat($answer)->{text}],
                  [200, 'second', 2, $words], "$how: no member lives: the next target")
            or diag(Gate::brief($answer), Gate::to_json($log));

        $answer = $caller->request(path => '/balancer/v1/chat/completions',
                                   body => Gate::chat(model => 'alone', stream => $streamed));
        my $error = Gate::read_chat($answer)->{errors}[0];
        is_deeply([$answer->{status}, $error->{code}], [503, 'upstream_unreachable'],
                  "$how: no member lives and there is no other target")
            or diag(Gate::brief($answer));
    }
}

done_testing;
