#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# merging.t - what holds for a request: the server's word, the host's, the location's?
#
# Also: several hosts with routes, targets and callers of their own, and what other modules say in
# <If>, <Limit> and <LimitExcept> inside our location. t/core/merge.t has nested locations.

use strict;
use warnings;

use Estate;
use Gate ();
use OwnServer ();
use Test::More;

my %port   = map { $_ => OwnServer::free_port() } qw(heir own closed);
my $server = OwnServer->new(conf => own_conf() . <<"END");
# The server's own words: every host inherits them.
AIEngine On
AIAnonymous On
AIBodyLimit 2k
AIRoute server-model sim
AINote ai-tenant "server"
AINote ai-label "server"
LogFormat "%L tenant=%{ai-tenant}n label=%{ai-label}n target=%{ai-target}n" who
CustomLog who_log who

Listen 127.0.0.1:$port{heir}
<VirtualHost *:$port{heir}>
    CustomLog who_log who
    <Location /v1/embeddings>
        AIBodyLimit 4k
        AINote ai-label "location"
    </Location>
    <Location /v1/chat>
        <If "%{HTTP:X-Team} == 'red'">
            Require all denied
        </If>
        <If "%{HTTP:X-Team} == 'blue'">
            Header set X-From-If yes
            RequestHeader set X-Sim "id=from-if"
        </If>
    </Location>
    <Location /v1/files>
        AIRoute * sim
        <Limit DELETE>
            Require all denied
        </Limit>
    </Location>
    <Location /v1/batches>
        AIRoute * sim
        <LimitExcept GET>
            Require all denied
        </LimitExcept>
    </Location>
</VirtualHost>

Listen 127.0.0.1:$port{own}
<VirtualHost *:$port{own}>
    CustomLog who_log who
    <AITarget second>
        AITargetURL http://localhost:$ENV{AI_SIM_PORT}/v1
        AITargetHeader X-Sim id=second
    </AITarget>
    AIBodyLimit 8k
    AIRoute own-model second
    AINote ai-tenant "host"
</VirtualHost>

Listen 127.0.0.1:$port{closed}
<VirtualHost *:$port{closed}>
    AIAnonymous Off
    <Location /v1/chat/open>
        AIEngine Off
    </Location>
</VirtualHost>
END

my %caller = map { $_ => Gate::Socket->new(port => $port{$_}, tls => 0) } keys %port;

sub embed
{
    my ($host, $model, $length) = @_;
    return $caller{$host}->request(path => '/v1/embeddings', body => Gate::to_json({ model => $model, input => 'x' x ($length // 1) }));
}

sub noted
{
    my ($answer) = @_;
    my $id = $answer->{headers}{'x-request-id'} // 'none';
    return Gate::await("the log line of $id", sub {
        return (map { /^\Q$id\E (.*)/ ? $1 : () } split /\n/, $server->read_file('who_log'))[0];
    });
}

my $chat = '/v1/chat/completions';

# ---------------------------------------------------------------------- server, host, location

my $answer = post($server->caller, $chat, model => 'server-model');
is_served($answer, 'the main server');
is(noted($answer), 'tenant=server label=server target=sim', 'with its notes');
$answer = post($caller{heir}, $chat, model => 'server-model');
is_served($answer, 'a host that says nothing inherits engine, anonymity and routes');
is(noted($answer), 'tenant=server label=server target=sim', 'and notes');
is_refused(post($caller{heir}, $chat, model => 'server-model', text => 'x' x 3000), 413, 'request_too_large',
           'and the limit');
$answer = embed('heir', 'server-model', 3000);
is($answer->{status}, 200, 'a location has a limit of its own');
is(noted($answer), 'tenant=server label=location target=sim', 'and one note of its own');

$answer = post($caller{own}, $chat, model => 'own-model', text => 'x' x 3000);
is_served($answer, 'a host with routes, target and limit of its own');
is(Gate::from_json($answer->{body})->{system_fingerprint}, 'second', 'reaches its own target');
is(noted($answer), 'tenant=host label=server target=second', 'and says who, the rest is the server\'s');
is_refused(post($caller{own}, $chat, model => 'server-model'), 404, 'model_not_found',
           'its routes replace the server\'s');
is_refused(post($caller{heir}, $chat, model => 'own-model'), 404, 'model_not_found',
           'and are nobody else\'s');

is_refused(post($caller{closed}, $chat, model => 'server-model'), 401, 'invalid_api_key',
           'a host that is not anonymous');
is_the_sites(post($caller{closed}, '/v1/chat/open', model => 'server-model'), 404, qr/Not Found/,
             'and gives a part back to the site');

# ------------------------------------------------------- other modules' words in If and Limit

is_refused(post($caller{heir}, $chat, model => 'server-model', headers => { 'X-Team' => 'red' }),
           403, 'permission_denied', '<If> with a Require');
$answer = post($caller{heir}, $chat, model => 'server-model', headers => { 'X-Team' => 'blue' });
is_served($answer, '<If> with headers');
is_deeply([$answer->{headers}{'x-from-if'}, Gate::from_json($answer->{body})->{system_fingerprint}],
          ['yes', 'from-if'], '<If>: of the answer, and of the request');
$answer = post($caller{heir}, $chat, model => 'server-model', headers => { 'X-Team' => 'green' });
is($answer->{headers}{'x-from-if'}, undef, '<If> that does not hold');

is_refused($caller{heir}->request(method => 'DELETE', path => '/v1/files/f1'), 403, 'permission_denied',
           '<Limit DELETE>');
is($caller{heir}->request(path => '/v1/files')->{status}, 200, '<Limit DELETE>: GET passes');
is_refused($caller{heir}->request(path => '/v1/batches', body => '{}'), 403, 'permission_denied',
           '<LimitExcept GET>');
is($caller{heir}->request(path => '/v1/batches')->{status}, 200, '<LimitExcept GET>: GET passes');

$server->stop;
done_testing();
