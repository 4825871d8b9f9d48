/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_strict_claude.c - which messages would Anthropic refuse?
 *
 * As sim_strict.c: unknown members, empty texts, ids with other characters than it takes, thoughts
 * that it has not signed, calls of tools without their results, results before their calls.
 */
#include <stdio.h>
#include <string.h>

#include "ai_sim.h"

#define CALLS_MAX 64             /* calls of one message that are looked at */

static const char *const cache_names[] = { "type", "ttl", NULL };

/* The ids of the calls of the message before, and whether it is the assistant's turn. */
typedef struct {
    text_t id[CALLS_MAX];
    int n;
} pending_t;

static int is_blank(text_t string)
{
    size_t i;

    for (i = 1; i + 1 < string.n; i++) {
        if (string.p[i] == '\\' && string.p[i + 1] && strchr("nrt", string.p[i + 1])) {
            i++;
        }
        else if (string.p[i] != ' ') {
            return 0;
        }
    }
    return 1;
}

static int check_text(strict_t *wrong, const char *place, text_t text)
{
    if (!text.p || *text.p != '"') {
        return strict_fail(wrong, place, "Input should be a valid string");
    }
    return !is_blank(text)
           || strict_fail(wrong, place, "text content blocks must contain non-whitespace text");
}

static int check_cache(strict_t *wrong, const char *place, text_t block)
{
    text_t cache = json_get(block, "cache_control");

    if (!cache.p || text_is(cache, "null")) {
        return 1;
    }
    return strict_members(wrong, place, cache, cache_names, 1)
           && (text_is(json_get(cache, "type"), "\"ephemeral\"")
               || strict_fail(wrong, place, "cache_control.type: Input should be 'ephemeral'"));
}

/* The source of an image (of a document when is_document). */
static int check_source(strict_t *wrong, const char *place, text_t source, int is_document)
{
    static const char *const names[] = { "type", "media_type", "data", "url", "file_id",
                                         "content", NULL };
    static const char *const pictures[] = { "image/png", "image/jpeg", "image/gif", "image/webp",
                                            NULL };
    static const char *const papers[] = { "application/pdf", NULL };
    static const char *const plain[] = { "text/plain", NULL };
    static const char *const others[] = { "url", "file", "content", NULL };
    text_t type = json_get(source, "type"), media = json_get(source, "media_type");

    if (!strict_members(wrong, place, source, names, 1)) {
        return 0;
    }
    if (text_is(type, "\"base64\"")) {
        return (strict_word(media, is_document ? papers : pictures)
                && json_get(source, "data").n > 2)
               || strict_fail(wrong, place, "media_type or data: Input is not valid");
    }
    if (text_is(type, "\"text\"")) {
        return (is_document && strict_word(media, plain) && json_get(source, "data").n > 2)
               || strict_fail(wrong, place, "media_type: Input should be 'text/plain'");
    }
    return strict_word(type, others) || strict_fail(wrong, place, "type: Input is not valid");
}

static int check_tool_use(strict_t *wrong, const char *place, text_t block, pending_t *calls)
{
    static const char *const names[] = { "type", "id", "name", "input", "cache_control", "caller",
                                         NULL };
    text_t id = json_get(block, "id"), input = json_get(block, "input");

    if (!strict_members(wrong, place, block, names, 4)) {
        return 0;
    }
    if (!strict_name(id, 256)) {
        return strict_fail(wrong, place, "id: String should match pattern '^[a-zA-Z0-9_-]+$'");
    }
    if (!strict_name(json_get(block, "name"), 128) || *input.p != '{') {
        return strict_fail(wrong, place, "name or input: Input is not valid");
    }
    if (calls->n < CALLS_MAX) {
        calls->id[calls->n++] = id;
    }
    return 1;
}

static int check_result_content(strict_t *wrong, const char *place, text_t content)
{
    static const char *const kinds[] = { "text", "image", "document", "search_result", NULL };
    text_t item;
    size_t pos = 0;

    if (!content.p || *content.p == '"') {
        return 1;
    }
    while (json_next_item(content, &pos, &item)) {
        text_t type = json_get(item, "type");

        if (!strict_word(type, kinds)) {
            return strict_fail(wrong, place, "content: Input tag is not one of the expected");
        }
        if (text_is(type, "\"text\"") && !check_text(wrong, place, json_get(item, "text"))) {
            return 0;
        }
        if (text_is(type, "\"image\"")
            && !check_source(wrong, place, json_get(item, "source"), 0)) {
            return 0;
        }
    }
    return 1;
}

static int check_result(strict_t *wrong, const char *place, text_t block, pending_t *calls)
{
    static const char *const names[] = { "type", "tool_use_id", "content", "is_error",
                                         "cache_control", NULL };
    text_t id = json_get(block, "tool_use_id");
    int i;

    if (!strict_members(wrong, place, block, names, 2)
        || !check_result_content(wrong, place, json_get(block, "content"))) {
        return 0;
    }
    for (i = 0; i < calls->n; i++) {
        if (id.n == calls->id[i].n && memcmp(id.p, calls->id[i].p, id.n) == 0) {
            calls->id[i] = calls->id[--calls->n];
            return 1;
        }
    }
    return strict_fail(wrong, place, "unexpected `tool_use_id` found in `tool_result` blocks");
}

static int check_thought(strict_t *wrong, const char *place, text_t block)
{
    static const char *const names[] = { "type", "thinking", "signature", NULL };
    static const char *const redacted_names[] = { "type", "data", NULL };

    if (text_is(json_get(block, "type"), "\"redacted_thinking\"")) {
        return strict_members(wrong, place, block, redacted_names, 2)
               && (text_is(json_get(block, "data"), "\"" CLAUDE_REDACTED "\"")
                   || strict_fail(wrong, place, "Invalid `data` in `redacted_thinking` block"));
    }
    return strict_members(wrong, place, block, names, 3)
           && (text_is(json_get(block, "signature"), "\"" CLAUDE_SIGNATURE "\"")
               || strict_fail(wrong, place, "Invalid `signature` in `thinking` block"));
}

/* A block of the user's or the assistant's; calls: those that wait for a result, or begin to. */
static int check_block(strict_t *wrong, const char *place, text_t block, int is_user,
                       pending_t *calls)
{
    static const char *const text_names[] = { "type", "text", "cache_control", "citations", NULL };
    static const char *const image_names[] = { "type", "source", "cache_control", NULL };
    static const char *const document_names[] = { "type", "source", "title", "context",
                                                  "citations", "cache_control", NULL };
    static const char *const thoughts[] = { "thinking", "redacted_thinking", NULL };
    text_t type = json_get(block, "type");

    if (!check_cache(wrong, place, block)) {
        return 0;
    }
    if (text_is(type, "\"text\"")) {
        return strict_members(wrong, place, block, text_names, 2)
               && check_text(wrong, place, json_get(block, "text"));
    }
    if (is_user && text_is(type, "\"image\"")) {
        return strict_members(wrong, place, block, image_names, 2)
               && check_source(wrong, place, json_get(block, "source"), 0);
    }
    if (is_user && text_is(type, "\"document\"")) {
        return strict_members(wrong, place, block, document_names, 2)
               && check_source(wrong, place, json_get(block, "source"), 1);
    }
    if (is_user && text_is(type, "\"tool_result\"")) {
        return check_result(wrong, place, block, calls);
    }
    if (!is_user && text_is(type, "\"tool_use\"")) {
        return check_tool_use(wrong, place, block, calls);
    }
    if (!is_user && strict_word(type, thoughts)) {
        return check_thought(wrong, place, block);
    }
    return strict_fail(wrong, place, "Input tag is not one of the expected in this role");
}

static int check_content(strict_t *wrong, const char *place, text_t content, int is_user,
                         pending_t *calls)
{
    text_t block;
    size_t pos = 0;
    char at[160];
    int i = 0, said = 0;

    if (content.p && *content.p == '"') {
        return check_text(wrong, place, content);
    }
    for (; json_next_item(content, &pos, &block); i++) {
        int is_result = text_is(json_get(block, "type"), "\"tool_result\"");

        snprintf(at, sizeof(at), "%.100s.content.%d", place, i);
        if (!check_block(wrong, at, block, is_user, calls)) {
            return 0;
        }
        if (is_result && said) {
            return strict_fail(wrong, at, "`tool_result` blocks must come first");
        }
        said = said || !is_result;
    }
    return i > 0 || strict_fail(wrong, place, "all messages must have non-empty content");
}

/* With a budget to think, a turn of the assistant's that called tools begins with what it thought;
 * of a model that thinks as it sees fit that is not asked. */
static int begins_thinking(text_t content)
{
    static const char *const thoughts[] = { "thinking", "redacted_thinking", NULL };
    text_t block;
    size_t pos = 0;

    return json_next_item(content, &pos, &block) && strict_word(json_get(block, "type"), thoughts);
}

static int check_message(strict_t *wrong, const char *place, text_t message, int budgeted,
                         pending_t *calls)
{
    static const char *const names[] = { "role", "content", NULL };
    text_t role = json_get(message, "role"), content = json_get(message, "content");
    int is_user = text_is(role, "\"user\"");

    if (!strict_members(wrong, place, message, names, 2)) {
        return 0;
    }
    if (!is_user && !text_is(role, "\"assistant\"")) {
        return strict_fail(wrong, place, "role: Input should be 'user' or 'assistant'");
    }
    if (!is_user && calls->n) {
        return strict_fail(wrong, place, "`tool_use` ids were found without `tool_result` blocks");
    }
    if (!check_content(wrong, place, content, is_user, calls)) {
        return 0;
    }
    if (is_user && calls->n) {
        return strict_fail(wrong, place, "`tool_use` ids were found without `tool_result` blocks "
                                         "immediately after");
    }
    return is_user || !budgeted || !calls->n || begins_thinking(content)
           || strict_fail(wrong, place, "Expected `thinking` or `redacted_thinking`, but found "
                                        "`tool_use`");
}

static int check_messages(strict_t *wrong, text_t messages, int budgeted)
{
    pending_t calls = { { { NULL, 0 } }, 0 };
    text_t message;
    size_t pos = 0;
    char at[40];
    int i = 0;

    for (; json_next_item(messages, &pos, &message); i++) {
        snprintf(at, sizeof(at), "messages.%d", i);
        if (!check_message(wrong, at, message, budgeted, &calls)) {
            return 0;
        }
    }
    if (calls.n) {
        return strict_fail(wrong, "messages", "`tool_use` ids were found without `tool_result`");
    }
    return i > 0 || strict_fail(wrong, "messages", "at least one message is required");
}

static int check_system(strict_t *wrong, text_t system)
{
    static const char *const names[] = { "type", "text", "cache_control", "citations", NULL };
    text_t block;
    size_t pos = 0;

    if (!system.p) {
        return 1;
    }
    if (*system.p == '"') {
        return check_text(wrong, "system", system);
    }
    while (json_next_item(system, &pos, &block)) {
        if (!strict_members(wrong, "system", block, names, 2)
            || !check_cache(wrong, "system", block)
            || !check_text(wrong, "system", json_get(block, "text"))) {
            return 0;
        }
    }
    return 1;
}

/* --------------------------------------------------------------------------- tools, root */

static int check_tools(strict_t *wrong, text_t request, int thinks)
{
    static const char *const names[] = { "name", "input_schema", "description", "cache_control",
                                         "strict", "type", NULL };
    static const char *const choice_names[] = { "type", "name", "disable_parallel_tool_use", NULL };
    static const char *const none_names[] = { "type", NULL };
    static const char *const choices[] = { "auto", "any", "tool", "none", NULL };
    static const char *const free_choices[] = { "auto", "none", NULL };
    text_t tools = json_get(request, "tools"), choice = json_get(request, "tool_choice"), tool;
    text_t type = json_get(choice, "type");
    size_t pos = 0;

    while (json_next_item(tools, &pos, &tool)) {
        if (!strict_members(wrong, "tools", tool, names, 2) || !check_cache(wrong, "tools", tool)) {
            return 0;
        }
        if (!strict_name(json_get(tool, "name"), 128)
            || !text_is(json_get(json_get(tool, "input_schema"), "type"), "\"object\"")) {
            return strict_fail(wrong, "tools", "name or input_schema.type: Field is not valid");
        }
    }
    if (!choice.p) {
        return 1;
    }
    if (pos == 0) {
        return strict_fail(wrong, "tool_choice", "may only be specified while providing `tools`");
    }
    if (!strict_members(wrong, "tool_choice", choice,
                        text_is(type, "\"none\"") ? none_names : choice_names, 1)) {
        return 0;
    }
    if (!strict_word(type, choices)
        || (text_is(type, "\"tool\"") && !strict_name(json_get(choice, "name"), 128))) {
        return strict_fail(wrong, "tool_choice", "Input is not valid");
    }
    return !thinks || strict_word(type, free_choices)
           || strict_fail(wrong, "tool_choice", "Thinking may not be enabled when tool_choice "
                                                "forces tool use.");
}

static int check_thinking(strict_t *wrong, text_t request, int *thinks)
{
    static const char *const names[] = { "type", "budget_tokens", "display", NULL };
    static const char *const types[] = { "enabled", "disabled", "adaptive", NULL };
    text_t thinking = json_get(request, "thinking");
    text_t temperature = json_get(request, "temperature");
    long limit = json_number(json_get(request, "max_tokens"), 1000000000);
    long budget = json_number(json_get(thinking, "budget_tokens"), 1000000000);

    *thinks = thinking.p && !text_is(json_get(thinking, "type"), "\"disabled\"");
    if (!thinking.p) {
        return 1;
    }
    if (!strict_members(wrong, "thinking", thinking, names, 1)) {
        return 0;
    }
    if (!strict_word(json_get(thinking, "type"), types)) {
        return strict_fail(wrong, "thinking.type", "Input is not valid");
    }
    if (text_is(json_get(thinking, "type"), "\"enabled\"") && (budget < 1024 || budget >= limit)) {
        return strict_fail(wrong, "thinking.enabled.budget_tokens",
                           "Input should be at least 1024 and less than max_tokens");
    }
    if (*thinks && (json_get(request, "top_k").p
                    || (temperature.p && !text_is(temperature, "1")
                        && !text_is(temperature, "1.0")))) {
        return strict_fail(wrong, "temperature", "may only be set to 1 when thinking is enabled");
    }
    return 1;
}

static int check_output(strict_t *wrong, text_t output)
{
    static const char *const names[] = { "effort", "format", NULL };
    static const char *const efforts[] = { "low", "medium", "high", "xhigh", "max", NULL };
    static const char *const format_names[] = { "type", "schema", NULL };
    text_t effort = json_get(output, "effort"), format = json_get(output, "format");

    if (!output.p) {
        return 1;
    }
    if (!strict_members(wrong, "output_config", output, names, 0)) {
        return 0;
    }
    if (effort.p && !strict_word(effort, efforts)) {
        return strict_fail(wrong, "output_config.effort", "Input is not valid");
    }
    return !format.p
           || (strict_members(wrong, "output_config.format", format, format_names, 2)
               && (text_is(json_get(format, "type"), "\"json_schema\"")
                   || strict_fail(wrong, "output_config.format.type",
                                  "Input should be 'json_schema'")));
}

static int check_stops(strict_t *wrong, text_t stops)
{
    text_t stop;
    size_t pos = 0;

    while (json_next_item(stops, &pos, &stop)) {
        if (*stop.p != '"' || is_blank(stop)) {
            return strict_fail(wrong, "stop_sequences",
                               "each stop sequence must contain non-whitespace");
        }
    }
    return 1;
}

int strict_claude(text_t request, strict_t *wrong)
{
    static const char *const names[] = {
        "model", "messages", "max_tokens", "system", "stop_sequences", "stream", "tools",
        "tool_choice", "thinking", "output_config", "metadata", "service_tier", "temperature",
        "top_p", "top_k", "cache_control", "container", "inference_geo", NULL
    };
    static const char *const metadata_names[] = { "user_id", NULL };
    static const char *const tiers[] = { "auto", "standard_only", NULL };
    text_t metadata = json_get(request, "metadata"), tier = json_get(request, "service_tier");
    int budgeted = text_is(json_get(json_get(request, "thinking"), "type"), "\"enabled\"");
    int thinks;

    if (!strict_members(wrong, "", request, names, 3)
        || (metadata.p && !strict_members(wrong, "metadata", metadata, metadata_names, 0))) {
        return 0;
    }
    if (tier.p && !strict_word(tier, tiers)) {
        return strict_fail(wrong, "service_tier", "Input should be 'auto' or 'standard_only'");
    }
    return strict_range(wrong, "max_tokens", json_get(request, "max_tokens"), 0, 1e9)
           && strict_range(wrong, "temperature", json_get(request, "temperature"), 0, 1)
           && strict_range(wrong, "top_p", json_get(request, "top_p"), 0, 1)
           && check_stops(wrong, json_get(request, "stop_sequences"))
           && check_system(wrong, json_get(request, "system"))
           && check_output(wrong, json_get(request, "output_config"))
           && check_thinking(wrong, request, &thinks) && check_tools(wrong, request, thinks)
           && check_messages(wrong, json_get(request, "messages"), budgeted);
}
