/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_status.c - how are the providers' keys?
 *
 * A section of mod_status's page: for a program (?auto) a line for each value, for a person a table
 * with a line for each key. It holds names and numbers.
 *
 * Lives in: r->pool.  Shared state: the slots, which it reads.  May block: writing to the caller.
 */

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <mod_status.h>

#include "route_custody.h"
#include "route_key.h"
#include "route_private.h"
#include "route_status.h"

#define VALUES_N 8

typedef struct value_t {
    const char *key;
    const char *heading;
    apr_uint64_t number;
} value_t;

/* Whole seconds from now until then, rounded up; 0 for a moment that is past or none. */
static apr_uint64_t seconds_until(apr_time_t then, apr_time_t now)
{
    return then > now ? (apr_uint64_t)apr_time_sec(then - now + APR_USEC_PER_SEC - 1) : 0;
}

static void read_slot(const route_slot_t *slot, value_t values[VALUES_N])
{
    apr_time_t now = apr_time_now();
    const value_t all[VALUES_N] = {
        { "Good", "Good", (apr_uint64_t)route_slot_good(slot, 1, 0, now) },
        { "Uses", "Attempts", slot->uses },
        { "Refusals", "Refused", slot->refusals },
        { "Limits", "At its limit", slot->limits },
        { "Asides", "Set aside", slot->asides },
        { "AsideS", "Aside for, s", seconds_until(route_slot_aside_until(slot, now), now) },
        { "Changes", "Changes", slot->changes },
        { "SourceFailures", "Source failures", slot->failures },
    };

    memcpy(values, all, sizeof(all));
}

static void write_lines(request_rec *r, const char *label, const value_t *values)
{
    int i;

    for (i = 0; i < VALUES_N; i++) {
        ap_rprintf(r, "AIKey[%s]%s: %" APR_UINT64_T_FMT "\n", label, values[i].key,
                   values[i].number);
    }
}

static void write_row(request_rec *r, const char *label, const value_t *values, int is_first)
{
    int i;

    if (is_first) {
        ap_rputs("<table border=\"0\">\n<tr><th>Key</th>", r);
        for (i = 0; i < VALUES_N; i++) {
            ap_rprintf(r, "<th>%s</th>", values[i].heading);
        }
        ap_rputs("</tr>\n", r);
    }
    ap_rprintf(r, "<tr><th>%s</th>", label);
    for (i = 0; i < VALUES_N; i++) {
        ap_rprintf(r, "<td>%" APR_UINT64_T_FMT "</td>", values[i].number);
    }
    ap_rputs("</tr>\n", r);
}

static int on_status(request_rec *r, int flags)
{
    const apr_array_header_t *targets = route_custody_targets();
    int is_table = !(flags & (AP_STATUS_SHORT | AP_STATUS_NOTABLE)), i, k;
    value_t values[VALUES_N];

    if (!targets->nelts) {
        return OK;
    }
    if (!(flags & AP_STATUS_SHORT)) {
        ap_rprintf(r, "<hr />\n<h2>Keys of the AI gateway's targets</h2>\n%s",
                   is_table ? "" : "<pre>\n");
    }
    for (i = 0; i < targets->nelts; i++) {
        const route_target_t *target = APR_ARRAY_IDX(targets, i, const route_target_t *);

        for (k = 0; k < target->keys->nelts; k++) {
            const char *label = apr_pstrcat(
                r->pool, target->target.name, "/",
                APR_ARRAY_IDX(target->keys, k, const route_key_t *)->name, NULL);

            read_slot(&target->slots[k], values);
            if (is_table) {
                write_row(r, label, values, !i && !k);
            }
            else {
                write_lines(r, label, values);
            }
        }
    }
    if (!(flags & AP_STATUS_SHORT)) {
        ap_rputs(is_table ? "</table>\n" : "</pre>\n", r);
    }
    return OK;
}

void route_status_register(void)
{
    APR_OPTIONAL_HOOK(ap, status_hook, on_status, NULL, NULL, APR_HOOK_MIDDLE);
}
