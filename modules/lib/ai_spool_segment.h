/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_spool_segment.h - for ai_spool_*.c: one segment, as its writer has it.
 *
 * A segment knows no threads: its spool's lock is held around all of these but
 * ai_spool_segment_sync().
 */
#ifndef AI_SPOOL_SEGMENT_H
#define AI_SPOOL_SEGMENT_H

#include "ai_spool_frame.h"

typedef struct ai_spool_out_t {
    struct ai_spool_out_t *next; /* rolled over after this one */
    int fd;
    ai_uuid_t id;
    apr_time_t created;
    apr_off_t end;          /* behind the last whole record */
    apr_off_t reserved;     /* the disk has room up to here */
    apr_uint32_t seed;
    apr_uint64_t sequence;  /* of the next record */
    apr_uint64_t written;   /* position of the last record in it */
    apr_uint64_t synced;    /* position up to which it is on the disk */
    unsigned char chain[AI_SPOOL_DIGEST];
    apr_status_t fate;      /* of its last sync, for the one who syncs */
    int is_named;           /* its name is on the disk, too */
    int is_worn;            /* the disk made trouble: no more than must be goes in here */
} ai_spool_out_t;

/* The room that a closing record takes; always reserved. */
#define AI_SPOOL_CLOSING ((apr_off_t)AI_SPOOL_FIXED)

/*
 * Makes one, in the system's memory, with its head written, locked, and named. room: bytes to
 * reserve behind the head. On an error nothing is left of it, but for a file without a segment's
 * name, if it cannot be removed.
 */
apr_status_t ai_spool_segment_begin(int folder, const ai_uuid_t *id, const ai_spool_head_t *head,
                                    apr_off_t room, ai_spool_out_t **segment);

/* Makes the disk have room up to there, ahead bytes more if it can. APR_ENOTIMPL: it has no such
 * thing. */
apr_status_t ai_spool_segment_reserve(ai_spool_out_t *segment, apr_off_t upto, apr_size_t ahead);

/*
 * Appends a record: chains it, writes it in one go, and counts it. pieces[0] and the last one are
 * this function's: for the fixed part, and for what aligns the next record. After an error the
 * segment is as it was.
 */
apr_status_t ai_spool_segment_append(ai_spool_out_t *segment, EVP_MD_CTX *ctx,
                                     ai_spool_fixed_t *fixed,
                                     ai_slice_t *pieces, int n);

/* Appends the closing record and gives back the room that was not used. Not to be told is its
 * error: a segment without that record is read all the same. */
void ai_spool_segment_end(ai_spool_out_t *segment, EVP_MD_CTX *ctx,
                          apr_time_t now);

/* Writes to the disk what is in the file. Without the spool's lock. */
apr_status_t ai_spool_segment_sync(const ai_spool_out_t *segment);

/* Lets go of the file, its lock, and the memory. */
void ai_spool_segment_free(ai_spool_out_t *segment);

/* The name of a segment's file, or, with .new behind it, of one that is being made. */
void ai_spool_segment_name(const ai_uuid_t *id, int is_new, char *name);

/* The segment whose file that is. 1, or 0 for another file. */
int ai_spool_segment_named(const char *name, int is_new, ai_uuid_t *id);

#endif
