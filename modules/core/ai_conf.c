/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_conf.c - what did the operator say, and what holds where nothing was said?
 *
 * The only file that knows how "not set" looks.
 *
 * Lives in: the configuration pool.  Shared state: none.
 * May block: on a file that a directive names.
 */

#include <apr_strings.h>

#include "ai_conf.h"
#include "ai_value.h"

#define UNSET APR_INT64_MIN

static apr_int64_t *number_at(void *conf, const ai_field_t *field)
{
    return (apr_int64_t *)((char *)conf + field->offset);
}

static const char **text_at(void *conf, const ai_field_t *field)
{
    return (const char **)((char *)conf + field->offset);
}

static const char *read_value(apr_pool_t *p, const ai_field_t *field, const char *text,
                              apr_int64_t *out)
{
    switch (field->kind) {
    case AI_FIELD_KIND_FLAG:
        return ai_value_flag(p, text, out);
    case AI_FIELD_KIND_NUMBER:
        return ai_value_number(p, text, field->min, field->max, out);
    case AI_FIELD_KIND_TIME:
        return ai_value_time(p, text, field->min, field->max, out);
    case AI_FIELD_KIND_SIZE:
        return ai_value_size(p, text, field->min, field->max, out);
    default:
        return ai_value_word(p, text, field->words, out);
    }
}

void *ai_conf_create(apr_pool_t *p, apr_size_t size, ai_field_t *fields, int n)
{
    void *conf = apr_pcalloc(p, size);
    int i;

    for (i = 0; i < n; i++) {
        if (fields[i].kind == AI_FIELD_KIND_TEXT) {
            continue;
        }
        *number_at(conf, &fields[i]) = UNSET;
        /* A default that its own reader refuses is a bug in the table; test/t/config finds it. */
        if (read_value(p, &fields[i], fields[i].text, &fields[i].number)) {
            fields[i].number = fields[i].min;
        }
    }
    return conf;
}

void ai_conf_inherit(void *conf, const void *base, const ai_field_t *fields, int n)
{
    int i;

    for (i = 0; i < n; i++) {
        if (fields[i].kind == AI_FIELD_KIND_TEXT) {
            if (!*text_at(conf, &fields[i])) {
                *text_at(conf, &fields[i]) = *text_at((void *)base, &fields[i]);
            }
        }
        else if (*number_at(conf, &fields[i]) == UNSET) {
            *number_at(conf, &fields[i]) = *number_at((void *)base, &fields[i]);
        }
    }
}

const char *ai_conf_place(cmd_parms *cmd)
{
    return ap_check_cmd_context(cmd, NOT_IN_DIRECTORY | NOT_IN_FILES | NOT_IN_LIMIT | NOT_IN_PROXY
                                         | NOT_IN_HTACCESS);
}

const char *ai_conf_set(cmd_parms *cmd, void *conf, const char *arg)
{
    const ai_field_t *field = cmd->info;
    const char *wrong = ai_conf_place(cmd);

    if (wrong) {
        return wrong;
    }
    if (field->kind == AI_FIELD_KIND_TEXT) {
        *text_at(conf, field) = arg;
        return NULL;
    }
    wrong = read_value(cmd->pool, field, arg, number_at(conf, field));
    return wrong ? apr_pstrcat(cmd->pool, cmd->cmd->name, ": ", wrong, NULL) : NULL;
}

apr_int64_t ai_conf_number(const void *conf, const ai_field_t *field)
{
    apr_int64_t number = *number_at((void *)conf, field);

    return number == UNSET ? field->number : number;
}

const char *ai_conf_file(cmd_parms *cmd, const char *arg, apr_size_t limit, ai_slice_t *text)
{
    const char *path = ap_server_root_relative(cmd->temp_pool, arg), *name = cmd->cmd->name;
    apr_size_t n = 0;
    apr_finfo_t info;
    apr_file_t *file;
    apr_status_t rv;
    char *bytes;

    rv = path ? apr_file_open(&file, path, APR_READ, APR_OS_DEFAULT, cmd->temp_pool) : APR_EBADPATH;
    if (rv != APR_SUCCESS) {
        return apr_psprintf(cmd->pool, "%s: cannot open '%s': %pm", name, arg, &rv);
    }
    rv = apr_file_info_get(&info, APR_FINFO_TYPE, file);
    if (rv == APR_SUCCESS && info.filetype != APR_REG) {
        apr_file_close(file);
        return apr_psprintf(cmd->pool, "%s: '%s' is no file", name, arg);
    }
    bytes = apr_palloc(cmd->temp_pool, limit + 1);
    rv = apr_file_read_full(file, bytes, limit + 1, &n);
    apr_file_close(file);
    if (rv != APR_EOF && rv != APR_SUCCESS) {
        return apr_psprintf(cmd->pool, "%s: cannot read '%s': %pm", name, arg, &rv);
    }
    *text = (ai_slice_t){ bytes, n };
    return NULL;
}
