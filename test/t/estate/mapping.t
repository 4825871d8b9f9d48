#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# mapping.t - does anything of the site map a path of ours to a file?
#
# mod_alias in all its forms, mod_dir, handlers by file name and a DocumentRoot whose .htaccess
# sends everything elsewhere. t/core/beside.t has the other direction: the site's own paths.

use strict;
use warnings;

use Estate;
use Gate ();
use Test::More;

my $caller = Gate::caller_of('h1', 'estate_mapping');

is_served(post($caller, '/v1/chat/completions'), 'an Alias of the same path, a FallbackResource');
like($caller->request(path => '/v1/models')->{body}, qr/^\{"object":"list"/, 'an Alias of a path of ours');
for my $path (qw(files/page.html files/moved files/x.json batches/b1 page.html)) {
    my $answer = $caller->request(path => "/v1/$path");
    my ($truth) = Gate::truths($answer->{headers}{'x-request-id'} // 'none');
    is($truth->{path}, "/v1/$path", "$path goes to the provider: no AliasMatch, no Redirect, no handler, no file");
    is($answer->{headers}{'x-from-htaccess'}, undef, "$path: no .htaccess is read");
}
my $answer = $caller->request(path => '/v1/embeddings', body => Gate::to_json({ model => 'm', input => 'x' }));
like($answer->{body}, qr/"embedding"/, 'a ScriptAlias runs nothing');
is_refused($caller->request(path => '/v1/chat/completions'), 405, 'method_not_allowed',
           'an error is ours, not the .htaccess\'s');

is_the_sites($caller->request(path => '/nowhere'), 200, qr/a page of the site/, 'FallbackResource');
is_the_sites($caller->request(path => '/page.html'), 200, qr/a page of the site/, 'DocumentRoot');
is($caller->request(path => '/page.html')->{headers}{'x-from-htaccess'}, 'yes',
   'whose .htaccess is read: the test tests something');

done_testing();
