/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_call.c - what is known of a call?
 *
 * Lives in: r->pool.  Shared state: none.  May block: no.
 */

#include <apr_strings.h>

#include "audit_metadata.h"
#include "audit_private.h"

static const char *note(const ai_request_t *air, ai_note_e name)
{
    return audit_ai->note_get(air, name);
}

/* A note that is a number. */
static apr_int64_t number(const ai_request_t *air, ai_note_e name)
{
    const char *text = note(air, name);

    return text ? apr_atoi64(text) : AI_AUDIT_UNKNOWN;
}

/* The request ends: no end will redeem what was promised to it. */
static apr_status_t forget(void *data)
{
    const audit_call_t *call = data;

    if (call->begun && !call->ended) {
        audit_spool_forget();
    }
    return APR_SUCCESS;
}

audit_call_t *audit_call_of(ai_request_t *air)
{
    request_rec *r = air->r;
    audit_call_t *call = ap_get_module_config(r->request_config, &ai_audit_module);
    const audit_conf_t *conf;

    if (call) {
        return call;
    }
    conf = ap_get_module_config(r->per_dir_config, &ai_audit_module);
    if (!audit_is_on(conf)) {
        return NULL;
    }
    call = apr_pcalloc(r->pool, sizeof(*call));
    call->conf = conf;
    ai_audit_record_clear(&call->record);
    if (!ai_audit_call_id(note(air, AI_NOTE_REQUEST_ID), &call->id)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      AI_LOGNO(0610) "OpenSSL gives no SHA-256: the records of this call have no id "
                      "of their own");
    }
    call->body = audit_body_make(air, &call->id);
    ap_set_module_config(r->request_config, &ai_audit_module, call);
    apr_pool_cleanup_register(r->pool, call, forget, apr_pool_cleanup_null);
    return call;
}

/* --------------------------------------------------------------------------- on its way */

static void add_attempt(audit_call_t *call, const ai_request_t *air, const ai_attempt_t *attempt,
                        const char *reason, apr_int64_t us)
{
    const char *model = attempt->model ? attempt->model : air->ask.model;

    if (!call->attempts) {
        call->attempts = apr_array_make(air->r->pool, 2, sizeof(ai_audit_attempt_t));
    }
    APR_ARRAY_PUSH(call->attempts, ai_audit_attempt_t) =
        (ai_audit_attempt_t){ attempt->target->name, model, attempt->status, reason, us };
}

void audit_call_attempt(audit_call_t *call, const ai_request_t *air, const ai_attempt_t *attempt,
                        int over)
{
    if (!over) {
        call->attempt = attempt;
        return;
    }
    call->attempt = NULL;
    if (!call->ended) {
        add_attempt(call, air, attempt,
                    attempt->outcome == AI_OUTCOME_ANSWERED ? NULL : attempt->reason,
                    attempt->took_us);
        call->attempts_us += attempt->took_us;
    }
}

/* Why an answer that had begun was not one: as the metrics have it. NULL: it was one. */
static const char *broke_off(const audit_call_t *call, const ai_attempt_t *attempt)
{
    if (!call->record.finish || strcmp(call->record.finish, "error") != 0 || attempt->status >= 400) {
        return NULL;
    }
    return attempt->reason ? attempt->reason : "broken";
}

/* An answer is settled before its attempt is over: how that went is known but for its outcome. */
static void add_last_attempt(audit_call_t *call, const ai_request_t *air)
{
    apr_int64_t upstream = call->record.us.upstream;

    if (call->attempt) {
        add_attempt(call, air, call->attempt, broke_off(call, call->attempt),
                    upstream < 0 ? AI_AUDIT_UNKNOWN : upstream - call->attempts_us);
    }
    if (call->attempts) {
        call->record.attempts.list = (const ai_audit_attempt_t *)call->attempts->elts;
        call->record.attempts.n = call->attempts->nelts;
    }
}

/* --------------------------------------------------------------------------- the record */

/* Those headers of the request that AIAuditHeader names. */
static void add_headers(audit_call_t *call, const request_rec *r)
{
    const apr_array_header_t *names = call->conf->headers;
    ai_audit_pair_t *pairs;
    int i, n = 0;

    if (!names || call->record.headers.n) {
        return;
    }
    pairs = apr_palloc(r->pool, (apr_size_t)names->nelts * sizeof(*pairs));
    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        const char *value = apr_table_get(r->headers_in, name);

        if (value) {
            pairs[n++] = (ai_audit_pair_t){ name, value, AI_JSON_STRING };
        }
    }
    call->record.headers = (ai_audit_pairs_t){ pairs, n };
}

void audit_call_begin(audit_call_t *call, ai_request_t *air)
{
    ai_audit_record_t *record = &call->record;
    const request_rec *r = air->r;

    record->id = note(air, AI_NOTE_REQUEST_ID);
    record->time = r->request_time;
    record->node = audit_server->node;
    record->server = r->server->server_hostname;
    record->tenant = note(air, AI_NOTE_TENANT);
    record->user = note(air, AI_NOTE_USER);
    record->user = record->user ? record->user : r->user;
    record->key = note(air, AI_NOTE_KEY_ID);
    record->tier = note(air, AI_NOTE_TIER);
    record->label = note(air, AI_NOTE_LABEL);
    record->address = r->useragent_ip;
    record->method = r->method;
    record->path = r->uri;
    record->endpoint = note(air, AI_NOTE_ENDPOINT);
    record->dialect = note(air, AI_NOTE_DIALECT);
    record->model = note(air, AI_NOTE_MODEL);
    record->stream = air->ask.stream;
    record->trace.id = note(air, AI_NOTE_TRACE_ID);
    record->trace.span = note(air, AI_NOTE_SPAN_ID);
    record->trace.parent = note(air, AI_NOTE_TRACE_PARENT);
    record->reserved.prompt = air->reserved.prompt;
    record->reserved.completion = air->reserved.completion;
    add_headers(call, r);
    if (!call->has_metadata) {
        call->has_metadata = 1;
        audit_metadata_read(air, &record->metadata);
    }
}

/* Notes that the record has under other names, or that modules to come will set. */
static int is_ours(const char *name)
{
    static const char *const names[] = {
        "request-id", "key-id", "user", "tenant", "tier", "dialect", "endpoint", "model", "stream",
        "label", "route", "target", "attempts", "model-served", "tokens-prompt", "tokens-completion",
        "tokens-cached", "tokens-reasoning", "tokens-source", "cost-nanousd", "price", "dropped",
        "deny", "finish", "time-head-us", "time-first-us", "time-upstream-us", "overhead-us", "cache",
        "guard", "limit", "trace-id", "span-id", "trace-parent",
    };
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i][0] == name[3] && strcmp(name + 3, names[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

/* The notes that the site made up itself. */
static void add_notes(audit_call_t *call, const request_rec *r)
{
    const apr_array_header_t *all = apr_table_elts(r->notes);
    ai_audit_pair_t *pairs = NULL;
    int i, n = 0;

    for (i = 0; i < all->nelts; i++) {
        const apr_table_entry_t *one = &APR_ARRAY_IDX(all, i, apr_table_entry_t);

        if (strncmp(one->key, "ai-", 3) == 0 && !is_ours(one->key)) {
            if (!pairs) {
                pairs = apr_palloc(r->pool, (apr_size_t)(all->nelts - i) * sizeof(*pairs));
            }
            pairs[n++] = (ai_audit_pair_t){ one->key, one->val, AI_JSON_STRING };
        }
    }
    call->record.notes = (ai_audit_pairs_t){ pairs, n };
}

void audit_call_end(audit_call_t *call, ai_request_t *air)
{
    ai_audit_record_t *record = &call->record;
    const request_rec *r = air->r;

    audit_call_begin(call, air);
    record->served = note(air, AI_NOTE_MODEL_SERVED);
    record->route = note(air, AI_NOTE_ROUTE);
    record->target = note(air, AI_NOTE_TARGET);
    record->provider_id = air->provider_id;
    record->cache = apr_table_get(r->notes, "ai-cache");
    record->guard = apr_table_get(r->notes, "ai-guard");
    record->limit = apr_table_get(r->notes, "ai-limit");
    record->status = r->status;
    record->deny = note(air, AI_NOTE_DENY);
    record->finish = note(air, AI_NOTE_FINISH);
    record->dropped = note(air, AI_NOTE_DROPPED);
    record->tokens.used = air->usage;
    if (air->usage.service != AI_SERVICE_STANDARD) {
        record->tokens.service = ai_service_name(air->usage.service);
    }
    record->tokens.source = note(air, AI_NOTE_TOKENS_SOURCE);
    record->cost.nanousd = number(air, AI_NOTE_COST_NANOUSD);
    record->cost.price = note(air, AI_NOTE_PRICE);
    record->us.head = number(air, AI_NOTE_TIME_HEAD_US);
    record->us.first = number(air, AI_NOTE_TIME_FIRST_US);
    record->us.upstream = number(air, AI_NOTE_TIME_UPSTREAM_US);
    record->us.overhead = number(air, AI_NOTE_OVERHEAD_US);
    record->us.total = apr_time_now() - r->request_time;
    add_last_attempt(call, air);
    add_notes(call, r);
    record->road = audit_ai->road(air, r->pool);
}
