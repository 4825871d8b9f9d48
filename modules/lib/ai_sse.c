/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_sse.c - where does an event end, and what does it say?
 *
 * Two steps. find_end() looks only for the empty line and remembers between feeds what it must:
 * whether the line at hand holds a byte yet, and whether the last byte was a CR. Only a whole
 * event is then read for its fields, in one piece: from the bytes fed where it lies in them, else
 * from the carry buffer.
 */
#include "ai_buffer.h"
#include "ai_sse.h"

/* A buffer larger than this is given back when it is empty; most events are far smaller. */
#define KEEP_BYTES 16384

struct ai_sse_t {
    apr_size_t max_event;
    apr_status_t broken; /* APR_SUCCESS, or what every further call returns */
    ai_buffer_t carry;      /* the beginning of an event whose end has not come */
    ai_buffer_t joined;     /* the data of an event with more than one data line */
    int line_empty;      /* no byte yet in the line at hand */
    int after_cr;        /* the last byte was CR: a LF now belongs to it */
    int begun;           /* the first event is through: no byte order mark any more */
};

static void empty_buffer(ai_buffer_t *buffer)
{
    buffer->n = 0;
    if (buffer->size > KEEP_BYTES) {
        ai_buffer_free(buffer);
    }
}

static apr_status_t forget_buffers(void *baton)
{
    ai_sse_t *sse = baton;

    ai_buffer_free(&sse->carry);
    ai_buffer_free(&sse->joined);
    return APR_SUCCESS;
}

ai_sse_t *ai_sse_create(apr_pool_t *p, apr_size_t max_event)
{
    ai_sse_t *sse = apr_pcalloc(p, sizeof(*sse));

    sse->max_event = max_event;
    sse->line_empty = 1;
    apr_pool_cleanup_register(p, sse, forget_buffers, apr_pool_cleanup_null);
    return sse;
}

/* Adds a data field to those that the event has. The first one is only pointed to. */
static apr_status_t add_data(ai_sse_t *sse, ai_sse_event_t *event, ai_slice_t value)
{
    apr_status_t rv = APR_SUCCESS;

    if (!event->data.p) {
        event->data = value;
        return APR_SUCCESS;
    }
    if (sse->joined.n == 0) {
        rv = ai_buffer_append(&sse->joined, event->data.p, event->data.n);
    }
    if (rv == APR_SUCCESS) {
        rv = ai_buffer_append(&sse->joined, "\n", 1);
    }
    if (rv == APR_SUCCESS) {
        rv = ai_buffer_append(&sse->joined, value.p, value.n);
    }
    event->data.p = sse->joined.p;
    event->data.n = sse->joined.n;
    return rv;
}

/* Reads one line, without its end. Comments, other fields and unknown ones say nothing to us. */
static apr_status_t read_line(ai_sse_t *sse, ai_sse_event_t *event, const char *at,
                              const char *end)
{
    const char *colon = memchr(at, ':', (apr_size_t)(end - at));
    ai_slice_t field = { at, (apr_size_t)((colon ? colon : end) - at) };
    ai_slice_t value = { end, 0 };

    if (colon) {
        value.p = colon + 1;
        value.p += value.p < end && *value.p == ' ';
        value.n = (apr_size_t)(end - value.p);
    }
    if (ai_slice_is(field, "data")) {
        return add_data(sse, event, value);
    }
    if (ai_slice_is(field, "event")) {
        event->name = value;
    }
    return APR_SUCCESS;
}

/* The next CR or LF from at, or end. *cr is the next CR, looked up only when at has passed it. */
static const char *next_eol(const char *at, const char *end, const char **cr)
{
    const char *lf;

    if (!*cr || *cr < at) {
        *cr = memchr(at, '\r', (apr_size_t)(end - at));
        *cr = *cr ? *cr : end;
    }
    lf = memchr(at, '\n', (apr_size_t)(*cr - at));
    return lf ? lf : *cr;
}

/* Reads the fields of the event in raw and hands it on. */
static apr_status_t hand_on(ai_sse_t *sse, const char *raw, apr_size_t n, int complete,
                            ai_sse_event_fn *fn, void *baton)
{
    ai_sse_event_t event = { { raw, n }, { NULL, 0 }, { NULL, 0 }, complete };
    const char *at = raw, *end = raw + n, *eol, *cr = NULL;
    apr_status_t rv = APR_SUCCESS;

    if (n > sse->max_event) {
        return APR_ENOSPC;
    }
    if (!sse->begun && n >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0) {
        at += 3;
    }
    sse->begun = 1;
    for (; at < end && rv == APR_SUCCESS; at = eol + 1) {
        eol = next_eol(at, end, &cr);
        if (eol > at) {
            rv = read_line(sse, &event, at, eol);
        }
        if (eol == end) {
            break;
        }
    }
    if (rv == APR_SUCCESS) {
        rv = fn(baton, &event);
    }
    empty_buffer(&sse->joined);
    return rv;
}

/*
 * The place behind the empty line that ends the event at hand, or NULL when it has not come. A LF
 * that follows a CR goes with it where it is there to be seen.
 */
static const char *find_end(ai_sse_t *sse, const char *at, const char *end, const char **cr)
{
    const char *eol;

    if (at < end && sse->after_cr) {
        at += *at == '\n';
        sse->after_cr = 0;
    }
    for (; at < end; at = eol + 1) {
        sse->after_cr = 0;
        eol = next_eol(at, end, cr);
        if (eol > at) {
            sse->line_empty = 0;
        }
        if (eol == end) {
            return NULL;
        }
        sse->after_cr = *eol == '\r';
        if (sse->after_cr && end - eol > 1 && eol[1] == '\n') {
            eol++;
            sse->after_cr = 0;
        }
        if (sse->line_empty) {
            return eol + 1;
        }
        sse->line_empty = 1;
    }
    return NULL;
}

static apr_status_t feed(ai_sse_t *sse, const char *at, const char *end, ai_sse_event_fn *fn,
                         void *baton)
{
    const char *stop, *cr = NULL;
    apr_status_t rv;

    if (at < end && sse->after_cr && sse->carry.n == 0 && *at == '\n') {
        sse->after_cr = 0;
        rv = hand_on(sse, at++, 1, 1, fn, baton);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    while (at < end) {
        stop = find_end(sse, at, end, &cr);
        if (!stop || sse->carry.n > 0) {
            apr_size_t n = (apr_size_t)((stop ? stop : end) - at);

            if (n > sse->max_event || sse->carry.n > sse->max_event - n) {
                return APR_ENOSPC;
            }
            rv = ai_buffer_append(&sse->carry, at, n);
            if (!stop || rv != APR_SUCCESS) {
                return rv;
            }
            rv = hand_on(sse, sse->carry.p, sse->carry.n, 1, fn, baton);
            empty_buffer(&sse->carry);
        }
        else {
            rv = hand_on(sse, at, (apr_size_t)(stop - at), 1, fn, baton);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
        at = stop;
    }
    return APR_SUCCESS;
}

apr_status_t ai_sse_feed(ai_sse_t *sse, const char *bytes, apr_size_t n, ai_sse_event_fn *fn,
                         void *baton)
{
    if (sse->broken == APR_SUCCESS && n > 0) {
        sse->broken = feed(sse, bytes, bytes + n, fn, baton);
    }
    return sse->broken;
}

apr_status_t ai_sse_end(ai_sse_t *sse, ai_sse_event_fn *fn, void *baton)
{
    if (sse->broken == APR_SUCCESS && sse->carry.n > 0) {
        sse->broken = hand_on(sse, sse->carry.p, sse->carry.n, 0, fn, baton);
        empty_buffer(&sse->carry);
    }
    return sse->broken;
}

apr_size_t ai_sse_pending(const ai_sse_t *sse)
{
    return sse->carry.n;
}
