/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_schema.c - which value fits this JSON schema?
 *
 * Only what structured outputs and tool parameters use: types, properties, items, enum, const,
 * the first branch of anyOf/oneOf/allOf, and a local $ref.
 */
#include <string.h>

#include "ai_sim.h"

#define DEPTH_MAX 32
#define DEPTH_SHORT 8            /* from here on a schema that contains itself is led to an end */
#define LENGTH_MAX 65536

/* Follows "#/a/b" from the root. */
static text_t resolve(text_t root, text_t reference)
{
    buf_t path = { NULL, 0, 0 };
    text_t at = root;
    size_t i = 1;

    json_decode(reference, &path);
    if (path.len == 0 || path.p[0] != '#') {
        i = path.len;
        at = (text_t) { NULL, 0 };
    }
    buf_add(&path, "/", 1);
    while (i + 1 < path.len) {
        char *name = path.p + i + 1;
        char *slash = memchr(name, '/', path.len - i - 1);

        *slash = '\0';
        at = json_get(at, name);
        i += (size_t)(slash - name) + 1;
    }
    buf_free(&path);
    return at;
}

static text_t first_item(text_t list)
{
    text_t item = { NULL, 0 };
    size_t pos = 0;

    json_next_item(list, &pos, &item);
    return item;
}

static text_t last_item(text_t list)
{
    text_t item = { NULL, 0 };
    size_t pos = 0;

    while (json_next_item(list, &pos, &item)) {
    }
    return item;
}

/* The schema that stands for this one: its $ref, or a branch: the first, deep down the last, which
 * is where people write null. */
static text_t branch_of(text_t schema, text_t root, int depth)
{
    static const char *const names[] = { "anyOf", "oneOf", "allOf" };
    text_t branch = json_get(schema, "$ref");
    size_t i;

    if (branch.p) {
        return resolve(root, branch);
    }
    for (i = 0; i < sizeof(names) / sizeof(names[0]) && !branch.p; i++) {
        text_t list = json_get(schema, names[i]);

        branch = depth > DEPTH_SHORT ? last_item(list) : first_item(list);
    }
    return branch;
}

static void add_object(text_t schema, text_t root, int depth, buf_t *out)
{
    text_t properties = json_get(schema, "properties"), name, value;
    const char *comma = "";
    size_t pos = 0;

    buf_str(out, "{");
    while (json_next_member(properties, &pos, &name, &value)) {
        buf_fmt(out, "%s\"%.*s\":", comma, (int)name.n, name.p);
        schema_example(value, root, depth + 1, out);
        comma = ",";
    }
    buf_str(out, "}");
}

static void add_array(text_t schema, text_t root, int depth, buf_t *out)
{
    text_t items = json_get(schema, "items");
    long i, count = json_number(json_get(schema, "minItems"), 100);

    count = depth > DEPTH_SHORT ? 0 : count > 1 ? count : 1;
    buf_str(out, "[");
    for (i = 0; items.p && i < count; i++) {
        buf_str(out, i ? "," : "");
        schema_example(items, root, depth + 1, out);
    }
    buf_str(out, "]");
}

static void add_number(text_t schema, const char *usual, buf_t *out)
{
    text_t minimum = json_get(schema, "minimum");

    if (minimum.p) {
        buf_add(out, minimum.p, minimum.n);
    }
    else {
        buf_str(out, usual);
    }
}

/* The type's name; of several the first that is not null. */
static text_t type_of(text_t schema)
{
    text_t type = json_get(schema, "type"), item;
    size_t pos = 0;

    if (type.n && *type.p == '[') {
        text_t list = type;

        type = first_item(list);
        while (text_is(type, "\"null\"") && json_next_item(list, &pos, &item)) {
            type = item;
        }
    }
    return type;
}

void schema_example(text_t schema, text_t root, int depth, buf_t *out)
{
    text_t fixed = json_get(schema, "const");
    text_t type = type_of(schema);
    text_t branch;

    fixed = fixed.p ? fixed : first_item(json_get(schema, "enum"));
    branch = fixed.p ? fixed : branch_of(schema, root, depth);
    if (depth > DEPTH_MAX || out->len > LENGTH_MAX) {
        buf_str(out, "null");
    }
    else if (fixed.p) {
        buf_add(out, fixed.p, fixed.n);
    }
    else if (branch.p) {
        schema_example(branch, root, depth + 1, out);
    }
    else if (text_is(type, "\"object\"") || json_get(schema, "properties").p) {
        add_object(schema, root, depth, out);
    }
    else if (text_is(type, "\"array\"") || json_get(schema, "items").p) {
        add_array(schema, root, depth, out);
    }
    else if (text_is(type, "\"integer\"")) {
        add_number(schema, "7", out);
    }
    else if (text_is(type, "\"number\"")) {
        add_number(schema, "1.5", out);
    }
    else if (text_is(type, "\"boolean\"")) {
        buf_str(out, "true");
    }
    else if (text_is(type, "\"null\"")) {
        buf_str(out, "null");
    }
    else {
        buf_str(out, "\"word\"");
    }
}
