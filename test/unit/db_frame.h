/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db_frame.h - the database that a test program works on.
 *
 *   test_ai_db [DRIVER PARAMS]
 *
 * Without words it is a new file of SQLite's, in a folder of its own that goes with the program;
 * with them one that is there, and empty (test/aictl/databases.t runs it so).
 */
#ifndef DB_FRAME_H
#define DB_FRAME_H

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "ai_db.h"
#include "tap.h"

static apr_pool_t *pool;
static ai_db_conf_t conf;
static const char *folder; /* of SQLite's file, or NULL */

static inline void make_file(const char *path, mode_t mode, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, mode) != 0
        || close(fd) != 0) {
        abort();
    }
}

static inline const char *in_folder(const char *name)
{
    return apr_pstrcat(pool, folder, "/", name, NULL);
}

/* The folder and what is in it; there are no folders in there. */
static inline void remove_folder(void)
{
    apr_finfo_t entry;
    apr_dir_t *dir;

    if (apr_dir_open(&dir, folder, pool) != APR_SUCCESS) {
        abort();
    }
    while (apr_dir_read(&entry, APR_FINFO_NAME | APR_FINFO_TYPE, dir) == APR_SUCCESS) {
        if (entry.filetype != APR_DIR) {
            unlink(in_folder(entry.name));
        }
    }
    apr_dir_close(dir);
    rmdir(folder);
}

static inline int is_sqlite(void)
{
    return strcmp(conf.driver, "sqlite3") == 0;
}

static inline void begin_database(int argc, char **argv)
{
    const char *temp;
    char *made;

    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS
        || apr_temp_dir_get(&temp, pool) != APR_SUCCESS) {
        abort();
    }
    made = apr_pstrcat(pool, temp, "/mod_ai-db-XXXXXX", NULL);
    folder = mkdtemp(made);
    if (!folder) {
        abort();
    }
    conf = argc == 3 ? (ai_db_conf_t){ argv[1], argv[2] }
                     : (ai_db_conf_t){ "sqlite3", in_folder("db") };
    if (argc != 3) {
        make_file(conf.params, 0600, "");
    }
}

/* As done(); what was made is gone. */
static inline int end_database(void)
{
    remove_folder();
    apr_terminate();
    return done();
}

/* Prints what is wrong where something is. */
static inline int fine(const char *wrong, const char *what)
{
    int good = ok(wrong == NULL, "%s", what);

    if (!good) {
        printf("# %s\n", wrong);
    }
    return good;
}

/* A failure, with that text in it. */
static inline int wrongs(const char *wrong, const char *with, const char *what)
{
    int good = ok(wrong && strstr(wrong, with), "%s", what);

    if (!good) {
        printf("# got %s\n", wrong ? wrong : "no error");
    }
    return good;
}

#endif
