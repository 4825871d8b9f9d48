/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_failures.c - how often have callers from an address shown a bad key or token of late?
 *
 * A count is a point in time: when all of it will be forgiven. A failure moves it on by what one of
 * them takes to be forgiven. That time, a mark that tells whose count it is, and whether it was told
 * that it is over the limit, are one word, so that a count is never half written.
 *
 * An address has its place in one of SETS sets of WAYS words. In a full set the smallest count makes
 * way. So nobody is kept out because the table is full, and who wants a count of his forgotten must
 * fill its set with larger ones: he does not know which addresses stand there (the seed), so that
 * takes as many of his addresses as the table holds, each of which has failed as often. In the rare
 * case that two addresses of a set have the same mark, they have one count.
 *
 * Lives in: shared memory.  Shared state: all of it, by atomics.  May block: no.
 */

#include <stddef.h>
#include <string.h>

#include <apr_atomic.h>
#include <apr_siphash.h>

#include "auth_failures.h"

#define SETS 16384 /* a power of two */
#define WAYS 8     /* words of a set: one line of the processor's cache */

/* A word, from its low end: when all is forgiven (ms since 1970, good until 2109), whether it was
 * told, the mark. */
#define TIME_BITS 42
#define TIME_MASK ((APR_UINT64_C(1) << TIME_BITS) - 1)
#define TOLD (APR_UINT64_C(1) << TIME_BITS)
#define MARK_MASK (~(TIME_MASK | TOLD))

/* No count lasts longer; one that does is from before the clock was set back. */
#define LONGEST_MS (2 * (AUTH_LIMIT_SPAN_MS + AUTH_LIMIT_MOST))

typedef volatile apr_uint64_t word_t;

struct auth_failures_t {
    unsigned char seed[AUTH_FAILURES_SEED];
    volatile apr_uint32_t seeded;
    unsigned char padding[64 - AUTH_FAILURES_SEED - sizeof(apr_uint32_t)];
    word_t sets[SETS][WAYS];
};

_Static_assert(offsetof(auth_failures_t, sets) == 64, "a set begins with a line of the cache");

static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

auth_source_t auth_source_of(const apr_sockaddr_t *address)
{
    auth_source_t source = { { 0 }, 0 };
    const unsigned char *at = address ? address->ipaddr_ptr : NULL;

    if (at && address->family == APR_INET) {
        source.bits = 32;
    }
#if APR_HAVE_IPV6
    else if (at && address->family == APR_INET6) {
        source.bits = memcmp(at, mapped, sizeof(mapped)) == 0 ? 32 : 64;
        at += source.bits == 32 ? sizeof(mapped) : 0;
    }
#endif
    memcpy(source.bytes, at ? at : source.bytes, (apr_size_t)source.bits / 8);
    return source;
}

apr_size_t auth_failures_size(void)
{
    return sizeof(auth_failures_t);
}

auth_failures_t *auth_failures_prepare(void *memory, const unsigned char seed[AUTH_FAILURES_SEED])
{
    auth_failures_t *failures = memory;

    if (!apr_atomic_read32(&failures->seeded)) {
        memcpy(failures->seed, seed, AUTH_FAILURES_SEED);
        apr_atomic_set32(&failures->seeded, 1);
    }
    return failures;
}

/* ------------------------------------------------------------------------- a source's place */

/* A count as it is looked for: the rules it goes by, its set and mark, and the time. In ms. */
typedef struct count_t {
    apr_int64_t step; /* what one failure takes to be forgiven */
    apr_int64_t room; /* what all of the limit takes */
    apr_int64_t now;
    apr_uint64_t mark;
    word_t *set;
} count_t;

static count_t count_of(auth_failures_t *failures, const auth_limit_t *limit,
                        const auth_source_t *source, apr_time_t now)
{
    apr_uint64_t words[4] = { 0, (apr_uint64_t)source->bits, (apr_uint64_t)limit->most,
                              (apr_uint64_t)limit->span_ms };
    apr_uint64_t hash;
    count_t count;

    memcpy(&words[0], source->bytes, sizeof(words[0]));
    hash = apr_siphash24(words, sizeof(words), failures->seed);
    count.step = (limit->span_ms + limit->most - 1) / limit->most; /* never more than is said */
    count.room = count.step * limit->most;
    count.now = apr_time_as_msec(now);
    count.mark = hash & MARK_MASK;
    count.set = failures->sets[hash % SETS];
    return count;
}

static apr_int64_t time_of(apr_uint64_t word)
{
    return (apr_int64_t)(word & TIME_MASK);
}

static int is_forgotten(const count_t *count, apr_uint64_t word)
{
    return time_of(word) <= count->now || time_of(word) > count->now + LONGEST_MS;
}

/* The place of the count and its word; where there is none, the place for it: one that is forgotten,
 * else that of the smallest. Two who begin a count at the same time find the same place. */
static word_t *find(const count_t *count, apr_uint64_t *word)
{
    word_t *best = NULL;
    apr_uint64_t least = 0;
    int i;

    for (i = 0; i < WAYS; i++) {
        apr_uint64_t there = apr_atomic_read64(&count->set[i]);
        int forgotten = is_forgotten(count, there);

        if (!forgotten && (there & MARK_MASK) == count->mark) {
            *word = there;
            return &count->set[i];
        }
        if (!best
            || (!is_forgotten(count, least) && (forgotten || time_of(there) < time_of(least)))) {
            best = &count->set[i];
            least = there;
        }
    }
    *word = least;
    return best;
}

/* How long all of a word's count takes to be forgiven; 0 when it is another one's. */
static apr_int64_t level_of(const count_t *count, apr_uint64_t word)
{
    apr_int64_t level = time_of(word) - count->now;

    if (is_forgotten(count, word) || (word & MARK_MASK) != count->mark) {
        return 0;
    }
    return level < 2 * count->room ? level : 2 * count->room;
}

/* --------------------------------------------------------------------------------- counting */

auth_failure_e auth_failures_add(auth_failures_t *failures, const auth_limit_t *limit,
                                 const auth_source_t *source, auth_cost_e cost, apr_time_t now,
                                 apr_int64_t *wait_ms)
{
    count_t count = count_of(failures, limit, source, now);
    apr_int64_t most = cost == AUTH_COST_LOOKUP ? 2 * count.room : count.room;

    for (;;) {
        apr_uint64_t old, told, new;
        word_t *place = find(&count, &old);
        apr_int64_t level = level_of(&count, old);
        int over = level + count.step > count.room;

        told = level ? old & TOLD : 0;
        if (level + count.step <= most) {
            level += count.step;
        }
        *wait_ms = over ? level + count.step - count.room : 0;
        new = (apr_uint64_t)(count.now + level) | count.mark | (over ? TOLD : told);
        if (new == old || apr_atomic_cas64(place, new, old) == old) {
            return !over ? AUTH_FAILURE_WITHIN : told ? AUTH_FAILURE_OVER : AUTH_FAILURE_FIRST;
        }
    }
}

int auth_failures_is_spent(auth_failures_t *failures, const auth_limit_t *limit,
                           const auth_source_t *source, apr_time_t now)
{
    count_t count = count_of(failures, limit, source, now);
    apr_uint64_t word;

    find(&count, &word);
    return level_of(&count, word) + count.step > 2 * count.room;
}
