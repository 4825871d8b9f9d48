#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# keys_files.t - what does a change of a key file do while traffic runs?
#
# Four children; callers ask all the time. No request may fail, a new key is in use within two
# seconds on all children, and a file that is broken changes nothing.

use strict;
use warnings;

use Gate ();
use KeyServer ();
use Test::More;
use Time::HiRes qw(time);

my $WITHIN = 2;

my $server = KeyServer->new(files => { a => "sk-custody-aaaa\n", b => "sk-custody-bbbb\n" },
                            conf  => KeyServer::target('t', 'AITargetKeyFile KEYS/a'));

sub tail { return ($server->tails($server->ask))[0] }

# Waits until the same key was seen so often that every child must have used it; how long that took.
sub await_tail
{
    my ($tail) = @_;
    my ($began, $n, $first) = (time, 0, undef);
    Gate::await("the key $tail", sub {
        $n = tail() eq $tail ? $n + 1 : 0;
        $first = time if $n == 1;
        return $n == 12;
    });
    return $first - $began;
}

is(tail(), 'aaaa', 'the first key');
$server->start_traffic(4);
for my $key (qw(cccc dddd eeee)) {
    $server->put('a', "sk-custody-$key\n");
    cmp_ok(await_tail($key), '<', $WITHIN, "$key: in use on all children in time");
}
is(scalar($server->await_lines('AI0511: target t: key 1: there is a new one', 3)), 3, 'one line for each, whoever read it');

# ---------------------------------------------------------------------------- broken files

for my $broken (['empty', "\n", 'holds no key: it is empty'], ['two keys', "sk-x\nsk-y\n", 'holds more than a key'],
                ['white space', "sk x\n", 'white space'], ['half of JSON', '{"key":"sk-x', 'JSON that is wrong'],
                ['too long', 'x' x 20000, 'is longer than 16384 bytes']) {
    my ($what, $text, $why) = @$broken;
    my $before = () = $server->lines('AI0512');
    $server->put('a', $text);
    $server->await_lines('AI0512', $before + 1);
    is(tail(), 'eeee', "$what: the key goes on");
    my @new = ($server->lines('AI0512'))[$before .. $before];
    like($new[0], qr{AI0512: target t: key 1: the file \S+/a [^;]*\Q$why\E[^;]*; the key that was read before goes on}, "$what: the log says why");
}
my $before = () = $server->lines('AI0512');
unlink("$server->{keys}/a");
$server->await_lines('AI0512: [^\n]*cannot be opened', 1);
is(tail(), 'eeee', 'a file that is gone: the key goes on');
$server->put('a', "sk-custody-ffff\n", 0602);
$server->await_lines('AI0512: [^\n]*can be written by everybody', 1);
is(tail(), 'eeee', 'one that everybody may write: the key goes on');
is(scalar($server->lines('AI0512')), $before + 2, 'each is logged once, not by each child');
$server->put('a', qq({"key":"sk-custody-gggg","expires":"2099-01-01T00:00:00Z"}\n));
cmp_ok(await_tail('gggg'), '<', $WITHIN, 'a good file again, in JSON');
like(($server->await_lines('AI0513', 1))[0], qr/AI0513: target t: key 1: its source is well again/, 'and the log says so');
like(($server->lines('AI0511'))[-1], qr/good until 2099-01-01T00:00:00Z/, 'and until when it is good');

# ------------------------------------------------------------------------------- restarts

$server->put('a', "sk-custody-hhhh\n");
$server->graceful;
cmp_ok(await_tail('hhhh'), '<', $WITHIN, 'a graceful restart reads it');
$server->put('a', "sk-custody-iiii\n");
cmp_ok(await_tail('iiii'), '<', $WITHIN, 'and the new generation watches it');
$server->ask(sim => 'status=401;whose=iiii') for 1;
is($server->state_of('t/1')->{Asides}, 1, 'set aside');
my $seen = $server->stop_traffic;
$server->graceful;
is_deeply([@{ $server->state_of('t/1') }{qw(Good Asides)}], [0, 1], 'a restart does not forget what is set aside');
$server->put('a', "sk-custody-jjjj\n");
$server->graceful;
is($server->state_of('t/1')->{Good}, 1, 'but another key is another key');
is(tail(), 'jjjj', 'and is used');

cmp_ok($seen->{200}, '>', 200, 'there was traffic all the time');
delete $seen->{200};
delete $seen->{502};     # while the only key was set aside
delete @$seen{qw(none 0)};    # a new connection that met the end of an old child
is_deeply($seen, {}, 'and no answer was wrong');

# ----------------------------------------------------------------------------- it expires

$server = KeyServer->new(files => { a => "sk-custody-aaaa\nexpires=2026-01-01T00:00:00Z\n", b => "sk-custody-bbbb" },
                         conf => KeyServer::target('t', 'AITargetKeyFile KEYS/a'));
my $answer = $server->ask;
is_deeply([$answer->{status}, Gate::from_json($answer->{body})->{error}{code}], [503, 'upstream_key_missing'],
          'a file whose key has expired: nobody is asked');
$server->await_lines('AI0514', 1);
is(scalar($server->lines('AI0514: target t: key 1 has expired')), 1, 'which the log says once');
$server->put('a', "sk-custody-bbbb\nexpires=1h\n");
Gate::await('the new key', sub { return $server->ask->{status} == 200 });
is(tail(), 'bbbb', 'another key ends it, without a restart');

done_testing();
