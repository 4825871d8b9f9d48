#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Does a module export its record only, and lean on no symbol of mod_proxy?
use strict;
use warnings;
use Test::More;
use File::Basename qw(basename dirname);
use lib dirname(__FILE__);
use Guard;

my @modules = glob(build() . '/modules/.libs/mod_ai*.so');
cmp_ok(scalar(@modules), '>=', 2, 'modules are built');

# What the core offers to others, as its public header says.
my %offered;
my $header = code(slurp('modules/core/mod_ai.h'));
while ($header =~ /^[^\n;#{}]*\bAI_EXPORT\b[^;{}]*?(\w+)\s*\(/mg) {
    $offered{$1} = 1;
}

sub symbols
{
    my ($which, $file) = @_;
    my @lines = `nm -D --$which-only $file`;
    is($?, 0, "nm reads $which symbols of " . basename($file));
    # Sanitizers bring names with two underscores.
    return grep { !/^__/ } map { /(\w+)(?:\@\S+)?$/ ? $1 : () } @lines;
}

my %of_httpd = map { $_ => 1 }
    symbols('defined', $ENV{AI_HTTPD_PROGRAM} // die "AI_HTTPD_PROGRAM is not set; run make check\n");

for my $file (@modules) {
    my $name   = basename($file, '.so') =~ s/^mod_//r;
    my $record = "${name}_module";
    my %defined = map { $_ => 1 } symbols('defined', $file);
    ok($defined{$record}, "$name exports its record");
    delete $defined{$record};
    if ($name eq 'ai') {
        delete $defined{$_} for keys %offered;
    }
    rule("$name exports nothing else", sort keys %defined);
    my @undefined = symbols('undefined', $file);
    rule("$name needs nothing of mod_proxy or another module: httpd itself has every ap_ name",
         grep { /^(?:ap_|proxy_|ssl_)/ && !$of_httpd{$_} } @undefined);
    rule("$name needs no symbol of another module of ours", grep { /^ai_/ } @undefined);
}
done_testing();
