/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_translate.c - what if caller and target do not speak the same dialect?
 *
 * The request is read once into ai_talk_t and written anew for each target; the answer comes back
 * step by step as ai_delta_t, event for event, or whole when it was not streamed. What cannot be
 * carried is named in the header ai-dropped, or refused where AILossy says so.
 *
 * Lives in: r->pool, a pool for each event.  Shared state: none.  May block: no.
 */

#include <apr_strings.h>

#include "ai_exchange.h"
#include "ai_fault.h"

static const ai_translator_t *caller_of(const ai_exchange_t *x)
{
    return x->air->dialect->translator;
}

static const ai_translator_t *provider_of(const ai_exchange_t *x)
{
    return x->attempt->target->dialect->translator;
}

/* ---------------------------------------------------------------------- the request */

apr_status_t ai_translate_check_loss(ai_exchange_t *x)
{
    apr_pool_t *p = x->air->r->pool;
    ai_error_t *error;

    if (!x->lost || !x->lost->nelts
        || ai_core_number(x->air->r, AI_LOSSY) != AI_LOSSY_REFUSE) {
        return APR_SUCCESS;
    }
    error = apr_palloc(p, sizeof(*error));
    *error = (ai_error_t){
        HTTP_BAD_REQUEST, "unsupported_parameter",
        apr_psprintf(p, "The provider that serves this model cannot be told: %s.",
                     apr_array_pstrcat(p, x->lost, ',')),
        APR_ARRAY_IDX(x->lost, 0, const char *),
    };
    x->untold = error;
    return APR_EINVAL;
}

static const ai_error_t *read_once(ai_exchange_t *x)
{
    ai_request_t *air = x->air;

    if (!x->talk) {
        x->talk = ai_talk_create(air->r->pool);
        x->talk_wrong = caller_of(x)->read_talk(air->r->pool, air->doc, x->talk);
    }
    return x->talk_wrong;
}

apr_status_t ai_translate_ask(ai_exchange_t *x)
{
    request_rec *r = x->air->r;
    const ai_target_t *target = x->attempt->target;
    const char *model = x->attempt->model ? x->attempt->model : x->air->ask.model;
    ai_write_t out;

    x->untold = read_once(x);
    if (x->untold) {
        return APR_EINVAL;
    }
    ai_sent_begin(r->pool, x->talk, &x->telling);
    ai_write_begin(r->pool, &out);
    x->untold = provider_of(x)->write_talk(r->pool, x->talk, model,
                                           ai_core_ability(r, target, model),
                                           (int)target->stream_usage, &x->telling, &out);
    x->slices = ai_write_end(&out);
    x->total = out.total;
    if (x->untold) {
        return APR_EINVAL;
    }
    x->lost = x->telling.lost;
    return ai_translate_check_loss(x);
}

const char *ai_translate_path(const ai_exchange_t *x)
{
    const char *model = x->attempt->model ? x->attempt->model : x->air->ask.model;

    return x->translates
               ? provider_of(x)->chat_path(x->air->r->pool, model, x->air->ask.stream)
               : x->air->path;
}

void ai_translate_set_head(const ai_exchange_t *x, apr_table_t *head)
{
    apr_table_setn(head, "Content-Type", "application/json");
    provider_of(x)->set_head(head);
}

/* ------------------------------------------------------------------- the answer's head */

static void keep_header(apr_table_t *to, const apr_table_t *from, const char *name)
{
    const char *value = apr_table_get(from, name);

    if (value) {
        apr_table_setn(to, name, value);
    }
}

void ai_translate_headers(const ai_exchange_t *x, const ai_dialect_t *from_dialect,
                          const apr_table_t *from, apr_table_t *to)
{
    apr_time_t now = apr_time_now();
    ai_limits_t limits = AI_LIMITS_UNKNOWN;

    keep_header(to, from, "retry-after");
    keep_header(to, from, "retry-after-ms");
    keep_header(to, from, "x-should-retry");
    from_dialect->translator->read_limits(from, now, &limits);
    caller_of(x)->write_limits(to, x->air->r->pool, &limits, now);
}

void ai_translate_show_loss(const ai_exchange_t *x)
{
    ai_request_t *air = x->air;
    request_rec *r = air->r;
    const char *lost;

    if (!x->lost || !x->lost->nelts) {
        return;
    }
    lost = apr_array_pstrcat(r->pool, x->lost, ',');
    ai_note_set(air, AI_NOTE_DROPPED, lost);
    if (ai_core_number(r, AI_LOSSY) != AI_LOSSY_ALLOW) {
        apr_table_setn(r->headers_out, "ai-dropped", lost);
    }
}

/* ------------------------------------------------------------------------- a stream */

/* What a writer is told before the first delta. */
static const ai_answer_t *answer_of(const ai_exchange_t *x)
{
    request_rec *r = x->air->r;
    ai_answer_t *answer = apr_palloc(r->pool, sizeof(*answer));

    *answer = (ai_answer_t){ ai_note_get(x->air, AI_NOTE_REQUEST_ID), x->air->ask.model,
                             apr_time_sec(r->request_time), x->air->ask.wants_usage,
                             ai_talk_tokens(x->talk) };
    return answer;
}

void ai_translate_begin_stream(ai_exchange_t *x)
{
    request_rec *r = x->air->r;

    x->writer = caller_of(x)->begin_stream(r->pool, answer_of(x));
    x->reader = provider_of(x)->begin_read(r->pool);
    if (!x->event_pool) {
        apr_pool_create(&x->event_pool, r->pool);
    }
}

static ai_delta_t named_as_asked(const ai_exchange_t *x, const ai_delta_t *delta)
{
    ai_delta_t named = *delta;

    if (delta->kind == AI_DELTA_CALL) {
        named.name = ai_sent_asked(&x->telling, delta->name);
    }
    return named;
}

static void on_delta(void *baton, const ai_delta_t *delta)
{
    ai_exchange_t *x = baton;
    ai_delta_t named = named_as_asked(x, delta);

    caller_of(x)->write_delta(x->writer, &named, x->translation);
}

int ai_translate_event(ai_exchange_t *x, const ai_sse_event_t *event, ai_event_e kind,
                       ai_write_t *out)
{
    ai_slice_t text;

    apr_pool_clear(x->event_pool);
    ai_write_begin(x->event_pool, out);
    if (!x->writer) {
        return 1; /* the end was written: what comes behind it is no part of the answer */
    }
    x->translation = out;
    switch (kind) {
    case AI_EVENT_COMMENT: /* the gateway has heartbeats of its own */
        return 1;
    case AI_EVENT_ERROR:
        ai_fault_normalise(&x->stream.error);
        text = x->air->dialect->write_error_event(x->event_pool, &x->stream.error);
        ai_write_bytes(out, text);
        x->writer = NULL;
        return 1;
    case AI_EVENT_DONE:
        ai_translate_end(x, out);
        return 1;
    default:
        return provider_of(x)->read_deltas(x->reader, x->event_pool, event, on_delta, x);
    }
}

void ai_translate_end(ai_exchange_t *x, ai_write_t *out)
{
    if (x->writer && x->stream.finish != AI_FINISH_ERROR) {
        caller_of(x)->write_end(x->writer, &x->stream, out);
        x->writer = NULL;
    }
}

/* --------------------------------------------------------------------- a whole answer */

static void collect_delta(void *baton, const ai_delta_t *delta)
{
    ai_exchange_t *x = baton;

    APR_ARRAY_PUSH(x->deltas, ai_delta_t) = named_as_asked(x, delta);
}

int ai_translate_answer(ai_exchange_t *x, ai_slice_t body, ai_write_t *out)
{
    request_rec *r = x->air->r;
    ai_json_doc_t doc;
    ai_json_error_t wrong;
    int i;

    x->stream.usage = AI_USAGE_UNKNOWN;
    x->deltas = apr_array_make(r->pool, 8, sizeof(ai_delta_t));
    if (ai_json_parse(r->pool, body, AI_JSON_DEPTH, &doc, &wrong) != APR_SUCCESS
        || ai_json_type(doc.root) != AI_JSON_OBJECT
        || !provider_of(x)->read_whole(r->pool, &doc, &x->stream, collect_delta, x)) {
        return 0;
    }
    if (!x->air->ask.stream) {
        caller_of(x)->write_answer(r->pool, answer_of(x), (const ai_delta_t *)x->deltas->elts,
                                   x->deltas->nelts, &x->stream, out);
        return 1;
    }
    x->writer = caller_of(x)->begin_stream(r->pool, answer_of(x));
    for (i = 0; i < x->deltas->nelts; i++) {
        caller_of(x)->write_delta(x->writer, &APR_ARRAY_IDX(x->deltas, i, ai_delta_t), out);
    }
    ai_translate_end(x, out);
    return 1;
}

void ai_translate_error(ai_exchange_t *x, ai_slice_t body, ai_write_t *out)
{
    request_rec *r = x->air->r;
    ai_error_t error = { r->status, NULL, NULL, NULL };

    ai_exchange_read_error(x, x->attempt->target->dialect, r->status, body, &error);
    error.status = r->status;
    ai_fault_normalise(&error);
    if (error.code) {
        ai_note_set(x->air, AI_NOTE_DENY, error.code);
    }
    r->status = error.status;
    r->status_line = NULL;
    ai_write_bytes(out, x->air->dialect->write_error(r->pool, &error));
}

/* ---------------------------------------------------------------------- an estimate */

int ai_estimate(ai_request_t *air)
{
    request_rec *r = air->r;
    const ai_translator_t *caller = air->dialect->translator;
    ai_talk_t *talk = ai_talk_create(r->pool);
    const ai_error_t *wrong;
    apr_int64_t tokens;

    talk->counts_only = 1;
    wrong = caller->read_talk(r->pool, air->doc, talk);
    if (wrong) {
        return ai_refuse(air, wrong);
    }
    tokens = ai_talk_tokens(talk);
    ai_note_set_number(air, AI_NOTE_TOKENS_PROMPT, tokens);
    ai_note_set(air, AI_NOTE_TOKENS_SOURCE, "estimated");
    apr_table_setn(r->headers_out, "ai-tokens-source", "estimated");
    return ai_answer(air, HTTP_OK, "application/json", caller->write_count(r->pool, tokens));
}
