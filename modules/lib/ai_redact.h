/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_redact.h - takes personal data and secrets out of a text, so that the rest may be kept.
 *
 * What is found is replaced by its kind in brackets: "[email]". What has a check (cards, bank
 * accounts) is checked; the rest is told by its form. So it is a sieve, not a proof: a name, a
 * password in a sentence, a number written in words pass.
 *
 * To add a kind: a function in ai_redact_find.c, _number.c or _secret.c, and one row of kinds[] in ai_redact.c; to add the
 * form of an API key: one row of forms[] in ai_redact_secret.c. test_ai_redact.c and docs/audit.md
 * have a row for each.
 *
 * Takes time linear in the text, and no memory but what is written. Pure; a sieve never changes once
 * it is made, so it may be used by all threads.
 */
#ifndef AI_REDACT_H
#define AI_REDACT_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "ai_buffer.h"
#include "ai_slice.h"

typedef struct ai_redact_t ai_redact_t;

/* Kinds are a set of bits, that of kind i is 1 << i. */
typedef apr_uint32_t ai_redact_kinds_t;

#define AI_REDACT_ALL ((ai_redact_kinds_t)~0)

/* The words of the kinds: "email", "card", ...; NULL behind the last. */
const char *ai_redact_word(int i);

/* The bit of a word, without regard to case; 0 for any other text. */
ai_redact_kinds_t ai_redact_kind(const char *word);

/* A sieve for these kinds, in p. */
const ai_redact_t *ai_redact_make(apr_pool_t *p, ai_redact_kinds_t kinds);

/* The same sieve, in p, with its own patterns (below), for other kinds. */
const ai_redact_t *ai_redact_for(apr_pool_t *p, const ai_redact_t *redact, ai_redact_kinds_t kinds);

/*
 * A kind of the site's own, as a pattern: finds the first place at or behind from that is one, *at
 * and *n (0 counts as none). Returns 1 when there is one.
 */
typedef int ai_redact_own_fn(const void *baton, ai_slice_t text, apr_size_t from, apr_size_t *at,
                             apr_size_t *n);

/* How many of them a sieve can have, and how long their words may be. */
#define AI_REDACT_OWN 16
#define AI_REDACT_OWN_WORD 32

/* The same sieve, in p, that finds one more; its word is written in brackets, too, and lives as long
 * as the sieve. NULL when there are too many. */
const ai_redact_t *ai_redact_with(apr_pool_t *p, const ai_redact_t *redact, const char *word,
                                  ai_redact_own_fn *fn, const void *baton);

/* Writes text behind what out holds, with what is found replaced, and adds to *found how many. */
apr_status_t ai_redact_text(const ai_redact_t *redact, ai_slice_t text, ai_buffer_t *out,
                            apr_size_t *found);

/*
 * The same for a body that may be JSON. Of JSON, also such as is cut off, each string is looked at
 * as what it means, with its escapes decoded, and what is written is JSON as well; strings without a
 * find stay as they were written. Names of members are looked at, too; so that they stay different,
 * those that change get a number: "[email] 1". A number that is a card's becomes a string. Any other
 * body is a text.
 * p: for scratch that is given back.
 */
apr_status_t ai_redact_body(const ai_redact_t *redact, apr_pool_t *p, ai_slice_t body,
                            ai_buffer_t *out, apr_size_t *found);

#endif
