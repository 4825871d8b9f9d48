/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_db.c - does a database do what it is told, and is it told what went wrong?
 */
#include <signal.h>
#include <sys/wait.h>

#include "ai_db_engine.h"
#include "db_frame.h"

#define SECRET "s3cr3t-word"

/* ---------------------------------------------------------------------------- migration */

static const char *const first[] = {
    "CREATE TABLE IF NOT EXISTS t_things (id {word} NOT NULL PRIMARY KEY, n {number}, body {text}) "
    "{table}",
    NULL
};
static const char *const second[] = {
    "CREATE TABLE IF NOT EXISTS t_lines (no {serial}, what {word}) {table}",
    "INSERT INTO t_lines (what) VALUES ('made')", NULL
};
static const char *const broken[] = {
    "CREATE TABLE IF NOT EXISTS t_never (id {word} NOT NULL PRIMARY KEY) {table}",
    "INSERT INTO t_nowhere (id) VALUES ('x')", NULL
};
static const char *const *const one_step[] = { first, NULL };
static const char *const *const two_steps[] = { first, second, NULL };
static const char *const *const bad_steps[] = { first, second, broken, NULL };
static const ai_db_schema_t version_1 = { "test", one_step };
static const ai_db_schema_t version_2 = { "test", two_steps };
static const ai_db_schema_t version_3 = { "test", bad_steps };
static const char *const crowded[] = {
    "CREATE TABLE IF NOT EXISTS t_crowd (id {serial}, n {number}) {table}",
    "INSERT INTO t_crowd (n) VALUES (1)", NULL
};
static const char *const *const crowd_steps[] = { crowded, NULL };
static const ai_db_schema_t crowd = { "crowd", crowd_steps };
static const ai_db_schema_t another = { "other", one_step };

static int version_of(ai_db_t *db, const ai_db_schema_t *schema)
{
    int version = -1;

    return ai_db_version(db, pool, schema, &version) ? -2 : version;
}

static const char *count(void *baton, const char *const *values)
{
    (void)values;
    ++*(int *)baton;
    return NULL;
}

static int rows_of(ai_db_t *db, const char *sql)
{
    int n = 0;

    return ai_db_select(db, pool, sql, 0, NULL, 1, count, &n) ? -1 : n;
}

static void test_migration(ai_db_t *db)
{
    ai_db_t *late = ai_db_open(pool, &conf);
    int from = -1;

    is_number(ai_db_steps(&version_2), 2, "a schema has its steps");
    is_number(version_of(db, &version_1), 0, "of an empty database the version is 0");
    is_number(version_of(late, &version_1), 0, "another connection sees that, too");
    fine(ai_db_migrate(db, pool, &version_1, &from), "the first step is taken");
    is_number(from, 0, "from nothing");
    is_number(version_of(db, &version_1), 1, "and the version is 1");
    is_number(version_of(db, &another), 0, "that of another component is its own");
    fine(ai_db_migrate(db, pool, &version_2, &from), "the second step is taken");
    is_number(from, 1, "from the first");
    fine(ai_db_migrate(db, pool, &version_2, &from), "once more");
    is_number(from, 2, "there is nothing to do");
    is_number(rows_of(db, "SELECT no FROM t_lines"), 1, "and nothing was done twice");
    fine(ai_db_migrate(late, pool, &version_1, &from), "an older program");
    is_number(from, 2, "leaves newer tables as they are");
    is_number(version_of(late, &version_1), 2, "and knows that they are newer");
    wrongs(ai_db_migrate(db, pool, &version_3, &from), "step 3 of test: ", "a broken step is told");
    is_number(version_of(db, &version_3), 2, "and the version is what it was");
    is_number(rows_of(db, "SELECT id FROM t_things"), 0, "so are the tables");
    if (strcmp(conf.driver, "mysql") != 0) {
        is_number(rows_of(db, "SELECT id FROM t_never"), -1, "and nothing of it is left");
    }
    ai_db_close(late);
}

/* --------------------------------------------------------------------------- statements */

typedef struct thing_t {
    int rows;
    const char *id, *n, *body;
} thing_t;

static const char *take_thing(void *baton, const char *const *values)
{
    thing_t *thing = baton;

    thing->rows++;
    thing->id = apr_pstrdup(pool, values[0]);
    thing->n = values[1] ? apr_pstrdup(pool, values[1]) : NULL;
    thing->body = values[2] ? apr_pstrdup(pool, values[2]) : NULL;
    return NULL;
}

static const char put[] = "INSERT INTO t_things (id, n, body) VALUES (%s, %lld, %s)";
static const char put_or_not[] =
    "INSERT INTO t_things (id, n, body) VALUES (%s, %lld, %s), (%s, %lld, %s) {or_nothing}";
static const char get[] = "SELECT id, n, body FROM t_things WHERE id = %s";
static const char set[] = "UPDATE t_things SET n = n + 1 WHERE id = %s AND n = %lld";

static thing_t find(ai_db_t *db, const char *id)
{
    thing_t thing = { 0, NULL, NULL, NULL };

    if (ai_db_select(db, pool, get, 1, &id, 3, take_thing, &thing)) {
        thing.rows = -1;
    }
    return thing;
}

static void test_statements(ai_db_t *db)
{
    static const char *const hard[] = { "a'; DROP TABLE t_things; --",
                                        "\"\\%s %% $1 ? {word} \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
                                        "" };
    char *long_text = apr_palloc(pool, AI_DB_TEXT);
    const char *args[6] = { "a", "9007199254740993", "text" };
    thing_t thing;
    int rows, i;

    fine(ai_db_exec(db, pool, put, 3, args, &rows), "a row goes in");
    is_number(rows, 1, "one");
    thing = find(db, "a");
    ok(thing.rows == 1 && thing.n && strcmp(thing.n, "9007199254740993") == 0,
       "and out, with a number of 64 bits");
    is_number(find(db, "A").rows, 0, "case counts");
    args[0] = "null";
    args[1] = args[2] = NULL;
    fine(ai_db_exec(db, pool, put, 3, args, NULL), "NULLs go in");
    thing = find(db, "null");
    ok(thing.rows == 1 && !thing.n && !thing.body, "and out");
    for (i = 0; i < 3; i++) {
        args[0] = hard[i];
        args[1] = "-1";
        args[2] = hard[i];
        fine(ai_db_exec(db, pool, put, 3, args, NULL), "any text goes in");
        thing = find(db, hard[i]);
        ok(thing.rows == 1 && thing.body && strcmp(thing.body, hard[i]) == 0, "and out as it was");
    }
    memset(long_text, 'x', AI_DB_TEXT - 1);
    long_text[AI_DB_TEXT - 1] = '\0';
    args[0] = "long";
    args[2] = long_text;
    fine(ai_db_exec(db, pool, put, 3, args, NULL), "a long text goes in");
    thing = find(db, "long");
    ok(thing.body && strcmp(thing.body, long_text) == 0, "and out whole");
    args[0] = "a";
    args[3] = "b";
    args[4] = "5";
    args[2] = args[5] = "new";
    fine(ai_db_exec(db, pool, put_or_not, 6, args, &rows), "of two rows, one that is there");
    is_number(rows, 1, "is left out");
    ok(strcmp(find(db, "a").body, "text") == 0, "and stays as it was");
    args[0] = "b";
    args[1] = "5";
    fine(ai_db_exec(db, pool, set, 2, args, &rows), "a change that names what it found");
    is_number(rows, 1, "is made");
    fine(ai_db_exec(db, pool, set, 2, args, &rows), "once more");
    is_number(rows, 0, "it is not");
}

/* -------------------------------------------------------------------------- transactions */

static void test_transactions(ai_db_t *db)
{
    const char *args[3] = { "t1", "1", SECRET };
    ai_db_t *other = ai_db_open(pool, &conf);

    fine(ai_db_begin(db, pool), "a transaction begins");
    fine(ai_db_exec(db, pool, put, 3, args, NULL), "a row goes in");
    is_number(find(db, "t1").rows, 1, "who put it in sees it");
    is_number(find(other, "t1").rows, 0, "others do not");
    ai_db_rollback(db, pool);
    is_number(find(db, "t1").rows, 0, "and when it is undone, nobody does");
    fine(ai_db_begin(db, pool), "another one");
    fine(ai_db_exec(db, pool, put, 3, args, NULL), "the row goes in");
    fine(ai_db_commit(db, pool), "and stays");
    is_number(find(other, "t1").rows, 1, "for all");
    fine(ai_db_begin(db, pool), "a third one");
    args[0] = "t2";
    fine(ai_db_exec(db, pool, put, 3, args, NULL), "a row goes in");
    args[0] = "t1";
    ok(ai_db_exec(db, pool, put, 3, args, NULL) != NULL, "the next one is there already");
    args[0] = "t3";
    wrongs(ai_db_exec(db, pool, put, 3, args, NULL), "before it failed", "then nothing goes");
    wrongs(ai_db_commit(db, pool), "before it failed", "least of all the end");
    is_number(find(db, "t2").rows, 0, "all of it is undone");
    is_number(find(db, "t1").rows, 1, "and the handle goes on");
    ai_db_close(other);
}

/* ------------------------------------------------------------------- what others do to it */

/* Several programs begin at once on an empty database: one migrates, the others wait. */
static void test_migration_at_once(void)
{
    enum { PROGRAMS = 6 };
    pid_t pids[PROGRAMS];
    int i, from, state, good = 0;
    ai_db_t *db = ai_db_open(pool, &conf);

    for (i = 0; i < PROGRAMS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            const char *wrong = ai_db_migrate(ai_db_open(pool, &conf), pool, &crowd, &from);

            if (wrong) {
                fprintf(stderr, "# %s\n", wrong);
            }
            _exit(wrong ? 1 : 0);
        }
    }
    for (i = 0; i < PROGRAMS; i++) {
        good += waitpid(pids[i], &state, 0) == pids[i] && state == 0;
    }
    is_number(good, PROGRAMS, "several migrate at once, and none fails");
    is_number(version_of(db, &crowd), 1, "the version is as one has made it");
    is_number(rows_of(db, "SELECT id FROM t_crowd"), 1, "and the step was taken once");
    if (is_sqlite()) {
        char head[20] = "";
        int fd = open(conf.params, O_RDONLY);

        /* SQLite's file format: 2 is a log of writes, 1 is none. */
        ok(fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) && head[18] == 2,
           "who reads does not wait for who writes");
        close(fd);
    }
    ai_db_close(db);
}

static ai_db_t *alarmed;

static void on_alarm(int signal)
{
    (void)signal;
    ai_db_interrupt(alarmed);
}

/* Of servers: the connection is taken away, and one that says nothing is left. */
static void test_lost(ai_db_t *db)
{
    int is_pgsql = strcmp(conf.driver, "pgsql") == 0;
    const char *me = NULL;
    ai_db_t *other = ai_db_open(pool, &conf);
    apr_time_t began;
    thing_t who = { 0, NULL, NULL, NULL };

    fine(ai_db_select(db, pool, is_pgsql ? "SELECT pg_backend_pid(), 0, 0"
                                         : "SELECT CONNECTION_ID(), 0, 0",
                      0, NULL, 3, take_thing, &who), "a connection has a number");
    me = who.id;
    fine(is_pgsql ? ai_db_select(other, pool, "SELECT pg_terminate_backend(%d), 0, 0", 1, &me, 3,
                                 take_thing, &who)
                  : ai_db_exec(other, pool, apr_pstrcat(pool, "KILL ", me, NULL), 0, NULL, NULL),
         "by which it is ended");
    is_number(find(db, "a").rows, 1, "who reads does not notice");
    fine(ai_db_begin(db, pool), "in a transaction");
    who.rows = 0;
    fine(ai_db_select(db, pool, is_pgsql ? "SELECT pg_backend_pid(), 0, 0"
                                         : "SELECT CONNECTION_ID(), 0, 0",
                      0, NULL, 3, take_thing, &who), "a connection has another one");
    me = who.id;
    fine(is_pgsql ? ai_db_select(other, pool, "SELECT pg_terminate_backend(%d), 0, 0", 1, &me, 3,
                                 take_thing, &who)
                  : ai_db_exec(other, pool, apr_pstrcat(pool, "KILL ", me, NULL), 0, NULL, NULL),
         "and when that is ended");
    is_number(find(db, "a").rows, -1, "it is told");
    wrongs(ai_db_commit(db, pool), "before it failed", "and nothing lasts");
    is_number(find(db, "a").rows, 1, "after that it goes on");

    alarmed = db;
    signal(SIGALRM, on_alarm);
    fine(ai_db_begin(db, pool), "a statement that waits");
    began = apr_time_now();
    alarm(1);
    ok(ai_db_select(db, pool, is_pgsql ? "SELECT pg_sleep(20), 0, 0" : "SELECT SLEEP(20), 0, 0", 0,
                    NULL, 3, take_thing, &who) != NULL, "is interrupted");
    ok(apr_time_now() - began < apr_time_from_sec(15), "long before its end");
    ai_db_rollback(db, pool);
    is_number(find(db, "a").rows, 1, "and the handle goes on");
    ai_db_interrupt(other);
    ai_db_close(other);
    ai_db_interrupt(other);
    ok(1, "without a connection there is nothing to interrupt");
}

/* ------------------------------------------------------------------------------- errors */

static void test_errors(ai_db_t *db)
{
    const char *args[3] = { SECRET, "1", SECRET };
    const char *wrong;

    wrongs(ai_db_exec(db, pool, "INSERT INTO t_gone (id) VALUES (%s)", 1, args, NULL), "t_gone",
           "a table that is not there is named");
    is_number(find(db, "a").rows, 1, "a statement that cannot be prepared harms no other");
    fine(ai_db_exec(db, pool, put, 3, args, NULL), "a row goes in");
    wrong = ai_db_exec(db, pool, put, 3, args, NULL);
    ok(wrong && !strstr(wrong, SECRET), "an error has no value in it");
    printf("# %s\n", wrong);
    is_number(find(db, "a").rows, 1, "and the handle goes on");
    ok(ai_db_select(db, pool, "SELECT nothing FROM t_things", 0, NULL, 1, count, NULL) != NULL,
       "a column that is not there is an error");
}

static void test_words(void)
{
    static const struct {
        const char *said, *sql, *want;
    } rows[] = {
        { "Duplicate entry 'ann' for key 'PRIMARY'", put, "Duplicate entry ..." },
        { "Duplicate entry 'a'b' for key 'x'", put, "Duplicate entry ..." },
        { "Duplicate entry 'id' here", put, "Duplicate entry 'id' here" },
        { "Table 'ai.t_things' doesn't exist", put, "Table 'ai.t_things' doesn't exist" },
        { "ERROR:  relation \"t_things\" is not there\nLINE 1: x", put,
          "ERROR:  relation \"t_things\" is not there" },
        { "Key (id)=(ann) exists", put, "Key (id)=... exists" },
        { "bad number: \"ann", put, "bad number: ..." },
        { "a word: \"t_thing\"", put, "a word: ..." },
        { "a word: \"\"", put, "a word: ..." },
        { "missing \"=\" after \"" SECRET "\" in connection info string\n", NULL,
          "the parameters of the connection are not understood" },
        { "invalid connection option \"" SECRET "\"", NULL,
          "the parameters of the connection are not understood" },
        { "Access denied for user 'ai'@'localhost'", NULL,
          "Access denied for user 'ai'@'localhost'" },
        { "", NULL, "the database does not say what is wrong" },
    };
    const ai_db_engine_t *mysql = ai_db_engine("mysql"), *pgsql = ai_db_engine("pgsql");
    const char *got;
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        got = ai_db_say(pool, rows[i].said, rows[i].sql);
        is_bytes(got, strlen(got), rows[i].want, strlen(rows[i].want), rows[i].said);
    }
    got = ai_db_expand(pool, mysql, "a {text} {or_nothing}");
    is_bytes(got, strlen(got), "a MEDIUMTEXT ON DUPLICATE KEY UPDATE id = id", 44, "words of MySQL");
    ok(strstr(pgsql->complete(pool, "host=x"), "connect_timeout=5")
           && strstr(pgsql->complete(pool, "postgresql://x/y"), "y?connect_timeout=5")
           && strstr(pgsql->complete(pool, "postgresql://x/y?a=b"), "b&connect_timeout=5")
           && !strstr(pgsql->complete(pool, "connect_timeout=9"), "=5"),
       "PostgreSQL is not waited for without end");
    ok(ai_db_engine("oracle") == NULL, "other engines are none");
}

/* ------------------------------------------------------------------------ configuration */

static const char *check(const char *driver, const char *params, const char **warning)
{
    ai_db_conf_t c = { driver, params };

    return ai_db_check(pool, &c, warning);
}

static void test_check(void)
{
    const char *warning, *file = apr_pstrcat(pool, "file:", in_folder("params"), NULL);

    wrongs(check("oracle", "x", &warning), "sqlite3, pgsql or mysql", "an engine that is none");
    wrongs(check("sqlite3", "", &warning), "must not be empty", "no params");
    wrongs(check("sqlite3", "db", &warning), "absolute path", "a path from somewhere");
    wrongs(check("sqlite3", ":memory:", &warning), "absolute path", "no file");
    wrongs(check("sqlite3", in_folder("no/db"), &warning), "the folder cannot be used", "no folder");
    fine(check("sqlite3", in_folder("new"), &warning), "a file that is not there yet");
    wrongs(check("sqlite3", folder, &warning), "no regular file", "a folder is no file");
    make_file(in_folder("open"), 0666, "");
    wrongs(check("sqlite3", in_folder("open"), &warning), "everybody may write", "a file for all");
    chmod(folder, 0777);
    wrongs(check("sqlite3", in_folder("new"), &warning), "everybody may write", "a folder for all");
    chmod(folder, 0700);
    wrongs(check("sqlite3", file, &warning), "cannot be read", "params that are not there");
    make_file(in_folder("params"), 0600, " \n");
    wrongs(check("sqlite3", file, &warning), "is empty", "params that are empty");
    make_file(in_folder("params"), 0600, apr_pstrcat(pool, "\n", in_folder("new"), " \n", NULL));
    fine(check("sqlite3", file, &warning), "params in a file");
    ok(!warning, "which nobody else may read");
    chmod(in_folder("params"), 0644);
    fine(check("sqlite3", file, &warning), "the same for all");
    ok(warning && strstr(warning, "everybody may read it"), "is warned of");
    chmod(in_folder("params"), 0646);
    wrongs(check("sqlite3", file, &warning), "everybody may write", "and what all may write refused");
    wrongs(check("sqlite3", "file:params", &warning), "absolute path", "so is a path from somewhere");
    make_file(in_folder("params"), 0600, apr_pstrcat(pool, SECRET, "\n=x", NULL));
    wrongs(check("sqlite3", file, &warning), "absolute path", "a file with something else");
}

/* SQLite's file may go, come, and be another one. */
static void test_file(void)
{
    const char *path = in_folder("db2");
    ai_db_conf_t c = { "sqlite3", path };
    ai_db_t *db = ai_db_open(pool, &c);
    char other[4097] = "";
    struct stat st;
    int from;

    wrongs(ai_db_connect(db, pool), "is not there", "a file that is not there is not made");
    ok(stat(path, &st) != 0, "at all");
    make_file(path, 0600, "");
    fine(ai_db_migrate(db, pool, &version_1, &from), "an empty one is filled");
    is_number(find(db, "x").rows, 0, "and read");
    rename(path, in_folder("db3"));
    is_number(find(db, "x").rows, -1, "when it goes, it is not read on");
    rename(in_folder("db3"), path);
    is_number(find(db, "x").rows, 0, "and when it comes back, it is read");
    c.params = in_folder("none");
    memset(other, 'x', sizeof(other) - 1);
    make_file(c.params, 0600, other);
    wrongs(ai_db_migrate(ai_db_open(pool, &c), pool, &version_1, &from), "not a database",
           "what is none is told");
}

int main(int argc, char **argv)
{
    ai_db_t *db;

    begin_database(argc, argv);
    db = ai_db_open(pool, &conf);
    test_migration_at_once();
    test_words();
    test_check();
    test_migration(db);
    test_statements(db);
    test_transactions(db);
    test_errors(db);
    test_file();
    if (!is_sqlite()) {
        test_lost(db);
    }
    return end_database();
}
