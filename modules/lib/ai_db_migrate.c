/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_db_migrate.c - which version have the tables of a component, and how do they get to the next?
 *
 * The table ai_schema has a row for each component. Whoever migrates holds a lock of the database's,
 * and looks at the version only then; so of two, one finds that nothing is left to do.
 *
 * May block: yes, for the one who is at it.
 */
#include <string.h>

#include <apr_strings.h>

#include "ai_db_engine.h"

#define TABLE "ai_schema"

static const char make_table[] =
    "CREATE TABLE IF NOT EXISTS " TABLE
    " (id {word} NOT NULL PRIMARY KEY, version {number} NOT NULL) {table}";
static const char make_row[] = "INSERT INTO " TABLE " (id, version) VALUES (%s, 0) {or_nothing}";
static const char get_version[] = "SELECT version FROM " TABLE " WHERE id = %s";
static const char set_version[] = "UPDATE " TABLE " SET version = %lld WHERE id = %s";

int ai_db_steps(const ai_db_schema_t *schema)
{
    int n = 0;

    while (schema->steps[n]) {
        n++;
    }
    return n;
}

/* Takes a number of the first column into an apr_int64_t. */
static const char *take_number(void *baton, const char *const *values)
{
    *(apr_int64_t *)baton = values[0] ? apr_atoi64(values[0]) : 0;
    return NULL;
}

const char *ai_db_version(ai_db_t *db, apr_pool_t *p, const ai_db_schema_t *schema, int *version)
{
    const char *const table[] = { TABLE }, *const component[] = { schema->component };
    apr_int64_t there = 0, number = 0;
    const char *wrong = ai_db_connect(db, p);

    *version = 0;
    wrong = wrong ? wrong : ai_db_select(db, p, ai_db_engine_of(db)->has_table, 1, table, 1,
                                         take_number, &there);
    if (!wrong && there) {
        wrong = ai_db_select(db, p, get_version, 1, component, 1, take_number, &number);
    }
    *version = (int)number;
    return wrong;
}

#define INDEX "{index} "

/* Out: *there, whether that statement makes an index that is there, where the engine would call that
 * an error. */
static const char *look_for_index(ai_db_t *db, apr_pool_t *p, const char *sql, apr_int64_t *there)
{
    const char *has = ai_db_engine_of(db)->has_index, *name;

    *there = 0;
    if (!has || strncmp(sql, INDEX, sizeof(INDEX) - 1) != 0) {
        return NULL;
    }
    name = sql + sizeof(INDEX) - 1;
    name = apr_pstrmemdup(p, name, strcspn(name, " "));
    return ai_db_select(db, p, has, 1, &name, 1, take_number, there);
}

static const char *take_step(ai_db_t *db, apr_pool_t *p, const ai_db_schema_t *schema, int step)
{
    const char *const args[] = { apr_itoa(p, step + 1), schema->component };
    const char *const *statement;
    const char *wrong = NULL;
    apr_int64_t there;

    for (statement = schema->steps[step]; !wrong && *statement; statement++) {
        wrong = look_for_index(db, p, *statement, &there);
        if (!wrong && !there) {
            wrong = ai_db_exec(db, p, *statement, 0, NULL, NULL);
        }
    }
    /* SQLite's driver cannot use what was prepared before the tables changed. */
    ai_db_forget_statements(db);
    wrong = wrong ? wrong : ai_db_exec(db, p, set_version, 2, args, NULL);
    return wrong ? apr_psprintf(p, "step %d of %s: %s", step + 1, schema->component, wrong) : NULL;
}

static const char *take_steps(ai_db_t *db, apr_pool_t *p, const ai_db_schema_t *schema, int *from)
{
    const char *const component[] = { schema->component };
    const char *inside = ai_db_engine_of(db)->lock_inside, *wrong = NULL;
    apr_int64_t number = 0;
    int step;

    if (inside) {
        wrong = ai_db_select(db, p, inside, 0, NULL, 1, take_number, &number);
    }
    wrong = wrong ? wrong : ai_db_exec(db, p, make_table, 0, NULL, NULL);
    wrong = wrong ? wrong : ai_db_exec(db, p, make_row, 1, component, NULL);
    wrong = wrong ? wrong : ai_db_select(db, p, get_version, 1, component, 1, take_number, &number);
    *from = (int)number;
    for (step = *from; !wrong && step < ai_db_steps(schema); step++) {
        wrong = take_step(db, p, schema, step);
    }
    return wrong;
}

/* In a transaction; MySQL ends it at each change of a table, and goes on behind its own lock. */
static const char *migrate(ai_db_t *db, apr_pool_t *p, const ai_db_schema_t *schema, int *from)
{
    const char *wrong = ai_db_begin(db, p);

    if (wrong) {
        return wrong;
    }
    wrong = take_steps(db, p, schema, from);
    if (wrong) {
        ai_db_rollback(db, p);
        return wrong;
    }
    return ai_db_commit(db, p);
}

/* What is good to have, and refused at once while others are at the file: all goes on without, and
 * whoever comes last has it. */
static void prepare(ai_db_t *db, apr_pool_t *p)
{
    const char *const *sql;

    for (sql = ai_db_engine_of(db)->prepare; *sql; sql++) {
        ai_db_run(db, p, *sql);
    }
}

const char *ai_db_migrate(ai_db_t *db, apr_pool_t *p, const ai_db_schema_t *schema, int *from)
{
    const ai_db_engine_t *engine = ai_db_engine_of(db);
    apr_int64_t locked = 0;
    const char *wrong;

    *from = 0;
    /* SQLite's driver has an old picture of the tables in a connection that is older than them. */
    ai_db_close(db);
    wrong = ai_db_connect(db, p);
    if (wrong) {
        return wrong;
    }
    prepare(db, p);
    if (!engine->lock_before) {
        wrong = migrate(db, p, schema, from);
        if (!wrong) {
            prepare(db, p);
        }
        return wrong;
    }
    wrong = ai_db_select(db, p, engine->lock_before, 0, NULL, 1, take_number, &locked);
    if (!wrong && locked != 1) {
        wrong = "somebody else is at it for too long";
    }
    wrong = wrong ? wrong : migrate(db, p, schema, from);
    /* A connection that is closed lets go of it, too. */
    if (locked == 1) {
        ai_db_close(db);
    }
    return wrong;
}
