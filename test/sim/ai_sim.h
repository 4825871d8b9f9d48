/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_sim.h - what do the files of the provider simulator know of each other?
 *
 * Everything they share is here, one section per file.  The program is one thread around one
 * epoll set, so nothing in here is locked and nothing may block.
 *
 * A connection (conn_t) carries one call (call_t) at a time.  A call walks through its phases in
 * call_run(), which goes on only when every byte so far was taken by the kernel.  So at any time
 * a call knows exactly how many events and tokens have left, and holds at most one event.
 */
#ifndef AI_SIM_H
#define AI_SIM_H

#include <stddef.h>
#include <stdint.h>

typedef struct conn conn_t;
typedef struct call call_t;

/* ------------------------------------------------------------------ sim_buf.c: growing bytes */

typedef struct {
    char *p;
    size_t len;
    size_t cap;
} buf_t;

/* A borrowed run of bytes, not ended by NUL. */
typedef struct {
    const char *p;
    size_t n;
} text_t;

#define TEXT(literal) ((text_t) { (literal), sizeof(literal) - 1 })

/* Memory that runs out ends the program: no function below reports it. */
void *sim_alloc(size_t size);

void buf_add(buf_t *b, const void *bytes, size_t n);
void buf_str(buf_t *b, const char *s);
void buf_fmt(buf_t *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Adds the bytes as a quoted JSON string; a byte that is not UTF-8 becomes \u00XX. */
void buf_quote(buf_t *b, const char *p, size_t n);
/* Room for n more bytes; the caller raises b->len by what it wrote. */
char *buf_room(buf_t *b, size_t n);
/* Adds n bytes in base64. */
void buf_base64(buf_t *b, const char *p, size_t n);
/* Forgets the first n bytes. */
void buf_drop(buf_t *b, size_t n);
/* Gives the memory back; the buffer stays usable. */
void buf_free(buf_t *b);

text_t buf_text(const buf_t *b);
int text_is(text_t t, const char *s);
int text_is_nocase(text_t t, const char *s);
int text_ends(text_t t, const char *s);
text_t text_trim(text_t t);
/* Decimal digits only, no sign.  Returns 0 when the text is anything else or above max. */
int text_number(text_t t, long max, long *out);
/* The value of a query argument, percent-decoding not done; p is NULL when it is not there. */
text_t query_value(text_t query, const char *name);

/* ------------------------------------------------------------- sim_json.c: reading JSON text */

/* Returns 1 when the text is one whole JSON value. */
int json_valid(text_t t);
/* The value of the last member of that name; p is NULL when there is none or t is no object. */
text_t json_get(text_t t, const char *name);
/* Walks members or items of a valid object or array; *pos starts at 0.  Returns 0 at the end. */
int json_next_member(text_t t, size_t *pos, text_t *name, text_t *value);
int json_next_item(text_t t, size_t *pos, text_t *value);
/* Adds the decoded bytes of a JSON string; adds nothing when t is no string. */
void json_decode(text_t t, buf_t *out);
int json_is_true(text_t t);
/* A whole number from 0 to max, or -1. */
long json_number(text_t t, long max);
/* Bytes of text in a message, a list of parts, a prompt or an input; a bare number counts 4. */
size_t json_content_bytes(text_t t);
/* Adds a value that fits a JSON schema; root resolves its $ref. */
void schema_example(text_t schema, text_t root, int depth, buf_t *out);

/* --------------------------------------------------------------- sim_timer.c: one heap of due */

int64_t timer_now(void);                     /* monotonic milliseconds */
/* One timer per connection: setting it again moves it. */
void timer_set(conn_t *conn, int64_t ms_from_now);
void timer_cancel(conn_t *conn);
/* Milliseconds until the next timer, 0 when one is due, -1 when there is none. */
int timer_wait(void);
/* Takes the next connection whose timer is due, or NULL. */
conn_t *timer_pop(void);

/* -------------------------------------------------------- sim_script.c: what shall go wrong? */

#define SCRIPT_TEXT 96
#define ANSWER_TOOL_COUNT 2      /* at most so many calls of tools in an answer */
enum { AT_NEVER = -1, AT_HEADERS = -2, AT_BODY = -3 };
enum { USAGE_NORMAL, USAGE_ON, USAGE_NONE, USAGE_ZERO, USAGE_NEGATIVE, USAGE_HUGE, USAGE_TEXT,
       USAGE_NULL, USAGE_LATE, USAGE_EARLY, USAGE_EVERY, USAGE_EXCESS };
enum { EOL_LF, EOL_CRLF, EOL_CR };
enum { BODY_JSON, BODY_HTML, BODY_TEXT, BODY_EMPTY };

/* All numbers are long so that one table can describe them. */
typedef struct {
    long status, busy, delay, first, gap, pace;
    long tokens, size, chunk, cached, written, reasoning;
    long cut, bytes, stall, reset, garbage, error;
    long wrongtype, length, usage, body;
    long retry_after, retry_after_ms, should_retry;
    long eol, comment, done, close, early;
    long tool, calls, thought, redacted, whole, refuse, json, echo, fail;
    char id[SCRIPT_TEXT], key[SCRIPT_TEXT], mark[SCRIPT_TEXT], seq[SCRIPT_TEXT];
    char finish[SCRIPT_TEXT], message[SCRIPT_TEXT], whose[SCRIPT_TEXT];
} script_t;

void script_init(script_t *s);
/* Reads "k=v;k=v" over what is already set.  Returns 0, and names the fault in why, if it is
 * wrong. */
int script_read(script_t *s, text_t words, buf_t *why);
/* Applies busy=, whose= and fail=: the misbehaviour is taken out of calls with another provider's key
 * (tail is how theirs ends), and after the first N calls of a key=. */
int script_settle(script_t *s, text_t tail, buf_t *why);
/* Forgets how often each key= was seen. */
void script_forget(void);

/* ------------------------------------------------------------------- sim_conn.c: the sockets */

typedef enum { CONN_HEAD, CONN_BODY, CONN_CALL, CONN_LINGER, CONN_DEAD } conn_state_t;

struct conn {
    conn_t *prev, *next;
    int fd;
    conn_state_t state;
    unsigned epoll_events;
    int heap_at;                 /* place in the timer heap, -1 when not in it */
    int64_t due;
    buf_t in;
    buf_t out;
    size_t out_off;
    call_t *call;
    int64_t upload_left;         /* body bytes still to come; of this chunk when chunked */
    int upload_chunked, upload_state;
};

int conn_listen(const char *address, int port);     /* returns the bound port, or -1 */
void conn_accept(void);
void conn_ready(conn_t *conn, unsigned events);
void conn_timer(conn_t *conn);
/* Writes what is queued.  1: all gone; 0: the socket is full; -1: the peer is gone, and so are
 * the call and the connection. */
int conn_flush(conn_t *conn);
/* After a call: wait for the next request, or close so that the peer sees all that was sent. */
void conn_next(conn_t *conn, int keep);
/* Sends a TCP reset. */
void conn_reset(conn_t *conn);
size_t conn_unsent(const conn_t *conn);             /* bytes the kernel still holds */
void conn_bury(void);                               /* frees what died in this turn */
void conn_close_all(void);
int conn_epoll(void);

/* ---------------------------------------------------------------- sim_http.c: reading a request */

/* Takes what it can from conn->in.  Returns 1 when the request is complete, 0 when more is
 * needed, -1 when it is not HTTP (why says what). */
int http_read(conn_t *conn, const char **why);
text_t http_header(const call_t *call, const char *name);
/* The last four bytes of the provider's key, or all of a shorter one; none when there is no key. */
text_t http_key_tail(const call_t *call);
const char *http_reason(int status);

/* ------------------------------------------------------------- sim_form.c: reading a request body */

typedef struct {
    text_t head, value, filename;
    int whole;                   /* its end is there */
} part_t;

int form_is(const call_t *call);
/* The first part of that name.  Returns 0 when there is none. */
int form_part(const call_t *call, const char *name, part_t *part);
text_t form_field(const call_t *call, const char *name);
/* A member of the request, be it a form or JSON: as it stands there, and as text. */
text_t call_member(const call_t *call, const char *name);
void call_text(const call_t *call, const char *name, buf_t *out);
int call_text_is(const call_t *call, const char *name, const char *value);
/* The body without white space before it. */
text_t call_json(const call_t *call);

/* --------------------------------------------------------------- sim_answer.c: what is said */

typedef enum { ANSWER_WORDS, ANSWER_LITERAL, ANSWER_REFUSAL, ANSWER_TOOLS } answer_kind_t;

typedef struct {
    answer_kind_t kind;
    long pieces;                 /* tokens of one choice */
    long choices;
    long prompt_tokens;          /* those of the cache included */
    long max_tokens;             /* -1: the caller named no limit */
    const char *finish;
    int tools;                   /* calls of tools */
    buf_t literal;               /* what is said, unless it is words */
    buf_t tool_name[ANSWER_TOOL_COUNT];
    buf_t tool_args[ANSWER_TOOL_COUNT];
    long tool_pieces[ANSWER_TOOL_COUNT];
} answer_t;

/* Decides from request and script what the answer says. */
void answer_compose(call_t *call, text_t request);
void answer_free(answer_t *a);
/* Adds piece i of the answer's text, or of one tool's arguments. */
void answer_piece(const call_t *call, long i, buf_t *out);
void answer_tool_piece(const answer_t *a, int tool, long i, buf_t *out);
/* Adds the whole text. */
void answer_text(const call_t *call, buf_t *out);
/* Tokens of the whole answer, reasoning included. */
long answer_tokens(const call_t *call);
/* Adds the usage value as the script wants it told; spent is what was generated so far. */
void answer_usage(call_t *call, long spent, buf_t *out);
/* What it thinks before it answers, where it does. */
extern const char answer_thought[];
/* Adds a header's name, in lower case, as a JSON string. */
void answer_header_name(text_t name, buf_t *out);
/* Adds method, path, query, headers (an object; equal names joined by ", ") and body as one JSON
 * object. */
void answer_echo(const call_t *call, buf_t *out);

/* ---- sim_chat.c, sim_responses.c, sim_anthropic.c, sim_media.c, sim_files.c, sim_plain.c: the
 *      wire text, per endpoint */

typedef enum { DIALECT_OPENAI, DIALECT_ANTHROPIC } dialect_t;

typedef struct {
    buf_t data;
    const char *name;            /* the SSE event name, or NULL */
    long tokens;                 /* generated tokens in this event */
} event_t;

/* One endpoint.  event() writes step number i of a stream and returns 0 when there is none; it
 * changes nothing in the call that outlives the step, so a stream can be rehearsed to learn its
 * length. */
typedef struct {
    const char *name;
    const char *required[2];     /* members a request must have, besides the model */
    dialect_t dialect;           /* of its errors and headers, too */
    void (*plain)(call_t *call, buf_t *out);
    int (*event)(call_t *call, long step, event_t *ev);
    void (*error)(call_t *call, long step, event_t *ev);
    int (*wants_stream)(const call_t *call);    /* NULL: "stream":true */
    int takes_form;              /* its request may be a form, too */
    int has_default_model;       /* it may name no model */
} endpoint_t;

extern const endpoint_t endpoint_chat, endpoint_completions, endpoint_responses;
extern const endpoint_t endpoint_messages, endpoint_count_tokens, endpoint_claude_models;
extern const endpoint_t endpoint_embeddings, endpoint_models, endpoint_echo;
extern const endpoint_t endpoint_images, endpoint_speech, endpoint_transcriptions;
extern const endpoint_t endpoint_moderations, endpoint_rerank, endpoint_files, endpoint_batches;
const endpoint_t *endpoint_find(const call_t *call);
/* The endpoint of what is kept under an id, or NULL. */
const endpoint_t *files_endpoint(const call_t *call);
/* Forgets all that is kept. */
void files_forget(void);
/* The body of an error status, in OpenAI's shape. */
void error_body(int status, const char *message, const char *param, buf_t *out);
/* The same in Anthropic's. */
void anthropic_error(const call_t *call, int status, const char *message, const char *param,
                     buf_t *out);
/* What signs a thought, and what only we can read of one. */
#define CLAUDE_SIGNATURE "c2ltdWxhdGVkLXNpZ25hdHVyZQ=="
#define CLAUDE_REDACTED "b25seS10aGUtc2ltdWxhdG9y"
/* The headers Anthropic adds to every answer. */
void anthropic_headers(const call_t *call, buf_t *out);

/* ------------------------------- sim_strict.c, sim_strict_claude.c: what a provider refuses */

/* What is wrong with a request: the place ("messages.0.content"), and what. */
typedef struct {
    char place[160];
    char what[200];
} strict_t;

/* 1 when that provider would take the request, as far as its published rules go. */
int strict_openai(text_t request, strict_t *wrong);
int strict_claude(text_t request, strict_t *wrong);

/* For both.  All but the first two return 1 when the rule is kept; else they fill in wrong. */
int strict_word(text_t value, const char *const *words);      /* one of these, ends with NULL */
int strict_name(text_t value, size_t max);                    /* 1 to max of [A-Za-z0-9_-] */
int strict_fail(strict_t *wrong, const char *place, const char *what);
/* Object with no members but these (ends with NULL) that has the first n_needed of them. */
int strict_members(strict_t *wrong, const char *place, text_t object, const char *const *names,
                   size_t n_needed);
/* A number from min to max, where there is one. */
int strict_range(strict_t *wrong, const char *place, text_t number, double min, double max);

/* ------------------------------------------------------------- sim_call.c: playing one call */

typedef enum { PHASE_UPLOAD, PHASE_DELAY, PHASE_HEAD, PHASE_FIRST, PHASE_EVENT, PHASE_PRODUCE,
               PHASE_PIECE, PHASE_TAIL, PHASE_STALLED, PHASE_RESET, PHASE_PARKED } phase_t;

typedef struct {
    text_t name, value;
} header_t;

struct call {
    call_t *prev, *next;
    conn_t *conn;
    phase_t phase;
    /* what was asked */
    buf_t head, body, model;
    size_t model_len;            /* of the name before the script */
    header_t *headers;
    int header_count;
    text_t method, target, path, query, request_id;
    int http10, keep, is_control;
    long early;                  /* of the body bytes to be read, -1: all */
    size_t body_len;
    uint64_t body_hash;
    script_t script;
    int scripted;
    const endpoint_t *endpoint;
    int stream, include_usage;
    /* what is answered */
    answer_t answer;
    int status, chunked, is_error_answer;
    const char *content_type, *plain_type;
    buf_t piece;                 /* the event that is going out */
    size_t piece_off, in_flight;
    long step, step_tokens;
    int step_told;               /* usage in this event */
    long step_prompt, step_completion;
    int last_event;              /* an error event went out: nothing follows */
    /* what became of it */
    unsigned long seq;
    int64_t began_ms;
    double began_at;
    uint64_t bytes_sent, body_sent;
    long events_sent, tokens_sent;
    int64_t peer_closed_ms;
    int usage_told;
    long told_prompt, told_completion;
    int status_sent;
    /* a waiter of /_sim/wait */
    text_t wait_id;
    long wait_count;
    int wait_begun;
};

call_t *call_begin(conn_t *conn);
/* Goes on as far as it can now. */
void call_run(call_t *call);
/* Writes the truth line, wakes waiters, frees the call.  The connection is the caller's. */
void call_end(call_t *call, const char *ended);
/* Prepares a whole body as the answer; the bytes are already in call->piece. */
void call_plain(call_t *call, int status, const char *content_type);
call_t *call_active(void);
long call_active_count(void);

/* ------------------------------------------------------ sim_request.c: reading what is asked */

/* How much of the body is waited for: what the header's script says, else -1. */
long request_early(const call_t *call);
/* The request has arrived in full, or as far as it is waited for. */
void request_ready(call_t *call);
/* The request was not HTTP. */
void request_refuse(call_t *call, const char *why);

/* ----------------------------------------------------- sim_truth.c, sim_control.c: the record */

int truth_open(const char *path);
void truth_record(const call_t *call, const char *ended);
void truth_reset(void);
unsigned long truth_next_seq(void);
unsigned long truth_total(void);
/* Adds the last max lines, oldest first, as JSON items; with an id, only its lines.  Returns how
 * many. */
long truth_lines(text_t id, long max, buf_t *out);

int control_claims(text_t path);
void control_answer(call_t *call);
/* A call has begun or ended: answers the waiters that this satisfies. */
void control_wake(text_t id);
void control_timeout(call_t *call);
/* A waiter goes, answered or not. */
void control_forget(call_t *call);

#endif
