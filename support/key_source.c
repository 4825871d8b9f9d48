/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_source.c - are the keys in a file or in a database? And how is a file what the commands work on?
 */
#include <stdio.h>
#include <string.h>

#include <apr_env.h>
#include <apr_hash.h>
#include <apr_strings.h>

#include "aictl.h"

const char key_source_stale[] = "it is changed by others all the time; try again";

/* -------------------------------------------------------------------------------- a file */

typedef struct file_source_t {
    key_file_t file;
    apr_hash_t *appended; /* by id */
} file_source_t;

static int place_of(const file_source_t *self, const char *id)
{
    const ai_key_t *key = ai_keys_find(self->file.keys, ai_slice_of(id));

    return key ? (int)(key - ai_keys_at(self->file.keys, 0)) : -1;
}

static const char *find(void *self_in, apr_pool_t *p, const char *id, const ai_key_t **key)
{
    file_source_t *self = self_in;

    (void)p;
    *key = ai_keys_find(self->file.keys, ai_slice_of(id));
    *key = *key ? *key : apr_hash_get(self->appended, id, APR_HASH_KEY_STRING);
    return NULL;
}

static const char *add(void *self_in, const ai_key_t *const *keys, int n, int *added)
{
    file_source_t *self = self_in;
    const ai_key_t *there;
    int i;

    *added = 0;
    for (i = 0; i < n; i++) {
        find(self, self->file.pool, keys[i]->id, &there);
        if (there) {
            continue;
        }
        if (ai_keys_count(self->file.keys) + self->file.appended->nelts >= AI_KEYS_MOST) {
            return "the file has as many keys as a file may have";
        }
        APR_ARRAY_PUSH(self->file.appended, ai_slice_t) = ai_key_write(self->file.pool, keys[i]);
        apr_hash_set(self->appended, keys[i]->id, APR_HASH_KEY_STRING, keys[i]);
        ++*added;
    }
    return NULL;
}

static const char *change(void *self_in, const ai_key_t *key)
{
    file_source_t *self = self_in;

    self->file.lines[place_of(self, key->id)] = ai_key_write(self->file.pool, key);
    return NULL;
}

static const char *drop(void *self_in, const char *id)
{
    file_source_t *self = self_in;

    self->file.lines[place_of(self, id)] = AI_SLICE("");
    return NULL;
}

static const char *save(void *self_in)
{
    file_source_t *self = self_in;

    return key_file_save(&self->file);
}

static const char *walk(void *self_in, key_visit_fn *visit, void *baton)
{
    file_source_t *self = self_in;
    const char *wrong = NULL;
    apr_pool_t *scratch;
    int i;

    apr_pool_create(&scratch, self->file.pool);
    for (i = 0; !wrong && i < ai_keys_count(self->file.keys); i++) {
        wrong = visit(baton, scratch, ai_keys_at(self->file.keys, i));
        apr_pool_clear(scratch);
    }
    return wrong;
}

/* Whoever changes a file is alone with it. */
static const char *again(void *self)
{
    (void)self;
    return NULL;
}

static const char *open_file(apr_pool_t *p, const char *path, int writes, int creates,
                             key_source_t *source)
{
    file_source_t *self = apr_pcalloc(p, sizeof(*self));
    const char *wrong = key_file_open(p, path, writes, creates, &self->file);

    self->appended = apr_hash_make(p);
    *source = (key_source_t){ self->file.path, self, find, add, change, drop, save, walk, again };
    return wrong;
}

/* ------------------------------------------------------------------------------ which one */

static const char *environment(apr_pool_t *p, const char *name)
{
    char *value = NULL;

    return apr_env_get(&value, name, p) == APR_SUCCESS && *value ? value : NULL;
}

const char *key_source_open(apr_pool_t *p, const key_options_t *options, int writes, int creates,
                            key_source_t *source)
{
    const char *file = options->file, *database = options->database;

    if (!file && !database) {
        file = environment(p, "AI_KEY_FILE");
        database = environment(p, "AI_DATABASE");
    }
    if (file && database) {
        return "both a file and a database are named; say --file or --database";
    }
    return database ? key_database_open(p, database, options->runtime, writes, source)
                    : open_file(p, file ? file : AI_KEY_FILE, writes, creates, source);
}

void source_usage(void)
{
    printf("\nKEYS:  --file PATH, or $AI_KEY_FILE; --database 'DRIVER PARAMS', or $AI_DATABASE: sqlite3, pgsql\n"
           "       or mysql, and the driver's params or file:PATH, a file that has them; else the file\n"
           "       %s\n"
           "TOLD:  the server whose DefaultRuntimeDir --runtime DIR names, or $AI_RUNTIME_DIR; else\n"
           "       %s\n", AI_KEY_FILE, AI_RUNTIME_DIR);
}
