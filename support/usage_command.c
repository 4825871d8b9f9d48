/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage_command.c - who used how much, and what did it cost? aictl usage.
 *
 * The database adds up, where it can: whole numbers, which it does without loss. Where a filter or a
 * group is in the records alone, calls are read and added up here, to the same numbers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "search.h"

#define MOST_GROUPS 100000
#define MOST_BY 6
#define A_DAY APR_INT64_C(86400000000)

static const char *const formats[] = { "table", "json", "csv", NULL };

/* What is added up: the SQL of one call's, and the same from its columns. */
static const struct {
    const char *name;
    const char *sql;
    const char *field; /* NULL: each call counts one */
} sums[] = {
    { "calls", "1", NULL },
    { "errors", "CASE WHEN c.status >= 400 THEN 1 ELSE 0 END", "status" },
    { "tokens.prompt", "c.tokens_prompt", "tokens.prompt" },
    { "tokens.completion", "c.tokens_completion", "tokens.completion" },
    { "tokens.cached", "c.tokens_cached", "tokens.cached" },
    { "tokens.reasoning", "c.tokens_reasoning", "tokens.reasoning" },
    { "tokens.written", "c.tokens_written", "tokens.written" },
    { "cost", "c.cost_nanousd", "cost" },
    { "saved", "c.saved_nanousd", "saved" },
    { "estimated", "c.estimated", "estimated" },
    /* What was answered, and nobody knows the cost of: it is in no sum, and was not free. */
    { "unpriced", "CASE WHEN c.status < 400 AND c.target IS NOT NULL AND c.cost_nanousd IS NULL THEN 1 "
      "ELSE 0 END", "target" },
};

#define SUMS ((int)(sizeof(sums) / sizeof(sums[0])))
enum { CALLS = 0, ERRORS = 1, COST = 7, SAVED = 8, UNPRICED = 10 };

/* By what calls are put together. */
typedef struct group_by_t {
    search_field_t field;
    int is_day;
} group_by_t;

typedef struct group_t {
    const char *names[MOST_BY];
    apr_int64_t sums[SUMS];
} group_t;

typedef struct usage_t {
    apr_pool_t *pool;
    search_source_t source;
    search_options_t options;
    group_by_t by[MOST_BY];
    int n_by;
    apr_array_header_t *groups; /* of group_t * */
    apr_hash_t *found;          /* of group_t, by their names: where they are added up here */
    search_field_t fields[SUMS]; /* those that have one */
} usage_t;

/* -------------------------------------------------------------------------------- words */

/* Its sum would have the same name. */
static int is_summed(const usage_t *usage, const search_field_t *field)
{
    int i;

    for (i = 0; i < SUMS; i++) {
        if (i != CALLS && i != ERRORS && i != UNPRICED && field->column >= 0 && field->column == usage->fields[i].column) {
            return 1;
        }
    }
    return 0;
}

static const char *read_by(usage_t *usage)
{
    const char *names = usage->options.by, *end, *name, *wrong = NULL;
    apr_pool_t *p = usage->pool;
    group_by_t *by;
    int i;

    for (i = 0; i < SUMS && !wrong; i++) {
        wrong = search_field_find(p, sums[i].field ? sums[i].field : "time", &usage->fields[i]);
    }
    if (wrong) {
        return wrong;
    }
    for (;; names = end + 1) {
        end = names + strcspn(names, ",");
        name = apr_pstrmemdup(p, names, (apr_size_t)(end - names));
        if (usage->n_by == MOST_BY) {
            return "--by: takes 6 names at most";
        }
        by = &usage->by[usage->n_by++];
        by->is_day = strcmp(name, "day") == 0;
        wrong = search_field_find(p, by->is_day ? "time" : name, &by->field);
        if (wrong) {
            return apr_pstrcat(p, "--by: ", wrong, "; or day", NULL);
        }
        if (by->field.feedback || (by->field.kind == SEARCH_TIME && !by->is_day)
            || is_summed(usage, &by->field)) {
            return apr_psprintf(p, "--by: calls are not put together by %s", name);
        }
        if (!*end) {
            return NULL;
        }
    }
}

static int needs_records(const usage_t *usage)
{
    int i, needs = 0;

    for (i = 0; i < usage->n_by; i++) {
        needs |= usage->by[i].field.column < 0;
    }
    for (i = 0; i < usage->options.query.filters->nelts; i++) {
        needs |= search_filter_needs_record(
            &APR_ARRAY_IDX(usage->options.query.filters, i, search_filter_t));
    }
    return needs;
}

/* "2026-11-21", of a time in the zone that was asked for. */
static const char *day_of(const usage_t *usage, apr_pool_t *p, apr_int64_t time)
{
    return apr_pstrmemdup(p, search_when(p, time + usage->options.offset), 10);
}

/* -------------------------------------------------------------------- by the database */

static const char *take_group(void *baton, const char *const *values)
{
    usage_t *usage = baton;
    group_t *group = apr_pcalloc(usage->pool, sizeof(*group));
    int i;

    for (i = 0; i < usage->n_by; i++) {
        const char *name = values[i] ? values[i] : "";

        group->names[i] = usage->by[i].is_day
                              ? day_of(usage, usage->pool, apr_atoi64(name) - usage->options.offset)
                              : apr_pstrdup(usage->pool, name);
    }
    for (i = 0; i < SUMS; i++) {
        const char *sum = values[usage->n_by + i];

        if (sum && ai_json_int(ai_slice_of(sum), &group->sums[i]) != APR_SUCCESS) {
            return "a sum is no number of 64 bits";
        }
    }
    if (usage->groups->nelts == MOST_GROUPS) {
        return "there are more than 100000 groups; take a shorter time, or a filter";
    }
    APR_ARRAY_PUSH(usage->groups, group_t *) = group;
    return NULL;
}

static const char *add_up_there(usage_t *usage)
{
    apr_pool_t *p = usage->pool;
    /* No parameter: those are texts, with which MySQL reckons in floating point. */
    const char *offset = apr_psprintf(p, "%" APR_INT64_T_FMT, usage->options.offset);
    const char *places = "";
    search_sql_t sql;
    int i;

    search_sql_begin(p, "SELECT ", &sql);
    for (i = 0; i < usage->n_by; i++) {
        const search_field_t *field = &usage->by[i].field;
        const char *column = ai_audit_call_columns[field->column].name;

        if (usage->by[i].is_day) {
            search_sql_add(&sql, apr_psprintf(p, "c.time + %s - (c.time + %s) %%%% 86400000000, ", offset,
                                              offset), NULL);
        }
        else {
            search_sql_add(&sql, apr_psprintf(p, field->kind == SEARCH_TEXT ? "COALESCE(c.%s, ''), "
                                                                            : "c.%s, ", column), NULL);
        }
        places = apr_psprintf(p, "%s%s%d", places, i ? ", " : "", i + 1);
    }
    for (i = 0; i < SUMS; i++) {
        search_sql_add(&sql, apr_psprintf(p, "%sSUM(%s)", i ? ", " : "", sums[i].sql), NULL);
    }
    search_sql_add(&sql, " FROM ai_audit_calls c WHERE c.estimated >= 0", NULL);
    search_sql_query(&sql, &usage->options.query);
    search_sql_add(&sql, apr_psprintf(p, " GROUP BY %s LIMIT %d", places, MOST_GROUPS + 1), NULL);
    return search_select(&usage->source, p, sql.text, sql.args, usage->n_by + SUMS, take_group, usage);
}

/* ---------------------------------------------------------------------------------- here */

static int add(apr_int64_t *sum, apr_int64_t number)
{
    return !__builtin_add_overflow(*sum, number, sum);
}

/* As the SQL above has it. */
static int is_unpriced(const usage_t *usage, const search_row_t *row)
{
    const char *status = row->values[usage->fields[ERRORS].column];

    return row->values[usage->fields[UNPRICED].column] && status && apr_atoi64(status) < 400
           && !row->values[usage->fields[COST].column];
}

/* Adds a call to a group. 0: a sum is too large. */
static int add_call(const usage_t *usage, const search_row_t *row, group_t *group)
{
    apr_int64_t number;
    int i;

    for (i = 0; i < SUMS; i++) {
        const char *text = row->values[usage->fields[i].column];

        number = i == CALLS ? 1 : text ? apr_atoi64(text) : 0;
        number = i == ERRORS ? number >= 400 : i == UNPRICED ? is_unpriced(usage, row) : number;
        if (!add(&group->sums[i], number)) {
            return 0;
        }
    }
    return 1;
}

static const char *name_of(const usage_t *usage, apr_pool_t *p, const search_row_t *row,
                           const group_by_t *by)
{
    const apr_array_header_t *values;
    const char *name = "";
    int i;

    if (by->is_day) {
        return day_of(usage, p, apr_atoi64(row->values[AI_AUDIT_CALL_TIME]));
    }
    values = search_values(p, row, &by->field);
    for (i = 0; i < values->nelts; i++) {
        ai_slice_t text = APR_ARRAY_IDX(values, i, search_value_t).text;

        name = apr_psprintf(p, "%s%s%.*s", name, i ? "," : "", (int)text.n, text.p);
    }
    return name;
}

static const char *take_call(void *baton, apr_pool_t *scratch, const search_row_t *row)
{
    usage_t *usage = baton;
    const char *names[MOST_BY], *key = "";
    group_t *group;
    int i;

    for (i = 0; i < usage->n_by; i++) {
        names[i] = name_of(usage, scratch, row, &usage->by[i]);
        key = apr_psprintf(scratch, "%s%" APR_SIZE_T_FMT ":%s", key, strlen(names[i]), names[i]);
    }
    group = apr_hash_get(usage->found, key, APR_HASH_KEY_STRING);
    if (!group) {
        if (usage->groups->nelts == MOST_GROUPS) {
            return "there are more than 100000 groups; take a shorter time, or a filter";
        }
        group = apr_pcalloc(usage->pool, sizeof(*group));
        for (i = 0; i < usage->n_by; i++) {
            group->names[i] = apr_pstrdup(usage->pool, names[i]);
        }
        apr_hash_set(usage->found, apr_pstrdup(usage->pool, key), APR_HASH_KEY_STRING, group);
        APR_ARRAY_PUSH(usage->groups, group_t *) = group;
    }
    return add_call(usage, row, group) ? NULL : "a sum is no number of 64 bits";
}

static const char *add_up_here(usage_t *usage)
{
    search_query_t *query = &usage->options.query;
    int i;

    usage->found = apr_hash_make(usage->pool);
    for (i = 0; i < usage->n_by; i++) {
        search_want(query, &usage->by[i].field);
    }
    for (i = 0; i < SUMS; i++) {
        search_want(query, &usage->fields[i]);
    }
    return search_walk(&usage->source, usage->pool, query, take_call, usage, NULL);
}

/* ------------------------------------------------------------------------------ printing */

/* Numbers by their value, texts by their bytes. */
static int compare(const void *a_in, const void *b_in)
{
    const group_t *a = *(const group_t *const *)a_in, *b = *(const group_t *const *)b_in;
    apr_int64_t x, y;
    int i, order = 0;

    for (i = 0; !order && i < MOST_BY && a->names[i]; i++) {
        order = strcmp(a->names[i], b->names[i]);
        if (ai_json_int(ai_slice_of(a->names[i]), &x) == APR_SUCCESS
            && ai_json_int(ai_slice_of(b->names[i]), &y) == APR_SUCCESS && x != y) {
            order = x < y ? -1 : 1;
        }
    }
    return order;
}

static int is_money(int i)
{
    return i == COST || i == SAVED;
}

/* A sum as it is printed: money in dollars. */
static const char *sum_text(apr_pool_t *p, const group_t *group, int i)
{
    const char *text = apr_psprintf(p, "%" APR_INT64_T_FMT, group->sums[i]);

    return is_money(i) ? search_dollars(p, text) : text;
}

static const char *head_of(const usage_t *usage, int i)
{
    return usage->by[i].is_day ? "day" : usage->by[i].field.name;
}

static void print_json(const usage_t *usage, apr_pool_t *p, const group_t *group)
{
    ai_slice_t name, value;
    int i;

    putchar('{');
    for (i = 0; i < usage->n_by; i++) {
        name = search_visible_json(p, ai_json_quote(p, ai_slice_of(head_of(usage, i))));
        value = search_visible_json(p, ai_json_quote(p, ai_slice_of(group->names[i])));
        printf("%.*s:%.*s,", (int)name.n, name.p, (int)value.n, value.p);
    }
    for (i = 0; i < SUMS; i++) {
        printf(is_money(i) ? "%s\"%s_nanousd\":%" APR_INT64_T_FMT ",\"%s\":\"%s\""
                           : "%s\"%s\":%" APR_INT64_T_FMT, i ? "," : "", sums[i].name,
               group->sums[i], sums[i].name, sum_text(p, group, i));
    }
    printf("}\n");
}

static void print_csv(const usage_t *usage, apr_pool_t *p, const group_t *group)
{
    int i;

    for (i = 0; i < usage->n_by; i++) {
        const char *name = group ? group->names[i] : head_of(usage, i);

        printf("%s%s", i ? "," : "", search_csv_cell(p, ai_slice_of(name), 1));
    }
    for (i = 0; i < SUMS; i++) {
        printf(",%s", group ? sum_text(p, group, i) : sums[i].name);
    }
    printf("\r\n");
}

/* A line of the table; total: 1 for the last one, of all. */
static void print_line(const usage_t *usage, apr_pool_t *p, search_table_t *table,
                       const group_t *group, int total)
{
    const char *cells[MOST_BY + SUMS];
    int i;

    for (i = 0; i < usage->n_by; i++) {
        cells[i] = total ? (i ? "" : "total")
                   : *group->names[i] ? search_visible(p, ai_slice_of(group->names[i])) : "-";
    }
    for (i = 0; i < SUMS; i++) {
        cells[usage->n_by + i] = sum_text(p, group, i);
    }
    search_table_row(table, cells);
}

static const char *print_table(const usage_t *usage, apr_pool_t *p)
{
    const char *heads[MOST_BY + SUMS];
    int right[MOST_BY + SUMS], i, k;
    search_table_t *table;
    group_t all;

    memset(&all, 0, sizeof(all));
    for (i = 0; i < usage->n_by + SUMS; i++) {
        heads[i] = search_visible(p, ai_slice_of(i < usage->n_by ? head_of(usage, i)
                                                                 : sums[i - usage->n_by].name));
        heads[i] = apr_pstrdup(p, heads[i]);
        right[i] = i >= usage->n_by;
        for (k = 0; heads[i][k]; k++) {
            ((char *)heads[i])[k] = (char)apr_toupper(heads[i][k]);
        }
    }
    table = search_table_begin(p, usage->n_by + SUMS, heads, right);
    for (i = 0; i < usage->groups->nelts; i++) {
        const group_t *group = APR_ARRAY_IDX(usage->groups, i, const group_t *);

        print_line(usage, p, table, group, 0);
        for (k = 0; k < SUMS; k++) {
            if (!add(&all.sums[k], group->sums[k])) {
                return "the total is no number of 64 bits";
            }
        }
    }
    print_line(usage, p, table, &all, 1);
    search_table_flush(table);
    return NULL;
}

static const char *print_groups(usage_t *usage, int format)
{
    apr_pool_t *p;
    int i;

    apr_pool_create(&p, usage->pool);
    qsort(usage->groups->elts, (size_t)usage->groups->nelts, sizeof(group_t *), compare);
    if (format == SEARCH_TABLE) {
        return print_table(usage, p);
    }
    if (format == SEARCH_CSV) {
        print_csv(usage, p, NULL);
    }
    for (i = 0; i < usage->groups->nelts; i++) {
        const group_t *group = APR_ARRAY_IDX(usage->groups, i, const group_t *);

        apr_pool_clear(p);
        if (format == SEARCH_JSON) {
            print_json(usage, p, group);
        }
        else {
            print_csv(usage, p, group);
        }
    }
    return NULL;
}

int usage_command(apr_pool_t *p, int argc, const char *const *argv)
{
    usage_t *usage = apr_pcalloc(p, sizeof(*usage));
    search_options_t *o = &usage->options;
    int format = 0;
    const char *wrong = search_options_read(p, argc, argv, " since until by zone format database ",
                                            apr_time_now(), o);

    usage->pool = p;
    usage->groups = apr_array_make(p, 100, sizeof(group_t *));
    wrong = wrong ? wrong : o->by ? read_by(usage) : "usage: aictl usage --by NAME[,NAME]... [OPTION]... [FILTER]...";
    wrong = wrong ? wrong : search_options_word(p, "format", o->format, formats, &format);
    wrong = wrong ? wrong : search_options_filters(p, o);
    if (wrong) {
        return complain(MISUSED, wrong);
    }
    o->query.limit = 0;
    wrong = search_source_open(p, o->database, &usage->source);
    wrong = wrong ? wrong : needs_records(usage) ? add_up_here(usage) : add_up_there(usage);
    wrong = wrong ? wrong : print_groups(usage, format);
    return wrong ? complain(FAILED, wrong) : DONE_WELL;
}
