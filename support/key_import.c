/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_import.c - how do the keys of a file get to where others are?
 *
 * What is there already and the same is left alone, so that an import may be run again.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "aictl.h"

#define CHUNK 65536

/* All of standard input: twice the room each time it is full. */
static const char *read_stdin(apr_pool_t *p, ai_slice_t *text)
{
    apr_size_t room = CHUNK, n = 0;
    char *bytes = apr_palloc(p, room), *more;
    ssize_t got = 1;

    while (got != 0 && n <= AI_KEYS_SIZE) {
        if (n == room) {
            more = apr_palloc(p, 2 * room);
            memcpy(more, bytes, n);
            bytes = more;
            room *= 2;
        }
        got = read(0, bytes + n, room - n);
        if (got < 0 && errno != EINTR) {
            return apr_psprintf(p, "standard input: cannot be read: %s", strerror(errno));
        }
        n += got > 0 ? (apr_size_t)got : 0;
    }
    *text = (ai_slice_t){ bytes, n };
    return n > AI_KEYS_SIZE
               ? apr_psprintf(p, "standard input: it is longer than %d bytes", AI_KEYS_SIZE) : NULL;
}

const char *key_import_read(apr_pool_t *p, const char *path, const ai_keys_t **keys)
{
    const char *wrong;
    key_file_t file;
    ai_slice_t text;

    if (path) {
        wrong = key_file_open(p, path, 0, 0, &file);
        *keys = wrong ? NULL : file.keys;
        return wrong;
    }
    wrong = read_stdin(p, &text);
    if (wrong) {
        return wrong;
    }
    *keys = ai_keys_read(p, text, &wrong);
    return *keys ? NULL : apr_psprintf(p, "standard input: %s", wrong);
}

/* One that may be there. */
static const char *compare(apr_pool_t *p, const key_source_t *source, const ai_key_t *key,
                           int replaces, key_import_t *done)
{
    ai_slice_t ours = ai_key_write(p, key), theirs;
    const ai_key_t *there;
    const char *wrong = source->find(source->self, p, key->id, &there);

    if (wrong || !there) {
        return wrong ? wrong : key_source_stale;
    }
    theirs = ai_key_write(p, there);
    if (ours.n == theirs.n && memcmp(ours.p, theirs.p, ours.n) == 0) {
        return NULL;
    }
    if (!replaces) {
        return apr_psprintf(p, "%s: has another key '%s'; --replace takes the new one", source->name,
                            key->id);
    }
    done->replaced++;
    return source->change(source->self, key);
}

static const char *take_batch(apr_pool_t *p, const key_source_t *source,
                              const ai_key_t *const *keys, int n, int replaces, key_import_t *done)
{
    const char *wrong;
    int i, added;

    wrong = source->add(source->self, keys, n, &added);
    done->added += added;
    for (i = 0; !wrong && added < n && i < n; i++) {
        wrong = compare(p, source, keys[i], replaces, done);
    }
    return wrong;
}

const char *key_import(apr_pool_t *p, const key_source_t *source, const ai_keys_t *keys,
                       int replaces, key_import_t *done)
{
    const ai_key_t *batch[AI_KEY_STORE_BATCH];
    const char *wrong = NULL;
    apr_pool_t *scratch;
    int i, n = 0;

    memset(done, 0, sizeof(*done));
    apr_pool_create(&scratch, p);
    for (i = 0; !wrong && i < ai_keys_count(keys); i++) {
        batch[n++] = ai_keys_at(keys, i);
        if (n == AI_KEY_STORE_BATCH || i == ai_keys_count(keys) - 1) {
            wrong = take_batch(scratch, source, batch, n, replaces, done);
            wrong = wrong && wrong != key_source_stale ? apr_pstrdup(p, wrong) : wrong;
            apr_pool_clear(scratch);
            n = 0;
        }
    }
    done->same = ai_keys_count(keys) - done->added - done->replaced;
    return wrong;
}
