/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_dialect.h - whose words fuzz_dialect.c is given. */
#ifndef FUZZ_DIALECT_H
#define FUZZ_DIALECT_H

#include "dialect.h"

extern const ai_dialect_t *const fuzz_dialect;

#endif
