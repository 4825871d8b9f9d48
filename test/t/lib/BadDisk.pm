# SPDX-License-Identifier: Apache-2.0
#
# BadDisk - how does a test make a disk fail, or hang, below one folder and nowhere else?
#
#   my $disk   = BadDisk->new($folder);
#   my $server = $disk->with(sub { OwnServer->new(...) });  # it and its children have that disk
#   $disk->fail(write => 'ENOSPC', reserve => 'ENOSPC');    # these calls, from now on
#   $disk->hold('sync');                                    # who calls it waits
#   $disk->room(100_000);                                   # a file gets no longer
#   $disk->well;                                            # all of that is over
#   $disk->seen('sync'), $disk->failed('write')             # so many calls so far
#
# The calls are open, write, sync, reserve, rename.

package BadDisk;

use strict;
use warnings;

use Errno ();
use Fcntl qw(SEEK_SET);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);

my @CALLS = qw(open write sync reserve rename);
my %place = map { $CALLS[$_] => $_ } 0 .. $#CALLS;

sub new
{
    my ($class, $folder) = @_;
    my $dir = tempdir('ai-disk-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $source = dirname(__FILE__) . '/bad_disk.c';
    my @sanitizer = ($ENV{AI_ASAN} // 'no') eq 'yes' ? '-fno-sanitize=all' : ();
    system(split(' ', $ENV{AI_CC} // 'cc'), qw(-D_GNU_SOURCE -O1 -shared -fPIC), @sanitizer, '-o', "$dir/bad_disk.so",
           $source, '-ldl') == 0 or die "bad_disk.c does not compile\n";
    open(my $fh, '+>:raw', "$dir/control") or die "$dir/control: $!\n";
    syswrite($fh, "\0" x (16 * @CALLS + 4));
    return bless { dir => $dir, folder => $folder, control => $fh }, $class;
}

sub with
{
    my ($self, $start) = @_;
    local @ENV{qw(LD_PRELOAD AI_BAD_DISK AI_BAD_FOLDER)} =
        ("$self->{dir}/bad_disk.so", "$self->{dir}/control", $self->{folder});
    return $start->();
}

sub put
{
    my ($self, $block, $call, $value) = @_;
    defined $place{$call} or die "no such call: $call\n";
    sysseek($self->{control}, 4 * ($block * @CALLS + $place{$call}), SEEK_SET);
    syswrite($self->{control}, pack('i', $value)) == 4 or die "control: $!\n";
    return;
}

sub get
{
    my ($self, $block, $call) = @_;
    sysseek($self->{control}, 4 * ($block * @CALLS + $place{$call}), SEEK_SET);
    sysread($self->{control}, my $bytes, 4) == 4 or die "control: $!\n";
    return unpack('i', $bytes);
}

sub fail
{
    my ($self, %how) = @_;
    $self->put(0, $_, Errno->can($how{$_})->()) for sort keys %how;
    return;
}

sub room
{
    my ($self, $bytes) = @_;
    sysseek($self->{control}, 16 * @CALLS, SEEK_SET);
    syswrite($self->{control}, pack('i', $bytes)) == 4 or die "control: $!\n";
    return;
}

sub hold   { return $_[0]->put(1, $_[1], 1) }
sub seen   { return $_[0]->get(2, $_[1]) }
sub failed { return $_[0]->get(3, $_[1]) }

sub well
{
    my ($self) = @_;
    for my $call (@CALLS) {
        $self->put($_, $call, 0) for 0, 1;
    }
    $self->room(0);
    return;
}

1;
