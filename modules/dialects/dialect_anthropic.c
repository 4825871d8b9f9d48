/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_anthropic.c - Anthropic's API: messages, count_tokens, models.
 *
 * Caller and provider both speak it; nothing is translated. Anthropic counts cached tokens beside
 * input_tokens, so they are added up here: prompt means all of it, as everywhere in this gateway.
 *
 * Lives in: the pools it is given.  Shared state: none.  May block: no.
 */

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "ai_fault.h"
#include "ai_field.h"
#include "anthropic_translator.h"

/* --------------------------------------------------------------- the caller's side */

static ai_endpoint_e endpoint(apr_pool_t *p, const char *path, const char **model)
{
    *model = NULL;
    if (strcmp(path, "/messages") == 0) {
        return AI_ENDPOINT_CHAT;
    }
    if (strcmp(path, "/messages/count_tokens") == 0) {
        return AI_ENDPOINT_COUNT;
    }
    if (strcmp(path, "/models") == 0) {
        return AI_ENDPOINT_MODELS;
    }
    if (strncmp(path, "/models/", 8) == 0 && path[8]) {
        *model = apr_pstrdup(p, path + 8);
        return AI_ENDPOINT_MODEL;
    }
    if (strcmp(path, "/messages/batches") == 0 || strncmp(path, "/messages/batches/", 18) == 0) {
        return AI_ENDPOINT_BATCHES;
    }
    if (strcmp(path, "/files") == 0 || strncmp(path, "/files/", 7) == 0) {
        return AI_ENDPOINT_FILES;
    }
    return AI_ENDPOINT_OTHER;
}

static const ai_error_t *read_ask(apr_pool_t *p, ai_endpoint_e ep, const ai_json_doc_t *doc,
                                  ai_ask_t *ask)
{
    static const char *const known[] = { "model", "stream", "messages", "max_tokens", "tools",
                                         "system", NULL };
    const ai_error_t *error = ai_field_variants(p, doc, known);

    if (!error) {
        error = ai_field_model(p, doc, ai_endpoint_needs_model(ep), &ask->model);
    }
    ai_anthropic_reserve(doc, ask);
    return error ? error : ai_field_flag(p, doc, "stream", &ask->stream);
}

/* Anthropic's error types and the status that each comes with, first the one that it is sent with
 * (wire-formats: error normalisation). */
static const struct {
    int status;
    const char *type;
} types[] = {
    { 400, "invalid_request_error" }, { 401, "authentication_error" }, { 402, "billing_error" },
    { 403, "permission_error" },      { 404, "not_found_error" },      { 409, "conflict_error" },
    { 413, "request_too_large" },     { 429, "rate_limit_error" },     { 500, "api_error" },
    { 504, "timeout_error" },         { 408, "timeout_error" },        { 529, "overloaded_error" },
    { 503, "overloaded_error" },
};

static const char *error_type(int status)
{
    apr_size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].status == status) {
            return types[i].type;
        }
    }
    return status >= 500 ? "api_error" : "invalid_request_error";
}

static const char *quote(apr_pool_t *p, const char *text)
{
    ai_slice_t quoted = ai_json_quote(p, ai_slice_of(text ? text : ""));

    return apr_pstrmemdup(p, quoted.p, quoted.n);
}

static ai_slice_t write_error(apr_pool_t *p, const ai_error_t *error)
{
    const char *details =
        error->code ? apr_pstrcat(p, ",\"details\":{\"error_code\":", quote(p, error->code), "}",
                                  NULL)
                    : "";

    return ai_slice_of(apr_pstrcat(p, "{\"type\":\"error\",\"error\":{\"type\":\"",
                                   error_type(error->status), "\",\"message\":",
                                   quote(p, error->message), details, "}}", NULL));
}

static ai_slice_t write_error_event(apr_pool_t *p, const ai_error_t *error)
{
    return ai_slice_of(
        apr_pstrcat(p, "event: error\ndata: ", write_error(p, error).p, "\n\n", NULL));
}

static const char *number_or_null(apr_pool_t *p, apr_int64_t number)
{
    return number >= 0 ? apr_psprintf(p, "%" APR_INT64_T_FMT, number) : "null";
}

/* All members that a model has there are written: null is the API's word for "not known". */
static const char *write_model(apr_pool_t *p, const ai_model_t *model)
{
    const ai_ability_t *ability = model->ability;
    apr_time_exp_t when;

    apr_time_exp_gmt(&when, apr_time_from_sec(model->created_s));
    return apr_psprintf(p, "{\"type\":\"model\",\"id\":%s,\"display_name\":%s,\"created_at\":"
                        "\"%04d-%02d-%02dT%02d:%02d:%02dZ\",\"max_input_tokens\":%s,"
                        "\"max_tokens\":%s,\"capabilities\":null,\"lifecycle\":\"active\","
                        "\"deprecated_at\":null,\"retires_at\":null,\"line\":null}",
                        quote(p, model->id), quote(p, model->id), when.tm_year + 1900,
                        when.tm_mon + 1, when.tm_mday, when.tm_hour, when.tm_min, when.tm_sec,
                        number_or_null(p, ability ? ability->context : -1),
                        number_or_null(p, ability ? ability->output : -1));
}

static ai_slice_t write_models(apr_pool_t *p, const ai_model_t *models, int n, int single)
{
    apr_array_header_t *parts = apr_array_make(p, n + 1, sizeof(const char *));
    int i;

    if (single && n == 1) {
        return ai_slice_of(write_model(p, models));
    }
    for (i = 0; i < n; i++) {
        APR_ARRAY_PUSH(parts, const char *) = write_model(p, &models[i]);
    }
    return ai_slice_of(apr_pstrcat(p, "{\"data\":[", n ? apr_array_pstrcat(p, parts, ',') : "",
                                   "],\"has_more\":false,\"first_id\":",
                                   n ? quote(p, models[0].id) : "null", ",\"last_id\":",
                                   n ? quote(p, models[n - 1].id) : "null", "}", NULL));
}

/* ------------------------------------------------------------- the provider's side */

static void set_key(apr_table_t *headers, apr_pool_t *p, const char *key)
{
    (void)p;
    apr_table_setn(headers, "x-api-key", key);
}

static apr_status_t edit_ask(apr_pool_t *p, ai_endpoint_e ep, const ai_json_doc_t *doc,
                             const ai_ask_t *ask, const char *model, int ask_usage,
                             ai_splice_t *splice)
{
    (void)ep;
    (void)ask_usage; /* a stream always reports it */
    if (!model || !ask->model) {
        return APR_SUCCESS;
    }
    return ai_splice_set(splice, doc->root, "model", ai_json_quote(p, ai_slice_of(model)));
}

static apr_int64_t known(apr_int64_t count)
{
    return count > 0 ? count : 0;
}

/* input_tokens is what came neither from the cache nor went into it. An event that omits a part
 * leaves it as an earlier one had it; newer versions repeat them all in message_delta. */
void ai_anthropic_usage(ai_slice_t object, ai_usage_t *usage)
{
    apr_int64_t input =
        usage->prompt < 0 ? -1 : usage->prompt - known(usage->cached) - known(usage->written);

    if (ai_json_type(object) != AI_JSON_OBJECT) {
        return;
    }
    ai_field_keep(&input, ai_field_count(object, "input_tokens"));
    ai_field_keep(&usage->cached, ai_field_count(object, "cache_read_input_tokens"));
    ai_field_keep(&usage->written, ai_field_count(object, "cache_creation_input_tokens"));
    if (input >= 0) {
        usage->prompt = input + known(usage->cached) + known(usage->written);
    }
    ai_field_keep(&usage->completion, ai_field_count(object, "output_tokens"));
    ai_field_keep(&usage->reasoning,
                  ai_field_count(ai_json_get(object, "output_tokens_details"), "thinking_tokens"));
    ai_field_keep(&usage->written_1h, ai_field_count(ai_json_get(object, "cache_creation"),
                                                     "ephemeral_1h_input_tokens"));
    ai_field_keep(&usage->searches, ai_field_count(ai_json_get(object, "server_tool_use"),
                                                   "web_search_requests"));
    ai_service_keep(&usage->service, ai_json_get(object, "service_tier"));
}

ai_finish_e ai_anthropic_finish(ai_slice_t reason)
{
    if (ai_json_type(reason) != AI_JSON_STRING) {
        return AI_FINISH_NONE;
    }
    if (ai_json_string_is(reason, "max_tokens")
        || ai_json_string_is(reason, "model_context_window_exceeded")) {
        return AI_FINISH_LENGTH;
    }
    if (ai_json_string_is(reason, "tool_use")) {
        return AI_FINISH_TOOL;
    }
    return ai_json_string_is(reason, "refusal") ? AI_FINISH_FILTER : AI_FINISH_STOP;
}

/* The same as ai_fault_read(), and the status that goes with Anthropic's type: an error that
 * comes as an event has none. */
static void read_error(apr_pool_t *p, ai_slice_t body, ai_error_t *error)
{
    ai_slice_t type = ai_json_get(ai_json_get(body, "error"), "type");
    apr_size_t i;

    ai_fault_read(p, body, error);
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (ai_json_string_is(type, types[i].type)) {
            error->status = types[i].status;
            return;
        }
    }
}

static ai_event_e read_start(ai_slice_t data, const char *member, const char *silent,
                             const char *also)
{
    ai_slice_t type = ai_json_get(ai_json_get(data, member), "type");

    return ai_json_string_is(type, silent) || ai_json_string_is(type, also) ? AI_EVENT_LIFECYCLE
                                                                            : AI_EVENT_CONTENT;
}

static ai_event_e read_failure(apr_pool_t *event_pool, ai_stream_t *stream, ai_slice_t data)
{
    stream->error = (ai_error_t){ 502, "upstream_error",
                                  "The provider ended the answer with an error.", NULL };
    read_error(event_pool, data, &stream->error);
    stream->finish = AI_FINISH_ERROR;
    return AI_EVENT_ERROR;
}

static ai_event_e read_delta(ai_stream_t *stream, ai_slice_t data)
{
    ai_finish_e finish = ai_anthropic_finish(ai_json_get(ai_json_get(data, "delta"), "stop_reason"));

    stream->finish = finish != AI_FINISH_NONE ? finish : stream->finish;
    ai_anthropic_usage(ai_json_get(data, "usage"), &stream->usage);
    return AI_EVENT_CONTENT;
}

/* 1 when the bytes are one whole object, as far as its members' ends tell. */
static int is_object(ai_slice_t data)
{
    ai_json_walk_t walk;
    ai_json_member_t member;
    int rc;

    if (ai_json_type(data) != AI_JSON_OBJECT || !ai_json_walk(&walk, data)) {
        return 0;
    }
    while ((rc = ai_json_next(&walk, &member)) > 0) {
    }
    return rc == 0;
}

static ai_event_e read_event(apr_pool_t *event_pool, ai_stream_t *stream,
                             const ai_sse_event_t *event)
{
    ai_slice_t data = ai_slice_skip_space(event->data), type;

    stream->cut = (ai_slice_t){ NULL, 0 };
    if (!data.n) {
        return AI_EVENT_COMMENT;
    }
    type = is_object(data) ? ai_json_get(data, "type") : (ai_slice_t){ NULL, 0 };
    if (ai_json_string_is(type, "error") || (ai_slice_is(event->name, "error") && is_object(data))) {
        return read_failure(event_pool, stream, data);
    }
    if (ai_json_type(type) != AI_JSON_STRING) {
        /* Every event of this API says its type: it may be another API's. */
        return ai_endpoint_passes(stream->endpoint) ? AI_EVENT_CONTENT : AI_EVENT_GARBAGE;
    }
    if (ai_json_string_is(type, "message_start")) {
        ai_anthropic_usage(ai_json_get(ai_json_get(data, "message"), "usage"), &stream->usage);
        return AI_EVENT_LIFECYCLE;
    }
    if (ai_json_string_is(type, "content_block_start")) {
        return read_start(data, "content_block", "text", "thinking");
    }
    if (ai_json_string_is(type, "message_delta")) {
        return read_delta(stream, data);
    }
    if (ai_json_string_is(type, "message_stop")) {
        stream->done = 1;
        return AI_EVENT_DONE;
    }
    return ai_json_string_is(type, "ping") ? AI_EVENT_LIFECYCLE : AI_EVENT_CONTENT;
}

static const char *const answer_members[] = { "usage", "stop_reason", NULL };

static void read_answer(ai_endpoint_e ep, const ai_pick_t *pick, ai_usage_t *usage,
                        ai_finish_e *finish)
{
    ai_finish_e found = ai_anthropic_finish(ai_pick_get(pick, 1));

    (void)ep;
    ai_anthropic_usage(ai_pick_get(pick, 0), usage);
    *finish = found != AI_FINISH_NONE ? found : AI_FINISH_STOP;
}

const ai_dialect_t ai_dialect_anthropic = {
    "anthropic",
    "request-id",
    "anthropic-version",
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
    read_error,
    &ai_anthropic_translator,
};
