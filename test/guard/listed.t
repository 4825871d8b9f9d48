#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Is every source built, every test run, every piece tested?
use strict;
use warnings;
use Test::More;
use File::Basename qw(basename dirname);
use lib dirname(__FILE__);
use Guard;

my %makefile;

sub unlisted
{
    my ($makefile, @files) = @_;
    my $text = $makefile{$makefile} //= slurp($makefile) =~ s/^\s*#.*$//mgr;
    my $base = dirname($makefile);
    return grep { my $name = substr($_, length($base) + 1); $text !~ m{(?<![\w/.-])\Q$name\E(?![\w.-])} } @files;
}

my @modules  = files(qr/\.[ch]$/, 'modules');
my @units    = files(qr/\.c$/, 'test/unit');
my @dialects = grep { m{/dialect_\w+\.c$} } @modules;

rule('every file below modules is in modules/Makefile.am', unlisted('modules/Makefile.am', @modules));
rule('every file of the simulator, the unit tests and the fuzz replay is in test/Makefile.am',
     unlisted('test/Makefile.am', files(qr/\.[ch]$/, qw(test/sim test/unit test/fuzz))));
rule('every file of aictl is in support/Makefile.am',
     unlisted('support/Makefile.am', files(qr/\.[ch]$/, 'support')));
rule('every file of the load generator is in bench/Makefile.am',
     unlisted('bench/Makefile.am', files(qr/\.[ch]$/, 'bench')));

my %run = map { $_ => 1 } env_words('AI_UNIT_PROGRAMS'), env_words('AI_FUZZ_PROGRAMS');
rule('every unit test runs',
     grep { !$run{ basename($_, '.c') } } grep { m{/test_\w+\.c$} } @units);
rule('every fuzz target is replayed',
     grep { !$run{ basename($_, '.c') } } files(qr{/fuzz_\w+\.c$}, 'test/fuzz'));

my ($list) = slurp('modules/Makefile.am') =~ /^AI_DIALECTS\s*=((?:.*\\\n)*.*)$/m;
rule('every dialect is in AI_DIALECTS',
     grep { my $name = basename($_); $list !~ m{dialects/\Q$name\E} } @dialects);
my %unit = map { basename($_) => 1 } @units;
rule('every dialect has a unit test', grep { !$unit{'test_' . basename($_)} } @dialects);
cmp_ok(scalar(@dialects), '>', 0, 'there is a dialect');

# A suite in a folder that run_tests does not know would never run.
my %known = map { $_ => 1 } qw(unit guard fuzz aictl t);
rule('every .t file lies where run_tests looks',
     grep { !$known{ (split m{/})[1] } } files(qr/\.t$/, 'test'));
done_testing();
