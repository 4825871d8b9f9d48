/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_metrics.h - what is measured of requests and attempts, whatever modules take part in them?
 *
 * The rows are this file's own; what they mean is in docs/metrics.md. All calls are for the thread of
 * the request, and do nothing where there was no memory for metrics.
 */
#ifndef STATUS_METRICS_H
#define STATUS_METRICS_H

#include "ai_metrics.h"
#include "mod_ai.h"
#include "status_table.h"

/* In post_config: finds the memory. children: what is under way, or NULL. */
void status_metrics_prepare(server_rec *s, const ai_api_t *api, status_table_t *children);

/* An attempt is over. */
void status_metrics_attempt(const ai_request_t *air, const ai_attempt_t *attempt);

/* The request is settled: what its caller waits for ends now. */
void status_metrics_settled(const ai_request_t *air);

/* The request is over; outcome is a word for how, reason why it was refused, or NULL: it was not. */
void status_metrics_request(const ai_request_t *air, const char *outcome, const char *reason);

/* Offers the optional function ai_measure, and hooks ai_metrics. */
void status_metrics_register(void);

/* What was measured; NULL: nothing, for want of memory. */
ai_metrics_t *status_metrics_memory(void);

#endif
