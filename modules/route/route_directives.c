/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_directives.c - what may an operator say to mod_ai_route?
 *
 * Lives in: the configuration pool.  Shared state: none.  May block: no.
 */

#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_main.h>

#include "route_key.h"
#include "route_private.h"
#include "route_rule.h"
#include "route_setting.h"
#include "route_target.h"

typedef struct route_server_conf_t {
    apr_hash_t *targets; /* of route_target_t, by name */
} route_server_conf_t;

/* clang-format off */
static ai_field_t fields[ROUTE_FIELDS_N] = {
    [ROUTE_RETRIES] = AI_FIELD_NUMBER(route_conf_t, retries, "1", 0, 10),
    [ROUTE_BACKOFF] = AI_FIELD_TIME(route_conf_t, backoff_ms, "8s", 0, AI_MINUTES_MS(5)),
};
/* clang-format on */

void *route_conf_create(apr_pool_t *p, char *dir)
{
    (void)dir;
    return ai_conf_create(p, sizeof(route_conf_t), fields, ROUTE_FIELDS_N);
}

void *route_conf_merge(apr_pool_t *p, void *base_in, void *add_in)
{
    const route_conf_t *base = base_in, *add = add_in;
    route_conf_t *conf = apr_pmemdup(p, add, sizeof(*conf));

    ai_conf_inherit(conf, base, fields, ROUTE_FIELDS_N);
    if (!conf->rules) {
        conf->rules = base->rules; /* else the inner list stands alone: narrowing is safe */
    }
    if (!conf->fallback) {
        conf->fallback = base->fallback;
    }
    return conf;
}

void *route_server_conf_create(apr_pool_t *p, server_rec *s)
{
    route_server_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    (void)s;
    conf->targets = apr_hash_make(p);
    return conf;
}

void *route_server_conf_merge(apr_pool_t *p, void *base_in, void *add_in)
{
    const route_server_conf_t *base = base_in, *add = add_in;
    route_server_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    conf->targets = apr_hash_overlay(p, add->targets, base->targets);
    return conf;
}

apr_int64_t route_conf_number(const route_conf_t *conf, route_field_e field)
{
    return ai_conf_number(conf, &fields[field]);
}

/* The targets of the server that is being configured, and those of the main server around it. */
static void targets_of(const cmd_parms *cmd, apr_hash_t **inner, apr_hash_t **outer)
{
    const route_server_conf_t *own =
        ap_get_module_config(cmd->server->module_config, &ai_route_module);
    const route_server_conf_t *main_conf =
        ap_server_conf ? ap_get_module_config(ap_server_conf->module_config, &ai_route_module)
                       : NULL;

    *inner = own->targets;
    *outer = main_conf && main_conf != own ? main_conf->targets : NULL;
}

static const char *open_target(cmd_parms *cmd, void *conf, const char *arg)
{
    apr_hash_t *inner, *outer;

    (void)conf;
    targets_of(cmd, &inner, &outer);
    return route_target_section(cmd, arg, inner, outer);
}

static const char *add_route(cmd_parms *cmd, void *conf_in, int argc, char *const argv[])
{
    route_conf_t *conf = conf_in;
    const char *wrong = ai_conf_place(cmd);
    apr_hash_t *inner, *outer;

    if (wrong) {
        return wrong;
    }
    if (!conf->rules) {
        conf->rules = apr_array_make(cmd->pool, 4, sizeof(route_rule_t));
    }
    targets_of(cmd, &inner, &outer);
    return route_rule_add(cmd, conf->rules, argc, argv, inner, outer);
}

static const char *add_fallback(cmd_parms *cmd, void *conf_in, const char *arg)
{
    route_conf_t *conf = conf_in;
    const char *wrong = ai_conf_place(cmd);
    int first, last;

    if (wrong) {
        return wrong;
    }
    if (strlen(arg) == 3 && (arg[0] == '4' || arg[0] == '5') && strcmp(arg + 1, "xx") == 0) {
        first = (arg[0] - '0') * 100;
        last = first + 99;
    }
    else if (strlen(arg) == 3 && (arg[0] == '4' || arg[0] == '5') && apr_isdigit(arg[1])
             && apr_isdigit(arg[2])) {
        first = last = (arg[0] - '0') * 100 + (arg[1] - '0') * 10 + arg[2] - '0';
    }
    else {
        return apr_psprintf(cmd->pool, "AIRouteFallback: '%s' is no status; allowed are %d to %d, "
                            "4xx and 5xx", arg, ROUTE_STATUS_MIN, ROUTE_STATUS_MAX);
    }
    if (!conf->fallback) {
        conf->fallback = apr_pcalloc(cmd->pool, ROUTE_STATUS_MAX - ROUTE_STATUS_MIN + 1);
    }
    memset(conf->fallback + first - ROUTE_STATUS_MIN, 1, (apr_size_t)(last - first + 1));
    return NULL;
}

const command_rec route_cmds[] = {
    AP_INIT_RAW_ARGS("<AITarget", open_target, NULL, RSRC_CONF,
                     "name of an upstream; its settings stand inside"),
    AP_INIT_TAKE_ARGV("AIRoute", add_route, NULL, RSRC_CONF | ACCESS_CONF,
                      "model's name or pattern, and the targets to try in this order"),
    AP_INIT_TAKE1("AIRouteRetries", ai_conf_set, &fields[ROUTE_RETRIES], RSRC_CONF | ACCESS_CONF,
                  "how many more times the targets are gone through when all have failed"),
    AP_INIT_TAKE1("AIRouteBackoff", ai_conf_set, &fields[ROUTE_BACKOFF], RSRC_CONF | ACCESS_CONF,
                  "longest wait before the targets are gone through again"),
    AP_INIT_ITERATE("AIRouteFallback", add_fallback, NULL, RSRC_CONF | ACCESS_CONF,
                    "statuses of a target on which the next one is tried"),
    AP_INIT_TAKE1("AITargetURL", route_setting_url, NULL, RSRC_CONF,
                  "http, https or balancer URL, with the path before the API's own"),
    AP_INIT_TAKE1("AITargetDialect", route_setting_dialect, NULL, RSRC_CONF,
                  "wire format of the target"),
    AP_INIT_TAKE_ARGV("AITargetKeyFile", route_key_file, NULL, RSRC_CONF,
                      "file that holds a provider's key; weight=N, name=WORD"),
    AP_INIT_TAKE_ARGV("AITargetKeyEnv", route_key_env, NULL, RSRC_CONF,
                      "environment variable that holds a provider's key; weight=N, name=WORD"),
    AP_INIT_TAKE_ARGV("AITargetKeyExec", route_key_exec, NULL, RSRC_CONF,
                      "program that says a provider's key; every=, timeout=, weight=N, name=WORD"),
    AP_INIT_TAKE1("AITargetKeyAside", route_setting_field, &route_setting_fields[ROUTE_KEY_ASIDE],
                  RSRC_CONF, "how long a key that the provider has refused is set aside, or Off"),
    AP_INIT_TAKE2("AITargetHeader", route_setting_header, NULL, RSRC_CONF,
                  "name and value of a header to send"),
    AP_INIT_ITERATE("AITargetForward", route_setting_forward, NULL, RSRC_CONF,
                    "names of further headers of the caller's that may pass"),
    AP_INIT_TAKE2("AITargetModel", route_setting_model, NULL, RSRC_CONF,
                  "model as asked (with * and ?), and the name to send instead"),
    AP_INIT_TAKE_ARGV("AITargetPrice", route_setting_price, NULL, RSRC_CONF,
                      "model as it is sent (with * and ?), and its prices: input=2.50 output=10"),
    AP_INIT_TAKE1("AITargetStreamUsage", route_setting_field,
                  &route_setting_fields[ROUTE_STREAM_USAGE], RSRC_CONF,
                  "On to have the target report usage in streams, or Off"),
    AP_INIT_TAKE1("AITargetTLSVerify", route_setting_field, &route_setting_fields[ROUTE_TLS_VERIFY],
                  RSRC_CONF, "On to verify the target's certificate and name, or Off"),
    AP_INIT_TAKE1("AITargetTLSCAFile", route_setting_field,
                  &route_setting_fields[ROUTE_TLS_CA_FILE], RSRC_CONF,
                  "file with the certificates of the authorities to trust"),
    AP_INIT_TAKE1("AITargetConnectTimeout", route_setting_field,
                  &route_setting_fields[ROUTE_CONNECT_TIMEOUT], RSRC_CONF,
                  "longest wait for a connection"),
    AP_INIT_TAKE1("AITargetFirstByteTimeout", route_setting_field,
                  &route_setting_fields[ROUTE_FIRST_BYTE_TIMEOUT], RSRC_CONF,
                  "longest wait for the first byte of an answer's body, or Off"),
    AP_INIT_TAKE1("AITargetIdleTimeout", route_setting_field,
                  &route_setting_fields[ROUTE_IDLE_TIMEOUT], RSRC_CONF,
                  "longest silence within an answer, or Off"),
    AP_INIT_TAKE1("AITargetTotalTimeout", route_setting_field,
                  &route_setting_fields[ROUTE_TOTAL_TIMEOUT], RSRC_CONF,
                  "longest time for one attempt, or Off"),
    { 0 }
};
