#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Does test/run_tests count what fails, what is skipped and what never ran?
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use lib dirname(__FILE__);
use Guard;

my $run = top() . '/test/run_tests';

# Runs run_tests over a tree whose only guard is the given one; returns its last line and status.
sub count
{
    my ($program, @more) = @_;
    my $dir = tempdir(CLEANUP => 1);
    make_path("$dir/test/guard", "$dir/test/fuzz/corpus/x");
    open(my $fh, '>', "$dir/test/guard/one.t") or die "$dir: $!\n";
    print $fh $program;
    close($fh);
    local @ENV{qw(AI_TOP_SRCDIR AI_TOP_BUILDDIR)} = ($dir, $dir);
    local $ENV{AI_HTTPD} = '/bin/true';
    local $ENV{AI_ASAN}  = 'no';
    delete local $ENV{AI_SUMMARY_FILE};
    my $out    = `$^X $run @more 2>/dev/null </dev/null`;
    my $status = $? >> 8;
    my ($last) = $out =~ /([^\n]*)\n\z/;
    return ($last // '') . ", status $status";
}

sub is_counted
{
    my ($program, $want, $name) = @_;
    like(count($program, '--only', 'guard'), ref $want ? $want : qr/^\Q$want\E$/, $name);
    return;
}

is_counted('print "ok 1\nok 2\n1..2\n"', '2 passed, 0 failed, status 0', 'two that pass');
is_counted('print "ok 1\nnot ok 2\n1..2\n"', '1 passed, 1 failed, status 1', 'one that fails');
is_counted('print "1..0 # SKIP no httpd\n"', '0 passed, 1 failed, status 1', 'a skipped file');
is_counted('print "ok 1\nok 2 # SKIP no tls\n1..2\n"', '1 passed, 1 failed, status 1', 'a skipped test');
my $nothing_but_failures = qr/^0 passed, [1-9] failed, status 1$/;
is_counted('print "not ok 1 # TO', $nothing_but_failures, 'a file that does not compile');
is_counted('print "ok 1\nnot ok 2 # " . "TO" . "DO later\n1..2\n"', '1 passed, 1 failed, status 1',
           'a test put off');
is_counted('print "ok 1\n1..2\n"', '1 passed, 1 failed, status 1', 'fewer than planned');
is_counted('print "ok 1\n"', '1 passed, 1 failed, status 1', 'no plan');
is_counted('print "ok 1\n1..1\n"; exit 3', '1 passed, 1 failed, status 1', 'a bad end');
is_counted('$| = 1; print "ok 1\n1..1\n"; kill 9, $$', '1 passed, 1 failed, status 1', 'a violent end');
is_counted('', $nothing_but_failures, 'a file that says nothing');
{
    local $ENV{AI_UNIT_PROGRAMS} = '';
    local $ENV{AI_FUZZ_PROGRAMS} = 'fuzz_x';
    is(count('', '--only', 'unit'), '0 passed, 1 failed, status 1', 'a suite without programs');
    is(count('', '--only', 'fuzz'), '0 passed, 1 failed, status 1', 'a fuzz target without seeds');
    is(count('', '--only', 'clients'), '0 passed, 1 failed, status 1', 'a suite that is not there');
}

# The scan of httpd's log.
my $log = tempdir(CLEANUP => 1) . '/error_log';
for my $bad ('AH00052: child pid 7 exit signal Segmentation fault (11)', 'x.c:1:2: runtime error: null',
             '==7==ERROR: AddressSanitizer: heap-use-after-free', 'free(): invalid pointer',
             'pool concurrency check: pool 0x1', 'Assertion `x\' failed.') {
    open(my $fh, '>', $log) or die "$log: $!\n";
    print $fh "all is well\n$bad\n";
    close($fh);
    my $said = `$^X -e 'require shift; scan_log(shift)' $run $log 2>&1`;
    like($said, qr/^not ok/m, "the log scan sees: $bad");
}
open(my $fh, '>', $log) or die "$log: $!\n";
print $fh "[core:error] nothing but an ordinary error\n";
close($fh);
unlike(`$^X -e 'require shift; scan_log(shift)' $run $log 2>&1`, qr/^not ok/m,
       'the log scan leaves ordinary errors alone');
done_testing();
