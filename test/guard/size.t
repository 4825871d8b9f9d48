#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Can a reader hold it?  Files of at most 600 lines, functions of at most 80.
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use lib dirname(__FILE__);
use Guard;

my ($file_max, $function_max) = (600, 80);
my @sources = files(qr/\.[ch]$/, 'modules', 'test/sim', 'test/unit', 'test/fuzz', 'bench', 'support');
my (@long_files, @long_functions, @braces);
my $functions = 0;

for my $file (@sources) {
    my @lines = split /\n/, code(slurp($file));
    push @long_files, "$file has " . @lines . ' lines' if @lines > $file_max;
    my ($start, $name) = (undef, '');
    for my $i (0 .. $#lines) {
        my $text = $lines[$i];
        $name = $1 if !defined $start && $text =~ /^[a-zA-Z].*?(\w+)\s*\(/;
        push @braces, "$file:@{[$i + 1]}" if $text =~ /^(?!typedef|struct|enum|union|extern)[a-z][\w\s\*]*\([^=]*\)\s*\{\s*$/;
        if ($text =~ /^\{/) {
            $start = $i;
            $functions++;
        }
        elsif (defined $start && $text =~ /^\}/) {
            my $length = $i - $start + 1;
            push @long_functions, "$file:@{[$start + 1]} $name() has $length lines"
                if $length > $function_max;
            $start = undef;
        }
    }
}

cmp_ok($functions, '>', 50, 'functions were found');
rule("no file has more than $file_max lines", @long_files);
rule("no function has more than $function_max lines", @long_functions);
rule('the brace of a function stands on a line of its own (else it is not measured)', @braces);
done_testing();
