/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_pick.h - finds a few top-level members in a JSON object that arrives in pieces.
 *
 * A non-streamed answer passes through us chunk by chunk and is never collected. This reader is
 * fed each chunk once, in order, and keeps only the values of the members it was asked for
 * ("usage", "model"), each up to a limit. It is right for every split of the bytes, also inside
 * a key, an escape or a UTF-8 sequence. It does not validate: it follows strings and brackets,
 * which may nest AI_JSON_DEPTH deep below the object.
 *
 * Not thread-safe; one per answer.
 */
#ifndef AI_PICK_H
#define AI_PICK_H

#include <apr_pools.h>

#include "ai_slice.h"

typedef struct ai_pick_t ai_pick_t;

typedef enum ai_pick_state_e {
    AI_PICK_BEFORE, /* only white space so far */
    AI_PICK_INSIDE, /* in the object */
    AI_PICK_DONE,   /* the object is closed; only white space may follow */
    AI_PICK_BROKEN  /* no '{' at first, brackets that do not match, or bytes behind the end */
} ai_pick_state_e;

/*
 * names: NULL-terminated list of at most 8 keys of at most 32 bytes, static; a key in the text is
 * compared with its escapes decoded.
 * limit: longest value kept, in bytes; a longer one counts as absent.
 */
ai_pick_t *ai_pick_create(apr_pool_t *p, const char *const *names, apr_size_t limit);

/* Takes the next n bytes. Memory comes from the pool, only while a wanted value is open. */
ai_pick_state_e ai_pick_feed(ai_pick_t *pick, const char *bytes, apr_size_t n);

/* Where it stands now. */
ai_pick_state_e ai_pick_state(const ai_pick_t *pick);

/*
 * The whole value of names[i], or the absent slice. Valid until the next feed, after the last one
 * as long as the pool. Last one wins.
 */
ai_slice_t ai_pick_get(const ai_pick_t *pick, int i);

#endif
