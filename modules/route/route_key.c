/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_key.c - where do the keys of a target come from?
 *
 * Files and variables are read here, by the user that starts httpd; so a file may be one that only
 * root can read. A program is only looked at: it runs later, as User (route_custody.c).
 *
 * Lives in: the configuration pool.  Shared state: none.  May block: reading key files.
 */

#include <stdlib.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>

#include "ai_program.h"
#include "ai_value.h"
#include "route_key.h"
#include "route_private.h"
#include "route_setting.h"

#define NAME_MAX_LEN 31
#define LIMIT_DEFAULT_MS 10000

/* FNV-1a, of texts one behind the other. */
static apr_uint64_t hash(apr_uint64_t sum, const char *text)
{
    do {
        sum = (sum ^ (unsigned char)*text) * APR_UINT64_C(1099511628211);
    } while (*text++);
    return sum;
}

/* ----------------------------------------------------------------------------- options */

static const char *read_name(cmd_parms *cmd, route_key_t *key, const char *value)
{
    const char *c;

    for (c = value; *c && (apr_isalnum(*c) || strchr("-._", *c)); c++) {
    }
    if (!*value || *c || c - value > NAME_MAX_LEN) {
        return apr_psprintf(cmd->pool, "%s: name= takes a word of at most %d letters, digits, '-', "
                            "'.' and '_'", cmd->cmd->name, NAME_MAX_LEN);
    }
    key->name = value;
    return NULL;
}

/* What is said behind the source. What is no option may be a key, and is not shown. */
static const char *read_option(cmd_parms *cmd, route_key_t *key, const char *option)
{
    int runs = key->source == ROUTE_SOURCE_EXEC;
    const char *wrong;

    if (strncmp(option, "name=", 5) == 0) {
        return read_name(cmd, key, option + 5);
    }
    if (strncmp(option, "weight=", 7) == 0) {
        wrong = ai_value_number(cmd->pool, option + 7, 1, ROUTE_WEIGHT_MAX, &key->weight);
        return wrong ? apr_pstrcat(cmd->pool, cmd->cmd->name, ": weight=: ", wrong, NULL) : NULL;
    }
    if (runs && strncmp(option, "every=", 6) == 0) {
        wrong = ai_value_time(cmd->pool, option + 6, 1000, AI_DAYS_MS(1), &key->every_ms);
        return wrong ? apr_pstrcat(cmd->pool, cmd->cmd->name, ": every=: ", wrong, NULL) : NULL;
    }
    if (runs && strncmp(option, "timeout=", 8) == 0) {
        wrong = ai_value_time(cmd->pool, option + 8, 1000, AI_MINUTES_MS(5), &key->limit_ms);
        return wrong ? apr_pstrcat(cmd->pool, cmd->cmd->name, ": timeout=: ", wrong, NULL) : NULL;
    }
    return apr_psprintf(cmd->pool, "%s: a word behind the %s is no option; allowed are %sweight=N "
                        "(1 to %d) and name=WORD", cmd->cmd->name,
                        runs ? "program (which stands in quotes, with its arguments)"
                        : key->source == ROUTE_SOURCE_FILE ? "path" : "name",
                        runs ? "every=SPAN, timeout=SPAN, " : "", ROUTE_WEIGHT_MAX);
}

/* A key in the making: its place and its options are checked. */
static const char *begin(cmd_parms *cmd, route_target_t *target, route_source_e source, int argc,
                         char *const argv[], route_key_t **out)
{
    const char *wrong = route_setting_outside(cmd);
    route_key_t *key = apr_pcalloc(cmd->pool, sizeof(*key));
    int i;

    if (wrong) {
        return wrong;
    }
    if (!argc || !*argv[0]) {
        return apr_psprintf(cmd->pool, "%s: needs %s", cmd->cmd->name,
                            source == ROUTE_SOURCE_FILE  ? "the path of a file"
                            : source == ROUTE_SOURCE_ENV ? "the name of an environment variable"
                                                         : "a program and its arguments in quotes");
    }
    key->target = target;
    key->source = source;
    key->weight = 1;
    key->limit_ms = LIMIT_DEFAULT_MS;
    key->name = apr_itoa(cmd->pool, target->keys->nelts + 1);
    for (i = 1; i < argc; i++) {
        wrong = read_option(cmd, key, argv[i]);
        if (wrong) {
            return wrong;
        }
    }
    *out = key;
    return NULL;
}

/* Adds it to its target. path: what the source is. */
static const char *add(cmd_parms *cmd, route_target_t *target, route_key_t *key)
{
    static const char *const kinds[] = { "file", "env", "exec" };
    int i;

    key->id = hash(APR_UINT64_C(14695981039346656037), target->target.name);
    key->id = hash(hash(key->id, kinds[key->source]), key->path);
    for (i = 1; key->argv && key->argv[i]; i++) {
        key->id = hash(key->id, key->argv[i]);
    }
    for (i = 0; i < target->keys->nelts; i++) {
        const route_key_t *other = APR_ARRAY_IDX(target->keys, i, const route_key_t *);

        if (other->id == key->id) {
            return apr_psprintf(cmd->pool, "%s: the target has this key already",
                                cmd->cmd->name);
        }
        if (strcmp(other->name, key->name) == 0) {
            return apr_psprintf(cmd->pool, "%s: the target has a key of the name %s already; "
                                "name=WORD gives another", cmd->cmd->name, key->name);
        }
    }
    if (target->keys->nelts == ROUTE_KEYS_MAX) {
        return apr_psprintf(cmd->pool, "%s: a target has at most %d keys", cmd->cmd->name,
                            ROUTE_KEYS_MAX);
    }
    APR_ARRAY_PUSH(target->keys, route_key_t *) = key;
    return NULL;
}

/* ----------------------------------------------------------------------------- sources */

const char *route_key_file(cmd_parms *cmd, void *conf, int argc, char *const argv[])
{
    route_target_t *target = conf;
    route_key_t *key = NULL;
    const char *wrong = begin(cmd, target, ROUTE_SOURCE_FILE, argc, argv, &key);
    ai_slice_t text = { "", 0 };

    if (wrong) {
        return wrong;
    }
    key->path = ap_server_root_relative(cmd->pool, argv[0]);
    if (!key->path) {
        return apr_psprintf(cmd->pool, "AITargetKeyFile: '%s' is no path", argv[0]);
    }
    if (ai_watched_file_read(cmd->pool, key->path, AI_CREDENTIAL_TEXT, &key->facts, &text, &wrong)
            == APR_SUCCESS) {
        wrong = ai_credential_read(cmd->pool, text, apr_time_now(), &key->credential);
    }
    if (wrong) {
        return apr_psprintf(cmd->pool, "AITargetKeyFile: '%s' %s", argv[0], wrong);
    }
    if (key->facts.protection & APR_FPROT_WREAD) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, cmd->server,
                     AI_LOGNO(0501) "AITargetKeyFile %s can be read by everybody on this machine",
                     key->path);
    }
    return add(cmd, target, key);
}

const char *route_key_env(cmd_parms *cmd, void *conf, int argc, char *const argv[])
{
    route_target_t *target = conf;
    route_key_t *key = NULL;
    const char *wrong = begin(cmd, target, ROUTE_SOURCE_ENV, argc, argv, &key);
    const char *value;

    if (wrong) {
        return wrong;
    }
    key->path = argv[0];
    value = getenv(argv[0]);
    if (!value) {
        /* The name is not shown: the key itself in its place is a common slip. */
        return "AITargetKeyEnv: there is no environment variable of that name";
    }
    wrong = ai_credential_read(cmd->pool, ai_slice_of(value), apr_time_now(), &key->credential);
    return wrong ? apr_psprintf(cmd->pool, "AITargetKeyEnv: the variable %s", wrong)
                 : add(cmd, target, key);
}

const char *route_key_exec(cmd_parms *cmd, void *conf, int argc, char *const argv[])
{
    route_target_t *target = conf;
    route_key_t *key = NULL;
    const char *wrong = begin(cmd, target, ROUTE_SOURCE_EXEC, argc, argv, &key);
    char **words;

    if (wrong) {
        return wrong;
    }
    if (apr_tokenize_to_argv(argv[0], &words, cmd->pool) != APR_SUCCESS || !words[0]) {
        return "AITargetKeyExec: needs a program and its arguments in quotes";
    }
    key->path = words[0];
    key->argv = (const char *const *)words;
    wrong = ai_program_check(cmd->pool, key->path);
    return wrong ? apr_psprintf(cmd->pool, "AITargetKeyExec: the program '%s' %s", key->path, wrong)
                 : add(cmd, target, key);
}
