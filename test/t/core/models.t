#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# models.t - whose word on a model holds: the built-in one, the server's file, the virtual host's?
#
# Asked through /v1/models in Anthropic's shape, which says how much goes in and comes out.

use strict;
use warnings;

use File::Temp qw(tempdir);
use Gate ();
use OwnServer ();
use Test::More;

my $dir = tempdir('ai-models-XXXXXX', TMPDIR => 1, CLEANUP => 1);

sub records
{
    my ($name, @records) = @_;
    open(my $fh, '>', "$dir/$name") or die "$dir/$name: $!\n";
    print $fh Gate::to_json([map { { source => 'models.t', date => '2026-11-21', %$_ } } @records]);
    close($fh) or die "$dir/$name: $!\n";
    return "$dir/$name";
}

my $server_file = records('server.json',
    { match => 'claude-opus-4-8', context => 111 },
    { match => 'mine-*',          context => 222, output => 33 },
    { match => 'best',            context => 1 },
    { match => 'other-dialect',   context => 5, dialect => 'openai' });
my $host_file = records('host.json', { match => 'mine-*', context => 444 });

my $places = join '', map { <<"END" } ['server.test', ''], ['host.test', "AIModelFile $host_file"];
<VirtualHost *>
    ServerName $_->[0]
    $_->[1]
    <Location /v1>
        AIEngine On
        AIAnonymous On
        AIRoute best claude
        AIRoute claude-opus-4-1 claude
        AIRoute claude-opus-4-8 claude
        AIRoute mine-own claude
        AIRoute nobody-knows claude
        AIRoute other-dialect claude
    </Location>
</VirtualHost>
END
my $server = OwnServer->new(conf => <<"END");
<AITarget claude>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
    AITargetDialect anthropic
    AITargetModel best claude-sonnet-4-5-20250929
</AITarget>
AIModelFile $server_file
$places
END
my $caller = $server->caller;

# Of each model on a host: the most that goes in, and comes out.
sub said
{
    my ($host, $path) = @_;
    my $answer = $caller->request(path => "http://$host/v1/models$path",
                                  headers => { 'anthropic-version' => '2023-06-01' });
    my $json = Gate::from_json($answer->{body});
    return { map { ($_->{id} => [@$_{qw(max_input_tokens max_tokens)}]) }
             @{ $json->{data} // [$json] } };
}

my %builtin = ('claude-opus-4-1' => [200000, 32000], 'best' => [200000, 64000],
               'nobody-knows' => [undef, undef], 'other-dialect' => [undef, undef]);
is_deeply(said('server.test', ''),
          { %builtin, 'claude-opus-4-8' => [111, undef], 'mine-own' => [222, 33] },
          'the operator\'s records win as they are; what they do not match is built in');
is_deeply(said('host.test', ''),
          { %builtin, 'claude-opus-4-8' => [1000000, 128000], 'mine-own' => [444, undef] },
          'a virtual host\'s file stands in the place of the server\'s');
is_deeply(said('server.test', '/best'), { best => $builtin{best} },
          'one model: by the name that its target knows it by');
is_deeply(said('server.test', '/mine-own'), { 'mine-own' => [222, 33] }, 'one model of the file');

# A new file counts with the next generation.
records('host.json', { match => 'mine-*', context => 555 });
is_deeply(said('host.test', '/mine-own')->{'mine-own'}, [444, undef], 'a file is read once');
$server->graceful;
$caller = $server->caller;
is_deeply(said('host.test', '/mine-own')->{'mine-own'}, [555, undef], 'and again at a restart');

done_testing();
