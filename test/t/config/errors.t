#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# errors.t - does a wrong configuration fail before it runs, and does the message help?
#
# A row is a piece of configuration.  The line that must be blamed begins with '>'.  For each row
# "httpd -t" must fail; its message must name the file, that line and the directive, hold what is
# listed (what is allowed), and never the text of a key.  Rows of the second table must pass.
#
# In a row: KEYS is a folder with key files, CA a file with a certificate.

use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;

for my $name (qw(AI_HTTPD AI_MODULES AI_HTTPD_MODULES AI_CERTS)) {
    die "errors.t: $name is not set; run make check\n" unless defined $ENV{$name};
}

# What no message may ever show: the text of keys, and of what may be one.
my $secret  = 'sk-canary-4f9a7c';
my $dir     = tempdir('ai-errors-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my %builtin = map { s/^\s+|\s+$//gr => 1 } `$ENV{AI_HTTPD} -l 2>/dev/null`;

sub write_file
{
    my ($name, $text) = @_;
    open(my $fh, '>', "$dir/$name") or die "errors.t: $name: $!\n";
    print $fh $text;
    close($fh) or die "errors.t: $name: $!\n";
    chmod(0600, "$dir/$name");
    return "$dir/$name";
}

mkdir("$dir/keys");
write_file('keys/good',    "$secret\n");
write_file('keys/empty',   '');
write_file('keys/database', " $dir/keys/db\n");
write_file('keys/blank',   " \n\t\n");
write_file('keys/two',     "$secret\nsecond-$secret\n");
write_file('keys/space',   "$secret with a space");
write_file('keys/control', "$secret\x01");
write_file('keys/utf8',    "$secret\xc3\xa4");
write_file('keys/nul',     "$secret\0behind");
write_file('keys/long',    $secret . 'x' x 9000);
mkdir("$dir/keys/folder");
write_file('keys/json',    qq({"key":"$secret"));
write_file('keys/member',  qq({"key":"$secret","expiry":60}));
write_file('keys/never',   "$secret\nexpires=$secret");
write_file('keys/open',    "$secret\n");
chmod(0602, "$dir/keys/open");
write_file('keys/loose',   "#!/bin/sh\n");
chmod(0720, "$dir/keys/loose");
write_file('keys/until',   "$secret\nexpires=2020-01-01T00:00:00Z\n");
mkdir("$dir/models");
mkdir("$dir/models/folder");
write_file('models/good',   '[{"match":"m","context":1,"source":"s","date":"2026-11-21"}]');
write_file('models/none',   '[]');
write_file('models/empty',  '');
write_file('models/cut',    "[\n  {\"match\":\n");
write_file('models/object', '{"match":"m"}');
write_file('models/prices', '{"m":{"input_cost_per_token":1e-6,"output_cost_per_token":2e-6}}');
write_file('models/member', '[{"match":"a","source":"s","date":"2026-11-21"},'
                          . '{"match":"b","source":"s","date":"2026-11-21","context":"big"}]');
write_file('models/twins',  '[{"match":"a","source":"s","date":"2026-11-21"},'
                          . '{"match":"a","source":"s","date":"2026-11-21"}]');
write_file('models/long',   '[' . ' ' x (4 * 1024 * 1024) . ']');
$ENV{AI_TEST_KEY}       = $secret;
$ENV{AI_TEST_KEY_EMPTY} = '';
$ENV{AI_TEST_KEY_SPACE} = "$secret with a space";

my @modules = (
    [mpm_event => 'mpm_event'], [authz_core => 'authz_core'], [authz_host => 'authz_host'],
    [socache_shmcb => 'socache_shmcb'], [ssl => 'ssl'], [macro => 'macro'],
    [slotmem_shm => 'slotmem_shm'], [proxy => 'proxy'], [proxy_http => 'proxy_http'],
    [proxy_balancer => 'proxy_balancer'], [lbmethod_byrequests => 'lbmethod_byrequests'],
);

sub head
{
    my ($without, $order) = @_;
    my %gone = map { $_ => 1 } @$without;
    my $text = "ServerRoot $dir\nDefaultRuntimeDir $dir\nPidFile $dir/pid\nErrorLog $dir/error_log\n"
             . "Listen 127.0.0.1:65000\nServerName localhost\n";
    my @lines = map { $gone{$_->[0]} || $builtin{"mod_$_->[1].c"} ? ()
        : "LoadModule $_->[0]_module $ENV{AI_HTTPD_MODULES}/mod_$_->[1].so\n" } @modules;
    my @own = map { $gone{$_} ? () : "LoadModule ${_}_module $ENV{AI_MODULES}/mod_$_.so\n" }
        $order eq 'route first' ? qw(ai_auth ai_route ai_audit ai) : qw(ai ai_route ai_auth ai_audit);
    return $text . join('', $order eq 'own first' ? (@own, @lines) : (@lines, @own));
}

# Returns what httpd said, its status, and the number of the marked line.
sub check
{
    my ($text, $without, $order) = @_;
    $text =~ s/\bKEYS\b/$dir\/keys/g;
    $text =~ s/\bMODELS\b/$dir\/models/g;
    $text =~ s/\bCA\b/$ENV{AI_CERTS}\/ca.pem/g;
    my $number = 0;
    my $marked;
    my @lines = split /^/, head($without // [], $order // 'own last') . $text;
    for my $line (@lines) {
        $number++;
        $marked = $number if $line =~ s/^>\s*//;
    }
    my $file = write_file('httpd.conf', join('', @lines));
    my $said = `$ENV{AI_HTTPD} -t -f $file 2>&1`;
    return ($said, $?, $marked);
}

my $t = "<AITarget t>\nAITargetURL http://127.0.0.1:9/v1\n</AITarget>\n";

# Inside <AITarget> with a good URL; the line is the marked one.
sub target { return "<AITarget t>\nAITargetURL http://127.0.0.1:9/v1\n> $_[0]\n</AITarget>\n" }
sub url    { return "<AITarget t>\n> AITargetURL $_[0]\n</AITarget>\n" }
sub in_ai  { return "$t<Location /v1>\nAIEngine On\n> $_[0]\n</Location>\n" }
sub inside { my ($section, $line) = @_;
             return "$t<$section>\n> $line\n</" . ($section =~ s/ .*//r) . ">\n" }

# [what is wrong, the piece, strings the message must hold (the first is the directive), options]
my @wrong = (
    # --- values: flags
    ['AIEngine with a word',       in_ai('AIEngine yes'),       ['AIEngine', 'On', 'Off', 'yes']],
    ['AIEngine empty',             in_ai('AIEngine ""'),        ['AIEngine', 'On', 'Off']],
    ['AIEngine without a value',   in_ai('AIEngine'),           ['AIEngine', 'one argument']],
    ['AIEngine with two',          in_ai('AIEngine On Off'),    ['AIEngine', 'one argument']],
    # --- what is kept of prompts and answers
    ['AIAuditBody with a word',    in_ai('AIAuditBody all'),    ['AIAuditBody', 'none', 'meta', 'redacted', 'full']],
    ['AIAuditBody with more',      in_ai('AIAuditBody full tenant=x'), ['AIAuditBody', 'expr=', 'tenant=x']],
    ['AIAuditBody, expression',    in_ai('AIAuditBody full "expr=%{note:x"'), ['AIAuditBody', 'no expression']],
    ['AIAuditBody in a directory', inside('Directory /', 'AIAuditBody full'), ['AIAuditBody', 'cannot occur|not allowed']],
    ['AIAuditBodyLimit small',     in_ai('AIAuditBodyLimit 10'), ['AIAuditBodyLimit', '1k', '1g']],
    ['AIAuditCaller with a word',  in_ai('AIAuditCaller may'),  ['AIAuditCaller', 'On', 'Off']],
    ['AIAuditFloor with a word',   in_ai('AIAuditFloor low'),   ['AIAuditFloor', 'none', 'meta', 'redacted', 'full']],
    ['AIAuditFeedback empty',      in_ai('AIAuditFeedback'),    ['AIAuditFeedback', 'one argument']],
    ['AIAuditRedact with a word',  in_ai('AIAuditRedact email mail'), ['AIAuditRedact', "'mail'", 'email', 'card', 'pem']],
    ['AIAuditRedactRegex, regex',  in_ai('AIAuditRedactRegex x "("'), ['AIAuditRedactRegex', 'regular expression']],
    ['AIAuditRedactRegex, name',   in_ai('AIAuditRedactRegex "a b" x'), ['AIAuditRedactRegex', 'no name', '32']],
    ['AIAuditRedactRegex, many',   in_ai(("AIAuditRedactRegex n x\n" x 16) . '> AIAuditRedactRegex n x') =~ s/> //r,
     ['AIAuditRedactRegex', 'more than 16']],
    ['AIAnonymous 1',              in_ai('AIAnonymous 1'),      ['AIAnonymous', 'On', 'Off']],
    ['AIAnonymous without value',  in_ai('AIAnonymous'),        ['AIAnonymous', 'one argument']],
    ['AITargetStreamUsage maybe',  target('AITargetStreamUsage maybe'),
                                   ['AITargetStreamUsage', 'On', 'Off']],
    ['AITargetTLSVerify none',     target('AITargetTLSVerify none'),
                                   ['AITargetTLSVerify', 'On', 'Off']],
    # --- values: sizes
    ['AIBodyLimit, unknown unit',  in_ai('AIBodyLimit 10x'),    ['AIBodyLimit', '10x', 'k, m or g', '1g']],
    ['AIBodyLimit 0',              in_ai('AIBodyLimit 0'),      ['AIBodyLimit', 'too small', 'from 1']],
    ['AIBodyLimit above 1g',       in_ai('AIBodyLimit 2g'),     ['AIBodyLimit', 'too large', 'to 1g']],
    ['AIBodyLimit overflows',      in_ai('AIBodyLimit 99999999999999999999'),
                                   ['AIBodyLimit', 'too large']],
    ['AIBodyLimit with overflow by its unit', in_ai('AIBodyLimit 9223372036854775807g'),
                                   ['AIBodyLimit', 'too large']],
    ['AIBodyLimit negative',       in_ai('AIBodyLimit -1'),     ['AIBodyLimit', 'k, m or g']],
    ['AIBodyLimit with a space',   in_ai('AIBodyLimit 10 m'),   ['AIBodyLimit', 'one argument']],
    ['AIBodyLimit with a fraction', in_ai('AIBodyLimit 1.5m'),  ['AIBodyLimit', '1.5m', 'whole number']],
    ['AIBodyLimit empty',          in_ai('AIBodyLimit ""'),     ['AIBodyLimit', 'k, m or g']],
    ['AIBodyLimit hexadecimal',    in_ai('AIBodyLimit 0x10'),   ['AIBodyLimit', '0x10']],
    ['AIBodyLimit unlimited',      in_ai('AIBodyLimit Off'),    ['AIBodyLimit', 'Off', 'k, m or g']],
    ['AIBodyMemory with a word',   "> AIBodyMemory lots\n",     ['AIBodyMemory', 'lots', 'k, m or g']],
    ['AIBodyMemory 0',             "> AIBodyMemory 0\n",        ['AIBodyMemory', 'too small']],
    ['AIBodyMemory too large',     "> AIBodyMemory 2000g\n",    ['AIBodyMemory', 'too large']],
    # --- values: times
    ['AIHeartbeat without a unit', in_ai('AIHeartbeat 15'),     ['AIHeartbeat', 'has no unit', 'ms, s, min']],
    ['AIHeartbeat, unknown unit',  in_ai('AIHeartbeat 15sec'),  ['AIHeartbeat', '15sec', 'ms, s, min']],
    ['AIHeartbeat too long',       in_ai('AIHeartbeat 2h'),     ['AIHeartbeat', 'too large', '1h']],
    ['AIHeartbeat negative',       in_ai('AIHeartbeat -5s'),    ['AIHeartbeat', '-5s']],
    ['AIHeartbeat, unit alone',    in_ai('AIHeartbeat s'),      ['AIHeartbeat', 'ms, s, min']],
    ['AIRouteBackoff too long',    in_ai('AIRouteBackoff 10min'), ['AIRouteBackoff', 'too large', '5min']],
    ['AIRouteBackoff, a number',   in_ai('AIRouteBackoff 8'),   ['AIRouteBackoff', 'has no unit']],
    ['AITargetConnectTimeout 0',   target('AITargetConnectTimeout 0ms'),
                                   ['AITargetConnectTimeout', 'too small', '1ms']],
    ['AITargetConnectTimeout Off', target('AITargetConnectTimeout Off'),
                                   ['AITargetConnectTimeout', 'Off', '1ms']],
    ['AITargetConnectTimeout too long', target('AITargetConnectTimeout 6min'),
                                   ['AITargetConnectTimeout', 'too large', '5min']],
    ['AITargetFirstByteTimeout too long', target('AITargetFirstByteTimeout 2d'),
                                   ['AITargetFirstByteTimeout', 'too large', '1d']],
    ['AITargetFirstByteTimeout, a number', target('AITargetFirstByteTimeout 30'),
                                   ['AITargetFirstByteTimeout', 'has no unit']],
    ['AITargetIdleTimeout, nonsense', target('AITargetIdleTimeout soon'),
                                   ['AITargetIdleTimeout', 'soon', 'or Off']],
    ['AITargetTotalTimeout, two values', target('AITargetTotalTimeout 1 min'),
                                   ['AITargetTotalTimeout', 'one argument']],
    ['AITargetTotalTimeout overflows', target('AITargetTotalTimeout 99999999999999999999d'),
                                   ['AITargetTotalTimeout', 'too large']],
    # --- values: words and numbers
    ['AIHalfClosed, another word', in_ai('AIHalfClosed close'), ['AIHalfClosed', 'close', 'abort', 'serve']],
    ['AIHalfClosed empty',         in_ai('AIHalfClosed ""'),    ['AIHalfClosed', 'abort', 'serve']],
    ['AIRouteRetries 11',          in_ai('AIRouteRetries 11'),  ['AIRouteRetries', 'too large', 'from 0 to 10']],
    ['AIRouteRetries -1',          in_ai('AIRouteRetries -1'),  ['AIRouteRetries', 'from 0 to 10']],
    ['AIRouteRetries many',        in_ai('AIRouteRetries many'), ['AIRouteRetries', 'many', 'from 0 to 10']],
    ['AIRouteFallback 200',        in_ai('AIRouteFallback 200'), ['AIRouteFallback', '200', '400 to 599']],
    ['AIRouteFallback 3xx',        in_ai('AIRouteFallback 429 3xx'), ['AIRouteFallback', '3xx', '4xx and 5xx']],
    ['AIRouteFallback 5x',         in_ai('AIRouteFallback 5x'), ['AIRouteFallback', '5x']],
    ['AIRouteFallback 4294967796', in_ai('AIRouteFallback 4294967796'), ['AIRouteFallback', '400 to 599']],
    ['AIRouteFallback alone',      in_ai('AIRouteFallback'),    ['AIRouteFallback', 'argument']],
    # --- models
    ['AIDatabase without params',  "> AIDatabase sqlite3\n",   ['AIDatabase', 'two arguments']],
    ['AIDatabase of another driver', "> AIDatabase oracle x\n", ['AIDatabase', 'oracle', 'sqlite3, pgsql or mysql']],
    ['AIDatabase with empty params', "> AIDatabase pgsql \" \"\n", ['AIDatabase', 'must not be empty']],
    ['AIDatabase without a path',  "> AIDatabase sqlite3 file:\n", ['AIDatabase', 'no path']],
    ['AIDatabase without a folder', "> AIDatabase sqlite3 nowhere/db\n", ['AIDatabase', 'nowhere', 'folder cannot be used']],
    ['AIDatabase that is a folder', "> AIDatabase sqlite3 KEYS\n", ['AIDatabase', 'keys: is no regular file']],
    ['AIDatabase that all may write', "> AIDatabase sqlite3 KEYS/open\n", ['AIDatabase', 'keys/open: everybody may write it']],
    ['AIDatabase with a file that is not there', "> AIDatabase mysql file:KEYS/nothing\n", ['AIDatabase', 'keys/nothing: cannot be read']],
    ['AIDatabase with an empty file', "> AIDatabase pgsql file:KEYS/blank\n", ['AIDatabase', 'keys/blank: is empty']],
    ['AIDatabase with a long file', "> AIDatabase pgsql file:KEYS/long\n", ['AIDatabase', 'keys/long: has more than 4096 bytes']],
    ['AIDatabase with a file of bytes', "> AIDatabase pgsql file:KEYS/nul\n", ['AIDatabase', 'keys/nul: byte .* is 0|is 0']],
    ['AIDatabase with a file that names no path', "> AIDatabase sqlite3 file:KEYS/good\n", ['AIDatabase', 'absolute path']],
    ['AIDatabase in <Location>',   "<Location /v1>\n> AIDatabase sqlite3 KEYS/db\n</Location>\n", ['AIDatabase', 'not allowed|cannot occur']],
    ['AIAuthCacheTTL without a unit', "> AIAuthCacheTTL 60\n", ['AIAuthCacheTTL', 'has no unit', 'ms, s, min']],
    ['AIAuthCacheTTL of two days',  "> AIAuthCacheTTL 2d\n",     ['AIAuthCacheTTL', 'too large', '1d']],
    ['AIAuthCacheTTL for ever',     "> AIAuthCacheTTL forever\n", ['AIAuthCacheTTL', 'forever', 'ms, s, min']],
    ['AIAuthCacheSize too small',   "> AIAuthCacheSize 512k\n",  ['AIAuthCacheSize', 'too small', '1m to 1g']],
    ['AIAuthCacheSize too large',   "> AIAuthCacheSize 2g\n",    ['AIAuthCacheSize', 'too large', '1m to 1g']],
    ['AIAuthCacheSize in a virtual host', "<VirtualHost *:65000>\n> AIAuthCacheSize 16m\n</VirtualHost>\n",
                                   ['AIAuthCacheSize', 'not allowed|cannot occur']],
    ['AIAuthGrace with a word',     "> AIAuthGrace always\n",    ['AIAuthGrace', 'always', 'or forever']],
    ['AIAuthGrace too long',        "> AIAuthGrace 366d\n",      ['AIAuthGrace', 'too large', '365d', 'or forever']],
    ['AIAuthGrace in <Location>',   "<Location /v1>\n> AIAuthGrace 1h\n</Location>\n", ['AIAuthGrace', 'not allowed|cannot occur']],
    ['two of AIDatabase',          "AIDatabase sqlite3 KEYS/db\n> AIDatabase sqlite3 KEYS/db\n", ['AIDatabase', 'one already']],
    ['AIModelFile without a name', "> AIModelFile\n",          ['AIModelFile', 'one argument']],
    ['AIModelFile that is not there', "> AIModelFile MODELS/nothing\n", ['AIModelFile', 'cannot open']],
    ['AIModelFile that is a folder', "> AIModelFile MODELS/folder\n", ['AIModelFile', 'is no file']],
    ['AIModelFile that is empty',  "> AIModelFile MODELS/empty\n", ['AIModelFile', 'line 1']],
    ['AIModelFile that is cut',    "> AIModelFile MODELS/cut\n", ['AIModelFile', 'line 3']],
    ['AIModelFile with one record', "> AIModelFile MODELS/object\n", ['AIModelFile', 'list of records']],
    ['AIModelFile with a bad member', "> AIModelFile MODELS/member\n",
                                   ['AIModelFile', 'models/member', 'record 2', '"b"', 'context: must be a whole number']],
    ['AIModelFile with twins',     "> AIModelFile MODELS/twins\n", ['AIModelFile', 'record 2', 'record 1 has it']],
    ['AIModelFile of 4 MB and 2 bytes', "> AIModelFile MODELS/long\n", ['AIModelFile', 'longer than 4194304']],
    ['two of AIModelFile',         "AIModelFile MODELS/none\n> AIModelFile MODELS/good\n",
                                   ['AIModelFile', 'one already']],
    ['AIModelFile in <Location>',  "<Location /v1>\n> AIModelFile MODELS/good\n</Location>\n",
                                   ['AIModelFile', 'not allowed|cannot occur']],
    ['AIModelFile in <AITarget>',  target('AIModelFile MODELS/good'), ['AIModelFile', '<AITarget>']],
    # --- prices
    ['AIPriceFile without a name', "> AIPriceFile\n",          ['AIPriceFile', 'one argument']],
    ['AIPriceFile that is not there', "> AIPriceFile MODELS/nothing\n", ['AIPriceFile', 'cannot open']],
    ['AIPriceFile that is a folder', "> AIPriceFile MODELS/folder\n", ['AIPriceFile', 'is no file']],
    ['AIPriceFile that is empty',  "> AIPriceFile MODELS/empty\n", ['AIPriceFile', 'line 1']],
    ['AIPriceFile with a list',    "> AIPriceFile MODELS/none\n", ['AIPriceFile', 'must be an object']],
    ['AIPriceFile in <AITarget>',  target('AIPriceFile MODELS/prices'), ['AIPriceFile', '<AITarget>']],
    ['two of AIPriceFile',         "AIPriceFile MODELS/prices\n> AIPriceFile MODELS/prices\n",
                                   ['AIPriceFile', 'one already']],
    ['AIPriceFile in <Location>',  "<Location /v1>\n> AIPriceFile MODELS/prices\n</Location>\n",
                                   ['AIPriceFile', 'not allowed|cannot occur']],
    ['AITargetPrice of nothing',   target('AITargetPrice'), ['AITargetPrice', 'needs a model', 'input, cached']],
    ['AITargetPrice without a price', target('AITargetPrice gpt-4o'), ['AITargetPrice', 'needs a model']],
    ['AITargetPrice of another word', target('AITargetPrice gpt-4o prompt=1'), ['AITargetPrice', 'prompt=1', 'input, cached']],
    ['AITargetPrice that is no number', target('AITargetPrice gpt-4o input=cheap'), ['AITargetPrice', 'input=cheap', 'USD a million tokens']],
    ['AITargetPrice without a day', target('AITargetPrice gpt-4o input=1 not-before=soon'), ['AITargetPrice', 'soon', 'no day']],
    ['AITargetPrice twice',        "<AITarget t>\nAITargetURL http://127.0.0.1:9\nAITargetPrice m input=1\n> AITargetPrice M input=2\n</AITarget>\n",
                                   ['AITargetPrice', 'there is one already']],
    ['AITargetPrice outside',      "> AITargetPrice m input=1\n", ['AITargetPrice', '<AITarget name>']],
    # --- notes
    ['AINote without prefix',      in_ai('AINote tenant "x"'),  ['AINote', 'tenant', "'ai-'"]],
    ['AINote of a module',         in_ai('AINote ai-model "x"'), ['AINote', 'ai-model', 'ai-tenant']],
    ['AINote of the token counts', in_ai('AINote ai-tokens-prompt "0"'),
                                   ['AINote', 'ai-tokens-prompt', 'ai-key-id']],
    ['AINote, capital letters',    in_ai('AINote ai-Tenant "x"'), ['AINote', 'ai-Tenant', 'lower-case']],
    ['AINote, only the prefix',    in_ai('AINote ai- "x"'),     ['AINote', "'ai-'"]],
    ['AINote, bad expression',     in_ai('AINote ai-tenant "%{HTTP_HOST"'), ['AINote', 'expression']],
    ['AINote, unknown function',   in_ai('AINote ai-tenant "%{nosuchfunction:x}"'),
                                   ['AINote', 'expression']],
    ['AINote, one argument',       in_ai('AINote ai-tenant'),   ['AINote', 'two arguments']],
    # --- places
    ['AIEngine in <Directory>',    inside('Directory /srv', 'AIEngine On'),  ['AIEngine', 'not allowed|cannot occur']],
    ['AIEngine in <Files>',        inside('Files x', 'AIEngine On'),         ['AIEngine', 'not allowed|cannot occur']],
    ['AIEngine in <If>',           inside('If true', 'AIEngine On'),         ['AIEngine', 'not allowed|cannot occur']],
    ['AIEngine in <Limit>',        "<Location /v1>\n<Limit POST>\n> AIEngine On\n</Limit>\n</Location>\n",
                                   ['AIEngine', 'not allowed|cannot occur']],
    ['AIEngine in <Proxy>',        inside('Proxy http://127.0.0.1:9', 'AIEngine On'),
                                   ['AIEngine', 'not allowed|cannot occur']],
    ['AIEngine in <LocationMatch>', inside('LocationMatch ^/v1', 'AIEngine On'),
                                   ['AIEngine', '<Location>', 'plain path']],
    ['AIEngine in <Location ~>',   "<Location ~ \"^/v1\">\n> AIEngine On\n</Location>\n",
                                   ['AIEngine', 'plain path']],
    ['AIEngine below wildcards',   inside('Location /v1/*', 'AIEngine On'),  ['AIEngine', 'wildcards']],
    ['AIAnonymous in <Directory>', inside('Directory /srv', 'AIAnonymous On'), ['AIAnonymous', 'not allowed|cannot occur']],
    ['AIBodyLimit in <Files>',     inside('Files x', 'AIBodyLimit 1m'),      ['AIBodyLimit', 'not allowed|cannot occur']],
    ['AIHeartbeat in <If>',        inside('If true', 'AIHeartbeat 5s'),      ['AIHeartbeat', 'not allowed|cannot occur']],
    ['AIExplain, another word',    in_ai('AIExplain maybe'),    ['AIExplain', 'maybe', 'neither On nor Off', 'expr=']],
    ['AIExplain, bad expression',  in_ai('AIExplain "expr=%{note:"'), ['AIExplain', 'expression']],
    ['AIExplain in <Directory>',   inside('Directory /srv', 'AIExplain On'), ['AIExplain', 'not allowed|cannot occur']],
    ['AITraceContext, another word', in_ai('AITraceContext 1'), ['AITraceContext', 'neither On nor Off']],
    ['AINote in <Directory>',      inside('Directory /srv', 'AINote ai-tenant "x"'), ['AINote', 'not allowed|cannot occur']],
    ['AIRoute in <Directory>',     inside('Directory /srv', 'AIRoute * t'),  ['AIRoute', 'not allowed|cannot occur']],
    ['AIRoute in <FilesMatch>',    inside('FilesMatch x', 'AIRoute * t'),    ['AIRoute', 'not allowed|cannot occur']],
    ['AIRoute in <Proxy>',         inside('Proxy http://127.0.0.1:9', 'AIRoute * t'), ['AIRoute', 'not allowed|cannot occur']],
    ['AIRouteRetries in <Limit>',  "<Location /v1>\n<Limit POST>\n> AIRouteRetries 1\n</Limit>\n</Location>\n",
                                   ['AIRouteRetries', 'not allowed|cannot occur']],
    ['AIRouteFallback in <If>',    inside('If true', 'AIRouteFallback 429'), ['AIRouteFallback', 'not allowed|cannot occur']],
    ['AIBodyMemory in a virtual host', "<VirtualHost *:65000>\n> AIBodyMemory 1m\n</VirtualHost>\n",
                                   ['AIBodyMemory', 'not allowed|cannot occur']],
    ['AIBodyMemory in <Location>', "<Location /v1>\n> AIBodyMemory 1m\n</Location>\n",
                                   ['AIBodyMemory', 'not allowed|cannot occur']],
    ['<AITarget> in <Location>',   "<Location /v1>\n> <AITarget x>\nAITargetURL http://127.0.0.1:9\n</AITarget>\n</Location>\n",
                                   ['<AITarget', 'not allowed|cannot occur']],
    ['<AITarget> in <Directory>',  "<Directory /srv>\n> <AITarget x>\nAITargetURL http://127.0.0.1:9\n</AITarget>\n</Directory>\n",
                                   ['<AITarget', 'not allowed|cannot occur']],
    ['<AITarget> in <AITarget>',   "<AITarget a>\nAITargetURL http://127.0.0.1:9\n> <AITarget b>\nAITargetURL http://127.0.0.1:9\n</AITarget>\n</AITarget>\n",
                                   ['<AITarget', 'AITarget']],
    ['AIRoute in <AITarget>',      target('AIRoute * t'),       ['AIRoute', '<AITarget>']],
    ['AIEngine in <AITarget>',     target('AIEngine On'),       ['AIEngine', '<AITarget>']],
    ['ServerName in <AITarget>',   target('ServerName x'),      ['ServerName', '<AITarget>']],
    ['<Location> in <AITarget>',   "<AITarget t>\nAITargetURL http://127.0.0.1:9\n> <Location /x>\n</Location>\n</AITarget>\n",
                                   ['<Location', '<AITarget>']],
    (map { my ($name, $value) = @$_;
           ["$name outside of <AITarget>", "> $name $value\n", [$name, '<AITarget']] }
        [AITargetURL => 'http://127.0.0.1:9'], [AITargetDialect => 'openai'],
        [AITargetKeyFile => 'KEYS/good'], [AITargetKeyEnv => 'AI_TEST_KEY'],
        [AITargetKeyExec => '/bin/true'], [AITargetKeyAside => '5min'],
        [AITargetHeader => 'X-A b'], [AITargetForward => 'X-A'], [AITargetModel => 'a b'],
        [AITargetStreamUsage => 'On'], [AITargetTLSVerify => 'On'], [AITargetTLSCAFile => 'CA'],
        [AITargetConnectTimeout => '5s'], [AITargetFirstByteTimeout => '5s'],
        [AITargetIdleTimeout => '5s'], [AITargetTotalTimeout => '5s']),
    ['AITargetURL in <Location>',  "<Location /v1>\n> AITargetURL http://127.0.0.1:9\n</Location>\n",
                                   ['AITargetURL', 'not allowed|cannot occur|<AITarget']],
    # --- targets: names
    ['target without a name',      "> <AITarget>\nAITargetURL http://127.0.0.1:9\n</AITarget>\n",
                                   ['<AITarget', 'name']],
    ['target with two names',      "> <AITarget a b>\nAITargetURL http://127.0.0.1:9\n</AITarget>\n",
                                   ['<AITarget', 'one name']],
    ['target with a bad name',     "> <AITarget a/b>\nAITargetURL http://127.0.0.1:9\n</AITarget>\n",
                                   ['<AITarget', 'letters']],
    ['target with no end of its name', "> <AITarget a\nAITargetURL http://127.0.0.1:9\n</AITarget>\n",
                                   ['<AITarget', '>']],
    ['two targets of one name',    "$t> <AITarget t>\nAITargetURL http://127.0.0.1:8\n</AITarget>\n",
                                   ['<AITarget t>', 'taken']],
    ['target without a URL',       "> <AITarget t>\nAITargetDialect openai\n</AITarget>\n",
                                   ['<AITarget t>', 'AITargetURL']],
    ['empty target',               "> <AITarget t>\n</AITarget>\n", ['<AITarget t>', 'AITargetURL']],
    # --- targets: URLs
    ['URL without a scheme',       url('127.0.0.1:9'),          ['AITargetURL', 'http://', 'https://', 'balancer://']],
    ['URL without a host',         url('http:///v1'),           ['AITargetURL', 'host']],
    ['URL empty',                  url('""'),                   ['AITargetURL', 'one argument']],
    ['URL of HTTP/2',              url('h2://127.0.0.1:9'),     ['AITargetURL', 'HTTP/2', 'https://']],
    ['URL of clear HTTP/2',        url('h2c://127.0.0.1:9'),    ['AITargetURL', 'HTTP/2', 'http://']],
    ['URL of a file',              url('file:///etc/passwd'),   ['AITargetURL', 'http://']],
    ['URL of a Unix socket',       url('unix:/run/x|http://x'), ['AITargetURL', 'http://']],
    ['URL of FTP',                 url('ftp://127.0.0.1'),      ['AITargetURL', 'scheme']],
    ['URL with an IPv6 address',   url('http://[::1]:9'),       ['AITargetURL', 'IPv6', 'http://host']],
    ['URL with a wildcard',        url('http://*.example.com'), ['AITargetURL', 'wildcard|host']],
    ['URL with a query',           url('http://127.0.0.1:9/v1?x=1'), ['AITargetURL', 'query']],
    ['URL with an empty query',    url('http://127.0.0.1:9/v1?'),    ['AITargetURL', 'query|path']],
    ['URL with a fragment',        url('"http://127.0.0.1:9/v1#a"'), ['AITargetURL', 'fragment']],
    ['URL with a user',            url('http://me@127.0.0.1:9'), ['AITargetURL', 'user']],
    ['URL with a password',        url("http://me:$secret\@127.0.0.1:9"), ['AITargetURL', 'user']],
    ['URL with port 0',            url('http://127.0.0.1:0'),   ['AITargetURL', 'port']],
    ['URL with port 65536',        url('http://127.0.0.1:65536'), ['AITargetURL', 'http://host']],
    ['URL with port 65616',        url('http://127.0.0.1:65616'), ['AITargetURL', 'http://host']],
    ['URL with port 4294967376',   url('http://127.0.0.1:4294967376'), ['AITargetURL', 'http://host']],
    ['URL with a word for a port', url('http://127.0.0.1:http'), ['AITargetURL', 'http://host']],
    ['balancer with a port',       url('balancer://pool:80'),   ['AITargetURL', 'port']],
    ['URL that climbs',            url('http://127.0.0.1:9/v1/../admin'), ['AITargetURL', 'path']],
    ['URL that climbs, encoded',   url('http://127.0.0.1:9/v1/%2e%2e/a'), ['AITargetURL', 'path']],
    ['URL with a double slash',    url('http://127.0.0.1:9//v1'), ['AITargetURL', 'path']],
    ['URL with a backslash',       url('"http://127.0.0.1:9/v1\\\\x"'), ['AITargetURL', 'path']],
    ['URL with a space',           url('"http://127.0.0.1:9/v 1"'), ['AITargetURL', 'path|URL']],
    ['two URLs in a line',         url('http://127.0.0.1:9 http://127.0.0.1:8'), ['AITargetURL', 'one argument']],
    # --- targets: keys
    ['key file that is not there', target('AITargetKeyFile KEYS/none'), ['AITargetKeyFile', 'cannot be opened']],
    ['key file that is empty',     target('AITargetKeyFile KEYS/empty'), ['AITargetKeyFile', 'empty']],
    ['key file with white space',  target('AITargetKeyFile KEYS/blank'), ['AITargetKeyFile', 'empty']],
    ['key file with two lines',    target('AITargetKeyFile KEYS/two'),   ['AITargetKeyFile', 'white space', 'expires=']],
    ['key file that everybody may write', target('AITargetKeyFile KEYS/open'), ['AITargetKeyFile', 'written by everybody']],
    ['key file with half of JSON', target('AITargetKeyFile KEYS/json'),  ['AITargetKeyFile', 'JSON', 'at byte']],
    ['key file with another member', target('AITargetKeyFile KEYS/member'), ['AITargetKeyFile', 'member', 'expires']],
    ['key file whose end is no time', target('AITargetKeyFile KEYS/never'), ['AITargetKeyFile', 'expires', '2026-12-31T23:59:59Z']],
    ['key with a space',           target('AITargetKeyFile KEYS/space'), ['AITargetKeyFile', 'white space']],
    ['key with a control character', target('AITargetKeyFile KEYS/control'), ['AITargetKeyFile', 'character']],
    ['key with UTF-8',             target('AITargetKeyFile KEYS/utf8'),  ['AITargetKeyFile', 'character']],
    ['key with a NUL',             target('AITargetKeyFile KEYS/nul'),   ['AITargetKeyFile', 'more than a key']],
    ['key file of 9000 bytes',     target('AITargetKeyFile KEYS/long'),  ['AITargetKeyFile', 'more than a key']],
    ['key file that is a folder',  target('AITargetKeyFile KEYS/folder'), ['AITargetKeyFile', 'cannot']],
    ['environment without the key', target('AITargetKeyEnv AI_TEST_NO_KEY'), ['AITargetKeyEnv', 'environment variable']],
    ['empty key in the environment', target('AITargetKeyEnv AI_TEST_KEY_EMPTY'), ['AITargetKeyEnv', 'empty']],
    ['spaces in the environment\'s key', target('AITargetKeyEnv AI_TEST_KEY_SPACE'), ['AITargetKeyEnv', 'white space']],
    ['the key where its name belongs', target("AITargetKeyEnv $secret"), ['AITargetKeyEnv', 'environment variable']],
    ['the same key file twice',    target("AITargetKeyFile KEYS/good\n> AITargetKeyFile KEYS/good name=b") =~ s/> AITargetKeyFile KEYS\/good\n> /AITargetKeyFile KEYS\/good\n> /r,
                                   ['AITargetKeyFile', 'key already']],
    ['two keys of one name',       target("AITargetKeyFile KEYS/good name=a\n> AITargetKeyEnv AI_TEST_KEY name=a") =~ s/> AITargetKeyFile/AITargetKeyFile/r,
                                   ['AITargetKeyEnv', 'name a already', 'name=']],
    ['33 keys',                    target(join("\n", map({ "AITargetKeyExec \"/bin/true $_\"" } 1 .. 32), '> AITargetKeyFile KEYS/good')) =~ s/> AITargetKeyExec/AITargetKeyExec/r,
                                   ['AITargetKeyFile', 'at most 32']],
    ['key file without a name',    target('AITargetKeyFile'),   ['AITargetKeyFile', 'path of a file']],
    ['key file with an empty name', target('AITargetKeyFile ""'), ['AITargetKeyFile', 'path of a file']],
    ['environment without a name', target('AITargetKeyEnv'),    ['AITargetKeyEnv', 'name of an environment variable']],
    ['a key behind the path',      target("AITargetKeyFile KEYS/good $secret"), ['AITargetKeyFile', 'no option', 'weight=N', 'name=WORD']],
    ['a key behind the variable',  target("AITargetKeyEnv AI_TEST_KEY $secret"), ['AITargetKeyEnv', 'no option', 'weight=N']],
    ['weight 0',                   target('AITargetKeyFile KEYS/good weight=0'), ['AITargetKeyFile', 'weight=', '1 to 100']],
    ['weight 101',                 target('AITargetKeyFile KEYS/good weight=101'), ['AITargetKeyFile', 'weight=', '1 to 100']],
    ['weight without a number',    target('AITargetKeyEnv AI_TEST_KEY weight=lots'), ['AITargetKeyEnv', 'weight=', 'whole number']],
    ['name with a space',          target('AITargetKeyFile KEYS/good "name=a b"'), ['AITargetKeyFile', 'name=', 'letters, digits']],
    ['name that is empty',         target('AITargetKeyFile KEYS/good name='), ['AITargetKeyFile', 'name=']],
    ['name of 32 characters',      target('AITargetKeyFile KEYS/good name=' . 'a' x 32), ['AITargetKeyFile', 'at most 31']],
    ['every= of a file',           target('AITargetKeyFile KEYS/good every=1min'), ['AITargetKeyFile', 'no option']],
    ['key program without a word', target('AITargetKeyExec'),   ['AITargetKeyExec', 'program', 'quotes']],
    ['key program that is blank',  target('AITargetKeyExec " "'), ['AITargetKeyExec', 'program', 'quotes']],
    ['key program by its name',    target('AITargetKeyExec "true"'), ['AITargetKeyExec', 'absolute path']],
    ['key program that is not there', target('AITargetKeyExec KEYS/none'), ['AITargetKeyExec', 'cannot be found']],
    ['key program that is a folder', target('AITargetKeyExec KEYS/folder'), ['AITargetKeyExec', 'is no file']],
    ['key program that cannot be run', target('AITargetKeyExec KEYS/good'), ['AITargetKeyExec', 'cannot be executed']],
    ['key program that others may write', target('AITargetKeyExec KEYS/loose'), ['AITargetKeyExec', 'can be written by others', '0755']],
    ['key program with its arguments outside', target('AITargetKeyExec /bin/true one'), ['AITargetKeyExec', 'no option', 'quotes', 'every=', 'timeout=']],
    ['key program, every= without a unit', target('AITargetKeyExec /bin/true every=5'), ['AITargetKeyExec', 'every=', 'has no unit']],
    ['key program, every= too short', target('AITargetKeyExec /bin/true every=10ms'), ['AITargetKeyExec', 'every=', '1s']],
    ['key program, timeout= too long', target('AITargetKeyExec /bin/true timeout=1h'), ['AITargetKeyExec', 'timeout=', '5min']],
    ['AITargetKeyAside without a unit', target('AITargetKeyAside 10'), ['AITargetKeyAside', 'has no unit']],
    ['AITargetKeyAside too long',  target('AITargetKeyAside 2d'), ['AITargetKeyAside', 'too large', '1d', 'Off']],
    # --- targets: headers
    (map { ["AITargetHeader $_", target("AITargetHeader $_ \"Bearer $secret\""), ['AITargetHeader', $_, 'AITargetKeyFile']] }
        qw(Authorization x-api-key api-key Cookie Proxy-Authorization X-Goog-API-Key)),
    (map { ["AITargetForward $_", target("AITargetForward X-Good $_"), ['AITargetForward', $_]] }
        qw(authorization x-api-key COOKIE proxy-authorization)),
    (map { ["AITargetHeader $_", target("AITargetHeader $_ x"), ['AITargetHeader', $_, 'own']] }
        qw(Host Content-Length Transfer-Encoding Connection Accept-Encoding Expect X-Request-Id)),
    ['header with a bad name',     target('AITargetHeader "a b" c'), ['AITargetHeader', 'a b']],
    ['header with no name',        target('AITargetHeader "" c'),    ['AITargetHeader', 'name']],
    ['header without a value',     target('AITargetHeader X-A'),     ['AITargetHeader', 'two arguments']],
    ['forwarding a bad name',      target('AITargetForward "a:b"'),  ['AITargetForward', 'a:b']],
    # --- targets: the rest
    ['unknown dialect',            target('AITargetDialect klingon'), ['AITargetDialect', 'klingon', 'openai']],
    ['dialect in another case',    target('AITargetDialect OpenAI'),  ['AITargetDialect', 'OpenAI', 'openai']],
    ['rename to nothing',          target('AITargetModel a ""'),     ['AITargetModel', 'two arguments']],
    ['rename of nothing',          target('AITargetModel "" a'),     ['AITargetModel', 'two arguments']],
    ['rename with one name',       target('AITargetModel a'),        ['AITargetModel', 'two arguments']],
    ['rename with three names',    target('AITargetModel a b c'),    ['AITargetModel', 'two arguments']],
    ['CA file that is not there',  "<AITarget t>\nAITargetURL https://127.0.0.1:9\n> AITargetTLSCAFile $dir/none.pem\n</AITarget>\n",
                                   ['CAFile|CACertificateFile', 'none.pem'], near => 2],
    ['twins with other verification', "<AITarget a>\nAITargetURL https://127.0.0.1:9\n</AITarget>\n"
                                    . "> <AITarget b>\nAITargetURL https://127.0.0.1:9/v2\nAITargetTLSVerify Off\n</AITarget>\n",
                                   ['<AITarget b>', '<AITarget a>', 'AITargetTLSVerify']],
    ['twins with other authorities', "<AITarget a>\nAITargetURL https://127.0.0.1:9\n</AITarget>\n"
                                    . "> <AITarget b>\nAITargetURL https://127.0.0.1:9\nAITargetTLSCAFile CA\n</AITarget>\n",
                                   ['<AITarget b>', '<AITarget a>', 'AITargetTLSCAFile']],
    ['twins with other connect time-outs', "$t> <AITarget b>\nAITargetURL http://127.0.0.1:9/v2\nAITargetConnectTimeout 1s\n</AITarget>\n",
                                   ['<AITarget b>', '<AITarget t>', 'AITargetConnectTimeout']],
    ['twins by another way of writing', "<AITarget a>\nAITargetURL http://LOCALHOST/v1\n</AITarget>\n"
                                    . "> <AITarget b>\nAITargetURL http://localhost:80/v1\nAITargetConnectTimeout 1s\n</AITarget>\n",
                                   ['<AITarget b>', '<AITarget a>', 'AITargetConnectTimeout']],
    ['twins over virtual hosts',   "$t<VirtualHost *:65000>\n> <AITarget b>\nAITargetURL http://127.0.0.1:9\nAITargetConnectTimeout 1s\n</AITarget>\n</VirtualHost>\n",
                                   ['<AITarget b>', '<AITarget t>', 'AITargetConnectTimeout']],
    # --- routes
    ['route to an unknown target', in_ai('AIRoute * nobody'),   ['AIRoute', '<AITarget nobody>', 'before']],
    ['route to a target behind it', "<Location /v1>\n> AIRoute * t\n</Location>\n$t", ['AIRoute', 'before']],
    ['route to a target twice',    in_ai('AIRoute * t t'),      ['AIRoute', 'twice']],
    ['route without a target',     in_ai('AIRoute *'),          ['AIRoute', 'at least one target']],
    ['route without anything',     in_ai('AIRoute'),            ['AIRoute', 'at least one target|argument']],
    ['route of no model',          in_ai('AIRoute "" t'),       ['AIRoute', "'*'"]],
    ['route to another host\'s target', "<VirtualHost *:65000>\n<AITarget x>\nAITargetURL http://127.0.0.1:9\n</AITarget>\n</VirtualHost>\n"
                                    . "<VirtualHost *:65001>\n<Location /v1>\n> AIRoute * x\n</Location>\n</VirtualHost>\n",
                                   ['AIRoute', '<AITarget x>']],
    # --- what is not loaded
    ['https without mod_ssl',      "> <AITarget t>\nAITargetURL https://127.0.0.1:9\n</AITarget>\n",
                                   ['<AITarget', 'mod_ssl'], without => ['ssl']],
    ['a target without mod_proxy', "> <AITarget t>\nAITargetURL http://127.0.0.1:9\n</AITarget>\n",
                                   ['<AITarget', 'mod_proxy'],
                                   without => [qw(proxy proxy_http proxy_balancer lbmethod_byrequests)]],
    ['a target without mod_proxy_http', "> <AITarget t>\nAITargetURL http://127.0.0.1:9\n</AITarget>\n",
                                   ['<AITarget', 'mod_proxy_http'], without => ['proxy_http']],
    ['a target without mod_ai',    "> <AITarget t>\nAITargetURL http://127.0.0.1:9\n</AITarget>\n",
                                   ['<AITarget', 'mod_ai'], without => ['ai']],
    ['an unknown directive',       in_ai('AIRouteRetry 1'),     ['AIRouteRetry', 'Invalid command']],
);

my $every = <<'END';
AIBodyMemory 64m
AIModelFile MODELS/good
AIPriceFile MODELS/prices
AIDatabase sqlite3 file:keys/database
AIBodyLimit 1m
AIEngine Off
AIAnonymous Off
AIHeartbeat 5s
AIHalfClosed serve
AINote ai-label "plain"
AIRouteRetries 2
AIRouteBackoff 1s
AIRouteFallback 429 5xx
<AITarget plain>
    AITargetURL http://127.0.0.1:9/v1
</AITarget>
<AITarget full>
    AITargetURL https://localhost:9443/base/v1/
    AITargetDialect openai
    AITargetKeyFile KEYS/good
    AITargetHeader X-Team "a b; c"
    AITargetHeader OpenAI-Project p
    AITargetForward X-Sim X-Other
    AITargetModel gpt-* served
    AITargetModel "a b" c
    AITargetPrice served input=2.50 output=1e1 cached=1.25 request=0.001 not-before=2026-12-01
    AITargetPrice served input=3 output=12
    AITargetStreamUsage Off
    AITargetTLSVerify On
    AITargetTLSCAFile CA
    AITargetConnectTimeout 500ms
    AITargetFirstByteTimeout Off
    AITargetIdleTimeout 0
    AITargetTotalTimeout 1d
</AITarget>
<AITarget fromenv>
    AITargetURL http://localhost:9
    AITargetKeyEnv AI_TEST_KEY
    AITargetKeyFile KEYS/good weight=3 name=second
    AITargetKeyFile KEYS/until weight=100
    AITargetKeyExec "/bin/true 'a b' c" every=1min timeout=5s weight=2 name=vault
    AITargetKeyAside 1min
</AITarget>
<Proxy balancer://pool>
    BalancerMember http://127.0.0.1:7
</Proxy>
<AITarget pooled>
    AITargetURL balancer://pool/v1
</AITarget>
AIRoute * plain
<Location /v1>
    AIEngine On
    AIAnonymous On
    AIBodyLimit 512k
    AIHeartbeat Off
    AIHalfClosed abort
    AINote ai-tenant "%{HTTP_HOST}"
    AINote ai-own-fact "%{REMOTE_ADDR}"
    AIRoute gpt-4o full plain
    AIRoute gpt-* fromenv pooled full plain
    AIRouteRetries 0
    AIRouteBackoff 0
    AIRouteFallback 408 4xx 529
</Location>
END

# [what is right, the piece, options]
my @right = (
    ['every directive', $every],
    ['every directive, own modules first', $every, order => 'own first'],
    ['every directive, mod_ai_route before mod_ai', $every, order => 'route first'],
    ['nothing of ours', ''],
    ['nothing of ours, without mod_proxy', '',
        without => [qw(proxy proxy_http proxy_balancer lbmethod_byrequests)]],
    ['mod_ai without mod_ai_route', "<Location /v1>\nAIEngine On\n</Location>\n", without => ['ai_route']],
    ['plain targets without mod_ssl', $t, without => [qw(ssl)]],
    ['virtual hosts that inherit and replace',
        "$t<Location /v1>\nAIEngine On\nAIRoute * t\n</Location>\n"
      . "<VirtualHost *:65000>\nAIBodyLimit 1k\n<AITarget own>\nAITargetURL http://127.0.0.1:7\n</AITarget>\n"
      . "<Location /v1/inner>\nAIEngine Off\nAIRoute * own t\n</Location>\n</VirtualHost>\n"
      . "<VirtualHost *:65001>\nAIEngine On\nAIRoute gpt t\n</VirtualHost>\n"],
    ['a host that shadows a target', "$t<VirtualHost *:65000>\n<AITarget t>\nAITargetURL http://127.0.0.1:7\n</AITarget>\n"
      . "<Location /v1>\nAIRoute * t\n</Location>\n</VirtualHost>\n"],
    ['nested locations', "$t<Location /ai>\nAIEngine On\nAIRoute * t\n</Location>\n<Location /ai/v1/files>\nAIEngine Off\n</Location>\n"],
    ['AIRoute in <LocationMatch>', "$t<Location /v1>\nAIEngine On\n</Location>\n<LocationMatch ^/v1/>\nAIRoute * t\nAIBodyLimit 1m\n</LocationMatch>\n"],
    ['twins that agree', "$t<AITarget u>\nAITargetURL http://127.0.0.1:9/v2\n</AITarget>\n"],
    ['inside <IfModule> and <IfDefine>', "<IfModule ai_route_module>\n<IfDefine !NOPE>\n<AITarget t>\n<IfModule ssl_module>\nAITargetURL https://localhost\n</IfModule>\n</AITarget>\n</IfDefine>\n</IfModule>\n"],
    ['from a macro', "<Macro Up \$name \$port>\n<AITarget \$name>\nAITargetURL http://127.0.0.1:\$port/v1\n</AITarget>\n</Macro>\nUse Up a 7\nUse Up b 8\n<Location /v1>\nAIEngine On\nAIRoute * a b\n</Location>\n"],
    ['a key file beside ServerRoot', "<AITarget t>\nAITargetURL http://127.0.0.1:9\nAITargetKeyFile keys/good\n</AITarget>\n"],
    ['smallest and largest values', "<Location /v1>\nAIBodyLimit 1\nAIBodyLimit 1g\nAIHeartbeat 1ms\nAIHeartbeat 1h\nAIRouteRetries 10\nAIRouteBackoff 5min\n</Location>\n"],
    ['how keys are remembered',  "AIAuthCacheTTL Off\nAIAuthCacheSize 1m\nAIAuthGrace Forever\n<VirtualHost *:65000>\nAIAuthCacheTTL 1d\nAIAuthGrace 0\n</VirtualHost>\n"],
    ['words and units in any case', "<Location /v1>\naiengine ON\nAIBodyLimit 1M\nAIHeartbeat 5S\nAIHalfClosed Serve\n</Location>\n"],
);

cmp_ok(scalar @wrong, '>=', 70, 'the table has ' . @wrong . ' rows');

my $file = "$dir/httpd.conf";
for my $row (@wrong) {
    my ($what, $text, $holds, %option) = @$row;
    my ($said, $status, $line) = check($text, $option{without}, $option{order});
    my @bad;
    die "errors.t: no line is marked in: $what\n" unless $line;

    push @bad, 'httpd accepts it' if $status == 0;
    my ($where) = $said =~ /on line (\d+) of \Q$file\E/;
    push @bad, 'no line and file are named' unless $where;
    push @bad, "line $where is blamed, not $line"
        if $where && abs($where - $line) > ($option{near} // 0);
    for my $part (@$holds) {
        my @any = map { quotemeta } split /\|/, $part;
        push @bad, "nothing of '$part'" unless grep { $said =~ /$_/i } @any;
    }
    push @bad, 'it shows a key' if $said =~ /\Q$secret\E/;
    push @bad, 'httpd crashed' if $status & 127;
    ok(!@bad, $what) or diag(join('; ', @bad), "\n$said");
}

for my $row (@right) {
    my ($what, $text, %option) = @$row;
    my ($said, $status) = check($text, $option{without}, $option{order});
    ok($status == 0 && $said =~ /Syntax OK/, "right: $what") or diag($said);
    ok($said !~ /\Q$secret\E/, "right: $what: no key is shown");
}

# mod_ai_route alone: the configuration may parse, but the server must not start without mod_ai.
{
    my ($said, $status) = check("<Location /v1>\nAIRouteRetries 1\n</Location>\n", ['ai']);
    my $log = '';
    if ($status == 0) {
        # -t ends before post_config does its checks for us; ask httpd to start in the foreground.
        $said .= `$ENV{AI_HTTPD} -f $file -DFOREGROUND -X 2>&1 </dev/null`;
        $status = $?;
        if (open(my $fh, '<', "$dir/error_log")) {
            local $/;
            $log = <$fh> // '';
        }
    }
    ok($status != 0 && "$said$log" =~ /mod_ai_route needs mod_ai\b/,
       'mod_ai_route without mod_ai does not start, and says why') or diag("$said$log");
}

done_testing();
