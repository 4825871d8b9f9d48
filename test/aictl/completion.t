#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Does bash complete the words of aictl?
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use lib dirname(__FILE__);
use Aictl;

my $script = dirname(__FILE__) . '/../../support/aictl.bash';

# What the last of the words may become.
sub complete
{
    my (@words) = @_;
    open(my $bash, '-|', 'bash', '-c', <<'END', 'bash', $script, program(), @words) or die "bash: $!\n";
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_aictl && printf '%s\n' "${COMPREPLY[@]}"
END
    chomp(my @found = <$bash>);
    close($bash);
    return join ' ', @found;
}

my @ids = sort map { id_of(make_key()) } 1 .. 2;
is(complete('k'), 'key', 'the first word');
is(complete('key', ''), 'create list show update rotate disable enable delete export import check', 'commands');
is(complete('key', 'de'), 'delete', 'by their beginning');
is(complete('key', 'create', '--t'), '--tenant --tier', 'options');
is(complete('key', 'rotate', '--'), '--overlap --json --file --database --runtime', 'those of the command');
is(complete('key', 'create', '--endpoint', 'emb'), 'embeddings', 'endpoints');
is(complete('key', 'update', '--clear', 'mo'), 'model', 'names of fields');
like(complete('key', 'show', '--file', substr(keys_file(), 0, -1)), qr{(?:^| )\Q@{[ keys_file() ]}\E(?: |$)}, 'files');
is(join(' ', sort split / /, complete('key', 'show', '--file', keys_file(), '')), "@ids", 'ids of the file');
is(complete('key', 'disable', '--file', keys_file(), $ids[0] =~ s/..\z//r), $ids[0], 'by their beginning');
is(complete('d'), 'db', 'another first word');
is(complete('price', '--pr'), '--provider --prompt --prompt-audio --prompt-image', 'options of price');
is(complete('price', '--service', 'b'), 'batch balanced', 'and their words');
is(complete('db', ''), 'init migrate status', 'its commands');
is(complete('db', 'init', '--'), '--database --owner', 'their options');
is(complete('db', 'init', '--owner', 'nobod'), 'nobody', 'users');
is(complete('key', 'rotate', '--file', keys_file(), '--overlap', ''), '', 'no id where a time must stand');
is(complete('key', 'import', '--r'), '--replace --runtime', 'options of import');
like(complete('key', 'import', substr(keys_file(), 0, -1)), qr{(?:^| )\Q@{[ keys_file() ]}\E(?: |$)}, 'and its file');
is(complete('key', 'create', 'x'), '', 'nothing where there is nothing');
is(complete('aud'), 'audit', 'the audit');
is(complete('audit', ''), 'search tail show export ship keygen verify retain hold', 'its commands');
is(complete('audit', 'search', '--'), '--since --until --limit --format --columns --order --database', 'what search takes');
is(complete('audit', 'export', '--format', ''), 'jsonl csv proof', 'formats of an export');
is(complete('usage', '--by', 't'), 'tenant target', 'by what usage is added up');
is(complete('usage', '--z'), '--zone', 'options of usage');
is(complete('explain', '--'), '--spool --database', 'those of explain');
like(complete('explain', '--spool', substr(folder(), 0, -1)), qr{^\Q@{[ folder() ]}\E$}m, 'a folder');
done_testing();
