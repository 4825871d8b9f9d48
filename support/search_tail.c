/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_tail.c - which calls were the last, and which come? aictl audit tail.
 *
 * Calls come into the database as they end, and from several nodes: not in the order of their times.
 * So whoever follows asks segment by segment for the frames behind the last one that it saw, by their
 * key. A segment that nobody writes any more, and that is older than a day, has nothing new.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "ai_spool.h"
#include "search.h"

#define DEFAULT_LIMIT 10
/* So many are held to be turned round. */
#define MOST_CALLS 10000
#define A_DAY apr_time_from_sec(86400)

/* A segment, as it was at the last look. */
typedef struct seen_t {
    char id[AI_UUID_TEXT + 1];
    char last[AI_AUDIT_FRAME_ID]; /* the last frame; "": none yet */
    apr_int64_t records;
    int is_open;
    unsigned turn;                /* of the look that found it */
    int has_more;
} seen_t;

typedef struct tail_t {
    search_listing_t listing;
    apr_pool_t *pool;
    apr_pool_t *turn_pool;
    apr_array_header_t *first; /* of const char *: the last calls, the newest first */
    apr_hash_t *printed;       /* those, by id */
    apr_hash_t *seen;          /* of seen_t, by id */
    unsigned turn;
    seen_t *segment;           /* in hand */
    apr_array_header_t *ended; /* of const char *: calls that ended in it */
    const char *after;         /* the last segment of a page */
} tail_t;

/* ------------------------------------------------------------------------------- calls */

static const char *keep_id(void *baton, apr_pool_t *scratch, const search_row_t *row)
{
    tail_t *tail = baton;
    const char *id = apr_pstrdup(tail->pool, row->values[AI_AUDIT_CALL_ID]);

    (void)scratch;
    APR_ARRAY_PUSH(tail->first, const char *) = id;
    apr_hash_set(tail->printed, id, APR_HASH_KEY_STRING, id);
    return NULL;
}

/* Prints the call of an id, where it passes the filters. */
static const char *print_id(tail_t *tail, apr_pool_t *p, const char *id)
{
    search_query_t query = tail->listing.options.query;
    const search_alternative_t only = { id, id, 0 };
    search_filter_t *filter;

    query.limit = 0;
    query.filters = apr_array_copy(p, query.filters);
    filter = apr_array_push(query.filters);
    filter->word = "id";
    filter->operator = SEARCH_IS;
    filter->alternatives = apr_array_make(p, 1, sizeof(only));
    APR_ARRAY_PUSH(filter->alternatives, search_alternative_t) = only;
    if (search_field_find(p, "id", &filter->field)) {
        return "there is no field of the id";
    }
    return search_walk(&tail->listing.source, p, &query, search_listing_row, &tail->listing, NULL);
}

static const char *print_first(tail_t *tail)
{
    const char *wrong = NULL;
    apr_pool_t *p;
    int i;

    apr_pool_create(&p, tail->pool);
    for (i = tail->first->nelts - 1; !wrong && i >= 0; i--) {
        apr_pool_clear(p);
        wrong = print_id(tail, p, APR_ARRAY_IDX(tail->first, i, const char *));
    }
    return wrong;
}

/* ----------------------------------------------------------------------------- segments */

/* id, records, state */
static const char *take_segment(void *baton, const char *const *values)
{
    tail_t *tail = baton;
    seen_t *seen;

    if (!values[0] || !values[1] || !values[2] || strlen(values[0]) != AI_UUID_TEXT) {
        return "a segment has no id";
    }
    seen = apr_hash_get(tail->seen, values[0], APR_HASH_KEY_STRING);
    if (!seen) {
        seen = apr_pcalloc(tail->pool, sizeof(*seen));
        apr_cpystrn(seen->id, values[0], sizeof(seen->id));
        apr_hash_set(tail->seen, seen->id, APR_HASH_KEY_STRING, seen);
    }
    seen->has_more = apr_atoi64(values[1]) != seen->records;
    seen->records = apr_atoi64(values[1]);
    seen->is_open = *values[2] == '0';
    seen->turn = tail->turn;
    tail->after = seen->id;
    return NULL;
}

/* Looks at all segments that may have something new. */
static const char *look_at_segments(tail_t *tail)
{
    static const char sql[] = "SELECT id, records, state FROM ai_audit_segments WHERE "
                              "(state = 0 OR created >= %lld) AND id > %s ORDER BY id LIMIT 500";
    const char *since = apr_psprintf(tail->turn_pool, "%" APR_INT64_T_FMT,
                                     (apr_int64_t)(apr_time_now() - A_DAY));
    const char *after = "", *wrong = NULL;
    apr_array_header_t *args;

    tail->turn++;
    for (tail->after = NULL; after && !wrong; after = tail->after) {
        args = apr_array_make(tail->turn_pool, 2, sizeof(const char *));
        APR_ARRAY_PUSH(args, const char *) = since;
        APR_ARRAY_PUSH(args, const char *) = after;
        tail->after = NULL;
        wrong = search_select(&tail->listing.source, tail->turn_pool, sql, args, 3, take_segment,
                              tail);
    }
    return wrong;
}

/* id, type, call_id of a frame. */
static const char *take_frame(void *baton, const char *const *values)
{
    tail_t *tail = baton;

    if (!values[0] || !values[1] || !values[2] || strlen(values[0]) >= AI_AUDIT_FRAME_ID) {
        return "a frame has no id";
    }
    apr_cpystrn(tail->segment->last, values[0], AI_AUDIT_FRAME_ID);
    if (apr_atoi64(values[1]) == AI_SPOOL_END) {
        APR_ARRAY_PUSH(tail->ended, const char *) = apr_pstrdup(tail->turn_pool, values[2]);
    }
    return NULL;
}

/* The next frames of a segment; skips: only the last of them. */
static const char *next_frames(tail_t *tail, int skips)
{
    static const char next[] = "SELECT id, type, call_id FROM ai_audit_frames WHERE id > %s AND "
                               "id < %s ORDER BY id LIMIT 500";
    static const char last[] = "SELECT id, type, call_id FROM ai_audit_frames WHERE id > %s AND "
                               "id < %s ORDER BY id DESC LIMIT 1";
    seen_t *seen = tail->segment;
    apr_array_header_t *args = apr_array_make(tail->turn_pool, 2, sizeof(const char *));

    APR_ARRAY_PUSH(args, const char *) = apr_pstrdup(tail->turn_pool,
                                                     *seen->last ? seen->last : seen->id);
    /* What follows the colon. */
    APR_ARRAY_PUSH(args, const char *) = apr_pstrcat(tail->turn_pool, seen->id, ";", NULL);
    tail->ended = apr_array_make(tail->turn_pool, 100, sizeof(const char *));
    return search_select(&tail->listing.source, tail->turn_pool, skips ? last : next, args, 3,
                         take_frame, tail);
}

/* Prints the calls that ended in a segment since the last look; skips: none of them. */
static const char *follow_segment(tail_t *tail, seen_t *seen, int skips)
{
    const char *wrong, *id;
    char before[AI_AUDIT_FRAME_ID];
    int i;

    tail->segment = seen;
    do {
        apr_pool_clear(tail->turn_pool);
        apr_cpystrn(before, seen->last, sizeof(before));
        wrong = next_frames(tail, skips);
        for (i = 0; !wrong && !skips && i < tail->ended->nelts; i++) {
            id = APR_ARRAY_IDX(tail->ended, i, const char *);
            wrong = apr_hash_get(tail->printed, id, APR_HASH_KEY_STRING)
                        ? NULL : print_id(tail, tail->turn_pool, id);
        }
    } while (!wrong && !skips && strcmp(before, seen->last) != 0);
    seen->has_more = 0;
    return wrong ? apr_pstrdup(tail->pool, wrong) : NULL;
}

static const char *look(tail_t *tail, int skips)
{
    const char *wrong = look_at_segments(tail);
    apr_hash_index_t *at;

    wrong = wrong ? apr_pstrdup(tail->pool, wrong) : NULL;
    for (at = apr_hash_first(NULL, tail->seen); at && !wrong; at = apr_hash_next(at)) {
        seen_t *seen = apr_hash_this_val(at);

        /* One that was open and is closed now may have had more before. */
        if (seen->turn != tail->turn && seen->is_open) {
            seen->has_more = 1;
            seen->is_open = 0;
        }
        wrong = seen->has_more ? follow_segment(tail, seen, skips) : NULL;
    }
    return wrong;
}

/* ------------------------------------------------------------------------------ command */

/* Waits until it is time to ask again. 0: nobody reads any more. */
static int wait_for(apr_int64_t ms)
{
    struct pollfd reader = { 1, 0, 0 };

    return fflush(stdout) == 0
           && !(poll(&reader, 1, (int)ms) > 0
                && (reader.revents & (POLLERR | POLLHUP | POLLNVAL)));
}

static const char *run(tail_t *tail)
{
    search_listing_t *listing = &tail->listing;
    search_options_t *o = &listing->options;
    const char *wrong = NULL;

    /* First where things stand: what comes from here on is followed. */
    wrong = o->follow ? look(tail, 1) : NULL;
    if (!wrong && o->query.limit) {
        wrong = search_walk(&listing->source, tail->pool, &o->query, keep_id, tail, NULL);
    }
    wrong = wrong ? wrong : print_first(tail);
    search_print_end(listing->print);
    while (!wrong && o->follow && wait_for(o->interval)) {
        apr_pool_clear(tail->turn_pool);
        wrong = look(tail, 0);
    }
    return wrong;
}

int tail_command(apr_pool_t *p, int argc, const char *const *argv)
{
    tail_t *tail = apr_pcalloc(p, sizeof(*tail));
    search_options_t *o = &tail->listing.options;
    const char *wrong = search_options_read(p, argc, argv, " limit follow interval format columns "
                                            "database ", apr_time_now(), o);

    wrong = wrong ? wrong : search_listing_prepare(p, &tail->listing);
    if (!wrong && o->query.limit > MOST_CALLS) {
        wrong = "--limit: may be 10000 at most";
    }
    if (wrong) {
        return complain(MISUSED, wrong);
    }
    o->query.limit = o->query.limit < 0 ? DEFAULT_LIMIT : o->query.limit;
    wrong = search_source_open(p, o->database, &tail->listing.source);
    if (wrong) {
        return complain(FAILED, wrong);
    }
    tail->pool = p;
    apr_pool_create(&tail->turn_pool, p);
    tail->first = apr_array_make(p, 100, sizeof(const char *));
    tail->printed = apr_hash_make(p);
    tail->seen = apr_hash_make(p);
    tail->listing.print = search_print_begin(p, tail->listing.format, tail->listing.fields);
    wrong = run(tail);
    return wrong ? complain(FAILED, wrong) : DONE_WELL;
}
