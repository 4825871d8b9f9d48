/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_database.c - which database does this server use (AIDatabase)?
 *
 * It says where it is, and checks what can be known without asking it: whoever needs it connects by
 * himself, in a child process, so that httpd starts while the database is down.
 *
 * Lives in: the configuration pool.  Shared state: none.
 * May block: on files, while the configuration is read.
 */

#include <apr_strings.h>

#include "ai_private.h"

#define IN_FILE "file:"

/* Paths are relative to ServerRoot, as all paths of a configuration are. NULL: it is none. */
static const char *complete(cmd_parms *cmd, const ai_db_conf_t *conf)
{
    const char *path;

    if (strncmp(conf->params, IN_FILE, sizeof(IN_FILE) - 1) == 0) {
        path = conf->params + sizeof(IN_FILE) - 1;
        path = *path ? ap_server_root_relative(cmd->pool, path) : NULL;
        return path ? apr_pstrcat(cmd->pool, IN_FILE, path, NULL) : NULL;
    }
    return strcmp(conf->driver, "sqlite3") != 0 || !*conf->params
               ? conf->params
               : ap_server_root_relative(cmd->pool, conf->params);
}

static void warn(cmd_parms *cmd, const ai_db_conf_t *conf, const char *warning)
{
    if (warning) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, cmd->server, AI_LOGNO(0111) "AIDatabase: %s",
                     warning);
    }
    if (strcmp(conf->driver, "sqlite3") != 0 && ap_strcasestr(conf->params, "pass")
        && strncmp(conf->params, IN_FILE, sizeof(IN_FILE) - 1) != 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, cmd->server,
                     AI_LOGNO(0112) "AIDatabase: a password stands in the configuration; put the "
                     "params into a file, and say file:PATH");
    }
}

const char *ai_database_set(cmd_parms *cmd, void *dir, const char *driver, const char *params)
{
    ai_core_server_t *own = ap_get_module_config(cmd->server->module_config, &ai_module);
    const char *wrong = ai_conf_place(cmd), *warning = NULL;
    ai_db_conf_t *conf = apr_palloc(cmd->pool, sizeof(*conf));

    (void)dir;
    if (!wrong && own->database) {
        wrong = "AIDatabase: this server has one already";
    }
    if (wrong) {
        return wrong;
    }
    *conf = (ai_db_conf_t){ driver, params };
    conf->params = complete(cmd, conf);
    wrong = conf->params ? ai_db_check(cmd->pool, conf, &warning) : "its params have no path";
    if (wrong) {
        return apr_pstrcat(cmd->pool, "AIDatabase: ", wrong, NULL);
    }
    warn(cmd, conf, warning);
    own->database = conf;
    return NULL;
}

const ai_db_conf_t *ai_database(const server_rec *s)
{
    const ai_core_server_t *own = ap_get_module_config(s->module_config, &ai_module);

    return own->database;
}
