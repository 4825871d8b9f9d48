/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_trace.c - which trace is this request a part of, and what does a provider hear of it?
 *
 * A caller's valid traceparent is gone on with; else the trace begins here. The request is one span
 * of it, and every attempt names that as its parent. Nobody here records spans but the audit record,
 * so a trace of our own is not "sampled": a provider is free to record its part or not. Its id is
 * random in all places, and says so.
 *
 * Lives in: r->pool.  Shared state: none.  May block: no.
 */

#include <unistd.h>

#include <apr_strings.h>

#include "ai_private.h"

static void make_ids(ai_traceparent_t *own, int with_trace)
{
    unsigned char bytes[24];
    size_t n = with_trace ? 24 : 8;

    if (getentropy(bytes, n) != 0) {
        ap_random_insecure_bytes(bytes, n);
    }
    bytes[0] |= 1; /* nought alone would be none */
    ai_traceparent_hex(bytes, 8, own->span);
    if (with_trace) {
        bytes[8] |= 1;
        ai_traceparent_hex(bytes + 8, 16, own->trace);
        own->flags = AI_TRACE_RANDOM;
    }
}

/* Cloudflare's two headers, for who has no traceparent. The span may be missing. */
static int read_cloudflare(const request_rec *r, ai_traceparent_t *came)
{
    const char *trace = apr_table_get(r->headers_in, "cf-aig-otel-trace-id");
    const char *span = apr_table_get(r->headers_in, "cf-aig-otel-parent-span-id");

    if (!trace || !ai_traceparent_is_id(trace, AI_TRACE_ID_TEXT)
        || (span && !ai_traceparent_is_id(span, AI_SPAN_ID_TEXT))) {
        return 0;
    }
    apr_cpystrn(came->trace, trace, sizeof(came->trace));
    apr_cpystrn(came->span, span ? span : "", sizeof(came->span));
    came->flags = span ? AI_TRACE_SAMPLED : 0; /* who names a span has it recorded */
    return 1;
}

/* Goes on only with what came with a traceparent that is valid. */
static const char *read_state(request_rec *r)
{
    const char *state = apr_table_get(r->headers_in, "tracestate");
    int n = state ? ai_tracestate_read(state) : 0;

    return n ? apr_pstrmemdup(r->pool, state, (apr_size_t)n) : NULL;
}

void ai_trace_begin(ai_request_t *air)
{
    request_rec *r = air->r;
    ai_private_t *priv = air->priv;
    const char *text = apr_table_get(r->headers_in, "traceparent");
    ai_traceparent_t came;
    int known = text ? ai_traceparent_read(text, &came) : read_cloudflare(r, &came);

    if (known && text) {
        priv->trace_state = read_state(r);
    }
    if (known) {
        priv->trace = came;
    }
    if (known && *came.span) {
        ai_note_set(air, AI_NOTE_TRACE_PARENT, apr_pstrdup(r->pool, came.span));
    }
    make_ids(&priv->trace, !known);
    ai_note_set(air, AI_NOTE_TRACE_ID, priv->trace.trace);
    ai_note_set(air, AI_NOTE_SPAN_ID, priv->trace.span);
}

void ai_trace_set_head(const ai_request_t *air, apr_table_t *head)
{
    char *text;

    if (!ai_core_number(air->r, AI_TRACE_CONTEXT)) {
        return;
    }
    text = apr_palloc(air->r->pool, AI_TRACEPARENT_TEXT + 1);
    ai_traceparent_write(&air->priv->trace, text);
    apr_table_setn(head, "traceparent", text);
    apr_table_unset(head, "tracestate");
    if (air->priv->trace_state) {
        apr_table_setn(head, "tracestate", air->priv->trace_state);
    }
}
