/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_key.c - do any bytes stay a key's text, a record and a file without harm, and is what was
 * read written and read again as the same?
 */
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "ai_chat.h"
#include "ai_key.h"
#include "fuzz.h"

static void check_text(ai_slice_t text)
{
    ai_slice_t id = { NULL, 0 };
    ai_key_form_e form = ai_key_look(text, &id);
    apr_size_t n = strlen(AI_KEY_PREFIX);

    must((form == AI_KEY_FOREIGN) == (text.n < n || memcmp(text.p, AI_KEY_PREFIX, n) != 0));
    must(form != AI_KEY_WELL
         || (text.n == AI_KEY_LENGTH && id.p == text.p + n && id.n == AI_KEY_ID));
}

/* What is written reads as what was written, and judges alike. */
static void check_key(apr_pool_t *p, const ai_key_t *key)
{
    ai_slice_t line = ai_key_write(p, key), again, shown = ai_key_show(p, key);
    const char *wrong = NULL;
    const ai_key_t *copy = ai_key_read(p, line, &wrong);
    ai_json_error_t err;
    ai_json_doc_t doc;
    apr_time_t now = apr_time_from_sec(1795219200);
    int i;

    must(copy && !memchr(line.p, '\n', line.n));
    again = ai_key_write(p, copy);
    must(again.n == line.n && memcmp(again.p, line.p, line.n) == 0);
    must(ai_json_parse(p, shown, AI_JSON_DEPTH, &doc, &err) == APR_SUCCESS);
    must(!ai_json_doc_get(&doc, "digest").p && !ai_json_doc_get(&doc, "next_digest").p);
    must(ai_key_judge(key, key->digest, now, NULL) == ai_key_judge(copy, key->digest, now, NULL));
    must(ai_key_allows_model(key, "gpt-4o") == ai_key_allows_model(copy, "gpt-4o"));
    for (i = 0; i < AI_ENDPOINTS_N; i++) {
        const char *word = ai_endpoint_name((ai_endpoint_e)i);

        must(ai_key_allows_endpoint(key, word) == ai_key_allows_endpoint(copy, word));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static apr_pool_t *root;
    ai_slice_t text = { n ? (const char *)bytes : NULL, n };
    const ai_keys_t *keys;
    const char *wrong = NULL;
    apr_pool_t *pool;
    int i;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    apr_pool_create(&pool, root);
    check_text(text);
    keys = ai_keys_read(pool, text, &wrong);
    must(!keys == (wrong != NULL));
    for (i = 0; keys && i < ai_keys_count(keys); i++) {
        const ai_key_t *key = ai_keys_at(keys, i);

        must(ai_keys_find(keys, ai_slice_of(key->id)) == key);
        must(ai_keys_line(keys, i).n <= AI_KEY_RECORD);
        check_key(pool, key);
    }
    apr_pool_destroy(pool);
    return 0;
}
