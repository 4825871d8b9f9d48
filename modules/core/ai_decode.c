/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_decode.c - what is asked?
 *
 * Turns path, method and body into ai_ask_t through the caller's dialect. A body that is JSON is
 * checked strictly before anything reads it, and so is a form where it names the model; every other
 * body is passed through unread.
 *
 * Lives in: r->pool.  Shared state: none.  May block: in ai_body_read().
 */

#include <apr_strings.h>

#include "ai_private.h"
#include "ai_reserve.h"

/* The methods go into r->allowed, since httpd writes the header Allow of a 405 from there. */
static int check_method(ai_request_t *air)
{
    request_rec *r = air->r;
    const char *only = NULL;

    if (ai_endpoint_is_posted(air->endpoint)) {
        only = r->method_number == M_POST ? NULL : "POST";
    }
    else if (air->endpoint == AI_ENDPOINT_MODELS) {
        only = r->method_number == M_GET ? NULL : "GET";
    }
    else if (r->method_number == M_TRACE || r->method_number == M_CONNECT) {
        ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, M_POST, M_PUT, M_PATCH, M_DELETE, -1);
        return ai_refuse_with(air, HTTP_METHOD_NOT_ALLOWED, "method_not_allowed", NULL,
                              "This method is not passed on.");
    }
    if (!only) {
        return OK;
    }
    ap_allow_methods(r, REPLACE_ALLOW, only, NULL);
    return ai_refuse_with(air, HTTP_METHOD_NOT_ALLOWED, "method_not_allowed", NULL,
                          apr_psprintf(r->pool, "This path takes %s only.", only));
}

static int is_json(const request_rec *r)
{
    const char *type = apr_table_get(r->headers_in, "Content-Type");
    apr_size_t n;

    if (!type) {
        return 0;
    }
    n = strcspn(type, "; \t");
    return (n == 16 && ap_cstr_casecmpn(type, "application/json", 16) == 0)
           || (n > 5 && ap_cstr_casecmpn(type + n - 5, "+json", 5) == 0);
}

static int check_json(ai_request_t *air)
{
    request_rec *r = air->r;
    ai_slice_t text = { air->priv->body.p, air->priv->body.n };
    ai_json_doc_t *doc = apr_pcalloc(r->pool, sizeof(*doc));
    ai_json_error_t wrong;

    if (!text.n) {
        return ai_refuse_with(air, HTTP_BAD_REQUEST, "invalid_json", NULL,
                              "The request has no body; a JSON object is needed.");
    }
    if (ai_json_parse(r->pool, text, AI_JSON_DEPTH, doc, &wrong) != APR_SUCCESS) {
        return ai_refuse_with(air, HTTP_BAD_REQUEST, "invalid_json", NULL,
                              apr_psprintf(r->pool, "The request body is not valid JSON: %s at "
                                           "byte %" APR_SIZE_T_FMT ".", wrong.reason,
                                           wrong.offset));
    }
    if (ai_json_type(doc->root) != AI_JSON_OBJECT && ai_endpoint_passes(air->endpoint)) {
        return OK; /* some paths take a list; there is nothing for us to read in it */
    }
    if (ai_json_type(doc->root) != AI_JSON_OBJECT) {
        return ai_refuse_with(air, HTTP_BAD_REQUEST, "invalid_json", NULL,
                              "The request body must be a JSON object.");
    }
    air->doc = doc;
    return OK;
}

static int is_form(const ai_request_t *air)
{
    return air->priv->upload != NULL;
}

/* What the body asks. */
static int read_ask(ai_request_t *air)
{
    const ai_error_t *wrong = NULL;
    int must_be_json = ai_endpoint_is_posted(air->endpoint) && !is_form(air);
    int status = OK;

    if (must_be_json || (air->priv->body.n && is_json(air->r))) {
        status = check_json(air);
        if (status == OK && air->doc) {
            wrong = air->dialect->read_ask(air->r->pool, air->endpoint, air->doc, &air->ask);
        }
        return wrong ? ai_refuse(air, wrong) : status;
    }
    return ai_upload_read_ask(air);
}

/* The most that it can take, however it ends. */
static void reserve(ai_request_t *air)
{
    air->reserved =
        ai_reserve(air->endpoint, &air->ask, air->doc ? (apr_int64_t)air->priv->body.n : -1);
}

static int decode(ai_request_t *air)
{
    int status = check_method(air);

    if (status == OK) {
        status = ai_body_read(air);
    }
    if (status == OK) {
        status = read_ask(air);
    }
    reserve(air);
    if (status == OK && air->path_model) {
        air->ask.model = air->path_model;
    }
    if (status == OK && air->ask.model) {
        ai_note_set(air, AI_NOTE_MODEL, air->ask.model);
    }
    if (status == OK && air->ask.stream) {
        ai_note_set(air, AI_NOTE_STREAM, "1");
    }
    return status;
}

int ai_decode_once(ai_request_t *air)
{
    if (!air->priv->decoded) {
        air->priv->decoded = 1;
        air->priv->decode_status = decode(air);
    }
    return air->priv->decode_status;
}

int ai_decode(ai_request_t *air)
{
    int status = ai_decode_once(air);

    return status == OK ? ai_notes_apply(air) : status;
}
