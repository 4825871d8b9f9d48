# SPDX-License-Identifier: Apache-2.0
#
# Once the caller has seen content, is the answer of one target only, and is a broken one seen?
#
# A broken stream ends with exactly one error event and without [DONE]; what came before it is the
# beginning of the answer and nothing twice. A broken plain body is visibly incomplete. In both
# cases the second target, which stands ready, never hears of the call.

use strict;
use warnings;

use Gate ();
use Test::More;

my $path  = '/commit/v1/chat/completions';
my $words = Gate::words_of_sim(12);
my ($answer, $log, @calls);

sub ask
{
    my ($front, $script, $streamed) = @_;
    # By a mark, as HTTP/2 may drop the head with the broken body, and the id with it.
    my $mark = Gate::mark();
    $answer = Gate::caller_of($front)->request(
        path => $path, headers => { 'X-Sim' => "id=first;$script", 'X-Mark' => $mark },
        body => Gate::chat(stream => $streamed));
    $log   = Gate::logged(mark => $mark);
    @calls = Gate::truths($log->{id}, 1);
    return;
}

sub explain_it { return diag(Gate::brief($answer), map { Gate::to_json($_) } $log, @calls) }

# --------------------------------------------------------------------------------- the stream

# name, script, and the code of the error event.
my @breaks = (
    ['cut between events', 'cut=4', 'stream_broken'],
    ['cut within an event', 'bytes=1100', 'stream_broken'],
    ['cut after the first byte of an event', 'cut=5;chunk=1;bytes=1000', 'stream_broken'],
    ['cut with CRLF', 'cut=4;eol=crlf', 'stream_broken'],
    ['reset', 'reset=4', 'stream_broken'],
    ['silence', 'stall=4', 'stream_broken'],
    ['silence within an event', 'stall=4;chunk=100', 'stream_broken'],
    ['an event that is garbage', 'garbage=4', 'invalid_stream'],
    ['a length that promises more', 'length=+50;cut=6', 'stream_broken'],
    ['a length that cuts it short', 'length=-1500', 'stream_broken'],
    ['no [DONE] and no finish', 'cut=10', 'stream_broken'],
);

for my $front (qw(h1 tls h2)) {
    for my $break (@breaks) {
        my ($name, $script, $code) = @$break;
        ask($front, $script, 1);
        my $seen   = Gate::read_chat($answer);
        my $error  = $seen->{errors}[0] // {};
        my @events = Gate::events($answer->{body});
        is_deeply({
            status => $answer->{status}, whole => $answer->{whole}, done => $seen->{done},
            errors => scalar @{ $seen->{errors} }, broken => $seen->{broken},
            error_is_last => ($events[-1]{data} // '') =~ /^\{"error":/ ? 1 : 0,
            members => join(' ', sort keys %$error), code => $error->{code},
            type => $error->{type},
            begins => $seen->{text} ne '' && index($words, $seen->{text}) == 0 ? 1 : 0,
            of => join(' ', sort keys %{ $seen->{fingerprints} }), calls => scalar @calls,
            target => $log->{target}, attempts => $log->{attempts}, finish => $log->{finish},
        }, {
            status => 200, whole => 1, done => 0, errors => 1, broken => 0, error_is_last => 1,
            members => 'code message param type', code => $code, type => 'server_error',
            begins => 1, of => 'first', calls => 1, target => 'first', attempts => 1,
            finish => 'error',
        }, "$front: $name") or explain_it();
    }

    # All that the target sent whole arrives: three words, cut=4 with the role before them.
    ask($front, 'cut=4', 1);
    is(Gate::read_chat($answer)->{text}, join(' ', (split / /, $words)[0 .. 2]),
       "$front: what came before the cut is all there");

    # The target says itself that it failed; that is the one error event.
    ask($front, 'error=4', 1);
    my $seen = Gate::read_chat($answer);
    is_deeply([$answer->{whole}, scalar @{ $seen->{errors} }, $seen->{errors}[0]{message},
               $seen->{done}, $log->{finish}, scalar @calls],
              [1, 1, 'The server had an error.', 0, 'error', 1],
              "$front: the target's own error event is handed on, and none is added")
        or explain_it();

    # A stream that has said how it finished is complete, [DONE] or not.
    ask($front, 'done=0', 1);
    $seen = Gate::read_chat($answer);
    is_deeply([$answer->{whole}, $seen->{text}, scalar @{ $seen->{errors} }, $seen->{finish},
               $log->{finish}],
              [1, $words, 0, 'stop', 'stop'], "$front: a missing [DONE] is no failure")
        or explain_it();
}

# ----------------------------------------------------------------------------- the plain body

my $plain_length = do {
    my $whole = Gate::caller_to_sim()->request(path => '/v1/chat/completions',
                                               headers => { 'X-Sim' => 'id=first' },
                                               body => Gate::chat());
    length $whole->{body};
};

for my $front (qw(h1 tls h2)) {
    for my $break (['cut', 'bytes=200'], ['a length that promises more', 'length=+50'],
                   ['silence', "chunk=100;pace=60000"]) {
        my ($name, $script) = @$break;
        ask($front, $script, 0);
        is_deeply({ whole => $answer->{whole},
                    of_first => $answer->{body} =~ /^(?:\{"id":|\z)/ ? 1 : 0,
                    at_most => length $answer->{body} <= $plain_length ? 1 : 0,
                    second => index($answer->{body}, 'second'),
                    calls => scalar @calls, target => $log->{target}, finish => $log->{finish} },
                  { whole => 0, of_first => 1, at_most => 1, second => -1, calls => 1,
                    target => 'first', finish => 'error' },
                  "$front, plain: $name shows as a body that is not whole")
            or explain_it();
    }
    # Nobody can see on the wire that a body is longer than its length; but it is no JSON any more.
    ask($front, 'length=-50', 0);
    is_deeply([scalar eval { Gate::from_json($answer->{body}); 1 }, $log->{finish}],
              [undef, 'error'],
              "$front, plain: a body cut short by its length is logged as an error")
        or explain_it();
}

done_testing;
