/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_token_cache.h - what verified tokens said, so that the same one need not be verified again.
 *
 * A token is known by the SHA-256 of its text: the cache never holds the token. It is for one
 * process, of a fixed size, and thread-safe. Only put in what was verified: then nobody but the
 * holders of good tokens can push others out.
 */
#ifndef AI_TOKEN_CACHE_H
#define AI_TOKEN_CACHE_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "ai_digest.h"
#include "ai_slice.h"

/* Bytes that the texts of one entry may have together, their NULs included. What is longer is not
 * kept. */
#define AI_TOKEN_TEXTS 448

enum { AI_TOKEN_USER, AI_TOKEN_TENANT, AI_TOKEN_TIER, AI_TOKEN_FACTS };

typedef struct ai_token_cache_t ai_token_cache_t;

/* What a token is, and by what it was found good. */
typedef struct ai_token_t {
    unsigned char digest[AI_DIGEST]; /* of its text */
    const void *rule;       /* whose rules it was verified by: of another one's it is unknown */
    apr_uint32_t keys;      /* which keys it was verified by (a number that changes with them) */
    apr_time_t expires;     /* 0: never */
    const char *facts[AI_TOKEN_FACTS]; /* NULL: not said */
} ai_token_t;

/* A cache of entries tokens (rounded up to fill its rows), in p. NULL: no memory. */
ai_token_cache_t *ai_token_cache_create(apr_pool_t *p, int entries);

/*
 * Looks token->digest, rule and keys up. 1 when they are there and have not expired before now
 * (with leeway, that of the rule): fills in expires and facts, copies in p. Else 0.
 */
int ai_token_cache_get(ai_token_cache_t *cache, apr_pool_t *p, ai_token_t *token, apr_time_t now,
                       apr_interval_time_t leeway);

/* Keeps a token; in the place of the one of its row that was asked for the longest time ago. */
void ai_token_cache_put(ai_token_cache_t *cache, const ai_token_t *token);

#endif
