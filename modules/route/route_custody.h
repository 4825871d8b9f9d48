/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_custody.h - where the keys of all targets are kept while the server runs.
 *
 * In anonymous shared memory: it has no name, so that nothing but this server's processes can reach
 * it, and no file ever holds a key that was not in one before.
 */
#ifndef ROUTE_CUSTODY_H
#define ROUTE_CUSTODY_H

#include "route_target.h"

/* In pre_config: forgets the targets of another reading of the configuration. */
void route_custody_begin(apr_pool_t *pconf);

/* At the end of <AITarget>. */
void route_custody_add(route_target_t *target);

/* In post_config, when the configuration is the one that will serve: gives each target its slots.
 * What an earlier generation had learned of a key that is still there is taken over. */
void route_custody_prepare(apr_pool_t *pconf, server_rec *s);

/* The targets that have keys, of route_target_t *. Their slots are NULL before _prepare. */
const apr_array_header_t *route_custody_targets(void);

/* 1 when a later generation has taken over: no source has to be watched any more for this one. */
int route_custody_is_over(void);

#endif
