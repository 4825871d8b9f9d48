/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_spool_write.c - how does a record get into the spool, from many threads, in a few
 * microseconds?
 *
 * Digest and CRC of the body are made before the lock is taken. Under it a record gets its place:
 * is there room on the disk for it, for the records that were promised room, and for a closing
 * record? Then it is chained and written.
 *
 * Lives in: the spool's pool.  Shared state: the spool, by its lock.  May block: on the disk.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <apr_strings.h>

#include "ai_crc32c.h"
#include "ai_spool_disk.h"
#include "ai_spool_writer.h"

#define DEFAULT_SIZE ((apr_off_t)64 << 20)
#define DEFAULT_AGE apr_time_from_sec(3600)
#define DEFAULT_AHEAD ((apr_size_t)1 << 20)
#define SMALLEST_SIZE 4096
#define BIGGEST_SIZE ((apr_off_t)1 << 40)

/* After a segment could not be begun it is tried again so much later, while the old one will do. */
#define ROLL_AGAIN apr_time_from_sec(1)

/* A record of at most so many pieces, two of them ours, needs no memory. */
enum { FEW_PIECES = 32 };

/* -------------------------------------------------------------------- contexts of digests */

static EVP_MD_CTX *take_context(ai_spool_t *spool)
{
    EVP_MD_CTX *ctx = NULL;

    apr_thread_mutex_lock(spool->idle_lock);
    if (spool->n_idle) {
        ctx = spool->idle[--spool->n_idle];
    }
    apr_thread_mutex_unlock(spool->idle_lock);
    return ctx ? ctx : EVP_MD_CTX_new();
}

static void give_context(ai_spool_t *spool, EVP_MD_CTX *ctx)
{
    apr_thread_mutex_lock(spool->idle_lock);
    if (spool->n_idle < AI_SPOOL_IDLE) {
        spool->idle[spool->n_idle++] = ctx;
        ctx = NULL;
    }
    apr_thread_mutex_unlock(spool->idle_lock);
    EVP_MD_CTX_free(ctx);
}

/* ------------------------------------------------------------------------------- segments */

void ai_spool_retire(ai_spool_t *spool, apr_time_t now)
{
    ai_spool_out_t **at = &spool->over;

    ai_spool_segment_end(spool->current, spool->chains, now);
    while (*at) {
        at = &(*at)->next;
    }
    *at = spool->current;
    spool->current = NULL;
}

/* Another segment, of which room bytes behind the head are reserved, takes the place of the one
 * there is. On an error that one stays. */
static apr_status_t begin_segment(ai_spool_t *spool, apr_off_t room, apr_time_t now)
{
    ai_spool_out_t *current = spool->current, *fresh = NULL;
    ai_spool_head_t head = { .created = now, .pid = (apr_uint32_t)getpid() };
    apr_status_t rv;
    ai_uuid_t id;

    if (current) {
        /* First, for the next one's head names its last chain value. */
        spool->before = current->id;
        memcpy(spool->link, current->chain, AI_SPOOL_DIGEST);
    }
    apr_cpystrn(head.node, spool->conf.node, sizeof(head.node));
    head.before = spool->before;
    memcpy(head.link, spool->link, AI_SPOOL_DIGEST);
    rv = ai_uuid_make(spool->names, now, &id);
    if (rv == APR_SUCCESS) {
        rv = ai_spool_segment_begin(spool->folder, &id, &head, room, &fresh);
    }
    if (rv != APR_SUCCESS) {
        spool->roll_failed = now;
        return rv;
    }
    spool->roll_failed = 0;
    spool->state.segments++;
    if (current) {
        ai_spool_retire(spool, now);
    }
    fresh->written = fresh->synced = spool->state.written;
    spool->current = fresh;
    return APR_SUCCESS;
}

static int is_due(const ai_spool_t *spool, apr_off_t size, apr_time_t now)
{
    const ai_spool_out_t *current = spool->current;
    apr_time_t since = now - spool->roll_failed;

    if (spool->roll_failed && since >= 0 && since < ROLL_AGAIN) {
        return 0;
    }
    if (current->sequence == 0) {
        return current->is_worn;
    }
    return current->is_worn || current->end + size > spool->conf.size
           || now - current->created >= spool->conf.age;
}

/* Sees to it that there is a segment, and room in it: for size bytes, and what is promised then. */
static apr_status_t make_ready(ai_spool_t *spool, apr_off_t size, apr_off_t promised,
                               apr_time_t now)
{
    apr_off_t need = size + promised + AI_SPOOL_CLOSING;
    apr_status_t rv;

    if (!spool->current || is_due(spool, size, now)) {
        rv = begin_segment(spool, need, now);
        if (!spool->current) {
            return rv;
        }
    }
    rv = ai_spool_segment_reserve(spool->current, spool->current->end + need, spool->conf.ahead);
    spool->state.keeps_promises = rv != APR_ENOTIMPL;
    return rv == APR_ENOTIMPL ? APR_SUCCESS : rv;
}

/* ------------------------------------------------------------------------------ appending */

/* What a promise of so many bytes of a body is on the disk. */
static apr_off_t promise_size(apr_size_t bytes)
{
    return bytes ? (apr_off_t)ai_spool_frame_size(bytes) : 0;
}

static apr_off_t without(apr_off_t promised, apr_size_t redeemed)
{
    apr_off_t less = promise_size(redeemed);

    return promised > less ? promised - less : 0;
}

/* All that needs no lock. pieces: of the body, from the second place on. */
static apr_status_t prepare(ai_spool_t *spool, const ai_spool_record_t *record,
                            const ai_slice_t *pieces, ai_spool_fixed_t *fixed)
{
    EVP_MD_CTX *ctx = take_context(spool);
    int good = ctx && ai_spool_digest(ctx, pieces + 1, record->pieces,
                                      fixed->frame.digest);

    if (ctx) {
        give_context(spool, ctx);
    }
    fixed->frame.type = record->type;
    fixed->frame.id = record->id;
    fixed->frame.time = record->time;
    fixed->frame.length = fixed->stored;
    return good ? APR_SUCCESS : APR_EGENERAL;
}

static apr_uint32_t body_crc(apr_uint32_t seed, const ai_slice_t *pieces, int n)
{
    int i;

    for (i = 0; i < n; i++) {
        seed = ai_crc32c(seed, pieces[i].p, pieces[i].n);
    }
    return seed;
}

/* Where the disk is at fault and not its size, another file may do; but not one after the other. */
static void wear(ai_spool_t *spool, apr_status_t why, apr_time_t now)
{
    if (why != ENOSPC && why != EDQUOT) {
        spool->current->is_worn = 1;
        if (spool->current->sequence == 0) {
            spool->roll_failed = now;
        }
    }
}

/* With the lock. */
static apr_status_t append(ai_spool_t *spool, const ai_spool_record_t *record, ai_slice_t *pieces,
                           ai_spool_fixed_t *fixed)
{
    apr_off_t promised = without(spool->state.promised, record->redeems)
                         + promise_size(record->promise);
    apr_status_t rv = make_ready(spool, (apr_off_t)ai_spool_frame_size(fixed->stored), promised,
                                 record->time);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    fixed->body_crc = body_crc(spool->current->seed, pieces + 1, record->pieces);
    rv = ai_spool_segment_append(spool->current, spool->chains, fixed, pieces,
                                 record->pieces + 2);
    if (rv != APR_SUCCESS) {
        wear(spool, rv, record->time);
        return rv;
    }
    spool->current->written = ++spool->state.written;
    spool->state.promised = promised;
    return APR_SUCCESS;
}

/* 1 and the length of the body, or 0. */
static int is_valid(const ai_spool_record_t *record, apr_size_t *length)
{
    int i;

    for (*length = 0, i = 0; i < record->pieces && *length <= AI_SPOOL_BODY; i++) {
        if (record->body[i].n > AI_SPOOL_BODY) {
            return 0;
        }
        *length += record->body[i].n;
    }
    return *length <= AI_SPOOL_BODY && record->pieces >= 0 && record->type > 0
           && record->type <= 0xffff && record->type != AI_SPOOL_CLOSE
           && record->promise <= AI_SPOOL_BODY && record->redeems <= AI_SPOOL_BODY;
}

apr_status_t ai_spool_append(ai_spool_t *spool, const ai_spool_record_t *record,
                             ai_spool_position_t *position)
{
    ai_slice_t few[FEW_PIECES], *pieces = few;
    ai_spool_fixed_t fixed = { .stored = 0 };
    apr_status_t rv;

    if (!is_valid(record, &fixed.stored)) {
        return APR_EINVAL;
    }
    if (record->pieces > FEW_PIECES - 2) {
        pieces = malloc((apr_size_t)(record->pieces + 2) * sizeof(*pieces));
        if (!pieces) {
            return APR_ENOMEM;
        }
    }
    if (record->pieces) {
        memcpy(pieces + 1, record->body, (apr_size_t)record->pieces * sizeof(*pieces));
    }
    rv = prepare(spool, record, pieces, &fixed);
    pthread_mutex_lock(&spool->lock);
    if (rv == APR_SUCCESS) {
        rv = append(spool, record, pieces, &fixed);
    }
    spool->state.refused += rv != APR_SUCCESS;
    *position = spool->state.written;
    pthread_mutex_unlock(&spool->lock);
    if (pieces != few) {
        free(pieces);
    }
    return rv;
}

void ai_spool_release(ai_spool_t *spool, apr_size_t promise)
{
    pthread_mutex_lock(&spool->lock);
    spool->state.promised = without(spool->state.promised, promise);
    pthread_mutex_unlock(&spool->lock);
}

void ai_spool_look(ai_spool_t *spool, ai_spool_state_t *state)
{
    pthread_mutex_lock(&spool->lock);
    *state = spool->state;
    pthread_mutex_unlock(&spool->lock);
}

/* ------------------------------------------------------------------- beginning and ending */

static int take_conf(ai_spool_t *spool, const ai_spool_conf_t *conf)
{
    spool->conf = *conf;
    spool->conf.size = conf->size ? conf->size : DEFAULT_SIZE;
    spool->conf.age = conf->age ? conf->age : DEFAULT_AGE;
    spool->conf.ahead = conf->ahead ? conf->ahead : DEFAULT_AHEAD;
    return conf->folder && conf->node && strlen(conf->node) <= AI_SPOOL_NODE
           && spool->conf.size >= SMALLEST_SIZE && spool->conf.size <= BIGGEST_SIZE
           && spool->conf.age > 0 && spool->conf.ahead <= AI_SPOOL_BODY;
}

/* Held for a few microseconds, mostly in pwritev(): to be put to sleep for that, and woken, takes a
 * thread longer than to look a few times whether it is free. (APR has no such lock.) */
static void make_lock(ai_spool_t *spool)
{
    pthread_mutexattr_t kind;

    pthread_mutexattr_init(&kind);
#ifdef __GLIBC__
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
    pthread_mutex_init(&spool->lock, &kind);
    pthread_mutexattr_destroy(&kind);
    pthread_cond_init(&spool->synced, NULL);
}

static apr_status_t make_tools(apr_pool_t *p, ai_spool_t *spool)
{
    apr_status_t rv = ai_uuid_source_create(p, &spool->names);

    if (rv == APR_SUCCESS) {
        rv = apr_thread_mutex_create(&spool->idle_lock, APR_THREAD_MUTEX_UNNESTED, p);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    spool->chains = EVP_MD_CTX_new();
    if (!spool->chains) {
        return APR_EGENERAL;
    }
    make_lock(spool);
    return APR_SUCCESS;
}

static void free_tools(ai_spool_t *spool)
{
    while (spool->n_idle) {
        EVP_MD_CTX_free(spool->idle[--spool->n_idle]);
    }
    EVP_MD_CTX_free(spool->chains);
}

apr_status_t ai_spool_open(apr_pool_t *p, const ai_spool_conf_t *conf, apr_time_t now,
                           ai_spool_t **out)
{
    ai_spool_t *spool = apr_pcalloc(p, sizeof(*spool));
    apr_status_t rv;

    if (!take_conf(spool, conf)) {
        return APR_EINVAL;
    }
    rv = ai_spool_disk_folder(conf->folder, &spool->folder);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = make_tools(p, spool);
    if (rv == APR_SUCCESS) {
        rv = make_ready(spool, 0, 0, now);
    }
    if (rv != APR_SUCCESS && !spool->current) {
        free_tools(spool);
        ai_spool_disk_close(spool->folder);
        return rv;
    }
    *out = spool;
    return APR_SUCCESS;
}

apr_status_t ai_spool_close(ai_spool_t *spool, apr_time_t now)
{
    apr_status_t rv;

    pthread_mutex_lock(&spool->lock);
    if (spool->current) {
        ai_spool_retire(spool, now);
    }
    ai_spool_sync_lead(spool);
    pthread_mutex_unlock(&spool->lock);
    rv = ai_spool_sync(spool);
    free_tools(spool);
    ai_spool_disk_close(spool->folder);
    return rv;
}
