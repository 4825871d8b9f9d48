/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_jwt.c - what does it cost to believe a token?
 *
 * The program bench-jwt: makes a key and a token, and then verifies it and reads its claims over
 * and over, as for a caller that was not seen before; or, with "cached", finds it among 4096 that
 * were verified before, as mod_ai_auth does. Prints microseconds for one time.
 *
 * Exit code 0: measured, 1: the token is not good or reads otherwise, 2: it could not run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_encode.h>
#include <apr_general.h>
#include <apr_strings.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "ai_jwt.h"
#include "ai_token_cache.h"
#include "bench_timer.h"

#define ISSUER "https://login.example/realms/bench"
#define AUDIENCE "ai-gateway"
#define SECRET "0123456789abcdef0123456789abcdef"

static const char usage_text[] = "usage: bench-jwt SECONDS RS256|ES256|EdDSA|HS256 [cached]\n";

/* What an OpenID provider puts into an access token, about. */
static const char payload[] =
    "{\"exp\":1700003600,\"iat\":1700000000,\"jti\":\"0b0e9a7c-4cde-4d9f-8a3e-5b0f6b1f8c11\","
    "\"iss\":\"" ISSUER "\",\"aud\":[\"account\",\"" AUDIENCE "\"],"
    "\"sub\":\"f3b9c1d2-7f0a-4f1e-9d57-0c1d2e3f4a5b\",\"typ\":\"Bearer\",\"azp\":\"bench\","
    "\"acr\":\"1\",\"realm_access\":{\"roles\":[\"offline_access\",\"user\"]},"
    "\"scope\":\"openid email profile\",\"email_verified\":true,\"name\":\"Ada Example\","
    "\"org\":{\"id\":\"physics\",\"tier\":\"gold\"},\"email\":\"ada@example.org\"}";

typedef struct job_t {
    const ai_jwks_t *jwks;
    ai_slice_t token;
    ai_jwt_rule_t rule;
    apr_pool_t *pool; /* of one time */
    ai_token_cache_t *cache;
} job_t;

static void end(int code, const char *why)
{
    fprintf(stderr, "bench-jwt: %s\n%s", why, code == 2 ? usage_text : "");
    exit(code);
}

static void check_facts(const char *user, const char *tenant, const char *tier)
{
    if (user == NULL || tenant == NULL || tier == NULL || strlen(user) != 36
        || strcmp(tenant, "physics") != 0 || strcmp(tier, "gold") != 0) {
        end(1, "the claims are not what was signed");
    }
}

static void verify(void *baton)
{
    const job_t *job = baton;
    apr_pool_t *p = job->pool;
    ai_json_doc_t claims;
    apr_time_t expires;
    ai_jwt_verdict_e verdict = ai_jwt_verify(p, job->jwks, job->token, &job->rule, &claims,
                                             &expires);
    if (verdict != AI_JWT_GOOD) {
        end(1, ai_jwt_reason(verdict));
    }
    const char *user = ai_jwt_claim(p, &claims, "sub");
    const char *tenant = ai_jwt_claim(p, &claims, "org.id");
    const char *tier = ai_jwt_claim(p, &claims, "org.tier");
    check_facts(user, tenant, tier);
    apr_pool_clear(p);
}

/* What a request does before it asks the cache, too: whose token is it? */
static void look_up(void *baton)
{
    const job_t *job = baton;
    ai_token_t token = { .rule = job, .keys = 1 };
    const char *issuer;

    if (ai_jwt_look(job->pool, job->token, &issuer) != AI_JWT_READS || strcmp(issuer, ISSUER) != 0
        || !ai_digest(job->token, token.digest)
        || !ai_token_cache_get(job->cache, job->pool, &token, job->rule.now, 0)) {
        end(1, "the token is not in the cache");
    }
    check_facts(token.facts[AI_TOKEN_USER], token.facts[AI_TOKEN_TENANT],
                token.facts[AI_TOKEN_TIER]);
    apr_pool_clear(job->pool);
}

/* The token, and so many others that the cache is full. */
static void fill_cache(apr_pool_t *p, job_t *job)
{
    ai_token_t token = { .rule = job, .keys = 1, .expires = job->rule.now + 1 };

    token.facts[AI_TOKEN_USER] = "f3b9c1d2-7f0a-4f1e-9d57-0c1d2e3f4a5b";
    token.facts[AI_TOKEN_TENANT] = "physics";
    token.facts[AI_TOKEN_TIER] = "gold";
    job->cache = ai_token_cache_create(p, 4096);
    for (int i = 0; i < 8192; i++) {
        ai_digest(ai_slice_of(apr_itoa(job->pool, i)), token.digest);
        ai_token_cache_put(job->cache, &token);
    }
    ai_digest(job->token, token.digest);
    ai_token_cache_put(job->cache, &token);
    apr_pool_clear(job->pool);
}

static const char *encode(apr_pool_t *p, const void *bytes, size_t n)
{
    return apr_pencode_base64_binary(p, bytes, (apr_ssize_t)n, APR_ENCODE_BASE64URL, NULL);
}

static const char *number(apr_pool_t *p, const EVP_PKEY *key, const char *name)
{
    unsigned char bytes[512];
    BIGNUM *n = NULL;

    if (EVP_PKEY_get_bn_param(key, name, &n) != 1) {
        end(2, "no such number in the key");
    }
    /* Coordinates have a fixed length. */
    int length = name[0] == 'q' ? 32 : BN_num_bytes(n);
    BN_bn2binpad(n, bytes, length);
    BN_free(n);
    return encode(p, bytes, (size_t)length);
}

/* A key for the algorithm, and *jwk, the half that the verifier sees. */
static EVP_PKEY *make_key(apr_pool_t *p, const char *algorithm, const char **jwk)
{
    EVP_PKEY *key = NULL;

    if (strcmp(algorithm, "RS256") == 0) {
        key = EVP_RSA_gen(2048);
        *jwk = apr_psprintf(p, "\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"", number(p, key, "n"),
                            number(p, key, "e"));
    }
    else if (strcmp(algorithm, "ES256") == 0) {
        key = EVP_EC_gen("P-256");
        *jwk = apr_psprintf(p, "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"",
                            number(p, key, "qx"), number(p, key, "qy"));
    }
    else if (strcmp(algorithm, "EdDSA") == 0) {
        unsigned char raw[32];
        size_t n = sizeof(raw);

        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        EVP_PKEY_get_raw_public_key(key, raw, &n);
        *jwk = apr_psprintf(p, "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"",
                            encode(p, raw, n));
    }
    else if (strcmp(algorithm, "HS256") == 0) {
        *jwk = apr_psprintf(p, "\"kty\":\"oct\",\"k\":\"%s\"", encode(p, SECRET, 32));
    }
    else {
        end(2, "not understood");
    }
    return key;
}

static const char *sign(apr_pool_t *p, EVP_PKEY *key, const char *algorithm, const char *text)
{
    const unsigned char *bytes = (const unsigned char *)text;
    unsigned char signature[512];
    size_t n = sizeof(signature);
    unsigned length = 0;

    if (key == NULL) {
        HMAC(EVP_sha256(), SECRET, 32, bytes, strlen(text), signature, &length);
        return apr_pstrcat(p, text, ".", encode(p, signature, length), NULL);
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (EVP_DigestSignInit(ctx, NULL, algorithm[0] == 'E' && algorithm[1] == 'd' ? NULL : EVP_sha256(),
                           NULL, key) != 1
        || EVP_DigestSign(ctx, signature, &n, bytes, strlen(text)) != 1) {
        end(2, "cannot sign");
    }
    EVP_MD_CTX_free(ctx);
    if (strcmp(algorithm, "ES256") == 0) {
        const unsigned char *at = signature;
        ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)n);

        BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + 32, 32);
        ECDSA_SIG_free(pair);
        n = 64;
    }
    return apr_pstrcat(p, text, ".", encode(p, signature, n), NULL);
}

int main(int argc, char **argv)
{
    job_t job = { .rule = { .issuer = ISSUER, .audience = AUDIENCE, .needs_expiry = 1,
                            .now = apr_time_from_sec(1700000100) } };
    apr_pool_t *pool;
    const char *jwk = NULL, *wrong, *text;
    char *rest = NULL;

    int cached = argc == 4 && strcmp(argv[3], "cached") == 0;
    double seconds = argc == 3 || cached ? strtod(argv[1], &rest) : -1;
    if (!(seconds >= 0 && seconds <= 600) || rest == argv[1] || *rest != '\0') {
        end(2, "how many seconds, and which algorithm?");
    }
    apr_initialize();
    apr_pool_create(&pool, NULL);
    apr_pool_create(&job.pool, pool);
    EVP_PKEY *key = make_key(pool, argv[2], &jwk);
    text = apr_psprintf(pool, "{\"keys\":[{%s,\"kid\":\"2026-01\",\"use\":\"sig\",\"alg\":\"%s\"}]}",
                        jwk, argv[2]);
    job.jwks = ai_jwks_read(pool, ai_slice_of(text), &wrong);
    if (job.jwks == NULL) {
        end(2, wrong);
    }
    text = apr_psprintf(pool, "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"2026-01\"}", argv[2]);
    text = apr_pstrcat(pool, encode(pool, text, strlen(text)), ".",
                       encode(pool, payload, strlen(payload)), NULL);
    job.token = ai_slice_of(sign(pool, key, argv[2], text));
    fill_cache(pool, &job);
    printf("%.3f\n", bench_measure(cached ? look_up : verify, &job, seconds) / 1e3);
    EVP_PKEY_free(key);
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
