/* SPDX-License-Identifier: Apache-2.0 */
/* route_rule.h - AIRoute: which targets may answer for a model, in which order. */
#ifndef ROUTE_RULE_H
#define ROUTE_RULE_H

#include <apr_hash.h>

#include "mod_ai.h"

typedef struct route_rule_t {
    const char *pattern;         /* of the model's name, with * and ? */
    int exact;                   /* 1 when the pattern is a plain name */
    apr_array_header_t *targets; /* of const ai_target_t * */
    const char *names;           /* theirs, with spaces between */
} route_rule_t;

/* Adds "AIRoute pattern target ..." to rules. Targets are looked up by name in inner, then in
 * outer. NULL or what is wrong. */
const char *route_rule_add(cmd_parms *cmd, apr_array_header_t *rules, int argc,
                           char *const argv[], apr_hash_t *inner, apr_hash_t *outer);

/* The first rule whose pattern fits, or NULL. A request without a model fits only "*". */
const route_rule_t *route_rule_find(const apr_array_header_t *rules, const char *model);

/* The models that the rules name in full, each once, in their order. Out: *n. In p. */
ai_model_t *route_rule_models(apr_pool_t *p, const apr_array_header_t *rules,
                              apr_int64_t created_s, int *n);

#endif
