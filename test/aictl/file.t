#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Is nothing lost: several at once, a full disk, a kill in the middle, a file that is broken?
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use lib dirname(__FILE__);
use Aictl;

my $file = keys_file();

sub count { my $n = () = read_file($file) =~ /^\{/mg; return $n }

sub run_in_child
{
    my (@command) = @_;
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        open(STDIN,  '<', '/dev/null');
        open(STDOUT, '>', '/dev/null');
        open(STDERR, '>', folder() . '/err');
        { exec(@command) };
        exit 127;
    }
    return $pid;
}

# ---------------------------------------------------------------------------- several at once

my ($writers, $each) = (8, 6);
my @pids = map { run_in_child('sh', '-c', join(' && ', ('"$0" key create --file "$1"') x $each),
                              program(), $file) } 1 .. $writers;
my @bad = grep { waitpid($_, 0); $? } @pids;
is(scalar(@bad), 0, "$writers writers at once all succeed");
is(count(), $writers * $each, 'and no key is lost');
is((aictl('check'))[0], 0, 'the file is whole');

# Half of them change, half delete.
my @ids = read_file($file) =~ /"id":"(\w{12})"/g;
@pids = map { run_in_child(program(), 'key', ($_ % 2 ? 'delete' : 'disable'), $ids[$_], '--file', $file) }
        0 .. 15;
@bad = grep { waitpid($_, 0); $? } @pids;
is(scalar(@bad), 0, 'changes at once all succeed');
is(count(), $writers * $each - 8, 'each deletion counts');
is(scalar(() = read_file($file) =~ /"disabled":true/g), 8, 'and each other change');

# ------------------------------------------------------------------- what is not a key stays

write_file($file, "# for the search team\n\n" . '{"id":"aaaaaaaaaaaa","digest":"sha256:' . ('0' x 64)
           . '"}' . "\n# others\n" . '  {"id":"bbbbbbbbbbbb", "digest":"sha256:' . ('1' x 64) . '"}');
aictl('disable', 'aaaaaaaaaaaa');
my $key = make_key();
my $text = read_file($file);
like($text, qr/\A# for the search team\n\n\{"id":"aaaaaaaaaaaa"[^\n]*"disabled":true\}\n# others\n  \{"id":"bbbbbbbbbbbb", "digest":"sha256:1{64}"\}\n\{"id":"@{[ id_of($key) ]}"[^\n]*\}\n\z/,
     'comments and untouched lines stay; a missing line end is made good');
aictl('delete', 'aaaaaaaaaaaa');
like(read_file($file), qr/\A# for the search team\n\n# others\n  \{/, 'a deleted line is gone with its end');

# ------------------------------------------------------------------------- owner, mode, links

chmod(0660, $file);
my @want = ($>, (split ' ', $))[0]);
if ($> == 0) {
    @want = (65534, 65533);
    chown(@want, $file);
}
aictl('disable', 'bbbbbbbbbbbb');
my @stat = stat $file;
is($stat[2] & 07777, 0660, 'the mode is kept');
is("@stat[4, 5]", "@want", 'owner and group are kept');
is((stat "$file.lock")[4], $want[0], 'the lock belongs to the owner of the keys');
symlink($file, folder() . '/link');
is((aictl('enable', 'bbbbbbbbbbbb', '--file=' . folder() . '/link'))[0], 0, 'through a symbolic link');
ok(-l folder() . '/link', 'the link stays');
unlike(read_file($file), qr/disabled/, 'its file is changed');

for my $command (['list'], ['create'], ['disable', 'bbbbbbbbbbbb'], ['check']) {
    chmod(0642, $file);
    my $was = read_file($file);
    said_no(1, qr/everybody may write it/, "$command->[0] of a file that others may write", aictl(@$command));
    is(read_file($file), $was, 'which is left as it is');
}
chmod(0640, $file);
mkdir(folder() . '/open');
chmod(0777, folder() . '/open');
said_no(1, qr/everybody may write in this folder/, 'a folder that others may write in',
        aictl('create', '--file=' . folder() . '/open/keys'));
ok(!-e folder() . '/open/keys', 'no file is made there');
said_no(1, qr/is no regular file/, 'a folder', aictl('list', '--file=' . folder()));
said_no(1, qr/cannot be read: No such file/, 'a file that is not there',
        aictl('list', '--file=' . folder() . '/none'));
said_no(1, qr/No such file/, 'a folder that is not there', aictl('create', '--file=' . folder() . '/none/keys'));
unlink("$file.lock");
symlink(folder() . '/elsewhere', "$file.lock");
said_no(1, qr/keys\.lock: cannot be opened/, 'a lock that is a symbolic link', aictl('create'));
ok(!-e folder() . '/elsewhere', 'leads nowhere');
unlink("$file.lock");

# ---------------------------------------------------------------------------- broken files

my $good = read_file($file);
for my $case (
    [substr($good, 0, -20), qr/keys: line 5: byte \d+: /, 'cut'],
    ["$good$good", qr/keys: line 9: id: line 4 has it already/, 'doubled'],
    [$good . "{}\n", qr/keys: line 6: id: is required/, 'a record without id'],
    [$good =~ s/"digest"/"expire":"2027-01-01","digest"/r, qr/keys: line 4: it has a member that is none of/,
     'a limit that is misspelt'],
    ["\0\0\0\0", qr/keys: line 1: byte 1: /, 'NULs'],
) {
    my ($broken, $want, $name) = @$case;
    write_file($file, $broken);
    for my $command (['create'], ['check'], ['delete', 'bbbbbbbbbbbb'], ['export']) {
        my @said = aictl(@$command);
        said_no(1, $want, "$name: $command->[0]", @said);
        unlike($said[2], qr/1{64}/, 'no digest is told');
    }
    is(read_file($file), $broken, "$name: the file is left as it is");
}

# --------------------------------------------------------------------------- the disk is full

sub many_keys
{
    my ($n) = @_;
    return join '', map { sprintf(qq({"id":"%012d","digest":"sha256:%064d"}\n), $_, $_) } 1 .. $n;
}

write_file($file, many_keys(200));
my $was = read_file($file);
# The shell's unit is 512 or 1024 bytes: 4 of them are less than the file.
my $pid = run_in_child('sh', '-c', 'ulimit -f 4; exec "$0" key create --file "$1"', program(), $file);
waitpid($pid, 0);
is($? >> 8, 1, 'no room: status 1');
is($? & 127, 0, 'and no signal');
like(read_file(folder() . '/err'), qr/keys\.new: cannot be written: File too large/, 'what, and why');
is(read_file($file), $was, 'the file is as it was');
ok(!-e "$file.new", 'and nothing is left');
is((aictl('create'))[0], 0, 'with room again it works');

# ------------------------------------------------------------------------ killed in the middle

write_file($file, many_keys(30000));
my ($caught, $broken) = (0, 0);
for my $round (1 .. 25) {
    my $before = read_file($file);
    my $victim = run_in_child(program(), 'key', 'disable', sprintf('%012d', $round), '--file', $file);
    # While it writes, its new file is there; it may be done before we look.
    while (waitpid($victim, 1) == 0) {
        if (-s "$file.new") {
            kill('KILL', $victim);
            waitpid($victim, 0);
            last;
        }
    }
    $caught += ($? & 127) == 9;
    my $after = read_file($file);
    $broken++ unless $after eq $before || length $after == length($before) + length ',"disabled":true';
}
cmp_ok($caught, '>', 0, 'some were killed while they wrote');
is($broken, 0, 'the file is always the old one or the new one');
is((aictl('check'))[0], 0, 'and whole');
my ($status, undef, $err) = aictl('disable', sprintf('%012d', 20000));
is("$status$err", '0', 'the next one finds no lock, and what lies about in no way');
ok(!-e "$file.new", 'and leaves nothing');
done_testing();
