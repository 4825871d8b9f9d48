/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_splice.h - edits to a text that leave every other byte as it was.
 *
 * The result is a list of slices, part original, part replacement, in order: nothing is copied.
 */
#ifndef AI_SPLICE_H
#define AI_SPLICE_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "ai_json.h"
#include "ai_slice.h"

typedef struct ai_splice_t {
    ai_slice_t text;             /* the original */
    apr_array_header_t *edits;   /* private: kept sorted by offset */
    apr_array_header_t *objects; /* private: those with added or removed members */
    apr_pool_t *pool;
} ai_splice_t;

/* Begins with no edit. */
void ai_splice_begin(apr_pool_t *p, ai_splice_t *splice, ai_slice_t text);

/*
 * Replaces the bytes of part (a slice of the text; with n 0 an insertion before part.p) by with.
 * Edits must not overlap: APR_EINVAL then, and when part is not inside the text.
 */
apr_status_t ai_splice_replace(ai_splice_t *splice, ai_slice_t part, ai_slice_t with);

/*
 * Sets member name of object (a slice of the text that was checked as an object) to a JSON value:
 * replaces the value where the member exists, else adds the member at the end, also to an empty
 * object. One call per name and object. APR_EINVAL when object is none.
 */
apr_status_t ai_splice_set(ai_splice_t *splice, ai_slice_t object, const char *name,
                           ai_slice_t value);

/*
 * Takes member name out of object, with the comma that goes with it, so that the result is what
 * a writer that never knew the member would have written. Members may be removed in any order,
 * mixed with ai_splice_set() of others. APR_NOTFOUND when it is not there (any more); APR_EINVAL
 * when object is none or the member was edited: nothing is changed then.
 */
apr_status_t ai_splice_remove(ai_splice_t *splice, ai_slice_t object, const char *name);

/*
 * The result. Out: *slices, an array of ai_slice_t in the pool (one, the text itself, where there
 * is no edit), *total, their length. Valid as long as the text and the replacements.
 */
void ai_splice_end(const ai_splice_t *splice, apr_array_header_t **slices, apr_size_t *total);

#endif
