/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_jwks.h - JWK sets that come from a URL: fetched in the background, once for the whole server.
 *
 * Requests never fetch. A set lives in memory that all child processes share and that restarts
 * leave as it is; each child has its own reading of it.
 */
#ifndef AUTH_JWKS_H
#define AUTH_JWKS_H

#include <httpd.h>
#include <http_config.h>

#include "ai_jwt.h"

typedef struct auth_jwks_t auth_jwks_t;

/* The longest URL, in bytes. */
#define AUTH_JWKS_URL 1023

/* Forgets the sets of an earlier configuration; before the first is added. */
void auth_jwks_begin(void);

/* A set by its URL, and the file of the authorities that its server's certificate must be of (NULL:
 * the system's); the same URL gives the same object. near: 1 for a URL of this machine. NULL and
 * *wrong says why, in cmd->pool. For the thread that reads the configuration. */
auth_jwks_t *auth_jwks_add(cmd_parms *cmd, const char *url, const char *ca_file, int near,
                           const char **wrong);

/* For post_config: finds or makes the memory. */
void auth_jwks_share(apr_pool_t *p, server_rec *s);

/* For child_init: reads what is there, and begins to fetch; ends with p. */
void auth_jwks_start(apr_pool_t *p, server_rec *s);

/* The set as it is now, good until p is cleared; number: which one it is, see auth_held_take().
 * Where there is none yet, or a newer one than this child has read, it waits, at most so long. NULL:
 * there is none, or it is too old. Thread-safe. */
const ai_jwks_t *auth_jwks_await(auth_jwks_t *set, apr_pool_t *p, apr_uint32_t *number,
                                 apr_interval_time_t time);

/*
 * A token names a key that the set does not have. Asks for the set to be fetched before its time,
 * at most once a minute for the whole server, and waits for that at most so long; whoever comes
 * later than that waits no more. Returns the set that came since the one with *number, and its
 * number; NULL where there is no other.
 */
const ai_jwks_t *auth_jwks_renew(auth_jwks_t *set, apr_pool_t *p, apr_uint32_t *number,
                                 apr_interval_time_t time);

#endif
