/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_verify_export.c - is an export what was in the database, as far as it says anything?
 *
 * First come the segments, then the checkpoints, then the records: so one pass is enough, and whoever
 * has a pipe can verify.
 *
 * May block: on the file.
 */
#include <apr_strings.h>

#include "ai_export.h"
#include "ai_verify_part.h"

typedef struct export_t {
    ai_verify_t *verify;
    apr_pool_t *line_pool;
    ai_export_kind_e kind;    /* of the line before */
    ai_verify_chain_t chain;  /* of the segment whose records come */
    ai_verify_told_t *told;   /* of it, or NULL: none has come */
    int entry;                /* of told->entries: the next one that is to be compared */
} export_t;

static void take_segment(export_t *export, const ai_export_line_t *line)
{
    apr_pool_t *p = export->verify->pool;
    ai_verify_told_t *told = apr_pcalloc(p, sizeof(*told));
    const char *start = ai_proof_start(export->line_pool, &line->segment, &line->head);

    ai_uuid_text(&line->segment, told->id);
    if (apr_hash_get(export->verify->told, told->id, AI_UUID_TEXT)) {
        ai_verify_found(export->verify, "segment %s: stands there twice", told->id);
        return;
    }
    told->entries = apr_array_make(p, 8, sizeof(ai_verify_entry_t));
    told->ranges = apr_array_make(p, 1, sizeof(ai_checkpoint_range_t));
    apr_cpystrn(told->start, start ? start : "", sizeof(told->start));
    apr_cpystrn(told->said, told->start, sizeof(told->said));
    apr_hash_set(export->verify->told, told->id, AI_UUID_TEXT, told);
}

/* After its last record. */
static void end_segment(export_t *export)
{
    const ai_verify_told_t *told = export->told;

    if (told && told->number && told->records > export->chain.next && !told->damaged) {
        ai_verify_found(export->verify, "segment %s: records %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT
                        " are missing; checkpoint %" APR_INT64_T_FMT " tells of them", told->id,
                        export->chain.next, told->records - 1, told->number);
    }
    export->told = NULL;
}

static void begin_segment(export_t *export, const ai_uuid_t *segment)
{
    char id[AI_UUID_TEXT + 1];

    end_segment(export);
    ai_uuid_text(segment, id);
    export->told = apr_hash_get(export->verify->told, id, AI_UUID_TEXT);
    export->entry = 0;
    if (!export->told || !export->told->entries) {
        ai_verify_found(export->verify, "segment %s: has records, and does not stand among the segments",
                        id);
        export->told = apr_pcalloc(export->verify->pool, sizeof(*export->told));
        export->told->entries = apr_array_make(export->verify->pool, 1, sizeof(ai_verify_entry_t));
        export->told->ranges = apr_array_make(export->verify->pool, 1,
                                              sizeof(ai_checkpoint_range_t));
        memcpy(export->told->id, id, sizeof(id));
        apr_hash_set(export->verify->told, export->told->id, AI_UUID_TEXT, export->told);
    }
    if (export->told->seen) {
        ai_verify_found(export->verify, "segment %s: its records stand in two places", id);
    }
    if (export->told->number && strcmp(export->told->start, export->told->said) != 0) {
        ai_verify_found(export->verify, "segment %s: node, pid, created, previous or link is not as "
                        "checkpoint %" APR_INT64_T_FMT " says", id, export->told->number);
    }
    export->told->seen = 1;
    export->verify->segments++;
    ai_verify_chain_begin(&export->chain, export->verify, export->told->id, export->told->said);
}

static int is_told(const ai_verify_told_t *told, apr_int64_t sequence)
{
    int i;

    for (i = 0; i < told->ranges->nelts; i++) {
        const ai_checkpoint_range_t *range = &APR_ARRAY_IDX(told->ranges, i, ai_checkpoint_range_t);

        if (sequence >= range->first && sequence <= range->last) {
            return 1;
        }
    }
    return 0;
}

static void take_frame(export_t *export, const ai_export_line_t *line)
{
    const ai_spool_frame_t *frame = &line->frame;
    ai_verify_t *verify = export->verify;
    const ai_verify_entry_t *entry;
    char id[AI_UUID_TEXT + 1];

    ai_uuid_text(&line->segment, id);
    if (!export->told || strcmp(export->told->id, id) != 0) {
        begin_segment(export, &line->segment);
    }
    if (frame->removed && (frame->body.p || !is_told(export->told, (apr_int64_t)frame->sequence))) {
        ai_verify_found(verify, "record %s:%010" APR_INT64_T_FMT ": no checkpoint tells that its body was "
                        "taken out", id, (apr_int64_t)frame->sequence);
    }
    ai_verify_frame(&export->chain, frame);
    verify->removed += frame->removed;
    verify->absent += !frame->removed && !frame->body.p && frame->length;
    verify->behind += !export->told->number
                      || (apr_int64_t)frame->sequence >= export->told->records;
    for (; export->entry < export->told->entries->nelts; export->entry++) {
        entry = &APR_ARRAY_IDX(export->told->entries, export->entry, ai_verify_entry_t);
        if (entry->records > export->chain.next) {
            break;
        }
        if (entry->records == export->chain.next
            && memcmp(entry->chain, frame->chain, sizeof(entry->chain)) != 0) {
            ai_verify_found(verify, "record %s:%010" APR_INT64_T_FMT ": checkpoint %" APR_INT64_T_FMT
                            " says that its chain value is another one", id,
                            (apr_int64_t)frame->sequence, entry->number);
        }
    }
}

static const char *take_line(export_t *export, ai_slice_t text)
{
    ai_export_line_t line;
    ai_checkpoint_t checkpoint;
    const char *wrong = ai_export_read(export->line_pool, text, &line);

    if (wrong) {
        return wrong;
    }
    if (line.kind < export->kind) {
        return "stands behind what it must stand before: segments, checkpoints, records";
    }
    export->kind = line.kind;
    switch (line.kind) {
    case AI_EXPORT_SEGMENT:
        take_segment(export, &line);
        break;
    case AI_EXPORT_CHECKPOINT:
        ai_verify_checkpoint(export->verify, export->line_pool, line.text, line.signature, line.signer,
                             &checkpoint);
        break;
    case AI_EXPORT_FRAME:
        take_frame(export, &line);
        break;
    }
    return NULL;
}

/* Segments of which no record came. */
static void check_empty(export_t *export)
{
    apr_hash_index_t *at;

    for (at = apr_hash_first(export->verify->pool, export->verify->told); at;
         at = apr_hash_next(at)) {
        ai_verify_told_t *told = apr_hash_this_val(at);

        if (told->entries && !told->seen && told->records) {
            ai_verify_found(export->verify, "segment %s: its records are missing; checkpoint %"
                            APR_INT64_T_FMT " tells of %" APR_INT64_T_FMT, told->id, told->number,
                            told->records);
        }
    }
}

const char *ai_verify_export(ai_verify_t *verify, apr_file_t *file)
{
    export_t export = { .verify = verify };
    char *buffer = apr_palloc(verify->pool, AI_EXPORT_LINE + 1);
    const char *wrong = NULL;
    apr_int64_t n = 0;
    apr_status_t rv;
    apr_size_t length;

    if (apr_pool_create(&export.line_pool, verify->pool) != APR_SUCCESS) {
        return "there is no memory";
    }
    while (!wrong && (rv = apr_file_gets(buffer, AI_EXPORT_LINE + 1, file)) == APR_SUCCESS) {
        n++;
        length = strlen(buffer);
        if (!length || buffer[length - 1] != '\n') {
            wrong = length == AI_EXPORT_LINE ? "is too long" : "has no end";
            break;
        }
        apr_pool_clear(export.line_pool);
        wrong = take_line(&export, (ai_slice_t){ buffer, length - 1 });
    }
    if (wrong) {
        return apr_psprintf(verify->pool, "line %" APR_INT64_T_FMT " %s", n, wrong);
    }
    if (!APR_STATUS_IS_EOF(rv)) {
        return "cannot be read";
    }
    if (!n) {
        return "is empty";
    }
    end_segment(&export);
    check_empty(&export);
    ai_verify_checkpoints_end(verify);
    return NULL;
}
