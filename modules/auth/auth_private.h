/* SPDX-License-Identifier: Apache-2.0 */
/* auth_private.h - what the files of auth/ share among themselves. */
#ifndef AUTH_PRIVATE_H
#define AUTH_PRIVATE_H

#include <httpd.h>
#include <http_config.h>
#include <ap_expr.h>

#include "ai_conf.h"
#include "ai_key.h"
#include "auth_failures.h"
#include "auth_file.h"
#include "auth_lookup.h"
#include "mod_ai.h"

extern AI_EXPORT module ai_auth_module;

/* AP_DECLARE_MODULE brings this itself, and both do not compile together. */
#ifndef AUTH_HOLDS_MODULE_RECORD
APLOG_USE_MODULE(ai_auth);
#endif

/* The core's functions; set in post_config, before any request. */
extern const ai_api_t *auth_ai;

/* ----------------------------------------------------------------- auth_directives.c */

typedef enum auth_fact_e { AUTH_FACT_USER, AUTH_FACT_TENANT, AUTH_FACT_TIER, AUTH_FACTS_N } auth_fact_e;

/* Of a host. */
typedef struct auth_server_conf_t {
    auth_file_t *file;                          /* NULL: this host has no keys in a file */
    auth_lookup_t *lookup;                      /* NULL: this host has no keys in a database */
    apr_int64_t lookup_timeout_ms;              /* auth_lookup_timeout() reads it */
    apr_array_header_t *issuers;                /* of const auth_issuer_t *; NULL: no tokens */
    const auth_limit_t *failures;               /* auth_failures_limit() reads it */
    apr_int64_t cache_ttl_ms;                   /* auth_lookup_rule() reads these two */
    apr_int64_t grace_ms;
    apr_int64_t cache_size;                     /* auth_cache_size() reads it */
} auth_server_conf_t;

/* Of a location. */
typedef struct auth_conf_t {
    const ap_expr_info_t *facts[AUTH_FACTS_N];  /* what of a login is what; NULL: not said */
    apr_array_header_t *models;                 /* AIAuthModels: patterns; NULL: all */
    apr_array_header_t *models_denied;          /* those with '!'; NULL: none */
} auth_conf_t;

extern const command_rec auth_cmds[];
void *auth_server_conf_create(apr_pool_t *p, server_rec *s);
void *auth_server_conf_merge(apr_pool_t *p, void *base, void *add);
void *auth_conf_create(apr_pool_t *p, char *dir);
void *auth_conf_merge(apr_pool_t *p, void *base, void *add);
/* How long a request waits at most for what is looked up elsewhere on its behalf. */
apr_interval_time_t auth_lookup_timeout(const server_rec *s);
/* What AIAuthFailures allows; most is 0 where it is off. */
const auth_limit_t *auth_failures_limit(const server_rec *s);
/* That, and how long what was learned of a key in the database counts on a host. */
auth_lookup_rule_t auth_lookup_rule(const server_rec *s);
/* Bytes of memory for what is learned of keys; of the main server. */
apr_size_t auth_cache_size(const server_rec *s);
/* The word in AIAuthIdentity. */
const char *auth_fact_name(auth_fact_e fact);

/* -------------------------------------------------------------------- auth_conceal.c */

/* What this module knows of a request. */
typedef struct auth_request_t {
    const char *text;    /* the key or token that came with it, or NULL; never logged, never sent on */
    int token;           /* 1: text is a token, not a key */
    const struct auth_issuer_t *issuer; /* that it says it is of; NULL: that cannot be read */
    int ambiguous;       /* 1 when there were two that differ */
    int stray;           /* 1 when there was a token of an issuer that nobody here knows */
    int good;            /* 1 once the token proved good */
    const ai_key_t *key; /* the record, once the text proved good; lives as long as the request */
    const char *mapped_user; /* r->user and r->ap_auth_type when AIAuthIdentity was evaluated */
    const char *mapped_type;
    int concealed;       /* 1 once auth_conceal() is done */
    int looked_up;       /* 1 once something was looked up elsewhere for it */
    int counted;         /* 1 once it was counted as a failed attempt */
    apr_int64_t wait_ms; /* then: for how long the next one would be one too many; 0: it would not */
    int hushed;          /* 1 while r->log is ours; then log is what it was before */
    const struct ap_logconf *log;
} auth_request_t;

/* That of r, or of the request that r was redirected from or belongs to; NULL when there is none. */
auth_request_t *auth_request_of(const request_rec *r);
/* The same, made on r where there is none. */
auth_request_t *auth_request_get(request_rec *r);

/* Before httpd has read the request line: keeps its core from logging it as it came. */
void auth_hush(request_rec *r);
/* Stage conceal: takes the keys of ours out of all that can be logged or sent on. */
void auth_conceal(request_rec *r);

/* ------------------------------------------------------------------- auth_identity.c */

/* Stage authenticate: makes the key's owner the caller. OK when he is, DECLINED without a key of
 * ours, else the status of a refusal. */
int auth_authenticate(ai_request_t *air);
/* Notes what AIAuthIdentity says of a login of another module, once. OK or an HTTP status. */
int auth_map_login(ai_request_t *air);
/* The model that the request is about, as far as the gateway can know: NULL when none is named, or
 * when the endpoint is passed through and a provider may read another one elsewhere. */
const char *auth_model_of(const ai_request_t *air);
/* The good key of the request, or NULL. */
const ai_key_t *auth_key_of(const ai_request_t *air);
/* The issuer of the good token of the request, or NULL. */
const struct auth_issuer_t *auth_issuer_of(const ai_request_t *air);
/* Where nobody else knows the caller: refuses a token that is of nobody here. OK or a status. */
int auth_refuse_stray(ai_request_t *air);
/* 1 when a text that came with a login can be its user, tenant or tier: people may have chosen it for
 * themselves. "/" parts tenants, so no part of one is empty. */
int auth_fact_is_usable(auth_fact_e fact, const char *value);
/* Refuses a key or token: 401. _attempt is for what may be a guess, and counts (AIAuthFailures): 429
 * when there were too many. */
int auth_refuse_login(ai_request_t *air, const char *reason, const char *message);
int auth_refuse_attempt(ai_request_t *air, const char *reason, const char *message);
/* Refuses the request; text must outlive it. Returns status. */
int auth_refuse(ai_request_t *air, int status, const char *code, const char *param,
                const char *message);

/* -------------------------------------------------------------------- auth_models.c */

/* AIAuthModels, with its words. */
const char *auth_models_set(cmd_parms *cmd, void *conf, const char *line);
/* 1 when AIAuthModels lets callers of this location have the model, whoever they are. */
int auth_models_allow(const ai_request_t *air, const char *model);
/* Stage authorize: OK, or the status of a refusal. */
int auth_models_authorize(ai_request_t *air);

/* ------------------------------------------------------------------- auth_throttle.c */

/* In post_config, not in its first pass. */
void auth_throttle_attach(server_rec *s);
/* Before a key that memory does not know is looked up elsewhere: 1 when that may be done for the
 * caller's address. Else the attempt is one that has failed. (A token is always verified: that
 * costs little, and good ones are new each hour.) */
int auth_throttle_may_look_up(request_rec *r);
/* Counts a failed attempt, once for a request: a key or token that is damaged, ambiguous, unknown,
 * or has another secret or a wrong signature. Not one that is what it claims to be and may not be
 * used (disabled, expired, from elsewhere). OK, so that the caller refuses it as he would; or 429,
 * and it is refused: it says the same whatever the reason was. */
int auth_throttle_count(ai_request_t *air);

/* -------------------------------------------------------------------- auth_require.c */

/* Registers the providers of "Require ai-...". */
void auth_require_register(apr_pool_t *p);

#endif
