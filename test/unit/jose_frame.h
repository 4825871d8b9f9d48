/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jose_frame.h - what tests of tokens share: base64url, tokens under any header, sets of keys.
 */
#ifndef JOSE_FRAME_H
#define JOSE_FRAME_H

#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "ai_jwt.h"
#include "tap.h"

static apr_pool_t *pool;

/* Text of JSON with ' for ", which C would have escaped. */
static inline const char *json(const char *text)
{
    char *copy = apr_pstrdup(pool, text), *at;

    for (at = copy; (at = strchr(at, '\'')) != NULL;) {
        *at = '"';
    }
    return copy;
}

static inline const char *encode(const void *bytes, size_t n)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *from = bytes;
    char *text = apr_palloc(pool, n * 4 / 3 + 5), *at = text;
    size_t i;

    for (i = 0; i < n; i += 3) {
        unsigned long three = (unsigned long)from[i] << 16 | (i + 1 < n ? from[i + 1] << 8 : 0)
                              | (i + 2 < n ? from[i + 2] : 0);

        *at++ = letters[three >> 18 & 63];
        *at++ = letters[three >> 12 & 63];
        *at++ = letters[three >> 6 & 63];
        *at++ = letters[three & 63];
    }
    at -= n % 3 ? 3 - n % 3 : 0;
    *at = '\0';
    return text;
}

static inline const char *encode_text(const char *text)
{
    return encode(text, strlen(text));
}

/* "header.payload", of JSON with '. */
static inline const char *unsigned_token(const char *header, const char *payload)
{
    return apr_pstrcat(pool, encode_text(json(header)), ".", encode_text(json(payload)), NULL);
}

/* A token with an HMAC over it. */
static inline const char *hmac_token(const char *header, const char *payload, const EVP_MD *digest,
                                     const void *secret, size_t n)
{
    const char *text = unsigned_token(header, payload);
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    HMAC(digest, secret, (int)n, (const unsigned char *)text, strlen(text), mac, &length);
    return apr_pstrcat(pool, text, ".", encode(mac, length), NULL);
}

/* 32 bytes, and the set that has them as its one key, with kid "k". */
#define SECRET "0123456789abcdef0123456789ABCDEF"
#define SECRET_KEY "{'kty':'oct','kid':'k','k':'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlBQkNERUY'}"

static inline const char *good_token(const char *payload)
{
    return hmac_token("{'alg':'HS256','kid':'k'}", payload, EVP_sha256(), SECRET, 32);
}

/* A set of these keys (JSON with '); ends the program when it is refused. */
static inline const ai_jwks_t *set_of(const char *keys)
{
    const char *wrong;
    const ai_jwks_t *jwks = ai_jwks_read(
        pool, ai_slice_of(json(apr_pstrcat(pool, "{'keys':[", keys, "]}", NULL))), &wrong);

    if (!jwks) {
        printf("Bail out! %s\n", wrong);
        exit(1);
    }
    return jwks;
}

#endif
