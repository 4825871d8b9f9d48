/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_exchange.h - one attempt at one target: the state that its six files share.
 *
 *   ai_exchange.c   begins, runs mod_proxy, ends, tells how it went
 *   ai_upstream.c   what goes up: body, headers, key
 *   ai_gate.c       is this the answer? hold, open, keep out
 *   ai_flow.c       what of it passes, and is read on the way
 *   ai_translate.c  what changes where caller and target speak different dialects
 *   ai_watch.c      waiting: deadlines, the caller who leaves, heartbeats
 */
#ifndef AI_EXCHANGE_H
#define AI_EXCHANGE_H

#include "ai_private.h"

/* What happens to bytes from the target. */
typedef enum gate_e {
    GATE_IDLE,    /* no attempt is under way: everything passes */
    GATE_PENDING, /* nothing is decided: bytes are held */
    GATE_OPEN,    /* this answer is the caller's */
    GATE_KEEP,    /* a failure: nothing passes; its body may be kept as a possible last answer */
    GATE_SHUT     /* nothing passes any more */
} gate_e;

struct ai_exchange_t {
    ai_request_t *air;
    ai_attempt_t *attempt; /* in hand, or the last one */
    gate_e gate;
    ap_filter_t *gate_filter;

    /* up: the edited body as slices of the original and of replacements */
    ap_filter_t *replay_filter;
    apr_array_header_t *slices;
    apr_size_t total;
    int slice;
    apr_size_t offset;
    apr_array_header_t *lost;  /* of const char *: what this attempt could not carry, or NULL */
    apr_off_t given;           /* bytes that mod_proxy has taken */
    int barred;                /* the backend is another one than the target's: nothing goes up */

    /* down */
    int judged;                /* the head of the answer was looked at */
    apr_time_t head_came;      /* when that was */
    int streams;               /* it is an event stream that we read */
    int wants_object;          /* it must begin with '{' */
    int got_body;              /* its first byte has come */
    int head_sent;             /* the caller has a head (perhaps only for heartbeats) */
    int ended;                 /* EOS went down */
    ai_sse_t *sse;
    ai_stream_t stream;
    ai_pick_t *pick;
    apr_bucket_brigade *held;  /* what came before the decision */
    apr_size_t held_bytes;
    apr_bucket_brigade *out;   /* being built from the brigade in hand */
    ai_slice_t chunk;          /* the bytes of the bucket in hand */
    ai_slice_t run;            /* the part of it that passes as it is, so far */
    int broke;                 /* the target's connection ended before its answer did */
    int cut_short;             /* the last event broke off */
    int unended;               /* perhaps no whole empty line is behind the last event */
    int hid_last;              /* the last event was left out */

    /* translation */
    int translates;            /* caller and target speak different dialects */
    ai_talk_t *talk;           /* what is asked, once it was read */
    const ai_error_t *talk_wrong; /* why it could not be read */
    const ai_error_t *untold;  /* why the latest target could not be asked */
    ai_sent_t telling;         /* what the latest request left behind for its answer */
    void *reader;              /* the provider's dialect's */
    void *writer;              /* the caller's dialect's; NULL once the end was written */
    ai_write_t *translation;   /* of the event in hand */
    apr_pool_t *event_pool;
    apr_array_header_t *deltas; /* of a whole answer */

    int keeping;               /* the failure in hand says why */
    apr_size_t drained;        /* bytes of it that have come */
    apr_time_t failed_at;

    /* kept from the latest failure that said why */
    char *kept;
    apr_size_t kept_len;
    apr_size_t kept_size;
    int kept_status;
    int kept_event;            /* 1: an event, that had no status of its own */
    const ai_dialect_t *kept_dialect;
    apr_table_t *kept_headers;
    int kept_whole;            /* 0 when it was longer than we keep */

    /* what every attempt begins from */
    apr_table_t *headers_out;
    apr_table_t *err_headers_out;
    const char *content_type;
    const char *filename;

    /* waiting */
    apr_bucket_brigade *probe; /* to look whether the target has sent something */
    apr_time_t started;        /* this attempt */
    apr_time_t began;          /* the same, until its time is counted; then 0 */
    apr_time_t last_out;       /* when the caller last got a byte, or the exchange began */
    int sent;                  /* the request went up; what came back is another matter */
    const char *late;          /* the deadline that passed, or NULL */
    int client_gone;
};

/* ai_upstream.c */
void ai_upstream_register(apr_pool_t *p);
/* Puts the body for this attempt together and has mod_proxy read it. */
apr_status_t ai_upstream_begin(ai_exchange_t *x);

/* ai_gate.c */
void ai_gate_register(apr_pool_t *p);
/* A new attempt: nothing is known of its answer. */
void ai_gate_begin(ai_exchange_t *x);
/* mod_proxy has returned without an end, as it does for a body that ends with its connection: has
 * the gate see one. */
void ai_gate_end(ai_exchange_t *x);
/* Sends the head of an event stream before any target has given one. */
void ai_gate_open_stream(ai_exchange_t *x);
/* This answer is the caller's; what was held goes first. */
void ai_gate_open(ai_exchange_t *x);
/* This attempt failed: reason is ai_attempt_t's word, status what it comes to. _saying: the target
 * said why, and what ai_gate_keep() is given of it may be the last word. */
void ai_gate_fail(ai_exchange_t *x, const char *reason, int status);
void ai_gate_fail_saying(ai_exchange_t *x, const char *reason, int status);
void ai_gate_keep(ai_exchange_t *x, const char *bytes, apr_size_t n);

/* ai_flow.c: each takes the brigade over and returns what the filter returns. */
apr_status_t ai_flow_stream(ai_exchange_t *x, apr_bucket_brigade *bb, int at_end, int broke);
apr_status_t ai_flow_body(ai_exchange_t *x, apr_bucket_brigade *bb, int at_end);
/* The same for a whole body that has to be translated: it is held until it is all there. */
apr_status_t ai_flow_whole(ai_exchange_t *x, apr_bucket_brigade *bb, int at_end);
/* Writes an error event and the end. The stream must have begun. */
apr_status_t ai_flow_end_stream(ai_exchange_t *x, const ai_error_t *error);

/* ai_translate.c; only where x->translates is set, but for _path, _check_loss and _show_loss */
/* Puts the request together in the target's dialect: x->slices, x->telling, x->lost. APR_EINVAL when
 * the target cannot be asked; x->untold says why. */
apr_status_t ai_translate_ask(ai_exchange_t *x);
/* APR_EINVAL when something was lost that AILossy does not allow; x->untold says what. */
apr_status_t ai_translate_check_loss(ai_exchange_t *x);
/* Where the request goes, below the target's base. */
const char *ai_translate_path(const ai_exchange_t *x);
void ai_translate_set_head(const ai_exchange_t *x, apr_table_t *head);
/* Sets in to what a caller can use of a provider's headers, in the caller's words. */
void ai_translate_headers(const ai_exchange_t *x, const ai_dialect_t *from_dialect,
                          const apr_table_t *from, apr_table_t *to);
void ai_translate_begin_stream(ai_exchange_t *x);
/* Begins out, in a pool that lasts until the next event, and writes what the caller gets of an
 * event. 0 when it cannot be read. */
int ai_translate_event(ai_exchange_t *x, const ai_sse_event_t *event, ai_event_e kind,
                       ai_write_t *out);
/* Adds the end of the stream to out; once, and not after an error. */
void ai_translate_end(ai_exchange_t *x, ai_write_t *out);
/* Adds a whole answer to out. 0 when body is none. _error: what a provider said instead; sets the
 * status. body lives as long as r->pool. */
int ai_translate_answer(ai_exchange_t *x, ai_slice_t body, ai_write_t *out);
void ai_translate_error(ai_exchange_t *x, ai_slice_t body, ai_write_t *out);
/* Tells the caller, and the note, what was lost on the way to the target that answers; also where
 * nothing was translated but edited. */
void ai_translate_show_loss(const ai_exchange_t *x);

/* ai_watch.c */
void ai_watch_register(apr_pool_t *p);
/* 1 when the caller has left. */
int ai_watch_gone(ai_exchange_t *x);
/* Waits that long, with heartbeats where they are due. 0 when the caller left meanwhile. */
int ai_watch_wait(ai_exchange_t *x, apr_interval_time_t microseconds);

/* Reads what a provider said in place of an answer, and keeps it for the record. Sets message, and
 * of the rest what body tells; body lives as long as r->pool. */
void ai_exchange_read_error(ai_exchange_t *x, const ai_dialect_t *dialect, int status,
                            ai_slice_t body, ai_error_t *error);

/* The id that a provider gave a request becomes the request's: what its header says, or none. _show
 * tells the caller. */
void ai_exchange_take_id(ai_exchange_t *x, const ai_dialect_t *dialect, const apr_table_t *head);
void ai_exchange_show_id(const ai_exchange_t *x, apr_table_t *headers);

/* The attempt's time is counted, once. */
void ai_exchange_stop_clock(ai_exchange_t *x);

/* Has mod_proxy log less of this attempt, until it is over. */
void ai_exchange_quieten(ai_exchange_t *x);

/* The exchange of a request, or NULL when none is under way. */
ai_exchange_t *ai_exchange_of(const request_rec *r);

#endif
