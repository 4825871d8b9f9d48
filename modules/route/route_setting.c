/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_setting.c - what may an operator say of a target?
 *
 * One function for each directive inside <AITarget>; those of keys are in route_key.c. What belongs together is checked at the end
 * of the section (route_target.c).
 *
 * Lives in: the configuration pool.  Shared state: none.  May block: no.
 */

#include <ap_provider.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>
#include <http_core.h>
#include <http_log.h>

#include "route_private.h"
#include "route_setting.h"
#include "route_target.h"

/* clang-format off */
ai_field_t route_setting_fields[ROUTE_SETTINGS_N] = {
    [ROUTE_STREAM_USAGE]       = AI_FIELD_FLAG(ai_target_t, stream_usage, "On"),
    [ROUTE_TLS_VERIFY]         = AI_FIELD_FLAG(ai_target_t, tls_verify, "On"),
    [ROUTE_TLS_CA_FILE]        = AI_FIELD_TEXT(ai_target_t, tls_ca_file, NULL),
    [ROUTE_CONNECT_TIMEOUT]    = AI_FIELD_TIME(ai_target_t, connect_ms, "5s", 1, AI_MINUTES_MS(5)),
    [ROUTE_FIRST_BYTE_TIMEOUT] = AI_FIELD_TIME(ai_target_t, first_byte_ms, "5min", 0, AI_DAYS_MS(1)),
    [ROUTE_IDLE_TIMEOUT]       = AI_FIELD_TIME(ai_target_t, idle_ms, "5min", 0, AI_DAYS_MS(1)),
    [ROUTE_TOTAL_TIMEOUT]      = AI_FIELD_TIME(ai_target_t, total_ms, "30min", 0, AI_DAYS_MS(1)),
    [ROUTE_KEY_ASIDE]          = AI_FIELD_TIME(route_target_t, aside_ms, "10min", 0, AI_DAYS_MS(1)),
};
/* clang-format on */

const char *route_setting_outside(cmd_parms *cmd)
{
    const ap_directive_t *section = cmd->directive->parent;

    if (section && ap_cstr_casecmp(section->directive, "<AITarget") == 0) {
        return NULL;
    }
    return apr_psprintf(cmd->pool, "%s: stands only in <AITarget name>", cmd->cmd->name);
}

const char *route_setting_field(cmd_parms *cmd, void *target, const char *arg)
{
    const char *wrong = route_setting_outside(cmd);

    return wrong ? wrong : ai_conf_set(cmd, target, arg);
}

/* A path that is a plain prefix: no climbing, nothing to be decoded. */
static int is_plain_path(const char *path)
{
    const char *c;

    if (strstr(path, "//") || strstr(path, "/.")) {
        return 0;
    }
    for (c = path; *c; c++) {
        if (!apr_isalnum(*c) && !strchr("/-._~", *c)) {
            return 0;
        }
    }
    return 1;
}

static const char *bad_url(cmd_parms *cmd, const char *url, const char *why)
{
    /* A URL with a user may hold a password: that is not shown. */
    return apr_psprintf(cmd->pool, "AITargetURL: %s%s%s %s; allowed is http://host[:port][/path], "
                        "https://host[:port][/path] or balancer://name[/path]",
                        strchr(url, '@') ? "" : "'", strchr(url, '@') ? "the URL" : url,
                        strchr(url, '@') ? "" : "'", why);
}

/* apr_uri_parse() lets a port that is too large wrap around. */
static int is_port(const char *text)
{
    apr_size_t n = strlen(text);

    return n >= 1 && n <= 5 && strspn(text, "0123456789") == n && apr_atoi64(text) >= 1
           && apr_atoi64(text) <= 65535;
}

const char *route_setting_url(cmd_parms *cmd, void *target_in, const char *url)
{
    ai_target_t *target = target_in;
    const char *wrong = route_setting_outside(cmd);
    apr_uri_t uri;
    char *base;
    apr_size_t n;

    if (wrong) {
        return wrong;
    }
    if (apr_uri_parse(cmd->pool, url, &uri) != APR_SUCCESS || !uri.scheme || !uri.hostname
        || !*uri.hostname) {
        return bad_url(cmd, url, "is no URL with a host");
    }
    if (ap_cstr_casecmp(uri.scheme, "h2") == 0 || ap_cstr_casecmp(uri.scheme, "h2c") == 0) {
        return bad_url(cmd, url, "is HTTP/2, over which a caller's leaving cannot be noticed");
    }
    ap_str_tolower(uri.scheme);
    ap_str_tolower(uri.hostname);
    if (strcmp(uri.scheme, "http") != 0 && strcmp(uri.scheme, "https") != 0
        && strcmp(uri.scheme, "balancer") != 0) {
        return bad_url(cmd, url, "has another scheme");
    }
    if (uri.query || uri.fragment || uri.user || uri.password) {
        return bad_url(cmd, url, "holds a user, a query or a fragment");
    }
    if (uri.port_str && (!is_port(uri.port_str) || strcmp(uri.scheme, "balancer") == 0)) {
        return bad_url(cmd, url, "has a port that is out of place");
    }
    if (strpbrk(uri.hostname, ":[]*?")) {
        return bad_url(cmd, url, "has a literal IPv6 address or a wildcard, where mod_proxy's "
                                 "<Proxy> needs a host's name");
    }
    base = apr_pstrdup(cmd->pool, uri.path ? uri.path : "");
    for (n = strlen(base); n && base[n - 1] == '/'; n--) {
        base[n - 1] = '\0';
    }
    if (!is_plain_path(base)) {
        return bad_url(cmd, url, "has a path with other characters than letters, digits, / - . _ ~");
    }
    target->scheme = uri.scheme;
    target->hostname = uri.hostname;
    target->port = uri.port_str ? uri.port : 0;
    target->base = base;
    return NULL;
}

const char *route_setting_dialect(cmd_parms *cmd, void *target_in, const char *name)
{
    ai_target_t *target = target_in;
    const char *wrong = route_setting_outside(cmd);
    apr_array_header_t *known;
    apr_array_header_t *names;
    int i;

    if (wrong) {
        return wrong;
    }
    target->dialect = ap_lookup_provider(AI_DIALECT_GROUP, name, AI_DIALECT_VERSION);
    if (target->dialect) {
        return NULL;
    }
    known = ap_list_provider_names(cmd->pool, AI_DIALECT_GROUP, AI_DIALECT_VERSION);
    names = apr_array_make(cmd->pool, known->nelts + 1, sizeof(const char *));
    for (i = 0; i < known->nelts; i++) {
        APR_ARRAY_PUSH(names, const char *) =
            APR_ARRAY_IDX(known, i, ap_list_provider_names_t).provider_name;
    }
    return apr_psprintf(cmd->pool, "AITargetDialect: '%s' is no dialect; allowed is one of: %s",
                        name, names->nelts ? apr_array_pstrcat(cmd->pool, names, ' ')
                                           : "none (mod_ai is not loaded)");
}

static int in_list(const char *const *list, const char *name)
{
    for (; *list; list++) {
        if (ap_cstr_casecmp(*list, name) == 0) {
            return 1;
        }
    }
    return 0;
}

static const char *check_header(cmd_parms *cmd, const char *name)
{
    static const char *const ours[] = {
        "Host", "Content-Length", "Transfer-Encoding", "Connection", "Accept-Encoding", "TE",
        "Trailer", "Upgrade", "Keep-Alive", "Expect", "x-request-id", NULL
    };
    static const char *const secret[] = {
        "Authorization", "Proxy-Authorization", "Cookie", "x-api-key", "api-key",
        "x-goog-api-key", NULL
    };

    if (!*name || *ap_scan_http_token(name)) {
        return apr_psprintf(cmd->pool, "%s: '%s' is no header's name", cmd->cmd->name, name);
    }
    if (in_list(ours, name)) {
        return apr_psprintf(cmd->pool, "%s: the header %s is the gateway's own", cmd->cmd->name,
                            name);
    }
    if (in_list(secret, name)) {
        return apr_psprintf(cmd->pool, "%s: the header %s carries a secret; a provider's key is "
                            "set with AITargetKeyFile, AITargetKeyEnv or AITargetKeyExec, and a "
                            "caller's goes to nobody", cmd->cmd->name, name);
    }
    return NULL;
}

const char *route_setting_header(cmd_parms *cmd, void *target_in, const char *name,
                                 const char *value)
{
    ai_target_t *target = target_in;
    const char *wrong = route_setting_outside(cmd);

    if (!wrong) {
        wrong = check_header(cmd, name);
    }
    if (!wrong && *ap_scan_http_field_content(value)) {
        wrong = apr_psprintf(cmd->pool, "AITargetHeader: the value for %s holds a control "
                             "character", name);
    }
    if (!wrong) {
        APR_ARRAY_PUSH(target->headers, const char *) = name;
        APR_ARRAY_PUSH(target->headers, const char *) = value;
    }
    return wrong;
}

const char *route_setting_forward(cmd_parms *cmd, void *target_in, const char *name)
{
    ai_target_t *target = target_in;
    const char *wrong = route_setting_outside(cmd);

    if (!wrong) {
        wrong = check_header(cmd, name);
    }
    if (!wrong) {
        APR_ARRAY_PUSH(target->forward, const char *) = name;
    }
    return wrong;
}

const char *route_setting_model(cmd_parms *cmd, void *target_in, const char *asked,
                                const char *served)
{
    ai_target_t *target = target_in;
    const char *wrong = route_setting_outside(cmd);

    if (!wrong && (!*asked || !*served)) {
        wrong = "AITargetModel: a name is empty";
    }
    if (!wrong) {
        APR_ARRAY_PUSH(target->renames, const char *) = asked;
        APR_ARRAY_PUSH(target->renames, const char *) = served;
    }
    return wrong;
}

const char *route_setting_price(cmd_parms *cmd, void *target_in, int argc, char *const argv[])
{
    ai_target_t *target = target_in;
    const char *wrong = route_setting_outside(cmd);

    if (!wrong) {
        wrong = ai_price_own(cmd->pool, argc, (const char *const *)argv, target->prices);
        wrong = wrong ? apr_pstrcat(cmd->pool, "AITargetPrice: ", wrong, NULL) : NULL;
    }
    return wrong;
}
