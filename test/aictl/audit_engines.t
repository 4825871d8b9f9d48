#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# audit_engines.t - does aictl find in PostgreSQL and MariaDB what it finds in SQLite (audit_search.t)?
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use lib dirname(__FILE__), dirname(__FILE__) . '/../t/lib';
use Aictl;
use AuditSearch;
use Databases;

for my $driver ('pgsql', 'mysql') {
    my $server = Databases->new($driver);
    $ENV{AI_DATABASE} = "$driver " . $server->database('audit');
    test_engine($driver, sub { fill_server($server, @_) });
    test_reader($server);
}
done_testing();
