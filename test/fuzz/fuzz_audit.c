/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_audit.c - are any bytes read as a record, or refused, without harm; is what was read written
 * as a record that is not too long and is read again; and is a record written of any texts?
 */
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "ai_audit_record.h"
#include "fuzz.h"

static void must_hold(apr_pool_t *p, const ai_audit_record_t *record)
{
    char json[AI_AUDIT_END_MAX], again[AI_AUDIT_END_MAX];
    ai_audit_record_t read;
    const char *wrong = NULL;
    apr_size_t n = ai_audit_begin_write(record, json, AI_AUDIT_BEGIN_MAX), m;

    must(n <= AI_AUDIT_BEGIN_MAX);
    must(ai_audit_record_read(p, (ai_slice_t){ json, n }, &read, &wrong) == APR_SUCCESS);
    n = ai_audit_end_write(record, json, sizeof(json));
    must(n <= sizeof(json));
    must(ai_audit_record_read(p, (ai_slice_t){ json, n }, &read, &wrong) == APR_SUCCESS);
    must(read.time == record->time);
    /* What has become shorter once stays so. */
    m = ai_audit_end_write(&read, again, sizeof(again));
    must(ai_audit_record_read(p, (ai_slice_t){ again, m }, &read, &wrong) == APR_SUCCESS);
}

/* The bytes as texts of a record, one behind the other, each ended by a NUL. */
static void write_texts(apr_pool_t *p, ai_slice_t bytes)
{
    const char *texts[8] = { "", "", "", "", "", "", "", "" };
    char *all = apr_pstrmemdup(p, bytes.n ? bytes.p : "", bytes.n);
    ai_audit_pair_t pairs[2];
    ai_audit_attempt_t attempt;
    ai_audit_record_t record;
    apr_size_t at = 0;
    int i;

    for (i = 0; i < 8 && at < bytes.n; i++) {
        texts[i] = all + at;
        at += strlen(texts[i]) + 1;
    }
    ai_audit_record_clear(&record);
    record.id = texts[0];
    record.time = apr_time_from_sec(1795262592);
    record.user = texts[1];
    record.path = texts[2];
    record.model = texts[3];
    pairs[0] = (ai_audit_pair_t){ texts[4], texts[5], AI_JSON_NUMBER };
    pairs[1] = (ai_audit_pair_t){ texts[6], texts[7], AI_JSON_BOOL };
    attempt = (ai_audit_attempt_t){ texts[1], texts[2], 0, texts[3], 1 };
    record.metadata = record.headers = (ai_audit_pairs_t){ pairs, 2 };
    record.attempts.list = &attempt;
    record.attempts.n = 1;
    must_hold(p, &record);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static apr_pool_t *root;
    ai_slice_t text = { n ? (const char *)bytes : NULL, n };
    const char *wrong = NULL;
    ai_audit_record_t record;
    ai_audit_note_t note;
    apr_status_t rv;
    apr_pool_t *pool;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    apr_pool_create(&pool, root);
    rv = ai_audit_record_read(pool, text, &record, &wrong);
    must((rv == APR_SUCCESS) == !wrong);
    if (rv == APR_SUCCESS) {
        must_hold(pool, &record);
    }
    wrong = NULL;
    rv = ai_audit_note_read(pool, text, &note, &wrong);
    must((rv == APR_SUCCESS) == !wrong);
    if (rv == APR_SUCCESS) {
        char json[AI_AUDIT_NOTE_MAX];

        n = ai_audit_note_write(&note, json, sizeof(json));
        must(n <= sizeof(json)
             && ai_audit_note_read(pool, (ai_slice_t){ json, n }, &note, &wrong) == APR_SUCCESS);
    }
    write_texts(pool, text);
    apr_pool_destroy(pool);
    return 0;
}
