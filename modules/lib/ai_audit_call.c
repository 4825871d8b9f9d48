/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_audit_call.c - what of a record goes into columns to search by?
 *
 * A record comes from our own spool, but a database is asked for it in the end, and a wrong value
 * must not keep a call out of it: what is not of the form it must be is NULL.
 *
 * Lives in: the caller's pool.  Shared state: none.  May block: no.
 */
#include <apr_strings.h>

#include "ai_audit_store.h"
#include "ai_json.h"
#include "ai_when.h"

/* The type {word} takes no more characters. */
#define WORD 500

const ai_audit_column_t ai_audit_call_columns[AI_AUDIT_CALL_COLUMNS] = {
    { "id", AI_AUDIT_WORD, NULL, NULL },
    { "time", AI_AUDIT_TIME, "time", NULL },
    { "node", AI_AUDIT_WORD, "node", NULL },
    { "tenant", AI_AUDIT_WORD, "tenant", NULL },
    { "usr", AI_AUDIT_WORD, "user", NULL },
    { "key_id", AI_AUDIT_WORD, "key", NULL },
    { "tier", AI_AUDIT_WORD, "tier", NULL },
    { "address", AI_AUDIT_WORD, "address", NULL },
    { "endpoint", AI_AUDIT_WORD, "endpoint", NULL },
    { "dialect", AI_AUDIT_WORD, "dialect", NULL },
    { "model", AI_AUDIT_WORD, "model", NULL },
    { "served", AI_AUDIT_WORD, "served", NULL },
    { "target", AI_AUDIT_WORD, "target", NULL },
    { "route", AI_AUDIT_WORD, "route", NULL },
    { "cache", AI_AUDIT_WORD, "cache", NULL },
    { "guard", AI_AUDIT_WORD, "guard", NULL },
    { "limited", AI_AUDIT_WORD, "limit", NULL },
    { "deny", AI_AUDIT_WORD, "deny", NULL },
    { "status", AI_AUDIT_NUMBER, "status", NULL },
    { "finish", AI_AUDIT_WORD, "finish", NULL },
    { "stream", AI_AUDIT_FLAG, "stream", NULL },
    { "attempts", AI_AUDIT_COUNT, "attempts", NULL },
    { "tokens_prompt", AI_AUDIT_NUMBER, "tokens", "prompt" },
    { "tokens_completion", AI_AUDIT_NUMBER, "tokens", "completion" },
    { "tokens_cached", AI_AUDIT_NUMBER, "tokens", "cached" },
    { "tokens_reasoning", AI_AUDIT_NUMBER, "tokens", "reasoning" },
    { "tokens_written", AI_AUDIT_NUMBER, "tokens", "written" },
    { "tokens_source", AI_AUDIT_WORD, "tokens", "source" },
    { "cost_nanousd", AI_AUDIT_NUMBER, "cost", "nanousd" },
    { "saved_nanousd", AI_AUDIT_NUMBER, "cost", "saved" },
    { "first_us", AI_AUDIT_NUMBER, "us", "first" },
    { "upstream_us", AI_AUDIT_NUMBER, "us", "upstream" },
    { "overhead_us", AI_AUDIT_NUMBER, "us", "overhead" },
    { "total_us", AI_AUDIT_NUMBER, "us", "total" },
    { "trace_id", AI_AUDIT_WORD, "trace", "id" },
    { "estimated", AI_AUDIT_NUMBER, NULL, NULL },
    { "frame", AI_AUDIT_WORD, NULL, NULL },
};

void ai_audit_frame_id(const ai_uuid_t *segment, apr_uint64_t sequence, char id[AI_AUDIT_FRAME_ID])
{
    ai_uuid_text(segment, id);
    apr_snprintf(id + AI_UUID_TEXT, AI_AUDIT_FRAME_ID - AI_UUID_TEXT, ":%010" APR_UINT64_T_FMT,
                 sequence % APR_UINT64_C(10000000000));
}

/* A text without NULs, not too long. */
static const char *word(apr_pool_t *p, ai_slice_t value)
{
    const char *text;
    apr_size_t n, i, characters = 0;
    char *out;

    if (ai_json_string(p, value, &text, &n) != APR_SUCCESS) {
        return NULL;
    }
    out = apr_pstrmemdup(p, text, n);
    for (i = 0; i < n; i++) {
        if (((unsigned char)out[i] & 0xc0) != 0x80 && ++characters > WORD) {
            out[i] = '\0';
            break;
        }
        out[i] = out[i] ? out[i] : ' ';
    }
    return out;
}

static const char *number(apr_pool_t *p, apr_int64_t n)
{
    return apr_psprintf(p, "%" APR_INT64_T_FMT, n);
}

static const char *whole(apr_pool_t *p, ai_slice_t value)
{
    apr_int64_t n;

    return ai_json_int(value, &n) == APR_SUCCESS ? number(p, n) : NULL;
}

static const char *count(apr_pool_t *p, ai_slice_t value)
{
    ai_json_member_t member;
    ai_json_walk_t walk;
    int n = 0;

    if (ai_json_type(value) != AI_JSON_ARRAY || !ai_json_walk(&walk, value)) {
        return NULL;
    }
    while (ai_json_next(&walk, &member) == 1) {
        n++;
    }
    return number(p, n);
}

/* "2026-11-21T21:23:12.123456Z" */
static const char *point(apr_pool_t *p, ai_slice_t value, apr_time_t now)
{
    const char *text;
    apr_size_t n, i, whole_n = sizeof("2026-11-21T21:23:12") - 1;
    apr_time_t when, scale = APR_USEC_PER_SEC / 10;

    if (ai_json_string(p, value, &text, &n) != APR_SUCCESS || n <= whole_n || text[n - 1] != 'Z'
        || !ai_when_read(apr_pstrcat(p, apr_pstrmemdup(p, text, whole_n), "Z", NULL), &when)) {
        return number(p, now);
    }
    for (i = whole_n + 1; text[whole_n] == '.' && i < n - 1 && apr_isdigit(text[i]); i++) {
        when += (text[i] - '0') * scale;
        scale /= 10;
    }
    return number(p, when);
}

static const char *column(apr_pool_t *p, const ai_audit_column_t *column, const ai_json_doc_t *doc,
                          apr_time_t now)
{
    ai_slice_t value = ai_json_doc_get(doc, column->member);

    if (column->inner && ai_json_type(value) == AI_JSON_OBJECT) {
        value = ai_json_get(value, column->inner);
    }
    switch (column->kind) {
    case AI_AUDIT_WORD:
        return word(p, value);
    case AI_AUDIT_NUMBER:
        return whole(p, value);
    case AI_AUDIT_FLAG:
        return value.n ? (ai_json_bool(value, 0) ? "1" : "0") : NULL;
    case AI_AUDIT_COUNT:
        return count(p, value);
    case AI_AUDIT_TIME:
        return point(p, value, now);
    }
    return NULL;
}

static int read_doc(apr_pool_t *p, ai_slice_t body, ai_json_doc_t *doc)
{
    ai_json_error_t error;

    return ai_json_parse(p, body, AI_JSON_DEPTH, doc, &error) == APR_SUCCESS
           && ai_json_type(doc->root) == AI_JSON_OBJECT;
}

static int read_call(apr_pool_t *p, ai_slice_t body, const char *call_id, apr_time_t now,
                     const char *frame, ai_audit_call_t *call, ai_json_doc_t *doc)
{
    int i;

    memset(call, 0, sizeof(*call));
    call->values[AI_AUDIT_CALL_ID] = call_id;
    call->values[AI_AUDIT_CALL_TIME] = number(p, now);
    call->values[AI_AUDIT_CALL_ESTIMATED] = "0";
    call->values[AI_AUDIT_CALL_FRAME] = frame;
    if (!read_doc(p, body, doc)) {
        return 0;
    }
    for (i = 0; i < AI_AUDIT_CALL_COLUMNS; i++) {
        if (ai_audit_call_columns[i].member) {
            call->values[i] = column(p, &ai_audit_call_columns[i], doc, now);
        }
    }
    return 1;
}

int ai_audit_call_read(apr_pool_t *p, ai_slice_t body, const char *call_id, apr_time_t now,
                       const char *frame, ai_audit_call_t *call)
{
    ai_json_doc_t doc;

    return read_call(p, body, call_id, now, frame, call, &doc);
}

int ai_audit_call_estimate(apr_pool_t *p, ai_slice_t body, const char *call_id, apr_time_t now,
                           const char *frame, ai_audit_call_t *call)
{
    const ai_audit_column_t *column;
    ai_json_doc_t doc;
    int i, good = read_call(p, body, call_id, now, frame, call, &doc);

    call->values[AI_AUDIT_CALL_ESTIMATED] = "1";
    for (i = 0; good && i < AI_AUDIT_CALL_COLUMNS; i++) {
        column = &ai_audit_call_columns[i];
        if (column->member && column->kind == AI_AUDIT_NUMBER && strcmp(column->member, "tokens") == 0) {
            call->values[i] = whole(p, ai_json_get(ai_json_doc_get(&doc, "reserved"), column->inner));
        }
    }
    return good;
}

int ai_audit_feedback_read(apr_pool_t *p, ai_slice_t body, const char *call_id, apr_time_t now,
                           const char *frame, ai_audit_feedback_t *feedback)
{
    ai_json_doc_t doc;

    if (!read_doc(p, body, &doc)) {
        return 0;
    }
    feedback->id = frame;
    feedback->call = call_id;
    feedback->tenant = word(p, ai_json_doc_get(&doc, "tenant"));
    feedback->user = word(p, ai_json_doc_get(&doc, "user"));
    feedback->time = apr_atoi64(point(p, ai_json_doc_get(&doc, "time"), now));
    feedback->feedback = whole(p, ai_json_doc_get(&doc, "feedback"));
    feedback->score = whole(p, ai_json_doc_get(&doc, "score"));
    return feedback->feedback || feedback->score;
}
