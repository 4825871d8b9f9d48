/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_asker.h - a thread that asks a database for keys, on behalf of a child's requests.
 *
 * What it learns it puts into the cache. One for each database and child process, with a connection
 * of its own. All calls but _start are for any thread of the child.
 */
#ifndef AUTH_ASKER_H
#define AUTH_ASKER_H

#include <httpd.h>

#include "ai_db.h"
#include "ai_key_cache.h"

typedef enum auth_answer_e {
    AUTH_ANSWER_FOUND,
    AUTH_ANSWER_UNKNOWN, /* there is no such key */
    AUTH_ANSWER_AWAY,    /* nobody can say */
    AUTH_ANSWER_BARRED   /* auth_lookup.h: nobody was asked, too many bad keys came from there */
} auth_answer_e;

/* What an asker works with; all of it outlives the child. */
typedef struct auth_asker_conf_t {
    const ai_db_conf_t *db;
    const ai_key_cache_t *cache;
    apr_uint64_t space;    /* the database's, in the cache */
    apr_uint64_t *told;    /* a word that all children share, 0 at first: what was logged */
} auth_asker_conf_t;

typedef struct auth_asker_t auth_asker_t;

/* Starts the thread; it ends before p is cleared. For child_init. The system's error where there is
 * no thread. */
apr_status_t auth_asker_start(apr_pool_t *p, server_rec *s, const auth_asker_conf_t *conf,
                              auth_asker_t **asker);

/*
 * Asks for the key with that id, of AI_KEY_ID bytes, and waits for timeout at most; not at all when
 * the database is known to be away. seen: when it was asked before, as far as the cache knows a key
 * of this id, else 0. Out: *record, in p, where it is FOUND. The answer is not from before a change
 * that the cache was told of before the call.
 */
auth_answer_e auth_asker_ask(auth_asker_t *asker, apr_pool_t *p, apr_interval_time_t timeout,
                             ai_slice_t id, apr_time_t seen, ai_slice_t *record);

/* The same for a key that is known, without waiting; it may find the answer in the cache later. */
void auth_asker_ahead(auth_asker_t *asker, apr_interval_time_t timeout, ai_slice_t id,
                      apr_time_t seen);

/* In how many seconds it may be worth asking again after AWAY; 1 or more. */
int auth_asker_pause(auth_asker_t *asker);

#endif
