/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_road.h - what was decided on a request's way, by which stage, why, and when.
 *
 * A step is added for next to nothing; a text is made of them only where somebody wants to read it.
 * Steps hold names of the configuration, machine words and numbers, never content or a secret. In
 * a text all but visible ASCII and spaces is "?", and every part is bounded.
 *
 * Not thread-safe; one per request.
 */
#ifndef AI_ROAD_H
#define AI_ROAD_H

#include <apr_pools.h>

/* How many steps are kept: of more the first ones, a mark, and the last one. */
#define AI_ROAD_STEPS 64
/* How much of a word, and of a reason, a text has. */
#define AI_ROAD_WORD_MAX 40
#define AI_ROAD_REASON_MAX 200

typedef struct ai_road_step_t {
    const char *stage;    /* who decided: a token */
    const char *decision; /* what: a token */
    const char *target;   /* which target it is about, or NULL */
    int status;           /* and what that answered, or 0 */
    const char *reason;   /* why, or NULL */
    apr_int64_t us;       /* when: since the request came */
} ai_road_step_t;

typedef struct ai_road_t {
    apr_pool_t *pool;
    ai_road_step_t *steps;
    int n;
    int room;
} ai_road_t;

void ai_road_begin(apr_pool_t *p, ai_road_t *road);

/* Its texts must live as long as the road. */
void ai_road_add(ai_road_t *road, const ai_road_step_t *step);

/* 1 when that stage has said something. */
int ai_road_has(const ai_road_t *road, const char *stage);

/*
 * The steps as a text of at most max bytes (1024 at least), in p: where they are more, the first ones,
 * a mark "road=cut", and the last one.
 *   _text  identify=ok;r=key;t=12, plan=route;r=gpt-*;t=20     (fit for a header; docs/mod_ai.md)
 *   _json  [{"stage":"identify","decision":"ok","reason":"key","us":12},...]
 */
const char *ai_road_text(apr_pool_t *p, const ai_road_t *road, apr_size_t max);
const char *ai_road_json(apr_pool_t *p, const ai_road_t *road, apr_size_t max);

#endif
