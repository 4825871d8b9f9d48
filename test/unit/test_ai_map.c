/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_map.c - is the memory shared, and is nothing mapped that is not ours?
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "ai_map.h"
#include "tap.h"

#define SIZE 100000

static apr_pool_t *pool;
static const char *folder, *path;

static const char *in(const char *name)
{
    return apr_pstrcat(pool, folder, "/", name, NULL);
}

static const char *attach_as(const char *name, apr_uint32_t layout)
{
    apr_size_t size;
    void *memory;
    const char *wrong = ai_map_attach(pool, path, name, layout, &memory, &size);

    if (!wrong) {
        ai_map_close(memory);
    }
    return wrong;
}

static void refuses(const char *name, apr_uint32_t layout, const char *want, const char *what)
{
    const char *wrong = attach_as(name, layout);

    ok(wrong && strstr(wrong, want) && strstr(wrong, path), "%s: %s", what,
       wrong ? wrong : "was mapped");
}

static void test_sharing(void)
{
    unsigned char *made, *attached;
    apr_size_t size = 0, i, dirty = 0;
    struct stat is;
    pid_t pid;
    int status;

    is_number(ai_map_create(pool, path, "a name", 3, SIZE, (void **)&made), APR_SUCCESS, "is made");
    for (i = 0; i < SIZE; i++) {
        dirty += made[i] != 0;
    }
    is_number((long long)dirty, 0, "it is zeroed");
    is_number((long long)((size_t)made % 64), 0, "it is aligned");
    is_number(stat(path, &is) == 0 ? (long long)(is.st_mode & 07777) : -1, 0600, "only for its owner");
    ok(is.st_blocks * 512 >= SIZE, "the disk's part of it is reserved");
    ok(access(in("map.new"), F_OK) != 0, "nothing else is left");
    ok(!ai_map_attach(pool, path, "a name", 3, (void **)&attached, &size), "can be attached");
    is_number((long long)size, SIZE, "its size is told");
    pid = fork();
    if (pid == 0) {
        made[SIZE - 1] = 7;
        _exit(0);
    }
    waitpid(pid, &status, 0);
    is_number(attached[SIZE - 1], 7, "what a child writes is seen by who attached");
    ok(ai_map_is_at(made, path), "its file is its own");
    ai_map_close(attached);
    ai_map_close(made);
}

static void test_replacing(void)
{
    char *old, *fresh, *there;
    apr_size_t size;

    ai_map_create(pool, path, "a name", 3, SIZE, (void **)&old);
    old[0] = 1;
    ai_map_create(pool, path, "a name", 3, SIZE, (void **)&fresh);
    is_number(fresh[0], 0, "a new one is zeroed");
    old[0] = 2;
    is_number(fresh[0], 0, "and is other memory than the old");
    ok(!ai_map_is_at(old, path) && ai_map_is_at(fresh, path), "the file is that of the new one");
    fresh[1] = 5;
    ai_map_attach(pool, path, "a name", 3, (void **)&there, &size);
    is_number(there[1], 5, "which is what is attached");
    ai_map_close(there);
    ai_map_close(old);
    ai_map_close(fresh);
}

static void test_refusals(void)
{
    void *memory;
    char *bytes;
    int fd;

    ai_map_create(pool, path, "a name", 3, SIZE, &memory);
    ai_map_close(memory);
    refuses("another", 3, "no memory of mod_ai's of that name", "another name");
    refuses("a nam", 3, "no memory of mod_ai's of that name", "half of the name");
    refuses("a name", 4, "another version", "another layout");
    chmod(path, 0640);
    refuses("a name", 3, "open to others", "a mode that lets others in");
    chmod(path, 0600);
    ok(!attach_as("a name", 3), "as it was it is taken");
    ok(truncate(path, SIZE) == 0, "cut");
    refuses("a name", 3, "cut short", "a file that was cut");
    ok(truncate(path, 10) == 0, "cut to the bone");
    refuses("a name", 3, "no memory of mod_ai's", "a file that is nearly empty");
    bytes = apr_pcalloc(pool, SIZE);
    fd = open(path, O_WRONLY | O_TRUNC);
    ok(write(fd, bytes, SIZE) == SIZE && close(fd) == 0, "filled with something else");
    refuses("a name", 3, "no memory of mod_ai's", "a file of somebody else's");
    unlink(path);
    refuses("a name", 3, "cannot be opened", "no file");
    ok(symlink("map2", path) == 0
           && ai_map_create(pool, in("map2"), "a name", 3, SIZE, &memory) == APR_SUCCESS, "a link");
    refuses("a name", 3, "cannot be opened", "a symbolic link");
    ai_map_close(memory);
    unlink(path);
    ok(mkfifo(path, 0600) == 0, "a pipe");
    refuses("a name", 3, "is no file", "a pipe");
    unlink(path);
    unlink(in("map2"));
}

static void test_failures(void)
{
    void *memory = NULL;

    ok(ai_map_create(pool, in("no/map"), "a name", 3, SIZE, &memory) == ENOENT, "no folder");
    ok(ai_map_create(pool, path, "a name of more than thirty-one characters", 3, SIZE, &memory)
           == APR_EINVAL, "a name that is too long");
    ok(ai_map_create(pool, path, "a name", 3, (apr_size_t)1 << 60, &memory) != APR_SUCCESS,
       "more than the disk has");
    ok(access(path, F_OK) != 0 && access(in("map.new"), F_OK) != 0, "and nothing is left of them");
    ok(!memory, "nothing was handed out");
}

int main(void)
{
    const char *temporary;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    folder = apr_temp_dir_get(&temporary, pool) == APR_SUCCESS
                 ? mkdtemp(apr_pstrcat(pool, temporary, "/test_ai_map.XXXXXX", NULL)) : NULL;
    if (!ok(folder != NULL, "there is a folder")) {
        return done();
    }
    path = in("map");
    test_sharing();
    test_replacing();
    test_refusals();
    test_failures();
    unlink(path);
    rmdir(folder);
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
