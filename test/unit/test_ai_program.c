/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_program.c - does a program run as it should, and end when it should?
 *
 * The programs are scripts that this test writes; each run is gone on with as its thread would.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "ai_program.h"
#include "tap.h"

static const char *dir;

static const char *script(apr_pool_t *p, const char *name, const char *text)
{
    const char *path = apr_pstrcat(p, dir, "/", name, NULL);
    FILE *file = fopen(path, "w");

    fprintf(file, "#!/bin/sh\n%s\n", text);
    fclose(file);
    chmod(path, 0700);
    return path;
}

/* Runs it to its end. */
static const char *run(apr_pool_t *p, const char *path, const char *arg, apr_size_t max, int seconds,
                       ai_slice_t *said)
{
    static const char *const env[] = { "PATH=/usr/bin:/bin", "AI_TARGET=t", NULL };
    const char *argv[] = { path, arg, NULL };
    ai_program_t *program;
    const char *wrong;

    *said = (ai_slice_t){ NULL, 0 };
    if (ai_program_start(p, argv, env, max, apr_time_from_sec(seconds), &program) != APR_SUCCESS) {
        return "was not started";
    }
    while (!ai_program_go_on(program, apr_time_now())) {
        struct pollfd pfd = { ai_program_fd(program), POLLIN, 0 };
        apr_time_t now = apr_time_now(), due = ai_program_due(program, now);

        poll(&pfd, pfd.fd >= 0, due > now ? (int)apr_time_as_msec(due - now) + 1 : 0);
    }
    wrong = ai_program_result(program, said);
    ai_program_end(program);
    return wrong;
}

static void says(apr_pool_t *p, const char *what, const char *text, const char *arg,
                 const char *want)
{
    ai_slice_t said;
    const char *wrong = run(p, script(p, "says", text), arg, 1000, 20, &said);

    if (!ok(!wrong && ai_slice_is(said, want), "%s", what)) {
        printf("# %s: %.*s\n", wrong ? wrong : "well", (int)said.n, said.p ? said.p : "");
    }
}

static void fails(apr_pool_t *p, const char *text, int seconds, const char *why)
{
    apr_time_t began = apr_time_now();
    ai_slice_t said;
    const char *wrong = run(p, script(p, "fails", text), "", 1000, seconds, &said);

    if (!ok(wrong && strstr(wrong, why), "%s", why)) {
        printf("# %s\n", wrong ? wrong : "well");
    }
    ok(apr_time_now() - began < apr_time_from_sec(seconds + 10), "%s: in time", why);
}

static void test_runs(apr_pool_t *p)
{
    ai_slice_t said;
    const char *wrong;
    int fd = open("/dev/null", O_RDONLY), spare = dup2(fd, 77);
    sigset_t blocked, before;

    says(p, "what it says", "echo key", "", "key\n");
    says(p, "its argument, as one word", "printf %s \"$1\"", "a b; $(c) 'd'", "a b; $(c) 'd'");
    says(p, "nothing of our environment", "env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= | sort",
         "", "AI_TARGET=t\nPATH=/usr/bin:/bin\n");
    says(p, "it stands in the root", "pwd", "", "/\n");
    says(p, "nobody to read from, and no complaints heard", "cat; echo no >&2; echo yes", "", "yes\n");
    says(p, "no descriptor of ours", "[ -e /dev/fd/77 ] || echo none", "", "none\n");
    says(p, "its files are its own", "umask", "", "0077\n");
    sigfillset(&blocked);
    sigprocmask(SIG_SETMASK, &blocked, &before);
    signal(SIGPIPE, SIG_IGN);
    wrong = run(p, script(p, "says", "kill -TERM $$; echo alive"), "", 100, 20, &said);
    ok(wrong && strstr(wrong, "was ended by signal 15"), "signals reach it, whatever we block");
    wrong = run(p, script(p, "says", "kill -PIPE $$; echo alive"), "", 100, 20, &said);
    ok(wrong && strstr(wrong, "was ended by signal 13"), "or ignore");
    sigprocmask(SIG_SETMASK, &before, NULL);
    says(p, "it has a group of its own", "[ \"$(ps -o pgid= -p $$ | tr -d ' ')\" = $$ ] && echo own", "",
         "own\n");
    close(fd);
    close(spare);
    ok(!run(p, script(p, "max", "printf %1000d 1"), "", 1000, 20, &said) && said.n == 1000,
       "as much as it may say");
}

static void test_failures(apr_pool_t *p)
{
    ai_slice_t said;
    const char *wrong;

    fails(p, "exit 3", 20, "ended with status 3");
    fails(p, "echo key; exit 1", 20, "ended with status 1");
    fails(p, "kill -9 $$", 20, "was ended by signal 9");
    fails(p, "exec /nonexistent", 20, "ended with status 127");
    fails(p, "printf %1001d 1", 20, "said more than 1000 bytes");
    fails(p, "exec yes", 20, "said more than 1000 bytes");
    fails(p, "echo key; exec sleep 60", 1, "was not done after 1 s");
    fails(p, "trap '' TERM INT HUP; while :; do :; done", 1, "was not done after 1 s");
    fails(p, "exec >&-; exec sleep 60", 1, "was not done after 1 s");
    fails(p, "sleep 60 & echo key", 1, "was not done after 1 s");
    wrong = run(p, apr_pstrcat(p, dir, "/none", NULL), "", 10, 5, &said);
    ok(wrong && strstr(wrong, "status 127"), "one that is not there");
}

/* What it leaves behind goes with it. */
static void test_group(apr_pool_t *p)
{
    const char *mark = apr_pstrcat(p, dir, "/pid", NULL);
    ai_slice_t said;
    FILE *file;
    int pid = 0, i;

    run(p, script(p, "group", apr_psprintf(p, "sleep 60 & echo $! >%s; wait", mark)), "", 10, 1, &said);
    file = fopen(mark, "r");
    ok(file && fscanf(file, "%d", &pid) == 1 && pid > 0, "it has a child");
    if (file) {
        fclose(file);
    }
    for (i = 0; i < 1000 && kill(pid, 0) == 0; i++) { /* a zombie until its new parent looks */
        char state[64];
        FILE *stat = fopen(apr_psprintf(p, "/proc/%d/stat", pid), "r");
        int zombie = stat && fgets(state, sizeof(state), stat) && strstr(state, ") Z");

        if (stat) {
            fclose(stat);
        }
        if (zombie) {
            break;
        }
        poll(NULL, 0, 5);
    }
    ok(i < 1000, "which is killed with it");
    unlink(mark);
}

static void refuses(apr_pool_t *p, const char *path, const char *why)
{
    const char *wrong = ai_program_check(p, path);

    if (!ok(wrong && strstr(wrong, why), "refused: %s", why)) {
        printf("# %s\n", wrong ? wrong : "taken");
    }
}

static void test_check(apr_pool_t *p)
{
    const char *path = script(p, "good", "echo key"), *link = apr_pstrcat(p, dir, "/link", NULL);
    const char *open_dir = apr_pstrcat(p, dir, "/open", NULL);
    const char *inside = apr_pstrcat(p, open_dir, "/in", NULL);

    ok(!ai_program_check(p, path), "a good one");
    ok(symlink(path, link) == 0 && !ai_program_check(p, link), "by a link");
    refuses(p, "good", "no absolute path");
    refuses(p, apr_pstrcat(p, dir, "/none", NULL), "cannot be found");
    refuses(p, dir, "is no file");
    chmod(path, 0600);
    refuses(p, path, "cannot be executed");
    chmod(path, 0720);
    refuses(p, path, "can be written by others");
    chmod(path, 0702);
    refuses(p, path, "can be written by others");
    refuses(p, link, "can be written by others");
    chmod(path, 0755);
    ok(!ai_program_check(p, path), "0755");
    mkdir(open_dir, 0700);
    chmod(open_dir, 0777);
    rename(path, inside);
    refuses(p, inside, "where everybody can replace it");
    chmod(open_dir, 01777);
    ok(!ai_program_check(p, inside), "as in /tmp, nobody can replace another's file");
    unlink(link);
    unlink(inside);
    rmdir(open_dir);
}

int main(void)
{
    static const char *const names[] = { "says", "fails", "max", "group" };
    char name[] = "/tmp/ai-program-XXXXXX";
    apr_pool_t *p;
    unsigned i;

    apr_initialize();
    apr_pool_create(&p, NULL);
    dir = mkdtemp(name);
    test_runs(p);
    test_failures(p);
    test_group(p);
    test_check(p);
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unlink(apr_pstrcat(p, dir, "/", names[i], NULL));
    }
    rmdir(dir);
    apr_terminate();
    return done();
}
