/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_media.c - how do images, speech, transcriptions, moderations and rerankings look?
 *
 * A picture or a sound is made of frames, one for each token of the answer; its bytes follow from
 * the frame's number, so a test knows them. What a frame holds is no picture and no sound.
 */
#include <stdlib.h>
#include <string.h>

#include "ai_sim.h"

#define FRAME_BYTES 48
#define PARTIAL_MAX 3

static int wants_sse(const call_t *call)
{
    return call_text_is(call, "stream_format", "sse");
}

static int wants_stream(const call_t *call)
{
    return form_is(call) ? call_text_is(call, "stream", "true")
                         : json_is_true(call_member(call, "stream"));
}

static void add_frame(const call_t *call, long i, buf_t *out)
{
    long n = call->script.size ? call->script.size : FRAME_BYTES, k;
    char *to = buf_room(out, (size_t)n);

    for (k = 0; k < n; k++) {
        to[k] = (char)(i * 31 + k * 7);
    }
    out->len += (size_t)n;
}

static void add_frame64(const call_t *call, long i, buf_t *out)
{
    buf_t frame = { NULL, 0, 0 };

    add_frame(call, i, &frame);
    buf_base64(out, frame.p, frame.len);
    buf_free(&frame);
}

static void add_usage_member(call_t *call, buf_t *out)
{
    if (call->script.usage != USAGE_NONE) {
        buf_str(out, ",\"usage\":");
        answer_usage(call, answer_tokens(call), out);
    }
}

static void error(call_t *call, long step, event_t *ev)
{
    buf_t body = { NULL, 0, 0 };

    (void)call;
    (void)step;
    error_body(500, NULL, NULL, &body);
    buf_str(&ev->data, "{\"type\":\"error\",");
    buf_add(&ev->data, body.p + 1, body.len - 1);
    ev->name = call->endpoint == &endpoint_images ? "error" : NULL;
    buf_free(&body);
}

/* --------------------------------------------------------------------------------- speech */

static void speech(call_t *call, buf_t *out)
{
    long i;

    call->plain_type = call_text_is(call, "response_format", "wav") ? "audio/wav" : "audio/mpeg";
    for (i = 0; i < call->answer.pieces; i++) {
        add_frame(call, i, out);
    }
}

static int speech_event(call_t *call, long step, event_t *ev)
{
    if (step < call->answer.pieces) {
        buf_str(&ev->data, "{\"type\":\"speech.audio.delta\",\"audio\":\"");
        add_frame64(call, step, &ev->data);
        buf_str(&ev->data, "\"}");
        ev->tokens = 1;
        return 1;
    }
    if (step > call->answer.pieces || !call->script.done) {
        return 0;
    }
    buf_str(&ev->data, "{\"type\":\"speech.audio.done\"");
    add_usage_member(call, &ev->data);
    buf_str(&ev->data, "}");
    return 1;
}

const endpoint_t endpoint_speech = {
    "speech", { "input", "voice" }, DIALECT_OPENAI, speech, speech_event, error,
    .wants_stream = wants_sse,
};

/* ------------------------------------------------------------------------- transcriptions */

static void transcription(call_t *call, buf_t *out)
{
    int srt = call_text_is(call, "response_format", "srt");
    buf_t text = { NULL, 0, 0 };

    answer_text(call, &text);
    if (srt || call_text_is(call, "response_format", "text")) {
        call->plain_type = "text/plain; charset=utf-8";
        buf_str(out, srt ? "1\n00:00:00,000 --> 00:00:09,000\n" : "");
        buf_add(out, text.p, text.len);
        buf_str(out, srt ? "\n\n" : "\n");
    }
    else {
        buf_str(out, "{\"text\":");
        buf_quote(out, text.p, text.len);
        if (call_text_is(call, "response_format", "verbose_json")) {
            buf_str(out, ",\"task\":\"transcribe\",\"language\":\"english\",\"duration\":9.0,"
                         "\"segments\":[],\"usage\":{\"type\":\"duration\",\"seconds\":9}");
        }
        else {
            add_usage_member(call, out);
        }
        buf_str(out, "}");
    }
    buf_free(&text);
}

static int transcription_event(call_t *call, long step, event_t *ev)
{
    buf_t text = { NULL, 0, 0 };
    int more = step < call->answer.pieces;

    if (step > call->answer.pieces || (!more && !call->script.done)) {
        return 0;
    }
    if (more) {
        answer_piece(call, step, &text);
        buf_str(&ev->data, "{\"type\":\"transcript.text.delta\",\"delta\":");
    }
    else {
        answer_text(call, &text);
        buf_str(&ev->data, "{\"type\":\"transcript.text.done\",\"text\":");
    }
    buf_quote(&ev->data, text.p, text.len);
    if (!more) {
        add_usage_member(call, &ev->data);
    }
    buf_str(&ev->data, "}");
    ev->tokens = more;
    buf_free(&text);
    return 1;
}

const endpoint_t endpoint_transcriptions = {
    "transcriptions", { "file" }, DIALECT_OPENAI, transcription, transcription_event, error,
    .wants_stream = wants_stream, .takes_form = 1,
};

/* --------------------------------------------------------------------------------- images */

static const char *image_kind(const call_t *call)
{
    return text_ends(call->path, "/edits") ? "image_edit" : "image_generation";
}

static void images(call_t *call, buf_t *out)
{
    long i;

    buf_str(out, "{\"created\":1700000000,\"data\":[");
    for (i = 0; i < call->answer.choices; i++) {
        buf_str(out, i ? ",{\"b64_json\":\"" : "{\"b64_json\":\"");
        add_frame64(call, i, out);
        buf_str(out, "\"}");
    }
    buf_str(out, "]");
    add_usage_member(call, out);
    buf_str(out, "}");
}

static int images_event(call_t *call, long step, event_t *ev)
{
    long partial = json_number(call_member(call, "partial_images"), PARTIAL_MAX);
    int more = step < (partial > 0 ? partial : 0);

    if (step > (partial > 0 ? partial : 0) || (!more && !call->script.done)) {
        return 0;
    }
    if (strcmp(image_kind(call), "image_edit") == 0) {
        ev->name = more ? "image_edit.partial_image" : "image_edit.completed";
    }
    else {
        ev->name = more ? "image_generation.partial_image" : "image_generation.completed";
    }
    buf_fmt(&ev->data, "{\"type\":\"%s\",\"b64_json\":\"", ev->name);
    add_frame64(call, step, &ev->data);
    buf_str(&ev->data, "\",\"created_at\":1700000000,\"size\":\"1024x1024\",\"quality\":\"low\","
                       "\"background\":\"opaque\",\"output_format\":\"png\"");
    if (more) {
        buf_fmt(&ev->data, ",\"partial_image_index\":%ld", step);
    }
    else {
        add_usage_member(call, &ev->data);
        ev->tokens = answer_tokens(call);
    }
    buf_str(&ev->data, "}");
    return 1;
}

const endpoint_t endpoint_images = {
    "images", { NULL }, DIALECT_OPENAI, images, images_event, error,
    .wants_stream = wants_stream, .takes_form = 1, .has_default_model = 1,
};

/* ---------------------------------------------------------------- moderations, rerankings */

static void moderations(call_t *call, buf_t *out)
{
    text_t input = call_member(call, "input"), item;
    size_t pos = 0;
    long n = 0;

    while (json_next_item(input, &pos, &item)) {
        n++;
    }
    buf_fmt(out, "{\"id\":\"modr-sim%06lu\",\"model\":", call->seq);
    buf_quote(out, call->model_len ? call->model.p : "omni-moderation-latest",
              call->model_len ? call->model_len : strlen("omni-moderation-latest"));
    buf_str(out, ",\"results\":[");
    for (n = n ? n : 1; n > 0; n--) {
        buf_str(out, "{\"flagged\":false,\"categories\":{\"violence\":false},\"category_scores\":"
                     "{\"violence\":0.0001},\"category_applied_input_types\":"
                     "{\"violence\":[\"text\"]}}");
        buf_str(out, n > 1 ? "," : "");
    }
    buf_str(out, "]}");
}

const endpoint_t endpoint_moderations = {
    "moderations", { "input" }, DIALECT_OPENAI, moderations, NULL, NULL,
    .has_default_model = 1,
};

static void rerank(call_t *call, buf_t *out)
{
    text_t documents = call_member(call, "documents"), item;
    long top = json_number(call_member(call, "top_n"), 1000000), n = 0;
    size_t pos = 0;

    buf_fmt(out, "{\"id\":\"rerank-sim%06lu\",\"results\":[", call->seq);
    while (json_next_item(documents, &pos, &item) && (top < 0 || n < top)) {
        buf_fmt(out, "%s{\"index\":%ld,\"relevance_score\":%.3f}", n ? "," : "", n,
                1.0 / (double)(n + 1));
        n++;
    }
    buf_str(out, "],\"meta\":{\"api_version\":{\"version\":\"2\"},"
                 "\"billed_units\":{\"search_units\":1}");
    if (call->script.usage != USAGE_NONE) {
        buf_str(out, ",\"tokens\":");
        answer_usage(call, 0, out);
    }
    buf_str(out, "}}");
}

const endpoint_t endpoint_rerank = {
    "rerank", { "query", "documents" }, DIALECT_OPENAI, rerank, NULL, NULL, .wants_stream = NULL,
};
