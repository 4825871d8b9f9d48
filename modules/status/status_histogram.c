/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_histogram.c - how are durations spread?
 *
 * A value below 4 has a bucket of its own. Above, the top bit and the two below it pick the
 * bucket: 1000 us is 0b1111101000, its top bit is 9 and the next two are 11, so it falls into
 * bucket (9 - 1) * 4 + 3, which holds 896 to 1023.
 *
 * Lives in: its owner.  Shared state: what it is given, by atomics.  May block: no.
 */

#include <apr_atomic.h>

#include "status_histogram.h"

static unsigned bucket_of(apr_uint64_t us)
{
    unsigned top, bucket;

    if (us < 4) {
        return (unsigned)us;
    }
    top = 63 - (unsigned)__builtin_clzll(us);
    bucket = (top - 1) * 4 + (unsigned)((us >> (top - 2)) & 3);
    return bucket < STATUS_BUCKETS_N ? bucket : STATUS_BUCKETS_N - 1;
}

/* The highest value that falls into it. */
static apr_int64_t end_of(unsigned bucket)
{
    if (bucket < 4) {
        return bucket;
    }
    return ((APR_INT64_C(5) + bucket % 4) << (bucket / 4 - 1)) - 1;
}

void status_histogram_add(status_histogram_t *histogram, apr_int64_t us)
{
    apr_atomic_inc64(&histogram->bucket[bucket_of(us > 0 ? (apr_uint64_t)us : 0)]);
}

apr_int64_t status_histogram_quantile(const status_histogram_t *histogram, int percent)
{
    apr_uint64_t bucket[STATUS_BUCKETS_N], n = 0, seen = 0, rank;
    unsigned i;

    for (i = 0; i < STATUS_BUCKETS_N; i++) { /* a copy: others go on counting */
        bucket[i] = histogram->bucket[i];
        n += bucket[i];
    }
    rank = (n * (apr_uint64_t)percent + 99) / 100;
    for (i = 0; i < STATUS_BUCKETS_N; i++) {
        seen += bucket[i];
        if (seen && seen >= rank) {
            return end_of(i);
        }
    }
    return -1;
}
