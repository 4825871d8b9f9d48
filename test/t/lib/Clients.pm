# SPDX-License-Identifier: Apache-2.0
#
# Clients - how does a test get callers with certificates of their own?
#
#   my $clients = Clients->new(carol => 'acme', dave => 'other/red');  # name and organisation
#   AuthServer->new($keys, $conf, tls => $clients->tls);    # the server takes those, by SSLUserName
#   $server->tls($clients->ssl('carol'))                    # a caller with one
#   $clients->stranger('mallory');                          # one more, of an authority that nobody knows

package Clients;

use strict;
use warnings;

use File::Temp qw(tempdir);

my $new_key = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';

sub new
{
    my ($class, %organisation) = @_;
    my $self = bless { dir => tempdir('ai-client-XXXXXX', TMPDIR => 1, CLEANUP => 1) }, $class;
    $self->authority('callers');
    $self->issue($_, $organisation{$_}, 'callers') for sort keys %organisation;
    return $self;
}

sub openssl
{
    my ($self, $line) = @_;
    return system("cd $self->{dir} && openssl $line >>log 2>&1") == 0 || die "openssl $line\n";
}

sub authority
{
    my ($self, $name) = @_;
    return $self->openssl("req -x509 -days 2 $new_key -keyout $name.key -out $name.pem -subj /CN=$name");
}

# Slashes part a subject; the organisation's own are escaped.
sub issue
{
    my ($self, $name, $organisation, $authority) = @_;
    my $o = $organisation =~ s{/}{\\/}gr;
    $self->openssl("req -new $new_key -keyout $name.key -out $name.csr -subj '/O=$o/CN=$name'");
    return $self->openssl("x509 -req -days 2 -in $name.csr -CA $authority.pem -CAkey $authority.key"
                          . " -CAcreateserial -out $name.pem");
}

sub stranger
{
    my ($self, $name) = @_;
    $self->authority('nobodys');
    return $self->issue($name, 'acme', 'nobodys');
}

sub tls
{
    my ($self) = @_;
    return "SSLCACertificateFile $self->{dir}/callers.pem\nSSLVerifyClient optional\nSSLUserName SSL_CLIENT_S_DN_CN\n";
}

sub ssl
{
    my ($self, $name) = @_;
    return (SSL_cert_file => "$self->{dir}/$name.pem", SSL_key_file => "$self->{dir}/$name.key");
}

1;
