/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_conn.c - where does one connection and its request stand?
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load_conn.h"

uint64_t load_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t load_wall_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000;
}

void load_conn_close(load_conn_t *conn)
{
    if (conn->fd >= 0) {
        close(conn->fd);
    }
    conn->fd = -1;
    conn->reused = conn->connecting = conn->waits_to_send = false;
}

static void watch(load_conn_t *conn, int epoll_fd, int operation, bool for_send)
{
    struct epoll_event event = { .events = EPOLLIN | (for_send ? EPOLLOUT : 0),
                                 .data = { .ptr = conn } };

    epoll_ctl(epoll_fd, operation, conn->fd, &event);
    conn->waits_to_send = for_send;
}

static bool open_socket(load_conn_t *conn, const load_plan_t *plan, int epoll_fd, load_sum_t *sum)
{
    int one = 1;

    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) {
        return false;
    }
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    conn->reused = false;
    conn->opened_once = true;
    sum->connects++;
    int rc = connect(conn->fd, (const struct sockaddr *)&plan->address, sizeof(plan->address));
    if (rc != 0 && errno != EINPROGRESS) {
        load_conn_close(conn);
        return false;
    }
    conn->connecting = true;
    watch(conn, epoll_fd, EPOLL_CTL_ADD, true);
    return true;
}

/* The connection is gone in the middle of a request.  A kept-alive one that dies before the
 * first byte may have been closed while the request was on its way: HTTP clients ask again. */
static load_step_t lost(load_conn_t *conn, const load_plan_t *plan, int epoll_fd, load_sum_t *sum,
                        load_end_t *end)
{
    bool stale = plan->retry_stale && conn->reused && !conn->retried && conn->first_ns == 0;

    if (!stale) {
        return LOAD_ENDED;
    }
    load_conn_close(conn);
    conn->retried = true;
    conn->sent = 0;
    sum->retried++;
    if (!open_socket(conn, plan, epoll_fd, sum)) {
        *end = LOAD_CONNECT;
        return LOAD_ENDED;
    }
    return LOAD_GOES_ON;
}

static load_step_t send_on(load_conn_t *conn, const load_plan_t *plan, int epoll_fd,
                           load_sum_t *sum, load_end_t *end)
{
    while (conn->sent < conn->request_n) {
        ssize_t n = send(conn->fd, conn->request + conn->sent, conn->request_n - conn->sent,
                         MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (!conn->waits_to_send) {
                watch(conn, epoll_fd, EPOLL_CTL_MOD, true);
            }
            return LOAD_GOES_ON;
        }
        if (n < 0) {
            *end = LOAD_RESET;
            return lost(conn, plan, epoll_fd, sum, end);
        }
        conn->sent += (size_t)n;
    }
    if (conn->waits_to_send) {
        watch(conn, epoll_fd, EPOLL_CTL_MOD, false);
    }
    return LOAD_GOES_ON;
}

load_step_t load_conn_start(load_conn_t *conn, const load_plan_t *plan, int epoll_fd,
                            load_sum_t *sum, load_end_t *end)
{
    conn->busy = true;
    conn->retried = conn->open = false;
    conn->sent = 0;
    conn->first_ns = conn->event_ns = 0;
    load_answer_begin(&conn->answer, plan->check_id ? conn->id : NULL);
    if (conn->fd >= 0) {
        return send_on(conn, plan, epoll_fd, sum, end);
    }
    if (!open_socket(conn, plan, epoll_fd, sum)) {
        *end = LOAD_CONNECT;
        return LOAD_ENDED;
    }
    return LOAD_GOES_ON;
}

/* How a complete answer, or the part that came, is judged.  A foreign id weighs most. */
static load_end_t verdict(const load_conn_t *conn, const load_plan_t *plan, bool whole,
                          load_end_t otherwise)
{
    const load_answer_t *answer = &conn->answer;

    if (answer->phase == LOAD_GARBAGE) {
        return LOAD_BROKEN;
    }
    if (answer->wrong != 0) {
        return LOAD_WRONG;
    }
    if (!whole) {
        return otherwise;
    }
    if (answer->status != plan->status) {
        return LOAD_STATUS;
    }
    if (answer->saw_error) {
        return LOAD_EVENT;
    }
    if (plan->streamed && !answer->streamed) {
        return LOAD_BROKEN;
    }
    if (!load_answer_is_mine(answer)) {
        return LOAD_WRONG;
    }
    if (plan->streamed && !answer->saw_done) {
        return LOAD_SHORT;
    }
    return plan->events != 0 && answer->events != plan->events ? LOAD_COUNT : LOAD_OK;
}

static void note_events(load_conn_t *conn, uint32_t before, uint64_t now, load_sum_t *sum)
{
    if (conn->answer.events == before) {
        return;
    }
    sum->events += conn->answer.events - before;
    if (conn->event_ns == 0) {
        load_hist_add(&sum->event, now - conn->due_ns);
    }
    else {
        load_hist_add(&sum->gap, now - conn->event_ns);
    }
    conn->event_ns = now;
}

static load_step_t take(load_conn_t *conn, const load_plan_t *plan, const char *at, size_t n,
                        load_sum_t *sum, load_end_t *end)
{
    uint64_t now = load_now_ns();
    uint32_t before = conn->answer.events;

    sum->bytes += n;
    if (conn->first_ns == 0) {
        conn->first_ns = now;
    }
    size_t used = load_answer_feed(&conn->answer, at, n);
    note_events(conn, before, now, sum);
    if (conn->answer.phase != LOAD_WHOLE && conn->answer.phase != LOAD_GARBAGE) {
        return LOAD_GOES_ON;
    }
    *end = verdict(conn, plan, true, LOAD_OK);
    if (used < n && *end == LOAD_OK) {
        *end = LOAD_BROKEN; /* bytes that nobody asked for */
    }
    return LOAD_ENDED;
}

static load_step_t read_on(load_conn_t *conn, const load_plan_t *plan, int epoll_fd,
                           load_sum_t *sum, load_end_t *end)
{
    static char piece[64 * 1024]; /* one thread per process */
    ssize_t n = read(conn->fd, piece, sizeof(piece));

    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return LOAD_GOES_ON;
    }
    if (!conn->busy) {
        load_conn_close(conn); /* an idle connection was closed, or says what it may not */
        return LOAD_GOES_ON;
    }
    if (n > 0) {
        return take(conn, plan, piece, (size_t)n, sum, end);
    }
    if (n == 0 && load_answer_close(&conn->answer)) {
        *end = verdict(conn, plan, true, LOAD_OK);
        return LOAD_ENDED;
    }
    load_end_t otherwise = conn->first_ns == 0 ? LOAD_EOF : LOAD_SHORT;
    *end = verdict(conn, plan, false, n < 0 ? LOAD_RESET : otherwise);
    return lost(conn, plan, epoll_fd, sum, end);
}

load_step_t load_conn_stir(load_conn_t *conn, const load_plan_t *plan, int epoll_fd,
                           load_sum_t *sum, load_end_t *end)
{
    int error = 0;
    socklen_t error_n = sizeof(error);

    if (conn->fd < 0) {
        return LOAD_GOES_ON; /* closed by an earlier event of the same round */
    }
    if (conn->connecting) {
        getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &error_n);
        if (error != 0) {
            *end = LOAD_CONNECT;
            return LOAD_ENDED;
        }
        conn->connecting = false;
    }
    if (conn->busy && conn->sent < conn->request_n) {
        load_step_t step = send_on(conn, plan, epoll_fd, sum, end);
        if (step == LOAD_ENDED || conn->connecting || conn->sent < conn->request_n) {
            return step;
        }
    }
    return read_on(conn, plan, epoll_fd, sum, end);
}
