/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_audit_store.c - how do the records of calls lie in a database, and how do many get in at once?
 *
 * A statement takes up to 64 rows; what is over goes in by 8 and by 1, so that there are three
 * statements of each table and no more, however many rows come.
 *
 * May block: yes, on the database.
 */
#include <apr_strings.h>

#include "ai_audit_store.h"

#define WORDS(name) name " {word}, "
#define NUMBERS(name) name " {number}, "

static const char *const tables[] = {
    "CREATE TABLE IF NOT EXISTS ai_audit_segments ("
    "id {word} NOT NULL PRIMARY KEY, node {word}, pid {number} NOT NULL, created {number} NOT NULL, "
    "previous {word}, writer {word} NOT NULL, records {number} NOT NULL, state {number} NOT NULL, "
    "torn {number} NOT NULL, damaged {number} NOT NULL, chain {word}, "
    "settled {number} NOT NULL, link {word}) {table}",
    "{index} ai_audit_segments_settled ON ai_audit_segments (settled)",

    "CREATE TABLE IF NOT EXISTS ai_audit_frames ("
    "id {word} NOT NULL PRIMARY KEY, call_id {word} NOT NULL, type {number} NOT NULL, "
    "time {number} NOT NULL, length {number} NOT NULL, digest {word} NOT NULL, "
    "chain {word} NOT NULL, coding {number} NOT NULL, body {text}, "
    "removed {number} NOT NULL) {table}",
    "{index} ai_audit_frames_call_id ON ai_audit_frames (call_id)",
    "{index} ai_audit_frames_removed ON ai_audit_frames (removed, type, time)",

    "CREATE TABLE IF NOT EXISTS ai_audit_calls ("
    "id {word} NOT NULL PRIMARY KEY, time {number} NOT NULL, "
    WORDS("node") WORDS("tenant") WORDS("usr") WORDS("key_id") WORDS("tier") WORDS("address")
    WORDS("endpoint") WORDS("dialect") WORDS("model") WORDS("served") WORDS("target")
    WORDS("route") WORDS("cache") WORDS("guard") WORDS("limited") WORDS("deny")
    NUMBERS("status") WORDS("finish") NUMBERS("stream") NUMBERS("attempts")
    NUMBERS("tokens_prompt") NUMBERS("tokens_completion") NUMBERS("tokens_cached")
    NUMBERS("tokens_reasoning") NUMBERS("tokens_written") WORDS("tokens_source")
    NUMBERS("cost_nanousd") NUMBERS("saved_nanousd") NUMBERS("first_us") NUMBERS("upstream_us")
    NUMBERS("overhead_us") NUMBERS("total_us") WORDS("trace_id")
    "estimated {number} NOT NULL, frame {word} NOT NULL) {table}",
    "{index} ai_audit_calls_time ON ai_audit_calls (time)",
    "{index} ai_audit_calls_tenant ON ai_audit_calls (tenant, time)",
    "{index} ai_audit_calls_key_id ON ai_audit_calls (key_id, time)",
    "{index} ai_audit_calls_usr ON ai_audit_calls (usr, time)",
    "{index} ai_audit_calls_model ON ai_audit_calls (model, time)",
    "{index} ai_audit_calls_target ON ai_audit_calls (target, time)",
    "{index} ai_audit_calls_status ON ai_audit_calls (status, time)",
    "{index} ai_audit_calls_trace_id ON ai_audit_calls (trace_id)",

    "CREATE TABLE IF NOT EXISTS ai_audit_feedback ("
    "id {word} NOT NULL PRIMARY KEY, call_id {word} NOT NULL, tenant {word}, usr {word}, "
    "time {number} NOT NULL, feedback {number}, score {number}) {table}",
    "{index} ai_audit_feedback_call_id ON ai_audit_feedback (call_id)",

    "CREATE TABLE IF NOT EXISTS ai_audit_checkpoints ("
    "id {word} NOT NULL PRIMARY KEY, node {word}, time {number} NOT NULL, text {text} NOT NULL, "
    "signature {text} NOT NULL, signer {word} NOT NULL) {table}",

    "CREATE TABLE IF NOT EXISTS ai_audit_holds ("
    "id {word} NOT NULL PRIMARY KEY, tenant {word}, since {number}, until {number}, "
    "reason {text}, created {number} NOT NULL, released {number}) {table}",

    "CREATE TABLE IF NOT EXISTS ai_audit_told ("
    "id {word} NOT NULL PRIMARY KEY, records {number} NOT NULL, state {number} NOT NULL, "
    "torn {number} NOT NULL, damaged {number} NOT NULL, settled {number} NOT NULL) {table}",
    NULL
};
static const char *const *const steps[] = { tables, NULL };

const ai_db_schema_t ai_audit_store_schema = { "audit", steps };

/* -------------------------------------------------------------------------------- store */

/* How many rows a statement takes. */
static const int sizes[] = { 64, 8, 1 };

#define SIZES ((int)(sizeof(sizes) / sizeof(sizes[0])))
#define MOST 64

/* What goes into a table: columns are names, with a '#' before those that are numbers. */
typedef struct table_t {
    const char *name;
    int columns;
    const char *sql[SIZES];
} table_t;

#define FRAME_COLUMNS 10
#define FEEDBACK_COLUMNS 7

static const char *const frame_columns[FRAME_COLUMNS] = {
    "id", "call_id", "#type", "#time", "#length", "digest", "chain", "#coding", "body", "#removed"
};
static const char *const feedback_columns[FEEDBACK_COLUMNS] = {
    "id", "call_id", "tenant", "usr", "#time", "#feedback", "#score"
};

struct ai_audit_store_t {
    ai_db_t *db;
    table_t frames, calls, feedback;
};

static void make_table(apr_pool_t *p, table_t *table, const char *name, const char *const *columns,
                       int n)
{
    const char *names = "", *places = "", *sql;
    int i, row;

    table->name = name;
    table->columns = n;
    for (i = 0; i < n; i++) {
        names = apr_pstrcat(p, names, i ? ", " : "", columns[i] + (*columns[i] == '#'), NULL);
        places = apr_pstrcat(p, places, i ? ", " : "", *columns[i] == '#' ? "%lld" : "%s", NULL);
    }
    for (i = 0; i < SIZES; i++) {
        sql = apr_pstrcat(p, "INSERT INTO ", name, " (", names, ") VALUES (", places, ")", NULL);
        for (row = 1; row < sizes[i]; row++) {
            sql = apr_pstrcat(p, sql, ", (", places, ")", NULL);
        }
        table->sql[i] = apr_pstrcat(p, sql, " {or_nothing}", NULL);
    }
}

ai_audit_store_t *ai_audit_store_open(apr_pool_t *p, const ai_db_conf_t *conf)
{
    ai_audit_store_t *store = apr_pcalloc(p, sizeof(*store));
    const char *columns[AI_AUDIT_CALL_COLUMNS];
    int i;

    store->db = ai_db_open(p, conf);
    make_table(p, &store->frames, "ai_audit_frames", frame_columns, FRAME_COLUMNS);
    make_table(p, &store->feedback, "ai_audit_feedback", feedback_columns, FEEDBACK_COLUMNS);
    for (i = 0; i < AI_AUDIT_CALL_COLUMNS; i++) {
        columns[i] = apr_pstrcat(p, ai_audit_call_columns[i].kind == AI_AUDIT_WORD ? "" : "#",
                                 ai_audit_call_columns[i].name, NULL);
    }
    make_table(p, &store->calls, "ai_audit_calls", columns, AI_AUDIT_CALL_COLUMNS);
    return store;
}

void ai_audit_store_close(ai_audit_store_t *store)
{
    ai_db_close(store->db);
}

ai_db_t *ai_audit_store_db(const ai_audit_store_t *store)
{
    return store->db;
}

/* The largest size that so many rows fill. */
static int size_for(int n)
{
    int i = 0;

    while (sizes[i] > n) {
        i++;
    }
    return i;
}

static const char *number(apr_pool_t *p, apr_int64_t n)
{
    return apr_psprintf(p, "%" APR_INT64_T_FMT, n);
}

/* ------------------------------------------------------------------------------- frames */

static void fill_frame(apr_pool_t *p, const ai_audit_frame_t *frame, const char **args)
{
    args[0] = frame->id;
    args[1] = frame->call;
    args[2] = number(p, frame->type);
    args[3] = number(p, frame->time);
    args[4] = number(p, (apr_int64_t)frame->length);
    args[5] = frame->digest;
    args[6] = frame->chain;
    args[7] = number(p, frame->coding);
    args[8] = frame->body;
    args[9] = number(p, frame->removed);
}

const char *ai_audit_store_frames(ai_audit_store_t *store, apr_pool_t *p,
                                  const ai_audit_frame_t *frames, int n)
{
    const char *args[MOST * FRAME_COLUMNS], *wrong = NULL;
    int i, size;

    for (; !wrong && n > 0; frames += sizes[size], n -= sizes[size]) {
        size = size_for(n);
        for (i = 0; i < sizes[size]; i++) {
            fill_frame(p, frames + i, args + i * FRAME_COLUMNS);
        }
        wrong = ai_db_exec(store->db, p, store->frames.sql[size], sizes[size] * FRAME_COLUMNS, args,
                           NULL);
    }
    return wrong;
}

/* ----------------------------------------------------------------------------- feedback */

const char *ai_audit_store_feedback(ai_audit_store_t *store, apr_pool_t *p,
                                    const ai_audit_feedback_t *feedback, int n)
{
    const char *args[MOST * FEEDBACK_COLUMNS], **of_row, *wrong = NULL;
    int i, size;

    for (; !wrong && n > 0; feedback += sizes[size], n -= sizes[size]) {
        size = size_for(n);
        for (i = 0; i < sizes[size]; i++) {
            of_row = args + i * FEEDBACK_COLUMNS;
            of_row[0] = feedback[i].id;
            of_row[1] = feedback[i].call;
            of_row[2] = feedback[i].tenant;
            of_row[3] = feedback[i].user;
            of_row[4] = number(p, feedback[i].time);
            of_row[5] = feedback[i].feedback;
            of_row[6] = feedback[i].score;
        }
        wrong = ai_db_exec(store->db, p, store->feedback.sql[size], sizes[size] * FEEDBACK_COLUMNS,
                           args, NULL);
    }
    return wrong;
}

/* -------------------------------------------------------------------------------- calls */

static const char drop_estimate[] = "DELETE FROM ai_audit_calls WHERE id = %s AND estimated = 1";

/* Takes out what was estimated of calls that are known now. Out: *gone, how many. */
static const char *drop_estimates(ai_audit_store_t *store, apr_pool_t *p,
                                  const ai_audit_call_t *calls, int n, int *gone)
{
    const char *wrong = NULL;
    int i, rows;

    *gone = 0;
    for (i = 0; !wrong && i < n; i++) {
        if (*calls[i].values[AI_AUDIT_CALL_ESTIMATED] == '0') {
            wrong = ai_db_exec(store->db, p, drop_estimate, 1, &calls[i].values[AI_AUDIT_CALL_ID],
                               &rows);
            *gone += rows;
        }
    }
    return wrong;
}

/* Values of a call lie side by side, and so do calls: they are the arguments. */
static const char *put_calls(ai_audit_store_t *store, apr_pool_t *p, const ai_audit_call_t *calls,
                             int size)
{
    const char *const *args = (const char *const *)calls, *sql = store->calls.sql[size], *wrong;
    int n = sizes[size], added, gone = 0;

    wrong = ai_db_exec(store->db, p, sql, n * AI_AUDIT_CALL_COLUMNS, args, &added);
    if (!wrong && added < n) {
        wrong = drop_estimates(store, p, calls, n, &gone);
    }
    return wrong || !gone
               ? wrong
               : ai_db_exec(store->db, p, sql, n * AI_AUDIT_CALL_COLUMNS, args, &added);
}

const char *ai_audit_store_calls(ai_audit_store_t *store, apr_pool_t *p,
                                 const ai_audit_call_t *calls, int n)
{
    const char *wrong = NULL;
    int size;

    for (; !wrong && n > 0; calls += sizes[size], n -= sizes[size]) {
        size = size_for(n);
        wrong = put_calls(store, p, calls, size);
    }
    return wrong;
}

/* ----------------------------------------------------------------------------- segments */

#define SEGMENT_COLUMNS 12

static const char put_segment[] =
    "INSERT INTO ai_audit_segments (id, node, pid, created, previous, writer, records, state, torn, "
    "damaged, chain, link, settled) VALUES (%s, %s, %lld, %lld, %s, %s, %lld, %lld, %lld, %lld, %s, %s, 0) "
    "{or_nothing}";
/* What is damaged stays so, and what is over: who comes later does not see the closing record. */
static const char set_segment[] =
    "UPDATE ai_audit_segments SET records = %lld, "
    "state = CASE WHEN state > %lld THEN state ELSE %lld END, torn = %lld, "
    "damaged = CASE WHEN damaged > %lld THEN damaged ELSE %lld END, chain = %s WHERE id = %s";

const char *ai_audit_store_segment(ai_audit_store_t *store, apr_pool_t *p,
                                   const ai_audit_segment_t *segment)
{
    const char *args[SEGMENT_COLUMNS] = {
        segment->id, segment->node, number(p, segment->pid), number(p, segment->created),
        segment->previous, segment->writer, number(p, segment->records), number(p, segment->state),
        number(p, segment->torn), number(p, segment->damaged), segment->chain, segment->link
    };
    const char *const changes[] = { args[6], args[7], args[7], args[8], args[9], args[9], args[10],
                                    args[0] };
    const char *wrong;
    int added;

    wrong = ai_db_exec(store->db, p, put_segment, SEGMENT_COLUMNS, args, &added);
    return wrong || added ? wrong : ai_db_exec(store->db, p, set_segment, 8, changes, NULL);
}
