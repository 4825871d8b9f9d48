/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_target.c - which upstreams are there, and how are they reached?
 *
 * A target's settings are read like any section's. At its end the target is checked as a whole and
 * mod_proxy is told of it: as a <Proxy> section that never stood in a file, so that the upstream
 * has a connection pool of its own, our time-outs, and verified TLS (mod_ssl's own default for
 * proxies verifies nothing).
 *
 * Lives in: the configuration pool.  Shared state: none.  May block: no.
 */

#include <ap_provider.h>
#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>

#include "mod_proxy.h"
#include "route_custody.h"
#include "route_key.h"
#include "route_private.h"
#include "route_setting.h"
#include "route_target.h"

/* -------------------------------------------------------------------- to mod_proxy */

static ap_directive_t *directive(cmd_parms *cmd, const ap_directive_t *at, const char *name,
                                 const char *args, ap_directive_t *next)
{
    ap_directive_t *node = apr_pcalloc(cmd->pool, sizeof(*node));

    node->directive = name;
    node->args = args;
    node->next = next;
    node->filename = at->filename;
    node->line_num = at->line_num;
    return node;
}

static const char *find_ca_file(cmd_parms *cmd)
{
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
    };
    apr_finfo_t info;
    apr_size_t i;

    for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (apr_stat(&info, places[i], APR_FINFO_TYPE, cmd->temp_pool) == APR_SUCCESS) {
            return places[i];
        }
    }
    return NULL;
}

static ap_directive_t *tls_settings(cmd_parms *cmd, const ap_directive_t *at,
                                    const ai_target_t *target, ap_directive_t *list)
{
    list = directive(cmd, at, "SSLProxyEngine", "On", list);
    if (!target->tls_verify) {
        list = directive(cmd, at, "SSLProxyVerify", "none", list);
        list = directive(cmd, at, "SSLProxyCheckPeerName", "Off", list);
        return directive(cmd, at, "SSLProxyCheckPeerExpire", "Off", list);
    }
    list = directive(cmd, at, "SSLProxyVerify", "require", list);
    list = directive(cmd, at, "SSLProxyVerifyDepth", "10", list);
    list = directive(cmd, at, "SSLProxyCheckPeerName", "On", list);
    list = directive(cmd, at, "SSLProxyCheckPeerExpire", "On", list);
    return directive(cmd, at, "SSLProxyCACertificateFile",
                     apr_pstrcat(cmd->pool, "\"", target->tls_ca_file, "\"", NULL), list);
}

/* The arguments of the section: the URL and, but for a balancer, how its connections are kept. */
static const char *proxy_args(cmd_parms *cmd, const ai_target_t *target)
{
    /* In whole seconds, and ours in milliseconds must strike first. */
    apr_int64_t longest = target->first_byte_ms && target->idle_ms
                              ? (target->first_byte_ms > target->idle_ms ? target->first_byte_ms
                                                                         : target->idle_ms)
                              : AI_DAYS_MS(1);
    const char *url = target->handler + strlen("proxy:");

    if (strcmp(target->scheme, "balancer") == 0) {
        return apr_pstrcat(cmd->pool, "\"", url, "\">", NULL);
    }
    return apr_psprintf(cmd->pool, "\"%s\" retry=0 connectiontimeout=%" APR_INT64_T_FMT
                        "ms timeout=%" APR_INT64_T_FMT " ttl=30%s>",
                        url, target->connect_ms, longest / 1000 + 2,
#if AP_SERVER_PATCHLEVEL_NUMBER >= 59
                        " addressttl=60" /* a provider's addresses change while we run */
#else
                        ""
#endif
    );
}

/*
 * Has mod_proxy know the upstream, as if a <Proxy> section stood where ours does. mod_proxy merges
 * such a section into a request only where it maps the URL itself; we do not let it, so the
 * section is kept, and the core merges it for each attempt.
 */
static const char *declare_proxy(cmd_parms *cmd, const ap_directive_t *at, ai_target_t *target)
{
    module *proxy = ap_find_linked_module("mod_proxy.c");
    int ssl = ap_find_linked_module("mod_ssl.c") != NULL;
    const proxy_server_conf *conf;
    ap_directive_t *section;
    const char *wrong;

    if (!proxy || !ap_find_linked_module("mod_proxy_http.c")) {
        return "<AITarget>: needs mod_proxy and mod_proxy_http; load both";
    }
    if (strcmp(target->scheme, "https") == 0 && !ssl) {
        return "<AITarget>: an https URL needs mod_ssl; load it";
    }
    section = directive(cmd, at, "<Proxy", proxy_args(cmd, target), NULL);
    /* What a site says of these is meant for its own backends: with the first a caller's Host
     * would go to the provider, the second would hide the provider's errors from us. */
    section->first_child = directive(cmd, at, "ProxyPreserveHost", "Off",
                                     directive(cmd, at, "ProxyErrorOverride", "Off", NULL));
    if (ssl && strcmp(target->scheme, "http") != 0) {
        section->first_child = tls_settings(cmd, at, target, section->first_child);
    }
    wrong = ap_walk_config(section, cmd, cmd->context);
    cmd->directive = (ap_directive_t *)at;
    if (!wrong) {
        conf = ap_get_module_config(cmd->server->module_config, proxy);
        target->section = APR_ARRAY_IDX(conf->sec_proxy, conf->sec_proxy->nelts - 1,
                                        ap_conf_vector_t *);
    }
    return wrong;
}

/* --------------------------------------------------------------------- the section */

static const char *complete(cmd_parms *cmd, ai_target_t *target)
{
    int dflt;
    const char *host;

    if (!target->scheme) {
        return apr_psprintf(cmd->pool, "<AITarget %s>: has no AITargetURL", target->name);
    }
    if (!target->dialect
        && !(target->dialect = ap_lookup_provider(AI_DIALECT_GROUP, "openai",
                                                  AI_DIALECT_VERSION))) {
        return "<AITarget>: needs mod_ai; load it";
    }
    target->stream_usage = ai_conf_number(target, &route_setting_fields[ROUTE_STREAM_USAGE]);
    target->tls_verify = ai_conf_number(target, &route_setting_fields[ROUTE_TLS_VERIFY]);
    target->connect_ms = ai_conf_number(target, &route_setting_fields[ROUTE_CONNECT_TIMEOUT]);
    target->first_byte_ms = ai_conf_number(target, &route_setting_fields[ROUTE_FIRST_BYTE_TIMEOUT]);
    target->idle_ms = ai_conf_number(target, &route_setting_fields[ROUTE_IDLE_TIMEOUT]);
    target->total_ms = ai_conf_number(target, &route_setting_fields[ROUTE_TOTAL_TIMEOUT]);
    if (!target->tls_ca_file) {
        target->tls_ca_file = find_ca_file(cmd);
    }
    target->tls_ca_file = target->tls_ca_file
                              ? ap_server_root_relative(cmd->pool, target->tls_ca_file)
                              : NULL;
    if (strcmp(target->scheme, "http") != 0 && target->tls_verify && !target->tls_ca_file) {
        return apr_psprintf(cmd->pool, "<AITarget %s>: no file with the system's certificate "
                            "authorities was found; name one with AITargetTLSCAFile",
                            target->name);
    }
    dflt = strcmp(target->scheme, "https") == 0 ? 443 : 80;
    host = target->hostname;
    if (target->port && target->port != dflt) {
        host = apr_psprintf(cmd->pool, "%s:%d", host, target->port);
    }
    target->handler = apr_pstrcat(cmd->pool, "proxy:", target->scheme, "://", host, NULL);
    target->host = strcmp(target->scheme, "balancer") == 0 ? NULL : host;
    return NULL;
}

/*
 * mod_proxy keeps one pool of connections for each scheme, host and port. Two targets there must
 * agree on what is a property of the connection, or one would silently get the other's.
 */
static const char *check_twins(cmd_parms *cmd, const ai_target_t *target, apr_hash_t *targets)
{
    apr_hash_index_t *i;
    void *value;

    for (i = targets ? apr_hash_first(cmd->temp_pool, targets) : NULL; i; i = apr_hash_next(i)) {
        const ai_target_t *other;

        apr_hash_this(i, NULL, NULL, &value);
        other = value;
        if (strcmp(other->handler, target->handler) == 0
            && (other->tls_verify != target->tls_verify || other->connect_ms != target->connect_ms
                || strcmp(other->tls_ca_file ? other->tls_ca_file : "",
                          target->tls_ca_file ? target->tls_ca_file : "") != 0)) {
            return apr_psprintf(cmd->pool, "<AITarget %s>: has the same scheme, host and port as "
                                "<AITarget %s>; AITargetTLSVerify, AITargetTLSCAFile and "
                                "AITargetConnectTimeout must be the same, too", target->name,
                                other->name);
        }
    }
    return NULL;
}

static const char *read_name(cmd_parms *cmd, const char *arg, const char **name)
{
    const char *end = ap_strrchr_c(arg, '>');
    const char *c;

    if (!end) {
        return "<AITarget name>: the closing '>' is missing";
    }
    arg = apr_pstrndup(cmd->pool, arg, (apr_size_t)(end - arg));
    *name = ap_getword_conf(cmd->pool, &arg);
    for (c = *name; *c && (apr_isalnum(*c) || strchr("-._", *c)); c++) {
    }
    if (!**name || *c || *arg) {
        return "<AITarget name>: needs one name of letters, digits, '-', '.' and '_'";
    }
    return NULL;
}

static const char *check_children(cmd_parms *cmd, const ap_directive_t *section)
{
    const ap_directive_t *child;

    for (child = section->first_child; child; child = child->next) {
        if (ap_cstr_casecmpn(child->directive, "AITarget", 8) != 0) {
            cmd->err_directive = child;
            return apr_psprintf(cmd->pool, "%s: cannot stand in <AITarget>; only the directives "
                                "AITarget... can", child->directive);
        }
    }
    return NULL;
}

const char *route_target_section(cmd_parms *cmd, const char *arg, apr_hash_t *targets,
                                 apr_hash_t *outer)
{
    const ap_directive_t *section = cmd->directive;
    ap_conf_vector_t *vector = ap_create_per_dir_config(cmd->pool);
    route_target_t *whole = ai_conf_create(cmd->pool, sizeof(*whole), route_setting_fields,
                                           ROUTE_SETTINGS_N);
    ai_target_t *target = &whole->target;
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT | NOT_IN_HTACCESS);

    if (wrong || (wrong = read_name(cmd, arg, &target->name))
        || (wrong = check_children(cmd, section))) {
        return wrong;
    }
    if (apr_hash_get(targets, target->name, APR_HASH_KEY_STRING)) {
        return apr_psprintf(cmd->pool, "<AITarget %s>: this name is taken", target->name);
    }
    whole->keys = apr_array_make(cmd->pool, 1, sizeof(route_key_t *));
    target->headers = apr_array_make(cmd->pool, 2, sizeof(const char *));
    target->forward = apr_array_make(cmd->pool, 1, sizeof(const char *));
    target->renames = apr_array_make(cmd->pool, 2, sizeof(const char *));
    target->prices = apr_array_make(cmd->pool, 1, sizeof(ai_price_t));
    ap_set_module_config(vector, &ai_route_module, whole);
    wrong = ap_walk_config(section->first_child, cmd, vector);
    if (wrong) {
        return wrong; /* cmd still points at the line that is at fault */
    }
    cmd->directive = (ap_directive_t *)section;
    if ((wrong = complete(cmd, target)) || (wrong = check_twins(cmd, target, targets))
        || (wrong = check_twins(cmd, target, outer))
        || (wrong = declare_proxy(cmd, section, target))) {
        return wrong;
    }
    whole->aside_ms = ai_conf_number(whole, &route_setting_fields[ROUTE_KEY_ASIDE]);
    route_custody_add(whole);
    apr_hash_set(targets, target->name, APR_HASH_KEY_STRING, whole);
    return NULL;
}

const char *route_target_model(const ai_target_t *target, const char *asked)
{
    int i;

    for (i = 0; asked && i + 1 < target->renames->nelts; i += 2) {
        if (ap_strcmp_match(asked, APR_ARRAY_IDX(target->renames, i, const char *)) == 0) {
            return APR_ARRAY_IDX(target->renames, i + 1, const char *);
        }
    }
    return NULL;
}
