#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Do the modules load in any order, and does the core load alone?
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use lib dirname(__FILE__);
use Guard;

my $httpd = $ENV{AI_HTTPD}         // die "AI_HTTPD is not set; run make check\n";
my $theirs = $ENV{AI_HTTPD_MODULES} // die "AI_HTTPD_MODULES is not set; run make check\n";
my $ours  = $ENV{AI_MODULES}       // die "AI_MODULES is not set; run make check\n";
my %static = map { /(\w+)\.c/ ? ($1 => 1) : () } `$httpd -l`;
my $dir   = tempdir(CLEANUP => 1);

my %line = (
    ai       => "LoadModule ai_module $ours/mod_ai.so",
    ai_audit => "LoadModule ai_audit_module $ours/mod_ai_audit.so",
    ai_auth  => "LoadModule ai_auth_module $ours/mod_ai_auth.so",
    ai_route => "LoadModule ai_route_module $ours/mod_ai_route.so",
    ai_status => "LoadModule ai_status_module $ours/mod_ai_status.so",
    map { $_ => $static{"mod_$_"} ? () : "LoadModule ${_}_module $theirs/mod_$_.so" }
        qw(proxy proxy_http status),
);

sub loads
{
    my ($name, @order) = @_;
    my @base = map { $static{"mod_$_"} ? () : "LoadModule ${_}_module $theirs/mod_$_.so" }
               qw(mpm_event unixd authz_core);
    open(my $fh, '>', "$dir/httpd.conf") or die "$dir/httpd.conf: $!\n";
    print $fh map { "$_\n" } "ServerName localhost", "ServerRoot $dir", "Listen 127.0.0.1:9",
        "PidFile $dir/pid", "ErrorLog $dir/error_log", @base, map { $line{$_} // () } @order;
    close($fh);
    my $said = `$httpd -t -f $dir/httpd.conf 2>&1`;
    ok($? == 0, $name) or diag($said);
    return;
}

loads('core first',                  qw(proxy proxy_http ai ai_route));
loads('core last',                   qw(proxy proxy_http ai_route ai));
loads('ours before mod_proxy',       qw(ai ai_route proxy proxy_http));
loads('ours around mod_proxy',       qw(ai_route proxy proxy_http ai));
loads('the status module first',     qw(ai_status ai ai_route proxy proxy_http status));
loads('the status module last',      qw(status proxy proxy_http ai ai_route ai_status));
loads('the status module and the core', qw(ai_status ai));
loads('the auth module first',       qw(ai_auth ai ai_route proxy proxy_http));
loads('the auth module last',        qw(proxy proxy_http ai_route ai ai_auth));
loads('the auth module and the core', qw(ai_auth ai));
loads('the audit module first',      qw(ai_audit ai ai_route proxy proxy_http));
loads('the audit module last',       qw(proxy proxy_http ai_route ai ai_audit));
loads('the audit module and the core', qw(ai_audit ai));
loads('the core alone',              qw(ai));
done_testing();
