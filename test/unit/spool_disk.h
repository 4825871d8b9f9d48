/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_disk.h - a disk for the tests of the spool that fails when it is told to, and that knows
 * what it would hold if the power went.
 */
#ifndef SPOOL_DISK_H
#define SPOOL_DISK_H

#include <sys/file.h>
#include <sys/uio.h>

#include "ai_spool_disk.h"
#include "spool_frame.h"

#define BODY "{\"a body that is long enough to be cut in the middle\":true,\"and\":\"more\"}"

/* ----------------------------------------------------------------- calls that fail on demand */

typedef enum way_e {
    WAY_ERROR, /* the error, and nothing was done */
    WAY_SHORT  /* half of it is done, and the next call gives the error */
} way_e;

static ai_spool_calls_t real;
static int calls;        /* so many were made since they were counted last */
static int fails_at;     /* this one fails; 0: none */
static int fails_on;     /* and all after it */
static int fail_with;    /* so */
static way_e way;
static int was_half;
static int no_room;      /* 1: the disk is full */
static off_t early_end;  /* a read sees the file end here, in a record that is not all there yet */
static ai_spool_t *comes_late; /* gets a record while it syncs */

/* Whether this call is the one to fail. */
static inline int fails(void)
{
    /* Some tests have threads. */
    int call = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);

    if (fails_at && (call == fails_at || (fails_on && call > fails_at))) {
        errno = fail_with;
        return 1;
    }
    return 0;
}

static inline int t_open(int at, const char *name, int flags, mode_t mode)
{
    return fails() ? -1 : real.open_at(at, name, flags, mode);
}

static inline ssize_t t_write(int fd, const struct iovec *pieces, int n, off_t offset)
{
    if (was_half) {
        was_half = 0;
        errno = fail_with;
        return -1;
    }
    if (no_room && offset > 192) {
        errno = ENOSPC;
        return -1;
    }
    if (fails()) {
        struct iovec half = pieces[0];

        if (way == WAY_SHORT && half.iov_len > 1) {
            half.iov_len /= 2;
            was_half = 1;
            return real.write_at(fd, &half, 1, offset);
        }
        return -1;
    }
    return real.write_at(fd, pieces, n, offset);
}

static inline ssize_t t_read(int fd, void *bytes, size_t n, off_t offset)
{
    if (early_end && offset < early_end) {
        ssize_t did = real.read_at(fd, bytes, n < (size_t)(early_end - offset)
                                                  ? n : (size_t)(early_end - offset), offset);

        memset((char *)bytes + did - 8, 0, 8);
        return did;
    }
    if (early_end) {
        early_end = 0;
        return 0;
    }
    if (fails()) {
        return way == WAY_SHORT && n > 1 ? real.read_at(fd, bytes, n / 2, offset) : -1;
    }
    return real.read_at(fd, bytes, n, offset);
}

static inline int t_cut(int fd, off_t size)
{
    return fails() ? -1 : real.cut(fd, size);
}

static inline int t_reserve(int fd, off_t offset, off_t n)
{
    if (no_room) {
        errno = ENOSPC;
        return -1;
    }
    return fails() ? -1 : real.reserve(fd, offset, n);
}

static inline int t_lock(int fd, int how)
{
    return fails() ? -1 : real.lock(fd, how);
}

/* ---------------------------------------------- what the disk would hold when the power goes */

enum { FILES = 4096 };

static struct {
    dev_t device;
    ino_t inode;
    off_t size; /* bytes that a sync was good for */
    int is_named;
    int is_lost; /* a sync failed: the system may have dropped what was not on the disk */
} files[FILES];
static int n_files;

static inline int file_of(const struct stat *is)
{
    int i;

    for (i = 0; i < n_files; i++) {
        if (files[i].device == is->st_dev && files[i].inode == is->st_ino) {
            return i;
        }
    }
    files[n_files].device = is->st_dev;
    files[n_files].inode = is->st_ino;
    files[n_files].size = 0;
    files[n_files].is_lost = files[n_files].is_named = 0;
    return n_files++;
}

static inline int t_sync_data(int fd)
{
    struct stat is;
    int file;

    fstat(fd, &is);
    file = file_of(&is);
    if (fails()) {
        files[file].is_lost = 1;
        return -1;
    }
    if (comes_late) {
        ai_spool_t *spool = comes_late;

        comes_late = NULL;
        put(spool, AI_SPOOL_NOTE, 9, "{}", NULL);
    }
    /* As the system does it: once it has told of the loss, all is well again. */
    if (!files[file].is_lost) {
        files[file].size = is.st_size;
    }
    return 0;
}

/* All names that are there now, stay. */
static inline int t_sync_all(int fd)
{
    const struct dirent *entry;
    struct stat is;
    DIR *list;

    if (fails()) {
        return -1;
    }
    list = opendir(folder);
    while (list && (entry = readdir(list))) {
        apr_size_t n = strlen(entry->d_name);

        if (n > 6 && strcmp(entry->d_name + n - 6, ".spool") == 0
            && fstatat(fd, entry->d_name, &is, 0) == 0) {
            files[file_of(&is)].is_named = 1;
        }
    }
    closedir(list);
    return 0;
}

static inline int t_rename(int at, const char *from, const char *to)
{
    return fails() ? -1 : real.rename_at(at, from, to);
}

static inline int t_unlink(int at, const char *name)
{
    return fails() ? -1 : real.unlink_at(at, name);
}

static inline void fail_nothing(void)
{
    fails_at = fails_on = calls = was_half = no_room = 0;
    way = WAY_ERROR;
}

/* The power goes: each file is what its last good sync made it, those without a name are gone. */
static inline void power_goes(void)
{
    apr_array_header_t *list = segments();
    struct stat is;
    int i;

    for (i = 0; i < list->nelts; i++) {
        const char *path = path_of(&APR_ARRAY_IDX(list, i, ai_spool_segment_t).id);
        int file;

        if (stat(path, &is) != 0) {
            continue;
        }
        file = file_of(&is);
        if (!files[file].is_named || truncate(path, files[file].size) != 0) {
            unlink(path);
        }
    }
}

static inline void fresh_folder(void)
{
    fail_nothing();
    spool_empty();
    n_files = 0;
}

/* From here on the spool's calls go through this disk. */
static inline void use_disk(void)
{
    real = ai_spool_calls;
    ai_spool_calls = (ai_spool_calls_t){ t_open, t_write, t_read, t_sync_data, t_sync_all, t_cut,
                                         t_reserve, t_rename, t_unlink, t_lock, real.close };
}

#endif
