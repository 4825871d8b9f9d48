/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_retain.c - whose time is over, who is held, and how is it taken out so that it can be proved?
 *
 * A batch and whoever puts a hold in change the same row first, so that one waits for the other: a
 * hold is either there when the batch looks, or not yet said to be.
 *
 * A call's row goes with the last of its records, for it says whose they are.
 *
 * May block: yes, on the database.
 */
#include <stdlib.h>

#include <apr_strings.h>

#include "ai_retain.h"
#include "ai_uuid.h"

#define BATCH 1000

/* A checkpoint tells of no more segments, so that its text fits into a column. */
#define SEGMENTS 200

/* How often somebody else may write a checkpoint meanwhile. */
#define TRIES 20

#define TEXT_OF(number) #number
#define NUMBER(macro) TEXT_OF(macro)

/* A frame's body that is not there though nobody took it out is left alone: it is evidence. */
#define RIPE \
    "FROM ai_audit_frames f JOIN ai_audit_calls c ON c.id = f.call_id " \
    "WHERE f.removed = 0 AND f.type = %lld AND f.time < %lld AND c.time < %lld " \
    "AND f.length > 0 AND f.body IS NOT NULL AND (%s = '' OR c.tenant = %s) "
#define HOLDS \
    "(h.tenant IS NULL OR h.tenant = c.tenant) AND (h.since IS NULL OR c.time >= h.since) " \
    "AND (h.until IS NULL OR c.time < h.until)"
#define NOT_HELD \
    "AND NOT EXISTS (SELECT 1 FROM ai_audit_holds h WHERE h.released IS NULL AND " HOLDS ") "
#define NOT_NEEDED \
    "AND (c.frame <> f.id OR NOT EXISTS (SELECT 1 FROM ai_audit_frames o " \
    "WHERE o.call_id = f.call_id AND o.id <> f.id AND o.removed = 0 AND o.length > 0)) "
#define RIPE_ARGS 5

static const char count_ripe[] = "SELECT COUNT(*), COALESCE(SUM(f.length), 0) " RIPE NOT_HELD;
static const char get_ripe[] = "SELECT f.id, f.call_id, f.length " RIPE NOT_HELD NOT_NEEDED
                               "ORDER BY f.time LIMIT " NUMBER(BATCH);
static const char empty_one[] = "UPDATE ai_audit_frames SET body = NULL, coding = 0, "
                                "removed = %lld WHERE id = %s AND removed = 0";
static const char drop_call[] = "DELETE FROM ai_audit_calls WHERE id = %s AND frame = %s";
static const char drop_feedback[] = "DELETE FROM ai_audit_feedback WHERE id = %s";

static const char put_turn[] = "INSERT INTO ai_audit_told (id, records, state, torn, damaged, "
                               "settled) VALUES ('turn', 0, 0, 0, 0, 0) {or_nothing}";
static const char take_turn[] = "UPDATE ai_audit_told SET records = records + 1 WHERE id = 'turn'";

static const char put_hold[] = "INSERT INTO ai_audit_holds (id, tenant, since, until, reason, "
                               "created, released) VALUES (%s, %s, %lld, %lld, %s, %lld, NULL)";
static const char find_held[] = "SELECT c.id FROM ai_audit_holds h JOIN ai_audit_calls c ON " HOLDS
                                " WHERE h.id = %s LIMIT 1";
static const char get_holds[] = "SELECT " AI_PROOF_HOLD " FROM ai_audit_holds h ORDER BY h.id";
static const char set_hold[] = "UPDATE ai_audit_holds SET released = %lld "
                               "WHERE id = %s AND released IS NULL";

/* Types of records, in the order in which they go: prompt, answer, note, begin, end. */
static const int types[] = { 16, 17, 3, 1, 2 };
#define BODY_TYPES 2
#define RECORD_TYPES 5

static const char *number(apr_pool_t *p, apr_int64_t n)
{
    return apr_psprintf(p, "%" APR_INT64_T_FMT, n);
}

static void fill(apr_pool_t *p, const ai_retain_t *retain, int type, const char **args)
{
    args[0] = number(p, type);
    args[1] = number(p, retain->before);
    args[2] = args[1];
    args[3] = args[4] = retain->tenant ? retain->tenant : "";
}

/* -------------------------------------------------------------------------------- counting */

static const char *take_count(void *baton, const char *const *values)
{
    ai_retained_t *done = baton;
    apr_int64_t frames, bytes;

    if (!ai_proof_number(values[0], APR_INT64_MAX, &frames)
        || !ai_proof_number(values[1], APR_INT64_MAX, &bytes)) {
        return "the database does not count";
    }
    done->frames += frames;
    done->bytes += bytes;
    return NULL;
}

const char *ai_retain_count(ai_db_t *db, apr_pool_t *p, const ai_retain_t *retain,
                            ai_retained_t *done)
{
    const char *args[RIPE_ARGS], *wrong = NULL;
    int i;

    memset(done, 0, sizeof(*done));
    for (i = 0; !wrong && i < (retain->records ? RECORD_TYPES : BODY_TYPES); i++) {
        fill(p, retain, types[i], args);
        wrong = ai_db_select(db, p, count_ripe, RIPE_ARGS, args, 2, take_count, done);
    }
    return wrong;
}

/* ------------------------------------------------------------------------------ taking out */

typedef struct ripe_t {
    const char *id;
    const char *call;
    int type;
    apr_int64_t sequence, length;
} ripe_t;

typedef struct batch_t {
    apr_pool_t *pool;
    int type;
    apr_array_header_t *ripe; /* of ripe_t */
} batch_t;

static const char *take_ripe(void *baton, const char *const *values)
{
    batch_t *batch = baton;
    ripe_t *ripe = apr_array_push(batch->ripe);
    const char *digits;

    ripe->id = apr_pstrdup(batch->pool, values[0]);
    ripe->call = apr_pstrdup(batch->pool, values[1]);
    ripe->type = batch->type;
    if (strlen(ripe->id) != AI_UUID_TEXT + 11 || ripe->id[AI_UUID_TEXT] != ':') {
        return "ai_audit_frames: an id that is none; aictl audit verify tells which";
    }
    digits = ripe->id + AI_UUID_TEXT + 1;
    digits += strspn(digits, "0");
    if (!ai_proof_number(*digits ? digits : "0", APR_INT64_MAX, &ripe->sequence)
        || !ai_proof_number(values[2], APR_INT64_MAX, &ripe->length)) {
        return "ai_audit_frames: a row that is none; aictl audit verify tells which";
    }
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const ripe_t *)a)->id, ((const ripe_t *)b)->id);
}

/* In order, and no more than a checkpoint can tell. */
static void bound(apr_array_header_t *ripe)
{
    int i, segments = 0;

    qsort(ripe->elts, (size_t)ripe->nelts, sizeof(ripe_t), by_id);
    for (i = 0; i < ripe->nelts && i < BATCH; i++) {
        segments += i == 0 || strncmp(APR_ARRAY_IDX(ripe, i, ripe_t).id,
                                      APR_ARRAY_IDX(ripe, i - 1, ripe_t).id, AI_UUID_TEXT) != 0;
        if (segments > SEGMENTS) {
            break;
        }
    }
    ripe->nelts = i;
}

/* What is taken out, as a checkpoint tells it. */
static apr_array_header_t *removals_of(apr_pool_t *p, const apr_array_header_t *ripe,
                                       const char *why)
{
    apr_array_header_t *removals = apr_array_make(p, 4, sizeof(ai_checkpoint_removal_t));
    ai_checkpoint_removal_t *removal = NULL;
    ai_checkpoint_range_t *range = NULL;
    int i;

    for (i = 0; i < ripe->nelts; i++) {
        const ripe_t *one = &APR_ARRAY_IDX(ripe, i, ripe_t);

        if (!removal || strncmp(removal->segment, one->id, AI_UUID_TEXT) != 0) {
            removal = apr_array_push(removals);
            removal->segment = apr_pstrmemdup(p, one->id, AI_UUID_TEXT);
            removal->ranges = apr_array_make(p, 4, sizeof(ai_checkpoint_range_t));
            removal->why = why;
            range = NULL;
        }
        if (!range || one->sequence != range->last + 1) {
            range = apr_array_push(removal->ranges);
            range->first = one->sequence;
        }
        range->last = one->sequence;
    }
    return removals;
}

static const char *take_out(ai_db_t *db, apr_pool_t *p, const ripe_t *ripe, const char *told)
{
    const char *const args[] = { told, ripe->id };
    const char *const call[] = { ripe->call, ripe->id };
    const char *wrong = ai_db_exec(db, p, empty_one, 2, args, NULL);

    if (!wrong && ripe->type == 3) {
        wrong = ai_db_exec(db, p, drop_feedback, 1, args + 1, NULL);
    }
    if (!wrong && (ripe->type == 1 || ripe->type == 2)) {
        wrong = ai_db_exec(db, p, drop_call, 2, call, NULL);
    }
    return wrong;
}

static const char *lock(ai_db_t *db, apr_pool_t *p)
{
    const char *wrong = ai_db_exec(db, p, put_turn, 0, NULL, NULL);

    return wrong ? wrong : ai_db_exec(db, p, take_turn, 0, NULL, NULL);
}

/* Within a transaction. "": somebody else wrote a checkpoint meanwhile. */
static const char *run_batch(const ai_proof_t *proof, apr_pool_t *p, const ai_retain_t *retain,
                             apr_time_t now, batch_t *batch)
{
    const char *args[RIPE_ARGS], *wrong = lock(proof->db, p);
    apr_int64_t told;
    int i;

    for (i = 0; !wrong && i < (retain->records ? RECORD_TYPES : BODY_TYPES)
                && batch->ripe->nelts < BATCH; i++) {
        batch->type = types[i];
        fill(p, retain, types[i], args);
        wrong = ai_db_select(proof->db, p, get_ripe, RIPE_ARGS, args, 3, take_ripe, batch);
    }
    if (wrong || !batch->ripe->nelts) {
        return wrong;
    }
    bound(batch->ripe);
    wrong = ai_proof_tell(proof, p, now, removals_of(p, batch->ripe, retain->why), &told);
    for (i = 0; !wrong && i < batch->ripe->nelts; i++) {
        wrong = take_out(proof->db, p, &APR_ARRAY_IDX(batch->ripe, i, ripe_t), number(p, told));
    }
    return wrong;
}

static const char *one_batch(const ai_proof_t *proof, apr_pool_t *p, const ai_retain_t *retain,
                             apr_time_t now, ai_retained_t *done)
{
    batch_t batch = { p, 0, apr_array_make(p, BATCH, sizeof(ripe_t)) };
    const char *wrong = ai_db_begin(proof->db, p);
    int i;

    if (wrong) {
        return wrong;
    }
    wrong = run_batch(proof, p, retain, now, &batch);
    if (wrong || !batch.ripe->nelts) {
        ai_db_rollback(proof->db, p);
        done->more = wrong != NULL;
        return wrong;
    }
    wrong = ai_db_commit(proof->db, p);
    for (i = 0; !wrong && i < batch.ripe->nelts; i++) {
        done->frames++;
        done->bytes += APR_ARRAY_IDX(batch.ripe, i, ripe_t).length;
    }
    return wrong;
}

const char *ai_retain_run(const ai_proof_t *proof, apr_pool_t *p, const ai_retain_t *retain,
                          apr_time_t now, int batches, ai_retained_t *done)
{
    const char *wrong = NULL;
    apr_pool_t *each;
    int tries = 0;

    done->more = 1;
    if (strlen(retain->why) > AI_RETAIN_WHY) {
        return "the reason is too long";
    }
    if (apr_pool_create(&each, p) != APR_SUCCESS) {
        return "there is no memory";
    }
    while (batches > 0 && done->more && tries < TRIES) {
        apr_pool_clear(each);
        wrong = one_batch(proof, each, retain, now, done);
        if (wrong && *wrong) {
            wrong = apr_pstrdup(p, wrong);
            break;
        }
        tries = wrong ? tries + 1 : 0;
        batches -= !wrong;
    }
    apr_pool_destroy(each);
    return wrong && *wrong ? wrong
           : wrong ? "others write checkpoints all the time; try again" : NULL;
}

/* ---------------------------------------------------------------------------------- holds */

static const char *when(apr_pool_t *p, apr_time_t t)
{
    return t >= 0 ? number(p, t) : NULL;
}

static const char *make_id(apr_pool_t *p, apr_time_t now, const char **id)
{
    char *text = apr_palloc(p, AI_UUID_TEXT + 1);
    ai_uuid_source_t *source;
    ai_uuid_t uuid;

    if (ai_uuid_source_create(p, &source) != APR_SUCCESS
        || ai_uuid_make(source, now, &uuid) != APR_SUCCESS) {
        return "the system gives no random bytes";
    }
    ai_uuid_text(&uuid, text);
    *id = text;
    return NULL;
}

const char *ai_hold_add(ai_db_t *db, apr_pool_t *p, const ai_checkpoint_hold_t *hold,
                        apr_time_t now, const char **id)
{
    const char *args[6], *wrong = make_id(p, now, id);

    wrong = wrong ? wrong : ai_db_begin(db, p);
    if (wrong) {
        return wrong;
    }
    args[0] = *id;
    args[1] = hold->tenant;
    args[2] = when(p, hold->since);
    args[3] = when(p, hold->until);
    args[4] = hold->reason;
    args[5] = number(p, now);
    wrong = lock(db, p);
    wrong = wrong ? wrong : ai_db_exec(db, p, put_hold, 6, args, NULL);
    if (wrong) {
        ai_db_rollback(db, p);
        return wrong;
    }
    return ai_db_commit(db, p);
}

static const char *take_held(void *baton, const char *const *values)
{
    (void)values;
    *(int *)baton = 1;
    return NULL;
}

const char *ai_hold_finds(ai_db_t *db, apr_pool_t *p, const char *id, int *any)
{
    *any = 0;
    return ai_db_select(db, p, find_held, 1, &id, 1, take_held, any);
}

static const char *take_hold(void *baton, const char *const *values)
{
    apr_array_header_t *holds = baton;
    ai_checkpoint_hold_t *hold = apr_array_push(holds);
    const char *column = ai_proof_hold(holds->pool, values, hold);

    return column ? apr_psprintf(holds->pool, "ai_audit_holds: column %s of hold %.36s has a value "
                                 "that it cannot have", column, hold->id)
                  : NULL;
}

const char *ai_hold_list(ai_db_t *db, apr_pool_t *p, apr_array_header_t **holds)
{
    *holds = apr_array_make(p, 8, sizeof(ai_checkpoint_hold_t));
    return ai_db_select(db, p, get_holds, 0, NULL, AI_PROOF_HOLD_COLUMNS, take_hold, *holds);
}

const char *ai_hold_release(ai_db_t *db, apr_pool_t *p, const char *id, apr_time_t now, int *rows)
{
    const char *const args[] = { number(p, now), id };

    return ai_db_exec(db, p, set_hold, 2, args, rows);
}
