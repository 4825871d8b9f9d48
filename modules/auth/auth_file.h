/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_file.h - a file of keys that is read again when it changes.
 *
 * Read at configuration, by the user who starts httpd; after that by a thread of each child
 * process, as User. Requests never wait for it: they use what is there (auth_held.h).
 */
#ifndef AUTH_FILE_H
#define AUTH_FILE_H

#include <httpd.h>
#include <http_config.h>

#include "ai_slice.h"

/* What a file holds, and how it is read. */
typedef struct auth_file_kind_t {
    const char *directive; /* that names it */
    apr_size_t longest;    /* in bytes */
    /* Reads the text; text and what is returned live in p. NULL and *wrong says why, in p. */
    const void *(*read)(apr_pool_t *p, ai_slice_t text, const char **wrong);
    int (*count)(const void *content);
    int (*secret)(const void *content); /* 1: not for everybody's eyes */
} auth_file_kind_t;

/* Gateway keys (ai_keys_t), and JWK sets (ai_jwks_t). */
extern const auth_file_kind_t auth_file_keys, auth_file_jwks;

typedef struct auth_file_t auth_file_t;

/* Forgets the files of an earlier configuration; before the first is opened. */
void auth_file_begin(void);

/* Opens and reads a file; the same path and kind give the same object. NULL and *wrong says why, in
 * cmd->pool. For the thread that reads the configuration. */
auth_file_t *auth_file_open(cmd_parms *cmd, const char *path, const auth_file_kind_t *kind,
                            const char **wrong);

/* The content as it is now, good until p is cleared. number (or NULL): see auth_held_take().
 * Thread-safe. */
const void *auth_file_hold(auth_file_t *file, apr_pool_t *p, apr_uint32_t *number);

/* Looks at all files, and reads again those that have changed. For the parent process. */
void auth_file_look(server_rec *s);

/* Does the same in a child process, at once and then every second until p is cleared. */
void auth_file_watch(apr_pool_t *p, server_rec *s);

#endif
