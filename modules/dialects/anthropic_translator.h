/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anthropic_translator.h - Anthropic's half of translation, between its files.
 *
 * anthropic_talk.c reads requests and anthropic_block.c the content in them; anthropic_request.c
 * writes them and anthropic_setting.c what is not content. anthropic_delta.c reads answers,
 * anthropic_answer.c writes them whole and anthropic_stream.c as events; anthropic_translator.c has
 * the table and the headers. What each does for the gateway is said in dialect.h.
 */
#ifndef ANTHROPIC_TRANSLATOR_H
#define ANTHROPIC_TRANSLATOR_H

#include "ai_word.h"
#include "dialect.h"

extern const ai_translator_t ai_anthropic_translator;

/* ------------------------------------------------------------------- requests, read */

/* Where a reader is in a request, for errors ("messages[3].content[0].type") and for what is lost
 * ("messages.content.citations"). */
typedef struct anthropic_reader_t {
    apr_pool_t *p;
    ai_talk_t *talk;
    const char *list;  /* "messages", "system" or "tools" */
    const char *path;  /* list and what is below it, without indexes */
    int at;            /* of list */
    int block;         /* of its content, or -1 where the content is a string */
    int inner;         /* of the content of that block, or -1 */
    const ai_error_t *error; /* the first one; set once */
} anthropic_reader_t;

/* A list of words, as ai_word.h takes it. */
#define AI_WORDS(list) (list), (int)(sizeof(list) / sizeof((list)[0]))

/*
 * Notes what an object's members hold, in one walk: found[i] is that of names[i], absent where it
 * is not there or null. Others are lost as path.key.
 */
void ai_anthropic_find(anthropic_reader_t *reader, const char *path, ai_slice_t object,
                       const ai_slice_t *names, int n, ai_slice_t *found);

/* Sets the error, a 400: member is below the place where the reader is, or NULL for the place
 * itself; must: "must be a string". Returns 0. */
int ai_anthropic_fault(anthropic_reader_t *reader, const char *member, const char *must);
/* The same for a member of the request. */
int ai_anthropic_root_fault(anthropic_reader_t *reader, const char *member, const char *must);

/* Names a lost member of the place. */
void ai_anthropic_lose(anthropic_reader_t *reader, const char *member);

/* Reads "messages", "system": 1, or 0 with the error set. */
int ai_anthropic_messages(anthropic_reader_t *reader, ai_slice_t messages);
int ai_anthropic_system(anthropic_reader_t *reader, ai_slice_t system);

const ai_error_t *ai_anthropic_read_talk(apr_pool_t *p, const ai_json_doc_t *doc, ai_talk_t *talk);

/* ---------------------------------------------------------------- requests, written */

/* What a writer of one request knows. */
typedef struct anthropic_ask_t {
    apr_pool_t *p;
    const ai_talk_t *talk;
    const ai_ability_t *ability;
    ai_sent_t *sent;
    ai_write_t *out;
    apr_int64_t max_tokens; /* as sent */
    ai_choice_e choice;     /* the same */
    ai_think_e thinking;    /* the same; UNSAID: the field is left out */
    apr_int64_t budget;
    ai_effort_e effort;     /* AI_EFFORTS_N: left out */
    int bare_calls;         /* the last turn of the assistant has calls without signed thinking */
    const ai_error_t *error;
} anthropic_ask_t;

/* Decides what of the settings is sent, and names what is not; then writes them, each with a
 * comma before it. 0 and error set where the provider cannot be asked that. */
int ai_anthropic_decide(anthropic_ask_t *ask);
void ai_anthropic_settings(anthropic_ask_t *ask);

/* Writes cache_control where there is one. */
void ai_anthropic_cache(ai_write_t *out, ai_slice_t cache);

/* 1 when a JSON string says nothing: white space at most. */
int ai_anthropic_is_blank(ai_slice_t text);

/* Sets an error, a 400. Returns 0. */
int ai_anthropic_refuse(anthropic_ask_t *ask, const char *param, const char *message);

const ai_error_t *ai_anthropic_write_talk(apr_pool_t *p, const ai_talk_t *talk, const char *model,
                                          const ai_ability_t *ability, int ask_usage,
                                          ai_sent_t *sent, ai_write_t *out);

/* -------------------------------------------------------------------- answers, read */

/* As dialect_anthropic.c reads them of an event. */
void ai_anthropic_usage(ai_slice_t object, ai_usage_t *usage);
ai_finish_e ai_anthropic_finish(ai_slice_t reason);

void *ai_anthropic_begin_read(apr_pool_t *p);
int ai_anthropic_read_deltas(void *reader, apr_pool_t *event_pool, const ai_sse_event_t *event,
                             ai_delta_fn *fn, void *baton);
int ai_anthropic_read_whole(apr_pool_t *p, const ai_json_doc_t *doc, ai_stream_t *stream,
                            ai_delta_fn *fn, void *baton);

/* ----------------------------------------------------------------- answers, written */

#define AI_ANTHROPIC_CALLS 10000 /* of one answer; what is beyond is left out */

/* A JSON string, or otherwise as one where it is absent. */
ai_slice_t ai_anthropic_string(apr_pool_t *p, ai_slice_t string, const char *otherwise);

/* Writes what a message has before its content. */
void ai_anthropic_head(apr_pool_t *p, ai_write_t *out, const ai_answer_t *answer, ai_slice_t id,
                       ai_slice_t model);

/* The reason to stop. calls: how many the answer has; refused: in words. */
const char *ai_anthropic_reason(const ai_stream_t *stream, int calls, int refused);

/* Writes usage, an object, and the members stop_reason and stop_sequence. */
void ai_anthropic_write_usage(ai_write_t *out, const ai_usage_t *usage);
void ai_anthropic_write_stop(ai_write_t *out, const char *reason);

void *ai_anthropic_begin_stream(apr_pool_t *p, const ai_answer_t *answer);
void ai_anthropic_write_delta(void *state, const ai_delta_t *delta, ai_write_t *out);
void ai_anthropic_write_end(void *state, const ai_stream_t *stream, ai_write_t *out);
void ai_anthropic_write_answer(apr_pool_t *p, const ai_answer_t *answer, const ai_delta_t *deltas,
                               int n_deltas, const ai_stream_t *stream, ai_write_t *out);

/* anthropic_reserve.c: reads into ask how much an answer may have, and whether the prompt's bytes
 * bound it. doc->root is an object. */
void ai_anthropic_reserve(const ai_json_doc_t *doc, ai_ask_t *ask);

#endif
