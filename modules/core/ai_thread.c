/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_thread.c - how does a thread beside httpd's workers begin and end?
 *
 * Lives in: the child's pool.  Shared state: over, by a lock.
 * May block: at its end, for the work that is under way.
 */

#include <pthread.h>
#include <signal.h>

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#include "ai_thread.h"

struct ai_thread_t {
    apr_thread_t *thread;
    apr_thread_mutex_t *lock; /* of over */
    apr_thread_cond_t *ends;
    int over;
    void (*work)(ai_thread_t *thread, void *data);
    void (*wake)(void *data);
    void *data;
};

static void *APR_THREAD_FUNC run(apr_thread_t *self, void *data)
{
    ai_thread_t *thread = data;

    (void)self;
    thread->work(thread, thread->data);
    return NULL;
}

/* Before the pool loses what the thread works with. httpd's workers are gone by then. */
static apr_status_t end(void *data)
{
    ai_thread_t *thread = data;
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

apr_status_t ai_thread_create(apr_thread_t **thread, apr_thread_start_t work, void *data,
                              apr_pool_t *p)
{
    sigset_t all, before;
    apr_status_t rv;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rv = apr_thread_create(thread, NULL, work, data, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rv;
}

ai_thread_t *ai_thread_start(apr_pool_t *p, void (*work)(ai_thread_t *thread, void *data),
                             void (*wake)(void *data), void *data, apr_status_t *rv)
{
    ai_thread_t *thread = apr_pcalloc(p, sizeof(*thread));

    thread->work = work;
    thread->wake = wake;
    thread->data = data;
    *rv = apr_thread_mutex_create(&thread->lock, APR_THREAD_MUTEX_UNNESTED, p);
    if (*rv == APR_SUCCESS) {
        *rv = apr_thread_cond_create(&thread->ends, p);
    }
    if (*rv == APR_SUCCESS) {
        *rv = ai_thread_create(&thread->thread, run, thread, p);
    }
    if (*rv != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_pre_cleanup_register(p, thread, end);
    return thread;
}

int ai_thread_over(ai_thread_t *thread)
{
    int over;

    apr_thread_mutex_lock(thread->lock);
    over = thread->over;
    apr_thread_mutex_unlock(thread->lock);
    return over;
}

void ai_thread_wait(ai_thread_t *thread, apr_interval_time_t time)
{
    apr_thread_mutex_lock(thread->lock);
    if (!thread->over) {
        apr_thread_cond_timedwait(thread->ends, thread->lock, time);
    }
    apr_thread_mutex_unlock(thread->lock);
}

void ai_thread_name(const char *name)
{
#ifdef __GLIBC__
    pthread_setname_np(pthread_self(), name);
#else
    (void)name; /* elsewhere it is called as its process is */
#endif
}
