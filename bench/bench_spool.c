/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_spool.c - what does a record in the audit spool cost, and how many go in?
 *
 * Threads append, another one syncs every 10 ms, as in the server. At a rate, the records of each
 * thread come every 2 ms in a row. What is counted is all processor time of the threads that
 * append, and for each record the time that passed; the rate is that of records on the disk, the
 * last sync included.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_general.h>

#include "ai_spool.h"

static const char usage_text[] =
    "usage: bench-spool SECONDS FOLDER RATE THREADS [calls]\n"
    "\n"
    "Records of 1 KB; or, for calls, a begin of 600 bytes that promises its end's room and an end of\n"
    "1500, RATE of these pairs. FOLDER must be there, empty, and nobody else's. RATE is in records a second of all threads;\n"
    "0: as fast as they can. Prints microseconds of processor time for a record, of time that\n"
    "passed in the middle and for the slowest in a hundred, and records a second on the disk.\n";

enum { BODY = 1024, BEGIN = 600, END = 1500, PROMISE = 24576 };
enum { MOST_RECORDS = 1000000, BUCKETS = 100000 };
enum { TICK_NS = 2000000, SYNC_NS = 10000000 };

static ai_spool_t *spool;
static volatile int is_over;
static int are_calls;
static uint64_t until; /* when to stop, by the steady clock */

typedef struct job_t {
    pthread_t thread;
    unsigned per_tick; /* records in a row; 0: always */
    unsigned most;
    unsigned done;
    uint64_t cpu_ns;
    uint32_t passed[BUCKETS]; /* how many took so many tenths of a microsecond */
} job_t;

static void end(const char *why)
{
    fprintf(stderr, "bench-spool: %s\n%s", why, usage_text);
    exit(2);
}

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void wait_until(uint64_t when)
{
    struct timespec at = { (time_t)(when / 1000000000u), (long)(when % 1000000000u) };

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static void *sync_on(void *baton)
{
    uint64_t next = now_ns(CLOCK_MONOTONIC);

    (void)baton;
    while (!is_over) {
        next += SYNC_NS;
        wait_until(next);
        if (ai_spool_sync(spool) != APR_SUCCESS) {
            end("a sync failed");
        }
    }
    return NULL;
}

static void append(const job_t *job, int type, ai_slice_t body, apr_size_t promise,
                   apr_size_t redeems)
{
    ai_spool_record_t record = { .type = type, .time = apr_time_now(), .body = &body, .pieces = 1,
                                 .promise = promise, .redeems = redeems };
    ai_spool_position_t position;

    memcpy(record.id.bytes, &job->done, sizeof(job->done));
    if (ai_spool_append(spool, &record, &position) != APR_SUCCESS) {
        end("a record was not taken");
    }
}

static void append_one(job_t *job, const char *text)
{
    uint64_t began = now_ns(CLOCK_MONOTONIC), took;

    if (are_calls) {
        append(job, AI_SPOOL_BEGIN, (ai_slice_t){ text, BEGIN }, PROMISE, 0);
        append(job, AI_SPOOL_END, (ai_slice_t){ text, END }, 0, PROMISE);
    }
    else {
        append(job, AI_SPOOL_NOTE, (ai_slice_t){ text, BODY }, 0, 0);
    }
    took = (now_ns(CLOCK_MONOTONIC) - began) / 100;
    job->passed[took < BUCKETS ? took : BUCKETS - 1]++;
    job->done++;
}

static void *append_on(void *baton)
{
    job_t *job = baton;
    char text[END];
    uint64_t next = now_ns(CLOCK_MONOTONIC);

    memset(text, '{', sizeof(text));
    while (next < until && job->done < job->most) {
        unsigned many = job->per_tick ? job->per_tick : 100, i;
        uint64_t began = now_ns(CLOCK_THREAD_CPUTIME_ID);

        for (i = 0; i < many; i++) {
            append_one(job, text);
        }
        job->cpu_ns += now_ns(CLOCK_THREAD_CPUTIME_ID) - began;
        if (job->per_tick) {
            next += TICK_NS;
            wait_until(next);
        }
        else {
            next = now_ns(CLOCK_MONOTONIC);
        }
    }
    return NULL;
}

/* Microseconds within which so many of a hundred were done. */
static double within(const job_t *jobs, int threads, unsigned done, double percent)
{
    double left = done * percent / 100;
    int bucket, i;

    for (bucket = 0; bucket < BUCKETS - 1; bucket++) {
        for (i = 0; i < threads; i++) {
            left -= jobs[i].passed[bucket];
        }
        if (left <= 0) {
            break;
        }
    }
    return bucket / 10.0;
}

static double number(const char *text, double most)
{
    char *rest;
    double value = strtod(text, &rest);

    if (rest == text || *rest != '\0' || !(value >= 0 && value <= most)) {
        end("not understood");
    }
    return value;
}

static void run(int threads, double rate, double seconds)
{
    job_t *jobs = calloc((size_t)threads, sizeof(*jobs));
    uint64_t began = now_ns(CLOCK_MONOTONIC), cpu = 0;
    unsigned done = 0;
    pthread_t syncer;
    int i;

    until = began + (uint64_t)(seconds * 1e9);
    if (jobs == NULL || pthread_create(&syncer, NULL, sync_on, NULL) != 0) {
        end("no threads");
    }
    for (i = 0; i < threads; i++) {
        jobs[i].per_tick = (unsigned)(rate * TICK_NS / 1e9 / threads + 0.5);
        jobs[i].most = MOST_RECORDS / (unsigned)threads;
        if (pthread_create(&jobs[i].thread, NULL, append_on, &jobs[i]) != 0) {
            end("no threads");
        }
    }
    for (i = 0; i < threads; i++) {
        pthread_join(jobs[i].thread, NULL);
        done += jobs[i].done;
        cpu += jobs[i].cpu_ns;
    }
    is_over = 1;
    pthread_join(syncer, NULL);
    if (ai_spool_sync(spool) != APR_SUCCESS) {
        end("a sync failed");
    }
    printf("%.3f %.1f %.1f %.0f\n", (double)cpu / 1e3 / done, within(jobs, threads, done, 50),
           within(jobs, threads, done, 99),
           done / ((double)(now_ns(CLOCK_MONOTONIC) - began) / 1e9));
    free(jobs);
}

int main(int argc, char **argv)
{
    ai_spool_conf_t conf = { .node = "bench" };
    apr_pool_t *pool;

    are_calls = argc == 6 && strcmp(argv[5], "calls") == 0;
    if (argc != 5 && !are_calls) {
        end("how long, where, how fast, by how many threads?");
    }
    apr_initialize();
    apr_pool_create(&pool, NULL);
    conf.folder = argv[2];
    if (ai_spool_open(pool, &conf, apr_time_now(), &spool) != APR_SUCCESS) {
        end("the spool cannot be opened");
    }
    run((int)number(argv[4], 63) + (strcmp(argv[4], "0") == 0), number(argv[3], 1e6),
        number(argv[1], 600));
    if (ai_spool_close(spool, apr_time_now()) != APR_SUCCESS) {
        end("it cannot be closed");
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
