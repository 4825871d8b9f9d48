/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_spool_faults.c - every call to the system fails in turn, in each way that it can: nothing
 * that was acknowledged is lost, nothing is half, and later it goes on.
 */
#include "spool_disk.h"

/* --------------------------------------------------------------------------- the scenario */

enum { RECORDS = 12 };

typedef struct run_t {
    int opened;
    apr_status_t taken[RECORDS]; /* what append said of each */
    apr_status_t kept[RECORDS];  /* what wait said of each that was taken */
    unsigned char seen[RECORDS]; /* how often it is in the spool */
    int strange;
} run_t;

static void see(void *baton, const ai_spool_frame_t *frame)
{
    run_t *run = baton;
    unsigned n = n_of(&frame->id);

    if (n >= RECORDS || !ai_slice_is(frame->body, BODY) || frame->trust != AI_SPOOL_CHAINED) {
        run->strange++;
        return;
    }
    run->seen[n]++;
}

/* Opens, appends, waits now and then, rolls over in the middle, closes. */
static void run_once(run_t *run)
{
    ai_spool_conf_t conf = { .folder = folder, .node = "x", .size = 4096,
                             .age = apr_time_from_sec(6), .ahead = 512 };
    ai_spool_position_t positions[RECORDS];
    ai_slice_t body = ai_slice_of(BODY);
    ai_spool_t *spool;
    int i;

    memset(run, 0, sizeof(*run));
    run->opened = ai_spool_open(pool, &conf, NOON, &spool) == APR_SUCCESS;
    for (i = 0; i < RECORDS; i++) {
        ai_spool_record_t record = { .type = AI_SPOOL_NOTE, .id = id_of(0, (unsigned)i),
                                     .time = NOON + apr_time_from_sec(i), .body = &body,
                                     .pieces = 1 };

        run->kept[i] = APR_EGENERAL;
        run->taken[i] = run->opened ? ai_spool_append(spool, &record, &positions[i]) : APR_EGENERAL;
        if (run->taken[i] == APR_SUCCESS && i % 3 == 2) {
            run->kept[i] = ai_spool_wait(spool, positions[i]);
        }
    }
    for (i = 0; i < RECORDS; i++) {
        if (run->taken[i] == APR_SUCCESS) {
            run->kept[i] = ai_spool_wait(spool, positions[i]);
        }
    }
    if (run->opened) {
        ai_spool_close(spool, NOON);
    }
}

/* Whether the spool has what was acknowledged: taken, or, after the power went, kept. */
static int holds(run_t *run, const apr_status_t *acknowledged, const char *when)
{
    found_t found;
    int i, wrong = 0;

    memset(run->seen, 0, sizeof(run->seen));
    run->strange = 0;
    found = read_all(see, run);
    for (i = 0; i < RECORDS; i++) {
        wrong += acknowledged[i] == APR_SUCCESS ? run->seen[i] != 1 : run->seen[i] > 1;
        wrong += run->taken[i] != APR_SUCCESS && run->seen[i];
    }
    if (wrong || run->strange || found.damage || found.altered || found.failed || found.live) {
        printf("# %s, call %d of %d fails with %d%s%s: %d wrong, %d strange, %d damaged, "
               "%d altered, %d failed, %d live\n", when, fails_at, calls, fail_with,
               fails_on ? ", ever" : "",
               way == WAY_SHORT ? ", half done" : "", wrong, run->strange, found.damage,
               found.altered, found.failed, found.live);
        return 0;
    }
    return 1;
}

static int refused(const run_t *run)
{
    int i, n = !run->opened;

    for (i = 0; i < RECORDS; i++) {
        n += run->taken[i] != APR_SUCCESS || run->kept[i] != APR_SUCCESS;
    }
    return n;
}

/* One fault; with it the process may be killed, or the power may go. Returns 1 when all is well. */
static int survives(int at, int error, way_e how, int for_good, int *felt)
{
    int good, i, at_call, made, not_taken = 0, not_kept = 0;
    run_t run;

    fresh_folder();
    fails_at = at_call = at;
    fails_on = for_good;
    fail_with = error;
    way = how;
    run_once(&run);
    *felt += refused(&run) > 0;
    made = calls;
    fails_at = 0;
    good = holds(&run, run.taken, "afterwards");
    power_goes();
    good &= holds(&run, run.kept, "after the power went");
    for (i = 0; i < RECORDS; i++) {
        not_taken += run.taken[i] != APR_SUCCESS;
        not_kept += run.taken[i] == APR_SUCCESS && run.kept[i] != APR_SUCCESS;
    }
    /* One error costs one record, or those since the last sync. */
    good &= for_good || !run.opened || (not_taken <= 1 && not_kept <= 3);
    if (!good) {
        printf("# call %d of %d, error %d, half %d, ever %d\n", at_call, made, error, how,
               for_good);
    }
    return good;
}

static void test_each_call(void)
{
    static const int errors[] = { EIO, ENOSPC, EINTR, EDQUOT };
    int n, at, e, bad = 0, felt = 0, tried = 0;
    run_t run;

    fresh_folder();
    run_once(&run);
    n = calls;
    ok(refused(&run) == 0 && holds(&run, run.kept, "without a fault"), "without a fault all go in");
    printf("# a run makes %d calls\n", n);
    for (at = 1; at <= n; at++) {
        for (e = 0; e < 4; e++) {
            bad += !survives(at, errors[e], WAY_ERROR, 0, &felt);
            bad += !survives(at, errors[e], WAY_SHORT, 0, &felt);
            tried += 2;
            if (errors[e] != EINTR) {
                bad += !survives(at, errors[e], WAY_ERROR, 1, &felt);
                bad += !survives(at, errors[e], WAY_SHORT, 1, &felt);
                tried += 2;
            }
        }
    }
    is_number(bad, 0, "each call fails, once or for good, with nothing or half of it done");
    ok(felt > n, "%d of %d faults were felt", felt, tried);
}

/* A signal costs nothing but the time to ask again, wherever it comes; a sync is the exception. */
static void test_signals(void)
{
    int at, n, lost = 0;
    run_t run;

    fresh_folder();
    run_once(&run);
    n = calls;
    for (at = 1; at <= n; at++) {
        int i;

        fresh_folder();
        fails_at = at;
        fail_with = EINTR;
        run_once(&run);
        for (i = 0; i < RECORDS; i++) {
            lost += run.taken[i] != APR_SUCCESS;
        }
    }
    is_number(lost, 0, "no signal keeps a record out");
}

/* ----------------------------------------------------------------- checkpoint and stripping */

static int shall(void *baton, const ai_spool_frame_t *frame)
{
    (void)baton;
    (void)frame;
    return 1;
}

/* Each call of the checkpoint's writing fails: there is the old or the new one. */
static void test_checkpoint(void)
{
    apr_array_header_t *old = apr_array_make(pool, 1, sizeof(ai_spool_mark_t)), *both, *now;
    ai_spool_mark_t mark_of = { .place.offset = 192 };
    const char *wrong;
    int at, n, bad = 0;

    APR_ARRAY_PUSH(old, ai_spool_mark_t) = mark_of;
    both = apr_array_copy(pool, old);
    APR_ARRAY_PUSH(both, ai_spool_mark_t) = mark_of;
    fresh_folder();
    ai_spool_checkpoint_write(pool, folder, old);
    n = calls;
    for (at = 1; at <= n; at++) {
        apr_status_t rv;

        fresh_folder();
        ai_spool_checkpoint_write(pool, folder, old);
        fails_at = calls + at;
        fail_with = EIO;
        way = at % 2 ? WAY_SHORT : WAY_ERROR;
        rv = ai_spool_checkpoint_write(pool, folder, both);
        fail_nothing();
        bad += ai_spool_checkpoint_read(pool, folder, &now, &wrong) != APR_SUCCESS || wrong
               || now->nelts < 1 || (rv == APR_SUCCESS && now->nelts != 2);
        bad += ai_spool_checkpoint_write(pool, folder, both) != APR_SUCCESS;
    }
    is_number(bad, 0, "a checkpoint that cannot be written leaves the old one or is the new one");
}

static void test_strip(void)
{
    int at, n, bad = 0, untouched = 0;

    for (at = 0, n = 1; at <= n; at++) {
        ai_spool_t *spool;
        apr_status_t rv;
        found_t found;
        ai_uuid_t id;

        fresh_folder();
        spool_open(&spool, 0);
        put(spool, AI_SPOOL_NOTE, 0, BODY, NULL);
        put(spool, AI_SPOOL_NOTE, 1, BODY, NULL);
        ai_spool_close(spool, NOON);
        id = segment_at(0);
        calls = 0;
        fails_at = at;
        fail_with = EIO;
        rv = ai_spool_strip(pool, folder, &id, shall, NULL);
        n = at ? n : calls;
        fail_nothing();
        found = read_all(NULL, NULL);
        bad += found.frames != 2 || found.chained != 3 || found.closed != 1
               || (found.removed != 2 && (found.removed != 0 || rv == APR_SUCCESS));
        untouched += found.removed == 0;
    }
    is_number(bad, 0, "a segment that cannot be written again is as it was, or stripped");
    ok(untouched > 5, "%d faults of %d kept it as it was", untouched, n);
}

/* Each call of a reader fails: it says so, and goes on when asked again. */
static void test_reading(void)
{
    int at, n = 1, bad = 0, failed = 0;

    fresh_folder();
    {
        ai_spool_t *spool;
        unsigned i;

        spool_open(&spool, 0);
        for (i = 0; i < 5; i++) {
            put(spool, AI_SPOOL_NOTE, i, BODY, NULL);
        }
        ai_spool_close(spool, NOON);
    }
    for (at = 0; at <= n; at++) {
        ai_uuid_t id = segment_at(0);
        ai_spool_reader_t *reader;
        ai_spool_frame_t frame;
        ai_spool_found_e what;
        int frames = 0;

        calls = 0;
        fails_at = at;
        fail_with = EIO;
        if (ai_spool_reader_open(pool, folder, &id, NULL, &reader) != APR_SUCCESS) {
            failed++;
            continue;
        }
        while ((what = ai_spool_read(reader, &frame)) == AI_SPOOL_FRAME
               || what == AI_SPOOL_FAILED) {
            frames += what == AI_SPOOL_FRAME;
            failed += what == AI_SPOOL_FAILED;
            bad += what == AI_SPOOL_FAILED && ai_spool_reader_error(reader) != EIO;
        }
        n = at ? n : calls;
        bad += frames != 6 || what != AI_SPOOL_CLOSED;
        ai_spool_reader_close(reader);
    }
    is_number(bad, 0, "a reader that failed goes on where it was");
    is_number(failed, n, "and each failure was told");
}

/* A reader that comes while a record is written, and sees the next one when that is there. */
static void test_early_reader(void)
{
    ai_spool_reader_t *reader;
    ai_spool_frame_t frame;
    ai_spool_t *spool;
    struct stat is;
    ai_uuid_t id;

    fresh_folder();
    spool_open(&spool, 0);
    put(spool, AI_SPOOL_NOTE, 0, "12345678", NULL);
    id = segment_at(0);
    stat(path_of(&id), &is);
    put(spool, AI_SPOOL_NOTE, 1, "12345678", NULL);
    ai_spool_reader_open(pool, folder, &id, NULL, &reader);
    early_end = is.st_size;
    ok(ai_spool_read(reader, &frame) == AI_SPOOL_FRAME && n_of(&frame.id) == 0
           && frame.trust == AI_SPOOL_CHAINED,
       "a record that was looked at too early is looked at again");
    is_number(early_end, 0, "it was");
    ok(ai_spool_read(reader, &frame) == AI_SPOOL_FRAME && n_of(&frame.id) == 1,
       "and the next one follows");
    ai_spool_reader_close(reader);
    ai_spool_close(spool, NOON);
}

int main(void)
{
    if (!spool_begin("test_ai_spool_faults")) {
        return done();
    }
    use_disk();
    test_each_call();
    test_signals();
    test_checkpoint();
    test_strip();
    test_reading();
    test_early_reader();
    return spool_end();
}
