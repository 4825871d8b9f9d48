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
#include "ai_word.h"
#include "anthropic_translator.h"

#define COUNT(list) ((int)(sizeof(list) / sizeof((list)[0])))

/* The members of a request that matter here. */
static const ai_slice_t members[] = {
    AI_WORD("messages"),    AI_WORD("system"),    AI_WORD("tools"),
    AI_WORD("max_tokens"),  AI_WORD("mcp_servers"), AI_WORD("container"),
    AI_WORD("context_management"),
};

enum { MESSAGES, SYSTEM, TOOLS, MAX, SERVERS, CONTAINER, MANAGEMENT, MEMBERS_N };

static const ai_slice_t type_key[] = { AI_WORD("type") };

static ai_reserve_e judge_text(const ai_json_member_t *member)
{
    static const ai_slice_t types[] = { AI_WORD("text") };

    if (ai_word_key(member->key, type_key, 1) < 0) {
        return AI_RESERVE_TEXT;
    }
    return ai_word_string(member->value, types, 1) < 0 ? AI_RESERVE_OTHER : AI_RESERVE_TYPE;
}

/* A string, or blocks of text; nothing, too. */
static int is_text(ai_slice_t value)
{
    ai_json_type_e type = ai_json_type(value);

    return type == AI_JSON_STRING || type == AI_JSON_NONE || type == AI_JSON_NULL
           || ai_reserve_objects(value, 1, judge_text);
}

/* Only a result of a tool has "content", be its type said before or behind it. */
static ai_reserve_e judge_block(const ai_json_member_t *member)
{
    static const ai_slice_t keys[] = { AI_WORD("type"), AI_WORD("content") };
    static const ai_slice_t types[] = { AI_WORD("text"), AI_WORD("tool_use"),
                                        AI_WORD("tool_result") };

    switch (ai_word_key(member->key, keys, COUNT(keys))) {
    case 0:
        return ai_word_string(member->value, types, COUNT(types)) < 0 ? AI_RESERVE_OTHER
                                                                      : AI_RESERVE_TYPE;
    case 1:
        return is_text(member->value) ? AI_RESERVE_TEXT : AI_RESERVE_OTHER;
    default:
        return AI_RESERVE_TEXT;
    }
}

static ai_reserve_e judge_message(const ai_json_member_t *member)
{
    static const ai_slice_t keys[] = { AI_WORD("content") };

    return ai_word_key(member->key, keys, 1) < 0 || ai_json_type(member->value) == AI_JSON_STRING
                   || ai_reserve_objects(member->value, 1, judge_block)
               ? AI_RESERVE_TEXT
               : AI_RESERVE_OTHER;
}

/* What the caller runs itself; the provider's own tools say a type with a date. */
static ai_reserve_e judge_tool(const ai_json_member_t *member)
{
    static const ai_slice_t types[] = { AI_WORD("custom") };

    return ai_word_key(member->key, type_key, 1) < 0 || ai_word_string(member->value, types, 1) == 0
               ? AI_RESERVE_TEXT
               : AI_RESERVE_OTHER;
}

void ai_anthropic_reserve(const ai_json_doc_t *doc, ai_ask_t *ask)
{
    ai_slice_t found[MEMBERS_N];
    int alone; /* it runs something and goes on, as often as it likes; or reads the prompt once more */

    ai_reserve_find(doc, members, MEMBERS_N, found);
    alone = found[SERVERS].p || found[CONTAINER].p || found[MANAGEMENT].p
            || (found[TOOLS].p && !ai_reserve_objects(found[TOOLS], 0, judge_tool));
    ask->unbounded = alone || !is_text(found[SYSTEM])
                     || !ai_reserve_objects(found[MESSAGES], 0, judge_message);
    ask->max_output = alone ? -1 : 0;
    ask->n = 0;
    ai_reserve_cap(found[MAX], &ask->max_output);
}
