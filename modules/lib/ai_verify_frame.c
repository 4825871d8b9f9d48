/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_verify_frame.c - is each row of ai_audit_frames the record that was written?
 *
 * May block: yes, on the database.
 */
#include <apr_escape.h>
#include <apr_strings.h>

#include "ai_audit_store.h"
#include "ai_verify_part.h"

static const char get_checkpoint[] =
    "SELECT text FROM ai_audit_checkpoints WHERE id = %s";
static const char get_frames[] =
    "SELECT id, call_id, type, time, length, digest, chain, coding, body, removed "
    "FROM ai_audit_frames WHERE id > %s AND id < %s ORDER BY id LIMIT " AI_VERIFY_PAGE_TEXT;

#define FRAME_COLUMNS 10

static int read_uuid(const char *text, ai_uuid_t *uuid)
{
    char again[AI_UUID_TEXT + 1];

    if (!text || !ai_uuid_read(ai_slice_of(text), uuid)) {
        return 0;
    }
    ai_uuid_text(uuid, again);
    return strcmp(text, again) == 0;
}

static int read_digest(const char *text, unsigned char *digest)
{
    apr_size_t n;

    return text && ai_checkpoint_is_hex(text, AI_VERIFY_HEX)
           && apr_unescape_hex(digest, text, AI_VERIFY_HEX, 0, &n) == APR_SUCCESS;
}

/* The columns of a frame as a record; NULL, or the one that has no value of its kind. */
static const char *read_frame(const ai_verify_place_t *place, const char *const *row,
                              ai_spool_frame_t *frame, apr_int64_t *removed)
{
    enum { ID, CALL, TYPE, TIME, LENGTH, DIGEST, CHAIN, CODING, BODY, REMOVED };
    apr_int64_t sequence, type, length;
    const char *digits = row[ID] + AI_UUID_TEXT + 1;

    memset(frame, 0, sizeof(*frame));
    if (strlen(row[ID]) != AI_AUDIT_FRAME_ID - 1
        || strspn(digits, "0123456789") != 10
        || strncmp(row[ID], place->row.id, AI_UUID_TEXT) != 0) {
        return "id";
    }
    sequence = apr_atoi64(digits);
    frame->sequence = (apr_uint64_t)sequence;
    if (!read_uuid(row[CALL], &frame->id)) {
        return "call_id";
    }
    if (!ai_proof_number(row[TYPE], 65535, &type)) {
        return "type";
    }
    if (!ai_proof_number(row[TIME], APR_INT64_MAX, &frame->time)) {
        return "time";
    }
    if (!ai_proof_number(row[LENGTH], (apr_int64_t)AI_SPOOL_BODY, &length)) {
        return "length";
    }
    frame->type = (int)type;
    frame->length = (apr_size_t)length;
    return !read_digest(row[DIGEST], frame->digest) ? "digest"
           : !read_digest(row[CHAIN], frame->chain) ? "chain"
           : !ai_proof_number(row[REMOVED], APR_INT64_MAX, removed) ? "removed" : NULL;
}

/* 1 when the checkpoint with that number tells that the record was taken out. */
static int is_told(ai_verify_place_t *place, apr_int64_t number, apr_int64_t sequence, const char **wrong)
{
    ai_verify_t *verify = place->verify;
    const char *id, *text;

    if (place->removal_number != number) {
        apr_pool_clear(place->removal_pool);
        place->removal_number = 0;
        id = ai_proof_row_id(place->removal_pool, number);
        *wrong = ai_verify_value(verify, place->removal_pool, place->db, get_checkpoint, 1, &id, &text);
        if (*wrong || !text || ai_checkpoint_read(place->removal_pool, text, &place->removal)
            || place->removal.number != number) {
            return 0;
        }
        place->removal_number = number;
    }
    return ai_checkpoint_removes(&place->removal, place->row.id, sequence);
}

/* Puts the body into the frame, where there is one. */
static const char *read_body(ai_verify_place_t *place, const char *const *row, apr_int64_t removed,
                             ai_spool_frame_t *frame)
{
    enum { CODING = 7, BODY };
    apr_int64_t coding = -1, sequence = (apr_int64_t)frame->sequence;
    const char *wrong = NULL, *cannot;
    int is_number = ai_proof_number(row[CODING], 2, &coding);

    if (removed && (row[BODY] || coding != 0 || frame->length == 0
                    || !is_told(place, removed, sequence, &wrong))) {
        if (!wrong) {
            ai_verify_found(place->verify, "record %s: column removed is %" APR_INT64_T_FMT ", and that "
                            "is no checkpoint which tells that its body was taken out", row[0], removed);
        }
        return wrong;
    }
    if (removed) {
        frame->removed = 1;
        place->verify->removed++;
        return NULL;
    }
    if (!row[BODY] && frame->length) {
        ai_verify_found(place->verify, "record %s: its body is not there, and no checkpoint tells that it "
                        "was taken out", row[0]);
        return NULL;
    }
    if (!row[BODY]) {
        if (!is_number || coding != 0) {
            ai_verify_found(place->verify, "record %s: column coding: there is no body", row[0]);
        }
        return NULL;
    }
    cannot = is_number ? ai_unpack(place->packer, place->page, row[BODY], (int)coding, frame->length,
                                   &frame->body)
                       : "its coding is none";
    if (cannot) {
        frame->body = (ai_slice_t){ NULL, 0 };
        ai_verify_found(place->verify, "record %s: its body is not the one that was written: %s", row[0],
                        cannot);
    }
    return NULL;
}

static const char *check_frame(ai_verify_place_t *place, const char *const *row)
{
    ai_spool_frame_t frame;
    apr_int64_t removed = 0;
    const char *column = read_frame(place, row, &frame, &removed), *wrong;

    if (column) {
        ai_verify_found(place->verify, "record %s: column %s has a value that it cannot have", row[0],
                        column);
        place->chain.known = 0;
        place->chain.next = strcmp(column, "id") == 0 ? place->chain.next
                                                      : (apr_int64_t)frame.sequence + 1;
        return NULL;
    }
    wrong = read_body(place, row, removed, &frame);
    if (wrong) {
        return wrong;
    }
    ai_verify_frame(&place->chain, &frame);
    place->verify->behind += !place->told
                             || (apr_int64_t)frame.sequence >= place->told->records;
    return ai_verify_row(place, row[0], row[1], &frame);
}

/* All frames behind the last one that was looked at. */
const char *ai_verify_frames(ai_verify_place_t *place)
{
    const char *args[2], *wrong = NULL;
    apr_array_header_t *rows;
    char last[600];
    int i;

    do {
        apr_cpystrn(last, place->last, sizeof(last));
        apr_pool_clear(place->page);
        place->last = args[0] = apr_pstrdup(place->page, last);
        args[1] = apr_pstrcat(place->page, place->row.id, ";", NULL);
        wrong = ai_verify_get(place->verify, place->page, place->db, get_frames, 2, args, FRAME_COLUMNS,
                         &rows);
        for (i = 0; !wrong && i < rows->nelts; i++) {
            wrong = check_frame(place, AI_PROOF_ROW(rows, i));
            place->last = AI_PROOF_ROW(rows, i)[0];
        }
    } while (!wrong && rows->nelts == AI_VERIFY_PAGE);
    return wrong;
}
