/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect.h - one provider's wire format behind one table.
 *
 * A dialect is used on two sides: the caller's (what does this request ask, how does this caller
 * want an error) and the provider's (where does the request go, what does this event mean).
 *
 * To add one: write dialect_x.c that defines `const ai_dialect_t ai_dialect_x`, name the file in
 * AI_DIALECTS in modules/Makefile.am, add test/unit/test_dialect_x.c with data that cites its
 * source. Nothing else names a dialect (docs/adding.md).
 *
 * Dialects are pure: no httpd, no clock, no I/O, no state but what is passed in. All functions
 * are thread-safe. p is the request's pool unless said otherwise.
 */
#ifndef DIALECT_H
#define DIALECT_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_tables.h>

#include "ai_chat.h"
#include "ai_delta.h"
#include "ai_json.h"
#include "ai_models.h"
#include "ai_pick.h"
#include "ai_slice.h"
#include "ai_splice.h"
#include "ai_sse.h"
#include "ai_talk.h"
#include "ai_write.h"

/* What one event of a streamed answer is. */
typedef enum ai_event_e {
    AI_EVENT_COMMENT,   /* nothing to a client: comment, empty */
    AI_EVENT_LIFECYCLE, /* opens the answer but says nothing of it yet; an answer that has shown
                           only these can still be replaced by another target's */
    AI_EVENT_CONTENT,   /* the answer itself */
    AI_EVENT_USAGE,     /* nothing but usage: left out where the caller did not ask for it */
    AI_EVENT_DONE,      /* the end as the protocol has it */
    AI_EVENT_ERROR,     /* the provider reports a failure; error is filled in */
    AI_EVENT_GARBAGE    /* not this dialect */
} ai_event_e;

/* What is known of one streamed answer so far. Zeroed, usage unknown, before the first event. */
typedef struct ai_stream_t {
    ai_endpoint_e endpoint; /* in: of the request */
    int hide_usage;         /* in: the caller did not ask for usage */
    ai_usage_t usage;       /* out: the latest report; set, never added up */
    ai_finish_e finish;     /* out: the reason once it was told */
    int done;               /* out: the protocol's own end was seen */
    ai_slice_t cut;         /* out, per event: part of event->raw to leave out, or absent */
    ai_error_t error;       /* out: with AI_EVENT_ERROR; text lives in event_pool */
} ai_stream_t;

/* One model of /v1/models. */
typedef struct ai_model_t {
    const char *id;
    const char *owner;     /* the target's name */
    apr_int64_t created_s; /* seconds since 1970 */
    const ai_ability_t *ability; /* what is known of it, or NULL */
} ai_model_t;

/*
 * Chats between two dialects: the caller's reads the request and writes the answer, the provider's
 * writes the request and reads the answer. In between stand ai_talk_t and ai_delta_t. (Where both
 * are the same, none of this is used: the bytes pass as they are.)
 */
typedef struct ai_translator_t {
    /* --------------------------------------------------------------- the caller's side */

    /* Reads a chat request. doc->root is an object that read_ask has accepted; it and p outlive the
     * talk. Names in talk->lost what it does not know or no other dialect has; content that it
     * does not know and that may not be left out is an error (400) that names it. */
    const ai_error_t *(*read_talk)(apr_pool_t *p, const ai_json_doc_t *doc, ai_talk_t *talk);

    /* Begins a streamed answer. p lasts as long as the answer. Returns the writer's own state. */
    void *(*begin_stream)(apr_pool_t *p, const ai_answer_t *answer);
    /* Writes the events for one delta (none, too) behind what out holds. */
    void (*write_delta)(void *writer, const ai_delta_t *delta, ai_write_t *out);
    /* Writes what ends the answer, by the protocol's rules: open blocks, finish, usage, the end.
     * Not called when the answer ended with an error. */
    void (*write_end)(void *writer, const ai_stream_t *stream, ai_write_t *out);
    /* Writes a whole answer. deltas live as long as p. */
    void (*write_answer)(apr_pool_t *p, const ai_answer_t *answer, const ai_delta_t *deltas, int n,
                         const ai_stream_t *stream, ai_write_t *out);

    /* Sets the headers by which callers of this dialect learn their limits; nothing for what is
     * unknown. now: for those that are a point in time. */
    void (*write_limits)(apr_table_t *headers, apr_pool_t *p, const ai_limits_t *limits,
                         apr_time_t now);

    /* ------------------------------------------------------------- the provider's side */

    /* The path below the target's base that a chat goes to. model is as it is sent. */
    const char *(*chat_path)(apr_pool_t *p, const char *model, int stream);

    /* Sets the headers that a request has beside its key ("anthropic-version"). */
    void (*set_head)(apr_table_t *headers);

    /* Writes the request. model: the name to send; ability: what is known of that model, never
     * NULL; ask_usage: have usage reported in a stream. Names in sent->lost (begun by the caller)
     * what is not carried. Returns NULL, or an error (400) that names what this provider cannot be
     * asked at all (talk's own names); then out is of no use. */
    const ai_error_t *(*write_talk)(apr_pool_t *p, const ai_talk_t *talk, const char *model,
                                    const ai_ability_t *ability, int ask_usage, ai_sent_t *sent,
                                    ai_write_t *out);

    /* Begins to read a streamed answer. p lasts as long as the answer. */
    void *(*begin_read)(apr_pool_t *p);
    /* Tells the deltas of one event that read_event (below) has called LIFECYCLE, CONTENT or
     * USAGE. event_pool: until the next event. Returns 1; 0 when the event is no valid JSON. */
    int (*read_deltas)(void *reader, apr_pool_t *event_pool, const ai_sse_event_t *event,
                       ai_delta_fn *fn, void *baton);
    /* Tells the deltas of a whole answer, a checked object, which lives as long as p; usage and
     * finish go to stream. Returns 1; 0 when it is no answer of this dialect. */
    int (*read_whole)(apr_pool_t *p, const ai_json_doc_t *doc, ai_stream_t *stream,
                      ai_delta_fn *fn, void *baton);

    /* Reads what the provider's headers say of limits; leaves unknown what they do not. */
    void (*read_limits)(const apr_table_t *headers, apr_time_t now, ai_limits_t *limits);

    /* The caller's side: the answer to AI_ENDPOINT_COUNT. NULL where the API has no such call. */
    ai_slice_t (*write_count)(apr_pool_t *p, apr_int64_t tokens);
} ai_translator_t;

typedef struct ai_dialect_t {
    const char *name; /* the word in AITargetDialect and in the note ai-dialect */

    /* The header that carries the id of a request in an answer. */
    const char *id_header;

    /* ------------------------------------------------------------- the caller's side */

    /* A header that only callers of this dialect send, or NULL: it tells whose "/models" is
     * meant, where several dialects have that path. */
    const char *mark;

    /* What the path below the API root ("/chat/completions") is. *model: the model that the
     * path itself names ("/models/x"), else NULL. */
    ai_endpoint_e (*endpoint)(apr_pool_t *p, const char *path, const char **model);

    /* Reads what a checked body asks. doc->root is an object.
     * Returns NULL, or an error in p (400) that names the field. */
    const ai_error_t *(*read_ask)(apr_pool_t *p, ai_endpoint_e endpoint, const ai_json_doc_t *doc,
                                  ai_ask_t *ask);

    /* An error as a body (application/json), and as the last event of a stream. */
    ai_slice_t (*write_error)(apr_pool_t *p, const ai_error_t *error);
    ai_slice_t (*write_error_event)(apr_pool_t *p, const ai_error_t *error);

    /* The list of models, or the one model when there is one and single is set. */
    ai_slice_t (*write_models)(apr_pool_t *p, const ai_model_t *models, int n, int single);

    /* ----------------------------------------------------------- the provider's side */

    /* Sets the headers that carry the key. */
    void (*set_key)(apr_table_t *headers, apr_pool_t *p, const char *key);

    /* Adds the edits that the way to this provider needs to the caller's bytes. model: the name
     * to send, or NULL to leave it; ask_usage: have usage reported in a stream. */
    apr_status_t (*edit_ask)(apr_pool_t *p, ai_endpoint_e endpoint, const ai_json_doc_t *doc,
                             const ai_ask_t *ask, const char *model, int ask_usage,
                             ai_splice_t *splice);

    /* Reads one event. event_pool: used only for an error's text. */
    ai_event_e (*read_event)(apr_pool_t *event_pool, ai_stream_t *stream,
                             const ai_sse_event_t *event);

    /* The top-level members of a whole answer that read_answer wants, for ai_pick. */
    const char *const *answer_members;

    /* Reads usage and finish from what was picked; leaves unknown what is not there. */
    void (*read_answer)(ai_endpoint_e endpoint, const ai_pick_t *pick, ai_usage_t *usage,
                        ai_finish_e *finish);

    /* Reads an error body of any shape that providers of this dialect send. Fills in code,
     * message and param as far as they are there, and status where the body tells it better than
     * nothing (an error event has none); the rest stays. */
    void (*read_error)(apr_pool_t *p, ai_slice_t body, ai_error_t *error);

    /* How chats are told to and from other dialects; NULL where that is not built. */
    const ai_translator_t *translator;
} ai_dialect_t;

#endif
