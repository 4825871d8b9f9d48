/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_reserve.c - is the most that a call can take never less than what it takes?
 *
 * Both dialects read what is asked; what then is promised must be known where the text bounds it, and
 * unknown where anything else may come in.
 */
#include <apr_general.h>
#include <apr_strings.h>

#include "ai_reserve.h"
#include "dialect.h"
#include "tap.h"

extern const ai_dialect_t ai_dialect_openai, ai_dialect_anthropic;

static apr_pool_t *pool;

#define UNKNOWN (-1)
#define KNOWN 1 /* the prompt: as many as it has bytes, and what is added to a chat */

typedef struct row_t {
    ai_endpoint_e endpoint;
    const char *body;
    int prompt; /* KNOWN or UNKNOWN */
    apr_int64_t completion;
} row_t;

static void check(const ai_dialect_t *dialect, const row_t *row)
{
    apr_int64_t bytes = (apr_int64_t)strlen(row->body), prompt;
    ai_reserved_t got;
    ai_json_doc_t doc;
    ai_json_error_t wrong;
    ai_ask_t ask;

    memset(&ask, 0, sizeof(ask));
    if (ai_json_parse(pool, ai_slice_of(row->body), AI_JSON_DEPTH, &doc, &wrong) != APR_SUCCESS
        || dialect->read_ask(pool, row->endpoint, &doc, &ask)) {
        ok(0, "%s cannot be read", row->body);
        return;
    }
    got = ai_reserve(row->endpoint, &ask, bytes);
    prompt = row->prompt == UNKNOWN ? -1
             : row->endpoint == AI_ENDPOINT_CHAT || row->endpoint == AI_ENDPOINT_RESPONSES
                     || row->endpoint == AI_ENDPOINT_COUNT
                 ? bytes + AI_RESERVE_ADDED
                 : bytes;
    if (!ok(got.prompt == prompt && got.completion == row->completion, "%s: %s", dialect->name,
            row->body)) {
        printf("# prompt %d for %d, completion %d for %d\n", (int)got.prompt, (int)prompt,
               (int)got.completion, (int)row->completion);
    }
}

#define CHAT(rest) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]" rest "}"
#define TALK(message) "{\"model\":\"m\",\"max_tokens\":7,\"messages\":[" message "]}"
#define PART(part) TALK("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}," part "]}")

static void test_openai_caps(void)
{
    static const row_t rows[] = {
        { AI_ENDPOINT_CHAT, CHAT(""), KNOWN, UNKNOWN },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":7"), KNOWN, 7 },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_completion_tokens\":9"), KNOWN, 9 },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_completion_tokens\":9,\"max_tokens\":7"), KNOWN, 9 },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_completion_tokens\":7,\"max_tokens\":9"), KNOWN, 9 },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":7,\"n\":3"), KNOWN, 21 },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":7,\"n\":2,\"best_of\":5"), KNOWN, 35 },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":7,\"n\":null"), KNOWN, 7 },
        { AI_ENDPOINT_CHAT, CHAT(",\"n\":3"), KNOWN, UNKNOWN },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":null"), KNOWN, UNKNOWN },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":0"), KNOWN, UNKNOWN },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_output_tokens\":7"), KNOWN, UNKNOWN },
        /* some servers take it for 700 */
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":\"700\",\"max_completion_tokens\":7"), KNOWN,
          UNKNOWN },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":-1"), KNOWN, UNKNOWN },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":9223372036854775807"), KNOWN, UNKNOWN },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":1000000000000,\"n\":1000001"), KNOWN, UNKNOWN },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":7,\"n\":\"3\""), KNOWN, UNKNOWN },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":7,\"prediction\":{\"type\":\"content\"}"), KNOWN,
          UNKNOWN },
        { AI_ENDPOINT_COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"x\",\"max_tokens\":7}", KNOWN, 7 },
        { AI_ENDPOINT_COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"x\"}", KNOWN, UNKNOWN },
        { AI_ENDPOINT_COMPLETIONS,
          "{\"model\":\"m\",\"prompt\":[\"x\",\"y\"],\"max_tokens\":7,\"n\":2,\"best_of\":3}", KNOWN,
          42 },
        { AI_ENDPOINT_COMPLETIONS, "{\"model\":\"m\",\"prompt\":[1,2,3],\"max_tokens\":7}", KNOWN,
          7 },
        { AI_ENDPOINT_COMPLETIONS, "{\"model\":\"m\",\"prompt\":[[1,2],[3]],\"max_tokens\":7}",
          KNOWN, 14 },
        { AI_ENDPOINT_RESPONSES, "{\"model\":\"m\",\"input\":\"x\",\"max_output_tokens\":7}", KNOWN,
          7 },
        { AI_ENDPOINT_RESPONSES, "{\"model\":\"m\",\"input\":\"x\",\"max_tokens\":7}", KNOWN,
          UNKNOWN },
        { AI_ENDPOINT_EMBEDDINGS, "{\"model\":\"m\",\"input\":[\"x\",\"y\"]}", KNOWN, 0 },
        { AI_ENDPOINT_EMBEDDINGS, "{\"model\":\"m\",\"input\":[[1,2],[3]]}", KNOWN, 0 },
        { AI_ENDPOINT_EMBEDDINGS, "{\"model\":\"m\",\"input\":[{\"image\":\"https://x/y\"}]}",
          UNKNOWN, 0 },
        { AI_ENDPOINT_MODERATIONS, "{\"input\":\"x\"}", KNOWN, 0 },
        { AI_ENDPOINT_MODERATIONS, "{\"input\":[{\"type\":\"image_url\"}]}", UNKNOWN, 0 },
        { AI_ENDPOINT_SPEECH, "{\"model\":\"m\",\"input\":\"x\"}", KNOWN, UNKNOWN },
        { AI_ENDPOINT_IMAGES, "{\"prompt\":\"x\"}", UNKNOWN, UNKNOWN },
        { AI_ENDPOINT_RERANK, "{\"model\":\"m\",\"query\":\"x\",\"documents\":[\"y\"]}", UNKNOWN,
          UNKNOWN },
        { AI_ENDPOINT_BATCHES, "{\"max_tokens\":7}", UNKNOWN, UNKNOWN },
        { AI_ENDPOINT_OTHER, "{\"model\":\"m\",\"max_tokens\":7}", UNKNOWN, UNKNOWN },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(&ai_dialect_openai, &rows[i]);
    }
}

#define INPUT(item) "{\"model\":\"m\",\"max_output_tokens\":7,\"input\":[" item "]}"

static void test_openai_prompts(void)
{
    static const row_t rows[] = {
        { AI_ENDPOINT_CHAT, PART("{\"type\":\"text\",\"text\":\"y\"}"), KNOWN, 7 },
        { AI_ENDPOINT_CHAT, PART("{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x\"}}"),
          UNKNOWN, 7 },
        { AI_ENDPOINT_CHAT, PART("{\"type\":\"input_audio\"}"), UNKNOWN, 7 },
        { AI_ENDPOINT_CHAT, PART("{\"ty\\u0070e\":\"image_url\"}"), UNKNOWN, 7 },
        { AI_ENDPOINT_CHAT, PART("{\"image_url\":\"https://x\"}"), UNKNOWN, 7 },
        { AI_ENDPOINT_CHAT, PART("7"), UNKNOWN, 7 },
        { AI_ENDPOINT_CHAT, TALK("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[]}"),
          KNOWN, 7 },
        { AI_ENDPOINT_CHAT, TALK("{\"role\":\"assistant\",\"audio\":{\"id\":\"audio_1\"}}"),
          UNKNOWN, 7 },
        { AI_ENDPOINT_CHAT, TALK("{\"role\":\"user\",\"content\":\"x\",\"images\":[\"x\"]}"),
          UNKNOWN, 7 },
        { AI_ENDPOINT_CHAT, TALK("{\"role\":\"user\",\"content\":{\"image\":1}}"), UNKNOWN, 7 },
        { AI_ENDPOINT_CHAT, TALK("\"x\""), UNKNOWN, 7 },
        { AI_ENDPOINT_CHAT, "{\"model\":\"m\"}", UNKNOWN, UNKNOWN },
        { AI_ENDPOINT_CHAT, CHAT(",\"tools\":[{\"type\":\"function\"},{\"type\":\"custom\"}]"),
          KNOWN, UNKNOWN },
        { AI_ENDPOINT_CHAT, CHAT(",\"tools\":[{\"type\":\"web_search\"}]"), UNKNOWN, UNKNOWN },
        { AI_ENDPOINT_CHAT, CHAT(",\"web_search_options\":{}"), UNKNOWN, UNKNOWN },
        { AI_ENDPOINT_CHAT, CHAT(",\"web_search_options\":null"), KNOWN, UNKNOWN },
        { AI_ENDPOINT_RESPONSES, INPUT("{\"role\":\"user\",\"content\":\"x\"}"), KNOWN, 7 },
        { AI_ENDPOINT_RESPONSES,
          INPUT("{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\"}]}"),
          KNOWN, 7 },
        { AI_ENDPOINT_RESPONSES,
          INPUT("{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_image\"}]}"),
          UNKNOWN, 7 },
        { AI_ENDPOINT_RESPONSES,
          INPUT("{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"x\"}"), KNOWN, 7 },
        { AI_ENDPOINT_RESPONSES,
          INPUT("{\"type\":\"function_call_output\",\"output\":[{\"type\":\"input_file\"}]}"),
          UNKNOWN, 7 },
        { AI_ENDPOINT_RESPONSES, INPUT("{\"type\":\"reasoning\",\"id\":\"r\"}"), UNKNOWN, 7 },
        { AI_ENDPOINT_RESPONSES,
          "{\"model\":\"m\",\"input\":\"x\",\"previous_response_id\":\"resp_1\"}", UNKNOWN,
          UNKNOWN },
        { AI_ENDPOINT_RESPONSES,
          "{\"model\":\"m\",\"input\":\"x\",\"tools\":[{\"type\":\"code_interpreter\"}]}", UNKNOWN,
          UNKNOWN },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(&ai_dialect_openai, &rows[i]);
    }
}

static void test_anthropic(void)
{
    static const row_t rows[] = {
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":7"), KNOWN, 7 },
        { AI_ENDPOINT_CHAT, CHAT(""), KNOWN, UNKNOWN },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":7,\"n\":3"), KNOWN, 7 }, /* there is no such field */
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":7,\"system\":\"x\""), KNOWN, 7 },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":7,\"system\":[{\"type\":\"text\"}]"), KNOWN, 7 },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":7,\"system\":[{\"type\":\"image\"}]"), UNKNOWN,
          7 },
        { AI_ENDPOINT_CHAT, PART("{\"type\":\"tool_use\",\"input\":{\"type\":\"image\"}}"), KNOWN,
          7 },
        { AI_ENDPOINT_CHAT, PART("{\"type\":\"tool_result\",\"content\":\"x\"}"), KNOWN, 7 },
        { AI_ENDPOINT_CHAT, PART("{\"type\":\"tool_result\"}"), KNOWN, 7 },
        { AI_ENDPOINT_CHAT, PART("{\"type\":\"tool_result\",\"content\":[{\"type\":\"image\"}]}"),
          UNKNOWN, 7 },
        { AI_ENDPOINT_CHAT, PART("{\"type\":\"image\",\"source\":{}}"), UNKNOWN, 7 },
        { AI_ENDPOINT_CHAT, PART("{\"type\":\"document\",\"source\":{}}"), UNKNOWN, 7 },
        { AI_ENDPOINT_CHAT, PART("{\"type\":\"thinking\",\"signature\":\"x\"}"), UNKNOWN, 7 },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":7,\"tools\":[{\"name\":\"a\"}]"), KNOWN, 7 },
        { AI_ENDPOINT_CHAT,
          CHAT(",\"max_tokens\":7,\"tools\":[{\"type\":\"web_search_20250305\"}]"), UNKNOWN,
          UNKNOWN },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":7,\"mcp_servers\":[{}]"), UNKNOWN, UNKNOWN },
        { AI_ENDPOINT_CHAT, CHAT(",\"max_tokens\":7,\"context_management\":{}"), UNKNOWN, UNKNOWN },
        { AI_ENDPOINT_COUNT, CHAT(""), KNOWN, 0 },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(&ai_dialect_anthropic, &rows[i]);
    }
}

static void test_without_a_body(void)
{
    static const ai_ask_t ask = { 0 };
    ai_reserved_t got = ai_reserve(AI_ENDPOINT_MODELS, &ask, -1);

    ok(got.prompt == 0 && got.completion == 0, "a list of models takes nothing");
    got = ai_reserve(AI_ENDPOINT_TRANSCRIPTIONS, &ask, -1);
    ok(got.prompt == -1 && got.completion == -1, "of a form nothing is known");
}

static void test_uncapped(void)
{
    ai_ask_t ask = { 0 };

    is_number(ai_reserve_uncapped(AI_ENDPOINT_CHAT, &ask, 16384), 16384, "no cap: the model's own");
    is_number(ai_reserve_uncapped(AI_ENDPOINT_CHAT, &ask, -1), -1, "which may be unknown");
    ask.n = 3;
    is_number(ai_reserve_uncapped(AI_ENDPOINT_CHAT, &ask, 100), 300, "for each answer");
    is_number(ai_reserve_uncapped(AI_ENDPOINT_IMAGES, &ask, 100), -1, "not where nothing is written");
    ask.max_output = -1;
    is_number(ai_reserve_uncapped(AI_ENDPOINT_CHAT, &ask, 100), -1, "a cap that is none bounds nothing");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_openai_caps();
    test_openai_prompts();
    test_anthropic();
    test_without_a_body();
    test_uncapped();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
