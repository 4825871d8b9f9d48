/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_spool_checkpoint.c - how far was each segment shipped?
 *
 * Small and whole: written anew each time, beside the old one, and renamed over it when it is on
 * the disk. One that is broken counts as none, for to ship twice does no harm.
 *
 * Lives in: the caller's pool.  Shared state: none.  May block: on the disk.
 */
#include <errno.h>
#include <fcntl.h>

#include <apr_strings.h>

#include "ai_crc32c.h"
#include "ai_spool_disk.h"
#include "ai_spool_frame.h"

#define NAME "checkpoint"
#define NAME_NEW "checkpoint.new"
#define THIS_VERSION 1

/* The head, then the marks, then a CRC over all before it. */
enum { MAGIC = 0, VERSION = 8, COUNT = 12, HEAD = 16, CRC = 4 };
enum { SEGMENT = 0, OFFSET = 16, SEQUENCE = 24, CHAIN = 32, MARK = 64 };

static const unsigned char magic[8] = { 0xa1, 'c', 'h', 'e', 'c', 'k', '\r', '\n' };

static void write_mark(const ai_spool_mark_t *mark, unsigned char *bytes)
{
    memcpy(bytes + SEGMENT, mark->segment.bytes, sizeof(mark->segment.bytes));
    ai_spool_put(bytes + OFFSET, (apr_uint64_t)mark->place.offset, 8);
    ai_spool_put(bytes + SEQUENCE, mark->place.sequence, 8);
    memcpy(bytes + CHAIN, mark->place.chain, AI_SPOOL_DIGEST);
}

static int read_mark(const unsigned char *bytes, ai_spool_mark_t *mark)
{
    apr_uint64_t offset = ai_spool_get(bytes + OFFSET, 8);

    memcpy(mark->segment.bytes, bytes + SEGMENT, sizeof(mark->segment.bytes));
    mark->place.offset = (apr_off_t)offset;
    mark->place.sequence = ai_spool_get(bytes + SEQUENCE, 8);
    memcpy(mark->place.chain, bytes + CHAIN, AI_SPOOL_DIGEST);
    return offset >= AI_SPOOL_HEAD && offset % 8 == 0 && offset <= (apr_uint64_t)1 << 60;
}

/* NULL, or what is wrong. */
static const char *read_marks(const unsigned char *bytes, apr_size_t n, apr_array_header_t *marks)
{
    apr_uint64_t count, i;

    if (n < HEAD + CRC || memcmp(bytes + MAGIC, magic, sizeof(magic)) != 0) {
        return "is no checkpoint";
    }
    if (ai_spool_get(bytes + n - CRC, CRC) != ai_crc32c(0, bytes, n - CRC)) {
        return "is damaged";
    }
    if (ai_spool_get(bytes + VERSION, 4) != THIS_VERSION) {
        return "is of another version of mod_ai";
    }
    count = ai_spool_get(bytes + COUNT, 4);
    if (count > AI_SPOOL_MARKS || n != HEAD + count * MARK + CRC) {
        return "is of another length than it says";
    }
    for (i = 0; i < count; i++) {
        if (!read_mark(bytes + HEAD + i * MARK, &APR_ARRAY_PUSH(marks, ai_spool_mark_t))) {
            return "names a place that no segment has";
        }
    }
    return NULL;
}

static apr_status_t read_file(apr_pool_t *p, int fd, apr_array_header_t *marks,
                              const char **wrong)
{
    const apr_size_t most = HEAD + (apr_size_t)AI_SPOOL_MARKS * MARK + CRC;
    apr_size_t size, n;
    apr_status_t rv;
    struct stat is;
    char *bytes;

    if (fstat(fd, &is) != 0) {
        return errno;
    }
    if (!S_ISREG(is.st_mode) || is.st_size > (off_t)most) {
        *wrong = "is no checkpoint";
        return APR_SUCCESS;
    }
    size = (apr_size_t)is.st_size;
    bytes = apr_palloc(p, size + 1);
    rv = ai_spool_disk_read(fd, bytes, size, 0, &n);
    if (rv == APR_SUCCESS) {
        *wrong = read_marks((const unsigned char *)bytes, n, marks);
    }
    return rv;
}

apr_status_t ai_spool_checkpoint_read(apr_pool_t *p, const char *folder,
                                      apr_array_header_t **out, const char **wrong)
{
    apr_array_header_t *marks = apr_array_make(p, 16, sizeof(ai_spool_mark_t));
    apr_status_t rv;
    int folder_fd, fd;

    *wrong = NULL;
    *out = marks;
    rv = ai_spool_disk_folder(folder, &folder_fd);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = ai_spool_disk_open(folder_fd, NAME, O_RDONLY, &fd);
    ai_spool_disk_close(folder_fd);
    if (rv != APR_SUCCESS) {
        return rv == ENOENT ? APR_SUCCESS : rv;
    }
    rv = read_file(p, fd, marks, wrong);
    ai_spool_disk_close(fd);
    if (rv != APR_SUCCESS || *wrong) {
        marks->nelts = 0;
        *wrong = *wrong ? apr_pstrcat(p, folder, "/" NAME " ", *wrong, NULL) : NULL;
    }
    return rv;
}

static ai_slice_t as_bytes(apr_pool_t *p, const apr_array_header_t *marks)
{
    apr_size_t n = HEAD + (apr_size_t)marks->nelts * MARK + CRC;
    unsigned char *bytes = apr_pcalloc(p, n);
    int i;

    memcpy(bytes + MAGIC, magic, sizeof(magic));
    ai_spool_put(bytes + VERSION, THIS_VERSION, 4);
    ai_spool_put(bytes + COUNT, (apr_uint64_t)marks->nelts, 4);
    for (i = 0; i < marks->nelts; i++) {
        write_mark(&APR_ARRAY_IDX(marks, i, ai_spool_mark_t), bytes + HEAD + (apr_size_t)i * MARK);
    }
    ai_spool_put(bytes + n - CRC, ai_crc32c(0, bytes, n - CRC), CRC);
    return (ai_slice_t){ (const char *)bytes, n };
}

static apr_status_t replace(int folder, const ai_slice_t *bytes)
{
    apr_status_t rv = ai_spool_disk_unlink(folder, NAME_NEW);
    int fd;

    if (rv != APR_SUCCESS && rv != ENOENT) {
        return rv;
    }
    rv = ai_spool_disk_open(folder, NAME_NEW, O_WRONLY | O_CREAT | O_EXCL, &fd);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = ai_spool_disk_write(fd, bytes, 1, 0);
    if (rv == APR_SUCCESS) {
        rv = ai_spool_disk_sync(fd);
    }
    ai_spool_disk_close(fd);
    if (rv == APR_SUCCESS) {
        rv = ai_spool_disk_rename(folder, NAME_NEW, NAME);
    }
    if (rv != APR_SUCCESS) {
        ai_spool_disk_unlink(folder, NAME_NEW);
        return rv;
    }
    return ai_spool_disk_sync_all(folder);
}

apr_status_t ai_spool_checkpoint_write(apr_pool_t *p, const char *folder,
                                       const apr_array_header_t *marks)
{
    ai_slice_t bytes;
    apr_status_t rv;
    int fd;

    if (marks->nelts > AI_SPOOL_MARKS) {
        return APR_EINVAL;
    }
    rv = ai_spool_disk_folder(folder, &fd);
    if (rv == APR_SUCCESS) {
        bytes = as_bytes(p, marks);
        rv = replace(fd, &bytes);
        ai_spool_disk_close(fd);
    }
    return rv;
}
