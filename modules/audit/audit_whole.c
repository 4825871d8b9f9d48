/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_whole.c - what does this stream come to?
 *
 * Each event is read as the caller's dialect has it; pieces of one text are joined as they come, and
 * in the end the dialect writes them as a whole answer.
 *
 * Lives in: the pool that was given, the system's memory.  Shared state: none.  May block: no.
 */
#include <apr_strings.h>

#include "audit_whole.h"

#include "ai_buffer.h"
#include "ai_word.h"

/* An event may be so much longer than the text that is kept of it. */
#define EVENT_MORE 65536
/* An answer with more pieces than this, that cannot be joined, is no answer. */
#define RUNS_MOST 4096
/* So far back goes the search for the text that a piece belongs to: several answers, of which there
 * are 128 at most, take turns. */
#define RUNS_BACK 160

/* Pieces of one kind, one after another. */
typedef struct run_t {
    ai_delta_t delta; /* but its texts */
    ai_buffer_t text; /* a JSON string without its last quote; or an object */
} run_t;

struct audit_whole_t {
    apr_pool_t *pool;
    apr_pool_t *event_pool;
    const ai_dialect_t *dialect;
    ai_sse_t *sse;
    void *reader;
    ai_stream_t stream;
    apr_array_header_t *runs; /* of run_t */
    ai_buffer_t last;         /* an answer that an event holds whole */
    apr_size_t held;
    apr_size_t limit;
    const char *lost;
};

static apr_status_t forget(void *data)
{
    audit_whole_t *whole = data;
    int i;

    for (i = 0; i < whole->runs->nelts; i++) {
        ai_buffer_free(&APR_ARRAY_IDX(whole->runs, i, run_t).text);
    }
    whole->runs->nelts = 0;
    ai_buffer_free(&whole->last);
    return APR_SUCCESS;
}

audit_whole_t *audit_whole_begin(apr_pool_t *p, const ai_dialect_t *dialect, ai_endpoint_e endpoint,
                                 apr_size_t limit)
{
    audit_whole_t *whole = apr_pcalloc(p, sizeof(*whole));

    whole->pool = p;
    whole->dialect = dialect;
    whole->limit = limit;
    whole->stream.endpoint = endpoint;
    whole->stream.usage = AI_USAGE_UNKNOWN;
    whole->runs = apr_array_make(p, 4, sizeof(run_t));
    whole->sse = ai_sse_create(p, limit + EVENT_MORE);
    apr_pool_create(&whole->event_pool, p);
    if (dialect->translator) {
        whole->reader = dialect->translator->begin_read(p);
    }
    apr_pool_cleanup_register(p, whole, forget, apr_pool_cleanup_null);
    return whole;
}

apr_size_t audit_whole_held(const audit_whole_t *whole)
{
    return whole->held;
}

/* ---------------------------------------------------------------------------------- joining */

static int takes_text(ai_delta_e kind)
{
    return kind == AI_DELTA_TEXT || kind == AI_DELTA_REFUSAL || kind == AI_DELTA_THINKING
           || kind == AI_DELTA_ARGUMENTS;
}

/* The run that a piece goes on with: the last one of its answer, when it is of the same kind. */
static run_t *run_of(const audit_whole_t *whole, const ai_delta_t *delta)
{
    int i, n = whole->runs->nelts;

    for (i = n - 1; i >= 0 && i >= n - RUNS_BACK; i--) {
        run_t *run = &APR_ARRAY_IDX(whole->runs, i, run_t);

        if (run->delta.choice == delta->choice && run->delta.call == delta->call
            && run->delta.kind == delta->kind && takes_text(delta->kind) && run->text.n
            && delta->text.n) {
            return run;
        }
        if (run->delta.choice == delta->choice && run->delta.kind != AI_DELTA_ARGUMENTS
            && delta->kind != AI_DELTA_ARGUMENTS) {
            return NULL;
        }
    }
    return NULL;
}

static int has_room(audit_whole_t *whole, apr_size_t n)
{
    if (whole->held + n > whole->limit || whole->runs->nelts >= RUNS_MOST) {
        whole->lost = "limit";
    }
    whole->held += n;
    return !whole->lost;
}

static ai_slice_t keep(const audit_whole_t *whole, ai_slice_t text)
{
    return text.n ? (ai_slice_t){ apr_pmemdup(whole->pool, text.p, text.n), text.n } : text;
}

static void add(void *baton, const ai_delta_t *delta)
{
    audit_whole_t *whole = baton;
    run_t *run;
    apr_size_t n = delta->text.n + delta->object.n;
    apr_status_t rv;

    if (delta->text.n && *delta->text.p != '"') {
        return;
    }
    if (whole->lost || !has_room(whole, n + delta->id.n + delta->name.n)) {
        return;
    }
    run = run_of(whole, delta);
    if (!run) {
        run = apr_array_push(whole->runs);
        memset(run, 0, sizeof(*run));
        run->delta = *delta;
        run->delta.id = keep(whole, delta->id);
        run->delta.name = keep(whole, delta->name);
        run->delta.text = run->delta.object = (ai_slice_t){ NULL, 0 };
        rv = !n ? APR_SUCCESS
             : delta->object.n
                 ? ai_buffer_append(&run->text, delta->object.p, delta->object.n)
                 : ai_buffer_append(&run->text, delta->text.p, delta->text.n - 1);
        run->delta.object.n = delta->object.n;
    }
    else {
        rv = ai_buffer_append(&run->text, delta->text.p + 1, delta->text.n - 2);
    }
    whole->lost = rv == APR_SUCCESS ? whole->lost : "unreadable";
}

/* ----------------------------------------------------------------------------------- reading */

/* A chunk of text that goes on from a prompt. */
static void add_choices(audit_whole_t *whole, ai_slice_t choices)
{
    ai_json_walk_t walk;
    ai_json_member_t choice;
    apr_int64_t index;

    if (!ai_json_walk(&walk, choices)) {
        return;
    }
    while (ai_json_next(&walk, &choice) > 0) {
        ai_delta_t delta = { .kind = AI_DELTA_TEXT, .text = ai_json_get(choice.value, "text") };

        if (ai_json_int(ai_json_get(choice.value, "index"), &index) == APR_SUCCESS && index >= 0
            && index < 128) {
            delta.choice = (int)index;
        }
        if (ai_json_type(delta.text) == AI_JSON_STRING && delta.text.n > 2) {
            add(whole, &delta);
        }
    }
}

/* An event of OpenAI's Responses: the last one has the whole answer; before it, the text. */
static void add_response(audit_whole_t *whole, ai_slice_t root)
{
    ai_slice_t type = ai_json_get(root, "type"), all = ai_json_get(root, "response");
    ai_delta_t delta = { .kind = AI_DELTA_TEXT, .text = ai_json_get(root, "delta") };

    if (ai_json_string_is(type, "response.output_text.delta") && delta.text.n > 2) {
        add(whole, &delta);
        return;
    }
    if (ai_json_string_is(type, "response.completed")
        || ai_json_string_is(type, "response.incomplete")
        || ai_json_string_is(type, "response.failed")) {
        whole->last.n = 0;
        if (all.n > whole->limit || ai_buffer_append(&whole->last, all.p, all.n) != APR_SUCCESS) {
            whole->lost = "limit";
        }
    }
}

/* What read_deltas does not know. */
static int read_other(audit_whole_t *whole, const ai_sse_event_t *event)
{
    ai_json_doc_t doc;

    if (ai_json_parse_piece(whole->event_pool, event->data, &doc) != APR_SUCCESS) {
        return 0;
    }
    if (whole->stream.endpoint == AI_ENDPOINT_COMPLETIONS) {
        add_choices(whole, ai_json_get(doc.root, "choices"));
    }
    else {
        add_response(whole, doc.root);
    }
    return 1;
}

static int is_other(ai_endpoint_e endpoint)
{
    return endpoint == AI_ENDPOINT_COMPLETIONS || endpoint == AI_ENDPOINT_RESPONSES;
}

static apr_status_t on_event(void *baton, const ai_sse_event_t *event)
{
    audit_whole_t *whole = baton;
    int good = 1;

    if (whole->lost || !event->data.n) {
        return APR_SUCCESS;
    }
    switch (whole->dialect->read_event(whole->event_pool, &whole->stream, event)) {
    case AI_EVENT_LIFECYCLE:
    case AI_EVENT_CONTENT:
    case AI_EVENT_USAGE:
        good = is_other(whole->stream.endpoint)
                   ? read_other(whole, event)
                   : whole->reader
                         && whole->dialect->translator->read_deltas(whole->reader, whole->event_pool,
                                                                    event, add, whole);
        break;
    case AI_EVENT_DONE:
    case AI_EVENT_ERROR:
        if (whole->stream.endpoint == AI_ENDPOINT_RESPONSES) {
            read_other(whole, event); /* the last event is the end */
        }
        break;
    case AI_EVENT_GARBAGE:
        good = 0;
        break;
    default:
        break;
    }
    apr_pool_clear(whole->event_pool);
    whole->lost = good ? whole->lost : "unreadable";
    return APR_SUCCESS;
}

void audit_whole_feed(audit_whole_t *whole, const char *bytes, apr_size_t n)
{
    apr_status_t rv = whole->lost ? APR_SUCCESS
                                  : ai_sse_feed(whole->sse, bytes, n, on_event, whole);

    if (rv != APR_SUCCESS) {
        whole->lost = rv == APR_ENOSPC ? "limit" : "unreadable";
    }
}

/* ---------------------------------------------------------------------------------- the end */

/* How long the escape or the byte at text is; the halves of a character are one. */
static apr_size_t step(const char *text)
{
    if (*text != '\\') {
        return 1;
    }
    if (text[1] != 'u') {
        return 2;
    }
    return (text[2] == 'd' || text[2] == 'D') && strchr("89abAB", text[3]) ? 12 : 6;
}

/* The text goes on, and nobody knows how: what may be the beginning of a secret is left out. Another
 * answer may stand behind it, so that this is not the end of what is kept. */
static void take_edge_off(ai_buffer_t *text)
{
    apr_size_t most = text->n > AUDIT_EDGE ? text->n - AUDIT_EDGE : 1, at = 1;

    while (at < most && at + step(text->p + at) <= most) {
        at += step(text->p + at);
    }
    while (at > 1 && ((unsigned char)text->p[at] & 0xc0) == 0x80) {
        at--;
    }
    text->n = at;
}

ai_slice_t audit_whole_end(audit_whole_t *whole, apr_pool_t *p, const ai_answer_t *answer,
                           int is_cut, const char **lost)
{
    int i, n = whole->runs->nelts;
    ai_delta_t *deltas = apr_palloc(p, ((apr_size_t)n + 1) * sizeof(*deltas));
    ai_slice_t flat = { NULL, 0 };
    ai_write_t out;

    *lost = whole->lost;
    if (whole->last.n) {
        return (ai_slice_t){ whole->last.p, whole->last.n };
    }
    for (i = 0; i < n; i++) {
        run_t *run = &APR_ARRAY_IDX(whole->runs, i, run_t);

        if ((whole->lost || is_cut) && run->text.n && !run->delta.object.n) {
            take_edge_off(&run->text);
        }
        deltas[i] = run->delta;
        if (run->delta.object.n) {
            deltas[i].object = (ai_slice_t){ run->text.p, run->text.n };
        }
        else if (run->text.n && ai_buffer_append(&run->text, "\"", 1) == APR_SUCCESS) {
            deltas[i].text = (ai_slice_t){ run->text.p, run->text.n };
        }
    }
    if (n && whole->dialect->translator) {
        ai_write_begin(p, &out);
        whole->dialect->translator->write_answer(p, answer, deltas, n, &whole->stream, &out);
        flat = ai_write_flat(&out);
    }
    return flat;
}

void audit_whole_free(audit_whole_t *whole)
{
    apr_pool_cleanup_run(whole->pool, whole, forget);
}
