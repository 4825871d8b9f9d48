/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_dialect_anthropic.c - does the Anthropic dialect read what is asked and what is answered?
 *
 * The wire data lies in data/anthropic; README.md there says where each piece comes from.
 */
#include "dialect_frame.h"

extern const ai_dialect_t ai_dialect_anthropic;

/* ---------------------------------------------------------------------------- streams */

static const frame_stream_t streams[] = {
    { "plain.sse", AI_ENDPOINT_CHAT, "LLLCCCCD", AI_FINISH_STOP, 1, { 11, 5, 0, -1, -1 }, NULL },
    { "max-tokens.sse", AI_ENDPOINT_CHAT, "LLCCCD", AI_FINISH_LENGTH, 1, { 11, 3, -1, -1, -1 }, NULL },
    { "stop-sequence.sse", AI_ENDPOINT_CHAT, "LLCCCD", AI_FINISH_STOP, 1, { 11, 2, -1, -1, -1 }, NULL },
    { "thinking-tools.sse", AI_ENDPOINT_CHAT, "LLCCCLLCCCCCCCCCD", AI_FINISH_TOOL, 1,
      { 105, 42, 90, -1, -1 }, NULL },
    { "redacted.sse", AI_ENDPOINT_CHAT, "LCCLCCCD", AI_FINISH_STOP, 1, { 11, 30, 0, 24, -1 }, NULL },
    { "refusal.sse", AI_ENDPOINT_CHAT, "LLCCD", AI_FINISH_FILTER, 1, { 11, 1, 0, -1, -1 }, NULL },
    { "pause.sse", AI_ENDPOINT_CHAT, "LCCCCD", AI_FINISH_STOP, 1, { 11, 5, 0, -1, -1 }, NULL },
    { "window.sse", AI_ENDPOINT_CHAT, "LLCCCD", AI_FINISH_LENGTH, 1, { 200000, 7, 0, -1, -1 }, NULL },
    { "cache.sse", AI_ENDPOINT_CHAT, "LLCCCD", AI_FINISH_STOP, 1, { 1054, 9, 1000, -1, -1 }, NULL },
    { "cache-omitted.sse", AI_ENDPOINT_CHAT, "LLCCCD", AI_FINISH_STOP, 1, { 1054, 9, 1000, -1, -1 },
      NULL },
    { "cache-null.sse", AI_ENDPOINT_CHAT, "LLCCCD", AI_FINISH_STOP, 1, { 1054, 9, 1000, -1, -1 },
      NULL },
    { "citations.sse", AI_ENDPOINT_CHAT, "LLCCCCD", AI_FINISH_STOP, 1, { 11, 5, 0, -1, -1 }, NULL },
    { "error-first.sse", AI_ENDPOINT_CHAT, "E", AI_FINISH_ERROR, 0, FRAME_NO_USAGE,
      "upstream_error" },
    { "error-start.sse", AI_ENDPOINT_CHAT, "LLE", AI_FINISH_ERROR, 0, { 11, 1, -1, -1, -1 },
      "upstream_error" },
    { "error-block.sse", AI_ENDPOINT_CHAT, "LLE", AI_FINISH_ERROR, 0, { 11, 1, -1, -1, -1 },
      "upstream_error" },
    { "error-late.sse", AI_ENDPOINT_CHAT, "LLCE", AI_FINISH_ERROR, 0, { 11, 1, -1, -1, -1 },
      "upstream_error" },
    { "crlf.sse", AI_ENDPOINT_CHAT, "LLLCCCD", AI_FINISH_STOP, 1, { 11, 5, -1, -1, -1 }, NULL },
    { "unnamed.sse", AI_ENDPOINT_CHAT, "LLCCCD", AI_FINISH_STOP, 1, { 11, 5, -1, -1, -1 }, NULL },
    { "odd.sse", AI_ENDPOINT_CHAT, "LLCCCD", AI_FINISH_STOP, 1, { 3, 4, -1, -1, -1 }, NULL },
    { "no-stop.sse", AI_ENDPOINT_CHAT, "LLCCC", AI_FINISH_STOP, 0, { 11, 5, 0, -1, -1 }, NULL },
    { "broken-json.sse", AI_ENDPOINT_CHAT, "LG", AI_FINISH_NONE, 0, { 11, 1, -1, -1, -1 }, NULL },
    { "cut.sse", AI_ENDPOINT_CHAT, "LLCG", AI_FINISH_NONE, 0, { 11, 1, -1, -1, -1 }, NULL },
    { "html.sse", AI_ENDPOINT_CHAT, "G", AI_FINISH_NONE, 0, FRAME_NO_USAGE, NULL },
    { "openai.sse", AI_ENDPOINT_CHAT, "GG", AI_FINISH_NONE, 0, FRAME_NO_USAGE, NULL },
    { "openai.sse", AI_ENDPOINT_OTHER, "CC", AI_FINISH_NONE, 0, FRAME_NO_USAGE, NULL },
};

static void test_streams(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        ai_slice_t text = frame_load(streams[i].file);

        frame_stream(&streams[i], 0, text, text);
        frame_stream(&streams[i], 1, text, text); /* nobody need ask for usage: none is hidden */
    }
}

/* One event by itself: the lines before its data, and the data. */
static void one(const char *before, const char *data, frame_seen_t *seen)
{
    frame_run(ai_slice_of(apr_pstrcat(pool, before, "data: ", data, "\n\n", NULL)),
              AI_ENDPOINT_CHAT, 0, 0, 0, seen);
}

static void test_kinds(void)
{
    static const struct {
        const char *before, *data, *want;
    } events[] = {
        { "event: ping\n", "{\"type\":\"ping\"}", "L" },
        { "event: ping\n", "{\"type\": \"p\\u0069ng\"}", "L" },
        { "event: ping\n", " {\"type\":\"ping\"} ", "L" }, /* JSON may begin with white space */
        { "event: ping\n", "", "" },
        { "", "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"text\"}}", "L" },
        { "", "{\"content_block\":{\"type\":\"thinking\"},\"type\":\"content_block_start\"}", "L" },
        { "", "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"tool_use\"}}", "C" },
        { "", "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"new\"}}", "C" },
        { "", "{\"type\":\"content_block_start\",\"content_block\":null}", "C" },
        { "", "{\"type\":\"content_block_start\"}", "C" },
        { "", "{\"type\":\"content_block_delta\",\"delta\":null}", "C" },
        { "", "{\"type\":\"message_start\"}", "L" },
        { "", "{\"type\":\"message_start\",\"message\":[]}", "L" },
        { "", "{\"type\":\"message_delta\"}", "C" },
        { "", "{\"type\":\"message_delta\",\"delta\":7,\"usage\":[]}", "C" },
        { "", "{\"type\":\"something_new\"}", "C" },
        { "event: error\n", "{\"type\":\"error\"}", "E" },
        { "event: error\n", "{\"type\":\"error\",\"error\":null}", "E" },
        { "event: error\n", "{\"type\":\"error\",\"error\":\"m\"}", "E" },
        { "", "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"m\"}}", "E" },
        /* the name is what Anthropic's own reader goes by */
        { "event: error\n", "{\"error\":{\"type\":\"api_error\",\"message\":\"m\"}}", "E" },
        { "", "{}", "G" },
        { "", "{\"type\":null}", "G" },
        { "", "{\"type\":7}", "G" },
        { "", "[]", "G" },
        { "", "null", "G" },
        { "", "\"ping\"", "G" },
        { "", "{\"type\":\"ping\"", "G" },
        { "", "[DONE]", "G" },
    };
    static frame_seen_t seen;
    apr_size_t i;

    for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        one(events[i].before, events[i].data, &seen);
        if (!ok(strcmp(seen.kinds, events[i].want) == 0, "event %s", events[i].data)) {
            printf("# is %s, want %s\n", seen.kinds, events[i].want);
        }
    }
}

static void test_error_events(void)
{
    static const struct {
        const char *type;
        int status;
    } types[] = {
        { "invalid_request_error", 400 }, { "authentication_error", 401 },
        { "billing_error", 402 },         { "permission_error", 403 },
        { "not_found_error", 404 },       { "conflict_error", 409 },
        { "request_too_large", 413 },     { "rate_limit_error", 429 },
        { "api_error", 500 },             { "timeout_error", 504 },
        { "overloaded_error", 529 },      { "a_new_error", 502 },
    };
    static frame_seen_t seen;
    apr_size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        one("event: error\n", apr_pstrcat(pool, "{\"type\":\"error\",\"error\":{\"type\":\"",
                                          types[i].type, "\",\"message\":\"m \\u00e4\"},"
                                          "\"request_id\":\"r\"}", NULL), &seen);
        if (!ok(strcmp(seen.kinds, "E") == 0 && seen.status == types[i].status
                    && strcmp(seen.message, "m \xc3\xa4") == 0
                    && seen.stream.finish == AI_FINISH_ERROR,
                "an error event of type %s is a %d", types[i].type, types[i].status)) {
            printf("# kinds %s status %d message %s\n", seen.kinds, seen.status, seen.message);
        }
    }
    one("event: error\n", "{\"type\":\"error\"}", &seen);
    ok(seen.status == 502 && seen.message[0], "an error event that says nothing has a message");
}

static void test_usage(void)
{
    static const struct {
        const char *usage;
        ai_usage_t want;
    } kinds[] = {
        { "{\"input_tokens\":3,\"output_tokens\":4}", { 3, 4, -1, -1, -1 } },
        { "{\"input_tokens\":0,\"output_tokens\":0}", { 0, 0, -1, -1, -1 } },
        { "{\"input_tokens\":3,\"cache_read_input_tokens\":20,\"output_tokens\":4}",
          { 23, 4, 20, -1, -1 } },
        { "{\"input_tokens\":3,\"cache_creation_input_tokens\":20,\"output_tokens\":4}",
          { 23, 4, -1, -1, -1 } },
        { "{\"input_tokens\":0,\"cache_read_input_tokens\":7,\"cache_creation_input_tokens\":5,"
          "\"cache_creation\":{\"ephemeral_5m_input_tokens\":5,\"ephemeral_1h_input_tokens\":0}}",
          { 12, -1, 7, -1, -1 } },
        { "{\"input_tokens\":3,\"cache_read_input_tokens\":null,\"output_tokens\":4,"
          "\"output_tokens_details\":null}", { 3, 4, -1, -1, -1 } },
        { "{\"input_tokens\":3,\"output_tokens\":40,"
          "\"output_tokens_details\":{\"thinking_tokens\":30}}", { 3, 40, -1, 30, -1 } },
        { "{\"input_tokens\":-3,\"output_tokens\":4}", { -1, 4, -1, -1, -1 } },
        { "{\"input_tokens\":3.0,\"output_tokens\":4e1}", { 3, 40, -1, -1, -1 } },
        { "{\"input_tokens\":3.5,\"output_tokens\":4}", { -1, 4, -1, -1, -1 } },
        { "{\"input_tokens\":\"3\",\"output_tokens\":4}", { -1, 4, -1, -1, -1 } },
        { "{\"input_tokens\":99999999999999999999,\"output_tokens\":4}", { -1, 4, -1, -1, -1 } },
        { "{\"prompt_tokens\":3,\"completion_tokens\":4}", FRAME_NO_USAGE },
        { "null", FRAME_NO_USAGE },
        { "[]", FRAME_NO_USAGE },
        { "\"many\"", FRAME_NO_USAGE },
        { "{}", FRAME_NO_USAGE },
    };
    static frame_seen_t seen;
    apr_size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const ai_usage_t *got = &seen.stream.usage;

        one("", apr_pstrcat(pool, "{\"type\":\"message_delta\",\"usage\":", kinds[i].usage, "}",
                            NULL), &seen);
        if (!ok(frame_same_usage(got, &kinds[i].want), "usage %s", kinds[i].usage)) {
            printf("# %d %d %d %d\n", (int)got->prompt, (int)got->completion, (int)got->cached,
                   (int)got->reasoning);
        }
        one("", apr_pstrcat(pool, "{\"type\":\"message_start\",\"message\":{\"usage\":",
                            kinds[i].usage, "}}", NULL), &seen);
        ok(frame_same_usage(got, &kinds[i].want), "at the start: usage %s", kinds[i].usage);
    }
}

static void test_finish(void)
{
    static const struct {
        const char *reason;
        ai_finish_e want;
    } reasons[] = {
        { "\"end_turn\"", AI_FINISH_STOP },      { "\"stop_sequence\"", AI_FINISH_STOP },
        { "\"max_tokens\"", AI_FINISH_LENGTH },  { "\"tool_use\"", AI_FINISH_TOOL },
        { "\"refusal\"", AI_FINISH_FILTER },     { "\"pause_turn\"", AI_FINISH_STOP },
        { "\"max_t\\u006fkens\"", AI_FINISH_LENGTH }, { "\"a_new_one\"", AI_FINISH_STOP },
        { "\"model_context_window_exceeded\"", AI_FINISH_LENGTH },
        { "null", AI_FINISH_NONE },              { "7", AI_FINISH_NONE },
        { "{}", AI_FINISH_NONE },
    };
    static frame_seen_t seen;
    apr_size_t i;

    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        one("", apr_pstrcat(pool, "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":",
                            reasons[i].reason, "}}", NULL), &seen);
        ok(seen.stream.finish == reasons[i].want, "stop_reason %s", reasons[i].reason);
    }
}

/* ------------------------------------------------------------------------ whole answers */

static void test_answers(void)
{
    static const frame_answer_t answers[] = {
        { "message.json", AI_ENDPOINT_CHAT, { 11, 5, -1, -1, -1 }, AI_FINISH_STOP },
        { "message-thinking.json", AI_ENDPOINT_CHAT, { 105, 42, 90, 30, -1 }, AI_FINISH_LENGTH },
        { "message-tools.json", AI_ENDPOINT_CHAT, { 11, 17, -1, -1, -1 }, AI_FINISH_TOOL },
        { "message-refusal.json", AI_ENDPOINT_CHAT, { 11, 0, -1, -1, -1 }, AI_FINISH_FILTER },
        { "message-window.json", AI_ENDPOINT_CHAT, { 11, 5, -1, -1, -1 }, AI_FINISH_LENGTH },
        { "message-stop-sequence.json", AI_ENDPOINT_CHAT, { 11, 5, -1, -1, -1 }, AI_FINISH_STOP },
        { "message-pause.json", AI_ENDPOINT_CHAT, { 11, 5, -1, -1, -1 }, AI_FINISH_STOP },
        { "message-old.json", AI_ENDPOINT_CHAT, { 12, 6, -1, -1, -1 }, AI_FINISH_STOP },
        { "message-old.json", AI_ENDPOINT_OTHER, { 12, 6, -1, -1, -1 }, AI_FINISH_STOP },
        /* counted, but not spent */
        { "count.json", AI_ENDPOINT_COUNT, FRAME_NO_USAGE, AI_FINISH_STOP },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        frame_answer(&answers[i]);
    }
}

/* ------------------------------------------------------------------------------- errors */

static void test_read_error(void)
{
    static const struct {
        const char *body, *message, *code;
        int status;
    } errors[] = {
        { "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"m\"},"
          "\"request_id\":\"r\"}", "m", NULL, 404 },
        { " \n{\"error\":{\"message\":\"m\",\"type\":\"overloaded_error\"}}", "m", NULL, 529 },
        { "{\"error\":{\"message\":\"m\",\"type\":\"server_error\",\"code\":\"c\"}}", "m", "c", 7 },
        { "{\"type\":\"overloaded_error\",\"message\":\"m\"}", "m", NULL, 7 },
        { "{\"message\":\"m\"}", "m", NULL, 7 },
        { "<html>529</html>", "before", NULL, 7 },
        { "", "before", NULL, 7 },
        { "{\"error\":{\"type\":", "before", NULL, 7 },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        ai_error_t error = { 7, NULL, "before", NULL };

        dialect->read_error(pool, ai_slice_of(errors[i].body), &error);
        ok(strcmp(error.message, errors[i].message) == 0
               && strcmp(error.code ? error.code : "-", errors[i].code ? errors[i].code : "-") == 0
               && error.status == errors[i].status,
           "error body %s", errors[i].body);
    }
}

/* By status, the type; the rest of the bytes is always the same. */
static void test_write_types(void)
{
    static const struct {
        int status;
        const char *type;
    } types[] = {
        { 400, "invalid_request_error" }, { 401, "authentication_error" },
        { 402, "billing_error" },         { 403, "permission_error" },
        { 404, "not_found_error" },       { 405, "invalid_request_error" },
        { 408, "timeout_error" },         { 409, "conflict_error" },
        { 413, "request_too_large" },     { 415, "invalid_request_error" },
        { 422, "invalid_request_error" }, { 429, "rate_limit_error" },
        { 500, "api_error" },             { 501, "api_error" },
        { 502, "api_error" },             { 503, "overloaded_error" },
        { 504, "timeout_error" },         { 529, "overloaded_error" },
        { 599, "api_error" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        ai_error_t error = { types[i].status, NULL, "x", "model" };
        const char *want = apr_pstrcat(pool, "{\"type\":\"error\",\"error\":{\"type\":\"",
                                       types[i].type, "\",\"message\":\"x\"}}", NULL);
        const char *event = apr_pstrcat(pool, "event: error\ndata: ", want, "\n\n", NULL);
        ai_slice_t got = dialect->write_error(pool, &error);

        is_bytes(got.p, got.n, want, strlen(want), "an error as a body");
        got = dialect->write_error_event(pool, &error);
        is_bytes(got.p, got.n, event, strlen(event), "an error as an event");
    }
}

static void test_write_error(void)
{
    static const struct {
        ai_error_t error;
        const char *want;
    } errors[] = {
        { { 404, "model_not_found", "No such model.", "model" },
          "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\","
          "\"message\":\"No such model.\",\"details\":{\"error_code\":\"model_not_found\"}}}" },
        { { 529, "c\"", "a\"b\\c\n\x01\xc3\xa4", NULL },
          "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
          "\"message\":\"a\\\"b\\\\c\\n\\u0001\xc3\xa4\","
          "\"details\":{\"error_code\":\"c\\\"\"}}}" },
        { { 500, NULL, NULL, NULL },
          "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"\"}}" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        ai_slice_t got = dialect->write_error(pool, &errors[i].error);
        const char *event = apr_pstrcat(pool, "event: error\ndata: ", errors[i].want, "\n\n", NULL);
        static frame_seen_t seen;

        is_bytes(got.p, got.n, errors[i].want, strlen(errors[i].want), "an error as a body");
        got = dialect->write_error_event(pool, &errors[i].error);
        is_bytes(got.p, got.n, event, strlen(event), "an error as an event");
        frame_run(got, AI_ENDPOINT_CHAT, 0, 0, 0, &seen);
        ok(strcmp(seen.kinds, "E") == 0 && seen.status == errors[i].error.status,
           "our own error event is one when a gateway in front reads it");
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
        { "/messages", AI_ENDPOINT_CHAT, NULL },
        { "/messages/count_tokens", AI_ENDPOINT_COUNT, NULL },
        { "/models", AI_ENDPOINT_MODELS, NULL },
        { "/models/claude-x", AI_ENDPOINT_MODEL, "claude-x" },
        { "/models/a/b", AI_ENDPOINT_MODEL, "a/b" },
        { "/models/", AI_ENDPOINT_OTHER, NULL },
        { "/messages/", AI_ENDPOINT_OTHER, NULL },
        { "/messages/batches", AI_ENDPOINT_BATCHES, NULL },
        { "/messages/batches/msgbatch_1/results", AI_ENDPOINT_BATCHES, NULL },
        { "/files", AI_ENDPOINT_FILES, NULL },
        { "/files/file_1/content", AI_ENDPOINT_FILES, NULL },
        { "/filesystem", AI_ENDPOINT_OTHER, NULL },
        { "/messages/count_tokens/", AI_ENDPOINT_OTHER, NULL },
        { "/Messages", AI_ENDPOINT_OTHER, NULL },
        { "/complete", AI_ENDPOINT_OTHER, NULL },
        { "/chat/completions", AI_ENDPOINT_OTHER, NULL },
        { "/", AI_ENDPOINT_OTHER, NULL },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *model = "unset";
        ai_endpoint_e got = dialect->endpoint(pool, paths[i].path, &model);

        ok(got == paths[i].want
               && strcmp(model ? model : "-", paths[i].model ? paths[i].model : "-") == 0,
           "path %s", paths[i].path);
    }
    ok(strcmp(dialect->mark, "anthropic-version") == 0, "the header that tells its callers");
}

static void test_edits(void)
{
    static const struct {
        ai_endpoint_e endpoint;
        const char *body, *model, *want;
    } edits[] = {
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"max_tokens\":5}", NULL,
          "{\"model\":\"a\",\"max_tokens\":5}" },
        { AI_ENDPOINT_CHAT, " { \"model\" : \"a\" , \"temperature\":1e400 }\n", "b\"c",
          " { \"model\" : \"b\\\"c\" , \"temperature\":1e400 }\n" },
        { AI_ENDPOINT_CHAT, "{\"mo\\u0064el\":\"a\",\"metadata\":{\"model\":\"y\"}}", "b",
          "{\"mo\\u0064el\":\"b\",\"metadata\":{\"model\":\"y\"}}" },
        /* a stream tells its usage unasked: nothing is added */
        { AI_ENDPOINT_CHAT, "{\"stream\":true,\"model\":\"a\",\"system\":[]}", "b",
          "{\"stream\":true,\"model\":\"b\",\"system\":[]}" },
        { AI_ENDPOINT_CHAT, "{\"stream\":true,\"model\":\"a\"}", NULL,
          "{\"stream\":true,\"model\":\"a\"}" },
        { AI_ENDPOINT_COUNT, "{\"messages\":[],\"model\":\"a\"}", "b",
          "{\"messages\":[],\"model\":\"b\"}" },
        { AI_ENDPOINT_OTHER, "{\"model\":\"a\"}", "b", "{\"model\":\"b\"}" },
        { AI_ENDPOINT_OTHER, "{\"requests\":[{\"params\":{\"model\":\"a\"}}]}", "b",
          "{\"requests\":[{\"params\":{\"model\":\"a\"}}]}" },
    };
    apr_size_t i;
    int usage;

    for (i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        for (usage = 0; usage < 2; usage++) {
            const char *param = NULL;
            ai_ask_t ask;
            const char *got = frame_edit(edits[i].body, edits[i].endpoint, edits[i].model, usage,
                                         &ask, &param);

            is_bytes(got, got ? strlen(got) : 0, edits[i].want, strlen(edits[i].want),
                     "an edit leaves every other byte");
        }
    }
}

static void test_asks(void)
{
    static const struct {
        ai_endpoint_e endpoint;
        const char *body, *model;
        int stream;
    } good[] = {
        { AI_ENDPOINT_CHAT, "{\"model\":\"g\\u00e4\"}", "g\xc3\xa4", 0 },
        { AI_ENDPOINT_CHAT, "{\"model\":\"g\",\"stream\":true}", "g", 1 },
        { AI_ENDPOINT_CHAT, "{\"model\":\"g\",\"stream\":null}", "g", 0 },
        { AI_ENDPOINT_CHAT, "{\"model\":\"g\",\"metadata\":{\"Model\":\"h\"}}", "g", 0 },
        { AI_ENDPOINT_COUNT, "{\"model\":\"g\",\"messages\":[]}", "g", 0 },
        { AI_ENDPOINT_OTHER, "{\"requests\":[]}", NULL, 0 },
    };
    static const struct {
        ai_endpoint_e endpoint;
        const char *body, *param;
    } bad[] = {
        { AI_ENDPOINT_CHAT, "{\"messages\":[]}", "model" },
        { AI_ENDPOINT_COUNT, "{\"messages\":[]}", "model" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"\"}", "model" },
        { AI_ENDPOINT_CHAT, "{\"model\":null}", "model" },
        { AI_ENDPOINT_OTHER, "{\"model\":7}", "model" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\\u0000b\"}", "model" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"Model\":\"b\"}", "model" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"MAX_TOKENS\":1}", "max_tokens" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"System\":\"b\"}", "system" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"tOOls\":[]}", "tools" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"str\\u0045am\":true}", "stream" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"stream\":\"yes\"}", "stream" },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"stream\":1}", "stream" },
    };
    apr_size_t i;
    ai_ask_t ask;
    const char *param;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        param = NULL;
        ok(frame_edit(good[i].body, good[i].endpoint, NULL, 0, &ask, &param)
               && strcmp(ask.model ? ask.model : "-", good[i].model ? good[i].model : "-") == 0
               && ask.stream == good[i].stream && !ask.wants_usage && !ask.stream_options.p,
           "ask %s", good[i].body);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        param = NULL;
        ok(!frame_edit(bad[i].body, bad[i].endpoint, NULL, 0, &ask, &param) && param
               && strcmp(param, bad[i].param) == 0,
           "refused: %s", bad[i].body);
    }
}

static void test_models_and_key(void)
{
    static const ai_ability_t known = { .match = "c", .context = 200000, .output = -1 };
    static const ai_model_t models[] = { { "a\"b", "x", 7, NULL },
                                         { "c", "y", 1767225599, &known } };
#define UNTOLD "\"capabilities\":null,\"lifecycle\":\"active\",\"deprecated_at\":null," \
               "\"retires_at\":null,\"line\":null}"
    static const char second[] = "{\"type\":\"model\",\"id\":\"c\",\"display_name\":\"c\","
                                 "\"created_at\":\"2025-12-31T23:59:59Z\","
                                 "\"max_input_tokens\":200000,\"max_tokens\":null," UNTOLD;
    static const char empty[] =
        "{\"data\":[],\"has_more\":false,\"first_id\":null,\"last_id\":null}";
    const char *list = apr_pstrcat(
        pool, "{\"data\":[{\"type\":\"model\",\"id\":\"a\\\"b\",\"display_name\":\"a\\\"b\","
        "\"created_at\":\"1970-01-01T00:00:07Z\",\"max_input_tokens\":null,"
        "\"max_tokens\":null," UNTOLD ",", second,
        "],\"has_more\":false,\"first_id\":\"a\\\"b\",\"last_id\":\"c\"}", NULL);
    apr_table_t *headers = apr_table_make(pool, 2);
    ai_slice_t got = dialect->write_models(pool, models, 2, 0);

    is_bytes(got.p, got.n, list, strlen(list), "the list of models");
    got = dialect->write_models(pool, models + 1, 1, 1);
    is_bytes(got.p, got.n, second, strlen(second), "one model");
    got = dialect->write_models(pool, NULL, 0, 0);
    is_bytes(got.p, got.n, empty, strlen(empty), "no models");
    apr_table_setn(headers, "X-Api-Key", "old");
    dialect->set_key(headers, pool, "sk-ant-new");
    ok(strcmp(apr_table_get(headers, "x-api-key"), "sk-ant-new") == 0
           && apr_table_elts(headers)->nelts == 1, "the key is the only one");
}

int main(void)
{
    frame_begin(&ai_dialect_anthropic, "anthropic");
    test_streams();
    test_kinds();
    test_error_events();
    test_usage();
    test_finish();
    test_answers();
    test_read_error();
    test_write_types();
    test_write_error();
    test_endpoints();
    test_asks();
    test_edits();
    test_models_and_key();
    return frame_end();
}
