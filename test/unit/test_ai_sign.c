/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_sign.c - are signatures those of RFC 8032, and which files hold a key?
 */
#include <apr_escape.h>

#include "ai_base64.h"
#include "ai_sign.h"
#include "db_frame.h"

/* RFC 8032, 7.1: seed, public key, message, signature. */
static const char *const vectors[][4] = {
    { "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
      "d25bf5f0595bbe24655141438e7a100b" },
    { "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
      "387b2eaeb4302aeeb00d291612bb0c00" },
    { "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
      "4a7c15e9716ed28dc027beceea1ec40a" },
    { "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
      "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
      "454d4423643ce80e2a9ac94fa54ca49f",
      "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
      "3dca179c138ac17ad9bef1177331a704" },
};

static ai_slice_t unhex(const char *text)
{
    apr_size_t n;
    char *bytes = apr_palloc(pool, strlen(text) / 2 + 1);

    if (apr_unescape_hex(bytes, text, (apr_ssize_t)strlen(text), 0, &n) != APR_SUCCESS) {
        abort();
    }
    return (ai_slice_t){ bytes, n };
}

static void is_hex(const void *bytes, apr_size_t n, const char *want, const char *what)
{
    const char *got = apr_pescape_hex(pool, bytes, n, 0);

    is_bytes(got, strlen(got), want, strlen(want), what);
}

static void test_vectors(void)
{
    unsigned char signature[AI_SIGN_SIGNATURE];
    ai_slice_t seed, message, given;
    ai_sign_key_t *key, *other;
    apr_size_t i, k, bad;

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        seed = unhex(vectors[i][0]);
        message = unhex(vectors[i][2]);
        given = unhex(vectors[i][3]);
        key = ai_sign_private(pool, (const unsigned char *)seed.p);
        other = ai_sign_public(pool, (const unsigned char *)unhex(vectors[i][1]).p);
        if (!ok(key && other, "vector %d: there are both keys", (int)i)) {
            continue;
        }
        is_hex(ai_sign_bytes(key), AI_SIGN_PUBLIC, vectors[i][1], "its public key");
        ok(ai_sign(key, message, signature), "it signs");
        is_hex(signature, sizeof(signature), vectors[i][3], "the signature");
        ok(ai_sign_verify(other, message, given), "and it is verified");
        ok(!ai_sign(other, message, signature), "a public key signs nothing");
        for (k = 0, bad = 0; k < given.n * 8; k++) {
            ((char *)given.p)[k / 8] ^= (char)(1 << k % 8);
            bad += (apr_size_t)ai_sign_verify(other, message, given);
            ((char *)given.p)[k / 8] ^= (char)(1 << k % 8);
        }
        is_number((long long)bad, 0, "with any bit of it changed it is none");
        ok(!ai_sign_verify(other, AI_SLICE("another"), given), "nor of another text");
        given.n--;
        ok(!ai_sign_verify(other, message, given), "nor when it is cut");
    }
}

static void test_files(void)
{
    const char *path = in_folder("key"), *public = in_folder("public"), *wrong;
    unsigned char signature[AI_SIGN_SIGNATURE];
    ai_sign_key_t *key, *again;

    fine(ai_sign_make(pool, &key), "a key is made");
    fine(ai_sign_save(pool, key, path), "and saved");
    wrongs(ai_sign_save(pool, key, path), "cannot be made", "a file that is there is not written over");
    fine(ai_sign_load(pool, path, &again), "it is read");
    ok(again && strcmp(ai_sign_id(key), ai_sign_id(again)) == 0, "and is the same");
    ok(again && ai_sign(again, AI_SLICE("text"), signature)
           && ai_sign_verify(key, AI_SLICE("text"), (ai_slice_t){ (char *)signature, 64 }),
       "it signs for the other");
    wrongs(ai_sign_load_public(pool, path, &again), "holds no public key",
           "a private key is no public one");
    make_file(public, 0644, ai_sign_pem(pool, key));
    fine(ai_sign_load_public(pool, public, &again), "the public key is read from its PEM");
    ok(again && strcmp(ai_sign_id(key), ai_sign_id(again)) == 0 && strlen(ai_sign_id(key)) == AI_SIGN_ID,
       "and has the same id");
    wrongs(ai_sign_load(pool, public, &again), "others may read", "a public key is no private one");
    chmod(public, 0600);
    wrongs(ai_sign_load(pool, public, &again), "holds no private key", "whatever its mode");
    chmod(path, 0640);
    wrong = ai_sign_load(pool, path, &again);
    wrongs(wrong, "mode 0640", "a key that others may read is refused");
    chmod(path, 0602);
    wrongs(ai_sign_load(pool, path, &again), "mode 0602", "or write");
    chmod(public, 0666);
    wrongs(ai_sign_load_public(pool, public, &again), "everybody may write",
           "a public key that anybody may write is refused");
    make_file(in_folder("empty"), 0600, "");
    wrongs(ai_sign_load(pool, in_folder("empty"), &again), "is empty", "an empty file");
    make_file(in_folder("junk"), 0600, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    wrong = ai_sign_load(pool, in_folder("junk"), &again);
    wrongs(wrong, "holds no private key", "a broken one");
    ok(wrong && !strstr(wrong, "AAAA"), "of which nothing is told");
    wrongs(ai_sign_load(pool, folder, &again), "is no file", "a folder");
    wrongs(ai_sign_load(pool, in_folder("none"), &again), "cannot be read", "no file");
}

static void test_base64(void)
{
    static const char *const good[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
                                           { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
                                           { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } };
    static const char *const bad[] = { "Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zm9v\n", " Zm9", "====", "Zg==Zg==",
                                       "Zm9v Zm9v", "Z===", "Zm-_" };
    ai_slice_t bytes;
    apr_size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ai_slice_t text = ai_base64(pool, ai_slice_of(good[i][0]));

        is_bytes(text.p, text.n, good[i][1], strlen(good[i][1]), "base64 of RFC 4648, 10");
        ok(ai_base64_read(pool, text, &bytes) && ai_slice_is(bytes, good[i][0]), "and back");
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(!ai_base64_read(pool, ai_slice_of(bad[i]), &bytes), "no base64: %d", (int)i);
    }
}

int main(int argc, char **argv)
{
    begin_database(argc, argv);
    test_vectors();
    test_files();
    test_base64();
    return end_database();
}
