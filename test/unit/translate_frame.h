/* SPDX-License-Identifier: Apache-2.0 */
/*
 * translate_frame.h - what becomes of requests and answers on their way between two dialects?
 *
 * Beside dialect_frame.h, which loads the data. Results are compared as JSON by json-c, which
 * knows nothing of our own reader.
 */
#ifndef TRANSLATE_FRAME_H
#define TRANSLATE_FRAME_H

#include <json-c/json.h>

#include "dialect_frame.h"

static const char *const translate_none[] = { NULL };

/* Nothing is known of the model. */
static const ai_ability_t translate_unknown = {
    .match = "", .context = -1, .output = -1, .default_effort = AI_EFFORTS_N, .forced_tool = -1,
    .prefill = -1, .refuses = translate_none, .renames = translate_none
};

/* ----------------------------------------------------------------------------- JSON */

static inline const char *translate_text(ai_slice_t text)
{
    return apr_pstrmemdup(pool, text.n ? text.p : "", text.n);
}

/* 1 when both are the same JSON value; else shows them. */
static inline int translate_same(const char *got, const char *want)
{
    struct json_object *a = json_tokener_parse(got), *b = json_tokener_parse(want);
    int same = a && b && json_object_equal(a, b);

    if (!same) {
        printf("# got  %s\n# want %s\n", got, want);
    }
    json_object_put(a);
    json_object_put(b);
    return same;
}

static inline const char *translate_plain(struct json_object *value)
{
    return apr_pstrdup(pool, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN
                                                                       | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static inline const char *translate_member(struct json_object *object, const char *name)
{
    struct json_object *value;

    return json_object_object_get_ex(object, name, &value) ? json_object_get_string(value) : NULL;
}

/* ------------------------------------------------------------------------- requests */

static inline const char *translate_lost(const apr_array_header_t *lost)
{
    return lost && lost->nelts ? apr_array_pstrcat(pool, lost, ',') : "";
}

/* A request as one dialect's caller wrote it, or NULL and its error. */
static inline ai_talk_t *translate_read(const ai_dialect_t *from, const char *text,
                                        const ai_error_t **error)
{
    ai_json_doc_t *doc = apr_palloc(pool, sizeof(*doc));
    ai_talk_t *talk = ai_talk_create(pool);
    ai_json_error_t wrong;

    if (ai_json_parse(pool, ai_slice_of(text), AI_JSON_DEPTH, doc, &wrong) != APR_SUCCESS) {
        printf("Bail out! a case is no JSON: %s\n", wrong.reason);
        exit(1);
    }
    *error = from->translator->read_talk(pool, doc, talk);
    return *error ? NULL : talk;
}

/* The same as the other dialect's provider gets it, or NULL and the error. */
static inline const char *translate_write(const ai_dialect_t *to, const ai_talk_t *talk,
                                          const ai_ability_t *ability, ai_sent_t *sent,
                                          const ai_error_t **error)
{
    ai_write_t out;

    ai_sent_begin(pool, talk, sent);
    ai_write_begin(pool, &out);
    *error = to->translator->write_talk(pool, talk, "m", ability, 1, sent, &out);
    return *error ? NULL : translate_text(ai_write_flat(&out));
}

/* -------------------------------------------------------------------------- answers */

/* An answer on its way: what was told of it, and the stream it is written to, if to one. */
typedef struct translate_answer_t {
    const ai_dialect_t *from, *to;
    void *reader, *writer; /* writer: NULL when it is gathered to be written whole */
    ai_stream_t stream;
    apr_array_header_t *deltas; /* of ai_delta_t, copied */
    ai_write_t out;
    int invalid; /* events that were no JSON */
    int failed;  /* an error event came */
} translate_answer_t;

static const ai_answer_t translate_asked = { "msg_asked", "asked", 1700000000, 1, 0 };

static inline ai_slice_t translate_copy(ai_slice_t slice)
{
    return slice.p ? (ai_slice_t){ apr_pstrmemdup(pool, slice.p, slice.n), slice.n } : slice;
}

static inline void translate_on_delta(void *baton, const ai_delta_t *delta)
{
    translate_answer_t *answer = baton;
    ai_delta_t *copy = apr_array_push(answer->deltas);
    ai_write_t out;

    *copy = *delta;
    copy->id = translate_copy(delta->id);
    copy->name = translate_copy(delta->name);
    copy->text = translate_copy(delta->text);
    copy->object = translate_copy(delta->object);
    if (answer->writer) {
        ai_write_begin(pool, &out); /* which may refer to the event's bytes: they end with it */
        answer->to->translator->write_delta(answer->writer, delta, &out);
        ai_write_copy(&answer->out, ai_write_flat(&out));
    }
}

static inline void translate_begin(translate_answer_t *answer, const ai_dialect_t *from,
                                   const ai_dialect_t *to, int stream)
{
    memset(answer, 0, sizeof(*answer));
    answer->from = from;
    answer->to = to;
    answer->stream.endpoint = AI_ENDPOINT_CHAT;
    answer->stream.usage = AI_USAGE_UNKNOWN;
    answer->deltas = apr_array_make(pool, 16, sizeof(ai_delta_t));
    answer->reader = from->translator->begin_read(pool);
    ai_write_begin(pool, &answer->out);
    if (stream) {
        answer->writer = to->translator->begin_stream(pool, &translate_asked);
    }
}

static inline apr_status_t translate_on_event(void *baton, const ai_sse_event_t *event)
{
    translate_answer_t *answer = baton;

    switch (answer->from->read_event(pool, &answer->stream, event)) {
    case AI_EVENT_LIFECYCLE:
    case AI_EVENT_CONTENT:
    case AI_EVENT_USAGE:
        answer->invalid += !answer->from->translator->read_deltas(answer->reader, pool, event,
                                                                  translate_on_delta, answer);
        break;
    case AI_EVENT_ERROR:
        answer->failed = 1;
        break;
    default:
        break;
    }
    return APR_SUCCESS;
}

/* What the caller gets in the end. */
static inline ai_slice_t translate_end(translate_answer_t *answer)
{
    if (answer->writer) {
        answer->to->translator->write_end(answer->writer, &answer->stream, &answer->out);
    }
    else {
        answer->to->translator->write_answer(pool, &translate_asked,
                                             (const ai_delta_t *)answer->deltas->elts,
                                             answer->deltas->nelts, &answer->stream, &answer->out);
    }
    return ai_write_flat(&answer->out);
}

/* A stream, cut in two at a byte. stream: written as one, too. */
static inline ai_slice_t translate_stream(translate_answer_t *answer, const ai_dialect_t *from,
                                          const ai_dialect_t *to, ai_slice_t text, apr_size_t cut,
                                          int stream)
{
    ai_sse_t *sse = ai_sse_create(pool, 1 << 24);

    translate_begin(answer, from, to, stream);
    ai_sse_feed(sse, text.p, cut, translate_on_event, answer);
    ai_sse_feed(sse, text.p + cut, text.n - cut, translate_on_event, answer);
    ai_sse_end(sse, translate_on_event, answer);
    return translate_end(answer);
}

/* A whole answer; n is 0 when it is none of this dialect. */
static inline ai_slice_t translate_whole(translate_answer_t *answer, const ai_dialect_t *from,
                                         const ai_dialect_t *to, ai_slice_t text, int stream)
{
    ai_json_error_t wrong;
    ai_json_doc_t doc;

    translate_begin(answer, from, to, stream);
    if (ai_json_parse(pool, text, AI_JSON_DEPTH, &doc, &wrong) != APR_SUCCESS
        || !from->translator->read_whole(pool, &doc, &answer->stream, translate_on_delta, answer)) {
        return (ai_slice_t){ NULL, 0 };
    }
    return translate_end(answer);
}

#endif
