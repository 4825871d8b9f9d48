/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_splice.c - do edits leave every other byte as it was?
 *
 * Every result is compared byte for byte and, where it began as JSON, checked as JSON.
 */
#include <apr_general.h>
#include <apr_strings.h>

#include "ai_splice.h"
#include "tap.h"

static apr_pool_t *pool;

static const char *result(const ai_splice_t *splice)
{
    apr_array_header_t *slices;
    apr_size_t total, sum = 0;
    const char *text = "";
    int i;

    ai_splice_end(splice, &slices, &total);
    for (i = 0; i < slices->nelts; i++) {
        ai_slice_t slice = APR_ARRAY_IDX(slices, i, ai_slice_t);

        text = apr_pstrcat(pool, text, apr_pstrmemdup(pool, slice.p, slice.n), NULL);
        sum += slice.n;
    }
    return sum == total && sum == strlen(text) ? text : "the total is wrong";
}

/* A script of steps: "+name=value" sets, "-name" removes, "/name" goes into a member. */
static apr_status_t play(ai_splice_t *splice, ai_slice_t root, const char *script)
{
    char *last, *step = apr_strtok(apr_pstrdup(pool, script), " ", &last), *equals;
    ai_slice_t object = root;
    apr_status_t rv = APR_SUCCESS;

    for (; step && rv == APR_SUCCESS; step = apr_strtok(NULL, " ", &last)) {
        if (*step == '/') {
            object = step[1] ? ai_json_get(object, step + 1) : root;
        }
        else if (*step == '-') {
            rv = ai_splice_remove(splice, object, step + 1);
        }
        else {
            equals = strchr(step, '=');
            *equals = '\0';
            rv = ai_splice_set(splice, object, step + 1, ai_slice_of(equals + 1));
        }
    }
    return rv;
}

static const struct {
    const char *text;
    const char *script;
    const char *want;
    const char *what;
} rows[] = {
    { "{\"a\":1}", "", "{\"a\":1}", "no edit" },
    { "{\"a\":1,\"b\":2,\"c\":3}", "-a", "{\"b\":2,\"c\":3}", "remove the first" },
    { "{\"a\":1,\"b\":2,\"c\":3}", "-b", "{\"a\":1,\"c\":3}", "remove the middle one" },
    { "{\"a\":1,\"b\":2,\"c\":3}", "-c", "{\"a\":1,\"b\":2}", "remove the last" },
    { "{\"a\":1}", "-a", "{}", "remove the only one" },
    { "{ \"a\" : 1 , \"b\" : 2 , \"c\" : 3 }", "-a", "{ \"b\" : 2 , \"c\" : 3 }",
      "remove the first, spaced" },
    { "{ \"a\" : 1 , \"b\" : 2 , \"c\" : 3 }", "-b", "{ \"a\" : 1 , \"c\" : 3 }",
      "remove the middle one, spaced" },
    { "{ \"a\" : 1 , \"b\" : 2 , \"c\" : 3 }", "-c", "{ \"a\" : 1 , \"b\" : 2 }",
      "remove the last, spaced" },
    { "{ \"a\" : 1 }", "-a", "{}", "remove the only one, spaced" },
    { "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}\n", "-a", "{\n  \"b\": 2,\n  \"c\": 3\n}\n",
      "remove the first, one a line" },
    { "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}\n", "-b", "{\n  \"a\": 1,\n  \"c\": 3\n}\n",
      "remove the middle one, one a line" },
    { "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}\n", "-c", "{\n  \"a\": 1,\n  \"b\": 2\n}\n",
      "remove the last, one a line" },
    { "{\n  \"a\": 1\n}", "-a", "{}", "remove the only one, one a line" },
    { "{\"a\":{\"x\":[1,2]},\"b\":\"}\"}", "-a", "{\"b\":\"}\"}", "remove an object" },
    { "{\"a\":1,\"\\u0062\":2}", "-b", "{\"a\":1}", "remove by an escaped key" },
    { "{\"a\":1,\"b\":2}", "+a=9", "{\"a\":9,\"b\":2}", "set what is there" },
    { "{\"a\" : 1 ,\"b\":2}", "+a=[9]", "{\"a\" : [9] ,\"b\":2}", "set keeps white space" },
    { "{\"\\u0061\":1}", "+a=9", "{\"\\u0061\":9}", "set by an escaped key" },
    { "{\"a\":1}", "+b=2", "{\"a\":1,\"b\":2}", "add" },
    { "{ \"a\": 1 }", "+b=2", "{ \"a\": 1,\"b\":2 }", "add behind the last value" },
    { "{}", "+a=1", "{\"a\":1}", "add to an empty object" },
    { " { } ", "+a=1", " {\"a\":1 } ", "add to an empty object with a space" },
    { "{}", "+a=1 +b=2 +c=3", "{\"a\":1,\"b\":2,\"c\":3}", "add three to an empty object" },
    { "{\"x\":0}", "+a=1 +b=2", "{\"x\":0,\"a\":1,\"b\":2}", "add two" },
    { "{\"a\":1}", "+q\"=2", "{\"a\":1,\"q\\\"\":2}", "an added key is quoted" },
    { "{\"a\":1}", "-a +b=2", "{\"b\":2}", "remove the only one, then add" },
    { "{\"a\":1}", "+b=2 -a", "{\"b\":2}", "add, then remove the only other one" },
    { "{ \"a\":1 }", "+b=2 -a +c=3", "{\"b\":2,\"c\":3}", "add, remove, add" },
    { "{\"a\":1,\"b\":2}", "-b +c=3", "{\"a\":1,\"c\":3}", "remove the last, add" },
    { "{\"a\":1,\"b\":2}", "+c=3 -b", "{\"a\":1,\"c\":3}", "add, remove the last" },
    { "{\"a\":1,\"b\":2}", "-a +b=3", "{\"b\":3}", "remove the first, set the second" },
    { "{\"a\":1,\"b\":2}", "+b=3 -a", "{\"b\":3}", "the other way round" },
    { "{\"a\":1,\"b\":2}", "-b +a=3", "{\"a\":3}", "remove the second, set the first" },
    { "{\"a\":1,\"b\":2}", "+b=3 +c=4", "{\"a\":1,\"b\":3,\"c\":4}", "set the last, add" },
    { "{\"a\":1,\"b\":2}", "+c=4 +b=3", "{\"a\":1,\"b\":3,\"c\":4}", "add, set the last" },
    { "{\"s\":{\"u\":false,\"v\":1},\"a\":2}", "/s +u=true", "{\"s\":{\"u\":true,\"v\":1},\"a\":2}",
      "set in a nested object" },
    { "{\"s\":{},\"a\":2}", "/s +u=true / +a=3 +b=4", "{\"s\":{\"u\":true},\"a\":3,\"b\":4}",
      "edits at two levels" },
    { "{\"a\":2,\"s\":{\"u\":1}}", "/s -u / -a", "{\"s\":{}}", "removals at two levels" },
    { "{\"a\":2,\"s\":{\"u\":1}}", "/s -u +v=2 / +b=3 -a", "{\"s\":{\"v\":2},\"b\":3}",
      "all at two levels" },
    { "{\"a\":12345678901234567890123,\"b\":1.10,\"c\":\"\\u00e9\\/\"}", "+d=1",
      "{\"a\":12345678901234567890123,\"b\":1.10,\"c\":\"\\u00e9\\/\",\"d\":1}",
      "numbers and escapes stay as they were" },
};

static void test_rows(void)
{
    ai_json_error_t err;
    ai_splice_t splice;
    ai_json_doc_t doc;
    const char *got;
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ai_json_parse(pool, ai_slice_of(rows[i].text), AI_JSON_DEPTH, &doc, &err);
        ai_splice_begin(pool, &splice, doc.text);
        ok(play(&splice, doc.root, rows[i].script) == APR_SUCCESS, "%s: taken", rows[i].what);
        got = result(&splice);
        is_bytes(got, strlen(got), rows[i].want, strlen(rows[i].want), rows[i].what);
        ok(ai_json_parse(pool, ai_slice_of(got), AI_JSON_DEPTH, &doc, &err) == APR_SUCCESS,
           "%s: JSON", rows[i].what);
        got = result(&splice);
        is_bytes(got, strlen(got), rows[i].want, strlen(rows[i].want), "and the same once more");
    }
}

/* Of four members each choice is removed, in both directions, and one is added before or after. */
static void test_many(void)
{
    static const char text[] = "{ \"a\": 0, \"b\": 1, \"c\": 2, \"d\": 3 }";
    unsigned gone, way;

    for (gone = 0; gone < 16; gone++) {
        for (way = 0; way < 4; way++) {
            const char *script = way & 1 ? "+e=4" : "", *want = "", *got;
            ai_splice_t splice;
            int i, left = 0;

            for (i = 0; i < 4; i++) {
                int k = way & 2 ? 3 - i : i;

                if (gone & (1u << k)) {
                    script = apr_psprintf(pool, "%s -%c", script, 'a' + k);
                }
                if (!(gone & (1u << i))) {
                    want = apr_psprintf(pool, "%s%s\"%c\": %d", want, left++ ? ", " : "", 'a' + i, i);
                }
            }
            if (!(way & 1)) {
                script = apr_pstrcat(pool, script, " +e=4", NULL);
            }
            want = left ? apr_pstrcat(pool, "{ ", want, ",\"e\":4 }", NULL) : "{\"e\":4}";
            ai_splice_begin(pool, &splice, AI_SLICE(text));
            ok(play(&splice, splice.text, script) == APR_SUCCESS, "%s: taken", script);
            got = result(&splice);
            is_bytes(got, strlen(got), want, strlen(want), script);
        }
    }
}

/* A removal that is refused leaves what was there before, also other removals. */
static void test_refused_removal(void)
{
    ai_splice_t splice;
    const char *got;

    ai_splice_begin(pool, &splice, AI_SLICE("{\"a\":1,\"b\":2,\"c\":3}"));
    ok(play(&splice, splice.text, "-a +b=9") == APR_SUCCESS, "one removed, one set");
    ok(ai_splice_remove(&splice, splice.text, "b") == APR_EINVAL, "what was set stays");
    got = result(&splice);
    is_bytes(got, strlen(got), "{\"b\":9,\"c\":3}", 13, "and so does the other removal");
    ok(ai_splice_remove(&splice, splice.text, "c") == APR_SUCCESS, "another one can go");
    got = result(&splice);
    is_bytes(got, strlen(got), "{\"b\":9}", 7, "both are gone");
}

static void test_refusals(void)
{
    static const struct {
        const char *text;
        const char *script;
        apr_status_t rv;
        const char *what;
    } bad[] = {
        { "{\"a\":1}", "-b", APR_NOTFOUND, "remove what is not there" },
        { "{}", "-a", APR_NOTFOUND, "remove from an empty object" },
        { "{\"a\":1,\"b\":2,\"c\":3}", "-a -b -a", APR_NOTFOUND, "remove one twice" },
        { "{\"a\":1}", "+a=2 +a=3", APR_EINVAL, "set one value twice" },
        { "{\"a\":1,\"b\":2}", "+a=2 -a", APR_EINVAL, "remove what was set" },
        { "{\"a\":1,\"b\":2}", "-a +a=2", APR_EINVAL, "set what was removed" },
        { "{\"a\":{\"x\":1}}", "+a=2 /a +x=3", APR_EINVAL, "an edit in what is replaced" },
        { "{\"a\":{\"x\":1}}", "/a +x=3 / +a=2", APR_EINVAL, "replace what was edited" },
        { "{\"a\":{}}", "/a +x=3 / -a", APR_EINVAL, "remove what was added to" },
        { "[1]", "+a=2", APR_EINVAL, "set in an array" },
        { "[1]", "-a", APR_EINVAL, "remove from an array" },
        { "{\"a\":1}", "/a +x=2", APR_EINVAL, "set in a number" },
        { "{\"a\":1}", "/none +x=2", APR_EINVAL, "set in what is not there" },
    };
    ai_splice_t splice;
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ai_splice_begin(pool, &splice, ai_slice_of(bad[i].text));
        is_number(play(&splice, splice.text, bad[i].script), bad[i].rv, bad[i].what);
    }
    ai_splice_begin(pool, &splice, AI_SLICE("{\"a\":1"));
    ok(ai_splice_set(&splice, splice.text, "b", AI_SLICE("2")) == APR_EINVAL, "a cut object");
    ok(ai_splice_set(&splice, AI_SLICE("{}"), "b", AI_SLICE("2")) == APR_EINVAL,
       "an object that is not of the text");
}

static void test_replace(void)
{
    static const char text[] = "0123456789";
    ai_splice_t splice;
    ai_slice_t part = { text + 2, 3 };
    const char *got;

    ai_splice_begin(pool, &splice, AI_SLICE(text));
    ok(ai_splice_replace(&splice, part, AI_SLICE("abc")) == APR_SUCCESS, "replace");
    part = (ai_slice_t){ text + 8, 2 };
    ok(ai_splice_replace(&splice, part, AI_SLICE("")) == APR_SUCCESS, "delete at the end");
    part = (ai_slice_t){ text + 5, 0 };
    ok(ai_splice_replace(&splice, part, AI_SLICE("<")) == APR_SUCCESS, "insert behind an edit");
    ok(ai_splice_replace(&splice, part, AI_SLICE(">")) == APR_SUCCESS, "insert there again");
    part = (ai_slice_t){ text + 2, 0 };
    ok(ai_splice_replace(&splice, part, AI_SLICE("(")) == APR_SUCCESS, "insert before an edit");
    part = (ai_slice_t){ text, 0 };
    ok(ai_splice_replace(&splice, part, AI_SLICE("^")) == APR_SUCCESS, "insert at the beginning");
    part = (ai_slice_t){ text + 10, 0 };
    ok(ai_splice_replace(&splice, part, AI_SLICE("$")) == APR_SUCCESS, "insert at the end");
    part = (ai_slice_t){ text, 1 };
    ok(ai_splice_replace(&splice, part, AI_SLICE("zero")) == APR_SUCCESS, "replace the first byte");
    got = result(&splice);
    is_bytes(got, strlen(got), "^zero1(abc<>567$", 16, "all in their places");

    part = (ai_slice_t){ text + 3, 0 };
    ok(ai_splice_replace(&splice, part, AI_SLICE("x")) == APR_EINVAL, "insert inside an edit");
    part = (ai_slice_t){ text + 1, 2 };
    ok(ai_splice_replace(&splice, part, AI_SLICE("x")) == APR_EINVAL, "overlap from the left");
    part = (ai_slice_t){ text + 4, 2 };
    ok(ai_splice_replace(&splice, part, AI_SLICE("x")) == APR_EINVAL, "overlap from the right");
    part = (ai_slice_t){ text + 1, 9 };
    ok(ai_splice_replace(&splice, part, AI_SLICE("x")) == APR_EINVAL, "around others");
    part = (ai_slice_t){ text + 9, 2 };
    ok(ai_splice_replace(&splice, part, AI_SLICE("x")) == APR_EINVAL, "past the end");
    part = (ai_slice_t){ NULL, 0 };
    ok(ai_splice_replace(&splice, part, AI_SLICE("x")) == APR_EINVAL, "nowhere");
    got = result(&splice);
    is_bytes(got, strlen(got), "^zero1(abc<>567$", 16, "what was refused changed nothing");
}

static void test_no_copies(void)
{
    static const char text[] = "{\"a\":1}";
    apr_array_header_t *slices;
    ai_splice_t splice;
    apr_size_t total;

    ai_splice_begin(pool, &splice, (ai_slice_t){ text, sizeof(text) - 1 });
    ai_splice_end(&splice, &slices, &total);
    ok(slices->nelts == 1 && APR_ARRAY_IDX(slices, 0, ai_slice_t).p == text
       && total == sizeof(text) - 1, "without an edit the result is the text itself");
    ai_splice_begin(pool, &splice, (ai_slice_t){ NULL, 0 });
    ai_splice_end(&splice, &slices, &total);
    ok(slices->nelts == 0 && total == 0, "nothing stays nothing");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_rows();
    test_many();
    test_refused_removal();
    test_refusals();
    test_replace();
    test_no_copies();
    apr_terminate();
    return done();
}
