/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_uuid.c - are they of RFC 9562's form, in order, and never twice?
 */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include "ai_uuid.h"
#include "tap.h"

enum { THREADS = 4, EACH = 5000 };

static apr_pool_t *pool;
static ai_uuid_source_t *source;

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

static void test_form(void)
{
    apr_time_t now = APR_INT64_C(1645557742000) * 1000 + 999;
    char text[AI_UUID_TEXT + 1];
    unsigned char ones[16], zeros[16];
    ai_uuid_t uuid;
    int i, k;

    memset(ones, 0xff, sizeof(ones));
    memset(zeros, 0, sizeof(zeros));
    is_number(ai_uuid_make(source, now, &uuid), APR_SUCCESS, "one is made");
    ai_uuid_text(&uuid, text);
    /* The time of the example in RFC 9562, A.6. */
    ok(strncmp(text, "017f22e2-79b0-7", 15) == 0, "time and version stand where they should: %s",
       text);
    ok(strchr("89ab", text[19]) != NULL && text[19], "so does the variant");
    is_number(ai_uuid_time(&uuid), now / 1000 * 1000, "its time can be read");
    for (i = 0; i < 2000; i++) {
        now += 1000;
        ai_uuid_make(source, now, &uuid);
        for (k = 0; k < 16; k++) {
            ones[k] &= uuid.bytes[k];
            zeros[k] |= uuid.bytes[k];
        }
    }
    ok(ones[6] == 0x70 && zeros[6] == 0x7f && ones[8] == 0x80 && zeros[8] == 0xbf,
       "beside version and variant every bit is either");
    for (i = 0, k = 9; k < 16; k++) {
        i += ones[k] == 0 && zeros[k] == 0xff;
    }
    is_number(i + (ones[7] == 0 && zeros[7] == 0xff), 8, "so is every other random bit");
}

static void test_order(void)
{
    apr_time_t now = apr_time_from_sec(1800000000);
    ai_uuid_t before, uuid;
    int i, wrong = 0;

    ai_uuid_make(source, now, &before);
    for (i = 0; i < 20000; i++) {
        /* The same, later, and back again. */
        now += i % 3 == 0 ? 500 : i % 7 == 0 ? -3000 : 0;
        ai_uuid_make(source, now, &uuid);
        wrong += memcmp(uuid.bytes, before.bytes, 16) <= 0;
        before = uuid;
    }
    is_number(wrong, 0, "each is greater than the one before, whatever the clock does");
}

static void *APR_THREAD_FUNC make_many(apr_thread_t *thread, void *baton)
{
    ai_uuid_t *to = baton;
    int i;

    for (i = 0; i < EACH; i++) {
        ai_uuid_make(source, apr_time_from_sec(1900000000), &to[i]);
    }
    (void)thread;
    return NULL;
}

static void test_threads(void)
{
    ai_uuid_t *all = apr_palloc(pool, sizeof(*all) * THREADS * EACH);
    apr_thread_t *threads[THREADS];
    apr_status_t rv;
    int i, twice = 0, unordered = 0;

    for (i = 0; i < THREADS; i++) {
        apr_thread_create(&threads[i], NULL, make_many, all + i * EACH, pool);
    }
    for (i = 0; i < THREADS; i++) {
        apr_thread_join(&rv, threads[i]);
    }
    for (i = 1; i < THREADS * EACH; i++) {
        unordered += i % EACH && compare(&all[i - 1], &all[i]) >= 0;
    }
    qsort(all, THREADS * EACH, sizeof(*all), compare);
    for (i = 1; i < THREADS * EACH; i++) {
        twice += compare(&all[i - 1], &all[i]) == 0;
    }
    is_number(twice, 0, "threads in one millisecond: none twice");
    is_number(unordered, 0, "and each thread's are in order");
}

/* A child has its parent's memory, but must not go on where that is. */
static void test_fork(void)
{
    apr_time_t now = apr_time_from_sec(2000000000);
    ai_uuid_t mine, its, before;
    int ends[2], status;
    pid_t pid;

    ai_uuid_make(source, now, &before);
    ok(pipe(ends) == 0, "a pipe");
    pid = fork();
    if (pid == 0) {
        ai_uuid_make(source, now, &its);
        _exit(write(ends[1], &its, sizeof(its)) != sizeof(its));
    }
    ok(read(ends[0], &its, sizeof(its)) == sizeof(its), "the child made one");
    waitpid(pid, &status, 0);
    ai_uuid_make(source, now, &mine);
    /* Steps are shorter than 2^32; what is above changes only by a new beginning. */
    ok(memcmp(mine.bytes, its.bytes, 11) != 0 && memcmp(mine.bytes + 6, before.bytes + 6, 5) == 0,
       "the parent goes on, and the child has begun anew");
    close(ends[0]);
    close(ends[1]);
}

static void reads(const char *text, int want, const char *what)
{
    ai_uuid_t uuid;

    is_number(ai_uuid_read(ai_slice_of(text), &uuid), want, what);
}

static void test_text(void)
{
    char text[AI_UUID_TEXT + 1];
    ai_uuid_t uuid, again;

    ai_uuid_make(source, apr_time_from_sec(2100000000), &uuid);
    ai_uuid_text(&uuid, text);
    ok(ai_uuid_read(ai_slice_of(text), &again) && compare(&uuid, &again) == 0, "read as written");
    ok(ai_uuid_read(AI_SLICE("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), &again)
           && again.bytes[0] == 0x01 && again.bytes[1] == 0x7f && again.bytes[15] == 0x8f,
       "capital letters are read");
    reads("017f22e2-79b0-7cc3-98c4-dc0c0c07398", 0, "too short");
    reads("017f22e2-79b0-7cc3-98c4-dc0c0c07398f0", 0, "too long");
    reads("017f22e279b0-7cc3-98c4-dc0c0c07398f00", 0, "a hyphen in another place");
    reads("017f22e2-79b0-7cc3-98c4+dc0c0c07398f", 0, "another sign");
    reads("017f22e2-79b0-7cc3-98c4-dc0c0c07398g", 0, "no digit");
    reads("017f22e2-79b0-7cc3-98c4-dc0c0c0739 f", 0, "a space");
    reads("", 0, "nothing");
    reads(NULL, 0, "absent");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    ok(ai_uuid_source_create(pool, &source) == APR_SUCCESS, "there is a source");
    test_form();
    test_order();
    test_threads();
    test_fork();
    test_text();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
