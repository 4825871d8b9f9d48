/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_proof.c - what is new since the last checkpoint, and who has signed it?
 *
 * What was told stands in ai_audit_told, so that nobody has to read all checkpoints to write the next
 * one. That table proves nothing: who changes it makes something be told twice, or late.
 *
 * May block: yes, on the database.
 */
#include <apr_escape.h>
#include <apr_strings.h>

#include "ai_base64.h"
#include "ai_proof.h"
#include "ai_spool_frame.h"

/* Of each so many go into one text, which must fit into a column; with the longest reasons, too. */
#define MOST_SEGMENTS 100
#define MOST_HOLDS 10

/* How often somebody else may be faster. */
#define TRIES 20

#define TEXT_OF(number) #number
#define NUMBER(macro) TEXT_OF(macro)

static const char new_segments[] =
    "SELECT " AI_PROOF_SEGMENT " FROM ai_audit_segments s LEFT JOIN ai_audit_told t ON t.id = s.id "
    "WHERE t.id IS NULL OR t.records <> s.records OR t.state <> s.state OR t.torn <> s.torn "
    "OR t.damaged <> s.damaged OR t.settled <> s.settled ORDER BY s.id LIMIT " NUMBER(MOST_SEGMENTS);
static const char new_holds[] =
    "SELECT " AI_PROOF_HOLD " FROM ai_audit_holds h LEFT JOIN ai_audit_told t ON t.id = h.id "
    "WHERE t.id IS NULL OR t.records <> COALESCE(h.released, -1) ORDER BY h.id "
    "LIMIT " NUMBER(MOST_HOLDS);
static const char last_one[] =
    "SELECT id, text, signature FROM ai_audit_checkpoints ORDER BY id DESC LIMIT 1";
static const char put_one[] =
    "INSERT INTO ai_audit_checkpoints (id, node, time, text, signature, signer) "
    "VALUES (%s, %s, %lld, %s, %s, %s) {or_nothing}";
static const char put_told[] =
    "INSERT INTO ai_audit_told (id, records, state, torn, damaged, settled) "
    "VALUES (%s, %lld, %lld, %lld, %lld, %lld) {or_nothing}";
static const char set_told[] =
    "UPDATE ai_audit_told SET records = %lld, state = %lld, torn = %lld, damaged = %lld, "
    "settled = %lld WHERE id = %s";

/* ---------------------------------------------------------------------------------- rows */

int ai_proof_number(const char *text, apr_int64_t most, apr_int64_t *number)
{
    char *end = NULL;

    if (!text || !apr_isdigit(*text) || (*text == '0' && text[1]) || strlen(text) > 19) {
        return 0;
    }
    *number = apr_strtoi64(text, &end, 10);
    return *end == '\0' && *number >= 0 && *number <= most;
}

const char *ai_proof_row_id(apr_pool_t *p, apr_int64_t number)
{
    return apr_psprintf(p, "%020" APR_INT64_T_FMT, number);
}

/* A select's rows, as they are: of const char **. */
typedef struct rows_t {
    apr_pool_t *pool;
    apr_array_header_t *rows;
    int columns;
} rows_t;

static const char *take_row(void *baton, const char *const *values)
{
    rows_t *rows = baton;
    const char **row = apr_palloc(rows->pool, (apr_size_t)rows->columns * sizeof(*row));
    int i;

    for (i = 0; i < rows->columns; i++) {
        row[i] = values[i] ? apr_pstrdup(rows->pool, values[i]) : NULL;
    }
    APR_ARRAY_PUSH(rows->rows, const char **) = row;
    return NULL;
}

const char *ai_proof_rows(ai_db_t *db, apr_pool_t *p, const char *sql, int n,
                          const char *const *args, int columns, apr_array_header_t **all)
{
    rows_t rows = { p, apr_array_make(p, 32, sizeof(const char **)), columns };

    *all = rows.rows;
    return ai_db_select(db, p, sql, n, args, columns, take_row, &rows);
}

static int is_uuid(const char *text, ai_uuid_t *uuid)
{
    char again[AI_UUID_TEXT + 1];

    if (!text || !ai_uuid_read(ai_slice_of(text), uuid)) {
        return 0;
    }
    ai_uuid_text(uuid, again);
    return strcmp(text, again) == 0;
}

const char *ai_proof_start(apr_pool_t *p, const ai_uuid_t *segment, const ai_spool_head_t *head)
{
    unsigned char bytes[AI_SPOOL_HEAD], chain[AI_SPOOL_DIGEST];

    return head->is_good && ai_spool_head_write(head, segment, bytes, chain)
               ? apr_pescape_hex(p, chain, AI_SPOOL_DIGEST, 0) : NULL;
}

/* Fills in what the head says; NULL, or the column that cannot be. */
static const char *read_head(apr_pool_t *p, const char *const *columns,
                             ai_checkpoint_segment_t *segment)
{
    enum { ID, NODE, PID, CREATED, PREVIOUS, LINK };
    ai_spool_head_t head;
    apr_int64_t pid, created;
    apr_size_t n;
    ai_uuid_t id;

    memset(&head, 0, sizeof(head));
    if (!is_uuid(columns[ID], &id)) {
        return "id";
    }
    if (columns[PREVIOUS] && !is_uuid(columns[PREVIOUS], &head.before)) {
        return "previous";
    }
    segment->id = apr_pstrdup(p, columns[ID]);
    segment->previous = columns[PREVIOUS] ? apr_pstrdup(p, columns[PREVIOUS]) : NULL;
    if (!ai_proof_number(columns[PID], 0xffffffff, &pid)) {
        return "pid";
    }
    if (!ai_proof_number(columns[CREATED], APR_INT64_MAX, &created)) {
        return "created";
    }
    if (!columns[LINK]) {
        return NULL;
    }
    if (!ai_checkpoint_is_hex(columns[LINK], AI_CHECKPOINT_DIGEST)
        || apr_unescape_hex(head.link, columns[LINK], AI_CHECKPOINT_DIGEST, 0, &n) != APR_SUCCESS) {
        return "link";
    }
    if (!columns[NODE] || strlen(columns[NODE]) > AI_SPOOL_NODE) {
        return "node";
    }
    memcpy(head.node, columns[NODE], strlen(columns[NODE]));
    head.pid = (apr_uint32_t)pid;
    head.created = created;
    head.is_good = 1;
    segment->start = ai_proof_start(p, &id, &head);
    return segment->start ? NULL : "link";
}

const char *ai_proof_segment(apr_pool_t *p, const char *const *columns,
                             ai_checkpoint_segment_t *segment)
{
    enum { RECORDS = 6, STATE, TORN, DAMAGED, SETTLED, CHAIN, WRITER };
    apr_int64_t state, damaged, settled;
    const char *wrong;
    ai_uuid_t writer;

    memset(segment, 0, sizeof(*segment));
    wrong = read_head(p, columns, segment);
    if (wrong) {
        return wrong;
    }
    if (!ai_proof_number(columns[RECORDS], APR_INT64_MAX, &segment->records)) {
        return "records";
    }
    if (!ai_proof_number(columns[STATE], 2, &state)) {
        return "state";
    }
    if (!ai_proof_number(columns[TORN], APR_INT64_MAX, &segment->torn)) {
        return "torn";
    }
    if (!ai_proof_number(columns[DAMAGED], 2, &damaged)) {
        return "damaged";
    }
    if (!ai_proof_number(columns[SETTLED], 1, &settled)) {
        return "settled";
    }
    if (columns[CHAIN] && !ai_checkpoint_is_hex(columns[CHAIN], AI_CHECKPOINT_DIGEST)) {
        return "chain";
    }
    segment->state = (int)state;
    segment->damaged = (int)damaged;
    segment->settled = (int)settled;
    segment->chain = columns[CHAIN] ? apr_pstrdup(p, columns[CHAIN]) : NULL;
    return is_uuid(columns[WRITER], &writer) ? NULL : "writer";
}

static int read_time(const char *text, apr_time_t *when)
{
    *when = -1;
    return !text || ai_proof_number(text, APR_INT64_MAX, when);
}

const char *ai_proof_hold(apr_pool_t *p, const char *const *columns, ai_checkpoint_hold_t *hold)
{
    enum { ID, TENANT, SINCE, UNTIL, REASON, CREATED, RELEASED };

    memset(hold, 0, sizeof(*hold));
    hold->id = apr_pstrdup(p, columns[ID] ? columns[ID] : "");
    hold->tenant = columns[TENANT] ? apr_pstrdup(p, columns[TENANT]) : NULL;
    hold->reason = columns[REASON] ? apr_pstrdup(p, columns[REASON]) : NULL;
    return !read_time(columns[SINCE], &hold->since)         ? "since"
           : !read_time(columns[UNTIL], &hold->until)       ? "until"
           : !ai_proof_number(columns[CREATED], APR_INT64_MAX, &hold->created) ? "created"
           : !read_time(columns[RELEASED], &hold->released) ? "released" : NULL;
}

/* ------------------------------------------------------------------------------- writing */

/* One that is being put together. */
typedef struct draft_t {
    apr_pool_t *pool;
    ai_checkpoint_t checkpoint;
    int is_after_signed; /* the one before it is signed */
} draft_t;

static const char *take_last(void *baton, const char *const *values)
{
    draft_t *draft = baton;
    const char *digits = values[0] + strspn(values[0], "0");

    if (strlen(values[0]) != 20 || !ai_proof_number(digits, APR_INT64_MAX - 1,
                                                    &draft->checkpoint.number)) {
        return "ai_audit_checkpoints: the last row has an id that is no number of a checkpoint";
    }
    draft->is_after_signed = values[2] && *values[2];
    draft->checkpoint.previous = ai_checkpoint_digest(draft->pool, values[1] ? values[1] : "",
                                                      values[2] ? values[2] : "");
    return draft->checkpoint.previous ? NULL : "OpenSSL fails";
}

static const char *take_segment(void *baton, const char *const *values)
{
    draft_t *draft = baton;
    ai_checkpoint_segment_t *segment = apr_array_push(draft->checkpoint.segments);
    const char *column = ai_proof_segment(draft->pool, values, segment);

    return column ? apr_psprintf(draft->pool, "ai_audit_segments: column %s of segment %.36s has a "
                                 "value that it cannot have", column, values[0] ? values[0] : "")
                  : NULL;
}

static const char *take_hold(void *baton, const char *const *values)
{
    draft_t *draft = baton;
    ai_checkpoint_hold_t *hold = apr_array_push(draft->checkpoint.holds);
    const char *column = ai_proof_hold(draft->pool, values, hold);

    return column ? apr_psprintf(draft->pool, "ai_audit_holds: column %s of hold %.36s has a value "
                                 "that it cannot have", column, hold->id)
                  : NULL;
}

/* What all have: number, the digest of the one before. */
static const char *begin(const ai_proof_t *proof, apr_pool_t *p, apr_time_t now, draft_t *draft)
{
    const char *wrong;

    memset(draft, 0, sizeof(*draft));
    draft->pool = p;
    draft->checkpoint.node = proof->node;
    draft->checkpoint.time = now;
    draft->checkpoint.previous = "";
    draft->checkpoint.segments = apr_array_make(p, 8, sizeof(ai_checkpoint_segment_t));
    draft->checkpoint.removals = apr_array_make(p, 1, sizeof(ai_checkpoint_removal_t));
    draft->checkpoint.holds = apr_array_make(p, 1, sizeof(ai_checkpoint_hold_t));
    wrong = ai_db_select(proof->db, p, last_one, 0, NULL, 3, take_last, draft);
    draft->checkpoint.number++;
    return wrong;
}

static const char *number(apr_pool_t *p, apr_int64_t n)
{
    return apr_psprintf(p, "%" APR_INT64_T_FMT, n);
}

static const char *note(const ai_proof_t *proof, apr_pool_t *p, const char *id, apr_int64_t records,
                        const ai_checkpoint_segment_t *segment)
{
    const char *args[] = {
        id, number(p, records), number(p, segment->state), number(p, segment->torn),
        number(p, segment->damaged), number(p, segment->settled), id
    };
    const char *wrong;
    int rows;

    wrong = ai_db_exec(proof->db, p, put_told, 6, args, &rows);
    return wrong || rows ? wrong : ai_db_exec(proof->db, p, set_told, 6, args + 1, NULL);
}

/* That all in it was told. */
static const char *note_all(const ai_proof_t *proof, apr_pool_t *p, const ai_checkpoint_t *done)
{
    static const ai_checkpoint_segment_t none;
    const char *wrong = NULL;
    int i;

    for (i = 0; !wrong && i < done->segments->nelts; i++) {
        const ai_checkpoint_segment_t *segment = &APR_ARRAY_IDX(done->segments, i,
                                                                ai_checkpoint_segment_t);

        wrong = note(proof, p, segment->id, segment->records, segment);
    }
    for (i = 0; !wrong && i < done->holds->nelts; i++) {
        const ai_checkpoint_hold_t *hold = &APR_ARRAY_IDX(done->holds, i, ai_checkpoint_hold_t);

        wrong = note(proof, p, hold->id, hold->released, &none);
    }
    return wrong;
}

/*
 * Signs it and puts it in. "": somebody else was faster. One that is not signed behind one that is would
 * look for ever as if somebody without the key had made it, so there is none.
 */
static const char *put(const ai_proof_t *proof, apr_pool_t *p, const draft_t *draft)
{
    const ai_checkpoint_t *checkpoint = &draft->checkpoint;
    const char *text = ai_checkpoint_write(p, checkpoint), *wrong;
    unsigned char bytes[AI_SIGN_SIGNATURE];
    ai_slice_t signature = AI_SLICE("");
    int rows;

    if (strlen(text) > AI_CHECKPOINT_TEXT) {
        return "a checkpoint would be longer than a column";
    }
    if (draft->is_after_signed && !proof->key) {
        return "those before it are signed, and no key was named here: AIAuditSigningKey or --signing-key "
               "names it; a new one will do";
    }
    if (proof->key && !ai_sign(proof->key, ai_slice_of(text), bytes)) {
        return "OpenSSL cannot sign";
    }
    if (proof->key) {
        signature = ai_base64(p, (ai_slice_t){ (const char *)bytes, sizeof(bytes) });
    }
    {
        const char *const args[] = {
            ai_proof_row_id(p, checkpoint->number), checkpoint->node, number(p, checkpoint->time),
            text, signature.p, proof->key ? ai_sign_id(proof->key) : ""
        };

        wrong = ai_db_exec(proof->db, p, put_one, 6, args, &rows);
    }
    wrong = wrong || rows ? wrong : "";
    return wrong ? wrong : note_all(proof, p, checkpoint);
}

const char *ai_proof_tell(const ai_proof_t *proof, apr_pool_t *p, apr_time_t now,
                          apr_array_header_t *removals, apr_int64_t *number)
{
    draft_t draft;
    const char *wrong = begin(proof, p, now, &draft);

    draft.checkpoint.removals = removals;
    *number = draft.checkpoint.number;
    return wrong ? wrong : put(proof, p, &draft);
}

/* One checkpoint. Out: *done, whether there was anything to tell. */
static const char *write_one(const ai_proof_t *proof, apr_pool_t *p, apr_time_t now, int *done)
{
    const char *wrong = ai_db_begin(proof->db, p);
    draft_t draft;

    *done = 0;
    if (wrong) {
        return wrong;
    }
    wrong = begin(proof, p, now, &draft);
    wrong = wrong ? wrong : ai_db_select(proof->db, p, new_segments, 0, NULL,
                                         AI_PROOF_SEGMENT_COLUMNS, take_segment, &draft);
    wrong = wrong ? wrong : ai_db_select(proof->db, p, new_holds, 0, NULL, AI_PROOF_HOLD_COLUMNS,
                                         take_hold, &draft);
    *done = !wrong && (draft.checkpoint.segments->nelts || draft.checkpoint.holds->nelts);
    wrong = !*done ? wrong : put(proof, p, &draft);
    if (wrong || !*done) {
        ai_db_rollback(proof->db, p);
        return wrong;
    }
    return ai_db_commit(proof->db, p);
}

const char *ai_proof_checkpoint(const ai_proof_t *proof, apr_pool_t *p, apr_time_t now,
                                int *written)
{
    const char *wrong = NULL;
    int done = 1, tries = 0;
    apr_pool_t *each;

    *written = 0;
    if (apr_pool_create(&each, p) != APR_SUCCESS) {
        return "there is no memory";
    }
    while (done && tries < TRIES) {
        apr_pool_clear(each);
        wrong = write_one(proof, each, now, &done);
        if (wrong && *wrong) {
            wrong = apr_pstrdup(p, wrong);
            break;
        }
        *written += !wrong && done;
        tries = wrong ? tries + 1 : 0;
    }
    apr_pool_destroy(each);
    /* Who was faster all the time has told of it, too. */
    return wrong && *wrong ? wrong : NULL;
}
