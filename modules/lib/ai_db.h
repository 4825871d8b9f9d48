/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_db.h - a database, over APR-util's DBD: SQLite, PostgreSQL, MySQL and MariaDB alike.
 *
 * A handle connects when it is used first, and again after the connection broke. Whatever fails
 * here fails for this handle alone. One handle is for one thread; only ai_db_interrupt() may be
 * called by others. All calls may block: on the network for AI_DB_CONNECT_S, or on the database for
 * AI_DB_STATEMENT_S, and for longer where the database's machine is stopped and says nothing.
 *
 * Functions return NULL, or what is wrong, in p: what the database said, in one line, without any
 * value of a parameter, and never the connection's own parameters, where a password may stand.
 *
 * SQL is written once for all engines. It has placeholders as apr_dbd_prepare() takes them (%s; a
 * number is %lld and is handed over as text, too), and words in braces for what engines call
 * differently:
 *     {word}          type of a text of at most 500 characters; its case counts
 *     {text}          type of a text of at most AI_DB_TEXT bytes
 *     {number}        type of a number of 64 bits
 *     {serial}        type of a column that counts up by itself: a primary key
 *     {table}         what ends CREATE TABLE (...)
 *     {or_nothing}    ends INSERT: a row whose id is there already is left out. The key is "id".
 *     {index}         begins a statement of a step, "{index} NAME ON TABLE (COLUMN, ...)", which does
 *                     nothing when there is an index of that name
 * SQL is a constant of the program: what comes from outside is a parameter, always.
 */
#ifndef AI_DB_H
#define AI_DB_H

#include <apr_pools.h>

#define AI_DB_CONNECT_S 5
#define AI_DB_STATEMENT_S 30

/* The longest value that can be read. */
#define AI_DB_TEXT 131072

/* Where a database is. Both texts must outlive what is made of them. */
typedef struct ai_db_conf_t {
    const char *driver; /* "sqlite3", "pgsql", "mysql" */
    const char *params; /* as APR's driver takes them; or "file:PATH": what is in that file */
} ai_db_conf_t;

/*
 * Looks at a configuration without connecting: the driver is known and can be loaded, params are
 * not empty, a file: can be read, SQLite's folder is there. Out: *warning, NULL or what the
 * administrator should know (a file with a password that everybody may read). Paths must be absolute.
 * It loads the driver, for as long as the process lives.
 */
const char *ai_db_check(apr_pool_t *p, const ai_db_conf_t *conf, const char **warning);

/* Out: *params, with what a file: says in its place. For who can read that file now, and not later. */
const char *ai_db_params(apr_pool_t *p, const ai_db_conf_t *conf, const char **params);

typedef struct ai_db_t ai_db_t;

/* A handle; it has no connection yet. It lives in p, and is closed with it. */
ai_db_t *ai_db_open(apr_pool_t *p, const ai_db_conf_t *conf);

/* Lets go of the connection; what is used again connects again. */
void ai_db_close(ai_db_t *db);

/* Connects now, where there is no connection. SQLite's file must be there: it is never made. */
const char *ai_db_connect(ai_db_t *db, apr_pool_t *p);

/*
 * Ends what another thread waits for in this handle, by shutting its connection: that thread gets
 * an error soon, and no second try is made. Does nothing when there is no connection, and with SQLite,
 * which waits for nobody that long. Safe in a signal handler. The handle must not be on its way out (pool, ai_db_close).
 */
void ai_db_interrupt(ai_db_t *db);

/* Runs a statement. args: n texts, NULL is SQL's NULL. Out: *rows, how many it changed (rows may be
 * NULL). Not repeated: who cannot reach the database does not know whether it was done. */
const char *ai_db_exec(ai_db_t *db, apr_pool_t *p, const char *sql, int n, const char *const *args,
                       int *rows);

/* Takes a row: values are texts or NULL, and are gone when it returns. Returns NULL to go on; what
 * is wrong ends the select, and is what it returns. */
typedef const char *ai_db_row_fn(void *baton, const char *const *values);

/* Runs a statement that gives rows of columns values. Outside a transaction it is tried once more, on
 * a new connection, where the old one may have broken meanwhile; row is called for one try only. */
const char *ai_db_select(ai_db_t *db, apr_pool_t *p, const char *sql, int n, const char *const *args,
                         int columns, ai_db_row_fn *row, void *baton);

/* A transaction that others wait for, or see as a whole. A failure inside leaves only rollback. With
 * SQLite nobody else may write meanwhile. */
const char *ai_db_begin(ai_db_t *db, apr_pool_t *p);
const char *ai_db_commit(ai_db_t *db, apr_pool_t *p);
void ai_db_rollback(ai_db_t *db, apr_pool_t *p);

/*
 * The tables of a component ("keys"): steps that lead from each version to the next. Steps are only
 * ever appended, and only add: an older program must be able to go on with newer tables. MySQL
 * cannot undo a step that broke in the middle, so all of it must do no harm when run once more
 * (CREATE TABLE IF NOT EXISTS).
 */
typedef struct ai_db_schema_t {
    const char *component;
    const char *const *const *steps; /* ends with NULL; each a list of statements that ends so */
} ai_db_schema_t;

/* How many steps there are: the version that a program wants. */
int ai_db_steps(const ai_db_schema_t *schema);

/* Out: *version of what is there; 0: nothing of it. */
const char *ai_db_version(ai_db_t *db, apr_pool_t *p, const ai_db_schema_t *schema, int *version);

/* Takes the steps that are missing, all or none. Several may do so at once: one does it, the others
 * wait. Out: *from, the version that was there. A version above ours is left as it is. */
const char *ai_db_migrate(ai_db_t *db, apr_pool_t *p, const ai_db_schema_t *schema, int *from);

#endif
