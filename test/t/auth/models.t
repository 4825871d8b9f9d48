#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# models.t - what does AIAuthModels let callers of a location use, whatever their login?

use strict;
use warnings;

use AuthServer ();
use Gate ();
use Keys ();
use MIME::Base64 qw(encode_base64);
use Test::More;

my %key = (
    any   => Keys::make(),
    small => Keys::make(models => ['small-*', 'large']),
    files => Keys::make(models => ['small-*'], endpoints => ['chat', 'files']),
);
my @routes = map { "AIRoute $_ sim" } qw(small-1 small-2 large other *);
sub place
{
    my ($path, @lines) = @_;
    return join("\n    ", "<Location $path>", @lines) . "\n</Location>\n";
}
sub gateway { my ($name, @lines) = @_; return place("/$name/v1", 'AIEngine On', @routes, 'Require all granted', @lines) }
my $server = AuthServer->new([values %key], join('',
    "<Location />\nAIAuthModels other\n</Location>\n",
    gateway('outer'),
    gateway('some', 'AIAuthModels small-* o?', 'AIAuthModels LARGE', 'Use Basic'),
    place('/some/v1/files', 'AIAuthModels *'),
    gateway('not', 'AIAuthModels !large !small-2'),
    gateway('both', 'AIAuthModels !small-2 small-*'),
    gateway('all', 'AIAuthModels *', 'AIAnonymous On'),
    gateway('none', 'AIAuthModels !*'),
    gateway('free', 'AIAnonymous On', 'AIAuthModels small-1')));
my $caller = $server->caller;

sub ask
{
    my ($place, $who, $model, %o) = @_;
    my %login = $who eq 'basic' ? (Authorization => 'Basic ' . encode_base64('alice:river', ''))
              : $who            ? ('x-api-key' => $key{$who}{text}) : ();
    return $caller->request(path => "/$place/v1" . ($o{path} // '/chat/completions'), method => $o{method},
                            headers => { %login, %{ $o{headers} // {} } },
                            body => exists $o{body} ? $o{body} : Gate::chat(model => $model));
}

sub said
{
    my ($answer) = @_;
    my $error = (eval { Gate::from_json($answer->{body})->{error} }) // {};
    return join(' ', $answer->{status}, $error->{code} // (), $error->{param} // ());
}

my $denied = '403 model_not_allowed model';
# [place, who, model, what is said]
for my $row (
    ['outer', 'any', 'other', 200], ['outer', 'any', 'small-1', $denied],
    ['some', 'any', 'small-1', 200], ['some', 'any', 'SMALL-9', 200], ['some', 'any', 'o3', 200], ['some', 'any', 'large', 200],
    ['some', 'any', 'o33', $denied], ['some', 'any', 'other', $denied],
    ['some', 'basic', 'small-1', 200], ['some', 'basic', 'other', $denied],
    ['some', 'small', 'large', 200], ['some', 'small', 'o3', $denied], ['some', '', 'other', '401 invalid_api_key'],
    ['not', 'any', 'small-1', 200], ['not', 'any', 'anything', 200], ['not', 'any', 'Large', $denied], ['not', 'any', 'small-2', $denied],
    ['both', 'any', 'small-1', 200], ['both', 'any', 'small-2', $denied], ['both', 'any', 'large', $denied],
    ['all', 'any', 'anything', 200], ['all', '', 'anything', 200], ['all', 'small', 'other', $denied],
    ['none', 'any', 'small-1', $denied],
    ['free', '', 'small-1', 200], ['free', '', 'small-2', $denied], ['free', 'any', 'small-2', $denied],
) {
    my ($place, $who, $model, $want) = @$row;
    is(said(ask($place, $who, $model)), $want, "$place, " . ($who || 'nobody') . ", $model: $want");
}

# ---------------------------------------------------------------------------- what may be listed

sub models
{
    my ($place, $who) = @_;
    my $answer = ask($place, $who, undef, path => '/models', body => undef);
    return join(' ', map { $_->{id} } @{ (eval { Gate::from_json($answer->{body}) } // {})->{data} // ['?'] });
}
is(models('outer', 'any'), 'other', 'the list of models is of those that may be used here');
is(models('some', 'basic'), 'small-1 small-2 large', 'whoever asks');
is(models('some', 'small'), 'small-1 small-2 large', 'and of those that a key may use');
is(models('both', 'small'), 'small-1', 'both hold');
is(models('not', 'small'), 'small-1', 'whatever way it is said');
is(models('all', ''), 'small-1 small-2 large other', '"*" lets all be used');
is(models('none', 'any'), '', '"!*" none');
is(said(ask('some', 'any', undef, path => '/models/large', body => undef)), 200, 'one model that may be used');
is(said(ask('some', 'any', undef, path => '/models/other', body => undef)), $denied, 'one that may not');
my $answer = ask('both', 'any', undef, path => '/messages', headers => { 'anthropic-version' => '2023-06-01' },
                 body => Gate::to_json({ model => 'large', max_tokens => 9, messages => [{ role => 'user', content => 'x' }] }));
is_deeply([$answer->{status}, (eval { Gate::from_json($answer->{body})->{error}{type} })], [403, 'permission_error'],
          "a caller of Anthropic's is told in his dialect");

# ------------------------------------------------------------------------- what names no model

for my $path ('/files', '/batches', '/unknown/path') {
    my @body = $path eq '/files' ? (method => 'GET', body => undef) : (body => '{"model":"small-1"}');
    is(said(ask('both', 'any', undef, path => $path, @body)), $denied, "$path can reach any model, so it is refused");
    is(said(ask('not', 'basic', undef, path => $path, @body)) =~ /^40[13]/, 1, "$path, where only some are denied");
    isnt(said(ask('all', 'any', undef, path => $path, @body)), $denied, "$path, where all may be used");
}
is(said(ask('both', 'files', undef, path => '/files', body => undef)), $denied, 'a key for files is no way around');
is(ask('some', 'any', undef, path => '/files', body => undef)->{status}, 200, 'an inner location may say otherwise');
is(said(ask('some', 'any', undef, path => '/models/small-1', body => undef, method => 'DELETE')), $denied, 'nor may a model be deleted');
is(said(ask('both', 'any', undef, path => '/moderations', body => '{"input":"x"}')), $denied, 'a known endpoint without a model');
my $logged = $server->logged(ask('both', 'any', 'large'));
is_deeply([@$logged{qw(status deny key)}], ['403', 'model_not_allowed', $key{any}{id}], 'the log says who, and why');

# --------------------------------------------------------------- what is wrong fails at the start

my $long = 'x' x 201;
for my $case (['', q{'' is no pattern}], ['!', q{'' is no pattern}], ['"gpt 4"', q{'gpt 4' is no pattern}], [$long, 'is no pattern'], ['a "" !b', q{'' is no pattern}]) {
    my ($words, $why) = @$case;
    ok(!eval { AuthServer->new([], "<Location /v1>\nAIAuthModels $words\n</Location>\n"); 1 }, 'AIAuthModels ' . substr($words, 0, 20) . ': no start');
    like($@, qr/AIAuthModels.*\Q$why\E/s, 'it says why');
}
done_testing();
