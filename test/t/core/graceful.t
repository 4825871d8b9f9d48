#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# graceful.t - does a graceful restart hurt anybody?
#
# Four children with forty streams under way are told to restart, twice.  Every stream must end
# whole, every request that comes meanwhile must be served, and at the end the old children are gone.

use strict;
use warnings;

use Gate ();
use OwnServer ();
use Test::More;

my $STREAMS = 40;
my $TOKENS  = 60;

my $server = OwnServer->new(children => 4, conf => <<"END");
<AITarget sim>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
    AITargetKeyFile $ENV{AI_STAGE}/t/conf/core.key
    AITargetForward X-Sim
</AITarget>
<AITarget refusing>
    AITargetURL http://127.0.0.1:1/v1
</AITarget>
<Location /v1>
    AIEngine On
    AIAnonymous On
    AIRoute * refusing sim
</Location>
END

my $words = Gate::words_of_sim($TOKENS);

# Forty streams of two seconds or more, each seen to have begun.
my @streams = map {
    my $caller = $server->caller;
    $caller->ask(path => '/v1/chat/completions',
                 body => Gate::chat(stream => 1, script => "tokens=$TOKENS;gap=50;id=s$_"));
    $caller;
} 1 .. $STREAMS;
is(scalar(grep { $_->read_until(qr/"content":"[^"]/) } @streams), $STREAMS, 'the streams have begun');

my (%status, %key);
sub call_some
{
    for (1 .. 25) {
        my $answer = $server->caller->request(path => '/v1/chat/completions', body => Gate::chat(),
                                              headers => { 'X-Sim' => 'echo=1' });
        $status{ $answer->{status} }++;
        my $echo = eval { Gate::from_json($answer->{body})->{choices}[0]{message}{content} } // '{}';
        utf8::encode($echo);
        $key{ Gate::from_json($echo)->{headers}{authorization} // 'none' }++;
    }
    return;
}

for my $round (1, 2) {
    $server->graceful;
    is($server->generations, $round + 1, "restart $round has happened");
    is(Gate::calls()->{active}, $STREAMS, 'while every stream was under way');
    call_some();
}

my @bad;
for my $n (1 .. $STREAMS) {
    my $answer = $streams[$n - 1]->finish;
    my $seen   = Gate::read_chat($answer);
    push @bad, "stream $n: status $answer->{status}, whole $answer->{whole}, done $seen->{done}, "
             . scalar(@{ $seen->{errors} }) . ' errors'
        unless $answer->{status} == 200 && $answer->{whole} && $seen->{done} == 1
            && !@{ $seen->{errors} } && !$seen->{broken};
    push @bad, "stream $n: another text" unless $seen->{text} eq $words;
    push @bad, "stream $n: of another" unless join(',', keys %{ $seen->{fingerprints} }) eq "s$n";
}
is_deeply(\@bad, [], 'every stream ended whole, and as its own');
call_some();
is_deeply(\%status, { 200 => 75 }, 'all that came meanwhile was served');
is_deeply(\%key, { 'Bearer sk-provider-canary-Kx7Q' => 75 }, 'with the right key');

# The children of the first generations leave once their streams have ended.
ok(Gate::await('the end of the old children', sub {
    my @children = split ' ', `ps -o pid= --ppid $server->{pid}`;
    return @children && @children <= 8;
}), 'the old children are gone');
my $said = $server->said;
unlike($said, qr/exit signal|AH00288|scoreboard is full/, 'nothing crashed, nothing ran full');
$server->stop;

done_testing();
