/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_ai_auth.c - who calls, and may he have that?
 *
 * Callers are known by a key of this gateway, a token of an issuer that it trusts, or by any other
 * login of httpd's. A key or token is taken out of the request before anything can log it
 * (auth_conceal.c), made the caller (auth_identity.c, auth_lookup.c, auth_token.c), and "Require
 * ai-..." decides by it (auth_require.c). What a key itself allows is enforced whatever is required.
 *
 * Lives in: r->pool, the configuration pool.  Shared state: keys and sets (auth_held.c).
 * May block: on the caller, where Require asks for the model of a body; on an issuer (auth_token.c), on
 * a database (auth_lookup.c).
 */

#define AUTH_HOLDS_MODULE_RECORD
#include <apr_strings.h>
#include <httpd.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>

#include "auth_jwks.h"
#include "auth_private.h"
#include "auth_token.h"

const ai_api_t *auth_ai;

/* ------------------------------------------------------------------- httpd's own phases */

static void on_pre_read_request(request_rec *r, conn_rec *c)
{
    (void)c;
    auth_hush(r);
}

/* httpd asks nobody about a head that it refuses itself (too long, malformed), but logs its line, and
 * shows it on mod_status's page. */
static void conceal_refused(request_rec *r)
{
    const auth_request_t *auth = auth_request_of(r);

    if (!auth || !auth->concealed) {
        auth_conceal(r);
    }
}

/* Also of one that httpd makes itself, to a page of an error. */
static int on_post_read_request(request_rec *r)
{
    if (r->prev) {
        conceal_refused(r->prev);
    }
    auth_conceal(r);
    return DECLINED;
}

/* The request of ours that r itself is, or NULL. */
static ai_request_t *claimed(request_rec *r)
{
    ai_request_t *air = auth_ai->request_of(r);

    return air && air->r == r ? air : NULL;
}

/* Never OK: Require decides. But a key that is bad is not no key. */
static int on_access_checker_ex(request_rec *r)
{
    ai_request_t *air = claimed(r);
    int status = air ? auth_authenticate(air) : DECLINED;

    return status == OK ? DECLINED : status;
}

/* Require wants to know who it is. He with a key is known, and needs no AuthType; where there is
 * none, httpd would answer 500. */
static int on_check_authn(request_rec *r)
{
    ai_request_t *air = claimed(r);
    int status;

    if (!air) {
        return DECLINED;
    }
    if (auth_key_of(air) || auth_issuer_of(air)) {
        return OK;
    }
    if (ap_auth_type(r)) {
        return DECLINED;
    }
    if (r->user) {
        return OK; /* known by a certificate */
    }
    status = auth_refuse_stray(air);
    if (status != OK) {
        return status;
    }
    apr_table_setn(r->err_headers_out, "WWW-Authenticate", "Bearer realm=\"ai\"");
    return auth_refuse(air, HTTP_UNAUTHORIZED, "invalid_api_key", NULL,
                       "No identity: this gateway serves only callers that it knows.");
}

/* Where Require lets somebody in for another reason (an address, "all granted"), httpd does not ask
 * who it is. We serve nobody whom we do not know, so the location's own login is asked after all. */
static int ask_for_login(ai_request_t *air)
{
    request_rec *r = air->r;

    return !auth_ai->known(air) && ap_auth_type(r) ? ap_run_check_user_id(r) : OK;
}

/* Behind all of that; some of it may be skipped (Satisfy Any), this is not. */
static int on_fixups(request_rec *r)
{
    ai_request_t *air = claimed(r);
    int status = air ? auth_authenticate(air) : DECLINED;

    if (air && status == DECLINED) {
        status = ask_for_login(air);
        if (status == OK || status == DECLINED) {
            status = auth_refuse_stray(air);
        }
        if (status == OK) {
            status = auth_map_login(air);
        }
    }
    return status == OK ? DECLINED : status;
}

/* A head that is refused is answered before anything else is done with it. */
static void on_insert_error_filter(request_rec *r)
{
    conceal_refused(r);
}

/* Where there was nobody to answer any more. */
static int on_log_transaction(request_rec *r)
{
    conceal_refused(r);
    return DECLINED;
}

/* --------------------------------------------------------------------------- the stages */

/* A key for certain models has nothing to say of a request that names none; but such requests can
 * reach any model (a batch, an assistant), so that the key must name their endpoint. */
static int allows_unnamed(const ai_key_t *key)
{
    return key->endpoints || (!key->models && !key->models_denied);
}

static int on_authorize(ai_request_t *air)
{
    const ai_key_t *key = auth_key_of(air);
    const char *model = auth_model_of(air);

    if (air->endpoint == AI_ENDPOINT_MODELS) {
        return OK;
    }
    if (!key) {
        return auth_models_authorize(air);
    }
    if (model && !ai_key_allows_model(key, model)) {
        return auth_refuse(air, HTTP_FORBIDDEN, "model_not_allowed", "model",
                           apr_psprintf(air->r->pool, "The key may not use the model '%s'.", model));
    }
    if (!model && !allows_unnamed(key)) {
        return auth_refuse(air, HTTP_FORBIDDEN, "model_not_allowed", "model",
                           "The key may use certain models only, and this request names none.");
    }
    return auth_models_authorize(air);
}

static int on_model_allowed(ai_request_t *air, const char *model)
{
    const ai_key_t *key = auth_key_of(air);

    return (!key || ai_key_allows_model(key, model)) && auth_models_allow(air, model)
               ? OK
               : HTTP_FORBIDDEN;
}

/* -------------------------------------------------------------------- hooks, the module */

static int on_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)pconf;
    (void)plog;
    (void)ptemp;
    auth_file_begin();
    auth_lookup_begin();
    auth_jwks_begin();
    return OK;
}

static void find_databases(apr_pool_t *p, server_rec *s)
{
    server_rec *host;

    for (host = s; host; host = host->next) {
        auth_server_conf_t *conf = ap_get_module_config(host->module_config, &ai_auth_module);
        const ai_db_conf_t *database = auth_ai->database(host);

        conf->lookup = database ? auth_lookup_make(p, database) : NULL;
    }
    auth_lookup_share(p, s, auth_cache_size(s));
}

static int on_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)plog;
    (void)ptemp;
    auth_ai = ai_api_find();
    if (!auth_ai) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                     AI_LOGNO(0202) "mod_ai_auth needs mod_ai of the same version; load ai_module");
        return !OK;
    }
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG) {
        auth_jwks_share(pconf, s);
        auth_throttle_attach(s);
        find_databases(pconf, s);
    }
    return OK;
}

/* 1 when a host of the server takes tokens. */
static int has_issuers(const server_rec *s)
{
    for (; s; s = s->next) {
        const auth_server_conf_t *conf = ap_get_module_config(s->module_config, &ai_auth_module);

        if (conf->issuers) {
            return 1;
        }
    }
    return 0;
}

static void on_child_init(apr_pool_t *p, server_rec *s)
{
    auth_file_watch(p, s);
    auth_lookup_start(p, s);
    if (has_issuers(s)) {
        auth_token_start(p);
        auth_jwks_start(p, s);
    }
}

static int on_monitor(apr_pool_t *p, server_rec *s)
{
    (void)p;
    auth_file_look(s);
    return DECLINED;
}

static void register_hooks(apr_pool_t *p)
{
    ap_hook_pre_read_request(on_pre_read_request, NULL, NULL, APR_HOOK_MIDDLE);
    /* Before all others who look at a request. Some that write it down (mod_log_forensic,
     * mod_security2) are REALLY_FIRST: between those the order of LoadModule would decide. */
    ap_hook_post_read_request(on_post_read_request, NULL, NULL, APR_HOOK_REALLY_FIRST - 1);
    /* Before mod_authz_core, which asks our providers in this phase, too. */
    ap_hook_check_access_ex(on_access_checker_ex, NULL, NULL, APR_HOOK_FIRST,
                            AP_AUTH_INTERNAL_PER_CONF);
    /* Before Basic and the like, which would turn a key's owner away. */
    ap_hook_check_authn(on_check_authn, NULL, NULL, APR_HOOK_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_fixups(on_fixups, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_insert_error_filter(on_insert_error_filter, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_log_transaction(on_log_transaction, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_pre_config(on_pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(on_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(on_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_monitor(on_monitor, NULL, NULL, APR_HOOK_MIDDLE);
    auth_require_register(p);
    AI_STAGE(authorize, on_authorize);
    AI_STAGE(model_allowed, on_model_allowed);
}

/* clang-format off */
AP_DECLARE_MODULE(ai_auth) = {
    STANDARD20_MODULE_STUFF,
    auth_conf_create,
    auth_conf_merge,
    auth_server_conf_create,
    auth_server_conf_merge,
    auth_cmds,
    register_hooks,
    AP_MODULE_FLAG_ALWAYS_MERGE /* find_databases() writes into that of each host */
};
/* clang-format on */
