#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# proxypass.t - does a ProxyPass of the site ever win over a path of ours?
#
# mod_proxy maps at two places: while the path is still encoded (mapping=encoded), and after.

use strict;
use warnings;

use Estate;
use Gate ();
use Test::More;

# Where the provider saw a request that we answered.
sub seen_at
{
    my ($answer) = @_;
    my $id = $answer->{headers}{'x-request-id'} // '';
    return $id =~ /^[0-9a-f]{8}-/ ? (Gate::truths($id))[0]{path} : "not ours: $answer->{status} $answer->{body}";
}

my $mixed   = Gate::caller_of('h1', 'estate_proxy');
my $encoded = Gate::caller_of('h1', 'estate_encoded');

for my $case (['plain and encoded mappings', $mixed], ['encoded mappings only', $encoded]) {
    my ($what, $caller) = @$case;
    my $truth = is_served(post($caller, '/v1/chat/completions'), "$what, chat");
    like($truth->{key_tail} // '', qr/Kx7Q/, "$what, chat: with the target's key");
    is(seen_at($caller->request(path => '/v1/files/f1')), '/v1/files/f1', "$what: a path below");
    is(seen_at($caller->request(path => '/v1/files/a%20b')), '/v1/files/a%20b',
       "$what: a path with an encoded character goes up encoded once");
    is_the_sites($caller->request(path => '/page'), 200, qr{"/site/page"}, "$what: the site's own path");
}
is(seen_at($mixed->request(path => '/v1/encoded/x')), '/v1/encoded/x', 'mapping=encoded below our root');
is(seen_at($mixed->request(path => '/v1/matched/x')), '/v1/matched/x', 'ProxyPassMatch below our root');
is_served(post($mixed, '/inside/v1/chat/completions'), 'inside a <Location> with a ProxyPass');

# The name of a model, decoded once and by httpd, whoever else maps.
my $answer = $encoded->request(path => '/v1/models/a%20model');
is(Gate::from_json($answer->{body})->{id}, 'a model', 'the name of a model is decoded') or diag(Gate::brief($answer));

# What decodes to a path outside is not ours, and nobody's either.
my $before = Gate::calls()->{total};
$answer = $encoded->request(path => '/v1/x%2F..%2F..%2Fpage');
is_deeply([$answer->{status}, Gate::calls()->{total}], [404, $before],
          'a path that leaves our location when it is decoded goes nowhere') or diag(Gate::brief($answer));

done_testing();
