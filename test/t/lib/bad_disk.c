/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bad_disk.c - a disk that fails, or lets one wait, in one folder: BadDisk.pm loads it before httpd,
 * and says in a shared file what shall happen.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* In the order of BadDisk.pm. */
enum { OPEN, WRITE, SYNC, RESERVE, RENAME, CALLS };

typedef struct control_t {
    int fails_with[CALLS]; /* an errno; 0: it goes well */
    int held[CALLS];       /* 1: who calls waits */
    int seen[CALLS];       /* calls so far */
    int failed[CALLS];     /* and those that failed */
    int room;              /* so long a file may get; 0: any length */
} control_t;

static control_t *control;
static const char *folder;

__attribute__((constructor)) static void begin(void)
{
    const char *file = getenv("AI_BAD_DISK");
    int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;

    folder = getenv("AI_BAD_FOLDER");
    if (fd >= 0 && folder) {
        void *at = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        control = at == MAP_FAILED ? NULL : at;
        close(fd);
    }
}

static int is_ours(const char *path)
{
    return control && strncmp(path, folder, strlen(folder)) == 0;
}

static int is_ours_by_fd(int fd)
{
    char name[64], path[1024];
    ssize_t n;

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    n = control ? readlink(name, path, sizeof(path) - 1) : -1;
    if (n < 0) {
        return 0;
    }
    path[n] = '\0';
    return is_ours(path);
}

/* 1, and errno: the call fails. */
static int fails(int call)
{
    volatile control_t *now = control;

    __atomic_add_fetch(&control->seen[call], 1, __ATOMIC_SEQ_CST);
    while (now->held[call]) {
        poll(NULL, 0, 1);
    }
    if (!now->fails_with[call]) {
        return 0;
    }
    __atomic_add_fetch(&control->failed[call], 1, __ATOMIC_SEQ_CST);
    errno = now->fails_with[call];
    return 1;
}

#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))

int openat(int at, const char *name, int flags, ...)
{
    mode_t mode = 0;

    if (flags & O_CREAT) {
        __builtin_va_list args;

        __builtin_va_start(args, flags);
        mode = __builtin_va_arg(args, unsigned);
        __builtin_va_end(args);
    }
    if ((at == AT_FDCWD ? is_ours(name) : is_ours_by_fd(at)) && fails(OPEN)) {
        return -1;
    }
    return REAL(int (*)(int, const char *, int, mode_t), "openat")(at, name, flags, mode);
}

ssize_t pwritev(int fd, const struct iovec *pieces, int n, off_t offset)
{
    if (is_ours_by_fd(fd) && fails(WRITE)) {
        return -1;
    }
    return REAL(ssize_t (*)(int, const struct iovec *, int, off_t), "pwritev")(fd, pieces, n, offset);
}

int fdatasync(int fd)
{
    return is_ours_by_fd(fd) && fails(SYNC) ? -1 : REAL(int (*)(int), "fdatasync")(fd);
}

int fsync(int fd)
{
    return is_ours_by_fd(fd) && fails(SYNC) ? -1 : REAL(int (*)(int), "fsync")(fd);
}

int fallocate(int fd, int mode, off_t offset, off_t n)
{
    if (is_ours_by_fd(fd)) {
        if (fails(RESERVE)) {
            return -1;
        }
        if (control->room && offset + n > control->room) {
            errno = ENOSPC;
            return -1;
        }
    }
    return REAL(int (*)(int, int, off_t, off_t), "fallocate")(fd, mode, offset, n);
}

int renameat(int from_at, const char *from, int to_at, const char *to)
{
    if (is_ours_by_fd(from_at) && fails(RENAME)) {
        return -1;
    }
    return REAL(int (*)(int, const char *, int, const char *), "renameat")(from_at, from, to_at, to);
}
