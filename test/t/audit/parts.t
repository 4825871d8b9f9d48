#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# parts.t - when the disk is full in the middle of an answer, is what is kept its beginning, without a
# gap, does its record say so, and does the caller notice nothing?

use strict;
use warnings;

use BadDisk ();
use Digest::SHA qw(sha256_hex);
use File::Temp qw(tempdir);
use Gate ();
use OwnServer ();
use Spool ();
use Test::More;

my $folder = tempdir('ai-spool-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $disk = BadDisk->new($folder);
my $server = $disk->with(sub { OwnServer->new(conf => <<"END") });
AIAuditSpool $folder
AIAuditFull drop
AIAuditBody full
<AITarget sim>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
</AITarget>
<Location "/v1">
    AIEngine On
    AIAudit On
    AIAnonymous On
    AIRoute * sim
    Require all granted
</Location>
END

sub joined { return join('', map { $_->{body} } @{ $_[0] // [] }) }

my $caller = $server->caller;
my $sent = Gate::chat(text => 'z' x 60_000, stream => 1, script => 'tokens=400;size=600;gap=5');
$caller->ask(path => '/v1/chat/completions', body => $sent);
my $answer = $caller->head;
while (length $answer->{body} < 60_000) {
    $caller->more or last;
}
$disk->fail(write => 'ENOSPC');
$answer = $caller->finish;
is($answer->{status}, 200, 'an answer during which the disk gets full');
like($answer->{body}, qr/\[DONE\]\s+\z/, 'comes to its end');
cmp_ok(length $answer->{body}, '>', 200_000, 'and is long');
$disk->well;
my $call = Spool::await_call($folder, $answer->{headers}{'x-request-id'});
my $end = $call->{end}[0]{json};
my $kept = joined($call->{17});
cmp_ok(length $kept, '>=', 49152, 'parts that were there stay');
cmp_ok(length $kept, '<', length $answer->{body}, 'the others are missing');
ok($kept eq substr($answer->{body}, 0, length $kept), 'what is kept is the beginning, without a gap');
is_deeply($end->{answer}, { bytes => length $answer->{body}, sha256 => sha256_hex($answer->{body}), kept => 'full',
                            parts => scalar @{ $call->{17} }, lost => 'disk' }, 'and the end says so');
ok(joined($call->{16}) eq $sent && !$end->{prompt}{lost}, 'the prompt was there before');

$disk->fail(write => 'ENOSPC');
$caller = $server->caller;
$answer = $caller->request(path => '/v1/chat/completions', body => Gate::chat());
$disk->well;
$call = Spool::await_call($folder, $answer->{headers}{'x-request-id'});
$end = $call->{end}[0]{json};
is($answer->{status}, 200, 'a call on a full disk that goes on without a begin');
is_deeply([@{ $end->{prompt} }{qw(parts lost)}, @{ $end->{answer} }{qw(parts lost)}], [0, 'disk', 0, 'disk'],
          'the end says that neither is kept');
done_testing();
