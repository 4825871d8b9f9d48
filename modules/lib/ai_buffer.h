/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_buffer.h - bytes that grow and can be given back before their pool ends.
 *
 * A pool keeps what was outgrown until it ends itself; a body that doubles its way up to its size
 * would cost twice that, for as long as the answer takes. So this is the system's memory; its owner
 * sees to it that ai_buffer_free() is called when the pool ends, at the latest.
 *
 * Not thread-safe; one owner.
 */
#ifndef AI_BUFFER_H
#define AI_BUFFER_H

#include <apr_errno.h>

#include "ai_slice.h"

/* Zeroed is empty. */
typedef struct ai_buffer_t {
    char *p;         /* the bytes, or NULL */
    apr_size_t n;    /* how many are in use */
    apr_size_t size; /* how many there is room for */
} ai_buffer_t;

/* More than any buffer here has a use for: a size beyond is a slip of arithmetic. */
#define AI_BUFFER_MAX ((apr_uint64_t)1 << 34)

/* Makes room for exactly size bytes in all, where there is less. APR_ENOMEM (also for more than
 * AI_BUFFER_MAX) changes nothing. */
apr_status_t ai_buffer_reserve(ai_buffer_t *buffer, apr_size_t size);

/* Adds n bytes; there must be room. */
void ai_buffer_add(ai_buffer_t *buffer, const char *bytes, apr_size_t n);

/* The same, but makes room, twice as much each time it is short. APR_ENOMEM changes nothing. */
apr_status_t ai_buffer_append(ai_buffer_t *buffer, const char *bytes, apr_size_t n);

/* Gives the memory back; the buffer is empty then, and may be used again. */
void ai_buffer_free(ai_buffer_t *buffer);

#endif
