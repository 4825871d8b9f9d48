/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_segment.c - what do the processes of a server share, before and after a restart?
 *
 * The module that asked is unloaded and loaded again by a restart; httpd's retained data is what
 * stays. It holds, for each name, where the memory is. Only the parent process has that list: a
 * child has the memory by being forked.
 *
 * Lives in: the server process.  Shared state: the memory is handed out, not looked into.
 * May block: on the disk, while the configuration is read.
 */

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include "ai_map.h"
#include "ai_segment.h"
#include "mod_ai.h"

typedef struct segment_t {
    void *memory;     /* NULL: none */
    const char *path; /* of its file; NULL: it has none */
    apr_size_t size;
    apr_uint32_t layout;
    pid_t owner;
} segment_t;

static segment_t *retained(apr_pool_t *p, const char *name)
{
    const char *key = apr_pstrcat(p, "mod_ai segment ", name, NULL);
    segment_t *segment = ap_retained_data_get(key);

    return segment ? segment : ap_retained_data_create(key, sizeof(*segment));
}

/* A second server that has the same folder may have put its own there. */
static void remove_file(const segment_t *segment)
{
    if (segment->path && segment->owner == getpid()
        && ai_map_is_at(segment->memory, segment->path)) {
        unlink(segment->path);
    }
}

/* The configuration goes: at a restart the memory and its file stay, at the end the file goes. */
static apr_status_t end(void *data)
{
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_EXITING) {
        remove_file(data);
    }
    return APR_SUCCESS;
}

static void drop(segment_t *segment)
{
    if (segment->memory && segment->path) {
        ai_map_close(segment->memory);
    }
    else if (segment->memory) {
        munmap(segment->memory, segment->size);
    }
    segment->memory = NULL;
    segment->path = NULL;
}

static void make(server_rec *s, const char *name, segment_t *segment)
{
    apr_pool_t *p = s->process->pool;
    const char *path = ap_runtime_dir_relative(p, apr_pstrcat(p, "ai-", name, ".shm", NULL));
    apr_status_t rv = ai_map_create(p, path, name, segment->layout, segment->size,
                                    &segment->memory);

    segment->owner = getpid();
    if (rv == APR_SUCCESS) {
        segment->path = path;
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s, AI_LOGNO(0120) "%s: no shared memory could be "
                 "made there; it has no file then, and aictl cannot reach it", path);
    segment->memory = mmap(NULL, segment->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                           -1, 0);
    if (segment->memory == MAP_FAILED) {
        ap_log_error(APLOG_MARK, APLOG_ERR, APR_FROM_OS_ERROR(errno), s,
                     AI_LOGNO(0121) "there is no shared memory for '%s'", name);
        segment->memory = NULL;
    }
}

void *ai_segment_get(server_rec *s, const char *name, apr_size_t size, apr_uint32_t layout)
{
    segment_t *segment = retained(s->process->pool, name);

    if (!segment->memory || segment->size != size || segment->layout != layout) {
        drop(segment);
        segment->size = size;
        segment->layout = layout;
        make(s, name, segment);
    }
    if (segment->path) {
        apr_pool_cleanup_register(s->process->pconf, segment, end, apr_pool_cleanup_null);
    }
    return segment->memory;
}

void ai_segment_drop(server_rec *s, const char *name)
{
    segment_t *segment = retained(s->process->pool, name);

    remove_file(segment);
    drop(segment);
}
