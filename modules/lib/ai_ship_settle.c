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
#include <apr_hash.h>
#include <apr_strings.h>

#include "ai_ship_parts.h"

/* Begins that are read in one go, and calls that are asked for. */
#define PAGE 500
#define PAGE_TEXT "500"
#define ASKED 100

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

/* A begin of which there may be no call. */
typedef struct begin_t {
    const char *id;   /* of its frame */
    const char *call;
    int has_call;
} begin_t;

typedef struct page_t {
    ai_ship_t *ship;
    apr_pool_t *pool;
    begin_t begins[PAGE];
    int n, open_n;
    apr_hash_t *by_call;
    ai_audit_call_t call; /* of the one that is looked at */
} page_t;

/* In steps that each go by a key: one statement with a join may take minutes where the database has not
 * counted the rows of new tables yet. */
/* Reckoned with, type and removed are not looked for by the index that retention has for them: by
 * that one each page would sort all begins there are. */
static const char next_begins[] = "SELECT id, call_id FROM ai_audit_frames WHERE id > %s AND id < %s "
                                  "AND type + 0 = 1 AND removed + 0 = 0 ORDER BY id LIMIT " PAGE_TEXT;
static const char one_begin[] = "SELECT call_id, time, length, coding, body, id FROM ai_audit_frames "
                                "WHERE id = %s";

static const char *take_id(void *baton, const char *const *values)
{
    page_t *page = baton;
    begin_t *begin;

    if (!values[0] || !values[1] || page->n == PAGE) {
        return "a frame has no id or call";
    }
    begin = &page->begins[page->n++];
    begin->id = apr_pstrdup(page->pool, values[0]);
    begin->call = apr_pstrdup(page->pool, values[1]);
    begin->has_call = 0;
    apr_hash_set(page->by_call, begin->call, APR_HASH_KEY_STRING, begin);
    return NULL;
}

static const char *take_call(void *baton, const char *const *values)
{
    page_t *page = baton;
    begin_t *begin = values[0] ? apr_hash_get(page->by_call, values[0], APR_HASH_KEY_STRING) : NULL;

    if (begin) {
        begin->has_call = 1;
    }
    return NULL;
}

/* The question for n calls; who has fewer asks for one of them more than once. */
static const char *calls_of(apr_pool_t *p, int n)
{
    const char *sql = "SELECT id FROM ai_audit_calls WHERE id IN (%s";
    int i;

    for (i = 1; i < n; i++) {
        sql = apr_pstrcat(p, sql, ", %s", NULL);
    }
    return apr_pstrcat(p, sql, ")", NULL);
}

/* The next begins of a segment, and which of them have a call. */
static const char *read_page(page_t *page, const char *after, const char *end)
{
    ai_db_t *db = ai_audit_store_db(page->ship->store);
    const char *args[2] = { after, end }, *calls[ASKED], *wrong;
    int i, k;

    apr_pool_clear(page->pool);
    page->n = page->open_n = 0;
    page->by_call = apr_hash_make(page->pool);
    wrong = ai_db_select(db, page->pool, next_begins, 2, args, 2, take_id, page);
    for (i = 0; !wrong && i < page->n; i += ASKED) {
        for (k = 0; k < ASKED; k++) {
            calls[k] = page->begins[i + k < page->n ? i + k : page->n - 1].call;
        }
        wrong = ai_db_select(db, page->pool, page->ship->calls_of, ASKED, calls, 1, take_call, page);
    }
    for (i = 0; i < page->n; i++) {
        page->open_n += !page->begins[i].has_call;
    }
    return wrong;
}

static const char *take_begin(void *baton, const char *const *values)
{
    page_t *page = baton;
    ai_slice_t body = { NULL, 0 };

    if (!values[0] || !values[1] || !values[5]) {
        return "a frame has no id, call or time";
    }
    if (values[2] && values[3] && values[4]
        && ai_unpack(page->ship->packer, page->pool, values[4], (int)apr_atoi64(values[3]),
                     (apr_size_t)apr_atoi64(values[2]), &body)) {
        body = (ai_slice_t){ NULL, 0 };
    }
    /* What cannot be read is a call all the same: of that id, at that time. */
    ai_audit_call_estimate(page->pool, body, apr_pstrdup(page->pool, values[0]), apr_atoi64(values[1]),
                           apr_pstrdup(page->pool, values[5]), &page->call);
    return NULL;
}

/* Calls of the page's begins that have none. */
static const char *estimate_page(page_t *page)
{
    ai_ship_t *ship = page->ship;
    ai_db_t *db = ai_audit_store_db(ship->store);
    const char *wrong = ai_db_begin(db, page->pool);
    int i;

    if (wrong) {
        return wrong;
    }
    for (i = 0; !wrong && i < page->n; i++) {
        if (!page->begins[i].has_call) {
            wrong = ai_db_select(db, page->pool, one_begin, 1, &page->begins[i].id, 6, take_begin, page);
            wrong = wrong ? wrong : ai_audit_store_calls(ship->store, page->pool, &page->call, 1);
        }
    }
    if (wrong) {
        ai_db_rollback(db, page->pool);
        return wrong;
    }
    return ai_db_commit(db, page->pool);
}

/* Out: *n, how many were open. They become calls where the writer is gone. */
static const char *settle_segment(page_t *page, const char *id, int is_gone, int *n)
{
    static const char done[] = "UPDATE ai_audit_segments SET settled = 1 WHERE id = %s";
    ai_ship_t *ship = page->ship;
    const char *after = apr_pstrcat(ship->round, id, ":", NULL);
    const char *end = apr_pstrcat(ship->round, id, ";", NULL), *wrong;

    *n = 0;
    do {
        wrong = ai_ship_is_over(ship) ? "it is over" : read_page(page, after, end);
        *n += page->open_n;
        if (!wrong && page->open_n && !is_gone) {
            return NULL;
        }
        if (!wrong && page->open_n) {
            wrong = estimate_page(page);
        }
        if (wrong) {
            return wrong;
        }
        if (page->n) {
            after = apr_pstrdup(ship->round, page->begins[page->n - 1].id);
        }
    } while (page->n == PAGE);
    return ai_db_exec(ai_audit_store_db(ship->store), page->pool, done, 1, &id, NULL);
}

const char *ai_ship_settle(ai_ship_t *ship, const apr_array_header_t *rows)
{
    page_t *page = apr_palloc(ship->round, sizeof(*page));
    const char *wrong;
    int i, n, is_gone;

    page->ship = ship;
    if (apr_pool_create(&page->pool, ship->round) != APR_SUCCESS) {
        return "there is no memory";
    }
    ship->calls_of = ship->calls_of ? ship->calls_of : calls_of(ship->pool, ASKED);
    for (i = 0; i < rows->nelts; i++) {
        const unsettled_t *row = &APR_ARRAY_IDX(rows, i, unsettled_t);

        is_gone = !is_pending(ship, &row->writer);
        wrong = settle_segment(page, row->id, is_gone, &n);
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
