/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_openai_answer.c - what do those say who speak OpenAI's API, each a little different?
 *
 * The wire data lies in data/openai; README.md there says where each piece comes from.
 */
#include "talk_frame.h"

extern const ai_dialect_t ai_dialect_openai;

/* --------------------------------------------------------------------------- streams in */

/* The deltas of chunks given as their data, one below the other; a chunk is gone after its turn. */
static const char *told(const char *chunks)
{
    const ai_translator_t *t = dialect->translator;
    void *reader = t->begin_read(pool);
    const char *text = "", *end;
    apr_pool_t *event_pool;

    apr_pool_create(&event_pool, pool);
    for (; *chunks; chunks = *end ? end + 1 : end) {
        ai_sse_event_t event = { .complete = 1 };
        char *copy;

        end = strchr(chunks, '\n');
        end = end ? end : chunks + strlen(chunks);
        copy = malloc((size_t)(end - chunks) + 1);
        memcpy(copy, chunks, (size_t)(end - chunks));
        event.data = event.raw = (ai_slice_t){ copy, (apr_size_t)(end - chunks) };
        if (!t->read_deltas(reader, event_pool, &event, talk_on_delta, &text)) {
            text = apr_pstrcat(pool, text, "invalid\n", NULL);
        }
        free(copy);
        apr_pool_clear(event_pool);
    }
    return text;
}

#define C(delta) "{\"id\":\"i\",\"choices\":[{\"index\":0,\"delta\":" delta "}]}\n"
#define T(rest) C("{\"tool_calls\":[{" rest "}]}")
#define BEGIN "0 begin \"i\" -\n"

static const struct {
    const char *what, *chunks, *want;
} inputs[] = {
    { "text", "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":9,\"model\":"
              "\"gpt\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
              "\"content\":\"\"},\"finish_reason\":null}]}\n"
              C("{\"content\":\"H\\u00e4\"}") C("{\"content\":null}")
              C("{}"),
      "0 begin \"chatcmpl-1\" \"gpt\" 9\n0 text \"H\\u00e4\"\n" },
    { "Azure's first chunk does not know its id yet",
      "{\"id\":\"\",\"model\":\"\",\"created\":0,\"choices\":[],\"prompt_filter_results\":[]}\n"
      C("{\"content\":\"a\"}"), BEGIN "0 text \"a\"\n" },
    { "no id at all", "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}",
      "0 begin - -\n0 text \"a\"\n" },
    { "several choices, by index or by place",
      "{\"id\":\"i\",\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}},{\"delta\":"
      "{\"content\":\"c\"}},{\"index\":128,\"delta\":{\"content\":\"x\"}},{\"index\":-1,\"delta\":"
      "{\"content\":\"x\"}},{\"index\":\"0\",\"delta\":{\"content\":\"d\"}}]}",
      BEGIN "1 text \"b\"\n1 text \"c\"\n4 text \"d\"\n" },
    { "thinking under each name, once",
      C("{\"reasoning_content\":\"a\"}") C("{\"reasoning\":\"b\"}")
      C("{\"reasoning_content\":\"c\",\"reasoning\":\"c\"}")
      C("{\"reasoning_content\":null,\"reasoning\":\"d\",\"content\":\"\"}")
      C("{\"reasoning\":{\"x\":1}}"),
      BEGIN "0 thinking \"a\"\n0 thinking \"b\"\n0 thinking \"c\"\n0 thinking \"d\"\n" },
    { "Mistral's parts", C("{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\","
                           "\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]},"
                           "{\"type\":\"text\",\"text\":\"c\"},"
                           "{\"type\":\"reference\",\"reference_ids\":[1]},7,"
                           "{\"type\":\"thinking\",\"thinking\":\"d\"}]}"),
      BEGIN "0 thinking \"a\"\n0 thinking \"b\"\n0 text \"c\"\n0 thinking \"d\"\n" },
    { "refusal", C("{\"refusal\":\"No\"}"), BEGIN "0 refusal \"No\"\n" },
    { "signed blocks of another gateway",
      C("{\"reasoning_content\":\"Hm\"}") C("{\"thinking_blocks\":[{\"type\":\"thinking\","
      "\"thinking\":\"Hm\",\"signature\":\"s\"},{\"type\":\"redacted_thinking\",\"data\":\"r\"}]}"),
      BEGIN "0 thinking \"Hm\"\n0 signature \"s\"\n0 redacted \"r\"\n" },
    { "OpenAI's parallel calls",
      T("\"index\":0,\"id\":\"c0\",\"type\":\"function\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"\"}")
      T("\"index\":1,\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"g\","
        "\"arguments\":\"\"}")
      T("\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\":\"}")
      T("\"index\":1,\"function\":{\"arguments\":\"{}\"}")
      T("\"index\":0,\"function\":{\"arguments\":\"1}\"}"),
      BEGIN "0 call 0 \"c0\" \"f\"\n0 call 1 \"c1\" \"g\"\n0 arguments 0 \"{\\\"a\\\":\"\n"
      "0 arguments 1 \"{}\"\n0 arguments 0 \"1}\"\n" },
    { "no index: a new id is a new call",
      T("\"id\":\"c0\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}")
      T("\"function\":{\"arguments\":\"}\"}")
      T("\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}")
      T("\"id\":\"c1\",\"function\":{\"arguments\":\"}\"}")
      T("\"id\":\"c0\",\"function\":{\"arguments\":\" \"}"),
      BEGIN "0 call 0 \"c0\" \"f\"\n0 arguments 0 \"{\"\n0 arguments 0 \"}\"\n"
      "0 call 1 \"c1\" \"f\"\n0 arguments 1 \"{\"\n0 arguments 1 \"}\"\n0 arguments 0 \" \"\n" },
    { "all calls have index 0",
      T("\"index\":0,\"id\":\"c0\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}")
      T("\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"g\",\"arguments\":\"{\"}")
      T("\"index\":0,\"id\":\"\",\"function\":{\"name\":null,\"arguments\":\"}\"}"),
      BEGIN "0 call 0 \"c0\" \"f\"\n0 arguments 0 \"{}\"\n0 call 1 \"c1\" \"g\"\n"
      "0 arguments 1 \"{\"\n0 arguments 1 \"}\"\n" },
    { "id and name in each piece",
      T("\"index\":0,\"id\":\"c0\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}")
      T("\"index\":0,\"id\":\"c0\",\"function\":{\"name\":\"f\",\"arguments\":\"}\"}"),
      BEGIN "0 call 0 \"c0\" \"f\"\n0 arguments 0 \"{\"\n0 arguments 0 \"}\"\n" },
    { "another id in each piece, without a name",
      T("\"index\":0,\"id\":\"c0\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}")
      T("\"index\":0,\"id\":\"c9\",\"function\":{\"arguments\":\"}\"}"),
      BEGIN "0 call 0 \"c0\" \"f\"\n0 arguments 0 \"{\"\n0 arguments 0 \"}\"\n" },
    { "arguments as an object, and once more",
      T("\"index\":0,\"id\":\"c0\",\"function\":{\"name\":\"f\",\"arguments\":{\"a\":[1]}}")
      T("\"index\":0,\"function\":{\"arguments\":{\"a\":[1]}}"),
      BEGIN "0 call 0 \"c0\" \"f\"\n0 arguments 0 object {\"a\":[1]}\n" },
    { "the name comes last", T("\"index\":0,\"id\":\"c0\",\"function\":{\"arguments\":\"{\"}")
      T("\"index\":0,\"function\":{\"arguments\":\"}\"}")
      T("\"index\":0,\"function\":{\"name\":\"f\"}"),
      BEGIN "0 call 0 \"c0\" \"f\"\n0 arguments 0 \"{\"\n0 arguments 0 \"}\"\n" },
    { "a call without a name is none", T("\"index\":0,\"id\":\"c0\",\"function\":{}"), BEGIN },
    { "ids that are missing are made, each another",
      T("\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}")
      T("\"index\":1,\"id\":\"null\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}"),
      BEGIN "0 call 0 \"call_19771d2aaf918563a50a3bfe\" \"f\"\n0 arguments 0 \"{}\"\n"
      "0 call 1 \"call_88e91ebc24bcc8eb92d05b87\" \"g\"\n0 arguments 1 \"{}\"\n" },
    { "the old function_call", C("{\"function_call\":{\"name\":\"f\",\"arguments\":\"\"}}")
      C("{\"function_call\":{\"arguments\":\"{}\"}}"),
      BEGIN "0 call 0 \"call_19771d2aaf918563a50a3bfe\" \"f\"\n0 arguments 0 \"{}\"\n" },
    { "what says nothing", "{\"id\":\"i\",\"choices\":null}\n{\"id\":\"i\",\"choices\":{}}\n"
      "{\"id\":\"i\",\"choices\":[null,7,[],{}]}\n" C("null") C("7") C("[]")
      C("{\"content\":7,\"tool_calls\":{},\"function_call\":7,\"reasoning\":[],"
        "\"thinking_blocks\":{},\"refusal\":0,\"audio\":{\"data\":\"x\"}}")
      C("{\"tool_calls\":[null,7,{},{\"index\":0},{\"index\":\"x\",\"function\":7}]}"), BEGIN },
    { "what is no JSON", "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]\n[]\n{\"a\":1,\"a\":2}\n"
      "{\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}\n<html>",
      "invalid\ninvalid\ninvalid\ninvalid\ninvalid\n" },
};

static void test_inputs(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        is_text(told(inputs[i].chunks), inputs[i].want, inputs[i].what);
    }
}

#define GPT "0 begin \"chatcmpl-BxY1\" \"gpt-4o-2024-08-06\" 1741569952\n"

/* The streams that test_dialect_openai reads for their kind are read for what they say. */
static const struct {
    const char *file, *want;
} files[] = {
    { "chat-plain.sse", GPT "0 text \"Hello\"\n0 text \" \xe2\x80\x94 w\xc3\xb6rld\"\n" },
    { "chat-n2.sse", GPT "0 text \"a\"\n1 text \"b\"\n" },
    { "chat-tools.sse", GPT "0 call 0 \"call_DdmO9pD3\" \"get_weather\"\n"
      "0 arguments 0 \"{\\\"city\\\"\"\n0 arguments 0 \":\\\"Rome\\\"}\"\n"
      "0 call 1 \"call_x2\" \"get_time\"\n0 arguments 1 \"{}\"\n" },
    { "chat-refusal.sse", GPT "0 refusal \"I cannot\"\n" },
    { "chat-azure.sse", GPT "0 text \"Hi\"\n" },
    { "odd.sse", GPT "0 text \"x\"\n" },
    { "deepseek.sse", "0 begin \"ds-1\" \"deepseek-reasoner\" 1741569952\n0 thinking \"Hm\"\n"
      "0 text \"42\"\n" },
    { "vllm.sse", "0 begin \"chat-9\" \"m\" 1\n0 thinking \"so\"\n0 text \"x\"\n" },
    { "openrouter.sse", "0 begin \"gen-1741\" \"anthropic/claude-3.7-sonnet\" 1741569952\n"
      "0 text \"Hi\"\n" },
    { "xai.sse", "0 begin \"x\" \"grok-3-mini\" 1\n0 thinking \"First\"\n0 text \"ok\"\n" },
    { "groq.sse", "0 begin \"chatcmpl-g\" \"llama-3.3-70b-versatile\" 1\n0 text \"Hi\"\n" },
    { "perplexity.sse", "0 begin \"p-1\" \"sonar\" 1741569952\n0 text \"It\"\n"
      "0 text \" is\"\n0 text \" so\"\n" },
};

static apr_status_t on_event(void *baton, const ai_sse_event_t *event)
{
    void **of = baton;

    if (event->data.n && event->data.p[0] == '{') {
        dialect->translator->read_deltas(of[0], pool, event, talk_on_delta, of[1]);
    }
    return APR_SUCCESS;
}

static const char *file_told(const char *file)
{
    const char *text = "";
    void *of[2] = { dialect->translator->begin_read(pool), &text };
    ai_slice_t bytes = frame_load(file);
    ai_sse_t *sse = ai_sse_create(pool, 1 << 20);

    ai_sse_feed(sse, bytes.p, bytes.n, on_event, of);
    ai_sse_end(sse, on_event, of);
    return text;
}

/* ---------------------------------------------------------------------------- whole in */

#define W(message) "{\"id\":\"i\",\"choices\":[{\"message\":" message "}]}"

static void test_wholes(void)
{
    static const struct {
        const char *what, *body, *want;
    } rows[] = {
        { "calls stand alone, whatever index and id they have",
          W("{\"content\":\"a\",\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":"
            "\"f\",\"arguments\":\"{}\"}},{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\","
            "\"arguments\":{\"a\":1}}}]}"),
          BEGIN "0 text \"a\"\n0 call 0 \"c\" \"f\"\n0 arguments 0 \"{}\"\n0 call 1 \"c\" \"f\"\n"
          "0 arguments 1 object {\"a\":1}\n" },
        { "signed blocks bring their text with them",
          W("{\"reasoning_content\":\"ab\",\"thinking_blocks\":[{\"type\":\"thinking\","
            "\"thinking\":\"a\",\"signature\":\"s\"},{\"type\":\"thinking\",\"thinking\":\"b\","
            "\"signature\":\"t\"}],\"content\":\"c\"}"),
          BEGIN "0 thinking \"a\"\n0 signature \"s\"\n0 thinking \"b\"\n0 signature \"t\"\n"
          "0 text \"c\"\n" },
        { "a refusal", W("{\"content\":null,\"refusal\":\"No\"}"), BEGIN "0 refusal \"No\"\n" },
        { "the arguments as the model wrote them", NULL,
          "0 begin \"chatcmpl-abc\" \"gpt-4.1\" 1\n0 call 0 \"call_abc123\" \"get_weather\"\n"
          "0 arguments 0 \"{\\n\\\"location\\\": \\\"Boston, MA\\\"\\n}\"\n" },
        { "no choices", "{\"id\":\"i\"}", "no answer" },
        { "choices of another type", "{\"choices\":{}}", "no answer" },
        { "an answer of nothing", "{\"choices\":[]}", "" },
        { "a message of nothing", W("null"), BEGIN },
    };
    ai_stream_t stream;
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ai_slice_t body = rows[i].body ? ai_slice_of(rows[i].body) : frame_load("chat-tools.json");

        is_text(talk_whole(body, &stream), rows[i].want, rows[i].what);
    }
    talk_whole(ai_slice_of("{\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":"
                           "\"length\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,"
                           "\"prompt_tokens_details\":{\"cached_tokens\":4,"
                           "\"cache_write_tokens\":2},\"completion_tokens_details\":"
                           "{\"reasoning_tokens\":1}}}"), &stream);
    ok(stream.finish == AI_FINISH_LENGTH && stream.usage.prompt == 9
           && stream.usage.completion == 3 && stream.usage.cached == 4
           && stream.usage.written == 2 && stream.usage.reasoning == 1,
       "usage and finish of a whole answer");
}

/* ------------------------------------------------------------------------------ limits */

static void test_limits(void)
{
    apr_table_t *headers = apr_table_make(pool, 8), *written = apr_table_make(pool, 8);
    ai_limits_t limits = AI_LIMITS_UNKNOWN;

    apr_table_setn(headers, "x-ratelimit-limit-requests", "60");
    apr_table_setn(headers, "x-ratelimit-remaining-requests", "59");
    apr_table_setn(headers, "x-ratelimit-reset-requests", "1s");
    apr_table_setn(headers, "x-ratelimit-limit-tokens", "150000");
    apr_table_setn(headers, "x-ratelimit-remaining-tokens", "-1");
    apr_table_setn(headers, "x-ratelimit-reset-tokens", "6m0s");
    dialect->translator->read_limits(headers, 0, &limits);
    ok(limits.requests.limit == 60 && limits.requests.remaining == 59
           && limits.requests.reset_ms == 1000 && limits.tokens.limit == 150000
           && limits.tokens.remaining == -1 && limits.tokens.reset_ms == 360000,
       "limits are read; what is negative is not known");
    dialect->translator->write_limits(written, pool, &limits, 0);
    apr_table_unset(headers, "x-ratelimit-remaining-tokens");
    ok(apr_table_elts(written)->nelts == 5, "as many are written");
    {
        const apr_array_header_t *list = apr_table_elts(headers);
        int i;

        for (i = 0; i < list->nelts; i++) {
            const apr_table_entry_t *entry = &APR_ARRAY_IDX(list, i, apr_table_entry_t);

            is_text(apr_table_get(written, entry->key), entry->val, entry->key);
        }
    }
    limits = AI_LIMITS_UNKNOWN;
    apr_table_clear(headers);
    apr_table_setn(headers, "x-ratelimit-limit-requests", "many");
    apr_table_setn(headers, "x-ratelimit-reset-requests", "");
    dialect->translator->read_limits(headers, 0, &limits);
    apr_table_clear(written);
    dialect->translator->write_limits(written, pool, &limits, 0);
    ok(apr_is_empty_table(written), "what says nothing is not written");
}

int main(void)
{
    apr_size_t i;

    frame_begin(&ai_dialect_openai, "openai");
    test_inputs();
    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        is_text(file_told(files[i].file), files[i].want, files[i].file);
    }
    test_wholes();
    test_limits();
    return frame_end();
}
