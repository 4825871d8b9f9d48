#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# long.t - what is kept of long prompts and answers, and does that take memory of their length?
#
# Few calls, since each look into the spool reads all of it.

use strict;
use warnings;

use AuthServer ();
use Digest::SHA qw(sha256_hex);
use File::Temp qw(tempdir);
use Gate ();
use Keys ();
use Spool ();
use Test::More;

my $folder = tempdir('ai-spool-XXXXXX', TMPDIR => 1, CLEANUP => 1) . '/spool';
my %key = map { $_ => Keys::make(user => "u-$_", tenant => $_) } qw(full red meta);
my $server = AuthServer->new([values %key], <<"END");
AIAuditSpool $folder
AIAudit On
AIAuditBody full "expr=%{note:ai-tenant} == 'full'"
AIAuditBody redacted "expr=%{note:ai-tenant} == 'red'"
<Location "/v1">
    AIEngine On
    AIRoute * sim
    Require ai-key
    AIAuditBodyLimit 200k
</Location>
<Location "/big/v1">
    AIEngine On
    AIRoute * sim
    Require ai-key
    AIAuditBodyLimit 16m
</Location>
END

sub joined { return join('', map { $_->{body} } @{ $_[0] // [] }) }

# A call: what came, what was sent, what is kept of both, and what the end says.
sub recorded
{
    my ($who, %o) = @_;
    my $caller = $server->caller;
    my $sent = Gate::chat(%o);
    my $answer = $caller->request(path => $o{path} // '/v1/chat/completions', body => $sent,
                                  headers => { Authorization => "Bearer $key{$who}{text}" });
    $caller->close;
    my $call = Spool::await_call($folder, $answer->{headers}{'x-request-id'});
    return ($answer, $sent, joined($call->{16}), joined($call->{17}), $call->{end}[0]{json});
}

# Without a diff that fills the screen.
sub same
{
    my ($got, $want, $what) = @_;
    return ok(defined $got && $got eq $want, $what) || diag(length($got // ''), ' bytes, not ', length $want);
}

my $mail = 'somebody.with.a.long.name@example.org';
my @some = (stream => 1, script => 'tokens=400;size=900');
my ($answer, $sent, $prompt, $kept, $end) = recorded('full', @some);
same($kept, substr($answer->{body}, 0, 200 << 10), 'of one longer than AIAuditBodyLimit the beginning is kept');
is_deeply([@{ $end->{answer} }{qw(bytes sha256 lost)}], [length $answer->{body}, sha256_hex($answer->{body}), 'limit'],
          'the end says so, and has length and digest of all of it');
($answer, $sent, $prompt, $kept, $end) = recorded('full', text => 'y' x 300_000);
same($prompt, substr($sent, 0, 200 << 10), 'the same of a prompt');
is($end->{prompt}{lost}, 'limit', 'which says so');
($answer, $sent, $prompt, $kept, $end) = recorded('red', @some);
is($end->{answer}{lost}, 'limit', 'a redacted stream that is too long is cut');
cmp_ok(length $kept, '<=', 200 << 10, 'to what the limit allows');
cmp_ok(length $kept, '>', 100_000, 'and not to nothing');
# What stood before a cut may be the beginning of a secret, in each of the answers.
sub texts
{
    my ($stream, $limit) = @_;
    my ($held, @texts) = (0);
    while ($stream =~ /^data: (\{.*)$/mg) {
        my $choice = Gate::from_json($1)->{choices}[0];
        my $text = $choice->{delta}{content} // next;
        $held += length(Gate::to_json([$text])) - 2;
        last if $held > $limit;
        $texts[$choice->{index}] .= $text;
    }
    return @texts;
}
($answer, $sent, $prompt, $kept, $end) = recorded('red', @some, more => { n => 2 });
sub lacks_its_end
{
    my ($whole, $what) = @_;
    my ($raw) = $kept =~ /"content":"((?:[^"\\]++|\\.)*+)/;
    my $text = Gate::from_json("[\"$raw\"]")->[0];
    my $less = length($whole) - length($text);
    return ok($less >= 200 && $less <= 320 && substr($whole, 0, length $text) eq $text, $what) || diag("$less less");
}
lacks_its_end((texts($answer->{body}, 200 << 10))[0], 'of each text that was cut the end is left out');
($answer, $sent, $prompt, $kept, $end) = recorded('red', stream => 1, script => 'tokens=40;size=50;cut=30');
lacks_its_end((texts($answer->{body}, 200 << 10))[0], 'also where the stream broke off');
($answer, $sent, $prompt, $kept, $end) = recorded('red', text => "$mail " x 8_000);
is($end->{prompt}{lost}, 'limit', 'so is a prompt');
like($prompt, qr/^\{.{20,100}\[email\] \[email\] (?:\[email\] )*\S{0,40}\z/s, 'which has no address in it either');
unlike($prompt, qr/example/, 'not at the cut');

# What the one child has held at most, in KB.
sub peak
{
    my $status = do { local (@ARGV, $/) = ("/proc/@{[ $server->children ]}/status"); <> };
    return $status =~ /VmHWM:\s+(\d+)/ ? $1 : die "no VmHWM\n";
}

my @long = (stream => 1, script => 'tokens=6000;size=900');
recorded('meta', @long, path => '/big/v1/chat/completions');
my $before = peak();
($answer, $sent, $prompt, $kept, $end) = recorded('full', @long, path => '/big/v1/chat/completions');
cmp_ok(length $answer->{body}, '>', 5_000_000, 'an answer of more than 5 MB');
same($kept, $answer->{body}, 'is kept as a whole');
is($end->{answer}{sha256}, sha256_hex($answer->{body}), 'its digest is right');
cmp_ok(peak() - $before, '<', 2048, 'and takes no memory of its size');

done_testing();
