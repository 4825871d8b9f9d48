/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_road.c - do steps become texts that any reader of headers or JSON can take, of any length?
 */
#include <apr_general.h>
#include <apr_strings.h>

#include "ai_json.h"
#include "ai_road.h"
#include "tap.h"

static apr_pool_t *pool;

static void add(ai_road_t *road, const char *stage, const char *decision, const char *target,
                int status, const char *reason, apr_int64_t us)
{
    ai_road_step_t step = { stage, decision, target, status, reason, us };

    ai_road_add(road, &step);
}

static void is_text(const char *got, const char *want, const char *what)
{
    is_bytes(got, strlen(got), want, strlen(want), what);
}

static void test_texts(void)
{
    ai_road_t road;

    ai_road_begin(pool, &road);
    is_text(ai_road_text(pool, &road, 4096), "", "no step");
    is_text(ai_road_json(pool, &road, 4096), "[]", "no step, as JSON");
    ok(!ai_road_has(&road, "identify"), "nobody has said anything");
    add(&road, "identify", "ok", NULL, 0, "key", 12);
    add(&road, "decode", "ok", NULL, 0, NULL, 15);
    add(&road, "plan", "route", NULL, 0, "gpt-*", 20);
    add(&road, "plan", "targets", NULL, 0, "near far", 20);
    add(&road, "forward", "failed", "near", 503, "status", 400);
    add(&road, "forward", "failed", "near", 0, "connect", 401);
    add(&road, "forward", "answers", "far", 200, NULL, 900);
    ok(ai_road_has(&road, "identify") && !ai_road_has(&road, "record"), "who has said something");
    is_text(ai_road_text(pool, &road, 4096),
            "identify=ok;r=key;t=12, decode=ok;t=15, plan=route;r=gpt-*;t=20, "
            "plan=targets;r=\"near far\";t=20, forward=failed;r=\"near 503 status\";t=400, "
            "forward=failed;r=\"near connect\";t=401, forward=answers;r=\"far 200\";t=900",
            "a road");
    is_text(ai_road_json(pool, &road, 4096),
            "[{\"stage\":\"identify\",\"decision\":\"ok\",\"reason\":\"key\",\"us\":12},"
            "{\"stage\":\"decode\",\"decision\":\"ok\",\"us\":15},"
            "{\"stage\":\"plan\",\"decision\":\"route\",\"reason\":\"gpt-*\",\"us\":20},"
            "{\"stage\":\"plan\",\"decision\":\"targets\",\"reason\":\"near far\",\"us\":20},"
            "{\"stage\":\"forward\",\"decision\":\"failed\",\"reason\":\"near 503 status\",\"us\":400},"
            "{\"stage\":\"forward\",\"decision\":\"failed\",\"reason\":\"near connect\",\"us\":401},"
            "{\"stage\":\"forward\",\"decision\":\"answers\",\"reason\":\"far 200\",\"us\":900}]",
            "a road, as JSON");
}

static void test_bad_bytes(void)
{
    ai_road_t road;
    char bytes[256];
    int i;

    for (i = 0; i < 255; i++) {
        bytes[i] = (char)(i + 1);
    }
    bytes[255] = '\0';
    ai_road_begin(pool, &road);
    add(&road, "a b,", "x;y\"\r\nz", "t\xc3\xa4", 0, "q\"u\\o\r\nX: y", 1);
    is_text(ai_road_text(pool, &road, 4096),
            "a_b_=x_y___z;r=\"t?? q\\\"u\\\\o??X: y\";t=1", "bytes that end a header or a text");
    is_text(ai_road_json(pool, &road, 4096),
            "[{\"stage\":\"a_b_\",\"decision\":\"x_y___z\",\"reason\":\"t?? q\\\"u\\\\o??X: y\",\"us\":1}]",
            "the same as JSON");
    ai_road_begin(pool, &road);
    add(&road, "", "", NULL, 0, "", 1);
    is_text(ai_road_text(pool, &road, 4096), "_=_;t=1", "nothing at all is a token all the same");
    ai_road_begin(pool, &road);
    add(&road, bytes, bytes, bytes, 7, bytes, 1);
    ok(strlen(ai_road_text(pool, &road, 4096)) < 1024, "long words and reasons are cut");
}

/* Whatever there is, no text is longer than it may be, and each is well-formed. */
static void test_bounds(void)
{
    static const apr_size_t bounds[] = { 1024, 1100, 2048, 4096, 8192 };
    char *longest = apr_palloc(pool, 301);
    apr_size_t b;
    int n, bad = 0, whole = 0;

    memset(longest, '"', 300);
    longest[300] = '\0';
    for (n = 0; n < 3 * AI_ROAD_STEPS; n++) {
        for (b = 0; b < sizeof(bounds) / sizeof(bounds[0]); b++) {
            apr_pool_t *p;
            ai_road_t road;
            ai_json_doc_t doc;
            ai_json_error_t wrong;
            const char *text, *json, *end;
            int i;

            apr_pool_create(&p, pool);
            ai_road_begin(p, &road);
            for (i = 0; i < n; i++) {
                add(&road, "forward", "failed", "near", 503, i % 3 ? "status" : longest, i);
            }
            if (n) {
                add(&road, "forward", "answers", "far", 200, NULL, 77);
            }
            text = ai_road_text(p, &road, bounds[b]);
            json = ai_road_json(p, &road, bounds[b]);
            end = "forward=answers;r=\"far 200\";t=77";
            bad += road.n > AI_ROAD_STEPS || strlen(text) > bounds[b] || strlen(json) > bounds[b]
                   || ai_json_parse(p, ai_slice_of(json), AI_JSON_DEPTH, &doc, &wrong)
                          != APR_SUCCESS
                   || (n && strcmp(text + strlen(text) - strlen(end), end) != 0)
                   || (n >= AI_ROAD_STEPS && !strstr(text, "road=cut;t="))
                   || (n >= AI_ROAD_STEPS && !strstr(json, "{\"stage\":\"road\",\"decision\":\"cut\""));
            whole += n && n < AI_ROAD_STEPS && !strstr(text, "road=cut");
            apr_pool_destroy(p);
        }
    }
    ok(!bad, "no text is too long or broken, and each has the last step (%d wrong)", bad);
    ok(whole > 20, "and those that have room are whole (%d)", whole);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_texts();
    test_bad_bytes();
    test_bounds();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
