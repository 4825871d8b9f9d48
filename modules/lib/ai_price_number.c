/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_price_number.c - how much is "2.5e-06", exactly?
 *
 * Lives in: the pools it is given.  Shared state: none.  May block: no.
 */
#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_price.h"

/* What a double keeps of a decimal. A program that printed more printed a binary fraction:
 * 8.000000000000001e-07 is 0.0000008. */
#define DIGITS_SURE 15
/* More digits than any such program prints, or anybody writes. */
#define DIGITS_MOST 40
#define EXPONENT_MOST 400

/* A decimal: digits without leading zeros, times ten to the power of exponent. */
typedef struct decimal_t {
    char digit[DIGITS_MOST + 1];
    int n;
    int exponent;
} decimal_t;

static int add_digit(decimal_t *d, char c)
{
    if (d->n == 0 && c == '0') {
        return 1;
    }
    if (d->n == DIGITS_MOST) {
        return 0;
    }
    d->digit[d->n++] = (char)(c - '0');
    return 1;
}

/* The power behind an 'e'. at is behind it. */
static int read_power(const char *at, const char *end, int *power)
{
    int minus = at < end && *at == '-';

    if (at < end && (*at == '-' || *at == '+')) {
        at++;
    }
    if (at == end) {
        return 0;
    }
    for (*power = 0; at < end && apr_isdigit(*at); at++) {
        *power = *power > EXPONENT_MOST ? *power : *power * 10 + *at - '0';
    }
    *power = minus ? -*power : *power;
    return at == end;
}

/* JSON's grammar: no sign but '-', no leading zeros, a digit on both sides of the point. */
static int read_decimal(ai_slice_t text, decimal_t *d)
{
    const char *at = text.p, *end = text.p + text.n, *begin;
    int power = 0, minus = text.n && *at == '-';

    d->n = d->exponent = 0;
    at += minus;
    begin = at;
    for (; at < end && apr_isdigit(*at); at++) {
        if (!add_digit(d, *at)) {
            return 0;
        }
    }
    if (at == begin || (*begin == '0' && at > begin + 1)) {
        return 0;
    }
    if (at < end && *at == '.') {
        for (begin = ++at; at < end && apr_isdigit(*at); at++) {
            if (!add_digit(d, *at)) {
                return 0;
            }
            d->exponent--;
        }
        if (at == begin) {
            return 0;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        if (!read_power(at + 1, end, &power)) {
            return 0;
        }
        at = end;
    }
    d->exponent += power;
    return at == end && (!minus || d->n == 0);
}

/* To DIGITS_SURE, half up, where there are more; without zeros at the end. */
static void shorten(decimal_t *d)
{
    int i = DIGITS_SURE;

    if (d->n > DIGITS_SURE) {
        int up = d->digit[DIGITS_SURE] >= 5;

        d->exponent += d->n - DIGITS_SURE;
        d->n = DIGITS_SURE;
        while (up && i > 0 && ++d->digit[--i] > 9) {
            d->digit[i] = 0;
        }
        if (up && i == 0 && d->digit[0] == 0) { /* 999... became 1000... */
            d->digit[0] = 1;
            d->exponent++;
        }
    }
    while (d->n && d->digit[d->n - 1] == 0) {
        d->n--;
        d->exponent++;
    }
}

int ai_price_number(ai_slice_t text, int shift, apr_int64_t *number)
{
    apr_int64_t sum = 0;
    decimal_t d;
    int i, places;

    if (!text.p || !read_decimal(text, &d)) {
        return 0;
    }
    shorten(&d);
    places = d.n + d.exponent + shift; /* digits before the point */
    if (d.n && places > 16) {
        return 0;
    }
    for (i = 0; d.n && i < places; i++) {
        sum = sum * 10 + (i < d.n ? d.digit[i] : 0);
    }
    sum += d.n && places < d.n; /* zeros at the end were taken off: something is left behind it */
    if (sum > AI_PRICE_RATE_MAX) {
        return 0;
    }
    *number = sum;
    return 1;
}

const char *ai_price_decimal(apr_pool_t *p, apr_int64_t number, int places)
{
    apr_int64_t unit = 1;
    char *text, *end;
    int i;

    for (i = 0; i < places; i++) {
        unit *= 10;
    }
    text = apr_psprintf(p, "%" APR_INT64_T_FMT ".%0*" APR_INT64_T_FMT, number / unit, places,
                        number % unit);
    for (end = text + strlen(text); end[-1] == '0'; end--) {
        end[-1] = '\0';
    }
    if (end[-1] == '.') {
        end[-1] = '\0';
    }
    return text;
}
