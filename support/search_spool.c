/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_spool.c - which records of a call are in the spool, not shipped yet?
 *
 * All segments are read: what is there is what nobody has shipped, and no index leads to a call.
 */
#include <string.h>

#include <apr_strings.h>

#include "ai_spool.h"
#include "search.h"

typedef const char *frame_fn(void *baton, apr_pool_t *scratch, const ai_uuid_t *segment,
                             const char *id, const ai_spool_frame_t *frame);

static const char *failure(apr_pool_t *p, const char *folder, apr_status_t rv)
{
    char text[120];

    return apr_psprintf(p, "%s: cannot be read: %s", search_visible(p, ai_slice_of(folder)),
                        apr_strerror(rv, text, sizeof(text)));
}

/* Hands out the whole records of one segment. */
static const char *read_segment(apr_pool_t *p, const char *folder, const ai_uuid_t *segment,
                                frame_fn *take, void *baton)
{
    ai_spool_reader_t *reader;
    ai_spool_frame_t frame;
    ai_spool_found_e found;
    char id[AI_UUID_TEXT + 1];
    const char *wrong = NULL;
    apr_pool_t *scratch;
    apr_status_t rv = ai_spool_reader_open(p, folder, segment, NULL, &reader);

    if (rv != APR_SUCCESS) {
        /* It was shipped and removed meanwhile. */
        return APR_STATUS_IS_ENOENT(rv) ? NULL : failure(p, folder, rv);
    }
    apr_pool_create(&scratch, p);
    do {
        found = ai_spool_read(reader, &frame);
        if (found == AI_SPOOL_FRAME) {
            apr_pool_clear(scratch);
            ai_uuid_text(&frame.id, id);
            wrong = take(baton, scratch, segment, id, &frame);
        }
    } while (!wrong && (found == AI_SPOOL_FRAME || found == AI_SPOOL_DAMAGE));
    if (found == AI_SPOOL_FAILED) {
        wrong = failure(p, folder, ai_spool_reader_error(reader));
    }
    ai_spool_reader_close(reader);
    return wrong ? apr_pstrdup(p, wrong) : NULL;
}

static const char *read_all(apr_pool_t *p, const char *folder, frame_fn *take, void *baton)
{
    apr_array_header_t *segments;
    const char *wrong = NULL;
    apr_pool_t *sub;
    apr_status_t rv = ai_spool_list(p, folder, &segments);
    int i;

    if (rv != APR_SUCCESS) {
        return failure(p, folder, rv);
    }
    apr_pool_create(&sub, p);
    for (i = 0; !wrong && i < segments->nelts; i++) {
        apr_pool_clear(sub);
        wrong = read_segment(sub, folder, &APR_ARRAY_IDX(segments, i, ai_spool_segment_t).id, take,
                             baton);
    }
    wrong = wrong ? apr_pstrdup(p, wrong) : NULL;
    apr_pool_destroy(sub);
    return wrong;
}

/* -------------------------------------------------------------------------------- the id */

typedef struct finding_t {
    const char *prefix;
    char found[AI_UUID_TEXT + 1];
} finding_t;

static const char *match(void *baton, apr_pool_t *scratch, const ai_uuid_t *segment, const char *id,
                         const ai_spool_frame_t *frame)
{
    finding_t *finding = baton;

    (void)segment;
    if (frame->type == AI_SPOOL_CLOSE || strncmp(id, finding->prefix, strlen(finding->prefix)) != 0) {
        return NULL;
    }
    if (*finding->found && strcmp(finding->found, id) != 0) {
        return apr_psprintf(scratch, "several calls have ids that begin with %s", finding->prefix);
    }
    apr_cpystrn(finding->found, id, sizeof(finding->found));
    return NULL;
}

const char *search_spool_find(apr_pool_t *p, const char *folder, const char *prefix,
                              const char **id)
{
    finding_t finding = { prefix, "" };
    const char *wrong = read_all(p, folder, match, &finding);

    *id = *finding.found ? apr_pstrdup(p, finding.found) : NULL;
    return wrong;
}

/* ------------------------------------------------------------------------------- frames */

typedef struct handing_t {
    const char *id;
    int type;
    search_frame_fn *take;
    void *baton;
    int *n;
} handing_t;

static const char *hand_out(void *baton, apr_pool_t *scratch, const ai_uuid_t *segment,
                            const char *id, const ai_spool_frame_t *frame)
{
    handing_t *handing = baton;
    char name[AI_AUDIT_FRAME_ID];
    search_frame_t out = { name, frame->type, frame->time, frame->body, NULL };

    if (frame->type != handing->type || strcmp(id, handing->id) != 0) {
        return NULL;
    }
    ai_audit_frame_id(segment, frame->sequence, name);
    out.absent = frame->removed ? "it was removed" : NULL;
    ++*handing->n;
    return handing->take(handing->baton, scratch, &out);
}

const char *search_spool_frames(apr_pool_t *p, const char *folder, const char *id, int type,
                                search_frame_fn *take, void *baton, int *n)
{
    handing_t handing = { id, type, take, baton, n };

    return read_all(p, folder, hand_out, &handing);
}
