#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# http2.t - several streams on one connection of a caller: are they apart?
#
# Each with its own provider's answer; one that is reset closes its provider's connection and
# disturbs no other. And mod_http2's own limits, as docs/estate.md states them.

use strict;
use warnings;

use Estate;
use Gate ();
use H2 ();
use Test::More;

my $path = '/v1/chat/completions';
my $port = Gate::port_of('estate_tls');

sub begin
{
    my ($caller, $script, %chat) = @_;
    my $mark = Gate::mark();
    my $id = $caller->ask(path => $path, headers => { 'x-sim' => "mark=$mark;$script", 'x-mark' => $mark },
                          body => Gate::chat(stream => 1, %chat));
    return ($id, $mark);
}

sub content_of { return Gate::read_chat({ headers => { 'content-type' => 'text/event-stream' }, body => $_[0]{body} })->{text} }

# ------------------------------------------------------------------- three at once, one is reset

my $caller = H2->new(port => $port);
my ($patient, $patient_mark) = begin($caller, 'gap=20;tokens=60;id=patient');
my ($silent,  $silent_mark)  = begin($caller, 'stall=4;id=silent');
my ($early,   $early_mark)   = begin($caller, 'delay=60000;id=early');
$caller->until(sub { length content_of($caller->stream($patient)) && length content_of($caller->stream($silent)) });
pass('two streams flow at once, a third waits for its provider');
is($caller->stream($patient)->{status}, 200, 'with status 200');
ok(!$caller->stream($patient)->{ended}, 'while the first goes on');

for my $case ([$silent, $silent_mark, 'in the middle of a stream'], [$early, $early_mark, 'before the head']) {
    my ($id, $mark, $what) = @$case;
    $caller->reset($id);
    my $call = Gate::truth_of_mark($mark);
    isnt($call->{ended}, 'complete', "RST_STREAM $what: the provider's connection is closed");
    is(Gate::logged(mark => $mark)->{finish}, 'client-abort', "RST_STREAM $what: logged as the caller's doing");
}
my $answer = $caller->finish($patient);
my $seen   = Gate::read_chat($answer);
is_deeply([$answer->{whole}, $seen->{text}, $seen->{done}, keys %{ $seen->{fingerprints} }],
          [1, Gate::words_of_sim(60), 1, 'patient'], 'the stream beside them ends whole, and as its own');
is(Gate::truth_of_mark($patient_mark)->{ended}, 'complete', 'its provider was not disturbed');
my ($next) = begin($caller, 'tokens=3');
is(content_of($caller->finish($next)), Gate::words_of_sim(3), 'the connection lives on');
my $bad = $caller->request(path => $path, body => '{');
is_deeply([$bad->{status}, Gate::from_json($bad->{body})->{error}{code}], [400, 'invalid_json'],
          'an error is one of its stream');
is($caller->{goaway}, undef, 'no GOAWAY was sent');

# ---------------------------------------------------------------------------------- the limits

is($caller->setting(3), 12, 'H2MaxSessionStreams is what callers are told');
$caller = H2->new(port => $port);
my @ids = map { (begin($caller, 'gap=20;tokens=80'))[0] } 1 .. 8;
$caller->until(sub { 5 < grep { $caller->stream($_)->{body} =~ /(?:data:.*?){3}/s } @ids });
is(scalar(grep { defined $caller->stream($_)->{status} } @ids), 6,
   'mod_http2 serves six streams of a new connection at once; the others wait');
is_deeply([map { content_of($caller->finish($_)) } @ids], [(Gate::words_of_sim(80)) x 8],
          'and have their turn');

# --------------------------------------------------------- a caller who leaves with all its streams

$caller = H2->new(port => $port);
my @left = map { [begin($caller, 'stall=2')] } 1 .. 5;
$caller->until(sub { 5 == grep { length content_of($caller->stream($_->[0])) } @left });
$caller->close;
is_deeply([map { Gate::logged(mark => $_->[1])->{finish} } @left], [('client-abort') x 5],
          'a connection that ends is the end of all its streams');
Gate::await_active(0);
pass('and no provider is kept waiting');

done_testing();
