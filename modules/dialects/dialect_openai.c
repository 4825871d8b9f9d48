/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_openai.c - OpenAI's API: chat completions, embeddings, models.
 *
 * Also spoken by most others (vLLM, Groq, DeepSeek, Together, ...), so it takes what those are
 * known to send and OpenAI does not. Fields it does not know are never touched.
 *
 * Lives in: the pools it is given.  Shared state: none.  May block: no.
 */

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_fault.h"
#include "ai_field.h"
#include "openai_translator.h"

/* --------------------------------------------------------------- the caller's side */

static ai_endpoint_e endpoint(apr_pool_t *p, const char *path, const char **model)
{
    *model = NULL;
    if (strcmp(path, "/chat/completions") == 0) {
        return AI_ENDPOINT_CHAT;
    }
    if (strcmp(path, "/embeddings") == 0) {
        return AI_ENDPOINT_EMBEDDINGS;
    }
    if (strcmp(path, "/models") == 0) {
        return AI_ENDPOINT_MODELS;
    }
    if (strncmp(path, "/models/", 8) == 0 && path[8]) {
        *model = apr_pstrdup(p, path + 8); /* names hold slashes: "meta-llama/Llama-3" */
        return AI_ENDPOINT_MODEL;
    }
    return AI_ENDPOINT_OTHER;
}

static const ai_error_t *read_ask(apr_pool_t *p, ai_endpoint_e ep, const ai_json_doc_t *doc,
                                  ai_ask_t *ask)
{
    static const char *const known[] = {
        "model", "stream", "stream_options", "messages", "input", "max_tokens",
        "max_completion_tokens", "n", "tools", NULL,
    };
    const ai_error_t *error = ai_field_variants(p, doc, known);
    ai_slice_t value;

    if (!error) {
        error = ai_field_model(p, doc, ep != AI_ENDPOINT_OTHER, &ask->model);
    }
    if (!error) {
        error = ai_field_flag(p, doc, "stream", &ask->stream);
    }
    if (error) {
        return error;
    }
    value = ai_json_doc_get(doc, "stream_options");
    if (ai_json_type(value) == AI_JSON_OBJECT) {
        ask->stream_options = value;
        ask->wants_usage = ai_json_bool(ai_json_get(value, "include_usage"), 0);
    }
    else if (value.p && ai_json_type(value) != AI_JSON_NULL) {
        return ai_field_fault(p, "stream_options", "The field 'stream_options' must be an object.");
    }
    return NULL;
}

/* OpenAI's error types, by status (wire-formats: error normalisation). */
static const char *error_type(const ai_error_t *error)
{
    switch (error->status) {
    case 401:
        return "authentication_error";
    case 402:
        return "insufficient_quota";
    case 403:
        return "permission_error";
    case 408:
    case 504:
        return "timeout";
    case 429:
        return "rate_limit_error";
    default:
        return error->status >= 500 ? "server_error" : "invalid_request_error";
    }
}

static const char *quote_or_null(apr_pool_t *p, const char *text)
{
    ai_slice_t quoted;

    if (!text) {
        return "null";
    }
    quoted = ai_json_quote(p, ai_slice_of(text));
    return apr_pstrmemdup(p, quoted.p, quoted.n);
}

static ai_slice_t write_error(apr_pool_t *p, const ai_error_t *error)
{
    return ai_slice_of(apr_pstrcat(
        p, "{\"error\":{\"message\":", quote_or_null(p, error->message), ",\"type\":\"",
        error_type(error), "\",\"param\":", quote_or_null(p, error->param),
        ",\"code\":", quote_or_null(p, error->code), "}}", NULL));
}

static ai_slice_t write_error_event(apr_pool_t *p, const ai_error_t *error)
{
    /* No [DONE] behind it: that would say the answer is whole. */
    return ai_slice_of(apr_pstrcat(p, "data: ", write_error(p, error).p, "\n\n", NULL));
}

static const char *write_model(apr_pool_t *p, const ai_model_t *model)
{
    return apr_pstrcat(p, "{\"id\":", quote_or_null(p, model->id),
                       ",\"object\":\"model\",\"created\":",
                       apr_psprintf(p, "%" APR_INT64_T_FMT, model->created_s), ",\"owned_by\":",
                       quote_or_null(p, model->owner), "}", NULL);
}

static ai_slice_t write_models(apr_pool_t *p, const ai_model_t *models, int n, int single)
{
    apr_array_header_t *parts;
    int i;

    if (single && n == 1) {
        return ai_slice_of(write_model(p, models));
    }
    parts = apr_array_make(p, n + 1, sizeof(const char *));
    for (i = 0; i < n; i++) {
        APR_ARRAY_PUSH(parts, const char *) = write_model(p, &models[i]);
    }
    return ai_slice_of(apr_pstrcat(p, "{\"object\":\"list\",\"data\":[",
                                   n ? apr_array_pstrcat(p, parts, ',') : "", "]}", NULL));
}

/* ------------------------------------------------------------- the provider's side */

static void set_key(apr_table_t *headers, apr_pool_t *p, const char *key)
{
    apr_table_setn(headers, "Authorization", apr_pstrcat(p, "Bearer ", key, NULL));
}

static apr_status_t edit_ask(apr_pool_t *p, ai_endpoint_e ep, const ai_json_doc_t *doc,
                             const ai_ask_t *ask, const char *model, int ask_usage,
                             ai_splice_t *splice)
{
    apr_status_t rv = APR_SUCCESS;

    if (model && ask->model) {
        rv = ai_splice_set(splice, doc->root, "model", ai_json_quote(p, ai_slice_of(model)));
    }
    if (rv != APR_SUCCESS || !ask_usage || !ask->stream || ep != AI_ENDPOINT_CHAT) {
        return rv;
    }
    if (ask->stream_options.p) {
        return ai_splice_set(splice, ask->stream_options, "include_usage", AI_SLICE("true"));
    }
    return ai_splice_set(splice, doc->root, "stream_options",
                         AI_SLICE("{\"include_usage\":true}"));
}

/* 1 when the value says nothing: null, "", [] and {} (with white space inside). */
static int is_empty(ai_slice_t value)
{
    ai_json_walk_t walk;
    ai_json_member_t member;

    switch (ai_json_type(value)) {
    case AI_JSON_STRING:
        return value.n == 2;
    case AI_JSON_ARRAY:
    case AI_JSON_OBJECT:
        return ai_json_walk(&walk, value) && ai_json_next(&walk, &member) == 0;
    case AI_JSON_NULL:
    case AI_JSON_NONE:
        return 1;
    default:
        return 0;
    }
}

/* 1 when a delta holds something of the answer: anything but the role. */
static int delta_speaks(ai_slice_t delta)
{
    ai_json_walk_t walk;
    ai_json_member_t member;

    if (!ai_json_walk(&walk, delta)) {
        return 0;
    }
    while (ai_json_next(&walk, &member) > 0) {
        if (!is_empty(member.value) && !ai_json_key_is(member.key, "role")) {
            return 1;
        }
    }
    return 0;
}

/* Reads choices[]: how the answer goes on. Returns -1 for no array, else how many there are. */
static int read_choices(ai_slice_t choices, ai_stream_t *stream, int *speaks)
{
    ai_json_walk_t walk;
    ai_json_member_t choice;
    int n = 0;

    if (ai_json_type(choices) != AI_JSON_ARRAY) {
        return -1;
    }
    ai_json_walk(&walk, choices);
    while (ai_json_next(&walk, &choice) > 0) {
        ai_finish_e finish = openai_read_finish(ai_json_get(choice.value, "finish_reason"));

        if (finish != AI_FINISH_NONE) {
            stream->finish = finish;
            *speaks = 1;
        }
        if (delta_speaks(ai_json_get(choice.value, "delta"))
            || !is_empty(ai_json_get(choice.value, "text"))) {
            *speaks = 1;
        }
        n++;
    }
    return n;
}

/* The members of an event that matter, and where the usage member could be cut out. */
typedef struct parts_t {
    ai_slice_t choices;
    ai_slice_t usage;
    ai_slice_t error;
    ai_slice_t type;
    ai_slice_t object;
    ai_slice_t response;
    ai_slice_t x_groq;       /* Groq's own: usage of a stream, and errors in mid-stream */
    ai_slice_t usage_member; /* with the comma before it; absent when it is the first member */
} parts_t;

static int read_parts(ai_slice_t data, parts_t *parts)
{
    ai_json_walk_t walk;
    ai_json_member_t member;
    const char *last_end = NULL;
    int rc;

    memset(parts, 0, sizeof(*parts));
    if (ai_json_type(data) != AI_JSON_OBJECT || !ai_json_walk(&walk, data)) {
        return 0;
    }
    while ((rc = ai_json_next(&walk, &member)) > 0) {
        const char *end = member.value.p + member.value.n;

        if (ai_json_key_is(member.key, "choices")) {
            parts->choices = member.value;
        }
        else if (ai_json_key_is(member.key, "usage")) {
            parts->usage = member.value;
            if (last_end) {
                parts->usage_member = (ai_slice_t){ last_end, (apr_size_t)(end - last_end) };
            }
        }
        else if (ai_json_key_is(member.key, "error")) {
            parts->error = member.value;
        }
        else if (ai_json_key_is(member.key, "type")) {
            parts->type = member.value;
        }
        else if (ai_json_key_is(member.key, "object")) {
            parts->object = member.value;
        }
        else if (ai_json_key_is(member.key, "response")) {
            parts->response = member.value;
        }
        else if (ai_json_key_is(member.key, "x_groq")) {
            parts->x_groq = member.value;
        }
        last_end = end;
    }
    return rc == 0;
}

static ai_event_e failed(apr_pool_t *p, ai_stream_t *stream, ai_slice_t data)
{
    stream->error = (ai_error_t){ 502, "upstream_error", "The provider ended the answer with an "
                                  "error.", NULL };
    ai_fault_read(p, data, &stream->error);
    stream->finish = AI_FINISH_ERROR;
    return AI_EVENT_ERROR;
}

/* Responses and whatever else streams: nothing is held but what is known to say nothing. */
static ai_event_e read_other(apr_pool_t *p, ai_stream_t *stream, const parts_t *parts,
                             ai_slice_t data)
{
    openai_read_usage(parts->usage, &stream->usage);
    openai_read_usage(ai_json_get(parts->response, "usage"), &stream->usage);
    if (ai_json_string_is(parts->type, "error")) {
        return failed(p, stream, data);
    }
    if (ai_json_string_is(parts->type, "response.failed")) {
        return failed(p, stream, parts->response);
    }
    if (ai_json_string_is(parts->type, "response.created")
        || ai_json_string_is(parts->type, "response.in_progress")
        || ai_json_string_is(parts->type, "response.queued")) {
        return AI_EVENT_LIFECYCLE;
    }
    if (ai_json_string_is(parts->type, "response.completed")) {
        stream->finish = AI_FINISH_STOP;
        stream->done = 1;
    }
    else if (ai_json_string_is(parts->type, "response.incomplete")) {
        stream->finish = AI_FINISH_LENGTH;
        stream->done = 1;
    }
    return AI_EVENT_CONTENT;
}

static int lies_in(ai_slice_t part, ai_slice_t whole)
{
    return part.p && part.p >= whole.p && part.p + part.n <= whole.p + whole.n;
}

static ai_event_e read_event(apr_pool_t *event_pool, ai_stream_t *stream,
                             const ai_sse_event_t *event)
{
    parts_t parts;
    ai_slice_t data = event->data;
    int n, speaks = 0;

    stream->cut = (ai_slice_t){ NULL, 0 };
    while (data.n && apr_isspace(*data.p)) {
        data.p++;
        data.n--;
    }
    if (!data.n) {
        return AI_EVENT_COMMENT;
    }
    if (data.n >= 6 && memcmp(data.p, "[DONE]", 6) == 0) {
        stream->done = 1;
        return AI_EVENT_DONE;
    }
    if (!read_parts(data, &parts)) {
        return stream->endpoint == AI_ENDPOINT_OTHER ? AI_EVENT_CONTENT : AI_EVENT_GARBAGE;
    }
    if (!is_empty(parts.error) || ai_json_string_is(parts.object, "error")) {
        return failed(event_pool, stream, data); /* the second form is old vLLM's */
    }
    if (!is_empty(ai_json_get(parts.x_groq, "error"))) {
        return failed(event_pool, stream, parts.x_groq);
    }
    openai_read_usage(ai_json_get(parts.x_groq, "usage"), &stream->usage);
    if (stream->endpoint == AI_ENDPOINT_OTHER && !parts.choices.p) {
        return read_other(event_pool, stream, &parts, data);
    }
    n = read_choices(parts.choices, stream, &speaks);
    if (openai_read_usage(parts.usage, &stream->usage) && n <= 0) {
        return AI_EVENT_USAGE;
    }
    if (stream->hide_usage && ai_json_type(parts.usage) == AI_JSON_NULL
        && lies_in(parts.usage_member, event->raw)) {
        stream->cut = parts.usage_member; /* it is there only because we asked for usage */
    }
    return speaks ? AI_EVENT_CONTENT : AI_EVENT_LIFECYCLE;
}

static const char *const answer_members[] = { "usage", "choices", "status", NULL };

static void read_answer(ai_endpoint_e ep, const ai_pick_t *pick, ai_usage_t *usage,
                        ai_finish_e *finish)
{
    ai_json_walk_t walk;
    ai_json_member_t choice;
    ai_finish_e found = AI_FINISH_NONE;

    openai_read_usage(ai_pick_get(pick, 0), usage);
    if (ep == AI_ENDPOINT_EMBEDDINGS && usage->prompt >= 0 && usage->completion < 0) {
        usage->completion = 0; /* OpenAI reports only the prompt: there is no completion */
    }
    if (ai_json_walk(&walk, ai_pick_get(pick, 1))) {
        while (ai_json_next(&walk, &choice) > 0) {
            found = openai_read_finish(ai_json_get(choice.value, "finish_reason"));
        }
    }
    else if (ai_json_string_is(ai_pick_get(pick, 2), "incomplete")) {
        found = AI_FINISH_LENGTH; /* Responses */
    }
    /* Choices too long to keep are an answer all the same. */
    *finish = found != AI_FINISH_NONE ? found : AI_FINISH_STOP;
}

const ai_dialect_t ai_dialect_openai = {
    "openai",
    "x-request-id",
    NULL,
    endpoint,
    read_ask,
    write_error,
    write_error_event,
    write_models,
    set_key,
    edit_ask,
    read_event,
    answer_members,
    read_answer,
    ai_fault_read,
    &ai_openai_translator,
};
