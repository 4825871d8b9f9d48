/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_splice.c - which bytes of a text are left out, and what stands there instead?
 *
 * Edits are kept sorted and apart from each other. Whether an added member needs a comma before
 * it depends on what else happens to its object, so that is told only at the end.
 */
#include "ai_splice.h"

/* An object with added or removed members. */
typedef struct object_t {
    ai_slice_t text;
    int n_members;               /* that will be left of those it had */
    apr_array_header_t *removed; /* of const char *: where the keys of those begin; or NULL */
} object_t;

typedef struct edit_t {
    apr_size_t offset;
    apr_size_t n;
    ai_slice_t name;  /* of an added member, quoted, with its colon; else absent */
    ai_slice_t with;
    object_t *object; /* that a member is added to; else NULL */
    object_t *gap;    /* that members are removed from; else NULL */
} edit_t;

/* Room for edits and objects: most requests need two or three. */
#define FIRST_EDITS 4

void ai_splice_begin(apr_pool_t *p, ai_splice_t *splice, ai_slice_t text)
{
    splice->text = text;
    splice->edits = apr_array_make(p, FIRST_EDITS, sizeof(edit_t));
    splice->objects = apr_array_make(p, 1, sizeof(object_t *));
    splice->pool = p;
}

static int is_inside(ai_slice_t text, ai_slice_t part)
{
    return part.p && text.p && part.p >= text.p && part.p <= text.p + text.n
           && part.n <= (apr_size_t)(text.p + text.n - part.p);
}

/*
 * Puts an edit in its place: behind those that end at or before it, so insertions at one place
 * stay in the order of the calls, and before the bytes that are replaced there.
 */
static apr_status_t add_edit(ai_splice_t *splice, const edit_t *edit)
{
    edit_t *edits = (edit_t *)splice->edits->elts;
    int i = splice->edits->nelts;

    while (i > 0 && (edits[i - 1].offset > edit->offset
                     || (edits[i - 1].offset == edit->offset && edits[i - 1].n > 0
                         && edit->n == 0))) {
        i--;
    }
    if (i > 0 && edits[i - 1].offset + edits[i - 1].n > edit->offset) {
        return APR_EINVAL;
    }
    if (i < splice->edits->nelts && edit->offset + edit->n > edits[i].offset) {
        return APR_EINVAL;
    }
    apr_array_push(splice->edits);
    edits = (edit_t *)splice->edits->elts;
    memmove(&edits[i + 1], &edits[i], (apr_size_t)(splice->edits->nelts - 1 - i) * sizeof(*edits));
    edits[i] = *edit;
    return APR_SUCCESS;
}

static apr_status_t replace(ai_splice_t *splice, const char *begin, const char *end,
                            ai_slice_t with)
{
    edit_t edit = { 0 };

    edit.offset = (apr_size_t)(begin - splice->text.p);
    edit.n = (apr_size_t)(end - begin);
    edit.with = with;
    return add_edit(splice, &edit);
}

apr_status_t ai_splice_replace(ai_splice_t *splice, ai_slice_t part, ai_slice_t with)
{
    if (!is_inside(splice->text, part)) {
        return APR_EINVAL;
    }
    return replace(splice, part.p, part.p + part.n, with);
}

/* A member of an object, and the last one. */
typedef struct place_t {
    ai_json_member_t found; /* absent value: there is none of that name */
    ai_json_member_t last;
    int n_members;
} place_t;

static apr_status_t find_place(const ai_splice_t *splice, ai_slice_t object, const char *name,
                               place_t *place)
{
    ai_json_member_t member;
    ai_json_walk_t walk;
    int more;

    memset(place, 0, sizeof(*place));
    if (!is_inside(splice->text, object) || ai_json_type(object) != AI_JSON_OBJECT
        || object.p[object.n - 1] != '}' || !ai_json_walk(&walk, object)) {
        return APR_EINVAL;
    }
    while ((more = ai_json_next(&walk, &member)) > 0) {
        if (!place->found.value.p && ai_json_key_is(member.key, name)) {
            place->found = member;
        }
        place->last = member;
        place->n_members++;
    }
    return more < 0 ? APR_EINVAL : APR_SUCCESS;
}

/* What is known of an object; objects are told apart by where they begin. */
static object_t *object_at(ai_splice_t *splice, ai_slice_t text, int n_members)
{
    object_t **objects = (object_t **)splice->objects->elts;
    object_t *object;
    int i;

    for (i = 0; i < splice->objects->nelts; i++) {
        if (objects[i]->text.p == text.p) {
            return objects[i];
        }
    }
    object = apr_pcalloc(splice->pool, sizeof(*object));
    object->text = text;
    object->n_members = n_members;
    *(object_t **)apr_array_push(splice->objects) = object;
    return object;
}

/* A key with its quotes and colon. */
static ai_slice_t key_text(apr_pool_t *p, const char *name)
{
    ai_slice_t quoted = ai_json_quote(p, ai_slice_of(name));
    char *text = apr_palloc(p, quoted.n + 1);

    memcpy(text, quoted.p, quoted.n);
    text[quoted.n] = ':';
    return (ai_slice_t){ text, quoted.n + 1 };
}

apr_status_t ai_splice_set(ai_splice_t *splice, ai_slice_t object, const char *name,
                           ai_slice_t value)
{
    const char *at;
    place_t place;
    edit_t edit = { 0 };

    if (find_place(splice, object, name, &place) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    if (place.found.value.p) {
        return ai_splice_replace(splice, place.found.value, value);
    }
    at = place.last.value.p ? place.last.value.p + place.last.value.n : object.p + 1;
    edit.offset = (apr_size_t)(at - splice->text.p);
    edit.name = key_text(splice->pool, name);
    edit.with = value;
    edit.object = object_at(splice, object, place.n_members);
    return add_edit(splice, &edit);
}

/* ------------------------------------------------------------------------- removing */

static int is_removed(const object_t *object, ai_slice_t key)
{
    int i;

    for (i = 0; i < object->removed->nelts; i++) {
        if (APR_ARRAY_IDX(object->removed, i, const char *) == key.p) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t open_gap(ai_splice_t *splice, object_t *object, const char *begin,
                             const char *end)
{
    edit_t edit = { 0 };

    edit.offset = (apr_size_t)(begin - splice->text.p);
    edit.n = (apr_size_t)(end - begin);
    edit.gap = object;
    return edit.n ? add_edit(splice, &edit) : APR_SUCCESS;
}

static void close_gaps(ai_splice_t *splice, const object_t *object)
{
    edit_t *edits = (edit_t *)splice->edits->elts;
    int i, n = 0;

    for (i = 0; i < splice->edits->nelts; i++) {
        if (edits[i].gap != object) {
            edits[n++] = edits[i];
        }
    }
    splice->edits->nelts = n;
}

/*
 * One gap for each run of removed members. Where a member follows, from the first key to that
 * one's, so that it stands where the first stood; at the end from the last value that is kept.
 */
static apr_status_t open_gaps(ai_splice_t *splice, object_t *object)
{
    const char *kept_end = NULL, *run = NULL, *last_end = NULL;
    const char *close = object->text.p + object->text.n - 1;
    ai_json_member_t member;
    ai_json_walk_t walk;
    apr_status_t rv = APR_SUCCESS;

    ai_json_walk(&walk, object->text);
    while (rv == APR_SUCCESS && ai_json_next(&walk, &member) > 0) {
        last_end = member.value.p + member.value.n;
        if (is_removed(object, member.key)) {
            run = run ? run : member.key.p - 1;
            continue;
        }
        if (run) {
            rv = open_gap(splice, object, run, member.key.p - 1);
            run = NULL;
        }
        kept_end = last_end;
    }
    if (rv == APR_SUCCESS && run && kept_end) {
        rv = open_gap(splice, object, kept_end, last_end);
    }
    else if (rv == APR_SUCCESS && run) {
        /* All between the brackets, in two parts: members are added where the last one ended. */
        rv = open_gap(splice, object, object->text.p + 1, last_end);
        if (rv == APR_SUCCESS) {
            rv = open_gap(splice, object, last_end, close);
        }
    }
    return rv;
}

apr_status_t ai_splice_remove(ai_splice_t *splice, ai_slice_t object, const char *name)
{
    apr_array_header_t *before;
    object_t *known;
    place_t place;
    apr_status_t rv;

    if (find_place(splice, object, name, &place) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    if (!place.found.value.p) {
        return APR_NOTFOUND;
    }
    known = object_at(splice, object, place.n_members);
    if (!known->removed) {
        known->removed = apr_array_make(splice->pool, FIRST_EDITS, sizeof(const char *));
    }
    if (is_removed(known, place.found.key)) {
        return APR_NOTFOUND;
    }
    /* Which bytes go depends on what else goes: the object's gaps are made anew. */
    before = apr_array_copy(splice->pool, splice->edits);
    close_gaps(splice, known);
    APR_ARRAY_PUSH(known->removed, const char *) = place.found.key.p;
    rv = open_gaps(splice, known);
    if (rv == APR_SUCCESS) {
        known->n_members--;
    }
    else {
        known->removed->nelts--;
        splice->edits = before;
    }
    return rv;
}

/* ------------------------------------------------------------------------ the result */

static void emit(apr_array_header_t *slices, apr_size_t *total, ai_slice_t slice)
{
    if (slice.n > 0) {
        *(ai_slice_t *)apr_array_push(slices) = slice;
        *total += slice.n;
    }
}

/* 1 if the member added by edit i is the first of its object as it will be. */
static int comes_first(const edit_t *edits, int i)
{
    const object_t *object = edits[i].object;

    if (object->n_members > 0) {
        return 0;
    }
    while (i-- > 0) {
        if (edits[i].object == object) {
            return 0;
        }
    }
    return 1;
}

void ai_splice_end(const ai_splice_t *splice, apr_array_header_t **slices, apr_size_t *total)
{
    const edit_t *edits = (const edit_t *)splice->edits->elts;
    int n = splice->edits->nelts, i;
    apr_size_t at = 0;

    *slices = apr_array_make(splice->pool, n * 4 + 1, sizeof(ai_slice_t));
    *total = 0;
    for (i = 0; i < n; i++) {
        emit(*slices, total, (ai_slice_t){ splice->text.p + at, edits[i].offset - at });
        if (edits[i].object && !comes_first(edits, i)) {
            emit(*slices, total, AI_SLICE(","));
        }
        emit(*slices, total, edits[i].name);
        emit(*slices, total, edits[i].with);
        at = edits[i].offset + edits[i].n;
    }
    if (splice->text.p) {
        emit(*slices, total, (ai_slice_t){ splice->text.p + at, splice->text.n - at });
    }
}
