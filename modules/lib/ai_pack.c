/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_pack.c - how does a body get into a column of text, and how much can it claim on its way out?
 *
 * A packed text says how long it will be before anything is unpacked; what does not agree with the
 * record's own length is not unpacked at all.
 *
 * Lives in: the caller's pool, and zstd's memory, which goes with it. Shared state: none. May block:
 * no.
 */
#include <zstd.h>

#include <apr_strings.h>

#include "ai_base64.h"
#include "ai_buffer.h"
#include "ai_pack.h"

/* Of 1 to 22: more takes longer, and finds little more in texts of a few KB. */
#define LEVEL 3

struct ai_packer_t {
    ZSTD_CCtx *in;
    ZSTD_DCtx *out;
    ai_buffer_t packed;
};

static apr_status_t give_back(void *data)
{
    ai_packer_t *packer = data;

    ZSTD_freeCCtx(packer->in);
    ZSTD_freeDCtx(packer->out);
    ai_buffer_free(&packer->packed);
    return APR_SUCCESS;
}

ai_packer_t *ai_packer_create(apr_pool_t *p)
{
    ai_packer_t *packer = apr_pcalloc(p, sizeof(*packer));

    packer->in = ZSTD_createCCtx();
    packer->out = ZSTD_createDCtx();
    apr_pool_cleanup_register(p, packer, give_back, apr_pool_cleanup_null);
    return packer->in && packer->out
                   && ai_buffer_reserve(&packer->packed, ZSTD_compressBound(AI_PACK_BODY))
                          == APR_SUCCESS
               ? packer
               : NULL;
}

/* How many bytes a character of UTF-8 has that begins here; 0: it is none, or NUL. */
static apr_size_t character(const unsigned char *at, apr_size_t left)
{
    apr_size_t n = *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : *at >= 0xc2 ? 2 : 1, i;

    if (*at == 0 || (n == 1 && *at >= 0x80) || *at > 0xf4 || n > left) {
        return 0;
    }
    for (i = 1; i < n; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return (*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] >= 0xa0)
                   || (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] >= 0x90)
               ? 0
               : n;
}

static int is_text(ai_slice_t body)
{
    apr_size_t i, n;

    for (i = 0; i < body.n; i += n) {
        n = character((const unsigned char *)body.p + i, body.n - i);
        if (!n) {
            return 0;
        }
    }
    return 1;
}

int ai_pack(ai_packer_t *packer, apr_pool_t *p, ai_slice_t body, const char **text,
            ai_pack_coding_e *coding)
{
    int readable;
    apr_size_t n;

    if (body.n > AI_PACK_BODY) {
        return 0;
    }
    readable = is_text(body);
    *coding = AI_PACK_TEXT;
    if (readable && body.n <= AI_PACK_SHORT) {
        *text = apr_pstrmemdup(p, body.n ? body.p : "", body.n);
        return 1;
    }
    n = ZSTD_compressCCtx(packer->in, packer->packed.p, packer->packed.size, body.p, body.n, LEVEL);
    if (ZSTD_isError(n)) {
        return 0;
    }
    if (n < body.n && (!readable || 4 * ((n + 2) / 3) < body.n)) {
        *coding = AI_PACK_ZSTD;
        *text = ai_base64(p, (ai_slice_t){ packer->packed.p, n }).p;
        return 1;
    }
    *coding = readable ? AI_PACK_TEXT : AI_PACK_BASE64;
    *text = readable ? apr_pstrmemdup(p, body.p, body.n) : ai_base64(p, body).p;
    return 1;
}

static const char *from_base64(apr_pool_t *p, const char *text, ai_slice_t *bytes)
{
    ai_slice_t all = ai_slice_of(text);

    return all.n <= 4 * ((ZSTD_compressBound(AI_PACK_BODY) + 2) / 3) && ai_base64_read(p, all, bytes)
               ? NULL
               : "it is no base64";
}

static const char *from_zstd(ai_packer_t *packer, apr_pool_t *p, apr_size_t length,
                             ai_slice_t *body)
{
    unsigned long long says = ZSTD_getFrameContentSize(body->p, body->n);
    char *out;
    apr_size_t n;

    if (says != length) {
        return says == ZSTD_CONTENTSIZE_ERROR ? "it is not packed with zstd"
                                              : "it does not have the record's length";
    }
    out = apr_palloc(p, length + 1);
    n = ZSTD_decompressDCtx(packer->out, out, length, body->p, body->n);
    if (ZSTD_isError(n) || n != length) {
        return "it cannot be unpacked";
    }
    out[length] = '\0';
    *body = (ai_slice_t){ out, length };
    return NULL;
}

const char *ai_unpack(ai_packer_t *packer, apr_pool_t *p, const char *text, int coding,
                      apr_size_t length, ai_slice_t *body)
{
    const char *wrong = NULL;

    if (length > AI_PACK_BODY) {
        return "it is longer than a record can be";
    }
    switch (coding) {
    case AI_PACK_TEXT:
        *body = (ai_slice_t){ apr_pstrdup(p, text), strlen(text) };
        break;
    case AI_PACK_ZSTD:
        wrong = from_base64(p, text, body);
        wrong = wrong ? wrong : from_zstd(packer, p, length, body);
        break;
    case AI_PACK_BASE64:
        wrong = from_base64(p, text, body);
        break;
    default:
        wrong = "its coding is none";
    }
    return wrong || body->n == length ? wrong : "it does not have the record's length";
}
