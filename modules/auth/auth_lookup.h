/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_lookup.h - keys that are kept in a database.
 *
 * What is known of a key lies in memory that all processes of the server share (ai_key_cache.h). What
 * is not, or is too old, a thread of each child process asks the database: one for each database,
 * with a connection of its own. A request waits for its answer for a stated time, and not at all
 * once the database is known to be away.
 */
#ifndef AUTH_LOOKUP_H
#define AUTH_LOOKUP_H

#include <httpd.h>

#include "auth_asker.h"

typedef struct auth_lookup_t auth_lookup_t;

/* How it is done on one host. Spans of time; 0 is none. */
typedef struct auth_lookup_rule_t {
    apr_interval_time_t ttl;     /* what was asked so long ago is asked again */
    apr_interval_time_t grace;   /* for so long it counts all the same when nobody answers; -1: always */
    apr_interval_time_t timeout; /* how long a request waits */
} auth_lookup_rule_t;

/* Forgets the databases of an earlier configuration; before the first _make. */
void auth_lookup_begin(void);

/* The look-up in a database; the same one gives the same object. In p, conf must live as long. For
 * post_config. */
auth_lookup_t *auth_lookup_make(apr_pool_t *p, const ai_db_conf_t *conf);

/* Gets the memory, of cache_size bytes, once all are made. For post_config, where databases matter. */
void auth_lookup_share(apr_pool_t *p, server_rec *s, apr_size_t cache_size);

/* Starts the threads of a child process; they end before p is cleared. */
void auth_lookup_start(apr_pool_t *p, server_rec *s);

/*
 * The record of the key with that id. A look-up of one that memory does not know is up to
 * auth_throttle_may_look_up(). Out, where it is FOUND: *record, in r->pool; where it is AWAY:
 * *again, in how many seconds it may be worth trying, 1 or more. Blocks for the rule's timeout at
 * most. For the threads of requests.
 */
auth_answer_e auth_lookup_find(auth_lookup_t *lookup, request_rec *r,
                               const auth_lookup_rule_t *rule, ai_slice_t id, ai_slice_t *record,
                               int *again);

#endif
