/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_delta.h - an answer as no provider's wire format has it: as it grows.
 *
 * The provider's dialect tells each event of a stream, or a whole answer, in these steps; the
 * caller's writes them, as events or, once all are there, as one body. How the answer ended and
 * what it used is not a step: it is in ai_stream_t, and the end is told with it (dialect.h).
 *
 * Slices are whole JSON values as in ai_talk.h, checked, and live only during the call that hands
 * the delta on (of a whole answer: as long as its body).
 */
#ifndef AI_DELTA_H
#define AI_DELTA_H

#include "ai_chat.h"
#include "ai_slice.h"

typedef enum ai_delta_e {
    AI_DELTA_BEGIN,     /* id, name (the model), created_s where known; once, first */
    AI_DELTA_TEXT,      /* text: goes on with the answer */
    AI_DELTA_REFUSAL,   /* text: the model's words of refusal */
    AI_DELTA_THINKING,  /* text: goes on with what the model thinks */
    AI_DELTA_SIGNATURE, /* text: signs the thinking told since the last signature */
    AI_DELTA_REDACTED,  /* text: a piece of thinking that only its provider can read, whole */
    AI_DELTA_CALL,      /* call, id, name: a tool is to be called; its arguments follow. There is
                           always an id: made by the reader where the provider gives none */
    AI_DELTA_ARGUMENTS, /* call, text: goes on with the arguments (a string that holds a piece of
                           JSON); or, once, object: all of them */
    AI_DELTA_CALLED     /* call: its arguments are complete. Not every dialect tells. */
} ai_delta_e;

typedef struct ai_delta_t {
    ai_delta_e kind;
    int choice;            /* which of several answers, from 0 */
    int call;              /* which tool call of that answer, from 0, in the order they began */
    ai_slice_t id;
    ai_slice_t name;
    ai_slice_t text;
    ai_slice_t object;     /* a JSON object, not in a string */
    apr_int64_t created_s; /* seconds since 1970, or 0 */
} ai_delta_t;

/* Takes one delta. baton is the caller's. */
typedef void ai_delta_fn(void *baton, const ai_delta_t *delta);

/* What a writer needs to know before the first delta. Text is NUL-terminated and outlives it. */
typedef struct ai_answer_t {
    const char *id;        /* to be used where the provider gives none */
    const char *model;     /* the same: the model asked for */
    apr_int64_t created_s; /* the same */
    int wants_usage;       /* the caller wants usage in a stream (a whole answer always has it) */
    apr_int64_t prompt;    /* an estimate of the prompt's tokens, for protocols that tell it before
                              the provider has; 0: none */
} ai_answer_t;

/* How much an account may still use, as headers tell it. -1 is unknown. */
typedef struct ai_limit_t {
    apr_int64_t limit;
    apr_int64_t remaining;
    apr_int64_t reset_ms; /* until all of it is there again, from now */
} ai_limit_t;

typedef struct ai_limits_t {
    ai_limit_t requests;
    ai_limit_t tokens;
} ai_limits_t;

#define AI_LIMITS_UNKNOWN ((ai_limits_t){ { -1, -1, -1 }, { -1, -1, -1 } })

#endif
