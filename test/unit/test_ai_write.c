/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_write.c - is a text that is put together what was put in, and is what is long only
 * referred to?
 */
#include <stdlib.h>

#include <apr_general.h>

#include "ai_json.h"
#include "ai_write.h"
#include "tap.h"

static apr_pool_t *pool;

/* The slices in one piece, and their sum. */
static apr_size_t join(const apr_array_header_t *slices, char *into)
{
    apr_size_t n = 0;
    int i;

    for (i = 0; i < slices->nelts; i++) {
        ai_slice_t slice = APR_ARRAY_IDX(slices, i, ai_slice_t);

        memcpy(into + n, slice.p, slice.n);
        n += slice.n;
    }
    return n;
}

static void test_pieces(void)
{
    static char got[4096];
    ai_write_t w;
    apr_array_header_t *slices;
    apr_size_t n;

    ai_write_begin(pool, &w);
    is_number(ai_write_end(&w)->nelts, 0, "nothing is no slice");
    is_number((long long)w.total, 0, "and no byte");

    ai_write_begin(pool, &w);
    ai_write_literal(&w, "{\"n\":");
    ai_write_number(&w, 0);
    ai_write_literal(&w, ",\"m\":");
    ai_write_number(&w, -9223372036854775807 - 1);
    ai_write_literal(&w, ",\"s\":");
    ai_write_quoted(&w, AI_SLICE("a\"\\\n\x01\xff\xc3\xa4"));
    ai_write_literal(&w, ",\"j\":\"");
    ai_write_inner(&w, AI_SLICE("\"x\\n\""));
    ai_write_inner(&w, AI_SLICE("\"\""));
    ai_write_inner(&w, (ai_slice_t){ NULL, 0 });
    ai_write_inner(&w, AI_SLICE("\"y\""));
    ai_write_bytes(&w, (ai_slice_t){ NULL, 0 });
    ai_write_copy(&w, AI_SLICE(""));
    ai_write_literal(&w, "\"}");
    slices = ai_write_end(&w);
    n = join(slices, got);
    is_bytes(got, n, "{\"n\":0,\"m\":-9223372036854775808,\"s\":\"a\\\"\\\\\\n\\u0001\xef\xbf\xbd"
                     "\xc3\xa4\",\"j\":\"x\\ny\"}", 68, "numbers, quoted and joined strings");
    is_number((long long)w.total, (long long)n, "the total is what there is");
    is_number(slices->nelts, 1, "short pieces lie side by side");
}

static void test_long(void)
{
    static char bytes[AI_WRITE_LONG + 1], got[4 * AI_WRITE_LONG];
    ai_write_t w;
    apr_array_header_t *slices;
    ai_slice_t flat;
    int i, referred = 0;

    memset(bytes, 'x', sizeof(bytes));
    ai_write_begin(pool, &w);
    ai_write_literal(&w, "a");
    ai_write_bytes(&w, (ai_slice_t){ bytes, AI_WRITE_LONG });
    ai_write_literal(&w, "b");
    ai_write_bytes(&w, (ai_slice_t){ bytes, AI_WRITE_LONG - 1 });
    ai_write_copy(&w, (ai_slice_t){ bytes, AI_WRITE_LONG });
    slices = ai_write_end(&w);
    for (i = 0; i < slices->nelts; i++) {
        const char *p = APR_ARRAY_IDX(slices, i, ai_slice_t).p;

        referred += p >= bytes && p < bytes + sizeof(bytes);
        ok(APR_ARRAY_IDX(slices, i, ai_slice_t).n > 0, "slice %d is not empty", i);
    }
    is_number(referred, 1, "what is long is referred to, the rest is copied");
    is_number((long long)join(slices, got), 3 * AI_WRITE_LONG + 1, "nothing is missing");
    ok(got[0] == 'a' && got[1 + AI_WRITE_LONG] == 'b', "and all is in its place");

    ai_write_begin(pool, &w);
    ai_write_bytes(&w, (ai_slice_t){ bytes, AI_WRITE_LONG });
    flat = ai_write_flat(&w);
    ok(flat.p == bytes && flat.n == AI_WRITE_LONG, "one slice is flat already");

    ai_write_begin(pool, &w);
    ai_write_literal(&w, "a");
    ai_write_bytes(&w, (ai_slice_t){ bytes, AI_WRITE_LONG });
    flat = ai_write_flat(&w);
    ok(flat.n == AI_WRITE_LONG + 1 && flat.p[0] == 'a' && flat.p[1] == 'x', "several are joined");
}

/* Pieces of every length around the sizes that matter, each from memory that is gone after. */
static void test_lengths(void)
{
    apr_size_t n, i, wrong = 0, sum = 0;
    ai_write_t w;
    ai_slice_t flat;
    const char *at;

    ai_write_begin(pool, &w);
    for (n = 0; n < 2100; n++) {
        char *bytes = malloc(n + 1);

        memset(bytes, 'a' + (int)(n % 26), n);
        ai_write_copy(&w, (ai_slice_t){ bytes, n });
        free(bytes);
        sum += n;
    }
    flat = ai_write_flat(&w);
    is_number((long long)flat.n, (long long)sum, "copied pieces of 0 to 2099 bytes: the sum");
    for (n = 0, at = flat.p; n < 2100; n++) {
        for (i = 0; i < n; i++) {
            wrong += *at++ != 'a' + (char)(n % 26);
        }
    }
    is_number((long long)wrong, 0, "and every byte");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_pieces();
    test_long();
    test_lengths();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
