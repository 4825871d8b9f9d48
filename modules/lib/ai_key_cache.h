/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_key_cache.h - what is remembered of keys in a database, in memory that processes share.
 *
 * Pure: it is given zeroed memory and works on it with atomics alone. There are no locks: any
 * process may be killed or stopped at any instruction, and nobody waits for it. Whoever reads sees
 * a whole record or none.
 *
 * A key is remembered as its record, or as one that is not there ("unknown"). Both have a part of
 * their own, so that ids that somebody invents push out no key. When a part is full, what was put
 * or confirmed longest ago makes room.
 *
 * A look-up and a change at the same time: who asks the store takes a stamp before, and puts what
 * it learned under that stamp. _forget makes all stamps of the id worthless that were taken before,
 * so an answer from before the change is never found, however late it comes. (Ids share stamps by
 * chance, so another key may be forgotten, too: that costs a look-up.)
 *
 * All calls but _open are for any thread of any process at any time, and never block. An id that is
 * not of AI_KEY_ID bytes is never there. space: a number for the store that a key is from, so that
 * a key of one is none of another.
 */
#ifndef AI_KEY_CACHE_H
#define AI_KEY_CACHE_H

#include <apr_pools.h>
#include <apr_time.h>

#include "ai_key.h"
#include "ai_slice.h"

/* The memory's name; and a number to raise when its layout, or what is put into it, changes. */
#define AI_KEY_CACHE_SEGMENT "auth-keys"
#define AI_KEY_CACHE_LAYOUT 1

/* The least memory in bytes, and the most. */
#define AI_KEY_CACHE_LEAST (1024 * 1024)
#define AI_KEY_CACHE_MOST (1024 * 1024 * 1024)

/* A ring of records, and sets of eight places that say where in it. */
typedef struct ai_key_cache_part_t {
    apr_uint64_t *head;   /* where the next record goes, counted in words, ever up */
    apr_uint64_t *places;
    apr_uint64_t sets;    /* a power of two */
    apr_uint64_t *ring;
    apr_uint64_t words;
} ai_key_cache_part_t;

/* Where all of that is, for one process. Its members are ai_key_cache.c's. */
typedef struct ai_key_cache_t {
    apr_uint32_t *epoch;
    apr_uint32_t *stamps;
    apr_uint64_t stamps_n; /* a power of two */
    ai_key_cache_part_t known;
    ai_key_cache_part_t unknown;
} ai_key_cache_t;

/* Makes *cache of memory of size bytes, AI_KEY_CACHE_LEAST to AI_KEY_CACHE_MOST, aligned to eight.
 * Nothing in the memory is read: what others made of it does no harm beyond itself. */
void ai_key_cache_open(ai_key_cache_t *cache, void *memory, apr_size_t size);

typedef enum ai_key_cache_e {
    AI_KEY_CACHE_NONE,    /* nothing is remembered */
    AI_KEY_CACHE_KNOWN,
    AI_KEY_CACHE_UNKNOWN  /* there was no such key */
} ai_key_cache_e;

/* What is remembered of the id. Out: *record, when it is KNOWN: a copy in p, NUL-terminated; *asked,
 * unless it is NONE: when the store was asked, to the millisecond. How old is too old is for the
 * caller to say. */
ai_key_cache_e ai_key_cache_find(const ai_key_cache_t *cache, apr_pool_t *p, apr_uint64_t space,
                                 ai_slice_t id, ai_slice_t *record, apr_time_t *asked);

/* To be taken before the store is asked. */
apr_uint64_t ai_key_cache_stamp(const ai_key_cache_t *cache, ai_slice_t id);

/* Remembers what the store said when it was asked at that time: a record of AI_KEY_RECORD bytes at
 * most, or that there is none. p: to work with. 1 when that can be found now; 0 when something newer
 * is there, when the stamp is worthless by now, or when others put something in the same place. */
int ai_key_cache_put(const ai_key_cache_t *cache, apr_pool_t *p, apr_uint64_t space, ai_slice_t id,
                     apr_uint64_t stamp, apr_time_t asked, ai_slice_t record);
int ai_key_cache_put_unknown(const ai_key_cache_t *cache, apr_pool_t *p, apr_uint64_t space,
                             ai_slice_t id, apr_uint64_t stamp, apr_time_t asked);

/* After a change in the store: what is remembered of this id, or of all, is not found any more. */
void ai_key_cache_forget(const ai_key_cache_t *cache, ai_slice_t id);
void ai_key_cache_forget_all(const ai_key_cache_t *cache);

#endif
