#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# bodies.t - is what is kept of a prompt and an answer what was sent and what came, as far as it shall
# be, and not more?
#
# The parts in the spool are compared with the bytes that the caller sent and got. The provider says
# what the prompt says (echo), in pieces of 16 bytes: so a secret in it is always cut over events.

use strict;
use warnings;

use AuthServer ();
use Digest::SHA qw(sha256_hex);
use File::Temp qw(tempdir);
use Gate ();
use Keys ();
use Spool ();
use Test::More;

my $folder = tempdir('ai-spool-XXXXXX', TMPDIR => 1, CLEANUP => 1) . '/spool';
my %key = map { $_ => Keys::make(user => "u-$_", tenant => $_) } qw(full red meta mute);
my $server = AuthServer->new([values %key], <<"END");
LogLevel trace8 http2:debug
AIAuditSpool $folder
AIAudit On
AIAuditBody full "expr=%{note:ai-tenant} == 'full'"
AIAuditBody redacted "expr=%{note:ai-tenant} == 'red'"
AIAuditBody none "expr=%{note:ai-tenant} == 'mute'"
AIAuditBody full "expr=-z %{note:ai-tenant}"
<AITarget claude>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
    AITargetDialect anthropic
    AITargetKeyFile $ENV{AI_STAGE}/t/conf/core.key
    AITargetForward X-Sim
</AITarget>
<Macro Ours>
    AIEngine On
    AIRoute claude* claude
    AIRoute * sim
    Require ai-key
</Macro>
<Location "/v1">
    Use Ours
    AIAuthModels * !evil*
</Location>
<Location "/any/v1">
    Use Ours
    AIAuditCaller On
</Location>
<Location "/free/v1">
    Use Ours
    AIAuditCaller On
    AIAuditFloor none
</Location>
<Location "/own/v1">
    Use Ours
    AIAuditRedact email
    AIAuditRedactRegex ticket TICKET-[0-9]+
    AIAuditRedactRegex slow "((a+)+,)+SLOW"
</Location>
<AITarget canned>
    AITargetURL http://127.0.0.1:@{[Gate::canned_port()]}/v1
</AITarget>
<Location "/packed/v1">
    AIEngine On
    AIRoute * canned
    Require ai-key
</Location>
END

sub ask
{
    my ($who, %o) = @_;
    my $caller = $server->caller;
    my $answer = $caller->request(
        path => $o{path} // '/v1/chat/completions', method => $o{method},
        headers => { $key{$who} ? (Authorization => "Bearer $key{$who}{text}") : (), %{ $o{headers} // {} } },
        body => exists $o{body} ? $o{body} : ($o{body} = Gate::chat(%o)));
    $caller->close;
    return ($answer, $o{body});
}

sub joined { return join('', map { $_->{body} } @{ $_[0] // [] }) }

# A call: what came, what was sent, what is kept of both, and what the end says.
sub recorded
{
    my ($answer, $sent) = ask(@_);
    my $call = Spool::await_call($folder, $answer->{headers}{'x-request-id'});
    return ($answer, $sent, joined($call->{16}), joined($call->{17}), $call->{end}[0]{json}, $call);
}

# Without a diff that fills the screen.
sub same
{
    my ($got, $want, $what) = @_;
    return ok(defined $got && $got eq $want, $what) || diag(length($got // ''), ' bytes, not ', length $want);
}

# ------------------------------------------------------------------------------------- full

for my $case (['a plain answer'], ['a stream', stream => 1],
              ['a translated answer', model => 'claude', more => { max_tokens => 50 }],
              ['a translated stream', model => 'claude', stream => 1, more => { max_tokens => 50 }],
              ['an error of the provider', headers => { 'X-Sim' => 'status=400' }]) {
    my ($what, %o) = @$case;
    my ($answer, $sent, $prompt, $kept, $end, $call) = recorded('full', text => 'What of SECRET-CONTENT?', %o);
    same($prompt, $sent, "$what: the prompt is kept byte for byte");
    same($kept, $answer->{body}, "$what: so is the answer");
    is_deeply($end->{prompt}, { bytes => length $sent, sha256 => sha256_hex($sent), kept => 'full', parts => 1 },
              "$what: the end says so of the prompt");
    is_deeply($end->{answer}, { bytes => length $answer->{body}, sha256 => sha256_hex($answer->{body}),
                                kept => 'full', parts => 1 }, "$what: and of the answer");
    is_deeply($call->{begin}[0]{json}{prompt}, $end->{prompt}, "$what: the begin, too, of the prompt");
}
my ($answer, $sent, $prompt, $kept, $end, $call) = recorded('full', text => 'x' x 200_000, stream => 1,
                                                           script => 'tokens=300;size=500');
same($prompt, $sent, 'a long prompt is kept, too');
same($kept, $answer->{body}, 'and a long answer');
is(scalar(@{ $call->{16} }), $end->{prompt}{parts}, 'in as many parts as are said');
is_deeply([grep { length $_->{body} > 49152 } @{ $call->{16} }, @{ $call->{17} }], [],
          'none of which has more than 48 KB');

my $caller = $server->caller;
$caller->ask(path => '/v1/chat/completions', headers => { Authorization => "Bearer $key{full}{text}" },
             body => Gate::chat(stream => 1, script => 'tokens=50;gap=20'));
$caller->read_until(qr/data:.*data:/s);
my $id = $caller->head->{headers}{'x-request-id'};
$caller->close;
$call = Spool::await_call($folder, $id);
$end = $call->{end}[0]{json};
is($end->{finish}, 'client-abort', 'a caller who leaves');
is(length joined($call->{17}), $end->{answer}{bytes}, 'what went out till then is kept');
is($end->{answer}{sha256}, sha256_hex(joined($call->{17})), 'and is what the digest is of');

# --------------------------------------------------------------------------------- redacted

my $mail = 'somebody.with.a.long.name@example.org';
my $card = '4242 4242 4242 4242';
my $words = "Write to $mail about the card $card and SECRET-CONTENT.";
for my $case (['a plain answer'], ['a stream', stream => 1],
              ['a translated stream', model => 'claude', stream => 1, more => { max_tokens => 999 }],
              ['a stream of twenty answers', stream => 1, more => { n => 20 }],
              ['a stream of completions', stream => 1, path => '/v1/completions',
               more => { prompt => $words }],
              ['a stream of Responses', stream => 1, path => '/v1/responses', more => { input => $words }],
              ["a stream of Anthropic's", model => 'claude', stream => 1, path => '/v1/messages',
               headers => { 'anthropic-version' => '2023-06-01' }, more => { max_tokens => 999 }]) {
    my ($what, %o) = @$case;
    ($answer, $sent, $prompt, $kept, $end) =
        recorded('red', text => $words, %o, headers => { 'X-Sim' => 'echo=1', %{ $o{headers} // {} } });
    my @texts = ($prompt, $kept);
    is($answer->{status}, 200, "$what is answered") or diag(Gate::brief($answer));
    is($answer->{body} =~ /\Q$mail\E/ ? 1 : 0, $o{stream} && $o{path} !~ /responses/ ? 0 : 1,
       "$what: the address comes " . ($o{stream} ? 'in pieces' : 'in one piece')) if ($o{path} //= '');
    like($_, qr/Write to \[email\] about the card \[card\]/, "$what: address and card are taken out") for @texts;
    unlike($_, qr/example\.org|4242 4242/, "$what: nothing of them is left") for @texts;
    ok(eval { Gate::from_json($_); 1 }, "$what: what is kept is JSON") for @texts;
    is_deeply([@{ $end->{answer} }{qw(bytes sha256 kept lost)}],
              [length $answer->{body}, sha256_hex($answer->{body}), 'redacted', undef],
              "$what: the end has the digest of what the caller got");
    is($end->{prompt}{sha256}, sha256_hex($sent), "$what: and of what he sent");
    like($answer->{body}, qr/example/, "$what: the caller gets all of it") if !$o{stream};
}
($answer, $sent, $prompt, $kept, $end) = recorded('red', path => '/v1/audio/speech',
                                                  body => Gate::to_json({ model => 'm', input => 'hm', voice => 'x' }));
is_deeply([$kept, @{ $end->{answer} }{qw(kept lost)}], ['', 'meta', 'form'], 'of sound only the digest is kept');
($answer, $sent, $prompt, $kept, $end) = recorded('red', path => '/own/v1/chat/completions',
                                                  text => "$mail $card TICKET-4711");
like($prompt, qr/\[email\] \Q$card\E \[ticket\]/, 'AIAuditRedact and AIAuditRedactRegex say what is taken out');
($answer, $sent, $prompt, $kept, $end) = recorded('red', path => '/own/v1/chat/completions',
                                                  text => 'a' x 200 . ' TICKET-4712 SLOW');
unlike($prompt, qr/TICKET|aaaa/, 'of a text that is too much for an expression nothing is kept');
like($prompt, qr/\[slow\]/, 'which says so');
my $packed = "\x1f\x8b\x08\x00 nobody can look into this";
my $canned = Gate::Canned->new(sub {
    return ("HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: "
            . length($packed) . "\r\n\r\n$packed", 'close');
});
($answer, $sent, $prompt, $kept, $end) = recorded('red', path => '/packed/v1/chat/completions');
$canned->stop;
is($answer->{body}, $packed, 'an answer that its provider has packed');
is_deeply([$kept, @{ $end->{answer} }{qw(kept lost)}], ['', 'meta', 'form'], 'is not kept, since nobody looked into it');

# --------------------------------------------------------------------------- meta, and none

($answer, $sent, $prompt, $kept, $end) = recorded('meta', text => 'SECRET-CONTENT');
is($prompt . $kept, '', 'meta: no part');
is_deeply($end->{prompt}, { bytes => length $sent, sha256 => sha256_hex($sent), kept => 'meta' },
          'but length and digest of the prompt');
is_deeply($end->{answer}, { bytes => length $answer->{body}, sha256 => sha256_hex($answer->{body}), kept => 'meta' },
          'and of the answer');
($answer, $sent, $prompt, $kept, $end) = recorded('mute');
is($prompt . $kept, '', 'none: no part');
ok(!$end->{prompt} && !$end->{answer}, 'and nothing is said');
is($end->{status}, 200, 'but the call has its record');

# ------------------------------------------------------------------------- what a caller says

my $less = 'cf-aig-collect-log-payload';
my $none = 'cf-aig-collect-log';
for my $row (
    # path, tenant, headers, what is kept
    ['/v1',      'full', { $less => 'false' }, 'full', 'where AIAuditCaller is Off his headers do nothing'],
    ['/v1',      'full', { $none => 'false' }, 'full', 'neither of them'],
    ['/any/v1',  'full', {},                   'full', 'who says nothing has all kept'],
    ['/any/v1',  'full', { $less => 'false' }, 'meta', 'a caller may have the bodies left out'],
    ['/any/v1',  'full', { $less => 'true' },  'full', 'or not'],
    ['/any/v1',  'full', { $none => 'false' }, 'meta', 'but does not get below the floor'],
    ['/any/v1',  'meta', { $less => 'true', $none => 'true' }, 'meta', 'nor can he have more kept'],
    ['/any/v1',  'mute', { $less => 'true', $none => 'true' }, undef, 'not even a digest'],
    ['/any/v1',  'mute', { $none => 'false' }, undef, 'and the floor raises nothing'],
    ['/free/v1', 'full', { $none => 'false' }, undef, 'where the floor is none there is nothing'],
    ['/free/v1', 'red',  { $less => 'false' }, 'meta', 'or a little'],
) {
    my ($path, $who, $headers, $want, $what) = @$row;
    ($answer, $sent, $prompt, $kept, $end) = recorded($who, path => "$path/chat/completions", headers => $headers);
    is($end->{prompt}{kept}, $want, "$what (prompt)");
    is($end->{answer}{kept}, $want, "$what (answer)");
    is(length($prompt) + length($kept), ($want // '') eq 'full' ? length($sent . $answer->{body}) : 0,
       "$what (bytes)");
}

# -------------------------------------------------------------------------- what is refused

($answer, $sent, $prompt, $kept, $end, $call) = recorded('full', model => 'evil-model', text => 'SECRET-CONTENT');
is($answer->{status}, 403, 'a model that is not allowed');
is(scalar(@{ $call->{begin} }), 0, 'is not asked');
same($prompt, $sent, 'but what was asked is kept');
is($end->{prompt}{sha256}, sha256_hex($sent), 'and said');
($answer, $sent, $prompt, $kept, $end) = recorded('nobody', text => 'SECRET-CONTENT');
is($answer->{status}, 401, 'somebody who is not known');
is_deeply([$prompt, @{ $end->{prompt} }{qw(kept lost)}], ['', 'meta', 'unread'], 'fills no disk');

# ------------------------------------------------------------------------------- all of it

my $all = join('', map { $_->{body} } Spool::records($folder));
unlike($all, qr/\Q$mail\E(?!.*full)/s, 'no address of a redacted call is in the spool');
for my $log (qw(error_log access_log out)) {
    my $said = $server->read_file($log);
    isnt($said, '', "$log has something to say") if $log ne 'out';
    unlike($said, qr/SECRET-CONTENT|\Q$mail\E|\Q$card\E|somebody\.wi/, "$log holds nothing of prompts and answers");
}
done_testing();
