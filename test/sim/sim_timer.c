/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_timer.c - whose turn is it, and when?
 *
 * A binary heap of connections, ordered by due time.  Each connection knows its place in the heap,
 * so moving or cancelling a timer costs log(n) and no memory.
 */
#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include "ai_sim.h"

static conn_t **heap;
static int heap_len, heap_cap;

int64_t timer_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void put(int at, conn_t *conn)
{
    heap[at] = conn;
    conn->heap_at = at;
}

static void sift_up(int at)
{
    conn_t *conn = heap[at];

    while (at > 0 && heap[(at - 1) / 2]->due > conn->due) {
        put(at, heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(at, conn);
}

static void sift_down(int at)
{
    conn_t *conn = heap[at];

    for (;;) {
        int child = 2 * at + 1;

        if (child >= heap_len) {
            break;
        }
        if (child + 1 < heap_len && heap[child + 1]->due < heap[child]->due) {
            child++;
        }
        if (heap[child]->due >= conn->due) {
            break;
        }
        put(at, heap[child]);
        at = child;
    }
    put(at, conn);
}

void timer_cancel(conn_t *conn)
{
    int at = conn->heap_at;

    if (at < 0) {
        return;
    }
    conn->heap_at = -1;
    heap_len--;
    if (at < heap_len) {
        put(at, heap[heap_len]);
        sift_down(at);
        sift_up(heap[at]->heap_at);
    }
}

void timer_set(conn_t *conn, int64_t ms_from_now)
{
    timer_cancel(conn);
    if (heap_len == heap_cap) {
        int cap = heap_cap ? heap_cap * 2 : 1024;
        conn_t **bigger = realloc(heap, (size_t)cap * sizeof(*heap));

        if (!bigger) {
            abort();
        }
        heap = bigger;
        heap_cap = cap;
    }
    conn->due = timer_now() + ms_from_now;
    put(heap_len, conn);
    heap_len++;
    sift_up(conn->heap_at);
}

int timer_wait(void)
{
    int64_t left;

    if (heap_len == 0) {
        return -1;
    }
    left = heap[0]->due - timer_now();
    return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

conn_t *timer_pop(void)
{
    conn_t *conn;

    if (heap_len == 0 || heap[0]->due > timer_now()) {
        return NULL;
    }
    conn = heap[0];
    timer_cancel(conn);
    return conn;
}
