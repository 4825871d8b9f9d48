#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# uploads.t - does a form that is longer than AIBodyLimit pass, in one attempt, and hold no memory?

use strict;
use warnings;

use Compress::Zlib qw(memGzip);
use Form ();
use Gate ();
use OwnServer ();
use Test::More;

my $caller = Gate::caller_of('h1', 'surface');
my $speech = '/audio/transcriptions';
my $limit  = '/limit/v1';    # AIBodyLimit 64k
my $mega   = 1 << 20;

sub id_of    { return $_[0]{headers}{'x-request-id'} }
sub log_of   { return Gate::logged(id => id_of($_[0])) }
sub error_of { return eval { Gate::from_json($_[0]{body})->{error} } // {} }

# Sends a long form, and reads the answer.
sub upload
{
    my ($form, %o) = @_;
    Form::send($caller, $form, %o);
    return $caller->finish;
}

# ------------------------------------------------------------------------------ it passes

for my $chunked (0, 1) {
    my $how  = $chunked ? 'in chunks' : 'with its length';
    my $form = Form::long($mega, model => 'audio-1');
    my $answer = upload($form, path => "$limit$speech", chunked => $chunked);
    is_deeply([@$answer{qw(status whole)}], [200, 1], "$how: answered") or diag(Gate::brief($answer));
    my ($truth) = Gate::truths(id_of($answer));
    is_deeply([@$truth{qw(body_bytes body_hash model)}],
              [$form->{length}, Form::hash($form), 'audio-1'], "$how: every byte");
    my %names = map { $_ => 1 } @{ $truth->{header_names} };
    is(join(',', grep { $names{$_} } qw(content-length transfer-encoding)),
       $chunked ? 'transfer-encoding' : 'content-length', "$how: goes up as it came");
    is_deeply([@{ log_of($answer) }{qw(target attempts model finish prompt completion)}],
              ['surface-sim', 1, 'audio-1', 'stop', 10, 12], "$how: noted");
    unlike($answer->{headers}{connection} // '', qr/close/i, "$how: the connection stays");
    is($caller->request(path => '/one/v1/moderations', body => '{"input":"x"}')->{status}, 200,
       "$how: and serves the next request");

    $form = Form::long($mega, model => 'alias');
    ($truth) = Gate::truths(id_of(upload($form, path => "$limit$speech", chunked => $chunked)));
    my $longer = length('a-much-longer-name-at-this-target') - length 'alias';
    is_deeply([@$truth{qw(body_bytes model)}],
              [$form->{length} + $longer, 'a-much-longer-name-at-this-target'],
              "$how: the model is renamed");

    $form = Form::long($mega, purpose => 'batch');
    ($truth) = Gate::truths(id_of(upload($form, path => "$limit/files", chunked => $chunked)));
    is_deeply([@$truth{qw(body_bytes body_hash)}], [$form->{length}, Form::hash($form)],
              "$how: a file");
}
{
    # Exactly as long as the limit is held, and can be sent again.
    my $bare = length Form::body(model => 'audio-1', file => ['x', '']);
    my $body = Form::body(model => 'audio-1', file => ['x', 'y' x (65536 - $bare)]);
    for my $chunked (0, 5000) {
        my $answer = $caller->request(path => "$limit$speech", body => $body, chunked => $chunked,
                                      headers => { Form::type(), 'X-Sim' => 'status=503' });
        my $again = $chunked ? 'in chunks nobody can know that it ends there' : 'two targets';
        is_deeply([$answer->{status}, log_of($answer)->{attempts}],
                  $chunked ? [503, 1] : [200, 2], "a form as long as the limit: $again");
    }
}
{
    # mod_deflate refuses what grows too much.
    my $form   = Form::body(model => 'm', file => ['x', join('', map { $_ * $_ } 1 .. 80_000)]);
    my $zipped = memGzip($form);
    my $answer = $caller->request(path => "/limit-inflate/v1$speech", body => $zipped,
                                  headers => { Form::type(), 'Content-Encoding' => 'gzip' });
    my ($truth) = Gate::truths(id_of($answer));
    is_deeply([$answer->{status}, $truth->{model}, $truth->{body_bytes}],
              [200, 'm', length $form],
              'inflated by the site');
    $answer = $caller->request(path => "$limit/files", body => $zipped,
                               headers => { Form::type(), 'Content-Encoding' => 'gzip' });
    is($answer->{status}, 415, 'compressed, and nobody inflates it');
}
{
    # 100 Continue comes before the upload, and an interim answer is none.
    my $polite = Gate::caller_of('h1', 'surface');
    my $form   = Form::long($mega, model => 'audio-1');
    Form::send($polite, $form, path => "$limit$speech", head_only => 1,
               headers => { Expect => '100-continue' });
    is($polite->head->{status}, 100, 'Expect: 100-continue');
    $polite->{answer} = undef;
    $polite->send_raw($form->{head} . Form::blocks($form) . $form->{tail});
    is($polite->finish->{status}, 200, 'and then the answer');
}
{
    my $h2   = Gate::caller_of('h2', 'surface_tls');
    my $body = Form::body(model => 'audio-1', file => ['x', 'y' x $mega]);
    my $answer = $h2->request(path => "$limit$speech", body => $body, headers => { Form::type() });
    my ($truth) = Gate::truths(id_of($answer));
    is_deeply([$answer->{status}, $truth->{body_bytes}], [200, length $body], 'over HTTP/2');
}

# ------------------------------------------------------------------------------ in one attempt

for my $script ('status=503', 'reset=headers', 'wrongtype=1') {
    my $answer = upload(Form::long($mega, model => 'audio-1'), path => "$limit$speech",
                        headers => { 'X-Sim' => $script });
    cmp_ok($answer->{status}, '>=', 500, "$script: the failure is the answer");
    is_deeply([@{ log_of($answer) }{qw(target attempts)}], ['surface-sim', 1],
              "$script: no other target is asked");
    is(scalar(Gate::truths(id_of($answer))), 1, "$script: and it was sent once");
}

# ------------------------------------------------------------------------------ which model

my $before = Gate::calls()->{total};
my $behind = Form::part(model => 'audio-2');
for my $chunked (0, 1) {
    for my $place ('/limit/v1', '/limit-named/v1') {
        my $answer = upload(Form::long($mega, behind => $behind), path => "$place$speech",
                            chunked => $chunked);
        is_deeply([$answer->{status}, error_of($answer)->{param}], [400, 'model'],
                  "$place: no model where it is looked for");
        like(error_of($answer)->{message}, qr/within its first 65536 bytes/, 'it says where');
        is($answer->{headers}{connection}, 'close', 'the upload is not waited for');
    }
    my $answer = upload(Form::long($mega, model => 'unknown'), path => "/limit-named/v1$speech",
                        chunked => $chunked);
    is_deeply([$answer->{status}, error_of($answer)->{code}], [404, 'model_not_found'],
              'a model without a route');
    is($answer->{headers}{connection}, 'close', 'is refused before the upload is over');
}
is(Gate::calls()->{total}, $before, 'the provider heard of none of them');

# What is wrong with the rest is seen while it goes up: no provider ever has the whole of it.
for my $case (['a second model', 'invalid_form', qr/twice/, $speech,
               model => 'audio-1', behind => $behind],
              ['a model too late', 'invalid_form', qr/too far behind/, '/images/edits',
               prompt => 'x', behind => $behind],
              ['a part that cannot be read', 'invalid_form', qr/Content-Disposition/, $speech,
               model => 'audio-1', behind => "--$Form::BOUNDARY\r\nX: y\r\n\r\nz\r\n"]) {
    my ($what, $code, $message, $path, @fields) = @$case;
    for my $chunked (0, 1) {
        my $answer = upload(Form::long($mega, @fields), path => "$limit$path", chunked => $chunked);
        is_deeply([$answer->{status}, error_of($answer)->{code}], [400, $code],
                  "$what behind the limit: 400") or diag(Gate::brief($answer));
        like(error_of($answer)->{message}, $message, "$what: why");
        my ($truth) = Gate::truths(id_of($answer));
        is_deeply([$truth->{status}, $truth->{ended} =~ /^client-/ ? 1 : 0], [0, 1],
                  "$what: the provider never had all of it");
        is(log_of($answer)->{finish}, 'error', "$what: noted");
    }
}
{
    my $form = Form::long($mega, model => 'audio-1');
    $form->{tail} = "\r\n" . 'z' x (length($form->{tail}) - 2);
    my $answer = upload($form, path => "$limit$speech");
    is_deeply([$answer->{status}, error_of($answer)->{code}], [400, 'invalid_form'],
              'a long form without its end');
}

# ------------------------------------------------------------------------------ who leaves

for my $chunked (0, 1) {
    my $mark = Gate::mark();
    my $leaver = Gate::caller_of('h1', 'surface');
    Form::send($leaver, Form::long(4 * $mega, model => 'audio-1'), path => "$limit$speech",
               chunked => $chunked, headers => { 'X-Mark' => $mark },
               on_block => sub { return $_[0] == 20 });
    Gate::await_active(1);
    $leaver->close;
    my $log = Gate::logged(mark => $mark);
    my ($truth) = Gate::truths($log->{id});
    like($truth->{ended}, qr/^client-/, "the caller leaves, chunked $chunked: so does the gateway");
    is($truth->{status}, 0, 'nothing was answered');
    is($log->{finish}, 'client-abort', 'noted');
}
{
    my $broken = Gate::caller_of('h1', 'surface');
    Form::send($broken, Form::long($mega, model => 'audio-1'), path => "$limit$speech",
               chunked => 1, on_block => sub { return $_[0] == 5 });
    $broken->send_raw("zz\r\n");
    my $answer = $broken->finish;
    is_deeply([$answer->{status}, error_of($answer)->{code}], [400, 'broken_upload'],
              'a chunk whose length is no number');
    is($answer->{headers}{'content-type'}, 'application/json', 'is answered in JSON');
}
for my $case (['early=100000;status=413', qr/^(?:413|502)$/], ['early=100000;status=400', qr/^(?:400|502)$/],
              ['early=100000;reset=headers', qr/^502$/], ['early=0;reset=headers', qr/^502$/]) {
    my ($script, $status) = @$case;
    my $eager = Gate::caller_of('h1', 'surface');
    Form::send($eager, Form::long(16 * $mega, model => 'audio-1'), path => "$limit$speech",
               headers => { 'X-Sim' => $script });
    my $answer = $eager->finish;
    like($answer->{status}, $status, "the target ends it ($script)") or diag(Gate::brief($answer));
    is($answer->{headers}{'content-type'}, 'application/json', 'in JSON');
    is_deeply([@{ log_of($answer) }{qw(target attempts)}], ['surface-sim', 1], 'after one attempt');
    $eager->close;
}

{
    # It reads no more, and does not close: not for as long as it likes.
    my $server = OwnServer->new(conf => <<"END");
<AITarget impatient>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
    AITargetForward X-Sim
    AITargetFirstByteTimeout 200ms
    AITargetIdleTimeout 200ms
</AITarget>
<AITarget other>
    AITargetURL http://localhost:$ENV{AI_SIM_PORT}/v1
</AITarget>
<Location /v1>
    AIEngine On
    AIAnonymous On
    AIBodyLimit 64k
    AIRoute * impatient other
</Location>
END
    my $eager = $server->caller;
    Form::send($eager, Form::long(32 * $mega, model => 'm'), path => "/v1$speech",
               headers => { 'X-Sim' => 'early=100000;delay=60000' });
    my $answer = $eager->finish;
    is_deeply([$answer->{status}, error_of($answer)->{code}], [502, 'upstream_error'],
              'the target takes no more: it is given up') or diag(Gate::brief($answer));
    like($server->read_file('error_log'), qr/AI0109: .* impatient, failed: broken/, 'alone');
    $eager->close;
}

# ------------------------------------------------------------------------------ memory, time

my $server = OwnServer->new(conf => <<"END");
AIBodyMemory 6m
<AITarget sim>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
    AITargetForward X-Sim
    AITargetFirstByteTimeout 300ms
</AITarget>
<Location /v1>
    AIEngine On
    AIAnonymous On
    AIBodyLimit 4m
    AIRouteRetries 0
    AIRoute * sim
</Location>
END

# The largest that any process of the server ever was, in bytes.
sub peak
{
    my $peak = 0;
    for my $status (glob('/proc/[0-9]*/status')) {
        open(my $fh, '<', $status) or next;
        local $/;
        my $text = <$fh> // '';
        my ($parent) = $text =~ /^PPid:\s+(\d+)/m;
        my ($kb)     = $text =~ /^VmHWM:\s+(\d+) kB/m;
        $peak = $kb * 1024 if defined $kb && $parent == $server->{pid} && $kb * 1024 > $peak;
    }
    return $peak;
}

is($server->caller->request(path => "/v1$speech", headers => { Form::type() },
       body => Form::body(model => 'm', file => ['x', 'y' x (3 * $mega)]))->{status}, 200,
   'a form of 3 MB is held');
my $held = peak();
cmp_ok($held, '>', 0, 'the size of the server is known');
for my $chunked (0, 1) {
    my $form = Form::long(200 * $mega, model => 'm');
    my $long = $server->caller;
    Form::send($long, $form, path => "/v1$speech", chunked => $chunked);
    my $answer = $long->finish;
    my ($truth) = Gate::truths(id_of($answer));
    is_deeply([$answer->{status}, $truth->{body_bytes}], [200, $form->{length}],
              "200 MB, chunked $chunked");
    my $more = peak() - $held;
    cmp_ok($more, '<', 24 * $mega, "took no more memory than a form of 3 MB (@{[ $more >> 10 ]} KB)");
    $long->close;
}
{
    # Where the length tells, nothing is held beside the beginning with the model. In chunks the
    # beginning is held, but given back once its rest passes: so another upload finds room.
    my $slow = $server->caller;
    Form::send($slow, Form::long(64 * $mega, model => 'm'), path => "/v1$speech", chunked => 1,
               on_block => sub { return $_[0] == 400 });
    my $other = $server->caller->request(path => "/v1$speech", headers => { Form::type() },
        body => Form::body(model => 'm', file => ['x', 'y' x (3 * $mega)]));
    is($other->{status}, 200, 'what is held of a long form is given back while its rest passes');
    $slow->close;
}
{
    # The caller takes longer than the target may: the time for its first byte begins at the end.
    my $form = Form::long(8 * $mega, model => 'm');
    my $slow = $server->caller;
    Form::send($slow, $form, path => "/v1$speech", on_block => sub {
        return 0 if $_[0] != 100;
        Gate::caller_to_sim()->request(path => '/v1/moderations', body => '{"input":"x"}',
                                       headers => { 'X-Sim' => 'delay=600' });
        return 0;
    });
    is($slow->finish->{status}, 200, 'a slow upload is not a slow target');
}

done_testing();
