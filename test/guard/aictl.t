#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Do the page, the manual page and the completion of aictl have its commands and options?
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use lib dirname(__FILE__);
use Guard;

my $options  = slurp('support/key_options.c');
my $commands = slurp('support/key_commands.c');
my ($rows)   = $commands =~ /\} commands\[\] = \{\n(.*?)\n\};/s;
my @commands = ($rows // '') =~ /^    \{ "(\w+)"/mg;
my ($tables) = slurp('support/db_commands.c') =~ /\} commands\[\] = \{\n(.*?)\n\};/s;
my @tables   = ($tables // '') =~ /^    \{ "(\w+)"/mg;
my ($fields) = $options =~ /\} fields\[\] = \{\n(.*?)\n\};/s;
my @fields   = ($fields // '') =~ /\{ "([\w-]+)"/g;
my ($others) = $options =~ /\bothers\[\] = \{\n(.*?)\n\};/s;
my @others   = ($others // '') =~ /\{ "([\w-]+)"/g;
cmp_ok(scalar(@commands), '>=', 10, 'commands were found');
cmp_ok(scalar(@fields), '>=', 12, 'fields were found');
cmp_ok(scalar(@others), '>=', 6, 'and other options');

my ($page, $manual, $shell, $keys) =
    map { slurp($_) } qw(docs/aictl.md support/aictl.1 support/aictl.bash docs/keys.md);
rule('docs/aictl.md has each command', grep { $page !~ /^\| `aictl key $_\b/m } @commands);
rule('support/aictl.1 has each command', grep { $manual !~ /^\.It Cm (?:\w+ , )*$_\b/m } @commands);
rule('support/aictl.bash has each command', grep { $shell !~ /^\s+words='(?:[\w ]+ )?$_\b/m } @commands);
cmp_ok(scalar(@tables), '>=', 3, 'commands of db were found');
rule('docs/aictl.md has those of db', grep { $page !~ /^\| `aictl db $_\b/m } @tables);
rule('support/aictl.1 has them', grep { $manual !~ /^\.It Cm $_\b/m } @tables);
rule('support/aictl.bash has them', grep { $shell !~ /^\s+words='(?:[\w ]+ )?$_\b/m } @tables);
rule('docs/aictl.md has each option', grep { $page !~ /`[^`]*--$_\b/ } @fields, @others);
rule('support/aictl.1 has each option', grep { $manual !~ /\bFl -$_\b/ } @fields, @others);
rule('support/aictl.bash has each option', grep { $shell !~ /--$_\b/ } @fields, @others);
rule('the usage has each field', grep { $commands !~ /--$_ / } @fields);
rule('FIELDS has each field', grep { $commands !~ /^#define FIELDS ".*(?:\\\n.*)?\b$_ /m } @fields);

my $price = slurp('support/price_command.c');
my @price = map { /\{ "([\w-]+)"/g } $price =~ /\} counts\[\] = \{\n(.*?)\n\};/s, $price =~ /\bwords\[\] = \{\n(.*?)\n\};/s;
cmp_ok(scalar(@price), '>=', 20, 'options of price were found');
rule('docs/aictl.md has each option of price', grep { $page !~ /`--$_\b/ } @price);
rule('support/aictl.1 has each', grep { $manual !~ /\bFl -$_\b/ } @price);
rule('support/aictl.bash has each', grep { $shell !~ /--$_\b/ } @price);

my ($audit) = slurp('support/audit_commands.c') =~ /\} commands\[\] = \{\n(.*?)\n\};/s;
my @audit   = ($audit // '') =~ /^    \{ "(\w+)"/mg;
my @asked   = slurp('support/search_options.c') =~ /\{ "([\w-]+)", (?:&|NULL)/g;
my @others_of_audit = map { slurp("support/$_") =~ /\{ "([\w-]+)", (?:&|NULL)/g } qw(ship_command.c audit_proof.c audit_retain.c);
cmp_ok(scalar(@audit), '>=', 9, 'commands of audit were found');
cmp_ok(scalar(@asked), '>=', 14, 'and the options of those that search');
cmp_ok(scalar(@others_of_audit), '>=', 12, 'and those of the others');
rule('docs/aictl.md has the commands of audit', grep { $page !~ /^\| `aictl audit $_\b/m } @audit);
rule('support/aictl.1 has them, too', grep { $manual !~ /^\.It Cm audit $_\b/m } @audit);
rule('support/aictl.bash has them as well', grep { $shell !~ /^\s+words='(?:[\w ]+ )?$_\b/m } @audit);
rule('docs/aictl.md has what search takes', grep { $page !~ /`[^`]*--$_\b/ } @asked);
rule('support/aictl.1 has it', grep { $manual !~ /\bFl -$_\b|\| -$_\b/ } @asked);
rule('support/aictl.bash has the options of audit', grep { $shell !~ /--$_\b/ } @asked, @others_of_audit);

# Each member of a record can be asked for.
my $record = slurp('modules/lib/ai_audit_record.c');
my %shape  = map { $_ => [($record =~ /\b${_}_members\[\] = \{\n(.*?)\n\};/s)[0] =~ /^    \w+\([^"]*"(\w+)"/mg] }
    qw(attempt body reserved tokens cost us trace record);
my %parts  = (attempts => 'attempt', prompt => 'body', answer => 'body', map { $_ => $_ } qw(reserved tokens cost us trace));
my %columns = map { $_ => 1 } map { join '.', grep { defined } @$_ }
    map { [/\{ "\w+", \w+, "(\w+)", (?:"(\w+)"|NULL) \}/] } split /\n/, slurp('modules/lib/ai_audit_call.c');
my %said = map { $_ => 1 } slurp('support/search_field.c') =~ /"([\w.]+)"/g;
cmp_ok(scalar(@{ $shape{record} }), '>=', 30, 'members of a record were found');
rule('each of them is a field',
     grep { !$columns{$_} && !$said{$_} }
     map { my $name = $_; $name eq 'road' ? 'road.stage' : $name eq 'attempts' || !$parts{$name} ? $name : (), map { "$name.$_" } @{ $shape{ $parts{$name} // '' } // [] } }
     @{ $shape{record} });

my ($known) = slurp('modules/lib/ai_key_record.c') =~ /\} members\[\] = \{\n(.*?)\n\};/s;
is_deeply([$keys =~ /^\| `(\w+)` \| .* \| .* \|$/mg], [($known // '') =~ /\{ "(\w+)"/g],
          'docs/keys.md has the members of a record, in their order');
my ($words) = slurp('modules/lib/ai_chat.c') =~ /\bendpoints\[\w+\] = \{(.*?)\n\};/s;
rule('support/aictl.bash has each endpoint',
     grep { $shell !~ /(?<=[\s'])\Q$_\E(?=[\s'])/ } ($words // '') =~ /\{ "([a-z-]+)"/g);
done_testing();
