/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_audit_store.h - the records of calls in a database: the tables, and what goes into them.
 *
 * docs/design/0007-audit.md says what each column is. A frame is a record as it was; all else is put
 * beside it to be searched by, and can be made again from the frames.
 *
 * One store is for one thread. All calls may block as ai_db.h says; those that can fail return NULL
 * or what is wrong, in p. Who puts rows in begins and commits a transaction itself.
 */
#ifndef AI_AUDIT_STORE_H
#define AI_AUDIT_STORE_H

#include <apr_pools.h>
#include <apr_time.h>

#include "ai_db.h"
#include "ai_slice.h"
#include "ai_uuid.h"

/* The tables: for ai_db_migrate(). */
extern const ai_db_schema_t ai_audit_store_schema;

/* --------------------------------------------------------------------------------- rows */

/* Id of a frame, "SEGMENT:SEQUENCE" with ten digits, and a NUL. */
#define AI_AUDIT_FRAME_ID (AI_UUID_TEXT + 1 + 10 + 1)

void ai_audit_frame_id(const ai_uuid_t *segment, apr_uint64_t sequence, char id[AI_AUDIT_FRAME_ID]);

/* A record as it was: ai_audit_frames. */
typedef struct ai_audit_frame_t {
    const char *id;
    const char *call;   /* the call's id */
    int type;
    apr_time_t time;
    apr_size_t length;  /* of the body as it was written */
    const char *digest; /* hex */
    const char *chain;  /* hex */
    int coding;         /* of ai_pack_coding_e */
    const char *body;   /* NULL: none, or it was taken out */
    apr_int64_t removed; /* 0, or number of the checkpoint that tells of it: it was taken out */
} ai_audit_frame_t;

/* A column of ai_audit_calls, and the member of a record that it holds. */
typedef struct ai_audit_column_t {
    const char *name;
    enum { AI_AUDIT_WORD, AI_AUDIT_NUMBER, AI_AUDIT_FLAG, AI_AUDIT_COUNT, AI_AUDIT_TIME } kind;
    const char *member; /* NULL: of none */
    const char *inner;  /* member of that one, or NULL */
} ai_audit_column_t;

/* Places of columns that are of no member of a record, or looked at here. */
enum { AI_AUDIT_CALL_ID = 0, AI_AUDIT_CALL_TIME = 1, AI_AUDIT_CALL_ESTIMATED = 35,
       AI_AUDIT_CALL_FRAME = 36, AI_AUDIT_CALL_COLUMNS = 37 };

extern const ai_audit_column_t ai_audit_call_columns[AI_AUDIT_CALL_COLUMNS];

/* A call: a text for each column, or NULL. */
typedef struct ai_audit_call_t {
    const char *values[AI_AUDIT_CALL_COLUMNS];
} ai_audit_call_t;

/*
 * Fills a call in from a record's body, as far as it is one: what has another form than it must is
 * left out, texts beyond 500 characters are cut. call_id, now: the frame's, which count where the body says
 * none. Out: *call, in p; values[AI_AUDIT_CALL_ESTIMATED] is "0". 1; 0 when the body is no JSON object, and
 * then only id, time and frame are filled in. Thread-safe.
 */
int ai_audit_call_read(apr_pool_t *p, ai_slice_t body, const char *call_id, apr_time_t now,
                       const char *frame, ai_audit_call_t *call);

/* The same from a begin whose end will never come: estimated, with the most tokens it can have had. */
int ai_audit_call_estimate(apr_pool_t *p, ai_slice_t body, const char *call_id, apr_time_t now,
                           const char *frame, ai_audit_call_t *call);

/* What a caller said of a call: ai_audit_feedback. */
typedef struct ai_audit_feedback_t {
    const char *id;       /* the frame's */
    const char *call;
    const char *tenant, *user;
    apr_time_t time;
    const char *feedback; /* numbers as texts, or NULL */
    const char *score;
} ai_audit_feedback_t;

/* The same from a note's body. 0: it is none. */
int ai_audit_feedback_read(apr_pool_t *p, ai_slice_t body, const char *call_id, apr_time_t now,
                           const char *frame, ai_audit_feedback_t *feedback);

enum { AI_AUDIT_OPEN = 0, AI_AUDIT_CUT = 1, AI_AUDIT_CLOSED = 2 };

/* One segment: ai_audit_segments. */
typedef struct ai_audit_segment_t {
    const char *id;
    const char *node;
    apr_int64_t pid;
    apr_time_t created;
    const char *previous; /* of the same writer, or NULL */
    const char *writer;   /* the first segment of the same writer, as far as it is known */
    apr_int64_t records;  /* how many were shipped, or are damaged */
    int state;
    apr_int64_t torn;     /* bytes behind a cut */
    int damaged;          /* 1: some records are damaged; 2: some were changed */
    const char *chain;    /* hex, of the last record shipped */
    const char *link;     /* hex, as its head has it; NULL: the head is damaged */
} ai_audit_segment_t;

/* -------------------------------------------------------------------------------- store */

typedef struct ai_audit_store_t ai_audit_store_t;

/* It connects when it is used first, and again whenever that is needed. Lives in p. */
ai_audit_store_t *ai_audit_store_open(apr_pool_t *p, const ai_db_conf_t *conf);
void ai_audit_store_close(ai_audit_store_t *store); /* as ai_db_close() */

/* The handle below, for transactions, migration, queries and ai_db_interrupt(). */
ai_db_t *ai_audit_store_db(const ai_audit_store_t *store);

/* Puts rows in, n of them; one whose id is there already is left out. */
const char *ai_audit_store_frames(ai_audit_store_t *store, apr_pool_t *p,
                                  const ai_audit_frame_t *frames, int n);
const char *ai_audit_store_feedback(ai_audit_store_t *store, apr_pool_t *p,
                                    const ai_audit_feedback_t *feedback, int n);

/* The same, but that what is known takes the place of what was estimated. */
const char *ai_audit_store_calls(ai_audit_store_t *store, apr_pool_t *p,
                                 const ai_audit_call_t *calls, int n);

/* Puts a segment in, or sets records, state, torn, damaged and chain of the one that is there. */
const char *ai_audit_store_segment(ai_audit_store_t *store, apr_pool_t *p,
                                   const ai_audit_segment_t *segment);

#endif
