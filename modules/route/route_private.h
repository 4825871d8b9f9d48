/* SPDX-License-Identifier: Apache-2.0 */
/* route_private.h - what the files of route/ share among themselves. */
#ifndef ROUTE_PRIVATE_H
#define ROUTE_PRIVATE_H

#include <apr_hash.h>

#include "ai_conf.h"
#include "mod_ai.h"

extern AI_EXPORT module ai_route_module;

/* AP_DECLARE_MODULE brings this itself, and both do not compile together. */
#ifndef ROUTE_HOLDS_MODULE_RECORD
APLOG_USE_MODULE(ai_route);
#endif

/* -------------------------------------------------------------- route_directives.c */

/* The statuses that AIRouteFallback speaks of. */
#define ROUTE_STATUS_MIN 400
#define ROUTE_STATUS_MAX 599

typedef struct route_conf_t {
    apr_int64_t retries;
    apr_int64_t backoff_ms;
    apr_array_header_t *rules; /* of route_rule_t, or NULL: as outside */
    char *fallback;            /* by status - ROUTE_STATUS_MIN: 1 moves on; or NULL: as outside */
} route_conf_t;

typedef enum route_field_e { ROUTE_RETRIES, ROUTE_BACKOFF, ROUTE_FIELDS_N } route_field_e;

extern const command_rec route_cmds[];
void *route_conf_create(apr_pool_t *p, char *dir);
void *route_conf_merge(apr_pool_t *p, void *base, void *add);
void *route_server_conf_create(apr_pool_t *p, server_rec *s);
void *route_server_conf_merge(apr_pool_t *p, void *base, void *add);
apr_int64_t route_conf_number(const route_conf_t *conf, route_field_e field);

#endif
