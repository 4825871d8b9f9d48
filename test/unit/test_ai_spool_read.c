/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_spool_read.c - cut at every byte, damaged in every byte, altered by who knows the format:
 * what does a reader find, and what does it tell?
 */
#include "ai_crc32c.h"
#include "ai_spool_frame.h"
#include "spool_frame.h"

enum { FRAMES = 12, MOST = FRAMES + 2 };

static ai_uuid_t id;
static const char *path;
static char *bytes;
static apr_size_t size;
static apr_size_t ends[MOST]; /* behind the head, and behind each record */
static int n_ends;

/* A segment of a writer that was killed, and where its records end. */
static void make_segment(void)
{
    static const char *const texts[] = { "", "{\"a\":1}", "{\"text\":\"some more\"}", "12345678" };
    ai_spool_place_t place;
    ai_spool_reader_t *reader;
    ai_spool_frame_t frame;
    ai_slice_t all;
    ai_spool_t *spool;
    unsigned i;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        spool_open(&spool, 0);
        for (i = 0; i < FRAMES; i++) {
            put(spool, AI_SPOOL_NOTE, i, texts[i % 4], NULL);
        }
        _exit(0);
    }
    waitpid(pid, &status, 0);
    id = segment_at(0);
    path = path_of(&id);
    all = slurp(path);
    bytes = (char *)all.p;
    size = all.n;
    ai_spool_reader_open(pool, folder, &id, NULL, &reader);
    ends[n_ends++] = AI_SPOOL_HEAD;
    while (ai_spool_read(reader, &frame) == AI_SPOOL_FRAME && n_ends < MOST) {
        ai_spool_reader_place(reader, &place);
        ends[n_ends++] = (apr_size_t)place.offset;
    }
    ai_spool_reader_close(reader);
    is_number(n_ends, FRAMES + 1, "a killed writer's records are all there");
    is_number((long long)size, (long long)ends[n_ends - 1], "and nothing else");
}

static found_t read_it(void)
{
    found_t found = { 0 };

    read_segment(&id, NULL, &found, NULL, NULL);
    return found;
}

/* How many records end at or before that byte. */
static int whole_before(apr_size_t n)
{
    int k = 0;

    while (k + 1 < n_ends && ends[k + 1] <= n) {
        k++;
    }
    return k;
}

static void test_cut(void)
{
    int wrong = 0;
    apr_size_t n;

    for (n = 0; n <= size; n++) {
        int k = whole_before(n);
        apr_off_t left = (apr_off_t)(n < AI_SPOOL_HEAD ? n : n - ends[k]);
        found_t found;

        spew(path, bytes, n);
        found = read_it();
        if (found.frames != k || found.chained != k || found.cut != 1 || found.damage
            || found.left != left) {
            wrong++;
            printf("# cut at %lu: %d records, %d cut, %d damaged\n", (unsigned long)n, found.frames,
                   found.cut, found.damage);
        }
    }
    is_number(wrong, 0, "cut at every byte: all before, none after, and what is left is told");
}

/* Zeros where the power took pages that the size says are there. */
static void test_holes(void)
{
    char *copy = apr_pmemdup(pool, bytes, size);
    int wrong = 0;
    apr_size_t n;

    for (n = AI_SPOOL_HEAD; n < size; n++) {
        found_t found;

        memcpy(copy, bytes, size);
        memset(copy + n, 0, size - n);
        spew(path, copy, size);
        found = read_it();
        /* Where the bytes that went were zeros nothing is missing. */
        if (found.frames < whole_before(n) || found.frames > whole_before(n) + 1 || found.cut != 1
            || found.damage || found.altered) {
            wrong++;
        }
    }
    is_number(wrong, 0, "zeros from every byte on: the same");
}

/* One bit at a time, in each byte. */
static void test_damage(void)
{
    char *copy = apr_pmemdup(pool, bytes, size);
    int silent = 0, lost = 0, false_trust = 0;
    apr_size_t n;

    for (n = 0; n < size; n++) {
        found_t found;
        int hit = whole_before(n);

        copy[n] ^= (char)(1 << n % 8);
        spew(path, copy, size);
        copy[n] ^= (char)(1 << n % 8);
        found = read_it();
        if (n < AI_SPOOL_HEAD) {
            silent += found.damage != 1;
            lost += found.frames != FRAMES;
            false_trust += found.unchained != 1 || found.altered;
            continue;
        }
        /* The last one has nothing behind it, so it counts as torn. */
        silent += hit < FRAMES - 1 ? found.damage != 1 : found.left == 0;
        lost += found.frames != FRAMES - 1;
        false_trust += found.altered > 0 || found.unchained > 1;
    }
    is_number(silent, 0, "no changed bit goes unnoticed");
    is_number(lost, 0, "and none costs more than its record");
    is_number(false_trust, 0, "what cannot be known is not said");
}

/* ------------------------------------------------------------- by somebody who knows the CRC */

static unsigned char *frame_at(char *copy, int i)
{
    return (unsigned char *)copy + ends[i];
}

static void reseal(unsigned char *frame)
{
    ai_spool_put(frame + 4, ai_crc32c(ai_spool_seed(&id), frame + 8, AI_SPOOL_FIXED - 8), 4);
}

static void altered(const char *copy, apr_size_t n, const char *what)
{
    found_t found;

    spew(path, copy, n);
    found = read_it();
    ok(found.altered > 0 && found.damage == 0, "%s: %d of %d are told to be altered", what,
       found.altered, found.frames);
}

static void test_altered(void)
{
    char *copy = apr_pmemdup(pool, bytes, size);
    unsigned char *frame = frame_at(copy, 5);
    apr_size_t length = ends[6] - ends[5];
    apr_uint32_t body = (apr_uint32_t)ai_spool_get(frame + 12, 4);

    frame[AI_SPOOL_FIXED + 2] ^= 1;
    ai_spool_put(frame + 8, ai_crc32c(ai_spool_seed(&id), frame + AI_SPOOL_FIXED, body), 4);
    reseal(frame);
    altered(copy, size, "another body with a good CRC");
    memcpy(copy, bytes, size);
    frame[32] ^= 1;
    reseal(frame);
    altered(copy, size, "another time");
    memcpy(copy, bytes, size);
    memmove(copy + ends[5], copy + ends[6], size - ends[6]);
    altered(copy, size - length, "a record taken out");
    memcpy(copy, bytes, size);
    memcpy(copy + ends[1], bytes + ends[5], ends[6] - ends[5]);
    memcpy(copy + ends[5], bytes + ends[1], ends[2] - ends[1]);
    altered(copy, size, "two of a length, one for the other");
}

/* A caller's body is made to look like a record; then what stands before it is damaged. */
static void test_planted(void)
{
    char body[2 * AI_SPOOL_FIXED + 8];
    ai_spool_fixed_t fixed = { .stored = 0 };
    ai_uuid_t other = id;
    ai_spool_t *spool;
    ai_slice_t all;
    found_t found;

    spool_empty();
    other.bytes[3] ^= 1;
    fixed.frame.type = AI_SPOOL_END;
    fixed.frame.sequence = 1;
    memset(body, 'x', sizeof(body));
    ai_spool_fixed_write(&fixed, ai_spool_seed(&other), (unsigned char *)body + 8);
    spool_open(&spool, 0);
    put(spool, AI_SPOOL_NOTE, 0, "first", NULL);
    {
        ai_slice_t piece = { body, sizeof(body) };
        ai_spool_record_t record = { .type = AI_SPOOL_NOTE, .body = &piece, .pieces = 1,
                                     .time = NOON };
        ai_spool_position_t position;

        ai_spool_append(spool, &record, &position);
    }
    put(spool, AI_SPOOL_NOTE, 2, "last", NULL);
    ai_spool_close(spool, NOON);
    id = segment_at(0);
    path = path_of(&id);
    all = slurp(path);
    ((char *)all.p)[AI_SPOOL_HEAD + 128 + 20] ^= 1;
    spew(path, all.p, all.n);
    found = read_it();
    ok(found.frames == 2 && found.damage == 1, "a body that looks like a record is none");
}

static void test_strangers(void)
{
    char *copy = apr_pmemdup(pool, bytes, size);
    ai_spool_reader_t *reader;
    ai_uuid_t other = id;

    other.bytes[15] ^= 1;
    is_number(ai_spool_reader_open(pool, folder, &other, NULL, &reader), ENOENT, "no such segment");
    spew(path_of(&other), copy, size);
    {
        found_t found = { 0 };

        read_segment(&other, NULL, &found, NULL, NULL);
        ok(found.frames == 0 && found.damage == 1 && found.left > 0,
           "a segment under another's name");
    }
    ai_spool_put((unsigned char *)copy + 8, 2, 4);
    ai_spool_put((unsigned char *)copy + AI_SPOOL_HEAD - 4,
                 ai_crc32c(0, copy, AI_SPOOL_HEAD - 4), 4);
    spew(path, copy, size);
    is_number(ai_spool_reader_open(pool, folder, &id, NULL, &reader), APR_EINVAL,
              "another version");
    unlink(path);
    ok(symlink(path_of(&other), path) == 0
           && ai_spool_reader_open(pool, folder, &id, NULL, &reader) != APR_SUCCESS, "a link");
}

int main(void)
{
    if (!spool_begin("test_ai_spool_read")) {
        return done();
    }
    make_segment();
    test_cut();
    test_holes();
    test_damage();
    test_altered();
    test_strangers();
    test_planted();
    return spool_end();
}
