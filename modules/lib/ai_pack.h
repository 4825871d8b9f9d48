/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_pack.h - a record's body as a text that any database keeps, and back.
 *
 * Short texts stay as they are, so that SQL can look into them. Longer ones are packed with zstd, and
 * in base64, as all that is no text: no database takes a NUL or bytes that are no UTF-8 in a text.
 */
#ifndef AI_PACK_H
#define AI_PACK_H

#include <apr_pools.h>

#include "ai_slice.h"

/* What the column "coding" says. */
typedef enum ai_pack_coding_e {
    AI_PACK_TEXT = 0,  /* as it is */
    AI_PACK_ZSTD = 1,  /* zstd, then base64 */
    AI_PACK_BASE64 = 2 /* base64 */
} ai_pack_coding_e;

/* The longest body: in base64 it is as long as the longest value of ai_db.h. */
#define AI_PACK_BODY 98304

/* A text up to so many bytes is not packed. */
#define AI_PACK_SHORT 2048

/* What packs and unpacks: has memory of its own, lives in its pool, is for one thread. */
typedef struct ai_packer_t ai_packer_t;

/* NULL: there is no memory. */
ai_packer_t *ai_packer_create(apr_pool_t *p);

/*
 * Packs a body. Out: *text, NUL-terminated in p, with the shortest of the codings, and *coding.
 * An empty body is an empty text. 1; 0 when it is longer than AI_PACK_BODY, or there is no memory.
 */
int ai_pack(ai_packer_t *packer, apr_pool_t *p, ai_slice_t body, const char **text,
            ai_pack_coding_e *coding);

/*
 * The other way round; what the database says is not trusted. length: what the body is to have, as
 * the record says. Out: *body, in p, NUL behind it. NULL, or what is wrong, without any of the text.
 */
const char *ai_unpack(ai_packer_t *packer, apr_pool_t *p, const char *text, int coding,
                      apr_size_t length, ai_slice_t *body);

#endif
