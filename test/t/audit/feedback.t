#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# feedback.t - is what callers say of their calls recorded: beside the call (metadata), and later
# (feedback)?

use strict;
use warnings;

use AuthServer ();
use File::Temp qw(tempdir);
use Gate ();
use Keys ();
use Spool ();
use Test::More;

my $folder = tempdir('ai-spool-XXXXXX', TMPDIR => 1, CLEANUP => 1) . '/spool';
my $key = Keys::make(user => 'ann', tenant => 'acme');
my $narrow = Keys::make(user => 'bob', tenant => 'acme', models => ['m']);
my $server = AuthServer->new([$key, $narrow], <<"END");
AIAuditSpool $folder
AIAuditSync 0
<Location "/v1">
    AIEngine On
    AIAudit On
    AIAuditFeedback On
    AIRoute * sim
    Require ai-key
</Location>
<Location "/mute/v1">
    AIEngine On
    AIAudit On
    AIRoute * sim
    Require ai-key
</Location>
<Location "/unaudited/v1">
    AIEngine On
    AIAuditFeedback On
    AIRoute * sim
    Require ai-key
</Location>
END

sub ask
{
    my (%o) = @_;
    my $caller = $server->caller;
    my $answer = $caller->request(
        path => $o{path} // '/v1/chat/completions', method => $o{method},
        headers => { Authorization => 'Bearer ' . ($o{key} // $key)->{text}, %{ $o{headers} // {} } },
        body => exists $o{body} ? $o{body} : Gate::chat(more => $o{more}));
    $caller->close;
    return $answer;
}

# --------------------------------------------------------------------------------- metadata

sub metadata
{
    my (%o) = @_;
    my $answer = ask(%o);
    is($answer->{status}, 200, 'answered') or diag(Gate::brief($answer));
    my $call = Spool::await_call($folder, $answer->{headers}{'x-request-id'});
    is_deeply($call->{begin}[0]{json}{metadata}, $call->{end}[0]{json}{metadata}, 'begin and end say the same');
    return $call->{end}[0]{json}{metadata};
}

my $true = JSON::PP::true();
is_deeply(metadata(headers => { 'cf-aig-metadata' => '{"team":"red","n":7,"ratio":0.5,"test":true,"none":null}' }),
          { team => 'red', n => 7, ratio => 0.5, test => $true }, 'cf-aig-metadata');
is(metadata(headers => { 'cf-aig-metadata' => '{"team":"red","deep":{"a":1}}' }), undef,
   'with an object in it all of it is passed over');
is(metadata(headers => { 'cf-aig-metadata' => '{"team":"red"' }), undef, 'as is what is no JSON');
is_deeply(metadata(headers => { 'cf-aig-metadata' => '{"cf.user_id":"x","a":"b"}' }), { a => 'b' },
          'names with cf. are not for callers');
is_deeply(metadata(headers => { 'x-portkey-metadata' => '{"_user":"u","env":"p"}', 'x-litellm-tags' => 'a,b',
                                'cf-aig-event-id' => 'e-1' }),
          { _user => 'u', env => 'p', tags => 'a,b', 'cf.event_id' => 'e-1' }, 'of Portkey, LiteLLM; an event id');
is_deeply(metadata(more => { metadata => { job => 'j1', list => [1] }, user => 'end-1', safety_identifier => 's' }),
          { job => 'j1', user => 'end-1', safety_identifier => 's' }, "OpenAI's own members");
is_deeply(metadata(headers => { 'cf-aig-metadata' => '{"job":"first"}' }, more => { metadata => { job => 'second' } }),
          { job => 'first' }, 'of two with one name the first counts');
my $many = metadata(headers => { 'cf-aig-metadata' => '{' . join(',', map { "\"k$_\":$_" } 10 .. 60) . '}' });
is_deeply([sort keys %$many], [map { "k$_" } 10 .. 25], 'of many the first 16 are kept');
my $long = metadata(headers => { 'cf-aig-metadata' => '{"' . 'n' x 65 . '":1,"v":"' . 'x' x 2000 . '"}' });
is_deeply([keys %$long, length $long->{v}], ['v', 512], 'of long ones as much as fits');

# --------------------------------------------------------------------------------- feedback

my $id = ask()->{headers}{'x-request-id'};
my $calls = Gate::calls()->{total};

sub say_of
{
    my ($body, %o) = @_;
    return ask(path => '/v1/feedback', body => ref $body ? Gate::to_json($body) : $body, %o);
}

sub notes { return map { $_->{json} } grep { $_->{type} eq 'note' } Spool::records($folder) }

my $answer = say_of({ id => $id, feedback => -1, score => 3, comment => "wrong \x{fc}ber" });
is($answer->{status}, 204, 'feedback is taken') or diag(Gate::brief($answer));
is($answer->{body}, '', 'without a word');
my ($note) = notes();
like(delete $note->{time}, qr/^20\d\d-.*Z$/, 'it has a time');
is_deeply($note, { v => 1, id => $id, tenant => 'acme', user => 'ann', key => $key->{id}, feedback => -1, score => 3,
                   comment => "wrong \x{fc}ber" }, 'and says who thinks what of which call');
is((grep { $_->{type} eq 'note' } Spool::records($folder))[0]{id}, Spool::call($folder, $id)->{end}[0]{id},
   'its record has the id of the call');
is(say_of({ id => $id, feedback => 1 }, method => 'PATCH')->{status}, 204, 'PATCH does, too');
is(say_of({ id => $id, feedback => 0 }, key => $narrow)->{status}, 204, 'also with a key for one model alone');
is(scalar(notes()), 3, 'each is there once it is answered');
for my $row (
    [400, 'no JSON',           '{'],
    [400, 'no object',         '[]'],
    [400, 'no id',             { feedback => 1 }],
    [400, 'an empty id',       { id => '', feedback => 1 }],
    [400, 'a long id',         { id => 'x' x 129, feedback => 1 }],
    [400, 'nothing to say',    { id => $id }],
    [400, 'feedback of 2',     { id => $id, feedback => 2 }],
    [400, 'feedback as words', { id => $id, feedback => 'good' }],
    [400, 'half a score',      { id => $id, score => 0.5 }],
    [400, 'a score below 0',   { id => $id, score => -1 }],
    [400, 'a long comment',    { id => $id, comment => 'x' x 2001 }],
    [413, 'a long body',       { id => $id, feedback => 1, other => 'x' x 9000 }],
    [405, 'another method',    undef, method => 'GET'],
    [401, 'nobody',            { id => $id, feedback => 1 }, headers => { Authorization => '' }],
) {
    my ($status, $what, $body, @o) = @$row;
    $answer = say_of($body, @o);
    is($answer->{status}, $status, "$what is refused") or diag(Gate::brief($answer));
    ok(eval { Gate::from_json($answer->{body})->{error}{message} }, "$what: with a reason, in JSON");
}
is(scalar(notes()), 3, 'none of which is recorded');
is(Gate::calls()->{total}, $calls, 'and no provider sees any of it');
$answer = say_of({ id => $id, feedback => 1 }, path => '/mute/v1/feedback');
is(scalar(Gate::truths($answer->{headers}{'x-request-id'})), 1, 'where AIAuditFeedback is Off the path is as any other');
is(scalar(notes()), 3, 'and nothing is recorded');
$calls = Gate::calls()->{total};
$answer = say_of({ id => $id, feedback => 1 }, path => '/unaudited/v1/feedback');
is($answer->{status}, 204, 'AIAudit Off does not keep it from being taken');
is(scalar(notes()), 4, 'and recorded');
is(Gate::calls()->{total}, $calls, 'and no provider sees it');
done_testing();
