#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# alone.t - what does mod_ai_status need beside it?
#
# mod_ai, and nothing else: without mod_ai_route there is nothing but refusals to count, without
# mod_status nobody who shows them.

use strict;
use warnings;

use Gate ();
use OwnServer ();
use StatusPage ();
use Test::More;

my $gate = <<'END';
<Location /v1>
    AIEngine On
    AIAnonymous On
</Location>
<Location /server-status>
    SetHandler server-status
</Location>
END

my $server = OwnServer->new(conf => $gate, without => ['ai_route_module']);
my $answer = $server->caller->request(path => '/v1/chat/completions', body => Gate::chat());
is($answer->{status}, 503, 'without mod_ai_route nothing is answered');
my $seen = StatusPage::await($server, 'the refusal', sub { $_[0]{AIRequests} == 1 });
is_deeply([@$seen{'AIRefusals', 'AIRefusals[no_route]'}], [1, 1], 'and that is counted');
$server->stop;

$server = OwnServer->new(conf => $gate, without => ['ai_route_module', 'status_module']);
$answer = $server->caller->request(path => '/v1/chat/completions', body => Gate::chat());
is($answer->{status}, 503, 'without mod_status the server serves');
$server->graceful;
$answer = $server->caller->request(path => '/v1/chat/completions', body => Gate::chat());
is($answer->{status}, 503, 'and restarts');
unlike($server->said, qr/AI100\d/, 'and has nothing to say');
$server->stop;

ok(!eval { OwnServer->new(conf => '', without => ['ai_route_module', 'ai_auth_module', 'ai_audit_module', 'ai_module']) },
   'without mod_ai the server does not start');
like($@, qr/AI1001: mod_ai_status needs mod_ai of the same version; load ai_module/, 'and says why');

done_testing();
