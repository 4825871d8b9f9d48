#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# keys_exec.t - keys that a program says: when is it run, by whom, and what if it does not work?
#
# Each program counts its runs in a file. Four children, and one run for all of them.

use strict;
use warnings;

use Gate ();
use KeyServer ();
use Test::More;
use Time::HiRes qw(time);

# Keys have to grow old here, and failures to be tried again.
$Gate::DEADLINE = 15;

my $count = 'n=$(($(cat KEYS/runs 2>/dev/null || echo 0) + 1)); echo $n >KEYS/runs.new; mv KEYS/runs.new KEYS/runs';

sub read_key
{
    my ($server, $name) = @_;
    open(my $fh, '<', "$server->{keys}/$name") or return '';
    local $/;
    return (<$fh> // '') =~ s/\s+\z//r;
}

# ------------------------------------------------------------------------------- how it is run

{
    my $server = KeyServer->new(
        scripts => { get => "$count\n(id -u; id -g; pwd; umask; env | sort; echo \"args: \$*\"; ls /proc/self/fd | wc -l) >KEYS/facts.new 2>&1\n"
                          . "mv KEYS/facts.new KEYS/facts\necho sk-custody-aaaa" },
        conf => KeyServer::target('t', 'AITargetKeyExec "KEYS/get one \'two words\' $HOME;id" name=vault'));
    is($server->ask->{status}, 200, 'the first request waits for the first key') or diag($server->said);
    my @tails = map { $server->tails($server->ask) } 1 .. 20;
    is_deeply([grep { $_ ne 'aaaa' } @tails], [], 'all children have it');
    is(read_key($server, 'runs'), 1, 'after one run');
    my @facts = split /\n/, read_key($server, 'facts');
    is_deeply([@facts[0, 1]], [$>, (split ' ', $))[0]], 'it ran as the children do');
    isnt($facts[0], 0, 'which is not root');
    is_deeply([@facts[2, 3]], ['/', '0077'], 'in the root, with a mask');
    is_deeply([grep { !/^(?:PWD|OLDPWD|SHLVL|_)=/ } grep { /^\w+=/ } @facts],
              ['AI_KEY=vault', 'AI_TARGET=t', 'LC_ALL=C', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
              'with a clean environment');
    is((grep { /^args/ } @facts)[0], 'args: one two words $HOME;id', 'without a shell between');
    is($facts[-1], 4, 'and no descriptor of the server (three, and that of ls)');

    # Restarts: the key is there at once, and nobody is asked again.
    $server->graceful;
    is($server->ask->{status}, 200, 'after a graceful restart it is served at once');
    is(read_key($server, 'runs'), 1, 'with the key that was there');

    # The provider refuses it: perhaps it was changed where the program has it from.
    $server->script('get', "$count\necho sk-custody-bbbb");
    is($server->ask(sim => 'status=401;whose=aaaa')->{status}, 502, 'the key is refused');
    Gate::await('the next key', sub { return $server->ask->{status} == 200 });
    is(($server->tails($server->ask))[0], 'bbbb', 'so the program is run again, and its new key used');
    is(read_key($server, 'runs'), 2, 'once');
}

# -------------------------------------------------------------------------- short-lived keys

{
    # Each key lives 6 seconds, and its number is its end.
    my $server = KeyServer->new(
        scripts => { get => "$count\nprintf '{\"key\":\"sk-custody-%04d\",\"expires\":\"%s\"}\\n' \$n \"\$(date -u -d '+6 seconds' +%Y-%m-%dT%H:%M:%SZ)\"" },
        conf => KeyServer::target('t', 'AITargetKeyExec KEYS/get'));
    is($server->ask->{status}, 200, 'a key that lives for seconds');
    $server->start_traffic(3);
    for my $n (2, 3) {
        Gate::await("key $n", sub { return read_key($server, 'runs') >= $n });
    }
    $server->graceful;
    Gate::await('key 4', sub { return read_key($server, 'runs') >= 4 });
    my $seen = $server->stop_traffic;
    cmp_ok($seen->{200}, '>', 100, 'under traffic');
    delete @$seen{qw(200 none 0)};
    is_deeply($seen, {}, 'no request met a key that had expired');
    is_deeply([$server->lines('AI0514|AI0512')], [], 'nor did anybody else');
    # A run that the restart broke off has given no key.
    Gate::await('a key after the restart', sub { return (($server->tails($server->ask))[0] // 0) >= 3 });
    pass('and the keys that were used are the new ones');

    # The vault is gone: the last key goes on until it expires, and then there is none.
    $server->script('get', "exit 7");
    Gate::await('the end of the key', sub { return $server->ask->{status} == 503 });
    my $answer = $server->ask;
    is(Gate::from_json($answer->{body})->{error}{code}, 'upstream_key_missing', 'then there is no key');
    is(scalar($server->await_lines('AI0512: target t: key 1: the program \S+/get ended with status 7; the key that was read before goes on', 1)), 1,
       'the log said so once');
    is(scalar($server->await_lines('AI0514: target t: key 1 has expired', 1)), 1, 'and that it expired');
    $server->script('get', "$count\necho sk-custody-cccc");
    Gate::await('the next key', sub { return $server->ask->{status} == 200 });
    pass('a vault that is back is found by itself');
    $server->await_lines('AI0513', 1);
}

# ------------------------------------------------------------------- programs that do not work

for my $case (['fails', 'exit 3', 'ended with status 3'], ['says garbage', 'echo sk garbage', 'gave what holds a key with white space'],
              ['says nothing', ':', 'gave what holds no key'], ['says too much', 'yes', 'said more than 16384 bytes'],
              ['gives an old key', 'echo sk-old; echo expires=2020-01-01T00:00:00Z', 'gave what holds a key that has expired'],
              ['is killed', 'kill -9 $$', 'was ended by signal 9'], ['hangs', 'exec sleep 100', 'was not done after 1 s']) {
    my ($what, $script, $why) = @$case;
    my $server = KeyServer->new(scripts => { get => $script }, files => { b => 'sk-custody-bbbb' },
                                conf => KeyServer::target('t', 'AITargetKeyExec KEYS/get timeout=1s')
                                      . KeyServer::target('next', 'AITargetKeyFile KEYS/b')
                                      . "<Location /both/v1>\nAIEngine On\nAIRoute * t next\n</Location>\n");
    my $began  = time;
    my $answer = $server->ask;
    is_deeply([$answer->{status}, Gate::from_json($answer->{body})->{error}{code}], [503, 'upstream_key_missing'], "$what: no key, no answer");
    cmp_ok(time - $began, '<', 6, "$what: after a bounded time");
    $server->await_lines('AI0512', 1);
    like(($server->lines('AI0512'))[0], qr{AI0512: target t: key 1: the program \S+/get \Q$why\E[^;]*; there is no key yet}, "$what: and the log says why");
    $answer = $server->ask(path => '/both/v1/chat/completions');
    is_deeply([$answer->{status}, $server->tails($answer)], [200, 'bbbb'], "$what: the next target answers");
    Gate::await('another try', sub { return $server->state_of('t/1')->{SourceFailures} >= 2 });
    is(scalar($server->lines('AI0512')), 1, "$what: said once, however often it is tried");
}

# One that turns bad while the server runs is not run: somebody else may have written it.
{
    my $server = KeyServer->new(scripts => { get => "$count\necho sk-custody-aaaa" },
                                conf => KeyServer::target('t', 'AITargetKeyExec KEYS/get every=1s'));
    $server->ask;
    Gate::await('runs', sub { return read_key($server, 'runs') >= 2 });
    chmod(0722, "$server->{keys}/get");
    $server->await_lines('AI0512: [^\n]*can be written by others', 1);
    my $runs = read_key($server, 'runs');
    Gate::await('another look', sub { return $server->state_of('t/1')->{SourceFailures} >= 2 });
    is(read_key($server, 'runs'), $runs, 'a program that others may write is not run');
    is($server->ask->{status}, 200, 'and the key goes on');
}

# ------------------------------------------------------------------ at configuration, at the end

{
    my $server = KeyServer->new(scripts => { get => "$count\necho \$\$ >KEYS/pid; touch KEYS/begun; exec sleep 100" },
                                conf => KeyServer::target('t', 'AITargetKeyExec KEYS/get timeout=60s'));
    Gate::await('the program', sub { return -e "$server->{keys}/begun" });
    my $said = `$ENV{AI_HTTPD} -t -f $server->{dir}/httpd.conf 2>&1`;
    like($said, qr/Syntax OK/, 'the configuration is good');
    is(read_key($server, 'runs'), 1, 'which is found out without a run');
    my $pid = read_key($server, 'pid');
    ok(kill(0, $pid), 'it hangs');
    $server->stop;
    Gate::await('its end', sub { return !kill(0, $pid) });
    pass('it ends with the server');
}

done_testing();
