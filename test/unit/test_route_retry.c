/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_route_retry.c - whom does the router try next, when, and when does it stop?
 *
 * The rounds of route_retry.c, run against a core that is played here: attempts end as a script
 * says, and time passes only when the router waits.
 */
#include <stdio.h>
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

/* The file itself: it needs two functions of httpd's and one of its neighbour's, see below. */
#include "route_retry.c"

#include "tap.h"

module AI_EXPORT ai_route_module;

static apr_time_t now_us = APR_INT64_C(1000000000000);

/* In place of APR's: the clock stands still between waits. */
apr_time_t apr_time_now(void)
{
    return now_us;
}

/* In place of httpd's: the longest back-off that jitter allows. */
apr_uint32_t ap_random_pick(apr_uint32_t min, apr_uint32_t max)
{
    (void)min;
    return max;
}

const char *route_target_model(const ai_target_t *target, const char *asked)
{
    (void)asked;
    return strcmp(target->name, "c") == 0 ? "renamed" : NULL;
}

/* In place of the neighbour that picks keys: a target has none (test_route_turn.c has those). */
void route_turn_begin(route_turn_t *turn, const request_rec *r, const ai_target_t *target)
{
    turn->r = r;
    turn->target = (const route_target_t *)target;
}

int route_turn_take(route_turn_t *turn, const ai_api_t *ai, ai_request_t *air,
                    ai_attempt_t *attempt)
{
    (void)ai;
    (void)air;
    return turn->target->target.name == attempt->target->name;
}

int route_turn_learn(route_turn_t *turn, ai_attempt_t *attempt)
{
    (void)turn;
    (void)attempt;
    return 0;
}

/* ---------------------------------------------------------------------- the core, played */

static const char *script;     /* how the next attempts end, a word each */
static char trace[256];        /* what was done: targets (with '!' the final one), waits */
static char notes[256];        /* the last notes: target attempts model */
static const char *note_target, *note_model;
static apr_int64_t note_attempts;

static void say(const char *format, apr_int64_t number, const char *text)
{
    apr_size_t n = strlen(trace);

    apr_snprintf(trace + n, sizeof(trace) - n, "%s", n ? " " : "");
    n = strlen(trace);
    if (text) {
        apr_snprintf(trace + n, sizeof(trace) - n, format, text);
    }
    else {
        apr_snprintf(trace + n, sizeof(trace) - n, format, number);
    }
}

static void play_note_set(ai_request_t *air, ai_note_e note, const char *value)
{
    (void)air;
    if (note == AI_NOTE_TARGET) {
        note_target = value;
    }
    else if (note == AI_NOTE_MODEL_SERVED) {
        note_model = value;
    }
}

static void play_note_set_number(ai_request_t *air, ai_note_e note, apr_int64_t value)
{
    (void)air;
    if (note == AI_NOTE_ATTEMPTS) {
        note_attempts = value;
    }
}

/* Words of the script: ok, gone, fail, late (a time-out), never (not retryable), or a number: the
 * milliseconds that the target asked for. */
static void play_exchange(ai_request_t *air, ai_attempt_t *attempt)
{
    apr_size_t n = strcspn(script, " ");
    char word[16];

    (void)air;
    apr_cpystrn(word, script, n + 1 < sizeof(word) ? n + 1 : sizeof(word));
    script += n + (script[n] == ' ');
    say(attempt->final ? "%s!" : "%s", 0, attempt->target->name);
    attempt->outcome = strcmp(word, "ok") == 0     ? AI_OUTCOME_ANSWERED
                       : strcmp(word, "gone") == 0 ? AI_OUTCOME_GONE
                                                   : AI_OUTCOME_FAILED;
    attempt->timed_out = strcmp(word, "late") == 0;
    attempt->retryable = strcmp(word, "never") != 0;
    attempt->retry_after_ms = word[0] >= '0' && word[0] <= '9' ? apr_atoi64(word) : -1;
}

static int leaves_in_wait;

static int play_wait(ai_request_t *air, apr_interval_time_t microseconds)
{
    (void)air;
    say("wait%" APR_INT64_T_FMT, apr_time_as_msec(microseconds), NULL);
    now_us += microseconds;
    return !leaves_in_wait;
}

static int play_give_up(ai_request_t *air, const ai_attempt_t *last)
{
    (void)air;
    say("give-up-%s", 0, last->target->name);
    return 502;
}

static void play_explain(ai_request_t *air, const char *stage, const char *decision,
                         const char *reason)
{
    (void)air;
    (void)stage;
    (void)decision;
    (void)reason;
}

static const ai_api_t played = {
    .version = AI_API_VERSION,
    .note_set = play_note_set,
    .note_set_number = play_note_set_number,
    .exchange = play_exchange,
    .wait = play_wait,
    .give_up = play_give_up,
    .explain = play_explain,
};

/* ------------------------------------------------------------------------------- the tests */

static int never_moves_on(const void *baton, int status)
{
    (void)baton;
    (void)status;
    return 0;
}

static int run(apr_pool_t *pool, const char *names, int rounds, apr_int64_t longest_ms,
               const char *how)
{
    ai_request_t *air = apr_pcalloc(pool, sizeof(*air));
    apr_array_header_t *targets = apr_array_make(pool, 3, sizeof(const ai_target_t *));

    air->r = apr_pcalloc(pool, sizeof(*air->r));
    air->r->pool = pool;
    air->ask.model = "asked";
    for (; *names; names++) {
        ai_target_t *target = apr_pcalloc(pool, sizeof(*target));

        target->name = apr_pstrmemdup(pool, names, 1);
        APR_ARRAY_PUSH(targets, const ai_target_t *) = target;
    }
    script = how;
    trace[0] = '\0';
    return route_retry_run(&played, air, targets, rounds, longest_ms, never_moves_on, NULL);
}

static void test_rounds(apr_pool_t *pool)
{
    static const struct {
        const char *targets;
        int rounds;
        apr_int64_t longest_ms;
        const char *script, *want;
        int status;
        const char *what;
    } cases[] = {
        { "abc", 1, 8000, "ok", "a", DONE, "the first answers" },
        { "abc", 1, 8000, "fail fail ok", "a b c", DONE, "no wait while another target is left" },
        { "abc", 1, 8000, "fail gone", "a b", DONE, "the caller left: nobody else is asked" },
        { "a", 0, 8000, "fail", "a! give-up-a", 502, "no round: the only attempt is final" },
        { "ab", 0, 8000, "fail fail", "a b! give-up-b", 502, "no round: the last is final" },
        { "ab", 1, 8000, "fail fail fail fail", "a b wait500 a b! give-up-b", 502,
          "one more round, after half a second" },
        { "a", 3, 8000, "fail fail fail ok", "a wait500 a wait1000 a wait2000 a!", DONE,
          "the wait doubles" },
        { "a", 4, 800, "fail fail fail fail fail",
          "a wait500 a wait800 a wait800 a wait800 a! give-up-a", 502, "up to the longest" },
        { "a", 2, 0, "fail fail fail", "a a a! give-up-a", 502, "no wait where none is wanted" },
        { "a", 1, 8000, "2000 ok", "a wait2000 a!", DONE, "a target's own wish" },
        { "a", 1, 8000, "0 ok", "a a!", DONE, "a target that may be asked again at once" },
        { "a", 1, 8000, "9000", "a give-up-a", 502, "a wish beyond the longest wait ends it" },
        { "ab", 1, 8000, "9000 fail ok", "a b wait500 b!", DONE,
          "who wants more time is left out, and the rest is final" },
        { "ab", 1, 8000, "100 3000 fail", "a b wait100 a! give-up-a", 502,
          "the one that is due first" },
        { "ab", 1, 8000, "late fail ok", "a b wait500 b!", DONE, "a time-out is not tried again" },
        { "ab", 1, 8000, "never late", "a b give-up-b", 502, "nobody is left: no wait" },
        { "ab", 10, 8000, "never fail never", "a b wait500 b give-up-b", 502,
          "one that says so is out for good" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int status = run(pool, cases[i].targets, cases[i].rounds, cases[i].longest_ms,
                         cases[i].script);

        if (!ok(strcmp(trace, cases[i].want) == 0 && status == cases[i].status, "%s",
                cases[i].what)) {
            printf("# got  %s (%d)\n# want %s (%d)\n", trace, status, cases[i].want,
                   cases[i].status);
        }
        ok(!*script, "%s: and no attempt less", cases[i].what);
    }
}

static void test_the_rest(apr_pool_t *pool)
{
    leaves_in_wait = 1;
    ok(run(pool, "ab", 1, 8000, "fail fail") == DONE && strcmp(trace, "a b wait500") == 0,
       "a caller who leaves in a wait ends it");
    leaves_in_wait = 0;
    run(pool, "ac", 1, 8000, "fail ok");
    apr_snprintf(notes, sizeof(notes), "%s %d %s", note_target, (int)note_attempts, note_model);
    is_bytes(notes, strlen(notes), "c 2 renamed", 11, "notes of who answered");
    run(pool, "a", 1, 8000, "ok");
    apr_snprintf(notes, sizeof(notes), "%s %d %s", note_target, (int)note_attempts, note_model);
    is_bytes(notes, strlen(notes), "a 1 asked", 9, "notes of who answered, not renamed");
}

static void test_backoff(void)
{
    int round;
    unsigned random;

    is_number(route_retry_backoff(1, 8000, 0), 250, "jitter takes half at most");
    is_number(route_retry_backoff(1, 8000, 0xffff), 500, "and nothing at least");
    is_number(route_retry_backoff(5, 8000, 0xffff), 8000, "500, 1000, 2000, 4000, 8000");
    is_number(route_retry_backoff(1000000000, 8000, 0xffff), 8000, "never more than the cap");
    is_number(route_retry_backoff(1, 0, 0xffff), 0, "a cap of 0 is no wait");
    for (round = 1; round < 70; round++) {
        for (random = 0; random <= 0xffff; random += 0x1111) {
            apr_int64_t ms = route_retry_backoff(round, AI_MINUTES_MS(5), random);

            if (ms < 250 || ms > AI_MINUTES_MS(5)) {
                ok(0, "round %d, random %u: %d ms", round, random, (int)ms);
                return;
            }
        }
    }
    ok(1, "every round stays within half a base and the cap");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_rounds(pool);
    test_the_rest(pool);
    test_backoff();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
