/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_metrics_text.c - how do numbers look to Prometheus?
 *
 * All numbers are whole numbers of a small unit, written as decimals of the unit that is shown: a
 * dollar's parts are exact to the last digit.
 *
 * Lives in: the thread that writes.  Shared state: none.  May block: as put does.
 */

#include <string.h>

#include <apr_strings.h>

#include "ai_json_scan.h"
#include "ai_metrics_text.h"

static const struct {
    const char *name;
    int decimals;
} units[AI_METRIC_UNITS_N] = {
    [AI_METRIC_PLAIN] = { NULL, 0 },
    [AI_METRIC_BYTES] = { "bytes", 0 },
    [AI_METRIC_SECONDS] = { "seconds", 6 },
    [AI_METRIC_RATIO] = { "ratio", 3 },
    [AI_METRIC_USD] = { "usd", 9 },
};

static const char *const kinds[] = {
    [AI_METRIC_COUNTER] = "counter",
    [AI_METRIC_GAUGE] = "gauge",
    [AI_METRIC_HISTOGRAM] = "histogram",
};

/* Long enough for a number of 64 bits with a sign, a point and an end. */
#define NUMBER_MAX 32
#define TOTAL "_total"

static void put_text(const ai_metrics_text_t *to, const char *text)
{
    to->put(to->baton, text, strlen(text));
}

/* A number of a unit's smallest parts: 1500000 is 1.5 seconds. point: "2.0", not "2". */
static const char *decimal(char out[NUMBER_MAX], apr_uint64_t n, ai_metric_unit_e unit, int sign,
                           int point)
{
    int minus = sign && (apr_int64_t)n < 0, decimals = units[unit].decimals, i;
    char *at = out + NUMBER_MAX - 1;

    if (minus) {
        n = 0 - n;
    }
    *at = '\0';
    for (i = 0; i < decimals; i++, n /= 10) {
        if (*at || n % 10) { /* no zeros at the end */
            *--at = (char)('0' + n % 10);
        }
    }
    if (*at) {
        *--at = '.';
    }
    else if (point) {
        at -= 2;
        memcpy(at, ".0", 2);
    }
    do {
        *--at = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    if (minus) {
        *--at = '-';
    }
    return at;
}

/* A value between its quotes. */
static void put_value(const ai_metrics_text_t *to, const char *value)
{
    const char *end = value + strlen(value), *from = value;

    while (value < end) {
        apr_size_t n = (unsigned char)*value < 0x80 ? 1 : ai_json_utf8(value, end);
        const char *instead = n == 0 || (unsigned char)*value < ' ' || *value == 0x7f ? "\xef\xbf\xbd"
                              : *value == '"' ? "\\\"" : *value == '\\' ? "\\\\" : NULL;

        if (instead) {
            to->put(to->baton, from, (apr_size_t)(value - from));
            put_text(to, instead);
            from = value + 1;
        }
        value += instead ? 1 : n;
    }
    to->put(to->baton, from, (apr_size_t)(end - from));
}

/* {a="b",le="1.0"}; a label without a value is left out, and so are the braces around nothing. */
static void put_labels(const ai_metrics_text_t *to, const ai_metric_t *metric,
                       const char *const *values, const char *le)
{
    const char *before = "{";
    int i;

    for (i = 0; i < AI_METRIC_LABELS && metric->labels[i]; i++) {
        if (values[i] && *values[i]) {
            put_text(to, before);
            put_text(to, metric->labels[i]);
            put_text(to, "=\"");
            put_value(to, values[i]);
            put_text(to, "\"");
            before = ",";
        }
    }
    if (le) {
        put_text(to, before);
        put_text(to, "le=\"");
        put_text(to, le);
        put_text(to, "\"");
        before = ",";
    }
    put_text(to, *before == ',' ? "}" : "");
}

static void put_sample(const ai_metrics_text_t *to, const ai_metric_t *metric, const char *suffix,
                       const char *const *values, const char *le, const char *number)
{
    put_text(to, metric->name);
    put_text(to, suffix);
    put_labels(to, metric, values, le);
    put_text(to, " ");
    put_text(to, number);
    put_text(to, "\n");
}

static void put_histogram(const ai_metrics_text_t *to, const ai_metric_t *metric,
                          const char *const *values, const apr_uint64_t *cells)
{
    char number[NUMBER_MAX], bound[NUMBER_MAX];
    int i, bounds = ai_metric_bounds(metric);
    apr_uint64_t n = 0;

    for (i = 0; i <= bounds; i++) {
        n += cells[1 + i];
        put_sample(to, metric, "_bucket", values,
                   i == bounds ? "+Inf"
                               : decimal(bound, (apr_uint64_t)metric->bounds[i], metric->unit, 0, 1),
                   decimal(number, n, AI_METRIC_PLAIN, 0, 0));
    }
    put_sample(to, metric, "_sum", values, NULL, decimal(number, cells[0], metric->unit, 0, 0));
    put_sample(to, metric, "_count", values, NULL, decimal(number, n, AI_METRIC_PLAIN, 0, 0));
}

void ai_metrics_text_family(const ai_metrics_text_t *to, const ai_metric_t *metric)
{
    apr_size_t n = strlen(metric->name), cut = sizeof(TOTAL) - 1;
    const char *unit = to->open ? units[metric->unit].name : NULL;
    const char *const lines[][2] = {
        { "# HELP ", metric->help }, { "# TYPE ", kinds[metric->kind] }, { "# UNIT ", unit },
    };
    apr_size_t i;

    if (to->open && metric->kind == AI_METRIC_COUNTER) {
        n -= cut; /* there it is of the sample's name, not of the metric's */
    }
    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (lines[i][1]) {
            put_text(to, lines[i][0]);
            to->put(to->baton, metric->name, n);
            put_text(to, " ");
            put_text(to, lines[i][1]);
            put_text(to, "\n");
        }
    }
}

void ai_metrics_text_series(const ai_metrics_text_t *to, const ai_metric_t *metric,
                            const char *const *values, const apr_uint64_t *cells)
{
    char number[NUMBER_MAX];

    if (metric->kind == AI_METRIC_HISTOGRAM) {
        put_histogram(to, metric, values, cells);
        return;
    }
    put_sample(to, metric, "", values, NULL,
               decimal(number, cells[0], metric->unit, metric->kind == AI_METRIC_GAUGE, 0));
}

void ai_metrics_text_end(const ai_metrics_text_t *to)
{
    if (to->open) {
        put_text(to, "# EOF\n");
    }
}
