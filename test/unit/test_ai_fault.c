/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_fault.c - does an error body tell what it says, in each shape, and harm in none?
 *
 * The shapes are those that ai_fault.c lists; what a dialect adds is in test_dialect_x.c.
 */
#include <stdlib.h>

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>

#include "ai_fault.h"
#include "ai_json.h"
#include "tap.h"

static apr_pool_t *pool;

/* message, code, param: NULL means that it stays as it was. */
typedef struct shape_t {
    const char *body, *message, *code, *param;
} shape_t;

static const shape_t shapes[] = {
    /* OpenAI and most others; Anthropic */
    { "{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":\"p\",\"code\":\"c\"}}", "m", "c",
      "p" },
    { "{\"error\":{\"message\":\"m\",\"param\":null,\"code\":null}}", "m", NULL, NULL },
    { "{\"type\":\"error\",\"error\":{\"type\":\"t\",\"message\":\"m\"},\"request_id\":\"r\"}", "m",
      NULL, NULL },
    /* Google */
    { "[{\"error\":{\"code\":400,\"message\":\"m\",\"status\":\"INVALID_ARGUMENT\"}}]", "m",
      "INVALID_ARGUMENT", NULL },
    { "{\"error\":{\"code\":429,\"status\":\"429\",\"message\":\"m\"}}", "m", "429", NULL },
    /* a bare string; xAI */
    { "{\"error\":\"m\"}", "m", NULL, NULL },
    { "{\"message\":\"m\"}", "m", NULL, NULL },
    { "{\"Message\":\"m\"}", "m", NULL, NULL },
    { "{\"detail\":\"m\"}", "m", NULL, NULL },
    { "{\"code\":\"Client specified an invalid argument\",\"error\":\"m\"}", "m", NULL, NULL },
    { "{\"code\":\"invalid-argument_2.0\",\"error\":\"m\"}", "m", "invalid-argument_2.0", NULL },
    /* FastAPI, also inside "message" */
    { "{\"detail\":[{\"loc\":[\"body\",\"messages\",0,\"role\"],\"msg\":\"m\"},{\"msg\":\"n\"}]}",
      "m", NULL, "role" },
    { "{\"message\":{\"detail\":[{\"loc\":[\"body\",\"n\"],\"msg\":\"m\"}]}}", "m", NULL, "n" },
    /* Cloudflare, Apigee */
    { "{\"success\":false,\"errors\":[{\"code\":3040,\"message\":\"m\"}]}", "m", "3040", NULL },
    { "{\"fault\":{\"faultstring\":\"m\",\"detail\":{\"errorcode\":\"a.b\"}}}", "m", "a.b", NULL },
    /* the inner text before the outer one */
    { "{\"message\":\"outer\",\"error\":{\"message\":\"m\"}}", "m", NULL, NULL },
    { "{\"message\":\"m\",\"code\":\"c\",\"error\":{\"type\":\"t\"}}", "m", "c", NULL },
    /* white space before; escapes */
    { " \r\n\t{\"error\":{\"message\":\"\\u00e4\\n\\ud83d\\ude00\"}}", "\xc3\xa4\n\xf0\x9f\x98\x80",
      NULL, NULL },
    /* not words */
    { "{\"error\":{\"message\":\"\",\"code\":\"\",\"param\":\"\"}}", NULL, NULL, NULL },
    { "{\"error\":{\"message\":7,\"code\":true,\"param\":[]}}", NULL, NULL, NULL },
    { "{\"error\":{\"message\":\"a\\u0000b\",\"code\":\"a\\u0000b\"}}", NULL, NULL, NULL },
    { "{\"error\":{\"code\":\"<b>\"},\"message\":\"m\"}", "m", NULL, NULL },
    /* nothing to find */
    { "{}", NULL, NULL, NULL },
    { "[]", NULL, NULL, NULL },
    { "[[{\"message\":\"m\"}]]", NULL, NULL, NULL },
    { "{\"error\":[]}", NULL, NULL, NULL },
    { "{\"error\":null}", NULL, NULL, NULL },
    { "\"m\"", NULL, NULL, NULL },
    { "null", NULL, NULL, NULL },
    { "", NULL, NULL, NULL },
    { " ", NULL, NULL, NULL },
    { "<html><body>502</body></html>", NULL, NULL, NULL },
};

static int is_part(const char *got, const char *want, const char *before)
{
    return strcmp(got ? got : "-", want ? want : before ? before : "-") == 0;
}

static void test_shapes(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        const shape_t *shape = &shapes[i];
        ai_error_t fresh = { 500, NULL, "before", NULL };
        ai_error_t told = { 500, "old-code", "before", "old-param" };

        ai_fault_read(pool, ai_slice_of(shape->body), &fresh);
        ai_fault_read(pool, ai_slice_of(shape->body), &told);
        ok(is_part(fresh.message, shape->message, "before")
               && is_part(fresh.code, shape->code, NULL)
               && is_part(fresh.param, shape->param, NULL) && fresh.status == 500,
           "told: %s", shape->body);
        ok(is_part(told.message, shape->message, "before")
               && is_part(told.code, shape->code, "old-code")
               && is_part(told.param, shape->param, "old-param") && told.status == 500,
           "the rest stays: %s", shape->body);
    }
}

/* Each body cut short at every byte, in memory of its own: a sanitizer sees what reads beyond. */
static void test_cut(void)
{
    apr_size_t i, n;

    for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        int bad = 0;

        for (n = 0; n < strlen(shapes[i].body); n++) {
            char *copy = malloc(n + 1);
            ai_error_t error = { 500, NULL, "before", NULL };
            apr_pool_t *p;

            apr_pool_create(&p, pool);
            memcpy(copy, shapes[i].body, n);
            ai_fault_read(p, (ai_slice_t){ copy, n }, &error);
            memset(copy, '#', n); /* what was told must not lie in the body */
            free(copy);
            bad += !error.message || !error.message[0] || error.status != 500
                   || strchr(error.message, '#') || (error.code && strchr(error.code, '#'));
            apr_pool_destroy(p);
        }
        ok(!bad, "cut at every byte: %s", shapes[i].body);
    }
}

/* Errors in errors in errors: some are followed, none costs a stack. */
static void test_depth(void)
{
    static const struct {
        int wraps, found;
    } depths[] = { { 1, 1 }, { 2, 1 }, { 4, 1 }, { 5, 0 }, { 50, 0 }, { 5000, 0 } };
    apr_size_t i;
    int w;

    for (i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
        apr_size_t n = (apr_size_t)depths[i].wraps, at = 0;
        char *body = apr_palloc(pool, n * 10 + 64);
        ai_error_t error = { 500, NULL, "before", NULL };

        for (w = 0; w < depths[i].wraps; w++) {
            memcpy(body + at, "{\"error\":", 9);
            at += 9;
        }
        memcpy(body + at, "{\"message\":\"m\"}", 15);
        at += 15;
        memset(body + at, '}', n);
        at += n;
        ai_fault_read(pool, (ai_slice_t){ body, at }, &error);
        ok(strcmp(error.message, depths[i].found ? "m" : "before") == 0, "wrapped %d times",
           depths[i].wraps);
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_shapes();
    test_cut();
    test_depth();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
