#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# logins.t - do the logins that httpd brings work beside keys, on one location?
#
# A password, a certificate, a session after a form (mod_auth_form); each alone and beside the others.
# What a login is, AIAuthIdentity says; and nothing of it goes up to the provider.

use strict;
use warnings;

use AuthServer ();
use Clients ();
use Gate ();
use Keys ();
use MIME::Base64 qw(encode_base64);
use Test::More;

# ----------------------------------------------------------------------------------- the server

my $clients = Clients->new(carol => 'acme', alice => 'acme', slash => 'acme//red');
$clients->stranger('mallory');
my %key = (ada => Keys::make(user => 'ada', tenant => 'programs', tier => 'gold'), bare => Keys::make(),
           alice => Keys::make(user => 'alice', tenant => 'programs'));
sub place
{
    my ($name, @lines) = @_;
    return join("\n    ", "<Location /$name/v1>", 'AIEngine On', 'AIRoute * sim', @lines) . "\n</Location>\n";
}
my $modules = $ENV{AI_HTTPD_MODULES};
my @people  = ('AIAuthIdentity tenant "people/%{REMOTE_USER}"', 'AIAuthIdentity tier silver');
my $conf = join('',
    (map { "LoadModule ${_}_module $modules/mod_$_.so\n" } qw(request session session_cookie auth_form access_compat)),
    <<"END",
<Macro Form>
    AuthFormProvider file
    AuthUserFile $ENV{AI_STAGE}/t/conf/core.users
    AuthType form
    AuthName auth
    Session On
    SessionCookieName session path=/;HttpOnly;SameSite=Strict
</Macro>
<Location /login>
    SetHandler form-login-handler
    Require all granted
    Use Form
    AuthFormLoginRequiredLocation /please
    AuthFormLoginSuccessLocation /welcome
</Location>
END
    place('basic', 'Use Basic', 'Require valid-user', @people),
    place('named', 'Use Basic', 'Require user alice', @people),
    place('form', 'Use Form', 'Require valid-user', @people),
    place('page', 'Use Form', 'AuthFormLoginRequiredLocation /please', 'Require valid-user'),
    place('cert', 'Require valid-user', 'AIAuthIdentity tenant "%{SSL_CLIENT_S_DN_O}"', 'AIAuthIdentity tier "%{SSL_CLIENT_VERIFY}"'),
    # What comes of logins that httpd has not asked for.
    place('granted', 'Use Basic', 'Require all granted', @people),
    place('inside', 'Use Basic', '<RequireAny>', 'Require ip 127.0.0.1', 'Require valid-user', '</RequireAny>', @people),
    place('satisfy', 'Use Basic', 'Satisfy Any', 'Require valid-user', 'Order deny,allow', 'Allow from all', @people),
    place('anonymous', 'AIAnonymous On', 'Use Basic', 'Require all granted', @people),
    place('none', 'AuthType None', 'Require valid-user'),
    # Two logins in one request: a certificate, and a password.
    place('two', 'Use Basic', 'AIAuthIdentity tenant "%{REMOTE_USER}/%{SSL_CLIENT_S_DN_CN}"',
          'AIAuthIdentity tier "%{reqenv:TIER_OF_CERT}"', '<RequireAll>', 'Require ai-tenant alice carol', 'Require expr "%{REMOTE_USER} == \'alice\'"', '</RequireAll>'),
    place('odd', 'Use Basic', 'Require valid-user', 'AIAuthIdentity tenant "x//%{REMOTE_USER}"'),
    place('odd-tenant', 'Use Basic', 'AIAuthIdentity tenant "/%{REMOTE_USER}"', 'AuthzSendForbiddenOnFailure On', 'Require ai-tenant alice'),
    place('odd-long', 'Use Basic', 'AIAuthIdentity tenant ' . 'x' x 501, 'Require valid-user'),
    place('odd-tier', 'Use Basic', 'AIAuthIdentity tenant "%{reqenv:NOTHING}"', 'AIAuthIdentity tier ' . 'x' x 65, 'Require valid-user'),
    place('odd-user', 'Use Basic', 'AIAuthIdentity tenant "%{reqenv:NOTHING}"', 'AIAuthIdentity user "%{req:X-Name}"', 'Require valid-user'),
    # Names that the estate gives to providers.
    "<AuthzProviderAlias ai-key of-ada $key{ada}{id}>\n</AuthzProviderAlias>\n",
    "<AuthzProviderAlias ai-tenant of-people people>\n</AuthzProviderAlias>\n",
    place('alias', 'Use Basic', '<RequireAny>', 'Require of-ada', 'Require of-people', '</RequireAny>', @people),
    # Its own inner sections.
    place('merge', 'Use Basic', 'Require ai-key'),
    "<Location /merge/v1/embeddings>\n    AuthMerging Or\n    Require user alice\n</Location>\n",
    "<Location /merge/v1/moderations>\n    AuthMerging And\n    Require user alice\n</Location>\n",
    "<Location /merge/v1/images>\n    Require all granted\n</Location>\n",
    "<Location /page-of-error>\n    Require ai-tenant people\n</Location>\n",
    "ErrorDocument 401 /page-of-error\nErrorDocument 403 /granted/v1/models\nErrorDocument 404 /basic/v1/models\n",
);
my $server = AuthServer->new([values %key], $conf, tls => $clients->tls);

# ------------------------------------------------------------------------------------- asking

my $caller = $server->caller;

sub basic { return (Authorization => 'Basic ' . encode_base64("$_[0]:" . ($_[1] // 'river'), '')) }
sub cert  { return $server->tls($clients->ssl($_[0])) }

sub ask
{
    my ($place, $headers, %o) = @_;
    return ($o{caller} // $caller)->request(
        path => "/$place/v1" . ($o{path} // '/chat/completions'), headers => { 'X-Sim' => 'echo=1', %{ $headers // {} } },
        body => exists $o{body} ? $o{body} : Gate::chat());
}

sub code_of { return (eval { Gate::from_json($_[0]{body})->{error}{code} }) // '' }

# What the log knows of it, and what the provider got.
sub who
{
    my ($answer) = @_;
    return join(' ', @{ $server->logged($answer) }{qw(status u user tenant tier)});
}
sub echoed
{
    my ($answer) = @_;
    return (eval { Gate::from_json($answer->{body})->{choices}[0]{message}{content} }) // '';
}

my %ada = ('x-api-key' => $key{ada}{text});
my %bad = ('x-api-key' => Keys::forged($key{ada}));

# ------------------------------------------------------------------------------------- a password

my $answer = ask('basic', { basic('alice') });
is(who($answer), '200 alice alice people/alice silver', 'Basic: AIAuthIdentity says what it is');
like(echoed($answer), qr/"headers"/, 'the provider tells what it got');
unlike(echoed($answer), qr/\Q@{[ encode_base64('alice:river', '') ]}\E/, 'which is not the password');
is(who(ask('basic', { %ada })), '200 ada ada programs gold', 'a key on the same location says for itself');
$answer = ask('basic', { basic('alice', 'sea') });
is_deeply([@$answer{qw(status)}, code_of($answer), $answer->{headers}{'www-authenticate'}],
          [401, 'invalid_api_key', 'Basic realm="auth"'], 'a wrong password: JSON, and the question for another');
is_deeply([@{ $server->logged($answer) }{qw(user tenant tier)}], ['-', '-', '-'],
          'what such a login would be is not noted, also not for the page of the error');
is(ask('basic', { basic('', '') })->{status}, 401, 'no name at all');
is(ask('basic', { basic('alice'), %bad })->{status}, 401, 'a bad key beside a good password');
is(who(ask('named', { basic('alice') })), '200 alice alice people/alice silver', 'Require user: a login');
is(ask('named', { basic('bob') })->{status}, 401, 'another one may try again');
is(who(ask('named', { 'x-api-key' => $key{alice}{text} })), '200 alice alice programs -', 'and a key of that user');
is(ask('named', { %ada })->{status}, 403, 'not a key of another one');

# ---------------------------------------------------------------------------------- a certificate

$answer = ask('cert', undef, caller => cert('carol'));
is(who($answer), '200 carol carol acme SUCCESS', 'a certificate: who and of whom');
unlike(echoed($answer), qr/carol/, 'the provider does not hear of it');
is(ask('cert', undef, caller => $server->h2($clients->ssl('carol')))->{status}, 200, 'the same over HTTP/2');
is(ask('cert', undef, caller => $server->h2)->{status}, 401, 'and not without one');
is(ask('cert', undef, caller => $server->tls)->{status}, 401, 'none');
ok(!eval { ask('cert', undef, caller => cert('mallory'))->{status} }, 'one of another authority does not get as far as HTTP');
$answer = ask('cert', undef, caller => cert('slash'));
is_deeply([$answer->{status}, code_of($answer)], [403, 'permission_denied'], 'one whose subject makes no tenant');
is(who(ask('cert', { %ada }, caller => cert('carol'))), '200 ada ada programs gold', 'a key beside it is who it is');

# ------------------------------------------------------------------------------------ two at once

is(who(ask('two', { basic('alice') }, caller => cert('carol'))), '200 alice alice alice/carol -',
   'a password beside a certificate: all is of who logged in last, not half of each');
is(ask('two', { basic('bob') }, caller => cert('carol'))->{status}, 401, 'and what the certificate alone could do, it cannot');

# -------------------------------------------------------------------- a form, and then a session

my $form = sub {
    my ($password) = @_;
    return $caller->request(path => '/login', headers => { 'Content-Type' => 'application/x-www-form-urlencoded' },
                            body => "httpd_username=alice&httpd_password=$password");
};
is($form->('sea')->{headers}{location}, '/please', 'a form: a wrong password');
$answer = $form->('river');
is($answer->{headers}{location}, '/welcome', 'the right one');
my ($cookie) = ($answer->{headers}{'set-cookie'} // '') =~ /^(session=[^;]+)/;
ok($cookie, 'begins a session') or diag(Gate::brief($answer));
$answer = ask('form', { Cookie => $cookie });
is(who($answer), '200 alice alice people/alice silver', 'by which one is known');
unlike(echoed($answer), qr/session=/, 'and of which the provider hears nothing');
is(who(ask('form', { %ada })), '200 ada ada programs gold', 'a key needs none');
$answer = ask('form');
is_deeply([$answer->{status}, code_of($answer), $answer->{headers}{'www-authenticate'}],
          [401, 'invalid_api_key', 'Bearer realm="ai"'], 'without either: JSON, and a key would do');
is(ask('form', { Cookie => $cookie =~ s/river/sea/r })->{status}, 401, 'a session that was made up');
is(ask('form', { 'Content-Type' => 'application/x-www-form-urlencoded' }, body => 'httpd_username=alice&httpd_password=sea')->{status},
   401, 'a form that is sent to the API is no login');
$answer = ask('page');
is_deeply([$answer->{status}, $answer->{headers}{location}], [302, '/please'],
          'a location that leads to a page of a form does so with programs, too (docs/logins.md)');

# ------------------------------------------------------- what Require lets in without asking who

for my $place (qw(granted inside satisfy)) {
    is(who(ask($place, { basic('alice') })), '200 alice alice people/alice silver', "$place: a login is known all the same");
    $answer = ask($place);
    is_deeply([$answer->{status}, $answer->{headers}{'www-authenticate'}], [401, 'Basic realm="auth"'], "$place: nobody is asked for it");
    is(ask($place, { basic('alice', 'sea') })->{status}, 401, "$place: a wrong one");
    is(who(ask($place, { %ada })), '200 ada ada programs gold', "$place: a key");
    is(code_of(ask($place, { %bad, basic('alice') })), 'invalid_api_key', "$place: a bad key");
}
is(ask('anonymous')->{status}, 200, 'AIAnonymous: nobody is asked');
is(ask('anonymous', { basic('alice', 'sea') })->{status}, 200, 'nor is a password looked at');
is(ask('none', { basic('alice') })->{status}, 401, 'AuthType None: a password is nothing');
is(who(ask('none', { %ada })), '200 ada ada programs gold', 'a key needs no AuthType');

# --------------------------------------------------------------------- what cannot be a tenant

for my $place (qw(odd odd-long odd-tier)) {
    $answer = ask($place, { basic('alice') });
    is_deeply([$answer->{status}, code_of($answer)], [403, 'permission_denied'], "$place: refused");
}
is(ask('odd-tenant', { basic('alice') })->{status}, 403, 'where Require asks for it, too');
is(ask('odd-user', { basic('alice'), 'X-Name' => 'x' x 201 })->{status}, 403, 'a name that is too long');
is(who(ask('odd-user', { basic('alice'), 'X-Name' => 'Al' })), '200 alice Al - -', 'one that is not');
is(who(ask('odd', { %ada })), '200 ada ada programs gold', 'a key does not care');
like($server->said, qr/AI0235: AIAuthIdentity tenant: what the login of alice gives cannot be used/, 'the log says what was wrong');

# ----------------------------------------------------- other names, inner sections, error pages

is(ask('alias', { %ada })->{status}, 200, 'AuthzProviderAlias: a key');
is(ask('alias', { 'x-api-key' => $key{bare}{text} })->{status}, 403, 'AuthzProviderAlias: another key');
is(ask('alias', { basic('bob') })->{status}, 200, 'AuthzProviderAlias: a tenant by AIAuthIdentity');

my %embed = (path => '/embeddings', body => '{"model":"m","input":"x"}');
is(ask('merge', { basic('alice') })->{status}, 401, 'outside only keys');
is(ask('merge', { basic('alice') }, %embed)->{status}, 200, 'AuthMerging Or: one login more');
is(ask('merge', { %ada }, %embed)->{status}, 200, 'beside keys');
is(ask('merge', { basic('bob') }, %embed)->{status}, 401, 'but not all');
my %moderate = (path => '/moderations', body => '{"model":"m","input":"x"}');
is(ask('merge', { %ada }, %moderate)->{status}, 403, 'AuthMerging And: a key that is not his');
is(ask('merge', { 'x-api-key' => $key{alice}{text} }, %moderate)->{status}, 200, 'one that is');
my %draw = (path => '/images/generations', body => '{"model":"m","prompt":"x"}');
is(ask('merge', undef, %draw)->{status}, 401, 'an inner "Require all granted" lets nobody in whom nobody knows');
is(ask('merge', { basic('bob') }, %draw)->{status}, 200, 'but anybody who is known');
# The pages of ErrorDocument above are lists of models of other locations: none is shown.
for my $case (['merge', {}, 401], ['named', { %ada }, 403], ['nowhere', {}, 404]) {
    my ($place, $headers, $status) = @$case;
    $answer = ask($place, $headers);
    is($answer->{status}, $status, "ErrorDocument: a $status stays one");
    unlike($answer->{body}, qr/"object":\s*"list"/, "ErrorDocument: a $status shows nothing of another location");
}

# No log has a password.
$server->stop;
my $said = join('', map { $server->read_file($_) } qw(error_log access_log));
unlike($said, qr/river|\Q@{[ encode_base64('alice:river', '') ]}\E/, 'no log has the password');
done_testing();
