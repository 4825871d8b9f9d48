/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anthropic_block.c - what do the messages of a request to Anthropic's API hold?
 *
 * A message is a string or blocks; a tool's result is a block with blocks of its own. What a block
 * has beyond what its kind is known to have is named as lost; a kind that is not known is refused,
 * since leaving out part of a conversation would change the answer.
 *
 * Lives in: the request's pool and body.  Shared state: none.  May block: no.
 */
#include <apr_lib.h>
#include <apr_strings.h>

#include "anthropic_translator.h"

/* ------------------------------------------------------------------------- blocks */

static const ai_slice_t block_names[] = {
    AI_WORD("type"), AI_WORD("text"), AI_WORD("source"), AI_WORD("thinking"),
    AI_WORD("signature"), AI_WORD("data"), AI_WORD("id"), AI_WORD("name"), AI_WORD("input"),
    AI_WORD("tool_use_id"), AI_WORD("content"), AI_WORD("is_error"), AI_WORD("title"),
    AI_WORD("cache_control"), AI_WORD("citations"), AI_WORD("context"), AI_WORD("caller")
};
enum {
    TYPE, TEXT, SOURCE, THOUGHT, SIGNATURE, DATA, ID, NAME, INPUT, RESULT_ID, CONTENT, IS_ERROR,
    TITLE, CACHE, CITATIONS, CONTEXT, CALLER, BLOCK_N
};

/* Where a block may stand: in which message, or within a tool's result. */
#define IN_SYSTEM 1u
#define IN_USER 2u
#define IN_ASSISTANT 4u
#define IN_RESULT 8u

typedef struct spot_t {
    ai_role_e role;
    unsigned place; /* one of IN_* */
    int opening;    /* the next part opens its message */
} spot_t;

typedef int read_fn(anthropic_reader_t *reader, const ai_slice_t *found, spot_t *spot);

static read_fn read_text, read_image, read_document, read_search, read_thinking, read_redacted,
    read_call, read_result, read_compaction;

static const struct kind_t {
    const char *type;
    unsigned places;
    unsigned members; /* bits of what it has beside type */
    read_fn *read;
} kinds[] = {
    { "text", IN_SYSTEM | IN_USER | IN_ASSISTANT | IN_RESULT, 1u << TEXT | 1u << CACHE,
      read_text },
    { "image", IN_USER | IN_RESULT, 1u << SOURCE | 1u << CACHE, read_image },
    { "document", IN_USER | IN_RESULT, 1u << SOURCE | 1u << TITLE | 1u << CACHE, read_document },
    { "search_result", IN_USER | IN_RESULT,
      1u << SOURCE | 1u << TITLE | 1u << CONTENT | 1u << CACHE, read_search },
    { "thinking", IN_ASSISTANT, 1u << THOUGHT | 1u << SIGNATURE, read_thinking },
    { "redacted_thinking", IN_ASSISTANT, 1u << DATA, read_redacted },
    { "tool_use", IN_ASSISTANT,
      1u << ID | 1u << NAME | 1u << INPUT | 1u << CACHE | 1u << CALLER, read_call },
    { "tool_result", IN_USER, 1u << RESULT_ID | 1u << CONTENT | 1u << IS_ERROR | 1u << CACHE,
      read_result },
    { "compaction", IN_ASSISTANT, 1u << CONTENT | 1u << CACHE, read_compaction },
};
static const ai_slice_t kind_words[] = {
    AI_WORD("text"), AI_WORD("image"), AI_WORD("document"), AI_WORD("search_result"),
    AI_WORD("thinking"), AI_WORD("redacted_thinking"), AI_WORD("tool_use"),
    AI_WORD("tool_result"), AI_WORD("compaction")
};

/* What Anthropic's own tools did in earlier turns; their words are in the texts beside it. */
static int is_of_server_tool(ai_slice_t type)
{
    static const ai_slice_t words[] = {
        AI_WORD("server_tool_use"), AI_WORD("mcp_tool_use"), AI_WORD("tool_reference"),
        AI_WORD("fallback")
    };
    static const char tail[] = "_tool_result\"";
    apr_size_t n = sizeof(tail) - 1;

    return (type.n > n && memcmp(type.p + type.n - n, tail, n) == 0)
           || ai_word_string(type, AI_WORDS(words)) >= 0;
}

static ai_part_t *add_part(anthropic_reader_t *reader, ai_part_e kind, spot_t *spot,
                           ai_slice_t cache)
{
    ai_part_t *part = ai_talk_part(reader->talk, kind, spot->role);

    part->opens = spot->opening ? 1 : 0;
    part->inside = spot->place == IN_RESULT ? 1 : 0;
    part->cache = cache;
    spot->opening = 0;
    return part;
}

/* Names what a block says that its kind is not known to have. No citations are none. */
static void lose_members(anthropic_reader_t *reader, unsigned members, const ai_slice_t *found)
{
    int i;

    for (i = TYPE + 1; i < BLOCK_N; i++) {
        int is_none = i == CITATIONS && ai_slice_is(found[i], "[]");

        if (found[i].p && !is_none && !(members & (1u << i))) {
            ai_anthropic_lose(reader, block_names[i].p);
        }
    }
}

static int read_block(anthropic_reader_t *reader, ai_slice_t block, spot_t *spot)
{
    int lost = reader->talk->lost->nelts;
    ai_slice_t found[BLOCK_N];
    const struct kind_t *kind;
    int word;

    if (ai_json_type(block) != AI_JSON_OBJECT) {
        return ai_anthropic_fault(reader, NULL, "must be an object");
    }
    if (reader->talk->parts->nelts > AI_TALK_PARTS) {
        return ai_anthropic_root_fault(reader, "messages", "holds too much content");
    }
    ai_anthropic_find(reader, reader->path, block, AI_WORDS(block_names), found);
    if (ai_json_type(found[TYPE]) != AI_JSON_STRING) {
        return ai_anthropic_fault(reader, "type", "must be a string");
    }
    word = ai_word_string(found[TYPE], AI_WORDS(kind_words));
    if (word < 0 && is_of_server_tool(found[TYPE])) {
        reader->talk->lost->nelts = lost; /* all of it is lost, so not its members one by one */
        ai_lost_member(reader->talk->lost, reader->path,
                       (ai_slice_t){ found[TYPE].p + 1, found[TYPE].n - 2 });
        return 1;
    }
    kind = word < 0 ? NULL : &kinds[word];
    if (!kind) {
        return ai_anthropic_fault(reader, "type",
                                  "names a kind of content that cannot be carried to the target "
                                  "of this model");
    }
    if (!(kind->places & spot->place)) {
        return ai_anthropic_fault(reader, "type", "names a kind of content that has no place here");
    }
    if (found[CACHE].p && ai_json_type(found[CACHE]) != AI_JSON_OBJECT) {
        return ai_anthropic_fault(reader, "cache_control", "must be an object");
    }
    lose_members(reader, kind->members, found);
    return kind->read(reader, found, spot);
}

/* The content of a message, of a tool's result and of others: a string, or blocks. */
static int read_content(anthropic_reader_t *reader, ai_slice_t content, spot_t *spot, int *at)
{
    ai_json_member_t member;
    ai_json_walk_t walk;
    int more = 1;

    if (ai_json_type(content) == AI_JSON_STRING) {
        add_part(reader, AI_PART_TEXT, spot, (ai_slice_t){ NULL, 0 })->text = content;
        return 1;
    }
    if (ai_json_type(content) != AI_JSON_ARRAY) {
        return ai_anthropic_fault(reader, "content", "must be a string or an array of blocks");
    }
    ai_json_walk(&walk, content);
    for (*at = 0; more && ai_json_next(&walk, &member) > 0; *at += more) {
        more = read_block(reader, member.value, spot);
    }
    *at = -1;
    return more;
}

/* --------------------------------------------------------------------- their kinds */

static int need_string(anthropic_reader_t *reader, const ai_slice_t *found, int member)
{
    return ai_json_type(found[member]) == AI_JSON_STRING
               ? 1
               : ai_anthropic_fault(reader, block_names[member].p, "must be a string");
}

static int read_text(anthropic_reader_t *reader, const ai_slice_t *found, spot_t *spot)
{
    if (!need_string(reader, found, TEXT)) {
        return 0;
    }
    add_part(reader, AI_PART_TEXT, spot, found[CACHE])->text = found[TEXT];
    return 1;
}

/* What was said so far, in short: the content of a conversation that was compacted. */
static int read_compaction(anthropic_reader_t *reader, const ai_slice_t *found, spot_t *spot)
{
    if (found[CONTENT].p) {
        if (!need_string(reader, found, CONTENT)) {
            return 0;
        }
        add_part(reader, AI_PART_TEXT, spot, found[CACHE])->text = found[CONTENT];
    }
    return 1;
}

static const ai_slice_t source_names[] = {
    AI_WORD("type"), AI_WORD("media_type"), AI_WORD("data"), AI_WORD("url"), AI_WORD("content"),
    AI_WORD("file_id")
};
enum { SOURCE_TYPE, SOURCE_MEDIA, SOURCE_DATA, SOURCE_URL, SOURCE_CONTENT, SOURCE_FILE, SOURCE_N };
static const ai_slice_t source_words[] = {
    AI_WORD("base64"), AI_WORD("url"), AI_WORD("text"), AI_WORD("content"), AI_WORD("file")
};
enum { IS_BASE64, IS_URL, IS_TEXT, IS_CONTENT, IS_FILE };

/* The bytes between the quotes, decoded where they hold escapes. */
static ai_slice_t inside(apr_pool_t *p, ai_slice_t string)
{
    ai_slice_t bytes = { string.p + 1, string.n - 2 };
    const char *text;

    if (memchr(bytes.p, '\\', bytes.n)) {
        ai_json_string(p, string, &text, &bytes.n);
        bytes.p = text;
    }
    return bytes;
}

/* A MIME type in lower case, without parameters, or the absent slice. */
static ai_slice_t read_media(apr_pool_t *p, ai_slice_t value)
{
    ai_slice_t media = ai_json_type(value) == AI_JSON_STRING ? inside(p, value)
                                                            : (ai_slice_t){ NULL, 0 };
    char *lower;
    apr_size_t i;

    for (i = 0; i < media.n; i++) {
        if (!apr_islower(media.p[i]) && !strchr("/.+-0123456789", media.p[i])) {
            break;
        }
    }
    if (i == media.n && i) {
        return media;
    }
    lower = apr_pstrmemdup(p, media.n ? media.p : "", media.n);
    for (i = 0; lower[i] && lower[i] != ';'; i++) {
        if (!apr_isalnum(lower[i]) && !strchr("/.+-", lower[i])) {
            return (ai_slice_t){ NULL, 0 };
        }
        lower[i] = (char)apr_tolower(lower[i]);
    }
    return i ? (ai_slice_t){ lower, i } : (ai_slice_t){ NULL, 0 };
}

/* Reads the source of an image or a document, but for its text and its content. */
static int read_source(anthropic_reader_t *reader, ai_slice_t *source, int word, ai_part_t *part)
{
    switch (word) {
    case IS_BASE64:
        part->media = read_media(reader->p, source[SOURCE_MEDIA]);
        if (!part->media.p) {
            return ai_anthropic_fault(reader, "source.media_type", "must be a MIME type");
        }
        if (ai_json_type(source[SOURCE_DATA]) == AI_JSON_STRING) {
            part->data = inside(reader->p, source[SOURCE_DATA]);
        }
        if (!part->data.p || !ai_is_base64(part->data)) {
            return ai_anthropic_fault(reader, "source.data", "must be a string in base64");
        }
        return 1;
    case IS_URL:
        part->url = source[SOURCE_URL];
        return ai_json_type(part->url) == AI_JSON_STRING
                   ? 1
                   : ai_anthropic_fault(reader, "source.url", "must be a string");
    case IS_FILE:
        return ai_anthropic_fault(reader, "source.type",
                                  "names a file that is kept by another provider than the one of "
                                  "this model; send its content");
    default:
        return ai_anthropic_fault(reader, "source.type",
                                  "names a kind of source that is not known here");
    }
}

/* What the source holds and of what kind it is. */
static int find_source(anthropic_reader_t *reader, ai_slice_t value, ai_slice_t *source, int *word)
{
    if (ai_json_type(value) != AI_JSON_OBJECT) {
        return ai_anthropic_fault(reader, "source", "must be an object");
    }
    ai_anthropic_find(reader, apr_pstrcat(reader->p, reader->path, ".source", NULL), value,
                      AI_WORDS(source_names), source);
    *word = ai_word_string(source[SOURCE_TYPE], AI_WORDS(source_words));
    return 1;
}

static int read_image(anthropic_reader_t *reader, const ai_slice_t *found, spot_t *spot)
{
    ai_slice_t source[SOURCE_N];
    int word;

    return find_source(reader, found[SOURCE], source, &word)
           && read_source(reader, source, word == IS_TEXT || word == IS_CONTENT ? -1 : word,
                          add_part(reader, AI_PART_IMAGE, spot, found[CACHE]));
}

/* A document made of blocks is the blocks: their frame only served citations. */
static int read_frame(anthropic_reader_t *reader, const ai_slice_t *found, ai_slice_t content,
                      spot_t *spot)
{
    const char *path = reader->path;
    int inner = reader->inner, unused = -1, good;

    if (found[TITLE].p) {
        ai_anthropic_lose(reader, "title");
    }
    if (found[CACHE].p) {
        ai_anthropic_lose(reader, "cache_control");
    }
    if (spot->place & IN_USER) {
        spot_t within = { spot->role, IN_RESULT, spot->opening };
        int first = reader->talk->parts->nelts, i;

        reader->path = "messages.content.source.content";
        good = read_content(reader, content, &within, &reader->inner);
        for (i = first; i < reader->talk->parts->nelts; i++) {
            APR_ARRAY_IDX(reader->talk->parts, i, ai_part_t).inside = 0;
        }
        spot->opening = within.opening;
    }
    else {
        good = read_content(reader, content, spot, &unused);
    }
    reader->path = path;
    reader->inner = good ? inner : reader->inner;
    return good;
}

static int read_document(anthropic_reader_t *reader, const ai_slice_t *found, spot_t *spot)
{
    ai_slice_t source[SOURCE_N];
    ai_part_t *part;
    int word;

    if (!find_source(reader, found[SOURCE], source, &word)
        || (found[TITLE].p && !need_string(reader, found, TITLE))) {
        return 0;
    }
    if (word == IS_CONTENT) {
        return read_frame(reader, found, source[SOURCE_CONTENT], spot);
    }
    part = add_part(reader, AI_PART_FILE, spot, found[CACHE]);
    part->name = found[TITLE];
    if (word != IS_TEXT) {
        return read_source(reader, source, word, part);
    }
    part->text = source[SOURCE_DATA];
    return ai_json_type(part->text) == AI_JSON_STRING
               ? 1
               : ai_anthropic_fault(reader, "source.data", "must be a string");
}

/* Title, source and text as texts: only citing them is lost. */
static int read_search(anthropic_reader_t *reader, const ai_slice_t *found, spot_t *spot)
{
    ai_json_member_t member;
    ai_json_walk_t walk;
    ai_slice_t text;

    if (!need_string(reader, found, TITLE) || !need_string(reader, found, SOURCE)) {
        return 0;
    }
    if (ai_json_type(found[CONTENT]) != AI_JSON_ARRAY) {
        return ai_anthropic_fault(reader, "content", "must be an array of blocks");
    }
    add_part(reader, AI_PART_TEXT, spot, (ai_slice_t){ NULL, 0 })->text = found[TITLE];
    add_part(reader, AI_PART_TEXT, spot, (ai_slice_t){ NULL, 0 })->text = found[SOURCE];
    ai_json_walk(&walk, found[CONTENT]);
    while (ai_json_next(&walk, &member) > 0) {
        text = ai_json_get(member.value, "text");
        if (ai_json_type(text) != AI_JSON_STRING) {
            return ai_anthropic_fault(reader, "content", "must hold blocks of text");
        }
        add_part(reader, AI_PART_TEXT, spot, (ai_slice_t){ NULL, 0 })->text = text;
    }
    APR_ARRAY_IDX(reader->talk->parts, reader->talk->parts->nelts - 1, ai_part_t).cache =
        found[CACHE];
    return 1;
}

static int read_thinking(anthropic_reader_t *reader, const ai_slice_t *found, spot_t *spot)
{
    ai_part_t *part;

    if (!need_string(reader, found, THOUGHT)
        || (found[SIGNATURE].p && !need_string(reader, found, SIGNATURE))) {
        return 0;
    }
    part = add_part(reader, AI_PART_THINKING, spot, (ai_slice_t){ NULL, 0 });
    part->text = found[THOUGHT];
    if (found[SIGNATURE].n > 2) { /* "" is our own, for thinking that nobody signed */
        part->signature = found[SIGNATURE];
    }
    return 1;
}

static int read_redacted(anthropic_reader_t *reader, const ai_slice_t *found, spot_t *spot)
{
    if (!need_string(reader, found, DATA)) {
        return 0;
    }
    add_part(reader, AI_PART_REDACTED, spot, (ai_slice_t){ NULL, 0 })->data = found[DATA];
    return 1;
}

static int read_call(anthropic_reader_t *reader, const ai_slice_t *found, spot_t *spot)
{
    ai_part_t *part;

    if (!need_string(reader, found, ID) || !need_string(reader, found, NAME)) {
        return 0;
    }
    if (ai_json_type(found[INPUT]) != AI_JSON_OBJECT) {
        return ai_anthropic_fault(reader, "input", "must be an object");
    }
    if (found[CALLER].p && !ai_json_string_is(ai_json_get(found[CALLER], "type"), "direct")) {
        ai_anthropic_lose(reader, "caller");
    }
    part = add_part(reader, AI_PART_CALL, spot, found[CACHE]);
    part->id = found[ID];
    part->name = found[NAME];
    part->object = found[INPUT];
    return 1;
}

static int read_result(anthropic_reader_t *reader, const ai_slice_t *found, spot_t *spot)
{
    spot_t within = { AI_ROLE_USER, IN_RESULT, 0 };
    ai_part_t *part;
    int good;

    if (!need_string(reader, found, RESULT_ID)) {
        return 0;
    }
    if (found[IS_ERROR].p && ai_json_type(found[IS_ERROR]) != AI_JSON_BOOL) {
        return ai_anthropic_fault(reader, "is_error", "must be true or false");
    }
    part = add_part(reader, AI_PART_RESULT, spot, found[CACHE]);
    part->id = found[RESULT_ID];
    part->failed = ai_json_bool(found[IS_ERROR], 0) ? 1 : 0;
    if (!found[CONTENT].p) {
        return 1;
    }
    reader->path = "messages.content.content";
    good = read_content(reader, found[CONTENT], &within, &reader->inner);
    reader->path = "messages.content";
    return good;
}

/* ------------------------------------------------------------------------ messages */

static const ai_slice_t message_names[] = {
    AI_WORD("role"), AI_WORD("content")
};

static int read_message(anthropic_reader_t *reader, ai_slice_t message)
{
    static const ai_slice_t words[] = {
        AI_WORD("user"), AI_WORD("assistant"), AI_WORD("system")
    };
    static const spot_t spots[] = { { AI_ROLE_USER, IN_USER, 1 },
                                    { AI_ROLE_ASSISTANT, IN_ASSISTANT, 1 },
                                    { AI_ROLE_SYSTEM, IN_SYSTEM, 1 } };
    ai_slice_t found[2];
    spot_t spot;
    int word;

    reader->path = "messages";
    reader->block = reader->inner = -1;
    if (reader->talk->parts->nelts > AI_TALK_PARTS) {
        return ai_anthropic_root_fault(reader, "messages", "holds too much content");
    }
    if (ai_json_type(message) != AI_JSON_OBJECT) {
        return ai_anthropic_fault(reader, NULL, "must be an object");
    }
    ai_anthropic_find(reader, "messages", message, AI_WORDS(message_names), found);
    word = ai_word_string(found[0], AI_WORDS(words));
    if (word < 0) {
        return ai_anthropic_fault(reader, "role", "must be 'user', 'assistant' or 'system'");
    }
    spot = spots[word];
    reader->path = "messages.content";
    return read_content(reader, found[1], &spot, &reader->block);
}

int ai_anthropic_messages(anthropic_reader_t *reader, ai_slice_t messages)
{
    ai_json_member_t member;
    ai_json_walk_t walk;

    if (ai_json_type(messages) != AI_JSON_ARRAY) {
        return ai_anthropic_root_fault(reader, "messages", "must be an array");
    }
    reader->list = "messages";
    ai_json_walk(&walk, messages);
    for (reader->at = 0; ai_json_next(&walk, &member) > 0; reader->at++) {
        if (!read_message(reader, member.value)) {
            return 0;
        }
    }
    return reader->at ? 1 : ai_anthropic_root_fault(reader, "messages",
                                                    "must hold at least one message");
}

int ai_anthropic_system(anthropic_reader_t *reader, ai_slice_t system)
{
    spot_t spot = { AI_ROLE_SYSTEM, IN_SYSTEM, 1 };
    ai_json_member_t member;
    ai_json_walk_t walk;

    if (!system.p || ai_json_type(system) == AI_JSON_STRING) {
        if (system.n > 2) {
            add_part(reader, AI_PART_TEXT, &spot, (ai_slice_t){ NULL, 0 })->text = system;
        }
        return 1;
    }
    if (ai_json_type(system) != AI_JSON_ARRAY) {
        return ai_anthropic_root_fault(reader, "system", "must be a string or an array of blocks");
    }
    reader->list = reader->path = "system";
    reader->block = reader->inner = -1;
    ai_json_walk(&walk, system);
    for (reader->at = 0; ai_json_next(&walk, &member) > 0; reader->at++) {
        if (!read_block(reader, member.value, &spot)) {
            return 0;
        }
    }
    return 1;
}
