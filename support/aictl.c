/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aictl.c - the administrator's program beside mod_ai: its words, and who does what they say.
 *
 * Status: 0 done, 1 failed, 2 not understood.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <apr_general.h>

#include "ai_version.h"
#include "aictl.h"
#include "search.h"

int complain(int status, const char *wrong)
{
    fprintf(stderr, "aictl: %s\n", wrong);
    return status;
}

static int help(void)
{
    printf("usage: aictl key COMMAND [OPTION]... [ID]...\n       aictl db COMMAND [OPTION]...\n"
           "       aictl audit COMMAND [OPTION]...\n       aictl usage --by NAME [OPTION]... [FILTER]...\n"
           "       aictl explain [OPTION]... ID\n       aictl price [OPTION]... MODEL\n\n");
    key_usage();
    db_usage();
    audit_usage();
    search_usage();
    price_usage();
    source_usage();
    printf("\naictl --version   aictl --help   man aictl\n");
    return DONE_WELL;
}

int main(int argc, const char *const *argv)
{
    apr_pool_t *pool;
    int status;

    /* A full disk and a closed pipe are errors to be told of, not ends. */
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (apr_app_initialize(&argc, &argv, NULL) != APR_SUCCESS
        || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return complain(FAILED, "APR does not start");
    }
    if (argc >= 2 && strcmp(argv[argc - 1], "--help") == 0) {
        status = help();
    }
    else if (argc >= 3 && strcmp(argv[1], "key") == 0) {
        status = key_command(pool, argc - 2, argv + 2);
    }
    else if (argc >= 3 && strcmp(argv[1], "db") == 0) {
        status = db_command(pool, argc - 2, argv + 2);
    }
    else if (argc >= 3 && strcmp(argv[1], "audit") == 0) {
        status = audit_command(pool, argc - 2, argv + 2);
    }
    else if (argc >= 2 && strcmp(argv[1], "usage") == 0) {
        status = usage_command(pool, argc - 1, argv + 1);
    }
    else if (argc >= 2 && strcmp(argv[1], "explain") == 0) {
        status = explain_command(pool, argc - 1, argv + 1);
    }
    else if (argc >= 3 && strcmp(argv[1], "price") == 0) {
        status = price_command(pool, argc - 1, argv + 1);
    }
    else if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("aictl %s\n", AI_VERSION);
        status = DONE_WELL;
    }
    else {
        status = complain(MISUSED, "usage: aictl key|db|audit|usage|explain|price ...; aictl --help");
    }
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == DONE_WELL) {
        status = complain(FAILED, "what was to be printed could not be");
    }
    apr_terminate();
    return status;
}
