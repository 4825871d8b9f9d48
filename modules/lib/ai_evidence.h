/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_evidence.h - records, written out of a database so that whoever gets them can verify them.
 *
 * All segments that have something of the calls that are asked for, all checkpoints, and each record of
 * those segments; what was not asked for stands there by its digest alone. ai_export.h has the lines.
 *
 * Memory grows by some 150 bytes a call. May block, on the database. Functions return NULL, or what is
 * wrong, in p.
 */
#ifndef AI_EVIDENCE_H
#define AI_EVIDENCE_H

#include <apr_hash.h>
#include <apr_pools.h>

#include "ai_db.h"
#include "ai_slice.h"

typedef struct ai_evidence_t {
    ai_db_t *db;
    int (*write)(void *baton, ai_slice_t line); /* takes a line with its end; 0: it cannot */
    void (*ask)(void *baton); /* is called before the database is asked; or NULL */
    void *baton;
    apr_int64_t records;      /* out: how many stand there themselves */
    apr_pool_t *pool;         /* private, as the rest */
    apr_hash_t *calls;        /* ids that are asked for */
    apr_hash_t *segments;     /* that have something of them */
} ai_evidence_t;

/* Begins; db, write, ask and baton are filled in. It lives in p. */
void ai_evidence_begin(ai_evidence_t *evidence, apr_pool_t *p);

/* Asks for a call. */
const char *ai_evidence_add(ai_evidence_t *evidence, apr_pool_t *p, const char *call);

/* Writes all of it. */
const char *ai_evidence_write(ai_evidence_t *evidence, apr_pool_t *p);

#endif
