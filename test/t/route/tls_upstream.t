# SPDX-License-Identifier: Apache-2.0
#
# Is a target's certificate verified, and is a wrong one a failure like any other?
#
# The upstream is a virtual host of this server that hands on to the simulator. Its certificate is
# made out to localhost and 127.0.0.1 by an authority that the system does not know. What is not
# verified must never get as far as the simulator, or the key would be out.

use strict;
use warnings;

use Gate ();
use Test::More;

my $path  = '/tls-upstream/v1/chat/completions';
my $words = Gate::words_of_sim(12);

sub ask
{
    my ($caller, $model, $streamed) = @_;
    my $answer = $caller->request(path => $path, headers => { 'X-Sim' => 'id=over-tls' },
                                  body => Gate::chat(model => $model, stream => $streamed));
    my $id = $answer->{headers}{'x-request-id'};
    return ($answer, Gate::logged(id => $id), $id);
}

# All calls with that id, those that are under way included: a look into the record, no waiting.
sub calls_with { my ($id) = @_; return grep { $_->{id} eq $id } @{ Gate::calls()->{last} } }

for my $front (qw(h1 tls h2)) {
    my $caller = Gate::caller_of($front);
    for my $streamed (1, 0) {
        my $how = "$front, " . ($streamed ? 'streamed' : 'plain');
        for my $n (1 .. 3) {
            my ($answer, $log) = ask($caller, 'm', $streamed);
            my $seen = Gate::read_chat($answer);
            is_deeply([@$answer{qw(status whole)}, $seen->{text}, keys %{ $seen->{fingerprints} },
                       @$log{qw(target attempts)}],
                      [200, 1, $words, 'over-tls', 'tls-good', 1],
                      "$how: a verified target answers, call $n")
                or diag(Gate::brief($answer), Gate::to_json($log));
        }
        for my $case (['stranger', 'an unknown authority'], ['misnamed', 'a wrong name']) {
            my ($model, $what) = @$case;
            my ($answer, $log, $id) = ask($caller, $model, $streamed);
            my @calls = calls_with($id);
            is_deeply([@$answer{qw(status whole)}, Gate::read_chat($answer)->{text},
                       @$log{qw(target attempts)}, scalar @calls],
                      [200, 1, $words, 'second', 2, 1],
                      "$how: $what is a failure, and the next target answers")
                or diag(Gate::brief($answer), map { Gate::to_json($_) } $log, @calls);

            ($answer, $log, $id) = ask($caller, "$model-alone", $streamed);
            my $error = Gate::read_chat($answer)->{errors}[0];
            is_deeply([$error->{type}, $log->{finish}, scalar calls_with($id)],
                      ['server_error', 'error', 0], "$how: $what alone: no answer, nothing sent")
                or diag(Gate::brief($answer), Gate::to_json($log));
            like($answer->{status}, qr/^50[23]$/, "$how: $what alone: the status says so");
        }
        my ($answer, $log) = ask($caller, 'trusting', $streamed);
        is_deeply([@$answer{qw(status whole)}, Gate::read_chat($answer)->{text},
                   @$log{qw(target attempts)}],
                  [200, 1, $words, 'tls-trusting', 1],
                  "$how: AITargetTLSVerify Off takes it, with its wrong name")
            or diag(Gate::brief($answer), Gate::to_json($log));
    }
}

done_testing;
