/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_openai.c - OpenAI's API: paths, what is asked, errors, the list of models. What is
 * answered is read in openai_events.c.
 *
 * Also spoken by most others (vLLM, Groq, DeepSeek, Together, ...), so it takes what those are
 * known to send and OpenAI does not. Fields it does not know are never touched.
 *
 * Lives in: the pools it is given.  Shared state: none.  May block: no.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* memmem() */
#endif
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_fault.h"
#include "ai_field.h"
#include "openai.h"
#include "openai_translator.h"

/* --------------------------------------------------------------- the caller's side */

static const struct {
    const char *path;
    ai_endpoint_e endpoint;
} paths[] = {
    { "/chat/completions", AI_ENDPOINT_CHAT },
    { "/embeddings", AI_ENDPOINT_EMBEDDINGS },
    { "/models", AI_ENDPOINT_MODELS },
    { "/completions", AI_ENDPOINT_COMPLETIONS },
    { "/responses", AI_ENDPOINT_RESPONSES },
    { "/moderations", AI_ENDPOINT_MODERATIONS },
    { "/images/generations", AI_ENDPOINT_IMAGES },
    { "/images/edits", AI_ENDPOINT_IMAGES },
    { "/images/variations", AI_ENDPOINT_IMAGES },
    { "/audio/speech", AI_ENDPOINT_SPEECH },
    { "/audio/transcriptions", AI_ENDPOINT_TRANSCRIPTIONS },
    { "/audio/translations", AI_ENDPOINT_TRANSLATIONS },
    { "/rerank", AI_ENDPOINT_RERANK }, /* not OpenAI's, but Cohere's, Jina's, vLLM's */
    { "/v2/rerank", AI_ENDPOINT_RERANK },
    { "/responses/input_tokens", AI_ENDPOINT_OTHER }, /* about no stored response */
    { "/responses/compact", AI_ENDPOINT_OTHER },
};

/* Each with all that is below it. */
static const struct {
    const char *path;
    ai_endpoint_e endpoint;
} trees[] = {
    { "/files", AI_ENDPOINT_FILES },
    { "/batches", AI_ENDPOINT_BATCHES },
    { "/uploads", AI_ENDPOINT_STORED },
    { "/fine_tuning", AI_ENDPOINT_STORED },
    { "/vector_stores", AI_ENDPOINT_STORED },
    { "/assistants", AI_ENDPOINT_STORED },
    { "/threads", AI_ENDPOINT_STORED },
    { "/conversations", AI_ENDPOINT_STORED },
    { "/containers", AI_ENDPOINT_STORED },
    { "/evals", AI_ENDPOINT_STORED },
    { "/videos", AI_ENDPOINT_STORED },
    { "/chat/completions", AI_ENDPOINT_STORED }, /* below it: chats that were stored */
    { "/responses", AI_ENDPOINT_STORED },
};

static ai_endpoint_e endpoint(apr_pool_t *p, const char *path, const char **model)
{
    apr_size_t i, n;

    *model = NULL;
    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (strcmp(path, paths[i].path) == 0) {
            return paths[i].endpoint;
        }
    }
    for (i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
        n = strlen(trees[i].path);
        if (strncmp(path, trees[i].path, n) == 0 && (path[n] == '/' || path[n] == '\0')) {
            return trees[i].endpoint;
        }
    }
    if (strncmp(path, "/models/", 8) == 0 && path[8]) {
        *model = apr_pstrdup(p, path + 8); /* names hold slashes: "meta-llama/Llama-3" */
        return AI_ENDPOINT_MODEL;
    }
    return AI_ENDPOINT_OTHER;
}

/* A stored prompt names the model itself. */
static int needs_model(ai_endpoint_e ep, const ai_json_doc_t *doc)
{
    return ai_endpoint_needs_model(ep)
           && (ep != AI_ENDPOINT_RESPONSES
               || ai_json_type(ai_json_doc_get(doc, "prompt")) != AI_JSON_OBJECT);
}

static int is_there(ai_slice_t value)
{
    return value.p && ai_json_type(value) != AI_JSON_NULL;
}

/* 1 when what is asked cannot be understood by another provider than one: it speaks of what that
 * one keeps. In valid JSON the quoted name of a member can be no part of a text. */
static int speaks_of_kept(ai_endpoint_e ep, const ai_json_doc_t *doc)
{
    static const char *const inside[] = { "\"file_id\"", "\"vector_store_ids\"",
                                          "\"item_reference\"" };
    int responses = ep == AI_ENDPOINT_RESPONSES;
    apr_size_t i;

    if (responses
        && (is_there(ai_json_doc_get(doc, "previous_response_id"))
            || is_there(ai_json_doc_get(doc, "conversation"))
            || ai_json_type(ai_json_doc_get(doc, "prompt")) == AI_JSON_OBJECT)) {
        return 1;
    }
    if (!responses && ep != AI_ENDPOINT_CHAT && ep != AI_ENDPOINT_IMAGES) {
        return 0;
    }
    for (i = 0; i < (responses ? sizeof(inside) / sizeof(inside[0]) : 1); i++) {
        if (memmem(doc->text.p, doc->text.n, inside[i], strlen(inside[i]))) {
            return 1;
        }
    }
    return 0;
}

/* What says that a stream is wanted. */
static const ai_error_t *read_stream(apr_pool_t *p, ai_endpoint_e ep, const ai_json_doc_t *doc,
                                     ai_ask_t *ask)
{
    ai_slice_t value = ai_json_doc_get(doc, "stream_options");

    if (ep == AI_ENDPOINT_SPEECH) {
        ask->stream = ai_json_string_is(ai_json_doc_get(doc, "stream_format"), "sse");
        return NULL;
    }
    if (ai_json_type(value) == AI_JSON_OBJECT) {
        ask->stream_options = value;
        ask->wants_usage = ai_json_bool(ai_json_get(value, "include_usage"), 0);
    }
    else if (value.p && ai_json_type(value) != AI_JSON_NULL) {
        return ai_field_fault(p, "stream_options", "The field 'stream_options' must be an object.");
    }
    return ai_field_flag(p, doc, "stream", &ask->stream);
}

static const ai_error_t *read_ask(apr_pool_t *p, ai_endpoint_e ep, const ai_json_doc_t *doc,
                                  ai_ask_t *ask)
{
    static const char *const known[] = {
        "model", "stream", "stream_options", "messages", "input", "max_tokens",
        "max_completion_tokens", "max_output_tokens", "n", "best_of", "tools", "prompt",
        "previous_response_id", "conversation", "stream_format", NULL,
    };
    const ai_error_t *error = ai_field_variants(p, doc, known);

    if (!error) {
        error = ai_field_model(p, doc, needs_model(ep, doc), &ask->model);
    }
    if (!error) {
        error = read_stream(p, ep, doc, ask);
    }
    ask->kept = !error && speaks_of_kept(ep, doc);
    ai_openai_reserve(ep, doc, ask);
    return error;
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
    if (rv != APR_SUCCESS || !ask_usage || !ask->stream || !ai_endpoint_gives_chunks(ep)) {
        return rv;
    }
    if (ask->stream_options.p) {
        return ai_splice_set(splice, ask->stream_options, "include_usage", AI_SLICE("true"));
    }
    return ai_splice_set(splice, doc->root, "stream_options",
                         AI_SLICE("{\"include_usage\":true}"));
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
    ai_openai_read_event,
    ai_openai_answer_members,
    ai_openai_read_answer,
    ai_fault_read,
    &ai_openai_translator,
};
