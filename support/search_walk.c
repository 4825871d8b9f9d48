/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_walk.c - how are many calls read, with the memory of a few?
 *
 * Page after page: each begins behind the time and the id of the last call before. So nothing is lost
 * or comes twice while others put calls in, and no page takes longer than the first.
 */
#include <string.h>

#include <apr_strings.h>

#include "search.h"

/* Calls of a page, without and with their records. */
#define PAGE "500"
#define PAGE_OF_RECORDS "100"

/* body, coding, length, removed of the record's frame. */
#define BODY_COLUMNS 4

typedef struct page_t {
    apr_pool_t *pool;
    const int *places;           /* of the columns, in the order of the statement */
    int columns;
    int record;
    apr_array_header_t *rows;    /* of const char **: what the statement gave */
} page_t;

void search_want(search_query_t *query, const search_field_t *field)
{
    if (field->column >= 0) {
        query->wanted[field->column] = 1;
    }
    else if (!field->feedback) {
        query->record = 1;
    }
}

/* ------------------------------------------------------------------------------- asking */

const char *search_source_open(apr_pool_t *p, const char *text, search_source_t *source)
{
    source->packer = ai_packer_create(p);
    return source->packer ? audit_database_open(p, text, 0, &source->database, &source->store)
                          : "there is no memory";
}

const char *search_select(search_source_t *source, apr_pool_t *p, const char *sql,
                          const apr_array_header_t *args, int columns, ai_db_row_fn *row,
                          void *baton)
{
    const char *wrong;

    database_wait(&source->database);
    wrong = ai_db_select(source->database.db, p, sql, args->nelts,
                         (const char *const *)args->elts, columns, row, baton);
    database_rest();
    return wrong ? apr_pstrcat(p, source->database.name, ": ", wrong, NULL) : NULL;
}

void search_body(search_source_t *source, apr_pool_t *p, const char *const *values,
                 ai_slice_t *body, const char **absent)
{
    apr_int64_t length = values[2] ? apr_atoi64(values[2]) : 0;

    *body = (ai_slice_t){ NULL, 0 };
    *absent = NULL;
    if (!values[0]) {
        *absent = values[3] && *values[3] == '1' ? "it was removed" : "the database does not have it";
        return;
    }
    if (length < 0 || length > AI_PACK_BODY) {
        *absent = "its length is none";
        return;
    }
    *absent = ai_unpack(source->packer, p, values[0], values[1] ? (int)apr_atoi64(values[1]) : -1,
                        (apr_size_t)length, body);
}

/* --------------------------------------------------------------------------------- pages */

/* The values are gone when this returns. */
static const char *take_row(void *baton, const char *const *values)
{
    page_t *page = baton;
    int i, n = page->columns + (page->record ? BODY_COLUMNS : 0);
    const char **copy = apr_palloc(page->pool, (apr_size_t)n * sizeof(*copy));

    for (i = 0; i < n; i++) {
        copy[i] = values[i] ? apr_pstrdup(page->pool, values[i]) : NULL;
    }
    if (!copy[AI_AUDIT_CALL_ID] || !copy[AI_AUDIT_CALL_TIME]) {
        return "a call has no id, or no time";
    }
    APR_ARRAY_PUSH(page->rows, const char **) = copy;
    return NULL;
}

/* The statement up to its conditions. Out: *places, *columns. */
static const char *select_list(apr_pool_t *p, const search_query_t *query, int *places,
                               int *columns)
{
    const char *list = "SELECT ";
    int i, n = 0;

    for (i = 0; i < AI_AUDIT_CALL_COLUMNS; i++) {
        if (i <= AI_AUDIT_CALL_TIME || query->wanted[i]) {
            list = apr_pstrcat(p, list, n ? ", c." : "c.", ai_audit_call_columns[i].name, NULL);
            places[n++] = i;
        }
    }
    *columns = n;
    return apr_pstrcat(p, list, query->record ? ", f.body, f.coding, f.length, f.removed" : "",
                       " FROM ai_audit_calls c",
                       query->record ? " LEFT JOIN ai_audit_frames f ON f.id = c.frame" : "",
                       " WHERE c.estimated >= 0", NULL);
}

/* The next page, behind a call: its time and id, or NULL. */
static const char *read_page(search_source_t *source, const search_query_t *query,
                             const char *list, const char *time, const char *id, page_t *page)
{
    const char *order = query->oldest ? " ORDER BY c.time, c.id LIMIT "
                                      : " ORDER BY c.time DESC, c.id DESC LIMIT ";
    search_sql_t sql;

    search_sql_begin(page->pool, list, &sql);
    search_sql_query(&sql, query);
    if (time) {
        /* The first half is what an index is good for. */
        search_sql_add(&sql, query->oldest ? " AND c.time >= %lld" : " AND c.time <= %lld", time);
        search_sql_add(&sql, query->oldest ? " AND (c.time > %lld" : " AND (c.time < %lld", time);
        search_sql_add(&sql, query->oldest ? " OR c.id > %s)" : " OR c.id < %s)", id);
    }
    search_sql_add(&sql, apr_pstrcat(page->pool, order, query->record ? PAGE_OF_RECORDS : PAGE, NULL),
                   NULL);
    page->rows = apr_array_make(page->pool, 100, sizeof(const char **));
    return search_select(source, page->pool, sql.text, sql.args,
                         page->columns + (page->record ? BODY_COLUMNS : 0), take_row, page);
}

static int passes(apr_pool_t *p, const search_query_t *query, const search_row_t *row)
{
    int i;

    for (i = 0; i < query->filters->nelts; i++) {
        if (!search_filter_passes(p, &APR_ARRAY_IDX(query->filters, i, search_filter_t), row)) {
            return 0;
        }
    }
    return 1;
}

typedef struct walk_t {
    search_source_t *source;
    const search_query_t *query;
    search_visit_fn *visit;
    void *baton;
    apr_pool_t *scratch;
    apr_int64_t found;
    int more;
} walk_t;

/* Hands the calls of a page out. */
static const char *visit_page(walk_t *walk, const page_t *page)
{
    const char *wrong = NULL, **values;
    search_row_t row;
    int i, k;

    for (i = 0; !wrong && !walk->more && i < page->rows->nelts; i++) {
        apr_pool_clear(walk->scratch);
        memset(&row, 0, sizeof(row));
        values = APR_ARRAY_IDX(page->rows, i, const char **);
        for (k = 0; k < page->columns; k++) {
            row.values[page->places[k]] = values[k];
        }
        if (page->record) {
            search_body(walk->source, walk->scratch, values + page->columns, &row.record,
                        &row.absent);
        }
        if (!passes(walk->scratch, walk->query, &row)) {
            continue;
        }
        if (walk->query->limit && walk->found == walk->query->limit) {
            walk->more = 1;
            break;
        }
        walk->found++;
        wrong = walk->visit(walk->baton, walk->scratch, &row);
    }
    return wrong;
}

const char *search_walk(search_source_t *source, apr_pool_t *p, const search_query_t *query_in,
                        search_visit_fn *visit, void *baton, int *more)
{
    search_query_t query = *query_in;
    int places[AI_AUDIT_CALL_COLUMNS], i;
    page_t page = { .places = places };
    const char *list, *wrong = NULL, *time = NULL, *id = NULL, **last;
    walk_t walk = { source, &query, visit, baton, NULL, 0, 0 };
    apr_pool_t *after;

    for (i = 0; i < query.filters->nelts; i++) {
        search_want(&query, &APR_ARRAY_IDX(query.filters, i, search_filter_t).field);
    }
    list = select_list(p, &query, places, &page.columns);
    page.record = query.record;
    apr_pool_create(&page.pool, p);
    apr_pool_create(&walk.scratch, p);
    apr_pool_create(&after, p);
    do {
        apr_pool_clear(page.pool);
        wrong = read_page(source, &query, list, time, id, &page);
        if (wrong || !page.rows->nelts) {
            break;
        }
        wrong = visit_page(&walk, &page);
        last = APR_ARRAY_IDX(page.rows, page.rows->nelts - 1, const char **);
        apr_pool_clear(after);
        id = apr_pstrdup(after, last[AI_AUDIT_CALL_ID]);
        time = apr_pstrdup(after, last[AI_AUDIT_CALL_TIME]);
    } while (!wrong && !walk.more);
    wrong = wrong ? apr_pstrdup(p, wrong) : NULL;
    if (more) {
        *more = walk.more;
    }
    apr_pool_destroy(page.pool);
    apr_pool_destroy(walk.scratch);
    apr_pool_destroy(after);
    return wrong;
}
