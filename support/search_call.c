/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_call.c - what is known of one call, in a database or in a spool?
 */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_audit_record.h"
#include "ai_spool.h"
#include "search.h"

/* So much of an id must be said. */
#define LEAST 4
#define LONGEST 500

#define FRAME_COLUMNS 7

typedef struct reading_t {
    search_place_t *place;
    apr_pool_t *pool;          /* of a page */
    apr_array_header_t *ids;   /* of const char * */
    search_call_t *call;
    apr_array_header_t *rows;  /* of const char **: FRAME_COLUMNS each */
} reading_t;

const char *search_place_open(apr_pool_t *p, const search_options_t *options,
                              search_place_t *place)
{
    place->folder = options->spool;
    if (place->folder && options->database) {
        return "say --database or --spool";
    }
    return place->folder ? NULL : search_source_open(p, options->database, &place->source);
}

/* -------------------------------------------------------------------------------- the id */

/* What an id, or its beginning, is searched as; NULL: it is none. */
static const char *normal_id(apr_pool_t *p, const char *text)
{
    char *id = apr_pstrdup(p, text);
    apr_size_t n = strlen(text), i;

    for (i = 0; i < n; i++) {
        id[i] = (char)apr_tolower(id[i]);
        if (!apr_isxdigit(id[i]) && id[i] != '-') {
            return NULL;
        }
    }
    return n >= LEAST && n <= AI_UUID_TEXT ? id : NULL;
}

static const char *take_id(void *baton, const char *const *values)
{
    reading_t *reading = baton;

    if (!values[0]) {
        return "a call has no id";
    }
    APR_ARRAY_PUSH(reading->ids, const char *) = apr_pstrdup(reading->pool, values[0]);
    return NULL;
}

static const char *find_ids(apr_pool_t *p, reading_t *reading, const char *sql, const char *prefix)
{
    apr_array_header_t *args = apr_array_make(p, 2, sizeof(const char *));

    APR_ARRAY_PUSH(args, const char *) = prefix;
    /* No character of an id comes behind this one. */
    APR_ARRAY_PUSH(args, const char *) = apr_pstrcat(p, prefix, "g", NULL);
    return search_select(&reading->place->source, p, sql, args, 1, take_id, reading);
}

/* A call that is not over has frames, and nothing else. */
static const char *find_in_database(apr_pool_t *p, search_place_t *place, const char *prefix,
                                    const char **id)
{
    reading_t reading = { .place = place, .pool = p,
                          .ids = apr_array_make(p, 2, sizeof(const char *)) };
    const char *wrong;

    wrong = find_ids(p, &reading, "SELECT id FROM ai_audit_calls WHERE id >= %s AND id < %s "
                     "ORDER BY id LIMIT 2", prefix);
    if (!wrong && !reading.ids->nelts) {
        wrong = find_ids(p, &reading, "SELECT DISTINCT call_id FROM ai_audit_frames WHERE "
                         "call_id >= %s AND call_id < %s ORDER BY call_id LIMIT 2", prefix);
    }
    *id = reading.ids->nelts ? APR_ARRAY_IDX(reading.ids, 0, const char *) : NULL;
    return wrong || reading.ids->nelts < 2
               ? wrong : apr_psprintf(p, "several calls have ids that begin with %s", prefix);
}

/* ------------------------------------------------------------------------------- frames */

static const char *take_frame(void *baton, const char *const *values)
{
    reading_t *reading = baton;
    const char **copy = apr_palloc(reading->pool, FRAME_COLUMNS * sizeof(*copy));
    int i;

    for (i = 0; i < FRAME_COLUMNS; i++) {
        copy[i] = values[i] ? apr_pstrdup(reading->pool, values[i]) : NULL;
    }
    if (!copy[4] || !copy[5] || !copy[6]) {
        return "a frame has no id, no type or no time";
    }
    APR_ARRAY_PUSH(reading->rows, const char **) = copy;
    return NULL;
}

/* body, coding, length, removed stand together, as search_body() wants them. */
static const char *frames_in_database(apr_pool_t *p, search_place_t *place, const char *id,
                                      int type, search_frame_fn *take, void *baton, int *n)
{
    static const char sql[] = "SELECT body, coding, length, removed, id, type, time FROM "
                              "ai_audit_frames WHERE call_id = %s AND type = %lld AND id > %s "
                              "ORDER BY id LIMIT 50";
    const char *after = "", *wrong = NULL;
    reading_t reading = { .place = place };
    apr_array_header_t *args;
    search_frame_t frame;
    int i;

    apr_pool_create(&reading.pool, p);
    do {
        args = apr_array_make(reading.pool, 3, sizeof(const char *));
        APR_ARRAY_PUSH(args, const char *) = id;
        APR_ARRAY_PUSH(args, const char *) = apr_psprintf(reading.pool, "%d", type);
        APR_ARRAY_PUSH(args, const char *) = apr_pstrdup(reading.pool, after);
        reading.rows = apr_array_make(reading.pool, 50, sizeof(const char **));
        wrong = search_select(&place->source, reading.pool, sql, args, FRAME_COLUMNS, take_frame,
                              &reading);
        for (i = 0; !wrong && i < reading.rows->nelts; i++) {
            const char **values = APR_ARRAY_IDX(reading.rows, i, const char **);

            frame = (search_frame_t){ .id = values[4], .type = (int)apr_atoi64(values[5]),
                                      .time = apr_atoi64(values[6]) };
            search_body(&place->source, reading.pool, values, &frame.body, &frame.absent);
            wrong = take(baton, reading.pool, &frame);
            after = apr_pstrdup(p, values[4]);
            ++*n;
        }
        wrong = wrong ? apr_pstrdup(p, wrong) : NULL;
        i = reading.rows->nelts;
        apr_pool_clear(reading.pool);
    } while (!wrong && i);
    apr_pool_destroy(reading.pool);
    return wrong;
}

const char *search_call_frames(apr_pool_t *p, search_place_t *place, const search_call_t *call,
                               int type, search_frame_fn *take, void *baton, int *n)
{
    *n = 0;
    return place->folder ? search_spool_frames(p, place->folder, call->id, type, take, baton, n)
                         : frames_in_database(p, place, call->id, type, take, baton, n);
}

/* ------------------------------------------------------------------------------ the call */

static ai_slice_t copy_of(apr_pool_t *p, ai_slice_t body)
{
    return body.n ? (ai_slice_t){ apr_pstrmemdup(p, body.p, body.n), body.n } : body;
}

static const char *take_record(void *baton, apr_pool_t *scratch, const search_frame_t *frame)
{
    reading_t *reading = baton;

    (void)scratch;
    reading->call->record = copy_of(reading->pool, frame->body);
    reading->call->absent = frame->absent ? apr_pstrdup(reading->pool, frame->absent) : NULL;
    return NULL;
}

static const char *take_note(void *baton, apr_pool_t *scratch, const search_frame_t *frame)
{
    reading_t *reading = baton;

    (void)scratch;
    if (frame->body.n) {
        APR_ARRAY_PUSH(reading->call->notes, ai_slice_t) = copy_of(reading->pool, frame->body);
    }
    return NULL;
}

static const char *take_row(void *baton, apr_pool_t *scratch, const search_row_t *row)
{
    reading_t *reading = baton;
    int i;

    (void)scratch;
    for (i = 0; i < AI_AUDIT_CALL_COLUMNS; i++) {
        reading->call->row.values[i] = row->values[i] ? apr_pstrdup(reading->pool, row->values[i])
                                                      : NULL;
    }
    return NULL;
}

/* What its columns say. */
static const char *read_row(apr_pool_t *p, reading_t *reading)
{
    const char *id = reading->call->id, *wrong;
    const search_alternative_t only = { id, id, 0 };
    search_query_t query;
    search_filter_t *filter;
    int i;

    memset(&query, 0, sizeof(query));
    query.filters = apr_array_make(p, 1, sizeof(search_filter_t));
    filter = apr_array_push(query.filters);
    filter->word = "id";
    filter->operator = SEARCH_IS;
    filter->alternatives = apr_array_make(p, 1, sizeof(only));
    APR_ARRAY_PUSH(filter->alternatives, search_alternative_t) = only;
    wrong = search_field_find(p, "id", &filter->field);
    for (i = 0; i < AI_AUDIT_CALL_COLUMNS; i++) {
        query.wanted[i] = 1;
    }
    return wrong ? wrong : search_walk(&reading->place->source, p, &query, take_row, reading, NULL);
}

static const char *read_call(apr_pool_t *p, search_place_t *place, search_call_t *call)
{
    reading_t reading = { .place = place, .pool = p, .call = call };
    const char *wrong = place->folder ? NULL : read_row(p, &reading), *estimated;
    int n = 0;

    estimated = call->row.values[AI_AUDIT_CALL_ESTIMATED];
    call->estimated = estimated && *estimated == '1';
    wrong = wrong ? wrong : search_call_frames(p, place, call, AI_SPOOL_END, take_record, &reading, &n);
    call->ended = n > 0;
    if (!wrong && !n) {
        wrong = search_call_frames(p, place, call, AI_SPOOL_BEGIN, take_record, &reading, &n);
    }
    if (!wrong && !n) {
        call->absent = "the database does not have it";
    }
    return wrong ? wrong
                 : search_call_frames(p, place, call, AI_SPOOL_NOTE, take_note, &reading, &n);
}

const char *search_call_find(apr_pool_t *p, search_place_t *place, const char *text,
                             search_call_t *call)
{
    const char *prefix = normal_id(p, text), *wrong;
    char made[AI_UUID_TEXT + 1];
    ai_uuid_t uuid;

    /* What is no UUID (mod_unique_id's) has one that is made of it. */
    if (!prefix && strlen(text) <= LONGEST && ai_audit_call_id(text, &uuid)) {
        ai_uuid_text(&uuid, made);
        prefix = made;
    }
    memset(call, 0, sizeof(*call));
    call->notes = apr_array_make(p, 2, sizeof(ai_slice_t));
    if (!prefix) {
        return apr_psprintf(p, "%s: is no id of a call", search_visible(p, ai_slice_of(text)));
    }
    wrong = place->folder ? search_spool_find(p, place->folder, prefix, &call->id)
                          : find_in_database(p, place, prefix, &call->id);
    if (wrong) {
        return wrong;
    }
    return call->id ? read_call(p, place, call)
           : apr_psprintf(p, "%s: has no call '%s'",
                          place->folder ? search_visible(p, ai_slice_of(place->folder))
                                        : place->source.database.name,
                          search_visible(p, ai_slice_of(text)));
}
