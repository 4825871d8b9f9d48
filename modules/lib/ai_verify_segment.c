/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_verify_segment.c - is each row of ai_audit_segments what its records and the checkpoints say?
 *
 * While somebody ships, records may come behind what a segment's row said when it was read: then it is
 * read once more, when they were looked at.
 *
 * May block: yes, on the database.
 */
#include <apr_strings.h>

#include "ai_audit_store.h"
#include "ai_verify_part.h"

/* How often a segment may grow while it is looked at. */
#define TRIES 100

static const char get_last_time[] =
    "SELECT time FROM ai_audit_frames WHERE id > %s AND id < %s ORDER BY id DESC LIMIT 1";
static const char get_last_of_calls[] =
    "SELECT chain FROM ai_audit_frames WHERE id > %s AND id < %s AND type <> 6 "
    "ORDER BY id DESC LIMIT 1";
static const char get_writer[] = "SELECT writer FROM ai_audit_segments WHERE id = %s";
static const char get_segments[] =
    "SELECT " AI_PROOF_SEGMENT ", t.records, t.state, t.torn, t.damaged, t.settled "
    "FROM ai_audit_segments s LEFT JOIN ai_audit_told t ON t.id = s.id WHERE s.id > %s "
    "ORDER BY s.id LIMIT " AI_VERIFY_PAGE_TEXT;
static const char get_segment[] =
    "SELECT " AI_PROOF_SEGMENT " FROM ai_audit_segments s WHERE s.id = %s";
static const char get_next[] =
    "SELECT f.id FROM ai_audit_frames f WHERE f.id > %s ORDER BY f.id LIMIT 1";
static const char get_from[] =
    "SELECT f.id FROM ai_audit_frames f WHERE f.id >= %s ORDER BY f.id LIMIT 1";
static const char get_checkpoint[] = "SELECT id FROM ai_audit_checkpoints WHERE id = %s";

#define SEGMENT_COLUMNS (AI_PROOF_SEGMENT_COLUMNS + 5)

static const char *stale(const ai_verify_place_t *place)
{
    const ai_checkpoint_segment_t *row = &place->row;
    const ai_verify_chain_t *chain = &place->chain;
    const char *value = ai_verify_hex(place->page, chain->value);

    if (row->records != chain->next && !row->damaged) {
        return "records";
    }
    if (chain->next && !row->damaged && (!row->chain || strcmp(row->chain, value) != 0)) {
        return "chain";
    }
    if (!chain->next && row->start && row->records == 0
        && (!row->chain || strcmp(row->chain, row->start) != 0)) {
        return "chain";
    }
    if ((row->state == AI_AUDIT_CLOSED) != (chain->last_type == AI_SPOOL_CLOSE)) {
        return "state";
    }
    return row->settled && row->state == AI_AUDIT_OPEN ? "settled" : NULL;
}

/* Against what the last checkpoint says of it. */
static void check_told(const ai_verify_place_t *place)
{
    const ai_checkpoint_segment_t *row = &place->row;
    const ai_verify_told_t *told = place->told;

    if (!told) {
        return;
    }
    if (strcmp(row->start ? row->start : "", told->start) != 0) {
        ai_verify_found(place->verify, "segment %s: node, pid, created, previous or link is not as "
                        "checkpoint %" APR_INT64_T_FMT " says", row->id, told->number);
    }
    if (strcmp(row->previous ? row->previous : "", told->previous) != 0) {
        ai_verify_found(place->verify, "segment %s: previous is not as checkpoint %" APR_INT64_T_FMT
                        " says", row->id, told->number);
    }
    if (row->records < told->records || row->state < told->state || row->damaged < told->damaged
        || row->settled < told->settled
        || (row->state == told->state && row->torn != told->torn)
        || (told->state && (row->state != told->state || row->records != told->records))) {
        ai_verify_found(place->verify, "segment %s: records, state, torn, damaged or settled is not as "
                        "checkpoint %" APR_INT64_T_FMT " says", row->id, told->number);
    }
}

/* The segment before it is there, and ends as its head says. */
static const char *check_link(ai_verify_place_t *place, const char *link, const char *writer)
{
    const char *args[2], *chain, *its_writer, *wrong, *before = place->row.previous;
    apr_pool_t *p = place->page;

    if (!before) {
        if (strcmp(writer, place->row.id) != 0) {
            ai_verify_found(place->verify, "segment %s: column writer: it is the first of its writer",
                            place->row.id);
        }
        return NULL;
    }
    wrong = ai_verify_value(place->verify, p, place->db, get_writer, 1, &before, &its_writer);
    args[0] = apr_pstrcat(p, before, ":", NULL);
    args[1] = apr_pstrcat(p, before, ";", NULL);
    wrong = wrong ? wrong : ai_verify_value(place->verify, p, place->db, get_last_of_calls, 2, args, &chain);
    if (wrong) {
        return wrong;
    }
    if (!its_writer) {
        ai_verify_found(place->verify, "segment %s: segment %s, which its writer had before, is missing",
                        place->row.id, before);
    }
    else if (chain && link && strcmp(chain, link) != 0) {
        ai_verify_found(place->verify, "segment %s: segment %s, which its writer had before, does not end "
                        "as it did", place->row.id, before);
    }
    if (strcmp(writer, before) != 0 && (!its_writer || strcmp(writer, its_writer) != 0)) {
        ai_verify_found(place->verify, "segment %s: column writer is not that of the segment before it",
                        place->row.id);
    }
    return NULL;
}

/* What was noted as told is what was told: less would tell it twice, more never. A checkpoint may have
 * been written since those were read. */
static const char *check_note(const ai_verify_place_t *place, const char *const *row)
{
    const ai_verify_told_t none = { .id = "" }, *told = place->told ? place->told : &none;
    const apr_int64_t want[5] = { told->records, told->state, told->torn, told->damaged,
                                  told->settled };
    const char *const *note = row + AI_PROOF_SEGMENT_COLUMNS, *wrong = NULL, *newer = NULL;
    const char *id = ai_proof_row_id(place->page, place->verify->next);
    apr_int64_t value;
    int i, same = (note[0] != NULL) == (place->told != NULL);

    for (i = 0; i < 5 && note[0] && same; i++) {
        same = ai_proof_number(note[i], APR_INT64_MAX, &value) && value == want[i];
    }
    if (!same) {
        wrong = ai_verify_value(place->verify, place->page, place->db, get_checkpoint, 1, &id, &newer);
    }
    if (!same && !wrong && !newer) {
        ai_verify_found(place->verify, "segment %s: ai_audit_told is not what the checkpoints tell",
                        place->row.id);
    }
    return wrong;
}

/* Reads the row once more, since records came behind what it said. */
static const char *again(ai_verify_place_t *place, apr_pool_t *p, int *same)
{
    const char *id = place->row.id, *wrong;
    ai_checkpoint_segment_t row;
    apr_array_header_t *rows;

    wrong = ai_verify_get(place->verify, place->page, place->db, get_segment, 1, &id,
                     AI_PROOF_SEGMENT_COLUMNS, &rows);
    *same = 1;
    if (!wrong && rows->nelts && !ai_proof_segment(place->page, AI_PROOF_ROW(rows, 0), &row)) {
        *same = row.records == place->row.records && row.state == place->row.state
                && row.settled == place->row.settled && row.damaged == place->row.damaged;
        place->row = row;
        place->row.id = apr_pstrdup(p, row.id);
        place->row.previous = row.previous ? apr_pstrdup(p, row.previous) : NULL;
        place->row.start = row.start ? apr_pstrdup(p, row.start) : NULL;
        place->row.chain = row.chain ? apr_pstrdup(p, row.chain) : NULL;
    }
    return wrong;
}

/* 1 when its last record is older than what is asked for. */
static const char *is_passed(ai_verify_t *verify, apr_pool_t *p, ai_db_t *db, const char *id,
                             int *passed)
{
    const char *args[] = { apr_pstrcat(p, id, ":", NULL), apr_pstrcat(p, id, ";", NULL) };
    const char *value, *wrong;
    apr_int64_t time;

    *passed = 0;
    if (!verify->since) {
        return NULL;
    }
    wrong = ai_verify_value(verify, p, db, get_last_time, 2, args, &value);
    *passed = !wrong && ai_proof_number(value, APR_INT64_MAX, &time) && time < verify->since;
    verify->passed += *passed;
    return wrong;
}

static const char *check_segment(ai_verify_place_t *place, apr_pool_t *p, const char *const *row)
{
    enum { LINK = 5, WRITER = 12 };
    ai_verify_t *verify = place->verify;
    const char *column = ai_proof_segment(p, row, &place->row), *wrong;
    int passed, same = 0, tries = 0;

    if (column) {
        ai_verify_found(verify, "segment %.36s: column %s has a value that it cannot have",
                        row[0] ? row[0] : "", column);
        if (!place->row.id) {
            return NULL;
        }
    }
    place->told = apr_hash_get(verify->told, place->row.id, AI_UUID_TEXT);
    if (place->told) {
        place->told->seen = 1;
    }
    wrong = is_passed(verify, p, place->db, place->row.id, &passed);
    if (wrong || passed) {
        return wrong;
    }
    verify->segments++;
    wrong = check_note(place, row);
    if (wrong) {
        return wrong;
    }
    ai_verify_chain_begin(&place->chain, verify, place->row.id, place->row.start);
    place->last = apr_pstrcat(place->page, place->row.id, ":", NULL);
    wrong = ai_verify_frames(place);
    while (!wrong && !column && stale(place) && !same && ++tries < TRIES) {
        wrong = again(place, p, &same);
        wrong = wrong || same ? wrong : ai_verify_frames(place);
    }
    if (wrong || column) {
        return wrong;
    }
    if (stale(place)) {
        ai_verify_found(verify, "segment %s: column %s is not what its records say", place->row.id,
                        stale(place));
    }
    check_told(place);
    return check_link(place, row[LINK], row[WRITER]);
}

/* Frames of which no segment knows, or which have an id that no frame of it has: those that have one
 * were looked at with their segment. */
static const char *check_lost(ai_verify_t *verify, apr_pool_t *p, ai_db_t *db)
{
    const char *last = "", *sql = get_next, *id, *segment, *writer, *wrong;
    apr_pool_t *turns[2];
    int turn = 0, is_its;

    apr_pool_create(&turns[0], p);
    apr_pool_create(&turns[1], p);
    do {
        turn = !turn;
        apr_pool_clear(turns[turn]);
        wrong = ai_verify_value(verify, turns[turn], db, sql, 1, &last, &id);
        if (wrong || !id) {
            break;
        }
        segment = apr_pstrndup(turns[turn], id, AI_UUID_TEXT);
        is_its = strlen(id) > AI_UUID_TEXT + 1 && id[AI_UUID_TEXT] == ':';
        wrong = ai_verify_value(verify, turns[turn], db, get_writer, 1, &segment, &writer);
        if (!wrong && (!writer || !is_its)) {
            ai_verify_found(verify, "record %.60s: %s", id,
                            writer ? "its id is none" : "there is no segment of it in ai_audit_segments");
        }
        /* ';' stands behind ':'. */
        sql = is_its ? get_from : get_next;
        last = is_its ? apr_pstrcat(turns[turn], segment, ";", NULL) : id;
    } while (!wrong);
    return wrong;
}

const char *ai_verify_segments(ai_verify_t *verify, ai_db_t *db)
{
    apr_pool_t *p, *page, *each;
    ai_verify_place_t place = { .verify = verify, .db = db };
    const char *wrong = NULL, *after = "";
    apr_array_header_t *rows;
    char last[600] = "";
    int i;

    apr_pool_create(&p, verify->pool);
    apr_pool_create(&page, p);
    apr_pool_create(&each, p);
    apr_pool_create(&place.page, p);
    apr_pool_create(&place.removal_pool, p);
    place.packer = ai_packer_create(p);
    if (!place.packer) {
        return "there is no memory";
    }
    do {
        apr_pool_clear(page);
        after = last;
        wrong = ai_verify_get(verify, page, db, get_segments, 1, &after, SEGMENT_COLUMNS, &rows);
        for (i = 0; !wrong && i < rows->nelts; i++) {
            apr_pool_clear(each);
            apr_pool_clear(place.page);
            wrong = check_segment(&place, each, AI_PROOF_ROW(rows, i));
            apr_cpystrn(last, AI_PROOF_ROW(rows, i)[0], sizeof(last));
        }
    } while (!wrong && rows->nelts == AI_VERIFY_PAGE);
    wrong = wrong ? wrong : check_lost(verify, page, db);
    wrong = wrong ? apr_pstrdup(verify->pool, wrong) : NULL;
    apr_pool_destroy(p);
    return wrong;
}
