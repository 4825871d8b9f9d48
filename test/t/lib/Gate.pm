# SPDX-License-Identifier: Apache-2.0
#
# Gate - how does a test talk through the gateway, and how does it learn what really happened?
#
# A caller speaks to one of three front ends of the host "route" (conf/route.conf.in), or to any
# other virtual host of the suite, or straight to the simulator:
#
#   my $caller = Gate::caller_of('h1');            # h1, tls or h2; second argument: the host
#   my $direct = Gate::caller_to_sim();
#   my $answer = $caller->request(path => '/fallback/v1/chat/completions',
#                                 headers => { 'X-Sim' => 'status=503' },
#                                 body => Gate::chat(stream => 1));
#
# request() is ask() + finish(); a test that stops halfway uses the parts:
#
#   $caller->ask(%request); $caller->read_until(qr/data:/); $caller->close;
#
# An answer is a hash: status, headers (names in lower case, the last value counts), body (without
# the transfer coding), whole (1 when its length or last chunk says that nothing is missing),
# seconds, and error (why reading stopped, or undef). Every read has a deadline and dies when it
# passes, so nothing here waits for ever.
#
# A caller keeps its connection as long as the answers allow it; a new caller has a new one. h2 is
# played by curl, one process for each request.
#
# What happened is asked by the answer's x-request-id, or by a mark of the test's own: mark() makes
# one, and a request with the header X-Mark has it in its log line (format "gate", route.conf.in).
#
#   Gate::truths($id, 2)      the simulator's lines of the last two calls with that id, once over
#   Gate::logged(id => $id)   the access log's line as a hash, once it is there

package Gate;

use strict;
use warnings;

use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time);

our $DEADLINE = 10;    # seconds that any one wait may last

my $json  = JSON::PP->new->utf8->canonical->allow_nonref;
my $marks = 0;
my $vhosts;

sub from_json { return $json->decode($_[0]) }
sub to_json   { return $json->encode($_[0]) }

sub mark { return sprintf('m%d-%d', $$, ++$marks) }

# The port of a virtual host of the suite. Read from the file that the framework leaves, since its
# own way to it looks for free ports again.
sub port_of
{
    my ($host) = @_;
    $vhosts //= do { require './t/conf/apache_test_config.pm'; apache_test_config->new->{vhosts} };
    my $vhost = $vhosts->{$host} or die "no virtual host $host\n";
    return $vhost->{port};
}

# The port that route.conf.in leaves to Gate::Canned.
sub canned_port
{
    open(my $conf, '<', 't/conf/route.conf') or die "t/conf/route.conf: $!\n";
    my ($port) = grep { defined } map { /^Define ROUTE_CANNED_PORT (\d+)/ ? $1 : undef } <$conf>;
    return $port // die "route.conf names no canned port\n";
}

sub sim_port
{
    return $ENV{AI_SIM_PORT} // die "AI_SIM_PORT is not set: run this with test/run_tests\n";
}

sub caller_of
{
    my ($front, $host) = @_;
    $host //= $front eq 'h1' ? 'route' : 'route_tls';
    return ($front eq 'h2' ? 'Gate::Curl' : 'Gate::Socket')->new(
        port => port_of($host), tls => $front eq 'h1' ? 0 : 1);
}

sub caller_to_sim { return Gate::Socket->new(port => sim_port(), tls => 0) }

# A chat request as JSON text. script goes behind the model's name; usage asks for the usage chunk;
# more is a hash of further members.
sub chat
{
    my (%o) = @_;
    my $model = $o{model} // 'm';
    $model .= "?$o{script}" if defined $o{script};
    my %body = (
        model    => $model,
        messages => [{ role => 'user', content => $o{text} // 'What does the river keep?' }],
        ($o{stream} ? (stream => JSON::PP::true()) : ()),
        ($o{usage} ? (stream_options => { include_usage => JSON::PP::true() }) : ()),
        %{ $o{more} // {} },
    );
    return to_json(\%body);
}

# ---------------------------------------------------------------------------- what was answered

# The events of a stream: hashes with name, data, comment (the text of a comment line).
sub events
{
    my ($body) = @_;
    my @events;
    for my $block (split /(?:\r\n\r\n|\n\n|\r\r)/, $body) {
        my %event;
        for my $line (split /\r\n|\n|\r/, $block) {
            my ($field, $value) = $line =~ /^(data|event|): ?(.*)$/s or next;
            my $key = { data => 'data', event => 'name', '' => 'comment' }->{$field};
            $event{$key} = $key eq 'data' && defined $event{data} ? "$event{data}\n$value" : $value;
        }
        push @events, \%event if %event;
    }
    return @events;
}

# Takes a streamed or plain chat answer apart: text, errors, done, fingerprints, usages, comments,
# chunks, finish. Events that are no JSON are counted in broken.
sub read_chat
{
    my ($answer) = @_;
    my %seen = (text => '', errors => [], done => 0, fingerprints => {}, usages => [],
                comments => 0, chunks => 0, broken => 0, finish => undef);
    my @texts = ($answer->{headers}{'content-type'} // '') =~ m{^text/event-stream}
        ? map { $seen{comments} += defined $_->{comment} ? 1 : 0; $_->{data} // () }
              events($answer->{body})
        : ($answer->{body});
    for my $text (@texts) {
        if ($text eq '[DONE]') {
            $seen{done}++;
            next;
        }
        my $value = eval { from_json($text) };
        if (ref $value ne 'HASH') {
            $seen{broken}++;
            next;
        }
        push @{ $seen{errors} }, $value->{error} if $value->{error};
        push @{ $seen{usages} }, $value->{usage} if $value->{usage};
        next if $value->{error};
        $seen{chunks}++;
        $seen{fingerprints}{ $value->{system_fingerprint} // '' } = 1;
        for my $choice (@{ $value->{choices} // [] }) {
            $seen{text} .= ($choice->{delta} // $choice->{message} // {})->{content} // '';
            $seen{finish} //= $choice->{finish_reason};
        }
    }
    return \%seen;
}

# The text that the simulator says in so many words.
sub words_of_sim
{
    my ($tokens) = @_;
    my $answer = caller_to_sim()->request(path => '/v1/chat/completions',
                                          body => chat(script => "tokens=$tokens"));
    return read_chat($answer)->{text};
}

# For diag(): an answer in a few lines.
sub brief
{
    my ($answer) = @_;
    my $headers = $answer->{headers};
    return join("\n", "status $answer->{status}, whole $answer->{whole}, "
                      . ($answer->{error} // 'no error'),
                (map { "$_: $headers->{$_}" } sort keys %$headers),
                length $answer->{body} . ' bytes: ' . substr($answer->{body}, 0, 700),
                '... ' . substr($answer->{body}, -300));
}

# ------------------------------------------------------------------------- what really happened

sub ask_sim
{
    my ($method, $path) = @_;
    my $answer = caller_to_sim()->request(method => $method, path => $path);
    return from_json($answer->{body});
}

sub reset_sim { return ask_sim('POST', '/_sim/reset') }
sub calls     { return ask_sim('GET', '/_sim/calls') }

# The calls with that x-request-id, oldest first, when at least n have ended.
sub truths
{
    my ($id, $n) = @_;
    my $ms = $DEADLINE * 1000;
    return @{ ask_sim('GET', "/_sim/wait?id=$id&timeout_ms=$ms&count=" . ($n // 1))->{calls} };
}

# Calls until() again and again, and gives what it returns once that is true; dies at the deadline.
sub await
{
    my ($what, $until) = @_;
    my $end = time + $DEADLINE;
    while (time < $end) {
        my $value = $until->();
        return $value if $value;
        select(undef, undef, undef, 0.002);
    }
    die "waited ${DEADLINE} s in vain for $what\n";
}

# The call with that mark= in its script, once it is over.
sub truth_of_mark
{
    my ($mark) = @_;
    return await("the end of call $mark", sub {
        my ($call) = grep { $_->{mark} eq $mark } @{ calls()->{last} };
        return $call;
    });
}

# Waits until so many calls are under way at the simulator.
sub await_active
{
    my ($n) = @_;
    return await("$n calls under way", sub { return calls()->{active} == $n });
}

# The access log's line with that value of id, mark or another field.
sub logged
{
    my ($field, $value) = @_;
    return await("the log line with $field $value", sub {
        open(my $log, '<', 't/logs/gate_log') or return;
        my $found;
        while (my $line = <$log>) {
            next unless $line =~ /\n\z/;
            my %fields = $line =~ /([\w-]+)="([^"]*)"/g;
            $found = \%fields if ($fields{$field} // '') eq $value;
        }
        return $found;
    });
}

# ------------------------------------------------- a caller with a socket: HTTP/1.1, plain or TLS

package Gate::Socket;

use strict;
use warnings;

use IO::Socket::INET ();
use IO::Socket::SSL  ();
use Socket           ();
use Time::HiRes qw(time);

sub new
{
    my ($class, %o) = @_;
    return bless { port => $o{port}, tls => $o{tls}, ssl => $o{ssl} // {}, in => '' }, $class;
}

sub connect
{
    my ($self) = @_;
    return $self->{socket} if $self->{socket};
    my @to = (PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => $Gate::DEADLINE);
    $self->{in} = '';
    $self->{socket} = $self->{tls}
        ? IO::Socket::SSL->new(@to, SSL_verifycn_name => 'localhost', SSL_hostname => 'localhost',
                               SSL_ca_file => "$ENV{AI_CERTS}/ca.pem",
                               SSL_alpn_protocols => ['http/1.1'], %{ $self->{ssl} })
        : IO::Socket::INET->new(@to, Proto => 'tcp');
    die "port $self->{port}: $! $IO::Socket::SSL::SSL_ERROR\n" unless $self->{socket};
    $self->{socket}->blocking(1);
    return $self->{socket};
}

sub close
{
    my ($self) = @_;
    my $socket = delete $self->{socket} or return;
    return $self->{tls} ? $socket->close(SSL_no_shutdown => 1) : $socket->close;
}

# Ends our sending side; we go on reading.
sub half_close { return CORE::shutdown($_[0]{socket}, 1) }

# Leaves with a TCP reset.
sub reset
{
    my ($self) = @_;
    setsockopt($self->{socket}, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack('ii', 1, 0))
        or die "SO_LINGER: $!\n";
    return CORE::close(delete $self->{socket});
}

sub send_raw
{
    my ($self, $bytes) = @_;
    my $socket = $self->connect;
    local $SIG{PIPE} = 'IGNORE';
    while (length $bytes) {
        my $n = syswrite($socket, $bytes, 65536);
        return 0 unless $n;
        substr($bytes, 0, $n, '');
    }
    return 1;
}

# Sends a request: method, path, headers, body. With chunked => N the body goes in chunks of N.
sub ask
{
    my ($self, %o) = @_;
    my $body = $o{body};
    my $method = $o{method} // (defined $body ? 'POST' : 'GET');
    my $head = "$method $o{path} HTTP/1.1\r\nHost: localhost\r\n";
    my %headers = (defined $body ? ('Content-Type' => 'application/json') : (),
                   %{ $o{headers} // {} });
    $head .= "$_: $headers{$_}\r\n" for sort keys %headers;
    if (defined $body && $o{chunked}) {
        $head .= "Transfer-Encoding: chunked\r\n";
        $body = join('', map { sprintf("%x\r\n%s\r\n", length $_, $_) }
                             unpack("(a$o{chunked})*", $body)) . "0\r\n\r\n";
    }
    elsif (defined $body) {
        $head .= 'Content-Length: ' . length($body) . "\r\n";
    }
    $self->{method} = $method;
    $self->{answer} = undef;
    $self->{began}  = time;
    return $self->send_raw("$head\r\n" . ($o{expect} ? '' : $body // ''));
}

# One more read into the buffer. 0 at the end of the connection.
sub fill
{
    my ($self) = @_;
    local $SIG{ALRM} = sub { die "nothing came in $Gate::DEADLINE s\n" };
    Time::HiRes::alarm($Gate::DEADLINE);
    my $n = eval { sysread($self->{socket}, $self->{in}, 65536, length $self->{in}) };
    my ($died, $errno) = ($@, $!);
    Time::HiRes::alarm(0);
    die $died if $died;
    $self->{closed} = defined $n ? 'end of connection' : "$errno" unless $n;
    return $n ? 1 : 0;
}

# Reads the head of the answer, also of interim ones.
sub head
{
    my ($self) = @_;
    return $self->{answer} if $self->{answer};
    until ($self->{in} =~ /\r\n\r\n/) {
        if (!$self->fill) {
            $self->close;
            return $self->{answer} = { status => 0, headers => {}, body => '', whole => 0,
                                       error => $self->{closed}, ended => 1,
                                       seconds => time - $self->{began} };
        }
    }
    $self->{in} =~ s/^(.*?)\r\n\r\n//s;
    my ($line, @lines) = split /\r\n/, $1;
    my ($status) = $line =~ m{^HTTP/1\.[01] (\d{3})} or die "no status line: $line\n";
    my %headers = map { /^([^:]+):\s*(.*?)\s*$/ ? (lc $1 => $2) : () } @lines;
    my $bare = $self->{method} eq 'HEAD' || $status =~ /^(?:1..|204|304)$/;
    $self->{answer} = { status => $status, headers => \%headers, lines => \@lines, body => '',
                        whole => 0, chunked => ($headers{'transfer-encoding'} // '') eq 'chunked',
                        left => $bare ? 0 : $headers{'content-length'} };
    return $self->{answer};
}

# Moves what is in the buffer to the answer's body. 1 when the answer is complete.
sub decode
{
    my ($self) = @_;
    my $answer = $self->{answer};
    if (!$answer->{chunked}) {
        my $n = $answer->{left} // length $self->{in};
        my $part = substr($self->{in}, 0, $n, '');
        $answer->{body} .= $part;
        return 0 unless defined $answer->{left};
        $answer->{left} -= length $part;
        return $answer->{left} == 0;
    }
    while (1) {
        if ($answer->{gap}) {
            return 0 if length $self->{in} < 2;    # the line end behind a chunk
            substr($self->{in}, 0, 2, '');
            @$answer{qw(gap chunk)} = (0, undef);
        }
        if (!defined $answer->{chunk}) {
            $self->{in} =~ s/^([0-9a-fA-F]+)[^\r\n]*\r\n// or return 0;
            $answer->{chunk} = hex $1;
        }
        if ($answer->{chunk} == 0) {
            return $self->{in} =~ s/^(?:[^\r\n]+\r\n)*\r\n// ? 1 : 0;
        }
        my $part = substr($self->{in}, 0, $answer->{chunk}, '');
        $answer->{body} .= $part;
        $answer->{chunk} -= length $part;
        return 0 if $answer->{chunk};
        $answer->{gap} = 1;
    }
}

# Takes in a little more of the body. 0 when there is no more.
sub more
{
    my ($self) = @_;
    my $answer = $self->head;
    return 0 if $answer->{ended};
    my $before = length $answer->{body};
    if ($self->decode) {
        @$answer{qw(whole ended)} = (1, 1);
    }
    elsif (length $answer->{body} > $before) {
        return 1;    # whoever waits for something looks at this first
    }
    elsif (!$self->fill) {
        $answer->{ended} = 1;
        $answer->{error} = $self->{closed};
        $answer->{whole} = 1 if !$answer->{chunked} && !defined $answer->{left};
    }
    return !$answer->{ended};
}

# Reads until the body matches, or ends. 1 when it matches.
sub read_until
{
    my ($self, $pattern) = @_;
    my $answer = $self->head;
    while ($answer->{body} !~ $pattern) {
        return 0 unless $self->more;
    }
    return 1;
}

sub finish
{
    my ($self) = @_;
    my $answer = $self->head;
    while ($self->more) { }
    $answer->{seconds} = time - $self->{began};
    $self->close if $self->{socket} && (!$answer->{whole}
        || ($answer->{headers}{connection} // '') =~ /close/i);
    return $answer;
}

sub request
{
    my ($self, %o) = @_;
    $self->ask(%o);
    return $self->finish;
}

# ---------------------------------------------------------------- a caller by curl: HTTP/2 over TLS

package Gate::Curl;

use strict;
use warnings;

use IPC::Open3 ();
use Time::HiRes qw(time);

sub new
{
    my ($class, %o) = @_;
    return bless { port => $o{port}, in => '' }, $class;
}

sub ask
{
    my ($self, %o) = @_;
    my %headers = (defined $o{body} ? ('Content-Type' => 'application/json') : (),
                   Expect => '', %{ $o{headers} // {} });
    my @command = ('curl', '-sS', '-N', '-i', '--http2', '--cacert', "$ENV{AI_CERTS}/ca.pem",
                   '--max-time', $Gate::DEADLINE, ($o{method} ? ('-X', $o{method}) : ()),
                   (map { ('-H', "$_: $headers{$_}") } sort keys %headers),
                   (defined $o{body} ? ('--data-binary', '@-') : ()),
                   "https://localhost:$self->{port}$o{path}");
    $self->close;
    $self->{in} = '';
    $self->{answer} = undef;
    $self->{began} = time;
    # Its complaints go nowhere: the exit status is what counts.
    open(my $nowhere, '>', '/dev/null') or die "/dev/null: $!\n";
    $self->{pid} = IPC::Open3::open3(my $to, $self->{from}, '>&' . fileno($nowhere), @command);
    local $SIG{PIPE} = 'IGNORE';
    print $to $o{body} // '';
    CORE::close($to);
    return 1;
}

# Leaves at once: the connection closes with the process.
sub close
{
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    local $?;
    kill('KILL', $pid);
    waitpid($pid, 0);
    CORE::close($self->{from});
    return;
}

sub fill
{
    my ($self) = @_;
    return sysread($self->{from}, $self->{in}, 65536, length $self->{in}) ? 1 : 0;
}

sub head
{
    my ($self) = @_;
    return $self->{answer} if $self->{answer};
    until ($self->{in} =~ /\r\n\r\n/) {
        return $self->ended({ status => 0, headers => {}, body => '' }) unless $self->fill;
    }
    $self->{in} =~ s{\AHTTP/2 (\d{3})[^\r\n]*\r\n(.*?)\r\n\r\n}{}s or die "no head: $self->{in}\n";
    my ($status, $lines) = ($1, $2);
    my %headers = map { /^([^:]+):\s*(.*?)\s*$/ ? (lc $1 => $2) : () } split /\r\n/, $lines;
    return $self->{answer} = { status => $status, headers => \%headers, body => '' };
}

sub ended
{
    my ($self, $answer) = @_;
    my $pid = delete $self->{pid};
    local $? = 0;
    waitpid($pid, 0) if $pid;
    $answer->{whole} = $? == 0 ? 1 : 0;
    $answer->{error} = $? ? 'curl ended with ' . ($? >> 8) : undef;
    $answer->{ended} = 1;
    $answer->{seconds} = time - $self->{began};
    CORE::close(delete $self->{from});
    return $self->{answer} = $answer;
}

sub more
{
    my ($self) = @_;
    my $answer = $self->head;
    return 0 if $answer->{ended};
    my $there = length $self->{in} || $self->fill;
    $answer->{body} .= $self->{in};
    $self->{in} = '';
    $self->ended($answer) unless $there;
    return $there;
}

sub read_until { goto &Gate::Socket::read_until }

sub finish
{
    my ($self) = @_;
    my $answer = $self->head;
    while ($self->more) { }
    return $answer;
}

sub request { goto &Gate::Socket::request }

sub DESTROY { $_[0]->close }

# ------------------------------------------------ an upstream of the test's own, for rare answers

# my $canned = Gate::Canned->new(sub { my ($request, $n) = @_; return $bytes });
#
# Answers on the port that route.conf.in leaves to it. The function gets the text of
# the request and how many came before, and returns the bytes to send; the connection is then kept
# open until the peer leaves, or closed at once when it returns ($bytes, 'close'). stop() ends it
# and tells how many requests there were.
package Gate::Canned;

use strict;
use warnings;

use IO::Select       ();
use IO::Socket::INET ();

sub new
{
    my ($class, $answer) = @_;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64, ReuseAddr => 1,
                                         LocalPort => Gate::canned_port())
        or die 'canned upstream, port ' . Gate::canned_port() . ": $!\n";
    pipe(my $from, my $to) or die "pipe: $!\n";
    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        local $SIG{TERM} = sub { POSIX::_exit(0) };
        $to->autoflush(1);
        serve($listener, $answer, $to);
        POSIX::_exit(0);
    }
    close($to);
    return bless { pid => $pid, from => $from }, $class;
}

sub serve
{
    my ($listener, $answer, $to) = @_;
    my $all = IO::Select->new($listener);
    my %in;
    my $n = 0;
    while (my @ready = $all->can_read) {
        for my $socket (@ready) {
            if ($socket == $listener) {
                $all->add(scalar $listener->accept);
                next;
            }
            if (!sysread($socket, $in{$socket}, 65536, length($in{$socket} // ''))) {
                delete $in{$socket};
                $all->remove($socket);
                close($socket);
                next;
            }
            my ($head) = $in{$socket} =~ /\A(.*?\r\n\r\n)/s or next;
            my ($length) = $head =~ /^Content-Length: (\d+)/mi;
            next if length $in{$socket} < length($head) + ($length // 0);
            my ($bytes, $close) = $answer->($in{$socket}, $n++);
            $in{$socket} = '';
            print $to '.';
            syswrite($socket, $bytes);
            next unless $close;
            $all->remove($socket);
            close($socket);
        }
    }
    return;
}

sub stop
{
    my ($self) = @_;
    my $pid = delete $self->{pid} or return $self->{count};
    local $?;
    kill('TERM', $pid);
    waitpid($pid, 0);
    local $/;
    return $self->{count} = length(readline($self->{from}) // '');
}

sub DESTROY { $_[0]->stop }

1;
