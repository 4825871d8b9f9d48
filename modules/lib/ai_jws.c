/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_jws.c - did the owner of a key of the set sign this (RFC 7515, compact serialization)?
 *
 * The header is the caller's word until the signature holds. It may choose among the keys of the
 * set and the algorithms that the chosen key is for, and nothing else: jwk, jku, x5c and x5u, which
 * bring a key along or an address to fetch one from, are not looked at.
 *
 * Why our own: the packaged libraries are old, or bring a second JSON reader, and two readers that
 * disagree on a header are a way in. The cryptography is OpenSSL's.
 */
#include <apr_strings.h>

#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "ai_base64url.h"
#include "ai_jwk.h"
#include "ai_word.h"

/* A token without kid may cost this many checks of a signature. */
enum { MOST_TRIES = 8, HEADER_DEPTH = 8 };

static const ai_jwa_t algorithms[] = {
    { "RS256", AI_JWA_PKCS1, 1u << AI_JWK_RSA, EVP_sha256, 0 },
    { "RS384", AI_JWA_PKCS1, 1u << AI_JWK_RSA, EVP_sha384, 0 },
    { "RS512", AI_JWA_PKCS1, 1u << AI_JWK_RSA, EVP_sha512, 0 },
    { "PS256", AI_JWA_PSS, 1u << AI_JWK_RSA, EVP_sha256, 0 },
    { "PS384", AI_JWA_PSS, 1u << AI_JWK_RSA, EVP_sha384, 0 },
    { "PS512", AI_JWA_PSS, 1u << AI_JWK_RSA, EVP_sha512, 0 },
    { "ES256", AI_JWA_ECDSA, 1u << AI_JWK_P256, EVP_sha256, 0 },
    { "ES384", AI_JWA_ECDSA, 1u << AI_JWK_P384, EVP_sha384, 0 },
    { "ES512", AI_JWA_ECDSA, 1u << AI_JWK_P521, EVP_sha512, 0 },
    { "EdDSA", AI_JWA_EDDSA, 1u << AI_JWK_ED25519 | 1u << AI_JWK_ED448, NULL, 0 },
    { "Ed25519", AI_JWA_EDDSA, 1u << AI_JWK_ED25519, NULL, 0 },
    { "Ed448", AI_JWA_EDDSA, 1u << AI_JWK_ED448, NULL, 0 },
    { "HS256", AI_JWA_HMAC, 1u << AI_JWK_OCT, EVP_sha256, 32 },
    { "HS384", AI_JWA_HMAC, 1u << AI_JWK_OCT, EVP_sha384, 48 },
    { "HS512", AI_JWA_HMAC, 1u << AI_JWK_OCT, EVP_sha512, 64 }
};

const ai_jwa_t *ai_jwa_find(ai_slice_t name)
{
    apr_size_t i;

    for (i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        if (ai_json_string_is(name, algorithms[i].name)) {
            return &algorithms[i];
        }
    }
    return NULL;
}

/* A token in its parts. */
typedef struct jws_t {
    ai_slice_t header; /* as they stand */
    ai_slice_t payload;
    ai_slice_t signed_text;
    ai_slice_t signature; /* decoded */
    const ai_jwa_t *alg;
    const char *kid; /* or NULL */
    apr_size_t kid_n;
} jws_t;

/* --- Reading -------------------------------------------------------------------------------- */

int ai_jws_looks(ai_slice_t token)
{
    return token.n > 2 && token.p[0] == 'e' && token.p[1]
           && strchr("wxyz0123456789-_", token.p[1]) && memchr(token.p, '.', token.n);
}

static int split(apr_pool_t *p, ai_slice_t token, jws_t *jws)
{
    const char *end = token.p + token.n;
    const char *first = memchr(token.p, '.', token.n);
    const char *second = memchr(first + 1, '.', (apr_size_t)(end - first - 1));

    if (!second) {
        return 0;
    }
    jws->header = (ai_slice_t){ token.p, (apr_size_t)(first - token.p) };
    jws->payload = (ai_slice_t){ first + 1, (apr_size_t)(second - first - 1) };
    jws->signed_text = (ai_slice_t){ token.p, (apr_size_t)(second - token.p) };
    /* A third dot (of an encrypted token) is no base64url. */
    return ai_base64url_read(p, (ai_slice_t){ second + 1, (apr_size_t)(end - second - 1) },
                             &jws->signature);
}

static ai_jwt_verdict_e read_header(apr_pool_t *p, jws_t *jws)
{
    enum { ALG, KID, CRIT, B64, MEMBERS };
    static const ai_slice_t words[MEMBERS] = { AI_WORD("alg"), AI_WORD("kid"), AI_WORD("crit"),
                                               AI_WORD("b64") };
    ai_slice_t bytes, alg, kid;
    ai_json_doc_t doc;
    ai_json_error_t err;

    if (!ai_base64url_read(p, jws->header, &bytes)
        || ai_json_parse(p, bytes, HEADER_DEPTH, &doc, &err) != APR_SUCCESS
        || ai_json_type(doc.root) != AI_JSON_OBJECT) {
        return AI_JWT_MALFORMED;
    }
    alg = ai_json_doc_get(&doc, words[ALG].p);
    kid = ai_json_doc_get(&doc, words[KID].p);
    /* We have no extension, so none that must be understood is. An unencoded payload is one, also
     * of those who forget to say so. */
    if (ai_json_type(alg) != AI_JSON_STRING || ai_json_doc_get(&doc, words[CRIT].p).n
        || ai_json_doc_get(&doc, words[B64].p).n) {
        return AI_JWT_MALFORMED;
    }
    if (kid.n && ai_json_string(p, kid, &jws->kid, &jws->kid_n) != APR_SUCCESS) {
        return AI_JWT_MALFORMED;
    }
    jws->alg = ai_jwa_find(alg);
    return jws->alg ? AI_JWT_GOOD : AI_JWT_ALGORITHM;
}

/* --- Signatures ----------------------------------------------------------------------------- */

static int check_hmac(const ai_jwk_t *key, const jws_t *jws)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    return HMAC(jws->alg->digest(), key->secret.p, (int)key->secret.n,
                (const unsigned char *)jws->signed_text.p, jws->signed_text.n, mac, &n) != NULL
           && n == jws->signature.n && CRYPTO_memcmp(mac, jws->signature.p, n) == 0;
}

/* A signature of two numbers side by side as OpenSSL wants them. Returns its length in der, or 0. */
static int write_der(ai_slice_t raw, unsigned char *der, int room)
{
    const unsigned char *bytes = (const unsigned char *)raw.p;
    int half = (int)(raw.n / 2), n = 0;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes, half, NULL), *s = BN_bin2bn(bytes + half, half, NULL);

    /* A zero in either is good for every text under a careless verifier (CVE-2022-21449). */
    if (pair && r && s && !BN_is_zero(r) && !BN_is_zero(s) && ECDSA_SIG_set0(pair, r, s)) {
        r = s = NULL;
        n = i2d_ECDSA_SIG(pair, NULL);
        n = n > 0 && n <= room ? i2d_ECDSA_SIG(pair, &der) : 0;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return n;
}

/* Bytes that a signature by this key has, as a JWS holds it. */
static apr_size_t signature_length(const ai_jwk_t *key)
{
    switch (key->kind) {
    case AI_JWK_P256:
        return 64;
    case AI_JWK_P384:
        return 96;
    case AI_JWK_P521:
        return 132;
    default:
        return (apr_size_t)EVP_PKEY_get_size(key->public_key);
    }
}

static int check_public(const ai_jwk_t *key, const jws_t *jws)
{
    const unsigned char *signature = (const unsigned char *)jws->signature.p;
    unsigned char der[160];
    apr_size_t n = jws->signature.n;
    const EVP_MD *digest = jws->alg->digest ? jws->alg->digest() : NULL;
    EVP_PKEY_CTX *setting;
    EVP_MD_CTX *ctx;
    int good;

    if (n != signature_length(key)) {
        return 0;
    }
    if (jws->alg->way == AI_JWA_ECDSA) {
        n = (apr_size_t)write_der(jws->signature, der, sizeof(der));
        signature = der;
    }
    ctx = EVP_MD_CTX_new();
    good = n > 0 && ctx && EVP_DigestVerifyInit(ctx, &setting, digest, NULL, key->public_key) == 1;
    if (good && jws->alg->way == AI_JWA_PSS) {
        good = EVP_PKEY_CTX_set_rsa_padding(setting, RSA_PKCS1_PSS_PADDING) == 1
               && EVP_PKEY_CTX_set_rsa_pss_saltlen(setting, RSA_PSS_SALTLEN_DIGEST) == 1;
    }
    good = good
           && EVP_DigestVerify(ctx, signature, n, (const unsigned char *)jws->signed_text.p,
                               jws->signed_text.n) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

static int check(const ai_jwk_t *key, const jws_t *jws)
{
    return jws->alg->way == AI_JWA_HMAC ? check_hmac(key, jws) : check_public(key, jws);
}

/* --- Keys ----------------------------------------------------------------------------------- */

static ai_jwt_verdict_e check_by_kid(const ai_jwks_t *jwks, const jws_t *jws)
{
    const ai_jwk_t *key = apr_hash_get(jwks->by_kid, jws->kid, (apr_ssize_t)jws->kid_n);

    if (!key) {
        return AI_JWT_NO_KEY;
    }
    while (key && !ai_jwk_fits(key, jws->alg)) {
        key = key->next;
    }
    if (!key) {
        return AI_JWT_ALGORITHM;
    }
    return check(key, jws) ? AI_JWT_GOOD : AI_JWT_SIGNATURE;
}

static ai_jwt_verdict_e check_by_trying(const ai_jwks_t *jwks, const jws_t *jws)
{
    int i, tries = 0;

    for (i = 0; i < jwks->n && tries < MOST_TRIES; i++) {
        if (ai_jwk_fits(&jwks->keys[i], jws->alg)) {
            tries++;
            if (check(&jwks->keys[i], jws)) {
                return AI_JWT_GOOD;
            }
        }
    }
    return tries ? AI_JWT_SIGNATURE : AI_JWT_NO_KEY;
}

ai_jwt_verdict_e ai_jws_verify(apr_pool_t *p, const ai_jwks_t *jwks, ai_slice_t token,
                               ai_slice_t *payload)
{
    jws_t jws = { .kid = NULL };
    ai_jwt_verdict_e verdict;
    ai_slice_t bytes;

    if (!ai_jws_looks(token)) {
        return AI_JWT_FOREIGN;
    }
    if (token.n > AI_JWT_LONGEST || !split(p, token, &jws)) {
        return AI_JWT_MALFORMED;
    }
    verdict = read_header(p, &jws);
    if (verdict != AI_JWT_GOOD) {
        return verdict;
    }
    /* What OpenSSL says of a refusal is not for whoever looks next, mod_ssl for one. */
    ERR_set_mark();
    verdict = jws.kid ? check_by_kid(jwks, &jws) : check_by_trying(jwks, &jws);
    ERR_pop_to_mark();
    if (verdict != AI_JWT_GOOD) {
        return verdict;
    }
    if (!ai_base64url_read(p, jws.payload, &bytes)) {
        return AI_JWT_MALFORMED;
    }
    *payload = bytes;
    return AI_JWT_GOOD;
}
