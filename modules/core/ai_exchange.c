/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_exchange.c - how does one attempt at one target go?
 *
 * mod_proxy's handler is run in its SetHandler form, as often as there are attempts, on the one
 * request. Before each further attempt all that the last one left on the request is taken back.
 *
 * Why this is the core's and not mod_ai_route's: the gate must know the dialect's events to tell
 * content from prelude, and the gateway's own calls take the same road. mod_ai_route decides whom
 * to try; this file tries (docs/design/0001-spine.md).
 *
 * Lives in: r->pool.  Shared state: none.  May block: on the target and on the caller.
 */

#include <apr_strings.h>

#include "ai_exchange.h"
#include "ai_fault.h"
#include "mod_proxy.h"

#define PROXIES_N 3
/* The longest id of a provider's, in bytes. */
#define PROVIDER_ID_MAX 200

/* mod_proxy and those of its parts that log; NULL where one is not loaded. Set in post_config. */
static const module *proxies[PROXIES_N];

ai_exchange_t *ai_exchange_of(const request_rec *r)
{
    ai_request_t *air = r->main ? NULL : ai_request_of(r);

    return air && air->priv->exchange && air->priv->exchange->gate != GATE_IDLE
               ? air->priv->exchange
               : NULL;
}

static ai_exchange_t *exchange_for(ai_request_t *air)
{
    request_rec *r = air->r;
    ai_exchange_t *x = air->priv->exchange;

    if (!x) {
        x = apr_pcalloc(r->pool, sizeof(*x));
        x->air = air;
        x->headers_out = apr_table_copy(r->pool, r->headers_out);
        x->err_headers_out = apr_table_copy(r->pool, r->err_headers_out);
        x->content_type = r->content_type;
        x->filename = r->filename;
        x->last_out = apr_time_now();
        air->priv->exchange = x;
    }
    return x;
}

/* ----------------------------------------------------------------- before and after */

/* Takes back what an attempt left on the request. */
static void reset(ai_exchange_t *x)
{
    static const char *const notes[] = {
        "error-notes",    "verbose-error-to",  "proxy-error-override", "proxy-status",
        "proxy_timedout", "proxy-source-port", "proxy-100-continue",   "uds_path",
        "session-sticky", "session-route",     "proxy-nocanon",
    };
    static const char *const envs[] = {
        "BALANCER_NAME",           "BALANCER_WORKER_NAME",   "BALANCER_WORKER_ROUTE",
        "BALANCER_ROUTE_CHANGED",  "BALANCER_SESSION_STICKY", "BALANCER_SESSION_ROUTE",
        "proxy-nokeepalive",
    };
    request_rec *r = x->air->r, *prev;
    apr_size_t i;

    for (i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
        apr_table_unset(r->notes, notes[i]);
    }
    for (i = 0; i < sizeof(envs) / sizeof(envs[0]); i++) {
        apr_table_unset(r->subprocess_env, envs[i]);
    }
    for (prev = r; prev; prev = prev->prev) {
        prev->eos_sent = 0; /* set by passing EOS into our gate, though it went no further */
    }
    /* mod_proxy_http keeps the half-read body here for its own second try. */
    apr_pool_userdata_setn(NULL, "proxy-req-input", NULL, r->pool);
    r->proxyreq = PROXYREQ_NONE;
    r->handler = AI_HANDLER;
    r->filename = (char *)x->filename;
    r->status = HTTP_OK;
    r->status_line = NULL;
    if (x->head_sent) {
        return; /* the head on its way is the one that holds */
    }
    r->headers_out = apr_table_copy(r->pool, x->headers_out);
    r->err_headers_out = apr_table_copy(r->pool, x->err_headers_out);
    r->trailers_out = apr_table_make(r->pool, 1);
    r->content_type = x->content_type;
    r->content_encoding = NULL;
    r->content_languages = NULL;
    r->sent_bodyct = 0;
    r->no_cache = 0;
    r->clength = 0;
    r->chunked = 0;
}

/*
 * Puts the target's settings over those of the location, as mod_proxy does where it maps a URL to
 * a backend itself: above all that TLS is verified. Plain http needs it only where the site has
 * settings for its own backends that would harm.
 */
static void merge_section(request_rec *r, const ai_target_t *target)
{
    const module *proxy = proxies[0];
    const proxy_dir_conf *conf = proxy ? ap_get_module_config(r->per_dir_config, proxy) : NULL;

    if (strcmp(target->scheme, "http") != 0
        || (conf && (conf->preserve_host || conf->error_override))) {
        r->per_dir_config = ap_merge_per_dir_configs(r->pool, r->per_dir_config, target->section);
    }
}

/*
 * mod_proxy logs each failed attempt as an error, often twice. A failure that another target may
 * still make good is none, nor is a caller who left. Somebody who asked for mod_proxy's details
 * keeps them.
 */
void ai_exchange_quieten(ai_exchange_t *x)
{
    request_rec *r = x->air->r;
    struct ap_logconf *quiet = ap_new_log_config(r->pool, ap_get_request_logconf(r));
    apr_size_t i;

    for (i = 0; i < PROXIES_N; i++) {
        const module *m = proxies[i];

        if (m && ap_get_request_module_loglevel(r, m->module_index) < APLOG_INFO) {
            ap_set_module_loglevel(r->pool, quiet, m->module_index, APLOG_CRIT);
        }
    }
    r->log = quiet;
}

static int run_proxy(ai_exchange_t *x)
{
    ai_request_t *air = x->air;
    request_rec *r = air->r;
    const ai_target_t *target = x->attempt->target;
    ap_conf_vector_t *conf = r->per_dir_config;
    const struct ap_logconf *log = r->log;
    char *args = r->args;
    int rc;

    apr_table_setn(r->subprocess_env, "proxy-interim-response", "Suppress");
    if (!x->attempt->final) {
        ai_exchange_quieten(x);
    }
    merge_section(r, target);
    r->handler = target->handler;
    r->filename = apr_pstrcat(r->pool, target->base, ai_translate_path(x), NULL);
    r->proxyreq = PROXYREQ_NONE;
    if (!ai_endpoint_passes(air->endpoint)) {
        r->args = NULL;
    }
    x->started = x->began = apr_time_now();
    rc = ap_run_handler(r);
    r->args = args;
    r->log = log;
    r->per_dir_config = conf;
    return rc;
}

/* ------------------------------------------------------------------------ the verdict */

static void name_failure(ai_exchange_t *x, int rc)
{
    ai_attempt_t *attempt = x->attempt;

    if (x->late) {
        attempt->reason = x->late;
        attempt->timed_out = 1;
    }
    else if (ai_upload_fault(x->air)) {
        attempt->reason = "upload";
    }
    else if (!attempt->reason) {
        attempt->reason = rc == DECLINED ? "no-proxy" : x->sent ? "broken" : "connect";
    }
    if (rc == DECLINED) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, x->air->r,
                      AI_LOGNO(0106) "target %s: no module proxies to %s; is mod_proxy_http loaded?",
                      attempt->target->name, attempt->target->handler);
    }
}

/* A provider's way to say that the account is empty: waiting does not help. */
static void read_quota(ai_exchange_t *x)
{
    ai_error_t error = { 0, NULL, NULL, NULL };

    if (x->keeping && x->kept_status == HTTP_TOO_MANY_REQUESTS && x->kept_len) {
        x->attempt->target->dialect->read_error(
            x->air->r->pool, (ai_slice_t){ x->kept, x->kept_len }, &error);
        if (error.code && strcmp(error.code, "insufficient_quota") == 0) {
            x->attempt->retryable = 0;
        }
    }
}

static void log_failure(const ai_request_t *air, const ai_attempt_t *attempt)
{
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, air->r,
                  AI_LOGNO(0107) "target %s failed: %s, status %d", attempt->target->name,
                  attempt->reason, attempt->status);
}

void ai_exchange_stop_clock(ai_exchange_t *x)
{
    if (x->began) {
        x->air->priv->upstream_time += apr_time_now() - x->began;
        x->began = 0;
    }
}

static void conclude(ai_exchange_t *x, int rc)
{
    ai_attempt_t *attempt = x->attempt;

    /* An open gate must get its end whatever mod_proxy returned: it may not count as a failure. */
    if ((x->gate == GATE_OPEN
         || (x->gate == GATE_PENDING && x->judged && (rc == OK || rc == DONE)))
        && !x->ended && !ai_watch_gone(x)) {
        ai_gate_end(x);
    }
    ai_exchange_stop_clock(x);
    if (x->ended) {
        attempt->outcome = AI_OUTCOME_ANSWERED;
    }
    else if (x->client_gone || x->air->r->connection->aborted || ai_watch_gone(x)) {
        attempt->outcome = AI_OUTCOME_GONE;
        x->air->finish = AI_FINISH_CLIENT_ABORT;
        if (x->streams) {
            x->air->usage = x->stream.usage;
        }
    }
    else {
        attempt->outcome = AI_OUTCOME_FAILED;
        name_failure(x, rc);
        read_quota(x);
        attempt->repeatable = ai_upload_can_repeat(x->air);
        log_failure(x->air, attempt);
    }
    x->gate = GATE_IDLE;
    x->probe = NULL;
}

/* Nothing is known of how it went. */
static void begin(ai_attempt_t *attempt)
{
    attempt->outcome = AI_OUTCOME_FAILED;
    attempt->status = 0;
    attempt->reason = NULL;
    attempt->timed_out = 0;
    attempt->retryable = 1;
    attempt->repeatable = 0;
    attempt->reused = 0;
    attempt->retry_after_ms = -1;
}

static void attempt_once(ai_exchange_t *x, ai_attempt_t *attempt)
{
    int rc = HTTP_INTERNAL_SERVER_ERROR;

    x->attempt = attempt;
    x->air->priv->target = attempt->target;
    x->air->priv->model = attempt->model ? attempt->model : x->air->ask.model;
    x->late = NULL;
    x->sent = 0;
    begin(attempt);
    ai_gate_begin(x);
    if (ai_upstream_begin(x) == APR_SUCCESS) {
        rc = run_proxy(x);
    }
    else {
        attempt->reason = "encode";
        attempt->retryable = 0;
    }
    conclude(x, rc);
    if (attempt->outcome == AI_OUTCOME_ANSWERED) {
        x->air->r->handler = AI_HANDLER;
        x->air->r->status = x->head_sent && x->streams ? HTTP_OK : x->air->r->status;
        return;
    }
    reset(x);
}

/* That it answers was said when it began to. */
static void explain(ai_request_t *air, const ai_attempt_t *attempt)
{
    if (attempt->outcome == AI_OUTCOME_FAILED) {
        ai_explain_attempt(air, "failed", attempt);
    }
    else if (attempt->outcome == AI_OUTCOME_GONE) {
        ai_explain_attempt(air, "left", attempt); /* the caller */
    }
    else if (air->finish == AI_FINISH_ERROR && attempt->status < 300) {
        ai_explain_attempt(air, "broke", attempt);
    }
}

void ai_exchange(ai_request_t *air, ai_attempt_t *attempt)
{
    ai_exchange_t *x = exchange_for(air);
    apr_time_t before = air->priv->upstream_time;

    ai_run_ai_attempt(air, attempt, 0);
    attempt_once(x, attempt);
    /* The target closed a pooled connection just when we took it: it never saw the request. */
    if (attempt->outcome == AI_OUTCOME_FAILED && attempt->reused && !x->judged
        && !attempt->timed_out && ai_upload_can_repeat(air)) {
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, air->r,
                      AI_LOGNO(0108) "target %s: a pooled connection was stale; once more",
                      attempt->target->name);
        attempt_once(x, attempt);
    }
    explain(air, attempt);
    attempt->took_us = air->priv->upstream_time - before;
    ai_run_ai_attempt(air, attempt, 1);
}

void ai_exchange_pass_over(ai_request_t *air, ai_attempt_t *attempt, int refused)
{
    begin(attempt);
    attempt->reason = refused ? "upstream-auth" : "no-key";
    attempt->retryable = 0;
    attempt->took_us = 0;
    ai_explain_attempt(air, "passed-over", attempt);
    log_failure(air, attempt);
}

int ai_exchange_wait(ai_request_t *air, apr_interval_time_t microseconds)
{
    apr_time_t began = apr_time_now();
    int there = ai_watch_wait(exchange_for(air), microseconds);

    air->priv->other_time += apr_time_now() - began;
    if (!there) {
        air->finish = AI_FINISH_CLIENT_ABORT;
    }
    return there;
}

/* ------------------------------------------------------------------------ the last word */

/* The headers of a kept error that help a caller: when to come again, how much is left. */
static int pass_header(void *to, const char *name, const char *value)
{
    if (ap_cstr_casecmpn(name, "retry-after", 11) == 0
        || ap_cstr_casecmpn(name, "x-ratelimit-", 12) == 0
        || ap_cstr_casecmpn(name, "anthropic-ratelimit-", 20) == 0
        || ap_cstr_casecmp(name, "x-should-retry") == 0) {
        apr_table_setn(to, name, value);
    }
    return 1;
}

/* It goes into headers and records: nothing but visible characters, and not too many. */
static int is_id(const char *text)
{
    const char *at = text;

    while (*at > ' ' && *at < 0x7f) {
        at++;
    }
    return !*at && at > text && at - text <= PROVIDER_ID_MAX;
}

void ai_exchange_take_id(ai_exchange_t *x, const ai_dialect_t *dialect, const apr_table_t *head)
{
    const char *id = apr_table_get(head, dialect->id_header);

    x->air->provider_id = id && is_id(id) ? id : NULL;
}

void ai_exchange_show_id(const ai_exchange_t *x, apr_table_t *headers)
{
    if (x->air->provider_id) {
        apr_table_setn(headers, "ai-provider-request-id", x->air->provider_id);
    }
}

static int begins_as_object(const ai_exchange_t *x)
{
    ai_slice_t body = ai_slice_skip_space((ai_slice_t){ x->kept, x->kept_len });

    return body.n && *body.p == '{';
}

void ai_exchange_read_error(ai_exchange_t *x, const ai_dialect_t *dialect, int status,
                            ai_slice_t body, ai_error_t *error)
{
    apr_pool_t *p = x->air->r->pool;

    error->message = apr_psprintf(p, "The provider answered with HTTP %d.", status);
    if (body.n) {
        dialect->read_error(p, body, error);
    }
    x->air->provider_error = body;
    x->air->provider_status = status;
}

/* What the failure comes to, in words. */
static const ai_error_t *sum_up(ai_exchange_t *x, const ai_attempt_t *last)
{
    apr_pool_t *p = x->air->r->pool;
    ai_error_t *error = apr_pcalloc(p, sizeof(*error));
    int code;

    if (ai_upload_fault(x->air)) {
        return ai_upload_fault(x->air);
    }
    error->status = HTTP_BAD_GATEWAY;
    error->code = "upstream_error";
    if (x->kept_status) {
        ai_exchange_read_error(x, x->kept_dialect, x->kept_status,
                               (ai_slice_t){ x->kept, x->kept_len }, error);
        /* Where the dialect does not tell what an event would have as a status, its code may. */
        code = error->code && strlen(error->code) == 3 ? (int)apr_atoi64(error->code) : 0;
        if (!x->kept_event) {
            error->status = x->kept_status;
        }
        else if (code >= 400 && code <= 599) {
            error->status = code;
        }
        if (x->kept_dialect != x->air->dialect) {
            ai_fault_normalise(error);
        }
    }
    else if (last->timed_out) {
        error->status = HTTP_GATEWAY_TIME_OUT;
        error->code = "upstream_timeout";
        error->message = "No provider answered in time.";
    }
    else if (strcmp(last->reason, "upstream-auth") == 0) {
        error->code = "upstream_auth_error";
        error->message = "The provider refused the gateway's key.";
    }
    else if (strcmp(last->reason, "no-key") == 0) {
        error->status = HTTP_SERVICE_UNAVAILABLE;
        error->code = "upstream_key_missing";
        error->message = "The gateway has no key for the provider at the moment.";
    }
    else if (strcmp(last->reason, "connect") == 0) {
        error->status = HTTP_SERVICE_UNAVAILABLE;
        error->code = "upstream_unreachable";
        error->message = "No provider could be reached.";
    }
    else {
        error->message = "The provider's answer was broken.";
    }
    return error;
}

int ai_exchange_give_up(ai_request_t *air, const ai_attempt_t *last)
{
    request_rec *r = air->r;
    ai_exchange_t *x = exchange_for(air);
    const ai_error_t *error = x->untold && !x->kept_status && strcmp(last->reason, "encode") == 0
                                  ? x->untold
                                  : sum_up(x, last);

    air->finish = AI_FINISH_ERROR;
    ai_note_set(air, AI_NOTE_DENY, error->code);
    if (!ai_upload_fault(air)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      AI_LOGNO(0109) "no target answered; the last, %s, failed: %s, status %d",
                      last->target->name, last->reason, last->status);
    }
    if (x->kept_status) {
        ai_exchange_take_id(x, x->kept_dialect, x->kept_headers);
    }
    if (x->head_sent) {
        ai_explain_here(air, "gave-up", error->code);
        ai_flow_end_stream(x, error);
        x->gate = GATE_IDLE;
        r->status = HTTP_OK; /* as it was sent */
        return DONE;
    }
    if (x->kept_status && x->kept_dialect != air->dialect) {
        ai_translate_headers(x, x->kept_dialect, x->kept_headers, r->err_headers_out);
    }
    else if (x->kept_status) {
        apr_table_do(pass_header, r->headers_out, x->kept_headers, NULL);
        ai_exchange_show_id(x, r->headers_out);
        if (x->kept_whole && begins_as_object(x)) {
            ai_explain_here(air, "gave-up", error->code);
            return ai_answer(air, error->status, "application/json",
                             (ai_slice_t){ x->kept, x->kept_len });
        }
        apr_table_do(pass_header, r->err_headers_out, x->kept_headers, NULL);
    }
    ai_exchange_show_id(x, r->err_headers_out);
    return ai_refuse(air, error);
}

static int on_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    static const char *const names[PROXIES_N] = { "mod_proxy.c", "mod_proxy_http.c",
                                                  "mod_proxy_balancer.c" };
    int i;

    (void)pconf;
    (void)plog;
    (void)ptemp;
    (void)s;
    for (i = 0; i < PROXIES_N; i++) {
        proxies[i] = ap_find_linked_module(names[i]);
    }
    return OK;
}

void ai_exchange_register(apr_pool_t *p)
{
    ap_hook_post_config(on_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ai_upstream_register(p);
    ai_gate_register(p);
    ai_watch_register(p);
}
