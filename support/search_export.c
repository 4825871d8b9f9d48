/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_export.c - how do records leave the database? aictl audit export.
 *
 * A line of "jsonl" is a record, byte by byte as it was written.
 */
#include <stdio.h>

#include <apr_strings.h>

#include "ai_evidence.h"
#include "search.h"

enum { JSONL, CSV, PROOF };
static const char *const formats[] = { "jsonl", "csv", "proof", NULL };

/* Where the record is gone its columns go out, and why it is gone. */
static void write_columns(apr_pool_t *p, const search_row_t *row)
{
    const apr_array_header_t *values;
    search_field_t field;
    ai_slice_t json;
    int i;

    putchar('{');
    for (i = 0; search_field_column(p, i, &field); i++) {
        values = search_values(p, row, &field);
        if (values->nelts) {
            json = APR_ARRAY_IDX(values, 0, search_value_t).json;
            printf("\"%s\":%.*s,", field.name, (int)json.n, json.p);
        }
    }
    json = ai_json_quote(p, ai_slice_of(row->absent));
    printf("\"absent\":%.*s}\n", (int)json.n, json.p);
}

static const char *write_record(void *baton, apr_pool_t *scratch, const search_row_t *row)
{
    (void)baton;
    if (row->absent) {
        write_columns(scratch, row);
    }
    else {
        fwrite(row->record.p, 1, row->record.n, stdout);
        putchar('\n');
    }
    return ferror(stdout) ? "what was found cannot be printed" : NULL;
}

static const char *export_lines(apr_pool_t *p, search_listing_t *listing)
{
    search_query_t *query = &listing->options.query;
    int i;

    query->record = 1;
    for (i = 0; i < AI_AUDIT_CALL_COLUMNS; i++) {
        query->wanted[i] = 1;
    }
    return search_walk(&listing->source, p, query, write_record, listing, NULL);
}

static const char *export_csv(apr_pool_t *p, search_listing_t *listing)
{
    const char *wrong;

    listing->print = search_print_begin(p, SEARCH_CSV, listing->fields);
    wrong = search_walk(&listing->source, p, &listing->options.query, search_listing_row, listing,
                        NULL);
    search_print_end(listing->print);
    return wrong;
}

/* ------------------------------------------------------------------------------- proof */

typedef struct proving_t {
    ai_evidence_t evidence;
    search_source_t *source;
} proving_t;

static void wait_for_database(void *baton)
{
    database_wait(&((proving_t *)baton)->source->database);
}

static int write_line(void *baton, ai_slice_t line)
{
    (void)baton;
    /* Whoever reads takes as long as it takes. */
    database_rest();
    return fwrite(line.p, 1, line.n, stdout) == line.n;
}

static const char *ask_for_call(void *baton, apr_pool_t *scratch, const search_row_t *row)
{
    proving_t *proving = baton;

    return ai_evidence_add(&proving->evidence, scratch, row->values[AI_AUDIT_CALL_ID]);
}

/* What it takes to verify the calls that were found: "aictl audit verify --export". */
static const char *export_proof(apr_pool_t *p, search_listing_t *listing)
{
    proving_t *proving = apr_pcalloc(p, sizeof(*proving));
    const char *wrong;

    proving->source = &listing->source;
    proving->evidence.db = ai_audit_store_db(listing->source.store);
    proving->evidence.write = write_line;
    proving->evidence.ask = wait_for_database;
    proving->evidence.baton = proving;
    ai_evidence_begin(&proving->evidence, p);
    wrong = search_walk(&listing->source, p, &listing->options.query, ask_for_call, proving, NULL);
    wrong = wrong ? wrong : ai_evidence_write(&proving->evidence, p);
    database_rest();
    return wrong;
}

int export_command(apr_pool_t *p, int argc, const char *const *argv)
{
    search_listing_t *listing = apr_pcalloc(p, sizeof(*listing));
    search_options_t *o = &listing->options;
    int format = 0;
    const char *wrong = search_options_read(p, argc, argv, " since until limit order format columns "
                                            "database ", apr_time_now(), o);

    wrong = wrong ? wrong : search_options_word(p, "format", o->format, formats, &format);
    if (!wrong && o->columns && format != CSV) {
        wrong = "--columns: is for --format csv";
    }
    /* The fields of CSV are those of a search. */
    o->format = "csv";
    wrong = wrong ? wrong : search_listing_prepare(p, listing);
    if (wrong) {
        return complain(MISUSED, wrong);
    }
    o->query.oldest |= !o->order;
    o->query.limit = o->query.limit < 0 ? 0 : o->query.limit;
    wrong = search_source_open(p, o->database, &listing->source);
    wrong = wrong             ? wrong
            : format == CSV   ? export_csv(p, listing)
            : format == PROOF ? export_proof(p, listing) : export_lines(p, listing);
    return wrong ? complain(FAILED, wrong) : DONE_WELL;
}
