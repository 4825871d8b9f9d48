/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_metrics.h - what is measured, in memory that all processes of a server share.
 *
 * Pure: it is given zeroed memory of ai_metrics_size() and works on it with atomics alone. There
 * are no locks, and a process may die at any instruction without harm to what the others count.
 * Nothing is ever removed. All calls may be made by any thread of any process.
 *
 * A series is one metric with one value for each of its labels. It is bounded how many there are: of
 * one metric, and of all. What comes later is measured all the same, in a series whose open labels
 * have the value "other".
 */
#ifndef AI_METRICS_H
#define AI_METRICS_H

#include <apr.h>

#include "ai_metric.h"

/* Raise it when anything of the memory changes. */
#define AI_METRICS_LAYOUT 1

/* Series of one metric, and of all, before "other". */
#define AI_METRICS_EACH 1024
#define AI_METRICS_ALL 6144
/* The longest value of a label; a longer one is "other". All values of a series have 240 bytes, with
 * one more for each; where that is too little the open ones are "other". */
#define AI_METRICS_VALUE 96
/* Bytes of all values of a series, each with the NUL that ends it. */
#define AI_METRICS_TEXT 240
/* Names that are known (ai_metrics_know). */
#define AI_METRICS_NAMES 200

#define AI_METRICS_OTHER "other"

typedef struct ai_metrics_t ai_metrics_t;

apr_size_t ai_metrics_size(void);

/* The table in zeroed memory, or in memory that was one before. seed is a random number, which counts
 * the first time: so nobody can make up values that fall together. */
ai_metrics_t *ai_metrics_prepare(void *memory, apr_uint64_t seed);

/*
 * Measures n, in the unit of the row. values has one for each label, in their order; NULL and "" are
 * no value. A counter and a histogram take a negative n for 0.
 */
void ai_metrics_measure(ai_metrics_t *metrics, ai_metric_t *metric, const char *const *values,
                        apr_int64_t n);

/*
 * Names that callers choose are no label before somebody has vouched for them. _know remembers a name
 * for good, unless there are too many already or it is too long; _is_known says whether it does.
 */
void ai_metrics_know(ai_metrics_t *metrics, const char *name);
int ai_metrics_is_known(const ai_metrics_t *metrics, const char *name);

/* A series as it was when it was read. */
typedef struct ai_series_t {
    const char *values[AI_METRIC_LABELS]; /* into text; "": none */
    apr_uint64_t cells[AI_METRIC_BOUNDS + 2]; /* the number; of a histogram the sum, and then how many
                                                 there are in each bucket */
    char text[AI_METRICS_TEXT];
} ai_series_t;

/* The next series of a metric, from *at on, which is 0 at first. 0: there is none any more. */
int ai_metrics_next(const ai_metrics_t *metrics, ai_metric_t *metric, apr_uint32_t *at,
                    ai_series_t *series);

/* How many bounds a row has. */
int ai_metric_bounds(const ai_metric_t *metric);

/* How it goes with the memory itself. */
typedef struct ai_metrics_state_t {
    apr_uint64_t series; /* that there are */
    apr_uint64_t other;  /* how often "other" was measured for want of room */
    apr_uint64_t lost;   /* how often not even that had room */
} ai_metrics_state_t;

void ai_metrics_state(const ai_metrics_t *metrics, ai_metrics_state_t *state);

#endif
