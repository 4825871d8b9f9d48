#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Does every source say its licence, and every C file what it is about?
use strict;
use warnings;
use Test::More;
use File::Basename qw(basename dirname);
use lib dirname(__FILE__);
use Guard;

my $source = qr/\.(?:[ch]|t|pm|pl|py|mjs|js|sh|ac|am|m4|conf)$|\.conf\.in$|^(?:.*\/)?(?:run|check|setup|serve|chat|certs|run_tests|TEST)$/;
my @files  = grep { !m{/data/|/corpus/} && !m{(?:^|/)(?:libtool|lt[^/]*)\.m4$} }
             files($source, qw(modules test build bench conf-examples support));
push @files, grep { -f top() . "/$_" } qw(configure.ac Makefile.am autogen.sh);

my (@unlicensed, @silent);
for my $file (@files) {
    my @head = split /\n/, slurp($file), 12;
    push @unlicensed, $file unless grep { /SPDX-License-Identifier: Apache-2\.0/ } @head[0 .. ($#head < 2 ? $#head : 2)];
    if ($file =~ m{^modules/.*\.[ch]$}) {
        my $name = basename($file);
        push @silent, $file unless slurp($file) =~ m{\A/\* SPDX[^\n]*\n/\*\s*(?:\*\s*)?\Q$name\E - \w}s;
    }
}
cmp_ok(scalar(@files), '>', 30, 'sources were found');
rule('every source names its licence in its first lines', @unlicensed);
rule('every file below modules opens with "name - what it answers"', @silent);
ok(slurp('LICENSE') =~ /Apache License\s+Version 2\.0/, 'LICENSE is the Apache License 2.0');
done_testing();
