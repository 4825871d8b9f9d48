/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_table.c - what is counted, in memory that all processes of the server share?
 *
 * Names are learned without a lock: a place is taken by setting its key, the name's hash, from 0,
 * and the text is written after. A process that finds the key and no text (the one that took the
 * place is just writing, or was killed) writes it, too: it is the same text. Names are the
 * administrator's or a module's words, so that nobody picks two of one hash.
 *
 * The counts need atomics of 64 bits that work between processes. APR has them where the compiler
 * does; elsewhere (some 32-bit machines) it takes a mutex of the process, and counts may be lost.
 *
 * Lives in: shared memory.  Shared state: all of it, by atomics.  May block: no.
 */

#include <errno.h>
#include <signal.h>
#include <string.h>

#include <apr_atomic.h>
#include <apr_lib.h>

#include "status_table.h"

static const char other[] = "(other)";

typedef struct status_name_t {
    volatile apr_uint64_t key;  /* 0: free */
    volatile apr_uint32_t told; /* 1: text is complete */
    char text[STATUS_NAME_MAX + 1];
} status_name_t;

typedef struct status_line_t {
    volatile apr_uint64_t count[STATUS_COUNTS_N];
    status_histogram_t first;
} status_line_t;

struct status_child_t {
    volatile apr_uint32_t pid; /* 0: free */
    volatile apr_uint32_t in_flight[STATUS_LINES_N];
};

struct status_table_t {
    status_name_t targets[STATUS_TARGETS_MAX];
    status_name_t reasons[STATUS_REASONS_MAX];
    status_line_t lines[STATUS_LINES_N];
    volatile apr_uint64_t refused[STATUS_REASONS_MAX + 1];
    int children_n;
    status_child_t children[]; /* of children_n */
};

apr_size_t status_table_size(int children)
{
    return sizeof(status_table_t) + (apr_size_t)children * sizeof(status_child_t);
}

status_table_t *status_table_prepare(void *memory, int children)
{
    status_table_t *table = memory;

    table->children_n = children;
    return table;
}

/* ------------------------------------------------------------------------------ names */

/* FNV-1a; 0 when the name may not have a line of its own. */
static apr_uint64_t key_of(const char *name)
{
    apr_uint64_t key = APR_UINT64_C(14695981039346656037);
    apr_size_t n;

    for (n = 0; name[n]; n++) {
        if (n == STATUS_NAME_MAX || !(apr_isalnum(name[n]) || strchr("-._", name[n]))) {
            return 0;
        }
        key = (key ^ (unsigned char)name[n]) * APR_UINT64_C(1099511628211);
    }
    return n ? key : 0;
}

/* The place of a name among n, taken if need be; n when there is none for it. */
static int place_of(status_name_t *names, int n, const char *name)
{
    apr_uint64_t key = key_of(name);
    int i;

    if (!key) {
        return n;
    }
    for (i = 0; i < n; i++) {
        apr_uint64_t there = apr_atomic_read64(&names[i].key);

        if (!there) {
            there = apr_atomic_cas64(&names[i].key, key, 0);
        }
        if (there && there != key) {
            continue;
        }
        if (!apr_atomic_read32(&names[i].told)) {
            memcpy(names[i].text, name, strlen(name) + 1);
            apr_atomic_xchg32(&names[i].told, 1);
        }
        return i;
    }
    return n;
}

static const char *name_at(const status_name_t *names, int n, int i)
{
    if (i >= n) {
        return other;
    }
    return names[i].told ? names[i].text : NULL;
}

int status_table_line(status_table_t *table, const char *target)
{
    return 1 + place_of(table->targets, STATUS_TARGETS_MAX, target);
}

const char *status_table_name(const status_table_t *table, int line)
{
    if (line == STATUS_OTHER && !status_table_count(table, line, STATUS_ATTEMPTS)
        && !status_table_count(table, line, STATUS_REQUESTS)
        && !status_table_in_flight(table, line)) {
        return NULL;
    }
    return name_at(table->targets, STATUS_TARGETS_MAX, line - 1);
}

/* ----------------------------------------------------------------------------- counts */

void status_table_add(status_table_t *table, int line, status_count_e what, apr_int64_t n)
{
    if (n > 0) {
        apr_atomic_add64(&table->lines[line].count[what], (apr_uint64_t)n);
    }
}

apr_uint64_t status_table_count(const status_table_t *table, int line, status_count_e what)
{
    return table->lines[line].count[what];
}

status_histogram_t *status_table_first(status_table_t *table, int line)
{
    return &table->lines[line].first;
}

void status_table_refuse(status_table_t *table, const char *reason)
{
    apr_atomic_inc64(&table->refused[place_of(table->reasons, STATUS_REASONS_MAX, reason)]);
}

const char *status_table_reason(const status_table_t *table, int i, apr_uint64_t *n)
{
    *n = table->refused[i];
    return *n ? name_at(table->reasons, STATUS_REASONS_MAX, i) : NULL;
}

/* -------------------------------------------------------------------------- in flight */

static void free_place(status_child_t *child)
{
    int line;

    for (line = 0; line < STATUS_LINES_N; line++) {
        apr_atomic_set32(&child->in_flight[line], 0);
    }
    apr_atomic_xchg32(&child->pid, 0); /* last: from now on it is somebody else's */
}

status_child_t *status_table_enter(status_table_t *table, pid_t pid)
{
    int i;

    for (i = 0; i < table->children_n; i++) {
        if (apr_atomic_cas32(&table->children[i].pid, (apr_uint32_t)pid, 0) == 0) {
            return &table->children[i];
        }
    }
    return NULL;
}

void status_table_leave(status_table_t *table, pid_t pid)
{
    int i;

    for (i = 0; i < table->children_n; i++) {
        if (apr_atomic_read32(&table->children[i].pid) == (apr_uint32_t)pid) {
            free_place(&table->children[i]);
        }
    }
}

void status_table_prune(status_table_t *table)
{
    int i;

    for (i = 0; i < table->children_n; i++) {
        apr_uint32_t pid = apr_atomic_read32(&table->children[i].pid);

        if (pid && kill((pid_t)pid, 0) != 0 && errno == ESRCH) {
            free_place(&table->children[i]);
        }
    }
}

void status_child_move(status_child_t *child, int line, int by)
{
    if (child) {
        apr_atomic_add32(&child->in_flight[line], (apr_uint32_t)by);
    }
}

apr_uint32_t status_table_in_flight(const status_table_t *table, int line)
{
    apr_uint32_t n = 0;
    int i;

    for (i = 0; i < table->children_n; i++) {
        n += table->children[i].in_flight[line];
    }
    return n;
}
