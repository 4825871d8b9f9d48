#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# explain.t - does a caller who may know learn why his request went as it did, and nobody else?
#
# On answers, streams, errors of every origin and answers of the gateway itself.

use strict;
use warnings;

use AuthServer ();
use Gate ();
use Keys ();
use MIME::Base64 qw(encode_base64);
use Test::More;

my ($gold, $plain) = (Keys::make(tier => 'gold', user => 'ada'), Keys::make(user => 'bob'));
my @crowd = map { sprintf('a-target-whose-name-is-rather-long-%02d', $_) } 1 .. 20;
my $chatty = OwnServer::free_port();
my $server = AuthServer->new([$gold, $plain], <<"END");
Listen 127.0.0.1:$chatty
AIRouteRetries 0
<AITarget refusing>
    AITargetURL http://127.0.0.1:1/v1
</AITarget>
<AITarget far>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
    AITargetForward X-Sim ai-explain
</AITarget>
<AITarget claude>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
    AITargetDialect anthropic
</AITarget>
<AITarget chatty>
    AITargetURL http://127.0.0.1:$chatty/v1
</AITarget>
@{[ map { "<AITarget $_>\nAITargetURL http://127.0.0.1:1/v1\n</AITarget>\n" } @crowd ]}
<VirtualHost *:$chatty>
    Header always set ai-explain "theirs"
    ProxyPass / http://127.0.0.1:$ENV{AI_SIM_PORT}/
</VirtualHost>
<Macro Routes>
    AIEngine On
    AIRoute fall* refusing far
    AIRoute down refusing
    AIRoute mixed claude sim
    AIRoute chatty chatty
    AIRoute crowd @crowd
    AIRoute known sim
</Macro>
<Location /open/v1>
    Use Routes
    AIAnonymous On
    AIExplain On
</Location>
<Location /open/v1/moderations>
    AIExplain Off
</Location>
<Location /again/v1>
    Use Routes
    AIAnonymous On
    AIExplain On
    AIRouteRetries 5
    AIRouteBackoff 10ms
</Location>
<Location /beating/v1>
    Use Routes
    AIAnonymous On
    AIExplain On
    AIHeartbeat 50ms
</Location>
<Location /closed/v1>
    Use Routes
    AIExplain On
</Location>
<Location /basic/v1>
    Use Routes
    Use Basic
    Require valid-user
    AIExplain On
</Location>
<Location /elsewhere/v1>
    Use Routes
    AIAnonymous On
    AIExplain On
    Require ip 10.9.8.7
</Location>
<Location /gold/v1>
    Use Routes
    AIExplain "expr=%{note:ai-tier} == 'gold'"
</Location>
<Location /failing/v1>
    Use Routes
    AIAnonymous On
    AIExplain "expr=file('/there/is/no/such/file') == ''"
</Location>
<Location /silent/v1>
    Use Routes
    AIAnonymous On
</Location>
END
my $caller = $server->caller;

# What RFC 9110 lets stand there: list members with parameters.
my $token  = qr/[!#\$%&'*+.^_`|~0-9A-Za-z-]+/;
my $quoted = qr/"(?:[^"\\]|\\["\\])*"/;
my $step   = qr/($token)=($token)(?:;r=($token|$quoted))?;t=(\d+)/;

# The steps of a text: [stage, decision, reason]; dies where it is none.
sub steps
{
    my ($text) = @_;
    my ($rest, $last, @steps) = ($text, 0);
    while ($rest =~ s/\A(?:, )?$step(?=, |\z)//) {
        my ($stage, $decision, $reason, $us) = ($1, $2, $3, $4);
        $reason =~ s/\A"(.*)"\z/$1/ && $reason =~ s/\\(.)/$1/g if defined $reason;
        die "time runs backwards in $text\n" if $us < $last;
        $last = $us;
        push @steps, [$stage, $decision, $reason];
    }
    die "no steps: $text\n" if !@steps || length $rest;
    return @steps;
}

sub ask
{
    my ($place, $ask, %headers) = @_;
    my %o = ref $ask ? %$ask : (path => '/chat/completions', body => $ask);
    return $caller->request(%o, path => "/$place/v1$o{path}", headers => { 'ai-explain' => 1, %headers });
}

sub bearer { return (Authorization => "Bearer $_[0]{text}") }

sub short { return join(', ', map { "$_->[0]=$_->[1]" . (defined $_->[2] ? " $_->[2]" : '') } @_) }

sub told { return short(steps($_[0]{headers}{'ai-explain'} // 'nothing')) }

# ------------------------------------------------------------------------------------ what is told

my $begin = 'identify=ok anonymous, decode=ok, authorize=ok';
my $known = 'plan=route known, plan=targets sim, record=ok';
my @roads = (
    ['an answer', 'open', Gate::chat(model => 'known'), 200,
     "$begin, $known, forward=answers sim 200"],
    ['a stream', 'open', Gate::chat(model => 'known', stream => 1), 200,
     "$begin, $known, forward=answers sim 200"],
    ['a fallback', 'open', Gate::chat(model => 'fall-1'), 200,
     "$begin, plan=route fall*, plan=targets refusing far, record=ok, "
     . 'forward=failed refusing connect, forward=answers far 200'],
    ['nobody answers', 'open', Gate::chat(model => 'down'), 503,
     "$begin, plan=route down, plan=targets refusing, record=ok, forward=failed refusing connect, "
     . 'forward=refused upstream_unreachable'],
    ['who is left out', 'open', { path => '/embeddings', body => '{"model":"mixed","input":"x"}' }, 200,
     "$begin, plan=route mixed, plan=targets claude sim, plan=other-dialect claude, record=ok, "
     . 'forward=answers sim 200'],
    ['no such model', 'open', Gate::chat(model => 'none'), 404, "$begin, plan=refused model_not_found"],
    ['no JSON', 'open', '{', 400, 'identify=ok anonymous, decode=refused invalid_json'],
    ['a method', 'open', { path => '/chat/completions', method => 'GET' }, 405,
     'identify=ok anonymous, decode=refused method_not_allowed'],
    ['the list of models', 'open', { path => '/models' }, 200, "$begin, plan=answered"],
    ['nobody is known', 'closed', Gate::chat(), 401, 'identify=refused invalid_api_key'],
    ['httpd\'s own refusal', 'elsewhere', Gate::chat(), 403, 'access=refused permission_denied'],
);
for my $row (@roads) {
    my ($what, $place, $ask, $status, $want) = @$row;
    my $answer = ask($place, $ask);
    is($answer->{status}, $status, "$what: $status");
    is(told($answer), $want, "$what: the road");
    my $json = Gate::from_json(ask($place, $ask, 'ai-explain' => 'json')->{headers}{'ai-explain'} // '[]');
    is(short(map { [@$_{qw(stage decision reason)}] } @$json), $want, "$what: as JSON");
    ok(!(grep { $_->{us} !~ /^\d+$/ || keys %$_ > 4 } @$json), "$what: with times, and nothing else");
}

for my $case (['a key', 'closed', { bearer($gold) }, 'identify=ok key'],
              ['a login', 'basic', { Authorization => 'Basic ' . encode_base64('alice:river', '') },
               'identify=ok login']) {
    my ($what, $place, $headers, $want) = @$case;
    like(told(ask($place, Gate::chat(model => 'known'), %$headers)), qr/^$want, decode=ok, /,
         "$what: by what the caller is known");
}

my $status = ask('open', Gate::chat(model => 'known'), 'X-Sim' => 'status=400');
like(told($status), qr/forward=answers sim 400$/, 'a provider\'s error that is passed on');
$status = ask('open', Gate::chat(model => 'fall-1'), 'X-Sim' => 'status=503');
like(told($status), qr/forward=failed refusing connect, forward=answers far 503$/, 'the last one\'s error');
$status = ask('again', Gate::chat(model => 'known'), 'X-Sim' => 'status=429;retry_after=100');
like(told($status), qr/forward=failed sim 429 status, forward=gave-up \S+$/, 'a provider who must be waited for too long');
like(told(ask('again', Gate::chat(model => 'down'))),
     qr/record=ok(?:, forward=failed refusing connect, forward=wait \d+ms){5}, forward=failed refusing connect, forward=refused upstream_unreachable$/,
     'rounds and waits');

# More steps than are kept: the first, a mark, the last.
for my $form (1, 'json') {
    my $road = ask('again', Gate::chat(model => 'crowd'), 'ai-explain' => $form)->{headers}{'ai-explain'};
    cmp_ok(length $road, '<=', 4096, "a long road, $form: is bounded");
    cmp_ok(length $road, '>', 3500, "a long road, $form: by what there is room for");
    my @told = $form eq 1 ? steps($road)
                          : map { [@$_{qw(stage decision reason)}] } @{ Gate::from_json($road) };
    like(short(@told), qr/^\Q$begin\E, .*, road=cut, forward=refused upstream_unreachable$/,
         "a long road, $form: begin and end");
}

# A head that goes before anybody has answered has what is known then.
my $late = ask('beating', Gate::chat(model => 'known', stream => 1), 'X-Sim' => 'delay=300');
is(told($late), "$begin, $known", 'a heartbeat\'s head: as far as it is known');
like($late->{body}, qr/\[DONE\]/, 'and the answer comes');

# ------------------------------------------------------------------------------------ who is told

sub silent
{
    my ($answer, $what) = @_;
    return is($answer->{headers}{'ai-explain'}, undef, "$what, $answer->{status}: nothing is told");
}

for my $ask (Gate::chat(model => 'known'), Gate::chat(model => 'known', stream => 1), '{',
             Gate::chat(model => 'none'), Gate::chat(model => 'down'), { path => '/models' }) {
    for my $form (1, 'json') {
        silent(ask('silent', $ask, 'ai-explain' => $form), 'AIExplain is Off where nothing is said');
    }
    silent(ask('gold', $ask, bearer($plain)), 'a caller for whom the expression is false');
    silent(ask('gold', $ask), 'nobody, for whom it is false, too');
    silent(ask('failing', $ask), 'an expression that fails');
    like(told(ask('gold', $ask, bearer($gold))), qr/^identify=ok key, decode=/, 'a caller for whom it is true');
}
silent(ask('elsewhere', Gate::chat(model => 'known'), 'ai-explain' => ''), 'who asks in no known way');
for my $value ('', '0', 'yes', 'JSON', '1, 1', 'true') {
    silent(ask('open', Gate::chat(model => 'known'), 'ai-explain' => $value), "ai-explain: '$value'");
}
silent($caller->request(path => '/open/v1/chat/completions', body => Gate::chat(model => 'known')),
       'who does not ask');
silent(ask('open', { path => '/moderations', body => '{"model":"known","input":"x"}' }), 'Off in a location inside');
silent(ask('silent', Gate::chat(model => 'chatty')), 'what a provider says by that name');
is(told(ask('open', Gate::chat(model => 'chatty'))),
   "$begin, plan=route chatty, plan=targets chatty, record=ok, forward=answers chatty 200",
   'nor in the place of our own');
like($server->said, qr/AI0125: AIExplain: the expression failed: /, 'an expression that fails is logged');

# The header does not go up, though the target is to be sent it.
my $echo = Gate::from_json(ask('open', Gate::chat(model => 'fall-1'), 'X-Sim' => 'echo=1')->{body});
my $seen = $echo->{choices}[0]{message}{content};
unlike($seen, qr/ai-explain/i, 'no provider sees that somebody asks');

done_testing();
