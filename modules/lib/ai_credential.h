/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_credential.h - a provider's key as a file or a program gives it.
 *
 *   sk-abc                         a key, and nothing else
 *   sk-abc                         a key, and until when it is good
 *   expires=2026-12-31T23:59:59Z
 *   {"key":"sk-abc","expires":"2026-12-31T23:59:59Z"}
 *
 * Pure, thread-safe.
 */
#ifndef AI_CREDENTIAL_H
#define AI_CREDENTIAL_H

#include <apr_pools.h>
#include <apr_time.h>

#include "ai_slice.h"

/* The longest key, and the longest text that holds one. */
#define AI_CREDENTIAL_KEY 8192
#define AI_CREDENTIAL_TEXT (2 * AI_CREDENTIAL_KEY)

typedef struct ai_credential_t {
    ai_slice_t key;     /* NUL-terminated */
    apr_time_t expires; /* 0: nobody said */
} ai_credential_t;

/*
 * Reads text. expires is a point in time or a span from now on, whatever ai_span_ms() reads; one that
 * has passed is now.
 * NULL with *credential in p; or what is wrong, which never holds a byte of text, to stand behind
 * the name of who gave it ("holds no key: it is empty").
 */
const char *ai_credential_read(apr_pool_t *p, ai_slice_t text, apr_time_t now,
                               ai_credential_t *credential);

#endif
