# SPDX-License-Identifier: Apache-2.0
#
# OwnServer - how does a test get an httpd with settings that the suite's own cannot have?
#
#   my $server = OwnServer->new(conf => $text, children => 4);
#   my $caller = $server->caller;          # a Gate::Socket
#   $server->graceful;                     # returns once the new generation is up
#
# It loads what the suite's server loads, listens on a free port of 127.0.0.1, and ends with the
# object.  conf stands behind all else; children is how many it starts with (1); without names
# modules that are left out ("status_module").

package OwnServer;

use strict;
use warnings;

use File::Temp qw(tempdir);
use Gate ();
use IO::Socket::INET ();
use POSIX ();

sub free_port
{
    my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', Proto => 'tcp')
        or die "no free port: $!\n";
    return $socket->sockport;
}

sub new
{
    my ($class, %o) = @_;
    my $children = $o{children} // 1;
    my $self = bless { dir => tempdir('ai-own-XXXXXX', TMPDIR => 1, CLEANUP => 1),
                       port => free_port(), owner => $$ }, $class;
    my $dir = $self->{dir};
    # Three times the children, so that a new generation finds room beside an old one that streams.
    my ($threads, $limit) = (25, $children == 1 ? 1 : 3 * $children);
    my $most = $threads * $limit;
    my $out = join('|', @{ $o{without} // ['none'] });
    open(my $base, '<', "$ENV{AI_STAGE}/base.conf") or die "$ENV{AI_STAGE}/base.conf: $!\n";
    my @base = grep { !/^\s*LoadModule\s+(?:$out)\s/ } <$base>;
    close($base);
    open(my $fh, '>', "$dir/httpd.conf") or die "$dir/httpd.conf: $!\n";
    print $fh <<"END";
ServerRoot $dir
DefaultRuntimeDir $dir
PidFile $dir/pid
ErrorLog $dir/error_log
LogLevel info
ServerName localhost
Listen 127.0.0.1:$self->{port}
@{[ join('', @base) ]}
ThreadsPerChild $threads
ServerLimit $limit
StartServers $children
MaxRequestWorkers $most
MinSpareThreads @{[ $threads * $children ]}
MaxSpareThreads $most
$o{conf}
END
    close($fh) or die "$dir/httpd.conf: $!\n";
    $self->start;
    return $self;
}

sub start
{
    my ($self) = @_;
    my $were = $self->generations;
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        open(STDIN, '<', '/dev/null');
        open(STDOUT, '>', "$self->{dir}/out");
        open(STDERR, '>&', \*STDOUT);
        { exec($ENV{AI_HTTPD}, '-f', "$self->{dir}/httpd.conf", '-DFOREGROUND') };
        POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    Gate::await("an own httpd\n", sub {
        die $self->said if waitpid($pid, POSIX::WNOHANG()) == $pid && !($self->{pid} = 0);
        return $self->generations > $were && IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                                                PeerPort => $self->{port});
    });
    return;
}

sub read_file
{
    my ($self, $name) = @_;
    open(my $fh, '<', "$self->{dir}/$name") or return '';
    local $/;
    return <$fh> // '';
}

sub said { return $_[0]->read_file('out') . $_[0]->read_file('error_log') }

# Its child processes.
sub children
{
    my ($self) = @_;
    my @pids;
    for my $stat (glob('/proc/[0-9]*/stat')) {
        open(my $fh, '<', $stat) or next;    # it has just ended
        my ($pid, $parent) = (<$fh> // '') =~ /^(\d+) \(.*\) \S (\d+)/ or next;
        push @pids, $pid if $parent == $self->{pid};
    }
    return @pids;
}

# Kills it and its children, without a chance to tidy up.
sub kill_all
{
    my ($self) = @_;
    my @all = ($self->{pid}, $self->children);
    kill('KILL', @all);
    waitpid(delete $self->{pid}, 0);
    Gate::await('the end of all processes', sub { !grep { kill(0, $_) } @all });
    return;
}

# How often it has begun to serve: 1 after the start.
sub generations { return scalar(() = $_[0]->read_file('error_log') =~ /resuming normal operations/g) }

sub graceful
{
    my ($self) = @_;
    my $were = $self->generations;
    kill('USR1', $self->{pid}) or die "the own httpd is gone\n";
    Gate::await('the next generation', sub { return $self->generations > $were });
    return;
}

sub caller { return Gate::Socket->new(port => $_[0]{port}, tls => 0) }

sub stop
{
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    kill('TERM', $pid);
    waitpid($pid, 0);
    return;
}

sub DESTROY
{
    my ($self) = @_;
    local ($?, $!, $@);
    $self->stop if $self->{owner} == $$;
    return;
}

1;
