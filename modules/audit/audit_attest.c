/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_attest.c - who signs for what is recorded, and how long is it kept?
 *
 * The key is read before httpd gives up root, and lies in the memory of its children from then on.
 *
 * Lives in: the configuration pool; the child's pool.  Shared state: none.
 * May block: on a file when httpd starts; on the database, in the thread that ships.
 */

#include <apr_strings.h>

#include "ai_attest.h"
#include "audit_private.h"

/* More rules than this are a slip. */
#define RULES_MOST 100

/* The one that AIAuditSigningKey names, of the configuration in force. */
static ai_sign_key_t *key;

const char *audit_set_signing_key(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY), *path;

    (void)dir;
    if (wrong) {
        return wrong;
    }
    path = ap_server_root_relative(cmd->pool, arg);
    if (!path || !*arg) {
        return apr_psprintf(cmd->pool, "AIAuditSigningKey: '%s' is no path", arg);
    }
    audit_server_conf(cmd->server)->signing_key = path;
    return NULL;
}

const char *audit_set_retain(cmd_parms *cmd, void *dir, const char *span, const char *second,
                             const char *third)
{
    static const char tenant_is[] = "tenant=";
    audit_server_conf_t *conf = audit_server_conf(cmd->server);
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY), *what = NULL, *tenant = NULL;
    ai_attest_rule_t rule;

    (void)dir;
    if (wrong) {
        return wrong;
    }
    if (second && strncmp(second, tenant_is, sizeof(tenant_is) - 1) == 0) {
        if (third) {
            return "AIAuditRetain: tenant= comes last";
        }
        tenant = second + sizeof(tenant_is) - 1;
    }
    else {
        what = second;
    }
    if (third && strncmp(third, tenant_is, sizeof(tenant_is) - 1) != 0) {
        return apr_psprintf(cmd->pool, "AIAuditRetain: '%s' is not understood: a span, \"bodies\" or "
                            "\"records\", tenant=NAME", third);
    }
    tenant = third ? third + sizeof(tenant_is) - 1 : tenant;
    wrong = ai_attest_rule(cmd->pool, span, what, tenant, &rule);
    if (wrong) {
        return apr_pstrcat(cmd->pool, "AIAuditRetain: ", wrong, NULL);
    }
    if (!conf->retain) {
        conf->retain = apr_array_make(cmd->pool, 2, sizeof(ai_attest_rule_t));
    }
    if (conf->retain->nelts == RULES_MOST) {
        return apr_psprintf(cmd->pool, "AIAuditRetain: more than %d of them", RULES_MOST);
    }
    APR_ARRAY_PUSH(conf->retain, ai_attest_rule_t) = rule;
    return NULL;
}

int audit_attest_check(apr_pool_t *p, server_rec *s)
{
    const audit_server_conf_t *conf = audit_server_conf(s);
    ai_sign_key_t *read;
    const char *wrong;

    if (!conf->signing_key) {
        return OK;
    }
    wrong = ai_sign_load(p, conf->signing_key, &read);
    if (wrong) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s, AI_LOGNO(0650) "AIAuditSigningKey: %s", wrong);
        return !OK;
    }
    return OK;
}

int audit_attest_prepare(apr_pool_t *pconf, server_rec *s)
{
    const audit_server_conf_t *conf = audit_server_conf(s);
    const char *wrong;

    key = NULL;
    wrong = conf->signing_key ? ai_sign_load(pconf, conf->signing_key, &key) : NULL;
    if (wrong) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s, AI_LOGNO(0651) "AIAuditSigningKey: %s", wrong);
        return !OK;
    }
    return OK;
}

static void say(void *data, ai_attest_event_e event, const char *text)
{
    const server_rec *s = data;

    switch (event) {
    case AI_ATTEST_TROUBLE:
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     AI_LOGNO(0652) "audit: no checkpoint can be written: %s", text);
        break;
    case AI_ATTEST_RESUMED:
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s, AI_LOGNO(0653) "audit: %s", text);
        break;
    case AI_ATTEST_RETAINED:
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     AI_LOGNO(0654) "audit: retention took out %s", text);
        break;
    }
}

ai_attest_t *audit_attest_open(apr_pool_t *p, server_rec *s)
{
    const audit_server_conf_t *conf = audit_server_conf(s);
    const ai_attest_conf_t how = {
        .database = *audit_ai->database(s), .key = key, .node = conf->node,
        .every = audit_checkpoint_every(conf), .rules = conf->retain, .say = say, .baton = s
    };

    return ai_attest_open(p, &how);
}
