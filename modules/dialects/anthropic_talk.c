/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anthropic_talk.c - what does a request to Anthropic's API ask?
 *
 * Both versions of the API: the newer one has no temperature, top_p and top_k, else they are the
 * same. Each object is walked once; what is not known is named as lost.
 *
 * Lives in: the request's pool.  Shared state: none.  May block: no.
 */
#include <apr_strings.h>

#include "ai_field.h"
#include "anthropic_translator.h"

/* ------------------------------------------------------------------------ members */

void ai_anthropic_find(anthropic_reader_t *reader, const char *path, ai_slice_t object,
                       const ai_slice_t *names, int n, ai_slice_t *found)
{
    ai_json_member_t member;
    ai_json_walk_t walk;
    int i;

    memset(found, 0, (apr_size_t)n * sizeof(*found));
    ai_json_walk(&walk, object);
    while (ai_json_next(&walk, &member) > 0) {
        if (ai_json_type(member.value) == AI_JSON_NULL) {
            continue;
        }
        i = ai_word_key(member.key, names, n);
        if (i >= 0) {
            found[i] = member.value;
        }
        else {
            ai_lost_member(reader->talk->lost, path, member.key);
        }
    }
}

static int set_fault(anthropic_reader_t *reader, const char *where, const char *must)
{
    if (!reader->error) {
        reader->error = ai_field_fault(reader->p, where, apr_psprintf(reader->p,
                                                                      "The field '%s' %s.", where,
                                                                      must));
    }
    return 0;
}

int ai_anthropic_root_fault(anthropic_reader_t *reader, const char *member, const char *must)
{
    return set_fault(reader, member, must);
}

int ai_anthropic_fault(anthropic_reader_t *reader, const char *member, const char *must)
{
    const char *where = apr_psprintf(reader->p, "%s[%d]", reader->list, reader->at);

    if (reader->block >= 0) {
        where = apr_psprintf(reader->p, "%s.content[%d]", where, reader->block);
    }
    if (reader->inner >= 0) {
        where = apr_psprintf(reader->p, "%s.content[%d]", where, reader->inner);
    }
    return set_fault(reader, member ? apr_pstrcat(reader->p, where, ".", member, NULL) : where,
                     must);
}

void ai_anthropic_lose(anthropic_reader_t *reader, const char *member)
{
    ai_lost_add(reader->talk->lost, apr_pstrcat(reader->p, reader->path, ".", member, NULL));
}

/* -------------------------------------------------------------------------- tools */

static const ai_slice_t tool_names[] = {
    AI_WORD("type"), AI_WORD("name"), AI_WORD("description"), AI_WORD("input_schema"),
    AI_WORD("strict"), AI_WORD("cache_control")
};
enum { TOOL_TYPE, TOOL_NAME, TOOL_ABOUT, TOOL_SCHEMA, TOOL_STRICT, TOOL_CACHE, TOOL_N };

/* A tool of Anthropic's own (web search, a shell): no other provider knows it. */
static int lose_tool(anthropic_reader_t *reader, ai_slice_t type)
{
    if (ai_json_type(type) != AI_JSON_STRING) {
        return ai_anthropic_fault(reader, "type", "must be a string");
    }
    ai_lost_member(reader->talk->lost, "tools", (ai_slice_t){ type.p + 1, type.n - 2 });
    return 1;
}

static int read_tool(anthropic_reader_t *reader, ai_slice_t value)
{
    static const ai_slice_t custom[] = {
        AI_WORD("custom")
    };
    ai_slice_t found[TOOL_N], type = ai_json_get(value, "type");
    ai_tool_t *tool;

    if (ai_json_type(value) != AI_JSON_OBJECT) {
        return ai_anthropic_fault(reader, NULL, "must be an object");
    }
    if (type.p && ai_json_type(type) != AI_JSON_NULL
        && ai_word_string(type, AI_WORDS(custom)) < 0) {
        return lose_tool(reader, type);
    }
    ai_anthropic_find(reader, "tools", value, AI_WORDS(tool_names), found);
    if (ai_json_type(found[TOOL_NAME]) != AI_JSON_STRING || found[TOOL_NAME].n < 3) {
        return ai_anthropic_fault(reader, "name", "must be a string that is not empty");
    }
    if (ai_json_type(found[TOOL_SCHEMA]) != AI_JSON_OBJECT) {
        return ai_anthropic_fault(reader, "input_schema", "must be an object: a JSON schema");
    }
    if (found[TOOL_ABOUT].p && ai_json_type(found[TOOL_ABOUT]) != AI_JSON_STRING) {
        return ai_anthropic_fault(reader, "description", "must be a string");
    }
    if (found[TOOL_STRICT].p && ai_json_type(found[TOOL_STRICT]) != AI_JSON_BOOL) {
        return ai_anthropic_fault(reader, "strict", "must be true or false");
    }
    if (found[TOOL_CACHE].p && ai_json_type(found[TOOL_CACHE]) != AI_JSON_OBJECT) {
        return ai_anthropic_fault(reader, "cache_control", "must be an object");
    }
    tool = ai_talk_tool(reader->talk);
    tool->name = found[TOOL_NAME];
    tool->about = found[TOOL_ABOUT];
    tool->schema = found[TOOL_SCHEMA];
    tool->strict = ai_json_bool(found[TOOL_STRICT], -1);
    tool->cache = found[TOOL_CACHE];
    return 1;
}

static int read_tools(anthropic_reader_t *reader, ai_slice_t tools)
{
    ai_json_member_t member;
    ai_json_walk_t walk;

    if (!tools.p) {
        return 1;
    }
    if (ai_json_type(tools) != AI_JSON_ARRAY) {
        return ai_anthropic_root_fault(reader, "tools", "must be an array");
    }
    reader->list = reader->path = "tools";
    reader->block = reader->inner = -1;
    ai_json_walk(&walk, tools);
    for (reader->at = 0; ai_json_next(&walk, &member) > 0; reader->at++) {
        if (reader->at == AI_TALK_TOOLS) {
            return ai_anthropic_root_fault(reader, "tools", "holds too many tools");
        }
        if (!read_tool(reader, member.value)) {
            return 0;
        }
    }
    return 1;
}

/* 1 when a tool of that name is among the tools. */
static int is_listed(const ai_talk_t *talk, ai_slice_t name)
{
    int i;

    for (i = 0; i < talk->tools->nelts; i++) {
        ai_slice_t other = APR_ARRAY_IDX(talk->tools, i, ai_tool_t).name;

        if (other.n == name.n && memcmp(other.p, name.p, name.n) == 0) {
            return 1;
        }
    }
    return 0;
}

static int read_choice(anthropic_reader_t *reader, ai_slice_t value)
{
    static const ai_slice_t names[] = {
        AI_WORD("type"), AI_WORD("name"), AI_WORD("disable_parallel_tool_use")
    };
    static const ai_slice_t words[] = {
        AI_WORD("auto"), AI_WORD("none"), AI_WORD("any"), AI_WORD("tool")
    };
    static const ai_choice_e choices[] = { AI_CHOICE_AUTO, AI_CHOICE_NONE, AI_CHOICE_REQUIRED,
                                           AI_CHOICE_NAMED };
    ai_talk_t *talk = reader->talk;
    ai_slice_t found[3];
    int word;

    if (!value.p) {
        return 1;
    }
    if (ai_json_type(value) != AI_JSON_OBJECT) {
        return ai_anthropic_root_fault(reader, "tool_choice", "must be an object");
    }
    ai_anthropic_find(reader, "tool_choice", value, AI_WORDS(names), found);
    word = ai_word_string(found[0], AI_WORDS(words));
    if (word < 0) {
        return ai_anthropic_root_fault(reader, "tool_choice.type",
                                       "must be 'auto', 'none', 'any' or 'tool'");
    }
    talk->choice = choices[word];
    if (found[2].p) {
        if (ai_json_type(found[2]) != AI_JSON_BOOL) {
            return ai_anthropic_root_fault(reader, "tool_choice.disable_parallel_tool_use",
                                           "must be true or false");
        }
        talk->parallel = !ai_json_bool(found[2], 0);
    }
    if (talk->choice == AI_CHOICE_NAMED) {
        if (ai_json_type(found[1]) != AI_JSON_STRING || !is_listed(talk, found[1])) {
            return ai_anthropic_root_fault(reader, "tool_choice.name",
                                           "must be the name of one of 'tools'");
        }
        talk->choice_name = found[1];
    }
    return 1;
}

/* ----------------------------------------------------------------------- settings */

static int read_thinking(anthropic_reader_t *reader, ai_slice_t value)
{
    static const ai_slice_t names[] = {
        AI_WORD("type"), AI_WORD("budget_tokens")
    };
    static const ai_slice_t words[] = {
        AI_WORD("disabled"), AI_WORD("enabled"), AI_WORD("adaptive"), AI_WORD("between_tools")
    };
    ai_talk_t *talk = reader->talk;
    ai_slice_t found[2];
    int word;

    if (!value.p) {
        return 1;
    }
    if (ai_json_type(value) != AI_JSON_OBJECT) {
        return ai_anthropic_root_fault(reader, "thinking", "must be an object");
    }
    ai_anthropic_find(reader, "thinking", value, AI_WORDS(names), found);
    word = ai_word_string(found[0], AI_WORDS(words));
    talk->effort_name = "thinking";
    switch (word) {
    case 0:
        talk->thinking = AI_THINK_OFF;
        return 1;
    case 1:
        talk->thinking = AI_THINK_BUDGET;
        if (ai_json_int(found[1], &talk->thinking_budget) != APR_SUCCESS
            || talk->thinking_budget < 1) {
            return ai_anthropic_root_fault(reader, "thinking.budget_tokens",
                                           "must be a whole number of at least 1");
        }
        return 1;
    case 2:
        talk->thinking = AI_THINK_ADAPTIVE;
        return 1;
    case 3: /* no other provider can be told when to think */
        talk->effort_name = NULL;
        ai_lost_add(talk->lost, "thinking");
        return 1;
    default:
        return ai_anthropic_root_fault(reader, "thinking.type",
                                       "must be 'enabled', 'disabled', 'adaptive' or "
                                       "'between_tools'");
    }
}

static int read_effort(anthropic_reader_t *reader, ai_slice_t value)
{
    static const ai_slice_t words[] = {
        AI_WORD("low"), AI_WORD("medium"), AI_WORD("high"), AI_WORD("xhigh"), AI_WORD("max")
    };
    int word = ai_word_string(value, AI_WORDS(words));

    if (!value.p) {
        return 1;
    }
    if (word < 0) {
        return ai_anthropic_root_fault(reader, "output_config.effort",
                                       "must be 'low', 'medium', 'high', 'xhigh' or 'max'");
    }
    reader->talk->effort = (ai_effort_e)(AI_EFFORT_LOW + word);
    reader->talk->effort_name = "output_config.effort";
    return 1;
}

/* path: "output_config.format", or "output_format" as it was called at first. */
static int read_format(anthropic_reader_t *reader, const char *path, ai_slice_t value)
{
    static const ai_slice_t names[] = {
        AI_WORD("type"), AI_WORD("schema"), AI_WORD("name")
    };
    static const ai_slice_t words[] = {
        AI_WORD("json_schema")
    };
    ai_slice_t found[3];

    if (!value.p) {
        return 1;
    }
    if (ai_json_type(value) != AI_JSON_OBJECT) {
        return ai_anthropic_root_fault(reader, path, "must be an object");
    }
    ai_anthropic_find(reader, path, value, AI_WORDS(names), found);
    if (ai_word_string(found[0], AI_WORDS(words)) < 0) {
        return ai_anthropic_root_fault(reader, apr_pstrcat(reader->p, path, ".type", NULL),
                                       "must be 'json_schema'");
    }
    if (ai_json_type(found[1]) != AI_JSON_OBJECT) {
        return ai_anthropic_root_fault(reader, apr_pstrcat(reader->p, path, ".schema", NULL),
                                       "must be an object: a JSON schema");
    }
    reader->talk->format = AI_FORMAT_SCHEMA;
    reader->talk->format_schema = found[1];
    reader->talk->format_name = ai_json_type(found[2]) == AI_JSON_STRING ? found[2]
                                                                         : (ai_slice_t){ NULL, 0 };
    return 1;
}

static int read_output(anthropic_reader_t *reader, ai_slice_t value)
{
    static const ai_slice_t names[] = {
        AI_WORD("effort"), AI_WORD("format")
    };
    ai_slice_t found[2];

    if (!value.p) {
        return 1;
    }
    if (ai_json_type(value) != AI_JSON_OBJECT) {
        return ai_anthropic_root_fault(reader, "output_config", "must be an object");
    }
    ai_anthropic_find(reader, "output_config", value, AI_WORDS(names), found);
    return read_effort(reader, found[0]) && read_format(reader, "output_config.format", found[1]);
}

static int read_stops(anthropic_reader_t *reader, ai_slice_t value)
{
    ai_json_member_t member;
    ai_json_walk_t walk;

    if (!value.p) {
        return 1;
    }
    if (ai_json_type(value) != AI_JSON_ARRAY) {
        return ai_anthropic_root_fault(reader, "stop_sequences", "must be an array of strings");
    }
    ai_json_walk(&walk, value);
    while (ai_json_next(&walk, &member) > 0) {
        if (ai_json_type(member.value) != AI_JSON_STRING) {
            return ai_anthropic_root_fault(reader, "stop_sequences",
                                           "must be an array of strings");
        }
        APR_ARRAY_PUSH(reader->talk->stops, ai_slice_t) = member.value;
    }
    return 1;
}

static int read_metadata(anthropic_reader_t *reader, ai_slice_t value)
{
    static const ai_slice_t names[] = {
        AI_WORD("user_id")
    };
    ai_slice_t user;

    if (!value.p) {
        return 1;
    }
    if (ai_json_type(value) != AI_JSON_OBJECT) {
        return ai_anthropic_root_fault(reader, "metadata", "must be an object");
    }
    ai_anthropic_find(reader, "metadata", value, AI_WORDS(names), &user);
    if (user.p && ai_json_type(user) != AI_JSON_STRING) {
        return ai_anthropic_root_fault(reader, "metadata.user_id", "must be a string");
    }
    ai_talk_option(reader->talk, AI_OPTION_USER, "metadata.user_id", user);
    return 1;
}

/* "auto" is the default. */
static int read_tier(anthropic_reader_t *reader, ai_slice_t value)
{
    static const ai_slice_t words[] = {
        AI_WORD("auto"), AI_WORD("standard_only")
    };
    int word = ai_word_string(value, AI_WORDS(words));

    if (!value.p || word == 0) {
        return 1;
    }
    if (word < 0) {
        return ai_anthropic_root_fault(reader, "service_tier",
                                       "must be 'auto' or 'standard_only'");
    }
    ai_talk_option(reader->talk, AI_OPTION_SERVICE_TIER, "service_tier", AI_SLICE("\"default\""));
    return 1;
}

static int read_number(anthropic_reader_t *reader, ai_option_e option, const char *name,
                       ai_slice_t value)
{
    apr_int64_t number;

    if (value.p && ai_json_type(value) != AI_JSON_NUMBER) {
        return ai_anthropic_root_fault(reader, name, "must be a number");
    }
    if (value.p && option == AI_OPTION_TOP_K && ai_json_int(value, &number) != APR_SUCCESS) {
        return ai_anthropic_root_fault(reader, name, "must be a whole number");
    }
    ai_talk_option(reader->talk, option, name, value);
    return 1;
}

/* Nought would only fill Anthropic's own cache: there is no answer to translate. */
static int read_max_tokens(anthropic_reader_t *reader, ai_slice_t value)
{
    reader->talk->max_tokens_name = "max_tokens";
    if (!value.p && reader->talk->counts_only) {
        return 1;
    }
    if (!value.p) {
        return ai_anthropic_root_fault(reader, "max_tokens", "is missing; it limits the answer");
    }
    if (ai_json_int(value, &reader->talk->max_tokens) != APR_SUCCESS
        || reader->talk->max_tokens < 1) {
        return ai_anthropic_root_fault(reader, "max_tokens",
                                       "must be a whole number of at least 1");
    }
    return 1;
}

/* ---------------------------------------------------------------------- a request */

static const ai_slice_t root_names[] = {
    AI_WORD("model"), AI_WORD("messages"), AI_WORD("max_tokens"), AI_WORD("system"),
    AI_WORD("stop_sequences"), AI_WORD("stream"), AI_WORD("tools"), AI_WORD("tool_choice"),
    AI_WORD("thinking"), AI_WORD("output_config"), AI_WORD("output_format"), AI_WORD("metadata"),
    AI_WORD("service_tier"), AI_WORD("temperature"), AI_WORD("top_p"), AI_WORD("top_k")
};
enum {
    MODEL, MESSAGES, MAX_TOKENS, SYSTEM, STOPS, STREAM, TOOLS, CHOICE, THINKING, OUTPUT, FORMAT,
    METADATA, TIER, TEMPERATURE, TOP_P, TOP_K, ROOT_N
};

/* The root's members are noted already: no walk over all of the body. */
static void find_root(anthropic_reader_t *reader, const ai_json_doc_t *doc, ai_slice_t *found)
{
    int i;

    memset(found, 0, ROOT_N * sizeof(*found));
    for (i = 0; i < doc->n_members; i++) {
        int place = ai_word_key(doc->members[i].key, AI_WORDS(root_names));

        if (ai_json_type(doc->members[i].value) == AI_JSON_NULL) {
            continue;
        }
        if (place >= 0) {
            found[place] = doc->members[i].value;
        }
        else {
            ai_lost_member(reader->talk->lost, "", doc->members[i].key);
        }
    }
}

const ai_error_t *ai_anthropic_read_talk(apr_pool_t *p, const ai_json_doc_t *doc, ai_talk_t *talk)
{
    anthropic_reader_t reader = { p, talk, "messages", "messages", 0, -1, -1, NULL };
    ai_slice_t found[ROOT_N];

    find_root(&reader, doc, found);
    talk->stream = ai_json_bool(found[STREAM], 0);
    if (read_max_tokens(&reader, found[MAX_TOKENS])
        && ai_anthropic_system(&reader, found[SYSTEM])
        && ai_anthropic_messages(&reader, found[MESSAGES])
        && read_tools(&reader, found[TOOLS])
        && read_choice(&reader, found[CHOICE])
        && read_thinking(&reader, found[THINKING])
        && read_output(&reader, found[OUTPUT])
        && read_format(&reader, "output_format", found[FORMAT])
        && read_stops(&reader, found[STOPS])
        && read_metadata(&reader, found[METADATA])
        && read_tier(&reader, found[TIER])
        && read_number(&reader, AI_OPTION_TEMPERATURE, "temperature", found[TEMPERATURE])
        && read_number(&reader, AI_OPTION_TOP_P, "top_p", found[TOP_P])) {
        read_number(&reader, AI_OPTION_TOP_K, "top_k", found[TOP_K]);
    }
    return reader.error;
}
