/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_auth_failures.c - are failed attempts counted as the limit says, by many at once, and what
 * can somebody with many addresses do?
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

/* The file itself: it belongs to a module, and needs nothing of httpd's. */
#include "auth_failures.c"

#include "tap.h"

#define START apr_time_from_sec(1800000000)

static const unsigned char seed[AUTH_FAILURES_SEED] = "sixteen bytes..";
static const auth_limit_t usual = { 20, 60000 };
static apr_pool_t *pool;

static void *make_memory(void)
{
    void *memory = mmap(NULL, auth_failures_size(), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        exit(1);
    }
    return memory;
}

static auth_failures_t *make_table(void)
{
    return auth_failures_prepare(make_memory(), seed);
}

static auth_source_t source_of(const char *text)
{
    apr_sockaddr_t *address;

    if (apr_sockaddr_info_get(&address, text, strchr(text, ':') ? APR_INET6 : APR_INET, 80, 0, pool)
        != APR_SUCCESS) {
        exit(1);
    }
    return auth_source_of(address);
}

/* The n-th of many addresses. */
static auth_source_t source_at(apr_uint32_t n)
{
    auth_source_t source = { { 0 }, 64 };

    memcpy(source.bytes, &n, sizeof(n));
    return source;
}

/* A failure that costs no look-up. */
static auth_failure_e fail(auth_failures_t *table, const auth_limit_t *limit,
                           const auth_source_t *source, apr_time_t now, apr_int64_t *wait_ms)
{
    return auth_failures_add(table, limit, source, AUTH_COST_MEMORY, now, wait_ms);
}

/* How many of n attempts at that time are within the limit. */
static int within(auth_failures_t *table, const auth_limit_t *limit, const auth_source_t *source,
                  int n, apr_time_t now)
{
    apr_int64_t wait;
    int good = 0;

    while (n-- > 0) {
        good += fail(table, limit, source, now, &wait) == AUTH_FAILURE_WITHIN;
    }
    return good;
}

/* ------------------------------------------------------------------------------- addresses */

static void test_sources(void)
{
    static const struct {
        const char *one, *other;
        int same;
    } rows[] = {
        { "192.0.2.1", "192.0.2.1", 1 },       { "192.0.2.1", "192.0.2.2", 0 },
        { "192.0.2.1", "::ffff:192.0.2.1", 1 }, { "192.0.2.2", "::ffff:192.0.2.1", 0 },
        { "2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", 1 },
        { "2001:db8:1:2::1", "2001:db8:1:3::1", 0 }, { "::1", "127.0.0.1", 0 },
        { "0.0.0.0", "::", 0 },
    };
    apr_int64_t wait;
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        auth_failures_t *table = make_table();
        auth_source_t one = source_of(rows[i].one), other = source_of(rows[i].other);

        within(table, &usual, &one, 20, START);
        is_number(fail(table, &usual, &other, START, &wait) == AUTH_FAILURE_WITHIN, !rows[i].same,
                  apr_psprintf(pool, "%s and %s are %s", rows[i].one, rows[i].other,
                               rows[i].same ? "one source" : "two"));
    }
    is_number(auth_source_of(NULL).bits, 0, "no address is no source");
}

/* ------------------------------------------------------------------------------ the limit */

static void test_limit(void)
{
    auth_failures_t *table = make_table();
    auth_source_t one = source_of("192.0.2.1");
    apr_int64_t wait = -1, first;

    is_number(fail(table, &usual, &one, START, &wait), AUTH_FAILURE_WITHIN, "a failure");
    is_number(wait, 0, "has nothing to wait for");
    is_number(within(table, &usual, &one, 19, START), 19, "nineteen more are within the limit");
    is_number(fail(table, &usual, &one, START, &first), AUTH_FAILURE_FIRST, "the next is too many");
    is_number(first, 3000, "one is forgiven in a twentieth of a minute");
    is_number(fail(table, &usual, &one, START, &wait), AUTH_FAILURE_OVER, "told once");
    is_number(within(table, &usual, &one, 1000, START), 0, "all more are over it");
    is_number(fail(table, &usual, &one, START + apr_time_from_sec(1), &wait), AUTH_FAILURE_OVER,
              "a second later still");
    is_number(wait, 2000, "and two are left to wait: trying on makes it no longer");
    is_number(fail(table, &usual, &one, START + apr_time_from_msec(2999), &wait), AUTH_FAILURE_OVER,
              "a millisecond too early");
    is_number(fail(table, &usual, &one, START + apr_time_from_msec(first), &wait),
              AUTH_FAILURE_WITHIN, "after the wait one is within it");
    is_number(fail(table, &usual, &one, START + apr_time_from_msec(first), &wait), AUTH_FAILURE_OVER,
              "and one alone; it is not told again");
    is_number(within(table, &usual, &one, 100, START + apr_time_from_sec(63)), 20,
              "after a quiet minute it is as at first");
    is_number(fail(table, &usual, &one, START + apr_time_from_sec(200), &wait), AUTH_FAILURE_WITHIN,
              "and after more than that");
    within(table, &usual, &one, 19, START + apr_time_from_sec(200));
    is_number(fail(table, &usual, &one, START + apr_time_from_sec(200), &wait), AUTH_FAILURE_FIRST,
              "then too many is told again");
}

/* Nobody gets more than the limit says in any span but the first, and there twice of it. */
static void test_rates(void)
{
    static const auth_limit_t limits[] = { { 1, 1000 }, { 7, 60000 }, { 1000, 1999 },
                                           { 1000, AUTH_LIMIT_SPAN_MS }, { 20, 60000 } };
    apr_size_t i;

    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        auth_failures_t *table = make_table();
        auth_source_t one = source_of("192.0.2.1");
        apr_int64_t at, spans = 10, good = 0, tries = 20000;

        is_number(within(table, &limits[i], &one, (int)limits[i].most + 5, START), limits[i].most,
                  "all of the limit at once");
        for (at = 0; at <= tries; at++) {
            good += within(table, &limits[i], &one, 1,
                           START + apr_time_from_msec(at * spans * limits[i].span_ms / tries));
        }
        ok(good <= spans * limits[i].most && good >= spans * limits[i].most / 2,
           "%" APR_INT64_T_FMT " in %" APR_INT64_T_FMT " ms: %" APR_INT64_T_FMT " in ten of that",
           limits[i].most, limits[i].span_ms, good);
    }
}

static void test_limits_apart(void)
{
    static const auth_limit_t other = { 20, 61000 }, more = { 21, 60000 };
    auth_failures_t *table = make_table();
    auth_source_t one = source_of("192.0.2.1");

    is_number(within(table, &usual, &one, 30, START), 20, "a limit");
    is_number(within(table, &other, &one, 30, START), 20, "one of another span counts for itself");
    is_number(within(table, &more, &one, 30, START), 21, "one of another number, too");
}

static void test_lookups(void)
{
    auth_failures_t *table = make_table();
    auth_source_t one = source_of("192.0.2.1"), other = source_of("192.0.2.2");
    apr_int64_t wait;
    int i;

    within(table, &usual, &one, 1000, START);
    ok(!auth_failures_is_spent(table, &usual, &one, START),
       "one bad key that memory knows, over and over, keeps no other from being looked up");
    for (i = 0; i < 20; i++) {
        ok(!auth_failures_is_spent(table, &usual, &one, START), "look-up %d may be made", i + 1);
        auth_failures_add(table, &usual, &one, AUTH_COST_LOOKUP, START, &wait);
    }
    ok(auth_failures_is_spent(table, &usual, &one, START), "after twenty in vain no more");
    is_number(wait, 63000, "and it takes a span longer until a failure is within the limit");
    ok(!auth_failures_is_spent(table, &usual, &other, START), "another address has its own");
    ok(auth_failures_is_spent(table, &usual, &one, START + apr_time_from_msec(2999)), "not yet");
    ok(!auth_failures_is_spent(table, &usual, &one, START + apr_time_from_sec(3)),
       "one every three seconds");
    for (i = 0; i < 100; i++) {
        auth_failures_add(table, &usual, &one, AUTH_COST_LOOKUP, START, &wait);
    }
    is_number(wait, 63000, "more make it no longer");
}

/* ------------------------------------------------------------------------------- the clock */

static void test_clock(void)
{
    auth_failures_t *table = make_table();
    auth_source_t one = source_of("192.0.2.1");
    apr_int64_t wait;

    within(table, &usual, &one, 20, START);
    fail(table, &usual, &one, START - apr_time_from_sec(3600), &wait);
    ok(wait > 0 && wait <= 63000, "a clock that is set back an hour keeps nobody out for one");
    is_number(within(table, &usual, &one, 30, START - apr_time_from_sec(86400 * 10)), 20,
              "one that is set back for days forgets");
    is_number(within(table, &usual, &one, 30, START + apr_time_from_sec(APR_INT64_C(60) * 365 * 86400)),
              20, "in sixty years");
}

/* ---------------------------------------------------------------------------- many addresses */

#define MANY 400000 /* three times what the table holds */

static void test_full(void)
{
    auth_failures_t *table = make_table();
    auth_source_t over = source_of("192.0.2.1"), near = source_of("192.0.2.2"), new;
    apr_uint32_t i, good = 0;
    apr_int64_t wait;

    within(table, &usual, &over, 21, START);
    within(table, &usual, &near, 19, START);
    for (i = 0; i < MANY; i++) {
        auth_source_t other = source_at(i);

        good += fail(table, &usual, &other, START, &wait) == AUTH_FAILURE_WITHIN;
    }
    is_number(good, MANY, "who comes when the table is full is not kept out");
    is_number(fail(table, &usual, &over, START, &wait), AUTH_FAILURE_OVER,
              "who is over the limit is not forgotten because many come");
    is_number(within(table, &usual, &near, 5, START), 1, "nor who is near it");
    new = source_of("192.0.2.3");
    is_number(within(table, &usual, &new, 30, START), 20, "a new one is counted as ever");
}

static int is_counted(auth_failures_t *table, const auth_limit_t *limit,
                      const auth_source_t *source)
{
    count_t count = count_of(table, limit, source, START);
    apr_uint64_t word;

    find(&count, &word);
    return level_of(&count, word) != 0;
}

/* What docs/mod_ai_auth.md says that the table holds. */
static void test_room(void)
{
    static const auth_limit_t once = { 1, 60000 };
    static const struct {
        apr_uint32_t n, lost;
    } rows[] = { { 30000, 10 }, { 65536, 1000 }, { 131072, 20000 } };
    apr_int64_t wait;
    apr_uint32_t i, row;

    for (row = 0; row < 3; row++) {
        auth_failures_t *table = make_table();
        apr_uint32_t lost = 0;

        for (i = 0; i < rows[row].n; i++) {
            auth_source_t source = source_at(i);

            fail(table, &once, &source, START, &wait);
        }
        for (i = rows[row].n; i-- > 0;) {
            auth_source_t source = source_at(i);

            lost += !is_counted(table, &once, &source);
        }
        ok(lost <= rows[row].lost, "of %u addresses %u are forgotten", rows[row].n, lost);
    }
}

static void test_seed(void)
{
    static const unsigned char another[AUTH_FAILURES_SEED] = "another sixteen";
    void *memory = make_memory();
    auth_failures_t *table = auth_failures_prepare(memory, seed), *other;
    auth_source_t one = source_of("192.0.2.1");
    apr_int64_t wait;
    count_t here, there;

    within(table, &usual, &one, 20, START);
    table = auth_failures_prepare(memory, another);
    is_number(fail(table, &usual, &one, START, &wait), AUTH_FAILURE_FIRST,
              "a table that is there stays as it is");
    other = auth_failures_prepare(make_memory(), another);
    here = count_of(table, &usual, &one, START);
    there = count_of(other, &usual, &one, START);
    ok(here.mark != there.mark && here.set - table->sets[0] != there.set - other->sets[0],
       "where an address stands depends on the seed");
}

/* ----------------------------------------------------------------- several threads, processes */

#define PROCESSES 4
#define THREADS 4
#define SOURCES 20000
#define TRIES 3 /* of each thread for each source: together more than the limit */

typedef struct seen_t {
    volatile apr_uint32_t ready;
    volatile apr_uint32_t verdicts[3];
} seen_t;

typedef struct worker_t {
    auth_failures_t *table;
    seen_t *seen;
} worker_t;

static void *APR_THREAD_FUNC try_all(apr_thread_t *thread, void *data)
{
    const worker_t *worker = data;
    apr_uint32_t i;

    (void)thread;
    apr_atomic_inc32(&worker->seen->ready);
    while (apr_atomic_read32(&worker->seen->ready) < PROCESSES * THREADS) {
        apr_thread_yield();
    }
    for (i = 0; i < SOURCES * TRIES; i++) {
        auth_source_t source = source_at(i / TRIES);
        apr_int64_t wait;

        apr_atomic_inc32(&worker->seen->verdicts[fail(worker->table, &usual, &source, START, &wait)]);
    }
    return NULL;
}

static int run_threads(auth_failures_t *table, seen_t *seen)
{
    worker_t workers[THREADS];
    apr_thread_t *threads[THREADS];
    apr_status_t rv;
    apr_uint32_t i;

    for (i = 0; i < THREADS; i++) {
        workers[i] = (worker_t){ table, seen };
        if (apr_thread_create(&threads[i], NULL, try_all, &workers[i], pool) != APR_SUCCESS) {
            return 1;
        }
    }
    for (i = 0; i < THREADS; i++) {
        apr_thread_join(&rv, threads[i]);
    }
    return 0;
}

static void test_processes(void)
{
    auth_failures_t *table = make_table();
    seen_t *seen = make_memory();
    pid_t pids[PROCESSES];
    apr_uint32_t i;

    fflush(stdout);
    for (i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            _exit(run_threads(table, seen));
        }
    }
    for (i = 0; i < PROCESSES; i++) {
        int status = -1;

        ok(waitpid(pids[i], &status, 0) == pids[i] && status == 0, "a process ends well");
    }
    is_number(seen->verdicts[AUTH_FAILURE_WITHIN], SOURCES * 20,
              "of many at once exactly the limit is within it");
    is_number(seen->verdicts[AUTH_FAILURE_FIRST], SOURCES, "one of each address is told");
    is_number(seen->verdicts[AUTH_FAILURE_OVER], SOURCES * (TRIES * THREADS * PROCESSES - 21),
              "and all others are over it");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_sources();
    test_limit();
    test_rates();
    test_limits_apart();
    test_lookups();
    test_clock();
    test_full();
    test_room();
    test_seed();
    test_processes();
    apr_terminate();
    return done();
}
