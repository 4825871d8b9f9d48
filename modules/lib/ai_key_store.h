/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_key_store.h - gateway keys in a database.
 *
 * A row has the key's record, the JSON of ai_key_write(), and columns beside it for who looks with
 * SQL. The record alone counts. Finding one takes the same time among a million.
 *
 * One store is for one thread. All calls may block as ai_db.h says; *wrong is as it says there: in p,
 * without digests.
 */
#ifndef AI_KEY_STORE_H
#define AI_KEY_STORE_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "ai_db.h"
#include "ai_key.h"

/* The tables: for ai_db_migrate(). */
extern const ai_db_schema_t ai_key_store_schema;

typedef struct ai_key_store_t ai_key_store_t;

/* It connects when it is used first, and again whenever that is needed. Lives in p. */
ai_key_store_t *ai_key_store_open(apr_pool_t *p, const ai_db_conf_t *conf);
void ai_key_store_close(ai_key_store_t *store); /* as ai_db_close() */

/* The handle below, for transactions, migration and ai_db_interrupt(). */
ai_db_t *ai_key_store_db(const ai_key_store_t *store);

typedef enum ai_key_store_outcome_e {
    AI_KEY_STORE_FOUND,  /* reading: here it is. Writing: done */
    AI_KEY_STORE_NONE,   /* reading: no such key. Writing: it is not as it was read, or gone */
    AI_KEY_STORE_BROKEN, /* the row is there, but it is no record; the others may be fine */
    AI_KEY_STORE_AWAY    /* the database is in trouble; nothing is known of the key */
} ai_key_store_outcome_e;

typedef struct ai_key_row_t {
    const ai_key_t *key;
    ai_slice_t record;   /* the JSON that key was read from; NUL-terminated */
    apr_int64_t version; /* moves with each change; for _update and _delete */
} ai_key_row_t;

/* The key with that id. Out: *row, in p; *wrong where BROKEN or AWAY. Any id may be asked for; what
 * cannot be one is NONE, and costs nothing. */
ai_key_store_outcome_e ai_key_store_find(ai_key_store_t *store, apr_pool_t *p, ai_slice_t id,
                                         ai_key_row_t *row, const char **wrong);

/* How many keys a page has at most, and how many ai_key_store_add() takes. */
#define AI_KEY_STORE_PAGE 500
#define AI_KEY_STORE_BATCH 100

/* The next keys in the order of their ids, behind after ("": from the start). Out: *rows, of
 * ai_key_row_t, in p; it is empty when there are no more. */
ai_key_store_outcome_e ai_key_store_page(ai_key_store_t *store, apr_pool_t *p, const char *after,
                                         apr_array_header_t **rows, const char **wrong);

/* Puts new keys in, BATCH at most. Those whose id is there are left out: *added is how many went in.
 * FOUND or AWAY. */
ai_key_store_outcome_e ai_key_store_add(ai_key_store_t *store, apr_pool_t *p,
                                        const ai_key_t *const *keys, int n, int *added,
                                        const char **wrong);

/* Writes a key in the place of the one that was read with that version. */
ai_key_store_outcome_e ai_key_store_update(ai_key_store_t *store, apr_pool_t *p,
                                           const ai_key_t *key, apr_int64_t version,
                                           const char **wrong);

ai_key_store_outcome_e ai_key_store_delete(ai_key_store_t *store, apr_pool_t *p, const char *id,
                                           apr_int64_t version, const char **wrong);

#endif
