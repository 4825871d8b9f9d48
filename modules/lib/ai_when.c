/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_when.c - reads and writes "2026-12-31T23:59:59Z".
 */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_when.h"

/* 1 when text has the shape: 0 stands for a digit, anything else for itself. */
static int has_shape(const char *text, const char *shape)
{
    for (; *shape; shape++, text++) {
        if (*shape == '0' ? !apr_isdigit(*text) : *text != *shape) {
            return 0;
        }
    }
    return *text == '\0';
}

static int two(const char *at)
{
    return (at[0] - '0') * 10 + (at[1] - '0');
}

int ai_when_read(const char *text, apr_time_t *when)
{
    apr_time_exp_t parts, back;
    apr_time_t read;

    memset(&parts, 0, sizeof(parts));
    if (has_shape(text, "0000-00-00T00:00:00Z")) {
        parts.tm_hour = two(text + 11);
        parts.tm_min = two(text + 14);
        parts.tm_sec = two(text + 17);
    }
    else if (!has_shape(text, "0000-00-00")) {
        return 0;
    }
    parts.tm_year = two(text) * 100 + two(text + 2) - 1900;
    parts.tm_mon = two(text + 5) - 1;
    parts.tm_mday = two(text + 8);
    if (parts.tm_year < 70 || parts.tm_mon < 0 || parts.tm_mon > 11
        || apr_time_exp_gmt_get(&read, &parts) != APR_SUCCESS || read <= 0
        || apr_time_exp_gmt(&back, read) != APR_SUCCESS) {
        return 0;
    }
    /* A 30th of February comes back as another day, a 61st second as another minute. */
    if (back.tm_mon != parts.tm_mon || back.tm_mday != parts.tm_mday
        || back.tm_hour != parts.tm_hour || back.tm_min != parts.tm_min
        || back.tm_sec != parts.tm_sec) {
        return 0;
    }
    *when = read;
    return 1;
}

const char *ai_when_text(apr_pool_t *p, apr_time_t when)
{
    apr_time_exp_t parts;

    memset(&parts, 0, sizeof(parts));
    apr_time_exp_gmt(&parts, when);
    return apr_psprintf(p, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900,
                        parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                        parts.tm_sec);
}
