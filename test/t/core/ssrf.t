#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# ssrf.t - can a request choose where it goes?
#
# Hundreds of attempts to do so by path, request line, headers and body.  Whatever becomes of each
# of them: the simulator sees only paths below the target's prefix, only with the target's key, and
# a listener that plays the attacker's host is never called.

use strict;
use warnings;

use Gate ();
use IO::Socket::INET ();
use Test::More;

my $canary = IO::Socket::INET->new(Listen => 50, LocalAddr => '127.0.0.1', Proto => 'tcp')
    or die "no canary: $!\n";
my $evil = '127.0.0.1:' . $canary->sockport;
my $tries = 0;
my (%statuses, @odd);

# ---------------------------------------------------------------------------- how an attempt goes

my %callers;

sub attempt
{
    my ($host, $what, $line, $headers, $body) = @_;
    my $caller = $callers{$host} //= Gate::caller_of('h1', $host);
    $tries++;
    $body //= Gate::chat(model => 'gpt-known');
    my %head = (Host => 'localhost', 'Content-Type' => 'application/json', %$headers);
    my $bytes = "$line\r\n" . join('', map { "$_: $head{$_}\r\n" } sort keys %head)
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    $caller->connect;
    @$caller{qw(method answer began)} = ('POST', undef, time);
    my $answer = eval { $caller->send_raw($bytes); $caller->finish };
    if (!$answer || !$answer->{status}) {
        push @odd, "$host: $what: " . ($answer ? $answer->{error} // 'no answer' : $@);
        $caller->close;
        return;
    }
    $statuses{ $answer->{status} }++;
    push @odd, "$host: $what: $answer->{status}" if $answer->{status} >= 500;
    $caller->close unless ($answer->{status} == 200);
    return;
}

sub truth_size { return -s $ENV{AI_SIM_TRUTH} // 0 }

my $from = truth_size();

# --------------------------------------------------------------------------------------- by path

my @tails = (
    '../admin', '../../admin', './../admin', 'x/../../admin', '..', '../', '.', './', '%2e%2e/admin',
    '%2E%2E/admin', '.%2e/admin', '%2e%2e%2fadmin', '..%2fadmin', '..%2Fadmin', '%2f..%2fadmin',
    'x%2f..%2f..%2fadmin', '%2e%2e%2f%2e%2e%2fadmin', '%252e%252e/admin', '%252e%252e%252fadmin',
    '..%252fadmin', '..\\admin', '..%5cadmin', '%2e%2e%5cadmin', '\\..\\admin', '..;/admin',
    '..%3b/admin', '%00/../admin', '..%00/admin', "..%c0%afadmin", '..%e2%88%95admin',
    '%c0%ae%c0%ae/admin', "//$evil/x", "/$evil/x", "%2f%2f$evil/x", "\@$evil/x", ":80\@$evil/x",
    "http://$evil/x", "http:%2f%2f$evil/x", 'x?a=b', 'x%3fa=b', "x%3f\@$evil", 'x%23frag',
    "x%23\@$evil/", 'x%0d%0aX-Evil:%20caller-canary', 'x%0aX-Evil:caller-canary',
    'x%20HTTP/1.1%0d%0aHost:%20' . $evil, 'v1/../../admin', 'v1/v1/../../../admin', '....//admin',
    '.../admin', '..../admin', 'chat/completions/../../../admin', 'chat/completions/..%2f..%2fadmin',
    'models/../../../admin', 'models/..%2f..%2fadmin', 'models/%2e%2e%2f%2e%2e%2fadmin',
    '%2e/%2e%2e/admin', ';x=y/../../admin', '%09/../admin', '|balancer://x', "unix:/x|http://$evil/",
);
for my $host (qw(core_slashes_off core_slashes_on core_slashes_nodecode core_slashes_unmerged)) {
    attempt($host, $_, "POST /v1/$_ HTTP/1.1", {}) for @tails;
    attempt($host, $_, "POST $_ HTTP/1.1", {})
        for "/v1$evil/x", "/v1\@$evil/x", "/v1:80\@$evil/x", "/v1.$evil/x", '/v1..%2fadmin',
            '/v1%2f..%2fadmin', '/v1%2e%2e/admin', '//v1/../admin', "//$evil/v1/x", '/v1//../admin';
}

# ------------------------------------------------------------------------------- by request line

attempt('core', $_, "POST $_ HTTP/1.1", {})
    for "http://$evil/v1/chat/completions", "https://$evil/v1/chat/completions",
        "http://localhost\@$evil/v1/chat/completions", "http://$evil:80/v1/chat/completions",
        "HTTP://$evil/v1/files", "proxy:http://$evil/v1/x", "balancer://$evil/v1/x",
        "http:///v1/chat/completions", "$evil/v1/chat/completions", "ftp://$evil/v1/x",
        "h2c://$evil/v1/files", "unix:/run/x.sock|http://$evil/v1/files", '*', '', '?x', '#x',
        "http://$evil", "http://$evil\\v1/x", "/v1/x\thttp://$evil", "http://[::1]/v1/files";

# ------------------------------------------------------------------------------------ by headers

my @hosts = ($evil, "localhost\@$evil", "localhost:80\@$evil", "$evil#", "$evil/", "$evil/v1",
             "localhost, $evil", 'localhost:0', 'localhost:99999', "http://$evil", '..', '[::1]', '');
attempt('core', "Host: $_", 'POST /v1/chat/completions HTTP/1.1', { Host => $_ }) for @hosts;
attempt('core', "Host: $_", 'POST /preserve/v1/chat/completions HTTP/1.1', { Host => $_ }) for @hosts;
for my $name (qw(X-Forwarded-Host X-Forwarded-Server X-Forwarded-Proto X-Forwarded-For Forwarded
                 X-Host X-Original-Host X-Original-URL X-Rewrite-URL X-HTTP-Host-Override
                 X-Forwarded-Prefix X-Base-Url X-Upstream X-Target X-Target-Url X-Proxy-Url Proxy
                 x-portkey-custom-host x-portkey-provider x-portkey-config cf-aig-custom-host
                 cf-aig-endpoint cf-aig-authorization helicone-target-url helicone-openai-api-base
                 helicone-auth x-litellm-api-base openai-base-url x-openai-api-base api-base
                 x-sim-host destination location referer AI-Target AI-Route ai-target ai-route
                 ai-model ai-target-url)) {
    attempt('core', "$name: a URL", 'POST /v1/chat/completions HTTP/1.1', { $name => "http://$evil/v1" });
    attempt('core', "$name: a host", 'POST /v1/files HTTP/1.1', { $name => $evil });
}

# --------------------------------------------------------------------------------------- by body

for my $path ('/v1/chat/completions', '/v1/responses', '/v1/embeddings') {
    my $field = $path =~ /chat/ ? '"messages":[]' : '"input":"x"';
    for my $name (qw(api_base base_url api_key custom_llm_provider host url endpoint target provider
                     upstream proxy model_info organization deployment_id azure_endpoint
                     router_settings fallbacks metadata litellm_params extra_headers extra_body)) {
        my $value = $name =~ /s$|_info|_body|metadata/ ? qq({"api_base":"http://$evil/v1","host":"$evil"})
                                                         : qq("http://$evil/v1");
        attempt('core', "body: $name", "POST $path HTTP/1.1", {},
                qq({"model":"gpt-known",$field,"$name":$value}));
    }
    for my $model ("http://$evil/v1", "//$evil/x", "../../admin", "\@$evil/x", "x\\\\..\\\\..",
                   "proxy:http://$evil", "balancer://x", "..%2f..%2fadmin", "m?x=http://$evil",
                   "openai/http://$evil", "ft:http://$evil:x", "sim\@$evil", "m\\r\\nHost: $evil") {
        attempt('core', "model $model", "POST $path HTTP/1.1", {}, qq({"model":"$model",$field}));
    }
}

# ------------------------------------------------------------------------------------ what it led to

# The last word of the simulator's log is ours: all that came before it is in the file.
my $last = Gate::caller_of('h1', 'core')->request(path => '/v1/last', body => '{}');
Gate::truths($last->{headers}{'x-request-id'});
open(my $log, '<', $ENV{AI_SIM_TRUTH}) or die "truth log: $!\n";
seek($log, $from, 0);
my @calls = map { Gate::from_json($_) } <$log>;

cmp_ok($tries, '>=', 200, "$tries attempts");
cmp_ok(scalar @calls, '>=', 100, 'of which ' . @calls . ' reached the simulator');
cmp_ok($statuses{200} // 0, '>=', 100, 'as many were answered');
is_deeply(\@odd, [], 'each had an answer, and none is a failure of the server\'s');

# As whoever takes a path reads it: decoded once, with ';' for some the end of a segment's name.
sub climbs
{
    my ($path) = @_;
    $path =~ s/%([0-9a-fA-F]{2})/chr hex $1/ge;
    return $path =~ m{(?:^|[/\\])\.\.?(?:[/\\;]|$)};
}

is_deeply([map { $_->{path} } grep { $_->{path} !~ m{^/v1(?:/|$)} } @calls], [],
          'every path is below the prefix');
is_deeply([map { $_->{path} } grep { $_->{path} =~ m{(?:^|/)\.\.?(?:/|$)} } @calls], [],
          'none holds dot segments');
is_deeply([map { $_->{path} } grep { climbs($_->{path}) } @calls], [],
          'none that would climb once it is decoded');
is_deeply([map { "$_->{path} $_->{key_tail}" } grep { $_->{key_tail} ne 'Kx7Q' } @calls], [],
          'every call has the target\'s key');
is_deeply([grep { /evil|forward|portkey|cf-aig|helicone|litellm|base|target|^x-h/ }
           map { @{ $_->{header_names} } } @calls], [], 'none has a header of the attacker\'s');
is_deeply([map { "$_->{path}?$_->{query}" } grep { $_->{query} =~ /\@|^frag/ } @calls], [],
          'no path has become a query');

# The listener was never called.
$canary->blocking(0);
ok(!$canary->accept, 'the attacker\'s host was never called');

# It would have noticed: one call of our own.
my $check = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $canary->sockport);
ok(Gate::await('our own call', sub { return $canary->accept }), 'and it does listen');

done_testing();
