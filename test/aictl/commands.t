#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Does each key command do what it says, and refuse what it must?
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use JSON::PP qw(decode_json);
use lib dirname(__FILE__);
use Aictl;

# The records of the file, by id.
sub records
{
    return { map { my $r = decode_json($_); ($r->{id} => $r) }
             grep { /^\{/ } split /\n/, read_file(keys_file()) };
}

# ------------------------------------------------------------------------------------ create

my ($status, $out, $err) = aictl('create');
is($status, 0, 'create: status 0');
my ($key) = $out =~ /\A(sk-ai-[0-9A-Za-z]{12}-[0-9A-Za-z]{49})\n\z/;
ok($key, 'create: stdout is the key alone');
my $id = id_of($key);
like($err, qr/key $id; it is shown this once/, 'create: stderr tells the id');
unlike($err, qr/\Q$key\E/, 'create: and not the key');
unlike(read_file(keys_file()), qr/@{[ substr($key, 19) ]}/, 'create: the file has no secret');
is((stat keys_file())[2] & 07777, 0640, 'create: a new file has mode 0640');
like(records()->{$id}{created}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'create: the record says when');
is_deeply([sort keys %{ records()->{$id} }], [qw(created digest id)], 'create: and nothing unsaid');

my @all = ('--name', 'Ann "A"', '--tenant=acme/search/ann', '--user', 'ann@acme', '--tier', 'gold',
           '--model', 'gpt-*', '--model', 'o1', '--deny-model', 'gpt-4*', '--endpoint', 'chat',
           '--endpoint', 'models', '--source', '10.0.0.0/8', '--source', '2001:db8::/32',
           '--not-before', '2026-01-01', '--expires', '2100-01-01T12:00:00Z', '--metadata', 'cost=r=17',
           '--metadata', 'note=', '--limits', '{"requests": 5}');
($status, $out) = aictl('create', '--json', @all);
my $made = decode_json($out);
my %want = (name => 'Ann "A"', tenant => 'acme/search/ann', user => 'ann@acme', tier => 'gold',
            models => ['gpt-*', 'o1'], models_denied => ['gpt-4*'], endpoints => ['chat', 'models'],
            sources => ['10.0.0.0/8', '2001:db8::/32'], not_before => '2026-01-01T00:00:00Z',
            expires => '2100-01-01T12:00:00Z', metadata => { cost => 'r=17', note => '' },
            limits => { requests => 5 });
is_deeply({ map { $_ => records()->{ $made->{id} }{$_} } keys %want }, \%want, 'create: all fields');
is(id_of($made->{key}), $made->{id}, 'create --json: the key and its id');
is_deeply({ map { $_ => $made->{record}{$_} } keys %want }, \%want, 'create --json: the record');
ok(!exists $made->{record}{digest}, 'create --json: without digest');

my $before = time();
my $span   = make_key('--expires', '30d');
my ($y, $m, $d) = records()->{ id_of($span) }{expires} =~ /^(\d+)-(\d+)-(\d+)T/;
my @at = gmtime($before + 30 * 86400);
my @at_end = gmtime(time() + 30 * 86400);
ok((grep { $y == $_->[5] + 1900 && $m == $_->[4] + 1 && $d == $_->[3] } \@at, \@at_end) > 0,
   'create: a span counts from now');

for my $case (
    [['--tier', 'a b'], qr/^aictl: tier: must be a word/],
    [['--tenant', 'a//b'], qr/^aictl: tenant: must be/],
    [['--model', ''], qr/^aictl: models: must be a list/],
    [['--endpoint', 'talk'], qr/^aictl: endpoints: must be .*chat/],
    [['--source', '10.0.0'], qr/^aictl: sources: must be/],
    [['--expires', '30'], qr/^aictl: --expires: '30' has no unit/],
    [['--expires', '2026-02-30'], qr/^aictl: --expires: /],
    [['--expires', '1d', '--expires', '2d'], qr/^aictl: --expires: is said twice/],
    [['--metadata', 'x'], qr/^aictl: --metadata: must be NAME=VALUE/],
    [['--limits', '{'], qr/^aictl: --limits: is no JSON: byte 2/],
    [['--limits', '[]'], qr/^aictl: limits: must be an object/],
    [['--metadata', 'a=1', '--metadata', 'a=2'], qr/^aictl: byte \d+: /],
    [['--tyer', 'gold'], qr/invalid option: --tyer/],
    [['--tier'], qr/missing argument: --tier|tier: must be/],
    [['--overlap', '1d'], qr/^aictl: --overlap: is no option of create/],
    [['word'], qr/^aictl: usage: aictl key create /],
) {
    my $was = read_file(keys_file());
    my @words = @{ $case->[0] };
    # A last option without its value: the file is named before.
    my @said = aictl('create', @words == 1 && $words[0] eq '--tier'
                     ? ('--file=' . keys_file(), @words) : @words);
    said_no(2, $case->[1], "create @words", @said);
    is(read_file(keys_file()), $was, "create @words: the file is as it was");
}

# ------------------------------------------------------------------------------- list and show

($status, $out) = aictl('list');
is($status, 0, 'list: status 0');
is(scalar(split /\n/, $out), 1 + keys %{ records() }, 'list: a line for each key');
like($out, qr/^$made->{id}  good  .*gold .*acme\/search\/ann .*Ann "A"$/m, 'list: with its fields');
($status, $out) = aictl('list', '--json');
my $list = decode_json($out);
is_deeply([sort map { $_->{id} } @$list], [sort keys %{ records() }], 'list --json: each key');
is(scalar(grep { /digest/ } map { keys %$_ } @$list), 0, 'list --json: no digest');
($status, $out) = aictl('show', $made->{id});
like($out, qr/^models: gpt-\*, o1\n(?:.*\n)*state: good\n/m, 'show: fields and state');
unlike($out, qr/digest|sha256/, 'show: no digest');
($status, $out) = aictl('show', '--json', $made->{id});
is(decode_json($out)->{tier}, 'gold', 'show --json');
said_no(1, qr/has no key 'aaaaaaaaaaaa'/, 'show of no key', aictl('show', 'aaaaaaaaaaaa'));
my @said = aictl('show', $key);
said_no(1, qr/named by its id/, 'show of a whole key', @said);
unlike($said[2], qr/\Q$key\E/, 'which is not repeated');
said_no(2, qr/usage: aictl key show/, 'show of nothing', aictl('show'));

# -------------------------------------------------------------------------------------- update

($status) = aictl('update', $made->{id}, '--tier', 'silver', '--clear', 'limits', '--clear',
                  'deny-model', '--model', 'claude-*');
is($status, 0, 'update: status 0');
my $record = records()->{ $made->{id} };
is($record->{tier}, 'silver', 'update: a field is set');
is_deeply($record->{models}, ['claude-*'], 'update: a list is replaced');
ok(!exists $record->{limits} && !exists $record->{models_denied}, 'update: fields are cleared');
is($record->{name}, 'Ann "A"', 'update: the others stay');
said_no(2, qr/nothing is said to change/, 'update of nothing', aictl('update', $made->{id}));
said_no(2, qr/--clear: must be one of name, tenant/, 'update --clear digest',
        aictl('update', $made->{id}, '--clear', 'digest'));
said_no(2, qr/tier: must be/, 'update to what may not be', aictl('update', $made->{id}, '--tier', ''));
said_no(1, qr/has no key/, 'update of no key', aictl('update', 'aaaaaaaaaaaa', '--tier', 'a'));

# -------------------------------------------------------------------------- check, rotate, state

sub verdict
{
    my ($text, @more) = @_;
    ($status, $out, $err) = aictl(\$text, 'check', '--stdin', @more);
    return "$status $out" =~ s/\n\z//r;
}

is(verdict("$key\n"), "0 $id good", 'check: a good key');
is(verdict($key =~ s/(.)\z/$1 eq 'a' ? 'b' : 'a'/er), '1 ', 'check: a slip of the pen');
is(verdict('sk-proj-x'), '1 ', 'check: somebody else\'s key');
like($err, qr/is no key/, 'which is said');
unlike($err, qr/sk-proj-x/, 'and not repeated');
is(verdict(''), '1 ', 'check: nothing');
is(verdict('x' x 100000), '1 ', 'check: far too much');
is(verdict($made->{key}), "1 $made->{id} key_source_denied", 'check: nobody says from where');
is(verdict($made->{key}, '--from', '10.9.8.7'), "0 $made->{id} good", 'check --from');
is(verdict($made->{key}, '--from', '11.0.0.1'), "1 $made->{id} key_source_denied", 'check --from elsewhere');
said_no(2, qr/--from: must be an address/, 'check --from a name',
        aictl(\$key, 'check', '--stdin', '--from', 'localhost'));
said_no(2, qr/--from: needs --stdin/, 'check --from alone', aictl('check', '--from', '10.0.0.1'));
($status, $out) = aictl('check');
is("$status $out", "0 @{[ keys_file() ]}: 3 keys\n", 'check: the file');

($status, $out) = aictl('rotate', $id);
chomp(my $second = $out);
is(id_of($second), $id, 'rotate: the id stays');
isnt($second, $key, 'rotate: the secret does not');
is(verdict($key), "0 $id good", 'rotate: the old key is still good');
is(verdict($second), "0 $id good", 'rotate: and so is the new one');
chomp(my $third = (aictl('rotate', $id, '--overlap', '1h'))[1]);
is(verdict($key), "1 $id invalid_api_key", 'rotate again: the oldest is over');
is(verdict($second), "0 $id good", 'rotate again: the one before is good');
is(verdict($third), "0 $id good", 'rotate again: the newest is good');
my $fourth = decode_json((aictl('rotate', $id, '--overlap', '0', '--json'))[1])->{key};
is(verdict($_), "1 $id invalid_api_key", 'rotate --overlap 0: no old one is good') for $second, $third;
is(verdict($fourth), "0 $id good", 'rotate --overlap 0: the new one is');
ok(!exists records()->{$id}{next_digest}, 'rotate --overlap 0: nothing is left of it');
said_no(2, qr/--overlap: 'long' is no time/, 'rotate --overlap long', aictl('rotate', $id, '--overlap', 'long'));

my $other = make_key();
is((aictl('disable', $id, id_of($other)))[0], 0, 'disable two: status 0');
is(verdict($fourth), "1 $id key_disabled", 'disable: the first');
is(verdict($other), '1 ' . id_of($other) . ' key_disabled', 'disable: the second');
like((aictl('list'))[1], qr/^$id  disabled /m, 'list: disabled');
is((aictl('enable', $id))[0], 0, 'enable: status 0');
is(verdict($fourth), "0 $id good", 'enable: it is good again');
aictl('update', $id, '--expires', '2020-01-01');
is(verdict($fourth), "1 $id key_expired", 'expired');
aictl('update', $id, '--clear', 'expires', '--not-before', '2100-01-01');
is(verdict($fourth), "1 $id key_not_yet_valid", 'too early');

# -------------------------------------------------------------------------- export and delete

($status, $out) = aictl('export');
is($out, read_file(keys_file()), 'export: the records as they are');
($status, $out) = aictl('export', $id);
is(decode_json($out)->{digest}, records()->{$id}{digest}, 'export of one: with its digest');
my $was = read_file(keys_file());
said_no(1, qr/has no key/, 'delete with one that is not there', aictl('delete', $id, 'aaaaaaaaaaaa'));
is(read_file(keys_file()), $was, 'delete: then none is');
is((aictl('delete', $id))[0], 0, 'delete: status 0');
is(verdict($fourth), "1 $id unknown_key", 'delete: it is gone');
ok(!records()->{$id} && records()->{ $made->{id} }, 'delete: the others are not');

# ------------------------------------------------------------------------------- the rest of it

said_no(2, qr/no such command/, 'another command', aictl('frobnicate'));
write_file(folder() . '/second', '');
{
    local $ENV{AI_KEY_FILE} = folder() . '/second';
    my $said = `@{[ program() ]} key check`;
    is($said, folder() . "/second: 0 keys\n", 'AI_KEY_FILE names the file');
}
like(scalar `@{[ program() ]} --help`, qr/aictl key create .*aictl key check .*--limits JSON/s, '--help');
like(scalar `@{[ program() ]} key create --help`, qr/aictl key create .*aictl key check /s, '--help behind a command');
like(scalar `@{[ program() ]} --version`, qr/^aictl \d+\.\d+/, '--version');
is(system(program() . ' 2>/dev/null') >> 8, 2, 'no words: status 2');
{
    my $rc = system(program() . ' key list --file ' . keys_file() . ' >/dev/full 2>' . folder() . '/err') >> 8;
    is($rc, 1, 'stdout is full: status 1');
    like(read_file(folder() . '/err'), qr/could not be/, 'and it is said');
    $rc = system(program() . ' key create --file ' . keys_file() . ' >/dev/full 2>' . folder() . '/err') >> 8;
    is($rc, 1, 'create with a full stdout: status 1');
    like(read_file(folder() . '/err'), qr/key \w{12} was made, but could not be printed/, 'and what to do is said');
}
done_testing();
