/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When is a JWK set fetched, for how long is it good, and who may ask for it early? With a clock of
 * the test's own. Locks between processes: t/auth/token_fetch.t.
 */
#include <stdlib.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_time.h>

static apr_time_t the_time;

static apr_time_t clock_of_test(void)
{
    return the_time;
}

#define apr_time_now clock_of_test
#include "../../modules/auth/auth_slot.c"

#include "tap.h"

#define SECOND apr_time_from_sec(1)
#define HOUR (3600 * SECOND)

module ai_auth_module;
static apr_pool_t *pool;
static const char *folder;
static void *memory;
static apr_size_t memory_size;

/* ------------------------------------------------------------ what httpd would give */

void *ai_segment_get(server_rec *s, const char *name, apr_size_t size, apr_uint32_t layout)
{
    (void)s;
    (void)name;
    (void)layout;
    if (size != memory_size) {
        memory = apr_pcalloc(pool, size);
        memory_size = size;
    }
    return memory;
}

char *ap_runtime_dir_relative(apr_pool_t *p, const char *name)
{
    return apr_pstrcat(p, folder, "/", name, NULL);
}

apr_uint32_t ap_random_pick(apr_uint32_t least, apr_uint32_t most)
{
    return least + (most - least) / 2;
}

int (ap_get_server_module_loglevel)(const server_rec *s, int index)
{
    (void)s;
    (void)index;
    return APLOG_DEBUG;
}

void ap_log_error_(const char *file, int line, int index, int level, apr_status_t status,
                   const server_rec *s, const char *format, ...)
{
    (void)file;
    (void)line;
    (void)index;
    (void)level;
    (void)status;
    (void)s;
    (void)format;
}

/* ------------------------------------------------------------------------- the tests */

static auth_slot_t *fresh(const char *const *urls, int n)
{
    memory_size = 0;
    the_time = apr_time_from_sec(1700000000);
    auth_slots_share(pool, NULL, urls, n);
    return auth_slot_find(urls[0]);
}

static auth_slot_t *one(void)
{
    static const char *const urls[] = { "https://a/" };

    return fresh(urls, 1);
}

/* An attempt that ends well with that text. */
static int fetch(auth_slot_t *slot, const char *text, apr_int64_t max_age)
{
    apr_time_t asked;
    int differs;

    if (!auth_slot_claim(slot, slot->url, &asked)) {
        return -1;
    }
    differs = auth_slot_write(slot, ai_slice_of(text), max_age, asked);
    auth_slot_let_go(slot);
    return differs;
}

static apr_interval_time_t fail(auth_slot_t *slot)
{
    apr_time_t asked;
    apr_interval_time_t wait = -1;

    if (auth_slot_claim(slot, slot->url, &asked)) {
        wait = auth_slot_fail(slot, asked);
        auth_slot_let_go(slot);
    }
    return wait;
}

static const char *text_of(const auth_slot_t *slot)
{
    apr_uint32_t generation;
    ai_slice_t text;

    return auth_slot_read(slot, slot->url, pool, &text, &generation) ? text.p : "";
}

/* Due after so long, and good for a day more. */
static void is_good_for(apr_int64_t max_age, apr_interval_time_t want)
{
    auth_slot_t *slot = one();

    fetch(slot, "x", max_age);
    the_time += want - 1;
    ok(!auth_slot_is_due(slot), "max-age %d: not due before %d s", (int)max_age,
       (int)apr_time_sec(want));
    the_time++;
    ok(auth_slot_is_due(slot) && auth_slot_is_usable(slot, the_time), "but then, and still good");
    the_time += 24 * HOUR - 1;
    ok(auth_slot_is_usable(slot, the_time), "and for a day after that");
    the_time++;
    ok(!auth_slot_is_usable(slot, the_time), "and no longer");
}

static void test_ages(void)
{
    is_good_for(-1, 15 * 60 * SECOND);
    is_good_for(0, 60 * SECOND);
    is_good_for(59, 60 * SECOND);
    is_good_for(61, 61 * SECOND);
    is_good_for(86400, 24 * HOUR);
    is_good_for(86401, 24 * HOUR);
    is_good_for(APR_INT64_C(9999999999), 24 * HOUR);
}

static void test_texts(void)
{
    auth_slot_t *slot = one();

    ok(auth_slot_is_due(slot) && !auth_slot_is_usable(slot, the_time), "at first there is none");
    is_number(fetch(slot, "one", -1), 1, "one came");
    is_number(fetch(slot, "one", -1), -1, "another attempt is not due");
    ok(strcmp(text_of(slot), "one") == 0 && auth_slot_generation(slot) == 1, "it can be read");
    the_time += HOUR;
    is_number(fetch(slot, "one", -1), 0, "the same again is nothing new");
    is_number(auth_slot_generation(slot), 1, "and read by nobody");
    ok(!auth_slot_is_due(slot), "but good for longer");
    the_time += HOUR;
    is_number(fetch(slot, "other", -1), 1, "another one");
    ok(strcmp(text_of(slot), "other") == 0, "takes its place");
    slot->generation = 0xffffffff;
    the_time += HOUR;
    fetch(slot, "after", -1);
    ok(auth_slot_generation(slot) != 0 && strcmp(text_of(slot), "after") == 0,
       "the number of a text never gets to that of none");
}

static void test_failures(void)
{
    static const int want[] = { 1, 2, 4, 8, 16, 32, 64, 128, 300, 300 };
    auth_slot_t *slot = one();
    int i;

    for (i = 0; i < (int)(sizeof(want) / sizeof(want[0])); i++) {
        apr_interval_time_t wait = fail(slot);

        is_number(apr_time_sec(wait), want[i], "after a failure it rests");
        the_time += wait - 1;
        ok(!auth_slot_is_due(slot) && auth_slot_rests(slot), "so long");
        the_time++;
    }
    fetch(slot, "x", 60);
    the_time += 60 * SECOND;
    is_number(apr_time_sec(fail(slot)), 1, "what went well once begins anew");
    ok(auth_slot_is_usable(slot, the_time) && strcmp(text_of(slot), "x") == 0, "and keeps its text");
    fetch(slot, "x", 86400);
    the_time -= 30 * 24 * HOUR;
    ok(auth_slot_is_due(slot), "a clock that is set back keeps no set for ever");
}

static void test_asking(void)
{
    auth_slot_t *slot = one();
    apr_time_t first, asked;

    fetch(slot, "x", 86400);
    the_time += HOUR;
    first = auth_slot_ask(slot);
    ok(first == the_time && auth_slot_is_due(slot), "who asks first makes it due");
    ok(!auth_slot_has_answered(slot, first), "and has no answer yet");
    the_time += SECOND;
    ok(auth_slot_ask(slot) == first, "who asks after that has asked then, too");
    ok(auth_slot_claim(slot, slot->url, &asked) && asked == first, "an attempt takes that up");
    ok(auth_slot_begun(slot) == the_time && !auth_slot_rests(slot), "it has begun");
    auth_slot_write(slot, AI_SLICE("x"), 86400, asked);
    auth_slot_let_go(slot);
    ok(auth_slot_has_answered(slot, first) && !auth_slot_is_due(slot), "and answers it");
    the_time = first + 60 * SECOND - 1;
    ok(auth_slot_ask(slot) == first && !auth_slot_is_due(slot), "for a minute that is all");
    the_time++;
    ok(auth_slot_ask(slot) == the_time && auth_slot_is_due(slot), "then one may ask again");
    the_time += SECOND;
    fail(slot);
    ok(auth_slot_has_answered(slot, the_time - SECOND) && auth_slot_rests(slot),
       "a failure is an answer, too");
    the_time -= 24 * HOUR;
    ok(auth_slot_ask(slot) == the_time, "a clock that is set back forbids nothing");
}

static void test_begun(void)
{
    auth_slot_t *slot = one();
    apr_time_t asked, began = the_time;

    ok(auth_slot_begun(slot) == the_time, "where nothing has begun a wait begins now");
    auth_slot_claim(slot, slot->url, &asked);
    the_time += 5 * SECOND;
    ok(auth_slot_begun(slot) == began, "else when the attempt did");
    auth_slot_fail(slot, asked);
    the_time += SECOND;
    auth_slot_let_go(slot);
    ok(auth_slot_begun(slot) == the_time, "until that is over");
}

static void test_slots(void)
{
    static const char *const before[] = { "https://a/", "https://b/", "https://c/" };
    static const char *const after[] = { "https://d/", "https://c/", "https://a/", "https://e/" };
    auth_slot_t *slot = fresh(before, 3), *b = auth_slot_find("https://b/");
    apr_uint32_t generation;
    apr_time_t asked;
    ai_slice_t text;

    fetch(slot, "of a", -1);
    fetch(b, "of b", -1);
    fetch(auth_slot_find("https://c/"), "of c", -1);
    auth_slots_share(pool, NULL, after, 4);
    ok(strcmp(text_of(auth_slot_find("https://a/")), "of a") == 0
       && strcmp(text_of(auth_slot_find("https://c/")), "of c") == 0, "who was there keeps his text");
    ok(!auth_slot_find("https://b/"), "who is there no more has none");
    ok(!auth_slot_generation(auth_slot_find("https://d/"))
       && !auth_slot_generation(auth_slot_find("https://e/")), "who came has none yet");
    ok(!auth_slot_is_of(b, "https://b/")
       && !auth_slot_read(b, "https://b/", pool, &text, &generation)
       && !auth_slot_claim(b, "https://b/", &asked), "who still looks there finds it given away");
}

static void test_lockless(void)
{
    static const char *const urls[] = { "https://a/" };
    const char *there = folder;

    folder = "/nowhere";
    auth_slots_share(pool, NULL, urls, 1);
    folder = there;
    ok(auth_slot_find(urls[0]) && (void *)slots != memory,
       "where there is no lock, each child writes into memory of its own");
}

int main(void)
{
    const char *place = ".";

    apr_initialize();
    apr_pool_create(&pool, NULL);
    apr_temp_dir_get(&place, pool);
    folder = mkdtemp(apr_pstrcat(pool, place, "/ai-slot-XXXXXX", NULL));
    test_ages();
    test_texts();
    test_failures();
    test_asking();
    test_begun();
    test_slots();
    test_lockless();
    unlink(apr_pstrcat(pool, folder, "/ai-auth-jwks.lock", NULL));
    rmdir(folder);
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
