/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_tool.c - reads which tools a chat may use and which it must, the old functions as well.
 *
 * Lives in: the request's pool.  Shared state: none.  May block: no.
 */

#include <apr_hash.h>
#include <apr_strings.h>

#include "openai_translator.h"

static int bad_tool(openai_read_t *r, const char *array, const char *member, const char *what)
{
    return openai_fault(r, apr_psprintf(r->p, "%s[%d]%s%s", array, r->item, *member ? "." : "",
                                        member), what);
}

/* ------------------------------------------------------------------------------- tools */

/* Reads {name, description, parameters, strict} below "tools" or "functions". */
static int read_function(openai_read_t *r, ai_slice_t value, int old, ai_slice_t cache)
{
    enum { NAME, DESCRIPTION, PARAMETERS, STRICT, CACHE, WORDS };
    static const ai_slice_t words[WORDS] = {
        AI_WORD("name"), AI_WORD("description"), AI_WORD("parameters"), AI_WORD("strict"),
        AI_WORD("cache_control"),
    };
    const char *array = old ? "functions" : "tools", *in = old ? "" : "function.";
    ai_slice_t found[WORDS];
    ai_tool_t *tool;

    openai_members(r, value, old ? "functions" : "tools.function", words, WORDS, found);
    if (!openai_is_long_text(found[NAME])) {
        return bad_tool(r, array, apr_pstrcat(r->p, in, "name", NULL),
                        "must be a string that is not empty");
    }
    if (found[DESCRIPTION].p && !openai_is_text(found[DESCRIPTION])) {
        return bad_tool(r, array, apr_pstrcat(r->p, in, "description", NULL), "must be a string");
    }
    if (found[PARAMETERS].p && ai_json_type(found[PARAMETERS]) != AI_JSON_OBJECT) {
        return bad_tool(r, array, apr_pstrcat(r->p, in, "parameters", NULL), "must be an object");
    }
    cache = cache.p ? cache : found[CACHE];
    if (cache.p && ai_json_type(cache) != AI_JSON_OBJECT) {
        return bad_tool(r, array, "cache_control", "must be an object");
    }
    tool = ai_talk_tool(r->talk);
    tool->name = found[NAME];
    tool->about = found[DESCRIPTION];
    tool->schema = found[PARAMETERS];
    tool->strict = ai_json_bool(found[STRICT], -1);
    tool->cache = cache;
    return 1;
}

static int read_tool(openai_read_t *r, ai_slice_t value)
{
    enum { TYPE, FUNCTION, CUSTOM, CACHE, WORDS };
    static const ai_slice_t words[WORDS] = { AI_WORD("type"), AI_WORD("function"),
                                             AI_WORD("custom"), AI_WORD("cache_control") };
    ai_slice_t found[WORDS];

    openai_members(r, value, "tools", words, WORDS, found);
    if (ai_json_string_is(found[TYPE], "custom")) {
        ai_lost_add(r->talk->lost, "tools.custom");
        return 1;
    }
    if (!openai_is_text(found[TYPE])) {
        return bad_tool(r, "tools", "type", "must be \"function\"");
    }
    if (!ai_json_string_is(found[TYPE], "function")) {
        return openai_unsupported(r, apr_psprintf(r->p, "tools[%d].type", r->item),
                                  "Only functions can be told to this provider.");
    }
    if (ai_json_type(found[FUNCTION]) != AI_JSON_OBJECT) {
        return bad_tool(r, "tools", "function", "must be an object");
    }
    return read_function(r, found[FUNCTION], 0, found[CACHE]);
}

static int read_all(openai_read_t *r, ai_slice_t array, int old)
{
    const char *name = old ? "functions" : "tools";
    ai_json_walk_t walk;
    ai_json_member_t tool;

    if (!array.p) {
        return 1;
    }
    if (ai_json_type(array) != AI_JSON_ARRAY) {
        return openai_fault(r, name, "must be an array");
    }
    ai_json_walk(&walk, array);
    for (r->item = 0; ai_json_next(&walk, &tool) > 0; r->item++) {
        if (r->item == AI_TALK_TOOLS) {
            return openai_fault(r, name, apr_psprintf(r->p, "has more than %d elements",
                                                      AI_TALK_TOOLS));
        }
        if (ai_json_type(tool.value) != AI_JSON_OBJECT) {
            return bad_tool(r, name, "", "must be an object");
        }
        if (old ? !read_function(r, tool.value, 1, (ai_slice_t){ NULL, 0 })
                : !read_tool(r, tool.value)) {
            return 0;
        }
    }
    return 1;
}

/* ------------------------------------------------------------------------------ choice */

static int same(ai_slice_t a, ai_slice_t b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* The model must use this tool. */
static int name_choice(openai_read_t *r, const char *path, ai_slice_t name)
{
    int i;

    if (!openai_is_long_text(name)) {
        return openai_fault(r, path, "must be a string that is not empty");
    }
    for (i = 0; i < r->talk->tools->nelts; i++) {
        if (same(APR_ARRAY_IDX(r->talk->tools, i, ai_tool_t).name, name)) {
            r->talk->choice = AI_CHOICE_NAMED;
            r->talk->choice_name = name;
            return 1;
        }
    }
    return openai_unsupported(r, path, "It names a tool that is not among those listed.");
}

static int word_choice(openai_read_t *r, const char *path, ai_slice_t word)
{
    static const ai_slice_t words[] = { AI_WORD("auto"), AI_WORD("none"), AI_WORD("required") };
    static const ai_choice_e choices[] = { AI_CHOICE_AUTO, AI_CHOICE_NONE, AI_CHOICE_REQUIRED };
    int i = ai_word_string(word, words, 3);

    if (i < 0) {
        return openai_fault(r, path, "must be \"auto\", \"none\", \"required\", or an object that "
                            "names tools");
    }
    if (choices[i] == AI_CHOICE_REQUIRED && !r->talk->tools->nelts) {
        return openai_unsupported(r, path, "It requires a tool, but none is listed.");
    }
    r->talk->choice = choices[i];
    return 1;
}

/* Keeps only the tools whose names are in the table. */
static int keep_tools(openai_read_t *r, apr_hash_t *names)
{
    apr_array_header_t *tools = r->talk->tools;
    int i, n = 0;

    for (i = 0; i < tools->nelts; i++) {
        ai_tool_t *tool = &APR_ARRAY_IDX(tools, i, ai_tool_t);

        if (apr_hash_get(names, tool->name.p, (apr_ssize_t)tool->name.n)) {
            APR_ARRAY_IDX(tools, n++, ai_tool_t) = *tool;
        }
    }
    tools->nelts = n;
    return n > 0;
}

/* "allowed_tools": only some of the tools, though all of them are listed. */
static int allow_tools(openai_read_t *r, ai_slice_t value)
{
    enum { MODE, TOOLS, WORDS };
    static const ai_slice_t words[WORDS] = { AI_WORD("mode"), AI_WORD("tools") };
    ai_slice_t found[WORDS], name;
    apr_hash_t *names = apr_hash_make(r->p);
    ai_json_walk_t walk;
    ai_json_member_t tool;

    openai_members(r, value, "tool_choice.allowed_tools", words, WORDS, found);
    if (ai_json_type(found[TOOLS]) != AI_JSON_ARRAY) {
        return openai_fault(r, "tool_choice.allowed_tools.tools", "must be an array");
    }
    ai_json_walk(&walk, found[TOOLS]);
    while (ai_json_next(&walk, &tool) > 0) {
        name = ai_json_get(ai_json_get(tool.value, "function"), "name");
        if (openai_is_text(name)) {
            apr_hash_set(names, name.p, (apr_ssize_t)name.n, "");
        }
    }
    if (!keep_tools(r, names)) {
        return openai_unsupported(r, "tool_choice.allowed_tools.tools",
                                  "It names none of the functions that are listed.");
    }
    return word_choice(r, "tool_choice.allowed_tools.mode", found[MODE]);
}

static int read_choice(openai_read_t *r, ai_slice_t value)
{
    enum { TYPE, FUNCTION, ALLOWED, CUSTOM, WORDS };
    static const ai_slice_t words[WORDS] = { AI_WORD("type"), AI_WORD("function"),
                                             AI_WORD("allowed_tools"), AI_WORD("custom") };
    ai_slice_t found[WORDS];

    if (!value.p) {
        return 1;
    }
    if (ai_json_type(value) != AI_JSON_OBJECT) {
        return word_choice(r, "tool_choice", value);
    }
    openai_members(r, value, "tool_choice", words, WORDS, found);
    if (ai_json_string_is(found[TYPE], "function")) {
        return name_choice(r, "tool_choice.function.name", ai_json_get(found[FUNCTION], "name"));
    }
    if (ai_json_string_is(found[TYPE], "allowed_tools")) {
        return allow_tools(r, found[ALLOWED]);
    }
    return openai_unsupported(r, "tool_choice.type", "It must be \"function\" or "
                              "\"allowed_tools\".");
}

int openai_read_tools(openai_read_t *r, const openai_tools_t *tools)
{
    if (!openai_is_void(tools->tools) && !openai_is_void(tools->functions)) {
        return openai_unsupported(r, "functions", "It is the old form of 'tools'; send one of "
                                  "them.");
    }
    if (tools->parallel.p && ai_json_type(tools->parallel) != AI_JSON_BOOL) {
        return openai_fault(r, "parallel_tool_calls", "must be true or false");
    }
    r->talk->parallel = ai_json_bool(tools->parallel, -1);
    if (!read_all(r, tools->tools, 0) || !read_all(r, tools->functions, 1)
        || !read_choice(r, tools->choice)) {
        return 0;
    }
    if (tools->choice.p || !tools->function_call.p) {
        return 1;
    }
    return ai_json_type(tools->function_call) == AI_JSON_OBJECT
               ? name_choice(r, "function_call.name", ai_json_get(tools->function_call, "name"))
               : word_choice(r, "function_call", tools->function_call);
}
