#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# lookup.t - are keys of a database found, remembered, and forgotten in time?
#
# Three hosts over one database and one memory: "long" remembers for an hour, "short" for a second,
# "each" asks each time. The host "other" has another database, and says nothing else. Four children,
# so that what one has learned the others know.

use strict;
use warnings;

use AuthServer ();
use Gate ();
use KeyBase ();
use Keys ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

my $base = KeyBase->new('sqlite3');
my %port = map { $_ => OwnServer::free_port() } qw(short each other);
my $elsewhere = KeyBase->new('sqlite3');

my $filed   = Keys::make(name => 'filed', disabled => JSON::PP::true());
my $known   = Keys::make(name => 'known', user => 'ada', tenant => 'acme/red', tier => 'gold');
my $changed = Keys::make(name => 'changed', models => ['m*']);
my $dropped = Keys::make(name => 'dropped');
my $late    = Keys::make(name => 'late');
my $both    = { %$filed, record => { id => $filed->{id}, digest => $filed->{record}{digest} } };

my $foreign = Keys::make(name => 'foreign');

$base->put($known, $changed, $dropped, $both);
$elsewhere->put($foreign);
my $server = AuthServer->new([$filed], $base->conf . <<"END", children => 4);
AIAuthCacheTTL 1h
AIAuthLookupTimeout 5s
<Location /v1>
    AIEngine On
    Require ai-key
    AIRoute * sim
</Location>
Listen 127.0.0.1:$port{short}
<VirtualHost 127.0.0.1:$port{short}>
    AIAuthCacheTTL 1s
</VirtualHost>
Listen 127.0.0.1:$port{each}
<VirtualHost 127.0.0.1:$port{each}>
    AIAuthCacheTTL Off
</VirtualHost>
Listen 127.0.0.1:$port{other}
<VirtualHost 127.0.0.1:$port{other}>
    @{[ $elsewhere->conf ]}
</VirtualHost>
END
$port{long} = $server->{port};

# A new connection each time: any of the children may have it.
sub ask
{
    my ($key, $host, %headers) = @_;
    return Gate::Socket->new(port => $port{ $host // 'long' }, tls => 0)->request(
        path => '/v1/chat/completions', body => Gate::chat(),
        headers => { Authorization => 'Bearer ' . (ref $key ? $key->{text} : $key), %headers });
}

sub code
{
    my ($answer) = @_;
    return $answer->{status} == 200 ? 200
        : "$answer->{status} " . (Gate::from_json($answer->{body})->{error}{code} // 'none');
}

sub is_code
{
    my ($key, $host, $want, $name) = @_;
    is(code(ask($key, $host)), $want, $name) or diag($server->said);
    return;
}

# The different answers to so many questions.
sub codes
{
    my ($n, $key, $host) = @_;
    my %seen = map { code(ask($key, $host)) => 1 } 1 .. $n;
    return join(', ', sort keys %seen);
}

# ------------------------------------------------------------------------------------ found

my $answer = ask($known);
is(code($answer), 200, 'a key of the database');
my $line = $server->logged($answer);
is("$line->{key} $line->{u} $line->{tenant} $line->{tier}", "$known->{id} ada acme/red gold", 'its owner is the caller');
is_code(Keys::forged($known), 'long', '401 invalid_api_key', 'with another secret it is none');
is_code($late, 'long', '401 invalid_api_key', 'one that is not there');
is_code($filed, 'long', '401 key_disabled', 'a key of the file, too: the file has the say');
is_code($changed, 'long', 200, 'what a key allows');
is(ask($dropped)->{status}, 200, 'and another one');
is_code($foreign, 'other', 200, 'a host has the keys of its own database');
is_code($foreign, 'long', '401 invalid_api_key', 'and no other host has');
is_code($known, 'other', '401 invalid_api_key', 'nor has it those of others');

# --------------------------------------------------------------------- remembered, by all children

$base->away;
is(codes(40, $known), 200, 'no database, and a key that was seen is good on all children');
is(codes(40, $late), '401 invalid_api_key', 'an id that was not there is still known not to be');
is(codes(5, Keys::forged($known)), '401 invalid_api_key', 'a wrong secret is wrong');
$base->back;

# ---------------------------------------------------------------------------------- changes

$base->put($late);
is_code($late, 'long', '401 invalid_api_key', 'an hour is an hour: a new key that was asked for before it was made');
$changed->{record}{models} = ['other'];
$base->put($changed);
$base->aictl('key', 'delete', $dropped->{id});
my $began = time;
# The first may be one that was remembered less than a second ago.
Gate::await('the new models', sub { return code(ask($changed, 'short')) eq '403 model_not_allowed' });
Gate::await('the end of a key', sub { return code(ask($dropped, 'short')) eq '401 invalid_api_key' });
cmp_ok(time - $began, '<', 3, 'a change elsewhere counts after AIAuthCacheTTL');
is(codes(20, $changed, 'short'), '403 model_not_allowed', 'on all children');
is(codes(20, $dropped, 'short'), '401 invalid_api_key', 'and does not come back');
is_code($dropped, 'long', '401 invalid_api_key', 'what one host has learned all know');
Gate::await('the new key', sub { return code(ask($late, 'short')) eq '200' });

is_code($known, 'each', 200, 'asked each time');
$known->{record}{disabled} = JSON::PP::true();
$base->put($known);
is(codes(10, $known, 'each'), '401 key_disabled', 'a change counts at once');
delete $known->{record}{disabled};
$base->put($known);
is(codes(10, $known, 'each'), 200, 'and so does the next');

my $expiring = Keys::make(expires => POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + 2)));
$base->put($expiring);
is_code($expiring, 'long', 200, 'a key that ends soon');
Gate::await('its end', sub { return code(ask($expiring)) eq '401 key_expired' });
pass('it ends to the second, remembered or not');

# --------------------------------------------------------- under load, with graceful restarts

my $kept = Keys::make(name => 'kept');
my $ends = Keys::make(name => 'ends');
$base->put($kept, $ends);
is_code($ends, 'short', 200, 'a key that will be revoked');
my @load;
for (1 .. 4) {
    pipe(my $from, my $to) or die "pipe: $!\n";
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        my $go = 1;
        local $SIG{TERM} = sub { $go = 0 };
        while ($go) {
            for my $key ($kept, $ends, Keys::make()) {
                my $what = $key == $kept ? 'kept' : $key == $ends ? 'ends' : 'none';
                my $was = time;
                my $code = eval { code(ask($key, rand() < 0.5 ? 'short' : 'each')) } // '0';
                syswrite($to, sprintf("%s %.3f %s\n", $what, $was, $code));
            }
        }
        POSIX::_exit(0);
    }
    close($to);
    push @load, { pid => $pid, from => $from };
}
my $owner = $$;
END { kill('KILL', map { $_->{pid} } @load) if $$ == ($owner // 0) }

my ($old, $next) = ($kept->{text}, Keys::text($kept->{id}));
$kept->{record}{next_digest} = 'sha256:' . Digest::SHA::sha256_hex($next);
$base->put($kept);
Gate::await('the new text', sub { return code(ask($next, 'short')) eq '200' });
$server->graceful;
is(codes(8, $next, 'short'), 200, 'a key is rotated');
$ends->{record}{disabled} = JSON::PP::true();
my $revoked = time;
$base->put($ends);
$server->graceful;
Gate::await('the revocation', sub { return code(ask($ends, 'short')) eq '401 key_disabled' });
is(codes(20, $ends, 'short'), '401 key_disabled', 'one is revoked');
$server->graceful;
is(codes(8, $old, 'short'), 200, 'the first text is good for the overlap');

my ($n, @wrong) = (0);
kill('TERM', map { $_->{pid} } @load);
for my $caller (@load) {
    my $from = $caller->{from};
    while (my $line = <$from>) {
        my ($what, $when, $code) = $line =~ /^(\w+) (\S+) (.*)$/ or next;
        $n++;
        next if $code eq '0'; # a new connection may meet the end of an old child
        my $good = $what eq 'kept' ? $code eq '200'
            : $what eq 'none' ? $code eq '401 invalid_api_key'
            : $when < $revoked ? $code eq '200'
            : $when > $revoked + 1.5 ? $code eq '401 key_disabled'
            : $code =~ /^(?:200|401 key_disabled)$/;
        push @wrong, sprintf('%s %+.3f: %s', $what, $when - $revoked, $code) unless $good;
    }
    waitpid($caller->{pid}, 0);
}
cmp_ok($n, '>', 100, "meanwhile there was traffic ($n)");
is_deeply(\@wrong, [], 'and no answer was wrong');
unlike($server->said, qr/AI0208/, 'the database was never away');
unlike($server->said, qr/sha256|sk-ai-/, 'and no digest or key is in the log');

done_testing();
