/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_commands.h - what the audit commands of aictl have in common.
 *
 * A command is a row of the table in audit_commands.c and a function in a file of its own.
 */
#ifndef AUDIT_COMMANDS_H
#define AUDIT_COMMANDS_H

#include "ai_audit_store.h"
#include "aictl.h"

/* Runs one command: argv begins with its name. Returns the program's status. */
typedef int audit_command_fn(apr_pool_t *p, int argc, const char *const *argv);

/* ship_command.c */
int ship_command(apr_pool_t *p, int argc, const char *const *argv);

/* An option, "--NAME WORD" or "--NAME"; a list of them ends with name NULL. */
typedef struct audit_option_t {
    const char *name;
    const char **word; /* it takes a word, which is put here; NULL: it takes none */
    int *flag;         /* 1 is put here, where it takes no word */
} audit_option_t;

/* Reads what stands behind a command's name. An option that is said twice is an error. Out: *words, of
 * const char *: the others. */
const char *audit_options_read(apr_pool_t *p, int argc, const char *const *argv,
                               const audit_option_t *options, apr_array_header_t **words);

/*
 * Finds the database, text or $AI_DATABASE, and checks that it has the tables of the audit. Out:
 * *database, for database_wait(); *store, its tables. wait: a database that is away is none of our
 * business now, so nothing is asked of it.
 */
const char *audit_database_open(apr_pool_t *p, const char *text, int wait, database_t *database,
                                ai_audit_store_t **store);

#endif
