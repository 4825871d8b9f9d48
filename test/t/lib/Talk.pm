# SPDX-License-Identifier: Apache-2.0
#
# Talk - how does a test say the same in both dialects, and read both answers alike?
#
#   my $body   = Talk::ask('openai', model => 'anthropic', text => 'Hello', stream => 1);
#   my $answer = Talk::post('openai', $body, place => 'warn', sim => 'tool=1');
#   my $seen   = Talk::read_answer('openai', $answer);
#
# The host is "translate" (conf/translate.conf.in): a target's dialect is what the model's name begins
# with. What was read is a hash:
#
#   id model text refusal thought   as told, joined
#   thoughts                        blocks of thinking, as the dialect has them
#   calls                           [{ id, name, arguments }], the arguments decoded
#   finish usage                    in the words of the dialect
#   errors                          error objects
#   ends                            how often the end came: message_stop, [DONE]; 1 of a whole answer
#   broken                          events that are no JSON, or have a wrong name
#   events                          the parsed events, or the one answer

package Talk;

use strict;
use warnings;

use Gate ();

our %OTHER = (openai => 'anthropic', anthropic => 'openai');
our %PATH  = (openai => '/chat/completions', anthropic => '/messages');

sub yes { return JSON::PP::true() }

# A request as a hash: model, text or messages, stream, usage (openai: asked for), more.
sub ask
{
    my ($dialect, %o) = @_;
    return {
        model    => $o{model} // $OTHER{$dialect},
        messages => $o{messages} // [{ role => 'user', content => $o{text} // 'What does the river keep?' }],
        ($dialect eq 'anthropic' ? (max_tokens => 2000) : ()),
        ($o{stream} ? (stream => yes()) : ()),
        ($o{stream} && $o{usage} && $dialect eq 'openai'
             ? (stream_options => { include_usage => yes() }) : ()),
        %{ $o{more} // {} },
    };
}

# Sends a request: place, sim (the script), headers. caller: one that is connected already.
sub request_of
{
    my ($dialect, $body, %o) = @_;
    my $place = $o{place} // 'warn';
    return (
        path => "/$place/v1" . ($o{path} // $PATH{$dialect}),
        body => ref $body ? Gate::to_json($body) : $body,
        headers => { ($dialect eq 'anthropic' ? ('anthropic-version' => '2023-06-01') : ()),
                     (defined $o{sim} ? ('X-Sim' => $o{sim}) : ()), %{ $o{headers} // {} } },
    );
}

sub post
{
    my ($dialect, $body, %o) = @_;
    my $caller = $o{caller} // Gate::caller_of('h1', 'translate');
    return $caller->request(request_of($dialect, $body, %o));
}

sub id_of { return $_[0]{headers}{'x-request-id'} // '' }

# The log line, with the notes of translate_notes.
sub logged
{
    my ($answer) = @_;
    my $id   = id_of($answer);
    my $log  = Gate::logged(id => $id);
    my $more = Gate::await("the notes of $id", sub {
        open(my $notes, '<', 't/logs/translate_notes') or return;
        my ($line) = grep { /^id="\Q$id\E" .*\n/ } <$notes>;
        return $line && { $line =~ /([\w-]+)="([^"]*)"/g };
    });
    return { %$log, %$more };
}

# How many calls have reached the simulator, those under way among them.
sub calls_so_far
{
    my $state = Gate::calls();
    return $state->{total} + $state->{active};
}

# What the target got, where the script said echo=1: the request with headers and body, parsed.
sub echoed
{
    my ($dialect, $answer) = @_;
    my $echo = read_answer($dialect, $answer)->{text};
    utf8::encode($echo);
    my $value = eval { Gate::from_json($echo) } or die 'no echo: ' . Gate::brief($answer) . "\n";
    my $body = $value->{body};
    utf8::encode($body);
    $value->{body} = Gate::from_json($body);
    return $value;
}

# ----------------------------------------------------------------------------- reading

sub is_stream { return ($_[0]{headers}{'content-type'} // '') =~ m{^text/event-stream} ? 1 : 0 }

sub arguments
{
    my ($text) = @_;
    return {} if $text eq '';
    utf8::encode($text);
    return eval { Gate::from_json($text) } // "broken: $text";
}

sub read_answer
{
    my ($dialect, $answer) = @_;
    my %seen = (text => '', refusal => '', thought => '', thoughts => [], calls => [],
                errors => [], ends => 0, broken => 0, events => []);
    my $add = $dialect eq 'openai' ? \&add_openai : \&add_anthropic;
    if (!is_stream($answer)) {
        my $value = eval { Gate::from_json($answer->{body}) };
        return { %seen, broken => 1 } unless ref $value eq 'HASH';
        return { %seen, errors => [$value->{error}], events => [$value] } if $value->{error};
        $seen{ends} = 1;
        push @{ $seen{events} }, $value;
        $add->(\%seen, $value);
    }
    for my $event (is_stream($answer) ? grep { defined $_->{data} } Gate::events($answer->{body}) : ()) {
        if ($event->{data} eq '[DONE]') {
            $seen{ends}++;
            next;
        }
        my $value = eval { Gate::from_json($event->{data}) } // {};
        $seen{broken}++ if ($event->{name} // '') ne ($dialect eq 'anthropic' ? $value->{type} // '?' : '');
        push @{ $seen{events} }, $value;
        $value->{error} ? push(@{ $seen{errors} }, $value->{error}) : $add->(\%seen, $value);
    }
    $_->{arguments} = ref $_->{arguments} ? $_->{arguments} : arguments($_->{arguments})
        for @{ $seen{calls} };
    return \%seen;
}

# A chunk, or a whole chat completion; only the first choice.
sub add_openai
{
    my ($seen, $value) = @_;
    $seen->{$_} //= $value->{$_} for qw(id model);
    $seen->{usage} = $value->{usage} if $value->{usage};
    my ($choice) = @{ $value->{choices} // [] };
    my $said = $choice->{delta} // $choice->{message} // {};
    $seen->{text}    .= $said->{content} // '';
    $seen->{refusal} .= $said->{refusal} // '';
    $seen->{thought} .= $said->{reasoning_content} // '';
    push @{ $seen->{thoughts} }, @{ $said->{thinking_blocks} // [] };
    for my $call (@{ $said->{tool_calls} // [] }) {
        my $at = $call->{index} // scalar @{ $seen->{calls} };
        my $mine = $seen->{calls}[$at] //= { arguments => '' };
        $mine->{id}   = $call->{id} if defined $call->{id};
        $mine->{name} = $call->{function}{name} if defined $call->{function}{name};
        $mine->{arguments} .= $call->{function}{arguments} // '';
    }
    $seen->{finish} = $choice->{finish_reason} if defined $choice->{finish_reason};
    return;
}

# An event, or a whole message.
sub add_anthropic
{
    my ($seen, $value) = @_;
    my $type = $value->{type} // '';
    if ($type eq 'message_start' || $type eq 'message') {
        my $message = $value->{message} // $value;
        $seen->{$_} //= $message->{$_} for qw(id model);
        $seen->{usage} = $message->{usage};
        $seen->{finish} = $message->{stop_reason};
        add_block($seen, $_, scalar @{ $seen->{blocks} //= [] }) for @{ $message->{content} };
    }
    elsif ($type eq 'content_block_start') {
        add_block($seen, $value->{content_block}, $value->{index});
    }
    elsif ($type eq 'content_block_delta') {
        my $block = $seen->{blocks}[$value->{index}] // {};
        my $delta = $value->{delta};
        $seen->{text}      .= $delta->{text} // '';
        $seen->{thought}   .= $delta->{thinking} // '';
        $block->{thinking} .= $delta->{thinking} if defined $delta->{thinking};
        $block->{signature} .= $delta->{signature} if defined $delta->{signature};
        $block->{call}{arguments} .= $delta->{partial_json} if defined $delta->{partial_json};
    }
    elsif ($type eq 'message_delta') {
        $seen->{finish} = $value->{delta}{stop_reason};
        $seen->{usage} = { %{ $seen->{usage} // {} }, %{ $value->{usage} // {} } };
    }
    $seen->{ends}++ if $type eq 'message_stop';
    return;
}

sub add_block
{
    my ($seen, $block, $at) = @_;
    my $mine = $seen->{blocks}[$at] = {};
    if ($block->{type} eq 'text') {
        $seen->{text} .= $block->{text};
    }
    elsif ($block->{type} eq 'tool_use') {
        my $input = $block->{input} // {};
        $mine->{call} = { id => $block->{id}, name => $block->{name},
                          arguments => %$input ? $input : '' };
        push @{ $seen->{calls} }, $mine->{call};
    }
    else {
        %$mine = %$block;
        $seen->{thought} .= $block->{thinking} // '';
        push @{ $seen->{thoughts} }, $mine;
    }
    return;
}

1;
