/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_reserve.c - how much may an answer of OpenAI's API have, and do its bytes bound the prompt?
 *
 * What is not known to be text is taken for what it may be: an image, a file, the sound of an earlier
 * answer, a tool that the provider runs and whose results it reads.
 *
 * Lives in: the pools it is given.  Shared state: none.  May block: no.
 */

#include "ai_reserve.h"
#include "openai.h"

static int is_text_part(ai_slice_t part)
{
    static const char *const words[] = { "text", "refusal", "input_text", "output_text", NULL };

    return ai_reserve_type(part, words);
}

/* A string, or parts that are text; null and nothing, too. */
static int is_text(ai_slice_t value)
{
    ai_json_type_e type = ai_json_type(value);

    return type == AI_JSON_NONE || type == AI_JSON_NULL || type == AI_JSON_STRING
           || ai_reserve_all(value, is_text_part);
}

/* What a message of a chat, or an item of a response, may have beside its content. */
static int is_plain_member(ai_slice_t key)
{
    static const char *const names[] = {
        "role",      "name",   "tool_calls", "tool_call_id", "refusal", "function_call",
        "reasoning_content", "prefix", "cache_control", "type", "id", "status", "call_id",
        "arguments", "input",  "phase",
    };
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (ai_json_key_is(key, names[i])) {
            return 1;
        }
    }
    return 0;
}

static int is_text_message(ai_slice_t message)
{
    static const char *const types[] = { "", "message", "function_call", "function_call_output",
                                         "custom_tool_call", "custom_tool_call_output", NULL };
    ai_json_walk_t walk;
    ai_json_member_t member;
    int rc;

    if (!ai_reserve_type(message, types) || !ai_json_walk(&walk, message)) {
        return 0;
    }
    while ((rc = ai_json_next(&walk, &member)) > 0) {
        int content = ai_json_key_is(member.key, "content") || ai_json_key_is(member.key, "output");

        if (content ? !is_text(member.value) : !is_plain_member(member.key)) {
            return 0;
        }
    }
    return rc == 0;
}

static int is_callers_tool(ai_slice_t tool)
{
    static const char *const types[] = { "function", "custom", NULL };

    return ai_reserve_type(tool, types);
}

static int is_number(ai_slice_t value)
{
    return ai_json_type(value) == AI_JSON_NUMBER;
}

/* Texts, or tokens. */
static int is_input(ai_slice_t value)
{
    ai_json_type_e type = ai_json_type(value);

    return type == AI_JSON_STRING || type == AI_JSON_NUMBER || ai_reserve_all(value, is_number);
}

static int is_bounded(ai_endpoint_e ep, const ai_json_doc_t *doc)
{
    static const char *const reads_more[] = { "web_search_options", "plugins", "mcp_servers" };
    ai_slice_t value;
    apr_size_t i;

    for (i = 0; i < sizeof(reads_more) / sizeof(reads_more[0]); i++) {
        if (ai_reserve_has(doc, reads_more[i])) {
            return 0;
        }
    }
    if (ai_reserve_has(doc, "tools")
        && !ai_reserve_all(ai_json_doc_get(doc, "tools"), is_callers_tool)) {
        return 0;
    }
    switch (ep) {
    case AI_ENDPOINT_CHAT:
        return ai_reserve_all(ai_json_doc_get(doc, "messages"), is_text_message);
    case AI_ENDPOINT_RESPONSES:
        value = ai_json_doc_get(doc, "input");
        return is_text(ai_json_doc_get(doc, "instructions"))
               && (ai_json_type(value) == AI_JSON_STRING || ai_reserve_all(value, is_text_message));
    case AI_ENDPOINT_COMPLETIONS:
        value = ai_json_doc_get(doc, "prompt");
        return ai_json_type(value) == AI_JSON_STRING || ai_reserve_all(value, is_input);
    case AI_ENDPOINT_EMBEDDINGS:
    case AI_ENDPOINT_MODERATIONS:
    case AI_ENDPOINT_SPEECH:
        value = ai_json_doc_get(doc, "input");
        return ai_json_type(value) == AI_JSON_STRING || ai_reserve_all(value, is_input);
    default:
        return 0;
    }
}

/* How many prompts there are to go on from: each has answers of its own. */
static apr_int64_t count_prompts(ai_slice_t prompt)
{
    ai_json_walk_t walk;
    ai_json_member_t element;
    apr_int64_t n = 0;

    if (ai_json_type(prompt) != AI_JSON_ARRAY || !ai_json_walk(&walk, prompt)) {
        return 1;
    }
    while (ai_json_next(&walk, &element) > 0) {
        if (ai_json_type(element.value) == AI_JSON_NUMBER) {
            return 1; /* one, in tokens */
        }
        n++;
    }
    return n ? n : 1;
}

void ai_openai_reserve(ai_endpoint_e ep, const ai_json_doc_t *doc, ai_ask_t *ask)
{
    ask->unbounded = !is_bounded(ep, doc);
    ask->max_output = ask->n = 0;
    if (ai_reserve_has(doc, "prediction")) {
        ask->max_output = -1; /* what is rejected of it counts, too, whatever the cap */
    }
    if (ep == AI_ENDPOINT_RESPONSES) {
        ai_reserve_cap(doc, "max_output_tokens", &ask->max_output);
        return;
    }
    /* Providers differ in which one counts where both are said. */
    ai_reserve_cap(doc, "max_tokens", &ask->max_output);
    ai_reserve_cap(doc, "max_completion_tokens", &ask->max_output);
    ai_reserve_cap(doc, "n", &ask->n);
    ai_reserve_cap(doc, "best_of", &ask->n);
    if (ep == AI_ENDPOINT_COMPLETIONS && ask->n >= 0) {
        ask->n = (ask->n ? ask->n : 1) * count_prompts(ai_json_doc_get(doc, "prompt"));
    }
}
