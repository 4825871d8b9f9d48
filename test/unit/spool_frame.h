/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_frame.h - what the tests of the spool share: a folder of their own, records that can be
 * told apart, and all that a folder holds.
 */
#ifndef SPOOL_FRAME_H
#define SPOOL_FRAME_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "ai_spool.h"
#include "tap.h"

#define NOON apr_time_from_sec(1795219200)

static apr_pool_t *pool;
static const char *folder;

static inline int spool_begin(const char *name)
{
    const char *temporary;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    folder = apr_temp_dir_get(&temporary, pool) == APR_SUCCESS
                 ? mkdtemp(apr_pstrcat(pool, temporary, "/", name, ".XXXXXX", NULL)) : NULL;
    return ok(folder != NULL, "there is a folder");
}

/* Removes all files of the folder. How many there were. */
static inline int spool_empty(void)
{
    DIR *list = opendir(folder);
    const struct dirent *entry;
    int n = 0;

    while (list && (entry = readdir(list))) {
        if (entry->d_name[0] != '.') {
            n += unlink(apr_pstrcat(pool, folder, "/", entry->d_name, NULL)) == 0;
        }
    }
    if (list) {
        closedir(list);
    }
    return n;
}

static inline int spool_end(void)
{
    spool_empty();
    rmdir(folder);
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}

/* The id of call number n of thread. */
static inline ai_uuid_t id_of(unsigned thread, unsigned n)
{
    ai_uuid_t id = { { 0 } };

    memcpy(id.bytes, &thread, sizeof(thread));
    memcpy(id.bytes + 8, &n, sizeof(n));
    return id;
}

static inline unsigned n_of(const ai_uuid_t *id)
{
    unsigned n;

    memcpy(&n, id->bytes + 8, sizeof(n));
    return n;
}

static inline unsigned thread_of(const ai_uuid_t *id)
{
    unsigned thread;

    memcpy(&thread, id->bytes, sizeof(thread));
    return thread;
}

static inline apr_status_t spool_open(ai_spool_t **spool, apr_off_t size)
{
    ai_spool_conf_t conf = { .folder = folder, .node = "gw1.example.org", .size = size };

    return ai_spool_open(pool, &conf, NOON, spool);
}

/* Appends record n with a body of two pieces. */
static inline apr_status_t put(ai_spool_t *spool, int type, unsigned n, const char *body,
                               ai_spool_position_t *position)
{
    ai_spool_position_t ignored;
    ai_slice_t pieces[2] = { ai_slice_of(body), ai_slice_of(body) };
    ai_spool_record_t record = { .type = type, .id = id_of(0, n), .time = NOON + n,
                                 .body = pieces, .pieces = 2 };

    pieces[0].n /= 2;
    pieces[1].p += pieces[0].n;
    pieces[1].n -= pieces[0].n;
    return ai_spool_append(spool, &record, position ? position : &ignored);
}

/* What a folder, or a segment, was found to hold. */
typedef struct found_t {
    int frames;    /* without the closing ones */
    int chained;   /* of all, these have the trust */
    int unchained;
    int altered;
    int damage;
    int removed;
    int closed;    /* segments by how they end */
    int cut;
    int live;
    int failed;
    apr_off_t left; /* bytes behind the ends */
} found_t;

typedef void each_fn(void *baton, const ai_spool_frame_t *frame);

static inline void read_segment(const ai_uuid_t *id, const ai_spool_place_t *from,
                                found_t *found, each_fn *each, void *baton)
{
    ai_spool_reader_t *reader;
    ai_spool_frame_t frame;
    apr_pool_t *p;

    apr_pool_create(&p, pool);
    if (ai_spool_reader_open(p, folder, id, from, &reader) != APR_SUCCESS) {
        found->failed++;
        apr_pool_destroy(p);
        return;
    }
    for (;;) {
        ai_spool_found_e what = ai_spool_read(reader, &frame);

        if (what == AI_SPOOL_FRAME) {
            found->frames += frame.type != AI_SPOOL_CLOSE;
            found->chained += frame.trust == AI_SPOOL_CHAINED;
            found->unchained += frame.trust == AI_SPOOL_UNCHAINED;
            found->altered += frame.trust == AI_SPOOL_ALTERED;
            found->removed += frame.removed;
            if (each && frame.type != AI_SPOOL_CLOSE) {
                each(baton, &frame);
            }
        }
        else if (what == AI_SPOOL_DAMAGE) {
            found->damage++;
        }
        else {
            found->closed += what == AI_SPOOL_CLOSED;
            found->cut += what == AI_SPOOL_CUT;
            found->live += what == AI_SPOOL_YET;
            found->failed += what == AI_SPOOL_FAILED;
            found->left += what == AI_SPOOL_YET ? 0 : ai_spool_reader_skipped(reader);
            break;
        }
    }
    apr_pool_destroy(p);
}

static inline apr_array_header_t *segments(void)
{
    apr_array_header_t *list = NULL;

    return ai_spool_list(pool, folder, &list) == APR_SUCCESS
               ? list : apr_array_make(pool, 1, sizeof(ai_spool_segment_t));
}

static inline ai_uuid_t segment_at(int i)
{
    return APR_ARRAY_IDX(segments(), i, ai_spool_segment_t).id;
}

static inline found_t read_all(each_fn *each, void *baton)
{
    apr_array_header_t *list = segments();
    found_t found = { 0 };
    int i;

    for (i = 0; i < list->nelts; i++) {
        read_segment(&APR_ARRAY_IDX(list, i, ai_spool_segment_t).id, NULL, &found, each, baton);
    }
    return found;
}

static inline const char *path_of(const ai_uuid_t *segment)
{
    char text[AI_UUID_TEXT + 1];

    ai_uuid_text(segment, text);
    return apr_pstrcat(pool, folder, "/", text, ".spool", NULL);
}

/* All bytes of a file. */
static inline ai_slice_t slurp(const char *path)
{
    ai_slice_t bytes = { NULL, 0 };
    struct stat is;
    int fd = open(path, O_RDONLY);

    if (fd >= 0 && fstat(fd, &is) == 0) {
        char *to = apr_palloc(pool, (apr_size_t)is.st_size + 1);

        bytes = (ai_slice_t){ to, (apr_size_t)is.st_size };
        if (read(fd, to, bytes.n) != (ssize_t)bytes.n) {
            bytes.n = 0;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return bytes;
}

static inline int spew(const char *path, const char *bytes, apr_size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int good = fd >= 0 && write(fd, bytes, n) == (ssize_t)n;

    if (fd >= 0) {
        close(fd);
    }
    return good;
}

#endif
