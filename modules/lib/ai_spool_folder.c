/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_spool_folder.c - which segments are there, and which are not needed any more?
 *
 * Lives in: the caller's pool.  Shared state: none.  May block: on the disk.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "ai_spool_disk.h"
#include "ai_spool_segment.h"

/* What a writer has begun and not named after this time, it never will. */
#define STALE apr_time_from_sec(60)

static int by_id(const void *a, const void *b)
{
    const ai_spool_segment_t *x = a, *y = b;

    return memcmp(x->id.bytes, y->id.bytes, sizeof(x->id.bytes));
}

/* Opens the folder to list it; *fd is the same. */
static apr_status_t open_list(const char *folder, DIR **list, int *fd)
{
    apr_status_t rv = ai_spool_disk_folder(folder, fd);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    *list = fdopendir(*fd);
    if (!*list) {
        rv = errno;
        ai_spool_disk_close(*fd);
    }
    return rv;
}

apr_status_t ai_spool_list(apr_pool_t *p, const char *folder, apr_array_header_t **out)
{
    apr_array_header_t *segments = apr_array_make(p, 16, sizeof(ai_spool_segment_t));
    ai_spool_segment_t segment;
    const struct dirent *entry;
    apr_status_t rv;
    struct stat is;
    DIR *list;
    int fd;

    rv = open_list(folder, &list, &fd);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    while ((errno = 0, entry = readdir(list))) {
        if (ai_spool_segment_named(entry->d_name, 0, &segment.id)
            && fstatat(fd, entry->d_name, &is, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(is.st_mode)) {
            segment.size = is.st_size;
            APR_ARRAY_PUSH(segments, ai_spool_segment_t) = segment;
        }
    }
    rv = errno;
    closedir(list);
    qsort(segments->elts, (size_t)segments->nelts, sizeof(segment), by_id);
    *out = segments;
    return rv;
}

static apr_status_t remove_named(const char *folder, const ai_uuid_t *segment)
{
    char name[AI_SPOOL_NAME];
    apr_status_t rv;
    int fd;

    rv = ai_spool_disk_folder(folder, &fd);
    if (rv == APR_SUCCESS) {
        ai_spool_segment_name(segment, 0, name);
        rv = ai_spool_disk_unlink(fd, name);
        ai_spool_disk_close(fd);
    }
    return rv;
}

apr_status_t ai_spool_remove(apr_pool_t *p, const char *folder, const ai_uuid_t *segment,
                             const ai_spool_place_t *place)
{
    ai_spool_reader_t *reader;
    ai_spool_frame_t frame;
    apr_status_t rv;

    rv = ai_spool_reader_open(p, folder, segment, place, &reader);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    switch (ai_spool_read(reader, &frame)) {
    case AI_SPOOL_CUT:
    case AI_SPOOL_CLOSED:
        rv = remove_named(folder, segment);
        break;
    case AI_SPOOL_YET:
        rv = APR_EBUSY;
        break;
    case AI_SPOOL_FAILED:
        rv = ai_spool_reader_error(reader);
        break;
    default:
        rv = APR_INCOMPLETE;
    }
    ai_spool_reader_close(reader);
    return rv;
}

apr_status_t ai_spool_sweep(const char *folder, apr_time_t now)
{
    const struct dirent *entry;
    apr_status_t rv, worst = APR_SUCCESS;
    ai_uuid_t id;
    DIR *list;
    int fd;

    rv = open_list(folder, &list, &fd);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    while ((entry = readdir(list))) {
        if (ai_spool_segment_named(entry->d_name, 1, &id) && now - ai_uuid_time(&id) >= STALE) {
            rv = ai_spool_disk_unlink(fd, entry->d_name);
            worst = rv != APR_SUCCESS ? rv : worst;
        }
    }
    closedir(list);
    return worst;
}
