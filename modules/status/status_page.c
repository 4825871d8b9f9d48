/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_page.c - how do the counts look on mod_status's page?
 *
 * For a program (?auto) a line for each value, for a person a table with a line for the server and
 * one for each target. Both show the same.
 *
 * Lives in: r->pool.  Shared state: the table, which it reads.  May block: writing to the caller.
 */

#include <apr_strings.h>
#include <http_protocol.h>
#include <mod_status.h>

#include "status_page.h"

/* In the order of status_count_e. */
static const struct {
    const char *key;
    const char *heading;
    int microseconds; /* 1: shown to a person in milliseconds */
} status_counts[STATUS_COUNTS_N] = {
    [STATUS_REQUESTS] = { "Requests", "Requests", 0 },
    [STATUS_ANSWERS] = { "Answers", "Answers", 0 },
    [STATUS_PROVIDER_ERRORS] = { "ProviderErrors", "Provider errors", 0 },
    [STATUS_FAILURES] = { "Failures", "Failures", 0 },
    [STATUS_REFUSALS] = { "Refusals", "Refusals", 0 },
    [STATUS_CLIENT_ABORTS] = { "ClientAborts", "Client aborts", 0 },
    [STATUS_STREAMS] = { "Streams", "Streams", 0 },
    [STATUS_ATTEMPTS] = { "Attempts", "Attempts", 0 },
    [STATUS_ATTEMPTS_FAILED] = { "AttemptsFailed", "Attempts failed", 0 },
    [STATUS_TOKENS_PROMPT] = { "TokensPrompt", "Prompt tokens", 0 },
    [STATUS_TOKENS_COMPLETION] = { "TokensCompletion", "Completion tokens", 0 },
    [STATUS_TOKENS_CACHED] = { "TokensCached", "Cached tokens", 0 },
    [STATUS_TIME_UPSTREAM_US] = { "TimeUpstreamUs", "Upstream, ms", 1 },
    [STATUS_OVERHEAD_US] = { "OverheadUs", "Overhead, ms", 1 },
};

static const struct {
    int percent;
    const char *key;
    const char *heading;
} quantiles[] = {
    { 50, "TimeFirstP50Us", "First content p50, ms" },
    { 95, "TimeFirstP95Us", "p95, ms" },
    { 99, "TimeFirstP99Us", "p99, ms" },
};

#define QUANTILES_N ((int)(sizeof(quantiles) / sizeof(quantiles[0])))

/* A target never has refusals: these come before one is chosen. */
static int has_count(int line, int what)
{
    return line == STATUS_SERVER || what != STATUS_REFUSALS;
}

/* ------------------------------------------------------------------------- for programs */

static void write_values(request_rec *r, status_table_t *table, int line, const char *prefix)
{
    int i;

    for (i = 0; i < STATUS_COUNTS_N; i++) {
        if (has_count(line, i)) {
            ap_rprintf(r, "%s%s: %" APR_UINT64_T_FMT "\n", prefix, status_counts[i].key,
                       status_table_count(table, line, (status_count_e)i));
        }
    }
    ap_rprintf(r, "%sInFlight: %u\n", prefix, status_table_in_flight(table, line));
    for (i = 0; i < QUANTILES_N; i++) {
        apr_int64_t us =
            status_histogram_quantile(status_table_first(table, line), quantiles[i].percent);

        if (us >= 0) { /* not there: nothing had content yet */
            ap_rprintf(r, "%s%s: %" APR_INT64_T_FMT "\n", prefix, quantiles[i].key, us);
        }
    }
}

static void write_lines(request_rec *r, status_table_t *table)
{
    int i;

    write_values(r, table, STATUS_SERVER, "AI");
    for (i = 0; i <= STATUS_REASONS_MAX; i++) {
        apr_uint64_t n;
        const char *reason = status_table_reason(table, i, &n);

        if (reason) {
            ap_rprintf(r, "AIRefusals[%s]: %" APR_UINT64_T_FMT "\n",
                       ap_escape_html(r->pool, reason), n);
        }
    }
    for (i = 1; i < STATUS_LINES_N; i++) {
        const char *name = status_table_name(table, i);

        if (name) {
            write_values(r, table, i,
                         apr_pstrcat(r->pool, "AITarget[", ap_escape_html(r->pool, name), "]",
                                     NULL));
        }
    }
}

/* -------------------------------------------------------------------------- for persons */

static void write_ms(request_rec *r, apr_int64_t us)
{
    ap_rprintf(r, "<td>%" APR_INT64_T_FMT ".%d</td>", us / 1000, (int)(us % 1000 / 100));
}

static void write_row(request_rec *r, status_table_t *table, int line, const char *name)
{
    int i;

    ap_rprintf(r, "<tr><th>%s</th><td>%u</td>", ap_escape_html(r->pool, name),
               status_table_in_flight(table, line));
    for (i = 0; i < STATUS_COUNTS_N; i++) {
        apr_uint64_t n = status_table_count(table, line, (status_count_e)i);

        if (!has_count(line, i)) {
            ap_rputs("<td></td>", r);
        }
        else if (status_counts[i].microseconds) {
            write_ms(r, (apr_int64_t)n);
        }
        else {
            ap_rprintf(r, "<td>%" APR_UINT64_T_FMT "</td>", n);
        }
    }
    for (i = 0; i < QUANTILES_N; i++) {
        apr_int64_t us =
            status_histogram_quantile(status_table_first(table, line), quantiles[i].percent);

        if (us >= 0) {
            write_ms(r, us);
        }
        else {
            ap_rputs("<td></td>", r);
        }
    }
    ap_rputs("</tr>\n", r);
}

static void write_refusals(request_rec *r, const status_table_t *table)
{
    int i, any = 0;

    for (i = 0; i <= STATUS_REASONS_MAX; i++) {
        apr_uint64_t n;
        const char *reason = status_table_reason(table, i, &n);

        if (reason) {
            ap_rprintf(r, "%s<tr><th>%s</th><td>%" APR_UINT64_T_FMT "</td></tr>\n",
                       any ? "" : "<table border=\"0\">\n<tr><th>Refused because</th>"
                                  "<th>Requests</th></tr>\n",
                       ap_escape_html(r->pool, reason), n);
            any = 1;
        }
    }
    ap_rputs(any ? "</table>\n" : "", r);
}

static void write_table(request_rec *r, status_table_t *table)
{
    int i;

    ap_rputs("<table border=\"0\">\n<tr><th>Target</th><th>In flight</th>", r);
    for (i = 0; i < STATUS_COUNTS_N; i++) {
        ap_rprintf(r, "<th>%s</th>", status_counts[i].heading);
    }
    for (i = 0; i < QUANTILES_N; i++) {
        ap_rprintf(r, "<th>%s</th>", quantiles[i].heading);
    }
    ap_rputs("</tr>\n", r);
    write_row(r, table, STATUS_SERVER, "(all)");
    for (i = 1; i < STATUS_LINES_N; i++) {
        const char *name = status_table_name(table, i);

        if (name) {
            write_row(r, table, i, name);
        }
    }
    ap_rputs("</table>\n", r);
    write_refusals(r, table);
}

void status_page_write(request_rec *r, int flags, status_table_t *table)
{
    if (flags & AP_STATUS_SHORT) {
        if (table) {
            write_lines(r, table);
        }
        return;
    }
    ap_rputs("<hr />\n<h2>AI gateway</h2>\n", r);
    if (!table) {
        ap_rputs("<p>Nothing is counted: there was no shared memory (AI0121).</p>\n", r);
    }
    else if (flags & AP_STATUS_NOTABLE) {
        ap_rputs("<pre>\n", r);
        write_lines(r, table);
        ap_rputs("</pre>\n", r);
    }
    else {
        write_table(r, table);
    }
}
