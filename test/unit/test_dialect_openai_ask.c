/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_dialect_openai_ask.c - does the OpenAI dialect read what is asked?
 *
 * Paths, bodies, edits, errors in either direction, the list of models, the key. How answers are
 * read is in test_dialect_openai.c.
 */
#include "dialect_frame.h"

extern const ai_dialect_t ai_dialect_openai;

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

        dialect->read_error(pool, ai_slice_of(errors[i].body), &error);
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
        ai_slice_t got = dialect->write_error(pool, &errors[i].error);
        const char *event = apr_pstrcat(pool, "data: ", errors[i].want, "\n\n", NULL);

        is_bytes(got.p, got.n, errors[i].want, strlen(errors[i].want), "an error as a body");
        got = dialect->write_error_event(pool, &errors[i].error);
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
        { "/chat/completions/", AI_ENDPOINT_STORED, NULL },
        { "/chat/completions/id", AI_ENDPOINT_STORED, NULL },
        { "/Chat/Completions", AI_ENDPOINT_OTHER, NULL },
        { "/completions", AI_ENDPOINT_COMPLETIONS, NULL },
        { "/completions/x", AI_ENDPOINT_OTHER, NULL },
        { "/responses", AI_ENDPOINT_RESPONSES, NULL },
        { "/responses/resp_1", AI_ENDPOINT_STORED, NULL },
        { "/responses/resp_1/cancel", AI_ENDPOINT_STORED, NULL },
        { "/responses/input_tokens", AI_ENDPOINT_OTHER, NULL },
        { "/responses/compact", AI_ENDPOINT_OTHER, NULL },
        { "/moderations", AI_ENDPOINT_MODERATIONS, NULL },
        { "/images/generations", AI_ENDPOINT_IMAGES, NULL },
        { "/images/edits", AI_ENDPOINT_IMAGES, NULL },
        { "/images/variations", AI_ENDPOINT_IMAGES, NULL },
        { "/images", AI_ENDPOINT_OTHER, NULL },
        { "/audio/speech", AI_ENDPOINT_SPEECH, NULL },
        { "/audio/transcriptions", AI_ENDPOINT_TRANSCRIPTIONS, NULL },
        { "/audio/translations", AI_ENDPOINT_TRANSLATIONS, NULL },
        { "/audio/voices", AI_ENDPOINT_OTHER, NULL },
        { "/rerank", AI_ENDPOINT_RERANK, NULL },
        { "/v2/rerank", AI_ENDPOINT_RERANK, NULL },
        { "/files", AI_ENDPOINT_FILES, NULL },
        { "/files/file-1/content", AI_ENDPOINT_FILES, NULL },
        { "/filesystem", AI_ENDPOINT_OTHER, NULL },
        { "/batches", AI_ENDPOINT_BATCHES, NULL },
        { "/batches/b/cancel", AI_ENDPOINT_BATCHES, NULL },
        { "/uploads/u/parts", AI_ENDPOINT_STORED, NULL },
        { "/fine_tuning/jobs", AI_ENDPOINT_STORED, NULL },
        { "/vector_stores/vs_1/search", AI_ENDPOINT_STORED, NULL },
        { "/conversations", AI_ENDPOINT_STORED, NULL },
        { "/threads/t/runs", AI_ENDPOINT_STORED, NULL },
        { "/videos", AI_ENDPOINT_STORED, NULL },
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
        { AI_ENDPOINT_COMPLETIONS, "{\"model\":\"a\",\"prompt\":\"x\",\"stream\":true}", "b", 1,
          "{\"model\":\"b\",\"prompt\":\"x\",\"stream\":true,"
          "\"stream_options\":{\"include_usage\":true}}" },
        { AI_ENDPOINT_RESPONSES, "{\"model\":\"a\",\"input\":\"x\",\"stream\":true}", "b", 1,
          "{\"model\":\"b\",\"input\":\"x\",\"stream\":true}" },
        { AI_ENDPOINT_MODERATIONS, "{\"input\":\"x\"}", "b", 1, "{\"input\":\"x\"}" },
        { AI_ENDPOINT_SPEECH, "{\"model\":\"a\",\"input\":\"x\",\"stream_format\":\"sse\"}", "b", 1,
          "{\"model\":\"b\",\"input\":\"x\",\"stream_format\":\"sse\"}" },
        { AI_ENDPOINT_EMBEDDINGS, "{\"model\":\"a\",\"input\":[1,2]}", "b", 1,
          "{\"model\":\"b\",\"input\":[1,2]}" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        const char *param = NULL;
        ai_ask_t ask;
        const char *got = frame_edit(edits[i].body, edits[i].endpoint, edits[i].model,
                                     edits[i].usage, &ask, &param);

        is_bytes(got, got ? strlen(got) : 0, edits[i].want, strlen(edits[i].want),
                 "an edit leaves every other byte");
    }
}

/* What only one provider can answer. */
static void test_kept(void)
{
    static const struct {
        ai_endpoint_e endpoint;
        const char *body;
        int kept;
    } rows[] = {
        { AI_ENDPOINT_RESPONSES, "{\"model\":\"a\",\"input\":\"x\"}", 0 },
        { AI_ENDPOINT_RESPONSES, "{\"model\":\"a\",\"previous_response_id\":\"resp_1\"}", 1 },
        { AI_ENDPOINT_RESPONSES, "{\"model\":\"a\",\"previous_response_id\":null}", 0 },
        { AI_ENDPOINT_RESPONSES, "{\"model\":\"a\",\"conversation\":{\"id\":\"conv_1\"}}", 1 },
        { AI_ENDPOINT_RESPONSES, "{\"prompt\":{\"id\":\"pmpt_1\"}}", 1 },
        { AI_ENDPOINT_RESPONSES,
          "{\"model\":\"a\",\"input\":[{\"type\":\"item_reference\",\"id\":\"msg_1\"}]}", 1 },
        { AI_ENDPOINT_RESPONSES, "{\"model\":\"a\",\"tools\":[{\"vector_store_ids\":[\"vs_1\"]}]}",
          1 },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"messages\":[{\"content\":[{\"type\":\"file\","
          "\"file\":{\"file_id\":\"file-1\"}}]}]}", 1 },
        { AI_ENDPOINT_CHAT,
          "{\"model\":\"a\",\"messages\":[{\"content\":\"{\\\"file_id\\\":1} file_id\"}]}", 0 },
        { AI_ENDPOINT_CHAT, "{\"model\":\"a\",\"conversation\":\"x\"}", 0 },
        { AI_ENDPOINT_IMAGES, "{\"images\":[{\"file_id\":\"file-1\"}]}", 1 },
        { AI_ENDPOINT_EMBEDDINGS, "{\"model\":\"a\",\"x\":{\"file_id\":1}}", 0 },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *param = NULL;
        ai_ask_t ask;

        ok(frame_edit(rows[i].body, rows[i].endpoint, NULL, 0, &ask, &param)
               && ask.kept == rows[i].kept,
           "%s is kept by one provider: %d", rows[i].body, ask.kept);
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
        { AI_ENDPOINT_MODERATIONS, "{\"input\":\"x\"}", NULL, 0, 0 },
        { AI_ENDPOINT_IMAGES, "{\"prompt\":\"x\",\"stream\":true}", NULL, 1, 0 },
        { AI_ENDPOINT_RESPONSES, "{\"prompt\":{\"id\":\"pmpt_1\"}}", NULL, 0, 0 },
        { AI_ENDPOINT_SPEECH, "{\"model\":\"t\",\"stream_format\":\"sse\"}", "t", 1, 0 },
        { AI_ENDPOINT_SPEECH, "{\"model\":\"t\",\"stream_format\":\"audio\"}", "t", 0, 0 },
        { AI_ENDPOINT_FILES, "{}", NULL, 0, 0 },
        { AI_ENDPOINT_OTHER, "{\"model\":\"g\",\"stream\":true}", "g", 1, 0 },
    };
    static const struct {
        ai_endpoint_e endpoint;
        const char *body, *param;
    } bad[] = {
        { AI_ENDPOINT_CHAT, "{}", "model" },
        { AI_ENDPOINT_EMBEDDINGS, "{\"input\":\"x\"}", "model" },
        { AI_ENDPOINT_COMPLETIONS, "{\"prompt\":\"x\"}", "model" },
        { AI_ENDPOINT_RESPONSES, "{\"input\":\"x\"}", "model" },
        { AI_ENDPOINT_RESPONSES, "{\"input\":\"x\",\"prompt\":null}", "model" },
        { AI_ENDPOINT_SPEECH, "{\"input\":\"x\"}", "model" },
        { AI_ENDPOINT_RERANK, "{\"query\":\"x\"}", "model" },
        { AI_ENDPOINT_TRANSCRIPTIONS, "{\"url\":\"x\"}", "model" },
        { AI_ENDPOINT_RESPONSES, "{\"model\":\"a\",\"Previous_Response_Id\":\"r\"}",
          "previous_response_id" },
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
        ok(frame_edit(good[i].body, good[i].endpoint, NULL, 0, &ask, &param)
               && strcmp(ask.model ? ask.model : "-", good[i].model ? good[i].model : "-") == 0
               && ask.stream == good[i].stream && ask.wants_usage == good[i].wants_usage,
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
    static const ai_model_t models[] = { { "a\"b", "x", 7, NULL },
                                         { "c", "y", 8, NULL } };
    static const char list[] =
        "{\"object\":\"list\",\"data\":[{\"id\":\"a\\\"b\",\"object\":\"model\",\"created\":7,"
        "\"owned_by\":\"x\"},"
        "{\"id\":\"c\",\"object\":\"model\",\"created\":8,\"owned_by\":\"y\"}]}";
    static const char single[] =
        "{\"id\":\"c\",\"object\":\"model\",\"created\":8,\"owned_by\":\"y\"}";
    static const char empty[] = "{\"object\":\"list\",\"data\":[]}";
    apr_table_t *headers = apr_table_make(pool, 2);
    ai_slice_t got = dialect->write_models(pool, models, 2, 0);

    is_bytes(got.p, got.n, list, strlen(list), "the list of models");
    got = dialect->write_models(pool, models + 1, 1, 1);
    is_bytes(got.p, got.n, single, strlen(single), "one model");
    got = dialect->write_models(pool, NULL, 0, 0);
    is_bytes(got.p, got.n, empty, strlen(empty), "no models");
    apr_table_setn(headers, "Authorization", "Bearer old");
    dialect->set_key(headers, pool, "sk-new");
    ok(strcmp(apr_table_get(headers, "authorization"), "Bearer sk-new") == 0
           && apr_table_elts(headers)->nelts == 1, "the key is the only authorization");
}

int main(void)
{
    frame_begin(&ai_dialect_openai, "openai");
    test_endpoints();
    test_asks();
    test_kept();
    test_edits();
    test_read_error();
    test_write_error();
    test_models_and_key();
    return frame_end();
}
