/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_plain.c - how do the endpoints without a stream look, and the errors?
 *
 * Also the table of endpoints: a path is known by its end, so any prefix will do.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <stdlib.h>
#include <string.h>

#include "ai_sim.h"

#define DIMENSIONS_DEFAULT 16
#define DIMENSIONS_MAX 8192

/* ---------------------------------------------------------------------------------- errors */

typedef struct {
    int status;
    const char *type, *code, *message;
} fault_t;

static const fault_t faults[] = {
    { 400, "invalid_request_error", NULL, "The request is not valid." },
    { 401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-sim***." },
    { 403, "invalid_request_error", "unsupported_country_region_territory", "Not allowed here." },
    { 404, "invalid_request_error", "model_not_found", "The model does not exist." },
    { 408, "timeout", NULL, "The request took too long." },
    { 409, "conflict_error", NULL, "The resource was changed by another request." },
    { 413, "invalid_request_error", "request_too_large", "The request is too large." },
    { 422, "invalid_request_error", NULL, "The request could not be processed." },
    { 429, "requests", "rate_limit_exceeded", "Rate limit reached for requests." },
    { 503, "server_error", NULL, "The engine is currently overloaded." },
    { 529, "overloaded_error", NULL, "Overloaded." },
};

static void add_or_null(buf_t *out, const char *s)
{
    if (s) {
        buf_quote(out, s, strlen(s));
    }
    else {
        buf_str(out, "null");
    }
}

void error_body(int status, const char *message, const char *param, buf_t *out)
{
    fault_t fault = { status, "server_error", NULL, "The server had an error." };
    size_t i;

    if (status < 500) {
        fault.type = "invalid_request_error";
    }
    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (faults[i].status == status) {
            fault = faults[i];
        }
    }
    buf_str(out, "{\"error\":{\"message\":");
    add_or_null(out, message ? message : fault.message);
    buf_fmt(out, ",\"type\":\"%s\",\"param\":", fault.type);
    add_or_null(out, param);
    buf_str(out, ",\"code\":");
    add_or_null(out, fault.code);
    buf_str(out, "}}");
}

/* ------------------------------------------------------------------------------ embeddings */

/* Adds n as little-endian float32 values in base64. */
static void add_base64(const float *values, long count, buf_t *out)
{
    buf_t raw = { NULL, 0, 0 };
    long i;

    for (i = 0; i < count; i++) {
        uint32_t bits;
        char bytes[4];

        memcpy(&bits, &values[i], 4);
        bytes[0] = (char)bits;
        bytes[1] = (char)(bits >> 8);
        bytes[2] = (char)(bits >> 16);
        bytes[3] = (char)(bits >> 24);
        buf_add(&raw, bytes, 4);
    }
    buf_base64(out, raw.p, raw.len);
    buf_free(&raw);
}

/* One vector: its numbers follow from the input's bytes, so equal inputs get equal vectors. */
static void add_vector(text_t input, long dimensions, int base64, buf_t *out)
{
    float *values = sim_alloc((size_t)dimensions * sizeof(float));
    uint32_t h = 2166136261U;
    size_t k;
    long i;

    for (k = 0; k < input.n; k++) {
        h = (h ^ (unsigned char)input.p[k]) * 16777619U;
    }
    for (i = 0; i < dimensions; i++) {
        h = h * 1664525U + 1013904223U;
        values[i] = (float)((int)(h >> 16 & 0x7ff) - 1024) / 1024.0F;
    }
    if (base64) {
        buf_str(out, "\"");
        add_base64(values, dimensions, out);
        buf_str(out, "\"");
    }
    else {
        buf_str(out, "[");
        for (i = 0; i < dimensions; i++) {
            buf_fmt(out, "%s%.9g", i ? "," : "", (double)values[i]);
        }
        buf_str(out, "]");
    }
    free(values);
}

static void add_embedding(text_t input, long index, long dimensions, int base64, buf_t *out)
{
    buf_fmt(out, "%s{\"object\":\"embedding\",\"index\":%ld,\"embedding\":", index ? "," : "",
            index);
    add_vector(input, dimensions, base64, out);
    buf_str(out, "}");
}

static void embeddings(call_t *call, buf_t *out)
{
    text_t request = buf_text(&call->body);
    text_t input, item;
    long dimensions, count = 0;
    size_t pos = 0;
    int base64;

    while (request.n && *request.p != '{') {
        request.p++;
        request.n--;
    }
    input = json_get(request, "input");
    dimensions = json_number(json_get(request, "dimensions"), DIMENSIONS_MAX);
    dimensions = dimensions > 0 ? dimensions : DIMENSIONS_DEFAULT;
    base64 = text_is(json_get(request, "encoding_format"), "\"base64\"");
    buf_str(out, "{\"object\":\"list\",\"data\":[");
    while (json_next_item(input, &pos, &item)) {
        if (*item.p != '"' && *item.p != '[') {
            break;                       /* one input, as token numbers */
        }
        add_embedding(item, count++, dimensions, base64, out);
    }
    if (count == 0) {
        add_embedding(input, 0, dimensions, base64, out);
    }
    buf_str(out, "],\"model\":");
    buf_quote(out, call->model.p, call->model_len);
    if (call->script.usage != USAGE_NONE) {
        buf_str(out, ",\"usage\":");
        answer_usage(call, 0, out);
    }
    buf_str(out, "}");
}

/* ---------------------------------------------------------------------------- models, echo */

static void add_model(text_t id, buf_t *out)
{
    buf_str(out, "{\"id\":");
    buf_quote(out, id.p, id.n);
    buf_str(out, ",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"sim\"}");
}

static void models(call_t *call, buf_t *out)
{
    static const char *const names[] = { "sim-chat", "sim-chat-large", "sim-embedding" };
    const char *id = memmem(call->path.p, call->path.n, "/models/", 8);
    size_t i;

    if (id) {
        id += 8;
        add_model((text_t) { id, call->path.n - (size_t)(id - call->path.p) }, out);
        return;
    }
    buf_str(out, "{\"object\":\"list\",\"data\":[");
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        buf_str(out, i ? "," : "");
        add_model((text_t) { names[i], strlen(names[i]) }, out);
    }
    buf_str(out, "]}");
}

static void echo(call_t *call, buf_t *out)
{
    int i;

    buf_str(out, "{\"object\":\"sim.echo\",\"method\":");
    buf_quote(out, call->method.p, call->method.n);
    buf_str(out, ",\"path\":");
    buf_quote(out, call->path.p, call->path.n);
    buf_str(out, ",\"query\":");
    buf_quote(out, call->query.p, call->query.n);
    buf_str(out, ",\"header_names\":[");
    for (i = 0; i < call->header_count; i++) {
        buf_str(out, i ? "," : "");
        answer_header_name(call->headers[i].name, out);
    }
    buf_fmt(out, "],\"body_length\":%zu", call->body_len);
    if (call->script.echo) {
        buf_str(out, ",\"request\":");
        answer_echo(call, out);
    }
    if (call->script.usage != USAGE_NORMAL && call->script.usage != USAGE_NONE) {
        buf_str(out, ",\"usage\":");
        answer_usage(call, answer_tokens(call), out);
    }
    buf_str(out, "}");
}

const endpoint_t endpoint_embeddings = {
    "embeddings", { "input" }, DIALECT_OPENAI, embeddings, NULL, NULL, NULL, 0, 0
};
const endpoint_t endpoint_models = {
    "models", { NULL }, DIALECT_OPENAI, models, NULL, NULL, NULL, 0, 0
};
const endpoint_t endpoint_echo = {
    "echo", { NULL }, DIALECT_OPENAI, echo, NULL, NULL, NULL, 0, 0
};

/* What is asked with POST and known by the end of its path. */
static const struct {
    const char *end;
    const endpoint_t *endpoint;
} posted[] = {
    { "/chat/completions", &endpoint_chat },
    { "/completions", &endpoint_completions },
    { "/responses", &endpoint_responses },
    { "/embeddings", &endpoint_embeddings },
    { "/moderations", &endpoint_moderations },
    { "/images/generations", &endpoint_images },
    { "/images/edits", &endpoint_images },
    { "/images/variations", &endpoint_images },
    { "/audio/speech", &endpoint_speech },
    { "/audio/transcriptions", &endpoint_transcriptions },
    { "/audio/translations", &endpoint_transcriptions },
    { "/rerank", &endpoint_rerank },
    { "/messages/count_tokens", &endpoint_count_tokens },
};

const endpoint_t *endpoint_find(const call_t *call)
{
    text_t path = call->path;
    size_t i;

    if (text_is(call->method, "POST")) {
        for (i = 0; i < sizeof(posted) / sizeof(posted[0]); i++) {
            if (text_ends(path, posted[i].end)) {
                return posted[i].endpoint;
            }
        }
        /* OpenAI's threads have messages, too. */
        if (text_ends(path, "/messages") && !memmem(path.p, path.n, "/threads/", 9)) {
            return &endpoint_messages;
        }
    }
    else if (text_is(call->method, "GET")
             && (text_ends(path, "/models") || memmem(path.p, path.n, "/models/", 8))) {
        return http_header(call, "anthropic-version").p ? &endpoint_claude_models
                                                        : &endpoint_models;
    }
    return files_endpoint(call) ? files_endpoint(call) : &endpoint_echo;
}
