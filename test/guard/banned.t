#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Nothing that guesses, overruns or waits; no drawers; no notes to self.
use strict;
use warnings;
use Test::More;
use File::Basename qw(basename dirname);
use lib dirname(__FILE__);
use Guard;

my $guesses = qr/\b(atoi|atol|atoll|atof|strtol|strtoul|sscanf|sprintf|vsprintf|strcpy|strcat|strncpy|strncat|strtok|gets|gmtime|localtime|ctime|asctime|alloca|apr_sleep|usleep|sleep)\s*\(/;
my $raw     = qr/(?<![.>\w])(malloc|calloc|realloc|free|strdup|strndup)\s*\(/;
my $drawers = qr/(?:^|_)(?:util|utils|common|misc|helper|helpers|manager)(?:_|\.|$)/;
my $selves  = join '|', 'TO' . 'DO', 'FIX' . 'ME', 'X' . 'XX', 'HA' . 'CK';

# The lines that call what $what names.
sub calls
{
    my ($what, @files) = @_;
    my @found;
    for my $file (@files) {
        my $n = 0;
        for my $line (split /\n/, code(slurp($file))) {
            $n++;
            push @found, "$file:$n calls $1" if $line =~ $what;
        }
    }
    return @found;
}

my @modules = files(qr/\.[ch]$/, 'modules');
my @tools   = files(qr/\.[ch]$/, 'test/sim', 'bench', 'support');
my @ours    = files(qr/\.(?:[chtm4]|pm|pl|sh|am|ac|py|mjs|conf|in)$|^[^.]+$/,
                    qw(modules test build bench conf-examples support));

rule('no banned function in modules', calls($guesses, @modules));
rule('no banned function in the simulator, the load generator and aictl', calls($guesses, @tools));
rule('raw memory only in modules/lib', calls($raw, grep { !m{^modules/lib/} } @modules));

# Behind a trusted proxy that is the proxy's; the caller's is r->useragent_ip (docs/estate.md).
rule('nobody asks for the connection\'s address', calls(qr/->(client_(?:ip|addr))\b/, @modules));

my %seen;
rule('no two sources share a name',
     map { $seen{basename($_)}++ ? $_ : () } grep { m{/[^/]+\.[ch]$} } @modules, @tools);
rule('no drawer: a file is named after its noun',
     grep { basename($_) =~ $drawers } @modules, @tools);

my @notes;
for my $file (grep { -T top() . "/$_" } @ours) {
    my $n = 0;
    for my $line (split /\n/, slurp($file)) {
        $n++;
        push @notes, "$file:$n" if $line =~ /\b(?:$selves)\b(?!\s*(?:=>|is|\|))/ && $line !~ /only TODO|TODO,|->todo/;
    }
}
rule('no notes to self are left', @notes);
done_testing();
