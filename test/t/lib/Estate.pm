# SPDX-License-Identifier: Apache-2.0
#
# Estate - what the tests beside other modules ask of an answer.
#
#   is_served($answer, 'what')             200, and the provider saw /v1/chat/completions
#   is_refused($answer, 403, 'code', ...)  an error of ours: JSON, with an id
#   is_the_sites($answer, 404, $is)        not ours: no JSON error, no id of ours
#   own_conf()                             the lines of a server of its own that give it a target "sim"
#   neighbour('remoteip')                  its line to load a module of httpd's

package Estate;

use strict;
use warnings;

use Exporter qw(import);
use Gate ();
use Test::More;

our @EXPORT = qw(post is_served is_refused is_the_sites own_conf neighbour);

sub own_conf
{
    return <<"END";
<AITarget sim>
    AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1
    AITargetKeyFile $ENV{AI_STAGE}/t/conf/core.key
    AITargetForward X-Sim
</AITarget>
END
}

sub neighbour { return "LoadModule $_[0]_module $ENV{AI_HTTPD_MODULES}/mod_$_[0].so\n" }

sub post
{
    my ($caller, $path, %o) = @_;
    return $caller->request(path => $path, headers => $o{headers} // {},
                            body => $o{body} // Gate::chat(%o));
}

sub is_served
{
    my ($answer, $what) = @_;
    is($answer->{status}, 200, $what) or diag(Gate::brief($answer));
    my ($truth) = Gate::truths($answer->{headers}{'x-request-id'});
    is($truth->{path}, '/v1/chat/completions', "$what: at the right path");
    return $truth;
}

sub is_refused
{
    my ($answer, $status, $code, $what) = @_;
    my $error = eval { Gate::from_json($answer->{body})->{error} } // {};
    is_deeply([$answer->{status}, $answer->{headers}{'content-type'}, $error->{code}],
              [$status, 'application/json', $code], $what) or diag(Gate::brief($answer));
    like($answer->{headers}{'x-request-id'} // '', qr/^[0-9a-f-]{36}$/, "$what: with an id");
    return $error;
}

sub is_the_sites
{
    my ($answer, $status, $body, $what) = @_;
    is($answer->{status}, $status, "$what: status") or diag(Gate::brief($answer));
    like($answer->{body}, $body, "$what: the site's own answer");
    unlike($answer->{headers}{'x-request-id'} // '', qr/^[0-9a-f]{8}-/, "$what: without an id of ours");
    return;
}

1;
