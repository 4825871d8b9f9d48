/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_key.c - what does a key cost that the gateway has seen before?
 *
 * The program bench-key: puts many keys of a database into a cache, and then does for one of them
 * what a request does, over and over: find, read, digest, judge. Prints microseconds for one time.
 *
 * Exit code 0: measured, 1: a key is not good, 2: it could not run.
 */
#include <stdio.h>
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "ai_key_cache.h"
#include "bench_timer.h"

#define SIZE (16 * 1024 * 1024)
#define KEYS 20000
#define SPACE 1
#define NOW apr_time_from_sec(1800000000)

static const char usage_text[] = "usage: bench-key SECONDS\n";

typedef struct job_t {
    ai_key_cache_t cache;
    const char *texts[KEYS];
    apr_sockaddr_t *from;
    int next;
    apr_pool_t *pool; /* of one time */
} job_t;

static void end(int code, const char *why)
{
    fprintf(stderr, "bench-key: %s\n%s", why, code == 2 ? usage_text : "");
    exit(code);
}

static void work(void *baton)
{
    job_t *job = baton;
    ai_slice_t text = ai_slice_of(job->texts[job->next]), id, record;
    unsigned char digest[AI_KEY_DIGEST];
    const ai_key_t *key = NULL;
    const char *wrong = "it is not in the cache";
    apr_time_t asked;

    job->next = (job->next + 1) % KEYS;
    if (ai_key_look(text, &id) == AI_KEY_WELL
        && ai_key_cache_find(&job->cache, job->pool, SPACE, id, &record, &asked)
               == AI_KEY_CACHE_KNOWN) {
        key = ai_key_read(job->pool, record, &wrong);
    }
    if (!key) {
        end(1, wrong);
    }
    ai_key_digest(text, digest);
    if (ai_key_judge(key, digest, NOW, job->from) != AI_KEY_GOOD) {
        end(1, "the key is not good");
    }
    apr_pool_clear(job->pool);
}

/* A record as aictl makes it for a person: a few members, no more. */
static void add_key(apr_pool_t *p, job_t *job, int i)
{
    char text[AI_KEY_LENGTH + 1];
    apr_array_header_t *models = apr_array_make(p, 2, sizeof(const char *));
    ai_key_t key = { .name = apr_psprintf(p, "laptop %d", i), .tenant = "acme/search/ann",
                     .user = "ann@acme.example", .tier = "gold", .models = models,
                     .created = NOW - apr_time_from_sec(86400), .expires = NOW + apr_time_from_sec(86400) };
    ai_slice_t id, record;

    APR_ARRAY_PUSH(models, const char *) = "gpt-*";
    APR_ARRAY_PUSH(models, const char *) = "claude-*";
    if (ai_key_make(text) != APR_SUCCESS || ai_key_look(ai_slice_of(text), &id) != AI_KEY_WELL) {
        end(2, "no key can be made");
    }
    key.id = apr_pstrmemdup(p, id.p, id.n);
    ai_key_digest(ai_slice_of(text), key.digest);
    job->texts[i] = apr_pstrdup(p, text);
    record = ai_key_write(p, &key);
    if (!ai_key_cache_put(&job->cache, p, SPACE, id, ai_key_cache_stamp(&job->cache, id), NOW,
                          record)) {
        end(2, "a record does not go into the cache");
    }
}

int main(int argc, char **argv)
{
    char *rest = NULL;
    apr_pool_t *pool;
    job_t *job;
    int i;

    double seconds = argc == 2 ? strtod(argv[1], &rest) : -1;
    if (!(seconds >= 0 && seconds <= 600) || rest == argv[1] || *rest != '\0') {
        end(2, "how many seconds?");
    }
    apr_initialize();
    apr_pool_create(&pool, NULL);
    job = apr_pcalloc(pool, sizeof(*job));
    apr_pool_create(&job->pool, pool);
    ai_key_cache_open(&job->cache, apr_pcalloc(pool, SIZE), SIZE);
    apr_sockaddr_info_get(&job->from, "192.0.2.7", APR_INET, 0, 0, pool);
    for (i = 0; i < KEYS; i++) {
        add_key(pool, job, i);
    }
    printf("%.3f\n", bench_measure(work, job, seconds) / 1e3);
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
