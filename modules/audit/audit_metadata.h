/* SPDX-License-Identifier: Apache-2.0 */
/* audit_metadata.h - what a caller says of his call, to find it by later. */
#ifndef AUDIT_METADATA_H
#define AUDIT_METADATA_H

#include "ai_audit_record.h"
#include "mod_ai.h"

/* Reads it from the request's headers, and from its body while that is held. In r->pool. */
void audit_metadata_read(const ai_request_t *air, ai_audit_pairs_t *pairs);

#endif
