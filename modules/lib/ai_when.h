/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_when.h - a point in time as records hold it: RFC 3339 in UTC, to the second.
 *
 * Pure, thread-safe.
 */
#ifndef AI_WHEN_H
#define AI_WHEN_H

#include <apr_pools.h>
#include <apr_time.h>

/*
 * Reads "2026-12-31T23:59:59Z", or the day "2026-12-31" (its first second). 1, and *when; or 0 for
 * any other text, a day that no calendar has, and what is not after 1970-01-01 00:00.
 */
int ai_when_read(const char *text, apr_time_t *when);

/* The same as text, in p; parts of a second are left out. when: up to the year 9999. */
const char *ai_when_text(apr_pool_t *p, apr_time_t when);

#endif
