/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_slot.c - the keys of targets as all children see them: which are good, which is next?
 *
 * There are two places for the text of a key. A new one is written where the one in force is not,
 * and then the serial number moves: who reads meanwhile has the old one whole. Only the change
 * after that writes over it, which a reader notices by the serial.
 *
 * The order in which keys are taken needs no state but a count: multiples of the golden ratio,
 * taken modulo 1, fall evenly into every part of the interval, in whatever order.
 *
 * Lives in: shared memory.  Shared state: all of it, by atomics.  May block: no.
 */

#include <stdatomic.h>
#include <string.h>

#include <apr_atomic.h>

#include "route_slot.h"

#define GOLDEN 2654435769U /* 2^32 over the golden ratio */

/* A moment of a serial in one word: 24 bits of the serial, 40 of hundredths of a second. */
#define MOMENT_BITS 40
#define MOMENT_MASK ((APR_UINT64_C(1) << MOMENT_BITS) - 1)
#define MOMENT_US 10000

static apr_uint64_t pack(apr_uint32_t serial, apr_time_t when)
{
    return ((apr_uint64_t)serial << MOMENT_BITS)
           | (((apr_uint64_t)when + MOMENT_US - 1) / MOMENT_US & MOMENT_MASK);
}

/* When a word's moment is, if it is one of that serial and still to come; else 0. */
static apr_time_t unpack(apr_uint64_t word, apr_uint32_t serial, apr_time_t now)
{
    apr_time_t when = (apr_time_t)(word & MOMENT_MASK) * MOMENT_US;

    return word >> MOMENT_BITS == ((apr_uint64_t)serial & 0xffffff) && when > now ? when : 0;
}

static apr_uint32_t serial_of(const route_slot_t *slot)
{
    apr_uint32_t serial = slot->serial;

    atomic_thread_fence(memory_order_acquire);
    return serial;
}

apr_time_t route_slot_aside_until(const route_slot_t *slot, apr_time_t now)
{
    return unpack(slot->aside, slot->serial, now);
}

apr_time_t route_slot_rests_until(const route_slot_t *slot, apr_time_t now)
{
    return unpack(slot->rest, slot->serial, now);
}

apr_time_t route_slot_expires(const route_slot_t *slot)
{
    apr_uint32_t serial = serial_of(slot);

    return serial ? slot->text[serial & 1].expires : 0;
}

static int is_good(const route_slot_t *slot, apr_time_t now)
{
    apr_time_t expires = route_slot_expires(slot);

    return slot->serial && (!expires || now < expires) && !route_slot_aside_until(slot, now);
}

/* ------------------------------------------------------------------------------- picking */

static int pick_resting(const route_slot_t *slots, int n, apr_uint32_t tried, apr_time_t now)
{
    apr_time_t first = 0;
    int i, best = -1;

    for (i = 0; i < n; i++) {
        if (!(tried >> i & 1) && is_good(&slots[i], now)) {
            apr_time_t until = route_slot_rests_until(&slots[i], now);

            if (best < 0 || until < first) {
                best = i;
                first = until;
            }
        }
    }
    return best;
}

int route_slot_pick(route_slot_t *slots, const int *weights, int n, apr_uint32_t tried,
                    apr_time_t now)
{
    apr_uint32_t fresh = 0, total = 0, at;
    int i;

    for (i = 0; i < n; i++) {
        if (!(tried >> i & 1) && is_good(&slots[i], now)
            && !route_slot_rests_until(&slots[i], now)) {
            fresh |= 1U << i;
            total += (apr_uint32_t)weights[i];
        }
    }
    if (!fresh) {
        return pick_resting(slots, n, tried, now);
    }
    at = n == 1 ? 0 : apr_atomic_inc32(&slots[0].turn) * GOLDEN;
    at = (apr_uint32_t)((apr_uint64_t)at * total >> 32);
    for (i = 0; i < n; i++) {
        if (fresh >> i & 1) {
            if (at < (apr_uint32_t)weights[i]) {
                break;
            }
            at -= (apr_uint32_t)weights[i];
        }
    }
    return i;
}

int route_slot_good(const route_slot_t *slots, int n, apr_uint32_t tried, apr_time_t now)
{
    int i, good = 0;

    for (i = 0; i < n; i++) {
        good += !(tried >> i & 1) && is_good(&slots[i], now);
    }
    return good;
}

int route_slot_fresh(const route_slot_t *slots, int n, apr_uint32_t tried, apr_time_t now)
{
    int i, fresh = 0;

    for (i = 0; i < n; i++) {
        fresh += !(tried >> i & 1) && is_good(&slots[i], now)
                 && !route_slot_rests_until(&slots[i], now);
    }
    return fresh;
}

apr_uint32_t route_slot_read(const route_slot_t *slot, apr_pool_t *p, apr_time_t now,
                             const char **text)
{
    char *copy = NULL;
    apr_uint32_t serial, n, size = 0;
    int i;

    for (i = 0; i < 100; i++) { /* no source changes that often while we copy */
        const route_text_t *from;

        serial = serial_of(slot);
        from = &slot->text[serial & 1];
        n = from->n;
        if (!serial || (from->expires && now >= from->expires)) {
            return 0;
        }
        if (n > AI_CREDENTIAL_KEY) {
            continue;
        }
        if (!copy || n > size) {
            copy = apr_palloc(p, (apr_size_t)n + 1);
            size = n;
        }
        memcpy(copy, from->bytes, n);
        copy[n] = '\0';
        atomic_thread_fence(memory_order_acquire);
        if (slot->serial == serial) {
            *text = copy;
            return serial;
        }
    }
    return 0;
}

/* ------------------------------------------------------------------------------ learning */

int route_slot_set_aside(route_slot_t *slot, apr_uint32_t serial, apr_time_t until, apr_time_t now)
{
    apr_uint64_t there = slot->aside;

    if (slot->serial != serial || unpack(there, serial, now)
        || apr_atomic_cas64(&slot->aside, pack(serial, until), there) != there) {
        return 0;
    }
    apr_atomic_inc64(&slot->asides);
    return 1;
}

void route_slot_rest(route_slot_t *slot, apr_uint32_t serial, apr_time_t until, apr_time_t now)
{
    apr_uint64_t there = slot->rest;

    if (slot->serial == serial && unpack(there, serial, now) < until) {
        apr_atomic_cas64(&slot->rest, pack(serial, until), there); /* else somebody just did */
    }
}

/* ------------------------------------------------------------------------------- sources */

int route_slot_lease(route_slot_t *slot, apr_time_t until, apr_time_t now)
{
    apr_uint64_t there = slot->lease;

    return there <= (apr_uint64_t)now
           && apr_atomic_cas64(&slot->lease, (apr_uint64_t)until, there) == there;
}

void route_slot_release(route_slot_t *slot)
{
    apr_atomic_set64(&slot->lease, 0);
}

/* A word of the old serial as one of the new. */
static apr_uint64_t carry(apr_uint64_t word, apr_uint32_t old, apr_uint32_t new)
{
    return word >> MOMENT_BITS == ((apr_uint64_t)old & 0xffffff)
               ? (apr_uint64_t)new << MOMENT_BITS | (word & MOMENT_MASK)
               : 0;
}

int route_slot_put(route_slot_t *slot, const ai_credential_t *credential)
{
    apr_uint32_t old = slot->serial, new = old + 1 ? old + 1 : 2;
    const route_text_t *from = &slot->text[old & 1];
    route_text_t *to = &slot->text[new & 1];
    int other = !old || from->n != credential->key.n
                || memcmp(from->bytes, credential->key.p, from->n) != 0;

    if (!other && from->expires == credential->expires) {
        return 0;
    }
    to->n = (apr_uint32_t)credential->key.n;
    to->expires = credential->expires;
    memcpy(to->bytes, credential->key.p, credential->key.n);
    if (!other) { /* what is known of it is known of the new serial, too */
        apr_atomic_set64(&slot->aside, carry(slot->aside, old, new));
        apr_atomic_set64(&slot->rest, carry(slot->rest, old, new));
    }
    else if (old) {
        apr_atomic_inc64(&slot->changes);
    }
    atomic_thread_fence(memory_order_release);
    apr_atomic_set32(&slot->serial, new);
    return other;
}

void route_slot_copy(route_slot_t *to, const route_slot_t *from)
{
    apr_uint32_t serial;
    int i;

    for (i = 0; i < 100; i++) {
        serial = serial_of(from);
        memcpy(to, (const void *)from, sizeof(*to));
        atomic_thread_fence(memory_order_acquire);
        if (from->serial == serial) {
            break;
        }
    }
    to->serial = serial;
    to->lease = 0;
}
