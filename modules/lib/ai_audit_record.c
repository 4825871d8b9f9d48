/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_audit_record.c - what stands in a record, in which order, and how long may it be?
 *
 * The longest texts and lists add up to less than the longest record (test_ai_audit_record).
 */
#include <stddef.h>

#include "ai_audit_member.h"
#include "ai_digest.h"

/* What AI_AUDIT_LIST and _PAIRS take for granted. */
_Static_assert(sizeof(ai_audit_list_t) == sizeof(ai_audit_pairs_t), "a pointer and a number");

#define NAME(text) { "\"" text "\":", sizeof(text) + 2 }
#define FULL(type, at, name, kind, most, begin, of) \
    { NAME(name), kind, offsetof(type, at), most, begin, of }
#define OF(type, at, name, kind, most) FULL(type, at, name, kind, most, 1, NULL)
#define SHAPE_OF(list, type, whole) \
    { list, (int)(sizeof(list) / sizeof(list[0])), sizeof(type), whole }
#define SHAPE(list, type) SHAPE_OF(list, type, 0)

/* clang-format off */
static const ai_audit_member_t attempt_members[] = {
    OF(ai_audit_attempt_t, target, "target", AI_AUDIT_TEXT, 64),
    OF(ai_audit_attempt_t, model, "model", AI_AUDIT_TEXT, 256),
    OF(ai_audit_attempt_t, status, "status", AI_AUDIT_COUNT, 0),
    OF(ai_audit_attempt_t, reason, "reason", AI_AUDIT_TEXT, 64),
    OF(ai_audit_attempt_t, us, "us", AI_AUDIT_COUNT, 0),
};
static const ai_audit_shape_t attempt_shape = SHAPE(attempt_members, ai_audit_attempt_t);

static const ai_audit_member_t body_members[] = {
    OF(ai_audit_body_t, bytes, "bytes", AI_AUDIT_COUNT, 0),
    OF(ai_audit_body_t, sha256, "sha256", AI_AUDIT_TEXT, 64),
    OF(ai_audit_body_t, kept, "kept", AI_AUDIT_TEXT, 16),
    OF(ai_audit_body_t, parts, "parts", AI_AUDIT_COUNT, 0),
    OF(ai_audit_body_t, lost, "lost", AI_AUDIT_TEXT, 64),
};
static const ai_audit_shape_t body_shape = SHAPE(body_members, ai_audit_body_t);

/* Of the record's own structs, which have no names: their places are counted in the record. */
#define IN(at, name, kind, most) OF(ai_audit_record_t, at, name, kind, most)

static const ai_audit_member_t reserved_members[] = {
    IN(reserved.prompt, "prompt", AI_AUDIT_COUNT, 0),
    IN(reserved.completion, "completion", AI_AUDIT_COUNT, 0),
};
static const ai_audit_shape_t reserved_shape = SHAPE(reserved_members, ai_audit_record_t);

static const ai_audit_member_t tokens_members[] = {
    IN(tokens.used.prompt, "prompt", AI_AUDIT_COUNT, 0),
    IN(tokens.used.completion, "completion", AI_AUDIT_COUNT, 0),
    IN(tokens.used.cached, "cached", AI_AUDIT_COUNT, 0),
    IN(tokens.used.reasoning, "reasoning", AI_AUDIT_COUNT, 0),
    IN(tokens.used.written, "written", AI_AUDIT_COUNT, 0),
    IN(tokens.used.written_1h, "written_1h", AI_AUDIT_COUNT, 0),
    IN(tokens.used.prompt_audio, "prompt_audio", AI_AUDIT_COUNT, 0),
    IN(tokens.used.prompt_image, "prompt_image", AI_AUDIT_COUNT, 0),
    IN(tokens.used.completion_audio, "completion_audio", AI_AUDIT_COUNT, 0),
    IN(tokens.used.completion_image, "completion_image", AI_AUDIT_COUNT, 0),
    IN(tokens.used.searches, "searches", AI_AUDIT_COUNT, 0),
    IN(tokens.used.seconds, "seconds", AI_AUDIT_COUNT, 0),
    IN(tokens.used.images, "images", AI_AUDIT_COUNT, 0),
    IN(tokens.used.characters, "characters", AI_AUDIT_COUNT, 0),
    IN(tokens.service, "service", AI_AUDIT_TEXT, 32),
    IN(tokens.source, "source", AI_AUDIT_TEXT, 32),
};
static const ai_audit_shape_t tokens_shape = SHAPE(tokens_members, ai_audit_record_t);

static const ai_audit_member_t cost_members[] = {
    IN(cost.nanousd, "nanousd", AI_AUDIT_COUNT, 0),
    IN(cost.price, "price", AI_AUDIT_TEXT, 128),
    IN(cost.saved, "saved", AI_AUDIT_COUNT, 0),
};
static const ai_audit_shape_t cost_shape = SHAPE(cost_members, ai_audit_record_t);

static const ai_audit_member_t us_members[] = {
    IN(us.head, "head", AI_AUDIT_COUNT, 0),
    IN(us.first, "first", AI_AUDIT_COUNT, 0),
    IN(us.upstream, "upstream", AI_AUDIT_COUNT, 0),
    IN(us.overhead, "overhead", AI_AUDIT_COUNT, 0),
    IN(us.total, "total", AI_AUDIT_COUNT, 0),
};
static const ai_audit_shape_t us_shape = SHAPE(us_members, ai_audit_record_t);

static const ai_audit_member_t trace_members[] = {
    IN(trace.id, "id", AI_AUDIT_TEXT, 32),
    IN(trace.span, "span", AI_AUDIT_TEXT, 16),
    IN(trace.parent, "parent", AI_AUDIT_TEXT, 16),
};
static const ai_audit_shape_t trace_shape = SHAPE(trace_members, ai_audit_record_t);

#define BEGIN(at, name, kind, most) FULL(ai_audit_record_t, at, name, kind, most, 1, NULL)
#define END(at, name, kind, most) FULL(ai_audit_record_t, at, name, kind, most, 0, NULL)
/* A struct without a name begins where the record does: its members say where they are. */
#define PART(name, begin, of) { NAME(name), AI_AUDIT_OBJECT, 0, 0, begin, of }

static const ai_audit_member_t record_members[] = {
    BEGIN(id, "v", AI_AUDIT_VERSION, 0),
    BEGIN(id, "id", AI_AUDIT_TEXT, 128),
    BEGIN(time, "time", AI_AUDIT_TIME, 0),
    BEGIN(node, "node", AI_AUDIT_TEXT, 64),
    BEGIN(server, "server", AI_AUDIT_TEXT, 256),
    BEGIN(tenant, "tenant", AI_AUDIT_TEXT, 256),
    BEGIN(user, "user", AI_AUDIT_TEXT, 256),
    BEGIN(key, "key", AI_AUDIT_TEXT, 128),
    BEGIN(tier, "tier", AI_AUDIT_TEXT, 64),
    BEGIN(label, "label", AI_AUDIT_TEXT, 256),
    BEGIN(address, "address", AI_AUDIT_TEXT, 64),
    BEGIN(method, "method", AI_AUDIT_TEXT, 32),
    BEGIN(path, "path", AI_AUDIT_TEXT, 768),
    BEGIN(endpoint, "endpoint", AI_AUDIT_TEXT, 32),
    BEGIN(dialect, "dialect", AI_AUDIT_TEXT, 32),
    BEGIN(model, "model", AI_AUDIT_TEXT, 256),
    BEGIN(stream, "stream", AI_AUDIT_TRUE, 0),
    PART("reserved", 1, &reserved_shape),
    END(served, "served", AI_AUDIT_TEXT, 256),
    END(route, "route", AI_AUDIT_TEXT, 128),
    END(target, "target", AI_AUDIT_TEXT, 64),
    END(provider_id, "provider_id", AI_AUDIT_TEXT, 200),
    FULL(ai_audit_record_t, attempts, "attempts", AI_AUDIT_LIST, 2560, 0, &attempt_shape),
    END(cache, "cache", AI_AUDIT_TEXT, 64),
    END(guard, "guard", AI_AUDIT_TEXT, 256),
    END(limit, "limit", AI_AUDIT_TEXT, 128),
    END(status, "status", AI_AUDIT_COUNT, 0),
    END(deny, "deny", AI_AUDIT_TEXT, 64),
    END(finish, "finish", AI_AUDIT_TEXT, 32),
    END(dropped, "dropped", AI_AUDIT_TEXT, 512),
    PART("tokens", 0, &tokens_shape),
    PART("cost", 0, &cost_shape),
    PART("us", 0, &us_shape),
    FULL(ai_audit_record_t, prompt, "prompt", AI_AUDIT_OBJECT, 0, 1, &body_shape),
    FULL(ai_audit_record_t, answer, "answer", AI_AUDIT_OBJECT, 0, 0, &body_shape),
    BEGIN(metadata, "metadata", AI_AUDIT_PAIRS, 1536),
    BEGIN(headers, "headers", AI_AUDIT_PAIRS, 2048),
    END(notes, "notes", AI_AUDIT_PAIRS, 1024),
    PART("trace", 1, &trace_shape),
    END(road, "road", AI_AUDIT_JSON, 8192),
    END(cut, "cut", AI_AUDIT_CUT, 0),
};
const ai_audit_shape_t ai_audit_record_shape = SHAPE_OF(record_members, ai_audit_record_t, 1);

#define SAYS(at, name, kind, most) OF(ai_audit_note_t, at, name, kind, most)

static const ai_audit_member_t note_members[] = {
    SAYS(id, "v", AI_AUDIT_VERSION, 0),
    SAYS(id, "id", AI_AUDIT_TEXT, 128),
    SAYS(time, "time", AI_AUDIT_TIME, 0),
    SAYS(tenant, "tenant", AI_AUDIT_TEXT, 256),
    SAYS(user, "user", AI_AUDIT_TEXT, 256),
    SAYS(key, "key", AI_AUDIT_TEXT, 128),
    SAYS(has_feedback, "feedback", AI_AUDIT_SIGN, 0),
    SAYS(score, "score", AI_AUDIT_COUNT, 0),
    SAYS(comment, "comment", AI_AUDIT_TEXT, 2048),
};
const ai_audit_shape_t ai_audit_note_shape = SHAPE_OF(note_members, ai_audit_note_t, 1);
/* clang-format on */

void ai_audit_record_clear(ai_audit_record_t *record)
{
    memset(record, 0, sizeof(*record));
    record->reserved.prompt = record->reserved.completion = AI_AUDIT_UNKNOWN;
    record->status = AI_AUDIT_UNKNOWN;
    record->tokens.used = AI_USAGE_UNKNOWN;
    record->cost.nanousd = record->cost.saved = AI_AUDIT_UNKNOWN;
    record->us.head = record->us.first = record->us.upstream = AI_AUDIT_UNKNOWN;
    record->us.overhead = record->us.total = AI_AUDIT_UNKNOWN;
    record->prompt.bytes = record->prompt.parts = AI_AUDIT_UNKNOWN;
    record->answer.bytes = record->answer.parts = AI_AUDIT_UNKNOWN;
}

void ai_audit_note_clear(ai_audit_note_t *note)
{
    memset(note, 0, sizeof(*note));
    note->score = AI_AUDIT_UNKNOWN;
}

int ai_audit_call_id(const char *request_id, ai_uuid_t *id)
{
    unsigned char digest[AI_DIGEST];

    if (ai_uuid_read(ai_slice_of(request_id), id)) {
        return 1;
    }
    if (!ai_digest(ai_slice_of(request_id), digest)) {
        return 0;
    }
    memcpy(id->bytes, digest, sizeof(id->bytes));
    id->bytes[6] = (unsigned char)((id->bytes[6] & 0x0f) | 0x80);
    id->bytes[8] = (unsigned char)((id->bytes[8] & 0x3f) | 0x80);
    return 1;
}
