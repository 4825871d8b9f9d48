/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_conn.c - what happens on the sockets?
 *
 * While a call is answered nothing is read: the next request waits in the kernel, and epoll still
 * tells when the peer is gone.  A connection dies in two steps, because other events of the same
 * turn may still point at it: closed at once, freed by conn_bury() at the end of the turn.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "ai_sim.h"

#define BACKLOG 8192
#define ACCEPT_BATCH 256
#define READ_SIZE 65536
#define LINGER_MS 2000

static int epoll_fd = -1, listen_fd = -1;
static int listening, accept_paused;
static conn_t *conns, *dead;

int conn_epoll(void)
{
    if (epoll_fd < 0) {
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    }
    return epoll_fd;
}

static void listen_events(int on)
{
    struct epoll_event ev = { .events = on ? EPOLLIN : 0, .data = { .ptr = NULL } };

    epoll_ctl(conn_epoll(), listening ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, listen_fd, &ev);
    listening = 1;
}

int conn_listen(const char *address, int port)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    socklen_t len = sizeof(sa);
    int one = 1;

    if (inet_pton(AF_INET, address, &sa.sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listen_fd < 0) {
        return -1;
    }
    setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listen_fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(listen_fd, BACKLOG) < 0
        || getsockname(listen_fd, (struct sockaddr *)&sa, &len) < 0) {
        return -1;
    }
    listen_events(1);
    return ntohs(sa.sin_port);
}

/* Tells epoll what this connection waits for. */
static void watch(conn_t *conn)
{
    unsigned events = EPOLLRDHUP;
    struct epoll_event ev;

    if (conn->state != CONN_CALL) {
        events |= EPOLLIN;
    }
    if (conn->out.len > conn->out_off) {
        events |= EPOLLOUT;
    }
    if (conn->state == CONN_LINGER) {
        events = EPOLLIN;
    }
    if (events == conn->epoll_events) {
        return;
    }
    ev.events = events;
    ev.data.ptr = conn;
    epoll_ctl(epoll_fd, conn->epoll_events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, conn->fd, &ev);
    conn->epoll_events = events;
}

void conn_accept(void)
{
    int i, one = 1;

    for (i = 0; i < ACCEPT_BATCH; i++) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        conn_t *conn;

        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE) {
                listen_events(0);        /* until some connection closes */
                accept_paused = 1;
            }
            return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        conn = sim_alloc(sizeof(*conn));
        conn->fd = fd;
        conn->heap_at = -1;
        conn->next = conns;
        if (conns) {
            conns->prev = conn;
        }
        conns = conn;
        watch(conn);
    }
}

static void conn_close(conn_t *conn)
{
    if (conn->state == CONN_DEAD) {
        return;
    }
    conn->state = CONN_DEAD;
    timer_cancel(conn);
    close(conn->fd);
    buf_free(&conn->in);
    buf_free(&conn->out);
    if (conn->prev) {
        conn->prev->next = conn->next;
    }
    else {
        conns = conn->next;
    }
    if (conn->next) {
        conn->next->prev = conn->prev;
    }
    conn->next = dead;
    dead = conn;
    if (accept_paused) {
        accept_paused = 0;
        listen_events(1);
    }
}

void conn_bury(void)
{
    while (dead) {
        conn_t *conn = dead;

        dead = conn->next;
        free(conn);
    }
}

void conn_close_all(void)
{
    while (conns) {
        conn_t *conn = conns;

        if (conn->call) {
            call_end(conn->call, "shutdown");
        }
        conn_close(conn);
    }
    conn_bury();
    if (listen_fd >= 0) {
        close(listen_fd);
    }
}

/* The peer is gone: by FIN or by reset. */
static void peer_gone(conn_t *conn, const char *how)
{
    call_t *call = conn->call;

    if (call) {
        call->peer_closed_ms = timer_now() - call->began_ms;
        call_end(call, call->phase == PHASE_STALLED ? "stall-closed" : how);
    }
    conn_close(conn);
}

int conn_flush(conn_t *conn)
{
    while (conn->out_off < conn->out.len) {
        ssize_t n = send(conn->fd, conn->out.p + conn->out_off, conn->out.len - conn->out_off,
                         MSG_NOSIGNAL);

        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            watch(conn);
            return 0;
        }
        if (n < 0) {
            peer_gone(conn, "client-reset");
            return -1;
        }
        conn->out_off += (size_t)n;
        if (conn->call) {
            conn->call->bytes_sent += (uint64_t)n;
        }
    }
    conn->out.len = conn->out_off = 0;
    if (conn->out.cap > 4096) {
        buf_free(&conn->out);
    }
    watch(conn);
    return 1;
}

size_t conn_unsent(const conn_t *conn)
{
    int n = 0;

    return ioctl(conn->fd, SIOCOUTQ, &n) == 0 && n > 0 ? (size_t)n : 0;
}

void conn_reset(conn_t *conn)
{
    struct linger now = { 1, 0 };

    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    conn_close(conn);
}

void conn_next(conn_t *conn, int keep)
{
    if (keep) {
        conn->state = CONN_HEAD;
        if (conn->in.len) {
            timer_set(conn, 0);          /* a pipelined request: not from inside this call */
        }
        else {
            buf_free(&conn->in);
        }
    }
    else {
        /* Closing with unread input would turn the FIN into a reset. */
        conn->state = CONN_LINGER;
        shutdown(conn->fd, SHUT_WR);
        timer_set(conn, LINGER_MS);
    }
    watch(conn);
}

static void take_request(conn_t *conn)
{
    const char *why;
    int r = http_read(conn, &why);

    if (r > 0) {
        if (conn->in.len == 0) {
            buf_free(&conn->in);
        }
        conn->state = CONN_CALL;
        watch(conn);
        request_ready(conn->call);
        return;
    }
    if (r < 0) {
        if (!conn->call) {
            call_begin(conn);
        }
        conn->state = CONN_CALL;
        request_refuse(conn->call, why);
        return;
    }
    if (conn_flush(conn) >= 0) {         /* a 100 Continue */
        watch(conn);
    }
}

static void read_input(conn_t *conn)
{
    static char input[READ_SIZE];
    ssize_t n = recv(conn->fd, input, sizeof(input), 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        peer_gone(conn, n < 0 ? "client-reset" : "client-closed");
        return;
    }
    if (conn->state == CONN_LINGER) {
        return;                          /* thrown away */
    }
    buf_add(&conn->in, input, (size_t)n);
    take_request(conn);
}

void conn_ready(conn_t *conn, unsigned events)
{
    if (conn->state == CONN_DEAD) {
        return;
    }
    if (events & (EPOLLERR | EPOLLHUP)) {
        peer_gone(conn, "client-reset");
        return;
    }
    if (conn->state != CONN_CALL) {
        if (events & (EPOLLIN | EPOLLRDHUP)) {
            read_input(conn);
        }
        if (conn->state == CONN_BODY && (events & EPOLLOUT)) {
            conn_flush(conn);
        }
        return;
    }
    if (events & EPOLLRDHUP) {
        peer_gone(conn, "client-closed");
    }
    else if (events & EPOLLOUT) {
        call_run(conn->call);
    }
}

void conn_timer(conn_t *conn)
{
    if (conn->state == CONN_CALL) {
        call_run(conn->call);
    }
    else if (conn->state == CONN_LINGER) {
        conn_close(conn);
    }
    else if (conn->state == CONN_HEAD) {
        take_request(conn);
    }
}
