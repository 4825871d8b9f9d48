/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_turn.h - one target's turn in a request: which of its keys is tried, and which then?
 *
 * A turn is one attempt after the other, each with another key, as long as an answer blames the key
 * and another one is left. For the thread that runs the request.
 */
#ifndef ROUTE_TURN_H
#define ROUTE_TURN_H

#include "mod_ai.h"
#include "route_target.h"

typedef struct route_turn_t {
    const request_rec *r;
    const route_target_t *target;
    int key;                  /* of the attempt in hand: its index, or -1 */
    apr_uint32_t serial;      /* of its text */
    apr_uint32_t tried;       /* a set of indexes */
    apr_uint32_t suspects;    /* those that were refused, for which the request may be to blame */
    apr_uint32_t serials[ROUTE_KEYS_MAX];
    int statuses[ROUTE_KEYS_MAX];
    apr_int64_t soonest_ms;   /* the shortest wait that a key was asked for, or -1 */
} route_turn_t;

void route_turn_begin(route_turn_t *turn, const request_rec *r, const ai_target_t *target);

/* Gives the attempt a key, if the target has any, and waits for the first of a program.
 * 1; 0 when there is none to be had: the attempt has failed; -1 when the caller left meanwhile. */
int route_turn_take(route_turn_t *turn, const ai_api_t *ai, ai_request_t *air,
                    ai_attempt_t *attempt);

/* What an attempt that is over says of its key. 1 when another key is to be tried at once. */
int route_turn_learn(route_turn_t *turn, ai_attempt_t *attempt);

#endif
