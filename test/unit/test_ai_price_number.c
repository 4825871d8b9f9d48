/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_price_number.c - is every form of a price read exactly, and what is not exact rounded up,
 * once?
 */
#include <apr_general.h>
#include <apr_strings.h>

#include "ai_price.h"
#include "tap.h"

static apr_pool_t *pool;

static void reads(const char *text, int shift, long long want)
{
    apr_int64_t number = -7;
    int rc = ai_price_number(ai_slice_of(text), shift, &number);

    if (!ok(rc == 1 && number == want, "%s shifted by %d is %lld", text, shift, want)) {
        printf("# got %d, %lld\n", rc, (long long)number);
    }
}

static void refuses(const char *text)
{
    apr_int64_t number = -7;

    ok(!ai_price_number(ai_slice_of(text), 12, &number) && number == -7, "'%s' is refused", text);
}

static void test_forms(void)
{
    static const char *const same[] = { "0.0000025", "2.5e-06", "2.5E-6", "25e-7", "0.25e-5",
                                        "0.00000250000", "2500000e-12", "0.0000000000025e+6" };
    apr_size_t i;

    for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        reads(same[i], 12, 2500000);
    }
    reads("2.50", 6, 2500000);
    reads("10", 6, 10000000);
    reads("0", 12, 0);
    reads("0.0", 12, 0);
    reads("-0.0", 12, 0);
    reads("0e99", 12, 0);
    reads("0e-99", 12, 0);
    reads("1", 12, APR_INT64_C(1000000000000));
    reads("1000", 12, AI_PRICE_RATE_MAX);
    reads("1e3", 12, AI_PRICE_RATE_MAX);
    reads("1e-12", 12, 1);
    reads("1.5552", 12, APR_INT64_C(1555200000000));
}

/* What is less than a unit is a unit: a price is never read as a lower one. */
static void test_up(void)
{
    reads("1e-13", 12, 1);
    reads("1e-399", 12, 1);
    reads("0.9e-12", 12, 1);
    reads("1.1e-12", 12, 2);
    reads("3.59375e-08", 12, 35938);
    reads("1.41953125e-07", 12, 141954);
    reads("0.000283333333333", 12, 283333334);
}

/* Python prints 8 times 1e-7 so. Of such numbers 15 digits are sure, and those are meant. */
static void test_binary_fractions(void)
{
    reads("8.000000000000001e-07", 12, 800000);
    reads("2.9999900000000002e-06", 12, 2999990);
    reads("3.0001999999999996e-07", 12, 300020);
    reads("9.499999999999999e-07", 12, 950000);
    reads("9.999999999999999e-07", 12, 1000000);
    reads("99.99999999999999999", 12, APR_INT64_C(100000000000000));
    reads("4.6999999999999995e-07", 12, 470000);
    reads("1.142857142857143e-07", 12, 114286);
    reads("0.0002833333333333333", 12, 283333334);
}

/* All doubles of the form n * 10^-8, as a program prints them, are n * 10^4 pico-dollars. */
static void test_printed(void)
{
    int n, bad = 0;

    for (n = 0; n <= 100000; n++) {
        apr_int64_t number = -1;
        char text[40];

        snprintf(text, sizeof(text), "%.17g", n * 1e-8);
        bad += !ai_price_number(ai_slice_of(text), 12, &number) || number != n * APR_INT64_C(10000);
    }
    is_number(bad, 0, "100001 prices of 17 digits, printed from doubles");
}

static void test_refused(void)
{
    static const char *const wrong[] = {
        "", "-", "-1", "-1e-99", "+1", ".5", "5.", "1e", "1e+", "01", "00", "0x1", "1 ", " 1", "1,5",
        "1.2.3", "1e5.", "1e-5x", "NaN", "Infinity", "1000.1", "1001", "1e4", "1e99", "1e400", "1e999999999999",
        "99999999999999999999", "123456789012345678901234567890123456789012345", "\"1\"", "null",
    };
    apr_size_t i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        refuses(wrong[i]);
    }
    ok(!ai_price_number((ai_slice_t){ NULL, 0 }, 12, &(apr_int64_t){ 0 }), "nothing is refused");
}

static void writes(apr_int64_t number, int places, const char *want)
{
    const char *got = ai_price_decimal(pool, number, places);

    is_bytes(got, strlen(got), want, strlen(want), want);
}

static void test_decimals(void)
{
    writes(2500000, 6, "2.5");
    writes(0, 6, "0");
    writes(1, 6, "0.000001");
    writes(1000000, 6, "1");
    writes(10000000, 6, "10");
    writes(10, 0, "10");
    writes(1, 9, "0.000000001");
    writes(123456789012, 9, "123.456789012");
    writes(APR_INT64_MAX, 12, "9223372.036854775807");
}

/* What is written is read as the same. */
static void test_both_ways(void)
{
    apr_int64_t n, number;
    int bad = 0;

    for (n = 1; n < AI_PRICE_RATE_MAX / 4; n += n / 3 + 1) {
        const char *text = ai_price_decimal(pool, n, 12);

        bad += !ai_price_number(ai_slice_of(text), 12, &number) || number != n;
    }
    is_number(bad, 0, "what is written is read as the same number");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_forms();
    test_up();
    test_binary_fractions();
    test_printed();
    test_refused();
    test_decimals();
    test_both_ways();
    return done();
}
