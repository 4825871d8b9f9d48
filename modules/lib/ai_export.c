/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_export.c - writes and reads the lines of an export.
 *
 * Reading is strict: a member that is not known, or one of another type, refuses the line, so that an
 * export says nothing that was not verified.
 *
 * Lives in: what is handed in.  Shared state: none.  May block: no.
 */
#include <apr_escape.h>
#include <apr_strings.h>

#include "ai_base64.h"
#include "ai_export.h"
#include "ai_word.h"
#include "ai_write.h"

#define DEPTH 64

/* ------------------------------------------------------------------------------- writing */

static void write_hex(ai_write_t *w, const char *before, const unsigned char *bytes, apr_size_t n)
{
    ai_write_copy(w, ai_slice_of(before));
    ai_write_copy(w, ai_slice_of(apr_pescape_hex(w->pool, bytes, n, 0)));
    ai_write_literal(w, "\"");
}

static void write_uuid(ai_write_t *w, const char *before, const ai_uuid_t *uuid)
{
    char text[AI_UUID_TEXT + 1];

    ai_uuid_text(uuid, text);
    ai_write_copy(w, ai_slice_of(before));
    ai_write_copy(w, ai_slice_of(text));
    ai_write_literal(w, "\"");
}

static void write_number(ai_write_t *w, const char *before, apr_int64_t number)
{
    ai_write_copy(w, ai_slice_of(before));
    ai_write_number(w, number);
}

static int is_none(const ai_uuid_t *uuid)
{
    static const ai_uuid_t none;

    return memcmp(uuid, &none, sizeof(none)) == 0;
}

ai_slice_t ai_export_segment(apr_pool_t *p, const ai_uuid_t *segment, const ai_spool_head_t *head)
{
    ai_write_t w;

    ai_write_begin(p, &w);
    write_uuid(&w, "{\"segment\":{\"id\":\"", segment);
    if (head->is_good) {
        ai_write_literal(&w, ",\"node\":");
        ai_write_quoted(&w, ai_slice_of(head->node));
        write_number(&w, ",\"pid\":", head->pid);
        write_number(&w, ",\"created\":", head->created);
        if (!is_none(&head->before)) {
            write_uuid(&w, ",\"previous\":\"", &head->before);
        }
        write_hex(&w, ",\"link\":\"", head->link, AI_SPOOL_DIGEST);
    }
    ai_write_literal(&w, "}}\n");
    return ai_write_flat(&w);
}

ai_slice_t ai_export_checkpoint(apr_pool_t *p, const char *text, const char *signature,
                                const char *signer)
{
    ai_write_t w;

    ai_write_begin(p, &w);
    ai_write_literal(&w, "{\"checkpoint\":");
    ai_write_quoted(&w, ai_slice_of(text));
    ai_write_literal(&w, ",\"signature\":");
    ai_write_quoted(&w, ai_slice_of(signature));
    ai_write_literal(&w, ",\"signer\":");
    ai_write_quoted(&w, ai_slice_of(signer));
    ai_write_literal(&w, "}\n");
    return ai_write_flat(&w);
}

/* Whether a body may stand in a line as it is, and comes back from there as it was. */
static int is_line(apr_pool_t *p, ai_slice_t body)
{
    ai_json_doc_t doc;
    ai_json_error_t err;

    return body.n && body.p[0] == '{' && !memchr(body.p, '\n', body.n)
           && !memchr(body.p, '\r', body.n)
           && ai_json_parse(p, body, DEPTH - 1, &doc, &err) == APR_SUCCESS
           && doc.root.n == body.n;
}

ai_slice_t ai_export_frame(apr_pool_t *p, const ai_uuid_t *segment, const ai_spool_frame_t *frame)
{
    ai_write_t w;

    ai_write_begin(p, &w);
    write_uuid(&w, "{\"frame\":{\"segment\":\"", segment);
    write_number(&w, ",\"sequence\":", (apr_int64_t)frame->sequence);
    write_number(&w, ",\"type\":", frame->type);
    write_number(&w, ",\"time\":", frame->time);
    write_uuid(&w, ",\"id\":\"", &frame->id);
    write_number(&w, ",\"length\":", (apr_int64_t)frame->length);
    write_hex(&w, ",\"digest\":\"", frame->digest, AI_SPOOL_DIGEST);
    write_hex(&w, ",\"chain\":\"", frame->chain, AI_SPOOL_DIGEST);
    if (frame->removed) {
        ai_write_literal(&w, ",\"removed\":true");
    }
    ai_write_literal(&w, "}");
    if (frame->body.p && is_line(p, frame->body)) {
        ai_write_literal(&w, ",\"record\":");
        ai_write_bytes(&w, frame->body);
    }
    else if (frame->body.p) {
        ai_write_literal(&w, ",\"body\":\"");
        ai_write_bytes(&w, ai_base64(p, frame->body));
        ai_write_literal(&w, "\"");
    }
    ai_write_literal(&w, "}\n");
    return ai_write_flat(&w);
}

/* ------------------------------------------------------------------------------- reading */

/* The values of an object's members, in the places of words[0..n). 0: one is not known, or what is
 * said to be an object is none. */
static int take(ai_slice_t object, const ai_slice_t *words, int n, ai_slice_t *found)
{
    ai_json_walk_t walk;
    ai_json_member_t member;
    int i, next;

    memset(found, 0, (apr_size_t)n * sizeof(*found));
    if (!ai_json_walk(&walk, object) || !walk.is_object) {
        return 0;
    }
    while ((next = ai_json_next(&walk, &member)) > 0) {
        i = ai_word_key(member.key, words, n);
        if (i < 0) {
            return 0;
        }
        found[i] = member.value;
    }
    return next == 0;
}

static int read_uuid(apr_pool_t *p, ai_slice_t value, ai_uuid_t *uuid)
{
    const char *text;

    return ai_json_string(p, value, &text, NULL) == APR_SUCCESS
           && ai_uuid_read(ai_slice_of(text), uuid);
}

static int read_digest(apr_pool_t *p, ai_slice_t value, unsigned char digest[AI_SPOOL_DIGEST])
{
    const char *text;
    apr_size_t n;

    return ai_json_string(p, value, &text, NULL) == APR_SUCCESS
           && strlen(text) == (apr_size_t)2 * AI_SPOOL_DIGEST
           && apr_unescape_hex(digest, text, 2 * AI_SPOOL_DIGEST, 0, &n) == APR_SUCCESS
           && n == AI_SPOOL_DIGEST;
}

static int read_number(ai_slice_t value, apr_int64_t most, apr_int64_t *number)
{
    return ai_json_int(value, number) == APR_SUCCESS && *number >= 0 && *number <= most;
}

static const char *read_segment(apr_pool_t *p, ai_slice_t value, ai_export_line_t *line)
{
    enum { ID, NODE, PID, CREATED, PREVIOUS, LINK, MEMBERS };
    static const ai_slice_t words[MEMBERS] = { AI_WORD("id"), AI_WORD("node"), AI_WORD("pid"),
                                               AI_WORD("created"), AI_WORD("previous"),
                                               AI_WORD("link") };
    ai_spool_head_t *head = &line->head;
    ai_slice_t found[MEMBERS];
    apr_int64_t pid, created;
    const char *node;

    if (!take(value, words, MEMBERS, found) || !read_uuid(p, found[ID], &line->segment)) {
        return "no segment";
    }
    if (!found[NODE].n && !found[PID].n && !found[CREATED].n && !found[LINK].n) {
        return NULL;
    }
    if (ai_json_string(p, found[NODE], &node, NULL) != APR_SUCCESS || strlen(node) > AI_SPOOL_NODE
        || !read_number(found[PID], 0xffffffff, &pid)
        || !read_number(found[CREATED], APR_INT64_MAX, &created)
        || !read_digest(p, found[LINK], head->link)
        || (found[PREVIOUS].n && !read_uuid(p, found[PREVIOUS], &head->before))) {
        return "no segment";
    }
    head->is_good = 1;
    head->pid = (apr_uint32_t)pid;
    head->created = created;
    memcpy(head->node, node, strlen(node));
    return NULL;
}

static const char *read_frame(apr_pool_t *p, ai_slice_t value, ai_export_line_t *line)
{
    enum { SEGMENT, SEQUENCE, TYPE, TIME, ID, LENGTH, DIGEST, CHAIN, REMOVED, MEMBERS };
    static const ai_slice_t words[MEMBERS] = { AI_WORD("segment"), AI_WORD("sequence"),
                                               AI_WORD("type"), AI_WORD("time"), AI_WORD("id"),
                                               AI_WORD("length"), AI_WORD("digest"),
                                               AI_WORD("chain"), AI_WORD("removed") };
    ai_spool_frame_t *frame = &line->frame;
    ai_slice_t found[MEMBERS];
    apr_int64_t sequence, type, length;

    if (!take(value, words, MEMBERS, found) || !read_uuid(p, found[SEGMENT], &line->segment)
        || !read_number(found[SEQUENCE], APR_INT64_MAX, &sequence)
        || !read_number(found[TYPE], 65535, &type) || type == 0
        || !read_number(found[TIME], APR_INT64_MAX, &frame->time)
        || !read_uuid(p, found[ID], &frame->id)
        || !read_number(found[LENGTH], (apr_int64_t)AI_SPOOL_BODY, &length)
        || !read_digest(p, found[DIGEST], frame->digest)
        || !read_digest(p, found[CHAIN], frame->chain)
        || (found[REMOVED].n && ai_json_type(found[REMOVED]) != AI_JSON_BOOL)) {
        return "no frame";
    }
    frame->sequence = (apr_uint64_t)sequence;
    frame->type = (int)type;
    frame->length = (apr_size_t)length;
    frame->removed = ai_json_bool(found[REMOVED], 0);
    return NULL;
}

static const char *read_checkpoint(apr_pool_t *p, const ai_slice_t *found, ai_export_line_t *line)
{
    return ai_json_string(p, found[0], &line->text, NULL) == APR_SUCCESS
                   && ai_json_string(p, found[1], &line->signature, NULL) == APR_SUCCESS
                   && ai_json_string(p, found[2], &line->signer, NULL) == APR_SUCCESS
               ? NULL
               : "no checkpoint";
}

static const char *read_body(apr_pool_t *p, ai_slice_t record, ai_slice_t body,
                             ai_spool_frame_t *frame)
{
    if (record.n && body.n) {
        return "a record and a body";
    }
    frame->body = record;
    if (body.n && (ai_json_type(body) != AI_JSON_STRING
                   || !ai_base64_read(p, (ai_slice_t){ body.p + 1, body.n - 2 }, &frame->body))) {
        return "a body that is no base64";
    }
    return NULL;
}

const char *ai_export_read(apr_pool_t *p, ai_slice_t text, ai_export_line_t *line)
{
    enum { CHECKPOINT, SIGNATURE, SIGNER, SEGMENT, FRAME, RECORD, BODY, MEMBERS };
    static const ai_slice_t words[MEMBERS] = { AI_WORD("checkpoint"), AI_WORD("signature"),
                                               AI_WORD("signer"), AI_WORD("segment"),
                                               AI_WORD("frame"), AI_WORD("record"),
                                               AI_WORD("body") };
    ai_slice_t found[MEMBERS];
    ai_json_doc_t doc;
    ai_json_error_t err;
    const char *wrong;
    int first;

    memset(line, 0, sizeof(*line));
    if (ai_json_parse(p, text, DEPTH, &doc, &err) != APR_SUCCESS) {
        return apr_psprintf(p, "no JSON at byte %" APR_SIZE_T_FMT ": %s", err.offset, err.reason);
    }
    if (!take(doc.root, words, MEMBERS, found) || !doc.n_members) {
        return "no line of an export: {\"segment\":...}, {\"checkpoint\":...} or {\"frame\":...}";
    }
    first = ai_word_key(doc.members[0].key, words, MEMBERS);
    line->kind = first == SEGMENT ? AI_EXPORT_SEGMENT
                 : first == CHECKPOINT ? AI_EXPORT_CHECKPOINT : AI_EXPORT_FRAME;
    if (first == SEGMENT && doc.n_members == 1) {
        return read_segment(p, found[SEGMENT], line);
    }
    if (first == CHECKPOINT && doc.n_members == 3 && found[SIGNATURE].n && found[SIGNER].n) {
        return read_checkpoint(p, found, line);
    }
    if (first == FRAME && doc.n_members == 1 + (found[RECORD].n > 0) + (found[BODY].n > 0)) {
        wrong = read_frame(p, found[FRAME], line);
        return wrong ? wrong : read_body(p, found[RECORD], found[BODY], &line->frame);
    }
    return "no line of an export: members that do not belong together";
}
