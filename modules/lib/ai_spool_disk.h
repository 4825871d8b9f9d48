/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_spool_disk.h - for ai_spool_*.c: the system's calls that a spool makes, and what is built of
 * them.
 *
 * They go through a table, so that tests can let each fail; nobody else changes it. All return the
 * system's error, or APR_SUCCESS, and but for a sync go on after a signal.
 */
#ifndef AI_SPOOL_DISK_H
#define AI_SPOOL_DISK_H

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <apr_errno.h>

#include "ai_slice.h"

typedef struct ai_spool_calls_t {
    int (*open_at)(int folder, const char *name, int flags, mode_t mode);
    ssize_t (*write_at)(int fd, const struct iovec *pieces, int n, off_t offset);
    ssize_t (*read_at)(int fd, void *bytes, size_t n, off_t offset);
    int (*sync_data)(int fd);
    int (*sync_all)(int fd);
    int (*cut)(int fd, off_t size);
    int (*reserve)(int fd, off_t offset, off_t n); /* room on the disk, not in the size */
    int (*rename_at)(int folder, const char *from, const char *to);
    int (*unlink_at)(int folder, const char *name);
    int (*lock)(int fd, int how);
    int (*close)(int fd);
} ai_spool_calls_t;

extern ai_spool_calls_t ai_spool_calls;

/* The longest name of a file in the folder, with its NUL. */
#define AI_SPOOL_NAME 64

/* Opens the folder. APR_EINVAL when it is not ours or root's, or others may write in it; a group may
 * where the folder has the bit that hands its group on (chmod g+s): it is shared with that group. */
apr_status_t ai_spool_disk_folder(const char *path, int *folder);

/* Opens a file in the folder. What is made is for us alone, and in a shared folder for its group to
 * read. */
apr_status_t ai_spool_disk_open(int folder, const char *name, int flags, int *fd);

/* Writes all pieces from offset on. On an error some of it may be there. */
apr_status_t ai_spool_disk_write(int fd, const ai_slice_t *pieces, int n, apr_off_t offset);

/* Reads n bytes, or as many as there are: *got. */
apr_status_t ai_spool_disk_read(int fd, char *bytes, apr_size_t n, apr_off_t offset,
                                apr_size_t *got);
apr_status_t ai_spool_disk_sync(int fd);
apr_status_t ai_spool_disk_sync_all(int fd);
apr_status_t ai_spool_disk_cut(int fd, apr_off_t size);

/* Reserves n bytes from offset on. APR_ENOTIMPL where the file system cannot. */
apr_status_t ai_spool_disk_reserve(int fd, apr_off_t offset, apr_off_t n);
apr_status_t ai_spool_disk_rename(int folder, const char *from, const char *to);
apr_status_t ai_spool_disk_unlink(int folder, const char *name);

/* Locks for the only writer. APR_EBUSY when there is one. */
apr_status_t ai_spool_disk_lock(int fd);

/* *held: whether a writer lives. fd must be a descriptor of the asker's own. */
apr_status_t ai_spool_disk_held(int fd, int *held);
void ai_spool_disk_close(int fd);

#endif
