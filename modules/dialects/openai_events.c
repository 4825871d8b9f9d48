/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_events.c - what do OpenAI's answers say: events, usage, how it ended?
 *
 * Chat and completions stream chunks of choices; Responses, images, speech and transcriptions
 * stream events with a type.
 *
 * Lives in: the pools it is given.  Shared state: none.  May block: no.
 */

#include <string.h>


#include "ai_fault.h"
#include "ai_field.h"
#include "openai.h"
#include "openai_translator.h"

/* 1 when the value says nothing: null, "", [] and {} (with white space inside). */
static int is_empty(ai_slice_t value)
{
    ai_json_walk_t walk;
    ai_json_member_t member;

    switch (ai_json_type(value)) {
    case AI_JSON_STRING:
        return value.n == 2;
    case AI_JSON_ARRAY:
    case AI_JSON_OBJECT:
        return ai_json_walk(&walk, value) && ai_json_next(&walk, &member) == 0;
    case AI_JSON_NULL:
    case AI_JSON_NONE:
        return 1;
    default:
        return 0;
    }
}

/* 1 when a delta holds something of the answer: anything but the role. */
static int delta_speaks(ai_slice_t delta)
{
    ai_json_walk_t walk;
    ai_json_member_t member;

    if (!ai_json_walk(&walk, delta)) {
        return 0;
    }
    while (ai_json_next(&walk, &member) > 0) {
        if (!is_empty(member.value) && !ai_json_key_is(member.key, "role")) {
            return 1;
        }
    }
    return 0;
}

/* Reads choices[]: how the answer goes on. Returns -1 for no array, else how many there are. */
static int read_choices(ai_slice_t choices, ai_stream_t *stream, int *speaks)
{
    ai_json_walk_t walk;
    ai_json_member_t choice;
    int n = 0;

    if (ai_json_type(choices) != AI_JSON_ARRAY) {
        return -1;
    }
    ai_json_walk(&walk, choices);
    while (ai_json_next(&walk, &choice) > 0) {
        ai_finish_e finish = openai_read_finish(ai_json_get(choice.value, "finish_reason"));

        if (finish != AI_FINISH_NONE) {
            stream->finish = finish;
            *speaks = 1;
        }
        if (delta_speaks(ai_json_get(choice.value, "delta"))
            || !is_empty(ai_json_get(choice.value, "text"))) {
            *speaks = 1;
        }
        n++;
    }
    return n;
}

/* The members of an event that matter, and where the usage member could be cut out. */
typedef struct parts_t {
    ai_slice_t choices;
    ai_slice_t usage;
    ai_slice_t error;
    ai_slice_t type;
    ai_slice_t object;
    ai_slice_t response;
    ai_slice_t service;
    ai_slice_t x_groq;       /* Groq's own: usage of a stream, and errors in mid-stream */
    ai_slice_t usage_member; /* with the comma before it; absent when it is the first member */
} parts_t;

static int read_parts(ai_slice_t data, parts_t *parts)
{
    ai_json_walk_t walk;
    ai_json_member_t member;
    const char *last_end = NULL;
    int rc;

    memset(parts, 0, sizeof(*parts));
    if (ai_json_type(data) != AI_JSON_OBJECT || !ai_json_walk(&walk, data)) {
        return 0;
    }
    while ((rc = ai_json_next(&walk, &member)) > 0) {
        const char *end = member.value.p + member.value.n;

        if (ai_json_key_is(member.key, "choices")) {
            parts->choices = member.value;
        }
        else if (ai_json_key_is(member.key, "usage")) {
            parts->usage = member.value;
            if (last_end) {
                parts->usage_member = (ai_slice_t){ last_end, (apr_size_t)(end - last_end) };
            }
        }
        else if (ai_json_key_is(member.key, "error")) {
            parts->error = member.value;
        }
        else if (ai_json_key_is(member.key, "type")) {
            parts->type = member.value;
        }
        else if (ai_json_key_is(member.key, "object")) {
            parts->object = member.value;
        }
        else if (ai_json_key_is(member.key, "response")) {
            parts->response = member.value;
        }
        else if (ai_json_key_is(member.key, "service_tier")) {
            parts->service = member.value;
        }
        else if (ai_json_key_is(member.key, "x_groq")) {
            parts->x_groq = member.value;
        }
        last_end = end;
    }
    return rc == 0;
}

static ai_event_e failed(apr_pool_t *p, ai_stream_t *stream, ai_slice_t data)
{
    stream->error = (ai_error_t){ 502, "upstream_error", "The provider ended the answer with an "
                                  "error.", NULL };
    ai_fault_read(p, data, &stream->error);
    stream->finish = AI_FINISH_ERROR;
    return AI_EVENT_ERROR;
}

/* The events that open a stream of named events, and those that end it well. */
static const char *const opening[] = {
    "response.created", "response.in_progress", "response.queued", NULL,
};
static const char *const ending[] = {
    "response.completed",   "speech.audio.done",   "transcript.text.done",
    "image_generation.completed", "image_edit.completed", NULL,
};

static int is_one_of(ai_slice_t type, const char *const *names)
{
    for (; *names; names++) {
        if (ai_json_string_is(type, *names)) {
            return 1;
        }
    }
    return 0;
}

/* Responses, speech, transcriptions, images and whatever else streams: nothing is held but what is
 * known to say nothing. */
static ai_event_e read_other(apr_pool_t *p, ai_stream_t *stream, const parts_t *parts,
                             ai_slice_t data)
{
    openai_read_usage(parts->usage, &stream->usage);
    openai_read_usage(ai_json_get(parts->response, "usage"), &stream->usage);
    ai_service_keep(&stream->usage.service, ai_json_get(parts->response, "service_tier"));
    if (ai_json_string_is(parts->type, "error")) {
        return failed(p, stream, data);
    }
    if (ai_json_string_is(parts->type, "response.failed")) {
        return failed(p, stream, parts->response);
    }
    if (is_one_of(parts->type, opening)) {
        return AI_EVENT_LIFECYCLE;
    }
    if (is_one_of(parts->type, ending)) {
        stream->finish = AI_FINISH_STOP;
        stream->done = 1;
    }
    else if (ai_json_string_is(parts->type, "response.incomplete")) {
        stream->finish = AI_FINISH_LENGTH;
        stream->done = 1;
    }
    return AI_EVENT_CONTENT;
}

static int lies_in(ai_slice_t part, ai_slice_t whole)
{
    return part.p && part.p >= whole.p && part.p + part.n <= whole.p + whole.n;
}

ai_event_e ai_openai_read_event(apr_pool_t *event_pool, ai_stream_t *stream,
                                const ai_sse_event_t *event)
{
    parts_t parts;
    ai_slice_t data = ai_slice_skip_space(event->data);
    int n, speaks = 0;

    stream->cut = (ai_slice_t){ NULL, 0 };
    if (!data.n) {
        return AI_EVENT_COMMENT;
    }
    if (data.n >= 6 && memcmp(data.p, "[DONE]", 6) == 0) {
        stream->done = 1;
        return AI_EVENT_DONE;
    }
    if (!read_parts(data, &parts)) {
        return ai_endpoint_passes(stream->endpoint) ? AI_EVENT_CONTENT : AI_EVENT_GARBAGE;
    }
    if (!is_empty(parts.error) || ai_json_string_is(parts.object, "error")) {
        return failed(event_pool, stream, data); /* the second form is old vLLM's */
    }
    if (!is_empty(ai_json_get(parts.x_groq, "error"))) {
        return failed(event_pool, stream, parts.x_groq);
    }
    openai_read_usage(ai_json_get(parts.x_groq, "usage"), &stream->usage);
    ai_service_keep(&stream->usage.service, parts.service);
    if (!ai_endpoint_gives_chunks(stream->endpoint) && !parts.choices.p) {
        return read_other(event_pool, stream, &parts, data);
    }
    n = read_choices(parts.choices, stream, &speaks);
    if (openai_read_usage(parts.usage, &stream->usage) && n <= 0) {
        return AI_EVENT_USAGE;
    }
    if (stream->hide_usage && ai_json_type(parts.usage) == AI_JSON_NULL
        && lies_in(parts.usage_member, event->raw)) {
        stream->cut = parts.usage_member; /* it is there only because we asked for usage */
    }
    return speaks ? AI_EVENT_CONTENT : AI_EVENT_LIFECYCLE;
}

enum { ANSWER_USAGE, ANSWER_CHOICES, ANSWER_STATUS, ANSWER_META, ANSWER_SERVICE };

const char *const ai_openai_answer_members[] = {
    [ANSWER_USAGE] = "usage",
    [ANSWER_CHOICES] = "choices",
    [ANSWER_STATUS] = "status",
    [ANSWER_META] = "meta",
    [ANSWER_SERVICE] = "service_tier",
    NULL,
};

/* Cohere's shape has it in meta, as what was used or else as what is charged; others tell the sum
 * alone. All of it is prompt: nothing is written. */
static void read_rerank_usage(const ai_pick_t *pick, ai_usage_t *usage)
{
    ai_slice_t meta = ai_pick_get(pick, ANSWER_META);

    if (!openai_read_usage(ai_json_get(meta, "tokens"), usage)) {
        openai_read_usage(ai_json_get(meta, "billed_units"), usage);
    }
    ai_field_keep(&usage->searches,
                  ai_field_count(ai_json_get(meta, "billed_units"), "search_units"));
    if (usage->prompt < 0) {
        ai_field_keep(&usage->prompt,
                      ai_field_count(ai_pick_get(pick, ANSWER_USAGE), "total_tokens"));
    }
}

void ai_openai_read_answer(ai_endpoint_e ep, const ai_pick_t *pick, ai_usage_t *usage,
                           ai_finish_e *finish)
{
    ai_json_walk_t walk;
    ai_json_member_t choice;
    ai_finish_e found = AI_FINISH_NONE;

    openai_read_usage(ai_pick_get(pick, ANSWER_USAGE), usage);
    ai_service_keep(&usage->service, ai_pick_get(pick, ANSWER_SERVICE));
    if (ep == AI_ENDPOINT_RERANK) {
        read_rerank_usage(pick, usage);
    }
    if ((ep == AI_ENDPOINT_EMBEDDINGS || ep == AI_ENDPOINT_RERANK) && usage->prompt >= 0
        && usage->completion < 0) {
        usage->completion = 0; /* OpenAI reports only the prompt: there is no completion */
    }
    if (ai_json_walk(&walk, ai_pick_get(pick, ANSWER_CHOICES))) {
        while (ai_json_next(&walk, &choice) > 0) {
            found = openai_read_finish(ai_json_get(choice.value, "finish_reason"));
        }
    }
    else if (ai_json_string_is(ai_pick_get(pick, ANSWER_STATUS), "incomplete")) {
        found = AI_FINISH_LENGTH; /* Responses */
    }
    /* Choices too long to keep are an answer all the same. */
    *finish = found != AI_FINISH_NONE ? found : AI_FINISH_STOP;
}
