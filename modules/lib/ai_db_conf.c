/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_db_conf.c - where is the database, and may it be used?
 *
 * Nothing is connected here. What everybody may write is refused: who writes there makes keys.
 */
#include <errno.h>
#include <string.h>

#include <sys/stat.h>

#include <apr_dbd.h>
#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_db_engine.h"

#define IN_FILE "file:"
#define LONGEST_PARAMS 4096

static const char *failure(apr_pool_t *p, const char *path, const char *what, apr_status_t rv)
{
    char text[120];

    return apr_psprintf(p, "%s: %s: %s", path, what, apr_strerror(rv, text, sizeof(text)));
}

/* Whether others may put another file in this one's place. */
static const char *check_folder(apr_pool_t *p, const char *path)
{
    const char *folder = apr_pstrmemdup(p, path, (apr_size_t)(strrchr(path, '/') - path));
    struct stat st;

    folder = *folder ? folder : "/";
    if (stat(folder, &st) != 0) {
        return failure(p, folder, "the folder cannot be used", APR_FROM_OS_ERROR(errno));
    }
    if (!S_ISDIR(st.st_mode)) {
        return apr_psprintf(p, "%s: is no folder", folder);
    }
    return (st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX)
               ? apr_psprintf(p, "%s: everybody may write in this folder; chmod o-w it", folder)
               : NULL;
}

const char *ai_db_look_at_file(apr_pool_t *p, const char *path, int *there)
{
    const char *wrong;
    struct stat st;

    *there = 0;
    if (*path != '/') {
        return "must be an absolute path";
    }
    wrong = check_folder(p, path);
    if (wrong) {
        return wrong;
    }
    if (stat(path, &st) != 0) {
        return errno == ENOENT ? NULL
                               : failure(p, path, "cannot be used", APR_FROM_OS_ERROR(errno));
    }
    *there = 1;
    return !S_ISREG(st.st_mode) ? apr_psprintf(p, "%s: is no regular file", path)
           : st.st_mode & S_IWOTH
               ? apr_psprintf(p, "%s: everybody may write it; chmod o-w it", path)
               : NULL;
}

/* A file that can have params: looked at before it is opened, so that nothing waits for a pipe. */
static const char *look_at_params(apr_pool_t *p, const char *path, struct stat *st)
{
    if (*path != '/') {
        return IN_FILE "PATH must be an absolute path";
    }
    if (stat(path, st) != 0) {
        return failure(p, path, "cannot be read", APR_FROM_OS_ERROR(errno));
    }
    return !S_ISREG(st->st_mode) ? apr_psprintf(p, "%s: is no regular file", path)
           : st->st_mode & S_IWOTH
               ? apr_psprintf(p, "%s: everybody may write it; chmod o-w it", path)
           : st->st_size > LONGEST_PARAMS
               ? apr_psprintf(p, "%s: has more than %d bytes", path, LONGEST_PARAMS)
               : NULL;
}

/* What is in a file, in one line. */
static const char *read_params(apr_pool_t *p, const char *path, char **params)
{
    char *text = apr_pcalloc(p, LONGEST_PARAMS + 1);
    apr_size_t i, n = 0;
    apr_file_t *file;
    apr_status_t rv;

    rv = apr_file_open(&file, path, APR_READ, APR_OS_DEFAULT, p);
    if (rv == APR_SUCCESS) {
        rv = apr_file_read_full(file, text, LONGEST_PARAMS, &n);
        apr_file_close(file);
    }
    if (rv != APR_SUCCESS && rv != APR_EOF) {
        return failure(p, path, "cannot be read", rv);
    }
    for (i = 0; i < n; i++) {
        if (text[i] == '\0') {
            return apr_psprintf(p, "%s: byte %" APR_SIZE_T_FMT " is 0", path, i + 1);
        }
        text[i] = apr_iscntrl(text[i]) ? ' ' : text[i];
    }
    while (n && text[n - 1] == ' ') {
        text[--n] = '\0';
    }
    *params = text + strspn(text, " ");
    return **params ? NULL : apr_psprintf(p, "%s: is empty", path);
}

const char *ai_db_params(apr_pool_t *p, const ai_db_conf_t *conf, const char **params)
{
    const char *path = conf->params + sizeof(IN_FILE) - 1, *wrong;
    struct stat st;
    char *text = NULL;

    *params = conf->params;
    if (strncmp(conf->params, IN_FILE, sizeof(IN_FILE) - 1) != 0) {
        return NULL;
    }
    wrong = look_at_params(p, path, &st);
    wrong = wrong ? wrong : read_params(p, path, &text);
    *params = text;
    return wrong;
}

/* What params are in a file that everybody may read. */
static const char *warn_of(apr_pool_t *p, const ai_db_conf_t *conf)
{
    const char *path = conf->params + sizeof(IN_FILE) - 1;
    struct stat st;

    return strncmp(conf->params, IN_FILE, sizeof(IN_FILE) - 1) == 0 && stat(path, &st) == 0
                   && (st.st_mode & S_IROTH)
               ? apr_psprintf(p, "%s: everybody may read it, and with it the password; chmod o-r it",
                              path)
               : NULL;
}

const char *ai_db_check(apr_pool_t *p, const ai_db_conf_t *conf, const char **warning)
{
    const ai_db_engine_t *engine = ai_db_engine(conf->driver);
    const char *params, *wrong;
    const apr_dbd_driver_t *driver;
    int there;

    *warning = NULL;
    if (!engine) {
        return apr_psprintf(p, "%s: must be " AI_DB_DRIVERS, conf->driver);
    }
    if (!conf->params[strspn(conf->params, " ")]) {
        return "params must not be empty";
    }
    wrong = ai_db_driver(p, engine, &driver);
    wrong = wrong ? wrong : ai_db_params(p, conf, &params);
    if (wrong) {
        return wrong;
    }
    *warning = warn_of(p, conf);
    return engine->is_file ? ai_db_look_at_file(p, params, &there) : NULL;
}
