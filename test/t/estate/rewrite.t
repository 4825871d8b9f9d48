#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# rewrite.t - do mod_rewrite's rules lead to the gateway, and away from it, as they say?
#
# t/core/beside.t has the plain cases ([PT], [R], .htaccess); here is what else estates do.

use strict;
use warnings;

use Estate;
use Gate ();
use Test::More;

my $caller = Gate::caller_of('h1', 'estate_rewrite');

# The note ai-label of the request that was answered so, from the log.
sub label_of
{
    my ($answer) = @_;
    my $id = $answer->{headers}{'x-request-id'};
    return Gate::await("the log line of $id", sub {
        open(my $log, '<', 't/logs/estate_rewrite_notes') or return;
        return (map { /^id="\Q$id\E" label="(.*)"$/ ? $1 : () } <$log>)[0];
    });
}

# ------------------------------------------------------------------------------------- to us

my $answer = post($caller, '/openai/deployments/blue/chat/completions?api-version=2024-10-21');
is_served($answer, 'a rule whose path becomes one of ours');
is(label_of($answer), 'deployment:blue', 'what it matched is there for expressions ([E=...])');
$answer = post($caller, '/v1/chat/completions', headers => { 'X-Canary' => 'yes' });
is_served($answer, 'a RewriteCond chooses another location of ours');
is(label_of($answer), 'deployment:', 'whose rules then hold');
is_served(post($caller, '/v1/chat/completions', headers => { 'X-Canary' => 'no' }), 'or not');

is_served(post($caller, '/app/v1/chat/completions'), 'a rule that leaves us alone, before one for all');
is_the_sites($caller->request(path => '/app/any'), 200, qr/a page of the site/, 'and what that one is for');

# ----------------------------------------------------------------------------- away from us

my $before = Gate::calls()->{total};
is_the_sites($caller->request(path => '/v1/docs/page.html'), 200, qr/a page of the site/,
             'a rule without [PT] leads to a file');
is_the_sites($caller->request(path => '/v1/docs/none.html'), 404, qr/Not Found/i,
             'also where there is none');
is(Gate::calls()->{total}, $before, 'no provider hears of these');
$answer = $caller->request(path => '/v1/legacy/thing', headers => { Authorization => 'Bearer of-the-caller' });
is_the_sites($answer, 200, qr{"/site/thing"}, '[P] leads to a backend of the site\'s');
my ($call) = grep { $_->{path} eq '/site/thing' } @{ Gate::calls()->{last} };
unlike($call->{key_tail} // '', qr/Kx7Q/, 'which never sees the key of a target');

is_refused($caller->request(path => '/v1/gone'), 410, undef, '[G] on a path of ours: in JSON');
is_refused($caller->request(path => '/v1/forbidden'), 403, 'permission_denied',
           '[F], in spite of the ErrorDocument');

# ------------------------------------------------------------------- rules inside our location

$answer = post($caller, '/inside/v1/chat/completions');
is_served($answer, 'rules inside the location');
is(label_of($answer), 'deployment:inside', 'set variables');
is_refused(post($caller, '/inside/v1/refused'), 403, 'permission_denied', 'refuse');
$before = Gate::calls()->{total};
for my $path (qw(proxied rewritten)) {
    $answer = post($caller, "/inside/v1/$path");
    ok($answer->{headers}{'x-request-id'}, "$path: answered by us") or diag(Gate::brief($answer));
    my ($truth) = Gate::truths($answer->{headers}{'x-request-id'});
    is($truth->{path}, "/v1/$path", "$path: leads nowhere else");
}

done_testing();
