#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# keys_secrets.t - does the text of a provider's key ever leave the server but for its provider?
#
# Keys from a file, a variable and a program, with each thing that can become of them; everything is
# logged that can be (trace8). Then the logs, the pages and all answers are searched for any part of
# a key.

use strict;
use warnings;

use Gate ();
use KeyServer ();
use StatusPage ();
use Test::More;

local $ENV{AI_TEST_CUSTODY} = 'sk-canary-env-eeee';
my $server = KeyServer->new(
    files   => { a => "sk-canary-file-ffff\n" },
    scripts => { get => 'echo sk-canary-exec-xxxx; echo expires=2s; echo sk-canary-stderr >&2' },
    conf    => "LogLevel trace8\nCustomLog access_log \"%r %{ai-target}n %{ai-deny}n %{Authorization}i\"\n"
             . KeyServer::target('t', 'AITargetKeyFile KEYS/a', 'AITargetKeyEnv AI_TEST_CUSTODY name=env',
                                 'AITargetKeyExec KEYS/get name=exec', 'AITargetKeyAside 1s')
             . KeyServer::target('bad', 'AITargetKeyExec "KEYS/get bad" name=bad timeout=1s')
             . "<Location /bad/v1>\nAIEngine On\nAIRoute * bad\n</Location>\n");

my %seen = map { $_ => 1 } map { $server->tails($server->ask) } 1 .. 30;
ok($seen{ffff} && $seen{eeee} && $seen{xxxx}, 'all keys are in use') or diag(join(' ', sort keys %seen));

my @answers;
for my $stream (0, 1) {
    for my $sim ('tokens=1', map({ my $s = $_; map { "status=$s$_" } '', ';whose=ffff', ';whose=eeee', ';whose=xxxx' } 402, 403, 429, 503),
                 'status=401;whose=eeee', 'reset=headers', 'garbage=body', 'echo=1') {
        push @answers, $server->ask(sim => $sim, stream => $stream);
    }
}
$server->put('a', "sk-canary broken\n");
$server->await_lines('AI0512', 1);
$server->put('a', "sk-canary-next-nnnn\n");
$server->await_lines('AI0513', 1);
$server->script('get', 'echo sk-canary broken');
$server->await_lines('AI0512: [^\n]*gave what', 1);
push @answers, $server->ask(sim => 'status=401');
push @answers, $server->ask;
$server->graceful;
push @answers, $server->ask;
cmp_ok(scalar($server->lines('AI05')), '>=', 5, 'the log speaks of keys');
like($server->said, qr/\[ai_?\w*:trace\d\]/, 'and says all it can');

my $page = StatusPage::text_of($server, '') . StatusPage::text_of($server, 'auto') . StatusPage::text_of($server, 'notable');
like($page, qr{AIKey\[t/exec\]Uses}, 'the status page speaks of keys');
unlike($page, qr/canary/, 'by their names alone');
unlike($server->said, qr/canary/, 'the error log has no part of any');
unlike($server->read_file('access_log'), qr/canary/, 'nor has the access log');
my @echo = grep { $_->{body} =~ /canary/ } @answers;
# The simulator's echo is the provider showing what it was sent; nothing else may have it.
is(scalar(grep { $_->{body} !~ /"content"/ } @echo), 0, 'no error and no page has a key');
is(scalar(grep { join(' ', %{ $_->{headers} }) =~ /canary/ } @answers), 0, 'and no header');
my $list = `ls -la $server->{dir}; cat $server->{dir}/* 2>/dev/null`;
unlike($list, qr/canary/, 'no file of the server has one');

my @args;
for my $pid ($server->{pid}, $server->children) {
    push @args, do { open(my $fh, '<', "/proc/$pid/cmdline") or next; local $/; <$fh> // '' };
}
unlike(join(' ', @args), qr/canary/, 'nor a command line');

done_testing();
