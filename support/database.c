/* SPDX-License-Identifier: Apache-2.0 */
/*
 * database.c - which database is meant, and who are we to it?
 *
 * SQLite writes files of its own beside its file, and they belong to who wrote them: those of root
 * would lock the server out. So root becomes the owner before it opens anything. That is the owner of
 * the folder, unless that is root: whoever owns the folder can put another file there.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_file_info.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "aictl.h"

#define IN_FILE "file:"
#define NEW_MODE 0640
#define NEW_FOLDER_MODE 0750

static const char *failure(apr_pool_t *p, const char *path, const char *what)
{
    return apr_psprintf(p, "%s: %s: %s", path, what, strerror(errno));
}

/* A path from here on is a path from the root. */
static const char *full_path(apr_pool_t *p, const char *path)
{
    char *full;

    return *path && apr_filepath_merge(&full, NULL, path, 0, p) == APR_SUCCESS ? full : path;
}

/* "DRIVER PARAMS" */
static const char *read_words(apr_pool_t *p, const char *text, ai_db_conf_t *conf)
{
    apr_size_t n = strcspn(text, " \t");

    conf->driver = apr_pstrmemdup(p, text, n);
    conf->params = text + n + strspn(text + n, " \t");
    if (!n || !*conf->params) {
        return "a database is named by its driver and params, as \"sqlite3 /var/lib/mod_ai/keys.db\" "
               "or \"pgsql file:/etc/mod_ai/pgsql\"";
    }
    if (strncmp(conf->params, IN_FILE, sizeof(IN_FILE) - 1) == 0) {
        conf->params = apr_pstrcat(p, IN_FILE, full_path(p, conf->params + sizeof(IN_FILE) - 1), NULL);
    }
    else if (strcmp(conf->driver, "sqlite3") == 0) {
        conf->params = full_path(p, conf->params);
    }
    return NULL;
}

/* ---------------------------------------------------------------------------- the owner */

static const char *folder_of(apr_pool_t *p, const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == path ? "/" : apr_pstrmemdup(p, path, (apr_size_t)(slash - path));
}

const char *database_become(apr_pool_t *p, uid_t uid, gid_t gid)
{
    const struct passwd *user = getpwuid(uid);

    if ((user ? initgroups(user->pw_name, user->pw_gid) : setgroups(0, NULL)) != 0
        || setgid(user ? user->pw_gid : gid) != 0 || setuid(uid) != 0) {
        return apr_psprintf(p, "cannot become the database's owner: %s", strerror(errno));
    }
    return setuid(0) == 0 ? "root cannot be given up" : NULL;
}

/* A folder that is not there is made, for the owner. */
static const char *make_folder(apr_pool_t *p, const char *folder, const struct passwd *owner)
{
    const char *wrong = NULL;
    int fd;

    if (mkdir(folder, NEW_FOLDER_MODE) != 0) {
        return errno == EEXIST ? NULL : failure(p, folder, "cannot be made");
    }
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchown(fd, owner->pw_uid, owner->pw_gid) != 0) {
        wrong = failure(p, folder, "cannot be given to its owner");
    }
    if (fd >= 0) {
        close(fd);
    }
    return wrong;
}

/* --owner: whose folder it is to be. */
static const char *prepare_folder(apr_pool_t *p, const char *folder, const char *name)
{
    const struct passwd *owner = getpwnam(name);
    const char *wrong;
    struct stat st;

    if (!owner) {
        return apr_psprintf(p, "--owner: there is no user '%s'", name);
    }
    if (geteuid() != 0) {
        return geteuid() == owner->pw_uid ? NULL : "--owner: only root may act as somebody else";
    }
    wrong = make_folder(p, folder, owner);
    if (wrong) {
        return wrong;
    }
    if (stat(folder, &st) != 0) {
        return failure(p, folder, "cannot be used");
    }
    return st.st_uid == owner->pw_uid
               ? NULL
               : apr_psprintf(p, "%s: does not belong to %s; SQLite writes beside its file, so give the "
                              "folder to its owner, or take another one", folder, name);
}

static const char *become_owner(apr_pool_t *p, const char *path)
{
    const char *folder = folder_of(p, path);
    struct stat st;

    if (geteuid() != 0) {
        return NULL;
    }
    if (stat(folder, &st) != 0) {
        return failure(p, folder, "cannot be used");
    }
    if (st.st_uid == 0 && stat(path, &st) != 0 && errno != ENOENT) {
        return failure(p, path, "cannot be used");
    }
    if (st.st_uid == 0) {
        fprintf(stderr, "aictl: warning: %s: belongs to root, so httpd's User cannot use it; aictl db init "
                "--owner USER makes one that it can use\n", path);
        return NULL;
    }
    return database_become(p, st.st_uid, st.st_gid);
}

/* With the mode that SQLite's other files then have, too. */
static const char *make_file(apr_pool_t *p, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600), rc;

    if (fd < 0) {
        return errno == EEXIST ? NULL : failure(p, path, "cannot be made");
    }
    rc = fchmod(fd, NEW_MODE);
    return close(fd) == 0 && rc == 0 ? NULL : failure(p, path, "cannot be made");
}

/* -------------------------------------------------------------------------------- waiting */

static ai_db_t *waited_for;
static volatile sig_atomic_t interrupted;

static void on_alarm(int signal)
{
    static const char text[] = "aictl: the database does not answer\n";

    (void)signal;
    if (interrupted++ && write(2, text, sizeof(text) - 1) >= 0) {
        _exit(FAILED);
    }
    ai_db_interrupt(waited_for);
    alarm(AI_DB_CONNECT_S);
}

void database_wait(database_t *database)
{
    waited_for = database->db;
    interrupted = 0;
    alarm(AI_DB_STATEMENT_S + AI_DB_CONNECT_S);
}

void database_rest(void)
{
    alarm(0);
}

/* -------------------------------------------------------------------------------- opening */

const char *database_open(apr_pool_t *p, const char *text, int creates, const char *owner,
                          database_t *database)
{
    const char *wrong = read_words(p, text, &database->conf), *warning = NULL;

    if (wrong) {
        return wrong;
    }
    database->name = database->conf.driver;
    database->path = NULL;
    if (strcmp(database->conf.driver, "sqlite3") == 0) {
        wrong = ai_db_params(p, &database->conf, &database->path);
        wrong = wrong || !owner ? wrong : prepare_folder(p, folder_of(p, database->path), owner);
        database->name = database->path;
    }
    else if (owner) {
        return "--owner: is for files of SQLite's";
    }
    wrong = wrong ? wrong : ai_db_check(p, &database->conf, &warning);
    if (warning) {
        fprintf(stderr, "aictl: warning: %s\n", warning);
    }
    /* The file with the params may be root's alone. */
    wrong = wrong ? wrong : ai_db_params(p, &database->conf, &database->conf.params);
    if (!wrong && database->path) {
        wrong = become_owner(p, database->path);
        wrong = wrong || !creates ? wrong : make_file(p, database->path);
    }
    database->store = wrong ? NULL : ai_key_store_open(p, &database->conf);
    database->db = wrong ? NULL : ai_key_store_db(database->store);
    signal(SIGALRM, on_alarm);
    return wrong;
}

const char *database_says(apr_pool_t *p, const database_t *database, const char *wrong)
{
    return strncmp(wrong, database->name, strlen(database->name)) == 0
               ? wrong
               : apr_pstrcat(p, database->name, ": ", wrong, NULL);
}

const char *database_check(apr_pool_t *p, database_t *database, const ai_db_schema_t *schema)
{
    int version;
    const char *wrong;

    database_wait(database);
    wrong = ai_db_version(database->db, p, schema, &version);
    database_rest();
    if (wrong) {
        return database_says(p, database, wrong);
    }
    return version == 0 ? apr_pstrcat(p, database->name, ": has no tables for this; \"aictl db init\" "
                                      "makes them", NULL)
           : version < ai_db_steps(schema)
               ? apr_pstrcat(p, database->name, ": its tables are old; \"aictl db migrate\" adds what "
                             "is missing", NULL)
               : NULL;
}
