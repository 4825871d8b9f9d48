/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anthropic_reserve.c - how much may an answer of Anthropic's API have, and do its bytes bound the
 * prompt?
 *
 * What is not known to be text is taken for what it may be: an image, a document, a tool that the
 * provider runs and whose results it reads. Thinking, too: what an earlier answer showed of it was
 * perhaps a summary, and what counts is the whole, which is in its signature in nobody knows what form.
 *
 * Lives in: the pools it is given.  Shared state: none.  May block: no.
 */

#include "ai_reserve.h"
#include "anthropic_translator.h"

static int is_text_block(ai_slice_t block)
{
    static const char *const words[] = { "text", NULL };

    return ai_reserve_type(block, words);
}

/* A string, or blocks of text; nothing, too. */
static int is_text(ai_slice_t value)
{
    ai_json_type_e type = ai_json_type(value);

    return type == AI_JSON_NONE || type == AI_JSON_NULL || type == AI_JSON_STRING
           || ai_reserve_all(value, is_text_block);
}

static int is_plain_block(ai_slice_t block)
{
    static const char *const plain[] = { "text", "tool_use", NULL };
    static const char *const result[] = { "tool_result", NULL };

    return ai_reserve_type(block, plain)
           || (ai_reserve_type(block, result) && is_text(ai_json_get(block, "content")));
}

static int is_plain_message(ai_slice_t message)
{
    ai_slice_t content = ai_json_get(message, "content");

    return ai_json_type(content) == AI_JSON_STRING || ai_reserve_all(content, is_plain_block);
}

static int is_callers_tool(ai_slice_t tool)
{
    static const char *const types[] = { "", "custom", NULL };

    return ai_reserve_type(tool, types);
}

/* 1 when the provider runs something whose results it reads, in as many goes as it likes; or has the
 * prompt read once more to shorten it. */
static int works_alone(const ai_json_doc_t *doc)
{
    static const char *const members[] = { "mcp_servers", "container", "context_management" };
    apr_size_t i;

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (ai_reserve_has(doc, members[i])) {
            return 1;
        }
    }
    return ai_reserve_has(doc, "tools")
           && !ai_reserve_all(ai_json_doc_get(doc, "tools"), is_callers_tool);
}

void ai_anthropic_reserve(const ai_json_doc_t *doc, ai_ask_t *ask)
{
    int alone = works_alone(doc);

    ask->unbounded = alone || !is_text(ai_json_doc_get(doc, "system"))
                     || !ai_reserve_all(ai_json_doc_get(doc, "messages"), is_plain_message);
    ask->max_output = alone ? -1 : 0;
    ask->n = 0;
    ai_reserve_cap(doc, "max_tokens", &ask->max_output);
}
