/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.c - how does the server on this machine hear of a change in the database?
 *
 * It remembers keys in memory that has a file in its DefaultRuntimeDir. What is forgotten there is
 * looked up anew at the next request. Only root and who started the server can open that file, so it
 * is opened before root is given up.
 */
#include <stdio.h>

#include <apr_env.h>
#include <apr_strings.h>

#include "ai_map.h"
#include "aictl.h"

/* Above that all are forgotten at once. */
#define MOST_IDS 10000

void server_attach(apr_pool_t *p, const char *folder, server_t *server)
{
    apr_size_t size = 0;
    void *memory = NULL;
    char *named = NULL;

    if (!folder && apr_env_get(&named, "AI_RUNTIME_DIR", p) == APR_SUCCESS && *named) {
        folder = named;
    }
    server->ids = apr_array_make(p, 8, sizeof(const char *));
    server->away = ai_map_attach(p, apr_pstrcat(p, folder ? folder : AI_RUNTIME_DIR, "/ai-"
                                                AI_KEY_CACHE_SEGMENT ".shm", NULL),
                                 AI_KEY_CACHE_SEGMENT, AI_KEY_CACHE_LAYOUT, &memory, &size);
    if (!server->away && (size < AI_KEY_CACHE_LEAST || size > AI_KEY_CACHE_MOST)) {
        server->away = "its memory has a size that is none";
    }
    if (!server->away) {
        ai_key_cache_open(&server->cache, memory, size);
    }
}

void server_note(server_t *server, const char *id)
{
    if (server->ids->nelts <= MOST_IDS) {
        APR_ARRAY_PUSH(server->ids, const char *) = apr_pstrdup(server->ids->pool, id);
    }
}

void server_tell(server_t *server)
{
    int i;

    if (!server->ids->nelts) {
        return;
    }
    if (server->away) {
        fprintf(stderr, "aictl: no server was told (%s); the change is in force within its "
                "AIAuthCacheTTL\n", server->away);
        return;
    }
    if (server->ids->nelts > MOST_IDS) {
        ai_key_cache_forget_all(&server->cache);
        return;
    }
    for (i = 0; i < server->ids->nelts; i++) {
        ai_key_cache_forget(&server->cache, ai_slice_of(APR_ARRAY_IDX(server->ids, i, const char *)));
    }
}
