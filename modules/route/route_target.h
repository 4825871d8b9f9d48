/* SPDX-License-Identifier: Apache-2.0 */
/* route_target.h - the section <AITarget name>: an upstream, from the configuration. */
#ifndef ROUTE_TARGET_H
#define ROUTE_TARGET_H

#include <apr_hash.h>

#include "mod_ai.h"
#include "route_slot.h"

/* A target as this room has it. */
typedef struct route_target_t {
    ai_target_t target;       /* first: what the core sees of it */
    apr_array_header_t *keys; /* of route_key_t *, in the order of the configuration */
    apr_int64_t aside_ms;     /* how long a key that was refused is set aside; 0: not at all */
    int *weights;             /* of the keys; set with slots */
    route_slot_t *slots;      /* of the keys, side by side; set in post_config (route_custody.c) */
} route_target_t;

/* Handler of the directive "<AITarget". Adds to targets, a table of route_target_t by name, and
 * declares the upstream to mod_proxy. NULL or what is wrong. Only while the configuration is read. */
const char *route_target_section(cmd_parms *cmd, const char *arg, apr_hash_t *targets,
                                 apr_hash_t *outer);

/* The name to send for a model: the target's own where AITargetModel says so, else NULL. */
const char *route_target_model(const ai_target_t *target, const char *asked);

#endif
