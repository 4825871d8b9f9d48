#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Does every file include only its own room and lower ones?
#   lib < dialects < core's public headers < the rooms of the modules
use strict;
use warnings;
use Test::More;
use File::Basename qw(basename dirname);
use lib dirname(__FILE__);
use Guard;

# What a stage module may see of the core; everything else in core/ is its own.
my %public = map { $_ => 1 } qw(mod_ai.h ai_conf.h ai_segment.h ai_thread.h);
my %generated = ('ai_dialects.inc' => 'dialects', 'ai_models.inc' => 'lib', 'ai_prices.inc' => 'lib', 'ai_version.h' => 'lib');

sub room { return (split m{/}, $_[0])[1] }
sub level
{
    my ($room) = @_;
    return { lib => 0, dialects => 1, stores => 1, core => 2 }->{$room} // 3;
}

my @sources = files(qr/\.[ch]$/, 'modules');
my %room_of = (%generated, map { basename($_) => room($_) } grep { /\.h$/ } @sources);
my (@httpd_below, @upward, @private, @other_room, @unknown);

sub folders
{
    my $flags = join ' ', env_words($_[0]);
    return $flags =~ /-(?:I|isystem)\s*(\S+)/g;
}
my ($httpd_dir) = folders('AI_HTTPD_CPPFLAGS');
my @apr_dirs    = folders('AI_PURE_CPPFLAGS');

for my $file (@sources) {
    my $room = room($file);
    my $line = 0;
    for my $text (split /\n/, slurp($file)) {
        $line++;
        next unless $text =~ /^\s*#\s*include\s*([<"])([^>"]+)[>"]/;
        my ($kind, $name) = ($1, basename($2));
        my $where = "$file:$line includes $name";
        if (defined $room_of{$name}) {
            my $other = $room_of{$name};
            push @upward, $where if level($other) > level($room);
            push @private, $where
                if $other eq 'core' && $room ne 'core' && !$public{$name};
            push @other_room, $where if level($other) == 3 && $other ne $room;
            next;
        }
        my $of_httpd = -f "$httpd_dir/$name" && !grep { -f "$_/$name" } @apr_dirs;
        push @httpd_below, $where if $of_httpd && level($room) < 2;
        push @unknown, $where if $kind eq '"' && !$of_httpd;
    }
}

cmp_ok(scalar(@sources), '>', 10, 'there are sources to look at');
rule('lib and dialects include no httpd header', @httpd_below);
rule('nothing includes upward', @upward);
rule("modules include only the core's public headers (@{[sort keys %public]})", @private);
rule("no module includes another module's room", @other_room);
rule('quoted includes are ours or httpd\'s', @unknown);
done_testing();
