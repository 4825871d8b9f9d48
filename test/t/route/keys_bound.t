#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# keys_bound.t - does a key go anywhere but to its target's backend?
#
# Callers have no way to try (ssrf.t). So it is tried from within: by a module, made here, that
# changes where mod_proxy believes to connect to, behind the back of mod_ai.

use strict;
use warnings;

use File::Temp qw(tempdir);
use Gate ();
use KeyServer ();
use Test::More;

my $dir = tempdir('ai-elsewhere-XXXXXX', TMPDIR => 1, CLEANUP => 1);
open(my $fh, '>', "$dir/elsewhere.c") or die "elsewhere.c: $!\n";
print $fh <<'END';
#include <httpd.h>
#include <http_config.h>
#include <apr_optional_hooks.h>
#include <apr_strings.h>

/* As mod_proxy.h has it, which not every httpd installs. */
#define PROXY_DECLARE(type) type
APR_DECLARE_EXTERNAL_HOOK(proxy, PROXY, int, fixups, (request_rec * r))

/* Leads a request with the header X-Elsewhere to what that says. */
static int on_fixups(request_rec *r)
{
    const char *to = apr_table_get(r->headers_in, "X-Elsewhere");

    if (to) {
        r->filename = apr_pstrcat(r->pool, "proxy:", to, NULL);
    }
    return DECLINED;
}

static void register_hooks(apr_pool_t *p)
{
    APR_OPTIONAL_HOOK(proxy, fixups, on_fixups, NULL, NULL, APR_HOOK_FIRST);
}

module AP_MODULE_DECLARE_DATA elsewhere_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks
};
END
close($fh) or die "elsewhere.c: $!\n";
my $said = `$ENV{AI_CC} -shared -fPIC -o $dir/elsewhere.so $ENV{AI_HTTPD_CPPFLAGS} $ENV{AI_PURE_CPPFLAGS} $dir/elsewhere.c 2>&1`;
is($?, 0, 'the module is made') or diag($said);

my $port   = Gate::sim_port();
my $server = KeyServer->new(
    files => { a => 'sk-custody-aaaa', b => 'sk-custody-bbbb' },
    conf  => "LoadModule elsewhere_module $dir/elsewhere.so\n"
           . "<Proxy balancer://farm>\nBalancerMember http://127.0.0.1:$port\n</Proxy>\n"
           . "<AITarget farm>\nAITargetURL balancer://farm/v1\nAITargetKeyFile KEYS/a\n</AITarget>\n"
           . "<Location /farm/v1>\nAIEngine On\nAIRoute * farm\n</Location>\n"
           . KeyServer::target('t', 'AITargetKeyFile KEYS/a', 'AITargetKeyFile KEYS/b'));

sub elsewhere
{
    my ($to, $place) = @_;
    return $server->caller->request(path => ($place // '') . '/v1/chat/completions', body => Gate::chat(),
                                    headers => { Authorization => 'Bearer callers-own', defined $to ? ('X-Elsewhere' => $to) : () });
}

is(elsewhere()->{status}, 200, 'the backend of the target: a key is sent');
is(elsewhere("http://127.0.0.1:$port/v1/chat/completions")->{status}, 200, 'the same by another hand, too');
my $farm = elsewhere(undef, '/farm');
is_deeply([$farm->{status}, $server->tails($farm)], [200, 'aaaa'], 'a member of a balancer gets the key of the target');
my $n = 0;
for my $to ("https://127.0.0.1:$port/v1/chat/completions", "http://localhost:$port/v1/chat/completions",
            "http://127.0.0.1:${port}0/v1/chat/completions", "http://127.0.0.1:1/v1/chat/completions",
            "http://127.0.0.1/v1/chat/completions", "http://127.0.0.1:$port\@evil.example/v1") {
    for my $place ('', '', '', '', '/farm') {    # both keys have their turn
        my $answer = elsewhere($to, $place);
        is_deeply([$answer->{status}, [grep { $_->{id} eq $answer->{headers}{'x-request-id'} } @{ Gate::calls()->{last} }]],
                  [502, []], "$place $to: no key, no request");
        $n++;
    }
}
for my $try (1, 2) {    # what has no body is read no less
    my $answer = $server->caller->request(method => 'GET', path => '/v1/files', headers => {
        Authorization => 'Bearer callers-own', 'X-Elsewhere' => "http://localhost:$port/v1/files" });
    is_deeply([$answer->{status}, [grep { $_->{id} eq $answer->{headers}{'x-request-id'} } @{ Gate::calls()->{last} }]],
              [502, []], 'GET: no key, no request');
    $n++;
}
is(scalar($server->lines('AI0104: target \w+: the backend is another one than configured; nothing is sent')), $n, 'and the log says so each time');
unlike($server->said, qr/sk-custody/, 'without a key');

done_testing();
