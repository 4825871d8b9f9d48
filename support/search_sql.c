/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_sql.c - what of a filter is asked of the database?
 *
 * Text is put together from constants of this program alone; what somebody said is a parameter.
 */
#include <string.h>

#include <apr_strings.h>

#include "search.h"

void search_sql_begin(apr_pool_t *p, const char *text, search_sql_t *sql)
{
    sql->pool = p;
    sql->text = text;
    sql->args = apr_array_make(p, 8, sizeof(const char *));
}

void search_sql_add(search_sql_t *sql, const char *text, const char *arg)
{
    sql->text = apr_pstrcat(sql->pool, sql->text, text, NULL);
    if (arg) {
        APR_ARRAY_PUSH(sql->args, const char *) = arg;
    }
}

static const char *number(apr_pool_t *p, apr_int64_t n)
{
    return apr_psprintf(p, "%" APR_INT64_T_FMT, n);
}

/* A glob as LIKE has it, with '!' before what is meant as it is. around: anything may stand before
 * and behind. */
static const char *like(apr_pool_t *p, const char *glob, int around)
{
    char *out = apr_palloc(p, 2 * strlen(glob) + 3), *to = out;

    if (around) {
        *to++ = '%';
    }
    for (; *glob; glob++) {
        int literal = around || (*glob == '\\' && glob[1]);

        glob += !around && literal;
        if (!literal && (*glob == '*' || *glob == '?')) {
            *to++ = *glob == '*' ? '%' : '_';
            continue;
        }
        if (*glob == '%' || *glob == '_' || *glob == '!') {
            *to++ = '!';
        }
        *to++ = *glob;
    }
    if (around) {
        *to++ = '%';
    }
    *to = '\0';
    return out;
}

/* One alternative, of a column that is there. name: constant text. */
static void add_alternative(search_sql_t *sql, const search_filter_t *filter,
                            const search_alternative_t *one, const char *name)
{
    static const char *const signs[] = {
        [SEARCH_ABOVE] = " > %lld", [SEARCH_AT_LEAST] = " >= %lld", [SEARCH_BELOW] = " < %lld",
        [SEARCH_AT_MOST] = " <= %lld",
    };
    int has = filter->operator == SEARCH_HAS || filter->operator == SEARCH_HAS_NOT;

    if (filter->field.kind != SEARCH_TEXT) {
        search_sql_add(sql, name, NULL);
        search_sql_add(sql, filter->operator >= SEARCH_ABOVE ? signs[filter->operator] : " = %lld",
                       number(sql->pool, one->number));
    }
    else if (!has && one->plain) {
        search_sql_add(sql, apr_pstrcat(sql->pool, name, " = %s", NULL), one->plain);
    }
    else {
        /* With LIKE on an index MariaDB loses what goes on with a character beyond U+FFFF, so no index
         * is used. */
        search_sql_add(sql, apr_pstrcat(sql->pool, "COALESCE(", name, ", '') LIKE %s ESCAPE '!'", NULL),
                       like(sql->pool, has ? one->plain : one->glob, has));
    }
}

/* Alternatives with OR between. Out: *absent, 1 when one of them is that it is not there, which is left
 * out. Returns how many it wrote. */
static int add_alternatives(search_sql_t *sql, const search_filter_t *filter, const char *name,
                            int *absent)
{
    int i, n = 0;

    *absent = 0;
    for (i = 0; i < filter->alternatives->nelts; i++) {
        const search_alternative_t *one =
            &APR_ARRAY_IDX(filter->alternatives, i, search_alternative_t);

        if (one->plain && !*one->plain) {
            *absent = 1;
            continue;
        }
        search_sql_add(sql, n++ ? " OR " : "", NULL);
        add_alternative(sql, filter, one, name);
    }
    return n;
}

static void add_column(search_sql_t *sql, const search_filter_t *filter)
{
    const char *name = apr_pstrcat(sql->pool, "c.",
                                   ai_audit_call_columns[filter->field.column].name, NULL);
    int is_text = filter->field.kind == SEARCH_TEXT, absent, n;
    int negates = filter->operator == SEARCH_IS_NOT || filter->operator == SEARCH_HAS_NOT;
    const char *none = is_text ? apr_pstrcat(sql->pool, "(", name, " IS NULL OR ", name, " = '')", NULL)
                               : apr_pstrcat(sql->pool, name, " IS NULL", NULL);
    search_sql_t inner;

    search_sql_begin(sql->pool, "", &inner);
    n = add_alternatives(&inner, filter, name, &absent);
    apr_array_cat(sql->args, inner.args);
    if (!negates) {
        search_sql_add(sql, apr_pstrcat(sql->pool, " AND (", inner.text, n && absent ? " OR " : "",
                                        absent ? none : "", ")", NULL), NULL);
        return;
    }
    /* What is not there is none of them. */
    search_sql_add(sql, apr_pstrcat(sql->pool, " AND (", absent ? "NOT " : "", none,
                                    !n ? "" : absent ? " AND NOT (" : " OR NOT (", inner.text,
                                    n ? ")" : "", ")", NULL), NULL);
}

/* Of all that was said of a call, by its own tenant, one is enough. */
static void add_feedback(search_sql_t *sql, const search_filter_t *filter)
{
    const char *name = apr_pstrcat(sql->pool, "b.", filter->field.feedback, NULL);
    const char *exists = "EXISTS (SELECT 1 FROM ai_audit_feedback b WHERE b.call_id = c.id AND "
                         "COALESCE(b.tenant, '') = COALESCE(c.tenant, '') AND ";
    int absent, n;
    search_sql_t inner;

    search_sql_begin(sql->pool, "", &inner);
    n = add_alternatives(&inner, filter, name, &absent);
    apr_array_cat(sql->args, inner.args);
    search_sql_add(sql, filter->operator == SEARCH_IS_NOT ? " AND NOT (" : " AND (", NULL);
    if (n) {
        search_sql_add(sql, apr_pstrcat(sql->pool, exists, "(", inner.text, "))",
                                        absent ? " OR " : "", NULL), NULL);
    }
    if (absent) {
        search_sql_add(sql, apr_pstrcat(sql->pool, "NOT ", exists, name, " IS NOT NULL)", NULL), NULL);
    }
    search_sql_add(sql, ")", NULL);
}

void search_sql_filter(search_sql_t *sql, const search_filter_t *filter)
{
    if (filter->field.feedback) {
        add_feedback(sql, filter);
    }
    else if (filter->field.column >= 0) {
        add_column(sql, filter);
    }
}

void search_sql_query(search_sql_t *sql, const search_query_t *query)
{
    int i;

    if (query->since) {
        search_sql_add(sql, " AND c.time >= %lld", number(sql->pool, query->since));
    }
    if (query->until) {
        search_sql_add(sql, " AND c.time < %lld", number(sql->pool, query->until));
    }
    for (i = 0; i < query->filters->nelts; i++) {
        search_sql_filter(sql, &APR_ARRAY_IDX(query->filters, i, search_filter_t));
    }
}
