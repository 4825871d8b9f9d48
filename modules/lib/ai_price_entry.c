/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_price_entry.c - what does one entry of a price file say?
 *
 * A rate's member is named by what it is a rate of, with what it holds for behind it:
 * "input_cost_per_token_above_200k_tokens_priority".
 *
 * Lives in: the pools it is given.  Shared state: none.  May block: no.
 */
#include <stdlib.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_price_book.h"

static const struct {
    const char *name;
    ai_rate_e rate;
} rate_names[] = { /* a name stands before those that it begins with */
    { "cache_creation_input_token_cost_above_12hr", AI_RATE_WRITTEN_12H },
    { "cache_creation_input_token_cost_above_1hr", AI_RATE_WRITTEN_1H },
    { "cache_creation_input_token_cost", AI_RATE_WRITTEN },
    { "cache_read_input_token_cost", AI_RATE_CACHED },
    { "input_cost_per_token_cache_hit", AI_RATE_CACHED },
    { "input_cost_per_token", AI_RATE_PROMPT },
    { "input_cost_per_audio_token", AI_RATE_PROMPT_AUDIO },
    { "input_cost_per_image_token", AI_RATE_PROMPT_IMAGE },
    { "output_cost_per_reasoning_token", AI_RATE_REASONING },
    { "output_cost_per_audio_token", AI_RATE_COMPLETION_AUDIO },
    { "output_cost_per_image_token", AI_RATE_COMPLETION_IMAGE },
    { "output_cost_per_token", AI_RATE_COMPLETION },
};

#define RATE_NAMES_N ((int)(sizeof(rate_names) / sizeof(rate_names[0])))

static const char *const service_suffixes[AI_SERVICES_N] = {
    [AI_SERVICE_STANDARD] = NULL,         [AI_SERVICE_BATCH] = "_batches",
    [AI_SERVICE_FLEX] = "_flex",          [AI_SERVICE_PRIORITY] = "_priority",
    [AI_SERVICE_BALANCED] = "_balanced",  [AI_SERVICE_ULTRAFAST] = "_ultrafast",
};

/* Of some names the dearer is taken: that they mean two things that are paid for is not known. */
static const struct {
    const char *name;
    ai_unit_e unit;
} unit_names[] = {
    { "input_cost_per_request", AI_UNIT_REQUEST },
    { "search_context_cost_per_query", AI_UNIT_SEARCH },
    { "input_cost_per_query", AI_UNIT_SEARCH },
    { "input_cost_per_second", AI_UNIT_SECOND },
    { "output_cost_per_second", AI_UNIT_SECOND },
    { "input_cost_per_image", AI_UNIT_IMAGE },
    { "output_cost_per_image", AI_UNIT_IMAGE },
    { "input_cost_per_character", AI_UNIT_CHARACTER },
    { "output_cost_per_character", AI_UNIT_CHARACTER },
};

#define UNIT_NAMES_N ((int)(sizeof(unit_names) / sizeof(unit_names[0])))

/* One rate as it was said. */
typedef struct said_t {
    ai_rate_e rate;
    ai_service_e service;
    apr_int64_t above;
    apr_int64_t value;
} said_t;

void ai_price_begin(ai_price_t *price)
{
    int i;

    memset(price, 0, sizeof(*price));
    for (i = 0; i < AI_UNITS_N; i++) {
        price->unit[i] = -1;
    }
}

/* --------------------------------------------------------------------------- names */

/* "_above_200k_tokens" at at; its end, or at itself. */
static const char *read_above(const char *at, apr_int64_t *above)
{
    const char *digits = at + strlen("_above_");
    apr_int64_t n = 0;

    if (strncmp(at, "_above_", 7) != 0 || !apr_isdigit(*digits)) {
        return at;
    }
    for (; apr_isdigit(*digits) && n < APR_INT64_C(1000000000); digits++) {
        n = n * 10 + *digits - '0';
    }
    if (*digits == 'k') {
        n *= 1000;
        digits++;
    }
    if (strncmp(digits, "_tokens", 7) != 0) {
        return at;
    }
    *above = n;
    return digits + 7;
}

static const char *read_service(const char *at, ai_service_e *service)
{
    int i;

    for (i = 0; i < AI_SERVICES_N; i++) {
        apr_size_t n = service_suffixes[i] ? strlen(service_suffixes[i]) : 0;

        if (n && strncmp(at, service_suffixes[i], n) == 0) {
            *service = (ai_service_e)i;
            return at + n;
        }
    }
    return at;
}

/* 1 for the name of a rate; all but the value of said is set. */
static int read_name(const char *name, said_t *said)
{
    const char *at;
    int i;

    said->service = AI_SERVICE_STANDARD;
    said->above = 0;
    for (i = 0; i < RATE_NAMES_N; i++) {
        apr_size_t n = strlen(rate_names[i].name);

        if (strncmp(name, rate_names[i].name, n) == 0) {
            at = read_service(name + n, &said->service);
            at = read_above(at, &said->above);
            at = said->service == AI_SERVICE_STANDARD ? read_service(at, &said->service) : at;
            said->rate = rate_names[i].rate;
            return *at == '\0';
        }
    }
    return 0;
}

/* -------------------------------------------------------------------------- values */

/* 1 where there is a value, 0 for null; -1: it is no rate. */
static int read_value(ai_slice_t value, apr_int64_t *rate)
{
    if (ai_json_type(value) == AI_JSON_NULL) {
        return 0;
    }
    return ai_json_type(value) == AI_JSON_NUMBER && ai_price_number(value, 12, rate) ? 1 : -1;
}

static const char *no_rate(apr_pool_t *p, const char *name)
{
    return apr_pstrcat(p, name, ": must be a number from 0 to 1000", NULL);
}

static const char *add_said(apr_pool_t *p, const char *name, ai_slice_t value,
                            apr_array_header_t *all)
{
    said_t said;
    int rc;

    if (!read_name(name, &said)) {
        return NULL;
    }
    rc = read_value(value, &said.value);
    if (rc > 0) {
        APR_ARRAY_PUSH(all, said_t) = said;
    }
    return rc < 0 ? no_rate(p, name) : NULL;
}

static const char *add_unit(apr_pool_t *p, const char *name, ai_slice_t value, ai_price_t *price)
{
    ai_json_member_t member;
    ai_json_walk_t walk;
    const char *wrong = NULL;
    apr_int64_t rate;
    int i, rc;

    for (i = 0; i < UNIT_NAMES_N && strcmp(name, unit_names[i].name) != 0; i++) {
        continue;
    }
    if (i == UNIT_NAMES_N) {
        return NULL;
    }
    if (ai_json_type(value) == AI_JSON_OBJECT && ai_json_walk(&walk, value)) {
        while (!wrong && ai_json_next(&walk, &member) > 0) { /* a search by its size */
            wrong = ai_json_type(member.value) == AI_JSON_OBJECT
                        ? no_rate(p, name) : add_unit(p, name, member.value, price);
        }
        return wrong;
    }
    rc = read_value(value, &rate);
    if (rc > 0 && rate > price->unit[unit_names[i].unit]) {
        price->unit[unit_names[i].unit] = rate;
    }
    return rc < 0 ? no_rate(p, name) : NULL;
}

/* --------------------------------------------------------------------------- lines */

static apr_int64_t said_of(const apr_array_header_t *all, ai_rate_e rate, ai_service_e service,
                           apr_int64_t above)
{
    int i;

    for (i = 0; i < all->nelts; i++) {
        const said_t *said = &APR_ARRAY_IDX(all, i, said_t);

        if (said->rate == rate && said->service == service && said->above == above) {
            return said->value;
        }
    }
    return -1;
}

/* What is said for a class of service, else for the standard one. Reasoning is a part of the answer:
 * where a class has its own rate for that, it holds. */
static apr_int64_t said_for(const apr_array_header_t *all, ai_rate_e rate, ai_service_e service,
                            apr_int64_t above)
{
    apr_int64_t value = said_of(all, rate, service, above);

    if (value < 0 && rate == AI_RATE_REASONING && service != AI_SERVICE_STANDARD) {
        value = said_of(all, AI_RATE_COMPLETION, service, above);
    }
    return value >= 0 ? value : said_of(all, rate, AI_SERVICE_STANDARD, above);
}

static apr_int64_t larger(apr_int64_t a, apr_int64_t b)
{
    return a > b ? a : b;
}

void ai_price_complete(ai_price_line_t *line)
{
    apr_int64_t *rate = line->rate;
    int i;

    if (rate[AI_RATE_PROMPT] < 0) {
        rate[AI_RATE_PROMPT] = larger(rate[AI_RATE_PROMPT_AUDIO], rate[AI_RATE_PROMPT_IMAGE]);
    }
    if (rate[AI_RATE_COMPLETION] < 0) {
        rate[AI_RATE_COMPLETION] =
            larger(rate[AI_RATE_COMPLETION_AUDIO], rate[AI_RATE_COMPLETION_IMAGE]);
    }
    if (rate[AI_RATE_COMPLETION] == 0 && rate[AI_RATE_COMPLETION_IMAGE] > 0) {
        rate[AI_RATE_COMPLETION] = rate[AI_RATE_COMPLETION_IMAGE]; /* it writes pictures alone */
    }
    for (i = AI_RATE_CACHED; i < AI_RATE_COMPLETION; i++) {
        if (rate[i] < 0) {
            rate[i] = (i == AI_RATE_WRITTEN_1H || i == AI_RATE_WRITTEN_12H) ? rate[i - 1]
                                                                            : rate[AI_RATE_PROMPT];
        }
    }
    for (i = AI_RATE_REASONING; i < AI_RATES_N; i++) {
        rate[i] = rate[i] < 0 ? rate[AI_RATE_COMPLETION] : rate[i];
    }
}

static int compare(const void *a_in, const void *b_in)
{
    const ai_price_line_t *a = a_in, *b = b_in;

    if (a->service != b->service) {
        return (int)a->service - (int)b->service;
    }
    return (a->above > b->above) - (a->above < b->above);
}

/* The line of a class of service and a threshold, made where it is not there. */
static ai_price_line_t *line_of(ai_price_line_t *lines, int *n, ai_service_e service,
                                apr_int64_t above)
{
    int i;

    for (i = 0; i < *n; i++) {
        if (lines[i].service == service && lines[i].above == above) {
            return &lines[i];
        }
    }
    if (*n == AI_PRICE_LINES) {
        return NULL;
    }
    lines[*n].service = service;
    lines[*n].above = above;
    for (i = 0; i < AI_RATES_N; i++) {
        lines[*n].rate[i] = -1;
    }
    return &lines[(*n)++];
}

/* Which lines there are: of each class its own thresholds and the standard one's. 0: too many. */
static int lay_out(const apr_array_header_t *all, ai_price_line_t *lines, int *n)
{
    unsigned there = AI_SERVICES(AI_SERVICE_STANDARD);
    int i, k;

    for (i = 0; i < all->nelts; i++) {
        there |= AI_SERVICES(APR_ARRAY_IDX(all, i, said_t).service);
    }
    for (i = 0; i < all->nelts; i++) {
        const said_t *said = &APR_ARRAY_IDX(all, i, said_t);

        for (k = 0; k < AI_SERVICES_N; k++) {
            if ((there & AI_SERVICES(k))
                && ((int)said->service == k || said->service == AI_SERVICE_STANDARD)
                && (!line_of(lines, n, (ai_service_e)k, 0)
                    || !line_of(lines, n, (ai_service_e)k, said->above))) {
                return 0;
            }
        }
    }
    qsort(lines, (apr_size_t)*n, sizeof(lines[0]), compare);
    return 1;
}

/* A threshold changes the rates that it names; the others go on as below it. */
static void fill(const apr_array_header_t *all, ai_price_line_t *lines, int n)
{
    int i, k;

    for (i = 0; i < n; i++) {
        ai_price_line_t *line = &lines[i];
        const ai_price_line_t *below = line->above ? line - 1 : NULL;

        for (k = 0; k < AI_RATES_N; k++) {
            line->rate[k] = said_for(all, (ai_rate_e)k, line->service, line->above);
            if (line->rate[k] < 0 && below) {
                line->rate[k] = below->rate[k];
            }
        }
    }
    for (i = 0; i < n; i++) {
        apr_int64_t *rate = lines[i].rate;

        /* Nobody's reasoning stays cheap where the answer around it becomes dearer. */
        if (lines[i].above && rate[AI_RATE_REASONING] >= 0) {
            rate[AI_RATE_REASONING] = larger(rate[AI_RATE_REASONING], rate[AI_RATE_COMPLETION]);
        }
        ai_price_complete(&lines[i]);
    }
}

/* ---------------------------------------------------------------------- tiered_pricing */

/* One tier: {"range": [32000, 128000], "input_cost_per_token": ...}: it says all of its own. Tiers of
 * something else than tokens have no such range. */
static const char *read_tier(apr_pool_t *p, ai_slice_t tier, ai_price_line_t *lines, int *n)
{
    apr_array_header_t *all = apr_array_make(p, 8, sizeof(said_t));
    ai_slice_t range = ai_json_get(tier, "range");
    ai_json_member_t member, from;
    ai_json_walk_t walk;
    const char *name, *wrong = NULL;
    ai_price_line_t *line;
    apr_int64_t above;
    int i;

    if (ai_json_type(tier) == AI_JSON_OBJECT && !range.p) {
        return NULL;
    }
    if (ai_json_type(tier) != AI_JSON_OBJECT || ai_json_type(range) != AI_JSON_ARRAY
        || !ai_json_walk(&walk, range) || ai_json_next(&walk, &from) <= 0
        || ai_json_int(from.value, &above) != APR_SUCCESS || above < 0) {
        return "tiered_pricing: must be a list of objects with a range";
    }
    ai_json_walk(&walk, tier);
    while (!wrong && ai_json_next(&walk, &member) > 0) {
        name = apr_pstrmemdup(p, member.key.p, member.key.n);
        wrong = add_said(p, name, member.value, all);
    }
    if (wrong) {
        return apr_pstrcat(p, "tiered_pricing: ", wrong, NULL);
    }
    i = *n;
    line = line_of(lines, n, AI_SERVICE_STANDARD, above);
    if (!line || i == *n) {
        return "tiered_pricing: has too many tiers, or two of the same range";
    }
    for (i = 0; i < AI_RATES_N; i++) {
        line->rate[i] = said_of(all, (ai_rate_e)i, AI_SERVICE_STANDARD, 0);
    }
    ai_price_complete(line);
    return NULL;
}

static const char *read_tiers(apr_pool_t *p, ai_slice_t list, ai_price_line_t *lines, int *n)
{
    ai_json_member_t member;
    ai_json_walk_t walk;
    const char *wrong = NULL;

    if (ai_json_type(list) != AI_JSON_ARRAY || !ai_json_walk(&walk, list)) {
        return "tiered_pricing: must be a list";
    }
    while (!wrong && ai_json_next(&walk, &member) > 0) {
        wrong = read_tier(p, member.value, lines, n);
    }
    qsort(lines, (apr_size_t)*n, sizeof(lines[0]), compare);
    if (*n) {
        lines[0].above = 0;
    }
    return wrong;
}

/* ------------------------------------------------------------------------- the entry */

/* A short printable text, or NULL. */
static const char *text_of(apr_pool_t *p, ai_slice_t value)
{
    const char *text, *at;

    if (ai_json_string(p, value, &text, NULL) != APR_SUCCESS || !*text || strlen(text) > 1000) {
        return NULL;
    }
    for (at = text; *at; at++) {
        if (!apr_isprint(*at)) {
            return NULL;
        }
    }
    return text;
}

/* Where an answer's tokens are told, what they hold is not charged again by its seconds. */
static int is_of_text(ai_slice_t mode)
{
    return !mode.p || ai_json_string_is(mode, "chat") || ai_json_string_is(mode, "responses")
           || ai_json_string_is(mode, "completion") || ai_json_string_is(mode, "embedding");
}

/* xAI's higher rates begin at a threshold, not above it. */
static void shift(ai_price_line_t *lines, int n)
{
    int i;

    for (i = 0; i < n; i++) {
        lines[i].above -= lines[i].above > 0;
    }
}

const char *ai_price_entry(apr_pool_t *p, apr_pool_t *scratch, ai_slice_t value, ai_price_t *price)
{
    apr_array_header_t *all = apr_array_make(scratch, 16, sizeof(said_t));
    ai_price_line_t lines[AI_PRICE_LINES];
    ai_slice_t tiers = ai_json_get(value, "tiered_pricing");
    const char *name, *wrong = NULL;
    ai_json_member_t member;
    ai_json_walk_t walk;
    int n = 0;

    if (ai_json_type(value) != AI_JSON_OBJECT || !ai_json_walk(&walk, value)) {
        return "must be an object";
    }
    price->provider = text_of(p, ai_json_get(value, "litellm_provider"));
    price->source = text_of(p, ai_json_get(value, "source"));
    while (!wrong && ai_json_next(&walk, &member) > 0) {
        name = apr_pstrmemdup(scratch, member.key.p, member.key.n);
        wrong = add_said(scratch, name, member.value, all);
        wrong = wrong ? wrong : add_unit(scratch, name, member.value, price);
    }
    if (!wrong && tiers.p && ai_json_type(tiers) != AI_JSON_NULL) {
        wrong = read_tiers(scratch, tiers, lines, &n);
    }
    if (!wrong && n == 0) {
        wrong = lay_out(all, lines, &n)
                    ? NULL : apr_psprintf(scratch, "has more than %d thresholds", AI_PRICE_LINES);
        fill(all, lines, wrong ? 0 : n);
    }
    if (wrong) {
        return wrong;
    }
    if (price->provider && strcmp(price->provider, "xai") == 0) {
        shift(lines, n);
    }
    if (n && is_of_text(ai_json_get(value, "mode"))) {
        price->unit[AI_UNIT_SECOND] = price->unit[AI_UNIT_IMAGE] = -1;
        price->unit[AI_UNIT_CHARACTER] = -1;
    }
    price->lines = apr_pmemdup(p, lines, (apr_size_t)n * sizeof(lines[0]));
    price->n = n;
    return NULL;
}
