/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_digest.h - SHA-256 (FIPS 180-4), by OpenSSL. All is thread-safe.
 */
#ifndef AI_DIGEST_H
#define AI_DIGEST_H

#include <openssl/evp.h>

#include "ai_slice.h"

#define AI_DIGEST 32 /* bytes */

/* For who digests in pieces (EVP_DigestInit_ex2). Looked for once: to find it takes longer than most
 * digests. NULL where OpenSSL has none; then OpenSSL fails. */
const EVP_MD *ai_digest_method(void);

/* The digest of a text. 1, or 0 when OpenSSL failed: digest is not set then. */
int ai_digest(ai_slice_t text, unsigned char digest[AI_DIGEST]);

/* Writes it in small hexadecimal digits, and a NUL. */
void ai_digest_hex(const unsigned char digest[AI_DIGEST], char hex[2 * AI_DIGEST + 1]);

#endif
