/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_db.c - how is a database asked, and what becomes of a connection that broke?
 *
 * A statement that failed outside a transaction takes its connection with it: the next one begins
 * anew, and nobody has to know which of the errors of three libraries mean that a connection is of
 * no use any more. Values are texts for all engines.
 *
 * May block: yes, all of it.
 */
#include <string.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <apr_atomic.h>
#include <apr_dso.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include "ai_db_engine.h"

/* A socket as it is kept, 1 more than it is; 0: none. */
#define IN_USE 0xffffffffu

struct ai_db_t {
    apr_pool_t *pool;
    ai_db_conf_t conf;
    const ai_db_engine_t *engine;
    const apr_dbd_driver_t *driver;
    apr_pool_t *connection;      /* NULL: there is none */
    apr_pool_t *prepared;        /* below it */
    apr_dbd_t *handle;
    apr_hash_t *statements;      /* by their text */
    const char *path;            /* of SQLite's file, and the file as it was opened */
    struct stat file;
    int in_transaction;
    int failed;                  /* the transaction cannot go on */
    volatile apr_uint32_t socket;
    volatile apr_uint32_t interrupted; /* what is under way: it is not tried once more */
};

const ai_db_engine_t *ai_db_engine_of(const ai_db_t *db)
{
    return db->engine;
}

/* -------------------------------------------------------------------------- connection */

static apr_status_t close_all(void *data)
{
    ai_db_close(data);
    return APR_SUCCESS;
}

ai_db_t *ai_db_open(apr_pool_t *p, const ai_db_conf_t *conf)
{
    ai_db_t *db = apr_pcalloc(p, sizeof(*db));

    db->pool = p;
    db->conf = *conf;
    db->engine = ai_db_engine(conf->driver);
    /* Before the pools below, where the connection lies, are gone. */
    apr_pool_pre_cleanup_register(p, db, close_all);
    return db;
}

/* The number of a connection's socket may soon be another one's. */
static void forget_socket(ai_db_t *db)
{
    apr_uint32_t socket;

    do {
        socket = apr_atomic_read32(&db->socket);
        if (socket == IN_USE) {
            apr_thread_yield();
        }
    } while (socket == IN_USE || apr_atomic_cas32(&db->socket, 0, socket) != socket);
}

void ai_db_interrupt(ai_db_t *db)
{
    apr_uint32_t socket = apr_atomic_read32(&db->socket);

    apr_atomic_set32(&db->interrupted, 1);
    if (socket != 0 && socket != IN_USE
        && apr_atomic_cas32(&db->socket, IN_USE, socket) == socket) {
        shutdown((int)socket - 1, SHUT_RDWR);
        apr_atomic_set32(&db->socket, socket);
    }
}

void ai_db_close(ai_db_t *db)
{
    db->in_transaction = db->failed = 0;
    if (!db->connection) {
        return;
    }
    forget_socket(db);
    /* MySQL's statements lie in the pool, and must go first. */
    apr_pool_destroy(db->prepared);
    if (db->handle) {
        apr_dbd_close(db->driver, db->handle);
    }
    apr_pool_destroy(db->connection);
    db->connection = NULL;
    db->handle = NULL;
}

void ai_db_forget_statements(ai_db_t *db)
{
    apr_pool_clear(db->prepared);
    db->statements = apr_hash_make(db->prepared);
}

/* A machine that went without a word is noticed, where the socket is one of TCP. */
static void keep_alive(int fd)
{
    static const struct { int name, value; } settings[] = {
        { TCP_KEEPIDLE, 10 }, { TCP_KEEPINTVL, 5 }, { TCP_KEEPCNT, 4 },
#ifdef TCP_USER_TIMEOUT
        { TCP_USER_TIMEOUT, AI_DB_STATEMENT_S * 1000 },
#endif
    };
    apr_size_t i;
    int on = 1;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        setsockopt(fd, IPPROTO_TCP, settings[i].name, &settings[i].value,
                   sizeof(settings[i].value));
    }
}

/* APR does not tell the socket, the client's library does: it came with the driver. */
static void find_socket(ai_db_t *db)
{
    apr_dso_handle_t *program;
    apr_dso_handle_sym_t symbol;
    int fd;

    if (!db->engine->socket_of || apr_dso_load(&program, NULL, db->connection) != APR_SUCCESS
        || apr_dso_sym(&symbol, program, db->engine->socket_of) != APR_SUCCESS) {
        return;
    }
    fd = ((int (*)(void *))symbol)(apr_dbd_native_handle(db->driver, db->handle));
    if (fd >= 0) {
        keep_alive(fd);
        apr_atomic_set32(&db->socket, (apr_uint32_t)fd + 1);
    }
}

const char *ai_db_run(ai_db_t *db, apr_pool_t *p, const char *sql)
{
    apr_dbd_results_t *results = NULL;
    int rows, rc;

    /* SQLite's driver takes rows of a query for an error; the others have no rows to give here. */
    rc = db->engine->is_file ? apr_dbd_select(db->driver, p, db->handle, &results, sql, 1)
                             : apr_dbd_query(db->driver, db->handle, &rows, sql);
    return rc == 0 ? NULL : ai_db_say(p, apr_dbd_error(db->driver, db->handle, rc), sql);
}

/* SQLite would make a file that is not there. */
static const char *look_at_file(ai_db_t *db, apr_pool_t *p, const char *path)
{
    int there;
    const char *wrong = ai_db_look_at_file(p, path, &there);

    db->path = apr_pstrdup(db->connection, path);
    if (wrong) {
        return wrong;
    }
    return there && stat(path, &db->file) == 0
               ? NULL
               : apr_psprintf(p, "%s: is not there; \"aictl db init\" makes it", path);
}

static const char *open_handle(ai_db_t *db, apr_pool_t *p)
{
    const char *params = NULL, *said = NULL, *wrong;
    int i;

    wrong = ai_db_driver(p, db->engine, &db->driver);
    wrong = wrong ? wrong : ai_db_params(p, &db->conf, &params);
    wrong = wrong || !db->engine->is_file ? wrong : look_at_file(db, p, params);
    if (wrong) {
        return wrong;
    }
    if (apr_dbd_open_ex(db->driver, db->connection, db->engine->complete(p, params), &db->handle,
                        &said) != APR_SUCCESS) {
        db->handle = NULL;
        return ai_db_say(p, said, NULL);
    }
    find_socket(db);
    for (i = 0; !wrong && db->engine->session[i]; i++) {
        wrong = ai_db_run(db, p, db->engine->session[i]);
    }
    return wrong;
}

const char *ai_db_connect(ai_db_t *db, apr_pool_t *p)
{
    const char *wrong;

    if (db->connection) {
        return NULL;
    }
    if (!db->engine) {
        return "there is no such driver; " AI_DB_DRIVERS;
    }
    if (apr_pool_create(&db->connection, db->pool) != APR_SUCCESS
        || apr_pool_create(&db->prepared, db->connection) != APR_SUCCESS) {
        return "there is no memory";
    }
    db->statements = apr_hash_make(db->prepared);
    wrong = open_handle(db, p);
    if (wrong) {
        ai_db_close(db);
    }
    return wrong;
}

/* Connects where that is needed. Another file may be in the place of SQLite's: a backup that was
 * brought back, for one. Out: *fresh, it is a new connection. */
static const char *ready(ai_db_t *db, apr_pool_t *p, int *fresh)
{
    struct stat now;

    *fresh = 0;
    apr_atomic_set32(&db->interrupted, 0);
    if (db->in_transaction) {
        return db->failed ? "a statement before it failed" : NULL;
    }
    if (db->connection && db->engine->is_file
        && (stat(db->path, &now) != 0 || now.st_dev != db->file.st_dev
            || now.st_ino != db->file.st_ino)) {
        ai_db_close(db);
    }
    *fresh = !db->connection;
    return ai_db_connect(db, p);
}

/* -------------------------------------------------------------------------- statements */

static const char *prepare(ai_db_t *db, apr_pool_t *p, const char *sql,
                           apr_dbd_prepared_t **statement)
{
    const char *text;
    int rc;

    *statement = apr_hash_get(db->statements, sql, APR_HASH_KEY_STRING);
    if (*statement) {
        return NULL;
    }
    text = ai_db_expand(p, db->engine, sql);
    rc = apr_dbd_prepare(db->driver, db->prepared, db->handle, text, NULL, statement);
    if (rc != 0) {
        return ai_db_say(p, apr_dbd_error(db->driver, db->handle, rc), text);
    }
    apr_hash_set(db->statements, apr_pstrdup(db->prepared, sql), APR_HASH_KEY_STRING, *statement);
    return NULL;
}

static const char *fail(ai_db_t *db, const char *wrong)
{
    if (wrong && db->in_transaction) {
        db->failed = 1;
    }
    else if (wrong) {
        ai_db_close(db);
    }
    return wrong;
}

const char *ai_db_exec(ai_db_t *db, apr_pool_t *p, const char *sql, int n, const char *const *args,
                       int *rows)
{
    int fresh, rc, changed = 0;
    const char *wrong = ready(db, p, &fresh);
    apr_dbd_prepared_t *statement;

    if (wrong) {
        return wrong;
    }
    wrong = prepare(db, p, sql, &statement);
    if (!wrong) {
        rc = apr_dbd_pquery(db->driver, p, db->handle, &changed, statement, n, (const char **)args);
        wrong = rc == 0 ? NULL : ai_db_say(p, apr_dbd_error(db->driver, db->handle, rc), sql);
    }
    if (rows) {
        *rows = wrong ? 0 : changed;
    }
    return fail(db, wrong);
}

typedef struct question_t {
    const char *sql;
    int n;
    const char *const *args;
    int columns;
    ai_db_row_fn *row;
    void *baton;
} question_t;

/* Hands the rows out, which APR has all of. */
static const char *hand_out(ai_db_t *db, apr_pool_t *p, apr_dbd_results_t *results,
                            const question_t *q)
{
    const char **values = apr_palloc(p, (apr_size_t)q->columns * sizeof(*values));
    const char *wrong = NULL;
    apr_dbd_row_t *row = NULL;
    int i;

    while (!wrong && apr_dbd_get_row(db->driver, p, results, &row, -1) == 0) {
        for (i = 0; i < q->columns; i++) {
            if (apr_dbd_datum_get(db->driver, row, i, APR_DBD_TYPE_STRING, &values[i])
                != APR_SUCCESS) {
                values[i] = NULL;
            }
        }
        wrong = q->row(q->baton, values);
    }
    return wrong;
}

/* Out: *asked, whether rows came. */
static const char *ask(ai_db_t *db, apr_pool_t *p, const question_t *q, int *asked)
{
    apr_dbd_prepared_t *statement;
    apr_dbd_results_t *results = NULL;
    const char *wrong = prepare(db, p, q->sql, &statement);
    apr_pool_t *sub;
    int rc;

    *asked = 0;
    if (wrong) {
        return wrong;
    }
    if (apr_pool_create(&sub, p) != APR_SUCCESS) {
        return "there is no memory";
    }
    /* 1: all rows at once. MySQL's driver gives them so in any case, but then wants their numbers. */
    rc = apr_dbd_pselect(db->driver, sub, db->handle, &results, statement,
                         db->engine->rows_by_number ? 0 : 1, q->n, (const char **)q->args);
    if (rc != 0) {
        wrong = ai_db_say(p, apr_dbd_error(db->driver, db->handle, rc), q->sql);
    }
    else {
        *asked = 1;
        wrong = hand_out(db, sub, results, q);
    }
    apr_pool_destroy(sub);
    return wrong;
}

const char *ai_db_select(ai_db_t *db, apr_pool_t *p, const char *sql, int n, const char *const *args,
                         int columns, ai_db_row_fn *row, void *baton)
{
    const question_t q = { sql, n, args, columns, row, baton };
    int fresh, asked;
    const char *wrong = ready(db, p, &fresh);

    if (wrong) {
        return wrong;
    }
    wrong = ask(db, p, &q, &asked);
    if (wrong && !asked && !fresh && !db->in_transaction && !apr_atomic_read32(&db->interrupted)) {
        ai_db_close(db);
        wrong = ai_db_connect(db, p);
        wrong = wrong ? wrong : ask(db, p, &q, &asked);
    }
    return wrong && !asked ? fail(db, wrong) : wrong;
}

/* ------------------------------------------------------------------------ transactions */

/* SQLite's driver does not notice that others changed the tables: the first statement after that
 * fails, and so does all that was prepared before. Within a transaction nobody changes them. */
static const char *begin(ai_db_t *db, apr_pool_t *p)
{
    const char *wrong = ai_db_run(db, p, db->engine->begin);

    if (!wrong && db->engine->look && ai_db_run(db, p, db->engine->look)) {
        ai_db_forget_statements(db);
        wrong = ai_db_run(db, p, db->engine->look);
    }
    return wrong;
}

const char *ai_db_begin(ai_db_t *db, apr_pool_t *p)
{
    int fresh;
    const char *wrong = ready(db, p, &fresh);

    if (wrong) {
        return wrong;
    }
    wrong = begin(db, p);
    if (wrong && !fresh && !apr_atomic_read32(&db->interrupted)) {
        ai_db_close(db);
        wrong = ai_db_connect(db, p);
        wrong = wrong ? wrong : begin(db, p);
    }
    if (wrong) {
        ai_db_close(db);
    }
    db->in_transaction = !wrong;
    return wrong;
}

const char *ai_db_commit(ai_db_t *db, apr_pool_t *p)
{
    const char *wrong;

    /* PostgreSQL would answer well, and undo all of it. */
    if (db->failed || !db->in_transaction) {
        ai_db_close(db);
        return "a statement before it failed";
    }
    wrong = ai_db_run(db, p, "COMMIT");
    db->in_transaction = 0;
    if (wrong) {
        ai_db_close(db);
    }
    return wrong;
}

void ai_db_rollback(ai_db_t *db, apr_pool_t *p)
{
    if (db->in_transaction && (db->failed || ai_db_run(db, p, "ROLLBACK"))) {
        ai_db_close(db);
    }
    db->in_transaction = 0;
}
