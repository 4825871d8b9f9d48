/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_openai_request.c - what is a provider that speaks OpenAI's API asked for another dialect's
 * caller?
 */
#include "talk_frame.h"

extern const ai_dialect_t ai_dialect_openai;

static const ai_models_t *models;

/* A JSON string, or text, of the test's own. */
static ai_slice_t text(const char *of)
{
    return ai_slice_of(of);
}

static const ai_ability_t *ability(const char *json)
{
    const char *wrong, *file;
    const ai_models_t *read;

    file = apr_pstrcat(pool, "[{\"match\":\"m\",\"source\":\"test\",\"date\":"
                       "\"2026-11-21\"", json, "}]", NULL);
    read = ai_models_read(pool, text(file), NULL, &wrong);
    if (!read) {
        printf("Bail out! %s: %s\n", file, wrong);
        exit(1);
    }
    return ai_models_find(read, "openai", "m");
}

/* What is sent; lost: what is not carried. NULL: it cannot be asked, *lost is the message. */
static const char *write_for(const ai_talk_t *talk, const ai_ability_t *known, int ask_usage,
                             const char **lost)
{
    ai_sent_t sent;
    ai_write_t out;
    const ai_error_t *error;
    ai_slice_t flat;
    ai_json_doc_t doc;
    ai_json_error_t wrong;

    ai_sent_begin(pool, talk, &sent);
    ai_write_begin(pool, &out);
    error = dialect->translator->write_talk(pool, talk, "m", known, ask_usage, &sent, &out);
    *lost = talk_list(sent.lost);
    if (error) {
        *lost = apr_psprintf(pool, "%d %s %s: %s", error->status, error->code, error->param,
                             error->message);
        return NULL;
    }
    flat = ai_write_flat(&out);
    if (ai_json_parse(pool, flat, AI_JSON_DEPTH, &doc, &wrong) != APR_SUCCESS) {
        return apr_psprintf(pool, "no JSON: %s at %d of %s", wrong.reason, (int)wrong.offset,
                            talk_text(flat));
    }
    return talk_text(flat);
}

static const char *write_unknown(const ai_talk_t *talk, const char **lost)
{
    return write_for(talk, ai_models_find(models, "openai", "nobody-knows-it"), 1, lost);
}

static ai_part_t *part(ai_talk_t *talk, ai_part_e kind, ai_role_e role, int opens)
{
    ai_part_t *added = ai_talk_part(talk, kind, role);

    added->opens = opens & 1;
    return added;
}

static void say(ai_talk_t *talk, ai_role_e role, int opens, const char *json)
{
    part(talk, AI_PART_TEXT, role, opens)->text = text(json);
}

static ai_part_t *inside(ai_talk_t *talk, ai_part_e kind)
{
    ai_part_t *added = part(talk, kind, AI_ROLE_USER, 0);

    added->inside = 1;
    return added;
}

/* ------------------------------------------------------------------------ conversations */

/* The conversation of data/openai/conversation.json as Anthropic's dialect reads it. */
static void test_conversation(void)
{
    ai_talk_t *talk = ai_talk_create(pool);
    ai_slice_t want = frame_load("conversation.json");
    ai_part_t *added;
    ai_tool_t *tool;
    const char *lost, *got;

    say(talk, AI_ROLE_SYSTEM, 1, "\"Be brief.\"");
    say(talk, AI_ROLE_USER, 1, "\"Weather?\"");
    added = part(talk, AI_PART_IMAGE, AI_ROLE_USER, 0);
    added->media = text("image/png");
    added->data = text("iVBORw0=");
    added = part(talk, AI_PART_CALL, AI_ROLE_ASSISTANT, 1);
    added->id = text("\"call_1\"");
    added->name = text("\"get_w\"");
    added->object = text("{\"c\":\"Rome\"}");
    added = part(talk, AI_PART_CALL, AI_ROLE_ASSISTANT, 0);
    added->id = text("\"call_2\"");
    added->name = text("\"get_w\"");
    added->object = text("{\"c\":\"Oslo\"}");
    part(talk, AI_PART_RESULT, AI_ROLE_USER, 1)->id = text("\"call_2\"");
    inside(talk, AI_PART_TEXT)->text = text("\"{\\\"t\\\":3}\"");
    part(talk, AI_PART_RESULT, AI_ROLE_USER, 0)->id = text("\"call_1\"");
    inside(talk, AI_PART_TEXT)->text = text("\"sunny\"");
    tool = ai_talk_tool(talk);
    tool->name = text("\"get_w\"");
    tool->about = text("\"d\"");
    tool->schema = text("{\"type\":\"object\",\"properties\":{\"c\":{\"type\":\"string\"}},"
                        "\"required\":[\"c\"]}");
    talk->parallel = 0;
    talk->max_tokens = 256;
    talk->max_tokens_name = "max_tokens";
    APR_ARRAY_PUSH(talk->stops, ai_slice_t) = text("\"END\"");

    got = write_for(talk, ability(",\"renames\":{\"max_tokens\":\"max_completion_tokens\"}"), 0,
                    &lost);
    is_bytes(got, strlen(got), want.p, want.n - 1, "a conversation with tools and a picture");
    is_text(lost, "", "of which nothing is lost");
}

static const char head[] = "{\"model\":\"m\",\"messages\":[";

/* The messages that are sent of a talk that has nothing else. */
static void is_messages(const ai_talk_t *talk, const char *want, const char *want_lost,
                        const char *what)
{
    const char *lost, *got = write_unknown(talk, &lost);

    is_text(got, apr_pstrcat(pool, head, want, "]}", NULL), what);
    is_text(lost, want_lost, apr_pstrcat(pool, what, ": lost", NULL));
}

static void test_system_and_thinking(void)
{
    ai_talk_t *talk = ai_talk_create(pool);
    ai_part_t *added;

    say(talk, AI_ROLE_SYSTEM, 1, "\"a\"");
    say(talk, AI_ROLE_SYSTEM, 0, "\"b\"");
    APR_ARRAY_IDX(talk->parts, 1, ai_part_t).cache = text("{\"type\":\"ephemeral\"}");
    say(talk, AI_ROLE_USER, 1, "\"Hi\"");
    added = part(talk, AI_PART_THINKING, AI_ROLE_ASSISTANT, 1);
    added->text = text("\"Hm\"");
    added->signature = text("\"c2ln\"");
    say(talk, AI_ROLE_ASSISTANT, 0, "\"H\"");
    say(talk, AI_ROLE_ASSISTANT, 0, "\"o\\n\"");
    part(talk, AI_PART_REDACTED, AI_ROLE_ASSISTANT, 1)->data = text("\"x\"");
    part(talk, AI_PART_REFUSAL, AI_ROLE_ASSISTANT, 1)->text = text("\"No.\"");
    is_messages(talk, "{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
                "{\"type\":\"text\",\"text\":\"b\"}]},{\"role\":\"user\",\"content\":\"Hi\"},"
                "{\"role\":\"assistant\",\"content\":\"Ho\\n\"},"
                "{\"role\":\"assistant\",\"content\":null,\"refusal\":\"No.\"}",
                "system.cache_control,messages.content.thinking,"
                "messages.content.redacted_thinking", "system in blocks, thinking left out");
}

static void test_results(void)
{
    ai_talk_t *talk = ai_talk_create(pool);
    ai_part_t *added;

    added = part(talk, AI_PART_RESULT, AI_ROLE_USER, 1);
    added->id = text("\"t1\"");
    added->failed = 1;
    inside(talk, AI_PART_TEXT)->text = text("\"no such city\"");
    added = part(talk, AI_PART_RESULT, AI_ROLE_USER, 0);
    added->id = text("\"t2\"");
    added->cache = text("{}");
    inside(talk, AI_PART_TEXT)->text = text("\"a\"");
    added = inside(talk, AI_PART_IMAGE);
    added->media = text("image/png");
    added->data = text("AAAA");
    inside(talk, AI_PART_TEXT)->text = text("\"b\"");
    part(talk, AI_PART_RESULT, AI_ROLE_USER, 0)->id = text("\"t3\"");
    added = part(talk, AI_PART_RESULT, AI_ROLE_USER, 0);
    added->id = text("\"t4\"");
    added->failed = 1;
    part(talk, AI_PART_RESULT, AI_ROLE_USER, 0)->id = text("\"t5\"");
    inside(talk, AI_PART_IMAGE)->url = text("\"https://h/a.png\"");
    say(talk, AI_ROLE_USER, 0, "\"And now?\"");
    is_messages(talk,
                "{\"role\":\"tool\",\"tool_call_id\":\"t1\",\"content\":\"Error: no such city\"},"
                "{\"role\":\"tool\",\"tool_call_id\":\"t2\",\"content\":[{\"type\":\"text\","
                "\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]},"
                "{\"role\":\"tool\",\"tool_call_id\":\"t3\",\"content\":\"\"},"
                "{\"role\":\"tool\",\"tool_call_id\":\"t4\",\"content\":\"Error: \"},"
                "{\"role\":\"tool\",\"tool_call_id\":\"t5\",\"content\":\"[see below]\"},"
                "{\"role\":\"user\",\"content\":["
                "{\"type\":\"text\",\"text\":\"[image from tool call t2]\"},"
                "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}},"
                "{\"type\":\"text\",\"text\":\"[image from tool call t5]\"},"
                "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://h/a.png\"}},"
                "{\"type\":\"text\",\"text\":\"And now?\"}]}",
                "messages.content.cache_control", "results first, then what the user says");
}

static void test_documents(void)
{
    ai_talk_t *talk = ai_talk_create(pool);
    ai_part_t *added = part(talk, AI_PART_FILE, AI_ROLE_USER, 1);

    added->media = text("application/pdf");
    added->data = text("JVBERg==");
    added->name = text("\"a.pdf\"");
    added = part(talk, AI_PART_FILE, AI_ROLE_USER, 0);
    added->media = text("application/pdf");
    added->data = text("JVBERg==");
    added = part(talk, AI_PART_FILE, AI_ROLE_USER, 0);
    added->text = text("\"plain\"");
    added->name = text("\"T\"");
    added = part(talk, AI_PART_AUDIO, AI_ROLE_USER, 0);
    added->media = text("audio/wav");
    added->data = text("AAAA");
    added = part(talk, AI_PART_IMAGE, AI_ROLE_USER, 0);
    added->url = text("\"https://h/\"");
    added->detail = text("\"high\"");
    is_messages(talk,
                "{\"role\":\"user\",\"content\":["
                "{\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\",\"file_data\":"
                "\"data:application/pdf;base64,JVBERg==\"}},"
                "{\"type\":\"file\",\"file\":{\"filename\":\"document.pdf\",\"file_data\":"
                "\"data:application/pdf;base64,JVBERg==\"}},"
                "{\"type\":\"text\",\"text\":\"plain\"},"
                "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AAAA\",\"format\":\"wav\"}},"
                "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://h/\",\"detail\":"
                "\"high\"}}]}", "messages.content.title", "documents, audio, a picture by its URL");
}

static void test_refused_content(void)
{
    static const struct {
        ai_part_e kind;
        const char *media, *url, *known, *want;
    } rows[] = {
        { AI_PART_FILE, NULL, "\"https://h/a.pdf\"", "", "document" },
        { AI_PART_IMAGE, "image/png", NULL, ",\"input\":[\"text\"]", "no images" },
        { AI_PART_FILE, "application/pdf", NULL, ",\"input\":[\"text\",\"image\"]", "no PDF" },
        { AI_PART_AUDIO, "audio/wav", NULL, ",\"input\":[\"text\",\"image\"]", "no audio" },
        { AI_PART_AUDIO, "audio/ogg", NULL, "", "WAV or MP3" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ai_talk_t *talk = ai_talk_create(pool);
        ai_part_t *added = part(talk, rows[i].kind, AI_ROLE_USER, 1);
        const char *lost;

        added->media = text(rows[i].media);
        added->url = text(rows[i].url);
        added->data = text(rows[i].url ? NULL : "AAAA");
        if (!ok(!write_for(talk, ability(rows[i].known), 0, &lost)
                    && strncmp(lost, "400 unsupported_parameter messages: ", 36) == 0
                    && strstr(lost, rows[i].want),
                "refused: %s", rows[i].want)) {
            printf("# %s\n", lost);
        }
    }
}

/* ----------------------------------------------------------------------------- settings */

#define HI "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"
#define NEW_NAME ",\"renames\":{\"max_tokens\":\"max_completion_tokens\"}"

/* Read as OpenAI's, written as OpenAI's: what the two have in common comes out as it went in. */
static const struct {
    const char *rest, *known, *want, *lost;
} asks[] = {
    { "", "", "", "" },
    { ",\"stream\":true", "", ",\"stream\":true,\"stream_options\":{\"include_usage\":true}", "" },
    { ",\"max_tokens\":9", "", ",\"max_tokens\":9", "" },
    { ",\"max_tokens\":9", NEW_NAME, ",\"max_completion_tokens\":9", "" },
    { ",\"max_tokens\":900", ",\"output\":100", ",\"max_tokens\":100", "max_tokens" },
    { ",\"max_tokens\":100", ",\"output\":100", ",\"max_tokens\":100", "" },
    { ",\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]", "", ",\"stop\":[\"a\",\"b\",\"c\",\"d\"]",
      "stop_sequences" },
    { ",\"stop\":\"a\"", ",\"refuses\":[\"stop\"]", "", "stop_sequences" },
    { ",\"n\":2", "", ",\"n\":2", "" },
    { ",\"temperature\":0.5,\"top_p\":0.9,\"top_k\":3", "",
      ",\"temperature\":0.5,\"top_p\":0.9", "top_k" },
    { ",\"temperature\":0.5,\"top_p\":0.9", ",\"sampling\":\"default_only\"", "",
      "temperature,top_p" },
    { ",\"temperature\":1,\"top_p\":1.0", ",\"sampling\":\"default_only\"", "", "" },
    { ",\"temperature\":0.5,\"top_p\":0.9", ",\"sampling\":\"one_of\"", ",\"temperature\":0.5",
      "top_p" },
    { ",\"top_p\":0.9", ",\"sampling\":\"one_of\"", ",\"top_p\":0.9", "" },
    { ",\"temperature\":0.5,\"reasoning_effort\":\"low\"", ",\"sampling\":\"no_thinking\","
      "\"thinking\":[\"effort\"]", ",\"reasoning_effort\":\"low\"", "temperature" },
    { ",\"temperature\":0.5,\"reasoning_effort\":\"none\"", ",\"sampling\":\"no_thinking\","
      "\"thinking\":[\"effort\"],\"efforts\":[\"none\",\"high\"]",
      ",\"reasoning_effort\":\"none\",\"temperature\":0.5", "" },
    { ",\"temperature\":0.5", ",\"sampling\":\"no_thinking\",\"thinking\":[\"effort\"]", "",
      "temperature" },
    { ",\"temperature\":0.5", ",\"sampling\":\"no_thinking\",\"thinking\":[\"effort\"],"
      "\"efforts\":[\"none\",\"high\"],\"default_effort\":\"none\"", ",\"temperature\":0.5", "" },
    { ",\"seed\":1,\"frequency_penalty\":1,\"presence_penalty\":1,\"logit_bias\":{\"1\":1},"
      "\"logprobs\":true,\"top_logprobs\":1,\"user\":\"u\",\"store\":true,\"service_tier\":"
      "\"flex\",\"verbosity\":\"low\",\"prediction\":{\"type\":\"content\",\"content\":\"a\"},"
      "\"web_search_options\":{},\"prompt_cache_key\":\"k\"", "",
      ",\"seed\":1,\"frequency_penalty\":1,\"presence_penalty\":1,\"logit_bias\":{\"1\":1},"
      "\"logprobs\":true,\"top_logprobs\":1,\"user\":\"u\",\"store\":true,\"service_tier\":"
      "\"flex\",\"verbosity\":\"low\",\"prediction\":{\"type\":\"content\",\"content\":\"a\"},"
      "\"web_search_options\":{},\"prompt_cache_key\":\"k\"", "" },
    { ",\"metadata\":{\"a\":\"b\"},\"seed\":1", ",\"refuses\":[\"seed\"]", "", "seed,metadata" },
    { ",\"reasoning_effort\":\"minimal\"", "", ",\"reasoning_effort\":\"minimal\"", "" },
    { ",\"reasoning_effort\":\"max\"", ",\"thinking\":[\"effort\"],\"efforts\":[\"low\",\"high\"]",
      ",\"reasoning_effort\":\"high\"", "" },
    { ",\"reasoning_effort\":\"low\"", ",\"thinking\":[\"none\"]", "", "reasoning_effort" },
    { ",\"reasoning_effort\":\"none\"", ",\"thinking\":[\"none\"]", "", "" },
    { ",\"reasoning_effort\":\"none\"", "", "", "" },
    { ",\"reasoning_effort\":\"none\"", ",\"thinking\":[\"effort\",\"always\"],\"efforts\":"
      "[\"low\"]", "", "reasoning_effort" },
    { ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2047}", "",
      ",\"reasoning_effort\":\"low\"", "" },
    { ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048}", "",
      ",\"reasoning_effort\":\"medium\"", "" },
    { ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":8192}", "",
      ",\"reasoning_effort\":\"high\"", "" },
    { ",\"thinking\":{\"type\":\"adaptive\"}", "", ",\"reasoning_effort\":\"high\"", "" },
    { ",\"thinking\":{\"type\":\"adaptive\"},\"reasoning_effort\":\"low\"", "",
      ",\"reasoning_effort\":\"low\"", "" },
    { ",\"thinking\":{\"type\":\"adaptive\"}", ",\"thinking\":[\"none\"]", "", "thinking" },
    { ",\"thinking\":{\"type\":\"adaptive\"}", ",\"thinking\":[\"budget\"]", "", "thinking" },
    { ",\"thinking\":{\"type\":\"disabled\"}", "", "", "" },
    { ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\","
      "\"parameters\":{\"type\":\"object\"},\"strict\":false},\"cache_control\":{}}],"
      "\"tool_choice\":\"required\",\"parallel_tool_calls\":true", "",
      ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\","
      "\"parameters\":{\"type\":\"object\"},\"strict\":false}}],"
      "\"tool_choice\":\"required\",\"parallel_tool_calls\":true", "tools.cache_control" },
    { ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":"
      "{\"type\":\"function\",\"function\":{\"name\":\"f\"}},\"parallel_tool_calls\":false",
      ",\"refuses\":[\"parallel_tool_calls\"]",
      ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":"
      "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}", "parallel_tool_calls" },
    { ",\"tool_choice\":\"none\",\"parallel_tool_calls\":false", "", "", "" },
    { ",\"response_format\":{\"type\":\"json_object\"}", "",
      ",\"response_format\":{\"type\":\"json_object\"}", "" },
    { ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":"
      "{\"type\":\"object\"},\"strict\":true}}", "",
      ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":"
      "{\"type\":\"object\"},\"strict\":true}}", "" },
};

static void test_asks(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
        const char *what = apr_pstrcat(pool, asks[i].rest, " with ", asks[i].known, NULL);
        ai_talk_t *talk;
        const char *error, *lost, *got;

        error = talk_read(apr_psprintf(pool, "{\"messages\":[{\"role\":\"user\",\"content\":"
                                       "\"Hi\"}]%s}", asks[i].rest), &talk);
        if (!ok(!error, "read: %s", asks[i].rest)) {
            printf("# %s\n", error);
            continue;
        }
        got = write_for(talk, ability(asks[i].known), 1, &lost);
        is_text(got, apr_pstrcat(pool, HI, asks[i].want, "}", NULL), what);
        is_text(lost, asks[i].lost, "what is lost of that");
    }
}

static void test_usage_unasked(void)
{
    ai_talk_t *talk = ai_talk_create(pool);
    const char *lost;

    say(talk, AI_ROLE_USER, 1, "\"Hi\"");
    talk->stream = 1;
    is_text(write_for(talk, ability(""), 0, &lost), HI ",\"stream\":true}",
            "usage is not asked for where the target does not know how");
}

/* A name that OpenAI does not take is sent as another one, everywhere the same, and found again. */
static void test_names(void)
{
    static const char asked[] = "\"mcp__server__"
                                "0123456789012345678901234567890123456789012345678901234567890\"";
    ai_talk_t *talk = ai_talk_create(pool);
    ai_sent_t sent;
    ai_write_t out;
    ai_slice_t flat, name;
    ai_part_t *call;
    const char *body, *at;
    int n = 0;

    say(talk, AI_ROLE_USER, 1, "\"Hi\"");
    call = part(talk, AI_PART_CALL, AI_ROLE_ASSISTANT, 1);
    call->id = text("\"c\"");
    call->name = text(asked);
    call->object = text("{}");
    ai_talk_tool(talk)->name = text(asked);
    talk->choice = AI_CHOICE_NAMED;
    talk->choice_name = text(asked);
    ai_sent_begin(pool, talk, &sent);
    ai_write_begin(pool, &out);
    dialect->translator->write_talk(pool, talk, "m", ability(""), 0, &sent, &out);
    flat = ai_write_flat(&out);
    body = talk_text(flat);
    is_number(sent.names->nelts, 1, "a long name is sent as one other");
    name = APR_ARRAY_IDX(sent.names, 0, ai_renamed_t).sent;
    ok(name.n <= 66 && name.n > 2, "that is not too long");
    for (at = body; (at = strstr(at, talk_text(name))); at++) {
        n++;
    }
    is_number(n, 3, "in the tool, the choice and the history");
    ok(!strstr(body, "78901234567890\""), "and nowhere as it was");
    is_text(talk_text(ai_sent_asked(&sent, name)), asked, "it is known by it afterwards");
}

int main(void)
{
    const char *wrong;

    frame_begin(&ai_dialect_openai, "openai");
    models = ai_models_read(pool, ai_models_builtin(), NULL, &wrong);
    test_conversation();
    test_system_and_thinking();
    test_results();
    test_documents();
    test_refused_content();
    test_asks();
    test_usage_unasked();
    test_names();
    return frame_end();
}
