/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_frame.h - what does a dialect make of wire data that comes in any pieces?
 *
 * The frame of every test_dialect_x.c: frame_begin() names the dialect and the folder of its data,
 * the others run one case each and report it, frame_end() ends the program.
 */
#ifndef DIALECT_FRAME_H
#define DIALECT_FRAME_H

/* Rows of tables say five fields of a usage; the others are compared nowhere but where they are set. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#include <stdio.h>
#include <stdlib.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "dialect.h"
#include "tap.h"

/* make says where the data lies. */
#ifndef AI_TEST_DATA
#define AI_TEST_DATA "data"
#endif

static const ai_dialect_t *dialect;
static const char *frame_folder;
static apr_pool_t *pool;

static inline void frame_begin(const ai_dialect_t *tested, const char *folder)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    dialect = tested;
    frame_folder = folder;
}

/* Returns what main() should. */
static inline int frame_end(void)
{
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}

/* A file of the dialect's data. */
static inline ai_slice_t frame_load(const char *name)
{
    char *path = apr_pstrcat(pool, AI_TEST_DATA, "/", frame_folder, "/", name, NULL), *bytes;
    apr_file_t *file;
    apr_finfo_t info;
    apr_size_t n = 0;

    if (apr_file_open(&file, path, APR_READ, APR_OS_DEFAULT, pool) != APR_SUCCESS
        || apr_file_info_get(&info, APR_FINFO_SIZE, file) != APR_SUCCESS) {
        printf("Bail out! no test data: %s\n", path);
        exit(1);
    }
    bytes = apr_palloc(pool, (apr_size_t)info.size + 1);
    apr_file_read_full(file, bytes, (apr_size_t)info.size, &n);
    apr_file_close(file);
    return (ai_slice_t){ bytes, n };
}

/* 1 when both tell the same. */
static inline int frame_same_usage(const ai_usage_t *a, const ai_usage_t *b)
{
    return a->prompt == b->prompt && a->completion == b->completion && a->cached == b->cached
           && a->reasoning == b->reasoning;
}

/* ---------------------------------------------------------------------------- streams */

#define FRAME_NO_USAGE { -1, -1, -1, -1, -1 }

/* What came of a stream. */
typedef struct frame_seen_t {
    ai_stream_t stream;
    char kinds[128]; /* a letter for each event but comments */
    char out[16384]; /* what a caller gets */
    apr_size_t n_out;
    int status; /* of an error event, and its code and message */
    char code[64];
    char message[128];
    apr_pool_t *event_pool;
} frame_seen_t;

static inline void frame_put(frame_seen_t *seen, const char *bytes, apr_size_t n)
{
    if (n > sizeof(seen->out) - seen->n_out) {
        printf("Bail out! a stream is too long for this frame\n");
        exit(1);
    }
    memcpy(seen->out + seen->n_out, bytes, n);
    seen->n_out += n;
}

static inline apr_status_t frame_on_event(void *baton, const ai_sse_event_t *event)
{
    static const char letters[] = "-LCUDEG";
    frame_seen_t *seen = baton;
    ai_event_e kind = dialect->read_event(seen->event_pool, &seen->stream, event);
    ai_slice_t cut = seen->stream.cut;
    apr_size_t n = strlen(seen->kinds);

    if (kind != AI_EVENT_COMMENT && n < sizeof(seen->kinds) - 1) {
        seen->kinds[n] = letters[kind];
    }
    if (kind == AI_EVENT_ERROR) {
        seen->status = seen->stream.error.status;
        apr_cpystrn(seen->code, seen->stream.error.code ? seen->stream.error.code : "-",
                    sizeof(seen->code));
        apr_cpystrn(seen->message, seen->stream.error.message, sizeof(seen->message));
    }
    if (kind == AI_EVENT_USAGE && seen->stream.hide_usage) {
        return APR_SUCCESS;
    }
    if (cut.p) {
        frame_put(seen, event->raw.p, (apr_size_t)(cut.p - event->raw.p));
        frame_put(seen, cut.p + cut.n,
                  (apr_size_t)(event->raw.p + event->raw.n - cut.p - cut.n));
        return APR_SUCCESS;
    }
    frame_put(seen, event->raw.p, event->raw.n);
    return APR_SUCCESS;
}

/* Reads the text in pieces: up to first, then step bytes at a time (0: all the rest). */
static inline void frame_run(ai_slice_t text, ai_endpoint_e endpoint, int hide, apr_size_t first,
                             apr_size_t step, frame_seen_t *seen)
{
    ai_sse_t *sse;
    apr_size_t at = 0;

    memset(seen, 0, sizeof(*seen));
    apr_pool_create(&seen->event_pool, pool);
    seen->stream.endpoint = endpoint;
    seen->stream.hide_usage = hide;
    seen->stream.usage = AI_USAGE_UNKNOWN;
    sse = ai_sse_create(seen->event_pool, 1 << 20);
    while (at < text.n) {
        apr_size_t n = at == 0 && first ? first : step ? step : text.n - at;
        char *copy;

        n = n > text.n - at ? text.n - at : n;
        copy = malloc(n); /* so that a sanitizer sees what reads beyond it or keeps it */
        memcpy(copy, text.p + at, n);
        ai_sse_feed(sse, copy, n, frame_on_event, seen);
        free(copy);
        at += n;
    }
    ai_sse_end(sse, frame_on_event, seen);
    apr_pool_destroy(seen->event_pool);
}

/* What should come of one. */
typedef struct frame_stream_t {
    const char *file;
    ai_endpoint_e endpoint;
    const char *kinds; /* L lifecycle, C content, U usage, D done, E error, G garbage */
    ai_finish_e finish;
    int done;
    ai_usage_t usage;
    const char *code; /* of an error event */
} frame_stream_t;

static inline int frame_as_wanted(const frame_seen_t *seen, const frame_stream_t *want,
                                  ai_slice_t out)
{
    return strcmp(seen->kinds, want->kinds) == 0 && seen->stream.finish == want->finish
           && seen->stream.done == want->done
           && frame_same_usage(&seen->stream.usage, &want->usage)
           && strcmp(seen->code, want->code ? want->code : "") == 0 && seen->n_out == out.n
           && memcmp(seen->out, out.p, out.n) == 0;
}

/* One stream whole, cut in two at every byte, and byte by byte; out is what the caller gets. */
static inline void frame_stream(const frame_stream_t *want, int hide, ai_slice_t text,
                                ai_slice_t out)
{
    static frame_seen_t seen;
    const char *how = hide ? ", usage hidden" : "";
    apr_size_t at, bad = 0;

    frame_run(text, want->endpoint, hide, 0, 0, &seen);
    if (!ok(frame_as_wanted(&seen, want, out), "%s%s", want->file, how)) {
        printf("# kinds %s finish %d done %d usage %d %d %d %d code %s, %d bytes for %d\n",
               seen.kinds, seen.stream.finish, seen.stream.done, (int)seen.stream.usage.prompt,
               (int)seen.stream.usage.completion, (int)seen.stream.usage.cached,
               (int)seen.stream.usage.reasoning, seen.code, (int)seen.n_out, (int)out.n);
    }
    for (at = 1; at < text.n && !bad; at++) {
        frame_run(text, want->endpoint, hide, at, 0, &seen);
        bad = frame_as_wanted(&seen, want, out) ? 0 : at;
    }
    ok(!bad, "%s%s: cut in two at every byte (at %d)", want->file, how, (int)bad);
    frame_run(text, want->endpoint, hide, 0, 1, &seen);
    ok(frame_as_wanted(&seen, want, out), "%s%s: byte by byte", want->file, how);
}

/* ------------------------------------------------------------------------ whole answers */

typedef struct frame_answer_t {
    const char *file;
    ai_endpoint_e endpoint;
    ai_usage_t usage;
    ai_finish_e finish;
} frame_answer_t;

/* One whole answer, in two pieces that meet at every byte. */
static inline void frame_answer(const frame_answer_t *want)
{
    ai_slice_t text = frame_load(want->file);
    apr_size_t at;
    int bad = 0;

    for (at = 0; at <= text.n; at++) {
        ai_usage_t usage = AI_USAGE_UNKNOWN;
        ai_finish_e finish = AI_FINISH_NONE;
        apr_pool_t *p;
        ai_pick_t *pick;

        apr_pool_create(&p, pool);
        pick = ai_pick_create(p, dialect->answer_members, 65536);
        ai_pick_feed(pick, text.p, at);
        ai_pick_feed(pick, text.p + at, text.n - at);
        dialect->read_answer(want->endpoint, pick, &usage, &finish);
        bad += ai_pick_state(pick) != AI_PICK_DONE || finish != want->finish
               || !frame_same_usage(&usage, &want->usage);
        apr_pool_destroy(p);
    }
    ok(!bad, "%s: usage and finish, cut at every byte (%d wrong)", want->file, bad);
}

/* --------------------------------------------------------------------------------- asks */

/* What edit_ask() makes of a body, or NULL when read_ask() refuses it (*param: the field). */
static inline const char *frame_edit(const char *body, ai_endpoint_e endpoint, const char *model,
                                     int usage, ai_ask_t *ask, const char **param)
{
    ai_json_doc_t doc;
    ai_json_error_t wrong;
    ai_splice_t splice;
    const ai_error_t *error;
    apr_array_header_t *slices;
    apr_size_t total;
    const char *text = "";
    int i;

    memset(ask, 0, sizeof(*ask));
    if (ai_json_parse(pool, ai_slice_of(body), AI_JSON_DEPTH, &doc, &wrong) != APR_SUCCESS) {
        *param = wrong.reason;
        return NULL;
    }
    if ((error = dialect->read_ask(pool, endpoint, &doc, ask))) {
        *param = error->param;
        return error->status == 400 && error->message ? NULL : "not a good error";
    }
    ai_splice_begin(pool, &splice, doc.text);
    if (dialect->edit_ask(pool, endpoint, &doc, ask, model, usage, &splice) != APR_SUCCESS) {
        return "edit_ask failed";
    }
    ai_splice_end(&splice, &slices, &total);
    for (i = 0; i < slices->nelts; i++) {
        ai_slice_t *slice = &APR_ARRAY_IDX(slices, i, ai_slice_t);

        text = apr_pstrcat(pool, text, apr_pstrmemdup(pool, slice->p, slice->n), NULL);
    }
    return strlen(text) == total ? text : "the total is wrong";
}

#endif
