/* SPDX-License-Identifier: Apache-2.0 */
/* dialects.h - the dialects that are built in, in the order of AI_DIALECTS (modules/Makefile.am). */
#ifndef DIALECTS_H
#define DIALECTS_H

#include "dialect.h"

/* NULL-terminated; the first is the one that takes a path that none knows. */
extern const ai_dialect_t *const ai_dialects[];

#endif
