#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# security2.t - does a web application firewall in front of the gateway see prompts and answers, and
# are its refusals errors of the caller's dialect?
#
# ModSecurity 2.9 in blocking mode: request bodies as JSON in phase 2, response bodies in phase 4.
# build/setup unpacks the module without installing it.

use strict;
use warnings;

use Estate;
use Gate ();
use OwnServer ();
use Test::More;

my $server = OwnServer->new(conf => neighbour('unique_id') . own_conf() . <<"END");
LoadModule security2_module $ENV{AI_MODULES}/mod_security2.so
LogLevel security2:crit
SecRuleEngine On
SecTmpDir $ENV{TMPDIR}
SecDataDir $ENV{TMPDIR}
SecRequestBodyAccess On
SecRequestBodyLimit 33554432
SecRequestBodyNoFilesLimit 33554432
SecRule REQUEST_HEADERS:Content-Type "^application/json" \\
    "id:1,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQBODY_ERROR "!\@eq 0" "id:2,phase:2,t:none,deny,status:400,log,msg:'body'"
SecRule REQUEST_HEADERS:X-Evil "\@streq head" "id:3,phase:1,deny,status:403"
SecRule REQUEST_URI "\@streq /denied" "id:8,phase:1,deny,status:403"
SecRule ARGS "\@contains project-heron" "id:4,phase:2,deny,status:403"
SecRule ARGS:model|ARGS:json.model "\@streq forbidden-model" "id:5,phase:2,deny,status:429"
SecResponseBodyAccess On
SecResponseBodyMimeType application/json text/plain text/html
SecResponseBodyLimit 1048576
SecRule RESPONSE_BODY "\@contains answer-of-secrets" "id:6,phase:4,deny,status:403"
SecRule RESPONSE_HEADERS:x-ratelimit-limit-requests "\@streq 10000" "id:7,phase:3,deny,status:404,chain"
SecRule REQUEST_HEADERS:X-Evil "\@streq answer"
LogFormat "id=\\"%L\\" status=\\"%>s\\" deny=\\"%{ai-deny}n\\" finish=\\"%{ai-finish}n\\"" gate
CustomLog $ENV{AI_STAGE}/t/logs/gate_log gate
DocumentRoot $ENV{AI_STAGE}/t/estate/htdocs
ErrorDocument 403 /page.html
<Location /v1>
    AIEngine On
    AIAnonymous On
    AIRouteRetries 0
    AIRoute * sim
</Location>
<Location /many/v1>
    AIEngine On
    AIAnonymous On
    AIRoute * sim
    SecArgumentsLimit 10000
</Location>
END
my $chat   = '/v1/chat/completions';
my $caller = $server->caller;

# ----------------------------------------------------------------------------- the way there

is_served(post($caller, $chat), 'what the rules allow passes');
my $before = Gate::calls()->{total};
is_refused(post($caller, $chat, text => 'tell me of project-heron'), 403, 'permission_denied',
           'a prompt that a rule blocks');
is_refused(post($caller, $chat, text => 'project-heron', stream => 1), 403, 'permission_denied',
           'also of a caller who wants a stream');
is_refused(post($caller, $chat, model => 'forbidden-model'), 429, 'rate_limit_exceeded',
           'with the status that the rule names');
is_refused(post($caller, $chat, headers => { 'X-Evil' => 'head' }), 403, 'permission_denied',
           'phase 1, before there is a body');
$caller = $server->caller;    # ModSecurity leaves the body unread, so httpd closes
my $answer = post($caller, $chat, body => '{"model":"m",');
like(join(' ', $answer->{status}, eval { Gate::from_json($answer->{body})->{error}{code} } // $answer->{body}),
     qr/^(?:400 bad_request|500 gateway_error)$/, 'a body that it cannot read; 500 is what 2.9.7 says');
$answer = $caller->request(path => '/v1/messages', headers => { 'anthropic-version' => '2023-06-01' },
    body => Gate::to_json({ model => 'm', max_tokens => 5, messages => [{ role => 'user', content => 'project-heron' }] }));
is_deeply([$answer->{status}, Gate::from_json($answer->{body})->{type}], [403, 'error'],
          'in the caller\'s dialect') or diag(Gate::brief($answer));
is(Gate::calls()->{total}, $before, 'no provider hears of these');
is(Gate::logged(id => $answer->{headers}{'x-request-id'})->{deny}, 'permission_denied', 'the note says why');

# A long conversation, and a long prompt: it must reach the provider as it was sent.
my @turns = map { { role => $_ % 2 ? 'user' : 'assistant', content => "turn $_" } } 1 .. 1201;
my $long  = Gate::to_json({ model => 'm', messages => \@turns });
is_refused(post($caller, $chat, body => $long), 400, 'bad_request',
           'more values than SecArgumentsLimit: refused');
is(is_served(post($caller, '/many/v1/chat/completions', body => $long), 'with a higher limit')->{body_bytes},
   length $long, 'they pass, whole');
my $big = Gate::chat(text => 'y' x 2_000_000);
is(is_served(post($caller, $chat, body => $big, headers => {}), 'two megabytes')->{body_bytes},
   length $big, 'two megabytes: whole');

# ------------------------------------------------------------------------------- the way back

is_refused(post($caller, $chat, script => 'id=answer-of-secrets'), 403, 'permission_denied',
           'an answer that a rule blocks');
is_refused(post($caller, $chat, headers => { 'X-Evil' => 'answer' }), 404, 'not_found',
           'phase 3, before its body');
is_the_sites($caller->request(path => '/denied'), 403, qr/Forbidden/,
             'outside our location the error is httpd\'s');
$caller = $server->caller;
is_served(post($caller, $chat), 'the connection is in order after that');
is_refused(post($caller, $chat, script => 'size=200;tokens=8000'), 500, 'gateway_error',
           'an answer longer than SecResponseBodyLimit');

# A stream of a type that is not in SecResponseBodyMimeType flows.
$caller->ask(path => $chat, body => Gate::chat(stream => 1, script => 'stall=5;id=answer-of-secrets'));
ok($caller->read_until(qr/(?:"content":"[^"]+".*?){3}/s), 'a stream comes event by event');
is($caller->{answer}{status}, 200, 'unread, as its type is not named');
$caller->close;
$answer = post($caller, $chat, stream => 1, script => 'tokens=20');
is(Gate::read_chat($answer)->{text}, Gate::words_of_sim(20), 'and whole');

$server->stop;
done_testing();
