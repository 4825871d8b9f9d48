/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_write.h - a text that is put together from short pieces of our own and long ones of others.
 *
 * The result is a list of slices, in order. Short pieces are copied side by side into the pool;
 * long ones (a picture in base64, a page of a conversation) are only referred to, so writing a
 * request of many megabytes costs next to nothing. What is referred to must outlive the result.
 *
 * Not thread-safe; one writer, one text.
 */
#ifndef AI_WRITE_H
#define AI_WRITE_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "ai_slice.h"

/* A piece of at least so many bytes is not copied. */
#define AI_WRITE_LONG 512

typedef struct ai_write_t {
    apr_size_t total;            /* bytes so far */
    apr_pool_t *pool;
    apr_array_header_t *slices;  /* private: of ai_slice_t; the last own run is not in it yet */
    char *run;                   /* private: the run of copied bytes in hand */
    apr_size_t used;             /* private: of it */
    apr_size_t room;             /* private: behind run, used included */
} ai_write_t;

/* Begins with no text. */
void ai_write_begin(apr_pool_t *p, ai_write_t *w);

/* Adds bytes: _bytes copies the short and refers to the long, _copy always copies. */
void ai_write_bytes(ai_write_t *w, ai_slice_t bytes);
void ai_write_copy(ai_write_t *w, ai_slice_t bytes);

/* Adds a string literal. */
#define ai_write_literal(w, text) ai_write_copy((w), AI_SLICE(text))

/* Adds a whole number in decimal. */
void ai_write_number(ai_write_t *w, apr_int64_t number);

/* Adds bytes that are no JSON as a JSON string with its quotes. Bytes that are not UTF-8 become
 * U+FFFD. */
void ai_write_quoted(ai_write_t *w, ai_slice_t bytes);

/* Adds what is between the quotes of a JSON string, escapes as they are: to join strings. The
 * absent slice adds nothing. */
void ai_write_inner(ai_write_t *w, ai_slice_t json_string);

/* The result: an array of ai_slice_t in the pool, none empty. Nothing may be added after. */
apr_array_header_t *ai_write_end(ai_write_t *w);

/* The result in one piece, in the pool: copied where it was not. Nothing may be added after. */
ai_slice_t ai_write_flat(ai_write_t *w);

#endif
