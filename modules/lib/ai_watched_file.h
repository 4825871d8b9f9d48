/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_watched_file.h - has a file changed, may it be trusted, and what does it hold now?
 *
 * For files that an operator edits while the server runs: who watches keeps the facts of what it
 * has read last, compares them with those of now, and reads again when they differ.
 *
 * All calls may come from any thread; a pool is used by one at a time.
 */
#ifndef AI_WATCHED_FILE_H
#define AI_WATCHED_FILE_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "ai_slice.h"

/* What tells one state of a file from another. Plain data, so that it may lie in shared memory. */
typedef struct ai_file_facts_t {
    apr_int64_t mtime; /* in microseconds */
    apr_int64_t ctime;
    apr_int64_t size;
    apr_uint64_t inode;
    apr_uint64_t device;
    apr_int32_t is_file;    /* a regular one, behind whatever links */
    apr_uint32_t protection; /* APR_FPROT_... */
} ai_file_facts_t;

/* The facts of the file that has the name now. p is for scratch. The status of apr_stat(). */
apr_status_t ai_watched_file_look(apr_pool_t *p, const char *path, ai_file_facts_t *now);

/* 1 when these are facts of the same file in the same state. */
int ai_watched_file_is_same(const ai_file_facts_t *a, const ai_file_facts_t *b);

/*
 * Reads the whole file: a regular one of at most max bytes that not everybody may write.
 * Out: *text, NUL-terminated, and *facts, which are those of what was read; both in p.
 * APR_SUCCESS; else *wrong says why, to stand behind the file's name ("is no file"), and *facts are
 * as far as they are known. APR_EGENERAL when the file was there and is none to be trusted.
 */
apr_status_t ai_watched_file_read(apr_pool_t *p, const char *path, apr_size_t max,
                                  ai_file_facts_t *facts, ai_slice_t *text, const char **wrong);

#endif
