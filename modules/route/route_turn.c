/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_turn.c - one target's turn in a request: which of its keys is tried, and which then?
 *
 * 401 speaks of the key and of nothing else: callers never say one. It is set aside at once. A 402,
 * a 403 or an empty quota may as well be the caller's doing, with a model that the account has not,
 * or an answer that is too long for what is left of its money; so that no caller can put a target's
 * keys out of use, such a key is set aside only when another one is accepted for the same request.
 * 429 lets it rest: others are taken first, and it is taken when there are no others.
 *
 *   keys a b c, a dead, b at its limit:   a 403, b 429 Retry-After 9, c 200: a is set aside
 *
 * Lives in: r->pool.  Shared state: the slots of the keys (route_slot.h).  May block: until a program
 * has said its first key, with the caller watched.
 */

#include <apr_atomic.h>
#include <http_core.h>
#include <http_log.h>

#include "ai_value.h"
#include "route_key.h"
#include "route_private.h"
#include "route_turn.h"

/* How long a key rests at a 429 that names no time, and at most. */
#define REST_MS 5000
#define REST_MAX_MS AI_MINUTES_MS(5)
/* How often a request looks whether its key has come. */
#define LOOK_EVERY apr_time_from_msec(20)
/* What a thread may need to begin with a program, beside what that may take. */
#define BEGIN_MS 2000

static const route_key_t *key_of(const route_turn_t *turn, int i)
{
    return APR_ARRAY_IDX(turn->target->keys, i, const route_key_t *);
}

void route_turn_begin(route_turn_t *turn, const request_rec *r, const ai_target_t *target)
{
    memset(turn, 0, sizeof(*turn));
    turn->r = r;
    turn->target = (const route_target_t *)target; /* its first member */
    turn->key = -1;
    turn->soonest_ms = -1;
}

/* ------------------------------------------------------------------------------- learning */

static void set_aside(const route_turn_t *turn, int i)
{
    route_slot_t *slot = &turn->target->slots[i];
    apr_time_t now = apr_time_now();

    if (!turn->target->aside_ms
        || !route_slot_set_aside(slot, turn->serials[i],
                                 now + apr_time_from_msec(turn->target->aside_ms), now)) {
        return;
    }
    if (!slot->failed) { /* perhaps it was changed where the program has it from */
        apr_atomic_set64(&slot->due, (apr_uint64_t)now);
    }
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, turn->r,
                  AI_LOGNO(0510) "target %s: key %s was refused with status %d; it is set aside for "
                  "%s", turn->target->target.name, key_of(turn, i)->name, turn->statuses[i],
                  ai_value_show_time(turn->r->pool, turn->target->aside_ms));
}

/* The key in hand was accepted: so it was not the request that the suspects were refused for. */
static void on_accepted(void *data)
{
    route_turn_t *turn = data;
    int i;

    for (i = 0; turn->suspects >> i; i++) {
        if (turn->suspects >> i & 1) {
            set_aside(turn, i);
        }
    }
    turn->suspects = 0;
}

static void let_rest(route_turn_t *turn, const ai_attempt_t *attempt)
{
    apr_int64_t ms = attempt->retry_after_ms < 0 ? REST_MS : attempt->retry_after_ms;
    apr_time_t now = apr_time_now();

    if (attempt->retry_after_ms >= 0
        && (turn->soonest_ms < 0 || attempt->retry_after_ms < turn->soonest_ms)) {
        turn->soonest_ms = attempt->retry_after_ms;
    }
    ms = ms > REST_MAX_MS ? REST_MAX_MS : ms;
    route_slot_rest(&turn->target->slots[turn->key], turn->serial, now + apr_time_from_msec(ms),
                    now);
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, turn->r,
                  AI_LOGNO(0518) "target %s: key %s is at its limit; it rests for %s",
                  turn->target->target.name, key_of(turn, turn->key)->name,
                  ai_value_show_time(turn->r->pool, ms));
}

int route_turn_learn(route_turn_t *turn, ai_attempt_t *attempt)
{
    const route_target_t *target = turn->target;
    int status = attempt->status, n = target->keys->nelts, i = turn->key, next;
    apr_time_t now;

    if (i < 0 || (status != 401 && status != 402 && status != 403 && status != 429)) {
        return 0;
    }
    if (target->slots[i].serial == turn->serial) { /* else another one has come meanwhile */
        turn->tried |= 1U << i;
    }
    turn->serials[i] = turn->serial;
    turn->statuses[i] = status;
    if (status == 429 && attempt->retryable) {
        apr_atomic_inc64(&target->slots[i].limits);
        let_rest(turn, attempt);
    }
    else {
        apr_atomic_inc64(&target->slots[i].refusals);
    }
    if (status == 401) {
        set_aside(turn, i);
    }
    else if (status != 429 || !attempt->retryable) {
        turn->suspects |= 1U << i;
    }
    if (attempt->outcome != AI_OUTCOME_FAILED || !attempt->repeatable) {
        return 0;
    }
    now = apr_time_now();
    next = status == 429 && attempt->retryable ? route_slot_fresh(target->slots, n, turn->tried, now)
                                               : route_slot_good(target->slots, n, turn->tried, now);
    if (!next && status == 429 && attempt->retryable && turn->soonest_ms >= 0) {
        attempt->retry_after_ms = turn->soonest_ms; /* then one of the keys can be tried again */
    }
    return next > 0;
}

/* --------------------------------------------------------------------------------- taking */

/* For how long a key that is not there yet may be waited for, in milliseconds; 0: not at all. */
static apr_int64_t patience(const route_turn_t *turn)
{
    apr_int64_t ms = 0;
    int i;

    for (i = 0; i < turn->target->keys->nelts; i++) {
        const route_key_t *key = key_of(turn, i);
        const route_slot_t *slot = &turn->target->slots[i];

        if (key->source == ROUTE_SOURCE_EXEC && !slot->failed
            && !route_slot_aside_until(slot, apr_time_now()) && key->limit_ms + BEGIN_MS > ms) {
            ms = key->limit_ms + BEGIN_MS;
        }
    }
    return ms;
}

static int pick(const route_turn_t *turn, apr_time_t now)
{
    return route_slot_pick(turn->target->slots, turn->target->weights, turn->target->keys->nelts,
                           turn->tried, now);
}

/* Waits for a key. Its index; -1 when none came; -2 when the caller left. */
static int await_key(const route_turn_t *turn, const ai_api_t *ai, ai_request_t *air)
{
    apr_time_t began = apr_time_now(), now = began;
    int i = -1;

    while (i < 0 && !turn->tried && now < began + apr_time_from_msec(patience(turn))) {
        if (!ai->wait(air, LOOK_EVERY)) {
            return -2;
        }
        now = apr_time_now();
        i = pick(turn, now);
    }
    return i;
}

static int is_any_aside(const route_turn_t *turn)
{
    apr_time_t now = apr_time_now();
    int i;

    for (i = 0; i < turn->target->keys->nelts; i++) {
        if (route_slot_aside_until(&turn->target->slots[i], now)) {
            return 1;
        }
    }
    return 0;
}

int route_turn_take(route_turn_t *turn, const ai_api_t *ai, ai_request_t *air,
                    ai_attempt_t *attempt)
{
    const route_target_t *target = turn->target;
    int n = target->keys ? target->keys->nelts : 0, i;
    apr_uint32_t others;
    apr_time_t now;

    attempt->key = NULL;
    attempt->spare = 0;
    attempt->accepted = NULL;
    if (!n) {
        return 1;
    }
    now = apr_time_now();
    i = pick(turn, now);
    if (i < 0) {
        i = await_key(turn, ai, air);
        now = apr_time_now();
    }
    if (i == -2) {
        return -1;
    }
    turn->key = i;
    turn->serial = i < 0 ? 0 : route_slot_read(&target->slots[i], air->r->pool, now, &attempt->key);
    if (!turn->serial) {
        turn->key = -1;
        ai->pass_over(air, attempt, is_any_aside(turn));
        return 0;
    }
    apr_atomic_inc64(&target->slots[i].uses);
    others = turn->tried | 1U << i;
    if (n > 1) {
        attempt->spare = (route_slot_good(target->slots, n, others, now) ? AI_SPARE_REFUSED : 0)
                         | (route_slot_fresh(target->slots, n, others, now) ? AI_SPARE_LIMITED : 0);
    }
    attempt->accepted = on_accepted;
    attempt->turn = turn;
    return 1;
}
