/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_identity.c - who calls?
 *
 * A key's record says who, or a token's claims (auth_token.c): r->user and the notes. Where there is
 * neither it is whoever another module of httpd made r->user, and AIAuthIdentity says what that login
 * is here.
 *
 * A key wins over a certificate that comes with it: who shows one wants to be known by it. A bad key
 * is refused even where another login would do.
 *
 * Lives in: r->pool.  Shared state: none.  May block: on the database, for AIAuthLookupTimeout.
 */

#include <apr_lib.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_core.h>
#include <http_log.h>

#include "auth_private.h"
#include "auth_token.h"

int auth_refuse(ai_request_t *air, int status, const char *code, const char *param,
                const char *message)
{
    ai_error_t *error = apr_palloc(air->r->pool, sizeof(*error));

    *error = (ai_error_t){ status, code, message, param };
    return auth_ai->refuse(air, error);
}

const ai_key_t *auth_key_of(const ai_request_t *air)
{
    const auth_request_t *auth = auth_request_of(air->r);

    return auth ? auth->key : NULL;
}

const char *auth_model_of(const ai_request_t *air)
{
    return ai_endpoint_passes(air->endpoint) ? NULL : air->ask.model;
}

static void note_caller(ai_request_t *air, ai_note_e name, const char *value)
{
    if (value) {
        auth_ai->note_set(air, name, value);
    }
}

const auth_issuer_t *auth_issuer_of(const ai_request_t *air)
{
    const auth_request_t *auth = auth_request_of(air->r);

    return auth && auth->good ? auth->issuer : NULL;
}

/* --------------------------------------------------------------- by a key or a token */

int auth_refuse_login(ai_request_t *air, const char *reason, const char *message)
{
    apr_table_setn(air->r->err_headers_out, "WWW-Authenticate",
                   "Bearer realm=\"ai\", error=\"invalid_token\"");
    return auth_refuse(air, HTTP_UNAUTHORIZED, reason, NULL, message);
}

int auth_refuse_attempt(ai_request_t *air, const char *reason, const char *message)
{
    int status = auth_throttle_count(air);

    return status == OK ? auth_refuse_login(air, reason, message) : status;
}

static const char *message_of(ai_key_verdict_e verdict)
{
    switch (verdict) {
    case AI_KEY_DISABLED:
        return "This key is disabled.";
    case AI_KEY_TOO_EARLY:
        return "This key is not valid yet.";
    case AI_KEY_EXPIRED:
        return "This key has expired.";
    case AI_KEY_SOURCE:
        return "This key may not be used from this address.";
    default:
        return "This key is not known here.";
    }
}

/* What an unknown id is compared with, so that this takes as long as for a known one. No text is known
 * that has this digest. */
static const ai_key_t nobody;

/* What this connection has shown before. */
static ai_key_seen_t *seen_on(conn_rec *c)
{
    ai_key_seen_t *seen = ap_get_module_config(c->conn_config, &ai_auth_module);

    if (!seen) {
        seen = apr_pcalloc(c->pool, sizeof(*seen));
        ap_set_module_config(c->conn_config, &ai_auth_module, seen);
    }
    return seen;
}

/* That of the host's file, else that of its database; NULL and *answer says why there is none.
 * *again: in how many seconds it may be worth trying when nobody can say. */
static const ai_key_t *find_key(request_rec *r, ai_slice_t id, auth_answer_e *answer, int *again)
{
    const auth_server_conf_t *conf =
        ap_get_module_config(r->server->module_config, &ai_auth_module);
    const ai_keys_t *keys = conf->file ? auth_file_hold(conf->file, r->pool, NULL) : NULL;
    const ai_key_t *key = keys ? ai_keys_find(keys, id) : NULL;
    auth_lookup_rule_t rule;
    const char *wrong;
    ai_slice_t record;

    *again = 1;
    *answer = key ? AUTH_ANSWER_FOUND : AUTH_ANSWER_UNKNOWN;
    if (key || !conf->lookup) {
        return key;
    }
    rule = auth_lookup_rule(r->server);
    *answer = auth_lookup_find(conf->lookup, r, &rule, id, &record, again);
    if (*answer == AUTH_ANSWER_FOUND) {
        key = ai_key_read(r->pool, record, &wrong);
        /* It was read well before it was kept; but by another mod_ai, perhaps, before a restart. */
        *answer = key ? AUTH_ANSWER_FOUND : AUTH_ANSWER_AWAY;
    }
    return key;
}

/* The key with that id and digest, held as long as the request; NULL and *verdict when it is none or
 * may not be used, NULL and *answer when nobody can say. */
static const ai_key_t *look_up(request_rec *r, ai_slice_t id, const unsigned char *digest,
                               ai_key_verdict_e *verdict, auth_answer_e *answer, int *again)
{
    const ai_key_t *key = find_key(r, id, answer, again);

    if (*answer == AUTH_ANSWER_AWAY || *answer == AUTH_ANSWER_BARRED) {
        return NULL;
    }
    *verdict = ai_key_judge(key ? key : &nobody, digest, apr_time_now(), r->useragent_addr);
    *verdict = key ? *verdict : AI_KEY_WRONG;
    if (*verdict != AI_KEY_GOOD) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, AI_LOGNO(0205) "key %.*s: %s", (int)id.n, id.p,
                      key ? ai_key_reason(*verdict) : "there is no such key");
    }
    return *verdict == AI_KEY_GOOD ? key : NULL;
}

/* Not 401: the key may be good. */
static int refuse_for_now(ai_request_t *air, auth_answer_e answer, int again)
{
    int status = answer == AUTH_ANSWER_BARRED ? auth_throttle_count(air) : OK;

    if (status != OK) {
        return status;
    }
    apr_table_setn(air->r->err_headers_out, "Retry-After", apr_itoa(air->r->pool, again));
    return auth_refuse(air, HTTP_SERVICE_UNAVAILABLE, "auth_unavailable", NULL,
                       "Keys cannot be looked up now; this one may be good. Try again later.");
}

static void become(ai_request_t *air, const ai_key_t *key)
{
    request_rec *r = air->r;

    r->user = (char *)(key->user ? key->user : key->id);
    r->ap_auth_type = "Bearer";
    note_caller(air, AI_NOTE_KEY_ID, key->id);
    note_caller(air, AI_NOTE_USER, key->user);
    note_caller(air, AI_NOTE_TENANT, key->tenant);
    note_caller(air, AI_NOTE_TIER, key->tier);
    auth_ai->explain(air, "identify", "ok", "key");
}

int auth_authenticate(ai_request_t *air)
{
    auth_request_t *auth = auth_request_of(air->r);
    unsigned char digest[AI_KEY_DIGEST];
    ai_key_verdict_e verdict;
    auth_answer_e answer;
    ai_slice_t id;
    int again;

    if (!auth || !auth->text) {
        return DECLINED;
    }
    if (auth->key || auth->good) {
        return OK;
    }
    if (auth->ambiguous) {
        return auth_refuse_attempt(air, "ambiguous_key",
                                   "There are two different keys or tokens in this request.");
    }
    if (auth->token) {
        return auth_token_authenticate(air, auth);
    }
    if (ai_key_see(seen_on(air->r->connection), ai_slice_of(auth->text), &id, digest)
        != AI_KEY_WELL) {
        return auth_refuse_attempt(air, "malformed_api_key",
                                   "This key is damaged; it was perhaps not copied whole.");
    }
    auth->key = look_up(air->r, id, digest, &verdict, &answer, &again);
    if (answer == AUTH_ANSWER_AWAY || answer == AUTH_ANSWER_BARRED) {
        return refuse_for_now(air, answer, again);
    }
    if (!auth->key) {
        return (verdict == AI_KEY_WRONG ? auth_refuse_attempt : auth_refuse_login)(
            air, ai_key_reason(verdict), message_of(verdict));
    }
    become(air, auth->key);
    if (!ai_key_allows_endpoint(auth->key, ai_endpoint_name(air->endpoint))) {
        return auth_refuse(air, HTTP_FORBIDDEN, "endpoint_not_allowed", NULL,
                           apr_pstrcat(air->r->pool, "The key may not be used for '",
                                       ai_endpoint_name(air->endpoint), "'.", NULL));
    }
    return OK;
}

int auth_refuse_stray(ai_request_t *air)
{
    const auth_request_t *auth = auth_request_of(air->r);

    if (!auth || !auth->stray || air->r->user || ap_auth_type(air->r)) {
        return OK;
    }
    return auth_refuse_login(air, "issuer_unknown", "Nobody here knows the issuer of this token.");
}

/* ---------------------------------------------------------------- by another login */

static const ai_note_e notes[AUTH_FACTS_N] = {
    [AUTH_FACT_USER] = AI_NOTE_USER,
    [AUTH_FACT_TENANT] = AI_NOTE_TENANT,
    [AUTH_FACT_TIER] = AI_NOTE_TIER,
};

/* A login may take the place of another one (Basic that of a certificate): nothing of that stays. */
static void forget_login(ai_request_t *air, const auth_request_t *auth)
{
    int i;

    for (i = 0; auth->mapped_user && i < AUTH_FACTS_N; i++) {
        auth_ai->note_set(air, notes[i], NULL);
    }
}

int auth_fact_is_usable(auth_fact_e fact, const char *value)
{
    static const apr_size_t longest[AUTH_FACTS_N] = { 200, 500, 64 }; /* as in a key's record */
    const char *at;

    for (at = value; *at; at++) {
        if (apr_iscntrl(*at)) {
            return 0;
        }
    }
    return (apr_size_t)(at - value) <= longest[fact]
           && (fact != AUTH_FACT_TENANT
               || (*value != '/' && at[-1] != '/' && !strstr(value, "//")));
}

static int refuse_fact(ai_request_t *air, auth_fact_e fact)
{
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, air->r,
                  AI_LOGNO(0235) "AIAuthIdentity %s: what the login of %s gives cannot be used",
                  auth_fact_name(fact), air->r->user);
    return auth_refuse(air, HTTP_FORBIDDEN, "permission_denied", NULL,
                       apr_psprintf(air->r->pool, "The %s of this login cannot be used here.",
                                    auth_fact_name(fact)));
}

int auth_map_login(ai_request_t *air)
{
    request_rec *r = air->r;
    const auth_conf_t *conf = ap_get_module_config(r->per_dir_config, &ai_auth_module);
    auth_request_t *auth;
    int i;

    if (!r->user || auth_key_of(air) || auth_issuer_of(air)) {
        return OK;
    }
    auth = auth_request_get(r);
    if (auth->mapped_user == r->user && auth->mapped_type == r->ap_auth_type) {
        return OK;
    }
    forget_login(air, auth);
    for (i = 0; i < AUTH_FACTS_N; i++) {
        const char *wrong = NULL;
        const char *value = conf->facts[i] ? ap_expr_str_exec(r, conf->facts[i], &wrong) : NULL;

        if (wrong) {
            ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                          AI_LOGNO(0206) "AIAuthIdentity %s: the expression failed: %s",
                          auth_fact_name(i), wrong);
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        if (value && *value) { /* empty means: leave it unknown */
            if (!auth_fact_is_usable(i, value)) {
                return refuse_fact(air, i);
            }
            note_caller(air, notes[i], value);
        }
    }
    auth->mapped_user = r->user;
    auth->mapped_type = r->ap_auth_type;
    if (!auth_ai->note_get(air, AI_NOTE_USER)) {
        note_caller(air, AI_NOTE_USER, r->user);
    }
    return OK;
}
