/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_message.c - reads the messages of a chat into the parts of a talk.
 *
 * Lives in: the request's pool.  Shared state: none.  May block: no.
 */

#include <apr_strings.h>

#include "openai_translator.h"

/* The depth of a tool call's arguments, so that a body that holds them is not too deep. */
#define ARGUMENTS_DEPTH (AI_JSON_DEPTH - 8)

#define BIT(n) (1u << (n))

static int bad_call(openai_read_t *r, const char *member, const char *what)
{
    return openai_bad_item(r, "tool_calls", member, what);
}

static int bad_thought(openai_read_t *r, const char *member, const char *what)
{
    return openai_bad_item(r, "thinking_blocks", member, what);
}

/* ------------------------------------------------------------------------ tool calls */

/* old: of a "function_call". */
static int bad_arguments(openai_read_t *r, int old, const char *why)
{
    const char *what = apr_pstrcat(r->p, "must be a string that holds a JSON object", why, NULL);

    return old ? openai_bad_message(r, "function_call.arguments", what)
               : bad_call(r, "function.arguments", what);
}

/* The arguments of a call: OpenAI has them as a string that holds a JSON object. */
static int read_arguments(openai_read_t *r, ai_slice_t value, int old, ai_slice_t *object)
{
    ai_json_doc_t doc;
    ai_json_error_t wrong;
    ai_slice_t text;

    *object = AI_SLICE("{}");
    if (!value.p || (openai_is_text(value) && value.n == 2)) {
        return 1;
    }
    if (ai_json_type(value) == AI_JSON_OBJECT) {
        *object = value; /* as some servers have it; the body is checked */
        return 1;
    }
    if (!openai_is_text(value)) {
        return bad_arguments(r, old, "");
    }
    text = (ai_slice_t){ value.p + 1, value.n - 2 };
    if (memchr(text.p, '\\', text.n)) {
        ai_json_string(r->p, value, &text.p, &text.n);
    }
    if (ai_json_parse(r->p, text, ARGUMENTS_DEPTH, &doc, &wrong) != APR_SUCCESS) {
        return bad_arguments(r, old, apr_psprintf(r->p, "; at byte %" APR_SIZE_T_FMT ": %s",
                                                  wrong.offset, wrong.reason));
    }
    if (ai_json_type(doc.root) != AI_JSON_OBJECT) {
        return bad_arguments(r, old, "");
    }
    *object = doc.root;
    return 1;
}

enum { F_NAME, F_ARGUMENTS, F_WORDS };

static const ai_slice_t function_words[F_WORDS] = { AI_WORD("name"), AI_WORD("arguments") };

static int read_call(openai_read_t *r, ai_slice_t value)
{
    enum { ID, TYPE, FUNCTION, INDEX, CACHE, WORDS };
    static const ai_slice_t words[WORDS] = { AI_WORD("id"), AI_WORD("type"), AI_WORD("function"),
                                             AI_WORD("index"), AI_WORD("cache_control") };
    ai_slice_t found[WORDS], function[F_WORDS], object;
    ai_part_t *part;

    if (ai_json_type(value) != AI_JSON_OBJECT) {
        return bad_call(r, "", "must be an object");
    }
    openai_members(r, value, "messages.tool_calls", words, WORDS, found);
    if (found[TYPE].p && !ai_json_string_is(found[TYPE], "function")) {
        return openai_unsupported(r, openai_item_path(r, "tool_calls", "type"),
                                  "Only calls of functions can be told to this provider.");
    }
    if (!openai_is_long_text(found[ID])) {
        return bad_call(r, "id", "must be a string that is not empty");
    }
    if (ai_json_type(found[FUNCTION]) != AI_JSON_OBJECT) {
        return bad_call(r, "function", "must be an object");
    }
    openai_members(r, found[FUNCTION], "messages.tool_calls.function", function_words, F_WORDS,
                   function);
    if (!openai_is_long_text(function[F_NAME])) {
        return bad_call(r, "function.name", "must be a string that is not empty");
    }
    if (!read_arguments(r, function[F_ARGUMENTS], 0, &object)) {
        return 0;
    }
    part = openai_add_part(r, AI_PART_CALL, AI_ROLE_ASSISTANT);
    if (!part) {
        return 0;
    }
    part->id = found[ID];
    part->name = function[F_NAME];
    part->object = object;
    return openai_read_cache(r, found[CACHE], 0, r->talk->parts->nelts - 1);
}

static int read_calls(openai_read_t *r, ai_slice_t calls)
{
    ai_json_walk_t walk;
    ai_json_member_t call;

    if (!calls.p) {
        return 1;
    }
    if (ai_json_type(calls) != AI_JSON_ARRAY) {
        return openai_bad_message(r, "tool_calls", "must be an array");
    }
    ai_json_walk(&walk, calls);
    for (r->item = 0; ai_json_next(&walk, &call) > 0; r->item++) {
        if (!read_call(r, call.value)) {
            return 0;
        }
    }
    return 1;
}

/* The id of the latest call of the old kind, which has none of its own. */
static ai_slice_t function_id(const openai_read_t *r)
{
    return ai_slice_of(apr_psprintf(r->p, "\"call_fn_%d\"", r->functions));
}

/* "function_call": what tool_calls was before there could be several. */
static int read_function_call(openai_read_t *r, ai_slice_t value)
{
    ai_slice_t function[F_WORDS], object;
    ai_part_t *part;

    if (!value.p) {
        return 1;
    }
    openai_members(r, value, "messages.function_call", function_words, F_WORDS, function);
    if (!openai_is_long_text(function[F_NAME])) {
        return openai_bad_message(r, "function_call.name", "must be a string that is not empty");
    }
    if (!read_arguments(r, function[F_ARGUMENTS], 1, &object)) {
        return 0;
    }
    part = openai_add_part(r, AI_PART_CALL, AI_ROLE_ASSISTANT);
    if (!part) {
        return 0;
    }
    r->functions++;
    part->id = function_id(r);
    part->name = function[F_NAME];
    part->object = object;
    return 1;
}

/* -------------------------------------------------------------------------- thinking */

static int read_thought(openai_read_t *r, ai_slice_t value)
{
    enum { TYPE, THINKING, SIGNATURE, DATA, WORDS };
    static const ai_slice_t words[WORDS] = { AI_WORD("type"), AI_WORD("thinking"),
                                             AI_WORD("signature"), AI_WORD("data") };
    ai_slice_t found[WORDS];
    int redacted;
    ai_part_t *part;

    openai_members(r, value, "messages.thinking_blocks", words, WORDS, found);
    redacted = ai_json_string_is(found[TYPE], "redacted_thinking");
    if (!redacted && !ai_json_string_is(found[TYPE], "thinking")) {
        return bad_thought(r, "type", "must be \"thinking\" or \"redacted_thinking\"");
    }
    if (!openai_is_text(found[redacted ? DATA : THINKING])) {
        return bad_thought(r, redacted ? "data" : "thinking", "must be a string");
    }
    if (found[SIGNATURE].p && !openai_is_text(found[SIGNATURE])) {
        return bad_thought(r, "signature", "must be a string");
    }
    part = openai_add_part(r, redacted ? AI_PART_REDACTED : AI_PART_THINKING, AI_ROLE_ASSISTANT);
    if (!part) {
        return 0;
    }
    if (redacted) {
        part->data = found[DATA];
        return 1;
    }
    part->text = found[THINKING];
    if (openai_is_long_text(found[SIGNATURE])) {
        part->signature = found[SIGNATURE];
    }
    return 1;
}

/* What the model thought: in blocks that may be signed, else as one text. */
static int read_thinking(openai_read_t *r, ai_slice_t blocks, ai_slice_t text)
{
    ai_json_walk_t walk;
    ai_json_member_t block;

    if (openai_is_void(blocks)) {
        if (text.p && !openai_is_text(text)) {
            ai_lost_add(r->talk->lost, "messages.reasoning");
            return 1;
        }
        return openai_add_text(r, AI_PART_THINKING, AI_ROLE_ASSISTANT, text);
    }
    if (ai_json_type(blocks) != AI_JSON_ARRAY) {
        return openai_bad_message(r, "thinking_blocks", "must be an array");
    }
    ai_json_walk(&walk, blocks);
    for (r->item = 0; ai_json_next(&walk, &block) > 0; r->item++) {
        if (!read_thought(r, block.value)) {
            return 0;
        }
    }
    return 1;
}

/* -------------------------------------------------------------------------- messages */

enum {
    ROLE, CONTENT, CACHE, CALL_ID, NAME, CALLS, REFUSED, AUDIO, FUNCTION_CALL, REASONING_CONTENT,
    REASONING, BLOCKS, ANNOTATIONS, M_WORDS
};

static const ai_slice_t message_words[M_WORDS] = {
    [ROLE] = AI_WORD("role"),
    [CONTENT] = AI_WORD("content"),
    [CACHE] = AI_WORD("cache_control"),
    [CALL_ID] = AI_WORD("tool_call_id"),
    [NAME] = AI_WORD("name"),
    [CALLS] = AI_WORD("tool_calls"),
    [REFUSED] = AI_WORD("refusal"),
    [AUDIO] = AI_WORD("audio"),
    [FUNCTION_CALL] = AI_WORD("function_call"),
    [REASONING_CONTENT] = AI_WORD("reasoning_content"),
    [REASONING] = AI_WORD("reasoning"),
    [BLOCKS] = AI_WORD("thinking_blocks"),
    [ANNOTATIONS] = AI_WORD("annotations"),
};

enum { SYSTEM, DEVELOPER, USER, ASSISTANT, TOOL, FUNCTION, ROLES };

static const ai_slice_t roles[ROLES] = { AI_WORD("system"), AI_WORD("developer"), AI_WORD("user"),
                                         AI_WORD("assistant"), AI_WORD("tool"),
                                         AI_WORD("function") };

static int read_assistant(openai_read_t *r, const ai_slice_t *found)
{
    int first = r->talk->parts->nelts, i;
    ai_slice_t text = found[REASONING_CONTENT].p ? found[REASONING_CONTENT] : found[REASONING];

    if (!openai_is_void(found[AUDIO])) {
        return openai_unsupported(r, apr_psprintf(r->p, "messages[%d].audio", r->message),
                                  "Audio that one provider holds cannot be given to another.");
    }
    if (found[REFUSED].p && !openai_is_text(found[REFUSED])) {
        return openai_bad_message(r, "refusal", "must be a string");
    }
    if (!read_thinking(r, found[BLOCKS], text)
        || (found[CONTENT].p
            && !openai_read_content(r, found[CONTENT], AI_ROLE_ASSISTANT, OPENAI_FROM_ASSISTANT))
        || !openai_add_text(r, AI_PART_REFUSAL, AI_ROLE_ASSISTANT, found[REFUSED])
        || !read_calls(r, found[CALLS]) || !read_function_call(r, found[FUNCTION_CALL])) {
        return 0;
    }
    for (i = first; i < r->talk->parts->nelts; i++) {
        ai_part_e kind = APR_ARRAY_IDX(r->talk->parts, i, ai_part_t).kind;

        if (kind != AI_PART_THINKING && kind != AI_PART_REDACTED) {
            return 1;
        }
    }
    r->talk->parts->nelts = first; /* it said nothing, and such a message is refused by many */
    return 1;
}

/* What a tool has answered, also in the old way, where it was called a function. */
static int read_result(openai_read_t *r, const ai_slice_t *found, int role)
{
    ai_part_t *part;
    int i;

    if (role == TOOL && !openai_is_long_text(found[CALL_ID])) {
        return openai_bad_message(r, "tool_call_id", "must be a string that is not empty");
    }
    if (role == FUNCTION && !r->functions) {
        return openai_bad_message(r, "role",
                                  "is \"function\", but no function_call came before it");
    }
    part = openai_add_part(r, AI_PART_RESULT, AI_ROLE_USER);
    if (!part) {
        return 0;
    }
    part->id = role == TOOL ? found[CALL_ID] : function_id(r);
    i = r->talk->parts->nelts;
    if (!openai_read_content(r, found[CONTENT], AI_ROLE_USER, OPENAI_FROM_TOOL)) {
        return 0;
    }
    for (; i < r->talk->parts->nelts; i++) {
        APR_ARRAY_IDX(r->talk->parts, i, ai_part_t).inside = 1;
    }
    return 1;
}

/* Names what a message of this role has no use for. */
static void lose_others(openai_read_t *r, const ai_slice_t *found, int role)
{
    static const unsigned used[ROLES] = {
        [TOOL] = BIT(CALL_ID),
        [FUNCTION] = BIT(NAME),
        [ASSISTANT] = BIT(CALLS) | BIT(REFUSED) | BIT(AUDIO) | BIT(FUNCTION_CALL)
                      | BIT(REASONING_CONTENT) | BIT(REASONING) | BIT(BLOCKS),
    };
    int i;

    for (i = CALL_ID; i < M_WORDS; i++) {
        if (!openai_is_void(found[i]) && !(used[role] & BIT(i))) {
            ai_lost_member(r->talk->lost, "messages", message_words[i]);
        }
    }
}

static int read_message(openai_read_t *r, ai_slice_t value)
{
    ai_slice_t found[M_WORDS];
    int first = r->talk->parts->nelts, last, role, good = 0;

    if (ai_json_type(value) != AI_JSON_OBJECT) {
        return openai_bad_message(r, "", "must be an object");
    }
    openai_members(r, value, "messages", message_words, M_WORDS, found);
    role = ai_word_string(found[ROLE], roles, ROLES);
    switch (role) {
    case SYSTEM:
    case DEVELOPER:
        good = openai_read_content(r, found[CONTENT], AI_ROLE_SYSTEM, OPENAI_FROM_SYSTEM);
        break;
    case USER:
        good = openai_read_content(r, found[CONTENT], AI_ROLE_USER, OPENAI_FROM_USER);
        break;
    case ASSISTANT:
        good = read_assistant(r, found);
        break;
    case TOOL:
    case FUNCTION:
        good = read_result(r, found, role);
        break;
    default:
        return openai_bad_message(r, "role", "must be \"system\", \"developer\", \"user\", "
                           "\"assistant\", \"tool\" or \"function\"");
    }
    if (!good) {
        return 0;
    }
    lose_others(r, found, role);
    if (r->talk->parts->nelts == first) {
        return 1;
    }
    APR_ARRAY_IDX(r->talk->parts, first, ai_part_t).opens = 1;
    last = role >= TOOL ? first : r->talk->parts->nelts - 1;
    if (APR_ARRAY_IDX(r->talk->parts, last, ai_part_t).cache.p) {
        return 1; /* what the part itself says is more exact */
    }
    return openai_read_cache(r, found[CACHE], first, last);
}

int openai_read_messages(openai_read_t *r, ai_slice_t messages)
{
    ai_json_walk_t walk;
    ai_json_member_t message;

    if (ai_json_type(messages) != AI_JSON_ARRAY) {
        return openai_fault(r, "messages", messages.p ? "must be an array" : "is missing");
    }
    ai_json_walk(&walk, messages);
    for (r->message = 0; ai_json_next(&walk, &message) > 0; r->message++) {
        if (!read_message(r, message.value)) {
            return 0;
        }
    }
    return r->message ? 1 : openai_fault(r, "messages", "must not be empty");
}
