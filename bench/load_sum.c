/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_sum.c - what came of all the requests?
 */
#include <stdio.h>

#include "load_sum.h"

/* clang-format off */
static const char *const end_names[LOAD_ENDS] = {
    [LOAD_OK]      = "ok",
    [LOAD_ABORTED] = "aborted",
    [LOAD_CONNECT] = "connect",
    [LOAD_RESET]   = "reset",
    [LOAD_EOF]     = "eof",
    [LOAD_SHORT]   = "short",
    [LOAD_STATUS]  = "status",
    [LOAD_WRONG]   = "wrong",
    [LOAD_EVENT]   = "event",
    [LOAD_COUNT]   = "count",
    [LOAD_BROKEN]  = "broken",
    [LOAD_TIMEOUT] = "timeout",
};
/* clang-format on */

const char *load_end_name(load_end_t end)
{
    return end_names[end];
}

void load_sum_merge(load_sum_t *sum, const load_sum_t *more)
{
    for (int i = 0; i < LOAD_ENDS; i++) {
        sum->ends[i] += more->ends[i];
    }
    sum->started += more->started;
    sum->retried += more->retried;
    sum->connects += more->connects;
    sum->events += more->events;
    sum->bytes += more->bytes;
    sum->peak_open += more->peak_open;
    if (more->last_status != 0) {
        sum->last_status = more->last_status;
    }
    if (more->started != 0) {
        if (sum->begin_ns == 0 || more->begin_ns < sum->begin_ns) {
            sum->begin_ns = more->begin_ns;
        }
        if (more->finish_ns > sum->finish_ns) {
            sum->finish_ns = more->finish_ns;
        }
    }
    load_hist_merge(&sum->whole, &more->whole);
    load_hist_merge(&sum->first, &more->first);
    load_hist_merge(&sum->event, &more->event);
    load_hist_merge(&sum->gap, &more->gap);
}

uint64_t load_sum_errors(const load_sum_t *sum)
{
    uint64_t errors = 0;

    for (int i = LOAD_ABORTED + 1; i < LOAD_ENDS; i++) {
        errors += sum->ends[i];
    }
    return errors;
}

/* A key and a number, in one of the two forms. */
typedef struct printer_t {
    bool json;
    bool any;
} printer_t;

static void print(printer_t *out, const char *prefix, const char *key, double value)
{
    if (out->json) {
        printf("%s\"%s%s\": %.10g", out->any ? ", " : "{", prefix, key, value);
    }
    else {
        printf("%s%s %.10g\n", prefix, key, value);
    }
    out->any = true;
}

static void print_hist(printer_t *out, const char *prefix, const load_hist_t *hist)
{
    static const struct {
        const char *key;
        double share;
    } points[] = { { "p50", 0.50 }, { "p90", 0.90 }, { "p99", 0.99 }, { "p999", 0.999 } };

    if (hist->count == 0) {
        return;
    }
    print(out, prefix, "mean", (double)hist->sum_ns / (double)hist->count / 1e3);
    for (unsigned i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        print(out, prefix, points[i].key, (double)load_hist_at(hist, points[i].share) / 1e3);
    }
    print(out, prefix, "max", (double)hist->max_ns / 1e3);
}

void load_sum_print(const load_sum_t *sum, bool json)
{
    printer_t out = { json, false };
    double seconds = (double)(sum->finish_ns - sum->begin_ns) / 1e9;

    print(&out, "", "requests", (double)sum->started);
    print(&out, "", "ok", (double)sum->ends[LOAD_OK]);
    print(&out, "", "errors", (double)load_sum_errors(sum));
    print(&out, "", "aborted", (double)sum->ends[LOAD_ABORTED]);
    for (int i = LOAD_ABORTED + 1; i < LOAD_ENDS; i++) {
        print(&out, "error_", end_names[i], (double)sum->ends[i]);
    }
    print(&out, "", "last_status", (double)sum->last_status);
    print(&out, "", "retried", (double)sum->retried);
    print(&out, "", "connects", (double)sum->connects);
    print(&out, "", "events", (double)sum->events);
    print(&out, "", "bytes", (double)sum->bytes);
    print(&out, "", "peak_open", (double)sum->peak_open);
    print(&out, "", "seconds", seconds);
    print(&out, "", "rate", seconds > 0 ? (double)sum->ends[LOAD_OK] / seconds : 0);
    print_hist(&out, "whole_us_", &sum->whole);
    print_hist(&out, "first_us_", &sum->first);
    print_hist(&out, "event_us_", &sum->event);
    print_hist(&out, "gap_us_", &sum->gap);
    if (json) {
        printf("}\n");
    }
}
