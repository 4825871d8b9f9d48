/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_ship.c - which records are there that are not shipped yet?
 *
 * A round reads every segment from its mark on, in the order of their creation, as far as there is
 * something; then it settles begins that were left, and removes what is shipped and over.
 *
 * Lives in: the caller's pool, and pools below it that are emptied each round. Shared state: the
 * folder, by its lock. May block: yes.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <apr_allocator.h>
#include <apr_atomic.h>
#include <apr_strings.h>

#include "ai_ship_parts.h"
#include "ai_spool_disk.h"

#define LOCK "ship.lock"

/* Memory that is kept for the next batch. */
#define KEPT ((apr_size_t)1 << 20)

/* Of one segment, before the others have their turn. */
#define RECORDS_AT_A_TIME 8192

#define SWEEP_EVERY apr_time_from_sec(60)
#define SHORTEST_WAIT apr_time_from_sec(1)
#define LONGEST_WAIT apr_time_from_sec(2)

/* How soon what a request appends is looked for. */
#define LOOK_EVERY (APR_USEC_PER_SEC / 4)

/* ------------------------------------------------------------------ beginning and ending */

static apr_status_t close_all(void *data)
{
    ai_ship_close(data);
    return APR_SUCCESS;
}

/* Memory that no other thread has a part in, and that is given back rather than kept. */
static apr_pool_t *own_pool(apr_pool_t *p)
{
    apr_allocator_t *allocator;
    apr_pool_t *own;

    if (apr_allocator_create(&allocator) != APR_SUCCESS) {
        return NULL;
    }
    apr_allocator_max_free_set(allocator, KEPT);
    if (apr_pool_create_ex(&own, p, NULL, allocator) != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return NULL;
    }
    apr_allocator_owner_set(allocator, own);
    return own;
}

ai_ship_t *ai_ship_open(apr_pool_t *p, const ai_ship_conf_t *conf)
{
    ai_ship_t *ship;

    p = own_pool(p);
    if (!p) {
        return NULL;
    }
    ship = apr_pcalloc(p, sizeof(*ship));
    ship->pool = p;
    ship->conf = *conf;
    ship->lock = -1;
    ship->look_again = 1;
    ship->store = ai_audit_store_open(p, &conf->database);
    ship->packer = ai_packer_create(p);
    if (!ship->packer || !ai_ship_batch_make(ship)
        || apr_pool_create(&ship->list_pool, p) != APR_SUCCESS
        || apr_pool_create(&ship->round, p) != APR_SUCCESS) {
        return NULL;
    }
    ship->segments = apr_array_make(ship->list_pool, 1, sizeof(ai_ship_segment_t));
    apr_pool_pre_cleanup_register(p, ship, close_all);
    return ship;
}

apr_pool_t *ai_ship_pool(const ai_ship_t *ship)
{
    return ship->pool;
}

void ai_ship_close(ai_ship_t *ship)
{
    ai_audit_store_close(ship->store);
    if (ship->lock >= 0) {
        close(ship->lock);
        ship->lock = -1;
    }
    ship->has_marks = 0;
}

int ai_ship_is_over(const ai_ship_t *ship)
{
    return apr_atomic_read32((volatile apr_uint32_t *)&ship->over) != 0;
}

void ai_ship_interrupt(ai_ship_t *ship)
{
    apr_atomic_set32(&ship->over, 1);
    ai_db_interrupt(ai_audit_store_db(ship->store));
}

void ai_ship_say(ai_ship_t *ship, ai_ship_event_e event, const char *text)
{
    if (ship->conf.say) {
        ship->conf.say(ship->conf.baton, event, text);
    }
}

void ai_ship_look(const ai_ship_t *ship, ai_ship_state_t *state)
{
    *state = ship->state;
}

apr_interval_time_t ai_ship_wait(const ai_ship_t *ship, ai_ship_outcome_e outcome)
{
    apr_interval_time_t wait = SHORTEST_WAIT;
    int i;

    switch (outcome) {
    case AI_SHIP_MORE:
    case AI_SHIP_OVER:
        return 0;
    case AI_SHIP_DONE:
        return LOOK_EVERY;
    case AI_SHIP_OTHER:
        return SHORTEST_WAIT;
    case AI_SHIP_AWAY:
        break;
    }
    for (i = 1; i < ship->failures && wait < LONGEST_WAIT; i++) {
        wait *= 2;
    }
    return wait < LONGEST_WAIT ? wait : LONGEST_WAIT;
}

/* ------------------------------------------------------------------------------- folder */

/* What the disk does not do; 0. */
static int unreadable(ai_ship_t *ship, const char *name, apr_status_t rv)
{
    char text[120];

    if (!ship->is_in_trouble) {
        ship->is_in_trouble = 1;
        ai_ship_say(ship, AI_SHIP_UNREADABLE,
                    apr_psprintf(ship->round, "%s%s%s: %s", ship->conf.folder, *name ? "/" : "", name,
                                 rv == APR_EINVAL ? "is not what it must be, or others may write in it"
                                                  : apr_strerror(rv, text, sizeof(text))));
    }
    return 0;
}

/* 1; 0 when somebody else has it, or *rv. */
static int take_lock(ai_ship_t *ship, apr_status_t *rv)
{
    int folder;

    *rv = APR_SUCCESS;
    if (ship->lock >= 0) {
        return 1;
    }
    *rv = ai_spool_disk_folder(ship->conf.folder, &folder);
    if (*rv != APR_SUCCESS) {
        return 0;
    }
    *rv = ai_spool_disk_open(folder, LOCK, O_RDONLY | O_CREAT, &ship->lock); /* enough for flock() */
    ai_spool_disk_close(folder);
    if (ship->lock >= 0 && flock(ship->lock, LOCK_EX | LOCK_NB) != 0) {
        *rv = errno == EWOULDBLOCK ? APR_SUCCESS : errno;
        close(ship->lock);
        ship->lock = -1;
    }
    return ship->lock >= 0;
}

static int is_same(const ai_uuid_t *a, const ai_uuid_t *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static int read_marks(ai_ship_t *ship)
{
    apr_array_header_t *marks;
    const char *wrong;
    apr_status_t rv;
    int i;

    if (ship->has_marks) {
        return 1;
    }
    rv = ai_spool_checkpoint_read(ship->round, ship->conf.folder, &marks, &wrong);
    if (rv != APR_SUCCESS) {
        return unreadable(ship, "checkpoint", rv);
    }
    if (wrong) {
        ai_ship_say(ship, AI_SHIP_UNREADABLE,
                    apr_pstrcat(ship->round, wrong, "; all that is there is shipped once more", NULL));
    }
    apr_array_clear(ship->segments);
    for (i = 0; i < marks->nelts; i++) {
        const ai_spool_mark_t *mark = &APR_ARRAY_IDX(marks, i, ai_spool_mark_t);
        ai_ship_segment_t *segment = &APR_ARRAY_PUSH(ship->segments, ai_ship_segment_t);

        memset(segment, 0, sizeof(*segment));
        segment->id = mark->segment;
        segment->place = mark->place;
    }
    ship->has_marks = ship->look_again = 1;
    return 1;
}

/* What is known of a segment; there may be as many as there are marks, in their order or not. */
static const ai_ship_segment_t *find(const ai_ship_t *ship, const ai_uuid_t *id, int from)
{
    int i, n = ship->segments->nelts;

    for (i = 0; i < n; i++) {
        const ai_ship_segment_t *segment = &APR_ARRAY_IDX(ship->segments, (from + i) % n,
                                                          ai_ship_segment_t);
        if (is_same(&segment->id, id)) {
            return segment;
        }
    }
    return NULL;
}

static int is_held(const ai_ship_t *ship, const ai_uuid_t *id)
{
    char name[AI_UUID_TEXT + 1];

    ai_uuid_text(id, name);
    return access(apr_pstrcat(ship->round, ship->conf.folder, "/", name, ".refused", NULL), F_OK) == 0;
}

/* The segments that are there, with what is known of them. */
static int list(ai_ship_t *ship)
{
    apr_array_header_t *there, *segments;
    apr_pool_t *pool;
    apr_status_t rv = ai_spool_list(ship->round, ship->conf.folder, &there);
    int i;

    if (rv != APR_SUCCESS || apr_pool_create(&pool, ship->pool) != APR_SUCCESS) {
        return unreadable(ship, "", rv ? rv : APR_ENOMEM);
    }
    segments = apr_array_make(pool, there->nelts + 1, sizeof(ai_ship_segment_t));
    for (i = 0; i < there->nelts; i++) {
        const ai_uuid_t *id = &APR_ARRAY_IDX(there, i, ai_spool_segment_t).id;
        ai_ship_segment_t *segment = &APR_ARRAY_PUSH(segments, ai_ship_segment_t);
        const ai_ship_segment_t *known = find(ship, id, i);

        memset(segment, 0, sizeof(*segment));
        if (known) {
            *segment = *known;
        }
        segment->id = *id;
        segment->is_pending = 0;
        segment->is_held = is_held(ship, id);
    }
    apr_pool_destroy(ship->list_pool);
    ship->list_pool = pool;
    ship->segments = segments;
    return 1;
}

/* ------------------------------------------------------------------------------ reading */

static void tell(ai_ship_t *ship, ai_ship_event_e event, const ai_ship_segment_t *segment,
                 const ai_spool_reader_t *reader, const char *what)
{
    char name[AI_UUID_TEXT + 1];
    ai_spool_place_t place;

    ai_spool_reader_place(reader, &place);
    ai_uuid_text(&segment->id, name);
    ai_ship_batch_tell(ship, event,
                       apr_psprintf(ship->batch.pool, "segment %s, byte %" APR_OFF_T_FMT ": %"
                                    APR_OFF_T_FMT " bytes %s", name, place.offset,
                                    ai_spool_reader_skipped(reader), what));
}

/* Told once; it is tried again each round, and the others go on. */
static void cannot_read(ai_ship_t *ship, ai_ship_segment_t *segment, apr_status_t rv)
{
    char name[AI_UUID_TEXT + 1], text[120];

    segment->is_pending = 1;
    if (!segment->is_told) {
        segment->is_told = 1;
        ai_uuid_text(&segment->id, name);
        ai_ship_say(ship, AI_SHIP_UNREADABLE,
                    apr_psprintf(ship->round, "segment %s: %s", name,
                                 rv == APR_EINVAL ? "is of another version of mod_ai"
                                                  : apr_strerror(rv, text, sizeof(text))));
    }
}

/* The end of a segment whose writer is gone. */
static const char *take_end(ai_ship_t *ship, ai_ship_segment_t *segment,
                            const ai_spool_reader_t *reader, ai_spool_found_e found)
{
    apr_off_t torn = ai_spool_reader_skipped(reader);
    ai_audit_segment_t *row;
    const char *wrong = ai_ship_batch_touch(ship, segment, reader, &row);

    if (wrong) {
        return wrong;
    }
    if (row->state == AI_AUDIT_OPEN) {
        row->state = found == AI_SPOOL_CLOSED ? AI_AUDIT_CLOSED : AI_AUDIT_CUT;
    }
    row->torn = torn;
    if (torn) {
        tell(ship, AI_SHIP_TORN, segment, reader, "behind the last record are of one that was not finished");
    }
    segment->is_over = 1;
    ship->look_again = ship->has_ended = 1;
    return NULL;
}

/* Takes what was found. Out: *over, nothing more is to be had of it now. */
static const char *take(ai_ship_t *ship, ai_ship_segment_t *segment, ai_spool_reader_t *reader,
                        ai_spool_found_e found, const ai_spool_frame_t *frame, int *over)
{
    ai_audit_segment_t *row;
    const char *wrong = NULL;

    *over = 1;
    switch (found) {
    case AI_SPOOL_DAMAGE:
        tell(ship, AI_SHIP_DAMAGED, segment, reader,
             frame->type ? "are a record whose body is damaged" : "are no records any more");
        wrong = frame->type ? ai_ship_batch_add(ship, segment, reader, frame)
                            : ai_ship_batch_touch(ship, segment, reader, &row);
        if (!wrong) {
            ship->batch.touched[ship->batch.touched_n - 1].row.damaged = 1;
        }
        *over = 0;
        return wrong;
    case AI_SPOOL_FRAME:
        *over = 0;
        return ai_ship_batch_add(ship, segment, reader, frame);
    case AI_SPOOL_CUT:
    case AI_SPOOL_CLOSED:
        return take_end(ship, segment, reader, found);
    case AI_SPOOL_YET:
        segment->is_pending = 1;
        return ai_ship_find_writer(ship, segment, reader);
    case AI_SPOOL_FAILED:
        break;
    }
    cannot_read(ship, segment, ai_spool_reader_error(reader));
    return NULL;
}

/* Reads a segment from where it was left. 1; 0: trouble, or over. *more: there is more of it. */
static int read_segment(ai_ship_t *ship, ai_ship_segment_t *segment, int *more)
{
    ai_spool_reader_t *reader;
    ai_spool_frame_t frame;
    apr_status_t rv;
    const char *wrong;
    int n, over = 0, good = 1;

    rv = ai_spool_reader_open(ship->round, ship->conf.folder, &segment->id,
                              segment->place.offset ? &segment->place : NULL, &reader);
    if (rv != APR_SUCCESS) {
        cannot_read(ship, segment, rv);
        return 1;
    }
    for (n = 0; good && !over && n < RECORDS_AT_A_TIME; n++) {
        ai_spool_found_e found = ai_spool_read(reader, &frame);

        wrong = take(ship, segment, reader, found, &frame, &over);
        good = wrong ? ai_ship_trouble(ship, wrong)
                     : !ai_ship_batch_is_full(ship) || ai_ship_commit(ship);
        good = good && !ai_ship_is_over(ship);
    }
    if (!over) {
        segment->is_pending = *more = 1;
    }
    ai_spool_reader_close(reader);
    return good;
}

static int read_all(ai_ship_t *ship, int *more)
{
    int i;

    for (i = 0; i < ship->segments->nelts; i++) {
        ai_ship_segment_t *segment = &APR_ARRAY_IDX(ship->segments, i, ai_ship_segment_t);

        if (!segment->is_over && !read_segment(ship, segment, more)) {
            return 0;
        }
    }
    return ai_ship_commit(ship);
}

/* ----------------------------------------------------------------------------- removing */

/* Segments of which all is shipped. What cannot be removed yet is asked again. */
static void remove_shipped(ai_ship_t *ship)
{
    apr_status_t rv;
    int i;

    for (i = 0; i < ship->segments->nelts; i++) {
        ai_ship_segment_t *segment = &APR_ARRAY_IDX(ship->segments, i, ai_ship_segment_t);

        if (!segment->is_over || segment->is_held) {
            continue;
        }
        rv = ai_spool_remove(ship->round, ship->conf.folder, &segment->id, &segment->place);
        ship->state.removed += rv == APR_SUCCESS;
        if (rv == APR_INCOMPLETE) {
            segment->is_over = 0;
        }
        else if (rv != APR_SUCCESS && rv != APR_EBUSY && !APR_STATUS_IS_ENOENT(rv)) {
            cannot_read(ship, segment, rv);
        }
    }
}

/* ------------------------------------------------------------------------------- a round */

/* What it has in memory and did not commit is read again. */
static ai_ship_outcome_e give_up(ai_ship_t *ship)
{
    int i;

    for (i = 0; i < ship->segments->nelts; i++) {
        APR_ARRAY_IDX(ship->segments, i, ai_ship_segment_t).is_over = 0;
    }
    ai_ship_batch_begin(ship);
    if (ai_ship_is_over(ship)) {
        return AI_SHIP_OVER;
    }
    ship->failures++;
    return AI_SHIP_AWAY;
}

static ai_ship_outcome_e ship_all(ai_ship_t *ship)
{
    apr_array_header_t *unsettled = NULL;
    const char *wrong = NULL;
    int more = 0;

    if (!read_marks(ship)) {
        return give_up(ship);
    }
    if (ship->look_again) {
        wrong = ai_ship_settle_list(ship, &unsettled);
    }
    if (wrong) {
        ai_ship_trouble(ship, wrong);
        return give_up(ship);
    }
    ship->look_again = ship->has_ended = 0;
    if (!list(ship) || !read_all(ship, &more)) {
        ship->look_again = 1;
        return give_up(ship);
    }
    wrong = unsettled ? ai_ship_settle(ship, unsettled) : NULL;
    if (wrong) {
        ship->look_again = 1;
        ai_ship_trouble(ship, wrong);
        return give_up(ship);
    }
    remove_shipped(ship);
    ship->failures = 0;
    return more || ship->has_ended ? AI_SHIP_MORE : AI_SHIP_DONE;
}

ai_ship_outcome_e ai_ship_round(ai_ship_t *ship, apr_time_t now)
{
    apr_status_t rv;

    if (ai_ship_is_over(ship)) {
        return AI_SHIP_OVER;
    }
    apr_pool_clear(ship->round);
    if (!take_lock(ship, &rv)) {
        if (rv == APR_SUCCESS) {
            return AI_SHIP_OTHER;
        }
        unreadable(ship, LOCK, rv);
        return give_up(ship);
    }
    if (now - ship->swept >= SWEEP_EVERY) {
        ai_spool_sweep(ship->conf.folder, now);
        ship->swept = now;
    }
    return ship_all(ship);
}
