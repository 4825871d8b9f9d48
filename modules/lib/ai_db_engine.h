/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_db_engine.h - what the files of ai_db know of each other: the engines' differences, and what
 * lies below a handle.
 *
 * Thread-safe: the table is constant; the rest is for the thread of the handle.
 */
#ifndef AI_DB_ENGINE_H
#define AI_DB_ENGINE_H

#include <apr_dbd.h>

#include "ai_db.h"

/* One kind of database. Lists of statements end with NULL. */
typedef struct ai_db_engine_t {
    const char *driver;         /* APR's name of it */
    const char *package;        /* Red Hat's package of the driver is apr-util-PACKAGE */
    int is_file;                /* params are the path of a file */
    int rows_by_number;         /* what APR's driver wants, where rows can be had in any order */
    const char *words[7];       /* for {word} and so on, in the order of ai_db.h */
    const char *const *session; /* what each connection begins with */
    const char *const *prepare; /* what migration tries, outside its transaction */
    const char *begin;
    const char *look;           /* fails once where tables changed since they were looked at; NULL */
    const char *has_table;      /* gives a row when there is a table of the name %s */
    const char *has_index;      /* the same for an index, where {index} cannot ask; NULL */
    const char *lock_before;    /* so that one program migrates at a time: gives a row of "1", and
                                   goes with the connection; NULL */
    const char *lock_inside;    /* the same within the transaction; NULL */
    const char *socket_of;      /* function of the client's library: connection to socket; NULL */
    const char *(*complete)(apr_pool_t *p, const char *params); /* adds what we insist on */
} ai_db_engine_t;

/* By the driver's name; NULL: there is none. */
const ai_db_engine_t *ai_db_engine(const char *driver);

#define AI_DB_DRIVERS "sqlite3, pgsql or mysql"

/* APR's driver for it, which is loaded where that was not done yet. */
const char *ai_db_driver(apr_pool_t *p, const ai_db_engine_t *engine,
                         const apr_dbd_driver_t **driver);

/* sql with the engine's words in the place of those in braces. */
const char *ai_db_expand(apr_pool_t *p, const ai_db_engine_t *engine, const char *sql);

/* What a database said, fit to be told: one line; of what stands in quotes or parentheses only names
 * that sql has. sql is NULL where a connection is made. */
const char *ai_db_say(apr_pool_t *p, const char *said, const char *sql);

/* Whether that path can be SQLite's file. Out: *there, whether it is. */
const char *ai_db_look_at_file(apr_pool_t *p, const char *path, int *there);

const ai_db_engine_t *ai_db_engine_of(const ai_db_t *db);

/* Runs a constant statement as it is; rows are not looked at. */
const char *ai_db_run(ai_db_t *db, apr_pool_t *p, const char *sql);

/* Prepared statements are made anew: tables have changed. */
void ai_db_forget_statements(ai_db_t *db);

#endif
