#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# remoteip.t - behind a trusted proxy, is the caller's address the caller's, everywhere?
#
# In the access log, in notes, in expressions, in Require and in the error log; by the header, and by
# the PROXY protocol. A header of somebody who is not trusted counts for nothing.

use strict;
use warnings;

use Estate;
use Gate ();
use OwnServer ();
use Test::More;

my ($trusted, $stranger, $wire) = map { OwnServer::free_port() } 1 .. 3;
my $api = <<'END';
    LogLevel ai:info
    LogFormat "%L %a %{c}a %{ai-label}n" places
    CustomLog places_log places
    <Location /v1>
        AIEngine On
        AIAnonymous On
        AIRoute * sim
        AINote ai-label "%{REMOTE_ADDR}"
    </Location>
    <Location /near/v1>
        AIEngine On
        AIAnonymous On
        AIRoute * sim
        Require ip 203.0.113.0/24 2001:db8::/64
    </Location>
    <Location /by-address/v1>
        AIEngine On
        AIRoute * sim
        AINote ai-key-id "%{base64:%{REMOTE_ADDR}}"
    </Location>
END
my $server = OwnServer->new(conf => neighbour('remoteip') . own_conf() . <<"END");
Listen 127.0.0.1:$trusted
<VirtualHost *:$trusted>
    RemoteIPHeader X-Forwarded-For
    RemoteIPInternalProxy 127.0.0.1
$api
</VirtualHost>
Listen 127.0.0.1:$stranger
<VirtualHost *:$stranger>
    RemoteIPHeader X-Forwarded-For
    RemoteIPInternalProxy 10.9.8.7
$api
</VirtualHost>
Listen 127.0.0.1:$wire
<VirtualHost *:$wire>
    RemoteIPProxyProtocol On
$api
</VirtualHost>
END

# Address, the connection's address and the note of the request that was answered so.
sub places
{
    my ($answer) = @_;
    my $id = $answer->{headers}{'x-request-id'} // 'none';
    return Gate::await("the log line of $id", sub {
        return (map { /^\Q$id\E (.*)/ ? [split ' ', $1] : () } split /\n/, $server->read_file('places_log'))[0];
    });
}

sub caller_from
{
    my ($port) = @_;
    return Gate::Socket->new(port => $port, tls => 0);
}

# -------------------------------------------------------------------------------- the header

for my $address ('203.0.113.7', '2001:db8::7') {
    my %from   = (headers => { 'X-Forwarded-For' => $address });
    my $answer = post(caller_from($trusted), '/v1/chat/completions', %from);
    is_served($answer, "behind a trusted proxy, $address");
    is_deeply(places($answer), [$address, '127.0.0.1', $address],
              "$address: log and note have it, beside the connection's");
    is_served(post(caller_from($trusted), '/near/v1/chat/completions', %from), "$address: Require ip");
    $answer = post(caller_from($trusted), '/v1/chat/completions', %from, body => '{');
    is_refused($answer, 400, 'invalid_json', "$address, an error");
    like($server->read_file('error_log'), qr/\[client \Q$address\E(?::\d+)?\] AI0103/, 'in the error log, too');
}
is_refused(post(caller_from($trusted), '/near/v1/chat/completions', headers => { 'X-Forwarded-For' => '198.51.100.1' }),
           403, 'permission_denied', 'Require ip refuses another address');
is_refused(post(caller_from($trusted), '/near/v1/chat/completions'), 403, 'permission_denied',
           'and that of the proxy itself');
is_served(post(caller_from($trusted), '/by-address/v1/chat/completions'), 'an identity made of the address');

my $answer = post(caller_from($trusted), '/v1/chat/completions',
                  headers => { 'X-Forwarded-For' => '203.0.113.7', 'X-Sim' => 'echo=1' });
my $echo = Gate::from_json($answer->{body})->{choices}[0]{message}{content};
unlike($echo, qr/203\.0\.113\.7|forwarded/i, 'no provider hears of the address');

# -------------------------------------------------------------------------- not a trusted one

my %from = (headers => { 'X-Forwarded-For' => '203.0.113.7' });
$answer = post(caller_from($stranger), '/v1/chat/completions', %from);
is_deeply(places($answer), [('127.0.0.1') x 3], 'the header of a stranger counts for nothing');
is_refused(post(caller_from($stranger), '/near/v1/chat/completions', %from), 403, 'permission_denied',
           'and opens nothing');

# -------------------------------------------------------------------------- the PROXY protocol

my $caller = caller_from($wire);
$caller->send_raw("PROXY TCP4 203.0.113.9 127.0.0.1 1111 80\r\n");
$answer = post($caller, '/near/v1/chat/completions');
is_served($answer, 'the PROXY protocol');
is(places($answer)->[0], '203.0.113.9', 'the PROXY protocol: the log has the address');
$caller->ask(path => '/v1/chat/completions', body => Gate::chat(stream => 1, script => 'stall=3;mark=' . (my $mark = Gate::mark())));
ok($caller->read_until(qr/"content":"[^"]/), 'the PROXY protocol: a stream begins');
$caller->close;
isnt(Gate::truth_of_mark($mark)->{ended}, 'complete', 'the PROXY protocol: a caller who leaves is noticed');

$server->stop;
done_testing();
