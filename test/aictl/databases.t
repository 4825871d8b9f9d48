#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# databases.t - does all of aictl do in a database what it does in a file? SQLite, PostgreSQL, MariaDB.
#
# What is asked of the engines below aictl stands in the unit tests, which are run on each of them.
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use JSON::PP qw(decode_json);
use lib dirname(__FILE__), dirname(__FILE__) . '/../t/lib';
use Aictl;
use Databases;

my $unit = $ENV{AI_UNIT} // die "AI_UNIT is not set; run make check\n";
my $dir  = tempdir('ai-dbt-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod(0755, $dir);    # root acts as somebody else in there
my @all_errors;    # what was said on stderr, of all calls

delete $ENV{AI_DATABASE};
$ENV{AI_RUNTIME_DIR} = "$dir/no-server";

# aictl WORD...: status, stdout, stderr.
sub run
{
    my @said = Aictl::program_with(@_);
    push @all_errors, $said[2];
    return @said;
}

sub new_key
{
    my ($status, $out, $err) = run('key', 'create', @_);
    is($status, 0, 'a key is made') or diag($err);
    chomp $out;
    return $out;
}

sub records
{
    my ($status, $out) = run('key', 'export', @_);
    return { map { my $r = decode_json($_); ($r->{id} => $r) } split /\n/, $out };
}

# Several programs at once; how many ended well.
sub at_once
{
    my (@calls) = @_;
    my @pids = map {
        my $words = $_;
        my $pid = fork() // die "fork: $!\n";
        if (!$pid) {
            open(STDOUT, '>', '/dev/null');
            open(STDERR, '>>', "$dir/errors");
            { exec(program(), @$words) };
            POSIX::_exit(127);
        }
        $pid;
    } @calls;
    return scalar grep { waitpid($_, 0) == $_ && $? == 0 } @pids;
}

# What is the same for all. $ENV{AI_DATABASE} names an empty one.
sub test_commands
{
    my ($status, $out, $err) = run('key', 'list');
    is($status, 1, 'without tables: status 1');
    like($err, qr/"aictl db init"/, 'and what helps');
    is(at_once((['db', 'init']) x 4), 4, 'several db init at once');
    ($status, $out) = run('db', 'init');
    is($out, "keys: version 1\naudit: version 1\n", 'db init once more changes nothing');
    is((run('db', 'migrate'))[0], 0, 'nor does db migrate');
    is((run('db', 'status'))[1], "keys: version 1\naudit: version 1\n", 'db status');

    my $key = new_key('--name', "Ann's \"\x{c3}\x{a9}\" ; DROP TABLE ai_keys; --", '--tenant', 'acme/search',
                      '--model', 'gpt-*');
    my $id = id_of($key);
    is(records()->{$id}{tenant}, 'acme/search', 'export has it');
    is_deeply([sort keys %{ records($id) }], [$id], 'so has export of one');
    unlike((run('key', 'export'))[1], qr/@{[ substr($key, 19) ]}/, 'without the secret');
    like((run('key', 'list'))[1], qr/^$id  good .*Ann's/m, 'list');
    is(decode_json((run('key', 'list', '--json'))[1])->[0]{id}, $id, 'list --json');
    like((run('key', 'show', $id))[1], qr/^tenant: acme\/search$/m, 'show');
    is((run(\$key, 'key', 'check', '--stdin'))[1], "$id good\n", 'check --stdin');
    is((run('key', 'update', '--tier', 'gold', '--clear', 'name', $id))[0], 0, 'update');
    is_deeply([@{ records()->{$id} }{qw(tier name tenant)}], ['gold', undef, 'acme/search'],
              'sets, clears, and leaves the rest');
    ($status, my $new) = run('key', 'rotate', $id);
    is((run(\$key, 'key', 'check', '--stdin'))[1], "$id good\n", 'rotate: the old one is good');
    is((run(\$new, 'key', 'check', '--stdin'))[1], "$id good\n", 'and the new one');
    is((run('key', 'disable', $id, 'AAAAAAAAAAAA'))[0], 1, 'disable of two, one of which is not there');
    ok(!records()->{$id}{disabled}, 'changes none');
    is((run('key', 'disable', $id))[0], 0, 'disable');
    is((run(\$new, 'key', 'check', '--stdin'))[1], "$id key_disabled\n", 'it is not good');
    is((run('key', 'enable', $id))[0], 0, 'enable');
    is((run(\$new, 'key', 'check', '--stdin'))[1], "$id good\n", 'it is good');
    like((run('key', 'check'))[1], qr/: 1 keys$/m, 'check counts');
    ($status, $out, $err) = run('key', 'show', 'AAAAAAAAAAAA');
    is($status, 1, 'an unknown key: status 1');
    like($err, qr/has no key 'AAAAAAAAAAAA'/, 'and its id');
    unlike((run('key', 'show', $new))[2], qr/@{[ substr($new, 19, 40) ]}/, 'a key for an id is not repeated');

    for my $round (1 .. 3) {
        is((run('key', 'update', (map { ('--clear', $_) } qw(name tenant user tier)), $id))[0], 0, 'fields go');
        is(at_once(map { ['key', 'update', "--$_", "x$round", $id] } qw(name tenant user tier)), 4,
           'four change a key at once');
        is_deeply([@{ records()->{$id} }{qw(name tenant user tier)}], [("x$round") x 4], 'no change is lost');
    }
    ($status, $out, $err) = run('key', 'delete', $id);
    is($status, 0, 'delete');
    like($err, qr{no server was told \($dir/no-server/ai-auth-keys\.shm: .*within its AIAuthCacheTTL}, 'nobody was told');
    is_deeply(records(), {}, 'and it is gone');
    return;
}

# From a file to a database, and from there to another file.
sub test_import
{
    my @was = map { my @said = aictl('create', '--name', "n$_"); $said[1] } 1 .. 3;
    my @ids = map { id_of($_) } @was;
    my $exported = (aictl('export'))[1];
    is((run(\$exported, 'key', 'import'))[2] =~ s/.*?(\d+ keys are new.*)\n/$1/sr,
       '3 keys are new, 0 were replaced, 0 were there already', 'import from standard input');
    is((run('key', 'import', keys_file()))[2] =~ s/.*?(\d+ keys are new.*)\n/$1/sr,
       '0 keys are new, 0 were replaced, 3 were there already', 'once more, from the file');
    unlike($all_errors[-1], qr/told/, 'then there is nothing to tell');
    is_deeply(records(), { map { my $r = decode_json($_); ($r->{id} => $r) } split /\n/, $exported },
              'what goes in comes out');
    is((run(\$was[0], 'key', 'check', '--stdin'))[1], "$ids[0] good\n", 'keys are good as before');
    my $more = id_of(make_key());
    aictl('update', '--name', 'changed', $ids[1]);
    my ($status, $out, $err) = run('key', 'import', keys_file());
    is($status, 1, 'one that differs: status 1');
    like($err, qr/has another key '$ids[1]'; --replace/, 'it is named');
    ok(!records()->{$more}, 'and nothing was taken');
    is((run('key', 'import', '--replace', keys_file()))[2] =~ s/.*?(\d+ keys are new.*)\n/$1/sr,
       '1 keys are new, 1 were replaced, 2 were there already', 'with --replace it is');
    is(records()->{ $ids[1] }{name}, 'changed', 'as it is in the file');
    ($out) = (run('key', 'export'))[1];
    write_file("$dir/copy", '');
    is((aictl(\$out, 'import', "--file=$dir/copy"))[0], 0, 'and back into a file');
    is_deeply({ map { $_ => 1 } split /\n/, read_file("$dir/copy") }, { map { $_ => 1 } split /\n/, $out }, 'all of it');
    ($status, $out, $err) = run(\"{\"id\":\"x\"}\n", 'key', 'import');
    is($status, 1, 'what is no key file: status 1');
    like($err, qr/standard input: line 1: /, 'and where');
    unlink(keys_file());
    return;
}

# ------------------------------------------------------------------------------------ SQLite

mkdir("$dir/lite", 0755);
$ENV{AI_DATABASE} = "sqlite3 $dir/lite/keys.db";
{
    my ($status, $out, $err) = run('key', 'list');
    is($status, 1, 'SQLite: a file that is not there: status 1');
    like($err, qr{^aictl: [^:]*lite/keys\.db: is not there; "aictl db init"}m, 'and what helps');
    ok(!-e "$dir/lite/keys.db", 'it is not made');
}
if ($> == 0) {
    my @user = Databases::user();
    my ($status, $out, $err) = run('db', 'init', '--owner', $user[0]);
    is($status, 1, 'SQLite: a folder of another owner: status 1');
    like($err, qr/does not belong to $user[0]/, 'and why');
    rmdir("$dir/lite");
    is((run('db', 'init', '--owner', $user[0]))[0], 0, 'a folder that is not there is made');
    is_deeply([(stat "$dir/lite")[4, 2]], [$user[2], 040750], 'for its owner');
    is((stat "$dir/lite/keys.db")[4], $user[2], 'so is the file');
    unlink(glob("$dir/lite/*"));
    open(my $fh, '>', "$dir/lite/keys.db");
    close($fh);
    chown($user[2], $user[3], "$dir/lite/keys.db");
    test_commands();
    test_import();
    # One that waits for its input has the database open, and SQLite's other files are there.
    my $holder = open(my $held, '|-') // die "fork: $!\n";
    if (!$holder) {
        open(STDOUT, '>', "$dir/held");
        open(STDERR, '>&', \*STDOUT);
        exec(program(), 'key', 'check', '--stdin');
    }
    my $until = time() + 20;
    select(undef, undef, undef, 0.01) until -e "$dir/lite/keys.db-shm" || time() > $until;
    my @files = glob("$dir/lite/*");
    is(scalar(@files), 3, 'while it is open SQLite has files beside it');
    is_deeply([grep { (stat)[4] != $user[2] } @files], [], 'none of them is root\'s');
    close($held);
    my $link = "$dir/lite/link.db";
    write_file("$dir/root-only", 'x', 0600);
    symlink("$dir/root-only", $link);
    is((run('key', 'list', '--database', "sqlite3 $link"))[0], 1, 'what the owner may not read is not read');
}
else {
    my ($status, $out, $err) = run('db', 'init', '--owner', 'root');
    is($status, 1, 'SQLite: --owner is root\'s: status 1');
    like($err, qr/only root/, 'and why');
    is((run('db', 'init'))[0], 0, 'db init makes the file');
    is((stat "$dir/lite/keys.db")[2] & 07777, 0640, 'with its mode');
    unlink(glob("$dir/lite/*"));
    write_file("$dir/lite/keys.db", '');
    test_commands();
    test_import();
}

# -------------------------------------------------------------------------------- servers

for my $driver (qw(pgsql mysql)) {
    my $server = Databases->new($driver);
    for my $test (qw(test_ai_db test_ai_key_store test_ai_audit_store test_ai_ship test_ai_verify test_ai_retain
                     test_ai_attest)) {
        my $said = qx($unit/$test $driver "@{[ $server->database($test) ]}" 2>&1);
        is($?, 0, "$driver: $test") or diag(join("\n", grep { !/^ok/ } split /\n/, $said));
    }
    # The password stands in a file, and nowhere else.
    write_file("$dir/$driver", $server->database('aictl') . "\n", 0600);
    $ENV{AI_DATABASE} = "$driver file:$dir/$driver";
    test_commands();
    test_import();

    my ($id) = sort keys %{ records() };
    $server->sql('aictl', "UPDATE ai_keys SET record = '{\"id\":\"$id\"}' WHERE id = '$id'");
    my ($status, $out, $err) = run('key', 'show', $id);
    is($status, 1, "$driver: a broken record: status 1");
    like($err, qr/key $id: /, 'it is named');
    is((run('key', 'check'))[0], 1, 'check finds it');

    $server->crash;
    ($status, $out, $err) = run('key', 'list');
    is($status, 1, "$driver: a server that is down: status 1");
    like($err, qr/^aictl: $driver: \S/, 'it is named');
    $server->start;
    is((run('key', 'show', (sort keys %{ records() })[-1] // 'none'))[0], 1, 'a list with it is an error');
    $server->sql('aictl', "DELETE FROM ai_keys WHERE id = '$id'");
    is(scalar(keys %{ records() }), 3, 'the others outlive the crash');

    my $bad = $server->database('other') =~ s/\Q@{[ Databases::secret() ]}\E/wr0ng-one/r;
    write_file("$dir/bad", $bad, 0600);
    ($status, $out, $err) = run('key', 'list', '--database', "$driver file:$dir/bad");
    is($status, 1, "$driver: a wrong password: status 1");
    unlike($err, qr/wr0ng-one/, 'which is not told');
    chmod(0644, "$dir/$driver");
    like((run('key', 'list'))[2], qr/warning: .*everybody may read it/, 'params for all are warned of');
}

# ------------------------------------------------------------------------------- the words

delete $ENV{AI_DATABASE};
for my $case (
    [['db', 'init'], 2, qr/which database\?/],
    [['db', 'list'], 2, qr/no such command/],
    [['db', 'init', 'x'], 2, qr/usage: aictl db init/],
    [['db', 'status', '--owner', 'x'], 2, qr/--owner: is no option of status/],
    [['db', 'init', '--database', 'sqlite3'], 1, qr/named by its driver and params/],
    [['db', 'init', '--database', 'oracle x'], 1, qr/sqlite3, pgsql or mysql/],
    [['db', 'init', '--database', "pgsql file:$dir/nothing"], 1, qr{/nothing: cannot be read}],
    [['db', 'init', '--database', 'pgsql host=x', '--owner', 'nobody'], 1, qr/--owner: is for files/],
    [['key', 'list', '--file', 'x', '--database', 'sqlite3 x'], 1, qr/say --file or --database/],
) {
    my ($words, $want, $like) = @$case;
    my ($status, $out, $err) = run(@$words);
    is($status, $want, "@$words: status $want");
    like($err, $like, 'and why');
}
my $errors = join('', @all_errors, -e "$dir/errors" ? read_file("$dir/errors") : ());
unlike($errors, qr/\Q@{[ Databases::secret() ]}\E/, 'no error has a password');
unlike($errors, qr/sha256:/, 'or a digest');
done_testing();
