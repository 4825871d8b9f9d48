# SPDX-License-Identifier: Apache-2.0
#
# H2 - how does a test hold several HTTP/2 streams on one connection, and reset one of them?
#
#   my $caller = H2->new(port => Gate::port_of('estate_tls'));
#   my $id = $caller->ask(path => '/v1/chat/completions', headers => {...}, body => $json);
#   $caller->until(sub { $caller->stream($id)->{body} =~ /data:/ });
#   $caller->reset($id);                    # RST_STREAM, CANCEL; the connection lives on
#   my $answer = $caller->finish($id);      # as in Gate: status, body, whole
#
# A stream is a hash: status, body, ended, whole (1 when the peer ended it), reset (the peer's
# error code). Curl, which Gate uses for h2, can do none of this. Of header blocks only the status
# is read, so no table is kept: we tell the peer to use none.

package H2;

use strict;
use warnings;

use Gate ();
use IO::Socket::SSL ();
use Time::HiRes ();

my ($DATA, $HEADERS, $RST, $SETTINGS, $PING, $GOAWAY, $WINDOW) = (0, 1, 3, 4, 6, 7, 8);
my ($END_STREAM, $END_HEADERS, $ACK) = (1, 4, 1);
my $CANCEL = 8;
my $MUCH   = 0x40000000;    # of a window: we take whatever comes

sub new
{
    my ($class, %o) = @_;
    my $socket = IO::Socket::SSL->new(
        PeerAddr => '127.0.0.1', PeerPort => $o{port}, Timeout => $Gate::DEADLINE,
        SSL_verifycn_name => 'localhost', SSL_hostname => 'localhost',
        SSL_ca_file => "$ENV{AI_CERTS}/ca.pem", SSL_alpn_protocols => ['h2'], %{ $o{ssl} // {} })
        or die "port $o{port}: $! $IO::Socket::SSL::SSL_ERROR\n";
    die "no HTTP/2 on port $o{port}\n" if ($socket->alpn_selected // '') ne 'h2';
    my $self = bless { socket => $socket, in => '', next => 1, streams => {}, settings => {} }, $class;
    $self->write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    $self->frame($SETTINGS, 0, 0, pack('nNnN', 1, 0, 4, $MUCH)); # no header table, wide windows
    $self->frame($WINDOW, 0, 0, pack('N', $MUCH));
    $self->until(sub { exists $self->{settings}{3} });
    return $self;
}

sub write
{
    my ($self, $bytes) = @_;
    local $SIG{PIPE} = 'IGNORE';
    while (length $bytes) {
        my $n = syswrite($self->{socket}, $bytes) or die "the connection is closed\n";
        substr($bytes, 0, $n, '');
    }
    return;
}

sub frame
{
    my ($self, $type, $flags, $id, $payload) = @_;
    return $self->write(substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $id) . $payload);
}

# A string of a header block: its length in 7 bits and more, then its bytes as they are.
sub text
{
    my ($text) = @_;
    my $n = length $text;
    return chr($n) . $text if $n < 127;
    my $length = chr 127;
    for ($n -= 127; $n >= 128; $n >>= 7) {
        $length .= chr(128 | $n & 127);
    }
    return $length . chr($n) . $text;
}

# Sends a request and returns the id of its stream. The body must fit the first window (64 KB).
sub ask
{
    my ($self, %o) = @_;
    my $id = $self->{next};
    $self->{next} += 2;
    my %headers = (defined $o{body} ? ('content-type' => 'application/json') : (), %{ $o{headers} // {} });
    my $block = join('', map { "\0" . text($_->[0]) . text($_->[1]) }
        [':method', $o{method} // (defined $o{body} ? 'POST' : 'GET')], [':scheme', 'https'],
        [':authority', 'localhost'], [':path', $o{path}],
        map { [lc $_, $headers{$_}] } sort keys %headers);
    $self->{streams}{$id} = { body => '', whole => 0 };
    $self->frame($HEADERS, $END_HEADERS | (defined $o{body} ? 0 : $END_STREAM), $id, $block);
    while (defined $o{body}) {
        my $part = substr($o{body}, 0, 16384, '');
        my $last = !length $o{body};
        $self->frame($DATA, $last ? $END_STREAM : 0, $id, $part);
        last if $last;
    }
    return $id;
}

sub reset
{
    my ($self, $id) = @_;
    $self->{streams}{$id}{ended} = 1;
    return $self->frame($RST, 0, $id, pack('N', $CANCEL));
}

# Leaves, with whatever is under way.
sub close { return $_[0]{socket}->close(SSL_no_shutdown => 1) }

sub stream   { return $_[0]{streams}{ $_[1] } }
sub setting  { return $_[0]{settings}{ $_[1] } }

# :status of a header block. Indexed, or a literal of three digits, perhaps in Huffman's code.
sub status_of
{
    my ($block) = @_;
    my %indexed = (0x88, 200, 0x89, 204, 0x8a, 206, 0x8b, 304, 0x8c, 400, 0x8d, 404, 0x8e, 500);
    $block =~ s/\A[\x20-\x3f]+//;    # how long the table is
    return $indexed{ ord $block } if $indexed{ ord $block };
    my ($length, $rest) = $block =~ /\A[\x08\x48\x18](.)(.*)/s or die "no status in the head\n";
    my $value = substr($rest, 0, ord($length) & 127);
    return $value unless ord($length) & 128;
    my $bits = unpack('B*', $value);
    my $digits = '';
    while (length $digits < 3) {
        $digits .= $bits =~ s/\A000(00|01|10)// ? oct "0b$1"
                 : $bits =~ s/\A011(\d\d\d)//   ? oct("0b$1") + 2
                 : die "no digits in the status\n";
    }
    return $digits;
}

sub take
{
    my ($self, $type, $flags, $id, $payload) = @_;
    my $stream = $self->{streams}{$id};
    if ($type == $SETTINGS && !($flags & $ACK)) {
        my %all = unpack('(nN)*', $payload);
        $self->{settings}{$_} = $all{$_} for keys %all;
        $self->frame($SETTINGS, $ACK, 0, '');
    }
    elsif ($type == $PING && !($flags & $ACK)) {
        $self->frame($PING, $ACK, 0, $payload);
    }
    elsif ($type == $GOAWAY) {
        $self->{goaway} = unpack('x4N', $payload);
    }
    elsif ($stream && $type == $HEADERS) {
        $stream->{status} //= status_of($payload);
    }
    elsif ($stream && $type == $DATA) {
        $stream->{body} .= $payload;
    }
    elsif ($stream && $type == $RST) {
        @$stream{qw(reset ended)} = (unpack('N', $payload), 1);
    }
    if ($stream && ($type == $HEADERS || $type == $DATA) && $flags & $END_STREAM) {
        @$stream{qw(whole ended)} = (1, 1);
    }
    return;
}

sub one_frame
{
    my ($self) = @_;
    while (length $self->{in} < 9 || length $self->{in} < 9 + unpack('N', "\0" . substr($self->{in}, 0, 3))) {
        local $SIG{ALRM} = sub { die "nothing came in $Gate::DEADLINE s\n" };
        Time::HiRes::alarm($Gate::DEADLINE);
        my $n = eval { sysread($self->{socket}, $self->{in}, 65536, length $self->{in}) };
        my $died = $@;
        Time::HiRes::alarm(0);
        die $died if $died;
        die "the connection ended\n" unless $n;
    }
    my ($type, $flags, $id) = unpack('x3CCN', $self->{in});
    my $payload = substr($self->{in}, 9, unpack('N', "\0" . substr($self->{in}, 0, 3)));
    substr($self->{in}, 0, 9 + length $payload, '');
    return $self->take($type, $flags, $id & 0x7fffffff, $payload);
}

# Reads until the condition holds. Dies when nothing comes any more.
sub until
{
    my ($self, $holds) = @_;
    $self->one_frame until $holds->();
    return 1;
}

sub finish
{
    my ($self, $id) = @_;
    $self->until(sub { $self->{streams}{$id}{ended} });
    return { headers => { 'content-type' => 'text/event-stream' }, error => undef, %{ $self->{streams}{$id} } };
}

sub request
{
    my ($self, %o) = @_;
    return $self->finish($self->ask(%o));
}

1;
