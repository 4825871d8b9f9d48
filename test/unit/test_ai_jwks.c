/* SPDX-License-Identifier: Apache-2.0 */
/* JWK sets: what is taken, what is left out, what is refused and how that is said. */
#include <openssl/err.h>

#include "jose_frame.h"

/* RFC 7517, A.1: one key for encryption, one that says nothing of its use. */
#define RSA_N \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJE" \
    "CPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Q" \
    "vzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6" \
    "WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
#define EC_X "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"
#define EC_Y "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
#define EC_POINT "'kty':'EC','crv':'P-256','x':'" EC_X "','y':'" EC_Y "'"
#define ED_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define OCT_K "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlBQkNERUY"

static const ai_jwks_t *read_text(const char *text, const char **wrong)
{
    return ai_jwks_read(pool, ai_slice_of(json(text)), wrong);
}

static void holds(const char *keys, int n)
{
    const char *wrong;
    const ai_jwks_t *jwks = read_text(apr_pstrcat(pool, "{'keys':[", keys, "]}", NULL), &wrong);

    ok(jwks && ai_jwks_count(jwks) == n, "%d of [%.60s]%s%s", n, keys, wrong ? ": " : "",
       wrong ? wrong : "");
}

static void refused(const char *keys, const char *want)
{
    const char *wrong = NULL;
    const ai_jwks_t *jwks = read_text(apr_pstrcat(pool, "{'keys':[", keys, "]}", NULL), &wrong);

    if (!ok(!jwks && wrong && strcmp(wrong, want) == 0, "%.60s: %s", keys, want)) {
        printf("# said: %s\n", wrong ? wrong : "nothing");
    }
}

static void test_taken(void)
{
    holds("", 0);
    holds("{" EC_POINT ",'use':'enc','kid':'1'},"
          "{'kty':'RSA','n':'" RSA_N "','e':'AQAB','alg':'RS256','kid':'2011-04-29'}", 1);
    holds("{'kty':'oct','alg':'A128KW','k':'GawgguFyGrWKav7AX4VKUg'},"
          "{'kty':'oct','k':'" OCT_K "','kid':'HMAC key used in JWS spec Appendix A.1 example'}", 1);
    holds("{" EC_POINT "}", 1);
    holds("{" EC_POINT ",'alg':'ES256','use':'sig','key_ops':['sign','verify'],'x5t':'x','d':7}", 1);
    holds("{" EC_POINT ",'key_ops':['sign']}", 0);
    holds("{" EC_POINT ",'key_ops':[]}", 0);
    holds("{" EC_POINT ",'alg':'ECDH-ES'}", 0);
    holds("{'kty':'EC','crv':'secp256k1','x':'" EC_X "','y':'" EC_Y "'}", 0);
    holds("{'kty':'EC','crv':'Ed25519','x':'" ED_X "'}", 0);
    holds("{'kty':'OKP','crv':'X25519','x':'" ED_X "'}", 0);
    holds("{'kty':'OKP','crv':'P-256','x':'" EC_X "','y':'" EC_Y "'}", 0);
    holds("{'kty':'OKP','crv':'Ed25519','x':'" ED_X "','alg':'Ed25519'}", 1);
    holds("{'kty':'AKP','alg':'ML-DSA-44','pub':'x'}", 0);
    /* A zero byte before the modulus. */
    holds("{'kty':'RSA','n':'"
          "ANL8e2oKHmxnEErrj4iyV2abTfZ53a0Jm1xKbNmogBW1oTO_C4VseHG23wALVU_Os8LtUSu2jxRcboQ0"
          "dS-rUqHPwSRAj3m1ikV4wWQohVeJ96JJ44TLLZ-uLWf9lvuSbBmOB3OZ_cgVwK8Jfd5are_0TecOgn9I"
          "eEMkOb_uuWBo0EdPxQ1tkL86mN-vEEDInALWkqs7PCiWYJ2G_XO3dM4HQGR87uqjEL0S-YWo659Z_dQm"
          "zqWyEg9PKjS8q3ZLfmxU1oQCOLzEBYelnmbtHzOJRXdjXEcK91z5LCDR2kPhv8QZ4iKm8NC7NYxeOPnL"
          "BQrq_pBIFPGsGqScyp6gyoM"
          "','e':'AQAB'}", 1);
    holds("{" EC_POINT ",'kid':'a','alg':'ES256'},{'kty':'OKP','crv':'Ed25519','x':'" ED_X
          "','kid':'a'}", 2);
    holds("{'kty':'RSA','n':'" RSA_N "','e':'AQAB','alg':'RS256','kid':'a'},"
          "{'kty':'RSA','n':'" RSA_N "','e':'AQAB','alg':'PS256','kid':'a'}", 2);
}

static void test_refused(void)
{
    refused("7", "keys[0]: must be an object");
    refused("{}", "keys[0].kty: must be a string");
    refused("{'kty':7}", "keys[0].kty: must be a string");
    refused("{" EC_POINT "},{'kty':'EC'}", "keys[1].crv: must be a string");
    refused("{" EC_POINT ",'use':1}", "keys[0].use: must be a string");
    refused("{" EC_POINT ",'key_ops':'verify'}", "keys[0].key_ops: must be an array");
    refused("{" EC_POINT ",'alg':256}", "keys[0].alg: must be a string");
    refused("{" EC_POINT ",'alg':'ES384'}", "keys[0].alg: is not for keys of this kind");
    refused("{" EC_POINT ",'alg':'HS256'}", "keys[0].alg: is not for keys of this kind");
    refused("{" EC_POINT ",'kid':1}", "keys[0].kid: must be a string");
    refused(apr_psprintf(pool, "{" EC_POINT ",'kid':'%01025d'}", 1),
            "keys[0].kid: is longer than 1024 bytes");
    refused("{'kty':'EC','crv':'P-256','x':'" EC_X "'}",
            "keys[0].y: must be a string in base64url without padding");
    refused("{'kty':'EC','crv':'P-256','x':'" EC_X "=','y':'" EC_Y "'}",
            "keys[0].x: must be a string in base64url without padding");
    refused("{'kty':'EC','crv':'P-384','x':'" EC_X "','y':'" EC_Y "'}",
            "keys[0].x: must be 48 bytes long");
    refused("{'kty':'EC','crv':'P-256','x':'" EC_Y "','y':'" EC_X "'}",
            "keys[0].x: and y are no point of the curve");
    refused("{'kty':'OKP','crv':'Ed25519','x':'AAAA'}", "keys[0].x: must be 32 bytes long");
    refused("{'kty':'RSA','n':'" RSA_N "'}",
            "keys[0].e: must be a string in base64url without padding");
    refused("{'kty':'RSA','n':'" RSA_N "','e':'AQ'}", "keys[0].e: must be odd, and more than 1");
    refused("{'kty':'RSA','n':'" RSA_N "','e':'Ag'}", "keys[0].e: must be odd, and more than 1");
    refused("{'kty':'RSA','n':'" RSA_N "','e':'AQAAAAAAAAAB'}",
            "keys[0].e: must be 1 to 8 bytes long");
    refused(apr_psprintf(pool, "{'kty':'RSA','n':'%s','e':'AQAB'}", encode_text("0123")),
            "keys[0].n: has 30 bits; allowed are 2048 to 8192");
    refused(apr_psprintf(pool, "{'kty':'RSA','n':'%s','e':'AQAB'}",
                         encode_text(apr_psprintf(pool, "%01025d", 1))),
            "keys[0].n: has 8198 bits; allowed are 2048 to 8192");
    refused(apr_psprintf(pool, "{'kty':'RSA','n':'%s','e':'AQAB'}",
                         encode_text(apr_psprintf(pool, "%0256d", 0))),
            "keys[0].n: has 2046 bits; allowed are 2048 to 8192");
    refused("{'kty':'oct','k':'AAAA'}", "keys[0].k: must be 32 to 1048576 bytes long");
    refused("{'kty':'oct','alg':'HS512','k':'" OCT_K "'}",
            "keys[0].k: must be 64 to 1048576 bytes long");
    refused("{" EC_POINT "},{'kty':'oct','k':'" OCT_K "'}",
            "keys[1]: secrets and public keys must be in sets of their own");
    refused("{" EC_POINT ",'kid':'a'},{" EC_POINT ",'kid':'a','alg':'ES256'}",
            "keys[1].kid: another key has it, too, and is for the same algorithm");
}

static void test_sets(void)
{
    const char *wrong, *keys = "{'kty':'x'}";
    char *big = apr_palloc(pool, AI_JWKS_SIZE + 2);
    int i;

    ok(!read_text("", &wrong) && strstr(wrong, "no JSON"), "no set: %s", wrong);
    ok(!read_text("{'keys':[]", &wrong) && strstr(wrong, "no JSON"), "half a set: %s", wrong);
    ok(!read_text("{'keys':[],'keys':[]}", &wrong) && strstr(wrong, "twice"), "two: %s", wrong);
    ok(!read_text("[]", &wrong) && strstr(wrong, "array \"keys\""), "an array: %s", wrong);
    ok(!read_text("{'kty':'EC'}", &wrong) && strstr(wrong, "array \"keys\""), "a key: %s", wrong);
    ok(!read_text("{'keys':{}}", &wrong) && strstr(wrong, "array \"keys\""), "no array: %s", wrong);
    for (i = 1; i < AI_JWKS_KEYS; i++) {
        keys = apr_pstrcat(pool, keys, ",{'kty':'x'}", NULL);
    }
    holds(keys, 0);
    refused(apr_pstrcat(pool, keys, ",{'kty':'x'}", NULL), "keys: 1001 of them; allowed are 1000");
    memset(big, ' ', AI_JWKS_SIZE + 1);
    memcpy(big, "{\"keys\":[]}", 11);
    ok(ai_jwks_read(pool, (ai_slice_t){ big, AI_JWKS_SIZE }, &wrong) != NULL, "1 MB");
    ok(!ai_jwks_read(pool, (ai_slice_t){ big, AI_JWKS_SIZE + 1 }, &wrong), "a byte more: %s", wrong);
    is_number((long long)ERR_peek_error(), 0, "no error of OpenSSL's stays behind");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_taken();
    test_refused();
    test_sets();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
