/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_conn.h - where does one connection and its request stand?
 *
 * Knows sockets and times, not how many requests there shall be: load_worker.c decides that.
 */
#ifndef LOAD_CONN_H
#define LOAD_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load_answer.h"
#include "load_plan.h"
#include "load_sum.h"

typedef struct load_conn_t {
    int fd;             /* -1: closed */
    bool busy;          /* a request is under way */
    bool connecting;
    bool waits_to_send; /* epoll was asked for EPOLLOUT */
    bool opened_once;
    bool reused;        /* an answer came over this connection before */
    bool retried;       /* this request was sent twice already */
    bool open;          /* body bytes have come, the end has not */
    unsigned asked;     /* requests so far on this slot */
    char id[64];
    char *request;
    size_t request_n;
    size_t sent;
    uint64_t due_ns;    /* when the request was to start; monotonic, as all that follow */
    uint64_t first_ns;  /* first byte of the answer; 0: none yet */
    uint64_t event_ns;  /* last data event; 0: none yet */
    uint64_t deadline_ns;
    uint64_t leave_ns;  /* when to walk away; 0: never */
    load_answer_t answer;
} load_conn_t;

/* What the connection wants of its owner after a step. */
typedef enum load_step_t {
    LOAD_GOES_ON,
    LOAD_ENDED /* the request ended; the end is in *end */
} load_step_t;

/* Monotonic and wall clock. */
uint64_t load_now_ns(void);
uint64_t load_wall_us(void);

/* Starts the request that is in `conn`: connects if need be, sends what goes out at once. */
load_step_t load_conn_start(load_conn_t *conn, const load_plan_t *plan, int epoll_fd,
                            load_sum_t *sum, load_end_t *end);

/* Something happened on the socket.  Also called for idle connections, which it closes. */
load_step_t load_conn_stir(load_conn_t *conn, const load_plan_t *plan, int epoll_fd,
                           load_sum_t *sum, load_end_t *end);

/* Closes the socket, if any. */
void load_conn_close(load_conn_t *conn);

#endif
