/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_redact_find.h - what is shared among ai_redact*.c: a scan, and who finds what.
 *
 * A finder is asked at a place where a word begins, or at one of the signs that it names. It reads
 * a bounded number of bytes where it finds nothing, so that all of them together are linear.
 */
#ifndef AI_REDACT_FIND_H
#define AI_REDACT_FIND_H

#include "ai_redact.h"

/* A look through one text. */
typedef struct ai_redact_scan_t {
    const ai_redact_t *redact;
    ai_slice_t text;
    apr_size_t at;     /* the next place to look at */
    apr_size_t done;   /* what was found ended there: nothing else begins before */
    apr_size_t dead;   /* no token begins before */
    apr_size_t from;   /* what was found: its first byte, */
    apr_size_t to;     /* the one behind it, */
    const char *word;  /* and what it is */
    struct {
        int searched;  /* 1: from and to are its next, or there is none (from is text.n) */
        apr_size_t from;
        apr_size_t to;
    } own[AI_REDACT_OWN];
} ai_redact_scan_t;

/* Begins; then _next returns 1 for each find, in order, without overlap. */
void ai_redact_scan(ai_redact_scan_t *scan, const ai_redact_t *redact, ai_slice_t text);
int ai_redact_next(ai_redact_scan_t *scan);

/* 1 when digits, all of them, are the number of a card, and the sieve looks for cards. */
int ai_redact_is_card(const ai_redact_t *redact, ai_slice_t digits);

/* The length of the escape at a place, as in JSON within JSON or in a URL: "\n", "\u00e4", "%20"; or
 * 1. What follows begins a word. */
apr_size_t ai_redact_escape(ai_slice_t text, apr_size_t at);

/* Finders: 1, *from and *to, when there is one at (for an address: around) that place. */
typedef int ai_redact_find_fn(ai_redact_scan_t *scan, apr_size_t at, apr_size_t *from,
                              apr_size_t *to);

ai_redact_find_fn ai_redact_find_email;
ai_redact_find_fn ai_redact_find_card;
ai_redact_find_fn ai_redact_find_iban;
ai_redact_find_fn ai_redact_find_ip;
ai_redact_find_fn ai_redact_find_phone;
ai_redact_find_fn ai_redact_find_ssn;
ai_redact_find_fn ai_redact_find_key;
ai_redact_find_fn ai_redact_find_token;
ai_redact_find_fn ai_redact_find_pem;

static inline int ai_redact_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline int ai_redact_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline int ai_redact_alnum(char c)
{
    return ai_redact_digit(c) || ai_redact_alpha(c);
}

/* 1 when no letter or digit stands there. */
static inline int ai_redact_ends(const ai_redact_scan_t *scan, apr_size_t at)
{
    return at >= scan->text.n || !ai_redact_alnum(scan->text.p[at]);
}

/* The byte there, or NUL behind the end. */
static inline char ai_redact_at(const ai_redact_scan_t *scan, apr_size_t at)
{
    return at < scan->text.n ? scan->text.p[at] : '\0';
}

#endif
