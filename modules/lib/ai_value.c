/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_value.c - is this what the directive takes, and how much is it?
 *
 * Numbers with and without units are read by one function over a table of units.
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "ai_value.h"

typedef struct unit_t {
    const char *name; /* "" for none */
    apr_int64_t size;
} unit_t;

/* Each table from the largest unit down, so that showing finds the largest that divides. */
static const unit_t times[] = {
    { "d", 86400000 }, { "h", 3600000 }, { "min", 60000 }, { "s", 1000 }, { "ms", 1 }, { NULL, 0 }
};

static const unit_t sizes[] = {
    { "g", 1073741824 }, { "m", 1048576 }, { "k", 1024 }, { "", 1 }, { NULL, 0 }
};

static const unit_t plain[] = { { "", 1 }, { NULL, 0 } };

/* What reading a text can come to. */
typedef enum fault_e { GOOD, NO_NUMBER, NO_UNIT, TOO_SMALL, TOO_LARGE } fault_e;

static fault_e read_number(const char *text, const unit_t *units, apr_int64_t min, apr_int64_t max,
                           apr_int64_t *out)
{
    const char *at = text;
    apr_int64_t number = 0;
    int overflow = 0;

    for (; *at >= '0' && *at <= '9'; at++) {
        int digit = *at - '0';

        overflow |= number > (APR_INT64_MAX - digit) / 10;
        number = overflow ? 0 : number * 10 + digit;
    }
    if (at == text) {
        return NO_NUMBER;
    }
    while (units->name && strcasecmp(units->name, at) != 0) {
        units++;
    }
    if (!units->name) {
        return *at ? NO_NUMBER : NO_UNIT;
    }
    if (overflow || number > APR_INT64_MAX / units->size || number * units->size > max) {
        return TOO_LARGE;
    }
    if (number * units->size < min) {
        return TOO_SMALL;
    }
    *out = number * units->size;
    return GOOD;
}

/*
 * The message for a fault. kind: what the text should have been ("time"); form: how it is
 * written, range: from where to where.
 */
static const char *complain(apr_pool_t *p, fault_e fault, const char *text, const char *kind,
                            const char *form, const char *range)
{
    const char *wrong = "";

    switch (fault) {
    case GOOD:
        return NULL;
    case NO_NUMBER:
        wrong = "is no";
        break;
    case NO_UNIT:
        wrong = "has no unit and is no";
        break;
    case TOO_SMALL:
        wrong = "is too small a";
        break;
    case TOO_LARGE:
        wrong = "is too large a";
        break;
    }
    return apr_psprintf(p, "'%s' %s %s: %s, %s", text, wrong, kind, form, range);
}

const char *ai_value_flag(apr_pool_t *p, const char *text, apr_int64_t *out)
{
    if (strcasecmp(text, "On") == 0) {
        *out = 1;
        return NULL;
    }
    if (strcasecmp(text, "Off") == 0) {
        *out = 0;
        return NULL;
    }
    return apr_psprintf(p, "'%s' is neither On nor Off", text);
}

const char *ai_value_number(apr_pool_t *p, const char *text, apr_int64_t min, apr_int64_t max,
                            apr_int64_t *out)
{
    fault_e fault = read_number(text, plain, min, max, out);

    if (fault == GOOD) {
        return NULL;
    }
    return complain(p, fault, text, "number", "a whole number in decimal digits",
                    apr_psprintf(p, "from %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT, min, max));
}

const char *ai_value_time(apr_pool_t *p, const char *text, apr_int64_t min, apr_int64_t max,
                          apr_int64_t *out)
{
    fault_e fault;

    if (min == 0 && (strcmp(text, "0") == 0 || strcasecmp(text, "Off") == 0)) {
        *out = 0;
        return NULL;
    }
    fault = read_number(text, times, min, max, out);
    if (fault == GOOD) {
        return NULL;
    }
    return complain(p, fault, text, "time", "a whole number with ms, s, min, h or d",
                    apr_psprintf(p, "from %s to %s%s", ai_value_show_time(p, min),
                                 ai_value_show_time(p, max), min == 0 ? ", or Off" : ""));
}

const char *ai_value_size(apr_pool_t *p, const char *text, apr_int64_t min, apr_int64_t max,
                          apr_int64_t *out)
{
    fault_e fault = read_number(text, sizes, min, max, out);

    if (fault == GOOD) {
        return NULL;
    }
    return complain(p, fault, text, "size", "a whole number of bytes, or one with k, m or g",
                    apr_psprintf(p, "from %s to %s", ai_value_show_size(p, min),
                                 ai_value_show_size(p, max)));
}

const char *ai_value_word(apr_pool_t *p, const char *text, const char *const *words,
                          apr_int64_t *out)
{
    const char *allowed = "";
    int i;

    for (i = 0; words[i]; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *out = i;
            return NULL;
        }
    }
    for (i = 0; words[i]; i++) {
        allowed = apr_pstrcat(p, allowed, i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i],
                              NULL);
    }
    return apr_psprintf(p, "'%s' is not allowed here: %s", text, allowed);
}

static const char *show(apr_pool_t *p, const unit_t *units, apr_int64_t amount)
{
    if (amount == 0) {
        return "0";
    }
    while (amount % units->size != 0) {
        units++;
    }
    return apr_psprintf(p, "%" APR_INT64_T_FMT "%s", amount / units->size, units->name);
}

const char *ai_value_show_time(apr_pool_t *p, apr_int64_t milliseconds)
{
    return show(p, times, milliseconds);
}

const char *ai_value_show_size(apr_pool_t *p, apr_int64_t bytes)
{
    return show(p, sizes, bytes);
}
