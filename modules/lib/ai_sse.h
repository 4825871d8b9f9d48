/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_sse.h - incremental reader of server-sent events (WHATWG HTML, "Parsing an event stream").
 *
 * Right for every split of the bytes and for lines that end in LF, CR LF or CR, also mixed. Each
 * event is handed on as soon as its empty line is complete, together with the very bytes that it
 * came as, so that a proxy can pass it on unchanged: the raw slices of all events, one after
 * another, are the bytes fed, but for what is still pending. An event that ends in CR is handed
 * on at once; should the LF of a CR LF come only with a later feed, it is handed on by itself
 * then, as an empty event, so that it waits for nothing either.
 *
 * An event that lies whole in the bytes fed is not copied. Not thread-safe; one per stream.
 */
#ifndef AI_SSE_H
#define AI_SSE_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "ai_slice.h"

typedef struct ai_sse_t ai_sse_t;

/* One event. All slices are valid only during the callback. */
typedef struct ai_sse_event_t {
    ai_slice_t raw;  /* every byte of it, its ending and leading comments included */
    ai_slice_t name; /* the last "event:" field (may be empty, not absent, then), or absent */
    ai_slice_t data; /* the "data:" fields joined by LF, or absent: a comment or an empty event */
    int complete;    /* 0 only from ai_sse_end(): the empty line never came */
} ai_sse_event_t;

/* Return APR_SUCCESS to go on; anything else stops the feed and is returned by it. */
typedef apr_status_t ai_sse_event_fn(void *baton, const ai_sse_event_t *event);

/*
 * max_event: the longest event in bytes that is held (raw); a longer one is an error.
 * p: freed with the pool; the carry buffer grows only while an event is incomplete and is given
 * back to the system with the pool at the latest.
 */
ai_sse_t *ai_sse_create(apr_pool_t *p, apr_size_t max_event);

/*
 * Takes the next n bytes and calls fn for each event that they complete, in order.
 * Returns APR_SUCCESS; APR_ENOSPC when an event passes max_event (the reader is then unusable);
 * APR_ENOMEM; else what fn returned (bytes after that event are dropped, the reader unusable).
 */
apr_status_t ai_sse_feed(ai_sse_t *sse, const char *bytes, apr_size_t n, ai_sse_event_fn *fn,
                         void *baton);

/*
 * The bytes are at their end: calls fn once with what is pending, if anything is, complete = 0.
 * (WHATWG drops such an event; providers have been seen to send their last one so.)
 */
apr_status_t ai_sse_end(ai_sse_t *sse, ai_sse_event_fn *fn, void *baton);

/* How many bytes are pending: 0 at an event's boundary. */
apr_size_t ai_sse_pending(const ai_sse_t *sse);

#endif
