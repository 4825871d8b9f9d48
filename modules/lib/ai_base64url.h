/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_base64url.h - reads base64url as RFC 7515 has it: no padding, one way to write each value.
 */
#ifndef AI_BASE64URL_H
#define AI_BASE64URL_H

#include <apr_pools.h>

#include "ai_slice.h"

/*
 * Decodes text. Refused: padding, white space, any byte outside [A-Za-z0-9_-], a length that no
 * encoder makes, and bits set in the last character that belong to no byte: two texts never mean
 * the same bytes. Empty text is no bytes.
 * Returns 1 and *bytes, in p; or 0. Thread-safe.
 */
int ai_base64url_read(apr_pool_t *p, ai_slice_t text, ai_slice_t *bytes);

#endif
