/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_metrics.c - how are the providers' keys, for who measures?
 *
 * The numbers are in the slots, and are looked up when somebody asks. They go by the key's name.
 *
 * Lives in: the thread that asks.  Shared state: the slots, which it reads.  May block: no.
 */

#include <httpd.h>
#include <http_config.h>

#include "route_custody.h"
#include "route_key.h"
#include "route_private.h"
#include "route_metrics.h"

#define KEY_LABELS .labels = { "target", "key" }, .open = 3

typedef enum row_e { GOOD, ASIDE, ATTEMPTS, REFUSALS, LIMITS, ASIDES, CHANGES, FAILURES, ROWS_N } row_e;

/* clang-format off */
static ai_metric_t rows[ROWS_N] = {
    [GOOD] = { .name = "ai_target_key_good", .kind = AI_METRIC_GAUGE, KEY_LABELS,
        .help = "1 when the key can be used; 0 when it is set aside, has expired or is not there" },
    [ASIDE] = { .name = "ai_target_key_aside_seconds", .kind = AI_METRIC_GAUGE,
        .unit = AI_METRIC_SECONDS, KEY_LABELS, .help = "For how long the key is set aside still" },
    [ATTEMPTS] = { .name = "ai_target_key_attempts_total", .kind = AI_METRIC_COUNTER, KEY_LABELS,
        .help = "Attempts with the key" },
    [REFUSALS] = { .name = "ai_target_key_refusals_total", .kind = AI_METRIC_COUNTER, KEY_LABELS,
        .help = "How often the provider refused the key" },
    [LIMITS] = { .name = "ai_target_key_limits_total", .kind = AI_METRIC_COUNTER, KEY_LABELS,
        .help = "How often the key was at its limit" },
    [ASIDES] = { .name = "ai_target_key_asides_total", .kind = AI_METRIC_COUNTER, KEY_LABELS,
        .help = "How often the key was set aside" },
    [CHANGES] = { .name = "ai_target_key_changes_total", .kind = AI_METRIC_COUNTER, KEY_LABELS,
        .help = "How often its source gave another key" },
    [FAILURES] = { .name = "ai_target_key_source_failures_total", .kind = AI_METRIC_COUNTER,
        KEY_LABELS, .help = "How often its source gave none" },
};
/* clang-format on */

static apr_int64_t number_of(const route_slot_t *slot, row_e row)
{
    apr_time_t now = apr_time_now(), until;

    switch (row) {
    case GOOD:
        return route_slot_good(slot, 1, 0, now);
    case ASIDE:
        until = route_slot_aside_until(slot, now);
        return until > now ? until - now : 0;
    case ATTEMPTS:
        return (apr_int64_t)slot->uses;
    case REFUSALS:
        return (apr_int64_t)slot->refusals;
    case LIMITS:
        return (apr_int64_t)slot->limits;
    case ASIDES:
        return (apr_int64_t)slot->asides;
    case CHANGES:
        return (apr_int64_t)slot->changes;
    default:
        return (apr_int64_t)slot->failures;
    }
}

static int on_metrics(ai_scrape_t *scrape)
{
    const apr_array_header_t *targets = route_custody_targets();
    int row, i, k;

    for (row = 0; row < ROWS_N; row++) {
        scrape->family(scrape, &rows[row]);
        for (i = 0; i < targets->nelts; i++) {
            const route_target_t *target = APR_ARRAY_IDX(targets, i, const route_target_t *);

            for (k = 0; k < target->keys->nelts; k++) {
                const char *const values[] = {
                    target->target.name, APR_ARRAY_IDX(target->keys, k, const route_key_t *)->name
                };

                scrape->sample(scrape, values, number_of(&target->slots[k], (row_e)row));
            }
        }
    }
    return OK;
}

void route_metrics_register(void)
{
    AI_STAGE(metrics, on_metrics);
}
