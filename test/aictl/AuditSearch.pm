# SPDX-License-Identifier: Apache-2.0
#
# AuditSearch - does aictl find in the audit of a database what was asked for, all of it and nothing else?
# And is what callers wrote shown so that it stays what it is?
#
#   test_engine($name, $fill);   # $ENV{AI_DATABASE} names an empty one; $fill runs SQL in it
#   test_reader($server);        # the same for a user who may only read
#
# What is wanted is computed here once more, from the records.
package AuditSearch;

use strict;
use warnings;

use Exporter qw(import);
use Test::More;
use Encode qw(decode_utf8 encode_utf8);
use File::Temp qw(tempdir);
use JSON::PP ();
use POSIX ();
use Aictl;
use AuditRows;
use Databases;

our @EXPORT = qw(run output objects fill_sqlite fill_server test_engine test_reader $dir $json $start);

our $dir = tempdir('ai-search-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod(0755, $dir);
our $json = JSON::PP->new->utf8;
delete $ENV{AI_DATABASE};

# What may stand in the name of a test.
sub plain { return $_[0] =~ tr/ -~/./cr }

sub run { return Aictl::program_with(map { encode_utf8($_) } @_) }

# What a command that must succeed prints.
sub output
{
    my ($status, $out, $err) = run(@_);
    is($status, 0, plain("aictl @_: status 0")) or diag($err);
    return $out;
}

sub objects { return [map { $json->decode($_) } split /\n/, $_[0]] }

# ------------------------------------------------------------------------------ the calls

our $start = 1_760_000_000_000_000;
my @calls;    # records as they were written, time in microseconds
my $rows = AuditRows->new('node-1');

# What may be in a text that a caller chose.
my @odd = ("gpt\e[31mred\e[0m", "a\x{9b}31m\x{7f}", "right\x{202e}tfel", "emoji \x{1f600} e\x{301}", "back\\slash",
           "100%_sure!", "' OR '1'='1", "'; DROP TABLE ai_audit_calls; --", '"quoted", comma', "=1+1", "+1", "-1",
           '@SUM(A1)', "'already", "tab\there", "line\nfeed", "cr\rlf", 'star*mark?', 'UPPER', 'upper', "semi;colon");

sub add
{
    my ($record, %how) = @_;
    my $said = $rows->call({ %$record }, %how);
    push @calls, { %$said, time => $record->{time}, estimated => $how{estimated} ? 1 : 0,
                   removed => $how{removed} };
    return;
}

sub make_calls
{
    my $n = 0;
    for my $i (0 .. 1199) {
        add({ id => AuditRows::call_id(++$n, $i % 7), time => $start + int($i / 400), model => "gpt-" . $i % 5,
              tenant => 'acme/' . $i % 3, status => $i % 10 ? 200 : 429, key => 'Kx7Qm2pL9aZ' . $i % 4,
              tokens => { prompt => $i, completion => 2 * $i, source => 'reported' },
              cost => { nanousd => 1_000_003 * $i, saved => $i % 2 ? 77 : 0, price => 'book' },
              metadata => { team => $i % 2 ? 'red' : 'blue', number => $i } }, begin => 0);
    }
    for my $i (0 .. $#odd) {
        add({ id => AuditRows::call_id(++$n), time => $start + 3_600_000_000 * $i, model => $odd[$i], user => $odd[-1 - $i],
              tenant => "odd/$odd[$i]", status => 500 + $i, metadata => { team => $odd[$i], flag => JSON::PP::true() },
              headers => { 'user-agent' => "agent/$odd[$i]" }, notes => { 'ai-mine' => $odd[$i] },
              attempts => [{ target => 'eu', status => 503, reason => 'status', us => 120_000, model => "m$i" },
                           { target => $odd[$i], status => 200, us => 1000 + $i }], stream => $i % 2 ? JSON::PP::true() : JSON::PP::false() });
    }
    my %full = (server => 'ai.example', tier => 'gold', label => 'secret', address => '10.1.2.3', method => 'POST',
        path => '/v1/chat/completions', endpoint => 'chat', dialect => 'openai', model => 'gpt-4o', served => 'gpt-4o-2024',
        route => 'gpt-*', target => 'openai-eu', provider_id => 'req_1', cache => 'miss', guard => 'pass', limit => 'tokens',
        deny => 'rate_limit', finish => 'stop', dropped => 'seed,n', user => 'ann', key => 'KeyKeyKeyKey', status => 200,
        reserved => { prompt => 10, completion => 4096 }, tokens => { prompt => 12, completion => 34, cached => 5, reasoning => 6,
        written => 7, source => 'estimated' }, cost => { nanousd => 9_007_199_254_740_993, price => 'book#1', saved => 5 },
        us => { head => 11, first => 22, upstream => 33, overhead => 44, total => 55 },
        prompt => { bytes => 6, sha256 => 'ab', kept => 'full', parts => 2 }, answer => { bytes => 3, sha256 => 'cd', kept => 'redacted', parts => 1, lost => 'room' },
        trace => { id => '0af7651916cd43dd8448eb211c80319c', span => 'b7ad6b7169203331', parent => '00f067aa0ba902b7' },
        attempts => [{ target => 'a', model => 'b', status => 503, reason => 'status', us => 9 }], cut => 'notes',
        road => [{ stage => 'route', decision => 'rule', reason => 'gpt-*', us => 3 }], metadata => { team => 'core', ok => JSON::PP::true(), n => 42 },
        headers => { 'user-agent' => 'curl/8' }, notes => { 'ai-x' => 'y' }, stream => JSON::PP::true(), tenant => 'full');
    for my $i (0 .. 2) {
        my $id = AuditRows::call_id(++$n, 99);
        add({ %full, id => $id, time => $start + 90_000_000_000 + $i,
              cost => { %{ $full{cost} }, nanousd => $full{cost}{nanousd} + $i } });
        $rows->frame('prompt', $id, $start, "abc");
        $rows->frame('prompt', $id, $start, "\xff\n\e", removed => $i == 1);
        $rows->frame('answer', $id, $start, 'yes');
    }
    add({ id => AuditRows::call_id(++$n), time => $start + 91_000_000_000, model => 'lost', reserved => { prompt => 7, completion => 9 } },
        end => 0, estimated => 1);
    add({ id => AuditRows::call_id(++$n), time => $start + 92_000_000_000, model => 'gone', tenant => 'removed' }, removed => 1);
    my @full = map { AuditRows::call_id(1200 + @odd + $_, 99) } 1 .. 3;
    $rows->note($full[0], $start + 95_000_000_000, feedback => -1, score => 20, comment => "bad\e[1m", user => 'ann', tenant => 'full');
    $rows->note($full[1], $start + 95_000_000_000, feedback => 1, tenant => 'full');
    $rows->note($full[1], $start + 95_000_000_001, score => 90, tenant => 'full');
    # What others say of somebody's call, or nobody, does not count.
    $rows->note($full[2], $start + 95_000_000_002, feedback => 1, score => 90, tenant => 'other');
    $rows->note($full[2], $start + 95_000_000_003, feedback => -1);
    return;
}
make_calls();
my $sql = $rows->sql;
my %feedback = (AuditRows::call_id(1200 + @odd + 1, 99) => [{ feedback => -1, score => 20 }],
                AuditRows::call_id(1200 + @odd + 2, 99) => [{ feedback => 1 }, { score => 90 }]);

# ------------------------------------------------------- what a filter means, once more

my %alias = (cost => 'cost.nanousd', saved => 'cost.saved', trace => 'trace.id');

# The values that a call has of a field, as texts.
sub values_of
{
    my ($call, $name) = @_;
    $name = $alias{$name} // $name;
    return grep { defined } map { $_->{$name} } @{ $feedback{ $call->{id} } // [] } if $name eq 'feedback' || $name eq 'score';
    my ($outer, $inner) = split /\./, $name, 2;
    my $column = grep { $_->[1] eq $name } @AuditRows::COLUMNS;
    return () if $call->{removed} && !$column && $name !~ /^(?:id|time|estimated)$/;
    # Where no end came, its record is the begin.
    my $value = $call->{$outer};
    return scalar(@{ $value // return () }) if $name eq 'attempts';
    my @all = !defined $inner ? $value : ref $value eq 'ARRAY' ? map { $_->{$inner} } @$value : ref $value ? $value->{$inner} : ();
    return map { JSON::PP::is_bool($_) ? ($name eq 'stream' ? ($_ ? 1 : 0) : $_ ? 'true' : 'false') : $_ } grep { defined } @all;
}

# The ids of the calls that one of the values of a field has what the function says.
sub ids_with
{
    my ($name, $fits) = @_;
    return [sort map { $_->{id} } grep { my @v = values_of($_, $name); $fits->(@v) } @calls];
}

sub found
{
    my (@filters) = @_;
    return [sort map { $_->{id} } @{ objects(output('audit', 'search', '--limit', 0, '--format', 'json', '--columns', 'id', @filters)) }];
}

# A value as a filter has it.
sub literal { return $_[0] =~ s/([\\,*?])/\\$1/gr }

my @texts = qw(node tenant user key tier address endpoint dialect model served target route cache guard limit deny
    finish tokens.source trace trace.id server label method path provider_id dropped cost.price attempts.target attempts.model
    attempts.reason prompt.sha256 prompt.kept answer.sha256 answer.kept answer.lost trace.span trace.parent
    road.stage road.decision road.reason cut metadata.team metadata.ok headers.user-agent notes.ai-x notes.ai-mine);
my @numbers = qw(status attempts tokens.prompt tokens.completion tokens.cached tokens.reasoning tokens.written cost
    cost.nanousd saved cost.saved us.first us.upstream us.overhead us.total us.head v reserved.prompt
    reserved.completion attempts.status attempts.us prompt.bytes prompt.parts answer.bytes answer.parts road.us estimated
    stream feedback score metadata.number);

sub test_filters
{
    my ($engine) = @_;
    my $same = sub {
        my ($filter, $name, $fits) = @_;
        is_deeply(found($filter), ids_with($name, $fits), plain("$engine: $filter"));
    };
    # What is no column is judged by aictl itself: the same with each engine.
    my %is_column = map { $_ => 1 } keys %alias, qw(estimated feedback score), map { $_->[1] } @AuditRows::COLUMNS;
    my @asked = map { [grep { $engine eq 'sqlite3' || $is_column{$_} } @$_] } \@texts, \@numbers;
    for my $name (@{ $asked[0] }) {
        my ($some) = map { values_of($_, $name) } reverse @calls;
        defined $some or fail("no call has $name"), next;
        my $half = substr($some, 0, length($some) / 2 + 1);
        $same->("$name=" . literal($some), $name, sub { grep { $_ eq $some } @_ });
        $same->("$name!=" . literal($some), $name, sub { !grep { $_ eq $some } @_ });
        $same->("$name=" . literal($half) . '*', $name, sub { grep { /\A\Q$half\E/ } @_ });
        $same->("$name~" . ($half =~ s/([\\,])/\\$1/gr), $name, sub { grep { /\Q$half\E/ } @_ });
        $same->("$name!~" . ($half =~ s/([\\,])/\\$1/gr), $name, sub { !grep { /\Q$half\E/ } @_ });
        $same->("$name=", $name, sub { !@_ });
        $same->("$name!=", $name, sub { @_ > 0 });
    }
    for my $name (@{ $asked[1] }) {
        my ($some) = map { values_of($_, $name) } reverse @calls;
        defined $some or fail("no call has $name"), next;
        $same->("$name=$some", $name, sub { grep { $_ == $some } @_ });
        $same->("$name!=$some", $name, sub { !grep { $_ == $some } @_ });
        next if $name =~ /^(?:estimated|stream)$/;
        $same->("$name>$some", $name, sub { grep { $_ > $some } @_ });
        $same->("$name>=$some", $name, sub { grep { $_ >= $some } @_ });
        $same->("$name<$some", $name, sub { grep { $_ < $some } @_ });
        $same->("$name<=$some", $name, sub { grep { $_ <= $some } @_ });
        $same->("$name=$some,1", $name, sub { grep { $_ == $some || $_ == 1 } @_ });
        $same->("$name=", $name, sub { !@_ });
    }
    for my $odd (@odd) {
        $same->("model=" . literal($odd), 'model', sub { grep { $_ eq $odd } @_ });
        $same->("metadata.team=" . literal($odd), 'metadata.team', sub { grep { $_ eq $odd } @_ }) if $engine eq 'sqlite3';
        $same->("model~" . ($odd =~ s/([\\,])/\\$1/gr), 'model', sub { grep { /\Q$odd\E/ } @_ });
    }
    $same->('model=*o*', 'model', sub { grep { /o/ } @_ });
    $same->('model=?', 'model', sub { grep { /\A.\z/s } @_ });
    $same->('model=emoji ? e?', 'model', sub { grep { /\Aemoji . e.\z/s } @_ });
    $same->('model=emoji *', 'model', sub { grep { /\Aemoji / } @_ });
    $same->('model=GPT-1', 'model', sub { grep { $_ eq 'GPT-1' } @_ });
    $same->('model=gpt-1,gpt-4*,upper', 'model', sub { grep { /\A(?:gpt-1|gpt-4.*|upper)\z/s } @_ });
    $same->('model!=gpt-1,', 'model', sub { @_ && !grep { $_ eq 'gpt-1' } @_ });
    is_deeply(found('status>=500', 'attempts.target=eu', 'metadata.team~o'),
              [sort map { $_->{id} } grep { $_->{status} && $_->{status} >= 500 && $_->{metadata}{team} =~ /o/ } @calls],
              "$engine: all filters must fit");
    return;
}

# ------------------------------------------------------------------------ pages and times

sub ordered { return map { $_->{id} } sort { $a->{time} <=> $b->{time} || $a->{id} cmp $b->{id} } @calls }

sub listed
{
    return [map { $_->{id} } @{ objects(output('audit', 'search', '--format', 'json', @_)) }];
}

sub test_pages
{
    my ($engine) = @_;
    my @all = ordered();
    for my $columns ('id', 'id,metadata.team') {
        is_deeply(listed('--columns', $columns, '--limit', 0), [reverse @all], "$engine: $columns: all, the newest first");
        is_deeply(listed('--columns', $columns, '--limit', 0, '--order', 'oldest'), \@all, "$engine: $columns: the oldest first");
        is_deeply(listed('--columns', $columns, '--limit', 637), [(reverse @all)[0 .. 636]], "$engine: $columns: --limit");
    }
    my ($status, $out, $err) = run('audit', 'search', '--columns', 'id', '--format', 'csv');
    is(scalar(split /\r\n/, $out), 101, "$engine: 100 are shown where nothing is said");
    like($err, qr/there are more than 100; --limit 0/, "$engine: and that there are more");
    my @of_second = sort map { $_->{id} } grep { $_->{time} == $start + 1 } @calls;
    my ($from, $to) = map { AuditRows::time_text($start + $_) } 1, 2;
    is_deeply(listed('--limit', 0, '--order', 'oldest', '--since', $from, '--until', $to), \@of_second,
              "$engine: from --since on, before --until");
    is_deeply(listed('--limit', 0, '--since', '1d'), [], "$engine: none of the last day");
    is_deeply(listed('--limit', 0, '--until', '0'), [reverse @all], "$engine: all before now");
    return;
}

# --------------------------------------------------------------------------- what is shown

sub test_formats
{
    my ($engine) = @_;
    my $table = output('audit', 'search', '--limit', 0, '--columns', 'id,model,user,tenant,metadata.team,attempts.target');
    is($table =~ /[^\x20-\x7e\n\xc3-\xf4\x80-\xbf]/, '', "$engine: the table has no control character");
    is(decode_utf8($table) =~ /[\x{80}-\x{9f}\x{202e}]/, '', "$engine: nor one of two bytes, nor a mark of direction");
    is(scalar(split /\n/, $table), @calls + 1, "$engine: it has a line for each call");
    like($table, qr/gpt\\x1b\[31mred/, "$engine: what is not to be seen is told");
    unlike(output('audit', 'search', '--limit', 0, '--format', 'json', '--columns', 'model,metadata.team'), qr/[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/,
           "$engine: nor has the JSON");

    my %by_id = map { $_->{id} => $_ } @calls;
    my @fields = qw(id time model user tenant status stream tokens.prompt cost attempts metadata.team attempts.target estimated);
    my $shown = objects(output('audit', 'search', '--limit', 0, '--format', 'json', '--columns', join(',', @fields)));
    my @want = map { my $call = $by_id{ $_->{id} }; my %row;
        for my $name (@fields) {
            my @values = $name eq 'time' ? AuditRows::time_text($call->{time}) : values_of($call, $name);
            @values = map { $_ ? JSON::PP::true() : JSON::PP::false() } @values if $name =~ /^(?:stream|estimated)$/;
            $row{$name} = @values > 1 ? \@values : $values[0] if @values;
        } \%row } @$shown;
    is_deeply($shown, \@want, "$engine: JSON says what the records say");

    my @cells = qw(id time model user tenant status cost metadata.team attempts.target);
    my $file = "$dir/out.csv";
    Aictl::write_file($file, output('audit', 'search', '--limit', 0, '--format', 'csv', '--columns', join(',', @cells)));
    my $read = $json->decode(scalar `python3 -c 'import csv, json, sys
print(json.dumps(list(csv.reader(open(sys.argv[1], newline="", encoding="utf-8")))))' $file`);
    is_deeply(shift @$read, \@cells, "$engine: CSV has a head");
    is(scalar(@$read), scalar(@calls), "$engine: and a row for each call");
    my (@formulas, @differ);
    for my $row (@$read) {
        my $call = $by_id{ $row->[0] };
        for my $i (2 .. $#cells) {
            my $want = join ',', values_of($call, $cells[$i]);
            push @formulas, $row->[$i] if $cells[$i] !~ /^(?:status|cost)$/ && $row->[$i] =~ /\A[=+\-@\t\r]/;
            push @differ, "$row->[$i], not $want" if ($row->[$i] =~ s/\A'//r) ne $want;
        }
    }
    is_deeply(\@formulas, [], "$engine: no cell is a formula");
    is_deeply(\@differ, [], "$engine: without the apostrophe each is what the caller wrote");
    return;
}

# -------------------------------------------------------------------------- usage and export

sub test_usage
{
    my ($engine) = @_;
    my %sums = (calls => sub { 1 }, errors => sub { ($_[0]{status} // 0) >= 400 ? 1 : 0 },
                cost_nanousd => sub { $_[0]{cost}{nanousd} // 0 }, saved_nanousd => sub { $_[0]{cost}{saved} // 0 },
                estimated => sub { $_[0]{estimated} },
                unpriced => sub { defined $_[0]{target} && defined $_[0]{status} && $_[0]{status} < 400 && !defined $_[0]{cost}{nanousd} ? 1 : 0 },
                map { my $kind = $_; ("tokens.$kind" => sub { $_[0]{tokens}{$kind} // 0 }) } qw(prompt completion cached reasoning written));
    my $day = sub { my ($call, $offset) = @_; substr(AuditRows::time_text($call->{time} + $offset * 1_000_000), 0, 10) };
    for my $case (['key'], ['user'], ['tenant'], ['model'], ['target'], ['day'], ['model,day'], ['status', 'metadata.team!='],
                  ['model', 'model=U*'], ['tenant', 'model=gpt-*', 'status<400'], ['day', 'feedback=1'], ['metadata.team'], ['metadata.team,model'],
                  ['day', '--zone', '+05:30'], ['day', '--zone', '-08:00', 'metadata.team=*']) {
        my ($by, @more) = @$case;
        my @filters = grep { !/^[-+]/ } @more;
        my $offset = "@more" =~ /\+05:30/ ? 19800 : "@more" =~ /-08:00/ ? -28800 : 0;
        my (%want, @got);
        for my $call (@calls) {
            next if grep { $_ eq 'metadata.team!=' || $_ eq 'metadata.team=*' } @filters and !values_of($call, 'metadata.team');
            next if "@filters" =~ /gpt-\*/ && !($call->{model} =~ /^gpt-/ && defined $call->{status} && $call->{status} < 400);
            next if "@filters" =~ /model=U/ && $call->{model} !~ /^U/;
            next if "@filters" =~ /feedback/ && !grep { $_ == 1 } values_of($call, 'feedback');
            my $name = join "\0", map { $_ eq 'day' ? $day->($call, $offset) : join(',', values_of($call, $_)) } split /,/, $by;
            $want{$name}{$_} += $sums{$_}->($call) for keys %sums;
        }
        for my $group (@{ objects(output('usage', '--by', $by, '--format', 'json', @more)) }) {
            my $name = join "\0", map { $group->{$_} } split /,/, $by;
            push @got, $name;
            is_deeply({ map { $_ => $group->{$_} } keys %sums }, $want{$name}, plain("$engine: usage by @$case: $name"));
            my $dollars = sprintf('%010d', $group->{cost_nanousd}) =~ s/(\d{9})\z/.$1/r;
            is($group->{cost}, $dollars =~ s/(\.\d\d\d*?)0+\z/$1/r, "$engine: and in dollars");
        }
        is_deeply([sort @got], [sort keys %want], "$engine: usage by @$case: all groups");
    }
    my $table = output('usage', '--by', 'model');
    my $total = 0;
    $total += $_->{cost}{nanousd} // 0 for @calls;
    my $dollars = "$total" =~ s/(\d{9})\z/.$1/r;
    like($table, qr/^total .* \Q$dollars\E /m, "$engine: the table has a total");
    unlike($table, qr/[^\x20-\x7e\n\xc3-\xf4\x80-\xbf]/, "$engine: and no control character");
    return;
}

sub test_export
{
    my ($engine) = @_;
    my @lines = split /\n/, output('audit', 'export');
    my @ids = ordered();
    my @want = map { $rows->text($_) } @ids;
    pop @want;    # that one was removed
    my $gone = $json->decode(pop @lines);
    is_deeply(\@lines, \@want, "$engine: export has the records byte by byte");
    is($gone->{absent}, 'it was removed', "$engine: and says of one that it was removed");
    is($gone->{id}, $ids[-1], "$engine: with its columns");
    @lines = split /\n/, output('audit', 'export', '--since', AuditRows::time_text($start + 1), 'model=gpt-1');
    is(scalar(@lines), 160, "$engine: of some alone");
    my $csv = output('audit', 'export', '--format', 'csv', 'status=500');
    is(scalar(split /\r\n/, $csv), 2, "$engine: and as CSV");
    return;
}

# ------------------------------------------------------------------------------- one call

sub test_show
{
    my ($engine) = @_;
    my $number = 1200 + @odd;
    my @full = map { AuditRows::call_id($number + $_, 99) } 1 .. 3;
    my $text = output('audit', 'show', $full[0]);
    like($text, qr/^cost\.nanousd: 9007199254740993 \(USD 9007199\.254740993\)$/m, "$engine: show");
    like($text, qr/^attempts\.1\.reason: status$/m, "$engine: with attempts");
    like($text, qr/^note\.1\.comment: bad\\x1b\[1m$/m, "$engine: and what was said of it");
    my $shown = $json->decode(output('audit', 'show', '--json', $full[0]));
    is_deeply($shown->{record}, $json->decode($rows->text($full[0])), "$engine: show --json has the record");
    is($shown->{notes}[0]{comment}, "bad\e[1m", "$engine: and the notes");
    is(output('audit', 'show', '--prompt', $full[0]), "abc\xff\n\e", "$engine: show --prompt puts the parts together");
    is(output('audit', 'show', '--answer', $full[0]), 'yes', "$engine: show --answer");
    my ($status, $out, $err) = run('audit', 'show', '--prompt', $full[1]);
    is($status, 1, "$engine: a part that was removed: status 1");
    like($err, qr/prompt: it was removed/, "$engine: and it is said");
    ($status, $out, $err) = run('audit', 'show', '--prompt', AuditRows::call_id(1, 0));
    like($err, qr/no prompt was kept/, "$engine: no prompt");
    like(output('audit', 'show', AuditRows::call_id($number + 5)), qr/^model: gone\n(?:.*\n)*record: it was removed\n/m, "$engine: a record that was removed");
    like(output('audit', 'show', uc AuditRows::call_id($number + 4)), qr/^estimated: /m, "$engine: an estimated one, in capital letters");
    my $prefix = AuditRows::call_id(1, 99) =~ s/-8000-.*//r;
    ($status, $out, $err) = run('audit', 'show', $prefix);
    is($status, 1, "$engine: a beginning of several: status 1");
    like($err, qr/several calls have ids that begin with \Q$prefix\E$/m, "$engine: and why");
    ($status, $out, $err) = run('audit', 'show', '01ff');
    like($err, qr/has no call '01ff'/, "$engine: none of that id");
    like(output('audit', 'show', $full[2]), qr/^id: $full[2]$/m, "$engine: by its id");

    my $words = output('explain', AuditRows::call_id(1200 + 1));
    like($words, qr/1\. eu, as m0: answered 503 after 120\.0 ms; it failed: status\n  2\. /, "$engine: explain tells the attempts");
    unlike($words, qr/[^\x20-\x7e\n\xc3-\xf4\x80-\xbf]/, "$engine: and no control character");
    $words = output('explain', $full[0]);
    like($words, qr/0\.00 ms  route      rule: gpt-\*\n/, "$engine: the road");
    like($words, qr/^It was served by openai-eu as gpt-4o-2024\.$/m, "$engine: who served");
    like($words, qr/^Cost: USD 9007199\.254740993, by the price book#1\.$/m, "$engine: the cost");
    like(output('explain', AuditRows::call_id($number + 4)), qr/^Nobody wrote its end/m, "$engine: what has no end");
    like(output('explain', AuditRows::call_id(1, 0)), qr/^The gateway refused it: nothing went upstream\.$/m, "$engine: what was refused");
    return;
}

# --------------------------------------------------------------------------------- follow

sub test_tail
{
    my ($engine, $fill) = @_;
    my @last = (ordered())[-3 .. -1];
    is_deeply([map { $_->{id} } @{ objects(output('audit', 'tail', '--limit', 3, '--format', 'json')) }], \@last,
              "$engine: tail: the last, the oldest first");
    my $pid = open(my $out, '-|') // die "fork: $!\n";
    if (!$pid) {
        open(STDERR, '>', '/dev/null');
        { exec(program(), qw(audit tail -f --interval 20ms --limit 1 --format json model!=unseen --columns), 'id,model') }
        POSIX::_exit(127);
    }
    is($json->decode(scalar <$out>)->{id}, $last[-1], "$engine: tail -f begins with the last");
    # Another segment, with one that has an earlier time than what is there; the third passes no filter.
    my $more = AuditRows->new('node-2', 1000 + $$);
    for my $i (1 .. 3) {
        $more->call({ id => AuditRows::call_id(900_000 + $i), time => $start + $i, model => $i == 2 ? 'unseen' : "new-$i" });
    }
    $fill->($more->sql);
    is($json->decode(scalar <$out>)->{model}, 'new-1', "$engine: what comes is printed");
    is($json->decode(scalar <$out>)->{model}, 'new-3', "$engine: but for what a filter leaves out");
    $more->call({ id => AuditRows::call_id(900_004), time => $start, model => 'new-4' });
    $fill->($more->sql);
    is($json->decode(scalar <$out>)->{model}, 'new-4', "$engine: once each");
    kill('TERM', $pid);
    close($out);
    $fill->("DELETE FROM ai_audit_calls WHERE node = 'node-2';\n");
    return;
}

# ---------------------------------------------------------------------------- the engines

sub test_engine
{
    my ($engine, $fill) = @_;
    is((run('db', 'init'))[0], 0, "$engine: db init");
    $fill->($sql);
    test_filters($engine);
    test_pages($engine);
    test_formats($engine);
    test_usage($engine);
    test_export($engine);
    test_show($engine);
    test_tail($engine, $fill);
    return;
}

# Runs SQL in SQLite's file.
sub fill_sqlite
{
    my ($path, $text) = @_;
    Aictl::write_file("$dir/fill.sql", $text, 0644);
    system('python3', '-c', 'import sqlite3, sys
base = sqlite3.connect(sys.argv[1], isolation_level=None)
base.executescript(open(sys.argv[2], encoding="utf-8", newline="").read())', $path, "$dir/fill.sql") == 0 or die "sqlite: $?\n";
    return;
}

sub fill_server
{
    my ($server, $text) = @_;
    my $mysql = $server->driver eq 'mysql';
    Aictl::write_file("$dir/fill.sql", ($mysql ? "SET NAMES utf8mb4; SET sql_mode = 'NO_BACKSLASH_ESCAPES';\n" : '') . $text, 0644);
    $server->sql('audit', $mysql ? "source $dir/fill.sql" : "\\i $dir/fill.sql");
    return;
}
# --------------------------------------------------------------------- who may only read

# A user of the database who may do nothing but SELECT gets the same.
sub test_reader
{
    my ($server) = @_;
    my $driver = $server->driver;
    my $secret = Databases::secret();
    if ($driver eq 'pgsql') {
        $server->sql('audit', "CREATE USER reader PASSWORD '$secret'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader");
    }
    else {
        $server->sql('audit', "CREATE USER reader\@localhost IDENTIFIED BY '$secret'; GRANT SELECT ON audit.* TO reader\@localhost");
    }
    local $ENV{AI_DATABASE} = $ENV{AI_DATABASE} =~ s/user=ai\b/user=reader/r;
    my $id = (ordered())[-1];
    is_deeply(listed('--columns', 'id', '--limit', 1), [$id], "$driver: search by who may only read");
    like(output('audit', 'show', $id), qr/^id: $id$/m, "$driver: show");
    is(scalar(@{ objects(output('usage', '--by', 'node', '--format', 'json')) }), 1, "$driver: usage");
    is(scalar(split /\n/, output('audit', 'export', '--limit', 5)), 5, "$driver: export");
    is(scalar(@{ objects(output('audit', 'tail', '--limit', 2, '--format', 'json')) }), 2, "$driver: tail");
    return;
}

1;
