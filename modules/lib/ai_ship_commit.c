/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_ship_commit.c - how does a batch get into the database, and what if it does not take it?
 *
 * The order is what all rests on: what a mark stands behind is committed, and told to whoever listens.
 * A batch that fails twice while the database answers is taken apart: what others of it go in without,
 * and does not go in alone, is refused.
 *
 * Shared state: none.  May block: on the database, the disk, and whoever listens.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <apr_strings.h>

#include "ai_ship_parts.h"
#include "ai_spool_disk.h"

/* A whole batch may fail for a while before it is taken apart. */
#define TRIES 2

int ai_ship_trouble(ai_ship_t *ship, const char *wrong)
{
    if (!ai_ship_is_over(ship) && !ship->is_in_trouble) {
        ship->is_in_trouble = 1;
        ai_ship_say(ship, AI_SHIP_TROUBLE, wrong);
    }
    return 0;
}

/* ----------------------------------------------------------------------- the transaction */

/* Which records go: all, or the one at only. */
typedef struct part_t {
    const ai_audit_frame_t *frames;
    const ai_audit_call_t *calls;
    const ai_audit_feedback_t *feedback;
    int frames_n, calls_n, feedback_n;
} part_t;

static part_t whole(const ai_ship_batch_t *batch)
{
    return (part_t){ batch->frames, batch->calls, batch->feedback, batch->n, batch->calls_n,
                     batch->feedback_n };
}

static part_t alone(const ai_ship_batch_t *batch, int i)
{
    const ai_ship_record_t *record = &batch->records[i];

    return (part_t){ batch->frames + i,
                     record->call >= 0 ? batch->calls + record->call : NULL,
                     record->feedback >= 0 ? batch->feedback + record->feedback : NULL, 1,
                     record->call >= 0, record->feedback >= 0 };
}

static const char *put_segments(ai_ship_t *ship)
{
    ai_ship_batch_t *batch = &ship->batch;
    const char *wrong = NULL;
    int i;

    for (i = 0; !wrong && i < batch->touched_n; i++) {
        wrong = ai_audit_store_segment(ship->store, batch->pool, &batch->touched[i].row);
    }
    return wrong;
}

static const char *put_rows(ai_ship_t *ship, apr_pool_t *p, const part_t *part)
{
    const char *wrong = ai_audit_store_frames(ship->store, p, part->frames, part->frames_n);

    wrong = wrong ? wrong : ai_audit_store_calls(ship->store, p, part->calls, part->calls_n);
    return wrong ? wrong : ai_audit_store_feedback(ship->store, p, part->feedback, part->feedback_n);
}

/* part: NULL for the segments alone. */
static const char *transact(ai_ship_t *ship, const part_t *part, int with_segments)
{
    ai_db_t *db = ai_audit_store_db(ship->store);
    apr_pool_t *p = ship->batch.pool;
    const char *wrong;

    if (ai_ship_is_over(ship)) {
        return "it is over";
    }
    wrong = ai_db_begin(db, p);
    if (wrong) {
        return wrong;
    }
    wrong = part ? put_rows(ship, p, part) : NULL;
    wrong = wrong || !with_segments ? wrong : put_segments(ship);
    if (wrong) {
        ai_db_rollback(db, p);
        return wrong;
    }
    return ai_db_commit(db, p);
}

/* ------------------------------------------------------------------------------ refusals */

/* NULL, or why nothing can go in. */
static const char *is_well(ai_ship_t *ship)
{
    int version;
    const char *wrong = ai_db_version(ai_audit_store_db(ship->store), ship->batch.pool,
                                      &ai_audit_store_schema, &version);

    return wrong || version >= ai_db_steps(&ai_audit_store_schema)
               ? wrong
               : "the tables of the audit are missing or old; \"aictl db init\" or \"aictl db "
                 "migrate\" makes them";
}

/* One after the other. Out: *taken, how many went in; those that did not are marked. */
static const char *take_apart(ai_ship_t *ship, int *taken)
{
    ai_ship_batch_t *batch = &ship->batch;
    const char *wrong = NULL;
    part_t part;
    int i;

    *taken = 0;
    for (i = 0; i < batch->n; i++) {
        part = alone(batch, i);
        wrong = transact(ship, &part, 0);
        batch->records[i].is_refused |= wrong != NULL;
        *taken += wrong == NULL;
        wrong = wrong ? is_well(ship) : NULL;
        if (wrong || ai_ship_is_over(ship)) {
            return wrong ? wrong : "it is over";
        }
    }
    return NULL;
}

/* Once more what did not go in: the database may have been short of something for a moment. */
static const char *try_refused(ai_ship_t *ship)
{
    ai_ship_batch_t *batch = &ship->batch;
    const char *wrong;
    part_t part;
    int i;

    for (i = 0; i < batch->n; i++) {
        if (batch->records[i].is_refused && batch->frames[i].body) {
            part = alone(batch, i);
            batch->records[i].is_refused = transact(ship, &part, 0) != NULL;
            wrong = batch->records[i].is_refused ? is_well(ship) : NULL;
            if (wrong || ai_ship_is_over(ship)) {
                return wrong ? wrong : "it is over";
            }
        }
    }
    return NULL;
}

/* Names a record in the file that keeps its segment here. */
static apr_status_t note_refused(ai_ship_t *ship, int i)
{
    ai_ship_batch_t *batch = &ship->batch;
    const ai_audit_segment_t *segment = &batch->touched[batch->records[i].touch].row;
    const char *path = apr_pstrcat(batch->pool, ship->conf.folder, "/", segment->id, ".refused", NULL);
    const char *line = apr_psprintf(batch->pool, "%s type %d call %s\n", batch->frames[i].id,
                                    batch->frames[i].type, batch->frames[i].call);
    size_t n = strlen(line);
    apr_status_t rv = APR_SUCCESS;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640), folder;

    if (fd < 0) {
        return errno;
    }
    if (write(fd, line, n) != (ssize_t)n || fsync(fd) != 0) {
        rv = errno ? errno : ENOSPC;
    }
    close(fd);
    if (rv == APR_SUCCESS) {
        rv = ai_spool_disk_folder(ship->conf.folder, &folder);
    }
    if (rv == APR_SUCCESS) {
        rv = ai_spool_disk_sync_all(folder);
        ai_spool_disk_close(folder);
    }
    return rv;
}

static int note_all_refused(ai_ship_t *ship)
{
    ai_ship_batch_t *batch = &ship->batch;
    apr_status_t rv;
    char text[120];
    int i;

    for (i = 0; i < batch->n; i++) {
        if (!batch->records[i].is_refused) {
            continue;
        }
        rv = note_refused(ship, i);
        if (rv != APR_SUCCESS) {
            return ai_ship_trouble(ship, apr_psprintf(batch->pool, "%s: cannot keep what the database "
                                                      "refuses: %s", ship->conf.folder,
                                                      apr_strerror(rv, text, sizeof(text))));
        }
        batch->touched[batch->records[i].touch].segment->is_held = 1;
        ship->state.refused++;
        ai_ship_say(ship, AI_SHIP_REFUSED,
                    apr_psprintf(batch->pool, "record %s is not taken, others are; its segment stays",
                                 batch->frames[i].id));
    }
    return 1;
}

/* Puts in what goes in. 1; 0: trouble. */
static int take_what_goes(ai_ship_t *ship)
{
    const char *wrong;
    int taken;

    wrong = take_apart(ship, &taken);
    if (!wrong && !taken) {
        wrong = "not one record is taken";
    }
    wrong = wrong ? wrong : try_refused(ship);
    wrong = wrong ? wrong : transact(ship, NULL, 1);
    return wrong ? ai_ship_trouble(ship, wrong) : note_all_refused(ship);
}

/* --------------------------------------------------------------------------- all of it */

static int put_batch(ai_ship_t *ship)
{
    const part_t all = whole(&ship->batch);
    const char *wrong = transact(ship, &all, 1), *away;

    if (!wrong) {
        return note_all_refused(ship);
    }
    away = ai_ship_is_over(ship) ? wrong : is_well(ship);
    if (away || ++ship->batch_failures < TRIES || ship->batch.n == 0) {
        return ai_ship_trouble(ship, away ? away : wrong);
    }
    return take_what_goes(ship);
}

static int tell_lines(ai_ship_t *ship)
{
    const ai_ship_batch_t *batch = &ship->batch;
    int i;

    for (i = 0; ship->conf.line && i < batch->n; i++) {
        if (batch->records[i].line.p && !batch->records[i].is_refused
            && !ship->conf.line(ship->conf.baton, batch->records[i].line)) {
            return ai_ship_trouble(ship, "whoever takes the records as lines does not take them now");
        }
    }
    return 1;
}

/* Marks of all segments that are there. */
static int write_marks(ai_ship_t *ship)
{
    apr_array_header_t *marks = apr_array_make(ship->batch.pool, ship->segments->nelts + 1,
                                               sizeof(ai_spool_mark_t));
    const ai_ship_segment_t *segment;
    apr_status_t rv;
    char text[120];
    int i;

    for (i = 0; i < ship->segments->nelts && marks->nelts < AI_SPOOL_MARKS; i++) {
        segment = &APR_ARRAY_IDX(ship->segments, i, ai_ship_segment_t);
        if (segment->place.offset) {
            APR_ARRAY_PUSH(marks, ai_spool_mark_t) = (ai_spool_mark_t){ segment->id, segment->place };
        }
    }
    rv = ai_spool_checkpoint_write(ship->batch.pool, ship->conf.folder, marks);
    if (rv != APR_SUCCESS) {
        return ai_ship_trouble(ship, apr_psprintf(ship->batch.pool, "%s/checkpoint: cannot be written: "
                                                  "%s", ship->conf.folder,
                                                  apr_strerror(rv, text, sizeof(text))));
    }
    ship->has_moved = 0;
    return 1;
}

/* What is committed is committed, whether the checkpoint can be written or not: the next one has it. */
static void move_on(ai_ship_t *ship)
{
    ai_ship_batch_t *batch = &ship->batch;
    int i;

    for (i = 0; i < batch->touched_n; i++) {
        ai_ship_touch_t *touch = &batch->touched[i];

        ship->has_moved |= touch->segment->place.offset != touch->place.offset;
        touch->segment->place = touch->place;
        touch->segment->state = touch->row.state;
    }
    for (i = 0; i < batch->tales->nelts; i++) {
        const ai_ship_tale_t *tale = &APR_ARRAY_IDX(batch->tales, i, ai_ship_tale_t);

        ai_ship_say(ship, tale->event, tale->text);
    }
    ship->state.records += (apr_uint64_t)batch->n;
    ship->state.batches++;
}

int ai_ship_commit(ai_ship_t *ship)
{
    int good = 1, did = ship->batch.touched_n || ship->has_moved;

    if (ship->batch.touched_n) {
        good = put_batch(ship) && tell_lines(ship);
        if (good) {
            ship->batch_failures = 0;
            move_on(ship);
        }
    }
    good = good && (!ship->has_moved || write_marks(ship));
    ai_ship_batch_begin(ship);
    if (good && did && ship->is_in_trouble) {
        ship->is_in_trouble = 0;
        ai_ship_say(ship, AI_SHIP_RESUMED, "records go in again");
    }
    return good;
}
