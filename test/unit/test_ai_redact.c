/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_redact.c - is found what shall be found, and nothing else, and is JSON still JSON?
 *
 * Where the examples are from: cards, the test numbers that Stripe documents ("Testing"); bank
 * accounts, the IBAN registry of ISO 13616; mail, RFC 3696 and RFC 5322; internet, RFC 5737, 4291
 * and 5952; telephones, RFC 3966 and Ofcom's numbers for drama; social security, the two numbers of
 * advertisements that the SSA names; keys, AWS's documentation; tokens, RFC 7519; private keys, RFC
 * 7468.
 */
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <apr_time.h>

#include "ai_json.h"
#include "ai_key.h"
#include "ai_redact.h"
#include "tap.h"

static apr_pool_t *pool;
static const ai_redact_t *all;

/* A copy of its own, so that a sanitizer sees what reads beyond it. */
static ai_slice_t sifted(const ai_redact_t *redact, ai_slice_t text, int body, apr_size_t *found)
{
    char *copy = malloc(text.n ? text.n : 1);
    ai_buffer_t out = { NULL, 0, 0 };
    ai_slice_t result;
    apr_status_t rv;

    memcpy(copy, text.p, text.n);
    *found = 0;
    rv = body ? ai_redact_body(redact, pool, (ai_slice_t){ copy, text.n }, &out, found)
              : ai_redact_text(redact, (ai_slice_t){ copy, text.n }, &out, found);
    free(copy);
    if (rv != APR_SUCCESS) {
        abort();
    }
    result = (ai_slice_t){ apr_pstrmemdup(pool, out.p ? out.p : "", out.n), out.n };
    ai_buffer_free(&out);
    return result;
}

static const struct {
    const char *text;
    const char *want;
} texts[] = {
    { "", "" },
    { "Nothing to see here; 2 + 2 = 4.", "Nothing to see here; 2 + 2 = 4." },
    /* mail */
    { "Write to user+mailbox@example.com, please.", "Write to [email], please." },
    { "<_somename@example.com>", "<[email]>" },
    { "john.q.public@example.com mary@x.test", "[email] [email]" },
    { "jdoe@machine.example.", "[email]." },
    { "\"Joe.\\Blow\"@example.com", "[email]" },
    { "mailto:o'brien@mail.example.co.uk?subject=x", "mailto:[email]?subject=x" },
    { "**bold@example.com**", "**[email]**" },
    { "m\xC3\xBCller@b\xC3\xBC" "cher.example", "[email]" },
    { "\xE6\x98\xAFzhang@example.cn", "\xE6\x98\xAF[email]" },
    { "\xE7\x94\xA8\xE6\x88\xB7@\xE4\xBE\x8B\xE5\xAD\x90.\xE5\xB9\xBF\xE5\x91\x8A", "[email]" },
    { "{\"a\":\"\\nbob@example.org\"}", "{\"a\":\"\\n[email]\"}" },
    { "a @ b.com, @decorator, x@y, me@localhost, 3@4.5", "a @ b.com, @decorator, x@y, me@localhost, "
                                                         "3@4.5" },
    { "pip install pkg@1.2.3", "pip install pkg@1.2.3" },
    /* cards */
    { "4242424242424242", "[card]" },
    { "card 4000 0566 5566 5556, 12/34", "card [card], 12/34" },
    { "5555-5555-5555-4444", "[card]" },
    { "2223003122003222 5105105105105100", "[card] [card]" },
    { "378282246310005 or 3714 496353 98431", "[card] or [card]" },
    { "6011111111111117 6011000990139424", "[card] [card]" },
    { "3056930009020004 36227206271667", "[card] [card]" },
    { "3566002020360505 6200000000000005", "[card] [card]" },
    { "{\\n4242424242424242}", "{\\n[card]}" },
    { "4242424242424241 is no number", "4242424242424241 is no number" },
    { "1763761402123 1763761402130", "1763761402123 1763761402130" },
    { "0.4242424242424242", "0.4242424242424242" },
    { "x4242424242424242 42424242424242424242", "x4242424242424242 42424242424242424242" },
    /* bank accounts */
    { "IBAN GB29 NWBK 6016 1331 9268 19.", "IBAN [iban]." },
    { "de89370400440532013000 is my account", "[iban] is my account" },
    { "DE89 3704 0044 0532 0130 01", "DE89 3704 0044 0532 0130 01" },
    { "XX89370400440532013000", "XX89370400440532013000" },
    /* social security */
    { "SSN 078-05-1120, 219 09 9999", "SSN [ssn], [ssn]" },
    { "000-12-3456 666-12-3456 123-00-4567 123-45-0000 123-45 6789 123-45-67890",
      "000-12-3456 666-12-3456 123-00-4567 123-45-0000 123-45 6789 123-45-67890" },
    /* internet */
    { "from 192.0.2.1 to 198.51.100.255:8080", "from [ip] to [ip]:8080" },
    { "http://203.0.113.7/x", "http://[ip]/x" },
    { "256.1.1.1 1.2.3 1.2.3.4.5 01.2.3.4", "256.1.1.1 1.2.3 1.2.3.4.5 01.2.3.4" },
    { "ABCD:EF01:2345:6789:ABCD:EF01:2345:6789", "[ip]" },
    { "2001:DB8:0:0:8:800:200C:417A and FF01::101", "[ip] and [ip]" },
    { "[2001:db8::1:0:0:1]:443", "[[ip]]:443" },
    { "0:0:0:0:0:FFFF:129.144.52.38", "[ip]" },
    { "2001:db8::/32 is a network", "[ip]/32 is a network" },
    { "std::vector a::b x[::2] 12:34:56 00:1A:2B:3C:4D:5E", "std::vector a::b x[::2] 12:34:56 "
                                                            "00:1A:2B:3C:4D:5E" },
    /* telephones */
    { "tel:+1-201-555-0123", "tel:[phone]" },
    { "+358-555-1234567", "[phone]" },
    { "Call +44 20 7946 0018 now", "Call [phone] now" },
    { "+49 (0)30 901820", "[phone]" },
    { "+1 (201) 555-0123.", "[phone]." },
    { "a+12345678 +1234567 +0123456789 +1234567890123456", "a+12345678 +1234567 +0123456789 "
                                                           "+1234567890123456" },
    /* keys */
    { "AKIAIOSFODNN7EXAMPLE", "[key]" },
    { "id=ASIAIOSFODNN7EXAMPLE&", "id=[key]&" },
    { "AKIAIOSFODNN7EXAMPLEX AKIAIOSF", "AKIAIOSFODNN7EXAMPLEX AKIAIOSF" },
    { "sk-estimator-of-something-with-a-long-name", "sk-estimator-of-something-with-a-long-name" },
    { "sk-short1 risk-0123456789012345678901234", "sk-short1 risk-0123456789012345678901234" },
    /* tokens */
    { "Bearer eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
      "fQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "Bearer [token]" },
    { "eyJhbGciOiJub25lIn0."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
      "fQ. Next", "[token]. Next" },
    { "eyJhbGciOiJub25lIn0 alone", "eyJhbGciOiJub25lIn0 alone" },
    /* private keys */
    { "key:\n-----BEGIN PRIVATE KEY-----\n"
      "MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgVcB/UNPxalR9zDYAjQIf\n"
      "-----END PRIVATE KEY-----\nend", "key:\n[pem]\nend" },
    { "-----BEGIN EC PRIVATE KEY-----\nMIGE", "[pem]" },
    { "-----BEGIN PGP PRIVATE KEY BLOCK-----x-----END PGP PRIVATE KEY BLOCK-----", "[pem]" },
    { "-----BEGIN PUBLIC KEY-----\nMIGE\n-----END PUBLIC KEY-----",
      "-----BEGIN PUBLIC KEY-----\nMIGE\n-----END PUBLIC KEY-----" },
};

/* Examples of the IBAN registry: one of each length, with letters and without. */
static const char *const accounts[] = {
    "NO9386011117947", "BE68539007547034", "NL91ABNA0417164300", "DK5000400440116243",
    "AT611904300234573201", "CH9300762011623852957", "GB29NWBK60161331926819",
    "IE29AIBK93115212345678", "AE070331234567890123456", "ES9121000418450200051332",
    "SE4550000000058398257466", "PT50000201231234567890154", "TR330006100519786457841326",
    "IS140159260076545510730339", "FR1420041010050500013M02606", "IT60X0542811101000000123456",
    "PL61109010140000071219812874", "HU42117730161111101800000000", "BR1800360305000010009795493C1",
    "EG380019000500000000263180002", "UA213223130000026007233566001",
    "MU17BOMM0101101030300200000MUR", "KW81CBKU0000000000001234560101",
    "MT84MALT011000012345MTLCAST001S", "LC55HEMM000100010012001200023015",
    "RU0304452522540817810538091310419", "XK051212012345678906", "SA0380000000608010167519",
};

static void test_texts(void)
{
    apr_size_t i, found;
    ai_slice_t got;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        got = sifted(all, ai_slice_of(texts[i].text), 0, &found);
        is_bytes(got.p, got.n, texts[i].want, strlen(texts[i].want),
                 apr_psprintf(pool, "text %d", (int)i));
    }
    for (i = 0; i < sizeof(accounts) / sizeof(accounts[0]); i++) {
        got = sifted(all, ai_slice_of(accounts[i]), 0, &found);
        is_bytes(got.p, got.n, "[iban]", 6, accounts[i]);
    }
}

/* Keys by their forms; their secret part is made here, so that no scanner takes this file for a
 * leak. */
static void test_keys(void)
{
    static const struct {
        const char *prefix;
        apr_size_t n;
    } forms[] = {
        { "sk-", 48 },    { "sk-ant-api03-", 95 }, { "sk-proj-", 40 }, { "sk_live_", 24 },
        { "AIza", 35 },   { "ghp_", 36 },          { "gho_", 36 },     { "github_pat_", 82 },
        { "glpat-", 20 }, { "xoxb-", 50 },         { "xoxp-", 70 },    { "hf_", 34 },
        { "gsk_", 52 },   { "npm_", 36 },          { "whsec_", 32 },   { "ya29.", 60 },
        { "xapp-", 40 },  { "r8_", 37 },           { "pplx-", 48 },    { "dop_v1_", 64 },
    };
    char own[AI_KEY_LENGTH + 1];
    apr_size_t i, j, found;
    ai_slice_t got;

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        char *tail = apr_palloc(pool, forms[i].n + 1);

        for (j = 0; j < forms[i].n; j++) {
            tail[j] = "a1B2c3D4e5"[j % 10];
        }
        tail[j] = '\0';
        got = sifted(all, ai_slice_of(apr_psprintf(pool, "my key: %s%s!", forms[i].prefix, tail)), 0,
                     &found);
        is_bytes(got.p, got.n, "my key: [key]!", 14, forms[i].prefix);
    }
    if (ai_key_make(own) != APR_SUCCESS) {
        abort();
    }
    got = sifted(all, ai_slice_of(own), 0, &found);
    is_bytes(got.p, got.n, "[key]", 5, "a key of this gateway");
}

static const struct {
    const char *body;
    const char *want;
} bodies[] = {
    { "{\"a\":\"bob@example.com\",\"n\":[1,2.5,-3e2,true,null]}",
      "{\"a\":\"[email]\",\"n\":[1,2.5,-3e2,true,null]}" },
    { "{ \"a\" : \"caf\\u00e9 \\/ \\\"x\\\"\" }", "{ \"a\" : \"caf\\u00e9 \\/ \\\"x\\\"\" }" },
    { "{\"a\":\"bob\\u0040example.com\"}", "{\"a\":\"[email]\"}" },
    { "{\"a\":\"q\\\"\\\\\\n\\u0001 bob@example.com \\u00e9\"}",
      "{\"a\":\"q\\\"\\\\\\n\\u0001 [email] \xC3\xA9\"}" },
    { "{\"card\":4242424242424242,\"t\":1763761402123}", "{\"card\":\"[card]\",\"t\":1763761402123}" },
    { "[4242424242424242]", "[\"[card]\"]" },
    { "{\"bob@example.com\":1,\"eve@example.com\":2}", "{\"[email] 1\":1,\"[email] 2\":2}" },
    { "{\"arguments\":\"{\\\"to\\\":\\\"bob@example.com\\\"}\"}",
      "{\"arguments\":\"{\\\"to\\\":\\\"[email]\\\"}\"}" },
    { "{\"k\":\"-----BEGIN PRIVATE KEY-----\\nabc\\n-----END PRIVATE KEY-----\\n\"}",
      "{\"k\":\"[pem]\\n\"}" },
    /* cut off */
    { "{\"a\":\"bob@example.com and", "{\"a\":\"[email] and" },
    { "{\"a\":\"bob\\u0040example.com \\u00", "{\"a\":\"[email] \\u00" },
    { "{\"a\":\"bob\\u0040example.com \xC3", "{\"a\":\"[email] \xC3" },
    { "[\"bob\\u0040example.com\",tru", "[\"[email]\",tru" },
    /* no JSON */
    { "[Note] my card is 4242 4242 4242 4242", "[Note] my card is [card]" },
    { "078-05-1120", "[ssn]" },
    { "[078-05-1120", "[[ssn]" },
    { "{\"a\":\"eve@example.com\"} trailing bob@example.com", "{\"a\":\"[email]\"} trailing [email]" },
    { "--x\r\nname=\"a\"\r\n\r\nbob@example.com\r\n--x--", "--x\r\nname=\"a\"\r\n\r\n[email]\r\n--x--" },
};

static void test_bodies(void)
{
    apr_size_t i, found;
    ai_slice_t got;

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        got = sifted(all, ai_slice_of(bodies[i].body), 1, &found);
        is_bytes(got.p, got.n, bodies[i].want, strlen(bodies[i].want),
                 apr_psprintf(pool, "body %d", (int)i));
    }
}

static void test_kinds(void)
{
    static const char text[] = "bob@example.com 4242424242424242 192.0.2.1";
    static const char *const words[] = { "email", "card",  "iban",  "ssn", "ip",
                                         "phone", "key",   "token", "pem" };
    const ai_redact_t *some = ai_redact_make(pool, ai_redact_kind("Card") | ai_redact_kind("ip"));
    apr_size_t found, i;
    ai_slice_t got = sifted(some, ai_slice_of(text), 0, &found);

    is_bytes(got.p, got.n, "bob@example.com [card] [ip]", 27, "only the kinds that were asked for");
    is_number((long long)found, 2, "and they are counted");
    got = sifted(ai_redact_make(pool, ai_redact_kind("ip")), AI_SLICE("[4242424242424242]"), 1,
                 &found);
    is_bytes(got.p, got.n, "[4242424242424242]", 18, "a number stays where cards are not looked for");
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        ok(ai_redact_word((int)i) && strcmp(ai_redact_word((int)i), words[i]) == 0
               && ai_redact_kind(words[i]) == (ai_redact_kinds_t)1 << i,
           "%s", words[i]);
    }
    ok(!ai_redact_word((int)i) && !ai_redact_word(-1), "and no more");
    ok(!ai_redact_kind("") && !ai_redact_kind("mail"), "other words are no kinds");
}

/* "X" and digits. */
static int find_ticket(const void *baton, ai_slice_t text, apr_size_t from, apr_size_t *at,
                       apr_size_t *n)
{
    apr_size_t i;

    for (i = from; i < text.n; i++) {
        if (text.p[i] == *(const char *)baton) {
            *at = i;
            for (*n = 1; i + *n < text.n && apr_isdigit(text.p[i + *n]); ++*n) {
            }
            return 1;
        }
    }
    return 0;
}

static void test_own(void)
{
    const ai_redact_t *own = ai_redact_with(pool, all, "ticket", find_ticket, "X");
    apr_size_t found;
    ai_slice_t got;
    int i;

    own = ai_redact_with(pool, own, "why", find_ticket, "Y");
    got = sifted(own, AI_SLICE("X1 Y2 bob@example.com X34Y X@example.com 4242424242424242"), 0,
                 &found);
    is_bytes(got.p, got.n, "[ticket] [why] [email] [ticket][why] [ticket]@example.com [card]", 64,
             "kinds of the site's own, before ours where they begin first");
    got = sifted(own, AI_SLICE("{\"a\":\"X1\\u0059\"}"), 1, &found);
    is_bytes(got.p, got.n, "{\"a\":\"[ticket][why]\"}", 21, "in JSON, too");
    for (i = 2; own && i < AI_REDACT_OWN; i++) {
        own = ai_redact_with(pool, own, "more", find_ticket, "Z");
    }
    ok(own && !ai_redact_with(pool, own, "more", find_ticket, "Z"), "as many as there can be");
}

/* What would take long if any finder read on and on. Also prints how fast a usual text is. */
static void test_time(void)
{
    static const struct {
        const char *piece;
        const char *what;
    } rows[] = {
        { "The quick brown fox, 12 of them, jumps over the lazy dog; see chapter 3. ", "prose" },
        { "eyJ-", "what may begin a token" },
        { "sk-", "what may begin a key" },
        { "@", "signs" },
        { "a@b.", "what may be mail" },
        { "\"@", "quotes" },
        { "1 ", "digits" },
        { "1:", "groups" },
        { "+1 ", "telephones" },
        { "DE89 ", "accounts" },
        { "-----BEGIN ", "lines" },
        { "-----BEGIN PRIVATE KEY-----", "keys without an end" },
        { "\\u004", "escapes" },
        { "\xC3\xBC", "letters" },
    };
    apr_size_t i, found, n = 512 * 1024;
    char *text = malloc(n);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        apr_size_t piece = strlen(rows[i].piece), at;
        ai_buffer_t out = { NULL, 0, 0 };
        apr_time_t began;

        for (at = 0; at < n; at++) {
            text[at] = rows[i].piece[at % piece];
        }
        began = apr_time_now();
        found = 0;
        ai_redact_text(all, (ai_slice_t){ text, n }, &out, &found);
        began = apr_time_now() - began;
        ai_buffer_free(&out);
        ok(began < apr_time_from_sec(20), "half a megabyte of %s end in time", rows[i].what);
        printf("# %s: %.0f MB/s\n", rows[i].what, (double)n / (double)(began ? began : 1));
    }
    free(text);
}

int main(void)
{
    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return 1;
    }
    all = ai_redact_make(pool, AI_REDACT_ALL);
    test_texts();
    test_keys();
    test_bodies();
    test_kinds();
    test_own();
    test_time();
    apr_terminate();
    return done();
}
