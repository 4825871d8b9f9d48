/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_dialect_openai.c - does the OpenAI dialect read the answers that providers send?
 *
 * The wire data lies in data/openai; README.md there says where each piece comes from. Every
 * stream is read whole, and cut in two at every byte.
 */
#include "dialect_frame.h"

extern const ai_dialect_t ai_dialect_openai;

static const frame_stream_t streams[] = {
    { "chat-plain.sse", AI_ENDPOINT_CHAT, "LCCCD", AI_FINISH_STOP, 1, FRAME_NO_USAGE, NULL },
    { "chat-usage.sse", AI_ENDPOINT_CHAT, "LCCUD", AI_FINISH_LENGTH, 1, { 19, 10, 3, 4, -1 }, NULL },
    { "chat-n2.sse", AI_ENDPOINT_CHAT, "LLCCCCD", AI_FINISH_FILTER, 1, FRAME_NO_USAGE, NULL },
    { "chat-tools.sse", AI_ENDPOINT_CHAT, "LCCCCCCD", AI_FINISH_TOOL, 1, FRAME_NO_USAGE, NULL },
    { "chat-refusal.sse", AI_ENDPOINT_CHAT, "LCCD", AI_FINISH_STOP, 1, FRAME_NO_USAGE, NULL },
    { "chat-error-first.sse", AI_ENDPOINT_CHAT, "LE", AI_FINISH_ERROR, 0, FRAME_NO_USAGE,
      "upstream_error" },
    { "chat-error-late.sse", AI_ENDPOINT_CHAT, "LCE", AI_FINISH_ERROR, 0, FRAME_NO_USAGE,
      "upstream_error" },
    { "chat-azure.sse", AI_ENDPOINT_CHAT, "LLCCD", AI_FINISH_FILTER, 1, FRAME_NO_USAGE, NULL },
    { "openrouter.sse", AI_ENDPOINT_CHAT, "LCCLD", AI_FINISH_STOP, 1, { 14, 4, -1, -1, -1 }, NULL },
    { "openrouter-error.sse", AI_ENDPOINT_CHAT, "LE", AI_FINISH_ERROR, 0, FRAME_NO_USAGE, "502" },
    { "perplexity.sse", AI_ENDPOINT_CHAT, "CCC", AI_FINISH_STOP, 0, { 7, 3, -1, -1, -1 }, NULL },
    { "deepseek.sse", AI_ENDPOINT_CHAT, "LCCCD", AI_FINISH_STOP, 1, { 20, 11, 16, 8, -1 }, NULL },
    { "vllm.sse", AI_ENDPOINT_CHAT, "LCCUD", AI_FINISH_STOP, 1, { 5, 2, -1, -1, -1 }, NULL },
    { "vllm-error.sse", AI_ENDPOINT_CHAT, "LED", AI_FINISH_ERROR, 1, FRAME_NO_USAGE, "400" },
    { "cerebras-error.sse", AI_ENDPOINT_CHAT, "LE", AI_FINISH_ERROR, 0, FRAME_NO_USAGE,
      "token_quota_exceeded" },
    { "xai.sse", AI_ENDPOINT_CHAT, "CCUD", AI_FINISH_STOP, 1, { 12, 102, 5, 100, -1 }, NULL },
    { "groq.sse", AI_ENDPOINT_CHAT, "LCCD", AI_FINISH_STOP, 1, { 18, 5, -1, -1, -1 }, NULL },
    { "groq-error.sse", AI_ENDPOINT_CHAT, "LE", AI_FINISH_ERROR, 0, FRAME_NO_USAGE,
      "upstream_error" },
    { "completions.sse", AI_ENDPOINT_OTHER, "LCCUD", AI_FINISH_STOP, 1, { 1, 2, -1, -1, -1 }, NULL },
    { "responses.sse", AI_ENDPOINT_OTHER, "LLCCC", AI_FINISH_STOP, 1, { 37, 11, 2, 5, -1 }, NULL },
    { "responses-incomplete.sse", AI_ENDPOINT_OTHER, "LLCCC", AI_FINISH_LENGTH, 1,
      { 37, 11, 2, 5, -1 }, NULL },
    { "responses-failed.sse", AI_ENDPOINT_OTHER, "LLE", AI_FINISH_ERROR, 0, FRAME_NO_USAGE,
      "server_error" },
    { "responses-error.sse", AI_ENDPOINT_OTHER, "LE", AI_FINISH_ERROR, 0, FRAME_NO_USAGE,
      "rate_limit_exceeded" },
    { "completions.sse", AI_ENDPOINT_COMPLETIONS, "LCCUD", AI_FINISH_STOP, 1, { 1, 2, -1, -1, -1 },
      NULL },
    { "responses.sse", AI_ENDPOINT_RESPONSES, "LLCCC", AI_FINISH_STOP, 1, { 37, 11, 2, 5, -1 },
      NULL },
    { "responses-failed.sse", AI_ENDPOINT_RESPONSES, "LLE", AI_FINISH_ERROR, 0, FRAME_NO_USAGE,
      "server_error" },
    { "speech.sse", AI_ENDPOINT_SPEECH, "CCC", AI_FINISH_STOP, 1, { 14, 101, -1, -1, -1 }, NULL },
    { "transcription.sse", AI_ENDPOINT_TRANSCRIPTIONS, "CCCCD", AI_FINISH_STOP, 1,
      { 14, 45, -1, -1, -1 }, NULL },
    { "transcription-cut.sse", AI_ENDPOINT_TRANSCRIPTIONS, "C", AI_FINISH_NONE, 0, FRAME_NO_USAGE,
      NULL },
    { "image.sse", AI_ENDPOINT_IMAGES, "CC", AI_FINISH_STOP, 1, { 50, 50, -1, -1, -1 }, NULL },
    { "image-edit.sse", AI_ENDPOINT_IMAGES, "CC", AI_FINISH_STOP, 1, { 30, 40, -1, -1, -1 }, NULL },
    { "image-error.sse", AI_ENDPOINT_IMAGES, "CE", AI_FINISH_ERROR, 0, FRAME_NO_USAGE,
      "moderation_blocked" },
    { "odd.sse", AI_ENDPOINT_CHAT, "LLLCCDD", AI_FINISH_STOP, 1, FRAME_NO_USAGE, NULL },
    { "broken-json.sse", AI_ENDPOINT_CHAT, "LG", AI_FINISH_NONE, 0, FRAME_NO_USAGE, NULL },
    { "cut.sse", AI_ENDPOINT_CHAT, "LCG", AI_FINISH_NONE, 0, FRAME_NO_USAGE, NULL },
};

static void test_streams(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        ai_slice_t text = frame_load(streams[i].file);

        frame_stream(&streams[i], 0, text, text);
        if (strcmp(streams[i].file, "chat-usage.sse") == 0) {
            frame_stream(&streams[i], 1, text, frame_load("chat-usage.hidden.sse"));
        }
        else if (!strchr(streams[i].kinds, 'U')) {
            frame_stream(&streams[i], 1, text, text); /* nothing to hide */
        }
    }
}

/* One event by itself. */
static void one(ai_endpoint_e endpoint, int hide, const char *data, frame_seen_t *seen)
{
    frame_run(ai_slice_of(apr_pstrcat(pool, "data: ", data, "\n\n", NULL)), endpoint, hide, 0, 0,
              seen);
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
    static frame_seen_t seen;
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
        { "{\"prompt_tokens\":3,\"completion_tokens\":4}", { 3, 4, -1, -1, -1 } },
        { "{\"prompt_tokens\":0,\"completion_tokens\":0}", { 0, 0, -1, -1, -1 } },
        { "{\"prompt_tokens\":-3,\"completion_tokens\":4}", { -1, 4, -1, -1, -1 } },
        { "{\"prompt_tokens\":3.0,\"completion_tokens\":4e1}", { 3, 40, -1, -1, -1 } },
        { "{\"prompt_tokens\":3.5,\"completion_tokens\":4}", { -1, 4, -1, -1, -1 } },
        { "{\"prompt_tokens\":\"3\",\"completion_tokens\":4}", { -1, 4, -1, -1, -1 } },
        { "{\"prompt_tokens\":99999999999999999999,\"completion_tokens\":4}", { -1, 4, -1, -1, -1 } },
        { "{\"prompt_tokens\":1000000000001,\"completion_tokens\":4}", { -1, 4, -1, -1, -1 } },
        { "{\"prompt_tokens\":9,\"completion_tokens\":0,\"total_tokens\":40}", { 9, 31, -1, -1, -1 } },
        { "{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11,"
          "\"completion_tokens_details\":{\"reasoning_tokens\":1}}", { 9, 2, -1, 1, -1 } },
        { "{\"prompt_tokens\":9,\"completion_tokens\":2,\"prompt_tokens_details\":null,"
          "\"completion_tokens_details\":null}", { 9, 2, -1, -1, -1 } },
        { "null", FRAME_NO_USAGE },
        { "[]", FRAME_NO_USAGE },
        { "\"many\"", FRAME_NO_USAGE },
        { "{}", FRAME_NO_USAGE },
    };
    static frame_seen_t seen;
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
    static frame_seen_t seen;
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
    static const frame_answer_t answers[] = {
        { "chat.json", AI_ENDPOINT_CHAT, { 19, 10, 3, 4, -1 }, AI_FINISH_STOP },
        { "chat-tools.json", AI_ENDPOINT_CHAT, { 82, 17, -1, -1, -1 }, AI_FINISH_TOOL },
        { "deepseek.json", AI_ENDPOINT_CHAT, { 20, 11, 16, -1, -1 }, AI_FINISH_LENGTH },
        { "gemini-compat.json", AI_ENDPOINT_CHAT, { 9, 31, -1, -1, -1 }, AI_FINISH_STOP },
        { "embeddings.json", AI_ENDPOINT_EMBEDDINGS, { 8, 0, -1, -1, -1 }, AI_FINISH_STOP },
        { "together-embeddings.json", AI_ENDPOINT_EMBEDDINGS, FRAME_NO_USAGE, AI_FINISH_STOP },
        { "responses.json", AI_ENDPOINT_OTHER, { 37, 11, 2, 5, -1 }, AI_FINISH_STOP },
        { "responses.json", AI_ENDPOINT_RESPONSES, { 37, 11, 2, 5, -1 }, AI_FINISH_STOP },
        { "completions.json", AI_ENDPOINT_COMPLETIONS, { 5, 7, -1, -1, -1 }, AI_FINISH_LENGTH },
        { "moderation.json", AI_ENDPOINT_MODERATIONS, FRAME_NO_USAGE, AI_FINISH_STOP },
        { "images.json", AI_ENDPOINT_IMAGES, { 50, 50, -1, -1, -1 }, AI_FINISH_STOP },
        { "images-old.json", AI_ENDPOINT_IMAGES, FRAME_NO_USAGE, AI_FINISH_STOP },
        { "transcription.json", AI_ENDPOINT_TRANSCRIPTIONS, { 14, 45, -1, -1, -1 }, AI_FINISH_STOP },
        { "transcription-duration.json", AI_ENDPOINT_TRANSCRIPTIONS, FRAME_NO_USAGE,
          AI_FINISH_STOP },
        { "rerank-cohere.json", AI_ENDPOINT_RERANK, { 124, 0, -1, -1, -1 }, AI_FINISH_STOP },
        { "rerank-billed.json", AI_ENDPOINT_RERANK, { 33, 0, -1, -1, -1 }, AI_FINISH_STOP },
        { "rerank-units.json", AI_ENDPOINT_RERANK, FRAME_NO_USAGE, AI_FINISH_STOP },
        { "rerank-jina.json", AI_ENDPOINT_RERANK, { 815, 0, -1, -1, -1 }, AI_FINISH_STOP },
        { "rerank-vllm.json", AI_ENDPOINT_RERANK, { 56, 0, -1, -1, -1 }, AI_FINISH_STOP },
        { "responses-incomplete.json", AI_ENDPOINT_OTHER, { 37, 11, 2, 5, -1 }, AI_FINISH_LENGTH },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        frame_answer(&answers[i]);
    }
}

int main(void)
{
    frame_begin(&ai_dialect_openai, "openai");
    test_streams();
    test_usage_member();
    test_odd_usage();
    test_finish();
    test_answers();
    return frame_end();
}
