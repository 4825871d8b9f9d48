/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_truth.c - what really happened, for tests to join against?
 *
 * One JSON line per call, written with one write() when the call is over.  The last lines are also
 * kept in memory for /_sim/calls and /_sim/wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ai_sim.h"

#define KEPT 4096

typedef struct {
    buf_t line;                  /* without the line end */
    buf_t id;
} record_t;

static int truth_fd = -1;
static record_t kept[KEPT];
static unsigned long seq, recorded;

int truth_open(const char *path)
{
    truth_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return truth_fd >= 0;
}

unsigned long truth_next_seq(void)
{
    return ++seq;
}

unsigned long truth_total(void)
{
    return recorded;
}

void truth_reset(void)
{
    size_t i;

    for (i = 0; i < KEPT; i++) {
        buf_free(&kept[i].line);
        buf_free(&kept[i].id);
    }
    recorded = 0;
}

static void add_member(buf_t *out, const char *name, text_t value)
{
    buf_fmt(out, ",\"%s\":", name);
    buf_quote(out, value.p, value.n);
}

text_t http_key_tail(const call_t *call)
{
    static const char *const names[] = { "authorization", "x-api-key", "api-key",
                                         "x-goog-api-key" };
    text_t key = { NULL, 0 };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]) && !key.p; i++) {
        key = http_header(call, names[i]);
    }
    if (key.n > 4) {
        key.p += key.n - 4;
        key.n = 4;
    }
    return key;
}

static void add_script(const call_t *call, buf_t *out)
{
    text_t header = http_header(call, "x-sim");
    buf_t script = { NULL, 0, 0 };

    if (call->model.len > call->model_len) {
        buf_add(&script, call->model.p + call->model_len + 1,
                call->model.len - call->model_len - 1);
        buf_str(&script, header.n ? ";" : "");
    }
    buf_add(&script, header.p, header.n);
    add_member(out, "script", buf_text(&script));
    buf_free(&script);
    add_member(out, "mark", (text_t) { call->script.mark, strlen(call->script.mark) });
    add_member(out, "mark_seq", (text_t) { call->script.seq, strlen(call->script.seq) });
}

static void add_told(const call_t *call, buf_t *out)
{
    if (!call->usage_told) {
        buf_str(out, ",\"told\":null");
    }
    else if (call->script.usage == USAGE_HUGE || call->script.usage == USAGE_TEXT) {
        buf_fmt(out, ",\"told\":\"%s\"", call->script.usage == USAGE_HUGE ? "huge" : "text");
    }
    else {
        buf_fmt(out, ",\"told\":{\"prompt\":%ld,\"completion\":%ld}", call->told_prompt,
                call->told_completion);
    }
}

static void add_header_names(const call_t *call, buf_t *out)
{
    int i;

    buf_str(out, ",\"header_names\":[");
    for (i = 0; i < call->header_count; i++) {
        buf_str(out, i ? "," : "");
        answer_header_name(call->headers[i].name, out);
    }
    buf_str(out, "]");
}

static void write_line(const call_t *call, const char *ended, buf_t *out)
{
    int counts = !call->is_error_answer && call->status_sent;

    buf_fmt(out, "{\"seq\":%lu,\"time\":%.3f", call->seq, call->began_at);
    add_member(out, "id", call->request_id);
    add_member(out, "method", call->method);
    add_member(out, "path", call->path);
    add_member(out, "query", call->query);
    add_member(out, "model", buf_text(&call->model));
    buf_fmt(out, ",\"stream\":%s", call->stream ? "true" : "false");
    add_script(call, out);
    buf_fmt(out, ",\"status\":%d,\"prompt_tokens\":%ld,\"completion_tokens\":%ld",
            call->status_sent, counts ? call->answer.prompt_tokens : 0,
            counts ? call->tokens_sent : 0);
    add_told(call, out);
    buf_fmt(out, ",\"body_bytes\":%zu,\"body_hash\":\"%016llx\"", call->body_len,
            (unsigned long long)call->body_hash);
    buf_fmt(out, ",\"bytes_sent\":%llu,\"body_sent\":%llu,\"events_sent\":%ld",
            (unsigned long long)call->bytes_sent, (unsigned long long)call->body_sent,
            call->stream ? call->events_sent : 0);
    buf_fmt(out, ",\"ended\":\"%s\",\"duration_ms\":%lld", ended,
            (long long)(timer_now() - call->began_ms));
    if (call->peer_closed_ms >= 0) {
        buf_fmt(out, ",\"peer_closed_ms\":%lld", (long long)call->peer_closed_ms);
    }
    else {
        buf_str(out, ",\"peer_closed_ms\":null");
    }
    add_member(out, "key_tail", http_key_tail(call));
    add_header_names(call, out);
    buf_str(out, "}");
}

void truth_record(const call_t *call, const char *ended)
{
    record_t *r = &kept[recorded % KEPT];
    ssize_t n;

    r->line.len = r->id.len = 0;
    write_line(call, ended, &r->line);
    buf_add(&r->id, call->request_id.p, call->request_id.n);
    recorded++;
    if (truth_fd < 0) {
        return;
    }
    buf_str(&r->line, "\n");
    do {
        n = write(truth_fd, r->line.p, r->line.len);
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)r->line.len) {
        fprintf(stderr, "ai-sim: truth file: %s\n", n < 0 ? strerror(errno) : "short write");
    }
    r->line.len--;
}

long truth_lines(text_t id, long max, buf_t *out)
{
    unsigned long i, count = recorded < KEPT ? recorded : KEPT;
    long found = 0;

    if (!id.p && count > (unsigned long)max) {
        count = (unsigned long)max;
    }
    for (i = recorded - count; i < recorded; i++) {
        const record_t *r = &kept[i % KEPT];

        if (id.p && (r->id.len != id.n || memcmp(r->id.p, id.p, id.n) != 0)) {
            continue;
        }
        buf_str(out, found ? "," : "");
        buf_add(out, r->line.p, r->line.len);
        found++;
    }
    return found;
}
