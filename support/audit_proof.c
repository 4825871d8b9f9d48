/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_proof.c - who may sign, and is what was recorded still as it was? aictl audit keygen, verify.
 */
#include <stdio.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_strings.h>

#include "ai_sign.h"
#include "ai_verify.h"
#include "ai_when.h"
#include "audit_proof.h"
#include "search.h"

/* ------------------------------------------------------------------------------- keygen */

int keygen_command(apr_pool_t *p, int argc, const char *const *argv)
{
    const char *path = NULL, *wrong;
    const audit_option_t options[] = { { "key", &path, NULL }, { NULL, NULL, NULL } };
    apr_array_header_t *words;
    ai_sign_key_t *key;

    wrong = audit_options_read(p, argc, argv, options, &words);
    if (wrong || !path || words->nelts) {
        return complain(MISUSED, wrong ? wrong : "usage: aictl audit keygen --key FILE");
    }
    wrong = ai_sign_make(p, &key);
    wrong = wrong ? wrong : ai_sign_save(p, key, path);
    if (wrong) {
        return complain(FAILED, wrong);
    }
    printf("%s", ai_sign_pem(p, key));
    fprintf(stderr, "aictl: %s: the key that signs; its public key goes to whoever verifies\n", path);
    return DONE_WELL;
}

/* ------------------------------------------------------------------------------- verify */

typedef struct verifying_t {
    ai_verify_t verify;
    database_t database;
    apr_pool_t *line_pool;
    const char *database_text, *spool, *export, *public_key, *expect, *since;
} verifying_t;

/* It may quote what somebody wrote into the database: that is no line of ours, and steers no terminal. */
static void print_finding(void *baton, const char *line)
{
    verifying_t *at = baton;

    apr_pool_clear(at->line_pool);
    printf("%s\n", search_visible(at->line_pool, ai_slice_of(line)));
}

static void wait_for_database(void *baton)
{
    verifying_t *at = baton;

    database_wait(&at->database);
}

/* Files with public keys, with a ',' between. */
static const char *read_keys(apr_pool_t *p, verifying_t *at)
{
    char *rest = at->public_key ? apr_pstrdup(p, at->public_key) : NULL, *path;
    const char *wrong = NULL;
    ai_sign_key_t *key;

    at->verify.keys = apr_array_make(p, 1, sizeof(const ai_sign_key_t *));
    while (!wrong && rest) {
        path = rest;
        rest = strchr(rest, ',');
        if (rest) {
            *rest++ = '\0';
        }
        wrong = ai_sign_load_public(p, path, &key);
        if (!wrong) {
            APR_ARRAY_PUSH(at->verify.keys, const ai_sign_key_t *) = key;
        }
    }
    return wrong;
}

static const char *read_words(apr_pool_t *p, verifying_t *at)
{
    if ((at->spool != NULL) + (at->export != NULL) + (at->database_text != NULL) > 1) {
        return "one of --database, --export and --spool at a time";
    }
    if (at->spool && (at->public_key || at->expect || at->since)) {
        return "--spool: a spool has no checkpoints yet, so no --public-key, --expect, --since";
    }
    if (at->export && at->since) {
        return "--since: is for a database";
    }
    if (at->expect && !ai_checkpoint_is_hex(at->expect, AI_CHECKPOINT_DIGEST)) {
        return "--expect: a digest has 64 of 0-9 and a-f; \"aictl audit verify\" prints that of the last "
               "checkpoint";
    }
    return audit_when(p, "since", at->since, apr_time_now(), &at->verify.since);
}

static const char *verify_export(apr_pool_t *p, verifying_t *at)
{
    apr_file_t *file;
    apr_status_t rv;
    char text[120];
    const char *wrong;

    rv = strcmp(at->export, "-") == 0
             ? apr_file_open_stdin(&file, p)
             : apr_file_open(&file, at->export, APR_FOPEN_READ | APR_FOPEN_BUFFERED, APR_OS_DEFAULT, p);
    if (rv != APR_SUCCESS) {
        return apr_psprintf(p, "%s: cannot be read: %s", at->export, apr_strerror(rv, text, sizeof(text)));
    }
    wrong = ai_verify_export(&at->verify, file);
    return wrong ? apr_pstrcat(p, at->export, ": ", wrong, NULL) : NULL;
}

static const char *verify_database(apr_pool_t *p, verifying_t *at)
{
    ai_audit_store_t *store;
    const char *wrong;

    wrong = audit_database_open(p, at->database_text, 0, &at->database, &store);
    if (wrong) {
        return wrong;
    }
    at->verify.ask = wait_for_database;
    wrong = ai_verify_database(&at->verify, ai_audit_store_db(store));
    database_rest();
    return wrong ? apr_pstrcat(p, at->database.name, ": ", wrong, NULL) : NULL;
}

#define N "%" APR_INT64_T_FMT

/* What was looked at, what it proves, and what it does not. */
static void print_sum(apr_pool_t *p, const verifying_t *at)
{
    const ai_verify_t *v = &at->verify;

    printf(N " records in " N " segments: " N " findings\n", v->records, v->segments, v->findings);
    if (v->passed) {
        printf("passed over: " N " segments that end before --since\n", v->passed);
    }
    if (v->removed) {
        printf("taken out, as checkpoints tell: " N " bodies\n", v->removed);
    }
    if (v->absent) {
        printf("not in this export: " N " bodies; of them the digests are verified\n", v->absent);
    }
    if (at->spool) {
        printf("nobody has signed for a spool: who can write its files can make it anew\n");
        return;
    }
    printf(N " checkpoints, " N " of them not signed\n", v->checkpoints, v->unsigned_checkpoints);
    if (v->last) {
        printf("the last checkpoint: %s, %s\n", v->last, ai_when_text(p, v->last_time));
    }
    if (v->behind) {
        printf("not proved yet, behind the last checkpoint: " N " records\n", v->behind);
    }
    if (v->first_signed > 1) {
        printf("proved only since checkpoint " N ": those before it are not signed\n", v->first_signed);
    }
    if (!v->keys->nelts) {
        printf("no --public-key: signatures were not verified, so who can write the database can have "
               "made all of it anew\n");
    }
    if (!v->expect) {
        printf("no --expect: whether checkpoints were removed at the end is not known\n");
    }
}

int verify_command(apr_pool_t *p, int argc, const char *const *argv)
{
    verifying_t *at = apr_pcalloc(p, sizeof(*at));
    const audit_option_t options[] = {
        { "database", &at->database_text, NULL }, { "spool", &at->spool, NULL },
        { "export", &at->export, NULL }, { "public-key", &at->public_key, NULL },
        { "expect", &at->expect, NULL }, { "since", &at->since, NULL }, { NULL, NULL, NULL }
    };
    apr_array_header_t *words;
    const char *wrong = audit_options_read(p, argc, argv, options, &words);

    wrong = wrong ? wrong : words->nelts ? "usage: aictl audit verify [OPTION]...; aictl --help"
                                         : read_words(p, at);
    if (wrong) {
        return complain(MISUSED, wrong);
    }
    apr_pool_create(&at->line_pool, p);
    at->verify.pool = p;
    at->verify.expect = at->expect;
    at->verify.found = print_finding;
    at->verify.baton = at;
    wrong = read_keys(p, at);
    if (!wrong) {
        ai_verify_begin(&at->verify);
        wrong = at->export  ? verify_export(p, at)
                : at->spool ? ai_verify_spool(&at->verify, at->spool) : verify_database(p, at);
        wrong = wrong && at->spool ? apr_pstrcat(p, at->spool, ": ", wrong, NULL) : wrong;
    }
    if (wrong) {
        return complain(FAILED, wrong);
    }
    print_sum(p, at);
    return at->verify.findings ? FAILED : DONE_WELL;
}
