#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# alone.t - what does mod_ai_auth need beside it, and what does it do to a host that is no gateway?

use strict;
use warnings;

use AuthServer ();
use Gate ();
use Keys ();
use OwnServer ();
use Test::More;

my $key = Keys::make(user => 'ada');
my $server = AuthServer->new([$key], <<'END', without => ['ai_status_module']);
<Location /v1>
    AIEngine On
    Require ai-key
    AIRoute * sim
</Location>
<Location /server-status>
    SetHandler server-status
</Location>
<Location /server-status/closed>
    Require ai-key
</Location>
END
my %with = (headers => { Authorization => "Bearer $key->{text}" });
is($server->caller->request(path => '/v1/chat/completions', body => Gate::chat(), %with)->{status}, 200,
   'without mod_ai_status it serves');
my $answer = $server->caller->request(path => '/server-status?auto', headers => { Authorization => 'Bearer sk-ai-broken' });
is($answer->{status}, 200, 'a bad key is nothing to a location that is not ours');
is($server->caller->request(path => '/server-status/closed', %with)->{status}, 403, 'where Require ai-key lets nobody in');
$server->stop;

# Without routes there is nobody to answer, but it is known who asks.
$server = OwnServer->new(without => ['ai_route_module', 'ai_status_module'],
                         conf => "<Location /v1>\nAIEngine On\nRequire ai-key\n</Location>\n");
is($server->caller->request(path => '/v1/chat/completions', body => Gate::chat())->{status}, 401,
   'without mod_ai_route nobody is served');
$answer = $server->caller->request(path => '/v1/chat/completions', body => Gate::chat(), %with);
is(Gate::from_json($answer->{body})->{error}{code}, 'invalid_api_key', 'without a key file all keys are unknown');
$server->stop;

ok(!eval { OwnServer->new(conf => '', without => ['ai_route_module', 'ai_status_module', 'ai_audit_module', 'ai_module']) },
   'without mod_ai the server does not start');
like($@, qr/AI0202: mod_ai_auth needs mod_ai of the same version; load ai_module/, 'and says why');

for my $case (['AIAuthIdentity name "x"', q{'name' is neither user nor tenant nor tier}],
              ['AIAuthIdentity user "%{nonsense:x}"', 'is no expression'],
              ['AIAuthKeyFile', 'takes one argument'],
              ['AIAuthFailures 20', q{AIAuthFailures: '20' is neither a number, a slash and a time ("20/1min") nor Off}],
              ['AIAuthFailures 0/1min', q{AIAuthFailures: '0' is too small a number: a whole number in decimal digits, from 1 to 1000}],
              ['AIAuthFailures 1001/1min', q{'1001' is too large}],
              ['AIAuthFailures x/1min', q{'x' is no number}],
              ['AIAuthFailures /1min', q{'' is no number}],
              ['AIAuthFailures 20/60', q{AIAuthFailures: '60' has no unit and is no time: a whole number with ms, s, min, h or d, from 1s to 1d}],
              ['AIAuthFailures 20/999ms', 'too small'], ['AIAuthFailures 20/2d', 'too large'],
              ['AIAuthFailures On', 'nor Off']) {
    my ($line, $said) = @$case;
    ok(!eval { OwnServer->new(conf => $line); 1 }, "$line: no start");
    like($@, qr/\Q$said\E/, "$line: says why");
}
done_testing();
