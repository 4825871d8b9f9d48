# SPDX-License-Identifier: Apache-2.0
#
# Spool - what is in the segments of a spool's folder, as docs/design/0006-spool.md has the format?
#
#   my @records = Spool::records($folder);     # in order of the segments; hashes with type, id, time,
#                                              # sequence, body, json, segment, pid
#   my $call    = Spool::call($folder, $id);   # { begin => [...], end => [...] } of a request id
#   my $end     = Spool::await_end($folder, $id);
#
# Every CRC, digest and chain value is checked, and that numbers follow each other; what is wrong
# dies. What is behind the last whole record (a writer's that was killed) is left alone.

package Spool;

use strict;
use warnings;

use Digest::SHA qw(sha256);
use Gate ();

my @TYPES = (undef, qw(begin end note tombstone checkpoint close));
my @table = map { my $c = $_; $c = $c & 1 ? ($c >> 1) ^ 0x82f63b78 : $c >> 1 for 1 .. 8; $c } 0 .. 255;

sub crc32c
{
    my ($crc, $bytes) = @_;
    $crc ^= 0xffffffff;
    $crc = $table[($crc ^ $_) & 255] ^ ($crc >> 8) for unpack('C*', $bytes);
    return $crc ^ 0xffffffff;
}

sub uuid
{
    my ($bytes) = @_;
    return join('-', unpack('H8 H4 H4 H4 H12', $bytes));
}

sub segments
{
    my ($folder) = @_;
    my @files = sort glob("$folder/*.spool");
    return @files;
}

# The records of one segment.
sub read_segment
{
    my ($file) = @_;
    open(my $fh, '<:raw', $file) or return;    # shipped and removed meanwhile
    local $/;
    my $all = <$fh> // '';
    return if length $all < 192;
    my ($magic, $version, $length, $id, $created, $pid, $node, $before, $link) =
        unpack('a8 V V a16 q< V x4 Z64 a16 a32', $all);
    die "$file: no head\n" if $magic ne "\xa1spool\r\n" || $version != 1 || $length != 192;
    die "$file: the head's CRC\n" if unpack('V', substr($all, 188, 4)) != crc32c(0, substr($all, 0, 188));
    die "$file: another id than its name\n" if $file !~ /\Q@{[uuid($id)]}\E\.spool$/;
    my ($at, $sequence, $chain, $seed) = (192, 0, sha256(substr($all, 0, 188)), crc32c(0, $id));
    my @records;
    while (length $all >= $at + 120) {
        my $fixed = substr($all, $at, 120);
        last if substr($fixed, 0, 4) ne "\xa1rec";
        my ($crc, $body_crc, $stored, $written, $type, undef, $n, $time, $call, $digest, $value) =
            unpack('x4 V V V V v v Q< q< a16 a32 a32', $fixed);
        last if $crc != crc32c($seed, substr($fixed, 8, 112));
        my $body = substr($all, $at + 120, $stored);
        last if length $body != $stored;
        die "$file: record $n where $sequence should be\n" if $n != $sequence++;
        die "$file: record $n: its body's CRC\n" if $body_crc != crc32c($seed, $body);
        die "$file: record $n: its digest\n" if $stored == $written && $digest ne sha256($body);
        $chain = sha256($chain . substr($fixed, 16, 72));
        die "$file: record $n: its chain value\n" if $value ne $chain;
        push @records, { type => $TYPES[$type] // $type, id => uuid($call), time => $time / 1e6,
                         sequence => $n, body => $body, segment => uuid($id), pid => $pid,
                         node => $node,
                         json => $type >= 1 && $type <= 3 ? Gate::from_json($body) : undef };
        $at += 120 + ($stored + 7 & ~7);
    }
    return @records;
}

sub records
{
    my ($folder) = @_;
    return map { read_segment($_) } segments($folder);
}

# The records of a call, by the id that it had in x-request-id: its own id is that, or made of it.
sub call
{
    my ($folder, $id) = @_;
    my %call = (begin => [], end => []);
    my @records = records($folder);
    my ($named) = grep { $_->{json} && $_->{json}{id} eq $id } @records;
    push @{ $call{ $_->{type} } }, $_
        for grep { $_->{json} ? $_->{json}{id} eq $id : $named && $_->{id} eq $named->{id} } @records;
    return \%call;
}

# The same once its end is there.
sub await_call
{
    my ($folder, $id) = @_;
    return Gate::await("the end of $id in $folder", sub {
        my $call = call($folder, $id);
        return @{ $call->{end} } ? $call : undef;
    });
}

sub await_end { return await_call(@_)->{end}[0]{json} }

1;
