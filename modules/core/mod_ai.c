/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_ai.c - the road of a request, and where it meets httpd.
 *
 * Read this first. A request on an AI location goes through the stages below, in this order; each
 * is a function of the core or a hook that other modules take part in. Before the road httpd's own
 * phases run (claim, then whatever authenticates and authorizes on this server); on the way back
 * every byte passes the gate (ai_gate.c), and each request is settled once.
 *
 * Later modules add their stages where the road has them: admit and reserve (mod_ai_ratelimit),
 * compose (mod_ai_prompt, mod_ai_context), inspect (mod_ai_guard), recall (mod_ai_cache).
 */

#define AI_HOLDS_MODULE_RECORD
#include "ai_private.h"
#include "dialects.h"

#include <ap_provider.h>
#include <apr_strings.h>

/* clang-format off */
/* The road. OK or DECLINED: go on. DONE: answered. Anything else is the answer's status. */
static const struct {
    const char *name;
    int (*run)(ai_request_t *air);
} stages[] = {
    { "identify",  ai_request_identify }, /* is anybody there?   ai_request.c               */
    { "decode",    ai_decode           }, /* what is asked?      ai_decode.c, dialects/     */
    { "authorize", ai_run_ai_authorize }, /* may he have that?   mod_ai_auth                */
    { "plan",      ai_run_ai_plan      }, /* who could answer?   mod_ai_route               */
    { "record",    ai_run_ai_record    }, /* is it on paper?     mod_ai_audit               */
    { "forward",   ai_run_ai_forward   }, /* who does answer?    mod_ai_route, ai_exchange.c */
};
/* clang-format on */

APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(ai, AI, int, ai_authorize, (ai_request_t * air), (air), OK,
                                    DECLINED)
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(ai, AI, int, ai_model_allowed,
                                    (ai_request_t * air, const char *model), (air, model), OK,
                                    DECLINED)
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(ai, AI, int, ai_plan, (ai_request_t * air), (air), OK, DECLINED)
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(ai, AI, int, ai_record, (ai_request_t * air), (air), OK,
                                    DECLINED)
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(ai, AI, int, ai_forward, (ai_request_t * air), (air), OK,
                                    DECLINED)
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(ai, AI, int, ai_attempt,
                                    (ai_request_t * air, const ai_attempt_t *attempt, int over),
                                    (air, attempt, over), OK, DECLINED)
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(ai, AI, int, ai_observe,
                                    (ai_request_t * air, apr_bucket_brigade *bb), (air, bb), OK,
                                    DECLINED)
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(ai, AI, int, ai_settle, (ai_request_t * air), (air), OK,
                                    DECLINED)

/* What a stage decided that said nothing itself. */
static const char *word_for(int status)
{
    return status == OK || status == DECLINED ? "ok" : status == DONE ? "answered" : "refused";
}

static int run_road(ai_request_t *air)
{
    apr_size_t i;

    for (i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        int steps = air->priv->road.n, status;

        air->priv->stage = stages[i].name;
        status = stages[i].run(air);
        if (air->priv->road.n == steps && !ai_road_has(&air->priv->road, stages[i].name)) {
            ai_explain_here(air, word_for(status), NULL);
        }
        ap_log_rerror(APLOG_MARK, APLOG_TRACE1, 0, air->r, "%s -> %d", stages[i].name, status);
        if (status != OK && status != DECLINED) {
            return status;
        }
    }
    return ai_refuse_with(air, HTTP_SERVICE_UNAVAILABLE, "no_route", NULL,
                          "No module of this server forwards requests (mod_ai_route).");
}

/* ---------------------------------------------------------------- httpd's own phases */

/* While the path is still encoded. OK only keeps others from mapping it now, as a ProxyPass with
 * mapping=encoded would; httpd goes on and decodes it. */
static int on_pre_translate_name(request_rec *r)
{
    return !r->main && ai_core_number(r, AI_ENGINE) ? OK : DECLINED;
}

static int on_translate_name(request_rec *r)
{
    return ai_request_claim(r);
}

static int on_map_to_storage(request_rec *r)
{
    ai_request_t *air = ai_request_of(r);

    return air && air->r == r ? OK : DECLINED; /* no file, no directory */
}

static int on_type_checker(request_rec *r)
{
    ai_request_t *air = ai_request_of(r);

    if (!air || air->r != r) {
        return DECLINED;
    }
    r->handler = AI_HANDLER; /* a path without one would go to a FallbackResource */
    return OK;               /* "/v1/models/x.html" is no page */
}

static int on_fixups(request_rec *r)
{
    ai_request_t *air = ai_request_of(r);

    if (air && air->r == r) { /* a RewriteRule inside our location does not lead away either */
        r->handler = AI_HANDLER;
        r->filename = apr_pstrdup(r->pool, r->uri);
        r->proxyreq = PROXYREQ_NONE;
    }
    return DECLINED;
}

static int on_handler(request_rec *r)
{
    ai_request_t *air;
    int status;

    if (!r->handler || strcmp(r->handler, AI_HANDLER) != 0) {
        return DECLINED;
    }
    air = ai_request_of(r);
    if (!air || air->r != r) {
        return DECLINED;
    }
    air->priv->began = apr_time_now();
    status = run_road(air);
    return status == DONE ? OK : status;
}

static int on_log_transaction(request_rec *r)
{
    ai_request_t *air = ai_request_behind(r);

    if (air) {
        ai_request_settle(air); /* the net, for every road that did not end in an answer */
        ai_notes_carry(air);
    }
    return DECLINED;
}

/* --------------------------------------------------------------- what others may call */

static int model_allowed(ai_request_t *air, const char *model)
{
    int status = ai_run_ai_model_allowed(air, model);

    return status == OK || status == DECLINED;
}

static ai_slice_t body_of(const ai_request_t *air)
{
    return (ai_slice_t){ air->priv->body.p, air->priv->body.n };
}

/* mod_ai_status's, or NULL. */
static APR_OPTIONAL_FN_TYPE(ai_measure) *keeper;

static void measure(ai_metric_t *metric, const char *const *values, apr_int64_t n)
{
    if (keeper) {
        keeper(metric, values, n);
    }
}

static void on_optional_fn_retrieve(void)
{
    keeper = APR_RETRIEVE_OPTIONAL_FN(ai_measure);
}

static const ai_api_t api = {
    AI_API_VERSION, ai_note_get, ai_note_set,      ai_note_set_number,   ai_refuse,
    ai_answer,      ai_estimate, ai_exchange, ai_exchange_pass_over,
    ai_exchange_wait, ai_exchange_give_up,
    ai_request_behind, ai_core_ability, ai_request_known, ai_decode_once, model_allowed,
    ai_database,    body_of,         measure,            ai_core_price,
    ai_explain,     ai_explain_road,
};

static const ai_api_t *ai_api(void)
{
    return &api;
}

static void register_hooks(apr_pool_t *p)
{
    static const char *const after_rewrite[] = { "mod_rewrite.c", NULL };
    static const char *const before_mapping[] = { "mod_proxy.c", "mod_alias.c", "mod_userdir.c",
                                                  "mod_vhost_alias.c", NULL };
    int i;

    for (i = 0; ai_dialects[i]; i++) {
        ap_register_provider(p, AI_DIALECT_GROUP, ai_dialects[i]->name, AI_DIALECT_VERSION,
                             ai_dialects[i]);
    }
    APR_REGISTER_OPTIONAL_FN(ai_api);
    ap_hook_optional_fn_retrieve(on_optional_fn_retrieve, NULL, NULL, APR_HOOK_MIDDLE);

    /* mod_rewrite may still lead to us; an Alias or ProxyPass of the site must not lead away. */
    ap_hook_pre_translate_name(on_pre_translate_name, NULL, before_mapping, APR_HOOK_FIRST);
    ap_hook_translate_name(on_translate_name, after_rewrite, before_mapping, APR_HOOK_FIRST);
    ap_hook_map_to_storage(on_map_to_storage, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_type_checker(on_type_checker, NULL, NULL, APR_HOOK_FIRST);
    /* Last, since a SetHandler that holds for the whole site is applied in this phase too. */
    ap_hook_fixups(on_fixups, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_handler(on_handler, NULL, NULL, APR_HOOK_FIRST);
    /* Before mod_log_config, which prints the notes. */
    ap_hook_log_transaction(on_log_transaction, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ai_models_conf_register(p);
    ai_price_conf_register(p);
    ai_answer_register(p);
    ai_exchange_register(p);
}

/* clang-format off */
AP_DECLARE_MODULE(ai) = {
    STANDARD20_MODULE_STUFF,
    ai_core_conf_create,
    ai_core_conf_merge,
    ai_core_server_create,
    ai_core_server_merge,
    ai_core_cmds,
    register_hooks,
    AP_MODULE_FLAG_NONE
};
/* clang-format on */
