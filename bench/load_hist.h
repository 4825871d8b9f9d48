/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_hist.h - how are many durations spread?
 *
 * A histogram of fixed size with logarithmic buckets: 256 steps for each doubling, so any
 * percentile is right to 0.4 %.  It holds no pointer, so it may live in shared memory, and two
 * of them are added by adding their numbers.
 */
#ifndef LOAD_HIST_H
#define LOAD_HIST_H

#include <stdint.h>

#define LOAD_HIST_STEP_BITS 8
#define LOAD_HIST_STEPS (1 << LOAD_HIST_STEP_BITS)
#define LOAD_HIST_BUCKETS ((42 - LOAD_HIST_STEP_BITS + 2) * (LOAD_HIST_STEPS / 2))

typedef struct load_hist_t {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t max_ns;
    uint64_t bucket[LOAD_HIST_BUCKETS];
} load_hist_t;

/* Counts one duration.  What is longer than the last bucket (over an hour) counts there. */
void load_hist_add(load_hist_t *hist, uint64_t ns);

/* Adds all that `more` counted to `hist`. */
void load_hist_merge(load_hist_t *hist, const load_hist_t *more);

/* The duration in nanoseconds that `share` (0..1) of the counted ones do not exceed; 0 when
 * nothing was counted. */
uint64_t load_hist_at(const load_hist_t *hist, double share);

#endif
