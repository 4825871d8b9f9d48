/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_verify_spool.c - are the segments of a spool as they were written?
 *
 * Nobody has signed for them yet: this finds what broke, and whoever changes a file without making its
 * chain anew.
 *
 * May block: on the disk.
 */
#include <apr_strings.h>

#include "ai_verify_part.h"

typedef struct folder_t {
    ai_verify_t *verify;
    const char *path;
    apr_pool_t *pool;  /* of one segment */
    apr_hash_t *ends;  /* id of a segment that is over: chain value of its last record of a call */
} folder_t;

static int is_none(const ai_uuid_t *uuid)
{
    static const ai_uuid_t none;

    return memcmp(uuid, &none, sizeof(none)) == 0;
}

static void check_head(const folder_t *folder, const char *id, const ai_spool_head_t *head)
{
    char before[AI_UUID_TEXT + 1];
    const unsigned char *end;

    if (!head->is_good) {
        ai_verify_found(folder->verify, "segment %s: its head is damaged", id);
        return;
    }
    ai_uuid_text(&head->before, before);
    end = is_none(&head->before) ? NULL : apr_hash_get(folder->ends, before, AI_UUID_TEXT);
    /* One that is not there any more was shipped. */
    if (end && memcmp(end, head->link, AI_SPOOL_DIGEST) != 0) {
        ai_verify_found(folder->verify, "segment %s: segment %s, which its writer had before, does not end "
                        "as it did", id, before);
    }
}

static void check_frame(const folder_t *folder, const char *id, const ai_spool_frame_t *frame)
{
    folder->verify->records++;
    folder->verify->removed += frame->removed;
    if (frame->trust == AI_SPOOL_ALTERED) {
        ai_verify_found(folder->verify, "record %s:%010" APR_UINT64_T_FMT ": it, or one before it, was "
                        "changed, removed or moved", id, frame->sequence);
    }
    if (frame->trust == AI_SPOOL_UNCHAINED) {
        ai_verify_found(folder->verify, "record %s:%010" APR_UINT64_T_FMT ": what stood before it is "
                        "damaged, so its place is not proved", id, frame->sequence);
    }
}

static const char *read_segment(folder_t *folder, const char *id, ai_spool_reader_t *reader)
{
    unsigned char end[AI_SPOOL_DIGEST];
    ai_spool_frame_t frame;
    ai_spool_found_e found;
    char text[120];
    int n = 0;

    while ((found = ai_spool_read(reader, &frame)) == AI_SPOOL_FRAME || found == AI_SPOOL_DAMAGE) {
        if (found == AI_SPOOL_DAMAGE) {
            ai_verify_found(folder->verify, "segment %s: %" APR_OFF_T_FMT " bytes are damaged", id,
                            ai_spool_reader_skipped(reader));
            continue;
        }
        check_frame(folder, id, &frame);
        if (frame.type != AI_SPOOL_CLOSE) {
            memcpy(end, frame.chain, sizeof(end));
            n++;
        }
    }
    if (found == AI_SPOOL_FAILED) {
        return apr_psprintf(folder->verify->pool, "segment %s cannot be read: %s", id,
                            apr_strerror(ai_spool_reader_error(reader), text, sizeof(text)));
    }
    if (found != AI_SPOOL_YET && n) {
        apr_hash_set(folder->ends, apr_pstrdup(folder->verify->pool, id), AI_UUID_TEXT,
                     apr_pmemdup(folder->verify->pool, end, sizeof(end)));
    }
    return NULL;
}

const char *ai_verify_spool(ai_verify_t *verify, const char *path)
{
    folder_t folder = { verify, path, NULL, apr_hash_make(verify->pool) };
    apr_array_header_t *segments;
    ai_spool_reader_t *reader;
    const char *wrong = NULL;
    char text[120], id[AI_UUID_TEXT + 1];
    apr_status_t rv = ai_spool_list(verify->pool, path, &segments);
    int i;

    if (rv != APR_SUCCESS) {
        return apr_psprintf(verify->pool, "cannot be read: %s", apr_strerror(rv, text, sizeof(text)));
    }
    apr_pool_create(&folder.pool, verify->pool);
    for (i = 0; !wrong && i < segments->nelts; i++) {
        const ai_spool_segment_t *segment = &APR_ARRAY_IDX(segments, i, ai_spool_segment_t);

        apr_pool_clear(folder.pool);
        ai_uuid_text(&segment->id, id);
        rv = ai_spool_reader_open(folder.pool, path, &segment->id, NULL, &reader);
        if (APR_STATUS_IS_ENOENT(rv)) {
            continue; /* shipped meanwhile */
        }
        if (rv != APR_SUCCESS) {
            return apr_psprintf(verify->pool, "segment %s cannot be read: %s", id,
                                apr_strerror(rv, text, sizeof(text)));
        }
        verify->segments++;
        check_head(&folder, id, ai_spool_reader_head(reader));
        wrong = read_segment(&folder, id, reader);
        ai_spool_reader_close(reader);
    }
    verify->behind = verify->records;
    return wrong;
}
