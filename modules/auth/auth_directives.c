/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_directives.c - what may an operator say about who calls?
 *
 * Lives in: the configuration pool.  Shared state: none.
 * May block: on files of keys, while the configuration is read.
 */

#include <apr_strings.h>
#include <httpd.h>
#include <http_log.h>

#include "auth_issuer.h"
#include "ai_value.h"
#include "auth_private.h"

static const char *const fact_names[AUTH_FACTS_N] = { "user", "tenant", "tier" };

const char *auth_fact_name(auth_fact_e fact)
{
    return fact_names[fact];
}

enum { LOOKUP_TIMEOUT, CACHE_TTL, CACHE_SIZE, GRACE, SERVER_FIELDS_N };

/* Longer than any time that can be said. */
#define FOREVER_MS APR_INT64_MAX

/* clang-format off */
static ai_field_t server_fields[SERVER_FIELDS_N] = {
    [LOOKUP_TIMEOUT] = AI_FIELD_TIME(auth_server_conf_t, lookup_timeout_ms, "200ms", 1, AI_MINUTES_MS(1)),
    [CACHE_TTL] = AI_FIELD_TIME(auth_server_conf_t, cache_ttl_ms, "60s", 0, AI_DAYS_MS(1)),
    [CACHE_SIZE] = AI_FIELD_SIZE(auth_server_conf_t, cache_size, "16m", AI_KEY_CACHE_LEAST, AI_KEY_CACHE_MOST),
    [GRACE] = AI_FIELD_TIME(auth_server_conf_t, grace_ms, "1h", 0, AI_DAYS_MS(365)),
};
/* clang-format on */

static apr_int64_t server_number(const server_rec *s, int field)
{
    return ai_conf_number(ap_get_module_config(s->module_config, &ai_auth_module),
                          &server_fields[field]);
}

apr_interval_time_t auth_lookup_timeout(const server_rec *s)
{
    return apr_time_from_msec(server_number(s, LOOKUP_TIMEOUT));
}

apr_size_t auth_cache_size(const server_rec *s)
{
    return (apr_size_t)server_number(s, CACHE_SIZE);
}

auth_lookup_rule_t auth_lookup_rule(const server_rec *s)
{
    apr_int64_t grace = server_number(s, GRACE);
    auth_lookup_rule_t rule = { .ttl = apr_time_from_msec(server_number(s, CACHE_TTL)),
                                .grace = grace == FOREVER_MS ? -1 : apr_time_from_msec(grace),
                                .timeout = auth_lookup_timeout(s) };

    return rule;
}

/* Of most use against guessing would be 1; but a person who tries his key, or a fleet of programs
 * behind one address whose key was just rotated, should read what is wrong, not 429. */
const auth_limit_t *auth_failures_limit(const server_rec *s)
{
    static const auth_limit_t usual = { 20, AI_MINUTES_MS(1) };
    const auth_server_conf_t *conf = ap_get_module_config(s->module_config, &ai_auth_module);

    return conf->failures ? conf->failures : &usual;
}

void *auth_server_conf_create(apr_pool_t *p, server_rec *s)
{
    (void)s;
    return ai_conf_create(p, sizeof(auth_server_conf_t), server_fields, SERVER_FIELDS_N);
}

void *auth_server_conf_merge(apr_pool_t *p, void *base_in, void *add_in)
{
    const auth_server_conf_t *base = base_in, *add = add_in;
    auth_server_conf_t *conf = apr_pmemdup(p, add, sizeof(*conf));

    conf->file = add->file ? add->file : base->file;
    conf->issuers = add->issuers ? add->issuers : base->issuers;
    conf->failures = add->failures ? add->failures : base->failures;
    conf->lookup = NULL; /* it is found in post_config */
    ai_conf_inherit(conf, base, server_fields, SERVER_FIELDS_N);
    return conf;
}

void *auth_conf_create(apr_pool_t *p, char *dir)
{
    (void)dir;
    return apr_pcalloc(p, sizeof(auth_conf_t));
}

void *auth_conf_merge(apr_pool_t *p, void *base_in, void *add_in)
{
    const auth_conf_t *base = base_in, *add = add_in, *own;
    auth_conf_t *conf = apr_palloc(p, sizeof(*conf));
    int i;

    for (i = 0; i < AUTH_FACTS_N; i++) {
        conf->facts[i] = add->facts[i] ? add->facts[i] : base->facts[i];
    }
    own = add->models || add->models_denied ? add : base; /* both lists are one word of the site */
    conf->models = own->models;
    conf->models_denied = own->models_denied;
    return conf;
}

/* A setting of the host: cmd->info is its field. */
static const char *set_server(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    return ai_conf_set(cmd, ap_get_module_config(cmd->server->module_config, &ai_auth_module), arg);
}

static const char *set_cache_size(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    return wrong ? wrong : set_server(cmd, dir, arg);
}

static const char *set_grace(cmd_parms *cmd, void *dir, const char *arg)
{
    auth_server_conf_t *conf = ap_get_module_config(cmd->server->module_config, &ai_auth_module);
    const char *wrong = ai_conf_place(cmd);

    if (!wrong && ap_cstr_casecmp(arg, "forever") == 0) {
        conf->grace_ms = FOREVER_MS;
        return NULL;
    }
    wrong = wrong ? wrong : set_server(cmd, dir, arg);
    return wrong ? apr_pstrcat(cmd->pool, wrong, "; or forever", NULL) : NULL;
}

static const char *set_key_file(cmd_parms *cmd, void *dir, const char *arg)
{
    auth_server_conf_t *conf = ap_get_module_config(cmd->server->module_config, &ai_auth_module);
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    const char *path = ap_server_root_relative(cmd->pool, arg);

    (void)dir;
    if (wrong) {
        return wrong;
    }
    if (conf->file) {
        return "AIAuthKeyFile: there is one already for this host; a host has one file";
    }
    if (!path) {
        return apr_psprintf(cmd->pool, "AIAuthKeyFile: '%s' is no path", arg);
    }
    conf->file = auth_file_open(cmd, path, &auth_file_keys, &wrong);
    return conf->file ? NULL : apr_psprintf(cmd->pool, "AIAuthKeyFile: %s: %s", path, wrong);
}

/* "20/1min", or Off. */
static const char *set_failures(cmd_parms *cmd, void *dir, const char *arg)
{
    auth_server_conf_t *conf = ap_get_module_config(cmd->server->module_config, &ai_auth_module);
    auth_limit_t *limit = apr_pcalloc(cmd->pool, sizeof(*limit));
    const char *slash = strchr(arg, '/'), *wrong = ai_conf_place(cmd);

    (void)dir;
    if (!wrong && !slash && ap_cstr_casecmp(arg, "Off") != 0) {
        wrong = apr_psprintf(cmd->pool, "AIAuthFailures: '%s' is neither a number, a slash and a "
                             "time (\"20/1min\") nor Off", arg);
    }
    else if (!wrong && slash) {
        wrong = ai_value_number(cmd->pool, apr_pstrmemdup(cmd->pool, arg, (apr_size_t)(slash - arg)),
                                1, AUTH_LIMIT_MOST, &limit->most);
        wrong = wrong ? wrong : ai_value_time(cmd->pool, slash + 1, 1000, AUTH_LIMIT_SPAN_MS,
                                              &limit->span_ms);
        wrong = wrong ? apr_pstrcat(cmd->pool, "AIAuthFailures: ", wrong, NULL) : NULL;
    }
    conf->failures = limit;
    return wrong;
}

static const char *set_identity(cmd_parms *cmd, void *conf_in, const char *fact, const char *expr)
{
    auth_conf_t *conf = conf_in;
    const char *wrong = ai_conf_place(cmd);
    int i;

    for (i = 0; !wrong && i < AUTH_FACTS_N && strcmp(fact, fact_names[i]) != 0; i++) {
    }
    if (wrong) {
        return wrong;
    }
    if (i == AUTH_FACTS_N) {
        return apr_psprintf(cmd->pool, "AIAuthIdentity: '%s' is neither user nor tenant nor tier",
                            fact);
    }
    /* Not under our name: the evaluator traces values. */
    conf->facts[i] = ap_expr_parse_cmd_mi(cmd, expr, AP_EXPR_FLAG_STRING_RESULT, &wrong, NULL,
                                          APLOG_NO_MODULE);
    return wrong ? apr_psprintf(cmd->pool, "AIAuthIdentity: '%s' is no expression: %s", expr, wrong)
                 : NULL;
}

const command_rec auth_cmds[] = {
    AP_INIT_TAKE1("AIAuthKeyFile", set_key_file, NULL, RSRC_CONF,
                  "the file of gateway keys, one JSON object a line"),
    AP_INIT_TAKE1("AIAuthFailures", set_failures, NULL, RSRC_CONF,
                  "how many attempts with a bad key an address may make in a time, or Off"),
    AP_INIT_TAKE1("AIAuthLookupTimeout", set_server, &server_fields[LOOKUP_TIMEOUT],
                  RSRC_CONF, "how long a request waits for what is looked up elsewhere"),
    AP_INIT_TAKE1("AIAuthCacheTTL", set_server, &server_fields[CACHE_TTL], RSRC_CONF,
                  "how long what the database said of a key counts, or Off to ask each time"),
    AP_INIT_TAKE1("AIAuthCacheSize", set_cache_size, &server_fields[CACHE_SIZE], RSRC_CONF,
                  "bytes of memory for what the database said of keys, with k, m or g"),
    AP_INIT_TAKE1("AIAuthGrace", set_grace, &server_fields[GRACE], RSRC_CONF,
                  "how long a key goes on while the database is away, or forever, or Off"),
    AP_INIT_RAW_ARGS("<AIAuthIssuer", auth_issuer_section, NULL, RSRC_CONF,
                     "the issuer of tokens that are taken, as it stands in their claim iss"),
    AP_INIT_TAKE12("AIAuthJWKS", auth_issuer_jwks, NULL, RSRC_CONF,
                   "the issuer's keys: a URL that gives a JWK set, or a file"),
    AP_INIT_TAKE1("AIAuthAudience", auth_issuer_audience, NULL, RSRC_CONF,
                  "who the tokens must be for, as it stands in their claim aud; or any"),
    AP_INIT_TAKE23("AIAuthClaim", auth_issuer_claim, NULL, RSRC_CONF,
                   "user, tenant or tier, the claim that says it, and what is put before it"),
    AP_INIT_TAKE1("AIAuthLeeway", auth_issuer_field, &auth_issuer_fields[AUTH_ISSUER_LEEWAY],
                  RSRC_CONF, "how far the issuer's clock may be off"),
    AP_INIT_TAKE1("AIAuthNeedExpiry", auth_issuer_field,
                  &auth_issuer_fields[AUTH_ISSUER_NEED_EXPIRY], RSRC_CONF,
                  "On: tokens without an end are refused"),
    AP_INIT_TAKE1("AIAuthCAFile", auth_issuer_field, &auth_issuer_fields[AUTH_ISSUER_CA_FILE],
                  RSRC_CONF, "the authorities that the certificate of AIAuthJWKS must be of"),
    AP_INIT_TAKE2("AIAuthIdentity", set_identity, NULL, RSRC_CONF | ACCESS_CONF,
                  "user, tenant or tier, and the expression that gives it for other logins"),
    AP_INIT_RAW_ARGS("AIAuthModels", auth_models_set, NULL, RSRC_CONF | ACCESS_CONF,
                     "patterns of the models that callers may use here; with ! in front: may not"),
    { 0 }
};
