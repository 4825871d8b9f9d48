/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_spool_frame.h - for ai_spool_*.c: how a segment's head and its records look on the disk.
 *
 * docs/design/0006-spool.md has the table. All numbers are little endian, all is aligned to 8.
 */
#ifndef AI_SPOOL_FRAME_H
#define AI_SPOOL_FRAME_H

#include <openssl/evp.h>

#include "ai_spool.h"

#define AI_SPOOL_HEAD 192  /* bytes of a segment's head */
#define AI_SPOOL_FIXED 120 /* bytes of a record before its body */

typedef struct ai_spool_fixed_t {
    ai_spool_frame_t frame; /* body and trust are not of the fixed part */
    apr_size_t stored;      /* bytes of the body that are in the file: all, or none */
    apr_uint32_t body_crc;  /* of those */
} ai_spool_fixed_t;

/* How long a record is with so many bytes of body in the file. */
static inline apr_size_t ai_spool_frame_size(apr_size_t stored)
{
    return (AI_SPOOL_FIXED + stored + 7) & ~(apr_size_t)7;
}

/* What the CRCs of a segment's records begin from: those of another segment are never taken for
 * this one's, nor is what a caller put into a body to look like a record. */
apr_uint32_t ai_spool_seed(const ai_uuid_t *segment);

/* The digest of a body in pieces, by a context that is used again and again. 1, or 0 when OpenSSL
 * failed. */
int ai_spool_digest(EVP_MD_CTX *ctx, const ai_slice_t *pieces, int n,
                    unsigned char digest[AI_SPOOL_DIGEST]);

/* Chain value of a record, whose chain member is not looked at. As ai_spool_chain(). */
int ai_spool_chain_by(EVP_MD_CTX *ctx, const unsigned char before[AI_SPOOL_DIGEST],
                      const ai_spool_frame_t *frame, unsigned char chain[AI_SPOOL_DIGEST]);

/* The fixed part of a record, its own CRC and the rest. */
void ai_spool_fixed_write(const ai_spool_fixed_t *fixed, apr_uint32_t seed,
                          unsigned char bytes[AI_SPOOL_FIXED]);

/* Whether bytes may begin a record at all; only a quick look. */
int ai_spool_fixed_looks(const void *bytes);

/* Reads a fixed part. 1, or 0 for what is none of this segment's. */
int ai_spool_fixed_read(const unsigned char bytes[AI_SPOOL_FIXED], apr_uint32_t seed,
                        ai_spool_fixed_t *fixed);

/* A segment's head, and the value its chain begins with. _write returns 0 when OpenSSL failed;
 * _read 1, 0 for what is damaged or another segment's, -1 for a version that is not known. */
int ai_spool_head_write(const ai_spool_head_t *head, const ai_uuid_t *segment,
                        unsigned char bytes[AI_SPOOL_HEAD], unsigned char chain[AI_SPOOL_DIGEST]);
int ai_spool_head_read(const unsigned char bytes[AI_SPOOL_HEAD], const ai_uuid_t *segment,
                       ai_spool_head_t *head, unsigned char chain[AI_SPOOL_DIGEST]);

/* Numbers in little endian, for the checkpoint, too. */
void ai_spool_put(unsigned char *to, apr_uint64_t number, int bytes);
apr_uint64_t ai_spool_get(const unsigned char *from, int bytes);

#endif
