/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_spool_sync.c - the disk is full, a sync fails, the power goes: what was promised and
 * vouched for holds.
 */
#include <apr_thread_proc.h>

#include "spool_disk.h"

/* ----------------------------------------------------------------------------- a full disk */

static void test_short_write(void)
{
    ai_spool_position_t position;
    ai_spool_t *spool;
    struct stat is;
    found_t found;
    ai_uuid_t id;
    off_t size;

    fresh_folder();
    spool_open(&spool, 0);
    put(spool, AI_SPOOL_NOTE, 0, BODY, NULL);
    id = segment_at(0);
    stat(path_of(&id), &is);
    size = is.st_size;
    fails_at = calls + 1;
    fail_with = ENOSPC;
    way = WAY_SHORT;
    is_number(put(spool, AI_SPOOL_NOTE, 1, BODY, &position), ENOSPC,
              "half a record goes in: it is told");
    stat(path_of(&id), &is);
    is_number(is.st_size, size, "and cut off");
    fail_nothing();
    is_number(put(spool, AI_SPOOL_NOTE, 2, "{}", &position), APR_SUCCESS, "the next one is taken");
    found = read_all(NULL, NULL);
    ok(found.frames == 2 && found.chained == 2 && found.live == 1, "and follows the first");
    /* The cut fails, too. */
    fails_at = calls + 1;
    fails_on = 1;
    fail_with = EIO;
    way = WAY_SHORT;
    is_number(put(spool, AI_SPOOL_NOTE, 3, BODY, &position), EIO,
              "half of one that cannot be cut off");
    stat(path_of(&id), &is);
    ok(is.st_size > size, "stays at the end of the file");
    fail_nothing();
    found = read_all(NULL, NULL);
    ok(found.frames == 2 && !found.damage && found.live == 1, "readers are not in trouble");
    is_number(put(spool, AI_SPOOL_NOTE, 4, "{}", &position), APR_SUCCESS, "the next one goes in");
    ai_spool_close(spool, NOON);
    found = read_all(NULL, NULL);
    ok(found.frames == 3 && !found.damage && found.closed + found.cut == segments()->nelts
           && found.left == 0, "and no half is left in the end");
}

/* A begin that was taken has room for its end, however full the disk gets. */
static void test_promises(void)
{
    char text[2000];
    ai_slice_t body = { text, sizeof(text) };
    ai_spool_record_t begin = { .type = AI_SPOOL_BEGIN, .time = NOON, .promise = sizeof(text) };
    ai_spool_record_t end = { .type = AI_SPOOL_END, .time = NOON, .body = &body, .pieces = 1,
                              .redeems = sizeof(text) };
    ai_spool_position_t position;
    ai_spool_state_t state;
    ai_spool_t *spool;
    int taken, ends = 0, i;

    fresh_folder();
    /* The disk is as full as it says; what was reserved is there all the same. */
    ai_spool_calls.write_at = real.write_at;
    memset(text, 'x', sizeof(text));
    spool_open(&spool, 0);
    for (taken = 0; taken < 50; taken++) {
        ai_spool_append(spool, &begin, &position);
    }
    no_room = 1;
    while (ai_spool_append(spool, &begin, &position) == APR_SUCCESS && taken < 10000) {
        taken++;
    }
    is_number(ai_spool_append(spool, &begin, &position), ENOSPC,
              "a begin that would have no room for its end is refused");
    printf("# %d calls were begun\n", taken);
    for (i = 0; i < taken; i++) {
        ends += ai_spool_append(spool, &end, &position) == APR_SUCCESS;
    }
    is_number(ends, taken, "every begun call has its end taken on the full disk");
    ai_spool_look(spool, &state);
    is_number(state.promised, 0, "nothing is promised any more");
    no_room = 0;
    is_number(ai_spool_append(spool, &begin, &position), APR_SUCCESS,
              "when there is room it goes on");
    ai_spool_release(spool, sizeof(text));
    ai_spool_look(spool, &state);
    is_number(state.promised, 0, "a promise is given back");
    ai_spool_close(spool, NOON);
    ai_spool_calls.write_at = t_write;
}

/* ------------------------------------------------------------------------- a sync that fails */

static void see_n(void *baton, const ai_spool_frame_t *frame)
{
    unsigned char *seen = baton;

    seen[n_of(&frame->id) % 3]++;
}

static void test_failed_sync(void)
{
    ai_spool_position_t first, second, third;
    ai_spool_state_t state;
    ai_spool_t *spool;
    unsigned char seen[3] = { 0 };

    fresh_folder();
    spool_open(&spool, 0);
    put(spool, AI_SPOOL_NOTE, 0, BODY, &first);
    is_number(ai_spool_sync(spool), APR_SUCCESS, "the first is synced");
    put(spool, AI_SPOOL_NOTE, 1, BODY, &second);
    fails_at = calls + 1;
    fail_with = EIO;
    is_number(ai_spool_wait(spool, second), EIO, "the sync of the second fails");
    is_number(ai_spool_wait(spool, second), EIO, "and no later one makes it good");
    is_number(ai_spool_wait(spool, first), APR_SUCCESS, "the first is as it was");
    ai_spool_look(spool, &state);
    ok(state.lost == 1 && state.settled == 2, "one is lost");
    is_number(put(spool, AI_SPOOL_NOTE, 2, BODY, &third), APR_SUCCESS, "a third is taken");
    is_number(segments()->nelts, 2, "in another segment");
    is_number(ai_spool_wait(spool, third), APR_SUCCESS, "and synced");
    is_number(ai_spool_sync(spool), EIO, "who syncs for all is told");
    is_number(ai_spool_sync(spool), APR_SUCCESS, "once");
    ai_spool_close(spool, NOON);
    power_goes();
    read_all(see_n, seen);
    ok(seen[0] == 1 && seen[1] == 0 && seen[2] == 1,
       "the power goes: what was vouched for is there");
}

/* What comes in while the disk is at it waits for the next time. */
static void test_late_record(void)
{
    ai_spool_position_t position;
    ai_spool_state_t state;
    ai_spool_t *spool;

    fresh_folder();
    spool_open(&spool, 0);
    put(spool, AI_SPOOL_NOTE, 0, BODY, &position);
    comes_late = spool;
    is_number(ai_spool_wait(spool, position), APR_SUCCESS, "one is waited for");
    ai_spool_look(spool, &state);
    ok(state.written == 2 && state.settled == 1,
       "another that came in meanwhile is not vouched for");
    is_number(ai_spool_wait(spool, 2), APR_SUCCESS, "it is, when it is waited for");
    power_goes();
    is_number(read_all(NULL, NULL).frames, 2, "the power goes: both are there");
    ai_spool_close(spool, NOON);
}

/* --------------------------------------------------------------- threads, and then the power */

enum { THREADS = 4, EACH = 250 };

static ai_spool_t *shared;
static unsigned char durable[THREADS][EACH], there[THREADS][EACH];

static void *APR_THREAD_FUNC append_some(apr_thread_t *thread, void *baton)
{
    unsigned me = (unsigned)((unsigned char (*)[EACH])baton - durable), n;
    ai_slice_t body = ai_slice_of(BODY);

    for (n = 0; n < EACH; n++) {
        ai_spool_record_t record = { .type = AI_SPOOL_NOTE, .id = id_of(me, n), .time = NOON,
                                     .body = &body, .pieces = 1 };
        ai_spool_position_t position;

        if (ai_spool_append(shared, &record, &position) == APR_SUCCESS
            && (n + me) % 5 == 0 && ai_spool_wait(shared, position) == APR_SUCCESS) {
            durable[me][n] = 1;
        }
    }
    (void)thread;
    return NULL;
}

static void mark(void *baton, const ai_spool_frame_t *frame)
{
    (void)baton;
    there[thread_of(&frame->id)][n_of(&frame->id)]++;
}

static void test_power(void)
{
    apr_thread_t *threads[THREADS];
    apr_status_t rv;
    int i, n, lost = 0, vouched = 0;

    fresh_folder();
    spool_open(&shared, 20000);
    for (i = 0; i < THREADS; i++) {
        apr_thread_create(&threads[i], NULL, append_some, durable[i], pool);
    }
    for (i = 0; i < THREADS; i++) {
        apr_thread_join(&rv, threads[i]);
    }
    power_goes();
    read_all(mark, NULL);
    for (i = 0; i < THREADS; i++) {
        for (n = 0; n < EACH; n++) {
            vouched += durable[i][n];
            lost += durable[i][n] && there[i][n] != 1;
        }
    }
    is_number(vouched, THREADS * EACH / 5, "threads waited for their records");
    is_number(lost, 0, "the power goes: each of those is there, once");
    ai_spool_close(shared, NOON);
}

int main(void)
{
    if (!spool_begin("test_ai_spool_sync")) {
        return done();
    }
    use_disk();
    test_short_write();
    test_promises();
    test_failed_sync();
    test_late_record();
    test_power();
    return spool_end();
}
