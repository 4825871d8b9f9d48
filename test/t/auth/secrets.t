#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# secrets.t - does a gateway key get into a log, or up to a provider?
#
# Wherever a caller puts it: where SDKs do, and where nobody should; good, wrong and damaged; on
# locations of ours and on others; over HTTP/1.1 and HTTP/2. The server logs all that its modules
# can say (trace8), and the access log all that a caller sends. (mod_http2 logs what it reads at
# trace1, before there is a request: docs/mod_ai_auth.md.)

use strict;
use warnings;

use AuthServer ();
use Gate ();
use Keys ();
use Test::More;

my $good   = Keys::make(name => 'ada');
my $server = AuthServer->new([$good], <<'END');
LogLevel trace8 http2:debug
LogFormat "%r|%U|%q|%f|%{Authorization}i|%{x-api-key}i|%{api-key}i|%{x-goog-api-key}i|%{cf-aig-authorization}i|%{Sec-WebSocket-Protocol}i|%{Cookie}i|%{Referer}i|%{User-Agent}i|%{X-Any}i|%{REMOTE_USER}e|%{SEEN}e|%{QUERY}e" everything
CustomLog everything_log everything
SetEnvIf Authorization "(.*)" SEEN=$1
SetEnvIf Request_URI "(.*)" QUERY=$1
AINote ai-own "%{THE_REQUEST} %{REQUEST_URI} %{QUERY_STRING} %{HTTP:Authorization} %{HTTP:Cookie}"
<Location /v1>
    AIEngine On
    Require ai-key
    AIRoute * sim
</Location>
<Location /open/v1>
    AIEngine On
    AIAnonymous On
    AIRoute * sim
</Location>
RewriteEngine On
RewriteRule ^/pretty/(.*)$ /v1/$1 [PT]
<Location /server-status>
    SetHandler server-status
</Location>
ErrorDocument 404 "no"
END

sub hexed { return $_[0] =~ s/([^\w])/sprintf('%%%02X', ord $1)/ger }

# Where a key may stand: headers, query, path.
my %place = (
    'Authorization'        => sub { headers => { Authorization => "Bearer $_[0]" } },
    'without a scheme'     => sub { headers => { Authorization => $_[0] } },
    'another scheme'       => sub { headers => { Authorization => "Token $_[0]" } },
    'in quotes'            => sub { headers => { Authorization => "Bearer \"$_[0]\"" } },
    'twice'                => sub { headers => { Authorization => "Bearer $_[0], Bearer $_[0]" } },
    'x-api-key'            => sub { headers => { 'x-api-key' => $_[0] } },
    'api-key'              => sub { headers => { 'api-key' => $_[0] } },
    'x-goog-api-key'       => sub { headers => { 'x-goog-api-key' => $_[0] } },
    'cf-aig-authorization' => sub { headers => { 'cf-aig-authorization' => "Bearer $_[0]" } },
    'sub-protocol'         => sub { headers => { 'Sec-WebSocket-Protocol' => "a, openai-insecure-api-key.$_[0], b" } },
    'cookie'               => sub { headers => { Cookie => "a=1; key=$_[0]; b=2" } },
    'referer'              => sub { headers => { Referer => "http://x.example/?key=$_[0]" } },
    'user-agent'           => sub { headers => { 'User-Agent' => "mine/1 ($_[0])" } },
    'any header'           => sub { headers => { 'X-Any' => "$_[0] $_[0]" } },
    'key='                 => sub { query => "?key=$_[0]" },
    'key=, among others'   => sub { query => "?a=1&key=$_[0]&b=2" },
    'key= twice'           => sub { query => "?key=$_[0]&key=$_[0]" },
    'key=, encoded'        => sub { query => '?k%65y=' . hexed($_[0]) },
    'another parameter'    => sub { query => "?token=$_[0]" },
    'another, quoted'      => sub { query => "?token=%22$_[0]%22" },
    'path'                 => sub { path => "/$_[0]/x" },
    'path, behind %20'     => sub { path => "/x%20$_[0]" },
);
my %text  = (good => $good->{text}, wrong => Keys::forged($good), damaged => Keys::broken($good),
             unknown => Keys::make()->{text});
# What is of the secret in each: nobody else says so.
my %secret = map { $_ => substr($text{$_}, 19, 11) } keys %text;

my (@up, $n);
for my $proto ('h1', 'h2') {
    for my $name (sort keys %place) {
        for my $kind (sort keys %text) {
            my $caller = $proto eq 'h1' ? $server->caller : $server->h2;
            my %o = $place{$name}->($text{$kind});
            my $path = $o{path} // '/chat/completions';
            for my $root ('/v1', '/open/v1', '/pretty', '/elsewhere', '/server-status') {
                my $answer = $caller->request(path => "$root$path" . ($o{query} // ''), body => Gate::chat(),
                                              headers => { 'X-Sim' => 'echo=1', %{ $o{headers} // {} } });
                $n++;
                push @up, "$proto $name $kind $root" if $answer->{status} == 200
                    && $answer->{body} =~ /$secret{$kind}/;
            }
        }
    }
}
cmp_ok($n, '>', 500, 'requests were sent');
is_deeply(\@up, [], 'no key came to the provider, who tells what it got; nor back');

my $caller = $server->caller;
my $answer = $caller->request(path => "/v1/unknown?a=1&key=$good->{text}&b=%20", body => '{}');
is(Gate::from_json($answer->{body})->{query}, 'a=1&b=%20', 'the rest of a query goes up as it is');
like($server->logged($answer)->{line}, qr{^POST /v1/unknown\?a=1&b=%20 HTTP/1.1$}, 'and is logged');
$answer = $caller->request(path => "/v1/unknown?key=$good->{text}", body => '{}');
like($server->logged($answer)->{line}, qr{^POST /v1/unknown HTTP/1.1$}, 'a query that was a key only is none');
# A path that only looks like a key is left alone.
$answer = $caller->request(path => '/v1/risk-ai-intelligence-report-of-sk-ai-anything-else-and-of-more', body => '{}',
                           headers => { 'x-api-key' => $good->{text} });
like($server->logged($answer)->{line}, qr{/v1/risk-ai-intelligence-report-of-sk-ai-anything-else-and-of-more }, 'what is no key stays');

$server->stop;
for my $log (qw(error_log access_log everything_log out)) {
    my $said = $server->read_file($log);
    isnt($said, '', "$log has something to say") if $log ne 'out';
    is_deeply([grep { $said =~ /$secret{$_}/ } sort keys %secret], [], "$log holds none of the keys")
        or diag(grep { my $line = $_; grep { $line =~ /$secret{$_}/ } keys %secret } $said =~ /^.*$/mg);
}
like($server->read_file('error_log'), qr/x-any: sk-ai-\w{12}-\*+ sk-ai/i, 'where a header is logged, its secret is blotted out');
open(my $fh, '<', $ENV{AI_SIM_TRUTH}) or die "$ENV{AI_SIM_TRUTH}: $!\n";
my $truth = do { local $/; <$fh> };
is_deeply([grep { $truth =~ /$secret{$_}/ } sort keys %secret], [], 'nor does the record of the provider');
done_testing();
