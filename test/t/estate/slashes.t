#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# slashes.t - what becomes of %2F in a path, as in /v1/models/meta-llama%2FLlama-3?
#
# SDKs write a model's name so. What httpd does with it AllowEncodedSlashes says.

use strict;
use warnings;

use Estate;
use Gate ();
use Test::More;

my %caller = map { $_ => Gate::caller_of('h1', "estate_slashes_$_") } qw(off on nodecode);
my $model  = '/v1/models/meta-llama%2FLlama-3';
my $file   = '/v1/files/a%2Fb';

sub seen_at { return (Gate::truths($_[0]{headers}{'x-request-id'}))[0]{path} }

# ----------------------------------------------------------------------------------------- Off
# httpd refuses the path before any module may map it. It is an error of ours all the same.

my $before = Gate::calls()->{total};
for my $path ($model, $file, '/v1/models/meta-llama%2fLlama-3') {
    is_refused($caller{off}->request(path => $path), 404, 'not_found', "Off: $path");
}
my $answer = $caller{off}->request(path => $model, headers => { 'anthropic-version' => '2023-06-01' });
is(Gate::from_json($answer->{body})->{type}, 'error', 'Off: in the caller\'s dialect');
is(Gate::calls()->{total}, $before, 'Off: no provider hears of it');
is_the_sites($caller{off}->request(path => '/site%2Fpage'), 404, qr/a page of the site/,
             'Off: outside our location the site has its own error page');
is_served(post($caller{off}, '/v1/chat/completions', model => 'meta-llama/Llama-3'),
          'Off: in a body the name needs no encoding');
is(Gate::from_json($caller{off}->request(path => '/v1/models/meta-llama/Llama-3')->{body})->{id},
   'meta-llama/Llama-3', 'Off: nor in a path, where the slash is written as one');

# ------------------------------------------------------------------------------------------ On

$answer = $caller{on}->request(path => $model);
is(Gate::from_json($answer->{body})->{id}, 'meta-llama/Llama-3', 'On: the model is found')
    or diag(Gate::brief($answer));
is(seen_at($caller{on}->request(path => $file)), '/v1/files/a/b',
   'On: a path that is passed through goes up with a slash');

# ------------------------------------------------------------------------------------ NoDecode

$answer = $caller{nodecode}->request(path => $model);
is(Gate::from_json($answer->{body})->{id}, 'meta-llama/Llama-3', 'NoDecode: the model is found')
    or diag(Gate::brief($answer));
is(seen_at($caller{nodecode}->request(path => $file)), '/v1/files/a/b', 'NoDecode: as with On');
is_refused($caller{nodecode}->request(path => '/v1/files/..%2F..%2Fadmin'), 400, 'invalid_path',
           'NoDecode: a path that climbs is refused');

done_testing();
