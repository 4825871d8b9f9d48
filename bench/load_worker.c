/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_worker.c - when does which connection ask?
 *
 * Closed loop: a connection asks again as soon as it has its answer.  Open loop: requests are
 * due at a fixed rate; one that finds no free connection waits, and its time counts from when it
 * was due, so that a slow server cannot hide behind a client that asks less (the "coordinated
 * omission").
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "load_conn.h"
#include "load_worker.h"

enum { ROUND_EVENTS = 512, LOG_PIECE = 32 * 1024 };
static const uint64_t sweep_ns = 50 * 1000000; /* how often deadlines are looked at */
static const uint64_t precise_ns = 2 * 1000000;

typedef struct worker_t {
    const load_plan_t *plan;
    unsigned index;
    load_sum_t *sum;
    int epoll_fd;
    int announce_fd;
    int log_fd;
    load_bytes_t log;
    load_conn_t *conns;
    unsigned n;
    load_conn_t **idle;   /* a stack: the busiest connections stay busy */
    unsigned idle_n;
    unsigned busy;
    unsigned open;        /* answers under way */
    bool announced;
    uint64_t quota;       /* requests of this worker; 0: no limit */
    uint64_t opened;      /* slots that opened a connection at least once */
    uint64_t begin_ns;
    uint64_t swept_ns;
    uint64_t random;
} worker_t;

/* ---------------------------------------------------------------------- schedule */

static double random_share(worker_t *worker)
{
    worker->random ^= worker->random << 13;
    worker->random ^= worker->random >> 7;
    worker->random ^= worker->random << 17;
    return (double)(worker->random >> 11) / (double)(1ULL << 53);
}

/* When the next request is due; far in the future when none will be. */
static uint64_t next_due(const worker_t *worker, uint64_t now)
{
    const load_plan_t *plan = worker->plan;
    uint64_t due = now;

    if (worker->quota != 0 && worker->sum->started >= worker->quota) {
        return UINT64_MAX;
    }
    if (plan->rate > 0) {
        double number = (double)worker->sum->started * plan->processes + worker->index;
        due = worker->begin_ns + (uint64_t)(number / plan->rate * 1e9);
    }
    if (plan->seconds > 0 && due >= worker->begin_ns + (uint64_t)(plan->seconds * 1e9)) {
        return UINT64_MAX;
    }
    return due;
}

/* When the connection on top of the idle stack may be used. */
static uint64_t next_slot(const worker_t *worker, uint64_t now)
{
    if (worker->idle_n == 0) {
        return UINT64_MAX;
    }
    if (worker->plan->ramp <= 0 || worker->idle[worker->idle_n - 1]->opened_once) {
        return now;
    }
    double number = (double)worker->opened * worker->plan->processes + worker->index;
    return worker->begin_ns + (uint64_t)(number / worker->plan->ramp * 1e9);
}

static void arm(worker_t *worker, load_conn_t *conn, uint64_t now)
{
    const load_plan_t *plan = worker->plan;

    conn->deadline_ns = now + (uint64_t)(plan->timeout * 1e9);
    conn->leave_ns = 0;
    if (plan->abort_to >= 0) {
        double ms = plan->abort_from +
                    random_share(worker) * (plan->abort_to - plan->abort_from);
        conn->leave_ns = now + 1 + (uint64_t)(ms * 1e6);
    }
}

/* --------------------------------------------------------------------------- end */

static void flush_log(worker_t *worker)
{
    if (worker->log.used != 0 &&
        write(worker->log_fd, worker->log.at, worker->log.used) != (ssize_t)worker->log.used) {
        perror("ai-load: log");
        _exit(2);
    }
    worker->log.used = 0;
}

static void write_log(worker_t *worker, const load_conn_t *conn, load_end_t end, uint64_t now)
{
    char line[256];

    if (worker->log_fd < 0) {
        return;
    }
    int n = snprintf(line, sizeof(line), "%s %s %d %u %llu %llu\n", conn->id, load_end_name(end),
                     conn->answer.status, conn->answer.events,
                     (unsigned long long)load_wall_us(),
                     (unsigned long long)((now - conn->due_ns) / 1000));
    load_bytes_add(&worker->log, line, (size_t)n);
    if (worker->log.used >= LOG_PIECE) {
        flush_log(worker);
    }
}

static void finish(worker_t *worker, load_conn_t *conn, load_end_t end)
{
    const load_plan_t *plan = worker->plan;
    load_sum_t *sum = worker->sum;
    uint64_t now = load_now_ns();
    bool whole = conn->answer.phase == LOAD_WHOLE;

    write_log(worker, conn, end, now);
    sum->ends[end]++;
    sum->finish_ns = now;
    if (end == LOAD_OK) {
        load_hist_add(&sum->whole, now - conn->due_ns);
        load_hist_add(&sum->first, conn->first_ns - conn->due_ns);
    }
    if (end == LOAD_STATUS) {
        sum->last_status = (uint64_t)conn->answer.status;
    }
    if (!whole || conn->answer.closes || plan->close_each || end == LOAD_BROKEN) {
        load_conn_close(conn);
    }
    conn->reused = conn->fd >= 0;
    conn->busy = false;
    worker->busy--;
    worker->open -= conn->open;
    conn->open = false;
    free(conn->request);
    conn->request = NULL;
    if (plan->each == 0 || conn->asked < plan->each) {
        worker->idle[worker->idle_n++] = conn;
    }
    else {
        load_conn_close(conn);
    }
}

static void note_open(worker_t *worker, load_conn_t *conn)
{
    if (!conn->busy || conn->open || conn->answer.body_bytes == 0) {
        return;
    }
    conn->open = true;
    worker->open++;
    if (worker->open > worker->sum->peak_open) {
        worker->sum->peak_open = worker->open;
    }
    if (worker->open == worker->n && !worker->announced) {
        worker->announced = true;
        if (write(worker->announce_fd, "o", 1) != 1) {
            perror("ai-load: announce");
        }
    }
}

/* -------------------------------------------------------------------------- loop */

static void start_some(worker_t *worker)
{
    for (;;) {
        uint64_t now = load_now_ns();
        uint64_t due = next_due(worker, now);
        load_end_t end = LOAD_OK;

        if (due > now || next_slot(worker, now) > now) {
            return;
        }
        load_conn_t *conn = worker->idle[--worker->idle_n];
        if (!conn->opened_once) {
            worker->opened++;
        }
        if (worker->sum->begin_ns == 0) {
            worker->sum->begin_ns = now;
        }
        snprintf(conn->id, sizeof(conn->id), "%.40s%u-%llu", worker->plan->prefix, worker->index,
                 (unsigned long long)worker->sum->started);
        conn->request = load_plan_request(worker->plan, conn->id, &conn->request_n);
        conn->due_ns = due;
        conn->asked++;
        arm(worker, conn, now);
        worker->sum->started++;
        worker->busy++;
        if (load_conn_start(conn, worker->plan, worker->epoll_fd, worker->sum, &end) ==
            LOAD_ENDED) {
            finish(worker, conn, end);
        }
    }
}

/* Ends what is over time and leaves where we are to leave.  Returns when to look again. */
static uint64_t sweep(worker_t *worker, uint64_t now)
{
    uint64_t next = now + sweep_ns;

    if (worker->plan->abort_to < 0 && now < worker->swept_ns + sweep_ns) {
        return worker->swept_ns + sweep_ns;
    }
    worker->swept_ns = now;
    for (unsigned i = 0; i < worker->n; i++) {
        load_conn_t *conn = &worker->conns[i];
        if (!conn->busy) {
            continue;
        }
        if (conn->leave_ns != 0 && conn->leave_ns <= now) {
            finish(worker, conn, LOAD_ABORTED);
        }
        else if (conn->deadline_ns <= now) {
            finish(worker, conn, LOAD_TIMEOUT);
        }
        else if (conn->leave_ns != 0 && conn->leave_ns < next) {
            next = conn->leave_ns;
        }
    }
    return next;
}

static void wait_until(worker_t *worker, uint64_t when)
{
    struct epoll_event events[ROUND_EVENTS];
    struct pollfd ready = { .fd = worker->epoll_fd, .events = POLLIN };
    uint64_t now = load_now_ns();
    uint64_t wait = when > now ? when - now : 0;
    struct timespec span = { (time_t)(wait / 1000000000u), (long)(wait % 1000000000u) };
    load_end_t end = LOAD_OK;

    /* epoll itself only counts milliseconds. */
    if (wait < precise_ns && ppoll(&ready, 1, &span, NULL) <= 0) {
        return;
    }
    int n = epoll_wait(worker->epoll_fd, events, ROUND_EVENTS, (int)(wait / 1000000u));
    for (int i = 0; i < n; i++) {
        load_conn_t *conn = events[i].data.ptr;
        load_step_t step =
            load_conn_stir(conn, worker->plan, worker->epoll_fd, worker->sum, &end);
        if (step == LOAD_ENDED) {
            note_open(worker, conn);
            finish(worker, conn, end);
        }
        else {
            note_open(worker, conn);
        }
    }
}

static void loop(worker_t *worker)
{
    for (;;) {
        start_some(worker);
        uint64_t now = load_now_ns();
        uint64_t when = sweep(worker, now);
        uint64_t due = next_due(worker, now);
        uint64_t slot = next_slot(worker, now);

        if (worker->busy == 0 && (due == UINT64_MAX || slot == UINT64_MAX)) {
            return;
        }
        uint64_t start = due > slot ? due : slot;
        wait_until(worker, start < when ? start : when);
    }
}

static void prepare(worker_t *worker)
{
    const load_plan_t *plan = worker->plan;

    worker->n = plan->connections / plan->processes +
                (worker->index < plan->connections % plan->processes);
    if (plan->requests != 0) {
        worker->quota = plan->requests / plan->processes +
                        (worker->index < plan->requests % plan->processes);
    }
    worker->conns = calloc(worker->n, sizeof(*worker->conns));
    worker->idle = calloc(worker->n, sizeof(*worker->idle));
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    worker->log_fd = -1;
    if (plan->log != NULL) {
        worker->log_fd = open(plan->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    }
    if (worker->conns == NULL || worker->idle == NULL || worker->epoll_fd < 0 ||
        (plan->log != NULL && worker->log_fd < 0)) {
        perror("ai-load");
        _exit(2);
    }
    for (unsigned i = 0; i < worker->n; i++) {
        worker->conns[i].fd = -1;
        worker->idle[worker->idle_n++] = &worker->conns[worker->n - 1 - i];
    }
    prctl(PR_SET_TIMERSLACK, 1000UL);
    worker->begin_ns = load_now_ns();
    worker->random = worker->begin_ns * 2654435761u + worker->index + 1;
}

void load_worker_run(const load_plan_t *plan, unsigned index, load_sum_t *sum, int announce_fd)
{
    worker_t worker = { .plan = plan, .index = index, .sum = sum, .announce_fd = announce_fd };

    prepare(&worker);
    loop(&worker);
    for (unsigned i = 0; i < worker.n; i++) {
        load_conn_close(&worker.conns[i]);
        load_answer_forget(&worker.conns[i].answer);
    }
    flush_log(&worker);
    free(worker.log.at);
    free(worker.conns);
    free(worker.idle);
    close(worker.epoll_fd);
}
