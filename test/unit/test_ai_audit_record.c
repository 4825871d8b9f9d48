/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_audit_record.c - is what was written of a call read again as the same, and is it one JSON
 * object, not too long, whatever stands in it?
 */
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "ai_audit_member.h"
#include "tap.h"

#define NOON (apr_time_from_sec(1795262592) + 123456) /* 2026-11-21T12:03:12.123456Z */

static apr_pool_t *pool;

/* ------------------------------------------------------------------------------- records */

static const ai_audit_attempt_t attempts[] = {
    { "openai", "gpt-4o", 503, "status", 1200 },
    { "azure", "gpt-4o-eu", 0, "connect", 0 },
    { "anthropic", "claude", 200, NULL, 345678 },
};
static const ai_audit_pair_t metadata[] = {
    { "team", "blue", AI_JSON_STRING },
    { "n", "-1.5e+3", AI_JSON_NUMBER },
    { "test", "true", AI_JSON_BOOL },
};
static const ai_audit_pair_t headers[] = { { "x-team", "a \"b\"", AI_JSON_STRING } };
static const ai_audit_pair_t notes[] = { { "ai-own", "x", AI_JSON_STRING } };
#define ROAD "[{\"stage\":\"plan\",\"decision\":\"route\",\"reason\":\"*\",\"us\":12}]"

static ai_audit_record_t full_record(void)
{
    ai_audit_record_t r;

    ai_audit_record_clear(&r);
    r.id = "0190163d-8694-739b-aea5-966c26f8ad91";
    r.time = NOON;
    r.node = "node-1";
    r.server = "ai.example.com";
    r.tenant = "acme/red";
    r.user = "ann";
    r.key = "f1Dget8pqLWo";
    r.tier = "gold";
    r.label = "team-blue";
    r.address = "2001:db8::1";
    r.method = "POST";
    r.path = "/v1/chat/completions";
    r.endpoint = "chat";
    r.dialect = "openai";
    r.model = "gpt-4o";
    r.stream = 1;
    r.reserved.prompt = 100;
    r.reserved.completion = 4096;
    r.served = "claude";
    r.route = "gpt-*";
    r.target = "anthropic";
    r.provider_id = "req_1";
    r.attempts.list = attempts;
    r.attempts.n = 3;
    r.cache = "miss";
    r.guard = "pii";
    r.limit = "tokens";
    r.status = 200;
    r.deny = "none";
    r.finish = "stop";
    r.dropped = "logit_bias,n";
    r.tokens.used = (ai_usage_t){ 10, 20, 3, 4, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9, AI_SERVICE_STANDARD };
    r.tokens.service = "batch";
    r.tokens.source = "reported";
    r.cost.nanousd = APR_INT64_C(123456789012);
    r.cost.price = "openai 2026-11-01";
    r.cost.saved = 0;
    r.us.head = 1;
    r.us.first = 2;
    r.us.upstream = 3;
    r.us.overhead = 4;
    r.us.total = 5;
    r.prompt = (ai_audit_body_t){ 1000, "ab", "redacted", 1, NULL };
    r.answer = (ai_audit_body_t){ 2000, "cd", "full", 2, "disk" };
    r.metadata = (ai_audit_pairs_t){ metadata, 3 };
    r.headers = (ai_audit_pairs_t){ headers, 1 };
    r.notes = (ai_audit_pairs_t){ notes, 1 };
    r.trace.id = "0af7651916cd43dd8448eb211c80319c";
    r.trace.span = "b7ad6b7169203331";
    r.trace.parent = "00f067aa0ba902b7";
    r.road = ROAD;
    return r;
}

static const char full_text[] =
    "{\"v\":1,\"id\":\"0190163d-8694-739b-aea5-966c26f8ad91\",\"time\":\"2026-11-21T12:03:12.123456Z\","
    "\"node\":\"node-1\",\"server\":\"ai.example.com\",\"tenant\":\"acme/red\",\"user\":\"ann\","
    "\"key\":\"f1Dget8pqLWo\",\"tier\":\"gold\",\"label\":\"team-blue\",\"address\":\"2001:db8::1\","
    "\"method\":\"POST\",\"path\":\"/v1/chat/completions\",\"endpoint\":\"chat\",\"dialect\":\"openai\","
    "\"model\":\"gpt-4o\",\"stream\":true,\"reserved\":{\"prompt\":100,\"completion\":4096},"
    "\"served\":\"claude\",\"route\":\"gpt-*\",\"target\":\"anthropic\",\"provider_id\":\"req_1\","
    "\"attempts\":[{\"target\":\"openai\",\"model\":\"gpt-4o\",\"status\":503,\"reason\":\"status\",\"us\":1200},"
    "{\"target\":\"azure\",\"model\":\"gpt-4o-eu\",\"status\":0,\"reason\":\"connect\",\"us\":0},"
    "{\"target\":\"anthropic\",\"model\":\"claude\",\"status\":200,\"us\":345678}],"
    "\"cache\":\"miss\",\"guard\":\"pii\",\"limit\":\"tokens\",\"status\":200,\"deny\":\"none\","
    "\"finish\":\"stop\",\"dropped\":\"logit_bias,n\","
    "\"tokens\":{\"prompt\":10,\"completion\":20,\"cached\":3,\"reasoning\":4,\"written\":5,\"written_1h\":1,"
    "\"prompt_audio\":2,\"prompt_image\":3,\"completion_audio\":4,\"completion_image\":5,\"searches\":6,\"seconds\":7,\"images\":8,\"characters\":9,\"service\":\"batch\",\"source\":\"reported\"},"
    "\"cost\":{\"nanousd\":123456789012,\"price\":\"openai 2026-11-01\",\"saved\":0},"
    "\"us\":{\"head\":1,\"first\":2,\"upstream\":3,\"overhead\":4,\"total\":5},"
    "\"prompt\":{\"bytes\":1000,\"sha256\":\"ab\",\"kept\":\"redacted\",\"parts\":1},"
    "\"answer\":{\"bytes\":2000,\"sha256\":\"cd\",\"kept\":\"full\",\"parts\":2,\"lost\":\"disk\"},"
    "\"metadata\":{\"team\":\"blue\",\"n\":-1.5e+3,\"test\":true},\"headers\":{\"x-team\":\"a \\\"b\\\"\"},"
    "\"notes\":{\"ai-own\":\"x\"},"
    "\"trace\":{\"id\":\"0af7651916cd43dd8448eb211c80319c\",\"span\":\"b7ad6b7169203331\",\"parent\":\"00f067aa0ba902b7\"},"
    "\"road\":[{\"stage\":\"plan\",\"decision\":\"route\",\"reason\":\"*\",\"us\":12}]}";

static void test_full(void)
{
    char json[AI_AUDIT_END_MAX], again[AI_AUDIT_END_MAX];
    ai_audit_record_t record = full_record(), read;
    const char *wrong = NULL;
    apr_size_t n = ai_audit_end_write(&record, json, sizeof(json)), m;

    is_bytes(json, n, full_text, sizeof(full_text) - 1, "an end has all that is known, in order");
    ok(ai_audit_record_read(pool, (ai_slice_t){ json, n }, &read, &wrong) == APR_SUCCESS && !wrong,
       "it is read again");
    m = ai_audit_end_write(&read, again, sizeof(again));
    is_bytes(again, m, json, n, "and written again as the same");
    is_number(read.time, NOON, "the time, to the microsecond");
    is_number(read.attempts.list[2].us, 345678, "an attempt");
    ok(read.road && strcmp(read.road, ROAD) == 0, "the road, as it was");
    ok(read.metadata.list[1].type == AI_JSON_NUMBER && read.metadata.list[2].type == AI_JSON_BOOL,
       "metadata keeps its types");
    n = ai_audit_begin_write(&record, json, sizeof(json));
    ok(ai_audit_record_read(pool, (ai_slice_t){ json, n }, &read, &wrong) == APR_SUCCESS,
       "a begin is read");
    ok(read.status == AI_AUDIT_UNKNOWN && !read.attempts.n && !read.served && !read.notes.n
           && read.us.total == AI_AUDIT_UNKNOWN && !read.road && read.answer.bytes < 0
           && read.tokens.used.prompt < 0,
       "it says nothing of the answer");
    ok(read.reserved.completion == 4096 && read.metadata.n == 3 && read.headers.n == 1
           && read.trace.id && read.prompt.bytes == 1000 && read.stream,
       "but what the call may take, and who wants it");
}

static void test_empty(void)
{
    static const char want[] = "{\"v\":1,\"id\":\"x\",\"time\":\"1970-01-01T00:00:00.000001Z\"}";
    char json[AI_AUDIT_END_MAX];
    ai_audit_record_t record;

    ai_audit_record_clear(&record);
    record.id = "x";
    record.time = 1;
    is_bytes(json, ai_audit_end_write(&record, json, sizeof(json)), want, sizeof(want) - 1,
             "what is not known is left out");
}

/* ---------------------------------------------------------------------------------- limits */

/* A text of n bytes that JSON makes as long as it can. */
static const char *nasty(apr_size_t n, unsigned seed)
{
    static const char *const bits[] = { "\x01", "\"", "\\", "\xff", "\xc3", "\xf0\x9f\x98\x80",
                                        "\xed\xa0\x80", "a", "\x7f", "\xe2\x80" };
    char *text = apr_palloc(pool, n + 8);
    apr_size_t at = 0;

    while (at < n) {
        const char *bit = seed ? bits[(seed = seed * 1103515245 + 12345) / 65536 % 10] : "\x01";

        memcpy(text + at, bit, strlen(bit));
        at += strlen(bit);
    }
    text[at] = '\0';
    return text;
}

/* All texts of a struct and below it are nasty, all numbers as long as they get. */
static void fill(void *base, const ai_audit_shape_t *shape, apr_size_t n, unsigned seed, int lists)
{
    int i, k;

    for (i = 0; i < shape->n; i++) {
        const ai_audit_member_t *member = &shape->members[i];
        void *at = ai_audit_at(base, member);
        ai_audit_list_t list = { NULL, lists };
        ai_audit_pair_t *pairs;
        char *text;

        switch (member->kind) {
        case AI_AUDIT_TEXT:
            *(const char **)at = nasty(n, seed ? seed + (unsigned)i : 0);
            break;
        case AI_AUDIT_JSON:
            text = apr_palloc(pool, 8193);
            memset(text, ' ', 8192);
            text[0] = '[';
            text[8191] = ']';
            text[8192] = '\0';
            *(const char **)at = text;
            break;
        case AI_AUDIT_COUNT:
            *(apr_int64_t *)at = APR_INT64_MAX;
            break;
        case AI_AUDIT_TRUE:
            *(int *)at = 1;
            break;
        case AI_AUDIT_OBJECT:
            fill(at, member->of, n, seed, lists);
            break;
        case AI_AUDIT_LIST:
            list.list = apr_pcalloc(pool, (apr_size_t)lists * member->of->size);
            for (k = 0; k < lists; k++) {
                fill((char *)list.list + (apr_size_t)k * member->of->size, member->of, n, seed, 0);
            }
            memcpy(at, &list, sizeof(list));
            break;
        case AI_AUDIT_PAIRS:
            pairs = apr_pcalloc(pool, (apr_size_t)lists * sizeof(*pairs));
            for (k = 0; k < lists; k++) {
                pairs[k].name = apr_psprintf(pool, "%d%s", k / 2, nasty(n, seed));
                pairs[k].value = nasty(n, seed);
                pairs[k].type = AI_JSON_NUMBER; /* which it is not */
            }
            list.list = (const char *)pairs;
            memcpy(at, &list, sizeof(list));
            break;
        default:
            break;
        }
    }
}

/* 1 when it is an object that is read, and written again as the same. */
static int holds(const char *json, apr_size_t n, apr_size_t most)
{
    char again[AI_AUDIT_MOST];
    const char *wrong = NULL;
    ai_audit_record_t read;
    apr_size_t m;

    if (n > most || ai_audit_record_read(pool, (ai_slice_t){ json, n }, &read, &wrong)) {
        printf("# %lu bytes, %s: %.*s\n", (unsigned long)n, wrong, (int)n, json);
        return 0;
    }
    /* What was cut once is cut no more, but for the mark itself. */
    m = ai_audit_end_write(&read, again, sizeof(again));
    return m <= AI_AUDIT_MOST && (read.cut || m >= n);
}

static void test_limits(void)
{
    static const apr_size_t lengths[] = { 0, 1, 15, 16, 17, 31, 32, 63, 64, 65, 128, 255, 256, 257,
                                          767, 768, 3000 };
    char json[AI_AUDIT_END_MAX];
    ai_audit_record_t record;
    apr_size_t i, n, longest = 0, size;
    int bad = 0, cut = 0, lists;
    unsigned seed;

    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (seed = 0; seed < 6; seed++) {
            for (lists = 0; lists <= 60; lists += 15) {
                ai_audit_record_clear(&record);
                fill(&record, &ai_audit_record_shape, lengths[i], seed, lists);
                record.time = NOON;
                n = ai_audit_begin_write(&record, json, AI_AUDIT_BEGIN_MAX);
                bad += !holds(json, n, AI_AUDIT_BEGIN_MAX);
                n = ai_audit_end_write(&record, json, sizeof(json));
                bad += !holds(json, n, sizeof(json));
                longest = n > longest ? n : longest;
                cut += n > 20 && strstr(apr_pstrmemdup(pool, json, n), "\"cut\":\"") != NULL;
                apr_pool_clear(pool);
            }
        }
    }
    is_number(bad, 0, "whatever stands in a record, it is one object and not too long");
    ok(cut > 0, "some were too long");
    printf("# the longest end has %lu bytes\n", (unsigned long)longest);
    ok(longest < AI_AUDIT_END_MAX - 128, "and none was near the end of its room");
    for (bad = 0, size = 512; size <= sizeof(json); size += 61) {
        ai_audit_record_clear(&record);
        fill(&record, &ai_audit_record_shape, 60, 1, 30);
        record.id = "x";
        record.time = NOON;
        n = ai_audit_end_write(&record, json, size);
        bad += !holds(json, n, size);
        apr_pool_clear(pool);
    }
    is_number(bad, 0, "nor is it where there is little room");
}

static void test_cut(void)
{
    char json[AI_AUDIT_END_MAX];
    ai_audit_attempt_t many[200];
    ai_audit_record_t record, read;
    const char *wrong = NULL;
    apr_size_t n;
    int i;

    ai_audit_record_clear(&record);
    record.id = "x";
    record.time = NOON;
    record.model = nasty(10, 0);
    record.user = "";
    for (i = 0; i < 200; i++) {
        many[i] = (ai_audit_attempt_t){ "target", "model", i, i == 199 ? NULL : "status", 1 };
    }
    record.attempts.list = many;
    record.attempts.n = 200;
    record.tenant = apr_pstrcat(pool, nasty(240, 7), "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", NULL);
    memset((char *)record.tenant, 'x', 253);
    n = ai_audit_end_write(&record, json, sizeof(json));
    ok(ai_audit_record_read(pool, (ai_slice_t){ json, n }, &read, &wrong) == APR_SUCCESS,
       "a record with a long list is read");
    ok(read.cut && strcmp(read.cut, "attempts") == 0, "it says which list is not whole");
    ok(read.attempts.n > 10 && read.attempts.list[0].status == 0
           && read.attempts.list[read.attempts.n - 1].status == 199
           && read.attempts.list[read.attempts.n - 2].status == read.attempts.n - 2,
       "the first ones are there, and the last");
    ok(strcmp(read.model, record.model) == 0, "control characters are as they were");
    ok(read.user && !*read.user, "an empty text is not none");
    ok(strlen(read.tenant) <= 256 + 3
           && strcmp(read.tenant + strlen(read.tenant) - 3, "\xe2\x80\xa6") == 0,
       "a text that is too long ends with U+2026");
}

/* ---------------------------------------------------------------------------------- reading */

static void test_wrong(void)
{
    static const char *const wrong_ones[] = {
        "", "x", "[]", "1", "null", "{}", "{\"v\":1,\"id\":\"x\"}",
        "{\"v\":2,\"id\":\"x\",\"time\":\"2026-11-21T12:03:12.123456Z\"}",
        "{\"v\":1,\"time\":\"2026-11-21T12:03:12.123456Z\"}",
        "{\"id\":\"x\",\"time\":\"2026-11-21T12:03:12.123456Z\"}",
        "{\"v\":1,\"id\":\"x\",\"time\":\"2026-11-21T12:03:12Z\"}",
        "{\"v\":1,\"id\":\"x\",\"time\":\"2026-11-21T12:03:12.12345xZ\"}",
        "{\"v\":1,\"id\":\"x\",\"time\":\"2026-13-21T12:03:12.123456Z\"}",
        "{\"v\":1,\"id\":\"x\",\"time\":5}", "{\"v\":1,\"id\":5,\"time\":\"2026-11-21T12:03:12.123456Z\"}",
    };
    static const char *const wrong_members[] = {
        "\"user\":5", "\"user\":null", "\"user\":\"a\\u0000b\"", "\"status\":\"200\"", "\"status\":-1",
        "\"status\":2.5", "\"status\":99999999999999999999", "\"stream\":1", "\"tokens\":[]",
        "\"tokens\":{\"prompt\":-1}", "\"attempts\":{}", "\"attempts\":[1]", "\"attempts\":[{\"us\":\"x\"}]",
        "\"metadata\":[]", "\"metadata\":{\"a\":null}", "\"metadata\":{\"a\":{}}", "\"headers\":\"x\"",
        "\"user\":\"a\",\"user\":\"b\"", "\"cut\":5", "\"road\":{}",
    };
    static const char head[] = "{\"v\":1,\"id\":\"x\",\"time\":\"2026-11-21T12:03:12.123456Z\",";
    ai_audit_record_t record;
    const char *wrong;
    char *longer;
    apr_size_t i;

    for (i = 0; i < sizeof(wrong_ones) / sizeof(wrong_ones[0]); i++) {
        wrong = NULL;
        ok(ai_audit_record_read(pool, ai_slice_of(wrong_ones[i]), &record, &wrong) == APR_EINVAL
               && wrong, "no record: %s: %s", wrong_ones[i], wrong ? wrong : "read");
    }
    for (i = 0; i < sizeof(wrong_members) / sizeof(wrong_members[0]); i++) {
        wrong = NULL;
        ok(ai_audit_record_read(pool, ai_slice_of(apr_pstrcat(pool, head, wrong_members[i], "}", NULL)),
                                &record, &wrong) == APR_EINVAL && wrong,
           "no member of a record: %s: %s", wrong_members[i], wrong ? wrong : "read");
    }
    ok(ai_audit_record_read(pool, ai_slice_of(apr_pstrcat(pool, head, "\"later\":[{\"x\":null}]}", NULL)),
                            &record, &wrong) == APR_SUCCESS, "what is not known is passed over");
    longer = apr_palloc(pool, AI_AUDIT_MOST + 2);
    memset(longer, ' ', AI_AUDIT_MOST + 1);
    memcpy(longer, head, sizeof(head) - 2);
    longer[sizeof(head) - 2] = '}';
    ok(ai_audit_record_read(pool, (ai_slice_t){ longer, AI_AUDIT_MOST }, &record, &wrong)
           == APR_SUCCESS, "so long a record is read");
    ok(ai_audit_record_read(pool, (ai_slice_t){ longer, AI_AUDIT_MOST + 1 }, &record, &wrong)
           == APR_EINVAL, "a longer one is not");
}

/* --------------------------------------------------------------------------- pairs, time, id */

static void test_pairs(void)
{
    static const ai_audit_pair_t odd[] = {
        { "a", "1", AI_JSON_NUMBER }, { "a", "2", AI_JSON_NUMBER }, { "b", "01", AI_JSON_NUMBER },
        { "c", "0", AI_JSON_NUMBER }, { "d", "-0.5E-7", AI_JSON_NUMBER }, { "e", "1.", AI_JSON_NUMBER },
        { "f", "1e", AI_JSON_NUMBER }, { "g", "", AI_JSON_NUMBER }, { "h", "True", AI_JSON_BOOL },
        { "i", "false", AI_JSON_BOOL }, { "j", NULL, AI_JSON_STRING }, { NULL, "x", AI_JSON_STRING },
        { "k", "[1]", AI_JSON_ARRAY }, { "l", "-", AI_JSON_NUMBER }, { "\xff", "1", AI_JSON_STRING },
        { "\xfe", "2", AI_JSON_STRING },
    };
    static const char want[] =
        "{\"v\":1,\"id\":\"x\",\"time\":\"2026-11-21T12:03:12.123456Z\",\"metadata\":{\"a\":1,\"b\":\"01\","
        "\"c\":0,\"d\":-0.5E-7,\"e\":\"1.\",\"f\":\"1e\",\"g\":\"\",\"h\":\"True\",\"i\":false,\"k\":\"[1]\","
        "\"l\":\"-\",\"\xef\xbf\xbd\":\"1\"}}";
    char json[AI_AUDIT_END_MAX];
    ai_audit_record_t record;

    ai_audit_record_clear(&record);
    record.id = "x";
    record.time = NOON;
    record.metadata = (ai_audit_pairs_t){ odd, (int)(sizeof(odd) / sizeof(odd[0])) };
    is_bytes(json, ai_audit_end_write(&record, json, sizeof(json)), want, sizeof(want) - 1,
             "a name stands there once, and what is no number is text");
}

/* Days that a calendar is likely to get wrong; what APR makes of them is compared. */
static void test_time(void)
{
    static const apr_int64_t days[] = { 0, 58, 59, 60, 364, 365, 789, 790, 10956, 11015, 11016, 11017,
                                        11322, 19782, 19783, 20513, 20778, 47540, 47541, 84064, 2932895 };
    char json[AI_AUDIT_END_MAX], want[64];
    ai_audit_record_t record, read;
    apr_time_exp_t parts;
    const char *wrong;
    apr_size_t i, n;
    int bad = 0;

    for (i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
        ai_audit_record_clear(&record);
        record.id = "x";
        record.time = apr_time_from_sec(days[i] * 86400 + 86399) + 999999;
        apr_time_exp_gmt(&parts, record.time);
        snprintf(want, sizeof(want), "\"time\":\"%04d-%02d-%02dT23:59:59.999999Z\"}",
                 parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
        n = ai_audit_end_write(&record, json, sizeof(json));
        json[n] = '\0';
        bad += !strstr(json, want);
        bad += ai_audit_record_read(pool, (ai_slice_t){ json, n }, &read, &wrong) != APR_SUCCESS
               || read.time != record.time;
    }
    is_number(bad, 0, "days are those of the calendar");
}

static void test_id(void)
{
    char text[AI_UUID_TEXT + 1];
    ai_uuid_t id, other;

    ok(ai_audit_call_id("0190163d-8694-739b-aea5-966c26f8ad91", &id), "a UUID");
    ai_uuid_text(&id, text);
    is_bytes(text, 36, "0190163d-8694-739b-aea5-966c26f8ad91", 36, "is the call's id as it is");
    /* printf 'Z0tRcX8AAQEAAD3LhcsAAAAB' | sha256sum */
    ok(ai_audit_call_id("Z0tRcX8AAQEAAD3LhcsAAAAB", &id), "any other text");
    ai_uuid_text(&id, text);
    ok(text[14] == '8' && strchr("89ab", text[19]), "gives a UUID of version 8: %s", text);
    ok(ai_audit_call_id("Z0tRcX8AAQEAAD3LhcsAAAAB", &other)
           && memcmp(&id, &other, sizeof(id)) == 0, "the same each time");
    ok(ai_audit_call_id("Z0tRcX8AAQEAAD3LhcsAAAAC", &other)
           && memcmp(&id, &other, sizeof(id)) != 0, "and another one for another text");
}

static void test_note(void)
{
    static const char want[] =
        "{\"v\":1,\"id\":\"x\",\"time\":\"2026-11-21T12:03:12.123456Z\",\"tenant\":\"acme\",\"feedback\":-1,"
        "\"score\":7,\"comment\":\"no\\u000a\"}";
    ai_audit_note_t note, read;
    char json[AI_AUDIT_NOTE_MAX];
    const char *wrong;
    apr_size_t n;

    ai_audit_note_clear(&note);
    note.id = "x";
    note.time = NOON;
    note.tenant = "acme";
    note.has_feedback = 1;
    note.feedback = -1;
    note.score = 7;
    note.comment = "no\n";
    n = ai_audit_note_write(&note, json, sizeof(json));
    is_bytes(json, n, want, sizeof(want) - 1, "a note");
    ok(ai_audit_note_read(pool, (ai_slice_t){ json, n }, &read, &wrong) == APR_SUCCESS
           && read.has_feedback && read.feedback == -1 && read.score == 7
           && strcmp(read.comment, "no\n") == 0, "is read again");
    ok(ai_audit_note_read(pool, AI_SLICE("{\"v\":1,\"id\":\"x\",\"time\":\"2026-11-21T12:03:12.123456Z\","
                                         "\"feedback\":2}"), &read, &wrong) == APR_EINVAL,
       "but not with another feedback than there is");
    note.comment = nasty(3000, 0);
    note.id = note.user = note.key = note.tenant = nasty(300, 0);
    n = ai_audit_note_write(&note, json, sizeof(json));
    ok(n <= sizeof(json) && ai_audit_note_read(pool, (ai_slice_t){ json, n }, &read, &wrong)
           == APR_SUCCESS && read.comment, "nor too long");
}

int main(void)
{
    apr_pool_t *root;

    apr_initialize();
    apr_pool_create(&root, NULL);
    apr_pool_create(&pool, root);
    test_full();
    test_empty();
    test_limits();
    test_cut();
    test_wrong();
    test_pairs();
    test_time();
    test_id();
    test_note();
    apr_terminate();
    return done();
}
