# SPDX-License-Identifier: Apache-2.0
#
# Keys - how does a test get a gateway key, and a file of them?
#
#   my $key = Keys::make(name => 'ada', tenant => 'acme/red');  # members of its record
#   $key->{text}                          # what a caller sends
#   Keys::write($path, $key, ...)         # a file, put in the place of the old one at once
#   Keys::broken($key)  Keys::forged($key)  # its text with a slip; with another secret
#
# Written from the description of a key's text in modules/lib/ai_key.h, not with the code there.

package Keys;

use strict;
use warnings;

use Compress::Raw::Zlib ();
use Digest::SHA ();
use JSON::PP ();

my @digits = ('0' .. '9', 'A' .. 'Z', 'a' .. 'z');

sub random_text { return join('', map { $digits[int rand @digits] } 1 .. $_[0]) }

sub text
{
    my ($id) = @_;
    my $text = "sk-ai-$id-" . random_text(43);
    my $crc = Compress::Raw::Zlib::crc32($text);
    my $check = '';
    for (1 .. 6) {
        $check = $digits[$crc % 62] . $check;
        $crc = int($crc / 62);
    }
    return $text . $check;
}

sub make
{
    my (%record) = @_;
    my $id = delete $record{id} // random_text(12);
    my $text = text($id);
    return { id => $id, text => $text,
             record => { id => $id, digest => 'sha256:' . Digest::SHA::sha256_hex($text), %record } };
}

sub forged { return text($_[0]{id}) }

# One character of the secret is another one.
sub broken
{
    my ($key) = @_;
    my $text = $key->{text};
    my $old = substr($text, 30, 1);
    substr($text, 30, 1, $old eq 'a' ? 'b' : 'a');
    return $text;
}

sub lines { return join('', map { JSON::PP->new->canonical->encode($_->{record}) . "\n" } @_) }

sub put
{
    my ($path, $text) = @_;
    open(my $fh, '>', "$path.new") or die "$path.new: $!\n";
    print $fh $text;
    close($fh) or die "$path.new: $!\n";
    chmod(0600, "$path.new");
    rename("$path.new", $path) or die "$path: $!\n";
    return;
}

sub write
{
    my ($path, @keys) = @_;
    return put($path, lines(@keys));
}

1;
