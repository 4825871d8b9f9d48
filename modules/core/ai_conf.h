/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_conf.h - a setting is one row of a table: create, set, range check, merge and default follow.
 *
 * A module describes its per-directory configuration by a table of fields. Numbers, times
 * (milliseconds), sizes (bytes), flags and words are apr_int64_t members, texts const char *.
 * "Not set" has one representation, known only here, so a child that says the default wins over
 * its parent. The default is text, read by the directive's own reader and quoted by the docs.
 *
 * Compiled into every module (hidden), so that no module needs another at load time.
 * Only for the thread that reads the configuration, but for the two getters.
 */
#ifndef AI_CONF_H
#define AI_CONF_H

#include <stddef.h>

#include <httpd.h>
#include <http_config.h>

#include "ai_slice.h"

typedef enum ai_field_kind_e {
    AI_FIELD_KIND_FLAG,
    AI_FIELD_KIND_NUMBER,
    AI_FIELD_KIND_TIME,
    AI_FIELD_KIND_SIZE,
    AI_FIELD_KIND_WORD,
    AI_FIELD_KIND_TEXT
} ai_field_kind_e;

typedef struct ai_field_t {
    ai_field_kind_e kind;
    apr_size_t offset;
    const char *text; /* the default as one would write it; NULL: none (texts only) */
    apr_int64_t min;
    apr_int64_t max;
    const char *const *words;
    apr_int64_t number; /* the default, read by ai_conf_create() */
} ai_field_t;

#define AI_FIELD_FLAG(type, member, dflt) \
    { AI_FIELD_KIND_FLAG, offsetof(type, member), dflt, 0, 1, NULL, 0 }
#define AI_FIELD_NUMBER(type, member, dflt, min, max) \
    { AI_FIELD_KIND_NUMBER, offsetof(type, member), dflt, min, max, NULL, 0 }
#define AI_FIELD_TIME(type, member, dflt, min_ms, max_ms) \
    { AI_FIELD_KIND_TIME, offsetof(type, member), dflt, min_ms, max_ms, NULL, 0 }
#define AI_FIELD_SIZE(type, member, dflt, min, max) \
    { AI_FIELD_KIND_SIZE, offsetof(type, member), dflt, min, max, NULL, 0 }
#define AI_FIELD_WORD(type, member, dflt, list) \
    { AI_FIELD_KIND_WORD, offsetof(type, member), dflt, 0, 0, list, 0 }
#define AI_FIELD_TEXT(type, member, dflt) \
    { AI_FIELD_KIND_TEXT, offsetof(type, member), dflt, 0, 0, NULL, 0 }

#define AI_MINUTES_MS(n) (APR_INT64_C(60000) * (n))
#define AI_HOURS_MS(n) (APR_INT64_C(3600000) * (n))
#define AI_DAYS_MS(n) (APR_INT64_C(86400000) * (n))

/* A structure of size bytes, zeroed, its fields not set; reads the defaults of the table. */
void *ai_conf_create(apr_pool_t *p, apr_size_t size, ai_field_t *fields, int n);

/* Puts the fields of base into those of conf that are not set. */
void ai_conf_inherit(void *conf, const void *base, const ai_field_t *fields, int n);

/* The setter of a directive with one argument; cmd->info is its ai_field_t. Refuses sections
 * that do not apply to AI locations (<Directory>, <Files>, <If>, <Limit>, .htaccess). */
const char *ai_conf_set(cmd_parms *cmd, void *conf, const char *arg);

/* NULL, or why a directive of ours may not stand where it does (see ai_conf_set). */
const char *ai_conf_place(cmd_parms *cmd);

/*
 * All of a regular file that a directive names, relative to ServerRoot. Out: *text, in the temporary
 * pool: of a longer file limit + 1 bytes, for whoever reads it to complain. NULL, or what is wrong.
 */
const char *ai_conf_file(cmd_parms *cmd, const char *arg, apr_size_t limit, ai_slice_t *text);

/* The value, or the default. */
apr_int64_t ai_conf_number(const void *conf, const ai_field_t *field);

#endif
