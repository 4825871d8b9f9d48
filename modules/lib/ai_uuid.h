/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_uuid.h - identifiers that no two processes make alike and that sort by time: UUIDv7 (RFC
 * 9562).
 */
#ifndef AI_UUID_H
#define AI_UUID_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "ai_slice.h"

/* How long the text of one is, without a NUL. */
#define AI_UUID_TEXT 36

typedef struct ai_uuid_t {
    unsigned char bytes[16]; /* in the order of the RFC: memcmp() sorts by time */
} ai_uuid_t;

/* What makes them; each process has one of its own. */
typedef struct ai_uuid_source_t ai_uuid_source_t;

/* Makes a source in p. It may be used by all threads. */
apr_status_t ai_uuid_source_create(apr_pool_t *p, ai_uuid_source_t **source);

/*
 * Makes the next one. Each is greater than all that this source made before, also when now (after
 * 1970) is the same or has gone back. 74 bits are random, from the system's generator; of more than
 * one in a millisecond the later ones are the one before and a random step. A process that was
 * forked begins anew by itself. The system's error when there is no random; then nothing was made.
 * Thread-safe.
 */
apr_status_t ai_uuid_make(ai_uuid_source_t *source, apr_time_t now, ai_uuid_t *uuid);

/* Writes the text, "0190163d-8694-739b-aea5-966c26f8ad91", and a NUL. Thread-safe. */
void ai_uuid_text(const ai_uuid_t *uuid, char text[AI_UUID_TEXT + 1]);

/* Reads a text of that form, in small or capital letters, of any version. 1, or 0 for any other
 * text. Thread-safe. */
int ai_uuid_read(ai_slice_t text, ai_uuid_t *uuid);

/* When it was made, to the millisecond; only that of a UUIDv7 says so. Thread-safe. */
apr_time_t ai_uuid_time(const ai_uuid_t *uuid);

#endif
