/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_value.c - what do directives take, what do they refuse, and what do they say then?
 */
#include <apr_general.h>
#include <apr_pools.h>

#include "ai_value.h"
#include "tap.h"

static apr_pool_t *pool;

#define DAY APR_INT64_C(86400000)
#define UNSET -77 /* what *out holds before */
#define MOST APR_INT64_MAX

typedef const char *reader_fn(apr_pool_t *p, const char *text, apr_int64_t min, apr_int64_t max,
                              apr_int64_t *out);

typedef struct row_t {
    const char *text;
    apr_int64_t min;
    apr_int64_t max;
    apr_int64_t want; /* UNSET: refused */
} row_t;

static const row_t numbers[] = {
    { "0", 0, 10, 0 }, { "10", 0, 10, 10 }, { "007", 0, 10, 7 },
    { "9223372036854775807", 0, MOST, MOST }, { "1", 1, 1, 1 },
    { "11", 0, 10, UNSET }, { "0", 1, 10, UNSET }, { "9223372036854775808", 0, MOST, UNSET },
    { "99999999999999999999", 0, MOST, UNSET }, { "18446744073709551617", 0, MOST, UNSET },
    { "", 0, 10, UNSET }, { "-1", -5, 10, UNSET }, { "+1", 0, 10, UNSET }, { " 5", 0, 10, UNSET },
    { "5 ", 0, 10, UNSET }, { "5x", 0, 10, UNSET }, { "0x5", 0, 10, UNSET },
    { "5.0", 0, 10, UNSET }, { "5e0", 0, 10, UNSET }, { "1,000", 0, MOST, UNSET },
    { "five", 0, 10, UNSET }, { "Off", 0, 10, UNSET }, { "\xD9\xA5", 0, 10, UNSET },
};

static const row_t times[] = {
    { "1ms", 1, DAY, 1 }, { "5s", 1, DAY, 5000 }, { "5min", 1, DAY, 300000 },
    { "5h", 1, DAY, 18000000 }, { "1d", 1, DAY, DAY }, { "5S", 1, DAY, 5000 },
    { "5Min", 1, DAY, 300000 }, { "5MS", 1, DAY, 5 }, { "005s", 1, DAY, 5000 },
    { "0", 0, DAY, 0 }, { "0s", 0, DAY, 0 }, { "off", 0, DAY, 0 }, { "Off", 0, DAY, 0 },
    { "24h", 1, DAY, DAY }, { "86400000ms", 1, DAY, DAY },
    { "106751991167d", 0, MOST, APR_INT64_C(106751991167) * DAY },
    { "106751991168d", 0, MOST, UNSET }, { "213503982335d", 0, MOST, UNSET },
    { "99999999999999999999h", 0, MOST, UNSET },
    { "18446744073709551617ms", 0, MOST, UNSET }, { "9223372036854775808ms", 0, MOST, UNSET },
    { "25h", 1, DAY, UNSET }, { "86400001ms", 1, DAY, UNSET }, { "99ms", 100, DAY, UNSET },
    { "5", 1, DAY, UNSET }, { "5", 0, DAY, UNSET }, { "00", 0, DAY, UNSET },
    { "0", 1, DAY, UNSET }, { "0s", 1, DAY, UNSET }, { "Off", 1, DAY, UNSET },
    { "12x", 1, DAY, UNSET }, { "5m", 1, DAY, UNSET }, { "5us", 1, DAY, UNSET },
    { "5sec", 1, DAY, UNSET }, { "5ss", 1, DAY, UNSET }, { "1h30min", 1, DAY, UNSET },
    { "", 0, DAY, UNSET }, { "s", 0, DAY, UNSET }, { "-1", 0, DAY, UNSET },
    { "-1s", 0, DAY, UNSET }, { "+1s", 0, DAY, UNSET }, { " 5s", 0, DAY, UNSET },
    { "5 s", 0, DAY, UNSET }, { "5s ", 0, DAY, UNSET }, { "1.5s", 0, DAY, UNSET },
    { "On", 0, DAY, UNSET },
};

static const row_t sizes[] = {
    { "0", 0, MOST, 0 }, { "1", 0, MOST, 1 }, { "32m", 1, MOST, 33554432 },
    { "1k", 1, MOST, 1024 }, { "1K", 1, MOST, 1024 }, { "2g", 1, MOST, APR_INT64_C(2147483648) },
    { "1M", 1, 1048576, 1048576 }, { "1048576", 1, 1048576, 1048576 },
    { "8589934591g", 1, MOST, APR_INT64_C(8589934591) * 1073741824 },
    { "8589934592g", 1, MOST, UNSET }, { "17179869185g", 0, MOST, UNSET },
    { "9223372036854775808", 1, MOST, UNSET },
    { "99999999999999999999k", 1, MOST, UNSET }, { "1048577", 1, 1048576, UNSET },
    { "2m", 1, 1048576, UNSET }, { "0", 1, MOST, UNSET }, { "1023", 1024, MOST, UNSET },
    { "", 0, MOST, UNSET }, { "k", 0, MOST, UNSET }, { "-1", 0, MOST, UNSET },
    { "+1", 0, MOST, UNSET }, { " 1", 0, MOST, UNSET }, { "1 k", 0, MOST, UNSET },
    { "1kb", 0, MOST, UNSET }, { "1t", 0, MOST, UNSET }, { "1b", 0, MOST, UNSET },
    { "1.5m", 0, MOST, UNSET }, { "12x", 0, MOST, UNSET }, { "Off", 0, MOST, UNSET },
};

static void run(const char *kind, reader_fn *reader, const row_t *rows, apr_size_t n)
{
    apr_int64_t out;
    const char *said;
    apr_size_t i;

    for (i = 0; i < n; i++) {
        out = UNSET;
        said = reader(pool, rows[i].text, rows[i].min, rows[i].max, &out);
        if (rows[i].want == UNSET) {
            ok(said && out == UNSET && strstr(said, rows[i].text), "'%s' is no %s: %s",
               rows[i].text, kind, said ? said : "taken");
        }
        else {
            ok(!said && out == rows[i].want, "'%s' is a %s%s%s", rows[i].text, kind,
               said ? ": " : "", said ? said : "");
        }
    }
}

static void test_words(void)
{
    static const char *const words[] = { "abort", "serve", "wait", NULL };
    apr_int64_t out = UNSET;
    const char *said;

    ok(!ai_value_flag(pool, "On", &out) && out == 1, "On");
    ok(!ai_value_flag(pool, "oFF", &out) && out == 0, "oFF");
    out = UNSET;
    ok(ai_value_flag(pool, "1", &out) && out == UNSET, "1 is neither");
    ok(ai_value_flag(pool, "", &out) && ai_value_flag(pool, "On ", &out)
       && ai_value_flag(pool, "yes", &out) && out == UNSET, "nor are other words");
    ok(!ai_value_word(pool, "abort", words, &out) && out == 0, "the first word");
    ok(!ai_value_word(pool, "Wait", words, &out) && out == 2, "the last word, in another case");
    out = UNSET;
    said = ai_value_word(pool, "waits", words, &out);
    ok(said && out == UNSET && strstr(said, "'waits'") && strstr(said, "abort, serve or wait"),
       "another word is told which there are: %s", said ? said : "taken");
    ok(ai_value_word(pool, "", words, &out) && out == UNSET, "the empty word");
}

static void test_messages(void)
{
    static const struct {
        reader_fn *reader;
        const char *text;
        apr_int64_t min;
        apr_int64_t max;
        const char *want;
    } rows[] = {
        { ai_value_time, "12x", 1, 3600000,
          "'12x' is no time: a whole number with ms, s, min, h or d, from 1ms to 1h" },
        { ai_value_time, "5", 0, 90000, "'5' has no unit and is no time: "
          "a whole number with ms, s, min, h or d, from 0 to 90s, or Off" },
        { ai_value_time, "2h", 1, 3600000,
          "'2h' is too large a time: a whole number with ms, s, min, h or d, from 1ms to 1h" },
        { ai_value_size, "1", 1024, 33554432, "'1' is too small a size: "
          "a whole number of bytes, or one with k, m or g, from 1k to 32m" },
        { ai_value_number, "", 0, 10,
          "'' is no number: a whole number in decimal digits, from 0 to 10" },
    };
    apr_int64_t out;
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *said = rows[i].reader(pool, rows[i].text, rows[i].min, rows[i].max, &out);

        said = said ? said : "taken";
        is_bytes(said, strlen(said), rows[i].want, strlen(rows[i].want), rows[i].want);
    }
}

static void test_shown(void)
{
    static const struct {
        apr_int64_t amount;
        const char *time;
        const char *size;
    } rows[] = {
        { 0, "0", "0" }, { 1, "1ms", "1" }, { 1000, "1s", "1000" }, { 1024, "1024ms", "1k" },
        { 1536, "1536ms", "1536" }, { 90000, "90s", "90000" }, { 300000, "5min", "300000" },
        { 3600000, "1h", "3600000" }, { DAY, "1d", "84375k" }, { 33554432, "33554432ms", "32m" },
        { APR_INT64_C(1073741824), "1073741824ms", "1g" },
    };
    apr_int64_t out;
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *time = ai_value_show_time(pool, rows[i].amount);
        const char *size = ai_value_show_size(pool, rows[i].amount);

        is_bytes(time, strlen(time), rows[i].time, strlen(rows[i].time), "a time as text");
        is_bytes(size, strlen(size), rows[i].size, strlen(rows[i].size), "a size as text");
        ok(!ai_value_time(pool, time, 0, MOST, &out) && out == rows[i].amount, "%s reads back",
           time);
        ok(!ai_value_size(pool, size, 0, MOST, &out) && out == rows[i].amount, "%s reads back",
           size);
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    run("number", ai_value_number, numbers, sizeof(numbers) / sizeof(numbers[0]));
    run("time", ai_value_time, times, sizeof(times) / sizeof(times[0]));
    run("size", ai_value_size, sizes, sizeof(sizes) / sizeof(sizes[0]));
    test_words();
    test_messages();
    test_shown();
    apr_terminate();
    return done();
}
