#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# heads.t - what comes of a key in a head that no module is asked about, since httpd refuses it?
#
# Too long a line or header, a broken one, a method that does not exist: httpd answers by itself. The
# answer is the gateway's JSON all the same, and neither a log nor mod_status's page has the key.

use strict;
use warnings;

use AuthServer ();
use Gate ();
use Keys ();
use Test::More;

my $good   = Keys::make(name => 'ada');
my $paged  = OwnServer::free_port();
my $server = AuthServer->new([$good], <<"END");
LogLevel trace8 http2:info
LogFormat "%r|%U|%q|%{Authorization}i|%{x-api-key}i|%{X-Any}i" everything
CustomLog everything_log everything
<Location /v1>
    AIEngine On
    Require ai-key
    AIRoute * sim
</Location>
<Location /server-status>
    SetHandler server-status
</Location>
Listen 127.0.0.1:$paged
<VirtualHost 127.0.0.1:$paged>
    ErrorDocument 400 /page
    ErrorDocument 414 /page
</VirtualHost>
END

my $text   = $good->{text};
my $secret = substr($text, 19, 11);
my $filler = 'x' x 9000;
my $chat   = '/v1/chat/completions';
my $shown  = 0;
# Name, status, the head as it is sent.
my @heads = (
    ['a header of 1 MB',        400, "POST $chat HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer $text" . 'x' x 1048576 . "\r\n\r\n"],
    ['a line too long',         414, "POST $chat?key=$text&a=$filler HTTP/1.1\r\nHost: h\r\n\r\n"],
    ['another header too long', 400, "POST $chat?key=$text HTTP/1.1\r\nHost: h\r\nx-api-key: $text\r\nX-Any: $filler\r\n\r\n"],
    ['a header that is none',   400, "POST $chat?key=$text HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer $text\r\n$text\r\n\r\n"],
    ['too many headers',        400, "POST $chat?key=$text HTTP/1.1\r\nHost: h\r\nx-api-key: $text\r\n" . join('', map { "X-$_: 1\r\n" } 1 .. 120) . "\r\n"],
    ['no host',                 400, "POST $chat?key=$text HTTP/1.1\r\nx-api-key: $text\r\n\r\n"],
    ['a bad method',            400, "P\@ST $chat?key=$text HTTP/1.1\r\nHost: h\r\nx-api-key: $text\r\n\r\n"],
    ['no protocol',             400, "POST $chat?key=$text HTCPCP/1.0\r\nHost: h\r\nx-api-key: $text\r\n\r\n"],
    ['a control character',     400, "POST $chat?key=$text\x01 HTTP/1.1\r\nHost: h\r\nx-api-key: $text\r\n\r\n"],
    ['a coding it cannot read', 400, "POST $chat?key=$text HTTP/1.1\r\nHost: h\r\nx-api-key: $text\r\nTransfer-Encoding: rot13\r\n\r\n"],
);
# One that says its name, and what is sent then.
sub begin
{
    my ($caller, $method, $bytes) = @_;
    $caller->ask(path => '/', method => 'HEAD'); # the socket is there, and answers
    $caller->finish;
    @$caller{qw(method answer)} = ($method, undef);
    $caller->send_raw($bytes);
    return;
}

for my $case (@heads, map { [@$_, $paged] } @heads) {
    my ($name, $status, $head, $port) = @$case;
    # It keeps a thread busy, so that the page is not made by the one whose last request it shall show.
    my $watch = $server->caller;
    begin($watch, 'GET', "GET /server-status HTTP/1.1\r\nHost: h\r\n");
    my $caller = $port ? Gate::Socket->new(port => $port, tls => 0) : $server->caller;
    $name .= ', with a page for it' if $port;
    begin($caller, 'POST', $head);
    my $answer = eval { $caller->finish };
    diag("$name: ", explain($answer)) if !$answer || $answer->{status} != $status;
    is($answer->{status}, $status, "$name: $status");
    is(index($answer->{body}, $secret), -1, "$name: the key does not come back");
    $watch->send_raw("\r\n");
    my $page = $watch->finish->{body};
    is(index($page, $secret), -1, "$name: nor is it on the status page") or diag(grep { /$secret/ } $page =~ /^.*$/mg);
    $shown += $page =~ m{P[O@]ST \Q$chat\E};
    next if $status == 414 || $port; # no path was read, so nobody knows whose it is
    is($answer->{headers}{'content-type'}, 'application/json', "$name: JSON");
    is((eval { Gate::from_json($answer->{body})->{error}{type} }) // '', 'invalid_request_error', "$name: in the caller's dialect");
}
cmp_ok($shown, '>', @heads / 2, 'the page does show such requests');
$server->stop;
for my $log (qw(error_log access_log everything_log)) {
    my $said = $server->read_file($log);
    cmp_ok(scalar(() = $said =~ /\n/g), '>=', scalar(@heads), "$log has its lines");
    is(index($said, $secret), -1, "$log holds no key")
        or diag(grep { /$secret/ } $said =~ /^.*$/mg);
}
done_testing();
