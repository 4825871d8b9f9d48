/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_policy.h - how much is kept of what a call asked and got, and who says so.
 */
#ifndef AUDIT_POLICY_H
#define AUDIT_POLICY_H

#include <httpd.h>
#include <http_config.h>

#include "ai_redact.h"
#include "mod_ai.h"

/* From the least to the most. The order is that of audit_keep_words. */
typedef enum audit_keep_e {
    AUDIT_KEEP_NONE,     /* nothing, not even how long it was */
    AUDIT_KEEP_META,     /* length and digest */
    AUDIT_KEEP_REDACTED, /* that, and the text without what is nobody's business */
    AUDIT_KEEP_FULL      /* that, and all of its bytes */
} audit_keep_e;

extern const char *const audit_keep_words[];

/* What a location says; a part of audit_conf_t. */
typedef struct audit_policy_t {
    apr_array_header_t *rules;    /* of AIAuditBody, private to audit_policy.c; NULL: none */
    apr_int64_t caller;           /* AIAuditCaller */
    apr_int64_t floor;            /* AIAuditFloor: audit_keep_e */
    apr_int64_t limit;            /* AIAuditBodyLimit */
    ai_redact_kinds_t kinds;      /* AIAuditRedact; 0: not said */
    const ai_redact_t *redact;    /* NULL: neither that nor AIAuditRedactRegex was said */
} audit_policy_t;

/* Setters of AIAuditBody, AIAuditRedact and AIAuditRedactRegex. */
const char *audit_policy_set_body(cmd_parms *cmd, void *conf, const char *level, const char *expr);
const char *audit_policy_set_redact(cmd_parms *cmd, void *conf, const char *word);
const char *audit_policy_set_regex(cmd_parms *cmd, void *conf, const char *name, const char *regex);

/* What add does not say is as base has it; the numbers are their fields' matter. */
void audit_policy_merge(apr_pool_t *p, audit_policy_t *conf, const audit_policy_t *base,
                        const audit_policy_t *add);

/* In post_config: makes the sieve that holds where nothing is said. */
void audit_policy_begin(apr_pool_t *p);

/* What is kept of this request. Its body has been read, as far as it is read at all. */
audit_keep_e audit_policy_decide(ai_request_t *air);
/* How many bytes at most, of the prompt and of the answer each; and the sieve. */
apr_size_t audit_policy_limit(const ai_request_t *air);
const ai_redact_t *audit_policy_redact(const ai_request_t *air);

#endif
