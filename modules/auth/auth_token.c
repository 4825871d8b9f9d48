/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_token.c - is a token good, and who is it then that calls?
 *
 * What a token says of itself chooses whose keys it is verified with, and nothing else. A token that
 * was good is remembered by its digest, with what its claims gave, while the keys are the same and
 * it has not expired. Nothing of a token gets into a log, and of its claims only what was verified
 * and is meant to: the user, the tenant, the tier.
 *
 * Lives in: r->pool.  Shared state: the cache of the child (ai_token_cache.h).
 * May block: for AIAuthLookupTimeout, on an issuer's keys that are being fetched.
 */

#include <apr_strings.h>
#include <httpd.h>
#include <http_log.h>

#include "ai_jwt.h"
#include "ai_token_cache.h"
#include "auth_token.h"

/* Tokens that a child remembers. An entry has half a kilobyte. */
#define CACHE_ENTRIES 4096

/* Of this child process; NULL: none. */
static ai_token_cache_t *cache;

void auth_token_start(apr_pool_t *p)
{
    cache = ai_token_cache_create(p, CACHE_ENTRIES);
}

/* ------------------------------------------------------------------------ whose it is */

auth_token_look_e auth_token_look(request_rec *r, ai_slice_t text, const auth_issuer_t **issuer)
{
    const auth_server_conf_t *conf =
        ap_get_module_config(r->server->module_config, &ai_auth_module);
    const char *name;

    *issuer = NULL;
    if (!conf->issuers) {
        return AUTH_TOKEN_NONE;
    }
    switch (ai_jwt_look(r->pool, text, &name)) {
    case AI_JWT_NONE:
        break;
    case AI_JWT_UNREADABLE:
        return AUTH_TOKEN_OURS;
    case AI_JWT_READS:
        *issuer = name ? auth_issuer_find(conf->issuers, name) : NULL;
        return *issuer ? AUTH_TOKEN_OURS : AUTH_TOKEN_FOREIGN;
    }
    return AUTH_TOKEN_NONE;
}

/* ------------------------------------------------------------------------- refusals */

static const char *message_of(ai_jwt_verdict_e verdict)
{
    switch (verdict) {
    case AI_JWT_ALGORITHM:
        return "The algorithm of this token is not one that its key is for.";
    case AI_JWT_NO_KEY:
        return "The key that signed this token is not one of its issuer's.";
    case AI_JWT_SIGNATURE:
        return "The signature of this token is wrong.";
    case AI_JWT_EXPIRED:
        return "This token has expired.";
    case AI_JWT_TOO_EARLY:
        return "This token is not valid yet.";
    case AI_JWT_AUDIENCE:
        return "This token is for another service.";
    case AI_JWT_NO_EXPIRY:
        return "This token has no end, and tokens here must have one.";
    default:
        return "This token is damaged; it was perhaps not copied whole.";
    }
}

typedef int refuse_fn(ai_request_t *air, const char *reason, const char *message);

static int refuse(ai_request_t *air, const auth_issuer_t *issuer, refuse_fn *as,
                  const char *reason, const char *message)
{
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, air->r, AI_LOGNO(0225) "token of issuer %s: %s",
                  issuer ? issuer->name : "-", reason);
    return as(air, reason, message);
}

/* What its issuer has not signed may be a guess; what he has is only not good any more, or not here. */
static int refuse_verdict(ai_request_t *air, const auth_issuer_t *issuer, ai_jwt_verdict_e verdict)
{
    int guess = verdict == AI_JWT_MALFORMED || verdict == AI_JWT_ALGORITHM
                || verdict == AI_JWT_NO_KEY || verdict == AI_JWT_SIGNATURE;

    return refuse(air, issuer, guess ? auth_refuse_attempt : auth_refuse_login,
                  ai_jwt_reason(verdict), message_of(verdict));
}

static int refuse_for_now(ai_request_t *air, const auth_issuer_t *issuer)
{
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, air->r,
                  AI_LOGNO(0226) "token of issuer %s: there are no keys to verify it with",
                  issuer->name);
    apr_table_setn(air->r->err_headers_out, "Retry-After", "5");
    return auth_refuse(air, HTTP_SERVICE_UNAVAILABLE, "issuer_unavailable", NULL,
                       "The keys of this token's issuer cannot be had at the moment.");
}

/* ------------------------------------------------------------------------ its claims */

/* The fact, or NULL: not said, or said in a way that is no text. */
static const char *read_fact(apr_pool_t *p, const ai_json_doc_t *claims, const auth_claim_t *claim)
{
    const char *text = claim->path ? ai_jwt_claim(p, claims, claim->path) : NULL;

    return text && *text ? apr_pstrcat(p, claim->prefix, text, NULL) : NULL;
}

static void become(ai_request_t *air, const ai_token_t *token)
{
    static const ai_note_e notes[AI_TOKEN_FACTS] = {
        [AI_TOKEN_USER] = AI_NOTE_USER,
        [AI_TOKEN_TENANT] = AI_NOTE_TENANT,
        [AI_TOKEN_TIER] = AI_NOTE_TIER,
    };
    int i;

    air->r->user = (char *)token->facts[AI_TOKEN_USER];
    air->r->ap_auth_type = "Bearer";
    auth_ai->explain(air, "identify", "ok", "token");
    for (i = 0; i < AI_TOKEN_FACTS; i++) {
        if (token->facts[i]) {
            auth_ai->note_set(air, notes[i], token->facts[i]);
        }
    }
}

/* ------------------------------------------------------------------------ verifying */

static const ai_jwks_t *keys_of(const auth_issuer_t *issuer, request_rec *r, apr_uint32_t *number)
{
    if (issuer->file) {
        return auth_file_hold(issuer->file, r->pool, number);
    }
    return auth_jwks_await(issuer->set, r->pool, number, auth_lookup_timeout(r->server));
}

/* Verifies, and once more with new keys where the set has not the token's. */
static ai_jwt_verdict_e verify(request_rec *r, const auth_issuer_t *issuer, ai_slice_t text,
                               const ai_jwks_t *jwks, ai_token_t *token, ai_json_doc_t *claims)
{
    ai_jwt_rule_t rule = {
        .issuer = issuer->name,
        .audience = issuer->audience,
        .now = apr_time_now(),
        .leeway = auth_issuer_leeway(issuer),
        .needs_expiry = auth_issuer_needs_expiry(issuer),
    };
    ai_jwt_verdict_e verdict = ai_jwt_verify(r->pool, jwks, text, &rule, claims, &token->expires);

    if (verdict == AI_JWT_NO_KEY && issuer->set) {
        jwks = auth_jwks_renew(issuer->set, r->pool, &token->keys, auth_lookup_timeout(r->server));
        if (jwks) {
            verdict = ai_jwt_verify(r->pool, jwks, text, &rule, claims, &token->expires);
        }
    }
    return verdict;
}

/* Verifies the token, and reads its facts. OK, or the status of a refusal. */
static int look_into(ai_request_t *air, const auth_issuer_t *issuer, ai_slice_t text,
                     const ai_jwks_t *jwks, ai_token_t *token)
{
    ai_json_doc_t claims;
    ai_jwt_verdict_e verdict = verify(air->r, issuer, text, jwks, token, &claims);
    int i;

    if (verdict != AI_JWT_GOOD) {
        return refuse_verdict(air, issuer, verdict);
    }
    for (i = 0; i < AUTH_FACTS_N; i++) {
        token->facts[i] = read_fact(air->r->pool, &claims, &issuer->claims[i]);
        if (token->facts[i] && !auth_fact_is_usable(i, token->facts[i])) {
            return refuse(air, issuer, auth_refuse_login, "token_claim_unusable",
                          apr_psprintf(air->r->pool, "What this token says of the %s cannot be used "
                                       "here.", auth_fact_name(i)));
        }
    }
    if (!token->facts[AUTH_FACT_USER]) {
        return refuse(air, issuer, auth_refuse_login, "token_without_user",
                      "This token does not say whose it is, in the claim that is asked for here.");
    }
    return OK;
}

int auth_token_authenticate(ai_request_t *air, auth_request_t *auth)
{
    const auth_issuer_t *issuer = auth->issuer;
    ai_slice_t text = ai_slice_of(auth->text);
    ai_token_t token = { .rule = issuer };
    const ai_jwks_t *jwks;
    int kept, status = OK;

    if (!issuer) {
        return refuse_verdict(air, NULL, AI_JWT_MALFORMED);
    }
    jwks = keys_of(issuer, air->r, &token.keys);
    if (!jwks) {
        return refuse_for_now(air, issuer);
    }
    kept = cache && text.n <= AI_JWT_LONGEST && ai_digest(text, token.digest);
    if (!kept
        || !ai_token_cache_get(cache, air->r->pool, &token, apr_time_now(),
                               auth_issuer_leeway(issuer))) {
        status = look_into(air, issuer, text, jwks, &token);
        if (status == OK && kept) {
            ai_token_cache_put(cache, &token);
        }
    }
    if (status == OK) {
        auth->good = 1;
        become(air, &token);
    }
    return status;
}
