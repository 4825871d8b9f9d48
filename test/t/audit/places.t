#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# places.t - is there one end of each request on a server with much else in it?
#
# mod_unique_id makes ids of requests of which httpd logs something, mod_remoteip knows the caller's address, errors have pages of the site,
# streams share a connection of HTTP/2, one request leads to another one, bytes are no UTF-8.

use strict;
use warnings;

use AuthServer ();
use Digest::SHA qw(sha256);
use Estate qw(neighbour);
use File::Temp qw(tempdir);
use Gate ();
use Keys ();
use Spool ();
use Test::More;

my $folder = tempdir('ai-spool-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $key = Keys::make(user => 'ann');
my $server = AuthServer->new([$key], neighbour('unique_id') . neighbour('remoteip') . <<"END");
AIAuditSpool $folder
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1
AIAudit On
AIAuditHeader X-Odd
ErrorLogFormat "[%L] %M"
LogLevel rewrite:trace2
RewriteEngine On
RewriteRule ^/old/(.*) /v1/\$1 [PT]
Redirect 302 /moved /v1/models
<Location "/v1">
    AIEngine On
    AIRoute * sim
    Require ai-key
    ErrorDocument 401 /page-of-error
    ErrorDocument 405 /v1/models
    ErrorDocument 400 "a text"
</Location>
END

sub ask
{
    my (%o) = @_;
    my $caller = $server->caller;
    my $answer = $caller->request(path => '/v1/chat/completions', body => Gate::chat(), %o,
                                  headers => { Authorization => "Bearer $key->{text}", %{ $o{headers} // {} } });
    $caller->close;
    return $answer;
}

# How many of each there are, and the end.
sub recorded
{
    my ($answer) = @_;
    my $call = Spool::await_call($folder, $answer->{headers}{'x-request-id'});
    return (scalar(@{ $call->{begin} }) . scalar(@{ $call->{end} }), $call->{end}[0]{json}, $call);
}

# A UUID of version 8 made of the text, as docs/audit.md says.
sub uuid_of
{
    my @bytes = unpack('C16', sha256($_[0]));
    $bytes[6] = $bytes[6] & 0x0f | 0x80;
    $bytes[8] = $bytes[8] & 0x3f | 0x80;
    return Spool::uuid(pack('C16', @bytes));
}

my $answer = ask(headers => { 'X-Forwarded-For' => '192.0.2.7' });
my ($n, $end, $call) = recorded($answer);
my $id = $answer->{headers}{'x-request-id'};
is($n, '11', 'a call whose id mod_unique_id makes');
unlike($id, qr/^[0-9a-f]{8}-/, 'that is no UUID');
is($end->{id}, $id, 'it stands in the record');
is($call->{end}[0]{id}, uuid_of($id), 'under a UUID that is made of it');
is($call->{begin}[0]{id}, uuid_of($id), 'both do');
is($end->{address}, '192.0.2.7', 'the address is the caller\'s, not the proxy\'s');

($n, $end) = recorded(ask(headers => { Authorization => 'Bearer sk-none' }));
is("$n $end->{status} $end->{deny}", '01 401 invalid_api_key', 'an error with a page of the site has one end');
($n, $end) = recorded(ask(body => undef));
is("$n $end->{status}", '01 405', 'one whose page is a location of ours, too');
is($end->{path}, '/v1/chat/completions', 'of what was asked');
($n, $end) = recorded(ask(body => '{'));
is("$n $end->{status}", '01 400', 'and one with a text');
($n, $end) = recorded(ask(path => '/old/chat/completions'));
is("$n $end->{status}", '11 200', 'what mod_rewrite leads to us has its pair');

($n, $end) = recorded(ask(headers => { 'X-Odd' => "a\xff\xe2\x82b\"\\" },
                          body => Gate::chat(model => "m\x{e4}\x{1f600}")));
like($end->{headers}{'x-odd'}, qr/^a\x{fffd}/, 'bytes that are no UTF-8 are marked');
is($end->{headers}{'x-odd'}, "a\x{fffd}\x{fffd}\x{fffd}b\"\\", 'each byte, and nothing else');
is($end->{model}, "m\x{e4}\x{1f600}", 'what is UTF-8 is as it was');

# Streams of one connection of HTTP/2.
my $h2 = $server->h2;
my $before = grep { $_->{type} eq 'end' } Spool::records($folder);
my %chat = (path => '/v1/chat/completions', headers => { authorization => "Bearer $key->{text}" });
my @streams = map { $h2->ask(%chat, body => Gate::chat(stream => 1, script => 'tokens=5;gap=5')) } 1 .. 5;
my @answers = map { $h2->finish($_) } @streams;
is(scalar(grep { $_->{status} == 200 && $_->{whole} } @answers), 5, 'five streams of HTTP/2');
my $gone = $h2->ask(%chat, body => Gate::chat(stream => 1, script => 'tokens=500;gap=20'));
$h2->until(sub { $h2->stream($gone)->{body} =~ /data:/ });
$h2->reset($gone);
ok(Gate::await('six ends', sub { $before + 6 <= grep { $_->{type} eq 'end' } Spool::records($folder) }),
   'each has an end, also the one that the caller reset');
my (%begins, %ends);
for my $record (grep { $_->{json} } Spool::records($folder)) {
    ($record->{type} eq 'end' ? \%ends : \%begins)->{ $record->{json}{id} }++;
}
is_deeply([grep { $_ != 1 } values %begins, values %ends], [], 'nothing is there twice');
is_deeply([grep { !$ends{$_} } keys %begins], [], 'nothing has no end');
done_testing();
