/* SPDX-License-Identifier: Apache-2.0 */
/* audit_feedback.h - what a caller thinks of an answer that he got. */
#ifndef AUDIT_FEEDBACK_H
#define AUDIT_FEEDBACK_H

#include "mod_ai.h"

/* Stage authorize, before others: takes what is sent to the path /feedback below the API's root, where
 * AIAuditFeedback is On. DONE, DECLINED, or the status of a refusal. */
int audit_feedback_take(ai_request_t *air);

#endif
