/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_sum.h - what came of all the requests?
 *
 * One per worker process, in shared memory; the parent adds them up and prints the result.
 */
#ifndef LOAD_SUM_H
#define LOAD_SUM_H

#include <stdbool.h>
#include <stdint.h>

#include "load_hist.h"

/* How one request ended.  Every request that was started ends in exactly one of these.  The
 * names that are printed stand in load_sum.c, in the same order. */
typedef enum load_end_t {
    LOAD_OK,
    LOAD_ABORTED, /* we left on purpose */
    LOAD_CONNECT, /* no connection */
    LOAD_RESET,   /* connection reset before the answer was complete */
    LOAD_EOF,     /* closed before the first byte of an answer */
    LOAD_SHORT,   /* closed in the middle of the answer, or without its proper end */
    LOAD_STATUS,  /* another status than the wanted one */
    LOAD_WRONG,   /* an answer or an event that does not carry this request's id */
    LOAD_EVENT,   /* an error event within the stream */
    LOAD_COUNT,   /* complete, but not with the wanted number of events */
    LOAD_BROKEN,  /* not HTTP/1.1 as we know it */
    LOAD_TIMEOUT, /* not complete within --timeout */
    LOAD_ENDS
} load_end_t;

typedef struct load_sum_t {
    uint64_t ends[LOAD_ENDS];
    uint64_t started;
    uint64_t retried;    /* sent again: a kept-alive connection died before any answer byte */
    uint64_t connects;
    uint64_t events;     /* data events, [DONE] not counted */
    uint64_t bytes;      /* received, heads included */
    uint64_t peak_open;  /* most answers that were under way (first body byte seen) at a time */
    uint64_t last_status; /* of the last answer that had another status than the wanted one */
    uint64_t begin_ns;   /* first start and last end, monotonic */
    uint64_t finish_ns;
    load_hist_t whole;   /* start (or intended start) to end of the answer; good ones only */
    load_hist_t first;   /* start to first byte of the answer's head */
    load_hist_t event;   /* start to first data event */
    load_hist_t gap;     /* between data events of one stream */
} load_sum_t;

/* The word for an end, as printed in the report and the log. */
const char *load_end_name(load_end_t end);

/* Adds `more` to `sum`. */
void load_sum_merge(load_sum_t *sum, const load_sum_t *more);

/* Requests that ended neither well nor because we left. */
uint64_t load_sum_errors(const load_sum_t *sum);

/* Prints `key value` lines, or one JSON object, on standard output. */
void load_sum_print(const load_sum_t *sum, bool json);

#endif
