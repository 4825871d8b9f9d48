#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Do the docs say what the modules do?
#
# What can be asked of the built modules is asked of them: names, places, defaults and ranges of
# the directives, and every example. The rest is compared with the sources.
use strict;
use warnings;
use Test::More;
use File::Basename qw(basename dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use lib dirname(__FILE__);
use Guard;

my $httpd  = $ENV{AI_HTTPD}         // die "AI_HTTPD is not set; run make check\n";
my $theirs = $ENV{AI_HTTPD_MODULES} // die "AI_HTTPD_MODULES is not set; run make check\n";
my $ours   = $ENV{AI_MODULES}       // die "AI_MODULES is not set; run make check\n";
my $dir    = tempdir(CLEANUP => 1);

# ----------------------------------------------------------------- asking httpd

my %static = map { /(\w+)\.c/ ? ($1 => 1) : () } `$httpd -l`;
my %module = (ai => 'mod_ai.so', ai_audit => 'mod_ai_audit.so', ai_auth => 'mod_ai_auth.so', ai_route => 'mod_ai_route.so',
              ai_status => 'mod_ai_status.so');
my ($openidc) = grep { -f } $ENV{AI_OPENIDC} || (), "$theirs/mod_auth_openidc.so", glob("$ENV{AI_TOP_BUILDDIR}/auth-openidc/usr/lib*/*/modules/mod_auth_openidc.so");
my @loads  = (
    (map { "LoadModule ${_}_module $theirs/mod_$_.so" }
     grep { !$static{"mod_$_"} && -f "$theirs/mod_$_.so" }
     qw(mpm_event unixd log_config ldap authn_core authn_file authz_core authz_host authz_user auth_basic
        authnz_ldap auth_form request session session_cookie session_crypto alias dir rewrite env setenvif headers filter deflate brotli remoteip unique_id reqtimeout
        socache_shmcb slotmem_shm ssl http2 proxy proxy_http proxy_balancer lbmethod_byrequests)),
    ($openidc ? "LoadModule auth_openidc_module $openidc" : ()),
    ($ENV{AI_FIREWALL} ? "LoadModule security2_module $ENV{AI_FIREWALL}" : ()),
    map { "LoadModule ${_}_module $ours/$module{$_}" } sort keys %module,
);

sub spew
{
    my ($file, $text) = @_;
    make_path(dirname($file));
    open(my $fh, '>', $file) or die "$file: $!\n";
    print $fh $text;
    close($fh) or die "$file: $!\n";
    chmod(0600, $file);
    return;
}

# httpd's word on a configuration: its status and what it said. $option is -t or -L.
sub ask
{
    my ($option, @lines) = @_;
    spew("$dir/httpd.conf", join("\n", 'ServerName localhost', "ServerRoot $dir",
         "DefaultRuntimeDir $dir", "PidFile $dir/pid", "ErrorLog $dir/error_log",
         'Listen 127.0.0.1:9', @loads, "AIAuditSpool $dir/spool", map { s{/usr/local/libexec/}{$dir/libexec/}r } @lines) . "\n");
    local $ENV{OPENAI_API_KEY} = 'sk-test';
    my $said = `$httpd -f $dir/httpd.conf $option 2>&1`;
    return ($?, $said);
}

spew("$dir/conf/users",      "ann:x\n");
spew("$dir/conf/keys",       "# no keys\n");
spew("$dir/conf/issuer.jwks", '{"keys":[{"kty":"oct","kid":"k","k":"' . 'A' x 43 . '"}]}');
spew("$dir/conf/openai.key", "sk-test\n");
spew("$dir/conf/openai-b.key", "sk-test-b\n");
# Its real place is the system's, where a test has no business.
spew("$dir/libexec/openai-key", "#!/bin/sh\n");
chmod(0755, "$dir/libexec/openai-key");
spew("$dir/conf/anthropic.key", "sk-test\n");
# The first key of RFC 8032.
spew("$dir/conf/audit-sign.pem", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n");
spew("$dir/conf/model_prices_and_context_window.json", '{"m":{"input_cost_per_token":1e-6}}');
spew("$dir/conf/models.json", '[{"match":"m","source":"s","date":"2026-11-21"}]');
spew("$dir/conf/$_", "none is read by httpd -t\n") for qw(own-ca.pem server.pem server.key);
make_path("$dir/logs");

my @target = ('<AITarget openai>', 'AITargetURL http://127.0.0.1:9/v1', '</AITarget>');

# --------------------------------------------------------------------- the docs

my @pages = files(qr/^docs\/mod_\w+\.md$/, 'docs');
my (%block, @twice);
for my $page (@pages) {
    my $text = slurp($page);
    while ($text =~ /^## \\?<?(AI\w+)\\?>? Directive\n(.*?)(?=^## |\z)/msg) {
        my ($name, $body) = ($1, $2);
        push @twice, $name if $block{$name};
        my %row = map { my ($k, $v) = @$_; $v =~ s/\\\|/|/g; ($k => $v) }
                  map { [/^\|\s*(\w+):\s*\|\s*(.*?)\s*\|$/] } grep { /^\|\s*\w+:/ } split /\n/, $body;
        my ($example) = $body =~ /^```apache\n(.*?)^```/ms;
        $block{$name} = { page => $page, text => $body, row => \%row, example => $example };
    }
}
my @rows = qw(Description Syntax Default Context Module Compatibility);
cmp_ok(scalar(keys %block), '>', 0, 'there are blocks');
rule('no directive has two blocks', @twice);
rule('every block has its rows (' . join(', ', @rows) . ')',
     map { my $n = $_; map { $block{$n}{row}{$_} ? () : "$n: $_" } @rows } sort keys %block);
rule('every block has an example', grep { !$block{$_}{example} } sort keys %block);

# ------------------------------------------------------ names and help: httpd -L

my (undef, $list) = ask('-L', @target);
my %offered;
while ($list =~ /^(<?)(AI\w+) \((mod_\w+)\.c\)\n\t(.*)\n\tAllowed in (.*)\n/mg) {
    $offered{$2} = { section => $1, module => $3, help => $4, place => $5 };
}
cmp_ok(scalar(keys %offered), '>', 0, 'httpd -L lists directives of ours');
is_deeply([sort keys %block], [sort keys %offered], 'the directives of docs and modules are the same');
rule('a name has at most 24 characters', grep { length > 24 } sort keys %offered);
rule('every directive has a help text', grep { $offered{$_}{help} !~ /\w{2}/ } sort keys %offered);
rule('no directive may stand in .htaccess', grep { $offered{$_}{place} =~ /htaccess/ } sort keys %offered);
rule('the docs name the module that has the directive',
     grep { ($block{$_}{row}{Module} // '') ne $offered{$_}{module}
            || $block{$_}{page} ne "docs/$offered{$_}{module}.md" } sort keys %offered);
rule('the syntax begins with the name',
     grep { ($block{$_}{row}{Syntax} // '') !~ /^`<?\Q$_\E[ >]/ } sort keys %offered);

# ------------------------------------------- contexts: each directive in each place

my %place = (
    'server config' => sub { @_ },
    'virtual host'  => sub { ('<VirtualHost *:9>', @_, '</VirtualHost>') },
    'location'      => sub { ('<Location "/v1">', @_, '</Location>') },
    '`<AITarget>`'  => sub {
        my @url = (grep { /^\s*AITargetURL/ } @_) ? () : ('AITargetURL http://10.0.0.9/v1');
        return ('<AITarget other>', @url, @_, '</AITarget>');
    },
    '`<AIAuthIssuer>`' => sub {
        my @jwks = (grep { /^\s*AIAuthJWKS/ } @_) ? () : ('AIAuthJWKS https://10.0.0.9/keys');
        my @audience = (grep { /^\s*AIAuthAudience/ } @_) ? () : ('AIAuthAudience any');
        return ('<AIAuthIssuer other>', @jwks, @audience, @_, '</AIAuthIssuer>');
    },
    'directory'     => sub { ("<Directory \"$dir\">", @_, '</Directory>') },
    'files'         => sub { ('<Files "x">', @_, '</Files>') },
    'if'            => sub { ('<If "true">', @_, '</If>') },
    'proxy'         => sub { ('<Proxy "http://10.0.0.8">', @_, '</Proxy>') },
);

# What only shipping does takes all that shipping takes.
sub beside
{
    return (grep { /^\s*AIAudit(?:Pipe|SigningKey|Retain)\b/ } @_)
        ? ('AIAuditSpool conf/spool', 'AIDatabase sqlite3 conf/mod_ai.db') : ();
}

my (@misplaced, @strange);
for my $name (sort keys %block) {
    my $open   = $offered{$name}{section} // '';
    my ($line) = ($block{$name}{example} // '') =~ /^\s*(\Q$open$name\E\b.*)$/m or next;
    my @lines  = !$open ? $line : $name eq 'AITarget'
        ? ('<AITarget example>', 'AITargetURL http://10.0.0.7/v1', '</AITarget>')
        : ('<AIAuthIssuer example>', 'AIAuthJWKS https://10.0.0.7/keys', 'AIAuthAudience any', '</AIAuthIssuer>');
    s/\bopenai own\b.*|\bfast large\b.*/openai/ for @lines;
    my %documented = map { $_ => 1 } split /, /, $block{$name}{row}{Context} // '';
    push @strange, map { "$name: $_" } grep { !$place{$_} } keys %documented;
    for my $place (sort keys %place) {
        # A balancer's name means nothing here; any URL will do.
        my @tried = map { s/balancer:\S+/http:\/\/10.0.0.9\/v1/r } @lines;
        my ($status, $said) = ask('-t', @target, beside(@tried), $place{$place}->(@tried));
        push @misplaced, "$name in $place: docs say " . ($documented{$place} ? 'yes' : 'no') . ", httpd: $said"
            if ($status == 0) != !!$documented{$place};
    }
}
rule('contexts have their usual words', @strange);
rule('a directive may stand where the docs say, and nowhere else', @misplaced);

# ------------------------------------------------ defaults and ranges: the field tables

my (%default, %kind);
for my $file (files(qr/\.c$/, 'modules')) {
    my $text = slurp($file);
    my %field = ();
    $field{$1} = [$2, $3] while $text =~ /\[(\w+)\]\s*=\s*AI_FIELD_([A-Z]+)\(\s*\w+,\s*[\w.]+,\s*("[^"]*"|NULL)/g;
    for my $other (files(qr/\.c$/, dirname($file))) {
        my $commands = slurp($other);
        while ($commands =~ /AP_INIT_\w+\(\s*"(AI\w+)",\s*\w+,\s*&\w+\[(\w+)\]/g) {
            ($kind{$1}, $default{$1}) = @{ $field{$2} } if $field{$2};
        }
    }
}
cmp_ok(scalar(keys %default), '>', 5, 'field tables were found');
my (@default, @range);
for my $name (sort keys %default) {
    my ($want) = $default{$name} =~ /^"(.*)"$/;
    my $doc = $block{$name}{row}{Default} // '';
    push @default, "$name: docs $doc, code $default{$name}"
        if defined $want ? $doc ne "`$name $want`" : $doc !~ /^none/;
}
rule('defaults are those of the code', @default);
for my $name (sort grep { $kind{$_} =~ /^(?:NUMBER|TIME|SIZE)$/ } keys %kind) {
    my ($section) = grep { ($block{$name}{row}{Context} // '') eq $_ } '`<AITarget>`', '`<AIAuthIssuer>`';
    my @line = $section ? $place{$section}->("$name bogus") : "$name bogus";
    my (undef, $said) = ask('-t', @line);
    my ($range) = $said =~ /from (\S+ to [^\s,]+)/;
    my $doc = $block{$name}{row}{Range} // 'none';
    push @range, "$name: docs $doc, httpd " . ($range // $said) if !defined $range || $doc ne $range;
    my $off = $said =~ /or Off/ ? 1 : 0;
    push @range, "$name: Off in the syntax and in fact differ"
        if $off != (($block{$name}{row}{Syntax} // '') =~ /\|Off`/ ? 1 : 0);
}
rule('ranges are those that httpd names', @range);

# AIRouteFallback has no field; its default is in the code as a condition.
like(slurp('modules/route/mod_ai_route.c'), qr/status == 408 \|\| status == 429 \|\| status >= 500/,
     'the default of AIRouteFallback is 408 429 5xx in the code');
is($block{AIRouteFallback}{row}{Default}, '`AIRouteFallback 408 429 5xx`', 'and in the docs');

# -------------------------------------------------------------------- examples

# Puts a block where it can stand: what belongs into a section goes into one.
sub wrap
{
    my ($text) = @_;
    my @lines   = grep { /\S/ && !/^\s*#/ } split /\n/, $text;
    my %defined = map { /^\s*<AITarget (\w+)>/ ? ($1 => 1) : () } @lines;
    my @before  = $defined{openai} ? () : @target;
    push @before, beside(@lines);
    my $free    = grep { !/^\s*AITarget[A-Z]/ } @lines;
    return (@before, $place{'`<AITarget>`'}->(@lines)) if !$free;
    return (@before, @lines) if grep { /^\s*<|^\s*(?:AIBodyMemory|AIModelFile|AIPriceFile|AIAuthKeyFile|AIAuthLookupTimeout|AIAuthFailures|AIDatabase|AIAuditSpool|AIAuditSync|AIAuditFull|AIAuditNode|AIAuditSegment\w+|AIAuditShip|AIAuditPipe|AIAuditSigningKey|AIAuditCheckpoint|AIAuditRetain|AIAuthCacheTTL|AIAuthCacheSize|AIAuthGrace|ServerLimit|LogLevel|LogFormat)\b/ } @lines;
    return (@before, $place{location}->(@lines));
}

my @markdown = (files(qr/\.md$/, qw(docs bench conf-examples)), grep { -f top() . "/$_" } qw(README.md SECURITY.md CONTRIBUTING.md));
my ($examples, @wrong) = (0);
for my $page (@markdown) {
    my $text = slurp($page);
    while ($text =~ /^```apache\n(.*?)^```/msg) {
        my $example = $1;
        my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);
        $examples++;
        my ($status, $said) = ask('-t', wrap($example));
        push @wrong, "$page:$line: $said" if $status != 0;
    }
}
# README shows configuration as indented text, between sentences.
my ($readme) = slurp('README.md') =~ /^(    <AITarget .*?<\/Location>)\n/ms;
ok($readme, 'README.md shows a configuration');
my ($status, $said) = ask('-t', ($readme // '') =~ s{/etc/apache2/}{conf/}gr);
ok($status == 0, 'and httpd takes it') or diag($said);
cmp_ok($examples, '>', scalar(keys %block) - 1, 'examples were found');
rule('httpd takes every example of the docs', @wrong);

# ------------------------------------------------------------- conf-examples

my %used;
for my $file (files(qr/\.conf$/, 'conf-examples')) {
    $used{$file}{$_} = 1 for slurp($file) =~ /^\s*<?(AI[A-Z]\w+)\b/mg;
}
rule('every directive of an example is documented',
     map { my $f = $_; map { $block{$_} ? () : "$f: $_" } sort keys %{ $used{$f} } } sort keys %used);
rule('everything.conf has every directive',
     grep { !$used{'conf-examples/everything.conf'}{$_} } sort keys %offered);
my ($all) = slurp('conf-examples/everything.conf');
rule('everything.conf loads every module of ours',
     grep { my $so = basename($_); $all !~ /\Q$so\E/ } glob("$ours/mod_ai*.so"));
is_deeply([sort map { basename($_) } glob("$ours/mod_ai*.so")], [sort values %module],
          'and this guard, too');

# ----------------------------------------------------------------- log numbers

my (%code, %doc);
for my $file (files(qr/\.[ch]$/, 'modules')) {
    my $text = slurp($file) =~ s{/\*.*?\*/}{}gsr;
    while ($text =~ /\bap_log_[a-z]*error\s*\(\s*APLOG_MARK\s*,\s*APLOG_(\w+).*?AI_LOGNO\((\d+)\)\s*((?:"(?:[^"\\]|\\.)*"\s*)+)/sg) {
        my ($level, $number, $strings) = ($1, $2, $3);
        my $message = join('', $strings =~ /"((?:[^"\\]|\\.)*)"/g);
        push @{ $code{"AI$number"} }, join(' | ', lc $level, basename($file), $message);
    }
}
my $lognos = slurp('docs/lognos.md');
while ($lognos =~ /^\|\s*(AI\d{4})\s*\|\s*(\w+)\s*\|\s*([\w.]+)\s*\|\s*`(.*?)`\s*\|\s*(\S.*?)\s*\|$/mg) {
    push @{ $doc{$1} }, join(' | ', $2, $3, $4);
}
cmp_ok(scalar(keys %code), '>', 0, 'log lines were found');
rule('a number is used once', grep { @{ $code{$_} } > 1 } sort keys %code);
rule('a number has one row', grep { @{ $doc{$_} } > 1 } sort keys %doc);
is_deeply(\%doc, \%code, 'docs/lognos.md has the level, file and text of each');
my $numbers = () = join('', map { slurp($_) } files(qr/\.c$/, 'modules')) =~ /\bAI_LOGNO\(\d+\)/g;
is(scalar(map { @$_ } values %code), $numbers, 'no log line was overlooked');

my %reason;
for my $file (files(qr/\.c$/, 'modules/core')) {
    my $text = slurp($file);
    $reason{$1} = 1 while $text =~ /\bai_gate_fail\w*\(\w+,\s*"([a-z-]+)"/g;
    $reason{$1} = 1 while $text =~ /"([a-z-]+-timeout)"/g;
    while ($text =~ /\breason\s*=(?!=)(.*?);/sg) {
        my $value = $1;
        $reason{$_} = 1 for $value =~ /"([a-z-]+)"/g;
    }
}
my ($reasons) = $lognos =~ /^\| Reason \|.*?\n((?:\|.*\n)+)/m;
is_deeply([sort(($reasons // '') =~ /^\| `([a-z-]+)`/mg)], [sort keys %reason],
          'docs/lognos.md has the reasons of a failed attempt');

# --------------------------------------------------------------- what else is named

my $core = slurp('docs/mod_ai.md');
my %said_code;
for my $file (files(qr/\.c$/, 'modules/core', 'modules/route')) {
    my $text = slurp($file);
    $said_code{$1} = $file while $text =~ /ai_refuse_with\(\s*air,\s*HTTP_\w+,\s*"(\w+)"/g;
    $said_code{$1} = $file while $text =~ /(?:error->code = |end_with\(x, |refuse\(air, )"(\w+)"/g;
}
rule('docs/mod_ai.md has the codes of all errors',
     grep { $core !~ /`\Q$_\E`/ } sort keys %said_code);
cmp_ok(scalar(keys %said_code), '>', 10, 'codes were found');

sub strings_of
{
    my ($file, $array) = @_;
    my ($list) = slurp($file) =~ /\b\Q$array\E\[\] = \{(.*?)\}/s;
    my @found = ($list // '') =~ /"([^"]+)"/g;
    ok(scalar(@found), "$array [] of $file was found");
    return @found;
}
my ($up) = slurp('docs/mod_ai_route.md') =~ /^### What goes up\n(.*?)^### /ms;
rule('the headers that go up are in docs/mod_ai_route.md',
     grep { ($up // '') !~ /`\Q$_\E\*?`/ } strings_of('modules/core/ai_upstream.c', 'passing'),
     strings_of('modules/core/ai_upstream.c', 'passing_prefixes'));
rule('the headers of an answer that are dropped are in docs/mod_ai.md',
     grep { $core !~ /^\|.*`\Q$_\E`.*\| dropped \|$/m } strings_of('modules/core/ai_gate.c', 'dropped'));
my ($rows) = slurp('modules/lib/ai_chat.c') =~ /\bendpoints\[\w+\] = \{(.*?)\n\};/s;
my @endpoints = ($rows // '') =~ /\{ "([a-z-]+)"/g;
cmp_ok(scalar(@endpoints), '>', 10, 'endpoints were found');
my ($words) = slurp('docs/notes.md') =~ /^\| `ai-endpoint` \| ([^|]+)/m;
is_deeply([sort(($words // '') =~ /`([a-z-]+)`/g)], [sort @endpoints],
          'docs/notes.md has the endpoints of ai_chat.c');
rule('docs/mod_ai.md has them, too', grep { $core !~ /^\|[^|]+\| [^|]*`\Q$_\E`/m } @endpoints);
my ($dialects) = slurp('modules/Makefile.am') =~ /^AI_DIALECTS\s*=((?:.*\\\n)*.*)$/m;
rule('every dialect is named under AITargetDialect',
     grep { $block{AITargetDialect}{text} !~ /`\Q$_\E`/ } ($dialects // '') =~ /dialect_(\w+)\.c/g);

# Functions and files that the tour and the recipes speak of.
my $sources = join('', map { slurp($_) } files(qr/\.[ch]$/, qw(modules support)));
rule('functions that the docs name exist',
     map { my $page = $_; map { $sources =~ /\b\Q$_\E\b/ ? () : "$page: $_()" }
           slurp($page) =~ /`([a-z_0-9]+)\(\)`/g } files(qr/\.md$/, 'docs'));
my %basename = map { basename($_) => 1 } files(qr/./, qw(modules test build bench conf-examples support));
rule('files that the docs name exist',
     map { my $page = $_;
           map { my $path = $_;
                 $path =~ m{^(?:modules|test|build|bench|conf-examples|docs|support)/}
                     ? (-e top() . "/$path" ? () : "$page: $path")
                     : ($basename{ basename($path) } ? () : "$page: $path") }
           grep { !/dialect_x|NAME|ROOM|\*/ } slurp($page) =~ m{`((?:[\w.-]+/)*\w+\.(?:c|h|t|am|in|sh|py|conf))`}g }
     grep { !m{/design/} } files(qr/\.md$/, 'docs'));

# ----------------------------------------------------------------------- links

sub anchors
{
    my ($page) = @_;
    my %anchor;
    for my $heading (slurp($page) =~ /^#+ (.*)$/mg) {
        my $anchor = lc $heading;
        $anchor =~ s/[^\w\s-]//g;
        $anchor =~ s/\s/-/g;
        $anchor{$anchor} = 1;
    }
    return \%anchor;
}
my ($links, @dead) = (0);
for my $page (@markdown) {
    my $text = slurp($page) =~ s/^```.*?^```//msgr;
    while ($text =~ /\]\(([^)\s]+)\)/g) {
        my $link = $1;
        next if $link =~ m{^[a-z]+:};
        $links++;
        my ($path, $anchor) = split /#/, $link, 2;
        my $file = length $path ? (dirname($page) eq '.' ? $path : dirname($page) . "/$path") : $page;
        if (!-e top() . "/$file") {
            push @dead, "$page: $link";
        }
        elsif (defined $anchor && !anchors($file)->{$anchor}) {
            push @dead, "$page: $link (no such heading)";
        }
    }
}
cmp_ok($links, '>', 10, 'links were found');
rule('relative links lead somewhere', @dead);

my @readme = split /\n/, slurp('README.md');
cmp_ok(scalar(@readme), '<=', 150, 'README.md is short');
done_testing();
