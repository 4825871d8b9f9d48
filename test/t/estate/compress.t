#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# compress.t - are whole answers compressed where the site says so, and streams never?
#
# A compressed stream would come in lumps. mod_deflate and mod_brotli, by content type and by force.
# t/core/bodies.t has compressed requests.

use strict;
use warnings;

use Estate;
use Gate ();
use IO::Uncompress::Gunzip ();
use OwnServer ();
use Test::More;

# A stream that the provider stops after five events: what has come then came event by event.
sub is_a_plain_stream
{
    my ($caller, $path, $coding, $what) = @_;
    $caller->ask(path => $path, headers => { 'Accept-Encoding' => $coding, 'X-Sim' => 'stall=5' },
                 body => Gate::chat(stream => 1));
    my $came   = $caller->read_until(qr/(?:"content":"[^"]+".*?){3}/s);
    my $answer = $caller->{answer};
    is($answer->{headers}{'content-encoding'}, undef, "$what: the stream is not compressed");
    ok($came, "$what: it comes while the provider is silent");
    like($answer->{headers}{'content-type'}, qr{^text/event-stream}, "$what: an event stream");
    $caller->close;
    return;
}

sub unpacked
{
    my ($packed) = @_;
    IO::Uncompress::Gunzip::gunzip(\$packed, \my $plain) or return '';
    return $plain;
}

# ---------------------------------------------------------------------------------- mod_deflate

my $caller = Gate::caller_of('h1', 'estate_deflate');
my %gzip   = (headers => { 'Accept-Encoding' => 'gzip', 'X-Sim' => 'tokens=200' });
for my $root ('/v1', '/forced/v1') {
    my $answer = post($caller, "$root/chat/completions", %gzip);
    is($answer->{headers}{'content-encoding'}, 'gzip', "$root: a whole answer is compressed");
    is(Gate::read_chat({ %$answer, body => unpacked($answer->{body}) })->{text}, Gate::words_of_sim(200),
       "$root: and is what the provider said");
    $answer = post($caller, "$root/chat/completions", headers => { 'X-Sim' => 'tokens=3' });
    is($answer->{headers}{'content-encoding'}, undef, "$root: not for who does not ask for it");
    is_a_plain_stream($caller, "$root/chat/completions", 'gzip', $root);
    $answer = post($caller, "$root/chat/completions", %gzip, body => '{');
    my $error = Gate::from_json(($answer->{headers}{'content-encoding'} // '') eq 'gzip'
                                    ? unpacked($answer->{body}) : $answer->{body})->{error};
    is_deeply([$answer->{status}, $error->{code}], [400, 'invalid_json'], "$root: an error can be read");
}
my $answer = $caller->request(path => '/v1/models', headers => { 'Accept-Encoding' => 'gzip' });
like(unpacked($answer->{body}), qr/^\{"object":"list"/, 'our own answers, too');

# ----------------------------------------------------------------------------------- mod_brotli

my $server = OwnServer->new(conf => neighbour('brotli') . own_conf() . <<'END');
<Location /v1>
    AIEngine On
    AIAnonymous On
    AIRoute * sim
    AddOutputFilterByType BROTLI_COMPRESS application/json text/event-stream
</Location>
<Location /forced/v1>
    AIEngine On
    AIAnonymous On
    AIRoute * sim
    SetOutputFilter BROTLI_COMPRESS;DEFLATE
</Location>
END
for my $root ('/v1', '/forced/v1') {
    my $caller = $server->caller;
    my $answer = post($caller, "$root/chat/completions",
                      headers => { 'Accept-Encoding' => 'br', 'X-Sim' => 'tokens=200' });
    is($answer->{headers}{'content-encoding'}, 'br', "brotli, $root: a whole answer is compressed");
    cmp_ok(length $answer->{body}, '<', length Gate::words_of_sim(200), "brotli, $root: it is shorter");
    is_a_plain_stream($caller, "$root/chat/completions", 'br, gzip', "brotli, $root");
}
$server->stop;
done_testing();
