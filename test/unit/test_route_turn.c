/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_route_turn.c - which key is tried next, and which is set aside for what?
 *
 * Turns of route_turn.c with real slots (route_slot.c), against a provider that is played here: it
 * answers each key as a word says.
 */
#include <stdio.h>
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

/* The files themselves: they need three functions of httpd's, see below. */
#include "route_slot.c"
#include "route_turn.c"

#include "tap.h"

module AI_EXPORT ai_route_module;

static apr_time_t now_us = APR_INT64_C(1767225600000000);

/* In place of APR's: the clock moves when the router waits. */
apr_time_t apr_time_now(void)
{
    return now_us;
}

static char logged[512];
static const struct ap_logconf log_all = { NULL, APLOG_DEBUG };

/* In place of httpd's. */
void ap_log_rerror_(const char *file, int line, int module_index, int level, apr_status_t status,
                    const request_rec *r, const char *fmt, ...)
{
    apr_size_t n = strlen(logged);
    va_list args;

    (void)file;
    (void)line;
    (void)module_index;
    (void)status;
    (void)r;
    va_start(args, fmt);
    if (level == APLOG_WARNING) {
        apr_vsnprintf(logged + n, sizeof(logged) - n, fmt, args);
    }
    va_end(args);
}

/* --------------------------------------------------------------------- the core, played */

static const char *passed_over;
static route_slot_t *comes; /* the slot whose key comes in the third wait */
static int waits, leaves;

static void play_pass_over(ai_request_t *air, ai_attempt_t *attempt, int refused)
{
    (void)air;
    attempt->outcome = AI_OUTCOME_FAILED;
    passed_over = refused ? "refused" : "missing";
}

static int play_wait(ai_request_t *air, apr_interval_time_t us)
{
    ai_credential_t late = { AI_SLICE("k0-late"), 0 };

    (void)air;
    now_us += us;
    if (++waits == 3 && comes) {
        route_slot_put(comes, &late);
    }
    return !leaves;
}

static const ai_api_t played = {
    .version = AI_API_VERSION, .wait = play_wait, .pass_over = play_pass_over
};

/* ------------------------------------------------------------------------------ targets */

/* A target with so many keys, "k0", "k1" and so on, all from files. */
static route_target_t *make(apr_pool_t *p, int n)
{
    route_target_t *target = apr_pcalloc(p, sizeof(*target));
    int i;

    target->target.name = "t";
    target->aside_ms = 600000;
    target->keys = apr_array_make(p, n, sizeof(route_key_t *));
    target->weights = apr_pcalloc(p, sizeof(int) * (apr_size_t)n);
    target->slots = apr_pcalloc(p, sizeof(route_slot_t) * (apr_size_t)n);
    for (i = 0; i < n; i++) {
        route_key_t *key = apr_pcalloc(p, sizeof(*key));

        key->name = apr_psprintf(p, "k%d", i);
        key->limit_ms = 1000;
        key->credential.key = ai_slice_of(key->name);
        APR_ARRAY_PUSH(target->keys, route_key_t *) = key;
        route_slot_put(&target->slots[i], &key->credential);
        target->weights[i] = 1;
    }
    return target;
}

/* Answers one attempt. words: what each key gets: a status, or "x": the connection failed. */
static void answer(ai_attempt_t *attempt, const char *const words[])
{
    int i = attempt->key[1] - '0';
    int status = words[i][0] == 'x' ? 0 : (int)apr_atoi64(words[i]);
    int spared = (status == 402 || status == 403) ? attempt->spare & AI_SPARE_REFUSED
                 : status == 429                  ? attempt->spare & AI_SPARE_LIMITED
                                                  : 0;

    attempt->status = status;
    attempt->repeatable = 1;
    attempt->retryable = status != 401 && !strchr(words[i], 'q'); /* "429q": no quota */
    attempt->retry_after_ms = strchr(words[i], '+') ? apr_atoi64(strchr(words[i], '+') + 1) : -1;
    attempt->outcome = !status || status == 401 || status >= 500 || spared ? AI_OUTCOME_FAILED
                                                                           : AI_OUTCOME_ANSWERED;
    if (status && status < 300 && attempt->accepted) {
        attempt->accepted(attempt->turn);
    }
}

/* One turn: which keys were tried, and how it ended. */
static const char *turn_of(apr_pool_t *p, route_target_t *target, const char *const words[])
{
    ai_request_t *air = apr_pcalloc(p, sizeof(*air));
    ai_attempt_t attempt = { 0 };
    const char *trace = "";
    route_turn_t turn;
    int there;

    air->r = apr_pcalloc(p, sizeof(*air->r));
    air->r->pool = p;
    air->r->log = &log_all;
    attempt.target = &target->target;
    logged[0] = '\0';
    passed_over = NULL;
    route_turn_begin(&turn, air->r, attempt.target);
    do {
        there = route_turn_take(&turn, &played, air, &attempt);
        if (there <= 0) {
            return apr_pstrcat(p, trace, there ? "gone" : passed_over, NULL);
        }
        answer(&attempt, words);
        trace = apr_psprintf(p, "%s%s:%d ", trace, attempt.key, attempt.status);
    } while (route_turn_learn(&turn, &attempt));
    return apr_psprintf(p, "%s%s%s", trace,
                        attempt.outcome == AI_OUTCOME_ANSWERED ? "answered" : "failed",
                        attempt.retry_after_ms >= 0
                            ? apr_psprintf(p, "+%d", (int)attempt.retry_after_ms) : "");
}

/* The keys that are set aside, as text. */
static const char *asides(apr_pool_t *p, const route_target_t *target)
{
    const char *all = "";
    int i;

    for (i = 0; i < target->keys->nelts; i++) {
        if (route_slot_aside_until(&target->slots[i], now_us)) {
            all = apr_psprintf(p, "%sk%d", all, i);
        }
    }
    return all;
}

/* ------------------------------------------------------------------------------ the tests */

static void test_answers(apr_pool_t *p)
{
    /* A new target's keys are taken in the order k0 k2 k1. */
    static const struct {
        const char *what;
        const char *words[3];
        const char *want, *aside;
    } cases[] = {
        { "well", { "200", "200", "200" }, "k0:200 answered", "" },
        { "another status is nobody's fault", { "404", "200", "200" }, "k0:404 answered", "" },
        { "a failure is not the key's", { "503", "200", "200" }, "k0:503 failed", "" },
        { "no connection, neither", { "x", "200", "200" }, "k0:0 failed", "" },
        { "401: another key, and it is set aside", { "401", "200", "200" },
          "k0:401 k2:200 answered", "k0" },
        { "401 twice", { "401", "200", "401" }, "k0:401 k2:401 k1:200 answered", "k0k2" },
        { "401 of all", { "401", "401", "401" }, "k0:401 k2:401 k1:401 failed", "k0k1k2" },
        { "402: set aside since another is accepted", { "402", "200", "200" },
          "k0:402 k2:200 answered", "k0" },
        { "403 twice, then one is accepted", { "403", "200", "403" },
          "k0:403 k2:403 k1:200 answered", "k0k2" },
        { "403 of all: it may be the request", { "403", "403", "403" },
          "k0:403 k2:403 k1:403 answered", "" },
        { "402, then a failure: nothing is proved", { "402", "200", "503" }, "k0:402 k2:503 failed",
          "" },
        { "401 and 403 of the others", { "401", "403", "403" }, "k0:401 k2:403 k1:403 answered",
          "k0" },
        { "429: another key", { "429+9000", "200", "200" }, "k0:429 k2:200 answered", "" },
        { "429 of all: the caller's", { "429+9000", "429+5000", "429+7000" },
          "k0:429 k2:429 k1:429 answered+5000", "" },
        { "429 without quota, another accepted", { "429q", "200", "200" }, "k0:429 k2:200 answered",
          "k0" },
        { "429 without quota of all", { "429q", "429q", "429q" }, "k0:429 k2:429 k1:429 answered",
          "" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        route_target_t *target = make(p, 3);
        const char *got = turn_of(p, target, cases[i].words);

        if (!ok(strcmp(got, cases[i].want) == 0 && strcmp(asides(p, target), cases[i].aside) == 0,
                "%s", cases[i].what)) {
            printf("# got  %s, aside %s\n# want %s, aside %s\n", got, asides(p, target),
                   cases[i].want, cases[i].aside);
        }
    }
}

static void test_alone(apr_pool_t *p)
{
    static const char *const dead[] = { "401" }, *const poor[] = { "402" }, *const well[] = { "200" };
    static const char *const full[] = { "429+3000" };
    ai_credential_t other = { AI_SLICE("k0-new"), 0 };
    route_target_t *target = make(p, 1);

    ok(strcmp(turn_of(p, target, poor), "k0:402 answered") == 0 && !*asides(p, target),
       "the only key is not set aside for a 402");
    ok(strcmp(turn_of(p, target, full), "k0:429 answered+3000") == 0, "429 is the caller's");
    ok(strcmp(turn_of(p, target, well), "k0:200 answered") == 0, "and it is taken though it rests");
    ok(strcmp(turn_of(p, target, dead), "k0:401 failed") == 0, "401");
    ok(strstr(logged, "target t: key k0 was refused with status 401; it is set aside for 10min")
       && !strstr(logged + 1, "AI05"), "one line says so");
    ok(strcmp(turn_of(p, target, well), "refused") == 0 && waits == 0, "then nobody is asked");
    now_us += apr_time_from_sec(601);
    ok(strcmp(turn_of(p, target, well), "k0:200 answered") == 0, "until its time is over");
    turn_of(p, target, dead);
    route_slot_put(target->slots, &other);
    ok(strcmp(turn_of(p, target, well), "k0-new:200 answered") == 0, "or another key comes");
    ok(target->slots->uses == 7 && target->slots->refusals == 3 && target->slots->limits == 1
       && target->slots->asides == 2, "all was counted");
}

static void test_first(apr_pool_t *p)
{
    static const char *const well[] = { "200", "200", "200", "200", "200", "200", "200", "200", "200" };
    route_target_t *target = make(p, 1);
    route_key_t *key = APR_ARRAY_IDX(target->keys, 0, route_key_t *);
    apr_time_t began;

    memset(target->slots, 0, sizeof(route_slot_t));
    ok(strcmp(turn_of(p, target, well), "missing") == 0 && waits == 0,
       "a file without a key is not waited for");
    key->source = ROUTE_SOURCE_EXEC;
    comes = target->slots;
    ok(strcmp(turn_of(p, target, well), "k0-late:200 answered") == 0 && waits == 3,
       "the first key of a program is");
    memset(target->slots, 0, sizeof(route_slot_t));
    comes = NULL;
    began = now_us;
    ok(strcmp(turn_of(p, target, well), "missing") == 0 && now_us - began >= apr_time_from_sec(1)
       && now_us - began <= apr_time_from_sec(4), "but not for ever");
    waits = 0;
    target->slots->failed = 1;
    ok(strcmp(turn_of(p, target, well), "missing") == 0 && waits == 0,
       "nor when the program has failed");
    target->slots->failed = 0;
    leaves = 1;
    ok(strcmp(turn_of(p, target, well), "gone") == 0, "nor when the caller leaves");
    leaves = 0;
}

/* The key changes while the provider looks at the old one. */
static void test_change(apr_pool_t *p)
{
    route_target_t *target = make(p, 1);
    ai_credential_t other = { AI_SLICE("k0-new"), 0 };
    ai_attempt_t attempt = { 0 };
    ai_request_t air = { 0 };
    route_turn_t turn;

    air.r = apr_pcalloc(p, sizeof(*air.r));
    air.r->pool = p;
    air.r->log = &log_all;
    route_turn_begin(&turn, air.r, &target->target);
    route_turn_take(&turn, &played, &air, &attempt);
    route_slot_put(target->slots, &other);
    attempt.status = 401;
    attempt.repeatable = 1;
    attempt.outcome = AI_OUTCOME_FAILED;
    logged[0] = '\0';
    ok(route_turn_learn(&turn, &attempt) == 1, "a key that was changed meanwhile is tried again");
    ok(route_turn_take(&turn, &played, &air, &attempt) == 1 && strcmp(attempt.key, "k0-new") == 0,
       "with its new text");
    ok(!logged[0] && !*asides(p, target), "and is not set aside for the old one");
    ok(!route_turn_learn(&turn, &attempt) && strcmp(asides(p, target), "k0") == 0,
       "but when the new one is refused, too");
}

static void test_once(apr_pool_t *p)
{
    route_target_t *target = make(p, 2);
    ai_attempt_t attempt = { 0 };
    ai_request_t air = { 0 };
    route_turn_t turn;

    air.r = apr_pcalloc(p, sizeof(*air.r));
    air.r->pool = p;
    air.r->log = &log_all;
    route_turn_begin(&turn, air.r, &target->target);
    ok(route_turn_take(&turn, &played, &air, &attempt) == 1 && attempt.spare == 3,
       "another key is there");
    attempt.status = 401;
    attempt.outcome = AI_OUTCOME_FAILED;
    attempt.repeatable = 0;
    ok(!route_turn_learn(&turn, &attempt), "what cannot be sent again is not");
    target = make(p, 0);
    route_turn_begin(&turn, air.r, &target->target);
    ok(route_turn_take(&turn, &played, &air, &attempt) == 1 && !attempt.key && !attempt.spare
       && !attempt.accepted, "a target without keys");
    attempt.status = 401;
    ok(!route_turn_learn(&turn, &attempt), "has nothing to learn");
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    test_answers(p);
    test_alone(p);
    test_first(p);
    test_change(p);
    test_once(p);
    apr_terminate();
    return done();
}
