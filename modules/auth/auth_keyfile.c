/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_keyfile.c - which keys are there now?
 *
 * A table is read into a pool of its own, outside of all others, since it ends when nobody uses it
 * any more. It counts who does: the file itself while the table is the current one, and each
 * request that has looked into it.
 *
 * The parent process reads changes, too (in httpd's hook monitor, every ten seconds): children that
 * are started later begin with what it has.
 *
 * Lives in: the configuration pool; tables in pools of their own.
 * Shared state: the current table of a file, by a lock; its users, by an atomic. All of one process.
 * May block: auth_keyfile_watch(), when it begins and ends.
 */

#include <signal.h>

#include <apr_atomic.h>
#include <apr_file_io.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <httpd.h>
#include <http_log.h>

#include "auth_private.h"

/* How often a child looks whether a file has changed. */
#define LOOK_EVERY apr_time_from_sec(1)

#define FACTS (APR_FINFO_TYPE | APR_FINFO_MTIME | APR_FINFO_CTIME | APR_FINFO_SIZE \
               | APR_FINFO_INODE | APR_FINFO_DEV | APR_FINFO_PROT)

typedef struct table_t {
    apr_pool_t *pool;      /* where it and its keys live */
    const ai_keys_t *keys;
    apr_uint32_t holders;
} table_t;

struct auth_keyfile_t {
    const char *path;
    apr_thread_mutex_t *lock; /* of table */
    table_t *table;
    apr_finfo_t seen;         /* the file as it was when it was read last, well or not */
    int lost;                 /* 1 after it could not be looked at */
    auth_keyfile_t *next;
};

/* Of the configuration in force. */
static auth_keyfile_t *files;

void auth_keyfile_begin(void)
{
    files = NULL;
}

/* ------------------------------------------------------------------------------ tables */

static void release(table_t *table)
{
    if (!apr_atomic_dec32(&table->holders)) {
        apr_pool_destroy(table->pool);
    }
}

static apr_status_t release_held(void *table)
{
    release(table);
    return APR_SUCCESS;
}

const ai_keys_t *auth_keyfile_hold(auth_keyfile_t *file, apr_pool_t *p)
{
    table_t *table;

    apr_thread_mutex_lock(file->lock);
    table = file->table;
    apr_atomic_inc32(&table->holders);
    apr_thread_mutex_unlock(file->lock);
    apr_pool_cleanup_register(p, table, release_held, apr_pool_cleanup_null);
    return table->keys;
}

static void replace(auth_keyfile_t *file, table_t *table)
{
    table_t *old;

    apr_thread_mutex_lock(file->lock);
    old = file->table;
    file->table = table;
    apr_thread_mutex_unlock(file->lock);
    if (old) {
        release(old);
    }
}

/* ----------------------------------------------------------------------------- reading */

/* Whether the file is one that may be read. NULL, or what is wrong. */
static const char *judge(apr_pool_t *p, const apr_finfo_t *info)
{
    if (info->filetype != APR_REG) {
        return "is no file";
    }
    if (info->protection & APR_FPROT_WWRITE) {
        return "can be written by everybody on this machine";
    }
    if (info->size > AI_KEYS_SIZE) {
        return apr_psprintf(p, "is longer than %d bytes", AI_KEYS_SIZE);
    }
    return NULL;
}

/* Its text, in p. NULL and *wrong when that fails. */
static const char *read_text(apr_pool_t *p, const char *path, apr_finfo_t *info, ai_slice_t *text)
{
    apr_file_t *file;
    apr_status_t rv;
    const char *wrong;
    char *bytes;

    rv = apr_file_open(&file, path, APR_READ | APR_BINARY, APR_OS_DEFAULT, p);
    if (rv != APR_SUCCESS) {
        return apr_psprintf(p, "cannot be opened: %pm", &rv);
    }
    rv = apr_file_info_get(info, FACTS, file); /* of what is read, whatever has the name by now */
    wrong = rv == APR_SUCCESS ? judge(p, info) : apr_psprintf(p, "cannot be read: %pm", &rv);
    if (!wrong) {
        bytes = apr_palloc(p, (apr_size_t)info->size + 1);
        rv = apr_file_read_full(file, bytes, (apr_size_t)info->size, &text->n);
        bytes[text->n] = '\0';
        text->p = bytes;
        if (rv != APR_SUCCESS && rv != APR_EOF) {
            wrong = apr_psprintf(p, "cannot be read: %pm", &rv);
        }
    }
    apr_file_close(file);
    return wrong;
}

/* Reads the file as it is now. NULL and *wrong, in p, when that fails; file->seen is set anyway. */
static table_t *read_table(auth_keyfile_t *file, apr_pool_t *p, const char **wrong)
{
    apr_pool_t *pool;
    table_t *table = NULL;
    const ai_keys_t *keys = NULL;
    ai_slice_t text = { "", 0 };

    *wrong = judge(p, &file->seen); /* a pipe would never let go of who opens it */
    if (*wrong) {
        return NULL;
    }
    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS) {
        *wrong = "cannot be read: no memory";
        return NULL;
    }
    apr_pool_tag(pool, "ai_auth_keys");
    *wrong = read_text(pool, file->path, &file->seen, &text);
    if (!*wrong) {
        keys = ai_keys_read(pool, text, wrong);
    }
    if (!keys) {
        *wrong = apr_pstrdup(p, *wrong);
        apr_pool_destroy(pool);
        return NULL;
    }
    table = apr_palloc(pool, sizeof(*table));
    *table = (table_t){ pool, keys, 1 };
    return table;
}

/* ------------------------------------------------------------------- at configuration */

static apr_status_t close_file(void *data)
{
    auth_keyfile_t *file = data;

    release(file->table);
    return APR_SUCCESS;
}

auth_keyfile_t *auth_keyfile_open(cmd_parms *cmd, const char *path, const char **wrong)
{
    apr_pool_t *p = cmd->pool;
    auth_keyfile_t *file;
    apr_status_t rv;

    for (file = files; file; file = file->next) {
        if (strcmp(file->path, path) == 0) {
            return file;
        }
    }
    file = apr_pcalloc(p, sizeof(*file));
    file->path = path;
    rv = apr_stat(&file->seen, path, FACTS, cmd->temp_pool);
    if (rv == APR_SUCCESS) {
        rv = apr_thread_mutex_create(&file->lock, APR_THREAD_MUTEX_UNNESTED, p);
    }
    if (rv != APR_SUCCESS) {
        *wrong = apr_psprintf(p, "cannot be opened: %pm", &rv);
        return NULL;
    }
    file->table = read_table(file, p, wrong);
    if (!file->table) {
        return NULL;
    }
    apr_pool_cleanup_register(p, file, close_file, apr_pool_cleanup_null);
    if (file->seen.protection & APR_FPROT_WREAD) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, cmd->server,
                     AI_LOGNO(0201) "AIAuthKeyFile %s can be read by everybody on this machine",
                     path);
    }
    file->next = files;
    files = file;
    return file;
}

/* -------------------------------------------------------------------------- afterwards */

static int is_same(const apr_finfo_t *a, const apr_finfo_t *b)
{
    return a->mtime == b->mtime && a->ctime == b->ctime && a->size == b->size
           && a->inode == b->inode && a->device == b->device;
}

static void look(auth_keyfile_t *file, apr_pool_t *p, server_rec *s)
{
    const char *wrong = NULL;
    table_t *table;
    apr_finfo_t now;
    apr_status_t rv = apr_stat(&now, file->path, FACTS, p);

    if (rv != APR_SUCCESS && file->lost) {
        return;
    }
    if (rv == APR_SUCCESS && !file->lost && is_same(&now, &file->seen)) {
        return;
    }
    file->lost = rv != APR_SUCCESS;
    table = NULL;
    if (file->lost) {
        wrong = apr_psprintf(p, "cannot be opened: %pm", &rv);
    }
    else {
        file->seen = now;
        table = read_table(file, p, &wrong);
    }
    if (!table) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     AI_LOGNO(0204) "AIAuthKeyFile %s: %s; the keys that were read before go on",
                     file->path, wrong);
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, s, AI_LOGNO(0203) "AIAuthKeyFile %s: %d keys, read again",
                 file->path, ai_keys_count(table->keys));
    replace(file, table);
}

static void look_at_all(apr_pool_t *p, server_rec *s)
{
    auth_keyfile_t *file;

    for (file = files; file; file = file->next) {
        look(file, p, s);
    }
}

void auth_keyfile_look(server_rec *s)
{
    apr_pool_t *p;

    if (files && apr_pool_create(&p, s->process->pool) == APR_SUCCESS) {
        look_at_all(p, s);
        apr_pool_destroy(p);
    }
}

/* --------------------------------------------------------------------------- the thread */

typedef struct watch_t {
    server_rec *s;
    apr_pool_t *pool; /* of the thread alone */
    apr_thread_t *thread;
    apr_thread_mutex_t *lock; /* of over */
    apr_thread_cond_t *ends;
    int over;
} watch_t;

static void *APR_THREAD_FUNC run_watch(apr_thread_t *thread, void *data)
{
    watch_t *watch = data;

    (void)thread;
    apr_thread_mutex_lock(watch->lock);
    while (!watch->over) {
        apr_thread_cond_timedwait(watch->ends, watch->lock, LOOK_EVERY);
        if (!watch->over) {
            apr_thread_mutex_unlock(watch->lock);
            look_at_all(watch->pool, watch->s);
            apr_pool_clear(watch->pool);
            apr_thread_mutex_lock(watch->lock);
        }
    }
    apr_thread_mutex_unlock(watch->lock);
    return NULL;
}

/* Before the pool loses what the thread works with. httpd's workers are gone by then. */
static apr_status_t end_watch(void *data)
{
    watch_t *watch = data;
    apr_status_t rv;

    apr_thread_mutex_lock(watch->lock);
    watch->over = 1;
    apr_thread_cond_signal(watch->ends);
    apr_thread_mutex_unlock(watch->lock);
    apr_thread_join(&rv, watch->thread);
    apr_pool_destroy(watch->pool);
    return APR_SUCCESS;
}

/* The child's signals are for its other threads. */
static apr_status_t start_thread(watch_t *watch, apr_pool_t *p)
{
    sigset_t all, before;
    apr_status_t rv;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rv = apr_thread_create(&watch->thread, NULL, run_watch, watch, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rv;
}

void auth_keyfile_watch(apr_pool_t *p, server_rec *s)
{
    watch_t *watch;
    apr_status_t rv;

    if (!files) {
        return;
    }
    watch = apr_pcalloc(p, sizeof(*watch));
    watch->s = s;
    rv = apr_pool_create_unmanaged_ex(&watch->pool, NULL, NULL);
    if (rv == APR_SUCCESS) {
        look_at_all(watch->pool, s); /* the file may have changed since the server was started */
        rv = apr_thread_mutex_create(&watch->lock, APR_THREAD_MUTEX_UNNESTED, p);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&watch->ends, p);
    }
    if (rv == APR_SUCCESS) {
        rv = start_thread(watch, p);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     AI_LOGNO(0207) "no thread to watch key files: changes need a restart");
        return;
    }
    apr_pool_pre_cleanup_register(p, watch, end_watch);
}
