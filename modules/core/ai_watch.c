/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_watch.c - who is waited for, how long, and who has left?
 *
 * mod_proxy sleeps on the target alone: it would notice a caller's leaving only at the next write,
 * which for a model that thinks may be minutes of paid work away. So an input filter on the
 * target's connection does the waiting: it polls both sockets, keeps the deadlines in
 * milliseconds, and sends heartbeats to a streaming caller.
 *
 * A stream of HTTP/2 has no socket of its own; there the wait is cut into short slices, and
 * mod_http2's word is taken for whether the caller is there.
 *
 * Lives in: the attempt.  Shared state: none.  May block: yes, that is its work.
 */

#include <poll.h>

#include <apr_portable.h>

#include "ai_exchange.h"
#include "mod_proxy.h"

/* The longest sleep where only looking tells that something happened. */
#define SLICE_HTTP2_MS 50
/* How long the rest of a failure's body is waited for. */
#define DRAIN_MS 1000
/* TLS may hold bytes that poll() cannot see; see probe(). */
#define SLICE_TLS_MS 700

static ap_filter_rec_t *watch_filter;

static const char heartbeat_text[] = ": keep-alive\n\n";

/* ------------------------------------------------------------------------ the caller */

static int caller_socket(const ai_exchange_t *x, struct pollfd *pfd)
{
    conn_rec *c = x->air->r->connection;
    apr_os_sock_t fd;

    if (c->master || apr_os_sock_get(&fd, ap_get_conn_socket(c)) != APR_SUCCESS) {
        return 0;
    }
    pfd->fd = fd;
    pfd->revents = 0;
    pfd->events = ai_core_number(x->air->r, AI_HALF_CLOSED) == AI_HALF_CLOSED_ABORT ? POLLRDHUP : 0;
    return 1;
}

static int has_left(ai_exchange_t *x, const struct pollfd *pfd)
{
    conn_rec *c = x->air->r->connection;

    if (pfd && (pfd->revents & (POLLRDHUP | POLLHUP | POLLERR))) {
        c->aborted = 1;
    }
    if (c->aborted && !x->client_gone) {
        x->client_gone = 1;
        ai_exchange_quieten(x);
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, x->air->r,
                      AI_LOGNO(0105) "the caller left; its target is dropped");
    }
    return x->client_gone;
}

int ai_watch_gone(ai_exchange_t *x)
{
    struct pollfd pfd;

    if (caller_socket(x, &pfd) && poll(&pfd, 1, 0) > 0) {
        return has_left(x, &pfd);
    }
    return has_left(x, NULL);
}

/* -------------------------------------------------------------------- the heartbeat */

/* When the next heartbeat is due, or 0 for never. */
static apr_time_t heartbeat_at(const ai_exchange_t *x)
{
    apr_int64_t every = ai_core_number(x->air->r, AI_HEARTBEAT);
    int wanted = x->air->ask.stream && (x->streams || !x->judged || x->gate == GATE_IDLE)
                 && x->gate != GATE_SHUT;

    return every && wanted ? x->last_out + every * 1000 : 0;
}

static void send_heartbeat(ai_exchange_t *x)
{
    conn_rec *c = x->air->r->connection;
    apr_bucket_brigade *bb = x->out;

    ai_gate_open_stream(x);
    x->last_out = apr_time_now();
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_immortal_create(heartbeat_text,
                                                           sizeof(heartbeat_text) - 1,
                                                           c->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(c->bucket_alloc));
    if (ap_pass_brigade(x->gate_filter->next, bb) != APR_SUCCESS) {
        c->aborted = 1;
    }
    apr_brigade_cleanup(bb);
}

/* Milliseconds from now to then, at least 0, rounded up; cap where that is less or then is 0. */
static int ms_until(apr_time_t then, apr_time_t now, int cap)
{
    apr_int64_t ms = (then - now + 999) / 1000;

    if (!then) {
        return cap;
    }
    if (ms < 0) {
        ms = 0;
    }
    return cap >= 0 && ms > cap ? cap : (int)(ms > 3600000 ? 3600000 : ms);
}

/* ------------------------------------------------------------------------ the target */

/*
 * 1 when the target's connection has something to read or is broken (then the real read tells).
 * mod_ssl clears SSL_MODE_AUTO_RETRY: a read that does not block says EAGAIN after every record
 * that carries no data (TLS 1.3 tickets), although the answer may lie in its buffers already,
 * where poll() does not see it. So with TLS we ask again, and never sleep for long.
 */
static int probe(ai_exchange_t *x, ap_filter_t *f, int tls)
{
    int i;

    for (i = 0; i < (tls ? 4 : 1); i++) {
        apr_status_t rv =
            ap_get_brigade(f->next, x->probe, AP_MODE_SPECULATIVE, APR_NONBLOCK_READ, 1);
        int got = rv == APR_SUCCESS && !APR_BRIGADE_EMPTY(x->probe);

        apr_brigade_cleanup(x->probe);
        if (got || (rv != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(rv))) {
            return 1;
        }
    }
    return 0;
}

/* The nearest deadline of the attempt, or 0; *name says which, NULL is none that is a failure. */
static apr_time_t deadline(const ai_exchange_t *x, apr_time_t wait_began, const char **name)
{
    const ai_target_t *target = x->attempt->target;
    apr_int64_t ms = x->got_body ? target->idle_ms : target->first_byte_ms;
    apr_time_t near = ms ? (x->got_body ? wait_began : x->started) + ms * 1000 : 0;
    apr_time_t total = target->total_ms ? x->started + target->total_ms * 1000 : 0;

    *name = x->got_body ? "idle-timeout" : "first-byte-timeout";
    if (total && (!near || total < near)) {
        *name = "total-timeout";
        near = total;
    }
    if (x->gate == GATE_KEEP && (!near || x->failed_at + DRAIN_MS * 1000 < near)) {
        *name = NULL; /* it has failed already */
        near = x->failed_at + DRAIN_MS * 1000;
    }
    return near;
}

/* Waits until there may be something to read. probed_in_vain: the bytes that a probe sees are not
 * enough (half a line, kept by mod_ssl), so sleep first. */
static apr_status_t wait_for_target(ai_exchange_t *x, ap_filter_t *f, apr_time_t began,
                                    int probed_in_vain)
{
    int tls = ap_ssl_conn_is_ssl(f->c);
    struct pollfd pfd[2];
    apr_os_sock_t fd;

    if (apr_os_sock_get(&fd, ap_get_conn_socket(f->c)) != APR_SUCCESS) {
        return APR_SUCCESS;
    }
    for (; probed_in_vain || !probe(x, f, tls); probed_in_vain = 0) {
        int watched = caller_socket(x, &pfd[1]);
        const char *name;
        apr_time_t now = apr_time_now(), end = deadline(x, began, &name), beat;
        int slice;

        if (end && now >= end) {
            x->late = name;
            return APR_TIMEUP;
        }
        beat = heartbeat_at(x);
        if (beat && now >= beat) {
            send_heartbeat(x);
            beat = heartbeat_at(x);
        }
        slice = ms_until(end, now, tls ? SLICE_TLS_MS : -1);
        slice = ms_until(beat, now, slice);
        if (!watched && (slice < 0 || slice > SLICE_HTTP2_MS)) {
            slice = SLICE_HTTP2_MS;
        }
        pfd[0] = (struct pollfd){ fd, POLLIN, 0 };
        if (poll(pfd, watched ? 2 : 1, slice) < 0 && errno != EINTR) {
            return APR_SUCCESS;
        }
        if (has_left(x, watched ? &pfd[1] : NULL)) {
            return APR_ECONNABORTED;
        }
    }
    return APR_SUCCESS;
}

/*
 * A blocking read from above becomes waits of ours and reads that do not block: a target that
 * sends half a line and falls silent must not hold us below, where nobody looks at the clock.
 */
static apr_status_t filter_watch(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                                 apr_read_type_e block, apr_off_t max)
{
    ai_exchange_t *x = f->ctx;
    apr_time_t began;
    apr_status_t rv;
    int in_vain;

    if (block != APR_BLOCK_READ || (mode != AP_MODE_GETLINE && mode != AP_MODE_READBYTES)) {
        return ap_get_brigade(f->next, bb, mode, block, max);
    }
    began = apr_time_now();
    for (in_vain = 0;; in_vain = 1) {
        rv = wait_for_target(x, f, began, in_vain);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        rv = ap_get_brigade(f->next, bb, mode, APR_NONBLOCK_READ, max);
        if (!APR_STATUS_IS_EAGAIN(rv) && (rv != APR_SUCCESS || !APR_BRIGADE_EMPTY(bb))) {
            return rv;
        }
    }
}

/* mod_proxy's hook "create_req": the request was sent, nothing of the answer was read. */
static int on_proxy_create_req(request_rec *r, request_rec *rp)
{
    ai_exchange_t *x = ai_exchange_of(r);

    if (!x) {
        return DECLINED;
    }
    x->sent = 1;
    if (ai_upload_is_live(x->air)) {
        x->started = apr_time_now(); /* how long the caller's upload took is not the target's */
    }
    x->attempt->reused = rp->connection->keepalives > 0;
    x->probe = apr_brigade_create(rp->pool, rp->connection->bucket_alloc);
    ap_add_input_filter_handle(watch_filter, x, rp, rp->connection);
    /* httpd moves the head of the request's chain only while it equals the connection's: so that
     * the HTTP_IN that mod_proxy adds later comes before us and not behind. */
    rp->input_filters = rp->connection->input_filters;
    return OK;
}

/* ------------------------------------------------------------------------ between them */

int ai_watch_wait(ai_exchange_t *x, apr_interval_time_t microseconds)
{
    apr_time_t now = apr_time_now(), end = now + microseconds;

    while (now < end && !ai_watch_gone(x)) {
        struct pollfd pfd;
        int watched = caller_socket(x, &pfd);
        apr_time_t beat = heartbeat_at(x);

        if (beat && now >= beat) {
            send_heartbeat(x);
            beat = heartbeat_at(x);
        }
        poll(&pfd, watched ? 1 : 0,
             ms_until(beat, now, ms_until(end, now, watched ? -1 : SLICE_HTTP2_MS)));
        now = apr_time_now();
    }
    return !x->client_gone;
}

void ai_watch_register(apr_pool_t *p)
{
    (void)p;
    watch_filter =
        ap_register_input_filter("AI_WATCH", filter_watch, NULL, AP_FTYPE_PROTOCOL + 5);
    APR_OPTIONAL_HOOK(proxy, create_req, on_proxy_create_req, NULL, NULL, APR_HOOK_MIDDLE);
}
