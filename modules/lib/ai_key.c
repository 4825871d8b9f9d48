/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_key.c - is this the text of a key, and may that key be used?
 */
#include <string.h>

#include <apr_lib.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "ai_digest.h"
#include "ai_key.h"

#define PREFIX_N (sizeof(AI_KEY_PREFIX) - 1)
#define RANDOM_BYTES 32

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
#define BASE (sizeof(digits) - 1)

/* ----------------------------------------------------------------------------- the text */

/* CRC-32 as IEEE 802.3 has it, four bits at a time. */
static apr_uint32_t crc32_of(const char *text, apr_size_t n)
{
    static const apr_uint32_t steps[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158,
        0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4,
        0xa00ae278, 0xbdbdf21c
    };
    apr_uint32_t crc = 0xffffffff;
    apr_size_t i;

    for (i = 0; i < n; i++) {
        crc ^= (unsigned char)text[i];
        crc = (crc >> 4) ^ steps[crc & 15];
        crc = (crc >> 4) ^ steps[crc & 15];
    }
    return ~crc;
}

static void write_check(const char *text, apr_size_t n, char check[AI_KEY_CHECK])
{
    apr_uint32_t crc = crc32_of(text, n);
    int i;

    for (i = AI_KEY_CHECK - 1; i >= 0; i--) {
        check[i] = digits[crc % BASE];
        crc /= BASE;
    }
}

/* The number in bytes (big end first), which it uses up, as n digits: 43 hold 256 bits. */
static void write_number(unsigned char *bytes, char *out, int n)
{
    for (; n > 0; n--) {
        unsigned rest = 0;
        int i;

        for (i = 0; i < RANDOM_BYTES; i++) {
            rest = rest << 8 | bytes[i];
            bytes[i] = (unsigned char)(rest / BASE);
            rest %= BASE;
        }
        out[n - 1] = digits[rest];
    }
}

apr_status_t ai_key_renew(ai_slice_t id, char text[AI_KEY_LENGTH + 1])
{
    unsigned char secret[RANDOM_BYTES];
    char *at = text;

    if (id.n != AI_KEY_ID || RAND_bytes(secret, sizeof(secret)) != 1) {
        return APR_EGENERAL;
    }
    memcpy(at, AI_KEY_PREFIX, PREFIX_N);
    at += PREFIX_N;
    memcpy(at, id.p, AI_KEY_ID);
    at += AI_KEY_ID;
    *at++ = '-';
    write_number(secret, at, AI_KEY_SECRET);
    OPENSSL_cleanse(secret, sizeof(secret));
    at += AI_KEY_SECRET;
    write_check(text, (apr_size_t)(at - text), at);
    at[AI_KEY_CHECK] = '\0';
    return APR_SUCCESS;
}

apr_status_t ai_key_make(char text[AI_KEY_LENGTH + 1])
{
    unsigned char bytes[RANDOM_BYTES];
    char id[AI_KEY_ID];

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return APR_EGENERAL;
    }
    write_number(bytes, id, AI_KEY_ID);
    return ai_key_renew((ai_slice_t){ id, AI_KEY_ID }, text);
}

ai_key_form_e ai_key_look(ai_slice_t text, ai_slice_t *id)
{
    apr_size_t i, dash = PREFIX_N + AI_KEY_ID;
    char check[AI_KEY_CHECK];

    if (text.n < PREFIX_N || memcmp(text.p, AI_KEY_PREFIX, PREFIX_N) != 0) {
        return AI_KEY_FOREIGN;
    }
    if (text.n != AI_KEY_LENGTH || text.p[dash] != '-') {
        return AI_KEY_BROKEN;
    }
    for (i = PREFIX_N; i < AI_KEY_LENGTH; i++) {
        if (i != dash && ((text.p[i] & 0x80) || !apr_isalnum(text.p[i]))) {
            return AI_KEY_BROKEN;
        }
    }
    write_check(text.p, AI_KEY_LENGTH - AI_KEY_CHECK, check);
    if (memcmp(text.p + AI_KEY_LENGTH - AI_KEY_CHECK, check, AI_KEY_CHECK) != 0) {
        return AI_KEY_BROKEN;
    }
    *id = (ai_slice_t){ text.p + PREFIX_N, AI_KEY_ID };
    return AI_KEY_WELL;
}

void ai_key_digest(ai_slice_t text, unsigned char digest[AI_KEY_DIGEST])
{
    /* An OpenSSL without SHA-256 leaves what no text has but by chance. */
    memset(digest, 0, AI_KEY_DIGEST);
    if (!ai_digest(text, digest)) {
        RAND_bytes(digest, AI_KEY_DIGEST);
    }
}

ai_key_form_e ai_key_see(ai_key_seen_t *seen, ai_slice_t text, ai_slice_t *id,
                         unsigned char digest[AI_KEY_DIGEST])
{
    ai_key_form_e form;

    /* Behind a proxy the last one may have been somebody else's: how much is the same stays secret. */
    if (seen->known && text.n == AI_KEY_LENGTH && CRYPTO_memcmp(seen->text, text.p, text.n) == 0) {
        *id = (ai_slice_t){ text.p + PREFIX_N, AI_KEY_ID };
        memcpy(digest, seen->digest, AI_KEY_DIGEST);
        return AI_KEY_WELL;
    }
    form = ai_key_look(text, id);
    if (form == AI_KEY_WELL) {
        ai_key_digest(text, digest);
        seen->known = 1;
        memcpy(seen->text, text.p, AI_KEY_LENGTH);
        memcpy(seen->digest, digest, AI_KEY_DIGEST);
    }
    return form;
}

int ai_key_same(const unsigned char a[AI_KEY_DIGEST], const unsigned char b[AI_KEY_DIGEST])
{
    return CRYPTO_memcmp(a, b, AI_KEY_DIGEST) == 0;
}

/* -------------------------------------------------------------------------- the verdict */

const char *ai_key_reason(ai_key_verdict_e verdict)
{
    switch (verdict) {
    case AI_KEY_GOOD:
        break;
    case AI_KEY_WRONG:
        return "invalid_api_key";
    case AI_KEY_DISABLED:
        return "key_disabled";
    case AI_KEY_TOO_EARLY:
        return "key_not_yet_valid";
    case AI_KEY_EXPIRED:
        return "key_expired";
    case AI_KEY_SOURCE:
        return "key_source_denied";
    }
    return NULL;
}

/* Both texts are always compared: how long it takes says nothing of a rotation. */
static int has_secret(const ai_key_t *key, const unsigned char *digest, apr_time_t now)
{
    int first = ai_key_same(key->digest, digest);
    int next = ai_key_same(key->next_digest, digest);

    if (!key->has_next) {
        return first;
    }
    return next || (first && (!key->next_until || now < key->next_until));
}

static int comes_from(const apr_array_header_t *sources, apr_sockaddr_t *from)
{
    int i;

    for (i = 0; from && i < sources->nelts; i++) {
        if (apr_ipsubnet_test(APR_ARRAY_IDX(sources, i, apr_ipsubnet_t *), from)) {
            return 1;
        }
    }
    return 0;
}

ai_key_verdict_e ai_key_judge(const ai_key_t *key, const unsigned char digest[AI_KEY_DIGEST],
                              apr_time_t now, apr_sockaddr_t *from)
{
    if (!has_secret(key, digest, now)) {
        return AI_KEY_WRONG;
    }
    if (key->disabled) {
        return AI_KEY_DISABLED;
    }
    if (key->not_before && now < key->not_before) {
        return AI_KEY_TOO_EARLY;
    }
    if (key->expires && now >= key->expires) {
        return AI_KEY_EXPIRED;
    }
    if (key->sources && !comes_from(key->sources, from)) {
        return AI_KEY_SOURCE;
    }
    return AI_KEY_GOOD;
}

/* --------------------------------------------------------------------------- the fields */

/* At most pattern times name steps: only the last '*' is tried again. */
static int does_match(const char *pattern, const char *name)
{
    const char *star = NULL, *again = NULL;

    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            again = name;
        }
        else if (*pattern && (*pattern == '?' || apr_tolower(*pattern) == apr_tolower(*name))) {
            pattern++;
            name++;
        }
        else if (star) {
            pattern = star;
            name = ++again;
        }
        else {
            return 0;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

static int is_among(const apr_array_header_t *patterns, const char *name)
{
    int i;

    for (i = 0; patterns && i < patterns->nelts; i++) {
        if (does_match(APR_ARRAY_IDX(patterns, i, const char *), name)) {
            return 1;
        }
    }
    return 0;
}

int ai_key_lists_allow(const apr_array_header_t *models, const apr_array_header_t *denied,
                       const char *model)
{
    return !is_among(denied, model) && (!models || is_among(models, model));
}

int ai_key_allows_model(const ai_key_t *key, const char *model)
{
    return !model || ai_key_lists_allow(key->models, key->models_denied, model);
}

int ai_key_allows_endpoint(const ai_key_t *key, const char *endpoint)
{
    int i;

    for (i = 0; key->endpoints && i < key->endpoints->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(key->endpoints, i, const char *), endpoint) == 0) {
            return 1;
        }
    }
    return key->endpoints == NULL;
}
