/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_require.c - what can Require ask of a caller?
 *
 * One provider of httpd's for each word: it reads its arguments with the configuration, and fits or
 * does not. Nobody fits whom nobody knows: httpd then asks who it is, and comes again.
 *
 * Lives in: r->pool, the configuration pool.  Shared state: none.
 * May block: on the caller's body, where the model is asked for.
 */

#include <apr_strings.h>
#include <httpd.h>
#include <http_request.h>
#include <mod_auth.h>

#include "auth_issuer.h"
#include "auth_private.h"

/* ------------------------------------------------------------------------ configuration */

/* The arguments, an array of const char *. */
static const char *read_words(cmd_parms *cmd, const char *line, const void **words)
{
    apr_array_header_t *list = apr_array_make(cmd->pool, 4, sizeof(const char *));
    const char *word;

    while (*(word = ap_getword_conf(cmd->pool, &line))) {
        APR_ARRAY_PUSH(list, const char *) = word;
    }
    *words = list;
    return NULL;
}

static const char *read_some_words(cmd_parms *cmd, const char *line, const void **words)
{
    read_words(cmd, line, words);
    return ((const apr_array_header_t *)*words)->nelts ? NULL : "needs at least one argument";
}

static const char *read_endpoints(cmd_parms *cmd, const char *line, const void **words)
{
    const char *wrong = read_some_words(cmd, line, words), *all = "";
    const apr_array_header_t *list = *words;
    int i, e;

    for (e = 0; e < AI_ENDPOINTS_N; e++) {
        all = apr_pstrcat(cmd->pool, all, " ", ai_endpoint_name(e), NULL);
    }
    for (i = 0; !wrong && i < list->nelts; i++) {
        const char *word = APR_ARRAY_IDX(list, i, const char *);

        for (e = 0; e < AI_ENDPOINTS_N && strcmp(word, ai_endpoint_name(e)) != 0; e++) {
        }
        if (e == AI_ENDPOINTS_N) {
            wrong = apr_psprintf(cmd->pool, "'%s' is no endpoint; there are:%s", word, all);
        }
    }
    return wrong;
}

/* ----------------------------------------------------------------------------- deciding */

typedef int same_fn(const char *wanted, const char *is);

static int is_same(const char *wanted, const char *is)
{
    return strcmp(wanted, is) == 0;
}

static int fits_pattern(const char *wanted, const char *is)
{
    return ap_strcasecmp_match(is, wanted) == 0; /* as some providers compare */
}

/* "acme" fits "acme" and "acme/red", not "acmes". */
static int is_below(const char *wanted, const char *is)
{
    apr_size_t n = strlen(wanted);

    while (n && wanted[n - 1] == '/') {
        n--;
    }
    return strncmp(is, wanted, n) == 0 && (is[n] == '/' || is[n] == '\0');
}

static int fits_any(const apr_array_header_t *words, const char *is, same_fn *same)
{
    int i;

    for (i = 0; is && i < words->nelts; i++) {
        if (same(APR_ARRAY_IDX(words, i, const char *), is)) {
            return 1;
        }
    }
    return 0;
}

/* What httpd is told of a caller who does not fit. */
static authz_status verdict(const request_rec *r, int fits)
{
    if (fits) {
        return AUTHZ_GRANTED;
    }
    return r->user ? AUTHZ_DENIED : AUTHZ_DENIED_NO_USER;
}

/* The request of ours, of which all is noted that is known of the caller; NULL and *status when
 * that is all that can be said. */
static ai_request_t *known(request_rec *r, authz_status *status)
{
    ai_request_t *air = auth_ai->request_of(r);
    int mapped;

    /* Nor is the page of an error ours: the login that it follows may be the one that failed. */
    if (!air || air->r != r) {
        *status = AUTHZ_DENIED; /* no location of ours: there are no models here, and no keys */
        return NULL;
    }
    if (!auth_ai->known(air)) {
        *status = AUTHZ_DENIED_NO_USER;
        return NULL;
    }
    mapped = auth_map_login(air);
    if (mapped != OK) {
        *status = mapped == HTTP_FORBIDDEN ? AUTHZ_DENIED : AUTHZ_GENERAL_ERROR;
        return NULL;
    }
    return air;
}

static authz_status check_key(request_rec *r, const char *line, const void *words)
{
    authz_status status;
    const ai_request_t *air = known(r, &status);
    const ai_key_t *key = air ? auth_key_of(air) : NULL;
    const apr_array_header_t *list = words;

    (void)line;
    if (!air) {
        return status;
    }
    return verdict(r, key && (!list->nelts || fits_any(list, key->id, is_same)
                              || fits_any(list, key->name, is_same)));
}

static authz_status check_token(request_rec *r, const char *line, const void *words)
{
    authz_status status;
    const ai_request_t *air = known(r, &status);
    const auth_issuer_t *issuer = air ? auth_issuer_of(air) : NULL;
    const apr_array_header_t *list = words;

    (void)line;
    if (!air) {
        return status;
    }
    return verdict(r, issuer && (!list->nelts || fits_any(list, issuer->name, is_same)));
}

/* A body that cannot be read is refused by the core, with its own status, when the road comes to
 * it; no status of ours could say that. The list of models names none, and says nothing secret. */
static authz_status check_model(request_rec *r, const char *line, const void *words)
{
    authz_status status;
    ai_request_t *air = known(r, &status);

    (void)line;
    if (!air) {
        return status;
    }
    if (air->endpoint == AI_ENDPOINT_MODELS || auth_ai->decode(air) != OK) {
        return AUTHZ_GRANTED;
    }
    return verdict(r, fits_any(words, auth_model_of(air), fits_pattern));
}

static authz_status check_note(request_rec *r, const void *words, ai_note_e note, same_fn *same)
{
    authz_status status;
    const ai_request_t *air = known(r, &status);

    return air ? verdict(r, fits_any(words, auth_ai->note_get(air, note), same)) : status;
}

static authz_status check_tenant(request_rec *r, const char *line, const void *words)
{
    (void)line;
    return check_note(r, words, AI_NOTE_TENANT, is_below);
}

static authz_status check_tier(request_rec *r, const char *line, const void *words)
{
    (void)line;
    return check_note(r, words, AI_NOTE_TIER, is_same);
}

static authz_status check_endpoint(request_rec *r, const char *line, const void *words)
{
    (void)line;
    return check_note(r, words, AI_NOTE_ENDPOINT, is_same);
}

void auth_require_register(apr_pool_t *p)
{
    static const struct {
        const char *name;
        authz_provider provider;
    } providers[] = {
        { "ai-key", { check_key, read_words } },
        { "ai-token", { check_token, read_words } },
        { "ai-model", { check_model, read_some_words } },
        { "ai-tenant", { check_tenant, read_some_words } },
        { "ai-tier", { check_tier, read_some_words } },
        { "ai-endpoint", { check_endpoint, read_endpoints } },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(providers) / sizeof(providers[0]); i++) {
        ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, providers[i].name,
                                  AUTHZ_PROVIDER_VERSION, &providers[i].provider,
                                  AP_AUTH_INTERNAL_PER_CONF);
    }
}
