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
#include "ai_key_cache.h"
#include "ai_key_store.h"

/* ------------------------------------------------------------------- key_options.c */

/* What the options of a command said. */
typedef struct key_options_t {
    const char *file;             /* NULL: not said */
    const char *database;         /* "DRIVER PARAMS"; NULL: not said */
    const char *runtime;          /* a folder; NULL: not said */
    const char *owner;            /* a user; NULL: not said */
    int replace;
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
    apr_array_header_t *appended; /* of ai_slice_t: lines for new keys */
} key_file_t;

/* Reads and checks a file. writes: it is locked before, until the program ends; creates: it need
 * not be there. */
const char *key_file_open(apr_pool_t *p, const char *path, int writes, int creates,
                          key_file_t *file);

/* Puts a file with lines and appended in its place: all of it is on the disk when this returns, or
 * the old one is as it was. */
const char *key_file_save(const key_file_t *file);

/* ---------------------------------------------------------------------- database.c */

typedef struct database_t {
    ai_db_conf_t conf;
    const char *name;      /* for messages: the driver, and SQLite's path */
    const char *path;      /* SQLite's file, or NULL */
    ai_key_store_t *store;
    ai_db_t *db;           /* below store; what database_wait() is about */
} database_t;

/* Finds out which database is meant ("DRIVER PARAMS"), and checks it; nothing is connected yet.
 * Whoever is root, and has to do with a file of SQLite's, is its owner when this returns, for good;
 * owner: a user that it is to be, or NULL. creates: the file may be missing, and is made. */
const char *database_open(apr_pool_t *p, const char *text, int creates, const char *owner,
                          database_t *database);

/* Becomes that user, with the user's groups, for good. For root alone. */
const char *database_become(apr_pool_t *p, uid_t uid, gid_t gid);

/* Around each question: from _wait on the database has some time to answer, then the program ends;
 * after _rest nobody is hurried, as whoever reads what we print, or types a key. */
void database_wait(database_t *database);
void database_rest(void);

/* NULL, or which tables of that component are missing or old. */
const char *database_check(apr_pool_t *p, database_t *database, const ai_db_schema_t *schema);

/* What is wrong, behind the database's name, once: some of what SQLite says begins with it. */
const char *database_says(apr_pool_t *p, const database_t *database, const char *wrong);

/* ------------------------------------------------------------------------ server.c */

typedef struct server_t {
    const char *away;          /* why nobody can be told, or NULL */
    ai_key_cache_t cache;
    apr_array_header_t *ids;   /* of const char * */
} server_t;

/* Finds the server whose DefaultRuntimeDir that is; NULL: the environment's, or this machine's. */
void server_attach(apr_pool_t *p, const char *folder, server_t *server);

/* A key that is about to change; and all of them have. Where nobody can be told, that is said. */
void server_note(server_t *server, const char *id);
void server_tell(server_t *server);

/* -------------------------------------------------------------------- key_source.c */

typedef const char *key_visit_fn(void *baton, apr_pool_t *scratch, const ai_key_t *key);

/* Keys in a file or in a database. All return NULL, or what is wrong. */
typedef struct key_source_t {
    const char *name; /* for messages */
    void *self;
    /* Out: *key, in p or longer there, or NULL: there is none. */
    const char *(*find)(void *self, apr_pool_t *p, const char *id, const ai_key_t **key);
    /* Puts keys in, AI_KEY_STORE_BATCH at most, but for those whose id is there. Out: *added. */
    const char *(*add)(void *self, const ai_key_t *const *keys, int n, int *added);
    /* Replaces, deletes a key that was found before. */
    const char *(*change)(void *self, const ai_key_t *key);
    const char *(*drop)(void *self, const char *id);
    /* Makes all of that last, or none. */
    const char *(*save)(void *self);
    /* Hands out all keys, in their order. */
    const char *(*walk)(void *self, key_visit_fn *visit, void *baton);
    /* Forgets what was changed, and begins once more. */
    const char *(*again)(void *self);
} key_source_t;

/* What change and drop return when somebody else was faster: the command is to be run again. */
extern const char key_source_stale[];

/* Opens what the options and the environment say. writes, creates: as key_file_open(). */
const char *key_source_open(apr_pool_t *p, const key_options_t *options, int writes, int creates,
                            key_source_t *source);

/* How keys are found, a line each. */
void source_usage(void);

/* key_database.c: the same for a database, its text given; and the folder of server_attach(). */
const char *key_database_open(apr_pool_t *p, const char *text, const char *runtime, int writes,
                              key_source_t *source);

/* -------------------------------------------------------------------- key_import.c */

typedef struct key_import_t {
    int added, replaced, same;
} key_import_t;

/* Reads a file, or standard input (path is NULL). */
const char *key_import_read(apr_pool_t *p, const char *path, const ai_keys_t **keys);

/* Puts keys into a source. One that is there, and differs, is replaced or, without replaces, an
 * error. Nothing is saved yet. */
const char *key_import(apr_pool_t *p, const key_source_t *source, const ai_keys_t *keys,
                       int replaces, key_import_t *done);

/* ------------------------------------------------------------------- db_commands.c */

/* Runs "aictl db ...", as key_command() does. */
int db_command(apr_pool_t *p, int argc, const char *const *argv);
void db_usage(void);

/* ---------------------------------------------------------------- audit_commands.c */

/* Runs "aictl audit ...", as key_command() does. */
int audit_command(apr_pool_t *p, int argc, const char *const *argv);
void audit_usage(void);

/* ----------------------------------------------------------------- price_command.c */

/* Runs "aictl price ...": argv begins with "price". Returns the program's status. */
int price_command(apr_pool_t *p, int argc, const char *const *argv);
void price_usage(void);

/* ---------------------------------------------------------------------- key_show.c */

/* "good", "disabled", "not yet valid", "expired". */
const char *key_state(const ai_key_t *key, apr_time_t now);

/* The fields of keys, for people; as_json: for programs. In p. A list is a head, a row for each key
 * (n: how many are before it), and an end. */
ai_slice_t key_show_head(int as_json);
ai_slice_t key_show_row(apr_pool_t *p, const ai_key_t *key, apr_time_t now, int as_json, int n);
ai_slice_t key_show_end(int as_json);
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
