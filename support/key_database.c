/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_database.c - how is a database what the key commands work on?
 *
 * A command that changes something is one transaction. What it changes must be as it was read: when it
 * is not, the command is run again.
 */
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "aictl.h"

typedef struct database_source_t {
    apr_pool_t *pool;
    database_t database;
    apr_hash_t *versions; /* of what was found: apr_int64_t, by id */
    server_t server;
} database_source_t;

static const char *say(database_source_t *self, const char *wrong)
{
    return apr_pstrcat(self->pool, self->database.name, ": ", wrong, NULL);
}

static const char *find(void *self_in, apr_pool_t *p, const char *id, const ai_key_t **key)
{
    database_source_t *self = self_in;
    ai_key_store_outcome_e outcome;
    ai_key_row_t row;
    const char *wrong;

    *key = NULL;
    database_wait(&self->database);
    outcome = ai_key_store_find(self->database.store, p, ai_slice_of(id), &row, &wrong);
    database_rest();
    switch (outcome) {
    case AI_KEY_STORE_FOUND:
        break;
    case AI_KEY_STORE_NONE:
        return NULL;
    case AI_KEY_STORE_BROKEN:
    case AI_KEY_STORE_AWAY:
        return say(self, wrong);
    }
    *key = row.key;
    apr_hash_set(self->versions, apr_pstrdup(self->pool, id), APR_HASH_KEY_STRING,
                 apr_pmemdup(self->pool, &row.version, sizeof(row.version)));
    return NULL;
}

static const char *add(void *self_in, const ai_key_t *const *keys, int n, int *added)
{
    database_source_t *self = self_in;
    ai_key_store_outcome_e outcome;
    const char *wrong;
    apr_pool_t *scratch;
    int i;

    apr_pool_create(&scratch, self->pool);
    database_wait(&self->database);
    outcome = ai_key_store_add(self->database.store, scratch, keys, n, added, &wrong);
    database_rest();
    if (outcome != AI_KEY_STORE_FOUND) {
        return say(self, wrong);
    }
    apr_pool_destroy(scratch);
    for (i = 0; *added && i < n; i++) {
        server_note(&self->server, keys[i]->id);
    }
    return NULL;
}

static const char *judge(database_source_t *self, ai_key_store_outcome_e outcome, const char *wrong)
{
    return outcome == AI_KEY_STORE_FOUND  ? NULL
           : outcome == AI_KEY_STORE_NONE ? key_source_stale : say(self, wrong);
}

static apr_int64_t version_of(const database_source_t *self, const char *id)
{
    const apr_int64_t *version = apr_hash_get(self->versions, id, APR_HASH_KEY_STRING);

    return version ? *version : -1;
}

static const char *change(void *self_in, const ai_key_t *key)
{
    database_source_t *self = self_in;
    ai_key_store_outcome_e outcome;
    const char *wrong;

    server_note(&self->server, key->id);
    database_wait(&self->database);
    outcome = ai_key_store_update(self->database.store, self->pool, key, version_of(self, key->id),
                                  &wrong);
    database_rest();
    return judge(self, outcome, wrong);
}

static const char *drop(void *self_in, const char *id)
{
    database_source_t *self = self_in;
    ai_key_store_outcome_e outcome;
    const char *wrong;

    server_note(&self->server, id);
    database_wait(&self->database);
    outcome = ai_key_store_delete(self->database.store, self->pool, id, version_of(self, id), &wrong);
    database_rest();
    return judge(self, outcome, wrong);
}

static const char *save(void *self_in)
{
    database_source_t *self = self_in;
    const char *wrong;

    database_wait(&self->database);
    wrong = ai_db_commit(ai_key_store_db(self->database.store), self->pool);
    database_rest();
    /* Also where it failed: the answer alone may have been lost. */
    server_tell(&self->server);
    return wrong ? say(self, wrong) : NULL;
}

static const char *walk(void *self_in, key_visit_fn *visit, void *baton)
{
    database_source_t *self = self_in;
    char after[AI_KEY_ID + 1] = "";
    apr_array_header_t *rows = NULL;
    ai_key_store_outcome_e outcome;
    const char *wrong = NULL;
    apr_pool_t *page, *scratch;
    int i;

    apr_pool_create(&page, self->pool);
    apr_pool_create(&scratch, self->pool);
    do {
        apr_pool_clear(page);
        database_wait(&self->database);
        outcome = ai_key_store_page(self->database.store, page, after, &rows, &wrong);
        database_rest();
        if (outcome != AI_KEY_STORE_FOUND) {
            return say(self, wrong);
        }
        for (i = 0; !wrong && i < rows->nelts; i++) {
            const ai_key_t *key = APR_ARRAY_IDX(rows, i, ai_key_row_t).key;

            wrong = visit(baton, scratch, key);
            apr_pool_clear(scratch);
            memcpy(after, key->id, AI_KEY_ID);
        }
    } while (!wrong && rows->nelts);
    return wrong;
}

static const char *again(void *self_in)
{
    database_source_t *self = self_in;
    ai_db_t *db = ai_key_store_db(self->database.store);
    const char *wrong;

    database_wait(&self->database);
    apr_hash_clear(self->versions);
    ai_db_rollback(db, self->pool);
    wrong = ai_db_begin(db, self->pool);
    database_rest();
    return wrong ? say(self, wrong) : NULL;
}

const char *key_database_open(apr_pool_t *p, const char *text, const char *runtime, int writes,
                              key_source_t *source)
{
    database_source_t *self = apr_pcalloc(p, sizeof(*self));
    const char *wrong;

    self->pool = p;
    self->versions = apr_hash_make(p);
    server_attach(p, runtime, &self->server);
    wrong = database_open(p, text, 0, NULL, &self->database);
    wrong = wrong ? wrong : database_check(p, &self->database, &ai_key_store_schema);
    *source = (key_source_t){ self->database.name, self, find, add, change, drop, save, walk, again };
    return wrong || !writes ? wrong : again(self);
}
