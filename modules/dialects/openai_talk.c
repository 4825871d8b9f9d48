/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_talk.c - reads what a chat request asks beside its messages: settings, tools, format.
 *
 * Lives in: the request's pool.  Shared state: none.  May block: no.
 */

#include <apr_strings.h>

#include "openai_translator.h"

#define STOPS_MAX 128
#define CHOICES_MAX OPENAI_CHOICES

/* ---------------------------------------------------------------- faults and members */

int openai_fault(openai_read_t *r, const char *path, const char *what)
{
    ai_error_t *error;

    if (!r->error) {
        error = apr_pcalloc(r->p, sizeof(*error));
        error->status = 400;
        error->param = path;
        error->message = apr_psprintf(r->p, "The field '%s' %s.", path, what);
        r->error = error;
    }
    return 0;
}

int openai_unsupported(openai_read_t *r, const char *path, const char *why)
{
    ai_error_t *error = apr_pcalloc(r->p, sizeof(*error));

    if (!r->error) {
        error->status = 400;
        error->code = "unsupported_parameter";
        error->param = path;
        error->message = apr_psprintf(r->p, "The field '%s' cannot be served here. %s", path, why);
        r->error = error;
    }
    return 0;
}

int openai_is_void(ai_slice_t value)
{
    ai_json_walk_t walk;
    ai_json_member_t member;

    switch (ai_json_type(value)) {
    case AI_JSON_NONE:
    case AI_JSON_NULL:
        return 1;
    case AI_JSON_ARRAY:
    case AI_JSON_OBJECT:
        return ai_json_walk(&walk, value) && ai_json_next(&walk, &member) == 0;
    default:
        return 0;
    }
}

static void take(openai_read_t *r, const ai_json_member_t *member, const char *place,
                 const ai_slice_t *words, int n, ai_slice_t *found)
{
    int i;

    if (ai_json_type(member->value) == AI_JSON_NULL) {
        return;
    }
    i = ai_word_key(member->key, words, n);
    if (i >= 0) {
        found[i] = member->value;
    }
    else if (!openai_is_void(member->value)) {
        ai_lost_member(r->talk->lost, place, member->key);
    }
}

void openai_members(openai_read_t *r, ai_slice_t object, const char *place,
                    const ai_slice_t *words, int n, ai_slice_t *found)
{
    ai_json_walk_t walk;
    ai_json_member_t member;

    memset(found, 0, (apr_size_t)n * sizeof(*found));
    if (ai_json_walk(&walk, object) && walk.is_object) {
        while (ai_json_next(&walk, &member) > 0) {
            take(r, &member, place, words, n, found);
        }
    }
}

/* --------------------------------------------------------------------------- the root */

enum {
    MODEL, MESSAGES, STREAM, STREAM_OPTIONS, MAX_COMPLETION_TOKENS, MAX_TOKENS, STOP, N_CHOICES,
    TOOLS, FUNCTIONS, TOOL_CHOICE, FUNCTION_CALL, PARALLEL, RESPONSE_FORMAT, EFFORT, THINKING,
    MODALITIES, AUDIO, TEMPERATURE, TOP_P, TOP_K, SEED, FREQUENCY_PENALTY, PRESENCE_PENALTY,
    LOGIT_BIAS, LOGPROBS, TOP_LOGPROBS, USER, SAFETY_IDENTIFIER, METADATA, STORE, SERVICE_TIER,
    VERBOSITY, PREDICTION, WEB_SEARCH, CACHE_KEY, ROOT_WORDS
};

static const ai_slice_t root_words[ROOT_WORDS] = {
    [MODEL] = AI_WORD("model"),
    [MESSAGES] = AI_WORD("messages"),
    [STREAM] = AI_WORD("stream"),
    [STREAM_OPTIONS] = AI_WORD("stream_options"),
    [MAX_COMPLETION_TOKENS] = AI_WORD("max_completion_tokens"),
    [MAX_TOKENS] = AI_WORD("max_tokens"),
    [STOP] = AI_WORD("stop"),
    [N_CHOICES] = AI_WORD("n"),
    [TOOLS] = AI_WORD("tools"),
    [FUNCTIONS] = AI_WORD("functions"),
    [TOOL_CHOICE] = AI_WORD("tool_choice"),
    [FUNCTION_CALL] = AI_WORD("function_call"),
    [PARALLEL] = AI_WORD("parallel_tool_calls"),
    [RESPONSE_FORMAT] = AI_WORD("response_format"),
    [EFFORT] = AI_WORD("reasoning_effort"),
    [THINKING] = AI_WORD("thinking"),
    [MODALITIES] = AI_WORD("modalities"),
    [AUDIO] = AI_WORD("audio"),
    [TEMPERATURE] = AI_WORD("temperature"),
    [TOP_P] = AI_WORD("top_p"),
    [TOP_K] = AI_WORD("top_k"),
    [SEED] = AI_WORD("seed"),
    [FREQUENCY_PENALTY] = AI_WORD("frequency_penalty"),
    [PRESENCE_PENALTY] = AI_WORD("presence_penalty"),
    [LOGIT_BIAS] = AI_WORD("logit_bias"),
    [LOGPROBS] = AI_WORD("logprobs"),
    [TOP_LOGPROBS] = AI_WORD("top_logprobs"),
    [USER] = AI_WORD("user"),
    [SAFETY_IDENTIFIER] = AI_WORD("safety_identifier"),
    [METADATA] = AI_WORD("metadata"),
    [STORE] = AI_WORD("store"),
    [SERVICE_TIER] = AI_WORD("service_tier"),
    [VERBOSITY] = AI_WORD("verbosity"),
    [PREDICTION] = AI_WORD("prediction"),
    [WEB_SEARCH] = AI_WORD("web_search_options"),
    [CACHE_KEY] = AI_WORD("prompt_cache_key"),
};

/* An option, what it must be, and the value that is as good as none. */
typedef struct option_t {
    int word;
    ai_option_e option;
    ai_json_type_e type;
    const char *idle;
} option_t;

static const option_t options[] = {
    { TEMPERATURE, AI_OPTION_TEMPERATURE, AI_JSON_NUMBER, "" },
    { TOP_P, AI_OPTION_TOP_P, AI_JSON_NUMBER, "" },
    { TOP_K, AI_OPTION_TOP_K, AI_JSON_NUMBER, "" },
    { SEED, AI_OPTION_SEED, AI_JSON_NUMBER, "" },
    { FREQUENCY_PENALTY, AI_OPTION_FREQUENCY_PENALTY, AI_JSON_NUMBER, "0" },
    { PRESENCE_PENALTY, AI_OPTION_PRESENCE_PENALTY, AI_JSON_NUMBER, "0" },
    { LOGIT_BIAS, AI_OPTION_LOGIT_BIAS, AI_JSON_OBJECT, "{}" },
    { LOGPROBS, AI_OPTION_LOGPROBS, AI_JSON_BOOL, "false" },
    { TOP_LOGPROBS, AI_OPTION_TOP_LOGPROBS, AI_JSON_NUMBER, "0" },
    { USER, AI_OPTION_USER, AI_JSON_STRING, "\"\"" },
    { METADATA, AI_OPTION_METADATA, AI_JSON_OBJECT, "{}" },
    { STORE, AI_OPTION_STORE, AI_JSON_BOOL, "false" },
    { SERVICE_TIER, AI_OPTION_SERVICE_TIER, AI_JSON_STRING, "\"auto\"" },
    { VERBOSITY, AI_OPTION_VERBOSITY, AI_JSON_STRING, "\"medium\"" },
    { PREDICTION, AI_OPTION_PREDICTION, AI_JSON_OBJECT, "{}" },
    { WEB_SEARCH, AI_OPTION_WEB_SEARCH, AI_JSON_OBJECT, "" },
    { CACHE_KEY, AI_OPTION_CACHE_KEY, AI_JSON_STRING, "\"\"" },
};

static const char *kind_of(ai_json_type_e type)
{
    switch (type) {
    case AI_JSON_NUMBER:
        return "must be a number";
    case AI_JSON_OBJECT:
        return "must be an object";
    case AI_JSON_BOOL:
        return "must be true or false";
    default:
        return "must be a string";
    }
}

static int is_idle(ai_slice_t value, const char *idle)
{
    apr_int64_t number;

    if (ai_json_type(value) == AI_JSON_NUMBER) {
        return *idle && ai_json_int(value, &number) == APR_SUCCESS && number == 0;
    }
    return *idle == '{' ? openai_is_void(value) : ai_slice_is(value, idle);
}

static int read_options(openai_read_t *r, const ai_slice_t *found)
{
    apr_size_t i;
    const ai_option_t *user = &r->talk->options[AI_OPTION_USER];
    ai_slice_t safety = found[SAFETY_IDENTIFIER];

    for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const option_t *o = &options[i];
        ai_slice_t value = found[o->word];

        if (value.p && ai_json_type(value) != o->type) {
            return openai_fault(r, root_words[o->word].p, kind_of(o->type));
        }
        if (value.p && !is_idle(value, o->idle)) {
            ai_talk_option(r->talk, o->option, root_words[o->word].p, value);
        }
    }
    if (safety.p && !openai_is_text(safety)) {
        return openai_fault(r, "safety_identifier", "must be a string");
    }
    if (!user->value.p) { /* the newer name of the same */
        ai_talk_option(r->talk, AI_OPTION_USER, "safety_identifier", safety);
    }
    else if (safety.p) {
        ai_lost_add(r->talk->lost, "safety_identifier");
    }
    return 1;
}

/* A whole number from 1 to max, or absent. */
static int read_count(openai_read_t *r, const char *name, ai_slice_t value, apr_int64_t max,
                      apr_int64_t *out)
{
    apr_int64_t number;

    if (!value.p) {
        return 1;
    }
    if (ai_json_int(value, &number) != APR_SUCCESS || number < 1 || number > max) {
        return openai_fault(r, name, apr_psprintf(r->p, "must be a whole number from 1 to %"
                                                  APR_INT64_T_FMT, max));
    }
    *out = number;
    return 1;
}

static int read_lengths(openai_read_t *r, const ai_slice_t *found)
{
    ai_talk_t *talk = r->talk;
    apr_int64_t n = 1, older = -1;

    if (!read_count(r, "n", found[N_CHOICES], CHOICES_MAX, &n)
        || !read_count(r, "max_tokens", found[MAX_TOKENS], APR_INT32_MAX, &older)
        || !read_count(r, "max_completion_tokens", found[MAX_COMPLETION_TOKENS], APR_INT32_MAX,
                       &talk->max_tokens)) {
        return 0;
    }
    talk->n = (int)n;
    talk->max_tokens_name = "max_completion_tokens";
    if (talk->max_tokens < 0) {
        talk->max_tokens = older;
        talk->max_tokens_name = "max_tokens";
    }
    else if (older >= 0 && older != talk->max_tokens) {
        ai_lost_add(talk->lost, "max_tokens");
    }
    return 1;
}

static int read_stops(openai_read_t *r, ai_slice_t value)
{
    ai_json_walk_t walk;
    ai_json_member_t stop;

    if (openai_is_text(value)) {
        APR_ARRAY_PUSH(r->talk->stops, ai_slice_t) = value;
        return 1;
    }
    if (!value.p) {
        return 1;
    }
    if (ai_json_type(value) != AI_JSON_ARRAY) {
        return openai_fault(r, "stop", "must be a string or an array of strings");
    }
    ai_json_walk(&walk, value);
    while (ai_json_next(&walk, &stop) > 0) {
        if (!openai_is_text(stop.value) || r->talk->stops->nelts == STOPS_MAX) {
            return openai_fault(r, "stop", apr_psprintf(r->p, "must be a string or an array of at "
                                                        "most %d strings", STOPS_MAX));
        }
        APR_ARRAY_PUSH(r->talk->stops, ai_slice_t) = stop.value;
    }
    return 1;
}

static int read_stream(openai_read_t *r, const ai_slice_t *found)
{
    enum { USAGE, OBFUSCATION, WORDS };
    static const ai_slice_t words[WORDS] = { AI_WORD("include_usage"),
                                             AI_WORD("include_obfuscation") };
    ai_slice_t option[WORDS];

    openai_members(r, found[STREAM_OPTIONS], "stream_options", words, WORDS, option);
    r->talk->stream = ai_json_bool(found[STREAM], 0);
    return 1;
}

/* Answers in sound: no other dialect gives them in this shape. */
static int read_modalities(openai_read_t *r, const ai_slice_t *found)
{
    ai_json_walk_t walk;
    ai_json_member_t kind;

    if (!openai_is_void(found[AUDIO])) {
        return openai_unsupported(r, "audio", "An answer in sound cannot be translated.");
    }
    if (found[MODALITIES].p && ai_json_type(found[MODALITIES]) != AI_JSON_ARRAY) {
        return openai_fault(r, "modalities", "must be an array");
    }
    ai_json_walk(&walk, found[MODALITIES]);
    while (found[MODALITIES].p && ai_json_next(&walk, &kind) > 0) {
        if (!ai_json_string_is(kind.value, "text")) {
            return openai_unsupported(r, "modalities", "Only \"text\" can be translated.");
        }
    }
    return 1;
}

static int read_format(openai_read_t *r, ai_slice_t value)
{
    enum { TYPE, JSON_SCHEMA, WORDS };
    enum { NAME, SCHEMA, STRICT, SCHEMA_WORDS };
    static const ai_slice_t words[WORDS] = { AI_WORD("type"), AI_WORD("json_schema") };
    static const ai_slice_t schema_words[SCHEMA_WORDS] = { AI_WORD("name"), AI_WORD("schema"),
                                                           AI_WORD("strict") };
    static const ai_slice_t types[] = { AI_WORD("text"), AI_WORD("json_object"),
                                        AI_WORD("json_schema") };
    ai_slice_t found[WORDS], schema[SCHEMA_WORDS];
    int type;

    if (!value.p) {
        return 1;
    }
    openai_members(r, value, "response_format", words, WORDS, found);
    type = ai_word_string(found[TYPE], types, 3);
    if (type < 0) {
        return openai_fault(r, "response_format.type",
                            "must be \"text\", \"json_object\" or \"json_schema\"");
    }
    r->talk->format = type == 1 ? AI_FORMAT_OBJECT : AI_FORMAT_TEXT;
    if (type != 2) {
        return 1;
    }
    if (ai_json_type(found[JSON_SCHEMA]) != AI_JSON_OBJECT) {
        return openai_fault(r, "response_format.json_schema", "must be an object");
    }
    openai_members(r, found[JSON_SCHEMA], "response_format.json_schema", schema_words,
                   SCHEMA_WORDS, schema);
    if (!openai_is_long_text(schema[NAME])) {
        return openai_fault(r, "response_format.json_schema.name",
                            "must be a string that is not empty");
    }
    if (schema[SCHEMA].p && ai_json_type(schema[SCHEMA]) != AI_JSON_OBJECT) {
        return openai_fault(r, "response_format.json_schema.schema", "must be an object");
    }
    r->talk->format = schema[SCHEMA].p ? AI_FORMAT_SCHEMA : AI_FORMAT_OBJECT;
    r->talk->format_name = schema[NAME];
    r->talk->format_schema = schema[SCHEMA];
    r->talk->format_strict = ai_json_bool(schema[STRICT], -1);
    return 1;
}

/* ---------------------------------------------------------------------------- thinking */

static int read_thinking(openai_read_t *r, ai_slice_t value)
{
    enum { TYPE, BUDGET, WORDS };
    static const ai_slice_t words[WORDS] = { AI_WORD("type"), AI_WORD("budget_tokens") };
    static const ai_slice_t types[] = { AI_WORD("disabled"), AI_WORD("enabled"),
                                        AI_WORD("adaptive") };
    static const ai_think_e thinks[] = { AI_THINK_OFF, AI_THINK_BUDGET, AI_THINK_ADAPTIVE };
    ai_slice_t found[WORDS];
    int type;

    if (!value.p) {
        return 1;
    }
    openai_members(r, value, "thinking", words, WORDS, found);
    type = ai_word_string(found[TYPE], types, 3);
    if (type < 0) {
        return openai_fault(r, "thinking.type",
                            "must be \"enabled\", \"disabled\" or \"adaptive\"");
    }
    r->talk->thinking = thinks[type];
    r->talk->effort_name = "thinking";
    if (type == 1 && !found[BUDGET].p) {
        r->talk->thinking = AI_THINK_ADAPTIVE; /* switched on, without a number */
    }
    return type != 1 || read_count(r, "thinking.budget_tokens", found[BUDGET], APR_INT32_MAX,
                                   &r->talk->thinking_budget);
}

static int read_effort(openai_read_t *r, ai_slice_t value)
{
    ai_effort_e effort = AI_EFFORTS_N;

    if (!value.p) {
        return 1;
    }
    if (openai_is_text(value)) {
        effort = ai_effort_of((ai_slice_t){ value.p + 1, value.n - 2 });
    }
    if (effort == AI_EFFORTS_N) {
        return openai_fault(r, "reasoning_effort", "must be \"none\", \"minimal\", \"low\", "
                            "\"medium\", \"high\", \"xhigh\" or \"max\"");
    }
    r->talk->effort = effort;
    r->talk->effort_name = "reasoning_effort";
    return 1;
}

const ai_error_t *openai_read_talk(apr_pool_t *p, const ai_json_doc_t *doc, ai_talk_t *talk)
{
    openai_read_t r = { p, talk, NULL, 0, 0, 0 };
    ai_slice_t found[ROOT_WORDS];
    openai_tools_t tools;
    int i;

    memset(found, 0, sizeof(found));
    for (i = 0; i < doc->n_members; i++) {
        take(&r, &doc->members[i], "", root_words, ROOT_WORDS, found);
    }
    tools = (openai_tools_t){ found[TOOLS], found[TOOL_CHOICE], found[FUNCTIONS],
                              found[FUNCTION_CALL], found[PARALLEL] };
    if (read_modalities(&r, found) && openai_read_messages(&r, found[MESSAGES])
        && openai_read_tools(&r, &tools) && read_lengths(&r, found) && read_stops(&r, found[STOP])
        && read_stream(&r, found) && read_format(&r, found[RESPONSE_FORMAT])
        && read_thinking(&r, found[THINKING]) && read_effort(&r, found[EFFORT])) {
        read_options(&r, found);
    }
    return r.error;
}
