/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_usage.c - tokens, endings and limits as OpenAI has them, and those who speak its API.
 *
 * Lives in: the pools it is given.  Shared state: none.  May block: no.
 */

#include <string.h>

#include <apr_strings.h>

#include "ai_field.h"
#include "ai_span.h"
#include "openai_translator.h"

/* ------------------------------------------------------------------------------ usage */

/* The members of a usage object that are read: chat completions and embeddings, the same in
 * Responses, DeepSeek's cache. */
enum {
    PROMPT, INPUT, COMPLETION, OUTPUT, TOTAL, PROMPT_DETAILS, INPUT_DETAILS, COMPLETION_DETAILS,
    OUTPUT_DETAILS, CACHE_HIT, SECONDS, USAGE_N
};

static const ai_slice_t usage_words[USAGE_N] = {
    [PROMPT] = AI_WORD("prompt_tokens"),
    [INPUT] = AI_WORD("input_tokens"),
    [COMPLETION] = AI_WORD("completion_tokens"),
    [OUTPUT] = AI_WORD("output_tokens"),
    [TOTAL] = AI_WORD("total_tokens"),
    [PROMPT_DETAILS] = AI_WORD("prompt_tokens_details"),
    [INPUT_DETAILS] = AI_WORD("input_tokens_details"),
    [COMPLETION_DETAILS] = AI_WORD("completion_tokens_details"),
    [OUTPUT_DETAILS] = AI_WORD("output_tokens_details"),
    [CACHE_HIT] = AI_WORD("prompt_cache_hit_tokens"),
    [SECONDS] = AI_WORD("seconds"),
};

/* The details that are read; what went into the cache has had other names. */
enum { CACHED, WRITTEN, CREATED, CREATED_INPUT, REASONED, AUDIO, PICTURES, DETAILS_N };

static const ai_slice_t detail_words[DETAILS_N] = {
    [CACHED] = AI_WORD("cached_tokens"),
    [WRITTEN] = AI_WORD("cache_write_tokens"),
    [CREATED] = AI_WORD("cache_creation_tokens"),
    [CREATED_INPUT] = AI_WORD("cache_creation_input_tokens"),
    [REASONED] = AI_WORD("reasoning_tokens"),
    [AUDIO] = AI_WORD("audio_tokens"),
    [PICTURES] = AI_WORD("image_tokens"),
};

static ai_slice_t object_of(ai_slice_t one, ai_slice_t other)
{
    return ai_json_type(one) == AI_JSON_OBJECT ? one : other;
}

int openai_read_usage(ai_slice_t object, ai_usage_t *usage)
{
    ai_slice_t found[USAGE_N], in[DETAILS_N], out[DETAILS_N];
    apr_int64_t prompt, completion, reasoning, total, cached;

    if (ai_json_type(object) != AI_JSON_OBJECT) {
        return 0;
    }
    ai_word_find(object, usage_words, USAGE_N, found);
    ai_word_find(object_of(found[PROMPT_DETAILS], found[INPUT_DETAILS]), detail_words, DETAILS_N,
                 in);
    ai_word_find(object_of(found[COMPLETION_DETAILS], found[OUTPUT_DETAILS]), detail_words,
                 DETAILS_N, out);
    prompt = ai_field_tokens(found[PROMPT].p ? found[PROMPT] : found[INPUT]);
    completion = ai_field_tokens(found[COMPLETION].p ? found[COMPLETION] : found[OUTPUT]);
    total = ai_field_tokens(found[TOTAL]);
    cached = ai_field_tokens(in[CACHED]);
    if (cached < 0) {
        cached = ai_field_tokens(found[CACHE_HIT]);
    }
    reasoning = ai_field_tokens(out[REASONED]);
    if (prompt >= 0 && completion >= 0 && total > prompt) {
        if (reasoning > 0 && prompt + completion + reasoning == total) {
            completion += reasoning; /* xAI counts reasoning beside, not inside, completion */
        }
        else if (completion == 0) {
            completion = total - prompt; /* seen from compatibility layers */
        }
    }
    ai_field_keep(&usage->prompt, prompt);
    ai_field_keep(&usage->completion, completion);
    ai_field_keep(&usage->cached, cached);
    ai_field_keep(&usage->reasoning, reasoning);
    ai_field_keep(&usage->written, ai_field_tokens(in[WRITTEN].p ? in[WRITTEN]
                                                   : in[CREATED].p ? in[CREATED]
                                                                   : in[CREATED_INPUT]));
    ai_field_keep(&usage->prompt_audio, ai_field_tokens(in[AUDIO]));
    ai_field_keep(&usage->prompt_image, ai_field_tokens(in[PICTURES]));
    ai_field_keep(&usage->completion_audio, ai_field_tokens(out[AUDIO]));
    ai_field_keep(&usage->completion_image, ai_field_tokens(out[PICTURES]));
    ai_field_keep(&usage->seconds, ai_field_tokens(found[SECONDS]));
    return prompt >= 0 || completion >= 0;
}

/* Adds "name":number to an object that is open, where the number is known. */
static void write_count(ai_write_t *out, const char **comma, const char *name, apr_int64_t number)
{
    if (number >= 0) {
        ai_write_copy(out, ai_slice_of(*comma));
        ai_write_copy(out, ai_slice_of(name));
        ai_write_number(out, number);
        *comma = ",";
    }
}

int openai_write_usage(const ai_usage_t *usage, ai_write_t *out)
{
    const char *comma = "";

    if (usage->prompt < 0 && usage->completion < 0) {
        return 0;
    }
    ai_write_literal(out, "{");
    write_count(out, &comma, "\"prompt_tokens\":", usage->prompt);
    write_count(out, &comma, "\"completion_tokens\":", usage->completion);
    if (usage->prompt >= 0 && usage->completion >= 0) {
        write_count(out, &comma, "\"total_tokens\":", usage->prompt + usage->completion);
    }
    if (usage->cached >= 0 || usage->written >= 0) {
        comma = "";
        ai_write_literal(out, ",\"prompt_tokens_details\":{");
        write_count(out, &comma, "\"cached_tokens\":", usage->cached);
        write_count(out, &comma, "\"cache_write_tokens\":", usage->written);
        ai_write_literal(out, "}");
    }
    if (usage->reasoning >= 0) {
        comma = "";
        ai_write_literal(out, ",\"completion_tokens_details\":{");
        write_count(out, &comma, "\"reasoning_tokens\":", usage->reasoning);
        ai_write_literal(out, "}");
    }
    ai_write_literal(out, "}");
    return 1;
}

/* ------------------------------------------------------------------------------ endings */

ai_finish_e openai_read_finish(ai_slice_t reason)
{
    if (ai_json_type(reason) != AI_JSON_STRING || reason.n <= 2) {
        return AI_FINISH_NONE;
    }
    if (ai_json_string_is(reason, "length")) {
        return AI_FINISH_LENGTH;
    }
    if (ai_json_string_is(reason, "tool_calls") || ai_json_string_is(reason, "function_call")) {
        return AI_FINISH_TOOL;
    }
    if (ai_json_string_is(reason, "model_length")) {
        return AI_FINISH_LENGTH; /* Mistral's word */
    }
    if (ai_json_string_is(reason, "content_filter")) {
        return AI_FINISH_FILTER;
    }
    return AI_FINISH_STOP;
}

const char *openai_finish_word(ai_finish_e finish, int called)
{
    switch (finish) {
    case AI_FINISH_LENGTH:
        return "length";
    case AI_FINISH_FILTER:
        return "content_filter";
    case AI_FINISH_TOOL:
        return "tool_calls";
    default: /* callers go by this word to know whether they have a tool to run */
        return called ? "tool_calls" : "stop";
    }
}

/* ------------------------------------------------------------------------------- limits */

/* The parts of a limit and the headers they come in. */
typedef struct limit_names_t {
    const char *limit;
    const char *remaining;
    const char *reset;
} limit_names_t;

static const limit_names_t requests = { "x-ratelimit-limit-requests",
                                        "x-ratelimit-remaining-requests",
                                        "x-ratelimit-reset-requests" };
static const limit_names_t tokens = { "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens",
                                      "x-ratelimit-reset-tokens" };

/* A whole number that is not negative (Azure has been seen to send -1), or -1. */
static apr_int64_t read_number(const char *text)
{
    return text ? ai_field_tokens(ai_slice_of(text)) : -1;
}

static void read_limit(const apr_table_t *headers, const limit_names_t *names, apr_time_t now,
                       ai_limit_t *limit)
{
    ai_field_keep(&limit->limit, read_number(apr_table_get(headers, names->limit)));
    ai_field_keep(&limit->remaining, read_number(apr_table_get(headers, names->remaining)));
    ai_field_keep(&limit->reset_ms, ai_span_ms(apr_table_get(headers, names->reset), now));
}

void openai_read_limits(const apr_table_t *headers, apr_time_t now, ai_limits_t *limits)
{
    read_limit(headers, &requests, now, &limits->requests);
    read_limit(headers, &tokens, now, &limits->tokens);
}

static void set_number(apr_table_t *headers, apr_pool_t *p, const char *name, apr_int64_t number)
{
    if (number >= 0) {
        apr_table_setn(headers, name, apr_psprintf(p, "%" APR_INT64_T_FMT, number));
    }
}

static void write_limit(apr_table_t *headers, apr_pool_t *p, const limit_names_t *names,
                        const ai_limit_t *limit)
{
    set_number(headers, p, names->limit, limit->limit);
    set_number(headers, p, names->remaining, limit->remaining);
    if (limit->reset_ms >= 0) {
        apr_table_setn(headers, names->reset, ai_span_text(p, limit->reset_ms));
    }
}

void openai_write_limits(apr_table_t *headers, apr_pool_t *p, const ai_limits_t *limits,
                         apr_time_t now)
{
    (void)now; /* OpenAI's are spans */
    write_limit(headers, p, &requests, &limits->requests);
    write_limit(headers, p, &tokens, &limits->tokens);
}
