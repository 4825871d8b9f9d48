#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Does every file in conf-examples start a server, and does it answer?
use strict;
use warnings;
use Test::More;
use File::Basename qw(basename dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use lib dirname(__FILE__);
use Guard;

my @examples = files(qr/\.conf$/, 'conf-examples');
my $tools = top() . '/build';
# Never ask a real provider from a test.
delete $ENV{OPENAI_API_KEY};

sub free_port
{
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1)
        or die "no free port: $!\n";
    return $socket->sockport;
}

cmp_ok(scalar(@examples), '>', 0, 'there are examples');
for my $example (@examples) {
    my $name = basename($example);
    my $path = top() . "/$example";
    my @lines = split /\n/, slurp($example);
    # everything.conf is no model for anybody: it grows with every directive.
    cmp_ok(scalar(@lines), '<=', $name eq 'everything.conf' ? 300 : 66, "$name is at most a page");
    like(join("\n", @lines[0 .. 5]), qr/^# \Q$name\E - \w/m, "$name says first what it shows");
    my $run = $name eq 'quickstart.conf' ? './build/run' : "./build/run --conf $example";
    like(join("\n", @lines), qr/^#\s+\Q$run\E$/m, "$name says how to start it");

    my $rundir = tempdir(CLEANUP => 1);
    my $port   = free_port();
    my $said   = `$tools/serve start $rundir $port $path 2>&1`;
    ok($? == 0, "$name starts") or diag($said);
    if ($? == 0) {
        $said = `$tools/chat $rundir $port $path 2>&1`;
        ok($? == 0, "$name answers a streamed chat") or diag($said);
    }
    $said = `$tools/serve stop $rundir 2>&1`;
    ok($? == 0, "$name stops") or diag($said);
    my $log = -f "$rundir/error_log" ? slurp("$rundir/error_log") : '';
    unlike($log, qr/Segmentation fault|exit signal|AddressSanitizer|runtime error:|:(?:error|crit|alert|emerg)\]/,
           "the log of $name tells of no error");
}
done_testing();
