/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_verify.h - are the records all there, as they were written, in their order, and who says so?
 *
 * Looks at a database, an export, or the segments of a spool. Whatever is not as it must be is handed
 * out as one line that says what, where, and what was expected. Nothing is changed anywhere.
 *
 * A database may be written meanwhile. Memory grows by some 300 bytes a segment, and by nothing else;
 * of an export also by 50 for each time that a checkpoint names one of its segments.
 *
 * May block: on what it reads. One thread. Functions return NULL, or why they could not go on, in the
 * pool; what was found is no reason.
 */
#ifndef AI_VERIFY_H
#define AI_VERIFY_H

#include <apr_file_io.h>
#include <apr_hash.h>

#include "ai_db.h"
#include "ai_proof.h"

typedef struct ai_verify_t {
    /* In. */
    apr_pool_t *pool;
    apr_array_header_t *keys; /* of ai_sign_key_t *: who may sign; none: nobody is asked for */
    const char *expect;       /* hex: digest of a checkpoint that must be there, or NULL */
    apr_time_t since;         /* segments whose last record is older are passed over; 0: none */
    void (*found)(void *baton, const char *line); /* takes a finding, without a line's end */
    void (*ask)(void *baton); /* is called before the database is asked; or NULL */
    void *baton;

    /* Out. */
    apr_int64_t findings;
    apr_int64_t checkpoints;
    apr_int64_t unsigned_checkpoints;
    apr_int64_t segments;
    apr_int64_t passed;       /* segments that were passed over */
    apr_int64_t records;
    apr_int64_t absent;       /* of which an export does not have the record itself */
    apr_int64_t removed;      /* of which the body was taken out, as a checkpoint tells */
    apr_int64_t behind;       /* which no checkpoint tells of yet */
    apr_int64_t calls;
    const char *last;         /* hex: digest of the last checkpoint, or NULL */
    apr_time_t last_time;
    apr_int64_t first_signed; /* number of the first one that is signed; 0: none */

    /* Its own. */
    apr_hash_t *told;         /* id of a segment: ai_verify_told_t */
    apr_hash_t *holds;        /* id of a hold: ai_checkpoint_hold_t */
    apr_int64_t next;         /* number that the next checkpoint must have */
    int expected;             /* the checkpoint that must be there is */
} ai_verify_t;

/* Begins; in is filled in. */
void ai_verify_begin(ai_verify_t *verify);

/* One of the three, once. */
const char *ai_verify_database(ai_verify_t *verify, ai_db_t *db);
const char *ai_verify_export(ai_verify_t *verify, apr_file_t *file);
const char *ai_verify_spool(ai_verify_t *verify, const char *folder);

#endif
