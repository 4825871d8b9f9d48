/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_key_record.h - one record of a key, for ai_keys.c.
 */
#ifndef AI_KEY_RECORD_H
#define AI_KEY_RECORD_H

#include "ai_key.h"

/*
 * Reads a record into key. p: for what lasts, and messages; scratch is cleared. Returns NULL, or
 * what is wrong, beginning with the member's name. Thread-safe.
 */
const char *ai_key_record(apr_pool_t *p, apr_pool_t *scratch, ai_slice_t text, ai_key_t *key);

#endif
