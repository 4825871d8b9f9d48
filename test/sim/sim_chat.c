/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_chat.c - how do /chat/completions and /completions look on the wire?
 *
 * A stream is a row of steps.  Each choice takes its turn in every round: role (chat only), the
 * pieces, finish.  After the rounds: the usage chunk, [DONE], and what usage=late adds.
 */
#include <string.h>

#include "ai_sim.h"

#define THOUGHTS 2                /* events that tell what it thinks */

static int is_chat(const call_t *call)
{
    return call->endpoint == &endpoint_chat;
}

static void add_quoted(buf_t *out, const buf_t *text)
{
    buf_quote(out, text->p, text->len);
}

static void open_object(const call_t *call, const char *object, buf_t *out)
{
    const char *fingerprint = call->script.id[0] ? call->script.id : "fp_sim";

    buf_fmt(out, "{\"id\":\"%s-sim%06lu\",\"object\":\"%s\",\"created\":%ld,\"model\":",
            is_chat(call) ? "chatcmpl" : "cmpl", call->seq, object, (long)call->began_at);
    buf_quote(out, call->model.p, call->model_len);
    if (is_chat(call)) {
        buf_str(out, ",\"service_tier\":\"default\"");
    }
    buf_str(out, ",\"system_fingerprint\":");
    buf_quote(out, fingerprint, strlen(fingerprint));
}

/* The head of a tool call: all that comes before its arguments. */
static void add_tool_head(const call_t *call, int tool, long choice, buf_t *out)
{
    buf_fmt(out, "\"id\":\"call_sim%06lu%03ld%d\",\"type\":\"function\",\"function\":{\"name\":",
            call->seq, choice, tool);
    add_quoted(out, &call->answer.tool_name[tool]);
    buf_str(out, ",\"arguments\":");
}

/* ------------------------------------------------------------------------ the plain answer */

static void add_message(const call_t *call, long choice, buf_t *out)
{
    const answer_t *a = &call->answer;
    buf_t text = { NULL, 0, 0 };
    int i;

    answer_text(call, &text);
    buf_str(out, "{\"role\":\"assistant\",\"content\":");
    if (a->kind == ANSWER_TOOLS) {
        buf_str(out, "null,\"refusal\":null,\"annotations\":[],\"tool_calls\":[");
        for (i = 0; i < a->tools; i++) {
            buf_str(out, i ? ",{" : "{");
            add_tool_head(call, i, choice, out);
            add_quoted(out, &a->tool_args[i]);
            buf_str(out, "}}");
        }
        buf_str(out, "]");
    }
    else if (a->kind == ANSWER_REFUSAL) {
        buf_str(out, "null,\"refusal\":");
        add_quoted(out, &text);
        buf_str(out, ",\"annotations\":[]");
    }
    else {
        add_quoted(out, &text);
        buf_str(out, ",\"refusal\":null,\"annotations\":[]");
    }
    if (call->script.thought) {
        buf_fmt(out, ",\"reasoning_content\":\"%s\"", answer_thought);
    }
    buf_str(out, "}");
    buf_free(&text);
}

static void add_choice(const call_t *call, long choice, buf_t *out)
{
    buf_t text = { NULL, 0, 0 };

    buf_fmt(out, "%s{\"index\":%ld,", choice ? "," : "", choice);
    if (is_chat(call)) {
        buf_str(out, "\"message\":");
        add_message(call, choice, out);
    }
    else {
        answer_text(call, &text);
        buf_str(out, "\"text\":");
        add_quoted(out, &text);
        buf_free(&text);
    }
    buf_fmt(out, ",\"logprobs\":null,\"finish_reason\":\"%s\"}", call->answer.finish);
}

static void plain(call_t *call, buf_t *out)
{
    long i;

    open_object(call, is_chat(call) ? "chat.completion" : "text_completion", out);
    buf_str(out, ",\"choices\":[");
    for (i = 0; i < call->answer.choices; i++) {
        add_choice(call, i, out);
    }
    buf_str(out, "]");
    if (call->script.usage != USAGE_NONE) {
        buf_str(out, ",\"usage\":");
        answer_usage(call, answer_tokens(call), out);
    }
    buf_str(out, "}");
}

/* ------------------------------------------------------------------------------- the stream */

/* Rounds of one choice between role and finish, what it thinks not counted. */
static long middle_rounds(const answer_t *a)
{
    return a->kind == ANSWER_TOOLS ? a->pieces + a->tools : a->pieces;
}

/* Rounds before the answer itself: the role, and what it thinks. */
static long first_round(const call_t *call)
{
    return !is_chat(call) ? 0 : call->script.thought ? -1 - THOUGHTS : -1;
}

/* Which tool and which piece of it a round writes; piece -1 is the head. */
static long tool_round(const answer_t *a, long round, int *tool)
{
    *tool = 0;
    if (round > a->tool_pieces[0]) {
        round -= a->tool_pieces[0] + 1;
        *tool = 1;
    }
    return round - 1;
}

/* Tokens of one choice up to that middle round, itself included. */
static long tokens_through(const answer_t *a, long round)
{
    if (round < 0) {
        return 0;
    }
    if (round >= middle_rounds(a)) {
        return a->pieces;
    }
    if (a->kind != ANSWER_TOOLS) {
        return round + 1;
    }
    return round <= a->tool_pieces[0] ? round : round - 1;
}

static long add_tool_delta(const call_t *call, long round, long choice, buf_t *out)
{
    const answer_t *a = &call->answer;
    buf_t text = { NULL, 0, 0 };
    int tool;
    long piece = tool_round(a, round, &tool);

    buf_fmt(out, "{\"tool_calls\":[{\"index\":%d,", tool);
    if (piece < 0) {
        add_tool_head(call, tool, choice, out);
        buf_str(out, "\"\"}}]}");
        return 0;
    }
    answer_tool_piece(a, tool, piece, &text);
    buf_str(out, "\"function\":{\"arguments\":");
    add_quoted(out, &text);
    buf_str(out, "}}]}");
    buf_free(&text);
    return 1;
}

/* Adds the delta of a middle round; returns its tokens. */
static long add_delta(const call_t *call, long round, long choice, buf_t *out)
{
    buf_t text = { NULL, 0, 0 };

    if (call->answer.kind == ANSWER_TOOLS) {
        return add_tool_delta(call, round, choice, out);
    }
    answer_piece(call, round, &text);
    if (is_chat(call)) {
        buf_str(out, call->answer.kind == ANSWER_REFUSAL ? "{\"refusal\":" : "{\"content\":");
    }
    add_quoted(out, &text);
    buf_str(out, is_chat(call) ? "}" : "");
    buf_free(&text);
    return 1;
}

static int usage_asked(const call_t *call)
{
    return call->script.usage != USAGE_NONE
           && (call->include_usage || call->script.usage == USAGE_ON);
}

/* The usage member of a chunk that has choices. */
static void add_chunk_usage(call_t *call, long step, long round, long choice, buf_t *out)
{
    const answer_t *a = &call->answer;
    long spent;

    if (call->script.usage == USAGE_EVERY) {
        spent = tokens_through(a, round) * (choice + 1)
                + tokens_through(a, round - 1) * (a->choices - choice - 1);
        buf_str(out, ",\"usage\":");
        answer_usage(call, spent + call->script.reasoning, out);
    }
    else if (call->script.usage == USAGE_EARLY && step == 0) {
        buf_str(out, ",\"usage\":");
        answer_usage(call, answer_tokens(call), out);
    }
    else if (usage_asked(call)) {
        buf_str(out, ",\"usage\":null");
    }
}

/* Half of what it thinks: the first, or the last. */
static void add_thought(int last, buf_t *out)
{
    size_t n = strlen(answer_thought), half = n / 2;

    buf_fmt(out, "{\"reasoning_content\":\"%.*s\"}", (int)(last ? n - half : half),
            last ? answer_thought + half : answer_thought);
}

/* A chunk of a choice: the first round is the role, the others below 0 are what it thinks, round
 * middle_rounds() is the finish. */
static void add_chunk(call_t *call, long step, long round, long choice, event_t *ev)
{
    const answer_t *a = &call->answer;
    int last = round == middle_rounds(a);
    buf_t *out = &ev->data;

    open_object(call, is_chat(call) ? "chat.completion.chunk" : "text_completion", out);
    buf_fmt(out, ",\"choices\":[{\"index\":%ld,\"%s\":", choice,
            is_chat(call) ? "delta" : "text");
    if (is_chat(call) && round == first_round(call)) {
        buf_fmt(out, "{\"role\":\"assistant\",\"content\":%s,\"refusal\":null}",
                a->kind == ANSWER_TOOLS ? "null" : "\"\"");
    }
    else if (round < 0) {
        add_thought(round == -1, out);
    }
    else if (last) {
        buf_str(out, is_chat(call) ? "{}" : "\"\"");
    }
    else {
        ev->tokens = add_delta(call, round, choice, out);
    }
    if (step == 0) {
        ev->tokens += call->script.reasoning;
    }
    buf_str(out, ",\"logprobs\":null,\"finish_reason\":");
    buf_fmt(out, last ? "\"%s\"}]" : "null}]", a->finish);
    add_chunk_usage(call, step, round, choice, out);
    buf_str(out, "}");
}

static void add_usage_chunk(call_t *call, event_t *ev)
{
    buf_t *out = &ev->data;

    open_object(call, is_chat(call) ? "chat.completion.chunk" : "text_completion", out);
    buf_str(out, ",\"choices\":[],\"usage\":");
    answer_usage(call, answer_tokens(call), out);
    buf_str(out, "}");
}

static int event(call_t *call, long step, event_t *ev)
{
    const answer_t *a = &call->answer;
    long first = first_round(call);
    long rounds = middle_rounds(a) + 1 - first;
    long rest = step - rounds * a->choices;
    int late = call->script.usage == USAGE_LATE;

    if (rest < 0) {
        add_chunk(call, step, step / a->choices + first, step % a->choices, ev);
        return 1;
    }
    if (usage_asked(call) && !late && call->script.usage != USAGE_EARLY && rest-- == 0) {
        add_usage_chunk(call, ev);
        return 1;
    }
    if (call->script.done && rest-- == 0) {
        buf_str(&ev->data, "[DONE]");
        return 1;
    }
    if (late && usage_asked(call) && rest == 0) {
        add_usage_chunk(call, ev);
        return 1;
    }
    return 0;
}

static void error(call_t *call, long step, event_t *ev)
{
    (void)step;
    error_body(500, call->script.message[0] ? call->script.message : NULL, NULL, &ev->data);
}

const endpoint_t endpoint_chat = {
    "chat", { "messages" }, DIALECT_OPENAI, plain, event, error, NULL, 0, 0
};
const endpoint_t endpoint_completions = {
    "completions", { "prompt" }, DIALECT_OPENAI, plain, event, error, NULL, 0, 0
};
