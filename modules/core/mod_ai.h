/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_ai.h - all that a stage module may know of the core.
 *
 * A stage module hooks the stages it takes part in (APR_OPTIONAL_HOOK) and calls the core through
 * one table of functions (ai_api). Both are looked up at run time, so LoadModule order is free.
 * Rooms of two modules never include each other; they meet here and in the request notes.
 *
 * AI_API_VERSION moves when this file does.
 *   1  the spine: stages plan and forward, notes, refusals, exchange
 *   2  estimate; what the provider said of a failure
 *   3  ability; for who watches: request_of, hook ai_attempt, took_us of an attempt
 *   4  for who authorizes: stage authorize, hook ai_model_allowed, known, decode, model_allowed
 *   5  database; a key belongs to an attempt: key, spare, accepted, repeatable; pass_over
 *   6  for who keeps records: stage record, hooks ai_observe and ai_settle, body, explain, road;
 *      for who measures: measure, hook ai_metrics; price; prices of a target
 */
#ifndef MOD_AI_H
#define MOD_AI_H

#include <httpd.h>
#include <http_config.h>

#include <apr_hooks.h>
#include <apr_optional.h>
#include <apr_optional_hooks.h>

#include "ai_chat.h"
#include "ai_db.h"
#include "ai_json.h"
#include "ai_metric.h"
#include "ai_price.h"
#include "dialect.h"

#define AI_API_VERSION 6

/* Symbols are hidden; what httpd must find in a DSO says so. */
#define AI_EXPORT __attribute__((visibility("default")))

/* Log numbers of our own: AI_LOGNO(0501) "text" prints "AI0501: text". Ranges: 01xx core,
 * 02xx auth, 03xx ratelimit, 04xx cache, 05xx route, 06xx audit, 10xx status. */
#define AI_LOGNO(n) "AI" #n ": "

/* Dialects are httpd providers of this group, so that any module may bring one. */
#define AI_DIALECT_GROUP "ai-dialect"
#define AI_DIALECT_VERSION "1"

/* r->handler on AI locations. */
#define AI_HANDLER "ai"

/* ------------------------------------------------------------------------------ notes */

/*
 * Facts that one module hands to another, and that a log or an expression may read. Each has one
 * writer. The order is that of ai_note_names[] in ai_notes.c.
 */
typedef enum ai_note_e {
    AI_NOTE_REQUEST_ID,
    AI_NOTE_TRACE_ID,
    AI_NOTE_SPAN_ID,
    AI_NOTE_TRACE_PARENT,
    AI_NOTE_KEY_ID,
    AI_NOTE_USER,
    AI_NOTE_TENANT,
    AI_NOTE_TIER,
    AI_NOTE_DIALECT,
    AI_NOTE_ENDPOINT,
    AI_NOTE_MODEL,
    AI_NOTE_STREAM,
    AI_NOTE_LABEL,
    AI_NOTE_ROUTE,
    AI_NOTE_TARGET,
    AI_NOTE_ATTEMPTS,
    AI_NOTE_MODEL_SERVED,
    AI_NOTE_TOKENS_PROMPT,
    AI_NOTE_TOKENS_COMPLETION,
    AI_NOTE_TOKENS_CACHED,
    AI_NOTE_TOKENS_REASONING,
    AI_NOTE_TOKENS_SOURCE,
    AI_NOTE_COST_NANOUSD,
    AI_NOTE_PRICE,
    AI_NOTE_DROPPED,
    AI_NOTE_DENY,
    AI_NOTE_FINISH,
    AI_NOTE_TIME_HEAD_US,
    AI_NOTE_TIME_FIRST_US,
    AI_NOTE_TIME_UPSTREAM_US,
    AI_NOTE_OVERHEAD_US,
    AI_NOTES_N
} ai_note_e;

/* ---------------------------------------------------------------------------- targets */

/*
 * An upstream, as <AITarget> says. Built at configuration, never changed after.
 * All text lives in the configuration pool. Times are in milliseconds, 0 is no limit.
 */
typedef struct ai_target_t {
    const char *name;
    const char *scheme;           /* "http", "https" or "balancer" */
    const char *hostname;         /* of the URL, or the balancer's name */
    int port;                     /* 0 for a balancer */
    const char *host;             /* the Host header; NULL for a balancer: its member's */
    const char *handler;          /* "proxy:http://host:port" */
    const char *base;             /* path prefix, "" or "/v1": never ends in '/' */
    ap_conf_vector_t *section;    /* mod_proxy's and mod_ssl's settings for it */
    const ai_dialect_t *dialect;
    apr_array_header_t *headers;  /* of apr_table_entry_t-like pairs: name, value, name, value */
    apr_array_header_t *forward;  /* names of further caller's headers that may pass */
    apr_array_header_t *renames;  /* pairs: asked pattern, served name */
    apr_array_header_t *prices;   /* of ai_price_t: what the target says itself */
    apr_int64_t stream_usage;     /* 1: ask for usage in streams */
    apr_int64_t tls_verify;
    const char *tls_ca_file;
    apr_int64_t connect_ms;
    apr_int64_t first_byte_ms;
    apr_int64_t idle_ms;
    apr_int64_t total_ms;
} ai_target_t;

/* --------------------------------------------------------------------------- attempts */

/* How one attempt ended. */
typedef enum ai_outcome_e {
    AI_OUTCOME_ANSWERED, /* the caller has (at least the start of) the answer: nothing is replayed */
    AI_OUTCOME_FAILED,   /* the caller has seen nothing of it */
    AI_OUTCOME_GONE      /* the caller left */
} ai_outcome_e;

/* What another key of the target is there for at once (a set of bits). Then an answer that blames
 * the key is a failure, whatever moves_on says and whether or not the attempt is final. */
#define AI_SPARE_REFUSED 1 /* 402 and 403 (401 always is one) */
#define AI_SPARE_LIMITED 2 /* 429 */

/* One attempt at one target, with one key. */
typedef struct ai_attempt_t {
    /* in */
    const ai_target_t *target;
    const char *model;   /* the name to send; NULL: as asked */
    int final;           /* 1: nothing else will be tried, so an error status is passed on */
    int (*moves_on)(const void *baton, int status); /* 1 when a status is a failure */
    const void *baton;
    const char *key;     /* the provider's, or NULL; never logged. It goes to no backend but the
                            target's */
    int spare;           /* AI_SPARE_... */
    void (*accepted)(void *turn); /* or NULL: called when a status below 300 comes */
    void *turn;
    /* out */
    ai_outcome_e outcome;
    int status;          /* of the upstream's answer, or 0 when none came */
    const char *reason;  /* machine word of the failure: "connect", "status", "first-byte-timeout",
                            "idle-timeout", "total-timeout", "broken", "bad-answer", "error-event", "encode" */
    int timed_out;
    int retryable;       /* 0 when the provider asked not to try again */
    int repeatable;      /* 1 when all that was sent is still there to be sent again */
    int reused;          /* 1 when it went over a pooled connection and nothing came back */
    apr_int64_t retry_after_ms; /* what the provider asked for, or -1 */
    apr_int64_t took_us; /* time spent at the target, in microseconds */
} ai_attempt_t;

/* ---------------------------------------------------------------------------- request */

/*
 * The request in hand. Born when a location of ours is claimed, lives in r->pool. Stages read it;
 * only the core writes, but for the fields that name a writer.
 */
typedef struct ai_request_t {
    request_rec *r;              /* the initial request */
    const ai_dialect_t *dialect; /* the caller's */
    ai_endpoint_e endpoint;
    const char *path;            /* below the API root: "/chat/completions" */
    const char *path_model;      /* the model that the path names, or NULL */
    ai_ask_t ask;                /* valid from stage decode on */
    ai_reserved_t reserved;      /* the most tokens that an attempt can take; valid from stage decode on.
                                    mod_ai_route fills the completion in where the caller has set no
                                    cap and all models that are planned have one */
    const ai_json_doc_t *doc;    /* the checked body, or NULL: none, or not JSON */
    ai_usage_t usage;
    ai_finish_e finish;
    int answered;                /* an answer, or a part of it, went to the caller */
    ai_slice_t provider_error;   /* what a provider said in place of an answer, in its own words,
                                    as far as it was kept; for the record, never for a log */
    int provider_status;         /* the HTTP status that came with it, or 0 */
    const char *provider_id;     /* what the provider called the request, as the caller is told; visible
                                    ASCII, at most 200 bytes; or NULL */
    const void *plan;            /* mod_ai_route's */
    struct ai_private_t *priv;   /* the core's own */
} ai_request_t;

/* ---------------------------------------------------------------------------- the API */

/*
 * What the core does for stages. Found once, in post_config:
 *     const ai_api_t *ai = ai_api_find();
 * All calls are for the thread that runs the request.
 */
typedef struct ai_api_t {
    int version; /* AI_API_VERSION of the core */

    /* A note's value, or NULL. Sees what the site itself wrote into r->notes. */
    const char *(*note_get)(const ai_request_t *air, ai_note_e note);
    /* Sets a note; value is kept as it is (it must live as long as r->pool). NULL takes it away. */
    void (*note_set)(ai_request_t *air, ai_note_e note, const char *value);
    void (*note_set_number)(ai_request_t *air, ai_note_e note, apr_int64_t value);

    /* Refuses the request: notes why, and returns error->status for the stage to return. The
     * caller gets the error in its own dialect. */
    int (*refuse)(ai_request_t *air, const ai_error_t *error);

    /* Answers with a whole body of the gateway's own. Returns DONE for the stage to return. */
    int (*answer)(ai_request_t *air, int status, const char *content_type, ai_slice_t body);

    /* Answers how long a chat would be with an estimate of the gateway's own, where no target could
     * be asked. Returns what the stage returns. */
    int (*estimate)(ai_request_t *air);

    /* Runs one attempt over mod_proxy and reports how it ended. */
    void (*exchange)(ai_request_t *air, ai_attempt_t *attempt);

    /* The same for one that cannot be made, since all keys of its target were refused, or (then refused
     * is 0) there is none: it has failed, and nobody was asked. No hook is told. */
    void (*pass_over)(ai_request_t *air, ai_attempt_t *attempt, int refused);

    /* Waits between attempts, with heartbeats where they are due. Returns 0 when the caller left
     * meanwhile, else 1. */
    int (*wait)(ai_request_t *air, apr_interval_time_t microseconds);

    /* After the last failed attempt: gives the caller the best that is known of why. Returns
     * what the stage returns. */
    int (*give_up)(ai_request_t *air, const ai_attempt_t *last);

    /* The request of ours behind r, or NULL: r itself, the one that r was redirected from, or, for
     * who hooks log_transaction, one that r was redirected to. Made in translate_name; settled, so
     * that all notes are final, once log_transaction is past APR_HOOK_REALLY_FIRST. */
    ai_request_t *(*request_of)(const request_rec *r);

    /* What is known of a model, by the name that the target has for it. Never NULL. */
    const ai_ability_t *(*ability)(const request_rec *r, const ai_target_t *target,
                                   const char *model);

    /* 1 when somebody is known, or the location is open to all (AIAnonymous). A site's AINote, by
     * which somebody may be known, too, is evaluated in the handler and not before. */
    int (*known)(const ai_request_t *air);

    /* Reads and decodes the body now, in whatever phase, once. OK, or the status of a refusal: with
     * that the road ends in any case, when it comes to stage decode. Blocks on the caller. */
    int (*decode)(ai_request_t *air);

    /* 1 when all modules of hook ai_model_allowed allow the model. */
    int (*model_allowed)(ai_request_t *air, const char *model);

    /* Where the database of a server or virtual host is, as AIDatabase says; NULL: it has none. Good
     * as long as the configuration. Checked, but nobody has connected: open it in a child process,
     * and in a thread that may wait. */
    const ai_db_conf_t *(*database)(const server_rec *s);

    /* The caller's body as it came, from stage decode until an answer begins, which is when its
     * memory is given back; absent later, and where there is none, or not all of it is held. */
    ai_slice_t (*body)(const ai_request_t *air);

    /* Measures n, as ai_metrics_measure() does, for all processes of the server. values has one for
     * each of the row's labels, and is not kept. Costs next to nothing where mod_ai_status is not
     * loaded. Any thread, from child_init on; blocks on nothing. */
    void (*measure)(ai_metric_t *metric, const char *const *values, apr_int64_t n);

    /* The price of a model, by the name that the target has for it, at the time of the request; NULL:
     * it is not known, which is not that it is free. */
    const ai_price_t *(*price)(const request_rec *r, const ai_target_t *target, const char *model);

    /* Adds a step to the road of this request: what a stage decided, and why (NULL: there is nothing
     * to say). Both first are short words, of letters, digits, '-' and '_'. Texts must live as long as
     * r->pool, and hold no content and no secret: callers may be shown them. Costs next to nothing. */
    void (*explain)(ai_request_t *air, const char *stage, const char *decision, const char *reason);

    /* The steps so far, in p: a JSON array of at most 8192 bytes,
     * [{"stage":"plan","decision":"route","reason":"gpt-*","us":20},...], us since the request came. */
    const char *(*road)(const ai_request_t *air, apr_pool_t *p);
} ai_api_t;

APR_DECLARE_OPTIONAL_FN(const ai_api_t *, ai_api, (void));

/* The core's table, or NULL when mod_ai is not loaded or speaks another version. */
static inline const ai_api_t *ai_api_find(void)
{
    APR_OPTIONAL_FN_TYPE(ai_api) *find = APR_RETRIEVE_OPTIONAL_FN(ai_api);
    const ai_api_t *api = find ? find() : NULL;

    return api && api->version == AI_API_VERSION ? api : NULL;
}

/* ----------------------------------------------------------------------------- stages */

/*
 * The stages that modules take part in, in the order of the road (mod_ai.c). A stage returns OK
 * or DECLINED to go on, DONE when it has answered, an HTTP status when it refused.
 *
 * A module hooks one with AI_STAGE(plan, on_plan). (APR knows optional hooks by their bare name,
 * for all modules of the server alike: hence the prefix that the macro puts before it.)
 */
#define AI_STAGE(stage, fn) APR_OPTIONAL_HOOK(ai, ai_##stage, fn, NULL, NULL, APR_HOOK_MIDDLE)

#define AI_DECLARE(type) type

APR_DECLARE_EXTERNAL_HOOK(ai, AI, int, ai_authorize, (ai_request_t * air)) /* may he have that? */
APR_DECLARE_EXTERNAL_HOOK(ai, AI, int, ai_plan, (ai_request_t * air))      /* who could answer? */
APR_DECLARE_EXTERNAL_HOOK(ai, AI, int, ai_record, (ai_request_t * air))    /* is it on paper?   */
APR_DECLARE_EXTERNAL_HOOK(ai, AI, int, ai_forward, (ai_request_t * air))   /* who does answer?  */

/*
 * May the caller have the model of that name, as he would ask for it? For lists of models: it
 * refuses nothing, and logs nothing. OK or DECLINED: yes, as far as this module knows; else no.
 */
APR_DECLARE_EXTERNAL_HOOK(ai, AI, int, ai_model_allowed, (ai_request_t * air, const char *model))

/*
 * For who watches, not for who decides: every attempt of stage forward, right before it (over is
 * 0: what is "out" means nothing yet) and right after it (over is 1). One that went over a stale
 * connection and was made again counts once. Both calls come in the thread of the request, and
 * never one without the other. What is returned means nothing, but must be OK or DECLINED.
 */
APR_DECLARE_EXTERNAL_HOOK(ai, AI, int, ai_attempt,
                          (ai_request_t * air, const ai_attempt_t *attempt, int over))

/*
 * For who watches: a brigade of a provider's answer, as the caller is about to get it, to be read and
 * left as it is; it has bytes that wait for nobody, and metadata. In the thread of the request. What
 * is returned means nothing, but must be OK or DECLINED.
 */
APR_DECLARE_EXTERNAL_HOOK(ai, AI, int, ai_observe, (ai_request_t * air, apr_bucket_brigade *bb))

/*
 * The request is settled: usage, finish and all notes are final. Once for every request of ours, on
 * every road: of an answer before its end goes down to the caller, who waits for as long as this
 * takes; of all else when httpd logs it. In the thread that has the request at that time. What is
 * returned means nothing, but must be OK or DECLINED.
 */
APR_DECLARE_EXTERNAL_HOOK(ai, AI, int, ai_settle, (ai_request_t * air))

/* --------------------------------------------------------------------------- metrics */

/* Somebody reads the metrics, in the thread of a request of his. */
typedef struct ai_scrape_t ai_scrape_t;
struct ai_scrape_t {
    request_rec *r;
    /* Shows a metric: what it is, and all that was measured of it. */
    void (*family)(ai_scrape_t *scrape, ai_metric_t *metric);
    /* Adds a series to the metric that was shown last, a counter or a gauge: for numbers that are kept
     * elsewhere, and are looked up now. */
    void (*sample)(ai_scrape_t *scrape, const char *const *values, apr_int64_t n);
};

/*
 * For who measures: each module shows its metrics, each once, and no others. It may look into files,
 * but waits for nobody, and holds no lock while it shows. What is returned means nothing, but must be
 * OK or DECLINED.
 */
APR_DECLARE_EXTERNAL_HOOK(ai, AI, int, ai_metrics, (ai_scrape_t * scrape))

/* Where ai_api_t's measure leads to: registered by mod_ai_status. */
APR_DECLARE_OPTIONAL_FN(void, ai_measure,
                        (ai_metric_t *metric, const char *const *values, apr_int64_t n));

#endif
