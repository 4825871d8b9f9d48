# SPDX-License-Identifier: Apache-2.0
# Aictl - runs aictl on a key file of its own.  For the tests beside this file.
package Aictl;

use strict;
use warnings;

use Exporter qw(import);
use File::Temp qw(tempdir);

our @EXPORT = qw(aictl program folder keys_file write_file read_file make_key id_of said_no);

my $program = $ENV{AI_AICTL} // die "AI_AICTL is not set; run make check\n";
my $dir     = tempdir(CLEANUP => 1);
delete $ENV{AI_KEY_FILE};

sub program   { return $program }
sub folder    { return $dir }
sub keys_file { return "$dir/keys" }

sub write_file
{
    my ($path, $text, $mode) = @_;
    open(my $fh, '>', $path) or die "$path: $!\n";
    print $fh $text;
    close($fh) or die "$path: $!\n";
    chmod($mode // 0640, $path);
    return;
}

sub read_file
{
    my ($path) = @_;
    open(my $fh, '<', $path) or die "$path: $!\n";
    local $/ = undef;
    return <$fh> // '';
}

# aictl key WORD...: its status, what it said on stdout, and on stderr.  The file is keys_file(),
# unless the words say another; a reference as the first word is what stdin has.
sub aictl
{
    my (@words) = @_;
    my @input = ref $words[0] ? shift @words : ();
    my @file  = (grep { /^--file/ } @words) ? () : ('--file', keys_file());
    return program_with(@input, 'key', @words, @file);
}

# The same for all words of aictl's.
sub program_with
{
    my (@words) = @_;
    my $input = ref $words[0] ? ${ shift @words } : '';
    write_file("$dir/in", $input);
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        open(STDIN,  '<', "$dir/in");
        open(STDOUT, '>', "$dir/out");
        open(STDERR, '>', "$dir/err");
        { exec($program, @words) };
        exit 127;
    }
    waitpid($pid, 0);
    return ($? & 127 ? "signal $?" : $? >> 8, read_file("$dir/out"), read_file("$dir/err"));
}

sub id_of { return substr($_[0], 6, 12) }

# A new key's text.
sub make_key
{
    my ($status, $out, $err) = aictl('create', @_);
    die "create: $status: $err\n" if $status;
    chomp $out;
    return $out;
}

# The last call failed with that status and a message that is like that.
sub said_no
{
    my ($want_status, $want, $name, $status, $out, $err) = @_;
    Test::More::is($status, $want_status, "$name: status $want_status");
    Test::More::like($err, $want, "$name: why");
    return;
}

1;
