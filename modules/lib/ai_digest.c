/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_digest.c - SHA-256, by OpenSSL.
 *
 * Lives in: the caller's memory.  Shared state: OpenSSL's method, once found.  May block: no.
 */
#include <apr_atomic.h>

#include "ai_digest.h"

/* The reference is never given back: OpenSSL keeps its methods itself, and outlives a module. */
const EVP_MD *ai_digest_method(void)
{
    static volatile void *found;
    void *md = apr_atomic_casptr(&found, NULL, NULL), *first;

    if (!md) {
        md = EVP_MD_fetch(NULL, "SHA256", NULL);
        first = apr_atomic_casptr(&found, md, NULL);
        if (first) { /* another thread was faster */
            EVP_MD_free(md);
            md = first;
        }
    }
    return md;
}

int ai_digest(ai_slice_t text, unsigned char digest[AI_DIGEST])
{
    return EVP_Digest(text.p, text.n, digest, NULL, ai_digest_method(), NULL) == 1;
}

void ai_digest_hex(const unsigned char digest[AI_DIGEST], char hex[2 * AI_DIGEST + 1])
{
    static const char digits[] = "0123456789abcdef";
    int i;

    for (i = 0; i < AI_DIGEST; i++) {
        *hex++ = digits[digest[i] >> 4];
        *hex++ = digits[digest[i] & 15];
    }
    *hex = '\0';
}
