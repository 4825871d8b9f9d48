/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_models_conf.c - which table says what a model can do?
 *
 * The one that is built in, and on top of it the operator's (AIModelFile), read once while the
 * configuration is.
 *
 * Lives in: the configuration pool.  Shared state: the built-in table, never changed after it was
 * read.  May block: on the file, while the configuration is read.
 */

#include <apr_strings.h>

#include "ai_private.h"

/* Read anew with each configuration, before its directives. */
static const ai_models_t *builtin;

const char *ai_models_conf_set(cmd_parms *cmd, void *dir, const char *arg)
{
    ai_core_server_t *own = ap_get_module_config(cmd->server->module_config, &ai_module);
    const char *wrong = ai_conf_place(cmd);
    ai_slice_t text = { NULL, 0 };

    (void)dir;
    if (!wrong && own->models) {
        wrong = "AIModelFile: this server has one already";
    }
    if (!wrong) {
        wrong = ai_conf_file(cmd, arg, AI_MODELS_SIZE, &text);
    }
    if (wrong) {
        return wrong;
    }
    own->models = ai_models_read(cmd->pool, text, builtin, &wrong);
    return own->models ? NULL : apr_pstrcat(cmd->pool, "AIModelFile: '", arg, "': ", wrong, NULL);
}

const ai_ability_t *ai_core_ability(const request_rec *r, const ai_target_t *target,
                                    const char *model)
{
    const ai_core_server_t *own = ap_get_module_config(r->server->module_config, &ai_module);

    return ai_models_find(own->models ? own->models : builtin, target->dialect->name, model);
}

static int on_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    const char *wrong = NULL;

    (void)plog;
    (void)ptemp;
    builtin = ai_models_read(pconf, ai_models_builtin(), NULL, &wrong);
    if (!builtin) {
        ap_log_perror(APLOG_MARK, APLOG_CRIT, 0, pconf,
                      AI_LOGNO(0110) "the table of models that is built in: %s", wrong);
    }
    return builtin ? OK : !OK;
}

void ai_models_conf_register(apr_pool_t *p)
{
    (void)p;
    ap_hook_pre_config(on_pre_config, NULL, NULL, APR_HOOK_MIDDLE);
}
