/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_answer.c - what does the provider say, and how much of it?
 *
 * Words come from a fixed list by index, so a test knows every answer beforehand.  Anything else
 * (echo, refusal, JSON, tool arguments) is a text cut into pieces; a piece counts as a token.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ai_sim.h"

#define PIECE_BYTES 16
#define PIECES_AIM 256           /* a long text is cut into about so many */
#define CHOICES_MAX 128
#define FILE_TOKENS 10           /* what an uploaded sound or picture counts in the prompt */
#define EXCESS 100

/* Some take two, three and four bytes in UTF-8, so that splits fall inside characters. */
static const char *const words[] = {
    "the", "river", "keeps", "its", "own", "slow", "counsel", "naïve", "birds", "cross", "at",
    "dawn", "日本語", "and", "stone", "remembers", "water", "über", "hills", "🙂", "while",
    "lanterns", "drift", "past", "quiet", "doors", "every", "evening", "brings", "another",
    "letter", "home",
};

#define WORD_COUNT ((long)(sizeof(words) / sizeof(words[0])))

const char answer_thought[] = "The river comes first.";

static size_t piece_bytes(const buf_t *text)
{
    size_t n = text->len / PIECES_AIM + 1;

    return n < PIECE_BYTES ? PIECE_BYTES : n;
}

static long piece_count(const buf_t *text)
{
    size_t n = piece_bytes(text);

    return (long)((text->len + n - 1) / n);
}

/* Where piece i begins: never inside a character. */
static size_t piece_start(const buf_t *text, long i)
{
    size_t at = (size_t)i * piece_bytes(text);
    int back = 0;                /* a character has at most three more bytes */

    if (at == 0 || at >= text->len) {
        return at ? text->len : 0;
    }
    while (back < 3 && ((unsigned char)text->p[at] & 0xc0) == 0x80) {
        at--;
        back++;
    }
    return at;
}

static void add_piece(const buf_t *text, long i, buf_t *out)
{
    size_t from = piece_start(text, i);

    buf_add(out, text->p + from, piece_start(text, i + 1) - from);
}

void answer_piece(const call_t *call, long i, buf_t *out)
{
    const answer_t *a = &call->answer;
    size_t before = out->len;

    if (a->kind != ANSWER_WORDS) {
        add_piece(&a->literal, i, out);
        return;
    }
    buf_str(out, i ? " " : "");
    buf_str(out, words[i % WORD_COUNT]);
    while (out->len - before < (size_t)call->script.size) {
        buf_str(out, "x");
    }
}

void answer_tool_piece(const answer_t *a, int tool, long i, buf_t *out)
{
    add_piece(&a->tool_args[tool], i, out);
}

void answer_text(const call_t *call, buf_t *out)
{
    long i;

    for (i = 0; i < call->answer.pieces; i++) {
        answer_piece(call, i, out);
    }
}

long answer_tokens(const call_t *call)
{
    const answer_t *a = &call->answer;

    static const endpoint_t *const silent[] = {
        &endpoint_embeddings,  &endpoint_models,      &endpoint_count_tokens,
        &endpoint_claude_models, &endpoint_moderations, &endpoint_rerank, &endpoint_files,
        &endpoint_batches,
    };
    size_t i;

    for (i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        if (call->endpoint == silent[i]) {
            return 0;
        }
    }
    if (call->endpoint == &endpoint_images) {
        return a->pieces;                /* n is of pictures */
    }
    return a->pieces * a->choices + call->script.reasoning;
}

static int seen_before(const call_t *call, int at)
{
    int i;

    for (i = 0; i < at; i++) {
        if (call->headers[i].name.n == call->headers[at].name.n
            && strncasecmp(call->headers[i].name.p, call->headers[at].name.p,
                           call->headers[at].name.n) == 0) {
            return 1;
        }
    }
    return 0;
}

/* The value of the header at that place, and of those of the same name after it. */
static void join_values(const call_t *call, int at, buf_t *out)
{
    text_t name = call->headers[at].name;
    buf_t joined = { NULL, 0, 0 };
    int i;

    for (i = at; i < call->header_count; i++) {
        const header_t *h = &call->headers[i];

        if (h->name.n == name.n && strncasecmp(h->name.p, name.p, name.n) == 0) {
            buf_str(&joined, i > at ? ", " : "");
            buf_add(&joined, h->value.p, h->value.n);
        }
    }
    buf_quote(out, joined.p, joined.len);
    buf_free(&joined);
}

void answer_header_name(text_t name, buf_t *out)
{
    buf_t lower = { NULL, 0, 0 };
    size_t i;

    buf_add(&lower, name.p, name.n);
    for (i = 0; i < lower.len; i++) {
        char c = lower.p[i];

        lower.p[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    buf_quote(out, lower.p, lower.len);
    buf_free(&lower);
}

void answer_echo(const call_t *call, buf_t *out)
{
    const char *comma = "";
    int i;

    buf_str(out, "{\"method\":");
    buf_quote(out, call->method.p, call->method.n);
    buf_str(out, ",\"path\":");
    buf_quote(out, call->path.p, call->path.n);
    buf_str(out, ",\"query\":");
    buf_quote(out, call->query.p, call->query.n);
    buf_str(out, ",\"headers\":{");
    for (i = 0; i < call->header_count; i++) {
        if (!seen_before(call, i)) {
            buf_str(out, comma);
            answer_header_name(call->headers[i].name, out);
            buf_str(out, ":");
            join_values(call, i, out);
            comma = ",";
        }
    }
    buf_str(out, "},\"body\":");
    buf_quote(out, call->body.p, call->body.len);
    buf_str(out, "}");
}

/* The tools the caller offered name the calls; without any there are two of our own. */
static void compose_tools(answer_t *a, text_t tools, long calls)
{
    static const char *const names[] = { "get_weather", "get_time" };
    static const char *const args[] = {
        "{\"city\":\"Zürich\",\"unit\":\"celsius\"}", "{\"timezone\":\"Europe/Zurich\"}"
    };
    text_t tool = { NULL, 0 };
    size_t pos = 0;
    int i;

    a->tools = (int)calls;
    for (i = 0; i < a->tools; i++) {
        text_t item, function, parameters;

        if (json_next_item(tools, &pos, &item)) {
            tool = item;
        }
        function = json_get(tool, "function").p ? json_get(tool, "function") : tool;
        parameters = json_get(function, "parameters");
        parameters = parameters.p ? parameters : json_get(function, "input_schema");
        json_decode(json_get(function, "name"), &a->tool_name[i]);
        if (a->tool_name[i].len == 0) {
            buf_str(&a->tool_name[i], names[i]);
        }
        if (parameters.p) {
            schema_example(parameters, parameters, 0, &a->tool_args[i]);
        }
        else {
            buf_str(&a->tool_args[i], args[i]);
        }
        a->tool_pieces[i] = piece_count(&a->tool_args[i]);
        a->pieces += a->tool_pieces[i];
    }
    a->kind = ANSWER_TOOLS;
    a->finish = "tool_calls";
}

static void compose_json(answer_t *a, text_t request)
{
    text_t schema = json_get(json_get(json_get(request, "response_format"), "json_schema"),
                             "schema");

    if (!schema.p) {
        schema = json_get(json_get(json_get(request, "text"), "format"), "schema");
    }
    if (!schema.p) {
        schema = json_get(json_get(json_get(request, "output_config"), "format"), "schema");
    }
    if (schema.p) {
        schema_example(schema, schema, 0, &a->literal);
    }
    else {
        buf_str(&a->literal, "{\"answer\":\"the river keeps its own slow counsel\"}");
    }
    a->kind = ANSWER_LITERAL;
}

static void compose_words(const call_t *call, answer_t *a)
{
    a->pieces = call->script.tokens;
    if (a->max_tokens >= 0 && a->max_tokens < a->pieces && call->script.usage != USAGE_EXCESS) {
        a->pieces = a->max_tokens;
        a->finish = "length";
    }
}

/* A message of Anthropic's whose content holds a tool's result. */
static int holds_tool_result(text_t message)
{
    text_t content = json_get(message, "content"), item;
    size_t pos = 0;

    while (json_next_item(content, &pos, &item)) {
        if (text_is(json_get(item, "type"), "\"tool_result\"")) {
            return 1;
        }
    }
    return 0;
}

/* After a tool has spoken the model answers in words, or a caller's tool loop would never end. */
static int tool_has_spoken(text_t request)
{
    text_t list = json_get(request, "messages"), last = { NULL, 0 }, item;
    buf_t word = { NULL, 0, 0 };
    size_t pos = 0;
    int spoken;

    list = list.p ? list : json_get(request, "input");
    while (json_next_item(list, &pos, &item)) {
        last = item;
    }
    json_decode(json_get(last, "role"), &word);
    json_decode(json_get(last, "type"), &word);
    spoken = text_is(buf_text(&word), "tool")
             || text_is(buf_text(&word), "function_call_output") || holds_tool_result(last);
    buf_free(&word);
    return spoken;
}

/* -1 when none of the names is there. */
static long limit_of(text_t request)
{
    static const char *const names[] = { "max_completion_tokens", "max_output_tokens",
                                         "max_tokens" };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        long n = json_number(json_get(request, names[i]), 1000000000);

        if (n >= 0) {
            return n;
        }
    }
    return -1;
}

static long choices_of(const call_t *call, text_t request)
{
    text_t prompt = json_get(request, "prompt"), item;
    long choices = json_number(json_get(request, "n"), CHOICES_MAX);
    long prompts = 0;
    size_t pos = 0;

    if (call->endpoint->dialect == DIALECT_ANTHROPIC) {
        return 1;
    }
    choices = choices > 0 ? choices : 1;
    while (call->endpoint == &endpoint_completions && json_next_item(prompt, &pos, &item)) {
        if (*item.p != '"' && *item.p != '[') {
            break;                       /* one prompt, as token numbers */
        }
        prompts++;
    }
    return prompts > 1 ? choices * prompts : choices;
}

static long prompt_tokens_of(const call_t *call, text_t request)
{
    static const char *const places[] = { "messages", "system", "prompt", "instructions",
                                          "input", "query" };
    size_t i, bytes = 0;

    if (form_is(call)) {
        return FILE_TOKENS + (long)((form_field(call, "prompt").n + 3) / 4);
    }
    for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        bytes += json_content_bytes(json_get(request, places[i]));
    }
    return (long)((bytes + 3) / 4);
}

void answer_compose(call_t *call, text_t request)
{
    answer_t *a = &call->answer;
    const script_t *s = &call->script;

    a->finish = "stop";
    a->max_tokens = limit_of(request);
    a->choices = choices_of(call, request);
    a->prompt_tokens = prompt_tokens_of(call, request);
    if (call->endpoint == &endpoint_messages) {
        a->prompt_tokens += s->cached + s->written;
    }
    if (s->echo) {
        answer_echo(call, &a->literal);
        a->kind = ANSWER_LITERAL;
    }
    else if (s->refuse) {
        buf_str(&a->literal, "I'm sorry, I cannot assist with that request.");
        a->kind = ANSWER_REFUSAL;
    }
    else if (s->tool && !tool_has_spoken(request)) {
        compose_tools(a, json_get(request, "tools"), s->calls);
        a->finish = s->finish[0] ? s->finish : a->finish;
        return;
    }
    else if (s->json) {
        compose_json(a, request);
    }
    if (a->kind == ANSWER_WORDS) {
        compose_words(call, a);
    }
    else {
        a->pieces = piece_count(&a->literal);
    }
    a->finish = s->finish[0] ? s->finish : a->finish;
}

void answer_free(answer_t *a)
{
    int i;

    buf_free(&a->literal);
    for (i = 0; i < ANSWER_TOOL_COUNT; i++) {
        buf_free(&a->tool_name[i]);
        buf_free(&a->tool_args[i]);
    }
}

/* The three numbers as they shall stand in the text. */
typedef struct {
    char prompt[32], completion[32], total[32];
} figures_t;

static void tell(call_t *call, long prompt, long completion, figures_t *f)
{
    snprintf(f->prompt, sizeof(f->prompt), "%ld", prompt);
    snprintf(f->completion, sizeof(f->completion), "%ld", completion);
    snprintf(f->total, sizeof(f->total), "%ld", prompt + completion);
    call->step_prompt = prompt;
    call->step_completion = completion;
}

/* The prompt's tokens as the first figure names them. */
static long uncached_tokens(const call_t *call)
{
    long beside = call->script.cached + call->script.written;

    return call->answer.prompt_tokens - (call->endpoint == &endpoint_messages ? beside : 0);
}

static void figure(call_t *call, long spent, figures_t *f)
{
    static const figures_t huge = {
        "9223372036854775807", "99999999999999999999999", "1e30"
    };
    static const figures_t text = { "\"many\"", "\"more\"", "\"lots\"" };
    long prompt = uncached_tokens(call);
    long limit = call->answer.max_tokens;

    switch (call->script.usage) {
    case USAGE_ZERO:
        tell(call, 0, 0, f);
        break;
    case USAGE_NEGATIVE:
        tell(call, -1, -5, f);
        break;
    case USAGE_HUGE:
        *f = huge;
        break;
    case USAGE_TEXT:
        *f = text;
        break;
    case USAGE_EXCESS:
        tell(call, prompt, (limit > spent ? limit : spent) + EXCESS, f);
        break;
    default:
        tell(call, prompt, spent, f);
        break;
    }
}

/* Anthropic's: input_tokens are those that did not pass through the cache. */
static void add_claude_usage(call_t *call, long spent, const figures_t *f, buf_t *out)
{
    const script_t *s = &call->script;

    call->step_prompt += s->cached + s->written;
    buf_fmt(out, "{\"input_tokens\":%s,\"cache_creation_input_tokens\":%ld,"
                 "\"cache_read_input_tokens\":%ld,\"cache_creation\":{"
                 "\"ephemeral_5m_input_tokens\":%ld,\"ephemeral_1h_input_tokens\":0},"
                 "\"output_tokens\":%s,\"output_tokens_details\":{\"thinking_tokens\":%ld},"
                 "\"service_tier\":\"standard\"}",
            f->prompt, s->written, s->cached, s->written, f->completion,
            spent < s->reasoning ? spent : s->reasoning);
}

void answer_usage(call_t *call, long spent, buf_t *out)
{
    const script_t *s = &call->script;
    figures_t f;

    if (s->usage == USAGE_NULL) {
        buf_str(out, "null");
        return;
    }
    figure(call, spent, &f);
    call->step_told = 1;
    if (call->endpoint == &endpoint_embeddings) {
        buf_fmt(out, "{\"prompt_tokens\":%s,\"total_tokens\":%s}", f.prompt, f.total);
    }
    else if (call->endpoint == &endpoint_messages) {
        add_claude_usage(call, spent, &f, out);
    }
    else if (call->endpoint == &endpoint_rerank) {
        buf_fmt(out, "{\"input_tokens\":%s}", f.prompt);
    }
    else if (call->endpoint == &endpoint_images || call->endpoint == &endpoint_speech
             || call->endpoint == &endpoint_transcriptions) {
        buf_fmt(out, "{%s\"input_tokens\":%s,\"output_tokens\":%s,\"total_tokens\":%s}",
                call->endpoint == &endpoint_transcriptions ? "\"type\":\"tokens\"," : "",
                f.prompt, f.completion, f.total);
    }
    else if (call->endpoint == &endpoint_responses) {
        buf_fmt(out, "{\"input_tokens\":%s,\"input_tokens_details\":{\"cached_tokens\":%ld,"
                     "\"cache_write_tokens\":%ld},\"output_tokens\":%s,\"output_tokens_details\":"
                     "{\"reasoning_tokens\":%ld},\"total_tokens\":%s}",
                f.prompt, s->cached, s->written, f.completion, s->reasoning, f.total);
    }
    else {
        buf_fmt(out, "{\"prompt_tokens\":%s,\"completion_tokens\":%s,\"total_tokens\":%s,"
                     "\"prompt_tokens_details\":{\"cached_tokens\":%ld,\"audio_tokens\":0",
                f.prompt, f.completion, f.total, s->cached);
        if (s->written) {
            buf_fmt(out, ",\"cache_write_tokens\":%ld", s->written);
        }
        buf_fmt(out, "},\"completion_tokens_details\":{\"reasoning_tokens\":%ld,"
                     "\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
                     "\"rejected_prediction_tokens\":0}}", s->reasoning);
    }
}
