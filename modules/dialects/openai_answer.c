/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_answer.c - reads an answer of OpenAI's API, or of one of the many that are nearly alike:
 * tool calls without index or id, or all with index 0, arguments that are no string, thinking
 * under several names, content in parts.
 *
 * Lives in: the answer's pool.  Shared state: none.  May block: no.
 */

#include <apr_sha1.h>
#include <apr_strings.h>

#include "openai_translator.h"

#define ID_MAX 65536             /* of a call's id: some gateways hide whole signatures there */
#define SEED_MAX 256             /* of the answer's id */
#define HELD_MAX (1024 * 1024)   /* of arguments that came before their function's name */
#define CALLS_MAX 4096           /* in one answer */
#define NO_INDEX (-1)            /* the provider gave none */
#define OLD_INDEX (-2)           /* "function_call", which needs none */

/* A tool call that has begun. */
typedef struct call_t {
    apr_int64_t index; /* as the provider counts */
    ai_slice_t id;     /* in the answer's pool, or absent */
    int number;        /* as we count, once told; else -1 */
    int told_arguments;
    apr_array_header_t *held; /* of ai_slice_t: arguments from before it could be told */
    apr_size_t n_held;
} call_t;

typedef struct choice_t {
    apr_array_header_t *calls; /* of call_t */
    int n_told;
} choice_t;

typedef struct reader_t {
    apr_pool_t *pool;
    int begun;
    int whole;           /* not in chunks: each call stands alone */
    const char *seed;    /* what ids are made from that the provider left out */
    choice_t *choices[OPENAI_CHOICES];
    /* Of the event in hand. */
    ai_delta_fn *fn;
    void *baton;
    apr_pool_t *event_pool;
    int choice;
} reader_t;

void *openai_begin_read(apr_pool_t *p)
{
    reader_t *reader = apr_pcalloc(p, sizeof(*reader));

    reader->pool = p;
    reader->seed = "";
    return reader;
}

static void tell_text(reader_t *reader, ai_delta_e kind, ai_slice_t text)
{
    ai_delta_t delta = { .kind = kind, .choice = reader->choice, .text = text };

    if (openai_is_long_text(text)) {
        reader->fn(reader->baton, &delta);
    }
}

/* ---------------------------------------------------------------------------- content */

/* Thinking inside of content, as Mistral has it: a string, or parts of text. */
static void read_thought(reader_t *reader, ai_slice_t value)
{
    ai_json_walk_t walk;
    ai_json_member_t part;

    tell_text(reader, AI_DELTA_THINKING, value);
    if (ai_json_type(value) != AI_JSON_ARRAY) {
        return;
    }
    ai_json_walk(&walk, value);
    while (ai_json_next(&walk, &part) > 0) {
        tell_text(reader, AI_DELTA_THINKING, ai_json_get(part.value, "text"));
    }
}

static void read_part(reader_t *reader, ai_slice_t value)
{
    enum { TYPE, TEXT, THINKING, REFUSAL, WORDS };
    static const ai_slice_t words[WORDS] = { AI_WORD("type"), AI_WORD("text"),
                                             AI_WORD("thinking"), AI_WORD("refusal") };
    ai_slice_t found[WORDS];

    ai_word_find(value, words, WORDS, found);
    switch (ai_word_string(found[TYPE], words, WORDS)) {
    case TEXT:
        tell_text(reader, AI_DELTA_TEXT, found[TEXT]);
        break;
    case THINKING:
        read_thought(reader, found[THINKING]);
        break;
    case REFUSAL:
        tell_text(reader, AI_DELTA_REFUSAL, found[REFUSAL]);
        break;
    default:
        break; /* references and the like: nobody else has them */
    }
}

static void read_content(reader_t *reader, ai_slice_t content)
{
    ai_json_walk_t walk;
    ai_json_member_t part;

    if (ai_json_type(content) != AI_JSON_ARRAY) {
        tell_text(reader, AI_DELTA_TEXT, content);
        return;
    }
    ai_json_walk(&walk, content);
    while (ai_json_next(&walk, &part) > 0) {
        read_part(reader, part.value);
    }
}

/* Blocks that have to come back unchanged, from a gateway that writes them as we do. In chunks
 * their text was told as reasoning before. */
static void read_blocks(reader_t *reader, ai_slice_t blocks)
{
    enum { TYPE, THINKING, SIGNATURE, DATA, WORDS };
    static const ai_slice_t words[WORDS] = { AI_WORD("type"), AI_WORD("thinking"),
                                             AI_WORD("signature"), AI_WORD("data") };
    ai_slice_t found[WORDS];
    ai_json_walk_t walk;
    ai_json_member_t block;

    if (ai_json_type(blocks) != AI_JSON_ARRAY) {
        return;
    }
    ai_json_walk(&walk, blocks);
    while (ai_json_next(&walk, &block) > 0) {
        ai_word_find(block.value, words, WORDS, found);
        if (ai_json_string_is(found[TYPE], "redacted_thinking")) {
            tell_text(reader, AI_DELTA_REDACTED, found[DATA]);
            continue;
        }
        if (reader->whole) {
            tell_text(reader, AI_DELTA_THINKING, found[THINKING]);
        }
        tell_text(reader, AI_DELTA_SIGNATURE, found[SIGNATURE]);
    }
}

/* ------------------------------------------------------------------------- tool calls */

static choice_t *choice_of(reader_t *reader)
{
    choice_t **choice = &reader->choices[reader->choice];

    if (!*choice) {
        *choice = apr_pcalloc(reader->pool, sizeof(**choice));
        (*choice)->calls = apr_array_make(reader->pool, 4, sizeof(call_t));
    }
    return *choice;
}

static int same(ai_slice_t a, ai_slice_t b)
{
    return a.n == b.n && a.n && memcmp(a.p, b.p, a.n) == 0;
}

/* An id that says something; old Mistral models have sent "null". */
static ai_slice_t real_id(ai_slice_t id)
{
    if (!openai_is_long_text(id) || id.n > ID_MAX || ai_slice_is(id, "\"null\"")) {
        return (ai_slice_t){ NULL, 0 };
    }
    return id;
}

/*
 * The call that a piece belongs to, or NULL when it begins a new one. The provider's index tells,
 * but not alone: some give 0 to all calls, and with it a new id and a name.
 */
static call_t *call_of(const reader_t *reader, choice_t *choice, apr_int64_t index, ai_slice_t id,
                       int named)
{
    int i;

    for (i = choice->calls->nelts - 1; i >= 0 && !reader->whole; i--) {
        call_t *call = &APR_ARRAY_IDX(choice->calls, i, call_t);
        int other = id.p && call->id.p && !same(id, call->id);

        if (index != NO_INDEX) {
            if (call->index == index) {
                return other && named ? NULL : call;
            }
        }
        else if (same(id, call->id)) {
            return call;
        }
        else if (i == choice->calls->nelts - 1 && !id.p && (!named || call->number < 0)) {
            return call; /* goes on with the last one */
        }
    }
    return NULL;
}

static call_t *begin_call(choice_t *choice, apr_int64_t index)
{
    call_t *call;

    if (choice->calls->nelts >= CALLS_MAX) {
        return NULL;
    }
    call = apr_array_push(choice->calls);
    memset(call, 0, sizeof(*call));
    call->index = index;
    call->number = -1;
    return call;
}

/* An id for a call that has none: the same for the same place in the same answer, else another. */
static ai_slice_t made_id(const reader_t *reader, int number)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    char *text = apr_pstrdup(reader->event_pool, "\"call_000000000000000000000000\"");
    const char *from = apr_psprintf(reader->event_pool, "%s %d %d", reader->seed, reader->choice,
                                    number);
    apr_sha1_ctx_t sha;
    int i;

    apr_sha1_init(&sha);
    apr_sha1_update(&sha, from, (unsigned)strlen(from));
    apr_sha1_final(digest, &sha);
    for (i = 0; i < 12; i++) {
        text[6 + 2 * i] = hex[digest[i] >> 4];
        text[7 + 2 * i] = hex[digest[i] & 15];
    }
    return ai_slice_of(text);
}

static void tell_piece(reader_t *reader, const call_t *call, ai_slice_t text)
{
    ai_delta_t delta = { .kind = AI_DELTA_ARGUMENTS, .choice = reader->choice,
                         .call = call->number, .text = text };

    reader->fn(reader->baton, &delta);
}

/* Tells that the call begins, and what had to wait for that. */
static void tell_call(reader_t *reader, choice_t *choice, call_t *call, ai_slice_t name)
{
    ai_delta_t delta = { .kind = AI_DELTA_CALL, .choice = reader->choice, .name = name };
    int i;

    call->number = delta.call = choice->n_told++;
    delta.id = call->id.p ? call->id : made_id(reader, call->number);
    reader->fn(reader->baton, &delta);
    for (i = 0; call->held && i < call->held->nelts; i++) {
        tell_piece(reader, call, APR_ARRAY_IDX(call->held, i, ai_slice_t));
    }
    call->held = NULL;
}

static void hold(reader_t *reader, call_t *call, ai_slice_t text)
{
    if (call->n_held + text.n > HELD_MAX) {
        return;
    }
    if (!call->held) {
        call->held = apr_array_make(reader->pool, 2, sizeof(ai_slice_t));
    }
    APR_ARRAY_PUSH(call->held, ai_slice_t) =
        (ai_slice_t){ apr_pmemdup(reader->pool, text.p, text.n), text.n };
    call->n_held += text.n + sizeof(ai_slice_t);
}

static void read_arguments(reader_t *reader, call_t *call, ai_slice_t arguments)
{
    ai_delta_t delta = { .kind = AI_DELTA_ARGUMENTS, .choice = reader->choice,
                         .call = call->number, .object = arguments };

    if (ai_json_type(arguments) == AI_JSON_OBJECT) {
        if (call->told_arguments) {
            return; /* the same again */
        }
        if (call->number < 0) {
            hold(reader, call, ai_json_quote(reader->event_pool, arguments));
        }
        else {
            reader->fn(reader->baton, &delta);
        }
    }
    else if (!openai_is_long_text(arguments)) {
        return;
    }
    else if (call->number < 0) {
        hold(reader, call, arguments);
    }
    else {
        tell_piece(reader, call, arguments);
    }
    call->told_arguments = 1;
}

static void read_function(reader_t *reader, apr_int64_t index, ai_slice_t id, ai_slice_t function)
{
    enum { NAME, ARGUMENTS, WORDS };
    static const ai_slice_t words[WORDS] = { AI_WORD("name"), AI_WORD("arguments") };
    choice_t *choice = choice_of(reader);
    ai_slice_t found[WORDS];
    call_t *call;
    int named;

    id = real_id(id);
    ai_word_find(function, words, WORDS, found);
    named = openai_is_long_text(found[NAME]);
    call = call_of(reader, choice, index, id, named);
    if (!call) {
        call = begin_call(choice, index);
    }
    if (!call) {
        return;
    }
    if (id.p && !call->id.p && call->number < 0) {
        call->id = (ai_slice_t){ apr_pmemdup(reader->pool, id.p, id.n), id.n };
    }
    if (named && call->number < 0) {
        tell_call(reader, choice, call, found[NAME]);
    }
    read_arguments(reader, call, found[ARGUMENTS]);
}

static void read_calls(reader_t *reader, ai_slice_t calls)
{
    enum { INDEX, ID, FUNCTION, WORDS };
    static const ai_slice_t words[WORDS] = { AI_WORD("index"), AI_WORD("id"),
                                             AI_WORD("function") };
    ai_slice_t found[WORDS];
    ai_json_walk_t walk;
    ai_json_member_t call;
    apr_int64_t index;

    if (ai_json_type(calls) != AI_JSON_ARRAY) {
        return;
    }
    ai_json_walk(&walk, calls);
    while (ai_json_next(&walk, &call) > 0) {
        ai_word_find(call.value, words, WORDS, found);
        if (ai_json_int(found[INDEX], &index) != APR_SUCCESS || index < 0) {
            index = NO_INDEX;
        }
        if (ai_json_type(found[FUNCTION]) == AI_JSON_OBJECT) {
            read_function(reader, index, found[ID], found[FUNCTION]);
        }
    }
}

/* ---------------------------------------------------------------------------- choices */

/* Reads the delta of a chunk, or the message of a whole answer. */
static void read_message(reader_t *reader, ai_slice_t message)
{
    enum { CONTENT, REASONING_CONTENT, REASONING, BLOCKS, REFUSAL, CALLS, FUNCTION_CALL, WORDS };
    static const ai_slice_t words[WORDS] = {
        AI_WORD("content"), AI_WORD("reasoning_content"), AI_WORD("reasoning"),
        AI_WORD("thinking_blocks"), AI_WORD("refusal"), AI_WORD("tool_calls"),
        AI_WORD("function_call"),
    };
    ai_slice_t found[WORDS], thought;
    static const ai_slice_t none = { NULL, 0 };

    ai_word_find(message, words, WORDS, found);
    /* Some servers send both names of the one thing. */
    thought = openai_is_long_text(found[REASONING_CONTENT]) ? found[REASONING_CONTENT]
                                                            : found[REASONING];
    if (!reader->whole || openai_is_void(found[BLOCKS])) {
        tell_text(reader, AI_DELTA_THINKING, thought);
    }
    read_blocks(reader, found[BLOCKS]);
    read_content(reader, found[CONTENT]);
    tell_text(reader, AI_DELTA_REFUSAL, found[REFUSAL]);
    read_calls(reader, found[CALLS]);
    if (ai_json_type(found[FUNCTION_CALL]) == AI_JSON_OBJECT) {
        read_function(reader, OLD_INDEX, none, found[FUNCTION_CALL]);
    }
}

/* Reads each of choices; finish: the last reason told, or NULL. */
static void read_choices(reader_t *reader, ai_slice_t choices, ai_finish_e *finish)
{
    enum { INDEX, DELTA, MESSAGE, FINISH, WORDS };
    static const ai_slice_t words[WORDS] = { AI_WORD("index"), AI_WORD("delta"),
                                             AI_WORD("message"), AI_WORD("finish_reason") };
    ai_slice_t found[WORDS];
    ai_json_walk_t walk;
    ai_json_member_t choice;
    apr_int64_t place = 0, index;
    ai_finish_e reason;

    if (ai_json_type(choices) != AI_JSON_ARRAY) {
        return;
    }
    ai_json_walk(&walk, choices);
    for (; ai_json_next(&walk, &choice) > 0; place++) {
        ai_word_find(choice.value, words, WORDS, found);
        if (ai_json_int(found[INDEX], &index) != APR_SUCCESS) {
            index = place;
        }
        reason = openai_read_finish(found[FINISH]);
        if (finish && reason != AI_FINISH_NONE) {
            *finish = reason;
        }
        if (index >= 0 && index < OPENAI_CHOICES) {
            reader->choice = (int)index;
            read_message(reader, found[reader->whole ? MESSAGE : DELTA]);
        }
    }
}

enum { ID, MODEL, CREATED, CHOICES, USAGE, SERVICE, ROOT_WORDS };

static const ai_slice_t root_words[ROOT_WORDS] = {
    [ID] = AI_WORD("id"),
    [MODEL] = AI_WORD("model"),
    [CREATED] = AI_WORD("created"),
    [CHOICES] = AI_WORD("choices"),
    [USAGE] = AI_WORD("usage"),
    [SERVICE] = AI_WORD("service_tier"),
};

static void find_root(const ai_json_doc_t *doc, ai_slice_t *found)
{
    int i, word;

    memset(found, 0, ROOT_WORDS * sizeof(*found));
    for (i = 0; i < doc->n_members; i++) {
        word = ai_word_key(doc->members[i].key, root_words, ROOT_WORDS);
        if (word >= 0 && ai_json_type(doc->members[i].value) != AI_JSON_NULL) {
            found[word] = doc->members[i].value;
        }
    }
}

/* Tells who answers. A first chunk without id and choices (Azure's) does not know yet. */
static void tell_begin(reader_t *reader, const ai_slice_t *found)
{
    ai_delta_t delta = { .kind = AI_DELTA_BEGIN };
    apr_int64_t created;

    if (reader->begun || (!openai_is_long_text(found[ID]) && openai_is_void(found[CHOICES]))) {
        return;
    }
    reader->begun = 1;
    if (openai_is_long_text(found[ID])) {
        delta.id = found[ID];
        reader->seed = apr_pstrmemdup(reader->pool, delta.id.p,
                                      delta.id.n < SEED_MAX ? delta.id.n : SEED_MAX);
    }
    if (openai_is_long_text(found[MODEL])) {
        delta.name = found[MODEL];
    }
    if (ai_json_int(found[CREATED], &created) == APR_SUCCESS && created > 0) {
        delta.created_s = created;
    }
    reader->fn(reader->baton, &delta);
}

int openai_read_deltas(void *baton, apr_pool_t *event_pool, const ai_sse_event_t *event,
                       ai_delta_fn *fn, void *fn_baton)
{
    reader_t *reader = baton;
    ai_slice_t found[ROOT_WORDS];
    ai_json_doc_t doc;

    if (ai_json_parse_piece(event_pool, event->data, &doc) != APR_SUCCESS
        || ai_json_type(doc.root) != AI_JSON_OBJECT) {
        return 0;
    }
    reader->fn = fn;
    reader->baton = fn_baton;
    reader->event_pool = event_pool;
    find_root(&doc, found);
    tell_begin(reader, found);
    read_choices(reader, found[CHOICES], NULL);
    return 1;
}

int openai_read_whole(apr_pool_t *p, const ai_json_doc_t *doc, ai_stream_t *stream,
                      ai_delta_fn *fn, void *baton)
{
    reader_t *reader = openai_begin_read(p);
    ai_slice_t found[ROOT_WORDS];

    find_root(doc, found);
    if (ai_json_type(found[CHOICES]) != AI_JSON_ARRAY) {
        return 0;
    }
    reader->whole = 1;
    reader->fn = fn;
    reader->baton = baton;
    reader->event_pool = p;
    stream->finish = AI_FINISH_STOP;
    tell_begin(reader, found);
    read_choices(reader, found[CHOICES], &stream->finish);
    openai_read_usage(found[USAGE], &stream->usage);
    ai_service_keep(&stream->usage.service, found[SERVICE]);
    return 1;
}
