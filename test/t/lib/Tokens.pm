# SPDX-License-Identifier: Apache-2.0
#
# Tokens - how does a test get a key of an issuer, a JWK set and a token?
#
#   my $key = Tokens::key('RS256', 'k1');          # any algorithm of JWA but none
#   Tokens::set($key, ...)                         # a JWK set, as text: public halves, or secrets
#   Tokens::token($key, \%claims, %header)         # header: alg, kid and what is said here
#   Tokens::token_of($key, $header, $payload)      # both texts as they are
#   Tokens::good(iss => ...)                       # claims that are good for an hour
#   Tokens::tampered($token)                       # with another signature
#
# Signed by the program openssl, and written from RFC 7515, 7518 and 8037: not with the code of
# modules/lib.

package Tokens;

use strict;
use warnings;

use Digest::SHA ();
use File::Temp qw(tempdir);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);

my $dir  = tempdir('ai-tokens-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $json = JSON::PP->new->utf8->canonical;
my $n    = 0;
# Of each curve: its name for openssl, bytes of a coordinate.
my %curve = (ES256 => ['P-256', 32], ES384 => ['P-384', 48], ES512 => ['P-521', 66]);

sub put
{
    my ($file, $bytes) = @_;
    open(my $fh, '>:raw', $file) or die "$file: $!\n";
    print $fh $bytes;
    close($fh) or die "$file: $!\n";
    return $file;
}

# What a program says.
sub run
{
    my (@command) = @_;
    open(my $from, '-|:raw', 'sh', '-c', 'exec "$@" 2>/dev/null', 'sh', @command) or die "@command: $!\n";
    local $/;
    my $said = <$from>;
    close($from) or die "@command: status $?\n";
    return $said;
}

sub key
{
    my ($alg, $kid) = @_;
    my $key = { alg => $alg, kid => $kid, pem => "$dir/" . ++$n . '.pem' };
    if ($alg =~ /^HS(\d+)/) {
        open(my $random, '<:raw', '/dev/urandom') or die "random: $!\n";
        read($random, $key->{secret}, $1 / 8);
        $key->{jwk} = { kty => 'oct', k => encode_base64url($key->{secret}) };
    }
    elsif ($alg =~ /^[RP]S/) {
        run('openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', $key->{pem});
        my ($hex) = run('openssl', 'rsa', '-in', $key->{pem}, '-noout', '-modulus') =~ /=(\w+)/;
        $key->{jwk} = { kty => 'RSA', n => encode_base64url(pack('H*', $hex)), e => 'AQAB' };
    }
    elsif ($curve{$alg}) {
        my ($name, $bytes) = @{ $curve{$alg} };
        run('openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt', "ec_paramgen_curve:$name", '-out', $key->{pem});
        my $point = substr(run('openssl', 'pkey', '-in', $key->{pem}, '-pubout', '-outform', 'DER'), -2 * $bytes);
        $key->{jwk} = { kty => 'EC', crv => $name, x => encode_base64url(substr($point, 0, $bytes)),
                        y => encode_base64url(substr($point, $bytes)) };
    }
    else {
        my ($name, $bytes) = $alg eq 'Ed448' ? ('Ed448', 57) : ('Ed25519', 32);
        run('openssl', 'genpkey', '-algorithm', $name, '-out', $key->{pem});
        my $point = substr(run('openssl', 'pkey', '-in', $key->{pem}, '-pubout', '-outform', 'DER'), -$bytes);
        $key->{jwk} = { kty => 'OKP', crv => $name, x => encode_base64url($point) };
    }
    $key->{jwk}{kid} = $kid if defined $kid;
    return $key;
}

sub set { return $json->encode({ keys => [map { $_->{jwk} } @_] }) }

# An ASN.1 pair of numbers as two of fixed length, side by side.
sub pair
{
    my ($der, $bytes) = @_;
    my @numbers;
    my $at = ord(substr($der, 1, 1)) & 0x80 ? 3 : 2;
    for (1, 2) {
        my $length = ord(substr($der, $at + 1, 1));
        my $number = substr($der, $at + 2, $length) =~ s/^\0+//r;
        push @numbers, "\0" x ($bytes - length $number) . $number;
        $at += 2 + $length;
    }
    return join('', @numbers);
}

sub signature
{
    my ($key, $text) = @_;
    my ($bits) = $key->{alg} =~ /(256|384|512)$/;
    if (defined $key->{secret}) {
        my $hmac = Digest::SHA->can("hmac_sha$bits");
        return $hmac->($text, $key->{secret});
    }
    my $file = put("$dir/text", $text);
    if (!$bits) {
        return run('openssl', 'pkeyutl', '-sign', '-rawin', '-inkey', $key->{pem}, '-in', $file);
    }
    my @pss = $key->{alg} =~ /^PS/ ? ('-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest') : ();
    my $signature = run('openssl', 'dgst', "-sha$bits", '-sign', $key->{pem}, @pss, $file);
    return $curve{ $key->{alg} } ? pair($signature, $curve{ $key->{alg} }[1]) : $signature;
}

sub token_of
{
    my ($key, $header, $payload) = @_;
    my $text = encode_base64url($header) . '.' . encode_base64url($payload);
    return "$text." . encode_base64url(signature($key, $text));
}

sub token
{
    my ($key, $claims, %header) = @_;
    my $alg = $key->{alg} =~ /^Ed/ ? 'EdDSA' : $key->{alg};
    %header = (alg => $alg, typ => 'JWT', (defined $key->{kid} ? (kid => $key->{kid}) : ()), %header);
    delete $header{$_} for grep { !defined $header{$_} } keys %header;
    return token_of($key, $json->encode(\%header), $json->encode($claims));
}

sub good
{
    my (%claims) = @_;
    my $now = time;
    return { aud => 'ai-gateway', iat => $now, exp => $now + 3600, sub => 'ada', %claims };
}

sub tampered
{
    my ($token) = @_;
    my $at = rindex($token, '.') + 5;
    substr($token, $at, 1, substr($token, $at, 1) eq 'A' ? 'B' : 'A');
    return $token;
}

1;
