#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# ldap.t - do people of a directory (mod_authnz_ldap) come in beside keys, by their groups?
#
# A real directory server. Its groups compose with Require ai-model; its attributes are a tenant and a
# tier by AIAuthIdentity; and when it is away, keys go on.

use strict;
use warnings;

use AuthServer ();
use Gate ();
use Keys ();
use MIME::Base64 qw(encode_base64);
use Slapd ();
use Test::More;

my $people = join("\n\n", map { my ($uid, $dept, $type) = @$_; <<"END" } ['ann', 'red', 'gold'], ['ben', 'blue', ''], ['odd', 'a//b', 'gold']);
dn: uid=$uid,dc=example
objectClass: inetOrgPerson
uid: $uid
cn: $uid
sn: $uid
departmentNumber: $dept
@{[ $type ? "employeeType: $type\n" : '' ]}userPassword: river-$uid
END
my $ldap = Slapd->new(<<"END");
$people
dn: cn=researchers,dc=example
objectClass: groupOfNames
cn: researchers
member: uid=ann,dc=example

dn: cn=writers,dc=example
objectClass: groupOfNames
cn: writers
member: uid=ann,dc=example
member: uid=ben,dc=example
END

my %key = (program => Keys::make(tenant => 'programs'), ann => Keys::make(user => 'ann', tenant => 'acme/ann'),
           zoe => Keys::make(user => 'zoe'));
sub place
{
    my ($name, @lines) = @_;
    return join("\n    ", "<Location /$name/v1>", 'AIEngine On', 'AIRoute * sim', 'Use Ldap', @lines) . "\n</Location>\n";
}
my $server = AuthServer->new([values %key], join('',
    (map { "LoadModule ${_}_module $ENV{AI_HTTPD_MODULES}/mod_$_.so\n" } qw(ldap authnz_ldap)),
    <<"END",
LDAPCacheTTL 0
LDAPOpCacheTTL 0
LDAPConnectionTimeout 2
<Macro Ldap>
    AuthType Basic
    AuthName people
    AuthBasicProvider ldap
    AuthLDAPURL @{[ $ldap->url ]}/dc=example?uid,departmentNumber,employeeType
    AuthLDAPBindDN cn=reader,dc=example
    AuthLDAPBindPassword reading
    AIAuthIdentity tenant "acme/%{reqenv:AUTHENTICATE_DEPARTMENTNUMBER}"
    AIAuthIdentity tier "%{reqenv:AUTHENTICATE_EMPLOYEETYPE}"
</Macro>
END
    place('any', 'Require valid-user'),
    place('red', 'Require ai-tenant acme/red acme/ann programs'),
    # People by their groups, the larger models for some of them; programs by their keys.
    place('groups', '<RequireAny>', 'Require ldap-group cn=researchers,dc=example', '<RequireAll>',
          'Require ldap-group cn=writers,dc=example', 'Require ai-model small-*', '</RequireAll>',
          '<RequireAll>', 'Require ai-key', 'Require ai-tenant programs', '</RequireAll>', '</RequireAny>'),
    place('forbid', 'AuthzSendForbiddenOnFailure On', 'Require ldap-group cn=researchers,dc=example'),
    place('models', 'AIAuthModels small-*', 'Require ldap-group cn=researchers,dc=example')));
my $caller = $server->caller;

sub ask
{
    my ($place, $who, %o) = @_;
    my $password = exists $o{password} ? $o{password} : "river-$who";
    return $caller->request(path => "/$place/v1/chat/completions", body => Gate::chat(model => $o{model} // 'small-1'),
                            headers => { 'X-Sim' => 'echo=1', $key{$who} && !exists $o{password} && !$o{login}
                                         ? ('x-api-key' => $key{$who}{text})
                                         : (Authorization => 'Basic ' . encode_base64("$who:$password", '')) });
}
sub code_of { return (eval { Gate::from_json($_[0]{body})->{error}{code} }) // '' }

my $answer = ask('any', 'ann', login => 1);
is_deeply([@{ $server->logged($answer) }{qw(status u user tenant tier)}], [qw(200 ann ann acme/red gold)],
          'an entry of the directory is who it is, with what its attributes say') or diag($server->said);
unlike($answer->{body}, qr/\Q@{[ encode_base64('ann:river-ann', '') ]}\E/, 'the provider does not get the password');
is_deeply([@{ $server->logged(ask('any', 'ben')) }{qw(status tenant tier)}], [qw(200 acme/blue -)], 'what an entry does not say stays unknown');
$answer = ask('any', 'ann', password => 'sea');
is_deeply([$answer->{status}, code_of($answer), $answer->{headers}{'www-authenticate'}],
          [401, 'invalid_api_key', 'Basic realm="people"'], 'a wrong password');
is(ask('any', 'ann', password => '')->{status}, 401, 'an empty one is no anonymous bind');
is(ask('any', $_, password => 'x')->{status}, 401, "'$_' is no way into the filter") for '*', 'ann)(uid=*', '';
is(ask('any', 'odd')->{status}, 403, 'an attribute that makes no tenant');
is(ask('any', 'program')->{status}, 200, 'a key needs no entry');

is(ask('red', 'ann', login => 1)->{status}, 200, 'Require ai-tenant: by an attribute');
is(ask('red', 'ben')->{status}, 401, 'another one');
is(ask('red', 'program')->{status}, 200, 'a key of that tenant');

# [who, model, status]; "!" is a login of who has a key, too.
for my $row (['ann!', 'small-1', 200], ['ann!', 'large', 200], ['ben', 'small-1', 200], ['ben', 'large', 401],
             ['program', 'large', 200], ['ann', 'large', 200], ['zoe', 'small-1', 403]) {
    my ($who, $model, $status) = @$row;
    my $login = $who =~ s/!//;
    is(ask('groups', $who, model => $model, login => $login)->{status}, $status,
       "groups: $who" . ($key{$who} && !$login ? ' by a key' : '') . ", $model: $status");
}
is(ask('forbid', 'ben')->{status}, 403, 'AuthzSendForbiddenOnFailure: who is known is not asked again');
is(ask('forbid', 'ann', password => 'sea')->{status}, 401, 'who is not, is');
$answer = ask('models', 'ann', login => 1, model => 'large');
is_deeply([$answer->{status}, code_of($answer)], [403, 'model_not_allowed'], 'AIAuthModels holds for a group as for all');

# ------------------------------------------------------------------------ the directory is away

$ldap->stop;
$answer = ask('any', 'ann', login => 1);
is($answer->{status}, 500, 'without the directory no login can be checked');
is(code_of($answer), 'gateway_error', 'which is said in the caller\'s dialect');
is(ask('any', 'program')->{status}, 200, 'keys go on');
is(ask('groups', 'program', model => 'large')->{status}, 200, 'also where groups are asked for');

$server->stop;
unlike(join('', map { $server->read_file($_) } qw(error_log access_log)), qr/river-|reading/, 'no log has a password');
done_testing();
