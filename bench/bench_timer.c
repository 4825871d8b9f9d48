/* SPDX-License-Identifier: Apache-2.0 */
/* bench_timer.c - many short batches, and the value that a tenth of them reach. */
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "bench_timer.h"

enum { MOST_BATCHES = 100000, BATCH_NS = 2000000 };

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Nanoseconds for each of that many times in a row. */
static double run_batch(bench_work_fn *work, void *job, uint64_t times)
{
    uint64_t begin = now_ns(CLOCK_THREAD_CPUTIME_ID);

    for (uint64_t i = 0; i < times; i++) {
        work(job);
    }
    return (double)(now_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / (double)times;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_measure(bench_work_fn *work, void *job, double seconds)
{
    static double batches[MOST_BATCHES];
    int n = 0;

    run_batch(work, job, 3);
    uint64_t times = (uint64_t)(BATCH_NS / (run_batch(work, job, 3) + 1)) + 1;
    uint64_t until = now_ns(CLOCK_MONOTONIC) + (uint64_t)(seconds * 1e9);
    do {
        batches[n++] = run_batch(work, job, times);
    } while (n < MOST_BATCHES && now_ns(CLOCK_MONOTONIC) < until);
    qsort(batches, (size_t)n, sizeof(batches[0]), by_size);
    return batches[n / 10];
}
