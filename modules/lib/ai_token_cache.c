/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_token_cache.c - has this token been verified before, and what did it say?
 *
 * Rows of a few entries: a token's digest says which row, and there it stands anywhere. A row has
 * its lock in common with others. An entry that is out of date is found wrong when it is looked at;
 * nothing goes round to tidy up.
 */
#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include "ai_token_cache.h"

enum { WAYS = 4, LOCKS = 16 };

typedef struct entry_t {
    unsigned char digest[AI_DIGEST];
    const void *rule; /* NULL: the entry is free */
    apr_uint32_t keys;
    apr_uint32_t used; /* the cache's clock when it was asked for last */
    apr_time_t expires;
    short places[AI_TOKEN_FACTS]; /* in texts; -1: not said */
    char texts[AI_TOKEN_TEXTS];
} entry_t;

struct ai_token_cache_t {
    entry_t (*rows)[WAYS];
    apr_size_t n; /* rows */
    struct {
        apr_thread_mutex_t *lock;
        apr_uint32_t clock;
    } parts[LOCKS]; /* row i belongs to i % LOCKS */
};

ai_token_cache_t *ai_token_cache_create(apr_pool_t *p, int entries)
{
    ai_token_cache_t *cache = apr_pcalloc(p, sizeof(*cache));
    int i;

    cache->n = ((apr_size_t)(entries > 0 ? entries : 1) + WAYS - 1) / WAYS;
    cache->rows = apr_pcalloc(p, cache->n * sizeof(*cache->rows));
    for (i = 0; i < LOCKS; i++) {
        if (apr_thread_mutex_create(&cache->parts[i].lock, APR_THREAD_MUTEX_UNNESTED, p)
            != APR_SUCCESS) {
            return NULL;
        }
    }
    return cache;
}

static apr_size_t row_of(const ai_token_cache_t *cache, const unsigned char *digest)
{
    apr_uint64_t number;

    memcpy(&number, digest, sizeof(number));
    return (apr_size_t)(number % cache->n);
}

static int is_it(const entry_t *entry, const ai_token_t *token)
{
    return entry->rule == token->rule && entry->keys == token->keys
           && memcmp(entry->digest, token->digest, AI_DIGEST) == 0;
}

static void copy_out(const entry_t *entry, apr_pool_t *p, ai_token_t *token)
{
    int i;

    token->expires = entry->expires;
    for (i = 0; i < AI_TOKEN_FACTS; i++) {
        token->facts[i] = entry->places[i] < 0 ? NULL
                                               : apr_pstrdup(p, entry->texts + entry->places[i]);
    }
}

int ai_token_cache_get(ai_token_cache_t *cache, apr_pool_t *p, ai_token_t *token, apr_time_t now,
                       apr_interval_time_t leeway)
{
    apr_size_t row = row_of(cache, token->digest), part = row % LOCKS;
    int i, found = 0;

    apr_thread_mutex_lock(cache->parts[part].lock);
    for (i = 0; i < WAYS && !found; i++) {
        entry_t *entry = &cache->rows[row][i];

        if (entry->rule && is_it(entry, token)
            && (!entry->expires || now < entry->expires + leeway)) {
            entry->used = ++cache->parts[part].clock;
            copy_out(entry, p, token);
            found = 1;
        }
    }
    apr_thread_mutex_unlock(cache->parts[part].lock);
    return found;
}

/* 0 when they are too long. */
static int copy_in(const ai_token_t *token, entry_t *entry)
{
    apr_size_t used = 0, n;
    int i;

    for (i = 0; i < AI_TOKEN_FACTS; i++) {
        entry->places[i] = -1;
        if (!token->facts[i]) {
            continue;
        }
        n = strlen(token->facts[i]) + 1;
        if (n > AI_TOKEN_TEXTS - used) {
            return 0;
        }
        memcpy(entry->texts + used, token->facts[i], n);
        entry->places[i] = (short)used;
        used += n;
    }
    return 1;
}

/* The same token under other keys, a free place, or the one that has rested longest. */
static entry_t *choose(entry_t *row, const ai_token_t *token, apr_uint32_t clock)
{
    entry_t *oldest = &row[0];
    int i;

    for (i = 0; i < WAYS; i++) {
        if (row[i].rule == token->rule
            && memcmp(row[i].digest, token->digest, AI_DIGEST) == 0) {
            return &row[i];
        }
        if (oldest->rule && (!row[i].rule || clock - row[i].used > clock - oldest->used)) {
            oldest = &row[i];
        }
    }
    return oldest;
}

void ai_token_cache_put(ai_token_cache_t *cache, const ai_token_t *token)
{
    apr_size_t row = row_of(cache, token->digest), part = row % LOCKS;
    entry_t entry;

    if (!copy_in(token, &entry)) {
        return;
    }
    memcpy(entry.digest, token->digest, AI_DIGEST);
    entry.rule = token->rule;
    entry.keys = token->keys;
    entry.expires = token->expires;
    apr_thread_mutex_lock(cache->parts[part].lock);
    entry.used = ++cache->parts[part].clock;
    *choose(cache->rows[row], token, entry.used) = entry;
    apr_thread_mutex_unlock(cache->parts[part].lock);
}
