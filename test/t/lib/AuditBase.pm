# SPDX-License-Identifier: Apache-2.0
#
# AuditBase - what is in the tables of the audit? A KeyBase (conf, away, back, aictl) that can be asked.
#
#   my $base = AuditBase->new('pgsql');            # or 'sqlite3', 'mysql'
#   my @rows = $base->rows('SELECT id, status FROM ai_audit_calls');   # lists; NULL is ''
#   $base->await_calls(@ids);                      # returns when all are there; { id => [...] }

package AuditBase;

use strict;
use warnings;

use parent -norequire, 'KeyBase';

use Gate ();
use KeyBase ();

# SQLite's own program is not everywhere; Python has it.
my $python = <<'END';
import sqlite3, sys
for row in sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True, timeout=10).execute(sys.argv[2]):
    print("\t".join("" if value is None else str(value) for value in row))
END

sub rows
{
    my ($self, $sql) = @_;
    my $said;
    if ($self->{server}) {
        $said = $self->{server}->sql('gateway', $sql);
    }
    else {
        open(my $from, '-|', 'python3', '-c', $python, $self->{file}, $sql) or die "python3: $!\n";
        local $/;
        $said = <$from> // '';
        close($from) or die "$sql: $said\n";
    }
    my $between = $self->{server} && $self->{server}->driver eq 'pgsql' ? qr/\|/ : qr/\t/;
    return map { [map { $_ eq 'NULL' ? '' : $_ } split($between, $_, -1)] } split(/\n/, $said);
}

# By id: status, tokens of prompt and completion, estimated, and how many frames of each kind.
sub calls
{
    my ($self) = @_;
    my %calls = map { $_->[0] => [@$_[1 .. 4]] }
        $self->rows('SELECT id, status, tokens_prompt, tokens_completion, estimated FROM ai_audit_calls');
    return \%calls;
}

sub await_calls
{
    my ($self, @ids) = @_;
    my $calls;
    Gate::await(scalar(@ids) . ' calls in the database', sub {
        $calls = $self->calls;
        return !grep { !$calls->{$_} } @ids;
    });
    return $calls;
}

1;
