# SPDX-License-Identifier: Apache-2.0
#
# AuditRows - calls for the tests of what looks into the audit: in segments as they lie in a spool, and
# as rows of the tables (docs/design/0007-audit.md).
#
#   my $rows = AuditRows->new($node);
#   $rows->call(\%record, begin => 1, ...);  # the record of an end, a hash of its members
#   $rows->write_spool($folder);
#   $rows->fill($fill);                      # a function that runs a file of SQL
#
# Chains, digests and CRCs are those that the writer of a spool makes.

package AuditRows;

use strict;
use warnings;

use Digest::SHA qw(sha256 sha256_hex);
use Encode qw(encode_utf8);
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Spool ();

my $json = JSON::PP->new->canonical->allow_nonref;

our %TYPES = (begin => 1, end => 2, note => 3, close => 6, prompt => 16, answer => 17);

# Columns of ai_audit_calls, and where a record has them.
our @COLUMNS = map { [split /=/] } qw(
    node=node tenant=tenant usr=user key_id=key tier=tier address=address endpoint=endpoint
    dialect=dialect model=model served=served target=target route=route cache=cache guard=guard
    limited=limit deny=deny status=status finish=finish stream=stream attempts=attempts
    tokens_prompt=tokens.prompt tokens_completion=tokens.completion tokens_cached=tokens.cached
    tokens_reasoning=tokens.reasoning tokens_written=tokens.written tokens_source=tokens.source
    cost_nanousd=cost.nanousd saved_nanousd=cost.saved first_us=us.first upstream_us=us.upstream
    overhead_us=us.overhead total_us=us.total trace_id=trace.id);

# The id of a call, made from its number.
sub call_id { return sprintf('%08x-%04x-7%03x-8000-%012x', 0x019abcde, 0x1234, $_[1] // 0, $_[0]) }

sub time_text
{
    my ($us) = @_;
    my @at = gmtime(int($us / 1_000_000));
    return sprintf('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', $at[5] + 1900, $at[4] + 1, @at[3, 2, 1, 0],
                   $us % 1_000_000);
}

# What a record has at "member" or "member.inner".
sub member
{
    my ($record, $path) = @_;
    my ($outer, $inner) = split /\./, $path, 2;
    my $value = $record->{$outer};
    return defined $inner ? (ref $value eq 'HASH' ? $value->{$inner} : undef)
         : ref $value eq 'ARRAY' ? scalar(@$value) : $value;
}

sub new
{
    my ($class, $node, $number) = @_;
    my $id = sprintf('019abcde-0000-7000-9000-%012x', $number // 1);
    my $head = pack('a8 V V a16 q< V x4 a64 a16 a32 x28', "\xa1spool\r\n", 1, 192, pack('H*', $id =~ s/-//gr),
                    1_760_000_000_000_000, 4711, $node, '', '');
    my $self = bless { id => $id, node => $node, chain => sha256($head), n => 0,
                       bytes => $head . pack('V', Spool::crc32c(0, $head)),
                       seed => Spool::crc32c(0, substr($head, 16, 16)), sql => [], texts => {} }, $class;
    return $self;
}

sub quoted
{
    my ($value) = @_;
    return 'NULL' if !defined $value;
    return "'" . ($value =~ s/'/''/gr) . "'";
}

# Adds rows of a table, a hash each; all of them have the same columns.
sub insert
{
    my ($self, $table, @rows) = @_;
    my @columns = sort keys %{ $rows[0] };
    push @{ $self->{sql} }, "INSERT INTO $table (" . join(', ', @columns) . ') VALUES ('
        . join('), (', map { my $row = $_; join(', ', map { quoted($row->{$_}) } @columns) } @rows) . ');';
    return;
}

# Appends a record; its frame's id. removed: its body is gone from the database.
sub frame
{
    my ($self, $type, $call, $us, $body, %how) = @_;
    my $id = sprintf('%s:%010d', $self->{id}, $self->{n});
    my $chained = pack('V v v Q< q< a16 a32', length $body, $TYPES{$type}, 0, $self->{n}++, $us,
                       pack('H*', $call =~ s/-//gr), sha256($body));
    $self->{chain} = sha256($self->{chain} . $chained);
    my $covered = pack('V V', Spool::crc32c($self->{seed}, $body), length $body) . $chained . $self->{chain};
    $self->{bytes} .= "\xa1rec" . pack('V', Spool::crc32c($self->{seed}, $covered)) . $covered . $body
        . "\0" x (-length($body) & 7);
    my $is_text = $body =~ /\A[\x20-\x7e]*\z/;
    $self->insert('ai_audit_frames', { id => $id, call_id => $call, type => $TYPES{$type}, time => $us,
        length => length $body, digest => sha256_hex($body), chain => unpack('H*', $self->{chain}),
        coding => $is_text ? 0 : 2, removed => $how{removed} ? 1 : 0,
        body => $how{removed} ? undef : $is_text ? $body : encode_base64($body, '') });
    return $id;
}

# Adds a call: its begin and its end, and the row to search by. record->{id} and {time}, in microseconds,
# must be there. How: begin => 0 (none), end => 0 (none, estimated => 1 makes the row of it), removed,
# row => 0 (there is none yet).
sub call
{
    my ($self, $record, %how) = @_;
    my ($id, $us) = @{$record}{qw(id time)};
    my %said = (v => 1, node => $self->{node}, %$record, time => time_text($us));
    my %first = map { exists $said{$_} ? ($_ => $said{$_}) : () }
        qw(v id time node server tenant user key tier label address method path endpoint dialect model
           stream reserved metadata headers trace);
    my $frame;
    $frame = $self->frame('begin', $id, $us, encode_utf8($json->encode(\%first))) if $how{begin} // 1;
    my $text = encode_utf8($json->encode(\%said));
    $frame = $self->frame('end', $id, $us + 1000, $text, %how) if $how{end} // 1;
    $self->{texts}{$id} = ($how{end} // 1) ? $text : encode_utf8($json->encode(\%first));
    my %row = (id => $id, time => $us, estimated => $how{estimated} ? 1 : 0, frame => $frame);
    for my $column (@COLUMNS) {
        my $value = member(\%said, $column->[1]);
        $value = $value ? 1 : 0 if $column->[1] eq 'stream' && defined $value;
        $row{ $column->[0] } = defined $value && $value !~ /\A-?\d+\z/ ? encode_utf8($value) : $value;
    }
    $self->insert('ai_audit_calls', \%row) if $how{row} // 1;
    return \%said;
}

sub note
{
    my ($self, $call, $us, %said) = @_;
    my $frame = $self->frame('note', $call, $us,
                             encode_utf8($json->encode({ v => 1, id => $call, time => time_text($us), %said })));
    $self->insert('ai_audit_feedback', { id => $frame, call_id => $call, tenant => $said{tenant},
                  usr => $said{user}, time => $us, feedback => $said{feedback}, score => $said{score} });
    return;
}

sub text { my ($self, $id) = @_; return $self->{texts}{$id} }

# The segment as it is now: its writer is gone.
sub write_spool
{
    my ($self, $folder) = @_;
    open(my $fh, '>:raw', "$folder/$self->{id}.spool") or die "$folder: $!\n";
    print $fh $self->{bytes};
    close($fh) or die "$folder: $!\n";
    return;
}

# The SQL of all that was added since the last call, with the segment's row.
sub sql
{
    my ($self) = @_;
    my %segment = (node => $self->{node}, pid => 4711, created => 1_760_000_000_000_000, previous => undef,
                   writer => $self->{id}, records => $self->{n}, state => 0, torn => 0, damaged => 0,
                   chain => unpack('H*', $self->{chain}), settled => 0);
    if (!$self->{filled}++) {
        $self->insert('ai_audit_segments', { id => $self->{id}, %segment });
    }
    else {
        push @{ $self->{sql} }, "UPDATE ai_audit_segments SET records = $self->{n}, chain = '$segment{chain}' "
            . "WHERE id = '$self->{id}';";
    }
    return join("\n", 'BEGIN;', splice(@{ $self->{sql} }), "COMMIT;\n");
}

1;
