/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_ship_batch.c - what rows do records become?
 *
 * Each record is a frame, as it was. An end is a call as well, and a note feedback, where they can be
 * read; where not, the frame is there for whoever can.
 *
 * Lives in: the batch's pool.  Shared state: none.  May block: on the database, for a segment that was
 * not seen before.
 */
#include <apr_strings.h>

#include "ai_digest.h"
#include "ai_ship_parts.h"

#define BATCH 512

/* Bodies of a batch: what a driver holds of them at once is twice or three times as much. */
#define BATCH_BYTES ((apr_size_t)1 << 20)

void ai_ship_batch_begin(ai_ship_t *ship)
{
    ai_ship_batch_t *batch = &ship->batch;

    apr_pool_clear(batch->pool);
    batch->n = batch->calls_n = batch->feedback_n = batch->touched_n = batch->touched_room = 0;
    batch->bytes = 0;
    batch->tales = apr_array_make(batch->pool, 4, sizeof(ai_ship_tale_t));
}

void ai_ship_batch_tell(ai_ship_t *ship, ai_ship_event_e event, const char *text)
{
    APR_ARRAY_PUSH(ship->batch.tales, ai_ship_tale_t) = (ai_ship_tale_t){ event, text };
}

int ai_ship_batch_make(ai_ship_t *ship)
{
    ai_ship_batch_t *batch = &ship->batch;
    apr_size_t n;

    ship->conf.batch = ship->conf.batch ? ship->conf.batch : BATCH;
    n = (apr_size_t)ship->conf.batch;
    batch->records = apr_palloc(ship->pool, n * sizeof(*batch->records));
    batch->frames = apr_palloc(ship->pool, n * sizeof(*batch->frames));
    batch->calls = apr_palloc(ship->pool, n * sizeof(*batch->calls));
    batch->feedback = apr_palloc(ship->pool, n * sizeof(*batch->feedback));
    if (apr_pool_create(&batch->pool, ship->pool) != APR_SUCCESS) {
        return 0;
    }
    ai_ship_batch_begin(ship);
    return 1;
}

int ai_ship_batch_is_full(const ai_ship_t *ship)
{
    return ship->batch.n >= ship->conf.batch || ship->batch.bytes >= BATCH_BYTES;
}

/* ----------------------------------------------------------------------------- segments */

static const char *text_of(apr_pool_t *p, const ai_uuid_t *id)
{
    char *text = apr_palloc(p, AI_UUID_TEXT + 1);

    ai_uuid_text(id, text);
    return text;
}

static int is_zero(const ai_uuid_t *id)
{
    static const ai_uuid_t zero;

    return memcmp(id, &zero, sizeof(zero)) == 0;
}

static const char *take_writer(void *baton, const char *const *values)
{
    ai_uuid_t *writer = baton;
    ai_uuid_t read;

    if (values[0] && ai_uuid_read(ai_slice_of(values[0]), &read)) {
        *writer = read;
    }
    return NULL;
}

const char *ai_ship_find_writer(ai_ship_t *ship, ai_ship_segment_t *segment,
                                const ai_spool_reader_t *reader)
{
    static const char sql[] = "SELECT writer FROM ai_audit_segments WHERE id = %s";
    const ai_spool_head_t *head = ai_spool_reader_head(reader);
    const char *arg, *wrong;
    int i;

    if (segment->is_known) {
        return NULL;
    }
    segment->writer = head->is_good && !is_zero(&head->before) ? head->before : segment->id;
    for (i = 0; i < ship->segments->nelts; i++) {
        const ai_ship_segment_t *other = &APR_ARRAY_IDX(ship->segments, i, ai_ship_segment_t);

        if (other->is_known && memcmp(&other->id, &segment->writer, sizeof(other->id)) == 0) {
            segment->writer = other->writer;
            segment->is_known = 1;
            return NULL;
        }
    }
    arg = text_of(ship->round, &segment->writer);
    wrong = ai_db_select(ai_audit_store_db(ship->store), ship->round, sql, 1, &arg, 1, take_writer,
                         &segment->writer);
    segment->is_known = !wrong;
    return wrong;
}

static const char *hex(apr_pool_t *p, const unsigned char digest[AI_SPOOL_DIGEST])
{
    char *text = apr_palloc(p, 2 * AI_DIGEST + 1);

    ai_digest_hex(digest, text);
    return text;
}

static void fill_segment(apr_pool_t *p, ai_ship_touch_t *touch, const ai_spool_head_t *head)
{
    const ai_ship_segment_t *segment = touch->segment;
    ai_audit_segment_t *row = &touch->row;

    memset(row, 0, sizeof(*row));
    row->id = text_of(p, &segment->id);
    row->writer = text_of(p, &segment->writer);
    row->created = head->is_good ? head->created : ai_uuid_time(&segment->id);
    row->state = segment->state;
    if (head->is_good) {
        row->node = apr_pstrdup(p, head->node);
        row->pid = head->pid;
        row->link = hex(p, head->link);
        row->previous = is_zero(&head->before) ? NULL : text_of(p, &head->before);
        row->link = hex(p, head->link);
    }
}

static ai_ship_touch_t *new_touch(ai_ship_batch_t *batch)
{
    ai_ship_touch_t *more;

    if (batch->touched_n == batch->touched_room) {
        batch->touched_room = batch->touched_room ? 2 * batch->touched_room : 16;
        more = apr_palloc(batch->pool, (apr_size_t)batch->touched_room * sizeof(*more));
        if (batch->touched_n) {
            memcpy(more, batch->touched, (apr_size_t)batch->touched_n * sizeof(*more));
        }
        batch->touched = more;
    }
    return &batch->touched[batch->touched_n++];
}

const char *ai_ship_batch_touch(ai_ship_t *ship, ai_ship_segment_t *segment,
                                const ai_spool_reader_t *reader, ai_audit_segment_t **row)
{
    ai_ship_batch_t *batch = &ship->batch;
    ai_ship_touch_t *touch;
    const char *wrong;

    /* Segments are read one after the other. */
    touch = batch->touched_n ? &batch->touched[batch->touched_n - 1] : NULL;
    if (!touch || touch->segment != segment) {
        wrong = ai_ship_find_writer(ship, segment, reader);
        if (wrong) {
            return wrong;
        }
        touch = new_touch(batch);
        touch->segment = segment;
        fill_segment(batch->pool, touch, ai_spool_reader_head(reader));
    }
    ai_spool_reader_place(reader, &touch->place);
    touch->row.records = (apr_int64_t)touch->place.sequence;
    touch->row.chain = hex(batch->pool, touch->place.chain);
    *row = &touch->row;
    return NULL;
}

/* ------------------------------------------------------------------------------ records */

static void tell(ai_ship_t *ship, ai_ship_event_e event, const char *frame, const char *what)
{
    ai_ship_batch_tell(ship, event, apr_psprintf(ship->batch.pool, "record %s %s", frame, what));
}

static void fill_frame(ai_ship_t *ship, ai_audit_frame_t *row, const ai_uuid_t *segment,
                       const ai_spool_frame_t *frame)
{
    apr_pool_t *p = ship->batch.pool;
    ai_pack_coding_e coding = AI_PACK_TEXT;
    char *id = apr_palloc(p, AI_AUDIT_FRAME_ID);

    ai_audit_frame_id(segment, frame->sequence, id);
    memset(row, 0, sizeof(*row));
    row->id = id;
    row->call = text_of(p, &frame->id);
    row->type = frame->type;
    row->time = frame->time;
    row->length = frame->length;
    row->digest = hex(p, frame->digest);
    row->chain = hex(p, frame->chain);
    row->removed = frame->removed;
    if (frame->body.p && ai_pack(ship->packer, p, frame->body, &row->body, &coding)) {
        row->coding = (int)coding;
    }
}

/* A body that is too long for a column stays in its segment. */
static int is_too_long(const ai_spool_frame_t *frame)
{
    return frame->body.n > AI_PACK_BODY;
}

/* What an end or a note is beside its frame. */
static void fill_rows(ai_ship_t *ship, ai_ship_record_t *record, const ai_audit_frame_t *row,
                      const ai_spool_frame_t *frame)
{
    ai_ship_batch_t *batch = &ship->batch;
    apr_pool_t *p = batch->pool;
    int good = 0;

    if (frame->type == AI_SPOOL_END) {
        good = ai_audit_call_read(p, frame->body, row->call, frame->time, row->id,
                                  &batch->calls[batch->calls_n]);
        record->call = good ? batch->calls_n++ : -1;
    }
    else {
        good = ai_audit_feedback_read(p, frame->body, row->call, frame->time, row->id,
                                      &batch->feedback[batch->feedback_n]);
        record->feedback = good ? batch->feedback_n++ : -1;
    }
    if (!good) {
        tell(ship, AI_SHIP_STRANGE, row->id, frame->type == AI_SPOOL_END
                 ? "is no end of a call that can be read; its frame alone is kept"
                 : "is no note that can be read; its frame alone is kept");
    }
    else if (ship->conf.line) {
        record->line = (ai_slice_t){ apr_pstrmemdup(p, frame->body.p, frame->body.n),
                                     frame->body.n };
    }
}

const char *ai_ship_batch_add(ai_ship_t *ship, ai_ship_segment_t *segment,
                              const ai_spool_reader_t *reader, const ai_spool_frame_t *frame)
{
    ai_ship_batch_t *batch = &ship->batch;
    ai_ship_record_t *record = &batch->records[batch->n];
    ai_audit_frame_t *row = &batch->frames[batch->n];
    ai_audit_segment_t *of;
    const char *wrong = ai_ship_batch_touch(ship, segment, reader, &of);

    if (wrong) {
        return wrong;
    }
    memset(record, 0, sizeof(*record));
    record->call = record->feedback = -1;
    record->touch = batch->touched_n - 1;
    record->type = frame->type;
    record->sequence = frame->sequence;
    fill_frame(ship, row, &segment->id, frame);
    if (frame->type == AI_SPOOL_CLOSE) {
        of->state = AI_AUDIT_CLOSED;
    }
    if (frame->trust == AI_SPOOL_ALTERED) {
        of->damaged = 2;
        tell(ship, AI_SHIP_ALTERED, row->id, "is not as it was written, or does not follow the one before");
    }
    if (is_too_long(frame)) {
        record->is_refused = 1;
    }
    else if (frame->body.p && (frame->type == AI_SPOOL_END || frame->type == AI_SPOOL_NOTE)) {
        fill_rows(ship, record, row, frame);
    }
    batch->n++;
    batch->bytes += frame->body.n;
    return NULL;
}
