/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_spool_faults.c - every call to the system fails in turn, in each way that it can, and the
 * power goes: nothing that was acknowledged is lost, nothing is half, and later it goes on.
 */
#include <sys/file.h>
#include <sys/uio.h>

#include <apr_thread_proc.h>

#include "ai_spool_disk.h"
#include "spool_frame.h"

/* ----------------------------------------------------------------- calls that fail on demand */

typedef enum way_e {
    WAY_ERROR, /* the error, and nothing was done */
    WAY_SHORT  /* half of it is done, and the next call gives the error */
} way_e;

static ai_spool_calls_t real;
static int calls;        /* so many were made since they were counted last */
static int fails_at;     /* this one fails; 0: none */
static int fails_on;     /* and all after it */
static int fail_with;    /* so */
static way_e way;
static int was_half;
static int no_room;      /* 1: the disk is full */

/* Whether this call is the one to fail. */
static int fails(void)
{
    calls++;
    if (fails_at && (calls == fails_at || (fails_on && calls > fails_at))) {
        errno = fail_with;
        return 1;
    }
    return 0;
}

static int t_open(int at, const char *name, int flags, mode_t mode)
{
    return fails() ? -1 : real.open_at(at, name, flags, mode);
}

static ssize_t t_write(int fd, const struct iovec *pieces, int n, off_t offset)
{
    if (was_half) {
        was_half = 0;
        errno = fail_with;
        return -1;
    }
    if (no_room && offset > 192) {
        errno = ENOSPC;
        return -1;
    }
    if (fails()) {
        struct iovec half = pieces[0];

        if (way == WAY_SHORT && half.iov_len > 1) {
            half.iov_len /= 2;
            was_half = 1;
            return real.write_at(fd, &half, 1, offset);
        }
        return -1;
    }
    return real.write_at(fd, pieces, n, offset);
}

static ssize_t t_read(int fd, void *bytes, size_t n, off_t offset)
{
    if (fails()) {
        return way == WAY_SHORT && n > 1 ? real.read_at(fd, bytes, n / 2, offset) : -1;
    }
    return real.read_at(fd, bytes, n, offset);
}

static int t_cut(int fd, off_t size)
{
    return fails() ? -1 : real.cut(fd, size);
}

static int t_reserve(int fd, off_t offset, off_t n)
{
    if (no_room) {
        errno = ENOSPC;
        return -1;
    }
    return fails() ? -1 : real.reserve(fd, offset, n);
}

static int t_lock(int fd, int how)
{
    return fails() ? -1 : real.lock(fd, how);
}

/* ---------------------------------------------- what the disk would hold when the power goes */

enum { FILES = 4096 };

static struct {
    dev_t device;
    ino_t inode;
    off_t size; /* bytes that a sync was good for */
    int is_named;
    int is_lost; /* a sync failed: the system may have dropped what was not on the disk */
} files[FILES];
static int n_files;

static int file_of(const struct stat *is)
{
    int i;

    for (i = 0; i < n_files; i++) {
        if (files[i].device == is->st_dev && files[i].inode == is->st_ino) {
            return i;
        }
    }
    files[n_files].device = is->st_dev;
    files[n_files].inode = is->st_ino;
    files[n_files].size = 0;
    files[n_files].is_lost = files[n_files].is_named = 0;
    return n_files++;
}

static int t_sync_data(int fd)
{
    struct stat is;
    int file;

    fstat(fd, &is);
    file = file_of(&is);
    if (fails()) {
        files[file].is_lost = 1;
        return -1;
    }
    /* As the system does it: once it has told of the loss, all is well again. */
    if (!files[file].is_lost) {
        files[file].size = is.st_size;
    }
    return 0;
}

/* All names that are there now, stay. */
static int t_sync_all(int fd)
{
    const struct dirent *entry;
    struct stat is;
    DIR *list;

    if (fails()) {
        return -1;
    }
    list = opendir(folder);
    while (list && (entry = readdir(list))) {
        apr_size_t n = strlen(entry->d_name);

        if (n > 6 && strcmp(entry->d_name + n - 6, ".spool") == 0
            && fstatat(fd, entry->d_name, &is, 0) == 0) {
            files[file_of(&is)].is_named = 1;
        }
    }
    closedir(list);
    return 0;
}

static int t_rename(int at, const char *from, const char *to)
{
    return fails() ? -1 : real.rename_at(at, from, to);
}

static int t_unlink(int at, const char *name)
{
    return fails() ? -1 : real.unlink_at(at, name);
}

static void fail_nothing(void)
{
    fails_at = fails_on = calls = was_half = no_room = 0;
    way = WAY_ERROR;
}

/* The power goes: each file is what its last good sync made it, those without a name are gone. */
static void power_goes(void)
{
    apr_array_header_t *list = segments();
    struct stat is;
    int i;

    for (i = 0; i < list->nelts; i++) {
        const char *path = path_of(&APR_ARRAY_IDX(list, i, ai_spool_segment_t).id);
        int file;

        if (stat(path, &is) != 0) {
            continue;
        }
        file = file_of(&is);
        if (!files[file].is_named || truncate(path, files[file].size) != 0) {
            unlink(path);
        }
    }
}

static void fresh_folder(void)
{
    fail_nothing();
    spool_empty();
    n_files = 0;
}

/* --------------------------------------------------------------------------- the scenario */

enum { RECORDS = 12 };

typedef struct run_t {
    int opened;
    apr_status_t taken[RECORDS]; /* what append said of each */
    apr_status_t kept[RECORDS];  /* what wait said of each that was taken */
    unsigned char seen[RECORDS]; /* how often it is in the spool */
    int strange;
} run_t;

#define BODY "{\"a body that is long enough to be cut in the middle\":true,\"and\":\"more\"}"

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
                                     .time = NOON + apr_time_from_sec(i), .body = &body, .pieces = 1 };

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
        printf("# %s, call %d of %d fails with %d%s%s: %d wrong, %d strange, %d damaged, %d altered, "
               "%d failed, %d live\n", when, fails_at, calls, fail_with, fails_on ? " for good" : "",
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
        printf("# call %d of %d, error %d, half %d, for good %d\n", at_call, made, error, how, for_good);
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
    is_number(put(spool, AI_SPOOL_NOTE, 1, BODY, &position), ENOSPC, "half a record goes in: it is told");
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
    is_number(put(spool, AI_SPOOL_NOTE, 3, BODY, &position), EIO, "half of one that cannot be cut off");
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
    is_number(ai_spool_append(spool, &begin, &position), APR_SUCCESS, "when there is room it goes on");
    ai_spool_release(spool, sizeof(text));
    ai_spool_look(spool, &state);
    is_number(state.promised, 0, "a promise is given back");
    ai_spool_close(spool, NOON);
    ai_spool_calls.write_at = t_write;
}

/* ------------------------------------------------------------------------- a sync that fails */

static void test_failed_sync(void)
{
    ai_spool_position_t first, second, third;
    ai_spool_state_t state;
    ai_spool_t *spool;
    run_t run;

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
    memset(&run, 0, sizeof(run));
    read_all(see, &run);
    ok(run.seen[0] == 1 && run.seen[1] == 0 && run.seen[2] == 1 && !run.strange,
       "the power goes: what was vouched for is there");
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
        while ((what = ai_spool_read(reader, &frame)) == AI_SPOOL_FRAME || what == AI_SPOOL_FAILED) {
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

int main(void)
{
    if (!spool_begin("test_ai_spool_faults")) {
        return done();
    }
    real = ai_spool_calls;
    ai_spool_calls = (ai_spool_calls_t){ t_open, t_write, t_read, t_sync_data, t_sync_all, t_cut,
                                         t_reserve, t_rename, t_unlink, t_lock, real.close };
    test_each_call();
    test_signals();
    test_short_write();
    test_promises();
    test_failed_sync();
    test_power();
    test_checkpoint();
    test_strip();
    test_reading();
    return spool_end();
}
