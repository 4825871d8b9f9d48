/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_notes.c - which facts do modules hand to each other, and how are they read and written?
 *
 * A note is a string in r->notes, so that a site can set, log and test it. Beside it the request
 * keeps what was written through us, so that a note survives an internal redirect (which begins
 * with an empty table). What the site wrote itself is found in the table of the request in hand.
 *
 * Lives in: r->pool.  Shared state: none.  May block: no.
 */

#include <ap_expr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_private.h"

typedef struct note_name_t {
    const char *name;
    int site; /* 1: a site may set it; else a module is its one writer */
} note_name_t;

static const note_name_t ai_note_names[AI_NOTES_N] = {
    [AI_NOTE_REQUEST_ID] = { "ai-request-id", 0 },
    [AI_NOTE_TRACE_ID] = { "ai-trace-id", 0 },
    [AI_NOTE_SPAN_ID] = { "ai-span-id", 0 },
    [AI_NOTE_TRACE_PARENT] = { "ai-trace-parent", 0 },
    [AI_NOTE_KEY_ID] = { "ai-key-id", 1 },
    [AI_NOTE_USER] = { "ai-user", 1 },
    [AI_NOTE_TENANT] = { "ai-tenant", 1 },
    [AI_NOTE_TIER] = { "ai-tier", 1 },
    [AI_NOTE_DIALECT] = { "ai-dialect", 0 },
    [AI_NOTE_ENDPOINT] = { "ai-endpoint", 0 },
    [AI_NOTE_MODEL] = { "ai-model", 0 },
    [AI_NOTE_STREAM] = { "ai-stream", 0 },
    [AI_NOTE_LABEL] = { "ai-label", 1 },
    [AI_NOTE_ROUTE] = { "ai-route", 0 },
    [AI_NOTE_TARGET] = { "ai-target", 0 },
    [AI_NOTE_ATTEMPTS] = { "ai-attempts", 0 },
    [AI_NOTE_MODEL_SERVED] = { "ai-model-served", 0 },
    [AI_NOTE_TOKENS_PROMPT] = { "ai-tokens-prompt", 0 },
    [AI_NOTE_TOKENS_COMPLETION] = { "ai-tokens-completion", 0 },
    [AI_NOTE_TOKENS_CACHED] = { "ai-tokens-cached", 0 },
    [AI_NOTE_TOKENS_REASONING] = { "ai-tokens-reasoning", 0 },
    [AI_NOTE_TOKENS_SOURCE] = { "ai-tokens-source", 0 },
    [AI_NOTE_COST_NANOUSD] = { "ai-cost-nanousd", 0 },
    [AI_NOTE_PRICE] = { "ai-price", 0 },
    [AI_NOTE_DROPPED] = { "ai-dropped", 0 },
    [AI_NOTE_DENY] = { "ai-deny", 0 },
    [AI_NOTE_FINISH] = { "ai-finish", 0 },
    [AI_NOTE_TIME_HEAD_US] = { "ai-time-head-us", 0 },
    [AI_NOTE_TIME_FIRST_US] = { "ai-time-first-us", 0 },
    [AI_NOTE_TIME_UPSTREAM_US] = { "ai-time-upstream-us", 0 },
    [AI_NOTE_OVERHEAD_US] = { "ai-overhead-us", 0 },
};

typedef struct note_rule_t {
    const char *name;
    const ap_expr_info_t *expr;
} note_rule_t;

const char *ai_note_get(const ai_request_t *air, ai_note_e note)
{
    const char *value = apr_table_get(air->r->notes, ai_note_names[note].name);

    return value ? value : air->priv->note[note];
}

void ai_note_set(ai_request_t *air, ai_note_e note, const char *value)
{
    air->priv->note[note] = value;
    if (value) {
        apr_table_setn(air->r->notes, ai_note_names[note].name, value);
    }
    else {
        apr_table_unset(air->r->notes, ai_note_names[note].name);
    }
}

void ai_note_set_number(ai_request_t *air, ai_note_e note, apr_int64_t value)
{
    ai_note_set(air, note, apr_psprintf(air->r->pool, "%" APR_INT64_T_FMT, value));
}

/* NULL, or why a site may not set this note. */
static const char *check_name(apr_pool_t *p, const char *name)
{
    const char *c;
    int i;

    if (strncmp(name, "ai-", 3) != 0 || !name[3]) {
        return apr_psprintf(p, "AINote: '%s' does not begin with 'ai-'", name);
    }
    for (c = name; *c; c++) {
        if (!apr_islower(*c) && !apr_isdigit(*c) && *c != '-') {
            return apr_psprintf(p, "AINote: '%s' may hold only lower-case letters, digits and '-'",
                                name);
        }
    }
    for (i = 0; i < AI_NOTES_N; i++) {
        if (strcmp(name, ai_note_names[i].name) == 0 && !ai_note_names[i].site) {
            return apr_psprintf(p, "AINote: '%s' is written by a module; a site may set ai-key-id, "
                                "ai-user, ai-tenant, ai-tier, ai-label and names of its own", name);
        }
    }
    return NULL;
}

const char *ai_notes_add_rule(cmd_parms *cmd, ai_core_conf_t *conf, const char *name,
                              const char *expr)
{
    const char *wrong = check_name(cmd->pool, name);
    note_rule_t *rule;

    if (wrong) {
        return wrong;
    }
    if (!conf->notes) {
        conf->notes = apr_array_make(cmd->pool, 2, sizeof(note_rule_t));
    }
    rule = apr_array_push(conf->notes);
    rule->name = name;
    /* Not under our name: the evaluator traces values, and those may be a caller's words. */
    rule->expr = ap_expr_parse_cmd_mi(cmd, expr, AP_EXPR_FLAG_STRING_RESULT, &wrong, NULL,
                                      APLOG_NO_MODULE);
    return wrong ? apr_psprintf(cmd->pool, "AINote: '%s' is no expression: %s", expr, wrong) : NULL;
}

int ai_notes_apply(ai_request_t *air)
{
    request_rec *r = air->r;
    const ai_core_conf_t *conf = ai_core_conf(r);
    int i;

    for (i = 0; conf->notes && i < conf->notes->nelts; i++) {
        const note_rule_t *rule = &APR_ARRAY_IDX(conf->notes, i, note_rule_t);
        const char *wrong = NULL;
        const char *value = ap_expr_str_exec(r, rule->expr, &wrong);

        if (wrong) {
            ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                          AI_LOGNO(0101) "AINote %s: the expression failed: %s", rule->name, wrong);
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        if (value && *value) {
            apr_table_setn(r->notes, rule->name, value); /* empty means: leave it unknown */
        }
    }
    return OK;
}

static int carry_note(void *to, const char *name, const char *value)
{
    if (strncmp(name, "ai-", 3) == 0) {
        apr_table_setn(to, name, value);
    }
    return 1;
}

void ai_notes_carry(ai_request_t *air)
{
    request_rec *last = air->r;

    while (last->next) {
        last = last->next;
    }
    if (last != air->r) {
        apr_table_do(carry_note, last->notes, air->r->notes, NULL);
    }
}
