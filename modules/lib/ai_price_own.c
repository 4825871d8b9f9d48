/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_price_own.c - what does an AITargetPrice say?
 *
 * Lives in: the pools it is given.  Shared state: none.  May block: no.
 */
#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_price_book.h"
#include "ai_when.h"

/* Rates are said in USD a million tokens: ten to the power of 6 pico-dollars a token. */
#define SHIFT_MILLION 6
#define SHIFT_ONE 12

static const char *const rate_words[AI_RATES_N] = {
    [AI_RATE_PROMPT] = "input",
    [AI_RATE_CACHED] = "cached",
    [AI_RATE_WRITTEN] = "written",
    [AI_RATE_WRITTEN_1H] = "written-1h",
    [AI_RATE_WRITTEN_12H] = "written-12h",
    [AI_RATE_PROMPT_AUDIO] = "input-audio",
    [AI_RATE_PROMPT_IMAGE] = "input-image",
    [AI_RATE_COMPLETION] = "output",
    [AI_RATE_REASONING] = "reasoning",
    [AI_RATE_COMPLETION_AUDIO] = "output-audio",
    [AI_RATE_COMPLETION_IMAGE] = "output-image",
};

static const char *const unit_words[AI_UNITS_N] = {
    [AI_UNIT_REQUEST] = "request", [AI_UNIT_SEARCH] = "search",       [AI_UNIT_SECOND] = "second",
    [AI_UNIT_IMAGE] = "image",     [AI_UNIT_CHARACTER] = "character",
};

const char *ai_price_rate_word(ai_rate_e rate)
{
    return rate_words[rate];
}

const char *ai_price_unit_word(ai_unit_e unit)
{
    return unit_words[unit];
}

static const char *list_words(apr_pool_t *p)
{
    const char *all = rate_words[0];
    int i;

    for (i = 1; i < AI_RATES_N; i++) {
        all = apr_pstrcat(p, all, ", ", rate_words[i], NULL);
    }
    for (i = 0; i < AI_UNITS_N; i++) {
        all = apr_pstrcat(p, all, ", ", unit_words[i], NULL);
    }
    return apr_pstrcat(p, all, ", not-before", NULL);
}

/* Where "input" and its like go; NULL for another word. Out: shift, of its unit. */
static apr_int64_t *find_place(ai_price_t *price, ai_price_line_t *line, ai_slice_t word,
                               int *shift)
{
    int i;

    *shift = SHIFT_MILLION;
    for (i = 0; i < AI_RATES_N; i++) {
        if (ai_slice_is(word, rate_words[i])) {
            return &line->rate[i];
        }
    }
    *shift = SHIFT_ONE;
    for (i = 0; i < AI_UNITS_N; i++) {
        if (ai_slice_is(word, unit_words[i])) {
            return &price->unit[i];
        }
    }
    return NULL;
}

static const char *read_word(apr_pool_t *p, const char *arg, ai_price_t *price,
                             ai_price_line_t *line)
{
    const char *equals = strchr(arg, '=');
    ai_slice_t word = { arg, equals ? (apr_size_t)(equals - arg) : 0 };
    apr_int64_t *place;
    int shift;

    if (ai_slice_is(word, "not-before")) {
        return price->not_before ? "not-before: is said twice"
               : ai_when_read(equals + 1, &price->not_before)
                   ? NULL : apr_pstrcat(p, "not-before: '", equals + 1, "' is no day as 2026-12-01, "
                                        "and no time in UTC as 2026-12-01T00:00:00Z", NULL);
    }
    place = find_place(price, line, word, &shift);
    if (!place) {
        return apr_pstrcat(p, "'", arg, "' is none of ", list_words(p), ", each with '=' and a number",
                           NULL);
    }
    if (*place >= 0) {
        return apr_psprintf(p, "%.*s: is said twice", (int)word.n, word.p);
    }
    return ai_price_number(ai_slice_of(equals + 1), shift, place)
               ? NULL : apr_psprintf(p, "%s: must be USD %s, a number from 0 to %s", arg,
                                     shift == SHIFT_ONE ? "each" : "a million tokens",
                                     shift == SHIFT_ONE ? "1000" : "1000000000");
}

static const char *check_pattern(apr_pool_t *p, const char *pattern)
{
    const char *key = ai_price_key(p, pattern);

    return key && !strpbrk(key, "[]=")
               ? NULL : "the model must have 1 to 200 printable characters, with * for any characters "
                        "and ? for one, without '[', ']', '=' and '\\'";
}

/* NULL, or that the same is said already. */
static const char *check_twins(const apr_array_header_t *own, const ai_price_t *price)
{
    int i;

    for (i = 0; i < own->nelts; i++) {
        const ai_price_t *other = &APR_ARRAY_IDX(own, i, ai_price_t);

        if (strcmp(other->key, price->key) == 0 && other->not_before == price->not_before) {
            return "there is one already for the same models, from the same time on";
        }
    }
    return NULL;
}

const char *ai_price_own(apr_pool_t *p, int argc, const char *const *argv, apr_array_header_t *own)
{
    ai_price_line_t *line = apr_pcalloc(p, sizeof(*line));
    const char *wrong;
    ai_price_t price;
    int i, units = 0;

    if (argc < 2) {
        return apr_pstrcat(p, "needs a model, and one or more of ", list_words(p), NULL);
    }
    wrong = check_pattern(p, argv[0]);
    ai_price_begin(&price);
    for (i = 0; i < AI_RATES_N; i++) {
        line->rate[i] = -1;
    }
    for (i = 1; i < argc && !wrong; i++) {
        wrong = read_word(p, argv[i], &price, line);
    }
    if (wrong) {
        return wrong;
    }
    for (i = 0; i < AI_UNITS_N; i++) {
        units |= price.unit[i] >= 0;
    }
    ai_price_complete(line);
    if (line->rate[AI_RATE_PROMPT] < 0 && line->rate[AI_RATE_COMPLETION] < 0) {
        if (!units) {
            return "says no price: input and output are what a chat needs";
        }
    }
    else {
        price.lines = line;
        price.n = 1;
    }
    price.key = ai_price_key(p, argv[0]);
    price.origin = price.not_before
        ? apr_pstrcat(p, "AITargetPrice:", price.key, "@", ai_when_text(p, price.not_before), NULL)
        : apr_pstrcat(p, "AITargetPrice:", price.key, NULL);
    price.source = "AITargetPrice";
    wrong = check_twins(own, &price);
    if (!wrong) {
        APR_ARRAY_PUSH(own, ai_price_t) = price;
    }
    return wrong;
}
