/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_spool_writer.h - for ai_spool_write.c and ai_spool_sync.c: a spool that is open.
 */
#ifndef AI_SPOOL_WRITER_H
#define AI_SPOOL_WRITER_H

#include <pthread.h>

#include <apr_thread_mutex.h>

#include "ai_spool_segment.h"

/* So many contexts of digests are kept for the next record, and runs of lost ones in mind. */
enum { AI_SPOOL_IDLE = 64, AI_SPOOL_LOSSES = 32 };

/* Records that a failed sync lost: from the first to the last. */
typedef struct ai_spool_loss_t {
    ai_spool_position_t first;
    ai_spool_position_t last;
} ai_spool_loss_t;

struct ai_spool_t {
    ai_spool_conf_t conf;     /* with its defaults */
    int folder;
    ai_uuid_source_t *names;  /* of segments */

    apr_thread_mutex_t *idle_lock; /* of the contexts */
    EVP_MD_CTX *idle[AI_SPOOL_IDLE];
    int n_idle;

    pthread_mutex_t lock;     /* of all below */
    EVP_MD_CTX *chains;       /* for chain values */
    ai_spool_out_t *current;  /* NULL: it was given up, the next record begins another */
    ai_spool_out_t *over;     /* rolled over, to be synced; oldest first */
    ai_uuid_t before;         /* the segment before the next one, and its last chain value */
    unsigned char link[AI_SPOOL_DIGEST];
    apr_time_t roll_failed;   /* when another segment could not be begun; 0: it could */
    ai_spool_state_t state;

    int is_syncing;           /* one thread does, for all */
    pthread_cond_t synced;
    ai_spool_loss_t losses[AI_SPOOL_LOSSES];
    int n_losses;
    ai_spool_position_t forgotten; /* up to here losses may be missing from the list */
    apr_status_t why_lost;         /* the last failed sync's error */
    apr_uint64_t told;             /* losses that ai_spool_sync() told of */
};

/* Syncs what is in the spool now, for all that wait. With the lock, which is given up in between;
 * nobody else may be at it. */
void ai_spool_sync_lead(ai_spool_t *spool);

/* Nothing more goes into the current segment. With the lock. */
void ai_spool_retire(ai_spool_t *spool, apr_time_t now);

#endif
