#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# endpoints.t - does every endpoint of OpenAI's pass as it is, known by its name and metered?

use strict;
use warnings;

use Form ();
use Gate ();
use Test::More;

my $caller = Gate::caller_of('h1', 'surface');
my $direct = Gate::caller_to_sim();
my $true   = JSON::PP::true();

sub id_of { return $_[0]{headers}{'x-request-id'} }

sub error_of { return eval { Gate::from_json($_[0]{body})->{error} } // {} }

sub notes_of
{
    my ($answer) = @_;
    my $log = Gate::logged(id => id_of($answer));
    my $line = Gate::await('the notes', sub {
        open(my $notes, '<', 't/logs/surface_notes') or return;
        my ($found) = grep { index($_, 'id="' . id_of($answer) . '"') == 0 && /\n\z/ } <$notes>;
        return $found;
    });
    return { %$log, $line =~ /([\w-]+)="([^"]*)"/g };
}

# The simulator numbers what it says.
sub bare { return $_[0] =~ s/((?:sim|_sim))\d{6}/${1}N/gr }

# Asks the same of the simulator and of the gateway; the bytes must be the same.
sub ask_both
{
    my ($what, %o) = @_;
    my $there = $direct->request(%o, path => "/v1$o{path}");
    my $here  = $caller->request(%o, path => "/one/v1$o{path}");
    is_deeply([@$here{qw(status whole)}, $here->{headers}{'content-type'}, bare($here->{body})],
              [200, 1, $there->{headers}{'content-type'}, bare($there->{body})],
              "$what: every byte of the answer") or diag(Gate::brief($here));
    return $here;
}

sub is_noted
{
    my ($answer, $what, %want) = @_;
    my $notes = notes_of($answer);
    is_deeply({ map { $_ => $notes->{$_} } keys %want }, \%want, "$what: noted");
    return;
}

# ------------------------------------------------------------------------------ what is asked

my $speech = { model => 'text-tts', input => '12345678', voice => 'alloy' };
my $sound  = ['a.wav', "RIFF\r\n--x\0\xff\n" x 50];
my @cases = (
    # what, path, JSON or form, endpoint, model, stream, prompt, completion
    ['completions', '/completions', { model => 'm', prompt => '12345678' },
     'completions', 'm', '-', 2, 12],
    ['completions, streamed', '/completions',
     { model => 'm', prompt => 'x', stream => $true, stream_options => { include_usage => $true } },
     'completions', 'm', 1, 1, 12],
    ['responses', '/responses', { model => 'm', input => '12345678' }, 'responses', 'm', '-', 2, 12],
    ['responses, streamed', '/responses', { model => 'm', input => 'x', stream => $true },
     'responses', 'm', 1, 1, 12],
    ['moderations', '/moderations', { input => ['a', 'b'] }, 'moderations', '-', '-', '-', '-'],
    ['moderations with a model', '/moderations', { input => 'a', model => 'm' },
     'moderations', 'm', '-', '-', '-'],
    ['images', '/images/generations', { prompt => '12345678', n => 2 }, 'images', '-', '-', 2, 12],
    ['images, streamed', '/images/generations',
     { model => 'm', prompt => 'x', stream => $true, partial_images => 2 },
     'images', 'm', 1, 1, 12],
    ['an edit of an image', '/images/edits',
     [model => 'm', prompt => 'x', 'image[]' => $sound, 'image[]' => $sound],
     'images', 'm', '-', 11, 12],
    ['an edit, streamed', '/images/edits', [prompt => 'x', stream => 'true', image => $sound],
     'images', '-', 1, 11, 12],
    ['a variation', '/images/variations', [image => $sound], 'images', '-', '-', 10, 12],
    ['speech', '/audio/speech', $speech, 'speech', 'text-tts', '-', '-', '-'],
    ['speech as wav', '/audio/speech', { %$speech, response_format => 'wav' },
     'speech', 'text-tts', '-', '-', '-'],
    ['speech, streamed', '/audio/speech', { %$speech, stream_format => 'sse' },
     'speech', 'text-tts', 1, 2, 12],
    ['a transcription', '/audio/transcriptions', [file => $sound, model => 'm'],
     'transcriptions', 'm', '-', 10, 12],
    ['a transcription as text', '/audio/transcriptions',
     [model => 'm', response_format => 'text', file => $sound], 'transcriptions', 'm', '-', '-', '-'],
    ['a transcription with a duration', '/audio/transcriptions',
     [model => 'm', response_format => 'verbose_json', file => $sound],
     'transcriptions', 'm', '-', '-', '-'],
    ['a transcription, streamed', '/audio/transcriptions',
     [stream => 'true', model => 'm', file => $sound], 'transcriptions', 'm', 1, 10, 12],
    ['a translation', '/audio/translations', [model => 'm', file => $sound],
     'translations', 'm', '-', 10, 12],
    ['a reranking', '/rerank', { model => 'm', query => '12345678', documents => ['a', 'b'] },
     'rerank', 'm', '-', 2, 0],
);

for my $case (@cases) {
    my ($what, $path, $ask, $endpoint, $model, $stream, $prompt, $completion) = @$case;
    my %o = ref $ask eq 'HASH' ? (body => Gate::to_json($ask))
                               : (body => Form::body(@$ask), headers => { Form::type() });
    my $answer = ask_both($what, path => $path, %o);
    is_noted($answer, $what, endpoint => $endpoint, dialect => 'openai', model => $model,
             stream => $stream, prompt => $prompt, completion => $completion, finish => 'stop',
             target => 'surface-sim');
    my ($truth) = Gate::truths(id_of($answer));
    is($truth->{body_bytes}, length $o{body}, "$what: every byte of the request");
}

# What the caller did not ask for is not shown.
my $quiet = $caller->request(path => '/one/v1/completions',
                             body => Gate::to_json({ model => 'm', prompt => 'x', stream => $true }));
unlike($quiet->{body}, qr/usage/, 'completions: usage that only the gateway asked for is hidden');
is_noted($quiet, 'completions: and', prompt => 1, completion => 12);

# ------------------------------------------------------------------------------ as it comes

{
    # The sound comes in two pieces; the first is here before the second was made.
    my $slow = Gate::caller_of('h1', 'surface');
    $slow->ask(path => '/one/v1/audio/speech', body => Gate::to_json($speech),
               headers => { 'X-Sim' => 'tokens=2;size=1000;chunk=1000;pace=300' });
    $slow->read_until(qr/.{1000}/s);
    my $first = length $slow->{answer}{body};
    my ($truth) = grep { $_->{id} eq $slow->{answer}{headers}{'x-request-id'} }
                       @{ Gate::calls()->{last} };
    ok($first < 2000 && !$truth, 'speech: passes as it comes') or diag("$first bytes at first");
    is(length $slow->finish->{body}, 2000, 'speech: to its end');
}
for my $cut (['/audio/speech', { %$speech }, 'bytes=100'],
             ['/audio/speech', { %$speech }, 'bytes=100;length=+1']) {
    my ($path, $ask, $script) = @$cut;
    my $answer = $caller->request(path => "/one/v1$path", body => Gate::to_json($ask),
                                  headers => { 'X-Sim' => $script });
    is_deeply([@$answer{qw(status whole)}, length $answer->{body}], [200, 0, 100],
              "speech that breaks off ($script): what came, and no end");
    is_noted($answer, "speech ($script)", finish => 'error');
}

# ------------------------------------------------------------------------------ errors, ends

my @streams = (
    ['/images/generations', { prompt => 'x', stream => $true, partial_images => 3 }],
    ['/audio/speech', { %$speech, stream_format => 'sse' }],
    ['/responses', { model => 'm', input => 'x', stream => $true }],
    ['/completions', { model => 'm', prompt => 'x', stream => $true }],
);
for my $case (@streams) {
    my ($path, $ask) = @$case;
    my $body = Gate::to_json($ask);
    my $answer = $caller->request(path => "/one/v1$path", body => $body,
                                  headers => { 'X-Sim' => 'error=4' });
    my @events = grep { defined $_->{data} } Gate::events($answer->{body});
    is($answer->{status}, 200, "$path: a late error has its status behind it");
    like($events[-1]{data}, qr/"error"/, "$path: the provider's error is the last event");
    is_noted($answer, "$path: a late error", finish => 'error');
    # One that comes first is another target's chance.
    $answer = $caller->request(path => "/two/v1$path", body => $body,
                               headers => { 'X-Sim' => 'error=1' });
    is($answer->{status}, 200, "$path: an error first");
    unlike($answer->{body}, qr/"error":\{/, "$path: is not shown");
    is_noted($answer, "$path: an error first", attempts => 2, target => 'surface-second');
}
for my $case (@streams[2, 3]) {
    my ($path, $ask) = @$case;
    my $answer = $caller->request(path => "/one/v1$path", body => Gate::to_json($ask),
                                  headers => { 'X-Sim' => 'cut=5' });
    like($answer->{body}, qr/stream_broken/, "$path: a stream that breaks off says so");
}
my $unended = $caller->request(path => '/one/v1/responses', body => Gate::to_json($streams[2][1]),
                               headers => { 'X-Sim' => 'done=0' });
like($unended->{body}, qr/stream_broken/, '/responses: so does one that ends without its event');

for my $path ('/audio/speech', '/images/generations', '/moderations', '/rerank', '/responses') {
    my $ask = { model => 'm', input => 'x', prompt => 'x', voice => 'v', query => 'q',
                documents => [] };
    my $answer = $caller->request(path => "/two/v1$path", body => Gate::to_json($ask),
                                  headers => { 'X-Sim' => 'status=503' });
    is($answer->{status}, 200, "$path: another target makes a 503 good");
    is_noted($answer, $path, attempts => 2, target => 'surface-second');
    $answer = $caller->request(path => "/two/v1$path", body => Gate::to_json($ask),
                               headers => { 'X-Sim' => 'wrongtype=1' });
    is_noted($answer, "$path: a page is no answer", attempts => 2, status => 200);
    $answer = $caller->request(path => "/one/v1$path", body => Gate::to_json($ask),
                               headers => { 'X-Sim' => 'status=429;retry_after=7' });
    is_deeply([$answer->{status}, $answer->{headers}{'retry-after'}, error_of($answer)->{code}],
              [429, 7, 'rate_limit_exceeded'], "$path: the provider's own error");
}

# ------------------------------------------------------------------------------ the model

for my $path ('/completions', '/responses', '/audio/speech', '/rerank', '/audio/transcriptions') {
    my $answer = $caller->request(path => "/one/v1$path", body => '{"input":"x"}');
    is_deeply([$answer->{status}, error_of($answer)->{param}], [400, 'model'],
              "$path: needs a model");
}
for my $path ('/moderations', '/images/generations') {
    my $answer = $caller->request(path => "/named/v1$path", body => '{"input":"x","prompt":"x"}');
    is_deeply([$answer->{status}, error_of($answer)->{code}], [404, 'not_found'],
              "$path: without a model it goes by the route for '*'");
    $answer = $caller->request(path => "/named/v1$path",
                               body => '{"model":"text-a","input":"x","prompt":"x"}');
    is($answer->{status}, 200, "$path: with one by its own");
}
for my $path ('/rerank', '/moderations', '/completions') {
    my $answer = $caller->request(path => "/one/v1$path", body => Gate::to_json(
        { model => 'alias', query => 'x', documents => [], input => 'x', prompt => 'x' }));
    is((Gate::truths(id_of($answer)))[0]{model}, 'a-much-longer-name-at-this-target',
       "$path: a model is renamed");
}

# ------------------------------------------------------------------------------ methods

my $before = Gate::calls()->{total};
for my $path (qw(/completions /responses /moderations /images/generations /images/edits
                 /images/variations /audio/speech /audio/transcriptions /audio/translations
                 /rerank)) {
    my @bad = grep {
        my $answer = $caller->request(method => $_, path => "/one/v1$path");
        $answer->{status} != 405 || ($answer->{headers}{allow} // '') !~ /^POST(?:,TRACE)?$/
    } qw(GET PUT DELETE HEAD);
    is("@bad", '', "$path takes POST alone");
}
is(Gate::calls()->{total}, $before, 'the provider heard of none of it');

done_testing();
