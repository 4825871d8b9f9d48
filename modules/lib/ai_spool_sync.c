/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_spool_sync.c - is a record on the disk, so that the power may go?
 *
 * One thread syncs for all that wait; who comes while it does waits for the next one. When a sync
 * fails nobody knows which pages are on the disk, and a second one would say that all is well, for
 * the system takes pages that it could not write for clean. So the segment is given up, and what
 * was in it and not synced before is told to be lost, for good. Whoever still has it may append it
 * again; the pages of the file are not asked.
 *
 * Lives in: the spool.  Shared state: the spool, by its lock.  May block: on the disk.
 */
#include "ai_spool_disk.h"
#include "ai_spool_writer.h"

/* ---------------------------------------------------------------------------------- losses */

static void lose(ai_spool_t *spool, ai_spool_position_t first, ai_spool_position_t last)
{
    ai_spool_loss_t *losses = spool->losses;

    spool->state.lost += last - first + 1;
    if (spool->n_losses && losses[spool->n_losses - 1].last + 1 == first) {
        losses[spool->n_losses - 1].last = last;
        return;
    }
    if (spool->n_losses == AI_SPOOL_LOSSES) {
        spool->forgotten = losses[0].last;
        memmove(losses, losses + 1, (AI_SPOOL_LOSSES - 1) * sizeof(*losses));
        spool->n_losses--;
    }
    losses[spool->n_losses++] = (ai_spool_loss_t){ first, last };
}

/* What became of a record that is settled. */
static apr_status_t verdict(const ai_spool_t *spool, ai_spool_position_t position)
{
    int i;

    if (position <= spool->forgotten) {
        /* It may have been among those of which nothing is known any more. */
        return spool->why_lost;
    }
    for (i = 0; i < spool->n_losses; i++) {
        if (position >= spool->losses[i].first && position <= spool->losses[i].last) {
            return spool->why_lost;
        }
    }
    return APR_SUCCESS;
}

/* ----------------------------------------------------------------------------------- syncing */

static void settle(ai_spool_t *spool, ai_spool_position_t upto)
{
    if (upto > spool->state.settled) {
        spool->state.settled = upto;
    }
}

/* Takes the segment out of the spool, wherever it is by now. */
static void give_up(ai_spool_t *spool, ai_spool_out_t *segment)
{
    ai_spool_out_t **at = &spool->over;

    if (spool->current == segment) {
        spool->before = segment->id;
        memcpy(spool->link, segment->chain, AI_SPOOL_DIGEST);
        spool->current = NULL;
        return;
    }
    while (*at && *at != segment) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = segment->next;
    }
}

/* Draws the conclusions of a sync; upto: the last record that it was for. 1 when the segment is
 * still in use. */
static int conclude(ai_spool_t *spool, ai_spool_out_t *segment, ai_spool_position_t upto)
{
    if (segment->fate == APR_SUCCESS) {
        segment->is_named = 1;
        segment->synced = upto;
        settle(spool, upto);
        return 1;
    }
    /* Also what came in while it went wrong. */
    if (segment->written > segment->synced) {
        lose(spool, segment->synced + 1, segment->written);
        spool->why_lost = segment->fate;
        settle(spool, segment->written);
    }
    give_up(spool, segment);
    return 0;
}

/* Without the lock: syncs a list and one more, and their names. */
static void sync_files(const ai_spool_t *spool, ai_spool_out_t *over, ai_spool_out_t *current)
{
    apr_status_t named = APR_SUCCESS;
    ai_spool_out_t *segment;
    int nameless = current && !current->is_named;

    for (segment = over; segment; segment = segment->next) {
        segment->fate = ai_spool_segment_sync(segment);
        nameless |= !segment->is_named;
    }
    if (current) {
        current->fate = ai_spool_segment_sync(current);
    }
    if (nameless) {
        named = ai_spool_disk_sync_all(spool->folder);
    }
    for (segment = over; segment; segment = segment->next) {
        segment->fate = segment->fate || segment->is_named ? segment->fate : named;
    }
    if (current) {
        current->fate = current->fate || current->is_named ? current->fate : named;
    }
}

void ai_spool_sync_lead(ai_spool_t *spool)
{
    ai_spool_out_t *over = spool->over, *current = spool->current;
    ai_spool_position_t upto = spool->state.written;

    if (current && current->written == current->synced && current->is_named) {
        current = NULL;
    }
    spool->over = NULL;
    spool->is_syncing = 1;
    pthread_mutex_unlock(&spool->lock);
    sync_files(spool, over, current);
    pthread_mutex_lock(&spool->lock);
    while (over) {
        ai_spool_out_t *next = over->next;

        conclude(spool, over, over->written);
        ai_spool_segment_free(over);
        over = next;
    }
    if (current && !conclude(spool, current, upto)) {
        ai_spool_segment_free(current);
    }
    spool->is_syncing = 0;
    pthread_cond_broadcast(&spool->synced);
}

/* With the lock. */
static void settle_upto(ai_spool_t *spool, ai_spool_position_t position)
{
    while (spool->state.settled < position) {
        if (spool->is_syncing) {
            pthread_cond_wait(&spool->synced, &spool->lock);
        }
        else {
            ai_spool_sync_lead(spool);
        }
    }
}

apr_status_t ai_spool_wait(ai_spool_t *spool, ai_spool_position_t position)
{
    apr_status_t rv = APR_EINVAL;

    pthread_mutex_lock(&spool->lock);
    if (position > 0 && position <= spool->state.written) {
        settle_upto(spool, position);
        rv = verdict(spool, position);
    }
    pthread_mutex_unlock(&spool->lock);
    return rv;
}

apr_status_t ai_spool_sync(ai_spool_t *spool)
{
    apr_status_t rv = APR_SUCCESS;

    pthread_mutex_lock(&spool->lock);
    settle_upto(spool, spool->state.written);
    if (spool->state.lost > spool->told) {
        spool->told = spool->state.lost;
        rv = spool->why_lost;
    }
    pthread_mutex_unlock(&spool->lock);
    return rv;
}
