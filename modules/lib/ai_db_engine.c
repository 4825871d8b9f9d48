/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_db_engine.c - in what do SQLite, PostgreSQL and MySQL differ?
 *
 * Here and nowhere else: all other SQL is written once.
 */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_db_engine.h"

#define TEXT_OF(number) #number
#define NUMBER(macro) TEXT_OF(macro)

static const char *const word_names[] = { "word", "text", "number", "serial", "table",
                                          "or_nothing", "index" };

#define WORDS_N ((int)(sizeof(word_names) / sizeof(word_names[0])))

/* -------------------------------------------------------------------------------- SQLite */

/* APR's driver waits, too, sixteen times. FULL: what was committed is on the disk. LIKE tells "a" from
 * "A", as it does with the others. */
static const char *const sqlite_session[] = { "PRAGMA busy_timeout = 500",
                                              "PRAGMA synchronous = FULL",
                                              "PRAGMA case_sensitive_like = ON", NULL };

/* Who reads need not wait for who writes. It is kept in the file. */
static const char *const sqlite_prepare[] = { "PRAGMA journal_mode = WAL", NULL };

static const char *sqlite_complete(apr_pool_t *p, const char *params)
{
    (void)p;
    return params;
}

/* ---------------------------------------------------------------------------- PostgreSQL */

static const char *const pgsql_session[] = {
    "SET statement_timeout = '" NUMBER(AI_DB_STATEMENT_S) "s'", "SET client_encoding = 'UTF8'", NULL
};

/* Params are "name=value name=value", or a URL. */
static const char *pgsql_complete(apr_pool_t *p, const char *params)
{
    const char *ours = "connect_timeout=" NUMBER(AI_DB_CONNECT_S);

    if (strstr(params, "connect_timeout")) {
        return params;
    }
    if (strncmp(params, "postgresql://", 13) == 0 || strncmp(params, "postgres://", 11) == 0) {
        return apr_pstrcat(p, params, strchr(params, '?') ? "&" : "?", ours, NULL);
    }
    return apr_pstrcat(p, params, " ", ours, NULL);
}

/* ------------------------------------------------------------------- MySQL and MariaDB */

/* A text that is too long is an error; a name differs when its case does. What stands in comments
 * is for MariaDB, then for MySQL: each takes its own. */
static const char *const mysql_session[] = {
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES', "
    "innodb_lock_wait_timeout = " NUMBER(AI_DB_STATEMENT_S)
    " /*M!100101 , max_statement_time = " NUMBER(AI_DB_STATEMENT_S) " */"
    " /*!50708 , max_execution_time = " NUMBER(AI_DB_STATEMENT_S) "000 */",
    NULL
};

/* The last of two counts. Reconnecting behind our back would lose the session and its statements;
 * counting rows that were found would hide that one was there already. */
static const char *mysql_complete(apr_pool_t *p, const char *params)
{
    return apr_pstrcat(p, params, " reconnect=0 flags=0 fldsz=" NUMBER(AI_DB_TEXT), NULL);
}

static const char *const nothing[] = { NULL };

static const ai_db_engine_t engines[] = {
    {
        .driver = "sqlite3",
        .package = "sqlite",
        .is_file = 1,
        .words = { "TEXT", "TEXT", "INTEGER", "INTEGER PRIMARY KEY AUTOINCREMENT", "",
                   "ON CONFLICT DO NOTHING", "CREATE INDEX IF NOT EXISTS" },
        .session = sqlite_session,
        .prepare = sqlite_prepare,
        .begin = "BEGIN IMMEDIATE",
        .look = "SELECT 1 FROM sqlite_master LIMIT 1",
        .has_table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = %s",
        .complete = sqlite_complete,
    },
    {
        .driver = "pgsql",
        .package = "pgsql",
        .words = { "VARCHAR(500) COLLATE \"C\"", "TEXT", "BIGINT", "BIGSERIAL PRIMARY KEY", "",
                   "ON CONFLICT DO NOTHING", "CREATE INDEX IF NOT EXISTS" },
        .session = pgsql_session,
        .prepare = nothing,
        .begin = "BEGIN",
        .has_table = "SELECT 1 FROM information_schema.tables WHERE "
                     "table_schema = ANY (current_schemas(false)) AND table_name = %s",
        /* The number says that it is ours. */
        .lock_inside = "SELECT pg_advisory_xact_lock(7807162109)",
        .socket_of = "PQsocket",
        .complete = pgsql_complete,
    },
    {
        .driver = "mysql",
        .package = "mysql",
        .rows_by_number = 1,
        .words = { "VARCHAR(500)", "MEDIUMTEXT", "BIGINT", "BIGINT AUTO_INCREMENT PRIMARY KEY",
                   "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
                   "ON DUPLICATE KEY UPDATE id = id", "CREATE INDEX" },
        .session = mysql_session,
        .prepare = nothing,
        .begin = "START TRANSACTION",
        .has_table = "SELECT 1 FROM information_schema.tables WHERE "
                     "table_schema = DATABASE() AND table_name = %s",
        .has_index = "SELECT 1 FROM information_schema.statistics WHERE "
                     "table_schema = DATABASE() AND index_name = %s LIMIT 1",
        .lock_before = "SELECT GET_LOCK(CONCAT(DATABASE(), '.ai_schema'), "
                       NUMBER(AI_DB_STATEMENT_S) ")",
        .socket_of = "mysql_get_socket",
        .complete = mysql_complete,
    },
};

const ai_db_engine_t *ai_db_engine(const char *driver)
{
    apr_size_t i;

    for (i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
        if (strcmp(driver, engines[i].driver) == 0) {
            return &engines[i];
        }
    }
    return NULL;
}

const char *ai_db_driver(apr_pool_t *p, const ai_db_engine_t *engine,
                         const apr_dbd_driver_t **driver)
{
    /* Every call but the first of the process does nothing. */
    apr_status_t rv = apr_dbd_init(p);
    char text[120];

    rv = rv == APR_SUCCESS ? apr_dbd_get_driver(p, engine->driver, driver) : rv;
    return rv == APR_SUCCESS
               ? NULL
               : apr_psprintf(p, "APR-util's driver %s cannot be loaded (Debian: "
                              "libaprutil1-dbd-%s; Red Hat: apr-util-%s): %s", engine->driver,
                              engine->driver, engine->package, apr_strerror(rv, text, sizeof(text)));
}

const char *ai_db_expand(apr_pool_t *p, const ai_db_engine_t *engine, const char *sql)
{
    const char *open, *close, *done = "";
    int i;

    while ((open = strchr(sql, '{')) != NULL && (close = strchr(open, '}')) != NULL) {
        apr_size_t n = (apr_size_t)(close - open - 1);

        for (i = 0; i < WORDS_N; i++) {
            if (strlen(word_names[i]) == n && memcmp(word_names[i], open + 1, n) == 0) {
                break;
            }
        }
        done = apr_pstrcat(p, done, apr_pstrmemdup(p, sql, (apr_size_t)(open - sql)),
                           i < WORDS_N ? engine->words[i] : "{?}", NULL);
        sql = close + 1;
    }
    return apr_pstrcat(p, done, sql, NULL);
}

/* ----------------------------------------------------------------------- what was said */

#define LONGEST_SAID 300

/* Whether what stands in quotes is a name of the statement's own, perhaps with a schema before it. */
static int is_name(const char *text, apr_size_t n, const char *sql)
{
    apr_size_t i, from = 0;
    const char *at, *name;

    for (i = 0; i < n; i++) {
        if (text[i] == '.') {
            from = i + 1;
        }
        else if (!apr_isalnum(text[i]) && text[i] != '_') {
            return 0;
        }
    }
    name = text + from;
    n -= from;
    for (at = sql; n && (at = strchr(at, *name)) != NULL; at++) {
        if (strncmp(at, name, n) == 0 && !apr_isalnum(at[n]) && at[n] != '_'
            && (at == sql || (!apr_isalnum(at[-1]) && at[-1] != '_'))) {
            return 1;
        }
    }
    return 0;
}

/* An apostrophe within a word opens nothing. */
static int opens(const char *line, const char *at)
{
    return strchr("'\"`(", *at) && !(*at == '\'' && at > line && apr_isalnum(at[-1]));
}

/* Names stay. Else all goes up to the last quote of the line, since a value may have quotes in it. */
static const char *leave_values_out(apr_pool_t *p, const char *line, const char *sql)
{
    char *out = apr_palloc(p, 3 * strlen(line) + 1), *to = out;
    const char *at, *end;
    apr_size_t n;

    for (at = line; *at; at++) {
        if (!opens(line, at)) {
            *to++ = *at;
            continue;
        }
        n = strcspn(at + 1, "'\"`)");
        if (at[1 + n] && is_name(at + 1, n, sql)) {
            memcpy(to, at, n + 2);
            to += n + 2;
            at += n + 1;
            continue;
        }
        memcpy(to, "...", 3);
        to += 3;
        end = strrchr(at + 1, *at == '(' ? ')' : *at);
        if (!end) {
            break;
        }
        at = end;
    }
    *to = '\0';
    return out;
}

const char *ai_db_say(apr_pool_t *p, const char *said, const char *sql)
{
    const char *line;

    if (!said || !*said) {
        return "the database does not say what is wrong";
    }
    line = apr_pstrmemdup(p, said, strcspn(said, "\r\n"));
    if (sql) {
        line = leave_values_out(p, line, sql);
    }
    else if (strstr(line, "connection info string") || strstr(line, "connection option")) {
        /* Here libpq quotes from the connection's parameters: it could be of a password. */
        return "the parameters of the connection are not understood";
    }
    return apr_pstrndup(p, line, LONGEST_SAID);
}
