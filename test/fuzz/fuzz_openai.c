/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_openai.c - does translation hold, whatever comes from where OpenAI's dialect is spoken?
 *
 * As talks.c has it.
 */
#include "talks.h"

extern const ai_dialect_t ai_dialect_openai;

const ai_dialect_t *const fuzz_dialect = &ai_dialect_openai;
