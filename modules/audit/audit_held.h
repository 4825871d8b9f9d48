/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_held.h - ends of calls that are kept in memory till the disk has them.
 *
 * Requests add to it, one thread looks after it.
 */
#ifndef AUDIT_HELD_H
#define AUDIT_HELD_H

#include "ai_spool.h"

typedef struct audit_held_t audit_held_t;

/* One end. */
typedef struct audit_end_t {
    ai_uuid_t id;
    ai_slice_t json;
    apr_size_t redeems;           /* what was promised to it, or 0 */
    ai_spool_position_t position; /* in the spool; 0: it could not be appended */
} audit_end_t;

/* What it came to, since it was made. */
typedef struct audit_held_count_t {
    apr_uint64_t saved;   /* appended after all, or once more after the disk had lost them */
    apr_uint64_t dropped; /* could not be appended, and there was no room to hold them */
    apr_uint64_t waiting; /* now: cannot be appended */
} audit_held_count_t;

/* In p; NULL: there was no memory. */
audit_held_t *audit_held_make(apr_pool_t *p);

/* Keeps a copy of an end. 1; 0: there are too many. One that is in the spool then relies on the disk;
 * one that is not is lost, and was counted. Of any thread. */
int audit_held_add(audit_held_t *held, const audit_end_t *end);

/*
 * Right after a sync: forgets what the disk has, and, where again is 1, appends what it lost or could
 * not be appended before once more (the next sync is for these). 0 when that failed. One thread; may
 * wait for the disk.
 */
int audit_held_look(audit_held_t *held, ai_spool_t *spool, int again);

/* How things stand. Of any thread. */
void audit_held_count(audit_held_t *held, audit_held_count_t *count);

#endif
