/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_source.c - has a key changed where it comes from?
 *
 * Each child has one thread that looks: whether a file is another one, whether a program is due.
 * Who finds something to do takes the slot's lease, so that one child of the server reads the file
 * or runs the program, and all have the new key at once. A child that ends in the middle leaves a
 * lease that runs out. So nothing runs as root, nothing needs a process of its own, and a vault is
 * asked once however many children there are.
 *
 * What goes wrong changes nothing: the key that is there goes on, until it expires.
 *
 * Lives in: the child's pool; each run in one of its own.
 * Shared state: slots (route_slot.h).  May block: when a child begins and ends; the thread always.
 */

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <apr_atomic.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>

#include "ai_program.h"
#include "ai_thread.h"
#include "ai_watched_file.h"
#include "ai_when.h"
#include "route_custody.h"
#include "route_key.h"
#include "route_private.h"
#include "route_source.h"

#define LOOK_EVERY apr_time_from_sec(1)
/* Longest work on a file. */
#define FILE_LEASE apr_time_from_sec(5)
/* Longer than a program may take: its killing, and a thread that is not on time. */
#define EXEC_LEASE_MORE apr_time_from_sec(10)
/* A key without an end is asked for again after this long, where no every= says otherwise. */
#define EXEC_EVERY_MS AI_MINUTES_MS(5)
/* A program that failed: at first, doubled each time, at most. */
#define RETRY_MS 1000
#define RETRY_MAX_MS AI_MINUTES_MS(1)
/* Never oftener, however soon keys expire. */
#define PAUSE_MIN_MS 500

typedef struct source_t {
    const route_key_t *key;
    route_slot_t *slot;
    ai_program_t *program; /* under way, or NULL */
    apr_pool_t *pool;      /* of that run */
} source_t;

typedef struct keeper_t {
    server_rec *s;
    apr_pool_t *pool;            /* of the thread alone */
    apr_pool_t *scratch;
    apr_array_header_t *sources; /* of source_t */
    struct pollfd *polled;       /* one more than sources: the first is wake[0] */
    int wake[2];                 /* closed at its writing end when the thread is to end */
} keeper_t;

/* -------------------------------------------------------------------------- what is said */

static apr_uint32_t hash(const char *text)
{
    apr_uint32_t sum = 2166136261U;

    for (; *text; text++) {
        sum = (sum ^ (unsigned char)*text) * 16777619U;
    }
    return sum ? sum : 1;
}

/* Once for each failure that is another one than the last, on whatever child. */
static void tell_failure(const keeper_t *keeper, const source_t *source, const char *wrong)
{
    const route_key_t *key = source->key;
    apr_uint32_t sum = hash(wrong);

    apr_atomic_inc64(&source->slot->failures);
    if (apr_atomic_xchg32(&source->slot->told, sum) != sum) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, keeper->s,
                     AI_LOGNO(0512) "target %s: key %s: the %s %s %s; %s", key->target->target.name,
                     key->name, key->source == ROUTE_SOURCE_FILE ? "file" : "program", key->path,
                     wrong, source->slot->serial ? "the key that was read before goes on"
                                                 : "there is no key yet");
    }
}

/* Takes what a source gave. NULL, or what is wrong. */
static const char *take(const keeper_t *keeper, const source_t *source, ai_slice_t text,
                        ai_credential_t *credential)
{
    apr_time_t now = apr_time_now();
    const route_key_t *key = source->key;
    const char *wrong = ai_credential_read(keeper->scratch, text, now, credential);

    if (!wrong && credential->expires && credential->expires <= now) {
        wrong = "holds a key that has expired";
    }
    if (wrong) {
        return wrong;
    }
    if (route_slot_put(source->slot, credential)) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, keeper->s,
                     AI_LOGNO(0511) "target %s: key %s: there is a new one, good until %s",
                     key->target->target.name, key->name,
                     credential->expires ? ai_when_text(keeper->scratch, credential->expires)
                                         : "further notice");
    }
    if (apr_atomic_xchg32(&source->slot->told, 0)) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, keeper->s,
                     AI_LOGNO(0513) "target %s: key %s: its source is well again",
                     key->target->target.name, key->name);
    }
    return NULL;
}

static void look_at_end(const keeper_t *keeper, const source_t *source, apr_time_t now)
{
    apr_uint32_t serial = source->slot->serial;
    apr_time_t expires = route_slot_expires(source->slot);

    if (expires && expires <= now
        && apr_atomic_xchg32(&source->slot->buried, serial) != serial) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, keeper->s,
                     AI_LOGNO(0514) "target %s: key %s has expired, and its source gave no other",
                     source->key->target->target.name, source->key->name);
    }
}

/* -------------------------------------------------------------------------------- files */

/* 1 when User may read it. One that only root can read is as the configuration read it. */
static int is_readable(const source_t *source)
{
    if (!source->slot->readable && access(source->key->path, R_OK) == 0) {
        apr_atomic_set32(&source->slot->readable, 1);
    }
    return source->slot->readable != 0;
}

/* 1 when the file is another one than was read last; or is there no more. One that was lost
 * has no facts. */
static int is_other(const keeper_t *keeper, const source_t *source)
{
    ai_file_facts_t now;

    return ai_watched_file_look(keeper->scratch, source->key->path, &now) == APR_SUCCESS
               ? !ai_watched_file_is_same(&now, &source->slot->facts)
               : source->slot->facts.inode != 0;
}

/* With the lease, since what was seen without it may be half of somebody else's work. */
static void read_file(const keeper_t *keeper, const source_t *source)
{
    route_slot_t *slot = source->slot;
    ai_credential_t credential;
    ai_file_facts_t facts;
    ai_slice_t text = { "", 0 };
    const char *wrong = NULL;
    apr_status_t rv;

    if (!is_other(keeper, source)) {
        return;
    }
    memset(&facts, 0, sizeof(facts));
    rv = ai_watched_file_read(keeper->scratch, source->key->path, AI_CREDENTIAL_TEXT, &facts, &text,
                              &wrong);
    slot->facts = facts;
    if (rv == APR_SUCCESS) {
        wrong = take(keeper, source, text, &credential);
    }
    if (wrong) {
        tell_failure(keeper, source, wrong);
    }
}

static void look_at_file(const keeper_t *keeper, const source_t *source, apr_time_t now)
{
    if (is_readable(source) && is_other(keeper, source)
        && route_slot_lease(source->slot, now + FILE_LEASE, now)) {
        read_file(keeper, source);
        route_slot_release(source->slot);
    }
}

/* ----------------------------------------------------------------------------- programs */

/* A little less than ms: children and servers that began together shall not stay so. */
static apr_int64_t jitter(apr_int64_t ms)
{
    apr_uint32_t random = 0;

    apr_generate_random_bytes((unsigned char *)&random, sizeof(random));
    return ms - ms / 12 * (apr_int64_t)(random & 0xffff) / 0xffff;
}

/* How long the key that a program gave may stand: two thirds of its life. */
static apr_int64_t pause_after(const route_key_t *key, const ai_credential_t *credential)
{
    apr_int64_t ms = key->every_ms ? key->every_ms : EXEC_EVERY_MS;

    if (credential->expires) {
        apr_int64_t left = apr_time_as_msec(credential->expires - apr_time_now()) / 3 * 2;

        ms = key->every_ms && key->every_ms < left ? key->every_ms : left;
    }
    ms = jitter(ms);
    return ms < PAUSE_MIN_MS ? PAUSE_MIN_MS : ms;
}

static apr_int64_t pause_after_failure(apr_uint32_t failed)
{
    apr_int64_t ms = failed > 6 ? RETRY_MAX_MS : (apr_int64_t)RETRY_MS << (failed - 1);

    return jitter(ms > RETRY_MAX_MS ? RETRY_MAX_MS : ms);
}

static void settle(source_t *source, apr_int64_t pause_ms)
{
    apr_atomic_set64(&source->slot->due,
                     (apr_uint64_t)(apr_time_now() + apr_time_from_msec(pause_ms)));
    route_slot_release(source->slot);
}

static void fail(const keeper_t *keeper, source_t *source, const char *wrong)
{
    apr_uint32_t failed = source->slot->failed + 1;

    tell_failure(keeper, source, wrong);
    apr_atomic_set32(&source->slot->failed, failed);
    settle(source, pause_after_failure(failed));
}

static void start_program(const keeper_t *keeper, source_t *source)
{
    const route_key_t *key = source->key;
    const char *env[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
        apr_pstrcat(keeper->scratch, "AI_TARGET=", key->target->target.name, NULL),
        apr_pstrcat(keeper->scratch, "AI_KEY=", key->name, NULL), NULL
    };
    const char *wrong = ai_program_check(keeper->scratch, key->path); /* it may have changed */
    apr_status_t rv;

    if (!wrong) {
        rv = apr_pool_create(&source->pool, keeper->pool);
        if (rv == APR_SUCCESS) {
            rv = ai_program_start(source->pool, key->argv, env, AI_CREDENTIAL_TEXT,
                                  apr_time_from_msec(key->limit_ms), &source->program);
        }
        if (rv == APR_SUCCESS) {
            return;
        }
        if (source->pool) {
            apr_pool_destroy(source->pool);
            source->pool = NULL;
        }
        wrong = apr_psprintf(keeper->scratch, "cannot be started: %pm", &rv);
    }
    fail(keeper, source, wrong);
}

static void finish_program(const keeper_t *keeper, source_t *source)
{
    ai_credential_t credential;
    ai_slice_t said;
    const char *wrong = ai_program_result(source->program, &said);

    if (!wrong) {
        wrong = take(keeper, source, said, &credential);
        if (wrong && strncmp(wrong, "holds ", 6) == 0) { /* as a file would */
            wrong = apr_pstrcat(keeper->scratch, "gave what ", wrong, NULL);
        }
    }
    if (wrong) {
        fail(keeper, source, wrong);
    }
    else {
        apr_atomic_set32(&source->slot->failed, 0);
        settle(source, pause_after(source->key, &credential));
    }
    ai_program_end(source->program);
    apr_pool_destroy(source->pool);
    source->pool = NULL;
    source->program = NULL;
}

/* When to look at the program again. */
static apr_time_t look_at_program(const keeper_t *keeper, source_t *source, apr_time_t now)
{
    if (!source->program && source->slot->due <= (apr_uint64_t)now
        && route_slot_lease(source->slot,
                            now + apr_time_from_msec(source->key->limit_ms) + EXEC_LEASE_MORE,
                            now)) {
        if (source->slot->due > (apr_uint64_t)now) {
            route_slot_release(source->slot); /* somebody was done right before */
        }
        else {
            start_program(keeper, source);
        }
    }
    if (source->program && ai_program_go_on(source->program, now)) {
        finish_program(keeper, source);
    }
    if (source->program) {
        return ai_program_due(source->program, now);
    }
    return source->slot->due > (apr_uint64_t)now ? (apr_time_t)source->slot->due
                                                 : now + LOOK_EVERY;
}

/* --------------------------------------------------------------------------- the thread */

/* All that is to be done now. When to look again. */
static apr_time_t look(const keeper_t *keeper, apr_time_t now)
{
    apr_time_t next = now + LOOK_EVERY, due;
    int i;

    for (i = 0; i < keeper->sources->nelts; i++) {
        source_t *source = &APR_ARRAY_IDX(keeper->sources, i, source_t);

        if (source->key->source == ROUTE_SOURCE_FILE) {
            look_at_file(keeper, source, now);
        }
        else {
            due = look_at_program(keeper, source, now);
            next = due < next ? due : next;
        }
        look_at_end(keeper, source, now);
    }
    apr_pool_clear(keeper->scratch);
    return next;
}

/* Waits until then, or until a program says something. 1 when the thread is to end. */
static int wait_until(const keeper_t *keeper, apr_time_t then)
{
    apr_time_t left = then - apr_time_now();
    nfds_t n = 1;
    int i;

    keeper->polled[0] = (struct pollfd){ keeper->wake[0], POLLIN, 0 };
    for (i = 0; i < keeper->sources->nelts; i++) {
        const source_t *source = &APR_ARRAY_IDX(keeper->sources, i, source_t);

        if (source->program && ai_program_fd(source->program) >= 0) {
            keeper->polled[n++] = (struct pollfd){ ai_program_fd(source->program), POLLIN, 0 };
        }
    }
    left = left < 0 ? 0 : apr_time_as_msec(left + 999);
    return poll(keeper->polled, n, (int)left) > 0 && keeper->polled[0].revents;
}

static void drop_programs(const keeper_t *keeper)
{
    int i;

    for (i = 0; i < keeper->sources->nelts; i++) {
        source_t *source = &APR_ARRAY_IDX(keeper->sources, i, source_t);

        if (source->program) {
            ai_program_end(source->program);
            source->program = NULL;
            route_slot_release(source->slot); /* it is still due: another child begins anew */
        }
    }
}

static void run(ai_thread_t *thread, void *data)
{
    keeper_t *keeper = data;

    (void)thread;
    ai_thread_name("ai-route-keys");
    while (!route_custody_is_over() && !wait_until(keeper, look(keeper, apr_time_now()))) {
    }
    drop_programs(keeper);
}

static void wake(void *data)
{
    const keeper_t *keeper = data;

    close(keeper->wake[1]);
}

/* When the thread is no more. */
static apr_status_t end_keeper(void *data)
{
    keeper_t *keeper = data;

    close(keeper->wake[0]);
    apr_pool_destroy(keeper->pool);
    return APR_SUCCESS;
}

static apr_status_t start_thread(keeper_t *keeper, apr_pool_t *p)
{
    apr_status_t rv;

    if (pipe2(keeper->wake, O_CLOEXEC) != 0) {
        return apr_get_os_error();
    }
    apr_pool_pre_cleanup_register(p, keeper, end_keeper); /* the thread's own comes first */
    if (!ai_thread_start(p, run, wake, keeper, &rv)) {
        close(keeper->wake[1]);
    }
    return rv;
}

/* The sources that can change while the server runs. */
static void list_sources(keeper_t *keeper)
{
    const apr_array_header_t *targets = route_custody_targets();
    int is_root = geteuid() == 0, told = 0, i, k;

    for (i = 0; i < targets->nelts; i++) {
        const route_target_t *target = APR_ARRAY_IDX(targets, i, const route_target_t *);

        for (k = 0; k < target->keys->nelts; k++) {
            const route_key_t *key = APR_ARRAY_IDX(target->keys, k, const route_key_t *);
            source_t source = { key, &target->slots[k], NULL, NULL };

            if (key->source == ROUTE_SOURCE_EXEC && is_root) {
                if (!told++) {
                    ap_log_error(APLOG_MARK, APLOG_ERR, 0, keeper->s,
                                 AI_LOGNO(0517) "the children of this server run as root: no "
                                 "AITargetKeyExec is run");
                }
            }
            else if (key->source != ROUTE_SOURCE_ENV) {
                APR_ARRAY_PUSH(keeper->sources, source_t) = source;
            }
        }
    }
}

void route_source_watch(apr_pool_t *p, server_rec *s)
{
    keeper_t *keeper = apr_pcalloc(p, sizeof(*keeper));
    apr_status_t rv;

    keeper->s = s;
    keeper->sources = apr_array_make(p, 4, sizeof(source_t));
    list_sources(keeper);
    if (!keeper->sources->nelts) {
        return;
    }
    keeper->polled = apr_palloc(p, sizeof(struct pollfd) * (apr_size_t)(keeper->sources->nelts + 1));
    rv = apr_pool_create_unmanaged_ex(&keeper->pool, NULL, NULL);
    if (rv == APR_SUCCESS) {
        rv = apr_pool_create(&keeper->scratch, keeper->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = start_thread(keeper, p);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     AI_LOGNO(0516) "no thread to look after providers' keys: files that change need a "
                     "restart, and no AITargetKeyExec is run");
    }
}
