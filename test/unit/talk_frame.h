/* SPDX-License-Identifier: Apache-2.0 */
/*
 * talk_frame.h - what does a dialect make of a chat between itself and another one?
 *
 * Shows talks and deltas as text, one line each, so that a test says in one string what it wants.
 * For test_openai_*.c and their like, beside dialect_frame.h.
 */
#ifndef TALK_FRAME_H
#define TALK_FRAME_H

#include "dialect_frame.h"

static inline const char *talk_text(ai_slice_t slice)
{
    return slice.p ? apr_pstrmemdup(pool, slice.p, slice.n) : "-";
}

static inline const char *talk_list(const apr_array_header_t *names)
{
    return names->nelts ? apr_array_pstrcat(pool, names, ',') : "";
}

/* A part: "user+ text \"Hi\"": + opens a message, . is inside of a result, ! a tool failed. */
static inline const char *talk_part(const ai_part_t *part)
{
    static const char *const roles[] = { "system", "user", "assistant" };
    static const char *const kinds[] = { "text", "refusal", "image", "file", "audio", "thinking",
                                         "redacted", "call", "result" };
    const ai_slice_t slices[] = { part->text, part->media, part->data, part->url, part->name,
                                  part->id, part->object, part->signature, part->detail,
                                  part->cache };
    static const char *const names[] = { "", "media=", "data=", "url=", "name=", "id=", "object=",
                                         "signature=", "detail=", "cache=" };
    const char *text = apr_pstrcat(pool, roles[part->role], part->opens ? "+" : "",
                                   part->inside ? "." : "", part->failed ? "!" : "", " ",
                                   kinds[part->kind], NULL);
    apr_size_t i;

    for (i = 0; i < sizeof(slices) / sizeof(slices[0]); i++) {
        if (slices[i].p) {
            text = apr_pstrcat(pool, text, " ", names[i], talk_text(slices[i]), NULL);
        }
    }
    return apr_pstrcat(pool, text, "\n", NULL);
}

static inline const char *talk_parts(const ai_talk_t *talk)
{
    const char *text = "";
    int i;

    for (i = 0; i < talk->parts->nelts; i++) {
        text = apr_pstrcat(pool, text, talk_part(&APR_ARRAY_IDX(talk->parts, i, ai_part_t)), NULL);
    }
    return text;
}

/* Reads a body. Returns NULL, or "param: message" of the error, with " (code)" behind. */
static inline const char *talk_read(const char *body, ai_talk_t **talk)
{
    ai_json_doc_t doc;
    ai_json_error_t wrong;
    const ai_error_t *error;

    *talk = ai_talk_create(pool);
    if (ai_json_parse(pool, ai_slice_of(body), AI_JSON_DEPTH, &doc, &wrong) != APR_SUCCESS) {
        return apr_psprintf(pool, "the test's own body: %s at %d", wrong.reason,
                            (int)wrong.offset);
    }
    error = dialect->translator->read_talk(pool, &doc, *talk);
    if (!error) {
        return NULL;
    }
    if (error->status != 400 || !error->message || !error->param) {
        return "not a good error";
    }
    return apr_pstrcat(pool, error->param, ": ", error->message,
                       error->code ? apr_pstrcat(pool, " (", error->code, ")", NULL) : "", NULL);
}

static inline int is_text(const char *got, const char *want, const char *what)
{
    return is_bytes(got ? got : "NULL", strlen(got ? got : "NULL"), want, strlen(want), what);
}

/* A delta: "0 text \"Hi\"". */
static inline const char *talk_delta(const ai_delta_t *delta)
{
    static const char *const kinds[] = { "begin", "text", "refusal", "thinking", "signature",
                                         "redacted", "call", "arguments", "called" };
    const char *text = apr_psprintf(pool, "%d %s", delta->choice, kinds[delta->kind]);

    if (delta->kind >= AI_DELTA_CALL) {
        text = apr_psprintf(pool, "%s %d", text, delta->call);
    }
    if (delta->kind == AI_DELTA_BEGIN || delta->kind == AI_DELTA_CALL) {
        text = apr_pstrcat(pool, text, " ", talk_text(delta->id), " ", talk_text(delta->name),
                           NULL);
    }
    if (delta->created_s) {
        text = apr_psprintf(pool, "%s %d", text, (int)delta->created_s);
    }
    if (delta->text.p || delta->object.p) {
        text = apr_pstrcat(pool, text, " ", delta->object.p ? "object " : "",
                           talk_text(delta->object.p ? delta->object : delta->text), NULL);
    }
    return apr_pstrcat(pool, text, "\n", NULL);
}

/* What deltas were told: baton is a const char **. */
static inline void talk_on_delta(void *baton, const ai_delta_t *delta)
{
    const char **text = baton;

    *text = apr_pstrcat(pool, *text, talk_delta(delta), NULL);
}

/* What a whole answer tells. */
static inline const char *talk_whole(ai_slice_t body, ai_stream_t *stream)
{
    const char *text = "";
    ai_json_doc_t doc;
    ai_json_error_t wrong;

    memset(stream, 0, sizeof(*stream));
    stream->usage = AI_USAGE_UNKNOWN;
    if (ai_json_parse(pool, body, AI_JSON_DEPTH, &doc, &wrong) != APR_SUCCESS) {
        return wrong.reason;
    }
    if (!dialect->translator->read_whole(pool, &doc, stream, talk_on_delta, &text)) {
        return "no answer";
    }
    return text;
}

#endif
