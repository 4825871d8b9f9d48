# SPDX-License-Identifier: Apache-2.0
#
# Are the counts that the gateway notes those of the provider, and does it rather note none than
# wrong ones? And do all four places agree on the request's id?

use strict;
use warnings;

use Gate ();
use Test::More;

my $path = '/usage/v1/chat/completions';

# What the simulator spends on this request: 7 for the prompt, 12 words.
my %right = (prompt => 7, completion => 12);

# usage=, streamed or not, whether the caller asks, and the notes that must stand: right, none, or
# the four values themselves (prompt, completion, cached, reasoning).
my @cases = (
    (map { ['on', $_, 'right'] } 0, 1),
    ['none', 0, 'none'],
    ['none', 1, 'none'],
    ['null', 0, 'none'],
    ['null', 1, 'none'],
    ['negative', 0, 'none'],
    ['negative', 1, 'none'],
    ['huge', 0, 'none'],
    ['huge', 1, 'none'],
    ['text', 0, 'none'],
    ['text', 1, 'none'],
    ['zero', 0, 'zero'],
    ['zero', 1, 'zero'],
    ['late', 1, 'right'],
    ['early', 1, 'right'],
    ['every', 1, 'right'],
);

sub notes_of
{
    my ($log) = @_;
    return { map { $_ => $log->{$_} } qw(prompt completion source) };
}

my %notes = (
    right => { %right, source => 'reported' },
    none  => { prompt => '-', completion => '-', source => '-' },
    zero  => { prompt => 0, completion => 0, source => 'reported' },
);

for my $front (qw(h1 tls h2)) {
    my $caller = Gate::caller_of($front);
    for my $case (@cases) {
        my ($usage, $streamed, $expect) = @$case;
        for my $asked ($streamed ? (1, 0) : (0)) {
            my $name = "$front, usage=$usage, " . ($streamed ? 'streamed' : 'plain')
                . ($asked ? ', asked for' : '');
            my $answer = $caller->request(path => $path, headers => { 'X-Sim' => "usage=$usage" },
                                          body => Gate::chat(stream => $streamed, usage => $asked));
            my $log = Gate::logged(id => $answer->{headers}{'x-request-id'} // '');
            is_deeply([$answer->{status}, $answer->{whole}, notes_of($log), $log->{finish}],
                      [200, 1, $notes{$expect}, 'stop'], $name)
                or diag(Gate::brief($answer), Gate::to_json($log));
        }
    }
}

# The details, and counts that do not follow from the words alone.
{
    my $caller = Gate::caller_of('h1');
    for my $streamed (0, 1) {
        my $how = $streamed ? 'streamed' : 'plain';
        my $answer = $caller->request(path => $path, body => Gate::chat(stream => $streamed),
                                      headers => { 'X-Sim' => 'cached=4;reasoning=9;tokens=20' });
        my $log = Gate::logged(id => $answer->{headers}{'x-request-id'});
        my ($call) = Gate::truths($log->{id});
        is_deeply([@$log{qw(prompt completion cached reasoning)}],
                  [$call->{told}{prompt}, $call->{told}{completion}, 4, 9],
                  "$how: cached and reasoning tokens are noted")
            or diag(Gate::to_json($log), Gate::to_json($call));
        is($call->{told}{completion}, 29, "$how: reasoning is a part of the completion");

        $answer = $caller->request(
            path => $path, headers => { 'X-Sim' => 'usage=excess' },
            body => Gate::chat(stream => $streamed, more => { max_tokens => 5 }));
        $log = Gate::logged(id => $answer->{headers}{'x-request-id'});
        is($log->{completion}, 112, "$how: what was reported counts, also above max_tokens");

        $answer = $caller->request(
            path => $path, headers => { 'X-Sim' => 'id=x' },
            body => Gate::chat(stream => $streamed, more => { max_tokens => 5 }));
        $log = Gate::logged(id => $answer->{headers}{'x-request-id'});
        is_deeply([@$log{qw(completion finish)}], [5, 'length'], "$how: a length that was reached");

        $answer = $caller->request(path => $path, headers => { 'X-Sim' => 'tool=1' },
                                   body => Gate::chat(stream => $streamed));
        is(Gate::logged(id => $answer->{headers}{'x-request-id'})->{finish}, 'tool',
           "$how: tool calls");

        $answer = $caller->request(path => $path, headers => { 'X-Sim' => 'status=400' },
                                   body => Gate::chat(stream => $streamed));
        is_deeply(notes_of(Gate::logged(id => $answer->{headers}{'x-request-id'})), $notes{none},
                  "$how: an error has no usage");
    }
    my $answer = $caller->request(
        path => '/usage/v1/embeddings',
        body => Gate::to_json({ model => 'e', input => 'four words are here' }));
    my $log = Gate::logged(id => $answer->{headers}{'x-request-id'});
    my ($call) = Gate::truths($log->{id});
    is_deeply([$answer->{status}, notes_of($log)],
              [200, { prompt => $call->{told}{prompt}, completion => 0, source => 'reported' }],
              'embeddings: the prompt is all there is')
        or diag(Gate::brief($answer), Gate::to_json($call));
}

# ------------------------------------------------------------------------------------ the id

for my $front (qw(h1 tls h2)) {
    my $caller = Gate::caller_of($front);
    my %seen;
    for my $case (['streamed', 'id=x', 1], ['plain', 'id=x', 0], ['a refusal', 'status=404', 0],
                  ['a failure', 'reset=headers', 0], ['a time-out', 'delay=60000', 1]) {
        my ($name, $script, $streamed) = @$case;
        # What the caller calls its request is its own affair.
        my $answer = $caller->request(
            path => $path, body => Gate::chat(stream => $streamed),
            headers => { 'X-Sim' => $script, 'X-Request-Id' => 'mine' });
        my $id    = $answer->{headers}{'x-request-id'} // '';
        my $log   = Gate::logged(id => $id);
        my @calls = Gate::truths($id);
        like($id, qr/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
             "$front, $name: the id is a UUID of version 7");
        is_deeply([$log->{note}, $calls[0]{id}, $seen{$id}++ ? 'again' : 'new'], [$id, $id, 'new'],
                  "$front, $name: answer, log, note and target know the same id");
    }
    my $refused = $caller->request(path => $path, body => '{"model":');
    is($refused->{status}, 400, "$front: a refusal of the gateway's own");
    is(Gate::logged(id => $refused->{headers}{'x-request-id'})->{note},
       $refused->{headers}{'x-request-id'}, "$front: has an id, too");
}

done_testing;
