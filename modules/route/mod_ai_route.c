/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_ai_route.c - who shall answer?
 *
 * Stage plan finds the targets for the model that is asked, and answers /v1/models from the
 * routes; stage forward tries them. How one attempt goes is the core's (ai_exchange.c).
 *
 * Lives in: r->pool, the configuration pool.  Shared state: none.
 * May block: in stage forward, on targets.
 */

#define ROUTE_HOLDS_MODULE_RECORD
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>

#include "ai_reserve.h"
#include "dialects.h"
#include "route_custody.h"
#include "route_metrics.h"
#include "route_private.h"
#include "route_retry.h"
#include "route_rule.h"
#include "route_source.h"
#include "route_status.h"
#include "route_target.h"

/* Found in post_config. */
static const ai_api_t *ai;
/* When the configuration was read, for /v1/models. Set in post_config. */
static apr_int64_t created_s;

static const route_conf_t *conf_of(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &ai_route_module);
}

/* -------------------------------------------------------------------------- the stages */

static int moves_on(const void *baton, int status)
{
    const char *fallback = baton;

    if (status < ROUTE_STATUS_MIN || status > ROUTE_STATUS_MAX) {
        return 0;
    }
    if (fallback) {
        return fallback[status - ROUTE_STATUS_MIN];
    }
    return status == 408 || status == 429 || status >= 500; /* 529, too: overloaded */
}

static int refuse(ai_request_t *air, int status, const char *code, const char *param,
                  const char *message)
{
    ai_error_t *error = apr_palloc(air->r->pool, sizeof(*error));

    *error = (ai_error_t){ status, code, message, param };
    return ai->refuse(air, error);
}

static int refuse_model(ai_request_t *air, const char *model)
{
    return refuse(air, HTTP_NOT_FOUND, "model_not_found", "model",
                  apr_pstrcat(air->r->pool, "The model '", model,
                              "' does not exist or is not served here.", NULL));
}

/* What a model of the list can do: as the first target of its rule has it. */
static void add_ability(const ai_request_t *air, const route_rule_t *rule, ai_model_t *model)
{
    const ai_target_t *target = APR_ARRAY_IDX(rule->targets, 0, const ai_target_t *);
    const char *served = route_target_model(target, model->id);

    model->ability = ai->ability(air->r, target, served ? served : model->id);
}

static int answer_models(ai_request_t *air, const route_conf_t *conf)
{
    apr_pool_t *p = air->r->pool;
    const route_rule_t *rule;
    ai_model_t one;
    int i, n, kept = 0;

    if (air->endpoint == AI_ENDPOINT_MODELS) {
        ai_model_t *models = route_rule_models(p, conf->rules, created_s, &n);

        for (i = 0; i < n; i++) {
            if (ai->model_allowed(air, models[i].id)) {
                models[kept] = models[i];
                add_ability(air, route_rule_find(conf->rules, models[i].id), &models[kept++]);
            }
        }
        return ai->answer(air, HTTP_OK, "application/json",
                          air->dialect->write_models(p, models, kept, 0));
    }
    rule = route_rule_find(conf->rules, air->path_model);
    if (!rule) {
        return refuse_model(air, air->path_model);
    }
    one = (ai_model_t){ air->path_model,
                        APR_ARRAY_IDX(rule->targets, 0, const ai_target_t *)->name, created_s, NULL };
    add_ability(air, rule, &one);
    return ai->answer(air, HTTP_OK, "application/json", air->dialect->write_models(p, &one, 1, 1));
}

/* Of a rule's targets those that can answer; own: only those of the caller's own dialect. */
static const apr_array_header_t *pick_targets(ai_request_t *air, const route_rule_t *rule, int own)
{
    apr_array_header_t *some = NULL;
    int i;

    for (i = 0; i < rule->targets->nelts; i++) {
        const ai_target_t *target = APR_ARRAY_IDX(rule->targets, i, const ai_target_t *);
        int serves = own ? target->dialect == air->dialect
                         : ai_dialect_serves(air->dialect, target->dialect, air->endpoint);

        if (!serves && !some) {
            some = apr_array_make(air->r->pool, rule->targets->nelts, sizeof(target));
            memcpy(some->elts, rule->targets->elts, (apr_size_t)i * sizeof(target));
            some->nelts = i;
        }
        else if (some && serves) {
            APR_ARRAY_PUSH(some, const ai_target_t *) = target;
        }
    }
    return some ? some : rule->targets;
}

/* The targets that can answer the caller. What one provider keeps no other dialect can name; where
 * there is nobody else, a chat is left to the translator, who says what it was. */
static const apr_array_header_t *who_understands(ai_request_t *air, const route_rule_t *rule)
{
    const apr_array_header_t *own = air->ask.kept ? pick_targets(air, rule, 1) : NULL;

    if (own && (own->nelts || air->endpoint != AI_ENDPOINT_CHAT)) {
        return own;
    }
    return pick_targets(air, rule, 0);
}

static int is_one_of(const apr_array_header_t *targets, const ai_target_t *target)
{
    int i;

    for (i = 0; i < targets->nelts; i++) {
        if (APR_ARRAY_IDX(targets, i, const ai_target_t *) == target) {
            return 1;
        }
    }
    return 0;
}

/* Which rule fitted, who is named there, and who of those cannot answer this caller. */
static void explain_plan(ai_request_t *air, const route_rule_t *rule,
                         const apr_array_header_t *targets)
{
    int i;

    ai->explain(air, "plan", "route", rule->pattern);
    ai->explain(air, "plan", "targets", rule->names);
    for (i = 0; targets != rule->targets && i < rule->targets->nelts; i++) {
        const ai_target_t *target = APR_ARRAY_IDX(rule->targets, i, const ai_target_t *);

        if (!is_one_of(targets, target)) {
            ai->explain(air, "plan", "other-dialect", target->name);
        }
    }
}

/* Where the caller has set no cap, the longest answer of the models that are planned is the most. */
static void reserve_completion(ai_request_t *air, const apr_array_header_t *targets)
{
    apr_int64_t most = 0;
    int i;

    for (i = 0; i < targets->nelts && most >= 0 && air->ask.model; i++) {
        const ai_target_t *target = APR_ARRAY_IDX(targets, i, const ai_target_t *);
        const char *served = route_target_model(target, air->ask.model);
        apr_int64_t limit =
            ai->ability(air->r, target, served ? served : air->ask.model)->output;

        most = limit < 0 || limit > most ? limit : most;
    }
    air->reserved.completion = ai_reserve_uncapped(air->endpoint, &air->ask, most);
}

static int on_plan(ai_request_t *air)
{
    const route_conf_t *conf = conf_of(air->r);
    const apr_array_header_t *targets;
    const route_rule_t *rule;
    const char *model;

    if (air->endpoint == AI_ENDPOINT_MODELS || air->endpoint == AI_ENDPOINT_MODEL) {
        return answer_models(air, conf);
    }
    model = ai_endpoint_is_kept(air->endpoint) ? NULL : air->ask.model;
    rule = route_rule_find(conf->rules, model);
    if (!rule && model) {
        return refuse_model(air, air->ask.model);
    }
    if (!rule) {
        return refuse(air, HTTP_NOT_FOUND, "not_found", NULL,
                      "This request goes by no model, and there is no route for '*'.");
    }
    ai->note_set(air, AI_NOTE_ROUTE, rule->pattern);
    targets = who_understands(air, rule);
    explain_plan(air, rule, targets);
    if (!targets->nelts && air->endpoint == AI_ENDPOINT_COUNT && air->dialect->translator) {
        return ai->estimate(air);
    }
    if (!targets->nelts) {
        return refuse(air, HTTP_BAD_REQUEST, "dialect_mismatch", "model",
                      apr_pstrcat(air->r->pool, "The route '", rule->pattern,
                                  "' leads to providers that do not speak this API (",
                                  air->dialect->name, ").", NULL));
    }
    air->plan = targets;
    if (air->reserved.completion < 0) {
        reserve_completion(air, targets);
    }
    return OK;
}

/*
 * What one provider keeps no other knows: a file, a batch, the response that this one goes on from.
 * No state of ours says which target made it, so it is always the first that can be meant.
 */
static int has_one_target(const ai_request_t *air)
{
    return ai_endpoint_is_kept(air->endpoint) || air->ask.kept || air->ask.once
           || (air->endpoint == AI_ENDPOINT_OTHER && !air->ask.model);
}

/* To upload a file or to create a job twice is no repair; to ask for it twice does no harm. */
static int may_repeat(const ai_request_t *air)
{
    if (air->ask.once) {
        return 0;
    }
    return !ai_endpoint_passes(air->endpoint) || air->r->method_number == M_GET
           || (air->ask.model && !ai_endpoint_is_kept(air->endpoint));
}

static int on_forward(ai_request_t *air)
{
    const route_conf_t *conf = conf_of(air->r);
    const apr_array_header_t *targets = air->plan;
    int rounds = may_repeat(air) ? (int)route_conf_number(conf, ROUTE_RETRIES) : 0;

    if (has_one_target(air)) {
        apr_array_header_t *first = apr_array_make(air->r->pool, 1, sizeof(const ai_target_t *));

        APR_ARRAY_PUSH(first, const ai_target_t *) =
            APR_ARRAY_IDX(targets, 0, const ai_target_t *);
        if (targets->nelts > 1) {
            ai->explain(air, "forward", "first-alone", air->ask.once ? "long-upload" : "kept-there");
        }
        targets = first;
    }
    return route_retry_run(ai, air, targets, rounds, route_conf_number(conf, ROUTE_BACKOFF),
                           moves_on, conf->fallback);
}

/* ------------------------------------------------------------------ hooks, the module */

static int on_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)plog;
    (void)ptemp;
    route_custody_begin(pconf);
    return OK;
}

static int on_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)plog;
    (void)ptemp;
    ai = ai_api_find();
    if (!ai) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                     AI_LOGNO(0502) "mod_ai_route needs mod_ai of the same version; load ai_module");
        return !OK;
    }
    created_s = apr_time_sec(apr_time_now());
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG) {
        route_custody_prepare(pconf, s); /* httpd reads its configuration twice when it starts */
    }
    return OK;
}

static void on_child_init(apr_pool_t *p, server_rec *s)
{
    route_source_watch(p, s);
}

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_pre_config(on_pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(on_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(on_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    route_metrics_register();
    route_status_register();
    AI_STAGE(plan, on_plan);
    AI_STAGE(forward, on_forward);
}

/* clang-format off */
AP_DECLARE_MODULE(ai_route) = {
    STANDARD20_MODULE_STUFF,
    route_conf_create,
    route_conf_merge,
    route_server_conf_create,
    route_server_conf_merge,
    route_cmds,
    register_hooks,
    AP_MODULE_FLAG_NONE
};
/* clang-format on */
