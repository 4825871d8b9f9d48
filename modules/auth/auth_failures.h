/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_failures.h - how often have callers from an address shown a bad key or token of late?
 *
 * A table in memory that processes share, of 64-bit words that change by compare-and-swap: no lock,
 * no call of the system. It knows 131,072 addresses; one that has had no failure for its span is
 * forgotten. Pure: time is an argument. All calls are safe from any thread of any process.
 *
 * A count leaks: of a limit of 20 in a minute one failure is forgiven every three seconds. So after
 * 20 at once there is room for one each three seconds, and after a quiet minute for 20.
 */
#ifndef AUTH_FAILURES_H
#define AUTH_FAILURES_H

#include <apr_network_io.h>
#include <apr_time.h>

/* The layout of the memory; moves when that does. */
#define AUTH_FAILURES_LAYOUT 1
#define AUTH_FAILURES_SEED 16 /* bytes */

typedef struct auth_failures_t auth_failures_t;

/* So many failures in so long. most: 1 to AUTH_LIMIT_MOST; span: 1 second to AUTH_LIMIT_SPAN_MS. */
typedef struct auth_limit_t {
    apr_int64_t most;
    apr_int64_t span_ms;
} auth_limit_t;

#define AUTH_LIMIT_MOST 1000
#define AUTH_LIMIT_SPAN_MS APR_INT64_C(86400000)

/* Who counts as one: an IPv4 address (also one mapped into IPv6), or 64 bits of an IPv6 address,
 * which is what a host gets at the least. */
typedef struct auth_source_t {
    unsigned char bytes[8];
    int bits; /* 32 or 64; 0: an address of no family that is known */
} auth_source_t;

auth_source_t auth_source_of(const apr_sockaddr_t *address);

/* The bytes that a table takes. */
apr_size_t auth_failures_size(void);

/*
 * Makes a table of memory of that size: zeroed, or with a table in it, which is left as it is. seed:
 * random bytes that a caller cannot know, so that he does not know which addresses stand side by
 * side; those of the first call count. For one process at a time, before others use the table.
 */
auth_failures_t *auth_failures_prepare(void *memory, const unsigned char seed[AUTH_FAILURES_SEED]);

typedef enum auth_failure_e {
    AUTH_FAILURE_WITHIN, /* it was counted */
    AUTH_FAILURE_FIRST,  /* too many: the first that is over the limit since the count was 0 */
    AUTH_FAILURE_OVER    /* too many */
} auth_failure_e;

/* What it costs to find that a key or token is bad. */
typedef enum auth_cost_e {
    AUTH_COST_MEMORY, /* a look into memory, and a digest; a signature to verify */
    AUTH_COST_LOOKUP  /* a look-up elsewhere */
} auth_cost_e;

/*
 * Counts a failure. Out, where it is over the limit: *wait_ms, how long until one is within it if
 * there is none before; else 0. Each limit has counts of its own.
 *
 * What is over the limit is counted no further, so nobody stays over it longer for trying on; but
 * failures of AUTH_COST_LOOKUP are counted to twice the limit.
 */
auth_failure_e auth_failures_add(auth_failures_t *failures, const auth_limit_t *limit,
                                 const auth_source_t *source, auth_cost_e cost, apr_time_t now,
                                 apr_int64_t *wait_ms);

/* 1 when the count is twice the limit: nothing more is to be looked up for that source, only what
 * memory knows counts. So who makes up keys beside others cannot have more than twice the limit
 * looked up, and who shows one bad key over and over, which memory soon knows, keeps nobody else's
 * from being looked up. */
int auth_failures_is_spent(auth_failures_t *failures, const auth_limit_t *limit,
                           const auth_source_t *source, apr_time_t now);

#endif
