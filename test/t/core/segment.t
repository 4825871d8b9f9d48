#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# segment.t - is shared memory where programs look for it, for as long as the server lives?
#
# mod_ai_status is who asks for some: what it counts shows that the memory is there.

use strict;
use warnings;

use Gate ();
use OwnServer ();
use StatusPage ();
use Test::More;

my $gate = <<'END';
<Location /v1>
    AIEngine On
    AIAnonymous On
</Location>
<Location /server-status>
    SetHandler server-status
</Location>
END

sub ask
{
    my ($server) = @_;
    return $server->caller->request(path => '/v1/chat/completions', body => Gate::chat())->{status};
}

sub counted
{
    my ($server, $n) = @_;
    return StatusPage::await($server, "$n refusals", sub { ($_[0]{AIRequests} // -1) == $n });
}

my $server = OwnServer->new(conf => $gate, without => ['ai_route_module']);
my $file   = "$server->{dir}/ai-status.shm";
my @facts  = stat($file);
ok(@facts, 'it lies in DefaultRuntimeDir');
is(sprintf('%o', $facts[2] & 07777), '600', 'and is open to nobody else');
is(ask($server), 503, 'a request is refused');
counted($server, 1);
$server->graceful;
is((stat($file))[1], $facts[1], 'it is the same after a restart');
ask($server);
is(counted($server, 2)->{AIRefusals}, 2, 'and so are the counts');

# A second server in the same folder takes the name over, and each goes on with its own.
my $taken = "$file.old";
rename($file, $taken) or die "$file: $!\n";
open(my $other, '>', $file) or die "$file: $!\n";
close($other);
ask($server);
is(counted($server, 3)->{AIRefusals}, 3, 'who loses the name counts on');
$server->stop;
ok(-e $file, 'and leaves what is not its own');
unlink($file, $taken);

$server = OwnServer->new(conf => $gate, without => ['ai_route_module']);
$file   = "$server->{dir}/ai-status.shm";
ok(-e $file, 'a new server makes it anew');
$server->kill_all;
ok(-e $file, 'who is killed leaves it behind');
$server->start;
isnt((stat($file))[1], undef, 'the next start goes well all the same');
ask($server);
is(counted($server, 1)->{AIRequests}, 1, 'and begins at nothing');
$server->stop;
ok(!-e $file, 'a server that ends takes it with it');

# A folder in the file's place: nothing can be renamed over it.
$server = OwnServer->new(conf => $gate, without => ['ai_route_module']);
$file   = "$server->{dir}/ai-status.shm";
$server->stop;
mkdir($file) or die "$file: $!\n";
$server->start;
like($server->said, qr/AI0120: \Q$file\E/, 'where it cannot be made, that is said');
ask($server);
is(counted($server, 1)->{AIRequests}, 1, 'and the server counts all the same');
$server->graceful;
is(counted($server, 1)->{AIRequests}, 1, 'over restarts, too');
ok(!-e "$file.new", 'and nothing is left over');

done_testing();
