/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_dialect_openai.c - does the OpenAI dialect read the answers that providers send?
 *
 * The wire data lies in data/openai; README.md there says where each piece comes from. Every
 * stream is read whole, and cut in two at every byte.
 */
#include <stdio.h>
#include <stdlib.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "dialect.h"
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
    { "groq.sse", AI_ENDPOINT_CHAT, "LCCD", AI_FINISH_STOP, 1, { 18, 5, -1, -1 }, NULL },
    { "groq-error.sse", AI_ENDPOINT_CHAT, "LE", AI_FINISH_ERROR, 0, NO_USAGE, "upstream_error" },
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
          "{\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":null\"}}],"
          "\"x\":{\"usage\":null}}" },
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

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_streams();
    test_usage_member();
    test_odd_usage();
    test_finish();
    test_answers();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
