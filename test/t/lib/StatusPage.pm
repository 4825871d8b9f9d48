# SPDX-License-Identifier: Apache-2.0
#
# StatusPage - what does mod_status's page say of the gateway?
#
#   my $seen = StatusPage::values_of($server);     # an OwnServer; { 'AIRequests' => 3, ... }
#   StatusPage::await($server, 'three requests', sub { $_[0]{AIRequests} == 3 });
#
# A request is counted when httpd logs it, which is after its caller has read the answer; so who
# wants exact counts awaits them.

package StatusPage;

use strict;
use warnings;

use Gate ();

sub text_of
{
    my ($server, $query) = @_;
    my $answer = $server->caller->request(path => '/server-status' . ($query ? "?$query" : ''));
    die "server-status: $answer->{status}\n" if $answer->{status} != 200;
    return $answer->{body};
}

# The lines of ?auto that are ours. Dies when one is no "name: number", or comes twice.
sub values_of
{
    my ($server) = @_;
    my %values;
    for my $line (grep { /^AI/ } split /\n/, text_of($server, 'auto')) {
        my ($name, $value) = $line =~ /^(AI[A-Za-z0-9]+(?:\[[\w.()\/-]+\][A-Za-z0-9]*)?): (\d+)$/
            or die "no such line: $line\n";
        die "$name comes twice\n" if exists $values{$name};
        $values{$name} = $value;
    }
    return \%values;
}

# The values once they are as they should be; dies with what they are when they never are.
sub await
{
    my ($server, $what, $until) = @_;
    my $values;
    return eval { Gate::await($what, sub { $values = values_of($server); return $until->($values) ? $values : undef }) }
        // die "$@", map { "  $_: $values->{$_}\n" } sort keys %{ $values // {} };
}

# The rows of a table of the page, each a list of the texts of its cells.
sub rows_of
{
    my ($html) = @_;
    return map { [ map { s/<[^>]*>//gr } m{<t[hd][^>]*>(.*?)</t[hd]>}gs ] } $html =~ m{<tr>(.*?)</tr>}gs;
}

1;
