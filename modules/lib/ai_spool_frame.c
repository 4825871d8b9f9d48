/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_spool_frame.c - which bytes is a record on the disk, and which does it follow?
 *
 * Two CRCs and two digests. The CRC of the fixed part is looked at before any of its numbers is
 * believed; the one of the body tells what was torn. The digest of the body stands in the fixed
 * part, and the chain goes over that: so a body can be taken out, and the chain still holds.
 *
 * Lives in: what is handed in.  Shared state: none.  May block: no.
 */
#include "ai_crc32c.h"
#include "ai_digest.h"
#include "ai_spool_frame.h"

/* Where things stand. Behind CHAINED up to the chain value, all is under the chain. */
enum {
    MARK = 0,
    FIXED_CRC = 4,
    BODY_CRC = 8,
    STORED = 12,
    CHAINED = 16,
    LENGTH = CHAINED,
    TYPE = 20,
    SPARE = 22,
    SEQUENCE = 24,
    TIME = 32,
    ID = 40,
    DIGEST = 56,
    CHAIN = 88
};

enum {
    MAGIC = 0,
    VERSION = 8,
    SIZE = 12,
    SEGMENT = 16,
    CREATED = 32,
    PID = 40,
    NODE = 48,
    BEFORE = 112,
    LINK = 128,
    HEAD_CRC = AI_SPOOL_HEAD - 4
};

static const unsigned char mark[4] = { 0xa1, 'r', 'e', 'c' };
static const unsigned char magic[8] = { 0xa1, 's', 'p', 'o', 'o', 'l', '\r', '\n' };
#define THIS_VERSION 1

void ai_spool_put(unsigned char *to, apr_uint64_t number, int bytes)
{
    for (; bytes; bytes--, number >>= 8) {
        *to++ = (unsigned char)number;
    }
}

apr_uint64_t ai_spool_get(const unsigned char *from, int bytes)
{
    apr_uint64_t number = 0;

    while (bytes--) {
        number = number << 8 | from[bytes];
    }
    return number;
}

apr_uint32_t ai_spool_seed(const ai_uuid_t *segment)
{
    return ai_crc32c(0, segment->bytes, sizeof(segment->bytes));
}

int ai_spool_digest(EVP_MD_CTX *ctx, const ai_slice_t *pieces, int n,
                    unsigned char digest[AI_SPOOL_DIGEST])
{
    int i, good = EVP_DigestInit_ex2(ctx, ai_digest_method(), NULL) == 1;

    for (i = 0; i < n && good; i++) {
        good = EVP_DigestUpdate(ctx, pieces[i].p, pieces[i].n) == 1;
    }
    return good && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
}

static void write_chained(const ai_spool_frame_t *frame, unsigned char *bytes)
{
    ai_spool_put(bytes + LENGTH, frame->length, 4);
    ai_spool_put(bytes + TYPE, (apr_uint64_t)frame->type, 2);
    ai_spool_put(bytes + SPARE, 0, 2);
    ai_spool_put(bytes + SEQUENCE, frame->sequence, 8);
    ai_spool_put(bytes + TIME, (apr_uint64_t)frame->time, 8);
    memcpy(bytes + ID, frame->id.bytes, sizeof(frame->id.bytes));
    memcpy(bytes + DIGEST, frame->digest, AI_SPOOL_DIGEST);
}

int ai_spool_chain_by(EVP_MD_CTX *ctx, const unsigned char before[AI_SPOOL_DIGEST],
                      const ai_spool_frame_t *frame, unsigned char chain[AI_SPOOL_DIGEST])
{
    unsigned char bytes[AI_SPOOL_FIXED];
    ai_slice_t pieces[2] = { { (const char *)before, AI_SPOOL_DIGEST },
                             { (const char *)bytes + CHAINED, CHAIN - CHAINED } };

    write_chained(frame, bytes);
    return ai_spool_digest(ctx, pieces, 2, chain);
}

int ai_spool_chain(const unsigned char before[AI_SPOOL_DIGEST], const ai_spool_frame_t *frame,
                   unsigned char chain[AI_SPOOL_DIGEST])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int good = ctx && ai_spool_chain_by(ctx, before, frame, chain);

    EVP_MD_CTX_free(ctx);
    return good;
}

static apr_uint32_t fixed_crc(const unsigned char *bytes, apr_uint32_t seed)
{
    return ai_crc32c(seed, bytes + BODY_CRC, AI_SPOOL_FIXED - BODY_CRC);
}

void ai_spool_fixed_write(const ai_spool_fixed_t *fixed, apr_uint32_t seed,
                          unsigned char bytes[AI_SPOOL_FIXED])
{
    memcpy(bytes + MARK, mark, sizeof(mark));
    ai_spool_put(bytes + BODY_CRC, fixed->body_crc, 4);
    ai_spool_put(bytes + STORED, fixed->stored, 4);
    write_chained(&fixed->frame, bytes);
    memcpy(bytes + CHAIN, fixed->frame.chain, AI_SPOOL_DIGEST);
    ai_spool_put(bytes + FIXED_CRC, fixed_crc(bytes, seed), 4);
}

int ai_spool_fixed_looks(const void *bytes)
{
    return memcmp(bytes, mark, sizeof(mark)) == 0;
}

int ai_spool_fixed_read(const unsigned char bytes[AI_SPOOL_FIXED], apr_uint32_t seed,
                        ai_spool_fixed_t *fixed)
{
    ai_spool_frame_t *frame = &fixed->frame;

    if (!ai_spool_fixed_looks(bytes)
        || ai_spool_get(bytes + FIXED_CRC, 4) != fixed_crc(bytes, seed)) {
        return 0;
    }
    fixed->body_crc = (apr_uint32_t)ai_spool_get(bytes + BODY_CRC, 4);
    fixed->stored = (apr_size_t)ai_spool_get(bytes + STORED, 4);
    memset(frame, 0, sizeof(*frame));
    frame->length = (apr_size_t)ai_spool_get(bytes + LENGTH, 4);
    frame->type = (int)ai_spool_get(bytes + TYPE, 2);
    frame->sequence = ai_spool_get(bytes + SEQUENCE, 8);
    frame->time = (apr_time_t)ai_spool_get(bytes + TIME, 8);
    memcpy(frame->id.bytes, bytes + ID, sizeof(frame->id.bytes));
    memcpy(frame->digest, bytes + DIGEST, AI_SPOOL_DIGEST);
    memcpy(frame->chain, bytes + CHAIN, AI_SPOOL_DIGEST);
    frame->removed = fixed->stored == 0 && frame->length > 0;
    return frame->length <= AI_SPOOL_BODY && frame->type != 0
           && (fixed->stored == 0 || fixed->stored == frame->length)
           && ai_spool_get(bytes + SPARE, 2) == 0;
}

/* ---------------------------------------------------------------------------------- head */

static int head_chain(const unsigned char *bytes, unsigned char *chain)
{
    return ai_digest((ai_slice_t){ (const char *)bytes, HEAD_CRC }, chain);
}

int ai_spool_head_write(const ai_spool_head_t *head, const ai_uuid_t *segment,
                        unsigned char bytes[AI_SPOOL_HEAD], unsigned char chain[AI_SPOOL_DIGEST])
{
    memset(bytes, 0, AI_SPOOL_HEAD);
    memcpy(bytes + MAGIC, magic, sizeof(magic));
    ai_spool_put(bytes + VERSION, THIS_VERSION, 4);
    ai_spool_put(bytes + SIZE, AI_SPOOL_HEAD, 4);
    memcpy(bytes + SEGMENT, segment->bytes, sizeof(segment->bytes));
    ai_spool_put(bytes + CREATED, (apr_uint64_t)head->created, 8);
    ai_spool_put(bytes + PID, head->pid, 4);
    memcpy(bytes + NODE, head->node, strlen(head->node));
    memcpy(bytes + BEFORE, head->before.bytes, sizeof(head->before.bytes));
    memcpy(bytes + LINK, head->link, AI_SPOOL_DIGEST);
    ai_spool_put(bytes + HEAD_CRC, ai_crc32c(0, bytes, HEAD_CRC), 4);
    return head_chain(bytes, chain);
}

int ai_spool_head_read(const unsigned char bytes[AI_SPOOL_HEAD], const ai_uuid_t *segment,
                       ai_spool_head_t *head, unsigned char chain[AI_SPOOL_DIGEST])
{
    memset(head, 0, sizeof(*head));
    if (memcmp(bytes + MAGIC, magic, sizeof(magic)) != 0
        || ai_spool_get(bytes + HEAD_CRC, 4) != ai_crc32c(0, bytes, HEAD_CRC)) {
        return 0;
    }
    if (ai_spool_get(bytes + VERSION, 4) != THIS_VERSION) {
        return -1;
    }
    if (memcmp(bytes + SEGMENT, segment->bytes, sizeof(segment->bytes)) != 0
        || ai_spool_get(bytes + SIZE, 4) != AI_SPOOL_HEAD || bytes[NODE + AI_SPOOL_NODE] != 0
        || !head_chain(bytes, chain)) {
        return 0;
    }
    head->created = (apr_time_t)ai_spool_get(bytes + CREATED, 8);
    head->pid = (apr_uint32_t)ai_spool_get(bytes + PID, 4);
    memcpy(head->node, bytes + NODE, AI_SPOOL_NODE);
    memcpy(head->before.bytes, bytes + BEFORE, sizeof(head->before.bytes));
    memcpy(head->link, bytes + LINK, AI_SPOOL_DIGEST);
    head->is_good = 1;
    return 1;
}
