# SPDX-License-Identifier: Apache-2.0
#
# KeyBase - how does a test put gateway keys into a database, and how does it take that away?
#
#   my $base = KeyBase->sqlite;      # or ->postgres
#   $base->conf                      # the line "AIDatabase ..."
#   $base->put(@keys)                # keys of Keys::make(), new or in the place of the old ones
#   $base->drop(@keys)               # as another node would: nobody here is told
#   $base->stop  ->start             # it is gone: killed, or its file is away; and there again
#   $base->freeze  ->thaw            # PostgreSQL: it is there and says nothing
#
# Tables are made by aictl. Whatever is started ends with the object.

package KeyBase;

use strict;
use warnings;

use File::Temp qw(tempdir);
use Gate ();
use Keys ();
use POSIX ();

sub sqlite
{
    my ($class) = @_;
    my $dir = tempdir('ai-base-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod(0700, $dir);
    my $self = bless { dir => $dir, file => "$dir/keys.db", owner => $$ }, $class . '::SQLite';
    $self->make_tables;
    return $self;
}

sub postgres
{
    my ($class) = @_;
    my $dir = tempdir('ai-base-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod(0700, $dir);
    my ($bin) = grep { -x "$_/initdb" } sort { $b cmp $a } glob('/usr/lib/postgresql/*/bin'), '/usr/bin';
    die "no PostgreSQL\n" unless $bin;
    my $self = bless { dir => $dir, bin => $bin, owner => $$ }, $class . '::Postgres';
    $self->{params} = "host=$dir user=ai dbname=postgres";
    run("$bin/initdb", '-D', "$dir/data", '-U', 'ai', '-A', 'trust', '-N');
    $self->start;
    $self->make_tables;
    return $self;
}

# The command's output; dies when it fails.
sub run
{
    my (@command) = @_;
    my $pid = open(my $from, '-|') // die "fork: $!\n";
    if (!$pid) {
        open(STDIN, '<', '/dev/null');
        open(STDERR, '>&', \*STDOUT);
        { exec(@command) };
        POSIX::_exit(127);
    }
    local $/;
    my $said = <$from> // '';
    close($from) or die "@command: $said\n";
    return $said;
}

sub quoted { return "'" . $_[0] =~ s/'/''/gr . "'" }

sub make_tables
{
    my ($self) = @_;
    run($ENV{AI_AICTL}, 'db', 'init', '--database', $self->words);
    return;
}

sub put
{
    my ($self, @keys) = @_;
    my @rows = map {
        my $line = Keys::lines($_) =~ s/\n\z//r;
        sprintf('(%s, 1, %s, NULL, NULL, 0, 0, 0)', quoted($_->{id}), quoted($line));
    } @keys;
    $self->sql('INSERT INTO ai_keys (id, version, record, name, tenant, disabled, expires, changed) VALUES '
               . join(', ', @rows)
               . ' ON CONFLICT (id) DO UPDATE SET record = excluded.record, version = ai_keys.version + 1');
    return;
}

sub drop
{
    my ($self, @keys) = @_;
    $self->sql('DELETE FROM ai_keys WHERE id IN (' . join(', ', map { quoted($_->{id}) } @keys) . ')');
    return;
}

sub conf { return sprintf("AIDatabase %s\n", $_[0]->words =~ s/ (.*)/ "$1"/r) }

sub DESTROY
{
    my ($self) = @_;
    local ($?, $!, $@);
    $self->end if $self->{owner} == $$;
    return;
}

# ---------------------------------------------------------------------------------- SQLite
package KeyBase::SQLite;

use parent -norequire, 'KeyBase';

sub words { return "sqlite3 $_[0]{file}" }

sub sql
{
    my ($self, $text) = @_;
    return KeyBase::run('sqlite3', '-cmd', '.timeout 10000', $self->{file}, $text);
}

sub stop
{
    my ($self) = @_;
    rename($self->{file}, "$self->{file}.away") or die "$self->{file}: $!\n";
    return;
}

sub start
{
    my ($self) = @_;
    rename("$self->{file}.away", $self->{file}) or die "$self->{file}: $!\n";
    return;
}

sub end { return }

# ------------------------------------------------------------------------------ PostgreSQL
package KeyBase::Postgres;

use parent -norequire, 'KeyBase';

use POSIX ();

sub words { return "pgsql $_[0]{params}" }

sub sql
{
    my ($self, $text) = @_;
    return KeyBase::run('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $self->{params}, '-c', $text);
}

sub start
{
    my ($self) = @_;
    my $dir = $self->{dir};
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        POSIX::setpgid(0, 0);
        open(STDIN, '<', '/dev/null');
        open(STDOUT, '>>', "$dir/out");
        open(STDERR, '>&', \*STDOUT);
        { exec("$self->{bin}/postgres", '-D', "$dir/data", '-k', $dir, '-h', '') };
        POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    Gate::await('PostgreSQL', sub { return eval { $self->sql('SELECT 1'); 1 } });
    return;
}

# All of its processes: each connection has one.
sub members
{
    my ($self) = @_;
    my @pids = $self->{pid};
    for my $file (glob('/proc/[0-9]*/stat')) {
        open(my $fh, '<', $file) or next;
        my ($pid, $parent) = (<$fh> // '') =~ /^(\d+) \(.*\) \S (\d+)/ or next;
        push @pids, $pid if $parent == $self->{pid};
    }
    return @pids;
}

sub stop
{
    my ($self) = @_;
    $self->{pid} or return;
    local $?;
    kill('KILL', $self->members);
    waitpid(delete $self->{pid}, 0);
    unlink("$self->{dir}/data/postmaster.pid");
    return;
}

sub freeze { return kill('STOP', $_[0]->members) }
sub thaw   { return kill('CONT', $_[0]->members) }
sub end    { return $_[0]->stop }

1;
