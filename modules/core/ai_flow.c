/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_flow.c - what of an answer passes, and what is read on the way?
 *
 * A stream goes down in whole events. That delays nothing (a reader can do nothing with half an
 * event), it allows the usage that only we asked for to be left out, and when a target dies in
 * the middle of an event the caller gets a clean error event instead of broken JSON. A whole body
 * passes chunk by chunk.
 *
 * Bytes that nothing has to change stay in the buckets that they came in.
 *
 * Lives in: r->pool, the connection's bucket allocator.  Shared state: none.
 * May block: writing to the caller.
 */

#include "ai_exchange.h"

/* ------------------------------------------------------------------------- an event */

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

static void emit_written(ai_exchange_t *x, ai_write_t *out)
{
    apr_bucket_brigade *to = x->gate == GATE_OPEN ? x->out : x->held;
    apr_array_header_t *slices = ai_write_end(out);
    int i;

    for (i = 0; i < slices->nelts; i++) {
        ai_slice_t slice = APR_ARRAY_IDX(slices, i, ai_slice_t);

        apr_brigade_write(to, NULL, NULL, slice.p, slice.n);
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

/* Lets an event pass, but for usage that only we asked for; and a LF that comes alone is the rest
 * of the line end of what came before it. */
static apr_status_t pass_event(ai_exchange_t *x, const ai_sse_event_t *event, ai_event_e kind)
{
    ai_write_t out;
    int hide;

    if (x->translates) {
        int good = ai_translate_event(x, event, kind, &out);

        emit_written(x, &out);
        return good ? APR_SUCCESS : APR_EGENERAL;
    }
    hide = (kind == AI_EVENT_USAGE && x->stream.hide_usage)
           || (x->hid_last && event->raw.n == 1 && *event->raw.p == '\n');

    x->hid_last = hide;
    if (!hide) {
        emit_event(x, event);
    }
    return APR_SUCCESS;
}

/* An event before the gate is open. */
static apr_status_t weigh_event(ai_exchange_t *x, const ai_sse_event_t *event, ai_event_e kind)
{
    switch (kind) {
    case AI_EVENT_COMMENT:
    case AI_EVENT_LIFECYCLE:
        x->held_bytes += event->raw.n;
        if (pass_event(x, event, kind) != APR_SUCCESS) {
            ai_gate_fail(x, "bad-answer", HTTP_BAD_GATEWAY);
            return APR_EOF;
        }
        if (x->held_bytes > AI_HOLD_MAX) {
            write_run(x);
            ai_gate_open(x);
        }
        return APR_SUCCESS;
    case AI_EVENT_ERROR:
        ai_gate_fail_saying(x, "error-event", HTTP_BAD_GATEWAY);
        ai_gate_keep(x, event->data.p, event->data.n);
        return APR_EOF;
    case AI_EVENT_GARBAGE:
        if (!event->complete) {
            x->cut_short = 1;
            return APR_SUCCESS;
        }
        ai_gate_fail(x, "bad-answer", HTTP_BAD_GATEWAY);
        return APR_EOF;
    default:
        write_run(x);
        ai_gate_open(x);
        return pass_event(x, event, kind);
    }
}

static apr_status_t on_event(void *baton, const ai_sse_event_t *event)
{
    ai_exchange_t *x = baton;
    ai_event_e kind;

    if (!event->complete && (x->broke || !event->data.p)) {
        x->cut_short = 1; /* half an event is none; what follows must not stick to it */
        return APR_SUCCESS;
    }
    /* A CR may be half of a line end. */
    x->unended = !x->translates
                 && (!event->complete || event->raw.p[event->raw.n - 1] == '\r');
    kind = x->attempt->target->dialect->read_event(x->air->r->pool, &x->stream, event);
    if (x->gate == GATE_PENDING) {
        return weigh_event(x, event, kind);
    }
    if (kind == AI_EVENT_GARBAGE) {
        x->cut_short = 1;
        return event->complete ? APR_EGENERAL : APR_SUCCESS;
    }
    return pass_event(x, event, kind);
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

    if (x->streams || x->translates) {
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
    else if (!ai_endpoint_passes(air->endpoint)) {
        air->finish = AI_FINISH_STOP; /* audio, plain text */
    }
    if (air->r->status >= 400 && !x->streams) {
        air->finish = AI_FINISH_ERROR;
    }
    ai_exchange_stop_clock(x);
}

static apr_status_t pass_on(ai_exchange_t *x)
{
    apr_status_t rv = ap_pass_brigade(x->gate_filter->next, x->out);

    apr_brigade_cleanup(x->out);
    x->last_out = apr_time_now();
    return rv;
}

static apr_status_t pass_out(ai_exchange_t *x)
{
    if (APR_BRIGADE_EMPTY(x->out)) {
        return APR_SUCCESS;
    }
    ai_run_ai_observe(x->air, x->out);
    return pass_on(x);
}

static apr_status_t pass_end(ai_exchange_t *x)
{
    x->ended = 1;
    APR_BRIGADE_INSERT_TAIL(x->out, apr_bucket_eos_create(x->gate_filter->c->bucket_alloc));
    ai_run_ai_observe(x->air, x->out); /* first, so that who settles has seen all of it */
    ai_request_settle(x->air);         /* before the caller can know that it is over */
    return pass_on(x);
}

apr_status_t ai_flow_end_stream(ai_exchange_t *x, const ai_error_t *error)
{
    ai_slice_t text = x->air->dialect->write_error_event(x->air->r->pool, error);

    if (x->unended) {
        apr_brigade_puts(x->out, NULL, NULL, "\n\n");
    }
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

    return ai_flow_end_stream(x, &error);
}

/* 1 for streams that without an end of their own are not whole. Of speech, images and the like there
 * are other versions than OpenAI's, which end as they please. */
static int must_tell_end(ai_endpoint_e endpoint)
{
    return ai_endpoint_gives_chunks(endpoint) || endpoint == AI_ENDPOINT_RESPONSES;
}

/* The target's stream is at its end (or broke: then without an end). */
static apr_status_t end_stream(ai_exchange_t *x, int broke)
{
    ai_write_t out;

    x->broke = broke;
    ai_sse_end(x->sse, on_event, x);
    if (x->gate == GATE_PENDING) {
        if (broke || x->cut_short || !ai_endpoint_passes(x->air->endpoint)) {
            ai_gate_fail(x, "broken", HTTP_BAD_GATEWAY);
            return APR_SUCCESS;
        }
        ai_gate_open(x);
    }
    if (x->gate != GATE_OPEN) {
        return APR_SUCCESS;
    }
    write_run(x);
    if (x->stream.finish == AI_FINISH_ERROR) {
        broke = 0; /* the target has said so itself */
    }
    else if (must_tell_end(x->air->endpoint) && !x->stream.done
             && x->stream.finish == AI_FINISH_NONE) {
        broke = 1;
    }
    if ((broke || x->cut_short) && !x->stream.done) {
        return end_with(x, "stream_broken",
                        "The provider's stream broke off before the answer was complete.");
    }
    if (x->translates) {
        apr_pool_clear(x->event_pool);
        ai_write_begin(x->event_pool, &out);
        ai_translate_end(x, &out);
        emit_written(x, &out);
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
    ai_gate_fail(x, "bad-answer", HTTP_BAD_GATEWAY);
    return 0;
}

apr_status_t ai_flow_body(ai_exchange_t *x, apr_bucket_brigade *bb, int at_end)
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
        ai_gate_open(x);
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

/* What came whole is an answer in the target's dialect, or an error: tells it in the caller's. */
static apr_status_t pass_translated(ai_exchange_t *x)
{
    request_rec *r = x->air->r;
    int good = r->status >= 200 && r->status < 300;
    ai_slice_t body;
    ai_write_t out;
    char *bytes;
    apr_size_t n;

    if (apr_brigade_pflatten(x->held, &bytes, &n, r->pool) != APR_SUCCESS) {
        n = 0;
    }
    apr_brigade_cleanup(x->held);
    body = (ai_slice_t){ n ? bytes : "", n };
    ai_write_begin(r->pool, &out);
    if (!good) {
        ai_translate_error(x, body, &out);
    }
    else if (!ai_translate_answer(x, body, &out)) {
        ai_gate_fail(x, "bad-answer", HTTP_BAD_GATEWAY);
        return APR_SUCCESS;
    }
    ai_gate_open(x);
    if (!x->air->ask.stream || !good) {
        ap_set_content_length(r, (apr_off_t)out.total);
    }
    emit_written(x, &out);
    close_books(x);
    return pass_end(x);
}

apr_status_t ai_flow_whole(ai_exchange_t *x, apr_bucket_brigade *bb, int at_end)
{
    apr_int64_t limit = ai_core_number(x->air->r, AI_BODY_LIMIT);
    const char *bytes;
    apr_bucket *b;
    apr_size_t n;

    while (!APR_BRIGADE_EMPTY(bb)) {
        b = APR_BRIGADE_FIRST(bb);
        APR_BUCKET_REMOVE(b);
        if (APR_BUCKET_IS_METADATA(b)) {
            apr_bucket_destroy(b);
            continue;
        }
        if (apr_bucket_read(b, &bytes, &n, APR_BLOCK_READ) == APR_SUCCESS) {
            apr_bucket_setaside(b, x->air->r->pool);
            x->held_bytes += n;
        }
        APR_BRIGADE_INSERT_TAIL(x->held, b);
    }
    if ((apr_int64_t)x->held_bytes > limit) {
        ai_gate_fail(x, "bad-answer", HTTP_BAD_GATEWAY);
        return APR_ECONNABORTED;
    }
    return at_end ? pass_translated(x) : APR_SUCCESS;
}

apr_status_t ai_flow_stream(ai_exchange_t *x, apr_bucket_brigade *bb, int at_end, int broke)
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
        ai_gate_fail(x, "bad-answer", HTTP_BAD_GATEWAY);
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

