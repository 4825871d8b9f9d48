# SPDX-License-Identifier: Apache-2.0
#
# KeyBase - how does a test put gateway keys into a database, and how does it take that away?
#
#   my $base = KeyBase->new('pgsql');       # or 'sqlite3', or KeyBase->sqlite
#   $base->conf                             # the line "AIDatabase ..."
#   $base->words                            # for --database
#   $base->put(@keys)                       # keys of Keys::make(), new or in the place of the old
#   $base->aictl('key', 'delete', $id)      # any command, with --database behind it
#   $base->away  ->back                     # it is gone: its file, or its server; and there again
#   $base->server                           # PostgreSQL's, a Databases: to freeze it, and for SQL
#
# All is done by aictl, as on another node: no server is told.

package KeyBase;

use strict;
use warnings;

use Databases ();
use File::Temp qw(tempdir);
use Keys ();
use POSIX ();

sub new
{
    my ($class, $driver) = @_;
    my $dir = tempdir('ai-base-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod(0700, $dir) or die "$dir: $!\n";
    my $self = bless { dir => $dir, file => "$dir/keys.db" }, $class;
    $self->{server} = Databases->new($driver) if $driver ne 'sqlite3';
    $self->{words} = "$driver " . ($self->{server} ? $self->{server}->database('gateway') : $self->{file});
    $self->aictl('db', 'init');
    return $self;
}

sub sqlite { return $_[0]->new('sqlite3') }
sub server { return $_[0]{server} }
sub words  { return $_[0]{words} }
sub conf   { return sprintf("AIDatabase %s\n", $_[0]{words} =~ s/ (.*)/ "$1"/r) }

# What it says, also on stderr; dies when it fails.
sub aictl
{
    my ($self, @words) = @_;
    my $pid = open(my $from, '-|') // die "fork: $!\n";
    if (!$pid) {
        $ENV{AI_RUNTIME_DIR} = "$self->{dir}/none";
        open(STDIN, '<', '/dev/null');
        open(STDERR, '>&', \*STDOUT);
        { exec($ENV{AI_AICTL}, @words, '--database', $self->{words}) };
        POSIX::_exit(127);
    }
    local $/;
    my $said = <$from> // '';
    close($from) or die "aictl @words: $said\n";
    return $said;
}

sub put
{
    my ($self, @keys) = @_;
    Keys::put("$self->{dir}/import", Keys::lines(@keys));
    $self->aictl('key', 'import', '--replace', "$self->{dir}/import");
    return;
}

sub away
{
    my ($self) = @_;
    return $self->{server}->crash if $self->{server};
    rename($self->{file}, "$self->{file}.away") or die "$self->{file}: $!\n";
    return;
}

sub back
{
    my ($self) = @_;
    return $self->{server}->start if $self->{server};
    rename("$self->{file}.away", $self->{file}) or die "$self->{file}: $!\n";
    return;
}

1;
