/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_delta.c - writes an answer as OpenAI's chunks, event by event, or as one body.
 *
 * What OpenAI has no field for goes into those that others have added: reasoning_content, and
 * thinking_blocks for what has to come back unchanged.
 *
 * Lives in: the answer's pool; what the model thinks in memory of the system's, which that pool
 * gives back.  Shared state: none.  May block: no.
 */

#include <apr_strings.h>

#include "ai_buffer.h"
#include "openai_translator.h"

/* So much thinking is kept to be told once more beside its signature. */
#define THOUGHT_MAX ((apr_size_t)4 * 1024 * 1024)

/* One of several answers. */
typedef struct choice_t {
    int spoken;                /* its role was told */
    apr_array_header_t *calls; /* of unsigned char: what was told of each call */
} choice_t;

#define HAS_ARGUMENTS 1u
#define IS_COMPLETE 2u

typedef struct writer_t {
    apr_pool_t *pool;
    const ai_answer_t *answer;
    ai_slice_t head;   /* of each chunk, up to its choices; absent before the first */
    ai_slice_t tail;   /* of each chunk, behind its choices */
    choice_t *choices; /* as many as were seen */
    int n_choices;
    ai_buffer_t thought; /* since the last signature, as between the quotes of a string */
    int thought_cut;     /* it was too long */
} writer_t;

static apr_status_t free_thought(void *baton)
{
    writer_t *writer = baton;

    ai_buffer_free(&writer->thought);
    return APR_SUCCESS;
}

void *openai_begin_stream(apr_pool_t *p, const ai_answer_t *answer)
{
    writer_t *writer = apr_pcalloc(p, sizeof(*writer));

    writer->pool = p;
    writer->answer = answer;
    writer->tail = answer->wants_usage ? AI_SLICE("],\"usage\":null}\n\n") : AI_SLICE("]}\n\n");
    writer->choices = apr_pcalloc(p, sizeof(*writer->choices));
    apr_pool_cleanup_register(p, writer, free_thought, apr_pool_cleanup_null);
    return writer;
}

/* ----------------------------------------------------------------------------- chunks */

/* What is alike in all of an answer: id, object, created, model. begin may be NULL. */
static void write_head(const ai_answer_t *answer, const ai_delta_t *begin, const char *object,
                       ai_write_t *out)
{
    int known = begin && begin->kind == AI_DELTA_BEGIN;

    ai_write_literal(out, "{\"id\":");
    if (known && openai_is_long_text(begin->id)) {
        ai_write_bytes(out, begin->id);
    }
    else {
        ai_write_quoted(out, ai_slice_of(answer->id));
    }
    ai_write_literal(out, ",\"object\":\"");
    ai_write_copy(out, ai_slice_of(object));
    ai_write_literal(out, "\",\"created\":");
    ai_write_number(out, known && begin->created_s > 0 ? begin->created_s : answer->created_s);
    ai_write_literal(out, ",\"model\":");
    if (known && openai_is_long_text(begin->name)) {
        ai_write_bytes(out, begin->name);
    }
    else {
        ai_write_quoted(out, ai_slice_of(answer->model));
    }
    ai_write_literal(out, ",\"choices\":[");
}

static void make_head(writer_t *writer, const ai_delta_t *delta)
{
    ai_slice_t flat;
    ai_write_t out;

    ai_write_begin(writer->pool, &out);
    ai_write_literal(&out, "data: ");
    write_head(writer->answer, delta, "chat.completion.chunk", &out);
    flat = ai_write_flat(&out);
    writer->head.p = apr_pmemdup(writer->pool, flat.p, flat.n); /* the delta's bytes go */
    writer->head.n = flat.n;
}

static void open_chunk(const writer_t *writer, int choice, ai_write_t *out)
{
    ai_write_copy(out, writer->head);
    if (choice == 0) {
        ai_write_literal(out, "{\"index\":0,\"delta\":{");
        return;
    }
    ai_write_literal(out, "{\"index\":");
    ai_write_number(out, choice);
    ai_write_literal(out, ",\"delta\":{");
}

static void close_chunk(const writer_t *writer, ai_write_t *out)
{
    ai_write_literal(out, "},\"finish_reason\":null}");
    ai_write_copy(out, writer->tail);
}

/* The state of a choice; the first time, its first chunk is written, which tells the role. */
static choice_t *choice_of(writer_t *writer, int choice, ai_write_t *out)
{
    if (choice < 0 || choice >= OPENAI_CHOICES) {
        return NULL;
    }
    if (choice >= writer->n_choices) {
        choice_t *more = apr_pcalloc(writer->pool, ((apr_size_t)choice + 1) * sizeof(*more));

        memcpy(more, writer->choices, (apr_size_t)writer->n_choices * sizeof(*more));
        writer->choices = more;
        writer->n_choices = choice + 1;
    }
    if (!writer->choices[choice].spoken) {
        writer->choices[choice].spoken = 1;
        open_chunk(writer, choice, out);
        ai_write_literal(out, "\"role\":\"assistant\",\"content\":\"\"");
        close_chunk(writer, out);
    }
    return &writer->choices[choice];
}

/* A chunk whose delta is one member that is a string. */
static void write_text(const writer_t *writer, const ai_delta_t *delta, ai_slice_t member,
                       ai_write_t *out)
{
    if (delta->text.n > 2) {
        open_chunk(writer, delta->choice, out);
        ai_write_copy(out, member);
        ai_write_bytes(out, delta->text);
        close_chunk(writer, out);
    }
}

/* --------------------------------------------------------------------------- thinking */

static void keep_thought(writer_t *writer, const ai_delta_t *delta)
{
    ai_buffer_t *thought = &writer->thought;

    if (delta->choice || delta->text.n <= 2 || writer->thought_cut) {
        return;
    }
    if (thought->n + delta->text.n > THOUGHT_MAX
        || ai_buffer_append(thought, delta->text.p + 1, delta->text.n - 2) != APR_SUCCESS) {
        writer->thought_cut = 1;
    }
}

static void write_signature(writer_t *writer, const ai_delta_t *delta, ai_write_t *out)
{
    open_chunk(writer, delta->choice, out);
    ai_write_literal(out, "\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":\"");
    if (!delta->choice && !writer->thought_cut) {
        ai_write_copy(out, (ai_slice_t){ writer->thought.p, writer->thought.n });
    }
    ai_write_literal(out, "\",\"signature\":");
    ai_write_bytes(out, delta->text);
    ai_write_literal(out, "}]");
    close_chunk(writer, out);
    writer->thought.n = 0;
    writer->thought_cut = 0;
}

static void write_redacted(const writer_t *writer, const ai_delta_t *delta, ai_write_t *out)
{
    open_chunk(writer, delta->choice, out);
    ai_write_literal(out, "\"thinking_blocks\":[{\"type\":\"redacted_thinking\",\"data\":");
    ai_write_bytes(out, delta->text);
    ai_write_literal(out, "}]");
    close_chunk(writer, out);
}

/* ------------------------------------------------------------------------- tool calls */

static void write_call(writer_t *writer, choice_t *choice, const ai_delta_t *delta,
                       ai_write_t *out)
{
    if (!choice->calls) {
        choice->calls = apr_array_make(writer->pool, 4, sizeof(unsigned char));
    }
    if (delta->call != choice->calls->nelts) {
        return; /* it began before */
    }
    APR_ARRAY_PUSH(choice->calls, unsigned char) = 0;
    open_chunk(writer, delta->choice, out);
    ai_write_literal(out, "\"tool_calls\":[{\"index\":");
    ai_write_number(out, delta->call);
    ai_write_literal(out, ",\"id\":");
    ai_write_bytes(out, delta->id);
    ai_write_literal(out, ",\"type\":\"function\",\"function\":{\"name\":");
    ai_write_bytes(out, delta->name);
    ai_write_literal(out, ",\"arguments\":\"\"}}]");
    close_chunk(writer, out);
}

/* One piece of the arguments of a call; arguments: a JSON string. */
static void write_piece(const writer_t *writer, int choice, int call, ai_slice_t arguments,
                        ai_write_t *out)
{
    open_chunk(writer, choice, out);
    ai_write_literal(out, "\"tool_calls\":[{\"index\":");
    ai_write_number(out, call);
    ai_write_literal(out, ",\"function\":{\"arguments\":");
    ai_write_bytes(out, arguments);
    ai_write_literal(out, "}}]");
    close_chunk(writer, out);
}

/* What was told of a call, or NULL when it never began. */
static unsigned char *told_of(const choice_t *choice, int call)
{
    if (!choice->calls || call < 0 || call >= choice->calls->nelts) {
        return NULL;
    }
    return &APR_ARRAY_IDX(choice->calls, call, unsigned char);
}

static void write_arguments(const writer_t *writer, const choice_t *choice,
                            const ai_delta_t *delta, ai_write_t *out)
{
    unsigned char *told = told_of(choice, delta->call);
    ai_slice_t text = delta->object.p ? ai_json_quote(out->pool, delta->object) : delta->text;

    if (told && text.n > 2) {
        *told |= HAS_ARGUMENTS;
        write_piece(writer, delta->choice, delta->call, text, out);
    }
}

/* A call without arguments has an empty object: callers parse what they get. */
static void complete_call(const writer_t *writer, const choice_t *choice, int i, int call,
                          ai_write_t *out)
{
    unsigned char *told = told_of(choice, call);

    if (told && !*told) {
        write_piece(writer, i, call, AI_SLICE("\"{}\""), out);
    }
    if (told) {
        *told |= IS_COMPLETE;
    }
}

void openai_write_delta(void *baton, const ai_delta_t *delta, ai_write_t *out)
{
    writer_t *writer = baton;
    choice_t *choice;

    if (!writer->head.p) {
        make_head(writer, delta);
    }
    choice = choice_of(writer, delta->choice, out);
    if (!choice) {
        return;
    }
    switch (delta->kind) {
    case AI_DELTA_BEGIN:
        break;
    case AI_DELTA_TEXT:
        write_text(writer, delta, AI_SLICE("\"content\":"), out);
        break;
    case AI_DELTA_REFUSAL:
        write_text(writer, delta, AI_SLICE("\"refusal\":"), out);
        break;
    case AI_DELTA_THINKING:
        keep_thought(writer, delta);
        write_text(writer, delta, AI_SLICE("\"reasoning_content\":"), out);
        break;
    case AI_DELTA_SIGNATURE:
        write_signature(writer, delta, out);
        break;
    case AI_DELTA_REDACTED:
        write_redacted(writer, delta, out);
        break;
    case AI_DELTA_CALL:
        write_call(writer, choice, delta, out);
        break;
    case AI_DELTA_ARGUMENTS:
        write_arguments(writer, choice, delta, out);
        break;
    case AI_DELTA_CALLED:
        complete_call(writer, choice, delta->choice, delta->call, out);
        break;
    }
}

/* -------------------------------------------------------------------------------- end */

static void finish_choice(writer_t *writer, int i, ai_finish_e finish, ai_write_t *out)
{
    choice_t *choice = choice_of(writer, i, out);
    int n = choice->calls ? choice->calls->nelts : 0, call;

    for (call = 0; call < n; call++) {
        complete_call(writer, choice, i, call, out);
    }
    open_chunk(writer, i, out);
    ai_write_literal(out, "},\"finish_reason\":\"");
    ai_write_copy(out, ai_slice_of(openai_finish_word(finish, n > 0)));
    ai_write_literal(out, "\"}");
    ai_write_copy(out, writer->tail);
}

void openai_write_end(void *baton, const ai_stream_t *stream, ai_write_t *out)
{
    writer_t *writer = baton;
    const ai_usage_t *usage = &stream->usage;
    int i;

    if (!writer->head.p) {
        make_head(writer, NULL);
    }
    choice_of(writer, 0, out); /* an answer of nothing is an answer */
    for (i = 0; i < writer->n_choices; i++) {
        if (writer->choices[i].spoken) {
            finish_choice(writer, i, stream->finish, out);
        }
    }
    if (writer->answer->wants_usage && (usage->prompt >= 0 || usage->completion >= 0)) {
        ai_write_copy(out, writer->head);
        ai_write_literal(out, "],\"usage\":");
        openai_write_usage(usage, out);
        ai_write_literal(out, "}\n\n");
    }
    ai_write_literal(out, "data: [DONE]\n\n");
}

/* ---------------------------------------------------------------------- a whole answer */

/* The deltas of a whole answer. */
typedef struct whole_t {
    const ai_delta_t *deltas;
    int n;
    int *next; /* of each delta with arguments, the next one of the same call, or -1 */
} whole_t;

/* Joins the strings of one kind of one choice; returns 0 and writes nothing when there are none. */
static int join(const whole_t *whole, int choice, ai_delta_e kind, const char *before,
                ai_write_t *out)
{
    int i, some = 0;

    for (i = 0; i < whole->n; i++) {
        const ai_delta_t *delta = &whole->deltas[i];

        if (delta->kind == kind && delta->choice == choice && delta->text.n > 2) {
            if (!some) {
                ai_write_copy(out, ai_slice_of(before));
                ai_write_literal(out, "\"");
            }
            ai_write_inner(out, delta->text);
            some = 1;
        }
    }
    if (some) {
        ai_write_literal(out, "\"");
    }
    return some;
}

/* The thinking from the delta at first to the one that signs it. */
static void write_thought(const whole_t *whole, int choice, int first, int last, ai_write_t *out)
{
    int i;

    ai_write_literal(out, "{\"type\":\"thinking\",\"thinking\":\"");
    for (i = first; i < last; i++) {
        if (whole->deltas[i].kind == AI_DELTA_THINKING && whole->deltas[i].choice == choice) {
            ai_write_inner(out, whole->deltas[i].text);
        }
    }
    ai_write_literal(out, "\",\"signature\":");
    ai_write_bytes(out, whole->deltas[last].text);
    ai_write_literal(out, "}");
}

/* What has to come back unchanged: signed thinking, and what only the provider can read. */
static void write_thoughts(const whole_t *whole, int choice, ai_write_t *out)
{
    int i, first = 0, some = 0;

    for (i = 0; i < whole->n; i++) {
        const ai_delta_t *delta = &whole->deltas[i];

        if (delta->choice != choice
            || (delta->kind != AI_DELTA_SIGNATURE && delta->kind != AI_DELTA_REDACTED)) {
            continue;
        }
        ai_write_copy(out, some ? AI_SLICE(",") : AI_SLICE(",\"thinking_blocks\":["));
        some = 1;
        if (delta->kind == AI_DELTA_SIGNATURE) {
            write_thought(whole, choice, first, i, out);
            first = i + 1;
        }
        else {
            ai_write_literal(out, "{\"type\":\"redacted_thinking\",\"data\":");
            ai_write_bytes(out, delta->text);
            ai_write_literal(out, "}");
        }
    }
    if (some) {
        ai_write_literal(out, "]");
    }
}

/* The arguments of the call that began at first, as one string. */
static void join_arguments(const whole_t *whole, int first, ai_write_t *out)
{
    int i, some = 0;

    ai_write_literal(out, "\"");
    for (i = whole->next[first]; i >= 0; i = whole->next[i]) {
        const ai_delta_t *delta = &whole->deltas[i];

        if (delta->object.p) {
            ai_write_inner(out, ai_json_quote(out->pool, delta->object));
        }
        else {
            ai_write_inner(out, delta->text);
        }
        some = some || delta->object.p || delta->text.n > 2;
    }
    ai_write_copy(out, some ? AI_SLICE("\"") : AI_SLICE("{}\""));
}

/* Returns how many there were. */
static int write_calls(const whole_t *whole, int choice, ai_write_t *out)
{
    int i, n = 0;

    for (i = 0; i < whole->n; i++) {
        const ai_delta_t *delta = &whole->deltas[i];

        if (delta->kind != AI_DELTA_CALL || delta->choice != choice) {
            continue;
        }
        ai_write_copy(out, n++ ? AI_SLICE(",{\"id\":") : AI_SLICE(",\"tool_calls\":[{\"id\":"));
        ai_write_bytes(out, delta->id);
        ai_write_literal(out, ",\"type\":\"function\",\"function\":{\"name\":");
        ai_write_bytes(out, delta->name);
        ai_write_literal(out, ",\"arguments\":");
        join_arguments(whole, i, out);
        ai_write_literal(out, "}}");
    }
    if (n) {
        ai_write_literal(out, "]");
    }
    return n;
}

/* Links the arguments of each call, so that no call looks through all of them; returns how many
 * choices there are. */
static int link_deltas(apr_pool_t *p, whole_t *whole)
{
    apr_array_header_t *last[OPENAI_CHOICES] = { NULL }; /* of int: per call, its latest delta */
    int i, choices = 1;

    whole->next = apr_palloc(p, ((apr_size_t)whole->n + 1) * sizeof(*whole->next));
    for (i = 0; i < whole->n; i++) {
        const ai_delta_t *delta = &whole->deltas[i];
        apr_array_header_t **calls;

        whole->next[i] = -1;
        if (delta->choice < 0 || delta->choice >= OPENAI_CHOICES) {
            continue;
        }
        choices = delta->choice >= choices ? delta->choice + 1 : choices;
        calls = &last[delta->choice];
        if (delta->kind == AI_DELTA_CALL) {
            *calls = *calls ? *calls : apr_array_make(p, 4, sizeof(int));
            APR_ARRAY_PUSH(*calls, int) = i;
        }
        else if (delta->kind == AI_DELTA_ARGUMENTS && *calls && delta->call >= 0
                 && delta->call < (*calls)->nelts) {
            whole->next[APR_ARRAY_IDX(*calls, delta->call, int)] = i;
            APR_ARRAY_IDX(*calls, delta->call, int) = i;
        }
    }
    return choices;
}

static void write_choice(const whole_t *whole, int choice, ai_finish_e finish, ai_write_t *out)
{
    int called;

    ai_write_literal(out, "{\"index\":");
    ai_write_number(out, choice);
    ai_write_literal(out, ",\"message\":{\"role\":\"assistant\",\"content\":");
    if (!join(whole, choice, AI_DELTA_TEXT, "", out)) {
        ai_write_literal(out, "null");
    }
    if (!join(whole, choice, AI_DELTA_REFUSAL, ",\"refusal\":", out)) {
        ai_write_literal(out, ",\"refusal\":null");
    }
    join(whole, choice, AI_DELTA_THINKING, ",\"reasoning_content\":", out);
    write_thoughts(whole, choice, out);
    called = write_calls(whole, choice, out);
    ai_write_literal(out, "},\"logprobs\":null,\"finish_reason\":\"");
    ai_write_copy(out, ai_slice_of(openai_finish_word(finish, called > 0)));
    ai_write_literal(out, "\"}");
}

void openai_write_answer(apr_pool_t *p, const ai_answer_t *answer, const ai_delta_t *deltas, int n,
                         const ai_stream_t *stream, ai_write_t *out)
{
    whole_t whole = { deltas, n, NULL };
    int choices = link_deltas(p, &whole), i;

    write_head(answer, n ? deltas : NULL, "chat.completion", out);
    for (i = 0; i < choices; i++) {
        if (i) {
            ai_write_literal(out, ",");
        }
        write_choice(&whole, i, stream->finish, out);
    }
    ai_write_literal(out, "]");
    if (stream->usage.prompt >= 0 || stream->usage.completion >= 0) {
        ai_write_literal(out, ",\"usage\":");
        openai_write_usage(&stream->usage, out);
    }
    ai_write_literal(out, "}");
}
