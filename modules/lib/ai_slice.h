/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_slice.h - a borrowed run of bytes.
 *
 * A slice owns nothing and is never NUL-terminated: whoever hands one out says how long the
 * bytes live.  p is NULL only in the empty slice {NULL, 0}, which means "absent".
 */
#ifndef AI_SLICE_H
#define AI_SLICE_H

#include <string.h>

#include <apr.h>
#include <apr_lib.h>

typedef struct ai_slice_t {
    const char *p; /* first byte, or NULL */
    apr_size_t n;  /* how many */
} ai_slice_t;

/* The bytes of a string literal. */
#define AI_SLICE(literal) ((ai_slice_t){ (literal), sizeof(literal) - 1 })

/* The bytes of a NUL-terminated string; a NULL string gives the absent slice. */
static inline ai_slice_t ai_slice_of(const char *text)
{
    return (ai_slice_t){ text, text ? strlen(text) : 0 };
}

/* 1 if the slice holds exactly the bytes of text, else 0. Not constant-time. */
static inline int ai_slice_is(ai_slice_t s, const char *text)
{
    apr_size_t n = strlen(text);

    return s.n == n && (n == 0 || memcmp(s.p, text, n) == 0);
}

/* The slice from its first byte on that is no white space. */
static inline ai_slice_t ai_slice_skip_space(ai_slice_t s)
{
    while (s.n && apr_isspace(*s.p)) {
        s.p++;
        s.n--;
    }
    return s;
}

/* The slice without white space at both ends. */
static inline ai_slice_t ai_slice_trim(ai_slice_t s)
{
    s = ai_slice_skip_space(s);
    while (s.n && apr_isspace(s.p[s.n - 1])) {
        s.n--;
    }
    return s;
}

#endif
