/* SPDX-License-Identifier: Apache-2.0 */
/* auth_issuer.h - whose tokens are taken here, and what do their claims mean (<AIAuthIssuer>)? */
#ifndef AUTH_ISSUER_H
#define AUTH_ISSUER_H

#include <httpd.h>
#include <http_config.h>

#include "ai_conf.h"
#include "auth_file.h"
#include "auth_jwks.h"
#include "auth_private.h"

/* A claim that is a fact of the caller. */
typedef struct auth_claim_t {
    const char *path;   /* NULL: none */
    const char *prefix; /* stands before the claim's text; "" where none was said */
} auth_claim_t;

/* Built at configuration, never changed after. */
typedef struct auth_issuer_t {
    const char *name;     /* what "iss" must be */
    const char *audience; /* what "aud" must be or hold; NULL: any */
    int any_audience;
    auth_claim_t claims[AUTH_FACTS_N];
    apr_int64_t leeway_ms;
    apr_int64_t need_expiry;
    const char *ca_file;
    const char *url;      /* of the set; NULL: it is in file */
    int near;             /* url is one of this machine */
    auth_file_t *file;
    auth_jwks_t *set;     /* by url */
} auth_issuer_t;

/* The settings that are rows of a table. */
enum { AUTH_ISSUER_LEEWAY, AUTH_ISSUER_NEED_EXPIRY, AUTH_ISSUER_CA_FILE, AUTH_ISSUER_FIELDS_N };
extern ai_field_t auth_issuer_fields[AUTH_ISSUER_FIELDS_N];

/* That with the name, or NULL. */
const auth_issuer_t *auth_issuer_find(const apr_array_header_t *issuers, const char *name);

/* The section, and the directives that stand in it. */
const char *auth_issuer_section(cmd_parms *cmd, void *conf, const char *arg);
const char *auth_issuer_jwks(cmd_parms *cmd, void *issuer, const char *where, const char *word);
const char *auth_issuer_audience(cmd_parms *cmd, void *issuer, const char *audience);
const char *auth_issuer_claim(cmd_parms *cmd, void *issuer, const char *fact, const char *path,
                              const char *prefix);
const char *auth_issuer_field(cmd_parms *cmd, void *issuer, const char *arg);

apr_interval_time_t auth_issuer_leeway(const auth_issuer_t *issuer);
int auth_issuer_needs_expiry(const auth_issuer_t *issuer);

#endif
