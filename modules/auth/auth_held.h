/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_held.h - something that is replaced as a whole while requests use it: a table of keys, a set.
 *
 * Each content lives in a pool of its own, outside of all others, and never changes. Its memory is
 * given back when it has been replaced and the last request that uses it is over.
 */
#ifndef AUTH_HELD_H
#define AUTH_HELD_H

#include <apr_pools.h>

typedef struct auth_held_t auth_held_t;

/* Holds nothing yet; ends with p. NULL: no lock could be made. */
auth_held_t *auth_held_create(apr_pool_t *p);

/* A pool for a content; NULL: no memory. It is the caller's until auth_held_replace(). */
apr_pool_t *auth_held_pool(void);

/* The content as it is now, good until p is cleared; NULL where there is none yet. number (or NULL):
 * which one it is, 1 for the first. Thread-safe. */
const void *auth_held_take(auth_held_t *held, apr_pool_t *p, apr_uint32_t *number);

/* Which one it is now; 0: none yet. Thread-safe. */
apr_uint32_t auth_held_number(auth_held_t *held);

/* Puts a content, which lives in pool, in the place of the one before. Thread-safe. */
void auth_held_replace(auth_held_t *held, apr_pool_t *pool, const void *content);

#endif
