/* SPDX-License-Identifier: Apache-2.0 */
/* ai_thread.h - threads of a child process beside httpd's workers. In every module, hidden. */
#ifndef AI_THREAD_H
#define AI_THREAD_H

#include <apr_pools.h>
#include <apr_thread_proc.h>
#include <apr_time.h>

/* As apr_thread_create(), for a thread that gets no signals: the child's are for its others. */
apr_status_t ai_thread_create(apr_thread_t **thread, apr_thread_start_t work, void *data,
                              apr_pool_t *p);

/* One that does its work until the child ends. */
typedef struct ai_thread_t ai_thread_t;

/* Runs work(thread, data) until ai_thread_over(); for child_init. wake (or NULL) is called when it
 * shall end, for work that waits for something else than _wait(). Before p is cleared the thread is
 * asked to end, and waited for. NULL and *rv: it could not be started. */
ai_thread_t *ai_thread_start(apr_pool_t *p, void (*work)(ai_thread_t *thread, void *data),
                             void (*wake)(void *data), void *data, apr_status_t *rv);

/* 1 when it shall end. */
int ai_thread_over(ai_thread_t *thread);

/* Waits so long, or until it shall end. */
void ai_thread_wait(ai_thread_t *thread, apr_interval_time_t time);

/* What ps and top call the thread that says this: at most 15 characters, "ai-" in front. */
void ai_thread_name(const char *name);

#endif
