/* SPDX-License-Identifier: Apache-2.0 */
/* route_retry.h - the rounds: whom to try next, and when. */
#ifndef ROUTE_RETRY_H
#define ROUTE_RETRY_H

#include "mod_ai.h"

/* Tries the targets in order, then in further rounds, until one answers. Returns what stage
 * forward returns. */
int route_retry_run(const ai_api_t *ai, ai_request_t *air, const apr_array_header_t *targets,
                    int rounds, apr_int64_t longest_wait_ms,
                    int (*moves_on)(const void *baton, int status), const void *baton);

/* How long to wait before round n (1, 2, ...), in milliseconds: 500, doubled each round, at most
 * cap_ms; random between half of it and all of it (random is 0 to 65535). */
apr_int64_t route_retry_backoff(int round, apr_int64_t cap_ms, unsigned random);

#endif
