# SPDX-License-Identifier: Apache-2.0
#
# Form - multipart/form-data for tests.
#
#   my $body = Form::body(model => 'whisper-1', file => ['a.wav', $bytes]);
#   $caller->request(path => $path, body => $body, headers => { Form::type(), 'X-Sim' => 'echo=1' });
#
# A long one is sent as it is made, so that the test holds no more of it than the gateway should:
#
#   my $long = Form::long(200 << 20, model => 'whisper-1');
#   Form::send($caller, $long, path => $path);             # or chunked => 1; returns what was sent
#   my $answer = $caller->finish;
#
# $long->{length} is its length, $long->{hash} what the simulator's truth says of it.

package Form;

use strict;
use warnings;

use Time::HiRes ();

our $BOUNDARY = '----sim-boundary-7MA4YWxk';

sub type { return ('Content-Type' => "multipart/form-data; boundary=$BOUNDARY") }

sub part
{
    my ($name, $value) = @_;
    my $head = "--$BOUNDARY\r\nContent-Disposition: form-data; name=\"$name\"";
    return "$head\r\n\r\n$value\r\n" unless ref $value;
    return "$head; filename=\"$value->[0]\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        . "$value->[1]\r\n";
}

sub end { return "--$BOUNDARY--\r\n" }

sub body
{
    my @fields = @_;
    my $body = '';
    while (my ($name, $value) = splice(@fields, 0, 2)) {
        $body .= part($name, $value);
    }
    return $body . end();
}

my $BLOCK = join('', map { chr($_ * 7 % 256) } 0 .. 65535);

# The fields, and then a file of so many bytes, a multiple of 64 KB. behind: parts after the file.
sub long
{
    my ($n, @fields) = @_;
    my $behind = '';
    my $before = '';
    while (my ($name, $value) = splice(@fields, 0, 2)) {
        $name eq 'behind' ? ($behind = $value) : ($before .= part($name, $value));
    }
    my $file = part(file => ['long.bin', '']);
    $file =~ s/\r\n\z//;
    my $tail = "\r\n$behind" . end();
    return { head => $before . $file, blocks => $n / length $BLOCK, tail => $tail,
             length => length($before . $file) + $n + length $tail };
}

# The file's bytes.
sub blocks { return $BLOCK x $_[0]{blocks} }

# The FNV-1a hash of all of it, as the simulator has it. For short ones: this is slow.
sub hash
{
    my ($form) = @_;
    use integer;
    my $hash = -3750763034362895579;    # 0xcbf29ce484222325
    $hash = ($hash ^ $_) * 1099511628211
        for unpack('C*', $form->{head} . blocks($form) . $form->{tail});
    return sprintf('%016x', $hash);
}

# Sends it; returns how many bytes of the body went before the peer took no more. on_block is called
# with the number of blocks sent, before each; a true value ends it there.
sub send
{
    my ($caller, $form, %o) = @_;
    my %headers = (type(), %{ $o{headers} // {} });
    my $framing = $o{chunked} ? 'Transfer-Encoding: chunked'
                              : "Content-Length: $form->{length}";
    my $frame = sub { return $o{chunked} ? sprintf("%x\r\n%s\r\n", length $_[0], $_[0]) : $_[0] };
    my $sent = 0;
    $caller->{method} = 'POST';
    $caller->{answer} = undef;
    $caller->{began}  = Time::HiRes::time();
    my $ok = $caller->send_raw("POST $o{path} HTTP/1.1\r\nHost: localhost\r\n$framing\r\n"
                               . join('', map { "$_: $headers{$_}\r\n" } sort keys %headers)
                               . "\r\n");
    return 0 if $o{head_only};
    $ok &&= $caller->send_raw($frame->($form->{head}));
    $sent += length $form->{head} if $ok;
    for my $i (0 .. $form->{blocks} - 1) {
        return $sent if !$ok || ($o{on_block} && $o{on_block}->($i));
        $ok = $caller->send_raw($frame->($BLOCK));
        $sent += length $BLOCK if $ok;
    }
    $ok &&= $caller->send_raw($frame->($form->{tail}) . ($o{chunked} ? "0\r\n\r\n" : ''));
    return $ok ? $sent + length $form->{tail} : $sent;
}

1;
