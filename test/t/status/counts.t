#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# counts.t - is what mod_ai_status says what has happened, for the server and for each target?
#
# A row is a request and what must then have grown, and by how much; nothing else may have.

use strict;
use warnings;

use Gate ();
use OwnServer ();
use StatusPage ();
use Test::More;

my $server = OwnServer->new(conf => <<"END");
<AITarget sim>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
    AITargetKeyFile $ENV{AI_STAGE}/t/conf/core.key
    AITargetKeyAside Off
    AITargetForward X-Sim
</AITarget>
<AITarget second.one>
    AITargetURL http://localhost:$ENV{AI_SIM_PORT}/v1
</AITarget>
<AITarget refusing>
    AITargetURL http://127.0.0.1:1/v1
</AITarget>
<Location /v1>
    AIEngine On
    AIAnonymous On
    AIRouteRetries 0
    AIRoute fallback refusing sim
    AIRoute two sim second.one
    AIRoute broken refusing
    AIRoute m sim
    AIRoute m?* sim
</Location>
<Location /closed/v1>
    AIEngine On
    AIRoute * sim
</Location>
<Location /basic/v1>
    AuthType Basic
    AuthName "status"
    AuthUserFile $ENV{AI_STAGE}/t/conf/core.users
    Require valid-user
    AIEngine On
    AIRoute * sim
</Location>
<Location /small/v1>
    AIEngine On
    AIAnonymous On
    AIBodyLimit 20
    AIRoute * sim
</Location>
<Location /denied/v1>
    Require all denied
    AIEngine On
    AIAnonymous On
</Location>
<Location /server-status>
    SetHandler server-status
</Location>
ErrorDocument 404 /v1/models
END

my $chat = '/v1/chat/completions';

# What every request with an answer of the target sim adds; more comes behind.
sub sim_adds
{
    my (%more) = @_;
    my %adds = (Requests => 1, Answers => 1, Attempts => 1, TokensPrompt => 7,
                TokensCompletion => 12, %more);
    return map { ("AI$_" => $adds{$_}, "AITarget[sim]$_" => $adds{$_}) } grep { $adds{$_} } keys %adds;
}
my %none = (Answers => 0, TokensPrompt => 0, TokensCompletion => 0);
sub refused { return (AIRequests => 1, AIRefusals => 1, "AIRefusals[$_[0]]" => 1) }

my @rows = (
    ['a chat', { body => Gate::chat() }, { sim_adds() }],
    ['a stream', { body => Gate::chat(stream => 1) }, { sim_adds(Streams => 1) }],
    ['a cached prompt', { body => Gate::chat(script => 'cached=3') }, { sim_adds(TokensCached => 3) }],
    ['the list of models', { path => '/v1/models' }, { AIRequests => 1, AIAnswers => 1 }],
    ['a fallback', { body => Gate::chat(model => 'fallback') },
        { sim_adds(), AIAttempts => 2, AIAttemptsFailed => 1, 'AITarget[refusing]Attempts' => 1,
          'AITarget[refusing]AttemptsFailed' => 1 }],
    ['a fallback from a status', { body => Gate::chat(model => 'two'), sim => 'status=503' },
        { (map { ("AI$_->[0]" => $_->[1], "AITarget[second.one]$_->[0]" => $_->[1]) }
           [Requests => 1], [Answers => 1], [TokensPrompt => 7], [TokensCompletion => 12]),
          AIAttempts => 2, AIAttemptsFailed => 1, 'AITarget[second.one]Attempts' => 1,
          'AITarget[sim]Attempts' => 1, 'AITarget[sim]AttemptsFailed' => 1 }],
    ['no target answers', { body => Gate::chat(model => 'broken') },
        { map { ("AI$_" => 1, "AITarget[refusing]$_" => 1) }
          qw(Requests Failures Attempts AttemptsFailed) }],
    ['the last one answers 503', { body => Gate::chat(), sim => 'status=503' },
        { sim_adds(%none, Failures => 1, AttemptsFailed => 1) }],
    ['the last one answers 429', { body => Gate::chat(), sim => 'status=429' },
        { sim_adds(%none, ProviderErrors => 1, AttemptsFailed => 1) }],
    ['the provider says that the request is wrong', { body => Gate::chat(), sim => 'status=400' },
        { sim_adds(%none, ProviderErrors => 1) }],
    ['the provider does not take our key', { body => Gate::chat(), sim => 'status=401' },
        { sim_adds(%none, Failures => 1, AttemptsFailed => 1) }],
    ['a stream that breaks off', { body => Gate::chat(stream => 1), sim => 'cut=4' },
        { sim_adds(%none, Streams => 1, Failures => 1, AttemptsFailed => 1) }],
    ['a stream that begins with an error', { body => Gate::chat(stream => 1), sim => 'error=1' },
        { sim_adds(%none, Streams => 1, Failures => 1, AttemptsFailed => 1) }],
    ['no route', { body => Gate::chat(model => 'unknown') }, { refused('model_not_found') }],
    ['no JSON', { body => '{' }, { refused('invalid_json') }],
    ['no model', { body => '{}' }, { refused('invalid_request') }],
    ['a wrong method', { path => $chat }, { refused('method_not_allowed') }],
    ['a path that climbs', { path => '/v1/..;/x' }, { refused('invalid_path') }],
    ['nobody', { path => "/closed$chat", body => Gate::chat() }, { refused('invalid_api_key') }],
    ['nobody, says httpd', { path => "/basic$chat", body => Gate::chat() },
        { refused('invalid_api_key') }],
    ['denied by httpd', { path => "/denied$chat", body => Gate::chat() },
        { refused('permission_denied') }],
    ['too long', { path => "/small$chat", body => Gate::chat() }, { refused('request_too_large') }],
    ['no page, and an ErrorDocument that leads to us', { path => '/nothing' },
        { AIRequests => 1, AIAnswers => 1 }],
    ['nothing of ours', { path => '/', method => 'OPTIONS' }, {}],
);

# Times grow as they like; what is said of keys is mod_ai_route's (t/route/keys.t).
sub counts_of
{
    my ($values) = @_;
    return { map { $_ => $values->{$_} } grep { !/Us$|^AIKey\[/ } keys %$values };
}

my $before = counts_of(StatusPage::values_of($server));
is_deeply({ map { $_ => $before->{$_} } grep { $before->{$_} || /\[/ } keys %$before }, {},
          'at first all is 0, and no target known');

for my $row (@rows) {
    my ($name, $request, $want) = @$row;
    my $sim = delete $request->{sim};
    $server->caller->request(path => $chat, ($sim ? (headers => { 'X-Sim' => $sim }) : ()), %$request);
    my %right = (%$before);
    $right{$_} = ($right{$_} // 0) + $want->{$_} for keys %$want;
    my $seen = eval {
        StatusPage::await($server, $name, sub {
            return $_[0]{AIRequests} == ($right{AIRequests} // 0) && $_[0]{AIInFlight} == 0;
        });
    } // StatusPage::values_of($server);
    my $now = counts_of($seen);
    my %grown = map { $_ => $now->{$_} - ($before->{$_} // 0) }
                grep { $now->{$_} != ($before->{$_} // 0) } keys %$now;
    is_deeply(\%grown, $want, $name);
    $before = $now;
}

my $sum = 0;
$sum += $before->{"AI$_"} for qw(Answers ProviderErrors Failures Refusals ClientAborts);
is($sum, $before->{AIRequests}, 'every request came to one of five ends');

# ------------------------------------------------------------------------------- under way

my $caller = $server->caller;
$caller->ask(path => $chat, body => Gate::chat(stream => 1), headers => { 'X-Sim' => 'stall=3' });
$caller->read_until(qr/"content":"[^"]/);
my $seen = StatusPage::values_of($server);
is_deeply([@$seen{'AIInFlight', 'AITarget[sim]InFlight', 'AITarget[refusing]InFlight', 'AIRequests'}],
          [1, 1, 0, $before->{AIRequests}], 'a stream is under way, and is counted at its end');
$caller->close;
$seen = StatusPage::await($server, 'the end of the stream', sub { $_[0]{AIInFlight} == 0 });
is_deeply([@$seen{'AIClientAborts', 'AITarget[sim]ClientAborts', 'AITarget[sim]InFlight',
                  'AITarget[sim]AttemptsFailed'}],
          [1, 1, 0, $before->{'AITarget[sim]AttemptsFailed'}],
          'its caller left: that is no failure of the target');

# ----------------------------------------------------------------------------------- times

$server->caller->request(path => $chat, body => Gate::chat(), headers => { 'X-Sim' => 'delay=300' });
my $then = StatusPage::await($server, 'the slow one', sub { $_[0]{AIRequests} > $seen->{AIRequests} });
for my $of ('AI', 'AITarget[sim]') {
    cmp_ok($then->{"${of}TimeUpstreamUs"} - $seen->{"${of}TimeUpstreamUs"}, '>=', 300_000,
           "$of: the time at the target is counted");
    cmp_ok($then->{"${of}TimeFirstP99Us"}, '>=', 300_000, "$of: p99 knows the slowest");
    cmp_ok($then->{"${of}TimeFirstP50Us"}, '<=', $then->{"${of}TimeFirstP95Us"}, "$of: p50 <= p95");
    cmp_ok($then->{"${of}TimeFirstP95Us"}, '<=', $then->{"${of}TimeFirstP99Us"}, "$of: p95 <= p99");
    cmp_ok($then->{"${of}OverheadUs"}, '>', 0, "$of: our own time is counted");
}
ok(!exists $then->{'AITarget[refusing]TimeFirstP50Us'}, 'who never had content has no such time');

# ---------------------------------------------------------------------------- for a person

my $html = StatusPage::text_of($server);
my ($section) = $html =~ m{<h2>AI gateway</h2>(.*)}s;
my ($head, @table) = StatusPage::rows_of($section // '');
is_deeply([map { $_->[0] } @table[0 .. 3]], ['(all)', 'sim', 'refusing', 'second.one'],
          'the page has a row for the server and one for each target');
my %column = map { $head->[$_] => $_ } 0 .. $#$head;
for my $row ([$table[0], 'AI'], [$table[1], 'AITarget[sim]'], [$table[3], 'AITarget[second.one]']) {
    my ($cells, $of) = @$row;
    is_deeply([@$cells[@column{'In flight', 'Requests', 'Answers', 'Attempts failed',
                               'Prompt tokens', 'Cached tokens'}]],
              [@$then{map { "$of$_" } qw(InFlight Requests Answers AttemptsFailed TokensPrompt TokensCached)}],
              "$of: with the same numbers");
    is(scalar(@$cells), scalar(@$head), "$of: and no cell too few");
}
is($table[0][$column{'Overhead, ms'}],
   sprintf('%d.%d', int($then->{AIOverheadUs} / 1000), int($then->{AIOverheadUs} % 1000 / 100)),
   'times in milliseconds');
my %refused = map { $_->[0] => $_->[1] } grep { @$_ == 2 } @table;
is($refused{invalid_api_key}, $then->{'AIRefusals[invalid_api_key]'}, 'and the reasons of refusals');

my ($plain) = StatusPage::text_of($server, 'notable') =~ m{<h2>AI gateway</h2>\n<pre>\n(.*?)</pre>}s;
like($plain // '', qr/^AITarget\[sim\]Requests: $then->{'AITarget[sim]Requests'}$/m, 'without tables');
for my $query ('', 'auto', 'notable') {
    unlike(StatusPage::text_of($server, $query), qr/river|sk-provider-canary|unknown/,
           "no prompt, no key, no model ($query)");
}
$server->stop;
done_testing();
