/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_directives.c - what may an operator say to the core?
 *
 * Lives in: the configuration pool.  Shared state: none.  May block: no.
 */

#include <apr_fnmatch.h>
#include <apr_strings.h>

#include "ai_private.h"

static const char *const half_closed_words[] = { "abort", "serve", NULL };
static const char *const lossy_words[] = { "allow", "warn", "refuse", NULL };

/* clang-format off */
static ai_field_t fields[AI_CORE_FIELDS_N] = {
    [AI_ENGINE]      = AI_FIELD_FLAG(ai_core_conf_t, engine, "Off"),
    [AI_ANONYMOUS]   = AI_FIELD_FLAG(ai_core_conf_t, anonymous, "Off"),
    [AI_BODY_LIMIT]  = AI_FIELD_SIZE(ai_core_conf_t, body_limit, "32m", 1, APR_INT64_C(1) << 30),
    [AI_BODY_MEMORY] = AI_FIELD_SIZE(ai_core_conf_t, body_memory, "256m", 1, APR_INT64_C(1) << 40),
    [AI_HEARTBEAT]   = AI_FIELD_TIME(ai_core_conf_t, heartbeat_ms, "15s", 0, AI_HOURS_MS(1)),
    [AI_HALF_CLOSED] = AI_FIELD_WORD(ai_core_conf_t, half_closed, "abort", half_closed_words),
    [AI_LOSSY]       = AI_FIELD_WORD(ai_core_conf_t, lossy, "warn", lossy_words),
    [AI_TRACE_CONTEXT] = AI_FIELD_FLAG(ai_core_conf_t, trace_context, "On"),
    [AI_EXPLAIN]     = AI_FIELD_FLAG(ai_core_conf_t, explain, "Off"),
};
/* clang-format on */

void *ai_core_conf_create(apr_pool_t *p, char *dir)
{
    (void)dir;
    return ai_conf_create(p, sizeof(ai_core_conf_t), fields, AI_CORE_FIELDS_N);
}

void *ai_core_conf_merge(apr_pool_t *p, void *base_in, void *add_in)
{
    const ai_core_conf_t *base = base_in, *add = add_in;
    ai_core_conf_t *conf = apr_pmemdup(p, add, sizeof(*conf));

    ai_conf_inherit(conf, base, fields, AI_CORE_FIELDS_N);
    if (!conf->root) {
        conf->root = base->root;
    }
    if (!conf->explain_said) {
        conf->explain_said = base->explain_said;
        conf->explain_expr = base->explain_expr;
    }
    if (base->notes) {
        /* The inner rules run last, so they win and may build on the outer ones. */
        conf->notes = add->notes ? apr_array_append(p, base->notes, add->notes) : base->notes;
    }
    return conf;
}

void *ai_core_server_create(apr_pool_t *p, server_rec *s)
{
    (void)s;
    return apr_pcalloc(p, sizeof(ai_core_server_t));
}

/* A virtual host's file of models, or of prices, stands in the place of the server's: one file, and
 * what is built in. */
void *ai_core_server_merge(apr_pool_t *p, void *base_in, void *add_in)
{
    const ai_core_server_t *base = base_in, *add = add_in;
    ai_core_server_t *own = apr_pmemdup(p, add, sizeof(*own));

    own->models = add->models ? add->models : base->models;
    own->prices = add->prices ? add->prices : base->prices;
    own->database = add->database ? add->database : base->database;
    return own;
}

const ai_core_conf_t *ai_core_conf(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &ai_module);
}

apr_int64_t ai_core_number(const request_rec *r, ai_core_field_e field)
{
    return ai_conf_number(ai_core_conf(r), &fields[field]);
}

static const char *set_engine(cmd_parms *cmd, void *conf_in, const char *arg)
{
    ai_core_conf_t *conf = conf_in;
    const char *wrong = ai_conf_set(cmd, conf, arg);
    const ap_directive_t *section = cmd->directive->parent;

    if (wrong) {
        return wrong;
    }
    if (cmd->path && section
        && (ap_cstr_casecmp(section->directive, "<LocationMatch") == 0 || section->args[0] == '~'
            || cmd->path[0] != '/' || apr_fnmatch_test(cmd->path))) {
        return "AIEngine: needs a <Location> with a plain path, since that path is the root of "
               "the API; it cannot stand in <LocationMatch>, <Location ~> or beside wildcards";
    }
    conf->root = cmd->path ? cmd->path : "";
    return NULL;
}

static const char *set_note(cmd_parms *cmd, void *conf, const char *name, const char *expr)
{
    const char *wrong = ai_conf_place(cmd);

    return wrong ? wrong : ai_notes_add_rule(cmd, conf, name, expr);
}

static const char *set_global(cmd_parms *cmd, void *conf, const char *arg)
{
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    return wrong ? wrong : ai_conf_set(cmd, conf, arg);
}

const command_rec ai_core_cmds[] = {
    AP_INIT_TAKE1("AIEngine", set_engine, &fields[AI_ENGINE], RSRC_CONF | ACCESS_CONF,
                  "On to serve the AI API below this location, or Off"),
    AP_INIT_TAKE1("AIAnonymous", ai_conf_set, &fields[AI_ANONYMOUS], RSRC_CONF | ACCESS_CONF,
                  "On to serve callers that nobody authenticated, or Off"),
    AP_INIT_TAKE1("AIBodyLimit", ai_conf_set, &fields[AI_BODY_LIMIT], RSRC_CONF | ACCESS_CONF,
                  "the longest request body in bytes, with k, m or g"),
    AP_INIT_TAKE1("AIBodyMemory", set_global, &fields[AI_BODY_MEMORY], RSRC_CONF,
                  "bytes of request bodies that one child process may hold, with k, m or g"),
    AP_INIT_TAKE1("AIHeartbeat", ai_conf_set, &fields[AI_HEARTBEAT], RSRC_CONF | ACCESS_CONF,
                  "silence after which a streamed answer gets a comment line, or Off"),
    AP_INIT_TAKE1("AIHalfClosed", ai_conf_set, &fields[AI_HALF_CLOSED], RSRC_CONF | ACCESS_CONF,
                  "abort or serve: what to do for a client that closed its sending side"),
    AP_INIT_TAKE1("AILossy", ai_conf_set, &fields[AI_LOSSY], RSRC_CONF | ACCESS_CONF,
                  "allow, warn or refuse: what to do with what another dialect cannot carry"),
    AP_INIT_TAKE1("AITraceContext", ai_conf_set, &fields[AI_TRACE_CONTEXT], RSRC_CONF | ACCESS_CONF,
                  "On to tell providers which trace a request is a part of, or Off"),
    AP_INIT_TAKE1("AIExplain", ai_explain_set, &fields[AI_EXPLAIN], RSRC_CONF | ACCESS_CONF,
                  "On, Off or expr=...: who may learn why a request went as it did"),
    AP_INIT_TAKE2("AIDatabase", ai_database_set, NULL, RSRC_CONF,
                  "sqlite3, pgsql or mysql, and the driver's params or file: and a path"),
    AP_INIT_TAKE1("AIModelFile", ai_models_conf_set, NULL, RSRC_CONF,
                  "a file of records that say what models can do, in JSON"),
    AP_INIT_TAKE1("AIPriceFile", ai_price_conf_set, NULL, RSRC_CONF,
                  "a file that says what models cost, in JSON as LiteLLM has it"),
    AP_INIT_TAKE2("AINote", set_note, NULL, RSRC_CONF | ACCESS_CONF,
                  "name of a note, and the expression that gives its value"),
    { 0 }
};
