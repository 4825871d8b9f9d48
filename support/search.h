/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search.h - what the files of aictl that look into the audit know of each other.
 *
 * A field is what a word of a command names: a member of a record (docs/design/0007-audit.md), as
 * "status", "tokens.prompt", "metadata.team". Many are columns, and the database looks for them; the
 * others stand in the record alone, which is read and looked at here.
 *
 * As in aictl.h: functions that can fail return NULL or what is wrong, in the pool. All of it only
 * reads.
 */
#ifndef AICTL_SEARCH_H
#define AICTL_SEARCH_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "ai_audit_store.h"
#include "ai_json.h"
#include "ai_pack.h"
#include "ai_slice.h"
#include "audit_commands.h"

/* ------------------------------------------------------------------ search_field.c */

typedef enum search_kind_e {
    SEARCH_TEXT,
    SEARCH_NUMBER,
    SEARCH_FLAG, /* 0 or 1 */
    SEARCH_TIME  /* microseconds since 1970 */
} search_kind_e;

typedef struct search_field_t {
    const char *name;
    search_kind_e kind;
    int column;           /* place in ai_audit_call_columns; -1: it is no column */
    const char *feedback; /* its column of ai_audit_feedback, or NULL */
    const char *member;   /* of a record; NULL: it is not there */
    const char *inner;    /* member of that one, or of each of its elements; NULL: itself */
} search_field_t;

/* The field of a name. */
const char *search_field_find(apr_pool_t *p, const char *name, search_field_t *field);

/* The fields that are columns, one after the other, from 0 on. 1, or 0 behind the last. */
int search_field_column(apr_pool_t *p, int i, search_field_t *field);

/* The names of all fields, for people. */
const char *search_field_names(apr_pool_t *p);

/* A call, as it was found. */
typedef struct search_row_t {
    const char *values[AI_AUDIT_CALL_COLUMNS]; /* those that were asked for; else NULL */
    ai_slice_t record;                         /* the JSON of its record; absent: there is none */
    const char *absent;                        /* why, where it was asked for */
} search_row_t;

/* One value of a field. A list has several, which is not there has none. */
typedef struct search_value_t {
    ai_slice_t text; /* of a string what it says */
    ai_slice_t json;
} search_value_t;

/* Out: of search_value_t, in p. */
apr_array_header_t *search_values(apr_pool_t *p, const search_row_t *row,
                                  const search_field_t *field);

/* ----------------------------------------------------------------- search_filter.c */

typedef enum search_operator_e {
    SEARCH_IS,      /* one of the alternatives */
    SEARCH_IS_NOT,  /* none of them; also what is not there */
    SEARCH_HAS,     /* contains one of them */
    SEARCH_HAS_NOT,
    SEARCH_ABOVE,
    SEARCH_AT_LEAST,
    SEARCH_BELOW,
    SEARCH_AT_MOST
} search_operator_e;

typedef struct search_alternative_t {
    const char *glob;   /* of a text: with '*' and '?', and '\' before what is meant as it is */
    const char *plain;  /* what it says where it has no wildcard, else NULL; "": not there */
    apr_int64_t number; /* of the other kinds */
} search_alternative_t;

typedef struct search_filter_t {
    const char *word; /* as it was said */
    search_field_t field;
    search_operator_e operator;
    apr_array_header_t *alternatives; /* of search_alternative_t */
} search_filter_t;

/* Reads "FIELD OPERATOR VALUE[,VALUE]...". */
const char *search_filter_read(apr_pool_t *p, const char *word, search_filter_t *filter);

/* Whether a call passes; what only the database knows (feedback) passes always. */
int search_filter_passes(apr_pool_t *p, const search_filter_t *filter, const search_row_t *row);

/* Whether it needs the record. */
int search_filter_needs_record(const search_filter_t *filter);

/* -------------------------------------------------------------------- search_sql.c */

/* A condition that is put together: constants of this program, and parameters. */
typedef struct search_sql_t {
    apr_pool_t *pool;
    const char *text;
    apr_array_header_t *args; /* of const char * */
} search_sql_t;

void search_sql_begin(apr_pool_t *p, const char *text, search_sql_t *sql);

/* Adds text, and an argument of it unless that is NULL. */
void search_sql_add(search_sql_t *sql, const char *text, const char *arg);

/* Adds " AND " and what a filter asks of the columns of calls, "c"; nothing for one that needs the
 * record. */
void search_sql_filter(search_sql_t *sql, const search_filter_t *filter);

/* The same for all of a query, and its times. */
struct search_query_t;
void search_sql_query(search_sql_t *sql, const struct search_query_t *query);

/* ------------------------------------------------------------------- search_walk.c */

typedef struct search_query_t {
    apr_array_header_t *filters; /* of search_filter_t */
    apr_time_t since;            /* from then on; 0: from the first */
    apr_time_t until;            /* before then; 0: to the last */
    int oldest;                  /* 1: the oldest first */
    apr_int64_t limit;           /* calls at most; 0: all */
    int record;                  /* 1: rows have the record */
    int wanted[AI_AUDIT_CALL_COLUMNS]; /* 1: rows have that column; id and time they have always */
} search_query_t;

/* Asks a query for a field. */
void search_want(search_query_t *query, const search_field_t *field);

/* Takes a call; scratch and row are gone when it returns. */
typedef const char *search_visit_fn(void *baton, apr_pool_t *scratch, const search_row_t *row);

typedef struct search_source_t {
    database_t database;
    ai_audit_store_t *store;
    ai_packer_t *packer;
} search_source_t;

/* Opens the database that text ("DRIVER PARAMS", NULL: the environment's) names. */
const char *search_source_open(apr_pool_t *p, const char *text, search_source_t *source);

/* ai_db_select(), but that the database has some time to answer. */
const char *search_select(search_source_t *source, apr_pool_t *p, const char *sql,
                          const apr_array_header_t *args, int columns, ai_db_row_fn *row,
                          void *baton);

/* Hands out all calls of a query, in order. Out: *more, 1 when there are more than its limit; it may
 * be NULL. Takes memory for a page of them. */
const char *search_walk(search_source_t *source, apr_pool_t *p, const search_query_t *query,
                        search_visit_fn *visit, void *baton, int *more);

/* The body of a frame: as the columns body, coding, length and removed have it. Out: *body, in p, or
 * absent, and why in *absent. */
void search_body(search_source_t *source, apr_pool_t *p, const char *const *values,
                 ai_slice_t *body, const char **absent);

/* ------------------------------------------------------------------ search_print.c */

typedef enum search_format_e { SEARCH_TABLE, SEARCH_JSON, SEARCH_CSV } search_format_e;

/* A text that no terminal takes for an order: what is not to be seen, or not UTF-8, as \x1b or
 * \u{202e}. */
const char *search_visible(apr_pool_t *p, ai_slice_t text);

/* The same for JSON, which stays what it is. */
ai_slice_t search_visible_json(apr_pool_t *p, ai_slice_t json);

/* A cell of CSV: as RFC 4180 has it. A text that a spreadsheet could take for a formula has an
 * apostrophe before it, and so has one that begins with an apostrophe. */
const char *search_csv_cell(apr_pool_t *p, ai_slice_t text, int is_text);

/* A time: "2026-11-21T21:23:12.123456Z" */
const char *search_when(apr_pool_t *p, apr_time_t when);

/* Nano-dollars, in decimal, as dollars: exact. */
const char *search_dollars(apr_pool_t *p, const char *nano);

typedef struct search_print_t search_print_t;

/* Prints calls: a line each. fields: of search_field_t. */
search_print_t *search_print_begin(apr_pool_t *p, search_format_e format,
                                   const apr_array_header_t *fields);
void search_print_row(search_print_t *print, apr_pool_t *scratch, const search_row_t *row);
void search_print_end(search_print_t *print);

/* Prints a table of texts that are for people already: n of a row. Columns of numbers stand right. */
typedef struct search_table_t search_table_t;
search_table_t *search_table_begin(apr_pool_t *p, int n, const char *const *heads,
                                   const int *right);
void search_table_row(search_table_t *table, const char *const *cells);
void search_table_flush(search_table_t *table);

/* ---------------------------------------------------------------- search_options.c */

typedef struct search_options_t {
    const char *database; /* "DRIVER PARAMS"; NULL: not said */
    const char *spool;    /* a folder; NULL: not said */
    search_query_t query;
    const char *order, *format; /* words; NULL: not said */
    const char *columns;  /* names with commas between; NULL: not said */
    const char *by;
    apr_int64_t offset;   /* of --zone, in microseconds */
    apr_int64_t interval; /* of --interval, in milliseconds */
    int follow, json, prompt, answer;
    apr_array_header_t *words; /* of const char *: those that are no options */
} search_options_t;

/* Reads the words behind a command's name. allowed: names of options, with spaces around each. now:
 * what spans are counted from. The query's limit is -1 where it is not said. */
const char *search_options_read(apr_pool_t *p, int argc, const char *const *argv,
                                const char *allowed, apr_time_t now, search_options_t *options);

/* The words that are no options are filters of the query. */
const char *search_options_filters(apr_pool_t *p, search_options_t *options);

/* A word to its place in words, which end with NULL. NULL is the first. */
const char *search_options_word(apr_pool_t *p, const char *option, const char *word,
                                const char *const *words, int *place);

/* Names of fields with commas between. Out: *fields, of search_field_t. */
const char *search_options_fields(apr_pool_t *p, const char *option, const char *names,
                                  apr_array_header_t **fields);

/* -------------------------------------------------------------- search_commands.c */

/* A command that lists calls. */
typedef struct search_listing_t {
    search_source_t source;
    search_options_t options;
    search_format_e format;
    apr_array_header_t *fields; /* of search_field_t: what is shown */
    search_print_t *print;
} search_listing_t;

/* What the options say of format, fields and filters, into listing and its query. */
const char *search_listing_prepare(apr_pool_t *p, search_listing_t *listing);

/* Prints a call; a search_visit_fn. */
const char *search_listing_row(void *listing, apr_pool_t *scratch, const search_row_t *row);

/* --------------------------------------------------------------------- search_call.c */

/* A record of a call. */
typedef struct search_frame_t {
    const char *id;
    int type;
    apr_time_t time;
    ai_slice_t body;    /* absent: there is none */
    const char *absent; /* why */
} search_frame_t;

/* All that is known of a call. */
typedef struct search_call_t {
    const char *id;
    int shipped;                /* 1: it is from a database; else from a spool */
    search_row_t row;           /* where it is from a database */
    ai_slice_t record;          /* of its end or, without one, its begin; absent: none is there */
    const char *absent;         /* why */
    int ended;                  /* 1: record is that of an end */
    int estimated;              /* 1: nobody will write an end */
    apr_array_header_t *notes;  /* of ai_slice_t: what was said of it later */
} search_call_t;

/* Takes a frame of a call, in the order they were written. */
typedef const char *search_frame_fn(void *baton, apr_pool_t *scratch, const search_frame_t *frame);

/* Where calls are: in a database, or in a spool's folder. */
typedef struct search_place_t {
    search_source_t source;
    const char *folder; /* NULL: in the database */
} search_place_t;

const char *search_place_open(apr_pool_t *p, const search_options_t *options,
                              search_place_t *place);

/* Finds the one call with that id, or whose id begins so. */
const char *search_call_find(apr_pool_t *p, search_place_t *place, const char *id,
                             search_call_t *call);

/* Hands out the frames of a call that are of a type. Out: *n, how many. */
const char *search_call_frames(apr_pool_t *p, search_place_t *place, const search_call_t *call,
                               int type, search_frame_fn *take, void *baton, int *n);

/* search_spool.c: the same for a spool. Out: *id, in p. */
const char *search_spool_find(apr_pool_t *p, const char *folder, const char *prefix,
                              const char **id);
const char *search_spool_frames(apr_pool_t *p, const char *folder, const char *id, int type,
                                search_frame_fn *take, void *baton, int *n);

/* -------------------------------------------------------------------------- commands */

/* Each runs a command: argv begins with its name. Returns the program's status. */
int search_command(apr_pool_t *p, int argc, const char *const *argv);
int tail_command(apr_pool_t *p, int argc, const char *const *argv);
int export_command(apr_pool_t *p, int argc, const char *const *argv);
int show_command(apr_pool_t *p, int argc, const char *const *argv);
int usage_command(apr_pool_t *p, int argc, const char *const *argv);
int explain_command(apr_pool_t *p, int argc, const char *const *argv);

/* The usage of the last two, and of what the others have in common. */
void search_usage(void);

#endif
