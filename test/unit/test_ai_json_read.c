/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_json_read.c - are values found and read right, also in bytes that nobody checked?
 */
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "ai_json.h"
#include "tap.h"

static apr_pool_t *pool;

#define T(literal) literal, sizeof(literal) - 1

static void test_types(void)
{
    static const struct {
        const char *text;
        ai_json_type_e type;
    } rows[] = {
        { "null", AI_JSON_NULL }, { "true", AI_JSON_BOOL }, { "false", AI_JSON_BOOL },
        { "-1", AI_JSON_NUMBER }, { "0", AI_JSON_NUMBER }, { "9", AI_JSON_NUMBER },
        { "\"a\"", AI_JSON_STRING }, { "[]", AI_JSON_ARRAY }, { "{}", AI_JSON_OBJECT },
        { "", AI_JSON_NONE }, { NULL, AI_JSON_NONE }, { "x", AI_JSON_NONE }, { "+1", AI_JSON_NONE },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ok(ai_json_type(ai_slice_of(rows[i].text)) == rows[i].type, "type of %s",
           rows[i].text ? rows[i].text : "nothing");
    }
}

/* What a walk finds, written as key=value; with the last result: 0, or -1 where it broke off. */
static char *walked(const char *text, apr_size_t n)
{
    char *copy = malloc(n ? n : 1), *out = apr_pstrdup(pool, "");
    ai_json_member_t member;
    ai_json_walk_t walk;
    int more;

    memcpy(copy, text, n);
    if (!ai_json_walk(&walk, (ai_slice_t){ copy, n })) {
        more = ai_json_next(&walk, &member);
        free(copy);
        return apr_psprintf(pool, "none %d", more);
    }
    while ((more = ai_json_next(&walk, &member)) > 0) {
        out = apr_pstrcat(pool, out, member.key.p ? apr_pstrmemdup(pool, member.key.p, member.key.n)
                                                  : "",
                          "=", apr_pstrmemdup(pool, member.value.p, member.value.n), ";", NULL);
    }
    if (ai_json_next(&walk, &member) != more || member.value.p) {
        more = 99; /* the end must stay the end */
    }
    free(copy);
    return apr_psprintf(pool, "%s%d", out, more);
}

static void test_walks(void)
{
    static const struct {
        const char *text;
        apr_size_t n;
        const char *want;
        const char *what;
    } rows[] = {
        { T("{}"), "0", "an empty object" },
        { T(" [ ] "), "0", "an empty array in white space" },
        { T("[1,\"a\",[2,3],{\"b\":4},null]"), "=1;=\"a\";=[2,3];={\"b\":4};=null;0", "elements" },
        { T("{ \"a\" : 1 , \"b\\\"\" : \"]}\\\"\" }"), "a=1;b\\\"=\"]}\\\"\";0", "members" },
        { T("{\"a\":[\"}\",{\"x\":\"]\"}]}"), "a=[\"}\",{\"x\":\"]\"}];0", "brackets in strings" },
        { T("1"), "none -1", "a number is not walked" },
        { T(""), "none -1", "nothing is not walked" },
        { T("  "), "none -1", "white space is not walked" },
        { T("\"[]\""), "none -1", "a string is not walked" },
        { T("{"), "-1", "a cut object" },
        { T("["), "-1", "a cut array" },
        { T("[1"), "=1;-1", "a cut array behind an element" },
        { T("[1,"), "=1;-1", "a cut array behind a comma" },
        { T("[1,]"), "=1;-1", "a trailing comma" },
        { T("[1 2]"), "=1;-1", "no comma" },
        { T("[,1]"), "-1", "a leading comma" },
        { T("{\"a\":1,}"), "a=1;-1", "a trailing comma in an object" },
        { T("{\"a\"}"), "-1", "no colon" },
        { T("{\"a\":}"), "-1", "no value" },
        { T("{\"a\":\"x"), "-1", "a cut string" },
        { T("{\"a\":\"x\\"), "-1", "a string cut in an escape" },
        { T("{\"a\":\"x\\\"}"), "-1", "a string that an escape keeps open" },
        { T("{\"a"), "-1", "a cut key" },
        { T("{a:1}"), "-1", "a bare key" },
        { T("{\"a\":{\"b\":[1}}"), "-1", "brackets that do not match" },
        { T("[[1}"), "-1", "an array closed as an object" },
        { T("{\"a\":1]"), "a=1;-1", "an object closed as an array" },
        { T("[1:2]"), "=1;-1", "a colon in an array" },
        { T("[1\"a\"]"), "=1;-1", "a string behind a number" },
    };
    const char *whole = "{\"a\":[1,{\"b\":\"c\\\"\"}],\"d\":{\"e\":null}}";
    char *deep;
    apr_size_t i, n;
    int broke = 1;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = walked(rows[i].text, rows[i].n);

        is_bytes(got, strlen(got), rows[i].want, strlen(rows[i].want), rows[i].what);
    }
    for (n = 0; n < strlen(whole); n++) {
        const char *got = walked(whole, n);

        broke &= strcmp(got + strlen(got) - 2, "-1") == 0;
    }
    ok(broke, "a walk over every beginning breaks off");
    deep = apr_palloc(pool, 1000);
    memset(deep, '[', 129);
    memset(deep + 129, ']', 129);
    ok(strcmp(walked(deep, 258) + 258 - 2 + 1, ";0") == 0, "128 levels below one are walked over");
    memset(deep, '[', 130);
    memset(deep + 130, ']', 130);
    ok(strcmp(walked(deep, 260), "-1") == 0, "not 129");
}

static void test_get(void)
{
    static const char text[] = "{\"a\":1,\"m\\u006fdel\":\"x\",\"n\\u0000\":2,\"Usage\":{\"t\":3}}";
    ai_slice_t object = AI_SLICE(text), got;
    ai_json_error_t err;
    ai_json_doc_t doc;

    ai_json_parse(pool, object, AI_JSON_DEPTH, &doc, &err);
    ok(ai_slice_is(ai_json_get(object, "a"), "1"), "get by name");
    ok(ai_slice_is(ai_json_doc_get(&doc, "a"), "1"), "get by name from a checked text");
    ok(ai_slice_is(ai_json_get(object, "model"), "\"x\""), "get by an escaped name");
    ok(ai_slice_is(ai_json_doc_get(&doc, "model"), "\"x\""), "the same from a checked text");
    got = ai_json_get(object, "n");
    ok(!got.p, "a NUL does not end a key");
    got = ai_json_doc_get(&doc, "usage");
    ok(!got.p, "names are told apart by case");
    got = ai_json_get(ai_json_get(object, "Usage"), "t");
    ok(ai_slice_is(got, "3"), "get in a member");
    got = ai_json_get(ai_json_get(object, "none"), "t");
    ok(!got.p, "get in what is not there");
    got = ai_json_get(AI_SLICE("[\"a\",1]"), "a");
    ok(!got.p, "get in an array");
    got = ai_json_get(AI_SLICE("{\"b\":[1}, \"a\":1}"), "a");
    ok(!got.p, "get behind broken brackets");
    ok(ai_slice_is(ai_json_get(AI_SLICE("{\"a\":1,\"a\":2}"), "a"), "1"), "the first one counts");
}

static void test_names(void)
{
    static const struct {
        const char *key;
        apr_size_t n;
        const char *name;
        int is;
        int folds;
    } rows[] = {
        { T("model"), "model", 1, 1 },
        { T("Model"), "model", 0, 1 },
        { T("model"), "MODEL", 0, 1 },
        { T("mod\\u0065l"), "model", 1, 1 },
        { T("\\u004dodel"), "model", 0, 1 },
        { T("models"), "model", 0, 0 },
        { T("mode"), "model", 0, 0 },
        { T(""), "", 1, 1 },
        { T(""), "a", 0, 0 },
        { T("a\\u0000"), "a", 0, 0 },
        { T("a\\t"), "a\t", 1, 1 },
        { T("\\ud83d\\ude00"), "\xF0\x9F\x98\x80", 1, 1 },
        { T("\xC3\xA9"), "\\u00e9", 0, 0 },
        { T("\\u00e9"), "\xC3\xA9", 1, 1 },
        { T("\\u00c9"), "\xC3\xA9", 0, 0 },
        { T("\\u212a"), "k", 0, 0 }, /* the Kelvin sign */
        { T("[a]"), "{a}", 0, 0 },
        { T("@"), "`", 0, 0 },
        { T("a\\"), "a", 0, 0 },
        { T("a\"b"), "a", 0, 0 },
        { T("a\\ud800"), "a", 0, 0 },
    };
    ai_slice_t none = { NULL, 0 };
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ai_slice_t key = { rows[i].key, rows[i].n };
        ai_slice_t value = { apr_psprintf(pool, "\"%s\"", rows[i].key), rows[i].n + 2 };

        ok(ai_json_key_is(key, rows[i].name) == rows[i].is, "key %s is %s%s", rows[i].key,
           rows[i].is ? "" : "not ", rows[i].name);
        ok(ai_json_key_folds(key, rows[i].name) == rows[i].folds, "key %s %s %s", rows[i].key,
           rows[i].folds ? "folds to" : "does not fold to", rows[i].name);
        ok(ai_json_string_is(value, rows[i].name) == rows[i].is, "string %s is %s%s", value.p,
           rows[i].is ? "" : "not ", rows[i].name);
    }
    ok(!ai_json_key_is(none, ""), "an absent key is not the empty one");
    ok(!ai_json_string_is(none, ""), "an absent string is not the empty one");
    ok(!ai_json_string_is(AI_SLICE("\""), ""), "one quote is no string");
    ok(!ai_json_string_is(AI_SLICE("abc"), "b"), "a string needs its quotes");
}

static void test_strings(void)
{
    static const struct {
        const char *text;
        apr_size_t n;
        const char *want; /* NULL: refused */
        apr_size_t n_want;
    } rows[] = {
        { T("\"\""), T("") },
        { T("\"abc\""), T("abc") },
        { T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), T("\"\\/\b\f\n\r\t") },
        { T("\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00z\""),
          T("A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z") },
        { T("\"a\\u0000b\""), T("a\0b") },
        { T("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\""),
          T("\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF") },
        { T("\"\\ud800\\udc00\\udbff\\udfff\""), T("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF") },
        { T(""), NULL, 0 }, { T("\""), NULL, 0 }, { T("1"), NULL, 0 }, { T("null"), NULL, 0 },
        { T("\"a"), NULL, 0 }, { T("\"a\\\""), NULL, 0 }, { T("\"a\"b\""), NULL, 0 },
        { T("\"a\" "), NULL, 0 }, { T("\"\n\""), NULL, 0 }, { T("\"\xFF\""), NULL, 0 },
        { T("\"\\ud800\""), NULL, 0 }, { T("\"\\x\""), NULL, 0 }, { T("'a'"), NULL, 0 },
    };
    const char *text = "unset";
    apr_size_t i, len = 7;
    apr_status_t rv;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rv = ai_json_string(pool, (ai_slice_t){ rows[i].text, rows[i].n }, &text, &len);
        if (!rows[i].want) {
            ok(rv == APR_EINVAL && !text && len == 0, "no string: %s", rows[i].text);
        }
        else if (ok(rv == APR_SUCCESS, "a string: %s", rows[i].text)) {
            is_bytes(text, len + 1, rows[i].want, rows[i].n_want + 1, "decoded, and a NUL behind");
        }
    }
    ok(ai_json_string(pool, AI_SLICE("\"a\\u0000\""), &text, NULL) == APR_EINVAL && !text,
       "without a length a string with a NUL is refused");
    ok(ai_json_string(pool, AI_SLICE("\"ab\""), &text, NULL) == APR_SUCCESS
       && strcmp(text, "ab") == 0, "and another is not");
    ok(ai_json_string(pool, (ai_slice_t){ NULL, 0 }, &text, &len) == APR_EINVAL, "nothing");
}

static void test_integers(void)
{
    static const struct {
        const char *text;
        apr_status_t rv;
        apr_int64_t want;
    } rows[] = {
        { "0", APR_SUCCESS, 0 }, { "-0", APR_SUCCESS, 0 }, { "7", APR_SUCCESS, 7 },
        { "-7", APR_SUCCESS, -7 }, { "100", APR_SUCCESS, 100 }, { "3.0", APR_SUCCESS, 3 },
        { "3e2", APR_SUCCESS, 300 }, { "3E+2", APR_SUCCESS, 300 }, { "30e-1", APR_SUCCESS, 3 },
        { "1.50e1", APR_SUCCESS, 15 }, { "0.003e3", APR_SUCCESS, 3 }, { "-1.0", APR_SUCCESS, -1 },
        { "0.000", APR_SUCCESS, 0 }, { "0e999999999999", APR_SUCCESS, 0 },
        { "0e-999999999999", APR_SUCCESS, 0 },
        { "9223372036854775807", APR_SUCCESS, APR_INT64_MAX },
        { "-9223372036854775808", APR_SUCCESS, APR_INT64_MIN },
        { "9223372036854775807.000", APR_SUCCESS, APR_INT64_MAX },
        { "9223372036854775808", APR_ERANGE, 0 }, { "-9223372036854775809", APR_ERANGE, 0 },
        { "18446744073709551616", APR_ERANGE, 0 }, { "18446744073709551617", APR_ERANGE, 0 },
        { "99999999999999999999999999999999999999", APR_ERANGE, 0 },
        { "922337203685477580700e-2", APR_SUCCESS, APR_INT64_MAX },
        { "1e18", APR_SUCCESS, APR_INT64_C(1000000000000000000) },
        { "1e19", APR_ERANGE, 0 }, { "1e400", APR_ERANGE, 0 }, { "-1e400", APR_ERANGE, 0 },
        { "1e99999999999999999999999999999", APR_ERANGE, 0 },
        { "1e-99999999999999999999999999999", APR_EINVAL, 0 },
        { "3.5", APR_EINVAL, 0 }, { "3e-1", APR_EINVAL, 0 }, { "0.1", APR_EINVAL, 0 },
        { "99999999999999999999.5", APR_EINVAL, 0 }, { "1e-400", APR_EINVAL, 0 },
        { "\"3\"", APR_EINVAL, 0 }, { "true", APR_EINVAL, 0 }, { "null", APR_EINVAL, 0 },
        { "", APR_EINVAL, 0 }, { NULL, APR_EINVAL, 0 }, { "-", APR_EINVAL, 0 },
        { "01", APR_EINVAL, 0 }, { "+1", APR_EINVAL, 0 }, { "1 ", APR_EINVAL, 0 },
        { "1x", APR_EINVAL, 0 }, { "0x1", APR_EINVAL, 0 }, { "1.", APR_EINVAL, 0 },
        { "1e", APR_EINVAL, 0 }, { "[1]", APR_EINVAL, 0 },
    };
    apr_int64_t number;
    apr_status_t rv;
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        number = rows[i].want;
        rv = ai_json_int(ai_slice_of(rows[i].text), &number);
        ok(rv == rows[i].rv && number == rows[i].want, "integer from %s",
           rows[i].text ? rows[i].text : "nothing");
    }
}

static void test_truth(void)
{
    ok(ai_json_bool(AI_SLICE("true"), 0) == 1, "true");
    ok(ai_json_bool(AI_SLICE("false"), 1) == 0, "false");
    ok(ai_json_bool(AI_SLICE("null"), 1) == 1, "null is the default");
    ok(ai_json_bool((ai_slice_t){ NULL, 0 }, 1) == 1, "nothing is the default");
    ok(ai_json_bool(AI_SLICE("\"true\""), 0) == 0, "a string is the default");
    ok(ai_json_bool(AI_SLICE("1"), 0) == 0, "a number is the default");
}

static void test_quoting(void)
{
    static const struct {
        const char *text;
        apr_size_t n;
        const char *want;
        const char *what;
    } rows[] = {
        { T(""), "\"\"", "nothing" },
        { T("abc /'"), "\"abc /'\"", "plain text" },
        { T("\"\\\b\f\n\r\t"), "\"\\\"\\\\\\b\\f\\n\\r\\t\"", "short escapes" },
        { T("\0\x01\x1F\x7F"), "\"\\u0000\\u0001\\u001f\x7F\"", "control characters" },
        { T("\xC3\xA9\xF0\x9F\x98\x80"), "\"\xC3\xA9\xF0\x9F\x98\x80\"", "UTF-8 as it is" },
        { T("a\xFFz"), "\"a\xEF\xBF\xBDz\"", "a byte that is not UTF-8" },
        { T("\xC0\xAF"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"", "overlong, each byte" },
        { T("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"", "a cut sequence at the end" },
    };
    ai_json_error_t err;
    ai_json_doc_t doc;
    ai_slice_t quoted;
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        quoted = ai_json_quote(pool, (ai_slice_t){ rows[i].text, rows[i].n });
        is_bytes(quoted.p, quoted.n, rows[i].want, strlen(rows[i].want), rows[i].what);
        ok(ai_json_parse(pool, quoted, 0, &doc, &err) == APR_SUCCESS, "and it is JSON");
    }
    quoted = ai_json_quote(pool, (ai_slice_t){ NULL, 0 });
    ok(ai_slice_is(quoted, "\"\""), "the absent slice is an empty string");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_types();
    test_walks();
    test_get();
    test_names();
    test_strings();
    test_integers();
    test_truth();
    test_quoting();
    apr_terminate();
    return done();
}
