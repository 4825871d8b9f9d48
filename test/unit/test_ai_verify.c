/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_verify.c - is each change to each column of each table found, each row that is removed, moved
 * or added, and each history that somebody makes anew?
 *
 * Each change is made in a transaction that is rolled back.
 */
#include <apr_escape.h>

#include <openssl/evp.h>

#include "proof_frame.h"

static const char *const tables[] = { "ai_audit_segments", "ai_audit_frames", "ai_audit_calls",
                                      "ai_audit_feedback", "ai_audit_checkpoints", "ai_audit_holds",
                                      "ai_audit_told" };

#define TABLES ((int)(sizeof(tables) / sizeof(tables[0])))

static const char *take_name(void *baton, const char *const *values)
{
    APR_ARRAY_PUSH((apr_array_header_t *)baton, const char *) = apr_pstrdup(pool, values[0]);
    return NULL;
}

static apr_array_header_t *list(const char *sql)
{
    apr_array_header_t *names = apr_array_make(pool, 16, sizeof(const char *));

    fine(ai_db_select(db, pool, sql, 0, NULL, 1, take_name, names), sql);
    return names;
}

/* The database says which there are, so that none is forgotten. */
static apr_array_header_t *columns_of(const char *table)
{
    return list(apr_psprintf(pool, is_sqlite() ? "SELECT name FROM pragma_table_info('%s')"
                                               : "SELECT column_name FROM information_schema.columns "
                                                 "WHERE table_name = '%s'", table));
}

/* Rows: but the one that is no more than a lock. */
static apr_array_header_t *rows_of(const char *table)
{
    return list(apr_psprintf(pool, "SELECT id FROM %s WHERE id <> 'turn' ORDER BY id", table));
}

static const char *value_of(const char *table, const char *column, const char *id)
{
    return one(apr_psprintf(pool, "SELECT %s FROM %s WHERE id = '%s'", column, table, id));
}

/* Another value of the same kind: its last letter is another one, or one in its middle. */
static const char *another(const char *value, int middle)
{
    char *other = apr_pstrdup(pool, value ? value : "1");
    apr_size_t n = strlen(other);

    if (value && n) {
        n = middle ? n / 2 : n - 1;
        other[n] = other[n] == '7' ? '8' : '7';
    }
    return value && !*value ? "7" : other;
}

/* Sets a column; 0: the table does not take that. */
static int set(const char *table, const char *column, const char *id, const char *value)
{
    const char *const args[] = { value, id };
    const char *sql = apr_psprintf(pool, "UPDATE %s SET %s = %%s WHERE id = %%s", table, column);

    return ai_db_exec(db, pool, sql, 2, args, NULL) == NULL;
}

/* What was changed is found. */
static int is_found(const char *table, const char *column, const char *id, const char *value)
{
    int good = 1;

    fine(ai_db_begin(db, pool), "a transaction") || (abort(), 0);
    if (set(table, column, id, value)) {
        good = verify() > 0;
    }
    ai_db_rollback(db, pool);
    if (!good) {
        printf("# %s.%s of %s as %s: not found\n", table, column, id, value ? value : "NULL");
    }
    return good;
}

static void test_columns(const char *table)
{
    apr_array_header_t *columns = columns_of(table), *rows = rows_of(table);
    int i, k, missed = 0;

    ok(columns->nelts > 5 && rows->nelts > 0, "%s: %d columns of %d rows", table, columns->nelts,
       rows->nelts);
    for (i = 0; i < rows->nelts; i++) {
        const char *id = APR_ARRAY_IDX(rows, i, const char *);

        for (k = 0; k < columns->nelts; k++) {
            const char *column = APR_ARRAY_IDX(columns, k, const char *);
            const char *value = value_of(table, column, id);

            missed += !is_found(table, column, id, another(value, 0));
            missed += value && !is_found(table, column, id, another(value, 1));
            missed += value && !is_found(table, column, id, NULL);
        }
    }
    is_number(missed, 0, apr_pstrcat(pool, table, ": each change of each column is found", NULL));
}

static void test_removal(const char *table)
{
    apr_array_header_t *rows = rows_of(table);
    int i, missed = 0;

    for (i = 0; i < rows->nelts; i++) {
        const char *id = APR_ARRAY_IDX(rows, i, const char *);

        ai_db_begin(db, pool);
        run(apr_psprintf(pool, "DELETE FROM %s WHERE id = '%s'", table, id));
        if (verify() <= 0) {
            missed++;
            printf("# %s: %s removed: not found\n", table, id);
        }
        ai_db_rollback(db, pool);
    }
    is_number(missed, 0, apr_pstrcat(pool, table, ": each row that is removed is found", NULL));
}

/* Two rows change places. */
static void test_swap(const char *table)
{
    apr_array_header_t *rows = rows_of(table);
    int i, missed = 0;

    for (i = 1; i < rows->nelts; i++) {
        const char *a = APR_ARRAY_IDX(rows, i - 1, const char *);
        const char *b = APR_ARRAY_IDX(rows, i, const char *);

        ai_db_begin(db, pool);
        if (!set(table, "id", a, "x") || !set(table, "id", b, a) || !set(table, "id", "x", b)) {
            abort();
        }
        if (verify() <= 0) {
            missed++;
            printf("# %s: %s and %s: not found\n", table, a, b);
        }
        ai_db_rollback(db, pool);
    }
    is_number(missed, 0, apr_pstrcat(pool, table, ": each two rows that change places are found", NULL));
}

/* ------------------------------------------------------------------------------ attackers */

typedef struct forged_t {
    const char *id;
    ai_spool_frame_t frame;
} forged_t;

static const char *take_frame(void *baton, const char *const *values)
{
    forged_t *forged = apr_array_push(baton);

    memset(forged, 0, sizeof(*forged));
    forged->id = apr_pstrdup(pool, values[0]);
    ai_uuid_read(ai_slice_of(values[1]), &forged->frame.id);
    forged->frame.type = (int)apr_atoi64(values[2]);
    forged->frame.time = apr_atoi64(values[3]);
    forged->frame.length = (apr_size_t)apr_atoi64(values[4]);
    apr_unescape_hex(forged->frame.digest, values[5], 64, 0, NULL);
    apr_unescape_hex(forged->frame.chain, values[6], 64, 0, NULL);
    forged->frame.sequence = (apr_uint64_t)apr_atoi64(values[0] + 37);
    return NULL;
}

/* Who can write the database, and has no key: another cost for a call, and all that follows made anew. */
static void forge(int cost)
{
    const char *end = one(apr_psprintf(pool, "SELECT MIN(id) FROM ai_audit_frames WHERE type = 2 AND "
                                       "id > '%s:'", one("SELECT MAX(id) FROM ai_audit_segments")));
    const char *body = value_of("ai_audit_frames", "body", end), *at = strstr(body, "nanousd\":"), *sql;
    const char *chain = NULL;
    apr_array_header_t *frames = apr_array_make(pool, 8, sizeof(forged_t));
    int i, from = 0;

    at += sizeof("nanousd\":") - 1;
    body = apr_psprintf(pool, "%.*s%d%s", (int)(at - body), body, cost, at + 4);
    sql = apr_psprintf(pool, "SELECT id, call_id, type, time, length, digest, chain FROM ai_audit_frames "
                       "WHERE id > '%.36s:' AND id < '%.36s;' ORDER BY id", end, end);
    fine(ai_db_select(db, pool, sql, 0, NULL, 7, take_frame, frames), "the attacker reads");
    for (i = 0; i < frames->nelts; i++) {
        forged_t *one = &APR_ARRAY_IDX(frames, i, forged_t);

        if (strcmp(one->id, end) == 0) {
            from = i;
            EVP_Digest(body, strlen(body), one->frame.digest, NULL, EVP_sha256(), NULL);
            set("ai_audit_frames", "body", end, body);
            set("ai_audit_frames", "digest", end, apr_pescape_hex(pool, one->frame.digest, 32, 0));
        }
    }
    for (i = from; i < frames->nelts; i++) {
        forged_t *one = &APR_ARRAY_IDX(frames, i, forged_t);

        ai_spool_chain(APR_ARRAY_IDX(frames, i - 1, forged_t).frame.chain, &one->frame,
                       one->frame.chain);
        chain = apr_pescape_hex(pool, one->frame.chain, 32, 0);
        set("ai_audit_frames", "chain", one->id, chain);
    }
    set("ai_audit_segments", "chain", apr_pstrndup(pool, end, 36), chain);
    run(apr_psprintf(pool, "UPDATE ai_audit_calls SET cost_nanousd = %d WHERE frame = '%s'", cost, end));
}

static void test_forger(void)
{
    ai_sign_key_t *own;
    ai_proof_t forger;
    int written;

    ai_db_begin(db, pool);
    forge(4100);
    ok(verify() > 0, "a record that was changed, with all chain values behind it");
    found("checkpoint", "is found by the checkpoints");
    is_number(verify_with(NULL, NULL) > 0, 1, "also by who has no public key");
    run("DELETE FROM ai_audit_checkpoints");
    run("DELETE FROM ai_audit_told");
    run("UPDATE ai_audit_frames SET removed = 0");
    ok(verify() > 0, "when all checkpoints are removed");
    ai_db_rollback(db, pool);

    /* It cannot be undone by who is honest, but goes on. */
    ai_db_begin(db, pool);
    run("DELETE FROM ai_audit_checkpoints");
    run("DELETE FROM ai_audit_told");
    ai_sign_make(pool, &own);
    forger = (ai_proof_t){ db, own, "gw1" };
    ai_db_commit(db, pool);
    fine(ai_proof_checkpoint(&forger, pool, NOON, &written), "a forger writes checkpoints of his own");
    ok(verify() > 0, "which are signed by another key");
    ok(verify_with(own, NULL) > 0, "what was taken out is not told by them");
}

/* Who has the key goes on after the forger: what was signed before contradicts. */
static void test_honest_after(void)
{
    ai_spool_t *spool = open_spool(0);

    put_call(spool, "late", NOON + 9, 1);
    ship_all();
    tell(NOON + 10);
    is_well("one more, and a checkpoint of it");
    put_call(spool, "later", NOON + 9, 1);
    close_spool(spool);
    ship_all();
    ai_db_begin(db, pool);
    forge(4300);
    fine(ai_db_commit(db, pool), "a forger was here");
    ok(tell(NOON + 11) > 0, "who has the key signs what the database says");
    ok(verify() > 0, "and it is found all the same");
}

static void test_cut(void)
{
    const char *digest;

    is_well("all is well before");
    digest = last.last;
    is_number(verify_with(key, digest), 0, "with the digest of the last checkpoint, too");
    ok(last.last_time > 0 && last.first_signed == 1, "which is told");
    ai_db_begin(db, pool);
    run(apr_psprintf(pool, "DELETE FROM ai_audit_checkpoints WHERE id = '%s'",
                     one("SELECT MAX(id) FROM ai_audit_checkpoints")));
    ok(verify_with(key, digest) > 0, "the last checkpoint is removed");
    run("DELETE FROM ai_audit_told");
    run("UPDATE ai_audit_checkpoints SET signature = '', signer = ''");
    ok(verify() > 0, "signatures are taken off");
    ai_db_rollback(db, pool);
    ok(verify_with(NULL, NULL) == 0, "without a key nobody is asked who signed");
    ok(verify_with(key, "0000000000000000000000000000000000000000000000000000000000000000") > 0,
       "a digest that is not there");
    found("that was expected", "is said so");
}

static void test_silent_removal(void)
{
    const char *frame = one("SELECT MIN(id) FROM ai_audit_frames WHERE type = 2 AND removed = 0");
    const char *number;

    ai_db_begin(db, pool);
    set("ai_audit_frames", "body", frame, NULL);
    set("ai_audit_frames", "coding", frame, "0");
    ok(verify() > 0, "a body that is removed");
    found("no checkpoint tells", "is found");
    for (number = "1"; *number && *number <= '4'; number = apr_psprintf(pool, "%c", *number + 1)) {
        set("ai_audit_frames", "removed", frame, number);
        ok(verify() > 0, "also as if checkpoint %s told of it", number);
    }
    ai_db_rollback(db, pool);
}

/* A frame beside those of its segment: who reads a call's frames finds it all the same. */
static void test_stray_frame(void)
{
    static const char *const ends[] = { "", ":", ";", ";0000000001", "!0000000001", ":0000000001x",
                                        "~" };
    const char *frame = one("SELECT MIN(id) FROM ai_audit_frames WHERE type = 2"), *id;
    char *longer = apr_palloc(pool, 701);
    int i;

    for (i = 0; i < (int)(sizeof(ends) / sizeof(ends[0])); i++) {
        ai_db_begin(db, pool);
        id = apr_psprintf(pool, "%.36s%s", frame, ends[i]);
        run(apr_psprintf(pool, "INSERT INTO ai_audit_frames (id, call_id, type, time, length, digest, "
                         "chain, coding, body, removed) SELECT '%s', call_id, type, time, length, digest, "
                         "chain, coding, body, removed FROM ai_audit_frames WHERE id = '%s'", id, frame));
        ok(verify() > 0, "a frame with the id of its segment and '%s' is found", ends[i]);
        ai_db_rollback(db, pool);
    }
    memset(longer, '~', 700);
    longer[700] = '\0';
    ai_db_begin(db, pool);
    if (is_sqlite() && set("ai_audit_frames", "id", frame, longer)) {
        ok(verify() > 0, "one whose id is longer than a column is found, and no end is none");
    }
    ai_db_rollback(db, pool);
}

/* A service that was begun without --signing-key would spoil for ever what was signed before. */
static void test_key_forgotten(void)
{
    ai_checkpoint_hold_t hold = { .tenant = "other", .since = -1, .until = -1, .reason = "a case" };
    ai_proof_t keyless = { db, NULL, "gw1" };
    const char *id, *wrong;
    int written = -1;

    fine(ai_proof_checkpoint(&keyless, pool, NOON + 4, &written), "nothing to tell takes no key");
    fine(ai_hold_add(db, pool, &hold, NOON + 4, &id), "something new");
    wrong = ai_proof_checkpoint(&keyless, pool, NOON + 4, &written);
    ok(wrong && strstr(wrong, "signed") && written == 0, "without a key no checkpoint follows a signed one");
    is_well("what was signed is as it was");
    ok(tell(NOON + 5) == 1, "who has the key goes on");
    is_well("all is told");
}

int main(int argc, char **argv)
{
    ai_checkpoint_hold_t hold = { .tenant = "held", .since = -1, .until = NOON, .reason = "a case" };
    ai_retain_t retain = { 0, NOON - DAY, NULL, "bodies older than a day" };
    ai_retained_t done = { 0, 0, 0 };
    ai_spool_t *spool;
    const char *id;
    int i, rows;

    begin_proof(argc, argv);
    ok(verify() == 1, "nothing is not signed, either");
    found("none is signed", "and that is told");
    spool = open_spool(4096);
    put_call(spool, "acme", NOON - 2 * DAY, 1);
    put_call(spool, "held", NOON - 2 * DAY, 1);
    ship_all();
    ok(tell(NOON) == 1 && tell(NOON) == 0, "what is new is told once");
    is_well("segments are open");
    ok(last.behind == 0 && last.records == 10, "all of them are proved");
    put_call(spool, "acme", NOON, 1);
    put_call(spool, "acme", NOON, 0);
    close_spool(spool);
    ship_all();
    fine(ai_hold_add(db, pool, &hold, NOON, &id), "a hold");
    is_well("more than was told");
    ok(last.behind > 0, "is said to be behind");
    tell(NOON + 1);
    fine(ai_retain_run(&proof, pool, &retain, NOON, 10, &done), "retention");
    is_number(done.frames, 2, "takes out prompt and answer of the call that is old and not held");
    fine(ai_hold_release(db, pool, id, NOON + 2, &rows), "the hold ends");
    hold.tenant = NULL;
    fine(ai_hold_add(db, pool, &hold, NOON + 2, &id), "another begins");
    tell(NOON + 3);
    is_well("all is as it was written");
    ok(last.removed == 2 && last.behind == 0 && last.calls == 3 && last.segments > 1
           && last.unsigned_checkpoints == 0, "as is told");
    for (i = 0; i < TABLES; i++) {
        test_columns(tables[i]);
        test_removal(tables[i]);
    }
    test_swap("ai_audit_frames");
    test_swap("ai_audit_checkpoints");
    test_swap("ai_audit_segments");
    test_swap("ai_audit_calls");
    test_cut();
    test_silent_removal();
    test_stray_frame();
    is_well("nothing of that stayed");
    test_key_forgotten();
    test_honest_after();
    test_forger();
    return end_proof();
}
