/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_metric.h - what can be measured: a row for each metric, which its module declares.
 *
 * A row is static memory of a module. It says all that a reader of the numbers is told, and how
 * many series there may be: of its labels those that are open have values that nobody has listed
 * (names of models, of targets, reasons); the others have words of the code.
 */
#ifndef AI_METRIC_H
#define AI_METRIC_H

#include <apr.h>

#define AI_METRIC_LABELS 6  /* of one metric, at most */
#define AI_METRIC_BOUNDS 16 /* of one histogram, at most */

typedef enum ai_metric_kind_e {
    AI_METRIC_COUNTER,  /* what is measured is added */
    AI_METRIC_GAUGE,    /* what is measured takes the place of what was there */
    AI_METRIC_HISTOGRAM /* what is measured is sorted into buckets */
} ai_metric_kind_e;

/* In what is measured; all numbers are whole. The name's end says what is shown. */
typedef enum ai_metric_unit_e {
    AI_METRIC_PLAIN,   /* of anything */
    AI_METRIC_BYTES,   /* bytes: ..._bytes */
    AI_METRIC_SECONDS, /* microseconds, shown as seconds: ..._seconds */
    AI_METRIC_RATIO,   /* thousandths, shown as a fraction: ..._ratio */
    AI_METRIC_USD,     /* thousand-millionths of a US dollar, shown as dollars: ..._usd */
    AI_METRIC_UNITS_N
} ai_metric_unit_e;

typedef struct ai_metric_t {
    const char *name;                          /* as Prometheus has it; a counter's ends in _total */
    ai_metric_kind_e kind;
    ai_metric_unit_e unit;
    const char *help;                          /* one line, without '\' */
    const char *labels[AI_METRIC_LABELS + 1];  /* their names; NULL ends them */
    unsigned open;                             /* bit i: label i is open */
    const apr_int64_t *bounds;                 /* of a histogram: the highest value of each bucket
                                                  but the last, ascending, above 0; 0 ends them */
    apr_uint64_t key;                          /* private: of this very row, 0 until it is known */
} ai_metric_t;

#endif
