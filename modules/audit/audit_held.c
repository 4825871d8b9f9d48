/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_held.c - what if the disk refuses an end, or loses it?
 *
 * The call is over, so nobody can be refused any more. Its end is held in memory, a copy, until a sync
 * has vouched for it; where the disk did not take it, or a sync failed, it is appended again. That it
 * may stand in the spool twice then does no harm: whoever stores records takes an id and a type once.
 *
 * Memory is bounded: so many ends, and so many bytes. What cannot be appended goes first.
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
    ai_buffer_t json;
    apr_size_t redeems;
    ai_spool_position_t position;
} kept_t;

struct audit_held_t {
    apr_thread_mutex_t *lock; /* of all up to count */
    kept_t fresh[MOST];       /* since the thread looked last */
    int n_fresh;
    int n;                    /* with those that the thread has */
    apr_size_t bytes;
    audit_held_count_t count;
    kept_t old[MOST];         /* the thread's own */
    int n_old;
};

audit_held_t *audit_held_make(apr_pool_t *p)
{
    audit_held_t *held = apr_pcalloc(p, sizeof(*held));

    return apr_thread_mutex_create(&held->lock, APR_THREAD_MUTEX_UNNESTED, p) == APR_SUCCESS ? held
                                                                                             : NULL;
}

/* With the lock. */
static int has_room(const audit_held_t *held, const audit_end_t *end)
{
    apr_size_t most = end->position ? BYTES_MOST - BYTES_SPARE : BYTES_MOST;

    return held->n < (end->position ? MOST * 3 / 4 : MOST) && held->bytes + end->json.n <= most;
}

int audit_held_add(audit_held_t *held, const audit_end_t *end)
{
    kept_t kept = { .id = end->id, .redeems = end->redeems, .position = end->position };
    int good = ai_buffer_append(&kept.json, end->json.p, end->json.n) == APR_SUCCESS;

    apr_thread_mutex_lock(held->lock);
    good = good && has_room(held, end);
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
    if (!good) {
        ai_buffer_free(&kept.json);
    }
    return good;
}

static void take_fresh(audit_held_t *held)
{
    apr_thread_mutex_lock(held->lock);
    memcpy(held->old + held->n_old, held->fresh, (apr_size_t)held->n_fresh * sizeof(kept_t));
    held->n_old += held->n_fresh;
    held->n_fresh = 0;
    apr_thread_mutex_unlock(held->lock);
}

static int append(const kept_t *kept, ai_spool_t *spool, ai_spool_position_t *position)
{
    ai_slice_t body = { kept->json.p, kept->json.n };
    ai_spool_record_t record = { .type = AI_SPOOL_END, .id = kept->id, .time = apr_time_now(),
                                 .body = &body, .pieces = 1, .redeems = kept->redeems };

    return ai_spool_append(spool, &record, position) == APR_SUCCESS;
}

/* One that is held: 1 when the disk has it. vain: whether one without a promise, and one with one,
 * was refused in this round; then the others of its kind need not be tried. */
static int look_at(kept_t *kept, ai_spool_t *spool, const ai_spool_state_t *state,
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
    if (!vain[promised] && append(kept, spool, &kept->position)) {
        kept->redeems = 0;
        more->waiting--;
        more->saved++;
        return 0;
    }
    vain[promised] = 1;
    kept->position = 0;
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

        if (look_at(kept, spool, &state, &more, vain)) {
            bytes += kept->json.n;
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
    apr_thread_mutex_unlock(held->lock);
    return !again || (!vain[0] && !vain[1]);
}

void audit_held_count(audit_held_t *held, audit_held_count_t *count)
{
    apr_thread_mutex_lock(held->lock);
    *count = held->count;
    apr_thread_mutex_unlock(held->lock);
}
