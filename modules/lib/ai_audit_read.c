/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_audit_read.c - what does a record say?
 *
 * Lives in: the caller's pool.  Shared state: none.  May block: no.
 */
#include <apr_strings.h>
#include <apr_tables.h>

#include "ai_audit_member.h"
#include "ai_when.h"

/* How deep a record nests, with room for members of later versions. */
#define DEPTH 16

typedef struct in_t {
    apr_pool_t *p;
    const char *wrong; /* or NULL */
} in_t;

static int read_members(in_t *in, const ai_audit_shape_t *shape, ai_slice_t object, void *base);

/* The name without quotes and colon. */
static ai_slice_t bare(const ai_audit_member_t *member)
{
    return (ai_slice_t){ member->name.p + 1, member->name.n - 3 };
}

static int fail(in_t *in, const ai_audit_member_t *member, const char *must)
{
    ai_slice_t name = bare(member);

    in->wrong = apr_psprintf(in->p, "the member '%.*s' %s", (int)name.n, name.p, must);
    return 0;
}

static int read_text(in_t *in, const ai_audit_member_t *member, ai_slice_t value, void *to)
{
    return ai_json_string(in->p, value, to, NULL) == APR_SUCCESS
           || fail(in, member, "is no string, or has a NUL");
}

/* "2026-11-21T21:23:12.123456Z". */
static int read_time(in_t *in, const ai_audit_member_t *member, ai_slice_t value, apr_time_t *to)
{
    apr_int64_t us = 0;
    const char *text;
    apr_size_t i;

    if (ai_json_string(in->p, value, &text, NULL) != APR_SUCCESS || strlen(text) != 27
        || text[19] != '.' || text[26] != 'Z'
        || !ai_when_read(apr_pstrcat(in->p, apr_pstrmemdup(in->p, text, 19), "Z", NULL), to)) {
        return fail(in, member, "is no time as 2026-11-21T21:23:12.123456Z");
    }
    for (i = 20; i < 26; i++) {
        if (!apr_isdigit(text[i])) {
            return fail(in, member, "is no time as 2026-11-21T21:23:12.123456Z");
        }
        us = us * 10 + (text[i] - '0');
    }
    *to += us;
    return 1;
}

static int read_number(in_t *in, const ai_audit_member_t *member, ai_slice_t value,
                       apr_int64_t least, apr_int64_t *to)
{
    return (ai_json_int(value, to) == APR_SUCCESS && *to >= least)
           || fail(in, member, "is no whole number in its range");
}

static int read_sign(in_t *in, const ai_audit_member_t *member, ai_slice_t value, int *to)
{
    apr_int64_t number;

    if (!read_number(in, member, value, -1, &number)) {
        return 0;
    }
    if (number > 1) {
        return fail(in, member, "is none of -1, 0, 1");
    }
    to[0] = 1;
    to[1] = (int)number;
    return 1;
}

/* Of a struct of a list: no number is known. */
static void *clear(const ai_audit_shape_t *shape, void *base)
{
    int i;

    for (i = 0; i < shape->n; i++) {
        if (shape->members[i].kind == AI_AUDIT_COUNT) {
            *(apr_int64_t *)ai_audit_at(base, &shape->members[i]) = AI_AUDIT_UNKNOWN;
        }
    }
    return base;
}

static int read_list(in_t *in, const ai_audit_member_t *member, ai_slice_t value, void *to)
{
    apr_array_header_t *found = apr_array_make(in->p, 4, (int)member->of->size);
    ai_audit_list_t list;
    ai_json_member_t next;
    ai_json_walk_t walk;

    if (!ai_json_walk(&walk, value) || walk.is_object) {
        return fail(in, member, "is no array");
    }
    while (ai_json_next(&walk, &next) > 0) {
        if (!read_members(in, member->of, next.value,
                          clear(member->of, apr_array_push(found)))) {
            return 0;
        }
    }
    list.list = found->elts;
    list.n = found->nelts;
    memcpy(to, &list, sizeof(list));
    return 1;
}

static int read_pair(in_t *in, const ai_audit_member_t *member, const ai_json_member_t *from,
                     ai_audit_pair_t *pair)
{
    /* The key's own quotes stand around it. */
    ai_slice_t name = { from->key.p - 1, from->key.n + 2 };

    pair->type = ai_json_type(from->value);
    if (ai_json_string(in->p, name, &pair->name, NULL) != APR_SUCCESS) {
        return fail(in, member, "has a name with a NUL");
    }
    if (pair->type == AI_JSON_STRING) {
        return read_text(in, member, from->value, &pair->value);
    }
    if (pair->type != AI_JSON_NUMBER && pair->type != AI_JSON_BOOL) {
        return fail(in, member, "has a value that is no string, number, true or false");
    }
    pair->value = apr_pstrmemdup(in->p, from->value.p, from->value.n);
    return 1;
}

static int read_pairs(in_t *in, const ai_audit_member_t *member, ai_slice_t value,
                      ai_audit_pairs_t *to)
{
    apr_array_header_t *found = apr_array_make(in->p, 4, sizeof(ai_audit_pair_t));
    ai_json_member_t next;
    ai_json_walk_t walk;

    if (!ai_json_walk(&walk, value) || !walk.is_object) {
        return fail(in, member, "is no object");
    }
    while (ai_json_next(&walk, &next) > 0) {
        if (!read_pair(in, member, &next, apr_array_push(found))) {
            return 0;
        }
    }
    to->list = (const ai_audit_pair_t *)found->elts;
    to->n = found->nelts;
    return 1;
}

static int read_member(in_t *in, const ai_audit_member_t *member, ai_slice_t value, void *to)
{
    apr_int64_t version;

    switch (member->kind) {
    case AI_AUDIT_VERSION:
        return (ai_json_int(value, &version) == APR_SUCCESS && version == 1)
               || fail(in, member, "is not 1: a record of another version");
    case AI_AUDIT_TEXT:
    case AI_AUDIT_CUT:
        return read_text(in, member, value, to);
    case AI_AUDIT_TIME:
        return read_time(in, member, value, to);
    case AI_AUDIT_COUNT:
        return read_number(in, member, value, 0, to);
    case AI_AUDIT_SIGN:
        return read_sign(in, member, value, to);
    case AI_AUDIT_TRUE:
        if (ai_json_type(value) != AI_JSON_BOOL) {
            return fail(in, member, "is neither true nor false");
        }
        *(int *)to = ai_json_bool(value, 0);
        return 1;
    case AI_AUDIT_JSON:
        if (ai_json_type(value) != AI_JSON_ARRAY) {
            return fail(in, member, "is no array");
        }
        *(const char **)to = apr_pstrmemdup(in->p, value.p, value.n);
        return 1;
    case AI_AUDIT_OBJECT:
        return read_members(in, member->of, value, to);
    case AI_AUDIT_LIST:
        return read_list(in, member, value, to);
    default:
        return read_pairs(in, member, value, to);
    }
}

/* The member of that name, or NULL. Nobody writes such a name with escapes. */
static const ai_audit_member_t *find(const ai_audit_shape_t *shape, ai_slice_t key)
{
    int i;

    for (i = 0; i < shape->n; i++) {
        ai_slice_t name = bare(&shape->members[i]);

        if (name.n == key.n && memcmp(name.p, key.p, key.n) == 0) {
            return &shape->members[i];
        }
    }
    return NULL;
}

static int read_members(in_t *in, const ai_audit_shape_t *shape, ai_slice_t object, void *base)
{
    const ai_audit_member_t *member;
    ai_json_member_t next;
    ai_json_walk_t walk;

    if (!ai_json_walk(&walk, object) || !walk.is_object) {
        in->wrong = "it is no object, or has something else where an object must be";
        return 0;
    }
    while (ai_json_next(&walk, &next) > 0) {
        member = find(shape, next.key);
        if (member && !read_member(in, member, next.value, ai_audit_at(base, member))) {
            return 0;
        }
    }
    return 1;
}

static int has(const ai_json_doc_t *doc, const ai_audit_shape_t *shape,
               const ai_audit_member_t *member)
{
    int i;

    for (i = 0; i < doc->n_members && find(shape, doc->members[i].key) != member; i++) {
    }
    return i < doc->n_members;
}

/* All of a text: its first three members must be there. */
static apr_status_t read_record(apr_pool_t *p, const ai_audit_shape_t *shape, ai_slice_t json,
                                void *record, const char **wrong)
{
    in_t in = { p, NULL };
    ai_json_error_t error;
    ai_json_doc_t doc;
    int i;

    if (json.n > AI_AUDIT_MOST) {
        *wrong = "it is longer than any record";
        return APR_EINVAL;
    }
    if (ai_json_parse(p, json, DEPTH, &doc, &error) != APR_SUCCESS) {
        *wrong = apr_psprintf(p, "it is no JSON: %s at byte %" APR_SIZE_T_FMT, error.reason,
                              error.offset);
        return APR_EINVAL;
    }
    if (read_members(&in, shape, doc.root, record)) {
        for (i = 0; i < 3 && has(&doc, shape, &shape->members[i]); i++) {
        }
        if (i < 3) {
            fail(&in, &shape->members[i], "is missing");
        }
    }
    *wrong = in.wrong;
    return in.wrong ? APR_EINVAL : APR_SUCCESS;
}

apr_status_t ai_audit_record_read(apr_pool_t *p, ai_slice_t json, ai_audit_record_t *record,
                                  const char **wrong)
{
    ai_audit_record_clear(record);
    return read_record(p, &ai_audit_record_shape, json, record, wrong);
}

apr_status_t ai_audit_note_read(apr_pool_t *p, ai_slice_t json, ai_audit_note_t *note,
                                const char **wrong)
{
    ai_audit_note_clear(note);
    return read_record(p, &ai_audit_note_shape, json, note, wrong);
}
