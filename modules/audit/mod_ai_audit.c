/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_ai_audit.c - what was asked, by whom, what came of it, and can that be proved?
 *
 * Where AIAudit is On, a begin is in the spool before anything goes upstream, and an end before the
 * answer's end goes down; of a request that the gateway answers or refuses itself there is an end
 * alone. docs/design/0007-audit.md says what is in them.
 *
 * Lives in: r->pool, the child's pool.  Shared state: the spool (audit_spool.c).
 * May block: on the disk.
 */

#define AUDIT_HOLDS_MODULE_RECORD
#include <ap_mpm.h>
#include <http_core.h>
#include <http_protocol.h>

#include "audit_feedback.h"
#include "audit_private.h"

const ai_api_t *audit_ai;
const audit_server_conf_t *audit_server;

/* ------------------------------------------------------------------------- on the road */

static int refuse(ai_request_t *air)
{
    static const ai_error_t error = {
        HTTP_SERVICE_UNAVAILABLE, "audit_unavailable",
        "This gateway cannot record the call now, and makes no calls that it cannot record.", NULL
    };

    return audit_ai->refuse(air, &error);
}

/* Before anything goes upstream. */
static int on_record(ai_request_t *air)
{
    audit_call_t *call = audit_call_of(air);
    char json[AI_AUDIT_BEGIN_MAX];
    ai_slice_t body = { json, 0 };

    if (!call || call->begun) {
        return DECLINED;
    }
    audit_body_prompt(call->body, air, &call->record.prompt);
    audit_call_begin(call, air);
    body.n = ai_audit_begin_write(&call->record, json, sizeof(json));
    call->begun = audit_spool_begin(&call->id, body) == APR_SUCCESS;
    return call->begun || audit_when_full(audit_server) == AUDIT_FULL_DROP
               ? OK
               : refuse(air);
}

static int on_attempt(ai_request_t *air, const ai_attempt_t *attempt, int over)
{
    audit_call_t *call = audit_call_of(air);

    if (call) {
        audit_call_attempt(call, air, attempt, over);
    }
    return DECLINED;
}

static int on_observe(ai_request_t *air, apr_bucket_brigade *bb)
{
    audit_call_t *call = audit_call_of(air);

    if (call) {
        audit_body_observe(call->body, air, bb);
    }
    return DECLINED;
}

static int on_settle(ai_request_t *air)
{
    audit_call_t *call = audit_call_of(air);
    char json[AI_AUDIT_END_MAX];
    ai_slice_t body = { json, 0 };

    if (!call || call->ended) {
        return DECLINED;
    }
    audit_body_prompt(call->body, air, &call->record.prompt); /* where that stage was not reached */
    audit_body_answer(call->body, air, &call->record.answer);
    audit_call_end(call, air);
    body.n = ai_audit_end_write(&call->record, json, sizeof(json));
    call->ended = 1;
    audit_spool_end(&call->id, body, call->begun, !call->late);
    return OK;
}

/* What is settled from here on has been answered. */
static int on_log_transaction(request_rec *r)
{
    ai_request_t *air = audit_ai->request_of(r);
    audit_call_t *call = air ? audit_call_of(air) : NULL;

    if (call) {
        call->late = 1;
    }
    return DECLINED;
}

/* -------------------------------------------------------------------- hooks, the module */

static int on_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)pconf;
    (void)plog;
    (void)ptemp;
    audit_conf_begin();
    return OK;
}

static int on_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)pconf;
    (void)plog;
    return audit_conf_check(ptemp, s) == OK && audit_ship_check(s) == OK ? audit_attest_check(ptemp, s)
                                                                         : !OK;
}

static int on_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)plog;
    audit_ai = ai_api_find();
    if (!audit_ai) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                     AI_LOGNO(0600) "mod_ai_audit needs mod_ai of the same version; load ai_module");
        return !OK;
    }
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK; /* httpd reads its configuration twice when it starts */
    }
    audit_server = audit_server_conf(s);
    audit_policy_begin(pconf);
    if (audit_folder_make(ptemp, s) != OK || audit_attest_prepare(pconf, s) != OK) {
        return !OK;
    }
    return audit_ship_prepare(pconf, s);
}

static void on_child_init(apr_pool_t *p, server_rec *s)
{
    audit_spool_start(p, s);
    audit_ship_start(p, s);
}

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_pre_config(on_pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(on_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(on_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(on_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    /* Before mod_ai_auth, which asks what models a key may use. */
    APR_OPTIONAL_HOOK(ai, ai_authorize, audit_feedback_take, NULL, NULL, APR_HOOK_FIRST);
    AI_STAGE(record, on_record);
    AI_STAGE(attempt, on_attempt);
    AI_STAGE(observe, on_observe);
    AI_STAGE(settle, on_settle);
    audit_metrics_register();
    /* Before the core, which settles the request at APR_HOOK_REALLY_FIRST where that was not done. */
    ap_hook_log_transaction(on_log_transaction, NULL, NULL, APR_HOOK_REALLY_FIRST - 1);
}

/* clang-format off */
AP_DECLARE_MODULE(ai_audit) = {
    STANDARD20_MODULE_STUFF,
    audit_conf_create,
    audit_conf_merge,
    audit_server_conf_create,
    NULL,
    audit_cmds,
    register_hooks,
    AP_MODULE_FLAG_NONE
};
/* clang-format on */
