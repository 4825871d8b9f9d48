/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_models_fit.c - what must change in a request, so that this model takes it?
 */
#include <apr_strings.h>

#include "ai_models_record.h"

/* What the edits need to know. */
typedef struct fit_t {
    apr_pool_t *p;
    const ai_ability_t *ability;
    const ai_json_doc_t *doc;
    ai_splice_t *splice;
    apr_array_header_t *dropped;
    apr_int64_t most; /* the request's own limit of tokens as it will be; -1: none */
} fit_t;

/* Anthropic's smallest budget for thinking. */
#define LEAST_BUDGET 1024

/* The members that limit an answer. */
static const char *const limits[] = { "max_tokens", "max_completion_tokens", "max_output_tokens" };

/* ----------------------------------------------------------------------- what it refuses */

/* The name that a member has there instead, or NULL. */
static const char *new_name(const ai_ability_t *ability, const char *member)
{
    int i;

    for (i = 0; ability->renames[i]; i += 2) {
        if (strcmp(ability->renames[i], member) == 0) {
            return ability->renames[i + 1];
        }
    }
    return NULL;
}

int ai_ability_refuses(const ai_ability_t *ability, const char *member)
{
    int i;

    for (i = 0; ability->refuses[i]; i++) {
        if (strcmp(ability->refuses[i], member) == 0) {
            return 1;
        }
    }
    if (ability->thinking == AI_THINKING_NONE
        && (strcmp(member, "thinking") == 0 || strcmp(member, "reasoning_effort") == 0)) {
        return 1;
    }
    return new_name(ability, member)
           || (ability->sampling == AI_SAMPLING_DEFAULT_ONLY && ai_models_samples(member));
}

ai_effort_e ai_ability_effort(const ai_ability_t *ability, ai_effort_e wanted)
{
    int by;

    for (by = 0; ability->efforts && by < AI_EFFORTS_N; by++) {
        int low = (int)wanted - by, high = (int)wanted + by;

        if (low >= 0 && (ability->efforts & (1u << low))) {
            return (ai_effort_e)low;
        }
        if (high < AI_EFFORTS_N && (ability->efforts & (1u << high))) {
            return (ai_effort_e)high;
        }
    }
    return wanted;
}

/* ----------------------------------------------------------------------------- dropping */

/* 1 if the value says what leaving it out says. */
static int is_default(const char *member, ai_slice_t value)
{
    static const struct {
        const char *member;
        apr_int64_t number;
    } defaults[] = {
        { "temperature", 1 },       { "top_p", 1 }, { "n", 1 }, { "presence_penalty", 0 },
        { "frequency_penalty", 0 }, { "top_logprobs", 0 },
    };
    apr_int64_t number;
    apr_size_t i;

    if (ai_json_type(value) == AI_JSON_NULL) {
        return 1;
    }
    if (strcmp(member, "logprobs") == 0) {
        return ai_json_bool(value, 1) == 0;
    }
    if (strcmp(member, "reasoning_effort") == 0) {
        return ai_json_string_is(value, "none");
    }
    for (i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        if (strcmp(defaults[i].member, member) == 0) {
            return ai_json_int(value, &number) == APR_SUCCESS && number == defaults[i].number;
        }
    }
    return 0;
}

static void report(fit_t *fit, const char *member)
{
    if (fit->dropped) {
        APR_ARRAY_PUSH(fit->dropped, const char *) = member;
    }
}

/* Takes out a member of the request ("stop") or of one of its members ("output_config.effort"). */
static apr_status_t drop(fit_t *fit, const char *member)
{
    const char *dot = strchr(member, '.'), *name = dot ? dot + 1 : member;
    ai_slice_t object = fit->doc->root, value;
    apr_status_t rv;

    if (dot) {
        object = ai_json_doc_get(fit->doc, apr_pstrmemdup(fit->p, member,
                                                          (apr_size_t)(dot - member)));
        if (ai_json_type(object) != AI_JSON_OBJECT) {
            return APR_SUCCESS;
        }
    }
    value = dot ? ai_json_get(object, name) : ai_json_doc_get(fit->doc, name);
    if (!value.p) {
        return APR_SUCCESS;
    }
    rv = ai_splice_remove(fit->splice, object, name);
    if (rv == APR_SUCCESS && !is_default(member, value)) {
        report(fit, member);
    }
    return rv == APR_NOTFOUND ? APR_SUCCESS : rv; /* it was gone already */
}

/* -------------------------------------------------------------------- limits and renames */

static const ai_json_member_t *find_member(const ai_json_doc_t *doc, const char *name)
{
    int i;

    for (i = 0; i < doc->n_members; i++) {
        if (ai_json_key_is(doc->members[i].key, name)) {
            return &doc->members[i];
        }
    }
    return NULL;
}

static apr_status_t fit_limits(fit_t *fit)
{
    apr_status_t rv = APR_SUCCESS;
    apr_int64_t asked, output = fit->ability->output;
    apr_size_t i;

    for (i = 0; rv == APR_SUCCESS && i < sizeof(limits) / sizeof(limits[0]); i++) {
        ai_slice_t value = ai_json_doc_get(fit->doc, limits[i]);
        const char *other = new_name(fit->ability, limits[i]);

        if (ai_json_int(value, &asked) != APR_SUCCESS
            || (other && find_member(fit->doc, other))) { /* fit_names() takes it out */
            continue;
        }
        fit->most = asked;
        if (output >= 0 && asked > output) {
            fit->most = output;
            rv = ai_splice_replace(fit->splice, value,
                                   ai_slice_of(apr_psprintf(fit->p, "%" APR_INT64_T_FMT, output)));
        }
    }
    return rv;
}

static apr_status_t fit_names(fit_t *fit)
{
    const char *const *pair = fit->ability->renames;
    apr_status_t rv = APR_SUCCESS;

    for (; rv == APR_SUCCESS && *pair; pair += 2) {
        const ai_json_member_t *member = find_member(fit->doc, pair[0]);

        if (!member) {
            continue;
        }
        if (find_member(fit->doc, pair[1])) {
            rv = drop(fit, pair[0]);
        }
        else {
            rv = ai_splice_replace(fit->splice, member->key, ai_slice_of(pair[1]));
        }
    }
    return rv;
}

/* ------------------------------------------------------------------------------ sampling */

static int thinks(const fit_t *fit)
{
    ai_slice_t effort = ai_json_doc_get(fit->doc, "reasoning_effort");

    if (!effort.p || ai_json_type(effort) == AI_JSON_NULL) {
        return fit->ability->default_effort != AI_EFFORT_NONE;
    }
    return !ai_json_string_is(effort, "none");
}

static apr_status_t fit_sampling(fit_t *fit)
{
    static const char *const all[] = { "temperature", "top_p", "top_k", "logprobs",
                                       "top_logprobs" };
    ai_sampling_e sampling = fit->ability->sampling;
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    if (sampling == AI_SAMPLING_ONE_OF) {
        ai_slice_t temperature = ai_json_doc_get(fit->doc, "temperature");

        return temperature.p && ai_json_type(temperature) != AI_JSON_NULL ? drop(fit, "top_p")
                                                                         : APR_SUCCESS;
    }
    if (sampling == AI_SAMPLING_DEFAULT_ONLY
        || (sampling == AI_SAMPLING_NO_THINKING && thinks(fit))) {
        for (i = 0; rv == APR_SUCCESS && i < sizeof(all) / sizeof(all[0]); i++) {
            rv = drop(fit, all[i]);
        }
    }
    return rv;
}

/* ------------------------------------------------------------------------------ thinking */

/* Puts the nearest word that it takes in the place of one that it does not. */
static apr_status_t fit_effort(fit_t *fit, ai_slice_t value, const char *member)
{
    const char *text;
    ai_effort_e wanted, taken;

    if (!value.p || ai_json_string(fit->p, value, &text, NULL) != APR_SUCCESS
        || ai_ability_refuses(fit->ability, member)) {
        return APR_SUCCESS;
    }
    wanted = ai_effort_of(ai_slice_of(text));
    taken = wanted == AI_EFFORTS_N ? wanted : ai_ability_effort(fit->ability, wanted);
    if (taken == wanted) {
        return APR_SUCCESS;
    }
    report(fit, member);
    return ai_splice_replace(fit->splice, value,
                             ai_json_quote(fit->p, ai_slice_of(ai_effort_word(taken))));
}

/* A budget must be smaller than the limit of the answer, which may have become smaller. */
static apr_status_t fit_budget(fit_t *fit, ai_slice_t budget)
{
    apr_int64_t tokens;

    if (ai_json_int(budget, &tokens) != APR_SUCCESS || fit->most < 0 || tokens < fit->most
        || tokens < LEAST_BUDGET) {
        return APR_SUCCESS;
    }
    if (fit->most <= LEAST_BUDGET) {
        return drop(fit, "thinking");
    }
    return ai_splice_replace(fit->splice, budget,
                             ai_slice_of(apr_psprintf(fit->p, "%" APR_INT64_T_FMT,
                                                      fit->most - 1)));
}

/* Anthropic's "thinking": {"type": ...}. */
static apr_status_t fit_thinking(fit_t *fit)
{
    ai_slice_t thinking = ai_json_doc_get(fit->doc, "thinking");
    ai_slice_t type = ai_json_get(thinking, "type");
    unsigned ways = fit->ability->thinking;
    apr_status_t rv;

    if (!type.p || !ways) {
        return APR_SUCCESS;
    }
    if (ways == AI_THINKING_NONE) {
        rv = ai_splice_remove(fit->splice, fit->doc->root, "thinking");
        if (rv == APR_SUCCESS && !ai_json_string_is(type, "disabled")) {
            report(fit, "thinking");
        }
        return rv;
    }
    if (ai_json_string_is(type, "disabled")) {
        return ways & AI_THINKING_ALWAYS ? drop(fit, "thinking") : APR_SUCCESS;
    }
    if (ai_json_string_is(type, "adaptive")) {
        return (ways & AI_THINKING_BUDGET) && !(ways & AI_THINKING_ADAPTIVE)
                   ? drop(fit, "thinking") : APR_SUCCESS;
    }
    if (!ai_json_string_is(type, "enabled")) {
        return APR_SUCCESS;
    }
    if (!(ways & AI_THINKING_ADAPTIVE) || (ways & AI_THINKING_BUDGET)) {
        return fit_budget(fit, ai_json_get(thinking, "budget_tokens"));
    }
    rv = ai_splice_replace(fit->splice, type, AI_SLICE("\"adaptive\""));
    return rv == APR_SUCCESS ? drop(fit, "thinking.budget_tokens") : rv;
}

apr_status_t ai_ability_fit(apr_pool_t *p, const ai_ability_t *ability, const ai_json_doc_t *doc,
                            ai_splice_t *splice, apr_array_header_t *dropped)
{
    fit_t fit = { p, ability, doc, splice, dropped, -1 };
    ai_slice_t config = ai_json_doc_get(doc, "output_config");
    apr_status_t rv = fit_limits(&fit);
    int i;

    if (rv == APR_SUCCESS) {
        rv = fit_names(&fit);
    }
    if (rv == APR_SUCCESS) {
        rv = fit_sampling(&fit);
    }
    if (rv == APR_SUCCESS) {
        rv = fit_thinking(&fit);
    }
    if (rv == APR_SUCCESS && ability->thinking == AI_THINKING_NONE) {
        rv = drop(&fit, "reasoning_effort");
    }
    if (rv == APR_SUCCESS) {
        rv = fit_effort(&fit, ai_json_doc_get(doc, "reasoning_effort"), "reasoning_effort");
    }
    if (rv == APR_SUCCESS && ai_json_type(config) == AI_JSON_OBJECT) {
        rv = fit_effort(&fit, ai_json_get(config, "effort"), "output_config.effort");
    }
    for (i = 0; rv == APR_SUCCESS && ability->refuses[i]; i++) {
        rv = drop(&fit, ability->refuses[i]);
    }
    return rv;
}
