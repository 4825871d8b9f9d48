/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_directives.c - what may an operator say about what is recorded, and where?
 *
 * Lives in: the configuration pool.  Shared state: none.
 * May block: on the folder of the spool, while the configuration is read.
 */

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_lib.h>
#include <apr_network_io.h>
#include <apr_strings.h>
#include <unixd.h>

#include "ai_spool.h"
#include "audit_private.h"

/* More headers than this in one list are a slip. */
#define HEADERS_MOST 32

static const char *const full_words[] = { "refuse", "drop", NULL };

enum { SYNC, FULL, SEGMENT_SIZE, SEGMENT_AGE, SHIP, CHECKPOINT, SERVER_FIELDS_N };
enum { ON, FEEDBACK, CALLER, FLOOR, BODY_LIMIT, FIELDS_N };

/* clang-format off */
static ai_field_t server_fields[SERVER_FIELDS_N] = {
    [SYNC] = AI_FIELD_TIME(audit_server_conf_t, sync_ms, "10ms", 1, 1000),
    [FULL] = AI_FIELD_WORD(audit_server_conf_t, full, "refuse", full_words),
    [SEGMENT_SIZE] = AI_FIELD_SIZE(audit_server_conf_t, segment_size, "64m", APR_INT64_C(1) << 20, APR_INT64_C(4) << 30),
    [SEGMENT_AGE] = AI_FIELD_TIME(audit_server_conf_t, segment_age_ms, "1h", 1000, AI_DAYS_MS(1)),
    [SHIP] = AI_FIELD_FLAG(audit_server_conf_t, ship, "On"),
    [CHECKPOINT] = AI_FIELD_TIME(audit_server_conf_t, checkpoint_ms, "1min", 1000, AI_DAYS_MS(1)),
};
static ai_field_t fields[FIELDS_N] = {
    [ON] = AI_FIELD_FLAG(audit_conf_t, on, "Off"),
    [FEEDBACK] = AI_FIELD_FLAG(audit_conf_t, feedback, "Off"),
    [CALLER] = AI_FIELD_FLAG(audit_conf_t, policy.caller, "Off"),
    [FLOOR] = AI_FIELD_WORD(audit_conf_t, policy.floor, "meta", audit_keep_words),
    [BODY_LIMIT] = AI_FIELD_SIZE(audit_conf_t, policy.limit, "1m", 1024, APR_INT64_C(1) << 30),
};
/* clang-format on */

/* The first "AIAudit On" of the configuration that is being read; NULL: there is none yet. */
static const ap_directive_t *first_on;

void audit_conf_begin(void)
{
    first_on = NULL;
}

/* ----------------------------------------------------------------------------- to be asked */

audit_server_conf_t *audit_server_conf(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &ai_audit_module);
}

int audit_is_on(const audit_conf_t *conf)
{
    return (int)ai_conf_number(conf, &fields[ON]);
}

int audit_takes_feedback(const audit_conf_t *conf)
{
    return (int)ai_conf_number(conf, &fields[FEEDBACK]);
}

int audit_callers_count(const audit_conf_t *conf)
{
    return (int)ai_conf_number(conf, &fields[CALLER]);
}

audit_keep_e audit_floor(const audit_conf_t *conf)
{
    return (audit_keep_e)ai_conf_number(conf, &fields[FLOOR]);
}

apr_size_t audit_body_limit(const audit_conf_t *conf)
{
    return (apr_size_t)ai_conf_number(conf, &fields[BODY_LIMIT]);
}

apr_interval_time_t audit_sync_every(const audit_server_conf_t *conf)
{
    return apr_time_from_msec(ai_conf_number(conf, &server_fields[SYNC]));
}

audit_full_e audit_when_full(const audit_server_conf_t *conf)
{
    return (audit_full_e)ai_conf_number(conf, &server_fields[FULL]);
}

apr_off_t audit_segment_size(const audit_server_conf_t *conf)
{
    return (apr_off_t)ai_conf_number(conf, &server_fields[SEGMENT_SIZE]);
}

apr_interval_time_t audit_segment_age(const audit_server_conf_t *conf)
{
    return apr_time_from_msec(ai_conf_number(conf, &server_fields[SEGMENT_AGE]));
}

apr_interval_time_t audit_checkpoint_every(const audit_server_conf_t *conf)
{
    return apr_time_from_msec(ai_conf_number(conf, &server_fields[CHECKPOINT]));
}

int audit_is_shipped(const audit_server_conf_t *conf)
{
    return (int)ai_conf_number(conf, &server_fields[SHIP]);
}

/* ------------------------------------------------------------------------ create and merge */

/* The name of this machine, as far as a segment has room for it. */
static const char *host_name(apr_pool_t *p)
{
    char name[APRMAXHOSTLEN + 1];

    if (apr_gethostname(name, sizeof(name), p) != APR_SUCCESS || !name[0]) {
        return "localhost";
    }
    return apr_pstrndup(p, name, AI_SPOOL_NODE);
}

void *audit_server_conf_create(apr_pool_t *p, server_rec *s)
{
    audit_server_conf_t *conf =
        ai_conf_create(p, sizeof(*conf), server_fields, SERVER_FIELDS_N);

    (void)s;
    conf->node = host_name(p);
    return conf;
}

void *audit_conf_create(apr_pool_t *p, char *dir)
{
    (void)dir;
    return ai_conf_create(p, sizeof(audit_conf_t), fields, FIELDS_N);
}

void *audit_conf_merge(apr_pool_t *p, void *base_in, void *add_in)
{
    const audit_conf_t *base = base_in, *add = add_in;
    audit_conf_t *conf = apr_pmemdup(p, add, sizeof(*conf));

    conf->headers = add->headers ? add->headers : base->headers;
    audit_policy_merge(p, &conf->policy, &base->policy, &add->policy);
    ai_conf_inherit(conf, base, fields, FIELDS_N);
    return conf;
}

/* ------------------------------------------------------------------------------ the folder */

/* NULL, or why nobody should write records there. */
static const char *look_at_folder(apr_pool_t *p, const char *path)
{
    const char *above;
    struct stat is;

    if (stat(path, &is) == 0) {
        if (!S_ISDIR(is.st_mode)) {
            return "it is no folder";
        }
        if ((is.st_mode & S_IWOTH) || ((is.st_mode & S_IWGRP) && !(is.st_mode & S_ISGID))) {
            return "others than its owner may write in it; chmod go-w it, or chmod g+s it, too, to "
                   "share it with its group";
        }
        return NULL;
    }
    if (errno != ENOENT) {
        return apr_psprintf(p, "%s", strerror(errno));
    }
    above = ap_make_dirstr_parent(p, path);
    if (stat(above, &is) != 0 || !S_ISDIR(is.st_mode)) {
        return apr_psprintf(p, "there is no folder %s to make it in", above);
    }
    return NULL;
}

/* Whether the children, which are User's by then, can write there. */
static int is_theirs(const struct stat *is)
{
    uid_t uid = geteuid() == 0 ? ap_unixd_config.user_id : geteuid();

    return uid == 0 || is->st_uid == uid;
}

int audit_conf_check(apr_pool_t *p, server_rec *s)
{
    const audit_server_conf_t *conf = audit_server_conf(s);
    struct stat is;

    (void)p;
    if (first_on && !conf->folder) {
        ap_log_error(APLOG_MARK, APLOG_CRIT | APLOG_STARTUP, 0, s,
                     AI_LOGNO(0601) "AIAudit On at %s:%d: there is no AIAuditSpool; say the folder "
                     "that records are written to", first_on->filename, first_on->line_num);
        return !OK;
    }
    if (conf->folder && stat(conf->folder, &is) == 0 && !is_theirs(&is)) {
        ap_log_error(APLOG_MARK, APLOG_CRIT | APLOG_STARTUP, 0, s,
                     AI_LOGNO(0602) "AIAuditSpool %s: its owner is not User, who writes there; chown "
                     "it", conf->folder);
        return !OK;
    }
    return OK;
}

int audit_folder_make(apr_pool_t *p, server_rec *s)
{
    const char *folder = audit_server_conf(s)->folder;
    struct stat is;

    (void)p;
    if (!folder || stat(folder, &is) == 0) {
        return OK;
    }
    if (mkdir(folder, 0700) != 0
        || (geteuid() == 0
            && lchown(folder, ap_unixd_config.user_id, ap_unixd_config.group_id) != 0)) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, errno, s,
                     AI_LOGNO(0603) "AIAuditSpool %s: it cannot be made", folder);
        return !OK;
    }
    return OK;
}

/* ------------------------------------------------------------------------------ directives */

/* A setting of the server process: cmd->info is its field. */
static const char *set_server(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dir;
    return wrong ? wrong : ai_conf_set(cmd, audit_server_conf(cmd->server), arg);
}

/* 0 is no time, but says that answers wait. */
static const char *set_sync(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    if (!wrong && strcmp(arg, "0") == 0) {
        audit_server_conf(cmd->server)->sync_ms = 0;
        return NULL;
    }
    wrong = wrong ? wrong : set_server(cmd, dir, arg);
    return wrong ? apr_pstrcat(cmd->pool, wrong, ", or 0: before the end of an answer", NULL) : NULL;
}

static const char *set_spool(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    char *path = ap_server_root_relative(cmd->pool, arg);
    apr_size_t n = path ? strlen(path) : 0;

    (void)dir;
    if (wrong) {
        return wrong;
    }
    while (n > 1 && path[n - 1] == '/') {
        path[--n] = '\0';
    }
    wrong = n ? look_at_folder(cmd->temp_pool, path) : "it is no path";
    audit_server_conf(cmd->server)->folder = path;
    return wrong ? apr_psprintf(cmd->pool, "AIAuditSpool: %s: %s", n ? path : arg, wrong) : NULL;
}

static const char *set_node(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY), *c;

    (void)dir;
    if (wrong) {
        return wrong;
    }
    for (c = arg; apr_isalnum(*c) || (*c && strchr("-._:", *c)); c++) {
    }
    if (*c || c == arg || c - arg > AI_SPOOL_NODE) {
        return apr_psprintf(cmd->pool, "AIAuditNode: '%s' is no name: 1 to %d letters, digits, '-', "
                            "'.', '_' and ':'", arg, AI_SPOOL_NODE);
    }
    audit_server_conf(cmd->server)->node = arg;
    return NULL;
}

static const char *set_pipe(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dir;
    if (wrong) {
        return wrong;
    }
    if (arg[0] != '|' || !arg[1 + strspn(arg + 1, " ")]) {
        return apr_psprintf(cmd->pool, "AIAuditPipe: '%s' is no program: a '|' and its command, as "
                            "\"|/usr/bin/logger -t ai\"", arg);
    }
    audit_server_conf(cmd->server)->pipe = arg + 1;
    return NULL;
}

static const char *set_on(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *wrong = ai_conf_set(cmd, dir, arg);

    if (!wrong && !first_on && audit_is_on(dir)) {
        first_on = cmd->directive;
    }
    return wrong;
}

/* Headers by which somebody logs in, whoever made up their names. */
static int is_secret(const char *name)
{
    static const char *const words[] = { "authorization", "cookie", "api-key", "apikey", "api_key",
                                         "secret", "password", "passwd", "credential", "x-key",
                                         "access-key", "subscription-key", "functions-key", "signature",
                                         "assertion" };
    apr_size_t n = strlen(name), i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strstr(name, words[i])) {
            return 1;
        }
    }
    return (n >= 5 && strcmp(name + n - 5, "token") == 0)
           || (n >= 4 && strcmp(name + n - 4, "auth") == 0);
}

static const char *set_header(cmd_parms *cmd, void *dir, const char *arg)
{
    audit_conf_t *conf = dir;
    const char *wrong = ai_conf_place(cmd), *c;
    char *name = apr_pstrdup(cmd->pool, arg);

    if (wrong) {
        return wrong;
    }
    ap_str_tolower(name);
    for (c = name; apr_isalnum(*c) || (*c && strchr("!#$%&'*+-.^_`|~", *c)); c++) {
    }
    if (*c || c == name || c - name > 64) {
        return apr_psprintf(cmd->pool, "AIAuditHeader: '%s' is no name of a header of at most 64 "
                            "characters", arg);
    }
    if (is_secret(name)) {
        return apr_psprintf(cmd->pool, "AIAuditHeader: '%s' may hold a secret, which has no place in "
                            "a record", arg);
    }
    if (!conf->headers) {
        conf->headers = apr_array_make(cmd->pool, 4, sizeof(const char *));
    }
    if (conf->headers->nelts == HEADERS_MOST) {
        return apr_psprintf(cmd->pool, "AIAuditHeader: more than %d headers", HEADERS_MOST);
    }
    APR_ARRAY_PUSH(conf->headers, const char *) = name;
    return NULL;
}

const command_rec audit_cmds[] = {
    AP_INIT_TAKE1("AIAudit", set_on, &fields[ON], RSRC_CONF | ACCESS_CONF,
                  "On: each request is recorded in AIAuditSpool"),
    AP_INIT_ITERATE("AIAuditHeader", set_header, NULL, RSRC_CONF | ACCESS_CONF,
                    "headers of requests that are recorded"),
    AP_INIT_TAKE12("AIAuditBody", audit_policy_set_body, NULL, RSRC_CONF | ACCESS_CONF,
                   "none, meta, redacted or full: what is kept of prompts and answers, and \"expr=...\""),
    AP_INIT_TAKE1("AIAuditCaller", ai_conf_set, &fields[CALLER], RSRC_CONF | ACCESS_CONF,
                  "On: a caller's headers may have less kept"),
    AP_INIT_TAKE1("AIAuditFloor", ai_conf_set, &fields[FLOOR], RSRC_CONF | ACCESS_CONF,
                  "none, meta, redacted or full: what a caller cannot go below"),
    AP_INIT_TAKE1("AIAuditBodyLimit", ai_conf_set, &fields[BODY_LIMIT], RSRC_CONF | ACCESS_CONF,
                  "bytes that are kept of each prompt and of each answer, with k, m or g"),
    AP_INIT_ITERATE("AIAuditRedact", audit_policy_set_redact, NULL, RSRC_CONF | ACCESS_CONF,
                    "all, or what is taken out of texts that are kept redacted"),
    AP_INIT_TAKE2("AIAuditRedactRegex", audit_policy_set_regex, NULL, RSRC_CONF | ACCESS_CONF,
                  "a name, and a regular expression for what is taken out, too"),
    AP_INIT_TAKE1("AIAuditFeedback", ai_conf_set, &fields[FEEDBACK], RSRC_CONF | ACCESS_CONF,
                  "On: callers may say of a call what they think of its answer"),
    AP_INIT_TAKE1("AIAuditSpool", set_spool, NULL, RSRC_CONF,
                  "the folder that records are written to"),
    AP_INIT_TAKE1("AIAuditSync", set_sync, &server_fields[SYNC], RSRC_CONF,
                  "how often records are brought onto the disk, or 0: before an answer's end"),
    AP_INIT_TAKE1("AIAuditFull", set_server, &server_fields[FULL], RSRC_CONF,
                  "refuse or drop: what becomes of a call that cannot be recorded"),
    AP_INIT_TAKE1("AIAuditNode", set_node, NULL, RSRC_CONF,
                  "the name of this node in its records"),
    AP_INIT_TAKE1("AIAuditSegmentSize", set_server, &server_fields[SEGMENT_SIZE], RSRC_CONF,
                  "bytes after which another file of records is begun, with k, m or g"),
    AP_INIT_TAKE1("AIAuditSegmentAge", set_server, &server_fields[SEGMENT_AGE], RSRC_CONF,
                  "time after which another file of records is begun"),
    AP_INIT_TAKE1("AIAuditShip", set_server, &server_fields[SHIP], RSRC_CONF,
                  "On: records go into AIDatabase; Off: aictl audit ship brings them there"),
    AP_INIT_TAKE1("AIAuditSigningKey", audit_set_signing_key, NULL, RSRC_CONF,
                  "the file of the private key that signs checkpoints"),
    AP_INIT_TAKE1("AIAuditCheckpoint", set_server, &server_fields[CHECKPOINT], RSRC_CONF,
                  "how often a checkpoint is written, where something is new"),
    AP_INIT_TAKE123("AIAuditRetain", audit_set_retain, NULL, RSRC_CONF,
                    "a span, bodies or records, tenant=NAME: what is taken out when it is older"),
    AP_INIT_TAKE1("AIAuditPipe", set_pipe, NULL, RSRC_CONF,
                  "a program that gets each record as a line of JSON: \"|PROGRAM ARGUMENTS\""),
    { 0 }
};
