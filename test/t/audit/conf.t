#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# conf.t - what of the spool's settings is an error of httpd -t, and whose folder is it then?

use strict;
use warnings;

use File::Temp qw(tempdir);
use Gate ();
use OwnServer ();
use Spool ();
use Test::More;

my $dir = tempdir('ai-folders-XXXXXX', TMPDIR => 1, CLEANUP => 1);
mkdir("$dir/$_") for qw(good open group);
chmod(0700, "$dir/good");
chmod(0707, "$dir/open");
chmod(0770, "$dir/group");
open(my $fh, '>', "$dir/file") or die "$dir/file: $!\n";
close($fh);

# What "httpd -t" says of that in the main server, and its status.
sub test_conf
{
    my ($conf) = @_;
    open(my $base, '<', "$ENV{AI_STAGE}/base.conf") or die "$ENV{AI_STAGE}/base.conf: $!\n";
    open(my $out, '>', "$dir/httpd.conf") or die "$dir/httpd.conf: $!\n";
    print $out "ServerRoot $dir\nDefaultRuntimeDir $dir\nPidFile $dir/pid\nErrorLog $dir/error_log\n",
        "ServerName localhost\nListen 127.0.0.1:65000\n", <$base>, $conf;
    close($out) or die "$dir/httpd.conf: $!\n";
    my $said = `$ENV{AI_HTTPD} -t -f $dir/httpd.conf 2>&1`;
    return ($said, $?);
}

sub in_location { return "<Location /v1>\nAIEngine On\n$_[0]\n</Location>\n" }

my $on = in_location('AIAudit On');
for my $wrong (
    ['AIAudit On without a spool', $on, qr/AI0601: AIAudit On at \S+httpd\.conf:\d+: there is no AIAuditSpool/],
    ['AIAudit with a word', in_location('AIAudit yes'), qr/AIAudit: 'yes' is neither On nor Off/],
    ['a spool in a virtual host', "<VirtualHost *:65000>\nAIAuditSpool $dir/good\n</VirtualHost>\n", qr/AIAuditSpool cannot occur within <VirtualHost>/],
    ['a spool in a location', in_location("AIAuditSpool $dir/good"), qr/AIAuditSpool/],
    ['a file', "AIAuditSpool $dir/file\n", qr/line \d+ .*AIAuditSpool: \S+file: it is no folder/s],
    ['a folder that all may write', "AIAuditSpool $dir/open\n", qr/others than its owner may write in it; chmod go-w it/],
    ['a folder that its group may write', "AIAuditSpool $dir/group\n", qr/others than its owner may write in it/],
    ['a folder in none', "AIAuditSpool $dir/none/spool\n", qr/there is no folder \S+none\/ to make it in/],
    ['a folder in a file', "AIAuditSpool $dir/file/spool\n", qr/AIAuditSpool: \S+: /],
    ['a folder of root', "AIAuditSpool /etc\n", qr/AI0602: AIAuditSpool \/etc: its owner is not User/],
    ['a sync without a unit', "AIAuditSync 10\n", qr/AIAuditSync: '10' has no unit.*from 1ms to 1s, or 0: before the end of an answer/],
    ['no sync', "AIAuditSync Off\n", qr/AIAuditSync: 'Off' is no time/],
    ['a slow sync', "AIAuditSync 2s\n", qr/AIAuditSync: '2s' is too large.*to 1s/],
    ['another word for full', "AIAuditFull block\n", qr/AIAuditFull: 'block' is neither refuse nor drop|AIAuditFull: 'block'.*refuse.*drop/],
    ['full in a location', in_location('AIAuditFull drop'), qr/AIAuditFull/],
    ['a node with a space', "AIAuditNode \"a b\"\n", qr/AIAuditNode: 'a b' is no name: 1 to 63 letters/],
    ['a node without a name', "AIAuditNode \"\"\n", qr/AIAuditNode/],
    ['a long node', 'AIAuditNode ' . 'n' x 64 . "\n", qr/is no name/],
    ['small segments', "AIAuditSegmentSize 1k\n", qr/AIAuditSegmentSize: '1k' is too small.*from 1m to 4g/],
    ['young segments', "AIAuditSegmentAge 10ms\n", qr/AIAuditSegmentAge: '10ms' is too small.*from 1s to 1d/],
    ['a header with a colon', in_location('AIAuditHeader X-Team:'), qr/AIAuditHeader: 'X-Team:' is no name of a header/],
    (map { my ($what, $line) = @$_;
           (["$what without a database", "AIAuditSpool $dir/good\n$line\n", qr/AI0627: $what needs AIDatabase/],
            ["$what where nobody ships", "AIAuditSpool $dir/good\nAIAuditShip Off\n$line\n", qr/AI0627: $what needs AIAuditShip On/]) }
     ['AIAuditPipe', 'AIAuditPipe "|/bin/cat"'], ['AIAuditRetain', 'AIAuditRetain 30d'], ['AIAuditSigningKey', "AIAuditSigningKey $dir/none"]),
    ['a pipe without a spool', "AIAuditPipe \"|/bin/cat\"\n", qr/AI0627: AIAuditPipe needs AIAuditSpool/],
    ['33 headers', in_location('AIAuditHeader ' . join(' ', map { "x$_" } 1 .. 33)), qr/AIAuditHeader: more than 32/],
    ['headers in a directory', "<Directory $dir>\nAIAuditHeader X-Team\n</Directory>\n", qr/AIAuditHeader not allowed|AIAuditHeader cannot occur/],
    (map { ["the header $_", in_location("AIAuditHeader X-Team $_"), qr/AIAuditHeader: '\Q$_\E' may hold a secret/] }
     qw(Authorization Proxy-Authorization cf-aig-authorization Cookie x-api-key API-KEY x-goog-api-key
        X-Amz-Security-Token X-Auth-Token X-Client-Secret X-Password Helicone-Auth X-Auth
        Ocp-Apim-Subscription-Key X-Functions-Key)),
) {
    my ($what, $conf, $message) = @$wrong;
    my ($said, $status) = test_conf($conf);
    ok($status != 0 && $said =~ $message, $what) or diag($said);
}

for my $right (
    ['a folder that is there', "AIAuditSpool $dir/good\n$on"],
    ['one that is to be made, relative to ServerRoot', "AIAuditSpool made\n$on"],
    ['the spool behind its use', "${on}AIAuditSpool $dir/good/\n"],
    ['AIAudit Off needs none', in_location('AIAudit Off')],
    ['all settings', "AIAuditSpool $dir/good\nAIAuditSync 0\nAIAuditFull DROP\nAIAuditNode a-1.b_c:2\nAIAuditSegmentSize 1m\nAIAuditSegmentAge 1d\n"
                     . in_location("AIAudit On\nAIAuditHeader X-Team User-Agent\nAIAuditHeader x-max-tokens")],
) {
    my ($what, $conf) = @$right;
    my ($said, $status) = test_conf($conf);
    ok($status == 0, "right: $what") or diag($said);
}
ok(!-e "$dir/made", 'httpd -t makes no folder');

# What a location does not say it has from its server; headers are one list.
my $server = OwnServer->new(conf => <<"END");
AIAuditSpool $dir/good
AIAuditNode test
AIAudit On
AIAuditHeader X-Team
<AITarget sim>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
</AITarget>
<Location "/v1">
    AIEngine On
    AIAnonymous On
    AIRoute * sim
    Require all granted
</Location>
<Location "/v1/chat">
    AIAuditHeader X-Other
</Location>
<Location "/v1/embeddings">
    AIAudit Off
</Location>
END

sub ask
{
    my ($path, $body) = @_;
    my $answer = $server->caller->request(path => "/v1/$path", body => $body, headers => { 'X-Team' => 'a', 'X-Other' => 'b' });
    return $answer->{headers}{'x-request-id'};
}
is_deeply(Spool::await_end("$dir/good", ask('models'))->{headers}, { 'x-team' => 'a' }, 'the server\'s headers');
is_deeply(Spool::await_end("$dir/good", ask('chat/completions', Gate::chat()))->{headers}, { 'x-other' => 'b' },
          'a location\'s own take their place');
my $off = ask('embeddings', '{"model":"m","input":"x"}');
Spool::await_end("$dir/good", ask('models'));
is_deeply(Spool::call("$dir/good", $off)->{end}, [], 'AIAudit Off in a location of a server with On');
done_testing();
