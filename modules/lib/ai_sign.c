/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_sign.c - reads, makes and uses keys of Ed25519; the cryptography is OpenSSL's.
 *
 * Lives in: its pool; the key itself in OpenSSL's memory, which wipes it.  Shared state: none.
 * May block: on a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "ai_digest.h"
#include "ai_sign.h"

#define LONGEST_FILE 8192

struct ai_sign_key_t {
    EVP_PKEY *pkey;
    int is_private;
    unsigned char bytes[AI_SIGN_PUBLIC];
    const char *id;
};

static apr_status_t free_key(void *data)
{
    EVP_PKEY_free(data);
    return APR_SUCCESS;
}

/* Takes the key over; NULL for one that is none of Ed25519. */
static ai_sign_key_t *hold(apr_pool_t *p, EVP_PKEY *pkey, int is_private)
{
    ai_sign_key_t *key = apr_pcalloc(p, sizeof(*key));
    size_t n = sizeof(key->bytes);

    ERR_clear_error();
    if (!pkey || EVP_PKEY_get_base_id(pkey) != EVP_PKEY_ED25519
        || EVP_PKEY_get_raw_public_key(pkey, key->bytes, &n) != 1 || n != sizeof(key->bytes)) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    apr_pool_cleanup_register(p, pkey, free_key, apr_pool_cleanup_null);
    key->pkey = pkey;
    key->is_private = is_private;
    key->id = ai_sign_digest(p, (ai_slice_t){ (const char *)key->bytes, n }, (ai_slice_t){ NULL, 0 });
    return key->id ? key : NULL;
}

ai_sign_key_t *ai_sign_private(apr_pool_t *p, const unsigned char seed[AI_SIGN_PUBLIC])
{
    return hold(p, EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, AI_SIGN_PUBLIC), 1);
}

ai_sign_key_t *ai_sign_public(apr_pool_t *p, const unsigned char bytes[AI_SIGN_PUBLIC])
{
    return hold(p, EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, AI_SIGN_PUBLIC), 0);
}

const char *ai_sign_make(apr_pool_t *p, ai_sign_key_t **key)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

    *key = hold(p, pkey, 1);
    return *key ? NULL : "OpenSSL makes no key of Ed25519";
}

/* --------------------------------------------------------------------------------- files */

static const char *failure(apr_pool_t *p, const char *path, const char *what)
{
    return apr_psprintf(p, "%s: %s: %s", path, what, strerror(errno));
}

static const char *write_all(apr_pool_t *p, int fd, const char *path, const char *bytes, size_t n)
{
    while (n) {
        ssize_t done = write(fd, bytes, n);

        if (done < 0 && errno != EINTR) {
            return failure(p, path, "cannot be written");
        }
        if (done > 0) {
            bytes += done;
            n -= (size_t)done;
        }
    }
    return fsync(fd) == 0 ? NULL : failure(p, path, "cannot be written");
}

const char *ai_sign_save(apr_pool_t *p, const ai_sign_key_t *key, const char *path)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    const char *wrong = NULL;
    char *bytes = NULL;
    long n;
    int fd;

    if (!bio || !key->is_private
        || PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) != 1
        || (n = BIO_get_mem_data(bio, &bytes)) <= 0) {
        BIO_free(bio);
        ERR_clear_error();
        return "OpenSSL cannot write the key";
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        wrong = failure(p, path, "cannot be made");
    }
    else {
        wrong = fchmod(fd, 0600) == 0 ? write_all(p, fd, path, bytes, (size_t)n)
                                      : failure(p, path, "cannot be made");
        if (close(fd) != 0 && !wrong) {
            wrong = failure(p, path, "cannot be written");
        }
        if (wrong) {
            unlink(path);
        }
    }
    BIO_free(bio);
    return wrong;
}

static const char *look(apr_pool_t *p, const char *path, int fd, int is_private, size_t *size)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return failure(p, path, "cannot be read");
    }
    if (!S_ISREG(st.st_mode)) {
        return apr_psprintf(p, "%s: is no file", path);
    }
    if (is_private && (st.st_mode & (S_IRWXG | S_IRWXO))) {
        return apr_psprintf(p, "%s: others may read or write it (mode %04o); a signing key has mode "
                            "0600", path, (unsigned)(st.st_mode & 07777));
    }
    if (is_private && st.st_uid != 0 && st.st_uid != geteuid()) {
        return apr_psprintf(p, "%s: belongs to another user; a signing key belongs to who signs, or to "
                            "root", path);
    }
    if (!is_private && (st.st_mode & S_IWOTH)) {
        return apr_psprintf(p, "%s: everybody may write it", path);
    }
    if (st.st_size <= 0 || st.st_size > LONGEST_FILE) {
        return apr_psprintf(p, "%s: holds no key: it %s", path,
                            st.st_size <= 0 ? "is empty" : "is longer than 8192 bytes");
    }
    *size = (size_t)st.st_size;
    return NULL;
}

/* Up to LONGEST_FILE bytes of it. */
static const char *slurp(apr_pool_t *p, const char *path, int is_private, char *bytes, size_t *n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const char *wrong;
    size_t size = 0;
    ssize_t got;

    *n = 0;
    if (fd < 0) {
        return failure(p, path, "cannot be read");
    }
    wrong = look(p, path, fd, is_private, &size);
    while (!wrong && *n < size) {
        got = read(fd, bytes + *n, size - *n);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            wrong = failure(p, path, "cannot be read");
        }
        *n += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    return wrong;
}

/* A key with a password would ask for it on the terminal. */
static int no_password(char *buffer, int size, int writes, void *baton)
{
    (void)buffer;
    (void)size;
    (void)writes;
    (void)baton;
    return -1;
}

static const char *load(apr_pool_t *p, const char *path, int is_private, ai_sign_key_t **key)
{
    char bytes[LONGEST_FILE];
    EVP_PKEY *pkey = NULL;
    const char *wrong;
    BIO *bio = NULL;
    size_t n;

    *key = NULL;
    wrong = slurp(p, path, is_private, bytes, &n);
    if (!wrong) {
        bio = BIO_new_mem_buf(bytes, (int)n);
        pkey = !bio         ? NULL
               : is_private ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL)
                            : PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
        BIO_free(bio);
        *key = hold(p, pkey, is_private);
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    if (!wrong && !*key) {
        wrong = apr_psprintf(p, "%s: holds no %s key of Ed25519 in PEM, without a password; \"aictl audit "
                             "keygen\" makes %s", path, is_private ? "private" : "public",
                             is_private ? "one" : "a private one and prints this one");
    }
    return wrong;
}

const char *ai_sign_load(apr_pool_t *p, const char *path, ai_sign_key_t **key)
{
    return load(p, path, 1, key);
}

const char *ai_sign_load_public(apr_pool_t *p, const char *path, ai_sign_key_t **key)
{
    return load(p, path, 0, key);
}

/* ----------------------------------------------------------------------------------- use */

const unsigned char *ai_sign_bytes(const ai_sign_key_t *key)
{
    return key->bytes;
}

const char *ai_sign_pem(apr_pool_t *p, const ai_sign_key_t *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const char *pem = NULL;
    char *bytes;
    long n;

    if (bio && PEM_write_bio_PUBKEY(bio, key->pkey) == 1 && (n = BIO_get_mem_data(bio, &bytes)) > 0) {
        pem = apr_pstrmemdup(p, bytes, (apr_size_t)n);
    }
    BIO_free(bio);
    ERR_clear_error();
    return pem;
}

const char *ai_sign_id(const ai_sign_key_t *key)
{
    return key->id;
}

int ai_sign(const ai_sign_key_t *key, ai_slice_t text, unsigned char signature[AI_SIGN_SIGNATURE])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = AI_SIGN_SIGNATURE;
    int good = ctx && key->is_private && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1
               && EVP_DigestSign(ctx, signature, &n, (const unsigned char *)text.p, text.n) == 1
               && n == AI_SIGN_SIGNATURE;

    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return good;
}

int ai_sign_verify(const ai_sign_key_t *key, ai_slice_t text, ai_slice_t signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int good = ctx && signature.n == AI_SIGN_SIGNATURE
               && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->pkey) == 1
               && EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n,
                                   (const unsigned char *)text.p, text.n) == 1;

    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return good;
}

const char *ai_sign_digest(apr_pool_t *p, ai_slice_t first, ai_slice_t second)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char digest[AI_DIGEST];
    char *hex = apr_palloc(p, 2 * AI_DIGEST + 1);
    int good = ctx && EVP_DigestInit_ex2(ctx, ai_digest_method(), NULL) == 1
               && EVP_DigestUpdate(ctx, first.p, first.n) == 1
               && EVP_DigestUpdate(ctx, second.p, second.n) == 1
               && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;

    EVP_MD_CTX_free(ctx);
    if (good) {
        ai_digest_hex(digest, hex);
    }
    return good ? hex : NULL;
}
