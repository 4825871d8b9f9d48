/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_explain.c - why did this request go the way it went, and who may know?
 *
 * Every stage adds its steps (lib/ai_road.c), whoever asks. The record has them all; a caller whom
 * AIExplain allows and who asks by the header "ai-explain" has those that there are when his answer's
 * head goes down.
 *
 * Lives in: r->pool.  Shared state: none.  May block: no.
 */

#include <ap_expr.h>
#include <apr_strings.h>

#include "ai_private.h"

static const char header[] = "ai-explain";

/* How long a text is at most: in a header, and in a record. */
#define HEADER_MAX 4096
#define RECORD_MAX 8192

static void add(ai_request_t *air, const char *stage, const char *decision, const char *target,
                int status, const char *reason)
{
    apr_time_t us = apr_time_now() - air->r->request_time;
    ai_road_step_t step = { stage, decision, target, status, reason, us > 0 ? us : 0 };

    ai_road_add(&air->priv->road, &step);
}

void ai_explain(ai_request_t *air, const char *stage, const char *decision, const char *reason)
{
    add(air, stage, decision, NULL, 0, reason);
}

void ai_explain_attempt(ai_request_t *air, const char *decision, const ai_attempt_t *attempt)
{
    add(air, "forward", decision, attempt->target->name, attempt->status, attempt->reason);
}

void ai_explain_here(ai_request_t *air, const char *decision, const char *reason)
{
    add(air, air->priv->stage, decision, NULL, 0, reason);
}

const char *ai_explain_road(const ai_request_t *air, apr_pool_t *p)
{
    return ai_road_json(p, &air->priv->road, RECORD_MAX);
}

/* ------------------------------------------------------------------------ the directive */

const char *ai_explain_set(cmd_parms *cmd, void *conf_in, const char *arg)
{
    ai_core_conf_t *conf = conf_in;
    const char *wrong = ai_conf_place(cmd);

    if (wrong) {
        return wrong;
    }
    conf->explain_said = 1;
    conf->explain_expr = NULL;
    if (ap_cstr_casecmpn(arg, "expr=", 5) != 0) {
        wrong = ai_conf_set(cmd, conf, arg);
        return wrong ? apr_pstrcat(cmd->pool, wrong, ", nor an expression, \"expr=...\"", NULL)
                     : NULL;
    }
    wrong = ai_conf_set(cmd, conf, "On");
    if (wrong) {
        return wrong;
    }
    /* Not under our name: the evaluator traces values, and those may be a caller's words. */
    conf->explain_expr = ap_expr_parse_cmd_mi(cmd, arg + 5, 0, &wrong, NULL, APLOG_NO_MODULE);
    return wrong ? apr_psprintf(cmd->pool, "AIExplain: '%s' is no expression: %s", arg + 5, wrong)
                 : NULL;
}

/* 1 when the caller may know. */
static int may_know(const ai_request_t *air)
{
    request_rec *r = air->r;
    const ai_core_conf_t *conf = ai_core_conf(r);
    const char *wrong = NULL;
    int yes;

    if (!ai_core_number(r, AI_EXPLAIN)) {
        return 0;
    }
    if (!conf->explain_expr) {
        return 1;
    }
    yes = ap_expr_exec(r, conf->explain_expr, &wrong);
    if (wrong) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      AI_LOGNO(0125) "AIExplain: the expression failed: %s", wrong);
    }
    return yes > 0 && !wrong;
}

void ai_explain_show(const ai_request_t *air, apr_table_t *headers)
{
    request_rec *r = air->r;
    const char *asked = apr_table_get(r->headers_in, header);
    int json = asked && strcmp(asked, "json") == 0;

    if (!asked || !(json || strcmp(asked, "1") == 0) || !may_know(air)) {
        return;
    }
    apr_table_setn(headers, header,
                   (json ? ai_road_json : ai_road_text)(r->pool, &air->priv->road, HEADER_MAX));
}

void ai_explain_keep_back(apr_table_t *headers)
{
    apr_table_unset(headers, header);
}
