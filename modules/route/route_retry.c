/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_retry.c - whom to try next, and when?
 *
 * While another target is left nobody waits: a failure moves on at once. Only when all have
 * failed is there a wait, and the list is gone through again. A target that asked for time
 * (Retry-After) is left out until that has passed; one that let a deadline pass, or said that
 * trying again is no use, is not tried again.
 *
 *   AIRoute m a b; AIRouteRetries 1:   a 503, b 429 Retry-After 2   wait 0.4 s   a 200
 *
 * Where a target has several keys, its turn may take more than one attempt (route_turn.c).
 *
 * Lives in: r->pool.  Shared state: none.  May block: waiting, with the caller watched.
 */

#include <apr_strings.h>
#include <http_core.h>

#include "route_private.h"
#include "route_retry.h"
#include "route_target.h"
#include "route_turn.h"

#define BACKOFF_BASE_MS 500

/* What is known of one target during this request. */
typedef struct runner_t {
    const ai_target_t *target;
    int out;        /* 1: not to be tried again */
    int backs_off;  /* 1: it failed in this round without naming a time */
    apr_time_t due; /* not before then */
} runner_t;

apr_int64_t route_retry_backoff(int round, apr_int64_t cap_ms, unsigned random)
{
    apr_int64_t ms = BACKOFF_BASE_MS;

    while (--round > 0 && ms < cap_ms) {
        ms *= 2;
    }
    if (ms > cap_ms) {
        ms = cap_ms;
    }
    return ms / 2 + ms / 2 * (apr_int64_t)(random & 0xffff) / 0xffff;
}

/* 1 when a runner from i on may be tried now. */
static int any_left(const runner_t *runners, int n, int i, apr_time_t now)
{
    for (; i < n; i++) {
        if (!runners[i].out && runners[i].due <= now) {
            return 1;
        }
    }
    return 0;
}

static void learn(runner_t *runner, const ai_attempt_t *attempt)
{
    runner->out = attempt->timed_out || !attempt->retryable;
    runner->backs_off = attempt->retry_after_ms < 0;
    if (!runner->backs_off) {
        runner->due = apr_time_now() + apr_time_from_msec(attempt->retry_after_ms);
    }
}

static void note_attempt(const ai_api_t *ai, ai_request_t *air, const ai_attempt_t *attempt, int n)
{
    ai->note_set(air, AI_NOTE_TARGET, attempt->target->name);
    ai->note_set_number(air, AI_NOTE_ATTEMPTS, n);
    if (attempt->model || air->ask.model) {
        ai->note_set(air, AI_NOTE_MODEL_SERVED, attempt->model ? attempt->model : air->ask.model);
    }
}

/* A target's turn: with one of its keys, and with others while an answer blames the key. 0 when there
 * is nothing left to do: it has answered, or the caller left. */
static int take_turn(const ai_api_t *ai, ai_request_t *air, ai_attempt_t *attempt, int *tries)
{
    route_turn_t turn;
    int is_there;

    route_turn_begin(&turn, air->r, attempt->target);
    do {
        is_there = route_turn_take(&turn, ai, air, attempt);
        if (is_there <= 0) {
            return is_there == 0;
        }
        note_attempt(ai, air, attempt, ++*tries);
        ai->exchange(air, attempt);
    } while (route_turn_learn(&turn, attempt));
    return attempt->outcome == AI_OUTCOME_FAILED;
}

/* Ends a round: all that back off do so until one moment, so that the next round has them all.
 * Returns when the first of those that are left may be tried, or 0 when none ever may. */
static apr_time_t next_due(runner_t *runners, int n, apr_time_t backoff_end)
{
    apr_time_t due = 0;
    int i;

    for (i = 0; i < n; i++) {
        if (runners[i].backs_off) {
            runners[i].due = backoff_end;
            runners[i].backs_off = 0;
        }
        if (!runners[i].out && (!due || runners[i].due < due)) {
            due = runners[i].due;
        }
    }
    return due;
}

static int wait_for(const ai_api_t *ai, ai_request_t *air, apr_interval_time_t microseconds)
{
    ai->explain(air, "forward", "wait",
                apr_psprintf(air->r->pool, "%dms", (int)apr_time_as_msec(microseconds)));
    return ai->wait(air, microseconds);
}

int route_retry_run(const ai_api_t *ai, ai_request_t *air, const apr_array_header_t *targets,
                    int rounds, apr_int64_t longest_wait_ms,
                    int (*moves_on)(const void *baton, int status), const void *baton)
{
    int n = targets->nelts, round, i, tries = 0;
    runner_t *runners = apr_pcalloc(air->r->pool, (apr_size_t)n * sizeof(*runners));
    ai_attempt_t attempt = { 0 };

    for (i = 0; i < n; i++) {
        runners[i].target = APR_ARRAY_IDX(targets, i, const ai_target_t *);
    }
    for (round = 0;; round++) {
        apr_time_t now = apr_time_now(), due;
        apr_int64_t backoff_ms;

        for (i = 0; i < n; i++) {
            if (runners[i].out || runners[i].due > now) {
                ai->explain(air, "forward", runners[i].out ? "not-again" : "not-yet",
                            runners[i].target->name);
                continue;
            }
            attempt.target = runners[i].target;
            attempt.model = route_target_model(attempt.target, air->ask.model);
            attempt.final = round == rounds && !any_left(runners, n, i + 1, now);
            attempt.moves_on = moves_on;
            attempt.baton = baton;
            if (!take_turn(ai, air, &attempt, &tries)) {
                return DONE;
            }
            learn(&runners[i], &attempt);
        }
        /* Only now: httpd's random numbers cost as much as a tenth of a request. */
        backoff_ms = route_retry_backoff(round + 1, longest_wait_ms, ap_random_pick(0, 0xffff));
        now = apr_time_now();
        due = next_due(runners, n, now + apr_time_from_msec(backoff_ms));
        if (round == rounds || !due || due - now > apr_time_from_msec(longest_wait_ms)) {
            return ai->give_up(air, &attempt);
        }
        if (due > now && !wait_for(ai, air, due - now)) {
            return DONE;
        }
    }
}
