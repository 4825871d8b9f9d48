# SPDX-License-Identifier: Apache-2.0
#
# Databases - how does a test get a real PostgreSQL or MariaDB, and how does it fail it?
#
#   my $server = Databases->new('pgsql');       # or 'mysql'
#   my $params = $server->database('keys');     # an empty one; params as APR's driver takes them
#   $server->sql('keys', 'SELECT 1');           # as its administrator; what it prints
#   $server->pause; $server->resume;            # every process of it is stopped, so it says nothing
#   $server->crash; $server->start;             # killed; what was committed is there when it is back
#   $server->stop;
#
# Each is a server of its own: its data and its socket lie in a folder below TMPDIR, it listens on no
# port, and it ends with the object. The database's user is "ai" with the password secret(). Servers
# refuse to run as root: then they run as AI_TEST_USER, or nobody.
#
# PostgreSQL is looked for in the system, and below the folder in AI_POSTGRESQL.

package Databases;

use strict;
use warnings;

use File::Path qw(remove_tree);
use File::Spec ();
use File::Temp qw(tempdir);
use POSIX ();

use constant SECRET => 'pw-Jh7xQ2';
sub secret { return SECRET }

# Debian's programs for PostgreSQL in /usr/bin are others.
my @path = (reverse(sort(glob('/usr/lib/postgresql/*/bin'), glob('/usr/pgsql-*/bin'))),
            split(/:/, $ENV{PATH}), qw(/usr/sbin /usr/bin /usr/libexec));

sub program
{
    my ($self, @names) = @_;
    for my $dir (@path, grep { -d } map { glob("$_/usr/lib/postgresql/*/bin") } grep { $_ }
                 $self->{unpacked}, $ENV{AI_POSTGRESQL}) {
        -x "$dir/$_" and return "$dir/$_" for @names;
    }
    die "no $names[0] here; run build/setup --tests\n";
}

# Who the server runs as, when we are root.
sub user
{
    return if $> != 0;
    my @user = getpwnam($ENV{AI_TEST_USER} // 'nobody');
    die "no user to run a database as; name one in AI_TEST_USER\n" if !@user || $user[2] == 0;
    return @user;
}

# In a child process: becomes the server's user, and the program.
sub become
{
    my ($self, $env, @command) = @_;
    if (my @user = user()) {
        $) = "$user[3] $user[3]";
        $( = $user[3];
        ($<, $>) = ($user[2], $user[2]);
        POSIX::_exit(126) if $> == 0;
    }
    chdir($self->{dir});
    @ENV{keys %$env} = values %$env;
    open(STDIN, '<', '/dev/null');
    { exec(@command) };
    POSIX::_exit(127);
}

# Runs a program to its end; what it says.
sub run
{
    my ($self, $env, @command) = @_;
    my $pid = open(my $out, '-|') // die "fork: $!\n";
    if (!$pid) {
        open(STDERR, '>&', \*STDOUT);
        $self->become($env, @command);
    }
    my $said = do { local $/; <$out> } // '';
    close($out) or die "@command: $said\n";
    return $said;
}

sub new
{
    my ($class, $driver) = @_;
    my $kind = { pgsql => 'Databases::PostgreSQL', mysql => 'Databases::MariaDB' }->{$driver}
        // die "no driver $driver\n";
    # A socket's path may have 107 bytes.
    my $temp = length(File::Spec->tmpdir) > 70 ? '/tmp' : File::Spec->tmpdir;
    my $self = bless { driver => $driver, owner => $$, pid => 0,
                       dir => tempdir('ai-db-XXXXXX', DIR => $temp) }, $kind;
    if (my @user = user()) {
        chown($user[2], $user[3], $self->{dir}) or die "$self->{dir}: $!\n";
    }
    $self->make;
    $self->start;
    return $self;
}

sub driver { return $_[0]{driver} }
sub folder { return $_[0]{dir} }

# Returns when it takes connections.
sub start
{
    my ($self) = @_;
    my $pid = open(my $log, '-|') // die "fork: $!\n";
    if (!$pid) {
        open(STDERR, '>&', \*STDOUT);
        $self->become({}, $self->command);
    }
    my $said = '';
    while (defined(my $line = <$log>)) {
        $said .= $line;
        if ($line =~ $self->ready) {
            @$self{qw(pid log)} = ($pid, $log);
            return;
        }
    }
    die "no $self->{driver}: $said\n";
}

# It, and the processes that it started.
sub processes
{
    my ($self) = @_;
    my @pids = ($self->{pid});
    for my $stat (glob('/proc/[0-9]*/stat')) {
        open(my $fh, '<', $stat) or next;    # it has just ended
        my ($pid, $parent) = (<$fh> // '') =~ /^(\d+) \(.*\) \S (\d+)/ or next;
        push @pids, $pid if $parent == $self->{pid};
    }
    return @pids;
}

sub pause  { my ($self) = @_; kill('STOP', $self->processes); return }
sub resume { my ($self) = @_; kill('CONT', $self->processes); return }

# Its log is a pipe that all its processes hold: at its end all of them are gone.
sub end
{
    my ($self, $signal) = @_;
    return if !$self->{pid} || $self->{owner} != $$;
    my @all = $self->processes;
    kill($signal, $signal eq 'KILL' ? @all : $self->{pid});
    kill('CONT', @all);
    my $log = delete $self->{log};
    1 while <$log>;
    local $?;
    close($log);
    $self->{pid} = 0;
    return;
}

sub crash { my ($self) = @_; $self->end('KILL'); return }
sub stop  { my ($self) = @_; $self->end($self->quickly); return }

sub DESTROY
{
    my ($self) = @_;
    return if $self->{owner} != $$;
    local ($?, $!, $@);
    $self->end('KILL');
    remove_tree($self->{dir});
    return;
}

# ------------------------------------------------------------------------------------------

package Databases::PostgreSQL;
use parent -norequire => 'Databases';

sub make
{
    my ($self) = @_;
    if ($> == 0 && $ENV{AI_POSTGRESQL} && -d $ENV{AI_POSTGRESQL}) {
        # The user may have no way to where it is.
        $self->{unpacked} = "$self->{dir}/program";
        system('cp', '-a', $ENV{AI_POSTGRESQL}, $self->{unpacked}) == 0 or die "cp: $?\n";
    }
    my $file = "$self->{dir}/password";
    open(my $fh, '>', $file) or die "$file: $!\n";
    print $fh Databases::SECRET;
    close($fh);
    $self->run({}, $self->program('initdb'), '-D', "$self->{dir}/data", '-A', 'scram-sha-256', '-U', 'ai',
               "--pwfile=$file", '-E', 'UTF8', '--locale=C', '-N');
    return;
}

sub command
{
    my ($self) = @_;
    return ($self->program('postgres'), '-D', "$self->{dir}/data", '-k', $self->{dir},
            map { ('-c', $_) } "listen_addresses=", 'shared_buffers=16MB', 'fsync=off', 'log_min_messages=log');
}

sub ready   { return qr/database system is ready to accept connections/ }
sub quickly { return 'INT' }

sub sql
{
    my ($self, $name, $text) = @_;
    return $self->run({ PGPASSWORD => Databases::SECRET }, $self->program('psql'), '-XAtq', '-h', $self->{dir},
                      '-U', 'ai', '-d', $name, '-v', 'ON_ERROR_STOP=1', '-c', $text);
}

sub database
{
    my ($self, $name) = @_;
    $self->sql('postgres', "CREATE DATABASE $name");
    return "host=$self->{dir} user=ai dbname=$name password=" . Databases::SECRET;
}

# ------------------------------------------------------------------------------------------

package Databases::MariaDB;
use parent -norequire => 'Databases';

sub make
{
    my ($self) = @_;
    $self->run({}, $self->program('mariadb-install-db', 'mysql_install_db'), '--no-defaults',
               "--datadir=$self->{dir}/data", '--auth-root-authentication-method=normal', '--skip-test-db',
               '--skip-log-bin');
    open(my $fh, '>', "$self->{dir}/init.sql") or die "$self->{dir}/init.sql: $!\n";
    print $fh "CREATE USER IF NOT EXISTS ai\@localhost IDENTIFIED BY '", Databases::SECRET, "';\n",
              "GRANT ALL ON *.* TO ai\@localhost WITH GRANT OPTION;\n";
    close($fh);
    chmod(0644, "$self->{dir}/init.sql");
    return;
}

sub command
{
    my ($self) = @_;
    return ($self->program('mariadbd', 'mysqld'), '--no-defaults', "--datadir=$self->{dir}/data",
            "--socket=$self->{dir}/socket", "--pid-file=$self->{dir}/pid", '--skip-networking',
            '--innodb-buffer-pool-size=16M', '--innodb-flush-log-at-trx-commit=2',
            "--init-file=$self->{dir}/init.sql");
}

sub ready   { return qr/ready for connections/ }
sub quickly { return 'TERM' }

sub sql
{
    my ($self, $name, $text) = @_;
    return $self->run({ MYSQL_PWD => Databases::SECRET }, $self->program('mariadb', 'mysql'), '--no-defaults',
                      '-N', '-B', '-S', "$self->{dir}/socket", '-u', 'ai', '-e', $text, $name);
}

sub database
{
    my ($self, $name) = @_;
    $self->sql('mysql', "CREATE DATABASE `$name`");
    return "sock=$self->{dir}/socket,user=ai,dbname=$name,pass=" . Databases::SECRET;
}

1;
