/* SPDX-License-Identifier: Apache-2.0 */
/* auth_thread.h - a thread of a child process that does its work until the child ends. */
#ifndef AUTH_THREAD_H
#define AUTH_THREAD_H

#include <apr_pools.h>
#include <apr_time.h>

typedef struct auth_thread_t auth_thread_t;

/* Runs work(thread, data) until auth_thread_over(); for child_init. Signals are not for it. wake (or
 * NULL) is called when it shall end, for work that waits for something else than _wait(). Before p
 * is cleared the thread is asked to end, and waited for. NULL and *rv: it could not be started. */
auth_thread_t *auth_thread_start(apr_pool_t *p, void (*work)(auth_thread_t *thread, void *data),
                                 void (*wake)(void *data), void *data, apr_status_t *rv);

/* 1 when it shall end. */
int auth_thread_over(auth_thread_t *thread);

/* Waits so long, or until it shall end. */
void auth_thread_wait(auth_thread_t *thread, apr_interval_time_t time);

#endif
