/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_key_store.c - how do gateway keys lie in a database?
 *
 * Each change names the version that it was made from, and moves it: of two programs that change a
 * key at once, the second is told, and nothing is lost.
 *
 * May block: yes, on the database.
 */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_key_record.h"
#include "ai_key_store.h"

/* changed is in microseconds since 1970, expires in seconds; 0: never. */
static const char *const tables[] = {
    "CREATE TABLE IF NOT EXISTS ai_keys ("
    "id {word} NOT NULL PRIMARY KEY, version {number} NOT NULL, record {text} NOT NULL, "
    "name {word}, tenant {word}, disabled {number} NOT NULL, expires {number} NOT NULL, "
    "changed {number} NOT NULL) {table}",
    NULL
};
static const char *const *const steps[] = { tables, NULL };

const ai_db_schema_t ai_key_store_schema = { "keys", steps };

#define COLUMNS 7
#define PLACES "(%s, 1, %s, %s, %s, %lld, %lld, %lld)"
#define INSERT "INSERT INTO ai_keys (id, version, record, name, tenant, disabled, expires, changed) " \
    "VALUES "

static const char get_one[] = "SELECT id, version, record FROM ai_keys WHERE id = %s";
static const char get_page[] = "SELECT id, version, record FROM ai_keys WHERE id > %s "
                               "ORDER BY id LIMIT 500";
static const char put_one[] = INSERT PLACES " {or_nothing}";
static const char set_one[] = "UPDATE ai_keys SET version = version + 1, record = %s, name = %s, "
                              "tenant = %s, disabled = %lld, expires = %lld, changed = %lld "
                              "WHERE id = %s AND version = %lld";
static const char drop_one[] = "DELETE FROM ai_keys WHERE id = %s AND version = %lld";

struct ai_key_store_t {
    ai_db_t *db;
    const char *put_many; /* BATCH rows in one statement */
};

ai_key_store_t *ai_key_store_open(apr_pool_t *p, const ai_db_conf_t *conf)
{
    ai_key_store_t *store = apr_pcalloc(p, sizeof(*store));
    const char *many = INSERT PLACES;
    int i;

    store->db = ai_db_open(p, conf);
    for (i = 1; i < AI_KEY_STORE_BATCH; i++) {
        many = apr_pstrcat(p, many, ", " PLACES, NULL);
    }
    store->put_many = apr_pstrcat(p, many, " {or_nothing}", NULL);
    return store;
}

void ai_key_store_close(ai_key_store_t *store)
{
    ai_db_close(store->db);
}

ai_db_t *ai_key_store_db(const ai_key_store_t *store)
{
    return store->db;
}

/* ----------------------------------------------------------------------------- reading */

typedef struct reading_t {
    apr_pool_t *pool;
    apr_array_header_t *rows;
    const char *broken;
} reading_t;

static int is_id(const char *id, apr_size_t n)
{
    apr_size_t i;

    for (i = 0; i < n && apr_isalnum(id[i]); i++) {
        continue;
    }
    return n == AI_KEY_ID && i == n;
}

/* What an id that is none may be told as: what a database hands out is somebody's text. */
static const char *name_of(apr_pool_t *p, const char *id)
{
    return id && is_id(id, strlen(id)) ? apr_pstrdup(p, id) : "with an id that is none";
}

static const char *take_row(void *baton, const char *const *values)
{
    reading_t *reading = baton;
    apr_pool_t *p = reading->pool;
    ai_key_row_t row;
    const char *wrong;

    if (!values[0] || !values[1] || !values[2] || !is_id(values[0], strlen(values[0]))) {
        return reading->broken = apr_psprintf(p, "key %s: a column is empty, or not what it must be",
                                              name_of(p, values[0]));
    }
    row.record = ai_slice_of(apr_pstrdup(p, values[2]));
    row.version = apr_atoi64(values[1]);
    row.key = row.record.n <= AI_KEY_RECORD
                  ? ai_key_read(p, row.record, &wrong)
                  : (wrong = "the record is too long", NULL);
    if (row.key && strcmp(row.key->id, values[0]) != 0) {
        row.key = NULL;
        wrong = "the record is that of another key";
    }
    if (!row.key) {
        return reading->broken = apr_psprintf(p, "key %s: %s", name_of(p, values[0]), wrong);
    }
    APR_ARRAY_PUSH(reading->rows, ai_key_row_t) = row;
    return NULL;
}

static ai_key_store_outcome_e read_rows(ai_key_store_t *store, apr_pool_t *p, const char *sql,
                                        const char *arg, apr_array_header_t **rows,
                                        const char **wrong)
{
    reading_t reading = { p, apr_array_make(p, 1, sizeof(ai_key_row_t)), NULL };

    *wrong = ai_db_select(store->db, p, sql, 1, &arg, 3, take_row, &reading);
    *rows = reading.rows;
    return !*wrong ? AI_KEY_STORE_FOUND
           : reading.broken ? AI_KEY_STORE_BROKEN : AI_KEY_STORE_AWAY;
}

ai_key_store_outcome_e ai_key_store_find(ai_key_store_t *store, apr_pool_t *p, ai_slice_t id,
                                         ai_key_row_t *row, const char **wrong)
{
    ai_key_store_outcome_e outcome;
    apr_array_header_t *rows;

    *wrong = NULL;
    if (!id.n || !is_id(id.p, id.n)) {
        return AI_KEY_STORE_NONE;
    }
    outcome = read_rows(store, p, get_one, apr_pstrmemdup(p, id.p, id.n), &rows, wrong);
    if (outcome != AI_KEY_STORE_FOUND) {
        return outcome;
    }
    if (!rows->nelts) {
        return AI_KEY_STORE_NONE;
    }
    *row = APR_ARRAY_IDX(rows, 0, ai_key_row_t);
    if (!ai_slice_is(id, row->key->id)) {
        *wrong = apr_psprintf(p, "key %.*s: the database gives another one", (int)id.n, id.p);
        return AI_KEY_STORE_BROKEN;
    }
    return AI_KEY_STORE_FOUND;
}

ai_key_store_outcome_e ai_key_store_page(ai_key_store_t *store, apr_pool_t *p, const char *after,
                                         apr_array_header_t **rows, const char **wrong)
{
    return read_rows(store, p, get_page, after, rows, wrong);
}

/* ----------------------------------------------------------------------------- writing */

/* What the columns beside id and version have of a key. */
static void fill(apr_pool_t *p, const ai_key_t *key, const char **args)
{
    ai_slice_t record = ai_key_write(p, key);

    args[0] = apr_pstrmemdup(p, record.p, record.n);
    args[1] = key->name;
    args[2] = key->tenant;
    args[3] = key->disabled ? "1" : "0";
    args[4] = apr_psprintf(p, "%" APR_INT64_T_FMT, (apr_int64_t)apr_time_sec(key->expires));
    args[5] = apr_psprintf(p, "%" APR_INT64_T_FMT, (apr_int64_t)apr_time_now());
}

ai_key_store_outcome_e ai_key_store_add(ai_key_store_t *store, apr_pool_t *p,
                                        const ai_key_t *const *keys, int n, int *added,
                                        const char **wrong)
{
    const char *args[COLUMNS * AI_KEY_STORE_BATCH];
    int i, rows, whole = n == AI_KEY_STORE_BATCH;

    *added = 0;
    *wrong = NULL;
    for (i = 0; i < n && !*wrong; i++) {
        const char **of_key = args + (whole ? COLUMNS * i : 0);

        of_key[0] = keys[i]->id;
        fill(p, keys[i], of_key + 1);
        if (!whole) {
            *wrong = ai_db_exec(store->db, p, put_one, COLUMNS, args, &rows);
            *added += rows;
        }
    }
    if (whole) {
        *wrong = ai_db_exec(store->db, p, store->put_many, COLUMNS * n, args, added);
    }
    return *wrong ? AI_KEY_STORE_AWAY : AI_KEY_STORE_FOUND;
}

static ai_key_store_outcome_e change(ai_key_store_t *store, apr_pool_t *p, const char *sql, int n,
                                     const char *const *args, const char **wrong)
{
    int rows;

    *wrong = ai_db_exec(store->db, p, sql, n, args, &rows);
    return *wrong ? AI_KEY_STORE_AWAY : rows == 1 ? AI_KEY_STORE_FOUND : AI_KEY_STORE_NONE;
}

ai_key_store_outcome_e ai_key_store_update(ai_key_store_t *store, apr_pool_t *p,
                                           const ai_key_t *key, apr_int64_t version,
                                           const char **wrong)
{
    const char *args[8];

    fill(p, key, args);
    args[6] = key->id;
    args[7] = apr_psprintf(p, "%" APR_INT64_T_FMT, version);
    return change(store, p, set_one, 8, args, wrong);
}

ai_key_store_outcome_e ai_key_store_delete(ai_key_store_t *store, apr_pool_t *p, const char *id,
                                           apr_int64_t version, const char **wrong)
{
    const char *const args[] = { id, apr_psprintf(p, "%" APR_INT64_T_FMT, version) };

    return change(store, p, drop_one, 2, args, wrong);
}
