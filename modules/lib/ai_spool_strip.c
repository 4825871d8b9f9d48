/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_spool_strip.c - how is a body taken out of what must never change?
 *
 * The chain goes over the body's digest, and that stays. So a segment is written again without the
 * body, and takes the place of the old one when it is on the disk. Only a segment that is sound is
 * written again: what is written anew has good CRCs, and would hide that it had none.
 *
 * Lives in: the caller's pool.  Shared state: none.  May block: on the disk.
 */
#include <errno.h>
#include <fcntl.h>

#include "ai_crc32c.h"
#include "ai_spool_disk.h"
#include "ai_spool_segment.h"

typedef struct strip_t {
    int folder;
    int fd;
    apr_uint32_t seed;
    apr_off_t end;
    ai_spool_strip_fn *shall;
    void *baton;
} strip_t;

static apr_status_t write_record(strip_t *strip, const ai_spool_frame_t *frame)
{
    static const char zeros[8];
    ai_spool_fixed_t fixed = { .frame = *frame, .stored = frame->body.n };
    unsigned char bytes[AI_SPOOL_FIXED];
    ai_slice_t pieces[3];
    apr_size_t size;
    apr_status_t rv;

    if (fixed.stored && strip->shall(strip->baton, frame)) {
        fixed.stored = 0;
    }
    size = ai_spool_frame_size(fixed.stored);
    fixed.body_crc = ai_crc32c(strip->seed, frame->body.p, fixed.stored);
    ai_spool_fixed_write(&fixed, strip->seed, bytes);
    pieces[0] = (ai_slice_t){ (const char *)bytes, sizeof(bytes) };
    pieces[1] = (ai_slice_t){ frame->body.p, fixed.stored };
    pieces[2] = (ai_slice_t){ zeros, size - sizeof(bytes) - fixed.stored };
    rv = ai_spool_disk_write(strip->fd, pieces, 3, strip->end);
    strip->end += (apr_off_t)size;
    return rv;
}

static apr_status_t write_head(strip_t *strip, const ai_spool_reader_t *reader,
                               const ai_uuid_t *segment)
{
    unsigned char bytes[AI_SPOOL_HEAD], chain[AI_SPOOL_DIGEST];
    ai_slice_t all = { (const char *)bytes, sizeof(bytes) };

    if (!ai_spool_head_write(ai_spool_reader_head(reader), segment, bytes, chain)) {
        return APR_EGENERAL;
    }
    strip->end = AI_SPOOL_HEAD;
    return ai_spool_disk_write(strip->fd, &all, 1, 0);
}

/* All records, to the end. */
static apr_status_t copy(strip_t *strip, ai_spool_reader_t *reader)
{
    ai_spool_frame_t frame;
    apr_status_t rv;

    for (;;) {
        switch (ai_spool_read(reader, &frame)) {
        case AI_SPOOL_FRAME:
            rv = frame.trust == AI_SPOOL_CHAINED ? write_record(strip, &frame) : APR_INCOMPLETE;
            if (rv != APR_SUCCESS) {
                return rv;
            }
            break;
        case AI_SPOOL_CUT:
        case AI_SPOOL_CLOSED:
            return ai_spool_disk_sync(strip->fd);
        case AI_SPOOL_YET:
            return APR_EBUSY;
        case AI_SPOOL_FAILED:
            return ai_spool_reader_error(reader);
        default:
            return APR_INCOMPLETE;
        }
    }
}

static apr_status_t replace(strip_t *strip, ai_spool_reader_t *reader, const ai_uuid_t *segment)
{
    char name[AI_SPOOL_NAME], name_new[AI_SPOOL_NAME];
    apr_status_t rv;

    ai_spool_segment_name(segment, 0, name);
    ai_spool_segment_name(segment, 1, name_new);
    rv = ai_spool_disk_unlink(strip->folder, name_new);
    if (rv != APR_SUCCESS && rv != ENOENT) {
        return rv;
    }
    rv = ai_spool_disk_open(strip->folder, name_new, O_RDWR | O_CREAT | O_EXCL, &strip->fd);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = write_head(strip, reader, segment);
    if (rv == APR_SUCCESS) {
        rv = copy(strip, reader);
    }
    ai_spool_disk_close(strip->fd);
    if (rv == APR_SUCCESS) {
        rv = ai_spool_disk_rename(strip->folder, name_new, name);
    }
    if (rv != APR_SUCCESS) {
        ai_spool_disk_unlink(strip->folder, name_new);
        return rv;
    }
    return ai_spool_disk_sync_all(strip->folder);
}

apr_status_t ai_spool_strip(apr_pool_t *p, const char *folder, const ai_uuid_t *segment,
                            ai_spool_strip_fn *shall, void *baton)
{
    strip_t strip = { .seed = ai_spool_seed(segment), .shall = shall, .baton = baton };
    ai_spool_reader_t *reader;
    apr_status_t rv;

    rv = ai_spool_reader_open(p, folder, segment, NULL, &reader);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!ai_spool_reader_head(reader)->is_good) {
        rv = APR_INCOMPLETE;
    }
    else {
        rv = ai_spool_disk_folder(folder, &strip.folder);
    }
    if (rv == APR_SUCCESS) {
        rv = replace(&strip, reader, segment);
        ai_spool_disk_close(strip.folder);
    }
    ai_spool_reader_close(reader);
    return rv;
}
