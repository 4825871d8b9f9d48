/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_jwks.c - which keys does a JWK set hold (RFC 7517), and what is each good for?
 *
 * A key that is not ours to use is left out; one that is ours and weak or broken stops the set, so
 * that nobody waits for tokens that can never be good. Beyond RFC 7517 a set is refused where it
 * leaves room for mistakes: secrets beside public keys (who publishes such a set gives the secret
 * away), and two keys that one header could mean.
 */
#include <apr_strings.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "ai_base64url.h"
#include "ai_jwk.h"
#include "ai_word.h"

/* Bits of a modulus; what is longer costs more to check than a caller may make us spend. */
enum { RSA_LEAST = 2048, RSA_MOST = 8192, EXPONENT_BYTES = 8, KID_LONGEST = 1024 };
enum { LONGEST_COORDINATE = 66, SET_DEPTH = 16 };

enum { KTY, USE, KEY_OPS, ALG, KID, CRV, X, Y, N, E, K, MEMBERS };

static const ai_slice_t words[MEMBERS] = {
    AI_WORD("kty"), AI_WORD("use"), AI_WORD("key_ops"), AI_WORD("alg"), AI_WORD("kid"),
    AI_WORD("crv"), AI_WORD("x"), AI_WORD("y"), AI_WORD("n"), AI_WORD("e"), AI_WORD("k")
};

typedef struct curve_t {
    const char *name;
    ai_jwk_kind_e kind;
    const char *type;  /* OpenSSL's word */
    apr_size_t length; /* of a coordinate or the key, in bytes */
} curve_t;

static const curve_t curves[] = {
    { "P-256", AI_JWK_P256, "EC", 32 },
    { "P-384", AI_JWK_P384, "EC", 48 },
    { "P-521", AI_JWK_P521, "EC", 66 },
    { "Ed25519", AI_JWK_ED25519, "ED25519", 32 },
    { "Ed448", AI_JWK_ED448, "ED448", 57 },
    { NULL, AI_JWK_RSA, NULL, 0 }
};

/* A key while it is read. */
typedef struct reading_t {
    apr_pool_t *p;
    int place;          /* in "keys" */
    const char *wrong;  /* the error that stops the set */
    ai_slice_t found[MEMBERS];
    ai_jwk_t *key;
} reading_t;

static int refuse(reading_t *r, int member, const char *why)
{
    r->wrong = apr_psprintf(r->p, "keys[%d].%s: %s", r->place, words[member].p, why);
    return 0;
}

/* The bytes of a member in base64url, from least to most of them. */
static int read_bytes(reading_t *r, int member, apr_size_t least, apr_size_t most,
                      ai_slice_t *bytes)
{
    const char *text;
    apr_size_t n;

    if (ai_json_string(r->p, r->found[member], &text, &n) != APR_SUCCESS
        || !ai_base64url_read(r->p, (ai_slice_t){ text, n }, bytes)) {
        return refuse(r, member, "must be a string in base64url without padding");
    }
    if (bytes->n < least || bytes->n > most) {
        return refuse(r, member,
                      least == most ? apr_psprintf(r->p, "must be %d bytes long", (int)least)
                                    : apr_psprintf(r->p, "must be %d to %d bytes long", (int)least,
                                                   (int)most));
    }
    return 1;
}

/* --- RSA ------------------------------------------------------------------------------------ */

/*
 * 1 for a modulus as a broken smart card library made them (ROCA, CVE-2017-15361): both its primes
 * are powers of 65537 modulo many small primes, so the modulus is, too. By chance that is so once
 * in 2^27 times or less.
 */
static int is_roca(const BIGNUM *n)
{
    static const unsigned primes[] = { 11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109,
                                       127, 151, 157 };
    apr_size_t i;

    for (i = 0; i < sizeof(primes) / sizeof(primes[0]); i++) {
        unsigned rest = (unsigned)BN_mod_word(n, primes[i]), power = 1;

        while (power != rest) {
            power = power * (65537 % primes[i]) % primes[i];
            if (power == 1) {
                return 0;
            }
        }
    }
    return 1;
}

/* Makes key->public_key. */
static int make_key(reading_t *r, const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    int good = ctx && params && EVP_PKEY_fromdata_init(ctx) == 1
               && EVP_PKEY_fromdata(ctx, &r->key->public_key, EVP_PKEY_PUBLIC_KEY, params) == 1;

    EVP_PKEY_CTX_free(ctx);
    return good;
}

/* OpenSSL's check of an RSA key throws dice for primes: it is not asked for those, so that a set is
 * read alike each time. */
static int is_on_curve(EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    int good = ctx && EVP_PKEY_public_check_quick(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    return good;
}

static int make_rsa(reading_t *r, const BIGNUM *n, const BIGNUM *e)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    int good;

    if (build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n)
        && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e)) {
        params = OSSL_PARAM_BLD_to_param(build);
    }
    good = make_key(r, "RSA", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    return good ? 1 : refuse(r, N, "is no RSA modulus");
}

static int check_rsa(reading_t *r, const BIGNUM *n, const BIGNUM *e)
{
    if (BN_num_bits(n) < RSA_LEAST || BN_num_bits(n) > RSA_MOST) {
        return refuse(r, N, apr_psprintf(r->p, "has %d bits; allowed are %d to %d", BN_num_bits(n),
                                         RSA_LEAST, RSA_MOST));
    }
    if (!BN_is_odd(n)) {
        return refuse(r, N, "is no RSA modulus");
    }
    if (is_roca(n)) {
        return refuse(r, N, "was made by a library whose keys can be broken (ROCA)");
    }
    if (!BN_is_odd(e) || BN_is_one(e)) {
        return refuse(r, E, "must be odd, and more than 1");
    }
    return 1;
}

static int read_rsa(reading_t *r)
{
    ai_slice_t n, e;
    BIGNUM *modulus, *exponent;
    int good;

    /* One byte more: some write the sign of a number before it. */
    if (!read_bytes(r, N, 1, RSA_MOST / 8 + 1, &n)
        || !read_bytes(r, E, 1, EXPONENT_BYTES, &e)) {
        return 0;
    }
    r->key->kind = AI_JWK_RSA;
    modulus = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL);
    exponent = BN_bin2bn((const unsigned char *)e.p, (int)e.n, NULL);
    good = modulus && exponent ? check_rsa(r, modulus, exponent) && make_rsa(r, modulus, exponent)
                               : refuse(r, N, "cannot be read: no memory");
    BN_free(modulus);
    BN_free(exponent);
    return good;
}

/* --- Curves and secrets --------------------------------------------------------------------- */

static int read_point(reading_t *r, const curve_t *curve)
{
    unsigned char point[1 + 2 * LONGEST_COORDINATE] = { 4 }; /* not compressed */
    OSSL_PARAM params[3];
    ai_slice_t x, y;

    if (!read_bytes(r, X, curve->length, curve->length, &x)
        || !read_bytes(r, Y, curve->length, curve->length, &y)) {
        return 0;
    }
    memcpy(point + 1, x.p, x.n);
    memcpy(point + 1 + x.n, y.p, y.n);
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                 (char *)curve->name, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + x.n + y.n);
    params[2] = OSSL_PARAM_construct_end();
    return make_key(r, curve->type, params) && is_on_curve(r->key->public_key)
               ? 1
               : refuse(r, X, "and y are no point of the curve");
}

static int read_edwards(reading_t *r, const curve_t *curve)
{
    ai_slice_t x;

    if (!read_bytes(r, X, curve->length, curve->length, &x)) {
        return 0;
    }
    r->key->public_key = EVP_PKEY_new_raw_public_key_ex(NULL, curve->type, NULL,
                                                        (const unsigned char *)x.p, x.n);
    return r->key->public_key ? 1 : refuse(r, X, "is no key of the curve");
}

/* Also 0, with nothing wrong, for a curve that is not ours. */
static int read_curve(reading_t *r, int edwards)
{
    const curve_t *curve;

    if (ai_json_type(r->found[CRV]) != AI_JSON_STRING) {
        return refuse(r, CRV, "must be a string");
    }
    for (curve = curves; curve->name; curve++) {
        if (ai_json_string_is(r->found[CRV], curve->name)
            && (strcmp(curve->type, "EC") != 0) == edwards) {
            r->key->kind = curve->kind;
            return edwards ? read_edwards(r, curve) : read_point(r, curve);
        }
    }
    return 0;
}

static int read_secret(reading_t *r)
{
    apr_size_t least = r->key->alg ? r->key->alg->least : ai_jwa_find(AI_SLICE("\"HS256\""))->least;

    r->key->kind = AI_JWK_OCT;
    return read_bytes(r, K, least, AI_JWKS_SIZE, &r->key->secret);
}

/* --- One key -------------------------------------------------------------------------------- */

/* 1 if the key's other members allow what we do with it; else 0, with or without a wrong. */
static int read_purpose(reading_t *r)
{
    ai_json_walk_t walk;
    ai_json_member_t op;
    int verifies = 0;

    if (r->found[USE].n) {
        if (ai_json_type(r->found[USE]) != AI_JSON_STRING) {
            return refuse(r, USE, "must be a string");
        }
        if (!ai_json_string_is(r->found[USE], "sig")) {
            return 0;
        }
    }
    if (r->found[KEY_OPS].n) {
        if (ai_json_type(r->found[KEY_OPS]) != AI_JSON_ARRAY) {
            return refuse(r, KEY_OPS, "must be an array");
        }
        ai_json_walk(&walk, r->found[KEY_OPS]);
        while (ai_json_next(&walk, &op) == 1) {
            verifies |= ai_json_string_is(op.value, "verify");
        }
        if (!verifies) {
            return 0;
        }
    }
    if (r->found[ALG].n) {
        if (ai_json_type(r->found[ALG]) != AI_JSON_STRING) {
            return refuse(r, ALG, "must be a string");
        }
        r->key->alg = ai_jwa_find(r->found[ALG]);
        return r->key->alg != NULL;
    }
    return 1;
}

static int read_kid(reading_t *r)
{
    if (!r->found[KID].n) {
        return 1;
    }
    if (ai_json_string(r->p, r->found[KID], &r->key->kid, &r->key->kid_n) != APR_SUCCESS) {
        return refuse(r, KID, "must be a string");
    }
    return r->key->kid_n <= KID_LONGEST ? 1 : refuse(r, KID, "is longer than 1024 bytes");
}

/* 1 when the key is one of the set; 0 when it is left out, or r->wrong says what is wrong. */
static int read_key(reading_t *r, ai_slice_t object)
{
    int good = 0;

    if (ai_json_type(object) != AI_JSON_OBJECT) {
        r->wrong = apr_psprintf(r->p, "keys[%d]: must be an object", r->place);
        return 0;
    }
    ai_word_find(object, words, MEMBERS, r->found);
    if (ai_json_type(r->found[KTY]) != AI_JSON_STRING) {
        return refuse(r, KTY, "must be a string");
    }
    if (!read_purpose(r)) {
        return 0;
    }
    if (ai_json_string_is(r->found[KTY], "RSA")) {
        good = read_rsa(r);
    }
    else if (ai_json_string_is(r->found[KTY], "EC")) {
        good = read_curve(r, 0);
    }
    else if (ai_json_string_is(r->found[KTY], "OKP")) {
        good = read_curve(r, 1);
    }
    else if (ai_json_string_is(r->found[KTY], "oct")) {
        good = read_secret(r);
    }
    if (good && r->key->alg && !ai_jwk_fits(r->key, r->key->alg)) {
        return refuse(r, ALG, "is not for keys of this kind");
    }
    return good && read_kid(r);
}

/* --- The set -------------------------------------------------------------------------------- */

int ai_jwk_fits(const ai_jwk_t *key, const ai_jwa_t *alg)
{
    return (alg->kinds & 1u << key->kind) && (!key->alg || key->alg == alg)
           && (key->kind != AI_JWK_OCT || key->secret.n >= alg->least);
}

/* Puts the key beside those of the set. 0 where that leaves doubt. */
static int add_key(reading_t *r, ai_jwks_t *jwks)
{
    ai_jwk_t *key = r->key, *other;

    jwks->n++; /* from here on it is freed with the set */
    if ((key->kind == AI_JWK_OCT) != (jwks->keys[0].kind == AI_JWK_OCT)) {
        r->wrong = apr_psprintf(r->p, "keys[%d]: secrets and public keys must be in sets of their "
                                "own", r->place);
        return 0;
    }
    if (!key->kid) {
        return 1;
    }
    other = apr_hash_get(jwks->by_kid, key->kid, (apr_ssize_t)key->kid_n);
    key->next = other;
    apr_hash_set(jwks->by_kid, key->kid, (apr_ssize_t)key->kid_n, key);
    for (; other; other = other->next) {
        if (other->kind == key->kind && (!other->alg || !key->alg || other->alg == key->alg)) {
            return refuse(r, KID, "another key has it, too, and is for the same algorithm");
        }
    }
    return 1;
}

static apr_status_t free_keys(void *data)
{
    ai_jwks_t *jwks = data;
    int i;

    for (i = 0; i < jwks->n; i++) {
        EVP_PKEY_free(jwks->keys[i].public_key);
    }
    jwks->n = 0;
    return APR_SUCCESS;
}

static int count(ai_slice_t array)
{
    ai_json_walk_t walk;
    ai_json_member_t element;
    int n = 0;

    ai_json_walk(&walk, array);
    while (ai_json_next(&walk, &element) == 1) {
        n++;
    }
    return n;
}

/* Reads all keys. NULL, or what is wrong. */
static const char *read_keys(apr_pool_t *p, ai_slice_t array, ai_jwks_t *jwks)
{
    ai_json_walk_t walk;
    ai_json_member_t element;
    int place;

    ai_json_walk(&walk, array);
    for (place = 0; ai_json_next(&walk, &element) == 1; place++) {
        reading_t r = { .p = p, .place = place, .key = &jwks->keys[jwks->n] };
        int ours;

        memset(r.key, 0, sizeof(*r.key));
        ours = read_key(&r, element.value);
        if (ours && add_key(&r, jwks)) {
            continue;
        }
        if (!ours) {
            EVP_PKEY_free(r.key->public_key);
            r.key->public_key = NULL;
        }
        if (r.wrong) {
            return r.wrong;
        }
    }
    return NULL;
}

const ai_jwks_t *ai_jwks_read(apr_pool_t *p, ai_slice_t text, const char **wrong)
{
    ai_jwks_t *jwks = apr_pcalloc(p, sizeof(*jwks));
    ai_json_doc_t doc;
    ai_json_error_t err;
    ai_slice_t array;
    int n;

    *wrong = NULL;
    if (text.n > AI_JWKS_SIZE) {
        *wrong = "a JWK set may have 1 MB at most";
        return NULL;
    }
    if (ai_json_parse(p, text, SET_DEPTH, &doc, &err) != APR_SUCCESS) {
        *wrong = apr_psprintf(p, "no JSON: %s at offset %" APR_SIZE_T_FMT, err.reason, err.offset);
        return NULL;
    }
    array = ai_json_doc_get(&doc, "keys");
    if (ai_json_type(doc.root) != AI_JSON_OBJECT || ai_json_type(array) != AI_JSON_ARRAY) {
        *wrong = "a JWK set must be an object with an array \"keys\"";
        return NULL;
    }
    n = count(array);
    if (n > AI_JWKS_KEYS) {
        *wrong = apr_psprintf(p, "keys: %d of them; allowed are %d", n, AI_JWKS_KEYS);
        return NULL;
    }
    jwks->keys = apr_palloc(p, sizeof(*jwks->keys) * (apr_size_t)(n + 1));
    jwks->by_kid = apr_hash_make(p);
    apr_pool_cleanup_register(p, jwks, free_keys, apr_pool_cleanup_null);
    /* What OpenSSL says of a refusal is not for whoever looks next, mod_ssl for one. */
    ERR_set_mark();
    *wrong = read_keys(p, array, jwks);
    ERR_pop_to_mark();
    return *wrong ? NULL : jwks;
}

int ai_jwks_count(const ai_jwks_t *jwks)
{
    return jwks->n;
}

int ai_jwks_secret(const ai_jwks_t *jwks)
{
    return jwks->n && jwks->keys[0].kind == AI_JWK_OCT;
}
