/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_retain.h - takes records out of a database when their time is over, unless they are held.
 *
 * What is taken out is told in a checkpoint, within the same transaction: a frame keeps its place and
 * its digests, so that all others can be verified as before, and what was taken out is not taken for
 * what somebody made disappear.
 *
 * May block, on the database. One handle, one thread. Functions return NULL, or what is wrong, in p.
 */
#ifndef AI_RETAIN_H
#define AI_RETAIN_H

#include "ai_proof.h"

/* Of which calls, and what of them. */
typedef struct ai_retain_t {
    int records;        /* 0: what was asked and answered; 1: all */
    apr_time_t before;  /* of calls that came before this */
    const char *tenant; /* NULL or empty: of all */
    const char *why;    /* for the checkpoint, at most AI_RETAIN_WHY bytes */
} ai_retain_t;

#define AI_RETAIN_WHY 200

typedef struct ai_retained_t {
    apr_int64_t frames; /* records that were taken out, or would be */
    apr_int64_t bytes;  /* of their bodies */
    int more;           /* 1: there are others, for the next time */
} ai_retained_t;

/* How much there is, without taking anything out. */
const char *ai_retain_count(ai_db_t *db, apr_pool_t *p, const ai_retain_t *retain,
                            ai_retained_t *done);

/*
 * Takes out at most so many batches of about 1000 records, each in a transaction of its own with its
 * checkpoint; none may be open. A hold that is there when a batch begins, or before it ends, is kept.
 * Adds to *done, and sets its more.
 */
const char *ai_retain_run(const ai_proof_t *proof, apr_pool_t *p, const ai_retain_t *retain,
                          apr_time_t now, int batches, ai_retained_t *done);

/* Puts a hold in: nothing of what it says is taken out from when this returns on. hold's id, created
 * and released are not looked at. Out: *id, in p. */
const char *ai_hold_add(ai_db_t *db, apr_pool_t *p, const ai_checkpoint_hold_t *hold,
                        apr_time_t now, const char **id);

/* Out: *any, whether a call that is there now is held by it. */
const char *ai_hold_finds(ai_db_t *db, apr_pool_t *p, const char *id, int *any);

/* All of them, released ones too, in order: of ai_checkpoint_hold_t, in p. */
const char *ai_hold_list(ai_db_t *db, apr_pool_t *p, apr_array_header_t **holds);

/* Ends one. Out: *rows, 0: there is none with that id that is not released yet. */
const char *ai_hold_release(ai_db_t *db, apr_pool_t *p, const char *id, apr_time_t now, int *rows);

#endif
