/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_program.h - runs a program of the operator's for a short word, and waits for nobody.
 *
 * No shell; nothing is inherited but what is given: stdin and stderr are /dev/null, no other
 * descriptor is open, the folder is "/", signals are as at login. It gets a process group of its
 * own, which is killed when it takes too long or says too much. It runs as who calls.
 *
 * A run belongs to one thread. More than one may be under way, also in threads beside each other.
 */
#ifndef AI_PROGRAM_H
#define AI_PROGRAM_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "ai_slice.h"

/*
 * Whether a program may be run at all: path is absolute, a regular file that somebody may execute,
 * nobody but its owner can write it, and none of the folders above lets everybody put another in
 * its place. NULL, or what is wrong, to stand behind its name. p is for scratch and the text.
 */
const char *ai_program_check(apr_pool_t *p, const char *path);

typedef struct ai_program_t ai_program_t;

/*
 * Starts argv[0], an absolute path. argv and env end with NULL. It may say max bytes, and take
 * limit (at least a second). The run lives in p: ai_program_end() before p goes.
 */
apr_status_t ai_program_start(apr_pool_t *p, const char *const *argv, const char *const *env,
                              apr_size_t max, apr_interval_time_t limit, ai_program_t **program);

/* A descriptor to poll for reading, or -1 when there is none any more. */
int ai_program_fd(const ai_program_t *program);

/* When to go on at the latest, if the descriptor does not say so before. */
apr_time_t ai_program_due(const ai_program_t *program, apr_time_t now);

/* Goes on as far as that is possible without waiting. 1 when the program is over. */
int ai_program_go_on(ai_program_t *program, apr_time_t now);

/* Of one that is over: NULL and what it said, in its pool; or what was wrong, to stand behind its
 * name, which never holds what it said. */
const char *ai_program_result(const ai_program_t *program, ai_slice_t *said);

/* Ends it, however far it is: it is killed and waited for. */
void ai_program_end(ai_program_t *program);

#endif
