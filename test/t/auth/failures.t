#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# failures.t - who shows too many bad keys is told to wait; does anybody else feel it?
#
# Four children and many addresses: of 127.0.0.0/8, ::1, and what a trusted proxy says. What counts is
# each attempt that may be a guess; a good key is let in from an address that may not fail any more.

use strict;
use warnings;

use AuthServer ();
use Gate ();
use IO::Socket::IP ();
use JSON::PP ();
use Keys ();
use StatusPage ();
use Test::More;
use Time::HiRes qw(time);

my %key = (
    good     => Keys::make(name => 'ada'),
    other    => Keys::make(name => 'bob'),
    disabled => Keys::make(disabled => JSON::PP::true()),
    expired  => Keys::make(expires => '2020-01-01T00:00:00Z'),
    away     => Keys::make(sources => ['192.0.2.0/24']),
);
my $good = $key{good}{text};
my ($six, $quick, $off, $proxied) = map { OwnServer::free_port() } 1 .. 4;
my $api = <<'END';
    <Location /v1>
        AIEngine On
        Require ai-key
        AIRoute * sim
    </Location>
END
my $server = AuthServer->new([values %key], <<"END", children => 4);
LoadModule access_compat_module $ENV{AI_HTTPD_MODULES}/mod_access_compat.so
LoadModule remoteip_module $ENV{AI_HTTPD_MODULES}/mod_remoteip.so
AIAuthFailures 5/1h
CustomLog children_log "%a %P"
$api
<Location /any/v1>
    AIEngine On
    Require ai-key
    Satisfy Any
    AIRoute * sim
</Location>
<Location /server-status>
    SetHandler server-status
</Location>
Listen [::1]:$six
Listen 127.0.0.1:$quick
<VirtualHost *:$quick>
    AIAuthFailures 2/2s
    $api
</VirtualHost>
Listen 127.0.0.1:$off
<VirtualHost *:$off>
    AIAuthFailures Off
    $api
</VirtualHost>
Listen 127.0.0.1:$proxied
<VirtualHost *:$proxied>
    RemoteIPHeader X-Forwarded-For
    RemoteIPInternalProxy 127.0.0.1
    AIAuthFailures 3/1h
    $api
</VirtualHost>
END

# A caller with that address.
sub caller_at
{
    my ($address, $port) = @_;
    my $caller = Gate::Socket->new(port => $port // ($address =~ /:/ ? $six : $server->{port}), tls => 0);
    $caller->{socket} = IO::Socket::IP->new(
        LocalHost => $address, PeerPort => $caller->{port}, Type => Socket::SOCK_STREAM(),
        PeerHost => $address =~ /:/ ? '::1' : '127.0.0.1') or die "$address to port $caller->{port}: $!\n";
    return $caller;
}

sub question
{
    my ($key, %headers) = @_;
    return (path => '/v1/chat/completions', body => Gate::chat(),
            headers => { defined $key ? (Authorization => "Bearer $key") : (), %headers });
}

# Status and code of the answer to one request with that key, over a connection of its own.
my $throttled = 0;
sub answer_to
{
    my ($caller, $key, %headers) = @_;
    my $answer = $caller->request(question($key, %headers));
    $answer->{error_of} = eval { Gate::from_json($answer->{body})->{error} } // {};
    $throttled++ if $answer->{status} == 429;
    return $answer;
}

sub ask
{
    my ($address, $key, %headers) = @_;
    my $answer = answer_to(caller_at($address), $key, %headers);
    return join(' ', $answer->{status}, $answer->{error_of}{code} // ());
}

sub bad { return Keys::make()->{text} }

# The answers to n unknown keys in a row: "401 401 429".
sub statuses
{
    my ($n, $address, $port, %headers) = @_;
    return join(' ', map { answer_to(caller_at($address, $port), bad(), %headers)->{status} } 1 .. $n);
}

sub told
{
    my ($name) = @_;
    return scalar(() = $server->read_file('error_log') =~ /AI0240: \Q$name\E: more than/g);
}

my $many = '429 too_many_failed_attempts';

# ------------------------------------------------------------------------------ what counts

my @attempts = (
    ['an unknown key',       bad(),                      'invalid_api_key'],
    ['a wrong secret',       Keys::forged($key{good}),   'invalid_api_key'],
    ['a slip of the pen',    Keys::broken($key{good}),   'malformed_api_key'],
    ['half a key',           substr($good, 0, 30),       'malformed_api_key'],
    ['two different keys',   $good,                      'ambiguous_key', 'x-api-key' => $key{other}{text}],
);
my @harmless = (
    ['no key',               undef,                      '401 invalid_api_key'],
    ['another one\'s key',   'sk-proj-abcdefghijklmnop', '401 invalid_api_key'],
    ['a disabled key',       $key{disabled}{text},       '401 key_disabled'],
    ['an expired key',       $key{expired}{text},        '401 key_expired'],
    ['one for elsewhere',    $key{away}{text},           '401 key_source_denied'],
    ['a good key',           $good,                      '200'],
);
is(ask('127.0.0.2', $_->[1]), $_->[2], "$_->[0] is no failed attempt") for @harmless, @harmless;
is(ask('127.0.0.2', $_->[1], @$_[3 .. $#$_]), "401 $_->[2]", "$_->[0] is one") for @attempts;
my %said;
for my $attempt (@attempts) {
    my ($what, $key, undef, %headers) = @$attempt;
    my $answer = answer_to(caller_at('127.0.0.2'), $key, %headers);
    is("$answer->{status} " . ($answer->{error_of}{code} // ''), $many, "five were counted: now $what is one too many");
    my %head = %{ $answer->{headers} };
    delete @head{qw(date retry-after), grep { /request-id/ } keys %head};
    $said{ join("\n", $answer->{body}, map { "$_: $head{$_}" } sort keys %head) } = 1;
}
is(scalar(keys %said), 1, 'whatever the reason, the answer is the same') or diag(join "\n\n", keys %said);
is(ask('127.0.0.2', $_->[1]), $_->[2], "$_->[0] is answered as ever") for @harmless;
is(ask('127.0.0.2', bad(), 'X-Forwarded-For' => '198.51.100.1'), $many, 'a header of a stranger is not believed');
is(ask('127.0.0.3', bad()), '401 invalid_api_key', 'another address is another matter');
is(told('127.0.0.2'), 1, 'the log tells once');
is(told('127.0.0.3'), 0, 'and of nobody else');

# --------------------------------------------------------------- what he is told, in his dialect

my $answer = answer_to(caller_at('127.0.0.2'), bad());
is($answer->{error_of}{type}, 'rate_limit_error', 'the type for a caller of OpenAI\'s API');
unlike($answer->{body}, qr/sk-ai-/, 'no key in it');
is($answer->{headers}{'www-authenticate'}, undef, '429 asks for no login');
my $wait = $answer->{headers}{'retry-after'} // 'none';
ok($wait =~ /^\d+\z/ && $wait >= 1 && $wait <= 720, "Retry-After, at most a fifth of an hour: $wait");
is($server->logged($answer)->{deny}, 'too_many_failed_attempts', 'the note ai-deny');
$answer = caller_at('127.0.0.2')->request(
    path => '/v1/messages', headers => { 'x-api-key' => bad(), 'anthropic-version' => '2023-06-01' },
    body => Gate::to_json({ model => 'm', max_tokens => 9, messages => [{ role => 'user', content => 'Hello' }] }));
$throttled++;
my $error = eval { Gate::from_json($answer->{body}) } // {};
is_deeply([$answer->{status}, @{$error}{'type'}, $error->{error}{type}], [429, 'error', 'rate_limit_error'],
          'for a caller of Anthropic\'s API') or diag(Gate::brief($answer));
like($answer->{headers}{'retry-after'} // 'none', qr/^\d+\z/, 'with Retry-After, too');

# ------------------------------------------------------------------- IPv6, and Satisfy Any

is(statuses(7, '::1'), '401 401 401 401 401 429 429', 'an IPv6 address');
is(told('0:0:0:0::/64'), 1, 'of which 64 bits are told');
is(ask('::1', $good), '200', 'with a good key');
my @any = map {
    caller_at('127.0.0.4')->request(question(bad()), path => '/any/v1/chat/completions')->{status}
} 1 .. 7;
is("@any", '401 401 401 401 401 429 429', 'Satisfy Any, which asks us twice: an attempt counts once');
$throttled += 2;

# ---------------------------------------------------------------- many at once, in all children

# Batches until one was served by two children or more; each must be right.
my ($last, $children, @wrong) = (10, 0);
while ($children < 2 && $last < 60) {
    my $address = '127.0.0.' . ++$last;
    my @callers = map { caller_at($address) } 1 .. 30;
    $_->ask(question(bad())) for @callers;
    my %statuses;
    $statuses{ $_->finish->{status} }++ for @callers;
    $throttled += $statuses{429} // 0;
    push @wrong, "$address: " . Gate::to_json(\%statuses) if ($statuses{401} // 0) != 5 || ($statuses{429} // 0) != 25;
    $children = Gate::await("the log of $address", sub {
        my @pids = $server->read_file('children_log') =~ /^\Q$address\E (\d+)$/mg;
        return @pids >= 30 && scalar(keys %{ { map { $_ => 1 } @pids } });
    });
    push @wrong, "$address: told " . told($address) if told($address) != 1;
}
cmp_ok($children, '>', 1, 'several children serve one address at once');
is("@wrong", '', 'of thirty at once five are counted, in whatever child, and one is told');

# ------------------------------------------------------------------------- a graceful restart

is(statuses(3, '127.0.0.5'), '401 401 401', 'three failures');
$server->graceful;
is(statuses(3, '127.0.0.5'), '401 401 429', 'after a graceful restart two are left');
is(statuses(1, '127.0.0.2'), '429', 'who was over the limit still is');
is(ask('127.0.0.5', $good), '200', 'with a good key');
is(told('127.0.0.2'), 1, 'and is not told again');

# ------------------------------------------------------------- Retry-After keeps its word, and Off

is(statuses(1, '127.0.0.2', $quick), '401', 'a host with another limit counts for itself');
for my $round (1, 2) {
    my $answer = Gate::await("round $round: too many", sub {
        my $answer = answer_to(caller_at('127.0.0.6', $quick), bad());
        return $answer->{status} == 429 ? $answer : undef;
    });
    my $wait = $answer->{headers}{'retry-after'} // 60;
    my $then = time + $wait;
    cmp_ok($wait, '<=', 2, 'to be tried again soon');
    Gate::await('the time that Retry-After names', sub { return time >= $then });
    is(statuses(1, '127.0.0.6', $quick), '401', 'and then a failure is within the limit');
}
is(ask('127.0.0.6', bad()), '401 invalid_api_key', 'where the limit is another one the count is, too');
is(statuses(30, '127.0.0.6', $off), join(' ', (401) x 30), 'Off counts nothing');

# ------------------------------------------------------------------ behind a trusted proxy

sub behind { my ($n, $address) = @_; return statuses($n, '127.0.0.1', $proxied, 'X-Forwarded-For' => $address) }

is(behind(4, '203.0.113.7'), '401 401 401 429', 'a caller behind a trusted proxy');
is(behind(1, '203.0.113.8'), '401', 'his neighbour');
is(behind(4, '2001:db8:1:2::7'), '401 401 401 429', 'an IPv6 caller behind it');
is(behind(1, '2001:db8:1:2:ffff::8'), '429', 'another address of his network of 64 bits');
is(behind(1, '2001:db8:1:3::7'), '401', 'another network');
is(told('2001:db8:1:2::/64'), 1, 'the log names the network');
is(answer_to(caller_at('127.0.0.1', $proxied), $good, 'X-Forwarded-For' => '203.0.113.7')->{status}, 200,
   'a good key is let in');

# ---------------------------------------------------------------------------- what is counted

my $seen = StatusPage::await($server, 'all that was refused', sub {
    return $_[0]{'AIRefusals[too_many_failed_attempts]'} >= $throttled;
});
is($seen->{'AIRefusals[too_many_failed_attempts]'}, $throttled, 'mod_ai_status counts them by that reason');
unlike($server->read_file('error_log'), qr/sk-ai-\w{12}-/, 'no key in the log');

$server->stop;
done_testing();
