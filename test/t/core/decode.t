#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# decode.t - what counts as a request?
#
# What two readers could read differently is refused before a provider hears of it; what is right
# reaches the provider byte for byte, however odd it looks.

use strict;
use warnings;

use Gate ();
use Test::More;

my $caller = Gate::caller_of('h1', 'core');

sub post
{
    my ($body, $path, $type) = @_;
    return $caller->request(path => $path // '/v1/chat/completions', body => $body,
                            headers => { 'X-Sim' => 'echo=1',
                                         'Content-Type' => $type // 'application/json' });
}

sub nested { my ($n) = @_; return '[' x $n . ']' x $n }
sub with   { my ($more) = @_; return qq({"model":"m","messages":[{"role":"user","content":"x"}],$more}) }
sub text   { my ($string) = @_; return qq({"model":"m","messages":[{"role":"user","content":"$string"}]}) }

# --------------------------------------------------------------------- not JSON, or not for sure

my @not_json = (
    ['nothing',                      ''],
    ['white space',                  " \r\n\t"],
    ['not a number',                 with('"temperature":NaN')],
    ['infinity',                     with('"temperature":Infinity')],
    ['minus infinity',               with('"temperature":-Infinity')],
    ['single quotes',                "{'model':'m'}"],
    ['a key without quotes',         '{model:"m"}'],
    ['a comma at the end',           '{"model":"m",}'],
    ['a comma at an array\'s end',   with('"stop":["a",]')],
    ['two commas',                   '{"model":"m",,"n":1}'],
    ['a comment',                    "{\"model\":\"m\"/* x */}"],
    ['a line comment',               "{\"model\":\"m\"} // x"],
    ['a second value',               '{"model":"m"}{"model":"n"}'],
    ['a byte behind',                '{"model":"m"} x'],
    ['a NUL behind',                 "{\"model\":\"m\"}\0"],
    ['a byte order mark',            "\xef\xbb\xbf{\"model\":\"m\"}"],
    ['an open object',               '{"model":"m"'],
    ['an open string',               '{"model":"m'],
    ['an open escape',               '{"model":"m\\'],
    ['wrong brackets',               with('"stop":["a"}')],
    ['an octal number',              with('"n":01')],
    ['a hexadecimal number',         with('"n":0x10')],
    ['a plus sign',                  with('"n":+1')],
    ['a number without its fraction', with('"n":1.')],
    ['a number without its whole',   with('"n":.5')],
    ['a number without its exponent', with('"n":1e')],
    ['a lone minus',                 with('"n":-')],
    ['capital true',                 with('"stream":True')],
    ['a bare word',                  with('"stream":yes')],
    ['a raw newline in a string',    text("a\nb")],
    ['a raw tab in a string',        text("a\tb")],
    ['a raw NUL in a string',        text("a\0b")],
    ['an unknown escape',            text('\\x41')],
    ['a short escape',               text('\\u12')],
    ['half a pair',                  text('\\ud83d')],
    ['the other half',               text('\\ude00')],
    ['halves in the wrong order',    text('\\ude00\\ud83d')],
    ['bad UTF-8',                    text("\xff")],
    ['cut UTF-8',                    text("\xe2\x82")],
    ['overlong UTF-8',               text("\xc0\xaf")],
    ['a surrogate in UTF-8',         text("\xed\xa0\x80")],
    ['above Unicode',                text("\xf4\x90\x80\x80")],
    ['UTF-16',                       "\xff\xfe{\0}\0"],
    ['a key twice',                  '{"model":"m","messages":[],"model":"n"}'],
    ['a key twice, by an escape',    '{"model":"m","messages":[],"mo\\u0064el":"n"}'],
    ['a key twice, both escaped',    '{"\\u006dodel":"m","\\u006Dodel":"n"}'],
    ['a key twice, deep inside',     with('"a":[{"b":{"c":1,"d":2,"c":3}}]')],
    ['a key twice, empty',           with('"":1,"":2')],
    ['129 levels',                   with('"x":' . nested(128))],
    ['1000 levels',                  with('"x":' . nested(1000))],
    ['100000 levels',                '{"x":' x 100_000],
    ['an array',                     '[{"model":"m"}]'],
    ['a string',                     '"model"'],
    ['a number',                     '1'],
    ['null',                         'null'],
);

my $before = Gate::calls()->{total};
for my $row (@not_json) {
    my ($what, $body) = @$row;
    my @bad;
    for my $path ('/v1/chat/completions', '/v1/embeddings') {
        my $answer = post($body, $path);
        my $error  = eval { Gate::from_json($answer->{body})->{error} } // {};
        push @bad, "$path: status $answer->{status}" unless $answer->{status} == 400;
        push @bad, "$path: type " . ($error->{type} // 'none')
            unless ($error->{type} // '') eq 'invalid_request_error';
        push @bad, "$path: code " . ($error->{code} // 'none')
            unless ($error->{code} // '') eq 'invalid_json';
    }
    ok(!@bad, "refused: $what") or diag("@bad");
}

# A body that says it is JSON is held to it everywhere; another one is the provider's business.
is(post('{"a":1,"a":2}', '/v1/responses')->{status}, 400, 'checked on other paths, too');
is(post('{"a":NaN}', '/v1/other', 'application/vnd.api+json; charset=utf-8')->{status}, 400,
   'checked by the type\'s suffix, too');
is(post('{"a":NaN}', '/v1/chat/completions', 'text/plain')->{status}, 400,
   'a chat is JSON whatever it says');

# --------------------------------------------------------------------------- JSON, but not an ask

my @not_asks = (
    ['no model',              '{"messages":[]}',                    'model'],
    ['model null',            '{"model":null,"messages":[]}',       'model'],
    ['model a number',        '{"model":1,"messages":[]}',          'model'],
    ['model a list',          '{"model":["m"],"messages":[]}',      'model'],
    ['model empty',           '{"model":"","messages":[]}',         'model'],
    ['model with a NUL',      '{"model":"m\\u0000x","messages":[]}', 'model'],
    ['model with a newline',  '{"model":"m\\nx","messages":[]}',    'model'],
    ['model with DEL',        "{\"model\":\"m\x7fx\",\"messages\":[]}", 'model'],
    ['stream a word',         with('"stream":"true"'),              'stream'],
    ['stream a number',       with('"stream":1'),                   'stream'],
    ['stream_options a list', with('"stream":true,"stream_options":[]'), 'stream_options'],
    ['stream_options true',   with('"stream":true,"stream_options":true'), 'stream_options'],
    (map { ["the field $_", with(qq("$_":1)), lc $_] }
        qw(Model MODEL Stream STREAM_OPTIONS Messages Input Max_Tokens MAX_COMPLETION_TOKENS N Tools)),
    ['a field in another case, escaped', with('"\\u004dodel":"n"'), 'model'],
);
for my $row (@not_asks) {
    my ($what, $body, $param) = @$row;
    my $answer = post($body);
    my $error  = eval { Gate::from_json($answer->{body})->{error} } // {};
    is_deeply([$answer->{status}, $error->{type}, $error->{param}],
              [400, 'invalid_request_error', $param], "refused: $what");
}
is(Gate::calls()->{total}, $before, 'the provider heard of none of them');

# ---------------------------------------------------------------------------- odd, but right

my $deep = with('"x":' . nested(127));
my @right = (
    ['the plain thing',         Gate::chat()],
    ['white space all over',    " \n{ \"model\" :\t\"m\" ,\r\n \"messages\" : [ ] } \n"],
    ['128 levels',              $deep],
    ['huge integers',           with('"seed":123456789012345678901234567890,"x":-9223372036854775809')],
    ['long fractions',          with('"temperature":0.10000000000000000000000000000000001,"x":1E400,"y":-0.0,"z":1e+05')],
    ['escapes as they are',     text('\\u0041\\/\\b\\f\\n\\r\\t\\"\\\\\\ud83d\\ude00')],
    ['UTF-8 of every length',   text("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")],
    ['a NUL, escaped',          text('a\\u0000b')],
    ['unknown fields',          with('"x_new":{"deep":[null,true,false,{}]},"":0')],
    ['an escaped key',          '{"mo\\u0064el":"m","messages":[]}'],
    ['null where it may be',    with('"stream":null,"stream_options":null')],
    ['the same key elsewhere',  with('"metadata":{"model":"x","Model":"y"}')],
    ['a model with odd letters', '{"model":"m\\u00e4\\ud83d\\ude00 /\\\\..","messages":[]}'],
);
# What the simulator calls the hash of a body: FNV-1a of 64 bits.
sub hash_of
{
    use integer;
    my $hash = -3750763034362895579;    # 0xcbf29ce484222325
    for my $byte (unpack('C*', $_[0])) {
        $hash = ($hash ^ $byte) * 0x100000001b3;
    }
    return sprintf('%016x', $hash);
}

for my $row (@right) {
    my ($what, $body) = @$row;
    my $answer = post($body);
    my ($truth) = Gate::truths($answer->{headers}{'x-request-id'});
    # The simulator itself finds no member whose name is escaped.
    is($answer->{status}, $what =~ /escaped key/ ? 400 : 200, "accepted: $what")
        or diag($answer->{body});
    is_deeply([@$truth{qw(body_bytes body_hash)}], [length $body, hash_of($body)],
              "byte for byte: $what");
}
is(hash_of('a'), 'af63dc4c8601ec8c', 'the hash is the one that is meant');

is(post('{"a":NaN}', '/v1/other', 'text/plain')->{status}, 200,
   'what is not called JSON passes unread');

# What was refused does not spoil the connection.
my $one = Gate::caller_of('h1', 'core');
for my $round (1 .. 3) {
    is($one->request(path => '/v1/chat/completions', body => '{')->{status}, 400, "round $round: bad");
    is($one->request(path => '/v1/chat/completions', body => Gate::chat())->{status}, 200,
       "round $round: good, on the same connection");
}

# The message tells where, and never what.
my $answer = post('{"model":"m","messages":[],"secret-canary":NaN}');
like(Gate::from_json($answer->{body})->{error}{message}, qr/ at byte 43\b/, 'it says where');
unlike($answer->{body}, qr/canary/, 'it does not say what');

done_testing();
