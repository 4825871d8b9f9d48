/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_verify_rows.c - do the tables that are searched say what the records say?
 *
 * A call's row is made from its end, or from its begin where no end came; a row of feedback from its
 * note. Both are made once more here, from the record, and compared column by column.
 *
 * May block: yes, on the database.
 */
#include <apr_strings.h>

#include "ai_audit_store.h"
#include "ai_verify_part.h"

static const char get_feedback[] =
    "SELECT id, call_id, tenant, usr, time, feedback, score FROM ai_audit_feedback WHERE id = %s";
static const char get_type[] = "SELECT type FROM ai_audit_frames WHERE id = %s AND call_id = %s";
static const char get_calls[] =
    "SELECT c.id, c.frame, f.id, f.type, f.removed FROM ai_audit_calls c "
    "LEFT JOIN ai_audit_frames f ON f.id = c.frame AND f.call_id = c.id WHERE c.id > %s "
    "ORDER BY c.id LIMIT " AI_VERIFY_PAGE_TEXT;
static const char get_feedbacks[] =
    "SELECT b.id, b.id, f.id, f.type, f.removed FROM ai_audit_feedback b "
    "LEFT JOIN ai_audit_frames f ON f.id = b.id AND f.call_id = b.call_id WHERE b.id > %s "
    "ORDER BY b.id LIMIT " AI_VERIFY_PAGE_TEXT;

#define FEEDBACK_COLUMNS 7

static int same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* SELECT of all columns of a call, in their order. */
static const char *get_call(apr_pool_t *p)
{
    const char *sql = "SELECT ";
    int i;

    for (i = 0; i < AI_AUDIT_CALL_COLUMNS; i++) {
        sql = apr_pstrcat(p, sql, i ? ", " : "", ai_audit_call_columns[i].name, NULL);
    }
    return apr_pstrcat(p, sql, " FROM ai_audit_calls WHERE id = %s", NULL);
}

/* Another record of the same call has the row. */
static const char *has_type(ai_verify_place_t *place, const char *id, const char *call, int type,
                            int *has)
{
    const char *const args[] = { id, call };
    const char *value, *wrong;
    apr_int64_t read;

    wrong = ai_verify_value(place->verify, place->page, place->db, get_type, 2, args, &value);
    *has = !wrong && ai_proof_number(value, 65535, &read) && read == type;
    return wrong;
}

static void compare(ai_verify_place_t *place, const char *id, const char *table,
                    const char *const *row, const char *const *want, const char *const *names,
                    int n)
{
    int i;

    for (i = 0; i < n; i++) {
        if (!same_text(row[i], want[i])) {
            ai_verify_found(place->verify, "record %s: column %s of %s is %s%.100s%s, the record says "
                            "%s%.100s%s", id, names[i], table, row[i] ? "'" : "",
                            row[i] ? row[i] : "empty", row[i] ? "'" : "", want[i] ? "'" : "",
                            want[i] ? want[i] : "nothing", want[i] ? "'" : "");
        }
    }
}

static const char *check_call(ai_verify_place_t *place, const char *id, const char *call,
                              const ai_spool_frame_t *frame)
{
    const char *names[AI_AUDIT_CALL_COLUMNS], *wrong, *const *row;
    apr_pool_t *p = place->page;
    apr_array_header_t *rows;
    ai_audit_call_t want;
    int i, is_end = frame->type == AI_SPOOL_END, other = 0;

    if (is_end && !ai_audit_call_read(p, frame->body, call, frame->time, id, &want)) {
        return NULL;
    }
    if (!place->call_sql) {
        place->call_sql = get_call(place->verify->pool);
    }
    wrong = ai_verify_get(place->verify, p, place->db, place->call_sql, 1, &call,
                          AI_AUDIT_CALL_COLUMNS, &rows);
    if (wrong) {
        return wrong;
    }
    if (!rows->nelts) {
        if (is_end || place->row.settled) {
            ai_verify_found(place->verify, "record %s: call %s has no row in ai_audit_calls", id, call);
        }
        return NULL;
    }
    row = AI_PROOF_ROW(rows, 0);
    place->verify->calls += is_end;
    if (!same_text(row[AI_AUDIT_CALL_FRAME], id) && row[AI_AUDIT_CALL_FRAME]) {
        /* That of the call's end, which is looked at on its own; or of another end of the same id. */
        wrong = has_type(place, row[AI_AUDIT_CALL_FRAME], call, AI_SPOOL_END, &other);
    }
    if (wrong || other) {
        return wrong;
    }
    if (!is_end) {
        ai_audit_call_estimate(p, frame->body, call, frame->time, id, &want);
    }
    for (i = 0; i < AI_AUDIT_CALL_COLUMNS; i++) {
        names[i] = ai_audit_call_columns[i].name;
    }
    compare(place, id, "ai_audit_calls", row, want.values, names, AI_AUDIT_CALL_COLUMNS);
    return NULL;
}

static const char *check_feedback(ai_verify_place_t *place, const char *id, const char *call,
                                  const ai_spool_frame_t *frame)
{
    static const char *const names[FEEDBACK_COLUMNS] = { "id", "call_id", "tenant", "usr", "time",
                                                         "feedback", "score" };
    const char *want[FEEDBACK_COLUMNS], *wrong;
    ai_audit_feedback_t feedback;
    apr_array_header_t *rows;

    if (!ai_audit_feedback_read(place->page, frame->body, call, frame->time, id, &feedback)) {
        return NULL;
    }
    wrong = ai_verify_get(place->verify, place->page, place->db, get_feedback, 1, &id,
                          FEEDBACK_COLUMNS, &rows);
    if (wrong) {
        return wrong;
    }
    if (!rows->nelts) {
        ai_verify_found(place->verify, "record %s: has no row in ai_audit_feedback", id);
        return NULL;
    }
    want[0] = feedback.id;
    want[1] = feedback.call;
    want[2] = feedback.tenant;
    want[3] = feedback.user;
    want[4] = apr_psprintf(place->page, "%" APR_TIME_T_FMT, feedback.time);
    want[5] = feedback.feedback;
    want[6] = feedback.score;
    compare(place, id, "ai_audit_feedback", AI_PROOF_ROW(rows, 0), want, names, FEEDBACK_COLUMNS);
    return NULL;
}

const char *ai_verify_row(ai_verify_place_t *place, const char *id, const char *call,
                          const ai_spool_frame_t *frame)
{
    if (!frame->body.p) {
        return NULL;
    }
    return frame->type == AI_SPOOL_BEGIN || frame->type == AI_SPOOL_END
               ? check_call(place, id, call, frame)
           : frame->type == AI_SPOOL_NOTE ? check_feedback(place, id, call, frame) : NULL;
}

/* ------------------------------------------------------------------------------- strays */

static void check_stray(ai_verify_t *verify, const char *const *row, const char *table, int low,
                        int high)
{
    apr_int64_t type = 0;

    if (!row[2] || !ai_proof_number(row[3], 65535, &type) || type < low || type > high) {
        ai_verify_found(verify, "%s: row %.60s: there is no record %.60s that it can be of", table,
                        row[0], row[1] ? row[1] : "");
    }
    else if (!same_text(row[4], "0")) {
        ai_verify_found(verify, "%s: row %.60s: record %.60s, which it is of, was taken out", table,
                        row[0], row[1]);
    }
}

static const char *check_strays(ai_verify_t *verify, ai_db_t *db, const char *sql,
                                const char *table, int low, int high)
{
    const char *wrong, *after;
    apr_array_header_t *rows;
    char last[600] = "";
    apr_pool_t *page;
    int i;

    apr_pool_create(&page, verify->pool);
    do {
        apr_pool_clear(page);
        after = last;
        wrong = ai_verify_get(verify, page, db, sql, 1, &after, 5, &rows);
        for (i = 0; !wrong && i < rows->nelts; i++) {
            check_stray(verify, AI_PROOF_ROW(rows, i), table, low, high);
            apr_cpystrn(last, AI_PROOF_ROW(rows, i)[0], sizeof(last));
        }
    } while (!wrong && rows->nelts == AI_VERIFY_PAGE);
    wrong = wrong ? apr_pstrdup(verify->pool, wrong) : NULL;
    apr_pool_destroy(page);
    return wrong;
}

const char *ai_verify_strays(ai_verify_t *verify, ai_db_t *db)
{
    const char *wrong = check_strays(verify, db, get_calls, "ai_audit_calls", AI_SPOOL_BEGIN,
                                     AI_SPOOL_END);

    return wrong ? wrong : check_strays(verify, db, get_feedbacks, "ai_audit_feedback",
                                        AI_SPOOL_NOTE, AI_SPOOL_NOTE);
}
