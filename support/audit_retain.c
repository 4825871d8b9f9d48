/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_retain.c - what is kept how long, and what is held? aictl audit retain, hold.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <apr_network_io.h>
#include <apr_strings.h>

#include "ai_retain.h"
#include "ai_value.h"
#include "ai_when.h"
#include "audit_proof.h"
#include "search.h"

#define LONGEST_SPAN (APR_INT64_C(86400000) * 365 * 100)

/* So long others have their turn between two batches: with SQLite nobody else writes meanwhile. */
#define TURN_MS 50

/* The longest reason of a hold. */
#define REASON 500

const char *audit_when(apr_pool_t *p, const char *name, const char *word, apr_time_t now,
                       apr_time_t *when)
{
    const char *wrong;
    apr_int64_t ms;

    if (!word || ai_when_read(word, when)) {
        return NULL;
    }
    wrong = ai_value_time(p, word, 1, LONGEST_SPAN, &ms);
    if (wrong) {
        return apr_pstrcat(p, "--", name, ": ", wrong, "; or a time in UTC, as 2026-12-31T23:59:59Z or "
                           "2026-12-31", NULL);
    }
    *when = now - apr_time_from_msec(ms);
    return *when > 0 ? NULL : apr_pstrcat(p, "--", name, ": is before 1970", NULL);
}

/* ------------------------------------------------------------------------------- retain */

typedef struct retaining_t {
    const char *database_text, *older, *tenant, *key_file, *node;
    int bodies, records, dry_run, unsigned_too;
    database_t database;
    ai_retain_t retain;
    ai_proof_t proof;
} retaining_t;

static const char *read_retain(apr_pool_t *p, retaining_t *at, apr_time_t now)
{
    apr_time_t before = 0;
    const char *wrong;

    if (!at->older || at->bodies + at->records != 1) {
        return "usage: aictl audit retain --older SPAN --bodies|--records [OPTION]...; aictl --help";
    }
    if (at->tenant && !*at->tenant) {
        return "--tenant: is empty";
    }
    if (at->key_file && at->unsigned_too) {
        return "--unsigned: is for who has no --signing-key";
    }
    if (!at->dry_run && !at->key_file && !at->unsigned_too) {
        return "what is taken out is told in a checkpoint, and that is signed: say --signing-key FILE, or "
               "--unsigned where nobody signs";
    }
    wrong = audit_when(p, "older", at->older, now, &before);
    if (!wrong && before >= now) {
        wrong = "--older: is to come";
    }
    at->retain.records = at->records;
    at->retain.before = before;
    at->retain.tenant = at->tenant;
    at->retain.why = apr_psprintf(p, "%s before %s%s%.100s", at->records ? "records" : "bodies",
                                  ai_when_text(p, before), at->tenant ? ", tenant " : "",
                                  at->tenant ? at->tenant : "");
    return wrong;
}

const char *audit_host_name(apr_pool_t *p)
{
    char name[APRMAXHOSTLEN + 1];

    return apr_gethostname(name, sizeof(name), p) == APR_SUCCESS ? apr_pstrndup(p, name, 63)
                                                                 : "localhost";
}

static const char *run_retain(apr_pool_t *p, retaining_t *at, apr_time_t now, ai_retained_t *done)
{
    const char *wrong = NULL;

    memset(done, 0, sizeof(*done));
    if (at->dry_run) {
        database_wait(&at->database);
        return ai_retain_count(at->proof.db, p, &at->retain, done);
    }
    do {
        database_wait(&at->database);
        wrong = ai_retain_run(&at->proof, p, &at->retain, now, 1, done);
        poll(NULL, 0, done->more ? TURN_MS : 0);
    } while (!wrong && done->more);
    return wrong;
}

int retain_command(apr_pool_t *p, int argc, const char *const *argv)
{
    retaining_t *at = apr_pcalloc(p, sizeof(*at));
    const audit_option_t options[] = {
        { "database", &at->database_text, NULL }, { "older", &at->older, NULL },
        { "tenant", &at->tenant, NULL }, { "signing-key", &at->key_file, NULL },
        { "bodies", NULL, &at->bodies }, { "records", NULL, &at->records },
        { "dry-run", NULL, &at->dry_run }, { "unsigned", NULL, &at->unsigned_too },
        { NULL, NULL, NULL }
    };
    apr_time_t now = apr_time_now();
    apr_array_header_t *words;
    const char *wrong = audit_options_read(p, argc, argv, options, &words);
    ai_audit_store_t *store;
    ai_sign_key_t *key = NULL;
    ai_retained_t done;

    wrong = wrong ? wrong : words->nelts ? "retain takes options only; aictl --help"
                                         : read_retain(p, at, now);
    if (wrong) {
        return complain(MISUSED, wrong);
    }
    /* The key may be root's, and root becomes the owner of SQLite's file. */
    wrong = at->key_file ? ai_sign_load(p, at->key_file, &key) : NULL;
    wrong = wrong ? wrong : audit_database_open(p, at->database_text, 0, &at->database, &store);
    if (wrong) {
        return complain(FAILED, wrong);
    }
    at->proof = (ai_proof_t){ ai_audit_store_db(store), key, audit_host_name(p) };
    wrong = run_retain(p, at, now, &done);
    database_rest();
    printf("%" APR_INT64_T_FMT " bodies, %" APR_INT64_T_FMT " bytes: %s (%s)\n", done.frames, done.bytes,
           at->dry_run ? "would be taken out" : "taken out", at->retain.why);
    return wrong ? complain(FAILED, apr_pstrcat(p, at->database.name, ": ", wrong, NULL)) : DONE_WELL;
}

/* --------------------------------------------------------------------------------- hold */

typedef struct holding_t {
    apr_pool_t *pool;
    apr_time_t now;
    const char *database_text, *tenant, *since, *until, *reason;
    apr_array_header_t *words;
    database_t database;
    ai_db_t *db;
} holding_t;

static int fail(holding_t *at, const char *wrong)
{
    database_rest();
    return complain(FAILED, apr_pstrcat(at->pool, at->database.name, ": ", wrong, NULL));
}

static const char *open_holds(holding_t *at)
{
    ai_audit_store_t *store;
    const char *wrong = audit_database_open(at->pool, at->database_text, 0, &at->database, &store);

    if (!wrong) {
        at->db = ai_audit_store_db(store);
        database_wait(&at->database);
    }
    return wrong;
}

/* A slip in a tenant's name would hold nothing, and nobody would know before it is too late. */
static void warn_if_empty(holding_t *at, const char *id)
{
    int any = 1;

    if (!ai_hold_finds(at->db, at->pool, id, &any) && !any) {
        fprintf(stderr, "aictl: warning: no call that is here is held by this, only such as may come%s\n",
                at->tenant ? "; a tenant is named in full, as \"acme/red\"" : "");
    }
}

static int hold_add(holding_t *at)
{
    ai_checkpoint_hold_t hold = { .tenant = at->tenant, .since = -1, .until = -1,
                                  .reason = at->reason };
    const char *wrong, *id;

    if (at->words->nelts != 1 || !at->reason || !*at->reason || strlen(at->reason) > REASON) {
        return complain(MISUSED, "usage: aictl audit hold add --reason TEXT [--tenant T] [--since T] "
                        "[--until T]; a reason has up to 500 bytes");
    }
    if (at->tenant && (!*at->tenant || strlen(at->tenant) > REASON)) {
        return complain(MISUSED, "--tenant: has 1 to 500 bytes");
    }
    wrong = audit_when(at->pool, "since", at->since, at->now, &hold.since);
    wrong = wrong ? wrong : audit_when(at->pool, "until", at->until, at->now, &hold.until);
    if (!wrong && hold.since >= 0 && hold.until >= 0 && hold.since >= hold.until) {
        wrong = "--until: is not after --since";
    }
    if (wrong) {
        return complain(MISUSED, wrong);
    }
    wrong = open_holds(at);
    if (wrong) {
        return complain(FAILED, wrong);
    }
    wrong = ai_hold_add(at->db, at->pool, &hold, at->now, &id);
    if (wrong) {
        return fail(at, wrong);
    }
    warn_if_empty(at, id);
    database_rest();
    printf("%s\n", id);
    return DONE_WELL;
}

static const char *show_time(apr_pool_t *p, apr_time_t when)
{
    return when >= 0 ? ai_when_text(p, when) : "-";
}

/* What is printed must be one line, whatever is in the database. */
static const char *show_text(apr_pool_t *p, const char *text)
{
    return text ? search_visible(p, ai_slice_of(text)) : "-";
}

static int hold_list(holding_t *at)
{
    static const char *const heads[] = { "ID", "TENANT", "SINCE", "UNTIL", "CREATED", "RELEASED", "REASON" };
    static const int right[7];
    apr_array_header_t *holds;
    search_table_t *table;
    const char *wrong;
    int i;

    if (at->words->nelts != 1 || at->tenant || at->since || at->until || at->reason) {
        return complain(MISUSED, "usage: aictl audit hold list");
    }
    wrong = open_holds(at);
    if (wrong) {
        return complain(FAILED, wrong);
    }
    wrong = ai_hold_list(at->db, at->pool, &holds);
    if (wrong) {
        return fail(at, wrong);
    }
    database_rest();
    table = search_table_begin(at->pool, 7, heads, right);
    for (i = 0; i < holds->nelts; i++) {
        const ai_checkpoint_hold_t *hold = &APR_ARRAY_IDX(holds, i, ai_checkpoint_hold_t);

        const char *cells[] = {
            show_text(at->pool, hold->id), show_text(at->pool, hold->tenant),
            show_time(at->pool, hold->since), show_time(at->pool, hold->until),
            show_time(at->pool, hold->created), show_time(at->pool, hold->released),
            show_text(at->pool, hold->reason)
        };

        search_table_row(table, cells);
    }
    search_table_flush(table);
    return DONE_WELL;
}

static int hold_release(holding_t *at)
{
    const char *wrong;
    int rows;

    if (at->words->nelts != 2 || at->tenant || at->since || at->until || at->reason) {
        return complain(MISUSED, "usage: aictl audit hold release ID");
    }
    wrong = open_holds(at);
    if (wrong) {
        return complain(FAILED, wrong);
    }
    wrong = ai_hold_release(at->db, at->pool, APR_ARRAY_IDX(at->words, 1, const char *), at->now, &rows);
    if (wrong || !rows) {
        return fail(at, wrong ? wrong : "there is no hold with that id that is not released; \"aictl "
                    "audit hold list\"");
    }
    database_rest();
    return DONE_WELL;
}

int hold_command(apr_pool_t *p, int argc, const char *const *argv)
{
    holding_t *at = apr_pcalloc(p, sizeof(*at));
    const audit_option_t options[] = {
        { "database", &at->database_text, NULL }, { "tenant", &at->tenant, NULL },
        { "since", &at->since, NULL }, { "until", &at->until, NULL },
        { "reason", &at->reason, NULL }, { NULL, NULL, NULL }
    };
    const char *wrong = audit_options_read(p, argc, argv, options, &at->words), *word;

    if (wrong) {
        return complain(MISUSED, wrong);
    }
    at->pool = p;
    at->now = apr_time_now();
    word = at->words->nelts ? APR_ARRAY_IDX(at->words, 0, const char *) : "";
    return strcmp(word, "add") == 0       ? hold_add(at)
           : strcmp(word, "list") == 0    ? hold_list(at)
           : strcmp(word, "release") == 0 ? hold_release(at)
                                          : complain(MISUSED, "usage: aictl audit hold add|list|release "
                                                     "[OPTION]...; aictl --help");
}
