/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_upstream.c - what goes to a target?
 *
 * The caller's bytes with the edits of this target spliced in, replayed from memory for every
 * attempt; and a head that is built anew from an allow-list, so that no credential, cookie or
 * internal header of the caller's can reach a provider. The attempt's key is added only after the
 * backend that mod_proxy is about to talk to was compared with the target.
 *
 * Lives in: r->pool.  Shared state: none.  May block: no.
 */

#include <apr_strings.h>

#include "ai_exchange.h"
#include "mod_proxy.h"

/* What mod_proxy_http reads of a body before it connects (its MAX_MEM_SPOOL, less 80). */
#define SPOOLED (16384 - 80)

static ap_filter_rec_t *replay_filter;

/* ------------------------------------------------------------------------ the body */

/* What follows on the held beginning of a live body. */
static apr_status_t give_rest(ai_exchange_t *x, apr_bucket_brigade *bb, apr_read_type_e block,
                              apr_off_t max)
{
    apr_status_t rv = ai_upload_next(x->air, bb, block, max);
    apr_off_t n = 0;

    if (rv == APR_SUCCESS && apr_brigade_length(bb, 0, &n) == APR_SUCCESS && n > 0) {
        x->given += n;
    }
    return rv;
}

static apr_status_t filter_replay(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                                  apr_read_type_e block, apr_off_t max)
{
    ai_exchange_t *x = f->ctx;
    int live = ai_upload_is_live(x->air);
    apr_off_t given = 0;

    if (mode == AP_MODE_GETLINE || mode == AP_MODE_EATCRLF || mode == AP_MODE_INIT
        || ai_upload_is_reading(x->air)) {
        return ap_get_brigade(f->next, bb, mode, block, max);
    }
    if (mode != AP_MODE_READBYTES) {
        return APR_ENOTIMPL;
    }
    if (x->barred) {
        return APR_EGENERAL;
    }
    x->sent = x->sent || x->given >= SPOOLED;
    while (x->slices && x->slice < x->slices->nelts && given < max) {
        ai_slice_t *slice = &APR_ARRAY_IDX(x->slices, x->slice, ai_slice_t);
        apr_size_t n = slice->n - x->offset;

        if ((apr_off_t)n > max - given) {
            n = (apr_size_t)(max - given);
        }
        if (n) {
            const char *from = slice->p + x->offset;

            /* What is held of a live body is given back while its rest passes. */
            APR_BRIGADE_INSERT_TAIL(
                bb, live ? apr_bucket_heap_create(from, n, NULL, f->c->bucket_alloc)
                         : apr_bucket_immortal_create(from, n, f->c->bucket_alloc));
        }
        given += (apr_off_t)n;
        x->offset += n;
        if (x->offset == slice->n) {
            x->slice++;
            x->offset = 0;
        }
    }
    x->given += given;
    if (x->slices && x->slice < x->slices->nelts) {
        return APR_SUCCESS;
    }
    if (live) {
        return given ? APR_SUCCESS : give_rest(x, bb, block, max);
    }
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(f->c->bucket_alloc));
    return APR_SUCCESS;
}

/* The caller's bytes with the edits of this target. Where the target has another model than the
 * caller asked for, they are made to fit it: the caller could not know. */
static apr_status_t edit_body(ai_exchange_t *x)
{
    ai_request_t *air = x->air;
    apr_pool_t *p = air->r->pool;
    const ai_target_t *target = x->attempt->target;
    const char *model = x->attempt->model;
    ai_splice_t splice;
    apr_status_t rv = APR_SUCCESS;

    ai_splice_begin(p, &splice, (ai_slice_t){ air->priv->body.p, air->priv->body.n });
    if (air->doc) {
        rv = target->dialect->edit_ask(p, air->endpoint, air->doc, &air->ask, model,
                                       (int)target->stream_usage, &splice);
    }
    else {
        rv = ai_upload_edit(air, model, &splice);
    }
    if (rv == APR_SUCCESS && air->endpoint == AI_ENDPOINT_CHAT && model
        && strcmp(model, air->ask.model) != 0) {
        x->lost = ai_lost_create(p);
        rv = ai_ability_fit(p, ai_core_ability(air->r, target, model), air->doc, &splice, x->lost);
    }
    ai_splice_end(&splice, &x->slices, &x->total);
    return rv == APR_SUCCESS ? ai_translate_check_loss(x) : rv;
}

/* Tells mod_proxy how long the body is. */
static void announce_length(ai_exchange_t *x)
{
    request_rec *r = x->air->r;
    int live = ai_upload_is_live(x->air);
    apr_off_t n = live ? ai_upload_length(x->air, x->total) : (apr_off_t)x->total;

    apr_table_unset(r->headers_in, "Transfer-Encoding");
    apr_table_unset(r->headers_in, "Content-Length");
    if (n < 0) {
        apr_table_setn(r->headers_in, "Transfer-Encoding", "chunked");
    }
    else if (n || r->method_number == M_POST || r->method_number == M_PUT
             || r->method_number == M_PATCH) {
        apr_table_setn(r->headers_in, "Content-Length",
                       apr_psprintf(r->pool, "%" APR_OFF_T_FMT, n));
    }
}

apr_status_t ai_upstream_begin(ai_exchange_t *x)
{
    ai_request_t *air = x->air;
    request_rec *r = air->r;
    const ai_target_t *target = x->attempt->target;
    apr_status_t rv;

    x->lost = NULL;
    x->untold = NULL;
    x->translates = air->endpoint == AI_ENDPOINT_CHAT && target->dialect != air->dialect;
    rv = x->translates ? ai_translate_ask(x) : edit_body(x);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    x->slice = 0;
    x->offset = 0;
    x->given = 0;
    x->barred = 0;
    if (!x->replay_filter) {
        x->replay_filter = ap_add_input_filter_handle(replay_filter, x, r, r->connection);
    }
    /* The body lies whole in memory: what other input filters would do to it is done. mod_proxy
     * trusts Content-Length only when the first filter is the protocol's own; else it spools. */
    r->proto_input_filters = r->input_filters = x->replay_filter;
    announce_length(x);
    return APR_SUCCESS;
}

/* ------------------------------------------------------------------------ the head */

/* What may pass of the caller's head. All else stays here; a target may add (AITargetForward). */
static const char *const passing[] = {
    "Content-Type", "Accept",            "User-Agent",     "Idempotency-Key",
    "OpenAI-Beta",  "anthropic-version", "anthropic-beta",
};

static const char *const passing_prefixes[] = { "x-stainless-" };

/* Of those, the ones that mean the same to every dialect. */
static const char *const general[] = {
    "Accept", "User-Agent", "Idempotency-Key",
};

static int is_one_of(const char *name, const char *const *names, apr_size_t n)
{
    apr_size_t i;

    for (i = 0; i < n; i++) {
        if (ap_cstr_casecmp(name, names[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

static int may_pass(const ai_exchange_t *x, const char *name)
{
    const ai_target_t *target = x->attempt->target;
    int k;

    if (x->translates) {
        if (is_one_of(name, general, sizeof(general) / sizeof(general[0]))) {
            return 1;
        }
    }
    else if (is_one_of(name, passing, sizeof(passing) / sizeof(passing[0]))
             || ap_cstr_casecmpn(name, passing_prefixes[0], strlen(passing_prefixes[0])) == 0) {
        return 1;
    }
    for (k = 0; k < target->forward->nelts; k++) {
        if (ap_cstr_casecmp(name, APR_ARRAY_IDX(target->forward, k, const char *)) == 0) {
            return 1;
        }
    }
    return 0;
}

/* 1 when filename is "proxy:" and a URL below base. */
static int leads_to(const char *filename, const char *base)
{
    apr_size_t n = strlen(base);

    return strncmp(filename, "proxy:", 6) == 0 && strncmp(filename + 6, base, n) == 0
           && (filename[6 + n] == '/' || filename[6 + n] == '\0');
}

/*
 * 1 when the backend that mod_proxy chose is the target's. A member of a balancer, which by then
 * stands in the balancer's place, is told by the balancer's name: its members come from the
 * configuration, as the target does.
 */
static int is_backend_of(const request_rec *r, const ai_target_t *target)
{
    const char *base = target->handler + strlen("proxy:");
    const char *name, *member;

    if (strcmp(target->scheme, "balancer") != 0) {
        return leads_to(r->filename, base);
    }
    name = apr_table_get(r->subprocess_env, "BALANCER_NAME");
    member = apr_table_get(r->subprocess_env, "BALANCER_WORKER_NAME");
    return name && member && ap_cstr_casecmp(name, base) == 0 && leads_to(r->filename, member);
}

/* mod_proxy does not heed what its hook "fixups" returns. It reads the body after it and before it
 * connects, though, and gives up where that fails. */
static void bar(ai_exchange_t *x)
{
    x->barred = 1;
    x->attempt->reason = "other-backend";
    x->attempt->retryable = 0;
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, x->air->r,
                  AI_LOGNO(0104) "target %s: the backend is another one than configured; nothing is "
                  "sent", x->attempt->target->name);
}

/* mod_proxy's hook "fixups": r->headers_in is a copy that is sent as we leave it. */
static int on_proxy_fixups(request_rec *r)
{
    ai_exchange_t *x = ai_exchange_of(r);
    const ai_target_t *target;
    const apr_array_header_t *all;
    apr_table_t *head;
    int i;

    if (!x) {
        return DECLINED;
    }
    target = x->attempt->target;
    head = apr_table_make(r->pool, 12);
    apr_table_setn(head, "Host", target->host ? target->host
                                              : apr_table_get(r->headers_in, "Host"));
    all = apr_table_elts(r->headers_in);
    for (i = 0; i < all->nelts; i++) {
        const apr_table_entry_t *entry = &APR_ARRAY_IDX(all, i, apr_table_entry_t);

        if (may_pass(x, entry->key)) {
            apr_table_addn(head, entry->key, entry->val);
        }
    }
    ai_explain_keep_back(head);
    apr_table_setn(head, "Accept-Encoding", "identity"); /* we read along */
    if (x->translates) {
        ai_translate_set_head(x, head);
    }
    apr_table_setn(head, "x-request-id", ai_note_get(x->air, AI_NOTE_REQUEST_ID));
    ai_trace_set_head(x->air, head);
    for (i = 0; i + 1 < target->headers->nelts; i += 2) {
        apr_table_setn(head, APR_ARRAY_IDX(target->headers, i, const char *),
                       APR_ARRAY_IDX(target->headers, i + 1, const char *));
    }
    if (!is_backend_of(r, target)) {
        bar(x);
    }
    else if (x->attempt->key) {
        target->dialect->set_key(head, r->pool, x->attempt->key);
    }
    r->headers_in = head;
    return OK;
}

void ai_upstream_register(apr_pool_t *p)
{
    (void)p;
    replay_filter =
        ap_register_input_filter("AI_REPLAY", filter_replay, NULL, AP_FTYPE_CONTENT_SET);
    /* An optional hook of mod_proxy's: no symbol of it is needed, in any load order. */
    APR_OPTIONAL_HOOK(proxy, fixups, on_proxy_fixups, NULL, NULL, APR_HOOK_REALLY_LAST);
}
