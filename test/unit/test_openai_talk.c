/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_openai_talk.c - what does OpenAI's dialect make of a chat request that another dialect is to
 * have?
 */
#include "talk_frame.h"

extern const ai_dialect_t ai_dialect_openai;

#define ASK_HEAD "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"
#define ASK(rest) ASK_HEAD rest "}"
#define TALK(messages) "{\"model\":\"m\",\"messages\":[" messages "]}"
#define USER(parts) TALK("{\"role\":\"user\",\"content\":[" parts "]}")

/* --------------------------------------------------------------------------- messages */

static const struct {
    const char *what, *body, *parts, *lost;
} messages[] = {
    { "text", TALK("{\"role\":\"system\",\"content\":\"Be brief.\"},"
                   "{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
                   "{\"type\":\"text\",\"text\":\"b\"}]},{\"content\":\"Hi\",\"role\":\"user\"},"
                   "{\"role\":\"assistant\",\"content\":\"Ho\"}"),
      "system+ text \"Be brief.\"\nsystem+ text \"a\"\nsystem text \"b\"\nuser+ text \"Hi\"\n"
      "assistant+ text \"Ho\"\n", "" },
    { "escapes in keys and words", TALK("{\"r\\u006fle\":\"\\u0075ser\",\"content\":"
                                        "[{\"type\":\"t\\u0065xt\",\"text\":\"a\"}]}"),
      "user+ text \"a\"\n", "" },
    { "pictures", USER("{\"type\":\"image_url\",\"image_url\":{\"url\":"
                       "\"data:image/png;base64,iVBORw0=\",\"detail\":\"low\"}},"
                       "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://h/a.png\","
                       "\"detail\":\"auto\"}},"
                       "{\"type\":\"image_url\",\"image_url\":\"data:image/jpg;x=y;base64,AAAA\"},"
                       "{\"type\":\"image_url\",\"image_url\":{\"url\":"
                       "\"data:application\\/pdf;base64,AAAA\"}},"
                       "{\"type\":\"image_url\",\"image_url\":{\"url\":\"HTTP:\\/\\/h\\/\"}}"),
      "user+ image media=image/png data=iVBORw0= detail=\"low\"\n"
      "user image url=\"https://h/a.png\"\nuser image media=image/jpeg data=AAAA\n"
      "user file media=application/pdf data=AAAA\nuser image url=\"HTTP:\\/\\/h\\/\"\n", "" },
    { "documents and audio", USER("{\"type\":\"file\",\"file\":{\"file_data\":"
                                  "\"data:application/pdf;base64,JVBERg==\",\"filename\":"
                                  "\"a.pdf\"}},"
                                  "{\"type\":\"file\",\"file\":{\"file_data\":"
                                  "\"data:text/plain;base64,SGkgIsOkIg==\",\"filename\":\"a\"}},"
                                  "{\"type\":\"file\",\"file\":{\"file_data\":"
                                  "\"data:;base64,SGk\"}},"
                                  "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AAAA\","
                                  "\"format\":\"mp3\"}}"),
      "user+ file media=application/pdf data=JVBERg== name=\"a.pdf\"\n"
      "user file \"Hi \\\"\xc3\xa4\\\"\" name=\"a\"\nuser file \"Hi\"\n"
      "user audio media=audio/mp3 data=AAAA\n", "" },
    { "calls and their results",
      TALK("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
           "{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"get_w\","
           "\"arguments\":\"{\\\"c\\\":\\\"Rome\\\"}\"}},"
           "{\"id\":\"call_2\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
           "\"\"}},{\"id\":\"call_3\",\"function\":{\"name\":\"g\"}},"
           "{\"id\":\"call_4\",\"index\":3,\"function\":{\"name\":\"g\",\"arguments\":"
           "\" {} \\n\"}},{\"id\":\"call_5\",\"function\":{\"name\":\"g\",\"arguments\":"
           "{\"a\":1}}}]},"
           "{\"role\":\"tool\",\"tool_call_id\":\"call_2\",\"content\":\"{\\\"t\\\":3}\"},"
           "{\"role\":\"tool\",\"tool_call_id\":\"call_1\",\"content\":[{\"type\":\"text\","
           "\"text\":\"a\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://h/\"}}]},"
           "{\"role\":\"tool\",\"tool_call_id\":\"call_3\",\"content\":\"\"}"),
      "assistant+ call name=\"get_w\" id=\"call_1\" object={\"c\":\"Rome\"}\n"
      "assistant call name=\"f\" id=\"call_2\" object={}\n"
      "assistant call name=\"g\" id=\"call_3\" object={}\n"
      "assistant call name=\"g\" id=\"call_4\" object={}\n"
      "assistant call name=\"g\" id=\"call_5\" object={\"a\":1}\n"
      "user+ result id=\"call_2\"\nuser. text \"{\\\"t\\\":3}\"\n"
      "user+ result id=\"call_1\"\nuser. text \"a\"\nuser. image url=\"https://h/\"\n"
      "user+ result id=\"call_3\"\n", "" },
    { "the old functions",
      TALK("{\"role\":\"assistant\",\"content\":\"\",\"function_call\":{\"name\":\"f\","
           "\"arguments\":\"{}\"}},{\"role\":\"function\",\"name\":\"f\",\"content\":\"1\"},"
           "{\"role\":\"assistant\",\"content\":null,\"function_call\":{\"name\":\"g\","
           "\"arguments\":\"{\\\"a\\\":1}\"}},{\"role\":\"function\",\"name\":\"g\","
           "\"content\":\"2\"}"),
      "assistant+ call name=\"f\" id=\"call_fn_1\" object={}\n"
      "user+ result id=\"call_fn_1\"\nuser. text \"1\"\n"
      "assistant+ call name=\"g\" id=\"call_fn_2\" object={\"a\":1}\n"
      "user+ result id=\"call_fn_2\"\nuser. text \"2\"\n", "" },
    { "thinking in blocks", TALK("{\"role\":\"assistant\",\"reasoning_content\":\"Hm\","
                                 "\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":\"Hm\","
                                 "\"signature\":\"c2ln\"},{\"type\":\"redacted_thinking\","
                                 "\"data\":\"ZGF0YQ==\"},{\"type\":\"thinking\",\"thinking\":"
                                 "\"x\"}],\"content\":\"Hi\"}"),
      "assistant+ thinking \"Hm\" signature=\"c2ln\"\nassistant redacted data=\"ZGF0YQ==\"\n"
      "assistant thinking \"x\"\nassistant text \"Hi\"\n", "" },
    { "thinking as text, under both names",
      TALK("{\"role\":\"assistant\",\"reasoning_content\":\"Hm\",\"content\":\"a\"},"
           "{\"role\":\"assistant\",\"reasoning\":\"Ho\",\"content\":\"b\","
           "\"thinking_blocks\":[]},"
           "{\"role\":\"assistant\",\"reasoning\":{\"x\":1},\"content\":\"c\"}"),
      "assistant+ thinking \"Hm\"\nassistant text \"a\"\nassistant+ thinking \"Ho\"\n"
      "assistant text \"b\"\nassistant+ text \"c\"\n", "messages.reasoning" },
    { "refusals", TALK("{\"role\":\"assistant\",\"content\":null,\"refusal\":\"No.\"},"
                       "{\"role\":\"assistant\",\"content\":[{\"type\":\"refusal\",\"refusal\":"
                       "\"Never.\"}]}"),
      "assistant+ refusal \"No.\"\nassistant+ refusal \"Never.\"\n", "" },
    { "an assistant that says nothing",
      TALK("{\"role\":\"assistant\",\"content\":null},{\"role\":\"assistant\",\"content\":\"\","
           "\"reasoning_content\":\"Hm\"},{\"role\":\"assistant\"},{\"role\":\"user\","
           "\"content\":\"Hi\"}"),
      "user+ text \"Hi\"\n", "" },
    { "what an SDK sends back of an answer",
      TALK("{\"role\":\"assistant\",\"content\":\"Hi\",\"refusal\":null,\"annotations\":[],"
           "\"audio\":null,\"function_call\":null,\"tool_calls\":null}"),
      "assistant+ text \"Hi\"\n", "" },
    { "cache marks",
      TALK("{\"role\":\"system\",\"content\":\"S\",\"cache_control\":{\"type\":\"ephemeral\"}},"
           "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"cache_control\":"
           "{\"type\":\"ephemeral\",\"ttl\":\"1h\"}},{\"type\":\"text\",\"text\":\"b\"}]},"
           "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"cache_control\":{},"
           "\"function\":{\"name\":\"f\"}}]},"
           "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"x\",\"cache_control\":"
           "{\"type\":\"ephemeral\"}}"),
      "system+ text \"S\" cache={\"type\":\"ephemeral\"}\n"
      "user+ text \"a\" cache={\"type\":\"ephemeral\",\"ttl\":\"1h\"}\nuser text \"b\"\n"
      "assistant+ call name=\"f\" id=\"c\" object={} cache={}\n"
      "user+ result id=\"c\" cache={\"type\":\"ephemeral\"}\nuser. text \"x\"\n", "" },
    { "what nobody knows is lost by its name",
      TALK("{\"role\":\"user\",\"name\":\"Ann\",\"content\":[{\"type\":\"text\",\"text\":\"a\","
           "\"prompt_cache_breakpoint\":{\"mode\":\"explicit\"}}],\"odd\":1,\"o.d\":1,"
           "\"none\":null,\"tool_calls\":[{}]},"
           "{\"role\":\"user\",\"name\":\"Bob\",\"content\":[{\"type\":\"image_url\","
           "\"image_url\":{\"url\":\"https://h/\",\"size\":1}}]},"
           "{\"role\":\"assistant\",\"content\":\"x\",\"annotations\":[1],\"tool_calls\":["
           "{\"id\":\"c\",\"extra_content\":{\"google\":1},\"function\":{\"name\":\"f\","
           "\"x\":1}}]}"),
      "user+ text \"a\"\nuser+ image url=\"https://h/\"\nassistant+ text \"x\"\n"
      "assistant call name=\"f\" id=\"c\" object={}\n",
      "messages.odd,messages,messages.content.prompt_cache_breakpoint,messages.name,"
      "messages.tool_calls,messages.content.image_url.size,messages.tool_calls.extra_content,"
      "messages.tool_calls.function.x,messages.annotations" },
};

static void test_messages(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        ai_talk_t *talk;
        const char *error = talk_read(messages[i].body, &talk);

        if (!ok(!error, "%s: is read", messages[i].what)) {
            printf("# %s\n", error);
            continue;
        }
        is_text(talk_parts(talk), messages[i].parts, messages[i].what);
        is_text(talk_list(talk->lost), messages[i].lost,
                apr_pstrcat(pool, messages[i].what, ": lost", NULL));
    }
}

/* ------------------------------------------------------------------------------ faults */

#define CALL(rest)                                                                                \
    TALK("{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"tool_calls\":["         \
         "{\"id\":\"c\",\"function\":{\"name\":\"f\"}},{" rest "}]}")
#define ARGUMENTS(text) CALL("\"id\":\"d\",\"function\":{\"name\":\"f\",\"arguments\":" text "}")
#define UNSUPPORTED " (unsupported_parameter)"

/* want: the param, and with UNSUPPORTED the code. */
static const struct {
    const char *body, *want;
} faults[] = {
    { "{\"model\":\"m\"}", "messages" },
    { "{\"model\":\"m\",\"messages\":{}}", "messages" },
    { "{\"model\":\"m\",\"messages\":\"Hi\"}", "messages" },
    { "{\"model\":\"m\",\"messages\":null}", "messages" },
    { TALK(""), "messages" },
    { TALK("7"), "messages[0]" },
    { TALK("{\"role\":\"user\",\"content\":\"a\"},{\"content\":\"b\"}"), "messages[1].role" },
    { TALK("{\"role\":\"robot\",\"content\":\"b\"}"), "messages[0].role" },
    { TALK("{\"role\":7,\"content\":\"b\"}"), "messages[0].role" },
    { TALK("{\"role\":\"user\",\"content\":7}"), "messages[0].content" },
    { TALK("{\"role\":\"user\",\"content\":{}}"), "messages[0].content" },
    { TALK("{\"role\":\"user\"}"), "messages[0].content" },
    { TALK("{\"role\":\"user\",\"content\":null}"), "messages[0].content" },
    { TALK("{\"role\":\"system\",\"content\":null}"), "messages[0].content" },
    { TALK("{\"role\":\"assistant\",\"content\":7}"), "messages[0].content" },
    { USER("7"), "messages[0].content[0]" },
    { USER("{\"type\":\"text\",\"text\":\"a\"},{\"text\":\"b\"}"), "messages[0].content[1].type" },
    { USER("{\"type\":\"video_url\",\"video_url\":{}}"), "messages[0].content[0].type" },
    { USER("{\"type\":\"refusal\",\"refusal\":\"a\"}"), "messages[0].content[0].type" },
    { USER("{\"type\":\"text\"}"), "messages[0].content[0].text" },
    { USER("{\"type\":\"text\",\"text\":7}"), "messages[0].content[0].text" },
    { USER("{\"type\":\"text\",\"text\":\"a\",\"cache_control\":7}"),
      "messages[0].cache_control" },
    { TALK("{\"role\":\"system\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
           "\"https://h/\"}}]}"), "messages[0].content[0].type" },
    { USER("{\"type\":\"image_url\"}"), "messages[0].content[0].image_url.url" },
    { USER("{\"type\":\"image_url\",\"image_url\":{\"url\":7}}"),
      "messages[0].content[0].image_url.url" },
    { USER("{\"type\":\"image_url\",\"image_url\":{\"url\":\"\"}}"),
      "messages[0].content[0].image_url.url" },
    { USER("{\"type\":\"image_url\",\"image_url\":{\"url\":\"file:///etc/passwd\"}}"),
      "messages[0].content[0].image_url.url" },
    { USER("{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png,abc\"}}"),
      "messages[0].content[0].image_url.url" },
    { USER("{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:;base64,AAAA\"}}"),
      "messages[0].content[0].image_url.url" },
    { USER("{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:text/html;base64,AAAA\"}}"),
      "messages[0].content[0].image_url.url" },
    { USER("{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}}"),
      "messages[0].content[0].file.file_id" UNSUPPORTED },
    { USER("{\"type\":\"file\",\"file\":{}}"), "messages[0].content[0].file.file_data" },
    { USER("{\"type\":\"file\",\"file\":{\"file_data\":\"AAAA\"}}"),
      "messages[0].content[0].file.file_data" },
    { USER("{\"type\":\"file\",\"file\":{\"file_data\":\"data:a/b;base64,AAAA\",\"filename\":7}}"),
      "messages[0].content[0].file.filename" },
    { USER("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AAAA\",\"format\":\"ogg\"}}"),
      "messages[0].content[0].input_audio.format" },
    { USER("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"?\",\"format\":\"wav\"}}"),
      "messages[0].content[0].input_audio.data" },
    { USER("{\"type\":\"input_audio\",\"input_audio\":{\"format\":\"wav\"}}"),
      "messages[0].content[0].input_audio.data" },
    { TALK("{\"role\":\"assistant\",\"tool_calls\":7}"), "messages[0].tool_calls" },
    { CALL("\"function\":{\"name\":\"f\"}"), "messages[1].tool_calls[1].id" },
    { CALL("\"id\":\"\",\"function\":{\"name\":\"f\"}"), "messages[1].tool_calls[1].id" },
    { CALL("\"id\":\"d\""), "messages[1].tool_calls[1].function" },
    { CALL("\"id\":\"d\",\"function\":{}"), "messages[1].tool_calls[1].function.name" },
    { CALL("\"id\":\"d\",\"type\":\"custom\",\"custom\":{\"name\":\"f\",\"input\":\"x\"}"),
      "messages[1].tool_calls[1].type" UNSUPPORTED },
    { ARGUMENTS("\"{\""), "messages[1].tool_calls[1].function.arguments" },
    { ARGUMENTS("\"[]\""), "messages[1].tool_calls[1].function.arguments" },
    { ARGUMENTS("\"null\""), "messages[1].tool_calls[1].function.arguments" },
    { ARGUMENTS("\"{\\\"a\\\":1,\\\"a\\\":2}\""), "messages[1].tool_calls[1].function.arguments" },
    { ARGUMENTS("7"), "messages[1].tool_calls[1].function.arguments" },
    { ARGUMENTS("[]"), "messages[1].tool_calls[1].function.arguments" },
    { TALK("{\"role\":\"assistant\",\"function_call\":{\"name\":\"f\",\"arguments\":\"x\"}}"),
      "messages[0].function_call.arguments" },
    { TALK("{\"role\":\"assistant\",\"function_call\":{}}"), "messages[0].function_call.name" },
    { TALK("{\"role\":\"function\",\"name\":\"f\",\"content\":\"1\"}"), "messages[0].role" },
    { TALK("{\"role\":\"tool\",\"content\":\"1\"}"), "messages[0].tool_call_id" },
    { TALK("{\"role\":\"tool\",\"tool_call_id\":7,\"content\":\"1\"}"),
      "messages[0].tool_call_id" },
    { TALK("{\"role\":\"tool\",\"tool_call_id\":\"c\"}"), "messages[0].content" },
    { TALK("{\"role\":\"assistant\",\"audio\":{\"id\":\"a\"}}"),
      "messages[0].audio" UNSUPPORTED },
    { TALK("{\"role\":\"assistant\",\"refusal\":7}"), "messages[0].refusal" },
    { TALK("{\"role\":\"assistant\",\"thinking_blocks\":7}"), "messages[0].thinking_blocks" },
    { TALK("{\"role\":\"assistant\",\"thinking_blocks\":[{\"type\":\"x\"}]}"),
      "messages[0].thinking_blocks[0].type" },
    { TALK("{\"role\":\"assistant\",\"thinking_blocks\":[{\"type\":\"thinking\"}]}"),
      "messages[0].thinking_blocks[0].thinking" },
    { TALK("{\"role\":\"assistant\",\"thinking_blocks\":[{\"type\":\"redacted_thinking\"}]}"),
      "messages[0].thinking_blocks[0].data" },
    { TALK("{\"role\":\"assistant\",\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":"
           "\"\",\"signature\":7}]}"), "messages[0].thinking_blocks[0].signature" },
    { ASK(",\"tools\":{\"a\":1}"), "tools" },
    { ASK(",\"tools\":[7]"), "tools[0]" },
    { ASK(",\"tools\":[{\"function\":{\"name\":\"f\"}}]"), "tools[0].type" },
    { ASK(",\"tools\":[{\"type\":\"web_search\"}]"), "tools[0].type" UNSUPPORTED },
    { ASK(",\"tools\":[{\"type\":\"function\"}]"), "tools[0].function" },
    { ASK(",\"tools\":[{\"type\":\"function\",\"function\":{}}]"), "tools[0].function.name" },
    { ASK(",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":7}}]"),
      "tools[0].function.parameters" },
    { ASK(",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":7}}]"),
      "tools[0].function.description" },
    { ASK(",\"functions\":[{}]"), "functions[0].name" },
    { ASK(",\"functions\":[{\"name\":\"f\"}],\"tools\":[{\"type\":\"function\",\"function\":"
          "{\"name\":\"f\"}}]"), "functions" UNSUPPORTED },
    { ASK(",\"tool_choice\":\"any\""), "tool_choice" },
    { ASK(",\"tool_choice\":7"), "tool_choice" },
    { ASK(",\"tool_choice\":\"required\""), "tool_choice" UNSUPPORTED },
    { ASK(",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}"),
      "tool_choice.function.name" UNSUPPORTED },
    { ASK(",\"tool_choice\":{\"type\":\"function\"}"), "tool_choice.function.name" },
    { ASK(",\"tool_choice\":{\"type\":\"custom\",\"custom\":{\"name\":\"f\"}}"),
      "tool_choice.type" UNSUPPORTED },
    { ASK(",\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":\"auto\","
          "\"tools\":[]}}"), "tool_choice.allowed_tools.tools" UNSUPPORTED },
    { ASK(",\"function_call\":{\"name\":\"f\"}"), "function_call.name" UNSUPPORTED },
    { ASK(",\"parallel_tool_calls\":1"), "parallel_tool_calls" },
    { ASK(",\"n\":0"), "n" }, { ASK(",\"n\":129"), "n" }, { ASK(",\"n\":1.5"), "n" },
    { ASK(",\"max_tokens\":0"), "max_tokens" }, { ASK(",\"max_tokens\":\"9\""), "max_tokens" },
    { ASK(",\"max_tokens\":99999999999999999999"), "max_tokens" },
    { ASK(",\"max_completion_tokens\":-1"), "max_completion_tokens" },
    { ASK(",\"stop\":7"), "stop" }, { ASK(",\"stop\":[\"a\",7]"), "stop" },
    { ASK(",\"temperature\":\"hot\""), "temperature" }, { ASK(",\"user\":7"), "user" },
    { ASK(",\"safety_identifier\":7"), "safety_identifier" },
    { ASK(",\"logprobs\":1"), "logprobs" }, { ASK(",\"metadata\":[]"), "metadata" },
    { ASK(",\"web_search_options\":true"), "web_search_options" },
    { ASK(",\"modalities\":\"text\""), "modalities" },
    { ASK(",\"modalities\":[\"text\",\"audio\"]"), "modalities" UNSUPPORTED },
    { ASK(",\"audio\":{\"voice\":\"alloy\",\"format\":\"mp3\"}"), "audio" UNSUPPORTED },
    { ASK(",\"response_format\":{\"type\":\"grammar\"}"), "response_format.type" },
    { ASK(",\"response_format\":7"), "response_format.type" },
    { ASK(",\"response_format\":{\"type\":\"json_schema\"}"), "response_format.json_schema" },
    { ASK(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{}}}"),
      "response_format.json_schema.name" },
    { ASK(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
          "\"schema\":7}}"), "response_format.json_schema.schema" },
    { ASK(",\"reasoning_effort\":\"huge\""), "reasoning_effort" },
    { ASK(",\"reasoning_effort\":7"), "reasoning_effort" },
    { ASK(",\"thinking\":{\"type\":\"on\"}"), "thinking.type" },
    { ASK(",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":0}"), "thinking.budget_tokens" },
};

static void test_faults(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        ai_talk_t *talk;
        const char *error = talk_read(faults[i].body, &talk);
        const char *code = strstr(faults[i].want, UNSUPPORTED);
        apr_size_t n = code ? (apr_size_t)(code - faults[i].want) : strlen(faults[i].want);
        int good = error && strncmp(error, faults[i].want, n) == 0
                   && strncmp(error + n, ": ", 2) == 0
                   && !strstr(error, UNSUPPORTED) == !code;

        if (!ok(good, "refused: %s", faults[i].want)) {
            printf("# %s\n# is %s\n", faults[i].body, error ? error : "taken");
        }
    }
}

/* ---------------------------------------------------------------------------- settings */

/* The settings of a talk that say something. */
static const char *settings(const ai_talk_t *talk)
{
    static const char *const choices[] = { "", "auto", "none", "required", "named" };
    static const char *const formats[] = { "", "object", "schema" };
    static const char *const thinks[] = { "", "off", "budget", "adaptive" };
    const char *text = "";
    int i;

#define SAY(when, ...)                                                                            \
    if (when) {                                                                                   \
        text = apr_pstrcat(pool, text, *text ? " " : "", apr_psprintf(pool, __VA_ARGS__), NULL);  \
    }
    for (i = 0; i < talk->tools->nelts; i++) {
        const ai_tool_t *tool = &APR_ARRAY_IDX(talk->tools, i, ai_tool_t);

        SAY(1, "tool:%s:%s:%s:%d:%s", talk_text(tool->name), talk_text(tool->about),
            talk_text(tool->schema), tool->strict, talk_text(tool->cache));
    }
    SAY(talk->choice, "choice:%s", choices[talk->choice]);
    SAY(talk->choice_name.p, "%s", talk_text(talk->choice_name));
    SAY(talk->parallel >= 0, "parallel:%d", talk->parallel);
    SAY(talk->max_tokens >= 0, "%s:%d", talk->max_tokens_name, (int)talk->max_tokens);
    SAY(talk->n != 1, "n:%d", talk->n);
    for (i = 0; i < talk->stops->nelts; i++) {
        SAY(1, "stop:%s", talk_text(APR_ARRAY_IDX(talk->stops, i, ai_slice_t)));
    }
    SAY(talk->format, "format:%s:%s:%s:%d", formats[talk->format], talk_text(talk->format_name),
        talk_text(talk->format_schema), talk->format_strict);
    SAY(talk->thinking, "thinking:%s:%d", thinks[talk->thinking], (int)talk->thinking_budget);
    SAY(talk->effort != AI_EFFORTS_N, "effort:%s", ai_effort_word(talk->effort));
    SAY(talk->effort_name, "as:%s", talk->effort_name);
    SAY(talk->stream, "stream");
    for (i = 0; i < AI_OPTIONS_N; i++) {
        SAY(talk->options[i].value.p, "%s=%s", talk->options[i].name,
            talk_text(talk->options[i].value));
    }
#undef SAY
    return text;
}

#define FUNCTION(name) "{\"type\":\"function\",\"function\":{\"name\":\"" name "\"}}"
#define TOOLS ",\"tools\":[" FUNCTION("f") "," FUNCTION("g") "]"

static const struct {
    const char *rest, *want, *lost;
} asks[] = {
    { "", "", "" },
    { ",\"stream\":true", "stream", "" },
    { ",\"stream\":true,\"stream_options\":{\"include_usage\":true,\"include_obfuscation\":false}",
      "stream", "" },
    { ",\"stream\":false,\"stream_options\":null", "", "" },
    { ",\"stream_options\":{\"odd\":1}", "", "stream_options.odd" },
    { ",\"max_tokens\":9", "max_tokens:9", "" },
    { ",\"max_completion_tokens\":8,\"max_tokens\":8", "max_completion_tokens:8", "" },
    { ",\"max_completion_tokens\":8,\"max_tokens\":9", "max_completion_tokens:8", "max_tokens" },
    { ",\"max_completion_tokens\":null,\"max_tokens\":1e2", "max_tokens:100", "" },
    { ",\"n\":1", "", "" }, { ",\"n\":3", "n:3", "" },
    { ",\"stop\":\"END\"", "stop:\"END\"", "" }, { ",\"stop\":null", "", "" },
    { ",\"stop\":[\"a\",\"b\"]", "stop:\"a\" stop:\"b\"", "" },
    { ",\"temperature\":0.5,\"top_p\":1,\"top_k\":5,\"seed\":7",
      "temperature=0.5 top_p=1 top_k=5 seed=7", "" },
    { ",\"frequency_penalty\":0,\"presence_penalty\":0.0,\"logit_bias\":{},\"logprobs\":false,"
      "\"top_logprobs\":0,\"store\":false,\"service_tier\":\"auto\",\"verbosity\":\"medium\","
      "\"metadata\":{ },\"user\":\"\",\"modalities\":[\"text\"],\"audio\":null,\"tools\":[],"
      "\"functions\":null,\"response_format\":{\"type\":\"text\"},\"temperature\":null", "", "" },
    { ",\"frequency_penalty\":0.1,\"presence_penalty\":-1,\"logit_bias\":{\"1\":1},"
      "\"logprobs\":true,\"top_logprobs\":2,\"store\":true,\"service_tier\":\"flex\","
      "\"verbosity\":\"low\",\"metadata\":{\"a\":\"b\"},\"prediction\":{\"type\":\"content\"},"
      "\"web_search_options\":{},\"prompt_cache_key\":\"k\",\"user\":\"u\"",
      "frequency_penalty=0.1 presence_penalty=-1 logit_bias={\"1\":1} logprobs=true top_logprobs=2 "
      "user=\"u\" metadata={\"a\":\"b\"} store=true service_tier=\"flex\" verbosity=\"low\" "
      "prediction={\"type\":\"content\"} web_search_options={} prompt_cache_key=\"k\"", "" },
    { ",\"safety_identifier\":\"s\"", "safety_identifier=\"s\"", "" },
    { ",\"safety_identifier\":\"s\",\"user\":\"u\"", "user=\"u\"", "safety_identifier" },
    { ",\"moderation\":{\"model\":\"m\"},\"prompt_cache_retention\":\"24h\",\"odd\":0,\"o d\":1",
      "", "moderation,prompt_cache_retention,odd,?" },
    { ",\"tools\":[{\"type\":\"function\",\"cache_control\":{\"type\":\"ephemeral\"},\"function\":"
      "{\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"type\":\"object\"},\"strict\":true,"
      "\"foo\":1}},{\"type\":\"custom\",\"custom\":{\"name\":\"c\"}}]",
      "tool:\"f\":\"d\":{\"type\":\"object\"}:1:{\"type\":\"ephemeral\"}",
      "tools.function.foo,tools.custom" },
    { TOOLS ",\"tool_choice\":\"auto\",\"parallel_tool_calls\":false",
      "tool:\"f\":-:-:-1:- tool:\"g\":-:-:-1:- choice:auto parallel:0", "" },
    { TOOLS ",\"tool_choice\":\"required\",\"parallel_tool_calls\":true",
      "tool:\"f\":-:-:-1:- tool:\"g\":-:-:-1:- choice:required parallel:1", "" },
    { TOOLS ",\"tool_choice\":" FUNCTION("g"),
      "tool:\"f\":-:-:-1:- tool:\"g\":-:-:-1:- choice:named \"g\"", "" },
    { TOOLS ",\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":"
      "\"required\",\"tools\":[" FUNCTION("g") "," FUNCTION("h") "]}}",
      "tool:\"g\":-:-:-1:- choice:required", "" },
    { ",\"tool_choice\":\"none\"", "choice:none", "" },
    { ",\"functions\":[{\"name\":\"f\",\"description\":\"d\",\"parameters\":{}}],"
      "\"function_call\":{\"name\":\"f\"}", "tool:\"f\":\"d\":{}:-1:- choice:named \"f\"", "" },
    { ",\"functions\":[{\"name\":\"f\"}],\"function_call\":\"auto\"",
      "tool:\"f\":-:-:-1:- choice:auto", "" },
    { ",\"response_format\":{\"type\":\"json_object\"}", "format:object:-:-:-1", "" },
    { ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":"
      "{\"type\":\"object\"},\"strict\":true,\"description\":\"d\"}}",
      "format:schema:\"n\":{\"type\":\"object\"}:1", "response_format.json_schema.description" },
    { ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\"}}",
      "format:object:\"n\":-:-1", "" },
    { ",\"reasoning_effort\":\"xhigh\"", "effort:xhigh as:reasoning_effort", "" },
    { ",\"reasoning_effort\":null", "", "" },
    { ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048,\"display\":\"omitted\"}",
      "thinking:budget:2048 as:thinking", "thinking.display" },
    { ",\"thinking\":{\"type\":\"enabled\"}", "thinking:adaptive:0 as:thinking", "" },
    { ",\"thinking\":{\"type\":\"disabled\"}", "thinking:off:0 as:thinking", "" },
};

static void test_asks(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
        ai_talk_t *talk;
        const char *error = talk_read(apr_pstrcat(pool, ASK_HEAD, asks[i].rest, "}", NULL), &talk);

        if (!ok(!error, "read: %s", asks[i].rest)) {
            printf("# %s\n", error);
            continue;
        }
        is_text(settings(talk), asks[i].want, asks[i].rest);
        is_text(talk_list(talk->lost), asks[i].lost, "what is lost of that");
    }
}

/* What would cost more than the request itself is bounded. */
static void test_bounds(void)
{
    static const char part[] = ",{\"type\":\"text\",\"text\":\"a\"}";
    ai_talk_t *talk;
    char *body = apr_palloc(pool, 200 + (AI_TALK_PARTS + 1) * (sizeof(part) - 1)), *at = body;
    const char *error;
    int i;

    at += apr_snprintf(at, 100, "{\"messages\":[{\"role\":\"user\",\"content\":[");
    for (i = 0; i <= AI_TALK_PARTS; i++) {
        memcpy(at, part + (i == 0), sizeof(part) - 1 - (i == 0));
        at += sizeof(part) - 1 - (i == 0);
    }
    memcpy(at, "]}]}", 5);
    error = talk_read(body, &talk);
    ok(error && strncmp(error, "messages: ", 10) == 0, "too many parts are refused");
    ok(talk->parts->nelts == AI_TALK_PARTS, "and no more than that were made");

    at = body;
    at += apr_snprintf(at, 100, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]");
    for (i = 0; i < 10000; i++) {
        at += apr_snprintf(at, 30, ",\"k%d\":1", i);
    }
    memcpy(at, "}", 2);
    error = talk_read(body, &talk);
    ok(!error && talk->lost->nelts == 33
           && strcmp(APR_ARRAY_IDX(talk->lost, 32, const char *), "...") == 0,
       "of many unknown fields some are named, and that there are more");
}

int main(void)
{
    frame_begin(&ai_dialect_openai, "openai");
    test_messages();
    test_faults();
    test_asks();
    test_bounds();
    return frame_end();
}
