/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_price_conf.c - what does a model cost here, and what did this call?
 *
 * The prices that are built in, on top of them the operator's (AIPriceFile), read once while the
 * configuration is, and before both what a target says (AITargetPrice).
 *
 * Lives in: the configuration pool.  Shared state: the built-in prices, never changed after they
 * were read.  May block: on the file, while the configuration is read.
 */

#include <apr_strings.h>

#include "ai_private.h"

/* So many entries that cannot be used are told of one by one. */
#define ODD_MAX 10

/* Read anew with each configuration, before its directives. */
static const ai_price_book_t *builtin;

static void warn(cmd_parms *cmd, const char *arg, const apr_array_header_t *odd)
{
    int i;

    for (i = 0; i < odd->nelts && i < ODD_MAX; i++) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, cmd->server,
                     AI_LOGNO(0122) "AIPriceFile '%s': %s; the entry is left out, that model has no "
                     "price", arg, APR_ARRAY_IDX(odd, i, const char *));
    }
    if (odd->nelts > ODD_MAX) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, cmd->server,
                     AI_LOGNO(0123) "AIPriceFile '%s': %d more entries are left out", arg,
                     odd->nelts - ODD_MAX);
    }
}

const char *ai_price_conf_set(cmd_parms *cmd, void *dir, const char *arg)
{
    ai_core_server_t *own = ap_get_module_config(cmd->server->module_config, &ai_module);
    apr_array_header_t *odd = apr_array_make(cmd->temp_pool, 4, sizeof(const char *));
    const char *wrong = ai_conf_place(cmd);
    ai_slice_t text = { NULL, 0 };

    (void)dir;
    if (!wrong && own->prices) {
        wrong = "AIPriceFile: this server has one already";
    }
    if (!wrong) {
        wrong = ai_conf_file(cmd, arg, AI_PRICE_SIZE, &text);
    }
    if (wrong) {
        return wrong;
    }
    own->prices = ai_price_read(cmd->pool, text, apr_filepath_name_get(arg), builtin, odd, &wrong);
    if (!own->prices) {
        return apr_pstrcat(cmd->pool, "AIPriceFile: '", arg, "': ", wrong, NULL);
    }
    warn(cmd, arg, odd);
    return NULL;
}

const ai_price_t *ai_core_price(const request_rec *r, const ai_target_t *target, const char *model)
{
    const ai_core_server_t *own = ap_get_module_config(r->server->module_config, &ai_module);
    ai_price_ask_t ask = { target->name, ai_price_provider(target->hostname), model,
                           r->request_time, target->prices };

    return ai_price_find(own->prices ? own->prices : builtin, &ask);
}

void ai_price_note(ai_request_t *air)
{
    const ai_private_t *priv = air->priv;
    const ai_price_t *price;
    apr_int64_t cost;

    /* Nobody answered; or it broke off, and what was told of it by then is not all. */
    if (!priv->target || air->r->status >= 400 || air->finish == AI_FINISH_NONE
        || air->finish == AI_FINISH_ERROR || air->finish == AI_FINISH_CLIENT_ABORT) {
        return;
    }
    price = ai_core_price(air->r, priv->target, priv->model);
    if (ai_price_cost(price, &air->usage, &cost) == APR_SUCCESS) {
        ai_note_set_number(air, AI_NOTE_COST_NANOUSD, cost);
        ai_note_set(air, AI_NOTE_PRICE, price->origin);
    }
}

static int on_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    apr_array_header_t *odd = apr_array_make(ptemp, 1, sizeof(const char *));
    const char *wrong = NULL;

    (void)plog;
    builtin = ai_price_read(pconf, ai_price_builtin(), AI_PRICE_BUILTIN, NULL, odd, &wrong);
    if (builtin && odd->nelts) {
        wrong = APR_ARRAY_IDX(odd, 0, const char *);
    }
    if (wrong) {
        ap_log_perror(APLOG_MARK, APLOG_CRIT, 0, pconf,
                      AI_LOGNO(0124) "the prices that are built in: %s", wrong);
    }
    return wrong ? !OK : OK;
}

void ai_price_conf_register(apr_pool_t *p)
{
    (void)p;
    ap_hook_pre_config(on_pre_config, NULL, NULL, APR_HOOK_MIDDLE);
}
