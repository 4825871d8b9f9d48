/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_redact_body.c - the same for JSON: what does each string mean, and is the rest JSON still?
 *
 * Lives in: the buffers of its caller.  Shared state: none.  May block: no.
 */
#include <stdio.h>

#include "ai_json.h"
#include "ai_json_scan.h"
#include "ai_redact_find.h"

/* A text that was cut off is refused where the last thing in it began that is not whole: an escape
 * of two halves at most. */
#define CUT_MAX 12

typedef struct walk_t {
    const ai_redact_t *redact;
    ai_slice_t body;
    apr_size_t copied; /* of the body */
    ai_buffer_t *out;
    ai_buffer_t plain; /* a string without its escapes */
    apr_size_t found;
    apr_size_t keys;   /* names of members that were changed */
} walk_t;

static apr_status_t copy_to(walk_t *walk, const char *at)
{
    apr_size_t to = (apr_size_t)(at - walk->body.p);
    apr_status_t rv = ai_buffer_append(walk->out, walk->body.p + walk->copied, to - walk->copied);

    walk->copied = to;
    return rv;
}

/* Bytes of a string, with the escapes that they need. */
static apr_status_t write_inner(ai_buffer_t *out, const char *at, const char *end)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && at < end) {
        const char *stop = ai_json_skip_plain(at, end, 0), *found;
        char escape[8];

        rv = ai_buffer_append(out, at, (apr_size_t)(stop - at));
        if (rv == APR_SUCCESS && stop < end) {
            found = *stop ? strchr(plain, *stop) : NULL;
            if (found) {
                snprintf(escape, sizeof(escape), "\\%c", letters[found - plain]);
            }
            else {
                snprintf(escape, sizeof(escape), "\\u%04x", (unsigned char)*stop);
            }
            rv = ai_buffer_append(out, escape, strlen(escape));
            stop++;
        }
        at = stop;
    }
    return rv;
}

/* The string's bytes as they are meant. */
static apr_status_t decode(walk_t *walk, const char *at, const char *end)
{
    ai_json_cursor_t cursor = ai_json_cursor(at, end);
    apr_status_t rv = ai_buffer_reserve(
        &walk->plain, (apr_size_t)(end - at) > walk->plain.size ? (apr_size_t)(end - at)
                                                                : walk->plain.size);
    int c;

    walk->plain.n = 0;
    while (rv == APR_SUCCESS && (c = ai_json_next_byte(&cursor)) >= 0) {
        walk->plain.p[walk->plain.n++] = (char)c;
    }
    return rv;
}

/* What of a string is found, from its first byte to its last; nothing is written where nothing is. */
static apr_status_t sift(walk_t *walk, const char *at, const char *end, int escaped, int is_key)
{
    ai_slice_t text = { at, (apr_size_t)(end - at) };
    ai_redact_scan_t scan;
    apr_size_t copied = 0, before = walk->found;
    apr_status_t rv = escaped ? decode(walk, at, end) : APR_SUCCESS;
    char number[32];

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (escaped) {
        text = (ai_slice_t){ walk->plain.p, walk->plain.n };
    }
    ai_redact_scan(&scan, walk->redact, text);
    while (rv == APR_SUCCESS && ai_redact_next(&scan)) {
        rv = walk->found == before ? copy_to(walk, at) : APR_SUCCESS;
        walk->found++;
        rv = rv ? rv : write_inner(walk->out, text.p + copied, text.p + scan.from);
        rv = rv ? rv : ai_buffer_append(walk->out, "[", 1);
        rv = rv ? rv : write_inner(walk->out, scan.word, scan.word + strlen(scan.word));
        rv = rv ? rv : ai_buffer_append(walk->out, "]", 1);
        copied = scan.to;
    }
    if (rv != APR_SUCCESS || walk->found == before) {
        return rv;
    }
    rv = write_inner(walk->out, text.p + copied, text.p + text.n);
    if (rv == APR_SUCCESS && is_key) {
        snprintf(number, sizeof(number), " %" APR_SIZE_T_FMT, ++walk->keys);
        rv = ai_buffer_append(walk->out, number, strlen(number));
    }
    walk->copied = (apr_size_t)(end - walk->body.p);
    return rv;
}

/* A string from its quote on. *end: behind it. */
static apr_status_t take_string(walk_t *walk, const char *at, const char **end)
{
    const char *stop = walk->body.p + walk->body.n, *wrong, *reason, *next;
    const char *close;
    int escaped = 0;

    close = ai_json_scan_string(at + 1, stop, 0, &escaped, &wrong, &reason);
    if (!close) { /* cut off */
        *end = stop;
        return sift(walk, at + 1, wrong, escaped, 0);
    }
    *end = close + 1;
    next = ai_json_skip_space(*end, stop);
    return sift(walk, at + 1, close, escaped, next < stop && *next == ':');
}

static apr_status_t take_number(walk_t *walk, const char *at, const char **end)
{
    const char *stop = walk->body.p + walk->body.n;
    apr_status_t rv;

    for (*end = at; *end < stop && strchr("+-.eE0123456789", **end) && **end; ++*end) {
    }
    if (!ai_redact_is_card(walk->redact, (ai_slice_t){ at, (apr_size_t)(*end - at) })) {
        return APR_SUCCESS;
    }
    walk->found++;
    rv = copy_to(walk, at);
    walk->copied = (apr_size_t)(*end - walk->body.p);
    return rv ? rv : ai_buffer_append(walk->out, "\"[card]\"", 8);
}

/* Of a text that is JSON, at least as far as it goes. */
static apr_status_t walk_json(walk_t *walk)
{
    const char *at = walk->body.p, *end = at + walk->body.n, *next;
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && at < end) {
        if (*at == '"') {
            rv = take_string(walk, at, &next);
        }
        else if (*at == '-' || ai_redact_digit(*at)) {
            rv = take_number(walk, at, &next);
        }
        else {
            next = at + 1;
        }
        at = next;
    }
    return rv ? rv : copy_to(walk, end);
}

/* 1 when rest begins as what a cut through an escape, a character or a word leaves, or is nothing. */
static int was_cut(ai_slice_t rest)
{
    return rest.n == 0
           || (rest.n <= CUT_MAX && ((unsigned char)*rest.p >= 0x80 || strchr("\\tfn", *rest.p)));
}

/* How much of the body is JSON: all, but for a bit at the end where it was cut off; 0 where it is
 * something else. */
static apr_size_t json_length(apr_pool_t *p, ai_slice_t body)
{
    ai_slice_t text = ai_slice_skip_space(body);
    ai_json_error_t wrong;
    ai_json_doc_t doc;
    apr_pool_t *scratch;
    apr_size_t n = 0;

    if (!text.n || !*text.p || !strchr("{[\"0123456789", *text.p)) {
        return 0;
    }
    if (apr_pool_create(&scratch, p) != APR_SUCCESS) {
        return 0;
    }
    if (ai_json_parse(scratch, body, AI_JSON_DEPTH, &doc, &wrong) == APR_SUCCESS) {
        n = body.n;
    }
    else if (strchr("{[\"", *text.p)
             && was_cut((ai_slice_t){ body.p + wrong.offset, body.n - wrong.offset })) {
        n = wrong.offset;
    }
    apr_pool_destroy(scratch);
    return n;
}

apr_status_t ai_redact_body(const ai_redact_t *redact, apr_pool_t *p, ai_slice_t body,
                            ai_buffer_t *out, apr_size_t *found)
{
    apr_size_t n = json_length(p, body);
    walk_t walk = { redact, { body.p, n }, 0, out, { NULL, 0, 0 }, 0, 0 };
    apr_status_t rv = n ? walk_json(&walk) : APR_SUCCESS;

    ai_buffer_free(&walk.plain);
    *found += walk.found;
    return rv ? rv : ai_redact_text(redact, (ai_slice_t){ body.p + n, body.n - n }, out, found);
}
