/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_print.c - how is what callers wrote shown, so that it stays what it is?
 *
 * A model's name, a tenant, a word of metadata come from a caller: none of it may steer a terminal,
 * or count in a spreadsheet.
 */
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "ai_json_scan.h"
#include "ai_when.h"
#include "search.h"

/* A table's first rows are kept until it is known how wide they are. */
#define KEPT 100
#define GAP 2

/* ------------------------------------------------------------------------------ visible */

/* The character at text and its length; 0: it is none. */
static apr_size_t decode(const char *at, const char *end, unsigned *character)
{
    const unsigned char *c = (const unsigned char *)at;
    apr_size_t n = *c < 0x80 ? 1 : ai_json_utf8(at, end), i;

    *character = n == 1 ? *c : n ? *c & (0x7fu >> n) : 0;
    for (i = 1; i < n; i++) {
        *character = (*character << 6) | (c[i] & 0x3fu);
    }
    return n;
}

/* What a terminal obeys or hides: controls, marks of direction, what has no width. */
static int is_hidden(unsigned c)
{
    static const struct { unsigned from, to; } hidden[] = {
        { 0, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c }, { 0x180e, 0x180e },
        { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfeff, 0xfeff },
        { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        if (c >= hidden[i].from && c <= hidden[i].to) {
            return 1;
        }
    }
    return 0;
}

/* The same text, with write() in the place of what is hidden. The longest of its words: 12 bytes. */
static const char *replace(apr_pool_t *p, ai_slice_t text,
                           int (*write)(char *to, apr_size_t n, unsigned character), apr_size_t *length)
{
    const char *at = text.p, *end = text.p + text.n;
    char *out = apr_palloc(p, 12 * text.n + 13), *to = out;
    unsigned character;
    apr_size_t n;

    while (at < end) {
        n = decode(at, end, &character);
        if (!n || is_hidden(character)) {
            to += write(to, n, n ? character : (unsigned char)*at);
        }
        else {
            memcpy(to, at, n);
            to += n;
        }
        at += n ? n : 1;
    }
    *to = '\0';
    *length = (apr_size_t)(to - out);
    return out;
}

static int write_visible(char *to, apr_size_t n, unsigned character)
{
    return apr_snprintf(to, 13, n > 1 ? "\\u{%x}" : "\\x%02x", character);
}

/* Half of a pair each, where it is none of the first 65536. */
static int write_escape(char *to, apr_size_t n, unsigned character)
{
    if (!n || character < 0x20) {
        /* Neither can be in a string. */
        return apr_snprintf(to, 13, " ");
    }
    return character < 0x10000
               ? apr_snprintf(to, 13, "\\u%04x", character)
               : apr_snprintf(to, 13, "\\u%04x\\u%04x", 0xd800 + ((character - 0x10000) >> 10),
                              0xdc00 + ((character - 0x10000) & 0x3ff));
}

/* Most texts are as they may be. */
static int is_plain(ai_slice_t text)
{
    apr_size_t i;

    for (i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] < 0x20 || (unsigned char)text.p[i] > 0x7e) {
            return 0;
        }
    }
    return 1;
}

const char *search_visible(apr_pool_t *p, ai_slice_t text)
{
    apr_size_t n;

    return !text.n ? "" : is_plain(text) ? apr_pstrmemdup(p, text.p, text.n)
                                         : replace(p, text, write_visible, &n);
}

ai_slice_t search_visible_json(apr_pool_t *p, ai_slice_t json)
{
    ai_slice_t out = json;

    if (!is_plain(json)) {
        out.p = replace(p, json, write_escape, &out.n);
    }
    return out;
}

const char *search_csv_cell(apr_pool_t *p, ai_slice_t text, int is_text)
{
    char *out = apr_palloc(p, 2 * text.n + 4), *to = out;
    int guarded = is_text && text.n && memchr("=+-@\t\r\n'", text.p[0], 8) != NULL, quoted = guarded;
    apr_size_t i;

    for (i = 0; !quoted && i < text.n; i++) {
        quoted = memchr("\",\r\n;", text.p[i], 5) != NULL;
    }
    if (quoted) {
        *to++ = '"';
    }
    if (guarded) {
        *to++ = '\'';
    }
    for (i = 0; i < text.n; i++) {
        if (text.p[i] == '"') {
            *to++ = '"';
        }
        *to++ = text.p[i];
    }
    if (quoted) {
        *to++ = '"';
    }
    *to = '\0';
    return out;
}

const char *search_when(apr_pool_t *p, apr_time_t when)
{
    const char *seconds = ai_when_text(p, when);

    return apr_psprintf(p, "%.*s.%06dZ", (int)strlen(seconds) - 1, seconds,
                        (int)apr_time_usec(when));
}

const char *search_dollars(apr_pool_t *p, const char *nano)
{
    int minus = *nano == '-';
    apr_size_t n, whole;
    const char *digits;
    char *out;

    digits = nano + minus;
    n = strlen(digits);
    if (n < 10) {
        digits = apr_pstrcat(p, &"0000000000"[n], digits, NULL);
        n = 10;
    }
    whole = n - 9;
    out = apr_psprintf(p, "%s%.*s.%s", minus ? "-" : "", (int)whole, digits, digits + whole);
    /* Cents stay. */
    for (n = strlen(out); out[n - 1] == '0' && out[n - 3] != '.'; n--) {
        out[n - 1] = '\0';
    }
    return out;
}

/* -------------------------------------------------------------------------------- tables */

struct search_table_t {
    apr_pool_t *pool;
    int n;
    const int *right;
    apr_size_t *widths;
    int kept;
    int is_open;                /* the head is printed, and widths stay */
    const char ***rows;
};

static apr_size_t width_of(const char *text)
{
    apr_size_t n = 0;

    for (; *text; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

static void keep(search_table_t *table, const char *const *cells)
{
    const char **row = apr_palloc(table->pool, (apr_size_t)table->n * sizeof(*row));
    apr_size_t width;
    int i;

    for (i = 0; i < table->n; i++) {
        row[i] = apr_pstrdup(table->pool, cells[i]);
        width = width_of(row[i]);
        table->widths[i] = width > table->widths[i] ? width : table->widths[i];
    }
    table->rows[table->kept++] = row;
}

static void print_cells(const search_table_t *table, const char *const *cells)
{
    int i, pad;

    for (i = 0; i < table->n; i++) {
        pad = (int)table->widths[i] - (int)width_of(cells[i]);
        pad = pad < 0 ? 0 : pad;
        if (table->right[i]) {
            printf("%*s%s", pad, "", cells[i]);
        }
        else {
            printf("%s%*s", cells[i], i + 1 < table->n ? pad : 0, "");
        }
        printf("%*s", i + 1 < table->n ? GAP : 0, "");
    }
    putchar('\n');
}

search_table_t *search_table_begin(apr_pool_t *p, int n, const char *const *heads,
                                   const int *right)
{
    search_table_t *table = apr_pcalloc(p, sizeof(*table));

    table->pool = p;
    table->n = n;
    table->right = apr_pmemdup(p, right, (apr_size_t)n * sizeof(*right));
    table->widths = apr_pcalloc(p, (apr_size_t)n * sizeof(*table->widths));
    table->rows = apr_pcalloc(p, (KEPT + 1) * sizeof(*table->rows));
    keep(table, heads);
    return table;
}

void search_table_flush(search_table_t *table)
{
    int i;

    for (i = 0; i < table->kept; i++) {
        print_cells(table, table->rows[i]);
    }
    table->kept = 0;
    table->is_open = 1;
}

void search_table_row(search_table_t *table, const char *const *cells)
{
    if (table->is_open) {
        print_cells(table, cells);
        return;
    }
    keep(table, cells);
    if (table->kept > KEPT) {
        search_table_flush(table);
    }
}

/* --------------------------------------------------------------------------------- calls */

struct search_print_t {
    search_format_e format;
    const search_field_t *fields;
    int n;
    search_table_t *table;
};

search_print_t *search_print_begin(apr_pool_t *p, search_format_e format,
                                   const apr_array_header_t *fields)
{
    search_print_t *print = apr_pcalloc(p, sizeof(*print));
    const char **heads = apr_palloc(p, (apr_size_t)fields->nelts * sizeof(*heads));
    int *right = apr_palloc(p, (apr_size_t)fields->nelts * sizeof(*right)), i;

    print->format = format;
    print->fields = (const search_field_t *)fields->elts;
    print->n = fields->nelts;
    for (i = 0; i < print->n; i++) {
        char *head = apr_pstrdup(p, search_visible(p, ai_slice_of(print->fields[i].name)));

        right[i] = print->fields[i].kind == SEARCH_NUMBER;
        heads[i] = head;
        for (; *head; head++) {
            *head = (char)apr_toupper(*head);
        }
        if (format == SEARCH_CSV) {
            printf("%s%s", i ? "," : "", search_csv_cell(p, ai_slice_of(print->fields[i].name), 1));
        }
    }
    if (format == SEARCH_CSV) {
        printf("\r\n");
    }
    else if (format == SEARCH_TABLE) {
        print->table = search_table_begin(p, print->n, heads, right);
    }
    return print;
}

/* All values of a field in one text. */
static ai_slice_t joined(apr_pool_t *p, const search_row_t *row, const search_field_t *field)
{
    const apr_array_header_t *values = search_values(p, row, field);
    ai_slice_t text = { "", 0 };
    int i;

    for (i = 0; i < values->nelts; i++) {
        ai_slice_t one = APR_ARRAY_IDX(values, i, search_value_t).text;
        char *both = apr_palloc(p, text.n + one.n + 1);

        memcpy(both, text.p, text.n);
        both[text.n] = ',';
        memcpy(both + text.n + (i > 0), one.p, one.n);
        text = (ai_slice_t){ both, text.n + (i > 0) + one.n };
    }
    return text;
}

static const char *table_cell(apr_pool_t *p, const search_row_t *row, const search_field_t *field)
{
    ai_slice_t text = joined(p, row, field);
    const char *visible;

    if (!text.n) {
        return "-";
    }
    visible = search_visible(p, text);
    if (field->kind == SEARCH_TIME) {
        /* Thousandths are enough for the eye. */
        visible = search_when(p, apr_atoi64(visible));
        return apr_psprintf(p, "%.*sZ", (int)strlen(visible) - 4, visible);
    }
    return field->column >= 0 && field->member && strcmp(field->member, "cost") == 0
               ? search_dollars(p, visible) : visible;
}

static void print_json(const search_print_t *print, apr_pool_t *p, const search_row_t *row)
{
    int i, k, n = 0;

    putchar('{');
    for (i = 0; i < print->n; i++) {
        const apr_array_header_t *values = search_values(p, row, &print->fields[i]);
        ai_slice_t name = ai_json_quote(p, ai_slice_of(print->fields[i].name));

        if (!values->nelts) {
            continue;
        }
        name = search_visible_json(p, name);
        printf("%s%.*s:%s", n++ ? "," : "", (int)name.n, name.p, values->nelts > 1 ? "[" : "");
        for (k = 0; k < values->nelts; k++) {
            ai_slice_t json = search_visible_json(p, APR_ARRAY_IDX(values, k, search_value_t).json);

            printf("%s%.*s", k ? "," : "", (int)json.n, json.p);
        }
        printf("%s", values->nelts > 1 ? "]" : "");
    }
    printf("}\n");
}

void search_print_row(search_print_t *print, apr_pool_t *p, const search_row_t *row)
{
    const char **cells;
    int i;

    if (print->format == SEARCH_JSON) {
        print_json(print, p, row);
        return;
    }
    cells = apr_palloc(p, (apr_size_t)print->n * sizeof(*cells));
    for (i = 0; i < print->n; i++) {
        const search_field_t *field = &print->fields[i];

        if (print->format == SEARCH_TABLE) {
            cells[i] = table_cell(p, row, field);
            continue;
        }
        cells[i] = search_csv_cell(p, field->kind == SEARCH_TIME && row->values[field->column]
                                          ? ai_slice_of(search_when(p, apr_atoi64(row->values[field->column])))
                                          : joined(p, row, field), field->kind == SEARCH_TEXT);
        printf("%s%s", i ? "," : "", cells[i]);
    }
    if (print->format == SEARCH_TABLE) {
        search_table_row(print->table, cells);
    }
    else {
        printf("\r\n");
    }
}

void search_print_end(search_print_t *print)
{
    if (print->format == SEARCH_TABLE) {
        search_table_flush(print->table);
    }
}
