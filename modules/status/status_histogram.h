/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_histogram.h - how are durations spread?
 *
 * Counts in memory that processes may share; zeroed memory is an empty one. Adding is one atomic.
 */
#ifndef STATUS_HISTOGRAM_H
#define STATUS_HISTOGRAM_H

#include <apr.h>

/* Four for each power of two, up to 2^33 microseconds (2.4 hours). */
#define STATUS_BUCKETS_N 128

typedef struct status_histogram_t {
    volatile apr_uint64_t bucket[STATUS_BUCKETS_N];
} status_histogram_t;

/* Counts a duration in microseconds; a negative one counts as 0. Any thread of any process. */
void status_histogram_add(status_histogram_t *histogram, apr_int64_t us);

/* The microseconds that percent (1 to 100) of the durations do not exceed, or -1 when there are
 * none. It is the upper end of a bucket: too high by a quarter at most. Any thread. */
apr_int64_t status_histogram_quantile(const status_histogram_t *histogram, int percent);

#endif
