/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anthropic_request.c - writes a request to Anthropic's API: its head, the system's words and the
 * messages.
 *
 * Anthropic wants system beside the messages, user and assistant in turn, results of tools before
 * all else in a user's message, thinking before text before calls in the assistant's, and nothing
 * that is empty. So parts are gathered into runs of one role and each run is written in order.
 *
 * Lives in: the request's pool and body.  Shared state: none.  May block: no.
 */
#include <apr_base64.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "anthropic_translator.h"

#define NAME_MAX_CHARS 128 /* of a tool */

int ai_anthropic_refuse(anthropic_ask_t *ask, const char *param, const char *message)
{
    ai_error_t *error;

    if (!ask->error) {
        error = apr_palloc(ask->p, sizeof(*error));
        *error = (ai_error_t){ 400, "unsupported_parameter", message, param };
        ask->error = error;
    }
    return 0;
}

void ai_anthropic_cache(ai_write_t *out, ai_slice_t cache)
{
    if (cache.p) {
        ai_write_literal(out, ",\"cache_control\":");
        ai_write_bytes(out, cache);
    }
}

int ai_anthropic_is_blank(ai_slice_t text)
{
    apr_size_t i;

    for (i = 1; i + 1 < text.n; i++) {
        if (text.p[i] == '\\' && strchr("ntr", text.p[i + 1])) {
            i++;
        }
        else if (text.p[i] != ' ') {
            return 0;
        }
    }
    return 1;
}

/* --------------------------------------------------------------------- what a part is */

static int is_said(const ai_part_t *part)
{
    switch (part->kind) {
    case AI_PART_TEXT:
    case AI_PART_REFUSAL:
        return !ai_anthropic_is_blank(part->text);
    case AI_PART_THINKING:
        return part->signature.p != NULL; /* unsigned, it is refused */
    default:
        return 1;
    }
}

/* 1 when the part is a message's, and is written by itself: not within a tool's result. */
static int is_written(const ai_part_t *part)
{
    return part->role != AI_ROLE_SYSTEM && !part->inside && is_said(part);
}

/* The order within a message. */
static int place_of(const ai_part_t *part)
{
    switch (part->kind) {
    case AI_PART_THINKING:
    case AI_PART_REDACTED:
    case AI_PART_RESULT:
        return 0;
    case AI_PART_CALL:
        return 2;
    default:
        return 1;
    }
}

/* -------------------------------------------------------------------------- content */

static void write_text(ai_write_t *out, const ai_part_t *part)
{
    ai_write_literal(out, "{\"type\":\"text\",\"text\":");
    ai_write_bytes(out, part->text);
    ai_anthropic_cache(out, part->cache);
    ai_write_literal(out, "}");
}

/* Behind the source of a document or an image. */
static int end_source(anthropic_ask_t *ask, const ai_part_t *part, int is_document)
{
    ai_write_literal(ask->out, "}");
    if (is_document && part->name.p) {
        ai_write_literal(ask->out, ",\"title\":");
        ai_write_bytes(ask->out, part->name);
    }
    ai_anthropic_cache(ask->out, part->cache);
    ai_write_literal(ask->out, "}");
    return 1;
}

/* 1 when the model takes that kind of content, as far as is known. */
static int may_see(anthropic_ask_t *ask, unsigned kind)
{
    if (ask->ability->input && !(ask->ability->input & kind)) {
        return ai_anthropic_refuse(ask, "messages",
                                   kind == AI_MODEL_PDF ? "This model takes no documents."
                                                        : "This model takes no images.");
    }
    return 1;
}

static int is_web(ai_slice_t url)
{
    return (url.n > 9 && strncasecmp(url.p + 1, "https://", 8) == 0)
           || (url.n > 9 && strncasecmp(url.p + 1, "https:\\/\\/", 10) == 0)
           || (url.n > 8 && strncasecmp(url.p + 1, "http://", 7) == 0)
           || (url.n > 8 && strncasecmp(url.p + 1, "http:\\/\\/", 9) == 0);
}

static int write_link(anthropic_ask_t *ask, const ai_part_t *part)
{
    int is_document =
        part->kind == AI_PART_FILE
        || (part->url.n > 6 && strncasecmp(part->url.p + part->url.n - 5, ".pdf\"", 5) == 0);

    if (!is_web(part->url)) {
        return ai_anthropic_refuse(ask, "messages", "An image or a document that is not sent "
                                   "itself must have an http or https URL.");
    }
    if (!may_see(ask, is_document ? AI_MODEL_PDF : AI_MODEL_IMAGE)) {
        return 0;
    }
    ai_write_bytes(ask->out, is_document
                                 ? AI_SLICE("{\"type\":\"document\",\"source\":{\"type\":\"url\"")
                                 : AI_SLICE("{\"type\":\"image\",\"source\":{\"type\":\"url\""));
    ai_write_literal(ask->out, ",\"url\":");
    ai_write_bytes(ask->out, part->url);
    return end_source(ask, part, is_document);
}

/* A text document: text is a JSON string, or the bytes themselves. */
static int write_plain(anthropic_ask_t *ask, const ai_part_t *part)
{
    ai_write_literal(ask->out, "{\"type\":\"document\",\"source\":{\"type\":\"text\","
                               "\"media_type\":\"text/plain\",\"data\":");
    if (part->text.p) {
        ai_write_bytes(ask->out, part->text);
    }
    else {
        const char *coded = apr_pstrmemdup(ask->p, part->data.p, part->data.n);
        char *text = apr_palloc(ask->p, (apr_size_t)apr_base64_decode_len(coded) + 1);

        ai_write_quoted(ask->out, (ai_slice_t){ text, (apr_size_t)apr_base64_decode(text, coded) });
    }
    return end_source(ask, part, 1);
}

static int is_image(ai_slice_t media)
{
    return ai_slice_is(media, "image/jpeg") || ai_slice_is(media, "image/png")
           || ai_slice_is(media, "image/gif") || ai_slice_is(media, "image/webp");
}

static int write_media(anthropic_ask_t *ask, const ai_part_t *part)
{
    int is_document = ai_slice_is(part->media, "application/pdf");

    if (part->url.p) {
        return write_link(ask, part);
    }
    if (part->text.p || (part->media.n > 5 && strncmp(part->media.p, "text/", 5) == 0)) {
        return write_plain(ask, part);
    }
    if (!is_document && !is_image(part->media)) {
        return ai_anthropic_refuse(ask, "messages", "This provider takes images as JPEG, PNG, GIF "
                                   "or WebP, and documents as PDF or text.");
    }
    if (!may_see(ask, is_document ? AI_MODEL_PDF : AI_MODEL_IMAGE)) {
        return 0;
    }
    ai_write_bytes(ask->out,
                   is_document ? AI_SLICE("{\"type\":\"document\",\"source\":{\"type\":\"base64\"")
                               : AI_SLICE("{\"type\":\"image\",\"source\":{\"type\":\"base64\""));
    ai_write_literal(ask->out, ",\"media_type\":\"");
    ai_write_copy(ask->out, part->media);
    ai_write_literal(ask->out, "\",\"data\":\"");
    ai_write_bytes(ask->out, part->data);
    ai_write_literal(ask->out, "\"");
    return end_source(ask, part, is_document);
}

static void write_thinking(ai_write_t *out, const ai_part_t *part)
{
    if (part->kind == AI_PART_REDACTED) {
        ai_write_literal(out, "{\"type\":\"redacted_thinking\",\"data\":");
        ai_write_bytes(out, part->data);
    }
    else {
        ai_write_literal(out, "{\"type\":\"thinking\",\"thinking\":");
        ai_write_bytes(out, part->text);
        ai_write_literal(out, ",\"signature\":");
        ai_write_bytes(out, part->signature);
    }
    ai_write_literal(out, "}");
}

static void write_call(anthropic_ask_t *ask, const ai_part_t *part)
{
    ai_write_literal(ask->out, "{\"type\":\"tool_use\",\"id\":");
    ai_write_bytes(ask->out, ai_call_id(ask->p, part->id));
    ai_write_literal(ask->out, ",\"name\":");
    ai_write_bytes(ask->out, ai_sent_name(ask->p, ask->sent, part->name, NAME_MAX_CHARS));
    ai_write_literal(ask->out, ",\"input\":");
    ai_write_bytes(ask->out, part->object.p ? part->object : AI_SLICE("{}"));
    ai_anthropic_cache(ask->out, part->cache);
    ai_write_literal(ask->out, "}");
}

static int write_part(anthropic_ask_t *ask, const ai_part_t *part, const ai_part_t *end);

/* The content of a result that is more than one text. A failure without a word is refused. */
static int write_blocks(anthropic_ask_t *ask, const ai_part_t *part, const ai_part_t *end,
                        int failed)
{
    int n = 0;

    ai_write_literal(ask->out, ",\"content\":[");
    for (; part < end; part++) {
        if (is_said(part)) {
            ai_write_copy(ask->out, n++ ? AI_SLICE(",") : AI_SLICE(""));
            if (!write_part(ask, part, end)) {
                return 0;
            }
        }
    }
    if (!n && failed) {
        ai_write_literal(ask->out, "{\"type\":\"text\",\"text\":\"The tool failed.\"}");
    }
    ai_write_literal(ask->out, "]");
    return 1;
}

static int write_result(anthropic_ask_t *ask, const ai_part_t *part, const ai_part_t *end)
{
    const ai_part_t *inner = part + 1, *last = inner;

    while (last < end && last->inside) {
        last++;
    }
    ai_write_literal(ask->out, "{\"type\":\"tool_result\",\"tool_use_id\":");
    ai_write_bytes(ask->out, ai_call_id(ask->p, part->id));
    if (last - inner == 1 && inner->kind == AI_PART_TEXT && !inner->cache.p
        && !(part->failed && ai_anthropic_is_blank(inner->text))) {
        ai_write_literal(ask->out, ",\"content\":");
        ai_write_bytes(ask->out, inner->text);
    }
    else if ((last > inner || part->failed)
             && !write_blocks(ask, inner, last, (int)part->failed)) {
        return 0;
    }
    if (part->failed) {
        ai_write_literal(ask->out, ",\"is_error\":true");
    }
    ai_anthropic_cache(ask->out, part->cache);
    ai_write_literal(ask->out, "}");
    return 1;
}

/* end: of all parts, so that a result finds its content. */
static int write_part(anthropic_ask_t *ask, const ai_part_t *part, const ai_part_t *end)
{
    switch (part->kind) {
    case AI_PART_TEXT:
    case AI_PART_REFUSAL:
        write_text(ask->out, part);
        return 1;
    case AI_PART_IMAGE:
        if (part->detail.p && !ai_json_string_is(part->detail, "auto")) {
            ai_lost_add(ask->sent->lost, "messages.content.image_url.detail");
        }
        return write_media(ask, part);
    case AI_PART_FILE:
        return write_media(ask, part);
    case AI_PART_THINKING:
    case AI_PART_REDACTED:
        write_thinking(ask->out, part);
        return 1;
    case AI_PART_CALL:
        write_call(ask, part);
        return 1;
    case AI_PART_RESULT:
        return write_result(ask, part, end);
    default:
        return ai_anthropic_refuse(ask, "messages", "This provider takes no audio.");
    }
}

/* ------------------------------------------------------------------------- messages */

/* Writes the parts from part to last, all of one role but for those that are not written. */
static int write_run(anthropic_ask_t *ask, const ai_part_t *part, const ai_part_t *last,
                     const ai_part_t *end)
{
    const ai_part_t *at;
    int place, n = 0;

    ai_write_copy(ask->out, part->role == AI_ROLE_USER
                                ? AI_SLICE("{\"role\":\"user\",\"content\":[")
                                : AI_SLICE("{\"role\":\"assistant\",\"content\":["));
    for (place = 0; place < 3; place++) {
        for (at = part; at < last; at++) {
            if (place_of(at) == place && is_written(at)) {
                ai_write_copy(ask->out, n++ ? AI_SLICE(",") : AI_SLICE(""));
                if (!write_part(ask, at, end)) {
                    return 0;
                }
            }
        }
    }
    ai_write_literal(ask->out, "]}");
    return 1;
}

static int write_messages(anthropic_ask_t *ask)
{
    const ai_part_t *part = (const ai_part_t *)ask->talk->parts->elts;
    const ai_part_t *end = part + ask->talk->parts->nelts, *last;
    ai_role_e role = AI_ROLE_SYSTEM;
    int n = 0;

    ai_write_literal(ask->out, ",\"messages\":[");
    while (part < end) {
        if (!is_written(part)) {
            part++;
            continue;
        }
        role = part->role;
        for (last = part + 1; last < end && (!is_written(last) || last->role == role);) {
            last++;
        }
        ai_write_copy(ask->out, n++ ? AI_SLICE(",") : AI_SLICE(""));
        if (!write_run(ask, part, last, end)) {
            return 0;
        }
        part = last;
    }
    ai_write_literal(ask->out, "]");
    if (!n) {
        return ai_anthropic_refuse(ask, "messages", "This provider needs at least one message of "
                                   "the user's that is not empty.");
    }
    if (role == AI_ROLE_ASSISTANT && ask->ability->prefill == 0) {
        return ai_anthropic_refuse(ask, "messages", "The last message is the assistant's; this "
                                   "model does not go on with an answer that was begun.");
    }
    return 1;
}

/* What the model is told where its provider cannot hold it to a format. */
static void write_hint(anthropic_ask_t *ask)
{
    ai_write_literal(ask->out, "{\"type\":\"text\",\"text\":\"Answer with one JSON ");
    if (ask->talk->format == AI_FORMAT_OBJECT) {
        ai_write_literal(ask->out, "object and nothing else.\"}");
        return;
    }
    ai_write_literal(ask->out, "value and nothing else. It must follow this JSON schema: ");
    ai_write_inner(ask->out, ai_json_quote(ask->p, ask->talk->format_schema));
    ai_write_literal(ask->out, "\"}");
}

static int is_hinted(const anthropic_ask_t *ask)
{
    return ask->talk->format == AI_FORMAT_OBJECT
           || (ask->talk->format == AI_FORMAT_SCHEMA && ask->ability->schema == AI_SCHEMA_TOOL);
}

static int write_system(anthropic_ask_t *ask)
{
    int i, n = 0;

    for (i = 0; i < ask->talk->parts->nelts; i++) {
        const ai_part_t *part = &APR_ARRAY_IDX(ask->talk->parts, i, ai_part_t);

        if (part->role != AI_ROLE_SYSTEM || !is_said(part)) {
            continue;
        }
        if (part->kind != AI_PART_TEXT && part->kind != AI_PART_REFUSAL) {
            return ai_anthropic_refuse(ask, "messages",
                                       "A system message must be text for this provider.");
        }
        ai_write_copy(ask->out, n++ ? AI_SLICE(",") : AI_SLICE(",\"system\":["));
        write_text(ask->out, part);
    }
    if (is_hinted(ask)) {
        ai_write_copy(ask->out, n++ ? AI_SLICE(",") : AI_SLICE(",\"system\":["));
        write_hint(ask);
        ai_lost_add(ask->sent->lost, "response_format");
    }
    if (n) {
        ai_write_literal(ask->out, "]");
    }
    return 1;
}

/* --------------------------------------------------------------------------- all of it */

/* What of the thinking is lost, and whether the last turn of the assistant can go on with it. */
static void look_at_thinking(anthropic_ask_t *ask)
{
    int i, calls = 0, thoughts = 0, seen = 0, over = 0;

    for (i = ask->talk->parts->nelts - 1; i >= 0; i--) {
        const ai_part_t *part = &APR_ARRAY_IDX(ask->talk->parts, i, ai_part_t);

        over |= seen && part->role == AI_ROLE_USER;
        if (part->kind == AI_PART_THINKING && !part->signature.p) {
            ai_lost_add(ask->sent->lost, "messages.reasoning_content");
        }
        if (part->role == AI_ROLE_ASSISTANT && !over) {
            seen = 1;
            calls |= part->kind == AI_PART_CALL;
            thoughts |= part->kind == AI_PART_REDACTED
                        || (part->kind == AI_PART_THINKING && part->signature.p);
        }
    }
    ask->bare_calls = calls && !thoughts;
}

const ai_error_t *ai_anthropic_write_talk(apr_pool_t *p, const ai_talk_t *talk, const char *model,
                                          const ai_ability_t *ability, int ask_usage,
                                          ai_sent_t *sent, ai_write_t *out)
{
    anthropic_ask_t ask = { 0 };

    (void)ask_usage; /* a stream always reports it */
    ask.p = p;
    ask.talk = talk;
    ask.ability = ability;
    ask.sent = sent;
    ask.out = out;
    look_at_thinking(&ask);
    if (!ai_anthropic_decide(&ask)) {
        return ask.error;
    }
    ai_write_literal(out, "{\"model\":");
    ai_write_quoted(out, ai_slice_of(model));
    ai_write_literal(out, ",\"max_tokens\":");
    ai_write_number(out, ask.max_tokens);
    if (talk->stream) {
        ai_write_literal(out, ",\"stream\":true");
    }
    if (write_system(&ask) && write_messages(&ask)) {
        ai_anthropic_settings(&ask);
        ai_write_literal(out, "}");
    }
    return ask.error;
}
