#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# forms.t - is a form routed by the model that it names, and else left as it is?

use strict;
use warnings;

use Form ();
use Gate ();
use Test::More;

my $caller = Gate::caller_of('h1', 'surface');
my $path   = '/audio/transcriptions';
my $sound  = ['a "b".wav' =~ s/"/%22/gr, join('', map { chr } 0 .. 255) . "\r\n--\r\n-\n" x 300];

sub id_of    { return $_[0]{headers}{'x-request-id'} }
sub error_of { return eval { Gate::from_json($_[0]{body})->{error} } // {} }

sub post
{
    my ($where, $body, %headers) = @_;
    return $caller->request(path => $where, body => $body, headers => { Form::type(), %headers });
}

# What the provider was sent.
sub echoed
{
    my ($answer) = @_;
    my $text = Gate::from_json($answer->{body})->{text};
    utf8::encode($text);
    my $seen = Gate::from_json($text);
    utf8::downgrade($seen->{body}, 1);
    return $seen;
}

# ------------------------------------------------------------------------------ every byte

my $plain = Form::body(model => 'm', prompt => "two\r\nlines", file => ['a.txt', "x\r\n--\r\ny\n"]);
for my $chunked (0, 7) {
    my $answer = $caller->request(path => "/one/v1$path", body => $plain, chunked => $chunked,
                                  headers => { Form::type(), 'X-Sim' => 'echo=1' });
    my $seen = echoed($answer);
    is($seen->{body}, $plain, "every byte of the form, chunked $chunked");
    is($seen->{headers}{'content-length'}, length $plain, "its length, chunked $chunked");
    is($seen->{headers}{'content-type'}, {Form::type()}->{'Content-Type'}, 'its type');
}
my $binary = Form::body(file => $sound, model => 'm');
my $mark = Gate::mark();
Gate::caller_to_sim()->request(path => "/v1$path", body => $binary,
                               headers => { Form::type(), 'X-Sim' => "mark=$mark" });
my $want = Gate::truth_of_mark($mark);
my ($got)  = Gate::truths(id_of(post("/one/v1$path", $binary)));
is_deeply([@$got{qw(body_bytes body_hash model)}], [length $binary, $want->{body_hash}, 'm'],
          'a binary file in front of the model');

# ------------------------------------------------------------------------------ another name

my $long_name = 'a-much-longer-name-at-this-target';
for my $order (0, 1) {
    my @fields = $order ? (file => ['a.txt', 'alias'], model => 'alias')
                        : (model => 'alias', x => 'model', file => ['a.txt', 'alias']);
    my $seen = echoed(post("/one/v1$path", Form::body(@fields), 'X-Sim' => 'echo=1'));
    my @renamed = map { $_ eq 'alias' ? $long_name : $_ } @fields;
    is($seen->{body}, Form::body(@renamed), "the model is renamed in its place, order $order");
    is($seen->{headers}{'content-length'}, length $seen->{body}, 'and the length is right');
}
is(Gate::logged(id => id_of(post("/one/v1$path", Form::body(model => 'alias', file => $sound))))->{served},
   $long_name, 'and it is noted');

# ------------------------------------------------------------------------------ the route

for my $case (['audio-1', 200, 'surface-second'], ['text-1', 200, 'surface-sim']) {
    my ($model, $status, $target) = @$case;
    my $answer = post("/named/v1$path", Form::body(file => $sound, model => $model));
    is_deeply([$answer->{status}, Gate::logged(id => id_of($answer))->{target}],
              [$status, $target], "$model goes by its route");
}
my $answer = post("/named/v1$path", Form::body(model => 'unknown', file => $sound));
is_deeply([$answer->{status}, @{ error_of($answer) }{qw(code param)}],
          [404, 'model_not_found', 'model'], 'a model without a route');
is(post("/named/v1/images/edits", Form::body(prompt => 'x', image => $sound))->{status}, 404,
   'no model, and no route for "*"');

# What is held can be sent again.
$answer = post("/two/v1$path", Form::body(file => $sound, model => 'alias'), 'X-Sim' => 'status=503');
my @tries = Gate::truths(id_of($answer), 2);
is_deeply([$answer->{status}, map { $_->{model} } @tries],
          [200, $long_name, 'b'], 'a second target gets the form anew');
is($tries[0]{body_bytes} - $tries[1]{body_bytes},
   length($long_name) - length 'b', 'with the name that it has there');

# ------------------------------------------------------------------------------ what is refused

my $before = Gate::calls()->{total};
my $two  = Form::body(model => 'a', file => ['x', 'y'], model => 'b');
my $name = Form::body(model => 'm', file => ['x', 'y']);
my @bad  = (
    # what, body, message, param
    ['two models', $two, qr/a field twice/],
    ['a model in capital letters', $name =~ s/"model"/"Model"/r, qr/capital letters/],
    ['a model that is a file', Form::body(model => ['x', 'm']), qr/a file/],
    ['a line end in a model', Form::body(model => "a\r\nb"), qr/control character/],
    ['a NUL in a model', Form::body(model => "a\0b"), qr/control character/],
    ['a model that is no UTF-8', Form::body(model => "\xff"), qr/UTF-8/],
    ['a model that is too long', Form::body(model => 'm' x 257), qr/too long/],
    ['name*', $name =~ s/name="model"/name*=utf-8''model/r, qr/name\*/],
    ['base64', $name =~ s/name="model"/$&\r\nContent-Transfer-Encoding: base64/r, qr/encoded/],
    ['a bare line feed', $name =~ s/m\r\n--/m\n--/r, qr/control character/],
    ['a boundary behind a bare line feed', Form::body(model => 'm', f => "x\n--$Form::BOUNDARY"),
     qr/behind a line end/],
    ['no end', substr($name, 0, -4), qr/ends before/],
    ['nothing', '', qr/ends before/],
    ['JSON', '{"model":"m"}', qr/begin with its boundary/],
    ['a second form behind the end', $name . $name, qr/goes on/],
    ['a head that is too long', $name =~ s/name="model"/"$&; x=" . 'y' x 5000/er, qr/too long/],
    ['no model', Form::body(file => $sound), qr/'model' is missing/, 'model'],
    ['an empty model', Form::body(model => ''), qr/must not be empty/, 'model'],
);
for my $case (@bad) {
    my ($what, $body, $message, $param) = @$case;
    $answer = post("/one/v1$path", $body);
    is_deeply([$answer->{status}, @{ error_of($answer) }{qw(code param)}],
              [400, $param ? undef : 'invalid_form', $param], "$what: 400");
    like(error_of($answer)->{message}, $message, "$what: why");
}
for my $type ('multipart/form-data', 'multipart/form-data; boundary=',
              'multipart/form-data; boundary=a; boundary=b',
              'multipart/form-data; boundary="' . 'b' x 71 . '"') {
    $answer = post("/one/v1$path", $name, 'Content-Type' => $type);
    is_deeply([$answer->{status}, error_of($answer)->{code}], [400, 'invalid_form'], $type);
}
$answer = post("/one/v1$path", 'model=m', 'Content-Type' => 'application/x-www-form-urlencoded');
is($answer->{status}, 400, 'another kind of form');
is(post('/one/v1/chat/completions', $name)->{status}, 400, 'a chat is no form');
is(Gate::calls()->{total}, $before, 'the provider heard of none of them');
is(post("/one/v1$path", $name)->{status}, 200, 'the connection is still good');

# Where no model is looked for a form passes unread.
for my $other ('/files', '/uploads/u/parts', '/things') {
    my ($truth) = Gate::truths(id_of(post("/one/v1$other", $two)));
    is($truth->{body_bytes}, length $two, "$other: a form passes unread");
}

done_testing();
