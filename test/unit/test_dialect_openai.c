/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_dialect_openai.c - does the OpenAI dialect read and write what providers and SDKs do?
 *
 * The wire data lies in data/openai; README.md there says where each piece comes from. Every
 * stream is read whole, and cut in two at every byte.
 */
#include <stdio.h>
#include <stdlib.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "dialects.h"
#include "tap.h"

extern const ai_dialect_t ai_dialect_openai;

static const ai_dialect_t *const openai = &ai_dialect_openai;
static apr_pool_t *pool;

static ai_slice_t load(const char *name)
{
    char *path = apr_pstrcat(pool, AI_TEST_DATA, "/openai/", name, NULL), *bytes;
    apr_file_t *file;
    apr_finfo_t info;
    apr_size_t n = 0;

    if (apr_file_open(&file, path, APR_READ, APR_OS_DEFAULT, pool) != APR_SUCCESS
        || apr_file_info_get(&info, APR_FINFO_SIZE, file) != APR_SUCCESS) {
        printf("Bail out! no test data: %s\n", path);
        exit(1);
    }
    bytes = apr_palloc(pool, (apr_size_t)info.size + 1);
    apr_file_read_full(file, bytes, (apr_size_t)info.size, &n);
    apr_file_close(file);
    return (ai_slice_t){ bytes, n };
}

static int same(ai_slice_t a, ai_slice_t b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* ---------------------------------------------------------------------------- streams */

/* What came of a stream. */
typedef struct seen_t {
    ai_stream_t stream;
    char kinds[128]; /* a letter for each event but comments */
    char out[16384]; /* what a caller gets */
    apr_size_t n_out;
    char code[64];
    char message[128];
    apr_pool_t *event_pool;
} seen_t;

static void put(seen_t *seen, const char *bytes, apr_size_t n)
{
    memcpy(seen->out + seen->n_out, bytes, n);
    seen->n_out += n;
}

static apr_status_t on_event(void *baton, const ai_sse_event_t *event)
{
    static const char letters[] = "-LCUDEG";
    seen_t *seen = baton;
    ai_event_e kind = openai->read_event(seen->event_pool, &seen->stream, event);
    ai_slice_t cut = seen->stream.cut;
    apr_size_t n = strlen(seen->kinds);

    if (kind != AI_EVENT_COMMENT) {
        seen->kinds[n] = letters[kind];
    }
    if (kind == AI_EVENT_ERROR) {
        apr_cpystrn(seen->code, seen->stream.error.code ? seen->stream.error.code : "-",
                    sizeof(seen->code));
        apr_cpystrn(seen->message, seen->stream.error.message, sizeof(seen->message));
    }
    if (kind == AI_EVENT_USAGE && seen->stream.hide_usage) {
        return APR_SUCCESS;
    }
    if (cut.p) {
        put(seen, event->raw.p, (apr_size_t)(cut.p - event->raw.p));
        put(seen, cut.p + cut.n, (apr_size_t)(event->raw.p + event->raw.n - cut.p - cut.n));
        return APR_SUCCESS;
    }
    put(seen, event->raw.p, event->raw.n);
    return APR_SUCCESS;
}

/* Reads the text in pieces: up to first, then step bytes at a time (0: all the rest). */
static void run(ai_slice_t text, ai_endpoint_e endpoint, int hide, apr_size_t first,
                apr_size_t step, seen_t *seen)
{
    ai_sse_t *sse;
    apr_size_t at = 0;

    memset(seen, 0, sizeof(*seen));
    apr_pool_create(&seen->event_pool, pool);
    seen->stream.endpoint = endpoint;
    seen->stream.hide_usage = hide;
    seen->stream.usage = AI_USAGE_UNKNOWN;
    sse = ai_sse_create(seen->event_pool, 1 << 20);
    while (at < text.n) {
        apr_size_t n = at == 0 && first ? first : step ? step : text.n - at;
        char *copy;

        n = n > text.n - at ? text.n - at : n;
        copy = malloc(n); /* so that a sanitizer sees what reads beyond it or keeps it */
        memcpy(copy, text.p + at, n);
        ai_sse_feed(sse, copy, n, on_event, seen);
        free(copy);
        at += n;
    }
    ai_sse_end(sse, on_event, seen);
    apr_pool_destroy(seen->event_pool);
}

typedef struct stream_case_t {
    const char *file;
    ai_endpoint_e endpoint;
    const char *kinds; /* L lifecycle, C content, U usage, D done, E error, G garbage */
    ai_finish_e finish;
    int done;
    ai_usage_t usage;
    const char *code; /* of an error event */
} stream_case_t;

#define NO_USAGE { -1, -1, -1, -1 }

static const stream_case_t streams[] = {
    { "chat-plain.sse", AI_ENDPOINT_CHAT, "LCCCD", AI_FINISH_STOP, 1, NO_USAGE, NULL },
    { "chat-usage.sse", AI_ENDPOINT_CHAT, "LCCUD", AI_FINISH_LENGTH, 1, { 19, 10, 3, 4 }, NULL },
    { "chat-n2.sse", AI_ENDPOINT_CHAT, "LLCCCCD", AI_FINISH_FILTER, 1, NO_USAGE, NULL },
    { "chat-tools.sse", AI_ENDPOINT_CHAT, "LCCCCCCD", AI_FINISH_TOOL, 1, NO_USAGE, NULL },
    { "chat-refusal.sse", AI_ENDPOINT_CHAT, "LCCD", AI_FINISH_STOP, 1, NO_USAGE, NULL },
    { "chat-error-first.sse", AI_ENDPOINT_CHAT, "LE", AI_FINISH_ERROR, 0, NO_USAGE,
      "upstream_error" },
    { "chat-error-late.sse", AI_ENDPOINT_CHAT, "LCE", AI_FINISH_ERROR, 0, NO_USAGE,
      "upstream_error" },
    { "chat-azure.sse", AI_ENDPOINT_CHAT, "LLCCD", AI_FINISH_FILTER, 1, NO_USAGE, NULL },
    { "openrouter.sse", AI_ENDPOINT_CHAT, "LCCLD", AI_FINISH_STOP, 1, { 14, 4, -1, -1 }, NULL },
    { "openrouter-error.sse", AI_ENDPOINT_CHAT, "LE", AI_FINISH_ERROR, 0, NO_USAGE, "502" },
    { "perplexity.sse", AI_ENDPOINT_CHAT, "CCC", AI_FINISH_STOP, 0, { 7, 3, -1, -1 }, NULL },
    { "deepseek.sse", AI_ENDPOINT_CHAT, "LCCCD", AI_FINISH_STOP, 1, { 20, 11, 16, 8 }, NULL },
    { "vllm.sse", AI_ENDPOINT_CHAT, "LCCUD", AI_FINISH_STOP, 1, { 5, 2, -1, -1 }, NULL },
    { "vllm-error.sse", AI_ENDPOINT_CHAT, "LED", AI_FINISH_ERROR, 1, NO_USAGE, "400" },
    { "cerebras-error.sse", AI_ENDPOINT_CHAT, "LE", AI_FINISH_ERROR, 0, NO_USAGE,
      "token_quota_exceeded" },
    { "xai.sse", AI_ENDPOINT_CHAT, "CCUD", AI_FINISH_STOP, 1, { 12, 102, 5, 100 }, NULL },
    { "completions.sse", AI_ENDPOINT_OTHER, "LCCUD", AI_FINISH_STOP, 1, { 1, 2, -1, -1 }, NULL },
    { "responses.sse", AI_ENDPOINT_OTHER, "LLCCC", AI_FINISH_STOP, 1, { 37, 11, 2, 5 }, NULL },
    { "responses-incomplete.sse", AI_ENDPOINT_OTHER, "LLCCC", AI_FINISH_LENGTH, 1,
      { 37, 11, 2, 5 }, NULL },
    { "responses-failed.sse", AI_ENDPOINT_OTHER, "LLE", AI_FINISH_ERROR, 0, NO_USAGE,
      "server_error" },
    { "responses-error.sse", AI_ENDPOINT_OTHER, "LE", AI_FINISH_ERROR, 0, NO_USAGE,
      "rate_limit_exceeded" },
    { "odd.sse", AI_ENDPOINT_CHAT, "LLLCCDD", AI_FINISH_STOP, 1, NO_USAGE, NULL },
    { "broken-json.sse", AI_ENDPOINT_CHAT, "LG", AI_FINISH_NONE, 0, NO_USAGE, NULL },
    { "cut.sse", AI_ENDPOINT_CHAT, "LCG", AI_FINISH_NONE, 0, NO_USAGE, NULL },
};

static int as_wanted(const seen_t *seen, const stream_case_t *want, ai_slice_t out)
{
    const ai_usage_t *got = &seen->stream.usage;

    return strcmp(seen->kinds, want->kinds) == 0 && seen->stream.finish == want->finish
           && seen->stream.done == want->done && got->prompt == want->usage.prompt
           && got->completion == want->usage.completion && got->cached == want->usage.cached
           && got->reasoning == want->usage.reasoning
           && strcmp(seen->code, want->code ? want->code : "") == 0
           && same((ai_slice_t){ seen->out, seen->n_out }, out);
}

static void test_stream(const stream_case_t *want, int hide, ai_slice_t text, ai_slice_t out)
{
    static seen_t seen;
    apr_size_t at, bad = 0;

    run(text, want->endpoint, hide, 0, 0, &seen);
    if (!ok(as_wanted(&seen, want, out), "%s%s", want->file, hide ? ", usage hidden" : "")) {
        printf("# kinds %s finish %d done %d usage %d %d %d %d code %s, %d bytes for %d\n",
               seen.kinds, seen.stream.finish, seen.stream.done, (int)seen.stream.usage.prompt,
               (int)seen.stream.usage.completion, (int)seen.stream.usage.cached,
               (int)seen.stream.usage.reasoning, seen.code, (int)seen.n_out, (int)out.n);
    }
    for (at = 1; at < text.n && !bad; at++) {
        run(text, want->endpoint, hide, at, 0, &seen);
        bad = as_wanted(&seen, want, out) ? 0 : at;
    }
    ok(!bad, "%s%s: cut in two at every byte (at %d)", want->file, hide ? ", usage hidden" : "",
       (int)bad);
    run(text, want->endpoint, hide, 0, 1, &seen);
    ok(as_wanted(&seen, want, out), "%s%s: byte by byte", want->file, hide ? ", usage hidden" : "");
}

static void test_streams(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        ai_slice_t text = load(streams[i].file);

        test_stream(&streams[i], 0, text, text);
        if (strcmp(streams[i].file, "chat-usage.sse") == 0) {
            test_stream(&streams[i], 1, text, load("chat-usage.hidden.sse"));
        }
        else if (!strchr(streams[i].kinds, 'U')) {
            test_stream(&streams[i], 1, text, text); /* nothing to hide */
        }
    }
}

/* One event by itself. */
static void one(ai_endpoint_e endpoint, int hide, const char *data, seen_t *seen)
{
    run(ai_slice_of(apr_pstrcat(pool, "data: ", data, "\n\n", NULL)), endpoint, hide, 0, 0, seen);
}

static void test_usage_member(void)
{
    static const struct {
        const char *data, *out;
    } cuts[] = {
        { "{\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":null}",
          "{\"choices\":[{\"delta\":{\"content\":\"x\"}}]}" },
        { "{\"id\":\"a\",\"usage\":null,\"choices\":[{\"delta\":{\"content\":\"x\"}}]}",
          "{\"id\":\"a\",\"choices\":[{\"delta\":{\"content\":\"x\"}}]}" },
        { "{\"id\" : \"a\" , \"usage\" : null , \"choices\":[{\"delta\":{\"content\":\"x\"}}]}",
          "{\"id\" : \"a\" , \"choices\":[{\"delta\":{\"content\":\"x\"}}]}" },
        { "{\"id\":\"a\",\"us\\u0061ge\":null,\"choices\":[{\"delta\":{\"content\":\"x\"}}]}",
          "{\"id\":\"a\",\"choices\":[{\"delta\":{\"content\":\"x\"}}]}" },
        /* with numbers in it somebody may need it */
        { "{\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":{\"prompt_tokens\":1}}",
          "{\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":{\"prompt_tokens\":1}}" },
        { "{\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":null\"}}],\"x\":{\"usage\":null}}",
          "{\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":null\"}}],\"x\":{\"usage\":null}}" },
    };
    static seen_t seen;
    apr_size_t i;

    for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        char *want = apr_pstrcat(pool, "data: ", cuts[i].out, "\n\n", NULL);

        one(AI_ENDPOINT_CHAT, 1, cuts[i].data, &seen);
        is_bytes(seen.out, seen.n_out, want, strlen(want), "hidden usage: every other byte stays");
        one(AI_ENDPOINT_CHAT, 0, cuts[i].data, &seen);
        is_bytes(seen.out, seen.n_out, apr_pstrcat(pool, "data: ", cuts[i].data, "\n\n", NULL),
                 strlen(cuts[i].data) + 8, "asked for usage: all bytes stay");
    }
}

static void test_odd_usage(void)
{
    static const struct {
        const char *usage;
        ai_usage_t want;
    } kinds[] = {
        { "{\"prompt_tokens\":3,\"completion_tokens\":4}", { 3, 4, -1, -1 } },
        { "{\"prompt_tokens\":0,\"completion_tokens\":0}", { 0, 0, -1, -1 } },
        { "{\"prompt_tokens\":-3,\"completion_tokens\":4}", { -1, 4, -1, -1 } },
        { "{\"prompt_tokens\":3.0,\"completion_tokens\":4e1}", { 3, 40, -1, -1 } },
        { "{\"prompt_tokens\":3.5,\"completion_tokens\":4}", { -1, 4, -1, -1 } },
        { "{\"prompt_tokens\":\"3\",\"completion_tokens\":4}", { -1, 4, -1, -1 } },
        { "{\"prompt_tokens\":99999999999999999999,\"completion_tokens\":4}", { -1, 4, -1, -1 } },
        { "{\"prompt_tokens\":1000000000001,\"completion_tokens\":4}", { -1, 4, -1, -1 } },
        { "{\"prompt_tokens\":9,\"completion_tokens\":0,\"total_tokens\":40}", { 9, 31, -1, -1 } },
        { "{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11,"
          "\"completion_tokens_details\":{\"reasoning_tokens\":1}}", { 9, 2, -1, 1 } },
        { "{\"prompt_tokens\":9,\"completion_tokens\":2,\"prompt_tokens_details\":null,"
          "\"completion_tokens_details\":null}", { 9, 2, -1, -1 } },
        { "null", NO_USAGE },
        { "[]", NO_USAGE },
        { "\"many\"", NO_USAGE },
        { "{}", NO_USAGE },
    };
    static seen_t seen;
    apr_size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const ai_usage_t *got = &seen.stream.usage, *want = &kinds[i].want;

        one(AI_ENDPOINT_CHAT, 0,
            apr_pstrcat(pool, "{\"choices\":[],\"usage\":", kinds[i].usage, "}", NULL), &seen);
        if (!ok(got->prompt == want->prompt && got->completion == want->completion
                    && got->cached == want->cached && got->reasoning == want->reasoning,
                "usage %s", kinds[i].usage)) {
            printf("# %d %d %d %d\n", (int)got->prompt, (int)got->completion, (int)got->cached,
                   (int)got->reasoning);
        }
    }
}

static void test_finish(void)
{
    static const struct {
        const char *reason;
        ai_finish_e want;
    } reasons[] = {
        { "\"stop\"", AI_FINISH_STOP },           { "\"length\"", AI_FINISH_LENGTH },
        { "\"tool_calls\"", AI_FINISH_TOOL },     { "\"function_call\"", AI_FINISH_TOOL },
        { "\"content_filter\"", AI_FINISH_FILTER }, { "\"eos\"", AI_FINISH_STOP },
        { "\"abort\"", AI_FINISH_STOP },          { "\"st\\u006fp\"", AI_FINISH_STOP },
        { "\"l\\u0065ngth\"", AI_FINISH_LENGTH }, { "null", AI_FINISH_NONE },
        { "\"\"", AI_FINISH_NONE },               { "7", AI_FINISH_NONE },
    };
    static seen_t seen;
    apr_size_t i;

    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        one(AI_ENDPOINT_CHAT, 0,
            apr_pstrcat(pool, "{\"choices\":[{\"delta\":{},\"finish_reason\":", reasons[i].reason,
                        "}]}", NULL),
            &seen);
        ok(seen.stream.finish == reasons[i].want, "finish_reason %s", reasons[i].reason);
        ok(strcmp(seen.kinds, reasons[i].want == AI_FINISH_NONE ? "L" : "C") == 0,
           "finish_reason %s: an end is part of the answer", reasons[i].reason);
    }
}

/* ------------------------------------------------------------------------ whole answers */

static void test_answers(void)
{
    static const struct {
        const char *file;
        ai_endpoint_e endpoint;
        ai_usage_t usage;
        ai_finish_e finish;
    } answers[] = {
        { "chat.json", AI_ENDPOINT_CHAT, { 19, 10, 3, 4 }, AI_FINISH_STOP },
        { "chat-tools.json", AI_ENDPOINT_CHAT, { 82, 17, -1, -1 }, AI_FINISH_TOOL },
        { "deepseek.json", AI_ENDPOINT_CHAT, { 20, 11, 16, -1 }, AI_FINISH_LENGTH },
        { "gemini-compat.json", AI_ENDPOINT_CHAT, { 9, 31, -1, -1 }, AI_FINISH_STOP },
        { "embeddings.json", AI_ENDPOINT_EMBEDDINGS, { 8, 0, -1, -1 }, AI_FINISH_STOP },
        { "together-embeddings.json", AI_ENDPOINT_EMBEDDINGS, NO_USAGE, AI_FINISH_STOP },
        { "responses.json", AI_ENDPOINT_OTHER, { 37, 11, 2, 5 }, AI_FINISH_STOP },
        { "responses-incomplete.json", AI_ENDPOINT_OTHER, { 37, 11, 2, 5 }, AI_FINISH_LENGTH },
    };
    apr_size_t i, at;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        ai_slice_t text = load(answers[i].file);
        int bad = 0;

        for (at = 0; at <= text.n; at++) {
            const ai_usage_t *want = &answers[i].usage;
            ai_usage_t usage = AI_USAGE_UNKNOWN;
            ai_finish_e finish = AI_FINISH_NONE;
            apr_pool_t *p;
            ai_pick_t *pick;

            apr_pool_create(&p, pool);
            pick = ai_pick_create(p, openai->answer_members, 65536);
            ai_pick_feed(pick, text.p, at);
            ai_pick_feed(pick, text.p + at, text.n - at);
            openai->read_answer(answers[i].endpoint, pick, &usage, &finish);
            bad += ai_pick_state(pick) != AI_PICK_DONE || finish != answers[i].finish
                   || usage.prompt != want->prompt || usage.completion != want->completion
                   || usage.cached != want->cached || usage.reasoning != want->reasoning;
            apr_pool_destroy(p);
        }
        ok(!bad, "%s: usage and finish, cut at every byte (%d wrong)", answers[i].file, bad);
    }
}

/* ------------------------------------------------------------------------------- errors */

static void test_read_error(void)
{
    static const struct {
        const char *body, *message, *code, *param;
    } errors[] = {
        { "{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":\"p\",\"code\":\"c\"}}", "m", "c",
          "p" },
        { " \n{\"error\":{\"message\":\"m\",\"param\":null,\"code\":null}}", "m", NULL, NULL },
        { "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"},"
          "\"request_id\":\"r\"}", "m", NULL, NULL },
        { "[{\"error\":{\"code\":400,\"message\":\"m\",\"status\":\"INVALID_ARGUMENT\"}}]", "m",
          "INVALID_ARGUMENT", NULL },
        { "{\"code\":\"Client specified an invalid argument\",\"error\":\"m\"}", "m", NULL, NULL },
        { "{\"detail\":[{\"loc\":[\"body\",\"temperature\"],\"msg\":\"m\"}]}", "m", NULL,
          "temperature" },
        { "{\"object\":\"error\",\"message\":{\"detail\":[{\"loc\":[\"body\",\"n\"],"
          "\"msg\":\"m\"}]}}", "m", NULL, "n" },
        { "{\"success\":false,\"errors\":[{\"code\":3040,\"message\":\"m\"}]}", "m", "3040", NULL },
        { "{\"fault\":{\"faultstring\":\"m\",\"detail\":{\"errorcode\":\"e\"}}}", "m", "e", NULL },
        { "{\"error\":\"m\"}", "m", NULL, NULL },
        { "{\"message\":\"m\"}", "m", NULL, NULL },
        { "{\"Message\":\"m\"}", "m", NULL, NULL },
        { "{\"detail\":\"m\"}", "m", NULL, NULL },
        { "{\"id\":\"i\",\"message\":\"m\"}", "m", NULL, NULL },
        { "{\"object\":\"error\",\"message\":\"m\",\"type\":\"t\",\"param\":null,\"code\":400}",
          "m", "400", NULL },
        { "{\"error\":{\"code\":502,\"message\":\"m\",\"metadata\":{\"raw\":\"x\"}}}", "m", "502",
          NULL },
        { "{\"error\":{\"message\":\"\\u0041\\n\\ud83d\\ude00\"}}", "A\n\xf0\x9f\x98\x80", NULL,
          NULL },
        /* nothing to find: what was there stays */
        { "<html><body>502 Bad Gateway</body></html>", "before", NULL, NULL },
        { "", "before", NULL, NULL },
        { "null", "before", NULL, NULL },
        { "{\"error\":", "before", NULL, NULL },
        { "{\"error\":{\"message\":\"open", "before", NULL, NULL },
        { "{\"error\":{\"message\":7}}", NULL, NULL, NULL },
        { "[]", "before", NULL, NULL },
        { "{}", "before", NULL, NULL },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        ai_error_t error = { 500, NULL, "before", NULL };

        openai->read_error(pool, ai_slice_of(errors[i].body), &error);
        ok((!errors[i].message || strcmp(error.message, errors[i].message) == 0)
               && strcmp(error.code ? error.code : "-", errors[i].code ? errors[i].code : "-") == 0
               && strcmp(error.param ? error.param : "-",
                         errors[i].param ? errors[i].param : "-") == 0,
           "error body %s", errors[i].body);
    }
}

static void test_write_error(void)
{
    static const struct {
        ai_error_t error;
        const char *want;
    } errors[] = {
        { { 404, "model_not_found", "No such model.", "model" },
          "{\"error\":{\"message\":\"No such model.\",\"type\":\"invalid_request_error\","
          "\"param\":\"model\",\"code\":\"model_not_found\"}}" },
        { { 401, "invalid_api_key", "x", NULL },
          "{\"error\":{\"message\":\"x\",\"type\":\"authentication_error\",\"param\":null,"
          "\"code\":\"invalid_api_key\"}}" },
        { { 403, NULL, "x", NULL }, "{\"error\":{\"message\":\"x\",\"type\":\"permission_error\","
                                    "\"param\":null,\"code\":null}}" },
        { { 429, NULL, "x", NULL }, "{\"error\":{\"message\":\"x\",\"type\":\"rate_limit_error\","
                                    "\"param\":null,\"code\":null}}" },
        { { 504, NULL, "x", NULL }, "{\"error\":{\"message\":\"x\",\"type\":\"timeout\","
                                    "\"param\":null,\"code\":null}}" },
        { { 529, NULL, "a\"b\\c\n\x01", NULL },
          "{\"error\":{\"message\":\"a\\\"b\\\\c\\n\\u0001\",\"type\":\"server_error\","
          "\"param\":null,\"code\":null}}" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        ai_slice_t got = openai->write_error(pool, &errors[i].error);
        const char *event = apr_pstrcat(pool, "data: ", errors[i].want, "\n\n", NULL);

        is_bytes(got.p, got.n, errors[i].want, strlen(errors[i].want), "an error as a body");
        got = openai->write_error_event(pool, &errors[i].error);
        is_bytes(got.p, got.n, event, strlen(event), "an error as an event");
    }
}

/* --------------------------------------------------------------------------------- asks */

static void test_endpoints(void)
{
    static const struct {
        const char *path;
        ai_endpoint_e want;
        const char *model;
    } paths[] = {
        { "/chat/completions", AI_ENDPOINT_CHAT, NULL },
        { "/embeddings", AI_ENDPOINT_EMBEDDINGS, NULL },
        { "/models", AI_ENDPOINT_MODELS, NULL },
        { "/models/gpt-4o", AI_ENDPOINT_MODEL, "gpt-4o" },
        { "/models/meta-llama/Llama-3", AI_ENDPOINT_MODEL, "meta-llama/Llama-3" },
        { "/models/", AI_ENDPOINT_OTHER, NULL },
        { "/chat/completions/", AI_ENDPOINT_OTHER, NULL },
        { "/chat/completions/id", AI_ENDPOINT_OTHER, NULL },
        { "/Chat/Completions", AI_ENDPOINT_OTHER, NULL },
        { "/responses", AI_ENDPOINT_OTHER, NULL },
        { "/", AI_ENDPOINT_OTHER, NULL },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *model = "unset";
        ai_endpoint_e got = openai->endpoint(pool, paths[i].path, &model);

        ok(got == paths[i].want
               && strcmp(model ? model : "-", paths[i].model ? paths[i].model : "-") == 0,
           "path %s", paths[i].path);
    }
}

/* What edit_ask() makes of a body, or NULL when read_ask() refuses it (*param: the field). */
static const char *edit(const char *body, ai_endpoint_e endpoint, const char *model, int usage,
                        ai_ask_t *ask, const char **param)
{
    ai_json_doc_t doc;
    ai_json_error_t wrong;
    ai_splice_t splice;
    const ai_error_t *error;
    apr_array_header_t *slices;
    apr_size_t total;
    const char *text = "";
    int i;

    memset(ask, 0, sizeof(*ask));
    if (ai_json_parse(pool, ai_slice_of(body), AI_JSON_DEPTH, &doc, &wrong) != APR_SUCCESS) {
        *param = wrong.reason;
        return NULL;
    }
    if ((error = openai->read_ask(pool, endpoint, &doc, ask))) {
        *param = error->param;
        return error->status == 400 && error->message ? NULL : "not a good error";
    }
    ai_splice_begin(pool, &splice, doc.text);
    if (openai->edit_ask(pool, endpoint, &doc, ask, model, usage, &splice) != APR_SUCCESS) {
        return "edit_ask failed";
    }
    ai_splice_end(&splice, &slices, &total);
    for (i = 0; i < slices->nelts; i++) {
        ai_slice_t *slice = &APR_ARRAY_IDX(slices, i, ai_slice_t);

        text = apr_pstrcat(pool, text, apr_pstrmemdup(pool, slice->p, slice->n), NULL);
    }
    return strlen(text) == total ? text : "the total is wrong";
}

static void test_edits(void)
{
    static const struct {
        ai_endpoint_e endpoint;
        const char *body, *model;
        int usage;
        const char *want;
    } edits[] = {
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\"}", NULL, 0, "{\"model\":\"a\"}" },
        { AI_ENDPOINT_CHAT, " { \"model\" : \"a\" , \"seed\":1e400 }\n", "b\"c", 0,
          " { \"model\" : \"b\\\"c\" , \"seed\":1e400 }\n" },
        { AI_ENDPOINT_CHAT, "{\"mo\\u0064el\":\"a\",\"x\":{\"model\":\"y\"}}", "b", 0,
          "{\"mo\\u0064el\":\"b\",\"x\":{\"model\":\"y\"}}" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"stream\":true}", NULL, 1,
          "{\"model\":\"a\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"stream\":true}", NULL, 0,
          "{\"model\":\"a\",\"stream\":true}" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"stream\":false}", NULL, 1,
          "{\"model\":\"a\",\"stream\":false}" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"stream\":true,\"stream_options\":null}", NULL, 1,
          "{\"model\":\"a\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}" },
        { AI_ENDPOINT_CHAT, "{\"stream_options\":{},\"model\":\"a\",\"stream\":true}", NULL, 1,
          "{\"stream_options\":{\"include_usage\":true},\"model\":\"a\",\"stream\":true}" },
        { AI_ENDPOINT_CHAT,
          "{\"model\":\"a\",\"stream\":true,\"stream_options\":{\"include_usage\":false,\"x\":1}}",
          NULL, 1,
          "{\"model\":\"a\",\"stream\":true,\"stream_options\":{\"include_usage\":true,\"x\":1}}" },
        { AI_ENDPOINT_CHAT,
          "{\"model\":\"a\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}", "b", 1,
          "{\"model\":\"b\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}" },
        { AI_ENDPOINT_OTHER, "{\"model\":\"a\",\"stream\":true}", "b", 1,
          "{\"model\":\"b\",\"stream\":true}" },
        { AI_ENDPOINT_OTHER, "{\"x\":1}", "b", 1, "{\"x\":1}" },
        { AI_ENDPOINT_EMBEDDINGS, "{\"model\":\"a\",\"input\":[1,2]}", "b", 1,
          "{\"model\":\"b\",\"input\":[1,2]}" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        const char *param = NULL;
        ai_ask_t ask;
        const char *got = edit(edits[i].body, edits[i].endpoint, edits[i].model, edits[i].usage,
                               &ask, &param);

        is_bytes(got, got ? strlen(got) : 0, edits[i].want, strlen(edits[i].want),
                 "an edit leaves every other byte");
    }
}

static void test_asks(void)
{
    static const struct {
        ai_endpoint_e endpoint;
        const char *body, *model;
        int stream, wants_usage;
    } good[] = {
        { AI_ENDPOINT_CHAT, "{\"model\":\"g\\u00e4\"}", "g\xc3\xa4", 0, 0 },
        { AI_ENDPOINT_CHAT, "{\"model\":\"g\",\"stream\":true}", "g", 1, 0 },
        { AI_ENDPOINT_CHAT,
          "{\"model\":\"g\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}", "g", 1,
          1 },
        { AI_ENDPOINT_CHAT,
          "{\"model\":\"g\",\"stream\":true,\"stream_options\":{\"include_usage\":\"true\"}}", "g",
          1, 0 },
        { AI_ENDPOINT_OTHER, "{\"input\":\"x\"}", NULL, 0, 0 },
        { AI_ENDPOINT_OTHER, "{\"model\":\"g\",\"stream\":true}", "g", 1, 0 },
    };
    static const struct {
        ai_endpoint_e endpoint;
        const char *body, *param;
    } bad[] = {
        { AI_ENDPOINT_CHAT, "{}", "model" },
        { AI_ENDPOINT_EMBEDDINGS, "{\"input\":\"x\"}", "model" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"\"}", "model" },
        { AI_ENDPOINT_CHAT, "{\"model\":{}}", "model" },
        { AI_ENDPOINT_OTHER, "{\"model\":7}", "model" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\\u0000b\"}", "model" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\\u001bb\"}", "model" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"MODEL\":\"b\"}", "model" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"str\\u0045am\":true}", "stream" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"stream\":\"yes\"}", "stream" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"stream_options\":7}", "stream_options" },
    };
    apr_size_t i;
    ai_ask_t ask;
    const char *param;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        param = NULL;
        ok(edit(good[i].body, good[i].endpoint, NULL, 0, &ask, &param)
               && strcmp(ask.model ? ask.model : "-", good[i].model ? good[i].model : "-") == 0
               && ask.stream == good[i].stream && ask.wants_usage == good[i].wants_usage,
           "ask %s", good[i].body);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        param = NULL;
        ok(!edit(bad[i].body, bad[i].endpoint, NULL, 0, &ask, &param) && param
               && strcmp(param, bad[i].param) == 0,
           "refused: %s", bad[i].body);
    }
}

static void test_models_and_key(void)
{
    static const ai_model_t models[] = { { "a\"b", "x", 7 }, { "c", "y", 8 } };
    static const char list[] =
        "{\"object\":\"list\",\"data\":[{\"id\":\"a\\\"b\",\"object\":\"model\",\"created\":7,"
        "\"owned_by\":\"x\"},{\"id\":\"c\",\"object\":\"model\",\"created\":8,\"owned_by\":\"y\"}]}";
    static const char single[] =
        "{\"id\":\"c\",\"object\":\"model\",\"created\":8,\"owned_by\":\"y\"}";
    static const char empty[] = "{\"object\":\"list\",\"data\":[]}";
    apr_table_t *headers = apr_table_make(pool, 2);
    ai_slice_t got = openai->write_models(pool, models, 2, 0);

    is_bytes(got.p, got.n, list, strlen(list), "the list of models");
    got = openai->write_models(pool, models + 1, 1, 1);
    is_bytes(got.p, got.n, single, strlen(single), "one model");
    got = openai->write_models(pool, NULL, 0, 0);
    is_bytes(got.p, got.n, empty, strlen(empty), "no models");
    apr_table_setn(headers, "Authorization", "Bearer old");
    openai->set_key(headers, pool, "sk-new");
    ok(strcmp(apr_table_get(headers, "authorization"), "Bearer sk-new") == 0
           && apr_table_elts(headers)->nelts == 1, "the key is the only authorization");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_endpoints();
    test_asks();
    test_edits();
    test_streams();
    test_usage_member();
    test_odd_usage();
    test_finish();
    test_answers();
    test_read_error();
    test_write_error();
    test_models_and_key();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
