/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_slot.c - what was fetched, when is it due again, and who does it?
 *
 * Two places for a text: the one in force is at generation % 2, the next one is written into the
 * other. Who reads copies, and looks whether the generation is still the same: then nobody had begun
 * to write over what he copied.
 *
 * Why fcntl locks: they are per process and end with it, whatever it died of; and they hold between
 * children of two generations, which a mutex made by each generation does not.
 *
 * Lives in: the memory of ai_segment.h.  Shared state: that, by atomics and a lock of the file
 * DefaultRuntimeDir/ai-auth-jwks.lock.  May block: no.
 */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <apr_atomic.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "ai_jwt.h"
#include "ai_segment.h"
#include "auth_jwks.h"
#include "auth_private.h"
#include "auth_slot.h"

#define LAYOUT 1
/* Slots are made by so many, so that one issuer more keeps the memory of the others. */
#define STEP 4

/* How long a set is good, where its server says nothing, and at least and at most. */
#define AGE_DEFAULT apr_time_from_sec(15 * 60)
#define AGE_LEAST apr_time_from_sec(60)
#define AGE_MOST apr_time_from_sec(24 * 3600)
/* How long it goes on when it should have been fetched again, and cannot. */
#define GRACE apr_time_from_sec(24 * 3600)
/* Between two attempts that were asked for before their time. */
#define ASK_EVERY apr_time_from_sec(60)
/* After a failure: twice as long each time, give or take a quarter. */
#define REST_FIRST_MS 1000
#define REST_MOST_MS (5 * 60 * 1000)

typedef struct text_t {
    apr_size_t n;
    char bytes[AI_JWKS_SIZE];
} text_t;

struct auth_slot_t {
    char url[AUTH_JWKS_URL + 1]; /* "": free */
    volatile apr_uint32_t generation;
    apr_uint32_t failures;           /* one after the other; of who holds the lock */
    volatile apr_uint64_t due;       /* when to fetch next; 0: now. All times as apr_time_t */
    volatile apr_uint64_t good_until;
    volatile apr_uint64_t begun;     /* the last attempt */
    volatile apr_uint64_t ended;
    volatile apr_uint64_t asked;     /* the last time that one was asked for early */
    volatile apr_uint64_t answered;  /* the last of those that an attempt came after */
    text_t texts[2];
};

static auth_slot_t *slots;
static int slots_n;
static int lock_file; /* -1: none could be made */

/* Reading changes nothing, but APR's function does not say so. */
static apr_time_t get(const volatile apr_uint64_t *time)
{
    return (apr_time_t)apr_atomic_read64((volatile apr_uint64_t *)time);
}

static void set(volatile apr_uint64_t *time, apr_time_t value)
{
    apr_atomic_set64(time, (apr_uint64_t)value);
}

/* ------------------------------------------------------------------------- the memory */

/* 1 when the slot's byte of the file is locked, or given back. */
static int lock(const auth_slot_t *slot, short type)
{
    struct flock how = { .l_type = type, .l_whence = SEEK_SET, .l_start = slot - slots, .l_len = 1 };

    return lock_file < 0 || fcntl(lock_file, F_SETLK, &how) == 0;
}

static int open_lock_file(apr_pool_t *p, server_rec *s)
{
    const char *path = ap_runtime_dir_relative(p, "ai-auth-jwks.lock");
    apr_file_t *file;
    apr_os_file_t fd;
    apr_status_t rv = apr_file_open(&file, path, APR_READ | APR_WRITE | APR_CREATE,
                                    APR_FPROT_UREAD | APR_FPROT_UWRITE, p);

    if (rv != APR_SUCCESS || apr_os_file_get(&fd, file) != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     AI_LOGNO(0224) "%s: cannot be opened; each child fetches the keys of issuers "
                     "for itself", path);
        return -1;
    }
    return fd;
}

static int is_one_of(const char *url, const char *const *urls, int n)
{
    int i;

    for (i = 0; i < n; i++) {
        if (strcmp(url, urls[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

/* A child of the old generation may still look at it: it sees another URL first. */
static void give(auth_slot_t *slot, const char *url)
{
    apr_cpystrn(slot->url, url, sizeof(slot->url));
    apr_atomic_set32(&slot->generation, 0);
    slot->failures = 0;
    set(&slot->due, 0);
    set(&slot->good_until, 0);
    set(&slot->begun, 0);
    set(&slot->ended, 0);
    set(&slot->asked, 0);
    set(&slot->answered, 0);
}

auth_slot_t *auth_slot_find(const char *url)
{
    int i;

    for (i = 0; i < slots_n && strcmp(slots[i].url, url) != 0; i++) {
    }
    return i < slots_n ? &slots[i] : NULL;
}

/* Gives those URLs a slot that have none. 0 when there are not enough. A slot that a child of the old
 * generation has in hand is passed by: it would write what it fetches into it. */
static int give_all(const char *const *urls, int n)
{
    int i, at = 0;

    for (i = 0; i < n; i++) {
        if (auth_slot_find(urls[i])) {
            continue;
        }
        while (at < slots_n && (is_one_of(slots[at].url, urls, n) || !lock(&slots[at], F_WRLCK))) {
            at++;
        }
        if (at == slots_n) {
            return 0;
        }
        give(&slots[at], urls[i]);
        lock(&slots[at], F_UNLCK);
    }
    return 1;
}

static void find_memory(apr_pool_t *p, server_rec *s)
{
    apr_size_t size = (apr_size_t)slots_n * sizeof(*slots);

    /* Without a lock two would write a text at once. */
    slots = lock_file < 0 ? NULL : ai_segment_get(s, "auth-jwks", size, LAYOUT);
    if (!slots) {
        slots = apr_pcalloc(p, size);
    }
}

void auth_slots_share(apr_pool_t *p, server_rec *s, const char *const *urls, int n)
{
    int file;

    slots_n = (n + STEP - 1) / STEP * STEP;
    file = lock_file = open_lock_file(p, s);
    find_memory(p, s);
    if (!give_all(urls, n)) {
        slots_n += STEP; /* memory of another size is new: nobody else has any of it */
        find_memory(p, s);
        lock_file = -1;
        give_all(urls, n);
        lock_file = file;
    }
}

/* ----------------------------------------------------------------------------- reading */

apr_uint32_t auth_slot_generation(const auth_slot_t *slot)
{
    return apr_atomic_read32((volatile apr_uint32_t *)&slot->generation);
}

int auth_slot_read(const auth_slot_t *slot, const char *url, apr_pool_t *p, ai_slice_t *text,
                   apr_uint32_t *generation)
{
    const text_t *from;
    char *copy;

    *generation = auth_slot_generation(slot);
    if (!*generation) {
        return 0;
    }
    from = &slot->texts[*generation % 2];
    text->n = from->n <= sizeof(from->bytes) ? from->n : 0;
    copy = apr_palloc(p, text->n + 1);
    memcpy(copy, from->bytes, text->n);
    copy[text->n] = '\0';
    text->p = copy;
    return auth_slot_generation(slot) == *generation && auth_slot_is_of(slot, url);
}

int auth_slot_is_of(const auth_slot_t *slot, const char *url)
{
    return strcmp(slot->url, url) == 0;
}

int auth_slot_is_usable(const auth_slot_t *slot, apr_time_t now)
{
    return auth_slot_generation(slot) && now < get(&slot->good_until);
}

int auth_slot_rests(const auth_slot_t *slot)
{
    return get(&slot->ended) >= get(&slot->begun) && !auth_slot_is_due(slot);
}

apr_time_t auth_slot_begun(const auth_slot_t *slot)
{
    apr_time_t begun = get(&slot->begun);

    return begun > get(&slot->ended) ? begun : apr_time_now();
}

apr_time_t auth_slot_ask(auth_slot_t *slot)
{
    apr_time_t now = apr_time_now(), last = get(&slot->asked), was;

    if (last <= now && now - last < ASK_EVERY) {
        return last;
    }
    was = (apr_time_t)apr_atomic_cas64(&slot->asked, (apr_uint64_t)now, (apr_uint64_t)last);
    return was == last ? now : was;
}

int auth_slot_has_answered(const auth_slot_t *slot, apr_time_t asked)
{
    return get(&slot->answered) == asked || get(&slot->asked) != asked;
}

/* ---------------------------------------------------------------------------- fetching */

int auth_slot_is_due(const auth_slot_t *slot)
{
    apr_time_t due = get(&slot->due), now = apr_time_now();

    /* A clock that was set back must not keep a set for ever. */
    return now >= due || due > now + AGE_MOST || get(&slot->asked) != get(&slot->answered);
}

int auth_slot_claim(auth_slot_t *slot, const char *url, apr_time_t *asked)
{
    if (!lock(slot, F_WRLCK)) {
        return 0;
    }
    if (!auth_slot_is_of(slot, url) || !auth_slot_is_due(slot)) {
        lock(slot, F_UNLCK);
        return 0;
    }
    *asked = get(&slot->asked);
    set(&slot->begun, apr_time_now());
    return 1;
}

void auth_slot_let_go(auth_slot_t *slot)
{
    set(&slot->ended, apr_time_now());
    lock(slot, F_UNLCK);
}

static apr_interval_time_t bounded(apr_int64_t max_age)
{
    apr_interval_time_t age;

    if (max_age < 0) {
        return AGE_DEFAULT;
    }
    age = max_age < apr_time_sec(AGE_MOST) ? apr_time_from_sec(max_age) : AGE_MOST;
    return age > AGE_LEAST ? age : AGE_LEAST;
}

int auth_slot_write(auth_slot_t *slot, ai_slice_t text, apr_int64_t max_age, apr_time_t asked)
{
    apr_uint32_t generation = auth_slot_generation(slot);
    const text_t *old = &slot->texts[generation % 2];
    text_t *new = &slot->texts[(generation + 1) % 2];
    apr_time_t due = apr_time_now() + bounded(max_age);
    int differs = !generation || old->n != text.n || memcmp(old->bytes, text.p, text.n) != 0;

    slot->failures = 0;
    set(&slot->due, due);
    set(&slot->good_until, due + GRACE);
    if (differs) {
        memcpy(new->bytes, text.p, text.n);
        new->n = text.n;
        generation++;
        /* 0 is none; 2 has the same place. */
        apr_atomic_set32(&slot->generation, generation ? generation : 2);
    }
    set(&slot->answered, asked);
    return differs;
}

apr_interval_time_t auth_slot_fail(auth_slot_t *slot, apr_time_t asked)
{
    apr_uint32_t rest = REST_MOST_MS;
    apr_interval_time_t wait;

    if (slot->failures < 8) {
        rest = (apr_uint32_t)REST_FIRST_MS << slot->failures;
    }
    slot->failures++;
    wait = apr_time_from_msec(ap_random_pick(rest - rest / 4, rest + rest / 4));
    set(&slot->due, apr_time_now() + wait);
    set(&slot->answered, asked);
    return wait;
}
