/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_spool_read.c - what is in a segment, and is it what was written?
 *
 * No number of the file is believed before the CRC it stands under was looked at, and no memory is
 * taken for more than the file has. The reader asks for bytes by their place and never maps them: a
 * writer may cut half a record off, and a page that is gone would be a signal.
 *
 * Where no whole record stands, the question is what stands behind. Another one of this segment,
 * with a number that fits: then the bytes between are damage, are told of, and reading goes on, for
 * one bad sector must not hide an hour of records. Nothing: then it is the end, torn, or not yet
 * written by a writer who lives. A reader that saw the next one may have looked at this one too
 * early, so it looks again before it calls it damaged. Whether a writer lives is asked after all
 * was read, and if none does, all is read once more.
 *
 * Lives in: the reader's pool, the system's memory.  Shared state: none.  May block: on the disk.
 */
#include <errno.h>
#include <fcntl.h>

#include "ai_buffer.h"
#include "ai_crc32c.h"
#include "ai_spool_disk.h"
#include "ai_spool_segment.h"

/* So much is read at a time, at least. */
#define WINDOW ((apr_size_t)256 << 10)

struct ai_spool_reader_t {
    apr_pool_t *pool;
    int fd;
    apr_uint32_t seed;
    EVP_MD_CTX *ctx;
    ai_spool_head_t head;
    ai_spool_place_t place;
    int is_chained;         /* place.chain is known */
    int has_bad_head;       /* of which nobody was told yet */
    int is_gone;            /* no writer lives */
    int is_closed;          /* the closing record was read */
    ai_buffer_t window;     /* bytes of the file */
    apr_off_t window_at;
    apr_off_t skipped;
    apr_status_t error;
};

typedef enum look_e {
    LOOK_WHOLE,
    LOOK_BODY,  /* the fixed part is good, the body is not */
    LOOK_BAD,
    LOOK_SHORT, /* the file ends in it */
    LOOK_FAILED
} look_e;

static apr_status_t close_reader(void *baton)
{
    ai_spool_reader_t *reader = baton;

    ai_buffer_free(&reader->window);
    EVP_MD_CTX_free(reader->ctx);
    ai_spool_disk_close(reader->fd);
    return APR_SUCCESS;
}

void ai_spool_reader_close(ai_spool_reader_t *reader)
{
    apr_pool_cleanup_run(reader->pool, reader, close_reader);
}

/* --------------------------------------------------------------------------- bytes by place */

static int size_of(ai_spool_reader_t *reader, apr_off_t *size)
{
    struct stat is;

    if (fstat(reader->fd, &is) != 0) {
        reader->error = errno;
        return 0;
    }
    *size = is.st_size;
    return 1;
}

/*
 * *p: n bytes of the file from offset on, until the next call; NULL when it has not so many.
 * Returns 0 when it cannot be read.
 */
static int get(ai_spool_reader_t *reader, apr_off_t offset, apr_size_t n, const char **p)
{
    ai_buffer_t *window = &reader->window;
    apr_off_t size;

    *p = NULL;
    if (offset < reader->window_at
        || offset + (apr_off_t)n > reader->window_at + (apr_off_t)window->n) {
        if (!size_of(reader, &size)) {
            return 0;
        }
        if (offset + (apr_off_t)n > size) {
            return 1;
        }
        window->n = 0;
        reader->window_at = offset;
        reader->error = ai_buffer_reserve(window, n > WINDOW ? n : WINDOW);
        if (reader->error == APR_SUCCESS) {
            reader->error = ai_spool_disk_read(reader->fd, window->p, n > WINDOW ? n : WINDOW,
                                               offset, &window->n);
        }
        if (reader->error != APR_SUCCESS) {
            window->n = 0;
            return 0;
        }
        if (window->n < n) {
            return 1;
        }
    }
    *p = window->p + (offset - reader->window_at);
    return 1;
}

static void forget(ai_spool_reader_t *reader)
{
    reader->window.n = 0;
}

/* ---------------------------------------------------------------------------------- looking */

static int is_zero(const char *p, apr_size_t n)
{
    while (n && *p == 0) {
        p++;
        n--;
    }
    return n == 0;
}

/* What stands at offset. fixed is filled for LOOK_WHOLE and LOOK_BODY. */
static look_e look(ai_spool_reader_t *reader, apr_off_t offset, ai_spool_fixed_t *fixed)
{
    apr_size_t size;
    const char *p;

    if (!get(reader, offset, AI_SPOOL_FIXED, &p)) {
        return LOOK_FAILED;
    }
    if (!p) {
        return LOOK_SHORT;
    }
    if (!ai_spool_fixed_read((const unsigned char *)p, reader->seed, fixed)) {
        return LOOK_BAD;
    }
    size = ai_spool_frame_size(fixed->stored);
    if (!get(reader, offset, size, &p)) {
        return LOOK_FAILED;
    }
    if (!p) {
        return LOOK_SHORT;
    }
    p += AI_SPOOL_FIXED;
    if (ai_crc32c(reader->seed, p, fixed->stored) != fixed->body_crc
        || !is_zero(p + fixed->stored, size - AI_SPOOL_FIXED - fixed->stored)) {
        return LOOK_BODY;
    }
    if (fixed->stored) {
        fixed->frame.body = (ai_slice_t){ p, fixed->stored };
    }
    return LOOK_WHOLE;
}

/* Whether a record of that number can stand there: one for each shortest record in between. */
static int may_stand(const ai_spool_reader_t *reader, apr_off_t offset, apr_uint64_t sequence)
{
    return sequence >= reader->place.sequence
           && sequence - reader->place.sequence
                  <= (apr_uint64_t)(offset - reader->place.offset) / AI_SPOOL_FIXED;
}

/* *at: where the next record from there on begins; 0: nowhere. 0 when it cannot be read. */
static int find(ai_spool_reader_t *reader, apr_off_t from, apr_off_t *at)
{
    ai_spool_fixed_t fixed;
    const char *p;

    for (*at = from; get(reader, *at, AI_SPOOL_FIXED, &p); *at += 8) {
        if (!p) {
            *at = 0;
            return 1;
        }
        if (ai_spool_fixed_looks(p)
            && ai_spool_fixed_read((const unsigned char *)p, reader->seed, &fixed)
            && may_stand(reader, *at, fixed.frame.sequence)) {
            return 1;
        }
    }
    return 0;
}

/* ---------------------------------------------------------------------------------- judging */

static int follows(ai_spool_reader_t *reader, const ai_spool_frame_t *frame)
{
    unsigned char chain[AI_SPOOL_DIGEST];

    return frame->sequence == reader->place.sequence
           && ai_spool_chain_by(reader->ctx, reader->place.chain, frame, chain)
           && memcmp(chain, frame->chain, sizeof(chain)) == 0;
}

static ai_spool_trust_e judge(ai_spool_reader_t *reader, const ai_spool_frame_t *frame)
{
    unsigned char digest[AI_SPOOL_DIGEST];

    if (!frame->removed
        && (!ai_spool_digest(reader->ctx, &frame->body, 1, digest)
            || memcmp(digest, frame->digest, sizeof(digest)) != 0)) {
        return AI_SPOOL_ALTERED;
    }
    if (!reader->is_chained) {
        return AI_SPOOL_UNCHAINED;
    }
    return follows(reader, frame) ? AI_SPOOL_CHAINED : AI_SPOOL_ALTERED;
}

/* Goes behind a record whose fixed part is good. */
static void go_behind(ai_spool_reader_t *reader, const ai_spool_fixed_t *fixed)
{
    reader->place.offset += (apr_off_t)ai_spool_frame_size(fixed->stored);
    reader->place.sequence = fixed->frame.sequence + 1;
    memcpy(reader->place.chain, fixed->frame.chain, AI_SPOOL_DIGEST);
    reader->is_chained = 1;
}

static ai_spool_found_e take(ai_spool_reader_t *reader, ai_spool_fixed_t *fixed,
                             ai_spool_frame_t *frame)
{
    *frame = fixed->frame;
    frame->trust = judge(reader, frame);
    reader->is_closed = frame->type == AI_SPOOL_CLOSE;
    go_behind(reader, fixed);
    return AI_SPOOL_FRAME;
}

/* A body that is damaged: its record is known, and what follows it can be told. */
static ai_spool_found_e pass_body(ai_spool_reader_t *reader, const ai_spool_fixed_t *fixed,
                                  ai_spool_frame_t *frame)
{
    *frame = fixed->frame;
    frame->trust = !reader->is_chained ? AI_SPOOL_UNCHAINED
                   : follows(reader, frame) ? AI_SPOOL_CHAINED : AI_SPOOL_ALTERED;
    reader->skipped = (apr_off_t)ai_spool_frame_size(fixed->stored);
    go_behind(reader, fixed);
    return AI_SPOOL_DAMAGE;
}

static ai_spool_found_e pass(ai_spool_reader_t *reader, apr_off_t to)
{
    ai_spool_fixed_t fixed;
    look_e what = look(reader, to, &fixed);

    if (what == LOOK_FAILED) {
        return AI_SPOOL_FAILED;
    }
    reader->skipped = to - reader->place.offset;
    reader->place.offset = to;
    if (what != LOOK_BAD) {
        reader->place.sequence = fixed.frame.sequence;
    }
    reader->is_chained = 0;
    return AI_SPOOL_DAMAGE;
}

static ai_spool_found_e end(ai_spool_reader_t *reader)
{
    apr_off_t size;

    if (!size_of(reader, &size)) {
        return AI_SPOOL_FAILED;
    }
    reader->skipped = size > reader->place.offset ? size - reader->place.offset
                      : size < AI_SPOOL_HEAD ? size : 0;
    return reader->is_closed ? AI_SPOOL_CLOSED : AI_SPOOL_CUT;
}

/* ---------------------------------------------------------------------------------- reading */

/* What is to be told of the place where the reader is; AI_SPOOL_YET: no record. */
static ai_spool_found_e step(ai_spool_reader_t *reader, ai_spool_frame_t *frame)
{
    ai_spool_fixed_t fixed;
    apr_off_t at = reader->place.offset, next;
    look_e what = look(reader, at, &fixed);

    if (what == LOOK_BAD || what == LOOK_BODY) {
        next = at + (what == LOOK_BAD ? 8 : (apr_off_t)ai_spool_frame_size(fixed.stored));
        if (!find(reader, next, &next)) {
            return AI_SPOOL_FAILED;
        }
        if (next == 0) {
            return AI_SPOOL_YET;
        }
        forget(reader);
        what = look(reader, at, &fixed);
        if (what == LOOK_BAD) {
            return pass(reader, next);
        }
        if (what == LOOK_BODY) {
            return pass_body(reader, &fixed, frame);
        }
    }
    return what == LOOK_WHOLE ? take(reader, &fixed, frame)
           : what == LOOK_FAILED ? AI_SPOOL_FAILED : AI_SPOOL_YET;
}

ai_spool_found_e ai_spool_read(ai_spool_reader_t *reader, ai_spool_frame_t *frame)
{
    ai_spool_found_e found;
    int held = 0;

    memset(frame, 0, sizeof(*frame));
    if (reader->has_bad_head) {
        reader->has_bad_head = 0;
        reader->skipped = AI_SPOOL_HEAD;
        return AI_SPOOL_DAMAGE;
    }
    if (reader->is_closed) {
        return end(reader);
    }
    found = step(reader, frame);
    if (found != AI_SPOOL_YET) {
        return found;
    }
    forget(reader);
    if (reader->is_gone) {
        return end(reader);
    }
    reader->error = ai_spool_disk_held(reader->fd, &held);
    if (reader->error != APR_SUCCESS) {
        return AI_SPOOL_FAILED;
    }
    if (held) {
        return AI_SPOOL_YET;
    }
    reader->is_gone = 1;
    return ai_spool_read(reader, frame);
}

/* ---------------------------------------------------------------------------------- opening */

/* Of the head nothing is needed to read the records; only the chain begins with it. */
static apr_status_t read_head(ai_spool_reader_t *reader, const ai_uuid_t *segment,
                              const ai_spool_place_t *from)
{
    unsigned char bytes[AI_SPOOL_HEAD];
    apr_size_t n;
    int known;

    reader->error = ai_spool_disk_read(reader->fd, (char *)bytes, sizeof(bytes), 0, &n);
    if (reader->error != APR_SUCCESS) {
        return reader->error;
    }
    reader->place.offset = AI_SPOOL_HEAD;
    if (n == sizeof(bytes)) {
        known = ai_spool_head_read(bytes, segment, &reader->head, reader->place.chain);
        if (known < 0) {
            return APR_EINVAL;
        }
        reader->is_chained = known;
        reader->has_bad_head = !known && !from;
    }
    if (from) {
        reader->place = *from;
        reader->is_chained = 1;
    }
    return reader->place.offset >= AI_SPOOL_HEAD && reader->place.offset % 8 == 0
               && reader->place.offset <= (apr_off_t)1 << 60 ? APR_SUCCESS : APR_EINVAL;
}

apr_status_t ai_spool_reader_open(apr_pool_t *p, const char *folder, const ai_uuid_t *segment,
                                  const ai_spool_place_t *from, ai_spool_reader_t **out)
{
    ai_spool_reader_t *reader = apr_pcalloc(p, sizeof(*reader));
    char name[AI_SPOOL_NAME];
    apr_status_t rv;
    int folder_fd;

    rv = ai_spool_disk_folder(folder, &folder_fd);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    ai_spool_segment_name(segment, 0, name);
    rv = ai_spool_disk_open(folder_fd, name, O_RDONLY, &reader->fd);
    ai_spool_disk_close(folder_fd);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    reader->pool = p;
    reader->seed = ai_spool_seed(segment);
    reader->ctx = EVP_MD_CTX_new();
    apr_pool_cleanup_register(p, reader, close_reader, apr_pool_cleanup_null);
    rv = reader->ctx ? read_head(reader, segment, from) : APR_ENOMEM;
    if (rv != APR_SUCCESS) {
        ai_spool_reader_close(reader);
        return rv;
    }
    *out = reader;
    return APR_SUCCESS;
}

const ai_spool_head_t *ai_spool_reader_head(const ai_spool_reader_t *reader)
{
    return &reader->head;
}

void ai_spool_reader_place(const ai_spool_reader_t *reader, ai_spool_place_t *place)
{
    *place = reader->place;
}

apr_off_t ai_spool_reader_skipped(const ai_spool_reader_t *reader)
{
    return reader->skipped;
}

apr_status_t ai_spool_reader_error(const ai_spool_reader_t *reader)
{
    return reader->error;
}
