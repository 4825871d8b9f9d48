/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_proof.h - what makes the records in a database evidence: checkpoints, signed by somebody who is
 * not the database.
 *
 * A checkpoint says how far each segment was, what was taken out, and what is held, and names the
 * digest of the one before. docs/design/0007-audit.md has the tables and the text.
 *
 * May block, on the database. One handle, one thread. Functions return NULL, or what is wrong, in p.
 */
#ifndef AI_PROOF_H
#define AI_PROOF_H

#include <apr_pools.h>
#include <apr_time.h>

#include "ai_checkpoint.h"
#include "ai_db.h"
#include "ai_sign.h"
#include "ai_spool.h"

/* Who writes checkpoints, and for whom. */
typedef struct ai_proof_t {
    ai_db_t *db;
    const ai_sign_key_t *key; /* NULL: nobody signs */
    const char *node;         /* name of this host */
} ai_proof_t;

/*
 * Tells of all that is new since the last checkpoint, in as many as that takes: none, where nothing
 * is. Each in a transaction of its own; none may be open. Several processes may do so at once. Out:
 * *written, how many it took.
 */
const char *ai_proof_checkpoint(const ai_proof_t *proof, apr_pool_t *p, apr_time_t now,
                                int *written);

/*
 * Tells of what is taken out (of ai_checkpoint_removal_t), in the transaction that takes it out. Out:
 * *number, of the checkpoint, for the column "removed". "": somebody else wrote one meanwhile; roll
 * back and try again.
 */
const char *ai_proof_tell(const ai_proof_t *proof, apr_pool_t *p, apr_time_t now,
                          apr_array_header_t *removals, apr_int64_t *number);

/*
 * A row of ai_audit_segments as a checkpoint has it. columns: AI_PROOF_SEGMENT in this order, of the
 * table with the name s. NULL, or which column has a value that it cannot have.
 */
#define AI_PROOF_SEGMENT_COLUMNS 13
#define AI_PROOF_SEGMENT \
    "s.id, s.node, s.pid, s.created, s.previous, s.link, s.records, s.state, s.torn, s.damaged, " \
    "s.settled, s.chain, s.writer"
const char *ai_proof_segment(apr_pool_t *p, const char *const *columns,
                             ai_checkpoint_segment_t *segment);

/* The same for ai_audit_holds, of the table with the name h. */
#define AI_PROOF_HOLD_COLUMNS 7
#define AI_PROOF_HOLD "h.id, h.tenant, h.since, h.until, h.reason, h.created, h.released"
const char *ai_proof_hold(apr_pool_t *p, const char *const *columns, ai_checkpoint_hold_t *hold);

/* The value in hex, in p, that the chain of a segment with that head begins with; NULL when nobody
 * knows: the head is damaged. */
const char *ai_proof_start(apr_pool_t *p, const ai_uuid_t *segment, const ai_spool_head_t *head);

/* All rows of a select, as they are: of const char *const *, in p. */
const char *ai_proof_rows(ai_db_t *db, apr_pool_t *p, const char *sql, int n,
                          const char *const *args, int columns, apr_array_header_t **rows);
#define AI_PROOF_ROW(rows, i) APR_ARRAY_IDX(rows, i, const char **)

/* Key of a checkpoint's row, in p: its number with twenty digits. */
const char *ai_proof_row_id(apr_pool_t *p, apr_int64_t number);

/* A whole decimal number from 0 to most, written as a program writes it. 1, or 0; NULL is none. */
int ai_proof_number(const char *text, apr_int64_t most, apr_int64_t *number);

#endif
