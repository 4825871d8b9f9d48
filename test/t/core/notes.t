#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# notes.t - do AINote and the notes say what they should, where a log can read it?

use strict;
use warnings;

use Gate ();
use Test::More;

my $caller = Gate::caller_of('h1', 'core');

# The fields of core_notes for one request.
sub noted
{
    my ($path, %headers) = @_;
    my $mark = Gate::mark();
    my $answer = $caller->request(path => $path, body => Gate::chat(model => 'gpt-known'),
                                  headers => { %headers, 'X-Mark' => $mark });
    my $line = Gate::await("the notes of $mark", sub {
        open(my $log, '<', 't/logs/core_notes') or return;
        my ($found) = grep { /mark="\Q$mark\E".*\n\z/ } <$log>;
        return $found;
    });
    return ({ $line =~ /([\w-]+)="([^"]*)"/g }, $answer);
}

my ($note, $answer) = noted('/notes/v1/embeddings', 'X-Tenant' => 'acme', 'X-Own' => 'mine');
is($note->{tenant}, 'acme', 'an inner rule runs last and wins');
is($note->{label}, 'server', 'an outer rule holds where no inner one speaks');
is($note->{tier}, 'gold', 'a plain text');
is($note->{own}, 'mine', 'a name of the site\'s own, by an environment variable');
is($note->{empty}, '-', 'an empty value is no value');
is($note->{'from-model'}, 'asked:gpt-known', 'a rule may read what was asked');
is($note->{endpoint}, 'embeddings', 'ai-endpoint');
is($note->{dialect}, 'openai', 'ai-dialect');

($note) = noted('/notes/v1/chat/completions');
is($note->{tenant}, 'server', 'a rule that comes to nothing leaves the outer one\'s value');
is($note->{tier}, 'platinum:gold', 'a rule in an inner section builds on the outer one');
is($note->{own}, '-', 'without the variable there is no note');
is($note->{endpoint}, 'chat', 'ai-endpoint of a chat');

($note) = noted('/notes/v1/chat/completions', 'ai-tenant' => 'forged', 'ai-tier' => 'forged',
                'X-Tenant' => "a b;\tc");
is($note->{tenant}, 'a b;\tc', 'a value is taken as it is');
is($note->{tier}, 'platinum:gold', 'a caller\'s header is no note');

# The core's own notes, over a plain answer and a stream.
for my $stream (0, 1) {
    my $what = $stream ? 'streamed' : 'plain';
    $answer = $caller->request(path => '/v1/chat/completions',
                               body => Gate::chat(model => 'gpt-known', stream => $stream));
    my $log = Gate::logged(id => $answer->{headers}{'x-request-id'});
    my ($truth) = Gate::truths($answer->{headers}{'x-request-id'});
    is($log->{note}, $log->{id}, "$what: ai-request-id is the log's own id");
    is_deeply([@$log{qw(model served route target attempts deny finish source)}],
              [qw(gpt-known gpt-known gpt-known sim 1 - stop reported)], "$what: who and how");
    is($log->{stream}, $stream ? 1 : '-', "$what: ai-stream");
    is_deeply([@$log{qw(prompt completion)}], [@{ $truth->{told} }{qw(prompt completion)}],
              "$what: the tokens that the provider told");
    my ($first, $upstream, $overhead) = @$log{qw(first upstream overhead)};
    ok((!grep { !/^\d+$/ } $first, $upstream, $overhead) && $first > 0 && $upstream > 0,
       "$what: times in microseconds") or diag("$first $upstream $overhead");
}

# When the provider's head came, and when its first content.
$answer = $caller->request(path => '/v1/chat/completions', headers => { 'X-Sim' => 'first=300' },
                           body => Gate::chat(model => 'gpt-known', stream => 1));
my $late = Gate::logged(id => $answer->{headers}{'x-request-id'});
like($late->{head}, qr/^[1-9]\d*$/, 'ai-time-head-us');
cmp_ok($late->{head} + 250_000, '<', $late->{first}, 'the content came later than the head');
$answer = $caller->request(path => '/v1/chat/completions', body => Gate::chat(model => 'broken'));
is(Gate::logged(id => $answer->{headers}{'x-request-id'})->{head}, '-', 'where nobody answered there is none');

# Notes outlive an ErrorDocument, which begins with an empty table.
my $mark = Gate::mark();
$answer = $caller->request(path => '/limit/v1/chat/completions', headers => { 'X-Mark' => $mark },
                           body => Gate::chat(text => 'x' x 3000));
is($answer->{status}, 413, 'an error that has an ErrorDocument');
my $log = Gate::logged(mark => $mark);
is_deeply([@$log{qw(deny note status)}], ['request_too_large', $log->{id}, 413],
          'its notes are in the log all the same');

done_testing();
