/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_thread.c - how does a thread beside httpd's workers begin and end?
 *
 * Lives in: the child's pool.  Shared state: over, by a lock.
 * May block: at its end, for the work that is under way.
 */

#include <signal.h>

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#include "auth_thread.h"

struct auth_thread_t {
    apr_thread_t *thread;
    apr_thread_mutex_t *lock; /* of over */
    apr_thread_cond_t *ends;
    int over;
    void (*work)(auth_thread_t *thread, void *data);
    void (*wake)(void *data);
    void *data;
};

static void *APR_THREAD_FUNC run(apr_thread_t *self, void *data)
{
    auth_thread_t *thread = data;

    (void)self;
    thread->work(thread, thread->data);
    return NULL;
}

/* Before the pool loses what the thread works with. httpd's workers are gone by then. */
static apr_status_t end(void *data)
{
    auth_thread_t *thread = data;
    apr_status_t rv;

    apr_thread_mutex_lock(thread->lock);
    thread->over = 1;
    apr_thread_cond_signal(thread->ends);
    apr_thread_mutex_unlock(thread->lock);
    if (thread->wake) {
        thread->wake(thread->data);
    }
    apr_thread_join(&rv, thread->thread);
    return APR_SUCCESS;
}

/* The child's signals are for its other threads. */
static apr_status_t start_without_signals(auth_thread_t *thread, apr_pool_t *p)
{
    sigset_t all, before;
    apr_status_t rv;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rv = apr_thread_create(&thread->thread, NULL, run, thread, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rv;
}

auth_thread_t *auth_thread_start(apr_pool_t *p, void (*work)(auth_thread_t *thread, void *data),
                                 void (*wake)(void *data), void *data, apr_status_t *rv)
{
    auth_thread_t *thread = apr_pcalloc(p, sizeof(*thread));

    thread->work = work;
    thread->wake = wake;
    thread->data = data;
    *rv = apr_thread_mutex_create(&thread->lock, APR_THREAD_MUTEX_UNNESTED, p);
    if (*rv == APR_SUCCESS) {
        *rv = apr_thread_cond_create(&thread->ends, p);
    }
    if (*rv == APR_SUCCESS) {
        *rv = start_without_signals(thread, p);
    }
    if (*rv != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_pre_cleanup_register(p, thread, end);
    return thread;
}

int auth_thread_over(auth_thread_t *thread)
{
    int over;

    apr_thread_mutex_lock(thread->lock);
    over = thread->over;
    apr_thread_mutex_unlock(thread->lock);
    return over;
}

void auth_thread_wait(auth_thread_t *thread, apr_interval_time_t time)
{
    apr_thread_mutex_lock(thread->lock);
    if (!thread->over) {
        apr_thread_cond_timedwait(thread->ends, thread->lock, time);
    }
    apr_thread_mutex_unlock(thread->lock);
}
