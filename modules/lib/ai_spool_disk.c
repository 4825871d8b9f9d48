/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_spool_disk.c - what does a spool ask of the system?
 *
 * POSIX's calls and not APR's: those follow links, append where the end happens to be, and know no
 * fdatasync(), fallocate() or pwritev().
 *
 * Lives in: the system.  Shared state: the table, which only tests change.  May block: on the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "ai_spool_disk.h"

/* So many pieces are handed to one call. */
enum { PIECES = 32 };

static int open_at(int folder, const char *name, int flags, mode_t mode)
{
    return openat(folder, name, flags, mode);
}

static int reserve(int fd, off_t offset, off_t n)
{
#ifdef FALLOC_FL_KEEP_SIZE
    return fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, n);
#else
    (void)fd, (void)offset, (void)n;
    errno = ENOSYS;
    return -1;
#endif
}

static int rename_at(int folder, const char *from, const char *to)
{
    return renameat(folder, from, folder, to);
}

static int unlink_at(int folder, const char *name)
{
    return unlinkat(folder, name, 0);
}

ai_spool_calls_t ai_spool_calls = {
    open_at, pwritev, pread, fdatasync, fsync, ftruncate,
    reserve, rename_at, unlink_at, flock, close
};

/* As often as a signal comes in between. */
#define AGAIN(rc, call)                                                                           \
    do {                                                                                          \
        (rc) = (call);                                                                            \
    } while ((rc) < 0 && errno == EINTR)

static apr_status_t told(int rc)
{
    return rc < 0 ? errno : APR_SUCCESS;
}

/* A folder whose files get its group, which may write there, is shared with that group. */
static int is_shared(const struct stat *folder)
{
    return (folder->st_mode & S_ISGID) && (folder->st_mode & S_IWGRP);
}

apr_status_t ai_spool_disk_open(int folder, const char *name, int flags, int *fd)
{
    struct stat is;

    /* Not to wait where somebody has put a pipe. */
    AGAIN(*fd, ai_spool_calls.open_at(folder, name,
                                      flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
    if (*fd >= 0 && (flags & O_CREAT) && fstat(folder, &is) == 0 && is_shared(&is)
        && fchmod(*fd, 0640) != 0 && errno != EPERM) { /* it was there, and is another's */
        apr_status_t rv = errno;

        ai_spool_disk_close(*fd);
        *fd = -1;
        return rv;
    }
    return told(*fd);
}

static int is_ours(const struct stat *folder)
{
    if (folder->st_mode & S_IWOTH) {
        return 0;
    }
    return is_shared(folder)
           || (!(folder->st_mode & S_IWGRP)
               && (folder->st_uid == geteuid() || folder->st_uid == 0 || geteuid() == 0));
}

apr_status_t ai_spool_disk_folder(const char *path, int *folder)
{
    apr_status_t rv;
    struct stat is;

    AGAIN(*folder, ai_spool_calls.open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
    if (*folder < 0) {
        return errno;
    }
    rv = told(fstat(*folder, &is));
    if (rv == APR_SUCCESS && !is_ours(&is)) {
        rv = APR_EINVAL;
    }
    if (rv != APR_SUCCESS) {
        ai_spool_disk_close(*folder);
    }
    return rv;
}

/* What is to be written behind the first skip bytes, as far as it fits into to. How many. */
static int gather(const ai_slice_t *pieces, int n, apr_size_t skip, struct iovec *to)
{
    int i, many = 0;

    for (i = 0; i < n && many < PIECES; i++) {
        if (skip < pieces[i].n) {
            to[many].iov_base = (void *)(pieces[i].p + skip);
            to[many++].iov_len = pieces[i].n - skip;
            skip = 0;
        }
        else {
            skip -= pieces[i].n;
        }
    }
    return many;
}

apr_status_t ai_spool_disk_write(int fd, const ai_slice_t *pieces, int n, apr_off_t offset)
{
    struct iovec to[PIECES];
    apr_size_t total = 0;
    int many;

    while ((many = gather(pieces, n, total, to)) > 0) {
        ssize_t did;

        AGAIN(did, ai_spool_calls.write_at(fd, to, many, offset + (apr_off_t)total));
        if (did <= 0) {
            return did < 0 ? errno : ENOSPC;
        }
        total += (apr_size_t)did;
    }
    return APR_SUCCESS;
}

apr_status_t ai_spool_disk_read(int fd, char *bytes, apr_size_t n, apr_off_t offset,
                                apr_size_t *got)
{
    ssize_t did = 1;

    for (*got = 0; *got < n && did > 0; *got += (apr_size_t)did) {
        AGAIN(did, ai_spool_calls.read_at(fd, bytes + *got, n - *got, offset + (apr_off_t)*got));
        if (did < 0) {
            return errno;
        }
    }
    return APR_SUCCESS;
}

/* Not after EINTR: what was lost by the first try, the second would not tell. */
apr_status_t ai_spool_disk_sync(int fd)
{
    return told(ai_spool_calls.sync_data(fd));
}

apr_status_t ai_spool_disk_sync_all(int fd)
{
    return told(ai_spool_calls.sync_all(fd));
}

apr_status_t ai_spool_disk_cut(int fd, apr_off_t size)
{
    int rc;

    AGAIN(rc, ai_spool_calls.cut(fd, size));
    return told(rc);
}

apr_status_t ai_spool_disk_reserve(int fd, apr_off_t offset, apr_off_t n)
{
    int rc;

    AGAIN(rc, ai_spool_calls.reserve(fd, offset, n));
    if (rc < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
        return APR_ENOTIMPL;
    }
    return told(rc);
}

apr_status_t ai_spool_disk_rename(int folder, const char *from, const char *to)
{
    int rc;

    AGAIN(rc, ai_spool_calls.rename_at(folder, from, to));
    return told(rc);
}

apr_status_t ai_spool_disk_unlink(int folder, const char *name)
{
    int rc;

    AGAIN(rc, ai_spool_calls.unlink_at(folder, name));
    return told(rc);
}

apr_status_t ai_spool_disk_lock(int fd)
{
    int rc;

    AGAIN(rc, ai_spool_calls.lock(fd, LOCK_EX | LOCK_NB));
    return rc < 0 && errno == EWOULDBLOCK ? APR_EBUSY : told(rc);
}

apr_status_t ai_spool_disk_held(int fd, int *held)
{
    int rc;

    AGAIN(rc, ai_spool_calls.lock(fd, LOCK_SH | LOCK_NB));
    *held = rc < 0 && errno == EWOULDBLOCK;
    if (*held) {
        return APR_SUCCESS;
    }
    if (rc == 0) {
        ai_spool_calls.lock(fd, LOCK_UN);
        return APR_SUCCESS;
    }
    return errno;
}

void ai_spool_disk_close(int fd)
{
    ai_spool_calls.close(fd);
}
