/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_body.c - what did the caller send?
 *
 * The body is read on first demand, whole, into memory of its own: not into the pool, where
 * growing by doubling would leak, and where it could not be given back before a long answer ends.
 * (A form that is too long for that is read further while it goes up: ai_upload.c.)
 * What all requests of a child hold together is bounded by AIBodyMemory.
 *
 * Lives in: the system's memory (ai_buffer.h), with a cleanup on r->pool.
 * Shared state: the child's count of held bytes, one atomic.  May block: on the caller's upload.
 */

#include <apr_atomic.h>
#include <apr_strings.h>

#include "ai_private.h"

#define READ_SIZE 65536

/* Of this child process. A static, since it must outlive every request: at exit httpd destroys
 * pchild before the pools of connections that are still open. */
static volatile apr_uint64_t bytes_held;

void ai_body_free(ai_request_t *air)
{
    ai_buffer_t *body = &air->priv->body;

    if (body->size) {
        apr_atomic_sub64(&bytes_held, body->size);
    }
    ai_buffer_free(body);
    air->doc = NULL;
}

static apr_status_t forget_body(void *air)
{
    ai_body_free(air);
    return APR_SUCCESS;
}

static int refuse_load(ai_request_t *air, const char *message)
{
    apr_table_setn(air->r->err_headers_out, "Retry-After", "1");
    return ai_refuse_with(air, HTTP_SERVICE_UNAVAILABLE, "overloaded", NULL, message);
}

/* Makes room for size bytes. OK, or the refusal. */
static int hold(ai_request_t *air, apr_size_t size)
{
    ai_buffer_t *body = &air->priv->body;
    apr_size_t more = size - body->size;
    apr_uint64_t limit = (apr_uint64_t)ai_core_number(air->r, AI_BODY_MEMORY);

    if (apr_atomic_add64(&bytes_held, more) + more > limit) {
        apr_atomic_sub64(&bytes_held, more);
        return refuse_load(air, "The gateway holds too many request bodies; try again shortly.");
    }
    if (ai_buffer_reserve(body, size) != APR_SUCCESS) {
        apr_atomic_sub64(&bytes_held, more);
        return refuse_load(air, "The gateway is out of memory; try again shortly.");
    }
    return OK;
}

static int refuse_size(ai_request_t *air)
{
    return ai_refuse_with(
        air, HTTP_REQUEST_ENTITY_TOO_LARGE, "request_too_large", NULL,
        apr_psprintf(air->r->pool, "The request body is longer than %" APR_INT64_T_FMT " bytes.",
                     ai_core_number(air->r, AI_BODY_LIMIT)));
}

static int append(ai_request_t *air, const char *bytes, apr_size_t n)
{
    ai_buffer_t *body = &air->priv->body;
    apr_size_t limit = (apr_size_t)ai_core_number(air->r, AI_BODY_LIMIT);
    apr_size_t need = body->n + n;
    apr_size_t size = body->size ? body->size : 8192;
    int status;

    if (need > limit) {
        air->r->connection->keepalive = AP_CONN_CLOSE; /* the rest of the upload is not wanted */
        return refuse_size(air);
    }
    while (size < need) {
        size *= 2;
    }
    if (size > limit && need <= limit) {
        size = limit;
    }
    if (size > body->size && (status = hold(air, size)) != OK) {
        return status;
    }
    ai_buffer_add(body, bytes, n);
    return ai_upload_feed(air, bytes, n);
}

static apr_size_t room(const ai_request_t *air)
{
    return (apr_size_t)ai_core_number(air->r, AI_BODY_LIMIT) - air->priv->body.n;
}

/* Takes what one read brought. Sets *done at the end of the body, or where its rest goes on live. */
static int take(ai_request_t *air, apr_bucket_brigade *bb, int *done)
{
    const char *bytes;
    apr_size_t n;
    apr_status_t rv;
    int status = OK;

    while (status == OK && !APR_BRIGADE_EMPTY(bb)) {
        apr_bucket *b = APR_BRIGADE_FIRST(bb);

        if (APR_BUCKET_IS_EOS(b)) {
            *done = 1;
        }
        else if (!APR_BUCKET_IS_METADATA(b)) {
            rv = apr_bucket_read(b, &bytes, &n, APR_BLOCK_READ);
            if (rv == APR_SUCCESS && air->priv->upload && n > room(air)) {
                ai_upload_go_live(air, bb); /* a filter gave more than it was asked for */
                *done = 1;
                break;
            }
            status = rv == APR_SUCCESS ? append(air, bytes, n)
                                       : ai_refuse_with(air, HTTP_BAD_REQUEST, "broken_upload",
                                                        NULL, "The request body broke off.");
        }
        apr_bucket_delete(b);
    }
    apr_brigade_cleanup(bb);
    return status;
}

/* Reads the body, or of a form that is longer than the limit as much as is needed. length: as
 * announced, or 0. */
static int read_all(ai_request_t *air, apr_off_t length)
{
    request_rec *r = air->r;
    int is_long = air->priv->upload && length > (apr_off_t)ai_core_number(r, AI_BODY_LIMIT);
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    int status = OK, done = 0;

    while (status == OK && !done) {
        apr_off_t most = air->priv->upload && room(air) < READ_SIZE ? (apr_off_t)room(air)
                                                                    : READ_SIZE;
        apr_status_t rv =
            ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES, APR_BLOCK_READ, most);

        if (rv != APR_SUCCESS) {
            ap_log_rerror(APLOG_MARK, APLOG_INFO, rv, r,
                          AI_LOGNO(0102) "the request body could not be read");
            /* AP_FILTER_ERROR says that a filter has answered already; it must come back as is. */
            status = ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
            break;
        }
        status = take(air, bb, &done);
        if (status == OK && !done && air->priv->upload
            && (!room(air) || (is_long && ai_upload_knows_enough(air)))) {
            ai_upload_go_live(air, bb);
            done = 1;
        }
    }
    apr_brigade_destroy(bb);
    return status;
}

/* What can be refused before a byte of the upload is asked for (no 100 Continue is sent then). */
static int check_length(ai_request_t *air, apr_off_t *length)
{
    const char *text = apr_table_get(air->r->headers_in, "Content-Length");

    *length = 0;
    if (!text) {
        return OK;
    }
    if (!ap_parse_strict_length(length, text)) {
        return ai_refuse_with(air, HTTP_BAD_REQUEST, "invalid_content_length", NULL,
                              "The header Content-Length is no number.");
    }
    if (*length > (apr_off_t)ai_core_number(air->r, AI_BODY_LIMIT)) {
        return air->priv->upload ? OK : refuse_size(air);
    }
    return *length ? hold(air, (apr_size_t)*length) : OK;
}

int ai_body_read(ai_request_t *air)
{
    request_rec *r = air->r;
    ai_private_t *priv = air->priv;
    apr_time_t began = apr_time_now();
    const char *coding;
    apr_off_t length = 0;

    if (priv->body_read) {
        return priv->body_status;
    }
    priv->body_read = 1;
    apr_pool_cleanup_register(r->pool, air, forget_body, apr_pool_cleanup_null);
    priv->body_status = ai_upload_begin(air);
    if (priv->body_status == OK) {
        priv->body_status = check_length(air, &length);
    }
    if (priv->body_status == OK
        && (length || apr_table_get(r->headers_in, "Transfer-Encoding"))) {
        priv->body_status = read_all(air, length);
    }
    /* An inflating input filter has taken the header away by now. */
    coding = apr_table_get(r->headers_in, "Content-Encoding");
    if (priv->body_status == OK && (priv->body.n || ai_upload_is_live(air)) && coding
        && ap_cstr_casecmp(coding, "identity") != 0) {
        priv->body_status =
            ai_refuse_with(air, HTTP_UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", NULL,
                           "The request body is compressed; send it as it is, or have the server "
                           "inflate it (SetInputFilter DEFLATE).");
    }
    if (priv->began) { /* else Require wanted to know the model, before the handler */
        priv->other_time += apr_time_now() - began;
    }
    return priv->body_status;
}
