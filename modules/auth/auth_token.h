/* SPDX-License-Identifier: Apache-2.0 */
/* auth_token.h - is a caller who he is by a token of an issuer of this host? */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include <httpd.h>

#include "auth_issuer.h"
#include "auth_private.h"

typedef enum auth_token_look_e {
    AUTH_TOKEN_NONE,   /* no token */
    AUTH_TOKEN_OURS,   /* one of an issuer of this host, by its word; or nobody can read whose */
    AUTH_TOKEN_FOREIGN /* one, of nobody that this host knows */
} auth_token_look_e;

/* Whose a text is, before it is verified. Out, where it is ours: *issuer, NULL where nobody can read
 * whose. AUTH_TOKEN_NONE where this host has no issuers. */
auth_token_look_e auth_token_look(request_rec *r, ai_slice_t text, const auth_issuer_t **issuer);

/* Stage authenticate, for a request whose text is a token: OK when it made the caller, else the
 * status of a refusal. */
int auth_token_authenticate(ai_request_t *air, auth_request_t *auth);

/* For child_init: the cache. */
void auth_token_start(apr_pool_t *p);

#endif
