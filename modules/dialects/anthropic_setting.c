/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anthropic_setting.c - what of a request's settings does Anthropic's API take for this model?
 *
 * Much hangs together here: a forced tool and thinking exclude each other on most models, thinking
 * and sampling too, and how a model is told to think depends on its age. So all is decided first,
 * with what is left out named, and written then.
 *
 * Lives in: the request's pool.  Shared state: none.  May block: no.
 */
#include "anthropic_translator.h"

/* Where neither the caller nor the model's record says how long an answer may be: what every model
 * of this API can do. */
#define MAX_TOKENS 4096
#define LEAST_BUDGET 1024 /* of tokens to think */
#define USER_MAX 256      /* characters of an end user's id */

static void lose(anthropic_ask_t *ask, const char *name)
{
    ai_lost_add(ask->sent->lost, name);
}

static void lose_effort(anthropic_ask_t *ask)
{
    lose(ask, ask->talk->effort_name ? ask->talk->effort_name : "reasoning_effort");
}

static int can(const anthropic_ask_t *ask, unsigned thinking)
{
    return (ask->ability->thinking & thinking) != 0;
}

/* ------------------------------------------------------------------- how it thinks */

static void decide_max_tokens(anthropic_ask_t *ask)
{
    apr_int64_t most = ask->ability->output;

    ask->max_tokens = ask->talk->max_tokens;
    if (ask->max_tokens < 0) {
        ask->max_tokens = most > 0 ? most : MAX_TOKENS;
    }
    else if (most > 0 && ask->max_tokens > most) {
        ask->max_tokens = most;
        lose(ask, ask->talk->max_tokens_name);
    }
}

/* Tokens for a word, for models that know no words. */
static apr_int64_t budget_of(ai_effort_e effort)
{
    static const apr_int64_t budgets[AI_EFFORTS_N] = { 0, 1024, 1024, 2048, 4096, 8192, 16384 };

    return effort < AI_EFFORTS_N ? budgets[effort] : budgets[AI_EFFORT_HIGH];
}

/* The reverse, for models that know nothing else. */
static ai_effort_e effort_of(apr_int64_t budget)
{
    return budget < 2048 ? AI_EFFORT_LOW : budget < 8192 ? AI_EFFORT_MEDIUM : AI_EFFORT_HIGH;
}

/* Anthropic's words begin at "low". */
static ai_effort_e word_of(const anthropic_ask_t *ask, ai_effort_e effort)
{
    if (effort >= AI_EFFORTS_N || effort == AI_EFFORT_NONE) {
        return AI_EFFORTS_N;
    }
    effort = ai_ability_effort(ask->ability, effort < AI_EFFORT_LOW ? AI_EFFORT_LOW : effort);
    return effort == AI_EFFORT_NONE ? AI_EFFORTS_N : effort;
}

/* Thinking up to a budget. It must leave room for the answer, and it must go on with what was
 * thought before the calls that are now answered. */
static void think_up_to(anthropic_ask_t *ask, apr_int64_t budget)
{
    if (ask->max_tokens <= LEAST_BUDGET || ask->bare_calls) {
        lose_effort(ask);
        return;
    }
    ask->thinking = AI_THINK_BUDGET;
    ask->budget = budget < ask->max_tokens ? budget : ask->max_tokens - 1;
}

/* Nothing is known of the model: only what the caller said in Anthropic's own words is sent. */
static void think_as_said(anthropic_ask_t *ask)
{
    const ai_talk_t *talk = ask->talk;

    if (talk->thinking == AI_THINK_BUDGET) {
        think_up_to(ask, talk->thinking_budget);
    }
    else {
        ask->thinking = talk->thinking;
    }
    if (talk->effort < AI_EFFORTS_N) {
        lose_effort(ask);
    }
}

static void think_not(anthropic_ask_t *ask)
{
    if (can(ask, AI_THINKING_ALWAYS)) {
        lose_effort(ask);
    }
    else if (can(ask, AI_THINKING_ADAPTIVE)) { /* others do not think unless they are told to */
        ask->thinking = AI_THINK_OFF;
    }
}

static void think(anthropic_ask_t *ask)
{
    const ai_talk_t *talk = ask->talk;

    ask->effort = can(ask, AI_THINKING_ADAPTIVE) || !can(ask, AI_THINKING_BUDGET)
                      ? word_of(ask, talk->effort)
                      : AI_EFFORTS_N;
    if (talk->thinking == AI_THINK_BUDGET && can(ask, AI_THINKING_BUDGET)) {
        think_up_to(ask, talk->thinking_budget);
    }
    else if (can(ask, AI_THINKING_ADAPTIVE)) {
        ask->thinking = AI_THINK_ADAPTIVE;
        if (talk->thinking == AI_THINK_BUDGET) { /* about as much, but not that number */
            lose_effort(ask);
            ask->effort = word_of(ask, effort_of(talk->thinking_budget));
        }
    }
    else if (can(ask, AI_THINKING_BUDGET)) {
        think_up_to(ask, budget_of(talk->effort));
    }
    else if (ask->effort == AI_EFFORTS_N) {
        lose_effort(ask);
    }
}

static void decide_thinking(anthropic_ask_t *ask)
{
    const ai_talk_t *talk = ask->talk;
    int off = talk->thinking == AI_THINK_OFF
              || (talk->thinking == AI_THINK_UNSAID && talk->effort == AI_EFFORT_NONE);

    ask->effort = AI_EFFORTS_N;
    if (talk->thinking == AI_THINK_UNSAID && talk->effort == AI_EFFORTS_N) {
        return;
    }
    if (!ask->ability->thinking) {
        think_as_said(ask);
    }
    else if (off) {
        think_not(ask);
    }
    else if (can(ask, AI_THINKING_NONE)) {
        lose_effort(ask);
    }
    else {
        think(ask);
    }
}

/* ---------------------------------------------------------------------------- tools */

/* 1 when the model thinks by itself, unless it is told not to. */
static int thinks_unasked(const anthropic_ask_t *ask)
{
    return can(ask, AI_THINKING_ALWAYS)
           || (can(ask, AI_THINKING_ADAPTIVE) && !can(ask, AI_THINKING_BUDGET));
}

/* A tool is forced; most models cannot think then. The tool goes before the thinking, where the
 * thinking can be switched off. */
static void force_tool(anthropic_ask_t *ask)
{
    int asked = ask->thinking == AI_THINK_BUDGET || ask->thinking == AI_THINK_ADAPTIVE;

    if (ask->ability->forced_tool == 1 || (!asked && !thinks_unasked(ask))
        || ask->thinking == AI_THINK_OFF) {
        return;
    }
    if (can(ask, AI_THINKING_ALWAYS)) {
        ask->choice = AI_CHOICE_AUTO;
        lose(ask, "tool_choice");
        return;
    }
    if (asked || ask->effort < AI_EFFORTS_N) {
        lose_effort(ask);
    }
    ask->thinking = AI_THINK_OFF;
    ask->effort = AI_EFFORTS_N;
}

static int decide_choice(anthropic_ask_t *ask)
{
    const ai_talk_t *talk = ask->talk;
    int forced = talk->choice == AI_CHOICE_REQUIRED || talk->choice == AI_CHOICE_NAMED;

    ask->choice = talk->choice;
    if (!talk->tools->nelts) {
        return forced ? ai_anthropic_refuse(ask, "tool_choice",
                                            "A tool cannot be required where there is none.")
                      : 1;
    }
    if (ask->choice == AI_CHOICE_UNSAID && talk->parallel >= 0) {
        ask->choice = AI_CHOICE_AUTO; /* to have a place to say it */
    }
    if (forced) {
        force_tool(ask);
    }
    return 1;
}

int ai_anthropic_decide(anthropic_ask_t *ask)
{
    if (ask->talk->n > 1) {
        return ai_anthropic_refuse(ask, "n", "This provider gives one answer to a request.");
    }
    decide_max_tokens(ask);
    decide_thinking(ask);
    return decide_choice(ask);
}

static void write_tool(anthropic_ask_t *ask, const ai_tool_t *tool)
{
    ai_write_t *out = ask->out;

    ai_write_literal(out, "{\"name\":");
    ai_write_bytes(out, ai_sent_name(ask->p, ask->sent, tool->name, 128));
    if (tool->about.n > 2) {
        ai_write_literal(out, ",\"description\":");
        ai_write_bytes(out, tool->about);
    }
    ai_write_literal(out, ",\"input_schema\":");
    ai_write_bytes(out, tool->schema.p ? tool->schema
                                       : AI_SLICE("{\"type\":\"object\",\"properties\":{}}"));
    if (tool->strict == 1 && ask->ability->schema == AI_SCHEMA_TOOL) {
        lose(ask, "tools.function.strict");
    }
    else if (tool->strict == 1) {
        ai_write_literal(out, ",\"strict\":true");
    }
    else if (tool->strict == 0 && ask->ability->schema == AI_SCHEMA_NATIVE) {
        ai_write_literal(out, ",\"strict\":false");
    }
    ai_anthropic_cache(out, tool->cache);
    ai_write_literal(out, "}");
}

static void write_choice(anthropic_ask_t *ask)
{
    static const char *const types[] = { NULL, "auto", "none", "any", "tool" };
    ai_write_t *out = ask->out;

    if (ask->choice == AI_CHOICE_UNSAID) {
        return;
    }
    ai_write_literal(out, ",\"tool_choice\":{\"type\":\"");
    ai_write_copy(out, ai_slice_of(types[ask->choice]));
    ai_write_literal(out, "\"");
    if (ask->choice == AI_CHOICE_NAMED) {
        ai_write_literal(out, ",\"name\":");
        ai_write_bytes(out, ai_sent_name(ask->p, ask->sent, ask->talk->choice_name, 128));
    }
    if (ask->talk->parallel >= 0 && ask->choice != AI_CHOICE_NONE) {
        ai_write_literal(out, ",\"disable_parallel_tool_use\":");
        ai_write_copy(out, ask->talk->parallel ? AI_SLICE("false") : AI_SLICE("true"));
    }
    ai_write_literal(out, "}");
}

static void write_tools(anthropic_ask_t *ask)
{
    int i;

    if (!ask->talk->tools->nelts) {
        return;
    }
    ai_write_literal(ask->out, ",\"tools\":[");
    for (i = 0; i < ask->talk->tools->nelts; i++) {
        ai_write_copy(ask->out, i ? AI_SLICE(",") : AI_SLICE(""));
        write_tool(ask, &APR_ARRAY_IDX(ask->talk->tools, i, ai_tool_t));
    }
    ai_write_literal(ask->out, "]");
    write_choice(ask);
}

/* ------------------------------------------------------------------------- sampling */

/*
 * How a JSON number stands to 1: -1 below, 0 equal, 1 above; -2 below nought. Compared digit by
 * digit: what a C library makes of a point depends on its locale.
 */
static int against_one(ai_slice_t number)
{
    const char *at = number.p, *end = number.p + number.n;
    apr_int64_t exponent = 0, before = 0;
    int negative = *at == '-', first = 0, rest = 0, point = 0, leading = 0;

    for (at += negative; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            point = 1;
        }
        else if (!first) {
            first = *at - '0';
            leading += point;
            before += !point && first;
        }
        else {
            rest |= *at != '0';
            before += !point;
        }
    }
    if (!first) {
        return -1; /* nought, and minus nought */
    }
    if (negative) {
        return -2;
    }
    if (at < end) {
        int down = at[1] == '-';

        for (at += 1 + (at[1] == '-' || at[1] == '+'); at < end && exponent < 1000000; at++) {
            exponent = exponent * 10 + (*at - '0');
        }
        exponent = down ? -exponent : exponent;
    }
    /* The number is 0.first... times ten to this. */
    exponent += before ? before : 1 - leading;
    if (exponent != 1) {
        return exponent > 1 ? 1 : -1;
    }
    return first > 1 || rest;
}

static void write_option(anthropic_ask_t *ask, ai_option_e option, const char *name)
{
    ai_write_literal(ask->out, ",\"");
    ai_write_copy(ask->out, ai_slice_of(name));
    ai_write_literal(ask->out, "\":");
    ai_write_bytes(ask->out, ask->talk->options[option].value);
}

/* 1 when the model takes that setting now. */
static int takes(const anthropic_ask_t *ask, const char *name)
{
    if (ask->thinking == AI_THINK_BUDGET || ask->thinking == AI_THINK_ADAPTIVE) {
        return 0;
    }
    if (ask->ability->sampling == AI_SAMPLING_NO_THINKING
        && (ask->thinking != AI_THINK_OFF || ask->effort < AI_EFFORTS_N)) {
        return 0;
    }
    return !ai_ability_refuses(ask->ability, name);
}

static void write_temperature(anthropic_ask_t *ask)
{
    const ai_option_t *option = &ask->talk->options[AI_OPTION_TEMPERATURE];
    int size;

    if (!option->value.p) {
        return;
    }
    size = against_one(option->value);
    if (!takes(ask, "temperature")) {
        if (size != 0) { /* 1 is what it has anyway */
            lose(ask, option->name);
        }
    }
    else if (size == 1 || size == -2) {
        ai_write_copy(ask->out, size == 1 ? AI_SLICE(",\"temperature\":1")
                                          : AI_SLICE(",\"temperature\":0"));
        lose(ask, option->name);
    }
    else {
        write_option(ask, AI_OPTION_TEMPERATURE, "temperature");
    }
}

static void write_sampling(anthropic_ask_t *ask)
{
    const ai_option_t *options = ask->talk->options;
    int both = ask->ability->sampling != AI_SAMPLING_FULL
               && options[AI_OPTION_TEMPERATURE].value.p != NULL;

    write_temperature(ask);
    if (options[AI_OPTION_TOP_P].value.p) {
        if (!both && takes(ask, "top_p")) {
            write_option(ask, AI_OPTION_TOP_P, "top_p");
        }
        else if (against_one(options[AI_OPTION_TOP_P].value) != 0) {
            lose(ask, options[AI_OPTION_TOP_P].name);
        }
    }
    if (options[AI_OPTION_TOP_K].value.p) {
        if (takes(ask, "top_k")) {
            write_option(ask, AI_OPTION_TOP_K, "top_k");
        }
        else {
            lose(ask, options[AI_OPTION_TOP_K].name);
        }
    }
}

/* --------------------------------------------------------------------------- others */

/* One that is white space only is refused. */
static void write_stops(anthropic_ask_t *ask)
{
    int i, n = 0, refused = ai_ability_refuses(ask->ability, "stop_sequences");

    for (i = 0; i < ask->talk->stops->nelts; i++) {
        ai_slice_t stop = APR_ARRAY_IDX(ask->talk->stops, i, ai_slice_t);

        if (refused || ai_anthropic_is_blank(stop)) {
            lose(ask, "stop");
            continue;
        }
        ai_write_copy(ask->out, n++ ? AI_SLICE(",") : AI_SLICE(",\"stop_sequences\":["));
        ai_write_bytes(ask->out, stop);
    }
    if (n) {
        ai_write_literal(ask->out, "]");
    }
}

static void write_thinking(anthropic_ask_t *ask)
{
    switch (ask->thinking) {
    case AI_THINK_OFF:
        ai_write_literal(ask->out, ",\"thinking\":{\"type\":\"disabled\"}");
        break;
    case AI_THINK_ADAPTIVE:
        ai_write_literal(ask->out, ",\"thinking\":{\"type\":\"adaptive\"}");
        break;
    case AI_THINK_BUDGET:
        ai_write_literal(ask->out, ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":");
        ai_write_number(ask->out, ask->budget);
        ai_write_literal(ask->out, "}");
        break;
    default:
        break;
    }
}

static void write_output(anthropic_ask_t *ask)
{
    int format =
        ask->talk->format == AI_FORMAT_SCHEMA && ask->ability->schema != AI_SCHEMA_TOOL;

    if (!format && ask->effort == AI_EFFORTS_N) {
        return;
    }
    ai_write_literal(ask->out, ",\"output_config\":{");
    if (ask->effort != AI_EFFORTS_N) {
        ai_write_literal(ask->out, "\"effort\":\"");
        ai_write_copy(ask->out, ai_slice_of(ai_effort_word(ask->effort)));
        ai_write_copy(ask->out, format ? AI_SLICE("\",") : AI_SLICE("\""));
    }
    if (format) {
        ai_write_literal(ask->out, "\"format\":{\"type\":\"json_schema\",\"schema\":");
        ai_write_bytes(ask->out, ask->talk->format_schema);
        ai_write_literal(ask->out, "}");
    }
    ai_write_literal(ask->out, "}");
}

static void write_account(anthropic_ask_t *ask)
{
    const ai_option_t *user = &ask->talk->options[AI_OPTION_USER];
    const ai_option_t *tier = &ask->talk->options[AI_OPTION_SERVICE_TIER];

    if (user->value.n > USER_MAX + 2) {
        lose(ask, user->name);
    }
    else if (user->value.p) {
        ai_write_literal(ask->out, ",\"metadata\":{\"user_id\":");
        ai_write_bytes(ask->out, user->value);
        ai_write_literal(ask->out, "}");
    }
    if (ai_json_string_is(tier->value, "default")) {
        ai_write_literal(ask->out, ",\"service_tier\":\"standard_only\"");
    }
    else if (ai_json_string_is(tier->value, "auto")) {
        ai_write_literal(ask->out, ",\"service_tier\":\"auto\"");
    }
    else if (tier->value.p) {
        lose(ask, tier->name);
    }
}

void ai_anthropic_settings(anthropic_ask_t *ask)
{
    write_tools(ask);
    write_thinking(ask);
    write_output(ask);
    write_sampling(ask);
    write_stops(ask);
    write_account(ask);
    ai_sent_lose_options(ask->talk,
                         1u << AI_OPTION_TEMPERATURE | 1u << AI_OPTION_TOP_P
                             | 1u << AI_OPTION_TOP_K | 1u << AI_OPTION_USER
                             | 1u << AI_OPTION_SERVICE_TIER,
                         ask->sent);
}
