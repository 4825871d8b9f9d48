#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# keys.t - which of a target's keys is used, and what becomes of one that the provider refuses?
#
# Four children; each request has a connection of its own, so that all of them take part. The
# simulator tells keys by their ends: "status=401;whose=aaaa" answers 401 to sk-...-aaaa alone.

use strict;
use warnings;

use Gate ();
use KeyServer ();
use StatusPage ();
use Test::More;

my %file = (a => "sk-custody-aaaa\n", b => "sk-custody-bbbb\n", c => "sk-custody-cccc\n");

sub counts { my %n; $n{$_}++ for @_; return \%n }

sub near
{
    my ($n, $want, $name) = @_;
    return ok(abs(($n // 0) - $want) <= 2, "$name: " . ($n // 0) . " of about $want");
}

my $three = KeyServer::target('t', 'AITargetKeyFile KEYS/a name=first',
                              'AITargetKeyFile KEYS/b weight=3', 'AITargetKeyFile KEYS/c name=third weight=6');

# ----------------------------------------------------------------------------------- weights

{
    my $server = KeyServer->new(files => \%file, conf => $three);
    my $seen = counts(map { $server->tails($server->ask) } 1 .. 100);
    near($seen->{aaaa}, 10, 'weight 1 of 10');
    near($seen->{bbbb}, 30, 'weight 3 of 10');
    near($seen->{cccc}, 60, 'weight 6 of 10');

    my $uses = StatusPage::values_of($server);
    is($uses->{'AIKey[t/first]Uses'} + $uses->{'AIKey[t/2]Uses'} + $uses->{'AIKey[t/third]Uses'}, 100,
       'the status page counts them, by name or by position');
    is($uses->{'AIKey[t/first]Uses'}, $seen->{aaaa}, 'each as often as the provider saw it');

    # No request chooses: what a caller sends for a key goes to nobody.
    my $answer = $server->caller->request(path => '/v1/chat/completions', body => Gate::chat(), headers => {
        Authorization => 'Bearer sk-custody-zzzz', 'x-api-key' => 'sk-custody-zzzz', 'AI-Key' => 'third' });
    like(($server->tails($answer))[0], qr/^(?:aaaa|bbbb|cccc)$/, 'a caller cannot choose a key, nor bring one');

    my @rows = StatusPage::rows_of(StatusPage::text_of($server, ''));
    my ($row) = grep { $_->[0] eq 't/first' } @rows;
    is_deeply([@$row[1, 3 .. 6]], [1, 0, 0, 0, 0], 'the page for a person has a line for each');
}

# ------------------------------------------------------------------------- refused and set aside

for my $status (401, 402, 403) {
    my $server = KeyServer->new(files => \%file, conf => $three);
    my (@bad, $tries);
    for my $n (1 .. 60) {
        my $answer = $server->ask(sim => "status=$status;whose=cccc;tokens=1", stream => $n % 2);
        push @bad, $answer->{status} if $answer->{status} != 200;
        $tries += grep { $_ eq 'cccc' } $server->tails($answer);
    }
    is_deeply(\@bad, [], "$status: every caller is answered, with another key");
    is($tries, 1, "$status: the key is tried once, by all children together");
    my @lines = $server->lines('AI0510');
    is(scalar @lines, 1, "$status: one line in the log");
    like($lines[0], qr/AI0510: target t: key third was refused with status $status; it is set aside for 10min/, "$status: which names it");
    my $state = $server->state_of('t/third');
    is_deeply([@$state{qw(Good Uses Refusals Asides)}], [0, 1, 1, 1], "$status: and is counted");
    ok($state->{AsideS} > 500 && $state->{AsideS} <= 600, "$status: with the time that is left");
    # The same key is good again for the provider; the file says another: it is tried at once.
    $server->put('c', "sk-custody-dddd\n");
    Gate::await('the new key', sub { return $server->state_of('t/third')->{Good} });
    ok(scalar(grep { $_ eq 'dddd' } map { $server->tails($server->ask) } 1 .. 10), "$status: another key from its source is used at once");
}

# One key: what nobody can prove by another key is the caller's to see, and 401 is never.
{
    my $one = KeyServer::target('t', 'AITargetKeyFile KEYS/a', 'AITargetKeyAside 1s');
    my $server = KeyServer->new(files => \%file, conf => $one . KeyServer::target('next', 'AITargetKeyFile KEYS/b')
                                . "<Location /both/v1>\nAIEngine On\nAIRoute * t next\n</Location>\n");
    for my $status (402, 403) {
        is($server->ask(sim => "status=$status")->{status}, $status, "the only key, $status: the provider's word");
        is($server->ask->{status}, 200, "and it stays in use: it may have been the request");
    }
    my $answer = $server->ask(sim => 'status=401');
    is($answer->{status}, 502, 'the only key, 401: never 401 to the caller');
    is(Gate::from_json($answer->{body})->{error}{code}, 'upstream_auth_error', 'but whose fault it is');
    $answer = $server->ask;
    is_deeply([$answer->{status}, Gate::from_json($answer->{body})->{error}{code}], [502, 'upstream_auth_error'],
              'while it is set aside: the same, and nobody is asked');
    is_deeply([grep { $_->{id} eq $answer->{headers}{'x-request-id'} } @{ Gate::calls()->{last} }], [],
              'the provider has no such call');
    Gate::await('the end of its time', sub { return $server->ask->{status} == 200 });
    pass('after its time it is tried again');

    $server->ask(sim => 'status=401');
    $answer = $server->ask(path => '/both/v1/chat/completions');
    is($answer->{status}, 200, 'a target whose keys are all set aside: the next one answers');
    is_deeply([$server->tails($answer)], ['bbbb'], 'without an attempt at the first');
    my $values = StatusPage::await($server, 'the refusal of a key', sub { $_[0]{'AIRefusals[upstream_auth_error]'} });
    cmp_ok($values->{'AIRefusals[upstream_auth_error]'}, '>=', 1, 'requests that nobody was asked for count as refusals');
}

# Off: every request tries it anew.
{
    my $server = KeyServer->new(files => \%file, conf => KeyServer::target('t', 'AITargetKeyFile KEYS/a', 'AITargetKeyFile KEYS/b', 'AITargetKeyAside Off'));
    my @tails = map { my $answer = $server->ask(sim => 'status=401;whose=aaaa;tokens=1'); $answer->{status} == 200 ? $server->tails($answer) : 'none' } 1 .. 20;
    my $seen = counts(@tails);
    is($seen->{bbbb}, 20, 'AITargetKeyAside Off: every caller is answered');
    cmp_ok($seen->{aaaa}, '>', 5, 'and the refused key has its turn');
    is_deeply([$server->lines('AI0510')], [], 'without a word');
}

# What no other key changes is no key's fault: nobody can put a target's keys out of use.
{
    my $server = KeyServer->new(files => \%file, conf => $three);
    for my $status (402, 403) {
        my $answer = $server->ask(sim => "status=$status");
        is($answer->{status}, $status, "$status to every key: the provider's word");
        is_deeply([sort $server->tails($answer, 3)], [qw(aaaa bbbb cccc)], 'after each was tried');
    }
    is_deeply([$server->lines('AI0510')], [], 'and none is set aside');
    my $answer = $server->ask(sim => 'status=401');
    is($answer->{status}, 502, '401 to every key');
    is(scalar($server->lines('AI0510')), 3, 'all are set aside');
    is(scalar($server->tails($answer, 3)), 3, 'each was tried once');
}

# ------------------------------------------------------------------------------------ 429

{
    my $server = KeyServer->new(files => \%file, conf => $three);
    my @tails = map {
        my $answer = $server->ask(sim => 'status=429;retry_after=30;whose=cccc;tokens=1', stream => $_ % 2);
        is($answer->{status}, 200, '429: another key answers') if $answer->{status} != 200 || $_ == 1;
        $server->tails($answer);
    } 1 .. 40;
    is(scalar(grep { $_ eq 'cccc' } @tails), 1, '429: the key rests, on all children');
    is_deeply([@{ $server->state_of('t/third') }{qw(Good Limits Refusals Asides)}], [1, 1, 0, 0], 'it is good, and counted');
    is_deeply([$server->lines('AI0510')], [], 'it is not set aside');
    my $answer = $server->ask(sim => 'status=429;retry_after=9;whose=aaaa,bbbb;tokens=1');
    $answer = $server->ask(sim => 'status=429;retry_after=9;whose=aaaa,bbbb;tokens=1') if $answer->{status} == 429;
    # Now all rest.
    $server->ask(sim => 'status=429;retry_after=9');
    is($server->ask->{status}, 200, 'when all rest one is taken all the same');
    $answer = $server->ask(sim => 'status=429;retry_after=7');
    is_deeply([$answer->{status}, $answer->{headers}{'retry-after'}], [429, 7], 'and its 429 is the caller\'s, with Retry-After');
}
{
    my $server = KeyServer->new(files => \%file, route => 't next', conf => KeyServer::target('t', 'AITargetKeyFile KEYS/a')
                                . KeyServer::target('next', 'AITargetKeyFile KEYS/b'));
    my $answer = $server->ask(sim => 'status=429;retry_after=30;whose=aaaa');
    is_deeply([$answer->{status}, $server->tails($answer, 2)], [200, 'aaaa', 'bbbb'], 'the only key, 429: the next target');
}


done_testing();
