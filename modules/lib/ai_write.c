/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_write.c - puts a text together.
 */
#include <stdio.h>

#include "ai_json.h"
#include "ai_write.h"

/* How much room is taken from the pool at once for short pieces. */
#define ROOM 1024

void ai_write_begin(apr_pool_t *p, ai_write_t *w)
{
    memset(w, 0, sizeof(*w));
    w->pool = p;
    w->slices = apr_array_make(p, 4, sizeof(ai_slice_t));
}

/* Ends the run in hand; what room is left behind it serves the next. */
static void end_run(ai_write_t *w)
{
    if (w->used) {
        APR_ARRAY_PUSH(w->slices, ai_slice_t) = (ai_slice_t){ w->run, w->used };
        w->run += w->used;
        w->room -= w->used;
        w->used = 0;
    }
}

void ai_write_copy(ai_write_t *w, ai_slice_t bytes)
{
    if (!bytes.n) {
        return;
    }
    if (bytes.n > w->room - w->used) {
        end_run(w);
        w->room = bytes.n > ROOM ? bytes.n : ROOM;
        w->run = apr_palloc(w->pool, w->room);
    }
    memcpy(w->run + w->used, bytes.p, bytes.n);
    w->used += bytes.n;
    w->total += bytes.n;
}

void ai_write_bytes(ai_write_t *w, ai_slice_t bytes)
{
    if (bytes.n < AI_WRITE_LONG) {
        ai_write_copy(w, bytes);
        return;
    }
    end_run(w);
    APR_ARRAY_PUSH(w->slices, ai_slice_t) = bytes;
    w->total += bytes.n;
}

void ai_write_number(ai_write_t *w, apr_int64_t number)
{
    char digits[24];
    int n = snprintf(digits, sizeof(digits), "%" APR_INT64_T_FMT, number);

    ai_write_copy(w, (ai_slice_t){ digits, (apr_size_t)n });
}

void ai_write_quoted(ai_write_t *w, ai_slice_t bytes)
{
    ai_write_bytes(w, ai_json_quote(w->pool, bytes));
}

void ai_write_inner(ai_write_t *w, ai_slice_t json_string)
{
    if (json_string.n > 2) {
        ai_write_bytes(w, (ai_slice_t){ json_string.p + 1, json_string.n - 2 });
    }
}

apr_array_header_t *ai_write_end(ai_write_t *w)
{
    end_run(w);
    return w->slices;
}

ai_slice_t ai_write_flat(ai_write_t *w)
{
    char *text, *at;
    int i;

    end_run(w);
    if (w->slices->nelts == 1) {
        return APR_ARRAY_IDX(w->slices, 0, ai_slice_t);
    }
    text = at = apr_palloc(w->pool, w->total + 1);
    for (i = 0; i < w->slices->nelts; i++) {
        ai_slice_t slice = APR_ARRAY_IDX(w->slices, i, ai_slice_t);

        memcpy(at, slice.p, slice.n);
        at += slice.n;
    }
    return (ai_slice_t){ text, w->total };
}
