/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_verify_store.c - is a database as it was written: checkpoints, segments, records, holds?
 *
 * Pages of rows, in the order of their keys; of each checkpoint the record that it names is looked up,
 * so that nothing has to be kept of what was signed years ago.
 *
 * May block: yes, on the database.
 */
#include <apr_strings.h>

#include "ai_audit_store.h"
#include "ai_verify_part.h"

static const char get_checkpoints[] =
    "SELECT id, node, time, text, signature, signer FROM ai_audit_checkpoints WHERE id > %s "
    "ORDER BY id LIMIT " AI_VERIFY_PAGE_TEXT;
static const char get_checkpoint[] = "SELECT id FROM ai_audit_checkpoints WHERE id = %s";
static const char get_chain[] = "SELECT chain FROM ai_audit_frames WHERE id = %s";
static const char get_holds[] =
    "SELECT " AI_PROOF_HOLD ", t.records, t.state, t.torn, t.damaged, t.settled FROM ai_audit_holds h "
    "LEFT JOIN ai_audit_told t ON t.id = h.id ORDER BY h.id";

/* As long as a column of words. */
#define ID_MOST 500

/* Of ai_audit_told. */
#define NOTE_COLUMNS 5

const char *ai_verify_get(ai_verify_t *verify, apr_pool_t *p, ai_db_t *db, const char *sql, int n,
                            const char *const *args, int columns, apr_array_header_t **all)
{
    const char *wrong;
    int i;

    if (verify->ask) {
        verify->ask(verify->baton);
    }
    wrong = ai_proof_rows(db, p, sql, n, args, columns, all);
    for (i = 0; !wrong && columns > 1 && i < (*all)->nelts; i++) {
        const char *id = AI_PROOF_ROW(*all, i)[0];

        /* SQLite takes any; who asks for the rows behind it has no room for it. */
        wrong = id && strlen(id) > ID_MOST
                    ? apr_psprintf(p, "a row has an id that is none, '%.60s...'", id)
                    : NULL;
    }
    return wrong;
}

const char *ai_verify_value(ai_verify_t *verify, apr_pool_t *p, ai_db_t *db, const char *sql,
                             int n, const char *const *args, const char **value)
{
    apr_array_header_t *rows;
    const char *wrong = ai_verify_get(verify, p, db, sql, n, args, 1, &rows);

    *value = !wrong && rows->nelts ? AI_PROOF_ROW(rows, 0)[0] : NULL;
    return wrong;
}

/* --------------------------------------------------------------------------- checkpoints */

/* The record that a checkpoint names is there, with the value that it says. */
static const char *check_entry(ai_verify_t *verify, apr_pool_t *p, ai_db_t *db, apr_int64_t number,
                               const ai_checkpoint_segment_t *segment)
{
    const char *id, *chain, *wrong;

    if (segment->records == 0) {
        return NULL;
    }
    id = apr_psprintf(p, "%s:%010" APR_INT64_T_FMT, segment->id, segment->records - 1);
    wrong = ai_verify_value(verify, p, db, get_chain, 1, &id, &chain);
    if (!wrong && !segment->damaged && (!chain || !segment->chain
                                        || strcmp(chain, segment->chain) != 0)) {
        ai_verify_found(verify, "record %s: checkpoint %" APR_INT64_T_FMT " says that its chain value is "
                        "%s, and it is %.64s", id, number, segment->chain ? segment->chain : "none",
                        chain ? chain : "not there");
    }
    return wrong;
}

/* The columns beside a text say what it says. */
static void check_columns(ai_verify_t *verify, apr_pool_t *p, const char *const *row,
                          const ai_checkpoint_t *checkpoint)
{
    apr_int64_t time = -1;

    if (strcmp(row[0], ai_proof_row_id(p, checkpoint->number)) != 0) {
        ai_verify_found(verify, "checkpoint %" APR_INT64_T_FMT ": column id is %.40s", checkpoint->number,
                        row[0]);
    }
    if (!row[1] || strcmp(row[1], checkpoint->node) != 0) {
        ai_verify_found(verify, "checkpoint %" APR_INT64_T_FMT ": column node is not what the text says",
                        checkpoint->number);
    }
    if (!ai_proof_number(row[2], APR_INT64_MAX, &time) || time != checkpoint->time) {
        ai_verify_found(verify, "checkpoint %" APR_INT64_T_FMT ": column time is not what the text says",
                        checkpoint->number);
    }
}

static const char *check_checkpoint(ai_verify_t *verify, apr_pool_t *p, ai_db_t *db,
                                    const char *const *row)
{
    ai_checkpoint_t checkpoint;
    const char *wrong = NULL;
    int i;

    if (!ai_verify_checkpoint(verify, p, row[3] ? row[3] : "", row[4] ? row[4] : "",
                              row[5] ? row[5] : "", &checkpoint)) {
        return NULL;
    }
    check_columns(verify, p, row, &checkpoint);
    for (i = 0; !wrong && i < checkpoint.segments->nelts && checkpoint.time >= verify->since; i++) {
        wrong = check_entry(verify, p, db, checkpoint.number,
                            &APR_ARRAY_IDX(checkpoint.segments, i, ai_checkpoint_segment_t));
    }
    return wrong;
}

static const char *check_checkpoints(ai_verify_t *verify, apr_pool_t *p, ai_db_t *db)
{
    const char *wrong = NULL, *last = "";
    apr_array_header_t *rows;
    apr_pool_t *page, *each;
    int i;

    apr_pool_create(&page, p);
    apr_pool_create(&each, p);
    do {
        char after[64];

        apr_cpystrn(after, last, sizeof(after));
        apr_pool_clear(page);
        last = after;
        wrong = ai_verify_get(verify, page, db, get_checkpoints, 1, &last, 6, &rows);
        for (i = 0; !wrong && i < rows->nelts; i++) {
            apr_pool_clear(each);
            wrong = check_checkpoint(verify, each, db, AI_PROOF_ROW(rows, i));
            last = AI_PROOF_ROW(rows, i)[0];
        }
        last = apr_pstrdup(page, last);
    } while (!wrong && rows->nelts == AI_VERIFY_PAGE);
    ai_verify_checkpoints_end(verify);
    return wrong ? apr_pstrdup(verify->pool, wrong) : NULL;
}

/* --------------------------------------------------------------------------------- holds */

static int same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Out: *newer, whether a checkpoint was written since they were read. */
static const char *look_for_newer(ai_verify_t *verify, apr_pool_t *p, ai_db_t *db, int *newer)
{
    const char *id = ai_proof_row_id(p, verify->next), *text, *wrong;

    wrong = ai_verify_value(verify, p, db, get_checkpoint, 1, &id, &text);
    *newer = text != NULL;
    return wrong;
}

/* 1: the row of ai_audit_told is that of a hold which was told so; none of one that was not. */
static int is_noted(apr_pool_t *p, const char *const *note, const ai_checkpoint_hold_t *told)
{
    int i, good = (note[0] != NULL) == (told != NULL);

    for (i = 1; told && good && i < NOTE_COLUMNS; i++) {
        good = note[i] && strcmp(note[i], "0") == 0;
    }
    return good
           && (!told || strcmp(note[0], apr_psprintf(p, "%" APR_TIME_T_FMT, told->released)) == 0);
}

static const char *check_hold(ai_verify_t *verify, apr_pool_t *p, ai_db_t *db,
                              const char *const *row, const char **id)
{
    const char *column, *wrong = NULL;
    const ai_checkpoint_hold_t *told;
    ai_checkpoint_hold_t hold;
    int newer = 1;

    column = ai_proof_hold(p, row, &hold);
    *id = hold.id;
    told = apr_hash_get(verify->holds, hold.id, APR_HASH_KEY_STRING);
    if (column) {
        ai_verify_found(verify, "hold %.36s: column %s has a value that it cannot have", hold.id, column);
    }
    /* It may have been released since. */
    else if (told && (!same_text(hold.tenant, told->tenant) || !same_text(hold.reason, told->reason)
                      || hold.since != told->since || hold.until != told->until
                      || hold.created != told->created
                      || (hold.released >= 0 && hold.released < hold.created)
                      || (told->released >= 0 && hold.released != told->released))) {
        ai_verify_found(verify, "hold %s: is not as the checkpoints say", hold.id);
    }
    if (!is_noted(p, row + AI_PROOF_HOLD_COLUMNS, told)) {
        wrong = look_for_newer(verify, p, db, &newer);
    }
    if (!newer) {
        ai_verify_found(verify, "hold %s: ai_audit_told is not what the checkpoints tell", hold.id);
    }
    return wrong;
}

static const char *check_holds(ai_verify_t *verify, apr_pool_t *p, ai_db_t *db)
{
    apr_array_header_t *rows;
    const char *wrong, *id;
    apr_hash_t *seen = apr_hash_make(p);
    apr_hash_index_t *at;
    int i;

    wrong = ai_verify_get(verify, p, db, get_holds, 0, NULL, AI_PROOF_HOLD_COLUMNS + NOTE_COLUMNS,
                          &rows);
    for (i = 0; !wrong && i < rows->nelts; i++) {
        wrong = check_hold(verify, p, db, AI_PROOF_ROW(rows, i), &id);
        apr_hash_set(seen, id, APR_HASH_KEY_STRING, id);
    }
    for (at = apr_hash_first(p, verify->holds); !wrong && at; at = apr_hash_next(at)) {
        const ai_checkpoint_hold_t *told = apr_hash_this_val(at);

        if (!apr_hash_get(seen, told->id, APR_HASH_KEY_STRING)) {
            ai_verify_found(verify, "hold %s: is missing; a checkpoint tells of it", told->id);
        }
    }
    return wrong;
}

const char *ai_verify_database(ai_verify_t *verify, ai_db_t *db)
{
    apr_pool_t *p;
    const char *wrong;

    if (apr_pool_create(&p, verify->pool) != APR_SUCCESS) {
        return "there is no memory";
    }
    wrong = check_checkpoints(verify, p, db);
    wrong = wrong ? wrong : ai_verify_segments(verify, db);
    wrong = wrong ? wrong : check_holds(verify, p, db);
    if (!wrong) {
        ai_verify_unseen(verify);
    }
    wrong = wrong ? wrong : ai_verify_strays(verify, db);
    wrong = wrong ? apr_pstrdup(verify->pool, wrong) : NULL;
    apr_pool_destroy(p);
    return wrong;
}
