/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_base64.h - bytes as text, as RFC 4648 has it in its section 4: with padding, in one line.
 *
 * Pure, thread-safe.
 */
#ifndef AI_BASE64_H
#define AI_BASE64_H

#include <apr_pools.h>

#include "ai_slice.h"

/* bytes as base64, NUL-terminated in p. At most 2^30 bytes. */
ai_slice_t ai_base64(apr_pool_t *p, ai_slice_t bytes);

/*
 * Decodes text, of which there is but one for any bytes: no white space, padding where it belongs.
 * 1 and *bytes in p, a NUL behind them; or 0.
 */
int ai_base64_read(apr_pool_t *p, ai_slice_t text, ai_slice_t *bytes);

#endif
