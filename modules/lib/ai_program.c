/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_program.c - runs a program of the operator's for a short word, and waits for nobody.
 *
 * Between fork() and execve() of a process with threads nothing may be called that could need a
 * lock that another thread holds: so all is made ready before, and APR is not asked.
 *
 * Lives in: the pool given.  Shared state: none.  May block: ai_program_end(), for as long as the
 * system takes to kill a process.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "ai_program.h"

/* How often one is looked after that has closed its output and not ended yet. */
#define REAP_EVERY apr_time_from_msec(10)
/* The kernel ends it so many seconds after its time, should we not be there any more. */
#define ALARM_AFTER 5
#define DESCRIPTORS_MAX 65536

struct ai_program_t {
    apr_pool_t *pool;
    pid_t pid;             /* 0: it was waited for */
    int fd;                /* -1: closed */
    apr_time_t deadline;
    apr_interval_time_t limit;
    char *said;
    apr_size_t n, max;
    const char *wrong;
    int over;
};

/* ---------------------------------------------------------------------------- checking */

/* In a folder that all may write, without the sticky bit, anybody can put a file in its place. */
static const char *check_folders(apr_pool_t *p, const char *path)
{
    char *folder = apr_pstrdup(p, path), *slash;
    struct stat info;

    while ((slash = strrchr(folder, '/')) != NULL) {
        slash[slash == folder] = '\0';
        if (stat(folder, &info) != 0) {
            return apr_psprintf(p, "is in a folder that cannot be looked at: %s", folder);
        }
        if ((info.st_mode & S_IWOTH) && !(info.st_mode & S_ISVTX)) {
            return apr_psprintf(p, "is below %s, where everybody can replace it", folder);
        }
        if (slash == folder) {
            break;
        }
    }
    return NULL;
}

const char *ai_program_check(apr_pool_t *p, const char *path)
{
    struct stat info;
    char real[PATH_MAX];
    const char *wrong;

    if (*path != '/') {
        return "is no absolute path";
    }
    if (!realpath(path, real) || stat(real, &info) != 0) { /* a link is what it leads to */
        apr_status_t rv = apr_get_os_error();

        return apr_psprintf(p, "cannot be found: %pm", &rv);
    }
    wrong = !S_ISREG(info.st_mode) ? "is no file"
            : !(info.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH))
                ? "cannot be executed by anybody"
            : info.st_mode & (S_IWGRP | S_IWOTH)
                ? "can be written by others than its owner; allowed is mode 0755 or less"
                : check_folders(p, real);
    return wrong ? wrong : check_folders(p, path);
}

/* ---------------------------------------------------------------------------- starting */

static void close_others(long most)
{
    long fd;

#ifdef SYS_close_range
    if (syscall(SYS_close_range, 3U, ~0U, 0U) == 0) {
        return;
    }
#endif
    for (fd = 3; fd < most; fd++) {
        close((int)fd);
    }
}

/* In the new process. Calls nothing but the system. */
static void become(const char *const *argv, const char *const *env, int out, long most,
                   unsigned seconds)
{
    sigset_t none;
    int i, null;

    setpgid(0, 0);
    for (i = 1; i < NSIG; i++) {
        signal(i, SIG_DFL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    null = open("/dev/null", O_RDWR);
    if (null >= 0 && dup2(null, 0) == 0 && dup2(out, 1) == 1 && dup2(null, 2) == 2
        && chdir("/") == 0) {
        close_others(most);
        umask(077);
        alarm(seconds);
        execve(argv[0], (char *const *)argv, (char *const *)env);
    }
    _exit(127);
}

apr_status_t ai_program_start(apr_pool_t *p, const char *const *argv, const char *const *env,
                              apr_size_t max, apr_interval_time_t limit, ai_program_t **out)
{
    ai_program_t *program = apr_pcalloc(p, sizeof(*program));
    long most = sysconf(_SC_OPEN_MAX);
    int ends[2];

    /* Of one piece: a program that another thread starts just now must not have the ends. */
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return apr_get_os_error();
    }
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
        apr_status_t rv = apr_get_os_error();

        close(ends[0]);
        close(ends[1]);
        return rv;
    }
    program->pool = p;
    program->limit = limit;
    program->deadline = apr_time_now() + limit;
    program->max = max;
    program->said = apr_palloc(p, max + 1);
    program->fd = ends[0];
    program->pid = fork();
    if (program->pid == 0) {
        become(argv, env, ends[1], most < 0 || most > DESCRIPTORS_MAX ? DESCRIPTORS_MAX : most,
               (unsigned)apr_time_sec(limit) + ALARM_AFTER);
    }
    close(ends[1]);
    if (program->pid < 0) {
        apr_status_t rv = apr_get_os_error();

        close(ends[0]);
        return rv;
    }
    setpgid(program->pid, program->pid); /* whoever is first */
    *out = program;
    return APR_SUCCESS;
}

/* ---------------------------------------------------------------------------- going on */

static void shut(ai_program_t *program)
{
    if (program->fd >= 0) {
        close(program->fd);
        program->fd = -1;
    }
}

static void kill_it(ai_program_t *program)
{
    int status;

    shut(program);
    if (program->pid > 0) {
        kill(-program->pid, SIGKILL);
        kill(program->pid, SIGKILL);
        while (waitpid(program->pid, &status, 0) < 0 && errno == EINTR) {
        }
        program->pid = 0;
    }
    program->over = 1;
}

static int give_up(ai_program_t *program, const char *why)
{
    program->wrong = why;
    kill_it(program);
    return 1;
}

/* Takes what is there. */
static void hear(ai_program_t *program)
{
    ssize_t n;

    do { /* one byte more than it may say */
        n = read(program->fd, program->said + program->n, program->max + 1 - program->n);
        if (n > 0) {
            program->n += (apr_size_t)n;
        }
    } while ((n > 0 && program->n <= program->max) || (n < 0 && errno == EINTR));
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        shut(program);
    }
}

static int judge(ai_program_t *program, int status)
{
    program->pid = 0;
    program->over = 1;
    if (WIFSIGNALED(status)) {
        program->wrong = apr_psprintf(program->pool, "was ended by signal %d", WTERMSIG(status));
    }
    else if (WEXITSTATUS(status) == 127) {
        program->wrong = "ended with status 127: it, or what it calls, could not be executed";
    }
    else if (WEXITSTATUS(status)) {
        program->wrong = apr_psprintf(program->pool, "ended with status %d", WEXITSTATUS(status));
    }
    return 1;
}

int ai_program_go_on(ai_program_t *program, apr_time_t now)
{
    int status;
    pid_t pid;

    if (program->over) {
        return 1;
    }
    if (program->fd >= 0) {
        hear(program);
    }
    if (program->n > program->max) {
        return give_up(program, apr_psprintf(program->pool, "said more than %" APR_SIZE_T_FMT
                                             " bytes", program->max));
    }
    if (program->fd < 0) {
        pid = waitpid(program->pid, &status, WNOHANG);
        if (pid == program->pid) {
            return judge(program, status);
        }
        if (pid < 0 && errno != EINTR) {
            program->pid = 0;
            return give_up(program, "was waited for by somebody else");
        }
    }
    if (now >= program->deadline) {
        return give_up(program, apr_psprintf(program->pool, "was not done after %" APR_INT64_T_FMT
                                             " s, and was killed", apr_time_sec(program->limit)));
    }
    return 0;
}

int ai_program_fd(const ai_program_t *program)
{
    return program->fd;
}

apr_time_t ai_program_due(const ai_program_t *program, apr_time_t now)
{
    apr_time_t due = now + REAP_EVERY;

    return program->fd >= 0 || due > program->deadline ? program->deadline : due;
}

const char *ai_program_result(const ai_program_t *program, ai_slice_t *said)
{
    *said = (ai_slice_t){ program->said, program->n };
    return program->wrong;
}

void ai_program_end(ai_program_t *program)
{
    kill_it(program);
}
