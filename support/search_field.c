/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_field.c - which field does a word name, and what is it of this call?
 */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "search.h"

/* Fields that are columns have the names of their members: of those that are none, or have another
 * name, too. */
static const struct { const char *name, *column; } others[] = {
    { "id", "id" },          { "estimated", "estimated" }, { "cost", "cost_nanousd" },
    { "saved", "saved_nanousd" }, { "trace", "trace_id" },
};

#define OTHERS_N ((int)(sizeof(others) / sizeof(others[0])))

/* What stands in the record alone. */
static const struct {
    const char *name;
    search_kind_e kind;
} members[] = {
    { "v", SEARCH_NUMBER },
    { "server", SEARCH_TEXT },
    { "label", SEARCH_TEXT },
    { "method", SEARCH_TEXT },
    { "path", SEARCH_TEXT },
    { "reserved.prompt", SEARCH_NUMBER },
    { "reserved.completion", SEARCH_NUMBER },
    { "provider_id", SEARCH_TEXT },
    { "attempts.target", SEARCH_TEXT },
    { "attempts.model", SEARCH_TEXT },
    { "attempts.status", SEARCH_NUMBER },
    { "attempts.reason", SEARCH_TEXT },
    { "attempts.us", SEARCH_NUMBER },
    { "dropped", SEARCH_TEXT },
    { "tokens.written_1h", SEARCH_NUMBER },
    { "tokens.prompt_audio", SEARCH_NUMBER },
    { "tokens.prompt_image", SEARCH_NUMBER },
    { "tokens.completion_audio", SEARCH_NUMBER },
    { "tokens.completion_image", SEARCH_NUMBER },
    { "tokens.searches", SEARCH_NUMBER },
    { "tokens.seconds", SEARCH_NUMBER },
    { "tokens.images", SEARCH_NUMBER },
    { "tokens.characters", SEARCH_NUMBER },
    { "tokens.service", SEARCH_TEXT },
    { "cost.price", SEARCH_TEXT },
    { "us.head", SEARCH_NUMBER },
    { "prompt.bytes", SEARCH_NUMBER },
    { "prompt.sha256", SEARCH_TEXT },
    { "prompt.kept", SEARCH_TEXT },
    { "prompt.parts", SEARCH_NUMBER },
    { "prompt.lost", SEARCH_TEXT },
    { "answer.bytes", SEARCH_NUMBER },
    { "answer.sha256", SEARCH_TEXT },
    { "answer.kept", SEARCH_TEXT },
    { "answer.parts", SEARCH_NUMBER },
    { "answer.lost", SEARCH_TEXT },
    { "trace.span", SEARCH_TEXT },
    { "trace.parent", SEARCH_TEXT },
    { "road.stage", SEARCH_TEXT },
    { "road.decision", SEARCH_TEXT },
    { "road.reason", SEARCH_TEXT },
    { "road.us", SEARCH_NUMBER },
    { "cut", SEARCH_TEXT },
};

#define MEMBERS_N ((int)(sizeof(members) / sizeof(members[0])))

/* Objects with names of the caller's, or of the site's. */
static const char *const objects[] = { "metadata", "headers", "notes" };

#define OBJECTS_N ((int)(sizeof(objects) / sizeof(objects[0])))

static search_kind_e kind_of(const ai_audit_column_t *column, int i)
{
    return i == AI_AUDIT_CALL_ESTIMATED || column->kind == AI_AUDIT_FLAG ? SEARCH_FLAG
           : column->kind == AI_AUDIT_TIME ? SEARCH_TIME
           : column->kind == AI_AUDIT_WORD ? SEARCH_TEXT : SEARCH_NUMBER;
}

static const char *name_of(apr_pool_t *p, const ai_audit_column_t *column)
{
    return column->inner ? apr_pstrcat(p, column->member, ".", column->inner, NULL)
           : column->member ? column->member : column->name;
}

static void fill_column(int i, const char *name, search_field_t *field)
{
    const ai_audit_column_t *column = &ai_audit_call_columns[i];

    *field = (search_field_t){ name, kind_of(column, i), i, NULL, column->member, column->inner };
}

int search_field_column(apr_pool_t *p, int i, search_field_t *field)
{
    /* Where its record lies is nothing to be searched by. */
    if (i >= AI_AUDIT_CALL_FRAME) {
        return 0;
    }
    fill_column(i, name_of(p, &ai_audit_call_columns[i]), field);
    return 1;
}

/* "member.inner", its texts in p. */
static void fill_member(apr_pool_t *p, const char *name, search_kind_e kind, search_field_t *field)
{
    const char *dot = strchr(name, '.');

    *field = (search_field_t){ name, kind, -1, NULL, name, NULL };
    if (dot) {
        field->member = apr_pstrmemdup(p, name, (apr_size_t)(dot - name));
        field->inner = dot + 1;
    }
}

static int find_column(apr_pool_t *p, const char *name, search_field_t *field)
{
    int i, k;

    for (i = 0; search_field_column(p, i, field); i++) {
        if (strcmp(name, field->name) == 0) {
            return 1;
        }
    }
    for (k = 0; k < OTHERS_N; k++) {
        for (i = 0; strcmp(name, others[k].name) == 0 && i < AI_AUDIT_CALL_COLUMNS; i++) {
            if (strcmp(others[k].column, ai_audit_call_columns[i].name) == 0) {
                fill_column(i, others[k].name, field);
                return 1;
            }
        }
    }
    return 0;
}

const char *search_field_names(apr_pool_t *p)
{
    const char *all = "id";
    search_field_t field;
    int i;

    for (i = 1; search_field_column(p, i, &field); i++) {
        all = apr_pstrcat(p, all, ", ", field.name, NULL);
    }
    for (i = 0; i < OTHERS_N; i++) {
        if (strcmp(others[i].name, others[i].column) != 0) {
            all = apr_pstrcat(p, all, ", ", others[i].name, NULL);
        }
    }
    for (i = 0; i < MEMBERS_N; i++) {
        all = apr_pstrcat(p, all, ", ", members[i].name, NULL);
    }
    for (i = 0; i < OBJECTS_N; i++) {
        all = apr_pstrcat(p, all, ", ", objects[i], ".NAME", NULL);
    }
    return apr_pstrcat(p, all, ", feedback, score", NULL);
}

const char *search_field_find(apr_pool_t *p, const char *name, search_field_t *field)
{
    apr_size_t n;
    int i;

    name = apr_pstrdup(p, name);
    if (find_column(p, name, field)) {
        return NULL;
    }
    if (strcmp(name, "feedback") == 0 || strcmp(name, "score") == 0) {
        *field = (search_field_t){ name, SEARCH_NUMBER, -1, name, NULL, NULL };
        return NULL;
    }
    for (i = 0; i < MEMBERS_N; i++) {
        if (strcmp(name, members[i].name) == 0) {
            fill_member(p, name, members[i].kind, field);
            return NULL;
        }
    }
    for (i = 0; i < OBJECTS_N; i++) {
        n = strlen(objects[i]);
        if (strncmp(name, objects[i], n) == 0 && name[n] == '.' && name[n + 1]) {
            fill_member(p, name, SEARCH_TEXT, field);
            return NULL;
        }
    }
    return apr_psprintf(p, "there is no field '%s', but %s",
                        search_visible(p, ai_slice_of(name)), search_field_names(p));
}

/* -------------------------------------------------------------------------------- values */

static void push(apr_pool_t *p, apr_array_header_t *values, ai_slice_t json)
{
    search_value_t *value;
    const char *text;
    apr_size_t n;

    if (!json.n || ai_json_type(json) == AI_JSON_NULL) {
        return;
    }
    value = apr_array_push(values);
    value->json = value->text = json;
    if (ai_json_type(json) == AI_JSON_STRING && ai_json_string(p, json, &text, &n) == APR_SUCCESS) {
        value->text = (ai_slice_t){ text, n };
    }
}

static void of_column(apr_pool_t *p, const char *text, search_kind_e kind,
                      apr_array_header_t *values)
{
    search_value_t *value;

    if (!text || (kind == SEARCH_TEXT && !*text)) {
        return;
    }
    value = apr_array_push(values);
    value->text = ai_slice_of(text);
    value->json = kind == SEARCH_NUMBER ? value->text
                  : kind == SEARCH_FLAG ? ai_slice_of(*text == '1' ? "true" : "false")
                  : kind == SEARCH_TIME ? ai_json_quote(p, ai_slice_of(search_when(p, apr_atoi64(text))))
                                        : ai_json_quote(p, value->text);
}

apr_array_header_t *search_values(apr_pool_t *p, const search_row_t *row,
                                  const search_field_t *field)
{
    apr_array_header_t *values = apr_array_make(p, 1, sizeof(search_value_t));
    ai_json_member_t element;
    ai_json_walk_t walk;
    ai_slice_t outer;

    if (field->column >= 0) {
        of_column(p, row->values[field->column], field->kind, values);
        return values;
    }
    if (!field->member || !row->record.n) {
        return values;
    }
    outer = ai_json_get(row->record, field->member);
    if (!field->inner) {
        push(p, values, outer);
    }
    else if (ai_json_type(outer) == AI_JSON_OBJECT) {
        push(p, values, ai_json_get(outer, field->inner));
    }
    else if (ai_json_type(outer) == AI_JSON_ARRAY && ai_json_walk(&walk, outer)) {
        while (ai_json_next(&walk, &element) > 0) {
            if (ai_json_type(element.value) == AI_JSON_OBJECT) {
                push(p, values, ai_json_get(element.value, field->inner));
            }
        }
    }
    return values;
}
