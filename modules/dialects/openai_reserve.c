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
#include "ai_word.h"
#include "openai.h"

#define COUNT(list) ((int)(sizeof(list) / sizeof((list)[0])))

/* The members of a request that matter here. */
static const ai_slice_t members[] = {
    AI_WORD("messages"),   AI_WORD("input"),
    AI_WORD("prompt"),     AI_WORD("instructions"),
    AI_WORD("tools"),      AI_WORD("max_tokens"),
    AI_WORD("max_completion_tokens"), AI_WORD("max_output_tokens"),
    AI_WORD("n"),          AI_WORD("best_of"),
    AI_WORD("prediction"), AI_WORD("web_search_options"),
    AI_WORD("plugins"),    AI_WORD("mcp_servers"),
};

enum { MESSAGES, INPUT, PROMPT, INSTRUCTIONS, TOOLS, MAX, MAX_COMPLETION, MAX_OUTPUT, N, BEST_OF,
       PREDICTION, WEB_SEARCH, PLUGINS, SERVERS, MEMBERS_N };

static ai_reserve_e judge_part(const ai_json_member_t *member)
{
    static const ai_slice_t key[] = { AI_WORD("type") };
    static const ai_slice_t texts[] = { AI_WORD("text"), AI_WORD("refusal"), AI_WORD("input_text"),
                                        AI_WORD("output_text") };

    if (ai_word_key(member->key, key, 1) < 0) {
        return AI_RESERVE_TEXT;
    }
    return ai_word_string(member->value, texts, COUNT(texts)) < 0 ? AI_RESERVE_OTHER
                                                                  : AI_RESERVE_TYPE;
}

/* A string, or parts that are text; null and nothing, too. */
static int is_text(ai_slice_t value)
{
    ai_json_type_e type = ai_json_type(value);

    return type == AI_JSON_STRING || type == AI_JSON_NONE || type == AI_JSON_NULL
           || ai_reserve_objects(value, 1, judge_part);
}

/* Of a message of a chat, or an item of a response. */
static ai_reserve_e judge_message(const ai_json_member_t *member)
{
    static const ai_slice_t keys[] = {
        AI_WORD("role"),      AI_WORD("content"),      AI_WORD("output"),  AI_WORD("type"),
        AI_WORD("name"),      AI_WORD("tool_calls"),   AI_WORD("tool_call_id"),
        AI_WORD("refusal"),   AI_WORD("function_call"), AI_WORD("reasoning_content"),
        AI_WORD("prefix"),    AI_WORD("cache_control"), AI_WORD("id"),     AI_WORD("status"),
        AI_WORD("call_id"),   AI_WORD("arguments"),    AI_WORD("input"),   AI_WORD("phase"),
    };
    static const ai_slice_t types[] = { AI_WORD("message"), AI_WORD("function_call"),
                                        AI_WORD("function_call_output"),
                                        AI_WORD("custom_tool_call"),
                                        AI_WORD("custom_tool_call_output") };
    int key = ai_word_key(member->key, keys, COUNT(keys)), text;

    switch (key) {
    case 1:
    case 2:
        text = is_text(member->value);
        break;
    case 3:
        text = ai_word_string(member->value, types, COUNT(types)) >= 0;
        break;
    default:
        text = key >= 0; /* what is not known may be anything */
    }
    return text ? AI_RESERVE_TEXT : AI_RESERVE_OTHER;
}

/* What the caller runs itself; all else the provider may. */
static ai_reserve_e judge_tool(const ai_json_member_t *member)
{
    static const ai_slice_t key[] = { AI_WORD("type") };
    static const ai_slice_t types[] = { AI_WORD("function"), AI_WORD("custom") };

    if (ai_word_key(member->key, key, 1) < 0) {
        return AI_RESERVE_TEXT;
    }
    return ai_word_string(member->value, types, COUNT(types)) < 0 ? AI_RESERVE_OTHER
                                                                  : AI_RESERVE_TYPE;
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

static int is_bounded(ai_endpoint_e ep, const ai_slice_t *found)
{
    ai_slice_t text;

    if (found[WEB_SEARCH].p || found[PLUGINS].p || found[SERVERS].p
        || (found[TOOLS].p && !ai_reserve_objects(found[TOOLS], 1, judge_tool))) {
        return 0;
    }
    switch (ep) {
    case AI_ENDPOINT_CHAT:
        return ai_reserve_objects(found[MESSAGES], 0, judge_message);
    case AI_ENDPOINT_RESPONSES:
        return is_text(found[INSTRUCTIONS])
               && (ai_json_type(found[INPUT]) == AI_JSON_STRING
                   || ai_reserve_objects(found[INPUT], 0, judge_message));
    case AI_ENDPOINT_COMPLETIONS:
    case AI_ENDPOINT_EMBEDDINGS:
    case AI_ENDPOINT_MODERATIONS:
    case AI_ENDPOINT_SPEECH:
        text = found[ep == AI_ENDPOINT_COMPLETIONS ? PROMPT : INPUT];
        return ai_json_type(text) == AI_JSON_STRING || ai_reserve_all(text, is_input);
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
    ai_slice_t found[MEMBERS_N];

    ai_reserve_find(doc, members, MEMBERS_N, found);
    ask->unbounded = !is_bounded(ep, found);
    /* What is rejected of a prediction counts, too, whatever the cap. */
    ask->max_output = found[PREDICTION].p ? -1 : 0;
    ask->n = 0;
    if (ep == AI_ENDPOINT_RESPONSES) {
        ai_reserve_cap(found[MAX_OUTPUT], &ask->max_output);
        return;
    }
    /* Providers differ in which one counts where both are said. */
    ai_reserve_cap(found[MAX], &ask->max_output);
    ai_reserve_cap(found[MAX_COMPLETION], &ask->max_output);
    ai_reserve_cap(found[N], &ask->n);
    ai_reserve_cap(found[BEST_OF], &ask->n);
    if (ep == AI_ENDPOINT_COMPLETIONS && ask->n >= 0) {
        ask->n = (ask->n ? ask->n : 1) * count_prompts(found[PROMPT]);
    }
}
