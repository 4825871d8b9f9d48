/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_held.c - who still uses what has been replaced?
 *
 * A content counts its users: the holder itself while it is the current one, and each request that
 * has looked into it.
 *
 * Lives in: the pool that was given; contents in pools of their own.
 * Shared state: the current content, by a lock; its users, by an atomic. All of one process.
 * May block: no.
 */

#include <apr_atomic.h>
#include <apr_thread_mutex.h>

#include "auth_held.h"

typedef struct content_t {
    apr_pool_t *pool; /* where it lives */
    const void *data;
    apr_uint32_t number;
    apr_uint32_t users;
} content_t;

struct auth_held_t {
    apr_thread_mutex_t *lock; /* of what follows */
    content_t *content;       /* NULL: none yet */
    apr_uint32_t number;
};

static void release(content_t *content)
{
    if (!apr_atomic_dec32(&content->users)) {
        apr_pool_destroy(content->pool);
    }
}

static apr_status_t release_used(void *content)
{
    release(content);
    return APR_SUCCESS;
}

static apr_status_t end(void *data)
{
    auth_held_t *held = data;

    if (held->content) {
        release(held->content);
    }
    return APR_SUCCESS;
}

auth_held_t *auth_held_create(apr_pool_t *p)
{
    auth_held_t *held = apr_pcalloc(p, sizeof(*held));

    if (apr_thread_mutex_create(&held->lock, APR_THREAD_MUTEX_UNNESTED, p) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_cleanup_register(p, held, end, apr_pool_cleanup_null);
    return held;
}

apr_pool_t *auth_held_pool(void)
{
    apr_pool_t *pool;

    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_tag(pool, "ai_auth_held");
    return pool;
}

const void *auth_held_take(auth_held_t *held, apr_pool_t *p, apr_uint32_t *number)
{
    content_t *content;

    apr_thread_mutex_lock(held->lock);
    content = held->content;
    if (content) {
        apr_atomic_inc32(&content->users);
    }
    apr_thread_mutex_unlock(held->lock);
    if (!content) {
        return NULL;
    }
    apr_pool_cleanup_register(p, content, release_used, apr_pool_cleanup_null);
    if (number) {
        *number = content->number;
    }
    return content->data;
}

apr_uint32_t auth_held_number(auth_held_t *held)
{
    apr_uint32_t number;

    apr_thread_mutex_lock(held->lock);
    number = held->number;
    apr_thread_mutex_unlock(held->lock);
    return number;
}

void auth_held_replace(auth_held_t *held, apr_pool_t *pool, const void *data)
{
    content_t *content = apr_palloc(pool, sizeof(*content)), *old;

    *content = (content_t){ pool, data, 0, 1 };
    apr_thread_mutex_lock(held->lock);
    old = held->content;
    content->number = ++held->number;
    held->content = content;
    apr_thread_mutex_unlock(held->lock);
    if (old) {
        release(old);
    }
}
