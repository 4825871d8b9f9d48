/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_span.h - how long something takes until it is there, as providers' headers say it.
 *
 * Pure, thread-safe.
 */
#ifndef AI_SPAN_H
#define AI_SPAN_H

#include <apr_pools.h>
#include <apr_time.h>

/*
 * A span in milliseconds, rounded up. text, NUL-terminated: parts with units "6m0s", "250ms",
 * "1h2m3.5s" (d h m s ms us ns), seconds without one "59", "7.66", or a point in time: RFC 3339,
 * an HTTP date, seconds (from 10^9) or milliseconds (from 10^12) since 1970. now: from when it is
 * counted; a point that has passed is 0.
 * Returns -1 for NULL, for what is none of these, is negative or longer than 300 years.
 */
apr_int64_t ai_span_ms(const char *text, apr_time_t now);

/* A span, not negative, as OpenAI has it: "12ms", "7.66s", "6m0s", "1h0m3s". In p. */
const char *ai_span_text(apr_pool_t *p, apr_int64_t ms);

#endif
