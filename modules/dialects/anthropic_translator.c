/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anthropic_translator.c - Anthropic's half of translation as one table, and its headers.
 *
 * Lives in: the pools it is given.  Shared state: none.  May block: no.
 */
#include <apr_strings.h>

#include "ai_field.h"
#include "ai_span.h"
#include "anthropic_translator.h"

/* -------------------------------------------------------------------------- limits */

static const char *limit_header(apr_pool_t *p, const char *what, const char *which)
{
    return apr_pstrcat(p, "anthropic-ratelimit-", what, "-", which, NULL);
}

static void write_limit(apr_table_t *headers, apr_pool_t *p, const char *what,
                        const ai_limit_t *limit, apr_time_t now)
{
    apr_time_exp_t when;

    if (limit->limit >= 0) {
        apr_table_setn(headers, limit_header(p, what, "limit"), apr_off_t_toa(p, limit->limit));
    }
    if (limit->remaining >= 0) {
        apr_table_setn(headers, limit_header(p, what, "remaining"),
                       apr_off_t_toa(p, limit->remaining));
    }
    if (limit->reset_ms >= 0) { /* whole seconds, rather later than too early */
        apr_time_exp_gmt(&when, now + limit->reset_ms * 1000 + APR_USEC_PER_SEC - 1);
        apr_table_setn(headers, limit_header(p, what, "reset"),
                       apr_psprintf(p, "%04d-%02d-%02dT%02d:%02d:%02dZ", when.tm_year + 1900,
                                    when.tm_mon + 1, when.tm_mday, when.tm_hour, when.tm_min,
                                    when.tm_sec));
    }
}

static void write_limits(apr_table_t *headers, apr_pool_t *p, const ai_limits_t *limits,
                         apr_time_t now)
{
    write_limit(headers, p, "requests", &limits->requests, now);
    write_limit(headers, p, "tokens", &limits->tokens, now);
}

static apr_int64_t read_count(const char *text)
{
    return text ? ai_field_tokens(ai_slice_of(text)) : -1;
}

static ai_limit_t read_limit(const apr_table_t *headers, const char *what, apr_time_t now)
{
    static const char *const which[] = { "limit", "remaining", "reset" };
    const char *texts[3];
    char name[64];
    int i;

    for (i = 0; i < 3; i++) {
        apr_snprintf(name, sizeof(name), "anthropic-ratelimit-%s-%s", what, which[i]);
        texts[i] = apr_table_get(headers, name);
    }
    return (ai_limit_t){ read_count(texts[0]), read_count(texts[1]), ai_span_ms(texts[2], now) };
}

static int is_known(const ai_limit_t *limit)
{
    return limit->limit >= 0 || limit->remaining >= 0 || limit->reset_ms >= 0;
}

static void read_limits(const apr_table_t *headers, apr_time_t now, ai_limits_t *limits)
{
    ai_limit_t requests = read_limit(headers, "requests", now);
    ai_limit_t tokens = read_limit(headers, "tokens", now);
    ai_limit_t input, output;

    if (is_known(&requests)) {
        limits->requests = requests;
    }
    if (!is_known(&tokens)) { /* of the two, the one that ends first */
        input = read_limit(headers, "input-tokens", now);
        output = read_limit(headers, "output-tokens", now);
        tokens = !is_known(&input)
                         || (output.remaining >= 0 && output.remaining < input.remaining)
                     ? output
                     : input;
    }
    if (is_known(&tokens)) {
        limits->tokens = tokens;
    }
}

/* ------------------------------------------------------------------------ the table */

static const char *chat_path(apr_pool_t *p, const char *model, int stream)
{
    (void)p;
    (void)model;
    (void)stream;
    return "/messages";
}

/* The older version: it has all that the newer one has, and sampling. */
static void set_head(apr_table_t *headers)
{
    apr_table_setn(headers, "anthropic-version", "2023-06-01");
}

static ai_slice_t write_count(apr_pool_t *p, apr_int64_t tokens)
{
    return ai_slice_of(
        apr_psprintf(p, "{\"input_tokens\":%" APR_INT64_T_FMT "}", tokens));
}

const ai_translator_t ai_anthropic_translator = {
    ai_anthropic_read_talk,
    ai_anthropic_begin_stream,
    ai_anthropic_write_delta,
    ai_anthropic_write_end,
    ai_anthropic_write_answer,
    write_limits,
    chat_path,
    set_head,
    ai_anthropic_write_talk,
    ai_anthropic_begin_read,
    ai_anthropic_read_deltas,
    ai_anthropic_read_whole,
    read_limits,
    write_count,
};
