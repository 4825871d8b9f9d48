/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that were verified: found again only with the same rule and keys, and while they last. */
#include <apr_general.h>
#include <apr_strings.h>

#include "ai_token_cache.h"
#include "tap.h"

#define NOW apr_time_from_sec(1700000000)

static apr_pool_t *pool;
static const int rule_a, rule_b;

static ai_token_t token_of(const char *text, const void *rule, apr_uint32_t keys)
{
    ai_token_t token = { .rule = rule, .keys = keys };

    ai_digest(ai_slice_of(text), token.digest);
    return token;
}

static void put(ai_token_cache_t *cache, const char *text, const char *user)
{
    ai_token_t token = token_of(text, &rule_a, 1);

    token.expires = NOW;
    token.facts[AI_TOKEN_USER] = user;
    token.facts[AI_TOKEN_TIER] = "";
    ai_token_cache_put(cache, &token);
}

/* The user, or NULL when it is not there. */
static const char *get(ai_token_cache_t *cache, const char *text, const void *rule,
                       apr_uint32_t keys, apr_time_t now)
{
    ai_token_t token = token_of(text, rule, keys);

    return ai_token_cache_get(cache, pool, &token, now, apr_time_from_sec(30))
               ? token.facts[AI_TOKEN_USER]
               : NULL;
}

static void test_found(void)
{
    ai_token_cache_t *cache = ai_token_cache_create(pool, 64);
    ai_token_t token = token_of("one", &rule_a, 1);

    ok(get(cache, "one", &rule_a, 1, NOW) == NULL, "an empty cache has nothing");
    put(cache, "one", "ada");
    ok(strcmp(get(cache, "one", &rule_a, 1, NOW), "ada") == 0, "what was put in is found");
    ok(ai_token_cache_get(cache, pool, &token, NOW, 0) == 0, "on the second of its end it is over");
    ok(ai_token_cache_get(cache, pool, &token, NOW - 1, 0) == 1, "not before");
    ok(token.expires == NOW && !token.facts[AI_TOKEN_TENANT] && !*token.facts[AI_TOKEN_TIER],
       "nothing said is not the same as empty");
    ok(get(cache, "one", &rule_a, 1, NOW + apr_time_from_sec(30)) == NULL, "leeway ends");
    ok(get(cache, "one", &rule_a, 1, NOW + apr_time_from_sec(30) - 1) != NULL, "but not early");
    ok(get(cache, "one", &rule_b, 1, NOW) == NULL, "by another rule it is unknown");
    ok(get(cache, "one", &rule_a, 2, NOW) == NULL, "and under other keys");
    ok(get(cache, "one ", &rule_a, 1, NOW) == NULL, "and so is another text");
    token = token_of("for ever", &rule_a, 1);
    token.facts[AI_TOKEN_USER] = "eve";
    ai_token_cache_put(cache, &token);
    ok(get(cache, "for ever", &rule_a, 1, NOW * 100) != NULL, "a token without end stays good");
}

static void test_long(void)
{
    ai_token_cache_t *cache = ai_token_cache_create(pool, 64);
    char text[AI_TOKEN_TEXTS + 1];

    memset(text, 'u', sizeof(text));
    text[AI_TOKEN_TEXTS - 2] = '\0'; /* one NUL, and one more for the empty tier */
    put(cache, "fits", text);
    ok(get(cache, "fits", &rule_a, 1, NOW) != NULL, "as long as there is room");
    text[AI_TOKEN_TEXTS - 2] = 'u';
    text[AI_TOKEN_TEXTS - 1] = '\0';
    put(cache, "does not", text);
    ok(get(cache, "does not", &rule_a, 1, NOW) == NULL, "what is longer is not kept");
}

/* One row of four. */
static void test_full(void)
{
    ai_token_cache_t *cache = ai_token_cache_create(pool, 1);
    int i, found = 0;

    for (i = 0; i < 4; i++) {
        put(cache, apr_itoa(pool, i), "u");
    }
    for (i = 0; i < 4; i++) {
        found += get(cache, apr_itoa(pool, i), &rule_a, 1, NOW) != NULL;
    }
    is_number(found, 4, "a row has four places");
    get(cache, "0", &rule_a, 1, NOW);
    put(cache, "4", "u");
    ok(get(cache, "0", &rule_a, 1, NOW) && get(cache, "4", &rule_a, 1, NOW), "who was asked for stays");
    ok(!get(cache, "1", &rule_a, 1, NOW), "who has rested longest goes");
    put(cache, "4", "other");
    ok(strcmp(get(cache, "4", &rule_a, 1, NOW), "other") == 0, "the same token has one place");
    ok(get(cache, "2", &rule_a, 1, NOW) && get(cache, "3", &rule_a, 1, NOW), "and takes no second");
    for (i = 0; i < 100000; i++) {
        put(cache, apr_itoa(pool, i), "u");
    }
    ok(get(cache, "99999", &rule_a, 1, NOW) != NULL, "it goes on when it is full");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_found();
    test_long();
    test_full();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
