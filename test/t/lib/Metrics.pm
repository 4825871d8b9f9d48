# SPDX-License-Identifier: Apache-2.0
#
# Metrics - what does the handler ai-metrics say?
#
#   my $seen = Metrics::read_from($server);        # an OwnServer that has it at /metrics
#   $seen->sum('ai_requests_total', outcome => 'answer');
#   Metrics::await($server, 'three requests', sub { $_[0]->sum('ai_requests_total') == 3 });
#
# A text that is not as Prometheus wants it kills the test: a line of no form, a sample of no metric
# or outside of it, one that is there twice, a label without a value.

package Metrics;

use strict;
use warnings;

use Gate ();

my %suffix = (counter => [''], gauge => [''], histogram => [qw(_bucket _sum _count)]);

sub parse
{
    my ($class, $text) = @_;
    my $self = bless { type => {}, samples => [] }, $class;
    my ($metric, %there);
    die "the last line has no end\n" if $text !~ /\n\z/;
    for my $line (split /\n/, $text) {
        if ($line =~ /^# TYPE (\w+) (counter|gauge|histogram)$/) {
            die "$1 is there twice\n" if $self->{type}{$1};
            $metric = $1;
            $self->{type}{$1} = $2;
        }
        elsif ($line !~ /^# HELP \w+ \S/) {
            my ($name, $braces, $labels, $value) = $line =~ /^(\w+)(\{(.*)\})? (-?\d+(?:\.\d+)?)$/ or die "no such line: $line\n";
            die "$name is not of " . ($metric // 'any metric') . "\n"
                if !grep { $name eq ($metric // '') . $_ } @{ $suffix{ $self->{type}{$metric // ''} // '' } // [] };
            my %label;
            while (defined $labels && $labels =~ /\G(\w+)="((?:[^"\\]|\\["\\n])+)"(?:,(?=\w)|$)/gc) {
                die "$1 is there twice: $line\n" if exists $label{$1};
                $label{$1} = $2;
            }
            die "no labels: $line\n" if defined $labels && ((pos($labels) // 0) != length $labels || !%label);
            die "twice: $line\n" if $there{ "$name " . join(' ', map { "$_=$label{$_}" } sort keys %label) }++;
            push @{ $self->{samples} }, { name => $name, labels => \%label, value => $value };
        }
    }
    return $self;
}

sub answer_of
{
    my ($server, %more) = @_;
    return $server->caller->request(path => '/metrics', %more);
}

sub read_from
{
    my ($server) = @_;
    my $answer = answer_of($server);
    die "/metrics: $answer->{status}\n" if $answer->{status} != 200 || !$answer->{whole};
    return Metrics->parse($answer->{body});
}

# The samples of a name with these labels, others as they like.
sub samples
{
    my ($self, $name, %label) = @_;
    return grep {
        my $sample = $_;
        $sample->{name} eq $name
            && !grep { ($sample->{labels}{$_} // '') ne $label{$_} } keys %label;
    } @{ $self->{samples} };
}

sub sum
{
    my ($self, @what) = @_;
    my $sum = 0;
    $sum += $_->{value} for $self->samples(@what);
    return $sum;
}

# The values that a label has anywhere.
sub values_of
{
    my ($self, $label) = @_;
    my %values = map { defined $_->{labels}{$label} ? ($_->{labels}{$label} => 1) : () } @{ $self->{samples} };
    return sort keys %values;
}

# The metrics once they are as they should be.
sub await
{
    my ($server, $what, $until) = @_;
    my $seen;
    return eval { Gate::await($what, sub { $seen = read_from($server); return $until->($seen) ? $seen : undef }) }
        // die "$@", map { my $l = $_->{labels}; "  $_->{name} " . join(',', map { "$_=$l->{$_}" } sort keys %$l) . " $_->{value}\n" }
                     grep { $_->{name} =~ /^ai_/ && $_->{name} !~ /_bucket/ } @{ $seen->{samples} };
}

1;
