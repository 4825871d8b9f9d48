/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - what does an HTTP server do under load, and does every caller get its own answer?
 *
 * The program ai-load: a load generator for chat completions.  It starts the workers, adds up
 * what they saw, and prints it.  Exit code 0: every request ended well (or was left on purpose),
 * 1: some did not, 2: it could not run.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load_plan.h"
#include "load_sum.h"
#include "load_worker.h"

/* As many descriptors as the system lets us have. */
static void lift_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Reads a byte per worker, then says so. */
static void await_open(const load_plan_t *plan, int fd)
{
    char byte;
    unsigned seen = 0;

    while (seen < plan->processes && read(fd, &byte, 1) == 1) {
        seen++;
    }
    if (seen == plan->processes && plan->announce) {
        printf("open %u\n", plan->connections);
        fflush(stdout);
    }
}

static void start_worker(const load_plan_t *plan, unsigned index, load_sum_t *sum,
                         const int announce[2])
{
    pid_t pid = fork();

    if (pid < 0) {
        perror("ai-load: fork");
        _exit(2);
    }
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(announce[0]);
        load_worker_run(plan, index, sum, announce[1]);
        _exit(0);
    }
}

int main(int argc, char **argv)
{
    static load_plan_t plan;
    static load_sum_t total;
    int announce[2];
    int status;
    bool lost_worker = false;

    load_plan_read(&plan, argc, argv);
    lift_limit();
    load_sum_t *sums = mmap(NULL, plan.processes * sizeof(*sums), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sums == MAP_FAILED || pipe(announce) != 0) {
        perror("ai-load");
        return 2;
    }
    for (unsigned i = 0; i < plan.processes; i++) {
        start_worker(&plan, i, &sums[i], announce);
    }
    close(announce[1]);
    await_open(&plan, announce[0]);
    while (wait(&status) > 0) {
        lost_worker = lost_worker || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    for (unsigned i = 0; i < plan.processes; i++) {
        load_sum_merge(&total, &sums[i]);
    }
    load_sum_print(&total, plan.json);
    if (lost_worker) {
        fprintf(stderr, "ai-load: a worker died\n");
        return 2;
    }
    return load_sum_errors(&total) == 0 ? 0 : 1;
}
