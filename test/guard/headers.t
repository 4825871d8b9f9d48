#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Does every header compile alone, with no more than its layer may see?
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use lib dirname(__FILE__);
use Guard;

my @cc    = (env_words('AI_CC'), qw(-std=gnu99 -fsyntax-only -Wall -Wextra -Werror -D_GNU_SOURCE -x c));
my @pure  = (env_words('AI_PURE_CPPFLAGS'), '-I' . build() . '/modules',
             map { '-I' . top() . "/modules/$_" } qw(lib dialects));
my @httpd = (@pure, env_words('AI_HTTPD_CPPFLAGS'));

sub compiles
{
    my ($file, @flags) = @_;
    my $dir = top() . '/' . dirname($file);
    my $out = `echo '#include "@{[top()]}/$file"' | @cc -I$dir @flags - 2>&1`;
    ok($? == 0, "$file compiles alone") or diag($out);
    return;
}

compiles($_, @pure) for files(qr/\.h$/, 'modules/lib', 'modules/dialects', 'test/unit', 'test/fuzz');
compiles($_) for files(qr/\.h$/, 'test/sim', 'bench');
compiles($_, @httpd, '-I' . top() . '/modules/core')
    for grep { !m{^modules/(?:lib|dialects)/} } files(qr/\.h$/, 'modules');
done_testing();
