/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_answer.h - is what comes back one whole answer, and is it the answer to this request?
 *
 * Reads one HTTP/1.1 answer piece by piece: Content-Length, chunked, or until close; a plain
 * body or server-sent events.  It keeps no body but what one id check needs.
 */
#ifndef LOAD_ANSWER_H
#define LOAD_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum load_phase_t {
    LOAD_HEAD,
    LOAD_BODY,       /* Content-Length or until close */
    LOAD_CHUNK_SIZE,
    LOAD_CHUNK,
    LOAD_CHUNK_END,  /* the line end after a chunk */
    LOAD_TRAILER,
    LOAD_WHOLE,      /* complete */
    LOAD_GARBAGE     /* not an answer */
} load_phase_t;

/* Bytes that grow. */
typedef struct load_bytes_t {
    char *at;
    size_t used;
    size_t size;
} load_bytes_t;

typedef struct load_answer_t {
    load_phase_t phase;
    int status;
    bool until_close;  /* neither a length nor chunks */
    bool closes;       /* the connection may not be used again */
    bool streamed;     /* text/event-stream */
    bool saw_done;     /* data: [DONE] */
    bool saw_error;    /* an event with an error member */
    bool skip_lf;      /* the last line ended in CR: a LF that follows belongs to it */
    bool has_data;     /* the event being read has a data line */
    uint64_t left;     /* bytes of the body or of the chunk still to come */
    uint64_t body_bytes;
    uint32_t events;   /* data events so far, [DONE] not counted */
    uint32_t wrong;    /* of them without the id; error events need none */
    load_bytes_t line;  /* head, or the event-stream line that is not complete */
    load_bytes_t frame; /* line of the chunked framing that is not complete */
    load_bytes_t text;  /* data of the event being read, or the plain body */
    const char *id;     /* must appear, in double quotes, in every event and body; NULL: no check */
} load_answer_t;

/* Adds n bytes.  Exits the program when memory ends: a load generator has no use for less. */
void load_bytes_add(load_bytes_t *bytes, const char *at, size_t n);

/* Readies `answer` for the next answer; keeps the memory it has.  `id` is borrowed. */
void load_answer_begin(load_answer_t *answer, const char *id);

/* Takes in n bytes as they came.  Returns how many were used: fewer than n only when the answer
 * is whole or garbage. */
size_t load_answer_feed(load_answer_t *answer, const char *at, size_t n);

/* The connection was closed.  True when that makes the answer whole. */
bool load_answer_close(load_answer_t *answer);

/* True when the body that was read carries the id.  For a stream: every event did. */
bool load_answer_is_mine(const load_answer_t *answer);

/* Frees the memory. */
void load_answer_forget(load_answer_t *answer);

#endif
