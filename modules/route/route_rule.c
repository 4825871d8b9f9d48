/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_rule.c - who may answer for this model?
 *
 * Lives in: the configuration pool.  Shared state: none.  May block: no.
 */

#include <apr_hash.h>
#include <apr_strings.h>

#include "route_private.h"
#include "route_rule.h"

const char *route_rule_add(cmd_parms *cmd, apr_array_header_t *rules, int argc,
                           char *const argv[], apr_hash_t *inner, apr_hash_t *outer)
{
    route_rule_t *rule;
    int i, k;

    if (argc < 2) {
        return "AIRoute: needs a model's name or pattern and at least one target";
    }
    if (!*argv[0]) {
        return "AIRoute: the model's name is empty; '*' fits every model";
    }
    rule = apr_array_push(rules);
    rule->pattern = argv[0];
    rule->exact = strpbrk(argv[0], "*?") == NULL;
    rule->names = NULL;
    rule->targets = apr_array_make(cmd->pool, argc - 1, sizeof(const ai_target_t *));
    for (i = 1; i < argc; i++) {
        const ai_target_t *target = apr_hash_get(inner, argv[i], APR_HASH_KEY_STRING);

        if (!target && outer) {
            target = apr_hash_get(outer, argv[i], APR_HASH_KEY_STRING);
        }
        if (!target) {
            return apr_psprintf(cmd->pool, "AIRoute: there is no <AITarget %s> before this line",
                                argv[i]);
        }
        for (k = 0; k < rule->targets->nelts; k++) {
            if (APR_ARRAY_IDX(rule->targets, k, const ai_target_t *) == target) {
                return apr_psprintf(cmd->pool, "AIRoute: the target %s is named twice", argv[i]);
            }
        }
        APR_ARRAY_PUSH(rule->targets, const ai_target_t *) = target;
        rule->names = rule->names ? apr_pstrcat(cmd->pool, rule->names, " ", argv[i], NULL) : argv[i];
    }
    return NULL;
}

const route_rule_t *route_rule_find(const apr_array_header_t *rules, const char *model)
{
    int i;

    for (i = 0; rules && i < rules->nelts; i++) {
        const route_rule_t *rule = &APR_ARRAY_IDX(rules, i, route_rule_t);

        if (model ? ap_strcmp_match(model, rule->pattern) == 0
                  : strcmp(rule->pattern, "*") == 0) {
            return rule;
        }
    }
    return NULL;
}

ai_model_t *route_rule_models(apr_pool_t *p, const apr_array_header_t *rules,
                              apr_int64_t created_s, int *n)
{
    ai_model_t *models = apr_palloc(p, (apr_size_t)(rules ? rules->nelts + 1 : 1)
                                           * sizeof(*models));
    int i;

    *n = 0;
    for (i = 0; rules && i < rules->nelts; i++) {
        const route_rule_t *rule = &APR_ARRAY_IDX(rules, i, route_rule_t);

        /* A name behind a pattern that fits it is never reached, but is still served. */
        if (!rule->exact || route_rule_find(rules, rule->pattern) != rule) {
            continue;
        }
        models[*n].id = rule->pattern;
        models[*n].owner = APR_ARRAY_IDX(rule->targets, 0, const ai_target_t *)->name;
        models[*n].created_s = created_s;
        models[*n].ability = NULL;
        ++*n;
    }
    return models;
}
