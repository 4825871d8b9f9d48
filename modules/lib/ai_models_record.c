/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_models_record.c - is this a record, and what does it say?
 *
 * One reader for each member. What is wrong is said with the member's name and what is allowed.
 */
#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_models_record.h"

/* No model has more, and no record needs more words. */
#define MOST_TOKENS 1000000000
#define MOST_WORDS 64
#define LONGEST_TEXT 1000

static const char *const kind_words[] = { "text", "image", "pdf", "audio", "video", NULL };
static const char *const thinking_words[] = { "none", "budget", "adaptive", "effort", "always",
                                              NULL };
static const char *const effort_words[] = { "none", "minimal", "low", "medium", "high", "xhigh",
                                            "max", NULL };
static const char *const sampling_words[] = { "full", "one_of", "no_thinking", "default_only",
                                              NULL };
static const char *const schema_words[] = { "native", "tool", NULL };

/* What "sampling" speaks for. */
static const char *const sampling_members[] = { "temperature", "top_p", "top_k", "logprobs",
                                                "top_logprobs", NULL };

static const char *const none[] = { NULL };

const ai_ability_t ai_ability_unknown = {
    "",          NULL, -1,   -1,   0,    0,  AI_SAMPLING_UNKNOWN, 0, 0, AI_EFFORTS_N,
    AI_SCHEMA_UNKNOWN, -1, -1, none, none, "", "",
};

int ai_models_samples(const char *member)
{
    int i;

    for (i = 0; sampling_members[i]; i++) {
        if (strcmp(member, sampling_members[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

const char *ai_effort_word(ai_effort_e effort)
{
    return effort_words[effort];
}

static int place_of(ai_slice_t word, const char *const *words)
{
    int i;

    for (i = 0; words[i] && !ai_slice_is(word, words[i]); i++) {
        continue;
    }
    return i;
}

ai_effort_e ai_effort_of(ai_slice_t word)
{
    return (ai_effort_e)place_of(word, effort_words);
}

static const char *list_of(apr_pool_t *p, const char *const *words)
{
    const char *text = words[0];

    for (words++; *words; words++) {
        text = apr_pstrcat(p, text, ", ", *words, NULL);
    }
    return text;
}

/* ----------------------------------------------------------------------- kinds of value */

static const char *read_tokens(ai_slice_t value, apr_int64_t *out)
{
    apr_int64_t number;

    if (ai_json_int(value, &number) != APR_SUCCESS || number < 1 || number > MOST_TOKENS) {
        return "must be a whole number from 1 to 1000000000";
    }
    *out = number;
    return NULL;
}

static const char *read_flag(ai_slice_t value, int *out)
{
    *out = ai_json_bool(value, -1);
    return *out < 0 ? "must be true or false" : NULL;
}

/* A string without control characters, that is not empty. */
static const char *read_text(apr_pool_t *p, ai_slice_t value, const char **out)
{
    const char *text, *at;

    if (ai_json_string(p, value, &text, NULL) != APR_SUCCESS || !*text
        || strlen(text) > LONGEST_TEXT) {
        return "must be a string of 1 to 1000 characters";
    }
    for (at = text; *at; at++) {
        if (apr_iscntrl(*at)) {
            return "must be a string without control characters";
        }
    }
    *out = text;
    return NULL;
}

static const char *read_word(apr_pool_t *p, ai_slice_t value, const char *const *words, int *out)
{
    const char *text;

    if (ai_json_string(p, value, &text, NULL) == APR_SUCCESS) {
        *out = place_of(ai_slice_of(text), words);
        if (words[*out]) {
            return NULL;
        }
    }
    return apr_pstrcat(p, "must be one of ", list_of(p, words), NULL);
}

static const char *read_words(apr_pool_t *p, ai_slice_t value, const char *const *words,
                              unsigned *out)
{
    ai_json_member_t member;
    ai_json_walk_t walk;
    unsigned set = 0;
    int place;

    if (ai_json_type(value) == AI_JSON_ARRAY && ai_json_walk(&walk, value)) {
        while (ai_json_next(&walk, &member) > 0) {
            if (read_word(p, member.value, words, &place) || (set & (1u << place))) {
                set = 0;
                break;
            }
            set |= 1u << place;
        }
    }
    *out = set;
    return set ? NULL : apr_pstrcat(p, "must be a list of some of ", list_of(p, words),
                                    ", each at most once", NULL);
}

/* The name of a member of a request: "stop", "output_config.effort". */
static const char *read_member(apr_pool_t *p, ai_slice_t value, const char **out)
{
    const char *at, *dot;

    if (ai_json_string(p, value, out, NULL) == APR_SUCCESS && **out && strlen(*out) <= 64) {
        for (at = *out; apr_isalnum(*at) || *at == '_' || *at == '.'; at++) {
            continue;
        }
        dot = strchr(*out, '.');
        if (!*at && (!dot || (dot != *out && dot[1] && !strchr(dot + 1, '.')))) {
            return NULL;
        }
    }
    return "must hold names of a request's members: letters, digits and '_', with one '.' where it "
           "is a member of a member";
}

/* --------------------------------------------------------------------------- the members */

/* Letters in lower case; "*" is any run of characters, "[a-z0]" one of a set. */
static const char *read_match(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability)
{
    const char *wrong = "must be a name of 1 to 200 printable characters without space, with '*' "
                        "for any characters and [a-z0] for one of a set";
    const char *text, *at;
    char *lower;
    int i, inside = 0;

    if (ai_json_string(p, value, &text, NULL) != APR_SUCCESS || !*text
        || strlen(text) > AI_MODELS_NAME) {
        return wrong;
    }
    lower = apr_pstrdup(p, text);
    for (i = 0; lower[i]; i++) {
        if (!apr_isgraph(lower[i]) || (lower[i] & 0x80)) {
            return wrong;
        }
        lower[i] = apr_tolower(lower[i]);
    }
    for (at = lower; *at; at++) {
        if (inside ? *at == '[' || (*at == ']' && at[-1] == '[') : *at == ']') {
            return wrong;
        }
        if (inside && *at == '-' && (at[-1] == '[' || at[1] == ']' || at[-1] > at[1])) {
            return "has a range in [] that is none";
        }
        inside = inside ? *at != ']' : *at == '[';
    }
    if (inside) {
        return wrong;
    }
    ability->match = lower;
    return NULL;
}

static const char *read_dialect(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability)
{
    return read_text(p, value, &ability->dialect);
}

static const char *read_context(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability)
{
    (void)p;
    return read_tokens(value, &ability->context);
}

static const char *read_output(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability)
{
    (void)p;
    return read_tokens(value, &ability->output);
}

static const char *read_input(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability)
{
    return read_words(p, value, kind_words, &ability->input);
}

static const char *read_written(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability)
{
    return read_words(p, value, kind_words, &ability->written);
}

static const char *read_sampling(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability)
{
    int place = 0;
    const char *wrong = read_word(p, value, sampling_words, &place);

    ability->sampling = (ai_sampling_e)(place + 1);
    return wrong;
}

static const char *read_thinking(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability)
{
    const char *wrong = read_words(p, value, thinking_words, &ability->thinking);

    if (!wrong && (ability->thinking & AI_THINKING_NONE) && ability->thinking != AI_THINKING_NONE) {
        return "must hold nothing else beside none";
    }
    return wrong;
}

static const char *read_efforts(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability)
{
    return read_words(p, value, effort_words, &ability->efforts);
}

static const char *read_default_effort(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability)
{
    int place = AI_EFFORTS_N;
    const char *wrong = read_word(p, value, effort_words, &place);

    ability->default_effort = (ai_effort_e)place;
    return wrong;
}

static const char *read_forced(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability)
{
    (void)p;
    return read_flag(value, &ability->forced_tool);
}

static const char *read_prefill(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability)
{
    (void)p;
    return read_flag(value, &ability->prefill);
}

static const char *read_schema(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability)
{
    int place = 0;
    const char *wrong = read_word(p, value, schema_words, &place);

    ability->schema = (ai_schema_e)(place + 1);
    return wrong;
}

static const char *read_refuses(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability)
{
    apr_array_header_t *names = apr_array_make(p, 8, sizeof(const char *));
    ai_json_member_t member;
    ai_json_walk_t walk;
    const char *name, *wrong = NULL;

    if (ai_json_type(value) != AI_JSON_ARRAY || !ai_json_walk(&walk, value)) {
        return "must be a list of names";
    }
    while (!wrong && ai_json_next(&walk, &member) > 0) {
        wrong = read_member(p, member.value, &name);
        if (!wrong && ai_models_samples(name)) {
            wrong = apr_pstrcat(p, "must not hold ", name, ": \"sampling\" says that", NULL);
        }
        if (!wrong && names->nelts >= MOST_WORDS) {
            wrong = "must hold at most 64 names";
        }
        if (!wrong) {
            APR_ARRAY_PUSH(names, const char *) = name;
        }
    }
    APR_ARRAY_PUSH(names, const char *) = NULL;
    ability->refuses = (const char *const *)names->elts;
    return wrong;
}

static const char *read_renames(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability)
{
    apr_array_header_t *pairs = apr_array_make(p, 4, sizeof(const char *));
    ai_json_member_t member;
    ai_json_walk_t walk;
    const char *from, *to, *wrong = NULL;

    if (ai_json_type(value) != AI_JSON_OBJECT || !ai_json_walk(&walk, value)) {
        return "must be an object of names";
    }
    while (!wrong && ai_json_next(&walk, &member) > 0) {
        ai_slice_t quoted = { member.key.p - 1, member.key.n + 2 };

        wrong = read_member(p, quoted, &from);
        wrong = wrong ? wrong : read_member(p, member.value, &to);
        if (!wrong && (strchr(from, '.') || strchr(to, '.') || strcmp(from, to) == 0)) {
            wrong = "must give a member of the request itself another name";
        }
        if (!wrong && pairs->nelts >= 2 * MOST_WORDS) {
            wrong = "must hold at most 64 names";
        }
        if (!wrong) {
            APR_ARRAY_PUSH(pairs, const char *) = from;
            APR_ARRAY_PUSH(pairs, const char *) = to;
        }
    }
    APR_ARRAY_PUSH(pairs, const char *) = NULL;
    ability->renames = (const char *const *)pairs->elts;
    return wrong;
}

static const char *read_source(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability)
{
    return read_text(p, value, &ability->source);
}

static const char *read_date(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability)
{
    static const char form[] = "dddd-dd-dd";
    const char *text;
    int i;

    if (ai_json_string(p, value, &text, NULL) != APR_SUCCESS || strlen(text) != strlen(form)) {
        return "must be a day as \"2026-11-21\"";
    }
    for (i = 0; form[i]; i++) {
        if (form[i] == 'd' ? !apr_isdigit(text[i]) : text[i] != form[i]) {
            return "must be a day as \"2026-11-21\"";
        }
    }
    if (strncmp(text + 5, "01", 2) < 0 || strncmp(text + 5, "12", 2) > 0
        || strcmp(text + 8, "01") < 0 || strcmp(text + 8, "31") > 0) {
        return "must be a day as \"2026-11-21\"";
    }
    ability->date = text;
    return NULL;
}

/* "match" comes first in a file by custom only: it is read first, for what is said of the others. */
static const struct {
    const char *name;
    const char *(*read)(apr_pool_t *p, ai_slice_t value, ai_ability_t *ability);
    int required;
} members[] = {
    { "match", read_match, 1 },
    { "dialect", read_dialect, 0 },
    { "context", read_context, 0 },
    { "output", read_output, 0 },
    { "input", read_input, 0 },
    { "output_modalities", read_written, 0 },
    { "sampling", read_sampling, 0 },
    { "thinking", read_thinking, 0 },
    { "efforts", read_efforts, 0 },
    { "default_effort", read_default_effort, 0 },
    { "forced_tool_with_thinking", read_forced, 0 },
    { "prefill", read_prefill, 0 },
    { "json_schema", read_schema, 0 },
    { "refuses", read_refuses, 0 },
    { "renames", read_renames, 0 },
    { "source", read_source, 1 },
    { "date", read_date, 1 },
};

#define MEMBERS_N (sizeof(members) / sizeof(members[0]))

/* NULL, or that the object has a member that no record has. */
static const char *find_stranger(apr_pool_t *p, ai_slice_t object)
{
    ai_json_member_t member;
    ai_json_walk_t walk;
    const char *all = members[0].name;
    apr_size_t i;

    ai_json_walk(&walk, object);
    while (ai_json_next(&walk, &member) > 0) {
        for (i = 0; i < MEMBERS_N && !ai_json_key_is(member.key, members[i].name); i++) {
            continue;
        }
        if (i == MEMBERS_N) {
            for (i = 1; i < MEMBERS_N; i++) {
                all = apr_pstrcat(p, all, ", ", members[i].name, NULL);
            }
            return apr_psprintf(p, "it has a member that is none of %s", all);
        }
    }
    return NULL;
}

const char *ai_models_record(apr_pool_t *p, ai_slice_t object, ai_ability_t *ability)
{
    const char *wrong = NULL;
    apr_size_t i;

    *ability = ai_ability_unknown;
    if (ai_json_type(object) != AI_JSON_OBJECT) {
        return "must be an object";
    }
    for (i = 0; !wrong && i < MEMBERS_N; i++) {
        ai_slice_t value = ai_json_get(object, members[i].name);

        wrong = value.p ? members[i].read(p, value, ability)
                        : members[i].required ? "is required" : NULL;
        wrong = wrong ? apr_pstrcat(p, members[i].name, ": ", wrong, NULL) : NULL;
    }
    wrong = wrong ? wrong : find_stranger(p, object);
    if (!wrong && ability->efforts && ability->default_effort != AI_EFFORTS_N
        && !(ability->efforts & (1u << ability->default_effort))) {
        return "default_effort: must be one of its efforts";
    }
    if (!wrong && (ability->thinking & AI_THINKING_NONE) && ability->efforts) {
        return "efforts: it does not think";
    }
    return wrong;
}
