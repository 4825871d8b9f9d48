/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_spool.c - is what was appended read, in order, while it is written and after; do segments
 * roll over, promises hold, checkpoints and the folder keep what they should?
 */
#include "ai_spool_frame.h"
#include "spool_frame.h"

static const char *const bodies[] = { "{}", "", "{\"model\":\"gpt-4o\"}", "1234567", "12345678" };
enum { BODIES = 5 };

/* ---------------------------------------------------------------------- writing and reading */

static void count_in_order(void *baton, const ai_spool_frame_t *frame)
{
    unsigned *next = baton;
    const char *want = bodies[*next % BODIES];

    if (n_of(&frame->id) == *next && frame->time == NOON + *next && frame->type == AI_SPOOL_BEGIN
        && frame->length == strlen(want) && ai_slice_is(frame->body, want) && !frame->removed) {
        (*next)++;
    }
}

static void test_round(void)
{
    ai_spool_position_t position = 0;
    ai_spool_state_t state;
    ai_spool_t *spool;
    unsigned i, next = 0;
    int good = 1;
    found_t found;

    is_number(spool_open(&spool, 0), APR_SUCCESS, "a spool is opened");
    for (i = 0; i < 100; i++) {
        good &= put(spool, AI_SPOOL_BEGIN, i, bodies[i % BODIES], &position) == APR_SUCCESS
                && position == i + 1;
    }
    ok(good, "100 records are taken, and numbered");
    found = read_all(count_in_order, &next);
    ok(next == 100 && found.frames == 100 && found.chained == 100 && found.live == 1,
       "all can be read, in order, while their writer lives");
    is_number(ai_spool_wait(spool, 50), APR_SUCCESS, "one is waited for");
    ai_spool_look(spool, &state);
    ok(state.written == 100 && state.settled == 100 && state.lost == 0 && state.segments == 1,
       "which settles all");
    ok(state.keeps_promises, "this file system reserves room");
    is_number(ai_spool_wait(spool, 101), APR_EINVAL, "a position to come is none");
    is_number(ai_spool_wait(spool, 0), APR_EINVAL, "nor is 0");
    is_number(ai_spool_close(spool, NOON), APR_SUCCESS, "it is closed");
    next = 0;
    found = read_all(count_in_order, &next);
    ok(next == 100 && found.frames == 100 && found.chained == 101 && found.closed == 1
           && found.left == 0, "and read again, with a closing record");
    spool_empty();
}

static void test_head(void)
{
    const ai_spool_head_t *head;
    ai_spool_reader_t *reader;
    ai_spool_t *spool;
    struct stat is;
    ai_uuid_t id;

    spool_open(&spool, 0);
    id = segment_at(0);
    ai_spool_reader_open(pool, folder, &id, NULL, &reader);
    head = ai_spool_reader_head(reader);
    ok(head->is_good && head->created == NOON && head->pid == (apr_uint32_t)getpid()
           && strcmp(head->node, "gw1.example.org") == 0, "a head says who and when");
    ok(stat(path_of(&id), &is) == 0 && (is.st_mode & 0777) == 0600, "others cannot read the file");
    ai_spool_reader_close(reader);
    ai_spool_close(spool, NOON);
    spool_empty();
}

/* A reader that goes along with the writer. */
static void test_following(void)
{
    ai_spool_reader_t *reader, *second;
    ai_spool_frame_t frame;
    ai_spool_place_t place;
    ai_spool_t *spool;
    ai_uuid_t id;
    unsigned i;
    int good = 1;

    spool_open(&spool, 0);
    id = segment_at(0);
    ai_spool_reader_open(pool, folder, &id, NULL, &reader);
    ok(ai_spool_read(reader, &frame) == AI_SPOOL_YET, "nothing yet");
    for (i = 0; i < 20; i++) {
        put(spool, AI_SPOOL_NOTE, i, "body", NULL);
        good &= ai_spool_read(reader, &frame) == AI_SPOOL_FRAME && n_of(&frame.id) == i
                && frame.sequence == i && frame.trust == AI_SPOOL_CHAINED;
        good &= ai_spool_read(reader, &frame) == AI_SPOOL_YET;
    }
    ok(good, "each record is there as soon as it was taken");
    ai_spool_reader_place(reader, &place);
    put(spool, AI_SPOOL_NOTE, 20, "body", NULL);
    ai_spool_reader_open(pool, folder, &id, &place, &second);
    ok(ai_spool_read(second, &frame) == AI_SPOOL_FRAME && n_of(&frame.id) == 20
           && frame.trust == AI_SPOOL_CHAINED, "another reader goes on from its place, chained");
    ai_spool_reader_close(second);
    place.chain[0] ^= 1;
    ai_spool_reader_open(pool, folder, &id, &place, &second);
    ok(ai_spool_read(second, &frame) == AI_SPOOL_FRAME && frame.trust == AI_SPOOL_ALTERED,
       "a place with another chain value is found out");
    ai_spool_reader_close(second);
    place.offset += 4;
    is_number(ai_spool_reader_open(pool, folder, &id, &place, &second), APR_EINVAL,
              "no such place");
    ai_spool_close(spool, NOON);
    ok(ai_spool_read(reader, &frame) == AI_SPOOL_FRAME
           && ai_spool_read(reader, &frame) == AI_SPOOL_FRAME && frame.type == AI_SPOOL_CLOSE
           && ai_spool_read(reader, &frame) == AI_SPOOL_CLOSED
           && ai_spool_read(reader, &frame) == AI_SPOOL_CLOSED, "and sees the end");
    ai_spool_reader_close(reader);
    spool_empty();
}

static void test_limits(void)
{
    apr_size_t big = AI_SPOOL_BODY;
    char *bytes = apr_palloc(pool, big + 1);
    ai_slice_t body = { bytes, big }, many[100];
    ai_spool_record_t record = { .type = AI_SPOOL_END, .body = &body, .pieces = 1, .time = NOON };
    ai_spool_position_t position;
    ai_spool_t *spool;
    found_t found;
    int i;

    memset(bytes, 'x', big + 1);
    spool_open(&spool, 0);
    is_number(ai_spool_append(spool, &record, &position), APR_SUCCESS, "the longest body is taken");
    body.n = big + 1;
    is_number(ai_spool_append(spool, &record, &position), APR_EINVAL, "one byte more is not");
    for (i = 0; i < 100; i++) {
        many[i] = (ai_slice_t){ bytes, big / 50 };
    }
    record.body = many;
    record.pieces = 100;
    is_number(ai_spool_append(spool, &record, &position), APR_EINVAL, "nor are too many pieces");
    for (i = 0; i < 100; i++) {
        many[i].n = (apr_size_t)(i % 3);
    }
    is_number(ai_spool_append(spool, &record, &position), APR_SUCCESS, "a hundred short ones are");
    record.type = AI_SPOOL_CLOSE;
    is_number(ai_spool_append(spool, &record, &position), APR_EINVAL, "only the spool closes");
    record.type = 0x10000;
    is_number(ai_spool_append(spool, &record, &position), APR_EINVAL, "no such type");
    record.type = 0xffff;
    is_number(ai_spool_append(spool, &record, &position), APR_SUCCESS, "another's type is taken");
    ai_spool_close(spool, NOON);
    found = read_all(NULL, NULL);
    ok(found.frames == 3 && found.altered == 0 && found.damage == 0 && found.left == 0,
       "of what was refused there is no trace");
    spool_empty();
}

static void test_rolling(void)
{
    ai_spool_conf_t conf = { .folder = folder, .node = "", .size = 4096,
                             .age = apr_time_from_sec(60) };
    ai_spool_record_t record = { .type = AI_SPOOL_NOTE, .time = NOON };
    const ai_spool_head_t *head;
    ai_spool_position_t position;
    ai_spool_reader_t *reader;
    apr_array_header_t *list;
    ai_spool_t *spool;
    ai_uuid_t first;
    found_t found;
    unsigned i;
    int n;

    ai_spool_open(pool, &conf, NOON, &spool);
    for (i = 0; i < 100; i++) {
        put(spool, AI_SPOOL_NOTE, i, "{\"one hundred records of about\":\"170 bytes each\"}", NULL);
    }
    list = segments();
    n = list->nelts;
    ok(n >= 4 && n <= 6, "a size rolls over: %d segments", n);
    for (i = 0; i + 1 < (unsigned)n; i++) {
        if (APR_ARRAY_IDX(list, (int)i, ai_spool_segment_t).size > 4096 + AI_SPOOL_FIXED) {
            n = -1;
        }
    }
    ok(n > 0, "none is longer than it may be");
    first = segment_at(0);
    list = segments();
    ai_spool_reader_open(pool, folder, &APR_ARRAY_IDX(list, 1, ai_spool_segment_t).id, NULL,
                         &reader);
    head = ai_spool_reader_head(reader);
    ok(memcmp(head->before.bytes, first.bytes, 16) == 0, "the second names the first");
    ai_spool_reader_close(reader);
    record.time = NOON + apr_time_from_sec(59);
    ai_spool_append(spool, &record, &position);
    is_number(segments()->nelts, n, "a young one stays");
    record.time = NOON + apr_time_from_sec(61);
    ai_spool_append(spool, &record, &position);
    is_number(segments()->nelts, n + 1, "an old one rolls over");
    is_number(ai_spool_sync(spool), APR_SUCCESS, "all are synced");
    ok(ai_spool_wait(spool, 1) == APR_SUCCESS && ai_spool_wait(spool, 102) == APR_SUCCESS,
       "the first is durable, and the last");
    found = read_all(NULL, NULL);
    ok(found.frames == 102 && found.closed == n && found.live == 1 && found.chained == 102 + n,
       "nothing is lost between two");
    ai_spool_close(spool, NOON);
    spool_empty();
}

/* ---------------------------------------------------------------------------------- folder */

static void test_folder(void)
{
    ai_spool_place_t start = { .offset = 192 };
    ai_spool_reader_t *reader;
    ai_spool_frame_t frame;
    ai_spool_place_t place;
    ai_spool_t *spool;
    ai_uuid_t id;

    spool_open(&spool, 0);
    put(spool, AI_SPOOL_NOTE, 1, "a", NULL);
    id = segment_at(0);
    spew(apr_pstrcat(pool, folder, "/other", NULL), "x", 1);
    spew(apr_pstrcat(pool, folder, "/017F22E2-79B0-7CC3-98C4-DC0C0C07398F.spool", NULL), "x", 1);
    spew(apr_pstrcat(pool, folder, "/017f22e2-79b0-7cc3-98c4-dc0c0c07398f.spool.new", NULL), "x",
         1);
    is_number(segments()->nelts, 1, "other files are no segments");
    ai_spool_reader_open(pool, folder, &id, NULL, &reader);
    ai_spool_read(reader, &frame);
    ai_spool_reader_place(reader, &place);
    is_number(ai_spool_remove(pool, folder, &id, &place), APR_EBUSY,
              "a segment whose writer lives is not removed");
    ai_spool_close(spool, NOON);
    is_number(ai_spool_remove(pool, folder, &id, &place), APR_INCOMPLETE,
              "nor is one of which a record is not shipped, were it only the closing one");
    ok(segments()->nelts == 1, "it is still there");
    ai_spool_read(reader, &frame);
    ai_spool_reader_place(reader, &place);
    ok(ai_spool_remove(pool, folder, &id, &start) == APR_INCOMPLETE, "nor from its start");
    is_number(ai_spool_remove(pool, folder, &id, &place), APR_SUCCESS, "one that was shipped is");
    is_number(segments()->nelts, 0, "it is gone");
    ai_spool_reader_close(reader);
    is_number(ai_spool_sweep(folder, NOON), APR_SUCCESS, "what was never named is swept away");
    is_number(spool_empty(), 2, "and only that");
}

static void test_refusals(void)
{
    ai_spool_conf_t conf = { .folder = folder, .node = "x" };
    char name[AI_SPOOL_NODE + 2];
    ai_spool_t *spool;

    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    conf.node = name;
    is_number(ai_spool_open(pool, &conf, NOON, &spool), APR_EINVAL, "a name that is too long");
    conf.node = "x";
    conf.size = 100;
    is_number(ai_spool_open(pool, &conf, NOON, &spool), APR_EINVAL, "a size that is too small");
    conf.size = 0;
    conf.folder = apr_pstrcat(pool, folder, "/none", NULL);
    is_number(ai_spool_open(pool, &conf, NOON, &spool), ENOENT, "no folder");
    conf.folder = folder;
    chmod(folder, 0770);
    is_number(ai_spool_open(pool, &conf, NOON, &spool), APR_EINVAL, "others may write in it");
    chmod(folder, 0700);
    is_number(spool_empty(), 0, "nothing is left behind");
}

/* A folder that is shared with its group, whose members ship. */
static void test_group(void)
{
    apr_array_header_t *marks = apr_array_make(pool, 1, sizeof(ai_spool_mark_t)), *segments;
    mode_t before = umask(077);
    ai_spool_t *spool;
    struct stat is;
    ai_uuid_t id;
    char text[AI_UUID_TEXT + 1];

    chmod(folder, 02772);
    ok(spool_open(&spool, 0) == APR_EINVAL, "all may write in it: it is refused");
    chmod(folder, 02770);
    is_number(spool_open(&spool, 0), APR_SUCCESS, "its group may, whose the files are, too: it is not");
    ai_spool_list(pool, folder, &segments);
    id = APR_ARRAY_IDX(segments, 0, ai_spool_segment_t).id;
    ai_uuid_text(&id, text);
    ok(stat(apr_pstrcat(pool, folder, "/", text, ".spool", NULL), &is) == 0
           && (is.st_mode & 07777) == 0640, "the group may read a segment, whatever the umask is");
    ok(ai_spool_checkpoint_write(pool, folder, marks) == APR_SUCCESS
           && stat(apr_pstrcat(pool, folder, "/checkpoint", NULL), &is) == 0
           && (is.st_mode & 07777) == 0640, "and the checkpoint");
    ai_spool_close(spool, NOON);
    chmod(folder, 0700);
    umask(before);
    spool_empty();
    is_number(spool_open(&spool, 0), APR_SUCCESS, "a folder of our own");
    ai_spool_list(pool, folder, &segments);
    id = APR_ARRAY_IDX(segments, 0, ai_spool_segment_t).id;
    ai_uuid_text(&id, text);
    ok(stat(apr_pstrcat(pool, folder, "/", text, ".spool", NULL), &is) == 0
           && (is.st_mode & 07777) == 0600, "has segments for nobody else");
    ai_spool_close(spool, NOON);
    spool_empty();
}

/* ------------------------------------------------------------------------------- checkpoint */

static void test_checkpoint(void)
{
    const char *path = apr_pstrcat(pool, folder, "/checkpoint", NULL), *wrong;
    apr_array_header_t *marks, *again;
    ai_spool_mark_t *mark;
    ai_slice_t good;
    char *bytes;
    apr_size_t i;
    int survived = 0;

    ok(ai_spool_checkpoint_read(pool, folder, &marks, &wrong) == APR_SUCCESS && marks->nelts == 0
           && !wrong, "none is none, and nothing is wrong");
    for (i = 0; i < 3; i++) {
        mark = apr_array_push(marks);
        memset(mark, (int)i + 1, sizeof(*mark));
        mark->place.offset = (apr_off_t)(192 + 8 * i);
    }
    is_number(ai_spool_checkpoint_write(pool, folder, marks), APR_SUCCESS, "it is written");
    ok(ai_spool_checkpoint_read(pool, folder, &again, &wrong) == APR_SUCCESS && !wrong
           && again->nelts == 3 && memcmp(again->elts, marks->elts, sizeof(*mark) * 3) == 0,
       "and read as it was written");
    good = slurp(path);
    bytes = apr_pmemdup(pool, good.p, good.n);
    for (i = 0; i < good.n; i++) {
        spew(path, bytes, i);
        survived += ai_spool_checkpoint_read(pool, folder, &again, &wrong) != APR_SUCCESS || !wrong
                    || again->nelts != 0;
        bytes[i] ^= 0x10;
        spew(path, bytes, good.n);
        bytes[i] ^= 0x10;
        survived += ai_spool_checkpoint_read(pool, folder, &again, &wrong) != APR_SUCCESS || !wrong
                    || again->nelts != 0;
    }
    is_number(survived, 0, "cut anywhere, or one bit changed: it counts as none, and that is told");
    is_number(ai_spool_checkpoint_write(pool, folder, marks), APR_SUCCESS, "it is replaced");
    ok(ai_spool_checkpoint_read(pool, folder, &again, &wrong) == APR_SUCCESS && again->nelts == 3,
       "and good again");
    is_number(spool_empty(), 1, "nothing lies beside it");
}

/* -------------------------------------------------------------------------------- stripping */

static int shall_strip(void *baton, const ai_spool_frame_t *frame)
{
    (void)baton;
    return n_of(&frame->id) % 2 == 0;
}

static void test_strip(void)
{
    ai_spool_t *spool;
    ai_slice_t before, after;
    ai_uuid_t id;
    found_t found;
    unsigned i;
    int n;

    spool_open(&spool, 0);
    for (i = 0; i < 10; i++) {
        put(spool, AI_SPOOL_NOTE, i, "a secret that has to go", NULL);
    }
    id = segment_at(0);
    is_number(ai_spool_strip(pool, folder, &id, shall_strip, NULL), APR_EBUSY,
              "nothing is taken out while the writer lives");
    ai_spool_close(spool, NOON);
    before = slurp(path_of(&id));
    is_number(ai_spool_strip(pool, folder, &id, shall_strip, NULL), APR_SUCCESS, "five bodies go");
    found = read_all(NULL, NULL);
    ok(found.frames == 10 && found.chained == 11 && found.removed == 5 && found.closed == 1,
       "the chain holds without them");
    after = slurp(path_of(&id));
    for (n = 0, i = 0; i + 6 <= after.n; i++) {
        n += memcmp(after.p + i, "secret", 6) == 0;
    }
    ok(n == 5 && after.n == before.n - 5 * 24, "and they are not in the file");
    ((char *)after.p)[after.n / 2] ^= 1;
    spew(path_of(&id), after.p, after.n);
    is_number(ai_spool_strip(pool, folder, &id, shall_strip, NULL), APR_INCOMPLETE,
              "a damaged segment is not written again");
    ok(slurp(path_of(&id)).n == after.n && spool_empty() == 1, "it is as it was");
}

int main(void)
{
    if (!spool_begin("test_ai_spool")) {
        return done();
    }
    test_round();
    test_head();
    test_following();
    test_limits();
    test_rolling();
    test_folder();
    test_refusals();
    test_group();
    test_checkpoint();
    test_strip();
    return spool_end();
}
