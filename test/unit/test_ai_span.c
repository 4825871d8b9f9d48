/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_span.c - how long do headers say that it takes?
 */
#include <apr_general.h>

#include "ai_span.h"
#include "tap.h"

/* 2026-10-21T07:27:00Z */
#define NOW_S APR_INT64_C(1792567620)
#define DAY APR_INT64_C(86400000)

static const struct {
    const char *text;
    apr_int64_t want;
} spans[] = {
    /* what providers were seen to send */
    { "1s", 1000 }, { "6m0s", 360000 }, { "12ms", 12 }, { "7.66s", 7660 },
    { "1h2m3.5s", 3723500 }, { "37s", 37000 }, { "59", 59000 }, { "0", 0 }, { "0s", 0 },
    { "33011.382", 33011382 }, { "2m59.56s", 179560 }, { "1d", DAY }, { "24h0m0s", DAY },
    { "500us", 1 }, { "500\xc2\xb5s", 1 }, { "1ns", 1 }, { "1500000ns", 2 }, { "0.5", 500 },
    { "7.s", 7000 }, { "0.0000001s", 0 }, { "0.0001s", 1 },
    /* points in time */
    { "Wed, 21 Oct 2026 07:28:00 GMT", 60000 }, { "Wed, 21 Oct 2026 07:26:00 GMT", 0 },
    { "2026-10-21T07:28:00Z", 60000 }, { "2026-10-21t07:28:00z", 60000 },
    { "2026-10-21 07:27:00.25Z", 250 }, { "2026-10-21T09:28:00+02:00", 60000 },
    { "2026-10-21T02:58:00-04:30", 60000 }, { "2026-10-21T07:26:59Z", 0 },
    { "1970-01-01T00:00:00Z", 0 }, { "2028-02-29T00:00:00Z", 42827580000 },
    { "1792567680", 60000 }, { "1792567680.5", 60500 }, { "1792567620500", 500 },
    { "1000000000", 0 }, { "1000000000000", 0 },
    /* none */
    { NULL, -1 }, { "", -1 }, { "-1", -1 }, { "-1s", -1 }, { "+1", -1 }, { " 1", -1 },
    { "1 s", -1 }, { "1s ", -1 }, { "s", -1 }, { "1x", -1 }, { "1s2", -1 }, { "1s2x", -1 },
    { ".5", -1 }, { "1m-1s", -1 }, { "never", -1 }, { "Wed", -1 }, { "1,5", -1 },
    { "99999999999999999999", -1 }, { "9999999999999999999999s", -1 }, { "999999999h", -1 },
    { "109801d", -1 }, { "109799d23h", 109799 * DAY + 82800000 }, { "109799d24h1s", -1 },
    { "9000000000000000", -1 }, { "999999999999999", -1 },
    { "2026-13-21T07:28:00Z", -1 }, { "2026-00-21T07:28:00Z", -1 },
    { "2026-10-00T07:28:00Z", -1 }, { "2026-10-32T07:28:00Z", -1 },
    { "2026-10-21T24:28:00Z", -1 }, { "2026-10-21T07:60:00Z", -1 },
    { "2026-10-21T07:28:61Z", -1 }, { "2026-10-21T07:28:00", -1 },
    { "2026-10-21T07:28:00Zx", -1 }, { "2026-10-21T07:28:00+0200", -1 },
    { "2026-10-21T07:28:00+02:00x", -1 }, { "1969-12-31T23:59:59Z", -1 },
    { "2026-10-21", -1 }, { "2026-10-21T07:28", -1 },
};

static const struct {
    apr_int64_t ms;
    const char *want;
} texts[] = {
    { 0, "0ms" }, { 12, "12ms" }, { 999, "999ms" }, { 1000, "1s" }, { 7660, "7.66s" },
    { 1001, "1.001s" }, { 10000, "10s" }, { 360000, "6m0s" }, { 3600000, "1h0m0s" },
    { 3723500, "1h2m3.5s" }, { DAY, "24h0m0s" },
};

int main(void)
{
    apr_time_t now = apr_time_from_sec(NOW_S);
    apr_pool_t *pool;
    apr_size_t i;
    int back = 1;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        apr_int64_t is = ai_span_ms(spans[i].text, now);

        if (!ok(is == spans[i].want, "%s", spans[i].text ? spans[i].text : "no text")) {
            printf("# got %lld, want %lld\n", (long long)is, (long long)spans[i].want);
        }
    }
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *text = ai_span_text(pool, texts[i].ms);

        is_bytes(text, strlen(text), texts[i].want, strlen(texts[i].want), texts[i].want);
        back = back && ai_span_ms(text, now) == texts[i].ms;
    }
    ok(back, "what is written is read as the same");
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
