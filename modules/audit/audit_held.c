/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_held.c - what if the disk refuses an end, or loses it?
 *
 * The call is over, so nobody can be refused any more. Its end is held in memory, a copy, until a sync
 * has vouched for it; where the disk did not take it, or a sync failed, it is appended again. That it
 * may stand in the spool twice then does no harm: whoever stores records takes an id and a type once.
 *
 * Memory is bounded: so many ends, and so many bytes. What cannot be appended goes first. New ends lie
 * side by side in one piece of memory, which costs their requests next to nothing; the thread gives
 * those a piece of their own that the disk does not have by the next sync.
 *
 * Lives in: the child's pool, the system's memory.  Shared state: what is new and the counts, by a
 * lock.  May block: audit_held_look(), on the disk.
 */

#include <apr_thread_mutex.h>

#include "ai_buffer.h"
#include "audit_held.h"

enum { MOST = 2048 };
#define BYTES_MOST ((apr_size_t)4 << 20)
/* Ends that are in the spool already leave so much to those that are not. */
#define BYTES_SPARE ((apr_size_t)1 << 20)

typedef struct kept_t {
    ai_uuid_t id;
    ai_buffer_t json; /* its own; or none, and it lies in heap */
    apr_size_t at;    /* there */
    apr_size_t n;     /* bytes */
    apr_size_t redeems;
    ai_spool_position_t position;
} kept_t;

struct audit_held_t {
    apr_thread_mutex_t *lock; /* of all up to count */
    kept_t fresh[MOST];       /* since the thread looked last */
    int n_fresh;
    ai_buffer_t heap;         /* their bytes */
    int n;                    /* with those that the thread has */
    apr_size_t bytes;
    audit_held_count_t count;
    kept_t old[MOST];         /* the thread's own */
    int n_old;
    ai_buffer_t old_heap;     /* bytes of those that it has just taken */
};

static apr_status_t give_back(void *data)
{
    audit_held_t *held = data;
    int i;

    for (i = 0; i < held->n_old; i++) {
        ai_buffer_free(&held->old[i].json);
    }
    ai_buffer_free(&held->heap);
    ai_buffer_free(&held->old_heap);
    return APR_SUCCESS;
}

audit_held_t *audit_held_make(apr_pool_t *p)
{
    audit_held_t *held = apr_pcalloc(p, sizeof(*held));

    if (apr_thread_mutex_create(&held->lock, APR_THREAD_MUTEX_UNNESTED, p) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_cleanup_register(p, held, give_back, apr_pool_cleanup_null);
    return held;
}

/* With the lock. */
static int has_room(const audit_held_t *held, const audit_end_t *end)
{
    apr_size_t most = end->position ? BYTES_MOST - BYTES_SPARE : BYTES_MOST;

    return held->n < (end->position ? MOST * 3 / 4 : MOST) && held->bytes + end->json.n <= most;
}

int audit_held_add(audit_held_t *held, const audit_end_t *end)
{
    kept_t kept = { .id = end->id, .n = end->json.n, .redeems = end->redeems,
                    .position = end->position };
    int good;

    apr_thread_mutex_lock(held->lock);
    kept.at = held->heap.n;
    good = has_room(held, end)
           && ai_buffer_append(&held->heap, end->json.p, end->json.n) == APR_SUCCESS;
    if (good) {
        held->fresh[held->n_fresh++] = kept;
        held->n++;
        held->bytes += end->json.n;
        held->count.waiting += !end->position;
    }
    else {
        held->count.dropped += !end->position;
    }
    apr_thread_mutex_unlock(held->lock);
    return good;
}

/* The heap that the thread is done with serves those to come. */
static void take_fresh(audit_held_t *held)
{
    ai_buffer_t done = held->old_heap;

    done.n = 0;
    apr_thread_mutex_lock(held->lock);
    memcpy(held->old + held->n_old, held->fresh, (apr_size_t)held->n_fresh * sizeof(kept_t));
    held->n_old += held->n_fresh;
    held->n_fresh = 0;
    held->old_heap = held->heap;
    held->heap = done;
    apr_thread_mutex_unlock(held->lock);
}

static ai_slice_t json_of(const audit_held_t *held, const kept_t *kept)
{
    return (ai_slice_t){ kept->json.p ? kept->json.p : held->old_heap.p + kept->at, kept->n };
}

static int append(ai_slice_t body, const kept_t *kept, ai_spool_t *spool,
                  ai_spool_position_t *position)
{
    ai_spool_record_t record = { .type = AI_SPOOL_END, .id = kept->id, .time = apr_time_now(),
                                 .body = &body, .pieces = 1, .redeems = kept->redeems };

    return ai_spool_append(spool, &record, position) == APR_SUCCESS;
}

/* One that is held: 1 when the disk has it. vain: whether one without a promise, and one with one,
 * was refused in this round; then the others of its kind need not be tried. */
static int look_at(kept_t *kept, ai_slice_t json, ai_spool_t *spool, const ai_spool_state_t *state,
                   audit_held_count_t *more, int vain[2])
{
    int promised = kept->redeems != 0;

    if (kept->position > state->settled) {
        return 0; /* it came after the sync */
    }
    if (kept->position && ai_spool_wait(spool, kept->position) == APR_SUCCESS) {
        return 1;
    }
    more->waiting += kept->position != 0;
    kept->position = 0;
    if (!vain[promised] && append(json, kept, spool, &kept->position)) {
        kept->redeems = 0;
        more->waiting--;
        more->saved++;
        return 0;
    }
    vain[promised] = 1;
    kept->position = 0;
    return 0;
}

/* It stays: gives it memory of its own. 0: there is none, so it relies on the disk, or is lost. */
static int move_out(kept_t *kept, ai_slice_t json, audit_held_count_t *more)
{
    if (ai_buffer_reserve(&kept->json, json.n) == APR_SUCCESS) {
        ai_buffer_add(&kept->json, json.p, json.n);
        return 1;
    }
    more->dropped += !kept->position;
    more->waiting -= !kept->position;
    return 0;
}

int audit_held_look(audit_held_t *held, ai_spool_t *spool, int again)
{
    audit_held_count_t more = { 0, 0, 0 };
    apr_size_t bytes = 0;
    ai_spool_state_t state;
    int i, n = 0, gone, vain[2] = { !again, !again };

    /* The state first: who is added later is not settled yet, as far as it says. */
    ai_spool_look(spool, &state);
    take_fresh(held);
    for (i = 0; i < held->n_old; i++) {
        kept_t *kept = &held->old[i];
        ai_slice_t json = json_of(held, kept);

        if (look_at(kept, json, spool, &state, &more, vain)
            || (!kept->json.p && !move_out(kept, json, &more))) {
            bytes += kept->n;
            ai_buffer_free(&kept->json);
        }
        else {
            held->old[n++] = *kept;
        }
    }
    gone = held->n_old - n;
    held->n_old = n;
    apr_thread_mutex_lock(held->lock);
    held->n -= gone;
    held->bytes -= bytes;
    held->count.saved += more.saved;
    held->count.waiting += more.waiting;
    held->count.dropped += more.dropped;
    apr_thread_mutex_unlock(held->lock);
    return !again || (!vain[0] && !vain[1]);
}

void audit_held_count(audit_held_t *held, audit_held_count_t *count)
{
    apr_thread_mutex_lock(held->lock);
    *count = held->count;
    apr_thread_mutex_unlock(held->lock);
}
