/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_issuer.c - what may an operator say of those whose tokens are taken?
 *
 * One function for each directive inside <AIAuthIssuer>. What belongs together is checked at the
 * end of the section.
 *
 * Lives in: the configuration pool.  Shared state: none.
 * May block: on files of keys, while the configuration is read.
 */

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>
#include <http_core.h>
#include <http_log.h>

#include "auth_issuer.h"

#define NAME_LONGEST 1024

/* clang-format off */
ai_field_t auth_issuer_fields[AUTH_ISSUER_FIELDS_N] = {
    [AUTH_ISSUER_LEEWAY]      = AI_FIELD_TIME(auth_issuer_t, leeway_ms, "60s", 0, AI_MINUTES_MS(10)),
    [AUTH_ISSUER_NEED_EXPIRY] = AI_FIELD_FLAG(auth_issuer_t, need_expiry, "On"),
    [AUTH_ISSUER_CA_FILE]     = AI_FIELD_TEXT(auth_issuer_t, ca_file, NULL),
};
/* clang-format on */

const auth_issuer_t *auth_issuer_find(const apr_array_header_t *issuers, const char *name)
{
    int i;

    for (i = 0; issuers && i < issuers->nelts; i++) {
        const auth_issuer_t *issuer = APR_ARRAY_IDX(issuers, i, const auth_issuer_t *);

        if (strcmp(issuer->name, name) == 0) {
            return issuer;
        }
    }
    return NULL;
}

apr_interval_time_t auth_issuer_leeway(const auth_issuer_t *issuer)
{
    return apr_time_from_msec(ai_conf_number(issuer, &auth_issuer_fields[AUTH_ISSUER_LEEWAY]));
}

int auth_issuer_needs_expiry(const auth_issuer_t *issuer)
{
    return (int)ai_conf_number(issuer, &auth_issuer_fields[AUTH_ISSUER_NEED_EXPIRY]);
}

static const char *outside(cmd_parms *cmd)
{
    const ap_directive_t *section = cmd->directive->parent;

    if (section && ap_cstr_casecmp(section->directive, "<AIAuthIssuer") == 0) {
        return NULL;
    }
    return apr_psprintf(cmd->pool, "%s: stands only in <AIAuthIssuer issuer>", cmd->cmd->name);
}

const char *auth_issuer_field(cmd_parms *cmd, void *issuer, const char *arg)
{
    const char *wrong = outside(cmd);

    return wrong ? wrong : ai_conf_set(cmd, issuer, arg);
}

/* ------------------------------------------------------------------------- AIAuthJWKS */

static const char *bad_url(cmd_parms *cmd, const char *url, const char *why)
{
    /* A URL with a user may hold a password: that is not shown. */
    return apr_psprintf(cmd->pool, "AIAuthJWKS: %s%s%s %s; allowed is https://host[:port]/path, "
                        "http:// of this machine, or a file",
                        strchr(url, '@') ? "" : "'", strchr(url, '@') ? "the URL" : url,
                        strchr(url, '@') ? "" : "'", why);
}

static int is_near(const char *host)
{
    const char *at;

    if (strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0) {
        return 1;
    }
    for (at = host; *at && (apr_isdigit(*at) || *at == '.'); at++) {
    }
    return !*at && strncmp(host, "127.", 4) == 0;
}

static const char *read_url(cmd_parms *cmd, auth_issuer_t *issuer, const char *url, int insecure)
{
    apr_uri_t uri;
    const char *at;

    for (at = url; *at; at++) {
        if (!apr_isgraph(*at)) {
            return bad_url(cmd, url, "holds other characters than a URL has");
        }
    }
    if (at - url > AUTH_JWKS_URL) {
        return apr_psprintf(cmd->pool, "AIAuthJWKS: the URL is longer than %d bytes", AUTH_JWKS_URL);
    }
    if (apr_uri_parse(cmd->pool, url, &uri) != APR_SUCCESS || !uri.scheme || !uri.hostname
        || !*uri.hostname) {
        return bad_url(cmd, url, "is no URL with a host");
    }
    if (uri.user || uri.password || uri.fragment) {
        return bad_url(cmd, url, "holds a user or a fragment");
    }
    ap_str_tolower(uri.hostname);
    issuer->near = is_near(uri.hostname);
    if (strncmp(url, "https://", 8) != 0) {
        if (strncmp(url, "http://", 7) != 0) {
            return bad_url(cmd, url, "has another scheme");
        }
        if (!issuer->near && !insecure) {
            return bad_url(cmd, url, "would let anybody on the way put in keys of his own: use "
                                     "https, or say 'insecure' behind it");
        }
    }
    issuer->url = url;
    return NULL;
}

const char *auth_issuer_jwks(cmd_parms *cmd, void *issuer_in, const char *where, const char *word)
{
    auth_issuer_t *issuer = issuer_in;
    const char *wrong = outside(cmd), *path;

    if (wrong) {
        return wrong;
    }
    if (issuer->url || issuer->file) {
        return "AIAuthJWKS: there is one already; an issuer has one set";
    }
    if (word && ap_cstr_casecmp(word, "insecure") != 0) {
        return apr_psprintf(cmd->pool, "AIAuthJWKS: '%s' is unknown; allowed is 'insecure', behind "
                            "an http URL", word);
    }
    if (strstr(where, "://")) {
        return read_url(cmd, issuer, where, word != NULL);
    }
    path = word ? NULL : ap_server_root_relative(cmd->pool, where);
    if (!path) {
        return word ? "AIAuthJWKS: 'insecure' is for http URLs"
                    : apr_psprintf(cmd->pool, "AIAuthJWKS: '%s' is no path", where);
    }
    issuer->file = auth_file_open(cmd, path, &auth_file_jwks, &wrong);
    return issuer->file ? NULL : apr_psprintf(cmd->pool, "AIAuthJWKS: %s: %s", path, wrong);
}

/* ------------------------------------------------------------------ the other settings */

const char *auth_issuer_audience(cmd_parms *cmd, void *issuer_in, const char *audience)
{
    auth_issuer_t *issuer = issuer_in;
    const char *wrong = outside(cmd);

    if (wrong) {
        return wrong;
    }
    if (issuer->audience || issuer->any_audience) {
        return "AIAuthAudience: there is one already";
    }
    issuer->any_audience = ap_cstr_casecmp(audience, "any") == 0;
    issuer->audience = issuer->any_audience ? NULL : audience;
    return NULL;
}

const char *auth_issuer_claim(cmd_parms *cmd, void *issuer_in, const char *fact, const char *path,
                              const char *prefix)
{
    auth_issuer_t *issuer = issuer_in;
    const char *wrong = outside(cmd);
    apr_size_t n = prefix ? strlen(prefix) : 0;
    int i;

    for (i = 0; !wrong && i < AUTH_FACTS_N && strcmp(fact, auth_fact_name(i)) != 0; i++) {
    }
    if (wrong) {
        return wrong;
    }
    if (i == AUTH_FACTS_N) {
        return apr_psprintf(cmd->pool, "AIAuthClaim: '%s' is neither user nor tenant nor tier",
                            fact);
    }
    if (issuer->claims[i].path) {
        return apr_psprintf(cmd->pool, "AIAuthClaim: there is one already for %s", fact);
    }
    if (i == AUTH_FACT_TENANT && n && (prefix[0] == '/' || prefix[n - 1] != '/')) {
        return apr_psprintf(cmd->pool, "AIAuthClaim: '%s' is no prefix of a tenant; that is a path, "
                            "and ends in '/'", prefix);
    }
    issuer->claims[i] = (auth_claim_t){ path, prefix ? prefix : "" };
    return NULL;
}

/* ------------------------------------------------------------------------- the section */

static const char *complete(cmd_parms *cmd, auth_issuer_t *issuer)
{
    const char *wrong;
    apr_finfo_t info;

    if (!issuer->url && !issuer->file) {
        return apr_psprintf(cmd->pool, "<AIAuthIssuer %s>: has no AIAuthJWKS", issuer->name);
    }
    if (!issuer->audience && !issuer->any_audience) {
        return apr_psprintf(cmd->pool, "<AIAuthIssuer %s>: has no AIAuthAudience: a token for "
                            "another service would do; if it shall, say 'any'", issuer->name);
    }
    if (!issuer->claims[AUTH_FACT_USER].path) {
        issuer->claims[AUTH_FACT_USER] = (auth_claim_t){ "sub", "" };
    }
    if (issuer->ca_file) {
        if (!issuer->url || strncmp(issuer->url, "https:", 6) != 0) {
            return apr_psprintf(cmd->pool, "<AIAuthIssuer %s>: AIAuthCAFile is for an https URL in "
                                "AIAuthJWKS", issuer->name);
        }
        issuer->ca_file = ap_server_root_relative(cmd->pool, issuer->ca_file);
        if (!issuer->ca_file
            || apr_stat(&info, issuer->ca_file, APR_FINFO_TYPE, cmd->temp_pool) != APR_SUCCESS
            || info.filetype != APR_REG) {
            return apr_psprintf(cmd->pool, "<AIAuthIssuer %s>: the AIAuthCAFile is no file that can "
                                "be read", issuer->name);
        }
    }
    if (issuer->url) {
        issuer->set = auth_jwks_add(cmd, issuer->url, issuer->ca_file, issuer->near, &wrong);
        if (!issuer->set) {
            return apr_psprintf(cmd->pool, "<AIAuthIssuer %s>: AIAuthJWKS: %s", issuer->name, wrong);
        }
    }
    return NULL;
}

static const char *read_name(cmd_parms *cmd, const char *arg, const char **name)
{
    const char *end = ap_strrchr_c(arg, '>');
    const unsigned char *c;

    if (!end) {
        return "<AIAuthIssuer issuer>: the closing '>' is missing";
    }
    arg = apr_pstrndup(cmd->pool, arg, (apr_size_t)(end - arg));
    *name = ap_getword_conf(cmd->pool, &arg);
    for (c = (const unsigned char *)*name; *c >= 0x20 && *c != 0x7f; c++) {
    }
    if (!**name || *c || *arg || strlen(*name) > NAME_LONGEST) {
        return "<AIAuthIssuer issuer>: needs one text, as it stands in the \"iss\" of tokens";
    }
    return NULL;
}

/* Only what is made for it: to anything else the issuer would be a location's configuration. */
static const char *check_children(cmd_parms *cmd, const ap_directive_t *section)
{
    static const char *const allowed[] = { "AIAuthJWKS", "AIAuthAudience", "AIAuthClaim",
                                           "AIAuthLeeway", "AIAuthNeedExpiry", "AIAuthCAFile" };
    const ap_directive_t *child;
    apr_size_t i, n = sizeof(allowed) / sizeof(allowed[0]);

    for (child = section->first_child; child; child = child->next) {
        for (i = 0; i < n && ap_cstr_casecmp(child->directive, allowed[i]) != 0; i++) {
        }
        if (i == n) {
            cmd->err_directive = child;
            return apr_psprintf(cmd->pool, "%s: cannot stand in <AIAuthIssuer>; AIAuthJWKS, "
                                "AIAuthAudience, AIAuthClaim, AIAuthLeeway, AIAuthNeedExpiry and "
                                "AIAuthCAFile can", child->directive);
        }
    }
    return NULL;
}

const char *auth_issuer_section(cmd_parms *cmd, void *conf_in, const char *arg)
{
    auth_server_conf_t *conf = ap_get_module_config(cmd->server->module_config, &ai_auth_module);
    const ap_directive_t *section = cmd->directive;
    ap_conf_vector_t *vector = ap_create_per_dir_config(cmd->pool);
    auth_issuer_t *issuer = ai_conf_create(cmd->pool, sizeof(*issuer), auth_issuer_fields,
                                           AUTH_ISSUER_FIELDS_N);
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT | NOT_IN_HTACCESS);

    (void)conf_in;
    if (wrong || (wrong = read_name(cmd, arg, &issuer->name))
        || (wrong = check_children(cmd, section))) {
        return wrong;
    }
    if (auth_issuer_find(conf->issuers, issuer->name)) {
        return apr_psprintf(cmd->pool, "<AIAuthIssuer %s>: there is one already for this host",
                            issuer->name);
    }
    ap_set_module_config(vector, &ai_auth_module, issuer);
    wrong = ap_walk_config(section->first_child, cmd, vector);
    if (wrong) {
        return wrong; /* cmd still points at the line that is at fault */
    }
    cmd->directive = (ap_directive_t *)section;
    wrong = complete(cmd, issuer);
    if (wrong) {
        return wrong;
    }
    if (!conf->issuers) {
        conf->issuers = apr_array_make(cmd->pool, 2, sizeof(const auth_issuer_t *));
    }
    APR_ARRAY_PUSH(conf->issuers, const auth_issuer_t *) = issuer;
    return NULL;
}
