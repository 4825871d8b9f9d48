#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Does every log line carry a number of its own, from its room's range?
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use lib dirname(__FILE__);
use Guard;

my %range = (core => '01', auth => '02', ratelimit => '03', cache => '04', route => '05',
             audit => '06', guard => '07', context => '08', prompt => '09', status => '10',
             dialects => '11', stores => '12');
my (%at, @twice, @range, @form, @bare, @trace);

for my $file (files(qr/\.[ch]$/, 'modules')) {
    my $room = (split m{/}, $file)[1];
    my $text = slurp($file);
    my $code = code($text);
    while ($code =~ /\bAI_LOGNO\s*\(\s*(\w+)\s*\)/g) {
        my ($number, $where) = ($1, "$file:" . (1 + (substr($code, 0, $-[0]) =~ tr/\n//)));
        next if substr($code, 0, $-[0]) =~ /#\s*define\s*$/;
        push @form, "$where AI_LOGNO($number)" if $number !~ /^\d{4}$/;
        push @twice, "$where AI_LOGNO($number), also at $at{$number}" if $at{$number};
        push @range, "$where AI_LOGNO($number) is not $range{$room}xx"
            if $range{$room} && $number !~ /^$range{$room}/;
        $at{$number} //= $where;
    }
    while ($code =~ /\bap_log_[a-z]*error\s*\(\s*APLOG_MARK\s*,\s*([^,]+),([^;]*?)"/g) {
        my ($level, $before) = ($1, $2);
        my $where = "$file:" . (1 + (substr($code, 0, $-[0]) =~ tr/\n//));
        my $has = $before =~ /AI_LOGNO/;
        push @trace, $where if $has && $level =~ /APLOG_TRACE/;
        push @bare, $where if !$has && $level !~ /APLOG_TRACE/;
    }
}

cmp_ok(scalar(keys %at), '>', 0, 'there are log numbers');
rule('numbers have four digits', @form);
rule('no number is used twice', @twice);
rule('numbers are from the range of their room', @range);
rule('every line from debug up has a number', @bare);
rule('trace lines have none', @trace);
done_testing();
