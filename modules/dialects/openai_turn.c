/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_turn.c - writes the turns of a chat as OpenAI's messages.
 *
 * OpenAI has a message of its own for each result of a tool, and only text in it. So of a user's
 * turn the results come first, then, as one message, the pictures that tools gave and what the
 * user says.
 *
 * Lives in: the request's pool.  Shared state: none.  May block: no.
 */

#include <apr_strings.h>

#include "openai_translator.h"

#define NAME_MAX_CHARS 64 /* of a tool */

ai_slice_t openai_tool_name(openai_request_t *q, ai_slice_t name)
{
    return ai_sent_name(q->p, q->sent, name, NAME_MAX_CHARS);
}

/* Notes what cannot be asked at all. */
static void refuse(openai_request_t *q, const char *what)
{
    ai_error_t *error;

    if (!q->error) {
        error = apr_pcalloc(q->p, sizeof(*error));
        error->status = 400;
        error->code = "unsupported_parameter";
        error->param = "messages";
        error->message = apr_psprintf(q->p, "The field 'messages' cannot be served here. %s", what);
        q->error = error;
    }
}

static int takes(const openai_request_t *q, unsigned kind)
{
    return !q->ability->input || (q->ability->input & kind);
}

static void lose_cache(openai_request_t *q, const ai_part_t *part)
{
    if (part->cache.p) {
        ai_lost_add(q->sent->lost, part->role == AI_ROLE_SYSTEM
                                       ? "system.cache_control"
                                       : "messages.content.cache_control");
    }
}

/* -------------------------------------------------------------------------------- parts */

static int media_is(const ai_part_t *part, const char *media)
{
    return ai_slice_is(part->media, media);
}

static void write_data_url(openai_request_t *q, const ai_part_t *part)
{
    ai_write_literal(q->out, "\"data:");
    ai_write_copy(q->out, part->media);
    ai_write_literal(q->out, ";base64,");
    ai_write_bytes(q->out, part->data);
    ai_write_literal(q->out, "\"");
}

static void write_image(openai_request_t *q, const ai_part_t *part)
{
    if (!takes(q, AI_MODEL_IMAGE)) {
        refuse(q, "This model takes no images.");
    }
    ai_write_literal(q->out, "{\"type\":\"image_url\",\"image_url\":{\"url\":");
    if (part->url.p) {
        ai_write_bytes(q->out, part->url);
    }
    else {
        write_data_url(q, part);
    }
    if (part->detail.p) {
        ai_write_literal(q->out, ",\"detail\":");
        ai_write_bytes(q->out, part->detail);
    }
    ai_write_literal(q->out, "}}");
}

static void write_file(openai_request_t *q, const ai_part_t *part)
{
    if (part->url.p) {
        refuse(q, "A document that is only named by its URL cannot be told to this provider.");
        return;
    }
    if (media_is(part, "application/pdf") && !takes(q, AI_MODEL_PDF)) {
        refuse(q, "This model takes no PDF documents.");
    }
    ai_write_literal(q->out, "{\"type\":\"file\",\"file\":{\"filename\":");
    ai_write_bytes(q->out, openai_is_long_text(part->name)           ? part->name
                           : media_is(part, "application/pdf") ? AI_SLICE("\"document.pdf\"")
                                                               : AI_SLICE("\"document\""));
    ai_write_literal(q->out, ",\"file_data\":");
    write_data_url(q, part);
    ai_write_literal(q->out, "}}");
}

static void write_audio(openai_request_t *q, const ai_part_t *part)
{
    int is_wav = media_is(part, "audio/wav") || media_is(part, "audio/x-wav");

    if (!takes(q, AI_MODEL_AUDIO)) {
        refuse(q, "This model takes no audio.");
    }
    if (!is_wav && !media_is(part, "audio/mp3") && !media_is(part, "audio/mpeg")) {
        refuse(q, "Audio must be WAV or MP3.");
    }
    ai_write_literal(q->out, "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"");
    ai_write_bytes(q->out, part->data);
    ai_write_copy(q->out, is_wav ? AI_SLICE("\",\"format\":\"wav\"}}")
                                 : AI_SLICE("\",\"format\":\"mp3\"}}"));
}

/* 1 for what is written as text: text itself, and a document that is one. */
static int is_text(const ai_part_t *part)
{
    return part->kind == AI_PART_TEXT || (part->kind == AI_PART_FILE && part->text.p);
}

static void lose_title(openai_request_t *q, const ai_part_t *part)
{
    if (part->kind == AI_PART_FILE && part->name.p) {
        ai_lost_add(q->sent->lost, "messages.content.title");
    }
}

static void write_text(openai_request_t *q, const ai_part_t *part)
{
    lose_title(q, part);
    ai_write_literal(q->out, "{\"type\":\"text\",\"text\":");
    ai_write_bytes(q->out, part->text);
    ai_write_literal(q->out, "}");
}

static void write_part(openai_request_t *q, const ai_part_t *part)
{
    if (is_text(part)) {
        write_text(q, part);
    }
    else if (part->kind == AI_PART_IMAGE) {
        write_image(q, part);
    }
    else if (part->kind == AI_PART_AUDIO) {
        write_audio(q, part);
    }
    else {
        write_file(q, part);
    }
}

/* ---------------------------------------------------------------------------- messages */

/* One message of the talk. */
typedef struct turn_t {
    const ai_part_t *parts;
    int n;
} turn_t;

static void open_message(openai_request_t *q, const char *begin)
{
    ai_write_copy(q->out, q->n_messages++ ? AI_SLICE(",{\"role\":\"") : AI_SLICE("{\"role\":\""));
    ai_write_copy(q->out, ai_slice_of(begin));
}

/* A text as a string, where it is a message's only one; else as parts. */
static void write_texts(openai_request_t *q, const ai_part_t *parts, int n)
{
    int i, some = 0;

    if (n == 1) {
        lose_title(q, parts);
        ai_write_bytes(q->out, parts->text);
        return;
    }
    for (i = 0; i < n; i++) {
        if (is_text(&parts[i])) {
            ai_write_copy(q->out, some++ ? AI_SLICE(",") : AI_SLICE("["));
            write_text(q, &parts[i]);
        }
    }
    ai_write_literal(q->out, "]");
}

static void write_system(openai_request_t *q, const turn_t *turn)
{
    int i;

    for (i = 0; i < turn->n; i++) {
        lose_cache(q, &turn->parts[i]);
    }
    open_message(q, "system\",\"content\":");
    write_texts(q, turn->parts, turn->n);
    ai_write_literal(q->out, "}");
}

/* The result at *i and what is inside of it; *i is moved behind that. Returns how many pictures
 * and documents there are that have to follow. */
static int write_result(openai_request_t *q, const turn_t *turn, int *i)
{
    const ai_part_t *result = &turn->parts[*i];
    int first = *i + 1, n_text = 0, n_other = 0, some = 0, at;

    for (at = first; at < turn->n && turn->parts[at].inside; at++) {
        lose_cache(q, &turn->parts[at]);
        n_text += is_text(&turn->parts[at]);
        n_other += !is_text(&turn->parts[at]);
    }
    *i = at;
    open_message(q, "tool\",\"tool_call_id\":");
    ai_write_bytes(q->out, result->id);
    ai_write_copy(q->out, n_text > 1 ? AI_SLICE(",\"content\":[") : AI_SLICE(",\"content\":\""));
    for (at = first; at < *i; at++) {
        const ai_part_t *part = &turn->parts[at];

        if (!is_text(part)) {
            continue;
        }
        lose_title(q, part);
        if (n_text > 1) {
            ai_write_copy(q->out, some ? AI_SLICE(",{\"type\":\"text\",\"text\":\"")
                                       : AI_SLICE("{\"type\":\"text\",\"text\":\""));
        }
        if (!some++ && result->failed) {
            ai_write_literal(q->out, "Error: ");
        }
        ai_write_inner(q->out, part->text);
        if (n_text > 1) {
            ai_write_literal(q->out, "\"}");
        }
    }
    if (!some) {
        ai_write_copy(q->out, result->failed ? AI_SLICE("Error: ") : AI_SLICE(""));
        ai_write_copy(q->out, n_other ? AI_SLICE("[see below]") : AI_SLICE(""));
    }
    ai_write_copy(q->out, n_text > 1 ? AI_SLICE("]}") : AI_SLICE("\"}"));
    return n_other;
}

/* The pictures and documents that tools gave, each behind a text that says which tool. */
static int write_given(openai_request_t *q, const turn_t *turn)
{
    const ai_part_t *result = NULL;
    int i, some = 0;

    for (i = 0; i < turn->n; i++) {
        const ai_part_t *part = &turn->parts[i];

        if (part->kind == AI_PART_RESULT) {
            result = part;
        }
        if (!part->inside || is_text(part) || !result) {
            continue;
        }
        ai_write_copy(q->out, some++ ? AI_SLICE(",") : AI_SLICE("["));
        ai_write_literal(q->out, "{\"type\":\"text\",\"text\":\"[");
        ai_write_copy(q->out, part->kind == AI_PART_IMAGE ? AI_SLICE("image") : AI_SLICE("file"));
        ai_write_literal(q->out, " from tool call ");
        ai_write_inner(q->out, result->id);
        ai_write_literal(q->out, "]\"},");
        write_part(q, part);
    }
    return some;
}

static int is_said(const ai_part_t *part)
{
    return part->kind != AI_PART_RESULT && !part->inside;
}

static void write_user(openai_request_t *q, const turn_t *turn)
{
    int i = 0, n_given = 0, n_said = 0, some;
    const ai_part_t *last = NULL;

    while (i < turn->n) {
        const ai_part_t *part = &turn->parts[i];

        lose_cache(q, part);
        if (part->kind == AI_PART_RESULT) {
            n_given += write_result(q, turn, &i);
            continue;
        }
        n_said++;
        last = part;
        i++;
    }
    if (!n_given && !n_said) {
        return;
    }
    open_message(q, "user\",\"content\":");
    if (!n_given && n_said == 1 && is_text(last)) {
        write_texts(q, last, 1);
        ai_write_literal(q->out, "}");
        return;
    }
    some = n_given ? write_given(q, turn) : 0;
    for (i = 0; i < turn->n; i++) {
        if (is_said(&turn->parts[i])) {
            ai_write_copy(q->out, some++ ? AI_SLICE(",") : AI_SLICE("["));
            write_part(q, &turn->parts[i]);
        }
    }
    ai_write_literal(q->out, "]}");
}

/* Joins the strings of one kind, or writes what is said of none. */
static void write_joined(openai_request_t *q, const turn_t *turn, ai_part_e kind,
                         const char *before, const char *none)
{
    int i, some = 0;

    for (i = 0; i < turn->n; i++) {
        if (turn->parts[i].kind == kind) {
            ai_write_copy(q->out, some++ ? AI_SLICE("") : ai_slice_of(before));
            ai_write_inner(q->out, turn->parts[i].text);
        }
    }
    ai_write_copy(q->out, some ? AI_SLICE("\"") : ai_slice_of(none));
}

static void write_calls(openai_request_t *q, const turn_t *turn)
{
    int i, some = 0;

    for (i = 0; i < turn->n; i++) {
        const ai_part_t *part = &turn->parts[i];

        if (part->kind != AI_PART_CALL) {
            continue;
        }
        ai_write_copy(q->out, some++ ? AI_SLICE(",{\"id\":")
                                     : AI_SLICE(",\"tool_calls\":[{\"id\":"));
        ai_write_bytes(q->out, part->id);
        ai_write_literal(q->out, ",\"type\":\"function\",\"function\":{\"name\":");
        ai_write_bytes(q->out, openai_tool_name(q, part->name));
        ai_write_literal(q->out, ",\"arguments\":");
        ai_write_quoted(q->out, part->object);
        ai_write_literal(q->out, "}}");
    }
    if (some) {
        ai_write_literal(q->out, "]");
    }
}

static void write_assistant(openai_request_t *q, const turn_t *turn)
{
    int i, speaks = 0;

    for (i = 0; i < turn->n; i++) {
        const ai_part_t *part = &turn->parts[i];

        lose_cache(q, part);
        if (part->kind == AI_PART_THINKING) {
            ai_lost_add(q->sent->lost, "messages.content.thinking");
        }
        else if (part->kind == AI_PART_REDACTED) {
            ai_lost_add(q->sent->lost, "messages.content.redacted_thinking");
        }
        else {
            speaks = 1;
        }
    }
    if (!speaks) {
        return;
    }
    open_message(q, "assistant\"");
    write_joined(q, turn, AI_PART_TEXT, ",\"content\":\"", ",\"content\":null");
    write_joined(q, turn, AI_PART_REFUSAL, ",\"refusal\":\"", "");
    write_calls(q, turn);
    ai_write_literal(q->out, "}");
}

void openai_write_messages(openai_request_t *q)
{
    const ai_part_t *parts = (const ai_part_t *)q->talk->parts->elts;
    int n = q->talk->parts->nelts, i = 0;

    ai_write_literal(q->out, ",\"messages\":[");
    while (i < n) {
        turn_t turn = { &parts[i], 1 };

        while (i + turn.n < n && !turn.parts[turn.n].opens) {
            turn.n++;
        }
        i += turn.n;
        switch (turn.parts->role) {
        case AI_ROLE_SYSTEM:
            write_system(q, &turn);
            break;
        case AI_ROLE_USER:
            write_user(q, &turn);
            break;
        case AI_ROLE_ASSISTANT:
            write_assistant(q, &turn);
            break;
        }
    }
    ai_write_literal(q->out, "]");
}
