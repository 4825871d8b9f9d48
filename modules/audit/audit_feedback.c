/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_feedback.c - what does a caller think of an answer?
 *
 * A path below the API's root and no place of its own, so that it takes the same keys and the same
 * Require as the calls do, and clients need no second base URL. It becomes a note in the spool, with
 * the caller's names; whether the call is his, and there at all, is seen where both are read.
 *
 * Lives in: r->pool.  Shared state: the spool.  May block: on the disk.
 */

#include <apr_strings.h>
#include <http_request.h>

#include "audit_feedback.h"
#include "audit_private.h"

/* The longest body, id and comment. */
#define BODY_MOST 8192
#define ID_MOST 128
#define COMMENT_MOST 2000
#define SCORE_MOST 1000000

/* The path; POST, or PATCH as Cloudflare has it. */
#define PATH "/feedback"

static int refuse(ai_request_t *air, int status, const char *code, const char *param,
                  const char *message)
{
    ai_error_t *error = apr_palloc(air->r->pool, sizeof(*error));

    *error = (ai_error_t){ status, code, message, param };
    return audit_ai->refuse(air, error);
}

static int refuse_field(ai_request_t *air, const char *param, const char *allowed)
{
    return refuse(air, HTTP_BAD_REQUEST, "invalid_value", param,
                  apr_psprintf(air->r->pool, "The field '%s' must be %s.", param, allowed));
}

/* OK, or a refusal. */
static int read_members(ai_request_t *air, const ai_json_doc_t *doc, ai_audit_note_t *note)
{
    ai_slice_t feedback = ai_json_doc_get(doc, "feedback"), score = ai_json_doc_get(doc, "score"),
               comment = ai_json_doc_get(doc, "comment");
    apr_int64_t n;

    if (ai_json_string(air->r->pool, ai_json_doc_get(doc, "id"), &note->id, NULL) != APR_SUCCESS
        || !*note->id || strlen(note->id) > ID_MOST) {
        return refuse_field(air, "id", "the id of a call, as its answer has it in x-request-id");
    }
    if (ai_json_type(feedback) > AI_JSON_NULL) {
        if (ai_json_int(feedback, &n) != APR_SUCCESS || n < -1 || n > 1) {
            return refuse_field(air, "feedback", "-1, 0 or 1");
        }
        note->has_feedback = 1;
        note->feedback = (int)n;
    }
    if (ai_json_type(score) > AI_JSON_NULL) {
        if (ai_json_int(score, &n) != APR_SUCCESS || n < 0 || n > SCORE_MOST) {
            return refuse_field(air, "score", "a whole number from 0 to 1000000");
        }
        note->score = n;
    }
    if (ai_json_type(comment) > AI_JSON_NULL
        && (ai_json_string(air->r->pool, comment, &note->comment, NULL) != APR_SUCCESS
            || strlen(note->comment) > COMMENT_MOST)) {
        return refuse_field(air, "comment", "a text of at most 2000 bytes");
    }
    if (!note->has_feedback && note->score < 0 && !note->comment) {
        return refuse_field(air, "feedback", "there, or 'score' or 'comment'");
    }
    return OK;
}

/* What was sent, checked. OK, or a refusal. */
static int read_note(ai_request_t *air, ai_audit_note_t *note)
{
    ai_slice_t body = audit_ai->body(air);
    ai_json_error_t wrong;
    ai_json_doc_t doc;

    if (body.n > BODY_MOST) {
        return refuse(air, HTTP_REQUEST_ENTITY_TOO_LARGE, "request_too_large", NULL,
                      "Feedback has at most 8192 bytes.");
    }
    if (ai_json_parse(air->r->pool, body, 4, &doc, &wrong) != APR_SUCCESS
        || ai_json_type(doc.root) != AI_JSON_OBJECT) {
        return refuse(air, HTTP_BAD_REQUEST, "invalid_json", NULL,
                      "The request body must be a JSON object.");
    }
    return read_members(air, &doc, note);
}

static const char *name_of(const ai_request_t *air, ai_note_e note)
{
    return audit_ai->note_get(air, note);
}

/* Puts it into the spool. */
static int keep(ai_request_t *air, ai_audit_note_t *note)
{
    char json[AI_AUDIT_NOTE_MAX];
    ai_slice_t text = { json, 0 };
    ai_uuid_t id;

    note->time = apr_time_now();
    note->tenant = name_of(air, AI_NOTE_TENANT);
    note->user = name_of(air, AI_NOTE_USER);
    note->user = note->user ? note->user : air->r->user;
    note->key = name_of(air, AI_NOTE_KEY_ID);
    text.n = ai_audit_note_write(note, json, sizeof(json));
    if (!ai_audit_call_id(note->id, &id) || audit_spool_note(&id, text) != APR_SUCCESS) {
        return refuse(air, HTTP_SERVICE_UNAVAILABLE, "audit_unavailable", NULL,
                      "This gateway cannot record feedback now; try again later.");
    }
    air->r->status = HTTP_NO_CONTENT;
    air->answered = 1;
    return DONE;
}

int audit_feedback_take(ai_request_t *air)
{
    const audit_conf_t *conf = ap_get_module_config(air->r->per_dir_config, &ai_audit_module);
    ai_audit_note_t note;
    int status;

    if (air->endpoint != AI_ENDPOINT_OTHER || strcmp(air->path, PATH) != 0
        || !audit_takes_feedback(conf)) {
        return DECLINED; /* AIAudit Off is no reason to let a comment go to a provider */
    }
    if (air->r->method_number != M_POST && air->r->method_number != M_PATCH) {
        ap_allow_methods(air->r, REPLACE_ALLOW, "POST", "PATCH", NULL);
        return refuse(air, HTTP_METHOD_NOT_ALLOWED, "method_not_allowed", NULL,
                      "This path takes POST and PATCH only.");
    }
    ai_audit_note_clear(&note);
    status = read_note(air, &note);
    return status == OK ? keep(air, &note) : status;
}
