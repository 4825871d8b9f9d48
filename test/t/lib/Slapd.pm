# SPDX-License-Identifier: Apache-2.0
#
# Slapd - how does a test get an LDAP server with people and groups in it?
#
#   my $ldap = Slapd->new($ldif);          # below dc=example, which is there
#   $ldap->url                             # ldap://127.0.0.1:PORT
#   $ldap->stop;                           # nobody answers there any more
#
# It runs as the test's user in a folder of its own, and ends with the object. Who may look things up
# is cn=reader,dc=example, password "reading"; nobody else may read anything.

package Slapd;

use strict;
use warnings;

use File::Temp qw(tempdir);
use Gate ();
use IO::Socket::INET ();
use OwnServer ();
use POSIX ();

sub new
{
    my ($class, $ldif) = @_;
    my $from = $ENV{AI_SLAPD} // die "AI_SLAPD is not set; run make check\n";
    my $self = bless { dir => tempdir('ai-ldap-XXXXXX', TMPDIR => 1, CLEANUP => 1), port => OwnServer::free_port(),
                       owner => $$ }, $class;
    my $dir = $self->{dir};
    mkdir("$dir/db") or die "$dir/db: $!\n";
    spew("$dir/slapd.conf", join("\n", (map { "include $from/schema/$_.schema" } qw(core cosine inetorgperson)),
        (-e "$from/modules/back_mdb.so" ? ("modulepath $from/modules", 'moduleload back_mdb') : ()),
        "pidfile $dir/pid", 'database mdb', 'maxsize 10485760', 'suffix dc=example', "directory $dir/db",
        'rootdn cn=root,dc=example', 'access to attrs=userPassword by anonymous auth by * none',
        'access to * by dn.exact=cn=reader,dc=example read by anonymous auth by * none', ''));
    spew("$dir/data.ldif", <<"END");
dn: dc=example
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: cn=reader,dc=example
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: reading

$ldif
END
    $self->{env} = join(':', "$from/lib", $ENV{LD_LIBRARY_PATH} // ());
    my $pid = $self->run('-T', 'add', '-l', "$dir/data.ldif");
    waitpid($pid, 0);
    die 'slapadd: ' . $self->said if $?;
    $self->{pid} = $self->run('-d', '0', '-h', $self->url);
    Gate::await('an LDAP server', sub {
        die $self->said if waitpid($self->{pid}, POSIX::WNOHANG()) == $self->{pid} && !($self->{pid} = 0);
        return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port});
    });
    return $self;
}

sub url { return "ldap://127.0.0.1:$_[0]{port}" }

sub spew
{
    my ($path, $text) = @_;
    open(my $fh, '>', $path) or die "$path: $!\n";
    print $fh $text;
    close($fh) or die "$path: $!\n";
    return;
}

sub run
{
    my ($self, @options) = @_;
    # slapd looks at its first option for the tool that it is to be.
    my @tool = $options[0] eq '-T' ? splice(@options, 0, 2) : ();
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        $ENV{LD_LIBRARY_PATH} = $self->{env};
        open(STDIN, '<', '/dev/null');
        open(STDOUT, '>>', "$self->{dir}/out");
        open(STDERR, '>&', \*STDOUT);
        { exec("$ENV{AI_SLAPD}/slapd", @tool, '-f', "$self->{dir}/slapd.conf", @options) };
        POSIX::_exit(127);
    }
    return $pid;
}

sub said
{
    my ($self) = @_;
    open(my $fh, '<', "$self->{dir}/out") or return '';
    local $/;
    return <$fh> // '';
}

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
