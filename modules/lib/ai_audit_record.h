/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_audit_record.h - what is written of a call: as a struct, and as the JSON of its records.
 *
 * docs/design/0007-audit.md has the members and their meaning. A begin tells what is known before
 * anything goes upstream, an end all, a note what somebody says of the call later.
 *
 * Texts are NUL-terminated, NULL where they are not known. Numbers are AI_AUDIT_UNKNOWN where they
 * are not known, and else not negative.
 */
#ifndef AI_AUDIT_RECORD_H
#define AI_AUDIT_RECORD_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "ai_chat.h"
#include "ai_json.h"
#include "ai_slice.h"
#include "ai_uuid.h"

#define AI_AUDIT_UNKNOWN (-1)

/* Types of records that are a call's bodies; the others are those of ai_spool_type_e. */
#define AI_AUDIT_PROMPT 16
#define AI_AUDIT_ANSWER 17

/* No record is longer, in bytes; so it fits into a column of any database, packed and in base64. */
#define AI_AUDIT_MOST 49152
/* Nor is a begin, an end, a note longer than this; an end of this length is what a begin promises
 * room for. */
#define AI_AUDIT_BEGIN_MAX 8192
#define AI_AUDIT_END_MAX 24576
#define AI_AUDIT_NOTE_MAX 4096

/* A member of metadata, headers, notes. */
typedef struct ai_audit_pair_t {
    const char *name;
    const char *value;   /* a number or true or false as JSON has it */
    ai_json_type_e type; /* AI_JSON_STRING, _NUMBER or _BOOL */
} ai_audit_pair_t;

/* Of two with one name the first counts. */
typedef struct ai_audit_pairs_t {
    const ai_audit_pair_t *list;
    int n;
} ai_audit_pairs_t;

typedef struct ai_audit_attempt_t {
    const char *target;
    const char *model;  /* as it was sent */
    apr_int64_t status; /* of the provider's answer; 0: none came */
    const char *reason; /* NULL where it went well */
    apr_int64_t us;
} ai_audit_attempt_t;

/* Of a prompt or an answer. */
typedef struct ai_audit_body_t {
    apr_int64_t bytes;
    const char *sha256; /* in hex */
    const char *kept;   /* "meta", "redacted", "full" */
    apr_int64_t parts;  /* records that hold it */
    const char *lost;   /* why it is not all there */
} ai_audit_body_t;

typedef struct ai_audit_record_t {
    const char *id;  /* as the caller has it, in x-request-id */
    apr_time_t time; /* when the request came */
    const char *node;
    const char *server;
    const char *tenant;
    const char *user;
    const char *key;
    const char *tier;
    const char *label;
    const char *address;
    const char *method;
    const char *path;
    const char *endpoint;
    const char *dialect;
    const char *model;
    int stream; /* 1: one was asked for */
    struct {
        apr_int64_t prompt;
        apr_int64_t completion;
    } reserved; /* tokens */
    const char *served;
    const char *route;
    const char *target;
    const char *provider_id;
    struct {
        const ai_audit_attempt_t *list;
        int n;
    } attempts;
    const char *cache;
    const char *guard;
    const char *limit;
    apr_int64_t status;
    const char *deny;
    const char *finish;
    const char *dropped;
    struct {
        ai_usage_t used;     /* its service is not read, nor written */
        const char *service; /* the provider's, where it is not the usual one */
        const char *source;
    } tokens;
    struct {
        apr_int64_t nanousd;
        const char *price;
        apr_int64_t saved;
    } cost;
    struct {
        apr_int64_t head;
        apr_int64_t first;
        apr_int64_t upstream;
        apr_int64_t overhead;
        apr_int64_t total;
    } us;
    ai_audit_body_t prompt;
    ai_audit_body_t answer;
    ai_audit_pairs_t metadata;
    ai_audit_pairs_t headers;
    ai_audit_pairs_t notes;
    struct {
        const char *id;
        const char *span;
        const char *parent;
    } trace;
    const char *road; /* a JSON array of at most 8192 bytes, as it is */
    /* Read only: the names of lists that were too long for the record, joined by ','. */
    const char *cut;
} ai_audit_record_t;

typedef struct ai_audit_note_t {
    const char *id; /* the call's */
    apr_time_t time;
    const char *tenant;
    const char *user;
    const char *key;
    int has_feedback;
    int feedback; /* -1, 0, 1 */
    apr_int64_t score;
    const char *comment;
} ai_audit_note_t;

/* A record of which nothing is known. */
void ai_audit_record_clear(ai_audit_record_t *record);
void ai_audit_note_clear(ai_audit_note_t *note);

/*
 * Writes the JSON of a begin, an end or a note into size bytes; how many it took. It is a whole
 * object whatever the texts hold: bytes that are not UTF-8 become U+FFFD, a text that is too long
 * ends with U+2026, of a list that is too long its first members are there (of attempts the last one
 * as well), and its name stands in the member "cut". size: at least 512; with AI_AUDIT_BEGIN_MAX,
 * AI_AUDIT_END_MAX and AI_AUDIT_NOTE_MAX nothing else is left out. Allocates nothing. Thread-safe.
 */
apr_size_t ai_audit_begin_write(const ai_audit_record_t *record, char *json, apr_size_t size);
apr_size_t ai_audit_end_write(const ai_audit_record_t *record, char *json, apr_size_t size);
apr_size_t ai_audit_note_write(const ai_audit_note_t *note, char *json, apr_size_t size);

/*
 * Reads the JSON of a begin or an end; of a note. What is read lies in p, and nothing of it in json.
 * Members that are not known are passed over. APR_EINVAL and *wrong, in p: json is no such record
 * (no JSON, another version, a member of another type, no id or time, more than AI_AUDIT_MOST bytes).
 * Thread-safe.
 */
apr_status_t ai_audit_record_read(apr_pool_t *p, ai_slice_t json, ai_audit_record_t *record,
                                  const char **wrong);
apr_status_t ai_audit_note_read(apr_pool_t *p, ai_slice_t json, ai_audit_note_t *note,
                                const char **wrong);

/*
 * The id that all records of a call have, made from its request id: that itself where it is a UUID.
 * Any other text (mod_unique_id's) gives a UUID of version 8 from its SHA-256, always the same. 1, or
 * 0 when OpenSSL failed. Thread-safe.
 */
int ai_audit_call_id(const char *request_id, ai_uuid_t *id);

#endif
