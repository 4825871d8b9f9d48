/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_table.h - what is counted, in memory that all processes of the server share?
 *
 * Pure: it is given zeroed memory and works on it with atomics alone. There are no locks, and a
 * process may die at any instruction without harm to what the others count. All calls but
 * status_table_prepare() may be made by any thread of any process.
 */
#ifndef STATUS_TABLE_H
#define STATUS_TABLE_H

#include <sys/types.h>

#include <apr.h>

#include "status_histogram.h"

/* Raise it when anything of status_table_t, or the meaning of a count, changes. */
#define STATUS_LAYOUT 1

/* Targets and reasons with a line of their own; those that come later share "(other)". */
#define STATUS_TARGETS_MAX 128
#define STATUS_REASONS_MAX 48
/* Longer names count as "(other)", too. */
#define STATUS_NAME_MAX 63

/* The order is that of status_counts[] in status_page.c. */
typedef enum status_count_e {
    STATUS_REQUESTS,
    STATUS_ANSWERS,
    STATUS_PROVIDER_ERRORS,
    STATUS_FAILURES,
    STATUS_REFUSALS,
    STATUS_CLIENT_ABORTS,
    STATUS_STREAMS,
    STATUS_ATTEMPTS,
    STATUS_ATTEMPTS_FAILED,
    STATUS_TOKENS_PROMPT,
    STATUS_TOKENS_COMPLETION,
    STATUS_TOKENS_CACHED,
    STATUS_TIME_UPSTREAM_US,
    STATUS_OVERHEAD_US,
    STATUS_COUNTS_N
} status_count_e;

/* Lines: 0 is the whole server, then the targets, the last is "(other)". */
#define STATUS_SERVER 0
#define STATUS_OTHER (STATUS_TARGETS_MAX + 1)
#define STATUS_LINES_N (STATUS_TARGETS_MAX + 2)

typedef struct status_table_t status_table_t;
/* What one child process has under way. */
typedef struct status_child_t status_child_t;

/* How many bytes a table for so many child processes takes. */
apr_size_t status_table_size(int children);
/* The table in memory of that size, which is zeroed before the first time. Saying it again for the
 * same number of processes changes nothing. */
status_table_t *status_table_prepare(void *memory, int children);

/* The line of a target, learned when it is first heard of. STATUS_OTHER when there is no room for
 * it, or when the name is too long or holds more than letters, digits, '-', '.' and '_'. */
int status_table_line(status_table_t *table, const char *target);
/* The name of a line from 1 on, "(other)" for the last; NULL when the line is not in use. */
const char *status_table_name(const status_table_t *table, int line);

void status_table_add(status_table_t *table, int line, status_count_e what, apr_int64_t n);
apr_uint64_t status_table_count(const status_table_t *table, int line, status_count_e what);
/* The times to the first content, in microseconds. */
status_histogram_t *status_table_first(status_table_t *table, int line);

/* Counts a refusal by its reason, a machine word; words are learned as targets are. */
void status_table_refuse(status_table_t *table, const char *reason);
/* The reason number i from 0 to STATUS_REASONS_MAX, the last of which is "(other)", and how often;
 * NULL when it is not in use. */
const char *status_table_reason(const status_table_t *table, int i, apr_uint64_t *n);

/*
 * What is under way is counted by each child process in a place of its own, and the sum is what
 * is under way on the server. When a child has ended, however it did, the parent frees its place:
 * what a crash left unfinished counts no more from then on.
 */

/* A place for the calling process, or NULL when all are taken. */
status_child_t *status_table_enter(status_table_t *table, pid_t pid);
/* Frees the place of a process that has ended. None is fine. */
void status_table_leave(status_table_t *table, pid_t pid);
/* Frees the places of processes that are no more, for whose end nobody was there. */
void status_table_prune(status_table_t *table);
/* by is 1 or -1. child may be NULL: then nothing is counted. */
void status_child_move(status_child_t *child, int line, int by);
apr_uint32_t status_table_in_flight(const status_table_t *table, int line);

#endif
