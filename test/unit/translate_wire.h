/* SPDX-License-Identifier: Apache-2.0 */
/*
 * translate_wire.h - does a stream that a caller gets keep the rules of its dialect?
 *
 * Written from the providers' published interfaces, not from our writers: what an SDK relies on.
 * Each check returns NULL, or what is wrong with the stream.
 */
#ifndef TRANSLATE_WIRE_H
#define TRANSLATE_WIRE_H

#include <apr_strings.h>

#include "ai_json.h"
#include "ai_sse.h"

#define WIRE_BLOCKS 10001
#define WIRE_CHOICES 129

typedef struct wire_t {
    apr_pool_t *pool;
    const char *wrong;     /* the first fault */
    int events;
    int errors;
    int ended;             /* message_stop, or [DONE] */
    /* Anthropic's */
    int n_blocks;          /* begun */
    char open[WIRE_BLOCKS]; /* by index: 0, or the first letter of its kind while it is open */
    int n_open;
    int talking;           /* one of text or thinking is open */
    int told_stop;
    /* OpenAI's */
    char role[WIRE_CHOICES]; /* by choice: it has begun; its end was told; calls begun */
    char finish[WIRE_CHOICES];
    int calls[WIRE_CHOICES];
    int usage;
} wire_t;

static inline void wire_must(wire_t *wire, int good, const char *what)
{
    if (!good && !wire->wrong) {
        wire->wrong = apr_psprintf(wire->pool, "event %d: %s", wire->events, what);
    }
}

static inline ai_slice_t wire_get(ai_slice_t object, const char *name)
{
    return ai_json_type(object) == AI_JSON_OBJECT ? ai_json_get(object, name)
                                                  : (ai_slice_t){ NULL, 0 };
}

static inline int wire_is(ai_slice_t object, const char *name, const char *text)
{
    return ai_json_string_is(wire_get(object, name), text);
}

static inline int wire_int(ai_slice_t object, const char *name)
{
    apr_int64_t n;

    return ai_json_int(wire_get(object, name), &n) == APR_SUCCESS && n >= 0 && n < 1000000
               ? (int)n : -1;
}

/* ------------------------------------------------------------------------ Anthropic's */

static inline void wire_block_start(wire_t *wire, ai_slice_t root)
{
    ai_slice_t block = wire_get(root, "content_block");
    int at = wire_int(root, "index");
    int is_call = wire_is(block, "type", "tool_use");

    wire_must(wire, at == wire->n_blocks, "blocks are numbered one after the other");
    wire_must(wire, at >= 0 && at < WIRE_BLOCKS, "too many blocks");
    if (wire->wrong) {
        return;
    }
    wire_must(wire, !wire->told_stop, "a block behind message_delta");
    wire_must(wire, is_call || !wire->talking, "one block of text or thinking at a time");
    wire_must(wire, !is_call || (wire_get(block, "id").n > 2 && wire_get(block, "name").n > 2),
              "a call has an id and a name");
    wire_must(wire, !is_call || ai_json_type(wire_get(block, "input")) == AI_JSON_OBJECT,
              "the input of a call is an object");
    wire->open[at] = is_call ? 'c' : wire_is(block, "type", "thinking") ? 'h'
                     : wire_is(block, "type", "redacted_thinking") ? 'r'
                     : wire_is(block, "type", "text") ? 't' : 0;
    wire_must(wire, wire->open[at], "an unknown kind of block");
    wire->talking = wire->talking || !is_call;
    wire->n_blocks++;
    wire->n_open++;
}

static inline void wire_block_delta(wire_t *wire, ai_slice_t root)
{
    ai_slice_t delta = wire_get(root, "delta");
    int at = wire_int(root, "index");
    char kind = at >= 0 && at < wire->n_blocks ? wire->open[at] : 0;

    wire_must(wire, kind, "a delta of no open block");
    wire_must(wire,
              wire_is(delta, "type", "text_delta")         ? kind == 't'
              : wire_is(delta, "type", "input_json_delta") ? kind == 'c'
              : wire_is(delta, "type", "thinking_delta")
                    || wire_is(delta, "type", "signature_delta") ? kind == 'h' : 0,
              "a delta that does not fit its block");
}

static inline void wire_claude_event(wire_t *wire, ai_slice_t root)
{
    int at;

    wire_must(wire, wire->events > 1 || wire_is(root, "type", "message_start")
                        || wire_is(root, "type", "error"), "message_start comes first");
    if (wire_is(root, "type", "message_start")) {
        ai_slice_t message = wire_get(root, "message");

        wire_must(wire, wire->events == 1, "message_start comes once");
        wire_must(wire, wire_get(message, "id").n > 2 && wire_get(message, "model").n > 2
                            && wire_is(message, "role", "assistant")
                            && ai_json_type(wire_get(message, "usage")) == AI_JSON_OBJECT,
                  "message_start lacks something");
    }
    else if (wire_is(root, "type", "content_block_start")) {
        wire_block_start(wire, root);
    }
    else if (wire_is(root, "type", "content_block_delta")) {
        wire_block_delta(wire, root);
    }
    else if (wire_is(root, "type", "content_block_stop")) {
        at = wire_int(root, "index");
        wire_must(wire, at >= 0 && at < wire->n_blocks && wire->open[at], "no such open block");
        if (!wire->wrong) {
            wire->talking = wire->talking && wire->open[at] == 'c';
            wire->open[at] = 0;
            wire->n_open--;
        }
    }
    else if (wire_is(root, "type", "message_delta")) {
        wire_must(wire, wire->n_open == 0, "message_delta with a block open");
        wire_must(wire, wire_get(wire_get(root, "delta"), "stop_reason").n > 2,
                  "message_delta has no stop_reason");
        wire_must(wire, !wire->told_stop, "message_delta comes once");
        wire->told_stop = 1;
    }
    else if (wire_is(root, "type", "message_stop")) {
        wire_must(wire, wire->told_stop, "message_stop without message_delta");
        wire->ended = 1;
    }
    else if (wire_is(root, "type", "error")) {
        wire_must(wire, wire_get(wire_get(root, "error"), "message").n > 2, "an error says why");
        wire->errors++;
    }
    else {
        wire_must(wire, wire_is(root, "type", "ping"), "an unknown type of event");
    }
}

/* --------------------------------------------------------------------------- OpenAI's */

static inline void wire_calls(wire_t *wire, ai_slice_t calls, int choice)
{
    ai_json_member_t member;
    ai_json_walk_t walk;

    if (!ai_json_walk(&walk, calls) || walk.is_object) {
        wire_must(wire, 0, "tool_calls is no list");
        return;
    }
    while (ai_json_next(&walk, &member) > 0) {
        int at = wire_int(member.value, "index");
        ai_slice_t function = wire_get(member.value, "function");
        int begins = wire_get(member.value, "id").p != NULL;

        wire_must(wire, begins ? at == wire->calls[choice] : at >= 0 && at < wire->calls[choice],
                  "calls are numbered as they begin");
        wire_must(wire, !begins || wire_get(function, "name").n > 2, "a call has a name");
        wire_must(wire, begins || ai_json_type(wire_get(function, "arguments")) == AI_JSON_STRING,
                  "the rest of a call is arguments");
        wire->calls[choice] += begins;
    }
}

static inline void wire_choice(wire_t *wire, ai_slice_t item)
{
    ai_slice_t delta = wire_get(item, "delta"), reason = wire_get(item, "finish_reason");
    ai_slice_t calls = wire_get(delta, "tool_calls");
    int choice = wire_int(item, "index");

    wire_must(wire, choice >= 0 && choice < WIRE_CHOICES, "a choice without a good index");
    wire_must(wire, ai_json_type(delta) == AI_JSON_OBJECT, "a choice without a delta");
    if (wire->wrong) {
        return;
    }
    wire_must(wire, !wire->finish[choice], "a choice goes on behind its finish_reason");
    wire_must(wire, wire_is(delta, "role", "assistant") == !wire->role[choice],
              "the role comes first and once");
    wire->role[choice] = 1;
    if (calls.p) {
        wire_calls(wire, calls, choice);
    }
    wire->finish[choice] = ai_json_type(reason) == AI_JSON_STRING;
}

static inline void wire_openai_event(wire_t *wire, ai_slice_t root)
{
    ai_slice_t choices = wire_get(root, "choices");
    ai_json_member_t member;
    ai_json_walk_t walk;
    int n = 0;

    if (wire_get(root, "error").p) {
        wire_must(wire, wire_get(wire_get(root, "error"), "message").n > 2, "an error says why");
        wire->errors++;
        return;
    }
    wire_must(wire, wire_is(root, "object", "chat.completion.chunk") && wire_get(root, "id").n > 2
                        && wire_get(root, "model").n > 2 && wire_int(root, "created") != 0,
              "a chunk lacks something");
    if (!ai_json_walk(&walk, choices) || walk.is_object) {
        wire_must(wire, 0, "choices is no list");
        return;
    }
    while (ai_json_next(&walk, &member) > 0) {
        wire_must(wire, !wire->usage, "a choice behind the usage");
        wire_choice(wire, member.value);
        n++;
    }
    if (n == 0) {
        wire_must(wire, ai_json_type(wire_get(root, "usage")) == AI_JSON_OBJECT && !wire->usage,
                  "a chunk of nothing");
        wire->usage = 1;
    }
}

static inline void wire_done(wire_t *wire)
{
    int i;

    for (i = 0; i < WIRE_CHOICES; i++) {
        wire_must(wire, wire->role[i] == wire->finish[i], "[DONE] without a finish_reason");
    }
    wire_must(wire, wire->role[0], "[DONE] of no answer");
    wire->ended = 1;
}

/* ------------------------------------------------------------------------------- both */

static inline apr_status_t wire_on_event(void *baton, const ai_sse_event_t *event)
{
    wire_t *wire = baton;
    ai_json_doc_t doc;

    if (!event->data.p) {
        return APR_SUCCESS; /* a comment */
    }
    wire->events++;
    wire_must(wire, event->complete, "no empty line behind it");
    wire_must(wire, !wire->ended && !wire->errors, "an event behind the end");
    if (event->data.n == 6 && memcmp(event->data.p, "[DONE]", 6) == 0) {
        wire_must(wire, !event->name.p, "[DONE] has no name");
        wire_done(wire);
        return APR_SUCCESS;
    }
    if (ai_json_parse_piece(wire->pool, event->data, &doc) != APR_SUCCESS) {
        wire_must(wire, 0, "no JSON");
        return APR_SUCCESS;
    }
    if (event->name.p) {
        wire_must(wire, wire_is(doc.root, "type",
                                apr_pstrmemdup(wire->pool, event->name.p, event->name.n)),
                  "the name of the event is not its type");
        wire_claude_event(wire, doc.root);
    }
    else {
        wire_openai_event(wire, doc.root);
    }
    return APR_SUCCESS;
}

/* Looks at a stream that ended as it should (ends: with its end; else without, or with an error). */
static inline const char *wire_check(apr_pool_t *p, ai_slice_t stream, int ends)
{
    wire_t *wire = apr_pcalloc(p, sizeof(*wire));
    ai_sse_t *sse = ai_sse_create(p, stream.n + 16);

    wire->pool = p;
    ai_sse_feed(sse, stream.p, stream.n, wire_on_event, wire);
    ai_sse_end(sse, wire_on_event, wire);
    wire_must(wire, wire->ended == ends, ends ? "it has no end" : "it has an end");
    wire_must(wire, !ends || !wire->errors, "an error in a finished answer");
    return wire->wrong;
}

#endif
