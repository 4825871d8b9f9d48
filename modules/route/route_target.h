/* SPDX-License-Identifier: Apache-2.0 */
/* route_target.h - the section <AITarget name>: an upstream, from the configuration. */
#ifndef ROUTE_TARGET_H
#define ROUTE_TARGET_H

#include <apr_hash.h>

#include "mod_ai.h"

/* Handler of the directive "<AITarget". Adds to targets, a table of ai_target_t by name, and
 * declares the upstream to mod_proxy. NULL or what is wrong. Only while the configuration is read. */
const char *route_target_section(cmd_parms *cmd, const char *arg, apr_hash_t *targets,
                                 apr_hash_t *outer);

/* The name to send for a model: the target's own where AITargetModel says so, else NULL. */
const char *route_target_model(const ai_target_t *target, const char *asked);

#endif
