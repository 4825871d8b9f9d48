/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_dialect_bill.c - is what a call is charged by read from the answers that tell it, beside the
 * tokens in and out?
 *
 * The shapes are those of OpenAI's and Anthropic's API references (usage objects, service_tier).
 */
#include <apr_general.h>
#include <apr_strings.h>

#include "dialect.h"
#include "dialects.h"
#include "tap.h"

static apr_pool_t *pool;

static const ai_dialect_t *dialect_of(const char *name)
{
    int i;

    for (i = 0; ai_dialects[i] && strcmp(ai_dialects[i]->name, name) != 0; i++) {
        continue;
    }
    return ai_dialects[i];
}

/* A whole answer, as it passes. */
static ai_usage_t whole(const char *name, ai_endpoint_e endpoint, const char *text)
{
    const ai_dialect_t *dialect = dialect_of(name);
    ai_pick_t *pick = ai_pick_create(pool, dialect->answer_members, 65536);
    ai_usage_t usage = AI_USAGE_UNKNOWN;
    ai_finish_e finish;

    ai_pick_feed(pick, text, strlen(text));
    dialect->read_answer(endpoint, pick, &usage, &finish);
    return usage;
}

static void forget(void *baton, const ai_delta_t *delta)
{
    (void)baton;
    (void)delta;
}

/* The same, as it is translated. */
static ai_usage_t translated(const char *name, const char *text)
{
    ai_stream_t stream;
    ai_json_error_t err;
    ai_json_doc_t doc;

    memset(&stream, 0, sizeof(stream));
    stream.usage = AI_USAGE_UNKNOWN;
    stream.endpoint = AI_ENDPOINT_CHAT;
    if (ai_json_parse(pool, ai_slice_of(text), AI_JSON_DEPTH, &doc, &err) == APR_SUCCESS) {
        dialect_of(name)->translator->read_whole(pool, &doc, &stream, forget, NULL);
    }
    return stream.usage;
}

/* Events of a stream, a NULL behind the last. */
static ai_usage_t streamed(const char *name, ai_endpoint_e endpoint, const char *const *events)
{
    const ai_dialect_t *dialect = dialect_of(name);
    ai_stream_t stream;
    int i;

    memset(&stream, 0, sizeof(stream));
    stream.usage = AI_USAGE_UNKNOWN;
    stream.endpoint = endpoint;
    for (i = 0; events[i]; i++) {
        ai_sse_event_t event;

        memset(&event, 0, sizeof(event));
        event.data = event.raw = ai_slice_of(events[i]);
        event.name = AI_SLICE("message");
        dialect->read_event(pool, &stream, &event);
    }
    return stream.usage;
}

static void test_services(void)
{
    static const struct {
        const char *word;
        ai_service_e service;
    } words[] = {
        { "\"default\"", AI_SERVICE_STANDARD }, { "\"priority\"", AI_SERVICE_PRIORITY },
        { "\"flex\"", AI_SERVICE_FLEX }, { "\"batch\"", AI_SERVICE_BATCH },
        { "\"on_demand\"", AI_SERVICE_STANDARD }, { "\"golden\"", AI_SERVICE_OTHER },
        { "null", AI_SERVICE_STANDARD }, { "7", AI_SERVICE_STANDARD },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const char *answer = apr_pstrcat(
            pool, "{\"id\":\"a\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[],"
            "\"service_tier\":", words[i].word, ",\"usage\":{\"prompt_tokens\":1,"
            "\"completion_tokens\":2}}", NULL);
        const char *claude = apr_pstrcat(pool, "{\"usage\":{\"input_tokens\":1,\"output_tokens\":2,"
                                         "\"service_tier\":", words[i].word, "}}", NULL);
        const char *chunks[] = { apr_pstrcat(pool, "{\"choices\":[],\"service_tier\":", words[i].word,
                                             "}", NULL),
                                 "{\"choices\":[],\"usage\":{\"prompt_tokens\":1}}", NULL };
        const char *done[] = { apr_pstrcat(pool, "{\"type\":\"response.completed\",\"response\":"
                                           "{\"service_tier\":", words[i].word, "}}", NULL), NULL };

        is_number(whole("openai", AI_ENDPOINT_CHAT, answer).service, words[i].service, words[i].word);
        is_number(translated("openai", answer).service, words[i].service, "translated");
        is_number(streamed("openai", AI_ENDPOINT_CHAT, chunks).service, words[i].service, "streamed");
        is_number(streamed("openai", AI_ENDPOINT_RESPONSES, done).service, words[i].service,
                  "of a response");
        is_number(whole("anthropic", AI_ENDPOINT_CHAT, claude).service, words[i].service,
                  "of Anthropic's");
    }
}

static void test_openai(void)
{
    ai_usage_t usage = whole("openai", AI_ENDPOINT_CHAT,
        "{\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":50,\"prompt_tokens_details\":"
        "{\"cached_tokens\":5,\"audio_tokens\":20,\"image_tokens\":7},\"completion_tokens_details\":"
        "{\"reasoning_tokens\":3,\"audio_tokens\":30,\"image_tokens\":9}}}");

    ok(usage.prompt_audio == 20 && usage.prompt_image == 7, "audio and pictures of the prompt");
    ok(usage.completion_audio == 30 && usage.completion_image == 9, "and of the answer");
    usage = whole("openai", AI_ENDPOINT_IMAGES,
        "{\"data\":[{\"b64_json\":\"\"}],\"usage\":{\"total_tokens\":100,\"input_tokens\":50,\"output_tokens\":50,"
        "\"input_tokens_details\":{\"text_tokens\":10,\"image_tokens\":40}}}");
    ok(usage.prompt == 50 && usage.prompt_image == 40 && usage.completion == 50, "of a picture");
    usage = whole("openai", AI_ENDPOINT_TRANSCRIPTIONS,
                  "{\"text\":\"a\",\"usage\":{\"type\":\"duration\",\"seconds\":7}}");
    ok(usage.seconds == 7 && usage.prompt == -1 && usage.completion == -1, "seconds of a recording");
    usage = whole("openai", AI_ENDPOINT_RERANK,
                  "{\"results\":[],\"meta\":{\"billed_units\":{\"search_units\":2}}}");
    is_number(usage.searches, 2, "units of a rerank");
    usage = whole("openai", AI_ENDPOINT_CHAT, "{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}");
    ok(usage.prompt_audio == -1 && usage.completion_image == -1 && usage.seconds == -1
       && usage.searches == -1 && usage.service == AI_SERVICE_STANDARD, "what is not told is not known");
}

static void test_anthropic(void)
{
    static const char object[] =
        "{\"input_tokens\":10,\"cache_creation_input_tokens\":300,\"cache_read_input_tokens\":1000,"
        "\"cache_creation\":{\"ephemeral_5m_input_tokens\":100,\"ephemeral_1h_input_tokens\":200},"
        "\"output_tokens\":5,\"server_tool_use\":{\"web_search_requests\":3},\"service_tier\":\"priority\"}";
    const char *events[] = {
        apr_pstrcat(pool, "{\"type\":\"message_start\",\"message\":{\"usage\":", object, "}}", NULL),
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},"
        "\"usage\":{\"output_tokens\":50}}", NULL,
    };
    ai_usage_t usage = whole("anthropic", AI_ENDPOINT_CHAT,
                             apr_pstrcat(pool, "{\"usage\":", object, "}", NULL));

    ok(usage.prompt == 1310 && usage.written == 300 && usage.written_1h == 200,
       "what is kept for an hour is a part of what is written");
    is_number(usage.searches, 3, "searches");
    usage = streamed("anthropic", AI_ENDPOINT_CHAT, events);
    ok(usage.prompt == 1310 && usage.completion == 50 && usage.written_1h == 200
       && usage.searches == 3 && usage.service == AI_SERVICE_PRIORITY,
       "a stream's end leaves what its start told");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_services();
    test_openai();
    test_anthropic();
    return done();
}
