/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_gate.c - what of a target's answer does the caller see, and when?
 *
 * An output filter in front of all others. A failure must stay invisible as long as nothing of
 * the answer was shown, so the gate is shut until the answer proves to be one: a good status and,
 * in a stream, an event with content. Then it opens for good, and bytes pass as they come.
 *
 * A stream goes down in whole events. That delays nothing (a reader can do nothing with half an
 * event), it allows the usage that only we asked for to be left out, and when a target dies in
 * the middle of an event the caller gets a clean error event instead of broken JSON.
 *
 * Bytes that nothing has to change stay in the buckets that they came in.
 *
 * Lives in: r->pool, the connection's bucket allocator.  Shared state: none.
 * May block: writing to the caller.
 */

#include <apr_date.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_exchange.h"

static ap_filter_rec_t *gate_filter;

/* ------------------------------------------------------------------------- the head */

/* Headers of a provider's that say something of its connection to us, or of our account. */
static void clean_headers(apr_table_t *headers)
{
    static const char *const dropped[] = {
        "Set-Cookie", "Alt-Svc",   "Strict-Transport-Security", "OpenAI-Organization",
        "NEL",        "Report-To", "OpenAI-Project",
    };
    const char *id = apr_table_get(headers, "x-request-id");
    apr_size_t i;

    if (id) {
        apr_table_setn(headers, "ai-provider-request-id", id);
        apr_table_unset(headers, "x-request-id");
    }
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
    x->head_sent = 1;
    x->air->answered = 1;
}

static void open_gate(ai_exchange_t *x)
{
    request_rec *r = x->air->r;

    x->gate = GATE_OPEN;
    if (!x->air->priv->first_content) {
        x->air->priv->first_content = apr_time_now();
    }
    if (x->held) {
        APR_BRIGADE_CONCAT(x->out, x->held);
    }
    if (!x->head_sent) {
        clean_headers(r->headers_out);
        if (x->streams) {
            prepare_stream_head(r);
        }
        x->head_sent = 1;
        x->air->answered = 1;
    }
    ai_body_free(x->air); /* nothing is sent twice from here on; long streams are many */
}

/* ------------------------------------------------------------------------ a failure */

static void note_retry_after(ai_attempt_t *attempt, const apr_table_t *headers)
{
    const char *text = apr_table_get(headers, "retry-after-ms");
    apr_int64_t unit = 1;
    char *end;

    if (!text) {
        text = apr_table_get(headers, "retry-after");
        unit = 1000;
    }
    if (text && apr_isdigit(*text)) {
        apr_int64_t n = apr_strtoi64(text, &end, 10);

        if ((*end == '\0' || *end == '.') && n >= 0 && n < APR_INT64_C(1000000000)) {
            attempt->retry_after_ms = n * unit;
        }
    }
    else if (text) {
        apr_time_t date = apr_date_parse_http(text);

        if (date != APR_DATE_BAD) {
            apr_time_t left = date - apr_time_now();

            attempt->retry_after_ms = left > 0 ? apr_time_as_msec(left) : 0;
        }
    }
    text = apr_table_get(headers, "x-should-retry");
    if (text && strcmp(text, "false") == 0) {
        attempt->retryable = 0;
    }
}

/* From here on nothing of this answer passes. */
static void fail(ai_exchange_t *x, const char *reason, int status)
{
    x->gate = GATE_KEEP;
    x->keeping = 0;
    x->drained = 0;
    x->attempt->reason = reason;
    if (!x->attempt->status) {
        x->attempt->status = status;
    }
    apr_brigade_cleanup(x->held);
    note_retry_after(x->attempt, x->air->r->headers_out);
}

/* The same where the target said why: in the end that may be the best there is to tell. */
static void fail_saying(ai_exchange_t *x, const char *reason, int status, const char *type)
{
    fail(x, reason, status);
    x->keeping = 1;
    x->kept_len = 0;
    x->kept_whole = 1;
    x->kept_status = status;
    x->kept_type = type;
    x->kept_headers = x->air->r->headers_out;
}

static void keep_bytes(ai_exchange_t *x, const char *bytes, apr_size_t n)
{
    apr_size_t need = x->kept_len + n;

    if (need > AI_ERROR_MAX) {
        x->kept_whole = 0;
        return;
    }
    if (need > x->kept_size) {
        apr_size_t size = need <= 4096 ? 4096 : AI_ERROR_MAX;
        char *room = apr_palloc(x->air->r->pool, size);

        memcpy(room, x->kept, x->kept_len);
        x->kept = room;
        x->kept_size = size;
    }
    memcpy(x->kept + x->kept_len, bytes, n);
    x->kept_len = need;
}

/* Takes the rest of a failure's body, so that its connection can be used again; but not more than
 * we would keep: a target that goes on is cut off. */
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
                keep_bytes(x, bytes, n);
            }
        }
    }
    apr_brigade_cleanup(bb);
    return x->drained <= AI_ERROR_MAX ? APR_SUCCESS : APR_ECONNABORTED;
}

/* ---------------------------------------------------------------------- the verdict */

static int type_is(const request_rec *r, const char *type)
{
    apr_size_t n = strlen(type);

    return r->content_type && ap_cstr_casecmpn(r->content_type, type, n) == 0
           && (r->content_type[n] == '\0' || r->content_type[n] == ';'
               || r->content_type[n] == ' ');
}

/* Looks at the head of the answer, once: a failure, or something that may become an answer. */
static void judge(ai_exchange_t *x)
{
    request_rec *r = x->air->r;
    ai_attempt_t *attempt = x->attempt;
    int known = x->air->endpoint != AI_ENDPOINT_OTHER;
    int good = r->status >= 200 && r->status < 300;
    const char *coding = apr_table_get(r->headers_out, "Content-Encoding");

    x->judged = 1;
    attempt->status = r->status;
    x->streams = good && type_is(r, "text/event-stream");
    x->wants_object = good && known && !x->streams;
    if (r->status == HTTP_UNAUTHORIZED) {
        fail(x, "upstream-auth", HTTP_BAD_GATEWAY); /* it is our key that was refused */
    }
    else if (attempt->moves_on(attempt->baton, r->status) && !(attempt->final && !x->head_sent)) {
        fail_saying(x, "status", r->status, r->content_type);
    }
    else if (x->head_sent && !good) {
        fail_saying(x, "status", r->status, r->content_type);
    }
    else if (x->head_sent && !x->streams) {
        fail(x, "bad-answer", HTTP_BAD_GATEWAY);
    }
    else if (known
             && ((good && coding && ap_cstr_casecmp(coding, "identity") != 0)
                 || (x->wants_object && !type_is(r, "application/json"))
                 || ap_is_HTTP_REDIRECT(r->status))) {
        fail(x, "bad-answer", HTTP_BAD_GATEWAY);
    }
    if (x->gate != GATE_PENDING) {
        return;
    }
    if (x->streams) {
        x->sse = ai_sse_create(r->pool, AI_EVENT_MAX);
        x->stream.endpoint = x->air->endpoint;
        x->stream.hide_usage = attempt->target->stream_usage && !x->air->ask.wants_usage
                               && x->air->endpoint == AI_ENDPOINT_CHAT;
        x->stream.usage = AI_USAGE_UNKNOWN;
    }
    else if (x->wants_object || type_is(r, "application/json")) {
        x->pick = ai_pick_create(r->pool, attempt->target->dialect->answer_members, AI_MEMBER_MAX);
    }
}

/* ------------------------------------------------------------------------- a stream */

static int in_chunk(const ai_exchange_t *x, ai_slice_t s)
{
    return s.p >= x->chunk.p && s.p + s.n <= x->chunk.p + x->chunk.n;
}

static void write_run(ai_exchange_t *x)
{
    if (x->run.n) {
        apr_brigade_write(x->gate == GATE_OPEN ? x->out : x->held, NULL, NULL, x->run.p, x->run.n);
    }
    x->run = (ai_slice_t){ NULL, 0 };
}

/* Lets bytes pass: as part of the bucket they lie in where that is possible, else copied. */
static void emit(ai_exchange_t *x, ai_slice_t bytes)
{
    if (!bytes.n) {
        return;
    }
    if (x->run.n && x->run.p + x->run.n == bytes.p) {
        x->run.n += bytes.n;
        return;
    }
    write_run(x);
    x->run = bytes;
    if (!in_chunk(x, bytes)) {
        write_run(x); /* it lies in the reader's buffer, which does not last */
    }
}

static void emit_event(ai_exchange_t *x, const ai_sse_event_t *event)
{
    ai_slice_t raw = event->raw, cut = x->stream.cut;

    if (cut.p) {
        emit(x, (ai_slice_t){ raw.p, (apr_size_t)(cut.p - raw.p) });
        raw.n = (apr_size_t)(raw.p + raw.n - (cut.p + cut.n));
        raw.p = cut.p + cut.n;
    }
    emit(x, raw);
}

/* An event before the gate is open. */
static apr_status_t weigh_event(ai_exchange_t *x, const ai_sse_event_t *event, ai_event_e kind)
{
    switch (kind) {
    case AI_EVENT_COMMENT:
    case AI_EVENT_LIFECYCLE:
        x->held_bytes += event->raw.n;
        emit_event(x, event);
        if (x->held_bytes > AI_HOLD_MAX) {
            write_run(x);
            open_gate(x);
        }
        return APR_SUCCESS;
    case AI_EVENT_ERROR:
        fail_saying(x, "error-event", HTTP_BAD_GATEWAY, "application/json");
        keep_bytes(x, event->data.p, event->data.n);
        return APR_EOF;
    case AI_EVENT_GARBAGE:
        if (!event->complete) {
            x->cut_short = 1;
            return APR_SUCCESS;
        }
        fail(x, "bad-answer", HTTP_BAD_GATEWAY);
        return APR_EOF;
    default:
        write_run(x);
        open_gate(x);
        if (kind != AI_EVENT_USAGE || !x->stream.hide_usage) {
            emit_event(x, event);
        }
        return APR_SUCCESS;
    }
}

static apr_status_t on_event(void *baton, const ai_sse_event_t *event)
{
    ai_exchange_t *x = baton;
    ai_event_e kind =
        x->attempt->target->dialect->read_event(x->air->r->pool, &x->stream, event);

    if (x->gate == GATE_PENDING) {
        return weigh_event(x, event, kind);
    }
    if (kind == AI_EVENT_GARBAGE) {
        x->cut_short = 1;
        return event->complete ? APR_EGENERAL : APR_SUCCESS;
    }
    if (kind != AI_EVENT_USAGE || !x->stream.hide_usage) {
        emit_event(x, event);
    }
    return APR_SUCCESS;
}

/* Reads what one bucket brought; moves the whole bucket to out when all of it passes. */
static apr_status_t feed_stream(ai_exchange_t *x, apr_bucket *b)
{
    const char *bytes;
    apr_size_t n;
    apr_status_t rv = apr_bucket_read(b, &bytes, &n, APR_BLOCK_READ);

    if (rv != APR_SUCCESS || !n) {
        return rv;
    }
    x->chunk = (ai_slice_t){ bytes, n };
    rv = ai_sse_feed(x->sse, bytes, n, on_event, x);
    if (x->gate == GATE_OPEN && x->run.p == bytes && x->run.n == n) {
        x->run = (ai_slice_t){ NULL, 0 };
        APR_BUCKET_REMOVE(b);
        APR_BRIGADE_INSERT_TAIL(x->out, b);
    }
    else if (x->gate == GATE_OPEN || x->gate == GATE_PENDING) {
        write_run(x);
    }
    x->run = x->chunk = (ai_slice_t){ NULL, 0 };
    return rv;
}

/* The answer is complete as far as it goes: what it told becomes the request's. */
static void close_books(ai_exchange_t *x)
{
    ai_request_t *air = x->air;

    if (x->streams) {
        air->usage = x->stream.usage;
        air->finish = x->stream.finish;
    }
    else if (x->pick) {
        x->attempt->target->dialect->read_answer(air->endpoint, x->pick, &air->usage,
                                                 &air->finish);
        if (x->wants_object && ai_pick_state(x->pick) != AI_PICK_DONE) {
            air->finish = AI_FINISH_ERROR;
        }
    }
    if (x->began) {
        air->priv->upstream_time += apr_time_now() - x->began;
        x->began = 0;
    }
}

static apr_status_t pass_out(ai_exchange_t *x)
{
    apr_status_t rv;

    if (APR_BRIGADE_EMPTY(x->out)) {
        return APR_SUCCESS;
    }
    rv = ap_pass_brigade(x->gate_filter->next, x->out);
    apr_brigade_cleanup(x->out);
    x->last_out = apr_time_now();
    return rv;
}

static apr_status_t pass_end(ai_exchange_t *x)
{
    ai_request_settle(x->air); /* before the caller can know that it is over */
    x->ended = 1;
    APR_BRIGADE_INSERT_TAIL(x->out, apr_bucket_eos_create(x->gate_filter->c->bucket_alloc));
    return pass_out(x);
}

apr_status_t ai_gate_end_stream(ai_exchange_t *x, const ai_error_t *error)
{
    ai_slice_t text = x->air->dialect->write_error_event(x->air->r->pool, error);

    apr_brigade_write(x->out, NULL, NULL, text.p, text.n);
    if (x->streams) {
        close_books(x);
    }
    x->air->finish = AI_FINISH_ERROR;
    x->gate = GATE_SHUT;
    return pass_end(x);
}

static apr_status_t end_with(ai_exchange_t *x, const char *code, const char *message)
{
    ai_error_t error = { HTTP_BAD_GATEWAY, code, message, NULL };

    return ai_gate_end_stream(x, &error);
}

/* The target's stream is at its end (or broke: then without an end). */
static apr_status_t end_stream(ai_exchange_t *x, int broke)
{
    ai_sse_end(x->sse, on_event, x);
    if (x->gate == GATE_PENDING) {
        if (broke || x->cut_short || x->air->endpoint != AI_ENDPOINT_OTHER) {
            fail(x, "broken", HTTP_BAD_GATEWAY);
            return APR_SUCCESS;
        }
        open_gate(x);
    }
    if (x->gate != GATE_OPEN) {
        return APR_SUCCESS;
    }
    write_run(x);
    if (x->stream.finish == AI_FINISH_ERROR) {
        broke = 0; /* the target has said so itself */
    }
    else if (x->air->endpoint == AI_ENDPOINT_CHAT && !x->stream.done
             && x->stream.finish == AI_FINISH_NONE) {
        broke = 1;
    }
    if ((broke && !x->stream.done) || x->cut_short) {
        return end_with(x, "stream_broken",
                        "The provider's stream broke off before the answer was complete.");
    }
    close_books(x);
    return pass_end(x);
}

/* --------------------------------------------------------------------- the whole body */

static void feed_pick(ai_exchange_t *x, apr_bucket *b)
{
    const char *bytes;
    apr_size_t n;

    if (x->pick && apr_bucket_read(b, &bytes, &n, APR_BLOCK_READ) == APR_SUCCESS) {
        ai_pick_feed(x->pick, bytes, n);
    }
}

/* 1 when what has come so far shows that it is an answer; a failure is dealt with here. */
static int proves_itself(ai_exchange_t *x, int at_end)
{
    if (!x->wants_object) {
        return 1;
    }
    switch (ai_pick_state(x->pick)) {
    case AI_PICK_INSIDE:
    case AI_PICK_DONE:
        return 1;
    case AI_PICK_BEFORE:
        if (!at_end) {
            return 0; /* white space: some providers send it to keep a connection busy */
        }
        break;
    default:
        break;
    }
    fail(x, "bad-answer", HTTP_BAD_GATEWAY);
    return 0;
}

static apr_status_t pass_body(ai_exchange_t *x, apr_bucket_brigade *bb, int at_end)
{
    int broke = 0, data = 0;

    while (!APR_BRIGADE_EMPTY(bb)) {
        apr_bucket *b = APR_BRIGADE_FIRST(bb);

        APR_BUCKET_REMOVE(b);
        if (APR_BUCKET_IS_EOS(b)) {
            apr_bucket_destroy(b);
            continue;
        }
        if (APR_BUCKET_IS_METADATA(b)) {
            broke = broke || AP_BUCKET_IS_ERROR(b) || AP_BUCKET_IS_EOC(b);
        }
        else {
            data = 1;
            feed_pick(x, b);
            if (x->gate == GATE_PENDING) {
                apr_bucket_setaside(b, x->air->r->pool);
            }
        }
        APR_BRIGADE_INSERT_TAIL(x->gate == GATE_OPEN ? x->out : x->held, b);
    }
    if (x->gate == GATE_PENDING && (data || at_end)) {
        if (!proves_itself(x, at_end)) {
            return APR_SUCCESS;
        }
        open_gate(x);
    }
    if (!at_end) {
        return x->gate == GATE_OPEN ? pass_out(x) : APR_SUCCESS;
    }
    close_books(x);
    if (broke) {
        x->air->finish = AI_FINISH_ERROR; /* its length shows the caller that a part is missing */
    }
    return pass_end(x);
}

void ai_gate_cut(ai_exchange_t *x)
{
    if (x->streams) {
        end_stream(x, 1);
        return;
    }
    close_books(x);
    x->air->finish = AI_FINISH_ERROR;
    APR_BRIGADE_INSERT_TAIL(x->out, ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, x->air->r->pool,
                                                           x->gate_filter->c->bucket_alloc));
    pass_end(x);
}

/* ------------------------------------------------------------------------ the filter */

static apr_status_t pass_stream(ai_exchange_t *x, apr_bucket_brigade *bb, int at_end, int broke)
{
    apr_bucket *b, *next;
    apr_status_t rv = APR_SUCCESS;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = next) {
        next = APR_BUCKET_NEXT(b);
        if (APR_BUCKET_IS_FLUSH(b) && x->gate == GATE_OPEN) {
            APR_BUCKET_REMOVE(b);
            APR_BRIGADE_INSERT_TAIL(x->out, b);
        }
        else if (!APR_BUCKET_IS_METADATA(b)) {
            rv = feed_stream(x, b);
        }
        if (rv != APR_SUCCESS) {
            break;
        }
    }
    apr_brigade_cleanup(bb);
    if (x->gate == GATE_KEEP) {
        return APR_ECONNABORTED; /* what is left of a stream is not worth draining */
    }
    if (rv != APR_SUCCESS && x->gate == GATE_PENDING) {
        fail(x, "bad-answer", HTTP_BAD_GATEWAY);
        return APR_ECONNABORTED;
    }
    if (rv != APR_SUCCESS) {
        end_with(x, "invalid_stream", "The provider sent an event that cannot be read.");
        return APR_ECONNABORTED; /* mod_proxy drops the target */
    }
    if (at_end || broke) {
        return end_stream(x, broke);
    }
    return pass_out(x);
}

static apr_status_t filter_gate(ap_filter_t *f, apr_bucket_brigade *bb)
{
    ai_exchange_t *x = f->ctx;
    apr_bucket *b;
    int at_end = 0, broke = 0;

    if (x->gate == GATE_IDLE) {
        return ap_pass_brigade(f->next, bb);
    }
    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = APR_BUCKET_NEXT(b)) {
        at_end = at_end || APR_BUCKET_IS_EOS(b);
        broke = broke || AP_BUCKET_IS_ERROR(b) || AP_BUCKET_IS_EOC(b);
        x->got_body = x->got_body || !APR_BUCKET_IS_METADATA(b);
    }
    if (x->gate == GATE_PENDING && broke && !x->streams) {
        fail(x, "broken", HTTP_BAD_GATEWAY);
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
        return x->streams ? pass_stream(x, bb, at_end, broke) : pass_body(x, bb, at_end);
    }
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
    x->judged = x->streams = x->wants_object = x->got_body = x->cut_short = 0;
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
