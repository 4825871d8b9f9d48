/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_sign.h - did the holder of a key say this? Ed25519 (RFC 8032), by OpenSSL.
 *
 * Keys are PEM as OpenSSL's own programs write it (PKCS#8, SubjectPublicKeyInfo). Functions that
 * return a text return NULL, or what is wrong, in p, with the file's name and never a byte of a
 * private key. A key may be used by all threads; it lives in its pool, and is wiped with it.
 */
#ifndef AI_SIGN_H
#define AI_SIGN_H

#include <apr_pools.h>

#include "ai_slice.h"

#define AI_SIGN_PUBLIC 32    /* bytes of a public key */
#define AI_SIGN_SIGNATURE 64 /* bytes of a signature */
#define AI_SIGN_ID 64        /* letters of a signer's id, without a NUL */

typedef struct ai_sign_key_t ai_sign_key_t;

/* Makes a new key, in p. */
const char *ai_sign_make(apr_pool_t *p, ai_sign_key_t **key);

/* Writes the private key into a file of mode 0600, which must not be there yet; all of it is on the
 * disk then, or there is no file. */
const char *ai_sign_save(apr_pool_t *p, const ai_sign_key_t *key, const char *path);

/* Reads the private key from a file: a regular one that belongs to us or to root, and that nobody
 * else may read or write. */
const char *ai_sign_load(apr_pool_t *p, const char *path, ai_sign_key_t **key);

/* Reads a public key from a file; one of a private key is refused, so that nobody hands it out. */
const char *ai_sign_load_public(apr_pool_t *p, const char *path, ai_sign_key_t **key);

/* Keys from their 32 bytes: of the seed, of the public key. NULL when OpenSSL failed. */
ai_sign_key_t *ai_sign_private(apr_pool_t *p, const unsigned char seed[AI_SIGN_PUBLIC]);
ai_sign_key_t *ai_sign_public(apr_pool_t *p, const unsigned char bytes[AI_SIGN_PUBLIC]);

/* The public key: its bytes, and as PEM in p. */
const unsigned char *ai_sign_bytes(const ai_sign_key_t *key);
const char *ai_sign_pem(apr_pool_t *p, const ai_sign_key_t *key);

/* Who signs: SHA-256 of the public key's bytes, in hex. As long as the key. */
const char *ai_sign_id(const ai_sign_key_t *key);

/* Signs. 1, or 0 when OpenSSL failed, or the key is a public one. */
int ai_sign(const ai_sign_key_t *key, ai_slice_t text, unsigned char signature[AI_SIGN_SIGNATURE]);

/* 1 if the holder of the key signed the text, else 0. */
int ai_sign_verify(const ai_sign_key_t *key, ai_slice_t text, ai_slice_t signature);

/* SHA-256 of bytes in two pieces, in hex, in p; NULL when OpenSSL failed. */
const char *ai_sign_digest(apr_pool_t *p, ai_slice_t first, ai_slice_t second);

#endif
