/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_verify_part.h - for ai_verify_*.c: what all that can be verified has in common, checkpoints and
 * chains.
 */
#ifndef AI_VERIFY_PART_H
#define AI_VERIFY_PART_H

#include "ai_pack.h"
#include "ai_spool.h"
#include "ai_verify.h"

#define AI_VERIFY_HEX (2 * AI_SPOOL_DIGEST)

/* What the last checkpoint that names a segment says of it. */
typedef struct ai_verify_told_t {
    char id[AI_UUID_TEXT + 1];
    char previous[AI_UUID_TEXT + 1]; /* "": none */
    char start[AI_VERIFY_HEX + 1];   /* "": not known */
    char chain[AI_VERIFY_HEX + 1];
    apr_int64_t number;              /* of that checkpoint */
    apr_int64_t records;
    apr_int64_t torn;
    int state, damaged, settled;
    int seen;                        /* the segment is there */
    /* Of a segment in an export: each time that it is named, of ai_verify_entry_t, and what was taken
     * out, of ai_checkpoint_range_t; else NULL. */
    apr_array_header_t *entries;
    apr_array_header_t *ranges;
    char said[AI_VERIFY_HEX + 1];    /* start, as the export has it */
} ai_verify_told_t;

/* After so many records the chain had that value. */
typedef struct ai_verify_entry_t {
    apr_int64_t number; /* of the checkpoint */
    apr_int64_t records;
    unsigned char chain[AI_SPOOL_DIGEST];
} ai_verify_entry_t;

/* A finding. */
void ai_verify_found(ai_verify_t *verify, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The next checkpoint: its number, the digest of the one before, its signature, and that it does not
 * contradict those before. Out: *checkpoint, in p. 0: the text is none, which is a finding.
 */
int ai_verify_checkpoint(ai_verify_t *verify, apr_pool_t *p, const char *text,
                         const char *signature, const char *signer, ai_checkpoint_t *checkpoint);

/* After the last one. */
void ai_verify_checkpoints_end(ai_verify_t *verify);

/* Says of segments that were told of, and that nobody has seen, that they are missing. */
void ai_verify_unseen(ai_verify_t *verify);

/* A segment's chain, as it is followed. */
typedef struct ai_verify_chain_t {
    ai_verify_t *verify;
    const char *segment;
    unsigned char value[AI_SPOOL_DIGEST]; /* of the last record */
    int known;            /* 0: the next record cannot be compared */
    apr_int64_t next;     /* number of the next record */
    int last_type;        /* 0: none yet */
    unsigned char last_of_calls[AI_SPOOL_DIGEST]; /* of the last record but a closing one */
    int has_calls;
} ai_verify_chain_t;

/* Begins with a value in hex; NULL: nobody knows. */
void ai_verify_chain_begin(ai_verify_chain_t *chain, ai_verify_t *verify, const char *segment,
                           const char *start);

/* The next record: its place, its chain value, and the digest of its body where that is there. */
void ai_verify_frame(ai_verify_chain_t *chain, const ai_spool_frame_t *frame);

/* A digest in hex, in p. */
const char *ai_verify_hex(apr_pool_t *p, const unsigned char *digest);

/* --------------------------------------------------------------------------- databases */

/* So many rows are asked for at a time. */
#define AI_VERIFY_PAGE 100
#define AI_VERIFY_PAGE_TEXT "100"

/* Asks for rows: of const char **, in p. */
const char *ai_verify_get(ai_verify_t *verify, apr_pool_t *p, ai_db_t *db, const char *sql, int n,
                          const char *const *args, int columns, apr_array_header_t **all);

/* Asks for one value; NULL: there is none. */
const char *ai_verify_value(ai_verify_t *verify, apr_pool_t *p, ai_db_t *db, const char *sql,
                            int n, const char *const *args, const char **value);

/* A segment that is looked at. */
typedef struct ai_verify_place_t {
    ai_verify_t *verify;
    ai_db_t *db;
    apr_pool_t *page;           /* of some rows */
    ai_packer_t *packer;
    ai_verify_chain_t chain;
    ai_checkpoint_segment_t row;
    ai_verify_told_t *told;     /* or NULL */
    const char *last;           /* id of the last frame */
    apr_pool_t *removal_pool;
    ai_checkpoint_t removal;    /* the checkpoint that told of a removal last */
    apr_int64_t removal_number; /* 0: none */
    const char *call_sql;
} ai_verify_place_t;

/* ai_verify_frame.c: all frames of a segment behind place->last. */
const char *ai_verify_frames(ai_verify_place_t *place);

/* ai_verify_segment.c: all segments with their frames, and frames of none. */
const char *ai_verify_segments(ai_verify_t *verify, ai_db_t *db);

/* ai_verify_rows.c: what stands in ai_audit_calls and ai_audit_feedback of a record. id: of its row. */
const char *ai_verify_row(ai_verify_place_t *place, const char *id, const char *call,
                          const ai_spool_frame_t *frame);

/* And rows there of which there is no record. */
const char *ai_verify_strays(ai_verify_t *verify, ai_db_t *db);

#endif
