/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anthropic_answer.c - writes a whole answer as Anthropic's API has it: thinking, text, calls.
 *
 * Lives in: the answer's pool.  Shared state: none.  May block: no.
 */
#include "anthropic_translator.h"

/* --------------------------------------------------------------- for streams, too */

ai_slice_t ai_anthropic_string(apr_pool_t *p, ai_slice_t string, const char *otherwise)
{
    return string.p ? string : ai_json_quote(p, ai_slice_of(otherwise ? otherwise : ""));
}

void ai_anthropic_head(apr_pool_t *p, ai_write_t *out, const ai_answer_t *answer, ai_slice_t id,
                       ai_slice_t model)
{
    ai_write_literal(out, "{\"id\":");
    ai_write_bytes(out, ai_anthropic_string(p, id, answer->id));
    ai_write_literal(out, ",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
    ai_write_bytes(out, ai_anthropic_string(p, model, answer->model));
    ai_write_literal(out, ",\"content\":[");
}

const char *ai_anthropic_reason(const ai_stream_t *stream, int calls, int refused)
{
    if (refused) {
        return "refusal";
    }
    switch (stream->finish) {
    case AI_FINISH_LENGTH:
        return "max_tokens";
    case AI_FINISH_FILTER:
        return "refusal";
    case AI_FINISH_TOOL:
        return "tool_use";
    default: /* some providers say that it stopped when it calls */
        return calls ? "tool_use" : "end_turn";
    }
}

static apr_int64_t known(apr_int64_t count)
{
    return count > 0 ? count : 0;
}

/* input_tokens is what came neither from the cache nor went into it. */
void ai_anthropic_write_usage(ai_write_t *out, const ai_usage_t *usage)
{
    ai_write_literal(out, "{\"input_tokens\":");
    ai_write_number(out, known(usage->prompt - known(usage->cached) - known(usage->written)));
    ai_write_literal(out, ",\"cache_read_input_tokens\":");
    ai_write_number(out, known(usage->cached));
    ai_write_literal(out, ",\"cache_creation_input_tokens\":");
    ai_write_number(out, known(usage->written));
    ai_write_literal(out, ",\"output_tokens\":");
    ai_write_number(out, known(usage->completion));
    if (usage->reasoning >= 0) {
        ai_write_literal(out, ",\"output_tokens_details\":{\"thinking_tokens\":");
        ai_write_number(out, usage->reasoning);
        ai_write_literal(out, "}");
    }
    ai_write_literal(out, "}");
}

void ai_anthropic_write_stop(ai_write_t *out, const char *reason)
{
    ai_write_literal(out, "\"stop_reason\":\"");
    ai_write_copy(out, ai_slice_of(reason));
    ai_write_literal(out, "\",\"stop_sequence\":null");
}

/* --------------------------------------------------------------------------- whole */

/* A call as it is put together from the deltas. */
typedef struct call_t {
    const ai_delta_t *begin;
    ai_slice_t object;
    ai_write_t pieces; /* what is between the quotes of each; begun when the first comes */
} call_t;

static void separate(ai_write_t *out, int *n)
{
    ai_write_copy(out, (*n)++ ? AI_SLICE(",") : AI_SLICE(""));
}

/* Ends a block of thinking that is being written. */
static void end_thought(ai_write_t *out, int *is_open, ai_slice_t signature)
{
    if (*is_open) {
        ai_write_literal(out, "\",\"signature\":");
        ai_write_bytes(out, signature.p ? signature : AI_SLICE("\"\""));
        ai_write_literal(out, "}");
    }
    *is_open = 0;
}

static void write_thoughts(ai_write_t *out, const ai_delta_t *deltas, int n_deltas, int *n)
{
    static const ai_slice_t unsigned_yet = { NULL, 0 };
    int i, is_open = 0;

    for (i = 0; i < n_deltas; i++) {
        const ai_delta_t *delta = &deltas[i];

        if (delta->choice || delta->text.n <= 2) {
            continue;
        }
        if (delta->kind == AI_DELTA_REDACTED) {
            end_thought(out, &is_open, unsigned_yet);
            separate(out, n);
            ai_write_literal(out, "{\"type\":\"redacted_thinking\",\"data\":");
            ai_write_bytes(out, delta->text);
            ai_write_literal(out, "}");
        }
        else if (delta->kind == AI_DELTA_THINKING || delta->kind == AI_DELTA_SIGNATURE) {
            if (!is_open) {
                separate(out, n);
                ai_write_literal(out, "{\"type\":\"thinking\",\"thinking\":\"");
                is_open = 1;
            }
            if (delta->kind == AI_DELTA_THINKING) {
                ai_write_inner(out, delta->text);
            }
            else {
                end_thought(out, &is_open, delta->text);
            }
        }
    }
    end_thought(out, &is_open, unsigned_yet);
}

/* All of the text as one block. Returns whether the model refused. */
static int write_text(ai_write_t *out, const ai_delta_t *deltas, int n_deltas, int *n)
{
    int i, is_open = 0, refused = 0;

    for (i = 0; i < n_deltas; i++) {
        const ai_delta_t *delta = &deltas[i];

        if (delta->choice
            || (delta->kind != AI_DELTA_TEXT && delta->kind != AI_DELTA_REFUSAL)) {
            continue;
        }
        refused |= delta->kind == AI_DELTA_REFUSAL;
        if (!is_open && delta->text.n > 2) {
            separate(out, n);
            ai_write_literal(out, "{\"type\":\"text\",\"text\":\"");
            is_open = 1;
        }
        ai_write_inner(out, delta->text);
    }
    if (is_open) {
        ai_write_literal(out, "\"}");
    }
    return refused;
}

/* The calls' deltas, sorted by call. */
static apr_array_header_t *gather_calls(apr_pool_t *p, const ai_delta_t *deltas, int n_deltas)
{
    apr_array_header_t *calls = apr_array_make(p, 4, sizeof(call_t));
    int i;

    for (i = 0; i < n_deltas; i++) {
        const ai_delta_t *delta = &deltas[i];
        call_t *call;

        if (delta->choice || delta->call < 0 || delta->call >= AI_ANTHROPIC_CALLS
            || (delta->kind != AI_DELTA_CALL && delta->kind != AI_DELTA_ARGUMENTS)) {
            continue;
        }
        while (calls->nelts <= delta->call) {
            memset(apr_array_push(calls), 0, sizeof(call_t));
        }
        call = &APR_ARRAY_IDX(calls, delta->call, call_t);
        if (delta->kind == AI_DELTA_CALL) {
            call->begin = call->begin ? call->begin : delta;
        }
        else if (delta->object.p) {
            call->object = delta->object;
        }
        else if (delta->text.n > 2) {
            if (!call->pieces.pool) {
                ai_write_begin(p, &call->pieces);
                ai_write_literal(&call->pieces, "\"");
            }
            ai_write_inner(&call->pieces, delta->text);
        }
    }
    return calls;
}

/* The arguments as an object. Those that are cut off or broken are none: a client that parsed them
 * would fail, and the reason to stop says what happened. */
static ai_slice_t arguments_of(apr_pool_t *p, call_t *call)
{
    ai_json_error_t wrong;
    ai_json_doc_t doc;
    const char *text;
    apr_size_t n;

    if (call->object.p) {
        return call->object;
    }
    if (call->pieces.pool) {
        ai_write_literal(&call->pieces, "\"");
        if (ai_json_string(p, ai_write_flat(&call->pieces), &text, &n) == APR_SUCCESS
            && ai_json_parse(p, (ai_slice_t){ text, n }, AI_JSON_DEPTH, &doc, &wrong)
                   == APR_SUCCESS
            && ai_json_type(doc.root) == AI_JSON_OBJECT) {
            return doc.root;
        }
    }
    return AI_SLICE("{}");
}

/* Returns how many there are. */
static int write_calls(apr_pool_t *p, apr_array_header_t *calls, ai_write_t *out, int *n)
{
    int i, written = 0;

    for (i = 0; i < calls->nelts; i++) {
        call_t *call = &APR_ARRAY_IDX(calls, i, call_t);

        if (!call->begin) {
            continue;
        }
        written++;
        separate(out, n);
        ai_write_literal(out, "{\"type\":\"tool_use\",\"id\":");
        ai_write_bytes(out, call->begin->id);
        ai_write_literal(out, ",\"name\":");
        ai_write_bytes(out, ai_anthropic_string(p, call->begin->name, ""));
        ai_write_literal(out, ",\"input\":");
        ai_write_bytes(out, arguments_of(p, call));
        ai_write_literal(out, "}");
    }
    return written;
}

void ai_anthropic_write_answer(apr_pool_t *p, const ai_answer_t *answer, const ai_delta_t *deltas,
                         int n_deltas, const ai_stream_t *stream, ai_write_t *out)
{
    ai_slice_t id = { NULL, 0 }, model = { NULL, 0 };
    int i, n = 0, calls, refused;

    for (i = 0; i < n_deltas; i++) {
        if (deltas[i].kind == AI_DELTA_BEGIN) {
            id = deltas[i].id;
            model = deltas[i].name;
            break;
        }
    }
    ai_anthropic_head(p, out, answer, id, model);
    write_thoughts(out, deltas, n_deltas, &n);
    refused = write_text(out, deltas, n_deltas, &n);
    calls = write_calls(p, gather_calls(p, deltas, n_deltas), out, &n);
    if (!n) { /* clients look at the first block */
        ai_write_literal(out, "{\"type\":\"text\",\"text\":\"\"}");
    }
    ai_write_literal(out, "],");
    ai_anthropic_write_stop(out, ai_anthropic_reason(stream, calls, refused));
    ai_write_literal(out, ",\"usage\":");
    ai_anthropic_write_usage(out, &stream->usage);
    ai_write_literal(out, "}");
}
