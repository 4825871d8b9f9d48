#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# calls.t - is there a begin and an end of each call that goes upstream, an end of each that does not,
# and do they say what happened?
#
# What is on the disk is compared with the simulator's truth. Four children.

use strict;
use warnings;

use AuthServer ();
use File::Temp qw(tempdir);
use Gate ();
use Keys ();
use Spool ();
use Test::More;

my $folder = tempdir('ai-spool-XXXXXX', TMPDIR => 1, CLEANUP => 1) . '/spool';
my $key = Keys::make(user => 'ann', tenant => 'acme/red', tier => 'gold');
my $server = AuthServer->new([$key], <<"END", children => 4);
AIAuditSpool $folder
AIAuditNode node-1
<AITarget dead>
    AITargetURL http://127.0.0.1:1/v1
</AITarget>
<Location "/v1">
    AIEngine On
    AIAudit On
    AIAuditHeader X-Team User-Agent
    AINote ai-label "team-%{HTTP:X-Team}"
    AINote ai-own "of the site"
    AIRoute fall-* dead sim
    AIRoute * sim
    Require ai-key
</Location>
<Location "/quiet/v1">
    AIEngine On
    AIRoute * sim
    AIAnonymous On
    Require all granted
</Location>
END

sub ask
{
    my (%o) = @_;
    my $caller = $server->caller;
    my $answer = $caller->request(
        path => $o{path} // '/v1/chat/completions', method => $o{method},
        headers => { Authorization => "Bearer $key->{text}", 'X-Team' => 'blue', %{ $o{headers} // {} } },
        body => exists $o{body} ? $o{body} : Gate::chat(model => $o{model} // 'm', stream => $o{stream},
                                                        usage => $o{stream}, script => $o{script}));
    $caller->close;
    return ($answer, $answer->{headers}{'x-request-id'});
}

# A call, and what is on the disk of it.
sub recorded
{
    my ($answer, $id) = ask(@_);
    my $call = Spool::await_call($folder, $id);
    return ($answer, $id, $call, $call->{end}[0]{json});
}

my ($answer, $id, $call, $end) = recorded(script => 'tokens=7');
my ($truth) = Gate::truths($id);
is(scalar(@{ $call->{begin} }), 1, 'a call has one begin') or diag(Gate::brief($answer));
is(scalar(@{ $call->{end} }), 1, 'and one end');
my $begin = $call->{begin}[0]{json};
is($call->{begin}[0]{id}, $id, 'they have the id of the call');
is($call->{end}[0]{id}, $id, 'both');
cmp_ok($call->{begin}[0]{sequence}, '<', $call->{end}[0]{sequence}, 'the begin comes first');
cmp_ok($call->{begin}[0]{time}, '<=', $truth->{time} + 0.002, 'and before the provider was asked');
for my $record ($begin, $end) {
    my $what = $record == $begin ? 'the begin' : 'the end';
    is_deeply([@$record{qw(v id node server tenant user key tier label address method path endpoint dialect)}],
              [1, $id, 'node-1', 'localhost', 'acme/red', 'ann', $key->{id}, 'gold', 'team-blue', '127.0.0.1',
               'POST', '/v1/chat/completions', 'chat', 'openai'], "$what says who asks for what");
    is($record->{model}, 'm?tokens=7', "$what has the model");
    like($record->{time}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, "$what has a time");
    is_deeply($record->{headers}, { 'x-team' => 'blue' }, "$what has the headers that are there");
    ok(!exists $record->{stream}, "$what knows of no stream");
}
ok(!grep({ exists $begin->{$_} } qw(status tokens attempts us answer)), 'the begin says nothing of the answer');
is($end->{status}, 200, 'the end has the status');
is($end->{target}, 'sim', 'the target');
is($end->{route}, '*', 'the route');
is($end->{finish}, 'stop', 'how it ended');
is($end->{tokens}{prompt}, $truth->{prompt_tokens}, 'the tokens of the prompt');
is($end->{tokens}{completion}, 7, 'and those of the answer');
is($end->{tokens}{source}, 'reported', 'and who says so');
is($end->{answer}{bytes}, $truth->{body_sent}, 'the length of the answer');
is_deeply($end->{notes}, { 'ai-own' => 'of the site' }, 'notes of the site');
is(scalar(@{ $end->{attempts} }), 1, 'one attempt');
is_deeply([@{ $end->{attempts}[0] }{qw(target model status reason)}], ['sim', 'm?tokens=7', 200, undef],
          'which went well');
cmp_ok($end->{us}{total}, '>=', $end->{us}{upstream}, 'the times fit together');
cmp_ok($end->{us}{upstream} + $end->{us}{overhead}, '<=', $end->{us}{total}, 'all of them');
cmp_ok($end->{us}{head}, '<=', $end->{us}{first}, 'the head comes before the content');
cmp_ok($begin->{reserved}{prompt}, '>=', $truth->{prompt_tokens}, 'the begin knows how long the prompt may be at most');
my (undef, undef, $uncapped) = recorded(model => 'gpt-4o-mini');
is($uncapped->{begin}[0]{json}{reserved}{completion}, 16384, 'and how long the answer, by the model, where the caller sets no cap');
my %decided = map { $_->{stage} => $_->{decision} } @{ $end->{road} };
ok($decided{plan} && $decided{forward}, 'the end has the road');

my $trace = '0af7651916cd43dd8448eb211c80319c';
($answer, $id, $call, $end) = recorded(headers => { traceparent => "00-$trace-b7ad6b7169203331-01" });
is_deeply([map { [@{ $_->{trace} }{qw(id parent)}] } $call->{begin}[0]{json}, $end], [([$trace, 'b7ad6b7169203331']) x 2],
          'both have the trace');

($answer, $id, $call, $end) = recorded(stream => 1, script => 'tokens=5');
($truth) = Gate::truths($id);
is(scalar(@{ $call->{begin} }) . scalar(@{ $call->{end} }), '11', 'a stream has one begin, one end');
ok($call->{begin}[0]{json}{stream} && $end->{stream}, 'both say that it is one');
is($end->{tokens}{completion}, 5, 'its tokens');
is($end->{answer}{bytes}, length $answer->{body}, 'its length');

($answer, $id, $call, $end) = recorded(model => 'fall-m');
is(scalar(@{ $call->{begin} }) . scalar(@{ $call->{end} }), '11', 'one begin, one end, with a fallback, too');
is_deeply([map { [@$_{qw(target status reason)}] } @{ $end->{attempts} }],
          [['dead', 0, 'connect'], ['sim', 200, undef]], 'each attempt is there, in order');
is($end->{target}, 'sim', 'the target is who answered');

($answer, $id, $call, $end) = recorded(headers => { 'X-Sim' => 'status=503' });
is(scalar(@{ $call->{begin} }) . scalar(@{ $call->{end} }), '11', 'and with a failure');
is_deeply([@$end{qw(status finish)}], [503, 'error'], 'that is said');
is($end->{attempts}[0]{status}, 503, 'of the attempt, too');

($answer, $id, $call, $end) = recorded(stream => 1, script => 'cut=3');
is_deeply([@$end{qw(status finish)}, @{ $end->{attempts}[0] }{qw(status reason)}], [200, 'error', 200, 'broken'],
          'a stream that broke off says so of its attempt');

# What never goes upstream has an end alone.
for my $refused (
    ['no key', 401, headers => { Authorization => 'Bearer sk-none' }],
    ['a body that is no JSON', 400, body => '{'],
    ['a wrong method', 405, method => 'GET', body => undef],
    ['the list of models', 200, path => '/v1/models', method => 'GET', body => undef],
    ['a path that climbs', 400, path => '/v1/x/..%5c..%5cy', method => 'GET', body => undef],
    ['a body in a coding that nobody knows', 400, headers => { 'Transfer-Encoding' => 'odd' }],
) {
    my ($what, $status, %o) = @$refused;
    ($answer, $id, $call, $end) = recorded(%o);
    is($answer->{status}, $status, "$what: $status") or diag(Gate::brief($answer));
    is(scalar(@{ $call->{begin} }) . scalar(@{ $call->{end} }), '01', "$what: only an end");
    is($end->{status}, $status, "$what: the end has the status");
    ok(!$end->{attempts}, "$what: no attempt");
}
is((recorded(headers => { Authorization => 'Bearer sk-none' }))[3]{deny}, 'invalid_api_key',
   'a refusal says why');

# A caller who leaves.
my $caller = $server->caller;
$caller->ask(path => '/v1/chat/completions', headers => { Authorization => "Bearer $key->{text}" },
             body => Gate::chat(stream => 1, script => 'tokens=50;gap=20'));
$caller->read_until(qr/data:.*data:/s);
$id = $caller->head->{headers}{'x-request-id'};
$caller->close;
$call = Spool::await_call($folder, $id);
is(scalar(@{ $call->{begin} }) . scalar(@{ $call->{end} }), '11', 'a caller who leaves: one begin, one end');
is($call->{end}[0]{json}{finish}, 'client-abort', 'that is said');

(undef, $id) = ask(path => '/quiet/v1/chat/completions');
($answer) = ask();
Spool::await_end($folder, $answer->{headers}{'x-request-id'});
is_deeply([map { scalar @$_ } @{ Spool::call($folder, $id) }{qw(begin end)}], [0, 0],
          'where AIAudit is not On nothing is recorded');

# Secrets.
my $all = join('', map { $_->{body} } Spool::records($folder));
unlike($all, qr/\Q$key->{text}\E|sk-none/, 'no key is on the disk');
is(sprintf('%o', (stat $folder)[2] & 07777), '700', 'the folder was made for its owner alone');

# Over a graceful restart, and at the end.
$server->graceful;
($answer, $id, $call, $end) = recorded();
is(scalar(@{ $call->{begin} }) . scalar(@{ $call->{end} }), '11', 'after a restart, too');
$server->stop;
my %last = map { $_->{segment} => $_->{type} } Spool::records($folder);
is_deeply([grep { $_ ne 'close' } values %last], [], 'at the end all segments are closed');
done_testing();
