/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_span.c - reads "6m0s" and its kin.
 */
#include <string.h>

#include <apr_date.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_span.h"

#define SPAN_MAX_US (APR_INT64_C(300) * 366 * 86400 * 1000000)
#define EPOCH_S APR_INT64_C(1000000000)     /* a number from here on is a point in time */
#define EPOCH_MS APR_INT64_C(1000000000000) /* the same in milliseconds */

/* A decimal number: what is before the dot, and millionths. */
typedef struct number_t {
    apr_int64_t whole;
    apr_int64_t millionths;
} number_t;

/* Returns what is behind it, or NULL where there is none or too long a one. */
static const char *read_number(const char *at, number_t *number)
{
    apr_int64_t place = 100000;
    const char *begin = at;

    number->whole = number->millionths = 0;
    for (; apr_isdigit(*at); at++) {
        if (number->whole > SPAN_MAX_US) {
            return NULL;
        }
        number->whole = number->whole * 10 + (*at - '0');
    }
    if (at == begin) {
        return NULL;
    }
    if (*at == '.') {
        for (at++; apr_isdigit(*at); at++, place /= 10) {
            number->millionths += place * (*at - '0');
        }
    }
    return at;
}

/* The unit at text in nanoseconds, and what is behind it; 0 when there is none. */
static apr_int64_t read_unit(const char **at)
{
    static const struct {
        const char *name;
        apr_int64_t ns;
    } units[] = {
        { "ms", 1000000 }, { "us", 1000 }, { "\xc2\xb5s", 1000 }, { "ns", 1 }, /* before "m" */
        { "s", 1000000000 }, { "m", APR_INT64_C(60000000000) },
        { "h", APR_INT64_C(3600000000000) }, { "d", APR_INT64_C(86400000000000) },
    };
    apr_size_t i, n;

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        n = strlen(units[i].name);
        if (strncmp(*at, units[i].name, n) == 0) {
            *at += n;
            return units[i].ns;
        }
    }
    return 0;
}

/* Adds number times unit to *sum, in microseconds. Returns 0 when that is too much. */
static int add(apr_int64_t *sum, const number_t *number, apr_int64_t unit_ns)
{
    apr_int64_t us = number->millionths * (unit_ns / 1000) / 1000000;

    if (unit_ns < 1000) {
        us += (number->whole + 999) / 1000;
    }
    else if (number->whole > SPAN_MAX_US / (unit_ns / 1000)) {
        return 0;
    }
    else {
        us += number->whole * (unit_ns / 1000);
    }
    *sum += us;
    return *sum <= SPAN_MAX_US;
}

static apr_int64_t to_ms(apr_int64_t us)
{
    return (us + 999) / 1000;
}

static apr_int64_t until(apr_time_t then, apr_time_t now)
{
    apr_time_t us = then - now;

    return us <= 0 ? 0 : us > SPAN_MAX_US ? -1 : to_ms(us);
}

/* A number without a unit: seconds, or a point in time when it is that large. */
static apr_int64_t bare(const number_t *number, apr_time_t now)
{
    apr_int64_t us = 0;

    if (number->whole >= EPOCH_MS) {
        return number->whole > EPOCH_MS * 1000 ? -1
                                               : until(number->whole * 1000, now);
    }
    if (number->whole >= EPOCH_S) {
        return until(apr_time_from_sec(number->whole) + number->millionths, now);
    }
    return add(&us, number, APR_INT64_C(1000000000)) ? to_ms(us) : -1;
}

static int two_digits(const char *at)
{
    return apr_isdigit(at[0]) && apr_isdigit(at[1]) ? (at[0] - '0') * 10 + (at[1] - '0') : -1;
}

/* 1 when text has the shape: 0 stands for a digit, T for T, t or a space, the rest for itself. */
static int looks_like(const char *text, const char *shape)
{
    for (; *shape; shape++, text++) {
        if (*shape == '0' ? !apr_isdigit(*text)
            : *shape == 'T' ? *text == '\0' || !strchr("Tt ", *text) : *text != *shape) {
            return 0;
        }
    }
    return 1;
}

static int in_range(const apr_time_exp_t *when)
{
    return when->tm_year >= 70 && when->tm_mon >= 0 && when->tm_mon < 12 && when->tm_mday >= 1
           && when->tm_mday <= 31 && when->tm_hour < 24 && when->tm_min < 60
           && when->tm_sec <= 60;
}

/* "2026-10-21T07:28:00.5+02:00": looks_like() has seen its first 19 characters. */
static apr_int64_t rfc3339(const char *text, apr_time_t now)
{
    apr_time_exp_t when;
    apr_time_t then;
    number_t seconds;
    const char *zone = read_number(text + 17, &seconds);

    memset(&when, 0, sizeof(when));
    when.tm_year = two_digits(text) * 100 + two_digits(text + 2) - 1900;
    when.tm_mon = two_digits(text + 5) - 1;
    when.tm_mday = two_digits(text + 8);
    when.tm_hour = two_digits(text + 11);
    when.tm_min = two_digits(text + 14);
    when.tm_sec = (apr_int32_t)two_digits(text + 17);
    if (!zone || !in_range(&when)) {
        return -1;
    }
    if ((*zone == '+' || *zone == '-') && looks_like(zone + 1, "00:00") && !zone[6]) {
        when.tm_gmtoff = (two_digits(zone + 1) * 60 + two_digits(zone + 4)) * 60;
        when.tm_gmtoff = *zone == '-' ? -when.tm_gmtoff : when.tm_gmtoff;
    }
    else if ((*zone != 'Z' && *zone != 'z') || zone[1]) {
        return -1;
    }
    if (apr_time_exp_gmt_get(&then, &when) != APR_SUCCESS) {
        return -1;
    }
    return until(then + seconds.millionths, now);
}

apr_int64_t ai_span_ms(const char *text, apr_time_t now)
{
    apr_int64_t us = 0, unit;
    number_t number;
    const char *at;

    if (!text || !*text) {
        return -1;
    }
    if (looks_like(text, "0000-00-00T00:00:00")) {
        return rfc3339(text, now);
    }
    if (!apr_isdigit(*text)) {
        apr_time_t then = apr_isalpha(*text) ? apr_date_parse_http(text) : APR_DATE_BAD;

        return then == APR_DATE_BAD ? -1 : until(then, now);
    }
    at = read_number(text, &number);
    if (at && !*at) {
        return bare(&number, now);
    }
    while (at) {
        unit = read_unit(&at);
        if (!unit || !add(&us, &number, unit)) {
            return -1;
        }
        if (!*at) {
            return to_ms(us);
        }
        at = read_number(at, &number);
    }
    return -1;
}

const char *ai_span_text(apr_pool_t *p, apr_int64_t ms)
{
    apr_int64_t hours = ms / 3600000, minutes = ms / 60000 % 60;
    char *seconds;
    apr_size_t n;

    if (ms < 1000) {
        return apr_psprintf(p, "%" APR_INT64_T_FMT "ms", ms);
    }
    seconds = apr_psprintf(p, "%d.%03d", (int)(ms / 1000 % 60), (int)(ms % 1000));
    for (n = strlen(seconds); seconds[n - 1] == '0'; n--) {
    }
    seconds[seconds[n - 1] == '.' ? n - 1 : n] = '\0';
    if (hours) {
        return apr_psprintf(p, "%" APR_INT64_T_FMT "h%dm%ss", hours, (int)minutes, seconds);
    }
    return minutes ? apr_psprintf(p, "%dm%ss", (int)minutes, seconds)
                   : apr_pstrcat(p, seconds, "s", NULL);
}
