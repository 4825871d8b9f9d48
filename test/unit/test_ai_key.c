/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_key.c - are keys made, told from others, and judged as their records say?
 *
 * test_ai_key_record.c reads and writes the records.
 */
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "ai_key.h"
#include "ai_when.h"
#include "tap.h"

static apr_pool_t *pool;

/* ------------------------------------------------------------------------------- the text */

/* Made by another program: Python's secrets, zlib.crc32 and hashlib.sha256. */
#define KNOWN "sk-ai-Kx7Qm2pL9aZt-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg" KNOWN_CHECK
#define KNOWN_CHECK "24S368"
#define KNOWN_DIGEST "73cb82a92dc867103fc9058c697a821514830fce3f1dc09552148670336c5dc9"

static void test_make(void)
{
    char text[AI_KEY_LENGTH + 1], other[AI_KEY_LENGTH + 1];
    ai_slice_t id = { NULL, 0 };
    apr_size_t i, bad = 0;

    is_number(ai_key_make(text), APR_SUCCESS, "a key is made");
    is_number((long)strlen(text), AI_KEY_LENGTH, "it has its length");
    is_number(ai_key_look(ai_slice_of(text), &id), AI_KEY_WELL, "it is well formed");
    is_bytes(id.p, id.n, text + strlen(AI_KEY_PREFIX), AI_KEY_ID, "and has its id");
    is_number(ai_key_make(other), APR_SUCCESS, "another one");
    ok(memcmp(text + 6, other + 6, AI_KEY_ID) != 0, "has another id");
    ok(memcmp(text + 19, other + 19, AI_KEY_SECRET) != 0, "and another secret");
    is_number(ai_key_renew(id, other), APR_SUCCESS, "one with the same id");
    ok(memcmp(text, other, 19) == 0 && memcmp(text + 19, other + 19, AI_KEY_SECRET) != 0,
       "has another secret alone");
    is_number(ai_key_look(ai_slice_of(other), &id), AI_KEY_WELL, "and is well formed");
    ok(ai_key_renew(AI_SLICE("short"), other) != APR_SUCCESS, "an id of another length is refused");
    for (i = 0; i < 1000; i++) {
        bad += ai_key_make(text) != APR_SUCCESS
               || ai_key_look(ai_slice_of(text), &id) != AI_KEY_WELL;
    }
    is_number((long)bad, 0, "so are a thousand");
}

static void test_look(void)
{
    static const struct {
        const char *text;
        ai_key_form_e want;
    } rows[] = {
        { KNOWN, AI_KEY_WELL },
        { "", AI_KEY_FOREIGN },
        { "sk-ai", AI_KEY_FOREIGN },
        { "sk-proj-abcdef", AI_KEY_FOREIGN },
        { "SK-AI-Kx7Qm2pL9aZt-", AI_KEY_FOREIGN },
        { " " KNOWN, AI_KEY_FOREIGN },
        { "sk-ai-", AI_KEY_BROKEN },
        { "sk-ai-x", AI_KEY_BROKEN },
        { KNOWN " ", AI_KEY_BROKEN },
        { KNOWN "\n", AI_KEY_BROKEN },
    };
    char text[AI_KEY_LENGTH + 1];
    ai_slice_t id;
    apr_size_t i, slips = 0, swaps = 0;
    unsigned c;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is_number(ai_key_look(ai_slice_of(rows[i].text), &id), rows[i].want, rows[i].text);
    }
    is_number(ai_key_look((ai_slice_t){ NULL, 0 }, &id), AI_KEY_FOREIGN, "nothing");
    /* Each other byte at each place behind the prefix; each pair of neighbours the other way. */
    for (i = 6; i < AI_KEY_LENGTH; i++) {
        for (c = 0; c < 256; c++) {
            memcpy(text, KNOWN, sizeof(text));
            text[i] = (char)c;
            slips += text[i] != KNOWN[i]
                     && ai_key_look((ai_slice_t){ text, AI_KEY_LENGTH }, &id) != AI_KEY_BROKEN;
        }
        memcpy(text, KNOWN, sizeof(text));
        text[i] = KNOWN[i - 1];
        text[i - 1] = KNOWN[i];
        swaps += i > 6 && text[i] != text[i - 1]
                 && ai_key_look((ai_slice_t){ text, AI_KEY_LENGTH }, &id) != AI_KEY_BROKEN;
    }
    is_number((long)slips, 0, "one wrong byte is told, at each place");
    is_number((long)swaps, 0, "two that changed places are told");
}

static void test_digest(void)
{
    static const unsigned char abc[AI_KEY_DIGEST] = { /* FIPS 180-4's example */
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae,
        0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61,
        0xf2, 0x00, 0x15, 0xad };
    unsigned char digest[AI_KEY_DIGEST], other[AI_KEY_DIGEST];
    const ai_key_t *key;
    const char *wrong;
    int i, same = 0;

    ai_key_digest(AI_SLICE("abc"), digest);
    ok(memcmp(digest, abc, sizeof(abc)) == 0, "SHA-256 of abc");
    ok(ai_key_same(digest, abc), "which is the same");
    for (i = 0; i < AI_KEY_DIGEST; i++) {
        memcpy(other, digest, sizeof(other));
        other[i] ^= 1;
        same += ai_key_same(digest, other);
    }
    is_number(same, 0, "and not when one bit differs, in any byte");
    key = ai_key_read(pool, AI_SLICE("{\"id\":\"Kx7Qm2pL9aZt\",\"digest\":\"sha256:" KNOWN_DIGEST
                                     "\"}"), &wrong);
    ai_key_digest(AI_SLICE(KNOWN), digest);
    ok(key && ai_key_judge(key, digest, 1, NULL) == AI_KEY_GOOD, "a digest made elsewhere is met");
}

/* ----------------------------------------------------------------------------- the verdict */

static apr_time_t when(const char *text)
{
    apr_time_t t = 0;

    if (!ai_when_read(text, &t)) {
        abort();
    }
    return t;
}

static apr_sockaddr_t *address(const char *text)
{
    apr_sockaddr_t *from = NULL;

    apr_sockaddr_info_get(&from, text, APR_UNSPEC, 0, 0, pool);
    return from;
}

/* A record whose digest is that of "first", with more members. */
static const ai_key_t *key_of(const char *more)
{
    const char *wrong = NULL;
    const ai_key_t *key = ai_key_read(pool, ai_slice_of(apr_pstrcat(pool,
        "{\"id\":\"Kx7Qm2pL9aZt\",\"digest\":\"sha256:"
        "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e\"", more, "}", NULL)),
        &wrong);

    if (!key) {
        fprintf(stderr, "# %s: %s\n", more, wrong);
        abort();
    }
    return key;
}

#define NEXT ",\"next_digest\":\"sha256:" \
    "c6c1c9a9c8543f1e4cd980064cf1625eeb61a90703b2464fff039f21682508b3\""

static void is_judged(const char *more, const char *text, const char *now, const char *from,
                      ai_key_verdict_e want, const char *what)
{
    unsigned char digest[AI_KEY_DIGEST];

    ai_key_digest(ai_slice_of(text), digest);
    is_number(ai_key_judge(key_of(more), digest, when(now), from ? address(from) : NULL), want, what);
}

static void test_judge(void)
{
#define NOW "2026-11-21T12:00:00Z"
#define ALL_WRONG ",\"disabled\":true,\"not_before\":\"2027-01-01\",\"expires\":\"2026-01-01\"," \
    "\"sources\":[\"10.0.0.0/8\"]"
    is_judged("", "first", NOW, NULL, AI_KEY_GOOD, "good");
    is_judged("", "other", NOW, NULL, AI_KEY_WRONG, "another secret");
    is_judged("", "", NOW, NULL, AI_KEY_WRONG, "no secret");
    is_judged(",\"disabled\":true", "first", NOW, NULL, AI_KEY_DISABLED, "disabled");
    is_judged(",\"disabled\":false", "first", NOW, NULL, AI_KEY_GOOD, "not disabled");
    is_judged(ALL_WRONG, "other", NOW, "192.0.2.1", AI_KEY_WRONG,
              "who has not the secret learns nothing else");
    is_judged(",\"not_before\":\"2026-11-21T12:00:01Z\"", "first", NOW, NULL, AI_KEY_TOO_EARLY,
              "a second too early");
    is_judged(",\"not_before\":\"2026-11-21T12:00:00Z\"", "first", NOW, NULL, AI_KEY_GOOD,
              "just in time");
    is_judged(",\"expires\":\"2026-11-21T12:00:00Z\"", "first", NOW, NULL, AI_KEY_EXPIRED,
              "just expired");
    is_judged(",\"expires\":\"2026-11-21T12:00:01Z\"", "first", NOW, NULL, AI_KEY_GOOD,
              "the last second");
    /* Two texts. */
    is_judged(NEXT, "first", NOW, NULL, AI_KEY_GOOD, "the first of two");
    is_judged(NEXT, "next", NOW, NULL, AI_KEY_GOOD, "the next of two");
    is_judged(NEXT, "other", NOW, NULL, AI_KEY_WRONG, "none of two");
    is_judged(NEXT ",\"next_until\":\"2026-11-21T12:00:01Z\"", "first", NOW, NULL, AI_KEY_GOOD,
              "the last second of the first");
    is_judged(NEXT ",\"next_until\":\"2026-11-21T12:00:00Z\"", "first", NOW, NULL, AI_KEY_WRONG,
              "the first has had its time");
    is_judged(NEXT ",\"next_until\":\"2026-11-21T12:00:00Z\"", "next", NOW, NULL, AI_KEY_GOOD,
              "the next goes on");
    /* Where from. */
#define NETS ",\"sources\":[\"10.0.0.0/8\",\"192.0.2.7\",\"2001:db8::/32\"]"
    is_judged(NETS, "first", NOW, "10.200.3.4", AI_KEY_GOOD, "a network");
    is_judged(NETS, "first", NOW, "11.0.0.1", AI_KEY_SOURCE, "beside it");
    is_judged(NETS, "first", NOW, "192.0.2.7", AI_KEY_GOOD, "an address");
    is_judged(NETS, "first", NOW, "192.0.2.8", AI_KEY_SOURCE, "beside it");
    is_judged(NETS, "first", NOW, "2001:db8::1", AI_KEY_GOOD, "a network of IPv6");
    is_judged(NETS, "first", NOW, "2001:db9::1", AI_KEY_SOURCE, "beside it");
    is_judged(NETS, "first", NOW, "::ffff:10.1.2.3", AI_KEY_GOOD, "IPv4 in IPv6");
    is_judged(NETS, "first", NOW, NULL, AI_KEY_SOURCE, "nobody knows from where");
    is_judged(",\"sources\":[\"0.0.0.0/1\",\"128.0.0.0/1\"]", "first", NOW, "203.0.113.9",
              AI_KEY_GOOD, "all of IPv4");
}

static void test_reasons(void)
{
    ok(ai_key_reason(AI_KEY_GOOD) == NULL, "good has no reason");
    ok(strcmp(ai_key_reason(AI_KEY_WRONG), "invalid_api_key") == 0, "wrong");
    ok(strcmp(ai_key_reason(AI_KEY_DISABLED), "key_disabled") == 0, "disabled");
    ok(strcmp(ai_key_reason(AI_KEY_TOO_EARLY), "key_not_yet_valid") == 0, "too early");
    ok(strcmp(ai_key_reason(AI_KEY_EXPIRED), "key_expired") == 0, "expired");
    ok(strcmp(ai_key_reason(AI_KEY_SOURCE), "key_source_denied") == 0, "from elsewhere");
}

/* ------------------------------------------------------------------------------ the fields */

static void test_models(void)
{
    static const struct {
        const char *patterns;
        const char *model;
        int want;
    } rows[] = {
        { "gpt-4o", "gpt-4o", 1 }, { "gpt-4o", "gpt-4o-mini", 0 }, { "gpt-4o", "gpt-4", 0 },
        { "gpt-4o", "x-gpt-4o", 0 }, { "gpt-4o", "GPT-4O", 1 }, { "gpt-4o", "", 0 },
        { "*", "", 1 }, { "*", "anything", 1 }, { "gpt-*", "gpt-", 1 }, { "gpt-*", "gpt", 0 },
        { "*-mini", "gpt-4o-mini", 1 }, { "*-mini", "gpt-mini-x", 0 }, { "*-mini", "-mini-mini", 1 },
        { "g?t", "gpt", 1 }, { "g?t", "gt", 0 }, { "a*b*c", "a-b-b-c", 1 }, { "a*b*c", "acb", 0 },
        { "a*?", "a", 0 }, { "a*?", "ab", 1 }, { "a**", "a", 1 }, { "[a]", "a", 0 },
        { "gpt-4o\",\"claude-*", "claude-x", 1 },
    };
    const ai_key_t *key;
    char *longest = apr_pcalloc(pool, 100001);
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        key = key_of(apr_pstrcat(pool, ",\"models\":[\"", rows[i].patterns, "\"]", NULL));
        ok(ai_key_allows_model(key, rows[i].model) == rows[i].want, "%s, %s", rows[i].patterns,
           rows[i].model);
        key = key_of(apr_pstrcat(pool, ",\"models_denied\":[\"", rows[i].patterns, "\"]", NULL));
        ok(ai_key_allows_model(key, rows[i].model) == !rows[i].want, "denied: %s, %s",
           rows[i].patterns, rows[i].model);
    }
    ok(ai_key_allows_model(key_of(""), "anything"), "no list: all");
    ok(ai_key_allows_model(key_of(",\"models\":[\"a\"]"), NULL), "no model is named");
    key = key_of(",\"models\":[\"gpt-*\"],\"models_denied\":[\"gpt-4*\"]");
    ok(ai_key_allows_model(key, "gpt-5") && !ai_key_allows_model(key, "gpt-4o"), "no is stronger");
    memset(longest, 'a', 100000);
    ok(!ai_key_allows_model(key_of(",\"models\":[\"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b\"]"), longest),
       "many stars and a long name come to an end");
}

static void test_endpoints(void)
{
    const ai_key_t *key = key_of(",\"endpoints\":[\"chat\",\"models\"]");

    ok(ai_key_allows_endpoint(key, "chat") && ai_key_allows_endpoint(key, "models"), "named ones");
    ok(!ai_key_allows_endpoint(key, "files") && !ai_key_allows_endpoint(key, "model"), "no others");
    ok(ai_key_allows_endpoint(key_of(""), "files"), "no list: all");
}

static void test_when(void)
{
    static const char *const bad[] = {
        "", "2026", "2026-02-29", "2026-13-01", "2026-00-10", "2026-04-31", "2026-01-00",
        "2026-01-01T24:00:00Z", "2026-01-01T23:60:00Z", "2026-01-01T23:59:60Z",
        "2026-01-01T00:00:00", "2026-01-01T00:00:00+01:00", "2026-01-01t00:00:00z",
        "2026-01-01 00:00:00Z", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00Zx", " 2026-01-01",
        "1969-12-31", "1970-01-01", "0000-01-01", "2026-1-1", "20260101", "2026-01-0x",
    };
    static const char *const good[] = {
        "2026-11-21T12:34:56Z", "2024-02-29T00:00:00Z", "1970-01-01T00:00:01Z",
        "9999-12-31T23:59:59Z", "2000-02-29T23:59:59Z", "2038-01-19T03:14:08Z",
    };
    apr_time_t t;
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(!ai_when_read(bad[i], &t), "no time: '%s'", bad[i]);
    }
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ok(ai_when_read(good[i], &t) && strcmp(ai_when_text(pool, t), good[i]) == 0, "%s", good[i]);
    }
    is_number(apr_time_sec(when("2026-11-21")), 1795219200, "a day is its first second");
}

/* -------------------------------------------------------------------------- seen before */

static void test_see(void)
{
    static ai_key_seen_t seen;
    char first[AI_KEY_LENGTH + 1], other[AI_KEY_LENGTH + 1];
    unsigned char want[AI_KEY_DIGEST], got[AI_KEY_DIGEST];
    const char *texts[] = { KNOWN, KNOWN, first, KNOWN, other, other, first, first };
    ai_slice_t id, same = { KNOWN + 6, AI_KEY_ID };
    apr_size_t i, right = 0;

    ai_key_make(first);
    ai_key_renew((ai_slice_t){ first + 6, AI_KEY_ID }, other);
    is_number(ai_key_see(&seen, AI_SLICE("sk-ai-x"), &id, got), AI_KEY_BROKEN, "a broken key");
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ai_key_digest(ai_slice_of(texts[i]), want);
        memset(got, 0, sizeof(got));
        right += ai_key_see(&seen, ai_slice_of(texts[i]), &id, got) == AI_KEY_WELL
                 && memcmp(want, got, AI_KEY_DIGEST) == 0 && id.p == texts[i] + 6
                 && id.n == AI_KEY_ID;
    }
    is_number((long)right, (long)i, "each has its own digest and id, seen before or not");
    ai_key_see(&seen, AI_SLICE(KNOWN), &id, got);
    ok(memcmp(id.p, same.p, same.n) == 0, "the id");
    is_number(ai_key_see(&seen, AI_SLICE(KNOWN "x"), &id, got), AI_KEY_BROKEN, "one that goes on");
    is_number(ai_key_see(&seen, (ai_slice_t){ KNOWN, AI_KEY_LENGTH - 1 }, &id, got), AI_KEY_BROKEN,
              "one that is cut");
    is_number(ai_key_see(&seen, AI_SLICE("sk-proj-abc"), &id, got), AI_KEY_FOREIGN, "a foreign one");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_make();
    test_look();
    test_see();
    test_digest();
    test_judge();
    test_reasons();
    test_models();
    test_endpoints();
    test_when();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
