/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_answer.c - is what comes back one whole answer, and is it the answer to this request?
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "load_answer.h"

enum { MOST_HEAD = 64 * 1024, MOST_TEXT = 64 * 1024 * 1024 };

/* ------------------------------------------------------------------------- bytes */

void load_bytes_add(load_bytes_t *bytes, const char *at, size_t n)
{
    if (bytes->used + n + 1 > bytes->size) {
        size_t size = bytes->size != 0 ? bytes->size : 256;
        while (size < bytes->used + n + 1) {
            size *= 2;
        }
        char *more = realloc(bytes->at, size);
        if (more == NULL) {
            perror("ai-load");
            exit(2);
        }
        bytes->at = more;
        bytes->size = size;
    }
    memcpy(bytes->at + bytes->used, at, n);
    bytes->used += n;
    bytes->at[bytes->used] = '\0';
}

/* ------------------------------------------------------------------------ events */

/* The id must stand in quotes, so that "r1-12" is not found in "r1-123". */
static bool carries_id(const load_answer_t *answer)
{
    const char *at = answer->text.at;
    const char *end = at + answer->text.used;

    if (answer->id == NULL) {
        return true;
    }
    if (answer->text.used == 0) {
        return false;
    }
    size_t n = strlen(answer->id);
    while ((at = memmem(at, (size_t)(end - at), answer->id, n)) != NULL) {
        if (at > answer->text.at && at[-1] == '"' && at + n < end && at[n] == '"') {
            return true;
        }
        at += n;
    }
    return false;
}

static void end_event(load_answer_t *answer)
{
    if (!answer->has_data) {
        return;
    }
    if (answer->text.used == 6 && memcmp(answer->text.at, "[DONE]", 6) == 0) {
        answer->saw_done = true;
    }
    else {
        answer->events++;
        if (memmem(answer->text.at, answer->text.used, "\"error\":", 8) != NULL) {
            answer->saw_error = true;
        }
        else if (!carries_id(answer)) {
            answer->wrong++;
        }
    }
    answer->has_data = false;
    answer->text.used = 0;
}

static void take_event_line(load_answer_t *answer, const char *at, size_t n)
{
    if (n == 0) {
        end_event(answer);
        return;
    }
    if (n < 5 || memcmp(at, "data:", 5) != 0) {
        return; /* comment, event, id, retry */
    }
    at += 5;
    n -= 5;
    if (n > 0 && *at == ' ') {
        at++;
        n--;
    }
    if (answer->has_data) {
        load_bytes_add(&answer->text, "\n", 1);
    }
    answer->has_data = true;
    load_bytes_add(&answer->text, at, n);
}

static void take_events(load_answer_t *answer, const char *at, size_t n)
{
    const char *end = at + n;

    if (answer->skip_lf && n > 0) {
        answer->skip_lf = false;
        at += *at == '\n';
    }
    while (at < end) {
        const char *stop = at;
        while (stop < end && *stop != '\n' && *stop != '\r') {
            stop++;
        }
        if (stop == end) {
            load_bytes_add(&answer->line, at, (size_t)(end - at));
            return;
        }
        if (answer->line.used != 0) {
            load_bytes_add(&answer->line, at, (size_t)(stop - at));
            take_event_line(answer, answer->line.at, answer->line.used);
            answer->line.used = 0;
        }
        else {
            take_event_line(answer, at, (size_t)(stop - at));
        }
        at = stop + 1;
        if (*stop == '\r') {
            answer->skip_lf = at == end;
            at += at < end && *at == '\n';
        }
    }
}

static void take_body(load_answer_t *answer, const char *at, size_t n)
{
    answer->body_bytes += n;
    if (answer->streamed) {
        take_events(answer, at, n);
    }
    else if (answer->text.used + n <= MOST_TEXT) {
        load_bytes_add(&answer->text, at, n);
    }
}

/* -------------------------------------------------------------------------- head */

/* The value of a header field in a head that ends in a NUL; its length goes to *n. */
static const char *field_of(const char *head, const char *name, size_t *n)
{
    size_t name_n = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, name_n) == 0 && line[name_n] == ':') {
            const char *value = line + name_n + 1;
            value += strspn(value, " \t");
            *n = strcspn(value, "\r\n");
            return value;
        }
    }
    return NULL;
}

static bool field_has(const char *head, const char *name, const char *word)
{
    size_t n;
    size_t word_n = strlen(word);
    const char *value = field_of(head, name, &n);

    for (size_t i = 0; value != NULL && i + word_n <= n; i++) {
        if (strncasecmp(value + i, word, word_n) == 0) {
            return true;
        }
    }
    return false;
}

static void take_head(load_answer_t *answer)
{
    const char *head = answer->line.at;
    size_t n;

    if (strncmp(head, "HTTP/1.", 7) != 0 || strlen(head) < 12) {
        answer->phase = LOAD_GARBAGE;
        return;
    }
    answer->status = (int)strtoull(head + 9, NULL, 10);
    if (answer->status >= 100 && answer->status < 200) {
        answer->line.used = 0; /* an interim answer: the real one follows */
        return;
    }
    answer->closes = head[7] == '0' || field_has(head, "connection", "close");
    answer->streamed = field_has(head, "content-type", "text/event-stream");
    if (answer->status == 204 || answer->status == 304) {
        answer->phase = LOAD_WHOLE;
    }
    else if (field_has(head, "transfer-encoding", "chunked")) {
        answer->phase = LOAD_CHUNK_SIZE;
    }
    else {
        const char *length = field_of(head, "content-length", &n);
        answer->until_close = length == NULL;
        answer->closes = answer->closes || answer->until_close;
        answer->left = length != NULL ? strtoull(length, NULL, 10) : 0;
        answer->phase = length != NULL && answer->left == 0 ? LOAD_WHOLE : LOAD_BODY;
    }
    answer->line.used = 0;
}

static size_t feed_head(load_answer_t *answer, const char *at, size_t n)
{
    size_t before = answer->line.used;

    load_bytes_add(&answer->line, at, n);
    /* The blank line may have begun in the piece before. */
    size_t from = before > 3 ? before - 3 : 0;
    char *blank = memmem(answer->line.at + from, answer->line.used - from, "\r\n\r\n", 4);
    if (blank == NULL) {
        if (answer->line.used > MOST_HEAD ||
            (answer->line.used >= 5 && memcmp(answer->line.at, "HTTP/", 5) != 0)) {
            answer->phase = LOAD_GARBAGE;
        }
        return n;
    }
    blank[2] = '\0';
    size_t used = (size_t)(blank + 4 - answer->line.at) - before;
    take_head(answer);
    return used;
}

/* ------------------------------------------------------------------------ chunks */

/* One whole line of the chunked framing, without its LF. */
static void take_frame(load_answer_t *answer)
{
    char *line = answer->frame.at;
    size_t n = answer->frame.used;
    char *end;

    if (n > 0 && line[n - 1] == '\r') {
        line[--n] = '\0';
    }
    switch (answer->phase) {
    case LOAD_CHUNK_SIZE:
        answer->left = strtoull(line, &end, 16);
        if (end == line || (*end != '\0' && *end != ';' && *end != ' ')) {
            answer->phase = LOAD_GARBAGE;
        }
        else {
            answer->phase = answer->left != 0 ? LOAD_CHUNK : LOAD_TRAILER;
        }
        break;
    case LOAD_CHUNK_END:
        answer->phase = n == 0 ? LOAD_CHUNK_SIZE : LOAD_GARBAGE;
        break;
    default:
        answer->phase = n == 0 ? LOAD_WHOLE : LOAD_TRAILER;
        break;
    }
    answer->frame.used = 0;
}

static size_t feed_frame(load_answer_t *answer, const char *at, size_t n)
{
    const char *lf = memchr(at, '\n', n);
    size_t used = lf != NULL ? (size_t)(lf - at) : n;

    load_bytes_add(&answer->frame, at, used);
    if (lf == NULL) {
        if (answer->frame.used > MOST_HEAD) {
            answer->phase = LOAD_GARBAGE;
        }
        return n;
    }
    take_frame(answer);
    return used + 1;
}

static size_t feed_body(load_answer_t *answer, const char *at, size_t n)
{
    if (answer->until_close) {
        take_body(answer, at, n);
        return n;
    }
    if (n > answer->left) {
        n = (size_t)answer->left;
    }
    take_body(answer, at, n);
    answer->left -= n;
    if (answer->left == 0) {
        answer->phase = answer->phase == LOAD_CHUNK ? LOAD_CHUNK_END : LOAD_WHOLE;
    }
    return n;
}

/* ------------------------------------------------------------------------ answer */

void load_answer_begin(load_answer_t *answer, const char *id)
{
    load_bytes_t line = answer->line;
    load_bytes_t frame = answer->frame;
    load_bytes_t text = answer->text;

    memset(answer, 0, sizeof(*answer));
    answer->line = line;
    answer->frame = frame;
    answer->text = text;
    answer->line.used = answer->frame.used = answer->text.used = 0;
    answer->id = id;
}

size_t load_answer_feed(load_answer_t *answer, const char *at, size_t n)
{
    size_t used = 0;

    while (used < n && answer->phase != LOAD_WHOLE && answer->phase != LOAD_GARBAGE) {
        switch (answer->phase) {
        case LOAD_HEAD:
            used += feed_head(answer, at + used, n - used);
            break;
        case LOAD_BODY:
        case LOAD_CHUNK:
            used += feed_body(answer, at + used, n - used);
            break;
        default:
            used += feed_frame(answer, at + used, n - used);
            break;
        }
    }
    return used;
}

bool load_answer_close(load_answer_t *answer)
{
    if (answer->phase == LOAD_BODY && answer->until_close) {
        answer->phase = LOAD_WHOLE;
    }
    return answer->phase == LOAD_WHOLE;
}

bool load_answer_is_mine(const load_answer_t *answer)
{
    return answer->streamed ? answer->wrong == 0 : carries_id(answer);
}

void load_answer_forget(load_answer_t *answer)
{
    free(answer->line.at);
    free(answer->frame.at);
    free(answer->text.at);
    memset(answer, 0, sizeof(*answer));
}
