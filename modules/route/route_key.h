/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_key.h - where the keys of a target come from: the directives AITargetKey...
 *
 * The setters' conf is the route_target_t in hand; each may be said more than once. They refuse to
 * stand anywhere else, and return NULL or what is wrong and what is allowed, which never holds a
 * key. Only while the configuration is read.
 */
#ifndef ROUTE_KEY_H
#define ROUTE_KEY_H

#include "ai_conf.h"
#include "ai_credential.h"
#include "route_target.h"

typedef enum route_source_e {
    ROUTE_SOURCE_FILE,
    ROUTE_SOURCE_ENV,
    ROUTE_SOURCE_EXEC
} route_source_e;

typedef struct route_key_t {
    const route_target_t *target;
    const char *name;           /* for logs; by default its position: "1", "2" */
    route_source_e source;
    const char *path;           /* of the file or the program; the variable's name */
    const char *const *argv;    /* of the program, ends with NULL */
    apr_int64_t weight;
    apr_int64_t every_ms;       /* a program: how often; 0: nobody said */
    apr_int64_t limit_ms;       /* a program: how long it may take */
    ai_credential_t credential; /* as the configuration read it; no key for a program */
    ai_file_facts_t facts;      /* of the file then */
    apr_uint64_t id;            /* of the source; the same in every generation */
} route_key_t;

const char *route_key_file(cmd_parms *cmd, void *conf, int argc, char *const argv[]);
const char *route_key_env(cmd_parms *cmd, void *conf, int argc, char *const argv[]);
const char *route_key_exec(cmd_parms *cmd, void *conf, int argc, char *const argv[]);

#endif
