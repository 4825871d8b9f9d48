/* SPDX-License-Identifier: Apache-2.0 */
/* test_ai_watched_file.c - is each change of a file seen, and nothing read that is not to be trusted? */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "ai_watched_file.h"
#include "tap.h"

static const char *dir;

static const char *put(apr_pool_t *p, const char *name, const char *text, int mode)
{
    const char *path = apr_pstrcat(p, dir, "/", name, NULL);
    FILE *file = fopen(path, "w");

    fputs(text, file);
    fclose(file);
    chmod(path, (mode_t)mode);
    return path;
}

static void refuses(apr_pool_t *p, const char *path, apr_size_t max, const char *says)
{
    ai_file_facts_t facts;
    ai_slice_t text;
    const char *wrong = NULL;
    apr_status_t rv = ai_watched_file_read(p, path, max, &facts, &text, &wrong);

    if (!ok(rv != APR_SUCCESS && wrong && strstr(wrong, says), "refused: %s", says)) {
        printf("# %s\n", wrong ? wrong : "read");
    }
}

int main(void)
{
    char name[] = "/tmp/ai-watched-XXXXXX";
    const char *path, *other, *wrong = NULL;
    ai_file_facts_t facts, now;
    ai_slice_t text = { NULL, 0 };
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    dir = mkdtemp(name);
    path = put(p, "a", "hello", 0600);
    ok(ai_watched_file_read(p, path, 5, &facts, &text, &wrong) == APR_SUCCESS && !wrong, "read");
    is_bytes(text.p, text.n, "hello", 5, "what it holds");
    ok(text.p[5] == '\0', "with a NUL behind");
    ok(ai_watched_file_look(p, path, &now) == APR_SUCCESS && ai_watched_file_is_same(&facts, &now),
       "the facts are those of what was read");
    put(p, "a", "hello!", 0600);
    ai_watched_file_look(p, path, &now);
    ok(!ai_watched_file_is_same(&facts, &now), "longer: another one");
    other = put(p, "b", "hallo", 0600);
    rename(other, path);
    ai_watched_file_look(p, path, &now);
    ok(!ai_watched_file_is_same(&facts, &now), "another file of that name: another one");
    facts = now;
    chmod(path, 0640);
    ai_watched_file_look(p, path, &now);
    ok(!ai_watched_file_is_same(&facts, &now), "another mode: another one");

    put(p, "a", "hello!", 0600);
    refuses(p, path, 5, "is longer than 5 bytes");
    chmod(path, 0602);
    refuses(p, path, 9, "can be written by everybody");
    refuses(p, dir, 9, "it is no file");
    unlink(path);
    refuses(p, path, 9, "cannot be opened");
    ok(ai_watched_file_look(p, path, &now) != APR_SUCCESS, "one that is gone has no facts");
    mkfifo(path, 0600);
    refuses(p, path, 9, "it is no file");
    unlink(path);
    rmdir(dir);
    apr_terminate();
    return done();
}
