/* SPDX-License-Identifier: Apache-2.0 */
/* ai_chat.c - the words for endpoints and endings, and what endpoints have in common. */

#include "ai_chat.h"
#include "ai_json.h"

enum {
    PASSES = 1, /* ai_endpoint_passes(), and so on */
    KEPT = 2,
    POSTED = 4,
    FORM = 8,
    OBJECT = 16,
    CHUNKS = 32,
    MODEL = 64
};

static const struct {
    const char *name;
    unsigned traits;
} endpoints[AI_ENDPOINTS_N] = {
    [AI_ENDPOINT_OTHER] = { "other", PASSES },
    [AI_ENDPOINT_CHAT] = { "chat", POSTED | MODEL | OBJECT | CHUNKS },
    [AI_ENDPOINT_EMBEDDINGS] = { "embeddings", POSTED | MODEL | OBJECT },
    [AI_ENDPOINT_COUNT] = { "count-tokens", POSTED | MODEL | OBJECT },
    [AI_ENDPOINT_MODELS] = { "models", 0 },
    [AI_ENDPOINT_MODEL] = { "model", 0 },
    [AI_ENDPOINT_COMPLETIONS] = { "completions", POSTED | MODEL | OBJECT | CHUNKS },
    [AI_ENDPOINT_RESPONSES] = { "responses", POSTED | MODEL | OBJECT },
    [AI_ENDPOINT_MODERATIONS] = { "moderations", POSTED | OBJECT },
    [AI_ENDPOINT_IMAGES] = { "images", POSTED | FORM | OBJECT },
    /* Audio; plain text, too; of some providers a bare list: so none has to be an object. */
    [AI_ENDPOINT_SPEECH] = { "speech", POSTED | MODEL },
    [AI_ENDPOINT_TRANSCRIPTIONS] = { "transcriptions", POSTED | MODEL | FORM },
    [AI_ENDPOINT_TRANSLATIONS] = { "translations", POSTED | MODEL | FORM },
    [AI_ENDPOINT_RERANK] = { "rerank", POSTED | MODEL },
    [AI_ENDPOINT_FILES] = { "files", PASSES | KEPT },
    [AI_ENDPOINT_BATCHES] = { "batches", PASSES | KEPT },
    [AI_ENDPOINT_STORED] = { "stored", PASSES | KEPT },
};

const char *ai_endpoint_name(ai_endpoint_e endpoint)
{
    return endpoints[endpoint].name;
}

static int has(ai_endpoint_e endpoint, unsigned trait)
{
    return (endpoints[endpoint].traits & trait) != 0;
}

int ai_endpoint_passes(ai_endpoint_e endpoint)
{
    return has(endpoint, PASSES);
}

int ai_endpoint_is_kept(ai_endpoint_e endpoint)
{
    return has(endpoint, KEPT);
}

int ai_endpoint_needs_model(ai_endpoint_e endpoint)
{
    return has(endpoint, MODEL);
}

int ai_endpoint_is_posted(ai_endpoint_e endpoint)
{
    return has(endpoint, POSTED);
}

int ai_endpoint_takes_form(ai_endpoint_e endpoint)
{
    return has(endpoint, FORM);
}

int ai_endpoint_gives_object(ai_endpoint_e endpoint)
{
    return has(endpoint, OBJECT);
}

int ai_endpoint_gives_chunks(ai_endpoint_e endpoint)
{
    return has(endpoint, CHUNKS);
}

const char *ai_finish_name(ai_finish_e finish)
{
    static const char *const names[] = {
        [AI_FINISH_NONE] = NULL,      [AI_FINISH_STOP] = "stop",     [AI_FINISH_LENGTH] = "length",
        [AI_FINISH_TOOL] = "tool",    [AI_FINISH_FILTER] = "filter", [AI_FINISH_ERROR] = "error",
        [AI_FINISH_CLIENT_ABORT] = "client-abort",
    };

    return names[finish];
}

/* Each class's own word comes first; then other words for it. */
static const struct {
    const char *word;
    ai_service_e service;
} services[] = {
    { "standard", AI_SERVICE_STANDARD },   { "batch", AI_SERVICE_BATCH },
    { "flex", AI_SERVICE_FLEX },           { "priority", AI_SERVICE_PRIORITY },
    { "balanced", AI_SERVICE_BALANCED },   { "ultrafast", AI_SERVICE_ULTRAFAST },
    { "default", AI_SERVICE_STANDARD },    { "auto", AI_SERVICE_STANDARD },
    { "on_demand", AI_SERVICE_STANDARD },  { "scale", AI_SERVICE_STANDARD },
    { "fast", AI_SERVICE_PRIORITY },
};

#define WORDS_N ((int)(sizeof(services) / sizeof(services[0])))

void ai_service_keep(ai_service_e *service, ai_slice_t value)
{
    int i;

    if (ai_json_type(value) != AI_JSON_STRING) {
        return;
    }
    for (i = 0; i < WORDS_N && !ai_json_string_is(value, services[i].word); i++) {
        continue;
    }
    *service = i < WORDS_N ? services[i].service : AI_SERVICE_OTHER;
}

const char *ai_service_name(ai_service_e service)
{
    return services[service].word;
}

ai_service_e ai_service_of(const char *word)
{
    int i;

    for (i = 0; i < WORDS_N && strcmp(word, services[i].word) != 0; i++) {
        continue;
    }
    return i < WORDS_N ? services[i].service : AI_SERVICE_OTHER;
}
