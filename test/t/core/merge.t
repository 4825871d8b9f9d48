#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# merge.t - what holds where sections lie inside each other?

use strict;
use warnings;

use Gate ();
use Test::More;

my $caller = Gate::caller_of('h1', 'core');
my $whole  = Gate::caller_of('h1', 'core_whole');

sub ask
{
    my ($from, $path, $model, $length) = @_;
    return $from->request(path => $path,
                          body => Gate::chat(model => $model, text => 'x' x ($length // 1)));
}

sub is_served
{
    my ($answer, $path, $what) = @_;
    is($answer->{status}, 200, $what) or diag($answer->{body});
    my ($truth) = Gate::truths($answer->{headers}{'x-request-id'});
    is($truth->{path}, $path, "$what: at the right path");
    return;
}

sub is_error
{
    my ($answer, $status, $code, $what) = @_;
    my $error = eval { Gate::from_json($answer->{body})->{error} } // {};
    is_deeply([$answer->{status}, $error->{code}], [$status, $code], $what);
    return;
}

# --------------------------------------------------------------------- /nest/v1 and what is in it

my $chat = '/nest/v1/chat/completions';
is_served(ask($caller, $chat, 'inner'), '/v1/chat/completions',
          'an inner section brings routes of its own, and the outer one stays the root');
is_served(ask($caller, $chat, 'both'), '/v1/chat/completions', 'a model of both');
is_error(ask($caller, $chat, 'outer'), 404, 'model_not_found', 'the outer routes are replaced');
is_served($caller->request(path => '/nest/v1/embeddings',
                           body => Gate::to_json({ model => 'outer', input => 'x' })),
          '/v1/embeddings', 'beside it the outer routes hold');
is_error($caller->request(path => '/nest/v1/embeddings',
                          body => Gate::to_json({ model => 'inner', input => 'x' })),
         404, 'model_not_found', 'and the inner ones do not');
is_error(ask($caller, $chat, 'inner', 3000), 413, 'request_too_large', 'the limit is inherited');

my $before = Gate::calls()->{total};
my $off = ask($caller, '/nest/v1/off/chat/completions', 'outer');
isnt($off->{status}, 200, 'AIEngine Off inside is off');
unlike($off->{headers}{'content-type'} // '', qr/json/, 'and its errors are httpd\'s own');
is(Gate::calls()->{total}, $before, 'no provider hears of it');
is_served(ask($caller, '/nest/v1/off/on/chat/completions', 'outer'), '/v1/chat/completions',
          'On again inside that: a root of its own, with the inherited routes');

# ----------------------------------------------------------------------- a whole host as the API

is_served(ask($whole, '/v1/chat/completions', 'whole'), '/v1/chat/completions',
          'AIEngine on the server: /v1 is understood');
is_served(ask($whole, '/chat/completions', 'whole'), '/v1/chat/completions',
          'AIEngine on the server: and not needed');
is_error(ask($whole, '/v1/chat/completions', 'whole', 3000), 413, 'request_too_large',
         'the server\'s limit');
is_error($whole->request(path => '/v1/embeddings', body => Gate::to_json({ model => 'whole', input => 'x' })),
         404, 'model_not_found', 'the location replaces the server\'s routes');
is_served($whole->request(path => '/v1/embeddings',
                          body => Gate::to_json({ model => 'small', input => 'x' x 3000 })),
          '/v1/embeddings', 'and its limit');
my $status = $whole->request(path => '/status?auto');
is($status->{status}, 200, 'AIEngine Off in a location');
like($status->{body}, qr/^ServerUptimeSeconds:/m, 'leaves it to its own handler');

# ---------------------------------------------------------------------------- hosts are apart

is_error(Gate::caller_of('h1', 'core_secrets')->request(path => '/v1/chat/completions',
             body => Gate::chat(model => 'whole')), 404, 'model_not_found',
         'a host knows nothing of another host\'s routes');

done_testing();
