#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# beside.t - does the gateway live in peace with the site around it?
#
# mod_rewrite, mod_alias, mod_dir, ProxyPass, SetHandler, ErrorDocument, .htaccess and internal
# redirects: what is the site's stays the site's, what is ours stays ours.

use strict;
use warnings;

use Gate ();
use Test::More;

my $caller = Gate::caller_of('h1', 'core');
my $site   = Gate::caller_of('h1', 'core_site');

sub post { return $_[0]->request(path => $_[1], body => Gate::chat(model => 'gpt-known')) }

sub is_served
{
    my ($answer, $what) = @_;
    is($answer->{status}, 200, $what) or diag($answer->{body});
    my ($truth) = Gate::truths($answer->{headers}{'x-request-id'});
    is($truth->{path}, '/v1/chat/completions', "$what: at the right path");
    is($truth->{body_bytes}, length Gate::chat(model => 'gpt-known'), "$what: with its body");
    return;
}

sub is_of_the_site
{
    my ($answer, $status, $body, $what) = @_;
    is($answer->{status}, $status, "$what: status");
    unlike($answer->{headers}{'content-type'} // '', qr/json/, "$what: no JSON");
    is($answer->{headers}{'x-request-id'}, undef, "$what: no request id");
    like($answer->{body}, $body, "$what: the site's own page");
    return;
}

# ------------------------------------------------------------------------------- mod_rewrite

is_served(post($caller, '/pretty/chat/completions'), 'a RewriteRule with [PT] leads to us');
isnt(post($caller, '/flat/chat/completions')->{status}, 200, 'one without leads to a file name');
my $answer = $caller->request(path => '/v1/moved');
is_deeply([$answer->{status}, ($answer->{headers}{location} // '') =~ m{(/v1/models)$}],
          [302, '/v1/models'], 'the site\'s redirect of one path of ours holds');
my $before = Gate::calls()->{total};
$answer = $caller->request(path => '/climb/secret');
is($answer->{status}, 400, 'a rewritten path that climbs is refused');
is(Gate::from_json($answer->{body})->{error}{code}, 'invalid_path', 'in JSON');
is(Gate::calls()->{total}, $before, 'and goes nowhere');
is_served(post($caller, '/files/inner-chat'), 'an internal redirect (RewriteRule in .htaccess)');
$answer = $caller->request(path => '/files/inner-chat', body => '{');
is($answer->{status}, 400, 'an internal redirect, then an error');
is($answer->{headers}{'content-type'}, 'application/json', 'an internal redirect, then JSON');

# --------------------------------------------------------------------- mod_alias, mod_dir, errors

like($caller->request(path => '/v1/models')->{body}, qr/^\{"object":"list"/,
     'an Alias of the site does not lead away');
is($caller->request(path => '/v1/models/page.html')->{headers}{'content-type'},
   'application/json', 'a name that looks like a file is none');
is_of_the_site($caller->request(path => '/files/403.html'), 200, qr/the page for 403/, 'Alias');
is_of_the_site($caller->request(path => '/files/'), 200, qr/index of the pages/, 'DirectoryIndex');
is_of_the_site($caller->request(path => '/files'), 301, qr/moved/i, 'DirectorySlash');
is_of_the_site($caller->request(path => '/nowhere'), 404, qr/not the AI's page/, 'a missing page');
is_of_the_site($caller->request(path => '/v1x/chat/completions'), 404, qr/not the AI's page/,
               'a path that only begins like ours');

# ------------------------------------------------------------------------------- SetHandler

like($caller->request(path => '/handled/other?auto')->{body}, qr/^ServerUptimeSeconds:/m,
     'a SetHandler of the site works');
is_served(post($caller, '/handled/v1/chat/completions'), 'and does not reach into our location');

# ------------------------------------------------------------------------------- ProxyPass

is_served(post($site, '/ai/v1/chat/completions'), 'inside a site that is proxied as a whole');
is_served(post($site, '/ai/chat/completions'), 'with a root that is not called /v1');
$answer = $site->request(path => '/ai/other/x');
is((Gate::truths($answer->{headers}{'x-request-id'}))[0]{path}, '/v1/other/x',
   'a ProxyPass below our root does not lead away');
for my $path ('/page', '/aix/chat/completions', '/v1/chat/completions', '/') {
    $answer = $site->request(path => $path);
    is($answer->{status}, 200, "$path is the site's");
    is(Gate::from_json($answer->{body})->{path}, "/site$path", "$path goes where the site says");
    like($answer->{headers}{'x-request-id'}, qr/^req_sim/, "$path is not ours");
}

# --------------------------------------------------------------------- httpd's own errors are JSON

sub is_ours
{
    my ($answer, $status, $code, $what) = @_;
    my $error = eval { Gate::from_json($answer->{body})->{error} } // {};
    is_deeply([$answer->{status}, $answer->{headers}{'content-type'}, $error->{code}],
              [$status, 'application/json', $code], $what) or diag($answer->{body});
    is($answer->{headers}{'content-length'} // length $answer->{body}, length $answer->{body},
       "$what: of the right length");
    like($answer->{headers}{'x-request-id'} // '', qr/^[0-9a-f-]{36}$/, "$what: with an id");
    return;
}

is_ours(post($caller, '/elsewhere/v1/chat/completions'), 403, 'permission_denied',
        '"Require ip": 403, though the site has a page for it');
is_ours($caller->request(path => '/elsewhere/v1/models'), 403, 'permission_denied',
        '"Require ip": also for the list of models');
is_ours($caller->request(path => '/httpd-limit/v1/chat/completions', body => Gate::chat(text => 'x' x 600)),
        413, 'request_too_large', 'LimitRequestBody');
is_ours($caller->request(path => '/httpd-limit/v1/chat/completions',
                         body => Gate::chat(text => 'x' x 600), chunked => 50),
        413, 'request_too_large', 'LimitRequestBody, in chunks');
is_ours(post($caller, '/none/v1/chat/completions'), 404, 'model_not_found',
        '404, though the site has a page for it');
is_ours(post($caller, '/basic/v1/chat/completions'), 401, 'invalid_api_key', 'mod_auth_basic');
my $head = $caller->request(method => 'HEAD', path => '/elsewhere/v1/models');
is_deeply([@$head{qw(status body)}], [403, ''], 'HEAD has no body');
is($caller->request(path => '/files/403.html')->{status}, 200, 'the connection is in order after all');

# ------------------------------------------------------------------------------------ .htaccess

is_of_the_site($caller->request(path => '/wrong/x.html'), 500, qr/Internal Server Error/,
               'a directive of ours in .htaccess');
ok(Gate::await('the complaint', sub {
    open(my $log, '<', 't/logs/error_log') or return;
    return scalar grep { /\.htaccess: AIEngine not allowed here/ } <$log>;
}), 'is refused in the error log');

done_testing();
