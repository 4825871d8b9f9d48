/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_translator.h - what the files share that tell OpenAI's chats to and from other dialects.
 *
 * Private to dialect_openai.c and openai_*.c.
 *
 *   openai_talk.c      reads a request: settings
 *   openai_tool.c      reads a request: tools
 *   openai_message.c   reads a request: its messages
 *   openai_part.c      reads a request: the content of a message
 *   openai_request.c   writes a request: settings, tools
 *   openai_turn.c      writes a request: its messages
 *   openai_delta.c     writes an answer
 *   openai_answer.c    reads an answer
 *   openai_usage.c     usage and finish, the way in and out; limits
 */
#ifndef OPENAI_TRANSLATOR_H
#define OPENAI_TRANSLATOR_H

#include "dialect.h"
#include "ai_word.h"

extern const ai_translator_t ai_openai_translator;

/* ------------------------------------------------------------------ reading a request */

/* A request that is being read. Functions that take it return 1, or 0 and error is set. */
typedef struct openai_read_t {
    apr_pool_t *p;
    ai_talk_t *talk;
    const ai_error_t *error; /* the first fault, or NULL */
    int message;             /* the places of what is being read, for faults */
    int item;
    int functions;           /* how many calls of the old kind there were: each gets an id */
} openai_read_t;

/* Notes a fault: "The field 'PATH' WHAT.". Returns 0. */
int openai_fault(openai_read_t *r, const char *path, const char *what);
/* The same for what is well-formed but cannot be told to another dialect: WHY is a sentence. */
int openai_unsupported(openai_read_t *r, const char *path, const char *why);

/*
 * Finds the members of an object by words[0..n); null is as good as absent. What is none of them
 * is lost below place.
 */
void openai_members(openai_read_t *r, ai_slice_t object, const char *place,
                    const ai_slice_t *words, int n, ai_slice_t *found);

/* 1 when a value says nothing: absent, null, [] or {}. */
int openai_is_void(ai_slice_t value);

static inline int openai_is_text(ai_slice_t value)
{
    return ai_json_type(value) == AI_JSON_STRING;
}

/* 1 for a string that is not empty. */
static inline int openai_is_long_text(ai_slice_t value)
{
    return openai_is_text(value) && value.n > 2;
}

/* The kinds of parts, as bits of what a message of a role may hold. */
enum {
    OPENAI_TEXT, OPENAI_REFUSAL, OPENAI_IMAGE_URL, OPENAI_INPUT_AUDIO, OPENAI_FILE,
    OPENAI_PART_TYPES
};

#define OPENAI_BIT(n) (1u << (n))
#define OPENAI_FROM_SYSTEM OPENAI_BIT(OPENAI_TEXT)
#define OPENAI_FROM_USER                                                                         \
    (OPENAI_BIT(OPENAI_TEXT) | OPENAI_BIT(OPENAI_IMAGE_URL) | OPENAI_BIT(OPENAI_INPUT_AUDIO)     \
     | OPENAI_BIT(OPENAI_FILE))
#define OPENAI_FROM_ASSISTANT (OPENAI_BIT(OPENAI_TEXT) | OPENAI_BIT(OPENAI_REFUSAL))
#define OPENAI_FROM_TOOL                                                                         \
    (OPENAI_BIT(OPENAI_TEXT) | OPENAI_BIT(OPENAI_IMAGE_URL) | OPENAI_BIT(OPENAI_FILE))

/* openai_part.c */

/* "messages[I].ARRAY[J].MEMBER" of r->message and r->item; and faults of it, of
 * "messages[I].MEMBER". An empty member means the thing itself. */
const char *openai_item_path(const openai_read_t *r, const char *array, const char *member);
int openai_bad_item(openai_read_t *r, const char *array, const char *member, const char *what);
int openai_bad_message(openai_read_t *r, const char *member, const char *what);

/* Adds a part; NULL is a fault. _text: of a kind that has a text, none where that is empty. */
ai_part_t *openai_add_part(openai_read_t *r, ai_part_e kind, ai_role_e role);
int openai_add_text(openai_read_t *r, ai_part_e kind, ai_role_e role, ai_slice_t text);

/* Reads content, a string or parts of the allowed kinds. */
int openai_read_content(openai_read_t *r, ai_slice_t content, ai_role_e role, unsigned allowed);

/* Hangs cache_control on the part at last, if there is one from first on. */
int openai_read_cache(openai_read_t *r, ai_slice_t value, int first, int last);

/* openai_message.c: reads "messages" into talk->parts. */
int openai_read_messages(openai_read_t *r, ai_slice_t messages);

/* The members that say which tools there are and which to use; absent where they are not there. */
typedef struct openai_tools_t {
    ai_slice_t tools;
    ai_slice_t choice;
    ai_slice_t functions;
    ai_slice_t function_call;
    ai_slice_t parallel;
} openai_tools_t;

/* openai_tool.c: reads them into talk->tools, choice, parallel. */
int openai_read_tools(openai_read_t *r, const openai_tools_t *tools);

/* openai_talk.c, openai_request.c, openai_delta.c, openai_answer.c, openai_usage.c: as
 * ai_translator_t has them. */
const ai_error_t *openai_read_talk(apr_pool_t *p, const ai_json_doc_t *doc, ai_talk_t *talk);
const ai_error_t *openai_write_talk(apr_pool_t *p, const ai_talk_t *talk, const char *model,
                                    const ai_ability_t *ability, int ask_usage, ai_sent_t *sent,
                                    ai_write_t *out);
void *openai_begin_stream(apr_pool_t *p, const ai_answer_t *answer);
void openai_write_delta(void *writer, const ai_delta_t *delta, ai_write_t *out);
void openai_write_end(void *writer, const ai_stream_t *stream, ai_write_t *out);
void openai_write_answer(apr_pool_t *p, const ai_answer_t *answer, const ai_delta_t *deltas, int n,
                         const ai_stream_t *stream, ai_write_t *out);
void *openai_begin_read(apr_pool_t *p);
int openai_read_deltas(void *reader, apr_pool_t *event_pool, const ai_sse_event_t *event,
                       ai_delta_fn *fn, void *baton);
int openai_read_whole(apr_pool_t *p, const ai_json_doc_t *doc, ai_stream_t *stream,
                      ai_delta_fn *fn, void *baton);
void openai_read_limits(const apr_table_t *headers, apr_time_t now, ai_limits_t *limits);
void openai_write_limits(apr_table_t *headers, apr_pool_t *p, const ai_limits_t *limits,
                         apr_time_t now);

/* ------------------------------------------------------------------ writing a request */

/* A request that is being written. */
typedef struct openai_request_t {
    apr_pool_t *p;
    const ai_talk_t *talk;
    const ai_ability_t *ability;
    ai_sent_t *sent;
    ai_write_t *out;
    const ai_error_t *error; /* what cannot be asked, or NULL */
    int n_messages;          /* so far */
} openai_request_t;

/* openai_turn.c: writes the member "messages", with the comma before it. */
void openai_write_messages(openai_request_t *q);
/* A tool's name as it is sent. */
ai_slice_t openai_tool_name(openai_request_t *q, ai_slice_t name);

/* -------------------------------------------------------------------------- answers */

/* openai_usage.c: reads a usage object; what it does not say stays. Returns 1 when it says how
 * long the prompt or the answer was. */
int openai_read_usage(ai_slice_t object, ai_usage_t *usage);
/* Reads a finish_reason; AI_FINISH_NONE when it says nothing. */
ai_finish_e openai_read_finish(ai_slice_t reason);
/* Writes a usage object; returns 0 and writes nothing when nothing is known. */
int openai_write_usage(const ai_usage_t *usage, ai_write_t *out);
/* The word for an ending. called: a tool was called. */
const char *openai_finish_word(ai_finish_e finish, int called);

/* So many answers to one request are told apart. */
#define OPENAI_CHOICES 128

#endif
