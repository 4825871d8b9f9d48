/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_request.c - what does this request ask for, and what is prepared for it?
 *
 * Finds the script and the endpoint, and makes the call ready to be played: a stream is only
 * planned, any other answer is written out in full into call->piece.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <string.h>

#include "ai_sim.h"

/* An error's body in the dialect of the endpoint. */
static void add_error(call_t *call, int status, const char *message, const char *param)
{
    if (call->endpoint && call->endpoint->dialect == DIALECT_ANTHROPIC) {
        anthropic_error(call, status, message, param, &call->piece);
    }
    else {
        error_body(status, message, param, &call->piece);
    }
}

static void refuse(call_t *call, const char *message, const char *param)
{
    script_init(&call->script);
    call->is_error_answer = 1;
    call->piece.len = 0;
    add_error(call, 400, message, param);
    call_plain(call, 400, "application/json");
}

/* The script: after '?' in the model's name, and over it the header. */
static int read_script(call_t *call, buf_t *why)
{
    text_t header = http_header(call, "x-sim");
    text_t name = buf_text(&call->model);
    const char *question = name.n ? memchr(name.p, '?', name.n) : NULL;

    call->model_len = name.n;
    if (question) {
        call->model_len = (size_t)(question - name.p);
        name.n -= call->model_len + 1;
        name.p = question + 1;
        if (!script_read(&call->script, name, why)) {
            return 0;
        }
    }
    if (header.p && !script_read(&call->script, header, why)) {
        return 0;
    }
    call->scripted = header.p || question;
    return script_settle(&call->script, http_key_tail(call), why);
}

/* An answer that is no answer: error status, wrong type, garbage.  Returns 0 when there is none. */
static int prepare_failure(call_t *call)
{
    const script_t *s = &call->script;
    static const char html[] = "<html><head><title>Busy</title></head>"
                               "<body><h1>It is busy here</h1></body></html>\n";
    const char *type = "application/json";

    if (s->status == 204 || s->status == 304) {
        type = NULL;                     /* these have no body */
    }
    else if (s->status >= 300 && s->body == BODY_JSON) {
        add_error(call, (int)s->status, s->message[0] ? s->message : NULL, NULL);
    }
    else if (s->wrongtype || (s->status >= 300 && s->body == BODY_HTML)) {
        buf_str(&call->piece, html);
        type = "text/html; charset=utf-8";
    }
    else if (s->status >= 300) {
        buf_str(&call->piece, s->body == BODY_TEXT ? "upstream trouble\n" : "");
        type = "text/plain";
    }
    else if (s->garbage == AT_BODY || (s->garbage > 0 && !call->stream)) {
        buf_str(&call->piece, "\x01\xff\xfe{]garbage: \"\x80not json, not events");
        type = call->stream ? "text/event-stream" : type;
    }
    else if (s->error == 1 && !call->stream) {
        add_error(call, 500, NULL, NULL);
    }
    else {
        return 0;
    }
    call->is_error_answer = 1;
    call_plain(call, s->status ? (int)s->status : 200, type);
    return 1;
}

/* What every request must have, and what Anthropic's must. */
static void check_members(call_t *call, text_t request, int is_json)
{
    const endpoint_t *e = call->endpoint;
    text_t limit;
    size_t i, count = sizeof(e->required) / sizeof(e->required[0]);

    if (e->dialect == DIALECT_ANTHROPIC && !http_header(call, "anthropic-version").p) {
        refuse(call, "header is required", "anthropic-version");
        return;
    }
    if (!e->required[0]
        || (e == &endpoint_responses && json_get(json_get(request, "prompt"), "id").p)) {
        return; /* a stored prompt says all that is needed */
    }
    if (!is_json && !(e->takes_form && form_is(call))) {
        refuse(call, "The body of the request is not valid JSON.", NULL);
        return;
    }
    if (call->model.len == 0 && !e->has_default_model) {
        refuse(call, "The request names no model.", "model");
        return;
    }
    for (i = 0; i < count && e->required[i]; i++) {
        if (!call_member(call, e->required[i]).p) {
            refuse(call, "A required parameter is missing.", e->required[i]);
            return;
        }
    }
    limit = json_get(request, "max_tokens");
    if (e->dialect == DIALECT_ANTHROPIC && limit.p && json_number(limit, 1000000000) < 0) {
        refuse(call, "Input should be a valid integer", "max_tokens");
    }
}

/* A path that holds "/strict/" is a provider that refuses what the real one does. */
static void check_strictly(call_t *call, text_t request)
{
    strict_t wrong;
    int good = 1;

    if (!memmem(call->path.p, call->path.n, "/strict/", 8)) {
        return;
    }
    if (call->endpoint == &endpoint_chat) {
        good = strict_openai(request, &wrong);
    }
    else if (call->endpoint == &endpoint_messages) {
        good = strict_claude(request, &wrong);
    }
    if (!good) {
        refuse(call, wrong.what, wrong.place);
    }
}

/* Looks at the request.  Returns 0 when it was refused. */
static int understand(call_t *call, text_t request)
{
    buf_t why = { NULL, 0, 0 };
    int is_json = json_valid(request);
    int fine;

    if (is_json || form_is(call)) {
        call_text(call, "model", &call->model);
    }
    fine = read_script(call, &why);
    if (!fine) {
        buf_add(&why, "", 1);
        refuse(call, why.p, "x-sim");
    }
    else {
        check_members(call, request, is_json);
        if (call->status == 0) {
            check_strictly(call, request);
        }
    }
    buf_free(&why);
    return call->status == 0;
}

long request_early(const call_t *call)
{
    text_t header = http_header(call, "x-sim");
    buf_t why = { NULL, 0, 0 };
    script_t script;
    long early = -1;

    script_init(&script);
    if (header.p && script_read(&script, header, &why)) {
        early = script.early;
    }
    buf_free(&why);
    return early;
}

static int wants_stream(const call_t *call)
{
    const endpoint_t *e = call->endpoint;

    return e->event && (e->wants_stream ? e->wants_stream(call)
                                        : json_is_true(json_get(call_json(call), "stream")));
}

void request_ready(call_t *call)
{
    text_t request = form_is(call) ? TEXT("{}") : call_json(call);

    call->phase = PHASE_DELAY;
    if (control_claims(call->path)) {
        call->is_control = 1;
        control_answer(call);
        return;
    }
    call->seq = truth_next_seq();
    call->endpoint = endpoint_find(call);
    if (understand(call, request)) {
        call->stream = wants_stream(call) && !call->script.whole;
        call->include_usage = json_is_true(json_get(json_get(request, "stream_options"),
                                                    "include_usage"));
        answer_compose(call, request);
        call->status = call->script.status ? (int)call->script.status : 200;
        call->content_type = "text/event-stream; charset=utf-8";
        if (!prepare_failure(call) && !call->stream) {
            call->plain_type = "application/json";
            call->endpoint->plain(call, &call->piece);
            call->step_tokens = answer_tokens(call);
            call_plain(call, call->status, call->plain_type);
        }
    }
    if (!call->stream) {
        buf_free(&call->body); /* events look into the request again */
    }
    control_wake(call->request_id);
    call_run(call);
}

void request_refuse(call_t *call, const char *why)
{
    call->seq = truth_next_seq();
    call->phase = PHASE_DELAY;
    call->keep = 0;
    call->conn->in.len = 0;
    buf_free(&call->body);
    refuse(call, why, NULL);
    call_run(call);
}
