/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_pick.c - are the wanted members found for every split of the bytes?
 */
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "ai_pick.h"
#include "tap.h"

#define T(literal) literal, sizeof(literal) - 1
#define LIMIT 40

static const char *const names[] = { "usage", "model", NULL };

static const struct {
    const char *text;
    apr_size_t n;
    ai_pick_state_e state;
    const char *usage; /* NULL: absent */
    const char *model;
    const char *what;
} rows[] = {
    { T(""), AI_PICK_BEFORE, NULL, NULL, "nothing" },
    { T(" \r\n\t"), AI_PICK_BEFORE, NULL, NULL, "white space" },
    { T("{}"), AI_PICK_DONE, NULL, NULL, "an empty object" },
    { T("\n { } \n"), AI_PICK_DONE, NULL, NULL, "the same in white space" },
    { T("{\"model\":\"x\",\"usage\":{\"a\":1}}"), AI_PICK_DONE, "{\"a\":1}", "\"x\"", "both" },
    { T(" { \"usage\" : { \"a\" : [ 1 ] } , \"model\" : \"x\" } "), AI_PICK_DONE,
      "{ \"a\" : [ 1 ] }", "\"x\"", "white space around, not in the value" },
    { T("{\"usage\":null,\"model\":17}"), AI_PICK_DONE, "null", "17", "words" },
    { T("{\"usage\":true ,\"model\":-1.5e3 }"), AI_PICK_DONE, "true", "-1.5e3", "words and space" },
    { T("{\"a\":{\"usage\":1,\"model\":2},\"b\":[{\"usage\":3}]}"), AI_PICK_DONE, NULL, NULL,
      "only members of the object itself" },
    { T("{\"a\":\"usage\",\"b\":\"\\\"usage\\\":1\"}"), AI_PICK_DONE, NULL, NULL,
      "not what strings hold" },
    { T("{\"a\":\"}\",\"b\":[\"]}\",\"\\\\\"],\"usage\":[\"}\\\"\"]}"), AI_PICK_DONE,
      "[\"}\\\"\"]", NULL, "brackets and quotes in strings" },
    { T("{\"mod\\u0065l\":\"\\u0061\",\"\\u0075sage\":0}"), AI_PICK_DONE, "0", "\"\\u0061\"",
      "escaped keys are found, values are left as they are" },
    { T("{\"usag\":1,\"usages\":2,\"Usage\":3,\"\":4}"), AI_PICK_DONE, NULL, NULL, "exact names" },
    { T("{\"model\":\"\xE6\x97\xA5\xE6\x9C\xAC\"}"), AI_PICK_DONE, NULL,
      "\"\xE6\x97\xA5\xE6\x9C\xAC\"", "UTF-8" },
    { T("{\"usage\":1,\"usage\":{\"b\":2}}"), AI_PICK_DONE, "{\"b\":2}", NULL, "the last wins" },
    { T("{\"usage\":{\"b\":2},\"usage\":1}"), AI_PICK_DONE, "1", NULL, "also when it is shorter" },
    { T("{\"model\":\"34567890123456789012345678901234567890\"}"), AI_PICK_DONE, NULL,
      "\"34567890123456789012345678901234567890\"", "as long as the limit" },
    { T("{\"model\":\"345678901234567890123456789012345678901\",\"usage\":1}"), AI_PICK_DONE, "1",
      NULL, "one byte longer" },
    { T("{\"usage\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17],\"model\":1}"), AI_PICK_DONE, NULL,
      "1", "a long array" },
    { T("{\"usage\":1,\"usage\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}"), AI_PICK_DONE, NULL,
      NULL, "the last one, too long, wins too" },
    { T("{\"usage\":1"), AI_PICK_INSIDE, NULL, NULL, "cut in a number" },
    { T("{\"usage\":1,\"model\":\"x"), AI_PICK_INSIDE, "1", NULL, "cut in a string" },
    { T("{\"usage\":1,\"model\":\"x\\"), AI_PICK_INSIDE, "1", NULL, "cut in an escape" },
    { T("{\"usage\":{\"a\":1}"), AI_PICK_INSIDE, "{\"a\":1}", NULL, "cut behind a value" },
    { T("{\"usage\":{\"a\":{}"), AI_PICK_INSIDE, NULL, NULL, "cut in brackets" },
    { T("[]"), AI_PICK_BROKEN, NULL, NULL, "an array" },
    { T("<html>"), AI_PICK_BROKEN, NULL, NULL, "HTML" },
    { T("{\"usage\":1}x"), AI_PICK_BROKEN, "1", NULL, "bytes behind the end" },
    { T("{\"usage\":1}{"), AI_PICK_BROKEN, "1", NULL, "a second object" },
    { T("{usage:1}"), AI_PICK_BROKEN, NULL, NULL, "a bare key" },
    { T("{\"usage\" 1}"), AI_PICK_BROKEN, NULL, NULL, "no colon" },
    { T("{\"usage\":}"), AI_PICK_BROKEN, NULL, NULL, "no value" },
    { T("{\"usage\":,\"model\":1}"), AI_PICK_BROKEN, NULL, NULL, "a comma for a value" },
    { T("{\"usage\":1,}"), AI_PICK_BROKEN, "1", NULL, "a trailing comma" },
    { T("{\"usage\":1]"), AI_PICK_BROKEN, NULL, NULL, "closed as an array" },
    { T("{\"usage\":[1}"), AI_PICK_BROKEN, NULL, NULL, "brackets that do not match" },
    { T("{\"usage\":1\"model\":2}"), AI_PICK_BROKEN, NULL, NULL, "no comma behind a number" },
    { T("{\"usage\":\"1\"\"model\":2}"), AI_PICK_BROKEN, "\"1\"", NULL, "nor behind a string" },
};

static int is_value(const ai_pick_t *pick, int i, const char *want)
{
    ai_slice_t got = ai_pick_get(pick, i);

    return want ? got.p && ai_slice_is(got, want) : !got.p;
}

/* Feeds a piece as a copy of its own. */
static void feed(ai_pick_t *pick, const char *bytes, apr_size_t n)
{
    char *copy = malloc(n ? n : 1);

    memcpy(copy, bytes, n);
    ai_pick_feed(pick, copy, n);
    free(copy);
}

/* 1 if row i comes out right when it is cut at two places, or (step > 0) in pieces of step. */
static int is_right(apr_size_t i, apr_size_t a, apr_size_t b, apr_size_t step)
{
    const char *text = rows[i].text;
    apr_size_t n = rows[i].n, at;
    ai_pick_t *pick;
    apr_pool_t *pool;
    int right;

    apr_pool_create(&pool, NULL);
    pick = ai_pick_create(pool, names, LIMIT);
    if (step == 0) {
        feed(pick, text, a);
        feed(pick, text + a, b - a);
        feed(pick, text + b, n - b);
    }
    for (at = 0; step > 0 && at < n; at += step) {
        feed(pick, text + at, step < n - at ? step : n - at);
    }
    right = ai_pick_state(pick) == rows[i].state && is_value(pick, 0, rows[i].usage)
            && is_value(pick, 1, rows[i].model);
    apr_pool_destroy(pool);
    return right;
}

static void test_splits(void)
{
    apr_size_t i, a, b, step;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int right = 1;

        ok(is_right(i, 0, 0, 0), "%s", rows[i].what);
        for (a = 0; a <= rows[i].n && right; a++) {
            for (b = a; b <= rows[i].n && right; b++) {
                right = is_right(i, a, b, 0);
            }
        }
        ok(right, "%s: cut at any two places", rows[i].what);
        for (step = 1; step <= 9 && right; step++) {
            right = is_right(i, 0, 0, step);
        }
        ok(right, "%s: in pieces of 1 to 9 bytes", rows[i].what);
    }
}

static void test_depth(void)
{
    static const char *const one[] = { "a", NULL };
    char text[300] = "{\"a\":";
    ai_pick_t *pick;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    memset(text + 5, '[', 128);
    memset(text + 133, ']', 128);
    pick = ai_pick_create(pool, one, 256);
    ok(ai_pick_feed(pick, text, 261) == AI_PICK_INSIDE && ai_pick_get(pick, 0).n == 256,
       "128 levels are kept");
    ok(ai_pick_feed(pick, "}", 1) == AI_PICK_DONE, "and lead back out");
    text[133] = '[';
    pick = ai_pick_create(pool, one, 256);
    ok(ai_pick_feed(pick, text, 261) == AI_PICK_BROKEN, "129 are refused");
    ok(ai_pick_feed(pick, "}", 1) == AI_PICK_BROKEN, "and that stays");
    ok(!ai_pick_get(pick, 0).p && !ai_pick_get(pick, -1).p && !ai_pick_get(pick, 8).p,
       "nothing is got from it, nor from beside the names");
    apr_pool_destroy(pool);
}

/* Keys as long as is looked at and longer, at once and byte by byte. */
static void test_long_keys(void)
{
    static const char *const one[] = { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL };
    char text[2100];
    ai_pick_t *pick;
    apr_pool_t *pool;
    int n, i, at, right = 1;

    apr_pool_create(&pool, NULL);
    for (n = 0; n < 300; n++) {
        at = sprintf(text, "{\"");
        for (i = 0; i < n; i++) {
            at += sprintf(text + at, "\\u0061");
        }
        at += sprintf(text + at, "\":1}");
        pick = ai_pick_create(pool, one, 10);
        right &= ai_pick_feed(pick, text, (apr_size_t)at) == AI_PICK_DONE;
        right &= ai_slice_is(ai_pick_get(pick, 0), "1") == (n == 32);
        pick = ai_pick_create(pool, one, 10);
        for (i = 0; i < at; i++) {
            ai_pick_feed(pick, text + i, 1);
        }
        right &= ai_pick_state(pick) == AI_PICK_DONE;
        right &= ai_slice_is(ai_pick_get(pick, 0), "1") == (n == 32);
    }
    ok(right, "a key of 32 letters, all escaped, is found among shorter and longer ones");
    apr_pool_destroy(pool);
}

int main(void)
{
    apr_initialize();
    test_splits();
    test_depth();
    test_long_keys();
    apr_terminate();
    return done();
}
