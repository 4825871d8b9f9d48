/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_body.h - what is kept of a call's prompt and answer, as they pass.
 */
#ifndef AUDIT_BODY_H
#define AUDIT_BODY_H

#include "ai_audit_record.h"
#include "mod_ai.h"

typedef struct audit_body_t audit_body_t;

/* Of a call with that id. In r->pool. */
audit_body_t *audit_body_make(ai_request_t *air, const ai_uuid_t *id);

/*
 * Looks at the prompt, once, and says of it what a record says; appends its parts where they are to be
 * kept. In stage record; or, of a request that did not come so far, when it is settled: then parts
 * are kept only of callers who are known. May wait for a disk, as ai_spool_append().
 */
void audit_body_prompt(audit_body_t *body, ai_request_t *air, ai_audit_body_t *said);

/* The next bytes of the answer; nothing is changed. The same of waiting. */
void audit_body_observe(audit_body_t *body, ai_request_t *air, apr_bucket_brigade *bb);

/* The answer is over: says of it what a record says, its last parts are appended, and memory is given
 * back. */
void audit_body_answer(audit_body_t *body, ai_request_t *air, ai_audit_body_t *said);

#endif
