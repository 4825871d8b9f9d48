/* SPDX-License-Identifier: Apache-2.0 */
/* What the answer with a JWK set says of how long it is good, in whatever headers come. How it is
 * fetched: t/auth/token_fetch.t. */
#include <apr_general.h>

#include "../../modules/auth/auth_fetch.c"

#include "tap.h"

static void is_age(const char *value, apr_int64_t want)
{
    is_number(read_max_age(value), want, value);
}

static void test_values(void)
{
    is_age("", -1);
    is_age("max-age=600", 600);
    is_age(" public, MAX-AGE=600 , immutable\r\n", 600);
    is_age("max-age=\"600\"", 600);
    is_age("max-age=0", 0);
    is_age("no-store", -1);
    is_age("s-maxage=600", -1);
    is_age("x-max-age=600", -1);
    is_age("max-age", -1);
    is_age("max-age=", -1);
    is_age("max-age=-1", -1);
    is_age("max-age= 600", -1);
    is_age("max-age=9999999999", APR_INT64_C(9999999999));
    is_age("max-age=99999999999", -1);
    is_age("max-age=99999999999999999999999999999999", -1);
    is_age(",,,, ,max-age=5", 5);
}

/* The age that a transfer has after these lines, each handed over as libcurl does. */
static apr_int64_t age_after(const char *const *lines)
{
    static transfer_t transfer;

    transfer.max_age = -1;
    for (; *lines; lines++) {
        char line[2 * HEADER_LONGEST];
        size_t n = strlen(*lines);

        memcpy(line, *lines, n); /* not ended by a NUL */
        if (take_header(line, 1, n, &transfer) != n) {
            return -2;
        }
    }
    return transfer.max_age;
}

static void test_lines(void)
{
    static char longest[HEADER_LONGEST + 32] = "Cache-Control: max-age=600,";
    static const char *const plain[] = { "HTTP/1.1 200 OK\r\n", "cache-control: max-age=600\r\n",
                                         "ETag: \"max-age=1\"\r\n", "\r\n", NULL };
    static const char *const proxied[] = { "HTTP/1.1 200 Connected\r\n", "Cache-Control: max-age=1\r\n",
                                           "\r\n", "HTTP/2 200\r\n", "\r\n", NULL };
    static const char *const twice[] = { "HTTP/1.1 200 OK\r\n", "Cache-Control: max-age=600\r\n",
                                         "Cache-Control: no-transform\r\n", NULL };
    static const char *const empty[] = { "HTTP/1.1 200 OK\r\n", "Cache-Control:", "Cache-Control",
                                         "Cache", "", NULL };
    const char *const too_long[] = { "HTTP/1.1 200 OK\r\n", longest, NULL };

    is_number(age_after(plain), 600, "the header, in whatever case, and no other");
    is_number(age_after(proxied), -1, "what a proxy says of itself is not the answer's");
    is_number(age_after(twice), 600, "the header twice is one list");
    is_number(age_after(empty), -1, "lines without a value");
    memset(longest + strlen(longest), 'x', sizeof(longest) - 1 - strlen(longest));
    is_number(age_after(too_long), -1, "one that is too long is not looked at");
}

int main(void)
{
    apr_initialize();
    test_values();
    test_lines();
    apr_terminate();
    return done();
}
