# SPDX-License-Identifier: Apache-2.0
#
# translate_ask.t - does a target of the other dialect get what the caller asked, and is what it
# cannot get told or refused?
#
# The strict simulator says what it got (echo=1), and refuses what its provider would refuse.

use strict;
use warnings;

use Gate ();
use Talk ();
use Test::More;

my $pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';
my $pdf   = 'JVBERi0xLjQKJSVFT0YK';
my %signed = (signature => 'c2ltdWxhdGVkLXNpZ25hdHVyZQ==', redacted => 'b25seS10aGUtc2ltdWxhdG9y');
my ($yes, $no) = (JSON::PP::true(), JSON::PP::false());
my $schema = { type => 'object', properties => { city => { type => 'string' } },
               required => ['city'], additionalProperties => $no };

sub user { return { role => 'user', content => $_[0] } }
sub text { return { type => 'text', text => $_[0] } }

my %tool = (
    openai    => { type => 'function', function => { name => 'f', description => 'd',
                                                     parameters => $schema } },
    anthropic => { name => 'f', description => 'd', input_schema => $schema },
);

# A turn in which two tools were called and have answered.
my %called = (
    openai => [user('x'),
        { role => 'assistant', content => 'I look.', tool_calls => [
            map { { id => "call_$_", type => 'function', function => {
                name => 'f', arguments => qq({"city":"Z\x{fc}rich $_","n":1.5}) } } } 1, 2] },
        { role => 'tool', tool_call_id => 'call_1', content => 'warm' },
        { role => 'tool', tool_call_id => 'call_2', content => [text('cold'), text('wet')] },
        user('Go on.')],
    anthropic => [user('x'),
        { role => 'assistant', content => [text('I look.'),
            map { { type => 'tool_use', id => "call_$_", name => 'f',
                    input => { city => "Z\x{fc}rich $_", n => 1.5 } } } 1, 2] },
        { role => 'user', content => [
            { type => 'tool_result', tool_use_id => 'call_1', content => 'warm' },
            { type => 'tool_result', tool_use_id => 'call_2', content => [text('cold'), text('wet')] },
            text('Go on.')] }],
);

# caller, what it is, what the caller adds, what of the target's body must be so, what is dropped
my @rows = (
    ['openai', 'a question', {}, { messages => [user('Hello')], stream => undef, system => undef }],
    ['openai', 'system and developer',
     { messages => [{ role => 'system', content => 'A.' }, { role => 'developer', content => [text('B.'), text('C.')] },
                    user('x')] },
     { system => [text('A.'), text('B.'), text('C.')], messages => [user('x')] }],
    ['openai', 'turns',
     { messages => [user('a'), { role => 'assistant', content => 'b' }, user('c'), user('d')] },
     { messages => [user('a'), { role => 'assistant', content => 'b' }, user([text('c'), text('d')])] }],
    ['openai', 'settings', { max_completion_tokens => 77, temperature => 0.5, stop => ['A', 'B'],
                             user => 'u-1' },
     { max_tokens => 77, temperature => 0.5, stop_sequences => ['A', 'B'],
       metadata => { user_id => 'u-1' } }],
    ['openai', 'one stop', { stop => 'A', top_p => 0.9 }, { stop_sequences => ['A'], top_p => 0.9 }],
    ['openai', 'too warm', { temperature => 1.7 }, { temperature => 1 }, 'temperature'],
    ['openai', 'what Anthropic has no word for',
     { seed => 1, frequency_penalty => 0.5, presence_penalty => 0.5, logit_bias => { 1 => 2 },
       logprobs => $yes, top_logprobs => 2, store => $no, verbosity => 'low',
       prompt_cache_key => 'k', metadata => { a => 'b' } },
     { max_tokens => 4096 }, ['seed', 'frequency_penalty', 'presence_penalty', 'logit_bias', 'logprobs',
      'top_logprobs', 'verbosity', 'prompt_cache_key', 'metadata']],
    ['openai', 'what nobody knows', { x_new => { a => 1 } }, { x_new => undef }, 'x_new'],
    ['openai', 'a name in a message',
     { messages => [{ role => 'user', name => 'Ada', content => 'x' }] },
     { messages => [user('x')] }, 'messages.name'],
    ['openai', 'a picture',
     { messages => [user([text('x'), { type => 'image_url', image_url => {
         url => "data:image/png;base64,$pixel" } },
         { type => 'image_url', image_url => { url => 'https://example.com/a.png' } }])] },
     { messages => [user([text('x'),
         { type => 'image', source => { type => 'base64', media_type => 'image/png', data => $pixel } },
         { type => 'image', source => { type => 'url', url => 'https://example.com/a.png' } }])] }],
    ['openai', 'a picture with its detail',
     { messages => [user([{ type => 'image_url', image_url => {
         url => "data:image/png;base64,$pixel", detail => 'low' } }])] },
     {}, 'messages.content.image_url.detail'],
    ['openai', 'a document',
     { messages => [user([text('x'), { type => 'file', file => {
         filename => 'a.pdf', file_data => "data:application/pdf;base64,$pdf" } }])] },
     { messages => [user([text('x'), { type => 'document', title => 'a.pdf', source => {
         type => 'base64', media_type => 'application/pdf', data => $pdf } }])] }],
    ['openai', 'tools', { tools => [$tool{openai}], tool_choice => 'auto' },
     { tools => [$tool{anthropic}], tool_choice => { type => 'auto' } }],
    ['openai', 'a tool that must be called', { tools => [$tool{openai}], tool_choice => 'required',
                                               parallel_tool_calls => $no },
     { tool_choice => { type => 'any', disable_parallel_tool_use => $yes } }],
    ['openai', 'this tool', { tools => [$tool{openai}], tool_choice => {
        type => 'function', function => { name => 'f' } } },
     { tool_choice => { type => 'tool', name => 'f' } }],
    ['openai', 'no tool', { tools => [$tool{openai}], tool_choice => 'none' },
     { tool_choice => { type => 'none' } }],
    ['openai', 'a strict tool',
     { tools => [{ type => 'function', function => { %{ $tool{openai}{function} }, strict => $yes } }] },
     { tools => [{ %{ $tool{anthropic} }, strict => $yes }] }],
    ['openai', 'a tool without arguments',
     { tools => [{ type => 'function', function => { name => 'now' } }] },
     { tools => [{ name => 'now', input_schema => { type => 'object', properties => {} } }] }],
    ['openai', 'what tools said', { messages => $called{openai}, tools => [$tool{openai}] },
     { messages => $called{anthropic} }],
    ['openai', 'ids that Anthropic would refuse',
     { tools => [$tool{openai}], messages => [user('x'),
        { role => 'assistant', content => undef, tool_calls => [{ id => 'call:1|a.b', type => 'function',
            function => { name => 'f', arguments => '' } }] },
        { role => 'tool', tool_call_id => 'call:1|a.b', content => 'r' }] }, {}],
    ['openai', 'a schema',
     { response_format => { type => 'json_schema', json_schema => { name => 'Place', strict => $yes,
                                                                   schema => $schema } } },
     { output_config => { format => { type => 'json_schema', schema => $schema } } }],
    ['openai', 'thinking that goes on',
     { tools => [$tool{openai}], max_tokens => 3000, messages => [user('x'),
        { role => 'assistant', content => 'y', reasoning_content => 't', thinking_blocks => [
            { type => 'thinking', thinking => 't', signature => $signed{signature} },
            { type => 'redacted_thinking', data => $signed{redacted} }],
          tool_calls => [{ id => 'c', type => 'function', function => { name => 'f', arguments => '{}' } }] },
        { role => 'tool', tool_call_id => 'c', content => 'r' }] },
     { messages => [user('x'), { role => 'assistant', content => [
            { type => 'thinking', thinking => 't', signature => $signed{signature} },
            { type => 'redacted_thinking', data => $signed{redacted} }, text('y'),
            { type => 'tool_use', id => 'c', name => 'f', input => {} }] },
        user([{ type => 'tool_result', tool_use_id => 'c', content => 'r' }])] }],
    ['openai', 'thinking that could not go on',
     { tools => [$tool{openai}], max_tokens => 3000, messages => $called{openai},
       thinking => { type => 'enabled', budget_tokens => 1024 } }, { thinking => undef }, 'thinking'],
    ['openai', 'what was thought and not signed',
     { messages => [user('x'), { role => 'assistant', content => 'y', reasoning_content => 't' }, user('z')] },
     { messages => [user('x'), { role => 'assistant', content => 'y' }, user('z')] },
     'messages.reasoning_content'],
    ['openai', 'empty texts',
     { messages => [user([text(''), text('x')]), { role => 'assistant', content => '' }, user('y')] },
     { messages => [user([text('x'), text('y')])] }],
    ['openai', 'a hint to the cache',
     { messages => [user([{ %{ text('x') }, cache_control => { type => 'ephemeral' } }])] },
     { messages => [user([{ %{ text('x') }, cache_control => { type => 'ephemeral' } }])] }],

    ['anthropic', 'a question', {}, { messages => [user('Hello')], system => undef }],
    ['anthropic', 'system', { system => 'A.' }, { messages => [{ role => 'system', content => 'A.' }, user('Hello')],
                                                  system => undef }],
    ['anthropic', 'system in blocks', { system => [text('A.'), { %{ text('B.') }, cache_control => { type => 'ephemeral' } }] },
     { messages => [{ role => 'system', content => [text('A.'), text('B.')] }, user('Hello')] },
     'system.cache_control'],
    ['anthropic', 'settings', { max_tokens => 77, temperature => 0.5, top_p => 0.9,
                                stop_sequences => ['A', 'B'], metadata => { user_id => 'u-1' } },
     { temperature => 0.5, top_p => 0.9, stop => ['A', 'B'], user => 'u-1' }],
    ['anthropic', 'what OpenAI has no word for', { top_k => 5, container => 'c', inference_geo => 'us' },
     { top_k => undef, container => undef }, ['container', 'inference_geo', 'top_k']],
    ['anthropic', 'more stops than OpenAI takes', { stop_sequences => [qw(A B C D E)] },
     { stop => [qw(A B C D)] }, 'stop_sequences'],
    ['anthropic', 'what nobody knows', { x_new => 1 }, { x_new => undef }, 'x_new'],
    ['anthropic', 'a picture',
     { messages => [user([{ type => 'image', source => { type => 'base64', media_type => 'image/png', data => $pixel } },
                          { type => 'image', source => { type => 'url', url => 'https://example.com/a.png' } },
                          text('x')])] },
     { messages => [user([{ type => 'image_url', image_url => { url => "data:image/png;base64,$pixel" } },
                          { type => 'image_url', image_url => { url => 'https://example.com/a.png' } },
                          text('x')])] }],
    ['anthropic', 'a document',
     { messages => [user([{ type => 'document', title => 'a', source => {
         type => 'base64', media_type => 'application/pdf', data => $pdf } }, text('x')])] },
     { messages => [user([{ type => 'file', file => { filename => 'a',
         file_data => "data:application/pdf;base64,$pdf" } }, text('x')])] }],
    ['anthropic', 'tools', { tools => [$tool{anthropic}], tool_choice => { type => 'auto' } },
     { tools => [$tool{openai}], tool_choice => 'auto' }],
    ['anthropic', 'a tool that must be called',
     { tools => [$tool{anthropic}], tool_choice => { type => 'any', disable_parallel_tool_use => $yes } },
     { tool_choice => 'required', parallel_tool_calls => $no }],
    ['anthropic', 'this tool', { tools => [$tool{anthropic}], tool_choice => { type => 'tool', name => 'f' } },
     { tool_choice => { type => 'function', function => { name => 'f' } } }],
    ['anthropic', 'a tool of Anthropic\'s own',
     { tools => [$tool{anthropic}, { type => 'web_search_20250305', name => 'web_search' }] },
     { tools => [$tool{openai}] }, 'tools.web_search_20250305'],
    ['anthropic', 'what tools said', { messages => $called{anthropic}, tools => [$tool{anthropic}] },
     { messages => $called{openai} }],
    ['anthropic', 'a tool that failed, and one that shows something',
     { tools => [$tool{anthropic}], messages => [user('x'),
        { role => 'assistant', content => [{ type => 'tool_use', id => 'c', name => 'f', input => {} }] },
        user([{ type => 'tool_result', tool_use_id => 'c', is_error => $yes, content => [text('no'),
            { type => 'image', source => { type => 'base64', media_type => 'image/png', data => $pixel } }] }])] },
     {}],
    ['anthropic', 'a schema', { output_config => { format => { type => 'json_schema', schema => $schema } } },
     { response_format => { type => 'json_schema', json_schema => { name => 'structured_output',
                                                                   schema => $schema } } }],
    ['anthropic', 'thinking', { max_tokens => 4000, thinking => { type => 'enabled', budget_tokens => 3000 } },
     { reasoning_effort => 'medium', thinking => undef }],
    ['anthropic', 'what was thought',
     { messages => [user('x'), { role => 'assistant', content => [
         { type => 'thinking', thinking => 't', signature => $signed{signature} }, text('y')] }, user('z')] },
     { messages => [user('x'), { role => 'assistant', content => 'y' }, user('z')] },
     'messages.content.thinking'],
);

# The value of a member, or undef when it is not there: what a row names is compared, nothing else.
sub of_body
{
    my ($body, $want) = @_;
    return { map { $_ => $body->{$_} } keys %$want };
}

# One text may be said as a string or as a list of one part.
sub plainly
{
    my ($value) = @_;
    if (ref $value eq 'ARRAY') {
        return [map { plainly($_) } @$value];
    }
    return $value unless ref $value eq 'HASH';
    my %copy = map { $_ => plainly($value->{$_}) } keys %$value;
    my $content = $copy{content};
    if (defined $content && !ref $content) {
        $copy{content} = [{ type => 'text', text => $content }];
    }
    if (defined $copy{system} && !ref $copy{system}) {
        $copy{system} = [{ type => 'text', text => $copy{system} }];
    }
    return \%copy;
}

for my $row (@rows) {
    my ($dialect, $name, $more, $want, $dropped) = @$row;
    for my $stream (0, 1) {
        my $how = "$dialect, $name, " . ($stream ? 'streamed' : 'plain');
        my $answer = Talk::post($dialect, Talk::ask($dialect, text => 'Hello', stream => $stream, more => $more),
                                sim => 'echo=1');
        my $echo = eval { Talk::echoed($dialect, $answer) };
        my $wanted = { %$want, ($stream ? (stream => $yes) : ()) };
        if (!ok($echo, "$how: the target takes it")) {
            diag(Gate::brief($answer));
            next;
        }
        is($echo->{path}, "/strict/v1$Talk::PATH{$Talk::OTHER{$dialect}}", "$how: it goes there");
        is_deeply(plainly(of_body($echo->{body}, $wanted)), plainly($wanted), "$how: what it gets")
            or diag(Gate::to_json($echo->{body}));
        is(join(',', sort split /,/, $answer->{headers}{'ai-dropped'} // ''),
           join(',', sort ref $dropped ? @$dropped : $dropped // ()), "$how: what is dropped");
        is($echo->{headers}{'content-type'}, 'application/json', "$how: JSON");
    }
}

# The rest of what a tool shows is not lost: what OpenAI's tools cannot say, the user does.
{
    my ($row) = grep { $_->[1] =~ /^a tool that failed/ } @rows;
    my $answer = Talk::post('anthropic', Talk::ask('anthropic', more => $row->[2]), sim => 'echo=1');
    my $sent = Gate::to_json(Talk::echoed('anthropic', $answer)->{body});
    like($sent, qr/data:image\/png;base64,\Q$pixel\E/, 'a picture from a tool gets there');
}

# An id that is replaced is the same in the call and in its result, and the same again.
{
    my ($row) = grep { $_->[1] =~ /^ids/ } @rows;
    my @ids = map {
        my $answer = Talk::post('openai', Talk::ask('openai', more => $row->[2]), sim => 'echo=1');
        my $messages = Talk::echoed('openai', $answer)->{body}{messages};
        ($messages->[1]{content}[0]{id}, $messages->[2]{content}[0]{tool_use_id});
    } 1, 2;
    like($ids[0], qr/^[A-Za-z0-9_-]{1,64}\z/, 'a new id that Anthropic takes');
    is_deeply([@ids[1 .. 3]], [@ids[0, 0, 0]], 'the same each time');
}

# A tool's name that the target does not take is put back in the answer.
for my $stream (0, 1) {
    my $how = $stream ? 'streamed' : 'plain';
    my $name = 'a' x 90;
    my $answer = Talk::post('anthropic', Talk::ask('anthropic', stream => $stream, more => { tools => [
        { name => $name, input_schema => { type => 'object', properties => {} } }] }), sim => 'tool=1;calls=1');
    my $seen = Talk::read_answer('anthropic', $answer);
    is_deeply([$answer->{status}, map { $_->{name} } @{ $seen->{calls} }], [200, $name],
              "$how: a name of 90 characters comes back") or diag(Gate::brief($answer));
}

# ------------------------------------------------------------------------------- headers, key

my %heads = ('Authorization' => 'Bearer caller-canary', 'x-api-key' => 'caller-canary',
             'Cookie' => 'c=caller-canary', 'anthropic-beta' => 'beta-canary', 'OpenAI-Beta' => 'beta-canary',
             'OpenAI-Organization' => 'org-canary', 'x-stainless-lang' => 'stainless-canary');
my %keys = (anthropic => ['x-api-key', 'sk-provider-canary-Kx7Q', 'authorization'],
            openai => ['authorization', 'Bearer sk-provider-canary-Kx7Q', 'x-api-key']);
for my $dialect (qw(openai anthropic)) {
    my $answer = Talk::post($dialect, Talk::ask($dialect), sim => 'echo=1', headers => {
        %heads, 'User-Agent' => 'agent/1', traceparent => '00-a-b-01', tracestate => 'x=y', 'Idempotency-Key' => 'i-1' });
    my $head = Talk::echoed($dialect, $answer)->{headers};
    my ($name, $value, $other) = @{ $keys{$Talk::OTHER{$dialect}} };
    is($head->{$name}, $value, "$dialect: the target's own key, as it wants it");
    ok(!exists $head->{$other}, "$dialect: and no $other");
    unlike(join("\n", %$head), qr/caller-canary|beta-canary|org-canary|stainless-canary/,
           "$dialect: nothing of the caller's keys, betas and accounts");
    isnt($head->{traceparent}, '00-a-b-01', "$dialect: a trace that is none does not go on");
    is_deeply([@$head{qw(user-agent tracestate idempotency-key)}], ['agent/1', undef, 'i-1'],
              "$dialect: what any provider understands passes");
    is($head->{'anthropic-version'}, $dialect eq 'openai' ? '2023-06-01' : undef,
       "$dialect: a version where there is one");
    is($head->{'x-request-id'}, Talk::id_of($answer), "$dialect: our id goes up");
}

# ----------------------------------------------------------------------- what cannot be carried

# caller, what, what the caller adds, the place that is named
my @refused = (
    ['openai', 'two answers', { n => 2 }, qr/^n\z/],
    ['openai', 'sound', { messages => [user([{ type => 'input_audio',
        input_audio => { data => 'AAAA', format => 'wav' } }])] }, qr/^messages/],
    ['openai', 'a file that OpenAI has', { messages => [user([{ type => 'file', file => { file_id => 'f-1' } }])] },
     qr/^messages\[0\]\.content\[0\]/],
    ['openai', 'content of the future', { messages => [user([{ type => 'hologram', hologram => {} }])] },
     qr/^messages\[0\]\.content\[0\]/],
    ['openai', 'arguments that are no JSON', { messages => [user('x'), { role => 'assistant', tool_calls => [
        { id => 'c', type => 'function', function => { name => 'f', arguments => '{"a":' } }] }] },
     qr/^messages\[1\]\.tool_calls\[0\]/],
    ['openai', 'a broken data URL', { messages => [user([{ type => 'image_url',
        image_url => { url => 'data:image/png;base64,????' } }])] }, qr/^messages\[0\]\.content\[0\]/],
    ['openai', 'an answer in sound', { modalities => ['text', 'audio'], audio => { voice => 'v', format => 'wav' } },
     qr/^(?:modalities|audio)/],
    ['anthropic', 'a file that Anthropic has', { messages => [user([{ type => 'document', source => {
        type => 'file', file_id => 'f-1' } }])] }, qr/^messages\[0\]\.content\[0\]/],
    ['anthropic', 'content of the future', { messages => [user([{ type => 'hologram' }])] },
     qr/^messages\[0\]\.content\[0\]/],
    ['anthropic', 'an image that is no base64', { messages => [user([{ type => 'image', source => {
        type => 'base64', media_type => 'image/png', data => '????' } }])] }, qr/^messages\[0\]\.content\[0\]/],
    ['anthropic', 'a document that somebody else has', { messages => [user([{ type => 'document', source => {
        type => 'url', url => 'https://example.com/a.pdf' } }])] }, qr/^messages/],
);
for my $row (@refused) {
    my ($dialect, $name, $more, $place) = @$row;
    for my $lossy (qw(warn allow refuse)) {
        my $before = Talk::calls_so_far();
        my $answer = Talk::post($dialect, Talk::ask($dialect, more => $more), place => $lossy, sim => 'id=x');
        my ($error) = @{ Talk::read_answer($dialect, $answer)->{errors} };
        my $param = $dialect eq 'openai' ? $error->{param} // '' : join(' ', $error->{message} // '');
        my $named = $dialect eq 'openai' ? $param =~ $place : $param =~ /'messages/;
        is_deeply([$answer->{status}, $error->{type}, $named ? 1 : 0, Talk::calls_so_far()],
                  [400, 'invalid_request_error', 1, $before],
                  "$dialect, $lossy: $name is refused, by its name") or diag(Gate::brief($answer));
        last if $lossy eq 'warn' && $name ne 'two answers';
    }
}

# ------------------------------------------------------------------------------------- AILossy

for my $stream (0, 1) {
    my $how = $stream ? 'streamed' : 'plain';
    my %lost = (openai => { seed => 1, x_new => 2 }, anthropic => { top_k => 3, x_new => 2 });
    for my $dialect (qw(openai anthropic)) {
        my ($known) = grep { $_ ne 'x_new' } sort keys %{ $lost{$dialect} };
        my $told = qr/^(?:x_new,$known|$known,x_new)\z/;
        my $ask = Talk::ask($dialect, stream => $stream, more => $lost{$dialect});
        my $answer = Talk::post($dialect, $ask, place => 'warn');
        is($answer->{status}, 200, "$dialect, $how, warn: an answer");
        like($answer->{headers}{'ai-dropped'} // '', $told, "$dialect, $how, warn: the header names it");
        like(Talk::logged($answer)->{dropped}, $told, "$dialect, $how, warn: so does the note");

        $answer = Talk::post($dialect, $ask, place => 'allow');
        is($answer->{status}, 200, "$dialect, $how, allow: an answer");
        ok(!exists $answer->{headers}{'ai-dropped'}, "$dialect, $how, allow: no header");
        like(Talk::logged($answer)->{dropped}, $told, "$dialect, $how, allow: the note");

        my $before = Talk::calls_so_far();
        $answer = Talk::post($dialect, $ask, place => 'refuse');
        my ($error) = @{ Talk::read_answer($dialect, $answer)->{errors} };
        my $code = $dialect eq 'openai' ? $error->{code} : $error->{details}{error_code};
        is_deeply([$answer->{status}, $error->{type}, $code, Talk::calls_so_far()],
                  [400, 'invalid_request_error', 'unsupported_parameter', $before],
                  "$dialect, $how, refuse: refused before anybody was asked") or diag(Gate::brief($answer));
        like($error->{message}, qr/\b$known\b/, "$dialect, $how, refuse: and named");

        $answer = Talk::post($dialect, Talk::ask($dialect, stream => $stream), place => 'refuse');
        is($answer->{status}, 200, "$dialect, $how, refuse: what loses nothing is asked");
    }
}

done_testing();
