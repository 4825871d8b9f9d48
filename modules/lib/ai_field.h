/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_field.h - the fields that requests and answers of several dialects have in common.
 *
 * Functions that can find a fault return NULL, or an error (400) in p that names the field.
 * Thread-safe.
 */
#ifndef AI_FIELD_H
#define AI_FIELD_H

#include <apr_pools.h>

#include "ai_chat.h"
#include "ai_json.h"

/*
 * Refuses a top-level key that is one of known (NULL-terminated, lower case) but for its case. A
 * provider may read "Model" where we read "model" (case-insensitive decoders exist), and then a
 * policy on the model's name is passed by.
 */
const ai_error_t *ai_field_variants(apr_pool_t *p, const ai_json_doc_t *doc,
                                    const char *const *known);

/* Reads "model": a string that is not empty, without control characters. Absent is a fault only
 * where it is required. Out: *model in p, or NULL. */
const ai_error_t *ai_field_model(apr_pool_t *p, const ai_json_doc_t *doc, int required,
                                 const char **model);

/* Reads a member that is true or false; null and absent are 0. */
const ai_error_t *ai_field_flag(apr_pool_t *p, const ai_json_doc_t *doc, const char *name,
                                int *flag);

/* An error of status 400 in p. */
const ai_error_t *ai_field_fault(apr_pool_t *p, const char *param, const char *message);

/* A count of tokens as far as one can believe it, else -1; absent is -1. _count reads a member. */
apr_int64_t ai_field_tokens(ai_slice_t value);
apr_int64_t ai_field_count(ai_slice_t object, const char *name);

/* Sets *field where the value is known (not negative). */
void ai_field_keep(apr_int64_t *field, apr_int64_t value);

#endif
