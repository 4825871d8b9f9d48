/* SPDX-License-Identifier: Apache-2.0 */
/* test_ai_field.c - do the shared fields read what is there, and name the field that is wrong? */
#include <apr_general.h>
#include <apr_pools.h>

#include "ai_field.h"
#include "tap.h"

static apr_pool_t *pool;

static ai_json_doc_t parse(const char *body)
{
    ai_json_doc_t doc;
    ai_json_error_t wrong;

    if (ai_json_parse(pool, ai_slice_of(body), AI_JSON_DEPTH, &doc, &wrong) != APR_SUCCESS) {
        ok(0, "the test's own body is JSON: %s", body);
        memset(&doc, 0, sizeof(doc));
    }
    return doc;
}

/* 1 when the error is a 400 on that field with a message, or when both are absent. */
static int is_fault(const ai_error_t *error, const char *param)
{
    if (!error || !param) {
        return !error && !param;
    }
    return error->status == 400 && !error->code && error->message && error->message[0]
           && error->param && strcmp(error->param, param) == 0;
}

static void test_variants(void)
{
    static const char *const known[] = { "model", "max_tokens", NULL };
    static const char *const none[] = { NULL };
    static const struct {
        const char *body, *param;
    } bodies[] = {
        { "{}", NULL },
        { "{\"model\":1,\"max_tokens\":2,\"x\":3}", NULL },
        { "{\"mo\\u0064el\":1}", NULL },
        { "{\"models\":1,\"mode\":2,\"\":3,\"max-tokens\":4,\"maxtokens\":5}", NULL },
        { "{\"x\":{\"Model\":1},\"y\":[{\"MODEL\":1}]}", NULL },
        { "{\"Model\":1}", "model" },
        { "{\"model\":1,\"MODEL\":2}", "model" },
        { "{\"mo\\u0044el\":1}", "model" },
        { "{\"x\":1,\"max_Tokens\":1}", "max_tokens" },
        /* upper case beyond ASCII is another letter: U+212A is no k, U+017F no s */
        { "{\"max_to\\u212aens\":1,\"max_token\\u017f\":1}", NULL },
        { "{\"model\\u0000\":1,\"Model\\u0000\":2}", NULL },
    };
    ai_json_doc_t doc = parse("{\"Model\":1}");
    apr_size_t i;

    ok(!ai_field_variants(pool, &doc, none), "where nothing is known, nothing is a variant");
    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        doc = parse(bodies[i].body);
        ok(is_fault(ai_field_variants(pool, &doc, known), bodies[i].param), "variants: %s",
           bodies[i].body);
    }
    doc = parse("{\"Secret-Model\":1,\"MODEL\":2}");
    ok(!strstr(ai_field_variants(pool, &doc, known)->message, "MODEL"),
       "the message shows nothing of the body");
}

static void test_model(void)
{
    static const struct {
        const char *body, *model;
        int required, good;
    } bodies[] = {
        { "{\"model\":\"g\"}", "g", 1, 1 },
        { "{\"model\":\"g\\u00e4\\/\"}", "g\xc3\xa4/", 0, 1 },
        { "{\"model\":\" \"}", " ", 1, 1 },
        { "{}", NULL, 0, 1 },
        { "{}", NULL, 1, 0 },
        { "{\"Model\":\"g\",\"x\":{\"model\":\"g\"}}", NULL, 1, 0 },
        { "{\"model\":\"\"}", NULL, 0, 0 },
        { "{\"model\":null}", NULL, 0, 0 },
        { "{\"model\":7}", NULL, 0, 0 },
        { "{\"model\":[\"g\"]}", NULL, 0, 0 },
        { "{\"model\":true}", NULL, 0, 0 },
        { "{\"model\":\"a\\u0000\"}", NULL, 0, 0 },
        { "{\"model\":\"a\\nb\"}", NULL, 0, 0 },
        { "{\"model\":\"\\u001b[1m\"}", NULL, 0, 0 },
        { "{\"model\":\"a\x7f\"}", NULL, 0, 0 },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        ai_json_doc_t doc = parse(bodies[i].body);
        const char *model = "unset";
        const ai_error_t *error = ai_field_model(pool, &doc, bodies[i].required, &model);

        ok(is_fault(error, bodies[i].good ? NULL : "model")
               && strcmp(model ? model : "-", bodies[i].model ? bodies[i].model : "-") == 0,
           "model, %s: %s", bodies[i].required ? "required" : "not required", bodies[i].body);
    }
}

static void test_flag(void)
{
    static const struct {
        const char *body;
        int flag; /* -1: refused */
    } bodies[] = {
        { "{}", 0 },
        { "{\"stream\":true}", 1 },
        { "{\"stream\":false}", 0 },
        { "{\"stream\":null}", 0 },
        { "{\"x\":{\"stream\":true}}", 0 },
        { "{\"stream\":\"true\"}", -1 },
        { "{\"stream\":1}", -1 },
        { "{\"stream\":0}", -1 },
        { "{\"stream\":[]}", -1 },
        { "{\"stream\":{}}", -1 },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        ai_json_doc_t doc = parse(bodies[i].body);
        int flag = 7;
        const ai_error_t *error = ai_field_flag(pool, &doc, "stream", &flag);

        ok(bodies[i].flag < 0 ? is_fault(error, "stream") && flag == 7
                              : !error && flag == bodies[i].flag,
           "flag: %s", bodies[i].body);
    }
}

static void test_fault(void)
{
    const ai_error_t *error = ai_field_fault(pool, "x", "Words.");

    ok(is_fault(error, "x") && strcmp(error->message, "Words.") == 0, "a fault is as it was said");
}

static void test_count(void)
{
    static const struct {
        const char *object;
        apr_int64_t want;
    } objects[] = {
        { "{\"n\":0}", 0 },
        { "{\"n\":17}", 17 },
        { "{\"n\":3.0}", 3 },
        { "{\"n\":4e1}", 40 },
        { "{\"n\":-0}", 0 },
        { "{\"n\":1000000000000}", APR_INT64_C(1000000000000) },
        { "{\"n\":1000000000001}", -1 },
        { "{\"n\":9223372036854775807}", -1 },
        { "{\"n\":9223372036854775808}", -1 },
        { "{\"n\":1e400}", -1 },
        { "{\"n\":-1}", -1 },
        { "{\"n\":3.5}", -1 },
        { "{\"n\":\"3\"}", -1 },
        { "{\"n\":true}", -1 },
        { "{\"n\":null}", -1 },
        { "{\"n\":[3]}", -1 },
        { "{\"m\":{\"n\":3}}", -1 },
        { "{}", -1 },
        { "[3]", -1 },
        { "3", -1 },
        { "{\"n\":", -1 }, /* a provider's bytes: nobody checked them */
        { "", -1 },
    };
    ai_slice_t absent = { NULL, 0 };
    apr_size_t i;

    for (i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        is_number(ai_field_count(ai_slice_of(objects[i].object), "n"), objects[i].want,
                  objects[i].object);
    }
    is_number(ai_field_count(absent, "n"), -1, "a count of what is not there");
}

static void test_keep(void)
{
    apr_int64_t field = -1;

    ai_field_keep(&field, -1);
    is_number(field, -1, "unknown stays unknown");
    ai_field_keep(&field, 5);
    is_number(field, 5, "a value is kept");
    ai_field_keep(&field, -1);
    is_number(field, 5, "what is left out later stays");
    ai_field_keep(&field, 0);
    is_number(field, 0, "nought is a value");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_variants();
    test_model();
    test_flag();
    test_fault();
    test_count();
    test_keep();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
