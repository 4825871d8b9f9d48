/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_control.c - what may a test ask the simulator itself?
 *
 *   GET  /_sim/calls              {"active":N,"total":N,"last":[...]}, the last 200 truth lines
 *   POST /_sim/reset              forgets the lines, the total and the fail= counts
 *   GET  /_sim/wait?id=X          answers when the call with that x-request-id has ended:
 *        &timeout_ms=N            {"id":X,"calls":[...]}; 504 after N ms (default 10000)
 *        &count=N                 waits for N of them, as retries share an id (default 1)
 *        &for=begin               waits until a call with that id has arrived in full instead
 *
 * These calls are neither counted nor recorded.
 */
#include <string.h>

#include "ai_sim.h"

#define LAST 200
#define WAIT_MS_DEFAULT 10000
#define WAIT_MS_MAX 600000

/* Usually none, and then a call that begins or ends need not look for them. */
static long waiting;

int control_claims(text_t path)
{
    return path.n >= 6 && memcmp(path.p, "/_sim/", 6) == 0;
}

void control_forget(call_t *call)
{
    waiting -= call->phase == PHASE_PARKED;
}

static void send_now(call_t *call, int status)
{
    control_forget(call);
    call_plain(call, status, "application/json");
    call->phase = PHASE_HEAD;
}

static long active_with_id(text_t id)
{
    const call_t *c;
    long n = 0;

    for (c = call_active(); c; c = c->next) {
        n += !c->is_control && c->phase != PHASE_UPLOAD && c->request_id.n == id.n
             && id.n && memcmp(c->request_id.p, id.p, id.n) == 0;
    }
    return n;
}

/* Writes the waiter's answer and returns whether it has what it waits for. */
static int satisfied(call_t *call)
{
    buf_t *out = &call->piece;
    long ended;

    out->len = 0;
    buf_str(out, "{\"id\":");
    buf_quote(out, call->wait_id.p, call->wait_id.n);
    buf_str(out, ",\"calls\":[");
    ended = truth_lines(call->wait_id, 0, out);
    buf_str(out, "]}");
    return ended + (call->wait_begun ? active_with_id(call->wait_id) : 0) >= call->wait_count;
}

static void park(call_t *call)
{
    long timeout = WAIT_MS_DEFAULT;
    text_t value = query_value(call->query, "timeout_ms");
    int bad = value.p && !text_number(value, WAIT_MS_MAX, &timeout);

    call->wait_id = query_value(call->query, "id");
    call->wait_count = 1;
    value = query_value(call->query, "count");
    bad |= value.p && !text_number(value, 1000000, &call->wait_count);
    value = query_value(call->query, "for");
    bad |= value.p && !text_is(value, "begin") && !text_is(value, "end");
    call->wait_begun = value.p && text_is(value, "begin");
    if (bad || !call->wait_id.p) {
        error_body(400, "ai-sim: bad argument of /_sim/wait", NULL, &call->piece);
        send_now(call, 400);
    }
    else if (satisfied(call)) {
        send_now(call, 200);
    }
    else {
        call->phase = PHASE_PARKED;
        waiting++;
        timer_set(call->conn, timeout);
    }
}

void control_timeout(call_t *call)
{
    satisfied(call);
    send_now(call, 504);
}

/* The waiters run from the timer, not from inside the call that woke them. */
void control_wake(text_t id)
{
    call_t *c;

    for (c = waiting ? call_active() : NULL; c; c = c->next) {
        if (c->phase == PHASE_PARKED && c->wait_id.n == id.n && id.n
            && memcmp(c->wait_id.p, id.p, id.n) == 0 && satisfied(c)) {
            send_now(c, 200);
            timer_set(c->conn, 0);
        }
    }
}

void control_answer(call_t *call)
{
    if (text_is(call->path, "/_sim/calls")) {
        buf_fmt(&call->piece, "{\"active\":%ld,\"total\":%lu,\"last\":[", call_active_count(),
                truth_total());
        truth_lines((text_t) { NULL, 0 }, LAST, &call->piece);
        buf_str(&call->piece, "]}");
        send_now(call, 200);
    }
    else if (text_is(call->path, "/_sim/reset") && text_is(call->method, "POST")) {
        truth_reset();
        script_forget();
    files_forget();
        buf_str(&call->piece, "{\"reset\":true}");
        send_now(call, 200);
    }
    else if (text_is(call->path, "/_sim/wait")) {
        park(call);
    }
    else {
        error_body(404, "ai-sim: no such control", NULL, &call->piece);
        send_now(call, 404);
    }
    if (call->phase != PHASE_PARKED) {
        call_run(call);
    }
}
