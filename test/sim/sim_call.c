/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_call.c - how is one call played, and where does the script bite?
 *
 * call_run() flushes, then takes one step (advance), and so on until something has to be waited
 * for: a timer, room in the socket, or the peer's end.  A plain answer is played like a stream of
 * one event, so every key means the same for both.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ai_sim.h"

#define STEPS_PER_TURN 64        /* then other calls get their turn */
#define RESET_POLL_MS 1

static call_t *active;

call_t *call_active(void)
{
    return active;
}

long call_active_count(void)
{
    const call_t *c;
    long n = 0;

    for (c = active; c; c = c->next) {
        n += !c->is_control;
    }
    return n;
}

call_t *call_begin(conn_t *conn)
{
    call_t *call = sim_alloc(sizeof(*call));
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    call->began_at = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
    call->began_ms = timer_now();
    call->peer_closed_ms = -1;
    call->body_hash = 0xcbf29ce484222325ULL;
    call->conn = conn;
    conn->call = call;
    script_init(&call->script);
    call->next = active;
    if (active) {
        active->prev = call;
    }
    active = call;
    return call;
}

void call_end(call_t *call, const char *ended)
{
    if (call->prev) {
        call->prev->next = call->next;
    }
    else {
        active = call->next;
    }
    if (call->next) {
        call->next->prev = call->prev;
    }
    control_forget(call);
    call->conn->call = NULL;
    timer_cancel(call->conn);
    if (!call->is_control) {
        if (call->seq == 0) {
            call->seq = truth_next_seq();
        }
        truth_record(call, ended);
        control_wake(call->request_id);
    }
    answer_free(&call->answer);
    buf_free(&call->head);
    buf_free(&call->body);
    buf_free(&call->model);
    buf_free(&call->piece);
    free(call->headers);
    free(call);
}

/* Ends the call and then treats the connection. */
static int finish(call_t *call, const char *ended, int keep)
{
    conn_t *conn = call->conn;

    call_end(call, ended);
    conn_next(conn, keep);
    return 0;
}

void call_plain(call_t *call, int status, const char *content_type)
{
    call->stream = 0;
    call->status = status;
    call->content_type = content_type;
}

/* Waits ms; returns 1 when there is nothing to wait for. */
static int pause_for(call_t *call, long ms)
{
    if (ms <= 0) {
        return 1;
    }
    timer_set(call->conn, ms);
    return 0;
}

static void wrap_event(const call_t *call, const event_t *ev, buf_t *out)
{
    static const char *const ends[] = { "\n", "\r\n", "\r" };
    const char *eol = ends[call->script.eol];

    if (call->script.comment) {
        buf_fmt(out, ": keep-alive%s%s", eol, eol);
    }
    if (ev->name) {
        buf_fmt(out, "event: %s%s", ev->name, eol);
    }
    buf_str(out, "data: ");
    buf_add(out, ev->data.p, ev->data.len);
    buf_fmt(out, "%s%s", eol, eol);
}

/* Length of the whole stream: plays it without sending. */
static size_t rehearse(call_t *call)
{
    event_t ev = { { NULL, 0, 0 }, NULL, 0 };
    buf_t out = { NULL, 0, 0 };
    size_t sum = 0;
    long step = 0;

    while (call->endpoint->event(call, step++, &ev)) {
        wrap_event(call, &ev, &out);
        sum += out.len;
        out.len = ev.data.len = 0;
        ev.name = NULL;
    }
    buf_free(&out);
    buf_free(&ev.data);
    return sum;
}

static void write_script_headers(const call_t *call, buf_t *out)
{
    const script_t *s = &call->script;

    if (s->retry_after >= 0) {
        buf_fmt(out, "Retry-After: %ld\r\n", s->retry_after);
    }
    if (s->retry_after_ms >= 0) {
        buf_fmt(out, "retry-after-ms: %ld\r\n", s->retry_after_ms);
    }
    if (s->should_retry >= 0) {
        buf_fmt(out, "x-should-retry: %s\r\n", s->should_retry ? "true" : "false");
    }
}

static void write_provider_headers(const call_t *call, buf_t *out)
{
    buf_str(out, "Server: ai-sim\r\n");
    if (call->endpoint && call->endpoint->dialect == DIALECT_ANTHROPIC) {
        anthropic_headers(call, out);
        return;
    }
    buf_fmt(out, "x-request-id: req_sim%06lu\r\n", call->seq);
    if (!call->is_control) {
        buf_str(out, "openai-processing-ms: 1\r\nopenai-version: 2020-10-01\r\n"
                     "x-ratelimit-limit-requests: 10000\r\nx-ratelimit-remaining-requests: 9999\r\n"
                     "x-ratelimit-reset-requests: 6ms\r\n"
                     "x-ratelimit-limit-tokens: 2000000\r\n"
                     "x-ratelimit-remaining-tokens: 1999000\r\n"
                     "x-ratelimit-reset-tokens: 1m30s\r\n");
    }
}

static void write_head(call_t *call, buf_t *out)
{
    int has_body = call->status != 204 && call->status != 304;
    long length = (long)call->piece.len;

    buf_fmt(out, "HTTP/1.1 %d %s\r\n", call->status, http_reason(call->status));
    write_provider_headers(call, out);
    write_script_headers(call, out);
    if (has_body && call->content_type) {
        buf_fmt(out, "Content-Type: %s\r\n", call->content_type);
    }
    if (call->stream) {
        buf_str(out, "Cache-Control: no-cache\r\n");
        call->chunked = !call->http10 && !call->script.length;
        if (call->script.length) {
            length = (long)rehearse(call);
        }
        else if (call->http10) {
            call->keep = 0;
        }
    }
    if (call->chunked) {
        buf_str(out, "Transfer-Encoding: chunked\r\n");
    }
    else if (has_body && (!call->stream || call->script.length)) {
        length += call->script.length;
        buf_fmt(out, "Content-Length: %ld\r\n", length < 0 ? 0 : length);
    }
    if (call->script.close || !call->keep) {
        call->keep = 0;
        buf_str(out, "Connection: close\r\n");
    }
    else if (call->http10) {
        buf_str(out, "Connection: keep-alive\r\n");
    }
    buf_str(out, "\r\n");
    if (!has_body || text_is(call->method, "HEAD")) {
        call->piece.len = 0;
    }
}

static int send_head(call_t *call)
{
    if (call->script.reset == AT_HEADERS) {
        call->phase = PHASE_RESET;
        return 1;
    }
    if (call->script.garbage == AT_HEADERS) {
        static const char noise[] = "\x16\x03\x01 this is not HTTP \xff\xfe\r\n\r\n";

        buf_add(&call->conn->out, noise, sizeof(noise) - 1);
        call->script.cut = 0;
        call->last_event = 1;
    }
    else {
        write_head(call, &call->conn->out);
        call->status_sent = call->status;
    }
    call->phase = PHASE_FIRST;
    return 1;
}

/* Between two events: does the script end it here? */
static int between_events(call_t *call)
{
    const script_t *s = &call->script;
    long n = call->events_sent;

    if (s->reset == n) {
        call->phase = PHASE_RESET;
        return 1;
    }
    if (s->garbage == AT_HEADERS) {
        return finish(call, "garbage", 0);
    }
    if (s->cut == n || s->bytes == 0) {
        return finish(call, "cut", 0);
    }
    if (s->stall == n) {
        call->phase = PHASE_STALLED;
        return 0;
    }
    call->phase = call->last_event ? PHASE_TAIL : PHASE_PRODUCE;
    return 1;
}

static void write_garbage(const event_t *ev, buf_t *out)
{
    if (ev->name) {
        buf_fmt(out, "event: %s\n", ev->name);
    }
    buf_str(out, "data: {\"id\":\"chatcmpl-\xff\xfe\x01\",\"choices\":[{\"delta\":\n\n");
}

/* Puts the next event into call->piece.  Returns 0 when there is none. */
static int next_event(call_t *call)
{
    event_t ev = { { NULL, 0, 0 }, NULL, 0 };
    int is_error = call->script.error == call->events_sent + 1;
    int found = 1;

    call->piece.len = 0;
    call->step_told = 0;
    if (is_error) {
        call->endpoint->error(call, call->step, &ev);
        call->last_event = 1;
    }
    else {
        found = call->endpoint->event(call, call->step++, &ev);
    }
    if (found && !is_error && call->script.garbage == call->events_sent + 1) {
        write_garbage(&ev, &call->piece);
        ev.tokens = 0;
        call->step_told = 0;
    }
    else if (found) {
        wrap_event(call, &ev, &call->piece);
    }
    call->step_tokens = ev.tokens;
    /* [DONE] follows at once, as it does in life. */
    if (found && call->events_sent > 0 && !text_is(buf_text(&ev.data), "[DONE]")) {
        found += pause_for(call, call->script.gap) == 0;
    }
    buf_free(&ev.data);
    return found;
}

static int produce(call_t *call)
{
    int found;

    call->piece_off = call->in_flight = 0;
    if (!call->stream) {
        call->phase = call->events_sent ? PHASE_TAIL : PHASE_PIECE;
        return 1;
    }
    found = next_event(call);
    call->phase = found ? PHASE_PIECE : PHASE_TAIL;
    return found != 2;
}

static int event_sent(call_t *call)
{
    call->events_sent++;
    call->tokens_sent += call->step_tokens;
    if (call->step_told) {
        call->usage_told = 1;
        call->told_prompt = call->step_prompt;
        call->told_completion = call->step_completion;
    }
    call->phase = PHASE_EVENT;
    return 1;
}

/* Everything before has been taken by the kernel. */
static int send_piece(call_t *call)
{
    const script_t *s = &call->script;
    buf_t *out = &call->conn->out;
    size_t left, n;

    call->body_sent += call->in_flight;
    call->piece_off += call->in_flight;
    left = call->piece.len - call->piece_off;
    if (s->bytes >= 0 && call->body_sent >= (uint64_t)s->bytes) {
        if (left == 0) {
            event_sent(call);
        }
        return finish(call, "cut", 0);
    }
    if (left == 0) {
        return event_sent(call);
    }
    if (call->in_flight && s->pace) {
        call->in_flight = 0;
        return pause_for(call, s->pace);
    }
    n = s->chunk && (size_t)s->chunk < left ? (size_t)s->chunk : left;
    if (s->bytes >= 0 && n > (uint64_t)s->bytes - call->body_sent) {
        n = (size_t)((uint64_t)s->bytes - call->body_sent);
    }
    if (call->chunked) {
        buf_fmt(out, "%zx\r\n", n);
    }
    buf_add(out, call->piece.p + call->piece_off, n);
    if (call->chunked) {
        buf_str(out, "\r\n");
    }
    call->in_flight = n;
    return 1;
}

static int send_tail(call_t *call)
{
    const char *ended = call->last_event ? "error" : "complete";

    if (call->chunked) {
        call->chunked = 0;
        buf_str(&call->conn->out, "0\r\n\r\n");
        return 1;
    }
    if (call->script.length > 0) {
        return finish(call, "cut", 0);
    }
    return finish(call, ended, call->keep);
}

static int reset_when_drained(call_t *call)
{
    conn_t *conn = call->conn;

    if (conn_unsent(conn)) {
        timer_set(conn, RESET_POLL_MS);      /* a reset throws away what is not yet delivered */
        return 0;
    }
    call_end(call, "reset");
    conn_reset(conn);
    return 0;
}

/* One step.  Returns 0 when it waits, or when the call is over. */
static int advance(call_t *call)
{
    switch (call->phase) {
    case PHASE_DELAY:
        call->phase = PHASE_HEAD;
        return pause_for(call, call->script.delay);
    case PHASE_HEAD:
        return send_head(call);
    case PHASE_FIRST:
        call->phase = PHASE_EVENT;
        return pause_for(call, call->script.first);
    case PHASE_EVENT:
        return between_events(call);
    case PHASE_PRODUCE:
        return produce(call);
    case PHASE_PIECE:
        return send_piece(call);
    case PHASE_TAIL:
        return send_tail(call);
    case PHASE_RESET:
        return reset_when_drained(call);
    case PHASE_PARKED:
        control_timeout(call);
        return 1;
    case PHASE_STALLED:
    case PHASE_UPLOAD:
        break;
    }
    return 0;
}

void call_run(call_t *call)
{
    conn_t *conn = call->conn;
    int i;

    for (i = 0; i < STEPS_PER_TURN; i++) {
        if (conn_flush(conn) <= 0 || !advance(call)) {
            return;
        }
    }
    timer_set(conn, 0);
}
