/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aictl.h - what the files of aictl know of each other.
 *
 * One call of the program is one command: all lies in one pool, and nothing is undone at the end
 * but what the system keeps. Functions that can fail return NULL, or what is wrong, in the pool.
 */
#ifndef AICTL_H
#define AICTL_H

#include <sys/stat.h>

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "ai_key.h"

/* ------------------------------------------------------------------- key_options.c */

/* What the options of a command said. */
typedef struct key_options_t {
    const char *file;             /* NULL: not said */
    int json;
    int from_stdin;
    const char *from;             /* an address */
    apr_int64_t overlap;          /* milliseconds */
    apr_array_header_t *members;  /* of ai_json_member_t: members of a record to set */
    apr_array_header_t *cleared;  /* of const char *: and to take out */
    apr_array_header_t *ids;      /* of const char *: the words that are no options */
} key_options_t;

/* Reads the words behind a command's name. allowed: names of options, with spaces around each.
 * now: what spans are counted from. */
const char *key_options_read(apr_pool_t *p, int argc, const char *const *argv, const char *allowed,
                             apr_time_t now, key_options_t *options);

/* Out: *record, the members of base but for what options set and clear, checked. */
const char *key_options_apply(apr_pool_t *p, const key_options_t *options, const ai_key_t *base,
                              const ai_key_t **record);

/* ---------------------------------------------------------------------- key_file.c */

typedef struct key_file_t {
    apr_pool_t *pool;
    const char *path;    /* of the file itself, without symbolic links */
    int exists;
    struct stat stat;    /* where it exists */
    ai_slice_t text;
    const ai_keys_t *keys;
    ai_slice_t *lines;   /* for each key its new line; absent: as it was; empty: deleted */
    ai_slice_t appended; /* a line for a new key, or absent */
} key_file_t;

/* Reads and checks a file. writes: it is locked before, until the program ends; creates: it need
 * not be there. */
const char *key_file_open(apr_pool_t *p, const char *path, int writes, int creates,
                          key_file_t *file);

/* Puts a file with lines and appended in its place: all of it is on the disk when this returns, or
 * the old one is as it was. */
const char *key_file_save(const key_file_t *file);

/* ---------------------------------------------------------------------- key_show.c */

/* "good", "disabled", "not yet valid", "expired". */
const char *key_state(const ai_key_t *key, apr_time_t now);

/* The lists and the fields of keys, for people; as_json: for programs. In p. */
ai_slice_t key_show_list(apr_pool_t *p, const ai_keys_t *keys, apr_time_t now, int as_json);
ai_slice_t key_show_one(apr_pool_t *p, const ai_key_t *key, apr_time_t now, int as_json);

/* The one time that a secret is told: as JSON. In p. */
ai_slice_t key_show_secret(apr_pool_t *p, const ai_key_t *key, const char *text);

/* ------------------------------------------------------------------ key_commands.c */

/* What a program's end says. */
enum { DONE_WELL = 0, FAILED = 1, MISUSED = 2 };

/* Runs "aictl key ...": argv begins with the command's name. Returns the program's status. */
int key_command(apr_pool_t *p, int argc, const char *const *argv);

/* Tells stderr what is wrong; returns status. */
int complain(int status, const char *wrong);

/* The usage of the key commands, a line each. */
void key_usage(void);

#endif
