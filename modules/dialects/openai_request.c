/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_request.c - writes a chat request for OpenAI's API: settings and tools.
 *
 * What the model is known to refuse is left out and named as lost. Of what is not known, what most
 * servers of this API take is written.
 *
 * Lives in: the request's pool.  Shared state: none.  May block: no.
 */

#include <apr_strings.h>

#include "openai_translator.h"

#define STOPS_MAX 4 /* more are an error there */

/* ---------------------------------------------------------------------------- abilities */

static int is_default_one(ai_slice_t value)
{
    apr_int64_t number;

    return ai_json_int(value, &number) == APR_SUCCESS && number == 1;
}

/* The name that the model has for a member. */
static const char *renamed(const ai_ability_t *ability, const char *member)
{
    const char *const *pair;

    for (pair = ability->renames; pair && *pair; pair += 2) {
        if (strcmp(pair[0], member) == 0) {
            return pair[1];
        }
    }
    return member;
}

/* ------------------------------------------------------------------------------ options */

typedef struct member_t {
    ai_option_e option;
    const char *member;
} member_t;

static const member_t members[] = {
    { AI_OPTION_TEMPERATURE, "temperature" },
    { AI_OPTION_TOP_P, "top_p" },
    { AI_OPTION_SEED, "seed" },
    { AI_OPTION_FREQUENCY_PENALTY, "frequency_penalty" },
    { AI_OPTION_PRESENCE_PENALTY, "presence_penalty" },
    { AI_OPTION_LOGIT_BIAS, "logit_bias" },
    { AI_OPTION_LOGPROBS, "logprobs" },
    { AI_OPTION_TOP_LOGPROBS, "top_logprobs" },
    { AI_OPTION_USER, "user" },
    { AI_OPTION_STORE, "store" },
    { AI_OPTION_SERVICE_TIER, "service_tier" },
    { AI_OPTION_VERBOSITY, "verbosity" },
    { AI_OPTION_PREDICTION, "prediction" },
    { AI_OPTION_WEB_SEARCH, "web_search_options" },
    { AI_OPTION_CACHE_KEY, "prompt_cache_key" },
};

static void write_member(openai_request_t *q, const char *member, ai_slice_t value)
{
    ai_write_literal(q->out, ",\"");
    ai_write_copy(q->out, ai_slice_of(member));
    ai_write_literal(q->out, "\":");
    ai_write_bytes(q->out, value);
}

/* 1 for the two that have a default of 1, which is what a model does that takes no others. */
static int is_one_by_default(ai_option_e option)
{
    return option == AI_OPTION_TEMPERATURE || option == AI_OPTION_TOP_P;
}

/* 1 for what a model that thinks may refuse. */
static int is_sampling(ai_option_e option)
{
    return is_one_by_default(option) || option == AI_OPTION_LOGPROBS
           || option == AI_OPTION_TOP_LOGPROBS;
}

/* 1 when the option may not be sent; thinks: the request has the model think. */
static int is_refused(const openai_request_t *q, const member_t *member, int thinks)
{
    const ai_option_t *options = q->talk->options;

    if (ai_ability_refuses(q->ability, member->member)) {
        return 1;
    }
    if (member->option == AI_OPTION_TOP_P && q->ability->sampling == AI_SAMPLING_ONE_OF) {
        return options[AI_OPTION_TEMPERATURE].value.p != NULL;
    }
    return is_sampling(member->option) && thinks
           && q->ability->sampling == AI_SAMPLING_NO_THINKING;
}

static void write_options(openai_request_t *q, int thinks)
{
    unsigned carried = 0;
    apr_size_t i;

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        ai_slice_t value = q->talk->options[members[i].option].value;

        if (!value.p) {
            continue;
        }
        if (!is_refused(q, &members[i], thinks)) {
            write_member(q, members[i].member, value);
            carried |= 1u << members[i].option;
        }
        else if (is_one_by_default(members[i].option) && is_default_one(value)) {
            carried |= 1u << members[i].option; /* what the model does anyway */
        }
    }
    ai_sent_lose_options(q->talk, carried, q->sent);
}

static void write_max_tokens(openai_request_t *q)
{
    apr_int64_t most = q->ability->output, wanted = q->talk->max_tokens;

    if (wanted < 0) {
        return;
    }
    if (most > 0 && wanted > most) {
        wanted = most;
        ai_lost_add(q->sent->lost, q->talk->max_tokens_name);
    }
    ai_write_literal(q->out, ",\"");
    ai_write_copy(q->out, ai_slice_of(renamed(q->ability, "max_tokens")));
    ai_write_literal(q->out, "\":");
    ai_write_number(q->out, wanted);
}

static void write_stops(openai_request_t *q)
{
    const apr_array_header_t *stops = q->talk->stops;
    int n = ai_ability_refuses(q->ability, "stop") ? 0 : stops->nelts, i;

    n = n > STOPS_MAX ? STOPS_MAX : n;
    if (n < stops->nelts) {
        ai_lost_add(q->sent->lost, "stop_sequences");
    }
    for (i = 0; i < n; i++) {
        ai_write_copy(q->out, i ? AI_SLICE(",") : AI_SLICE(",\"stop\":["));
        ai_write_bytes(q->out, APR_ARRAY_IDX(stops, i, ai_slice_t));
    }
    if (n) {
        ai_write_literal(q->out, "]");
    }
}

/* ----------------------------------------------------------------------------- thinking */

/* How much the model is asked to think, as a word; AI_EFFORTS_N: nothing to be said. */
static ai_effort_e wanted_effort(const ai_talk_t *talk)
{
    if (talk->effort != AI_EFFORTS_N) {
        return talk->effort;
    }
    switch (talk->thinking) {
    case AI_THINK_OFF:
        return AI_EFFORT_NONE;
    case AI_THINK_BUDGET:
        return talk->thinking_budget < 2048   ? AI_EFFORT_LOW
               : talk->thinking_budget < 8192 ? AI_EFFORT_MEDIUM
                                              : AI_EFFORT_HIGH;
    case AI_THINK_ADAPTIVE:
        return AI_EFFORT_HIGH;
    default:
        return AI_EFFORTS_N;
    }
}

/* Writes it and returns whether the model will think as far as one can tell. */
static int write_effort(openai_request_t *q)
{
    const ai_ability_t *ability = q->ability;
    ai_effort_e effort = wanted_effort(q->talk);
    int takes = (!ability->thinking || (ability->thinking & AI_THINKING_EFFORT))
                && !ai_ability_refuses(ability, "reasoning_effort");
    int can_think = ability->thinking && !(ability->thinking & AI_THINKING_NONE);

    if (effort == AI_EFFORTS_N) {
        return can_think && ability->default_effort != AI_EFFORT_NONE;
    }
    if (effort == AI_EFFORT_NONE) {
        if (takes && (ability->efforts & (1u << AI_EFFORT_NONE))) {
            write_member(q, "reasoning_effort", AI_SLICE("\"none\""));
            return 0;
        }
        if (can_think) { /* it thinks, and cannot be told not to */
            ai_lost_add(q->sent->lost, q->talk->effort_name);
        }
        return can_think;
    }
    if (!takes) {
        ai_lost_add(q->sent->lost, q->talk->effort_name);
        return can_think;
    }
    effort = ai_ability_effort(ability, effort);
    ai_write_literal(q->out, ",\"reasoning_effort\":\"");
    ai_write_copy(q->out, ai_slice_of(ai_effort_word(effort)));
    ai_write_literal(q->out, "\"");
    return effort != AI_EFFORT_NONE;
}

/* -------------------------------------------------------------------------------- tools */

static void write_tool(openai_request_t *q, const ai_tool_t *tool)
{
    ai_write_literal(q->out, "{\"type\":\"function\",\"function\":{\"name\":");
    ai_write_bytes(q->out, openai_tool_name(q, tool->name));
    if (tool->about.p) {
        write_member(q, "description", tool->about);
    }
    if (tool->schema.p) {
        write_member(q, "parameters", tool->schema);
    }
    if (tool->strict >= 0) {
        write_member(q, "strict", tool->strict ? AI_SLICE("true") : AI_SLICE("false"));
    }
    ai_write_literal(q->out, "}}");
    if (tool->cache.p) {
        ai_lost_add(q->sent->lost, "tools.cache_control");
    }
}

static void write_choice(openai_request_t *q)
{
    static const char *const words[] = { NULL, "\"auto\"", "\"none\"", "\"required\"" };

    if (q->talk->choice == AI_CHOICE_NAMED) {
        ai_write_literal(q->out, ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":");
        ai_write_bytes(q->out, openai_tool_name(q, q->talk->choice_name));
        ai_write_literal(q->out, "}}");
    }
    else if (q->talk->choice != AI_CHOICE_UNSAID) {
        write_member(q, "tool_choice", ai_slice_of(words[q->talk->choice]));
    }
}

static void write_tools(openai_request_t *q)
{
    const apr_array_header_t *tools = q->talk->tools;
    int i;

    if (!tools->nelts) {
        return; /* and the rest makes no sense without */
    }
    for (i = 0; i < tools->nelts; i++) {
        ai_write_copy(q->out, i ? AI_SLICE(",") : AI_SLICE(",\"tools\":["));
        write_tool(q, &APR_ARRAY_IDX(tools, i, ai_tool_t));
    }
    ai_write_literal(q->out, "]");
    write_choice(q);
    if (q->talk->parallel < 0) {
        return;
    }
    if (ai_ability_refuses(q->ability, "parallel_tool_calls")) {
        ai_lost_add(q->sent->lost, "parallel_tool_calls");
        return;
    }
    write_member(q, "parallel_tool_calls", q->talk->parallel ? AI_SLICE("true")
                                                             : AI_SLICE("false"));
}

/* ----------------------------------------------------------------------------- the rest */

static void write_format(openai_request_t *q)
{
    const ai_talk_t *talk = q->talk;

    if (talk->format == AI_FORMAT_OBJECT) {
        write_member(q, "response_format", AI_SLICE("{\"type\":\"json_object\"}"));
    }
    if (talk->format != AI_FORMAT_SCHEMA) {
        return;
    }
    ai_write_literal(q->out, ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":"
                             "{\"name\":");
    ai_write_bytes(q->out, openai_is_long_text(talk->format_name)
                               ? ai_sent_name(q->p, q->sent, talk->format_name, 64)
                               : AI_SLICE("\"structured_output\""));
    write_member(q, "schema", talk->format_schema);
    if (talk->format_strict >= 0) {
        write_member(q, "strict", talk->format_strict ? AI_SLICE("true") : AI_SLICE("false"));
    }
    ai_write_literal(q->out, "}}");
}

static void write_stream(openai_request_t *q, int ask_usage)
{
    if (q->talk->stream) {
        write_member(q, "stream", AI_SLICE("true"));
        if (ask_usage) {
            write_member(q, "stream_options", AI_SLICE("{\"include_usage\":true}"));
        }
    }
}

const ai_error_t *openai_write_talk(apr_pool_t *p, const ai_talk_t *talk, const char *model,
                                    const ai_ability_t *ability, int ask_usage, ai_sent_t *sent,
                                    ai_write_t *out)
{
    openai_request_t q = { p, talk, ability, sent, out, NULL, 0 };
    int thinks;

    ai_write_literal(out, "{\"model\":");
    ai_write_quoted(out, ai_slice_of(model));
    openai_write_messages(&q);
    write_tools(&q);
    write_max_tokens(&q);
    write_stops(&q);
    if (talk->n > 1) {
        ai_write_literal(out, ",\"n\":");
        ai_write_number(out, talk->n);
    }
    thinks = write_effort(&q);
    write_options(&q, thinks);
    write_format(&q);
    write_stream(&q, ask_usage);
    ai_write_literal(out, "}");
    return q.error;
}

/* ---------------------------------------------------------------------------- the table */

static const char *chat_path(apr_pool_t *p, const char *model, int stream)
{
    (void)p;
    (void)model;
    (void)stream;
    return "/chat/completions";
}

static void set_head(apr_table_t *headers)
{
    (void)headers; /* the key is all it takes */
}

const ai_translator_t ai_openai_translator = {
    openai_read_talk,
    openai_begin_stream,
    openai_write_delta,
    openai_write_end,
    openai_write_answer,
    openai_write_limits,
    chat_path,
    set_head,
    openai_write_talk,
    openai_begin_read,
    openai_read_deltas,
    openai_read_whole,
    openai_read_limits,
    NULL, /* OpenAI does not count without answering */
};
