/* SPDX-License-Identifier: Apache-2.0 */
/* talks.h - whose words talks.c is given. */
#ifndef TALKS_H
#define TALKS_H

#include "dialect.h"

extern const ai_dialect_t *const fuzz_dialect;

#endif
