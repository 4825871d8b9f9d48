/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_sse.c - is a stream of events read alike however it is cut, and no byte lost?
 *
 * The first byte of the input says where the rest is cut in two; it is also fed whole, byte by
 * byte, and with a small limit.
 */
#include <string.h>

#include <apr_general.h>

#include "ai_sse.h"
#include "fuzz.h"

#define LIMIT 4096

/* All that was handed on: the raw bytes, and what events with a name or data said. */
typedef struct seen_t {
    char *raw;
    char *said;
    apr_size_t n_raw;
    apr_size_t n_said;
} seen_t;

static void note(seen_t *seen, char mark, ai_slice_t slice)
{
    seen->said[seen->n_said++] = slice.p ? mark : '-';
    if (slice.n > 0) {
        memcpy(seen->said + seen->n_said, slice.p, slice.n);
        seen->n_said += slice.n;
    }
}

static apr_status_t on_event(void *baton, const ai_sse_event_t *event)
{
    seen_t *seen = baton;

    must(event->raw.n > 0);
    must(event->data.n <= event->raw.n && event->name.n <= event->raw.n);
    memcpy(seen->raw + seen->n_raw, event->raw.p, event->raw.n);
    seen->n_raw += event->raw.n;
    if (event->name.p || event->data.p) {
        note(seen, event->complete ? 'E' : 'e', event->name);
        note(seen, 'D', event->data);
    }
    return APR_SUCCESS;
}

/* Feeds the first cut bytes and the rest; or, with cut -1, byte by byte. */
static apr_status_t run(apr_pool_t *parent, const char *text, apr_size_t n, long cut,
                        apr_size_t limit, seen_t *seen)
{
    apr_status_t rv = APR_SUCCESS;
    apr_pool_t *pool;
    ai_sse_t *sse;
    apr_size_t i;

    seen->n_raw = seen->n_said = 0;
    seen->raw = apr_palloc(parent, n + 1);
    seen->said = apr_palloc(parent, n * 4 + 4);
    apr_pool_create(&pool, parent);
    sse = ai_sse_create(pool, limit);
    if (cut >= 0) {
        rv = ai_sse_feed(sse, text, (apr_size_t)cut, on_event, seen);
        rv = rv ? rv : ai_sse_feed(sse, text + cut, n - (apr_size_t)cut, on_event, seen);
    }
    for (i = 0; cut < 0 && i < n && rv == APR_SUCCESS; i++) {
        rv = ai_sse_feed(sse, text + i, 1, on_event, seen);
    }
    must(rv != APR_SUCCESS || seen->n_raw + ai_sse_pending(sse) == n);
    rv = rv ? rv : ai_sse_end(sse, on_event, seen);
    must(rv != APR_SUCCESS || ai_sse_pending(sse) == 0);
    must(rv != APR_SUCCESS || seen->n_raw == n);
    must(memcmp(seen->raw, text, seen->n_raw) == 0);
    apr_pool_destroy(pool);
    return rv;
}

static int is_same(const seen_t *a, const seen_t *b)
{
    return a->n_said == b->n_said && memcmp(a->said, b->said, a->n_said) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static apr_pool_t *root;
    seen_t whole, cut, single;
    const char *text;
    apr_pool_t *pool;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    if (n == 0) {
        return 0;
    }
    text = (const char *)bytes + 1;
    n--;
    apr_pool_create(&pool, root);
    must(run(pool, text, n, 0, n, &whole) == APR_SUCCESS);
    must(run(pool, text, n, (long)(bytes[0] % (n + 1)), n, &cut) == APR_SUCCESS);
    must(is_same(&whole, &cut));
    if (n <= LIMIT) {
        must(run(pool, text, n, -1, n, &single) == APR_SUCCESS);
        must(is_same(&whole, &single));
    }
    run(pool, text, n, 0, 16, &whole);
    run(pool, text, n, (long)(bytes[0] % (n + 1)), 16, &cut);
    apr_pool_destroy(pool);
    return 0;
}
