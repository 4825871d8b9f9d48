/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_answer.c - how does a caller learn what the gateway itself has to say?
 *
 * A refusal is a value. The stage returns its status, httpd goes its way with errors (logs,
 * connection, ErrorDocument), and the filter here puts the caller's dialect in place of the HTML,
 * also for errors that httpd's core or another module made of a request on our locations.
 *
 * Lives in: r->pool.  Shared state: none.  May block: writing to the caller.
 */

#include <apr_strings.h>

#include "ai_private.h"

static ap_filter_rec_t *error_filter;

int ai_refuse(ai_request_t *air, const ai_error_t *error)
{
    air->priv->refusal = error;
    if (error->code) {
        ai_note_set(air, AI_NOTE_DENY, error->code);
    }
    ai_explain_here(air, "refused", error->code);
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, air->r, AI_LOGNO(0103) "refused with %d %s",
                  error->status, error->code ? error->code : "invalid_request");
    return error->status;
}

int ai_refuse_with(ai_request_t *air, int status, const char *code, const char *param,
                   const char *message)
{
    ai_error_t *error = apr_palloc(air->r->pool, sizeof(*error));

    *error = (ai_error_t){ status, code, message, param };
    return ai_refuse(air, error);
}

/* httpd says 500 for a status that it has no line for, as 529. */
static void set_status(request_rec *r, int status)
{
    r->status = status;
    r->status_line = apr_atoi64(ap_get_status_line(status)) == status
                         ? NULL
                         : apr_psprintf(r->pool, "%d Provider Error", status);
}

int ai_answer(ai_request_t *air, int status, const char *content_type, ai_slice_t body)
{
    request_rec *r = air->r;

    set_status(r, status);
    ap_set_content_type(r, content_type);
    ap_set_content_length(r, (apr_off_t)body.n);
    air->answered = 1;
    if (status < 400) {
        ai_explain_here(air, "answered", NULL);
    }
    ai_explain_show(air, r->headers_out);
    ap_rwrite(body.p, (int)body.n, r);
    return DONE;
}

/* The refusal that a stage noted, or what the bare status says. */
static const ai_error_t *error_of(const ai_request_t *air, int status)
{
    static const char *const codes[][2] = {
        { "400", "bad_request" },        { "401", "invalid_api_key" },
        { "403", "permission_denied" },  { "404", "not_found" },
        { "405", "method_not_allowed" }, { "408", "request_timeout" },
        { "413", "request_too_large" },  { "429", "rate_limit_exceeded" },
    };
    apr_pool_t *p = air->r->pool;
    ai_error_t *error;
    const char *line = ap_get_status_line(status);
    apr_size_t i;

    if (air->priv->refusal && air->priv->refusal->status == status) {
        return air->priv->refusal;
    }
    error = apr_pcalloc(p, sizeof(*error));
    error->status = status;
    error->message = apr_psprintf(p, "%s.", line + 4);
    error->code = status >= 500 ? "gateway_error" : NULL;
    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strncmp(line, codes[i][0], 3) == 0) {
            error->code = codes[i][1];
        }
    }
    return error;
}

/* RFC 9110, 15.5.2: a 401 says how to log in. Some modules that ask for a login in other ways than by
 * a header (a session, a page) do not. */
static void say_how(request_rec *r, int status)
{
    if (status == HTTP_UNAUTHORIZED && !apr_table_get(r->headers_out, "WWW-Authenticate")
        && !apr_table_get(r->err_headers_out, "WWW-Authenticate")) {
        apr_table_setn(r->err_headers_out, "WWW-Authenticate", "Bearer realm=\"ai\"");
    }
}

/* Drops the body that comes and puts ours at its end. */
static apr_status_t filter_error(ap_filter_t *f, apr_bucket_brigade *bb)
{
    request_rec *r = f->r;
    ai_request_t *air = f->ctx;
    int at_end = !APR_BRIGADE_EMPTY(bb) && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(bb));
    const ai_error_t *error;
    ai_slice_t body;

    apr_brigade_cleanup(bb);
    if (!at_end) {
        return APR_SUCCESS;
    }
    ap_remove_output_filter(f);
    error = error_of(air, air->r->status);
    body = air->dialect->write_error(r->pool, error);
    if (!ai_note_get(air, AI_NOTE_DENY) && error->code) {
        ai_note_set(air, AI_NOTE_DENY, error->code);
    }
    if (!apr_table_get(r->err_headers_out, "x-request-id")) {
        /* An error that a filter met loses what was set for errors. */
        ai_request_show_id(air, r->headers_out);
    }
    if (error != air->priv->refusal) { /* httpd or another module has refused it */
        ai_explain_here(air, "refused", error->code);
    }
    ai_explain_show(air, r->headers_out);
    set_status(r, air->r->status); /* an ErrorDocument page begins again with 200 */
    say_how(r, air->r->status);
    r->content_encoding = NULL;
    apr_table_unset(r->headers_out, "Content-Encoding");
    ap_set_content_type(r, "application/json");
    ap_set_content_length(r, (apr_off_t)body.n);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_pool_create(body.p, body.n, r->pool,
                                                       f->c->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(f->c->bucket_alloc));
    return ap_pass_brigade(f->next, bb);
}

static void on_insert_error_filter(request_rec *r)
{
    ai_request_t *air = ai_request_of_error(r);

    if (air) { /* also when a filter that looks at answers refuses one */
        ap_add_output_filter_handle(error_filter, air, r, r->connection);
    }
}

/* The page of an ErrorDocument: its text goes the same way as httpd's own. */
static void on_insert_filter(request_rec *r)
{
    ai_request_t *air = r->prev ? ai_request_of_error(r->prev) : NULL;

    if (air && air->r != r && ap_is_HTTP_ERROR(air->r->status)) {
        ap_add_output_filter_handle(error_filter, air, r, r->connection);
    }
}

void ai_answer_register(apr_pool_t *p)
{
    (void)p;
    /* Before everything that would compress or rewrite the page. */
    error_filter =
        ap_register_output_filter("AI_ERROR", filter_error, NULL, AP_FTYPE_RESOURCE - 5);
    ap_hook_insert_error_filter(on_insert_error_filter, NULL, NULL, APR_HOOK_LAST);
    ap_hook_insert_filter(on_insert_filter, NULL, NULL, APR_HOOK_LAST);
}
