/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_base64url.c - the strict reader of base64url.
 *
 * Those that APR and OpenSSL have take padding, both alphabets or left-over bits; a token that can
 * be written in two ways gets past whatever remembers tokens by their text.
 */
#include "ai_base64url.h"

/* The value of a character, or -1. */
static int value_of(unsigned char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int ai_base64url_read(apr_pool_t *p, ai_slice_t text, ai_slice_t *bytes)
{
    char *out = apr_palloc(p, text.n / 4 * 3 + 3);
    apr_size_t i, n = 0;
    unsigned held = 0;
    int bits = 0;

    if (text.n % 4 == 1) {
        return 0;
    }
    for (i = 0; i < text.n; i++) {
        int value = value_of((unsigned char)text.p[i]);

        if (value < 0) {
            return 0;
        }
        held = (held << 6 | (unsigned)value) & 0xfff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (char)(held >> bits & 0xff);
        }
    }
    if (held & ((1u << bits) - 1)) {
        return 0;
    }
    *bytes = (ai_slice_t){ out, n };
    return 1;
}
