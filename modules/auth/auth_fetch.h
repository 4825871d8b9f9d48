/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_fetch.h - gets JWK sets over HTTPS, several at a time, for one thread.
 *
 * libcurl's multi interface, with what is asked for here already set: verified certificates and
 * names, no redirects, no compression, no cookies, no .netrc, limits of time and size.
 */
#ifndef AUTH_FETCH_H
#define AUTH_FETCH_H

#include <apr_pools.h>
#include <apr_time.h>

#include "ai_slice.h"

typedef struct auth_fetcher_t auth_fetcher_t;

/* For child_init, before there are threads; ends with p. NULL: libcurl does not work. */
auth_fetcher_t *auth_fetcher_create(apr_pool_t *p);

/* Begins to get a URL, which must live until it is over. ca_file: the authorities to trust; NULL:
 * the system's. near: 1 for this machine, which no proxy of the environment lies before. 0 when it
 * cannot be begun. */
int auth_fetch_begin(auth_fetcher_t *fetcher, const char *url, const char *ca_file, int near,
                     void *baton);

/* Goes on with all that was begun; waits for it at most so long, or until auth_fetcher_wake(). */
void auth_fetcher_run(auth_fetcher_t *fetcher, apr_interval_time_t time);

/* From any thread. */
void auth_fetcher_wake(auth_fetcher_t *fetcher);

typedef struct auth_fetched_t {
    void *baton;
    const char *wrong;  /* NULL: the body came, whole, with status 200 */
    ai_slice_t body;
    apr_int64_t max_age; /* seconds, of Cache-Control; -1: not said */
} auth_fetched_t;

/* One that is over, in p; 0 when there is none. */
int auth_fetcher_next(auth_fetcher_t *fetcher, apr_pool_t *p, auth_fetched_t *fetched);

#endif
