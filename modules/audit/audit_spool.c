/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_spool.c - how do records get into this child's spool, and from there onto the disk?
 *
 * Each child has a spool of its own, opened after the fork, and one thread that syncs it every
 * AIAuditSync. Where it cannot be opened, that thread tries again; till then it is as if the disk
 * were full. Ends are held in memory until they are on the disk (audit_held.c).
 *
 * Lives in: the child's pool.  Shared state: the spool, by its lock; the rest by ours.
 * May block: on the disk.
 */

#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include "ai_spool.h"
#include "ai_thread.h"
#include "audit_held.h"
#include "audit_private.h"

/* Between two attempts to open the spool, and two lines of one kind in the log. */
#define OPEN_AGAIN apr_time_from_sec(1)
#define LOG_AGAIN apr_time_from_sec(10)
/* How often it is synced where answers wait for that themselves: for the records of refusals. */
#define SYNC_REST apr_time_from_msec(10)
/* When ends are written again that the disk lost: at first, and at last; and those that it had no
 * room for. */
#define LOST_AGAIN apr_time_from_msec(500)
#define LOST_AGAIN_MOST apr_time_from_sec(60)
#define FULL_AGAIN apr_time_from_msec(100)
/* How often a record that somebody waits for is tried on the disk. */
#define TRIES 2

typedef struct audit_spool_t {
    apr_pool_t *pool; /* the spool's: nobody's child, for it must outlive the child pool's own */
    const server_rec *server;
    const audit_server_conf_t *conf;
    ai_spool_conf_t how;
    audit_held_t *held;
    apr_time_t again;          /* the thread's: when it writes those again; 0: at once */
    apr_interval_time_t pause; /* so long it waited last; 0: the disk has kept something since */
    apr_uint64_t kept;         /* records that the disk has kept */
    apr_uint64_t saved;        /* ends of those that are held that were written after all */
    apr_time_t told_closed;    /* when it was logged last that it cannot be opened */
    apr_thread_mutex_t *lock;  /* of all below */
    ai_spool_t *spool;         /* NULL: it could not be opened; never again NULL then */
    apr_status_t why;          /* then: why not */
    int is_full;               /* 1: the last begin was not taken */
    apr_uint64_t refused;      /* begins that were not taken since that was logged last */
    apr_time_t told;           /* when that was */
    apr_uint64_t told_lost;    /* and how many records had been lost then */
} audit_spool_t;

/* Of this child; NULL in the parent, where there is no AIAuditSpool, and at the child's end. */
static audit_spool_t *here;

/* -------------------------------------------------------------------------------- opening */

static void open_spool(audit_spool_t *at)
{
    ai_spool_t *spool = NULL;
    apr_time_t now = apr_time_now();
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, NULL);

    if (rv == APR_SUCCESS) {
        rv = ai_spool_open(pool, &at->how, now, &spool);
        if (rv == APR_SUCCESS) {
            at->pool = pool;
        }
        else {
            apr_pool_destroy(pool); /* it may be tried for days */
        }
    }
    apr_thread_mutex_lock(at->lock);
    at->spool = rv == APR_SUCCESS ? spool : NULL;
    at->why = rv;
    apr_thread_mutex_unlock(at->lock);
    if (rv != APR_SUCCESS && (now - at->told_closed >= LOG_AGAIN || now < at->told_closed)) {
        at->told_closed = now;
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, at->server,
                     AI_LOGNO(0604) "AIAuditSpool %s: it cannot be opened; this child tries again",
                     at->how.folder);
    }
}

/* The spool, or NULL. */
static ai_spool_t *spool_of(audit_spool_t *at)
{
    ai_spool_t *spool;

    apr_thread_mutex_lock(at->lock);
    spool = at->spool;
    apr_thread_mutex_unlock(at->lock);
    return spool;
}

/* ------------------------------------------------------------------------------ appending */

/* How many records are lost: for want of room here, or by the disk. */
static apr_uint64_t lost(const audit_spool_t *at, audit_held_count_t *count)
{
    audit_held_count(at->held, count);
    return count->dropped;
}

/* Tells the log what was not taken, from time to time. */
static void complain(audit_spool_t *at, apr_status_t why, int is_begin)
{
    apr_time_t now = apr_time_now();
    audit_held_count_t count;
    apr_uint64_t gone = lost(at, &count), refused, since;
    int tell;

    apr_thread_mutex_lock(at->lock);
    at->is_full |= is_begin;
    at->refused += (apr_uint64_t)is_begin;
    tell = now - at->told >= LOG_AGAIN || now < at->told;
    refused = at->refused;
    since = gone - at->told_lost;
    if (tell) {
        at->told = now;
        at->refused = 0;
        at->told_lost = gone;
    }
    apr_thread_mutex_unlock(at->lock);
    if (tell) {
        ap_log_error(APLOG_MARK, APLOG_ERR, why, at->server,
                     AI_LOGNO(0605) "AIAuditSpool %s takes no more. Since this was said last: %lu "
                     "calls %s, %lu records lost; %lu wait in memory", at->how.folder,
                     (unsigned long)refused,
                     audit_when_full(at->conf) == AUDIT_FULL_REFUSE ? "refused" : "not recorded",
                     (unsigned long)since, (unsigned long)count.waiting);
    }
}

/* A begin was taken. */
static void say_all_is_well(audit_spool_t *at)
{
    int was_full;

    apr_thread_mutex_lock(at->lock);
    was_full = at->is_full;
    at->is_full = 0;
    apr_thread_mutex_unlock(at->lock);
    if (was_full) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, at->server,
                     AI_LOGNO(0611) "AIAuditSpool %s takes records again", at->how.folder);
    }
}

static apr_status_t append(audit_spool_t *at, const ai_spool_record_t *record,
                           ai_spool_position_t *position)
{
    ai_spool_t *spool = spool_of(at);

    return spool ? ai_spool_append(spool, record, position) : at->why;
}

apr_status_t audit_spool_begin(const ai_uuid_t *id, ai_slice_t json)
{
    ai_spool_record_t record = { .type = AI_SPOOL_BEGIN, .id = *id, .time = apr_time_now(),
                                 .body = &json, .pieces = 1, .promise = AI_AUDIT_END_MAX };
    ai_spool_position_t position;
    apr_status_t rv = APR_EGENERAL;

    if (here) {
        rv = append(here, &record, &position);
        if (rv != APR_SUCCESS) {
            complain(here, rv, 1);
        }
        else if (here->is_full) { /* a glance; say_all_is_well() takes the lock */
            say_all_is_well(here);
        }
    }
    audit_metrics_records("begin", rv == APR_SUCCESS ? "written" : "refused", 1);
    return rv;
}

/* Whether a record is on the disk. One that the disk may have lost is appended once more. */
static int is_on_disk(audit_spool_t *at, ai_spool_record_t *record, ai_spool_position_t *position)
{
    int tries = 0;

    while (ai_spool_wait(at->spool, *position) != APR_SUCCESS) {
        record->redeems = 0;
        if (++tries == TRIES || append(at, record, position) != APR_SUCCESS) {
            *position = 0;
            return 0;
        }
    }
    return 1;
}

/* Of what no call depends on: where it is missing its record or an answer says so. */
static apr_status_t append_more(const ai_uuid_t *id, int type, ai_slice_t body,
                                ai_spool_position_t *position)
{
    ai_spool_record_t record = { .type = type, .id = *id, .time = apr_time_now(), .body = &body,
                                 .pieces = 1 };

    return here ? append(here, &record, position) : APR_EGENERAL;
}

apr_status_t audit_spool_part(const ai_uuid_t *id, int type, ai_slice_t part)
{
    ai_spool_position_t position;

    return append_more(id, type, part, &position);
}

apr_status_t audit_spool_note(const ai_uuid_t *id, ai_slice_t json)
{
    ai_spool_position_t position;
    apr_status_t rv = append_more(id, AI_SPOOL_NOTE, json, &position);

    return rv == APR_SUCCESS && audit_sync_every(here->conf) == 0
               ? ai_spool_wait(here->spool, position)
               : rv;
}

void audit_spool_end(const ai_uuid_t *id, ai_slice_t json, int promised, int on_disk)
{
    ai_spool_record_t record = { .type = AI_SPOOL_END, .id = *id, .time = apr_time_now(),
                                 .body = &json, .pieces = 1,
                                 .redeems = promised ? AI_AUDIT_END_MAX : 0 };
    audit_end_t end = { *id, json, 0, 0 };
    apr_status_t rv;

    if (!here) {
        return;
    }
    rv = append(here, &record, &end.position);
    audit_metrics_records("end", rv == APR_SUCCESS ? "written" : "refused", 1);
    if (rv != APR_SUCCESS) {
        end.position = 0;
        end.redeems = record.redeems;
    }
    else if (on_disk && audit_sync_every(here->conf) == 0
             && is_on_disk(here, &record, &end.position)) {
        return;
    }
    if (!audit_held_add(here->held, &end)) {
        audit_metrics_records("end", "lost", end.position == 0);
        if (end.redeems) {
            audit_spool_forget();
        }
    }
    if (rv != APR_SUCCESS) {
        complain(here, rv, 0);
    }
}

void audit_spool_forget(void)
{
    ai_spool_t *spool = here ? spool_of(here) : NULL;

    if (spool) {
        ai_spool_release(spool, AI_AUDIT_END_MAX);
    }
}

/* -------------------------------------------------------------------------------- syncing */

/* The disk said that it may have lost records. Those that are held are written again after a pause,
 * each time a longer one: a disk that takes all and keeps nothing is not filled with them. */
static void note_loss(audit_spool_t *at, ai_spool_t *spool, apr_status_t why)
{
    audit_held_count_t count;
    ai_spool_state_t state;

    at->pause = at->pause ? 2 * at->pause : LOST_AGAIN;
    at->pause = at->pause > LOST_AGAIN_MOST ? LOST_AGAIN_MOST : at->pause;
    at->again = apr_time_now() + at->pause;
    audit_held_count(at->held, &count);
    ai_spool_look(spool, &state);
    ap_log_error(APLOG_MARK, APLOG_ERR, why, at->server,
                 AI_LOGNO(0606) "AIAuditSpool %s: the disk may have lost records, %lu since this child "
                 "began; %lu ends of calls are written again in a moment", at->how.folder,
                 (unsigned long)state.lost, (unsigned long)count.waiting);
}

static void sync_once(audit_spool_t *at, ai_spool_t *spool, int at_once)
{
    apr_status_t rv = ai_spool_sync(spool);
    apr_time_t now = apr_time_now();
    int again = at_once || now >= at->again || now < at->again - LOST_AGAIN_MOST;
    int good = audit_held_look(at->held, spool, again && rv == APR_SUCCESS);
    audit_held_count_t count;
    ai_spool_state_t state;

    audit_held_count(at->held, &count);
    audit_metrics_records("end", "saved", count.saved - at->saved);
    at->saved = count.saved;
    if (rv != APR_SUCCESS) {
        audit_metrics_sync_failed();
        note_loss(at, spool, rv);
        return;
    }
    ai_spool_look(spool, &state);
    if (state.settled - state.lost > at->kept) {
        at->kept = state.settled - state.lost;
        at->pause = 0;
    }
    if (again) {
        at->again = good ? 0 : now + FULL_AGAIN;
    }
}

static void keep_synced(ai_thread_t *thread, void *data)
{
    audit_spool_t *at = data;
    apr_interval_time_t every = audit_sync_every(at->conf);
    apr_time_t tried = apr_time_now();

    every = every ? every : SYNC_REST;
    ai_thread_name("ai-audit-sync");
    while (!ai_thread_over(thread)) {
        ai_spool_t *spool = spool_of(at);
        apr_time_t now = apr_time_now();

        if (spool) {
            sync_once(at, spool, 0);
        }
        else if (now - tried >= OPEN_AGAIN || now < tried) {
            tried = now;
            open_spool(at);
        }
        ai_thread_wait(thread, every);
    }
}

/* ----------------------------------------------------------------------- beginning and end */

/* The last of the child's threads has ended. */
static apr_status_t close_spool(void *data)
{
    audit_spool_t *at = data;
    apr_status_t rv = APR_SUCCESS;
    audit_held_count_t count;

    here = NULL;
    if (at->spool) {
        sync_once(at, at->spool, 1);
        rv = ai_spool_close(at->spool, apr_time_now());
        apr_pool_destroy(at->pool);
    }
    audit_held_count(at->held, &count);
    audit_metrics_records("end", "lost", count.waiting);
    if (rv != APR_SUCCESS || count.waiting) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv ? rv : at->why, at->server,
                     AI_LOGNO(0607) "AIAuditSpool %s: this child ends, and %lu records are lost; the "
                     "disk may have lost more", at->how.folder, (unsigned long)count.waiting);
    }
    return APR_SUCCESS;
}

void audit_spool_start(apr_pool_t *pchild, server_rec *s)
{
    const audit_server_conf_t *conf = audit_server_conf(s);
    audit_spool_t *at;
    apr_status_t rv;

    if (!conf->folder) {
        return;
    }
    at = apr_pcalloc(pchild, sizeof(*at));
    at->server = s;
    at->conf = conf;
    at->how = (ai_spool_conf_t){ .folder = conf->folder, .node = conf->node,
                                 .size = audit_segment_size(conf),
                                 .age = audit_segment_age(conf) };
    at->held = audit_held_make(pchild);
    if (!at->held
        || apr_thread_mutex_create(&at->lock, APR_THREAD_MUTEX_UNNESTED, pchild) != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                     AI_LOGNO(0608) "no locks for the spool: this child records nothing");
        return;
    }
    open_spool(at);
    apr_pool_cleanup_register(pchild, at, close_spool, apr_pool_cleanup_null);
    if (!ai_thread_start(pchild, keep_synced, NULL, at, &rv)) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     AI_LOGNO(0609) "no thread to sync records: they outlive this child, but not "
                     "the machine");
    }
    here = at;
}
