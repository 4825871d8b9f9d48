/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_json.c - which texts are JSON (RFC 8259), which doubles are found, and how deep?
 *
 * The readers of values are tested in test_ai_json_read.c.
 */
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "ai_json.h"
#include "tap.h"

static apr_pool_t *pool;

/* A text that may hold NULs, as two columns of a row. */
#define T(literal) literal, sizeof(literal) - 1

/* Parses a copy that ends where the text does, so that a sanitizer sees a read beyond it. */
static apr_status_t parse(const char *text, apr_size_t n, ai_json_doc_t *doc, ai_json_error_t *err)
{
    char *copy = malloc(n ? n : 1);
    ai_slice_t slice = { copy, n };
    apr_status_t rv;

    memcpy(copy, text, n);
    rv = ai_json_parse(pool, slice, AI_JSON_DEPTH, doc, err);
    free(copy);
    return rv;
}

static const struct {
    const char *text;
    apr_size_t n;
    int n_members; /* of a root object */
    const char *what;
} good[] = {
    { T("{}"), 0, "section 4: an empty object" },
    { T("[]"), 0, "section 5: an empty array" },
    { T("null"), 0, "section 2: null alone is a text" },
    { T("true"), 0, "section 2: true alone" },
    { T("false"), 0, "section 2: false alone" },
    { T("\"\""), 0, "section 2: an empty string alone" },
    { T("0"), 0, "section 2: a number alone" },
    { T(" \t\r\n{ \t\r\n} \t\r\n"), 0, "section 2: the four white space characters anywhere" },
    { T("{ \"a\" : 1 , \"b\" : [ 1 , 2 ] }"), 2, "section 2: white space around the six signs" },
    { T("{\"\":0}"), 1, "section 4: an empty key" },
    { T("{\"a\":{\"a\":{\"a\":1}}}"), 1, "section 4: one key at several levels" },
    { T("[{\"a\":1},{\"a\":1}]"), 0, "section 4: one key in two objects" },
    { T("{\"a\":1,\"A\":2,\"a\\u0000\":3,\"\\u0061a\":4}"), 4, "section 4: keys that differ" },
    { T("[[],[[]],{},[{}],null]"), 0, "section 5: empty things in arrays" },
    { T("[-0]"), 0, "section 6: minus zero" },
    { T("[-1, 0, 10, 123456789012345678901234567890]"), 0, "section 6: integers of any size" },
    { T("[0.0, -0.5, 1.5e0, 1E5, 1e+5, 1E-05, 0e0, 0E+1]"), 0, "section 6: fractions, exponents" },
    { T("[1e400, -1e-400, 0.1000000000000000055511151231257827]"), 0, "section 6: any precision" },
    { T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), 0, "section 7: the eight short escapes" },
    { T("\"\\u0000\\u001f\\u0041\\uABCD\\uabcd\""), 0, "section 7: \\u in either case" },
    { T("\"\\uD834\\uDD1E \\ud83d\\ude00\""), 0, "section 7: surrogate pairs" },
    { T("\"\x7F / ' {[,:]} //\""), 0, "section 7: DEL and signs need no escape" },
    { T("\"\xC2\x80 \xDF\xBF\""), 0, "section 8.1: two bytes of UTF-8, first and last" },
    { T("\"\xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xEF\xBF\xBF\""), 0, "section 8.1: three bytes" },
    { T("\"\xF0\x90\x80\x80 \xF4\x8F\xBF\xBF\""), 0, "section 8.1: four bytes, first and last" },
    { T("\"\xE2\x80\xA8\xE2\x80\xA9\xEF\xBB\xBF\""), 0, "section 7: line ends of Unicode, BOM" },
    { T("{\"\xC3\xA9\":\"\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E \xF0\x9F\x98\x80\"}"), 1,
      "section 8.1: keys and values in UTF-8" },
};

static const struct {
    const char *text;
    apr_size_t n;
    apr_size_t offset;
    const char *what;
} bad[] = {
    { T(""), 0, "section 2: nothing" },
    { T(" \n "), 3, "section 2: only white space" },
    { T("\xEF\xBB\xBF{}"), 0, "section 8.1: a byte order mark" },
    { T("\xEF\xBB\xBF"), 0, "section 8.1: only a byte order mark" },
    { T("\xFF\xFE{\0}\0"), 0, "section 8.1: UTF-16, little-endian" },
    { T("\0{\0}"), 0, "section 8.1: UTF-16, big-endian" },
    { T("{}{}"), 2, "section 2: two values" },
    { T("{} x"), 3, "section 2: bytes behind the value" },
    { T("{}\0"), 2, "section 2: a NUL behind the value" },
    { T("[]]"), 2, "section 2: a bracket too many" },
    { T("1 2"), 2, "section 2: two numbers" },
    { T("[\f1]"), 1, "section 2: form feed is no white space" },
    { T("[\v1]"), 1, "section 2: vertical tab is no white space" },
    { T("[\xC2\xA0" "1]"), 1, "section 2: no-break space is no white space" },
    { T("[1]\xE2\x80\xA8"), 3, "section 2: line separator is no white space" },
    { T("/**/[]"), 0, "section 2: a comment before" },
    { T("[1 // one\n]"), 3, "section 2: a comment to the end of line" },
    { T("[/**/1]"), 1, "section 2: a comment inside" },
    { T("# x\n1"), 0, "section 2: a shell comment" },
    { T("nul"), 3, "section 3: a cut null" },
    { T("nulll"), 4, "section 3: null and more" },
    { T("None"), 0, "section 3: None" },
    { T("Null"), 0, "section 3: Null" },
    { T("TRUE"), 0, "section 3: TRUE" },
    { T("True"), 0, "section 3: True" },
    { T("[tru]"), 4, "section 3: a cut true" },
    { T("[fals]"), 5, "section 3: a cut false" },
    { T("truefalse"), 4, "section 3: words without a comma" },
    { T("undefined"), 0, "section 3: undefined" },
    { T("{\"a\":1,}"), 7, "section 4: a trailing comma" },
    { T("{,\"a\":1}"), 1, "section 4: a leading comma" },
    { T("{\"a\":1,,\"b\":2}"), 7, "section 4: two commas" },
    { T("{\"a\":1 \"b\":2}"), 7, "section 4: no comma" },
    { T("{\"a\" 1}"), 5, "section 4: no colon" },
    { T("{\"a\"=1}"), 4, "section 4: = for a colon" },
    { T("{\"a\"::1}"), 5, "section 4: two colons" },
    { T("{\"a\":}"), 5, "section 4: no value" },
    { T("{\"a\"}"), 4, "section 4: only a key" },
    { T("{a:1}"), 1, "section 4: a bare key" },
    { T("{'a':1}"), 1, "section 4: a key in single quotes" },
    { T("{1:1}"), 1, "section 4: a number as a key" },
    { T("{null:1}"), 1, "section 4: null as a key" },
    { T("{[]:1}"), 1, "section 4: an array as a key" },
    { T("{\"a\":1]"), 6, "section 4: an object closed as an array" },
    { T("}"), 0, "section 4: only a closing brace" },
    { T("{\"a\":1;\"b\":2}"), 6, "section 4: a semicolon" },
    { T("[1,]"), 3, "section 5: a trailing comma" },
    { T("[,1]"), 1, "section 5: a leading comma" },
    { T("[,]"), 1, "section 5: only a comma" },
    { T("[1,,2]"), 3, "section 5: two commas" },
    { T("[1 2]"), 3, "section 5: no comma" },
    { T("[1:2]"), 2, "section 5: a colon" },
    { T("[1}"), 2, "section 5: an array closed as an object" },
    { T("[\"a\":1]"), 4, "section 5: a member in an array" },
    { T("]"), 0, "section 5: only a closing bracket" },
    { T("(1)"), 0, "section 5: other brackets" },
    { T("NaN"), 0, "section 6: NaN" },
    { T("[nan]"), 2, "section 6: nan" },
    { T("[Infinity]"), 1, "section 6: Infinity" },
    { T("[-Infinity]"), 2, "section 6: -Infinity" },
    { T("[-NaN]"), 2, "section 6: -NaN" },
    { T("[inf]"), 1, "section 6: inf" },
    { T("[01]"), 2, "section 6: a leading zero" },
    { T("[-01]"), 3, "section 6: a leading zero behind minus" },
    { T("[00]"), 2, "section 6: two zeros" },
    { T("[+1]"), 1, "section 6: plus" },
    { T("[--1]"), 2, "section 6: two minus" },
    { T("[-]"), 2, "section 6: only minus" },
    { T("[- 1]"), 2, "section 6: a space behind minus" },
    { T("[-a]"), 2, "section 6: a letter behind minus" },
    { T("[.5]"), 1, "section 6: nothing before the point" },
    { T("[-.5]"), 2, "section 6: nothing between minus and point" },
    { T("[1.]"), 3, "section 6: nothing behind the point" },
    { T("[2.e3]"), 3, "section 6: nothing between point and exponent" },
    { T("[1.2.3]"), 4, "section 6: two points" },
    { T("[1e]"), 3, "section 6: an empty exponent" },
    { T("[1e+]"), 4, "section 6: an exponent of plus" },
    { T("[1E-]"), 4, "section 6: an exponent of minus" },
    { T("[1e1.5]"), 4, "section 6: a fraction in the exponent" },
    { T("[1eE2]"), 3, "section 6: two exponents" },
    { T("[0x10]"), 2, "section 6: hexadecimal" },
    { T("[1_000]"), 2, "section 6: an underscore" },
    { T("[1,000.0]"), 4, "section 6: a comma between digits makes 000" },
    { T("[1a]"), 2, "section 6: a letter behind a number" },
    { T("[1\0]"), 2, "section 6: a NUL behind a number" },
    { T("[\xEF\xBC\x91]"), 1, "section 6: a full-width digit" },
    { T("'a'"), 0, "section 7: single quotes" },
    { T("[`a`]"), 1, "section 7: back quotes" },
    { T("\"\n\""), 1, "section 7: a raw line feed" },
    { T("\"a\tb\""), 2, "section 7: a raw tab" },
    { T("\"\0\""), 1, "section 7: a raw NUL" },
    { T("\"\x1F\""), 1, "section 7: the last control character" },
    { T("\"0123456789abcde\x01\""), 16, "section 7: a control character behind many bytes" },
    { T("{\"a\nb\":1}"), 3, "section 7: a line feed in a key" },
    { T("\"\\x41\""), 1, "section 7: \\x" },
    { T("\"\\'\""), 1, "section 7: an escaped single quote" },
    { T("\"\\0\""), 1, "section 7: \\0" },
    { T("\"\\a\""), 1, "section 7: \\a" },
    { T("\"\\v\""), 1, "section 7: \\v" },
    { T("\"\\U0041\""), 1, "section 7: \\U" },
    { T("\"\\\n\""), 1, "section 7: an escaped line feed" },
    { T("\"\\\0\""), 1, "section 7: an escaped NUL" },
    { T("\"\\\xC3\xA9\""), 1, "section 7: an escaped letter of two bytes" },
    { T("\"\\u\""), 1, "section 7: \\u without digits" },
    { T("\"\\u004\""), 1, "section 7: \\u with three digits" },
    { T("\"\\u00G1\""), 1, "section 7: \\u with a G" },
    { T("\"\\u+041\""), 1, "section 7: \\u with a sign" },
    { T("\"\\u 041\""), 1, "section 7: \\u with a space" },
    { T("\"\\ud834\""), 1, "section 8.2: a high surrogate alone" },
    { T("\"\\udd1e\""), 1, "section 8.2: a low surrogate alone" },
    { T("\"\\udd1e\\ud834\""), 1, "section 8.2: surrogates the wrong way round" },
    { T("\"\\udd1e\\udd1e\""), 1, "section 8.2: two low surrogates" },
    { T("\"\\ud834\\udbff\""), 1, "section 8.2: a pair whose second half is too low" },
    { T("\"\\ud834\\ue000\""), 1, "section 8.2: a pair whose second half is too high" },
    { T("\"\\ud834\\ud834\""), 1, "section 8.2: two high surrogates" },
    { T("\"\\ud834x\""), 1, "section 8.2: a high surrogate and a letter" },
    { T("\"\\ud834\\n\""), 1, "section 8.2: a high surrogate and an escape" },
    { T("\"\\ud834\\u0041\""), 1, "section 8.2: a high surrogate and a letter, escaped" },
    { T("{\"\\ud834\":1}"), 2, "section 8.2: a surrogate alone in a key" },
    { T("\"\x80\""), 1, "section 8.1: a continuation alone" },
    { T("\"\xBF\""), 1, "section 8.1: the last continuation alone" },
    { T("\"\xC3\""), 1, "section 8.1: one byte of two" },
    { T("\"\xC3(\""), 1, "section 8.1: a lead without its continuation" },
    { T("\"\xE2\x82\""), 1, "section 8.1: two bytes of three" },
    { T("\"\xF0\x9F\x98\""), 1, "section 8.1: three bytes of four" },
    { T("\"\xC0\xAF\""), 1, "section 8.1: overlong slash in two bytes" },
    { T("\"\xC1\xBF\""), 1, "section 8.1: overlong DEL in two bytes" },
    { T("\"\xE0\x80\xAF\""), 1, "section 8.1: overlong in three bytes" },
    { T("\"\xE0\x9F\xBF\""), 1, "section 8.1: overlong in three bytes, the last" },
    { T("\"\xF0\x80\x80\xAF\""), 1, "section 8.1: overlong in four bytes" },
    { T("\"\xF0\x8F\xBF\xBF\""), 1, "section 8.1: overlong in four bytes, the last" },
    { T("\"\xED\xA0\x80\""), 1, "section 8.1: a surrogate as UTF-8, the first" },
    { T("\"\xED\xBF\xBF\""), 1, "section 8.1: a surrogate as UTF-8, the last" },
    { T("\"\xF4\x90\x80\x80\""), 1, "section 8.1: past U+10FFFF" },
    { T("\"\xF5\x80\x80\x80\""), 1, "section 8.1: lead F5" },
    { T("\"\xF8\x88\x80\x80\x80\""), 1, "section 8.1: five bytes" },
    { T("\"\xFE\""), 1, "section 8.1: FE" },
    { T("\"\xFF\""), 1, "section 8.1: FF" },
    { T("\"0123456789abcdef\xFFxxxxxxxx\""), 17, "section 8.1: a bad byte behind many" },
    { T("\"\xE9\""), 1, "section 8.1: Latin-1" },
    { T("[\xE9]"), 1, "section 8.1: Latin-1 outside a string" },
    { T("{\"\xFF\":1}"), 2, "section 8.1: bad UTF-8 in a key" },
    { T("{\"a\":1,\"a\":2}"), 7, "section 4: a key twice" },
    { T("{\"a\":1,\"a\":1}"), 7, "section 4: a key twice with the same value" },
    { T("{\"\":1,\"\":1}"), 6, "section 4: an empty key twice" },
    { T("{\"model\":1,\"\\u006dodel\":2}"), 11, "section 8.3: a key twice, one escaped" },
    { T("{\"\\u006Dodel\":1,\"model\":2}"), 16, "section 8.3: the other escaped" },
    { T("{\"a/b\":1,\"a\\/b\":2}"), 9, "section 8.3: a key twice, a slash escaped" },
    { T("{\"\xF0\x9D\x84\x9E\":1,\"\\uD834\\uDD1E\":2}"), 10, "section 8.3: UTF-8 and a pair" },
    { T("{\"x\":[{\"y\":{\"a\":1,\"b\":2,\"a\":3}}]}"), 24, "section 4: a key twice, deep" },
    { T("{\"a\":{\"a\":1},\"a\":2}"), 13, "section 4: a key twice around another level" },
    { T("[{\"a\":1},{\"b\":1,\"b\":1}]"), 16, "section 4: a key twice in an array's object" },
    { T("{\"a\":1,\"b\":1,\"b\":1,\"a\":1}"), 13, "section 4: the first of two doubles is told" },
    { T("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"c\":1}"), 55,
      "section 4: a key twice among ten" },
    { T("{\"c\":1,\"b\":1,\"a\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"b\":1,\"c\":1}"), 49,
      "section 4: the first of two doubles among ten is told" },
    { T("{\"c\":1,\"b\":1,\"a\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"c\":1,\"b\":1}"), 49,
      "section 4: and the other way round" },
};

static void test_rows(void)
{
    ai_json_error_t err;
    ai_json_doc_t doc;
    apr_status_t rv;
    apr_size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        rv = parse(good[i].text, good[i].n, &doc, &err);
        if (!ok(rv == APR_SUCCESS && doc.n_members == good[i].n_members, "%s", good[i].what)) {
            printf("# %s at %lu, %d members\n", err.reason, (unsigned long)err.offset,
                   doc.n_members);
        }
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        rv = parse(bad[i].text, bad[i].n, &doc, &err);
        if (!ok(rv == APR_EINVAL && err.offset == bad[i].offset && err.reason, "not %s",
                bad[i].what)) {
            printf("# %s at %lu, want %lu\n", err.reason ? err.reason : "accepted",
                   (unsigned long)err.offset, (unsigned long)bad[i].offset);
        }
    }
}

/* Every beginning of every good text is refused, but for numbers and what ends in white space. */
static void test_cuts(void)
{
    ai_json_error_t err;
    ai_json_doc_t doc;
    apr_size_t i, n;
    int cuts = 0;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const char *text = good[i].text;
        int refused = 1;

        if (text[0] == '0' || text[good[i].n - 1] == '\n') {
            continue;
        }
        for (n = 0; n < good[i].n; n++, cuts++) {
            refused &= parse(text, n, &doc, &err) == APR_EINVAL && err.offset <= n;
        }
        ok(refused, "section 2: refused wherever it is cut: %s", good[i].what);
    }
    ok(cuts > 300, "there was something to cut");
}

/* n times open, inside, n times close. */
static char *nest(int n, const char *open, const char *inside, const char *close)
{
    apr_size_t n_open = strlen(open), n_close = strlen(close), n_inside = strlen(inside);
    char *text = apr_palloc(pool, (apr_size_t)n * (n_open + n_close) + n_inside + 1), *at = text;
    int i;

    for (i = 0; i < n; i++, at += n_open) {
        memcpy(at, open, n_open);
    }
    memcpy(at, inside, n_inside);
    at += n_inside;
    for (i = 0; i < n; i++, at += n_close) {
        memcpy(at, close, n_close);
    }
    *at = '\0';
    return text;
}

static apr_status_t parse_to(int depth, const char *text)
{
    ai_json_error_t err;
    ai_json_doc_t doc;

    return ai_json_parse(pool, ai_slice_of(text), depth, &doc, &err);
}

static void test_depth(void)
{
    ok(parse_to(128, nest(128, "[", "1", "]")) == APR_SUCCESS, "section 9: 128 arrays");
    ok(parse_to(128, nest(129, "[", "1", "]")) == APR_EINVAL, "section 9: not 129 arrays");
    ok(parse_to(128, nest(128, "{\"a\":", "1", "}")) == APR_SUCCESS, "section 9: 128 objects");
    ok(parse_to(128, nest(129, "{\"a\":", "1", "}")) == APR_EINVAL, "section 9: not 129 objects");
    ok(parse_to(128, nest(64, "[{\"a\":", "1", "}]")) == APR_SUCCESS, "section 9: 128 mixed");
    ok(parse_to(128, nest(64, "[{\"a\":", "[]", "}]")) == APR_EINVAL, "section 9: not 129 mixed");
    ok(parse_to(1000, nest(129, "[", "1", "]")) == APR_EINVAL, "no larger depth can be asked for");
    ok(parse_to(128, nest(1000000, "[", "", "")) == APR_EINVAL, "a million open brackets");
    ok(parse_to(3, nest(3, "[", "", "]")) == APR_SUCCESS, "a smaller depth can");
    ok(parse_to(3, nest(4, "[", "", "]")) == APR_EINVAL, "and is kept");
    ok(parse_to(0, "1") == APR_SUCCESS, "depth 0 takes a number");
    ok(parse_to(0, "[]") == APR_EINVAL, "depth 0 takes no array");
}

static void test_members(void)
{
    static const char text[] = " {\"a\": 18446744073709551617 , \"b\\n\":{ \"x\":[1,{}] },"
                               "\"c\":-1.50E+400,\"d\":\"\\u0041\",\"e\":[]}\n";
    static const struct {
        const char *key;
        const char *value;
    } want[] = {
        { "a", "18446744073709551617" }, { "b\\n", "{ \"x\":[1,{}] }" },
        { "c", "-1.50E+400" }, { "d", "\"\\u0041\"" }, { "e", "[]" },
    };
    ai_json_error_t err;
    ai_json_doc_t doc;
    int i;

    ok(ai_json_parse(pool, AI_SLICE(text), AI_JSON_DEPTH, &doc, &err) == APR_SUCCESS, "it parses");
    ok(doc.text.p == text && doc.text.n == sizeof(text) - 1, "doc.text is the text");
    ok(doc.root.p == text + 1 && doc.root.n == sizeof(text) - 3, "doc.root is without white space");
    is_number(doc.n_members, 5, "all members are noted");
    for (i = 0; i < doc.n_members && i < 5; i++) {
        is_bytes(doc.members[i].key.p, doc.members[i].key.n, want[i].key, strlen(want[i].key),
                 "a key as it stands");
        is_bytes(doc.members[i].value.p, doc.members[i].value.n, want[i].value,
                 strlen(want[i].value), "section 6: a value byte for byte");
    }
}

/* An object of n keys of five digits, the last one replaced by last. */
static ai_slice_t many_keys(int n, const char *before, const char *last, const char *after)
{
    char *text = apr_palloc(pool, (apr_size_t)n * 16 + 64), *at = text;
    int i;

    at += sprintf(at, "%s", before);
    for (i = 0; i < n - 1; i++) {
        at += sprintf(at, "\"%06d\":%d,", (int)(i * 7919L % 1000003), i % 10);
    }
    at += sprintf(at, "\"%s\":0}%s", last, after);
    return (ai_slice_t){ text, (apr_size_t)(at - text) };
}

static void test_many_keys(void)
{
    ai_json_error_t err;
    ai_json_doc_t doc;
    int n;

    for (n = 2; n < 80; n++) {
        int good_one, twice;

        good_one = ai_json_parse(pool, many_keys(n, "{", "x", ""), 9, &doc, &err) == APR_SUCCESS
                   && doc.n_members == n;
        twice = ai_json_parse(pool, many_keys(n, "{", "00000\\u0030", ""), 9, &doc, &err)
                == APR_EINVAL;
        ok(good_one && twice && err.offset == (apr_size_t)n * 11 - 10,
           "section 4: %d keys, all different or one twice", n);
    }
    ok(ai_json_parse(pool, many_keys(100000, "{", "x", ""), 9, &doc, &err) == APR_SUCCESS
       && doc.n_members == 100000, "section 4: 100000 keys");
    ok(ai_json_parse(pool, many_keys(100000, "{", "000000", ""), 9, &doc, &err) == APR_EINVAL,
       "section 4: 100000 keys, first and last equal");
    ok(ai_json_parse(pool, many_keys(100000, "{\"a\":[0,{", "x", "]}"), 9, &doc, &err)
       == APR_SUCCESS && doc.n_members == 1, "section 4: 100000 keys below the root");
    ok(ai_json_parse(pool, many_keys(AI_JSON_MEMBERS, "{", "x", ""), 9, &doc, &err)
       == APR_SUCCESS, "section 9: the most members that the root may have");
    ok(ai_json_parse(pool, many_keys(AI_JSON_MEMBERS + 1, "{", "x", ""), 9, &doc, &err)
       == APR_EINVAL, "section 9: not one more");
    ok(ai_json_parse(pool, many_keys(AI_JSON_MEMBERS + 1, "[{", "x", "]"), 9, &doc, &err)
       == APR_SUCCESS, "section 9: below the root there may be more");
}

#define STAGES 13
#define EACH (STAGES * 8 + 5) /* a member, with its comma */
#define SLOTS (1 << 19)

static apr_uint32_t fnv(apr_uint32_t hash, const char *text)
{
    for (; *text; text++) {
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    }
    return hash;
}

/* Two blocks of eight letters that take the hash from *state to one value, which goes there. */
static void collide(apr_uint32_t *state, char pair[2][9])
{
    apr_uint32_t *slots = calloc(SLOTS, sizeof(*slots)), hash, at, i;

    for (i = 1;; i++) {
        sprintf(pair[1], "%08x", i * 2654435761u);
        hash = fnv(*state, pair[1]);
        for (at = hash % SLOTS; slots[at]; at = (at + 1) % SLOTS) {
            sprintf(pair[0], "%08x", slots[at] * 2654435761u);
            if (fnv(*state, pair[0]) == hash) {
                *state = hash;
                free(slots);
                return;
            }
        }
        slots[at] = i;
        if (i > SLOTS * 3 / 4) { /* does not happen with this hash: the test says so */
            pair[0][0] = '\0';
            free(slots);
            return;
        }
    }
}

/*
 * Keys made to have one hash (the checker's, FNV-1a), by chaining pairs of blocks that collide.
 * Were equal hashes taken for equal keys, or compared each with each, this would show.
 */
static void test_equal_hashes(void)
{
    char pairs[STAGES][2][9], *text = apr_palloc(pool, EACH * ((1 << STAGES) + 1) + 1);
    apr_uint32_t state = 2166136261u;
    char *at = text;
    ai_json_error_t err;
    ai_json_doc_t doc;
    int i, stage, met = 1;

    for (stage = 0; stage < STAGES; stage++) {
        collide(&state, pairs[stage]);
        met &= pairs[stage][0][0] != '\0';
    }
    ok(met, "blocks that collide were found");
    *at++ = '{';
    for (i = 0; i <= 1 << STAGES; i++) {
        *at++ = '"';
        for (stage = 0; stage < STAGES; stage++) {
            memcpy(at, pairs[stage][i >> stage & 1], 8);
            at += 8;
        }
        memcpy(at, "\":0,", 4);
        at += 4;
    }
    at[-1] = '}';
    ok(ai_json_parse(pool, (ai_slice_t){ text, (apr_size_t)(at - text) }, 9, &doc, &err)
       == APR_EINVAL, "section 4: 8193 keys of one hash, the last one a double");
    is_number((long long)err.offset, at - text - EACH, "and the last one is to blame");
    at -= EACH;
    at[-1] = '}';
    ok(ai_json_parse(pool, (ai_slice_t){ text, (apr_size_t)(at - text) }, 9, &doc, &err)
       == APR_SUCCESS && doc.n_members == 1 << STAGES, "section 4: 8192 keys of one hash");
}

/* A piece of a stream may end between the halves of a pair; nothing else is looser. */
static void test_piece(void)
{
    static const struct {
        ai_slice_t text;
        int good;
    } rows[] = {
        { { T("{\"a\":\"\\ud834\"}") }, 1 },     { { T("[\"\\udd1ex\",\"\\n\\uD834\"]") }, 1 },
        { { T("\"\\udd1e\\ud834\"") }, 1 },      { { T("\"\\ud834\\udd1e\"") }, 1 },
        { { T("{\"\\ud834\":1}") }, 0 },         { { T("\"\\ud83\"") }, 0 },
        { { T("\"\\ud834") }, 0 },                { { T("\"\\x\"") }, 0 },
        { { T("\"\xED\xA0\xB4\"") }, 0 },         { { T("{\"a\":1,\"a\":1}") }, 0 },
        { { T("\"\\ud834\\\"") }, 0 },           { { T("\"\\u\"") }, 0 },
    };
    ai_json_doc_t doc;
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ok((ai_json_parse_piece(pool, rows[i].text, &doc) == APR_SUCCESS) == rows[i].good,
           "a piece: %.*s", (int)rows[i].text.n, rows[i].text.p);
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_rows();
    test_cuts();
    test_depth();
    test_members();
    test_many_keys();
    test_equal_hashes();
    test_piece();
    apr_terminate();
    return done();
}
