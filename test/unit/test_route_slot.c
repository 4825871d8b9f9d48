/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_route_slot.c - which key is next, and is what is learned of one learned of no other?
 *
 * The file itself is included: it needs APR alone. Readers and a writer in threads stand for the
 * processes that share the memory.
 */
#include <stdio.h>
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include "route_slot.c"

#include "tap.h"

#define NOW APR_INT64_C(1767225600000000)
#define SECOND APR_USEC_PER_SEC

static void put(route_slot_t *slot, const char *key, apr_time_t expires)
{
    ai_credential_t credential = { ai_slice_of(key), expires };

    route_slot_put(slot, &credential);
}

static route_slot_t *make(apr_pool_t *p, int n)
{
    route_slot_t *slots = apr_pcalloc(p, sizeof(*slots) * (apr_size_t)n);
    int i;

    for (i = 0; i < n; i++) {
        put(&slots[i], apr_psprintf(p, "sk-%d", i), 0);
    }
    return slots;
}

static void test_weights(apr_pool_t *p)
{
    static const int weights[] = { 1, 3, 6 };
    route_slot_t *slots = make(p, 3);
    int seen[3] = { 0 }, longest = 0, run = 0, last = -1, i;

    for (i = 0; i < 10000; i++) {
        int k = route_slot_pick(slots, weights, 3, 0, NOW);

        seen[k]++;
        run = k == last ? run + 1 : 1;
        longest = run > longest ? run : longest;
        last = k;
    }
    ok(abs(seen[0] - 1000) < 10 && abs(seen[1] - 3000) < 10 && abs(seen[2] - 6000) < 10,
       "as often as the weights say: %d %d %d", seen[0], seen[1], seen[2]);
    ok(longest <= 4, "mixed: at most %d of one in a row", longest);
    for (i = 0; i < 100; i++) {
        seen[0] = route_slot_pick(slots, weights, 3, 6, NOW);
        if (seen[0] != 0) {
            break;
        }
    }
    is_number(i, 100, "only those that were not tried");
    is_number(route_slot_pick(slots, weights, 3, 7, NOW), -1, "none when all were");
    is_number(route_slot_pick(make(p, 1), weights, 1, 0, NOW), 0, "the only one");
    is_number(route_slot_pick(apr_pcalloc(p, sizeof(*slots)), weights, 1, 0, NOW), -1,
              "none without a text");
    slots->turn = 0xfffffffe;
    for (i = 0; i < 5; i++) {
        last = route_slot_pick(slots, weights, 3, 0, NOW);
        ok(last >= 0 && last < 3, "the count may run over");
    }
}

static void test_states(apr_pool_t *p)
{
    static const int weights[] = { 1, 1 };
    route_slot_t *slots = make(p, 2);
    const char *text;
    apr_uint32_t serial = route_slot_read(&slots[0], p, NOW, &text);

    ok(serial && strcmp(text, "sk-0") == 0, "its text");
    is_number(route_slot_set_aside(&slots[0], serial, NOW + 600 * SECOND, NOW), 1, "set aside");
    is_number(route_slot_set_aside(&slots[0], serial, NOW + 600 * SECOND, NOW), 0, "once");
    is_number((int)slots[0].asides, 1, "and counted once");
    is_number(route_slot_pick(slots, weights, 2, 0, NOW), 1, "the other is taken");
    is_number(route_slot_pick(slots, weights, 2, 0, NOW), 1, "always");
    is_number(route_slot_pick(slots, weights, 1, 0, NOW), -1, "none when there is no other");
    is_number(route_slot_pick(slots, weights, 1, 0, NOW + 601 * SECOND), 0, "until its time is over");
    is_number(route_slot_set_aside(&slots[0], serial, NOW + 1200 * SECOND, NOW + 601 * SECOND), 1,
              "and then again");
    put(&slots[0], "sk-0", NOW + 9000 * SECOND);
    is_number(route_slot_pick(slots, weights, 1, 0, NOW + 602 * SECOND), -1,
              "the same key with another end is set aside as before");
    put(&slots[0], "sk-new", 0);
    is_number(route_slot_pick(slots, weights, 1, 0, NOW + 602 * SECOND), 0, "another key is not");
    is_number(route_slot_set_aside(&slots[0], serial, NOW + 9999 * SECOND, NOW), 0,
              "what is said late of the old one does not touch it");
    put(&slots[0], "sk-new", NOW + 5000 * SECOND);
    is_number(route_slot_pick(slots, weights, 1, 0, NOW), 0, "nor when its end changes later");
    is_number((int)slots[0].changes, 1, "one change of key was counted");

    put(&slots[1], "sk-1", NOW + 10 * SECOND);
    is_number(route_slot_good(slots, 2, 0, NOW), 2, "two are good");
    is_number(route_slot_good(slots, 2, 0, NOW + 10 * SECOND), 1, "one when the other has expired");
    is_number(route_slot_read(&slots[1], p, NOW + 10 * SECOND, &text), 0, "which has no text any more");
}

static void test_rest(apr_pool_t *p)
{
    static const int weights[] = { 1, 1, 1 };
    route_slot_t *slots = make(p, 3);
    int i;

    route_slot_rest(&slots[0], slots[0].serial, NOW + 9 * SECOND, NOW);
    for (i = 0; i < 50 && route_slot_pick(slots, weights, 3, 0, NOW) != 0; i++) {
    }
    is_number(i, 50, "who rests is not taken while there are others");
    is_number(route_slot_fresh(slots, 3, 0, NOW), 2, "two do not rest");
    is_number(route_slot_good(slots, 3, 0, NOW), 3, "all are good");
    route_slot_rest(&slots[1], slots[1].serial, NOW + 5 * SECOND, NOW);
    route_slot_rest(&slots[2], slots[2].serial, NOW + 7 * SECOND, NOW);
    is_number(route_slot_pick(slots, weights, 3, 0, NOW), 1, "of those that rest the one that is due first");
    is_number(route_slot_pick(slots, weights, 3, 2, NOW), 2, "then the next");
    route_slot_rest(&slots[1], slots[1].serial, NOW + 1 * SECOND, NOW);
    is_number(route_slot_rests_until(&slots[1], NOW), NOW + 5 * SECOND, "a rest is not made shorter");
    is_number(route_slot_pick(slots, weights, 3, 0, NOW + 6 * SECOND), 1, "and ends");
}

static void test_lease(apr_pool_t *p)
{
    route_slot_t *slots = make(p, 1), copy;
    const char *text;

    is_number(route_slot_lease(slots, NOW + 5 * SECOND, NOW), 1, "a lease");
    is_number(route_slot_lease(slots, NOW + 6 * SECOND, NOW), 0, "is for one");
    is_number(route_slot_lease(slots, NOW + 9 * SECOND, NOW + 5 * SECOND), 1, "runs out");
    route_slot_release(slots);
    is_number(route_slot_lease(slots, NOW + 6 * SECOND, NOW), 1, "and can be given back");
    slots->uses = 7;
    route_slot_set_aside(slots, slots->serial, NOW + 60 * SECOND, NOW);
    memset(&copy, 0, sizeof(copy));
    route_slot_copy(&copy, slots);
    ok(copy.uses == 7 && route_slot_aside_until(&copy, NOW) == NOW + 60 * SECOND
       && route_slot_read(&copy, p, NOW, &text) && strcmp(text, "sk-0") == 0,
       "a copy knows what its original knew");
    is_number(route_slot_lease(&copy, NOW + 6 * SECOND, NOW), 1, "and nobody works on it");
    slots->serial = 0xffffffff;
    put(slots, "sk-over", 0);
    ok(route_slot_read(slots, p, NOW, &text) && strcmp(text, "sk-over") == 0, "serials may run over");
    put(slots, "sk-next", 0);
    ok(route_slot_read(slots, p, NOW, &text) && strcmp(text, "sk-next") == 0, "and go on");
}

/* A key of one letter, as long as that letter says: a torn one shows. */
static volatile int stop;

typedef struct reader_t {
    route_slot_t *slot;
    apr_size_t n, torn;
} reader_t;

static void *APR_THREAD_FUNC read_on(apr_thread_t *thread, void *data)
{
    reader_t *reader = data;
    apr_pool_t *p;

    (void)thread;
    apr_pool_create_unmanaged_ex(&p, NULL, NULL);
    while (!stop) {
        const char *text;

        if (route_slot_read(reader->slot, p, NOW, &text)) {
            apr_size_t want = (apr_size_t)(text[0] - 'a' + 1) * 100;

            reader->torn += strlen(text) != want
                            || strspn(text, (char[]){ text[0], '\0' }) != want;
            reader->n++;
        }
        apr_pool_clear(p);
    }
    apr_pool_destroy(p);
    return NULL;
}

static void test_threads(apr_pool_t *p)
{
    route_slot_t *slot = make(p, 1);
    apr_thread_t *threads[3];
    reader_t readers[3];
    apr_status_t rv;
    char key[2601];
    int i;

    memset(key, 'a', 100);
    key[100] = '\0';
    put(slot, key, 0);
    for (i = 0; i < 3; i++) {
        readers[i] = (reader_t){ slot, 0, 0 };
        apr_thread_create(&threads[i], NULL, read_on, &readers[i], p);
    }
    for (i = 0; i < 200000; i++) {
        int letter = i % 26;

        memset(key, 'a' + letter, (apr_size_t)(letter + 1) * 100);
        key[(letter + 1) * 100] = '\0';
        put(slot, key, 0);
    }
    stop = 1;
    for (i = 0; i < 3; i++) {
        apr_thread_join(&rv, threads[i]);
        ok(readers[i].n > 0 && !readers[i].torn, "reader %d: %lu texts, none torn", i,
           (unsigned long)readers[i].n);
    }
}

static void time_pick(apr_pool_t *p)
{
    static const int weights[] = { 1, 2, 3, 4 };
    route_slot_t *slots = make(p, 4);
    apr_time_t began = apr_time_now(), ns;
    apr_pool_t *sub;
    const char *text;
    int i, sum = 0;

    apr_pool_create(&sub, p);
    for (i = 0; i < 1000000; i++) {
        int k = route_slot_pick(slots, weights, 4, 0, NOW);

        sum += (int)route_slot_read(&slots[k], sub, NOW, &text);
        if (i % 1000 == 0) {
            apr_pool_clear(sub);
        }
    }
    ns = (apr_time_now() - began) / 1000;
    ok(sum > 0, "a key of four is picked and copied in %d ns", (int)ns);
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    test_weights(p);
    test_states(p);
    test_rest(p);
    test_lease(p);
    test_threads(p);
    time_pick(p);
    apr_terminate();
    return done();
}
