/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_file.c - what does a file of keys say now?
 *
 * The parent process reads changes, too (in httpd's hook monitor, every ten seconds): children that
 * are started later begin with what it has.
 *
 * Lives in: the configuration pool; contents in pools of their own.
 * Shared state: the current content of a file (auth_held.c). All of one process.
 * May block: auth_file_watch(), when it begins and ends.
 */

#include <apr_strings.h>
#include <httpd.h>
#include <http_log.h>

#include "ai_jwt.h"
#include "ai_key.h"
#include "ai_watched_file.h"
#include "auth_held.h"
#include "auth_private.h"
#include "ai_thread.h"

/* How often a child looks whether a file has changed. */
#define LOOK_EVERY apr_time_from_sec(1)

struct auth_file_t {
    const char *path;
    const auth_file_kind_t *kind;
    auth_held_t *held;
    ai_file_facts_t seen;     /* the file as it was when it was read last, well or not */
    int lost;                 /* 1 after it could not be looked at */
    auth_file_t *next;
};

/* Of the configuration in force. */
static auth_file_t *files;

void auth_file_begin(void)
{
    files = NULL;
}

const void *auth_file_hold(auth_file_t *file, apr_pool_t *p, apr_uint32_t *number)
{
    return auth_held_take(file->held, p, number);
}

/* ------------------------------------------------------------------------------- kinds */

static const void *read_keys(apr_pool_t *p, ai_slice_t text, const char **wrong)
{
    return ai_keys_read(p, text, wrong);
}

static int count_keys(const void *keys)
{
    return ai_keys_count(keys);
}

/* Who has keys and for what is not for everybody. */
static int is_secret(const void *keys)
{
    (void)keys;
    return 1;
}

static const void *read_set(apr_pool_t *p, ai_slice_t text, const char **wrong)
{
    const ai_jwks_t *set = ai_jwks_read(p, text, wrong);

    if (set && !ai_jwks_count(set)) {
        *wrong = "holds no key that this gateway can use";
        return NULL;
    }
    return set;
}

static int count_set(const void *set)
{
    return ai_jwks_count(set);
}

static int is_set_secret(const void *set)
{
    return ai_jwks_secret(set);
}

const auth_file_kind_t auth_file_keys = { "AIAuthKeyFile", AI_KEYS_SIZE, read_keys, count_keys,
                                          is_secret };
const auth_file_kind_t auth_file_jwks = { "AIAuthJWKS", AI_JWKS_SIZE, read_set, count_set,
                                          is_set_secret };

/* ----------------------------------------------------------------------------- reading */

/* Reads the file as it is now. NULL and *wrong, in p, when that fails; file->seen is set anyway. */
static const void *read_file(auth_file_t *file, apr_pool_t *p, apr_pool_t **pool,
                             const char **wrong)
{
    const void *content = NULL;
    ai_slice_t text = { "", 0 };

    *pool = auth_held_pool();
    if (!*pool) {
        *wrong = "cannot be read: no memory";
        return NULL;
    }
    if (ai_watched_file_read(*pool, file->path, file->kind->longest, &file->seen, &text, wrong)
        == APR_SUCCESS) {
        content = file->kind->read(*pool, text, wrong);
    }
    if (!content) {
        *wrong = apr_pstrdup(p, *wrong);
        apr_pool_destroy(*pool);
    }
    return content;
}

/* ------------------------------------------------------------------- at configuration */

auth_file_t *auth_file_open(cmd_parms *cmd, const char *path, const auth_file_kind_t *kind,
                            const char **wrong)
{
    apr_pool_t *p = cmd->pool, *pool;
    const void *content;
    auth_file_t *file;

    for (file = files; file; file = file->next) {
        if (file->kind == kind && strcmp(file->path, path) == 0) {
            return file;
        }
    }
    file = apr_pcalloc(p, sizeof(*file));
    file->path = path;
    file->kind = kind;
    file->held = auth_held_create(p);
    if (!file->held) {
        *wrong = "cannot be read: no memory";
        return NULL;
    }
    content = read_file(file, p, &pool, wrong);
    if (!content) {
        return NULL;
    }
    auth_held_replace(file->held, pool, content);
    if ((file->seen.protection & APR_FPROT_WREAD) && kind->secret(content)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, cmd->server,
                     AI_LOGNO(0201) "%s %s can be read by everybody on this machine",
                     kind->directive, path);
    }
    file->next = files;
    files = file;
    return file;
}

/* -------------------------------------------------------------------------- afterwards */

static void look(auth_file_t *file, apr_pool_t *p, server_rec *s)
{
    const char *wrong = NULL;
    const void *content = NULL;
    apr_pool_t *pool;
    ai_file_facts_t now;
    apr_status_t rv = ai_watched_file_look(p, file->path, &now);

    if (rv != APR_SUCCESS && file->lost) {
        return;
    }
    if (rv == APR_SUCCESS && !file->lost && ai_watched_file_is_same(&now, &file->seen)) {
        return;
    }
    file->lost = rv != APR_SUCCESS;
    if (file->lost) {
        wrong = apr_psprintf(p, "cannot be opened: %pm", &rv);
    }
    else {
        file->seen = now;
        content = read_file(file, p, &pool, &wrong);
    }
    if (!content) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     AI_LOGNO(0204) "%s %s: %s; the keys that were read before go on",
                     file->kind->directive, file->path, wrong);
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, s, AI_LOGNO(0203) "%s %s: %d keys, read again",
                 file->kind->directive, file->path, file->kind->count(content));
    auth_held_replace(file->held, pool, content);
}

static void look_at_all(apr_pool_t *p, server_rec *s)
{
    auth_file_t *file;

    for (file = files; file; file = file->next) {
        look(file, p, s);
    }
}

void auth_file_look(server_rec *s)
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
} watch_t;

static void run_watch(ai_thread_t *thread, void *data)
{
    watch_t *watch = data;

    ai_thread_name("ai-auth-files");
    while (!ai_thread_over(thread)) {
        ai_thread_wait(thread, LOOK_EVERY);
        if (!ai_thread_over(thread)) {
            look_at_all(watch->pool, watch->s);
            apr_pool_clear(watch->pool);
        }
    }
    apr_pool_destroy(watch->pool);
}

void auth_file_watch(apr_pool_t *p, server_rec *s)
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
        apr_pool_clear(watch->pool);
        ai_thread_start(p, run_watch, NULL, watch, &rv);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     AI_LOGNO(0207) "no thread to watch key files: changes need a restart");
    }
}
