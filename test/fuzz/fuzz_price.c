/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_price.c - whatever a price file says: is every entry that is read one that sums are right of?
 *
 * The first eight bytes of the input are tokens, the rest is the file. Of each entry the cost of some
 * usages is compared with the most that they may cost; and the whole of the input is also read as a
 * number.
 */
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "ai_price.h"
#include "fuzz.h"

#define HEAD 8

/* A usage of the entry's own making: parts may be larger than the whole, or not known. */
static ai_usage_t usage_of(const uint8_t *head, int turn)
{
    ai_usage_t usage = AI_USAGE_UNKNOWN;

    usage.prompt = (apr_int64_t)head[0] << (head[1] % 24);
    usage.completion = (apr_int64_t)head[2] << (head[3] % 24);
    usage.cached = turn & 1 ? (apr_int64_t)head[4] << (head[1] % 24) : -1;
    usage.written = turn & 2 ? (apr_int64_t)head[5] << (head[1] % 24) : -1;
    usage.written_1h = turn & 4 ? usage.written / 2 : -1;
    usage.reasoning = turn & 8 ? (apr_int64_t)head[6] << (head[3] % 24) : -1;
    usage.prompt_audio = turn & 16 ? head[7] : -1;
    usage.completion_audio = turn & 32 ? head[7] : -1;
    usage.searches = head[7] % 3;
    usage.seconds = head[6];
    usage.images = head[5] % 5;
    usage.characters = head[4];
    usage.service = (ai_service_e)(head[3] % (AI_SERVICES_N + 1));
    return usage;
}

static void check_entry(const ai_price_t *price, const uint8_t *head)
{
    apr_int64_t cost, most;
    apr_status_t rv, bound_rv;
    int i, k;

    must(price->key && price->origin);
    for (i = 0; i < price->n; i++) {
        const ai_price_line_t *line = &price->lines[i];

        must(line->above >= 0 && line->service < AI_SERVICES_N);
        must(i == 0 || line[-1].service <= line->service);
        for (k = 0; k < AI_RATES_N; k++) {
            must(line->rate[k] >= -1 && line->rate[k] <= AI_PRICE_RATE_MAX);
        }
    }
    for (i = 0; i < 64; i++) {
        ai_usage_t usage = usage_of(head, i), bound = usage;

        rv = ai_price_cost(price, &usage, &cost);
        must((rv == APR_SUCCESS) == (cost >= 0));
        must(!price->odd || rv == APR_NOTFOUND);
        bound_rv = ai_price_most(price, AI_SERVICES_ALL, &bound, &most);
        must(bound_rv != APR_SUCCESS || rv != APR_SUCCESS || most >= cost);
        must(rv != APR_ERANGE || bound_rv != APR_SUCCESS);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static apr_pool_t *root;
    const ai_price_book_t *book;
    ai_price_ask_t ask = { "a", NULL, NULL, 0, NULL };
    apr_array_header_t *odd;
    const char *wrong;
    apr_int64_t number;
    apr_pool_t *pool;
    int i;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    apr_pool_create(&pool, root);
    if (ai_price_number((ai_slice_t){ (const char *)bytes, n }, 12, &number)) {
        must(number >= 0 && number <= AI_PRICE_RATE_MAX);
    }
    if (n >= HEAD) {
        ai_slice_t text = { (const char *)bytes + HEAD, n - HEAD };

        odd = apr_array_make(pool, 4, sizeof(const char *));
        book = ai_price_read(pool, text, "f.json", NULL, odd, &wrong);
        must((book == NULL) == (wrong != NULL));
        for (i = 0; book && i < ai_price_count(book); i++) {
            const ai_price_t *price = ai_price_at(book, i), *found;

            check_entry(price, bytes);
            ask.model = price->key;
            found = ai_price_find(book, &ask);
            must(!found || !found->odd);
        }
    }
    apr_pool_destroy(pool);
    return 0;
}
