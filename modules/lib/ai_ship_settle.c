/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_ship_settle.c - which calls began, and will never end?
 *
 * The database itself says which begins have no call, so nothing has to be kept in memory over days
 * or a restart. A writer has one segment after the other; as long as one of them may get more, an
 * end may still come. Its older segments are looked at whenever one of its is over, and most have
 * nothing open then.
 *
 * Shared state: none.  May block: on the database.
 */
#include <apr_strings.h>

#include "ai_ship_parts.h"

/* Begins that are looked at in one go, with their bodies. */
#define PAGE 32

typedef struct unsettled_t {
    const char *id;
    ai_uuid_t writer;
} unsettled_t;

typedef struct listing_t {
    apr_pool_t *pool;
    apr_array_header_t *rows;
} listing_t;

static const char *take_unsettled(void *baton, const char *const *values)
{
    listing_t *listing = baton;
    unsettled_t row;

    if (values[0] && values[1] && ai_uuid_read(ai_slice_of(values[1]), &row.writer)) {
        row.id = apr_pstrdup(listing->pool, values[0]);
        APR_ARRAY_PUSH(listing->rows, unsettled_t) = row;
    }
    return NULL;
}

const char *ai_ship_settle_list(ai_ship_t *ship, apr_array_header_t **rows)
{
    static const char sql[] = "SELECT id, writer FROM ai_audit_segments WHERE settled = 0 AND state > 0 "
                              "ORDER BY id";
    listing_t listing = { ship->round, apr_array_make(ship->round, 8, sizeof(unsettled_t)) };

    *rows = listing.rows;
    return ai_db_select(ai_audit_store_db(ship->store), ship->round, sql, 0, NULL, 2, take_unsettled,
                        &listing);
}

/* Whether more of that writer may come. */
static int is_pending(ai_ship_t *ship, const ai_uuid_t *writer)
{
    int i;

    for (i = 0; i < ship->segments->nelts; i++) {
        const ai_ship_segment_t *segment = &APR_ARRAY_IDX(ship->segments, i, ai_ship_segment_t);

        if (segment->is_pending && !segment->is_known) {
            /* It could not be read: it may be of anybody. */
            ship->look_again = 1;
            return 1;
        }
        if (segment->is_pending && memcmp(&segment->writer, writer, sizeof(*writer)) == 0) {
            return 1;
        }
    }
    return 0;
}

/* ------------------------------------------------------------------------------- begins */

typedef struct page_t {
    ai_ship_t *ship;
    apr_pool_t *pool;
    ai_audit_call_t *calls;
    int n;
    const char *last;
} page_t;

static const char open_begins[] =
    "SELECT f.id, f.call_id, f.time, f.length, f.coding, f.body FROM ai_audit_frames f "
    "LEFT JOIN ai_audit_calls c ON c.id = f.call_id "
    "WHERE f.id > %s AND f.id < %s AND f.type = 1 AND f.removed = 0 AND c.id IS NULL ORDER BY f.id LIMIT 32";

static const char *take_begin(void *baton, const char *const *values)
{
    page_t *page = baton;
    ai_slice_t body = { NULL, 0 };
    const char *id, *call;

    if (!values[0] || !values[1] || !values[2] || page->n == PAGE) {
        return "a frame has no id, call or time";
    }
    id = apr_pstrdup(page->pool, values[0]);
    call = apr_pstrdup(page->pool, values[1]);
    if (values[3] && values[4] && values[5]
        && ai_unpack(page->ship->packer, page->pool, values[5], (int)apr_atoi64(values[4]),
                     (apr_size_t)apr_atoi64(values[3]), &body)) {
        body = (ai_slice_t){ NULL, 0 };
    }
    /* What cannot be read is a call all the same: of that id, at that time. */
    ai_audit_call_estimate(page->pool, body, call, apr_atoi64(values[2]), id,
                           &page->calls[page->n++]);
    page->last = id;
    return NULL;
}

static const char *put_page(ai_ship_t *ship, const page_t *page)
{
    ai_db_t *db = ai_audit_store_db(ship->store);
    const char *wrong = ai_db_begin(db, page->pool);

    if (wrong) {
        return wrong;
    }
    wrong = ai_audit_store_calls(ship->store, page->pool, page->calls, page->n);
    if (wrong) {
        ai_db_rollback(db, page->pool);
        return wrong;
    }
    return ai_db_commit(db, page->pool);
}

/* Out: *n, how many were open. They become calls where the writer is gone. */
static const char *settle_segment(ai_ship_t *ship, const char *id, int is_gone, int *n)
{
    static const char done[] = "UPDATE ai_audit_segments SET settled = 1 WHERE id = %s";
    const char *args[2] = { apr_pstrcat(ship->round, id, ":", NULL),
                            apr_pstrcat(ship->round, id, ";", NULL) }, *wrong;
    ai_db_t *db = ai_audit_store_db(ship->store);
    page_t page = { .ship = ship };

    *n = 0;
    wrong = apr_pool_create(&page.pool, ship->round) == APR_SUCCESS ? NULL : "there is no memory";
    do {
        if (wrong || ai_ship_is_over(ship)) {
            return wrong ? wrong : "it is over";
        }
        apr_pool_clear(page.pool);
        page.calls = apr_palloc(page.pool, PAGE * sizeof(*page.calls));
        page.n = 0;
        wrong = ai_db_select(db, page.pool, open_begins, 2, args, 6, take_begin, &page);
        *n += page.n;
        if (!wrong && page.n && is_gone) {
            wrong = put_page(ship, &page);
            args[0] = apr_pstrdup(ship->round, page.last);
        }
    } while (wrong || (is_gone && page.n == PAGE));
    if (is_gone || *n == 0) {
        wrong = ai_db_exec(db, page.pool, done, 1, &id, NULL);
    }
    apr_pool_destroy(page.pool);
    return wrong;
}

const char *ai_ship_settle(ai_ship_t *ship, const apr_array_header_t *rows)
{
    const char *wrong;
    int i, n, is_gone;

    for (i = 0; i < rows->nelts; i++) {
        const unsettled_t *row = &APR_ARRAY_IDX(rows, i, unsettled_t);

        is_gone = !is_pending(ship, &row->writer);
        wrong = settle_segment(ship, row->id, is_gone, &n);
        if (wrong) {
            return wrong;
        }
        if (n && is_gone) {
            ship->state.estimated += (apr_uint64_t)n;
            ai_ship_say(ship, AI_SHIP_ESTIMATED,
                        apr_psprintf(ship->round, "segment %s: %d calls have no end and never will; they "
                                     "are counted as estimated", row->id, n));
        }
    }
    return NULL;
}
