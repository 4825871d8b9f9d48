/* SPDX-License-Identifier: Apache-2.0 */
/* test_ai_credential.c - is a key read as it was given, and nothing else taken for one? */
#include <apr_general.h>

#include "ai_credential.h"
#include "tap.h"

#define NOW APR_INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */

static void test_good(apr_pool_t *p)
{
    static const struct {
        const char *text, *key;
        apr_int64_t seconds; /* of life, or -1: for ever */
    } cases[] = {
        { "sk-1", "sk-1", -1 },
        { "sk-1\n", "sk-1", -1 },
        { " \n sk-1 \r\n\n", "sk-1", -1 },
        { "sk-1\nexpires=2026-01-01T00:01:00Z\n", "sk-1", 60 },
        { "sk-1\r\nexpires=2026-01-01T01:00:30+01:00\r\n", "sk-1", 30 },
        { "sk-1\n\nexpires=3600", "sk-1", 3600 },
        { "sk-1\nexpires=2025-01-01T00:00:00Z", "sk-1", 0 },
        { "{\"key\":\"sk-1\"}", "sk-1", -1 },
        { " {\"expires\": \"2026-01-01T00:00:05Z\", \"key\": \"sk\\u002d1\"}\n", "sk-1", 5 },
        { "{\"key\":\"sk-1\",\"expires\":90}", "sk-1", 90 },
        { "expires=60", "expires=60", -1 },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ai_credential_t c;
        const char *wrong = ai_credential_read(p, ai_slice_of(cases[i].text), NOW, &c);
        apr_time_t want = cases[i].seconds < 0 ? 0 : NOW + apr_time_from_sec(cases[i].seconds);

        if (!ok(!wrong && ai_slice_is(c.key, cases[i].key) && c.expires == want && !c.key.p[c.key.n],
                "good %d", (int)i)) {
            printf("# %s\n", wrong ? wrong : c.key.p);
        }
    }
}

static void test_bad(apr_pool_t *p)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "", "empty" },
        { " \n\t\n", "empty" },
        { "sk 1", "white space" },
        { "sk\t1", "white space" },
        { "sk\x01", "character" },
        { "sk\xc3\xa4", "character" },
        { "sk-1\nsk-2", "more than a key" },
        { "sk-1\nexpires=", "more than a key" },
        { "sk-1\nexpires=soon", "no time" },
        { "sk-1\nexpires=-5", "no time" },
        { "sk-1\nexpires=2026-13-01T00:00:00Z", "no time" },
        { "sk-1\nexpires=60\nexpires=70", "more than a key" },
        { "sk-1\nEXPIRES=60", "more than a key" },
        { "{\"key\":\"sk-1\"", "JSON that is wrong at byte 13" },
        { "{\"key\":\"sk-1\",\"key\":\"sk-2\"}", "JSON that is wrong" },
        { "{\"key\":5}", "no string" },
        { "{\"key\":\"\"}", "empty" },
        { "{\"key\":\"sk 1\"}", "white space" },
        { "{\"key\":\"sk\\u00001\"}", "NUL" },
        { "{\"expires\":60}", "without the member key" },
        { "{\"key\":\"sk-1\",\"expiry\":60}", "another member" },
        { "{\"key\":\"sk-1\",\"expires\":true}", "no time" },
        { "{\"key\":\"sk-1\",\"expires\":null}", "no time" },
        { "{\"key\":{\"a\":{\"b\":1}}}", "wrong" },
    };
    ai_credential_t c;
    char *longest = apr_palloc(p, AI_CREDENTIAL_KEY + 2);
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *wrong = ai_credential_read(p, ai_slice_of(cases[i].text), NOW, &c);

        if (!ok(wrong && strstr(wrong, cases[i].says) && !strstr(wrong, "sk"), "bad %d: %s", (int)i,
                cases[i].says)) {
            printf("# %s\n", wrong ? wrong : "taken");
        }
    }
    ok(ai_credential_read(p, (ai_slice_t){ "sk\0x", 4 }, NOW, &c) != NULL, "a NUL in the middle");
    memset(longest, 'k', AI_CREDENTIAL_KEY + 1);
    ok(!ai_credential_read(p, (ai_slice_t){ longest, AI_CREDENTIAL_KEY }, NOW, &c), "the longest");
    ok(ai_credential_read(p, (ai_slice_t){ longest, AI_CREDENTIAL_KEY + 1 }, NOW, &c) != NULL,
       "one longer");
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    test_good(p);
    test_bad(p);
    apr_terminate();
    return done();
}
