/* SPDX-License-Identifier: Apache-2.0 */
/* test_ai_buffer.c - do bytes survive growing, and is memory given back? */

#include <string.h>

#include "ai_buffer.h"
#include "tap.h"

int main(void)
{
    ai_buffer_t buffer = { NULL, 0, 0 };
    int i, good = 1;

    ok(ai_buffer_reserve(&buffer, 4) == APR_SUCCESS && buffer.size == 4, "room for four");
    ai_buffer_add(&buffer, "abcd", 4);
    ok(ai_buffer_reserve(&buffer, 2) == APR_SUCCESS && buffer.size == 4, "less is no change");
    ok(ai_buffer_reserve(&buffer, 100000) == APR_SUCCESS && buffer.size == 100000, "more");
    ai_buffer_add(&buffer, "ef", 2);
    ai_buffer_add(&buffer, NULL, 0);
    ok(buffer.n == 6 && memcmp(buffer.p, "abcdef", 6) == 0, "the bytes are still there, in order");
    ok(ai_buffer_reserve(&buffer, ~(apr_size_t)0 / 2) == APR_ENOMEM, "too much is refused");
    ok(buffer.n == 6 && buffer.size == 100000 && memcmp(buffer.p, "abcdef", 6) == 0,
       "and changes nothing");
    ai_buffer_free(&buffer);
    ok(buffer.p == NULL && buffer.n == 0 && buffer.size == 0, "empty after it was freed");
    ok(ai_buffer_reserve(&buffer, 8) == APR_SUCCESS, "and can be used again");
    ai_buffer_add(&buffer, "12345678", 8);
    for (i = 0; i < 1000; i++) {
        good = good && ai_buffer_append(&buffer, "xyz", 3) == APR_SUCCESS;
    }
    ok(good && buffer.n == 3008 && memcmp(buffer.p, "12345678xyzxyz", 14) == 0
           && memcmp(buffer.p + 3002, "xyzxyz", 6) == 0,
       "a thousand pieces, in order");
    ok(buffer.size >= 3008 && buffer.size <= 2 * 3008, "with room for at most twice as much");
    ai_buffer_free(&buffer);
    return done();
}
