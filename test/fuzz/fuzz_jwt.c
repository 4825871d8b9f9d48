/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_jwt.c - is a token only ever good when its signature is, and does nothing odd come out of it?
 *
 * The first byte of the input says what the rest is: S a JWK set; T a token, which is asked of a set
 * with one secret; H a header, a line end and a payload, which are signed with that secret, so that
 * what stands behind the signature is reached.
 */
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include <openssl/hmac.h>

#include "ai_base64url.h"
#include "ai_jwk.h"
#include "fuzz.h"

static const char secret[] = "0123456789abcdef0123456789ABCDEF";
static const char set[] = "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"k\",\"k\":"
                          "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlBQkNERUY\"}]}";
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static const char *encode(apr_pool_t *p, const void *bytes, size_t n)
{
    const unsigned char *from = bytes;
    char *text = apr_palloc(p, n * 4 / 3 + 5);
    size_t i, bits = n * 8, length = (bits + 5) / 6;

    for (i = 0; i < length; i++) {
        size_t at = i * 6 / 8, shift = i * 6 % 8;
        unsigned two = (unsigned)from[at] << 8 | (at + 1 < n ? from[at + 1] : 0);

        text[i] = letters[two >> (10 - shift) & 63];
    }
    text[length] = '\0';
    return text;
}

static const char *hmac(apr_pool_t *p, const EVP_MD *digest, const char *text, size_t n)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    must(HMAC(digest, secret, 32, (const unsigned char *)text, n, mac, &length) != NULL);
    return encode(p, mac, length);
}

/* What decodes is what an encoder makes of the bytes, and nothing else. */
static void check_encoding(apr_pool_t *p, ai_slice_t text)
{
    ai_slice_t bytes;

    if (ai_base64url_read(p, text, &bytes)) {
        const char *again = encode(p, bytes.p, bytes.n);

        must(strlen(again) == text.n && memcmp(again, text.p, text.n) == 0);
    }
}

static void check_claim(apr_pool_t *p, const ai_json_doc_t *claims, const char *path)
{
    const char *text = ai_jwt_claim(p, claims, path);

    must(!text || strlen(text) <= 1024);
    for (; text && *text; text++) {
        must((unsigned char)*text >= 0x20 && *text != 0x7f);
    }
}

static void check_set(apr_pool_t *p, ai_slice_t text)
{
    const char *wrong, *again;
    const ai_jwks_t *jwks = ai_jwks_read(p, text, &wrong);
    const ai_jwks_t *other = ai_jwks_read(p, text, &again);

    must((jwks != NULL) == (wrong == NULL));
    must((jwks != NULL) == (other != NULL) && (!wrong || strcmp(wrong, again) == 0));
    must(!jwks || (ai_jwks_count(jwks) >= 0 && ai_jwks_count(jwks) <= AI_JWKS_KEYS));
}

static void check_token(apr_pool_t *p, ai_slice_t token)
{
    const char *wrong, *mac, *issuer;
    const ai_jwks_t *jwks = ai_jwks_read(p, AI_SLICE(set), &wrong);
    ai_slice_t payload = { NULL, 0 };
    const char *dot = NULL;
    apr_size_t i;

    for (i = 0; i < token.n; i++) {
        dot = token.p[i] == '.' ? token.p + i : dot;
    }
    check_encoding(p, token);
    must(ai_jwt_look(p, token, &issuer) == AI_JWT_READS || !issuer);
    if (ai_jws_verify(p, jwks, token, &payload) != AI_JWT_GOOD) {
        must(payload.p == NULL);
        return;
    }
    must(dot != NULL && token.n <= AI_JWT_LONGEST);
    mac = hmac(p, EVP_sha256(), token.p, (size_t)(dot - token.p));
    must(strlen(mac) == (size_t)(token.p + token.n - dot - 1) && memcmp(mac, dot + 1, strlen(mac)) == 0);
}

static void check_parts(apr_pool_t *p, const char *text, size_t n)
{
    const char *line = memchr(text, '\n', n);
    size_t n_header = line ? (size_t)(line - text) : n;
    size_t n_payload = line ? n - n_header - 1 : 0;
    const char *wrong, *token;
    const ai_jwks_t *jwks = ai_jwks_read(p, AI_SLICE(set), &wrong);
    ai_jwt_rule_t rule = { .now = apr_time_from_sec(1700000000), .issuer = "i", .audience = "a" };
    ai_json_doc_t claims;
    apr_time_t expires;

    token = apr_pstrcat(p, encode(p, text, n_header), ".",
                        encode(p, line ? line + 1 : "", n_payload), NULL);
    token = apr_pstrcat(p, token, ".", hmac(p, EVP_sha256(), token, strlen(token)), NULL);
    check_token(p, ai_slice_of(token));
    if (ai_jwt_verify(p, jwks, ai_slice_of(token), &rule, &claims, &expires) != AI_JWT_GOOD) {
        must(!claims.root.n && expires == 0);
        return;
    }
    must(ai_json_type(claims.root) == AI_JSON_OBJECT);
    must(ai_jwt_look(p, ai_slice_of(token), &wrong) == AI_JWT_READS && strcmp(wrong, "i") == 0);
    must(expires == 0 || expires > rule.now);
    must(ai_json_string_is(ai_json_doc_get(&claims, "iss"), "i"));
    check_claim(p, &claims, "sub");
    check_claim(p, &claims, "aud");
    check_claim(p, &claims, "a.b.c");
    /* The same token without its last byte is not good. */
    must(ai_jwt_verify(p, jwks, (ai_slice_t){ token, strlen(token) - 1 }, &rule, &claims, &expires)
         != AI_JWT_GOOD);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static apr_pool_t *root;
    const char *text;
    apr_pool_t *pool;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    if (n == 0) {
        return 0;
    }
    text = (const char *)bytes + 1;
    n--;
    apr_pool_create(&pool, root);
    if (bytes[0] == 'S') {
        check_set(pool, (ai_slice_t){ text, n });
    }
    else if (bytes[0] == 'T') {
        check_token(pool, (ai_slice_t){ text, n });
    }
    else {
        check_parts(pool, text, n);
    }
    apr_pool_destroy(pool);
    return 0;
}
