/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_ship.h - records from a spool's folder into the tables of the audit, each once.
 *
 * A batch of records is committed, then told to whoever listens, then the folder's checkpoint moves.
 * Whatever ends in between, the batch goes once more, and the tables leave out what they have: what
 * the database holds is each record once, what a listener gets is each at least once.
 *
 * A begin whose end cannot come any more, since its writer is gone, becomes a call that is estimated.
 * A record that the database does not take, while it takes others, is named in a file SEGMENT.refused
 * beside its segment, which then stays until somebody removes that file.
 *
 * Memory: one batch, the marks of the segments that are there, and whatever the database's driver
 * takes; it does not grow with the backlog. One thread; only ai_ship_interrupt() is for others.
 */
#ifndef AI_SHIP_H
#define AI_SHIP_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "ai_db.h"
#include "ai_slice.h"

/* What there is to tell an administrator. Texts are one line and have nothing of a record in them. */
typedef enum ai_ship_event_e {
    AI_SHIP_TROUBLE,  /* the database does not take records now; told once, until it does again */
    AI_SHIP_RESUMED,  /* it does again */
    AI_SHIP_DAMAGED,  /* bytes of a segment are no record any more, or a body is damaged */
    AI_SHIP_ALTERED,  /* a record does not follow the one before it, or is not as it was written */
    AI_SHIP_TORN,     /* a writer was killed while it wrote; what it had begun is not a record */
    AI_SHIP_REFUSED,  /* the database does not take a record, for good */
    AI_SHIP_STRANGE,  /* a record is not what a record of its type is */
    AI_SHIP_ESTIMATED, /* calls whose end will never come */
    AI_SHIP_UNREADABLE /* a segment, the folder or the checkpoint cannot be read or written */
} ai_ship_event_e;

typedef void ai_ship_say_fn(void *baton, ai_ship_event_e event, const char *text);

/*
 * Takes the body of an end or a note, without a line's end, after it is in the database. 1; or 0
 * when it cannot now: then the batch is not shipped yet, and all of it comes again.
 */
typedef int ai_ship_line_fn(void *baton, ai_slice_t body);

typedef struct ai_ship_conf_t {
    const char *folder;     /* of the spool */
    ai_db_conf_t database;  /* with the tables of ai_audit_store_schema */
    int batch;              /* most records of a transaction; 0: 512 */
    ai_ship_say_fn *say;
    ai_ship_line_fn *line;  /* NULL: nobody listens */
    void *baton;            /* of say and line */
} ai_ship_conf_t;

typedef struct ai_ship_t ai_ship_t;

/* Nothing is opened yet. *ship lives in p; conf's texts must live as long. NULL: there is no memory. */
ai_ship_t *ai_ship_open(apr_pool_t *p, const ai_ship_conf_t *conf);

/* Memory that no other thread has a part in, for what its thread does beside. Lives as long. */
apr_pool_t *ai_ship_pool(const ai_ship_t *ship);

/* Lets go of the lock and of the connection. */
void ai_ship_close(ai_ship_t *ship);

typedef enum ai_ship_outcome_e {
    AI_SHIP_DONE,   /* all that was there is shipped */
    AI_SHIP_MORE,   /* some was; go on at once */
    AI_SHIP_OTHER,  /* somebody else ships from that folder */
    AI_SHIP_AWAY,   /* the database, the disk or the listener is in trouble */
    AI_SHIP_OVER    /* ai_ship_interrupt() was called */
} ai_ship_outcome_e;

/*
 * Ships what there is now. The lock of the folder is taken first, and kept. What is in trouble is told
 * to say, and tried again by the next round.
 */
ai_ship_outcome_e ai_ship_round(ai_ship_t *ship, apr_time_t now);

/* How long to wait before the next round, after one that gave outcome: with each trouble in a row
 * twice as long, from one second to two. */
apr_interval_time_t ai_ship_wait(const ai_ship_t *ship, ai_ship_outcome_e outcome);

/* Ends the round that is under way, and all later ones. For another thread, or a signal handler. */
void ai_ship_interrupt(ai_ship_t *ship);

typedef struct ai_ship_state_t {
    apr_uint64_t records;   /* shipped by this one, also those that were there already */
    apr_uint64_t batches;
    apr_uint64_t refused;
    apr_uint64_t estimated;
    apr_uint64_t removed;   /* segments */
} ai_ship_state_t;

void ai_ship_look(const ai_ship_t *ship, ai_ship_state_t *state);

#endif
