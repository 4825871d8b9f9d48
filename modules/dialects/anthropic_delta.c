/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anthropic_delta.c - what does an answer of Anthropic's API say, as it grows or whole?
 *
 * Blocks are told apart by the index that each event carries, never by which came last. What
 * Anthropic's own tools do is no part of the answer that another API's caller can see.
 *
 * Lives in: the answer's pool.  Shared state: none.  May block: no.
 */
#include <apr_strings.h>

#include "anthropic_translator.h"

#define BLOCKS_MAX 10000 /* of one answer; what is beyond is left out */

/* What the reader of a stream knows of a block. */
typedef enum block_e { BLOCK_UNSEEN, BLOCK_TOLD, BLOCK_SILENT, BLOCK_CALL } block_e;

typedef struct block_t {
    block_e kind;
    int call;      /* BLOCK_CALL: which */
    int arguments; /* some were told */
} block_t;

typedef struct reader_t {
    apr_pool_t *p;
    apr_array_header_t *blocks; /* of block_t, by index */
    ai_slice_t id;              /* of the message, between the quotes */
    int calls;
} reader_t;

/* Where deltas go. */
typedef struct teller_t {
    ai_delta_fn *fn;
    void *baton;
} teller_t;

void *ai_anthropic_begin_read(apr_pool_t *p)
{
    reader_t *reader = apr_pcalloc(p, sizeof(*reader));

    reader->p = p;
    reader->blocks = apr_array_make(p, 8, sizeof(block_t));
    return reader;
}

static void tell(const teller_t *to, ai_delta_e kind, int call, ai_slice_t text)
{
    ai_delta_t delta = { 0 };

    delta.kind = kind;
    delta.call = call;
    delta.text = text;
    to->fn(to->baton, &delta);
}

/* Text that is a string and not empty. */
static void tell_text(const teller_t *to, ai_delta_e kind, int call, ai_slice_t text)
{
    if (text.n > 2 && ai_json_type(text) == AI_JSON_STRING) {
        tell(to, kind, call, text);
    }
}

static void tell_object(const teller_t *to, int call, ai_slice_t object)
{
    ai_delta_t delta = { 0 };

    delta.kind = AI_DELTA_ARGUMENTS;
    delta.call = call;
    delta.object = object;
    to->fn(to->baton, &delta);
}

static ai_slice_t string_or_none(ai_slice_t value)
{
    return value.n > 2 && ai_json_type(value) == AI_JSON_STRING ? value : (ai_slice_t){ NULL, 0 };
}

static void tell_begin(reader_t *reader, const teller_t *to, ai_slice_t id, ai_slice_t model)
{
    ai_delta_t delta = { 0 };

    delta.kind = AI_DELTA_BEGIN;
    delta.id = string_or_none(id);
    if (delta.id.p) {
        reader->id.p = apr_pstrmemdup(reader->p, id.p + 1, id.n - 2);
        reader->id.n = id.n - 2;
    }
    delta.name = string_or_none(model);
    to->fn(to->baton, &delta);
}

/* -------------------------------------------------------------------------- blocks */

static const ai_slice_t block_names[] = {
    AI_WORD("type"), AI_WORD("text"), AI_WORD("thinking"), AI_WORD("signature"), AI_WORD("data"),
    AI_WORD("id"), AI_WORD("name"), AI_WORD("input")
};
enum { TYPE, TEXT, THOUGHT, SIGNATURE, DATA, ID, NAME, INPUT, BLOCK_N };

static const ai_slice_t kind_words[] = {
    AI_WORD("text"), AI_WORD("thinking"), AI_WORD("redacted_thinking"), AI_WORD("tool_use")
};
enum { IS_TEXT, IS_THINKING, IS_REDACTED, IS_CALL };

static int is_empty_object(ai_slice_t value)
{
    ai_json_member_t member;
    ai_json_walk_t walk;

    return !ai_json_walk(&walk, value) || !walk.is_object || ai_json_next(&walk, &member) <= 0;
}

/* An id for a call that came without one: no other of the conversation may have it. */
static ai_slice_t made_id(const reader_t *reader, int call)
{
    return ai_slice_of(apr_psprintf(reader->p, "\"toolu_%.*s_%d\"", (int)reader->id.n,
                                    reader->id.p ? reader->id.p : "", call));
}

/* Tells what a block, or its start, says. Sets what it is. */
static void tell_block(reader_t *reader, const teller_t *to, ai_slice_t value, block_t *block)
{
    ai_slice_t found[BLOCK_N];
    ai_delta_t delta = { 0 };

    ai_word_find(value, AI_WORDS(block_names), found);
    block->kind = BLOCK_TOLD;
    switch (ai_word_string(found[TYPE], AI_WORDS(kind_words))) {
    case IS_TEXT:
        tell_text(to, AI_DELTA_TEXT, 0, found[TEXT]);
        return;
    case IS_THINKING:
        tell_text(to, AI_DELTA_THINKING, 0, found[THOUGHT]);
        tell_text(to, AI_DELTA_SIGNATURE, 0, found[SIGNATURE]);
        return;
    case IS_REDACTED:
        tell_text(to, AI_DELTA_REDACTED, 0, found[DATA]);
        return;
    case IS_CALL:
        break;
    default:
        block->kind = BLOCK_SILENT;
        return;
    }
    delta.name = string_or_none(found[NAME]);
    if (!delta.name.p) { /* nobody could call it */
        block->kind = BLOCK_SILENT;
        return;
    }
    block->kind = BLOCK_CALL;
    block->call = delta.call = reader->calls++;
    delta.kind = AI_DELTA_CALL;
    delta.id = string_or_none(found[ID]);
    delta.id = delta.id.p ? delta.id : made_id(reader, block->call);
    to->fn(to->baton, &delta);
    if (!is_empty_object(found[INPUT])) {
        block->arguments = 1;
        tell_object(to, block->call, found[INPUT]);
    }
}

/* A call that came without arguments has none: "{}" where others have a string of JSON. */
static void end_block(const teller_t *to, block_t *block)
{
    if (block->kind == BLOCK_CALL) {
        if (!block->arguments) {
            tell_object(to, block->call, AI_SLICE("{}"));
        }
        tell(to, AI_DELTA_CALLED, block->call, (ai_slice_t){ NULL, 0 });
    }
    block->kind = BLOCK_SILENT; /* what comes behind its end is no part of it */
}

/* -------------------------------------------------------------------------- stream */

static const ai_slice_t delta_names[] = {
    AI_WORD("type"), AI_WORD("text"), AI_WORD("thinking"), AI_WORD("signature"),
    AI_WORD("partial_json")
};
enum { DELTA_TYPE, DELTA_TEXT, DELTA_THOUGHT, DELTA_SIGNATURE, DELTA_JSON, DELTA_N };

static const ai_slice_t delta_words[] = {
    AI_WORD("text_delta"), AI_WORD("thinking_delta"), AI_WORD("signature_delta"),
    AI_WORD("input_json_delta")
};

/* block: NULL where no start told of it; then only what needs none is told. */
static void read_delta(const teller_t *to, ai_slice_t value, block_t *block)
{
    ai_slice_t found[DELTA_N];

    if (block && block->kind == BLOCK_SILENT) {
        return;
    }
    ai_word_find(value, AI_WORDS(delta_names), found);
    switch (ai_word_string(found[DELTA_TYPE], AI_WORDS(delta_words))) {
    case 0:
        tell_text(to, AI_DELTA_TEXT, 0, found[DELTA_TEXT]);
        break;
    case 1:
        tell_text(to, AI_DELTA_THINKING, 0, found[DELTA_THOUGHT]);
        break;
    case 2:
        tell_text(to, AI_DELTA_SIGNATURE, 0, found[DELTA_SIGNATURE]);
        break;
    case 3:
        if (block && block->kind == BLOCK_CALL && string_or_none(found[DELTA_JSON]).p) {
            block->arguments = 1;
            tell(to, AI_DELTA_ARGUMENTS, block->call, found[DELTA_JSON]);
        }
        break;
    default: /* citations, and what may come */
        break;
    }
}

/* The block of an event; NULL when its index is none. make: also one that was not seen. */
static block_t *block_at(reader_t *reader, ai_slice_t index, int make)
{
    apr_int64_t at;

    if (ai_json_int(index, &at) != APR_SUCCESS || at < 0 || at >= BLOCKS_MAX) {
        return NULL;
    }
    while (make && reader->blocks->nelts <= at) {
        memset(apr_array_push(reader->blocks), 0, sizeof(block_t));
    }
    if (at >= reader->blocks->nelts) {
        return NULL;
    }
    return &APR_ARRAY_IDX(reader->blocks, at, block_t);
}

static const ai_slice_t event_names[] = {
    AI_WORD("type"), AI_WORD("index"), AI_WORD("delta"), AI_WORD("content_block"),
    AI_WORD("message")
};
enum { EVENT_TYPE, EVENT_INDEX, EVENT_DELTA, EVENT_BLOCK, EVENT_MESSAGE, EVENT_N };

static const ai_slice_t event_words[] = {
    AI_WORD("content_block_delta"), AI_WORD("content_block_start"), AI_WORD("content_block_stop"),
    AI_WORD("message_start")
};

static void read_start(reader_t *reader, const teller_t *to, ai_slice_t message)
{
    static const ai_slice_t names[] = { AI_WORD("id"), AI_WORD("model") };
    ai_slice_t found[2];

    ai_word_find(message, AI_WORDS(names), found);
    tell_begin(reader, to, found[0], found[1]);
}

int ai_anthropic_read_deltas(void *state, apr_pool_t *event_pool, const ai_sse_event_t *event,
                             ai_delta_fn *fn, void *baton)
{
    reader_t *reader = state;
    teller_t to = { fn, baton };
    ai_slice_t found[EVENT_N];
    ai_json_doc_t doc;
    block_t *block, spare = { 0 };
    int i, place;

    if (ai_json_parse_piece(event_pool, event->data, &doc) != APR_SUCCESS) {
        return 0;
    }
    memset(found, 0, sizeof(found));
    for (i = 0; i < doc.n_members; i++) {
        place = ai_word_key(doc.members[i].key, AI_WORDS(event_names));
        if (place >= 0) {
            found[place] = doc.members[i].value;
        }
    }
    switch (ai_word_string(found[EVENT_TYPE], AI_WORDS(event_words))) {
    case 0:
        block = block_at(reader, found[EVENT_INDEX], 0);
        read_delta(&to, found[EVENT_DELTA], block);
        break;
    case 1:
        block = block_at(reader, found[EVENT_INDEX], 1);
        block = block ? block : &spare;
        end_block(&to, block); /* a second start ends the first */
        *block = (block_t){ BLOCK_UNSEEN, 0, 0 };
        tell_block(reader, &to, found[EVENT_BLOCK], block);
        break;
    case 2:
        block = block_at(reader, found[EVENT_INDEX], 0);
        if (block) {
            end_block(&to, block);
        }
        break;
    case 3:
        read_start(reader, &to, found[EVENT_MESSAGE]);
        break;
    default:
        break;
    }
    return 1;
}

/* --------------------------------------------------------------------------- whole */

static const ai_slice_t answer_names[] = {
    AI_WORD("type"), AI_WORD("id"), AI_WORD("model"), AI_WORD("content"), AI_WORD("stop_reason"),
    AI_WORD("usage")
};
enum { ANSWER_TYPE, ANSWER_ID, ANSWER_MODEL, ANSWER_CONTENT, ANSWER_STOP, ANSWER_USAGE, ANSWER_N };

int ai_anthropic_read_whole(apr_pool_t *p, const ai_json_doc_t *doc, ai_stream_t *stream,
                            ai_delta_fn *fn, void *baton)
{
    reader_t reader = { p, NULL, { NULL, 0 }, 0 };
    teller_t to = { fn, baton };
    ai_slice_t found[ANSWER_N];
    ai_json_member_t member;
    ai_json_walk_t walk;
    block_t block;

    ai_word_find(doc->root, AI_WORDS(answer_names), found);
    if (!ai_json_string_is(found[ANSWER_TYPE], "message")
        || ai_json_type(found[ANSWER_CONTENT]) != AI_JSON_ARRAY) {
        return 0;
    }
    tell_begin(&reader, &to, found[ANSWER_ID], found[ANSWER_MODEL]);
    ai_json_walk(&walk, found[ANSWER_CONTENT]);
    while (ai_json_next(&walk, &member) > 0) {
        block = (block_t){ BLOCK_UNSEEN, 0, 0 };
        tell_block(&reader, &to, member.value, &block);
        end_block(&to, &block);
    }
    ai_anthropic_usage(found[ANSWER_USAGE], &stream->usage);
    stream->finish = ai_anthropic_finish(found[ANSWER_STOP]);
    if (stream->finish == AI_FINISH_NONE) {
        stream->finish = AI_FINISH_STOP;
    }
    return 1;
}
