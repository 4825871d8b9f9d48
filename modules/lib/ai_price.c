/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_price.c - what did it cost, and how much can it cost?
 *
 * Sums are whole pico-dollars, checked at each step.
 *
 * Lives in: nothing.  Shared state: none.  May block: no.
 */
#include "ai_price.h"

#define PICO_A_NANO 1000

static apr_int64_t known(apr_int64_t count)
{
    return count > 0 ? count : 0;
}

static apr_int64_t smaller(apr_int64_t a, apr_int64_t b)
{
    return a < b ? a : b;
}

/* Adds count times rate. A rate that is not known is one that cannot be charged. */
static apr_status_t add(apr_int64_t *sum, apr_int64_t count, apr_int64_t rate)
{
    apr_int64_t product;

    if (count == 0) {
        return APR_SUCCESS;
    }
    if (rate < 0) {
        return APR_INCOMPLETE;
    }
    if (rate > APR_INT64_MAX / count) {
        return APR_ERANGE;
    }
    product = count * rate;
    if (*sum > APR_INT64_MAX - product) {
        return APR_ERANGE;
    }
    *sum += product;
    return APR_SUCCESS;
}

/* The line of a class of service, else of the standard one, for a prompt of so many tokens. */
static const ai_price_line_t *line_for(const ai_price_t *price, ai_service_e service,
                                       apr_int64_t prompt)
{
    const ai_price_line_t *line = NULL;
    int i;

    for (i = 0; i < price->n; i++) {
        if (price->lines[i].service == service
            && (price->lines[i].above == 0 || price->lines[i].above < prompt)) {
            line = &price->lines[i];
        }
    }
    return line || service == AI_SERVICE_STANDARD ? line
                                                  : line_for(price, AI_SERVICE_STANDARD, prompt);
}

/* ----------------------------------------------------------------------------- the cost */

/* Takes a part out of what is left of a whole. */
static apr_int64_t take(apr_int64_t *left, apr_int64_t part)
{
    part = smaller(known(part), *left);
    *left -= part;
    return part;
}

static apr_status_t cost_line(const ai_price_line_t *line, const ai_usage_t *usage,
                              apr_int64_t *sum)
{
    apr_int64_t count[AI_RATES_N] = { 0 }, left = known(usage->prompt);
    apr_status_t rv = APR_SUCCESS;
    int i;

    /* The order decides of parts that cannot all be in the whole: the dear ones come first. */
    count[AI_RATE_WRITTEN] = take(&left, usage->written);
    count[AI_RATE_WRITTEN_1H] = take(&count[AI_RATE_WRITTEN], usage->written_1h);
    count[AI_RATE_PROMPT_AUDIO] = take(&left, usage->prompt_audio);
    count[AI_RATE_PROMPT_IMAGE] = take(&left, usage->prompt_image);
    count[AI_RATE_CACHED] = take(&left, usage->cached);
    count[AI_RATE_PROMPT] = left;
    left = known(usage->completion);
    count[AI_RATE_COMPLETION_AUDIO] = take(&left, usage->completion_audio);
    count[AI_RATE_COMPLETION_IMAGE] = take(&left, usage->completion_image);
    count[AI_RATE_REASONING] = take(&left, usage->reasoning);
    count[AI_RATE_COMPLETION] = left;
    for (i = 0; i < AI_RATES_N && rv == APR_SUCCESS; i++) {
        rv = add(sum, count[i], line->rate[i]);
    }
    return rv;
}

/* 1 when nothing of these kinds costs anything, so that it need not be known how much there was. */
static int is_free(const ai_price_line_t *line, int from, int to)
{
    for (; from < to && line->rate[from] == 0; from++) {
        continue;
    }
    return from == to;
}

static apr_status_t cost_tokens(const ai_price_t *price, ai_service_e service,
                                const ai_usage_t *usage, apr_int64_t *sum)
{
    const ai_price_line_t *line = line_for(price, service, usage->prompt);

    if (!line || (usage->prompt < 0 && !is_free(line, 0, AI_RATE_COMPLETION))
        || (usage->completion < 0 && !is_free(line, AI_RATE_COMPLETION, AI_RATES_N))) {
        return APR_INCOMPLETE;
    }
    return cost_line(line, usage, sum);
}

/* By the dearest of the classes that there are, where the provider's word is none of them. */
static apr_status_t cost_dearest(const ai_price_t *price, const ai_usage_t *usage,
                                 apr_int64_t *sum)
{
    apr_status_t rv = APR_INCOMPLETE;
    apr_int64_t most = 0, one;
    int i;

    for (i = 0; i < AI_SERVICES_N; i++) {
        one = 0;
        rv = cost_tokens(price, (ai_service_e)i, usage, &one);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        most = one > most ? one : most;
    }
    *sum += most;
    return APR_SUCCESS;
}

/* What is charged by the second, the picture or the character. APR_INCOMPLETE: none of it is told. */
static apr_status_t add_units(const ai_price_t *price, const ai_usage_t *usage, apr_int64_t *sum)
{
    const apr_int64_t count[AI_UNITS_N] = {
        [AI_UNIT_SECOND] = usage->seconds,
        [AI_UNIT_IMAGE] = usage->images,
        [AI_UNIT_CHARACTER] = usage->characters,
    };
    apr_status_t rv = APR_INCOMPLETE;
    int i;

    for (i = AI_UNIT_SECOND; i <= AI_UNIT_CHARACTER; i++) {
        if (price->unit[i] >= 0 && count[i] >= 0) {
            rv = add(sum, count[i], price->unit[i]);
            if (rv != APR_SUCCESS) {
                return rv;
            }
        }
    }
    return rv;
}

static int has_units(const ai_price_t *price)
{
    return price->unit[AI_UNIT_SECOND] >= 0 || price->unit[AI_UNIT_IMAGE] >= 0
           || price->unit[AI_UNIT_CHARACTER] >= 0;
}

/* What each request and each search costs beside all else. */
static apr_status_t add_extras(const ai_price_t *price, const ai_usage_t *usage, apr_int64_t *sum)
{
    apr_status_t rv = add(sum, 1, known(price->unit[AI_UNIT_REQUEST]));

    return rv != APR_SUCCESS
               ? rv : add(sum, known(usage->searches), known(price->unit[AI_UNIT_SEARCH]));
}

/* Rounds the sum up; here and nowhere else. */
static apr_status_t finish(apr_status_t rv, apr_int64_t pico, apr_int64_t *nanousd)
{
    *nanousd = rv == APR_SUCCESS ? pico / PICO_A_NANO + (pico % PICO_A_NANO > 0) : -1;
    return rv;
}

apr_status_t ai_price_cost(const ai_price_t *price, const ai_usage_t *usage, apr_int64_t *nanousd)
{
    apr_status_t rv;
    apr_int64_t sum = 0;

    if (!price || price->odd) {
        return finish(APR_NOTFOUND, 0, nanousd);
    }
    if (price->n == 0 && !has_units(price)) { /* by the request, or by the search */
        rv = price->unit[AI_UNIT_REQUEST] < 0 && usage->searches < 0 ? APR_INCOMPLETE : APR_SUCCESS;
    }
    else if (price->n == 0 || (usage->prompt < 0 && usage->completion < 0 && has_units(price))) {
        rv = add_units(price, usage, &sum);
    }
    else {
        rv = usage->service == AI_SERVICE_OTHER
                 ? cost_dearest(price, usage, &sum)
                 : cost_tokens(price, usage->service, usage, &sum);
    }
    rv = rv == APR_SUCCESS ? add_extras(price, usage, &sum) : rv;
    return finish(rv, sum, nanousd);
}

/* ----------------------------------------------------------------------------- the most */

/* The dearest of some kinds; -1 where one is not known, and so could be dearer than all. */
static apr_int64_t dearest(const ai_price_line_t *line, int from, int to)
{
    apr_int64_t most = line->rate[from];

    for (; from < to && most >= 0; from++) {
        most = line->rate[from] < 0 ? -1 : line->rate[from] > most ? line->rate[from] : most;
    }
    return most;
}

static apr_status_t most_of_line(const ai_price_line_t *line, const ai_usage_t *bound,
                                 apr_int64_t *most)
{
    apr_int64_t in = dearest(line, 0, AI_RATE_COMPLETION), sum = 0;
    apr_int64_t out = dearest(line, AI_RATE_COMPLETION, AI_RATES_N);
    apr_status_t rv;

    if ((bound->prompt < 0 && in != 0) || (bound->completion < 0 && out != 0)) {
        return APR_INCOMPLETE;
    }
    rv = add(&sum, known(bound->prompt), in);
    rv = rv == APR_SUCCESS ? add(&sum, known(bound->completion), out) : rv;
    *most = sum > *most ? sum : *most;
    return rv;
}

/* 1 when a prompt within the bound, in one of those classes, can be charged by that line. */
static int can_apply(const ai_price_t *price, const ai_price_line_t *line, unsigned services,
                     const ai_usage_t *bound)
{
    unsigned there = 0;
    int i;

    for (i = 0; i < price->n; i++) {
        there |= AI_SERVICES(price->lines[i].service);
    }
    if (line->above > 0 && bound->prompt >= 0 && line->above >= bound->prompt) {
        return 0;
    }
    if (line->service == AI_SERVICE_STANDARD) { /* which also stands for those without lines */
        return (services & (~there | AI_SERVICES(AI_SERVICE_STANDARD))) != 0;
    }
    return (services & AI_SERVICES(line->service)) != 0;
}

apr_status_t ai_price_most(const ai_price_t *price, unsigned services, const ai_usage_t *bound,
                           apr_int64_t *nanousd)
{
    apr_int64_t most = 0, units = 0;
    apr_status_t rv = APR_SUCCESS;
    int i;

    if (!price || price->odd) {
        return finish(APR_NOTFOUND, 0, nanousd);
    }
    for (i = 0; i < price->n && rv == APR_SUCCESS; i++) {
        if (can_apply(price, &price->lines[i], services, bound)) {
            rv = most_of_line(&price->lines[i], bound, &most);
        }
    }
    if (rv == APR_SUCCESS && has_units(price)) { /* whichever of the two the provider goes by */
        rv = add_units(price, bound, &units);
        most = units > most ? units : most;
    }
    rv = rv == APR_SUCCESS ? add_extras(price, bound, &most) : rv;
    return finish(rv, most, nanousd);
}
