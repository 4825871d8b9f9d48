#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# identify.t - whom does the gateway serve?
#
# Nobody whom nobody knows, unless the section says AIAnonymous On: not even where httpd itself
# grants.  Any authentication of httpd's counts.

use strict;
use warnings;

use Gate ();
use MIME::Base64 qw(encode_base64);
use Test::More;

my $caller = Gate::caller_of('h1', 'core');

sub ask
{
    my ($place, %headers) = @_;
    return $caller->request(path => "/$place/v1/chat/completions", body => Gate::chat(),
                            headers => \%headers);
}

sub basic { return (Authorization => 'Basic ' . encode_base64("$_[0]:$_[1]", '')) }

# A refusal in OpenAI's shape: type, code, and a message that is a sentence.
sub is_refusal
{
    my ($answer, $status, $type, $code, $what) = @_;
    my $error = eval { Gate::from_json($answer->{body})->{error} } // {};
    is($answer->{status}, $status, "$what: status");
    is($answer->{headers}{'content-type'}, 'application/json', "$what: JSON");
    is_deeply([sort keys %$error], [qw(code message param type)], "$what: the members of an error");
    is($error->{type}, $type, "$what: type");
    is($error->{code}, $code, "$what: code");
    is($error->{param}, undef, "$what: param is null");
    like($error->{message} // '', qr/^[A-Z].*\.$/s, "$what: the message is a sentence");
    like($answer->{headers}{'x-request-id'} // '', qr/^[0-9a-f-]{36}$/, "$what: has an id");
    return;
}

my $before = Gate::calls()->{total};

my $answer = ask('closed');
is_refusal($answer, 401, 'authentication_error', 'invalid_api_key', 'nobody');
is($answer->{headers}{'www-authenticate'}, 'Bearer realm="ai"', 'nobody: is asked for a key');
is(Gate::logged(id => $answer->{headers}{'x-request-id'})->{deny}, 'invalid_api_key',
   'nobody: the log says why');

$answer = ask('closed', Authorization => 'Bearer sk-anything');
is_refusal($answer, 401, 'authentication_error', 'invalid_api_key', 'a key that nobody checks');

$answer = ask('granted');
is_refusal($answer, 401, 'authentication_error', 'invalid_api_key', '"Require all granted" alone');

for my $name ('ai-key-id', 'AI-Key-Id', 'X-Remote-User', 'Remote-User') {
    is(ask('closed', $name => 'alice')->{status}, 401, "the header $name makes nobody known");
}

for my $path ('/closed/v1/models', '/closed/v1/models/gpt-known', '/closed/v1/files', '/closed/v1/',
              '/closed/v1') {
    is($caller->request(path => $path)->{status}, 401, "$path is closed as well");
}

$answer = ask('basic');
is_refusal($answer, 401, 'authentication_error', 'invalid_api_key', 'Basic, no name');
is($answer->{headers}{'www-authenticate'}, 'Basic realm="core"', 'Basic: httpd\'s own challenge');
is_refusal(ask('basic', basic('alice', 'wrong')), 401, 'authentication_error', 'invalid_api_key',
           'Basic, wrong password');
is_refusal(ask('basic', basic('mallory', 'river')), 401, 'authentication_error',
           'invalid_api_key', 'Basic, unknown name');
is_refusal(ask('alice', basic('bob', 'river')), 401, 'authentication_error', 'invalid_api_key',
           'Basic, known but not required');

is(Gate::calls()->{total}, $before, 'the provider heard of none of them');

$answer = ask('basic', basic('alice', 'river'));
is($answer->{status}, 200, 'Basic, right: served');
ok(length Gate::read_chat($answer)->{text}, 'Basic, right: with an answer');
my ($truth) = Gate::truths($answer->{headers}{'x-request-id'});
is($truth->{key_tail}, 'Kx7Q', 'and the provider got its own key, not the password');
is(ask('alice', basic('alice', 'river'))->{status}, 200, '"Require user": served');

is(ask('keyed', 'X-Core-Key' => 'known')->{status}, 200, 'AINote ai-key-id: served');
is(ask('keyed', 'X-Core-Key' => 'unknown')->{status}, 401, 'AINote ai-key-id, empty: not served');

is($caller->request(path => '/v1/chat/completions', body => Gate::chat())->{status}, 200,
   'AIAnonymous On: served');

# A refusal comes before the upload is asked for.
$caller->close;
$caller->ask(path => '/closed/v1/chat/completions', body => Gate::chat(), expect => 1,
             headers => { Expect => '100-continue' });
is($caller->head->{status}, 401, 'nobody is told to go on with an upload (no 100 Continue)');
$caller->close;

done_testing();
