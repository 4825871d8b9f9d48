#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Does docs/notes.md list the notes that there are, and does each have one writer?
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use lib dirname(__FILE__);
use Guard;

my ($enum)  = slurp('modules/core/mod_ai.h') =~ /typedef enum ai_note_e \{(.*?)\}/s;
my ($table) = slurp('modules/core/ai_notes.c') =~ /ai_note_names\[AI_NOTES_N\] = \{(.*?)\n\};/s;
my @enum    = grep { $_ ne 'AI_NOTES_N' } ($enum // '') =~ /\b(AI_\w+)/g;
my (%name, %site, @order);
while (($table // '') =~ /\[(AI_NOTE_\w+)\]\s*=\s*\{\s*"([^"]+)",\s*([01])\s*\}/g) {
    ($name{$1}, $site{$2}) = ($2, $3);
    push @order, $1;
}
my @doc = slurp('docs/notes.md') =~ /^\|\s*`(ai-[a-z-]+)`\s*\|[^|]+\|[^|]+\|\s*([^|]+?)\s*\|$/mg;
my %writer = @doc;
my @doc_order = @doc[grep { $_ % 2 == 0 } 0 .. $#doc];

cmp_ok(scalar(@enum), '>', 10, 'there are notes');
is_deeply(\@order, \@enum, 'ai_note_names[] has the notes of ai_note_e, in their order');
is_deeply(\@doc_order, [@name{@order}], 'docs/notes.md has the same, in the same order');
rule('names are ai-<noun>, lower case', grep { !/^ai(?:-[a-z]+)+$/ } values %name);
rule('a note is the site\'s in the docs when AINote may set it',
     grep { $site{$_} != (($writer{$_} // '') =~ /(?:^| or )the site$/ ? 1 : 0) } sort keys %site);

# Who writes a note: the rooms that set it.
my %rooms;
for my $file (files(qr/\.c$/, 'modules')) {
    my $room = (split m{/}, $file)[1];
    my $code = code(slurp($file));
    $rooms{$1}{$room} = 1
        while $code =~ /\b(?:ai_note_set|ai_note_set_number|note_set|note_set_number|note_count|note_caller)\s*\(\s*(?:air|ai\w*)\s*,\s*(AI_NOTE_\w+)/g;
}
my %module = (core => 'mod_ai', map { $_ => "mod_ai_$_" } qw(auth ratelimit cache route audit guard prompt context status));
my @wrong;
for my $note (@order) {
    my @rooms = sort keys %{ $rooms{$note} // {} };
    my $doc = $writer{ $name{$note} } // 'nobody';
    my $is  = join(' and ', map { $module{$_} // $_ } @rooms) || ($site{ $name{$note} } ? 'the site' : 'nobody');
    $doc =~ s/ or the site$//;
    push @wrong, "$name{$note} is written by $is, docs/notes.md says $doc" if $is ne $doc;
}
rule('each note has one writer, as the docs say', @wrong);
my @unknown;
for my $file (files(qr/\.(?:md|conf)$/, qw(docs conf-examples)), 'README.md') {
    my %known = map { $_ => 1 } keys %site;
    my $text = slurp($file);
    push @unknown, "$file: $1" for grep { !$known{$_} } $text =~ /%\{(ai-[a-z-]+)\}n/g;
}
rule('logs in docs and examples name notes that there are', @unknown);
done_testing();
