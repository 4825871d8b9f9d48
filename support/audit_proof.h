/* SPDX-License-Identifier: Apache-2.0 */
/* audit_proof.h - the audit commands of what can be proved, and of what is kept how long. */
#ifndef AUDIT_PROOF_H
#define AUDIT_PROOF_H

#include "audit_commands.h"

/* audit_proof.c */
audit_command_fn keygen_command, verify_command;

/* audit_retain.c */
audit_command_fn retain_command, hold_command;

/* A point in time, a day, or a span before now: "2026-12-31T23:59:59Z", "30d". NULL leaves *when as it
 * is. name: of the option, for what is wrong. */
const char *audit_when(apr_pool_t *p, const char *name, const char *word, apr_time_t now,
                       apr_time_t *when);

/* The name of this machine, for checkpoints. */
const char *audit_host_name(apr_pool_t *p);

#endif
