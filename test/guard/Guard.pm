# SPDX-License-Identifier: Apache-2.0
# Guard - which files does the project have, and what do they say?  For the guards beside this file.
package Guard;

use strict;
use warnings;

use Exporter qw(import);
use File::Basename qw(basename dirname);
use File::Find ();

our @EXPORT = qw(top build files slurp code rule env_words);

sub top   { return $ENV{AI_TOP_SRCDIR}   // die "AI_TOP_SRCDIR is not set; run make check\n" }
sub build { return $ENV{AI_TOP_BUILDDIR} // die "AI_TOP_BUILDDIR is not set; run make check\n" }

# The files below the folders whose names match, as paths from the top, sorted.
sub files
{
    my ($match, @folders) = @_;
    my @found;
    for my $folder (grep { -d top() . "/$_" } @folders) {
        File::Find::find({ no_chdir => 1, wanted => sub {
            if (-d $_ && /\/(?:node_modules|__pycache__|\.venv|out|aux|\.libs|\.deps|\.git|autom4te\.cache)$/) {
                $File::Find::prune = 1;
                return;
            }
            my $path = substr($File::Find::name, length(top()) + 1);
            push @found, $path if -f $_ && $path =~ $match;
        } }, top() . "/$folder");
    }
    return sort @found;
}

sub slurp
{
    my ($path) = @_;
    my $file = $path =~ m{^/} ? $path : top() . "/$path";
    open(my $fh, '<', $file) or die "$file: $!\n";
    local $/ = undef;
    my $text = <$fh>;
    close($fh);
    return $text;
}

# C with comments, and the insides of strings, blanked; lines keep their numbers.
sub code
{
    my ($text) = @_;
    my $blank = sub { my $s = shift; $s =~ s/[^\n]/ /g; return $s };
    $text =~ s{(/\*.*?\*/|//[^\n]*)|"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)+)'}{
        defined $1 ? $blank->($1) : defined $2 ? '"' . $blank->($2) . '"' : "'" . $blank->($3) . "'"
    }gse;
    return $text;
}

# One test: passes when nobody breaks the rule; otherwise says who does.
sub rule
{
    my ($name, @breaches) = @_;
    Test::More::ok(!@breaches, $name);
    Test::More::diag("  $_") for @breaches;
    return !@breaches;
}

sub env_words { return split ' ', ($ENV{$_[0]} // die "$_[0] is not set; run make check\n") }

1;
