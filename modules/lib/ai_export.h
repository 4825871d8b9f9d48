/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_export.h - one line of an export of records: JSON, and all that it takes to verify it.
 *
 * docs/design/0007-audit.md has the order of the lines and their members. A frame stands there for
 * each record of a segment, in order, so that the chain can be followed; the record itself only where
 * it was asked for. Its bytes are those that were written, so that their digest is the frame's.
 *
 * Pure, thread-safe. What is written and read lies in the pool, or points into the line.
 */
#ifndef AI_EXPORT_H
#define AI_EXPORT_H

#include <apr_pools.h>

#include "ai_spool.h"

/* The longest line, with its end: of a body as long as a database takes one, in base64. */
#define AI_EXPORT_LINE 262144

typedef enum ai_export_kind_e {
    AI_EXPORT_SEGMENT,
    AI_EXPORT_CHECKPOINT,
    AI_EXPORT_FRAME
} ai_export_kind_e;

typedef struct ai_export_line_t {
    ai_export_kind_e kind;
    ai_uuid_t segment;       /* of a segment, of a frame */
    ai_spool_head_t head;    /* of a segment */
    ai_spool_frame_t frame;  /* body is absent where the record is not there; trust is not set */
    const char *text;        /* of a checkpoint */
    const char *signature;   /* in base64; "": none */
    const char *signer;      /* "": none */
} ai_export_line_t;

/* A segment. head->is_good is 0 where nobody knows the value that its chain begins with. */
ai_slice_t ai_export_segment(apr_pool_t *p, const ai_uuid_t *segment, const ai_spool_head_t *head);

/* A checkpoint, as its row in the database has it. */
ai_slice_t ai_export_checkpoint(apr_pool_t *p, const char *text, const char *signature,
                                const char *signer);

/* A frame. frame->body absent: without the record. */
ai_slice_t ai_export_frame(apr_pool_t *p, const ai_uuid_t *segment, const ai_spool_frame_t *frame);

/* All of them end with "\n". Reads one, without that end. NULL, or what is wrong; what it has of a
 * text is in p. */
const char *ai_export_read(apr_pool_t *p, ai_slice_t text, ai_export_line_t *line);

#endif
