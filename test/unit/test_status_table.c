/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_status_table.c - are the counts of many processes exact, and what happens to a dead one's?
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

/* The files themselves: they belong to a module, and need nothing of httpd's. */
#include "status_histogram.c"
#include "status_table.c"

#include "tap.h"

static status_table_t *make_table(int children)
{
    void *memory = mmap(NULL, status_table_size(children), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        exit(1);
    }
    return status_table_prepare(memory, children);
}

/* ------------------------------------------------------------------------ durations */

static void test_buckets(void)
{
    apr_int64_t us, end = -1;
    unsigned i;
    int right = 1, near = 1;

    for (i = 0; i < STATUS_BUCKETS_N; i++) {
        right = right && bucket_of((apr_uint64_t)end + 1) == i
                && bucket_of((apr_uint64_t)end_of(i)) == i && end_of(i) > end;
        end = end_of(i);
    }
    ok(right, "the buckets follow each other without a gap");
    is_number(end, (APR_INT64_C(1) << 33) - 1, "the last ends at 2^33 us");
    is_number(bucket_of(APR_INT64_MAX), STATUS_BUCKETS_N - 1, "and takes all that is longer");
    for (us = 1; us < APR_INT64_C(8000000000); us += us / 7 + 1) {
        near = near && end_of(bucket_of((apr_uint64_t)us)) >= us
               && end_of(bucket_of((apr_uint64_t)us)) <= us + us / 4;
    }
    ok(near, "a bucket's end is at least the value, and at most a quarter more");
}

static void test_quantiles(void)
{
    static status_histogram_t none, one, many;
    int i;

    is_number(status_histogram_quantile(&none, 50), -1, "of nothing there is no median");
    status_histogram_add(&one, -5);
    is_number(status_histogram_quantile(&one, 99), 0, "a negative duration is none");
    for (i = 1; i <= 1000; i++) {
        status_histogram_add(&many, i * 1000);
    }
    is_number(status_histogram_quantile(&many, 50), end_of(bucket_of(500000)), "the median");
    is_number(status_histogram_quantile(&many, 95), end_of(bucket_of(950000)), "p95");
    is_number(status_histogram_quantile(&many, 99), end_of(bucket_of(990000)), "p99");
    is_number(status_histogram_quantile(&many, 100), end_of(bucket_of(1000000)), "the longest");
    is_number(status_histogram_quantile(&many, 1), end_of(bucket_of(10000)), "p1");
}

/* ----------------------------------------------------------------------------- names */

static void test_names(void)
{
    static const char *const strange[] = { "", "a b", "<b>", "a\"", "t\xc3\xa4", "[x]", "a/b" };
    status_table_t *table = make_table(1);
    char name[STATUS_NAME_MAX + 2];
    apr_uint64_t n;
    apr_size_t i;
    int first = status_table_line(table, "first"), last;

    is_number(first, 1, "the first target has the first line behind the server's");
    is_number(status_table_line(table, "second"), 2, "another has the next");
    is_number(status_table_line(table, "first"), first, "a target keeps its line");
    ok(strcmp(status_table_name(table, first), "first") == 0, "and its name");
    ok(!status_table_name(table, 3), "a line that nobody has has no name");
    for (i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
        is_number(status_table_line(table, strange[i]), STATUS_OTHER, "no line for a strange name");
    }
    memset(name, 'n', sizeof(name));
    name[STATUS_NAME_MAX + 1] = '\0';
    is_number(status_table_line(table, name), STATUS_OTHER, "nor for one that is too long");
    name[STATUS_NAME_MAX] = '\0';
    is_number(status_table_line(table, name), 3, "the longest name");
    ok(strcmp(status_table_name(table, 3), name) == 0, "is kept whole");
    for (i = 4; i <= STATUS_TARGETS_MAX; i++) {
        apr_snprintf(name, sizeof(name), "t%d", (int)i);
        last = status_table_line(table, name);
    }
    is_number(last, STATUS_TARGETS_MAX, "the last line of its own");
    is_number(status_table_line(table, "late"), STATUS_OTHER, "who comes later shares one");
    is_number(status_table_line(table, "second"), 2, "the others keep theirs");
    ok(!status_table_name(table, STATUS_OTHER), "which is not shown while nothing is on it");
    status_table_add(table, STATUS_OTHER, STATUS_ATTEMPTS, 1);
    ok(strcmp(status_table_name(table, STATUS_OTHER), "(other)") == 0, "then as (other)");

    for (i = 0; i < STATUS_REASONS_MAX + 3; i++) {
        apr_snprintf(name, sizeof(name), "reason_%d", (int)i);
        status_table_refuse(table, name);
    }
    status_table_refuse(table, "reason_7");
    ok(strcmp(status_table_reason(table, 7, &n), "reason_7") == 0 && n == 2, "a reason, twice");
    ok(strcmp(status_table_reason(table, STATUS_REASONS_MAX, &n), "(other)") == 0 && n == 3,
       "three that found no place");
}

/* A process that was killed between taking a place and writing the name into it. */
static void test_half_a_name(void)
{
    status_table_t *table = make_table(1);

    table->targets[0].key = key_of("half");
    ok(!status_table_name(table, 1), "a name that is not there yet is not shown");
    is_number(status_table_line(table, "whole"), 2, "nor taken for another");
    is_number(status_table_line(table, "half"), 1, "the next who needs it");
    ok(strcmp(status_table_name(table, 1), "half") == 0, "writes it");
}

/* ------------------------------------------------------------------ several processes */

#define PROCESSES 4
#define ROUNDS 50000

static void count_along(status_table_t *table, int seed)
{
    status_child_t *child = status_table_enter(table, getpid());
    char name[8];
    int i;

    for (i = 0; i < ROUNDS; i++) {
        int line;

        apr_snprintf(name, sizeof(name), "t%d", (i * 7 + seed) % 50);
        line = status_table_line(table, name);
        status_child_move(child, line, 1);
        status_table_add(table, STATUS_SERVER, STATUS_REQUESTS, 1);
        status_table_add(table, line, STATUS_TOKENS_PROMPT, 3);
        status_table_refuse(table, name + 1);
        status_histogram_add(status_table_first(table, STATUS_SERVER), i);
        if (i < ROUNDS - 1) {
            status_child_move(child, line, -1);
        }
    }
}

static void test_processes(void)
{
    status_table_t *table = make_table(PROCESSES);
    status_child_t *own;
    pid_t pids[PROCESSES];
    apr_uint64_t sum = 0, n;
    apr_uint32_t flying = 0;
    int i, named = 0;

    fflush(stdout);
    for (i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            count_along(table, i);
            _exit(0);
        }
    }
    for (i = 0; i < PROCESSES; i++) {
        waitpid(pids[i], NULL, 0);
    }
    is_number((long long)status_table_count(table, STATUS_SERVER, STATUS_REQUESTS),
              PROCESSES * ROUNDS, "no count of four processes is lost");
    for (i = 1; i < STATUS_LINES_N; i++) {
        named += status_table_name(table, i) != NULL;
        sum += status_table_count(table, i, STATUS_TOKENS_PROMPT);
        flying += status_table_in_flight(table, i);
    }
    is_number(named, 50, "each name was learned once");
    is_number((long long)sum, 3 * PROCESSES * ROUNDS, "and counted for");
    for (i = 0, sum = 0; i <= STATUS_REASONS_MAX; i++) {
        status_table_reason(table, i, &n);
        sum += n;
    }
    is_number((long long)sum, PROCESSES * ROUNDS, "as was each reason, also beyond the places");
    for (i = 0, sum = 0; i < STATUS_BUCKETS_N; i++) {
        sum += status_table_first(table, STATUS_SERVER)->bucket[i];
    }
    is_number((long long)sum, PROCESSES * ROUNDS, "and each duration");
    is_number(flying, PROCESSES, "each process left one thing unfinished");
    ok(!status_table_enter(table, getpid()), "while their places are taken there is none");
    status_table_leave(table, pids[0]);
    status_table_leave(table, pids[0]);
    for (i = 1, flying = 0; i < STATUS_LINES_N; i++) {
        flying += status_table_in_flight(table, i);
    }
    is_number(flying, PROCESSES - 1, "what the dead left unfinished goes with its place");
    own = status_table_enter(table, getpid());
    ok(own != NULL, "which is another's then");
    status_table_prune(table);
    for (i = 1, flying = 0; i < STATUS_LINES_N; i++) {
        flying += status_table_in_flight(table, i);
    }
    is_number(flying, 0, "those whose end nobody saw are found");
    ok(own && own->pid == (apr_uint32_t)getpid(), "and the living stay");
    status_child_move(NULL, STATUS_SERVER, 1);
    is_number(status_table_in_flight(table, STATUS_SERVER), 0, "without a place nothing is counted");
}

int main(void)
{
    apr_initialize();
    test_buckets();
    test_quantiles();
    test_names();
    test_half_a_name();
    test_processes();
    apr_terminate();
    return done();
}
