# SPDX-License-Identifier: Apache-2.0
#
# AuthServer - an httpd of a test's own with a key file, for mod_ai_auth's tests.
#
#   my $server = AuthServer->new(\@keys, $conf, children => 2);
#   $server->caller  ->tls(%ssl)  ->h2     # HTTP/1.1; the same over TLS, HTTP/2: with options
#   $server->keys(@keys)                   # another key file, at once
#   $server->logged($answer)               # its line of the access log, as a hash
#
# There is a target "sim", which has a key of its own, and the macro "Basic": users alice and bob,
# password "river". All callers of a test have one address, so AIAuthFailures is Off; $conf may say
# otherwise. A caller may be silent for a minute, as on a machine with much else to do.

package AuthServer;

use strict;
use warnings;

use parent -norequire, 'OwnServer';

use File::Temp qw(tempdir);
use Gate ();
use H2 ();
use Keys ();
use OwnServer ();

sub new
{
    my ($class, $keys, $conf, %o) = @_;
    my $dir = tempdir('ai-keys-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $tls = OwnServer::free_port();
    Keys::write("$dir/keys", @$keys);
    my $self = $class->SUPER::new(children => $o{children} // 1, without => $o{without}, conf => <<"END");
AIAuthKeyFile $dir/keys
AIAuthFailures Off
LogFormat "id=\\"%L\\" status=\\"%>s\\" u=\\"%u\\" key=\\"%{ai-key-id}n\\" user=\\"%{ai-user}n\\" tenant=\\"%{ai-tenant}n\\" tier=\\"%{ai-tier}n\\" deny=\\"%{ai-deny}n\\" overhead=\\"%{ai-overhead-us}n\\" line=\\"%r\\"" auth
CustomLog access_log auth
Listen 127.0.0.1:$tls
KeepAliveTimeout 60
<Macro Basic>
    AuthType Basic
    AuthName auth
    AuthBasicProvider file
    AuthUserFile $ENV{AI_STAGE}/t/conf/core.users
</Macro>
<AITarget sim>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
    AITargetKeyFile $ENV{AI_STAGE}/t/conf/core.key
    AITargetForward X-Sim
</AITarget>
$conf
<VirtualHost 127.0.0.1:$tls>
    SSLEngine on
    SSLCertificateFile $ENV{AI_CERTS}/server.pem
    SSLCertificateKeyFile $ENV{AI_CERTS}/server.key
    Protocols h2 http/1.1
    @{[ $o{tls} // '' ]}
</VirtualHost>
END
    @$self{qw(tls_port key_file)} = ($tls, "$dir/keys");
    return $self;
}

sub keys
{
    my ($self, @keys) = @_;
    return Keys::write($self->{key_file}, @keys);
}

sub tls
{
    my ($self, %ssl) = @_;
    return Gate::Socket->new(port => $self->{tls_port}, tls => 1, ssl => \%ssl);
}

sub h2
{
    my ($self, %ssl) = @_;
    return H2->new(port => $self->{tls_port}, ssl => \%ssl);
}

sub logged
{
    my ($self, $answer) = @_;
    my $id = $answer->{headers}{'x-request-id'};
    return Gate::await("the log line of $id", sub {
        my ($line) = grep { /^id="\Q$id\E"/ } split /(?<=\n)/, $self->read_file('access_log');
        return unless ($line // '') =~ /\n\z/;
        my %fields = $line =~ /(\w+)="([^"]*)"/g;
        return \%fields;
    });
}

1;
