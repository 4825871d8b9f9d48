/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_metrics_text.h - what is measured, in the words that Prometheus reads.
 *
 * The text format 0.0.4, or OpenMetrics 1.0.0. Written piece by piece, so that it is nowhere as a whole.
 */
#ifndef AI_METRICS_TEXT_H
#define AI_METRICS_TEXT_H

#include "ai_metrics.h"

typedef struct ai_metrics_text_t {
    void (*put)(void *baton, const char *bytes, apr_size_t n);
    void *baton;
    int open; /* 1: OpenMetrics */
} ai_metrics_text_t;

/* The lines that say what a metric is; its samples follow, and those of no other. */
void ai_metrics_text_family(const ai_metrics_text_t *to, const ai_metric_t *metric);

/* The lines of one series. values has one for each label, which may be anything: what is no UTF-8, or
 * would break the line, is made harmless. cells as in ai_series_t. */
void ai_metrics_text_series(const ai_metrics_text_t *to, const ai_metric_t *metric,
                            const char *const *values, const apr_uint64_t *cells);

/* The end of the text. */
void ai_metrics_text_end(const ai_metrics_text_t *to);

#endif
