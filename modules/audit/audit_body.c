/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_body.c - what is kept of a call's prompt and answer?
 *
 * A prompt is there as a whole when it is looked at. An answer passes: its length and digest are made on
 * the way, and of one that is kept as it is not more than one part is held. One that is kept redacted
 * is held, up to AIAuditBodyLimit, since it must never lie on a disk as it was; a stream is put
 * together first (audit_whole.c).
 *
 * Lives in: r->pool, the system's memory.  Shared state: the spool.  May block: on the disk.
 */

#include <apr_strings.h>

#include "ai_buffer.h"
#include "ai_digest.h"
#include "audit_body.h"
#include "audit_private.h"
#include "audit_whole.h"

/* A prompt, or an answer. */
typedef struct side_t {
    int type;          /* of its records */
    audit_keep_e keep;
    EVP_MD_CTX *digest;
    apr_int64_t bytes;
    apr_int64_t kept;  /* bytes that were given to the spool, or wait in held */
    apr_int64_t parts; /* records that the spool took */
    const char *lost;
    ai_buffer_t held;
} side_t;

struct audit_body_t {
    apr_pool_t *pool;
    ai_uuid_t id;
    int is_decided;
    audit_keep_e keep;
    apr_size_t limit;
    int has_prompt;        /* 1: it was looked at */
    int has_answer;        /* 1: it began */
    side_t prompt;
    side_t answer;
    audit_whole_t *whole;  /* of an answer that is a stream and kept redacted */
};

static apr_status_t forget(void *data)
{
    audit_body_t *body = data;

    EVP_MD_CTX_free(body->answer.digest);
    body->answer.digest = NULL;
    ai_buffer_free(&body->answer.held);
    return APR_SUCCESS;
}

audit_body_t *audit_body_make(ai_request_t *air, const ai_uuid_t *id)
{
    audit_body_t *body = apr_pcalloc(air->r->pool, sizeof(*body));

    body->pool = air->r->pool;
    body->id = *id;
    body->prompt.type = AI_AUDIT_PROMPT;
    body->answer.type = AI_AUDIT_ANSWER;
    apr_pool_cleanup_register(body->pool, body, forget, apr_pool_cleanup_null);
    return body;
}

static audit_keep_e decide(audit_body_t *body, ai_request_t *air)
{
    if (!body->is_decided) {
        body->is_decided = 1;
        body->keep = audit_policy_decide(air);
        body->limit = audit_policy_limit(air);
    }
    return body->keep;
}

/* ------------------------------------------------------------------------------------ parts */

/* Appends one part. What was not taken leaves no gap: nothing behind it is kept either. */
static void append(const audit_body_t *body, side_t *side, ai_slice_t part)
{
    if (!part.n || (side->lost && strcmp(side->lost, "disk") == 0)) {
        return;
    }
    if (audit_spool_part(&body->id, side->type, part) == APR_SUCCESS) {
        side->parts++;
    }
    else {
        side->lost = "disk";
    }
}

/* Appends a text in parts, up to the limit. */
static void append_all(const audit_body_t *body, side_t *side, ai_slice_t text)
{
    apr_size_t n = text.n < body->limit ? text.n : body->limit, at, part;

    if (text.n > n && !side->lost) {
        side->lost = "limit";
    }
    for (at = 0; at < n; at += part) {
        part = n - at < AI_AUDIT_MOST ? n - at : AI_AUDIT_MOST;
        append(body, side, (ai_slice_t){ text.p + at, part });
    }
}

/* Appends a text without what is nobody's business. is_cut: it is not all there. */
static void append_redacted(const audit_body_t *body, side_t *side, const ai_request_t *air,
                            ai_slice_t text, int is_cut)
{
    ai_buffer_t out = { NULL, 0, 0 };
    apr_size_t found = 0;

    if (ai_redact_body(audit_policy_redact(air), body->pool, text, &out, &found) != APR_SUCCESS) {
        side->lost = "memory";
    }
    else {
        out.n = !is_cut ? out.n : out.n > AUDIT_EDGE ? out.n - AUDIT_EDGE : 0;
        append_all(body, side, (ai_slice_t){ out.p, out.n });
    }
    ai_buffer_free(&out);
}

/* What a record says of it. sha256: of all its bytes, or NULL. */
static void say(const audit_body_t *body, const side_t *side, const unsigned char *sha256,
                ai_audit_body_t *said)
{
    char *hex;

    *said = (ai_audit_body_t){ side->bytes, NULL, audit_keep_words[side->keep], side->parts,
                               side->lost };
    if (sha256) {
        hex = apr_palloc(body->pool, 2 * AI_DIGEST + 1);
        ai_digest_hex(sha256, hex);
        said->sha256 = hex;
    }
    if (side->keep == AUDIT_KEEP_META) {
        said->parts = AI_AUDIT_UNKNOWN;
    }
}

/* ----------------------------------------------------------------------------------- prompt */

/* How long a body is that is not held, as its sender says. */
static apr_int64_t length_of(const request_rec *r)
{
    const char *text = apr_table_get(r->headers_in, "Content-Length");
    apr_off_t n;

    return text && ap_parse_strict_length(&n, text) ? (apr_int64_t)n : AI_AUDIT_UNKNOWN;
}

static int is_form(const request_rec *r)
{
    const char *type = apr_table_get(r->headers_in, "Content-Type");

    return type && ap_cstr_casecmpn(type, "multipart/", 10) == 0;
}

/* Why it cannot be kept, or NULL. */
static const char *hindrance(const audit_body_t *body, const ai_request_t *air, ai_slice_t bytes)
{
    if (!bytes.n) {
        return is_form(air->r) ? "form" : "unread";
    }
    if (!audit_ai->known(air)) {
        return "unknown"; /* nobody fills the disk before he has said who he is */
    }
    if (body->keep == AUDIT_KEEP_REDACTED
        && (is_form(air->r) || memchr(bytes.p, '\0', bytes.n))) {
        return "form"; /* with files in it; no text has a NUL */
    }
    return NULL;
}

void audit_body_prompt(audit_body_t *body, ai_request_t *air, ai_audit_body_t *said)
{
    side_t *side = &body->prompt;
    ai_slice_t bytes = audit_ai->body(air);
    unsigned char sha256[AI_DIGEST];
    int has_digest;

    if (body->has_prompt || decide(body, air) == AUDIT_KEEP_NONE) {
        return;
    }
    body->has_prompt = 1;
    side->keep = body->keep;
    side->bytes = bytes.n ? (apr_int64_t)bytes.n : length_of(air->r);
    if (side->bytes <= 0) {
        return; /* there is none */
    }
    has_digest = bytes.n && ai_digest(bytes, sha256);
    if (side->keep > AUDIT_KEEP_META) {
        side->lost = hindrance(body, air, bytes);
        side->keep = side->lost ? AUDIT_KEEP_META : side->keep;
    }
    if (side->keep == AUDIT_KEEP_FULL) {
        append_all(body, side, bytes);
    }
    else if (side->keep == AUDIT_KEEP_REDACTED) {
        side->lost = bytes.n > body->limit ? "limit" : NULL;
        bytes.n = side->lost ? body->limit : bytes.n;
        append_redacted(body, side, air, bytes, side->lost != NULL);
    }
    say(body, side, has_digest ? sha256 : NULL, said);
}

/* ----------------------------------------------------------------------------------- answer */

static int type_is(const request_rec *r, const char *type)
{
    return r->content_type && ap_cstr_casecmpn(r->content_type, type, strlen(type)) == 0;
}

/* Whether it can be looked into. mod_proxy leaves a provider's coding among the headers. */
static int is_readable(const request_rec *r)
{
    apr_size_t n = r->content_type ? strcspn(r->content_type, "; ") : 0;
    const char *coding = r->content_encoding ? r->content_encoding
                                             : apr_table_get(r->headers_out, "Content-Encoding");

    if (coding && ap_cstr_casecmp(coding, "identity") != 0) {
        return 0;
    }
    return type_is(r, "text/") || type_is(r, "application/json")
           || type_is(r, "application/x-ndjson") || type_is(r, "application/jsonl")
           || (n > 5 && ap_cstr_casecmpn(r->content_type + n - 5, "+json", 5) == 0);
}

static void begin_answer(audit_body_t *body, ai_request_t *air)
{
    side_t *side = &body->answer;

    body->has_answer = 1;
    side->keep = decide(body, air);
    if (side->keep == AUDIT_KEEP_NONE) {
        return;
    }
    side->digest = EVP_MD_CTX_new();
    if (side->digest && !EVP_DigestInit_ex2(side->digest, ai_digest_method(), NULL)) {
        EVP_MD_CTX_free(side->digest);
        side->digest = NULL;
    }
    if (side->keep != AUDIT_KEEP_REDACTED) {
        return;
    }
    if (!is_readable(air->r)) {
        side->lost = "form";
        side->keep = AUDIT_KEEP_META;
    }
    else if (type_is(air->r, "text/event-stream")) {
        body->whole = audit_whole_begin(body->pool, air->dialect, air->endpoint, body->limit);
    }
}

/* Holds bytes, as far as they are kept at all; a part that is full goes into the spool. */
static void hold(audit_body_t *body, const char *bytes, apr_size_t n)
{
    side_t *side = &body->answer;
    apr_size_t left = body->limit - (apr_size_t)side->kept;
    apr_size_t most = side->keep == AUDIT_KEEP_FULL ? AI_AUDIT_MOST : body->limit;

    if (n > left && !side->lost) {
        side->lost = "limit";
    }
    n = n < left ? n : left;
    while (n) {
        apr_size_t piece = most - side->held.n < n ? most - side->held.n : n;

        if (ai_buffer_append(&side->held, bytes, piece) != APR_SUCCESS) {
            side->lost = "memory";
            return;
        }
        side->kept += (apr_int64_t)piece;
        bytes += piece;
        n -= piece;
        if (side->held.n == AI_AUDIT_MOST && side->keep == AUDIT_KEEP_FULL) {
            append(body, side, (ai_slice_t){ side->held.p, side->held.n });
            side->held.n = 0;
        }
    }
}

void audit_body_observe(audit_body_t *body, ai_request_t *air, apr_bucket_brigade *bb)
{
    side_t *side = &body->answer;
    const char *bytes;
    apr_bucket *b;
    apr_size_t n;

    if (!body->has_answer) {
        begin_answer(body, air);
    }
    if (side->keep == AUDIT_KEEP_NONE) {
        return;
    }
    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = APR_BUCKET_NEXT(b)) {
        if (APR_BUCKET_IS_METADATA(b)
            || apr_bucket_read(b, &bytes, &n, APR_BLOCK_READ) != APR_SUCCESS) {
            continue;
        }
        side->bytes += (apr_int64_t)n;
        if (side->digest && !EVP_DigestUpdate(side->digest, bytes, n)) {
            EVP_MD_CTX_free(side->digest);
            side->digest = NULL;
        }
        if (body->whole) {
            audit_whole_feed(body->whole, bytes, n);
        }
        else if (side->keep > AUDIT_KEEP_META && (!side->lost || strcmp(side->lost, "limit") == 0)) {
            hold(body, bytes, n);
        }
    }
}

/* Whether there was more of it, which is not here, or which nobody has seen. */
static int is_cut(const side_t *side, const ai_request_t *air)
{
    return side->lost || air->finish == AI_FINISH_ERROR || air->finish == AI_FINISH_CLIENT_ABORT;
}

/* A stream as the whole answer that it came to. */
static void append_whole(audit_body_t *body, ai_request_t *air)
{
    ai_answer_t answer = { audit_ai->note_get(air, AI_NOTE_REQUEST_ID),
                           air->ask.model ? air->ask.model : "",
                           apr_time_sec(air->r->request_time), 1, 0 };
    side_t *side = &body->answer;
    apr_pool_t *scratch;
    ai_slice_t text;

    if (apr_pool_create(&scratch, body->pool) != APR_SUCCESS) {
        side->lost = "memory";
        return;
    }
    text = audit_whole_end(body->whole, scratch, &answer, is_cut(side, air), &side->lost);
    append_redacted(body, side, air, text, side->lost != NULL);
    audit_whole_free(body->whole);
    body->whole = NULL;
    apr_pool_destroy(scratch);
}

void audit_body_answer(audit_body_t *body, ai_request_t *air, ai_audit_body_t *said)
{
    side_t *side = &body->answer;
    unsigned char sha256[EVP_MAX_MD_SIZE];
    int has_digest;

    if (!body->has_answer || side->keep == AUDIT_KEEP_NONE) {
        return;
    }
    if (body->whole) {
        append_whole(body, air);
    }
    else if (side->keep == AUDIT_KEEP_REDACTED) {
        append_redacted(body, side, air, (ai_slice_t){ side->held.p, side->held.n },
                        is_cut(side, air));
    }
    else if (side->keep == AUDIT_KEEP_FULL) {
        append(body, side, (ai_slice_t){ side->held.p, side->held.n });
    }
    has_digest = side->digest && EVP_DigestFinal_ex(side->digest, sha256, NULL);
    say(body, side, has_digest ? sha256 : NULL, said);
    apr_pool_cleanup_run(body->pool, body, forget);
}
