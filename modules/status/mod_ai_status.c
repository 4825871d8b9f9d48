/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_ai_status.c - how is it going?
 *
 * Counts what passes the gateway, for the server and for each target, and shows it as a section of
 * mod_status's page. It takes no decision and no stage of the road: it is told of each attempt
 * (hook ai_attempt), and reads the notes of each request when that is settled.
 *
 * The counts live in memory that every later generation of children finds again, so that a restart
 * loses nothing that an old child still counts (ai_segment.h, status_table.c).
 *
 * Lives in: the server process.  Shared state: the table, by atomics.  May block: no.
 */

#include <sys/types.h>
#include <unistd.h>

#include <apr_strings.h>
#include <ap_mpm.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <mod_status.h>

#include "ai_segment.h"
#include "mod_ai.h"
#include "status_metrics.h"
#include "status_page.h"
#include "status_scrape.h"
#include "status_table.h"

extern AI_EXPORT module ai_status_module;

/* Both set in post_config; table is NULL when there was no memory. */
static const ai_api_t *ai;
static status_table_t *table;
/* Of this child process, set in child_init. NULL in the parent, or when there was no place. */
static status_child_t *child;

/* ------------------------------------------------------------------------ shared memory */

/* Old generations live on beside a new one, each with up to ServerLimit children at the worst. */
static int places(void)
{
    int limit;

    if (ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &limit) != APR_SUCCESS || limit < 1) {
        limit = 1;
    }
    return limit < 100000 ? 2 * limit : 200000;
}

static status_table_t *find_table(server_rec *s)
{
    int n = places();
    void *memory = ai_segment_get(s, "status", status_table_size(n), STATUS_LAYOUT);

    return memory ? status_table_prepare(memory, n) : NULL;
}

/* ----------------------------------------------------------------------------- under way */

/* On the request's way out, on every road and in every MPM. */
static apr_status_t forget_request(void *baton)
{
    status_child_move(baton, STATUS_SERVER, -1);
    return APR_SUCCESS;
}

/* The first phase that every claimed request passes and that runs all its hooks: so what waits in
 * authentication is under way, too. */
static int on_header_parser(request_rec *r)
{
    ai_request_t *air = ai->request_of(r);

    if (air && air->r == r && child) {
        status_child_move(child, STATUS_SERVER, 1);
        apr_pool_cleanup_register(r->pool, child, forget_request, apr_pool_cleanup_null);
    }
    return DECLINED;
}

/* ------------------------------------------------------------------------------ attempts */

/* Also an answer that was passed on may be a failure of its target: a status that another target
 * would have been asked for, had there been one, or a stream that broke off. */
static int has_failed(const ai_request_t *air, const ai_attempt_t *attempt)
{
    if (attempt->outcome != AI_OUTCOME_ANSWERED) {
        return attempt->outcome == AI_OUTCOME_FAILED;
    }
    return attempt->status >= 400 ? attempt->moves_on(attempt->baton, attempt->status)
                                  : air->finish == AI_FINISH_ERROR;
}

static void add(int line, status_count_e what, apr_int64_t n)
{
    status_table_add(table, STATUS_SERVER, what, n);
    if (line != STATUS_SERVER) {
        status_table_add(table, line, what, n);
    }
}

static int on_attempt(ai_request_t *air, const ai_attempt_t *attempt, int over)
{
    int line;

    if (over) {
        status_metrics_attempt(air, attempt);
    }
    if (!table) {
        return DECLINED;
    }
    line = status_table_line(table, attempt->target->name);
    status_child_move(child, line, over ? -1 : 1);
    if (over) {
        add(line, STATUS_ATTEMPTS, 1);
        add(line, STATUS_ATTEMPTS_FAILED, has_failed(air, attempt));
        add(line, STATUS_TIME_UPSTREAM_US, attempt->took_us);
    }
    return OK;
}

/* ---------------------------------------------------------------------------- the outcome */

/* What the request came to: one of five counts, so that these add up to the requests. */
static status_count_e outcome_of(const ai_request_t *air)
{
    int status = air->r->status;

    if (air->finish == AI_FINISH_CLIENT_ABORT) {
        return STATUS_CLIENT_ABORTS;
    }
    if (!ai->note_get(air, AI_NOTE_ATTEMPTS)) {
        return status >= 400 ? STATUS_REFUSALS : STATUS_ANSWERS;
    }
    if (air->finish != AI_FINISH_ERROR) {
        return STATUS_ANSWERS;
    }
    return status >= 400 && status < 500 ? STATUS_PROVIDER_ERRORS : STATUS_FAILURES;
}

/* Of a refusal ai-deny is a word of the gateway's own: no provider was asked. Where a stage gave
 * none, it is the word that the log has for it (AI0103). */
static const char *reason_of(const ai_request_t *air)
{
    const char *reason = ai->note_get(air, AI_NOTE_DENY);

    return reason ? reason : air->r->status < 500 ? "invalid_request" : "gateway_error";
}

/* A note that is a number; -1 when it is not there. */
static apr_int64_t number_of(const ai_request_t *air, ai_note_e note)
{
    const char *text = ai->note_get(air, note);

    return text ? apr_atoi64(text) : -1;
}

static void count_request(const ai_request_t *air, status_count_e outcome)
{
    const char *target = ai->note_get(air, AI_NOTE_TARGET);
    int line = target ? status_table_line(table, target) : STATUS_SERVER;
    apr_int64_t first = number_of(air, AI_NOTE_TIME_FIRST_US);

    add(line, STATUS_REQUESTS, 1);
    add(line, outcome, 1);
    add(line, STATUS_STREAMS, ai->note_get(air, AI_NOTE_STREAM) != NULL);
    add(line, STATUS_TOKENS_PROMPT, number_of(air, AI_NOTE_TOKENS_PROMPT));
    add(line, STATUS_TOKENS_COMPLETION, number_of(air, AI_NOTE_TOKENS_COMPLETION));
    add(line, STATUS_TOKENS_CACHED, number_of(air, AI_NOTE_TOKENS_CACHED));
    add(line, STATUS_OVERHEAD_US, number_of(air, AI_NOTE_OVERHEAD_US));
    if (outcome == STATUS_REFUSALS) {
        status_table_refuse(table, reason_of(air));
    }
    if (first >= 0 && air->r->status < 400) { /* the time that an error took says nothing */
        status_histogram_add(status_table_first(table, STATUS_SERVER), first);
        if (line != STATUS_SERVER) {
            status_histogram_add(status_table_first(table, line), first);
        }
    }
}

static int on_log_transaction(request_rec *r)
{
    static const char *const words[STATUS_COUNTS_N] = {
        [STATUS_ANSWERS] = "answer",         [STATUS_PROVIDER_ERRORS] = "provider-error",
        [STATUS_FAILURES] = "failure",       [STATUS_REFUSALS] = "refusal",
        [STATUS_CLIENT_ABORTS] = "client-abort",
    };
    const ai_request_t *air = ai->request_of(r);

    if (air) {
        status_count_e outcome = outcome_of(air);

        if (table) {
            count_request(air, outcome);
        }
        status_metrics_request(air, words[outcome],
                               outcome == STATUS_REFUSALS ? reason_of(air) : NULL);
    }
    return DECLINED;
}

static int on_settle(ai_request_t *air)
{
    status_metrics_settled(air);
    return OK;
}

/* ------------------------------------------------------------------ hooks, the module */

static int on_status(request_rec *r, int flags)
{
    status_page_write(r, flags, table);
    return OK;
}

static int on_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)pconf;
    (void)plog;
    (void)ptemp;
    ai = ai_api_find();
    if (!ai) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                     AI_LOGNO(1001) "mod_ai_status needs mod_ai of the same version; load ai_module");
        return !OK;
    }
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK; /* httpd reads its configuration twice when it starts */
    }
    table = find_table(s);
    if (table) {
        status_table_prune(table); /* who ended while no generation had this module loaded */
    }
    status_metrics_prepare(s, ai, table);
    return OK;
}

static void on_child_init(apr_pool_t *p, server_rec *s)
{
    (void)p;
    child = table ? status_table_enter(table, getpid()) : NULL;
    if (table && !child) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     AI_LOGNO(1003) "too many child processes at once: what this one has under way "
                     "is not counted");
    }
}

/* In the parent, which httpd tells of every child that is gone: ended, killed or crashed. */
static void on_child_status(server_rec *s, pid_t pid, ap_generation_t generation, int slot,
                            mpm_child_status state)
{
    (void)s;
    (void)generation;
    (void)slot;
    if (state == MPM_CHILD_EXITED && table) {
        status_table_leave(table, pid);
    }
}

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_post_config(on_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(on_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_status(on_child_status, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_header_parser(on_header_parser, NULL, NULL, APR_HOOK_FIRST);
    AI_STAGE(attempt, on_attempt);
    AI_STAGE(settle, on_settle);
    status_metrics_register();
    status_scrape_register();
    /* Behind the core, which settles the request at APR_HOOK_REALLY_FIRST. */
    ap_hook_log_transaction(on_log_transaction, NULL, NULL, APR_HOOK_FIRST);
    APR_OPTIONAL_HOOK(ap, status_hook, on_status, NULL, NULL, APR_HOOK_MIDDLE);
}

/* clang-format off */
AP_DECLARE_MODULE(ai_status) = {
    STANDARD20_MODULE_STUFF,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    register_hooks,
    AP_MODULE_FLAG_NONE
};
/* clang-format on */
