/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_http.c - is there a whole HTTP/1.x request in what came in?
 *
 * Strict where a gateway could go wrong: both Content-Length and Transfer-Encoding, a bad chunk
 * size or a folded header is refused, so that a wrong request upstream fails its test.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <stdlib.h>
#include <string.h>

#include "ai_sim.h"

#define HEAD_MAX 262144
#define BODY_MAX 1073741824L
/* More of a body is counted, but not kept. */
#define KEPT_MAX (16L << 20)

enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER };

const char *http_reason(int status)
{
    switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 529: return "Overloaded";
    default: return "Scripted";
    }
}

text_t http_header(const call_t *call, const char *name)
{
    int i;

    for (i = 0; i < call->header_count; i++) {
        if (text_is_nocase(call->headers[i].name, name)) {
            return call->headers[i].value;
        }
    }
    return (text_t) { NULL, 0 };
}

/* Cuts the next line off *rest, without its line end. */
static text_t take_line(text_t *rest)
{
    const char *lf = memchr(rest->p, '\n', rest->n);
    size_t n = lf ? (size_t)(lf - rest->p) : rest->n;
    text_t line = { rest->p, n };

    rest->p += lf ? n + 1 : n;
    rest->n -= lf ? n + 1 : n;
    if (line.n && line.p[line.n - 1] == '\r') {
        line.n--;
    }
    return line;
}

static text_t take_word(text_t *line)
{
    const char *space = memchr(line->p, ' ', line->n);
    size_t n = space ? (size_t)(space - line->p) : line->n;
    text_t word = { line->p, n };

    line->p += space ? n + 1 : n;
    line->n -= space ? n + 1 : n;
    return word;
}

static int read_request_line(call_t *call, text_t line)
{
    const char *question;

    call->method = take_word(&line);
    call->target = take_word(&line);
    if (!call->method.n || !call->target.n) {
        return 0;
    }
    call->http10 = text_is(line, "HTTP/1.0");
    if (!call->http10 && !text_is(line, "HTTP/1.1")) {
        return 0;
    }
    call->path = call->target;
    call->query = (text_t) { "", 0 };
    question = memchr(call->path.p, '?', call->path.n);
    if (question) {
        call->path.n = (size_t)(question - call->path.p);
        call->query = (text_t) { question + 1, call->target.n - call->path.n - 1 };
    }
    return 1;
}

static int read_headers(call_t *call, text_t rest)
{
    size_t i, lines = 0;

    for (i = 0; i < rest.n; i++) {
        lines += rest.p[i] == '\n';
    }
    call->headers = sim_alloc((lines + 1) * sizeof(header_t));
    while (rest.n) {
        text_t line = take_line(&rest);
        const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
        header_t *h = &call->headers[call->header_count];

        if (line.n == 0) {
            break;
        }
        if (!colon || colon == line.p || colon[-1] == ' ' || *line.p == ' ' || *line.p == '\t') {
            return 0;
        }
        h->name = (text_t) { line.p, (size_t)(colon - line.p) };
        h->value = text_trim((text_t) { colon + 1, line.n - h->name.n - 1 });
        call->header_count++;
    }
    return 1;
}

/* How the body will come. */
static const char *plan_upload(conn_t *conn)
{
    call_t *call = conn->call;
    text_t coding = http_header(call, "transfer-encoding");
    text_t length = http_header(call, "content-length");
    long n = 0;

    if (coding.p && length.p) {
        return "both Transfer-Encoding and Content-Length";
    }
    if (coding.p && !text_is_nocase(coding, "chunked")) {
        return "unknown Transfer-Encoding";
    }
    if (length.p && !text_number(length, BODY_MAX, &n)) {
        return "bad Content-Length";
    }
    conn->upload_chunked = coding.p != NULL;
    conn->upload_state = CHUNK_SIZE;
    conn->upload_left = n;
    return NULL;
}

/* Returns 1 when the head is there and understood. */
static int read_head(conn_t *conn, const char **why)
{
    const char *end;
    text_t connection, rest, line;
    call_t *call;
    size_t skip = 0, n;

    while (skip + 1 < conn->in.len && memcmp(conn->in.p + skip, "\r\n", 2) == 0) {
        skip += 2;
    }
    if (skip) {
        buf_drop(&conn->in, skip);
    }
    end = conn->in.len ? memmem(conn->in.p, conn->in.len, "\r\n\r\n", 4) : NULL;
    if (!end) {
        *why = conn->in.len > HEAD_MAX ? "request head too large" : NULL;
        return *why ? -1 : 0;
    }
    n = (size_t)(end - conn->in.p) + 4;
    call = call_begin(conn);
    buf_add(&call->head, conn->in.p, n);
    buf_drop(&conn->in, n);
    rest = buf_text(&call->head);
    line = take_line(&rest);
    if (!read_request_line(call, line)) {
        *why = "bad request line";
        return -1;
    }
    if (!read_headers(call, rest)) {
        *why = "bad header line";
        return -1;
    }
    connection = http_header(call, "connection");
    call->keep = call->http10 ? text_is_nocase(connection, "keep-alive")
                              : !text_is_nocase(connection, "close");
    call->request_id = http_header(call, "x-request-id");
    call->early = request_early(call);
    *why = plan_upload(conn);
    return *why ? -1 : 1;
}

static void take_body(conn_t *conn, size_t n)
{
    call_t *call = conn->call;
    size_t i;

    if (call->body_len < KEPT_MAX) {
        size_t room = KEPT_MAX - call->body_len;

        buf_add(&call->body, conn->in.p, n < room ? n : room);
    }
    for (i = 0; i < n; i++) {
        call->body_hash = (call->body_hash ^ (unsigned char)conn->in.p[i]) * 0x100000001b3ULL;
    }
    call->body_len += n;
    conn->upload_left -= (int64_t)n;
    buf_drop(&conn->in, n);
}

/* A line of the chunked coding.  Returns -1 when it is not there yet. */
static long chunk_line(conn_t *conn, text_t *line)
{
    const char *lf = conn->in.len ? memchr(conn->in.p, '\n', conn->in.len) : NULL;

    if (!lf) {
        return -1;
    }
    *line = (text_t) { conn->in.p, (size_t)(lf - conn->in.p) };
    if (line->n && line->p[line->n - 1] == '\r') {
        line->n--;
    }
    return (long)(lf - conn->in.p) + 1;
}

static int hex_size(text_t line, int64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    int64_t value = 0;
    size_t i;

    for (i = 0; i < line.n && line.p[i] != ';' && line.p[i] != ' '; i++) {
        char c = line.p[i];
        const char *at;

        if (c >= 'A' && c <= 'F') {
            c = (char)(c + 32);
        }
        at = c ? strchr(digits, c) : NULL;
        if (!at || value > BODY_MAX) {
            return 0;
        }
        value = value * 16 + (at - digits);
    }
    *out = value;
    return i > 0;
}

/* One step of the chunked coding: 1 complete, 0 needs more, 2 go on, -1 broken. */
static int read_chunk_step(conn_t *conn)
{
    text_t line;
    long used;

    if (conn->upload_state == CHUNK_DATA) {
        size_t n = conn->in.len;

        if ((int64_t)n > conn->upload_left) {
            n = (size_t)conn->upload_left;
        }
        take_body(conn, n);
        if (conn->upload_left) {
            return 0;
        }
        conn->upload_state = CHUNK_DATA_END;
        return 2;
    }
    used = chunk_line(conn, &line);
    if (used < 0) {
        return conn->in.len > HEAD_MAX ? -1 : 0;
    }
    if (conn->upload_state == CHUNK_SIZE) {
        if (!hex_size(line, &conn->upload_left)) {
            return -1;
        }
        conn->upload_state = conn->upload_left ? CHUNK_DATA : CHUNK_TRAILER;
    }
    else if (conn->upload_state == CHUNK_DATA_END) {
        if (line.n) {
            return -1;
        }
        conn->upload_state = CHUNK_SIZE;
    }
    else if (line.n == 0) {
        buf_drop(&conn->in, (size_t)used);
        return 1;
    }
    buf_drop(&conn->in, (size_t)used);
    return 2;
}

static int read_body(conn_t *conn, const char **why)
{
    int r = 2;

    if (!conn->upload_chunked) {
        size_t n = conn->in.len;

        if ((int64_t)n > conn->upload_left) {
            n = (size_t)conn->upload_left;
        }
        take_body(conn, n);
        return conn->upload_left == 0;
    }
    while (r == 2) {
        r = read_chunk_step(conn);
    }
    if (r < 0) {
        *why = "bad chunked coding";
    }
    return r;
}

static void send_continue(conn_t *conn)
{
    text_t expect = http_header(conn->call, "expect");

    if (text_is_nocase(expect, "100-continue") && conn->in.len == 0
        && (conn->upload_chunked || conn->upload_left)) {
        buf_str(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
    }
}

int http_read(conn_t *conn, const char **why)
{
    int r;

    *why = NULL;
    if (conn->state == CONN_HEAD) {
        r = read_head(conn, why);

        if (r <= 0) {
            return r;
        }
        conn->state = CONN_BODY;
        send_continue(conn);
    }
    r = read_body(conn, why);
    if (r == 0 && conn->call->early >= 0 && conn->call->body_len >= (size_t)conn->call->early) {
        conn->call->keep = 0;            /* what is left of the body is no request */
        return 1;
    }
    return r;
}
