# SPDX-License-Identifier: Apache-2.0
#
# KeyServer - an httpd of a test's own whose targets have keys of the provider's, for tests of their
# custody.
#
#   my $server = KeyServer->new(files => { a => 'sk-aaaa' }, scripts => { s => 'echo sk-bbbb' },
#                               conf => $text);       # KEYS stands for the folder with both
#   my $answer = $server->ask(sim => 'status=401;whose=aaaa');
#   $server->tails($answer)                           # the ends of the keys that the provider saw
#   $server->put('a', 'sk-cccc')                      # another file of that name, at once
#   $server->lines('AI0510')                          # the error log's lines with that number
#
# There is /v1, which goes to the target "t"; conf has to define it. Four children.

package KeyServer;

use strict;
use warnings;

use parent -norequire, 'OwnServer';

use File::Temp qw(tempdir);
use Gate ();
use OwnServer ();
use POSIX ();
use StatusPage ();

sub new
{
    my ($class, %o) = @_;
    my $keys = tempdir('ai-custody-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my %self = (keys => $keys);
    put(\%self, $_, $o{files}{$_}) for keys %{ $o{files} // {} };
    script(\%self, $_, $o{scripts}{$_}) for keys %{ $o{scripts} // {} };
    my $conf = ($o{conf} // '') =~ s/\bKEYS\b/$keys/gr;
    my $self = $class->SUPER::new(children => $o{children} // 4, conf => <<"END");
AIAnonymous On
AIRouteRetries 0
$conf
<Location /v1>
    AIEngine On
    AIRoute * @{[ $o{route} // 't' ]}
</Location>
<Location /server-status>
    SetHandler server-status
</Location>
END
    $self->{keys} = $keys;
    return $self;
}

# The inside of an <AITarget> at the simulator.
sub target
{
    my ($name, @lines) = @_;
    return join("\n", "<AITarget $name>", "AITargetURL http://127.0.0.1:$ENV{AI_SIM_PORT}/v1",
                'AITargetForward X-Sim', @lines, '</AITarget>', '');
}

sub put
{
    my ($self, $name, $text, $mode) = @_;
    my $path = "$self->{keys}/$name";
    open(my $fh, '>', "$path.new") or die "$path.new: $!\n";
    print $fh $text;
    close($fh) or die "$path.new: $!\n";
    chmod($mode // 0600, "$path.new");
    rename("$path.new", $path) or die "$path: $!\n";
    return;
}

sub script
{
    my ($self, $name, $text) = @_;
    return put($self, $name, "#!/bin/sh\n" . ($text =~ s/\bKEYS\b/$self->{keys}/gr) . "\n", 0700);
}

sub ask
{
    my ($self, %o) = @_;
    return $self->caller->request(path => $o{path} // '/v1/chat/completions',
                                  body => $o{body} // Gate::chat(stream => $o{stream}),
                                  headers => { 'X-Sim' => $o{sim} // 'tokens=1' });
}

# In the order of the attempts; n: how many there must be at least.
sub tails
{
    my ($self, $answer, $n) = @_;
    return map { $_->{key_tail} } Gate::truths($answer->{headers}{'x-request-id'}, $n // 1);
}

sub lines
{
    my ($self, $what) = @_;
    return grep { /$what/ } split /\n/, $self->said;
}

# Waits until the log has so many of them.
sub await_lines
{
    my ($self, $what, $n) = @_;
    return @{ Gate::await("$n lines with $what", sub { my @l = $self->lines($what); return @l >= $n ? \@l : undef }) };
}

# What the status page says of a key: name => number.
sub state_of
{
    my ($self, $key) = @_;
    my $all = StatusPage::values_of($self);
    return { map { /^AIKey\[\Q$key\E\](\w+)$/ ? ($1 => $all->{$_}) : () } keys %$all };
}

# -------------------------------------------------------------------------------- traffic

# Callers that ask all the time, until stop_traffic() tells what they got: status => how often.
sub start_traffic
{
    my ($self, $n, %o) = @_;
    for (1 .. $n) {
        pipe(my $from, my $to) or die "pipe: $!\n";
        my $pid = fork() // die "fork: $!\n";
        if (!$pid) {
            my $go = 1;
            local $SIG{TERM} = sub { $go = 0 };
            close($from);
            while ($go) {
                my $status = eval { $self->ask(%o)->{status} } // 'none';
                syswrite($to, "$status\n");
            }
            POSIX::_exit(0);
        }
        close($to);
        push @{ $self->{traffic} }, { pid => $pid, from => $from };
    }
    return;
}

sub stop_traffic
{
    my ($self) = @_;
    my %seen;
    my @traffic = @{ delete $self->{traffic} // [] };
    kill('TERM', map { $_->{pid} } @traffic);
    for my $caller (@traffic) {
        my $from = $caller->{from};
        while (my $line = <$from>) {
            chomp $line;
            $seen{$line}++;
        }
        waitpid($caller->{pid}, 0);
    }
    return \%seen;
}

sub DESTROY
{
    my ($self) = @_;
    local ($?, $!, $@);
    $self->stop_traffic if $self->{owner} == $$;
    $self->SUPER::DESTROY;
    return;
}

1;
