/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_custody.c - where the keys of all targets are kept while the server runs.
 *
 * Each generation has memory of its own, since each may have other keys; the parent copies what
 * goes on. Old children keep the old memory until they end: what they learn of a key after that
 * stays with them.
 *
 * Lives in: the server process.  Shared state: slots (route_slot.h).  May block: no.
 */

#include <apr_atomic.h>
#include <apr_shm.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>

#include "route_custody.h"
#include "route_key.h"
#include "route_private.h"

typedef struct vault_t {
    volatile apr_uint32_t over; /* 1: a later generation has one of its own */
    int n;
    route_slot_t slots[];
} vault_t;

/* Found again by the next generation. */
typedef struct retained_t {
    apr_pool_t *pool; /* of the memory */
    vault_t *vault;
} retained_t;

/* Of the configuration in force; in its pool. */
static apr_array_header_t *targets;
static vault_t *vault;

void route_custody_begin(apr_pool_t *pconf)
{
    targets = apr_array_make(pconf, 4, sizeof(route_target_t *));
    vault = NULL;
}

void route_custody_add(route_target_t *target)
{
    if (target->keys->nelts) {
        APR_ARRAY_PUSH(targets, route_target_t *) = target;
    }
}

const apr_array_header_t *route_custody_targets(void)
{
    return targets;
}

int route_custody_is_over(void)
{
    return vault && vault->over;
}

/* ------------------------------------------------------------------------------- memory */

static int count_keys(void)
{
    int i, n = 0;

    for (i = 0; i < targets->nelts; i++) {
        n += APR_ARRAY_IDX(targets, i, const route_target_t *)->keys->nelts;
    }
    return n;
}

/* Zeroed memory for n slots; in a pool of its own, or where there is none to share, in pconf. */
static vault_t *make_vault(apr_pool_t *pconf, server_rec *s, int n, apr_pool_t **pool)
{
    apr_size_t size = sizeof(vault_t) + (apr_size_t)n * sizeof(route_slot_t);
    apr_shm_t *shm;
    apr_status_t rv = apr_pool_create(pool, s->process->pool);
    vault_t *made;

    if (rv == APR_SUCCESS) {
        apr_pool_tag(*pool, "ai_route_keys");
        rv = apr_shm_create(&shm, size, NULL, *pool);
    }
    if (rv == APR_SUCCESS) {
        made = apr_shm_baseaddr_get(shm);
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s,
                     AI_LOGNO(0515) "there is no shared memory: each child keeps its own account of "
                     "providers' keys");
        made = apr_pcalloc(pconf, size);
        *pool = NULL;
    }
    made->n = n;
    return made;
}

/* ----------------------------------------------------------------------- its contents */

static const route_slot_t *find(const vault_t *old, apr_uint64_t id)
{
    int i;

    for (i = 0; old && i < old->n; i++) {
        if (old->slots[i].id == id) {
            return &old->slots[i];
        }
    }
    return NULL;
}

static void fill(route_slot_t *slot, const route_key_t *key, const vault_t *old)
{
    const route_slot_t *before = find(old, key->id);
    apr_time_t now = apr_time_now();

    if (before) {
        route_slot_copy(slot, before);
    }
    slot->id = key->id;
    slot->readable = 0;
    if (key->source == ROUTE_SOURCE_EXEC) {
        apr_uint64_t latest = (apr_uint64_t)(now + apr_time_from_msec(key->every_ms));

        if (key->every_ms && slot->due > latest) {
            slot->due = latest;
        }
        return;
    }
    route_slot_put(slot, &key->credential);
    slot->facts = key->facts;
    slot->failed = slot->told = 0;
}

static void fill_all(apr_pool_t *pconf, const vault_t *old)
{
    route_slot_t *slot = vault->slots;
    int i, k;

    for (i = 0; i < targets->nelts; i++) {
        route_target_t *target = APR_ARRAY_IDX(targets, i, route_target_t *);

        target->slots = slot;
        target->weights = apr_palloc(pconf, sizeof(int) * (apr_size_t)target->keys->nelts);
        for (k = 0; k < target->keys->nelts; k++, slot++) {
            const route_key_t *key = APR_ARRAY_IDX(target->keys, k, const route_key_t *);

            target->weights[k] = (int)key->weight;
            fill(slot, key, old);
        }
    }
}

void route_custody_prepare(apr_pool_t *pconf, server_rec *s)
{
    const char *name = apr_psprintf(pconf, "mod_ai_route keys %d %" APR_SIZE_T_FMT,
                                    ROUTE_SLOT_LAYOUT, sizeof(route_slot_t));
    retained_t *retained = ap_retained_data_get(name);
    vault_t *old = retained ? retained->vault : NULL;
    int n = count_keys();
    apr_pool_t *pool = NULL;

    if (!n && !old) {
        return;
    }
    vault = make_vault(pconf, s, n, &pool);
    fill_all(pconf, old);
    if (!retained) {
        retained = ap_retained_data_create(name, sizeof(*retained));
    }
    if (old) {
        apr_atomic_xchg32(&old->over, 1);
        apr_pool_destroy(retained->pool); /* old children have a mapping of their own */
    }
    retained->vault = pool ? vault : NULL;
    retained->pool = pool;
}
