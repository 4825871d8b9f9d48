/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_key_record.c - is each member read as it stands, each wrong record refused with the
 * member's name, and each key found in a long file?
 */
#include <apr_general.h>
#include <apr_strings.h>

#include "ai_key.h"
#include "tap.h"

static apr_pool_t *pool;

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEX2 "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
#define HEAD "\"id\":\"Kx7Qm2pL9aZt\",\"digest\":\"sha256:" HEX "\""

static int list_is(const apr_array_header_t *list, const char *joined)
{
    return list && strcmp(apr_array_pstrcat(pool, list, ' '), joined) == 0;
}

/* All members, in the order in which they are written. */
static const char whole[] =
    "{" HEAD ",\"next_digest\":\"sha256:" HEX2 "\",\"next_until\":\"2026-12-01T00:00:00Z\","
    "\"name\":\"Ann's \\\"laptop\\\"\",\"tenant\":\"acme/search/ann\",\"user\":\"ann@acme\","
    "\"tier\":\"gold\",\"models\":[\"gpt-*\",\"claude-?\"],\"models_denied\":[\"gpt-4*\"],"
    "\"endpoints\":[\"chat\",\"embeddings\"],\"sources\":[\"10.0.0.0/8\",\"2001:db8::/32\"],"
    "\"not_before\":\"2026-11-01T00:00:00Z\",\"expires\":\"2027-11-01T12:30:00Z\","
    "\"created\":\"2026-10-31T08:00:00Z\",\"disabled\":true,"
    "\"limits\":{\"requests\": 10},\"metadata\":{\"cost\":\"r-17\",\"empty\":\"\"}}";

static void test_whole(void)
{
    const char *wrong = NULL;
    const ai_key_t *k = ai_key_read(pool, ai_slice_of(whole), &wrong);
    ai_slice_t text, again;

    if (!ok(k && !wrong, "it is read: %s", wrong ? wrong : "")) {
        return;
    }
    ok(strcmp(k->id, "Kx7Qm2pL9aZt") == 0, "id");
    ok(k->digest[0] == 0 && k->digest[1] == 0x11 && k->digest[31] == 0xff, "digest");
    ok(k->has_next && k->next_digest[0] == 0xff && k->next_digest[31] == 0, "next_digest");
    is_number(apr_time_sec(k->next_until), 1796083200, "next_until");
    ok(strcmp(k->name, "Ann's \"laptop\"") == 0, "name");
    ok(strcmp(k->tenant, "acme/search/ann") == 0, "tenant");
    ok(strcmp(k->user, "ann@acme") == 0 && strcmp(k->tier, "gold") == 0, "user, tier");
    ok(list_is(k->models, "gpt-* claude-?") && list_is(k->models_denied, "gpt-4*"), "models");
    ok(list_is(k->endpoints, "chat embeddings"), "endpoints");
    ok(list_is(k->source_words, "10.0.0.0/8 2001:db8::/32") && k->sources->nelts == 2, "sources");
    ok(k->not_before && k->expires && k->created && k->disabled, "times, disabled");
    is_bytes(k->limits.p, k->limits.n, "{\"requests\": 10}", 16, "limits");
    is_bytes(k->metadata.p, k->metadata.n, "{\"cost\":\"r-17\",\"empty\":\"\"}", 26, "metadata");
    text = ai_key_write(pool, k);
    is_bytes(text.p, text.n, whole, sizeof(whole) - 1, "it is written as it was read");
    text = ai_key_show(pool, k);
    ok(!strstr(apr_pstrmemdup(pool, text.p, text.n), "digest"), "it is shown without digests");
    ok(ai_json_type(text) == AI_JSON_OBJECT && ai_json_get(text, "expires").p, "and with the rest");
    k = ai_key_read(pool, AI_SLICE("{" HEAD "}"), &wrong);
    ok(k && !k->has_next && !k->name && !k->tenant && !k->user && !k->tier && !k->models
       && !k->models_denied && !k->endpoints && !k->sources && !k->source_words && !k->not_before
       && !k->expires && !k->created && !k->disabled && !k->limits.p && !k->metadata.p,
       "what was not said is not there");
    text = ai_key_write(pool, k);
    is_bytes(text.p, text.n, "{" HEAD "}", sizeof("{" HEAD "}") - 1, "nor written");
    k = ai_key_read(pool, AI_SLICE("{" HEAD ",\"limits\":{\n\"a\":\r\n1}}"), &wrong);
    again = k ? ai_key_write(pool, k) : (ai_slice_t){ "\n", 1 };
    ok(!memchr(again.p, '\n', again.n) && !memchr(again.p, '\r', again.n),
       "a record is one line, whatever it was");
}

static const char *times(const char *text, int n)
{
    const char *all = "";

    while (n-- > 0) {
        all = apr_pstrcat(pool, all, text, NULL);
    }
    return all;
}

static void is_refused(const char *record, const char *want)
{
    const char *wrong = NULL;
    const ai_key_t *key = ai_key_read(pool, ai_slice_of(record), &wrong);
    int good = !key && wrong && strncmp(wrong, want, strlen(want)) == 0 && !strstr(wrong, HEX);

    if (!ok(good, "%.80s: %s", record, want)) {
        printf("# %s\n", key ? "it was read" : wrong);
    }
}

static void test_not_a_record(void)
{
    is_refused("", "byte 1: ");
    is_refused("[]", "must be an object");
    is_refused("null", "must be an object");
    is_refused("{" HEAD "} {}", "byte ");
    is_refused("{" HEAD ",}", "byte ");
    is_refused("{" HEAD ",\"tier\":\"a\",\"tier\":\"b\"}", "byte ");
    is_refused("{" HEAD ",\"limits\":{\"a\":[[[[[[[[1]]]]]]]]}}", "byte ");
    is_refused("{" HEAD ",\"expire\":\"2027-01-01\"}",
               "it has a member that is none of id, digest, next_digest, next_until, name, tenant,");
    is_refused("{" HEAD ",\"Expires\":\"2027-01-01\"}", "it has a member that is none of ");
    is_refused("{\"digest\":\"sha256:" HEX "\"}", "id: is required");
    is_refused("{\"id\":\"Kx7Qm2pL9aZt\"}", "digest: is required");
    is_refused("{" HEAD ",\"next_until\":\"2027-01-01\"}", "next_until: needs next_digest");
    is_refused(apr_pstrcat(pool, "{" HEAD ",\"limits\":{\"a\":\"", times("0123456789abcdef", 4096),
                           "\"}}", NULL), "it is longer than 65536 bytes");
}

/* Each member with the types and texts that it must not have. */
static void test_wrong_values(void)
{
    static const struct {
        const char *member;
        const char *want;
        const char *values[12];
    } rows[] = {
        { "name", "must be a string of 1 to 200 bytes",
          { "\"\"", "1", "null", "true", "[]", "{}", "\"a\\u0000b\"", "\"a\\nb\"", "\"\\u007f\"" } },
        { "user", "must be a string of 1 to 200 bytes", { "\"\"", "1", "null", "\"a\\tb\"" } },
        { "tenant", "must be names of 500 bytes at most, parted by '/'",
          { "\"\"", "\"/\"", "\"/a\"", "\"a/\"", "\"a//b\"", "\"a b\"", "\"a\\\"b\"", "\"a\\\\b\"",
            "7", "null", "[\"a\"]", "\"a\\nb\"" } },
        { "tier", "must be a word of 1 to 64 letters",
          { "\"\"", "\"a b\"", "\"a/b\"", "\"\\u00e4\"", "1", "null", "[]" } },
        { "models", "must be a list of 1 to 1000 names of models",
          { "[]", "\"gpt-4o\"", "null", "{}", "[1]", "[\"\"]", "[\"a b\"]", "[\"a\",null]",
            "[[\"a\"]]", "[\"a\\nb\"]" } },
        { "models_denied", "must be a list of 1 to 1000 names of models", { "[]", "\"a\"", "[1]" } },
        { "endpoints", "must be a list of 1 to 1000 of other, chat, ",
          { "[]", "\"chat\"", "[\"Chat\"]", "[\"talk\"]", "[1]", "null", "{}", "[\"chat\",\"\"]" } },
        { "sources", "must be a list of 1 to 1000 addresses",
          { "[]", "\"10.0.0.1\"", "[\"10.0.0\"]", "[\"10.0.0.0/33\"]", "[\"10.0.0.0/\"]",
            "[\"10.0.0.0/255.0.0.0\"]", "[\"localhost\"]", "[\"2001:db8::/129\"]",
            "[\"10.0.0.0/-1\"]", "[\"10.0.0.0/08\"]", "[\"fe80::1%eth0\"]", "[1]" } },
        { "sources", "must be a list of 1 to 1000 addresses",
          { "[\"10.0.0.256\"]", "[\"\"]", "null", "{}", "[\"10.0.0.1 \"]", "[\"10.0.0.0/8/8\"]",
            "[\"0.0.0.0/0\"]", "[\"::/0\"]", "[\"::ffff:10.0.0.1\"]" } },
        { "not_before", "must be a time as", { "\"\"", "\"soon\"", "1796083200", "null", "true" } },
        { "expires", "must be a time as",
          { "\"30d\"", "\"2026-02-30\"", "1796083200", "null", "\"2026-01-01T00:00:00\"", "[]" } },
        { "created", "must be a time as", { "\"today\"", "0" } },
        { "disabled", "must be true or false", { "\"true\"", "1", "0", "null", "[]", "{}" } },
        { "limits", "must be an object", { "[]", "1", "\"\"", "null", "true" } },
        { "metadata", "must be an object of at most 64 strings",
          { "[]", "null", "\"a\"", "{\"a\":1}", "{\"a\":null}", "{\"a\":{}}", "{\"\":\"a\"}",
            "{\"a\":\"\\n\"}", "{\"a\\n\":\"\"}", "{\"a\":\"\\u0000\"}" } },
        { "next_digest", "must be \"sha256:\" and 64 hexadecimal digits",
          { "null", "1", "\"\"", "\"" HEX "\"", "\"sha256:" HEX "0\"", "\"sha1:" HEX "\"",
            "\"sha256:g0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"",
            "\"sha256:00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff\"" } },
        { "next_until", "must be a time as", { "1", "\"x\"" } },
    };
    apr_size_t i, k;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (k = 0; k < 12 && rows[i].values[k]; k++) {
            is_refused(apr_pstrcat(pool, "{\"", rows[i].member, "\":", rows[i].values[k], "," HEAD
                                   "}", NULL),
                       apr_pstrcat(pool, rows[i].member, ": ", rows[i].want, NULL));
        }
    }
}

static void test_wrong_ids(void)
{
    static const char *const ids[] = { "\"\"", "\"short\"", "\"Kx7Qm2pL9aZtX\"", "\"Kx7Qm2pL9aZ-\"",
                                       "\"Kx7Qm2pL9aZ \"", "\"\\u00e4x7Qm2pL9a\"", "12", "null",
                                       "[]", "\"Kx7Qm2pL9aZ\\u0000\"" };
    apr_size_t i;

    for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        is_refused(apr_pstrcat(pool, "{\"id\":", ids[i], ",\"digest\":\"sha256:" HEX "\"}", NULL),
                   "id: must be 12 letters and digits");
    }
    is_refused("{\"id\":\"Kx7Qm2pL9aZt\",\"digest\":\"" HEX "\"}", "digest: must be \"sha256:\"");
    is_refused("{\"id\":\"Kx7Qm2pL9aZt\",\"digest\":7}", "digest: must be \"sha256:\"");
}

static void test_bounds(void)
{
    const char *wrong;

#define READS(text) ai_key_read(pool, ai_slice_of(apr_pstrcat(pool, "{" HEAD, text, "}", NULL)), &wrong)
    ok(READS(apr_pstrcat(pool, ",\"name\":\"", times("a", 200), "\"", NULL)) != NULL, "200 bytes");
    ok(READS(apr_pstrcat(pool, ",\"name\":\"", times("a", 201), "\"", NULL)) == NULL, "201 bytes");
    ok(READS(apr_pstrcat(pool, ",\"tenant\":\"", times("a/", 249), "a\"", NULL)) != NULL,
       "a tenant of any depth");
    ok(READS(apr_pstrcat(pool, ",\"tenant\":\"", times("a/", 250), "a\"", NULL)) == NULL,
       "within 500 bytes");
    ok(READS(apr_pstrcat(pool, ",\"tier\":\"", times("a", 65), "\"", NULL)) == NULL, "a long tier");
    ok(READS(apr_pstrcat(pool, ",\"models\":[", times("\"a\",", 999), "\"a\"]", NULL)) != NULL,
       "1000 models");
    ok(READS(apr_pstrcat(pool, ",\"models\":[", times("\"a\",", 1000), "\"a\"]", NULL)) == NULL,
       "1001 models");
    ok(READS(",\"sources\":[\"10.1.2.3/1\",\"10.1.2.3/32\",\"::1/1\",\"::1/128\"]") != NULL, "odd networks");
    ok(READS(",\"name\":\"\xc3\xa4\"") != NULL && READS(",\"name\":\"\xff\"") == NULL, "UTF-8 alone");
}

/* ------------------------------------------------------------------------------- the file */

static const ai_keys_t *read_file(const char *text, const char **wrong)
{
    *wrong = NULL;
    return ai_keys_read(pool, ai_slice_of(text), wrong);
}

#define LINE(id) "{\"id\":\"" id "\",\"digest\":\"sha256:" HEX "\"}"

static void test_file(void)
{
    const char *wrong;
    const ai_keys_t *keys = read_file("# keys\n\n" LINE("aaaaaaaaaaaa") "\r\n  \t\n"
                                      "#" LINE("cccccccccccc") "\n " LINE("bbbbbbbbbbbb"), &wrong);
    ai_slice_t line;

    ok(keys && !wrong && ai_keys_count(keys) == 2, "comments and empty lines are left out");
    ok(strcmp(ai_keys_at(keys, 0)->id, "aaaaaaaaaaaa") == 0
       && strcmp(ai_keys_at(keys, 1)->id, "bbbbbbbbbbbb") == 0, "in the order of the file");
    ok(ai_keys_find(keys, AI_SLICE("aaaaaaaaaaaa")) == ai_keys_at(keys, 0)
       && ai_keys_find(keys, AI_SLICE("bbbbbbbbbbbb")) == ai_keys_at(keys, 1), "both are found");
    ok(!ai_keys_find(keys, AI_SLICE("cccccccccccc")) && !ai_keys_find(keys, AI_SLICE(""))
       && !ai_keys_find(keys, AI_SLICE("aaaaaaaaaaaaa"))
       && !ai_keys_find(keys, (ai_slice_t){ NULL, 0 }), "others are not");
    line = ai_keys_line(keys, 1);
    is_bytes(line.p, line.n, " " LINE("bbbbbbbbbbbb"), sizeof(LINE("bbbbbbbbbbbb")), "its line");
    keys = read_file("", &wrong);
    ok(keys && ai_keys_count(keys) == 0 && !ai_keys_find(keys, AI_SLICE("aaaaaaaaaaaa")),
       "an empty file has no keys");
    ok(!read_file(LINE("aaaaaaaaaaaa") "\n\n" LINE("bbbbbbbbbbbb") "\n" LINE("aaaaaaaaaaaa"), &wrong)
       && strcmp(wrong, "line 4: id: line 1 has it already") == 0, "no id twice: %s", wrong);
    ok(!read_file("#\n" LINE("aaaaaaaaaaaa") "\n{" HEAD ",\"expires\":1}\n", &wrong)
       && strncmp(wrong, "line 3: expires: must be", 24) == 0, "what is wrong, where: %s", wrong);
    ok(!read_file(LINE("aaaaaaaaaaaa") "\n{\"id\":\"bbbb", &wrong)
       && strncmp(wrong, "line 2: byte 12: ", 17) == 0, "a file that was cut: %s", wrong);
    ok(!ai_keys_read(pool, (ai_slice_t){ "\0\0", 2 }, &wrong)
       && strncmp(wrong, "line 1: byte 1: ", 16) == 0, "NULs: %s", wrong);
    ok(!ai_keys_read(pool, (ai_slice_t){ "", (apr_size_t)AI_KEYS_SIZE + 1 }, &wrong)
       && strstr(wrong, "longer than"), "too long a file: %s", wrong);
}

#define MANY 200000

/* An id for a number: its digits in base 62, the last ones first or last. */
static void id_of(unsigned n, int at_end, char id[AI_KEY_ID])
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    int i;

    memset(id, '0', AI_KEY_ID);
    for (i = 0; n; i++, n /= 62) {
        id[at_end ? AI_KEY_ID - 1 - i : i] = digits[n % 62];
    }
}

static void test_many(int at_end)
{
    static const char form[] = "{\"id\":\"            \",\"digest\":\"sha256:" HEX "\"}\n";
    apr_size_t n = sizeof(form) - 1;
    char *text, id[AI_KEY_ID];
    const char *wrong = NULL;
    const ai_keys_t *keys;
    apr_pool_t *p;
    unsigned i, lost = 0, false_ones = 0;

    apr_pool_create(&p, pool);
    text = apr_palloc(p, n * MANY);
    for (i = 0; i < MANY; i++) {
        memcpy(text + n * i, form, n);
        id_of(i, at_end, text + n * i + 7);
    }
    keys = ai_keys_read(p, (ai_slice_t){ text, n * MANY }, &wrong);
    ok(keys && ai_keys_count(keys) == MANY, "%d keys are read", MANY);
    for (i = 0; keys && i < 2 * MANY; i++) {
        const ai_key_t *key;

        id_of(i, at_end, id);
        key = ai_keys_find(keys, (ai_slice_t){ id, AI_KEY_ID });
        lost += i < MANY && (key != ai_keys_at(keys, (int)i) || memcmp(key->id, id, AI_KEY_ID) != 0);
        false_ones += i >= MANY && key;
    }
    is_number(lost, 0, "each is found");
    is_number(false_ones, 0, "and no other");
    apr_pool_destroy(p);
}

/* One more than is allowed, which is told by counting lines, before anything is read. */
static void test_too_many(void)
{
    apr_size_t n = 2 * ((apr_size_t)AI_KEYS_MOST + 1), i;
    const char *wrong = NULL;
    apr_pool_t *p;
    char *text;

    apr_pool_create(&p, pool);
    text = apr_palloc(p, n);
    for (i = 0; i < n; i += 2) {
        memcpy(text + i, "x\n", 2);
    }
    ok(!ai_keys_read(p, (ai_slice_t){ text, n }, &wrong)
       && strcmp(wrong, "it has more than 1000000 keys") == 0, "too many keys: %s", wrong);
    apr_pool_destroy(p);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_whole();
    test_not_a_record();
    test_wrong_values();
    test_wrong_ids();
    test_bounds();
    test_file();
    test_many(0);
    test_many(1);
    test_too_many();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
