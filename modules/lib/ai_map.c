/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_map.c - how do processes that are no kin share memory?
 *
 * A file that all of them map. POSIX's calls are used and not APR's: those would follow a symbolic
 * link, could not say whose the file is, and would find out that a disk is full by a signal.
 *
 * Lives in: the system's memory.  Shared state: what is handed out.  May block: on the disk.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "ai_map.h"

#define MAGIC "mod_ai\r\n"

/* What stands before the memory. */
typedef struct head_t {
    char magic[8];
    char name[AI_MAP_NAME + 1];
    apr_uint32_t layout;
    apr_uint32_t head_size;
    apr_uint64_t size;   /* of the memory */
    apr_uint64_t device; /* which file this is */
    apr_uint64_t inode;
    char rest[56]; /* to 128 bytes: what follows is aligned for the processor */
} head_t;

static head_t *head_of(const void *memory)
{
    return (head_t *)((char *)memory - sizeof(head_t));
}

static head_t *map(int fd, apr_size_t size)
{
    void *at = mmap(NULL, sizeof(head_t) + size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    return at == MAP_FAILED ? NULL : at;
}

static apr_status_t fill(int fd, const char *name, apr_uint32_t layout, apr_size_t size,
                         void **memory)
{
    struct stat is;
    head_t *head;
    int rc;

    do {
        rc = posix_fallocate(fd, 0, (off_t)(sizeof(*head) + size));
    } while (rc == EINTR);
    if (rc != 0) {
        return rc;
    }
    if (fstat(fd, &is) != 0 || !(head = map(fd, size))) {
        return errno;
    }
    memcpy(head->magic, MAGIC, sizeof(head->magic));
    apr_cpystrn(head->name, name, sizeof(head->name));
    head->layout = layout;
    head->head_size = sizeof(*head);
    head->size = size;
    head->device = (apr_uint64_t)is.st_dev;
    head->inode = (apr_uint64_t)is.st_ino;
    *memory = head + 1;
    return APR_SUCCESS;
}

apr_status_t ai_map_create(apr_pool_t *p, const char *path, const char *name, apr_uint32_t layout,
                           apr_size_t size, void **memory)
{
    const char *fresh = apr_pstrcat(p, path, ".new", NULL);
    apr_status_t rv;
    int fd;

    if (strlen(name) > AI_MAP_NAME) {
        return APR_EINVAL;
    }
    if (unlink(fresh) != 0 && errno != ENOENT) {
        return errno;
    }
    fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno;
    }
    rv = fill(fd, name, layout, size, memory);
    close(fd);
    if (rv == APR_SUCCESS && rename(fresh, path) != 0) {
        rv = errno;
        ai_map_close(*memory);
    }
    if (rv != APR_SUCCESS) {
        unlink(fresh);
    }
    return rv;
}

/* ----------------------------------------------------------------------------- attaching */

static const char *judge(const struct stat *is)
{
    if (!S_ISREG(is->st_mode)) {
        return "is no file";
    }
    if (is->st_uid != geteuid() && is->st_uid != 0) {
        return "belongs to somebody else";
    }
    if (is->st_mode & 077) {
        return "is open to others";
    }
    return is->st_size > (off_t)sizeof(head_t) ? NULL : "is no memory of mod_ai's";
}

/* Whether what was mapped is what its head says. */
static const char *judge_head(const head_t *head, apr_size_t size, const char *name,
                              apr_uint32_t layout)
{
    if (memcmp(head->magic, MAGIC, sizeof(head->magic)) != 0 || head->head_size != sizeof(*head)
        || strncmp(head->name, name, sizeof(head->name)) != 0) {
        return "is no memory of mod_ai's of that name";
    }
    if (head->layout != layout) {
        return "is of another version of mod_ai";
    }
    return head->size == size ? NULL : "is cut short";
}

static const char *attach(apr_pool_t *p, int fd, const char *name, apr_uint32_t layout,
                          void **memory, apr_size_t *size)
{
    const char *wrong;
    struct stat is;
    head_t *head;

    if (fstat(fd, &is) != 0) {
        return apr_psprintf(p, "cannot be read: %s", strerror(errno));
    }
    wrong = judge(&is);
    if (wrong) {
        return wrong;
    }
    *size = (apr_size_t)is.st_size - sizeof(head_t);
    head = map(fd, *size);
    if (!head) {
        return apr_psprintf(p, "cannot be mapped: %s", strerror(errno));
    }
    wrong = judge_head(head, *size, name, layout);
    if (wrong) {
        munmap(head, sizeof(*head) + *size);
        return wrong;
    }
    *memory = head + 1;
    return NULL;
}

const char *ai_map_attach(apr_pool_t *p, const char *path, const char *name, apr_uint32_t layout,
                          void **memory, apr_size_t *size)
{
    /* Not to wait where somebody has put a pipe. */
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    const char *wrong;

    if (fd < 0) {
        return apr_psprintf(p, "%s: cannot be opened: %s", path, strerror(errno));
    }
    wrong = attach(p, fd, name, layout, memory, size);
    close(fd);
    return wrong ? apr_psprintf(p, "%s: %s", path, wrong) : NULL;
}

void ai_map_close(void *memory)
{
    head_t *head = head_of(memory);

    munmap(head, sizeof(*head) + (apr_size_t)head->size);
}

int ai_map_is_at(const void *memory, const char *path)
{
    const head_t *head = head_of(memory);
    struct stat is;

    return lstat(path, &is) == 0 && head->device == (apr_uint64_t)is.st_dev
           && head->inode == (apr_uint64_t)is.st_ino;
}
