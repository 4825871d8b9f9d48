#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# asking.t - how often is the database asked, for whom not, and who goes first when it is slow?
#
# PostgreSQL counts: in the place of the table stands a view that does, and that takes 0.3 seconds for
# each question. Four children, so four questions at a time.

use strict;
use warnings;

use AuthServer ();
use Gate ();
use KeyBase ();
use Keys ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

my ($CHILDREN, $TOGETHER, $CROWD, $TIMEOUT) = (4, 20, 40, 2);

my $base  = KeyBase->new('pgsql');
my ($port, $strict) = map { OwnServer::free_port() } 1 .. 2;
my @keys  = map { Keys::make(name => "key $_") } 1 .. 2;
my ($known, $revoked) = @keys;
$base->put(@keys);
sub sql { return $base->server->sql('gateway', $_[0]) }
sql('ALTER TABLE ai_keys RENAME TO kept');
sql('CREATE SEQUENCE asked');
sql('CREATE VIEW ai_keys AS SELECT kept.* FROM (SELECT nextval(\'asked\') FROM pg_sleep(0.3) OFFSET 0) AS a, kept');

my $server = AuthServer->new([], $base->conf . <<"END", children => $CHILDREN);
AIAuthCacheTTL 1h
AIAuthGrace forever
AIAuthLookupTimeout ${TIMEOUT}s
<Location /v1>
    AIEngine On
    Require ai-key
    AIRoute * sim
</Location>
Listen 127.0.0.1:$port
<VirtualHost 127.0.0.1:$port>
    AIAuthCacheTTL 800ms
</VirtualHost>
Listen 127.0.0.1:$strict
<VirtualHost 127.0.0.1:$strict>
    AIAuthFailures 5/1h
</VirtualHost>
END

sub ask
{
    my ($key, $to) = @_;
    my $answer = Gate::Socket->new(port => $to // $server->{port}, tls => 0)->request(
        path => '/v1/chat/completions', body => Gate::chat(),
        headers => { Authorization => "Bearer $key->{text}" });
    return $answer->{status} == 200 ? 200 : Gate::from_json($answer->{body})->{error}{code};
}

# The different answers to so many questions, one after the other.
sub codes
{
    my ($n, $key) = @_;
    my %seen = map { ask($key) => 1 } 1 .. $n;
    return join(', ', sort keys %seen);
}

# How often the database was asked by what is done in there.
sub asked
{
    my ($what) = @_;
    my $before = sql('SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM asked');
    $what->();
    return sql('SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM asked') - $before;
}

my @callers;
my $owner = $$;
END { kill('KILL', map { $_->{pid} } @callers) if $$ == ($owner // 0) }

# Starts callers that do it until they are told to end; what they say is read by gather().
sub start
{
    my ($n, $what) = @_;
    for my $i (1 .. $n) {
        pipe(my $from, my $to) or die "pipe: $!\n";
        my $pid = fork() // die "fork: $!\n";
        if (!$pid) {
            srand($$);
            my $go = 1;
            local $SIG{TERM} = sub { $go = 0 };
            while ($go) {
                my $said = eval { $what->() } // 'nothing';
                last if !$go;    # it was broken off
                syswrite($to, "$said\n");
                $go = 0 if $what == \&once;
            }
            POSIX::_exit(0);
        }
        close($to);
        push @callers, { pid => $pid, from => $from };
    }
    return;
}

sub gather
{
    my %seen;
    for my $caller (splice @callers) {
        my $from = $caller->{from};
        chomp(my @said = <$from>);
        $seen{$_}++ for @said;
        waitpid($caller->{pid}, 0);
    }
    return \%seen;
}

# --------------------------------------------------------------------------------- how often

is(asked(sub { is(ask($known), 200, 'a key that nobody has seen') }), 1, 'the database is asked once');
is(asked(sub { is(codes(40, $known), 200, 'the same again') }), 0, 'and not again, by no child');
my $never = Keys::make();
is(asked(sub { is(codes(40, $never), 'invalid_api_key', 'an id that is not there') }), 1, 'is asked for once, too');

my $wanted = Keys::make();
sub once { return ask($wanted) }
my $n = asked(sub {
    start($TOGETHER, \&once);
    is_deeply(gather(), { invalid_api_key => $TOGETHER }, 'many ask for one id at the same time');
});
ok($n >= 1 && $n <= $CHILDREN, "each child asks once for all of them ($n questions)");

# An address that has failed too often: nothing is asked on its behalf any more.
$n = asked(sub { ask(Keys::make(), $strict) for 1 .. 20 });
ok($n >= 1 && $n <= 10, "of twenty invented ids twice as many are asked for as AIAuthFailures allows ($n)");
is(ask($known, $strict), 200, 'a key that is remembered is let in all the same');
my $cold = Keys::make();
$base->server->sql('gateway', sprintf(q(INSERT INTO kept VALUES ('%s', 1, '%s', NULL, NULL, 0, 0, 0)), $cold->{id}, Keys::lines($cold) =~ s/\n//r));
is(ask($cold, $strict), 'too_many_failed_attempts', 'one that would have to be looked up is not called bad');
is(ask($cold), 200, 'and is good elsewhere');

is(ask($revoked, $port), 200, 'a key in use');
my $before = time;
$n = asked(sub {
    start(4, sub { return ask($revoked, $port) });
    Gate::await('two lives of a record', sub { return time > $before + 2.5 });
    kill('TERM', map { $_->{pid} } @callers);
    is_deeply([keys %{ gather() }], [200], 'is good all the time');
});
ok($n >= 2 && $n <= 8 * $CHILDREN, "and asked for again a few times ($n)");

# ------------------------------------------------------------------------------ who goes first

# More ids than can be asked for within AIAuthLookupTimeout. The database is not away: it is slow. So
# the key must end, although AIAuthGrace is for ever.
start($CROWD, sub { return ask(Keys::make()) });
Gate::await('a crowd', sub { return ask(Keys::make()) eq 'auth_unavailable' });
sql("UPDATE kept SET record = replace(record, '}', ',\"disabled\":true}') WHERE id = '$revoked->{id}'");
$before = time;
Gate::await('the end of the key', sub { return ask($revoked, $port) eq 'key_disabled' });
my $took = time - $before;
cmp_ok($took, '<', 3, sprintf('invented ids keep no key from being asked for: it ended in %.1f s', $took));
is(ask($known), 200, 'a key that is remembered waits for nobody');
kill('TERM', map { $_->{pid} } @callers);
my $seen = gather();
is_deeply([grep { !/^(?:invalid_api_key|auth_unavailable)$/ } sort keys %$seen], [], 'no invented key had another answer');
cmp_ok($seen->{invalid_api_key} // 0, '>', 0, 'some had their turn, too');

done_testing();
