/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_anthropic.c - how does Anthropic's Messages API look on the wire?
 *
 * A stream is: message_start, then the blocks of the content one after the other, each as start /
 * deltas / stop, then message_delta with the stop reason and message_stop.  Once, after the first
 * block has started, comes a ping.  Tokens read from the cache or written to it stand beside
 * input_tokens, not in it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <string.h>

#include "ai_sim.h"

#define THOUGHTS 2                /* events that tell what it thinks */

/* ---------------------------------------------------------------------------------- errors */

typedef struct {
    int status;
    const char *type, *message;
} fault_t;

static const fault_t faults[] = {
    { 400, "invalid_request_error", "The request is not valid." },
    { 401, "authentication_error", "invalid x-api-key" },
    { 402, "billing_error", "Your credit balance is too low." },
    { 403, "permission_error", "Not allowed with this key." },
    { 404, "not_found_error", "model: not found" },
    { 408, "timeout_error", "The request took too long." },
    { 409, "conflict_error", "The resource was changed by another request." },
    { 413, "request_too_large", "Request exceeds the maximum size" },
    { 422, "invalid_request_error", "The request could not be processed." },
    { 429, "rate_limit_error", "This request would exceed your rate limit." },
    { 503, "overloaded_error", "Overloaded" },
    { 504, "timeout_error", "The request took too long." },
    { 529, "overloaded_error", "Overloaded" },
};

void anthropic_error(const call_t *call, int status, const char *message, const char *param,
                     buf_t *out)
{
    fault_t fault = { status, "api_error", "Internal server error" };
    buf_t text = { NULL, 0, 0 };
    size_t i;

    if (status < 500) {
        fault = faults[0];
    }
    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (faults[i].status == status) {
            fault = faults[i];
        }
    }
    if (param) {
        buf_fmt(&text, "%s: ", param);
    }
    buf_str(&text, message ? message : fault.message);
    buf_fmt(out, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":", fault.type);
    buf_quote(out, text.p, text.len);
    buf_fmt(out, "},\"request_id\":\"req_sim%06lu\"}", call->seq);
    buf_free(&text);
}

void anthropic_headers(const call_t *call, buf_t *out)
{
    buf_fmt(out, "request-id: req_sim%06lu\r\n", call->seq);
    buf_str(out, "anthropic-organization-id: 00000000-0000-4000-8000-000000000000\r\n"
                 "anthropic-ratelimit-requests-limit: 4000\r\n"
                 "anthropic-ratelimit-requests-remaining: 3999\r\n"
                 "anthropic-ratelimit-requests-reset: 2030-01-01T00:00:00Z\r\n"
                 "anthropic-ratelimit-tokens-limit: 400000\r\n"
                 "anthropic-ratelimit-tokens-remaining: 399000\r\n"
                 "anthropic-ratelimit-tokens-reset: 2030-01-01T00:00:00Z\r\n");
}

/* --------------------------------------------------------------------- the parts of a message */

static const char signature[] = CLAUDE_SIGNATURE;
static const char redacted[] = CLAUDE_REDACTED;

static const char *stop_reason(const call_t *call)
{
    if (call->script.finish[0]) {
        return call->script.finish;
    }
    if (call->answer.kind == ANSWER_TOOLS) {
        return "tool_use";
    }
    if (call->answer.kind == ANSWER_REFUSAL) {
        return "refusal";
    }
    return strcmp(call->answer.finish, "length") == 0 ? "max_tokens" : "end_turn";
}

static void add_stop(const call_t *call, buf_t *out)
{
    buf_fmt(out, "\"stop_reason\":\"%s\",\"stop_sequence\":%s,\"stop_details\":",
            stop_reason(call),
            strcmp(stop_reason(call), "stop_sequence") == 0 ? "\"END\"" : "null");
    buf_str(out, call->answer.kind == ANSWER_REFUSAL
                     ? "{\"type\":\"refusal\",\"category\":null,\"explanation\":null}" : "null");
}

/* The id= of the script has no place of its own in this dialect. */
static void add_sim_id(const call_t *call, buf_t *out)
{
    if (call->script.id[0]) {
        buf_str(out, ",\"sim_id\":");
        buf_quote(out, call->script.id, strlen(call->script.id));
    }
}

static void open_message(const call_t *call, buf_t *out)
{
    buf_str(out, "{\"model\":");
    buf_quote(out, call->model.p, call->model_len);
    buf_fmt(out, ",\"id\":\"msg_sim%06lu\",\"type\":\"message\",\"role\":\"assistant\"",
            call->seq);
}

static int has_thought(const call_t *call)
{
    return call->script.reasoning > 0;
}

/* Blocks before the answer itself: a thought, and one that only we can read. */
static int lead_count(const call_t *call)
{
    return has_thought(call) + (call->script.redacted != 0);
}

static int block_count(const call_t *call)
{
    return lead_count(call) + (call->answer.kind == ANSWER_TOOLS ? call->answer.tools : 1);
}

static int is_thought(const call_t *call, int block)
{
    return block < has_thought(call);
}

/* A block of the content: as it begins (empty), or whole. */
static void add_block(const call_t *call, int block, int whole, buf_t *out)
{
    const answer_t *a = &call->answer;
    buf_t text = { NULL, 0, 0 };
    int tool = block - lead_count(call);

    if (is_thought(call, block)) {
        buf_fmt(out, "{\"type\":\"thinking\",\"thinking\":\"%s\",\"signature\":\"%s\"}",
                whole ? answer_thought : "", whole ? signature : "");
    }
    else if (tool < 0) {
        buf_fmt(out, "{\"type\":\"redacted_thinking\",\"data\":\"%s\"}", redacted);
    }
    else if (a->kind == ANSWER_TOOLS) {
        buf_fmt(out, "{\"type\":\"tool_use\",\"id\":\"toolu_sim%06lu%d\","
                     "\"caller\":{\"type\":\"direct\"},\"name\":", call->seq, tool);
        buf_quote(out, a->tool_name[tool].p, a->tool_name[tool].len);
        buf_str(out, ",\"input\":");
        if (whole) {
            buf_add(out, a->tool_args[tool].p, a->tool_args[tool].len);
        }
        else {
            buf_str(out, "{}");
        }
        buf_str(out, "}");
    }
    else {
        if (whole) {
            answer_text(call, &text);
        }
        buf_str(out, "{\"type\":\"text\",\"text\":");
        buf_quote(out, text.p, text.len);
        buf_str(out, "}");
        buf_free(&text);
    }
}

static void plain(call_t *call, buf_t *out)
{
    int i;

    open_message(call, out);
    buf_str(out, ",\"content\":[");
    for (i = 0; i < block_count(call); i++) {
        buf_str(out, i ? "," : "");
        add_block(call, i, 1, out);
    }
    buf_str(out, "],");
    add_stop(call, out);
    if (call->script.usage != USAGE_NONE) {
        buf_str(out, ",\"usage\":");
        answer_usage(call, answer_tokens(call), out);
    }
    add_sim_id(call, out);
    buf_str(out, "}");
}

/* ------------------------------------------------------------------------------- the stream */

static void open_event(const call_t *call, event_t *ev, const char *name)
{
    ev->name = name;
    buf_fmt(&ev->data, "{\"type\":\"%s\"", name);
    add_sim_id(call, &ev->data);
}

static void add_event_usage(call_t *call, long spent, event_t *ev)
{
    buf_str(&ev->data, ",\"usage\":");
    answer_usage(call, spent, &ev->data);
}

static void message_start(call_t *call, event_t *ev)
{
    long usage = call->script.usage;
    long all = answer_tokens(call);

    open_event(call, ev, "message_start");
    buf_str(&ev->data, ",\"message\":");
    open_message(call, &ev->data);
    buf_str(&ev->data, ",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,"
                       "\"stop_details\":null");
    if (usage != USAGE_NONE && usage != USAGE_LATE) {
        /* In life it is told once the first token is there. */
        add_event_usage(call, usage == USAGE_EARLY ? all : all > 0, ev);
    }
    buf_str(&ev->data, "}}");
}

static void message_delta(call_t *call, event_t *ev, int late)
{
    long usage = call->script.usage;

    open_event(call, ev, "message_delta");
    buf_str(&ev->data, ",\"delta\":{");
    add_stop(call, &ev->data);
    buf_str(&ev->data, "}");
    if (late || (usage != USAGE_NONE && usage != USAGE_EARLY && usage != USAGE_LATE)) {
        add_event_usage(call, answer_tokens(call), ev);
    }
    buf_str(&ev->data, "}");
}

/* Events of a block between its start and its stop. */
static long delta_count(const call_t *call, int block)
{
    int tool = block - lead_count(call);

    if (tool < 0) {
        return is_thought(call, block) ? THOUGHTS + 1 : 0;
    }
    return call->answer.kind == ANSWER_TOOLS ? call->answer.tool_pieces[tool] + 1
                                             : call->answer.pieces;
}

/* What it thinks comes in halves; then it is signed. */
static void add_thought_delta(long i, buf_t *out)
{
    size_t half = strlen(answer_thought) / 2;

    if (i == THOUGHTS) {
        buf_fmt(out, "{\"type\":\"signature_delta\",\"signature\":\"%s\"}", signature);
        return;
    }
    buf_fmt(out, "{\"type\":\"thinking_delta\",\"thinking\":\"%.*s\"}",
            (int)(i ? strlen(answer_thought) - half : half), answer_thought + (i ? half : 0));
}

/* Writes delta i of a block; returns the tokens generated up to then in this block. */
static long add_delta(const call_t *call, int block, long i, event_t *ev)
{
    const answer_t *a = &call->answer;
    int tool = block - lead_count(call);
    buf_t *out = &ev->data;
    buf_t text = { NULL, 0, 0 };

    if (tool < 0) {
        ev->tokens = i ? 0 : call->script.reasoning;
        add_thought_delta(i, out);
        return call->script.reasoning;
    }
    if (a->kind == ANSWER_TOOLS) {
        buf_str(out, "{\"type\":\"input_json_delta\",\"partial_json\":");
        if (i > 0) {
            answer_tool_piece(a, tool, i - 1, &text);   /* the first fragment is empty */
        }
        ev->tokens = i > 0;
    }
    else {
        buf_str(out, "{\"type\":\"text_delta\",\"text\":");
        answer_piece(call, i, &text);
        ev->tokens = 1;
        i++;
    }
    buf_quote(out, text.p, text.len);
    buf_str(out, "}");
    buf_free(&text);
    return i;
}

/* The tokens of the blocks before this one. */
static long tokens_before(const call_t *call, int block)
{
    int tool = block - lead_count(call);
    long sum = is_thought(call, block) ? 0 : call->script.reasoning;
    int i;

    for (i = 0; i < tool; i++) {
        sum += call->answer.tool_pieces[i];
    }
    return sum;
}

/* Event number at of the content, the ping not counted.  Past the end it returns 0 and *at is
 * what is left. */
static int block_step(call_t *call, long *at, event_t *ev)
{
    buf_t *out = &ev->data;
    int block = 0;
    long spent, last;

    while (block < block_count(call) && *at >= delta_count(call, block) + 2) {
        *at -= delta_count(call, block) + 2;
        block++;
    }
    if (block == block_count(call)) {
        return 0;
    }
    last = delta_count(call, block) + 1;
    open_event(call, ev, *at == 0 ? "content_block_start"
                         : *at == last ? "content_block_stop" : "content_block_delta");
    buf_fmt(out, ",\"index\":%d", block);
    if (*at == 0) {
        buf_str(out, ",\"content_block\":");
        add_block(call, block, 0, out);
    }
    else if (*at < last) {
        buf_str(out, ",\"delta\":");
        spent = tokens_before(call, block) + add_delta(call, block, *at - 1, ev);
        if (call->script.usage == USAGE_EVERY) {
            add_event_usage(call, spent, ev);
        }
    }
    buf_str(out, "}");
    return 1;
}

static int event(call_t *call, long step, event_t *ev)
{
    long at = step == 1 ? 0 : step - 2;

    if (step == 0) {
        message_start(call, ev);
        return 1;
    }
    if (step == 2) {
        open_event(call, ev, "ping");
        buf_str(&ev->data, "}");
        return 1;
    }
    if (block_step(call, &at, ev)) {
        return 1;
    }
    if (at-- == 0) {
        message_delta(call, ev, 0);
        return 1;
    }
    if (call->script.done && at-- == 0) {
        open_event(call, ev, "message_stop");
        buf_str(&ev->data, "}");
        return 1;
    }
    if (call->script.usage == USAGE_LATE && at == 0) {
        message_delta(call, ev, 1);
        return 1;
    }
    return 0;
}

static void error(call_t *call, long step, event_t *ev)
{
    (void)step;
    ev->name = "error";
    anthropic_error(call, 529, call->script.message[0] ? call->script.message : NULL, NULL,
                    &ev->data);
}

/* --------------------------------------------------------------------- count_tokens, models */

static void count_tokens(call_t *call, buf_t *out)
{
    buf_fmt(out, "{\"input_tokens\":%ld}", call->answer.prompt_tokens);
    call->answer.prompt_tokens = 0;      /* counted, not spent */
}

static void add_model(text_t id, buf_t *out)
{
    buf_str(out, "{\"type\":\"model\",\"id\":");
    buf_quote(out, id.p, id.n);
    buf_str(out, ",\"display_name\":");
    buf_quote(out, id.p, id.n);
    buf_str(out, ",\"created_at\":\"2023-11-14T22:13:20Z\",\"max_input_tokens\":200000,"
                 "\"max_tokens\":64000}");
}

static void models(call_t *call, buf_t *out)
{
    static const char *const names[] = { "sim-claude", "sim-claude-large" };
    const char *id = memmem(call->path.p, call->path.n, "/models/", 8);

    if (id) {
        id += 8;
        add_model((text_t) { id, call->path.n - (size_t)(id - call->path.p) }, out);
        return;
    }
    buf_str(out, "{\"data\":[");
    add_model((text_t) { names[0], strlen(names[0]) }, out);
    buf_str(out, ",");
    add_model((text_t) { names[1], strlen(names[1]) }, out);
    buf_fmt(out, "],\"has_more\":false,\"first_id\":\"%s\",\"last_id\":\"%s\"}", names[0],
            names[1]);
}

const endpoint_t endpoint_messages = {
    "messages", { "max_tokens", "messages" }, DIALECT_ANTHROPIC, plain, event, error, NULL, 0, 0
};
const endpoint_t endpoint_count_tokens = {
    "count_tokens", { "messages" }, DIALECT_ANTHROPIC, count_tokens, NULL, NULL, NULL, 0, 0
};
const endpoint_t endpoint_claude_models = {
    "models", { NULL }, DIALECT_ANTHROPIC, models, NULL, NULL, NULL, 0, 0
};
