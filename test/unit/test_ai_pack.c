/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_pack.c - does a body come back as it was, and can a text from a database claim too much?
 */
#include <apr_general.h>
#include <apr_strings.h>

#include "ai_pack.h"
#include "tap.h"

static apr_pool_t *pool;
static ai_packer_t *packer;

/* n bytes: of a text that repeats, or (seed not 0) of no order. */
static ai_slice_t bytes(apr_size_t n, unsigned seed)
{
    char *p = apr_palloc(pool, n + 1);
    apr_size_t i;

    for (i = 0; i < n; i++) {
        seed = seed ? seed * 1103515245 + 12345 : 0;
        p[i] = seed ? (char)(seed >> 16) : "{\"tenant\":\"acme\"}"[i % 17];
    }
    return (ai_slice_t){ p, n };
}

static void round_trip(ai_slice_t body, int want, const char *what)
{
    ai_pack_coding_e coding = AI_PACK_TEXT;
    const char *text = NULL, *wrong;
    ai_slice_t back = { NULL, 0 };

    ok(ai_pack(packer, pool, body, &text, &coding), "%s: goes in", what);
    is_number(coding, want, "with its coding");
    wrong = ai_unpack(packer, pool, text, (int)coding, body.n, &back);
    ok(!wrong && back.n == body.n && (!body.n || memcmp(back.p, body.p, body.n) == 0),
       "and comes back: %s", wrong ? wrong : "the same");
    ok(strlen(text) <= 4 * ((body.n + 2) / 3), "in no more than base64 takes");
    ok(ai_unpack(packer, pool, text, (int)coding, body.n + 1, &back) != NULL, "not as a longer one");
    ok(!body.n || ai_unpack(packer, pool, text, (int)coding, body.n - 1, &back) != NULL,
       "nor as a shorter one");
}

static void test_round_trips(void)
{
    static const char *const no_text[] = { "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                           "\xff", "\xe2\x82", "a\x80" };
    apr_size_t i;

    round_trip(AI_SLICE(""), AI_PACK_TEXT, "nothing");
    round_trip(AI_SLICE("{\"id\":1}"), AI_PACK_TEXT, "a short text");
    round_trip(AI_SLICE("\xe6\x97\xa5 \xf0\x9f\x98\x80 \xc3\xa9"), AI_PACK_TEXT, "UTF-8");
    round_trip(AI_SLICE("a\0b"), AI_PACK_BASE64, "a NUL");
    for (i = 0; i < sizeof(no_text) / sizeof(no_text[0]); i++) {
        round_trip(ai_slice_of(no_text[i]), AI_PACK_BASE64, "what is no UTF-8");
    }
    round_trip(bytes(AI_PACK_SHORT, 0), AI_PACK_TEXT, "the longest short text");
    round_trip(bytes(AI_PACK_SHORT + 1, 0), AI_PACK_ZSTD, "a longer one");
    round_trip(bytes(AI_PACK_BODY, 0), AI_PACK_ZSTD, "the longest text");
    round_trip(bytes(AI_PACK_BODY, 7), AI_PACK_BASE64, "the longest without order");
}

static void test_too_long(void)
{
    ai_pack_coding_e coding;
    ai_slice_t back;
    const char *text;

    ok(!ai_pack(packer, pool, bytes(AI_PACK_BODY + 1, 0), &text, &coding), "one byte too long");
    ok(ai_unpack(packer, pool, "", AI_PACK_ZSTD, AI_PACK_BODY + 1, &back) != NULL,
       "nor does that come out");
}

static void test_damage(void)
{
    static const struct { const char *text; int coding; const char *what; } rows[] = {
        { "QQ=", AI_PACK_BASE64, "base64 that is cut" },
        { "QR==", AI_PACK_BASE64, "bits that belong to no byte" },
        { "Q===", AI_PACK_BASE64, "too much padding" },
        { " QQ==", AI_PACK_BASE64, "white space" },
        { "QQ==\n", AI_PACK_BASE64, "a line's end" },
        { "Q-==", AI_PACK_BASE64, "another alphabet" },
        { "QQ==", AI_PACK_ZSTD, "what is not zstd" },
        { "", AI_PACK_ZSTD, "nothing" },
        { "A", 3, "an unknown coding" },
        { "A", -1, "a negative one" },
        /* A frame of zstd that says 2^62 bytes. */
        { "KLUv/eAAAAAAAAAAQAEAAA==", AI_PACK_ZSTD, "a length that nobody has" },
    };
    ai_pack_coding_e coding;
    ai_slice_t back, body = bytes(5000, 0);
    const char *text, *wrong;
    char *broken;
    apr_size_t i;
    int bad = 0;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wrong = ai_unpack(packer, pool, rows[i].text, rows[i].coding, 1, &back);
        ok(wrong && !strchr(wrong, 'Q'), "%s is refused: %s", rows[i].what, wrong ? wrong : "no");
    }
    ai_pack(packer, pool, body, &text, &coding);
    for (i = 0; i < strlen(text); i++) {
        broken = apr_pstrdup(pool, text);
        broken[i] = broken[i] == 'A' ? 'B' : 'A';
        wrong = ai_unpack(packer, pool, broken, (int)coding, body.n, &back);
        bad += !wrong && back.n != body.n;
        broken[i] = '\0';
        bad += !ai_unpack(packer, pool, broken, (int)coding, body.n, &back);
    }
    is_number(bad, 0, "no damage and no cut gives another length");
}

int main(void)
{
    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return 1;
    }
    packer = ai_packer_create(pool);
    test_round_trips();
    test_too_long();
    test_damage();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
