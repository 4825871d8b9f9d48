/* SPDX-License-Identifier: Apache-2.0 */
/* audit_private.h - what the files of audit/ share among themselves. */
#ifndef AUDIT_PRIVATE_H
#define AUDIT_PRIVATE_H

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "ai_audit_record.h"
#include "ai_conf.h"
#include "ai_value.h"
#include "audit_body.h"
#include "audit_policy.h"
#include "mod_ai.h"

extern AI_EXPORT module ai_audit_module;

/* AP_DECLARE_MODULE brings this itself, and both do not compile together. */
#ifndef AUDIT_HOLDS_MODULE_RECORD
APLOG_USE_MODULE(ai_audit);
#endif

/* The core's functions; set in post_config, before any request. */
extern const ai_api_t *audit_ai;

/* The main server's settings; as audit_ai. */
extern const struct audit_server_conf_t *audit_server;

/* ---------------------------------------------------------------- audit_directives.c */

/* What AIAuditFull says. */
typedef enum audit_full_e { AUDIT_FULL_REFUSE, AUDIT_FULL_DROP } audit_full_e;

/* Of the server process: the main server's. */
typedef struct audit_server_conf_t {
    const char *folder; /* AIAuditSpool; NULL: there is none */
    const char *node;   /* AIAuditNode, or the name of the host */
    apr_int64_t sync_ms;
    apr_int64_t full;
    apr_int64_t segment_size;
    apr_int64_t segment_age_ms;
    apr_int64_t ship;     /* audit_is_shipped() reads it */
    const char *pipe;     /* AIAuditPipe, without the "|"; NULL: none */
    const char *signing_key;    /* a path; NULL: nobody signs */
    apr_int64_t checkpoint_ms;
    apr_array_header_t *retain; /* of ai_attest_rule_t; NULL: all is kept */
} audit_server_conf_t;

/* Of a location. */
typedef struct audit_conf_t {
    apr_int64_t on;              /* audit_is_on() reads it */
    apr_int64_t feedback;        /* audit_takes_feedback() reads it */
    apr_array_header_t *headers; /* of const char *, lower case; NULL: none */
    audit_policy_t policy;
} audit_conf_t;

extern const command_rec audit_cmds[];
void *audit_server_conf_create(apr_pool_t *p, server_rec *s);
void *audit_conf_create(apr_pool_t *p, char *dir);
void *audit_conf_merge(apr_pool_t *p, void *base, void *add);

/* Before the configuration is read. */
void audit_conf_begin(void);
/* What one directive alone cannot tell; also for "httpd -t". OK, or it has been logged. */
int audit_conf_check(apr_pool_t *p, server_rec *s);
/* In the parent: makes the folder of the spool where there is none. OK, or it has been logged. */
int audit_folder_make(apr_pool_t *p, server_rec *s);

audit_server_conf_t *audit_server_conf(const server_rec *s);
/* What they say, or the defaults. */
int audit_is_on(const audit_conf_t *conf);
int audit_takes_feedback(const audit_conf_t *conf);
int audit_callers_count(const audit_conf_t *conf);
audit_keep_e audit_floor(const audit_conf_t *conf);
apr_size_t audit_body_limit(const audit_conf_t *conf);
apr_interval_time_t audit_sync_every(const audit_server_conf_t *conf); /* 0: before an answer's end */
audit_full_e audit_when_full(const audit_server_conf_t *conf);
apr_off_t audit_segment_size(const audit_server_conf_t *conf);
apr_interval_time_t audit_segment_age(const audit_server_conf_t *conf);
int audit_is_shipped(const audit_server_conf_t *conf);
apr_interval_time_t audit_checkpoint_every(const audit_server_conf_t *conf);

/* ---------------------------------------------------------------------- audit_call.c */

/* What is kept of a call while it goes on. */
typedef struct audit_call_t {
    const audit_conf_t *conf;
    ai_uuid_t id;
    int begun;                    /* 1: its begin is in the spool, and room promised for its end */
    int ended;                    /* 1: its end was given to the spool */
    int late;                     /* 1: the answer has gone, nobody waits for the disk */
    apr_array_header_t *attempts; /* those that are over, of ai_audit_attempt_t; or NULL */
    const ai_attempt_t *attempt;  /* the one that is under way, or NULL */
    apr_int64_t attempts_us;      /* time in those that are over */
    audit_body_t *body;           /* what is kept of its prompt and its answer */
    int has_metadata;             /* 1: that was read */
    ai_audit_record_t record;     /* what is known; its texts live as long as the request */
} audit_call_t;

/* That of a request, made on first demand; NULL where nothing is recorded. */
audit_call_t *audit_call_of(ai_request_t *air);
/* An attempt begins, or is over. */
void audit_call_attempt(audit_call_t *call, const ai_request_t *air, const ai_attempt_t *attempt,
                        int over);
/* Puts into the record what is known before anything goes upstream; and all there is to say. */
void audit_call_begin(audit_call_t *call, ai_request_t *air);
void audit_call_end(audit_call_t *call, ai_request_t *air);

/* --------------------------------------------------------------------- audit_spool.c */

/* Opens this child's spool and begins to sync it. In child_init, after the fork. */
void audit_spool_start(apr_pool_t *pchild, server_rec *s);

/* Appends the begin of a call, and has room promised for its end. An error: it is not there. Of any
 * thread; may wait for the disk when a segment begins. */
apr_status_t audit_spool_begin(const ai_uuid_t *id, ai_slice_t json);

/* Appends the end of a call; one that cannot be appended is kept and tried again. promised: a begin
 * is there. on_disk: returns only when it is on the disk, or that cannot be had. */
void audit_spool_end(const ai_uuid_t *id, ai_slice_t json, int promised, int on_disk);

/* Appends a part of a call's prompt or answer, of at most AI_AUDIT_MOST bytes. An error: it is not
 * there. */
apr_status_t audit_spool_part(const ai_uuid_t *id, int type, ai_slice_t part);

/* Appends a note, and where answers wait for the disk returns only when it is there. An error: it is
 * not there, or may not be. */
apr_status_t audit_spool_note(const ai_uuid_t *id, ai_slice_t json);

/* A call whose begin is there will have no end. */
void audit_spool_forget(void);

/* ------------------------------------------------------------------- audit_metrics.c */

/* What became of n records, "begin" or "end": "written"; "refused" (an end is held then, and tried
 * again), "saved" after that, or "lost". */
void audit_metrics_records(const char *type, const char *result, apr_uint64_t n);
/* The disk may have lost what was given to it. */
void audit_metrics_sync_failed(void);
/* Something happened while records were shipped, in a word; records were shipped, "shipped",
 * "refused" by the database or "estimated". */
void audit_metrics_ship_event(const char *event);
void audit_metrics_shipped(const char *result, apr_uint64_t n);
void audit_metrics_register(void);

/* -------------------------------------------------------------------- audit_attest.c */

const char *audit_set_signing_key(cmd_parms *cmd, void *dir, const char *arg);
const char *audit_set_retain(cmd_parms *cmd, void *dir, const char *span, const char *second,
                             const char *third);

/* Whether the key that signs can be read; also for "httpd -t". OK, or it has been logged. */
int audit_attest_check(apr_pool_t *p, server_rec *s);
/* Reads it, in the parent. OK, or it has been logged. */
int audit_attest_prepare(apr_pool_t *pconf, server_rec *s);
/* What the child that ships does beside, in a pool of its thread's own. There must be a database.
 * NULL: there is no memory. */
struct ai_attest_t *audit_attest_open(apr_pool_t *p, server_rec *s);

/* ---------------------------------------------------------------------- audit_ship.c */

/* Whether what only shipping does has all that shipping takes. OK, or it has been logged. */
int audit_ship_check(server_rec *s);

/* In the parent: starts the program of AIAuditPipe, which httpd then keeps running; says where
 * records stay in the spool. OK, or it has been logged. */
int audit_ship_prepare(apr_pool_t *pconf, server_rec *s);

/* Begins to ship from the spool's folder into AIDatabase, whenever no other process does. In
 * child_init. */
void audit_ship_start(apr_pool_t *pchild, server_rec *s);

#endif
