/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_ship.c - who of the children brings records from the spool into the database?
 *
 * Each child has a thread for it; who has the lock of the folder ships, for all children and for those
 * that are gone, the others ask for the lock now and then. A child that is to end after its last
 * requests lets go of it, since another configuration may be in force by then.
 *
 * Lives in: the child's pool.  Shared state: the spool's folder, by its lock; the pipe of AIAuditPipe.
 * May block: on the database, the disk and the pipe, in a thread of its own.
 */

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <ap_mpm.h>

#include "ai_attest.h"
#include "ai_ship.h"
#include "ai_thread.h"
#include "audit_private.h"

/* How long a program may not read, and what is looked at meanwhile. */
#define DEAF_MS 5000
#define LOOK_MS 100

typedef struct audit_ship_t {
    const server_rec *server;
    ai_ship_t *ship;
    ai_attest_t *attest;
    ai_thread_t *thread;
    int pipe;      /* descriptor, or -1 */
    int is_broken; /* a line may have been cut off */
    ai_ship_state_t counted; /* what was told to who measures */
} audit_ship_t;

/* The program of AIAuditPipe, of the configuration in force. */
static piped_log *program;

/* ------------------------------------------------------------------------------- the pipe */

/* 1 when the pipe takes PIPE_BUF bytes without waiting; 0: not for some time, or it is over. */
static int is_writable(const audit_ship_t *at)
{
    struct pollfd wait = { .fd = at->pipe, .events = POLLOUT };
    int ms;

    for (ms = 0; ms < DEAF_MS && !(at->thread && ai_thread_over(at->thread)); ms += LOOK_MS) {
        if (poll(&wait, 1, LOOK_MS) > 0) {
            return wait.revents == POLLOUT;
        }
    }
    return 0;
}

static int write_bytes(const audit_ship_t *at, const char *bytes, apr_size_t n)
{
    while (n > 0) {
        ssize_t did = is_writable(at) ? write(at->pipe, bytes, n < PIPE_BUF ? n : PIPE_BUF) : -1;

        if (did <= 0) {
            return 0;
        }
        bytes += did;
        n -= (apr_size_t)did;
    }
    return 1;
}

/* Who was before us may have left half a line. */
static int write_line(void *data, ai_slice_t body)
{
    audit_ship_t *at = data;

    if (at->is_broken && !write_bytes(at, "\n", 1)) {
        return 0;
    }
    at->is_broken = 1;
    if (!write_bytes(at, body.p, body.n) || !write_bytes(at, "\n", 1)) {
        return 0;
    }
    at->is_broken = 0;
    return 1;
}

/* -------------------------------------------------------------------------------- the log */

static void say(void *data, ai_ship_event_e event, const char *text)
{
    static const char *const words[] = {
        [AI_SHIP_TROUBLE] = "trouble", [AI_SHIP_RESUMED] = "resumed", [AI_SHIP_DAMAGED] = "damaged",
        [AI_SHIP_ALTERED] = "altered", [AI_SHIP_TORN] = "torn",       [AI_SHIP_REFUSED] = "refused",
        [AI_SHIP_STRANGE] = "strange", [AI_SHIP_ESTIMATED] = "estimated",
        [AI_SHIP_UNREADABLE] = "unreadable",
    };
    const audit_ship_t *at = data;

    audit_metrics_ship_event(words[event]);
    switch (event) {
    case AI_SHIP_TROUBLE:
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, at->server,
                     AI_LOGNO(0631) "audit: records stay in the spool: %s", text);
        break;
    case AI_SHIP_RESUMED:
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, at->server,
                     AI_LOGNO(0632) "audit: records are shipped again: %s", text);
        break;
    case AI_SHIP_DAMAGED:
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, at->server,
                     AI_LOGNO(0633) "audit: the disk has damaged the spool: %s", text);
        break;
    case AI_SHIP_ALTERED:
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, at->server,
                     AI_LOGNO(0634) "audit: the spool was altered: %s", text);
        break;
    case AI_SHIP_TORN:
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, at->server,
                     AI_LOGNO(0635) "audit: a child was killed while it wrote: %s", text);
        break;
    case AI_SHIP_REFUSED:
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, at->server,
                     AI_LOGNO(0636) "audit: the database refuses a record: %s", text);
        break;
    case AI_SHIP_STRANGE:
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, at->server,
                     AI_LOGNO(0637) "audit: not what it should be: %s", text);
        break;
    case AI_SHIP_ESTIMATED:
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, at->server,
                     AI_LOGNO(0638) "audit: calls that were cut off: %s", text);
        break;
    case AI_SHIP_UNREADABLE:
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, at->server,
                     AI_LOGNO(0639) "audit: the spool cannot be read: %s", text);
        break;
    }
}

/* ----------------------------------------------------------------------------- the thread */

/* The last requests of this generation may take long; another one is there already. */
static int is_ending(void)
{
    int state;

    return ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS && state == AP_MPMQ_STOPPING;
}

/* Tells who measures what the last round has done. */
static void count_shipped(audit_ship_t *at)
{
    ai_ship_state_t was = at->counted;

    ai_ship_look(at->ship, &at->counted);
    audit_metrics_shipped("shipped", at->counted.records - was.records);
    audit_metrics_shipped("refused", at->counted.refused - was.refused);
    audit_metrics_shipped("estimated", at->counted.estimated - was.estimated);
}

static void ship_on(ai_thread_t *thread, void *data)
{
    audit_ship_t *at = data;
    int ships = 0;

    at->thread = thread;
    while (!ai_thread_over(thread) && !is_ending()) {
        ai_ship_outcome_e outcome = ai_ship_round(at->ship, apr_time_now());

        count_shipped(at);
        ships = outcome == AI_SHIP_DONE || outcome == AI_SHIP_MORE;
        if (!ships || !ai_attest_round(at->attest, apr_time_now())) {
            ai_thread_wait(thread, ai_ship_wait(at->ship, outcome));
        }
    }
    /* Whoever ships next tells of it, where there is no time now. */
    if (!ai_thread_over(thread)) {
        if (ships) {
            ai_attest_end(at->attest, apr_time_now());
        }
        ai_ship_close(at->ship);
    }
}

static void wake(void *data)
{
    const audit_ship_t *at = data;

    ai_ship_interrupt(at->ship);
    ai_attest_interrupt(at->attest);
}

/* ----------------------------------------------------------------------------- beginning */

/* As CustomLog has it: "|$" is for a shell. */
static piped_log *open_program(apr_pool_t *p, const char *command)
{
    return *command == '$' ? ap_open_piped_log_ex(p, command + 1, APR_SHELLCMD_ENV)
                           : ap_open_piped_log(p, command);
}

/* What is said, but only done by a child that ships. */
static const char *left_to_shipping(const audit_server_conf_t *conf)
{
    return conf->pipe ? "AIAuditPipe" : conf->signing_key ? "AIAuditSigningKey"
           : conf->retain ? "AIAuditRetain" : NULL;
}

int audit_ship_check(server_rec *s)
{
    const audit_server_conf_t *conf = audit_server_conf(s);
    const char *name = left_to_shipping(conf), *lacks = NULL;
    const ai_api_t *ai = ai_api_find();

    if (name && ai) {
        lacks = !conf->folder ? "AIAuditSpool"
                : !audit_is_shipped(conf) ? "AIAuditShip On"
                : !ai->database(s) ? "AIDatabase in the main server" : NULL;
    }
    if (lacks) {
        ap_log_error(APLOG_MARK, APLOG_CRIT | APLOG_STARTUP, 0, s,
                     AI_LOGNO(0627) "%s needs %s: only a child of httpd that ships does what it says",
                     name, lacks);
        return !OK;
    }
    return OK;
}

int audit_ship_prepare(apr_pool_t *pconf, server_rec *s)
{
    const audit_server_conf_t *conf = audit_server_conf(s);

    program = NULL;
    if (!conf->folder || !audit_is_shipped(conf)) {
        return OK;
    }
    if (!audit_ai->database(s)) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     AI_LOGNO(0630) "AIAuditSpool %s: there is no AIDatabase, so records stay there "
                     "until aictl audit ship takes them", conf->folder);
        return OK;
    }
    program = conf->pipe ? open_program(pconf, conf->pipe) : NULL;
    if (conf->pipe && !program) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                     AI_LOGNO(0628) "AIAuditPipe: the program cannot be started");
        return !OK;
    }
    return OK;
}

void audit_ship_start(apr_pool_t *pchild, server_rec *s)
{
    const audit_server_conf_t *conf = audit_server_conf(s);
    const ai_db_conf_t *database = audit_ai->database(s);
    ai_ship_conf_t how = { .folder = conf->folder, .say = say };
    apr_status_t rv = APR_ENOMEM;
    audit_ship_t *at;

    if (!conf->folder || !audit_is_shipped(conf) || !database) {
        return;
    }
    at = apr_pcalloc(pchild, sizeof(*at));
    at->server = s;
    at->pipe = -1;
    if (program && apr_os_file_get(&at->pipe, ap_piped_log_write_fd(program)) == APR_SUCCESS) {
        how.line = write_line;
        at->is_broken = 1;
    }
    how.database = *database;
    how.baton = at;
    at->ship = ai_ship_open(pchild, &how);
    /* The child's own pool is for its other threads: where httpd has one, it is without a lock. */
    at->attest = at->ship ? audit_attest_open(ai_ship_pool(at->ship), s) : NULL;
    if (!at->ship || !at->attest || !ai_thread_start(pchild, ship_on, wake, at, &rv)) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     AI_LOGNO(0629) "no thread to ship records: the other children may do it, else "
                     "they stay in the spool");
    }
}
