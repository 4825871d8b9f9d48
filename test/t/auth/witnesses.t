#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# witnesses.t - modules that write down a request as soon as it is read: do they see a key?
#
# mod_log_forensic and ModSecurity's audit log stand where mod_ai_auth takes keys out (the first of all
# in post_read_request). Who is first must not hang on the order of LoadModule.

use strict;
use warnings;

use AuthServer ();
use Gate ();
use Keys ();
use Test::More;

my $key    = Keys::make(name => 'ada');
my $secret = substr($key->{text}, 19, 11);
my $ours   = "LoadModule ai_auth_module $ENV{AI_MODULES}/mod_ai_auth.so\n";
my $theirs = <<"END";
LoadModule log_forensic_module $ENV{AI_HTTPD_MODULES}/mod_log_forensic.so
LoadModule unique_id_module $ENV{AI_HTTPD_MODULES}/mod_unique_id.so
LoadModule security2_module $ENV{AI_MODULES}/mod_security2.so
END

for my $order ([$ours, $theirs], [$theirs, $ours]) {
    my $first  = $order->[0] eq $ours ? 'we' : 'they';
    my $server = AuthServer->new([$key], join('', @$order) . <<"END", without => ['ai_auth_module']);
ForensicLog forensic_log
SecRuleEngine DetectionOnly
SecTmpDir $ENV{TMPDIR}
SecDataDir $ENV{TMPDIR}
SecAuditEngine On
SecAuditLogParts ABHZ
SecAuditLogType Serial
SecAuditLog $ENV{TMPDIR}/audit_log.$first
<Location /v1>
    AIEngine On
    Require ai-key
    AIRoute * sim
</Location>
END
    my $caller = $server->caller;
    my $answer = $caller->request(path => '/v1/chat/completions', body => Gate::chat(),
                                  headers => { Authorization => "Bearer $key->{text}" });
    is($answer->{status}, 200, "$first are loaded first: a key is good");
    $answer = $caller->request(path => "/v1/chat/completions?key=$key->{text}", body => Gate::chat());
    is($answer->{status}, 200, '... also in the query');
    $server->stop;
    my $said = $server->read_file('forensic_log');
    like($said, qr{POST /v1/chat/completions}, '... the forensic log has the requests');
    unlike($said, qr/$secret/, '... and no key');
    open(my $fh, '<', "$ENV{TMPDIR}/audit_log.$first") or die "audit log: $!\n";
    $said = do { local $/; <$fh> };
    like($said, qr{POST /v1/chat/completions}, '... the audit log has the requests');
    unlike($said, qr/$secret/, '... and no key');
}
done_testing();
