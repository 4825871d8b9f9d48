/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_spool.c - how do records get into this child's spool, and from there onto the disk?
 *
 * Each child has a spool of its own, opened after the fork, and one thread that syncs it every
 * AIAuditSync. Where it cannot be opened, that thread tries again; till then it is as if the disk
 * were full.
 *
 * Lives in: the child's pool.  Shared state: the spool, by its lock; the rest by ours.
 * May block: on the disk.
 */

#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include "ai_spool.h"
#include "ai_thread.h"
#include "audit_private.h"

/* Between two attempts to open the spool, and two lines of one kind in the log. */
#define OPEN_AGAIN apr_time_from_sec(1)
#define LOG_AGAIN apr_time_from_sec(10)
/* How often it is synced where answers wait for that themselves: for the records of refusals. */
#define SYNC_REST apr_time_from_msec(20)

typedef struct audit_spool_t {
    apr_pool_t *pool;
    const server_rec *server;
    const audit_server_conf_t *conf;
    ai_spool_conf_t how;
    apr_thread_mutex_t *lock;  /* of all below */
    ai_spool_t *spool;         /* NULL: it could not be opened; never again NULL then */
    apr_status_t why;          /* then: why not */
    apr_uint64_t refused;      /* begins that were not taken */
    apr_uint64_t lost;         /* ends that were not taken */
    apr_time_t told;           /* when that was logged last */
    apr_uint64_t told_refused; /* and how many it had been then */
    apr_uint64_t told_lost;
} audit_spool_t;

/* Of this child; NULL in the parent, where there is no AIAuditSpool, and at the child's end. */
static audit_spool_t *here;

/* -------------------------------------------------------------------------------- opening */

static void open_spool(audit_spool_t *at)
{
    ai_spool_t *spool = NULL;
    apr_status_t rv = ai_spool_open(at->pool, &at->how, apr_time_now(), &spool);

    apr_thread_mutex_lock(at->lock);
    at->spool = rv == APR_SUCCESS ? spool : NULL;
    at->why = rv;
    apr_thread_mutex_unlock(at->lock);
    if (rv != APR_SUCCESS) {
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

/* Counts, and tells the log from time to time. */
static void count_failure(audit_spool_t *at, int is_end, apr_status_t why)
{
    apr_uint64_t refused, lost;
    apr_time_t now = apr_time_now();
    int tell;

    apr_thread_mutex_lock(at->lock);
    at->refused += !is_end;
    at->lost += is_end;
    tell = now - at->told >= LOG_AGAIN || now < at->told;
    refused = at->refused - at->told_refused;
    lost = at->lost - at->told_lost;
    if (tell) {
        at->told = now;
        at->told_refused = at->refused;
        at->told_lost = at->lost;
    }
    apr_thread_mutex_unlock(at->lock);
    if (tell) {
        ap_log_error(APLOG_MARK, APLOG_ERR, why, at->server,
                     AI_LOGNO(0605) "AIAuditSpool %s takes no more: %" APR_UINT64_T_FMT " calls %s, %"
                     APR_UINT64_T_FMT " records lost, in this child since this was said last",
                     at->how.folder, refused,
                     audit_when_full(at->conf) == AUDIT_FULL_REFUSE ? "refused" : "not recorded",
                     lost);
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
    apr_status_t rv = here ? append(here, &record, &position) : APR_EGENERAL;

    if (rv != APR_SUCCESS && here) {
        count_failure(here, 0, rv);
    }
    return rv;
}

void audit_spool_end(const ai_uuid_t *id, ai_slice_t json, int promised, int on_disk)
{
    ai_spool_record_t record = { .type = AI_SPOOL_END, .id = *id, .time = apr_time_now(),
                                 .body = &json, .pieces = 1,
                                 .redeems = promised ? AI_AUDIT_END_MAX : 0 };
    ai_spool_position_t position;
    apr_status_t rv;

    if (!here) {
        return;
    }
    rv = append(here, &record, &position);
    if (rv != APR_SUCCESS) {
        count_failure(here, 1, rv);
    }
    else if (on_disk && audit_sync_every(here->conf) == 0) {
        ai_spool_wait(here->spool, position);
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
        apr_status_t rv;

        if (spool) {
            rv = ai_spool_sync(spool);
            if (rv != APR_SUCCESS) {
                ap_log_error(APLOG_MARK, APLOG_ERR, rv, at->server,
                             AI_LOGNO(0606) "AIAuditSpool %s: the disk may have lost records",
                             at->how.folder);
            }
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
    apr_status_t rv;

    here = NULL;
    rv = at->spool ? ai_spool_close(at->spool, apr_time_now()) : APR_SUCCESS;
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, at->server,
                     AI_LOGNO(0607) "AIAuditSpool %s: the disk may have lost the last records",
                     at->how.folder);
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
    apr_pool_create(&at->pool, pchild);
    if (apr_thread_mutex_create(&at->lock, APR_THREAD_MUTEX_UNNESTED, pchild) != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     AI_LOGNO(0608) "no lock for the spool: this child records nothing");
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
