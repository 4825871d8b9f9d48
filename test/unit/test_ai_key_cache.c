/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_key_cache.c - is what is remembered of keys right, whoever puts, forgets, dies or scribbles?
 *
 * Records carry their own check, so a reader tells a torn one. Threads and processes run against
 * each other in one mapping; processes are killed in the middle.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_atomic.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include "ai_key_cache.h"
#include "tap.h"

#define SIZE AI_KEY_CACHE_LEAST
#define SPACE 7
#define NOW apr_time_from_sec(1800000000)
#define MS(n) (NOW + apr_time_from_msec(n))

static apr_pool_t *pool;

/* ------------------------------------------------------------------------------- the tools */

/* Memory that children share, zeroed. */
static void *make_memory(apr_size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        abort();
    }
    return memory;
}

static void make_cache(ai_key_cache_t *cache)
{
    ai_key_cache_open(cache, make_memory(SIZE), SIZE);
}

static ai_slice_t id_of(apr_pool_t *p, unsigned n)
{
    return ai_slice_of(apr_psprintf(p, "id%010u", n));
}

/* A text whose every byte follows from its first word: "n:length:xxx...". */
static ai_slice_t text_of(apr_pool_t *p, unsigned n, apr_size_t length)
{
    char *text = apr_palloc(p, length + 1);
    apr_size_t i, head = (apr_size_t)snprintf(text, length, "%u:%lu:", n, (unsigned long)length);

    for (i = head; i < length; i++) {
        text[i] = (char)('a' + (n + i) % 26);
    }
    text[length] = '\0';
    return (ai_slice_t){ text, length };
}

static int is_whole(apr_pool_t *p, ai_slice_t text)
{
    char *end;
    unsigned n = (unsigned)strtoul(text.p, &end, 10);
    ai_slice_t want = text_of(p, n, text.n);

    return *end == ':' && memcmp(want.p, text.p, text.n) == 0 && text.p[text.n] == '\0';
}

static int put(const ai_key_cache_t *cache, ai_slice_t id, apr_time_t asked, ai_slice_t text)
{
    return ai_key_cache_put(cache, pool, SPACE, id, ai_key_cache_stamp(cache, id), asked, text);
}

static int put_unknown(const ai_key_cache_t *cache, ai_slice_t id, apr_time_t asked)
{
    return ai_key_cache_put_unknown(cache, pool, SPACE, id, ai_key_cache_stamp(cache, id), asked);
}

static ai_key_cache_e find(const ai_key_cache_t *cache, ai_slice_t id, ai_slice_t *text,
                           apr_time_t *asked)
{
    *text = AI_SLICE("");
    *asked = 0;
    return ai_key_cache_find(cache, pool, SPACE, id, text, asked);
}

static int has(const ai_key_cache_t *cache, ai_slice_t id, ai_slice_t want, apr_time_t when)
{
    ai_slice_t text;
    apr_time_t asked;

    return find(cache, id, &text, &asked) == AI_KEY_CACHE_KNOWN && asked == when
           && text.n == want.n && memcmp(text.p, want.p, want.n) == 0;
}

static ai_key_cache_e kind(const ai_key_cache_t *cache, ai_slice_t id)
{
    ai_slice_t text;
    apr_time_t asked;

    return find(cache, id, &text, &asked);
}

/* --------------------------------------------------------------------------------- one by one */

static void test_one(void)
{
    ai_key_cache_t cache;
    ai_slice_t id = AI_SLICE("abcdefghijkl"), other = AI_SLICE("abcdefghijkm"), text;
    apr_time_t asked;
    apr_size_t n;
    int good = 1;

    make_cache(&cache);
    ok(kind(&cache, id) == AI_KEY_CACHE_NONE, "zeroed memory remembers nothing");
    ok(put(&cache, id, MS(1), AI_SLICE("{}")), "a record goes in");
    ok(has(&cache, id, AI_SLICE("{}"), MS(1)), "and is found, with its time");
    ok(kind(&cache, other) == AI_KEY_CACHE_NONE, "another id is not");
    ok(ai_key_cache_find(&cache, pool, SPACE + 1, id, &text, &asked) == AI_KEY_CACHE_NONE,
       "nor the same id of another store");
    ok(put(&cache, id, MS(2), AI_SLICE("{ }")) && has(&cache, id, AI_SLICE("{ }"), MS(2)),
       "a newer record takes its place");
    ok(!put(&cache, id, MS(1), AI_SLICE("{}")) && has(&cache, id, AI_SLICE("{ }"), MS(2)),
       "an older one does not");
    ok(!put_unknown(&cache, id, MS(1)) && has(&cache, id, AI_SLICE("{ }"), MS(2)),
       "nor that there was none");
    ok(put(&cache, id, MS(5), AI_SLICE("{ }")) && has(&cache, id, AI_SLICE("{ }"), MS(5)),
       "the same record again: its time moves");
    ok(put_unknown(&cache, id, MS(6)) && kind(&cache, id) == AI_KEY_CACHE_UNKNOWN,
       "a key that is gone");
    ok(!put(&cache, id, MS(5), AI_SLICE("{ }")) && kind(&cache, id) == AI_KEY_CACHE_UNKNOWN,
       "does not come back with an older answer");
    ok(put(&cache, id, MS(7), AI_SLICE("{ }")) && has(&cache, id, AI_SLICE("{ }"), MS(7)),
       "but with a newer one");
    for (n = 0; n < 200; n++) {
        good &= put(&cache, id, MS(100 + n), text_of(pool, 1, 20 + n))
                && has(&cache, id, text_of(pool, 1, 20 + n), MS(100 + n));
    }
    ok(good, "records of all lengths around a word");
    ok(put(&cache, id, MS(900), text_of(pool, 2, AI_KEY_RECORD))
           && has(&cache, id, text_of(pool, 2, AI_KEY_RECORD), MS(900)), "the longest record");
    ok(!put(&cache, id, MS(901), text_of(pool, 2, AI_KEY_RECORD + 1)), "a longer one is refused");
    ok(!put(&cache, AI_SLICE("abc"), MS(1), AI_SLICE("{}"))
           && !put_unknown(&cache, AI_SLICE("abcdefghijklm"), MS(1))
           && kind(&cache, AI_SLICE("abc")) == AI_KEY_CACHE_NONE
           && kind(&cache, AI_SLICE("")) == AI_KEY_CACHE_NONE,
       "an id of another length is never there");
}

static void test_forget(void)
{
    ai_key_cache_t cache;
    ai_slice_t id = AI_SLICE("abcdefghijkl"), other = AI_SLICE("0123456789AB"), gone;
    apr_uint64_t before;

    make_cache(&cache);
    gone = AI_SLICE("zyxwvutsrqpo");
    put(&cache, id, MS(1), AI_SLICE("{}"));
    put(&cache, other, MS(1), AI_SLICE("{}"));
    put_unknown(&cache, gone, MS(1));
    before = ai_key_cache_stamp(&cache, id);
    ai_key_cache_forget(&cache, id);
    ok(kind(&cache, id) == AI_KEY_CACHE_NONE, "a key that was forgotten is not there");
    ok(kind(&cache, other) == AI_KEY_CACHE_KNOWN && kind(&cache, gone) == AI_KEY_CACHE_UNKNOWN,
       "others are");
    ok(!ai_key_cache_put(&cache, pool, SPACE, id, before, MS(99), AI_SLICE("{}"))
           && kind(&cache, id) == AI_KEY_CACHE_NONE,
       "an answer to a question from before comes too late, whatever its time");
    ok(!ai_key_cache_put_unknown(&cache, pool, SPACE, id, before, MS(99))
           && kind(&cache, id) == AI_KEY_CACHE_NONE, "also when it is that there is none");
    ok(put(&cache, id, MS(1), AI_SLICE("{ }")) && has(&cache, id, AI_SLICE("{ }"), MS(1)),
       "one to a question from after is taken");
    ai_key_cache_forget(&cache, gone);
    ok(kind(&cache, gone) == AI_KEY_CACHE_NONE, "an unknown id can be forgotten");
    before = ai_key_cache_stamp(&cache, other);
    ai_key_cache_forget_all(&cache);
    ok(kind(&cache, id) == AI_KEY_CACHE_NONE && kind(&cache, other) == AI_KEY_CACHE_NONE,
       "all can be");
    ok(!ai_key_cache_put(&cache, pool, SPACE, other, before, MS(99), AI_SLICE("{}")),
       "with the answers that are under way");
    ok(put(&cache, other, MS(2), AI_SLICE("{}")) && kind(&cache, other) == AI_KEY_CACHE_KNOWN,
       "and remembered anew");
}

/* ------------------------------------------------------------------------------------- full */

static void test_full(void)
{
    ai_key_cache_t cache;
    unsigned i, there = 0, latest = 0, kept = 0;
    apr_pool_t *p;

    make_cache(&cache);
    apr_pool_create(&p, pool);
    for (i = 0; i < 400; i++) {
        put(&cache, id_of(p, i), MS(i), text_of(p, i, 300));
    }
    for (i = 0; i < 400; i++) {
        there += (unsigned)has(&cache, id_of(p, i), text_of(p, i, 300), MS(i));
    }
    is_number(there, 400, "what fits is there");
    for (i = 1000; i < 300000; i++) {
        apr_pool_clear(p);
        ai_key_cache_put_unknown(&cache, p, SPACE, id_of(p, i),
                                 ai_key_cache_stamp(&cache, id_of(p, i)), MS(i));
    }
    for (i = there = 0; i < 400; i++) {
        there += (unsigned)has(&cache, id_of(p, i), text_of(p, i, 300), MS(i));
    }
    is_number(there, 400, "hundreds of thousands of invented ids push out no key");
    /* Three times what fits; twenty keys are confirmed all the time. */
    for (i = 2000; i < 10000; i++) {
        unsigned in_use = i % 20;

        apr_pool_clear(p);
        ai_key_cache_put(&cache, p, SPACE, id_of(p, i), ai_key_cache_stamp(&cache, id_of(p, i)),
                         MS(i), text_of(p, i, 300));
        ai_key_cache_put(&cache, p, SPACE, id_of(p, in_use),
                         ai_key_cache_stamp(&cache, id_of(p, in_use)), MS(i),
                         text_of(p, in_use, 300));
    }
    for (i = 9000; i < 10000; i++) {
        latest += (unsigned)has(&cache, id_of(p, i), text_of(p, i, 300), MS(i));
    }
    for (i = 0; i < 20; i++) {
        kept += kind(&cache, id_of(p, i)) == AI_KEY_CACHE_KNOWN;
    }
    ok(latest > 950, "a full cache has the latest: %u of 1000", latest);
    is_number(kept, 20, "and those that are confirmed again and again");
    ok(kind(&cache, id_of(p, 2000)) == AI_KEY_CACHE_NONE, "the oldest made room");
    for (i = 0; i < 300; i++) {
        apr_pool_clear(p);
        put(&cache, id_of(p, i), MS(20000 + i), text_of(p, i, AI_KEY_RECORD - i % 9));
        if (!has(&cache, id_of(p, i), text_of(p, i, AI_KEY_RECORD - i % 9), MS(20000 + i))) {
            break;
        }
    }
    is_number(i, 300, "long records, many times around the ring");
    apr_pool_destroy(p);
}

/* Whatever stands in the memory: nothing is found that was not put, and nobody leaves the memory. */
static void test_scribbled(void)
{
    ai_slice_t id = AI_SLICE("abcdefghijkl"), want = text_of(pool, 5, 300), text;
    unsigned i, seed = 17, wrong = 0, found = 0;
    unsigned char *memory = make_memory(SIZE);
    apr_pool_t *p;
    ai_key_cache_t cache;
    apr_time_t asked;
    apr_uint64_t *at;

    apr_pool_create(&p, pool);
    ai_key_cache_open(&cache, memory, SIZE);
    put(&cache, id, MS(1), want);
    at = cache.known.ring;
    for (i = 0; i < 6 + 300 / 8; i++) {
        apr_uint64_t was = at[i];

        at[i] ^= APR_UINT64_C(1) << (i % 64);
        wrong += ai_key_cache_find(&cache, p, SPACE, id, &text, &asked) != AI_KEY_CACHE_NONE;
        at[i] = was;
    }
    is_number(wrong, 0, "a record with a wrong bit is none");
    ok(has(&cache, id, want, MS(1)), "the same without it is");
    for (i = 0; i < 200000; i++) {
        seed = seed * 1103515245 + 12345;
        memory[(seed >> 4) % SIZE] = (unsigned char)(seed >> 24);
        if (i % 100 == 0) {
            apr_pool_clear(p);
            ai_key_cache_put(&cache, p, SPACE, id_of(p, i), ai_key_cache_stamp(&cache, id_of(p, i)),
                             MS(i), text_of(p, i, 20 + i % 400));
            if (ai_key_cache_find(&cache, p, SPACE, id_of(p, i), &text, &asked)
                == AI_KEY_CACHE_KNOWN) {
                found++;
                wrong += !is_whole(p, text);
            }
        }
    }
    ok(found > 100 && wrong == 0, "scribbled memory: %u found, all whole", found);
    memset(memory, 0xff, SIZE);
    ok(ai_key_cache_find(&cache, p, SPACE, id, &text, &asked) == AI_KEY_CACHE_NONE,
       "memory full of ones remembers nothing");
    apr_pool_destroy(p);
}

/* ------------------------------------------------------------------------ many at the same time */

#define IDS 64
#define FORGOTTEN 63

typedef struct crowd_t {
    ai_key_cache_t *cache;
    apr_uint32_t over, wrong, found, put;
} crowd_t;

/* What all do: puts and finds, records of many lengths under few ids. */
static void work(const ai_key_cache_t *cache, apr_pool_t *p, unsigned i, crowd_t *crowd)
{
    unsigned n = (i * 2654435761u >> 8) % (IDS - 1);
    ai_slice_t id = id_of(p, n), text;
    apr_time_t asked;
    apr_size_t length = 24 + i * 31 % 900 + (i % 97 ? 0 : 50000);

    if (i % 3 == 0) {
        apr_uint64_t stamp = ai_key_cache_stamp(cache, id);
        int done = i % 33 ? ai_key_cache_put(cache, p, SPACE, id, stamp, MS(1), text_of(p, n, length))
                          : ai_key_cache_put_unknown(cache, p, SPACE, id, stamp, MS(1));

        apr_atomic_add32(&crowd->put, (apr_uint32_t)done);
    }
    else if (ai_key_cache_find(cache, p, SPACE, id, &text, &asked) == AI_KEY_CACHE_KNOWN) {
        apr_atomic_inc32(&crowd->found);
        if (!is_whole(p, text) || strtoul(text.p, NULL, 10) != n) {
            apr_atomic_inc32(&crowd->wrong);
        }
    }
}

static void *APR_THREAD_FUNC run_worker(apr_thread_t *thread, void *data)
{
    crowd_t *crowd = data;
    apr_pool_t *p;
    unsigned i;

    (void)thread;
    apr_pool_create(&p, NULL);
    for (i = 0; !apr_atomic_read32(&crowd->over); i++) {
        apr_pool_clear(p);
        work(crowd->cache, p, i, crowd);
    }
    apr_pool_destroy(p);
    return NULL;
}

/* The store has one row, a number that only grows. Who changes it forgets the key at once. */
typedef struct row_t {
    crowd_t *crowd;
    apr_uint32_t number;
} row_t;

static void *APR_THREAD_FUNC run_asker(apr_thread_t *thread, void *data)
{
    row_t *row = data;
    const ai_key_cache_t *cache = row->crowd->cache;
    apr_pool_t *p;
    unsigned i;

    (void)thread;
    apr_pool_create(&p, NULL);
    for (i = 0; !apr_atomic_read32(&row->crowd->over); i++) {
        ai_slice_t id = id_of(p, FORGOTTEN);
        apr_uint64_t stamp = ai_key_cache_stamp(cache, id);
        unsigned number = apr_atomic_read32(&row->number);

        apr_thread_yield(); /* the answer is on its way */
        ai_key_cache_put(cache, p, SPACE, id, stamp, MS(i), text_of(p, number, 200));
        apr_pool_clear(p);
    }
    apr_pool_destroy(p);
    return NULL;
}

static void run_changer(row_t *row, unsigned times)
{
    const ai_key_cache_t *cache = row->crowd->cache;
    unsigned i, late = 0, seen = 0;
    apr_pool_t *p;

    apr_pool_create(&p, NULL);
    for (i = 1; i <= times; i++) {
        ai_slice_t id = id_of(p, FORGOTTEN), text;
        apr_time_t asked;
        unsigned tries;

        apr_atomic_set32(&row->number, i);
        ai_key_cache_forget(cache, id);
        for (tries = 0; tries < 100000; tries++) {
            apr_pool_clear(p);
            id = id_of(p, FORGOTTEN);
            if (ai_key_cache_find(cache, p, SPACE, id, &text, &asked) == AI_KEY_CACHE_KNOWN) {
                seen++;
                late += strtoul(text.p, NULL, 10) != i;
                break;
            }
            apr_thread_yield();
        }
    }
    is_number(seen, times, "a key was found again after each change");
    is_number(late, 0, "and never as it was before");
    apr_pool_destroy(p);
}

static void test_threads(void)
{
    apr_thread_t *threads[6];
    ai_key_cache_t cache;
    crowd_t crowd = { .cache = &cache };
    row_t row = { .crowd = &crowd };
    apr_status_t rv;
    int i;

    make_cache(&cache);
    for (i = 0; i < 6; i++) {
        apr_thread_create(&threads[i], NULL, i < 4 ? run_worker : run_asker,
                          i < 4 ? (void *)&crowd : (void *)&row, pool);
    }
    run_changer(&row, 500);
    apr_atomic_set32(&crowd.over, 1);
    for (i = 0; i < 6; i++) {
        apr_thread_join(&rv, threads[i]);
    }
    ok(crowd.put > 1000 && crowd.found > 1000, "threads: %u put, %u found", crowd.put, crowd.found);
    is_number(crowd.wrong, 0, "no reader saw half a record, or another one's");
}

static pid_t start_process(const ai_key_cache_t *cache, unsigned from)
{
    pid_t pid = fork();
    crowd_t crowd = { .cache = NULL };
    apr_pool_t *p;
    unsigned i;

    if (pid == 0) {
        apr_pool_create(&p, NULL);
        for (i = from;; i++) {
            apr_pool_clear(p);
            work(cache, p, i, &crowd);
            if (crowd.wrong) {
                _exit(3);
            }
        }
    }
    return pid;
}

/* Processes are killed and stopped at chance moments, hundreds of times. */
static void test_processes(void)
{
    ai_key_cache_t cache;
    crowd_t crowd = { .cache = &cache };
    pid_t pids[4];
    unsigned round, i, torn = 0;
    apr_pool_t *p;
    int status;

    make_cache(&cache);
    apr_pool_create(&p, pool);
    fflush(stdout);
    for (i = 0; i < 4; i++) {
        pids[i] = start_process(&cache, i * 1000);
    }
    for (round = 0; round < 400; round++) {
        pid_t *pid = &pids[round % 4];

        for (i = 0; i < 500; i++) {
            apr_pool_clear(p);
            work(&cache, p, round * 500 + i, &crowd);
        }
        if (round % 8 == 0) {
            kill(*pid, SIGSTOP); /* and goes on four rounds later, in the middle of something */
            continue;
        }
        if (round % 8 == 4) {
            kill(*pid, SIGCONT);
            continue;
        }
        kill(*pid, SIGKILL);
        waitpid(*pid, &status, 0);
        torn += WIFEXITED(status);
        *pid = start_process(&cache, round);
    }
    for (i = 0; i < 4; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], &status, 0);
        torn += WIFEXITED(status);
    }
    ok(crowd.found > 1000 && crowd.put > 1000, "with processes that die: %u put, %u found",
       crowd.put, crowd.found);
    ok(crowd.wrong == 0 && torn == 0, "nobody saw half a record");
    for (i = torn = 0; i < IDS; i++) {
        torn += !put(&cache, id_of(pool, i), MS(10000000), text_of(pool, i, 100))
                || !has(&cache, id_of(pool, i), text_of(pool, i, 100), MS(10000000));
    }
    is_number(torn, 0, "and all of it is as good as new");
}

/* One that was stopped in the middle of its writing, for so long that the ring has come round, and
 * that then goes on: what it writes is no record, and what it wrote over is none any more. */
static void test_sleeper(void)
{
    ai_slice_t id = AI_SLICE("abcdefghijkl"), text;
    unsigned i, whole = 0, wrong = 0;
    ai_key_cache_t cache;
    apr_time_t asked;
    apr_pool_t *p;

    make_cache(&cache);
    apr_pool_create(&p, pool);
    put(&cache, id, MS(1), text_of(pool, 1, 4000));
    for (i = 0; i < 5000; i++) {
        apr_pool_clear(p);
        ai_key_cache_put(&cache, p, SPACE, id_of(p, i % 500), 0, MS(i), text_of(p, i % 500, 300 + i % 50));
    }
    memset(cache.known.ring + 600, 'x', 3000); /* as the sleeper would */
    for (i = 0; i < 500; i++) {
        if (ai_key_cache_find(&cache, p, SPACE, id_of(p, i), &text, &asked) == AI_KEY_CACHE_KNOWN) {
            whole++;
            wrong += !is_whole(p, text);
        }
    }
    ok(whole > 400 && whole < 500 && wrong == 0, "one that wakes up late spoils a few (%u of 500 "
       "left), and nobody believes them", whole);
    apr_pool_destroy(p);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_one();
    test_forget();
    test_full();
    test_scribbled();
    test_threads();
    test_processes();
    test_sleeper();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
