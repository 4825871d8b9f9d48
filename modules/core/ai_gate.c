/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_gate.c - is this the answer that the caller will see?
 *
 * An output filter in front of all others. A failure must stay invisible as long as nothing of
 * the answer was shown, so the gate is shut until the answer proves to be one: a good status and,
 * in a stream, an event with content. Then it opens for good, and bytes pass as they come
 * (ai_flow.c). Of a failure that says why, the body is kept: it may be the last word.
 *
 * Lives in: r->pool, the connection's bucket allocator.  Shared state: none.
 * May block: writing to the caller.
 */

#include <apr_strings.h>

#include "ai_exchange.h"
#include "ai_span.h"

static ap_filter_rec_t *gate_filter;

/* ------------------------------------------------------------------------- the head */

/* Headers of a provider's that say something of its connection to us, or of our account. */
static void clean_headers(apr_table_t *headers, const ai_dialect_t *dialect)
{
    static const char *const dropped[] = {
        "Set-Cookie", "Alt-Svc",   "Strict-Transport-Security", "OpenAI-Organization",
        "NEL",        "Report-To", "OpenAI-Project",
        "anthropic-organization-id",
    };
    apr_size_t i;

    apr_table_unset(headers, dialect->id_header);
    apr_table_unset(headers, "x-request-id");
    for (i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++) {
        apr_table_unset(headers, dropped[i]);
    }
}

static void prepare_stream_head(request_rec *r)
{
    apr_table_unset(r->headers_out, "Content-Length");
    apr_table_setn(r->subprocess_env, "no-gzip", "1");
    apr_table_setn(r->subprocess_env, "no-brotli", "1");
    if (!apr_table_get(r->headers_out, "Cache-Control")) {
        apr_table_setn(r->headers_out, "Cache-Control", "no-cache");
    }
    apr_table_setn(r->headers_out, "X-Accel-Buffering", "no"); /* for an nginx in front */
}

/* A head of our own, with what the target's said that a caller can use. */
static void translate_head(ai_exchange_t *x, int streams)
{
    request_rec *r = x->air->r;
    const apr_table_t *from = r->headers_out;

    r->headers_out = apr_table_copy(r->pool, x->headers_out);
    ai_translate_headers(x, x->attempt->target->dialect, from, r->headers_out);
    r->content_encoding = NULL;
    ap_set_content_type(r, streams ? "text/event-stream" : "application/json");
}

void ai_gate_open_stream(ai_exchange_t *x)
{
    request_rec *r = x->air->r;

    if (x->head_sent) {
        return;
    }
    r->status = HTTP_OK;
    r->status_line = NULL;
    r->headers_out = apr_table_make(r->pool, 4);
    ap_set_content_type(r, "text/event-stream");
    prepare_stream_head(r);
    ai_translate_show_loss(x);
    ai_explain_show(x->air, r->headers_out);
    x->head_sent = 1;
    x->air->answered = 1;
}

void ai_gate_open(ai_exchange_t *x)
{
    request_rec *r = x->air->r;

    x->gate = GATE_OPEN;
    x->air->priv->head = x->head_came;
    ai_explain_attempt(x->air, "answers", x->attempt);
    ai_exchange_take_id(x, x->attempt->target->dialect, r->headers_out);
    if (!x->air->priv->first_content) {
        x->air->priv->first_content = apr_time_now();
    }
    if (x->held) {
        APR_BRIGADE_CONCAT(x->out, x->held);
    }
    if (!x->head_sent) {
        /* What was translated is a stream where one was asked for, also when it came whole. */
        int streams = x->translates ? x->air->ask.stream && r->status < 300 : x->streams;

        if (x->translates) {
            translate_head(x, streams);
        }
        else {
            clean_headers(r->headers_out, x->attempt->target->dialect);
        }
        ai_exchange_show_id(x, r->headers_out);
        ai_explain_keep_back(r->headers_out);
        ai_explain_show(x->air, r->headers_out);
        ai_translate_show_loss(x);
        if (streams) {
            prepare_stream_head(r);
        }
        x->head_sent = 1;
        x->air->answered = 1;
    }
    if (x->slices) {
        x->slice = x->slices->nelts;
    }
    ai_body_free(x->air); /* nothing is sent twice from here on; long streams are many */
}

/* ------------------------------------------------------------------------ a failure */

/* Whether and when the provider wants to be asked again. Some say it more exactly than RFC 9110 can. */
static void note_retry(const request_rec *r, ai_attempt_t *attempt)
{
    const char *ms = apr_table_get(r->headers_out, "retry-after-ms");
    const char *should = apr_table_get(r->headers_out, "x-should-retry");
    apr_int64_t span = ms ? ai_span_ms(apr_pstrcat(r->pool, ms, "ms", NULL), 0) : -1;

    attempt->retry_after_ms =
        span >= 0 ? span : ai_span_ms(apr_table_get(r->headers_out, "retry-after"), apr_time_now());
    if (should && strcmp(should, "false") == 0) {
        attempt->retryable = 0;
    }
}

/* From here on nothing of this answer passes. */
void ai_gate_fail(ai_exchange_t *x, const char *reason, int status)
{
    x->gate = GATE_KEEP;
    x->keeping = 0;
    x->drained = 0;
    x->failed_at = apr_time_now();
    x->attempt->reason = reason;
    if (!x->attempt->status) {
        x->attempt->status = status;
    }
    apr_brigade_cleanup(x->held);
    note_retry(x->air->r, x->attempt);
}

/* The same where the target said why: in the end that may be the best there is to tell. */
void ai_gate_fail_saying(ai_exchange_t *x, const char *reason, int status)
{
    ai_gate_fail(x, reason, status);
    x->keeping = 1;
    x->kept_len = 0;
    x->kept_whole = 1;
    x->kept_status = status;
    x->kept_event = x->streams;
    x->kept_dialect = x->attempt->target->dialect;
    x->kept_headers = x->air->r->headers_out;
}

void ai_gate_keep(ai_exchange_t *x, const char *bytes, apr_size_t n)
{
    apr_size_t need = x->kept_len + n;

    if (need > AI_ERROR_MAX) {
        x->kept_whole = 0;
        return;
    }
    if (need > x->kept_size) {
        apr_size_t size = need <= 4096 ? 4096 : AI_ERROR_MAX;
        char *room = apr_palloc(x->air->r->pool, size);

        if (x->kept_len) {
            memcpy(room, x->kept, x->kept_len);
        }
        x->kept = room;
        x->kept_size = size;
    }
    memcpy(x->kept + x->kept_len, bytes, n);
    x->kept_len = need;
}

/* Takes the rest of a failure's body, so that its connection can be used again; but not more than
 * we would keep, nor for long (ai_watch.c): a target that goes on is cut off. So is one whose
 * answer made no sense: what else may lie on its connection should meet nobody. */
static apr_status_t keep(ai_exchange_t *x, apr_bucket_brigade *bb)
{
    apr_bucket *b;
    const char *bytes;
    apr_size_t n;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = APR_BUCKET_NEXT(b)) {
        if (!APR_BUCKET_IS_METADATA(b)
            && apr_bucket_read(b, &bytes, &n, APR_BLOCK_READ) == APR_SUCCESS) {
            x->drained += n;
            if (x->keeping) {
                ai_gate_keep(x, bytes, n);
            }
        }
    }
    apr_brigade_cleanup(bb);
    return x->keeping && x->drained <= AI_ERROR_MAX ? APR_SUCCESS : APR_ECONNABORTED;
}

/* ---------------------------------------------------------------------- the verdict */

static int type_is(const request_rec *r, const char *type)
{
    apr_size_t n = strlen(type);

    return r->content_type && ap_cstr_casecmpn(r->content_type, type, n) == 0
           && (r->content_type[n] == '\0' || r->content_type[n] == ';'
               || r->content_type[n] == ' ');
}

/* 1 when an answer of that status blames the key, and another key can be tried in its place. */
static int has_spare(const ai_exchange_t *x, int status)
{
    int spare = status == 402 || status == HTTP_FORBIDDEN      ? AI_SPARE_REFUSED
                : status == HTTP_TOO_MANY_REQUESTS             ? AI_SPARE_LIMITED
                                                               : 0;

    return (x->attempt->spare & spare) && ai_upload_can_repeat(x->air);
}

/* Looks at the head of the answer, once: a failure, or something that may become an answer. */
static void judge(ai_exchange_t *x)
{
    request_rec *r = x->air->r;
    ai_attempt_t *attempt = x->attempt;
    int known = !ai_endpoint_passes(x->air->endpoint);
    int good = r->status >= 200 && r->status < 300;
    const char *coding = apr_table_get(r->headers_out, "Content-Encoding");

    x->judged = 1;
    x->head_came = apr_time_now();
    attempt->status = r->status;
    x->streams = good && type_is(r, "text/event-stream");
    x->wants_object = good && ai_endpoint_gives_object(x->air->endpoint) && !x->streams;
    if (r->status == HTTP_OK && !r->content_type && apr_is_empty_table(r->headers_out)) {
        /* No head at all: left-overs of what this connection was used for before, or "HTTP/0.9".
         * On a pooled connection it counts as stale (ai_exchange.c). */
        ai_gate_fail(x, "bad-answer", HTTP_BAD_GATEWAY);
        x->judged = 0;
    }
    else if (r->status == HTTP_UNAUTHORIZED) {
        /* It is our key that was refused, and would be again. */
        ai_gate_fail(x, "upstream-auth", HTTP_BAD_GATEWAY);
        attempt->retryable = 0;
    }
    else if (has_spare(x, r->status)
             || (attempt->moves_on(attempt->baton, r->status)
                 && !(attempt->final && !x->head_sent))) {
        ai_gate_fail_saying(x, "status", r->status);
    }
    else if (x->head_sent && !good) {
        ai_gate_fail_saying(x, "status", r->status);
    }
    else if ((x->head_sent && !x->streams) || (x->translates && x->streams && !x->air->ask.stream)) {
        ai_gate_fail(x, "bad-answer", HTTP_BAD_GATEWAY);
    }
    else if (known
             && ((good && coding && ap_cstr_casecmp(coding, "identity") != 0)
                 || (x->wants_object && !type_is(r, "application/json"))
                 || (good && type_is(r, "text/html"))
                 || ap_is_HTTP_REDIRECT(r->status))) {
        ai_gate_fail(x, "bad-answer", HTTP_BAD_GATEWAY);
    }
    if (good && attempt->accepted) {
        attempt->accepted(attempt->turn);
    }
    if (x->gate != GATE_PENDING) {
        return;
    }
    if (x->streams) {
        x->sse = ai_sse_create(r->pool, AI_EVENT_MAX);
        x->stream.endpoint = x->air->endpoint;
        x->stream.hide_usage = attempt->target->stream_usage && !x->air->ask.wants_usage
                               && ai_endpoint_gives_chunks(x->air->endpoint);
        x->stream.usage = AI_USAGE_UNKNOWN;
        if (x->translates) {
            ai_translate_begin_stream(x);
        }
    }
    else if (x->translates) {
        x->stream.endpoint = x->air->endpoint;
    }
    else if (x->wants_object || type_is(r, "application/json")) {
        x->pick = ai_pick_create(r->pool, attempt->target->dialect->answer_members, AI_MEMBER_MAX);
    }
}

/* ------------------------------------------------------------------------ the filter */

static apr_status_t filter_gate(ap_filter_t *f, apr_bucket_brigade *bb)
{
    ai_exchange_t *x = f->ctx;
    apr_bucket *b;
    int at_end = 0, broke = 0;

    if (x->gate == GATE_IDLE) {
        return ap_pass_brigade(f->next, bb);
    }
    if (x->client_gone || f->c->aborted) {
        x->gate = GATE_SHUT; /* there is nobody to tell how it ended */
    }
    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = APR_BUCKET_NEXT(b)) {
        at_end = at_end || APR_BUCKET_IS_EOS(b);
        broke = broke || AP_BUCKET_IS_ERROR(b) || AP_BUCKET_IS_EOC(b);
        x->got_body = x->got_body || !APR_BUCKET_IS_METADATA(b);
    }
    if (x->gate == GATE_PENDING && broke && !x->streams) {
        ai_gate_fail(x, "broken", HTTP_BAD_GATEWAY);
    }
    else if (x->gate == GATE_PENDING && !x->judged && !broke) {
        judge(x);
    }
    switch (x->gate) {
    case GATE_KEEP:
        return keep(x, bb);
    case GATE_SHUT:
        apr_brigade_cleanup(bb);
        return at_end || broke ? APR_SUCCESS : APR_ECONNABORTED;
    default:
        return x->streams      ? ai_flow_stream(x, bb, at_end, broke)
               : x->translates ? ai_flow_whole(x, bb, at_end)
                               : ai_flow_body(x, bb, at_end);
    }
}

void ai_gate_end(ai_exchange_t *x)
{
    apr_bucket_alloc_t *alloc = x->gate_filter->c->bucket_alloc;
    apr_bucket_brigade *bb = apr_brigade_create(x->air->r->pool, alloc);

    if (x->gate == GATE_OPEN && x->wants_object && ai_pick_state(x->pick) != AI_PICK_DONE) {
        /* Such a body cannot say that a part is missing; what it held so far does. */
        APR_BRIGADE_INSERT_TAIL(
            bb, ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, x->air->r->pool, alloc));
    }
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(alloc));
    filter_gate(x->gate_filter, bb);
}

void ai_gate_begin(ai_exchange_t *x)
{
    request_rec *r = x->air->r;

    if (!x->gate_filter) {
        x->gate_filter = ap_add_output_filter_handle(gate_filter, x, r, r->connection);
        x->out = apr_brigade_create(r->pool, r->connection->bucket_alloc);
        x->held = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    }
    apr_brigade_cleanup(x->out);
    apr_brigade_cleanup(x->held);
    x->gate = GATE_PENDING;
    x->judged = x->streams = x->wants_object = x->got_body = 0;
    x->broke = x->cut_short = x->unended = x->hid_last = x->keeping = 0;
    x->held_bytes = 0;
    x->run = x->chunk = (ai_slice_t){ NULL, 0 };
    x->sse = NULL;
    x->pick = NULL;
    memset(&x->stream, 0, sizeof(x->stream));
}

void ai_gate_register(apr_pool_t *p)
{
    (void)p;
    /* In front of all others, so that none of them ever sees an attempt that failed. */
    gate_filter = ap_register_output_filter("AI_GATE", filter_gate, NULL, AP_FTYPE_RESOURCE - 5);
}
