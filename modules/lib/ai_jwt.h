/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_jwt.h - JSON Web Tokens (RFC 7519) that others issue: are they good, and what do they say?
 *
 * JWS compact serialization only (RFC 7515), algorithms RS, PS, ES, HS of RFC 7518 and EdDSA of RFC
 * 8037 (also as Ed25519 and Ed448, RFC 9864), keys from a JWK set (RFC 7517). "none", encrypted
 * tokens, and "crit" are refused. The algorithm must be one that the key is for: a public key is
 * never taken for an HMAC secret.
 *
 * Pure over OpenSSL's EVP. A set that was read never changes: verifying is thread-safe.
 */
#ifndef AI_JWT_H
#define AI_JWT_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "ai_json.h"
#include "ai_slice.h"

typedef struct ai_jwks_t ai_jwks_t;

/* The longest token and set, in bytes, and how many keys a set may have. */
#define AI_JWT_LONGEST 16384
#define AI_JWKS_SIZE (1024 * 1024)
#define AI_JWKS_KEYS 1000

/*
 * Reads a JWK set. Keys of kinds, curves, algorithms or uses that are not ours are left out, as RFC
 * 7517 has it; a key of ours with broken parts is an error, and so are RSA keys below 2048 or above
 * 8192 bits, or made by a library that is known to make weak ones, HMAC secrets shorter than their
 * digest, secrets and public keys in one set, and two keys of one kid and algorithm. Of a private
 * key only the public half is read. p: where the set lives; its keys are freed with p.
 * Returns the set; or NULL and *wrong says what and where ("keys[2].n: ..."), in p, without any
 * part of a key.
 */
const ai_jwks_t *ai_jwks_read(apr_pool_t *p, ai_slice_t text, const char **wrong);
int ai_jwks_count(const ai_jwks_t *jwks);
/* 1 if the keys of the set are secrets (HS): it has either those or public keys. */
int ai_jwks_secret(const ai_jwks_t *jwks);

/* What a text looks like, before any signature is looked at. */
typedef enum ai_jwt_look_e {
    AI_JWT_NONE,       /* no JWT by its looks; or an encrypted one, in which nobody else can read */
    AI_JWT_UNREADABLE, /* one, but its claims cannot be read: no issuer's */
    AI_JWT_READS       /* one; *issuer is what it says */
} ai_jwt_look_e;

/* Out, where it reads: *issuer, the text of its "iss" in p, NULL where it has none. That is the
 * caller's word: good to choose by whose keys to verify, and for nothing else. */
ai_jwt_look_e ai_jwt_look(apr_pool_t *p, ai_slice_t token, const char **issuer);

/* What a token must be. Text may be NULL: not asked. */
typedef struct ai_jwt_rule_t {
    const char *issuer;     /* "iss" must equal it */
    const char *audience;   /* "aud" must be it, or hold it */
    apr_time_t now;
    apr_interval_time_t leeway; /* for exp, nbf and iat */
    int needs_expiry;       /* a token without exp is refused */
} ai_jwt_rule_t;

typedef enum ai_jwt_verdict_e {
    AI_JWT_GOOD,
    AI_JWT_FOREIGN,    /* no JWT by its looks */
    AI_JWT_MALFORMED,
    AI_JWT_ALGORITHM,  /* none, unknown, or not one for the key */
    AI_JWT_NO_KEY,     /* no key of the set has its kid (or fits, where it has none) */
    AI_JWT_SIGNATURE,
    AI_JWT_EXPIRED,
    AI_JWT_TOO_EARLY,  /* nbf, or iat in the future */
    AI_JWT_ISSUER,
    AI_JWT_AUDIENCE,
    AI_JWT_NO_EXPIRY   /* no exp, and the rule needs one */
} ai_jwt_verdict_e;

/* "token_expired" and the like: the machine reason of a refusal; NULL for AI_JWT_GOOD. */
const char *ai_jwt_reason(ai_jwt_verdict_e verdict);

/*
 * Verifies a token. Its kid must be that of a key; where it has none, the first eight keys that are
 * for its algorithm are tried. The signature comes first, then the times, then issuer and audience.
 * Out, where good: *claims, its checked claims; *expires, 0 without exp; both in p. Nothing of a
 * token that is not good is handed out.
 */
ai_jwt_verdict_e ai_jwt_verify(apr_pool_t *p, const ai_jwks_t *jwks, ai_slice_t token,
                               const ai_jwt_rule_t *rule, ai_json_doc_t *claims,
                               apr_time_t *expires);

/* A claim as text: a string, a number, true or false; path goes into objects ("org.id"); of an
 * array of strings the elements joined by commas. Where names hold dots themselves, the longest one
 * that is there counts. NULL where it is not there or is something else, holds control characters,
 * or is longer than 1024 bytes; and where an element of an array holds a comma. */
const char *ai_jwt_claim(apr_pool_t *p, const ai_json_doc_t *claims, const char *path);

#endif
