# SPDX-License-Identifier: Apache-2.0
#
# Issuer - a server of JWK sets whose behaviour a test chooses, and which counts who asks.
#
#   my $issuer = Issuer->new(tls => 1);
#   $issuer->url                             # of the set
#   $issuer->serves($text, %headers)         # from now on; status => 200, and further headers
#   $issuer->hangs                           # takes connections, and says nothing
#   $issuer->leaves  $issuer->returns        # nobody listens; listens again, on the same port
#   $issuer->fetches                         # how many requests came
#
# What it says is in a file, read for each request.

package Issuer;

use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Socket::INET ();
use IO::Socket::SSL ();
use POSIX ();

sub new
{
    my ($class, %o) = @_;
    my $self = bless { dir => tempdir('ai-issuer-XXXXXX', TMPDIR => 1, CLEANUP => 1), tls => $o{tls},
                       owner => $$ }, $class;
    $self->write('count', '');
    $self->serves('{"keys":[]}');
    $self->returns;
    return $self;
}

sub url { return ($_[0]{tls} ? 'https' : 'http') . "://127.0.0.1:$_[0]{port}/keys?tenant=1" }

sub write
{
    my ($self, $name, $text) = @_;
    open(my $fh, '>:raw', "$self->{dir}/$name.new") or die "$name: $!\n";
    print $fh $text;
    close($fh) or die "$name: $!\n";
    rename("$self->{dir}/$name.new", "$self->{dir}/$name") or die "$name: $!\n";
    return;
}

sub read
{
    my ($self, $name) = @_;
    open(my $fh, '<:raw', "$self->{dir}/$name") or die "$name: $!\n";
    local $/;
    return <$fh> // '';
}

sub serves
{
    my ($self, $text, %headers) = @_;
    my $status = delete $headers{status} // 200;
    $headers{'Content-Length'} //= length $text;
    return $self->write('answer', join("\r\n", "HTTP/1.1 $status Answer", 'Connection: close',
                        (map { "$_: $headers{$_}" } sort keys %headers), '', $text));
}

sub hangs { return $_[0]->write('answer', '') }

sub fetches { return scalar(() = $_[0]->read('count') =~ /\n/g) }

sub leaves
{
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    kill('TERM', -$pid);
    waitpid($pid, 0);
    return;
}

sub returns
{
    my ($self) = @_;
    my $socket = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', Proto => 'tcp', ReuseAddr => 1,
                                       LocalPort => $self->{port} // 0) or die "issuer: $!\n";
    $self->{port} = $socket->sockport;
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        POSIX::setpgid(0, 0);
        $SIG{CHLD} = 'IGNORE';
        while (1) {
            my $caller = $socket->accept or next;
            next if fork();
            $self->answer($caller);
            POSIX::_exit(0);
        }
    }
    POSIX::setpgid($pid, $pid);
    $self->{pid} = $pid;
    return;
}

sub answer
{
    my ($self, $caller) = @_;
    if ($self->{tls}) {
        IO::Socket::SSL->start_SSL($caller, SSL_server => 1, SSL_cert_file => "$ENV{AI_CERTS}/server.pem",
                                   SSL_key_file => "$ENV{AI_CERTS}/server.key") or return;
    }
    my $request = '';
    while ($request !~ /\r\n\r\n/) {
        sysread($caller, $request, 8192, length $request) or return;
    }
    open(my $count, '>>', "$self->{dir}/count") or die "count: $!\n";
    syswrite($count, ($request =~ /^([^\r]*)/)[0] . "\n");
    my $answer = $self->read('answer');
    if ($answer eq '') {
        sysread($caller, $request, 1); # until he has had enough
        return;
    }
    while (length $answer) {
        my $n = syswrite($caller, $answer) or return;
        substr($answer, 0, $n, '');
    }
    $self->{tls} ? $caller->close : close($caller);
    return;
}

sub DESTROY
{
    my ($self) = @_;
    local ($?, $!, $@);
    $self->leaves if $self->{owner} == $$;
    return;
}

1;
