/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_spool.c - do any bytes stay a segment and a checkpoint without harm, does reading end, and
 * is what a reader trusts what the chain says?
 *
 * The bytes are read three times: as a checkpoint, as a segment, and as a segment whose CRCs are
 * made good first, so that what stands behind them is reached.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "ai_crc32c.h"
#include "ai_spool_frame.h"
#include "fuzz.h"

static apr_pool_t *root;
static const char *folder, *checkpoint;
static char segment_path[256];
static const ai_uuid_t segment = { { 1, 0x7f, 0x22, 0xe2, 0x79, 0xb0, 0x7c, 0xc3, 0x98, 0xc4 } };

static void clean_up(void)
{
    unlink(checkpoint);
    unlink(segment_path);
    rmdir(folder);
}

static void begin(void)
{
    char text[AI_UUID_TEXT + 1];
    const char *temporary;

    apr_initialize();
    apr_pool_create(&root, NULL);
    must(apr_temp_dir_get(&temporary, root) == APR_SUCCESS);
    folder = mkdtemp(apr_pstrcat(root, temporary, "/fuzz_spool.XXXXXX", NULL));
    must(folder);
    checkpoint = apr_pstrcat(root, folder, "/checkpoint", NULL);
    ai_uuid_text(&segment, text);
    apr_snprintf(segment_path, sizeof(segment_path), "%s/%s.spool", folder, text);
    atexit(clean_up);
}

static void spew(const char *path, const void *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    must(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    close(fd);
}

static void check_checkpoint(apr_pool_t *p, const uint8_t *bytes, size_t n)
{
    apr_array_header_t *marks, *again;
    const char *wrong;

    spew(checkpoint, bytes, n);
    must(ai_spool_checkpoint_read(p, folder, &marks, &wrong) == APR_SUCCESS);
    must(!wrong || marks->nelts == 0);
    if (!wrong) {
        must(ai_spool_checkpoint_write(p, folder, marks) == APR_SUCCESS);
        must(ai_spool_checkpoint_read(p, folder, &again, &wrong) == APR_SUCCESS && !wrong);
        must(again->nelts == marks->nelts);
    }
}

/* One that is told to be chained follows the one before by the definition. */
static void check_frame(const ai_spool_frame_t *frame, const ai_spool_place_t *before)
{
    unsigned char chain[AI_SPOOL_DIGEST];

    must(frame->length <= AI_SPOOL_BODY && frame->body.n <= frame->length);
    must(frame->removed == (frame->body.n == 0 && frame->length > 0));
    if (frame->trust == AI_SPOOL_CHAINED) {
        must(ai_spool_chain(before->chain, frame, chain));
        must(memcmp(chain, frame->chain, sizeof(chain)) == 0);
        must(frame->sequence == before->sequence);
    }
}

/* A reader that begins at a place goes on as the one that was there. */
static void check_resume(apr_pool_t *p, const ai_spool_place_t *place, ai_spool_found_e want,
                         const ai_spool_frame_t *frame)
{
    ai_spool_reader_t *reader;
    ai_spool_frame_t again;

    must(ai_spool_reader_open(p, folder, &segment, place, &reader) == APR_SUCCESS);
    must(ai_spool_read(reader, &again) == want);
    must(want != AI_SPOOL_FRAME
         || (again.sequence == frame->sequence && again.body.n == frame->body.n));
    ai_spool_reader_close(reader);
}

static void check_segment(apr_pool_t *p, const uint8_t *bytes, size_t n)
{
    ai_spool_found_e what = AI_SPOOL_DAMAGE;
    ai_spool_place_t before, place;
    ai_spool_reader_t *reader;
    ai_spool_frame_t frame;

    spew(segment_path, bytes, n);
    if (ai_spool_reader_open(p, folder, &segment, NULL, &reader) != APR_SUCCESS) {
        return;
    }
    ai_spool_reader_place(reader, &place);
    while (what == AI_SPOOL_FRAME || what == AI_SPOOL_DAMAGE) {
        apr_off_t skipped;

        before = place;
        what = ai_spool_read(reader, &frame);
        skipped = ai_spool_reader_skipped(reader);
        ai_spool_reader_place(reader, &place);
        must(what != AI_SPOOL_FAILED && what != AI_SPOOL_YET);
        must(place.offset >= before.offset && place.offset <= (apr_off_t)(n > 192 ? n : 192));
        if (what == AI_SPOOL_FRAME) {
            must(place.offset > before.offset);
            check_frame(&frame, &before);
            check_resume(p, &before, what, &frame);
        }
        else {
            must(skipped >= 0 && skipped <= (apr_off_t)n);
        }
    }
    must(ai_spool_read(reader, &frame) == what);
    ai_spool_reader_close(reader);
}

/* Gives every record that can be followed from the first on the CRCs that its bytes should have. */
static void seal(uint8_t *bytes, size_t n)
{
    apr_uint32_t seed = ai_spool_seed(&segment);
    size_t at = AI_SPOOL_HEAD;

    if (n >= at) {
        memcpy(bytes + 16, segment.bytes, sizeof(segment.bytes));
        ai_spool_put(bytes + at - 4, ai_crc32c(0, bytes, at - 4), 4);
    }
    while (n > at && n - at >= AI_SPOOL_FIXED) {
        size_t stored = (size_t)ai_spool_get(bytes + at + 12, 4);

        if (stored <= n - at - AI_SPOOL_FIXED) {
            ai_spool_put(bytes + at + 8, ai_crc32c(seed, bytes + at + AI_SPOOL_FIXED, stored), 4);
        }
        ai_spool_put(bytes + at + 4, ai_crc32c(seed, bytes + at + 8, AI_SPOOL_FIXED - 8), 4);
        at += stored <= n - at - AI_SPOOL_FIXED ? ai_spool_frame_size(stored) : AI_SPOOL_FIXED;
        if (at > n) {
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    apr_pool_t *pool;
    uint8_t *copy;

    if (!root) {
        begin();
    }
    apr_pool_create(&pool, root);
    check_checkpoint(pool, bytes, n);
    check_segment(pool, bytes, n);
    copy = apr_palloc(pool, n + 1);
    memcpy(copy, n ? bytes : (const uint8_t *)"", n);
    seal(copy, n);
    check_segment(pool, copy, n);
    apr_pool_destroy(pool);
    return 0;
}
