#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Who reads providers' keys, where httpd is started by root?
#
# The suites that need a whole stage run as nobody. This one starts httpd as who runs the tests: as
# root, its children become nobody, and what is shown is that no program runs as root, and that a
# file which only root can read is read by root alone. As somebody else the same must hold for him.
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use lib dirname(__FILE__);
use Guard;

my $root   = $> == 0;
my ($uid, $gid) = $root ? (getpwnam('nobody'))[2, 3] : ($>, (split ' ', $))[0]);
my $dir    = tempdir(CLEANUP => 1);
my $rundir = "$dir/run";
my $serve  = top() . '/build/serve';
my $port   = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)->sockport;
mkdir($rundir);
chmod(0755, $dir, $rundir);

sub put
{
    my ($name, $text, $mode) = @_;
    open(my $fh, '>', "$dir/$name.new") or die "$name: $!\n";
    print $fh $text;
    close($fh) or die "$name: $!\n";
    chmod($mode, "$dir/$name.new");
    rename("$dir/$name.new", "$dir/$name") or die "$name: $!\n";
    return;
}

put('who', "#!/bin/sh\necho \"sk-\$(id -u)-\$(id -g)-\$(id -ru)-\$(id -G | tr ' ' _)\"\n", 0755);
put('closed', "sk-closed-1\n", 0600);
put('open', "sk-open-1\n", 0640);
chown(-1, $gid, "$dir/open") if $root;
my $targets = join('', map { <<"END" } (['who', "AITargetKeyExec $dir/who"], ['closed', "AITargetKeyFile $dir/closed"], ['open', "AITargetKeyFile $dir/open"]));
<AITarget $_->[0]>
    AITargetURL \${AI_SIM_URL}
    AITargetForward x-sim
    $_->[1]
</AITarget>
END
my $head = join('', map { /^(?:Server|Default|Pid|Listen|<IfModule !log|    LoadModule|<\/IfModule>|LoadModule|ErrorLog)/ ? "$_\n" : () }
                    split /\n/, slurp('conf-examples/everything.conf'));
put('httpd.conf', <<"END", 0644);
# custody.conf
$head
LogLevel info
$targets
<Location "/v1">
    AIEngine On
    AIAnonymous On
    AIRouteRetries 0
    AIRoute who who
    AIRoute closed closed
    AIRoute open open
</Location>
END

# The key that the provider is shown: the simulator echoes its request.
sub key_of
{
    my ($model) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or return 'no server';
    my $body = qq({"model":"$model","messages":[{"role":"user","content":"x"}]});
    print $socket "POST /v1/chat/completions HTTP/1.0\r\nX-Sim: echo=1\r\nContent-Type: application/json\r\n",
        'Content-Length: ', length $body, "\r\n\r\n$body";
    my $answer = do { local $/; <$socket> } // '';
    my ($json) = $answer =~ /\r\n\r\n(.*)/s;
    my $value = eval { JSON::PP::decode_json($json) } // return $answer;
    my $echo  = eval { JSON::PP::decode_json($value->{choices}[0]{message}{content}) } // return $answer;
    return $echo->{headers}{authorization} =~ s/^Bearer //r;
}

sub await
{
    my ($until) = @_;
    my $end = time + 10;
    my $value;
    while (!($value = $until->()) && time < $end) {
        select(undef, undef, undef, 0.01);
    }
    return $value;
}

my $said = `$serve start $rundir $port $dir/httpd.conf 2>&1`;
is($?, 0, 'the server starts') or diag($said);
my ($ran_as) = key_of('who') =~ /^sk-(.*)$/;
my ($u, $g, $real, $groups) = split /-/, $ran_as // '';
is_deeply([$u, $g, $real], [$uid, $gid, $uid], 'the program runs as User, with User\'s group') or diag(slurp_log());
isnt($u, 0, 'it does not run as root');
unlike("_${groups}_", qr/_0_/, 'and not in root\'s group');
is(key_of('closed'), 'sk-closed-1', 'a file that only who starts httpd can read is read');

put('closed', "sk-closed-2\n", 0600);
put('open', "sk-open-2\n", 0640);
chown(-1, $gid, "$dir/open") if $root;
ok(await(sub { key_of('open') eq 'sk-open-2' }), 'a file that User can read is read again');
if ($root) {
    is(key_of('closed'), 'sk-closed-1', 'one that only root can read is not');
    unlike(slurp_log(), qr/AI0512/, 'which is nothing to complain of');
}
else {
    ok(await(sub { key_of('closed') eq 'sk-closed-2' }), 'both are, where who starts httpd is User');
}
kill('USR1', do { open(my $fh, '<', "$rundir/httpd.pid") or die "httpd.pid: $!\n"; <$fh> + 0 });
ok(await(sub { key_of('closed') eq 'sk-closed-2' }), 'a graceful restart reads it') or diag(slurp_log());
is((split /-/, key_of('who'))[1], $uid, 'after which programs run as User, too');

sub slurp_log { open(my $fh, '<', "$rundir/error_log") or return ''; local $/; return <$fh> // '' }

$said = `$serve stop $rundir 2>&1`;
is($?, 0, 'the server stops') or diag($said);
unlike(slurp_log(), qr/sk-(?:open|closed|\d)/, 'its log has no key');
done_testing();
