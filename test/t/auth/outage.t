#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# outage.t - what do callers feel when the database of keys is gone, or hangs?
#
# SQLite's file is away; PostgreSQL is killed, started again, and stopped in the middle. Keys that
# were confirmed lately go on for AIAuthGrace, and wait for nothing; of all others nobody says that
# they are bad. Four children. The log says what is wrong, also of a database that is named instead.

use strict;
use warnings;

use AuthServer ();
use File::Temp qw(tempdir);
use Gate ();
use KeyBase ();
use Keys ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

my ($CALLERS, $INVENTED, $TIMEOUT, $GRACE) = (8, 40, 2, 2);

my ($server, %port, @inventors);
my $owner = $$;
END { kill('KILL', map { $_->{pid} } @inventors) if $$ == ($owner // 0) }

sub ask
{
    my ($key, $host, %more) = @_;
    return Gate::Socket->new(port => $port{ $host // 'long' }, tls => 0)->request(
        path => '/v1/chat/completions', body => Gate::chat(),
        headers => { Authorization => "Bearer $key->{text}" }, %more);
}

sub code
{
    my ($answer) = @_;
    return 'nothing' if $answer->{body} eq '';
    return $answer->{status} == 200 ? 200
        : "$answer->{status} " . (Gate::from_json($answer->{body})->{error}{code} // 'none');
}

# The different answers to so many questions, each on a new connection.
sub codes
{
    my ($n, $key, $host) = @_;
    my %seen = map { code(ask($key, $host)) => 1 } 1 .. $n;
    return join(', ', sort keys %seen);
}

sub await_code
{
    my ($key, $host, $want) = @_;
    return Gate::await("$want on $host", sub { return code(ask($key, $host)) eq $want });
}

sub said { return scalar(() = $server->said =~ /$_[0]/g) }

# Callers that invent keys; their answers, as they come, are read by gather().
sub invent
{
    for (1 .. $CALLERS) {
        pipe(my $from, my $to) or die "pipe: $!\n";
        my $pid = fork() // die "fork: $!\n";
        if (!$pid) {
            srand($$);
            for (1 .. $INVENTED) {
                my $answer = eval { ask(Keys::make()) };
                syswrite($to, sprintf("%.3f %s\n", $answer ? ($answer->{seconds}, code($answer)) : (99, $@ =~ s/\n.*//sr)));
            }
            POSIX::_exit(0);
        }
        close($to);
        push @inventors, { pid => $pid, from => $from };
    }
    return;
}

sub gather
{
    my @answers;
    for my $caller (splice @inventors) {
        my $from = $caller->{from};
        push @answers, map { [/^(\S+) (.*)$/] } <$from>;
        waitpid($caller->{pid}, 0);
    }
    return @answers;
}

sub children
{
    my %seen = map { $_ => 1 } split ' ', do { local (@ARGV, $/) = "/proc/$server->{pid}/task/$server->{pid}/children"; <> } // '';
    return \%seen;
}

for my $driver (qw(sqlite3 pgsql)) {
    my $base = KeyBase->new($driver);
    my $good = Keys::make(name => 'good');
    my $other = Keys::make(name => 'never asked for');
    $base->put($good, $other);
    %port = map { $_ => OwnServer::free_port() } qw(short forever none);
    $server = AuthServer->new([], $base->conf . <<"END", children => 4);
AIAuthCacheTTL 1h
AIAuthLookupTimeout ${TIMEOUT}s
<Location /v1>
    AIEngine On
    Require ai-key
    AIRoute * sim
</Location>
Listen 127.0.0.1:$port{short}
<VirtualHost 127.0.0.1:$port{short}>
    AIAuthCacheTTL 500ms
    AIAuthGrace ${GRACE}s
</VirtualHost>
Listen 127.0.0.1:$port{forever}
<VirtualHost 127.0.0.1:$port{forever}>
    AIAuthCacheTTL 500ms
    AIAuthGrace forever
</VirtualHost>
Listen 127.0.0.1:$port{none}
<VirtualHost 127.0.0.1:$port{none}>
    AIAuthCacheTTL 500ms
    AIAuthGrace Off
</VirtualHost>
END
    $port{long} = $server->{port};

    # ---------------------------------------------------------------- rows that are no records
    if ($base->server) {
        my ($broken, $stranger) = map { Keys::make() } 1 .. 2;
        my $sql = sub { return $base->server->sql('gateway', "UPDATE ai_keys SET record = $_[0] WHERE id = '$_[1]{id}'") };
        $base->put($broken, $stranger);
        $sql->("replace(record, 'digest', 'gidest')", $broken);
        is(code(ask($broken)), '401 invalid_api_key', 'a row that is no record lets nobody in');
        like($server->said, qr/AI0210: key $broken->{id} in the database is refused: /, 'the log says which');
        $sql->("(SELECT record FROM ai_keys WHERE id = '$good->{id}')", $stranger);
        is(code(ask($stranger)), '401 invalid_api_key', 'nor does one with the record of another key');
        is(code(ask({ text => $good->{text} =~ s/$good->{id}/$stranger->{id}/r })), '401 malformed_api_key',
           'and no text fits it');
    }

    # -------------------------------------------------------------------------- it is gone
    is(code(ask($good, 'short')), 200, "$driver: a key");
    $base->away;
    my $gone = time;
    is(codes(8, $good), 200, 'the database is gone: a key that was seen within AIAuthCacheTTL goes on');
    await_code($good, 'none', '503 auth_unavailable');
    is(code(ask($good, 'short')), 200, 'AIAuthGrace lets it go on longer than that');
    await_code($good, 'short', '503 auth_unavailable');
    my $lasted = time - $gone;
    ok($lasted > $GRACE - 0.5 && $lasted < $GRACE + 2, sprintf('for AIAuthGrace (%.1f s), and not longer', $lasted));
    is(codes(8, $good, 'forever'), 200, 'or for ever');
    is(codes(8, $good), 200, 'where AIAuthCacheTTL is long nothing has changed');
    is(codes(8, $other), '503 auth_unavailable', 'of a key that nobody has asked for nobody says that it is bad');
    is(codes(8, Keys::make()), '503 auth_unavailable', 'nor of one that was invented');
    my $answer = ask($other);
    like($answer->{headers}{'retry-after'} // '', qr/^[1-9]\d?$/, 'the answer says when to try again');
    $answer = ask($other, 'long', path => '/v1/messages');
    is("$answer->{status} " . Gate::from_json($answer->{body})->{type}, '503 error', 'in the words of the API that was called');
    is(said('AI0208'), 1, 'the log has one line of it');
    like($server->said, qr/AI0208: the database gives no keys: /, 'that says why');

    $base->back;
    is(await_code($good, 'short', '200'), 1, 'it is back, and so are keys');
    # Each child finds out for itself. Of a key that it has not, and that is not remembered, it says 503
    # until then, and so does it of one that is invented each time.
    Gate::await('all children', sub { return codes(24, $other) eq '200' });
    Gate::await('of unknown keys, too', sub { return codes(24, Keys::make()) eq '401 invalid_api_key' });
    is(codes(8, $other), 200, 'for all children');
    is(said('AI0209'), 1, 'the log has one line of that, too');

    # ------------------------------------------------------------------------- it hangs
    # A file has no server that could hang: who reads it waits for nobody.
    if (!$base->server) {
        $server->stop;
        next;
    }
    $base->server->pause;
    my $began = time;
    invent();
    my ($longest, %codes) = (0);
    while (time - $began < 2 * $TIMEOUT) {
        $answer = ask($good);
        $codes{ code($answer) }++;
        $longest = $answer->{seconds} if $answer->{seconds} > $longest;
    }
    is(join(', ', sort keys %codes), 200, 'the database hangs, and keys that are known go on');
    cmp_ok($longest, '<', $TIMEOUT / 2, sprintf('none of %d waited for anything (%.3f s at most)', $codes{200} // 0, $longest));
    my @answers = gather();
    is_deeply([grep { $_->[1] ne '503 auth_unavailable' } @answers], [], 'no invented key was called bad, or good');
    is(scalar(@answers), $CALLERS * $INVENTED, 'each had its answer');
    cmp_ok(scalar(grep { $_->[0] > $TIMEOUT + 1 } @answers), '==', 0, 'none waited for longer than AIAuthLookupTimeout');
    my $waited = grep { $_->[0] > $TIMEOUT / 2 } @answers;
    cmp_ok($waited, '<=', 4 * $CALLERS, "once it is known nobody waits ($waited of " . @answers . ' had to)');
    is(codes(8, $good, 'forever'), 200, 'grace is for a database that hangs, too');

    my $before = children();
    $server->graceful;
    Gate::await('the old children to end', sub { my $now = children(); return !grep { $before->{$_} } keys %$now });
    pass('no child stays because the database holds its thread');
    is(codes(8, $good), 200, 'the new ones know what the old ones knew');
    $base->server->resume;
    is(await_code($other, 'none', '200'), 1, 'it goes on, and so does all');
    Gate::await('all children', sub {
        return !grep { code(ask(Keys::make())) ne '401 invalid_api_key' } 1 .. 24;
    });
    unlike($server->said, qr/sha256|sk-ai-/, 'no digest or key is in the log');
    $server->stop;
}

# ------------------------------------------------------- AIDatabase is corrected, and wrong again
{
    my ($first, $second) = map { KeyBase->sqlite } 1 .. 2;
    my $dir = tempdir('ai-outage-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    Keys::put("$dir/database.conf", $first->conf);
    $server = AuthServer->new([], <<"END", children => 1);
Include $dir/database.conf
<Location /v1>
    AIEngine On
    Require ai-key
    AIRoute * sim
</Location>
END
    $port{long} = $server->{port};
    $_->away for $first, $second;
    is(code(ask(Keys::make())), '503 auth_unavailable', 'a database that is not there');
    Keys::put("$dir/database.conf", $second->conf);
    $server->graceful;
    is(await_code(Keys::make(), 'long', '503 auth_unavailable'), 1, 'nor is the one that is named instead');
    Gate::await('a line of each', sub { return said('AI0208') == 2 });
    like($server->said, qr/AI0208: \S.*\Q$_->{file}\E/, 'the log has a line of each') for $first, $second;
    $server->stop;
}

done_testing();
