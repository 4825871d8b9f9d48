/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_ship_parts.h - what the files of ai_ship know of each other.
 */
#ifndef AI_SHIP_PARTS_H
#define AI_SHIP_PARTS_H

#include <apr_tables.h>

#include "ai_audit_store.h"
#include "ai_pack.h"
#include "ai_ship.h"
#include "ai_spool.h"

/* A segment of the folder, from round to round. */
typedef struct ai_ship_segment_t {
    ai_uuid_t id;
    ai_spool_place_t place; /* up to where it is shipped; offset 0: nothing is */
    ai_uuid_t writer;       /* the first segment of the same writer, where is_known */
    int is_known;
    int state;              /* AI_AUDIT_OPEN, _CUT, _CLOSED: as the database has it */
    int is_over;            /* all of it is shipped, and its writer is gone */
    int is_pending;         /* more of it, or of its writer, may come */
    int is_held;            /* records of it were refused: it stays */
    int is_told;            /* that it cannot be read */
} ai_ship_segment_t;

/* What a batch changes of a segment. */
typedef struct ai_ship_touch_t {
    ai_ship_segment_t *segment;
    ai_audit_segment_t row;
    ai_spool_place_t place;
    ai_uuid_t writer;
} ai_ship_touch_t;

/* A record of a batch, and its rows: places in the batch's arrays, or -1. */
typedef struct ai_ship_record_t {
    int call, feedback;
    int touch;        /* of its segment */
    int type;
    int is_refused;
    ai_slice_t line;  /* for who listens; absent: none */
    apr_uint64_t sequence;
} ai_ship_record_t;

/* What is told when the batch is committed: no sooner, for it may be read more than once. */
typedef struct ai_ship_tale_t {
    ai_ship_event_e event;
    const char *text;
} ai_ship_tale_t;

typedef struct ai_ship_batch_t {
    apr_pool_t *pool;         /* of all that the batch has; cleared with it */
    apr_array_header_t *tales; /* of ai_ship_tale_t */
    int n, calls_n, feedback_n, touched_n;
    apr_size_t bytes;         /* of bodies */
    ai_ship_record_t *records;
    ai_audit_frame_t *frames; /* one for each record */
    ai_audit_call_t *calls;
    ai_audit_feedback_t *feedback;
    ai_ship_touch_t *touched;
    int touched_room;
} ai_ship_batch_t;

struct ai_ship_t {
    apr_pool_t *pool;
    ai_ship_conf_t conf;
    ai_audit_store_t *store;
    ai_packer_t *packer;
    ai_ship_batch_t batch;
    apr_pool_t *list_pool;        /* of segments */
    apr_array_header_t *segments; /* of ai_ship_segment_t, in order */
    apr_pool_t *round;            /* for what a round needs */
    int lock;                     /* descriptor, or -1 */
    int has_marks;                /* the checkpoint was read */
    int has_moved;                /* it is to be written */
    int look_again;               /* there may be begins without an end */
    int has_ended;                /* in this round a segment did */
    const char *calls_of;         /* a question of ai_ship_settle.c, or NULL */
    int failures;                 /* rounds in trouble, in a row */
    int batch_failures;           /* of the same batch */
    int is_in_trouble;            /* and it was told */
    apr_time_t swept;
    volatile apr_uint32_t over;
    ai_ship_state_t state;
};

int ai_ship_is_over(const ai_ship_t *ship);

void ai_ship_say(ai_ship_t *ship, ai_ship_event_e event, const char *text);

/* ------------------------------------------------------------------------ ai_ship_batch.c */

int ai_ship_batch_make(ai_ship_t *ship);

/* Empties it. */
void ai_ship_batch_begin(ai_ship_t *ship);

/* Puts a record of a segment into the batch; reader: behind it. NULL, or what is wrong. */
const char *ai_ship_batch_add(ai_ship_t *ship, ai_ship_segment_t *segment,
                              const ai_spool_reader_t *reader, const ai_spool_frame_t *frame);

/* Finds the first segment of the same writer, as far back as anybody knows, where is_known is 0. */
const char *ai_ship_find_writer(ai_ship_t *ship, ai_ship_segment_t *segment,
                                const ai_spool_reader_t *reader);

/* Notes where the reader of a segment stands. Out: *row, what the segment's row is to say. */
const char *ai_ship_batch_touch(ai_ship_t *ship, ai_ship_segment_t *segment,
                                const ai_spool_reader_t *reader, ai_audit_segment_t **row);

/* Tells that with the batch; text is in its pool. */
void ai_ship_batch_tell(ai_ship_t *ship, ai_ship_event_e event, const char *text);

int ai_ship_batch_is_full(const ai_ship_t *ship);

/* ----------------------------------------------------------------------- ai_ship_commit.c */

/* Ships the batch: database, listener, checkpoint; and empties it. 1; 0: in trouble, which was told. */
int ai_ship_commit(ai_ship_t *ship);

/* What is in trouble; told when it is new. Returns 0. */
int ai_ship_trouble(ai_ship_t *ship, const char *wrong);

/* ----------------------------------------------------------------------- ai_ship_settle.c */

/* Segments that are over and have begins of which nothing is known. Read before the folder is. */
const char *ai_ship_settle_list(ai_ship_t *ship, apr_array_header_t **rows);

/* Makes calls of those whose writer is gone. */
const char *ai_ship_settle(ai_ship_t *ship, const apr_array_header_t *rows);

#endif
