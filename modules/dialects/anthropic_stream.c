/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anthropic_stream.c - writes an answer as the events of Anthropic's API.
 *
 * A stream is blocks one after another: of text and thinking one at most is open, calls may be
 * open side by side, and each event says by its index which block it means. Blocks are numbered in
 * the order they begin, since clients append them so.
 *
 * Lives in: the answer's pool.  Shared state: none.  May block: no.
 */
#include "anthropic_translator.h"

#define NO_BLOCK (-1)
#define ENDED (-2)

/* A writer of one stream. */
typedef struct writer_t {
    apr_pool_t *p;
    const ai_answer_t *answer;
    int begun;
    int refused;               /* the model refused in words */
    int next;                  /* the next block's index */
    int open;                  /* of the open block of text or thinking, or NO_BLOCK */
    ai_delta_e open_kind;      /* AI_DELTA_TEXT or AI_DELTA_THINKING */
    int is_signed;             /* the open block is thinking that has its signature */
    apr_array_header_t *calls; /* of int: the block of each call, NO_BLOCK or ENDED */
} writer_t;

/* -------------------------------------------------------------------------- events */

void *ai_anthropic_begin_stream(apr_pool_t *p, const ai_answer_t *answer)
{
    writer_t *writer = apr_pcalloc(p, sizeof(*writer));

    writer->p = p;
    writer->answer = answer;
    writer->open = NO_BLOCK;
    writer->calls = apr_array_make(p, 4, sizeof(int));
    return writer;
}

static void begin(writer_t *writer, ai_slice_t id, ai_slice_t model, ai_write_t *out)
{
    if (writer->begun) {
        return;
    }
    writer->begun = 1;
    ai_write_literal(out, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":");
    ai_anthropic_head(writer->p, out, writer->answer, id, model);
    /* Clients show how full the window is from here; message_delta tells the true number. */
    ai_write_literal(out, "],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":"
                          "{\"input_tokens\":");
    ai_write_number(out, writer->answer->prompt);
    ai_write_literal(out, ",\"output_tokens\":0}}}\n\n");
}

static void write_block_stop(ai_write_t *out, int block)
{
    ai_write_literal(out, "event: content_block_stop\n"
                          "data: {\"type\":\"content_block_stop\",\"index\":");
    ai_write_number(out, block);
    ai_write_literal(out, "}\n\n");
}

static void write_block_start(ai_write_t *out, int block)
{
    ai_write_literal(out, "event: content_block_start\n"
                          "data: {\"type\":\"content_block_start\",\"index\":");
    ai_write_number(out, block);
    ai_write_literal(out, ",\"content_block\":");
}

/* Ends the open block of text or thinking. */
static void close_open(writer_t *writer, ai_write_t *out)
{
    if (writer->open != NO_BLOCK) {
        write_block_stop(out, writer->open);
        writer->open = NO_BLOCK;
    }
}

static void open_block(writer_t *writer, ai_delta_e kind, ai_write_t *out)
{
    if (writer->open != NO_BLOCK && writer->open_kind == kind) {
        return;
    }
    close_open(writer, out);
    writer->open = writer->next++;
    writer->open_kind = kind;
    writer->is_signed = 0;
    write_block_start(out, writer->open);
    ai_write_copy(out, kind == AI_DELTA_TEXT
                           ? AI_SLICE("{\"type\":\"text\",\"text\":\"\"}}\n\n")
                           : AI_SLICE("{\"type\":\"thinking\",\"thinking\":\"\","
                                      "\"signature\":\"\"}}\n\n"));
}

static void write_piece(ai_write_t *out, int block, ai_slice_t head, ai_slice_t text)
{
    ai_write_literal(out, "event: content_block_delta\n"
                          "data: {\"type\":\"content_block_delta\",\"index\":");
    ai_write_number(out, block);
    ai_write_copy(out, head);
    ai_write_bytes(out, text);
    ai_write_literal(out, "}}\n\n");
}

#define TEXT_HEAD AI_SLICE(",\"delta\":{\"type\":\"text_delta\",\"text\":")
#define THINKING_HEAD AI_SLICE(",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":")
#define SIGNATURE_HEAD AI_SLICE(",\"delta\":{\"type\":\"signature_delta\",\"signature\":")
#define JSON_HEAD AI_SLICE(",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":")

static void write_thinking(writer_t *writer, const ai_delta_t *delta, ai_write_t *out)
{
    if (writer->open_kind == AI_DELTA_THINKING && writer->is_signed) {
        close_open(writer, out); /* what is signed is over */
    }
    open_block(writer, AI_DELTA_THINKING, out);
    write_piece(out, writer->open,
                delta->kind == AI_DELTA_SIGNATURE ? SIGNATURE_HEAD : THINKING_HEAD, delta->text);
    writer->is_signed = delta->kind == AI_DELTA_SIGNATURE;
}

static void write_redacted(writer_t *writer, const ai_delta_t *delta, ai_write_t *out)
{
    close_open(writer, out);
    write_block_start(out, writer->next);
    ai_write_literal(out, "{\"type\":\"redacted_thinking\",\"data\":");
    ai_write_bytes(out, delta->text);
    ai_write_literal(out, "}}\n\n");
    write_block_stop(out, writer->next++);
}

/* Where the block of a call is kept, or NULL for one that is out of bounds. */
static int *call_of(writer_t *writer, int call)
{
    if (call < 0 || call >= AI_ANTHROPIC_CALLS) {
        return NULL;
    }
    while (writer->calls->nelts <= call) {
        APR_ARRAY_PUSH(writer->calls, int) = NO_BLOCK;
    }
    return &APR_ARRAY_IDX(writer->calls, call, int);
}

static void write_call(writer_t *writer, const ai_delta_t *delta, ai_write_t *out)
{
    int *block = call_of(writer, delta->call);

    if (!block || *block != NO_BLOCK) {
        return;
    }
    close_open(writer, out);
    *block = writer->next++;
    write_block_start(out, *block);
    ai_write_literal(out, "{\"type\":\"tool_use\",\"id\":");
    ai_write_bytes(out, delta->id);
    ai_write_literal(out, ",\"name\":");
    ai_write_bytes(out, ai_anthropic_string(writer->p, delta->name, ""));
    ai_write_literal(out, ",\"input\":{}}}\n\n");
}

/* A piece, or all of the arguments, or their end; nothing of a call that is not open. */
static void write_arguments(writer_t *writer, const ai_delta_t *delta, ai_write_t *out)
{
    int *block = call_of(writer, delta->call);

    if (!block || *block < 0) {
        return;
    }
    if (delta->kind == AI_DELTA_CALLED) {
        write_block_stop(out, *block);
        *block = ENDED;
    }
    else if (delta->object.p) {
        write_piece(out, *block, JSON_HEAD, ai_json_quote(out->pool, delta->object));
    }
    else if (delta->text.n > 2) {
        write_piece(out, *block, JSON_HEAD, delta->text);
    }
}

void ai_anthropic_write_delta(void *state, const ai_delta_t *delta, ai_write_t *out)
{
    static const ai_slice_t unsaid = { NULL, 0 };
    writer_t *writer = state;

    if (delta->choice != 0) {
        return;
    }
    if (delta->kind == AI_DELTA_BEGIN) {
        begin(writer, delta->id, delta->name, out);
        return;
    }
    begin(writer, unsaid, unsaid, out);
    switch (delta->kind) {
    case AI_DELTA_TEXT:
    case AI_DELTA_REFUSAL:
        writer->refused |= delta->kind == AI_DELTA_REFUSAL;
        if (delta->text.n > 2) {
            open_block(writer, AI_DELTA_TEXT, out);
            write_piece(out, writer->open, TEXT_HEAD, delta->text);
        }
        break;
    case AI_DELTA_THINKING:
    case AI_DELTA_SIGNATURE:
        if (delta->text.n > 2) {
            write_thinking(writer, delta, out);
        }
        break;
    case AI_DELTA_REDACTED:
        write_redacted(writer, delta, out);
        break;
    case AI_DELTA_CALL:
        write_call(writer, delta, out);
        break;
    default:
        write_arguments(writer, delta, out);
        break;
    }
}

/* Ends what is open, in the order of the blocks: one of text or thinking may lie between calls. */
static void close_all(writer_t *writer, ai_write_t *out)
{
    int i;

    for (i = 0; i < writer->calls->nelts; i++) {
        int *block = &APR_ARRAY_IDX(writer->calls, i, int);

        if (*block < 0) {
            continue;
        }
        if (writer->open != NO_BLOCK && writer->open < *block) {
            close_open(writer, out);
        }
        write_block_stop(out, *block);
        *block = ENDED;
    }
    close_open(writer, out);
}

void ai_anthropic_write_end(void *state, const ai_stream_t *stream, ai_write_t *out)
{
    static const ai_slice_t unsaid = { NULL, 0 };
    writer_t *writer = state;

    begin(writer, unsaid, unsaid, out);
    if (!writer->next) {
        open_block(writer, AI_DELTA_TEXT, out);
    }
    close_all(writer, out);
    ai_write_literal(out, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{");
    ai_anthropic_write_stop(out,
                            ai_anthropic_reason(stream, writer->calls->nelts, writer->refused));
    ai_write_literal(out, "},\"usage\":");
    ai_anthropic_write_usage(out, &stream->usage);
    ai_write_literal(out, "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}
