#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# token_fetch.t - keys of issuers that come from a URL: fetched how often, and what if not?
#
# Each case has an issuer of its own, since one is asked before its time only once a minute. Four
# children ask; the issuers count.

use strict;
use warnings;

use AuthServer ();
use Gate ();
use Issuer ();
use Keys ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use Tokens ();

my ($CHILDREN, $CALLERS) = (4, 4);

my ($old, $new) = (Tokens::key('ES256', 'old'), Tokens::key('RS256', 'new'));
my $before = Tokens::set($old);
my $secrets = Tokens::set(Tokens::key('HS256', 'old'));

# What an issuer comes to say, after it has served a good set once.
my %turn = (
    'broken JSON'  => sub { $_[0]->serves('{"keys":[') },
    'no keys'      => sub { $_[0]->serves('{"keys":[]}') },
    'no such keys' => sub { $_[0]->serves('{"keys":[{"kty":"other"}]}') },
    'a weak key'   => sub { $_[0]->serves('{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}') },
    'secrets'      => sub { $_[0]->serves($secrets) },
    'status 503'   => sub { $_[0]->serves($before, status => 503) },
    'a redirect'   => sub { $_[0]->serves('', status => 302, Location => $_[1]->url) },
    'too much'     => sub { $_[0]->serves(Tokens::set($old, $new) . ' ' x 1048576) },
    'half of it'   => sub { $_[0]->serves(Tokens::set($old, $new), 'Content-Length' => 100000) },
    'silence'      => sub { $_[0]->hangs },
    'nobody'       => sub { $_[0]->leaves },
);
my %issuer = map { $_ => Issuer->new(tls => $_ eq 'storm' || $_ eq 'stranger') }
             qw(storm rotation removal away hung stranger killed), keys %turn;
$_->serves($before, 'Cache-Control' => 'public, max-age=86400') for values %issuer;
$issuer{away}->leaves;
$issuer{hung}->hangs;
$issuer{killed}->hangs;

sub name_of { return 'https://idp.example.com/' . ($_[0] =~ s/ /-/gr) }
my $conf = join('', map { my $case = $_;
    my $ca = $case eq 'storm' ? "AIAuthCAFile $ENV{AI_CERTS}/ca.pem" : '';
    my $url = $issuer{$case}->url;
    my $name = name_of($case);
    "<AIAuthIssuer $name>\nAIAuthJWKS $url\n$ca\nAIAuthAudience ai-gateway\n</AIAuthIssuer>\n" } sort keys %issuer);
my $server = AuthServer->new([Keys::make()], <<"END", children => $CHILDREN);
AIAuthLookupTimeout 2s
$conf
<Location /v1>
    AIEngine On
    Require ai-token
    AIRoute * sim
</Location>
END

sub token_of
{
    my ($case, $key, %header) = @_;
    return Tokens::token($key, Tokens::good(iss => name_of($case)), %header);
}

sub ask
{
    my ($token, $caller) = @_;
    return ($caller // $server->caller)->request(path => '/v1/chat/completions', body => Gate::chat(),
                                                 headers => { Authorization => "Bearer $token" });
}

# "200", or "401 code".
sub verdict
{
    my $answer = ask(@_);
    return $answer->{status} . ($answer->{status} == 200 ? '' : ' ' . Gate::from_json($answer->{body})->{error}{code});
}

# Of each verdict of that many callers on connections of their own: how often.
sub verdicts
{
    my ($token, $n) = @_;
    my %seen;
    $seen{ verdict($token) }++ for 1 .. $n;
    return \%seen;
}

my %good = map { $_ => token_of($_, $old) } keys %issuer;

# ------------------------------------------------------------------------------- first come

is(verdict($good{away}), '503 issuer_unavailable', 'an issuer that is away');
$issuer{away}->returns;
{
    local $Gate::DEADLINE = 30; # it is asked less and less often
    Gate::await('the issuer that is back', sub { return verdict($good{away}) eq '200' });
}
pass('is asked again, and then its tokens are good');

is(verdict($good{storm}), 200, 'the first request after the start waits for the keys, over TLS');
is_deeply(verdicts($good{storm}, 60), { 200 => 60 }, 'all children have them');
is($issuer{storm}->fetches, 1, 'they were fetched once, by one');
like($issuer{storm}->read('count'), qr{^GET /keys\?tenant=1 HTTP/}, 'from the URL, with its query');
like($server->said, qr/AI0220: AIAuthJWKS \Q@{[ $issuer{storm}->url ]}\E: 1 keys, fetched/, 'which the log says');

my $answer = ask($good{stranger});
is_deeply([$answer->{status}, $answer->{headers}{'retry-after'}], [503, 5], 'a certificate of a stranger: no keys, and nobody gets in');
Gate::await('a word on the certificate', sub { return $server->said =~ /AI0222: AIAuthJWKS \Q@{[ $issuer{stranger}->url ]}\E: [^\n]*certificate[^\n]*; there are no keys, once more in \d s/ });
is($issuer{stranger}->fetches, 0, 'the URL was not even shown to it');

# ------------------------------------------------------------------------------------- hung

verdict($good{hung}); # the time that one may wait is over once it has been waited
my $began = time;
is_deeply(verdicts($good{hung}, 40), { '503 issuer_unavailable' => 40 }, 'an issuer that hangs');
cmp_ok(time - $began, '<', 4, 'does not hold its callers');
is(verdict($good{storm}), 200, 'nor those of another');

# Whoever has a fetch in hand may die of anything.
my @killed = grep { /^\d+$/ } split /\s+/, `ps -o pid= --ppid $server->{pid}`;
Gate::await('the fetch that hangs', sub { return $issuer{killed}->fetches });
cmp_ok(scalar(@killed), '>=', $CHILDREN, 'the children');
kill('KILL', @killed);
$issuer{killed}->serves($before);
Gate::await('another child to fetch', sub { return (eval { verdict($good{killed}) } // '') eq '200' });
pass('a child that is killed leaves no lock behind');
is_deeply(verdicts($good{storm}, 20), { 200 => 20 }, 'and children that are started later have what is there');
is($issuer{storm}->fetches, 1, 'without a fetch');

# ------------------------------------------------------------------------------------ storm

my @pids;
for my $n (1 .. $CALLERS) {
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        my ($caller, $bad) = ($server->caller, 0);
        for my $i (1 .. 250) {
            my $token = join('.', MIME::Base64::encode_base64url(qq({"alg":"ES256","kid":"invented-$n-$i"})), (split /\./, $good{storm})[1, 2]);
            $bad++ if verdict($token, $caller) ne '401 token_key_unknown';
        }
        POSIX::_exit($bad ? 1 : 0);
    }
    push @pids, $pid;
}
is_deeply([map { waitpid($_, 0); $? } @pids], [(0) x $CALLERS], '1000 tokens with invented kids are refused');
cmp_ok($issuer{storm}->fetches, '<=', 2, 'for at most one fetch more');
is(verdict($good{storm}), 200, 'and the good ones are served');

# --------------------------------------------------------------------------------- rotation

# Callers who ask all the time. What is no 200 they tell.
sub traffic
{
    my ($token) = @_;
    pipe(my $from, my $to) or die "pipe: $!\n";
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        my $go = 1;
        local $SIG{TERM} = sub { $go = 0 };
        while ($go) {
            my $said = eval { verdict($token) } // 'none';
            syswrite($to, $said eq '200' ? '.' : "<$said>");
        }
        POSIX::_exit(0);
    }
    close($to);
    return { pid => $pid, from => $from };
}
my @traffic;
my $owner = $$;
END { kill('KILL', map { $_->{pid} } @traffic) if $$ == ($owner // 0) }

sub end_traffic
{
    my $said = '';
    kill('TERM', map { $_->{pid} } @traffic);
    for my $caller (@traffic) {
        my $from = $caller->{from};
        local $/;
        $said .= <$from>;
        waitpid($caller->{pid}, 0);
    }
    @traffic = ();
    return ($said =~ tr/.//, $said =~ /<(?!none)([^>]*)>/g);
}

is(verdict($good{rotation}), 200, 'before the issuer has a new key');
push @traffic, traffic($good{rotation}) for 1 .. 2;
$issuer{rotation}->serves(Tokens::set($old, $new));
push @traffic, traffic(token_of('rotation', $new)) for 1 .. 2;
my $rotated = token_of('rotation', $new);
is_deeply(verdicts($rotated, 60), { 200 => 60 }, 'its new key is known when the first token comes that has it');
is_deeply(verdicts($good{rotation}, 20), { 200 => 20 }, 'and the old one goes on');
my ($n, @bad) = end_traffic();
cmp_ok($n, '>', 50, 'meanwhile there was traffic');
is_deeply(\@bad, [], 'and no answer was wrong');
is($issuer{rotation}->fetches, 2, 'for one fetch');

is_deeply(verdicts($good{removal}, 20), { 200 => 20 }, 'tokens under a key that will go are remembered');
$issuer{removal}->serves(Tokens::set($new));
is(verdict(token_of('removal', $new)), 200, 'the key that came');
is_deeply(verdicts($good{removal}, 60), { '401 token_key_unknown' => 60 }, 'the key that went is unknown to all children at once');

# ------------------------------------------------------------------------- what comes is bad

for my $case (sort keys %turn) {
    is(verdict($good{$case}), 200, "$case: good before");
    my $elsewhere = $issuer{rotation}->fetches;
    $turn{$case}->($issuer{$case}, $issuer{rotation});
    is(verdict(token_of($case, $new)), '401 token_key_unknown', "$case: an unknown key stays unknown");
    Gate::await("a word on $case", sub {
        return $server->said =~ /AI0221: AIAuthJWKS \Q@{[ $issuer{$case}->url ]}\E: [^\n]+; the keys that were fetched before go on/;
    }) if $case ne 'silence';
    is_deeply(verdicts($good{$case}, 10), { 200 => 10 }, "$case: the keys from before go on");
    is($issuer{rotation}->fetches, $elsewhere, "$case: nobody was led elsewhere") if $case eq 'a redirect';
}
unlike($server->said, qr/\Q$old->{jwk}{x}\E/, 'no key is logged');

# ---------------------------------------------------------------------------------- restarts

my %were = map { $_ => $issuer{$_}->fetches } qw(storm rotation removal);
$issuer{storm}->leaves;
$server->graceful;
is_deeply(verdicts($good{storm}, 20), { 200 => 20 }, 'after a graceful restart the keys are there, and the issuer is not');
is_deeply(verdicts($rotated, 20), { 200 => 20 }, 'also those that came later');
is_deeply({ map { $_ => $issuer{$_}->fetches } keys %were }, \%were, 'nothing was fetched for it');
is_deeply(verdicts($good{nobody}, 10), { 200 => 10 }, 'nor forgotten of an issuer who is away');

# The slot of a URL that is configured no more is another one's.
my $moved = Issuer->new;
$moved->serves(Tokens::set($new));
my $text = $server->read_file('httpd.conf');
$text =~ s/\Q@{[ $issuer{removal}->url ]}\E/$moved->url/e or die "no such URL in httpd.conf\n";
Keys::put("$server->{dir}/httpd.conf", $text);
$were{removal} = $issuer{removal}->fetches;
$issuer{removal}->serves($before);
$server->graceful;
is(verdict(token_of('removal', $new)), 200, 'an issuer that has moved');
is_deeply([$moved->fetches, $issuer{removal}->fetches], [1, $were{removal}], 'is asked there, once, and no more at its old place');
is_deeply(verdicts($good{removal}, 20), { '401 token_key_unknown' => 20 }, 'has the keys of its new place');
is_deeply(verdicts($rotated, 20), { 200 => 20 }, 'the others have what they had');

$server->stop;
unlike($server->said, qr/AddressSanitizer|LeakSanitizer|runtime error:|Segmentation|Assertion/, 'no child died of itself');
ok(!-e "$server->{dir}/ai-auth-jwks.shm", 'the memory goes with the server');
done_testing();
