/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db_commands.c - what does each db command do?
 */
#include <stdio.h>
#include <string.h>

#include <apr_env.h>
#include <apr_strings.h>

#include "ai_audit_store.h"
#include "aictl.h"

/* Each module that has tables is a row here. */
static const ai_db_schema_t *const schemas[] = { &ai_key_store_schema,
                                                &ai_audit_store_schema };

#define SCHEMAS_N ((int)(sizeof(schemas) / sizeof(schemas[0])))

typedef struct call_t {
    apr_pool_t *pool;
    database_t database;
    ai_db_t *db;
} call_t;

static int fail(const call_t *call, const char *wrong)
{
    return complain(FAILED, database_says(call->pool, &call->database, wrong));
}

static int migrate(call_t *call)
{
    const char *wrong;
    int i, from;

    for (i = 0; i < SCHEMAS_N; i++) {
        database_wait(&call->database);
        wrong = ai_db_migrate(call->db, call->pool, schemas[i], &from);
        database_rest();
        if (wrong) {
            return fail(call, wrong);
        }
        printf(from < ai_db_steps(schemas[i]) ? "%s: version %d, was %d\n" : "%s: version %d\n",
               schemas[i]->component,
               from < ai_db_steps(schemas[i]) ? ai_db_steps(schemas[i]) : from, from);
    }
    return DONE_WELL;
}

static int status(call_t *call)
{
    int i, version, wanted, missing = 0;
    const char *wrong;

    for (i = 0; i < SCHEMAS_N; i++) {
        database_wait(&call->database);
        wrong = ai_db_version(call->db, call->pool, schemas[i], &version);
        database_rest();
        if (wrong) {
            return fail(call, wrong);
        }
        wanted = ai_db_steps(schemas[i]);
        missing += version < wanted;
        printf("%s: version %d%s\n", schemas[i]->component, version,
               version < wanted   ? apr_psprintf(call->pool, ", this program wants %d", wanted)
               : version > wanted ? ", newer than this program" : "");
    }
    return missing ? fail(call, "\"aictl db migrate\" adds what is missing") : DONE_WELL;
}

static const struct {
    const char *name;
    int (*run)(call_t *call);
    int creates;
    const char *options;
    const char *usage;
} commands[] = {
    { "init", migrate, 1, " database owner ", "[--owner USER]" },
    { "migrate", migrate, 0, " database ", "" },
    { "status", status, 0, " database ", "" },
};

#define COMMANDS_N ((int)(sizeof(commands) / sizeof(commands[0])))

void db_usage(void)
{
    int i;

    for (i = 0; i < COMMANDS_N; i++) {
        printf("  aictl db %-9s%s%s\n", commands[i].name, *commands[i].usage ? " " : "",
               commands[i].usage);
    }
}

int db_command(apr_pool_t *p, int argc, const char *const *argv)
{
    call_t *call = apr_pcalloc(p, sizeof(*call));
    key_options_t options;
    char *text = NULL;
    const char *wrong;
    int i;

    for (i = 0; i < COMMANDS_N && strcmp(argv[0], commands[i].name) != 0; i++) {
        continue;
    }
    if (i == COMMANDS_N) {
        return complain(MISUSED, "db has no such command; aictl --help");
    }
    wrong = key_options_read(p, argc, argv, commands[i].options, apr_time_now(), &options);
    if (!wrong && options.ids->nelts) {
        wrong = apr_psprintf(p, "usage: aictl db %s %s", commands[i].name, commands[i].usage);
    }
    if (!wrong && !options.database
        && (apr_env_get(&text, "AI_DATABASE", p) != APR_SUCCESS || !*text)) {
        wrong = "which database? Say --database 'DRIVER PARAMS', or AI_DATABASE in the environment";
    }
    if (wrong) {
        return complain(MISUSED, wrong);
    }
    call->pool = p;
    wrong = database_open(p, options.database ? options.database : text, commands[i].creates,
                          options.owner, &call->database);
    if (wrong) {
        return complain(FAILED, wrong);
    }
    call->db = call->database.db;
    return commands[i].run(call);
}
