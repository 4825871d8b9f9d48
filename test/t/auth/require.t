#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# require.t - what do the Require lines of a location decide?
#
# Each provider by itself, composed with others, and with logins that are no keys: Basic, and a
# certificate of the caller's, mapped by AIAuthIdentity.

use strict;
use warnings;

use AuthServer ();
use Clients ();
use Gate ();
use Keys ();
use MIME::Base64 qw(encode_base64);
use Test::More;

# ----------------------------------------------------------------------------------- the server

my $clients = Clients->new(carol => 'acme/red', dave => 'other/blue');
my %key = (
    ada   => Keys::make(name => 'ada', user => 'ada', tenant => 'acme/red/ada', tier => 'gold'),
    bob   => Keys::make(name => 'bob', tenant => 'acme/blue', tier => 'silver'),
    acmes => Keys::make(name => 'acmes', tenant => 'acmes', tier => 'gold'),
    bare  => Keys::make(),
);
sub place
{
    my ($name, @lines) = @_;
    return join("\n    ", "<Location /$name/v1>", 'AIEngine On', 'AIRoute small-1 sim', 'AIRoute * sim', @lines)
           . "\n</Location>\n";
}
my $conf = join('',
    "LoadModule access_compat_module $ENV{AI_HTTPD_MODULES}/mod_access_compat.so\n",
    "<Location />\n    AIAuthIdentity tier bronze\n</Location>\n",
    place('key', 'Require ai-key'),
    place('names', "Require ai-key ada $key{bare}{id}"),
    place('model', 'Require ai-model small-* o?'),
    place('tenant', 'Require ai-tenant acme/'),
    place('tier', 'Require ai-tier gold platinum'),
    place('endpoint', 'Require ai-endpoint chat models'),
    place('all', '<RequireAll>', 'Require ai-tenant acme', 'Require ai-model small-*', 'Require ai-endpoint chat models', '</RequireAll>'),
    place('any', '<RequireAny>', 'Require ai-tier gold', 'Require ai-model small-*', '</RequireAny>'),
    place('none', '<RequireAll>', 'Require ai-key', '<RequireNone>', 'Require ai-tenant acme/red', 'Require ai-model large*', '</RequireNone>', '</RequireAll>'),
    place('not', '<RequireAll>', 'Require valid-user', 'Require not ai-model large*', '</RequireAll>'),
    place('mixed', '<RequireAll>', 'Require ai-key', 'Require expr %{HTTP:X-Ok} == "yes"', 'Require ip 127.0.0.1', '</RequireAll>'),
    place('granted', 'Require all granted'),
    place('nothing'),
    place('denied', 'Require all denied'),
    place('anonymous', 'AIAnonymous On', 'Require ai-model small-*'),
    place('limit', 'AIBodyLimit 1k', 'Require ai-model small-*'),
    place('satisfy', 'AIAnonymous On', 'Satisfy Any', 'Order deny,allow', 'Allow from all', 'Require ai-key'),
    place('basic', 'Use Basic', 'AIAuthIdentity tenant "partner/%{REMOTE_USER}"', 'AIAuthIdentity user "basic:%{REMOTE_USER}"',
          'Require ai-tenant partner/alice acme'),
    place('forbidden', 'Use Basic', 'AuthzSendForbiddenOnFailure On', '<RequireAll>', 'Require valid-user', 'Require ai-model small-*', '</RequireAll>'),
    place('cert', 'AIAuthIdentity tenant "%{SSL_CLIENT_S_DN_O}"',
          'AIAuthIdentity tier "%{reqenv:NOTHING}"', 'Require ai-tenant acme'),
    place('cert/named', 'Require user carol'));
my $server = AuthServer->new([values %key], $conf, tls => $clients->tls);

# ------------------------------------------------------------------------------------- asking

my $caller = $server->caller;

sub basic { return (Authorization => 'Basic ' . encode_base64("$_[0]:river", '')) }

# who: a key's name, "basic:alice", or nobody (''); what: a model.
sub ask
{
    my ($place, $who, $model, %o) = @_;
    my %login = $who =~ /^basic:(.*)/ ? basic($1) : $who ? ('x-api-key' => $key{$who}{text}) : ();
    return ($o{caller} // $caller)->request(
        path => "/$place/v1" . ($o{path} // '/chat/completions'), method => $o{method},
        headers => { %login, %{ $o{headers} // {} } },
        body => exists $o{body} ? $o{body} : Gate::chat(model => $model // 'small-1'));
}

sub code_of { return (eval { Gate::from_json($_[0]{body})->{error}{code} }) // '' }

# [place, who, model, status]
my @rows = (
    ['key', 'bare', 'm', 200], ['key', '', 'm', 401],
    ['names', 'ada', 'm', 200], ['names', 'bare', 'm', 200], ['names', 'bob', 'm', 403], ['names', '', 'm', 401],
    ['model', 'bare', 'small-1', 200], ['model', 'bare', 'SMALL-1', 200], ['model', 'bare', 'o3', 200],
    ['model', 'bare', 'o33', 403], ['model', 'bare', 'large', 403], ['model', '', 'small-1', 401], ['model', '', 'large', 401],
    ['tenant', 'ada', 'm', 200], ['tenant', 'bob', 'm', 200], ['tenant', 'acmes', 'm', 403], ['tenant', 'bare', 'm', 403],
    ['tenant', '', 'm', 401],
    ['tier', 'ada', 'm', 200], ['tier', 'bob', 'm', 403], ['tier', 'bare', 'm', 403],
    ['endpoint', 'bare', 'm', 200], ['endpoint', '', 'm', 401],
    ['all', 'ada', 'small-1', 200], ['all', 'ada', 'large', 403], ['all', 'acmes', 'small-1', 403], ['all', '', 'small-1', 401],
    ['any', 'ada', 'large', 200], ['any', 'bob', 'small-1', 200], ['any', 'bob', 'large', 403], ['any', '', 'small-1', 401],
    ['none', 'bob', 'small-1', 200], ['none', 'ada', 'small-1', 403], ['none', 'bob', 'large', 403], ['none', '', 'small-1', 401],
    ['not', 'bob', 'small-1', 200], ['not', 'bob', 'Large-9', 403],
    ['mixed', 'ada', 'm', 403],
    ['granted', '', 'm', 401], ['granted', 'bare', 'm', 200], ['nothing', '', 'm', 401], ['nothing', 'bare', 'm', 200],
    ['denied', 'ada', 'm', 403], ['denied', '', 'm', 403],
    ['anonymous', '', 'small-1', 200], ['anonymous', '', 'large', 401], ['anonymous', 'bare', 'large', 403],
    ['satisfy', '', 'm', 200], ['satisfy', 'bare', 'm', 200],
    ['basic', 'basic:alice', 'm', 200], ['basic', 'basic:bob', 'm', 401], ['basic', 'ada', 'm', 200], ['basic', 'bare', 'm', 403],
    ['basic', '', 'm', 401],
    ['forbidden', 'basic:bob', 'small-1', 200], ['forbidden', 'basic:bob', 'large', 403], ['forbidden', '', 'large', 401],
    ['cert', 'ada', 'm', 200], ['cert', 'bare', 'm', 403], ['cert', '', 'm', 401],
);
for my $row (@rows) {
    my ($place, $who, $model, $status) = @$row;
    my $answer = ask($place, $who, $model);
    is($answer->{status}, $status, "$place, " . ($who || 'nobody') . ", $model: $status") or diag(Gate::brief($answer));
}
is(ask('mixed', 'ada', 'm', headers => { 'X-Ok' => 'yes' })->{status}, 200, 'expr and ip compose with ours');
is(code_of(ask('denied', 'ada')), 'permission_denied', 'a refusal of Require is JSON in the caller\'s dialect');
is(ask('satisfy', 'bare', 'm', headers => { 'x-api-key' => Keys::forged($key{bare}) })->{status}, 401,
   'a bad key is refused even where Satisfy Any lets all in');

# --------------------------------------------------------------------------- what reads the body

my $answer = ask('model', 'bare', undef, body => '{"model":');
is_deeply([$answer->{status}, code_of($answer)], [400, 'invalid_json'], 'a body that is broken is told so, not 403');
$answer = ask('limit', 'bare', undef, body => Gate::chat(model => 'small-1', text => 'x' x 2000));
is_deeply([$answer->{status}, code_of($answer)], [413, 'request_too_large'], 'a body that is too long, too');
$answer = $caller->request(path => '/model/v1/chat/completions', chunked => 7, body => Gate::chat(model => 'small-1'),
                           headers => { 'x-api-key' => $key{bare}{text} });
is($answer->{status}, 200, 'a body in chunks is read once, and goes up');
cmp_ok($server->logged($answer)->{overhead}, '>=', 0, 'the time that was needed to read it early is not counted twice');
$answer = ask('model', 'bare', undef, body => Gate::chat(model => 'small-1', stream => 1));
like($answer->{body}, qr/\[DONE\]/, 'a stream comes to its end');
is(ask('model', 'bare', undef, path => '/models', body => undef)->{status}, 200, 'the list of models is open');
is(ask('model', 'bare', undef, path => '/files', body => undef)->{status}, 403, 'what names no model is not');
is(ask('endpoint', 'bare', undef, path => '/embeddings', body => '{"model":"m","input":"x"}')->{status}, 403,
   'another endpoint');
is(ask('endpoint', 'bare', undef, path => '/models/small-1', body => undef, method => 'DELETE')->{status}, 403,
   'an endpoint is what the method makes it');

# Who is not known is refused before the upload.
my $fresh = $server->caller;
$fresh->ask(path => '/model/v1/chat/completions', body => Gate::chat(), expect => 1, headers => { Expect => '100-continue' });
is($fresh->head->{status}, 401, 'who is not known is not asked for the body');

# ------------------------------------------------------------------------------ other logins' facts

my $line = $server->logged(ask('basic', 'basic:alice'));
is_deeply([@$line{qw(u key user tenant tier)}], ['alice', '-', 'basic:alice', 'partner/alice', 'bronze'],
          'AIAuthIdentity says what a login is, inner and outer lines together');
is_deeply([@{ $server->logged(ask('basic', 'ada')) }{qw(u user tenant tier)}], ['ada', 'ada', 'acme/red/ada', 'gold'],
          'and nothing of a key');

sub cert { return $server->tls($clients->ssl($_[0])) }
$answer = ask('cert', '', 'm', caller => cert('carol'));
is($answer->{status}, 200, 'a certificate is a login');
is_deeply([@{ $server->logged($answer) }{qw(u user tenant tier)}], ['carol', 'carol', 'acme/red', '-'],
          'its subject says who; what is empty stays unknown');
is(ask('cert', '', 'm', caller => cert('dave'))->{status}, 403, 'another subject');
is(ask('cert', '', 'm', caller => $server->tls)->{status}, 401, 'none');
is(ask('cert/named', '', 'm', caller => cert('carol'))->{status}, 200, 'Require user, by a certificate');
is(ask('key', '', 'm', caller => cert('carol'))->{status}, 403, 'a certificate is no key');
$answer = ask('cert', 'ada', 'm', caller => cert('dave'));
is_deeply([$answer->{status}, $server->logged($answer)->{u}], [200, 'ada'], 'a key wins over the certificate beside it');
is(ask('cert', '', 'm', caller => cert('carol'), headers => { 'x-api-key' => Keys::forged($key{ada}) })->{status}, 401,
   'and if it is bad, no certificate helps');

# --------------------------------------------------------------- what is wrong fails at the start

for my $case (['ai-model', 'needs at least one argument'], ['ai-tenant', 'needs at least one argument'],
              ['ai-endpoint chats', "'chats' is no endpoint; there are: other chat"],
              ['ai-nothing x', 'ai-nothing']) {
    my ($line, $said) = @$case;
    ok(!eval { AuthServer->new([], place('x', "Require $line")); 1 }, "Require $line: no start");
    like($@, qr/\Q$said\E/, "Require $line: says why");
}
done_testing();
