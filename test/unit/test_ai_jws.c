/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures: public vectors, every algorithm with fresh keys, and what attackers tried. */
#include <apr_file_io.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "ai_jwk.h"
#include "jose_frame.h"

static ai_jwt_verdict_e verify(const ai_jwks_t *jwks, const char *token)
{
    ai_slice_t payload;

    return ai_jws_verify(pool, jwks, ai_slice_of(token), &payload);
}

static void is_verdict(const ai_jwks_t *jwks, const char *token, ai_jwt_verdict_e want,
                       const char *what)
{
    is_number(verify(jwks, token), want, what);
}

/* --- Public vectors ------------------------------------------------------------------------- */

static ai_slice_t load(const char *name)
{
    const char *path = apr_pstrcat(pool, AI_TEST_DATA "/jose/", name, NULL);
    apr_file_t *file;
    apr_finfo_t info;
    char *bytes;
    apr_size_t n = 0;

    if (apr_file_open(&file, path, APR_READ, APR_OS_DEFAULT, pool) != APR_SUCCESS
        || apr_file_info_get(&info, APR_FINFO_SIZE, file) != APR_SUCCESS) {
        printf("Bail out! cannot read %s\n", path);
        exit(1);
    }
    bytes = apr_palloc(pool, (apr_size_t)info.size + 1);
    apr_file_read_full(file, bytes, (apr_size_t)info.size, &n);
    apr_file_close(file);
    return (ai_slice_t){ bytes, n };
}

static int is_listed(apr_int64_t id, const int *list)
{
    while (list && *list && *list != id) {
        list++;
    }
    return list && *list;
}

/* Runs a group; counts valid and invalid ones. */
static void run_group(const char *file, ai_slice_t group, const int *otherwise, int *counts)
{
    ai_slice_t key = ai_json_get(group, "public"), text, payload;
    ai_json_walk_t walk;
    ai_json_member_t test;
    const char *comment = "", *what = "", *token = "", *wrong;
    const ai_jwks_t *jwks;
    apr_int64_t id = 0;

    if (!key.n) {
        key = ai_json_get(group, "private");
    }
    text = ai_json_get(key, "keys").n
               ? key
               : ai_slice_of(apr_psprintf(pool, "{\"keys\":[%.*s]}", (int)key.n, key.p));
    jwks = ai_jwks_read(pool, text, &wrong);
    ai_json_string(pool, ai_json_get(group, "comment"), &comment, NULL);
    ai_json_walk(&walk, ai_json_get(group, "tests"));
    while (ai_json_next(&walk, &test) == 1) {
        int valid = ai_json_string_is(ai_json_get(test.value, "result"), "valid"), good, wanted;

        ai_json_int(ai_json_get(test.value, "tcId"), &id);
        ai_json_string(pool, ai_json_get(test.value, "jws"), &token, NULL);
        ai_json_string(pool, ai_json_get(test.value, "comment"), &what, NULL);
        good = jwks
               && ai_jws_verify(pool, jwks, ai_slice_of(token), &payload) == AI_JWT_GOOD;
        wanted = is_listed(id, otherwise) ? !valid : valid;
        counts[valid]++;
        ok(good == wanted, "%s %d, %s: %s is %s%s%s", file, (int)id, comment, what,
           wanted ? "good" : "refused", wrong ? ": " : "", wrong ? wrong : "");
    }
}

static void run_file(const char *name, const int *otherwise, int n_invalid, int n_valid)
{
    ai_slice_t text = load(name);
    ai_json_walk_t walk;
    ai_json_member_t group;
    int counts[2] = { 0, 0 };

    ai_json_walk(&walk, ai_json_get(text, "testGroups"));
    while (ai_json_next(&walk, &group) == 1) {
        run_group(name, group.value, otherwise, counts);
    }
    is_number(counts[0], n_invalid, apr_pstrcat(pool, name, ": its invalid ones", NULL));
    is_number(counts[1], n_valid, apr_pstrcat(pool, name, ": its valid ones", NULL));
}

static void test_vectors(void)
{
    static const int otherwise[] = {
        346, 350, /* a key that says PS256, under PS384: a key's alg is the only one it is for */
        367, 370, /* to be refused for their padding, but they have none: both are 357, a good one */
        347, 351, /* a key that says ES521, which is no algorithm */
        372, 373, /* a "?" in base64url that the vectors' authors put up with */
        0
    };

    run_file("rfc.json", NULL, 9, 5);
    run_file("json_web_signature_test.json", otherwise, 355, 46);
    run_file("json_web_key_test.json", NULL, 21, 5);
}

/* RFC 7520, section 4, with keys that say what is so. */
static void test_rfc7520(void)
{
    ai_slice_t text = load("json_web_signature_test.json");
    ai_json_walk_t walk, tests;
    ai_json_member_t group, test;
    int n = 0;

    ai_json_walk(&walk, ai_json_get(text, "testGroups"));
    while (ai_json_next(&walk, &group) == 1) {
        ai_slice_t key = ai_json_get(group.value, "public");
        const char *set, *token = "", *wrong;
        ai_json_doc_t doc;
        ai_json_error_t err;
        char *at;

        if (!ai_json_string_is(ai_json_get(group.value, "comment"), "rfc7520") || !key.n) {
            continue;
        }
        set = apr_psprintf(pool, "{\"keys\":[%.*s]}", (int)key.n, key.p);
        if ((at = strstr(set, "ES521")) != NULL) {
            memcpy(at, "ES512", 5);
        }
        if ((at = strstr(set, "PS256")) != NULL) {
            memcpy(at, "PS384", 5);
        }
        ai_json_walk(&tests, ai_json_get(group.value, "tests"));
        ai_json_next(&tests, &test);
        ai_json_string(pool, ai_json_get(test.value, "jws"), &token, NULL);
        ok(ai_json_parse(pool, ai_slice_of(set), 8, &doc, &err) == APR_SUCCESS, "a set");
        is_verdict(ai_jwks_read(pool, ai_slice_of(set), &wrong), token, AI_JWT_GOOD,
                   "RFC 7520: as printed");
        n++;
    }
    is_number(n, 3, "RFC 7520: RS256, PS384, ES512");
}

/* --- Fresh keys ----------------------------------------------------------------------------- */

static const char *number(const EVP_PKEY *key, const char *name)
{
    BIGNUM *n = NULL;
    unsigned char bytes[1024];
    int length;

    EVP_PKEY_get_bn_param(key, name, &n);
    length = BN_bn2bin(n, bytes);
    BN_free(n);
    return encode(bytes, (size_t)length);
}

static const char *coordinate(const EVP_PKEY *key, const char *name, int length)
{
    BIGNUM *n = NULL;
    unsigned char bytes[66];

    EVP_PKEY_get_bn_param(key, name, &n);
    BN_bn2binpad(n, bytes, length);
    BN_free(n);
    return encode(bytes, (size_t)length);
}

/* A public key as a JWK, without its closing brace. */
static const char *jwk_of(const EVP_PKEY *key, const char *curve)
{
    unsigned char raw[64];
    size_t n = sizeof(raw);
    int length = EVP_PKEY_get_bits(key) / 8 + (EVP_PKEY_get_bits(key) % 8 != 0);

    if (!curve) {
        return apr_psprintf(pool, "{'kty':'RSA','n':'%s','e':'%s'", number(key, "n"),
                            number(key, "e"));
    }
    if (curve[0] == 'P') {
        return apr_psprintf(pool, "{'kty':'EC','crv':'%s','x':'%s','y':'%s'", curve,
                            coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, length),
                            coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, length));
    }
    EVP_PKEY_get_raw_public_key(key, raw, &n);
    return apr_psprintf(pool, "{'kty':'OKP','crv':'%s','x':'%s'", curve, encode(raw, n));
}

/* r and s side by side, of DER. */
static size_t flatten(unsigned char *signature, size_t n, int half)
{
    const unsigned char *at = signature;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)n);

    BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, half);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + half, half);
    ECDSA_SIG_free(pair);
    return (size_t)half * 2;
}

static const char *sign(EVP_PKEY *key, const char *text, const char *digest, int pss, int half)
{
    unsigned char signature[1024];
    size_t n = sizeof(signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *setting;
    int good = EVP_DigestSignInit_ex(ctx, &setting, digest, NULL, NULL, key, NULL) == 1;

    if (pss) {
        good = good && EVP_PKEY_CTX_set_rsa_padding(setting, RSA_PKCS1_PSS_PADDING) == 1
               && EVP_PKEY_CTX_set_rsa_pss_saltlen(setting, RSA_PSS_SALTLEN_DIGEST) == 1;
    }
    good = good && EVP_DigestSign(ctx, signature, &n, (const unsigned char *)text, strlen(text)) == 1;
    EVP_MD_CTX_free(ctx);
    if (!good) {
        printf("Bail out! cannot sign\n");
        exit(1);
    }
    if (half) {
        n = flatten(signature, n, half);
    }
    return apr_pstrcat(pool, text, ".", encode(signature, n), NULL);
}

typedef struct algorithm_t {
    const char *alg;
    const char *curve;  /* NULL: RSA */
    const char *digest;
    int pss;
    int half;
} algorithm_t;

static const algorithm_t algorithms[] = {
    { "RS256", NULL, "SHA256", 0, 0 },      { "RS384", NULL, "SHA384", 0, 0 },
    { "RS512", NULL, "SHA512", 0, 0 },      { "PS256", NULL, "SHA256", 1, 0 },
    { "PS384", NULL, "SHA384", 1, 0 },      { "PS512", NULL, "SHA512", 1, 0 },
    { "ES256", "P-256", "SHA256", 0, 32 },  { "ES384", "P-384", "SHA384", 0, 48 },
    { "ES512", "P-521", "SHA512", 0, 66 },  { "EdDSA", "Ed25519", NULL, 0, 0 },
    { "EdDSA", "Ed448", NULL, 0, 0 },       { "Ed25519", "Ed25519", NULL, 0, 0 },
    { "Ed448", "Ed448", NULL, 0, 0 }
};
enum { ALGORITHMS = sizeof(algorithms) / sizeof(algorithms[0]) };

static EVP_PKEY *fresh_key(const char *curve)
{
    if (!curve) {
        return EVP_RSA_gen(2048);
    }
    return curve[0] == 'P' ? EVP_EC_gen(curve)
                           : EVP_PKEY_Q_keygen(NULL, NULL, curve[2] == '2' ? "ED25519" : "ED448");
}

static void test_algorithms(void)
{
    int i, j;

    for (i = 0; i < ALGORITHMS; i++) {
        const algorithm_t *a = &algorithms[i];
        EVP_PKEY *key = fresh_key(a->curve), *other = fresh_key(a->curve);
        const char *jwk = jwk_of(key, a->curve), *token;
        const ai_jwks_t *open = set_of(apr_pstrcat(pool, jwk, "}", NULL));
        const ai_jwks_t *said = set_of(
            apr_psprintf(pool, "%s,'alg':'%s','kid':'a','use':'sig','key_ops':['verify']}", jwk,
                         a->alg));
        const char *header = apr_psprintf(pool, "{'alg':'%s','kid':'a'}", a->alg);

        token = sign(key, unsigned_token(header, "{}"), a->digest, a->pss, a->half);
        is_verdict(said, token, AI_JWT_GOOD, apr_pstrcat(pool, a->alg, ": good", NULL));
        is_verdict(open, token, AI_JWT_NO_KEY, "its kid is not there");
        token = sign(other, unsigned_token(header, "{}"), a->digest, a->pss, a->half);
        is_verdict(said, token, AI_JWT_SIGNATURE, "another's key");
        header = apr_psprintf(pool, "{'alg':'%s'}", a->alg);
        token = sign(key, unsigned_token(header, "{}"), a->digest, a->pss, a->half);
        is_verdict(open, token, AI_JWT_GOOD, "without kid, and a key that says little");
        ok(verify(open, apr_pstrmemdup(pool, token, strlen(token) - 4)) != AI_JWT_GOOD,
           "three bytes less");
        is_verdict(open, apr_pstrcat(pool, token, "AAAA", NULL), AI_JWT_SIGNATURE,
                   "three bytes more");
        for (j = 0; j < ALGORITHMS; j++) {
            if (strcmp(algorithms[j].alg, a->alg) != 0) {
                header = apr_psprintf(pool, "{'alg':'%s','kid':'a'}", algorithms[j].alg);
                token = sign(key, unsigned_token(header, "{}"), a->digest, a->pss, a->half);
                is_verdict(said, token, AI_JWT_ALGORITHM,
                           apr_pstrcat(pool, "a key for ", a->alg, " under ", algorithms[j].alg,
                                       NULL));
            }
        }
        EVP_PKEY_free(key);
        EVP_PKEY_free(other);
    }
}

static void test_hmac(void)
{
    static const char secret[] = "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789ABCDEF";
    const ai_jwks_t *longest = set_of(
        apr_psprintf(pool, "{'kty':'oct','k':'%s'}", encode(secret, 64)));
    const ai_jwks_t *shortest = set_of(
        apr_psprintf(pool, "{'kty':'oct','k':'%s','kid':'s'}", encode(secret, 32)));

    is_verdict(longest, hmac_token("{'alg':'HS256'}", "{}", EVP_sha256(), secret, 64), AI_JWT_GOOD,
               "HS256");
    is_verdict(longest, hmac_token("{'alg':'HS384'}", "{}", EVP_sha384(), secret, 64), AI_JWT_GOOD,
               "HS384");
    is_verdict(longest, hmac_token("{'alg':'HS512'}", "{}", EVP_sha512(), secret, 64), AI_JWT_GOOD,
               "HS512");
    is_verdict(longest, hmac_token("{'alg':'HS512'}", "{}", EVP_sha256(), secret, 64),
               AI_JWT_SIGNATURE, "HS512 with SHA-256");
    is_verdict(shortest, hmac_token("{'alg':'HS512','kid':'s'}", "{}", EVP_sha512(), secret, 32),
               AI_JWT_ALGORITHM, "a secret of 32 bytes is none for HS512");
    is_verdict(shortest, hmac_token("{'alg':'HS256'}", "{}", EVP_sha256(), "", 0), AI_JWT_SIGNATURE,
               "an HMAC with no secret");
}

/* --- What attackers tried ------------------------------------------------------------------- */

static void test_none(void)
{
    static const char *const spellings[] = { "none", "None", "NONE", "nOnE", "none ", " none", "",
                                             "n\\u006fne", "null", "HS256\\u0000", "hs256", "Rs256" };
    const ai_jwks_t *jwks = set_of(SECRET_KEY);
    const char *good = strrchr(good_token("{}"), '.'), *text;
    size_t i;

    for (i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        text = unsigned_token(apr_psprintf(pool, "{'alg':'%s','kid':'k'}", spellings[i]), "{}");
        is_verdict(jwks, apr_pstrcat(pool, text, ".", NULL), AI_JWT_ALGORITHM,
                   apr_psprintf(pool, "alg \"%s\" without a signature", spellings[i]));
        is_verdict(jwks, apr_pstrcat(pool, text, good, NULL), AI_JWT_ALGORITHM,
                   "and with one of another token");
        is_verdict(jwks, text, AI_JWT_MALFORMED, "and with one dot");
    }
    text = unsigned_token("{'alg':'HS256','kid':'k'}", "{}");
    is_verdict(jwks, apr_pstrcat(pool, text, ".", NULL), AI_JWT_SIGNATURE, "HS256 and no signature");
}

/* CVE-2015-9235 and its kin: the public key, which all may know, as the secret. */
static void test_confusion(void)
{
    static const char *const curves[] = { NULL, "P-256", "Ed25519" };
    size_t i;

    for (i = 0; i < 3; i++) {
        EVP_PKEY *key = fresh_key(curves[i]);
        unsigned char *der = NULL;
        int n = i2d_PUBKEY(key, &der);
        const char *jwk = apr_pstrcat(pool, jwk_of(key, curves[i]), ",'kid':'p'}", NULL);
        const ai_jwks_t *jwks = set_of(jwk);
        static const char header[] = "{'alg':'HS256','kid':'p'}";
        unsigned char raw[256];
        BIGNUM *modulus = NULL;

        is_verdict(jwks, hmac_token(header, "{}", EVP_sha256(), der, (size_t)n), AI_JWT_ALGORITHM,
                   "an HMAC with the DER of a public key");
        is_verdict(jwks, hmac_token(header, "{}", EVP_sha256(), jwk, strlen(jwk)),
                   AI_JWT_ALGORITHM, "with the JWK's text");
        is_verdict(jwks, hmac_token(header, "{}", EVP_sha256(), "", 0), AI_JWT_ALGORITHM,
                   "with nothing");
        if (!curves[i]) {
            EVP_PKEY_get_bn_param(key, "n", &modulus);
            BN_bn2bin(modulus, raw);
            BN_free(modulus);
            is_verdict(jwks, hmac_token(header, "{}", EVP_sha256(), raw, sizeof(raw)),
                       AI_JWT_ALGORITHM, "with the modulus");
        }
        is_verdict(jwks, hmac_token("{'alg':'HS256'}", "{}", EVP_sha256(), der, (size_t)n),
                   AI_JWT_NO_KEY, "without kid");
        OPENSSL_free(der);
        EVP_PKEY_free(key);
    }
}

/* A key or an address of one that the token brings along. */
static void test_embedded(void)
{
    EVP_PKEY *mine = fresh_key("P-256"), *theirs = fresh_key("P-256");
    const ai_jwks_t *jwks = set_of(apr_pstrcat(pool, jwk_of(theirs, "P-256"), ",'kid':'a'}", NULL));
    const char *jwk = jwk_of(mine, "P-256");
    static const char *const also[] = { "", ",'kid':'a'" };
    size_t i;

    for (i = 0; i < 2; i++) {
        const char *header = apr_psprintf(
            pool, "{'alg':'ES256','jwk':%s},'jku':'https://evil.example/keys',"
            "'x5u':'https://evil.example/x5u','x5c':['MIIB']%s}", jwk, also[i]);

        is_verdict(jwks, sign(mine, unsigned_token(header, "{}"), "SHA256", 0, 32),
                   AI_JWT_SIGNATURE, "signed by the key that the header brings");
        is_verdict(jwks, sign(theirs, unsigned_token(header, "{}"), "SHA256", 0, 32), AI_JWT_GOOD,
                   "signed by ours: what the header brings is nothing to us");
    }
    EVP_PKEY_free(mine);
    EVP_PKEY_free(theirs);
}

static void test_kids(void)
{
    static const char *const kids[] = {
        "'../../../../dev/null'", "'k\\u0000'", "'k\\u0000x'", "'K'", "''", "'k '", "'0 UNION SELECT'",
        "'|/bin/true'", "'https://evil.example/keys'"
    };
    const ai_jwks_t *jwks = set_of(SECRET_KEY);
    const ai_jwks_t *two = set_of(SECRET_KEY ",{'kty':'oct','k':"
                                  "'QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE'}");
    size_t i;

    for (i = 0; i < sizeof(kids) / sizeof(kids[0]); i++) {
        is_verdict(jwks, hmac_token(apr_psprintf(pool, "{'alg':'HS256','kid':%s}", kids[i]), "{}",
                                    EVP_sha256(), SECRET, 32), AI_JWT_NO_KEY,
                   apr_psprintf(pool, "kid %s is nobody's", kids[i]));
    }
    is_verdict(jwks, hmac_token("{'alg':'HS256','kid':7}", "{}", EVP_sha256(), SECRET, 32),
               AI_JWT_MALFORMED, "a kid that is a number");
    is_verdict(jwks, hmac_token("{'alg':'HS256','kid':null}", "{}", EVP_sha256(), SECRET, 32),
               AI_JWT_MALFORMED, "a kid that is null");
    is_verdict(two, hmac_token("{'alg':'HS256'}", "{}", EVP_sha256(),
                               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 32), AI_JWT_GOOD,
               "without kid the second key is tried, too");
    is_verdict(two, hmac_token("{'alg':'HS256','kid':'k'}", "{}", EVP_sha256(),
                               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 32), AI_JWT_SIGNATURE,
               "with a kid only its key");
}

/* No token costs more than eight checks of a signature. */
static void test_tries(void)
{
    const char *keys = "";
    const ai_jwks_t *jwks;
    char secret[33];
    int i;

    for (i = 0; i < 9; i++) {
        apr_snprintf(secret, sizeof(secret), "%032d", i);
        keys = apr_pstrcat(pool, keys, i ? "," : "", "{'kty':'oct','k':'", encode(secret, 32), "'}",
                           NULL);
    }
    jwks = set_of(keys);
    apr_snprintf(secret, sizeof(secret), "%032d", 7);
    is_verdict(jwks, hmac_token("{'alg':'HS256'}", "{}", EVP_sha256(), secret, 32), AI_JWT_GOOD,
               "the eighth key is tried");
    apr_snprintf(secret, sizeof(secret), "%032d", 8);
    is_verdict(jwks, hmac_token("{'alg':'HS256'}", "{}", EVP_sha256(), secret, 32),
               AI_JWT_SIGNATURE, "the ninth is not");
}

static void test_headers(void)
{
    static const char *const malformed[] = {
        "{'alg':'HS256','kid':'k','alg':'HS256'}", "{'alg':'HS256','\\u0061lg':'none','kid':'k'}",
        "{'alg':'HS256','kid':'k','kid':'k'}", "{'alg':'HS256','kid':'k','crit':['exp']}",
        "{'alg':'HS256','kid':'k','crit':[]}", "{'alg':'HS256','kid':'k','crit':null}",
        "{'alg':'HS256','kid':'k','b64':false,'crit':['b64']}",
        "{'alg':'HS256','kid':'k','b64':false}", "{'alg':'HS256','kid':'k','x':{'a':1,'a':2}}",
        "{'kid':'k'}", "{'alg':['HS256'],'kid':'k'}", "{'alg':null,'kid':'k'}",
        "{'alg':256,'kid':'k'}", "{'alg':'HS256','kid':'k'} {}", "{'alg':'HS256','kid':'k',}",
        "{'alg':'HS256','kid':'k','x':\xff}", "{'alg':'HS256','kid':'k','x':'\xc3'}",
        "{'alg':'HS256','kid':'k','x':[[[[[[[[[[1]]]]]]]]]]}", "{", "{}"
    };
    const ai_jwks_t *jwks = set_of(SECRET_KEY);
    size_t i;

    for (i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        is_verdict(jwks, hmac_token(malformed[i], "{}", EVP_sha256(), SECRET, 32),
                   AI_JWT_MALFORMED, apr_psprintf(pool, "header %d is refused", (int)i));
    }
    is_verdict(jwks, hmac_token("{'typ':'at+jwt','cty':'x','alg':'\\u0048S256','kid':'\\u006b'}", "",
                                EVP_sha256(), SECRET, 32), AI_JWT_GOOD,
               "escapes, typ and an empty payload");
}

static void test_forms(void)
{
    const ai_jwks_t *jwks = set_of(SECRET_KEY);
    const char *good = good_token("{}");
    size_t n = strlen(good), i;
    char *big = apr_palloc(pool, AI_JWT_LONGEST + 2);
    int refused = 0;

    is_verdict(jwks, good, AI_JWT_GOOD, "the token itself");
    for (i = 0; i < n; i++) {
        refused += verify(jwks, apr_pstrmemdup(pool, good, i)) != AI_JWT_GOOD;
    }
    is_number(refused, (long long)n, "cut anywhere it is refused");
    for (i = 0, refused = 0; i < n; i++) {
        char *changed = apr_pstrdup(pool, good);

        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        refused += verify(jwks, changed) != AI_JWT_GOOD;
    }
    is_number(refused, (long long)n, "changed anywhere it is refused");
    is_verdict(jwks, apr_pstrcat(pool, good, "=", NULL), AI_JWT_MALFORMED, "padding");
    is_verdict(jwks, apr_pstrcat(pool, good, " ", NULL), AI_JWT_MALFORMED, "a space behind it");
    is_verdict(jwks, apr_pstrcat(pool, good, "\n", NULL), AI_JWT_MALFORMED, "a line end behind it");
    is_verdict(jwks, apr_pstrcat(pool, " ", good, NULL), AI_JWT_FOREIGN, "a space before it");
    is_verdict(jwks, apr_pstrcat(pool, good, ".", NULL), AI_JWT_MALFORMED, "a dot behind it");
    is_verdict(jwks, "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZ"
               ".48V1_ALb6US04U3b.5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4.XFBoMYUZodetZdvTiFvSkQ",
               AI_JWT_MALFORMED, "an encrypted token");
    is_verdict(jwks, "", AI_JWT_FOREIGN, "nothing");
    is_verdict(jwks, "e", AI_JWT_FOREIGN, "a letter");
    is_verdict(jwks, "sk-ai-0123456789ab-secret", AI_JWT_FOREIGN, "a gateway key");
    is_verdict(jwks, "ya29.a0AfH6SMBx", AI_JWT_FOREIGN, "somebody's opaque token");
    is_verdict(jwks, "{\"payload\":\"e30\",\"signatures\":[]}", AI_JWT_FOREIGN, "JSON serialization");
    good = good_token("{ }"); /* with this one the length of the signature is one that there is */
    memset(big, 'A', AI_JWT_LONGEST + 1);
    memcpy(big, good, strlen(good));
    big[AI_JWT_LONGEST + 1] = '\0';
    is_verdict(jwks, big, AI_JWT_MALFORMED, "longer than a token may be");
    big[AI_JWT_LONGEST] = '\0';
    is_verdict(jwks, big, AI_JWT_SIGNATURE, "as long as one may be");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_vectors();
    test_rfc7520();
    test_algorithms();
    test_hmac();
    test_none();
    test_confusion();
    test_embedded();
    test_kids();
    test_tries();
    test_headers();
    test_forms();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
