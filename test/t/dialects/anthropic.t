#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# anthropic.t - does a caller of Anthropic's API get what Anthropic would have said?
#
# Caller and target speak the same dialect: bytes pass as they are. What the gateway itself says is
# in the caller's shape, whoever it speaks for; a target of the other dialect is never asked.

use strict;
use warnings;

use Gate ();
use Test::More;

my $caller  = Gate::caller_of('h1', 'dialects');
my $sim     = Gate::caller_to_sim();
my %version = ('anthropic-version' => '2023-06-01');
my $json    = 'application/json';

sub yes { return JSON::PP::true() }

# A request for a message as JSON text; script goes behind the model's name.
sub message
{
    my (%o) = @_;
    my $model = $o{model} // 'm';
    $model .= "?$o{script}" if defined $o{script};
    return Gate::to_json({
        model => $model, max_tokens => $o{max_tokens} // 100,
        messages => [{ role => 'user', content => $o{text} // 'What does the river keep?' }],
        ($o{stream} ? (stream => yes()) : ()), %{ $o{more} // {} },
    });
}

sub post
{
    my ($path, $body, %headers) = @_;
    return $caller->request(path => $path, body => $body, headers => { %version, %headers });
}

sub direct
{
    my ($path, $body, %headers) = @_;
    return $sim->request(path => $path, body => $body, headers => { %version, %headers });
}

sub id_of { return $_[0]{headers}{'x-request-id'} // '' }

# The log line with the notes of dialect and endpoint beside it.
sub logged
{
    my ($answer) = @_;
    my $log = Gate::logged(id => id_of($answer));
    my $more = Gate::await('the notes of ' . id_of($answer), sub {
        open(my $notes, '<', 't/logs/dialects_notes') or return;
        my ($line) = grep { /^id="\Q$log->{id}\E" .*\n/ } <$notes>;
        return $line && { $line =~ /([\w-]+)="([^"]*)"/g };
    });
    return { %$log, %$more };
}

# Takes a streamed or plain message apart: text, finish, of (who said it), errors, stops, names of
# the events that do not agree with their data.
sub read_message
{
    my ($answer) = @_;
    my %seen = (text => '', of => '', errors => [], stops => 0, odd => 0, finish => undef);
    my %who;
    if (($answer->{headers}{'content-type'} // '') !~ m{^text/event-stream}) {
        my $value = eval { Gate::from_json($answer->{body}) };
        return { %seen, odd => 1 } unless ref $value eq 'HASH';
        return { %seen, errors => [$value->{error}] } if $value->{error};
        my $text = join('', map { $_->{text} // '' } @{ $value->{content} });
        return { %seen, text => $text, of => $value->{sim_id} // '',
                 finish => $value->{stop_reason}, stops => 1 };
    }
    for my $event (grep { defined $_->{data} } Gate::events($answer->{body})) {
        my $value = eval { Gate::from_json($event->{data}) } // {};
        my $type  = $value->{type} // '';
        $seen{odd}++ if $type eq '' || ($event->{name} // '') ne $type;
        push @{ $seen{errors} }, $value->{error} if $type eq 'error';
        $who{ $value->{sim_id} } = 1 if defined $value->{sim_id};
        $seen{text} .= $value->{delta}{text} // '' if $type eq 'content_block_delta';
        $seen{finish} = $value->{delta}{stop_reason} if $type eq 'message_delta';
        $seen{stops}++ if $type eq 'message_stop';
        $seen{last} = $type;
    }
    return { %seen, of => join(' ', sort keys %who) };
}

sub explain_it
{
    my ($answer) = @_;
    my $id = id_of($answer);
    return diag(Gate::brief($answer), $id ? Gate::to_json(logged($answer)) : ());
}

my $words = read_message(direct('/v1/messages', message(script => 'tokens=12')))->{text};
like($words, qr/^\w+(?: \S+){11}/, 'the simulator speaks Anthropic\'s API')
    or BAIL_OUT('no simulator of Anthropic\'s API');

# The simulator numbers its messages: what it says to the gateway is told from what it says to us.
sub without_number { return $_[0] =~ s/((?:msg|toolu|req)_sim)\d{6}/${1}N/gr }

# ------------------------------------------------------------------- bytes, down and up

my @scripts = ('', 'tokens=40;reasoning=3;cached=5;written=6', 'tool=1', 'refuse=1', 'usage=none',
               'tokens=0', 'comment=1', 'eol=crlf', 'eol=cr', 'chunk=7', 'size=3000');
for my $stream (0, 1) {
    my $how = $stream ? 'streamed' : 'plain';
    for my $script (@scripts) {
        my $body = message(stream => $stream, text => "Say \"\xc3\xa4\".");
        my @sim  = $script ? ('X-Sim' => $script) : ();
        my $there = direct('/v1/messages', $body, @sim);
        my $here  = post('/one/v1/messages', $body, @sim);
        is_deeply([@$here{qw(status whole)}, $here->{headers}{'content-type'},
                   without_number($here->{body})],
                  [200, 1, $there->{headers}{'content-type'}, without_number($there->{body})],
                  "$how, '$script': every byte of the answer") or explain_it($here);
        my ($truth) = Gate::truths(id_of($here));
        my ($seq) = $here->{body} =~ /msg_sim0*(\d+)/;
        is($seq, $truth->{seq}, "$how, '$script': and it is the one of this call");
    }
}

# What goes up: all of it, in the order and with the white space that it came with.
for my $row (['/messages', 0], ['/messages', 1], ['/messages/count_tokens', 0]) {
    my ($path, $stream) = @$row;
    my $body = qq( {"max_tokens" : 100,\n "x_new":{"a":[1e400,0.10]}, "model": "m\\u00e4" ,)
        . ($stream ? '"stream":true,' : '') . qq("system":"s","messages":[{"role":"user",)
        . qq("content":[{"type":"text","text":"\\ud83d\\ude00","cache_control":null}]}]}\n );
    my $there = direct("/v1$path", $body, 'X-Request-Id' => my $mark = Gate::mark());
    my $here  = post("/one/v1$path", $body);
    my ($direct)  = Gate::truths($mark);
    my ($through) = Gate::truths(id_of($here));
    is_deeply([$here->{status}, @$through{qw(body_bytes body_hash path)}],
              [200, length $body, $direct->{body_hash}, "/v1$path"],
              "$path, " . ($stream ? 'streamed' : 'plain') . ': every byte of the request')
        or explain_it($here);
}

# A model with another name there: that and nothing else is changed.
{
    my $body = '{"messages":[{"role":"user","content":"x"}] , "model" : "alias","max_tokens":9}';
    my $there = direct('/v1/messages', $body =~ s/"alias"/"served-name"/r,
                       'X-Request-Id' => my $mark = Gate::mark());
    my $here = post('/one/v1/messages', $body);
    is((Gate::truths(id_of($here)))[0]{body_hash}, (Gate::truths($mark))[0]{body_hash},
       'a model by another name: no other byte is changed');
    is(Gate::logged(id => id_of($here))->{served}, 'served-name', 'and it is noted');
    $here = post('/one/v1/messages/count_tokens', $body);
    is((Gate::truths(id_of($here)))[0]{model}, 'served-name', 'count_tokens: the same');
}

# ------------------------------------------------------------------- count_tokens, other paths

{
    my $body  = message(text => 'four words are here');
    my $there = direct('/v1/messages/count_tokens', $body);
    my $here  = post('/one/v1/messages/count_tokens', $body);
    my $log   = logged($here);
    is_deeply([@$here{qw(status body whole)}], [200, $there->{body}, 1], 'count_tokens: as it is');
    is_deeply([@$log{qw(dialect endpoint model target prompt completion source)}],
              ['anthropic', 'count-tokens', 'm', 'claude', '-', '-', '-'],
              'count_tokens: counted, but nothing was spent') or explain_it($here);

    $here = post('/one/v1/messages/batches', '{"requests":[]}');
    $log  = logged($here);
    is_deeply([$here->{status}, @$log{qw(dialect endpoint target)}],
              [200, 'anthropic', 'batches', 'claude'], 'a batch passes')
        or explain_it($here);

    $here = post('/one/v1/complete', '{"prompt":"x"}');
    $log  = logged($here);
    is_deeply([$here->{status}, @$log{qw(dialect endpoint target)}],
              [200, 'anthropic', 'other', 'claude'], 'a path nobody knows passes')
        or explain_it($here);
}

# --------------------------------------------------------------------------------- models

{
    my $get = sub { return $caller->request(path => "/named/v1/models$_[0]", headers => $_[1]) };
    my $list  = Gate::from_json($get->('', \%version)->{body});
    my @names = map { $_->{id} } @{ $list->{data} };
    is_deeply([sort @names], ['claude-b', 'gpt-a'], 'models: all that have a name');
    is_deeply([sort keys %$list], [qw(data first_id has_more last_id)], 'models: Anthropic\'s page');
    is_deeply([@$list{qw(first_id last_id)}, $list->{has_more} ? 1 : 0], [@names[0, -1], 0],
              'models: first and last');
    is_deeply([map { [sort keys %$_] } @{ $list->{data} }],
              [([qw(capabilities created_at deprecated_at display_name id lifecycle line
                    max_input_tokens max_tokens retires_at type)]) x 2], 'models: Anthropic\'s model');
    like($list->{data}[0]{created_at}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/, 'models: RFC 3339');
    my $one = Gate::from_json($get->('/claude-b', \%version)->{body});
    is_deeply([@$one{qw(type id display_name)}], ['model', 'claude-b', 'claude-b'], 'one model');
    is($get->('', \%version)->{headers}{'content-type'}, $json, 'models: JSON');

    $list = Gate::from_json($get->('', {})->{body});
    is_deeply([$list->{object}, [sort keys %$list], [sort keys %{ $list->{data}[0] }]],
              ['list', [qw(data object)], [qw(created id object owned_by)]],
              'without the header: OpenAI\'s list');
    $one = Gate::from_json($get->('/claude-b', {})->{body});
    is_deeply([@$one{qw(object id owned_by)}], ['model', 'claude-b', 'claude'],
              'without the header: OpenAI\'s model');
}

# ---------------------------------------------------------------------------------- errors

# name, status, type, code, host, request
my @errors = (
    ['no identity', 401, 'authentication_error', 'invalid_api_key', 'dialects_closed',
     path => '/v1/messages', body => message()],
    ['no identity, count_tokens', 401, 'authentication_error', 'invalid_api_key', 'dialects_closed',
     path => '/v1/messages/count_tokens', body => message()],
    ['no identity, models', 401, 'authentication_error', 'invalid_api_key', 'dialects_closed',
     path => '/v1/models'],
    ['httpd denies it', 403, 'permission_error', undef, 'dialects_closed',
     path => '/denied/v1/messages', body => message()],
    ['no such model', 404, 'not_found_error', 'model_not_found', 'dialects',
     path => '/named/v1/messages', body => message()],
    ['no such model in the list', 404, 'not_found_error', 'model_not_found', 'dialects',
     path => '/named/v1/models/m'],
    ['no JSON', 400, 'invalid_request_error', 'invalid_json', 'dialects',
     path => '/one/v1/messages', body => '{"model":'],
    ['a key twice', 400, 'invalid_request_error', 'invalid_json', 'dialects',
     path => '/one/v1/messages', body => '{"model":"m","messages":[],"model":"n"}'],
    ['no model', 400, 'invalid_request_error', undef, 'dialects',
     path => '/one/v1/messages', body => '{"messages":[]}'],
    ['a field in another case', 400, 'invalid_request_error', undef, 'dialects',
     path => '/one/v1/messages', body => message(more => { Max_Tokens => 1 })],
    ['too long', 413, 'request_too_large', 'request_too_large', 'dialects',
     path => '/small/v1/messages', body => message(text => 'x' x 400)],
    ['too long, in chunks', 413, 'request_too_large', 'request_too_large', 'dialects',
     path => '/small/v1/messages', body => message(text => 'x' x 400), chunked => 50],
    ['the wrong method', 405, 'invalid_request_error', undef, 'dialects',
     path => '/one/v1/messages'],
    ['the wrong method, count_tokens', 405, 'invalid_request_error', undef, 'dialects',
     method => 'PUT', path => '/one/v1/messages/count_tokens', body => message()],
    ['nobody there', 503, 'overloaded_error', undef, 'dialects',
     path => '/exhausted/v1/messages', body => message(model => 'refused')],
    ['nobody there, streamed', 503, 'overloaded_error', undef, 'dialects',
     path => '/exhausted/v1/messages', body => message(model => 'refused', stream => 1)],
);
for my $row (@errors) {
    my ($name, $status, $type, $code, $host, %request) = @$row;
    for my $marked (1, 0) {
        # Whose a path of both is, is told by the header alone.
        next if !$marked && $request{path} =~ /models/;
        my $answer = Gate::caller_of('h1', $host)->request(
            headers => { $marked ? %version : () }, %request);
        my $told = eval { Gate::from_json($answer->{body}) } // {};
        is_deeply([$answer->{status}, $answer->{headers}{'content-type'}, $answer->{whole},
                   $told->{type}, [grep { $_ ne 'details' } sort keys %{ $told->{error} // {} }],
                   $told->{error}{type}, length($told->{error}{message} // '') ? 1 : 0],
                  [$status, $json, 1, 'error', ['message', 'type'], $type, 1],
                  "$name" . ($marked ? '' : ', no version') . ": $status in Anthropic's shape")
            or diag(Gate::brief($answer));
        is($told->{error}{details}{error_code}, $code, "$name: the code") if defined $code;
        next if $status != 405;
        # httpd adds TRACE where the server has not said TraceEnable Off.
        is(join(',', grep { $_ ne 'TRACE' } split /,\s*/, $answer->{headers}{allow} // 'none'), 'POST',
           "$name: what is allowed");
    }
}

# What the provider says to a caller's fault is the caller's to see, byte for byte.
for my $stream (0, 1) {
    for my $status (400, 403, 404, 413, 422) {
        my $body  = message(stream => $stream);
        my $there = direct('/v1/messages', $body, 'X-Sim' => "status=$status");
        my $here  = post('/two/v1/messages', $body, 'X-Sim' => "status=$status");
        is_deeply([$here->{status}, without_number($here->{body}), logged($here)->{target}],
                  [$status, without_number($there->{body}), 'claude'],
                  ($stream ? 'streamed' : 'plain') . ": the target's own $status")
            or explain_it($here);
    }
}

# -------------------------------------------------------------------------------- fallback

# name, script, path, calls at the simulator, only where streamed
my @failures = (
    ['refused', '', model => 'refused', calls => 1],
    ['status 503', 'status=503;retry_after=7'],
    ['status 529', 'status=529'],
    ['status 429', 'status=429;retry_after=7'],
    ['status 500 with an HTML page', 'status=500;body=html'],
    ['status 401: our key, not the caller', 'status=401'],
    ['hang before the headers', 'delay=60000'],
    ['hang after the headers', 'first=60000'],
    ['reset before the headers', 'reset=headers'],
    ['no HTTP', 'garbage=headers'],
    ['an HTML page with 200', 'wrongtype=1'],
    ['a body that is garbage', 'garbage=body'],
    ['an error as first event', 'error=1', streamed => 1],
    ['an error as second event', 'error=2', streamed => 1],
    ['an error behind the ping', 'error=4', streamed => 1],
    ['an error behind the start of a thought', 'error=3;reasoning=3', streamed => 1],
    ['cut after a lifecycle event', 'cut=1', streamed => 1],
    ['cut after the ping', 'cut=3', streamed => 1],
    ['reset after the ping', 'reset=3', streamed => 1],
    ['hang after the start', 'stall=1', streamed => 1],
    ['hang after the ping', 'stall=3', streamed => 1],
    ['garbage as second event', 'garbage=2', streamed => 1],
    ['comments and then the end', 'comment=1;cut=1', streamed => 1],
    ['cut within the first event', 'bytes=20', streamed => 1],
);
for my $stream (1, 0) {
    for my $failure (@failures) {
        my ($name, $script, %o) = @$failure;
        next if $o{streamed} && !$stream;
        my $answer = post('/two/v1/messages', message(stream => $stream, model => $o{model}),
                          'X-Sim' => join(';', 'id=first', $script || ()));
        my @calls = Gate::truths(id_of($answer), $o{calls} // 2);
        my $seen  = read_message($answer);
        my $log   = logged($answer);
        is_deeply({
            status => $answer->{status}, whole => $answer->{whole}, text => $seen->{text},
            of => $seen->{of}, finish => $seen->{finish}, errors => scalar @{ $seen->{errors} },
            stops => $seen->{stops}, odd => $seen->{odd}, target => $log->{target},
            attempts => $log->{attempts}, to_second => scalar(grep { $_->{script} eq 'id=second' } @calls),
            retry_after => $answer->{headers}{'retry-after'},
            in_time => $answer->{seconds} < 1.8 ? 1 : 0,
        }, {
            status => 200, whole => 1, text => $words, of => 'second', finish => 'end_turn',
            errors => 0, stops => 1, odd => 0, target => 'claude-second', attempts => 2,
            to_second => 1, retry_after => undef, in_time => 1,
        }, ($stream ? 'streamed' : 'plain') . ", fallback: $name") or explain_it($answer);
    }
}

# An error event that nobody else makes good is an answer with the status of its type.
{
    my $answer = post('/exhausted/v1/messages', message(stream => 1, script => 'error=2'));
    my $told = eval { Gate::from_json($answer->{body}) } // {};
    is_deeply([$answer->{status}, $answer->{headers}{'content-type'}, $told->{type},
               $told->{error}{type}, $told->{error}{message}],
              [529, $json, 'error', 'overloaded_error', 'Overloaded'],
              'an error event of the last target: a plain 529') or explain_it($answer);
}
for my $stream (0, 1) {
    my $body   = message(stream => $stream, script => 'status=529;retry_after=3');
    my $there  = direct('/v1/messages', $body);
    my $answer = post('/exhausted/v1/messages', $body);
    is_deeply([$answer->{status}, without_number($answer->{body}), $answer->{headers}{'retry-after'}],
              [529, without_number($there->{body}), 3],
              ($stream ? 'streamed' : 'plain') . ': the last word is the provider\'s')
        or explain_it($answer);
}

# ------------------------------------------------------------------------ a stream that breaks

for my $break (['cut between events', 'cut=6', 'stream_broken'],
               ['cut within an event', 'bytes=1100', 'stream_broken'],
               ['cut with CRLF', 'cut=6;eol=crlf', 'stream_broken'],
               ['reset', 'reset=6', 'stream_broken'],
               ['silence', 'stall=6', 'stream_broken'],
               ['an event that is garbage', 'garbage=6', 'invalid_stream']) {
    my ($name, $script, $code) = @$break;
    my $answer = post('/two/v1/messages', message(stream => 1), 'X-Sim' => "id=first;$script");
    my $seen   = read_message($answer);
    my $error  = $seen->{errors}[0] // {};
    my $log    = logged($answer);
    is_deeply({
        status => $answer->{status}, whole => $answer->{whole}, stops => $seen->{stops},
        errors => scalar @{ $seen->{errors} }, last => $seen->{last}, odd => $seen->{odd},
        type => $error->{type}, code => $error->{details}{error_code},
        begins => $seen->{text} ne '' && index($words, $seen->{text}) == 0 ? 1 : 0,
        of => $seen->{of}, finish => $log->{finish}, attempts => $log->{attempts},
    }, {
        status => 200, whole => 1, stops => 0, errors => 1, last => 'error', odd => 0,
        type => 'api_error', code => $code, begins => 1, of => 'first', finish => 'error',
        attempts => 1,
    }, "broken: $name ends with one event: error") or explain_it($answer);
}

# Cut at every byte of an event: in its name, in its data, before its empty line.
for my $eol ('lf', 'crlf') {
    my $body  = message(stream => 1);
    my $whole = direct('/v1/messages', $body, 'X-Sim' => "id=first;eol=$eol")->{body};
    my ($before, $event) = $whole =~ /\A(.*?_delta\W.*?\n\r?\n)(event: content_block_delta\r?\n.*?\n\r?\n)/s;
    my @bad;
    for my $n (length($before) .. length("$before$event") - 1) {
        my $answer = post('/two/v1/messages', $body, 'X-Sim' => "id=first;eol=$eol;bytes=$n");
        my $seen   = read_message($answer);
        push @bad, $n - length $before if $answer->{status} != 200 || !$answer->{whole}
            || @{ $seen->{errors} } != 1 || $seen->{odd} || $seen->{last} ne 'error';
    }
    is_deeply(\@bad, [], "broken at every byte of an event, $eol: the error stands by itself")
        or diag("cut behind byte @bad of ", length $event);
}
{
    my $answer = post('/two/v1/messages', message(stream => 1), 'X-Sim' => 'id=first;error=6');
    my $seen   = read_message($answer);
    is_deeply([$answer->{whole}, $seen->{stops}, [map { $_->{message} } @{ $seen->{errors} }],
               logged($answer)->{finish}],
              [1, 0, ['Overloaded'], 'error'],
              'the target\'s own error event is handed on, and none is added')
        or explain_it($answer);
}

# ---------------------------------------------------------------------------- usage and finish

for my $stream (0, 1) {
    my $how = $stream ? 'streamed' : 'plain';
    my $ask = sub {
        my ($script, %o) = @_;
        my $answer = post('/one/v1/messages', message(stream => $stream, %o), 'X-Sim' => $script);
        return logged($answer);
    };
    my @counts = qw(prompt completion cached reasoning source);
    is_deeply([@{ $ask->('tokens=12') }{qw(prompt completion source)}], [7, 12, 'reported'],
              "$how: usage as reported");
    is_deeply([@{ $ask->('tokens=20;cached=40;written=30;reasoning=9') }{@counts}],
              [77, 29, 40, 9, 'reported'], "$how: the cache is a part of the prompt, read or written");
    for my $none ('none', 'null', 'negative', 'huge', 'text') {
        is_deeply([@{ $ask->("usage=$none") }{qw(prompt completion source)}], ['-', '-', '-'],
                  "$how: usage=$none is rather none than a wrong one");
    }
    is_deeply([@{ $ask->('usage=zero') }{qw(prompt completion source)}], [0, 0, 'reported'],
              "$how: zero is zero");
    my %finish = ('' => 'stop', 'tool=1' => 'tool', 'refuse=1' => 'filter');
    is($ask->($_ || 'id=x')->{finish}, $finish{$_}, "$how: finish $finish{$_}") for sort keys %finish;
    is($ask->('id=x', max_tokens => 5)->{finish}, 'length', "$how: finish length");
    my $log = $ask->('status=400');
    is_deeply([@$log{qw(prompt completion source)}], ['-', '-', '-'], "$how: an error has no usage");
    $log = $ask->('id=x');
    is_deeply([@$log{qw(dialect endpoint model stream)}],
              ['anthropic', 'chat', 'm', $stream ? 1 : '-'], "$how: what was asked is noted");
}
for my $usage ('early', 'late', 'every') {
    my $log = logged(post('/one/v1/messages', message(stream => 1), 'X-Sim' => "usage=$usage"));
    is_deeply([@$log{qw(prompt completion source)}], [7, 12, 'reported'], "streamed: usage=$usage");
}

# --------------------------------------------------------------------------------- headers, key

my %never = ('Authorization' => 'Bearer caller-canary', 'x-api-key' => 'caller-canary',
             'Cookie' => 'caller-canary', 'api-key' => 'caller-canary');
my %always = ('anthropic-version' => '2023-06-01', 'anthropic-beta' => 'a-1,b-2',
              'x-stainless-lang' => 'js', 'User-Agent' => 'Anthropic/JS 1.11.0');
for my $path ('/one/v1/messages', '/one/v1/messages/batches') {
    my $answer = post($path, message(), %never, %always, 'X-Sim' => 'echo=1');
    my $value  = Gate::from_json($answer->{body});
    my $echo   = $value->{content}[0]{text};
    utf8::encode($echo) if defined $echo;
    my $seen = defined $echo ? Gate::from_json($echo)->{headers} : $value->{request}{headers};
    is($seen->{'x-api-key'}, 'sk-provider-canary-Kx7Q', "$path: the target's key as x-api-key");
    ok(!exists $seen->{authorization}, "$path: and no Authorization beside it");
    unlike(join("\n", %$seen), qr/caller-canary/, "$path: nothing of the caller's keys");
    is_deeply({ map { $_ => $seen->{lc $_} } keys %always }, \%always, "$path: what may pass does");
    unlike($answer->{body}, qr/Kx7Q.*Kx7Q/s, "$path: the key is seen once, by the echo");
}
{
    # A target without a key gets none, least of all the caller's.
    my $answer = post('/two/v1/messages', message(model => 'refused', stream => 1), %never);
    my ($truth) = Gate::truths(id_of($answer));
    is_deeply([grep { /^(?:authorization|x-api-key|api-key|cookie)$/ } @{ $truth->{header_names} }],
              [], 'no key of its own: none goes up');
    # OpenAI's key goes its own way, also where both dialects have a target.
    $answer = $caller->request(path => '/mixed/v1/chat/completions', body => Gate::chat(model => 'around'),
                               headers => { %never, 'X-Sim' => 'id=x' });
    ($truth) = Gate::truths(id_of($answer));
    is_deeply([grep { /^(?:authorization|x-api-key)$/ } @{ $truth->{header_names} }],
              ['authorization'], 'an OpenAI target gets Authorization alone');
    unlike(join("\n", %{ $answer->{headers} }, $answer->{body}), qr/canary/, 'no key comes back');
    $answer = post('/one/v1/messages', message());
    ok(!exists $answer->{headers}{'anthropic-organization-id'},
       'the provider\'s name for our account stays here') or diag(Gate::brief($answer));
}

# ------------------------------------------------------------------------------- both dialects

my %ask = (
    anthropic => sub { return post('/mixed/v1/messages', message(@_), 'X-Sim' => 'id=first') },
    openai    => sub { return $caller->request(path => '/mixed/v1/chat/completions',
                                               body => Gate::chat(@_), headers => { 'X-Sim' => 'id=first' }) },
);
for my $stream (0, 1) {
    my $how = $stream ? 'streamed' : 'plain';
    # Between dialects a target is as good as one of the caller's own: the order of the route counts.
    for my $row (['claude-first', 'claude'], ['gpt-first', 'gpt'], ['around', 'gpt'],
                 ['only-gpt', 'gpt'], ['only-claude', 'claude']) {
        my ($model, $target) = @$row;
        for my $dialect (sort keys %ask) {
            my $answer = $ask{$dialect}->(model => $model, stream => $stream);
            my $log    = logged($answer);
            my $seen   = $dialect eq 'openai' ? Gate::read_chat($answer) : read_message($answer);
            is_deeply([$answer->{status}, $seen->{text}, @$log{qw(dialect target attempts)}],
                      [200, $words, $dialect, $target, 1],
                      "$how, $model: $dialect is answered by the first") or explain_it($answer);
        }
    }
}

# What is no chat goes to a target of its own kind, or nowhere.
{
    my $before = Gate::calls()->{total};
    my $answer = $caller->request(path => '/mixed/v1/embeddings', body => '{"model":"only-claude","input":"x"}');
    my $error  = (eval { Gate::from_json($answer->{body}) } // {})->{error};
    is_deeply([$answer->{status}, @{$error}{qw(type code param)}, Gate::calls()->{total}],
              [400, 'invalid_request_error', 'dialect_mismatch', 'model', $before],
              'embeddings: a route without a target that understands') or explain_it($answer);
    is(logged($answer)->{target}, '-', 'embeddings: and none is noted');
    $answer = $caller->request(path => '/mixed/v1/embeddings', body => '{"model":"claude-first","input":"x"}');
    is_deeply([$answer->{status}, @{ logged($answer) }{qw(target attempts)}], [200, 'gpt', 1],
              'embeddings: a target of another dialect is passed over') or explain_it($answer);
}

# A path of neither: who says its version gets errors in its own shape; any target may have it.
{
    my $answer = $caller->request(path => '/named/v1/things', body => '{}', headers => \%version);
    my $told = eval { Gate::from_json($answer->{body}) } // {};
    is_deeply([$answer->{status}, $told->{type}, $told->{error}{type}],
              [404, 'error', 'not_found_error'], 'no route for a path: Anthropic\'s shape')
        or diag(Gate::brief($answer));
    $answer = $caller->request(path => '/named/v1/things', body => '{}');
    $told = eval { Gate::from_json($answer->{body}) } // {};
    is_deeply([$answer->{status}, $told->{type}, $told->{error}{type}],
              [404, undef, 'invalid_request_error'], 'without the header: OpenAI\'s shape')
        or diag(Gate::brief($answer));
    $answer = $caller->request(path => '/mixed/v1/things', body => '{"model":"only-gpt"}',
                               headers => \%version);
    is_deeply([$answer->{status}, logged($answer)->{target}], [200, 'gpt'],
              'what is passed through unread may go anywhere') or diag(Gate::brief($answer));
}

done_testing();
