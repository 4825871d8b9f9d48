/* SPDX-License-Identifier: Apache-2.0 */
/*
 * translate_flow.h - what does a caller of one dialect get of another's stream, event by event?
 *
 * Plays the part of the core (ai_flow.c, ai_translate.c) without httpd: bytes go in, in any pieces,
 * and the caller's bytes come out. It stands below the test of cut streams and the fuzz targets.
 */
#ifndef TRANSLATE_FLOW_H
#define TRANSLATE_FLOW_H

#include <stdlib.h>
#include <string.h>

#include "ai_fault.h"
#include "dialect.h"

typedef enum flow_end_e {
    FLOW_OPEN,     /* not at its end yet */
    FLOW_NOTHING,  /* failed before anything was shown: the next target's turn */
    FLOW_FINISHED, /* ended as an answer does */
    FLOW_BROKEN    /* ended with an error */
} flow_end_e;

typedef struct flow_t {
    const ai_dialect_t *caller;
    const ai_dialect_t *provider;
    apr_pool_t *pool; /* lasts as long as the answer */
    apr_pool_t *event_pool;
    ai_answer_t answer;
    ai_sse_t *sse;
    ai_stream_t stream;
    void *reader;
    void *writer;     /* NULL once the end, or an error, was written */
    ai_write_t *written;
    int shown;        /* the gate is open */
    int broke;
    int cut_short;
    char *out;        /* all that the caller gets */
    apr_size_t n;
    apr_size_t room;
    apr_size_t body;  /* of that, what stands before the end or the error */
    flow_end_e end;
} flow_t;

/* p lasts as long as the flow. */
static inline void flow_begin(apr_pool_t *p, const ai_dialect_t *provider,
                              const ai_dialect_t *caller, int wants_usage, flow_t *flow)
{
    memset(flow, 0, sizeof(*flow));
    flow->pool = p;
    apr_pool_create(&flow->event_pool, p);
    flow->caller = caller;
    flow->provider = provider;
    flow->answer = (ai_answer_t){ "req_1", "model-asked", 1700000000, wants_usage, 7 };
    flow->stream.endpoint = AI_ENDPOINT_CHAT;
    flow->stream.usage = AI_USAGE_UNKNOWN;
    flow->sse = ai_sse_create(p, 1 << 20);
    flow->reader = provider->translator->begin_read(p);
    flow->writer = caller->translator->begin_stream(p, &flow->answer);
}

static inline void flow_put(flow_t *flow, ai_write_t *out)
{
    ai_slice_t text = ai_write_flat(out);

    if (flow->n + text.n > flow->room) {
        apr_size_t room = (flow->n + text.n) * 2 + 1024;
        char *more = apr_palloc(flow->pool, room);

        if (flow->n) {
            memcpy(more, flow->out, flow->n);
        }
        flow->out = more;
        flow->room = room;
    }
    if (text.n) {
        memcpy(flow->out + flow->n, text.p, text.n);
    }
    flow->n += text.n;
    if (flow->end == FLOW_OPEN) {
        flow->body = flow->n;
    }
}

static inline void flow_write_end(flow_t *flow, ai_write_t *out)
{
    if (flow->writer) {
        flow->caller->translator->write_end(flow->writer, &flow->stream, out);
        flow->writer = NULL;
        flow->end = FLOW_FINISHED;
    }
}

static inline void flow_write_error(flow_t *flow, const ai_error_t *error, ai_write_t *out)
{
    ai_write_bytes(out, flow->caller->write_error_event(flow->event_pool, error));
    flow->writer = NULL;
    flow->end = FLOW_BROKEN;
}

static inline void flow_on_delta(void *baton, const ai_delta_t *delta)
{
    flow_t *flow = baton;

    if (flow->writer) {
        flow->caller->translator->write_delta(flow->writer, delta, flow->written);
    }
}

static inline apr_status_t flow_on_event(void *baton, const ai_sse_event_t *event)
{
    flow_t *flow = baton;
    apr_status_t rv = APR_SUCCESS;
    ai_write_t out;
    ai_event_e kind;

    if (!event->complete && (flow->broke || !event->data.p)) {
        flow->cut_short = 1;
        return APR_SUCCESS;
    }
    apr_pool_clear(flow->event_pool);
    kind = flow->provider->read_event(flow->event_pool, &flow->stream, event);
    if (kind == AI_EVENT_GARBAGE && !event->complete) {
        flow->cut_short = 1;
        return APR_SUCCESS;
    }
    if (kind == AI_EVENT_GARBAGE || (kind == AI_EVENT_ERROR && !flow->shown)) {
        return APR_EGENERAL;
    }
    if (kind == AI_EVENT_COMMENT) {
        return APR_SUCCESS;
    }
    flow->shown = flow->shown || kind != AI_EVENT_LIFECYCLE;
    ai_write_begin(flow->event_pool, &out);
    flow->written = &out;
    if (kind == AI_EVENT_ERROR) {
        ai_fault_normalise(&flow->stream.error);
        if (flow->writer) {
            flow_write_error(flow, &flow->stream.error, &out);
        }
    }
    else if (kind == AI_EVENT_DONE) {
        flow_write_end(flow, &out);
    }
    else if (!flow->provider->translator->read_deltas(flow->reader, flow->event_pool, event,
                                                      flow_on_delta, flow)) {
        rv = APR_EGENERAL;
    }
    flow_put(flow, &out);
    return rv;
}

/* An answer that broke: an error event, if the caller has seen anything of it. */
static inline void flow_break(flow_t *flow)
{
    static const ai_error_t error = { 502, "stream_broken", "The provider's stream broke off.",
                                      NULL };
    ai_write_t out;

    if (!flow->shown) {
        flow->n = flow->body = 0;
        flow->writer = NULL;
        flow->end = FLOW_NOTHING;
    }
    else if (flow->writer) {
        ai_write_begin(flow->event_pool, &out);
        flow_write_error(flow, &error, &out);
        flow_put(flow, &out);
    }
}

/* Takes bytes, from a copy of their own: so a sanitizer sees what is kept of them. */
static inline void flow_feed(flow_t *flow, const char *bytes, apr_size_t n)
{
    char *copy = malloc(n ? n : 1);

    if (flow->sse && n) {
        memcpy(copy, bytes, n);
        if (ai_sse_feed(flow->sse, copy, n, flow_on_event, flow) != APR_SUCCESS) {
            flow_break(flow);
            flow->sse = NULL;
        }
    }
    free(copy);
}

/* The bytes are at their end; broke: the connection was lost, so it may not have been meant. */
static inline void flow_end(flow_t *flow, int broke)
{
    ai_write_t out;

    flow->broke = broke;
    if (!flow->sse) {
        return;
    }
    if (ai_sse_end(flow->sse, flow_on_event, flow) != APR_SUCCESS || !flow->shown
        || ((broke || flow->cut_short || flow->stream.finish == AI_FINISH_NONE)
            && !flow->stream.done)) {
        flow_break(flow);
        return;
    }
    apr_pool_clear(flow->event_pool);
    ai_write_begin(flow->event_pool, &out);
    flow_write_end(flow, &out);
    flow_put(flow, &out);
}

/* The same where the provider gave a whole answer: as a stream, or as one body. 1, or 0 where it is
 * no answer. */
typedef struct flow_whole_t {
    apr_pool_t *pool;
    apr_array_header_t *deltas; /* of ai_delta_t */
} flow_whole_t;

static inline void flow_collect(void *baton, const ai_delta_t *delta)
{
    flow_whole_t *whole = baton;

    APR_ARRAY_PUSH(whole->deltas, ai_delta_t) = *delta;
}

static inline int flow_whole(apr_pool_t *p, const ai_dialect_t *provider,
                             const ai_dialect_t *caller, const ai_json_doc_t *doc,
                             ai_slice_t *body, ai_slice_t *events)
{
    const ai_translator_t *to = caller->translator;
    const ai_answer_t answer = { "req_1", "model-asked", 1700000000, 1, 7 };
    flow_whole_t whole = { p, apr_array_make(p, 8, sizeof(ai_delta_t)) };
    ai_stream_t stream = { 0 };
    ai_write_t out;
    void *writer;
    int i;

    stream.endpoint = AI_ENDPOINT_CHAT;
    stream.usage = AI_USAGE_UNKNOWN;
    if (!provider->translator->read_whole(p, doc, &stream, flow_collect, &whole)) {
        return 0;
    }
    ai_write_begin(p, &out);
    to->write_answer(p, &answer, (const ai_delta_t *)whole.deltas->elts, whole.deltas->nelts,
                     &stream, &out);
    *body = ai_write_flat(&out);
    ai_write_begin(p, &out);
    writer = to->begin_stream(p, &answer);
    for (i = 0; i < whole.deltas->nelts; i++) {
        to->write_delta(writer, &APR_ARRAY_IDX(whole.deltas, i, ai_delta_t), &out);
    }
    to->write_end(writer, &stream, &out);
    *events = ai_write_flat(&out);
    return 1;
}

#endif
