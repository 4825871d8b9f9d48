/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_sse.c - does every split of a stream give the same events, and every byte once?
 */
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "ai_sse.h"
#include "tap.h"

#define T(literal) literal, sizeof(literal) - 1

/* What came of a stream. */
typedef struct seen_t {
    char said[4096]; /* name|data; of every event that has either, ! before it if incomplete */
    char raw[4096];
    apr_size_t n_raw;
    int n_events;
    int stop_at; /* the callback refuses this event */
} seen_t;

static apr_status_t on_event(void *baton, const ai_sse_event_t *event)
{
    seen_t *seen = baton;
    char *at = seen->said + strlen(seen->said);

    memcpy(seen->raw + seen->n_raw, event->raw.p, event->raw.n);
    seen->n_raw += event->raw.n;
    if (event->name.p || event->data.p) {
        sprintf(at, "%s%.*s|%s%.*s;", event->complete ? "" : "!", (int)event->name.n,
                event->name.p ? event->name.p : "", event->data.p ? "" : "-", (int)event->data.n,
                event->data.p ? event->data.p : "");
    }
    return ++seen->n_events == seen->stop_at ? APR_EGENERAL : APR_SUCCESS;
}

/* Feeds a piece as a copy of its own, so that a sanitizer sees what reads beyond it or keeps it. */
static apr_status_t feed(ai_sse_t *sse, const char *bytes, apr_size_t n, seen_t *seen)
{
    char *copy = malloc(n ? n : 1);
    apr_status_t rv;

    memcpy(copy, bytes, n);
    rv = ai_sse_feed(sse, copy, n, on_event, seen);
    free(copy);
    return rv;
}

/* Feeds the text cut at two places. Step 0: else in pieces of that many bytes. */
static apr_status_t run(const char *text, apr_size_t n, apr_size_t first, apr_size_t second,
                        apr_size_t step, apr_size_t max_event, seen_t *seen)
{
    apr_pool_t *pool;
    apr_status_t rv = APR_SUCCESS;
    ai_sse_t *sse;
    apr_size_t at;

    memset(seen, 0, sizeof(*seen));
    apr_pool_create(&pool, NULL);
    sse = ai_sse_create(pool, max_event);
    if (step == 0) {
        rv = feed(sse, text, first, seen);
        rv = rv ? rv : feed(sse, text + first, second - first, seen);
        rv = rv ? rv : feed(sse, text + second, n - second, seen);
    }
    for (at = 0; step > 0 && at < n && rv == APR_SUCCESS; at += step) {
        rv = feed(sse, text + at, step < n - at ? step : n - at, seen);
    }
    rv = rv ? rv : ai_sse_end(sse, on_event, seen);
    if (rv == APR_SUCCESS && ai_sse_pending(sse) != 0) {
        rv = APR_EINCOMPLETE;
    }
    apr_pool_destroy(pool);
    return rv;
}

static const struct {
    const char *text;
    apr_size_t n;
    const char *said;
    const char *what;
} rows[] = {
    { T(""), "", "nothing" },
    { T("data: a\n\n"), "|a;", "one event, LF" },
    { T("data: a\r\n\r\n"), "|a;", "one event, CR LF" },
    { T("data: a\r\r"), "|a;", "one event, CR" },
    { T("data: a\n\ndata: b\n\ndata: [DONE]\n\n"), "|a;|b;|[DONE];", "three, LF" },
    { T("data: a\r\n\r\ndata: b\r\n\r\ndata: [DONE]\r\n\r\n"), "|a;|b;|[DONE];", "three, CR LF" },
    { T("data: a\r\rdata: b\r\rdata: [DONE]\r\r"), "|a;|b;|[DONE];", "three, CR" },
    { T("data: a\r\n\ndata: b\n\r\ndata: c\r\r\ndata: d\n\rdata: e\r\n\r"), "|a;|b;|c;|d;|e;",
      "mixed endings" },
    { T("data: a\rdata: b\ndata: c\r\n\n"), "|a\nb\nc;", "mixed endings inside an event" },
    { T("data:a\n\ndata:  b \n\n"), "|a;| b ;", "no space, and two: one is taken off" },
    { T("data:\ta\n\n"), "|\ta;", "a tab is not taken off" },
    { T("data: a\ndata: b\ndata:\ndata: c\n\n"), "|a\nb\n\nc;", "several data lines" },
    { T("data\n\n"), "|;", "a field without a colon is empty" },
    { T("data:\n\n"), "|;", "empty data" },
    { T("data\ndata\n\n"), "|\n;", "two empty data lines" },
    { T("data:\ndata: a\n\n"), "|\na;", "an empty data line comes first" },
    { T("event: ping\ndata: {}\n\n"), "ping|{};", "a name" },
    { T("data: {}\nevent: ping\n\n"), "ping|{};", "a name behind the data" },
    { T("event: a\nevent: b\ndata: 1\n\n"), "b|1;", "the last name counts" },
    { T("event: a\n\ndata: 1\n\n"), "a|-;|1;", "a name lasts for one event" },
    { T("event:\ndata: 1\n\n"), "|1;", "an empty name" },
    { T(": hello\n\n"), "", "only a comment" },
    { T(":\n\n:\r\n\r\n"), "", "only empty comments" },
    { T(": hello\ndata: a\n\n"), "|a;", "a comment before an event" },
    { T("data: a\n: hello\ndata: b\n\n"), "|a\nb;", "a comment inside an event" },
    { T(":data: a\n\n"), "", "a field in a comment" },
    { T("id: 1\nretry: 10\nfoo: bar\ndata: a\n\n"), "|a;", "other fields" },
    { T("Data: a\ndata : b\n data: c\ndatax: d\ndat: e\n\n"), "", "names of fields are exact" },
    { T("data: a: b\n\n"), "|a: b;", "only the first colon parts" },
    { T("\n\n\ndata: a\n\n\n\n"), "|a;", "empty lines before and behind" },
    { T("\r\n\r\ndata: a\r\n\r\n\r\n"), "|a;", "the same, CR LF" },
    { T("\xEF\xBB\xBF" "data: a\n\n"), "|a;", "a byte order mark" },
    { T("\xEF\xBB\xBF\ndata: a\n\n"), "|a;", "a byte order mark and an empty line" },
    { T("data: a\n\n\xEF\xBB\xBF" "data: b\n\n"), "|a;", "no byte order mark later" },
    { T("\xEF\xBB\xBF\xEF\xBB\xBF" "data: a\n\n"), "", "nor a second one" },
    { T("\xEF\xBB"), "", "half a byte order mark" },
    { T("data: a\rdata: b\n\ndata: c\n\n"), "|a\nb;|c;", "CR, and later LF LF" },
    { T("data: a\n\ndata: b"), "|a;!|b;", "cut inside a line" },
    { T("data: a\n\ndata: b\n"), "|a;!|b;", "cut before the empty line" },
    { T("data: a\n\ndata: b\r"), "|a;!|b;", "cut behind a CR" },
    { T("data: a\n\nevent: x\ndat"), "|a;!x|-;", "cut inside a field's name" },
    { T("data: \xE6\x97\xA5\xE6\x9C\xAC\n\n"), "|\xE6\x97\xA5\xE6\x9C\xAC;", "UTF-8" },
    { T("data: {\"a\":\"b\\n\\nc\"}\n\n"), "|{\"a\":\"b\\n\\nc\"};", "escapes are not line ends" },
    { T("<html>\n\n<body>\n\n"), "", "not a stream of events" },
};

static void test_splits(void)
{
    seen_t whole, seen;
    apr_size_t i, a, b, step;
    apr_status_t rv;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        apr_size_t n = rows[i].n;
        int same = 1, tried = 0;

        rv = run(rows[i].text, n, n, n, 0, 1000, &whole);
        ok(rv == APR_SUCCESS, "%s: taken", rows[i].what);
        is_bytes(whole.said, strlen(whole.said), rows[i].said, strlen(rows[i].said), rows[i].what);
        is_bytes(whole.raw, whole.n_raw, rows[i].text, n, "every byte once, in order");
        for (a = 0; a <= n && same; a++) {
            for (b = a; b <= n && same; b++, tried++) {
                rv = run(rows[i].text, n, a, b, 0, 1000, &seen);
                same = rv == APR_SUCCESS && strcmp(seen.said, rows[i].said) == 0
                       && seen.n_raw == n && memcmp(seen.raw, rows[i].text, n) == 0;
            }
        }
        ok(same && tried > 0, "%s: the same, cut at any two places", rows[i].what);
        same = 1;
        for (step = 1; step <= 9 && same; step++) {
            rv = run(rows[i].text, n, 0, 0, step, 1000, &seen);
            same = rv == APR_SUCCESS && strcmp(seen.said, rows[i].said) == 0 && seen.n_raw == n
                   && memcmp(seen.raw, rows[i].text, n) == 0;
        }
        ok(same, "%s: the same in pieces of 1 to 9 bytes", rows[i].what);
    }
}

/* Each piece, and what has been said and handed on when it has been fed. */
static void test_promptness(void)
{
    static const struct {
        const char *piece;
        const char *said;
        int n_raw;
        int pending;
        const char *what;
    } steps[] = {
        { "data: a\n", "", 0, 8, "before the empty line nothing is said" },
        { "\n", "|a;", 9, 0, "with it the event is" },
        { "data: b\r\n\r", "|a;|b;", 19, 0, "a CR ends it at once" },
        { "\n", "|a;|b;", 20, 0, "its LF does not wait for the next event" },
        { "data: c\r\r", "|a;|b;|c;", 29, 0, "CR CR ends one" },
        { "\ndata: d\r\n\r\n", "|a;|b;|c;|d;", 41, 0, "a late LF goes first" },
        { "data: e\n\ndata: f\n\nda", "|a;|b;|c;|d;|e;|f;", 59, 2, "two at once, and a rest" },
        { "ta: g\n\n", "|a;|b;|c;|d;|e;|f;|g;", 68, 0, "and the rest of it" },
        { ": beat\n\n", "|a;|b;|c;|d;|e;|f;|g;", 76, 0, "a comment is handed on at once" },
        { "", "|a;|b;|c;|d;|e;|f;|g;", 76, 0, "no bytes do nothing" },
    };
    apr_pool_t *pool;
    seen_t seen;
    ai_sse_t *sse;
    apr_size_t i;

    memset(&seen, 0, sizeof(seen));
    apr_pool_create(&pool, NULL);
    sse = ai_sse_create(pool, 100);
    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        ok(feed(sse, steps[i].piece, strlen(steps[i].piece), &seen) == APR_SUCCESS
           && strcmp(seen.said, steps[i].said) == 0 && (int)seen.n_raw == steps[i].n_raw
           && (int)ai_sse_pending(sse) == steps[i].pending, "%s", steps[i].what);
    }
    i = (apr_size_t)seen.n_events;
    ok(ai_sse_end(sse, on_event, &seen) == APR_SUCCESS && seen.n_events == (int)i,
       "at a boundary the end says nothing");
    apr_pool_destroy(pool);
}

static void test_limits(void)
{
    static const char text[] = "data: 345\n\ndata: 34567\n\n";
    seen_t seen;
    apr_size_t n = sizeof(text) - 1, a, step;
    int same = 1;

    ok(run(text, n, n, n, 0, 13, &seen) == APR_SUCCESS && seen.n_events == 2,
       "an event as long as the limit");
    ok(run(text, n, n, n, 0, 12, &seen) == APR_ENOSPC && strcmp(seen.said, "|345;") == 0,
       "a longer one is refused, the one before it was handed on");
    for (a = 0; a <= n; a++) {
        same &= run(text, n, a, a, 0, 12, &seen) == APR_ENOSPC && strcmp(seen.said, "|345;") == 0;
        same &= run(text, n, a, a, 0, 13, &seen) == APR_SUCCESS && seen.n_events == 2;
    }
    for (step = 1; step < n; step++) {
        same &= run(text, n, 0, 0, step, 12, &seen) == APR_ENOSPC
                && strcmp(seen.said, "|345;") == 0;
    }
    ok(same, "the same for every split");
    ok(run("data: 34567", 11, 11, 11, 0, 10, &seen) == APR_ENOSPC, "also without an end in sight");
}

static void test_stopping(void)
{
    static const char text[] = "data: a\n\ndata: b\n\ndata: c\n\n";
    apr_pool_t *pool;
    seen_t seen;
    ai_sse_t *sse;

    memset(&seen, 0, sizeof(seen));
    seen.stop_at = 2;
    apr_pool_create(&pool, NULL);
    sse = ai_sse_create(pool, 100);
    ok(feed(sse, text, sizeof(text) - 1, &seen) == APR_EGENERAL, "what the callback says is said");
    ok(strcmp(seen.said, "|a;|b;") == 0, "and no event follows");
    ok(feed(sse, text, sizeof(text) - 1, &seen) == APR_EGENERAL && seen.n_events == 2,
       "the reader stays stopped");
    ok(ai_sse_end(sse, on_event, &seen) == APR_EGENERAL && seen.n_events == 2, "to the end");
    apr_pool_destroy(pool);
}

static apr_status_t on_large(void *baton, const ai_sse_event_t *event)
{
    apr_size_t *n_data = baton;
    apr_size_t i;

    *n_data = event->data.n;
    for (i = 0; i < event->data.n; i++) {
        if (event->data.p[i] != (i == 100 ? '\n' : 'x')) {
            return APR_EGENERAL;
        }
    }
    return APR_SUCCESS;
}

/* An event far larger than what buffers begin with, in two data lines and small pieces; twice. */
static void test_large(void)
{
    apr_size_t n = 1 << 20, i, n_data = 0;
    char *text = malloc(n);
    apr_pool_t *pool;
    ai_sse_t *sse;
    int round, good = 1;

    memset(text, 'x', n);
    memcpy(text, "data: ", 6);
    memcpy(text + 106, "\ndata: ", 7);
    memcpy(text + n - 2, "\n\n", 2);
    apr_pool_create(&pool, NULL);
    sse = ai_sse_create(pool, n);
    for (round = 0; round < 2; round++) {
        n_data = 0;
        for (i = 0; i < n; i += 1000) {
            good &= n_data == 0 && ai_sse_pending(sse) == i;
            good &= ai_sse_feed(sse, text + i, n - i < 1000 ? n - i : 1000, on_large, &n_data)
                    == APR_SUCCESS;
        }
        ok(good && n_data == n - 14 && ai_sse_pending(sse) == 0, "a megabyte in small pieces");
    }
    free(text);
    apr_pool_destroy(pool);
}

int main(void)
{
    apr_initialize();
    test_splits();
    test_promptness();
    test_limits();
    test_stopping();
    test_large();
    apr_terminate();
    return done();
}
