/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_hist.c - how are many durations spread?
 *
 * A value below LOAD_HIST_STEPS has a bucket of its own.  Above, the highest bits pick the
 * bucket: 1000 ns has its top bit at 9, so it is shifted right by 2 into 250, and the row
 * of that shift starts at 2 * 128.  Rows overlap by half, which wastes nothing because the lower
 * half of a row can never be hit.
 */
#include "load_hist.h"

enum { HALF = LOAD_HIST_STEPS / 2 };

static unsigned index_of(uint64_t ns)
{
    unsigned shift = 0;

    if (ns >= LOAD_HIST_STEPS) {
        shift = 63 - (unsigned)__builtin_clzll(ns) - (LOAD_HIST_STEP_BITS - 1);
    }
    unsigned index = shift * HALF + (unsigned)(ns >> shift);
    return index < LOAD_HIST_BUCKETS ? index : LOAD_HIST_BUCKETS - 1;
}

static uint64_t middle_of(unsigned index)
{
    if (index < LOAD_HIST_STEPS) {
        return index;
    }
    unsigned shift = index / HALF - 1;
    uint64_t low = (uint64_t)(index - shift * HALF) << shift;
    return low + ((1ULL << shift) >> 1);
}

void load_hist_add(load_hist_t *hist, uint64_t ns)
{
    hist->count++;
    hist->sum_ns += ns;
    if (ns > hist->max_ns) {
        hist->max_ns = ns;
    }
    hist->bucket[index_of(ns)]++;
}

void load_hist_merge(load_hist_t *hist, const load_hist_t *more)
{
    hist->count += more->count;
    hist->sum_ns += more->sum_ns;
    if (more->max_ns > hist->max_ns) {
        hist->max_ns = more->max_ns;
    }
    for (unsigned i = 0; i < LOAD_HIST_BUCKETS; i++) {
        hist->bucket[i] += more->bucket[i];
    }
}

uint64_t load_hist_at(const load_hist_t *hist, double share)
{
    uint64_t want = (uint64_t)(share * (double)hist->count + 0.5);
    uint64_t seen = 0;

    if (hist->count == 0) {
        return 0;
    }
    if (want < 1) {
        want = 1;
    }
    for (unsigned i = 0; i < LOAD_HIST_BUCKETS; i++) {
        seen += hist->bucket[i];
        if (seen >= want) {
            uint64_t ns = middle_of(i);
            return ns < hist->max_ns ? ns : hist->max_ns;
        }
    }
    return hist->max_ns;
}
