#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Does every file of conf-examples do what it says it does?
#
# Each is started as a server of its own. Its "# Try:" line is run as it stands there (with this
# server's port), then once more as a stream.
use strict;
use warnings;
use Test::More;

use File::Basename qw(basename);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use IO::Socket::INET ();
use JSON::PP qw(decode_json);
use POSIX ();

my $examples = $ENV{AI_EXAMPLES} // die "AI_EXAMPLES is not set; run make check\n";
my $httpd    = $ENV{AI_HTTPD}    // die "AI_HTTPD is not set; run make check\n";
for my $name (qw(AI_MODULES AI_HTTPD_MODULES AI_SIM_URL AI_SIM_PORT AI_CERTS AI_AICTL AI_STAGE)) {
    die "$name is not set; run make check\n" unless defined $ENV{$name};
}
# Never ask a real provider from a test.
delete @ENV{qw(OPENAI_API_KEY AI_FAR_KEY)};

my ($pid, $port, $rundir);

# ------------------------------------------------------------------- a server

sub slurp
{
    my ($file) = @_;
    open(my $fh, '<', $file) or return '';
    local $/ = undef;
    my $text = <$fh>;
    close($fh);
    return $text // '';
}

sub spew
{
    my ($file, $text) = @_;
    open(my $fh, '>', $file) or die "$file: $!\n";
    print $fh $text;
    close($fh) or die "$file: $!\n";
    return;
}

sub free_port
{
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1)
        or die "no free port: $!\n";
    return $socket->sockport;
}

# Waits until $what->() is true; 1 when it became so within 20 seconds.
sub await
{
    my ($what) = @_;
    for (1 .. 400) {
        return 1 if $what->();
        select(undef, undef, undef, 0.05);
    }
    return 0;
}

sub gone { return !$pid || waitpid($pid, POSIX::WNOHANG()) != 0 }

sub start
{
    my ($conf) = @_;
    $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        open(STDIN,  '<',  '/dev/null');
        open(STDOUT, '>',  "$rundir/out");
        open(STDERR, '>&', \*STDOUT);
        { exec($httpd, '-d', $rundir, '-f', $conf, '-D', 'FOREGROUND') };
        POSIX::_exit(127);
    }
    my $ended;
    my $listens = await(sub {
        return 1 if $ended = gone();
        return IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 2) ? 1 : 0;
    });
    $pid = undef if $ended;
    return $listens && !$ended;
}

sub stop
{
    return 1 unless $pid;
    kill('TERM', $pid);
    my $ended = await(\&gone);
    if (!$ended) {
        kill('KILL', $pid);
        waitpid($pid, 0);
    }
    $pid = undef;
    return $ended;
}

END { local $? = $?; stop() }

# Whether httpd takes the file, with more on its command line.
sub takes
{
    my ($name, $what, @more) = @_;
    my $said = `$httpd -d $rundir -f $examples/$name @more -t 2>&1`;
    ok($? == 0, "$name is right $what") or diag($said);
    return;
}

# ------------------------------------------------------------------- a request

# Runs a shell line with curl in it. Returns status, head and body.
sub run_line
{
    my ($line) = @_;
    my $script = "curl() { command curl --silent --show-error --include --noproxy '*' --max-time 20 \"\$@\"; }\n$line\n";
    spew("$rundir/line", $script);
    my $said = `sh $rundir/line 2>&1`;
    $said =~ s{\AHTTP/[\d.]+ 100 .*?\r\n\r\n}{}s;
    my ($head, $body) = split /\r\n\r\n/, $said, 2;
    my ($status) = ($head // '') =~ m{\AHTTP/[\d.]+ (\d+)};
    diag($said) unless $status;
    return ($status // 0, $head // '', $body // '');
}

sub get { my ($path) = @_; return run_line("curl http://127.0.0.1:$port$path") }

sub post
{
    my ($path, $body, @headers) = @_;
    my $head = join(' ', map { "-H '$_'" } 'Content-Type: application/json', @headers);
    return run_line("curl http://127.0.0.1:$port$path $head -d '$body'");
}

sub content
{
    my ($body) = @_;
    my $answer = eval { decode_json($body) } or return '';
    return $answer->{choices}[0]{message}{content} // '';
}

sub streamed_content
{
    my ($body) = @_;
    my $text = '';
    for my $data ($body =~ /^data: (\{.*\})\r?$/mg) {
        my $event = eval { decode_json($data) } or next;
        $text .= eval { $event->{choices}[0]{delta}{content} } // '';
    }
    return $text;
}

# --------------------------------------------------- what more a file says of itself

sub existing_vhost
{
    my ($status, $head, $body) = get('/');
    is("$status $body", '200 the front page', 'the site: its front page');
    ($status, $head, $body) = get('/downloads/a.txt');
    is("$status $body", '200 a file', 'the site: Alias');
    ($status, $head, $body) = get('/old/a.txt');
    is("$status $body", '200 a file', 'the site: RewriteRule, then Alias');
    ($status, $head, $body) = get('/nowhere');
    is("$status $body", '404 lost?', 'the site: its ErrorDocument');
    ($status, $head, $body) = get('/app/v1/models');
    is($status, 200, 'the site: ProxyPass');
    unlike($head, qr/^ai-provider-request-id:/mi, 'what ProxyPass brings is not touched by the gateway');
    ($status, $head, $body) = post('/openai/v1/chat/completions',
                                   '{"model":"chat","messages":[{"role":"user","content":"Hello"}]}');
    is($status, 200, 'a RewriteRule may lead to the gateway');
    isnt(content($body), '', 'and it answers there');
    ($status, $head, $body) = post('/ai/v1/chat/completions', '{"model":');
    is($status, 400, 'bad JSON is refused');
    is(eval { decode_json($body)->{error}{code} }, 'invalid_json', "as JSON, not as the site's page");
    ($status, $head, $body) = post('/ai/v1/chat/completions',
        '{"model":"chat?echo=1","messages":[{"role":"user","content":"Hello"}]}', 'Host: the-site');
    my $echo = eval { decode_json(content($body)) };
    is($echo->{headers}{host}, "127.0.0.1:$ENV{AI_SIM_PORT}",
       "ProxyPreserveHost of the site does not send the caller's Host to the provider");
    return;
}

sub fallback
{
    ok(await(sub { slurp("$rundir/access_log") =~ /by=north as=north-large attempts=3/ }),
       'the access log tells of three attempts');
    like(slurp("$rundir/error_log"), qr/AI0107: target east failed: connect/, 'why east did not do');
    like(slurp("$rundir/error_log"), qr/AI0107: target west failed: status, status 503/, 'why west did not');
    return;
}

sub https_upstream
{
    ok(await(sub { slurp("$rundir/access_log") =~ /^localhost .*"POST \/v1\/chat\/completions/m }),
       'the provider was reached over TLS');
    return;
}

sub one_provider
{
    ok(await(sub { slurp("$rundir/access_log") =~ /gpt-4o-mini served=gpt-4o-mini by=openai in=\d+ out=12 end=stop/ }),
       'the access log tells who used how much');
    my ($status, $head, $body) = post('/v1/chat/completions', '{"model":"claude","messages":[]}');
    is($status, 404, 'a model without a route');
    is(eval { decode_json($body)->{error}{code} }, 'model_not_found', 'is not found');
    spew("$rundir/openai.key", "sk-test\n");
    chmod(0600, "$rundir/openai.key");
    takes('one-provider.conf', 'when the key is there, too');
    return;
}

sub everything
{
    my ($status, $head, $body) = post('/v1/chat/completions',
        '{"model":"chat-x","messages":[{"role":"user","content":"Hello"}]}', 'X-Sim: echo=1',
        'X-Tenant: blue', 'Authorization: Bearer sk-of-the-caller');
    is($status, 200, 'a header that AITargetForward names passes');
    my $echo = eval { decode_json(content($body)) } // {};
    is($echo->{headers}{authorization}, 'Bearer sk-of-the-gateway', "the provider gets the target's key");
    is($echo->{headers}{'x-gateway'}, 'mod_ai', 'and the header of AITargetHeader');
    ok(!exists $echo->{headers}{'x-tenant'}, 'and no other');
    like($echo->{body} // '', qr/"model":"served-model"/, 'and the name of AITargetModel');
    ok(await(sub { slurp("$rundir/access_log") =~ / 200 chat-x near blue \d+$/m }), 'AINote sets a note');
    local $ENV{AI_FAR_KEY} = 'sk-far';
    takes('everything.conf', 'with a key in the environment', '-D', 'AI_FAR_KEY');
    return;
}

sub two_dialects
{
    ok(await(sub { slurp("$rundir/access_log") =~ / 200 openai claude-sonnet-4-5 by=claude dropped=- /m }),
       "OpenAI's caller was answered by Claude");
    my ($status, $head, $body) = post('/v1/messages',
        '{"model":"gpt-5.1","max_tokens":50,"top_k":3,"messages":[{"role":"user","content":"Hello"}]}',
        'anthropic-version: 2023-06-01');
    my $answer = eval { decode_json($body) } // {};
    is_deeply([$status, @{$answer}{qw(type stop_reason)}], [200, 'message', 'end_turn'],
              "Anthropic's caller is answered in its own words");
    like($head, qr/^ai-dropped: top_k\r?$/mi, 'and told what was dropped');
    ok(await(sub { slurp("$rundir/access_log") =~ / 200 anthropic gpt-5\.1 by=gpt dropped=top_k /m }),
       'as is the access log');
    return;
}

sub metrics
{
    my ($status, $head, $body) = run_line((slurp("$examples/metrics.conf") =~ /^# Then: (curl .*)$/m)[0]
                                          =~ s/127\.0\.0\.1:8080/127.0.0.1:$port/r);
    is($status, 200, 'the metrics can be read');
    my @sums = $body =~ /^ai_requests_total\{[^}]*\} (\d+)$/mg;
    is(eval { my $n = 0; $n += $_ for @sums; $n }, 2, 'and both calls are in them');
    return;
}

# A key file with one key, as build/serve makes it.
sub make_key
{
    my $key = `$ENV{AI_AICTL} key create --file $rundir/keys --name example 2>$rundir/aictl.out`;
    die slurp("$rundir/aictl.out") if $?;
    spew("$rundir/key.header", "Authorization: Bearer $key");
    chmod(0644, "$rundir/keys");
    return;
}

sub keys_conf
{
    my $chat = '{"model":"gpt-x","messages":[{"role":"user","content":"Hello"}]}';
    my ($status, $head, $body) = post('/v1/chat/completions', $chat);
    is($status, 401, 'without a key nobody gets in');
    ($status, $head, $body) = post('/v1/chat/completions', $chat, 'x-api-key: sk-ai-nobody');
    is(eval { decode_json($body)->{error}{code} }, 'malformed_api_key', 'nor with half a key');
    ok(await(sub { slurp("$rundir/access_log") =~ / 200 key=\w{12} gpt-4o-mini$/m }),
       'the access log tells whose key it was');
    my ($secret) = slurp("$rundir/key.header") =~ /-(\w{49})\s*$/;
    is(index(slurp("$rundir/access_log") . slurp("$rundir/error_log"), $secret), -1,
       'and no log has the key');
    return;
}

# The same for a person with a password.
sub make_user
{
    spew("$rundir/users", 'alice:' . `openssl passwd -apr1 river`);
    return;
}

sub logins
{
    my @alice = map { "Authorization: Basic $_" } 'YWxpY2U6cml2ZXI=';
    my $chat = '{"model":"gpt-4o%s","messages":[{"role":"user","content":"Hello"}]}';
    my ($status) = post('/v1/chat/completions', sprintf($chat, '-mini'), @alice);
    is($status, 200, 'a person with a password is served');
    ok(await(sub { slurp("$rundir/access_log") =~ / 200 alice key=- tenant=people\/alice gpt-4o-mini$/m }),
       'the access log tells who it was, and of which tenant');
    is((post('/v1/chat/completions', sprintf($chat, ''), @alice))[0], 401, 'but not with a large model');
    ($status, my $head, my $body) = post('/v1/chat/completions', sprintf($chat, '-mini'), 'Authorization: Basic YWxpY2U6eA==');
    is($status, 401, 'a wrong password');
    like($head, qr/^WWW-Authenticate: Basic realm="AI gateway"\r?$/mi, 'is asked for again');
    is(eval { decode_json($body)->{error}{code} }, 'invalid_api_key', 'in JSON');
    my ($key) = slurp("$rundir/key.header") =~ /^Authorization: (Bearer \S+)/;
    is((post('/v1/chat/completions', sprintf($chat, ''), "Authorization: $key"))[0], 200, 'a program may use them');
    ($status, $head, $body) = post('/v1/chat/completions', '{"model":"gpt-x-preview","messages":[]}', "Authorization: $key");
    is(eval { decode_json($body)->{error}{code} }, 'model_not_allowed', 'but none that nobody may use here');
    return;
}

# The same key in a database, and somebody with a token.
sub make_company
{
    for my $who (qw(database token)) {
        system("$ENV{AI_STAGE}/bin/callers", $who, $rundir) == 0 or die "callers $who: $?\n";
    }
    return;
}

sub company
{
    my $chat = '{"model":"gpt-4o","messages":[{"role":"user","content":"Hello"}]}';
    ok(await(sub { slurp("$rundir/access_log") =~ / 200 \w{12} key=\w{12} tenant=- gpt-4o$/m }),
       'the access log tells whose key it was');
    my ($token) = slurp("$rundir/token.header") =~ /^(.*)/;
    is((post('/v1/chat/completions', $chat, $token))[0], 200, 'who has a token is served');
    ok(await(sub { slurp("$rundir/access_log") =~ m{ 200 bob\@example\.com key=- tenant=people/red gpt-4o$}m }),
       'and known by its claims');
    my ($status, $head, $body) = post('/v1/chat/completions', $chat, $token =~ s/.{6}\z/AAAAAA/r);
    is(eval { decode_json($body)->{error}{code} }, 'token_signature', 'but not with a forged one');
    system("$ENV{AI_AICTL} key disable --database 'sqlite3 $rundir/db/keys.db' --runtime $rundir " .
           slurp("$rundir/key.header") =~ s/.*sk-ai-(\w+)-.*/$1/sr) == 0 or diag('aictl failed');
    my ($key) = slurp("$rundir/key.header") =~ /^(.*)/;
    ($status, $head, $body) = post('/v1/chat/completions', $chat, $key);
    is(eval { decode_json($body)->{error}{code} }, 'key_disabled', 'a key is taken back at once');
    return;
}

sub quickstart
{
    local $ENV{OPENAI_API_KEY} = 'sk-test';
    takes('quickstart.conf', 'with OPENAI_API_KEY', '-D', 'AI_OPENAI');
    return;
}

my %more = (
    'quickstart.conf'     => \&quickstart,
    'one-provider.conf'   => \&one_provider,
    'fallback.conf'       => \&fallback,
    'https-upstream.conf' => \&https_upstream,
    'existing-vhost.conf' => \&existing_vhost,
    'everything.conf'     => \&everything,
    'company.conf'        => \&company,
    'keys.conf'           => \&keys_conf,
    'logins.conf'         => \&logins,
    'two-dialects.conf'   => \&two_dialects,
    'metrics.conf'        => \&metrics,
);

# ------------------------------------------------------------------------ main

my @files = sort glob("$examples/*.conf");
cmp_ok(scalar(@files), '>=', scalar(keys %more), 'the examples are there');
for my $file (@files) {
    my $name = basename($file);
    my ($try) = slurp($file) =~ /^# Try: (curl .*)$/m;

    ok($try, "$name says how to try it") or next;
    $rundir = tempdir(CLEANUP => 1);
    chmod(0755, $rundir);
    $port = free_port();
    $ENV{AI_RUNDIR} = $rundir;
    $ENV{AI_PORT}   = $port;
    make_path("$rundir/htdocs/files");
    spew("$rundir/htdocs/index.html", 'the front page');
    spew("$rundir/htdocs/lost.html", 'lost?');
    spew("$rundir/htdocs/files/a.txt", 'a file');
    spew("$rundir/near.key", "sk-of-the-gateway\n");
    make_key();
    make_user();
    make_company();
    spew("$rundir/models.json", '[{"match":"served-model","source":"s","date":"2026-11-21"}]');
    spew("$rundir/prices.json", '{"served-model":{"input_cost_per_token":1e-06,"output_cost_per_token":2e-06}}');
    chmod(0600, "$rundir/near.key");
    my $made = `$ENV{AI_AICTL} db init --database 'sqlite3 $rundir/mod_ai.db' 2>&1`;
    die $made if $?;

    ok(start($file), "$name starts") or diag(slurp("$rundir/out"), slurp("$rundir/error_log"));
    if ($pid) {
        $try =~ s/127\.0\.0\.1:8080/127.0.0.1:$port/;
        $try =~ s{\@build/out/run/8080/}{\@$rundir/};
        my ($status, $head, $body) = run_line($try);
        is($status, 200, "$name: a plain chat is answered") or diag($body);
        like($head, qr/^x-request-id: [0-9a-f-]{36}\r?$/m, "$name: with the gateway's request id");
        my $plain = content($body);
        isnt($plain, '', "$name: it says something");

        (my $stream = $try) =~ s/-d '\{/-N -d '{"stream":true,/;
        isnt($stream, $try, "$name: its line can be made a stream");
        ($status, $head, $body) = run_line($stream);
        is($status, 200, "$name: a streamed chat is answered") or diag($body);
        like($head, qr{^content-type: text/event-stream}mi, "$name: as events");
        is(streamed_content($body), $plain, "$name: it says the same");
        like($body, qr/^data: \[DONE\]\r?$/m, "$name: to the end");
        $more{$name}->() if $more{$name};
    }
    ok(stop(), "$name stops");
    unlike(slurp("$rundir/error_log"),
           qr/Segmentation fault|exit signal|AddressSanitizer|runtime error:|(?<!auth_basic|authz_core):error\]|:(?:crit|alert|emerg)\]/,
           "$name: the log tells of no error");
}
done_testing();
