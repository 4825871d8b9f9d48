/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_evidence.c - which segments have something of it, and what goes out of them?
 *
 * While somebody ships, segments grow: what comes behind the checkpoints that went out is not proved by
 * them, and verify says so.
 *
 * May block: yes, on the database.
 */
#include <apr_escape.h>
#include <apr_strings.h>

#include "ai_evidence.h"
#include "ai_export.h"
#include "ai_pack.h"
#include "ai_proof.h"

#define PAGE 100

static const char get_places[] = "SELECT id FROM ai_audit_frames WHERE call_id = %s";
static const char get_segments[] =
    "SELECT id, node, pid, created, previous, link FROM ai_audit_segments WHERE id > %s "
    "ORDER BY id LIMIT 100";
static const char get_checkpoints[] =
    "SELECT id, text, signature, signer FROM ai_audit_checkpoints WHERE id > %s ORDER BY id LIMIT 100";
static const char get_frames[] =
    "SELECT id, call_id, type, time, length, digest, chain, coding, body, removed "
    "FROM ai_audit_frames WHERE id > %s AND id < %s ORDER BY id LIMIT 100";

#define FRAME_COLUMNS 10

static const char *get(ai_evidence_t *evidence, apr_pool_t *p, const char *sql, int n,
                       const char *const *args, int columns, apr_array_header_t **rows)
{
    if (evidence->ask) {
        evidence->ask(evidence->baton);
    }
    return ai_proof_rows(evidence->db, p, sql, n, args, columns, rows);
}

static const char *put(ai_evidence_t *evidence, ai_slice_t line)
{
    return evidence->write(evidence->baton, line) ? NULL : "what was found cannot be written";
}

void ai_evidence_begin(ai_evidence_t *evidence, apr_pool_t *p)
{
    evidence->pool = p;
    evidence->calls = apr_hash_make(p);
    evidence->segments = apr_hash_make(p);
}

static void note(ai_evidence_t *evidence, apr_hash_t *set, const char *id)
{
    if (strlen(id) >= AI_UUID_TEXT && !apr_hash_get(set, id, AI_UUID_TEXT)) {
        id = apr_pstrmemdup(evidence->pool, id, AI_UUID_TEXT);
        apr_hash_set(set, id, AI_UUID_TEXT, id);
    }
}

const char *ai_evidence_add(ai_evidence_t *evidence, apr_pool_t *p, const char *call)
{
    apr_array_header_t *rows;
    const char *wrong = get(evidence, p, get_places, 1, &call, 1, &rows);
    int i;

    note(evidence, evidence->calls, call);
    for (i = 0; !wrong && i < rows->nelts; i++) {
        note(evidence, evidence->segments, AI_PROOF_ROW(rows, i)[0]);
    }
    return wrong;
}

static const char *broken(apr_pool_t *p, const char *what, const char *id)
{
    return apr_psprintf(p, "%s %.60s has a value that it cannot have; \"aictl audit verify\" tells which",
                        what, id ? id : "");
}

/* ------------------------------------------------------------------------------ segments */

static const char *put_segment(ai_evidence_t *evidence, apr_pool_t *p, const char *const *row)
{
    enum { ID, NODE, PID, CREATED, PREVIOUS, LINK };
    apr_int64_t pid, created;
    ai_spool_head_t head;
    ai_uuid_t id;
    apr_size_t n;

    memset(&head, 0, sizeof(head));
    if (!ai_uuid_read(ai_slice_of(row[ID]), &id) || !ai_proof_number(row[PID], 0xffffffff, &pid)
        || !ai_proof_number(row[CREATED], APR_INT64_MAX, &created)
        || (row[PREVIOUS] && !ai_uuid_read(ai_slice_of(row[PREVIOUS]), &head.before))) {
        return broken(p, "segment", row[ID]);
    }
    if (row[LINK]) {
        if (!row[NODE] || strlen(row[NODE]) > AI_SPOOL_NODE
            || !ai_checkpoint_is_hex(row[LINK], AI_CHECKPOINT_DIGEST)
            || apr_unescape_hex(head.link, row[LINK], AI_CHECKPOINT_DIGEST, 0, &n) != APR_SUCCESS) {
            return broken(p, "segment", row[ID]);
        }
        memcpy(head.node, row[NODE], strlen(row[NODE]));
        head.pid = (apr_uint32_t)pid;
        head.created = created;
        head.is_good = 1;
    }
    return put(evidence, ai_export_segment(p, &id, &head));
}

static const char *put_checkpoint(ai_evidence_t *evidence, apr_pool_t *p, const char *const *row)
{
    return put(evidence, ai_export_checkpoint(p, row[1] ? row[1] : "", row[2] ? row[2] : "",
                                              row[3] ? row[3] : ""));
}

typedef const char *put_fn(ai_evidence_t *evidence, apr_pool_t *p, const char *const *row);

/* Goes through a table. only: ids of rows that go out, or NULL. */
static const char *put_all(ai_evidence_t *evidence, apr_pool_t *p, const char *sql, int columns,
                           apr_hash_t *only, put_fn *put_row)
{
    const char *wrong, *after;
    apr_array_header_t *rows;
    char last[600] = "";
    int i;

    do {
        apr_pool_clear(p);
        after = last;
        wrong = get(evidence, p, sql, 1, &after, columns, &rows);
        for (i = 0; !wrong && i < rows->nelts; i++) {
            const char *const *row = AI_PROOF_ROW(rows, i);

            apr_cpystrn(last, row[0], sizeof(last));
            if (!only || apr_hash_get(only, row[0], APR_HASH_KEY_STRING)) {
                wrong = put_row(evidence, p, row);
            }
        }
    } while (!wrong && rows->nelts == PAGE);
    return wrong;
}

/* -------------------------------------------------------------------------------- frames */

static int read_digest(const char *text, unsigned char *digest)
{
    apr_size_t n;

    return text && ai_checkpoint_is_hex(text, AI_CHECKPOINT_DIGEST)
           && apr_unescape_hex(digest, text, AI_CHECKPOINT_DIGEST, 0, &n) == APR_SUCCESS;
}

static const char *put_frame(ai_evidence_t *evidence, apr_pool_t *p, ai_packer_t *packer,
                             const ai_uuid_t *segment, const char *const *row)
{
    enum { ID, CALL, TYPE, TIME, LENGTH, DIGEST, CHAIN, CODING, BODY, REMOVED };
    apr_int64_t type, length, coding, removed;
    ai_spool_frame_t frame;
    const char *wrong = NULL;

    memset(&frame, 0, sizeof(frame));
    if (strlen(row[ID]) != AI_UUID_TEXT + 11 || !row[CALL]
        || !ai_uuid_read(ai_slice_of(row[CALL]), &frame.id)
        || !ai_proof_number(row[TYPE], 65535, &type)
        || !ai_proof_number(row[TIME], APR_INT64_MAX, &frame.time)
        || !ai_proof_number(row[LENGTH], (apr_int64_t)AI_SPOOL_BODY, &length)
        || !read_digest(row[DIGEST], frame.digest) || !read_digest(row[CHAIN], frame.chain)
        || !ai_proof_number(row[CODING], 2, &coding)
        || !ai_proof_number(row[REMOVED], APR_INT64_MAX, &removed)) {
        return broken(p, "record", row[ID]);
    }
    frame.sequence = (apr_uint64_t)apr_atoi64(row[ID] + AI_UUID_TEXT + 1);
    frame.type = (int)type;
    frame.length = (apr_size_t)length;
    frame.removed = removed != 0;
    if (row[BODY] && length && apr_hash_get(evidence->calls, row[CALL], APR_HASH_KEY_STRING)) {
        wrong = ai_unpack(packer, p, row[BODY], (int)coding, frame.length, &frame.body);
        evidence->records++;
    }
    return wrong ? apr_psprintf(p, "record %s: %s", row[ID], wrong)
                 : put(evidence, ai_export_frame(p, segment, &frame));
}

static const char *put_frames(ai_evidence_t *evidence, apr_pool_t *p, ai_packer_t *packer,
                              const char *segment)
{
    const char *args[2], *wrong = NULL;
    apr_array_header_t *rows;
    char last[64];
    ai_uuid_t id;
    int i;

    if (!ai_uuid_read(ai_slice_of(segment), &id)) {
        return broken(p, "segment", segment);
    }
    apr_snprintf(last, sizeof(last), "%s:", segment);
    do {
        apr_pool_clear(p);
        args[0] = last;
        args[1] = apr_pstrcat(p, segment, ";", NULL);
        wrong = get(evidence, p, get_frames, 2, args, FRAME_COLUMNS, &rows);
        for (i = 0; !wrong && i < rows->nelts; i++) {
            wrong = put_frame(evidence, p, packer, &id, AI_PROOF_ROW(rows, i));
            apr_cpystrn(last, AI_PROOF_ROW(rows, i)[0], sizeof(last));
        }
    } while (!wrong && rows->nelts == PAGE);
    return wrong;
}

const char *ai_evidence_write(ai_evidence_t *evidence, apr_pool_t *p)
{
    ai_packer_t *packer = ai_packer_create(p);
    apr_hash_index_t *at;
    const char *wrong;
    apr_pool_t *page;

    if (!packer || apr_pool_create(&page, p) != APR_SUCCESS) {
        return "there is no memory";
    }
    wrong = put_all(evidence, page, get_segments, 6, evidence->segments, put_segment);
    wrong = wrong ? wrong : put_all(evidence, page, get_checkpoints, 4, NULL, put_checkpoint);
    for (at = apr_hash_first(p, evidence->segments); !wrong && at; at = apr_hash_next(at)) {
        wrong = put_frames(evidence, page, packer, apr_hash_this_key(at));
    }
    wrong = wrong ? apr_pstrdup(p, wrong) : NULL;
    apr_pool_destroy(page);
    return wrong;
}
