#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# keyfile.t - what does a change of the key file do while traffic runs?
#
# Callers ask all the time, of all children. A key that was good before and is good after a change
# is never refused; one that came is served, and one that was revoked refused, within two seconds,
# by every child, also in an old generation that still streams. A broken file changes nothing.

use strict;
use warnings;

use AuthServer ();
use Gate ();
use Keys ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

my ($CALLERS, $CHILDREN, $WITHIN) = (4, 2, 2);

my $kept    = Keys::make(name => 'kept', tenant => 'before');
my $revoked = Keys::make(name => 'revoked');
my $never   = Keys::make(name => 'never');
my $late    = Keys::make(name => 'late');
# No child starts but with a generation: one that starts while the file is broken has what the parent
# has read, which may be ten seconds old (docs/mod_ai_auth.md).
my $server  = AuthServer->new([$kept, $revoked], <<'END', children => $CHILDREN);
MinSpareThreads 1
<Location /v1>
    AIEngine On
    Require ai-key
    AIRoute * sim
</Location>
END

sub status
{
    my ($key) = @_;
    return $server->caller->request(path => '/v1/chat/completions', body => Gate::chat(),
                                    headers => { Authorization => "Bearer $key->{text}" })->{status};
}

# The line in force of each child that looks at the file, by its process id.
sub readers
{
    my ($what) = @_;
    return { map { $_ => 1 } $server->said =~ /\[pid (\d+)[^\]]*\][^\n]*AI0203: AIAuthKeyFile [^\n]*: $what/g };
}

# Waits until a key's status has been the same so often that every child must have said it.
sub await_status
{
    my ($key, $status) = @_;
    my ($began, $n) = (time, 0);
    Gate::await("status $status", sub { $n = status($key) == $status ? $n + 1 : 0; return $n == 10 });
    return time - $began;
}

# ----------------------------------------------------------------------------- under traffic

my @traffic;
for (1 .. $CALLERS) {
    pipe(my $from, my $to) or die "pipe: $!\n";
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        my $go = 1;
        local $SIG{TERM} = sub { $go = 0 };
        while ($go) {
            my $good = eval { status($kept) } // 0;
            my $bad  = eval { status($never) } // 0;
            syswrite($to, join('', $good == 200 ? '.' : "<$good>", $bad == 401 ? '.' : "<$bad>"));
        }
        POSIX::_exit(0);
    }
    close($to);
    push @traffic, { pid => $pid, from => $from };
}
my $owner = $$;
END { kill('KILL', map { $_->{pid} } @traffic) if $$ == ($owner // 0) }

is(status($revoked), 200, 'a key of the first file');
is(status($late), 401, 'one that is not there yet');

$server->keys($kept, $revoked, $late);
cmp_ok(await_status($late, 200), '<', $WITHIN, 'a key that was added is good on all children');
$server->keys($kept, $late);
cmp_ok(await_status($revoked, 401), '<', $WITHIN, 'one that was revoked is bad on all children');

# A stream holds the table that it began with, whatever comes.
my $streaming = $server->caller;
$streaming->ask(path => '/v1/chat/completions', body => Gate::chat(stream => 1),
                headers => { Authorization => "Bearer $late->{text}", 'X-Sim' => 'gap=100;tokens=40' });
$streaming->read_until(qr/"content":"[^"]/);

for my $broken (['no JSON', "{\"id\":\n"], ['half a file', substr(Keys::lines($kept, $late), 0, -40)],
                ['a member that is misspelt', Keys::lines($kept) =~ s/"name"/"nmae"/r],
                ['the same id twice', Keys::lines($kept, $kept)]) {
    my ($what, $text) = @$broken;
    my $before = () = $server->said =~ /AI0204/g;
    Keys::put($server->{key_file}, $text);
    Gate::await("a word on $what", sub { my $n = () = $server->said =~ /AI0204/g; return $n >= $before + $CHILDREN });
    is_deeply([status($kept), status($late), status($revoked)], [200, 200, 401], "$what: the keys stay as they were")
        or diag($server->said);
}
like($server->said, qr/AI0204: AIAuthKeyFile \S+: line 1: [^\n]+; the keys that were read before go on/, 'the log says where and why');
unlike($server->said, qr/sha256|[0-9a-f]{64}/, 'and never a digest');
unlink($server->{key_file}) or die "unlink: $!\n";
Gate::await('a word on no file', sub { my $n = () = $server->said =~ /AI0204: [^\n]*No such file/g; return $n >= $CHILDREN });
is(status($kept), 200, 'a file that is gone: the keys stay');
Keys::put($server->{key_file}, Keys::lines($kept, $late));
chmod(0602, $server->{key_file});
Gate::await('a word on its mode', sub { my $n = () = $server->said =~ /AI0204: [^\n]*can be written by everybody/g; return $n >= $CHILDREN });
is(status($kept), 200, 'one that everybody may write: the keys stay');

$server->keys(Keys::make(), $kept, $late);
Gate::await('the children to read it', sub { return keys %{ readers('3 keys') } >= $CHILDREN });
is(status($late), 200, 'a good file again');

# ------------------------------------------------------------------------------- a restart

$server->keys($kept, $late, $revoked);
my $again = Keys::make();
await_status($revoked, 200);
$server->graceful;
is(status($revoked), 200, 'after a graceful restart the file is read anew');
$server->keys($kept);
cmp_ok(await_status($late, 401), '<', $WITHIN, 'and watched');
$streaming->finish;
like($streaming->{answer}{body}, qr/\[DONE\]/, 'the stream that a revoked key began ended whole');

my ($n, @bad) = (0);
kill('TERM', map { $_->{pid} } @traffic);
for my $caller (@traffic) {
    my $from = $caller->{from};
    local $/;
    my $said = <$from>;
    $n += $said =~ tr/.//;
    push @bad, $said =~ /<\d+>/g;
    waitpid($caller->{pid}, 0);
}
cmp_ok($n, '>', 100, 'meanwhile there was traffic');
# A new connection may meet the end of an old child; no answer at all is none that is wrong.
is_deeply([grep { $_ ne '<0>' } @bad], [], 'and no answer was wrong');

# -------------------------------------------------------------------------- at configuration

$server->stop;
unlike($server->said, qr/AI0201/, 'a file that is not for everybody needs no warning');
sub start_with
{
    my ($text, $mode) = @_;
    my $dir = File::Temp::tempdir('ai-keys-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    Keys::put("$dir/k", $text) if defined $text;
    chmod($mode // 0600, "$dir/k");
    my $own = eval { OwnServer->new(conf => "AIAuthKeyFile $dir/k\n") } or return $@;
    $own->stop;
    return 'started: ' . $own->said;
}
like(start_with(Keys::lines($kept), 0644), qr/^started: .*AI0201: AIAuthKeyFile \S+ can be read by everybody/s,
     'one that everybody may read is warned of');
like(start_with(Keys::lines($kept), 0602), qr/AIAuthKeyFile: \S+: can be written by everybody/, 'one that everybody may write: no start');
like(start_with(undef), qr/AIAuthKeyFile: \S+: cannot be opened: No such file/, 'none: no start');
like(start_with(Keys::lines($kept) . "\n# a word\n{}\n"), qr/AIAuthKeyFile: \S+: line 4: id: is required/, 'a broken one: no start, with its line');
like(start_with(''), qr/^started: /, 'an empty one is a file without keys');
like(start_with(Keys::lines($kept) . "\n# a word\n"), qr/^started: /, 'empty lines and comments are left out');

done_testing();
