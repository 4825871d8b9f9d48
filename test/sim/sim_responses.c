/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_responses.c - how does /responses look on the wire?
 *
 * A stream is: created, in_progress, then for each output item added / parts / done, and at last
 * completed (or incomplete, when the caller's limit cut it).  Every event has a name and a running
 * sequence_number; there is no [DONE].
 */
#include <string.h>

#include "ai_sim.h"

static const char *final_status(const call_t *call)
{
    return strcmp(call->answer.finish, "length") == 0 ? "incomplete" : "completed";
}

static void add_part(const call_t *call, int whole, buf_t *out)
{
    int refusal = call->answer.kind == ANSWER_REFUSAL;
    buf_t text = { NULL, 0, 0 };

    if (whole) {
        answer_text(call, &text);
    }
    buf_fmt(out, "{\"type\":\"%s\",\"%s\":", refusal ? "refusal" : "output_text",
            refusal ? "refusal" : "text");
    buf_quote(out, text.p, text.len);
    buf_str(out, refusal ? "}" : ",\"annotations\":[],\"logprobs\":[]}");
    buf_free(&text);
}

static void add_item_id(const call_t *call, int item, buf_t *out)
{
    buf_fmt(out, "%s_sim%06lu%d", call->answer.kind == ANSWER_TOOLS ? "fc" : "msg", call->seq,
            item);
}

/* An output item: as it begins (empty), or whole. */
static void add_item(const call_t *call, int item, int whole, buf_t *out)
{
    const answer_t *a = &call->answer;

    buf_str(out, "{\"id\":\"");
    add_item_id(call, item, out);
    buf_fmt(out, "\",\"status\":\"%s\",", whole ? final_status(call) : "in_progress");
    if (a->kind == ANSWER_TOOLS) {
        buf_fmt(out, "\"type\":\"function_call\",\"call_id\":\"call_sim%06lu%d\",\"name\":",
                call->seq, item);
        buf_quote(out, a->tool_name[item].p, a->tool_name[item].len);
        buf_str(out, ",\"arguments\":");
        buf_quote(out, a->tool_args[item].p, whole ? a->tool_args[item].len : 0);
    }
    else {
        buf_str(out, "\"type\":\"message\",\"role\":\"assistant\",\"content\":[");
        if (whole) {
            add_part(call, 1, out);
        }
        buf_str(out, "]");
    }
    buf_str(out, "}");
}

static int item_count(const call_t *call)
{
    return call->answer.kind == ANSWER_TOOLS ? call->answer.tools : 1;
}

/* The response object.  spent < 0: no usage in it. */
static void add_response(call_t *call, const char *status, int whole, long spent, buf_t *out)
{
    int i;

    buf_fmt(out, "{\"id\":\"resp_sim%06lu\",\"object\":\"response\",\"created_at\":%ld,"
                 "\"status\":\"%s\",\"background\":false,\"error\":null,\"incomplete_details\":",
            call->seq, (long)call->began_at, status);
    buf_str(out, strcmp(status, "incomplete") == 0 ? "{\"reason\":\"max_output_tokens\"}" : "null");
    buf_str(out, ",\"instructions\":null,\"max_output_tokens\":");
    if (call->answer.max_tokens >= 0) {
        buf_fmt(out, "%ld", call->answer.max_tokens);
    }
    else {
        buf_str(out, "null");
    }
    buf_str(out, ",\"model\":");
    buf_quote(out, call->model.p, call->model_len);
    buf_str(out, ",\"output\":[");
    for (i = 0; whole && i < item_count(call); i++) {
        buf_str(out, i ? "," : "");
        add_item(call, i, 1, out);
    }
    buf_str(out, "],\"parallel_tool_calls\":true,\"previous_response_id\":null,"
                 "\"reasoning\":{\"effort\":null,\"summary\":null},\"service_tier\":\"default\","
                 "\"store\":true,\"temperature\":1.0,\"text\":{\"format\":{\"type\":\"text\"}},"
                 "\"tool_choice\":\"auto\",\"tools\":[],\"top_p\":1.0,\"truncation\":\"disabled\","
                 "\"usage\":");
    if (spent >= 0) {
        answer_usage(call, spent, out);
    }
    else {
        buf_str(out, "null");
    }
    buf_str(out, ",\"user\":null,\"metadata\":{");
    if (call->script.id[0]) {
        buf_str(out, "\"id\":");
        buf_quote(out, call->script.id, strlen(call->script.id));
    }
    buf_str(out, "}}");
}

static void plain(call_t *call, buf_t *out)
{
    add_response(call, final_status(call), 1,
                 call->script.usage == USAGE_NONE ? -1 : answer_tokens(call), out);
}

/* ------------------------------------------------------------------------------- the stream */

static void open_event(const call_t *call, event_t *ev, const char *name, long step)
{
    ev->name = name;
    buf_fmt(&ev->data, "{\"type\":\"%s\",\"sequence_number\":%ld", name, step);
    /* Only events with a response object have a place of their own for it. */
    if (call->script.id[0]) {
        buf_str(&ev->data, ",\"sim_id\":");
        buf_quote(&ev->data, call->script.id, strlen(call->script.id));
    }
}

static void response_event(call_t *call, event_t *ev, const char *name, const char *status,
                           long step)
{
    long usage = call->script.usage;
    int whole = strcmp(status, "in_progress") != 0;
    long spent = -1;

    if (whole && usage != USAGE_NONE && usage != USAGE_LATE && usage != USAGE_EARLY) {
        spent = answer_tokens(call);
    }
    else if (usage == USAGE_EARLY && step == 0) {
        spent = answer_tokens(call);
    }
    else if (usage == USAGE_EVERY) {
        spent = call->script.reasoning;
    }
    open_event(call, ev, name, step);
    buf_str(&ev->data, ",\"response\":");
    add_response(call, status, whole, spent, &ev->data);
    buf_str(&ev->data, "}");
    if (step == 0) {
        ev->tokens = call->script.reasoning;
    }
}

static void item_event(const call_t *call, event_t *ev, int item, int whole, long step)
{
    open_event(call, ev, whole ? "response.output_item.done" : "response.output_item.added",
               step);
    buf_fmt(&ev->data, ",\"output_index\":%d,\"item\":", item);
    add_item(call, item, whole, &ev->data);
    buf_str(&ev->data, "}");
}

/* The members by which events name their item. */
static void add_place(const call_t *call, event_t *ev, int item)
{
    buf_str(&ev->data, ",\"item_id\":\"");
    add_item_id(call, item, &ev->data);
    buf_fmt(&ev->data, "\",\"output_index\":%d", item);
    if (call->answer.kind != ANSWER_TOOLS) {
        buf_str(&ev->data, ",\"content_index\":0");
    }
}

static void add_named(event_t *ev, const char *name, const buf_t *text)
{
    buf_fmt(&ev->data, ",\"%s\":", name);
    buf_quote(&ev->data, text->p, text->len);
}

/* The steps of a text or a refusal, after created and in_progress.  Returns 0 past the end. */
static int text_step(const call_t *call, event_t *ev, long at, long step)
{
    const answer_t *a = &call->answer;
    int refusal = a->kind == ANSWER_REFUSAL;
    buf_t text = { NULL, 0, 0 };

    if (at == 0 || at == a->pieces + 4) {
        item_event(call, ev, 0, at != 0, step);
        return 1;
    }
    if (at == 1 || at == a->pieces + 3) {
        open_event(call, ev, at == 1 ? "response.content_part.added" : "response.content_part.done",
                   step);
        add_place(call, ev, 0);
        buf_str(&ev->data, ",\"part\":");
        add_part(call, at != 1, &ev->data);
        buf_str(&ev->data, "}");
        return 1;
    }
    if (at > a->pieces + 4) {
        return 0;
    }
    if (at == a->pieces + 2) {
        open_event(call, ev, refusal ? "response.refusal.done" : "response.output_text.done", step);
        answer_text(call, &text);
    }
    else {
        open_event(call, ev, refusal ? "response.refusal.delta" : "response.output_text.delta",
                   step);
        answer_piece(call, at - 2, &text);
        ev->tokens = 1;
    }
    add_place(call, ev, 0);
    add_named(ev, at < a->pieces + 2 ? "delta" : refusal ? "refusal" : "text", &text);
    buf_str(&ev->data, refusal ? "}" : ",\"logprobs\":[]}");
    buf_free(&text);
    return 1;
}

static int tool_step(const call_t *call, event_t *ev, long at, long step)
{
    const answer_t *a = &call->answer;
    buf_t text = { NULL, 0, 0 };
    int tool = 0;

    while (tool < a->tools && at >= a->tool_pieces[tool] + 3) {
        at -= a->tool_pieces[tool] + 3;
        tool++;
    }
    if (tool == a->tools) {
        return 0;
    }
    if (at == 0 || at == a->tool_pieces[tool] + 2) {
        item_event(call, ev, tool, at != 0, step);
        return 1;
    }
    if (at <= a->tool_pieces[tool]) {
        open_event(call, ev, "response.function_call_arguments.delta", step);
        add_place(call, ev, tool);
        answer_tool_piece(a, tool, at - 1, &text);
        add_named(ev, "delta", &text);
        ev->tokens = 1;
    }
    else {
        open_event(call, ev, "response.function_call_arguments.done", step);
        add_place(call, ev, tool);
        add_named(ev, "name", &a->tool_name[tool]);
        add_named(ev, "arguments", &a->tool_args[tool]);
    }
    buf_str(&ev->data, "}");
    buf_free(&text);
    return 1;
}

static int event(call_t *call, long step, event_t *ev)
{
    const answer_t *a = &call->answer;
    int tools = a->kind == ANSWER_TOOLS;
    long steps = 2 + (tools ? a->pieces + 3 * a->tools : a->pieces + 5);

    if (step == 0) {
        response_event(call, ev, "response.created", "in_progress", step);
    }
    else if (step == 1) {
        response_event(call, ev, "response.in_progress", "in_progress", step);
    }
    else if (step < steps) {
        return tools ? tool_step(call, ev, step - 2, step) : text_step(call, ev, step - 2, step);
    }
    else if (step == steps) {
        if (!call->script.done) {
            return 0;
        }
        response_event(call, ev, strcmp(final_status(call), "completed") == 0
                                     ? "response.completed" : "response.incomplete",
                       final_status(call), step);
    }
    else if (step == steps + 1 && call->script.usage == USAGE_LATE) {
        open_event(call, ev, "response.completed", step);
        buf_str(&ev->data, ",\"response\":");
        add_response(call, "completed", 1, answer_tokens(call), &ev->data);
        buf_str(&ev->data, "}");
    }
    else {
        return 0;
    }
    return 1;
}

static void error(call_t *call, long step, event_t *ev)
{
    open_event(call, ev, "error", step);
    buf_str(&ev->data, ",\"code\":\"server_error\",\"message\":\"The server had an error.\","
                       "\"param\":null}");
}

const endpoint_t endpoint_responses = {
    "responses", { "input" }, DIALECT_OPENAI, plain, event, error, NULL, 0, 0
};
