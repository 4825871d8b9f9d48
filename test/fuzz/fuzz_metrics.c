/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_metrics.c - can a label's value, whatever its bytes, leave its quotes, or be lost?
 *
 * The input is measured as values of labels, one for each NUL in it. The text must be one line for each
 * series, as Prometheus wants it, and what was measured must be in it once.
 */
#include <string.h>

#include <apr_general.h>

#include "ai_json_scan.h"
#include "ai_metrics_text.h"
#include "fuzz.h"

static ai_metric_t counter = { .name = "fuzz_total", .kind = AI_METRIC_COUNTER, .help = "Fuzz",
                               .labels = { "a", "b" }, .open = 3 };

typedef struct text_t {
    char bytes[1 << 20];
    size_t n;
} text_t;

static void collect(void *baton, const char *bytes, apr_size_t n)
{
    text_t *text = baton;

    must(text->n + n < sizeof(text->bytes));
    memcpy(text->bytes + text->n, bytes, n);
    text->n += n;
}

/* Reads a value from behind its opening quote; returns what is behind the closing one. */
static const char *read_value(const char *at, const char *end)
{
    while (at < end && *at != '"') {
        unsigned char c = (unsigned char)*at;
        apr_size_t n = c < 0x80 ? 1 : ai_json_utf8(at, end);

        must(n > 0 && c >= ' ' && c != 0x7f);
        if (c == '\\') {
            at++;
            must(at < end && (*at == '\\' || *at == '"'));
        }
        at += n;
    }
    must(at < end);
    return at + 1;
}

/* Reads a line of a sample; returns its number. */
static unsigned long read_line(const char *at, const char *end)
{
    must((size_t)(end - at) > sizeof("fuzz_total") && memcmp(at, "fuzz_total", 10) == 0);
    at += 10;
    while (at < end && (*at == '{' || *at == ',')) {
        must(end - at > 4 && (at[1] == 'a' || at[1] == 'b') && at[2] == '=' && at[3] == '"');
        at = read_value(at + 4, end);
        at += at < end && *at == '}';
    }
    must(at < end && *at == ' ');
    return strtoul(at + 1, NULL, 10);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static text_t text;
    void *memory = calloc(1, ai_metrics_size());
    ai_metrics_t *metrics = ai_metrics_prepare(memory, 7);
    ai_metrics_text_t to = { collect, &text, 0 };
    char *copy = calloc(1, n + 1);
    unsigned long sum = 0, measured = 0;
    const char *line, *end, *values[2] = { "", "" };
    ai_series_t series;
    apr_uint32_t at = 0;
    size_t i;

    must(memory && copy && n < 4096);
    memcpy(copy, bytes, n);
    for (i = 0; i < n; i += strlen(copy + i) + 1) {
        values[measured % 2] = copy + i;
        ai_metrics_measure(metrics, &counter, values, 1);
        measured++;
    }
    text.n = 0;
    while (ai_metrics_next(metrics, &counter, &at, &series)) {
        ai_metrics_text_series(&to, &counter, series.values, series.cells);
    }
    for (line = text.bytes; line < text.bytes + text.n; line = end + 1) {
        end = memchr(line, '\n', text.n - (size_t)(line - text.bytes));
        must(end != NULL);
        sum += read_line(line, end);
    }
    must(sum == measured);
    free(copy);
    free(memory);
    return 0;
}
