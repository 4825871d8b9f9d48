/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_filter.c - what does a filter ask for, and does this call have it?
 *
 * The database looks first (search_sql.c), and what it finds is judged here once more: what a filter
 * means does not hang on how an engine compares texts.
 */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_json_scan.h"
#include "ai_value.h"
#include "search.h"

#define LONGEST 1000
#define MOST_ALTERNATIVES 100

/* The longer ones first. */
static const struct {
    const char *text;
    search_operator_e operator;
} operators[] = {
    { "!=", SEARCH_IS_NOT },  { "!~", SEARCH_HAS_NOT }, { ">=", SEARCH_AT_LEAST },
    { "<=", SEARCH_AT_MOST }, { "=", SEARCH_IS },       { "~", SEARCH_HAS },
    { ">", SEARCH_ABOVE },    { "<", SEARCH_BELOW },
};

#define OPERATORS_N ((int)(sizeof(operators) / sizeof(operators[0])))

static int is_text_operator(search_operator_e operator)
{
    return operator == SEARCH_HAS || operator == SEARCH_HAS_NOT;
}

static int is_order(search_operator_e operator)
{
    return operator >= SEARCH_ABOVE;
}

/* Strict UTF-8, as the databases take it, and nothing that ends a text. */
static int is_utf8(const char *text)
{
    const char *end = text + strlen(text);
    apr_size_t n;

    while (text < end) {
        n = (unsigned char)*text < 0x80 ? 1 : ai_json_utf8(text, end);
        if (!n) {
            return 0;
        }
        text += n;
    }
    return 1;
}

/* ------------------------------------------------------------------------------- reading */

/* The end of the alternative that begins at text: a comma, but for one behind a backslash. */
static const char *alternative_end(const char *text)
{
    while (*text && *text != ',') {
        text += *text == '\\' && text[1] ? 2 : 1;
    }
    return text;
}

/* What a text without wildcards says; NULL: it has some. */
static const char *plain_of(apr_pool_t *p, const char *glob, int has_wildcards)
{
    char *plain = apr_pstrdup(p, glob), *to = plain;

    for (; *glob; glob++) {
        if (has_wildcards && (*glob == '*' || *glob == '?')) {
            return NULL;
        }
        glob += *glob == '\\' && glob[1];
        *to++ = *glob;
    }
    *to = '\0';
    return plain;
}

/* "-12", "0012" are numbers, too. */
static const char *read_number(apr_pool_t *p, const char *text, apr_int64_t *number)
{
    int minus = *text == '-';
    const char *wrong = ai_value_number(p, text + minus, 0, APR_INT64_MAX, number);

    *number = wrong ? 0 : minus ? -*number : *number;
    return wrong ? apr_psprintf(p, "'%s' is no whole number", search_visible(p, ai_slice_of(text)))
                 : NULL;
}

static const char *read_flag(apr_pool_t *p, const char *text, apr_int64_t *number)
{
    *number = strcmp(text, "1") == 0 || strcmp(text, "true") == 0;
    return *number || strcmp(text, "0") == 0 || strcmp(text, "false") == 0
               ? NULL
               : apr_psprintf(p, "'%s' is not 0 or 1", search_visible(p, ai_slice_of(text)));
}

static const char *read_alternative(apr_pool_t *p, const char *text, search_filter_t *filter)
{
    search_alternative_t *one = apr_array_push(filter->alternatives);

    one->glob = text;
    one->number = 0;
    one->plain = plain_of(p, text, !is_text_operator(filter->operator));
    if (is_text_operator(filter->operator)) {
        return *text ? NULL : "what is to be in it is missing";
    }
    if (!*text && !is_order(filter->operator)) {
        return NULL;
    }
    if (is_order(filter->operator) || filter->field.kind == SEARCH_NUMBER) {
        return read_number(p, text, &one->number);
    }
    return filter->field.kind == SEARCH_FLAG ? read_flag(p, text, &one->number) : NULL;
}

static const char *read_alternatives(apr_pool_t *p, const char *text, search_filter_t *filter)
{
    const char *end, *wrong;

    filter->alternatives = apr_array_make(p, 2, sizeof(search_alternative_t));
    for (;; text = end + 1) {
        end = alternative_end(text);
        wrong = read_alternative(p, apr_pstrmemdup(p, text, (apr_size_t)(end - text)), filter);
        if (wrong) {
            return wrong;
        }
        if (!*end) {
            return NULL;
        }
        if (is_order(filter->operator)) {
            return "takes one number";
        }
        if (filter->alternatives->nelts == MOST_ALTERNATIVES) {
            return "takes 100 alternatives at most";
        }
    }
}

/* Whether an operator fits a field. Fields with names of others' may hold anything. */
static const char *judge(const search_filter_t *filter)
{
    const search_field_t *field = &filter->field;
    int is_open = field->column < 0 && field->kind == SEARCH_TEXT && field->inner;

    if (field->kind == SEARCH_TIME) {
        return "say --since and --until";
    }
    if (is_text_operator(filter->operator) && field->kind != SEARCH_TEXT) {
        return "is a number: = != < <= > >= can be asked of it";
    }
    if (is_order(filter->operator) && field->kind != SEARCH_NUMBER && !is_open) {
        return "is a text: = != ~ !~ can be asked of it";
    }
    return NULL;
}

static const char *read_filter(apr_pool_t *p, const char *word, search_filter_t *filter)
{
    apr_size_t n = strcspn(word, "=!<>~");
    const char *wrong;
    int i;

    for (i = 0; i < OPERATORS_N; i++) {
        if (strncmp(word + n, operators[i].text, strlen(operators[i].text)) == 0) {
            break;
        }
    }
    if (i == OPERATORS_N || !n) {
        return "a filter is FIELD=VALUE, with = != < <= > >= ~ or !~";
    }
    filter->word = word;
    filter->operator = operators[i].operator;
    wrong = search_field_find(p, apr_pstrmemdup(p, word, n), &filter->field);
    wrong = wrong ? wrong : judge(filter);
    return wrong ? wrong : read_alternatives(p, word + n + strlen(operators[i].text), filter);
}

const char *search_filter_read(apr_pool_t *p, const char *word, search_filter_t *filter)
{
    const char *wrong = strlen(word) > LONGEST ? "a filter has 1000 bytes at most"
                        : !is_utf8(word) ? "a filter must be UTF-8"
                                         : read_filter(p, word, filter);

    return wrong ? apr_psprintf(p, "%s: %s", search_visible(p, ai_slice_of(word)), wrong) : NULL;
}

/* -------------------------------------------------------------------------------- judging */

/* One character of UTF-8, or a byte. */
static apr_size_t character(const char *at, const char *end)
{
    apr_size_t n = at < end && (unsigned char)*at >= 0x80 ? ai_json_utf8(at, end) : 1;

    return n ? n : 1;
}

/* Whether all of text is what a glob says. It goes back to the last star only, so it takes no more
 * than the product of the lengths. */
static int fits(const char *glob, ai_slice_t text)
{
    const char *at = text.p, *end = text.p + text.n, *star = NULL, *resume = NULL;

    for (;;) {
        const char *literal = glob + (*glob == '\\' && glob[1]);

        if (*glob == '*') {
            star = ++glob;
            resume = at;
        }
        else if (at == end && !*glob) {
            return 1;
        }
        else if (at < end && *glob == '?') {
            at += character(at, end);
            glob++;
        }
        else if (at < end && *literal && *literal == *at) {
            at++;
            glob = literal + 1;
        }
        else if (star && resume < end) {
            resume += character(resume, end);
            at = resume;
            glob = star;
        }
        else {
            return 0;
        }
    }
}

static int contains(ai_slice_t text, const char *part)
{
    return memmem(text.p, text.n, part, strlen(part)) != NULL;
}

static int fits_number(const search_filter_t *filter, const search_alternative_t *one,
                       const search_value_t *value)
{
    apr_int64_t number;

    if (filter->field.kind == SEARCH_FLAG) {
        return one->number == (ai_slice_is(value->text, "1") || ai_slice_is(value->text, "true"));
    }
    if (ai_json_int(value->text, &number) != APR_SUCCESS) {
        return 0;
    }
    switch (filter->operator) {
    case SEARCH_ABOVE:
        return number > one->number;
    case SEARCH_AT_LEAST:
        return number >= one->number;
    case SEARCH_BELOW:
        return number < one->number;
    case SEARCH_AT_MOST:
        return number <= one->number;
    default:
        return number == one->number;
    }
}

static int fits_value(const search_filter_t *filter, const search_alternative_t *one,
                      const search_value_t *value)
{
    if (is_text_operator(filter->operator)) {
        return contains(value->text, one->plain);
    }
    if (one->plain && !*one->plain) {
        return 0; /* it is there */
    }
    return filter->field.kind == SEARCH_TEXT && !is_order(filter->operator)
               ? fits(one->glob, value->text)
               : fits_number(filter, one, value);
}

/* Whether one alternative fits one of the values, or there is none and that was asked for. */
static int fits_any(const search_filter_t *filter, const apr_array_header_t *values)
{
    int i, k;

    for (i = 0; i < filter->alternatives->nelts; i++) {
        const search_alternative_t *one =
            &APR_ARRAY_IDX(filter->alternatives, i, search_alternative_t);

        if (!values->nelts && one->plain && !*one->plain) {
            return 1;
        }
        for (k = 0; k < values->nelts; k++) {
            if (fits_value(filter, one, &APR_ARRAY_IDX(values, k, search_value_t))) {
                return 1;
            }
        }
    }
    return 0;
}

int search_filter_passes(apr_pool_t *p, const search_filter_t *filter, const search_row_t *row)
{
    int negates = filter->operator == SEARCH_IS_NOT || filter->operator == SEARCH_HAS_NOT;

    return filter->field.feedback
           || fits_any(filter, search_values(p, row, &filter->field)) != negates;
}

int search_filter_needs_record(const search_filter_t *filter)
{
    return filter->field.column < 0 && !filter->field.feedback;
}
