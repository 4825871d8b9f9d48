/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_spool_segment.c - how does one file grow, record by record, and never have half of one?
 *
 * Records are written where the last whole one ended, not where the file ends. Half a record that
 * a full disk left behind is cut off; if that fails as well the next record goes over it, and till
 * then a reader sees something torn at the end, which it knows how to take.
 *
 * Lives in: the system's memory.  Shared state: none.  May block: on the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "ai_crc32c.h"
#include "ai_spool_disk.h"
#include "ai_spool_segment.h"

#define SUFFIX ".spool"
#define SUFFIX_NEW ".spool.new"

void ai_spool_segment_name(const ai_uuid_t *id, int is_new, char *name)
{
    ai_uuid_text(id, name);
    memcpy(name + AI_UUID_TEXT, is_new ? SUFFIX_NEW : SUFFIX,
           is_new ? sizeof(SUFFIX_NEW) : sizeof(SUFFIX));
}

int ai_spool_segment_named(const char *name, int is_new, ai_uuid_t *id)
{
    ai_slice_t text = { name, AI_UUID_TEXT };
    char again[AI_SPOOL_NAME];

    if (strlen(name) <= AI_UUID_TEXT || !ai_uuid_read(text, id)) {
        return 0;
    }
    /* One file for a segment, not a second one in capital letters. */
    ai_spool_segment_name(id, is_new, again);
    return strcmp(name, again) == 0;
}

static apr_status_t fill(ai_spool_out_t *segment, const ai_spool_head_t *head, apr_off_t room)
{
    unsigned char bytes[AI_SPOOL_HEAD];
    ai_slice_t all = { (const char *)bytes, sizeof(bytes) };
    apr_status_t rv = ai_spool_disk_lock(segment->fd);

    if (rv == APR_SUCCESS) {
        rv = ai_spool_segment_reserve(segment, AI_SPOOL_HEAD + room, 0);
    }
    if (rv != APR_SUCCESS && rv != APR_ENOTIMPL) {
        return rv;
    }
    if (!ai_spool_head_write(head, &segment->id, bytes, segment->chain)) {
        return APR_EGENERAL;
    }
    segment->end = AI_SPOOL_HEAD;
    return ai_spool_disk_write(segment->fd, &all, 1, 0);
}

apr_status_t ai_spool_segment_begin(int folder, const ai_uuid_t *id, const ai_spool_head_t *head,
                                    apr_off_t room, ai_spool_out_t **out)
{
    char name[AI_SPOOL_NAME], name_new[AI_SPOOL_NAME];
    ai_spool_out_t *segment = calloc(1, sizeof(*segment));
    apr_status_t rv;

    if (!segment) {
        return APR_ENOMEM;
    }
    segment->id = *id;
    segment->created = head->created;
    segment->seed = ai_spool_seed(id);
    ai_spool_segment_name(id, 0, name);
    ai_spool_segment_name(id, 1, name_new);
    rv = ai_spool_disk_open(folder, name_new, O_RDWR | O_CREAT | O_EXCL, &segment->fd);
    if (rv != APR_SUCCESS) {
        free(segment);
        return rv;
    }
    rv = fill(segment, head, room);
    /* Under its name it is locked from the first moment: who finds it free knows: it is over. */
    if (rv == APR_SUCCESS) {
        rv = ai_spool_disk_rename(folder, name_new, name);
    }
    if (rv != APR_SUCCESS) {
        ai_spool_disk_unlink(folder, name_new);
        ai_spool_segment_free(segment);
        return rv;
    }
    *out = segment;
    return APR_SUCCESS;
}

apr_status_t ai_spool_segment_reserve(ai_spool_out_t *segment, apr_off_t upto, apr_size_t ahead)
{
    apr_off_t from = segment->reserved, most = upto + (apr_off_t)ahead;
    apr_status_t rv;

    if (upto <= from) {
        return APR_SUCCESS;
    }
    rv = ai_spool_disk_reserve(segment->fd, from, most - from);
    if (rv != APR_SUCCESS && rv != APR_ENOTIMPL && most > upto) {
        most = upto;
        rv = ai_spool_disk_reserve(segment->fd, from, most - from);
    }
    if (rv == APR_SUCCESS) {
        segment->reserved = most;
    }
    return rv;
}

/* The room that was reserved goes with the cut. */
static void cut_back(ai_spool_out_t *segment)
{
    apr_off_t reserved = segment->reserved;

    if (ai_spool_disk_cut(segment->fd, segment->end) == APR_SUCCESS && reserved > segment->end) {
        segment->reserved = segment->end;
        ai_spool_segment_reserve(segment, reserved, 0);
    }
}

apr_status_t ai_spool_segment_append(ai_spool_out_t *segment, EVP_MD_CTX *ctx,
                                     ai_spool_fixed_t *fixed,
                                     ai_slice_t *pieces, int n)
{
    static const char zeros[8];
    unsigned char bytes[AI_SPOOL_FIXED];
    apr_size_t size = ai_spool_frame_size(fixed->stored);
    apr_status_t rv;

    fixed->frame.sequence = segment->sequence;
    if (!ai_spool_chain_by(ctx, segment->chain, &fixed->frame, fixed->frame.chain)) {
        return APR_EGENERAL;
    }
    ai_spool_fixed_write(fixed, segment->seed, bytes);
    pieces[0] = (ai_slice_t){ (const char *)bytes, sizeof(bytes) };
    pieces[n - 1] = (ai_slice_t){ zeros, size - AI_SPOOL_FIXED - fixed->stored };
    rv = ai_spool_disk_write(segment->fd, pieces, n, segment->end);
    if (rv != APR_SUCCESS) {
        cut_back(segment);
        return rv;
    }
    segment->end += (apr_off_t)size;
    segment->sequence++;
    memcpy(segment->chain, fixed->frame.chain, AI_SPOOL_DIGEST);
    return APR_SUCCESS;
}

void ai_spool_segment_end(ai_spool_out_t *segment, EVP_MD_CTX *ctx,
                          apr_time_t now)
{
    ai_spool_fixed_t fixed = { .stored = 0, .body_crc = segment->seed };
    ai_slice_t pieces[2];

    fixed.frame.type = AI_SPOOL_CLOSE;
    fixed.frame.time = now;
    fixed.frame.id = segment->id;
    if (ai_spool_digest(ctx, NULL, 0, fixed.frame.digest)) {
        ai_spool_segment_append(segment, ctx, &fixed, pieces, 2);
    }
    ai_spool_disk_cut(segment->fd, segment->end);
}

apr_status_t ai_spool_segment_sync(const ai_spool_out_t *segment)
{
    return ai_spool_disk_sync(segment->fd);
}

void ai_spool_segment_free(ai_spool_out_t *segment)
{
    ai_spool_disk_close(segment->fd);
    free(segment);
}
