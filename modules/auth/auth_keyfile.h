/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_keyfile.h - a file of keys that is read again when it changes.
 *
 * Read at configuration, by the user who starts httpd; after that by a thread of each child
 * process, as User. Requests never wait for it: they use the table that is there. A table's memory
 * is given back when it has been replaced and the last request that uses it is over.
 */
#ifndef AUTH_KEYFILE_H
#define AUTH_KEYFILE_H

#include <httpd.h>
#include <http_config.h>

#include "ai_key.h"

typedef struct auth_keyfile_t auth_keyfile_t;

/* Forgets the files of an earlier configuration; before the first is opened. */
void auth_keyfile_begin(void);

/* Opens and reads a file; the same path gives the same object. NULL and *wrong says why, in
 * cmd->pool. For the thread that reads the configuration. */
auth_keyfile_t *auth_keyfile_open(cmd_parms *cmd, const char *path, const char **wrong);

/* The keys as they are now, good until p is cleared. Thread-safe. */
const ai_keys_t *auth_keyfile_hold(auth_keyfile_t *file, apr_pool_t *p);

/* Looks at all files, and reads again those that have changed. For the parent process. */
void auth_keyfile_look(server_rec *s);

/* Does the same in a child process, at once and then every second until p is cleared. */
void auth_keyfile_watch(apr_pool_t *p, server_rec *s);

#endif
