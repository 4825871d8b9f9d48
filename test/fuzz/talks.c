/* SPDX-License-Identifier: Apache-2.0 */
/*
 * talks.c - is what one dialect says told to every other, whatever it says?
 *
 * The first byte of the input says what the rest is: 'q' a request, 's' a stream, 'a' a whole
 * answer, 'e' an error. Requests: what is written for any provider is one good JSON value, which
 * that provider's dialect reads without a fault, and nothing lost can break a header. Answers: what
 * any caller gets keeps the rules of its dialect, however the bytes came.
 *
 * fuzz_openai.c and fuzz_anthropic.c say whose words they are.
 */
#include <string.h>

#include <apr_general.h>

#include "ai_models.h"
#include "dialects.h"
#include "fuzz.h"
#include "talks.h"
#include "translate_flow.h"
#include "translate_wire.h"

/* What is written around a value that a caller gave may nest it deeper. */
#define DEPTH_OUT (2 * AI_JSON_DEPTH + 16)

static const ai_models_t *models;

static void must_be_json(apr_pool_t *p, ai_slice_t text, ai_json_doc_t *doc)
{
    ai_json_error_t wrong;

    if (ai_json_parse(p, text, DEPTH_OUT, doc, &wrong) != APR_SUCCESS) {
        fprintf(stderr, "%s at %d: %.*s\n", wrong.reason, (int)wrong.offset, (int)text.n, text.p);
        must(!"JSON");
    }
}

/* ---------------------------------------------------------------------------- requests */

static void must_fit_a_header(const apr_array_header_t *lost)
{
    const char *c;
    int i;

    for (i = 0; i < lost->nelts; i++) {
        c = APR_ARRAY_IDX(lost, i, const char *);
        must(*c && strlen(c) <= 128);
        for (; *c; c++) {
            must(strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.[]?", *c));
        }
    }
}

static void must_be_error(const ai_error_t *error)
{
    must(error->status == 400);
    must(error->message && *error->message);
}

static int count_calls(const ai_talk_t *talk)
{
    int i, n = 0;

    for (i = 0; i < talk->parts->nelts; i++) {
        n += APR_ARRAY_IDX(talk->parts, i, ai_part_t).kind == AI_PART_CALL;
    }
    return n;
}

/* What was written for a provider is read as a request of its dialect, with the same calls and
 * tools in it. That a value says nothing that makes sense is left for the provider to find. */
static void read_again(apr_pool_t *p, const ai_dialect_t *dialect, const ai_talk_t *talk,
                       ai_slice_t text)
{
    ai_talk_t *again = ai_talk_create(p);
    ai_ask_t ask = { 0 };
    ai_json_doc_t doc;

    must_be_json(p, text, &doc);
    must(!dialect->read_ask(p, AI_ENDPOINT_CHAT, &doc, &ask));
    must(!ask.stream == !talk->stream);
    if (!dialect->translator->read_talk(p, &doc, again)) {
        must(count_calls(again) == count_calls(talk));
        must(again->tools->nelts == talk->tools->nelts);
    }
}

static void tell_request(apr_pool_t *p, const ai_talk_t *talk)
{
    static const char *const names[] = { "gpt-4o", "gpt-5", "claude-opus-4-6",
                                         "claude-3-haiku-20240307", "some-model" };
    const ai_dialect_t *provider;
    const ai_error_t *error;
    ai_sent_t sent;
    ai_write_t out;
    ai_slice_t text;
    apr_size_t n;
    int i;

    for (i = 0; (provider = ai_dialects[i]); i++) {
        for (n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
            ai_sent_begin(p, talk, &sent);
            ai_write_begin(p, &out);
            error = provider->translator->write_talk(
                p, talk, names[n], ai_models_find(models, provider->name, names[n]), 1, &sent,
                &out);
            must_fit_a_header(sent.lost);
            if (error) {
                must_be_error(error);
                continue;
            }
            text = ai_write_flat(&out);
            must(text.n == out.total);
            read_again(p, provider, talk, text);
        }
    }
}

static void on_request(apr_pool_t *p, ai_slice_t text)
{
    ai_talk_t *talk = ai_talk_create(p);
    const ai_error_t *error;
    ai_json_error_t wrong;
    ai_ask_t ask = { 0 };
    ai_json_doc_t doc;

    if (ai_json_parse(p, text, AI_JSON_DEPTH, &doc, &wrong) != APR_SUCCESS
        || ai_json_type(doc.root) != AI_JSON_OBJECT
        || fuzz_dialect->read_ask(p, AI_ENDPOINT_CHAT, &doc, &ask)) {
        return;
    }
    error = fuzz_dialect->translator->read_talk(p, &doc, talk);
    must_fit_a_header(talk->lost);
    if (error) {
        must_be_error(error);
        return;
    }
    must(ai_talk_tokens(talk) >= 0);
    tell_request(p, talk);
}

/* ----------------------------------------------------------------------------- answers */

static void must_keep_rules(apr_pool_t *p, ai_slice_t stream, int ends)
{
    const char *wrong = wire_check(p, stream, ends);

    if (wrong) {
        fprintf(stderr, "%s\n%.*s\n", wrong, (int)stream.n, stream.p);
        must(!"the rules of the dialect");
    }
}

static void on_stream(apr_pool_t *p, ai_slice_t text)
{
    apr_size_t split = text.n ? (unsigned char)text.p[text.n / 2] % (text.n + 1) : 0;
    flow_t whole, parts, lost;
    int i;

    for (i = 0; ai_dialects[i]; i++) {
        flow_begin(p, fuzz_dialect, ai_dialects[i], i & 1, &whole);
        flow_feed(&whole, text.p, text.n);
        flow_end(&whole, 0);
        must(whole.end != FLOW_OPEN);
        if (whole.n) {
            must_keep_rules(p, (ai_slice_t){ whole.out, whole.n }, whole.end == FLOW_FINISHED);
        }
        flow_begin(p, fuzz_dialect, ai_dialects[i], i & 1, &parts);
        flow_feed(&parts, text.p, split);
        flow_feed(&parts, text.p + split, text.n - split);
        flow_end(&parts, 0);
        must(parts.end == whole.end && parts.n == whole.n);
        must(!whole.n || memcmp(parts.out, whole.out, whole.n) == 0);

        flow_begin(p, fuzz_dialect, ai_dialects[i], i & 1, &lost);
        flow_feed(&lost, text.p, split);
        flow_end(&lost, 1);
        must(lost.end != FLOW_OPEN && (lost.end != FLOW_FINISHED || lost.stream.done));
    }
}

static void on_answer(apr_pool_t *p, ai_slice_t text)
{
    ai_slice_t body, events;
    ai_json_error_t wrong;
    ai_json_doc_t doc, out;
    int i;

    if (ai_json_parse(p, text, AI_JSON_DEPTH, &doc, &wrong) != APR_SUCCESS
        || ai_json_type(doc.root) != AI_JSON_OBJECT) {
        return;
    }
    for (i = 0; ai_dialects[i]; i++) {
        if (flow_whole(p, fuzz_dialect, ai_dialects[i], &doc, &body, &events)) {
            must_be_json(p, body, &out);
            must(ai_json_type(out.root) == AI_JSON_OBJECT);
            must_keep_rules(p, events, 1);
        }
    }
}

static void on_error(apr_pool_t *p, ai_slice_t text)
{
    ai_error_t error = { 500, NULL, "none", NULL };
    ai_json_doc_t doc;
    int i;

    fuzz_dialect->read_error(p, text, &error);
    ai_fault_normalise(&error);
    for (i = 0; ai_dialects[i]; i++) {
        must_be_json(p, ai_dialects[i]->write_error(p, &error), &doc);
        must_keep_rules(p, ai_dialects[i]->write_error_event(p, &error), 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static apr_pool_t *root;
    const char *wrong;
    apr_pool_t *pool;
    ai_slice_t text;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
        models = ai_models_read(root, ai_models_builtin(), NULL, &wrong);
        must(models);
    }
    if (n == 0) {
        return 0;
    }
    text = (ai_slice_t){ (const char *)bytes + 1, n - 1 };
    apr_pool_create(&pool, root);
    switch (bytes[0]) {
    case 'q':
        on_request(pool, text);
        break;
    case 's':
        on_stream(pool, text);
        break;
    case 'a':
        on_answer(pool, text);
        break;
    case 'e':
        on_error(pool, text);
        break;
    default:
        break;
    }
    apr_pool_destroy(pool);
    return 0;
}
