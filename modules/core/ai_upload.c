/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_upload.c - a body that is a form: which model does it name, and how does what is too long to
 * be held reach a target?
 *
 * Up to AIBodyLimit a form is held like any other body. Of a longer one only the beginning is; the
 * rest passes from the caller to one target as it comes, while mod_proxy sends. It is read along
 * there, too: a second model's name far behind must not take effect at a provider, so the upload
 * is broken off before its end, and no provider ever has the whole of it.
 *
 * Lives in: r->pool.  Shared state: none.  May block: on the caller's upload.
 */

#include <apr_strings.h>

#include "ai_field.h"
#include "ai_form.h"
#include "ai_private.h"

static const char *const wanted[] = { "model", "stream", NULL };

enum { MODEL, STREAM };

struct ai_upload_t {
    ai_form_t *form;             /* NULL: nobody wants to know its fields */
    int live;
    apr_off_t length;            /* of the whole as the caller announced it, or -1 */
    ap_filter_t *source;         /* the rest is read from here */
    apr_bucket_brigade *more;    /* what of it was read already */
    ap_conn_keepalive_e before;  /* what c->keepalive was */
    int reading;
    int taken;                   /* some of it went up */
    int ended;
    const ai_error_t *fault;
};

/* ------------------------------------------------------------------------------ its beginning */

static int refuse_form(ai_request_t *air, const char *fault)
{
    return ai_refuse_with(air, HTTP_BAD_REQUEST, "invalid_form", NULL,
                          apr_psprintf(air->r->pool, "The form %s.", fault));
}

int ai_upload_begin(ai_request_t *air)
{
    request_rec *r = air->r;
    const char *type = apr_table_get(r->headers_in, "Content-Type"), *boundary;
    int reads = ai_endpoint_takes_form(air->endpoint);
    int found = type ? ai_form_boundary(r->pool, type, &boundary) : 0;

    if (!found || !(reads || ai_endpoint_passes(air->endpoint))) {
        return OK;
    }
    if (reads && found < 0) {
        return refuse_form(air, "has no boundary of 1 to 70 characters in its Content-Type");
    }
    air->priv->upload = apr_pcalloc(r->pool, sizeof(*air->priv->upload));
    if (reads) {
        air->priv->upload->form = ai_form_create(r->pool, boundary, wanted);
    }
    return OK;
}

int ai_upload_feed(ai_request_t *air, const char *bytes, apr_size_t n)
{
    ai_upload_t *upload = air->priv->upload;
    const char *fault = upload && upload->form ? ai_form_feed(upload->form, bytes, n) : NULL;

    if (!fault) {
        return OK;
    }
    air->r->connection->keepalive = AP_CONN_CLOSE; /* the rest of the upload is not wanted */
    return refuse_form(air, fault);
}

int ai_upload_knows_enough(const ai_request_t *air)
{
    const ai_upload_t *upload = air->priv->upload;

    return !upload->form || ai_form_get(upload->form, MODEL);
}

static const ai_error_t *no_model(ai_request_t *air)
{
    const char *text = "The field 'model' is missing; it names the model.";

    if (air->priv->upload->live) {
        text = apr_psprintf(air->r->pool, "The form has no field 'model' within its first %"
                            APR_INT64_T_FMT " bytes; send it before the file.",
                            ai_core_number(air->r, AI_BODY_LIMIT));
    }
    return ai_field_fault(air->r->pool, "model", text);
}

int ai_upload_read_ask(ai_request_t *air)
{
    const ai_upload_t *upload = air->priv->upload;
    const ai_form_field_t *model, *stream;

    if (!upload || !upload->form) {
        return OK;
    }
    if (!upload->live && !ai_form_is_done(upload->form)) {
        return refuse_form(air, "ends before its last boundary");
    }
    model = ai_form_get(upload->form, MODEL);
    stream = ai_form_get(upload->form, STREAM);
    if (!model && ai_endpoint_needs_model(air->endpoint)) {
        return ai_refuse(air, no_model(air));
    }
    if (model && !model->n) {
        return ai_refuse(air, ai_field_fault(air->r->pool, "model",
                                             "The field 'model' must not be empty."));
    }
    air->ask.model = model ? model->value : NULL;
    air->ask.stream = stream && (ap_cstr_casecmp(stream->value, "true") == 0
                                 || strcmp(stream->value, "1") == 0);
    return OK;
}

apr_status_t ai_upload_edit(const ai_request_t *air, const char *model, ai_splice_t *splice)
{
    const ai_upload_t *upload = air->priv->upload;
    const ai_form_field_t *field =
        upload && upload->form ? ai_form_get(upload->form, MODEL) : NULL;

    if (!field || !model) {
        return APR_SUCCESS;
    }
    return ai_splice_replace(splice, (ai_slice_t){ air->priv->body.p + field->offset, field->n },
                             ai_slice_of(model));
}

/* ----------------------------------------------------------------------------------- the rest */

void ai_upload_go_live(ai_request_t *air, apr_bucket_brigade *more)
{
    request_rec *r = air->r;
    ai_upload_t *upload = air->priv->upload;
    const char *text = apr_table_get(r->headers_in, "Content-Length");

    upload->live = 1;
    upload->source = r->input_filters;
    /* What other input filters make of it has a length of its own. */
    if (!text || r->input_filters != r->proto_input_filters
        || !ap_parse_strict_length(&upload->length, text)) {
        upload->length = -1;
    }
    upload->more = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    APR_BRIGADE_CONCAT(upload->more, more);
    /* Until all of it was read, what comes on this connection is no request. */
    upload->before = r->connection->keepalive;
    r->connection->keepalive = AP_CONN_CLOSE;
    air->ask.once = 1;
}

int ai_upload_is_live(const ai_request_t *air)
{
    return air->priv->upload && air->priv->upload->live;
}

int ai_upload_is_reading(const ai_request_t *air)
{
    return air->priv->upload && air->priv->upload->reading;
}

int ai_upload_can_repeat(const ai_request_t *air)
{
    return !ai_upload_is_live(air) || !air->priv->upload->taken;
}

const ai_error_t *ai_upload_fault(const ai_request_t *air)
{
    return air->priv->upload ? air->priv->upload->fault : NULL;
}

apr_off_t ai_upload_length(const ai_request_t *air, apr_size_t total)
{
    const ai_upload_t *upload = air->priv->upload;

    return upload->length < 0 ? -1
                              : upload->length - (apr_off_t)air->priv->body.n + (apr_off_t)total;
}

static apr_status_t fail(ai_request_t *air, int status, const char *code, const char *message)
{
    ai_error_t *fault = apr_pcalloc(air->r->pool, sizeof(*fault));

    fault->status = status;
    fault->code = code;
    fault->message = message;
    air->priv->upload->fault = fault;
    return APR_EGENERAL;
}

static apr_status_t fail_form(ai_request_t *air, const char *fault)
{
    return fail(air, HTTP_BAD_REQUEST, "invalid_form",
                apr_psprintf(air->r->pool, "The form %s.", fault));
}

/* Looks at what goes up next. */
static apr_status_t read_along(ai_request_t *air, const char *bytes, apr_size_t n)
{
    ai_form_t *form = air->priv->upload->form;
    const char *fault = form ? ai_form_feed(form, bytes, n) : NULL;

    if (fault) {
        return fail_form(air, fault);
    }
    if (form && !air->ask.model && ai_form_get(form, MODEL)) {
        return fail_form(air, "has its field 'model' too far behind (AIBodyLimit)");
    }
    return APR_SUCCESS;
}

static apr_status_t end(ai_request_t *air)
{
    ai_upload_t *upload = air->priv->upload;

    upload->ended = 1;
    air->r->connection->keepalive = upload->before;
    return upload->form && !ai_form_is_done(upload->form)
               ? fail_form(air, "ends before its last boundary")
               : APR_SUCCESS;
}

static apr_status_t look_at(ai_request_t *air, apr_bucket_brigade *bb)
{
    apr_status_t rv = APR_SUCCESS;
    const char *bytes;
    apr_size_t n;
    apr_bucket *b;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb) && rv == APR_SUCCESS;
         b = APR_BUCKET_NEXT(b)) {
        if (APR_BUCKET_IS_EOS(b)) {
            rv = end(air);
        }
        else if (!APR_BUCKET_IS_METADATA(b)
                 && (rv = apr_bucket_read(b, &bytes, &n, APR_BLOCK_READ)) == APR_SUCCESS) {
            rv = read_along(air, bytes, n);
        }
    }
    return rv;
}

/* Takes from what was read already, or else from the caller. */
static apr_status_t fetch(ai_request_t *air, apr_bucket_brigade *bb, apr_read_type_e block,
                          apr_off_t max)
{
    ai_upload_t *upload = air->priv->upload;
    apr_bucket *after;
    apr_status_t rv;

    if (APR_BRIGADE_EMPTY(upload->more)) {
        upload->reading = 1;
        rv = ap_get_brigade(upload->source, bb, AP_MODE_READBYTES, block, max);
        upload->reading = 0;
        return rv;
    }
    rv = apr_brigade_partition(upload->more, max, &after);
    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE) {
        return rv;
    }
    while (APR_BRIGADE_FIRST(upload->more) != after) {
        apr_bucket *b = APR_BRIGADE_FIRST(upload->more);

        APR_BUCKET_REMOVE(b);
        APR_BRIGADE_INSERT_TAIL(bb, b);
    }
    return APR_SUCCESS;
}

apr_status_t ai_upload_next(ai_request_t *air, apr_bucket_brigade *bb, apr_read_type_e block,
                            apr_off_t max)
{
    ai_upload_t *upload = air->priv->upload;
    apr_status_t rv;
    int status;

    if (upload->fault) {
        return APR_EGENERAL;
    }
    if (upload->ended) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(bb->bucket_alloc));
        return APR_SUCCESS;
    }
    upload->taken = 1;
    ai_body_free(air); /* its beginning went up in copies */
    do {
        rv = fetch(air, bb, block, max);
    } while (rv == APR_SUCCESS && block == APR_BLOCK_READ && APR_BRIGADE_EMPTY(bb));
    if (block == APR_NONBLOCK_READ && APR_STATUS_IS_EAGAIN(rv)) {
        return rv;
    }
    if (rv == APR_SUCCESS) {
        rv = look_at(air, bb);
    }
    if (rv != APR_SUCCESS && !upload->fault) {
        status = ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
        fail(air, ap_is_HTTP_ERROR(status) ? status : HTTP_BAD_REQUEST, "broken_upload",
             "The request body broke off.");
    }
    return rv;
}
