/* SPDX-License-Identifier: Apache-2.0 */
/* ai_private.h - what the files of core/ share among themselves. */
#ifndef AI_PRIVATE_H
#define AI_PRIVATE_H

#include <ap_expr.h>
#include <httpd.h>
#include <http_config.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <http_ssl.h>
#include <util_filter.h>

#include "ai_buffer.h"
#include "ai_conf.h"
#include "ai_road.h"
#include "ai_traceparent.h"
#include "mod_ai.h"

extern AI_EXPORT module ai_module;

/* AP_DECLARE_MODULE brings this itself, and both do not compile together. */
#ifndef AI_HOLDS_MODULE_RECORD
APLOG_USE_MODULE(ai);
#endif

/* Answers are sent in the caller's time: after this much of a stream's start without content it
 * goes down all the same, and nothing can replace it any more. */
#define AI_HOLD_MAX (64 * 1024)
/* The longest single event of a stream. Events with an image in base64 reach some megabytes. */
#define AI_EVENT_MAX (16 * 1024 * 1024)
/* How much of a failed target's error body is kept for the case that it is the best there is. */
#define AI_ERROR_MAX (64 * 1024)
/* The longest member (usage, choices) of a whole answer that is kept to be read. */
#define AI_MEMBER_MAX (256 * 1024)

/* ------------------------------------------------------------------- ai_directives.c */

typedef struct ai_core_conf_t {
    apr_int64_t engine;
    apr_int64_t anonymous;
    apr_int64_t body_limit;
    apr_int64_t body_memory;
    apr_int64_t heartbeat_ms;
    apr_int64_t half_closed;
    apr_int64_t lossy;
    apr_int64_t trace_context;
    apr_int64_t explain;
    int explain_said;            /* 1: this section has an AIExplain */
    const ap_expr_info_t *explain_expr; /* whom explain is On for; NULL: all */
    const char *root;            /* path of the section that said AIEngine; "" for a server */
    apr_array_header_t *notes;   /* of note_rule_t, private to ai_notes.c */
} ai_core_conf_t;

typedef enum ai_core_field_e {
    AI_ENGINE,
    AI_ANONYMOUS,
    AI_BODY_LIMIT,
    AI_BODY_MEMORY,
    AI_HEARTBEAT,
    AI_HALF_CLOSED,
    AI_LOSSY,
    AI_TRACE_CONTEXT,
    AI_EXPLAIN,
    AI_CORE_FIELDS_N
} ai_core_field_e;

enum { AI_HALF_CLOSED_ABORT, AI_HALF_CLOSED_SERVE };
enum { AI_LOSSY_ALLOW, AI_LOSSY_WARN, AI_LOSSY_REFUSE };

extern const command_rec ai_core_cmds[];
void *ai_core_conf_create(apr_pool_t *p, char *dir);
void *ai_core_conf_merge(apr_pool_t *p, void *base, void *add);
const ai_core_conf_t *ai_core_conf(const request_rec *r);
apr_int64_t ai_core_number(const request_rec *r, ai_core_field_e field);

/* What a server has of its own; a virtual host takes what it does not say from the server. */
typedef struct ai_core_server_t {
    const ai_models_t *models;    /* NULL: AIModelFile was not said */
    const ai_price_book_t *prices; /* NULL: AIPriceFile was not said */
    const ai_db_conf_t *database; /* NULL: AIDatabase was not said */
} ai_core_server_t;

void *ai_core_server_create(apr_pool_t *p, server_rec *s);
void *ai_core_server_merge(apr_pool_t *p, void *base, void *add);

/* --------------------------------------------------------------------- ai_database.c */

/* The setter of AIDatabase, and what it said; NULL: nothing. */
const char *ai_database_set(cmd_parms *cmd, void *dir, const char *driver, const char *params);
const ai_db_conf_t *ai_database(const server_rec *s);

/* ------------------------------------------------------------------ ai_models_conf.c */

/* The setter of AIModelFile. */
const char *ai_models_conf_set(cmd_parms *cmd, void *dir, const char *arg);
void ai_models_conf_register(apr_pool_t *p);
/* What is known of a model that a target serves; never NULL. */
const ai_ability_t *ai_core_ability(const request_rec *r, const ai_target_t *target,
                                    const char *model);

/* ------------------------------------------------------------------- ai_price_conf.c */

/* The setter of AIPriceFile. */
const char *ai_price_conf_set(cmd_parms *cmd, void *dir, const char *arg);
void ai_price_conf_register(apr_pool_t *p);
/* The price of a model at a target, or NULL. */
const ai_price_t *ai_core_price(const request_rec *r, const ai_target_t *target,
                                const char *model);
/* What the answer cost, as far as it is known, becomes notes. */
void ai_price_note(ai_request_t *air);

/* ------------------------------------------------------------------------ ai_notes.c */

/* Adds a rule "AINote name expr". Returns NULL or what is wrong. */
const char *ai_notes_add_rule(cmd_parms *cmd, ai_core_conf_t *conf, const char *name,
                              const char *expr);
/* Evaluates the rules of the location and sets their notes: before anybody is identified, and
 * again once the model is known. OK or an HTTP status. */
int ai_notes_apply(ai_request_t *air);
/* Gives the notes to the request that an internal redirect led to last: the one that is logged. */
void ai_notes_carry(ai_request_t *air);
const char *ai_note_get(const ai_request_t *air, ai_note_e note);
void ai_note_set(ai_request_t *air, ai_note_e note, const char *value);
void ai_note_set_number(ai_request_t *air, ai_note_e note, apr_int64_t value);

/* ---------------------------------------------------------------------- ai_request.c */

typedef struct ai_exchange_t ai_exchange_t;
typedef struct ai_upload_t ai_upload_t;

/* The core's own part of a request. */
typedef struct ai_private_t {
    ai_buffer_t body;           /* its size is counted against AIBodyMemory */
    int body_read;              /* 1 once it was tried */
    int body_status;            /* OK, or the HTTP status that the try ended in */
    ai_upload_t *upload;        /* the body is a form; else NULL */
    int decoded;                /* 1 once it was tried */
    int decode_status;          /* OK, or the HTTP status that the try ended in */
    const ai_error_t *refusal;  /* what to tell the caller */
    ai_exchange_t *exchange;    /* NULL before the first attempt */
    const ai_target_t *target;  /* of the last attempt; NULL before the first */
    const char *model;          /* the name that it was sent */
    const char *note[AI_NOTES_N];
    ai_road_t road;             /* what was decided on the way */
    const char *stage;          /* where it is */
    ai_traceparent_t trace;     /* the trace, and our own span of it */
    const char *trace_state;    /* what goes on with it, or NULL */
    apr_time_t began;           /* when the handler began */
    apr_time_t upstream_time;   /* spent in attempts, in microseconds */
    apr_time_t other_time;      /* spent on the caller's upload and in waits between attempts */
    apr_time_t head;            /* when the head of the answer came that the caller gets, or 0 */
    apr_time_t first_content;   /* when the first of the answer went down, or 0 */
    int settled;
} ai_private_t;

/* The request of ours that r belongs to (also after an internal redirect), or NULL. */
ai_request_t *ai_request_of(const request_rec *r);
/* The same, also where r is only on the way to it: what httpd logs is the first of a chain. */
ai_request_t *ai_request_behind(const request_rec *r);
/* Stage claim: makes the request ours when its location says AIEngine On. OK or DECLINED, or the
 * status of a path that may not be passed on. */
int ai_request_claim(request_rec *r);
/* As ai_request_of(), for an error: claims r now when it failed before anybody mapped its path, as
 * one with %2F or of a RewriteRule with [F]. NULL when it is not ours. */
ai_request_t *ai_request_of_error(request_rec *r);
/* Sets the header with the request's id, under the names that callers look for. */
void ai_request_show_id(const ai_request_t *air, apr_table_t *headers);
/* 1 when somebody is known or the location is open to all. */
int ai_request_known(const ai_request_t *air);
/* Stage identify: 401 unless somebody is known or the location is open to all. */
int ai_request_identify(ai_request_t *air);
/* The end, on every road out: usage, finish and times become notes. Once. */
void ai_request_settle(ai_request_t *air);

/* ------------------------------------------------------------------------ ai_trace.c */

/* When a request becomes ours: takes in which trace it is a part of, and notes it. */
void ai_trace_begin(ai_request_t *air);
/* Tells a provider, where AITraceContext lets us. */
void ai_trace_set_head(const ai_request_t *air, apr_table_t *head);

/* ---------------------------------------------------------------------- ai_explain.c */

/* Adds a step to the road: what a stage decided, and why; of an attempt, what came of it; _here: the
 * stage that the request is in. Texts live as long as r->pool, and hold no content and no secret. */
void ai_explain(ai_request_t *air, const char *stage, const char *decision, const char *reason);
void ai_explain_attempt(ai_request_t *air, const char *decision, const ai_attempt_t *attempt);
void ai_explain_here(ai_request_t *air, const char *decision, const char *reason);
/* The road so far as a JSON array, in p; for the record. */
const char *ai_explain_road(const ai_request_t *air, apr_pool_t *p);
/* Puts it into an answer's head, for a caller who asks and may know. */
void ai_explain_show(const ai_request_t *air, apr_table_t *headers);
/* Nobody else tells or is told: takes the header out. */
void ai_explain_keep_back(apr_table_t *headers);
/* The setter of AIExplain. */
const char *ai_explain_set(cmd_parms *cmd, void *conf, const char *arg);

/* ------------------------------------------------------------------------- ai_body.c */

/* Reads the whole body on first demand. OK, or the status of a refusal that is noted. */
int ai_body_read(ai_request_t *air);
/* Gives the memory back before the request ends; the body is gone then. */
void ai_body_free(ai_request_t *air);

/* ----------------------------------------------------------------------- ai_upload.c */

/* Looks whether the body is a form, and begins to read its fields where they matter. OK, or the
 * status of a refusal that is noted. */
int ai_upload_begin(ai_request_t *air);
/* Takes bytes of the body that are held. OK or a refusal. */
int ai_upload_feed(ai_request_t *air, const char *bytes, apr_size_t n);
/* 1 when no more has to be held of a body that is known to be too long to be held whole. */
int ai_upload_knows_enough(const ai_request_t *air);
/* From here on the body is not held: more is what was read already, and the rest follows from the
 * caller while it goes up. Once, to one target. */
void ai_upload_go_live(ai_request_t *air, apr_bucket_brigade *more);
/* Stage decode's part: reads the fields into air->ask. OK or a refusal. */
int ai_upload_read_ask(ai_request_t *air);
/* Edits the form: the model's name. */
apr_status_t ai_upload_edit(const ai_request_t *air, const char *model, ai_splice_t *splice);

int ai_upload_is_live(const ai_request_t *air);
/* Of a live body, where its held beginning became total bytes long: its whole length, or -1. */
apr_off_t ai_upload_length(const ai_request_t *air, apr_size_t total);
/* Puts the next max bytes, at most, of a live body behind what was held; with EOS at its end. */
apr_status_t ai_upload_next(ai_request_t *air, apr_bucket_brigade *bb, apr_read_type_e block,
                            apr_off_t max);
/* 1 while ai_upload_next() reads from the caller. */
int ai_upload_is_reading(const ai_request_t *air);
/* 0 when a part of the body went up that is not held. */
int ai_upload_can_repeat(const ai_request_t *air);
/* What was wrong with the rest of a live body, or NULL. */
const ai_error_t *ai_upload_fault(const ai_request_t *air);

/* ----------------------------------------------------------------------- ai_decode.c */

/* Stage decode: what is asked? */
int ai_decode(ai_request_t *air);
/* The same for who must know earlier, without the notes of the location. The body is decoded once,
 * whoever is first. */
int ai_decode_once(ai_request_t *air);

/* ----------------------------------------------------------------------- ai_answer.c */

int ai_refuse(ai_request_t *air, const ai_error_t *error);
/* The same with the parts of the error given; message and param must outlive the request. */
int ai_refuse_with(ai_request_t *air, int status, const char *code, const char *param,
                   const char *message);
int ai_answer(ai_request_t *air, int status, const char *content_type, ai_slice_t body);
void ai_answer_register(apr_pool_t *p);

/* ai_translate.c: answers with an estimate of how long the prompt is. */
int ai_estimate(ai_request_t *air);

/* ------------------------------------------------------------------------ exchange */

/* ai_exchange.c: one attempt. */
void ai_exchange(ai_request_t *air, ai_attempt_t *attempt);
/* One that cannot be made for want of a key. */
void ai_exchange_pass_over(ai_request_t *air, ai_attempt_t *attempt, int refused);
int ai_exchange_give_up(ai_request_t *air, const ai_attempt_t *last);
int ai_exchange_wait(ai_request_t *air, apr_interval_time_t microseconds);
/* Hooks and filters of ai_exchange.c, ai_upstream.c, ai_gate.c and ai_watch.c. */
void ai_exchange_register(apr_pool_t *p);

#endif
