#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# told.t - does what aictl changes in the database count at once on this machine?
#
# The server remembers for an hour, in four children.

use strict;
use warnings;

use AuthServer ();
use Gate ();
use KeyBase ();
use Keys ();
use POSIX ();
use Test::More;

my $base = KeyBase->sqlite;
my $key  = Keys::make(name => 'ann');
my $new  = Keys::make(name => 'new');
$base->put($key);
my $server = AuthServer->new([], $base->conf . <<'END', children => 4);
AIAuthCacheTTL 1h
AIAuthLookupTimeout 5s
<Location /v1>
    AIEngine On
    Require ai-key
    AIRoute * sim
</Location>
END

# aictl key WORD...: its status, and what it said.
sub aictl
{
    my ($input, @words) = @_;
    my $file = "$server->{dir}/input";
    open(my $fh, '>', $file) or die "$file: $!\n";
    print $fh $input;
    close($fh);
    my $pid = open(my $from, '-|') // die "fork: $!\n";
    if (!$pid) {
        open(STDIN, '<', $file);
        open(STDERR, '>&', \*STDOUT);
        { exec($ENV{AI_AICTL}, 'key', @words, '--database', $base->words) };
        POSIX::_exit(127);
    }
    local $/;
    my $said = <$from> // '';
    close($from);
    return ($? >> 8, $said);
}

# The different answers to so many requests, each over a connection of its own.
sub codes
{
    my ($asked) = @_;
    my %seen = map {
        my $answer = Gate::Socket->new(port => $server->{port}, tls => 0)->request(
            path => '/v1/chat/completions', body => Gate::chat(),
            headers => { Authorization => "Bearer $asked->{text}" });
        ($answer->{status} == 200 ? 200 : Gate::from_json($answer->{body})->{error}{code}) => 1;
    } 1 .. 30;
    return join(', ', sort keys %seen);
}

is(codes($key), 200, 'a key is good, and remembered');
is(codes($new), 'invalid_api_key', 'another one is not there, and that is remembered');

my ($status, $said) = aictl('', 'disable', $key->{id}, '--runtime', "$server->{dir}/elsewhere");
is($status, 0, 'aictl disables the key, and finds no server');
like($said, qr/no server was told .*AIAuthCacheTTL/, 'which it says');
is(codes($key), 200, 'so the key goes on');

my $runtime = "--runtime=$server->{dir}";
($status, $said) = aictl('', 'enable', $key->{id}, $runtime);
is("$status $said", '0 ', 'aictl enables it, and tells the server');
is(codes($key), 200, 'it is good');
is((aictl('', 'disable', $key->{id}, $runtime))[0], 0, 'disabled');
is(codes($key), 'key_disabled', 'it ends at once, on all children');
is((aictl('', 'enable', $key->{id}, $runtime))[0], 0, 'enabled');
is(codes($key), 200, 'it is good at once');
is((aictl('', 'update', '--model', 'other', $key->{id}, $runtime))[0], 0, 'updated');
is(codes($key), 'model_not_allowed', 'what it may do changes at once');
is((aictl('', 'delete', $key->{id}, $runtime))[0], 0, 'deleted');
is(codes($key), 'invalid_api_key', 'it is gone at once');
is((aictl(Keys::lines($new), 'import', $runtime))[0], 0, 'a key that was asked for is imported');
is(codes($new), 200, 'and is there at once');

$server->graceful;
is((aictl('', 'disable', $new->{id}, $runtime))[0], 0, 'after a graceful restart');
is(codes($new), 'key_disabled', 'it is told as before');

# A cache that nobody reads any more: to tell it of a revocation would be to tell nobody.
my $conf = $server->read_file('httpd.conf');
open(my $fh, '>', "$server->{dir}/httpd.conf") or die "httpd.conf: $!\n";
print $fh $conf =~ s/^AIDatabase .*\n//mr;
close($fh);
ok(-e "$server->{dir}/ai-auth-keys.shm", 'while there is a database, aictl finds the cache');
$server->graceful;
ok(!-e "$server->{dir}/ai-auth-keys.shm", 'and no longer, when it has been taken out of the configuration');
like((aictl('', 'enable', $new->{id}, $runtime))[1], qr/no server was told/, 'so aictl says what is true');
$server->stop;
is_deeply([glob("$server->{dir}/ai-*.shm")], [], 'a server that ends leaves no memory behind');
done_testing();
