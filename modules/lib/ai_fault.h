/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_fault.h - reads what a provider's error says, in whatever shape it says it.
 *
 * Providers that speak one API still report errors in a dozen shapes: OpenAI's object, a bare
 * string, FastAPI's list of details, Google's array, gateways' faults. This reads them all.
 */
#ifndef AI_FAULT_H
#define AI_FAULT_H

#include <apr_pools.h>

#include "ai_chat.h"
#include "ai_slice.h"

/*
 * Fills in message, code and param of error as far as body tells them; the rest stays as it is.
 * body need not be JSON, nor checked: then nothing is filled in. Text lives in p. Thread-safe.
 */
void ai_fault_read(apr_pool_t *p, ai_slice_t body, ai_error_t *error);

/*
 * Makes what a provider of another dialect said fit for any caller: a code by the status where the
 * provider gave none, "context_length_exceeded" where the message says so, and a status that HTTP
 * knows in place of 529. Changes error, never its text.
 */
void ai_fault_normalise(ai_error_t *error);

#endif
