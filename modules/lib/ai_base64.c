/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_base64.c - writes and reads base64.
 *
 * OpenSSL's reader takes white space, and what no writer makes; so what it has read is written once
 * more, and compared.
 */
#include <openssl/evp.h>

#include "ai_base64.h"

#define MOST ((apr_size_t)1 << 30)

ai_slice_t ai_base64(apr_pool_t *p, ai_slice_t bytes)
{
    unsigned char *text = apr_palloc(p, (bytes.n + 2) / 3 * 4 + 1);
    int n = EVP_EncodeBlock(text, (const unsigned char *)bytes.p, (int)bytes.n);

    return (ai_slice_t){ (const char *)text, (apr_size_t)n };
}

static apr_size_t padding(ai_slice_t text)
{
    return text.n && text.p[text.n - 1] == '=' ? 1 + (text.p[text.n - 2] == '=') : 0;
}

int ai_base64_read(apr_pool_t *p, ai_slice_t text, ai_slice_t *bytes)
{
    unsigned char *read;
    ai_slice_t again;
    int n;

    if (text.n % 4 != 0 || text.n > MOST) {
        return 0;
    }
    read = apr_palloc(p, text.n / 4 * 3 + 1);
    n = EVP_DecodeBlock(read, (const unsigned char *)text.p, (int)text.n);
    if (n != (int)(text.n / 4 * 3)) {
        return 0;
    }
    *bytes = (ai_slice_t){ (const char *)read, (apr_size_t)n - padding(text) };
    read[bytes->n] = '\0';
    again = ai_base64(p, *bytes);
    return again.n == text.n && memcmp(again.p, text.p, text.n) == 0;
}
