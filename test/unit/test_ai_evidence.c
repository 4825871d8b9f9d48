/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_evidence.c - can whoever gets an export verify it, and is each change of it found?
 */
#include <apr_file_io.h>

#include "ai_evidence.h"
#include "proof_frame.h"

static apr_array_header_t *lines; /* of const char *, each with its end */

static int take_line(void *baton, ai_slice_t line)
{
    (void)baton;
    APR_ARRAY_PUSH(lines, const char *) = apr_pstrmemdup(pool, line.p, line.n);
    return 1;
}

static const char *line_at(int i)
{
    return APR_ARRAY_IDX(lines, i, const char *);
}

static const char *take_id(void *baton, const char *const *values)
{
    APR_ARRAY_PUSH((apr_array_header_t *)baton, const char *) = apr_pstrdup(pool, values[0]);
    return NULL;
}

/* The calls of a tenant, or all (%). */
static void export_of(const char *tenant)
{
    ai_evidence_t evidence = { .db = db, .write = take_line };
    apr_array_header_t *ids = apr_array_make(pool, 8, sizeof(const char *));
    int i;

    lines = apr_array_make(pool, 64, sizeof(const char *));
    fine(ai_db_select(db, pool, apr_psprintf(pool, "SELECT id FROM ai_audit_calls WHERE tenant LIKE '%s'",
                                             tenant), 0, NULL, 1, take_id, ids), "calls");
    ai_evidence_begin(&evidence, pool);
    for (i = 0; i < ids->nelts; i++) {
        fine(ai_evidence_add(&evidence, pool, APR_ARRAY_IDX(ids, i, const char *)), "are asked for");
    }
    fine(ai_evidence_write(&evidence, pool), "and written");
}

/* How many findings lines have; -1: they are none of an export. skip: this one is left out; put: and
 * this one is there instead. */
static long long check(int skip, const char *put)
{
    const char *path = in_folder("export"), *wrong;
    apr_file_t *file;
    apr_pool_t *p;
    int i;

    apr_pool_create(&p, pool);
    if (apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_TRUNCATE
                      | APR_FOPEN_BUFFERED, 0600, p) != APR_SUCCESS) {
        abort();
    }
    for (i = 0; i < lines->nelts; i++) {
        const char *line = i == skip ? put : line_at(i);

        if (line && apr_file_puts(line, file) != APR_SUCCESS) {
            abort();
        }
    }
    apr_file_close(file);
    apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_BUFFERED, 0, p);
    wrong = ai_verify_export(new_verify(p, key), file);
    apr_file_close(file);
    apr_pool_destroy(p);
    return wrong ? -1 : last.findings;
}

static int is_ours(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Each letter and digit of each line, one after the other. */
static void test_letters(void)
{
    int i, missed = 0, tried = 0;
    char *line, was;
    apr_size_t k;

    for (i = 0; i < lines->nelts; i++) {
        line = apr_pstrdup(pool, line_at(i));
        /* Of checkpoints and records a few: a digest is over all of it. */
        for (k = 0; k < strlen(line) - 1; k += k < 420 ? 1 : 97) {
            was = line[k];
            if (!is_ours(was)) {
                continue;
            }
            line[k] = was == '7' ? '8' : '7';
            tried++;
            if (check(i, line) == 0) {
                missed++;
                printf("# line %d, byte %d: %.200s", i, (int)k, line);
            }
            line[k] = was;
        }
    }
    ok(tried > 2000, "%d letters are changed", tried);
    is_number(missed, 0, "each change is found");
}

static void test_lines(void)
{
    const char *swapped;
    int i, missed = 0;

    for (i = 0; i < lines->nelts; i++) {
        /* Checkpoints at the end may be missing, that is what --expect is for; and with them what they
         * alone prove is not proved. */
        if (check(i, NULL) == 0) {
            missed++;
            printf("# line %d of %d removed: %.150s\n", i, lines->nelts, line_at(i));
        }
    }
    is_number(missed, 1, "each line that is removed is missed, but the last checkpoint");
    for (i = 1, missed = 0; i < lines->nelts; i++) {
        swapped = line_at(i);
        APR_ARRAY_IDX(lines, i, const char *) = line_at(i - 1);
        missed += check(i - 1, swapped) == 0;
        APR_ARRAY_IDX(lines, i, const char *) = swapped;
    }
    /* The order of the segments is nobody's promise. */
    is_number(missed, 1, "two lines that change places are found, but two segments");
    for (i = 0, missed = 0; i < lines->nelts; i++) {
        missed += check(i, apr_pstrcat(pool, line_at(i), line_at(i), NULL)) == 0;
    }
    is_number(missed, 0, "a line that is there twice is found");
}

int main(int argc, char **argv)
{
    ai_retain_t retain = { 0, NOON - DAY, NULL, "bodies older than a day" };
    ai_retained_t done = { 0, 0, 0 };
    ai_spool_t *spool;
    long long all;

    begin_proof(argc, argv);
    spool = open_spool(4096);
    put_call(spool, "old", NOON - 2 * DAY, 1);
    put_call(spool, "acme", NOON, 1);
    ship_all();
    tell(NOON);
    put_call(spool, "acme", NOON, 1);
    close_spool(spool);
    ship_all();
    fine(ai_retain_run(&proof, pool, &retain, NOON, 10, &done), "retention");
    tell(NOON + 1);
    is_well("the database is well");
    all = last.records;
    export_of("%");
    is_number(check(-1, NULL), 0, "so is an export of it");
    ok(last.records == all && last.absent == 0 && last.removed == 2 && last.behind == 0
           && last.segments == 2, "with all of it");
    test_letters();
    test_lines();
    export_of("old");
    is_number(check(-1, NULL), 0, "an export of one tenant");
    ok(last.absent > 0, "has the digests alone of what is of others");
    ok(!strstr(line_at(lines->nelts - 2), "acme"), "and nothing of theirs");
    lines = apr_array_make(pool, 1, sizeof(const char *));
    is_number(check(-1, NULL), -1, "nothing is no export");
    return end_proof();
}
