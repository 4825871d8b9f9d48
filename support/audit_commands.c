/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_commands.c - which audit command is meant, what do its options say, and which database?
 */
#include <stdio.h>
#include <string.h>

#include <apr_env.h>
#include <apr_strings.h>

#include "audit_commands.h"
#include "audit_proof.h"
#include "search.h"

/* Each command is a row here. */
static const struct {
    const char *name;
    audit_command_fn *run;
    const char *usage;
} commands[] = {
    { "search", search_command, "[LISTING]... [--order newest|oldest] [FILTER]..." },
    { "tail", tail_command, "[--limit N] [--follow [--interval SPAN]] [FILTER]..." },
    { "show", show_command, "[--json | --prompt | --answer] [--spool DIR] ID" },
    { "export", export_command, "[--format jsonl|csv|proof] [FILTER]..." },
    { "ship", ship_command, "--spool FOLDER [--once] [--lines] [--signing-key FILE] [--checkpoint SPAN]" },
    { "keygen", keygen_command, "--key FILE" },
    { "verify", verify_command, "[--public-key FILE[,FILE]...] [--expect DIGEST] [--since T] "
      "[--export FILE | --spool DIR]" },
    { "retain", retain_command, "--older SPAN --bodies|--records [--tenant T] [--dry-run] "
      "[--signing-key FILE | --unsigned]" },
    { "hold", hold_command, "add --reason TEXT [--tenant T] [--since T] [--until T] | list | release ID" },
    { NULL, NULL, NULL },
};

void audit_usage(void)
{
    int i;

    for (i = 0; commands[i].name; i++) {
        printf("  aictl audit %-6s %s\n", commands[i].name, commands[i].usage);
    }
}

int audit_command(apr_pool_t *p, int argc, const char *const *argv)
{
    int i;

    for (i = 0; commands[i].name; i++) {
        if (strcmp(argv[0], commands[i].name) == 0) {
            return commands[i].run(p, argc, argv);
        }
    }
    return complain(MISUSED, "audit has no such command; aictl --help");
}

const char *audit_options_read(apr_pool_t *p, int argc, const char *const *argv,
                               const audit_option_t *options, apr_array_header_t **words)
{
    const audit_option_t *option;
    const char *name;
    int i;

    *words = apr_array_make(p, 2, sizeof(const char *));
    for (i = 1; i < argc; i++) {
        name = argv[i];
        if (strncmp(name, "--", 2) != 0) {
            APR_ARRAY_PUSH(*words, const char *) = name;
            continue;
        }
        for (option = options; option->name && strcmp(option->name, name + 2) != 0; option++) {
            continue;
        }
        if (!option->name) {
            return apr_psprintf(p, "%s is no option of \"audit %s\"; aictl --help", name, argv[0]);
        }
        if (option->word ? *option->word != NULL : *option->flag) {
            return apr_psprintf(p, "%s is said twice", name);
        }
        if (!option->word) {
            *option->flag = 1;
            continue;
        }
        if (++i == argc) {
            return apr_psprintf(p, "%s needs a word behind it", name);
        }
        *option->word = argv[i];
    }
    return NULL;
}

const char *audit_database_open(apr_pool_t *p, const char *text, int wait, database_t *database,
                                ai_audit_store_t **store)
{
    char *said = NULL;
    const char *wrong;

    if (!text && (apr_env_get(&said, "AI_DATABASE", p) != APR_SUCCESS || !*said)) {
        return "which database? Say --database 'DRIVER PARAMS', or AI_DATABASE in the environment";
    }
    wrong = database_open(p, text ? text : said, 0, NULL, database);
    if (wrong) {
        return wrong;
    }
    *store = ai_audit_store_open(p, &database->conf);
    database->db = ai_audit_store_db(*store);
    return wait ? NULL : database_check(p, database, &ai_audit_store_schema);
}
