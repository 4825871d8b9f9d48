/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_store.c - how long does it take to find a key in a database?
 *
 * The program bench-store: reads the ids of a key file that was imported there, and finds keys by
 * chance among them. Prints microseconds, by the clock: half of the look-ups took less.
 *
 * Exit code 0: measured, 1: a key is not there, 2: it could not run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "ai_key_store.h"

#define MOST_TIMES 1000000
#define BEFORE_ID "{\"id\":\""

static const char usage_text[] = "usage: bench-store SECONDS DRIVER PARAMS KEYFILE\n";

static void end(int code, const char *why)
{
    fprintf(stderr, "bench-store: %s\n%s", why, code == 2 ? usage_text : "");
    exit(code);
}

/* The ids of a file whose records begin with them, one behind the other. */
static char *read_ids(const char *path, size_t *n)
{
    FILE *file = fopen(path, "r");
    char *ids = malloc((size_t)AI_KEYS_MOST * AI_KEY_ID), *line = NULL;
    size_t room = 0;

    if (file == NULL || ids == NULL) {
        end(2, "cannot read the key file");
    }
    for (*n = 0; *n < AI_KEYS_MOST && getline(&line, &room, file) > 0; (*n)++) {
        if (strncmp(line, BEFORE_ID, strlen(BEFORE_ID)) != 0) {
            end(2, "a record does not begin with its id");
        }
        memcpy(ids + *n * AI_KEY_ID, line + strlen(BEFORE_ID), AI_KEY_ID);
    }
    free(line);
    fclose(file);
    return ids;
}

static int compare(const void *a, const void *b)
{
    apr_interval_time_t x = *(const apr_interval_time_t *)a, y = *(const apr_interval_time_t *)b;

    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    apr_interval_time_t *took = calloc(MOST_TIMES, sizeof(*took));
    apr_pool_t *pool, *scratch;
    const char *wrong = NULL;
    ai_key_store_t *store;
    apr_time_t until, began;
    ai_key_row_t row;
    char *ids, *rest;
    size_t n, at, times = 0;

    double seconds = argc == 5 ? strtod(argv[1], &rest) : -1;
    if (!(seconds > 0 && seconds <= 600) || *rest != '\0' || took == NULL) {
        end(2, "how many seconds, and where?");
    }
    apr_initialize();
    apr_pool_create(&pool, NULL);
    apr_pool_create(&scratch, pool);
    ids = read_ids(argv[4], &n);
    if (n == 0) {
        end(2, "the key file has no keys");
    }
    store = ai_key_store_open(pool, &(ai_db_conf_t){ argv[2], argv[3] });
    until = apr_time_now() + (apr_interval_time_t)(seconds * 1e6);
    srandom(1);
    for (; times < MOST_TIMES && apr_time_now() < until; times++) {
        at = (size_t)random() % n;
        began = apr_time_now();
        if (ai_key_store_find(store, scratch, (ai_slice_t){ ids + at * AI_KEY_ID, AI_KEY_ID }, &row,
                              &wrong) != AI_KEY_STORE_FOUND) {
            end(1, wrong ? wrong : "a key is not there");
        }
        took[times] = apr_time_now() - began;
        apr_pool_clear(scratch);
    }
    if (times < 10) {
        end(2, "too little time");
    }
    qsort(took, times, sizeof(*took), compare);
    printf("%ld\n", (long)took[times / 2]);
    apr_terminate();
    free(ids);
    free(took);
    return 0;
}
