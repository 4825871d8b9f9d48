/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_json.c - is what ai_json_parse() accepts read alike by json-c and by all our readers?
 *
 * On any bytes the readers must stay inside them and come to an end. On accepted ones json-c must
 * agree value by value, ai_pick must find for any split what ai_json finds, and spliced texts
 * must be accepted again and hold what was put in.
 */
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <json-c/json.h>

#include "ai_json.h"
#include "ai_pick.h"
#include "ai_splice.h"
#include "fuzz.h"

static int is_inside(ai_slice_t whole, ai_slice_t part)
{
    return part.p >= whole.p && part.p + part.n <= whole.p + whole.n;
}

/* Walks over bytes that nobody checked. */
static void walk_any(apr_pool_t *p, ai_slice_t text, int depth)
{
    ai_json_member_t member;
    ai_json_walk_t walk;
    apr_int64_t number;
    apr_size_t len;
    const char *out;

    ai_json_type(text);
    ai_json_string(p, text, &out, &len);
    ai_json_int(text, &number);
    ai_json_string_is(text, "model");
    ai_json_get(text, "model");
    if (!ai_json_walk(&walk, text) || depth == 0) {
        return;
    }
    while (ai_json_next(&walk, &member) > 0) {
        must(is_inside(text, member.value) && member.value.n > 0);
        must(!member.key.p || is_inside(text, member.key));
        ai_json_key_is(member.key, "model");
        ai_json_key_folds(member.key, "MODEL");
        walk_any(p, member.value, depth - 1);
    }
}

static void compare_scalar(apr_pool_t *p, ai_slice_t value, json_object *theirs)
{
    const char *text;
    apr_int64_t number;
    apr_size_t len;

    switch (ai_json_type(value)) {
    case AI_JSON_NULL:
        must(!theirs);
        break;
    case AI_JSON_BOOL:
        must(json_object_is_type(theirs, json_type_boolean));
        must(json_object_get_boolean(theirs) == ai_json_bool(value, -1));
        break;
    case AI_JSON_STRING:
        must(json_object_is_type(theirs, json_type_string));
        must(ai_json_string(p, value, &text, &len) == APR_SUCCESS);
        must((apr_size_t)json_object_get_string_len(theirs) == len);
        must(memcmp(json_object_get_string(theirs), text, len) == 0);
        must(ai_json_string_is(value, text) == (strlen(text) == len));
        break;
    default:
        must(ai_json_type(value) == AI_JSON_NUMBER);
        if (json_object_is_type(theirs, json_type_int)) {
            /* json-c holds what does not fit at its limits. */
            if (ai_json_int(value, &number) == APR_SUCCESS) {
                must(json_object_get_int64(theirs) == number);
            }
            else {
                must(ai_json_int(value, &number) == APR_ERANGE);
            }
        }
        else {
            must(json_object_is_type(theirs, json_type_double));
        }
        break;
    }
}

/* Compares a checked value with json-c's tree. */
static void compare(apr_pool_t *p, ai_slice_t value, json_object *theirs)
{
    json_object *child;
    ai_json_member_t member;
    ai_json_walk_t walk;
    const char *key;
    apr_size_t n = 0;
    int more;

    if (!ai_json_walk(&walk, value)) {
        compare_scalar(p, value, theirs);
        return;
    }
    must(json_object_is_type(theirs, walk.is_object ? json_type_object : json_type_array));
    while ((more = ai_json_next(&walk, &member)) > 0) {
        if (walk.is_object) {
            ai_slice_t quoted = { member.key.p - 1, member.key.n + 2 };

            must(ai_json_string(p, quoted, &key, NULL) == APR_SUCCESS);
            must(ai_json_key_is(member.key, key) && ai_json_key_folds(member.key, key));
            must(json_object_object_get_ex(theirs, key, &child));
            must(ai_json_get(value, key).p == member.value.p);
        }
        else {
            child = json_object_array_get_idx(theirs, n);
        }
        compare(p, member.value, child);
        n++;
    }
    must(more == 0);
    must(n == (walk.is_object ? (apr_size_t)json_object_object_length(theirs)
                              : (apr_size_t)json_object_array_length(theirs)));
}

static void ask_json_c(apr_pool_t *p, const ai_json_doc_t *doc)
{
    json_tokener *tokener = json_tokener_new_ex(AI_JSON_DEPTH + 2);
    const char *text = apr_pstrmemdup(p, doc->text.p, doc->text.n);
    json_object *theirs;

    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    theirs = json_tokener_parse_ex(tokener, text, (int)doc->text.n + 1);
    must(json_tokener_get_error(tokener) == json_tokener_success);
    /* json-c cuts keys at a NUL, and takes an escaped U+1D800 to U+1DFFF (and the like in other
     * planes) for half a pair, which it makes U+FFFD: such texts are not compared. */
    if (!strstr(text, "\\u0000")
        && !strstr(json_object_to_json_string_ext(theirs, JSON_C_TO_STRING_PLAIN),
                   "\xEF\xBF\xBD")) {
        compare(p, doc->root, theirs);
    }
    json_object_put(theirs);
    json_tokener_free(tokener);
}

/* What ai_pick finds in a text that is cut in two, or fed byte by byte. */
static void ask_pick(apr_pool_t *p, const ai_json_doc_t *doc, apr_size_t cut, int single)
{
    static const char *const names[] = { "model", "usage", "a", NULL };
    ai_pick_t *pick = ai_pick_create(p, names, doc->text.n);
    apr_size_t i;
    int name;

    if (single) {
        for (i = 0; i < doc->text.n; i++) {
            ai_pick_feed(pick, doc->text.p + i, 1);
        }
    }
    else {
        ai_pick_feed(pick, doc->text.p, cut);
        ai_pick_feed(pick, doc->text.p + cut, doc->text.n - cut);
    }
    if (ai_json_type(doc->root) != AI_JSON_OBJECT) {
        must(ai_pick_state(pick) == AI_PICK_BROKEN);
        return;
    }
    must(ai_pick_state(pick) == AI_PICK_DONE);
    for (name = 0; names[name]; name++) {
        ai_slice_t ours = ai_pick_get(pick, name), want = ai_json_doc_get(doc, names[name]);

        must(!ours.p == !want.p);
        must(ours.n == want.n && (ours.n == 0 || memcmp(ours.p, want.p, ours.n) == 0));
    }
}

/* Edits an object: sets one member, removes one, and reads what came of it. */
static void edit(apr_pool_t *p, const ai_json_doc_t *doc, int which)
{
    apr_array_header_t *slices;
    const char *victim = NULL;
    ai_json_error_t err;
    ai_splice_t splice;
    ai_json_doc_t after;
    apr_size_t total, at = 0;
    int had = ai_json_doc_get(doc, "model").p != NULL, i;
    char *text;

    ai_splice_begin(p, &splice, doc->text);
    if (which & 1) {
        must(ai_splice_set(&splice, doc->root, "model", AI_SLICE("[\"x\"]")) == APR_SUCCESS);
    }
    if (doc->n_members > 0) {
        ai_slice_t key = doc->members[(which >> 1) % doc->n_members].key;

        key.p--;
        key.n += 2;
        if (ai_json_string(p, key, &victim, NULL) != APR_SUCCESS || strcmp(victim, "model") == 0) {
            victim = NULL;
        }
    }
    must(!victim || ai_splice_remove(&splice, doc->root, victim) == APR_SUCCESS);
    if (!(which & 1)) {
        must(ai_splice_set(&splice, doc->root, "model", AI_SLICE("[\"x\"]")) == APR_SUCCESS);
    }
    ai_splice_end(&splice, &slices, &total);
    text = apr_palloc(p, total + 1);
    for (i = 0; i < slices->nelts; i++) {
        ai_slice_t slice = APR_ARRAY_IDX(slices, i, ai_slice_t);

        memcpy(text + at, slice.p, slice.n);
        at += slice.n;
    }
    must(at == total);
    must(ai_json_parse(p, (ai_slice_t){ text, total }, AI_JSON_DEPTH, &after, &err)
         == APR_SUCCESS);
    must(after.n_members == doc->n_members + !had - (victim != NULL));
    must(ai_slice_is(ai_json_doc_get(&after, "model"), "[\"x\"]"));
    must(!victim || !ai_json_doc_get(&after, victim).p);
}

/* Any bytes quoted are a string that decodes to them, unless they were not UTF-8. */
static void quote(apr_pool_t *p, ai_slice_t text)
{
    ai_slice_t quoted = ai_json_quote(p, text);
    ai_json_error_t err;
    ai_json_doc_t doc;
    const char *back;
    apr_size_t len;

    must(ai_json_parse(p, quoted, 0, &doc, &err) == APR_SUCCESS);
    must(ai_json_string(p, quoted, &back, &len) == APR_SUCCESS);
    back = len == text.n ? back : NULL;
    must(!back || len == 0 || memcmp(back, text.p, len) == 0 || memchr(back, 0xEF, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static apr_pool_t *root;
    ai_slice_t text = { (const char *)bytes, n };
    ai_json_error_t err;
    ai_json_doc_t doc;
    apr_pool_t *pool;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    apr_pool_create(&pool, root);
    walk_any(pool, text, 8);
    quote(pool, text);
    if (ai_json_parse(pool, text, AI_JSON_DEPTH, &doc, &err) == APR_SUCCESS) {
        ask_json_c(pool, &doc);
        ask_pick(pool, &doc, n / 2, 0);
        ask_pick(pool, &doc, bytes[n / 2] % (n + 1), 0);
        ask_pick(pool, &doc, 0, 1);
        if (ai_json_type(doc.root) == AI_JSON_OBJECT && doc.n_members < 100) {
            edit(pool, &doc, bytes[n / 2]);
        }
    }
    else {
        must(err.reason && err.offset <= n);
    }
    apr_pool_destroy(pool);
    return 0;
}
