/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_file.c - how is a key file read, and changed without anything getting lost?
 *
 * Who changes it holds FILE.lock, reads, writes FILE.new, and renames that. Whoever reads finds the
 * old file or the new one. A program that is killed leaves the old one, an unlocked lock (the
 * system lets go of it), and at most a FILE.new, which the next one throws away.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <apr_strings.h>

#include "ai_write.h"
#include "aictl.h"

#define NEW_MODE 0640

static const char *failure(apr_pool_t *p, const char *path, const char *what)
{
    return apr_psprintf(p, "%s: %s: %s", path, what, strerror(errno));
}

static const char *folder_of(apr_pool_t *p, const char *path)
{
    const char *slash = strrchr(path, '/');

    return !slash ? "." : slash == path ? "/" : apr_pstrmemdup(p, path, (apr_size_t)(slash - path));
}

/* Where others may rename files, they may put one in its place. */
static const char *check_folder(apr_pool_t *p, const char *path)
{
    const char *folder = folder_of(p, path);
    struct stat st;

    if (stat(folder, &st) != 0) {
        return failure(p, folder, "cannot be used");
    }
    if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX)) {
        return apr_psprintf(p, "%s: everybody may write in this folder; chmod o-w it", folder);
    }
    return NULL;
}

static const char *find_file(key_file_t *file, const char *path, int creates)
{
    char real[PATH_MAX];

    file->exists = realpath(path, real) != NULL;
    if (!file->exists && (errno != ENOENT || !creates)) {
        return failure(file->pool, path, "cannot be read");
    }
    file->path = file->exists ? apr_pstrdup(file->pool, real) : path;
    return check_folder(file->pool, file->path);
}

/* Held until the program ends. The lock file stays: who waits for it has it open. */
static const char *lock_file(const key_file_t *file)
{
    const char *path = apr_pstrcat(file->pool, file->path, ".lock", NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    struct stat owner;
    int rc;

    if (fd < 0) {
        return failure(file->pool, path, "cannot be opened");
    }
    /* The owner of the keys must be able to lock them, too, when it was root who came first. */
    if (geteuid() == 0 && stat(file->path, &owner) == 0
        && fchown(fd, owner.st_uid, owner.st_gid) != 0) {
        return failure(file->pool, path, "cannot be given to the file's owner");
    }
    do {
        rc = flock(fd, LOCK_EX);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? NULL : failure(file->pool, path, "cannot be locked");
}

static const char *check_mode(const key_file_t *file)
{
    if (!S_ISREG(file->stat.st_mode)) {
        return apr_psprintf(file->pool, "%s: is no regular file", file->path);
    }
    if (file->stat.st_mode & S_IWOTH) {
        return apr_psprintf(file->pool, "%s: everybody may write it; look at what is in it, then "
                            "chmod o-w it", file->path);
    }
    if (file->stat.st_size > AI_KEYS_SIZE) {
        return apr_psprintf(file->pool, "%s: it is longer than %d bytes", file->path, AI_KEYS_SIZE);
    }
    return NULL;
}

static const char *read_all(key_file_t *file, int fd)
{
    apr_size_t room = (apr_size_t)file->stat.st_size, n = 0;
    char *text = apr_palloc(file->pool, room + 1);
    ssize_t got = 1;

    while (n < room && got != 0) {
        got = read(fd, text + n, room - n);
        if (got < 0 && errno != EINTR) {
            return failure(file->pool, file->path, "cannot be read");
        }
        n += got > 0 ? (apr_size_t)got : 0;
    }
    file->text = (ai_slice_t){ text, n };
    return NULL;
}

static const char *read_file(key_file_t *file)
{
    const char *wrong = NULL;
    int fd = open(file->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    file->text = AI_SLICE("");
    if (fd < 0) {
        /* It went, or it never was, before we had the lock. */
        if (errno == ENOENT && !file->exists) {
            return NULL;
        }
        return failure(file->pool, file->path, "cannot be read");
    }
    file->exists = 1;
    if (fstat(fd, &file->stat) != 0) {
        wrong = failure(file->pool, file->path, "cannot be read");
    }
    wrong = wrong ? wrong : check_mode(file);
    wrong = wrong ? wrong : read_all(file, fd);
    close(fd);
    return wrong;
}

const char *key_file_open(apr_pool_t *p, const char *path, int writes, int creates,
                          key_file_t *file)
{
    const char *wrong;

    memset(file, 0, sizeof(*file));
    file->pool = p;
    wrong = find_file(file, path, creates);
    wrong = wrong || !writes ? wrong : lock_file(file);
    wrong = wrong ? wrong : read_file(file);
    if (wrong) {
        return wrong;
    }
    file->keys = ai_keys_read(p, file->text, &wrong);
    if (!file->keys) {
        return apr_psprintf(p, "%s: %s", file->path, wrong);
    }
    file->appended = apr_array_make(p, 1, sizeof(ai_slice_t));
    file->lines = apr_pcalloc(p, ((apr_size_t)ai_keys_count(file->keys) + 1) * sizeof(ai_slice_t));
    return NULL;
}

/* ------------------------------------------------------------------------------- writing */

/* The text with what has changed; comments and other lines stay as they are. */
static apr_array_header_t *make_text(const key_file_t *file)
{
    const char *at = file->text.p, *end = at + file->text.n;
    ai_write_t w;
    int i;

    ai_write_begin(file->pool, &w);
    for (i = 0; i < ai_keys_count(file->keys); i++) {
        ai_slice_t old = ai_keys_line(file->keys, i);

        if (file->lines[i].p) {
            ai_write_bytes(&w, (ai_slice_t){ at, (apr_size_t)(old.p - at) });
            ai_write_bytes(&w, file->lines[i]);
            at = old.p + old.n;
            at += at < end && !file->lines[i].n;
        }
    }
    ai_write_bytes(&w, (ai_slice_t){ at, (apr_size_t)(end - at) });
    if (file->appended->nelts && at < end && end[-1] != '\n') {
        ai_write_literal(&w, "\n");
    }
    for (i = 0; i < file->appended->nelts; i++) {
        ai_write_bytes(&w, APR_ARRAY_IDX(file->appended, i, ai_slice_t));
        ai_write_literal(&w, "\n");
    }
    return ai_write_end(&w);
}

static int write_all(int fd, ai_slice_t bytes)
{
    while (bytes.n) {
        ssize_t done = write(fd, bytes.p, bytes.n);

        if (done < 0 && errno != EINTR) {
            return 0;
        }
        bytes.p += done > 0 ? done : 0;
        bytes.n -= done > 0 ? (apr_size_t)done : 0;
    }
    return 1;
}

/* Owner and mode first: at no time may somebody read it who may not. */
static const char *fill(const key_file_t *file, const char *path, int fd)
{
    const apr_array_header_t *text = make_text(file);
    struct stat mine;
    int i;

    if (fstat(fd, &mine) != 0
        || (file->exists
            && (mine.st_uid != file->stat.st_uid || mine.st_gid != file->stat.st_gid)
            && fchown(fd, file->stat.st_uid, file->stat.st_gid) != 0)) {
        return failure(file->pool, file->path, "its owner and group cannot be kept");
    }
    if (fchmod(fd, file->exists ? file->stat.st_mode & 0777 : NEW_MODE) != 0) {
        return failure(file->pool, file->path, "its mode cannot be kept");
    }
    for (i = 0; i < text->nelts; i++) {
        if (!write_all(fd, APR_ARRAY_IDX(text, i, ai_slice_t))) {
            return failure(file->pool, path, "cannot be written");
        }
    }
    return fsync(fd) == 0 ? NULL : failure(file->pool, path, "cannot be written");
}

/* A name is on the disk when its folder is. */
static const char *sync_folder(const key_file_t *file)
{
    const char *folder = folder_of(file->pool, file->path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? -1 : fsync(fd);

    if (fd >= 0) {
        close(fd);
    }
    return rc == 0 ? NULL : failure(file->pool, folder, "cannot be written");
}

const char *key_file_save(const key_file_t *file)
{
    const char *path = apr_pstrcat(file->pool, file->path, ".new", NULL), *wrong;
    int fd;

    if (unlink(path) != 0 && errno != ENOENT) {
        return failure(file->pool, path, "is in the way");
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return failure(file->pool, path, "cannot be made");
    }
    wrong = fill(file, path, fd);
    if (close(fd) != 0 && !wrong) {
        wrong = failure(file->pool, path, "cannot be written");
    }
    if (!wrong && rename(path, file->path) != 0) {
        wrong = failure(file->pool, file->path, "cannot be replaced");
    }
    if (wrong) {
        unlink(path);
        return wrong;
    }
    return sync_folder(file);
}
