/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_strict.c - which chats would OpenAI refuse?
 *
 * The rules that a wrong translation breaks first: members that OpenAI does not know, roles and
 * parts in wrong places, tool calls without their answers, values out of range. On top: what both
 * strict providers check with.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ai_sim.h"

#define CALLS_MAX 64             /* calls of one message that are looked at */

/* --------------------------------------------------------------------------- for both */

int strict_fail(strict_t *wrong, const char *place, const char *what)
{
    snprintf(wrong->place, sizeof(wrong->place), "%.150s", place);
    snprintf(wrong->what, sizeof(wrong->what), "%.190s", what);
    return 0;
}

int strict_word(text_t value, const char *const *words)
{
    buf_t word = { NULL, 0, 0 };
    int found = 0;

    if (value.p && *value.p == '"') {
        json_decode(value, &word);
        for (; *words && !found; words++) {
            found = text_is(buf_text(&word), *words);
        }
    }
    buf_free(&word);
    return found;
}

int strict_name(text_t value, size_t max)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t i;

    if (!value.p || *value.p != '"' || value.n < 3 || value.n > max + 2) {
        return 0;
    }
    for (i = 1; i + 1 < value.n; i++) {
        if (!memchr(good, value.p[i], sizeof(good) - 1)) {
            return 0;
        }
    }
    return 1;
}

int strict_members(strict_t *wrong, const char *place, text_t object, const char *const *names,
                   size_t n_needed)
{
    text_t name, value;
    size_t i, pos = 0;
    char at[160];

    if (!object.p || *object.p != '{') {
        return strict_fail(wrong, place, "Input should be an object");
    }
    for (i = 0; i < n_needed; i++) {
        if (!json_get(object, names[i]).p) {
            snprintf(at, sizeof(at), "%.100s%s%.50s", place, *place ? "." : "", names[i]);
            return strict_fail(wrong, at, "Field required");
        }
    }
    while (json_next_member(object, &pos, &name, &value)) {
        for (i = 0; names[i]; i++) {
            if (text_is(name, names[i])) {
                break;
            }
        }
        if (!names[i]) {
            snprintf(at, sizeof(at), "%.90s%s%.*s", place, *place ? "." : "",
                     name.n > 60 ? 60 : (int)name.n, name.p);
            return strict_fail(wrong, at, "Extra inputs are not permitted");
        }
    }
    return 1;
}

int strict_range(strict_t *wrong, const char *place, text_t number, double min, double max)
{
    char copy[40];
    double value;
    char *end;

    if (!number.p || text_is(number, "null")) {
        return 1;
    }
    snprintf(copy, sizeof(copy), "%.*s", (int)number.n, number.p);
    value = strtod(copy, &end);
    return (number.n < sizeof(copy) && *end == '\0' && value >= min && value <= max)
           || strict_fail(wrong, place, "Input is out of range");
}

/* ------------------------------------------------------------------------- a message */

static int is_text(text_t value)
{
    return value.p && *value.p == '"';
}

static int check_image(strict_t *wrong, const char *place, text_t part)
{
    static const char *const names[] = { "url", "detail", NULL };
    static const char *const details[] = { "auto", "low", "high", NULL };
    static const char *const begins[] = {
        "\"http://", "\"https://", "\"data:image/png;base64,", "\"data:image/jpeg;base64,",
        "\"data:image/gif;base64,", "\"data:image/webp;base64,",
    };
    text_t image = json_get(part, "image_url"), url = json_get(image, "url");
    text_t detail = json_get(image, "detail");
    size_t i;

    if (!strict_members(wrong, place, image, names, 1)) {
        return 0;
    }
    if (detail.p && !strict_word(detail, details)) {
        return strict_fail(wrong, place, "Invalid value of detail");
    }
    for (i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        if (url.n > strlen(begins[i]) + 1 && memcmp(url.p, begins[i], strlen(begins[i])) == 0) {
            return 1;
        }
    }
    return strict_fail(wrong, place, "Invalid image URL");
}

static int check_file(strict_t *wrong, const char *place, text_t part)
{
    static const char *const names[] = { "file_data", "file_id", "filename", NULL };
    static const char begin[] = "\"data:application/pdf;base64,";
    text_t file = json_get(part, "file"), data = json_get(file, "file_data");

    if (!strict_members(wrong, place, file, names, 0)) {
        return 0;
    }
    if (data.p) {
        return (data.n > sizeof(begin) && memcmp(data.p, begin, sizeof(begin) - 1) == 0
                && json_get(file, "filename").p)
               || strict_fail(wrong, place, "A file is a PDF in a data URL, with a filename");
    }
    return json_get(file, "file_id").p || strict_fail(wrong, place, "Field required");
}

/* One part of a content; kinds are those that its role may have. */
static int check_part(strict_t *wrong, const char *place, text_t part, const char *const *kinds)
{
    static const char *const names[] = { "type", "text", "refusal", "image_url", "input_audio",
                                         "file", "prompt_cache_breakpoint", NULL };
    text_t type = json_get(part, "type");

    if (!strict_members(wrong, place, part, names, 1)) {
        return 0;
    }
    if (!strict_word(type, kinds)) {
        return strict_fail(wrong, place, "Invalid type of a content part in this role");
    }
    if (text_is(type, "\"image_url\"")) {
        return check_image(wrong, place, part);
    }
    if (text_is(type, "\"file\"")) {
        return check_file(wrong, place, part);
    }
    if (text_is(type, "\"text\"") || text_is(type, "\"refusal\"")) {
        text_t text = json_get(part, text_is(type, "\"text\"") ? "text" : "refusal");

        return is_text(text) || strict_fail(wrong, place, "Input should be a string");
    }
    return 1;
}

static int check_content(strict_t *wrong, const char *place, text_t content,
                         const char *const *kinds)
{
    text_t part;
    size_t pos = 0;
    char at[160];
    int i = 0;

    if (is_text(content)) {
        return 1;
    }
    if (!content.p || *content.p != '[') {
        return strict_fail(wrong, place, "Invalid value for 'content': expected a string");
    }
    for (; json_next_item(content, &pos, &part); i++) {
        snprintf(at, sizeof(at), "%.100s.content[%d]", place, i);
        if (!check_part(wrong, at, part, kinds)) {
            return 0;
        }
    }
    return i > 0 || strict_fail(wrong, place, "content is too short: expected at least one part");
}

/* The ids that are to be answered, and how many still are. */
typedef struct {
    text_t id[CALLS_MAX];
    int n;
} pending_t;

static int check_calls(strict_t *wrong, const char *place, text_t calls, pending_t *pending)
{
    static const char *const names[] = { "id", "function", "type", NULL };
    static const char *const function_names[] = { "name", "arguments", NULL };
    text_t call, function;
    size_t pos = 0;
    char at[160];
    int i = 0;

    for (; json_next_item(calls, &pos, &call); i++) {
        snprintf(at, sizeof(at), "%.100s.tool_calls[%d]", place, i);
        function = json_get(call, "function");
        if (!strict_members(wrong, at, call, names, 3)
            || !strict_members(wrong, at, function, function_names, 2)) {
            return 0;
        }
        if (!text_is(json_get(call, "type"), "\"function\"")
            || !strict_name(json_get(function, "name"), 64)
            || !is_text(json_get(function, "arguments")) || !is_text(json_get(call, "id"))) {
            return strict_fail(wrong, at, "Invalid tool call");
        }
        if (pending->n < CALLS_MAX) {
            pending->id[pending->n++] = json_get(call, "id");
        }
    }
    return i > 0 || strict_fail(wrong, place, "tool_calls is too short");
}

static int answers(pending_t *pending, text_t id)
{
    int i;

    for (i = 0; i < pending->n; i++) {
        if (id.n == pending->id[i].n && memcmp(id.p, pending->id[i].p, id.n) == 0) {
            pending->id[i] = pending->id[--pending->n];
            return 1;
        }
    }
    return 0;
}

static int check_assistant(strict_t *wrong, const char *place, text_t message,
                           pending_t *pending)
{
    static const char *const names[] = { "role", "content", "name", "refusal", "audio",
                                         "tool_calls", "function_call", NULL };
    static const char *const kinds[] = { "text", "refusal", NULL };
    text_t content = json_get(message, "content"), calls = json_get(message, "tool_calls");
    int has_content = content.p && !text_is(content, "null");

    if (!strict_members(wrong, place, message, names, 1)
        || (has_content && !check_content(wrong, place, content, kinds))) {
        return 0;
    }
    if (!has_content && !calls.p && !is_text(json_get(message, "refusal"))) {
        return strict_fail(wrong, place, "content is required without tool_calls");
    }
    return !calls.p || check_calls(wrong, place, calls, pending);
}

static int check_message(strict_t *wrong, const char *place, text_t message, pending_t *pending)
{
    static const char *const systems[] = { "system", "developer", NULL };
    static const char *const names[] = { "role", "content", "name", NULL };
    static const char *const tool_names[] = { "role", "content", "tool_call_id", NULL };
    static const char *const text_only[] = { "text", NULL };
    static const char *const user_kinds[] = { "text", "image_url", "input_audio", "file", NULL };
    text_t role = json_get(message, "role"), content = json_get(message, "content");

    if (text_is(role, "\"tool\"")) {
        if (!strict_members(wrong, place, message, tool_names, 3)
            || !check_content(wrong, place, content, text_only)) {
            return 0;
        }
        return answers(pending, json_get(message, "tool_call_id"))
               || strict_fail(wrong, place, "messages with role 'tool' must be a response to a "
                                            "preceding message with 'tool_calls'");
    }
    if (pending->n) {
        return strict_fail(wrong, place, "An assistant message with 'tool_calls' must be followed "
                                         "by tool messages responding to each 'tool_call_id'");
    }
    if (text_is(role, "\"assistant\"")) {
        return check_assistant(wrong, place, message, pending);
    }
    if (strict_word(role, systems)) {
        return strict_members(wrong, place, message, names, 2)
               && check_content(wrong, place, content, text_only);
    }
    if (!text_is(role, "\"user\"")) {
        return strict_fail(wrong, place, "Invalid value for 'role'");
    }
    return strict_members(wrong, place, message, names, 2)
           && check_content(wrong, place, content, user_kinds);
}

static int check_messages(strict_t *wrong, text_t messages)
{
    pending_t pending = { { { NULL, 0 } }, 0 };
    text_t message;
    size_t pos = 0;
    char at[40];
    int i = 0;

    for (; json_next_item(messages, &pos, &message); i++) {
        snprintf(at, sizeof(at), "messages[%d]", i);
        if (!check_message(wrong, at, message, &pending)) {
            return 0;
        }
    }
    if (pending.n) {
        return strict_fail(wrong, "messages", "tool_call_ids did not have response messages");
    }
    return i > 0 || strict_fail(wrong, "messages", "Invalid 'messages': empty array");
}

/* --------------------------------------------------------------------------- tools, root */

static int check_tools(strict_t *wrong, text_t request)
{
    static const char *const names[] = { "type", "function", NULL };
    static const char *const function_names[] = { "name", "description", "parameters", "strict",
                                                  NULL };
    static const char *const choices[] = { "none", "auto", "required", NULL };
    text_t tools = json_get(request, "tools"), choice = json_get(request, "tool_choice"), tool;
    size_t pos = 0;
    int i = 0;

    for (; json_next_item(tools, &pos, &tool); i++) {
        text_t function = json_get(tool, "function"), parameters;

        parameters = json_get(function, "parameters");
        if (!strict_members(wrong, "tools", tool, names, 2)
            || !strict_members(wrong, "tools.function", function, function_names, 1)) {
            return 0;
        }
        if (!text_is(json_get(tool, "type"), "\"function\"")
            || !strict_name(json_get(function, "name"), 64)) {
            return strict_fail(wrong, "tools.function.name", "does not match the pattern");
        }
        if (parameters.p && !text_is(json_get(parameters, "type"), "\"object\"")) {
            return strict_fail(wrong, "tools.function.parameters", "Invalid schema for function");
        }
    }
    if (tools.p && i == 0) {
        return strict_fail(wrong, "tools", "Invalid 'tools': empty array");
    }
    if (!tools.p && (choice.p || json_get(request, "parallel_tool_calls").p)) {
        return strict_fail(wrong, "tool_choice", "is only allowed when 'tools' are specified");
    }
    return !choice.p || strict_word(choice, choices)
           || (text_is(json_get(choice, "type"), "\"function\"")
               && strict_name(json_get(json_get(choice, "function"), "name"), 64))
           || strict_fail(wrong, "tool_choice", "Invalid value");
}

static int check_stop(strict_t *wrong, text_t stop)
{
    text_t item;
    size_t pos = 0;
    int n = 0;

    if (!stop.p || is_text(stop) || text_is(stop, "null")) {
        return 1;
    }
    while (json_next_item(stop, &pos, &item)) {
        n++;
    }
    return (n > 0 && n <= 4) || strict_fail(wrong, "stop", "at most 4 sequences");
}

static int check_format(strict_t *wrong, text_t format)
{
    static const char *const names[] = { "type", "json_schema", NULL };
    static const char *const schema_names[] = { "name", "schema", "strict", "description", NULL };
    static const char *const types[] = { "text", "json_object", "json_schema", NULL };
    text_t schema = json_get(format, "json_schema");

    if (!format.p) {
        return 1;
    }
    if (!strict_members(wrong, "response_format", format, names, 1)) {
        return 0;
    }
    if (!strict_word(json_get(format, "type"), types)) {
        return strict_fail(wrong, "response_format.type", "Invalid value");
    }
    if (text_is(json_get(format, "type"), "\"json_schema\"")) {
        return strict_members(wrong, "response_format.json_schema", schema, schema_names, 2)
               && (strict_name(json_get(schema, "name"), 64)
                   || strict_fail(wrong, "response_format.json_schema.name", "Invalid value"));
    }
    return 1;
}

int strict_openai(text_t request, strict_t *wrong)
{
    static const char *const names[] = {
        "model", "messages", "audio", "frequency_penalty", "presence_penalty", "function_call",
        "functions", "logit_bias", "logprobs", "top_logprobs", "max_completion_tokens",
        "max_tokens", "metadata", "modalities", "moderation", "n", "parallel_tool_calls",
        "prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
        "reasoning_effort", "response_format", "safety_identifier", "user", "seed",
        "service_tier", "stop", "store", "stream", "stream_options", "temperature", "top_p",
        "tools", "tool_choice", "verbosity", "web_search_options", NULL
    };
    static const char *const efforts[] = { "none", "minimal", "low", "medium", "high", "xhigh",
                                           "max", NULL };
    static const char *const tiers[] = { "auto", "default", "flex", "scale", "priority", NULL };
    text_t effort = json_get(request, "reasoning_effort");
    text_t tier = json_get(request, "service_tier");

    if (!strict_members(wrong, "", request, names, 2)) {
        return 0;
    }
    if (json_get(request, "max_tokens").p && json_get(request, "max_completion_tokens").p) {
        return strict_fail(wrong, "max_tokens", "only one of both may be set");
    }
    if (json_get(request, "stream_options").p && !json_is_true(json_get(request, "stream"))) {
        return strict_fail(wrong, "stream_options", "is only allowed when stream is enabled");
    }
    if ((effort.p && !strict_word(effort, efforts)) || (tier.p && !strict_word(tier, tiers))) {
        return strict_fail(wrong, "reasoning_effort, service_tier", "Invalid value");
    }
    return strict_range(wrong, "temperature", json_get(request, "temperature"), 0, 2)
           && strict_range(wrong, "top_p", json_get(request, "top_p"), 0, 1)
           && strict_range(wrong, "max_completion_tokens",
                           json_get(request, "max_completion_tokens"), 1, 1e9)
           && check_stop(wrong, json_get(request, "stop"))
           && check_format(wrong, json_get(request, "response_format"))
           && check_tools(wrong, request) && check_messages(wrong, json_get(request, "messages"));
}
