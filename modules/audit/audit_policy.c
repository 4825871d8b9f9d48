/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_policy.c - how much is kept of what this call asks and gets?
 *
 * The operator says it, by location and by whatever an expression can ask, as the tenant. Where he
 * allows it, the caller may have less kept, but not less than the floor, and never more.
 *
 * Lives in: the configuration pool.  Shared state: the sieve that holds where nothing is said.
 * May block: no.
 */

#include <ap_expr.h>
#include <ap_regex.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "audit_private.h"

const char *const audit_keep_words[] = { "none", "meta", "redacted", "full", NULL };

typedef struct rule_t {
    audit_keep_e keep;
    const ap_expr_info_t *expr; /* NULL: always */
} rule_t;

/* All kinds; of this configuration. */
static const ai_redact_t *all;

static audit_policy_t *policy_of(void *conf)
{
    return &((audit_conf_t *)conf)->policy;
}

/* ------------------------------------------------------------------------------ directives */

const char *audit_policy_set_body(cmd_parms *cmd, void *conf, const char *level, const char *expr)
{
    audit_policy_t *policy = policy_of(conf);
    const char *wrong = ai_conf_place(cmd);
    apr_int64_t keep;
    rule_t *rule;

    if (wrong) {
        return wrong;
    }
    wrong = ai_value_word(cmd->pool, level, audit_keep_words, &keep);
    if (wrong) {
        return apr_pstrcat(cmd->pool, "AIAuditBody: ", wrong, NULL);
    }
    if (expr && strncmp(expr, "expr=", 5) != 0) {
        return apr_psprintf(cmd->pool, "AIAuditBody: '%s' is not understood; allowed is \"expr=...\" "
                            "(with quotes where it has spaces)", expr);
    }
    if (!policy->rules) {
        policy->rules = apr_array_make(cmd->pool, 2, sizeof(rule_t));
    }
    rule = apr_array_push(policy->rules);
    *rule = (rule_t){ (audit_keep_e)keep, NULL };
    if (expr) {
        /* Not under our name: the evaluator traces values, and those may be a caller's words. */
        rule->expr = ap_expr_parse_cmd_mi(cmd, expr + 5, 0, &wrong, NULL, APLOG_NO_MODULE);
    }
    return wrong ? apr_psprintf(cmd->pool, "AIAuditBody: '%s' is no expression: %s", expr + 5, wrong)
                 : NULL;
}

static const char *kind_words(apr_pool_t *p)
{
    const char *words = ai_redact_word(0);
    int i;

    for (i = 1; ai_redact_word(i); i++) {
        words = apr_pstrcat(p, words, ", ", ai_redact_word(i), NULL);
    }
    return words;
}

const char *audit_policy_set_redact(cmd_parms *cmd, void *conf, const char *word)
{
    audit_policy_t *policy = policy_of(conf);
    const char *wrong = ai_conf_place(cmd);
    ai_redact_kinds_t kind = strcasecmp(word, "all") == 0 ? AI_REDACT_ALL : ai_redact_kind(word);

    if (wrong) {
        return wrong;
    }
    if (!kind) {
        return apr_psprintf(cmd->pool, "AIAuditRedact: '%s' is not known; allowed are all, %s", word,
                            kind_words(cmd->pool));
    }
    policy->kinds |= kind;
    policy->redact = policy->redact ? ai_redact_for(cmd->pool, policy->redact, policy->kinds)
                                    : ai_redact_make(cmd->pool, policy->kinds);
    return NULL;
}

/* The first match that is not empty. Where the search gives up, as it does on a text that takes an
 * expression too many steps, nobody knows what is in the rest: all of it is taken out. */
static int find_regex(const void *regex, ai_slice_t text, apr_size_t from, apr_size_t *at,
                      apr_size_t *n)
{
    while (from < text.n) {
        ap_regmatch_t match[1];
        int status = ap_regexec_len(regex, text.p + from, text.n - from, 1, match,
                                    from ? AP_REG_NOTBOL : 0);

        if (status == AP_REG_NOMATCH) {
            return 0;
        }
        if (status != 0 || match[0].rm_so < 0) {
            *at = from;
            *n = text.n - from;
            return 1;
        }
        *at = from + (apr_size_t)match[0].rm_so;
        *n = (apr_size_t)(match[0].rm_eo - match[0].rm_so);
        if (*n) {
            return 1;
        }
        from = *at + 1;
    }
    return 0;
}

const char *audit_policy_set_regex(cmd_parms *cmd, void *conf, const char *name, const char *pattern)
{
    audit_policy_t *policy = policy_of(conf);
    const char *wrong = ai_conf_place(cmd), *c;
    const ap_regex_t *regex;

    if (wrong) {
        return wrong;
    }
    for (c = name; apr_isalnum(*c) || *c == '-' || *c == '_'; c++) {
    }
    if (*c || c == name || c - name > AI_REDACT_OWN_WORD) {
        return apr_psprintf(cmd->pool, "AIAuditRedactRegex: '%s' is no name: 1 to %d letters, digits, "
                            "'-' and '_'", name, AI_REDACT_OWN_WORD);
    }
    regex = ap_pregcomp(cmd->pool, pattern, AP_REG_EXTENDED);
    if (!regex) {
        return apr_psprintf(cmd->pool, "AIAuditRedactRegex %s: '%s' is no regular expression", name,
                            pattern);
    }
    policy->redact = policy->redact ? policy->redact : ai_redact_make(cmd->pool, AI_REDACT_ALL);
    policy->redact = ai_redact_with(cmd->pool, policy->redact, name, find_regex, regex);
    return policy->redact ? NULL
                          : apr_psprintf(cmd->pool, "AIAuditRedactRegex: more than %d of them",
                                         AI_REDACT_OWN);
}

void audit_policy_merge(apr_pool_t *p, audit_policy_t *conf, const audit_policy_t *base,
                        const audit_policy_t *add)
{
    /* The first that holds counts: those of the inner section come first. */
    conf->rules = !add->rules    ? base->rules
                  : !base->rules ? add->rules
                                 : apr_array_append(p, add->rules, base->rules);
    conf->kinds = add->redact ? add->kinds : base->kinds;
    conf->redact = add->redact ? add->redact : base->redact;
}

void audit_policy_begin(apr_pool_t *p)
{
    all = ai_redact_make(p, AI_REDACT_ALL);
}

/* ----------------------------------------------------------------------------- a request's */

static const audit_conf_t *conf_of(const ai_request_t *air)
{
    return ap_get_module_config(air->r->per_dir_config, &ai_audit_module);
}

/* What the operator says. An expression that cannot be evaluated keeps nothing of what was said. */
static audit_keep_e operators(const ai_request_t *air, const audit_policy_t *policy)
{
    int i;

    for (i = 0; policy->rules && i < policy->rules->nelts; i++) {
        const rule_t *rule = &APR_ARRAY_IDX(policy->rules, i, rule_t);
        const char *wrong = NULL;
        int holds = rule->expr ? ap_expr_exec(air->r, rule->expr, &wrong) : 1;

        if (wrong) {
            ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, air->r,
                          AI_LOGNO(0612) "AIAuditBody %s: the expression failed, so meta holds: %s",
                          audit_keep_words[rule->keep], wrong);
            return AUDIT_KEEP_META;
        }
        if (holds > 0) {
            return rule->keep;
        }
    }
    return AUDIT_KEEP_META;
}

static int says_no(const request_rec *r, const char *header)
{
    const char *value = apr_table_get(r->headers_in, header);

    return value && (ap_cstr_casecmp(value, "false") == 0 || strcmp(value, "0") == 0);
}

/* What the caller would have kept. */
static audit_keep_e callers(const request_rec *r)
{
    return says_no(r, "cf-aig-collect-log")           ? AUDIT_KEEP_NONE
           : says_no(r, "cf-aig-collect-log-payload") ? AUDIT_KEEP_META
                                                      : AUDIT_KEEP_FULL;
}

audit_keep_e audit_policy_decide(ai_request_t *air)
{
    const audit_conf_t *conf = conf_of(air);
    audit_keep_e keep = operators(air, &conf->policy), wish, floor;

    if (!audit_callers_count(conf)) {
        return keep;
    }
    wish = callers(air->r);
    floor = audit_floor(conf);
    wish = wish < floor ? floor : wish;
    return wish < keep ? wish : keep;
}

apr_size_t audit_policy_limit(const ai_request_t *air)
{
    return audit_body_limit(conf_of(air));
}

const ai_redact_t *audit_policy_redact(const ai_request_t *air)
{
    const ai_redact_t *redact = conf_of(air)->policy.redact;

    return redact ? redact : all;
}
