/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_models.c - what may be had at this location, whoever asks?
 *
 * AIAuthModels is a list of patterns. It holds beside what a key's record says, so the stricter one
 * of both decides. What names no model, or is passed through, can reach any of them: it is refused
 * here, unless the list is "*".
 *
 * Lives in: the configuration pool.  Shared state: none.  May block: no.
 */

#include <apr_lib.h>
#include <apr_strings.h>
#include <httpd.h>

#include "auth_private.h"

#define LONGEST_PATTERN 200 /* as in a key's record */

static const char *check(cmd_parms *cmd, const char *pattern)
{
    const char *at;

    for (at = pattern; *at && !apr_iscntrl(*at) && *at != ' '; at++) {
    }
    if (*at || at == pattern || at - pattern > LONGEST_PATTERN) {
        return apr_psprintf(cmd->pool, "AIAuthModels: '%s' is no pattern; a pattern has 1 to %d "
                            "bytes without space, '*' for any characters, '?' for one, and may "
                            "stand behind '!'", pattern, LONGEST_PATTERN);
    }
    return NULL;
}

static const char *add(cmd_parms *cmd, auth_conf_t *conf, const char *word)
{
    int denies = word[0] == '!';
    apr_array_header_t **list = denies ? &conf->models_denied : &conf->models;
    const char *wrong = check(cmd, word + denies);

    if (wrong) {
        return wrong;
    }
    if (!*list) {
        *list = apr_array_make(cmd->pool, 4, sizeof(const char *));
    }
    APR_ARRAY_PUSH(*list, const char *) = word + denies;
    return NULL;
}

/* The words are not split by httpd, which would leave out all behind an empty one (of an empty
 * variable, say). */
const char *auth_models_set(cmd_parms *cmd, void *conf, const char *line)
{
    const char *wrong = ai_conf_place(cmd);

    do {
        const char *word = ap_getword_conf(cmd->pool, &line);

        wrong = wrong ? wrong : add(cmd, conf, word);
    } while (!wrong && *line);
    return wrong;
}

static const auth_conf_t *conf_of(const ai_request_t *air)
{
    return ap_get_module_config(air->r->per_dir_config, &ai_auth_module);
}

/* 1 when some model is out of reach. */
static int is_limited(const auth_conf_t *conf)
{
    int i;

    for (i = 0; conf->models && i < conf->models->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(conf->models, i, const char *), "*") == 0) {
            return conf->models_denied != NULL;
        }
    }
    return conf->models || conf->models_denied;
}

int auth_models_allow(const ai_request_t *air, const char *model)
{
    const auth_conf_t *conf = conf_of(air);

    return ai_key_lists_allow(conf->models, conf->models_denied, model);
}

int auth_models_authorize(ai_request_t *air)
{
    const char *model = auth_model_of(air);

    if (model && !auth_models_allow(air, model)) {
        return auth_refuse(air, HTTP_FORBIDDEN, "model_not_allowed", "model",
                           apr_psprintf(air->r->pool, "The model '%s' may not be used here.",
                                        model));
    }
    if (!model && is_limited(conf_of(air))) {
        return auth_refuse(air, HTTP_FORBIDDEN, "model_not_allowed", "model",
                           "Only certain models may be used here, and this request names none.");
    }
    return OK;
}
