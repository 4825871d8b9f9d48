/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_jwk.h - a key of a JWK set as ai_jws.c needs it, and the algorithms there are (RFC 7518,
 * 8037).
 *
 * For ai_jwks.c and ai_jws.c alone; others use ai_jwt.h.
 */
#ifndef AI_JWK_H
#define AI_JWK_H

#include <openssl/evp.h>

#include <apr_hash.h>

#include "ai_jwt.h"

/* What a key is: its kty, and its curve where it has one. */
typedef enum ai_jwk_kind_e {
    AI_JWK_RSA,
    AI_JWK_P256,
    AI_JWK_P384,
    AI_JWK_P521,
    AI_JWK_ED25519,
    AI_JWK_ED448,
    AI_JWK_OCT
} ai_jwk_kind_e;

typedef enum ai_jwa_way_e {
    AI_JWA_PKCS1,
    AI_JWA_PSS,
    AI_JWA_ECDSA,
    AI_JWA_EDDSA,
    AI_JWA_HMAC
} ai_jwa_way_e;

/* An algorithm. */
typedef struct ai_jwa_t {
    const char *name;
    ai_jwa_way_e way;
    unsigned kinds;                /* of keys that it takes, as 1 << kind */
    const EVP_MD *(*digest)(void); /* NULL: the algorithm's own */
    apr_size_t least;              /* bytes of an HMAC secret */
} ai_jwa_t;

/* Which algorithm a JSON string names, or NULL. */
const ai_jwa_t *ai_jwa_find(ai_slice_t name);

typedef struct ai_jwk_t {
    ai_jwk_kind_e kind;
    const ai_jwa_t *alg;   /* the only one it is for; NULL: any that takes its kind */
    const char *kid;       /* or NULL */
    apr_size_t kid_n;
    EVP_PKEY *public_key;  /* NULL for AI_JWK_OCT */
    ai_slice_t secret;     /* of AI_JWK_OCT */
    struct ai_jwk_t *next; /* with the same kid */
} ai_jwk_t;

struct ai_jwks_t {
    ai_jwk_t *keys;
    int n;
    apr_hash_t *by_kid; /* the first of each kid */
};

/* 1 if the key may be used with that algorithm. */
int ai_jwk_fits(const ai_jwk_t *key, const ai_jwa_t *alg);

/* 1 if the text begins like base64url of '{' and has a dot: no other token does. */
int ai_jws_looks(ai_slice_t token);

/*
 * Verifies a JWS in compact serialization. Returns AI_JWT_GOOD and *payload, in p, any bytes; or
 * why not, and *payload is untouched.
 */
ai_jwt_verdict_e ai_jws_verify(apr_pool_t *p, const ai_jwks_t *jwks, ai_slice_t token,
                               ai_slice_t *payload);

#endif
