/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_traceparent.h - the headers traceparent and tracestate (W3C Trace Context, level 1 and 2).
 *
 * They say which trace a request is a part of, and which span of it has sent it. What comes is
 * from anybody: it is read strictly, and what is wrong in one place is wrong as a whole, as the
 * standard has it. Texts are as the field has them, without the white space around it; of a header
 * that came twice HTTP makes one with a comma, and that is no traceparent. Pure; thread-safe.
 */
#ifndef AI_TRACEPARENT_H
#define AI_TRACEPARENT_H

/* In hexadecimal digits, without the NUL. */
#define AI_TRACE_ID_TEXT 32
#define AI_SPAN_ID_TEXT 16
/* "00-TRACE-SPAN-FLAGS", without the NUL. */
#define AI_TRACEPARENT_TEXT 55

/* The flags that there are; all others are taken off. */
#define AI_TRACE_SAMPLED 1 /* who has sent it may have recorded its span */
#define AI_TRACE_RANDOM 2  /* the trace's id is random as level 2 has it */

/* How much of a tracestate passes. At least this the standard wants. */
#define AI_TRACESTATE_MAX 512

typedef struct ai_traceparent_t {
    char trace[AI_TRACE_ID_TEXT + 1]; /* lower case */
    char span[AI_SPAN_ID_TEXT + 1];
    unsigned flags;
} ai_traceparent_t;

/* Reads a header of version 00, or what is known of one of a later version. 1; 0 when it is not
 * valid, and then *out means nothing. */
int ai_traceparent_read(const char *text, ai_traceparent_t *out);

/* 1 when text is an id of that many digits, in lower case, and not nought alone. */
int ai_traceparent_is_id(const char *text, int digits);

/* Writes the digits of an id, and a NUL. */
void ai_traceparent_hex(const unsigned char *bytes, int n, char *text);

/* Writes a header of version 00, and a NUL. */
void ai_traceparent_write(const ai_traceparent_t *parent, char text[AI_TRACEPARENT_TEXT + 1]);

/*
 * How many bytes of a tracestate pass: all of a valid one, or as many of its first entries as fit
 * into AI_TRACESTATE_MAX; 0 when it is not valid (a wrong key or value, one key twice, more than 32
 * entries) or says nothing.
 */
int ai_tracestate_read(const char *text);

#endif
