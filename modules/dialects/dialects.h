/* SPDX-License-Identifier: Apache-2.0 */
/* dialects.h - the dialects that are built in, in the order of AI_DIALECTS (modules/Makefile.am). */
#ifndef DIALECTS_H
#define DIALECTS_H

#include "dialect.h"

/* NULL-terminated; the first is the one that takes a path that none knows. */
extern const ai_dialect_t *const ai_dialects[];

/* 1 when a provider of one dialect can answer a caller of another (or the same): as it lies, or
 * translated. What is passed through unread may go anywhere. */
int ai_dialect_serves(const ai_dialect_t *caller, const ai_dialect_t *provider,
                      ai_endpoint_e endpoint);

#endif
