/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_jwks.c - which keys does an issuer have now?
 *
 * What is fetched is the slot's (auth_slot.c), in shared memory. Here each child keeps its own
 * reading of it, and a thread that looks at the slots: it reads what is new there, and where a set
 * is due and nobody else has it in hand, it fetches. Requests that have nothing to verify with wait
 * for that thread, for a while that is the same however many there are.
 *
 * Lives in: the configuration pool; readings in pools of their own.
 * Shared state: the slots; in a child its readings (auth_held.c) and who waits, by a lock.
 * May block: auth_jwks_await() and _renew(), as long as asked; the thread, on issuers.
 */

#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <httpd.h>
#include <http_log.h>

#include "auth_fetch.h"
#include "auth_held.h"
#include "auth_jwks.h"
#include "auth_private.h"
#include "auth_slot.h"
#include "ai_thread.h"

/* How often the thread looks what other children have fetched: while nobody waits, and while one
 * does. */
#define LOOK_EVERY apr_time_from_sec(1)
#define LOOK_OFTEN apr_time_from_msec(5)

struct auth_jwks_t {
    const char *url;
    const char *ca_file;
    int near;
    auth_held_t *held;
    auth_slot_t *slot;       /* set in post_config */
    volatile apr_uint32_t generation; /* of the slot, as it was read last; by atomics */
    apr_time_t asked;        /* what the fetch that is under way will answer; of the thread alone */
    int fetching;            /* this child has the slot in hand; of the thread alone */
    auth_jwks_t *next;
};

/* Of the configuration in force. */
static auth_jwks_t *sets;

/* Of this child process. */
static struct {
    server_rec *s;
    apr_thread_mutex_t *lock; /* of waiting */
    apr_thread_cond_t *changed;
    int waiting;              /* requests */
    auth_fetcher_t *fetcher;  /* NULL: nothing is fetched by this child */
    apr_pool_t *pool;         /* of the thread, for what it has in hand */
} child;

void auth_jwks_begin(void)
{
    sets = NULL;
    memset(&child, 0, sizeof(child));
}

/* ------------------------------------------------------------------- at configuration */

static int is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

auth_jwks_t *auth_jwks_add(cmd_parms *cmd, const char *url, const char *ca_file, int near,
                           const char **wrong)
{
    auth_jwks_t *set;

    for (set = sets; set; set = set->next) {
        if (strcmp(set->url, url) == 0) {
            if (!is_same(set->ca_file, ca_file)) {
                *wrong = "another <AIAuthIssuer> has this URL with another AIAuthCAFile";
                return NULL;
            }
            return set;
        }
    }
    set = apr_pcalloc(cmd->pool, sizeof(*set));
    set->url = url;
    set->ca_file = ca_file;
    set->near = near;
    set->held = auth_held_create(cmd->pool);
    if (!set->held) {
        *wrong = "no memory";
        return NULL;
    }
    set->next = sets;
    sets = set;
    return set;
}

void auth_jwks_share(apr_pool_t *p, server_rec *s)
{
    const char **urls;
    auth_jwks_t *set;
    int i, n = 0;

    for (set = sets; set; set = set->next) {
        n++;
    }
    if (!n) {
        return;
    }
    urls = apr_palloc(p, (apr_size_t)n * sizeof(*urls));
    for (set = sets, i = 0; set; set = set->next) {
        urls[i++] = set->url;
    }
    auth_slots_share(p, s, urls, n);
    for (set = sets; set; set = set->next) {
        set->slot = auth_slot_find(set->url);
    }
}

/* ------------------------------------------------------------------------- the reading */

static const ai_jwks_t *read_set(apr_pool_t *pool, ai_slice_t text, const char **wrong)
{
    const ai_jwks_t *jwks = ai_jwks_read(pool, text, wrong);

    if (jwks && !ai_jwks_count(jwks)) {
        *wrong = "the set holds no key that this gateway can use";
        return NULL;
    }
    if (jwks && ai_jwks_secret(jwks)) {
        *wrong = "the set holds secrets: what is at a URL is no secret; put them into a file";
        return NULL;
    }
    return jwks;
}

/* Reads what is in the slot, where that is new. */
static void catch_up(auth_jwks_t *set)
{
    const ai_jwks_t *jwks = NULL;
    const char *wrong;
    apr_uint32_t generation;
    ai_slice_t text;
    apr_pool_t *pool;

    if (auth_slot_generation(set->slot) == set->generation) {
        return;
    }
    pool = auth_held_pool();
    if (!pool) {
        return;
    }
    if (!auth_slot_read(set->slot, set->url, pool, &text, &generation)) {
        apr_pool_destroy(pool); /* it changed meanwhile: next time */
        return;
    }
    jwks = read_set(pool, text, &wrong);
    if (jwks) {
        auth_held_replace(set->held, pool, jwks);
    }
    else {
        apr_pool_destroy(pool);
    }
    apr_atomic_set32(&set->generation, generation);
}

/* --------------------------------------------------------------------------- fetching */

static void log_failure(const auth_jwks_t *set, const char *why, apr_interval_time_t again)
{
    int seconds = (int)apr_time_sec(again + APR_USEC_PER_SEC - 1); /* rounded up */

    if (auth_slot_is_usable(set->slot, apr_time_now())) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, child.s,
                     AI_LOGNO(0221) "AIAuthJWKS %s: %s; the keys that were fetched before go on, "
                     "once more in %d s", set->url, why, seconds);
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, child.s,
                 AI_LOGNO(0222) "AIAuthJWKS %s: %s; there are no keys, once more in %d s", set->url,
                 why, seconds);
}

static void fail(auth_jwks_t *set, const char *why)
{
    log_failure(set, why, auth_slot_fail(set->slot, set->asked));
}

static void take(auth_jwks_t *set, const auth_fetched_t *fetched)
{
    apr_pool_t *pool = auth_held_pool();
    const ai_jwks_t *jwks;
    const char *wrong = "no memory";
    int n;

    jwks = pool ? read_set(pool, fetched->body, &wrong) : NULL;
    if (!jwks) {
        fail(set, wrong);
    }
    else {
        n = ai_jwks_count(jwks);
        if (auth_slot_write(set->slot, fetched->body, fetched->max_age, set->asked)) {
            ap_log_error(APLOG_MARK, APLOG_INFO, 0, child.s,
                         AI_LOGNO(0220) "AIAuthJWKS %s: %d keys, fetched", set->url, n);
        }
    }
    if (pool) {
        apr_pool_destroy(pool);
    }
}

static void begin(auth_jwks_t *set)
{
    if (!auth_slot_claim(set->slot, set->url, &set->asked)) {
        return;
    }
    if (!auth_fetch_begin(child.fetcher, set->url, set->ca_file, set->near, set)) {
        fail(set, "libcurl does not take the request");
        auth_slot_let_go(set->slot);
        return;
    }
    set->fetching = 1;
}

static void finish(void)
{
    auth_fetched_t fetched;

    while (auth_fetcher_next(child.fetcher, child.pool, &fetched)) {
        auth_jwks_t *set = fetched.baton;

        if (fetched.wrong) {
            fail(set, fetched.wrong);
        }
        else {
            take(set, &fetched);
        }
        set->fetching = 0;
        auth_slot_let_go(set->slot);
        apr_pool_clear(child.pool);
    }
}

/* -------------------------------------------------------------------------- the thread */

static int count_waiting(void)
{
    int n;

    apr_thread_mutex_lock(child.lock);
    n = child.waiting;
    apr_thread_mutex_unlock(child.lock);
    return n;
}

static void tell_waiting(void)
{
    apr_thread_mutex_lock(child.lock);
    if (child.waiting) {
        apr_thread_cond_broadcast(child.changed);
    }
    apr_thread_mutex_unlock(child.lock);
}

static void run(ai_thread_t *thread, void *data)
{
    auth_jwks_t *set;

    (void)data;
    ai_thread_name("ai-auth-issuers");
    while (!ai_thread_over(thread)) {
        for (set = sets; set; set = set->next) {
            if (!set->fetching && auth_slot_is_due(set->slot)) {
                begin(set);
            }
        }
        auth_fetcher_run(child.fetcher, count_waiting() ? LOOK_OFTEN : LOOK_EVERY);
        finish();
        for (set = sets; set; set = set->next) {
            catch_up(set);
        }
        tell_waiting();
    }
}

static void wake(void *data)
{
    (void)data;
    auth_fetcher_wake(child.fetcher);
}

void auth_jwks_start(apr_pool_t *p, server_rec *s)
{
    auth_jwks_t *set;
    apr_status_t rv;

    if (!sets) {
        return;
    }
    child.s = s;
    for (set = sets; set; set = set->next) {
        catch_up(set); /* what is there serves the first request */
    }
    rv = apr_thread_mutex_create(&child.lock, APR_THREAD_MUTEX_UNNESTED, p);
    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&child.changed, p);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_pool_create(&child.pool, p);
    }
    if (rv == APR_SUCCESS) {
        child.fetcher = auth_fetcher_create(p);
        rv = child.fetcher ? APR_SUCCESS : APR_ENOMEM;
    }
    if (rv == APR_SUCCESS) {
        ai_thread_start(p, run, wake, NULL, &rv);
    }
    if (rv != APR_SUCCESS) {
        child.fetcher = NULL;
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     AI_LOGNO(0223) "no thread to fetch the keys of issuers: this child has those "
                     "that are there, and no others");
    }
}

/* ------------------------------------------------------------------------- for requests */

/* A child of an old generation whose slot is another URL's now goes on with what it has. */
static const ai_jwks_t *hold(auth_jwks_t *set, apr_pool_t *p, apr_uint32_t *number)
{
    if (auth_slot_is_of(set->slot, set->url) && !auth_slot_is_usable(set->slot, apr_time_now())) {
        return NULL;
    }
    return auth_held_take(set->held, p, number);
}

/* What a request waits for. */
typedef struct wish_t {
    auth_jwks_t *set;
    apr_uint32_t number; /* another reading than that one */
    apr_time_t asked;    /* or the answer to that, whatever it is */
} wish_t;

static void await(const wish_t *wish, apr_time_t until, int (*is_over)(const wish_t *wish))
{
    apr_interval_time_t left;

    if (!child.fetcher) {
        return;
    }
    apr_thread_mutex_lock(child.lock);
    child.waiting++;
    auth_fetcher_wake(child.fetcher);
    while (!is_over(wish) && (left = until - apr_time_now()) > 0) {
        apr_thread_cond_timedwait(child.changed, child.lock, left);
    }
    child.waiting--;
    apr_thread_mutex_unlock(child.lock);
}

/* 1 when what is in the slot is what has been read here. */
static int is_current(auth_jwks_t *set)
{
    return auth_slot_generation(set->slot) == apr_atomic_read32(&set->generation);
}

/* There is a set, and this child has read it; or an attempt has failed, and the next is not due. */
static int is_there(const wish_t *wish)
{
    const auth_slot_t *slot = wish->set->slot;

    if (!auth_slot_is_of(slot, wish->set->url)) {
        return 1; /* nothing will come */
    }
    return auth_slot_is_usable(slot, apr_time_now()) ? is_current(wish->set)
                                                     : auth_slot_rests(slot);
}

const ai_jwks_t *auth_jwks_await(auth_jwks_t *set, apr_pool_t *p, apr_uint32_t *number,
                                 apr_interval_time_t time)
{
    wish_t wish = { .set = set };

    if (!is_there(&wish)) {
        await(&wish, auth_slot_begun(set->slot) + time, is_there);
    }
    return hold(set, p, number);
}

/* Another reading is there; or what was asked is answered, and the answer has been read. */
static int is_renewed(const wish_t *wish)
{
    auth_jwks_t *set = wish->set;

    return !auth_slot_is_of(set->slot, set->url) || auth_held_number(set->held) != wish->number
           || (auth_slot_has_answered(set->slot, wish->asked) && is_current(set));
}

const ai_jwks_t *auth_jwks_renew(auth_jwks_t *set, apr_pool_t *p, apr_uint32_t *number,
                                 apr_interval_time_t time)
{
    wish_t wish = { set, *number, auth_slot_ask(set->slot) };
    const ai_jwks_t *jwks;

    await(&wish, wish.asked + time, is_renewed);
    jwks = hold(set, p, number);
    return *number != wish.number ? jwks : NULL;
}
