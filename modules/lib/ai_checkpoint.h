/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_checkpoint.h - the text that is signed: how far each segment was, what was taken out, what is
 * held.
 *
 * One line of JSON, docs/design/0007-audit.md has its members. Each names the digest of the one before
 * it, so that all together say how things stood at any time; none says again what has not changed.
 *
 * Pure, thread-safe. Texts of a checkpoint that was read lie in the pool.
 */
#ifndef AI_CHECKPOINT_H
#define AI_CHECKPOINT_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "ai_slice.h"

/* The longest text; so it fits into a column. Who writes one sees to that. */
#define AI_CHECKPOINT_TEXT 98304

/* Letters of a digest in hex. */
#define AI_CHECKPOINT_DIGEST 64

/* How far a segment was shipped, and what the shipper found. */
typedef struct ai_checkpoint_segment_t {
    const char *id;       /* UUID */
    const char *previous; /* UUID, or NULL */
    const char *start;    /* hex: the value its chain begins with; NULL: its head is damaged */
    apr_int64_t records;
    const char *chain;    /* hex: of the last record; NULL: there is none */
    int state;            /* 0 open, 1 cut, 2 closed */
    apr_int64_t torn;     /* bytes behind a cut */
    int damaged;          /* 1: records of it are damaged, 2: changed */
    int settled;          /* 1: of its begins without an end rows were made */
} ai_checkpoint_segment_t;

/* Records from first to last. */
typedef struct ai_checkpoint_range_t {
    apr_int64_t first, last;
} ai_checkpoint_range_t;

/* What was taken out of a segment. */
typedef struct ai_checkpoint_removal_t {
    const char *segment;
    apr_array_header_t *ranges; /* of ai_checkpoint_range_t, in order, none touches another */
    const char *why;
} ai_checkpoint_removal_t;

/* A hold that is new or was released. Times are in microseconds since 1970, -1: none. */
typedef struct ai_checkpoint_hold_t {
    const char *id;
    const char *tenant; /* NULL: all */
    apr_time_t since, until;
    const char *reason;
    apr_time_t created, released;
} ai_checkpoint_hold_t;

typedef struct ai_checkpoint_t {
    apr_int64_t number;    /* 1 is the first */
    const char *node;      /* of who wrote it */
    apr_time_t time;
    const char *previous;  /* hex; "" for the first */
    apr_array_header_t *segments; /* of ai_checkpoint_segment_t */
    apr_array_header_t *removals; /* of ai_checkpoint_removal_t */
    apr_array_header_t *holds;    /* of ai_checkpoint_hold_t */
} ai_checkpoint_t;

/* The text, NUL-terminated, in p. */
const char *ai_checkpoint_write(apr_pool_t *p, const ai_checkpoint_t *checkpoint);

/* Reads a text. NULL and *checkpoint; or what is wrong, in p: it is no checkpoint, or not written as
 * _write does. */
const char *ai_checkpoint_read(apr_pool_t *p, const char *text, ai_checkpoint_t *checkpoint);

/* What the next one names: hex of SHA-256 of text and signature, in p; NULL when OpenSSL failed. */
const char *ai_checkpoint_digest(apr_pool_t *p, const char *text, const char *signature);

/* 1 when a removal tells of that record. */
int ai_checkpoint_removes(const ai_checkpoint_t *checkpoint, const char *segment,
                          apr_int64_t sequence);

/* 1 for so many letters of 0-9 and a-f. */
int ai_checkpoint_is_hex(const char *text, apr_size_t n);

#endif
