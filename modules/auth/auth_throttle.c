/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_throttle.c - has this address shown too many bad keys or tokens?
 *
 * Then its next bad one is answered 429, and nothing more is looked up elsewhere on its behalf. A
 * good one is let in all the same: behind one address are often many callers, and one of them must
 * not lock out the others.
 *
 * Lives in: r->pool; the counts in memory of the server (auth_failures.c).
 * Shared state: those counts.  May block: no.
 */

#include <apr_general.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_log.h>

#include "ai_segment.h"
#include "ai_value.h"
#include "auth_private.h"

/* Set in post_config; NULL when there is no memory: then nothing is counted. */
static auth_failures_t *failures;

void auth_throttle_attach(server_rec *s)
{
    void *memory = ai_segment_get(s, "auth-failures", auth_failures_size(), AUTH_FAILURES_LAYOUT);
    unsigned char seed[AUTH_FAILURES_SEED];
    apr_status_t rv = apr_generate_random_bytes(seed, sizeof(seed));

    failures = NULL;
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     AI_LOGNO(0241) "no random bytes: failed attempts are not counted");
    }
    else if (memory) {
        failures = auth_failures_prepare(memory, seed);
    }
}

/* The limit for r, or NULL: there is none, or nobody to count for. */
static const auth_limit_t *limit_of(const request_rec *r, auth_source_t *source)
{
    const auth_limit_t *limit = auth_failures_limit(r->server);

    *source = auth_source_of(r->useragent_addr);
    return failures && limit->most && source->bits ? limit : NULL;
}

int auth_throttle_may_look_up(request_rec *r)
{
    auth_source_t source;
    const auth_limit_t *limit = limit_of(r, &source);

    if (limit && auth_failures_is_spent(failures, limit, &source, apr_time_now())) {
        return 0;
    }
    auth_request_get(r)->looked_up = 1;
    return 1;
}

/* The address that counts, as people write it. */
static const char *show(apr_pool_t *p, const auth_source_t *source)
{
    const unsigned char *at = source->bytes;

    if (source->bits == 32) {
        return apr_psprintf(p, "%d.%d.%d.%d", at[0], at[1], at[2], at[3]);
    }
    return apr_psprintf(p, "%x:%x:%x:%x::/64", at[0] << 8 | at[1], at[2] << 8 | at[3],
                        at[4] << 8 | at[5], at[6] << 8 | at[7]);
}

static void count(const request_rec *r, const auth_limit_t *limit, const auth_source_t *source,
                  auth_request_t *auth)
{
    apr_pool_t *p = r->pool;
    auth_cost_e cost = auth->looked_up ? AUTH_COST_LOOKUP : AUTH_COST_MEMORY;
    auth_failure_e failure = auth_failures_add(failures, limit, source, cost, apr_time_now(),
                                               &auth->wait_ms);

    auth->counted = 1;
    if (failure == AUTH_FAILURE_FIRST) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      AI_LOGNO(0240) "%s: more than %d failed attempts in %s; further ones are "
                      "refused with 429, good keys are let in", show(p, source), (int)limit->most,
                      ai_value_show_time(p, limit->span_ms));
    }
}

int auth_throttle_count(ai_request_t *air)
{
    request_rec *r = air->r;
    auth_request_t *auth = auth_request_get(r);
    auth_source_t source;
    const auth_limit_t *limit = limit_of(r, &source);

    if (!limit) {
        return OK;
    }
    if (!auth->counted) { /* the phases of a request may ask more than once */
        count(r, limit, &source, auth);
    }
    if (!auth->wait_ms) {
        return OK;
    }
    apr_table_setn(r->err_headers_out, "Retry-After",
                   apr_psprintf(r->pool, "%" APR_INT64_T_FMT, (auth->wait_ms + 999) / 1000));
    return auth_refuse(air, HTTP_TOO_MANY_REQUESTS, "too_many_failed_attempts", NULL,
                       "Too many attempts with a bad key came from this address; try again later.");
}
