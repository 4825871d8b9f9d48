/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_redact.c - does a sieve take any bytes, does JSON stay JSON, and is nothing left to find?
 */
#include <string.h>

#include <apr_general.h>

#include "ai_json.h"
#include "ai_redact.h"
#include "fuzz.h"

static int is_json(apr_pool_t *p, ai_slice_t text)
{
    ai_json_doc_t doc;
    ai_json_error_t wrong;

    return ai_json_parse(p, text, AI_JSON_DEPTH, &doc, &wrong) == APR_SUCCESS;
}

/* The text's bytes without what stands between brackets are those that were there, in order. */
static void check_text(const ai_redact_t *redact, ai_slice_t text)
{
    ai_buffer_t out = { NULL, 0, 0 };
    apr_size_t found = 0;

    must(ai_redact_text(redact, text, &out, &found) == APR_SUCCESS);
    must(found || (out.n == text.n && (!out.n || memcmp(out.p, text.p, out.n) == 0)));
    must(!found || out.n <= text.n + found * 8);
    ai_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static apr_pool_t *root;
    static const ai_redact_t *all;
    ai_slice_t text = { n ? (const char *)bytes : NULL, n };
    ai_buffer_t out = { NULL, 0, 0 };
    apr_size_t found = 0;
    apr_pool_t *pool;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
        all = ai_redact_make(root, AI_REDACT_ALL);
    }
    apr_pool_create(&pool, root);
    check_text(all, text);
    must(ai_redact_body(all, pool, text, &out, &found) == APR_SUCCESS);
    must(found || (out.n == n && (!n || memcmp(out.p, text.p, n) == 0)));
    if (is_json(pool, text)) {
        must(is_json(pool, (ai_slice_t){ out.p, out.n }));
    }
    ai_buffer_free(&out);
    apr_pool_destroy(pool);
    return 0;
}
