/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_scrape.c - who wants to know what was measured?
 *
 * The handler "ai-metrics". Every module shows its own metrics (hook ai_metrics), and each number is
 * written as it is read: nothing is locked, so who reads slowly keeps nobody but his own thread.
 *
 * Lives in: r->pool.  Shared state: the memory, which it reads.  May block: writing to the caller.
 */

#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <http_request.h>

#include "ai_metrics_text.h"
#include "status_metrics.h"
#include "status_scrape.h"

#define HANDLER "ai-metrics"

APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(ai, AI, int, ai_metrics, (ai_scrape_t * scrape), (scrape), OK,
                                    DECLINED)

/* What a module is given is the first member. */
typedef struct scrape_t {
    ai_scrape_t scrape;
    ai_metrics_text_t text;
    ai_metric_t *metric; /* that was shown last */
} scrape_t;

static void put(void *baton, const char *bytes, apr_size_t n)
{
    ap_rwrite(bytes, (int)n, baton); /* of a caller that has left httpd makes nothing of it */
}

static void show_family(ai_scrape_t *scrape, ai_metric_t *metric)
{
    scrape_t *self = (scrape_t *)scrape;
    const ai_metrics_t *memory = status_metrics_memory();
    apr_uint32_t at = 0;
    ai_series_t series;

    self->metric = metric;
    ai_metrics_text_family(&self->text, metric);
    while (memory && ai_metrics_next(memory, metric, &at, &series)) {
        ai_metrics_text_series(&self->text, metric, series.values, series.cells);
    }
}

static void show_sample(ai_scrape_t *scrape, const char *const *values, apr_int64_t n)
{
    scrape_t *self = (scrape_t *)scrape;
    const apr_uint64_t cell = (apr_uint64_t)n;

    ai_metrics_text_series(&self->text, self->metric, values, &cell);
}

/* OpenMetrics where it is asked for by name; a scraper of Prometheus does, and ranks it first. */
static int wants_open(request_rec *r)
{
    const char *accept = apr_table_get(r->headers_in, "Accept"), *token;
    char *state, *copy = apr_pstrdup(r->pool, accept ? accept : "");

    for (token = apr_strtok(copy, ",", &state); token; token = apr_strtok(NULL, ",", &state)) {
        token += strspn(token, " \t");
        if (strncasecmp(token, "application/openmetrics-text", 28) == 0
            && (token[28] == '\0' || strchr("; \t", token[28]))
            && !strstr(token, "version=0.") && !strstr(token, "q=0,")
            && !(strlen(token) > 3 && strcmp(token + strlen(token) - 3, "q=0") == 0)) {
            return 1;
        }
    }
    return 0;
}

static int on_handler(request_rec *r)
{
    scrape_t self = { .scrape = { r, show_family, show_sample } };

    if (!r->handler || strcmp(r->handler, HANDLER) != 0) {
        return DECLINED;
    }
    ap_allow_methods(r, REPLACE_ALLOW, "GET", NULL);
    if (r->method_number != M_GET) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    self.text = (ai_metrics_text_t){ put, r, wants_open(r) };
    ap_set_content_type(r, self.text.open
                               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                               : "text/plain; version=0.0.4; charset=utf-8");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_mergen(r->headers_out, "Vary", "Accept");
    if (!r->header_only) {
        ai_run_ai_metrics(&self.scrape);
        ai_metrics_text_end(&self.text);
    }
    return OK;
}

void status_scrape_register(void)
{
    ap_hook_handler(on_handler, NULL, NULL, APR_HOOK_MIDDLE);
}
