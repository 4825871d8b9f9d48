/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_translate_cut.c - is a stream translated alike however its bytes come, and never finished
 * when it was cut off?
 *
 * Every stream of data/openai and data/anthropic, told to callers of every dialect: split in two at
 * each byte the result is the same; cut off at each byte it is the beginning of the result, with an
 * error behind it in place of the end. What comes out keeps the rules of the caller's dialect.
 */
#include <stdio.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_general.h>

#include "dialects.h"
#include "tap.h"
#include "translate_flow.h"
#include "translate_wire.h"

/* make says where the data lies. */
#ifndef AI_TEST_DATA
#define AI_TEST_DATA "data"
#endif

static apr_pool_t *pool;
static int finished; /* streams that came to a good end */

static ai_slice_t load(const char *path)
{
    apr_file_t *file;
    apr_finfo_t info;
    apr_size_t n = 0;
    char *bytes;

    if (apr_file_open(&file, path, APR_READ, APR_OS_DEFAULT, pool) != APR_SUCCESS
        || apr_file_info_get(&info, APR_FINFO_SIZE, file) != APR_SUCCESS) {
        printf("Bail out! no test data: %s\n", path);
        exit(1);
    }
    bytes = apr_palloc(pool, (apr_size_t)info.size + 1);
    apr_file_read_full(file, bytes, (apr_size_t)info.size, &n);
    apr_file_close(file);
    return (ai_slice_t){ bytes, n };
}

/* Feeds the bytes up to split, and those up to n. */
static void run(apr_pool_t *p, const ai_dialect_t *provider, const ai_dialect_t *caller,
                ai_slice_t text, apr_size_t split, apr_size_t n, int broke, flow_t *flow)
{
    flow_begin(p, provider, caller, 1, flow);
    flow_feed(flow, text.p, split);
    flow_feed(flow, text.p + split, n - split);
    flow_end(flow, broke);
}

static int is_same(const flow_t *a, const flow_t *b)
{
    return a->end == b->end && a->n == b->n && (!a->n || memcmp(a->out, b->out, a->n) == 0);
}

/* What is wrong with a stream that was cut off, or NULL. whole: the same one uncut. */
static const char *judge_cut(const flow_t *cut, const flow_t *whole)
{
    const char *wrong;

    if (cut->end == FLOW_NOTHING) {
        return cut->n ? "a failure shows something" : NULL;
    }
    if (cut->end == FLOW_OPEN) {
        return "it has no end of any kind";
    }
    if (cut->end == FLOW_FINISHED && !cut->stream.done && cut->broke) {
        return "it was finished though it was cut off";
    }
    if (cut->body > whole->body || memcmp(cut->out, whole->out, cut->body) != 0) {
        return "it is not the beginning of the whole";
    }
    if (cut->end == FLOW_FINISHED && cut->stream.done && whole->end == FLOW_FINISHED
        && !is_same(cut, whole)) {
        return "it is complete, and another than the whole";
    }
    wrong = wire_check(cut->pool, (ai_slice_t){ cut->out, cut->n }, cut->end == FLOW_FINISHED);
    return wrong;
}

static void check_stream(const char *name, ai_slice_t text, const ai_dialect_t *provider,
                         const ai_dialect_t *caller)
{
    const char *wrong = NULL, *what = "";
    apr_pool_t *outer, *p;
    apr_size_t at, bad = 0;
    flow_t whole, cut;
    int broke;

    apr_pool_create(&outer, pool);
    run(outer, provider, caller, text, 0, text.n, 0, &whole);
    if (whole.n) {
        wrong = wire_check(outer, (ai_slice_t){ whole.out, whole.n },
                           whole.end == FLOW_FINISHED);
    }
    ok(!wrong && whole.end != FLOW_OPEN, "%s for %s: the rules of the dialect (%s)", name,
       caller->name, wrong ? wrong : "kept");
    finished += whole.end == FLOW_FINISHED;

    for (at = 1; at < text.n && !bad; at++) {
        apr_pool_create(&p, outer);
        run(p, provider, caller, text, at, text.n, 0, &cut);
        bad = is_same(&cut, &whole) ? 0 : at;
        apr_pool_destroy(p);
    }
    ok(!bad, "%s for %s: the same, split in two at every byte (at %d)", name, caller->name,
       (int)bad);

    for (broke = 0; broke < 2; broke++) {
        for (at = 0, bad = 0, what = "good"; at < text.n && !bad; at++) {
            apr_pool_create(&p, outer);
            run(p, provider, caller, text, 0, at, broke, &cut);
            wrong = judge_cut(&cut, &whole);
            if (wrong) {
                bad = at + 1;
                what = apr_pstrdup(pool, wrong);
            }
            apr_pool_destroy(p);
        }
        ok(!bad, "%s for %s: %s at every byte (at %d: %s)", name, caller->name,
           broke ? "connection lost" : "ended", (int)bad - 1, what);
    }
    apr_pool_destroy(outer);
}

static void check_folder(const ai_dialect_t *provider)
{
    const char *folder = apr_pstrcat(pool, AI_TEST_DATA, "/", provider->name, NULL);
    int i, streams = 0;
    apr_finfo_t info;
    apr_dir_t *dir;

    if (apr_dir_open(&dir, folder, pool) != APR_SUCCESS) {
        printf("Bail out! no folder %s\n", folder);
        exit(1);
    }
    while (apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS) {
        apr_size_t n = strlen(info.name);
        const char *name = apr_pstrcat(pool, provider->name, "/", info.name, NULL);

        if (n < 5 || strcmp(info.name + n - 4, ".sse") != 0) {
            continue;
        }
        streams++;
        for (i = 0; ai_dialects[i]; i++) {
            if (ai_dialects[i]->translator) {
                check_stream(name, load(apr_pstrcat(pool, folder, "/", info.name, NULL)),
                             provider, ai_dialects[i]);
            }
        }
    }
    apr_dir_close(dir);
    ok(streams > 10, "%s: %d streams", provider->name, streams);
}

int main(void)
{
    int i, translators = 0;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (i = 0; ai_dialects[i]; i++) {
        if (ai_dialects[i]->translator) {
            check_folder(ai_dialects[i]);
            translators++;
        }
    }
    ok(translators >= 2, "%d dialects translate", translators);
    ok(finished > 40, "%d streams came to a good end", finished);
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
