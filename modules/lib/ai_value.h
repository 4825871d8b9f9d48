/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_value.h - the one strict reader of each kind of value that a directive takes.
 *
 * Each returns NULL and fills in *out, or returns a message that names the text, what was wrong
 * and what is allowed, in p: "'12x' is no time: a whole number with ms, s, min, h or d, from 1ms
 * to 1h". Nothing is clamped, nothing after the value is ignored, signs and white space are
 * refused; *out is left as it was then. Units and words are read in any case.
 */
#ifndef AI_VALUE_H
#define AI_VALUE_H

#include <apr_pools.h>

/* "On" or "Off", any case, to 1 or 0. */
const char *ai_value_flag(apr_pool_t *p, const char *text, apr_int64_t *out);

/* A whole decimal number from min to max. */
const char *ai_value_number(apr_pool_t *p, const char *text, apr_int64_t min, apr_int64_t max,
                            apr_int64_t *out);

/*
 * A span of time from min to max, all in milliseconds: a whole number with one of the units
 * ms s min h d. The unit is required, except for a plain 0 where min is 0. "Off" is 0 where
 * min is 0.
 */
const char *ai_value_time(apr_pool_t *p, const char *text, apr_int64_t min, apr_int64_t max,
                          apr_int64_t *out);

/* A number of bytes from min to max: a whole number, alone or with k, m or g (powers of 1024). */
const char *ai_value_size(apr_pool_t *p, const char *text, apr_int64_t min, apr_int64_t max,
                          apr_int64_t *out);

/*
 * One of the words of a NULL-terminated list, any case, to its index.
 */
const char *ai_value_word(apr_pool_t *p, const char *text, const char *const *words,
                          apr_int64_t *out);

/*
 * A span in milliseconds or a size in bytes as a directive would have it, in the largest unit that
 * divides it, in p. Neither may be negative.
 */
const char *ai_value_show_time(apr_pool_t *p, apr_int64_t milliseconds);
const char *ai_value_show_size(apr_pool_t *p, apr_int64_t bytes);

#endif
